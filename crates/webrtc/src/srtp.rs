//! SRTP (RFC 3711, RFC 7714): sealing packets in the buffer that goes to the network, and opening RTCP that comes; RTP
//! is opened in [`packets`].
//!
//! A packet number is sealed once, with one content: a second time with another would give the key away.

mod packets;

pub(crate) use packets::{PacketOpener, Sealed};

use crate::keys::Keys;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use dimpl::SrtpProfile;
use std::fmt;

/// Truncated HMAC-SHA1 (RFC 3711 4.2).
const HMAC_TAG: usize = 10;
/// AES-GCM's (RFC 7714 13.2).
const GCM_TAG: usize = 16;
/// Header and SSRC of RTCP, which stay readable.
const RTCP_HEAD: usize = 8;
/// Set in front of an RTCP index: this packet is encrypted.
const ENCRYPTED: u32 = 0x8000_0000;

/// Sources of RTCP of one viewer that are remembered; browsers have two.
const SOURCES_MAX: usize = 8;

/// Labels of the key derivation (RFC 3711 4.3.2).
const RTP: u8 = 0;
const RTCP: u8 = 3;

/// What a viewer is sent under: RTP by number, RTCP by an index of its own.
pub(crate) struct Sealer {
    rtp: Cipher,
    rtcp: Cipher,
    index: u32,
}

/// Opens what a viewer sends.
pub(crate) struct Opener {
    rtcp: Cipher,
    /// By who sends: each SSRC counts for itself. The oldest gives way.
    seen: Vec<(u32, Seen)>,
}

enum Cipher {
    Gcm { key: LessSafeKey, salt: [u8; 12] },
    Counter(Box<Counter>),
}

/// AES in counter mode with HMAC-SHA1.
struct Counter {
    key: EncryptingKey,
    auth: hmac::Key,
    salt: [u8; 14],
}

/// A packet that nobody can have sealed for us, or that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forged;

impl From<Unspecified> for Forged {
    fn from(_: Unspecified) -> Forged {
        Forged
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

/// A profile's registered name (RFC 5764 4.1.2, RFC 7714 14.2).
pub(crate) fn name(profile: SrtpProfile) -> &'static str {
    match profile {
        SrtpProfile::AES128_CM_SHA1_80 => "AES_CM_128_HMAC_SHA1_80",
        SrtpProfile::AEAD_AES_128_GCM => "AEAD_AES_128_GCM",
        SrtpProfile::AEAD_AES_256_GCM => "AEAD_AES_256_GCM",
        _ => "other",
    }
}

/// Both directions of a session. `None` for a profile that nobody negotiates here.
pub(crate) fn pair(keys: &Keys) -> Option<(Sealer, Opener)> {
    let (own, theirs) = (Master::of(keys, keys.active)?, Master::of(keys, !keys.active)?);
    let sealer = Sealer { rtp: own.cipher(RTP)?, rtcp: own.cipher(RTCP)?, index: 0 };
    Some((sealer, Opener { rtcp: theirs.cipher(RTCP)?, seen: Vec::new() }))
}

impl Sealer {
    /// Bytes that a packet of RTP grows by.
    pub(crate) fn tag(&self) -> usize {
        match self.rtp {
            Cipher::Gcm { .. } => GCM_TAG,
            Cipher::Counter(_) => HMAC_TAG,
        }
    }

    /// Seals the RTP packet that begins at `start` of `out` and ends with it; its header has `header` bytes. `index` is
    /// its number with the wraps above it.
    pub(crate) fn rtp(
        &self,
        out: &mut Vec<u8>,
        start: usize,
        header: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<(), Unspecified> {
        let (head, body) = parts(out, start, header)?;
        match &self.rtp {
            Cipher::Gcm { key, salt } => {
                let nonce = nonce(packet_iv(ssrc, index), salt);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(head), body)?;
                out.extend_from_slice(tag.as_ref());
            }
            Cipher::Counter(counter) => {
                counter.crypt(ssrc, index, body)?;
                let mut hmac = hmac::Context::with_key(&counter.auth);
                hmac.update(out.get(start..).ok_or(Unspecified)?);
                hmac.update(&((index >> 16) as u32).to_be_bytes());
                out.extend_from_slice(truncated(&hmac.sign())?);
            }
        }
        Ok(())
    }

