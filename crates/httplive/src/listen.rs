use crate::head::{HEAD_MAX, Head, HeadError, LiveTarget, Mount};
use crate::live::{LiveRequest, Refused, common_fields, refusal_head};
use crate::{body, egress, splice};
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::{Bytes, BytesMut};
use headwater_conf::Conf;
use headwater_hub::{Admission, Connection, Hub, SessionId, StreamName};
use headwater_web::{Answering, HEAD_TIMEOUT, Protocol};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// A TLS handshake must be complete within this time.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// The HTTP server of the streams port.
#[derive(Debug)]
pub struct HttpLive {
    pub(crate) hub: Arc<Hub>,
    pub(crate) admission: Arc<dyn Admission>,
    conf: Arc<Conf>,
    /// Whatever is no live stream: playlists, the API when it shares the port, then static files.
    rest: axum::Router,
    pub(crate) crossdomain: bool,
    /// What secure answers say of HTTP/3 (RFC 7838), if it is served.
    alt_svc: Option<HeaderValue>,
}

/// A connection, without its socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live {
    pub(crate) id: SessionId,
    pub(crate) peer: SocketAddr,
    secure: bool,
}

impl HttpLive {
    /// Serves live streams of `hub`; every other request goes to `rest`, with the peer as its `ConnectInfo`. Answers
    /// over TLS tell the port on which HTTP/3 is served too.
    pub fn new(
        hub: Arc<Hub>,
        admission: Arc<dyn Admission>,
        conf: Arc<Conf>,
        rest: axum::Router,
        http3_port: Option<u16>,
    ) -> Arc<HttpLive> {
        let crossdomain = conf.http_server.crossdomain;
        let alt_svc = http3_port.map(|port| format!("h3=\":{port}\"; ma=86400"));
        let alt_svc = alt_svc.and_then(|alternative| alternative.parse().ok());
        Arc::new(HttpLive { hub, admission, conf, rest, crossdomain, alt_svc })
    }

    /// Serves one plain connection.
    pub async fn serve(self: Arc<Self>, connection: Connection) {
        let Connection { mut io, peer, id, permit, .. } = connection;
        let live = Live { id, peer, secure: false };
        match tokio::time::timeout(HEAD_TIMEOUT, Box::pin(read_head(&mut io))).await {
            // Boxed here and below: a player that stays must not hold the memory of the ways it did not go.
            Ok(Ok(Some((head, bytes)))) => Box::pin(self.dispatch(live, io, head, bytes)).await,
            Ok(Ok(None)) => {} // closed before a request: a health check
            Ok(Err(error)) => refuse_head(live, &mut io, &error).await,
            Err(_) => {
                tracing::info!(cid = %id, %peer, "closed: no complete request head within {HEAD_TIMEOUT:?}")
            }
        }
        drop(permit);
    }

    /// Serves one TLS connection.
    pub async fn serve_tls(self: Arc<Self>, connection: Connection, tls: TlsAcceptor) {
        let Connection { io, peer, id, permit, .. } = connection;
        match tokio::time::timeout(TLS_TIMEOUT, Box::pin(tls.accept(io))).await {
            Ok(Ok(io)) => {
                let protocol = Protocol::negotiated(io.get_ref().1.alpn_protocol());
                Box::pin(self.hyper(Live { id, peer, secure: true }, io, protocol)).await;
            }
            Ok(Err(error)) => tracing::info!(cid = %id, %peer, %error, "TLS handshake failed"),
            Err(_) => tracing::info!(cid = %id, %peer, "closed: no TLS handshake within {TLS_TIMEOUT:?}"),
        }
        drop(permit);
    }

    /// The answer to one request of an HTTP/3 connection.
    pub async fn answer_http3(self: Arc<Self>, peer: SocketAddr, request: Request<Body>) -> Response<Body> {
        self.answer(Live { id: SessionId::random(), peer, secure: true }, request).await
    }

    async fn dispatch(self: Arc<Self>, live: Live, io: TcpStream, head: Head, bytes: BytesMut) {
        if head.method != Method::GET {
            return Box::pin(self.hyper(live, Rewound::new(bytes, io), Protocol::Http1)).await;
        }
        match Box::pin(self.live_request(live, head)).await {
            Some(request) => {
                drop(bytes);
                Box::pin(egress::serve(&self, live, io, request)).await;
            }
            None => Box::pin(self.hyper(live, Rewound::new(bytes, io), Protocol::Http1)).await,
        }
    }

    /// The live stream that a head asks for, if it does.
    ///
    /// The extension of the vhost's mount always asks for one, and waits for the publisher. HLS segments and files may
    /// bear the other extensions: those ask for a stream only while it is being published, and only where `rest` has
    /// nothing under that path.
    async fn live_request(&self, live: Live, head: Head) -> Option<LiveRequest> {
        let vhost = self.conf.vhost(head.vhost()).filter(|v| v.http_remux.enabled)?;
        let mount = Mount::new(&vhost.http_remux.mount, &vhost.name)?;
        let target = mount.find(&head.path)?;
        let sure = mount.container() == Some(target.container);
        if !sure && (!self.is_live(&vhost.name, &target) || self.rest_has(live, &head).await) {
            return None;
        }
        Some(LiveRequest { head, target, vhost: vhost.clone() })
    }

