//! What the muxer writes, the demuxer reads, however the bytes are cut.

use crate::{CLOCK, PACKET, SYNC, TABLES, TsDemuxer, TsMuxer};
use bytes::{Bytes, BytesMut};
use headwater_media::codec::{aac, avc, hevc, nal, opus};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use proptest::prelude::*;

/// Close before the 33 bits are full, in milliseconds.
const BEFORE_WRAP_MS: i64 = (1 << 33) / 90 - 100;

fn frame(track: Track, codec: Codec, kind: Kind, dts: i64, delay: i64, payload: Bytes) -> Frame {
    let (dts, pts) = (Time::from_millis(dts), Time::from_millis(dts + delay));
    Frame { track, codec, tag: CodecTag::Legacy, kind, dts, pts, payload }
}

fn avc_config() -> Bytes {
    let set = |bytes: &[u8]| vec![Bytes::copy_from_slice(bytes)];
    avc::Config::from_parameter_sets(set(&[0x67, 66, 0xc0, 10, 0xda]), set(&[0x68, 0xce])).unwrap().write()
}

/// Parameter sets of a real encoder, 322x182.
fn hevc_config() -> Bytes {
    let vps = [0x40, 0x01, 0x0c, 0x01, 0xff];
    let sps = [
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00,
        0x3c, 0xa0, 0x0a, 0x48, 0x0b, 0x9c, 0x95, 0x96, 0x56, 0x69, 0x24,
    ];
    let set = |bytes: &[u8]| vec![Bytes::copy_from_slice(bytes)];
    hevc::Config::from_parameter_sets(set(&vps), set(&sps), set(&[0x44, 0x01, 0xc1])).unwrap().write()
}

/// A slice NAL unit of `len` bytes, without start codes in it.
fn picture(codec: Codec, key: bool, len: usize) -> Bytes {
    let header: &[u8] = match (codec, key) {
        (Codec::H264, true) => &[0x65],
        (Codec::H264, false) => &[0x41],
        (_, true) => &[0x26, 0x01],
        (_, false) => &[0x02, 0x01],
    };
    let unit: Vec<u8> = header.iter().copied().chain((0..len).map(|i| i as u8 | 0x80)).collect();
    nal::join([unit.as_slice()])
}

fn mux(frames: &[Frame]) -> BytesMut {
    let mut muxer = TsMuxer::new();
    let mut out = BytesMut::new();
    frames.iter().for_each(|f| muxer.frame(f, &mut out).unwrap());
    muxer.flush(&mut out);
    out
}

fn demux<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    let mut demuxer = TsDemuxer::new();
    let mut frames = Vec::new();
    pieces.into_iter().for_each(|piece| demuxer.push(piece, &mut frames));
    demuxer.finish(&mut frames);
    assert_eq!(demuxer.lost(), 0);
    frames
}

/// The media frames of one track, and the payloads of its configurations.
fn of(track: Track, frames: &[Frame]) -> (Vec<Frame>, Vec<Bytes>) {
    let (configs, media): (Vec<Frame>, Vec<Frame>) =
        frames.iter().filter(|f| f.track == track).cloned().partition(|f| f.kind == Kind::Config);
    (media, configs.into_iter().map(|f| f.payload).collect())
}

/// A stream: video of a codec, sound of a codec, both or one.
fn stream() -> impl Strategy<Value = Vec<Frame>> {
    let video = prop::option::of(prop::sample::select(vec![Codec::H264, Codec::Hevc]));
    let audio = prop::option::of(prop::sample::select(vec![Codec::Aac, Codec::Opus]));
    let sizes = prop::collection::vec((1usize..2000, 0i64..200), 1..30);
    (video, audio, sizes, prop::sample::select(vec![0, 12_345, BEFORE_WRAP_MS]))
        .prop_map(|(video, audio, sizes, start)| build(video, audio, &sizes, start))
}

fn build(video: Option<Codec>, audio: Option<Codec>, sizes: &[(usize, i64)], start: i64) -> Vec<Frame> {
    let mut frames = Vec::new();
    if let Some(codec) = video {
        let config = if codec == Codec::H264 { avc_config() } else { hevc_config() };
        frames.push(frame(Track::Video, codec, Kind::Config, start, 0, config));
    }
    if let Some(codec) = audio {
        let config = if codec == Codec::Aac {
            aac::Config::lc(48_000, 2).write()
        } else {
            opus::Config::plain(2).write()
        };
        frames.push(frame(Track::Audio, codec, Kind::Config, start, 0, config));
    }
    for (i, (len, delay)) in sizes.iter().copied().enumerate() {
        let at = start + i as i64 * 20;
        if let Some(codec) = video {
            let (key, len) = (i % 7 == 0, if i == 0 { 200_000 } else { len });
            let kind = if key { Kind::Key } else { Kind::Inter };
            frames.push(frame(Track::Video, codec, kind, at, delay, picture(codec, key, len)));
        }
        if let Some(codec) = audio {
            let payload = Bytes::from(vec![0xfc; len]);
            frames.push(frame(Track::Audio, codec, Kind::Key, at + 7, 0, payload));
        }
    }
    frames
}

