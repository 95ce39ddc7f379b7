//! One stream in every container at once: MPEG-TS, AAC and MP3 beside FLV, over HTTP and WebSocket.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::http::Request;
use headwater_testkit::packets::{Allow, Media, Packet, compare};
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, Tool, hls, read_file, wait, websocket};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);
/// Bytes of an ADTS header, which ffmpeg counts to the packet.
const ADTS: usize = 7;

/// MPEG-TS has ticks of 90 kHz and wraps coded bytes its own way.
const TS_WAITED: Allow = Allow { rounding: 1000, rewrapped: true, ..Allow::WAITED };
const TS_LATE: Allow = Allow { late_join: true, lead_in: 0, ..TS_WAITED };
/// ADTS and MP3 have no timestamps: ffmpeg counts samples from zero.
const COUNTED: Allow = Allow { offset: true, rounding: 1000, rewrapped: true, ..Allow::NOTHING };

/// A server whose mount names this container, so that its players wait for the publisher.
fn server_with_mount(extension: &str) -> Server {
    let mount = format!("[vhost]/[app]/[stream]{extension}");
    let env = vec![("SRS_VHOST_HTTP_REMUX_MOUNT".to_owned(), mount)];
    Server::start(&Options { env, hls: Some("enabled off;".to_owned()), ..Options::default() })
}

