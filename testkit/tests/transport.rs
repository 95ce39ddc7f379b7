//! What the transports promise on the wire: framings, how streams begin and end, pausing, players that stay, players that
//! do not read, and many players at once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use headwater_testkit::flv::{clip_frames, frames, is_media, later, media};
use headwater_testkit::http::Request;
use headwater_testkit::rtmp::{RtmpPeer, connect};
use headwater_testkit::wire::{Head, Wire};
use headwater_testkit::{Clip, Options, Server, wait, websocket};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

const LIMIT: Duration = Duration::from_secs(10);
const CLIP: Clip = Clip::H264Aac;
/// Length of the clip on its timeline, with room for the last frame.
const CLIP_LENGTH: Time = Time::from_millis(1000 * Clip::SECONDS as i64 + 40);

fn wire(server: &Server) -> Wire<TcpStream> {
    Wire::new(connect(server.http_address()))
}

/// A clip whose media begins with a key frame: then players that come first get all of it, whatever their protocol.
fn from_key_frame(clip: Clip) -> Vec<Frame> {
    let mut frames = clip_frames(clip);
    let first = frames.iter().position(Frame::is_video_key).unwrap();
    let mut at = 0;
    frames.retain(|frame| {
        at += 1;
        at > first || !is_media(frame)
    });
    frames
}

/// Media of one track kind alone, with a script that announces no more than that.
fn only(track: Track, sent: &[Frame]) -> Vec<Frame> {
    sent.iter().filter(|frame| frame.track == track).cloned().collect()
}

fn assert_same(what: &str, sent: &[Frame], got: &[Frame]) {
    for (at, (sent, got)) in sent.iter().zip(got).enumerate() {
        assert_eq!(
            (sent.track, sent.kind, sent.dts, sent.pts),
            (got.track, got.kind, got.dts, got.pts),
            "{what}: {at}"
        );
        assert!(sent.payload == got.payload, "{what}: other bytes in frame {at}");
    }
    assert_eq!(sent.len(), got.len(), "{what}: as many frames as were sent");
}

/// Publishes all of it and leaves. The players that `waited` answer after the first second has been sent: so all of them
/// are there from the first frame on, however fast the rest comes.
fn publish_to_waiting(server: &Server, stream: &str, sent: &[Frame], waited: impl FnOnce()) {
    let mut publisher = RtmpPeer::publish(server.rtmp_address(), stream);
    let second = sent.iter().position(|frame| frame.dts >= Time::from_millis(900)).unwrap();
    publisher.send(&sent[..second]);
    waited();
    publisher.send(&sent[second..]);
    publisher.finish();
}

/// Begins a live answer on the connection and checks its head.
fn live_head(wire: &mut Wire<TcpStream>) -> Head {
    let head = wire.head();
    assert_eq!(head.status(), 200, "{head:?}");
    assert_eq!(head.field("content-type"), Some("video/x-flv"));
    assert_eq!(head.field("cache-control"), Some("no-store"));
    assert_eq!(head.field("content-length"), None, "a live stream has no length");
    head
}

#[test]
fn a_player_that_came_first_waits_and_gets_everything() {
    let server = Server::start(&Options::default());
    let sent = from_key_frame(CLIP);
    let mut player = wire(&server);
    player.get("/live/s.flv");
    server.wait_for_players(1);
    let mut head = None;
    publish_to_waiting(&server, "s", &sent, || head = Some(live_head(&mut player)));
    let head = head.unwrap();
    assert_eq!(head.field("transfer-encoding"), Some("chunked"));
    assert_eq!(head.field("connection"), Some("close"));
    let body = player.chunks(); // ends with the last chunk, or this fails
    assert_eq!(player.rest(), b"", "nothing comes after the last chunk");
    let got = frames(&body);
    assert!(got.iter().any(|frame| frame.track == Track::Script), "metadata comes along");
    assert_same("HTTP-FLV", &media(sent.clone()), &media(got));
    server.wait_for_players(0);
}

#[test]
fn http_1_0_gets_no_chunks() {
    let server = Server::start(&Options::default());
    let sent = from_key_frame(CLIP);
    let mut player = wire(&server);
    player.request(&["GET /live/s.flv HTTP/1.0"]);
    server.wait_for_players(1);
    let mut head = None;
    publish_to_waiting(&server, "s", &sent, || head = Some(live_head(&mut player)));
    let head = head.unwrap();
    assert_eq!(head.field("transfer-encoding"), None);
    assert_same("HTTP/1.0", &media(sent.clone()), &media(frames(&player.rest())));
}

