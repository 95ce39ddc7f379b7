//! From an offer to a session that waits for its peer, and what may be done with the session later.

use crate::WebRtc;
use crate::answer::{self, candidate_lines, dress};
use crate::candidates::{Asked, places};
use crate::egress::Egress;
use crate::engine::{Engine, Outbox};
use crate::former::Former;
use crate::ingest::Ingest;
use crate::keys;
use crate::lane::codec;
use crate::offer::{self, attribute, preferred};
use crate::peer::{Birth, Peer, Role};
use crate::port::own_address;
use crate::registry::{Missing, Unplaced};
use crate::sender::{Extensions, TrackTerms};
use crate::signal::Query;
use crate::status::Status;
use crate::thinning;
use headwater_conf::VhostRtc;
use headwater_hub::{Action, Grant, Request, Session, SessionId, SessionInfo, Stream};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::SdpOffer;
use str0m::config::DtlsCert;
use str0m::format::{Codec, CodecConfig, PayloadParams};
use str0m::media::Mid;
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Candidate, IceCreds, Rtc, RtcConfig};
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
    pub(crate) credentials: Option<(String, String)>,
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
        let remote = attribute(&wish.offer, "ice-ufrag").unwrap_or_default().to_owned();
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
            credentials: wish.credentials.as_ref(),
            certificate: self.certificate(),
        };
        // The state machine asserts what offers should be; one that slips through the checks must not cost more.
        let agreed = catch_unwind(AssertUnwindSafe(|| agree(&wish.offer, &terms, now)));
        let Agreement { mut engine, outbox, answer } = agreed.unwrap_or_else(|_| {
            tracing::error!(peer = %wish.peer, "an offer broke the WebRTC state machine and was refused");
            Err(Refused::Offer("it contradicts itself".into()))
        })?;
        let session = Arc::new(Session::new(session_info(&request, grant)));
        let name = session.info().name.clone();
        let path = format!("{}/{}", name.app(), name.stream());
        let role = match wish.action {
            Action::Publish => Role::Publish(Box::new(Ingest::new(stream, &settings))),
            Action::Play => Role::Play(Box::new(Egress::new(stream, session.clone(), layer(&wish)))),
        };
        let ufrag = engine.credentials().ufrag;
        let called = format!("{ufrag}:{remote}");
        let shown = answer::shown(&candidates);
        let status = Arc::new(Status::new(request.session, request.kind, path, called.clone(), shown));
        let token = format!("{}{}{}", SessionId::random(), SessionId::random(), SessionId::random());
        let patience = settings.stun_timeout.max(Duration::from_secs(1));
        let birth = Birth {
            engine,
            outbox,
            session: session.clone(),
            status,
            role,
            ufrag: ufrag.as_str().into(),
            remote: remote.as_str().into(),
            token: token.as_str().into(),
            patience,
        };
        let mut peer = Peer::new(birth, now);
        peer.media(&answer)?;
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

    fn certificate(&self) -> Option<DtlsCert> {
        let generate = || keys::provider().dtls_provider.generate_certificate();
        self.certificate.get_or_init(generate).clone()
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

/// What a session is agreed on by, besides the offer.
pub(crate) struct Terms<'a> {
    pub(crate) action: Action,
    pub(crate) settings: &'a VhostRtc,
    /// The video codec that a publisher names.
    pub(crate) codec: Option<&'a str>,
    /// ICE user name and password that the client chose for us.
    pub(crate) credentials: Option<&'a (String, String)>,
    pub(crate) certificate: Option<DtlsCert>,
}

/// A state machine that waits for its peer, and what the peer is told.
pub(crate) struct Agreement {
    pub(crate) engine: Engine,
    pub(crate) outbox: Outbox,
    pub(crate) answer: String,
}

