//! H.264 (RFC 6184) and HEVC (RFC 7798): one design, two headers. Single NAL units, aggregation packets (STAP-A, AP) and
//! fragments (FU-A, FU). Not spoken: interleaving (STAP-B, MTAP, FU-B), PACI and decoding order numbers.

use crate::codec::whole;
use crate::depacketize::{Assemble, Damage, FRAME_MAX};
use crate::packetize::PacketizeError;
use crate::payloads::{Payloads, evenly};
use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::codec::{avc, hevc};
use headwater_media::{Kind, Reader};
use std::ops::Range;

/// Most parameter sets of one type in one frame.
const SETS_MAX: usize = 32;

/// Whose NAL units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    H264,
    Hevc,
}

/// What a NAL unit is to RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Delimiter,
    /// VPS 0, SPS 1, PPS 2.
    Set(usize),
    Other,
}

impl Syntax {
    /// Bytes of a NAL unit's header.
    fn head(self) -> usize {
        match self {
            Syntax::H264 => 1,
            Syntax::Hevc => 2,
        }
    }

    fn nal_type(self, unit: &[u8]) -> u8 {
        match self {
            Syntax::H264 => avc::nal_type(unit),
            Syntax::Hevc => hevc::nal_type(unit),
        }
    }

    /// Type of an aggregation packet: STAP-A (RFC 6184 5.7.1), AP (RFC 7798 4.4.2).
    fn aggregate(self) -> u8 {
        match self {
            Syntax::H264 => 24,
            Syntax::Hevc => 48,
        }
    }

    /// Type of a fragment: FU-A (RFC 6184 5.8), FU (RFC 7798 4.4.3).
    fn fragment(self) -> u8 {
        match self {
            Syntax::H264 => 28,
            Syntax::Hevc => 49,
        }
    }

    /// Whether a NAL unit can stand alone: the types above are RTP's own.
    fn is_unit(self, nal_type: u8) -> bool {
        match self {
            Syntax::H264 => (1..24).contains(&nal_type),
            Syntax::Hevc => nal_type < 48,
        }
    }

    /// Supplemental enhancement information of H.264; nobody asks to leave out HEVC's.
    fn is_sei(self, nal_type: u8) -> bool {
        self == Syntax::H264 && nal_type == avc::SEI
    }

    fn role(self, nal_type: u8) -> Role {
        match (self, nal_type) {
            (Syntax::H264, avc::AUD) | (Syntax::Hevc, hevc::AUD) => Role::Delimiter,
            (Syntax::Hevc, hevc::VPS) => Role::Set(0),
            (Syntax::H264, avc::SPS) | (Syntax::Hevc, hevc::SPS) => Role::Set(1),
            (Syntax::H264, avc::PPS) | (Syntax::Hevc, hevc::PPS) => Role::Set(2),
            _ => Role::Other,
        }
    }

    /// Replaces the type in a header.
    fn retype(self, [first, second]: [u8; 2], nal_type: u8) -> [u8; 2] {
        match self {
            Syntax::H264 => [first & 0xe0 | nal_type & 0x1f, second],
            Syntax::Hevc => [first & 0x81 | (nal_type & 0x3f) << 1, second],
        }
    }

    /// An aggregation packet's header: forbidden bits together; the highest NRI (RFC 6184 5.7), the lowest layer and
    /// temporal id (RFC 7798 4.4.2).
    fn aggregate_header(self, units: &[Unit]) -> [u8; 2] {
        let heads = || units.iter().map(|unit| unit.head);
        let forbidden = heads().fold(0, |bits, [first, _]| bits | first & 0x80);
        match self {
            Syntax::H264 => {
                let nri = heads().map(|[first, _]| first & 0x60).max().unwrap_or_default();
                [forbidden | nri | self.aggregate(), 0]
            }
            Syntax::Hevc => {
                let layer =
                    heads().map(|[first, second]| (first & 1) << 5 | second >> 3).min().unwrap_or_default();
                let temporal = heads().map(|[_, second]| second & 7).min().unwrap_or(1);
                [forbidden | self.aggregate() << 1 | layer >> 5, layer << 3 | temporal]
            }
        }
    }

