//! One port for everything over HTTP: API, live streams, playlists and files, when `http_api.listen` and
//! `http_server.listen` are the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::flv::{clip_frames, frames, is_media};
use headwater_testkit::program::{Program, binary};
use headwater_testkit::rtmp::{RtmpPeer, connect};
use headwater_testkit::wire::{Head, Wire};
use headwater_testkit::{Clip, free_port, wait};
use serde_json::Value;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(10);

/// A server whose API and streams share a port.
struct Shared {
    program: Program,
    /// Kept until the server has ended.
    _folder: TempDir,
    rtmp: SocketAddr,
    http: SocketAddr,
}

impl Shared {
    fn start(http_api: &str, http_server: &str) -> Shared {
        let folder = TempDir::with_prefix("headwater-").unwrap();
        let [rtmp, http] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let shown = folder.path().display();
        let text = format!(
            "listen {rtmp}; daemon off; srs_log_tank console; pid {shown}/pid;
             http_api {{ enabled on; listen {http}; {http_api} }}
             http_server {{ enabled on; listen {http}; dir {shown}/html; {http_server} }}
             vhost __defaultVhost__ {{
                http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv; }}
                hls {{ enabled on; hls_fragment 1; hls_window 10; }}
             }}"
        );
        fs::write(folder.path().join("test.conf"), text).unwrap();
        fs::create_dir(folder.path().join("html")).unwrap();
        fs::write(folder.path().join("html/index.html"), "home").unwrap();
        let mut command = Command::new(binary());
        command.arg("-c").arg(folder.path().join("test.conf")).current_dir(folder.path());
        let mut program = Program::spawn(command);
        wait::until("the ports", LIMIT, || {
            assert!(program.is_running(), "it ended: {}", program.err());
            [rtmp, http].iter().all(|port| TcpStream::connect(port).is_ok()).then_some(())
        });
        Shared { program, _folder: folder, rtmp, http }
    }

    fn wire(&self) -> Wire<TcpStream> {
        Wire::new(connect(self.http))
    }

    fn publish(&self) -> RtmpPeer {
        let mut publisher = RtmpPeer::publish(self.rtmp, "s");
        publisher.send(&clip_frames(Clip::H264Aac));
        publisher
    }
}

/// One request on the connection: its answer's head and body.
fn ask(wire: &mut Wire<TcpStream>, line: &str, more: &[&str]) -> (Head, String) {
    wire.request(&[&[&format!("{line} HTTP/1.1"), "Host: localhost"], more].concat());
    let (head, body) = match line.starts_with("HEAD ") {
        true => (wire.head(), Vec::new()),
        false => wire.answer(),
    };
    (head, String::from_utf8(body).unwrap())
}

fn json(answer: (Head, String)) -> Value {
    assert_eq!(answer.0.status(), 200, "{}", answer.1);
    serde_json::from_str(&answer.1).unwrap()
}

#[test]
fn api_streams_playlists_and_files_on_one_connection() {
    let shared = Shared::start("", "");
    let _publisher = shared.publish();
    let mut wire = shared.wire();
    let versions = json(ask(&mut wire, "GET /api/v1/versions", &[]));
    assert_eq!(versions["pid"], shared.program.pid().to_string());
    assert_eq!(ask(&mut wire, "GET /", &[]).1, "home");
    assert_eq!(ask(&mut wire, "GET /nothing.html", &[]).0.status(), 404);
    let streams = json(ask(&mut wire, "GET /api/v1/streams/", &[]));
    assert_eq!(streams["streams"][0]["name"], "s");
    wait::until("a playlist", LIMIT, || {
        let (head, text) = ask(&mut wire, "GET /live/s.m3u8", &[]);
        (head.status() == 200 && text.starts_with("#EXTM3U")).then_some(())
    });
    wire.get("/live/s.flv");
    assert_eq!(wire.head().field("content-type"), Some("video/x-flv"));
    let mut body = Vec::new();
    while !frames(&body).iter().any(is_media) {
        body.extend(wire.chunk());
    }
}

