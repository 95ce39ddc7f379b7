//! HTTP around the streams: files, HEAD, and pages of other origins.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::flv::clip_frames;
use headwater_testkit::rtmp::{RtmpPeer, connect};
use headwater_testkit::wire::Wire;
use headwater_testkit::{Clip, Options, Server};
use std::net::TcpStream;

const CLIP: Clip = Clip::H264Aac;

fn wire(server: &Server) -> Wire<TcpStream> {
    Wire::new(connect(server.http_address()))
}

#[test]
fn pages_of_other_origins_may_read() {
    let server = Server::start(&Options::default());
    std::fs::create_dir_all(server.folder().join("html")).unwrap();
    std::fs::write(server.folder().join("html/a.txt"), "a").unwrap();
    let mut publisher = RtmpPeer::publish(server.rtmp_address(), "s");
    publisher.send(&clip_frames(CLIP));
    let fields = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "*"),
        ("access-control-allow-headers", "*"),
        ("access-control-expose-headers", "*"),
        ("access-control-allow-credentials", "false"),
        ("access-control-request-private-network", "true"),
    ];
    for (method, path) in
        [("GET", "/live/s.flv"), ("GET", "/a.txt"), ("GET", "/none"), ("OPTIONS", "/live/s.flv")]
    {
        for origin in [true, false] {
            let mut wire = wire(&server);
            let line = format!("{method} {path} HTTP/1.1");
            match origin {
                true => wire.request(&[&line, "Host: localhost", "Origin: http://elsewhere.example"]),
                false => wire.request(&[&line, "Host: localhost"]),
            }
            let head = wire.head();
            assert_eq!(head.status(), if path == "/none" { 404 } else { 200 }, "{method} {path}");
            for (name, value) in fields {
                assert_eq!(head.field(name), origin.then_some(value), "{method} {path}: {name}");
            }
        }
    }
}

#[test]
fn pages_of_other_origins_may_not_read_when_told_so() {
    let server = Server::start(&Options { http_server: "crossdomain off;".to_owned(), ..Options::default() });
    let mut publisher = RtmpPeer::publish(server.rtmp_address(), "s");
    publisher.send(&clip_frames(CLIP));
    for (method, path, status) in
        [("OPTIONS", "/live/s.flv", 405), ("GET", "/live/s.flv", 200), ("GET", "/none", 404)]
    {
        let mut wire = wire(&server);
        wire.request(&[
            &format!("{method} {path} HTTP/1.1"),
            "Host: localhost",
            "Origin: http://elsewhere.example",
        ]);
        let head = wire.head();
        assert_eq!(head.status(), status, "{method} {path}");
        assert_eq!(head.field("access-control-allow-origin"), None, "{method} {path}");
    }
}

#[test]
fn head_tells_what_get_would() {
    let server = Server::start(&Options::default());
    std::fs::create_dir_all(server.folder().join("html")).unwrap();
    std::fs::write(server.folder().join("html/a.txt"), "0123456789").unwrap();
    let mut wire = wire(&server);
    let cases = [("/a.txt", 200, "text/plain; charset=utf-8"), ("/none", 404, "text/plain; charset=utf-8")];
    for (path, status, kind) in cases {
        wire.request(&[&format!("HEAD {path} HTTP/1.1"), "Host: localhost"]);
        let head = wire.head();
        assert_eq!((head.status(), head.field("content-type")), (status, Some(kind)), "{path}");
        if status == 200 {
            assert_eq!(head.field("content-length"), Some("10"));
        }
    }
    wire.request(&["HEAD /live/s.flv HTTP/1.1", "Host: localhost"]);
    let head = wire.head();
    assert_eq!((head.status(), head.field("content-type")), (200, Some("video/x-flv")));
    wire.get("/a.txt"); // had a body come, it would be read as this answer's head
    assert_eq!(wire.answer().1, b"0123456789");
    assert_eq!(server.clients(), Vec::<serde_json::Value>::new(), "asking is not playing");
}

#[test]
fn files_with_index_type_and_ranges_and_nothing_beyond() {
    let server = Server::start(&Options::default());
    let html = server.folder().join("html");
    std::fs::create_dir_all(html.join("sub")).unwrap();
    for (name, text) in [
        ("index.html", "home"),
        ("sub/index.html", "sub"),
        ("a.mp4", "0123456789"),
        ("a.m3u8", "#EXTM3U\n"),
        ("a.ts", "G"),
        ("a b.js", "1"),
        ("noextension", "x"),
    ] {
        std::fs::write(html.join(name), text).unwrap();
    }
    std::fs::write(server.folder().join("secret"), "secret").unwrap();
    let mut wire = wire(&server);
    let mut get = |path: &str, range: Option<&str>| {
        let range = range.map(|range| format!("Range: bytes={range}"));
        let mut lines = vec![format!("GET {path} HTTP/1.1"), "Host: localhost".to_owned()];
        lines.extend(range);
        wire.request(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let (head, body) = wire.answer();
        (head, String::from_utf8(body).unwrap())
    };
    for (path, kind, text) in [
        ("/", "text/html; charset=utf-8", "home"),
        ("/index.html?x=y", "text/html; charset=utf-8", "home"),
        ("/sub/", "text/html; charset=utf-8", "sub"),
        ("/a.mp4", "video/mp4", "0123456789"),
        ("/a.m3u8", "application/vnd.apple.mpegurl", "#EXTM3U\n"),
        ("/a.ts", "video/MP2T", "G"),
        ("/a%20b.js", "text/javascript; charset=utf-8", "1"),
        ("/noextension", "application/octet-stream", "x"),
    ] {
        let (head, body) = get(path, None);
        assert_eq!(
            (head.status(), head.field("content-type"), body.as_str()),
            (200, Some(kind), text),
            "{path}"
        );
    }
    for (path, range, part, field) in [
        ("/a.mp4", Some("2-4"), "234", "bytes 2-4/10"),
        ("/a.mp4", Some("7-"), "789", "bytes 7-9/10"),
        ("/a.mp4", Some("-2"), "89", "bytes 8-9/10"),
        ("/a.mp4?range=1-2", None, "12", "bytes 1-2/10"),
        ("/a.mp4?bytes=1-2", None, "12", "bytes 1-2/10"),
    ] {
        let (head, body) = get(path, range);
        assert_eq!((head.status(), body.as_str()), (206, part), "{path} {range:?}");
        assert_eq!(head.field("content-range"), Some(field), "{path} {range:?}");
    }
    assert_eq!(get("/a.mp4", Some("20-30")).0.status(), 416);
    for path in [
        "/../secret",
        "/sub/../../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/sub/%2e%2e/%2e%2e/secret",
        "/..%5csecret",
        "/%00",
        "//etc/passwd",
        "/.%2e/.%2e/.%2e/.%2e/etc/passwd",
    ] {
        let (head, body) = get(path, None);
        assert!((400..500).contains(&head.status()), "{path}: {head:?}");
        assert!(!body.contains("secret") && !body.contains("root:"), "{path}: {body}");
    }
}
