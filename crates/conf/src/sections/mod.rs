//! The blocks of the language, one file per subject.

mod access;
mod caster;
mod cluster;
mod console;
mod ffmpeg;
mod http;
mod live;
mod monitor;
mod play;
mod process;
mod rtc;
mod rtmp;
mod segment;
mod srt;
mod vhost;

pub use access::*;
pub use caster::*;
pub use cluster::*;
pub use console::*;
pub use ffmpeg::*;
pub use http::*;
pub use live::*;
pub use monitor::*;
pub use play::*;
pub use process::*;
pub use rtc::*;
pub use rtmp::*;
pub use segment::*;
pub use srt::*;
pub use vhost::*;
