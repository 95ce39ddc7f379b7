//! RTP and RTCP: packets, their order, and the payloads of every codec.

use bytes::{Buf, Bytes, BytesMut};
use headwater_media::codec::{aac, avc, describe_video, hevc};
use headwater_media::{Frame, Kind, Time};
use headwater_rtp::{
    Depacketizer, Event, Extension, Format, Header, Incoming, Limits, Ordered, Packet, Packetizer, Payloads,
    Reception, Reorder, Unit,
    rtcp::{self, Rtcp},
};

/// A packet that parses is written as another that says the same.
pub(super) fn run(data: &[u8]) {
    let Ok(packet) = Packet::parse(Bytes::copy_from_slice(data)) else { return };
    let csrcs: Vec<u32> = packet.csrcs().collect();
    let extensions: Vec<Extension<'_>> = packet.extensions().collect();
    let mut out = BytesMut::new();
    if packet.header.put(&csrcs, &extensions, false, &mut out).is_err() {
        return; // two-byte headers with padding between can grow beyond what the length can say
    }
    out.extend_from_slice(&packet.payload());
    let Ok(again) = Packet::parse(out.freeze()) else { panic!("what was written cannot be read") };
    assert_eq!((again.header, again.payload()), (packet.header, packet.payload()));
    assert_eq!(again.csrcs().collect::<Vec<_>>(), csrcs);
    assert_eq!(again.extensions().collect::<Vec<_>>(), extensions);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let header = Header { marker: true, payload_type: 96, sequence: 7, timestamp: 90_000, ssrc: 1 };
    let extensions = [Extension { id: 3, data: &[0, 1] }, Extension { id: 4, data: b"mid" }];
    let packet = |extensions: &[Extension<'_>], padding: u8| {
        let mut out = Vec::new();
        let _ = header.put(&[5, 6], extensions, padding > 0, &mut out); // within all limits
        out.extend_from_slice(&[0x65, 0x88]);
        Header::put_padding(padding, &mut out);
        out
    };
    vec![packet(&[], 0), packet(&extensions, 4), packet(&[Extension { id: 20, data: &[9; 30] }], 0)]
}

/// Sequence numbers, two bytes each: what comes out goes up, and no more is held than allowed.
pub(super) fn run_order(data: &[u8]) {
    let mut reorder = Reorder::new(Limits { packets: 32, wait: Time::from_millis(20) });
    let mut reception = Reception::new(90_000);
    let mut last = 0;
    for (at, &number) in data.as_chunks::<2>().0.iter().enumerate() {
        let (sequence, now) = (u16::from_be_bytes(number), Time::from_millis(at as i64));
        reception.packet(sequence, at as u32, now);
        reorder.push(now, sequence, ());
        while let Some(out) = reorder.pop(now) {
            let (first, count) = match out {
                Ordered::Packet(first, ()) => (first, 1),
                Ordered::Lost(first, count) => (first, count),
            };
            assert!(first >= last && count > 0, "{first} after {last}");
            last = first + count;
        }
        assert!(reorder.held() <= 32, "{} held", reorder.held());
        reception.block(1, now);
    }
}

pub(super) fn seeds_order() -> Vec<Vec<u8>> {
    let bytes = |numbers: &[u16]| numbers.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>();
    vec![
        bytes(&[0xfffe, 0xffff, 1, 0, 2, 5, 4, 3]),
        bytes(&[1, 2, 60, 61, 40_000, 40_001, 3]),
        bytes(&[9; 5]),
    ]
}

/// What can be written is read as the same.
pub(super) fn run_rtcp(data: &[u8]) {
    for packet in rtcp::parse(data).flatten() {
        let mut out = Vec::new();
        packet.put(&mut out);
        let again: Vec<Rtcp> = rtcp::parse(&out).flatten().collect();
        // Texts that were no UTF-8, or too long after they were made so, are not the same.
        let texts = matches!(packet, Rtcp::Description(_) | Rtcp::Bye { .. });
        assert!(again.len() <= 1, "one packet became several");
        assert!(texts || again.is_empty() || is_like(&again[0], &packet), "{packet:?} became {again:?}");
    }
}

