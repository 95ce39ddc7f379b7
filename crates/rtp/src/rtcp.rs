//! RTCP: compound packets (RFC 3550 6), feedback (RFC 4585, RFC 5104) and transport-wide congestion feedback
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01).
//!
//! Not here: when to send what, extended reports (RFC 3611), application packets; those come out as [`Rtcp::Other`].

mod transport;

pub use transport::TransportFeedback;

use bytes::BufMut;
use headwater_media::{Reader, Short};
use thiserror::Error;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SDES: u8 = 202;
const BYE: u8 = 203;
/// Transport layer feedback (RFC 4585 6.2).
const RTPFB: u8 = 205;
/// Payload-specific feedback (RFC 4585 6.3).
const PSFB: u8 = 206;

/// Feedback message types, in the place of the count.
const NACK: u8 = 1;
const TRANSPORT_CC: u8 = 15;
const PLI: u8 = 1;
const FIR: u8 = 4;
const ALFB: u8 = 15;

/// SDES item: canonical name.
pub const CNAME: u8 = 1;

/// Most entries that five bits count.
const COUNT_MAX: usize = 31;

/// Most words of 32 bits that follow a header: its length has 16 bits.
const WORDS_MAX: usize = u16::MAX as usize;

/// One RTCP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rtcp {
    /// SR (6.4.1).
    SenderReport {
        /// Who sends.
        ssrc: u32,
        /// What was sent.
        info: SenderInfo,
        /// What was received, at most 31.
        blocks: Vec<ReportBlock>,
    },
    /// RR (6.4.2).
    ReceiverReport {
        /// Who receives.
        ssrc: u32,
        /// What was received, at most 31.
        blocks: Vec<ReportBlock>,
    },
    /// SDES (6.5), at most 31 chunks.
    Description(Vec<Chunk>),
    /// BYE (6.6).
    Bye {
        /// Who leaves, at most 31.
        ssrcs: Vec<u32>,
        /// Why, at most 255 bytes; empty for no reason.
        reason: String,
    },
    /// Generic NACK (RFC 4585 6.2.1).
    Nack {
        /// Who asks.
        sender: u32,
        /// Whose packets.
        media: u32,
        /// Sequence numbers, in the order in which they are asked for.
        lost: Vec<u16>,
    },
    /// Picture loss indication (RFC 4585 6.3.1).
    Pli {
        /// Who asks.
        sender: u32,
        /// Whose picture.
        media: u32,
    },
    /// Full intra request (RFC 5104 4.3.1).
    Fir {
        /// Who asks.
        sender: u32,
        /// Whose picture, with a number that goes up with each new request.
        requests: Vec<(u32, u8)>,
    },
    /// Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03).
    Remb {
        /// Who asks.
        sender: u32,
        /// Bits a second, of all sources together.
        bitrate: u64,
        /// Which sources, at most 255.
        ssrcs: Vec<u32>,
    },
    /// Transport-wide congestion feedback.
    TransportFeedback(TransportFeedback),
    /// A packet of another type.
    Other {
        /// PT.
        packet_type: u8,
        /// The five bits of count or format.
        count: u8,
    },
}

/// What a sender tells of its stream (RFC 3550 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall clock, 32.32 fixed point since 1900.
    pub ntp: u64,
    /// RTP timestamp of the same moment.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub bytes: u32,
}

/// What a receiver tells of one source (RFC 3550 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Loss since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost altogether; 24 bits, negative with duplicates.
    pub lost: i32,
    /// Highest sequence number, with the count of wraps above it.
    pub highest: u32,
    /// Interarrival jitter in ticks.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time of the last sender report; 0 for none.
    pub last_report: u32,
    /// Time since it came, in 65,536ths of a second.
    pub delay: u32,
}

/// What SDES says of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The source.
    pub ssrc: u32,
    /// Item types with their texts, at most 255 bytes each; [`CNAME`] is always sent.
    pub items: Vec<(u8, String)>,
}

/// A datagram that is no RTCP, or an RTCP packet that breaks its specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RtcpError {
    /// It ends too early.
    #[error("cannot parse RTCP: {0}")]
    Short(#[from] Short),
    /// Not RTCP, or a version nobody speaks.
    #[error("cannot parse RTCP: version is {0}, not 2")]
    Version(u8),
    /// The last byte counts more padding than there is.
    #[error("cannot parse RTCP: {0} bytes of padding in a shorter packet")]
    Padding(usize),
}

