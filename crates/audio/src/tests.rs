//! Sound through each path: what comes out is what went in, at its place on the timeline.

use crate::decode::{Block, Decoder};
use crate::encode::Encoder;
use crate::{Converter, Error, RATE, Target};
use bytes::Bytes;
use headwater_media::codec::mp3;
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use proptest::prelude::*;
use std::f64::consts::PI;

const OPUS: Target = Target::Opus { bitrate: 96_000 };
const AAC: Target = Target::Aac { bitrate: 128_000 };

/// Milliseconds between what went in and what came out that nobody can see or hear, in ticks of 48 kHz: 5 ms.
const IN_STEP: i64 = 240;

fn sound(codec: Codec, kind: Kind, at: Time, payload: impl Into<Bytes>) -> Frame {
    let tag = CodecTag::Legacy;
    Frame { track: Track::Audio, codec, tag, kind, dts: at, pts: at, payload: payload.into() }
}

/// A sweep from 200 to 3200 Hz in a second, again and again: it looks like itself at one place only.
fn sweep(second: f64) -> f64 {
    let t = second.rem_euclid(1.0);
    0.5 * (2.0 * PI * (200.0 * t + 1500.0 * t * t)).sin()
}

/// `seconds` of the sweep at 48 kHz, the right channel at half the level.
fn stereo(seconds: f64) -> [Vec<f32>; 2] {
    let left: Vec<f32> =
        (0..(seconds * 48_000.0) as usize).map(|i| sweep(i as f64 / 48_000.0) as f32).collect();
    let right = left.iter().map(|x| x / 2.0).collect();
    [left, right]
}

/// Frames of `planes`, the first sample at `start` milliseconds.
fn coded(target: Target, planes: &[Vec<f32>; 2], channels: usize, start: i64) -> Vec<Frame> {
    let mut encoder = Encoder::new(target, channels).unwrap();
    let whole = encoder.samples();
    let mut frames =
        vec![sound(target.codec(), Kind::Config, Time::from_millis(start), encoder.config().clone())];
    for i in 0..planes[0].len() / whole {
        let part = [0, 1].map(|c| planes[c][i * whole..(i + 1) * whole].to_vec());
        let ticks = start * 48 + (i * whole) as i64 - encoder.delay() as i64;
        let packet = encoder.encode(&part).unwrap();
        frames.push(sound(target.codec(), Kind::Key, Time::from_ticks(ticks, RATE), packet));
    }
    frames
}

fn g711(codec: Codec, sample: f64) -> u8 {
    let law = if codec == Codec::G711A { crate::g711::to_a_law } else { crate::g711::to_mu_law };
    law(sample as f32)
}

fn converted(target: Target, frames: &[Frame]) -> Vec<Frame> {
    let mut converter = Converter::new(target);
    let mut out = Vec::new();
    for frame in frames {
        converter.push(frame, &mut out).unwrap();
    }
    converter.flush(&mut out).unwrap();
    out
}

/// The tick of the first sample that is heard, and the left channel, checked to be without holes.
fn heard(frames: &[Frame]) -> (i64, Vec<f32>) {
    assert_eq!(frames[0].kind, Kind::Config, "a configuration comes first");
    let mut decoder = Decoder::new(frames[0].codec, &frames[0].payload).unwrap();
    let media: Vec<&Frame> = frames.iter().filter(|f| f.kind == Kind::Key).collect();
    let start = media[0].pts.ticks(RATE);
    let mut samples = Vec::new();
    let mut block = Block::default();
    for frame in media {
        assert_eq!(frame.pts.ticks(RATE), start + samples.len() as i64, "without holes");
        decoder.decode(frame, &mut block).unwrap();
        samples.extend_from_slice(&block.planes[0]);
    }
    (start, samples)
}

