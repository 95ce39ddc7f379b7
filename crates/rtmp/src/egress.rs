use crate::client::{Client, session};
use crate::format::rtmp;
use crate::io::{poll_receive, poll_receive_shared};
use crate::listen::{Fault, Next, Rtmp, question};
use bytes::Bytes;
use headwater_hub::{Action, Attached, ByteReader, End, Player, Session};
use headwater_rtmp_proto::{Event, Output, PlayRequest, ServerSession, SessionError};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;

/// Serves a player until either side ends it.
pub(crate) async fn serve<S: Socket>(
    server: &Rtmp,
    mut client: Client<S>,
    request: Box<PlayRequest>,
) -> Result<Next<S>, Fault> {
    let asked = question(&client, Action::Play, "rtmp-play", &request.url, &request.connect);
    let timer = request.duration.map(|ms| Box::pin(sleep(Duration::from_millis(ms as u64))));
    drop(request);
    let grant = match server.admission.ask(&asked).await {
        Ok(grant) => grant,
        Err(refusal) => return Err(client.refuse(&refusal.reason).await),
    };
    let stream = server.hub.stream(&grant.name);
    let session = session(asked, grant, false);
    let attached = stream.attach(&session);
    let vhost = server.conf.vhost(stream.name().vhost());
    client.proto.set_chunk_size(vhost.and_then(|v| v.chunk_size).unwrap_or(server.conf.chunk_size));
    client.proto.accept_play()?;
    client.flush().await?;
    tracing::info!(cid = %client.id, peer = %client.peer, stream = %stream.name(), "play");
    let Client { io, proto, id, peer, opened, permit } = client;
    let mut viewer = Viewer { proto, session, opened, timer };
    let ended = io.play(&attached, &mut viewer).await;
    if ended.as_ref().is_err_and(|fault| !matches!(fault, Fault::Kicked | Fault::Duration)) {
        viewer.session.fail();
    }
    tracing::info!(cid = %id, stream = %stream.name(), sent = viewer.session.sent.total(), "stop");
    Ok(match ended? {
        Some(io) => Next::Identify(Client { io, proto: viewer.proto, id, peer, opened, permit }),
        None => Next::Close,
    })
}

/// A connection's socket: plain TCP, or TLS over it.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Plays until either side ends it; returns the socket when the player stopped and may want something else.
    fn play(
        self,
        attached: &Attached,
        viewer: &mut Viewer,
    ) -> impl Future<Output = Result<Option<Self>, Fault>>
    where
        Self: Sized;
}

impl Socket for TcpStream {
    fn play(
        self,
        attached: &Attached,
        viewer: &mut Viewer,
    ) -> impl Future<Output = Result<Option<Self>, Fault>> {
        on_worker(self, attached, viewer)
    }
}

impl Socket for TlsStream<TcpStream> {
    fn play(
        self,
        attached: &Attached,
        viewer: &mut Viewer,
    ) -> impl Future<Output = Result<Option<Self>, Fault>> {
        in_task(self, attached, viewer)
    }
}

/// A player's side of the connection: what it says, and who it is.
pub(crate) struct Viewer {
    proto: Box<ServerSession>,
    session: Arc<Session>,
    opened: Instant,
    /// The end of the duration the player asked for; most ask for none.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What a player's words come to.
enum Step {
    Reply(Bytes),
    Pause(bool),
    /// It stopped, and may want something else.
    Stopped,
}

impl Viewer {
    fn take(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.session.received.add(bytes.len() as u64);
        self.proto.handle(bytes, self.opened.elapsed())
    }

    fn next(&mut self) -> Option<Step> {
        loop {
            match self.proto.poll()? {
                Output::Send(bytes) => return Some(Step::Reply(bytes)),
                Output::Event(Event::Pause(paused)) => return Some(Step::Pause(paused)),
                Output::Event(Event::CloseStream) => return Some(Step::Stopped),
                Output::Event(_) => {}
            }
        }
    }

    /// Ready when the player must end, whatever it says.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        if self.session.poll_kicked(cx).is_ready() {
            return Poll::Ready(Fault::Kicked);
        }
        match self.timer.as_mut().map(|timer| timer.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Fault::Duration),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }
}

