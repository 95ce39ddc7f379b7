use crate::format::Framing;
use crate::listen::{HttpLive, Live};
use crate::live::{Granted, LiveRequest, framing, refusal_head, response_head};
use crate::websocket::{Listener, Said};
use bytes::{Bytes, BytesMut};
use headwater_hub::{End, Player, Session};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Why a live connection ended; for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Player(End),
    ClosedByPeer,
    Kicked,
}

/// Serves a live stream on a raw socket until either side ends it.
pub(crate) async fn serve(server: &HttpLive, live: Live, mut io: TcpStream, request: LiveRequest) {
    let cors = server.crossdomain && request.head.has_origin;
    let granted = match Box::pin(request.ask(server, live.id, live.peer.ip())).await {
        Ok(granted) => granted,
        Err(refused) => {
            tracing::info!(cid = %live.id, peer = %live.peer, path = request.head.path, reason = refused.reason, "live play refused");
            io.write_all(&refusal_head(&refused, cors)).await.ok(); // the peer may be gone already
            return;
        }
    };
    let name = granted.session.info().name.clone();
    tracing::info!(cid = %live.id, peer = %live.peer, stream = %name, "http live play");
    let ended = play(server, io, request, &granted).await;
    if ended == Ended::Player(End::Stalled) {
        granted.session.fail();
    }
    let sent = granted.session.sent.total();
    tracing::info!(cid = %live.id, stream = %name, ?ended, sent, "http live play ended");
}

async fn play(server: &HttpLive, mut io: TcpStream, request: LiveRequest, granted: &Granted) -> Ended {
    let framing = framing(&request.head);
    let session = granted.session.clone();
    let mut peer = Peer { listener: (framing == Framing::WebSocket).then(Listener::default), session };
    let head = response_head(&request.head, granted.container, server.crossdomain);
    let mut hello = BytesMut::new();
    match framing {
        // Its handshake is answered at once: whoever opens it may ping, and give up on a silent server.
        Framing::WebSocket if io.write_all(&head).await.is_err() => return Ended::ClosedByPeer,
        Framing::WebSocket => {}
        Framing::Chunked | Framing::Plain => hello.extend_from_slice(&head),
    }
    let output = tokio::select! {
        output = Box::pin(granted.output(framing)) => output,
        ended = std::future::poll_fn(|cx| peer.poll(cx, &io, &mut |pong| send_all(&io, &pong))) => return ended,
    };
    hello.extend_from_slice(&output.file_header);
    drop(request);
    let io = Rc::new(io);
    let stream = granted.attached.stream();
    let player = Player::start(stream, &output.format, io.clone(), peer.session.clone(), hello.freeze());
    drop(output);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(end) = player.poll_ended(cx) {
            return Poll::Ready(Ended::Player(end));
        }
        peer.poll(cx, &io, &mut |pong| player.inject(pong).map_err(|_| ()))
    })
    .await
}

/// Sends the few bytes of a control frame on a socket that nothing else was sent on lately: they fit or the peer is gone.
fn send_all(io: &TcpStream, bytes: &[u8]) -> Result<(), ()> {
    let sent = io.try_write(bytes).is_ok_and(|n| n == bytes.len());
    if sent { Ok(()) } else { Err(()) }
}

/// What comes from the player's side: its few words, its leaving, and the API's kick.
struct Peer {
    listener: Option<Listener>,
    session: std::sync::Arc<Session>,
}

impl Peer {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        io: &TcpStream,
        reply: &mut dyn FnMut(Bytes) -> Result<(), ()>,
    ) -> Poll<Ended> {
        if self.session.poll_kicked(cx).is_ready() {
            return Poll::Ready(Ended::Kicked);
        }
        let mut scratch = [0; 1024];
        loop {
            let Poll::Ready(ready) = io.poll_read_ready(cx) else { return Poll::Pending };
            match ready.and_then(|()| io.try_read(&mut scratch)) {
                Ok(0) => return Poll::Ready(Ended::ClosedByPeer),
                Ok(n) if !self.take(scratch.get(..n).unwrap_or_default(), reply) => {
                    return Poll::Ready(Ended::ClosedByPeer);
                }
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(Ended::ClosedByPeer),
            }
        }
    }

    /// Takes bytes in; false when the peer wants to end. Plain HTTP players have nothing to say: it is ignored.
    fn take(&mut self, bytes: &[u8], reply: &mut dyn FnMut(Bytes) -> Result<(), ()>) -> bool {
        self.session.received.add(bytes.len() as u64);
        let mut goes_on = true;
        if let Some(listener) = &mut self.listener {
            listener.read(bytes, |said| match said {
                Said::Close => goes_on = false,
                Said::Ping(pong) => goes_on &= reply(pong).is_ok(),
            });
        }
        goes_on
    }
}
