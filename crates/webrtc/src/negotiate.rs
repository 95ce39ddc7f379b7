//! From an offer to a session that waits for its peer, and what may be done with the session later.

use crate::WebRtc;
use crate::answer::{self, candidate_lines, dress};
use crate::candidates::{Asked, places};
use crate::egress::{Egress, codec};
use crate::engine::{Engine, Outbox};
use crate::ingest::Ingest;
use crate::peer::{Birth, Peer, Role};
use crate::port::own_address;
use crate::registry::Missing;
use crate::status::Status;
use headwater_conf::VhostRtc;
use headwater_hub::{Action, Grant, Request, Session, SessionId, SessionInfo};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::SdpOffer;
use str0m::config::DtlsCert;
use str0m::media::Mid;
use str0m::{Candidate, IceCreds, Rtc, RtcConfig};
use thiserror::Error;
use tokio::sync::oneshot;

/// Longest offer, in bytes; Chromium's with every codec has 10,000.
pub(crate) const OFFER_MAX: usize = 64 * 1024;

/// Most media sections of an offer.
const SECTIONS_MAX: usize = 16;

/// Packets kept for viewers who ask again, a viewer; a second of 6 Mb/s. They are shared with the stream's log, so
/// that each costs its header alone.
const RESEND_MAX: usize = 512;

/// SRS's number for WebRTC that is turned off.
const DISABLED: u32 = 5021;

/// SRS's number for a stream that somebody publishes already.
const BUSY: u32 = 1028;

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
    pub(crate) credentials: Option<(String, String)>,
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
            Refused::Offer(_) | Refused::Overload(_) => 400,
            Refused::Denied { code, .. } => *code,
            Refused::Busy(_) => BUSY,
        }
    }
}

impl WebRtc {
    /// Answers an offer. Admission is asked before anything of the session exists.
    pub(crate) async fn negotiate(&self, wish: Wish) -> Result<Agreed, Refused> {
        let settings = self.settings(&wish)?;
        check(&wish)?;
        let offer =
            SdpOffer::from_sdp_string(&wish.offer).map_err(|error| Refused::Offer(error.to_string()))?;
        let remote = attribute(&wish.offer, "ice-ufrag").unwrap_or_default().to_owned();
        let request = request(&wish);
        let denied =
            |refusal: headwater_hub::Refusal| Refused::Denied { code: refusal.code, reason: refusal.reason };
        let grant = self.admission.ask(&request).await.map_err(denied)?;
        let stream = self.hub.stream(&grant.name);
        if wish.action == Action::Publish
            && let Some(by) = stream.snapshot().publisher
        {
            let reason = format!(
                "{} is being published by client {}; stop it or use another name",
                grant.name,
                by.id()
            );
            return Err(Refused::Busy(reason));
        }
        if wish.action == Action::Play && !settings.rtmp_to_rtc {
            let publisher = stream.snapshot().publisher;
            if publisher.is_some_and(|session| session.info().kind != "rtc-publish") {
                let reason =
                    "this stream is not published by WebRTC; set `rtc { rtmp_to_rtc on; }` to play it here";
                return Err(Refused::Denied { code: DISABLED, reason: reason.into() });
            }
        }
        let asked = Asked { external: wish.external.as_deref(), host: &wish.host };
        let candidates = candidate_lines(&places(&self.conf.rtc_server, asked).await, self.ports());
        let session = Arc::new(Session::new(session_info(&request, grant)));
        let name = session.info().name.clone();
        let path = format!("{}/{}", name.app(), name.stream());
        let status = Arc::new(Status::new(request.session, request.kind, path, answer::shown(&candidates)));
        let now = Instant::now();
        let mut engine = Engine::new(self.rtc(&wish, &settings, now)?, now);
        let mut outbox = Outbox::default();
        let answer = engine.answer(offer, &mut outbox).map_err(|error| Refused::Offer(error.to_string()))?;
        let role = match wish.action {
            Action::Publish => Role::Publish(Box::new(Ingest::new(stream, &settings))),
            Action::Play => Role::Play(Box::new(Egress::new(stream, session.clone()))),
        };
        let ufrag = engine.credentials().ufrag;
        let token = format!("{}{}{}", SessionId::random(), SessionId::random(), SessionId::random());
        let patience = settings.stun_timeout.max(Duration::from_secs(1));
        let birth = Birth {
            engine,
            outbox,
            session: session.clone(),
            status,
            role,
            ufrag: ufrag.as_str().into(),
            token: token.as_str().into(),
            patience,
        };
        let answer = answer.to_sdp_string();
        let mut peer = Peer::new(birth, now);
        peer.media(&answer)?;
        self.registry.wait(Box::new(peer), wish.peer, now).map_err(Refused::Overload)?;
        let title = if wish.action == Action::Publish { "s=SRSPublishSession" } else { "s=SRSPlaySession" };
        Ok(Agreed {
            answer: dress(&answer, title, &candidates),
            name: format!("{ufrag}:{remote}"),
            token,
            app: name.app().to_owned(),
            stream: name.stream().to_owned(),
        })
    }

