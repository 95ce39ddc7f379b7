//! DASH: what manifests say, what a player reads, what stays in memory and on disk.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_playlist::mpd::check;
use headwater_testkit::dash::{Manifest, manifest};
use headwater_testkit::http::Request;
use headwater_testkit::packets::{Allow, compare};
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, read_file, wait};
use std::path::Path;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// The stream's own times and bytes, from a key frame on, until the reader was stopped.
const LIVE: Allow = Allow { rewrapped: false, early_end: true, ..Allow::HLS };

fn server(more: &str) -> Server {
    let vhost = format!("dash {{ enabled on; dash_fragment 1; dash_window_size 30; {more} }}");
    Server::start(&Options { vhost, ..Options::default() })
}

/// The manifest once it satisfies `wanted`; it keeps the rules whenever it is looked at.
fn until(server: &Server, what: &str, wanted: impl Fn(&Manifest) -> bool) -> Manifest {
    wait::until(what, LIMIT, || {
        let found = manifest(server.http_address(), "/live/s.mpd").ok()?;
        assert_eq!(check(&found.text), [], "{}", found.text);
        wanted(&found).then_some(found)
    })
}

fn segments(manifest: &Manifest, id: &str) -> usize {
    let tracks = manifest.representations();
    tracks.iter().filter(|track| track.id == id).map(|track| track.segments.len()).sum()
}

fn attribute<'a>(manifest: &'a Manifest, name: &str) -> &'a str {
    let rest = manifest.text.split(&format!(" {name}=\"")).nth(1).unwrap_or_else(|| panic!("no {name}"));
    rest.split('"').next().unwrap()
}

/// What ffmpeg reads of the live manifest is what was published.
fn plays_live(clip: Clip, codecs: &[&str]) {
    // ffmpeg looks for its place in a new manifest by whole seconds, and reads the same segment for ever where two
    // begin within one.
    let vhost = "dash { enabled on; dash_fragment 2; dash_window_size 4; }".to_owned();
    let server = Server::start(&Options { vhost, ..Options::default() });
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    until(&server, "a manifest", |_| true);
    let player = Reader::open(clip.tool(), &server.http_url("/live/s.mpd"));
    player.wait_for(if codecs.len() == 2 { 500 } else { 200 }, LIMIT);
    assert_eq!(player.codecs(), codecs);
}

/// The segments are the frames that were published, at their times.
fn has_the_frames_of(clip: Clip, tracks: &[&str]) {
    let server = server("");
    let publisher = Publisher::once(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    let (status, errors) = publisher.finish(LIMIT);
    assert!(status.success(), "{errors}");
    let count = Clip::SECONDS as usize;
    let manifest = until(&server, "all segments", |found| segments(found, tracks[0]) >= count);
    let ids: Vec<_> = manifest.representations().into_iter().map(|track| track.id).collect();
    assert_eq!(ids, tracks, "{}", manifest.text);
    let folder = tempfile::tempdir().unwrap();
    let mut got = Vec::new();
    for (at, bytes) in manifest.fetch(server.http_address()).iter().enumerate() {
        let file = folder.path().join(format!("{at}.mp4"));
        std::fs::write(&file, bytes).unwrap();
        got.extend(read_file(clip.tool(), &file));
    }
    let sent = read_file(clip.tool(), &clip.file());
    let allow = Allow { late_join: false, early_end: false, lead_in: 250_000, ..LIVE };
    compare(&sent, &got, allow).unwrap_or_else(|what| panic!("{clip:?}: {what}"));
}

#[test]
fn ffmpeg_plays_h264_and_aac() {
    plays_live(Clip::H264BframesAac, &["h264", "aac"]);
}

#[test]
fn ffmpeg_plays_hevc_and_aac() {
    plays_live(Clip::HevcAac, &["hevc", "aac"]);
}

#[test]
fn ffmpeg_plays_av1_and_opus() {
    plays_live(Clip::Av1Opus, &["av1", "opus"]);
}

#[test]
fn ffmpeg_plays_sound_alone() {
    plays_live(Clip::AacOnly, &["aac"]);
}

#[test]
fn ffmpeg_plays_pictures_alone() {
    plays_live(Clip::H264Only, &["h264"]);
}

#[test]
fn segments_are_what_was_published() {
    for clip in [Clip::H264BframesAac, Clip::HevcAac, Clip::Av1Opus, Clip::H264Mp3] {
        has_the_frames_of(clip, &["video", "audio"]);
    }
    has_the_frames_of(Clip::AacOnly, &["audio"]);
    has_the_frames_of(Clip::H264Only, &["video"]);
}

#[test]
fn a_manifest_tells_what_the_stream_is() {
    let server = server("dash_update_period 2;");
    let _publisher = Publisher::looping(Clip::H264Aac.tool(), &Clip::H264Aac.file(), &server.rtmp_url("s"));
    let manifest = until(&server, "three segments", |found| segments(found, "video") >= 3);
    let text = &manifest.text;
    assert!(text.contains("<BaseURL>s/</BaseURL>"), "{text}");
    assert!(text.contains("codecs=\"avc1.4d"), "{text}");
    assert!(text.contains("codecs=\"mp4a.40.2\""), "{text}");
    assert!(text.contains("width=\"320\" height=\"180\" frameRate=\"25\""), "{text}");
    assert!(text.contains("audioSamplingRate=\"44100\""), "{text}");
    assert!(text.contains("urn:mpeg:dash:utc:direct:2014"), "{text}");
    assert_eq!(attribute(&manifest, "minimumUpdatePeriod"), "PT2.000000S");
    let tracks = manifest.representations();
    assert_eq!(tracks[0].initialization, "/live/s/video-init.mp4");
    assert_eq!(tracks[0].segments[0], "/live/s/video-0.m4s");
    assert_eq!(tracks[1].segments[0], "/live/s/audio-0.m4s");

    let get = |path: &str| Request::get(server.http_address(), path);
    let answer = get("/live/s.mpd").send().unwrap();
    assert_eq!(answer.header("content-type"), Some("application/dash+xml"));
    for (path, kind) in [
        ("/live/s/video-init.mp4", "video/mp4"),
        ("/live/s/audio-init.mp4", "audio/mp4"),
        ("/live/s/video-0.m4s", "video/mp4"),
        ("/live/s/audio-0.m4s", "audio/mp4"),
    ] {
        let answer = get(path).send().unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}");
        let tag = answer.header("etag").unwrap().to_owned();
        assert_eq!(get(path).header("If-None-Match", &tag).send().unwrap().status, 304, "{path}");
        assert_eq!(get(path).header("Range", "bytes=0-3").send().unwrap().status, 206, "{path}");
    }
    assert_eq!(get("/live/s/video-9999.m4s").send().unwrap().status, 404);
    assert_eq!(get("/live/other.mpd").send().unwrap().status, 404);
}

