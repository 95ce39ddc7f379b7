//! AV1 (RTP Payload Format For AV1 1.0): OBUs in an aggregation header's company, cut where a packet is full. Without the
//! dependency descriptor, so without scalability.

use super::av1c;
use crate::codec::whole;
use crate::depacketize::{Assemble, Damage, FRAME_MAX};
use crate::packetize::PacketizeError;
use crate::payloads::Payloads;
use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::codec::av1::{self, SEQUENCE_HEADER, TEMPORAL_DELIMITER};
use headwater_media::{Kind, Reader};
use std::ops::Range;

/// `OBU_FRAME_HEADER`.
const FRAME_HEADER: u8 = 3;
/// `OBU_FRAME`.
const FRAME: u8 = 6;
/// `OBU_TILE_LIST`: must not be sent (5).
const TILE_LIST: u8 = 8;

/// The first OBU element goes on from the packet before (4.4).
const Z: u8 = 0x80;
/// The last OBU element goes on in the next packet.
const Y: u8 = 0x40;
/// One OBU element, without a length.
const W1: u8 = 0x10;
/// First packet of a coded video sequence.
const N: u8 = 0x08;

/// Fewer bytes of an OBU than this are not worth a fragment at the end of a packet.
const FRAGMENT_MIN: usize = 16;

/// An OBU element: header without size, then the payload where it is.
#[derive(Clone, Debug)]
struct Element {
    head: [u8; 2],
    head_len: usize,
    source: usize,
    range: Range<usize>,
}

impl Element {
    fn len(&self) -> usize {
        self.head_len + self.range.len()
    }

