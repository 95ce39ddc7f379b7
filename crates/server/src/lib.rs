//! The assembled media server: which parts there are, how they are wired, and the policy between them.
//!
//! - `admission`: the one answer to every publish and play
//! - `assembly`: start-up order, ports, shutdown
//! - `reload`: a changed configuration while the server runs
//! - `rtc`: WebRTC sessions in the words of the API
//! - `http`, `console`, `tls`, `ports`, `log`, `welcome`: what a process needs around its media
//!
//! Only this crate knows all gateways and services. It holds no media itself.

mod admission;
mod assembly;
mod console;
mod http;
#[cfg(feature = "http3")]
mod http3;
mod log;
mod ports;
mod reload;
mod rtc;
mod tls;
mod welcome;

pub use admission::Policy;
pub use assembly::{Start, StartError, run_server};
pub use log::{Log, LogOptions, Tank};
pub use ports::PortError;
pub use reload::Origin;
pub use tls::TlsError;

/// The SRS release whose interfaces this server has.
pub const SRS_VERSION: &str = headwater_api::SRS_VERSION;
