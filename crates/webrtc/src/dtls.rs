//! DTLS of one session (RFC 5764): who the peer is, and the keys of SRTP.
//!
//! The state machine is dimpl's. It wants the time before each change, and a complete drain after it: [`Dtls`] is the
//! only code that touches it. It is made when the peer's first packet comes, so a session that waits costs nothing.

use crate::batch::Batch;
use crate::keys::Keys;
use aws_lc_rs::digest::{self, digest};
use dimpl::{Config, DtlsCertificate, Output};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// Longest record that is sent, as every path carries it: Ethernet's 1,500 less tunnels, IPv6 and UDP.
const MTU: usize = 1200;

/// Room for a record and what it brings.
const ROOM: usize = 2048;

/// Outputs of one drain before the state machine is taken for broken; a flight is a dozen.
const DRAIN_MAX: usize = 1000;

/// The server's certificate, one for the process: peers learn its fingerprint from each answer.
#[derive(Clone)]
pub(crate) struct Certificate {
    own: DtlsCertificate,
    config: Arc<Config>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

impl Certificate {
    /// A new one, signed by itself, of ECDSA P-256.
    pub(crate) fn generate() -> Result<Certificate, String> {
        let failed = |error: &dyn fmt::Display| format!("making a certificate for DTLS failed: {error}");
        let own = dimpl::certificate::generate_self_signed_certificate().map_err(|error| failed(&error))?;
        // ICE has shown that the peer is where it says, which is what cookies are for.
        let config = Config::builder().use_server_cookie(false).mtu(MTU).build();
        Ok(Certificate { own, config: Arc::new(config.map_err(|error| failed(&error))?) })
    }

    /// For whoever writes the answer.
    pub(crate) fn own(&self) -> &DtlsCertificate {
        &self.own
    }
}

/// A peer's certificate, as its offer tells it (RFC 8122 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    hash: Hash,
    digest: Box<[u8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Fingerprint {
    /// Of the value of an `a=fingerprint` line. `None` for what is none, or of a hash that nobody should use.
    pub(crate) fn parse(text: &str) -> Option<Fingerprint> {
        let (hash, digest) = text.trim().split_once(' ')?;
        let hash = match hash.to_ascii_lowercase().as_str() {
            "sha-1" => Hash::Sha1,
            "sha-256" => Hash::Sha256,
            "sha-384" => Hash::Sha384,
            "sha-512" => Hash::Sha512,
            _ => return None,
        };
        let digest: Option<Box<[u8]>> =
            digest.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
        digest
            .filter(|digest| digest.len() == hash.algorithm().output_len())
            .map(|digest| Fingerprint { hash, digest })
    }

    fn is_of(&self, certificate: &[u8]) -> bool {
        digest(self.hash.algorithm(), certificate).as_ref() == &*self.digest
    }
}

impl Hash {
    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        }
    }
}

/// What a change led to.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Nothing that others need to know.
    None,
    /// The handshake is through, and the peer is who its offer says.
    Connected(Keys),
    /// The peer said goodbye.
    Closed,
}

/// One session's DTLS.
pub(crate) struct Dtls {
    certificate: Certificate,
    peer: Fingerprint,
    /// Whether we are the client.
    active: bool,
    machine: Option<Box<dimpl::Dtls>>,
    /// When it wants to be told the time again.
    deadline: Option<Instant>,
    verified: bool,
    keys: Option<Keys>,
    /// The keys were handed out.
    through: bool,
}

impl fmt::Debug for Dtls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dtls").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl Dtls {
    pub(crate) fn new(certificate: Certificate, peer: Fingerprint, active: bool) -> Dtls {
        Dtls {
            certificate,
            peer,
            active,
            machine: None,
            deadline: None,
            verified: false,
            keys: None,
            through: false,
        }
    }

    /// When [`Dtls::tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// There is a way to the peer: says hello, if that is our part and was not done yet.
    pub(crate) fn begin(&mut self, now: Instant, out: &mut Batch) -> Result<Progress, String> {
        if !self.active || self.machine.is_some() {
            return Ok(Progress::None);
        }
        self.receive(now, &[], out)
    }

    /// Takes a datagram.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        datagram: &[u8],
        out: &mut Batch,
    ) -> Result<Progress, String> {
        let machine = self.machine.get_or_insert_with(|| {
            let mut machine = Box::new(dimpl::Dtls::new_12(
                self.certificate.config.clone(),
                self.certificate.own.clone(),
                now,
            ));
            machine.set_active(self.active);
            machine
        });
        let taken = machine.handle_timeout(now).and_then(|()| machine.handle_packet(datagram));
        let progress = self.drain(out)?; // whatever it made of it
        match taken {
            // Who is through with the handshake does not end by what somebody else may have sent.
            Err(error) if !self.through => Err(failed(&error)),
            _ => Ok(progress),
        }
    }

    /// Tells the time.
    pub(crate) fn tick(&mut self, now: Instant, out: &mut Batch) -> Result<Progress, String> {
        let Some(machine) = &mut self.machine else { return Ok(Progress::None) };
        machine.handle_timeout(now).map_err(|error| failed(&error))?;
        self.drain(out)
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self, out: &mut Batch) {
        if let Some(machine) = &mut self.machine
            && machine.close().is_ok()
        {
            self.drain(out).ok(); // it is over either way
        }
    }

    fn drain(&mut self, out: &mut Batch) -> Result<Progress, String> {
        let Some(machine) = &mut self.machine else { return Ok(Progress::None) };
        let mut progress = Progress::None;
        let mut room = [0; ROOM];
        for _ in 0..DRAIN_MAX {
            match machine.poll_output(&mut room) {
                Output::Timeout(deadline) => {
                    self.deadline = Some(deadline);
                    return Ok(progress);
                }
                Output::Packet(packet) => out.push(packet),
                Output::PeerCert(certificate) if self.peer.is_of(certificate) => self.verified = true,
                Output::PeerCert(_) => {
                    return Err(
                        "the peer's DTLS certificate is not the one whose fingerprint its offer told: the \
                                offer was changed on its way, or somebody else answers at the peer's address"
                            .to_owned(),
                    );
                }
                Output::KeyingMaterial(material, profile) => {
                    self.keys = Some(Keys { profile, material, active: self.active });
                }
                Output::Connected => {}
                Output::CloseNotify => progress = Progress::Closed,
                Output::ApplicationData(_) => {} // there are no data channels here
                other => return Err(format!("the DTLS state machine came to {other:?}")),
            }
            if self.verified
                && let Some(keys) = self.keys.take()
            {
                self.through = true;
                progress = Progress::Connected(keys);
            }
        }
        Err("the DTLS state machine does not come to rest".to_owned())
    }
}

