//! What holds for every format: what is packetized comes back, whatever the MTU; what is lost is missing, never damaged.

use crate::*;
use bytes::Bytes;
use headwater_media::codec::{aac, avc, hevc, nal, opus};
use headwater_media::{Codec, Frame, Kind, Time};
use proptest::prelude::*;

/// Bytes from hexadecimal digits; what follows `//` on a line is a comment.
pub(crate) fn hex(text: &str) -> Bytes {
    let code = text.lines().filter_map(|line| line.split("//").next());
    let digits: Vec<u32> = code.flat_map(str::chars).filter_map(|c| c.to_digit(16)).collect();
    digits.chunks_exact(2).map(|d| u8::try_from(d[0] << 4 | d[1]).unwrap()).collect()
}

/// Sequence header OBU by SVT-AV1, 320x180.
const AV1_HEADER: &str = "0a0b 000000043cfecc02f80040";
/// AV1CodecConfigurationRecord of the same.
const AV1C: &str = "81000c00 0a0b 000000043cfecc02f80040";
/// The start of a VP9 key frame by libvpx, 320x180.
const VP9_KEY: &str = "824983420013f00b360c38241c184a0005e07fcdfa3c771f";
/// VPS, SPS, PPS by x265.
const HEVC_SETS: [&str; 3] = [
    "40010c01ffff01600000030090000003000003003c959809",
    "42010101600000030090000003000003003ca00a480b9c9596566924caf0168080000003008000000c84",
    "4401c172b46240",
];

fn sets(units: &[&str]) -> Vec<Bytes> {
    units.iter().map(|unit| hex(unit)).collect()
}

pub(crate) fn avc_config() -> Bytes {
    avc::Config::from_parameter_sets(sets(&["6742c00ada0280bfe5"]), sets(&["68ce3c80"])).unwrap().write()
}

pub(crate) fn hevc_config() -> Bytes {
    let [vps, sps, pps] = HEVC_SETS.map(|unit| sets(&[unit]));
    hevc::Config::from_parameter_sets(vps, sps, pps).unwrap().write()
}

/// The configuration that comes before a format's first frame; empty for none.
fn config(format: Format) -> Bytes {
    match format {
        Format::H264 { .. } => avc_config(),
        Format::Hevc => hevc_config(),
        Format::Av1 => hex(AV1C),
        Format::Aac => aac::Config::lc(48_000, 2).write(),
        Format::Opus => opus::Config::plain(2).write(),
        _ => Bytes::new(),
    }
}

/// A frame of a format, with `pieces` as its content.
fn payload(format: Format, key: bool, pieces: &[Vec<u8>]) -> Bytes {
    let all = pieces.concat();
    match format {
        Format::H264 { .. } => {
            let head = if key { [0x65, 0x88] } else { [0x41, 0x9a] };
            let units: Vec<_> = pieces.iter().map(|piece| [&head[..], piece].concat()).collect();
            nal::join(units.iter().map(Vec::as_slice))
        }
        Format::Hevc => {
            let head = if key { [0x26, 0x01, 0x80] } else { [0x02, 0x01, 0x80] };
            let units: Vec<_> = pieces.iter().map(|piece| [&head[..], piece].concat()).collect();
            nal::join(units.iter().map(Vec::as_slice))
        }
        Format::Av1 => {
            let mut out = if key { hex(AV1_HEADER).to_vec() } else { Vec::new() };
            for piece in pieces {
                out.push(0x32); // OBU_FRAME with size
                out.extend(leb128(piece.len() + 1));
                out.push(if key { 0x10 } else { 0x30 });
                out.extend(piece);
            }
            out.into()
        }
        Format::Vp9 { .. } if key => [&hex(VP9_KEY)[..], &all].concat().into(),
        Format::Vp9 { .. } => [&[0x86, 0x00][..], &all].concat().into(),
        Format::Vp8 => [&[if key { 0x10 } else { 0x11 }][..], &all].concat().into(),
        // Must fit into one packet.
        Format::Opus => [&[0xfc][..], &all[..all.len().min(MTU_MIN - 1)]].concat().into(),
        _ => [&[0x21][..], &all].concat().into(),
    }
}

