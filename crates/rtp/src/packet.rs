//! One RTP packet (RFC 3550 5.1) with its header extensions (RFC 8285).

use bytes::{BufMut, Bytes};
use headwater_media::{Reader, Short};
use std::ops::Range;
use thiserror::Error;

/// Bytes of the header without sources and extensions.
const FIXED: usize = 12;
/// `defined by profile` of one-byte extensions (RFC 8285 4.2).
const ONE_BYTE: u16 = 0xbede;
/// `defined by profile` of two-byte extensions, without its four bits for the application (RFC 8285 4.3).
const TWO_BYTE: u16 = 0x1000;

/// Whether a datagram that shares a port with RTP is RTCP (RFC 5761 4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|packet_type| (192..=223).contains(packet_type))
}

/// The fields of a header. Sources and extensions stand apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// End of a picture; for sound, begin of a talk spurt.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// Counts packets, modulo 65,536.
    pub sequence: u16,
    /// Ticks of the payload's clock, modulo 2^32.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: u32,
}

impl Header {
    /// Appends a header. The payload follows, then the padding if there is any (see [`Header::put_padding`]).
    ///
    /// Extensions are written in the one-byte form where it can say them, in the two-byte form otherwise. At most 15
    /// sources and 255 bytes an extension; what is more is an error, and nothing is written.
    pub fn put(
        &self,
        csrcs: &[u32],
        extensions: &[Extension<'_>],
        padding: bool,
        out: &mut impl BufMut,
    ) -> Result<(), PacketError> {
        if csrcs.len() > 15 {
            return Err(PacketError::Sources(csrcs.len()));
        }
        let two_byte = extensions.iter().any(Extension::needs_two_bytes);
        let words = Extension::words(extensions, two_byte)?;
        let flags = 0x80 | u8::from(padding) << 5 | u8::from(words > 0) << 4 | csrcs.len() as u8;
        out.put_u8(flags);
        out.put_u8(u8::from(self.marker) << 7 | self.payload_type & 0x7f);
        out.put_u16(self.sequence);
        out.put_u32(self.timestamp);
        out.put_u32(self.ssrc);
        csrcs.iter().for_each(|&csrc| out.put_u32(csrc));
        if words > 0 {
            out.put_u16(if two_byte { TWO_BYTE } else { ONE_BYTE });
            out.put_u16(words);
            Extension::put_all(extensions, two_byte, words, out);
        }
        Ok(())
    }

    /// Appends `count` bytes of padding, the last of which is `count`. 0 writes nothing.
    pub fn put_padding(count: u8, out: &mut impl BufMut) {
        if let Some(zeros) = count.checked_sub(1) {
            out.put_bytes(0, zeros.into());
            out.put_u8(count);
        }
    }
}

/// One header extension element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The number that SDP gave it, 1 to 255.
    pub id: u8,
    /// Its bytes.
    pub data: &'a [u8],
}

impl Extension<'_> {
    fn needs_two_bytes(&self) -> bool {
        self.id > 14 || self.data.is_empty() || self.data.len() > 16
    }

    /// Words of 32 bits that all elements take together.
    fn words(all: &[Extension<'_>], two_byte: bool) -> Result<u16, PacketError> {
        let head = 1 + usize::from(two_byte);
        let mut bytes = 0;
        for extension in all {
            if extension.id == 0 || extension.data.len() > 255 {
                return Err(PacketError::Extension { id: extension.id, len: extension.data.len() });
            }
            bytes += head + extension.data.len();
        }
        u16::try_from(bytes.div_ceil(4)).map_err(|_| PacketError::Extension { id: 0, len: bytes })
    }

    fn put_all(all: &[Extension<'_>], two_byte: bool, words: u16, out: &mut impl BufMut) {
        let mut left = usize::from(words) * 4;
        for extension in all {
            let len = extension.data.len() as u8; // at most 255, as `words` checked
            if two_byte {
                out.put_slice(&[extension.id, len]);
            } else {
                out.put_u8(extension.id << 4 | len.wrapping_sub(1) & 0x0f);
            }
            out.put_slice(extension.data);
            left -= 1 + usize::from(two_byte) + extension.data.len();
        }
        out.put_bytes(0, left);
    }
}

/// Where the parts of a header are that stands before a payload, which may still be encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The fixed fields.
    pub header: Header,
    /// Bytes of the header, with sources and extensions.
    pub bytes: usize,
    /// Whether the payload ends with padding.
    pub padded: bool,
    csrcs: Range<usize>,
    /// `defined by profile`, and where the elements are.
    extensions: Option<(u16, Range<usize>)>,
}

