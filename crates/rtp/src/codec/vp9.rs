//! VP9 (RFC 9628). Out: one spatial and one temporal layer. In: all descriptors; the spatial layers of a picture become
//! one superframe (VP9 bitstream annex B), which decoders show as its largest picture.

use crate::depacketize::{Assemble, Damage, FRAME_MAX};
use crate::payloads::Payloads;
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
        let mut at = 0;
        while at < payload.len() {
            let next = (at + mtu - DESCRIPTOR_MAX).min(payload.len());
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
        out(if key { Kind::Key } else { Kind::Inter }, self.picture.split().freeze(), 0);
        Ok(())
    }

    fn discard(&mut self) {
        self.picture.clear();
        self.layers.clear();
        self.open = None;
    }
}
