//! Another decoder's word on the AAC that is made here: no complaint, and the same sound at its place.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use bytes::Bytes;
use headwater_audio::{Converter, Target};
use headwater_media::codec::aac;
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use std::f64::consts::PI;
use std::fs;
use std::process::Command;

/// The source's rate in Hz, in which the comparison is made.
const RATE: u32 = 8000;

/// A sweep from 200 to 3200 Hz in a second, again and again.
fn sweep(sample: i64) -> f64 {
    let t = (sample as f64 / f64::from(RATE)).rem_euclid(1.0);
    0.5 * (2.0 * PI * (200.0 * t + 1500.0 * t * t)).sin()
}

/// Mu-law by its definition (ITU-T G.711), to 14 bits.
fn mu_law(sample: f64) -> u8 {
    let magnitude = ((sample.abs() * 32_768.0) as u32).min(32_635) + 0x84;
    let segment = (24 - magnitude.leading_zeros()) as u8;
    let code = segment << 4 | (magnitude >> (segment + 3) & 0x0f) as u8;
    !(code | if sample < 0.0 { 0x80 } else { 0 })
}

/// Two seconds in packets of 20 ms.
fn source() -> impl Iterator<Item = Frame> {
    (0..100).map(|i| {
        let payload: Bytes = (0..160).map(|j| mu_law(sweep(i * 160 + j))).collect();
        let (track, codec, tag, kind) = (Track::Audio, Codec::G711U, CodecTag::Legacy, Kind::Key);
        let at = Time::from_millis(i * 20);
        Frame { track, codec, tag, kind, dts: at, pts: at, payload }
    })
}

fn adts(frames: &[Frame]) -> Vec<u8> {
    let config = aac::Config::parse(&frames[0].payload).unwrap();
    let mut out = Vec::new();
    for frame in &frames[1..] {
        out.extend_from_slice(&config.adts_header(frame.payload.len()).unwrap());
        out.extend_from_slice(&frame.payload);
    }
    out
}

/// The samples that ffmpeg hears, with every error it knows of made fatal.
fn decoded(adts: &[u8]) -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("a.aac"), folder.path().join("a.f32"));
    fs::write(&from, adts).unwrap();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-xerror", "-err_detect", "explode", "-i"]).arg(&from);
    let done = ffmpeg.args(["-ac", "1", "-ar", "8000", "-f", "f32le"]).arg(&to).output().unwrap();
    assert!(done.status.success() && done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    let samples = fs::read(&to).unwrap();
    samples.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect()
}

#[test]
fn ffmpeg_hears_the_same() {
    for bitrate in [32_000, 96_000, 128_000] {
        let mut converter = Converter::new(Target::Aac { bitrate });
        let mut frames = Vec::new();
        source().for_each(|frame| converter.push(&frame, &mut frames).unwrap());
        converter.flush(&mut frames).unwrap();

        let heard = decoded(&adts(&frames));
        let start = frames[1].pts.ticks(RATE);
        let difference = |lag: i64| -> f64 {
            (2000..12_000).map(|i: i64| (heard[i as usize] - sweep(start + i - lag)).powi(2)).sum()
        };
        let lag = (-100..100).min_by(|a, b| difference(*a).total_cmp(&difference(*b))).unwrap();
        // The sweep's energy is an eighth.
        let snr = 10.0 * (10_000.0 / 8.0 / difference(lag)).log10();
        assert!(lag.abs() <= 1, "{bitrate} b/s lags {lag} samples of 8 kHz");
        assert!(snr > 15.0, "{bitrate} b/s: {snr:.1} dB");
    }
}
