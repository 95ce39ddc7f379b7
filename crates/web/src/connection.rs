//! One connection of any version of HTTP, from its first request to its last, within bounds.

use crate::stall::Stall;
use crate::stream::{Streams, watched};
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

/// A request head must be complete within this time, the first one and those after it (SRS: 15 s).
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// Largest read buffer of HTTP/1; heads are refused before.
const BUFFER_MAX: usize = 64 << 10;

/// Requests under way on an HTTP/2 connection; the next one is refused (RFC 9113 5.1.2).
const STREAMS_MAX: u32 = 100;

/// Largest head of an HTTP/2 request, uncompressed, as RFC 9113 6.5.2 counts it.
const HEADER_LIST_MAX: u32 = 16 << 10;

/// Requests that were reset before they were answered; the connection that has more of them ends (the "rapid reset"
/// of CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 20;

/// Streams that the server reset for the peer's errors; the connection that has more of them ends.
const LOCAL_RESETS_MAX: usize = 100;

/// What a peer may send of one request's body before it is read: bodies here are small.
const STREAM_WINDOW: u32 = 64 << 10;

/// The same for all requests of a connection.
const CONNECTION_WINDOW: u32 = 256 << 10;

/// Bytes of an answer that wait for the peer's window; the body is asked for no more.
const SEND_BUFFER_MAX: usize = 128 << 10;

/// A peer that says nothing for so long is asked whether it is there, and given up after as long again.
const PING_AFTER: Duration = Duration::from_secs(20);

/// An HTTP/2 connection without a request for this time to twice this time is closed.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// How long the goodbye to an idle connection may take.
const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// What the peers agreed on, in the TLS handshake (ALPN, RFC 7301) or for want of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0 and HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// An answer to come.
pub type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

impl Protocol {
    /// The names offered in TLS handshakes, best first.
    pub const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

    /// The protocol of that ALPN name; a peer that names none speaks HTTP/1.1.
    pub fn negotiated(name: Option<&[u8]>) -> Protocol {
        if name == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 }
    }
}

/// Serves the requests of a connection until either side ends it.
///
/// A peer that takes nothing of an answer for 30 s loses that answer; see [`Stall`].
pub async fn serve<I, S>(io: I, protocol: Protocol, answer: S) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Fn(Request<Incoming>) -> Answering + Clone + Send + 'static,
{
    match protocol {
        Protocol::Http1 => serve_http1(io, answer).await,
        Protocol::Http2 => serve_http2(io, answer).await,
    }
}

async fn serve_http1<I, S>(io: I, answer: S) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Fn(Request<Incoming>) -> Answering + Send + 'static,
{
    let service = service_fn(move |request| {
        let answering = answer(request);
        async { Ok::<_, Infallible>(answering.await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_MAX)
        .serve_connection(TokioIo::new(Stall::new(io)), service)
        .with_upgrades()
        .await
}

async fn serve_http2<I, S>(io: I, answer: S) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Fn(Request<Incoming>) -> Answering + Send + 'static,
{
    let streams = Streams::default();
    let service = service_fn(move |request| {
        let answering = answer(request);
        async { Ok::<_, Infallible>(answering.await.map(watched)) }
    });
    let connection = http2::Builder::new(streams.clone())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER_MAX)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_AFTER)
        .serve_connection(TokioIo::new(Stall::new(io)), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = idle(&streams) => {}
    }
    connection.as_mut().graceful_shutdown();
    timeout(GOODBYE_MAX, connection).await.unwrap_or(Ok(()))
}

/// Ends when no request came and none was under way for a while.
async fn idle(streams: &Streams) {
    let mut begun = streams.begun();
    loop {
        sleep(IDLE_MAX).await;
        if streams.open() == 0 && streams.begun() == begun {
            return;
        }
        begun = streams.begun();
    }
}
