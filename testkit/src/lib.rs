//! Real peers and made media for end-to-end tests.
//!
//! [`Server`] runs the real binary on free ports; [`Clip`] is media made once by ffmpeg; [`Publisher`] and [`Reader`]
//! are ffmpeg child processes on either side; [`packets::compare`] says whether what came out is what went in.
//! Everything that fails panics with what it was waiting for: a panic is a failed test. Nothing here waits without a
//! limit, and whatever is started is ended when dropped.
#![expect(clippy::print_stderr, reason = "a failed test shows its server's log")]

pub mod aiortc;
pub mod browser;
pub mod clock;
pub mod dash;
pub mod flash;
pub mod flv;
pub mod hls;
pub mod http;
mod media;
pub mod network;
pub mod packets;
mod peer;
pub mod program;
pub mod rtc;
pub mod rtmp;
mod server;
mod source;
pub mod viewer;
pub mod wait;
pub mod websocket;
pub mod wire;

pub use media::{Clip, Tool, broad};
pub use peer::{Publisher, Reader, read_file};
pub use server::{Options, Server, free_port};
pub use source::{Publishing, Source};
