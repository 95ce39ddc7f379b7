//! Against FFmpeg: what it encodes is muxed here, and ffprobe finds the same packets at the same times.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bytes::Bytes;
use headwater_media::{Frame, Kind, Time, Track};
use headwater_mp4::{Chunk, Fragmenter, InitSegment, Layout, Recorder, TrackSpec, read_file, styp};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packets of the codec type (`v` or `a`): pts and dts in microseconds, size, flags.
fn packets(input: &Path, kind: &str) -> Vec<(i64, i64, u32, bool)> {
    let entries = "packet=pts_time,dts_time,size,flags";
    let args = ["-v", "warning", "-select_streams", kind, "-show_entries", entries, "-of", "csv=p=0"];
    let out = Command::new("ffprobe").args(args).arg(input).output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let micros = |s: &str| (s.parse::<f64>().unwrap() * 1e6).round() as i64;
    let text = String::from_utf8(out.stdout).unwrap();
    let rows = text.lines().filter(|line| !line.is_empty()).map(|line| line.split(',').collect::<Vec<_>>());
    rows.map(|row| (micros(row[0]), micros(row[1]), row[2].parse().unwrap(), row[3].starts_with('K')))
        .collect()
}

/// Decodes everything; any complaint of the decoders fails the test.
fn decode(input: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "warning", "-xerror", "-i"]).arg(input).args(["-f", "null", "-"]);
    let out = command.output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
}

fn make(dir: &Path, args: &[&str]) -> Vec<Frame> {
    let file = dir.join("source.mp4");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=s=160x90:r=25"]);
    command.args(["-f", "lavfi", "-i", "sine=r=48000", "-t", "3.2"]).args(args).arg(&file);
    assert!(command.status().unwrap().success());
    read_file(&std::fs::read(file).unwrap().into()).unwrap()
}

fn specs(frames: &[Frame]) -> Vec<TrackSpec> {
    let of = |track| {
        let mut mine = frames.iter().filter(|frame| frame.track == track);
        let key = mine.clone().find(|frame| frame.kind == Kind::Key)?;
        mine.find_map(|frame| TrackSpec::from_frame(frame).ok()).map(|spec| spec.sized_by(key))
    };
    [Track::Video, Track::Audio].into_iter().filter_map(of).collect()
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let file = dir.join(name);
    std::fs::write(&file, bytes).unwrap();
    file
}

/// ffprobe lists the frames, in order and to the microsecond of its own six digits; `shift` is the file's zero.
fn same(input: &Path, frames: &[Frame], shift: Time) {
    for (kind, track) in [("v", Track::Video), ("a", Track::Audio)] {
        let mine = frames.iter().filter(|frame| frame.track == track && frame.kind != Kind::Config);
        let want: Vec<_> = mine.collect();
        let got = packets(input, kind);
        assert_eq!(got.len(), want.len(), "{kind} packets");
        for (got, want) in got.iter().zip(want) {
            // Rounded to a tick of the track, and to six digits.
            assert!((got.0 - (want.pts - shift).micros()).abs() <= 12, "{kind}: {got:?} {want:?}");
            assert!((got.1 - (want.dts - shift).micros()).abs() <= 12, "{kind}: {got:?} {want:?}");
            assert_eq!((got.2 as usize, got.3), (want.payload.len(), want.kind == Kind::Key));
        }
    }
}

fn check(args: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let frames = make(dir.path(), args);
    same(&dir.path().join("source.mp4"), &frames, Time::ZERO);
    let specs = specs(&frames);
    let origin = frames.iter().filter(|f| f.kind != Kind::Config).map(|f| f.dts).min().unwrap();
    let mut fragmenter = Fragmenter::new(&specs, origin);
    let mut file = [InitSegment::new(&specs).bytes, styp()].concat();
    for (frame, n) in frames.iter().zip(0..) {
        fragmenter.push(frame).unwrap();
        let chunk = if n % 10 == 0 { fragmenter.chunk() } else { None };
        file.extend(chunk.iter().flat_map(Chunk::to_bytes));
    }
    file.extend(fragmenter.finish().unwrap().to_bytes());
    let input = write(dir.path(), "fragments.mp4", &file);
    same(&input, &frames, origin);
    decode(&input);
    record(dir.path(), &specs, &frames, origin);
}

/// A recording that was killed, and one that was finished, in both layouts, of a stream five hours old.
fn record(dir: &Path, specs: &[TrackSpec], frames: &[Frame], origin: Time) {
    let later = Time::from_millis(5 * 3_600_000) - origin;
    let moved = |f: &Frame| Frame { dts: f.dts + later, pts: f.pts + later, ..f.clone() };
    let frames: Vec<Frame> = frames.iter().map(moved).collect();
    let chunks = chunks(specs, &frames);
    let zero = chunks.iter().map(|chunk| chunk.shown).min().unwrap();
    let tracks: Vec<(u32, TrackSpec)> = (1..).zip(specs.iter().cloned()).collect();
    for layout in [Layout::Plain, Layout::Fragmented] {
        let mut recorder = Recorder::new(&tracks, zero, layout, b"");
        let mut file = recorder.header().to_vec();
        let mut whole = 0;
        for chunk in &chunks {
            whole = file.len();
            recorder.push(chunk).unwrap();
            file.extend(chunk.to_bytes());
        }
        let cut = read_file(&Bytes::copy_from_slice(&file[..whole])).unwrap();
        same(&write(dir, "killed.mp4", &file[..whole + 20]), &cut, Time::ZERO);
        let last = recorder.finalize();
        file.extend(last.tail);
        let at = last.patch_at as usize;
        file[at..at + last.patch.len()].copy_from_slice(&last.patch);
        let input = write(dir, "finished.mp4", &file);
        same(&input, &frames, zero);
        assert!(start_time(&input).abs() < 0.001, "{layout:?} starts at {}", start_time(&input));
        decode(&input);
    }
}

/// Chunks of a single track each.
fn chunks(specs: &[TrackSpec], frames: &[Frame]) -> Vec<Chunk> {
    let mut fragmenter = Fragmenter::new(specs, Time::ZERO);
    let (mut chunks, end) = (Vec::new(), Time::from_micros(i64::MAX));
    for (frame, n) in frames.iter().zip(1..) {
        fragmenter.push(frame).unwrap();
        if n == frames.len() {
            fragmenter.close();
        }
        if n % 10 == 0 || n == frames.len() {
            chunks
                .extend([Track::Audio, Track::Video].iter().filter_map(|t| fragmenter.track_chunk(*t, end)));
        }
    }
    chunks
}

/// When a file begins, in seconds.
fn start_time(input: &Path) -> f64 {
    let args = ["-v", "error", "-show_entries", "format=start_time", "-of", "csv=p=0"];
    let out = Command::new("ffprobe").args(args).arg(input).output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn h264_with_b_frames_and_aac() {
    check(&["-c:v", "libx264", "-g", "25", "-bf", "2", "-c:a", "aac"]);
}

#[test]
fn hevc_and_opus() {
    check(&["-c:v", "libx265", "-x265-params", "log-level=none:keyint=25:min-keyint=25", "-c:a", "libopus"]);
}

#[test]
fn av1_and_mp3() {
    check(&["-c:v", "libaom-av1", "-cpu-used", "8", "-g", "25", "-c:a", "libmp3lame"]);
}

#[test]
fn vp9_and_aac() {
    check(&["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-c:a", "aac"]);
}

#[test]
fn pictures_alone_and_sound_alone() {
    check(&["-map", "0:v", "-c:v", "libx264", "-g", "25"]);
    check(&["-map", "1:a", "-c:a", "aac"]);
}
