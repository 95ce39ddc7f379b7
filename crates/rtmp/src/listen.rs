use crate::client::{Client, Wish};
use crate::egress::Socket;
use crate::{egress, ingest};
use headwater_conf::Conf;
use headwater_hub::{Action, Admission, Connection, Hub, Permit, Request, SessionId};
use headwater_rtmp_proto::{ServerOptions, ServerSession, SessionError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

/// From the first byte to publish or play (SRS: 30 s a step; here for all of them together).
const IDENTIFY_TIMEOUT: Duration = Duration::from_secs(30);

/// From the end of a publish or play to the next one on the same connection (SRS: 3 min).
const REPUBLISH_TIMEOUT: Duration = Duration::from_secs(180);

/// RTMP for one hub.
#[derive(Debug)]
pub struct Rtmp {
    pub(crate) hub: Arc<Hub>,
    pub(crate) admission: Arc<dyn Admission>,
    pub(crate) conf: Arc<Conf>,
}

/// Why a connection ended, other than by its peer's wish.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Session(#[from] SessionError),
    #[error("nothing to publish or play within {0:?}")]
    Identify(Duration),
    #[error("the peer did not take a reply within {0:?}")]
    Send(Duration),
    #[error("refused: {0}")]
    Refused(String),
    #[error("no media for {0:?}; see publish.firstpkt_timeout and publish.normal_timeout")]
    Silent(Duration),
    #[error("nobody watched for {0:?}; see publish.kickoff_for_idle")]
    Unwatched(Duration),
    #[error("the peer reads too slowly or not at all")]
    Stalled,
    #[error("the duration the player asked for has passed")]
    Duration,
    #[error("ended through the API")]
    Kicked,
}

/// What happens after a phase.
pub(crate) enum Next<S> {
    /// The client may publish or play again on the same connection.
    Identify(Client<S>),
    /// The peer is gone.
    Close,
}

impl Rtmp {
    /// Serves RTMP for `hub` by `conf`.
    pub fn new(hub: Arc<Hub>, admission: Arc<dyn Admission>, conf: Arc<Conf>) -> Arc<Rtmp> {
        Arc::new(Rtmp { hub, admission, conf })
    }

    /// Serves one plain connection.
    pub async fn serve(self: Arc<Self>, connection: Connection) {
        let Connection { io, peer, local, id, permit } = connection;
        self.connection(io, peer, local, id, permit).await;
    }

    /// Serves one TLS connection.
    pub async fn serve_tls(self: Arc<Self>, connection: Connection, tls: TlsAcceptor) {
        let Connection { io, peer, local, id, permit } = connection;
        match tokio::time::timeout(IDENTIFY_TIMEOUT, Box::pin(tls.accept(io))).await {
            Ok(Ok(io)) => self.connection(io, peer, local, id, permit).await,
            Ok(Err(error)) => tracing::info!(cid = %id, %peer, %error, "TLS handshake failed"),
            Err(_) => {
                tracing::info!(cid = %id, %peer, "closed: no TLS handshake within {IDENTIFY_TIMEOUT:?}")
            }
        }
    }

    async fn connection<S: Socket>(
        &self,
        io: S,
        peer: SocketAddr,
        local: SocketAddr,
        id: SessionId,
        permit: Permit,
    ) {
        let options = ServerOptions {
            chunk_size: self.conf.chunk_size,
            id: id.to_string(),
            server_ip: local.ip().to_string(),
            pid: std::process::id(),
            ..self.ack_sizes()
        };
        let proto = Box::new(ServerSession::new(options, rand::random()));
        let client = Client { io, proto, id, peer, opened: Instant::now(), permit };
        match self.phases(client).await {
            Ok(()) => tracing::info!(cid = %id, %peer, "rtmp connection closed"),
            Err(Fault::Session(error)) => tracing::warn!(cid = %id, %peer, %error, "rtmp connection ended"),
            Err(fault) => tracing::info!(cid = %id, %peer, reason = %fault, "rtmp connection ended"),
        }
    }

    /// Acknowledgement windows are agreed before the client names its vhost: the default vhost's count.
    fn ack_sizes(&self) -> ServerOptions {
        let Some(vhost) = self.conf.vhost(headwater_conf::DEFAULT_VHOST) else {
            return ServerOptions::default();
        };
        ServerOptions {
            in_ack_size: vhost.in_ack_size,
            out_ack_size: vhost.out_ack_size,
            ..ServerOptions::default()
        }
    }

    /// Identify, then publish or play, then perhaps again. Each phase is boxed, so that a connection holds the memory
    /// of its own phase only.
    async fn phases<S: Socket>(&self, mut client: Client<S>) -> Result<(), Fault> {
        let mut patience = IDENTIFY_TIMEOUT;
        loop {
            let identified = tokio::time::timeout(patience, Box::pin(client.identify())).await;
            let next = match identified.map_err(|_| Fault::Identify(patience))?? {
                None => return Ok(()),
                Some(Wish::Publish(request)) => Box::pin(ingest::serve(self, client, request)).await?,
                Some(Wish::Play(request)) => Box::pin(egress::serve(self, client, request)).await?,
            };
            match next {
                Next::Identify(again) => client = again,
                Next::Close => return Ok(()),
            }
            patience = REPUBLISH_TIMEOUT;
        }
    }
}

/// The question for admission that an RTMP request amounts to.
pub(crate) fn question<S>(
    client: &Client<S>,
    action: Action,
    kind: &'static str,
    url: &headwater_rtmp_proto::RtmpUrl,
    connect: &headwater_rtmp_proto::ConnectInfo,
) -> Request {
    Request {
        action,
        kind,
        session: client.id,
        peer: client.peer.ip(),
        vhost: url.vhost.clone(),
        app: url.app.clone(),
        stream: url.stream.clone(),
        param: url.param.clone(),
        tc_url: connect.tc_url.clone(),
        page_url: connect.page_url.clone(),
        swf_url: connect.swf_url.clone(),
    }
}