    fn is_key(self, payload: &[u8]) -> bool {
        match self {
            Syntax::H264 => avc::is_key(payload, 4),
            Syntax::Hevc => hevc::is_key(payload, 4),
        }
    }
}

/// Where a NAL unit is.
#[derive(Clone, Debug)]
struct Unit {
    source: usize,
    range: Range<usize>,
    /// Its first two bytes.
    head: [u8; 2],
}

#[derive(Clone, Debug)]
pub(crate) struct Packetizer {
    syntax: Syntax,
    single: bool,
    /// Bytes of the lengths in frames.
    length_size: u8,
    /// VPS, SPS and PPS, in this order.
    sets: Vec<Bytes>,
    /// Small units that may share a packet.
    pending: Vec<Unit>,
    /// Whether supplemental enhancement information of H.264 is sent.
    sei: bool,
}

impl Packetizer {
    pub(crate) fn new(syntax: Syntax, single: bool) -> Packetizer {
        Packetizer { syntax, single, length_size: 4, sets: Vec::new(), pending: Vec::new(), sei: true }
    }

    pub(crate) fn leave_out_sei(&mut self) {
        self.sei = false;
    }

    pub(crate) fn configure(&mut self, record: &Bytes) -> Result<(), PacketizeError> {
        match self.syntax {
            Syntax::H264 => {
                let config = avc::Config::parse(record)?;
                self.length_size = config.length_size;
                self.sets = config.sps.into_iter().chain(config.pps).collect();
            }
            Syntax::Hevc => {
                let config = hevc::Config::parse(record)?;
                self.length_size = config.length_size;
                self.sets = config.parameter_sets().cloned().collect();
            }
        }
        Ok(())
    }

    pub(crate) fn frame(
        &mut self,
        key: bool,
        payload: &Bytes,
        mtu: usize,
        out: &mut Payloads,
    ) -> Result<(), PacketizeError> {
        self.pending.clear();
        if key && !self.brings_sets(payload) {
            for at in 0..self.sets.len() {
                let Some(set) = self.sets.get(at) else { break };
                let source = out.share(set);
                let range = 0..set.len();
                let unit = self.unit(source, set, range);
                self.send(unit, mtu, out)?;
            }
        }
        let source = out.share(payload);
        for range in units(payload, self.length_size) {
            let unit = self.unit(source, payload, range);
            self.send(unit, mtu, out)?;
        }
        self.flush(out);
        out.mark_last();
        Ok(())
    }

    /// Whether a key frame has a sequence and a picture parameter set of its own.
    fn brings_sets(&self, payload: &[u8]) -> bool {
        let has = |wanted| {
            units(payload, self.length_size).any(|range| {
                let unit = payload.get(range).unwrap_or_default();
                self.syntax.role(self.syntax.nal_type(unit)) == Role::Set(wanted)
            })
        };
        has(1) && has(2)
    }

    /// `None` for what is not sent: delimiters, supplemental information if it is left out, types that RTP uses for itself, units without header.
    fn unit(&self, source: usize, bytes: &[u8], range: Range<usize>) -> Option<Unit> {
        let bytes = bytes.get(range.clone())?;
        let nal_type = self.syntax.nal_type(bytes);
        let sent = bytes.len() >= self.syntax.head()
            && self.syntax.is_unit(nal_type)
            && self.syntax.role(nal_type) != Role::Delimiter
            && (self.sei || !self.syntax.is_sei(nal_type));
        let head = [bytes.first().copied()?, bytes.get(1).copied().unwrap_or_default()];
        sent.then_some(Unit { source, range, head })
    }

    fn send(&mut self, unit: Option<Unit>, mtu: usize, out: &mut Payloads) -> Result<(), PacketizeError> {
        let Some(unit) = unit else { return Ok(()) };
        let len = unit.range.len();
        if self.single && len > mtu {
            return Err(PacketizeError::TooLarge { what: "NAL unit (packetization mode 0)", len, max: mtu });
        }
        if len > mtu {
            self.flush(out);
            self.send_fragments(&unit, mtu, out);
            return Ok(());
        }
        let together: usize = self.pending.iter().map(|unit| 2 + unit.range.len()).sum();
        if self.single || self.syntax.head() + together + 2 + len > mtu {
            self.flush(out);
        }
        self.pending.push(unit);
        Ok(())
    }

