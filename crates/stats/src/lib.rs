//! Who is here and how much flows: virtual hosts, streams, clients, their rates, and the state of process and machine.
//!
//! [`Stats`] watches the hub as an [`Observer`](headwater_hub::Observer) and is asked by the API, callbacks and
//! metrics. The server calls [`Stats::tick`] about once a second; every three seconds it takes a sample.
//!
//! It writes no JSON and decides nothing. Memory is bounded by the clients there are: a client costs about 400 bytes,
//! a stream with neither publisher nor players is forgotten, and of virtual hosts at most [`VHOSTS_MAX`] are kept.

mod identity;
mod machine;
mod proc;
mod rate;
mod registry;
mod stats;

pub use identity::{Identity, IdentityError};
pub use machine::{Machine, System, built_at, local_ip};
pub use proc::{Cpu, CpuTimes, Memory, ProcessStat, Sockets, Usage};
pub use rate::{Rate, Traffic};
pub use registry::{ClientFilter, ClientStat, Page, StreamFilter, StreamStat, VHOSTS_MAX, VhostStat};
pub use stats::{Options, Stats, Totals};