/// But for what [`Rtcp::put`] cuts off or rounds.
fn is_like(again: &Rtcp, packet: &Rtcp) -> bool {
    match (again, packet) {
        (Rtcp::Fir { requests: again, .. }, Rtcp::Fir { requests, .. }) => requests.starts_with(again),
        (Rtcp::Remb { bitrate: again, .. }, Rtcp::Remb { bitrate, .. }) => again <= bitrate,
        _ => again == packet,
    }
}

pub(super) fn seeds_rtcp() -> Vec<Vec<u8>> {
    vec![
        // SR with one block, SDES with a CNAME (RFC 3550 6.4.1, 6.5).
        vec![
            0x81, 200, 0, 12, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 0, 0, 0, 9, 0, 0, 1, 0, 0, 0,
            0, 2, 4, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0x81, 202, 0, 3, 0, 0, 0, 1, 1,
            2, b'a', b'b', 0, 0, 0, 0,
        ],
        // RR, NACK, PLI, FIR, BYE.
        vec![
            0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0x80, 1, 0x81, 206,
            0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 3, 0, 0, 0,
            0x81, 203, 0, 2, 0, 0, 0, 1, 2, b'o', b'k', 0,
        ],
        // Transport-wide feedback: a run of two, a vector of seven.
        vec![
            0x8f, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 16, 0, 9, 0, 0, 1, 5, 0x20, 2, 0xd8, 0, 4, 8, 12, 0,
            1, 0, 0, 0,
        ],
        // REMB.
        vec![
            0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 1, 0x0b, 0xd0, 0x90, 0, 0, 0, 2,
        ],
    ]
}

pub(super) fn run_h264(data: &[u8]) {
    depacketize(Format::H264 { single: false }, data);
}

pub(super) fn run_hevc(data: &[u8]) {
    depacketize(Format::Hevc, data);
}

pub(super) fn run_av1(data: &[u8]) {
    depacketize(Format::Av1, data);
}

pub(super) fn run_vp9(data: &[u8]) {
    depacketize(Format::Vp9 { flexible: true }, data);
}

pub(super) fn run_vp8(data: &[u8]) {
    depacketize(Format::Vp8, data);
}

pub(super) fn run_aac(data: &[u8]) {
    depacketize(Format::Aac, data);
}

pub(super) fn run_latm(data: &[u8]) {
    depacketize(Format::Latm, data);
}

/// Packets as records: flags (marker, gap, next timestamp), a length of one byte, the payload. What comes out can be
/// described and sent again.
fn depacketize(format: Format, data: &[u8]) {
    let mut depacketizer = Depacketizer::configured(format, config(format));
    let mut packetizer = (format != Format::Latm).then(|| Packetizer::new(format, 200));
    let mut payloads = Payloads::default();
    let (mut data, mut events, mut sequence, mut timestamp) = (data, Vec::new(), 0, 0u32);
    while data.len() >= 2 {
        let (flags, length) = (data.get_u8(), data.get_u8());
        let payload =
            Bytes::copy_from_slice(data.split_off(..data.len().min(length.into())).unwrap_or_default());
        sequence += if flags & 2 == 0 { 1 } else { 3 };
        timestamp = timestamp.wrapping_add(if flags & 4 == 0 { 0 } else { 3000 });
        depacketizer.push(&Incoming { sequence, timestamp, marker: flags & 1 != 0, payload }, &mut events);
    }
    for event in events {
        let Event::Unit(unit) = event else { continue };
        assert!(!unit.payload.is_empty(), "an empty frame");
        let frame = unit.into_frame(format.codec(), Time::ZERO);
        describe_video(&frame);
        if let Some(packetizer) = &mut packetizer {
            send(packetizer, &frame, &mut payloads);
        }
    }
}

fn send(packetizer: &mut Packetizer, frame: &Frame, payloads: &mut Payloads) {
    let _ = packetizer.frame(frame, payloads); // not every frame can be sent
    assert!(payloads.iter().all(|payload| payload.len() <= packetizer.mtu() && !payload.is_empty()));
}

fn config(format: Format) -> Bytes {
    let set = |unit: &'static [u8]| vec![Bytes::from_static(unit)];
    match format {
        Format::H264 { .. } => {
            avc::Config::from_parameter_sets(set(&[0x67, 66, 0xc0, 10, 0xda]), set(&[0x68, 0xce]))
                .map(|config| config.write())
                .unwrap_or_default()
        }
        Format::Hevc => {
            hevc::Config::from_parameter_sets(set(&[0x40, 1, 12]), set(&HEVC_SPS), set(&[0x44, 1, 0xc1]))
                .map(|config| config.write())
                .unwrap_or_default()
        }
        Format::Aac => aac::Config::lc(48_000, 2).write(),
        // StreamMuxConfig: two frames an element, AAC-LC, 48 kHz, stereo.
        Format::Latm => Bytes::from_static(&[0x41, 0x00, 0x23, 0x20, 0x1f, 0xe0]),
        _ => Bytes::new(),
    }
}

