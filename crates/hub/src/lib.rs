//! Streams: who publishes, who watches, what is kept and what is dropped.
//!
//! A stream is a log, a player is a cursor. A [`Publisher`] appends frames; the stream keeps them back to the last
//! key frame (the frame log). For each wire [`Format`] somebody watches, it keeps a second log of ready bytes,
//! muxed once whatever the number of players. A player is a position in such a log and a socket; a slow one falls
//! behind, and past the limit jumps to the newest key frame. Nobody waits for anybody.
//!
//! Readers come in three shapes over the same logs:
//! - [`FrameReader`]: frames in order, for whatever makes something new of them (segments, recordings, relays);
//! - [`ByteReader`]: ready bytes for one consumer that is an ordinary task (TLS connections, HTTP bodies);
//! - [`Player`]: ready bytes written by a worker (see [`Workers`]) straight to a plain TCP socket, one vectored write a walk.
//!
//! A stream in another codec is a stream too: see [`Stream::derived`].
//!
//! The hub names no protocol, asks no policy (it only carries the question, see [`Admission`]) and parses no bytes.
//! Times are on the stream's own timeline, which goes on increasing when a publisher returns and where leaps, wraps and
//! steps back of the publisher's clock are corrected (see [`Times`]).

mod admission;
mod audible;
mod bytelog;
mod derived;
mod event;
mod fan;
mod framelog;
mod interleave;
#[cfg(test)]
mod model;
mod name;
mod registry;
mod session;
mod stream;
mod timeline;
mod worker;

pub use admission::{Action, Admission, Answer, Grant, Refusal, Request};
pub use audible::Audible;
pub use bytelog::{ByteReader, Format, FormatKey, Mux};
pub use derived::{DerivedPublisher, Unused};
pub use event::{Event, Observer, Segmented};
pub use fan::{End, Full, Player};
pub use framelog::{Entry, FrameReader, Read};
pub use name::{NameError, StreamName};
pub use registry::{AbsoluteTimes, Hub, Options};
pub use session::{Meter, Session, SessionId, SessionInfo};
pub use stream::{Attached, Busy, Headers, Kept, Publisher, Snapshot, Stream, Tracks};
pub use timeline::{TimelineReport, Times};
pub use worker::{Connection, Feed, Job, Permit, Serve, Workers};