fn failed(error: &dimpl::Error) -> String {
    format!("the DTLS handshake failed: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sides until both have keys; what either says.
    fn shake(client: &mut Dtls, server: &mut Dtls) -> Result<(Keys, Keys), String> {
        let (now, mut out) = (Instant::now(), Batch::default());
        let (mut one, mut other) = (None, None);
        client.begin(now, &mut out)?;
        for turn in 0..20 {
            let sent: Vec<Vec<u8>> = out.datagrams().map(<[u8]>::to_vec).collect();
            out.clear();
            let (side, keys) =
                if turn % 2 == 0 { (&mut *server, &mut other) } else { (&mut *client, &mut one) };
            for datagram in sent {
                if let Progress::Connected(new) = side.receive(now, &datagram, &mut out)? {
                    *keys = Some(new);
                }
            }
            match (one.take(), other.take()) {
                (Some(one), Some(other)) => return Ok((one, other)),
                (first, second) => (one, other) = (first, second),
            }
        }
        Err("it takes too long".into())
    }

    fn fingerprint(certificate: &Certificate) -> Fingerprint {
        let digest = digest(&digest::SHA256, &certificate.own.certificate);
        Fingerprint { hash: Hash::Sha256, digest: digest.as_ref().into() }
    }

    #[test]
    fn both_sides_have_the_same_keys() {
        let (one, other) = (Certificate::generate().unwrap(), Certificate::generate().unwrap());
        let mut client = Dtls::new(one.clone(), fingerprint(&other), true);
        let mut server = Dtls::new(other, fingerprint(&one), false);
        let (ours, theirs) = shake(&mut client, &mut server).unwrap();
        assert_eq!((ours.profile, &*ours.material), (theirs.profile, &*theirs.material));
        assert!(ours.active && !theirs.active);
        let (now, mut out) = (Instant::now(), Batch::default());
        client.close(&mut out);
        let goodbye: Vec<Vec<u8>> = out.datagrams().map(<[u8]>::to_vec).collect();
        assert!(!goodbye.is_empty());
        let heard = goodbye.iter().map(|datagram| server.receive(now, datagram, &mut Batch::default()));
        assert!(heard.into_iter().any(|progress| matches!(progress, Ok(Progress::Closed))));
    }

    #[test]
    fn somebody_else_gets_no_keys() {
        let (one, other) = (Certificate::generate().unwrap(), Certificate::generate().unwrap());
        let mut client = Dtls::new(one, fingerprint(&other), true);
        let mut server = Dtls::new(other.clone(), fingerprint(&other), false);
        assert!(shake(&mut client, &mut server).unwrap_err().contains("fingerprint"));
    }

    #[test]
    fn what_is_no_handshake_does_no_harm() {
        let certificate = Certificate::generate().unwrap();
        let mut dtls = Dtls::new(certificate.clone(), fingerprint(&certificate), false);
        let (now, mut out) = (Instant::now(), Batch::default());
        for bytes in [&[22][..], &[22; 13], &[20; 100], &[63; 2000]] {
            dtls.receive(now, bytes, &mut out).ok();
        }
        assert!(out.is_empty(), "nothing is answered");
    }

    #[test]
    fn fingerprints_are_read() {
        let of =
            |hash: &str, count: usize| Fingerprint::parse(&format!("{hash} {}", vec!["aB"; count].join(":")));
        assert_eq!(of("sha-256", 32), of("SHA-256", 32));
        assert!(of("sha-1", 20).is_some() && of("sha-384", 48).is_some() && of("sha-512", 64).is_some());
        assert!(of("sha-256", 31).is_none() && of("md5", 16).is_none());
        assert!(Fingerprint::parse("sha-256").is_none() && Fingerprint::parse("sha-1 zz").is_none());
    }
}