#[test]
fn clients_are_listed_and_ended_through_the_shared_port() {
    let shared = Shared::start("", "");
    let _publisher = shared.publish();
    let mut player = shared.wire();
    player.get("/live/s.flv");
    assert_eq!(player.head().status(), 200);
    let mut wire = shared.wire();
    let clients = wait::until("the player in the list", LIMIT, || {
        let clients = json(ask(&mut wire, "GET /api/v1/clients/", &[]))["clients"].as_array().cloned()?;
        (clients.len() == 2).then_some(clients)
    });
    assert!(clients.iter().all(|client| client["ip"] == "127.0.0.1"), "{clients:?}");
    let id = clients.iter().find(|client| client["publish"] == false).unwrap()["id"].as_str().unwrap();
    let kicked = json(ask(&mut wire, &format!("DELETE /api/v1/clients/{id}"), &[]));
    assert_eq!(kicked["code"], 0);
    player.rest();
}

#[test]
fn credentials_guard_the_api_and_not_the_streams() {
    let shared = Shared::start("auth { enabled on; username admin; password let-me-in; }", "");
    let _publisher = shared.publish();
    let mut wire = shared.wire();
    assert_eq!(ask(&mut wire, "GET /api/v1/streams/", &[]).0.status(), 401);
    let right = ["Authorization: Basic YWRtaW46bGV0LW1lLWlu"]; // admin:let-me-in
    assert_eq!(ask(&mut wire, "GET /api/v1/streams/", &right).0.status(), 200);
    assert_eq!(ask(&mut wire, "GET /index.html", &[]).1, "home");
    wire.get("/live/s.flv");
    assert_eq!(wire.head().status(), 200);
}

#[test]
fn other_origins_are_let_in_once_and_not_twice() {
    let origin = ["Origin: http://elsewhere.example"];
    for (http_server, allowed) in [("", true), ("crossdomain off;", false)] {
        let shared = Shared::start("", http_server);
        let mut wire = shared.wire();
        for path in ["/api/v1/versions", "/index.html"] {
            let (head, _) = ask(&mut wire, &format!("GET {path}"), &origin);
            let fields = head.fields.iter().filter(|(name, _)| name == "access-control-allow-origin").count();
            assert_eq!((head.status(), fields), (200, usize::from(allowed)), "{path}");
            let (head, body) = ask(&mut wire, &format!("OPTIONS {path}"), &origin);
            assert_eq!((head.status(), body.as_str()), (if allowed { 200 } else { 405 }, ""), "{path}");
        }
    }
}

#[test]
fn a_server_field_stands_once() {
    let shared = Shared::start("", "");
    let mut wire = shared.wire();
    for path in ["/api/v1/versions", "/index.html", "/nothing", "/api/v1/nothing"] {
        let (head, _) = ask(&mut wire, &format!("GET {path}"), &[]);
        assert_eq!(head.fields.iter().filter(|(name, _)| name == "server").count(), 1, "{path}: {head:?}");
    }
}

#[test]
fn on_two_ports_the_streams_port_tells_its_version_and_no_more() {
    let (own, folder) = (free_port(), TempDir::new().unwrap());
    let [rtmp, http] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
    let shown = folder.path().display();
    let text = format!(
        "listen {rtmp}; daemon off; srs_log_tank console; pid {shown}/pid;
         http_api {{ enabled on; listen 127.0.0.1:{own}; }}
         http_server {{ enabled on; listen {http}; dir {shown}/html; }}
         vhost __defaultVhost__ {{ }}"
    );
    fs::write(folder.path().join("test.conf"), text).unwrap();
    let program = Program::start(&["-c", &folder.path().join("test.conf").to_string_lossy()]);
    wait::until("the port", LIMIT, || TcpStream::connect(http).is_ok().then_some(()));
    let mut wire = Wire::new(connect(http));
    let versions = json(ask(&mut wire, "GET /api/v1/versions", &[]));
    assert_eq!(versions["pid"], program.pid().to_string());
    for path in ["/api/v1/streams/", "/api/v1/clients/", "/api/v1/summaries", "/metrics"] {
        assert_eq!(ask(&mut wire, &format!("GET {path}"), &[]).0.status(), 404, "{path}");
    }
}