#[test]
fn a_reused_connection_gets_the_stream_too() {
    let server = Server::start(&Options::default());
    std::fs::create_dir_all(server.folder().join("html")).unwrap();
    std::fs::write(server.folder().join("html/player.html"), "<p>player").unwrap();
    let sent = from_key_frame(CLIP);
    let mut player = wire(&server);
    for _ in 0..2 {
        player.get("/player.html");
        let (head, body) = player.answer();
        assert_eq!((head.status(), body.as_slice()), (200, &b"<p>player"[..]));
        assert_ne!(head.field("connection"), Some("close"), "the connection is kept");
    }
    player.get("/live/s.flv");
    server.wait_for_players(1);
    let mut head = None;
    publish_to_waiting(&server, "s", &sent, || head = Some(live_head(&mut player)));
    let head = head.unwrap();
    assert_eq!(head.field("transfer-encoding"), Some("chunked"));
    assert_same("HTTP-FLV", &media(sent.clone()), &media(frames(&player.chunks())));
    server.wait_for_players(0);
}

#[test]
fn the_file_header_tells_the_tracks() {
    let whole = from_key_frame(CLIP);
    let cases = [
        ("both", 0x05, whole.iter().filter(|f| f.track != Track::Script).cloned().collect::<Vec<_>>()),
        ("sound", 0x04, only(Track::Audio, &whole)),
        ("pictures", 0x01, only(Track::Video, &whole)),
        ("announced", 0x04, clip_frames(Clip::AacOnly)), // its metadata names no pictures
    ];
    let server = Server::start(&Options::default());
    for (name, flags, sent) in cases {
        let path = format!("/live/{name}.flv");
        let (mut chunked, mut plain) = (wire(&server), wire(&server));
        chunked.get(&path);
        plain.request(&[&format!("GET {path} HTTP/1.0")]);
        server.wait_for_players(2);
        publish_to_waiting(&server, name, &sent, || {
            live_head(&mut chunked);
            live_head(&mut plain);
        });
        for body in [chunked.chunks(), plain.rest()] {
            assert_eq!(&body[..5], &[b'F', b'L', b'V', 1, flags], "{name}: FLV 10.1 E.2");
            let (got, sent) = (media(frames(&body)), media(sent.clone()));
            assert!(!got.is_empty() && sent.ends_with(&got), "{name}: what came is what was sent");
        }
        server.wait_for_players(0);
    }
}

#[test]
fn a_websocket_ends_with_a_normal_close() {
    let server = Server::start(&Options::default());
    let sent = from_key_frame(CLIP);
    let url = format!("ws://{}/live/s.flv", server.http_address());
    let (mut socket, response) = tungstenite::client(&url, connect(server.http_address())).unwrap();
    assert_eq!(response.status(), 101);
    socket.send(Message::Ping(Bytes::from_static(b"are you there"))).unwrap();
    server.wait_for_players(1);
    assert_eq!(socket.read().unwrap(), Message::Pong(Bytes::from_static(b"are you there")), "while it waits");
    let mut body = Vec::new();
    let mut read = |socket: &mut tungstenite::WebSocket<TcpStream>| match socket.read().unwrap() {
        Message::Binary(payload) => {
            body.extend_from_slice(&payload);
            None
        }
        Message::Pong(payload) => {
            assert_eq!(payload, Bytes::from_static(b"and now"));
            Some(Message::Pong(payload))
        }
        close => Some(close),
    };
    publish_to_waiting(&server, "s", &sent, || {
        assert_eq!(read(&mut socket), None, "the file header");
        socket.send(Message::Ping(Bytes::from_static(b"and now"))).unwrap();
        let said = std::iter::repeat_with(|| read(&mut socket)).flatten().next();
        assert!(matches!(said, Some(Message::Pong(_))), "amid the stream: {said:?}");
    });
    let close = match std::iter::repeat_with(|| read(&mut socket)).flatten().next() {
        Some(Message::Close(close)) => close,
        other => panic!("{other:?}"),
    };
    assert_eq!(close.map(|close| close.code), Some(CloseCode::Normal));
    assert_same("WebSocket-FLV", &media(sent.clone()), &media(frames(&body)));
    server.wait_for_players(0);
}

#[test]
fn a_websocket_that_closes_is_let_go() {
    let server = Server::start(&Options::default());
    let url = format!("ws://{}/live/s.flv", server.http_address());
    let mut publisher = RtmpPeer::publish(server.rtmp_address(), "s");
    publisher.send(&clip_frames(CLIP));
    let (mut socket, _) = tungstenite::client(&url, connect(server.http_address())).unwrap();
    while !matches!(socket.read().unwrap(), Message::Binary(_)) {}
    server.wait_for_players(1);
    socket.close(None).unwrap();
    server.wait_for_players(0);
}