/// Plays on a plain socket: the worker writes, this task only listens. Returns the socket when the player stopped.
async fn on_worker(
    io: TcpStream,
    attached: &Attached,
    viewer: &mut Viewer,
) -> Result<Option<TcpStream>, Fault> {
    let format = rtmp(viewer.proto.chunk_size());
    let io = Rc::new(io);
    let player = Player::start(attached.stream(), &format, io.clone(), viewer.session.clone(), Bytes::new());
    drop(format);
    let ended = std::future::poll_fn(|cx| poll_on_worker(&io, &player, viewer, cx)).await;
    drop(player);
    match ended? {
        true => Ok(Rc::into_inner(io)),
        false => Ok(None),
    }
}

/// Ready with true when the player stopped, with false when it is gone.
fn poll_on_worker(
    io: &TcpStream,
    player: &Player,
    viewer: &mut Viewer,
    cx: &mut Context<'_>,
) -> Poll<Result<bool, Fault>> {
    if let Poll::Ready(fault) = viewer.poll_end(cx) {
        return Poll::Ready(Err(fault));
    }
    if let Poll::Ready(end) = player.poll_ended(cx) {
        return Poll::Ready(match end {
            End::Stalled => Err(Fault::Stalled),
            End::Finished | End::Closed(_) => Ok(false),
        });
    }
    loop {
        while let Some(step) = viewer.next() {
            match step {
                Step::Reply(bytes) => player.inject(bytes).map_err(|_| Fault::Stalled)?,
                Step::Pause(paused) => player.pause(paused),
                Step::Stopped => return Poll::Ready(Ok(true)),
            }
        }
        let mut handled = Ok(());
        let n = ready!(poll_receive_shared(io, cx, |bytes| handled = viewer.take(bytes)));
        handled?;
        if !matches!(n, Ok(1..)) {
            return Poll::Ready(Ok(false));
        }
    }
}

/// What a TLS player's task does next.
enum Turn {
    Send(Bytes),
    Step(Step),
    Gone,
}

/// Plays on a TLS socket, which only its own task can write. Returns the socket when the player stopped.
async fn in_task<S: Socket>(mut io: S, attached: &Attached, viewer: &mut Viewer) -> Result<Option<S>, Fault> {
    let format = rtmp(viewer.proto.chunk_size());
    let mut reader = Some(attached.stream().bytes(&format));
    loop {
        let turn = std::future::poll_fn(|cx| poll_turn(&mut io, reader.as_mut(), viewer, cx)).await?;
        match turn {
            Turn::Send(bytes) => {
                send(&mut io, &bytes, viewer, attached).await?;
            }
            Turn::Step(Step::Reply(bytes)) => send(&mut io, &bytes, viewer, attached).await?,
            Turn::Step(Step::Pause(true)) => reader = None,
            Turn::Step(Step::Pause(false)) => reader = Some(attached.stream().bytes(&format)),
            Turn::Step(Step::Stopped) => return Ok(Some(io)),
            Turn::Gone => return Ok(None),
        }
    }
}

fn poll_turn<S: Socket>(
    io: &mut S,
    reader: Option<&mut ByteReader>,
    viewer: &mut Viewer,
    cx: &mut Context<'_>,
) -> Poll<Result<Turn, Fault>> {
    if let Poll::Ready(fault) = viewer.poll_end(cx) {
        return Poll::Ready(Err(fault));
    }
    loop {
        if let Some(step) = viewer.next() {
            return Poll::Ready(Ok(Turn::Step(step)));
        }
        let mut handled = Ok(());
        let received = poll_receive(io, cx, |bytes| handled = viewer.take(bytes));
        handled?;
        match received {
            Poll::Ready(Ok(1..)) => {}
            Poll::Ready(_) => return Poll::Ready(Ok(Turn::Gone)),
            Poll::Pending => break,
        }
    }
    match reader.map(|r| r.poll_next(cx)) {
        Some(Poll::Ready(Some(bytes))) => Poll::Ready(Ok(Turn::Send(bytes))),
        Some(Poll::Ready(None)) => Poll::Ready(Ok(Turn::Gone)),
        Some(Poll::Pending) | None => Poll::Pending,
    }
}

async fn send<S: Socket>(
    io: &mut S,
    bytes: &[u8],
    viewer: &Viewer,
    attached: &Attached,
) -> Result<(), Fault> {
    let written =
        tokio::time::timeout(crate::client::SEND_TIMEOUT, tokio::io::AsyncWriteExt::write_all(io, bytes));
    written.await.map_err(|_| Fault::Stalled)??;
    viewer.session.sent.add(bytes.len() as u64);
    attached.stream().count_sent(bytes.len() as u64);
    Ok(())
}
