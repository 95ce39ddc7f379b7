//! Live streams through hyper: TLS connections, and connections that carried other requests before.

use crate::format::{Container, Framing};
use crate::listen::{HttpLive, Live};
use crate::live::{Granted, LiveRequest, Output, Refused, UNBUFFERED, common_fields};
use crate::websocket::{Listener, Said, accept_key};
use axum::body::Body;
use bytes::Bytes;
use headwater_hub::ByteReader;
use http::{Request, Response, StatusCode, header};
use http_body::Frame;
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

/// Answers a live request with an endless body, or by switching to WebSocket.
pub(crate) async fn respond(
    server: &Arc<HttpLive>,
    live: Live,
    request: Request<Body>,
    wanted: LiveRequest,
) -> Response<Body> {
    let granted = match wanted.ask(server, live.id, live.peer.ip()).await {
        Ok(granted) => granted,
        Err(refused) => return refusal(&refused),
    };
    tracing::info!(cid = %live.id, peer = %live.peer, stream = %granted.session.info().name, "http live play");
    match &wanted.head.websocket_key {
        Some(key) => switch(request, key, granted),
        None => {
            let output = tokio::select! {
                output = granted.output(Framing::Plain) => output,
                () = std::future::poll_fn(|cx| granted.session.poll_kicked(cx)) => {
                    let reason = "ended through the API".to_owned();
                    return refusal(&Refused { status: StatusCode::FORBIDDEN, reason });
                }
            };
            live_body(granted, output)
        }
    }
}

/// A plain-text answer instead of media.
pub(crate) fn refusal(refused: &Refused) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{}\n", refused.reason)));
    *response.status_mut() = refused.status;
    response.headers_mut().extend(common_fields(false));
    response
}

fn live_body(granted: Granted, output: Output) -> Response<Body> {
    let reader = granted.attached.stream().bytes(&output.format);
    let container = granted.container;
    let body = LiveBody { first: Some(output.file_header), reader, granted };
    live_response(container, Body::new(body))
}

/// A live answer; with an empty body, what HEAD gets.
pub(crate) fn live_response(container: Container, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(container.content_type()));
    fields.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    fields.insert(UNBUFFERED.0, header::HeaderValue::from_static(UNBUFFERED.1));
    response
}

/// The bytes of a stream as a response body; ends when the publisher leaves, the player goes or is kicked.
struct LiveBody {
    first: Option<Bytes>,
    reader: ByteReader,
    granted: Granted,
}

impl LiveBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.granted.session.poll_kicked(cx).is_ready() {
            return Poll::Ready(None);
        }
        let next = match self.first.take().filter(|first| !first.is_empty()) {
            Some(first) => Poll::Ready(Some(first)),
            None => self.reader.poll_next(cx),
        };
        if let Poll::Ready(Some(bytes)) = &next {
            self.granted.session.sent.add(bytes.len() as u64);
            self.granted.attached.stream().count_sent(bytes.len() as u64);
        }
        next
    }
}

impl http_body::Body for LiveBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.poll_next(cx).map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
    }
}

fn switch(request: Request<Body>, key: &str, granted: Granted) -> Response<Body> {
    tokio::task::spawn_local(async move {
        let Ok(io) = hyper::upgrade::on(request).await else { return };
        Talk::new(TokioIo::new(io)).run(granted).await.ok(); // either side may go at any time
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let fields = response.headers_mut();
    fields.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    fields.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = accept_key(key).parse() {
        fields.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// A WebSocket connection on which a stream goes out.
struct Talk<S> {
    from: ReadHalf<S>,
    to: WriteHalf<S>,
    listener: Listener,
    scratch: [u8; 512],
}

impl<S: AsyncRead + AsyncWrite> Talk<S> {
    fn new(io: S) -> Talk<S> {
        let (from, to) = tokio::io::split(io);
        Talk { from, to, listener: Listener::default(), scratch: [0; 512] }
    }

    /// Waits for the stream and sends it until either side ends it.
    async fn run(&mut self, granted: Granted) -> io::Result<()> {
        if let Some(output) = self.wait(&granted).await? {
            let reader = granted.attached.stream().bytes(&output.format);
            self.play(LiveBody { first: Some(output.file_header), reader, granted }).await?;
        }
        self.to.shutdown().await
    }

    /// The stream's format, once it is known; `None` when the player went or was kicked before.
    async fn wait(&mut self, granted: &Granted) -> io::Result<Option<Output>> {
        let mut output = std::pin::pin!(granted.output(Framing::WebSocket));
        loop {
            tokio::select! {
                output = &mut output => return Ok(Some(output)),
                () = std::future::poll_fn(|cx| granted.session.poll_kicked(cx)) => return Ok(None),
                n = self.from.read(&mut self.scratch) => if !self.answer(n?).await? {
                    return Ok(None);
                },
            }
        }
    }

    async fn play(&mut self, mut body: LiveBody) -> io::Result<()> {
        loop {
            tokio::select! {
                next = std::future::poll_fn(|cx| body.poll_next(cx)) => match next {
                    Some(bytes) => self.to.write_all(&bytes).await?,
                    None => return Ok(()),
                },
                n = self.from.read(&mut self.scratch) => if !self.answer(n?).await? {
                    return Ok(());
                },
            }
        }
    }

    /// Answers what the `n` bytes just read say; false when the player wants to end.
    async fn answer(&mut self, n: usize) -> io::Result<bool> {
        let mut goes_on = n > 0;
        let mut pongs: Vec<Bytes> = Vec::new(); // at most one for 6 of the bytes read
        self.listener.read(self.scratch.get(..n).unwrap_or_default(), |said| match said {
            Said::Close => goes_on = false,
            Said::Ping(pong) => pongs.push(pong),
        });
        for pong in pongs {
            self.to.write_all(&pong).await?;
        }
        Ok(goes_on)
    }
}