    /// Ends the session that `ufrag` and `token` name.
    pub(crate) fn hang_up(&self, ufrag: &str, token: &str) -> Result<(), Missing> {
        self.registry.with(
            ufrag,
            token,
            Box::new(|peer| {
                peer.session.kick();
                Ok(())
            }),
        )
    }

    /// Whether the session that `ufrag` and `token` name is there.
    pub(crate) fn exists(&self, ufrag: &str, token: &str) -> Result<(), Missing> {
        self.registry.with(ufrag, token, Box::new(|_| Ok(())))
    }

    /// Answers an offer that restarts ICE. `None` when the session is gone meanwhile.
    pub(crate) async fn restart(
        &self,
        ufrag: &str,
        token: &str,
        credentials: (String, String),
    ) -> Result<Option<Restarted>, Missing> {
        let (sender, answer) = oneshot::channel();
        self.registry.with(
            ufrag,
            token,
            Box::new(move |peer| {
                let restarted = peer.restart(&credentials.0, &credentials.1);
                sender.send(restarted).ok(); // who asked may have gone
                Ok(())
            }),
        )?;
        Ok(answer.await.ok())
    }

    fn settings(&self, wish: &Wish) -> Result<VhostRtc, Refused> {
        let denied = |reason: &str| Refused::Denied { code: DISABLED, reason: reason.to_owned() };
        if !self.conf.rtc_server.enabled {
            return Err(denied("WebRTC is off; set `rtc_server { enabled on; }`"));
        }
        let vhost = self.conf.vhost(&wish.vhost).ok_or_else(|| denied("no vhost of that name"))?;
        if !vhost.rtc.enabled {
            return Err(denied("WebRTC is off for this vhost; set `rtc { enabled on; }` in it"));
        }
        Ok(vhost.rtc.clone())
    }

    fn rtc(&self, wish: &Wish, settings: &VhostRtc, now: Instant) -> Result<Rtc, Refused> {
        let publish = wish.action == Action::Publish;
        let mut config = RtcConfig::new()
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .clear_codecs()
            .set_send_buffer_audio(64)
            .set_send_buffer_video(RESEND_MAX)
            .set_stats_interval(Some(Duration::from_secs(2)));
        if let Some(certificate) = self.certificate() {
            config = config.set_dtls_cert(certificate);
        }
        if let Some((ufrag, pass)) = wish.credentials.clone() {
            config = config.set_local_ice_credentials(IceCreds { ufrag, pass });
        }
        config = config.enable_opus(true, true).enable_pcma(true, false).enable_pcmu(true, false);
        let only = publish.then(|| preferred(&wish.offer, wish.codec.as_deref())).flatten();
        let on = |codec: &str| only.is_none_or(|only| only == codec);
        config = config
            .enable_h264(on("H264"))
            .enable_h265(on("H265"))
            .enable_av1(on("AV1"))
            .enable_vp9(on("VP9"))
            .enable_vp8(on("VP8"));
        let _ = settings;
        let mut rtc = config.build(now);
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let own = own_address((ip, 0).into());
            for protocol in ["udp", "tcp"] {
                if let Ok(candidate) = Candidate::host(own, protocol) {
                    rtc.add_local_candidate(candidate);
                }
            }
        }
        Ok(rtc)
    }

    fn certificate(&self) -> Option<DtlsCert> {
        let generate = || str0m::crypto::from_feature_flags().dtls_provider.generate_certificate();
        self.certificate.get_or_init(generate).clone()
    }
}

/// What an ICE restart is answered with.
#[derive(Clone, Debug)]
pub(crate) struct Restarted {
    pub(crate) ufrag: String,
    pub(crate) password: String,
}

