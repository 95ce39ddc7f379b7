//! WebRTC with real peers: Chromium by WHIP and WHEP, the newest ffmpeg by WHIP, and what their streams are elsewhere.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::browser::Rtc;
use headwater_testkit::http::Request;
use headwater_testkit::{Clip, Options, Publisher, Server, Tool, free_port, wait};
use serde_json::Value;
use std::net::UdpSocket;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

fn server() -> Server {
    let port = free_port();
    let root = format!("rtc_server {{ enabled on; listen {port}; candidate 127.0.0.1; }}");
    let vhost = "rtc { enabled on; rtmp_to_rtc on; rtc_to_rtmp on; }".to_owned();
    Server::start(&Options { root, vhost, ..Options::default() })
}

fn whep(server: &Server, stream: &str) -> String {
    format!("http://{}/rtc/v1/whep/?app=live&stream={stream}", server.api_address())
}

fn whip(server: &Server, stream: &str) -> String {
    format!("http://{}/rtc/v1/whip/?app=live&stream={stream}", server.api_address())
}

fn number(seen: &Value, path: &str) -> f64 {
    seen.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path} in {seen:#}"))
}

/// What ffmpeg says of a stream after a second of decoding it.
fn described(url: &str) -> String {
    let mut command = std::process::Command::new(Tool::Newest.path());
    command.args(["-hide_banner", "-nostdin", "-i", url, "-t", "1", "-f", "null", "-"]);
    String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned()
}

/// Pictures came, none froze, nothing was lost.
fn assert_played(seen: &Value, frames: f64) {
    assert_eq!(seen["status"], 201, "{seen:#}");
    assert!(number(seen, "/video/framesDecoded") >= frames, "{seen:#}");
    let lost = number(seen, "/video/packetsLost") / number(seen, "/video/packetsReceived");
    assert!(lost < 0.02, "{seen:#}"); // a busy machine drops datagrams, too
    assert!(number(seen, "/audio/packetsReceived") > 40.0, "{seen:#}");
    assert_eq!(seen["deleted"], 200);
}

#[test]
fn rtmp_is_played_by_whep() {
    let server = server();
    let clip = Clip::H264Aac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let seen = Rtc::play(&whep(&server, "s"), 3, None).finish();
    assert_played(&seen, 50.0);
    let first = number(&seen, "/first");
    assert!(first < 2000.0, "the first picture came {first} ms after the answer");
    let cipher = seen.pointer("/transport/srtpCipher").and_then(Value::as_str).unwrap_or_default();
    assert!(cipher.contains("GCM"), "{cipher}");
}

#[test]
fn a_browser_publishes_and_everybody_plays() {
    let server = server();
    let publisher = Rtc::publish(&whip(&server, "web"), 18, None);
    server.wait_until_published("web");
    let player = Rtc::play(&whep(&server, "web"), 3, None);
    let streams = described(&server.http_url("/live/web.flv"));
    assert!(streams.contains("Video: h264") && streams.contains("Audio: aac"), "{streams}");
    let seen = player.finish();
    assert_played(&seen, 20.0);
    // A camera sends key frames when it is asked, here every six seconds.
    wait::until("a segment", LIMIT, || {
        let hls = Request::get(server.http_address(), "/live/web/ll.m3u8").send().unwrap();
        (hls.status == 200).then_some(())
    });
    let sessions = server.api("/api/v1/rtc/sessions/");
    let publishing = &sessions["sessions"][0];
    assert_eq!((&publishing["kind"], &publishing["phase"]), (&"rtc-publish".into(), &"connected".into()));
    assert_eq!(publishing["tracks"][0]["codec"], "Opus", "{sessions:#}");
    let sent = publisher.finish();
    assert!(number(&sent, "/video/framesSent") > 100.0, "{sent:#}");
    server.wait_until_unpublished("web");
}

#[test]
fn codecs_go_through_as_they_are() {
    let server = server();
    for (codec, name) in [("video/VP8", "vp8"), ("video/VP9", "vp9"), ("video/AV1", "av1")] {
        let query = format!("{}&codec={name}", whip(&server, name));
        let publisher = Rtc::publish(&query, 10, Some(codec));
        server.wait_until_published(name);
        let seen = Rtc::play(&whep(&server, name), 2, None).finish();
        assert_played(&seen, 10.0);
        assert!(seen["codecs"].as_array().unwrap().contains(&codec.into()), "{seen:#}");
        publisher.finish();
    }
}

#[test]
fn requests_that_cannot_be_served_get_a_reason() {
    let server = server();
    let post = |path: &str, kind: &str, body: &[u8]| {
        let request = Request::get(server.api_address(), path).method("POST").header("Content-Type", kind);
        let response = request.body(body).send().unwrap();
        (response.status, response.text().unwrap())
    };
    let whip = "/rtc/v1/whip/?app=live&stream=s";
    assert_eq!(post(whip, "application/sdp", b"hello").0, 400);
    assert_eq!(post(whip, "application/json", b"{}").0, 415);
    assert_eq!(post(whip, "application/sdp", &[b'a'; 70_000]).0, 413);
    let (status, reason) = post(whip, "application/sdp", b"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n");
    assert!(status == 400 && reason.contains("BUNDLE"), "{status} {reason}");
    let (status, body) =
        post("/rtc/v1/play/", "application/json", b"{\"sdp\":\"x\",\"streamurl\":\"webrtc://h/live/s\"}");
    assert!(status == 200 && body.contains("\"code\":400"), "{status} {body}");
    let options = Request::get(server.api_address(), whip).method("OPTIONS").send().unwrap();
    assert_eq!((options.status, options.header("accept-post")), (204, Some("application/sdp")));
    let get = Request::get(server.api_address(), whip).send().unwrap();
    assert_eq!(get.status, 405);
    let gone = "/rtc/v1/whip/?action=delete&token=x&session=none:none";
    assert_eq!(Request::get(server.api_address(), gone).method("DELETE").send().unwrap().status, 404);
}

/// Strangers' packets cost nobody anything: no session, no answer, no panic.
#[test]
fn packets_of_strangers_are_dropped() {
    let server = server();
    let port: u16 = {
        let log = wait::until("the port", LIMIT, || {
            let log = server.log();
            log.lines().find(|line| line.contains("webrtc listens")).map(str::to_owned)
        });
        let digits = log.split("udp=").nth(1).unwrap();
        digits.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let dtls_hello = [22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let rtp = [0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3];
    let stun = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    for _ in 0..2000 {
        for packet in [&dtls_hello[..], &rtp, &stun, &[], &[0; 1400]] {
            socket.send(packet).ok();
        }
    }
    assert!(socket.recv(&mut [0; 1500]).is_err(), "a stranger was answered");
    assert_eq!(Request::get(server.api_address(), "/api/v1/versions").send().unwrap().status, 200);
    assert!(!server.log().contains("panicked"));
}