impl Head {
    /// Of a packet that begins with it.
    pub fn parse(data: &[u8]) -> Result<Head, PacketError> {
        let mut r = Reader::new(data);
        let [flags, second] = r.array()?;
        if flags >> 6 != 2 {
            return Err(PacketError::Version(flags >> 6));
        }
        let header = Header {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: r.u16()?,
            timestamp: r.u32()?,
            ssrc: r.u32()?,
        };
        r.skip(4 * usize::from(flags & 0x0f))?;
        let csrcs = FIXED..r.position();
        let extensions = if flags & 0x10 != 0 { Some(skip_extensions(&mut r)?) } else { None };
        Ok(Head { header, bytes: r.position(), padded: flags & 0x20 != 0, csrcs, extensions })
    }

    /// Header extensions in the one-byte and two-byte form, from the packet that was parsed; stops at the first broken
    /// one.
    pub fn extensions<'a>(&self, data: &'a [u8]) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let (profile, range) = self.extensions.clone().unwrap_or_default();
        let known = profile == ONE_BYTE || profile & 0xfff0 == TWO_BYTE;
        let data = data.get(range).filter(|_| known).unwrap_or_default();
        Elements { r: Reader::new(data), two_byte: profile != ONE_BYTE }
    }

    /// Bytes that what stands behind the header carries, without padding.
    pub fn payload(&self, rest: &[u8]) -> Result<usize, PacketError> {
        Ok(rest.len() - if self.padded { padding(rest)? } else { 0 })
    }
}

/// A packet that came: the datagram, and where its parts are. Nothing is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The fixed fields.
    pub header: Header,
    head: Head,
    data: Bytes,
    payload: Range<usize>,
}

impl Packet {
    /// From a datagram.
    pub fn parse(data: Bytes) -> Result<Packet, PacketError> {
        let head = Head::parse(&data)?;
        let count = head.payload(data.get(head.bytes..).unwrap_or_default())?;
        let payload = head.bytes..head.bytes + count;
        Ok(Packet { header: head.header, head, data, payload })
    }

    /// Contributing sources.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> {
        let sources = self.data.get(self.head.csrcs.clone()).unwrap_or_default();
        sources.as_chunks().0.iter().map(|&source| u32::from_be_bytes(source))
    }

    /// Header extensions in the one-byte and two-byte form; stops at the first broken one.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'_>> {
        self.head.extensions(&self.data)
    }

    /// One extension's bytes.
    pub fn extension(&self, id: u8) -> Option<&[u8]> {
        self.extensions().find(|extension| extension.id == id).map(|extension| extension.data)
    }

    /// What is carried, without padding. Shares the datagram.
    pub fn payload(&self) -> Bytes {
        self.data.slice(self.payload.clone()) // within, as `parse` made it
    }
}

fn skip_extensions(r: &mut Reader<'_>) -> Result<(u16, Range<usize>), Short> {
    let profile = r.u16()?;
    let words = r.u16()?;
    let start = r.position();
    r.skip(4 * usize::from(words))?;
    Ok((profile, start..r.position()))
}

/// Bytes of padding, the byte that counts them included.
fn padding(rest: &[u8]) -> Result<usize, PacketError> {
    let count = usize::from(rest.last().copied().unwrap_or_default());
    if count == 0 || count > rest.len() {
        return Err(PacketError::Padding { count, left: rest.len() });
    }
    Ok(count)
}

struct Elements<'a> {
    r: Reader<'a>,
    two_byte: bool,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Extension<'a>> {
        loop {
            let first = self.r.u8().ok()?;
            if first == 0 {
                continue; // padding between elements
            }
            let (id, len) = match self.two_byte {
                true => (first, usize::from(self.r.u8().ok()?)),
                false if first >> 4 == 15 => return None, // reserved: stop (RFC 8285 4.2)
                false => (first >> 4, usize::from(first & 0x0f) + 1),
            };
            let data = self.r.bytes(len).ok()?;
            if id != 0 {
                return Some(Extension { id, data });
            }
        }
    }
}

