//! Segments over plain connections that stay: the same bytes as on disk, whatever was asked for and however it is read.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::rtmp::connect;
use headwater_testkit::wire::{Head, Wire};
use headwater_testkit::{Clip, Options, Publisher, Server, hls, wait};
use std::net::TcpStream;
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);
const CLIP: Clip = Clip::H264Aac;

/// A server with a live stream whose segments are on disk, too.
struct Live {
    server: Server,
    disk: TempDir,
    _publisher: Publisher,
}

impl Live {
    fn start(directives: &str) -> Live {
        let disk = tempfile::tempdir().unwrap();
        let path = disk.path().display();
        let hls = format!("enabled on; hls_fragment 2; hls_window 60; hls_path {path}; {directives}");
        let server = Server::start(&Options { hls: Some(hls), ..Options::default() });
        let publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
        Live { server, disk, _publisher: publisher }
    }

    /// Path and bytes of the first two segments.
    fn segments(&self) -> [(String, Vec<u8>); 2] {
        wait::until("two segments on disk", LIMIT, || {
            let playlist = hls::playlist(self.server.http_address(), "/live/s.m3u8")?;
            let kept = |path: String| {
                let name = path.split('?').next()?.trim_start_matches('/');
                Some((path.clone(), std::fs::read(self.disk.path().join(name)).ok()?))
            };
            let found: Vec<_> = playlist.segments().into_iter().take(2).filter_map(kept).collect();
            found.try_into().ok()
        })
    }

    fn wire(&self) -> Wire<TcpStream> {
        Wire::new(connect(self.server.http_address()))
    }
}

fn ask(wire: &mut Wire<TcpStream>, path: &str, field: &str) -> (Head, Vec<u8>) {
    wire.request(&[&format!("GET {path} HTTP/1.1"), "Host: localhost", field]);
    wire.answer()
}

#[test]
fn a_connection_gets_segments_whole_in_part_and_not_at_all() {
    for fragments in ["", "hls_use_fmp4 on;"] {
        let live = Live::start(fragments);
        let [one, two] = live.segments();
        assert!(one.1.len() > 40_000, "large enough to be lent, not copied: {} bytes", one.1.len());
        let mut wire = live.wire();
        let mut tag = String::new();
        for (path, bytes) in [&one, &two, &one] {
            wire.get(path);
            let (head, body) = wire.answer();
            assert_eq!((head.status(), body == *bytes), (200, true), "{path}");
            tag = head.field("etag").unwrap().to_owned();
        }
        let (path, bytes) = &one;
        for (range, first, last) in [
            ("0-0", 0, 0),
            ("1-40000", 1, 40_000),
            ("40000-", 40_000, bytes.len() - 1),
            ("-5000", bytes.len() - 5000, bytes.len() - 1),
        ] {
            let (head, part) = ask(&mut wire, path, &format!("Range: bytes={range}"));
            let told = format!("bytes {first}-{last}/{}", bytes.len());
            assert_eq!((head.status(), head.field("content-range")), (206, Some(told.as_str())));
            assert!(part == bytes[first..=last], "{range}");
        }
        assert_eq!(ask(&mut wire, path, "Range: bytes=99999999-").0.status(), 416);
        wire.request(&[&format!("HEAD {path} HTTP/1.1"), "Host: localhost"]);
        assert_eq!(wire.head().field("content-length"), Some(bytes.len().to_string().as_str()));
        wire.request(&[&format!("GET {path} HTTP/1.1"), "Host: localhost", &format!("If-None-Match: {tag}")]);
        assert_eq!(wire.head().status(), 304);
        wire.get(&two.0);
        assert!(wire.answer().1 == two.1, "nothing is left over of the answers before");
    }
}

#[test]
fn requests_ahead_of_answers_are_answered_in_turn_to_a_slow_reader() {
    let live = Live::start("");
    let segments = live.segments();
    let mut wire = live.wire();
    let asked: Vec<_> = segments.iter().cycle().take(200).collect(); // more than sockets hold
    let lines = asked.iter().map(|(path, _)| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n"));
    let requests = lines.collect::<Vec<_>>().join("\r\n");
    wire.request(&requests.lines().collect::<Vec<_>>());
    for (turn, (path, bytes)) in asked.into_iter().enumerate() {
        let head = wire.head();
        assert_eq!(
            (head.status(), head.field("content-length")),
            (200, Some(bytes.len().to_string().as_str()))
        );
        let mut body = Vec::new();
        while body.len() < bytes.len() {
            body.extend(wire.bytes((bytes.len() - body.len()).min(1999)));
        }
        assert!(body == *bytes, "{path}, answer {turn}");
    }
}

#[test]
fn connections_cut_in_the_middle_leave_the_others_alone() {
    let live = Live::start("");
    let [(path, bytes), _] = live.segments();
    let open = || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", live.server.pid())).unwrap();
        let targets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    };
    let mut stays = live.wire();
    stays.get(&path);
    assert!(stays.answer().1 == bytes);
    let before = open();
    for read in [0, 1, 40_000] {
        let mut leaves = live.wire();
        for _ in 0..50 {
            leaves.get(&path);
        }
        leaves.bytes(read);
        drop(leaves);
        stays.get(&path);
        assert!(stays.answer().1 == bytes);
    }
    wait::until("the connections that were cut are closed", LIMIT, || (open() <= before).then_some(()));
}

#[test]
fn playlists_and_segments_share_a_connection() {
    let live = Live::start("");
    let [(path, bytes), _] = live.segments();
    let mut wire = live.wire();
    for _ in 0..3 {
        wire.get("/live/s.m3u8?hls_ctx=none");
        let (head, text) = wire.answer();
        assert_eq!(head.status(), 200);
        assert!(text.starts_with(b"#EXTM3U"));
        wire.get(&path);
        assert!(wire.answer().1 == bytes);
    }
}