/// The packets of a datagram, in order. Reduced-size ones (RFC 5506) are fine. Ends after the first error.
pub fn parse(datagram: &[u8]) -> impl Iterator<Item = Result<Rtcp, RtcpError>> {
    let mut r = Reader::new(datagram);
    let mut broken = false;
    std::iter::from_fn(move || {
        if broken || r.is_empty() {
            return None;
        }
        let packet = parse_one(&mut r);
        broken = packet.is_err();
        Some(packet)
    })
}

fn parse_one(r: &mut Reader<'_>) -> Result<Rtcp, RtcpError> {
    let [flags, packet_type] = r.array()?;
    if flags >> 6 != 2 {
        return Err(RtcpError::Version(flags >> 6));
    }
    let words = r.u16()?;
    let mut body = r.bytes(4 * usize::from(words))?;
    if flags & 0x20 != 0 {
        let padding = usize::from(body.last().copied().unwrap_or_default());
        let used = body.len().checked_sub(padding).filter(|_| padding > 0);
        body = used.and_then(|used| body.get(..used)).ok_or(RtcpError::Padding(padding))?;
    }
    read_body(packet_type, flags & 0x1f, &mut Reader::new(body))
}

fn read_body(packet_type: u8, count: u8, r: &mut Reader<'_>) -> Result<Rtcp, RtcpError> {
    Ok(match (packet_type, count) {
        (SENDER_REPORT, _) => {
            let ssrc = r.u32()?;
            let info = SenderInfo { ntp: r.u64()?, timestamp: r.u32()?, packets: r.u32()?, bytes: r.u32()? };
            Rtcp::SenderReport { ssrc, info, blocks: read_blocks(count, r)? }
        }
        (RECEIVER_REPORT, _) => Rtcp::ReceiverReport { ssrc: r.u32()?, blocks: read_blocks(count, r)? },
        (SDES, _) => Rtcp::Description((0..count).map(|_| read_chunk(r)).collect::<Result<_, _>>()?),
        (BYE, _) => {
            let ssrcs = (0..count).map(|_| r.u32()).collect::<Result<_, _>>()?;
            let reason = if r.is_empty() { String::new() } else { read_text(r)? };
            Rtcp::Bye { ssrcs, reason }
        }
        (RTPFB, NACK) => Rtcp::Nack { sender: r.u32()?, media: r.u32()?, lost: read_nack(r)? },
        (RTPFB, TRANSPORT_CC) => Rtcp::TransportFeedback(transport::read(r)?),
        (PSFB, PLI) => Rtcp::Pli { sender: r.u32()?, media: r.u32()? },
        (PSFB, FIR) => Rtcp::Fir { sender: r.u32()?, requests: read_fir(r)? },
        (PSFB, ALFB) if r.rest().get(8..12) == Some(b"REMB") => read_remb(r)?,
        _ => Rtcp::Other { packet_type, count },
    })
}

fn read_blocks(count: u8, r: &mut Reader<'_>) -> Result<Vec<ReportBlock>, Short> {
    let block = |_| {
        Ok(ReportBlock {
            ssrc: r.u32()?,
            fraction_lost: r.u8()?,
            lost: r.i24()?,
            highest: r.u32()?,
            jitter: r.u32()?,
            last_report: r.u32()?,
            delay: r.u32()?,
        })
    };
    (0..count).map(block).collect()
}

/// Items, a zero, and zeros up to the next word (RFC 3550 6.5).
fn read_chunk(r: &mut Reader<'_>) -> Result<Chunk, Short> {
    let ssrc = r.u32()?;
    let mut items = Vec::new();
    loop {
        let kind = r.u8()?;
        if kind == 0 {
            let padding = r.position().next_multiple_of(4) - r.position();
            r.skip(padding.min(r.left()))?;
            return Ok(Chunk { ssrc, items });
        }
        items.push((kind, read_text(r)?));
    }
}

fn read_text(r: &mut Reader<'_>) -> Result<String, Short> {
    let length = r.u8()?;
    Ok(String::from_utf8_lossy(r.bytes(length.into())?).into_owned())
}

/// PID and the bits of the 16 numbers after it.
fn read_nack(r: &mut Reader<'_>) -> Result<Vec<u16>, Short> {
    let mut lost = Vec::new();
    while !r.is_empty() {
        let (first, mask) = (r.u16()?, r.u16()?);
        lost.push(first);
        lost.extend((0..16u16).filter(|bit| mask >> bit & 1 == 1).map(|bit| first.wrapping_add(bit + 1)));
    }
    Ok(lost)
}

fn read_fir(r: &mut Reader<'_>) -> Result<Vec<(u32, u8)>, Short> {
    r.skip(4)?; // media source, unused
    let mut requests = Vec::new();
    while !r.is_empty() {
        requests.push((r.u32()?, r.u8()?));
        r.skip(3)?;
    }
    Ok(requests)
}

