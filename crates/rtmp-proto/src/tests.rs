//! Whole sessions against each other and against bytes written out by hand.

mod chunks;
mod garbage;
mod handshakes;
mod server;
mod sessions;
mod urls;
