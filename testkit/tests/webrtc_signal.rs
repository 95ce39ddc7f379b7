//! WHIP, WHEP and SRS's calls over real connections: statuses, restarts, shared ports, and what directives change.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::browser::Rtc;
use headwater_testkit::http::{Request, Response};
use headwater_testkit::program::Program;
use headwater_testkit::{Clip, Options, Publisher, Server, Tool, free_port, wait};
use serde_json::Value;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

/// A browser's offer, shortened.
fn offer(way: &str) -> String {
    let common = format!(
        "c=IN IP4 0.0.0.0\r\na=ice-ufrag:peer\r\na=ice-pwd:0123456789abcdefghijkl\r\n\
         a=fingerprint:sha-256 {}\r\na=setup:actpass\r\na={way}\r\na=rtcp-mux\r\n",
        ["AB"; 32].join(":")
    );
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{common}a=mid:0\r\na=rtpmap:111 opus/48000/2\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{common}a=mid:1\r\na=rtpmap:96 H264/90000\r\na=rtcp-fb:96 nack\r\n\
         a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
    )
}

fn server(rtc_server: &str, rtc: &str, more: Options) -> Server {
    let port = free_port();
    let root = format!("rtc_server {{ enabled on; listen {port}; candidate 127.0.0.1; {rtc_server} }}");
    let vhost = format!("rtc {{ enabled on; rtmp_to_rtc on; rtc_to_rtmp on; {rtc} }} {}", more.vhost);
    Server::start(&Options { root, vhost, ..more })
}

fn post(to: SocketAddr, path: &str, body: &str) -> Response {
    let request = Request::get(to, path).method("POST").header("Content-Type", "application/sdp");
    request.body(body.as_bytes()).send().unwrap()
}

const LIMIT: Duration = Duration::from_secs(30);

const WHIP: &str = "/rtc/v1/whip/?app=live&stream=s";
const WHEP: &str = "/rtc/v1/whep/?app=live&stream=s";

#[test]
fn a_session_by_http_alone() {
    let server = server("", "", Options::default());
    for to in [server.api_address(), server.http_address(), server.console_address()] {
        let asked =
            Request::get(to, WHEP).method("OPTIONS").header("Origin", "http://a.example").send().unwrap();
        assert_eq!((asked.status, asked.header("accept-post")), (204, Some("application/sdp")));
        assert_eq!(asked.header("access-control-allow-origin"), Some("*"));
        let made = post(to, WHEP, &offer("recvonly"));
        assert_eq!((made.status, made.header("content-type")), (201, Some("application/sdp")));
        assert_eq!(made.header("access-control-allow-origin"), Some("*"));
        assert!(made.header("access-control-expose-headers").unwrap().contains("Location, ETag, Link"));
        let (url, tag) = (made.header("location").unwrap(), made.header("etag").unwrap());
        let patch = |condition: Option<&str>, body: &str| {
            let request = Request::get(to, url).method("PATCH");
            let request = request.header("Content-Type", "application/trickle-ice-sdpfrag");
            let request = condition.iter().fold(request, |request, tag| request.header("If-Match", tag));
            request.body(body.as_bytes()).send().unwrap()
        };
        let late = "a=ice-ufrag:peer\r\na=ice-pwd:0123456789abcdefghijkl\r\na=end-of-candidates\r\n";
        assert_eq!(patch(Some(tag), late).status, 204);
        assert_eq!(patch(None, late).status, 428);
        assert_eq!(patch(Some("\"x\""), late).status, 412);
        let restart = patch(Some("*"), "a=ice-ufrag:new1\r\na=ice-pwd:0123456789abcdefghijkl\r\n");
        assert_eq!(restart.status, 200);
        assert_ne!(restart.header("etag"), Some(tag));
        let method = |method: &str| Request::get(to, url).method(method).send().unwrap().status;
        assert_eq!((method("GET"), method("PUT")), (405, 405));
        assert_eq!((method("DELETE"), method("DELETE")), (200, 404));
    }
    assert_eq!(server.api("/api/v1/rtc/sessions/")["sessions"], Value::Array(Vec::new()));
}

#[test]
fn refusals_leave_nothing_behind() {
    let vhost = "security { enabled on; allow play all; deny publish all; }".to_owned();
    let server = server("", "", Options { vhost, ..Options::default() });
    let refused = post(server.api_address(), WHIP, &offer("sendonly"));
    assert_eq!(refused.status, 403);
    assert!(refused.text().unwrap().contains("security"));
    let json = serde_json::json!({"streamurl": "webrtc://h/live/s", "sdp": offer("sendonly")}).to_string();
    let refused = post(server.api_address(), "/rtc/v1/publish/", &json).text().unwrap();
    assert!(refused.contains("\"code\":400") && refused.contains("\"cause\":1053"), "{refused}");
    let sessions = server.api("/api/v1/rtc/sessions/");
    assert_eq!(sessions["sessions"], Value::Array(Vec::new()), "{sessions}");
    assert!(server.stream("s").is_none());
}