fn read_remb(r: &mut Reader<'_>) -> Result<Rtcp, RtcpError> {
    let sender = r.u32()?;
    r.skip(4 + 4)?; // media source, unused; "REMB"
    let count = r.u8()?;
    let packed = r.u24()?;
    let bitrate = u64::from(packed & 0x3_ffff).checked_shl(packed >> 18).unwrap_or(u64::MAX);
    let ssrcs = (0..count).map(|_| r.u32()).collect::<Result<_, _>>()?;
    Ok(Rtcp::Remb { sender, bitrate, ssrcs })
}

impl Rtcp {
    /// Appends the packet. What exceeds a field's limit is cut off: 31 blocks, chunks or sources, 255 bytes of text.
    /// Other types are not written.
    pub fn put(&self, out: &mut impl BufMut) {
        let mut body = Vec::with_capacity(64);
        let Some((packet_type, count)) = self.put_body(&mut body) else { return };
        body.resize(body.len().next_multiple_of(4).min(4 * WORDS_MAX), 0);
        out.put_u8(0x80 | count);
        out.put_u8(packet_type);
        out.put_u16((body.len() / 4) as u16); // at most WORDS_MAX
        out.put_slice(&body);
    }

    /// Type and count of what was appended.
    fn put_body(&self, out: &mut Vec<u8>) -> Option<(u8, u8)> {
        Some(match self {
            Rtcp::SenderReport { ssrc, info, blocks } => {
                out.put_u32(*ssrc);
                out.put_u64(info.ntp);
                [info.timestamp, info.packets, info.bytes].iter().for_each(|&field| out.put_u32(field));
                (SENDER_REPORT, put_blocks(blocks, out))
            }
            Rtcp::ReceiverReport { ssrc, blocks } => {
                out.put_u32(*ssrc);
                (RECEIVER_REPORT, put_blocks(blocks, out))
            }
            Rtcp::Description(chunks) => {
                chunks.iter().take(COUNT_MAX).for_each(|chunk| put_chunk(chunk, out));
                (SDES, chunks.len().min(COUNT_MAX) as u8)
            }
            Rtcp::Bye { ssrcs, reason } => {
                ssrcs.iter().take(COUNT_MAX).for_each(|&ssrc| out.put_u32(ssrc));
                if !reason.is_empty() {
                    put_text(reason, out);
                }
                (BYE, ssrcs.len().min(COUNT_MAX) as u8)
            }
            Rtcp::Nack { sender, media, lost } => {
                put_feedback(*sender, *media, out);
                put_nack(lost, out);
                (RTPFB, NACK)
            }
            Rtcp::Pli { sender, media } => {
                put_feedback(*sender, *media, out);
                (PSFB, PLI)
            }
            Rtcp::Fir { sender, requests } => {
                put_feedback(*sender, 0, out);
                for (media, number) in requests.iter().take(COUNT_MAX) {
                    out.put_u32(*media);
                    out.put_slice(&[*number, 0, 0, 0]);
                }
                (PSFB, FIR)
            }
            Rtcp::Remb { sender, bitrate, ssrcs } => {
                put_feedback(*sender, 0, out);
                put_remb(*bitrate, ssrcs, out);
                (PSFB, ALFB)
            }
            Rtcp::TransportFeedback(feedback) => {
                transport::put(feedback, out);
                (RTPFB, TRANSPORT_CC)
            }
            Rtcp::Other { .. } => return None,
        })
    }
}

fn put_blocks(blocks: &[ReportBlock], out: &mut Vec<u8>) -> u8 {
    for block in blocks.iter().take(COUNT_MAX) {
        out.put_u32(block.ssrc);
        let lost = block.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        out.put_u32(u32::from(block.fraction_lost) << 24 | lost);
        let fields = [block.highest, block.jitter, block.last_report, block.delay];
        fields.iter().for_each(|&field| out.put_u32(field));
    }
    blocks.len().min(COUNT_MAX) as u8
}

fn put_chunk(chunk: &Chunk, out: &mut Vec<u8>) {
    out.put_u32(chunk.ssrc);
    for (kind, text) in chunk.items.iter().filter(|(kind, _)| *kind != 0).take(COUNT_MAX) {
        out.put_u8(*kind);
        put_text(text, out);
    }
    let end = (out.len() + 1).next_multiple_of(4); // at least one zero
    out.resize(end, 0);
}