    /// Sends the pending units: one as it is, more in an aggregation packet.
    fn flush(&mut self, out: &mut Payloads) {
        let Some(first) = self.pending.first() else { return };
        if self.pending.len() == 1 {
            out.piece(first.source, first.range.clone());
        } else {
            let header = self.syntax.aggregate_header(&self.pending);
            out.head(header.get(..self.syntax.head()).unwrap_or_default());
            for unit in &self.pending {
                out.head(&(unit.range.len() as u16).to_be_bytes()); // an MTU has 16 bits at most
                out.piece(unit.source, unit.range.clone());
            }
        }
        out.end(false, 0);
        self.pending.clear();
    }

    fn send_fragments(&self, unit: &Unit, mtu: usize, out: &mut Payloads) {
        let head = self.syntax.head();
        let [first, second] = self.syntax.retype(unit.head, self.syntax.fragment());
        let nal_type = self.syntax.nal_type(&unit.head);
        let mut at = unit.range.start + head;
        let size = evenly(unit.range.end - at, mtu - head - 1);
        let mut start = 0x80;
        while at < unit.range.end {
            let next = (at + size).min(unit.range.end);
            let end = if next == unit.range.end { 0x40 } else { 0 };
            match self.syntax {
                Syntax::H264 => out.head(&[first, start | end | nal_type]),
                Syntax::Hevc => out.head(&[first, second, start | end | nal_type]),
            };
            out.piece(unit.source, at..next);
            out.end(false, 0);
            (at, start) = (next, 0);
        }
    }
}

/// Where the NAL units of a frame are; stops at the first broken length.
fn units(payload: &[u8], length_size: u8) -> impl Iterator<Item = Range<usize>> {
    let mut r = Reader::new(payload);
    std::iter::from_fn(move || {
        let length = r.bytes(length_size.into()).ok()?;
        let length = length.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
        let start = r.position();
        r.skip(length).ok()?;
        Some(start..start + length)
    })
}

#[derive(Clone, Debug)]
pub(crate) struct Depacketizer {
    syntax: Syntax,
    /// The frame, each unit after a length of four bytes.
    frame: BytesMut,
    /// Where the unit that comes in fragments has its length.
    fragment: Option<usize>,
    /// VPS, SPS and PPS of this frame.
    fresh: [Vec<Bytes>; 3],
    /// VPS, SPS and PPS of the stream.
    sets: [Vec<Bytes>; 3],
    /// The record of `sets`.
    config: Bytes,
    /// Whether `config` is still to be given.
    told: bool,
}

impl Depacketizer {
    /// `config` is the record from SDP, empty without.
    pub(crate) fn new(syntax: Syntax, config: Bytes) -> Depacketizer {
        let sets = match syntax {
            Syntax::H264 => avc::Config::parse(&config).ok().map(|c| [Vec::new(), c.sps, c.pps]),
            Syntax::Hevc => hevc::Config::parse(&config).ok().map(|c| {
                [hevc::VPS, hevc::SPS, hevc::PPS].map(|nal_type| c.units(nal_type).cloned().collect())
            }),
        };
        let mut this = Depacketizer {
            syntax,
            frame: BytesMut::new(),
            fragment: None,
            fresh: Default::default(),
            sets: sets.unwrap_or_default(),
            config: Bytes::new(),
            told: true,
        };
        this.configure();
        this
    }

    /// Makes the record anew. Lengths in our frames have four bytes, whatever SDP's record said.
    fn configure(&mut self) {
        let [vps, sps, pps] = self.sets.clone();
        let config = match self.syntax {
            Syntax::H264 => avc::Config::from_parameter_sets(sps, pps).map(|c| c.write()),
            Syntax::Hevc => hevc::Config::from_parameter_sets(vps, sps, pps).map(|c| c.write()),
        };
        if let Some(config) = config.filter(|config| *config != self.config) {
            self.config = config;
            self.told = false;
        }
    }

