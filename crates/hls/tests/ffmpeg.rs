//! Against FFmpeg: its transport streams are read, and what we make of them plays in ffprobe, packet by packet.
//! Time here is the media's; nothing sleeps for it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use headwater_conf::{Conf, Env, Source};
use headwater_hls::Hls;
use headwater_hub::{
    Admission, Answer, Grant, Hub, Options, Refusal, Request, Session, SessionId, SessionInfo, StreamName,
};
use headwater_media::Frame;
use headwater_mpeg::TsDemuxer;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio::runtime::Handle;

#[derive(Debug)]
struct Open;

impl Admission for Open {
    fn ask<'a>(&'a self, request: &'a Request) -> Answer<'a> {
        let refused = Refusal { code: 2051, reason: "bad name".into() };
        let name = StreamName::new(&request.vhost, &request.app, &request.stream);
        Box::pin(std::future::ready(name.map(|name| Grant { name }).map_err(|_| refused)))
    }
}

/// A packet as ffprobe lists it: `codec_type,pts,dts,size` lines, sorted.
fn packets(input: &Path, timestamps: bool) -> Vec<String> {
    let entries = if timestamps { "packet=codec_type,pts,dts" } else { "packet=codec_type" };
    let args = ["-v", "error", "-fflags", "+genpts", "-show_entries", entries, "-of", "csv=p=0"];
    let out = Command::new("ffprobe").args(args).arg(input).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let mut lines: Vec<String> = text.lines().map(|l| l.trim_end_matches(',').to_owned()).collect();
    lines.retain(|l| !l.is_empty());
    lines.sort();
    lines
}

/// Decodes everything; any complaint of the decoders fails the test.
fn decode(input: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "warning", "-xerror", "-i"]).arg(input).args(["-f", "null", "-"]);
    let out = command.output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
}

fn make(dir: &Path, args: &[&str]) -> Vec<u8> {
    let file = dir.join("source.ts");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=s=160x90:r=25"]);
    command.args(["-f", "lavfi", "-i", "sine=r=48000", "-t", "6.5"]).args(args).arg(&file);
    assert!(command.status().unwrap().success());
    std::fs::read(file).unwrap()
}

fn publish(hub: &Arc<Hub>, frames: Vec<Frame>) {
    let name = StreamName::new("__defaultVhost__", "live", "a").unwrap();
    let session = SessionInfo {
        id: SessionId::random(),
        kind: "fmle-publish",
        publish: true,
        name: name.clone(),
        shown_name: "a".into(),
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        tc_url: "".into(),
        page_url: "".into(),
        swf_url: "".into(),
        param: "".into(),
    };
    let publisher = hub.stream(&name).publish(&Arc::new(Session::new(session))).unwrap();
    frames.into_iter().for_each(|frame| publisher.push(frame));
}

/// What FFmpeg encodes with `args` comes out of the segments on disk: as many packets, at the same times.
async fn check(args: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let source = make(dir.path(), args);
    let (mut demuxer, mut frames) = (TsDemuxer::new(), Vec::new());
    demuxer.push(&source, &mut frames);
    demuxer.finish(&mut frames);
    let root = dir.path().join("www");
    let text = format!(
        "listen 1935; max_connections 100; vhost __defaultVhost__ {{ hls {{ enabled on; hls_fragment 2; hls_path {}; }} }}",
        root.display()
    );
    let conf = Conf::load(Source::Text { name: "test".into(), text }, &Env::empty()).unwrap().conf;
    let hub = Hub::new(|_| Options::default());
    let hls = Hls::new(&hub, Arc::new(conf), Arc::new(Open), Handle::current());
    assert!(hub.observe(vec![hls.clone()]));
    publish(&hub, frames);
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    hls.flush().await;
    let playlist = root.join("live/a.m3u8");
    let text = std::fs::read_to_string(&playlist).unwrap();
    assert_eq!(headwater_playlist::check(&text), Ok(()));
    assert_eq!(packets(&dir.path().join("source.ts"), true), joined(&root, &text));
    // A live playlist without its end would keep FFmpeg waiting.
    std::fs::write(&playlist, text + "#EXT-X-ENDLIST\n").unwrap();
    assert_eq!(packets(&dir.path().join("source.ts"), false).len(), packets(&playlist, false).len());
    decode(&playlist);
}

/// The packets of all segments together, one after the other in one file.
fn joined(root: &Path, playlist: &str) -> Vec<String> {
    let mut bytes = Vec::new();
    for uri in playlist.lines().filter(|line| !line.starts_with('#')) {
        bytes.extend(std::fs::read(root.join("live").join(uri)).unwrap());
    }
    let file = root.join("joined.ts");
    std::fs::write(&file, bytes).unwrap();
    packets(&file, true)
}

#[tokio::test]
async fn h264_with_b_frames_and_aac() {
    check(&["-c:v", "libx264", "-g", "25", "-bf", "2", "-c:a", "aac"]).await;
}

#[tokio::test]
async fn hevc_and_aac() {
    check(&["-c:v", "libx265", "-x265-params", "log-level=none:keyint=25:min-keyint=25", "-c:a", "aac"])
        .await;
}

#[tokio::test]
async fn h264_and_mp3() {
    check(&["-c:v", "libx264", "-g", "25", "-c:a", "libmp3lame"]).await;
}

#[tokio::test]
async fn h264_and_opus() {
    check(&["-c:v", "libx264", "-g", "25", "-c:a", "libopus"]).await;
}

#[tokio::test]
async fn pictures_alone_and_sound_alone() {
    check(&["-map", "0:v", "-c:v", "libx264", "-g", "25"]).await;
    check(&["-map", "1:a", "-c:a", "aac"]).await;
}
