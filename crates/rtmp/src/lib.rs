//! RTMP and RTMPS: publishers in, players out.
//!
//! A connection stays on the worker that accepted it and moves through three phases, each a boxed future, so that an
//! idle player holds no more than its own phase needs:
//!
//! - `listen`, `client`: handshake, connect, and what the client wants
//! - `ingest`: a publisher's messages become frames of a stream
//! - `egress`: a player becomes a cursor; on plain TCP the worker writes its bytes, on TLS the connection's own task
//! - `format`: the ready bytes that players share
//!
//! The protocol itself is [`headwater_rtmp_proto`]; policy is asked of [`headwater_hub::Admission`]. Configuration:
//! `listen`, `rtmps`, `chunk_size`, and `publish`, `play`, ack sizes of each vhost.

mod client;
mod egress;
mod format;
mod ingest;
mod io;
mod listen;

pub use listen::Rtmp;
