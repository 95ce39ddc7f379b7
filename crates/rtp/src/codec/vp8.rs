//! VP8 (RFC 7741). Out: one partition's worth of fragments with a 15-bit picture id. In: all descriptors; temporal layers
//! are not told apart.

use crate::codec::whole;
use crate::depacketize::{Assemble, Damage, FRAME_MAX};
use crate::payloads::{Payloads, evenly};
use bytes::{Bytes, BytesMut};
use headwater_media::{Kind, codec::vp8};

/// Start of a partition (4.2).
const S: u8 = 0x10;
/// Extended control bits follow.
const X: u8 = 0x80;
/// A picture id follows.
const I: u8 = 0x80;
/// Bytes of the descriptor we write.
const DESCRIPTOR: usize = 4;

#[derive(Clone, Debug, Default)]
pub(crate) struct Packetizer {
    picture: u16,
}

impl Packetizer {
    pub(crate) fn frame(&mut self, payload: &Bytes, mtu: usize, out: &mut Payloads) {
        let source = out.share(payload);
        let [high, low] = self.picture.to_be_bytes();
        let mut start = S;
        let size = evenly(payload.len(), mtu - DESCRIPTOR);
        let mut at = 0;
        while at < payload.len() {
            let next = (at + size).min(payload.len());
            out.head(&[X | start, I, 0x80 | high, low]); // the top bit: 15 bits of id
            out.piece(source, at..next);
            out.end(next == payload.len(), 0);
            (at, start) = (next, 0);
        }
        self.picture = (self.picture + 1) & 0x7fff;
    }
}

/// Whether a payload begins a frame, and where its data is.
fn read(payload: &[u8]) -> Option<(bool, usize)> {
    let (&first, rest) = payload.split_first()?;
    let begins = first & S != 0 && first & 0x07 == 0; // start of partition 0
    if first & X == 0 {
        return Some((begins, 1));
    }
    let (&extended, rest) = rest.split_first()?;
    let picture = if extended & I == 0 { 0 } else { 1 + usize::from(*rest.first()? & 0x80 != 0) };
    let level = usize::from(extended & 0x40 != 0);
    let key_index = usize::from(extended & 0x30 != 0);
    Some((begins, 2 + picture + level + key_index))
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Depacketizer {
    frame: BytesMut,
}

impl Assemble for Depacketizer {
    fn begins(&self, payload: &[u8], _sure: bool) -> bool {
        read(payload).is_some_and(|(begins, _)| begins)
    }

    fn push(&mut self, payload: &Bytes) -> Result<(), Damage> {
        const WHAT: Damage = Damage::Malformed("VP8 payload descriptor");
        let (begins, at) = read(payload).ok_or(WHAT)?;
        let data = payload.get(at..).ok_or(WHAT)?;
        if begins != self.frame.is_empty() {
            return Err(Damage::Malformed("order of VP8 partitions"));
        }
        if self.frame.len() + data.len() > FRAME_MAX {
            return Err(Damage::TooLarge);
        }
        self.frame.extend_from_slice(data);
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn FnMut(Kind, Bytes, u32)) -> Result<(), Damage> {
        if self.frame.is_empty() {
            return Err(Damage::Malformed("empty VP8 frame"));
        }
        let kind = if vp8::is_key(&self.frame) { Kind::Key } else { Kind::Inter };
        out(kind, whole(&mut self.frame), 0);
        Ok(())
    }

    fn discard(&mut self) {
        self.frame.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::tests::hex;
    use crate::{Depacketizer, Event, Format, Incoming, Unit};
    use headwater_media::Kind;

    #[test]
    fn descriptors() {
        let at = |text| read(&hex(text));
        assert_eq!(at("10"), Some((true, 1)), "S=1 PID=0 (RFC 7741 4.2)");
        assert_eq!(at("11"), Some((false, 1)), "S=1 PID=1: another partition");
        assert_eq!(at("00"), Some((false, 1)));
        assert_eq!(at("90 80 05"), Some((true, 3)), "X=1 I=1: 7 bits of picture id");
        assert_eq!(at("90 80 8005"), Some((true, 4)), "M=1: 15 bits");
        assert_eq!(at("90 f0 8005 07 41"), Some((true, 6)), "I, L, T and K");
        assert_eq!(at("90 20 41"), Some((true, 3)), "T alone");
        assert_eq!([at(""), at("90"), at("90 80")], [None; 3]);
    }

    #[test]
    fn a_frame_in_two_partitions() {
        let mut depacketizer = Depacketizer::new(Format::Vp8);
        let mut out = Vec::new();
        for (sequence, payload) in [(1, "10 10aa"), (2, "11 bb")] {
            let marker = sequence == 2;
            depacketizer.push(&Incoming { sequence, timestamp: 5, marker, payload: hex(payload) }, &mut out);
        }
        assert_eq!(out, [Event::Unit(Unit { kind: Kind::Key, payload: hex("10aabb"), timestamp: 5 })]);
    }
}
