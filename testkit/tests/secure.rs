//! The same transports over TLS: what comes over RTMPS, HTTPS and WSS is what comes without, and certificates that
//! cannot be used are told at start.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_media::{Frame, Time, Track};
use headwater_rtmp_proto::Purpose;
use headwater_testkit::flv::{clip_frames, frames, is_media, later, media};
use headwater_testkit::http::Request;
use headwater_testkit::program::{Ended, Program};
use headwater_testkit::rtmp::{RtmpPeer, connect};
use headwater_testkit::wire::Wire;
use headwater_testkit::{Clip, Options, Server, free_port, wait};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

const CLIP: Clip = Clip::H264Aac;

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A server with every encrypted port open, and clients that trust its certificate and no other.
struct Secure {
    server: Server,
    trust: Arc<ClientConfig>,
    rtmps: SocketAddr,
    https: SocketAddr,
    api: SocketAddr,
    /// Kept until the server has ended.
    _folder: TempDir,
}

/// Writes a key and a certificate for localhost, named after `name`.
fn certificate(folder: &Path, name: &str) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
    fs::write(folder.join(format!("{name}.crt")), made.cert.pem()).unwrap();
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl Secure {
    fn start(vhost: &str) -> Secure {
        let folder = tempfile::tempdir().unwrap();
        certificate(folder.path(), "server");
        let shown = folder.path().display();
        let files = format!("key {shown}/server.key; cert {shown}/server.crt;");
        let ports = [(); 3].map(|()| local(free_port()));
        let [rtmps, https, api] = ports;
        let server = Server::start(&Options {
            root: format!("rtmps {{ enabled on; listen {rtmps}; {files} }}"),
            http_server: format!("https {{ enabled on; listen {https}; {files} }}"),
            http_api: format!("https {{ enabled on; listen {api}; {files} }}"),
            vhost: vhost.to_owned(),
            ..Options::default()
        });
        // The server answers on its plain ports a little before the last of these is open.
        wait::until("the encrypted ports", Duration::from_secs(10), || {
            ports.iter().all(|port| TcpStream::connect(port).is_ok()).then_some(())
        });
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.path().join("server.crt")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trust = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Secure { server, trust: Arc::new(trust), rtmps, https, api, _folder: folder }
    }

    fn connect(&self, to: SocketAddr) -> Tls {
        let name = ServerName::try_from("localhost").unwrap();
        StreamOwned::new(ClientConnection::new(self.trust.clone(), name).unwrap(), connect(to))
    }

    fn publish(&self, stream: &str) -> RtmpPeer<Tls> {
        RtmpPeer::start(self.connect(self.rtmps), stream, Purpose::Publish)
    }

    fn play(&self, stream: &str) -> RtmpPeer<Tls> {
        RtmpPeer::start(self.connect(self.rtmps), stream, Purpose::Play)
    }

    fn kick_everybody(&self) {
        for client in self.server.clients() {
            let path = format!("/api/v1/clients/{}", client["id"].as_str().unwrap());
            let answer = Request::get(self.server.api_address(), &path).method("DELETE").send().unwrap();
            assert_eq!(answer.status, 200);
        }
    }

    fn wire(&self, to: SocketAddr) -> Wire<Tls> {
        Wire::new(self.connect(to))
    }
}

/// The clip without media before the first key frame: then players that come first get all of it.
fn clip() -> Vec<Frame> {
    let mut frames = clip_frames(CLIP);
    let mut begun = false;
    frames.retain(|frame| {
        begun |= frame.is_video_key();
        begun || !is_media(frame)
    });
    frames
}

/// Sends the first second, lets the players show that they are there, then sends the rest.
fn send<S: Read + Write>(publisher: &mut RtmpPeer<S>, sent: &[Frame], there: impl FnOnce()) {
    let second = sent.iter().position(|frame| frame.dts >= Time::from_millis(900)).unwrap();
    publisher.send(&sent[..second]);
    there();
    publisher.send(&sent[second..]);
}

fn assert_same(what: &str, sent: &[Frame], got: &[Frame]) {
    assert_eq!(sent.len(), got.len(), "{what}: as many frames as were sent");
    for (at, (sent, got)) in sent.iter().zip(got).enumerate() {
        let times = |frame: &Frame| (frame.track, frame.kind, frame.dts, frame.pts);
        assert_eq!(times(sent), times(got), "{what}: frame {at}");
        assert!(sent.payload == got.payload, "{what}: other bytes in frame {at}");
    }
}

