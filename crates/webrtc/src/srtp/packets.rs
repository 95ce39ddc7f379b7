//! Opening RTP (RFC 3711 3.3, RFC 7714 8): what publishers send.

use super::{Cipher, Counter, Forged, HMAC_TAG, Master, RTP, nonce, truncated};
use crate::keys::Keys;
use aws_lc_rs::aead::{Aad, LessSafeKey};
use aws_lc_rs::hmac;
use bytes::BytesMut;
use std::fmt;

/// Sources whose numbers are remembered. The one that was idle longest gives way, to authenticated packets only.
const SOURCES_MAX: usize = 32;

/// Packets behind the newest that are still taken: those that are sent again without a stream of their own are late.
const WINDOW: u64 = 1024;

/// Bytes of a tag of GCM.
const GCM_TAG: usize = 16;

/// Opens what a publisher sends. Only authenticated packets change it.
pub(crate) struct PacketOpener {
    cipher: Cipher,
    sources: Vec<Source>,
    /// Counts packets: who was idle longest.
    opened: u64,
}

/// Which packets of a source came.
struct Source {
    ssrc: u32,
    /// Number of the newest, with the wraps (RFC 3711: rollover counter) above it.
    newest: u64,
    /// A bit for each of the newest numbers, by number modulo [`WINDOW`].
    came: [u64; (WINDOW / 64) as usize],
    used: u64,
}

/// What stands readable in front of a sealed payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealed<'a> {
    pub(crate) packet: &'a [u8],
    /// Bytes of the header.
    pub(crate) header: usize,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
}

impl fmt::Debug for PacketOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PacketOpener")
    }
}

impl PacketOpener {
    /// For what the other side sends. `None` for a profile that nobody negotiates here.
    pub(crate) fn new(keys: &Keys) -> Option<PacketOpener> {
        let cipher = Master::of(keys, !keys.active)?.cipher(RTP)?;
        Some(PacketOpener { cipher, sources: Vec::new(), opened: 0 })
    }

    /// Appends what the payload was before it was sealed, padding included. Each packet is opened once.
    pub(crate) fn open(&mut self, sealed: Sealed<'_>, out: &mut BytesMut) -> Result<(), Forged> {
        let known = self.sources.iter_mut().find(|source| source.ssrc == sealed.ssrc);
        let index = match &known {
            Some(source) => source.index(sealed.sequence).filter(|&index| source.is_new(index)),
            None => Some(sealed.sequence.into()), // RFC 3711 3.3.1: counts begin with no wraps
        };
        let index = index.ok_or(Forged)?;
        let start = out.len();
        if self.cipher.open(sealed, index, out).is_err() {
            out.truncate(start);
            return Err(Forged);
        }
        self.opened += 1;
        match known {
            Some(source) => source.take(index, self.opened),
            None => self.add(sealed.ssrc, index),
        }
        Ok(())
    }

    fn add(&mut self, ssrc: u32, index: u64) {
        if self.sources.len() >= SOURCES_MAX {
            let idle = self.sources.iter().enumerate().min_by_key(|(_, source)| source.used);
            idle.map(|(at, _)| at).map(|at| self.sources.swap_remove(at));
        }
        let mut source = Source { ssrc, newest: index, came: [0; (WINDOW / 64) as usize], used: 0 };
        source.take(index, self.opened);
        self.sources.push(source);
    }
}

impl Source {
    /// The number nearest to the newest (RFC 3711 3.3.1); none lies before the first wrap.
    fn index(&self, sequence: u16) -> Option<u64> {
        let ahead = sequence.wrapping_sub(self.newest as u16) as i16; // of the low half
        self.newest.checked_add_signed(ahead.into())
    }

    fn is_new(&self, index: u64) -> bool {
        let behind = self.newest.checked_sub(index);
        behind.is_none_or(|behind| behind < WINDOW && !self.has(index))
    }

    fn has(&self, index: u64) -> bool {
        let (word, bit) = place(index);
        self.came.get(word).is_some_and(|word| word & bit != 0)
    }

    fn take(&mut self, index: u64, used: u64) {
        self.used = used;
        let ahead = index.saturating_sub(self.newest);
        if ahead >= WINDOW {
            self.came.fill(0);
        } else {
            (self.newest + 1..index).for_each(|skipped| self.set(skipped, false));
        }
        self.newest = self.newest.max(index);
        self.set(index, true);
    }