    fn is_live(&self, vhost: &str, target: &LiveTarget) -> bool {
        let name = StreamName::new(vhost, &target.app, &target.stream).ok();
        name.and_then(|name| self.hub.find(&name)).is_some_and(|stream| stream.is_live())
    }

    /// Whether `rest` would answer this path.
    async fn rest_has(&self, live: Live, head: &Head) -> bool {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::HEAD;
        *request.uri_mut() = head.target.clone();
        if let Ok(host) = head.host.parse() {
            request.headers_mut().insert(header::HOST, host);
        }
        request.extensions_mut().insert(ConnectInfo(live.peer));
        let Ok(response) = self.rest.clone().oneshot(request).await;
        response.status().is_success()
    }

    async fn hyper(
        self: Arc<Self>,
        live: Live,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        protocol: Protocol,
    ) {
        let answer = move |request: Request<Incoming>| -> Answering {
            // Requests of one HTTP/2 connection are under way together: each plays for itself.
            let id = if protocol == Protocol::Http2 { SessionId::random() } else { live.id };
            Box::pin(self.clone().answer(Live { id, ..live }, request.map(Body::new)))
        };
        if let Err(error) = headwater_web::serve(io, protocol, answer).await {
            tracing::debug!(cid = %live.id, peer = %live.peer, %error, "http connection ended");
        }
    }

    async fn answer(self: Arc<Self>, live: Live, mut request: Request<Body>) -> Response<Body> {
        let has_origin = request.headers().contains_key(header::ORIGIN);
        let mut response = match Head::from_request(&request) {
            Err(error) => {
                body::refusal(&Refused { status: StatusCode::BAD_REQUEST, reason: error.to_string() })
            }
            Ok(_) if request.method() == Method::OPTIONS => self.options(request).await,
            Ok(head) => match self.live_request(live, head).await {
                Some(wanted) if request.method() == Method::GET => {
                    body::respond(&self, live, request, wanted).await
                }
                Some(wanted) if request.method() == Method::HEAD => {
                    body::live_response(wanted.target.container, Body::empty())
                }
                _ => {
                    request.extensions_mut().insert(ConnectInfo(live.peer));
                    let Ok(response) = self.rest.clone().oneshot(request).await;
                    response
                }
            },
        };
        let alt_svc = self.alt_svc.iter().filter(|_| live.secure);
        response.headers_mut().extend(alt_svc.map(|value| (header::ALT_SVC, value.clone())));
        // An answer that caches keep goes to pages of any origin, whoever asked first. Others depend on the asker.
        let kept = is_kept(&response);
        response.headers_mut().extend(common_fields(self.crossdomain && (has_origin || kept)));
        if self.crossdomain && !kept {
            response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
        }
        response
    }

    /// What `rest` says of its methods (RFC 9110 9.3.7), else SRS's answer: 200 and nothing, or 405 when cross-origin
    /// use is off.
    async fn options(&self, request: Request<Body>) -> Response<Body> {
        let Ok(told) = self.rest.clone().oneshot(request).await;
        let mut response = Response::new(Body::empty());
        if told.status().is_success() && told.headers().contains_key(header::ALLOW) {
            response = told;
        } else if !self.crossdomain {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        }
        response
    }
}

/// Whether the answer tells caches to keep it.
fn is_kept(response: &Response<Body>) -> bool {
    let caching = response.headers().get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    caching.is_some_and(|caching| caching.starts_with("max-age="))
}

/// Reads until the head is complete; `None` when the peer closed before its first byte.
async fn read_head(io: &mut TcpStream) -> Result<Option<(Head, BytesMut)>, HeadError> {
    let mut bytes = BytesMut::with_capacity(1024);
    loop {
        match io.read_buf(&mut bytes).await {
            Ok(0) | Err(_) if bytes.is_empty() => return Ok(None),
            Ok(0) | Err(_) => {
                return Err(HeadError::Malformed("the connection closed in the middle of the head"));
            }
            Ok(_) => {}
        }
        if let Some((head, _)) = Head::parse(&bytes)? {
            return Ok(Some((head, bytes)));
        }
        if bytes.len() >= HEAD_MAX {
            return Err(HeadError::TooLarge);
        }
    }
}

async fn refuse_head(live: Live, io: &mut TcpStream, error: &HeadError) {
    tracing::info!(cid = %live.id, peer = %live.peer, %error, "bad request");
    let status = match error {
        HeadError::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        HeadError::Malformed(_) => StatusCode::BAD_REQUEST,
    };
    let refused = Refused { status, reason: error.to_string() };
    io.write_all(&refusal_head(&refused, false)).await.ok(); // the peer may be gone already
}

/// A socket whose first bytes were read already.
struct Rewound {
    first: Bytes,
    io: TcpStream,
}

impl Rewound {
    fn new(first: BytesMut, io: TcpStream) -> Rewound {
        Rewound { first: first.freeze(), io }
    }
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let n = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first.split_to(n));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        splice::poll_write(&mut self.io, cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        true
    }
}
