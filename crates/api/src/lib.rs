//! The HTTP API: `/api/v1/*` as SRS 7 answers it, `/metrics`, and what the web console needs.
//!
//! [`router`] gives an axum router for a [`State`], and [`paths`] one that can be merged into another; the server
//! serves them on as many listeners as it likes and puts a [`Peer`] into each request's extensions. One OpenAPI document, [`openapi`], is generated from the handlers.
//!
//! Reading is open, as in SRS, unless `http_api.auth` is on. Changing something is not: it takes the password, or a request
//! made on this machine under a name that cannot be rebound, by no other web site.
//!
//! Departures from SRS 7, all on purpose:
//! - no JSONP: `callback` is ignored, and so is `method=` in the query, which only JSONP needs;
//! - kicking a client from another machine needs `http_api.auth`; so does a request of another web site;
//! - query strings are percent-decoded, and a key without a value is just that;
//! - control characters in strings are escaped, so that the JSON can always be parsed;
//! - `Connection: Close` is not sent; connections are kept as HTTP/1.1 says;
//! - `sample_rate` and `channel` of audio are the codec's own; `kbps` is not zero for the first half minute;
//! - new fields and endpoints, each marked as such in the OpenAPI document.

mod basic_auth;
mod cors;
mod envelope;
mod guard;
mod index;
mod metrics;
mod openapi;
mod peer;
mod query;
mod reload;
mod reply;
mod routes;
mod rtc;
mod settings;
pub mod shapes;
mod v1;

pub use openapi::openapi;
pub use peer::Peer;
pub use reload::{Reload, ReloadStep, Reloaded};
pub use routes::{State, paths, router};
pub use rtc::RtcSessions;
pub use settings::{Auth, Exporter, RawApiSettings, Settings, VhostSettings};

/// The release of SRS whose interfaces are served; clients compare it.
pub const SRS_VERSION: &str = "7.0.143";

/// Value of the header `Server` of every response.
pub const SERVER: &str = concat!("Headwater/", env!("CARGO_PKG_VERSION"), " (SRS/7.0.143)");