    fn set(&mut self, index: u64, came: bool) {
        let (word, bit) = place(index);
        if let Some(word) = self.came.get_mut(word) {
            *word = if came { *word | bit } else { *word & !bit };
        }
    }
}

/// The word of a number's bit, and the bit.
fn place(index: u64) -> (usize, u64) {
    let at = index % WINDOW;
    ((at / 64) as usize, 1 << (at % 64))
}

impl Cipher {
    fn open(&self, sealed: Sealed<'_>, index: u64, out: &mut BytesMut) -> Result<(), Forged> {
        match self {
            Cipher::Gcm { key, salt } => open_gcm(key, salt, sealed, index, out),
            Cipher::Counter(counter) => counter.open(sealed, index, out),
        }
    }
}

fn open_gcm(
    key: &LessSafeKey,
    salt: &[u8; 12],
    sealed: Sealed<'_>,
    index: u64,
    out: &mut BytesMut,
) -> Result<(), Forged> {
    let (rest, tag) = sealed.packet.split_last_chunk::<GCM_TAG>().ok_or(Forged)?;
    let (head, body) = rest.split_at_checked(sealed.header).ok_or(Forged)?;
    let nonce = nonce(super::packet_iv(sealed.ssrc, index), salt);
    let start = out.len();
    out.resize(start + body.len(), 0);
    let place = out.get_mut(start..).ok_or(Forged)?;
    Ok(key.open_separate_gather(nonce, Aad::from(head), body, tag, place)?)
}