    fn aggregate(&mut self, payload: &[u8]) -> Result<(), Damage> {
        let mut r = Reader::new(payload);
        let short = |_| Damage::Malformed("aggregation packet");
        r.skip(self.syntax.head()).map_err(short)?;
        while !r.is_empty() {
            let length = r.u16().map_err(short)?;
            self.whole_unit(r.bytes(length.into()).map_err(short)?)?;
        }
        Ok(())
    }

    fn fragment(&mut self, payload: &[u8]) -> Result<(), Damage> {
        const WHAT: Damage = Damage::Malformed("fragment");
        let head = self.syntax.head();
        let (&fu, body) = payload.get(head..).and_then(<[u8]>::split_first).ok_or(WHAT)?;
        let (start, end) = (fu & 0x80 != 0, fu & 0x40 != 0);
        if start == self.fragment.is_some() {
            return Err(WHAT); // a unit begins before the last one ended, or goes on without a begin
        }
        self.check_room(body.len())?;
        if start {
            let first =
                [payload.first().copied().unwrap_or_default(), payload.get(1).copied().unwrap_or_default()];
            let mask = if self.syntax == Syntax::H264 { 0x1f } else { 0x3f };
            let header = self.syntax.retype(first, fu & mask);
            self.fragment = Some(self.frame.len());
            self.frame.put_u32(0);
            self.frame.put_slice(header.get(..head).unwrap_or_default());
        }
        self.frame.put_slice(body);
        match self.fragment {
            Some(at) if end => self.end_fragments(at),
            _ => Ok(()),
        }
    }

    /// Writes the length of the unit that began at `at`, or takes it out when it is none of the frame.
    fn end_fragments(&mut self, at: usize) -> Result<(), Damage> {
        self.fragment = None;
        let body = self.frame.get(at + 4..).unwrap_or_default();
        let nal_type = self.syntax.nal_type(body);
        if !self.syntax.is_unit(nal_type) {
            return Err(Damage::Malformed("fragment's type"));
        }
        if self.syntax.role(nal_type) != Role::Other {
            let unit = Bytes::copy_from_slice(body);
            self.frame.truncate(at);
            return self.whole_unit(&unit);
        }
        let length = (body.len() as u32).to_be_bytes(); // at most FRAME_MAX
        if let Some(place) = self.frame.get_mut(at..at + 4) {
            place.copy_from_slice(&length);
        }
        Ok(())
    }

    fn whole_unit(&mut self, unit: &[u8]) -> Result<(), Damage> {
        let nal_type = self.syntax.nal_type(unit);
        if unit.len() < self.syntax.head() || !self.syntax.is_unit(nal_type) {
            return Err(Damage::Malformed("NAL unit header"));
        }
        if self.fragment.is_some() {
            return Err(Damage::Malformed("fragment without end"));
        }
        self.check_room(unit.len())?;
        match self.syntax.role(nal_type) {
            Role::Delimiter => {}
            Role::Set(which) => self.gather(which, unit)?,
            Role::Other => {
                self.frame.put_u32(unit.len() as u32);
                self.frame.put_slice(unit);
            }
        }
        Ok(())
    }

    fn gather(&mut self, which: usize, unit: &[u8]) -> Result<(), Damage> {
        let Some(sets) = self.fresh.get_mut(which) else { return Ok(()) };
        if sets.iter().any(|set| set == unit) {
            return Ok(());
        }
        if sets.len() == SETS_MAX {
            return Err(Damage::Malformed("number of parameter sets"));
        }
        sets.push(Bytes::copy_from_slice(unit));
        Ok(())
    }

    fn check_room(&self, more: usize) -> Result<(), Damage> {
        let fits = self.frame.len() + more + 8 <= FRAME_MAX;
        if fits { Ok(()) } else { Err(Damage::TooLarge) }
    }

    /// Takes over this frame's parameter sets, type by type.
    fn adopt(&mut self) {
        if self.fresh.iter().all(Vec::is_empty) {
            return;
        }
        for (old, new) in self.sets.iter_mut().zip(&mut self.fresh) {
            if !new.is_empty() {
                *old = std::mem::take(new);
            }
        }
        self.configure();
    }