/// Cut at a character's end.
fn put_text(text: &str, out: &mut Vec<u8>) {
    let text = text.get(..text.floor_char_boundary(255)).unwrap_or_default();
    out.put_u8(text.len() as u8);
    out.put_slice(text.as_bytes());
}

fn put_feedback(sender: u32, media: u32, out: &mut Vec<u8>) {
    out.put_u32(sender);
    out.put_u32(media);
}

fn put_nack(lost: &[u16], out: &mut Vec<u8>) {
    let mut rest = lost;
    while let Some((&first, mut after)) = rest.split_first() {
        let mut mask = 0u16;
        let mut last = 0;
        while let Some((next, left)) = after.split_first() {
            let bit = next.wrapping_sub(first).wrapping_sub(1);
            // Only what goes up shares an entry, so that the order stays.
            if bit >= 16 || bit < last {
                break;
            }
            mask |= 1 << bit;
            (after, last) = (left, bit + 1);
        }
        if out.len() + 4 > 4 * WORDS_MAX {
            return;
        }
        out.put_u16(first);
        out.put_u16(mask);
        rest = after;
    }
}

/// An exponent of 6 bits and a mantissa of 18; what the mantissa cannot hold is rounded down.
fn put_remb(bitrate: u64, ssrcs: &[u32], out: &mut Vec<u8>) {
    let exponent = (64 - bitrate.leading_zeros()).saturating_sub(18);
    let mantissa = (bitrate >> exponent) as u32;
    out.put_slice(b"REMB");
    out.put_u32((ssrcs.len().min(255) as u32) << 24 | exponent << 18 | mantissa);
    ssrcs.iter().take(255).for_each(|&ssrc| out.put_u32(ssrc));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::hex;
    use proptest::prelude::*;

    fn one(text: &str) -> Rtcp {
        let mut packets = parse_all(&hex(text));
        assert_eq!(packets.len(), 1);
        packets.remove(0)
    }

    fn parse_all(data: &[u8]) -> Vec<Rtcp> {
        parse(data).map(Result::unwrap).collect()
    }

    fn written(packet: &Rtcp) -> Vec<u8> {
        let mut out = Vec::new();
        packet.put(&mut out);
        out
    }

    #[test]
    fn a_sender_report() {
        let text = "81 c8 000c 00000001 // V=2 RC=1, SR, 12 words, SSRC (RFC 3550 6.4.1)
                    0123456789abcdef 00015f90 00000010 00000400 // NTP, RTP timestamp, packets, bytes
                    00000002 40 fffffe 00020005 00000007 456789ab 00008000 // source, loss, highest, jitter, LSR, DLSR";
        let block = ReportBlock {
            ssrc: 2,
            fraction_lost: 64,
            lost: -2,
            highest: 0x0002_0005,
            jitter: 7,
            last_report: 0x4567_89ab,
            delay: 0x8000,
        };
        let info = SenderInfo { ntp: 0x0123_4567_89ab_cdef, timestamp: 90_000, packets: 16, bytes: 1024 };
        let report = Rtcp::SenderReport { ssrc: 1, info, blocks: vec![block] };
        assert_eq!(one(text), report);
        assert_eq!(written(&report), hex(text));
    }

    #[test]
    fn a_compound_of_receiver_report_description_and_bye() {
        let text = "80 c9 0001 00000001 // RR without blocks (RFC 3550 6.4.2)
                    81 ca 0003 00000001 01 02 6162 00 000000 // SDES: CNAME \"ab\", end, up to the word (6.5)
                    81 cb 0002 00000001 02 6f6b 00 // BYE with a reason (6.6)";
        let packets = [
            Rtcp::ReceiverReport { ssrc: 1, blocks: vec![] },
            Rtcp::Description(vec![Chunk { ssrc: 1, items: vec![(CNAME, "ab".into())] }]),
            Rtcp::Bye { ssrcs: vec![1], reason: "ok".into() },
        ];
        assert_eq!(parse_all(&hex(text)), packets);
        assert_eq!(packets.iter().flat_map(written).collect::<Vec<_>>(), hex(text));
    }

    #[test]
    fn feedback() {
        let nack = "81 cd 0003 00000001 00000002 fffe 0005 // NACK: PID, BLP (RFC 4585 6.2.1)";
        let expected = Rtcp::Nack { sender: 1, media: 2, lost: vec![0xfffe, 0xffff, 1] };
        assert_eq!(one(nack), expected);
        assert_eq!(written(&expected), hex(nack));
        let pli = "81 ce 0002 00000001 00000002 // PLI (RFC 4585 6.3.1)";
        assert_eq!(one(pli), Rtcp::Pli { sender: 1, media: 2 });
        let fir =
            "84 ce 0004 00000001 00000000 00000002 09 000000 // FIR: SSRC, sequence number (RFC 5104 4.3.1)";
        assert_eq!(one(fir), Rtcp::Fir { sender: 1, requests: vec![(2, 9)] });
        assert_eq!(written(&one(fir)), hex(fir));
        let remb =
            "8f ce 0005 00000001 00000000 52454d42 01 0bd090 00000002 // REMB: 2 << 18 | 0x3d090, one source";
        assert_eq!(one(remb), Rtcp::Remb { sender: 1, bitrate: 1_000_000, ssrcs: vec![2] });
        assert_eq!(written(&one(remb)), hex(remb));
    }

    #[test]
    fn what_is_broken_says_why() {
        let error = |text| parse(&hex(text)).find_map(Result::err);
        assert_eq!(error("40c80000"), Some(RtcpError::Version(1)));
        assert_eq!(error("a0c90001 00000009"), Some(RtcpError::Padding(9)));
        assert!(matches!(error("80c90002 00000001"), Some(RtcpError::Short(_))));
        assert!(matches!(error("81c90001 00000001"), Some(RtcpError::Short(_))));
        assert_eq!(one("80cc0001 00000001"), Rtcp::Other { packet_type: 204, count: 0 });
    }

    fn block() -> impl Strategy<Value = ReportBlock> {
        (any::<(u32, u8, u32, u32, u32, u32)>(), -0x80_0000..=0x7f_ffffi32).prop_map(|(fields, lost)| {
            let (ssrc, fraction_lost, highest, jitter, last_report, delay) = fields;
            ReportBlock { ssrc, fraction_lost, lost, highest, jitter, last_report, delay }
        })
    }

    fn packet() -> impl Strategy<Value = Rtcp> {
        let blocks = || prop::collection::vec(block(), 0..=31);
        let ssrcs = || prop::collection::vec(any::<u32>(), 0..=31);
        let item = (1u8.., "[a-zä]{0,40}");
        let chunk =
            (any::<u32>(), prop::collection::vec(item, 0..4)).prop_map(|(ssrc, items)| Chunk { ssrc, items });
        prop_oneof![
            (any::<u32>(), any::<(u64, u32, u32, u32)>(), blocks()).prop_map(|(ssrc, fields, blocks)| {
                let (ntp, timestamp, packets, bytes) = fields;
                Rtcp::SenderReport { ssrc, info: SenderInfo { ntp, timestamp, packets, bytes }, blocks }
            }),
            (any::<u32>(), blocks()).prop_map(|(ssrc, blocks)| Rtcp::ReceiverReport { ssrc, blocks }),
            prop::collection::vec(chunk, 0..=31).prop_map(Rtcp::Description),
            (ssrcs(), "[a-zä]{0,40}").prop_map(|(ssrcs, reason)| Rtcp::Bye { ssrcs, reason }),
            (any::<u32>(), any::<u32>(), prop::collection::vec(any::<u16>(), 0..50))
                .prop_map(|(sender, media, lost)| Rtcp::Nack { sender, media, lost }),
            (any::<u32>(), any::<u32>(), prop::collection::vec(0u16..40, 0..50))
                .prop_map(|(sender, media, lost)| Rtcp::Nack { sender, media, lost }),
            (any::<u32>(), any::<u32>()).prop_map(|(sender, media)| Rtcp::Pli { sender, media }),
            (any::<u32>(), prop::collection::vec(any::<(u32, u8)>(), 0..=31))
                .prop_map(|(sender, requests)| Rtcp::Fir { sender, requests }),
            (any::<u32>(), 0u64..1 << 18, 0u32..46, ssrcs()).prop_map(
                |(sender, mantissa, exponent, ssrcs)| {
                    Rtcp::Remb { sender, bitrate: mantissa << exponent, ssrcs }
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn packets_survive_a_round_trip(packets in prop::collection::vec(packet(), 0..4)) {
            let data: Vec<u8> = packets.iter().flat_map(written).collect();
            prop_assert_eq!(parse_all(&data), packets);
        }

        #[test]
        fn arbitrary_bodies_never_panic(
            packet_type in 199u8..208,
            count in prop_oneof![0u8..32, Just(1), Just(4), Just(15)],
            body in prop::collection::vec(any::<[u8; 4]>(), 0..40),
        ) {
            let mut data = vec![0x80 | count, packet_type, 0, body.len() as u8];
            data.extend(body.concat());
            for packet in parse(&data).flatten() {
                let _ = written(&packet); // whatever it is, it can be written
            }
        }
    }
}