    /// Seals the compound RTCP packet that begins at `start` of `out` and ends with it.
    pub(crate) fn rtcp(&mut self, out: &mut Vec<u8>, start: usize) -> Result<(), Unspecified> {
        let index = self.index;
        self.index = (index + 1) & !ENCRYPTED;
        let trailer = (ENCRYPTED | index).to_be_bytes();
        let (head, body) = parts(out, start, RTCP_HEAD)?;
        let ssrc = word(head.get(4..).unwrap_or_default())?;
        match &self.rtcp {
            Cipher::Gcm { key, salt } => {
                let aad = associated(head, trailer)?;
                let tag = key.seal_in_place_separate_tag(report_nonce(salt, ssrc, index), aad, body)?;
                out.extend_from_slice(tag.as_ref());
                out.extend_from_slice(&trailer);
            }
            Cipher::Counter(counter) => {
                counter.crypt(ssrc, index.into(), body)?;
                out.extend_from_slice(&trailer);
                let tag = hmac::sign(&counter.auth, out.get(start..).ok_or(Unspecified)?);
                out.extend_from_slice(truncated(&tag)?);
            }
        }
        Ok(())
    }
}

impl Opener {
    /// Opens a datagram of RTCP into `out`, which it clears before.
    pub(crate) fn rtcp(&mut self, datagram: &[u8], out: &mut Vec<u8>) -> Result<(), Forged> {
        out.clear();
        let index = match &self.rtcp {
            Cipher::Gcm { key, salt } => {
                let (rest, trailer) = datagram.split_last_chunk::<4>().ok_or(Forged)?;
                let index = encrypted_index(*trailer)?;
                let (head, body) = rest.split_at_checked(RTCP_HEAD).ok_or(Forged)?;
                let nonce = report_nonce(salt, word(head.get(4..).unwrap_or_default())?, index);
                let aad = associated(head, *trailer)?;
                out.extend_from_slice(body);
                let opened = key.open_in_place(nonce, aad, out)?.len();
                out.truncate(opened);
                out.splice(0..0, head.iter().copied());
                index
            }
            Cipher::Counter(counter) => {
                let (signed, tag) = datagram.split_last_chunk::<HMAC_TAG>().ok_or(Forged)?;
                let told = hmac::sign(&counter.auth, signed);
                aws_lc_rs::constant_time::verify_slices_are_equal(truncated(&told)?, tag)?;
                let (rest, trailer) = signed.split_last_chunk::<4>().ok_or(Forged)?;
                let index = encrypted_index(*trailer)?;
                out.extend_from_slice(rest);
                let (head, body) = parts(out, 0, RTCP_HEAD)?;
                counter.crypt(word(head.get(4..).unwrap_or_default())?, index.into(), body)?;
                index
            }
        };
        let ssrc = word(out.get(4..).unwrap_or_default())?;
        self.first(ssrc, index).then_some(()).ok_or(Forged)
    }

    /// Whether a source's index comes for the first time.
    fn first(&mut self, ssrc: u32, index: u32) -> bool {
        let known = self.seen.iter_mut().find(|(source, _)| *source == ssrc);
        if let Some((_, seen)) = known {
            return seen.first(index);
        }
        if self.seen.len() >= SOURCES_MAX {
            self.seen.remove(0);
        }
        let mut seen = Seen::default();
        let first = seen.first(index);
        self.seen.push((ssrc, seen));
        first
    }
}

fn encrypted_index(trailer: [u8; 4]) -> Result<u32, Forged> {
    let trailer = u32::from_be_bytes(trailer);
    (trailer & ENCRYPTED != 0).then_some(trailer & !ENCRYPTED).ok_or(Forged)
}

fn parts(out: &mut [u8], start: usize, header: usize) -> Result<(&mut [u8], &mut [u8]), Unspecified> {
    out.get_mut(start..).and_then(|packet| packet.split_at_mut_checked(header)).ok_or(Unspecified)
}

fn word(bytes: &[u8]) -> Result<u32, Unspecified> {
    bytes.first_chunk().map(|&word| u32::from_be_bytes(word)).ok_or(Unspecified)
}

fn truncated(tag: &hmac::Tag) -> Result<&[u8], Unspecified> {
    tag.as_ref().get(..HMAC_TAG).ok_or(Unspecified)
}

fn nonce(mut iv: [u8; 12], salt: &[u8; 12]) -> Nonce {
    iv.iter_mut().zip(salt).for_each(|(byte, salt)| *byte ^= salt);
    Nonce::assume_unique_for_key(iv)
}

/// RFC 7714 8.1, before the salt.
fn packet_iv(ssrc: u32, index: u64) -> [u8; 12] {
    let mut iv = [0; 12];
    iv[2..6].copy_from_slice(&ssrc.to_be_bytes());
    iv[6..].copy_from_slice(&index.to_be_bytes()[2..]);
    iv
}

/// RFC 7714 9.1.
fn report_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> Nonce {
    let mut iv = [0; 12];
    iv[2..6].copy_from_slice(&ssrc.to_be_bytes());
    iv[8..].copy_from_slice(&index.to_be_bytes());
    nonce(iv, salt)
}

/// RFC 7714 9.2: the head, and the index with its flag.
fn associated(head: &[u8], trailer: [u8; 4]) -> Result<Aad<[u8; RTCP_HEAD + 4]>, Unspecified> {
    let mut aad = [0; RTCP_HEAD + 4];
    aad[..RTCP_HEAD].copy_from_slice(head.get(..RTCP_HEAD).ok_or(Unspecified)?);
    aad[RTCP_HEAD..].copy_from_slice(&trailer);
    Ok(Aad::from(aad))
}

impl Counter {
    /// AES in counter mode (RFC 3711 4.1.1), which goes both ways.
    fn crypt(&self, ssrc: u32, index: u64, body: &mut [u8]) -> Result<(), Unspecified> {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        iv[4..8].iter_mut().zip(ssrc.to_be_bytes()).for_each(|(byte, own)| *byte ^= own);
        iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]).for_each(|(byte, own)| *byte ^= own);
        self.key.less_safe_encrypt(body, EncryptionContext::Iv128(FixedLength::from(iv)))?;
        Ok(())
    }
}