#[test]
fn rtmps_and_rtmp_carry_the_same() {
    let secure = Secure::start("");
    let sent = clip();
    let expected = media(sent.clone());
    let mut encrypted = secure.play("s");
    let mut plain = RtmpPeer::play(secure.server.rtmp_address(), "s");
    let mut publisher = secure.publish("s");
    let mut got = (Vec::new(), Vec::new());
    send(&mut publisher, &sent, || got = (encrypted.media(1), plain.media(1)));
    publisher.finish();
    got.0.extend(encrypted.media(expected.len() - 1));
    got.1.extend(plain.media(expected.len() - 1));
    assert_same("RTMPS", &expected, &got.0);
    assert_same("RTMP", &expected, &got.1);
}

#[test]
fn rtmps_players_stay_and_pause_too() {
    let secure = Secure::start("");
    let sent = clip();
    let count = media(sent.clone()).len();
    let mut player = secure.play("s");
    let mut newest = Time::from_millis(-1);
    for round in 0..2 {
        let mut publisher = secure.publish("s");
        let mut got = Vec::new();
        send(&mut publisher, &sent, || got = player.media(1));
        publisher.finish();
        secure.server.wait_until_unpublished("s");
        got.extend(player.media(count - 1));
        let times: Vec<Time> = got.iter().filter(|f| f.track == Track::Video).map(|f| f.dts).collect();
        assert!(times.is_sorted() && times[0] > newest, "round {round}: time went back");
        newest = got.iter().map(|frame| frame.dts).max().unwrap();
    }
    assert_eq!(media(player.pause(true)), []);
    let mut publisher = secure.publish("s");
    publisher.send(&sent);
    assert_eq!(media(player.pause(false)), [], "nothing comes while it is paused");
    publisher.send(&later(&sent, Time::from_millis(5000)));
    publisher.finish();
    let first = player.media(1).remove(0);
    assert!(first.is_video_key() && first.dts > newest, "it goes on at a key frame: {first:?}");
}

#[test]
fn https_flv_is_a_stream_like_any_other() {
    let secure = Secure::start("");
    fs::create_dir_all(secure.server.folder().join("html")).unwrap();
    fs::write(secure.server.folder().join("html/a.txt"), "file").unwrap();
    let sent = clip();
    let mut modern = secure.wire(secure.https);
    modern.get("/a.txt"); // the same connection then carries the stream
    assert_eq!(modern.answer().1, b"file");
    modern.get("/live/s.flv");
    let mut old = secure.wire(secure.https);
    old.request(&["GET /live/s.flv HTTP/1.0"]);
    secure.server.wait_for_players(2);
    let mut publisher = secure.publish("s");
    send(&mut publisher, &sent, || {
        for (wire, coding) in [(&mut modern, Some("chunked")), (&mut old, None)] {
            let head = wire.head();
            assert_eq!((head.status(), head.field("content-type")), (200, Some("video/x-flv")));
            assert_eq!(head.field("transfer-encoding"), coding);
        }
    });
    publisher.finish();
    let expected = media(sent);
    assert_same("HTTPS-FLV", &expected, &media(frames(&modern.chunks())));
    assert_same("HTTPS-FLV by HTTP/1.0", &expected, &media(frames(&old.rest())));
    secure.server.wait_for_players(0);
}