fn leb128(value: usize) -> Vec<u8> {
    if value < 0x80 { vec![value as u8] } else { vec![value as u8 | 0x80, (value >> 7) as u8] }
}

fn is_sound(format: Format) -> bool {
    matches!(format.codec(), Codec::Opus | Codec::Aac | Codec::G711A | Codec::G711U)
}

/// Packets of frames, one frame every 3000 ticks; the first is preceded by the configuration.
fn packets(format: Format, frames: &[(Kind, Bytes)], mtu: usize, first: u64) -> Vec<Incoming> {
    let mut packetizer = Packetizer::new(format, mtu);
    let mut payloads = Payloads::default();
    let mut out = Vec::new();
    for (at, (kind, payload)) in frames.iter().enumerate() {
        let unit = Unit { kind: *kind, payload: payload.clone(), timestamp: 0 };
        let frame: Frame = unit.into_frame(format.codec(), Time::ZERO);
        packetizer.frame(&frame, &mut payloads).unwrap();
        for payload in payloads.iter() {
            assert!(payload.len() <= packetizer.mtu() && !payload.is_empty());
            let mut bytes = Vec::new();
            payload.put(&mut bytes);
            out.push(Incoming {
                sequence: first + out.len() as u64,
                timestamp: (at as u32 * 3000).wrapping_add(payload.ticks),
                marker: payload.marker,
                payload: bytes.into(),
            });
        }
    }
    out
}

fn events(depacketizer: &mut Depacketizer, packets: &[Incoming]) -> Vec<Event> {
    let mut out = Vec::new();
    packets.iter().for_each(|packet| depacketizer.push(packet, &mut out));
    out
}

fn units(events: Vec<Event>) -> Vec<(Kind, Bytes)> {
    let units = events.into_iter().filter_map(|event| match event {
        Event::Unit(unit) => Some((unit.kind, unit.payload)),
        _ => None,
    });
    units.collect()
}

/// A depacketizer as SDP makes it: formats that carry no configuration are told.
fn depacketizer(format: Format) -> Depacketizer {
    match format {
        Format::Aac => Depacketizer::configured(format, config(format)),
        _ => Depacketizer::new(format),
    }
}

fn format() -> impl Strategy<Value = Format> {
    prop::sample::select(vec![
        Format::H264 { single: false },
        Format::Hevc,
        Format::Av1,
        Format::Vp9 { flexible: false },
        Format::Vp9 { flexible: true },
        Format::Vp8,
        Format::Opus,
        Format::Aac,
    ])
}

/// Frames of one to four pieces; the first is a key frame.
fn stream() -> impl Strategy<Value = (Format, Vec<(Kind, Bytes)>)> {
    let length = prop_oneof![1usize..40, 1usize..400, 1000usize..3000];
    let piece = (length, any::<u8>()).prop_map(|(length, seed)| {
        (0..length).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect::<Vec<u8>>()
    });
    let frame = (any::<bool>(), prop::collection::vec(piece, 1..4));
    (format(), prop::collection::vec(frame, 1..8)).prop_map(|(format, frames)| {
        let mut out = vec![(Kind::Config, config(format))];
        out.retain(|(_, config)| !config.is_empty());
        for (at, (key, mut pieces)) in frames.into_iter().enumerate() {
            let key = key || at == 0 || is_sound(format);
            pieces.truncate(if format == Format::Aac { 2 } else { 4 }); // 13 bits of size
            out.push((if key { Kind::Key } else { Kind::Inter }, payload(format, key, &pieces)));
        }
        (format, out)
    })
}