#[test]
fn the_window_slides_and_what_left_it_goes() {
    let vhost = "dash { enabled on; dash_fragment 1; dash_window_size 2; }".to_owned();
    let server = Server::start(&Options { vhost, ..Options::default() });
    let _publisher = Publisher::looping(Clip::H264Aac.tool(), &Clip::H264Aac.file(), &server.rtmp_url("s"));
    let manifest = until(&server, "a window that has moved", |found| {
        found.text.contains("startNumber=\"5\"") && segments(found, "video") == 2
    });
    assert!(segments(&manifest, "audio") <= 2);
    let gone = Request::get(server.http_address(), "/live/s/video-0.m4s").send().unwrap();
    assert_eq!(gone.status, 404);
}

#[test]
fn a_publisher_who_returns_begins_a_period() {
    let server = server("");
    let clip = Clip::H264Aac;
    let publish = || Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    let first = publish();
    let before = until(&server, "two segments", |found| segments(found, "video") >= 2);
    first.stop();
    let started = attribute(&before, "availabilityStartTime").to_owned();
    let _second = publish();
    let after = until(&server, "two periods", |found| {
        found.text.matches("<Period ").count() == 2
            && found
                .representations()
                .iter()
                .filter(|track| track.id == "video")
                .all(|t| t.segments.len() >= 2)
    });
    assert_eq!(attribute(&after, "availabilityStartTime"), started);
    let video: Vec<_> = after.representations().into_iter().filter(|track| track.id == "video").collect();
    assert_eq!(video[0].initialization, video[1].initialization, "the configuration is the same");
    let names: Vec<_> = video.iter().flat_map(|track| &track.segments).collect();
    let counted: Vec<_> = (0..names.len()).map(|n| format!("/live/s/video-{n}.m4s")).collect();
    assert_eq!(names, counted.iter().collect::<Vec<_>>(), "numbers go on");
    after.fetch(server.http_address());
}

#[test]
fn files_are_on_disk_when_asked_for_and_go_with_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&format!("dash_path {}; dash_dispose 1;", folder.path().display()));
    let clip = Clip::H264Aac;
    let publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    let path = folder.path().join("live/s.mpd");
    let text = wait::until("a manifest on disk", LIMIT, || {
        std::fs::read_to_string(&path).ok().filter(|text| text.contains("startNumber"))
    });
    assert_eq!(check(&text), [], "{text}");
    assert!(!text.contains("UTCTiming"), "a file's clock would stand still: {text}");
    let stays = |name: &str| folder.path().join("live/s").join(name).exists();
    for name in ["video-init.mp4", "audio-init.mp4", "video-0.m4s", "audio-0.m4s"] {
        assert!(stays(name), "{name}");
    }
    publisher.stop();
    wait::until("everything to be gone", LIMIT, || {
        (!path.exists() && count(folder.path()) == 0).then_some(())
    });
    let answer = manifest(server.http_address(), "/live/s.mpd");
    assert_eq!(answer.unwrap_err().0, 404);
}

fn count(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

#[test]
fn whoever_may_not_play_gets_no_manifest() {
    let vhost =
        "dash { enabled on; dash_fragment 1; } security { enabled on; allow publish all; deny play all; }";
    let server = Server::start(&Options { vhost: vhost.to_owned(), ..Options::default() });
    let clip = Clip::H264Aac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    assert_eq!(manifest(server.http_address(), "/live/s.mpd").unwrap_err().0, 403);
}

#[test]
fn nothing_is_there_when_not_asked_for() {
    let server = Server::start(&Options::default());
    let clip = Clip::H264Aac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    assert_eq!(manifest(server.http_address(), "/live/s.mpd").unwrap_err().0, 404);
}