/// The clip published once, as two players who waited for it have read it: over HTTP, and over WebSocket.
fn read_back(clip: Clip, extension: &str) -> [(&'static str, Vec<Packet>); 2] {
    let server = server_with_mount(extension);
    let path = format!("/live/s{extension}");
    let http = Reader::open(clip.tool(), &server.http_url(&path));
    let address = server.http_address();
    let incoming =
        std::thread::spawn(move || websocket::Incoming::open(address, &path).map(|s| s.read_to_end()));
    server.wait_for_players(2);
    let publisher = Publisher::once(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    let (status, errors) = publisher.finish(LIMIT);
    assert!(status.success(), "{clip:?}: {errors}");
    let (over_http, errors) = http.finish(LIMIT);
    // The newest ffmpeg calls the end of every chunked live stream an input error.
    assert!(errors.is_empty() || clip.tool() == Tool::Newest, "{clip:?} as {extension}: {errors}");
    let file = server.folder().join(format!("websocket{extension}"));
    std::fs::write(&file, incoming.join().unwrap().unwrap()).unwrap();
    [("HTTP", over_http), ("WebSocket", read_file(clip.tool(), &file))]
}

fn ts_is_what_was_sent(clip: Clip) {
    let sent = read_file(clip.tool(), &clip.file());
    for (how, got) in read_back(clip, ".ts") {
        compare(&sent, &got, TS_WAITED).unwrap_or_else(|what| panic!("{clip:?} by {how}-TS: {what}"));
    }
}

#[test]
fn ts_of_h264_with_b_frames_and_aac() {
    ts_is_what_was_sent(Clip::H264BframesAac);
}

#[test]
fn ts_of_hevc_and_aac() {
    ts_is_what_was_sent(Clip::HevcAac);
}

#[test]
fn ts_of_h264_and_mp3() {
    ts_is_what_was_sent(Clip::H264Mp3);
}

#[test]
fn ts_of_sound_alone() {
    ts_is_what_was_sent(Clip::AacOnly);
}

#[test]
fn ts_of_pictures_alone() {
    ts_is_what_was_sent(Clip::H264Only);
}

/// Sound alone comes out frame by frame: the same sizes but for `header`, at even distances.
fn sound_is_what_was_sent(clip: Clip, extension: &str, header: usize) {
    let sent = sound(&read_file(clip.tool(), &clip.file()));
    for (how, got) in read_back(clip, extension) {
        same_sound(&sent, &got, header).unwrap_or_else(|what| panic!("{clip:?} by {how}{extension}: {what}"));
    }
}

fn sound(packets: &[Packet]) -> Vec<Packet> {
    packets.iter().filter(|packet| packet.media == Media::Audio).cloned().collect()
}

/// Whether `got` is the end of `sent`, of which a player may lack what came before the first picture.
fn same_sound(sent: &[Packet], got: &[Packet], header: usize) -> Result<(), String> {
    let lacking = sent.len().checked_sub(got.len()).ok_or("more packets than were sent")?;
    let sent = &sent[lacking..];
    if let Some((sent, got)) = sent.iter().zip(got).find(|(sent, got)| sent.size + header != got.size) {
        return Err(format!("{sent:?} became {got:?}"));
    }
    if header == 0 && !sent.iter().zip(got).all(|(sent, got)| sent.sum == got.sum) {
        return Err("other bytes".to_owned());
    }
    if lacking as f32 > 0.25 * 50.0 {
        return Err(format!("the first {lacking} packets are missing"));
    }
    compare(sent, got, COUNTED)
}

#[test]
fn aac_beside_pictures() {
    sound_is_what_was_sent(Clip::H264Aac, ".aac", ADTS);
}

#[test]
fn aac_alone() {
    sound_is_what_was_sent(Clip::AacOnly, ".aac", ADTS);
}

#[test]
fn mp3_beside_pictures() {
    sound_is_what_was_sent(Clip::H264Mp3, ".mp3", 0);
}

/// Four containers of one live stream, joined in its middle under a mount that names but one; all end with it.
#[test]
fn all_containers_at_once() {
    let clip = Clip::H264BframesAac;
    let server = Server::start(&Options::default());
    let sent = read_file(clip.tool(), &clip.file());
    let publisher = Publisher::once(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let open = |extension| Reader::open(clip.tool(), &server.http_url(&format!("/live/s{extension}")));
    let (flv, ts, aac) = (open(".flv"), open(".ts"), open(".aac"));
    // A body that ends without its last chunk is an error.
    let body = Request::get(server.http_address(), "/live/s.ts").send().unwrap();
    let packets = std::thread::spawn(move || body.bytes());
    server.wait_for_players(4);
    let mut names: Vec<_> = server.clients().iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["s", "s.aac", "s.flv", "s.ts", "s.ts"]);
    let (status, errors) = publisher.finish(LIMIT);
    assert!(status.success(), "{errors}");
    let packets = packets.join().unwrap().unwrap();
    assert!(
        !packets.is_empty() && packets.chunks(188).all(|packet| packet.len() == 188 && packet[0] == 0x47)
    );
    assert_eq!(compare(&sent, &flv.finish(LIMIT).0, Allow::LATE_JOIN), Ok(()));
    assert_eq!(compare(&sent, &ts.finish(LIMIT).0, TS_LATE), Ok(()));
    let (got, sent) = (aac.finish(LIMIT).0, sound(&sent));
    let sizes = |packets: &[Packet], header| packets.iter().map(|p| p.size + header).collect::<Vec<_>>();
    assert!(!got.is_empty() && sizes(&sent, ADTS).ends_with(&sizes(&got, 0)));
}

/// Under a mount of another container, a stream that is not live has no `.ts`, and HLS keeps its segments even while a
/// stream bears the name of one.
#[test]
fn hls_segments_stay_hls() {
    let clip = Clip::H264Aac;
    let server = Server::start(&Options::default());
    let address = server.http_address();
    for extension in ["ts", "aac", "mp3"] {
        let answer = Request::get(address, &format!("/live/s.{extension}")).send().unwrap();
        assert_eq!(answer.status, 404, "{extension}");
    }
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let playlist = hls::playlist(address, "/live/s.m3u8").unwrap();
    let segment = playlist.text.lines().find(|line| !line.starts_with('#')).unwrap().to_owned();
    let name = segment.split('.').next().unwrap();
    let _namesake = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url(name));
    server.wait_until_published(name);
    let answer = Request::get(address, &format!("/live/{segment}")).send().unwrap();
    assert_eq!((answer.status, answer.header("content-length").is_some()), (200, true), "{segment}");
}

/// A connection that carried another request before serves a stream as a fresh one does.
#[test]
fn on_a_reused_connection() {
    let clip = Clip::H264Aac;
    let server = Server::start(&Options::default());
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let mut socket = TcpStream::connect(server.http_address()).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let requests = ["/nothing", "/live/s.ts"].map(|path| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
    socket.write_all(requests.concat().as_bytes()).unwrap();
    let mut answers = Vec::new();
    (&socket).take(8 << 10).read_to_end(&mut answers).unwrap();
    let text = String::from_utf8_lossy(&answers);
    let (_, second) = text.split_once("Not Found\n").unwrap();
    assert!(second.starts_with("HTTP/1.1 200 OK\r\ncontent-type: video/MP2T\r\n"), "{second}");
    // The first chunk begins with a program association table: sync byte, start of a section, PID 0.
    assert!(answers.windows(5).any(|start| start == b"\r\nG@\0"), "{second}");
}

#[test]
fn media_types() {
    let server = Server::start(&Options::default());
    let publish = |clip: Clip, name| Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url(name));
    let _publishers = [publish(Clip::H264Aac, "s"), publish(Clip::H264Mp3, "m")];
    ["s", "m"].into_iter().for_each(|name| server.wait_until_published(name));
    let kinds =
        [("s.flv", "video/x-flv"), ("s.ts", "video/MP2T"), ("s.aac", "audio/x-aac"), ("m.mp3", "audio/mpeg")];
    for (name, kind) in kinds {
        for method in ["GET", "HEAD"] {
            let request = Request::get(server.http_address(), &format!("/live/{name}"));
            let answer = request.method(method).send().unwrap();
            assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{method} {name}");
        }
    }
}

/// With `fast_cache` a listener has the last seconds at once, though nobody listened before.
#[test]
fn listeners_begin_in_the_past() {
    let env = vec![("SRS_VHOST_HTTP_REMUX_FAST_CACHE".to_owned(), "2".to_owned())];
    let server = Server::start(&Options { env, ..Options::default() });
    let clip = Clip::H264Aac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let heard = || server.stream("s").and_then(|s| s["audio_frames"].as_u64()).unwrap_or_default();
    wait::until("three seconds of sound", LIMIT, || (heard() > 140).then_some(()));
    let asked = Instant::now();
    let mut socket = TcpStream::connect(server.http_address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.write_all(b"GET /live/s.aac HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut got = Vec::new();
    let frames = |got: &[u8]| got.windows(4).filter(|w| w[..2] == *b"\r\n" && w[2..] == [0xff, 0xf1]).count();
    while frames(&got) < 75 {
        let mut piece = [0; 16 << 10];
        let n = socket.read(&mut piece).unwrap();
        assert!(n > 0, "the answer ended after {} frames", frames(&got));
        got.extend_from_slice(&piece[..n]);
    }
    // 75 frames are 1.6 s of sound.
    assert!(
        asked.elapsed() < Duration::from_millis(1100),
        "it came no faster than it plays: {:?}",
        asked.elapsed()
    );
}