    /// The first NAL unit's type and its bytes after the header; `None` for the middle of a fragmented one.
    fn first_unit<'a>(&self, payload: &'a [u8]) -> Option<(u8, &'a [u8])> {
        let head = self.syntax.head();
        let nal_type = self.syntax.nal_type(payload);
        if nal_type == self.syntax.aggregate() {
            let unit = payload.get(head + 2..)?;
            return Some((self.syntax.nal_type(unit), unit.get(head..)?));
        }
        if nal_type == self.syntax.fragment() {
            let (&fu, body) = payload.get(head..)?.split_first()?;
            let mask = if self.syntax == Syntax::H264 { 0x1f } else { 0x3f };
            return (fu & 0x80 != 0).then_some((fu & mask, body));
        }
        Some((nal_type, payload.get(head..)?))
    }
}

impl Assemble for Depacketizer {
    /// An access unit begins with its delimiter or the first of its parameter sets (H.264 7.4.1.2.3, HEVC 7.4.2.4.4).
    /// Else it may with its first slice, or what comes before that.
    fn begins(&self, payload: &[u8], sure: bool) -> bool {
        let Some((nal_type, body)) = self.first_unit(payload) else { return false };
        match (self.syntax, nal_type) {
            (Syntax::H264, avc::AUD | avc::SPS) | (Syntax::Hevc, hevc::AUD | hevc::VPS) => true,
            _ if sure => false,
            (Syntax::H264, 1..=5) => body.first().is_some_and(|b| b & 0x80 != 0), // first_mb_in_slice 0
            (Syntax::Hevc, 0..=31) => body.first().is_some_and(|b| b & 0x80 != 0), // first_slice_segment_in_pic_flag
            _ => true,
        }
    }

    fn push(&mut self, payload: &Bytes) -> Result<(), Damage> {
        let nal_type = self.syntax.nal_type(payload);
        if nal_type == self.syntax.aggregate() {
            self.aggregate(payload)
        } else if nal_type == self.syntax.fragment() {
            self.fragment(payload)
        } else if self.syntax.is_unit(nal_type) {
            self.whole_unit(payload)
        } else {
            Err(Damage::Unsupported("an interleaved or extended packet type"))
        }
    }

    fn finish(&mut self, out: &mut dyn FnMut(Kind, Bytes, u32)) -> Result<(), Damage> {
        if self.fragment.is_some() {
            return Err(Damage::Malformed("fragment without end"));
        }
        self.adopt();
        if self.config.is_empty() {
            return if self.frame.is_empty() { Ok(()) } else { Err(Damage::Unconfigured) };
        }
        if !std::mem::replace(&mut self.told, true) {
            out(Kind::Config, self.config.clone(), 0);
        }
        if !self.frame.is_empty() {
            let kind = if self.syntax.is_key(&self.frame) { Kind::Key } else { Kind::Inter };
            out(kind, whole(&mut self.frame), 0);
        }
        Ok(())
    }

