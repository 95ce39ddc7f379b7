//! From an offer to a session that waits for its peer, and what may be done with the session later.

use crate::WebRtc;
use crate::agreement::{Agreement, Section, Terms, agree};
use crate::answer::{self, candidate_lines, dress};
use crate::candidates::{Asked, places};
use crate::dtls::Certificate;
use crate::egress::Egress;
use crate::ice::Credentials;
use crate::ingest::Ingest;
use crate::lane::{codec, name};
use crate::offer;
use crate::peer::{Birth, Peer, Role};
use crate::registry::{Missing, Unplaced};
use crate::signal::Query;
use crate::status::Status;
use crate::thinning;
use headwater_conf::VhostRtc;
use headwater_hub::{Action, Grant, Request, Session, SessionId, SessionInfo, Stream};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::oneshot;

/// SRS's numbers (srs-interfaces 3.12).
pub(crate) mod code {
    /// The offer cannot be read or has nothing in common with us.
    pub(crate) const OFFER: u32 = 5018;
    /// Somebody publishes the stream already.
    pub(crate) const BUSY: u32 = 1028;
    /// WebRTC is turned off.
    pub(crate) const DISABLED: u32 = 5021;
    /// Nobody serves this host.
    pub(crate) const NO_VHOST: u32 = 2014;
    /// The stream's name is no name.
    pub(crate) const BAD_NAME: u32 = 2051;
    /// The page is not allowed.
    pub(crate) const REFER: u32 = 2015;
    /// The address is denied.
    pub(crate) const BY_ADDRESS: u32 = 1053;
    /// The address is not among those allowed.
    pub(crate) const NOT_ALLOWED: u32 = 1054;
}

/// What a client wants, as signalling understood it.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) action: Action,
    pub(crate) peer: IpAddr,
    pub(crate) vhost: String,
    pub(crate) app: String,
    pub(crate) stream: String,
    /// `?k=v&…` or empty.
    pub(crate) param: String,
    pub(crate) tc_url: String,
    pub(crate) page_url: String,
    /// `eip` or `candidate` of the query.
    pub(crate) external: Option<String>,
    /// The host it was asked under, without port.
    pub(crate) host: String,
    /// `codec` of the query: `av1`, `hevc`, `h264`, `vp9` or `vp8`.
    pub(crate) codec: Option<String>,
    /// ICE credentials that the client chose for us (`ice-ufrag`, `ice-pwd`).
    pub(crate) credentials: Option<Credentials>,
    /// Whether it asks for media in the clear (`encrypt=false`), which it does not get.
    pub(crate) clear: bool,
    pub(crate) offer: String,
}

/// A session that waits for its peer.
#[derive(Clone, Debug)]
pub(crate) struct Agreed {
    pub(crate) answer: String,
    /// Our ICE user name and the client's, `local:remote`: how SRS names sessions.
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) app: String,
    pub(crate) stream: String,
}

