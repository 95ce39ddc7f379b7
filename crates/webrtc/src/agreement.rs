//! From an offer to what both sides agree on, and the answer that says so.
//!
//! SDP is str0m's: one of its state machines reads the offer, writes the answer, and is dropped. What it agreed to is
//! kept here in few words.

use crate::dtls::{Certificate, Dtls, Fingerprint};
use crate::ice::{Credentials, Ice};
use crate::negotiate::Refused;
use crate::offer::{self, attribute, preferred};
use headwater_conf::VhostRtc;
use headwater_hub::Action;
use std::net::SocketAddr;
use std::time::Instant;
use str0m::change::SdpOffer;
use str0m::format::{Codec, CodecConfig, PayloadParams};
use str0m::media::{Media, MediaKind, Mid, Rids};
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Candidate, IceCreds, Rtc, RtcConfig};

/// An address for the answer to have one: the true ones take its place in [`crate::answer::dress`].
const OWN: ([u8; 4], u16) = ([192, 0, 2, 1], 8000);

/// What a session is agreed on by, besides the offer.
pub(crate) struct Terms<'a> {
    pub(crate) action: Action,
    pub(crate) settings: &'a VhostRtc,
    /// The video codec that a publisher names.
    pub(crate) codec: Option<&'a str>,
    /// Our ICE user name and password.
    pub(crate) credentials: Credentials,
    pub(crate) certificate: &'a Certificate,
}

/// What an offer came to.
#[derive(Debug)]
pub(crate) struct Agreement {
    pub(crate) ice: Ice,
    pub(crate) dtls: Dtls,
    pub(crate) sections: Vec<Section>,
    pub(crate) answer: String,
}

/// A media section that is not turned down.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) mid: String,
    pub(crate) kind: MediaKind,
    /// What both sides know, in the peer's order.
    pub(crate) accepted: Vec<PayloadParams>,
    pub(crate) extensions: Extensions,
    /// Our SSRC, and that of packets sent again, of a section that the peer receives.
    pub(crate) own: Option<(u32, Option<u32>)>,
    /// The peer's, as far as its offer names them.
    pub(crate) sources: Vec<(u32, Option<u32>)>,
    /// Names of its simulcast layers.
    pub(crate) rids: Vec<String>,
}

/// Numbers of the header extensions that both sides know.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extensions {
    /// urn:ietf:params:rtp-hdrext:sdes:mid
    pub(crate) mid: Option<u8>,
    /// urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
    pub(crate) rid: Option<u8>,
    /// urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
    pub(crate) repaired: Option<u8>,
    /// Transport-wide sequence number.
    pub(crate) transport: Option<u8>,
    /// Absolute send time.
    pub(crate) send_time: Option<u8>,
}

/// Answers an offer that [`offer::check`] let pass. Nobody knows of what comes of it yet.
pub(crate) fn agree(offer: &str, terms: &Terms<'_>, now: Instant) -> Result<Agreement, Refused> {
    let refused = |error: &dyn std::fmt::Display| Refused::Offer(error.to_string());
    let told = offer::told(offer, terms.settings);
    let peer = attribute(&told, "fingerprint").and_then(Fingerprint::parse);
    let peer =
        peer.ok_or_else(|| refused(&"its a=fingerprint is none of SHA-1, SHA-256, SHA-384 or SHA-512"))?;
    let parsed = SdpOffer::from_sdp_string(&told).map_err(|error| refused(&error))?;
    let mut rtc = rtc(&told, terms, now);
    let answer = rtc.sdp_api().accept_offer(parsed).map_err(|error| refused(&error))?.to_sdp_string();
    let mids = answer.lines().filter_map(|line| line.strip_prefix("a=mid:"));
    let sections = mids.filter_map(|mid| section(&mut rtc, &told, mid.trim_end())).collect();
    let active = attribute(&answer, "setup") == Some("active");
    let remote = attribute(&told, "ice-ufrag").unwrap_or_default();
    Ok(Agreement {
        ice: Ice::new(terms.credentials.clone(), remote),
        dtls: Dtls::new(terms.certificate.clone(), peer, active),
        sections,
        answer,
    })
}

fn section(rtc: &mut Rtc, offer: &str, name: &str) -> Option<Section> {
    let mid = Mid::from(name);
    let own = rtc
        .direct_api()
        .stream_tx_by_mid(mid, None)
        .map(|stream| (*stream.ssrc(), stream.rtx().map(|rtx| *rtx)));
    let media = rtc.media(mid).filter(|media| !media.disabled())?;
    let known = |pt: &str0m::media::Pt| rtc.codec_config().iter().find(|params| params.pt() == *pt).cloned();
    Some(Section {
        mid: name.to_owned(),
        kind: media.kind(),
        accepted: media.remote_pts().iter().filter_map(known).collect(),
        extensions: Extensions::of(media),
        own,
        sources: offer::sources(offer, name),
        rids: match media.rids_rx() {
            Rids::Specific(rids) => rids.iter().map(ToString::to_string).collect(),
            Rids::None | Rids::Any => Vec::new(),
        },
    })
}

impl Extensions {
    fn of(media: &Media) -> Extensions {
        let id = |extension| media.remote_extmap().id_of(extension);
        Extensions {
            mid: id(Extension::RtpMid),
            rid: id(Extension::RtpStreamId),
            repaired: id(Extension::RepairedRtpStreamId),
            transport: id(Extension::TransportSequenceNumber),
            send_time: id(Extension::AbsoluteSendTime),
        }
    }
}

fn rtc(offer: &str, terms: &Terms<'_>, now: Instant) -> Rtc {
    let publish = terms.action == Action::Publish;
    let Credentials { ufrag, password } = &terms.credentials;
    let mut config = RtcConfig::new()
        .set_ice_lite(true)
        .set_rtp_mode(true)
        .clear_codecs()
        .set_dtls_cert(terms.certificate.own().clone())
        .set_local_ice_credentials(IceCreds { ufrag: ufrag.to_string(), pass: password.to_string() });
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
    if let Ok(candidate) = Candidate::host(SocketAddr::from(OWN), "udp") {
        rtc.add_local_candidate(candidate);
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

/// Our side of a handshake with a client in memory, for tests of what comes after it.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::batch::Batch;
    use crate::dtls::Progress;
    use crate::keys::Keys;

    /// Ours, as answers name it, and the client's.
    pub(crate) fn addresses() -> (SocketAddr, SocketAddr) {
        (OWN.into(), ([203, 0, 113, 9], 5000).into())
    }

    /// What is agreed on by an offer, and the answer.
    pub(crate) fn answered(offer: &str, action: Action, settings: &VhostRtc, now: Instant) -> Agreement {
        let (certificate, credentials) = (&Certificate::generate(true).unwrap(), Credentials::random());
        agree(offer, &Terms { action, settings, codec: None, credentials, certificate }, now).unwrap()
    }

    impl Agreement {
        /// Takes STUN or DTLS, and adds what it says to `out`; the keys, when the handshake is through.
        pub(crate) fn hear(&mut self, now: Instant, bytes: &[u8], out: &mut Batch) -> Option<Keys> {
            if crate::ice::is_stun(bytes) {
                out.push(&self.ice.answer(now, bytes, addresses().1).unwrap().bytes);
                return None;
            }
            match self.dtls.receive(now, bytes, out).unwrap() {
                Progress::Connected(keys) => Some(keys),
                _ => None,
            }
        }
    }
}
