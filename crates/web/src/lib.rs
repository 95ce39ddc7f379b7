//! What gateways and the API share of HTTP (RFC 9110): connections of either version, what a request asks for, and the
//! answer to it when the whole content is in memory.
//!
//! - `target`: path, query and virtual host of a request, whatever the version of HTTP
//! - `representation`: content with its validators, answered whole, in part or not at all
//! - `range`: the `Range` field; `validator`: entity tags and the conditions on them
//! - `pieces`: a body of several byte slices, none of them copied
//! - `connection`: HTTP/1.1 and HTTP/2 connections and their bounds; `stream`: HTTP/2 streams that nobody reads;
//!   `stall`: sockets that nobody reads
//! - `pages`: bytes for many connections, which the kernel can send without a copy
//!
//! It holds no route and no policy, and reads no file.

mod connection;
mod pages;
mod pieces;
mod range;
mod representation;
mod stall;
mod stream;
mod target;
mod validator;

pub use connection::{Answering, HEAD_TIMEOUT, Protocol, serve};
pub use pages::{MAPPINGS_MAX, PAGED_MIN, is_paged, paged};
pub use pieces::Pieces;
pub use range::{Part, RangeNotSatisfiable, part};
pub use representation::{Caching, Representation};
pub use stall::Stall;
pub use target::{host, parameter, percent_decode, virtual_host, without_port};
pub use validator::EntityTag;
