//! HLS: what is in memory, what is on disk, what a player sees.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::http::Request;
use headwater_testkit::{Clip, Options, Publisher, Server, wait};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const CLIP: Clip = Clip::H264Aac;

/// The media playlist: the one that names segments, found through the one that names it, if that is what comes first.
fn media_playlist(server: &Server, path: &str) -> Option<(String, String)> {
    let answer = Request::get(server.http_address(), path).send().ok()?;
    let text = (answer.status == 200).then(|| answer.text().ok())??;
    match text.lines().find(|line| !line.starts_with('#') && line.contains(".m3u8")) {
        Some(next) => media_playlist(server, &resolve(path, next)),
        None => Some((path.to_owned(), text)),
    }
}

fn resolve(base: &str, target: &str) -> String {
    if target.starts_with('/') {
        return target.to_owned();
    }
    let folder = base.split('?').next().unwrap_or_default().rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/{target}")
}

fn segments(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect()
}

#[test]
fn a_playlist_slides_over_segments_that_are_there() {
    let hls = "enabled on; hls_fragment 1; hls_window 3;".to_owned();
    let server = Server::start(&Options { hls: Some(hls), ..Options::default() });
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    let (path, text) = wait::until("a playlist whose window has moved", LIMIT, || {
        let found = media_playlist(&server, "/live/s.m3u8")?;
        (!found.1.contains("#EXT-X-MEDIA-SEQUENCE:0\n")).then_some(found)
    });
    assert!(text.starts_with("#EXTM3U\n"), "{text}");
    assert!(text.contains("#EXT-X-TARGETDURATION:"), "{text}");
    assert!(!text.contains("#EXT-X-ENDLIST"), "it is live: {text}");
    let segments = segments(&text);
    assert!((2..=5).contains(&segments.len()), "{text}");
    for segment in segments {
        let bytes = Request::get(server.http_address(), &resolve(&path, segment)).send().unwrap();
        assert_eq!(bytes.status, 200, "{segment}");
        let bytes = bytes.bytes().unwrap();
        assert!(!bytes.is_empty() && bytes.len().is_multiple_of(188), "{segment}: {} bytes", bytes.len());
        assert!(bytes.chunks(188).all(|packet| packet[0] == 0x47), "{segment}: a packet without sync byte");
    }
    let missing = Request::get(server.http_address(), "/live/s-999999.ts").send().unwrap();
    assert_eq!(missing.status, 404);
}

#[test]
fn segments_are_on_disk_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let hls = format!("enabled on; hls_fragment 1; hls_window 10; hls_path {};", folder.path().display());
    let server = Server::start(&Options { hls: Some(hls), ..Options::default() });
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    let playlist = folder.path().join("live/s.m3u8");
    let text = wait::until("a playlist on disk", LIMIT, || {
        let text = std::fs::read_to_string(&playlist).ok()?;
        (segments(&text).len() >= 2).then_some(text)
    });
    for segment in segments(&text) {
        let name = segment.split('?').next().unwrap();
        let file = std::fs::read(folder.path().join("live").join(name)).unwrap();
        assert!(!file.is_empty() && file.len().is_multiple_of(188), "{name}");
    }
}

#[test]
fn nothing_is_on_disk_when_not_asked_for() {
    let server = Server::start(&Options::default());
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    wait::until("a playlist", LIMIT, || media_playlist(&server, "/live/s.m3u8"));
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
