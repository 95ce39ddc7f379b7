//! What takes bytes from outside before anybody has proved anything, for `fuzz/`: no part of the crate's interface.

use crate::agreement::{Terms, agree};
use crate::answer::dress;
use crate::dtls::Certificate;
use crate::ice;
use crate::ice::Credentials;
use crate::offer;
use crate::red;
use crate::registry::IceNames;
use crate::signal::session::Wanted;
use crate::signal::{Query, is_call};
use bytes::Bytes;
use headwater_conf::{Conf, DEFAULT_VHOST, VhostRtc};
use headwater_hub::Action;
use std::sync::LazyLock;
use std::time::Instant;
use str0m::change::SdpAnswer;

static USUAL: LazyLock<VhostRtc> = LazyLock::new(|| {
    let conf = Conf::embedded();
    conf.vhost(DEFAULT_VHOST).map_or_else(|| unreachable!("every configuration has it"), |v| v.rtc.clone())
});

static CERTIFICATE: LazyLock<Result<Certificate, String>> = LazyLock::new(|| Certificate::generate(true));

/// An offer, up to the answer. Its first byte chooses the side and what is turned off.
///
/// # Panics
/// When an answer is made that nobody could read.
pub fn offer(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    let mut settings = USUAL.clone();
    settings.nack = choice & 2 == 0;
    settings.twcc = choice & 4 == 0;
    settings.dtls_role = if choice & 8 == 0 { "passive" } else { "active" }.into();
    let action = if choice & 1 == 0 { Action::Publish } else { Action::Play };
    if offer::check(&text, action).is_err() {
        return;
    }
    let Ok(certificate) = CERTIFICATE.as_ref() else { return };
    let credentials = Credentials::random();
    let terms = Terms { action, settings: &settings, codec: Some("av1"), credentials, certificate };
    if let Ok(agreed) = agree(&text, &terms, Instant::now()) {
        let dressed = dress(&agreed.answer, "s=x", &["candidate:0 1 udp 1 192.0.2.7 8000 typ host".into()]);
        assert!(SdpAnswer::from_sdp_string(&dressed).is_ok(), "nobody can read {dressed}");
    }
}

/// The body of a PATCH.
pub fn fragment(text: &str) {
    let present = IceNames { local: "ours".into(), remote: "them".into() };
    Wanted::of(text, &present);
}

/// The body of one of SRS's calls, and a query.
pub fn call(text: &str) {
    is_call(text);
    Query::parse(text).get("stream");
}

/// The first packet of an address.
pub fn packet(data: &[u8]) {
    ice::user(data);
}

/// A payload of redundant sound: its blocks lie in it, and two that can be carried come back as they were.
///
/// # Panics
/// When they do not.
pub fn redundant(data: &[u8]) {
    let blocks = red::split(&Bytes::copy_from_slice(data)).unwrap_or_default();
    let length: usize = blocks.iter().map(|block| block.payload.len()).sum();
    assert!(length <= data.len(), "{length} bytes of {}", data.len());
    let [before, own] = &blocks[..] else { return };
    let Some(joined) = red::join(&before.payload, before.offset, &own.payload) else { return };
    let again = red::split(&Bytes::from_owner(joined));
    assert_eq!(again.as_ref(), Some(&blocks));
}