/// The master key and salt of one side (RFC 5764 4.2).
struct Master<'a> {
    profile: SrtpProfile,
    key: &'a [u8],
    salt: &'a [u8],
}

impl<'a> Master<'a> {
    /// Of the DTLS client or server.
    fn of(keys: &'a Keys, client: bool) -> Option<Master<'a>> {
        let (key, salt) = match keys.profile {
            SrtpProfile::AES128_CM_SHA1_80 => (16, 14),
            SrtpProfile::AEAD_AES_128_GCM => (16, 12),
            SrtpProfile::AEAD_AES_256_GCM => (32, 12),
            _ => return None,
        };
        let (first, second) = if client { (0, 2 * key) } else { (key, 2 * key + salt) };
        Some(Master {
            profile: keys.profile,
            key: keys.material.get(first..first + key)?,
            salt: keys.material.get(second..second + salt)?,
        })
    }

    /// The session key of `label`, with its companions.
    fn cipher(&self, label: u8) -> Option<Cipher> {
        match self.profile {
            SrtpProfile::AEAD_AES_128_GCM => self.gcm(label, &AES_128_GCM),
            SrtpProfile::AEAD_AES_256_GCM => self.gcm(label, &AES_256_GCM),
            _ => {
                let key = self.derive::<16>(label).ok()?;
                let key = EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, &key).ok()?).ok()?;
                let auth = self.derive::<20>(label + 1).ok()?;
                let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth);
                let salt = self.derive(label + 2).ok()?;
                Some(Cipher::Counter(Box::new(Counter { key, auth, salt })))
            }
        }
    }

    fn gcm(&self, label: u8, algorithm: &'static Algorithm) -> Option<Cipher> {
        let key = self.derive::<32>(label).ok()?;
        let key = UnboundKey::new(algorithm, key.get(..self.key.len())?).ok()?;
        Some(Cipher::Gcm { key: LessSafeKey::new(key), salt: self.derive(label + 2).ok()? })
    }

    /// The key stream of the master key for a label (RFC 3711 4.3.3), with no key derivation rate.
    fn derive<const N: usize>(&self, label: u8) -> Result<[u8; N], Unspecified> {
        let algorithm = if self.key.len() == 32 { &AES_256 } else { &AES_128 };
        let key = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, self.key)?)?;
        let mut iv = [0; 16];
        iv.iter_mut().zip(self.salt).for_each(|(byte, salt)| *byte = *salt);
        iv[7] ^= label;
        let mut out = [0; N];
        key.less_safe_encrypt(&mut out, EncryptionContext::Iv128(FixedLength::from(iv)))?;
        Ok(out)
    }
}

/// Which indices came lately (RFC 3711 3.3.2): one that came before, or is 64 behind the newest, is not taken.
#[derive(Debug, Default)]
struct Seen {
    newest: Option<u32>,
    /// Bit n: n before the newest.
    before: u64,
}

