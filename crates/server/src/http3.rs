//! HTTP/3 (RFC 9114): QUIC connections to requests and back, on a thread of its own.
//!
//! It has no WebSocket, no datagrams and no 0-RTT. Every stream, connection and handshake is bounded here.

use axum::body::Body;
use bytes::Bytes;
use h3::server::RequestStream;
use headwater_web::{Answering, HEAD_TIMEOUT};
use http::{Request, Response};
use http_body_util::BodyExt;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, EndpointConfig, IdleTimeout, Incoming, TokioRuntime, TransportConfig, VarInt};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Connections; the next one is refused.
const CONNECTIONS_MAX: usize = 1024;

/// From so many connections on, peers must show that they own their address first (RFC 9000 8.1.2).
const RETRY_FROM: usize = CONNECTIONS_MAX / 4;

/// Requests under way on a connection, and answers of a connection that are being written.
const REQUESTS_MAX: u32 = 100;

/// Streams by which peers control a connection (RFC 9114 6.2): control, and two of QPACK; the others are for
/// extensions.
const CONTROL_STREAMS_MAX: u32 = 8;

/// A silent connection ends after this time.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// A QUIC and TLS handshake must be complete within this time.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// A peer that takes nothing of an answer for so long loses it.
const STALL_MAX: Duration = Duration::from_secs(30);

/// Largest head of a request, uncompressed (RFC 9114 4.2.2).
const FIELD_SECTION_MAX: u64 = 16 << 10;

/// Bytes a peer may send before they are read: of one stream, and of all of a connection.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;

/// Bytes of all answers of a connection that are sent and not yet acknowledged.
const SEND_WINDOW: u64 = 1 << 20;

/// Most bytes of an answer handed over at once.
const PIECE_MAX: usize = 16 << 10;

/// Serves requests on a UDP port; ends with the process.
pub(crate) fn serve<A>(addr: SocketAddr, tls: rustls::ServerConfig, answer: A) -> io::Result<SocketAddr>
where
    A: Fn(SocketAddr, Request<Body>) -> Answering + Clone + Send + Sync + 'static,
{
    let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport())).max_incoming(CONNECTIONS_MAX);
    let socket = UdpSocket::bind(addr)?;
    let bound = socket.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let endpoint = {
        let _inside = runtime.enter();
        Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))?
    };
    std::thread::Builder::new()
        .name("http3".to_owned())
        .spawn(move || runtime.block_on(accept(endpoint, answer)))?;
    Ok(bound)
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(REQUESTS_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(CONTROL_STREAMS_MAX))
        .max_idle_timeout(IdleTimeout::try_from(IDLE_MAX).ok())
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None);
    transport
}

async fn accept<A>(endpoint: Endpoint, answer: A)
where
    A: Fn(SocketAddr, Request<Body>) -> Answering + Clone + Send + Sync + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Some(incoming) = endpoint.accept().await {
        let Ok(place) = places.clone().try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let busy = CONNECTIONS_MAX - places.available_permits() >= RETRY_FROM;
        if busy && !incoming.remote_address_validated() && incoming.may_retry() {
            incoming.retry().ok(); // it may be retried, as was just asked
            continue;
        }
        tokio::spawn(connection(incoming, answer.clone(), place));
    }
}