    /// Appends the bytes from `at` to `end` of the element.
    fn put(&self, at: usize, end: usize, out: &mut Payloads) {
        if at < self.head_len {
            out.head(self.head.get(at..self.head_len.min(end)).unwrap_or_default());
        }
        let offset = |n: usize| self.range.start + n.saturating_sub(self.head_len);
        if offset(at) < offset(end) {
            out.piece(self.source, offset(at)..offset(end));
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Packetizer {
    /// OBUs of the configuration.
    config: Bytes,
    elements: Vec<Element>,
}

impl Packetizer {
    pub(crate) fn configure(&mut self, record: &Bytes) -> Result<(), PacketizeError> {
        self.config = av1::Config::parse(record)?.obus;
        Ok(())
    }

    pub(crate) fn frame(&mut self, key: bool, payload: &Bytes, mtu: usize, out: &mut Payloads) {
        self.elements.clear();
        let brings_header = || av1::obus(payload).any(|obu| obu.obu_type == SEQUENCE_HEADER);
        if key && !self.config.is_empty() && !brings_header() {
            let config = self.config.clone();
            self.collect(&config, out);
        }
        self.collect(payload, out);
        self.send(key, mtu, out);
        out.mark_last();
    }

    fn collect(&mut self, data: &Bytes, out: &mut Payloads) {
        let source = out.share(data);
        let mut end = 0;
        for obu in av1::obus(data) {
            end += obu.whole.len();
            if matches!(obu.obu_type, TEMPORAL_DELIMITER | TILE_LIST) {
                continue;
            }
            let first = obu.whole.first().copied().unwrap_or_default();
            let head = [first & !0x02, obu.whole.get(1).copied().unwrap_or_default()]; // without obu_has_size_field
            let head_len = 1 + usize::from(first & 0x04 != 0);
            self.elements.push(Element { head, head_len, source, range: end - obu.payload.len()..end });
        }
    }

    fn send(&self, key: bool, mtu: usize, out: &mut Payloads) {
        let mut new_sequence = if key { N } else { 0 };
        // Which element comes next, and from which byte on.
        let (mut next, mut at) = (0, 0);
        while let Some(element) = self.elements.get(next) {
            let resumed = if at > 0 { Z } else { 0 };
            let flags = std::mem::take(&mut new_sequence) | resumed;
            if 1 + element.len() - at >= mtu {
                let end = element.len().min(at + mtu - 1);
                let goes_on = if end < element.len() { Y } else { 0 };
                out.head(&[flags | goes_on | W1]);
                element.put(at, end, out);
                (next, at) = if end < element.len() { (next, end) } else { (next + 1, 0) };
            } else {
                (next, at) = self.send_several(flags, next, at, mtu, out);
            }
            out.end(false, 0);
        }
    }

    /// One packet of OBU elements, each after its length; gives where the next packet goes on.
    fn send_several(
        &self,
        flags: u8,
        next: usize,
        at: usize,
        mtu: usize,
        out: &mut Payloads,
    ) -> (usize, usize) {
        let header = out.head(&[flags]);
        let (mut next, mut at) = (next, at);
        while let Some(element) = self.elements.get(next) {
            let left = element.len() - at;
            let room = mtu - out.open_len();
            if leb128_len(left) + left <= room {
                put_leb128(left, out);
                element.put(at, element.len(), out);
                (next, at) = (next + 1, 0);
                continue;
            }
            if room >= FRAGMENT_MIN + leb128_len(room) {
                let part = room - leb128_len(room);
                put_leb128(part.min(left - 1), out);
                element.put(at, at + part.min(left - 1), out);
                out.patch(header, flags | Y);
                at += part.min(left - 1);
            }
            break;
        }
        (next, at)
    }
}

fn leb128_len(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

/// `leb128()` (AV1 4.10.5) in as few bytes as it takes.
fn leb128(value: usize) -> ([u8; 5], usize) {
    let mut out = [0; 5];
    let len = leb128_len(value);
    for (i, byte) in out.iter_mut().enumerate().take(len) {
        let more = if i + 1 < len { 0x80 } else { 0 };
        *byte = (value >> (7 * i)) as u8 & 0x7f | more;
    }
    (out, len)
}

fn put_leb128(value: usize, out: &mut Payloads) {
    let (bytes, len) = leb128(value);
    out.head(bytes.get(..len).unwrap_or_default());
}

fn read_leb128(r: &mut Reader<'_>) -> Result<usize, Damage> {
    let mut value = 0u64;
    for i in 0..8 {
        let byte = r.u8().map_err(|_| Damage::Malformed("OBU length"))?;
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return usize::try_from(value).map_err(|_| Damage::TooLarge);
        }
    }
    Err(Damage::Malformed("OBU length"))
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Depacketizer {
    /// The temporal unit, each OBU with its size.
    unit: BytesMut,
    /// What came of an OBU that goes on in the next packet.
    fragment: Vec<u8>,
    /// Whether there is one.
    fragmented: bool,
    /// The AV1CodecConfigurationRecord; empty before the first sequence header.
    config: Bytes,
    /// Whether `config` was given.
    told: bool,
    /// What this temporal unit's sequence header makes of it.
    fresh: Option<Bytes>,
    key: bool,
}

impl Depacketizer {
    pub(crate) fn new(config: Bytes) -> Depacketizer {
        Depacketizer { config, ..Depacketizer::default() }
    }

    fn element(&mut self, data: &[u8], resumed: bool, goes_on: bool) -> Result<(), Damage> {
        if resumed != self.fragmented {
            return Err(Damage::Malformed("OBU fragment"));
        }
        if self.unit.len() + self.fragment.len() + data.len() + 8 > FRAME_MAX {
            return Err(Damage::TooLarge);
        }
        self.fragmented = goes_on;
        if !resumed && !goes_on {
            return self.obu(data);
        }
        self.fragment.extend_from_slice(data);
        if goes_on {
            return Ok(());
        }
        let mut whole = std::mem::take(&mut self.fragment);
        let done = self.obu(&whole);
        whole.clear();
        self.fragment = whole; // keeps its memory
        done
    }

    fn obu(&mut self, data: &[u8]) -> Result<(), Damage> {
        const WHAT: Damage = Damage::Malformed("OBU header");
        let mut r = Reader::new(data);
        let first = r.u8().map_err(|_| WHAT)?;
        if first & 0x80 != 0 {
            return Err(WHAT); // obu_forbidden_bit
        }
        let extension = if first & 0x04 != 0 { Some(r.u8().map_err(|_| WHAT)?) } else { None };
        let size = if first & 0x02 != 0 { read_leb128(&mut r)? } else { r.left() };
        let payload = r.bytes(size).map_err(|_| Damage::Malformed("OBU size"))?;
        let obu_type = first >> 3 & 0x0f;
        if matches!(obu_type, TEMPORAL_DELIMITER | TILE_LIST) {
            return Ok(());
        }
        let start = self.unit.len();
        self.unit.put_u8(first | 0x02);
        self.unit.extend(extension);
        let (bytes, len) = leb128(size);
        self.unit.put_slice(bytes.get(..len).unwrap_or_default());
        self.unit.put_slice(payload);
        match obu_type {
            SEQUENCE_HEADER => self.sequence_header(payload, start)?,
            FRAME | FRAME_HEADER => self.key |= is_key_frame(payload),
            _ => {}
        }
        Ok(())
    }

    fn sequence_header(&mut self, payload: &[u8], start: usize) -> Result<(), Damage> {
        let obu = self.unit.get(start..).unwrap_or_default();
        self.fresh = Some(av1c::record(payload, obu)?);
        Ok(())
    }
}

/// `show_existing_frame` 0, `frame_type` KEY_FRAME (AV1 5.9.2).
fn is_key_frame(frame_header: &[u8]) -> bool {
    frame_header.first().is_some_and(|b| b & 0xe0 == 0)
}

impl Assemble for Depacketizer {
    fn begins(&self, payload: &[u8], sure: bool) -> bool {
        payload.first().is_some_and(|header| header & N != 0 || !sure && header & Z == 0)
    }

    fn push(&mut self, payload: &Bytes) -> Result<(), Damage> {
        let mut r = Reader::new(payload);
        let header = r.u8().map_err(|_| Damage::Malformed("aggregation header"))?;
        let count = header >> 4 & 0x03;
        let mut at = 0u8;
        while !r.is_empty() {
            at = at.saturating_add(1); // without a count (0) every element has a length
            let size = if count == at { r.left() } else { read_leb128(&mut r)? };
            let data = r.bytes(size).map_err(|_| Damage::Malformed("OBU length"))?;
            let resumed = at == 1 && header & Z != 0;
            let goes_on = r.is_empty() && header & Y != 0;
            if !data.is_empty() || resumed {
                self.element(data, resumed, goes_on)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn FnMut(Kind, Bytes, u32)) -> Result<(), Damage> {
        if self.fragmented {
            return Err(Damage::Malformed("OBU fragment"));
        }
        if let Some(fresh) = self.fresh.take().filter(|fresh| *fresh != self.config) {
            self.config = fresh;
            self.told = false;
        }
        if self.unit.is_empty() {
            return Ok(());
        }
        if self.config.is_empty() {
            return Err(Damage::Unconfigured);
        }
        if !std::mem::replace(&mut self.told, true) {
            out(Kind::Config, self.config.clone(), 0);
        }
        let kind = if self.key { Kind::Key } else { Kind::Inter };
        out(kind, whole(&mut self.unit), 0);
        Ok(())
    }

    fn discard(&mut self) {
        self.unit.clear();
        self.fragment.clear();
        self.fragmented = false;
        self.fresh = None;
        self.key = false;
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::hex;
    use crate::{Damage, Depacketizer, Event, Format, Incoming, Packetizer, Payloads, Unit};
    use headwater_media::codec::av1::Config;
    use headwater_media::{Codec, Kind, Time};

    /// Sequence header by SVT-AV1 with its size, and as RTP has it.
    const SIZED: &str = "0a0b 000000043cfecc02f80040";
    const BARE: &str = "08 000000043cfecc02f80040";

    fn push(payloads: &[(u64, bool, &str)]) -> Vec<Event> {
        let mut depacketizer = Depacketizer::new(Format::Av1);
        let mut out = Vec::new();
        for &(sequence, marker, payload) in payloads {
            let timestamp = 7;
            depacketizer.push(&Incoming { sequence, timestamp, marker, payload: hex(payload) }, &mut out);
        }
        out
    }

    fn units(events: &[Event]) -> Vec<(Kind, &[u8])> {
        let units = events.iter().filter_map(|event| match event {
            Event::Unit(unit) => Some((unit.kind, unit.payload.as_ref())),
            _ => None,
        });
        units.collect()
    }

    #[test]
    fn elements_with_and_without_count() {
        let key = hex(&format!("{SIZED} 3203 10aabb"));
        let counted = format!("28 0c {BARE} 30 10aabb // W=2 N=1 (4.4): the second element has no length");
        let uncounted = format!("08 0c {BARE} 04 30 10aabb // W=0: both have one");
        let sized =
            format!("08 0d {SIZED} 05 32 03 10aabb // with obu_has_size_field, which senders should not");
        for payload in [counted, uncounted, sized] {
            let events = push(&[(1, true, &payload)]);
            let [(Kind::Config, config), unit] = units(&events)[..] else { panic!("{payload}: {events:?}") };
            assert_eq!(unit, (Kind::Key, &key[..]));
            let config = Config::parse(&config.to_vec().into()).unwrap();
            assert_eq!((config.obus, config.level), (hex(SIZED), 0));
        }
    }

    #[test]
    fn an_obu_in_three_packets() {
        let first = format!("48 0c {BARE} 03 30 10aa // Y=1: the last element goes on");
        let events =
            push(&[(1, false, &first), (2, false, "d0 bb // Z=1 Y=1 W=1"), (3, true, "90 cc // Z=1")]);
        let key = hex(&format!("{SIZED} 3204 10aabbcc"));
        assert_eq!(units(&events)[1], (Kind::Key, &key[..]));
    }

    #[test]
    fn fragments_must_meet() {
        let malformed = Event::Dropped { timestamp: 7, why: Damage::Malformed("OBU fragment") };
        assert_eq!(
            push(&[(1, false, "58 30 // Y=1"), (2, true, "10 31 // Z=0")]),
            std::slice::from_ref(&malformed)
        );
        assert_eq!(push(&[(1, true, "58 30 // Y=1, and the unit ends")]), [malformed]);
        let unconfigured = Event::Dropped { timestamp: 7, why: Damage::Unconfigured };
        assert_eq!(push(&[(1, true, "10 30 30 // no sequence header")]), [unconfigured]);
    }

    #[test]
    fn a_sequence_header_goes_before_key_frames() {
        let mut packetizer = Packetizer::new(Format::Av1, 64);
        let mut payloads = Payloads::default();
        let mut send = |kind, payload: &str| {
            let unit = Unit { kind, payload: hex(payload), timestamp: 0 };
            packetizer.frame(&unit.into_frame(Codec::Av1, Time::ZERO), &mut payloads).unwrap();
            let bytes = payloads.iter().map(|payload| payload.slices().collect::<Vec<_>>().concat());
            bytes.collect::<Vec<_>>()
        };
        assert!(send(Kind::Config, &format!("81000c00 {SIZED}")).is_empty());
        let key = hex(&format!("08 0c {BARE} 03 30 10aa"));
        assert_eq!(
            send(Kind::Key, "1200 3202 10aa"),
            std::slice::from_ref(&key),
            "without the temporal delimiter"
        );
        assert_eq!(send(Kind::Key, &format!("{SIZED} 3202 10aa")), [key]);
        assert_eq!(send(Kind::Inter, "3202 30aa"), [hex("00 03 30 30aa")]);
        let cut = send(Kind::Inter, &format!("3242 30{}", "aa".repeat(65)));
        assert_eq!((cut[0][0], cut[0].len(), cut[1].clone()), (0x50, 64, hex("80 04 aaaaaaaa").to_vec()));
    }
}