impl Seen {
    /// Whether an index comes for the first time; from now on it has come.
    fn first(&mut self, index: u32) -> bool {
        let Some(newest) = self.newest else {
            (self.newest, self.before) = (Some(index), 1);
            return true;
        };
        if let Some(ahead) = index.checked_sub(newest).filter(|&ahead| ahead > 0) {
            self.before = self.before.checked_shl(ahead).unwrap_or(0) | 1;
            self.newest = Some(index);
            return true;
        }
        let bit = 1u64.checked_shl(newest - index).unwrap_or(0);
        let first = bit != 0 && self.before & bit == 0;
        self.before |= bit;
        first
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use dimpl::KeyingMaterial;

    pub(crate) const PROFILES: [(SrtpProfile, usize); 3] = [
        (SrtpProfile::AES128_CM_SHA1_80, 60),
        (SrtpProfile::AEAD_AES_128_GCM, 56),
        (SrtpProfile::AEAD_AES_256_GCM, 88),
    ];

    pub(crate) fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    pub(crate) fn keys(profile: SrtpProfile, length: usize, active: bool) -> Keys {
        let material: Vec<u8> = (0..length).map(|n| n as u8).collect();
        Keys { profile, material: KeyingMaterial::new(&material), active }
    }

    #[test]
    fn keys_are_derived_as_the_specification_shows() {
        // RFC 3711 B.3.
        let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
        let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
        let master = Master { profile: SrtpProfile::AES128_CM_SHA1_80, key: &key, salt: &salt };
        assert_eq!(master.derive::<16>(0).unwrap()[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(master.derive::<14>(2).unwrap()[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(master.derive::<20>(1).unwrap()[..], hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }

    #[test]
    fn gcm_seals_as_the_specification_shows() {
        // RFC 7714 16.1.1: the session key and salt themselves.
        let key: Vec<u8> = (0..16).collect();
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
        let salt = *hex("517569642070726f2071756f").first_chunk().unwrap();
        let own = Cipher::Gcm { key, salt };
        let other = Master { profile: SrtpProfile::AEAD_AES_128_GCM, key: &[0; 16], salt: &[0; 12] };
        let sealer = Sealer { rtp: own, rtcp: other.cipher(RTCP).unwrap(), index: 0 };
        let mut packet = hex("8040f17b 8041f8d3 5501a0b2");
        packet.extend_from_slice(b"Gallia est omnis divisa in partes tres");
        sealer.rtp(&mut packet, 0, 12, 0x5501_a0b2, 0xf17b).unwrap();
        let expected = hex(
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b \
             36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        );
        assert_eq!(packet, expected);
    }

    #[test]
    fn reports_are_opened_once_and_only_unharmed() {
        for (profile, length) in PROFILES {
            let (mut sealer, _) = pair(&keys(profile, length, true)).unwrap();
            let (_, mut opener) = pair(&keys(profile, length, false)).unwrap();
            let report = [&[0x80, 201, 0, 1, 0, 0, 0, 9][..], &[1, 2, 3, 4, 5, 6, 7, 8]].concat();
            let mut opened = Vec::new();
            for _ in 0..3 {
                let mut sealed = vec![0xaa; 5];
                sealed.extend_from_slice(&report);
                sealer.rtcp(&mut sealed, 5).unwrap();
                let sealed = &sealed[5..];
                assert!(sealed.len() <= report.len() + 20 && !sealed.windows(8).any(|w| w == &report[8..]));
                for at in 0..sealed.len() {
                    let mut harmed = sealed.to_vec();
                    harmed[at] ^= 1;
                    assert_eq!(opener.rtcp(&harmed, &mut opened), Err(Forged), "byte {at}");
                    assert_eq!(opener.rtcp(&sealed[..at], &mut opened), Err(Forged), "{at} bytes");
                }
                opener.rtcp(sealed, &mut opened).unwrap();
                assert_eq!(opened, report);
                assert_eq!(opener.rtcp(sealed, &mut opened), Err(Forged), "a second time");
            }
        }
    }

    #[test]
    fn each_source_counts_for_itself() {
        for (profile, length) in PROFILES {
            let (mut sealer, _) = pair(&keys(profile, length, true)).unwrap();
            let (_, mut opener) = pair(&keys(profile, length, false)).unwrap();
            let mut sealed = |ssrc: u8, index: u32| {
                let mut report = vec![0x80, 201, 0, 1, 0, 0, 0, ssrc];
                sealer.index = index;
                sealer.rtcp(&mut report, 0).unwrap();
                opener.rtcp(&report, &mut Vec::new()).is_ok()
            };
            assert!(sealed(1, 500) && sealed(2, 7) && sealed(1, 501) && sealed(2, 8));
            assert!(!sealed(2, 7) && !sealed(1, 500));
        }
    }

    #[test]
    fn sides_have_different_keys() {
        for (profile, length) in PROFILES {
            let (mut sealer, mut own) = pair(&keys(profile, length, true)).unwrap();
            let mut sealed = vec![0x80, 201, 0, 1, 0, 0, 0, 9];
            sealer.rtcp(&mut sealed, 0).unwrap();
            assert_eq!(own.rtcp(&sealed, &mut Vec::new()), Err(Forged));
        }
    }

    #[test]
    fn indices_are_taken_once() {
        let mut seen = Seen::default();
        let taken: Vec<bool> = [5, 5, 3, 3, 70, 6, 7, 69, 200, 70].map(|index| seen.first(index)).to_vec();
        assert_eq!(taken, [true, false, true, false, true, false, true, true, true, false]);
    }
}