/// What can be told without parsing.
fn check(wish: &Wish) -> Result<(), Refused> {
    let offer = &wish.offer;
    let bad = |reason: &str| Err(Refused::Offer(reason.to_owned()));
    if offer.len() > OFFER_MAX {
        return bad("it is longer than 64 KiB");
    }
    let sections = offer.lines().filter(|line| line.starts_with("m=")).count();
    if sections == 0 {
        return bad("it has no media section (m=audio or m=video)");
    }
    if sections > SECTIONS_MAX {
        return bad("it has more than 16 media sections");
    }
    if !offer.lines().any(|line| line.starts_with("a=group:BUNDLE")) {
        return bad("it has no a=group:BUNDLE; all media go over one transport here");
    }
    let direction = |line: &str| offer.lines().any(|l| l.trim_end() == line);
    let sends = direction("a=sendonly") || direction("a=sendrecv");
    let receives = direction("a=recvonly") || direction("a=sendrecv");
    match wish.action {
        Action::Publish if receives && !sends => bad("it only receives; a publisher's offer has a=sendonly"),
        Action::Play if sends && !receives => bad("it only sends; a player's offer has a=recvonly"),
        Action::Publish | Action::Play => Ok(()),
    }
}

/// The video codec a publisher is asked for: the one it names, or the first of ours that it offers; H.264 first, since
/// every other output carries it.
fn preferred(offer: &str, named: Option<&str>) -> Option<&'static str> {
    let offered = |codec: &&str| {
        let wanted = format!(" {}/90000", codec.to_ascii_lowercase());
        offer.lines().any(|line| line.starts_with("a=rtpmap:") && line.to_ascii_lowercase().contains(&wanted))
    };
    let named = named.and_then(|named| match named.to_ascii_lowercase().as_str() {
        "av1" => Some("AV1"),
        "hevc" | "h265" => Some("H265"),
        "vp9" => Some("VP9"),
        "vp8" => Some("VP8"),
        "h264" | "avc" => Some("H264"),
        _ => None,
    });
    let order = ["H264", "H265", "AV1", "VP9", "VP8"];
    named.filter(offered).or_else(|| order.into_iter().find(|codec| offered(codec)))
}

/// The value of the first `a=name:value` line.
pub(crate) fn attribute<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    sdp.lines()
        .find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim_end)
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
    fn media(&mut self, answer: &str) -> Result<(), Refused> {
        let mids = answer.lines().filter_map(|line| line.strip_prefix("a=mid:"));
        mids.for_each(|mid| self.section(mid.trim_end().into()));
        match media_is_empty(&self.role) {
            true => Err(Refused::Offer("it has no codec that this server knows".into())),
            false => Ok(()),
        }
    }

    fn section(&mut self, mid: Mid) {
        let rtc = self.engine.peek();
        let Some(media) = rtc.media(mid).filter(|media| !media.disabled()) else { return };
        let kind = media.kind();
        let accepted: Vec<_> = media
            .remote_pts()
            .iter()
            .filter_map(|pt| rtc.codec_config().iter().find(|params| params.pt() == *pt))
            .cloned()
            .collect();
        let codecs: Vec<String> =
            accepted.iter().filter_map(codec).map(|codec| format!("{codec:?}")).collect();
        let first = codecs.into_iter().next().unwrap_or_default();
        self.status.agreed(mid.to_string(), if kind.is_audio() { "audio" } else { "video" }, first);
        match &mut self.role {
            Role::Play(egress) => egress.media(mid, kind, accepted.iter()),
            Role::Publish(ingest) => ingest.media(mid, kind, &accepted),
        }
    }

    /// Begins ICE anew with the peer's new credentials.
    fn restart(&mut self, ufrag: &str, password: &str) -> Restarted {
        let ours = IceCreds::new();
        let theirs = IceCreds { ufrag: ufrag.to_owned(), pass: password.to_owned() };
        let changed = self.engine.change(&mut self.outbox, |rtc| {
            let mut api = rtc.direct_api();
            api.set_local_ice_credentials(ours.clone());
            api.set_remote_ice_credentials(theirs);
        });
        if let Err(error) = changed {
            tracing::warn!(cid = %self.session.id(), %error, "ICE restart failed");
        }
        self.ufrag = ours.ufrag.as_str().into();
        Restarted { ufrag: ours.ufrag, password: ours.pass }
    }
}

fn media_is_empty(role: &Role) -> bool {
    match role {
        Role::Play(egress) => egress.is_empty(),
        Role::Publish(ingest) => ingest.is_empty(),
    }
}