/// Answers an offer that [`offer::check`] let pass. Nobody knows of what comes of it yet.
pub(crate) fn agree(offer: &str, terms: &Terms<'_>, now: Instant) -> Result<Agreement, Refused> {
    let refused = |error: &dyn std::fmt::Display| Refused::Offer(error.to_string());
    let told = offer::told(offer, terms.settings);
    let parsed = SdpOffer::from_sdp_string(&told).map_err(|error| refused(&error))?;
    let mut engine = Engine::new(rtc(&told, terms, now), now);
    let mut outbox = Outbox::default();
    let answer = engine.answer(parsed, &mut outbox).map_err(|error| refused(&error))?.to_sdp_string();
    Ok(Agreement { engine, outbox, answer })
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

fn rtc(offer: &str, terms: &Terms<'_>, now: Instant) -> Rtc {
    let publish = terms.action == Action::Publish;
    let mut config = RtcConfig::new()
        .set_ice_lite(true)
        .set_rtp_mode(true)
        .clear_codecs()
        .set_crypto_provider(keys::provider());
    if publish {
        config = config.set_stats_interval(Some(Duration::from_secs(2)));
    } else {
        // What str0m would report of a viewer is not sent: its packets are not str0m's.
        let never = Duration::from_secs(24 * 3600);
        config = config.set_rtcp_report_interval_audio(never).set_rtcp_report_interval_video(never);
    }
    if let Some(certificate) = terms.certificate.clone() {
        config = config.set_dtls_cert(certificate);
    }
    if let Some((ufrag, pass)) = terms.credentials.cloned() {
        config = config.set_local_ice_credentials(IceCreds { ufrag, pass });
    }
    config = config.enable_opus(true, true).enable_pcma(true, false).enable_pcmu(true, false);
    let only = publish.then(|| preferred(offer, terms.codec)).flatten();
    let on = |codec: &str| only.is_none_or(|only| only == codec);
    config = config
        .enable_h264(on("H264"))
        .enable_h265(on("H265"))
        .enable_av1(on("AV1"))
        .enable_vp9(on("VP9"))
        .enable_vp8(on("VP8"));
    if !publish {
        without_single_units(&mut config);
    }
    feedback(&mut config, terms.settings);
    let mut rtc = config.build(now);
    for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let own = own_address((ip, 0).into());
        for protocol in ["udp", "tcp"] {
            if let Ok(candidate) = Candidate::host(own, protocol) {
                rtc.add_local_candidate(candidate);
            }
        }
    }
    rtc
}

/// Leaves H.264 without fragments (packetization-mode 0, RFC 6184 6.2) out of the answer: it may come, but what is in
/// the log does not fit it.
fn without_single_units(config: &mut RtcConfig) {
    let fits = |params: &&PayloadParams| {
        let spec = params.spec();
        spec.codec != Codec::H264 || spec.format.packetization_mode == Some(1)
    };
    let params = config.codec_config().params().iter().filter(fits).copied().collect();
    *config.codec_config() = CodecConfig::new_from_payload_params(params);
}

/// Leaves out of the answer what `nack` and `twcc` turn off: neither side does what was not agreed on.
fn feedback(config: &mut RtcConfig, settings: &VhostRtc) {
    let VhostRtc { nack, twcc, .. } = *settings;
    if nack && twcc {
        return;
    }
    let change = |params: &PayloadParams| {
        let mut changed = *params;
        if !nack && params.spec().codec.is_video() {
            changed = PayloadParams::new(params.pt(), None, params.spec()); // no RTX either
            changed.set_fb_nack(false);
        }
        changed.set_fb_transport_cc(twcc);
        changed
    };
    let params = config.codec_config().params().iter().map(change).collect();
    *config.codec_config() = CodecConfig::new_from_payload_params(params);
    if !twcc {
        let mut extensions = ExtensionMap::empty();
        let kept = |(_, extension): &(u8, &Extension)| **extension != Extension::TransportSequenceNumber;
        config.extension_map().iter().filter(kept).for_each(|(id, ext)| extensions.set(id, ext.clone()));
        *config.extension_map() = extensions;
    }
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
        let id = |extension| media.remote_extmap().id_of(extension);
        let extensions = Extensions {
            mid: id(Extension::RtpMid),
            transport: id(Extension::TransportSequenceNumber),
            send_time: id(Extension::AbsoluteSendTime),
        };
        let terms = match &self.role {
            Role::Play(_) => {
                let resend = !kind.is_audio() && accepted.iter().any(PayloadParams::fb_nack);
                self.terms(mid, resend, extensions)
            }
            Role::Publish(_) => None,
        };
        match &mut self.role {
            Role::Play(egress) => {
                if let Some(terms) = terms {
                    egress.media(terms, kind, accepted.iter());
                }
            }
            Role::Publish(ingest) => ingest.media(mid, kind, &accepted),
        }
    }

    /// What was agreed on for a section that a viewer receives.
    fn terms(&mut self, mid: Mid, resend: bool, extensions: Extensions) -> Option<TrackTerms> {
        let sources = self.engine.change(&mut self.outbox, |rtc| {
            let mut api = rtc.direct_api();
            api.stream_tx_by_mid(mid, None).map(|stream| (*stream.ssrc(), stream.rtx().map(|ssrc| *ssrc)))
        });
        let (ssrc, rtx) = sources.ok()??;
        Some(TrackTerms { ssrc, rtx, mid: mid.to_string(), clock_rate: 0, extensions, resend })
    }

    /// Begins ICE anew with the peer's new credentials.
    fn restart(&mut self, ufrag: &str, password: &str) -> Restarted {
        self.former = Some(Former::new(self.engine.credentials(), Instant::now()));
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
        self.remote = ufrag.into();
        let mid = self.status.facts().tracks.first().map(|track| track.mid.clone()).unwrap_or_default();
        let candidates = self.status.candidates.clone();
        Restarted { ufrag: ours.ufrag, password: ours.pass, mid, candidates }
    }
}

fn media_is_empty(role: &Role) -> bool {
    match role {
        Role::Play(egress) => egress.is_empty(),
        Role::Publish(ingest) => ingest.is_empty(),
    }
}