/// Why there is no session.
#[derive(Clone, Debug, Error)]
pub(crate) enum Refused {
    /// The offer is broken or asks for what cannot be.
    #[error("the offer cannot be answered: {0}")]
    Offer(String),
    /// Not allowed.
    #[error("{reason}")]
    Denied { code: u32, reason: String },
    /// Somebody else publishes.
    #[error("{0}")]
    Busy(String),
    /// Too many at once.
    #[error("{0}")]
    Overload(&'static str),
}

impl Refused {
    /// SRS's number.
    pub(crate) fn code(&self) -> u32 {
        match self {
            Refused::Offer(_) => code::OFFER,
            Refused::Overload(_) => 400,
            Refused::Denied { code, .. } => *code,
            Refused::Busy(_) => code::BUSY,
        }
    }
}

impl WebRtc {
    /// Answers an offer. Admission is asked before anything of the session exists.
    pub(crate) async fn negotiate(&self, wish: Wish) -> Result<Agreed, Refused> {
        let settings = self.settings(&wish)?;
        if wish.clear {
            let reason =
                "media are always encrypted here (RFC 8827 6.5); take `encrypt=false` out of the address";
            return Err(Refused::Offer(reason.into()));
        }
        offer::check(&wish.offer, wish.action).map_err(Refused::Offer)?;
        if self.registry.count() >= self.conf.max_connections as usize {
            return Err(Refused::Overload("there are as many sessions as max_connections allows"));
        }
        if let Some(reason) = self.registry.full(wish.peer) {
            return Err(Refused::Overload(reason));
        }
        let request = request(&wish);
        let denied =
            |refusal: headwater_hub::Refusal| Refused::Denied { code: refusal.code, reason: refusal.reason };
        let grant = self.admission.ask(&request).await.map_err(denied)?;
        let stream = self.hub.stream(&grant.name);
        free(&wish, &settings, &stream)?;
        let asked = Asked { external: wish.external.as_deref(), host: &wish.host };
        let candidates = candidate_lines(&places(&self.conf.rtc_server, asked).await, self.ports());
        let now = Instant::now();
        let terms = Terms {
            action: wish.action,
            settings: &settings,
            codec: wish.codec.as_deref(),
            credentials: wish.credentials.clone().unwrap_or_else(Credentials::random),
            certificate: self.certificate()?,
        };
        // str0m asserts what offers should be; one that slips through the checks must not cost more.
        let agreed = catch_unwind(AssertUnwindSafe(|| agree(&wish.offer, &terms, now)));
        let Agreement { ice, dtls, sections, answer } = agreed.unwrap_or_else(|_| {
            tracing::error!(peer = %wish.peer, "an offer broke what reads offers and was refused");
            Err(Refused::Offer("it contradicts itself".into()))
        })?;
        if wish.action == Action::Play {
            takes_pictures(&stream, &sections)?;
        }
        let session = Arc::new(Session::new(session_info(&request, grant)));
        let name = session.info().name.clone();
        let path = format!("{}/{}", name.app(), name.stream());
        let role = match wish.action {
            Action::Publish => Role::Publish(Box::new(Ingest::new(stream, &settings))),
            Action::Play => Role::Play(Box::new(Egress::new(stream, session.clone(), layer(&wish)))),
        };
        let names = ice.names();
        let called = format!("{}:{}", names.local, names.remote);
        let shown = answer::shown(&candidates);
        let status = Arc::new(Status::new(request.session, request.kind, path, called.clone(), shown));
        let token = format!("{}{}{}", SessionId::random(), SessionId::random(), SessionId::random());
        let patience = settings.stun_timeout.max(Duration::from_secs(1));
        let token_kept = token.as_str().into();
        let birth = Birth { ice, dtls, session: session.clone(), status, role, token: token_kept, patience };
        let mut peer = Peer::new(birth, now);
        peer.media(sections)?;
        self.registry.wait(Box::new(peer), wish.peer, now).map_err(|unplaced| match unplaced {
            Unplaced::Full(reason) => Refused::Overload(reason),
            Unplaced::Taken => Refused::Busy("another session has this ice-ufrag; choose another".into()),
        })?;
        let title = if wish.action == Action::Publish { "s=SRSPublishSession" } else { "s=SRSPlaySession" };
        Ok(Agreed {
            answer: dress(&answer, title, &candidates),
            name: called,
            token,
            app: name.app().to_owned(),
            stream: name.stream().to_owned(),
        })
    }

    /// Ends the session that `ufrag` and `token` name.
    pub(crate) fn hang_up(&self, ufrag: &str, token: &str) -> Result<(), Missing> {
        if self.registry.forget_waiting(ufrag, token)? {
            return Ok(());
        }
        self.registry.with(
            ufrag,
            token,
            Box::new(|peer| {
                peer.session.kick();
                Ok(())
            }),
        )
    }

    /// Answers an offer that restarts ICE. `None` when the session is gone meanwhile.
    pub(crate) async fn restart(
        &self,
        ufrag: &str,
        token: &str,
        remote: String,
    ) -> Result<Option<Restarted>, Missing> {
        let (sender, answer) = oneshot::channel();
        self.registry.with(
            ufrag,
            token,
            Box::new(move |peer| {
                let restarted = peer.restart(&remote);
                sender.send(restarted).ok(); // who asked may have gone
                Ok(())
            }),
        )?;
        Ok(answer.await.ok())
    }

    fn settings(&self, wish: &Wish) -> Result<VhostRtc, Refused> {
        let denied = |reason: &str| Refused::Denied { code: code::DISABLED, reason: reason.to_owned() };
        if !self.conf.rtc_server.enabled {
            return Err(denied("WebRTC is off; set `rtc_server { enabled on; }`"));
        }
        let vhost = self.conf.vhost(&wish.vhost).ok_or_else(|| denied("no vhost of that name"))?;
        if !vhost.rtc.enabled {
            return Err(denied("WebRTC is off for this vhost; set `rtc { enabled on; }` in it"));
        }
        Ok(vhost.rtc.clone())
    }