#[test]
fn an_rtmp_player_pauses_and_goes_on() {
    let server = Server::start(&Options::default());
    let sent = from_key_frame(CLIP);
    let mut player = RtmpPeer::play(server.rtmp_address(), "s");
    let mut watching = RtmpPeer::play(server.rtmp_address(), "s");
    let mut publisher = RtmpPeer::publish(server.rtmp_address(), "s");
    let once = media(sent.clone());
    publisher.send(&sent[..10]);
    let first = (player.media(1), watching.media(1)); // now both are there
    publisher.send(&sent[10..]);
    assert_same("before", &once, &[first.0, player.media(once.len() - 1)].concat());
    assert_same("before", &once, &[first.1, watching.media(once.len() - 1)].concat());
    assert_eq!(player.pause(true), [], "everything had come");
    let during = later(&sent, CLIP_LENGTH);
    publisher.send(&during);
    let while_paused = media(during);
    assert_same("the other player", &while_paused, &watching.media(while_paused.len()));
    assert_eq!(media(player.pause(false)), [], "nothing comes while it is paused");
    let after = later(&sent, CLIP_LENGTH + CLIP_LENGTH);
    publisher.send(&after);
    publisher.finish();
    // It goes on at the newest key frame, and from there on nothing is missing.
    let first = player.media(1).remove(0);
    assert!(first.is_video_key(), "{first:?}");
    let published: Vec<Frame> = [while_paused, media(after)].concat();
    let resumed =
        published.iter().position(|frame| frame.dts == first.dts && frame.track == first.track).unwrap();
    let expected = &published[resumed..];
    let got: Vec<Frame> = std::iter::once(first).chain(player.media(expected.len() - 1)).collect();
    assert_same("after", expected, &got);
}

#[test]
fn an_rtmp_player_stays_for_the_next_publisher() {
    let server = Server::start(&Options::default());
    let sent = from_key_frame(CLIP);
    let once = media(sent.clone());
    let mut player = RtmpPeer::play(server.rtmp_address(), "s");
    let mut newest = Time::from_millis(-1);
    for round in 0..3 {
        let mut got = Vec::new();
        publish_to_waiting(&server, "s", &sent, || got = player.media(1));
        server.wait_until_unpublished("s");
        got.extend(player.media(once.len() - 1));
        let payloads =
            |frames: &[Frame]| frames.iter().map(|frame| frame.payload.clone()).collect::<Vec<_>>();
        assert!(payloads(&got) == payloads(&once), "round {round}: other frames than were sent");
        for track in [Track::Video, Track::Audio] {
            let times: Vec<Time> =
                got.iter().filter(|frame| frame.track == track).map(|frame| frame.dts).collect();
            assert!(
                times[0] > newest,
                "round {round}: {track:?} went back from {newest:?} to {:?}",
                times[0]
            );
            assert!(times.is_sorted(), "round {round}: {track:?} is out of order");
        }
        newest = got.iter().map(|frame| frame.dts).max().unwrap();
    }
    assert_eq!(server.clients().len(), 1, "the player is still there, and nobody else");
}

#[test]
fn the_kicked_end() {
    let server = Server::start(&Options::default());
    let mut publisher = RtmpPeer::publish(server.rtmp_address(), "s");
    publisher.send(&clip_frames(CLIP));
    let mut rtmp = RtmpPeer::play(server.rtmp_address(), "s");
    let mut chunked = wire(&server);
    chunked.get("/live/s.flv");
    live_head(&mut chunked);
    let url = format!("ws://{}/live/s.flv", server.http_address());
    let (mut websocket, _) = tungstenite::client(&url, connect(server.http_address())).unwrap();
    server.wait_for_players(3);
    let kick = |publish: bool| {
        for client in server.clients().iter().filter(|client| client["publish"] == publish) {
            let path = format!("/api/v1/clients/{}", client["id"].as_str().unwrap());
            assert_eq!(
                Request::get(server.api_address(), &path).method("DELETE").send().unwrap().status,
                200
            );
        }
    };
    kick(false);
    while rtmp.event().is_some() {}
    chunked.rest();
    while websocket.read().is_ok() {}
    server.wait_for_players(0);
    assert!(server.stream("s").unwrap()["publish"]["active"] == true, "the publisher was not meant");
    kick(true);
    while publisher.event().is_some() {}
    server.wait_until_unpublished("s");
}

/// Key frames of this size a second: far more than fits between a player and the server.
const BIG: usize = 1 << 20;

/// One second of a stream: a big key frame and small ones after it.
fn big_gop(second: i64, config: &Frame) -> Vec<Frame> {
    let frame = |n: i64| Frame {
        track: Track::Video,
        codec: Codec::H264,
        tag: CodecTag::Legacy,
        kind: if n == 0 { Kind::Key } else { Kind::Inter },
        dts: Time::from_millis(second * 1000 + n * 100),
        pts: Time::from_millis(second * 1000 + n * 100),
        payload: Bytes::from(vec![second as u8; if n == 0 { BIG } else { 100 }]),
    };
    let config = (second == 0).then(|| Frame { dts: Time::ZERO, pts: Time::ZERO, ..config.clone() });
    config.into_iter().chain((0..10).map(frame)).collect()
}