#[test]
fn wss_flv_answers_pings_and_ends_with_a_normal_close() {
    let secure = Secure::start("");
    let sent = clip();
    let (mut socket, response) =
        tungstenite::client("wss://localhost/live/s.flv", secure.connect(secure.https)).unwrap();
    assert_eq!(response.status(), 101);
    let ping = Message::Ping(bytes::Bytes::from_static(b"there?"));
    let pong = Message::Pong(bytes::Bytes::from_static(b"there?"));
    socket.send(ping.clone()).unwrap();
    assert_eq!(socket.read().unwrap(), pong, "while it waits");
    let mut publisher = secure.publish("s");
    let mut body = Vec::new();
    send(&mut publisher, &sent, || {
        socket.send(ping).unwrap();
        loop {
            match socket.read().unwrap() {
                Message::Binary(payload) => body.extend_from_slice(&payload),
                other => break assert_eq!(other, pong, "amid the stream"),
            }
        }
        while body.len() < 13 {
            body.extend_from_slice(&socket.read().unwrap().into_data());
        }
    });
    publisher.finish();
    let close = loop {
        match socket.read().unwrap() {
            Message::Binary(payload) => body.extend_from_slice(&payload),
            Message::Close(close) => break close,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(close.map(|close| close.code), Some(CloseCode::Normal));
    assert_same("WSS-FLV", &media(sent), &media(frames(&body)));
    secure.server.wait_for_players(0);
}

#[test]
fn the_api_answers_over_https() {
    let secure = Secure::start("");
    let mut wire = secure.wire(secure.api);
    for _ in 0..2 {
        wire.get("/api/v1/versions");
        let (head, body) = wire.answer();
        assert_eq!(head.status(), 200);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["pid"], secure.server.pid().to_string());
    }
}

#[test]
fn kicked_clients_end_over_tls_too() {
    let secure = Secure::start("");
    let mut publisher = secure.publish("s");
    publisher.send(&clip());
    let mut rtmps = secure.play("s");
    let mut https = secure.wire(secure.https);
    https.get("/live/s.flv");
    assert_eq!(https.head().status(), 200);
    secure.server.wait_for_players(2);
    secure.kick_everybody();
    while rtmps.event().is_some() {}
    while publisher.event().is_some() {}
    https.chunks();
    secure.server.wait_for_players(0);
    secure.server.wait_until_unpublished("s");
}

#[test]
fn plain_words_on_a_tls_port_end_that_connection_alone() {
    let mut secure = Secure::start("");
    for to in [secure.rtmps, secure.https, secure.api] {
        let mut socket = connect(to);
        socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer); // closed or reset, both are an end
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{to}");
    }
    let mut plain = connect(secure.server.http_address());
    plain.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").unwrap(); // a TLS ClientHello's beginning
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    let mut wire = secure.wire(secure.api);
    wire.get("/api/v1/versions");
    assert_eq!(wire.answer().0.status(), 200);
    assert!(secure.server.is_running());
}

#[test]
fn players_that_leave_while_they_wait_are_forgotten() {
    let secure = Secure::start("");
    let to = secure.https;
    let (websocket, _) = tungstenite::client("wss://localhost/live/s.flv", secure.connect(to)).unwrap();
    let mut https = secure.wire(to);
    https.get("/live/s.flv");
    let rtmps = secure.play("s");
    secure.server.wait_for_players(3);
    drop((websocket, https, rtmps));
    secure.server.wait_for_players(0);
    // Kicked while they wait, they end as well.
    let (mut websocket, _) = tungstenite::client("wss://localhost/live/s.flv", secure.connect(to)).unwrap();
    let mut https = secure.wire(to);
    https.get("/live/s.flv");
    secure.server.wait_for_players(2);
    secure.kick_everybody();
    assert!(websocket.read().is_err() || websocket.read().is_err());
    assert_eq!(https.head().status(), 403);
    secure.server.wait_for_players(0);
}

/// Starts a server whose only oddity is the certificate of one block.
fn start_with(folder: &Path, block: &str, cert: &str, key: &str) -> Ended {
    let at = |name: &str| folder.join(name).display().to_string();
    let tls = format!("enabled on; listen 127.0.0.1:{}; cert {}; key {};", free_port(), at(cert), at(key));
    let nested = match block.split_once('.') {
        Some((outer, inner)) => {
            format!("{outer} {{ enabled on; listen 127.0.0.1:{}; {inner} {{ {tls} }} }}", free_port())
        }
        None => format!("{block} {{ {tls} }}"),
    };
    let text = format!(
        "listen 127.0.0.1:{}; daemon off; srs_log_tank console; pid {}; {nested} vhost __defaultVhost__ {{ }}",
        free_port(),
        at("pid"),
    );
    fs::write(folder.join("test.conf"), text).unwrap();
    Program::start(&["-c", &at("test.conf")]).finish()
}

#[test]
fn certificates_that_cannot_be_used_are_told_with_their_directive() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "server");
    certificate(folder.path(), "other");
    fs::write(folder.path().join("empty"), "").unwrap();
    fs::write(
        folder.path().join("nonsense"),
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let cases = [
        ("none.crt", "server.key", "cert", "none.crt"),
        ("empty", "server.key", "cert", "empty"),
        ("nonsense", "server.key", "cert", "nonsense"),
        ("server.key", "server.key", "cert", "server.key"),
        ("server.crt", "none.key", "key", "none.key"),
        ("server.crt", "empty", "key", "empty"),
        ("server.crt", "server.crt", "key", "server.crt"),
        ("server.crt", "other.key", "key", "other.key"),
    ];
    for block in ["rtmps", "http_server.https", "http_api.https", "console.https"] {
        for (cert, key, directive, file) in cases {
            let ended = start_with(folder.path(), block, cert, key);
            assert_eq!(ended.status, Some(255), "{block} {cert} {key}: {}", ended.err);
            for part in [&format!("`{block}.{directive}`"), file] {
                assert!(ended.err.contains(part), "{part} for {cert} and {key} in: {}", ended.err);
            }
        }
    }
}