/// A datagram that is no RTP packet, or a header that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PacketError {
    /// It ends within the header.
    #[error("cannot parse RTP header: {0}")]
    Short(#[from] Short),
    /// Something else than RTP, or a version nobody speaks.
    #[error("cannot parse RTP header: version is {0}, not 2")]
    Version(u8),
    /// The last byte counts more padding than there is.
    #[error("cannot parse RTP packet: {count} bytes of padding in {left}")]
    Padding {
        /// What the last byte says.
        count: usize,
        /// Bytes after the header.
        left: usize,
    },
    /// More contributing sources than four bits count.
    #[error("cannot write RTP header: {0} contributing sources, at most 15")]
    Sources(usize),
    /// An extension without number, or too long.
    #[error(
        "cannot write RTP header extension {id} of {len} bytes: ids are 1 to 255, at most 255 bytes each"
    )]
    Extension {
        /// Its number.
        id: u8,
        /// Its bytes.
        len: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::hex;
    use proptest::prelude::*;

    #[test]
    fn fields_of_a_packet() {
        let data = hex(
            "b2 e0 1234 01020304 0a0b0c0d // V=2 P=1 X=1 CC=2, M=1 PT=96, sequence, timestamp, SSRC (RFC 3550 5.1)
             00000001 00000002 // CSRCs
             bede 0002 // one-byte extensions, two words (RFC 8285 4.2)
             10aa 00 22bbccdd 00 // id 1 of one byte, padding, id 2 of three bytes, padding
             cafe 000003 // payload, padding of three",
        );
        let packet = Packet::parse(data).unwrap();
        let expected = Header {
            marker: true,
            payload_type: 96,
            sequence: 0x1234,
            timestamp: 0x0102_0304,
            ssrc: 0x0a0b_0c0d,
        };
        assert_eq!(packet.header, expected);
        assert_eq!(packet.csrcs().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(packet.extension(1), Some(&[0xaa][..]));
        assert_eq!(packet.extension(2), Some(&[0xbb, 0xcc, 0xdd][..]));
        assert_eq!(packet.extension(3), None);
        assert_eq!(packet.payload().as_ref(), [0xca, 0xfe]);
    }

    #[test]
    fn two_byte_extensions() {
        let data = hex("90 00 0000 00000000 00000000 // X=1
             1000 0002 // two-byte extensions, two words (RFC 8285 4.3)
             0100 00 1e03bbccdd // id 1 empty, padding, id 30 of three bytes");
        let packet = Packet::parse(data).unwrap();
        assert_eq!(packet.extension(1), Some(&[][..]));
        assert_eq!(packet.extension(30), Some(&[0xbb, 0xcc, 0xdd][..]));
    }

    #[test]
    fn what_is_no_packet_says_why() {
        assert_eq!(Packet::parse(hex("4000")), Err(PacketError::Version(1)));
        let header = "a000 0000 00000000 00000000";
        let padded = |tail: &str| Packet::parse(hex(&format!("{header}{tail}"))).map(|p| p.payload().len());
        assert_eq!(padded(""), Err(PacketError::Padding { count: 0, left: 0 }));
        assert_eq!(padded("0003"), Err(PacketError::Padding { count: 3, left: 2 }));
        assert_eq!(padded("0002"), Ok(0));
    }

    #[test]
    fn what_cannot_be_written_says_why() {
        let mut out = Vec::new();
        let header = Header::default();
        assert_eq!(header.put(&[0; 16], &[], false, &mut out), Err(PacketError::Sources(16)));
        let unnumbered = [Extension { id: 0, data: &[1] }];
        assert!(header.put(&[], &unnumbered, false, &mut out).is_err());
        assert_eq!(out, []);
    }

    #[test]
    fn rtcp_shares_a_port() {
        assert!(is_rtcp(&[0x80, 200]));
        assert!(!is_rtcp(&[0x80, 0x80 | 96]));
        assert!(!is_rtcp(&[0x80]));
    }

    proptest! {
        #[test]
        fn the_packet_survives_a_round_trip(
            (marker, payload_type, sequence, timestamp, ssrc) in any::<(bool, u8, u16, u32, u32)>(),
            csrcs in prop::collection::vec(any::<u32>(), 0..16),
            extensions in prop::collection::vec((1u8..15, prop::collection::vec(any::<u8>(), 0..20)), 0..6),
            payload in prop::collection::vec(any::<u8>(), 0..50),
            padding in 0u8..20,
        ) {
            let header = Header { marker, payload_type: payload_type & 0x7f, sequence, timestamp, ssrc };
            let extensions: Vec<_> = extensions.iter().map(|(id, data)| Extension { id: *id, data }).collect();
            let mut out = Vec::new();
            header.put(&csrcs, &extensions, padding > 0, &mut out).unwrap();
            out.extend_from_slice(&payload);
            Header::put_padding(padding, &mut out);
            let packet = Packet::parse(out.into()).unwrap();
            prop_assert_eq!(packet.header, header);
            prop_assert_eq!(packet.csrcs().collect::<Vec<_>>(), csrcs);
            prop_assert_eq!(packet.extensions().collect::<Vec<_>>(), extensions);
            prop_assert_eq!(packet.payload(), payload);
        }

        #[test]
        fn arbitrary_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut data = data;
            if let Some(first) = data.first_mut() {
                *first = *first & 0x3f | 0x80;
            }
            if let Ok(packet) = Packet::parse(data.into()) {
                prop_assert!(packet.csrcs().count() <= 15);
                prop_assert!(packet.extensions().map(|e| e.data.len()).sum::<usize>() < 80);
                prop_assert!(packet.payload().len() < 80);
            }
        }
    }
}
