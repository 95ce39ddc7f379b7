//! HLS: what is in memory, what is on disk, what a player sees.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::http::Request;
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, hls, wait};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const CLIP: Clip = Clip::H264Aac;

#[test]
fn a_playlist_slides_over_segments_that_are_there() {
    let directives = "enabled on; hls_fragment 1; hls_window 3;".to_owned();
    let server = Server::start(&Options { hls: Some(directives), ..Options::default() });
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    let playlist = wait::until("a playlist whose window has moved", LIMIT, || {
        let found = hls::playlist(server.http_address(), "/live/s.m3u8")?;
        (!found.text.contains("#EXT-X-MEDIA-SEQUENCE:0\n")).then_some(found)
    });
    let text = &playlist.text;
    assert!(text.starts_with("#EXTM3U\n"), "{text}");
    assert!(text.contains("#EXT-X-TARGETDURATION:"), "{text}");
    assert!(!text.contains("#EXT-X-ENDLIST"), "it is live: {text}");
    assert!((2..=5).contains(&playlist.segments().len()), "{text}");
    let bytes = playlist.fetch(server.http_address());
    assert!(
        !bytes.is_empty() && bytes.len().is_multiple_of(188),
        "{} bytes are not whole packets",
        bytes.len()
    );
    assert!(bytes.chunks(188).all(|packet| packet[0] == 0x47), "a packet without sync byte");
    let missing = Request::get(server.http_address(), "/live/s-999999.ts").send().unwrap();
    assert_eq!(missing.status, 404);
}

#[test]
fn segments_are_on_disk_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let directives =
        format!("enabled on; hls_fragment 1; hls_window 10; hls_path {};", folder.path().display());
    let server = Server::start(&Options { hls: Some(directives), ..Options::default() });
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    let playlist = folder.path().join("live/s.m3u8");
    let text = wait::until("a playlist on disk", LIMIT, || {
        let text = std::fs::read_to_string(&playlist).ok()?;
        (text.matches("#EXTINF").count() >= 2).then_some(text)
    });
    for segment in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = segment.split('?').next().unwrap();
        let file = std::fs::read(folder.path().join("live").join(name)).unwrap();
        assert!(!file.is_empty() && file.len().is_multiple_of(188), "{name}");
    }
}

#[test]
fn nothing_is_on_disk_when_not_asked_for() {
    let server = Server::start(&Options::default());
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    wait::until("a playlist", LIMIT, || hls::playlist(server.http_address(), "/live/s.m3u8"));
    let mut files = Vec::new();
    walk(server.folder(), &mut files);
    assert!(files.iter().all(|file| !file.ends_with(".ts") && !file.ends_with(".m3u8")), "{files:?}");
}

fn walk(folder: &std::path::Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        match entry.path() {
            path if path.is_dir() => walk(&path, files),
            path => files.push(path.to_string_lossy().into_owned()),
        }
    }
}

#[test]
fn ffmpeg_plays_it_live() {
    let server = Server::start(&Options::default());
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    wait::until("a playlist", LIMIT, || hls::playlist(server.http_address(), "/live/s.m3u8"));
    let player = Reader::open(CLIP.tool(), &server.http_url("/live/s.m3u8"));
    player.wait_for(400, LIMIT);
    assert_eq!(player.codecs(), ["h264", "aac"]);
}
