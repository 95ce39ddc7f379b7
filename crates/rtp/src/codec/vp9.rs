//! VP9 (RFC 9628). Out: one spatial and one temporal layer. In: all descriptors; the spatial layers of a picture become
//! one superframe (VP9 bitstream annex B), which decoders show as its largest picture.

use crate::codec::whole;
use crate::depacketize::{Assemble, Damage, FRAME_MAX};
use crate::payloads::{Payloads, evenly};
use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::codec::vp9;
use headwater_media::{Kind, Reader, Short};

/// A picture id follows (4.2).
const I: u8 = 0x80;
/// Refers to earlier pictures.
const P: u8 = 0x40;
/// Layer indices follow.
const L: u8 = 0x20;
/// Flexible mode.
const F: u8 = 0x10;
/// Begin of a frame (of one spatial layer).
const B: u8 = 0x08;
/// End of a frame.
const E: u8 = 0x04;
/// A scalability structure follows.
const V: u8 = 0x02;

/// Most bytes of the descriptor we write: flags, picture id, then one reference or the scalability structure.
const DESCRIPTOR_MAX: usize = 8;
/// Most spatial layers of a picture.
const LAYERS_MAX: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct Packetizer {
    flexible: bool,
    picture: u16,
}

impl Packetizer {
    pub(crate) fn new(flexible: bool) -> Packetizer {
        Packetizer { flexible, picture: 0 }
    }

    pub(crate) fn frame(&mut self, payload: &Bytes, mtu: usize, out: &mut Payloads) {
        let source = out.share(payload);
        let key = vp9::Header::parse(payload).ok().and_then(|header| header.key);
        let size = evenly(payload.len(), mtu - DESCRIPTOR_MAX);
        let mut at = 0;
        while at < payload.len() {
            let next = (at + size).min(payload.len());
            let begin = if at == 0 { B } else { 0 };
            let end = if next == payload.len() { E } else { 0 };
            self.put_descriptor(begin | end, key, out);
            out.piece(source, at..next);
            out.end(end != 0, 0);
            at = next;
        }
        self.picture = (self.picture + 1) & 0x7fff;
    }

    /// `edges` has B and E. A key frame's first packet tells the picture size.
    fn put_descriptor(&self, edges: u8, key: Option<(u32, u32)>, out: &mut Payloads) {
        let refers = if key.is_none() { P } else { 0 };
        let flexible = if self.flexible { F } else { 0 };
        let size = key.filter(|_| edges & B != 0);
        let structure = if size.is_some() { V } else { 0 };
        let [high, low] = self.picture.to_be_bytes();
        out.head(&[I | refers | flexible | structure | edges, 0x80 | high, low]);
        if self.flexible && key.is_none() {
            out.head(&[1 << 1]); // P_DIFF 1, no other: the picture before
        }
        if let Some((width, height)) = size {
            out.head(&[0x10]); // one spatial layer, its size, no picture group
            for side in [width, height] {
                out.head(&(side as u16).to_be_bytes()); // VP9 sides have 16 bits
            }
        }
    }
}

/// What a descriptor says.
struct Descriptor {
    begin: bool,
    end: bool,
    spatial: u8,
    /// Where the data is.
    len: usize,
}

fn read(payload: &[u8]) -> Result<Descriptor, Short> {
    let mut r = Reader::new(payload);
    let flags = r.u8()?;
    if flags & I != 0 && r.u8()? & 0x80 != 0 {
        r.skip(1)?;
    }
    let mut spatial = 0;
    if flags & L != 0 {
        spatial = r.u8()? >> 1 & 0x07;
        r.skip(usize::from(flags & F == 0))?; // TL0PICIDX
    }
    if flags & F != 0 && flags & P != 0 {
        let mut references = 1;
        while r.u8()? & 0x01 != 0 && references < 3 {
            references += 1;
        }
    }
    if flags & V != 0 {
        skip_structure(&mut r)?;
    }
    Ok(Descriptor { begin: flags & B != 0, end: flags & E != 0, spatial, len: r.position() })
}

