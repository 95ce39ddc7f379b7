//! DTLS of one session (RFC 5764): who the peer is, and the keys of SRTP.
//!
//! There are two state machines, neither of which takes everybody. [`modern`] answers at once, holds little and is
//! without RSA; [`classic`] asks for a cookie first and takes RSA as well, which peers on OpenSSL often have (GStreamer
//! makes no other certificate). What certificate a peer has is not known before it is asked for one, so its hello
//! decides: who offers DTLS 1.3 is a browser, whose certificates are of ECDSA unless a page makes one of RSA, which is
//! refused. A machine is made when the hello comes, so a session that waits costs nothing.

mod certificate;
mod classic;
mod hello;
mod modern;

pub(crate) use certificate::Certificate;

use crate::batch::Batch;
use crate::keys::Keys;
use aws_lc_rs::digest::{self, digest};
use classic::Classic;
use modern::Modern;
use std::fmt;
use std::time::Instant;

/// Longest record that is sent, as every path carries it: Ethernet's 1,500 less tunnels, IPv6 and UDP.
const MTU: usize = 1200;

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

/// A handshake and what comes after it. Errors are in words, and final until the handshake is through.
trait Machine: Send {
    /// Takes a datagram; an empty one for a client to say hello.
    fn receive(&mut self, now: Instant, datagram: &[u8], out: &mut Batch) -> Result<Outcome, String>;

    /// Tells the time.
    fn tick(&mut self, now: Instant, out: &mut Batch) -> Result<Outcome, String>;

    /// When it wants to be told the time again.
    fn deadline(&self) -> Option<Instant>;

    /// Says goodbye.
    fn close(&mut self, out: &mut Batch);
}

/// What a machine came to.
#[derive(Debug, Default)]
struct Outcome {
    /// The peer's certificate, in DER; shown to be its own once there are keys.
    certificate: Option<Vec<u8>>,
    keys: Option<Keys>,
    closed: bool,
}

/// One session's DTLS.
pub(crate) struct Dtls {
    certificate: Certificate,
    peer: Fingerprint,
    /// Whether we are the client.
    active: bool,
    machine: Option<Box<dyn Machine>>,
    verified: bool,
    keys: Option<Keys>,
    /// The keys were handed out.
    through: bool,
}

impl fmt::Debug for Dtls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dtls").field("through", &self.through).finish_non_exhaustive()
    }
}

impl Dtls {
    pub(crate) fn new(certificate: Certificate, peer: Fingerprint, active: bool) -> Dtls {
        let (machine, verified, keys, through) = Default::default();
        Dtls { certificate, peer, active, machine, verified, keys, through }
    }