/// Serves one connection, which holds its place until it ends.
async fn connection<A>(incoming: Incoming, answer: A, _place: OwnedSemaphorePermit)
where
    A: Fn(SocketAddr, Request<Body>) -> Answering + Clone + Send + Sync + 'static,
{
    let peer = incoming.remote_address();
    let connection = match timeout(HANDSHAKE_MAX, async { incoming.await }).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::info!(%peer, %error, "QUIC handshake failed"),
        Err(_) => return tracing::info!(%peer, "closed: no QUIC handshake within {HANDSHAKE_MAX:?}"),
    };
    let mut builder = h3::server::builder();
    builder.max_field_section_size(FIELD_SECTION_MAX);
    let quic = connection.clone();
    // A request that its peer gave up makes room for another one at once, but may still wait for its stream here.
    let requests = Arc::new(Semaphore::new(REQUESTS_MAX as usize));
    let served = async {
        let mut connection = builder.build::<_, Bytes>(h3_quinn::Connection::new(connection)).await?;
        while let Some(resolver) = connection.accept().await? {
            // The semaphore is never closed, so acquiring can only wait; the connection's end ends that too.
            let place = requests.clone().acquire_owned().await.ok();
            let (answer, quic) = (answer.clone(), quic.clone());
            tokio::spawn(async move {
                let answered = async {
                    let resolved = timeout(HEAD_TIMEOUT, resolver.resolve_request()).await;
                    let Ok(Ok((request, stream))) = resolved else { return };
                    let response = answer(peer, request.map(|()| Body::empty())).await;
                    respond(stream, response).await.ok(); // the peer may be gone already
                };
                tokio::select! {
                    () = answered => {}
                    _ = quic.closed() => {} // nobody waits for the stream any more
                }
                drop(place);
            });
        }
        Ok::<_, h3::error::ConnectionError>(())
    };
    if let Err(error) = served.await {
        tracing::debug!(%peer, %error, "http/3 connection ended");
    }
}

/// Why an answer was not written to its end.
enum Unwritten {
    Stream,
    Body,
    Stalled,
}

async fn respond(
    mut stream: RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>,
    response: Response<Body>,
) -> Result<(), Unwritten> {
    let (head, mut body) = response.into_parts();
    stream.send_response(Response::from_parts(head, ())).await.map_err(|_| Unwritten::Stream)?;
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(|_| Unwritten::Body)?.into_data() else { continue };
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(PIECE_MAX));
            let sent = timeout(STALL_MAX, stream.send_data(piece)).await.map_err(|_| Unwritten::Stalled)?;
            sent.map_err(|_| Unwritten::Stream)?;
        }
    }
    stream.finish().await.map_err(|_| Unwritten::Stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Buf;
    use quinn::crypto::rustls::QuicClientConfig;
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

    fn tls() -> (rustls::ServerConfig, rustls::ClientConfig) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate: CertificateDer<'static> = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut server = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).unwrap();
        let mut client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        server.alpn_protocols = vec![b"h3".to_vec()];
        client.alpn_protocols = vec![b"h3".to_vec()];
        (server, client)
    }

    #[tokio::test]
    async fn requests_and_their_answers() {
        let (server, client) = tls();
        let echo = |_: SocketAddr, request: Request<Body>| -> Answering {
            let length: usize = request.uri().query().and_then(|n| n.parse().ok()).unwrap_or_default();
            Box::pin(async move { Response::new(Body::from(vec![7; length])) })
        };
        let bound = serve(SocketAddr::from(([127, 0, 0, 1], 0)), server, echo).unwrap();
        let mut endpoint = Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let crypto = Arc::new(QuicClientConfig::try_from(client).unwrap());
        endpoint.set_default_client_config(quinn::ClientConfig::new(crypto));
        let connection = endpoint.connect(bound, "localhost").unwrap().await.unwrap();
        let (mut driver, mut sender) = h3::client::new(h3_quinn::Connection::new(connection)).await.unwrap();
        let driving = tokio::spawn(async move { std::future::poll_fn(|cx| driver.poll_close(cx)).await });
        for length in [0, 1, 3 * SEND_WINDOW as usize + 1] {
            let request = Request::get(format!("https://localhost/?{length}")).body(()).unwrap();
            let mut stream = sender.send_request(request).await.unwrap();
            stream.finish().await.unwrap();
            assert_eq!(stream.recv_response().await.unwrap().status(), 200);
            let mut got = 0;
            while let Some(data) = stream.recv_data().await.unwrap() {
                got += data.remaining();
            }
            assert_eq!(got, length);
        }
        drop(sender);
        driving.await.unwrap();
    }
}