/// Scalability structure (4.2.1).
fn skip_structure(r: &mut Reader<'_>) -> Result<(), Short> {
    let head = r.u8()?;
    if head & 0x10 != 0 {
        r.skip(4 * (usize::from(head >> 5) + 1))?;
    }
    if head & 0x08 == 0 {
        return Ok(());
    }
    for _ in 0..r.u8()? {
        let references = r.u8()? >> 2 & 0x03;
        r.skip(references.into())?;
    }
    Ok(())
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Depacketizer {
    picture: BytesMut,
    /// Bytes of each finished layer frame.
    layers: Vec<usize>,
    /// Where the layer frame that is being put together begins.
    open: Option<usize>,
}

impl Depacketizer {
    /// The index that makes several frames a superframe.
    fn put_index(&mut self) {
        let largest = self.layers.iter().copied().max().unwrap_or_default();
        let magnitude = (0..4).find(|m| largest >> (8 * (m + 1)) == 0).unwrap_or(3);
        let marker = 0xc0 | (magnitude as u8) << 3 | (self.layers.len() - 1) as u8 & 0x07;
        self.picture.put_u8(marker);
        for &size in &self.layers {
            self.picture.put_uint_le(size as u64, magnitude + 1);
        }
        self.picture.put_u8(marker);
    }
}

impl Assemble for Depacketizer {
    fn begins(&self, payload: &[u8], _sure: bool) -> bool {
        read(payload).is_ok_and(|descriptor| descriptor.begin && descriptor.spatial == 0)
    }

    fn push(&mut self, payload: &Bytes) -> Result<(), Damage> {
        let descriptor = read(payload).map_err(|_| Damage::Malformed("VP9 payload descriptor"))?;
        let data = payload.get(descriptor.len..).unwrap_or_default();
        if descriptor.begin == self.open.is_some() || self.layers.len() == LAYERS_MAX {
            return Err(Damage::Malformed("order of VP9 layer frames"));
        }
        if self.picture.len() + data.len() > FRAME_MAX {
            return Err(Damage::TooLarge);
        }
        let start = *self.open.get_or_insert(self.picture.len());
        self.picture.extend_from_slice(data);
        if descriptor.end {
            self.open = None;
            self.layers.push(self.picture.len() - start);
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn FnMut(Kind, Bytes, u32)) -> Result<(), Damage> {
        if self.open.is_some() || self.layers.contains(&0) {
            return Err(Damage::Malformed("end of a VP9 picture"));
        }
        let key = vp9::Header::parse(&self.picture).is_ok_and(|header| header.key.is_some());
        if self.layers.len() > 1 {
            self.put_index();
        }
        out(if key { Kind::Key } else { Kind::Inter }, whole(&mut self.picture), 0);
        Ok(())
    }

    fn discard(&mut self) {
        self.picture.clear();
        self.layers.clear();
        self.open = None;
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::tests::hex;
    use crate::{Damage, Depacketizer, Event, Format, Incoming, Packetizer, Payloads, Unit};
    use headwater_media::{Codec, Kind, Time};

    /// The start of a key frame by libvpx, 320x180.
    const KEY: &str = "824983420013f00b360c38241c184a0005e07fcdfa3c771f";

    #[test]
    fn descriptors() {
        let at = |text| {
            let descriptor = read(&hex(text)).ok()?;
            Some((descriptor.begin, descriptor.end, descriptor.spatial, descriptor.len))
        };
        assert_eq!(at("0c"), Some((true, true, 0, 1)), "B E (RFC 9628 4.2)");
        assert_eq!(at("88 05"), Some((true, false, 0, 2)), "I: 7 bits of picture id");
        assert_eq!(at("88 8005"), Some((true, false, 0, 3)), "15 bits");
        assert_eq!(at("a4 05 02 09"), Some((false, true, 1, 4)), "L: SID 1; TL0PICIDX");
        assert_eq!(at("b8 05 02"), Some((true, false, 1, 3)), "F: no TL0PICIDX");
        assert_eq!(at("58 03 05 06"), Some((true, false, 0, 4)), "F P: three P_DIFF");
        assert_eq!(
            at("0a 38 0140 00b4 0280 0168 02 04 01 00"),
            Some((true, false, 0, 14)),
            "V: two sizes, two pictures"
        );
        assert_eq!([at(""), at("80"), at("0a 18 0140")], [None; 3]);
    }

    fn push(payloads: &[(u64, bool, &str)]) -> Vec<Event> {
        let mut depacketizer = Depacketizer::new(Format::Vp9 { flexible: false });
        let mut out = Vec::new();
        for &(sequence, marker, payload) in payloads {
            depacketizer.push(&Incoming { sequence, timestamp: 5, marker, payload: hex(payload) }, &mut out);
        }
        out
    }

    #[test]
    fn layers_become_a_superframe() {
        let base = format!("2c 00 00 {KEY} // B E, SID 0");
        let events = push(&[
            (1, false, &base),
            (2, false, "28 02 00 86 // B, SID 1"),
            (3, true, "24 02 00 aabb // E"),
        ]);
        // Superframe index (VP9 annex B): two frames, sizes of one byte.
        let payload = hex(&format!("{KEY} 86aabb c1 18 03 c1"));
        assert_eq!(events, [Event::Unit(Unit { kind: Kind::Key, payload, timestamp: 5 })]);
    }

    #[test]
    fn a_layer_without_end_is_damage() {
        let why = Damage::Malformed("end of a VP9 picture");
        assert_eq!(push(&[(1, true, "08 86")]), [Event::Dropped { timestamp: 5, why }]);
    }

    #[test]
    fn key_frames_tell_their_size() {
        let mut payloads = Payloads::default();
        for (flexible, inter) in
            [(false, "cc 8001 86aa // I P B E"), (true, "dc 8001 02 86aa // F: P_DIFF 1")]
        {
            let mut packetizer = Packetizer::new(Format::Vp9 { flexible }, 1200);
            let mut send = |kind, payload: &str| {
                let unit = Unit { kind, payload: hex(payload), timestamp: 0 };
                packetizer.frame(&unit.into_frame(Codec::Vp9, Time::ZERO), &mut payloads).unwrap();
                payloads
                    .iter()
                    .flat_map(|payload| payload.slices().collect::<Vec<_>>().concat())
                    .collect::<Vec<_>>()
            };
            let flags = if flexible { "9e" } else { "8e" };
            assert_eq!(
                send(Kind::Key, KEY),
                hex(&format!("{flags} 8000 10 0140 00b4 {KEY} // V: Y=1, 320x180"))
            );
            assert_eq!(send(Kind::Inter, "86aa"), hex(inter));
        }
    }
}
