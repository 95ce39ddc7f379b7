use crate::egress::Socket;
use crate::io::poll_receive;
use crate::listen::Fault;
use headwater_hub::{Grant, Permit, Request, Session, SessionId, SessionInfo};
use headwater_rtmp_proto::{Event, Output, PlayRequest, PublishRequest, ServerSession};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

/// A reply must leave within this time.
pub(crate) const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection with its protocol session and its identity.
pub(crate) struct Client<S> {
    pub(crate) io: S,
    pub(crate) proto: Box<ServerSession>,
    pub(crate) id: SessionId,
    pub(crate) peer: SocketAddr,
    pub(crate) opened: Instant,
    pub(crate) permit: Permit,
}

/// What a client wants.
pub(crate) enum Wish {
    Publish(Box<PublishRequest>),
    Play(Box<PlayRequest>),
}

impl<S: Socket> Client<S> {
    /// Reads until the client says what it wants; `None` when it closed instead.
    pub(crate) async fn identify(&mut self) -> Result<Option<Wish>, Fault> {
        loop {
            while let Some(output) = self.proto.poll() {
                match output {
                    Output::Send(bytes) => self.send(&bytes).await?,
                    Output::Event(Event::Publish(request)) => return Ok(Some(Wish::Publish(request))),
                    Output::Event(Event::Play(request)) => return Ok(Some(Wish::Play(request))),
                    Output::Event(_) => {}
                }
            }
            let (n, handled) = self.receive().await?;
            if let Err(fault) = handled {
                self.flush().await.ok(); // what is left to send says why; the peer may be gone already
                return Err(fault.into());
            }
            if n == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads once; returns the bytes read (0 at the end) and what the session says to them.
    async fn receive(&mut self) -> Result<(usize, Result<(), headwater_rtmp_proto::SessionError>), Fault> {
        let Client { io, proto, opened, .. } = self;
        let mut handled = Ok(());
        let n = std::future::poll_fn(|cx| {
            poll_receive(io, cx, |bytes| handled = proto.handle(bytes, opened.elapsed()))
        })
        .await?;
        Ok((n, handled))
    }

    /// Sends what the session has to say; events on the way are dropped.
    pub(crate) async fn flush(&mut self) -> Result<(), Fault> {
        while let Some(output) = self.proto.poll() {
            if let Output::Send(bytes) = output {
                self.send(&bytes).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let sent = tokio::time::timeout(SEND_TIMEOUT, self.io.write_all(bytes)).await;
        Ok(sent.map_err(|_| Fault::Send(SEND_TIMEOUT))??)
    }

    /// Tells the client why it is refused and ends it.
    pub(crate) async fn refuse(&mut self, reason: &str) -> Fault {
        self.proto.refuse(reason);
        self.flush().await.ok(); // the peer may be gone already
        self.io.shutdown().await.ok();
        Fault::Refused(reason.to_owned())
    }
}

/// The hub's session for a granted request.
pub(crate) fn session(request: Request, grant: Grant, publish: bool) -> Arc<Session> {
    Arc::new(Session::new(SessionInfo {
        id: request.session,
        kind: request.kind,
        publish,
        name: grant.name,
        shown_name: request.stream.into(),
        ip: request.peer,
        tc_url: request.tc_url.into(),
        page_url: request.page_url.into(),
        swf_url: request.swf_url.into(),
        param: request.param.into(),
    }))
}