#[test]
fn a_player_that_does_not_read_disturbs_nobody_and_jumps() {
    const SECONDS: i64 = 40;
    let server =
        Server::start(&Options { vhost: "play { queue_length 3; }".to_owned(), ..Options::default() });
    let config =
        clip_frames(CLIP).into_iter().find(|f| f.track == Track::Video && f.kind == Kind::Config).unwrap();
    let mut lazy = wire(&server);
    lazy.get("/live/s.flv");
    let mut busy = RtmpPeer::play(server.rtmp_address(), "s");
    server.wait_for_players(2);
    let mut publisher = RtmpPeer::publish(server.rtmp_address(), "s");
    for second in 0..SECONDS {
        // Step by step with the player that reads: only the other one can fall behind.
        let gop = big_gop(second, &config);
        publisher.send(&gop);
        let sent = media(gop);
        assert_same(&format!("second {second}"), &sent, &busy.media(sent.len()));
    }
    let jumps = || server.stream("s").unwrap()["headwater"]["jumps"].as_u64().unwrap();
    let jumped = wait::until("a jump to be counted", LIMIT, || Some(jumps()).filter(|jumps| *jumps > 0));
    assert!(jumped < SECONDS as u64, "{jumped} jumps");
    // Now it reads and catches up: whole frames, in order, each jump to a key frame.
    live_head(&mut lazy);
    let (tell, told) = mpsc::channel();
    let reading = thread::spawn(move || {
        let chunks = std::iter::from_fn(|| Some(lazy.chunk()).filter(|chunk| !chunk.is_empty()));
        chunks.inspect(|chunk| _ = tell.send(video_time(chunk))).flatten().collect::<Vec<u8>>()
    });
    let newest = SECONDS * 1000 - 100;
    while told.recv_timeout(LIMIT).unwrap() != Some(newest) {}
    publisher.finish();
    let got = media(frames(&reading.join().unwrap()));
    assert!(got.len() < 10 * SECONDS as usize, "it missed what it did not read");
    assert!(got.windows(2).all(|pair| pair[0].dts < pair[1].dts), "in order");
    let gaps: Vec<&Frame> = got
        .windows(2)
        .filter(|pair| pair[1].dts - pair[0].dts > Time::from_millis(100))
        .map(|pair| &pair[1])
        .collect();
    assert!(!gaps.is_empty() && gaps.iter().all(|frame| frame.is_video_key()), "{} gaps", gaps.len());
    assert_eq!(got.last().unwrap().dts, Time::from_millis(newest), "to the end");
}

/// The timestamp of an FLV tag with video (FLV 10.1 E.4.1), in milliseconds.
fn video_time(tag: &[u8]) -> Option<i64> {
    match *tag {
        [9, _, _, _, a, b, c, high, ..] => Some(i64::from(u32::from_be_bytes([high, a, b, c]))),
        _ => None,
    }
}

#[test]
fn forty_players_on_two_workers_get_the_same() {
    let server = Server::start(&Options { root: "workers 2;".to_owned(), ..Options::default() });
    let sent = from_key_frame(Clip::H264BframesAac);
    let everything = media(sent.clone());
    let (rtmp, http, count) = (server.rtmp_address(), server.http_address(), everything.len());
    let (started, all_started) = mpsc::channel();
    let players: Vec<_> = (0..40)
        .map(|n| {
            let started = started.clone();
            thread::spawn(move || match n % 3 {
                0 => {
                    let mut player = RtmpPeer::play(rtmp, "s");
                    let first = player.media(1);
                    started.send(()).unwrap();
                    ("RTMP", [first, player.media(count - 1)].concat())
                }
                1 => {
                    let mut wire = Wire::new(connect(http));
                    wire.get("/live/s.flv");
                    live_head(&mut wire);
                    started.send(()).unwrap();
                    ("HTTP-FLV", media(frames(&wire.chunks())))
                }
                _ => {
                    let mut websocket = websocket::Incoming::open(http, "/live/s.flv").unwrap();
                    let first = websocket.message().unwrap();
                    started.send(()).unwrap();
                    ("WebSocket-FLV", media(frames(&[first, websocket.read_to_end()].concat())))
                }
            })
        })
        .collect();
    server.wait_for_players(40);
    publish_to_waiting(&server, "s", &sent, || {
        (0..40).for_each(|_| all_started.recv_timeout(LIMIT).unwrap())
    });
    for player in players {
        let (what, got) = player.join().unwrap();
        assert_same(what, &everything, &got);
    }
}