    /// Made when the first offer comes, for servers that nobody ever asks.
    fn certificate(&self) -> Result<&Certificate, Refused> {
        let refused = |reason: &String| Refused::Denied { code: code::OFFER, reason: reason.clone() };
        let ecdsa = self.conf.rtc_server.ecdsa;
        self.certificate.get_or_init(|| Certificate::generate(ecdsa)).as_ref().map_err(refused)
    }
}

/// The simulcast layer that a viewer names: `layer` of the query.
fn layer(wish: &Wish) -> Option<thinning::Wish> {
    let query = Query::parse(wish.param.strip_prefix('?').unwrap_or_default());
    query.get("layer").map(thinning::Wish::parse)
}

/// What an ICE restart is answered with.
#[derive(Clone, Debug)]
pub(crate) struct Restarted {
    pub(crate) ufrag: String,
    pub(crate) password: String,
    /// The first media section, which stands for all (BUNDLE).
    pub(crate) mid: String,
    /// As [`answer::shown`] tells them.
    pub(crate) candidates: Vec<String>,
}

/// Whether the stream is there for the taking.
fn free(wish: &Wish, settings: &VhostRtc, stream: &Stream) -> Result<(), Refused> {
    let Some(by) = stream.snapshot().publisher else { return Ok(()) };
    match wish.action {
        Action::Publish => {
            let (name, by) = (stream.name(), by.id());
            let reason = format!("{name} is being published by client {by}; stop it or use another name");
            Err(Refused::Busy(reason))
        }
        Action::Play if !settings.rtmp_to_rtc && by.info().kind != "rtc-publish" => {
            let reason =
                "this stream is not published by WebRTC; set `rtc { rtmp_to_rtc on; }` to play it here";
            Err(Refused::Denied { code: code::DISABLED, reason: reason.into() })
        }
        Action::Play => Ok(()),
    }
}

/// Whether a viewer who wants pictures takes those of a stream that is being published: black for hours tells nobody
/// why.
fn takes_pictures(stream: &Stream, sections: &[Section]) -> Result<(), Refused> {
    let snapshot = stream.snapshot();
    let Some(video) = snapshot.publisher.and(snapshot.video) else { return Ok(()) };
    let accepted = || sections.iter().filter(|section| section.kind.is_video()).flat_map(|own| &own.accepted);
    if accepted().next().is_none() || accepted().any(|params| codec(params) == Some(video.codec)) {
        return Ok(());
    }
    let mut taken: Vec<&str> = accepted().filter_map(codec).map(name).collect();
    taken.dedup();
    Err(Refused::Offer(format!(
        "the stream's pictures are {}, and it takes {} only; play it by HTTP-FLV or HLS, choose a player that knows the \
         stream's codec, or offer sound alone",
        name(video.codec),
        taken.join(", ")
    )))
}

fn request(wish: &Wish) -> Request {
    Request {
        action: wish.action,
        kind: if wish.action == Action::Publish { "rtc-publish" } else { "rtc-play" },
        session: SessionId::random(),
        peer: wish.peer,
        vhost: wish.vhost.clone(),
        app: wish.app.clone(),
        stream: wish.stream.clone(),
        param: wish.param.clone(),
        tc_url: wish.tc_url.clone(),
        page_url: wish.page_url.clone(),
        swf_url: String::new(),
    }
}

fn session_info(request: &Request, grant: Grant) -> SessionInfo {
    SessionInfo {
        id: request.session,
        kind: request.kind,
        publish: request.action == Action::Publish,
        name: grant.name,
        shown_name: request.stream.as_str().into(),
        ip: request.peer,
        tc_url: request.tc_url.as_str().into(),
        page_url: request.page_url.as_str().into(),
        swf_url: "".into(),
        param: request.param.as_str().into(),
    }
}

impl Peer {
    /// Takes the media sections that were agreed on. Fails when none of them can be used.
    fn media(&mut self, sections: Vec<Section>) -> Result<(), Refused> {
        for section in sections {
            let first = section.accepted.iter().find_map(codec).map(|codec| name(codec).to_owned());
            let kind = if section.kind.is_audio() { "audio" } else { "video" };
            self.status.agreed(section.mid.clone(), kind, first.unwrap_or_default());
            match &mut self.role {
                Role::Play(egress) => egress.media(section),
                Role::Publish(ingest) => ingest.media(section),
            }
        }
        match media_is_empty(&self.role) {
            true => Err(Refused::Offer("it has no codec that this server knows".into())),
            false => Ok(()),
        }
    }

    /// Begins ICE anew with the peer's new user name.
    fn restart(&mut self, remote: &str) -> Restarted {
        let Credentials { ufrag, password } = self.ice.restart(Instant::now(), remote);
        let mid = self.status.facts().tracks.first().map(|track| track.mid.clone()).unwrap_or_default();
        let candidates = self.status.candidates.clone();
        Restarted { ufrag: ufrag.into(), password: password.into(), mid, candidates }
    }
}

fn media_is_empty(role: &Role) -> bool {
    match role {
        Role::Play(egress) => egress.is_empty(),
        Role::Publish(ingest) => ingest.is_empty(),
    }
}
