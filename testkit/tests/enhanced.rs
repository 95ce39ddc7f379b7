//! Enhanced RTMP with the newest ffmpeg on both sides: codecs that classic RTMP cannot name come out as they went in,
//! named by the same FourCC.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_media::{Codec, CodecTag, Frame, Kind, Track};
use headwater_testkit::flv::{frames, is_media};
use headwater_testkit::packets::{Allow, Media, Packet, compare};
use headwater_testkit::rtmp::RtmpPeer;
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, Tool, read_file, wait};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);
/// A stream is over for a player that stays when nothing came for so long.
const QUIET: Duration = Duration::from_millis(1500);

/// What a stream is made of.
struct Case {
    file: PathBuf,
    video: (Codec, &'static str),
    audio: (Codec, &'static str),
    /// How the publisher names the audio codec; ffmpeg names AAC the classic way.
    audio_tag: CodecTag,
}

/// Publishes in real time, with ffmpeg and this test's own peer as players from before the first byte.
fn comes_out_as_it_went_in(case: &Case) {
    let sent = read_file(Tool::Newest, &case.file);
    let server = Server::start(&Options::default());
    let rtmp = Reader::open(Tool::Newest, &server.rtmp_url("s"));
    let flv = Reader::open(Tool::Newest, &server.http_url("/live/s.flv"));
    let peer = RtmpPeer::play(server.rtmp_address(), "s");
    server.wait_for_players(3);
    let expected = frames(&fs::read(&case.file).unwrap());
    let watching = std::thread::spawn(move || watch(peer, expected));

    let publisher = Publisher::once(Tool::Newest, &case.file, &server.rtmp_url("s"));
    wait::until("the codecs in the API", LIMIT, || {
        let stream = server.stream("s")?;
        (stream["video"]["codec"] == case.video.1 && stream["audio"]["codec"] == case.audio.1).then_some(())
    });
    flv.wait_for(sent.len() / 2, LIMIT);
    let late = Reader::open(Tool::Newest, &server.http_url("/live/s.flv"));
    let (status, errors) = publisher.finish(LIMIT);
    assert!(status.success(), "ffmpeg cannot publish: {errors}");

    let (got, errors) = flv.finish(LIMIT);
    assert_same("HTTP-FLV", &sent, &got, Allow::WAITED, &errors);
    rtmp.wait_until_quiet(QUIET, LIMIT);
    server.kick_players();
    let (got, errors) = rtmp.finish(LIMIT);
    assert_same("RTMP", &sent, &got, Allow::WAITED, &errors);
    let (got, errors) = late.finish(LIMIT);
    assert_same("HTTP-FLV, late", &sent, &got, Allow::LATE_JOIN, &errors);
    assert!(got.len() < sent.len(), "it came late");

    for frame in watching.join().unwrap() {
        let (codec, tag) = match frame.track {
            Track::Video => (case.video.0, CodecTag::FourCc),
            Track::Audio => (case.audio.0, case.audio_tag),
            Track::Script => continue,
        };
        assert_eq!((frame.codec, frame.tag), (codec, tag), "{:?} at {:?}", frame.track, frame.dts);
    }
}

/// Plays until the last picture of what is published has come, and checks that its configuration came before it.
fn watch(mut peer: RtmpPeer, expected: Vec<Frame>) -> Vec<Frame> {
    let last = expected.iter().rfind(|frame| is_media(frame) && frame.track == Track::Video).unwrap();
    let mut got: Vec<Frame> = Vec::new();
    loop {
        let frame = peer.frame().unwrap();
        if frame.is_video_key() && frame.codec.needs_config() {
            let before = |known: &Frame| known.track == Track::Video && known.kind == Kind::Config;
            assert!(got.iter().any(before), "a key frame before its configuration");
        }
        let is_last = frame.track == Track::Video && frame.payload == last.payload;
        got.push(frame);
        if is_last {
            return got;
        }
    }
}

fn assert_same(how: &str, sent: &[Packet], got: &[Packet], allow: Allow, errors: &str) {
    let keys = |packets: &[Packet]| packets.iter().filter(|p| p.media == Media::Video && p.key).count();
    assert!(keys(got) > 0, "{how}: no key frame");
    if let Err(what) = compare(sent, got, allow) {
        panic!("{how}: {what}\n{errors}");
    }
}

#[test]
fn hevc_and_aac() {
    comes_out_as_it_went_in(&Case {
        file: Clip::HevcAac.file(),
        video: (Codec::Hevc, "HEVC"),
        audio: (Codec::Aac, "AAC"),
        audio_tag: CodecTag::Legacy,
    });
}

#[test]
fn av1_and_opus() {
    comes_out_as_it_went_in(&Case {
        file: Clip::Av1Opus.file(),
        video: (Codec::Av1, "AV1"),
        audio: (Codec::Opus, "Opus"),
        audio_tag: CodecTag::FourCc,
    });
}

#[test]
fn vp9_and_opus() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("vp9.flv");
    let status = Tool::Newest
        .command()
        .args(["-f", "lavfi", "-t", "4", "-i", "testsrc2=size=320x180:rate=25"])
        .args(["-f", "lavfi", "-t", "4", "-i", "sine=frequency=440:sample_rate=48000"])
        .args(["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0"])
        .args(["-auto-alt-ref", "0", "-g", "25", "-b:v", "200k", "-pix_fmt", "yuv420p"])
        .args(["-c:a", "libopus", "-b:a", "48k", "-ac", "2", "-fflags", "+bitexact", "-f", "flv"])
        .arg(&file)
        .status();
    assert!(status.is_ok_and(|status| status.success()), "ffmpeg cannot make VP9; run `cargo xtask setup`");
    comes_out_as_it_went_in(&Case {
        file,
        video: (Codec::Vp9, "VP9"),
        audio: (Codec::Opus, "Opus"),
        audio_tag: CodecTag::FourCc,
    });
}
