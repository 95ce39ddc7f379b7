//! RTMP as a value: bytes in, bytes and events out (Adobe RTMP 1.0, Enhanced RTMP v2).
//!
//! [`ServerSession`] and [`ClientSession`] are the two ends of a connection, from the handshake to frames; below
//! them [`Handshake`](handshake::ServerHandshake), [`ChunkReader`] and [`write_message`] can be used alone. Nothing
//! here opens a socket, reads a clock, draws random numbers or waits: timeouts belong to the caller.
//!
//! After every call that takes something in, drain `poll()` until it gives `None`; also after an error, because
//! what is left to send tells the peer why the connection ends.

pub mod aggregate;
mod chunk;
mod command;
mod error;
pub mod handshake;
mod session;
mod url;
pub mod wire;
mod write;

#[cfg(test)]
mod tests;

pub use chunk::{ChunkReader, Message};
pub use error::{ChunkError, HandshakeError, SessionError};
pub use session::client::{ClientEvent, ClientOptions, ClientOutput, ClientSession, Purpose};
pub use session::server::ServerSession;
pub use session::{ConnectInfo, Event, Flow, Output, PlayRequest, PublishRequest, ServerOptions};
pub use url::{NAME_MAX, RtmpUrl, UrlError};
pub use write::{frame_len, write_frame, write_message};