    /// When [`Dtls::tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.machine.as_ref().and_then(|machine| machine.deadline())
    }

    /// There is a way to the peer: says hello, if that is our part and was not done yet.
    pub(crate) fn begin(&mut self, now: Instant, out: &mut Batch) -> Result<Progress, String> {
        if !self.active || self.machine.is_some() {
            return Ok(Progress::None);
        }
        let outcome =
            self.machine.insert(Box::new(Classic::new(&self.certificate, true, now))).receive(now, &[], out);
        self.proceed(outcome?)
    }

    /// Takes a datagram.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        datagram: &[u8],
        out: &mut Batch,
    ) -> Result<Progress, String> {
        if self.machine.is_none() {
            self.machine = self.answerer(now, datagram);
        }
        let Some(machine) = &mut self.machine else { return Ok(Progress::None) };
        match machine.receive(now, datagram, out) {
            Ok(outcome) => self.proceed(outcome),
            // Who is through with the handshake does not end by what somebody else may have sent.
            Err(_) if self.through => Ok(Progress::None),
            Err(reason) => Err(reason),
        }
    }

    /// Who answers a peer's first datagram; nobody, unless it is a hello.
    fn answerer(&self, now: Instant, datagram: &[u8]) -> Option<Box<dyn Machine>> {
        if self.active {
            return None; // the first word is ours
        }
        let modern = hello::is_modern(datagram)?;
        Some(match Modern::new(&self.certificate, now).filter(|_| modern) {
            Some(machine) => Box::new(machine),
            None => Box::new(Classic::new(&self.certificate, false, now)),
        })
    }

    /// Tells the time.
    pub(crate) fn tick(&mut self, now: Instant, out: &mut Batch) -> Result<Progress, String> {
        let Some(machine) = &mut self.machine else { return Ok(Progress::None) };
        let outcome = machine.tick(now, out)?;
        self.proceed(outcome)
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self, out: &mut Batch) {
        self.machine.iter_mut().for_each(|machine| machine.close(out));
    }

    /// Hands out keys once the peer has shown the certificate that its offer told of.
    fn proceed(&mut self, outcome: Outcome) -> Result<Progress, String> {
        let Outcome { certificate, keys, closed } = outcome;
        if let Some(certificate) = certificate {
            if !self.peer.is_of(&certificate) {
                return Err(
                    "the peer's DTLS certificate is not the one whose fingerprint its offer told: the \
                            offer was changed on its way, or somebody else answers at the peer's address"
                        .to_owned(),
                );
            }
            self.verified = true;
        }
        self.keys = keys.or_else(|| self.keys.take());
        match self.keys.take_if(|_| self.verified) {
            Some(keys) => {
                self.through = true;
                Ok(Progress::Connected(keys))
            }
            None if closed => Ok(Progress::Closed),
            None => Ok(Progress::None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static ECDSA: LazyLock<Certificate> = LazyLock::new(|| Certificate::generate(true).unwrap());
    static RSA: LazyLock<Certificate> = LazyLock::new(|| Certificate::generate(false).unwrap());

    fn fingerprint(certificate: &Certificate) -> Fingerprint {
        let digest = digest(&digest::SHA256, &certificate.own().certificate);
        Fingerprint { hash: Hash::Sha256, digest: digest.as_ref().into() }
    }

    fn taken(out: &mut Batch) -> Vec<Vec<u8>> {
        let datagrams = out.datagrams().map(<[u8]>::to_vec).collect();
        out.clear();
        datagrams
    }

    /// A client and a server; what `spoil` makes of what they send.
    fn shake(
        client: &mut Dtls,
        server: &mut Dtls,
        mut spoil: impl FnMut(&mut Vec<u8>),
    ) -> Result<(Keys, Keys), String> {
        let (now, mut out) = (Instant::now(), Batch::default());
        let (mut ours, mut theirs) = (None, None);
        client.begin(now, &mut out)?;
        for turn in 0..20 {
            let (side, keys) =
                if turn % 2 == 0 { (&mut *server, &mut theirs) } else { (&mut *client, &mut ours) };
            for mut datagram in taken(&mut out) {
                spoil(&mut datagram);
                if let Progress::Connected(new) = side.receive(now, &datagram, &mut out)? {
                    *keys = Some(new);
                }
            }
            match (ours.take(), theirs.take()) {
                (Some(ours), Some(theirs)) => return Ok((ours, theirs)),
                (first, second) => (ours, theirs) = (first, second),
            }
        }
        Err("it takes too long".into())
    }

    fn sides(ours: &Certificate, theirs: &Certificate) -> (Dtls, Dtls) {
        let client = Dtls::new(ours.clone(), fingerprint(theirs), true);
        (client, Dtls::new(theirs.clone(), fingerprint(ours), false))
    }

    #[test]
    fn both_sides_have_the_same_keys_under_any_certificates() {
        for (ours, theirs) in [(&ECDSA, &ECDSA), (&RSA, &ECDSA), (&ECDSA, &RSA), (&RSA, &RSA)] {
            let (mut client, mut server) = sides(ours, theirs);
            let (ours, theirs) = shake(&mut client, &mut server, |_| {}).unwrap();
            assert_eq!((ours.profile, &*ours.material), (theirs.profile, &*theirs.material));
            assert_eq!(ours.profile, dimpl::SrtpProfile::AEAD_AES_256_GCM);
            assert!(ours.active && !theirs.active);
            let (now, mut out) = (Instant::now(), Batch::default());
            client.close(&mut out);
            let goodbye = taken(&mut out);
            assert!(!goodbye.is_empty());
            let heard = goodbye.iter().map(|datagram| server.receive(now, datagram, &mut out));
            assert!(heard.into_iter().any(|progress| matches!(progress, Ok(Progress::Closed))));
        }
    }

    /// A browser of today: it speaks DTLS 1.3 as well.
    #[test]
    fn who_speaks_1_3_is_answered_at_once() {
        let (config, certificate) = (ECDSA.modern.clone().unwrap(), ECDSA.own().clone());
        let (now, mut out, mut room) = (Instant::now(), Batch::default(), [0; 2048]);
        let mut browser = dimpl::Dtls::new_auto(config, certificate, now);
        browser.set_active(true);
        let mut server = Dtls::new(ECDSA.clone(), fingerprint(&ECDSA), false);
        let (mut ours, mut theirs) = (None, None);
        for turn in 0..3 {
            browser.handle_timeout(now).unwrap();
            loop {
                match browser.poll_output(&mut room) {
                    dimpl::Output::Packet(packet) => {
                        if let Progress::Connected(keys) = server.receive(now, packet, &mut out).unwrap() {
                            ours = Some(keys);
                        }
                    }
                    dimpl::Output::KeyingMaterial(material, _) => theirs = Some(material),
                    dimpl::Output::Timeout(_) => break,
                    _ => {}
                }
            }
            let answers = taken(&mut out);
            // A server's hello is of type 2, a wish for a cookie of type 3.
            assert!(turn > 0 || answers[0][13] == 2, "no cookie is asked for");
            answers.iter().for_each(|answer| browser.handle_packet(answer).unwrap());
        }
        assert_eq!(&*ours.unwrap().material, &*theirs.unwrap());
    }

    /// What a session keeps of a handshake that is through.
    #[test]
    fn a_connected_peer_costs_little() {
        let (mut client, mut server) = sides(&RSA, &ECDSA);
        shake(&mut client, &mut server, |_| {}).unwrap(); // what is made once is made
        let counted = allocation_counter::measure(|| {
            let (mut client, mut server) = sides(&RSA, &ECDSA);
            shake(&mut client, &mut server, |_| {}).unwrap();
            std::mem::forget((client, server));
        });
        assert!(counted.bytes_current < 2 * 20_000, "{counted:?}");
    }

    #[test]
    fn somebody_else_gets_no_keys() {
        for certificate in [&*ECDSA, &*RSA] {
            let (mut client, _) = sides(certificate, &ECDSA);
            let mut server =
                Dtls::new(ECDSA.clone(), fingerprint(&Certificate::generate(true).unwrap()), false);
            assert!(shake(&mut client, &mut server, |_| {}).unwrap_err().contains("fingerprint"));
        }
    }

    #[test]
    fn what_is_no_handshake_does_no_harm() {
        let (_, mut dtls) = sides(&ECDSA, &ECDSA);
        let (now, mut out) = (Instant::now(), Batch::default());
        for bytes in [&[22][..], &[22; 13], &[20; 100], &[63; 2000]] {
            dtls.receive(now, bytes, &mut out).ok();
        }
        assert!(out.is_empty(), "nothing is answered");
    }

    #[test]
    fn a_session_has_so_many_datagrams_and_no_more() {
        let (mut client, mut server) = sides(&RSA, &ECDSA);
        let (now, mut out) = (Instant::now(), Batch::default());
        client.begin(now, &mut out).unwrap();
        let hello = taken(&mut out).remove(0);
        let mut future = hello.clone();
        future[4] = 1; // an epoch that may come: such records are kept
        server.receive(now, &hello, &mut out).unwrap();
        let counted = allocation_counter::measure(|| {
            for n in 0..10_000_u32 {
                future[7..11].copy_from_slice(&n.to_be_bytes());
                server.receive(now, &future, &mut out).ok();
            }
        });
        assert!(counted.bytes_max < 200_000, "{counted:?}");
        shake(&mut client, &mut server, |_| {}).unwrap_err();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Neither side breaks by a handshake that is not what it should be.
        #[test]
        fn spoilt_handshakes_end_in_words(
            which in 0usize..12, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
        ) {
            let (mut client, mut server) = sides(&ECDSA, &ECDSA);
            let mut count = 0;
            let shaken = shake(&mut client, &mut server, |datagram| {
                if count == which {
                    let at = at.index(datagram.len());
                    datagram[at] = byte;
                    datagram.truncate(if cut { at } else { datagram.len() });
                }
                count += 1;
            });
            let said = shaken.err().unwrap_or_default();
            prop_assert!(!said.contains("broke"), "{said}");
        }
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
