//! DTLS 1.2 with peers of any certificate. The state machine is that of rtc-dtls, with the bounds that it lacks.

use super::{Certificate, Machine, Outcome};
use crate::batch::Batch;
use crate::keys::Keys;
use bytes::BytesMut;
use dimpl::{KeyingMaterial, SrtpProfile};
use rtc_dtls::config::HandshakeConfig;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::state::State;
use rtc_shared::TransportProtocol;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

/// An endpoint serves many peers by their addresses; here it has one, wherever that is.
const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 9));

/// Datagrams that one session may send: some ten times a handshake with all its parts. What a machine keeps of them it
/// keeps without bound.
const DATAGRAMS_MAX: u32 = 100;

/// Type of a record that is an alert: goodbye may come after all else.
const ALERT: u8 = 21;

/// Which of the keying material is whose is told by this label (RFC 5764 4.2).
const LABEL: &str = "EXTRACTOR-dtls_srtp";

/// Either side.
pub(super) struct Classic {
    endpoint: Endpoint,
    /// What we say hello with, until that was done.
    client: Option<Arc<HandshakeConfig>>,
    active: bool,
    datagrams: u32,
    now: Instant,
}

impl Classic {
    pub(super) fn new(certificate: &Certificate, active: bool, now: Instant) -> Classic {
        let server = (!active).then(|| certificate.server.clone());
        let endpoint = Endpoint::new(PEER, TransportProtocol::UDP, server);
        let client = active.then(|| certificate.client.clone());
        Classic { endpoint, client, active, datagrams: 0, now }
    }

    /// Whether a datagram is taken: all of a handshake, but no flood.
    fn takes(&mut self, datagram: &[u8]) -> bool {
        self.datagrams = self.datagrams.saturating_add(1);
        self.datagrams <= DATAGRAMS_MAX || datagram.first() == Some(&ALERT)
    }

    /// Does something with the endpoint, and sends what comes of it. A peer that breaks it costs itself a session.
    fn with<T: Default>(
        &mut self,
        now: Instant,
        out: &mut Batch,
        act: impl FnOnce(&mut Endpoint) -> rtc_shared::error::Result<T>,
    ) -> Result<T, String> {
        self.now = now;
        let endpoint = &mut self.endpoint;
        let done = catch_unwind(AssertUnwindSafe(|| {
            let done = act(endpoint);
            while let Some(sent) = endpoint.poll_transmit() {
                out.push(&sent.message);
            }
            done
        }));
        let done = done.map_err(|_| "the peer's DTLS broke what reads it".to_owned())?;
        done.map_err(|error| format!("the DTLS handshake failed: {error}"))
    }

    fn outcome(&self, events: &[EndpointEvent]) -> Result<Outcome, String> {
        let mut outcome = Outcome::default();
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    let state = self.endpoint.get_connection_state(PEER);
                    let state = state.ok_or("the DTLS handshake came to nothing")?;
                    outcome.certificate = state.peer_certificates.first().cloned();
                    outcome.keys = Some(self.keys(state)?);
                }
                EndpointEvent::PeerClosed => outcome.closed = true,
                _ => {} // there are no data channels here
            }
        }
        Ok(outcome)
    }

    fn keys(&self, state: &State) -> Result<Keys, String> {
        let (profile, length) = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => (SrtpProfile::AES128_CM_SHA1_80, 16 + 14),
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => (SrtpProfile::AEAD_AES_128_GCM, 16 + 12),
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => (SrtpProfile::AEAD_AES_256_GCM, 32 + 12),
            _ => return Err("the peer's DTLS does not agree on SRTP (RFC 5764 4.1)".to_owned()),
        };
        let material = state.export_keying_material(LABEL, &[], 2 * length);
        let material = material.map_err(|error| format!("no keys came of the DTLS handshake: {error}"))?;
        Ok(Keys { profile, material: KeyingMaterial::new(material.as_ref()), active: self.active })
    }
}

impl Machine for Classic {
    fn receive(&mut self, now: Instant, datagram: &[u8], out: &mut Batch) -> Result<Outcome, String> {
        if let Some(config) = self.client.take() {
            self.with(now, out, |endpoint| endpoint.connect(now, PEER, config, None))?;
        }
        if datagram.is_empty() || !self.takes(datagram) {
            return Ok(Outcome::default());
        }
        let events =
            self.with(now, out, |endpoint| endpoint.read(now, PEER, None, BytesMut::from(datagram)))?;
        self.outcome(&events)
    }

    fn tick(&mut self, now: Instant, out: &mut Batch) -> Result<Outcome, String> {
        let done = self.with(now, out, |endpoint| endpoint.handle_timeout(PEER, now));
        // The only reason there is: what was sent again and again had no answer.
        done.map_err(|_| "the peer began a DTLS handshake and did not go on with it".to_owned())?;
        Ok(Outcome::default())
    }

    fn deadline(&self) -> Option<Instant> {
        self.endpoint.poll_timeout(&PEER)
    }

    fn close(&mut self, out: &mut Batch) {
        let now = self.now;
        // It is over either way.
        self.with(now, out, |endpoint| Ok(endpoint.stop(now, PEER).map(|_| ()))).ok();
    }
}