proptest! {
    #[test]
    fn what_is_packetized_comes_back(stream in stream(), mtu in prop_oneof![64usize..200, 64usize..1500], first in 0u64..1 << 20) {
        let (format, frames) = stream;
        let packets = packets(format, &frames, mtu, first);
        prop_assert_eq!(units(events(&mut depacketizer(format), &packets)), frames);
    }

    #[test]
    fn without_markers_timestamps_divide(stream in stream(), mtu in 64usize..1500) {
        let (format, frames) = stream;
        prop_assume!(format != Format::Aac); // its fragments end with the marker
        let mut packets = packets(format, &frames, mtu, 0);
        packets.iter_mut().for_each(|packet| packet.marker = false);
        let sequence = packets.len() as u64;
        if !is_sound(format) {
            // The begin of another frame ends the last one.
            packets.push(Incoming { sequence, timestamp: 1 << 20, marker: false, payload: hex("ff") });
        }
        let found = units(events(&mut depacketizer(format), &packets));
        prop_assert_eq!(found, frames);
    }

    #[test]
    fn no_loss_damages_a_frame(
        stream in stream(),
        mtu in prop_oneof![64usize..200, 64usize..1500],
        losses in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let (format, frames) = stream;
        let mut packets = packets(format, &frames, mtu, 7);
        let sent = packets.len();
        for loss in losses {
            if !packets.is_empty() {
                packets.remove(loss.index(packets.len()));
            }
        }
        let events = events(&mut depacketizer(format), &packets);
        let told: u64 = events.iter().map(|event| if let Event::Lost { packets } = event { *packets } else { 0 }).sum();
        let ends = packets.first().map_or(0, |packet| packet.sequence - 7)
            + packets.last().map_or(0, |packet| 7 + sent as u64 - 1 - packet.sequence);
        prop_assert_eq!(packets.len() as u64 + told + if packets.is_empty() { sent as u64 } else { ends }, sent as u64);
        // What comes out is what went in, with holes.
        let mut expected = frames.iter();
        for unit in units(events) {
            prop_assert!(expected.any(|frame| *frame == unit), "{:?} of {} bytes was not sent", unit.0, unit.1.len());
        }
    }

    #[test]
    fn arbitrary_payloads_never_panic(
        format in format(),
        payloads in prop::collection::vec((any::<bool>(), 0u32..3, prop::collection::vec(any::<u8>(), 0..60)), 0..20),
    ) {
        let mut depacketizer = depacketizer(format);
        let mut out = Vec::new();
        for (at, (marker, timestamp, payload)) in payloads.into_iter().enumerate() {
            let packet = Incoming { sequence: at as u64, timestamp, marker, payload: payload.into() };
            depacketizer.push(&packet, &mut out);
        }
    }

    #[test]
    fn arbitrary_frames_never_panic(format in format(), kind in 0usize..3, payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let kind = [Kind::Config, Kind::Key, Kind::Inter][kind];
        let unit = Unit { kind, payload: payload.into(), timestamp: 0 };
        let mut payloads = Payloads::default();
        let mut packetizer = Packetizer::new(format, 100);
        let sent = packetizer.frame(&unit.into_frame(format.codec(), Time::ZERO), &mut payloads);
        prop_assert!(sent.is_ok() || payloads.is_empty());
        prop_assert!(payloads.iter().all(|payload| payload.len() <= 100));
    }
}

#[test]
fn another_codec_is_refused() {
    let unit = Unit { kind: Kind::Key, payload: Bytes::from_static(&[1]), timestamp: 0 };
    let frame = unit.into_frame(Codec::Opus, Time::ZERO);
    let mut payloads = Payloads::default();
    let refused = |format| Packetizer::new(format, 1200).frame(&frame, &mut Payloads::default()).is_err();
    assert!(refused(Format::Vp8) && refused(Format::Latm));
    assert_eq!(Packetizer::new(Format::Opus, 1200).frame(&frame, &mut payloads), Ok(()));
    assert_eq!(payloads.len(), 1);
}

#[test]
fn g711_is_cut_where_the_packet_ends() {
    let samples: Vec<u8> = (0..200).map(|n| n as u8).collect();
    let packets = packets(Format::G711A, &[(Kind::Key, samples.clone().into())], 80, 0);
    let cuts: Vec<_> = packets.iter().map(|packet| (packet.timestamp, packet.payload.len())).collect();
    assert_eq!(cuts, [(0, 80), (80, 80), (160, 40)]);
    let found = units(events(&mut Depacketizer::new(Format::G711A), &packets));
    assert_eq!(found.iter().flat_map(|(_, bytes)| bytes.to_vec()).collect::<Vec<_>>(), samples);
}
