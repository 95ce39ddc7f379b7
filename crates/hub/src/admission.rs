use crate::{SessionId, StreamName};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use thiserror::Error;

/// What a client wants to do with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send media.
    Publish,
    /// Receive media.
    Play,
}

/// A client's wish, as its gateway understood it: names are raw, nothing is checked yet.
#[derive(Clone, Debug)]
pub struct Request {
    /// Publish or play.
    pub action: Action,
    /// Client kind as the API shows it (`fmle-publish`, `flv-play`, …).
    pub kind: &'static str,
    /// The connection that asks.
    pub session: SessionId,
    /// The peer's address.
    pub peer: IpAddr,
    /// Virtual host asked for (from the URL, its parameters or the Host header); may be empty.
    pub vhost: String,
    /// App.
    pub app: String,
    /// Stream, with or without a container extension.
    pub stream: String,
    /// URL parameters, `?k=v&…` or empty.
    pub param: String,
    /// The whole connect URL, for statistics and callbacks.
    pub tc_url: String,
    /// Referring page.
    pub page_url: String,
    /// Flash player URL.
    pub swf_url: String,
}

/// Permission, with the normalised name to use from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The stream's identity.
    pub name: StreamName,
}

/// A refusal the client is told about.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Refusal {
    /// SRS's error number (2014 no such vhost, 1053 security deny, …).
    pub code: u32,
    /// Why, in words a person can act on.
    pub reason: String,
}

/// The future an [`Admission`] answers with; it may take its time (callbacks), the client waits.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Grant, Refusal>> + Send + 'a>>;

/// The one place that every publish and play asks, whatever its protocol.
pub trait Admission: std::fmt::Debug + Send + Sync + 'static {
    /// Decides on `request`.
    fn ask<'a>(&'a self, request: &'a Request) -> Answer<'a>;
}