proptest! {
    #[test]
    fn frames_survive(frames in stream(), cuts in prop::collection::vec(1usize..700, 1..20)) {
        let bytes = mux(&frames);
        prop_assert!(bytes.len().is_multiple_of(PACKET));
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.into_iter().cycle() {
            let (piece, tail) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        let got = demux(pieces);
        for track in [Track::Video, Track::Audio] {
            let (media, configs) = of(track, &got);
            let (expected, expected_configs) = of(track, &frames);
            prop_assert_eq!(media, expected);
            prop_assert_eq!(configs, expected_configs);
        }
    }

    #[test]
    fn arbitrary_packets_never_panic(data in prop::collection::vec(any::<u8>(), 0..2000), damage: bool) {
        let mut bytes = mux(&build(Some(Codec::H264), Some(Codec::Aac), &[(100, 0); 5], 0)).to_vec();
        for (i, byte) in data.iter().enumerate() {
            let at = (i * 7919 + usize::from(*byte)) % bytes.len();
            bytes[at] = *byte;
        }
        let input = if damage { &bytes } else { &data };
        let (mut demuxer, mut out) = (TsDemuxer::new(), Vec::new());
        demuxer.push(input, &mut out);
        demuxer.finish(&mut out);
    }
}

#[test]
fn continuity_counters_go_on_across_segments() {
    let frames = build(Some(Codec::H264), Some(Codec::Aac), &[(500, 0); 40], 0);
    let mut muxer = TsMuxer::new();
    let mut out = BytesMut::new();
    for f in &frames {
        if f.is_video_key() {
            muxer.start(&mut out); // each segment begins with the tables
        }
        muxer.frame(f, &mut out).unwrap();
    }
    let mut counters = std::collections::HashMap::new();
    for packet in out.chunks(PACKET) {
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let counter = packet[3] & 0x0f;
        if let Some(last) = counters.insert(pid, counter) {
            let due = if packet[3] & 0x10 == 0 { last } else { (last + 1) & 0x0f };
            assert_eq!(counter, due, "PID {pid:#06x}");
        }
    }
}

#[test]
fn a_clock_reference_comes_every_100_ms() {
    let mut frames = build(Some(Codec::H264), None, &[(500, 0)], 0);
    frames.push(frame(Track::Audio, Codec::Aac, Kind::Config, 0, 0, aac::Config::lc(48_000, 2).write()));
    frames.extend(
        (1..100)
            .map(|i| frame(Track::Audio, Codec::Aac, Kind::Key, i * 20, 0, Bytes::from_static(&[1, 2, 3]))),
    );
    let out = mux(&frames);
    let pcr = |p: &[u8]| {
        (p[3] & 0x20 != 0 && p[4] > 0 && p[5] & 0x10 != 0)
            .then(|| i64::from(u32::from_be_bytes([p[6], p[7], p[8], p[9]])) * 2 + i64::from(p[10] >> 7))
    };
    let clock: Vec<i64> =
        out.chunks(PACKET).filter(|p| p[1] & 0x1f == 1 && p[2] == 0).filter_map(pcr).collect();
    assert!(clock.len() > 10, "only one picture, yet the clock goes on");
    assert!(clock.windows(2).all(|w| (1..=i64::from(CLOCK) / 10).contains(&(w[1] - w[0]))), "{clock:?}");
}

#[test]
fn a_track_that_appears_late_is_announced_from_the_segment_s_start() {
    let mut muxer = TsMuxer::new();
    let mut out = BytesMut::new();
    muxer.start(&mut out);
    for f in build(Some(Codec::H264), Some(Codec::Aac), &[(50, 0); 3], 0) {
        muxer.frame(&f, &mut out).unwrap();
    }
    let nothing = out[PACKET..TABLES].to_vec();
    muxer.renew_tables(&mut out);
    assert_ne!(out[PACKET..TABLES], nothing);
    assert_eq!(out[PACKET..PACKET + 4], nothing[..4], "same header, same counter");
    assert_eq!(of(Track::Audio, &demux([&out[..]])).0.len(), 3);
}

#[test]
fn sound_alone_is_gathered() {
    let frames = build(None, Some(Codec::Aac), &[(100, 0); 100], 0);
    let mut muxer = TsMuxer::new().gather_audio();
    let mut out = BytesMut::new();
    frames.iter().for_each(|f| muxer.frame(f, &mut out).unwrap());
    muxer.flush(&mut out);
    let starts = out.chunks(PACKET).skip(2).filter(|p| p[0] == SYNC && p[1] & 0x40 != 0).count();
    assert_eq!(starts, 3, "2 s of sound in packets of 720 ms");
    let (media, _) = of(Track::Audio, &demux([&out[..]]));
    assert_eq!(media.len(), 100);
    assert!(out.len() < mux(&frames).len());
}

#[test]
fn what_is_not_carried_is_said() {
    let mut muxer = TsMuxer::new();
    let mut out = BytesMut::new();
    let av1 = frame(Track::Video, Codec::Av1, Kind::Key, 0, 0, Bytes::from_static(&[0x0a]));
    assert_eq!(muxer.frame(&av1, &mut out), Err(crate::Skipped::NotCarried(Codec::Av1)));
    let early = frame(Track::Audio, Codec::Aac, Kind::Key, 0, 0, Bytes::from_static(&[1]));
    assert_eq!(muxer.frame(&early, &mut out), Err(crate::Skipped::NotConfigured(Codec::Aac)));
    assert!(out.is_empty());
}

#[test]
fn parameter_sets_and_delimiters_come_once() {
    let config = avc_config();
    let access_unit =
        nal::join([&[0x09, 0x10][..], &[0x67, 66, 0xc0, 10, 0xda], &[0x68, 0xce], &[0x65, 0x88]]);
    let out = mux(&[
        frame(Track::Video, Codec::H264, Kind::Config, 0, 0, config),
        frame(Track::Video, Codec::H264, Kind::Key, 0, 0, access_unit),
    ]);
    let count = |unit: &[u8]| out.windows(unit.len()).filter(|w| *w == unit).count();
    assert_eq!(count(&[0, 0, 0, 1, 0x67]), 1);
    assert_eq!(count(&[0, 0, 0, 1, 0x09, 0x10]), 1, "the encoder's own delimiter");
    assert_eq!(count(&[0, 0, 0, 1, 0x09, 0xf0]), 0);
}