impl Counter {
    fn open(&self, sealed: Sealed<'_>, index: u64, out: &mut BytesMut) -> Result<(), Forged> {
        let (signed, tag) = sealed.packet.split_last_chunk::<HMAC_TAG>().ok_or(Forged)?;
        let mut hmac = hmac::Context::with_key(&self.auth);
        hmac.update(signed);
        hmac.update(&((index >> 16) as u32).to_be_bytes());
        aws_lc_rs::constant_time::verify_slices_are_equal(truncated(&hmac.sign())?, tag)?;
        let start = out.len();
        out.extend_from_slice(signed.get(sealed.header..).ok_or(Forged)?);
        Ok(self.crypt(sealed.ssrc, index, out.get_mut(start..).ok_or(Forged)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{PROFILES, hex, keys};
    use super::super::{Sealer, pair};
    use super::*;
    use aws_lc_rs::aead::{AES_128_GCM, UnboundKey};

    const HEADER: usize = 12;

    fn ends(profile: usize) -> (Sealer, PacketOpener) {
        let (profile, length) = PROFILES[profile];
        let (sealer, _) = pair(&keys(profile, length, true)).unwrap();
        (sealer, PacketOpener::new(&keys(profile, length, false)).unwrap())
    }

    fn sealed(sealer: &Sealer, ssrc: u32, index: u64) -> Vec<u8> {
        let mut packet = vec![0x80, 96];
        packet.extend_from_slice(&(index as u16).to_be_bytes());
        packet.extend_from_slice(&[1, 2, 3, 4]);
        packet.extend_from_slice(&ssrc.to_be_bytes());
        packet.extend_from_slice(&payload(index));
        sealer.rtp(&mut packet, 0, HEADER, ssrc, index).unwrap();
        packet
    }

    fn payload(index: u64) -> Vec<u8> {
        format!("payload of {index}").into_bytes()
    }

    fn open(opener: &mut PacketOpener, packet: &[u8]) -> Result<Vec<u8>, Forged> {
        let field =
            |at: usize| packet.get(at..at + 4).map_or(0, |b| u32::from_be_bytes(b.try_into().unwrap()));
        let (ssrc, sequence) = (field(8), field(0) as u16);
        let mut out = BytesMut::from(&b"before"[..]);
        let opened = opener.open(Sealed { packet, header: HEADER, ssrc, sequence }, &mut out);
        assert_eq!(out[..6], b"before"[..]);
        assert!(opened.is_ok() || out.len() == 6, "nothing is left of what is not opened");
        opened.map(|()| out[6..].to_vec())
    }

    #[test]
    fn gcm_opens_as_the_specification_shows() {
        // RFC 7714 16.1.1: the session key and salt themselves.
        let key: Vec<u8> = (0..16).collect();
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
        let salt = *hex("517569642070726f2071756f").first_chunk().unwrap();
        let cipher = Cipher::Gcm { key, salt };
        let mut opener = PacketOpener { cipher, sources: Vec::new(), opened: 0 };
        let packet = hex(
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b \
             36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        );
        assert_eq!(open(&mut opener, &packet).unwrap(), b"Gallia est omnis divisa in partes tres");
    }

    #[test]
    fn counter_mode_is_as_the_specification_shows() {
        // RFC 3711 B.2: key stream of the session key and salt, SSRC 0, index 0.
        use aws_lc_rs::cipher::{AES_128, EncryptingKey, UnboundCipherKey};
        let key = hex("2B7E151628AED2A6ABF7158809CF4F3C");
        let key = EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, &key).unwrap()).unwrap();
        let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[0; 20]);
        let salt = *hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").first_chunk().unwrap();
        let mut stream = [0; 32];
        Counter { key, auth, salt }.crypt(0, 0, &mut stream).unwrap();
        assert_eq!(stream[..], hex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB"));
    }

    #[test]
    fn packets_are_opened_over_wraps_lost_and_out_of_order() {
        for profile in 0..PROFILES.len() {
            let (sealer, mut opener) = ends(profile);
            let start = 65_000u64;
            let order = (start..start + 200_000).filter(|index| index % 7 != 0).map(|index| index ^ 1);
            for index in order.step_by(97) {
                assert_eq!(open(&mut opener, &sealed(&sealer, 9, index)), Ok(payload(index)), "{index}");
                assert_eq!(open(&mut opener, &sealed(&sealer, 9, index)), Err(Forged), "{index} twice");
            }
        }
    }

    #[test]
    fn late_packets_are_taken_once_and_not_too_late() {
        let (sealer, mut opener) = ends(1);
        let mut take = |index| open(&mut opener, &sealed(&sealer, 9, index)).is_ok();
        assert!(take(65_530) && take(65_540), "over the wrap");
        assert!(take(65_535) && take(65_536) && take(65_531));
        assert!(!take(65_535) && !take(65_530) && !take(65_540));
        assert!(take(65_540 - 1023) && !take(65_540 - 1024));
        assert!(take(66_564) && take(66_563) && !take(65_540) && !take(66_563));
        assert!(take(90_000) && take(89_999) && !take(66_564));
    }

    #[test]
    fn nothing_lies_before_the_first_number() {
        let (sealer, mut opener) = ends(1);
        assert!(open(&mut opener, &sealed(&sealer, 9, 3)).is_ok());
        assert_eq!(open(&mut opener, &sealed(&sealer, 9, 65_530)), Err(Forged), "it would be 6 before");
        assert!(open(&mut opener, &sealed(&sealer, 9, 0)).is_ok());
    }

    #[test]
    fn harmed_packets_change_nothing() {
        for profile in 0..PROFILES.len() {
            let (sealer, mut opener) = ends(profile);
            for index in [65_535, 65_536, 65_537] {
                let good = sealed(&sealer, 9, index);
                for at in 0..good.len() {
                    let mut harmed = good.clone();
                    harmed[at] ^= 0x10;
                    assert_eq!(open(&mut opener, &harmed), Err(Forged), "byte {at}");
                    assert_eq!(open(&mut opener, &good[..at]), Err(Forged), "{at} bytes");
                }
                assert_eq!(open(&mut opener, &good), Ok(payload(index)));
            }
            assert_eq!(opener.sources.len(), 1);
        }
    }

    #[test]
    fn the_idle_source_gives_way() {
        let (sealer, mut opener) = ends(1);
        for ssrc in 0..SOURCES_MAX as u32 {
            open(&mut opener, &sealed(&sealer, ssrc, 10)).unwrap();
        }
        open(&mut opener, &sealed(&sealer, 0, 11)).unwrap();
        let mut forged = sealed(&sealer, 1000, 10);
        forged[20] ^= 1;
        open(&mut opener, &forged).unwrap_err();
        assert_eq!(open(&mut opener, &sealed(&sealer, 1, 10)), Err(Forged), "still known");
        open(&mut opener, &sealed(&sealer, 1000, 10)).unwrap();
        let known = |opener: &PacketOpener, ssrc| opener.sources.iter().any(|source| source.ssrc == ssrc);
        assert!(known(&opener, 0) && !known(&opener, 1) && known(&opener, 2) && known(&opener, 1000));
        assert_eq!(opener.sources.len(), SOURCES_MAX);
    }
}
