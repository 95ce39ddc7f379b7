use crate::client::{Client, session};
use crate::egress::Socket;
use crate::io::poll_receive;
use crate::listen::{Fault, Next, Rtmp, question};
use bytes::Bytes;
use headwater_conf::Publish;
use headwater_flv::metadata::Metadata;
use headwater_hub::{Action, Feed, Publisher, Tracks};
use headwater_media::{Frame, Kind};
use headwater_rtmp_proto::{Event, Flow, Output, PublishRequest, SessionError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Kinds of media that are not carried, told in the log before it falls silent about them.
const IGNORED_LOGGED: u64 = 3;

/// How often a publisher's silence and its audience are looked at.
const TICK: Duration = Duration::from_millis(500);

/// Serves a publisher until either side ends it.
pub(crate) async fn serve<S: Socket>(
    server: &Rtmp,
    mut client: Client<S>,
    request: Box<PublishRequest>,
) -> Result<Next<S>, Fault> {
    let kind = match request.flow {
        Flow::Fmle => "fmle-publish",
        Flow::Flash => "flash-publish",
        Flow::Haivision => "haivision-publish",
    };
    let asked = question(&client, Action::Publish, kind, &request.url, &request.connect);
    drop(request);
    let grant = match server.admission.ask(&asked).await {
        Ok(grant) => grant,
        Err(refusal) => return Err(client.refuse(&refusal.reason).await),
    };
    let Some(vhost) = server.conf.vhost(grant.name.vhost()) else {
        return Err(client.refuse("its vhost is gone").await);
    };
    let stream = server.hub.stream(&grant.name);
    let session = session(asked, grant, true);
    let publisher = match stream.publish(&session) {
        Ok(publisher) => publisher,
        Err(busy) => {
            let reason = format!("stream {} is {busy}", stream.name());
            return Err(client.refuse(&reason).await);
        }
    };
    client.proto.set_chunk_size(vhost.chunk_size.unwrap_or(server.conf.chunk_size));
    client.proto.accept_publish()?;
    tracing::info!(cid = %client.id, peer = %client.peer, stream = %stream.name(), kind, "publish");
    let ended = Ingest::new(publisher, &vhost.publish).run(&mut client).await;
    tracing::info!(cid = %client.id, stream = %stream.name(), received = session.received.total(), "unpublish");
    match ended? {
        Ended::Unpublished => Ok(Next::Identify(client)),
        Ended::Closed => Ok(Next::Close),
    }
}

enum Ended {
    Unpublished,
    Closed,
}

/// A publisher at work.
struct Ingest<'a> {
    publisher: Publisher,
    rules: &'a Publish,
    has_media: bool,
    /// When media last came.
    heard: Instant,
    /// When somebody last watched.
    watched: Instant,
    ignored: u64,
    _feed: Feed,
}

/// What a step of reading came to.
enum Step {
    /// Bytes for the peer; reading goes on after them.
    Send(Bytes),
    Ended(Ended),
}

impl<'a> Ingest<'a> {
    fn new(publisher: Publisher, rules: &'a Publish) -> Ingest<'a> {
        let now = Instant::now();
        Ingest {
            publisher,
            rules,
            has_media: false,
            heard: now,
            watched: now,
            ignored: 0,
            _feed: Feed::new(),
        }
    }

    async fn run<S: Socket>(mut self, client: &mut Client<S>) -> Result<Ended, Fault> {
        let mut tick = tokio::time::interval(TICK);
        loop {
            let step = std::future::poll_fn(|cx| {
                if self.publisher.session().poll_kicked(cx).is_ready() {
                    return Poll::Ready(Err(Fault::Kicked));
                }
                while tick.poll_tick(cx).is_ready() {
                    self.check()?;
                }
                self.poll_step(client, cx)
            })
            .await;
            match step {
                Ok(Step::Send(bytes)) => client.send(&bytes).await?,
                Ok(Step::Ended(ended)) => {
                    client.flush().await.ok(); // the peer may be gone already
                    return Ok(ended);
                }
                Err(fault) => {
                    if !matches!(fault, Fault::Kicked) {
                        self.publisher.session().fail();
                    }
                    client.flush().await.ok(); // the peer may be gone already
                    return Err(fault);
                }
            }
        }
    }

    /// Reads and appends until there is something to do besides.
    fn poll_step<S: Socket>(
        &mut self,
        client: &mut Client<S>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Step, Fault>> {
        loop {
            if let Some(step) = self.drain(client) {
                return Poll::Ready(Ok(step));
            }
            let Client { io, proto, opened, .. } = client;
            let mut handled: Result<(), SessionError> = Ok(());
            let n = ready!(poll_receive(io, cx, |bytes| handled = proto.handle(bytes, opened.elapsed())))?;
            if let Err(fault) = handled {
                self.drain(client); // frames that came before the fault still count
                return Poll::Ready(Err(fault.into()));
            }
            if n == 0 {
                return Poll::Ready(Ok(Step::Ended(Ended::Closed)));
            }
            self.publisher.session().received.add(n as u64);
        }
    }

    fn drain<S>(&mut self, client: &mut Client<S>) -> Option<Step> {
        while let Some(output) = client.proto.poll() {
            match output {
                Output::Send(bytes) => return Some(Step::Send(bytes)),
                Output::Event(Event::Frame(frame)) => self.append(frame),
                Output::Event(Event::Unpublish) => return Some(Step::Ended(Ended::Unpublished)),
                Output::Event(Event::Ignored(what)) => self.ignore(client, what),
                Output::Event(_) => {}
            }
        }
        None
    }

    fn append(&mut self, frame: Frame) {
        self.has_media = true;
        self.heard = Instant::now();
        if frame.kind == Kind::Script
            && let Ok(Some(metadata)) = Metadata::decode(&frame.payload)
        {
            self.publisher.announce(Tracks { audio: metadata.has_audio(), video: metadata.has_video() });
        }
        self.publisher.push(frame);
    }

    /// Tells once what of a publisher's media is not carried; it may be every packet.
    fn ignore<S>(&mut self, client: &Client<S>, what: &str) {
        self.ignored += 1;
        if self.ignored <= IGNORED_LOGGED {
            tracing::info!(cid = %client.id, what, "part of the publisher's media is not carried");
        }
    }

    /// Ends publishers that are silent, or unwatched where the vhost says so.
    fn check(&mut self) -> Result<(), Fault> {
        let patience = if self.has_media { self.rules.normal_timeout } else { self.rules.firstpkt_timeout };
        if self.heard.elapsed() > patience {
            return Err(Fault::Silent(patience));
        }
        let kickoff = self.rules.kickoff_for_idle;
        if self.publisher.stream().players() > 0 {
            self.watched = Instant::now();
        }
        if !kickoff.is_zero() && self.watched.elapsed() > kickoff {
            return Err(Fault::Unwatched(kickoff));
        }
        Ok(())
    }
}