/// By x265: Main, 322x182.
const HEVC_SPS: [u8; 42] = [
    0x42, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3c,
    0xa0, 0x0a, 0x48, 0x0b, 0x9c, 0x95, 0x96, 0x56, 0x69, 0x24, 0xca, 0xf0, 0x16, 0x80, 0x80, 0x00, 0x00,
    0x03, 0x00, 0x80, 0x00, 0x00, 0x0c, 0x84, 0x80,
];

/// A key frame and another one, as records for [`depacketize`].
fn records(format: Format, key: &[u8], inter: &[u8]) -> Vec<Vec<u8>> {
    let mut packetizer = Packetizer::new(format, 64);
    let mut payloads = Payloads::default();
    let mut out = Vec::new();
    for (kind, payload) in [(Kind::Config, &config(format)[..]), (Kind::Key, key), (Kind::Inter, inter)] {
        let unit = Unit { kind, payload: Bytes::copy_from_slice(payload), timestamp: 0 };
        let _ = packetizer.frame(&unit.into_frame(format.codec(), Time::ZERO), &mut payloads); // small and whole
        for (at, payload) in payloads.iter().enumerate() {
            out.push(u8::from(payload.marker) | if at == 0 { 4 } else { 0 });
            out.push(payload.len() as u8); // at most 64
            payload.put(&mut out);
        }
    }
    let mut gap = out.clone();
    if let Some(flags) = gap.first_mut() {
        *flags |= 2;
    }
    vec![out.clone(), [gap, out].concat()]
}

pub(super) fn seeds_h264() -> Vec<Vec<u8>> {
    let key = [&[0, 0, 0, 2, 6, 5, 0, 0, 0, 150, 0x65, 0x88][..], &[7; 148]].concat();
    records(Format::H264 { single: false }, &key, &[0, 0, 0, 2, 0x41, 0x9a])
}

pub(super) fn seeds_hevc() -> Vec<Vec<u8>> {
    let key = [&[0, 0, 0, 150, 0x26, 1, 0x80][..], &[7; 147]].concat();
    records(Format::Hevc, &key, &[0, 0, 0, 3, 2, 1, 0xd0])
}

pub(super) fn seeds_av1() -> Vec<Vec<u8>> {
    // Sequence header by SVT-AV1, then a frame.
    let key =
        [&[0x0a, 11, 0, 0, 0, 4, 0x3c, 0xfe, 0xcc, 2, 0xf8, 0, 0x40, 0x32, 100, 0x10][..], &[7; 99]].concat();
    records(Format::Av1, &key, &[0x32, 2, 0x30, 7])
}

pub(super) fn seeds_vp9() -> Vec<Vec<u8>> {
    let key = [&[0x82, 0x49, 0x83, 0x42, 0, 0x13, 0xf0, 0x0b, 0x36][..], &[7; 100]].concat();
    let mut seeds = records(Format::Vp9 { flexible: true }, &key, &[0x86, 0]);
    seeds.push(vec![0, 4, 0x2c, 0, 0, 0x82, 1, 5, 0x2c, 2, 0, 0x86, 0]); // two spatial layers
    seeds
}

pub(super) fn seeds_vp8() -> Vec<Vec<u8>> {
    let key = [&[0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xb4, 0x40][..], &[7; 100]].concat();
    records(Format::Vp8, &key, &[0x11, 0])
}

pub(super) fn seeds_aac() -> Vec<Vec<u8>> {
    let mut seeds = records(Format::Aac, &[0x21; 150], &[0x21; 9]);
    seeds.push(vec![1, 9, 0, 32, 0, 16, 0, 8, 1, 2, 3]); // two access units
    seeds
}

pub(super) fn seeds_latm() -> Vec<Vec<u8>> {
    vec![vec![1, 5, 2, 1, 2, 1, 9], vec![0, 3, 2, 1, 2, 1, 2, 1, 9, 5, 3, 2, 1, 2]]
}