/// How many ticks `samples`, the first at tick `start`, lag behind the sweep, and how like it they are (1: the same).
fn lag(start: i64, samples: &[f32], begin: i64) -> (i64, f64) {
    let (from, len) = (9600, 24_000);
    let part = &samples[from..from + len];
    let energy: f64 = part.iter().map(|x| f64::from(*x).powi(2)).sum();
    let likeness = |lag: i64| {
        let expected = |i: usize| sweep((start + (from + i) as i64 - lag - begin) as f64 / 48_000.0);
        let (mut product, mut other) = (0.0, 0.0);
        for (i, x) in part.iter().enumerate().step_by(3) {
            let e = expected(i);
            product += f64::from(*x) * e;
            other += e * e;
        }
        product * 3.0 / (energy * other * 3.0).sqrt()
    };
    (-1500..1500).map(|lag| (lag, likeness(lag))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

fn check(name: &str, out: &[Frame], begin: i64, likeness: f64) {
    let (start, samples) = heard(out);
    // Sources begin with what their encoder needed before the first sample.
    assert!((-1100..2000).contains(&(start - begin)), "{name} starts {} ticks late", start - begin);
    let (lag, like) = lag(start, &samples, begin);
    assert!(lag.abs() < IN_STEP, "{name} lags {lag} ticks");
    assert!(like > likeness, "{name} is like its source by {like}");
}

#[test]
fn aac_to_opus_and_back() {
    let source = coded(AAC, &stereo(2.0), 2, 5000);
    let there = converted(OPUS, &source);
    check("aac to opus", &there, 240_000, 0.99);
    check("and back", &converted(AAC, &there), 240_000, 0.99);
}

#[test]
fn one_channel_stays_one() {
    let out = converted(OPUS, &coded(AAC, &stereo(1.5), 1, 0));
    assert_eq!(headwater_media::codec::opus::Config::parse(&out[0].payload).unwrap().channels, 1);
    check("mono", &out, 0, 0.99);
}

#[test]
fn he_aac_to_opus() {
    let options = syom::EncodeOptions::raw().with_bitrate_bps(48_000).with_he(true);
    let mut encoder = syom::Encoder::new(RATE, 2, &options).unwrap();
    let mut frames = vec![sound(Codec::Aac, Kind::Config, Time::ZERO, encoder.asc().to_vec())];
    let planes = stereo(2.0);
    let mut n = 0;
    let fed = encoder.feed(&[&planes[0], &planes[1]], |unit| {
        frames.push(sound(Codec::Aac, Kind::Key, Time::from_ticks(n, RATE), unit.payload.to_vec()));
        n += 2048;
        Ok(())
    });
    fed.unwrap();
    let (_, samples) = heard(&converted(OPUS, &frames));
    let energy: f64 = samples[9600..57_600].iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / 48_000.0;
    assert!((0.1..0.15).contains(&energy), "a sweep of amplitude one half has 0.125, this {energy}");
}

#[test]
fn mp3_to_opus_and_aac() {
    let mut data: &[u8] = include_bytes!("tests/sweep.mp3");
    let mut frames = Vec::new();
    while !data.is_empty() {
        let header = mp3::Header::parse(data).unwrap();
        let (frame, rest) = data.split_at(header.len.min(data.len()));
        // LAME's and the decoder's delay: 1105 samples.
        let at = Time::from_ticks(frames.len() as i64 * 1152 - 1105, 44_100);
        frames.push(sound(Codec::Mp3, Kind::Key, at, frame.to_vec()));
        data = rest;
    }
    for target in [OPUS, AAC] {
        let (start, samples) = heard(&converted(target, &frames));
        let (lag, like) = lag(start, &samples, 0);
        assert!(lag.abs() < IN_STEP && like > 0.98, "lags {lag} ticks, like by {like}");
    }
}

#[test]
fn g711_to_opus_and_aac() {
    for codec in [Codec::G711A, Codec::G711U] {
        let frames: Vec<Frame> = (0..75)
            .map(|i| {
                let samples = (0..160).map(|j| g711(codec, sweep(f64::from(i * 160 + j) / 8000.0)));
                sound(codec, Kind::Key, Time::from_millis(i64::from(i) * 20), samples.collect::<Vec<u8>>())
            })
            .collect();
        for target in [OPUS, AAC] {
            check("g711", &converted(target, &frames), 0, 0.98);
        }
    }
}

#[test]
fn opus_and_aac_to_g711_and_back() {
    for (source, target, channels) in [(OPUS, Target::G711A, 2), (AAC, Target::G711U, 1)] {
        let out = converted(target, &coded(source, &stereo(2.0), channels, 5000));
        assert!(out.iter().all(|f| (f.kind, f.codec, f.payload.len()) == (Kind::Key, target.codec(), 160)));
        assert!(out.windows(2).all(|pair| pair[1].pts - pair[0].pts == Time::from_millis(20)));
        check("from g711", &converted(AAC, &out), 240_000, 0.97);
    }
}

#[test]
fn a_gap_becomes_silence_and_what_follows_stays_at_its_place() {
    let mut source = coded(AAC, &stereo(3.0), 2, 0);
    source.drain(10..35);
    let (start, samples) = heard(&converted(OPUS, &source));
    let quiet = &samples[12_000..30_000];
    assert!(quiet.iter().all(|x| x.abs() < 0.05));
    let (lag, like) = lag(start + 48_000, &samples[48_000..], 0);
    assert!(lag.abs() < IN_STEP && like > 0.99, "lags {lag} ticks, like by {like}");
}

#[test]
fn a_step_begins_anew() {
    let mut source = coded(AAC, &stereo(1.0), 2, 0);
    source.extend(coded(AAC, &stereo(1.5), 2, 60_000).into_iter().skip(2));
    let out = converted(OPUS, &source);
    let times: Vec<i64> = out.iter().filter(|f| f.kind == Kind::Key).map(|f| f.pts.millis()).collect();
    assert!(times.is_sorted());
    assert!(!times.iter().any(|t| (1100..59_900).contains(t)));
    let after = out.iter().rposition(|f| f.kind == Kind::Config).unwrap();
    check("after the step", &out[after..], 60_000 * 48, 0.99);
}

#[test]
fn rate_and_channels_may_change() {
    let mut source = coded(AAC, &stereo(1.0), 2, 0);
    source.extend(coded(AAC, &stereo(1.0), 1, 1000).into_iter().filter(|f| f.pts >= Time::from_millis(1000)));
    source.insert(source.len() - 46, coded(AAC, &stereo(0.1), 1, 1000).remove(0));
    let out = converted(OPUS, &source);
    let configs: Vec<u8> = out.iter().filter(|f| f.kind == Kind::Config).map(|f| f.payload[9]).collect();
    assert_eq!(configs, [2, 1]);
    assert!(out.iter().filter(|f| f.kind == Kind::Key).map(|f| f.pts).is_sorted());
}

#[test]
fn errors_name_what_is_wrong_and_the_next_frame_is_taken() {
    let source = coded(AAC, &stereo(0.5), 2, 0);
    let mut converter = Converter::new(OPUS);
    let mut out = Vec::new();
    assert_eq!(converter.push(&source[1], &mut out), Err(Error::NoConfig { codec: Codec::Aac }));
    converter.push(&source[0], &mut out).unwrap();
    let broken = sound(Codec::Aac, Kind::Key, Time::ZERO, vec![0xff; 200]);
    assert!(matches!(converter.push(&broken, &mut out), Err(Error::Frame { codec: Codec::Aac, .. })));
    let unknown = sound(Codec::H264, Kind::Key, Time::ZERO, vec![1]);
    assert_eq!(converter.push(&unknown, &mut out), Err(Error::Codec { codec: Codec::H264 }));
    for frame in &source {
        converter.push(frame, &mut out).unwrap();
    }
    assert!(out.len() > 20);
}

/// What a hostile publisher may send: real frames cut or changed, and noise.
fn hostile() -> impl Strategy<Value = Vec<(usize, Vec<u8>, i64, bool)>> {
    let payload = prop::collection::vec(any::<u8>(), 0..400);
    prop::collection::vec((0_usize..5, payload, any::<i64>(), any::<bool>()), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Never a panic, never more packets than the most that a frame can hold and a second of silence.
    #[test]
    fn random_bytes_are_harmless(frames in hostile(), target in 0_usize..3, real in any::<bool>()) {
        let codecs = [Codec::Aac, Codec::Mp3, Codec::Opus, Codec::G711A, Codec::G711U];
        let mut converter = Converter::new([OPUS, AAC, Target::G711U][target]);
        let mut out = Vec::new();
        for (codec, payload, at, config) in frames {
            let codec = codecs[codec];
            let kind = if config && !real { Kind::Config } else { Kind::Key };
            if real && codec == Codec::Aac {
                let config = sound(codec, Kind::Config, Time::ZERO, vec![0x11, 0x90]);
                prop_assert!(converter.push(&config, &mut out).is_ok());
            }
            let before = out.len();
            let _ = converter.push(&sound(codec, kind, Time::from_micros(at), payload), &mut out);
            prop_assert!(out.len() - before < 160);
        }
        let _ = converter.flush(&mut out);
    }

    /// A bit changed in a real frame.
    #[test]
    fn changed_bits_are_harmless(at in 0_usize..3000, bit in 0_u8..8, target in any::<bool>()) {
        let mut source = coded(if target { AAC } else { OPUS }, &stereo(0.2), 2, 0);
        let n = source.len();
        let frame = &mut source[at % n];
        let mut payload = frame.payload.to_vec();
        let len = payload.len();
        payload[at / n % len] ^= 1 << bit;
        frame.payload = payload.into();
        let mut converter = Converter::new(if target { OPUS } else { AAC });
        let mut out = Vec::new();
        for frame in &source {
            let _ = converter.push(frame, &mut out);
        }
        prop_assert!(out.len() < 40);
    }
}