#[test]
fn a_player_who_does_not_know_the_codec_is_told() {
    let server = server("", "", Options::default());
    let clip = Clip::H264Aac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    wait::until("the pictures to be known", LIMIT, || {
        server
            .api("/api/v1/streams/")
            .pointer("/streams/0/video/codec")
            .filter(|codec| *codec == "H264")
            .cloned()
    });
    let to = server.api_address();
    let vp8 = offer("recvonly").replace("H264/90000", "VP8/90000");
    let vp8: String =
        vp8.lines().filter(|line| !line.starts_with("a=fmtp:96")).flat_map(|line| [line, "\r\n"]).collect();
    let refused = post(to, WHEP, &vp8);
    let (status, reason) = (refused.status, refused.text().unwrap());
    assert!(status == 400 && reason.contains("H264") && reason.contains("VP8 only"), "{reason}");
    assert_eq!(server.api("/api/v1/rtc/sessions/")["sessions"].as_array().unwrap().len(), 0);
    assert_eq!(post(to, WHEP, &offer("recvonly")).status, 201);
    let sound = vp8.split("m=video").next().unwrap().replace("BUNDLE 0 1", "BUNDLE 0");
    assert_eq!(post(to, WHEP, &sound).status, 201, "sound can be heard");
    let before = WHEP.replace("stream=s", "stream=later");
    assert_eq!(post(to, &before, &vp8).status, 201, "nobody knows what will come");
}

#[test]
fn one_address_cannot_fill_the_waiting_room() {
    let server = server("", "", Options::default());
    let statuses: Vec<u16> =
        (0..280).map(|_| post(server.api_address(), WHEP, &offer("recvonly")).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 256);
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 24);
}

/// Pictures came for so many seconds and were decoded; a busy machine decodes fewer than come.
fn plays(seen: &Value, seconds: f64) {
    let of = |name: &str| seen["video"][name].as_f64().unwrap_or_default();
    assert_eq!(seen["status"], 201, "{seen:#}");
    assert!(of("framesReceived") > 10.0 * seconds && of("framesDecoded") > 5.0, "{seen:#}");
    assert!(of("packetsLost") < of("packetsReceived") / 50.0, "{seen:#}");
    assert_eq!(seen["deleted"], 200);
}

#[test]
fn ice_is_restarted_while_pictures_go_on() {
    let server = server("", "", Options::default());
    let clip = Clip::H264Aac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let url = format!("http://{}{WHEP}", server.api_address());
    let seen = Rtc::play_restarting(&url, 4).finish();
    plays(&seen, 4.0);
    assert_eq!(seen["restarted"]["status"], 200, "{seen:#}");
    assert_ne!(seen["restarted"]["etag"], seen["etag"]);
    assert_eq!(seen["state"], "connected", "{seen:#}");
    assert_eq!(seen["transport"]["iceState"], "connected", "{seen:#}");
}

/// One port for HTTP and for WebRTC over TCP, and a server that begins the DTLS handshake.
#[test]
fn webrtc_over_tcp_shares_the_port_of_the_streams() {
    let shared = free_port();
    let env = vec![("SRS_HTTP_SERVER_LISTEN".to_owned(), format!("127.0.0.1:{shared}"))];
    let tcp = format!("protocol tcp; tcp {{ enabled on; listen {shared}; }}");
    let server = server(&tcp, "dtls_role active; nack off; twcc off;", Options { env, ..Options::default() });
    let clip = Clip::H264Aac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let seen = Rtc::play(&format!("http://127.0.0.1:{shared}{WHEP}"), 3, None).finish();
    plays(&seen, 3.0);
    let answer = seen["sdp"].as_str().unwrap();
    assert!(
        answer.contains(&format!(" tcp 2130706431 127.0.0.1 {shared} typ host tcptype passive")),
        "{answer}"
    );
    assert!(!answer.contains(" udp ") && answer.contains("a=setup:active"), "{answer}");
    assert!(!answer.contains("a=rtcp-fb:96 nack\r\n") && !answer.contains("transport-cc"), "{answer}");
    let plain = Request::get(SocketAddr::from(([127, 0, 0, 1], shared)), "/live/s.flv").send().unwrap();
    assert_eq!(plain.status, 200);
}

/// ffmpeg publishes with a Bearer token, in either DTLS role; what it deletes at its end is gone at once.
#[test]
fn ffmpeg_publishes_by_whip_and_ends() {
    let server = server("", "", Options::default());
    for role in ["0", "dtls_active"] {
        let url = format!("http://{}{WHIP}", server.http_address());
        let mut command = Command::new(Tool::Newest.path());
        command.args([
            "-hide_banner",
            "-nostdin",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=320x180:rate=25",
        ]);
        command
            .args(["-re", "-f", "lavfi", "-i", "sine", "-t", "4", "-pix_fmt", "yuv420p", "-c:v", "libx264"]);
        command.args(["-preset", "ultrafast", "-profile:v", "baseline", "-g", "25", "-c:a", "libopus"]);
        command.args(["-ac", "2", "-ar", "48000", "-authorization", "my-key", "-whip_flags", role]);
        command.args(["-f", "whip", &url]);
        let mut publisher = Program::spawn(command);
        server.wait_until_published("s");
        let pictures = wait::until("pictures", Duration::from_secs(10), || {
            server.stream("s").map(|stream| stream["video"]["codec"].clone()).filter(Value::is_string)
        });
        assert_eq!(pictures, "H264");
        wait::until("the end", Duration::from_secs(30), || (!publisher.is_running()).then_some(()));
        server.wait_until_unpublished("s");
        assert_eq!(server.api("/api/v1/rtc/sessions/")["sessions"], Value::Array(Vec::new()));
    }
    assert!(!server.log().contains("webrtc session failed"), "{}", server.log());
}