    fn discard(&mut self) {
        self.frame.clear();
        self.fragment = None;
        self.fresh.iter_mut().for_each(Vec::clear);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{avc_config, hevc_config, hex};
    use crate::{Damage, Depacketizer, Event, Format, Incoming, Packetizer, Payloads, Unit};
    use bytes::Bytes;
    use headwater_media::codec::avc;
    use headwater_media::{Codec, Frame, Kind, Time};

    const H264: Format = Format::H264 { single: false };

    fn push(depacketizer: &mut Depacketizer, packets: &[(u64, u32, bool, &str)]) -> Vec<Event> {
        let mut out = Vec::new();
        for &(sequence, timestamp, marker, payload) in packets {
            depacketizer.push(&Incoming { sequence, timestamp, marker, payload: hex(payload) }, &mut out);
        }
        out
    }

    fn unit(kind: Kind, payload: Bytes, timestamp: u32) -> Event {
        Event::Unit(Unit { kind, payload, timestamp })
    }

    fn frame(codec: Codec, kind: Kind, payload: &str) -> Frame {
        Unit { kind, payload: hex(payload), timestamp: 0 }.into_frame(codec, Time::ZERO)
    }

    fn sent(packetizer: &mut Packetizer, frame: &Frame) -> Vec<Vec<u8>> {
        let mut payloads = Payloads::default();
        packetizer.frame(frame, &mut payloads).unwrap();
        let markers: Vec<bool> = payloads.iter().map(|payload| payload.marker).collect();
        assert!(
            markers.iter().rev().enumerate().all(|(at, &marker)| marker == (at == 0)),
            "only the last is marked"
        );
        payloads.iter().map(|payload| payload.slices().collect::<Vec<_>>().concat()).collect()
    }

    #[test]
    fn h264_fields() {
        let mut depacketizer = Depacketizer::new(H264);
        let out = push(
            &mut depacketizer,
            &[
                (
                    1,
                    0,
                    false,
                    "78 0009 6742c00ada0280bfe5 0004 68ce3c80 // STAP-A, NRI 3 (RFC 6184 5.7.1): SPS, PPS",
                ),
                (2, 0, false, "7c 85 8884 // FU-A (5.8): start, type 5"),
                (3, 0, false, "7c 05 0010 // middle"),
                (4, 0, true, "7c 45 20 // end"),
                (5, 9, true, "09f0 // AUD alone: no picture"),
                (6, 18, true, "419a // single NAL unit (5.6)"),
            ],
        );
        let expected = [
            unit(Kind::Config, avc_config(), 0),
            unit(Kind::Key, hex("00000006 65 8884 0010 20"), 0),
            unit(Kind::Inter, hex("00000002 419a"), 18),
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn hevc_fields() {
        let mut depacketizer = Depacketizer::configured(Format::Hevc, hevc_config());
        let out = push(
            &mut depacketizer,
            &[
                (1, 0, false, "6001 0003 4e0105 0003 460150 // AP (RFC 7798 4.4.2): SEI, AUD"),
                (2, 0, false, "6201 93 af // FU (4.4.3): start, type 19"),
                (3, 0, true, "6201 53 0b // end"),
                (4, 9, true, "0201d0 // single NAL unit (4.4.1)"),
                (5, 18, true, "6401 00 // PACI (4.4.4)"),
            ],
        );
        let unsupported = Damage::Unsupported("an interleaved or extended packet type");
        let expected = [
            unit(Kind::Config, hevc_config(), 0),
            unit(Kind::Key, hex("00000003 4e0105 00000004 2601 af0b"), 0),
            unit(Kind::Inter, hex("00000003 0201d0"), 9),
            Event::Dropped { timestamp: 18, why: unsupported },
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn small_units_share_a_packet_and_large_ones_are_cut() {
        let mut packetizer = Packetizer::new(H264, 64);
        let config = Unit { kind: Kind::Config, payload: avc_config(), timestamp: 0 };
        assert!(sent(&mut packetizer, &config.into_frame(Codec::H264, Time::ZERO)).is_empty());
        let slice = "00".repeat(64);
        let key = frame(Codec::H264, Kind::Key, &format!("00000002 09f0 00000002 0605 00000041 65{slice}"));
        let payloads = sent(&mut packetizer, &key);
        assert_eq!(
            payloads[0],
            hex("78 0009 6742c00ada0280bfe5 0004 68ce3c80 0002 0605"),
            "the AUD is left out"
        );
        assert_eq!((payloads[1][..3].to_vec(), payloads[1].len()), (hex("7c8500").to_vec(), 34));
        assert_eq!((payloads[2][..3].to_vec(), payloads[2].len()), (hex("7c4500").to_vec(), 34));
    }

    #[test]
    fn parameter_sets_in_a_frame_are_not_doubled() {
        let mut packetizer = Packetizer::new(H264, 64);
        let config = Unit { kind: Kind::Config, payload: avc_config(), timestamp: 0 };
        sent(&mut packetizer, &config.into_frame(Codec::H264, Time::ZERO));
        let key = frame(Codec::H264, Kind::Key, "00000004 6742c00b 00000002 68cf 00000001 65");
        assert_eq!(sent(&mut packetizer, &key), [hex("78 0004 6742c00b 0002 68cf 0001 65")]);
    }

    #[test]
    fn supplemental_information_can_be_left_out() {
        let mut packetizer = Packetizer::new(H264, 64).without_sei();
        let two = frame(Codec::H264, Kind::Inter, "00000002 0605 00000002 419a");
        assert_eq!(sent(&mut packetizer, &two), [hex("419a")]);
        assert!(sent(&mut packetizer, &frame(Codec::H264, Kind::Inter, "00000002 0605")).is_empty());
    }

    #[test]
    fn mode_0_sends_whole_units_only() {
        let mut packetizer = Packetizer::new(Format::H264 { single: true }, 64);
        let two = frame(Codec::H264, Kind::Inter, "00000002 0605 00000002 419a");
        assert_eq!(sent(&mut packetizer, &two), [hex("0605"), hex("419a")]);
        let large = frame(Codec::H264, Kind::Inter, &format!("00000041 41{}", "00".repeat(64)));
        let mut payloads = Payloads::default();
        assert!(packetizer.frame(&large, &mut payloads).is_err());
        assert!(payloads.is_empty());
    }

    #[test]
    fn lengths_are_as_the_record_says() {
        let mut config = avc::Config::parse(&avc_config()).unwrap();
        config.length_size = 2;
        let mut packetizer = Packetizer::new(H264, 64);
        let config = Unit { kind: Kind::Config, payload: config.write(), timestamp: 0 };
        sent(&mut packetizer, &config.into_frame(Codec::H264, Time::ZERO));
        assert_eq!(sent(&mut packetizer, &frame(Codec::H264, Kind::Inter, "0002 419a")), [hex("419a")]);
    }

    #[test]
    fn a_hole_drops_its_frame_and_a_doubtful_next_one() {
        let mut depacketizer = Depacketizer::configured(H264, avc_config());
        let out = push(
            &mut depacketizer,
            &[
                (1, 0, true, "6588"),
                (2, 10, false, "5c 81 88 // start of a slice"),
                (4, 10, true, "5c 41 88 // its end; the middle is missing"),
                (6, 20, true, "419a // was it the first?"),
                (7, 30, true, "419b"),
                (9, 40, false, "67 42c00ada0280bfe5 // begins an access unit for sure"),
                (10, 40, true, "6588"),
            ],
        );
        let dropped = |timestamp| Event::Dropped { timestamp, why: Damage::Missing };
        let expected = [
            unit(Kind::Config, avc_config(), 0),
            unit(Kind::Key, hex("00000002 6588"), 0),
            Event::Lost { packets: 1 },
            dropped(10),
            Event::Lost { packets: 1 },
            dropped(20),
            unit(Kind::Inter, hex("00000002 419b"), 30),
            Event::Lost { packets: 1 },
            unit(Kind::Key, hex("00000002 6588"), 40),
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn a_stream_joined_in_the_middle_waits_for_its_configuration() {
        let out = push(&mut Depacketizer::new(H264), &[(1, 0, true, "5c 01 88"), (2, 9, true, "419a")]);
        let expected = [
            Event::Dropped { timestamp: 0, why: Damage::Missing },
            Event::Dropped { timestamp: 9, why: Damage::Unconfigured },
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn a_new_configuration_is_told_once() {
        let mut depacketizer = Depacketizer::configured(H264, avc_config());
        let sets = "78 0009 6742c014da0280bfe5 0004 68ce3c80 0002 6588 // another level";
        let out = push(&mut depacketizer, &[(1, 0, true, "6588"), (2, 9, true, sets), (3, 18, true, sets)]);
        let configs: Vec<bool> =
            out.iter().map(|event| matches!(event, Event::Unit(Unit { kind: Kind::Config, .. }))).collect();
        assert_eq!(configs, [true, false, true, false, false]);
    }

    #[test]
    fn fragments_out_of_order_are_damage() {
        for second in ["7c 85 00 // a second start", "419a // another unit before the end"] {
            let mut depacketizer = Depacketizer::configured(H264, avc_config());
            let out = push(&mut depacketizer, &[(1, 0, false, "7c 85 88"), (2, 0, true, second)]);
            assert!(matches!(out[..], [Event::Dropped { why: Damage::Malformed(_), .. }]), "{out:?}");
        }
    }
}
