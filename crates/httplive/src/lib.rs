//! Live streams over HTTP and WebSocket, as FLV, MPEG-TS, AAC and MP3, and the server they share with static files
//! and playlists.
//!
//! A connection is accepted by a worker, which reads the request head itself. A live stream over plain HTTP/1.1 or
//! WebSocket is then handed, as a raw socket, to the worker's players ([`headwater_hub::Player`]). Everything else,
//! TLS and requests on a reused connection included, goes through hyper; live streams there are response bodies over
//! the same byte logs ([`headwater_hub::ByteReader`]).
//!
//! - `head`: the request head, its bounds, and what it asks for
//! - `listen`: one connection, from its first byte
//! - `live`: what a live request becomes: admission, tracks, format, response head
//! - `egress`: live over a raw socket; `body`: live as a hyper response
//! - `format`: the containers in their three framings; `websocket`: the little of RFC 6455 that a one-way stream needs
//! - `fast_cache`: the last seconds of sound for new listeners
//! - `splice`: sockets that are lent pages instead of copies
//! - `files`: static files of `http_server.dir`
//!
//! Configuration: `http_server`, and `http_remux` of each vhost. Policy is asked of [`headwater_hub::Admission`].

mod body;
mod egress;
mod fast_cache;
mod files;
mod format;
mod head;
mod listen;
mod live;
mod splice;
mod websocket;

pub use fast_cache::FastCache;
pub use files::{FileServer, content_type};
pub use format::Container;
pub use head::{Head, HeadError, LiveTarget, Mount};
pub use listen::HttpLive;

/// The `Server` header of every answer.
pub(crate) const SERVER: &str = concat!("Headwater/", env!("CARGO_PKG_VERSION"));
