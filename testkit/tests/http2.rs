//! HTTP/2 over TLS, by curl: files, playlists, API, console and live streams; streams that nobody reads.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_media::{Frame, Track};
use headwater_testkit::flv::{clip_frames, frames, media};
use headwater_testkit::program::Program;
use headwater_testkit::rtmp::RtmpPeer;
use headwater_testkit::{Clip, Options, Publisher, Server, free_port, hls, wait};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const CLIP: Clip = Clip::H264Aac;

/// A server with TLS on its HTTP services.
struct Secure {
    server: Server,
    streams: u16,
    api: u16,
    console: u16,
    _certificate: tempfile::TempDir,
}

impl Secure {
    fn start() -> Secure {
        let folder = tempfile::tempdir().unwrap();
        let files = certificate(folder.path());
        let [streams, api, console] = [(); 3].map(|()| free_port());
        let https = |port: u16| format!("https {{ enabled on; listen 127.0.0.1:{port}; {files} }}");
        let server = Server::start(&Options {
            http_server: https(streams),
            http_api: https(api),
            console: https(console),
            ..Options::default()
        });
        Secure { server, streams, api, console, _certificate: folder }
    }
}

/// Writes a key and a certificate for localhost: the directives that name them.
fn certificate(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (key, cert): (PathBuf, PathBuf) = (folder.join("server.key"), folder.join("server.crt"));
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::write(&cert, made.cert.pem()).unwrap();
    format!("key {}; cert {};", key.display(), cert.display())
}

fn curl(args: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--insecure", "--http2", "--max-time", "30"]).args(args);
    command
}

/// Version, status and body of an answer.
fn get(port: u16, path: &str, args: &[&str]) -> (String, String, Vec<u8>) {
    let url = format!("https://localhost:{port}{path}");
    let mut command = curl(args);
    command.args(["--resolve", &format!("localhost:{port}:127.0.0.1"), "--write-out"]);
    let output = command.args(["%{stderr}%{http_version} %{http_code}", &url]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let (version, status) = told.split_once(' ').unwrap();
    (version.to_owned(), status.to_owned(), output.stdout)
}

/// How many pictures there are. Sound before the first of them is not for a player that waited.
fn pictures(frames: Vec<Frame>) -> usize {
    media(frames).iter().filter(|frame| frame.track == Track::Video).count()
}

#[test]
fn everything_that_is_no_live_stream() {
    let secure = Secure::start();
    let html = secure.server.folder().join("html");
    std::fs::create_dir_all(&html).unwrap();
    std::fs::write(html.join("a.txt"), "0123456789").unwrap();
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &secure.server.rtmp_url("s"));
    let playlist = wait::until("a playlist", LIMIT, || {
        hls::playlist(secure.server.http_address(), "/live/s.m3u8").filter(|list| list.segments().len() > 1)
    });
    let segment = playlist.segments()[0].clone();
    let ok = |port, path: &str, args: &[&str]| {
        let (version, status, body) = get(port, path, args);
        assert_eq!((version.as_str(), status.as_str()), ("2", "200"), "{path}");
        body
    };
    assert_eq!(ok(secure.streams, "/a.txt", &[]), b"0123456789");
    assert!(ok(secure.streams, &playlist.path, &[]).starts_with(b"#EXTM3U"));
    assert_eq!(ok(secure.streams, &segment, &[])[0], 0x47);
    assert!(ok(secure.api, "/api/v1/versions", &[]).starts_with(b"{"));
    assert!(ok(secure.console, "/", &[]).starts_with(b"<!doctype html>"));
    let (version, status, part) = get(secure.streams, "/a.txt", &["--range", "2-4"]);
    assert_eq!((version.as_str(), status.as_str(), part.as_slice()), ("2", "206", b"234".as_slice()));
}

#[test]
fn a_change_through_the_api_is_judged_by_the_authority() {
    let secure = Secure::start();
    let mut publisher = RtmpPeer::publish(secure.server.rtmp_address(), "s");
    publisher.send(&clip_frames(CLIP)[..10]);
    secure.server.wait_until_published("s");
    let id = secure.server.clients()[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/clients/{id}");
    let kick = |host: &str| {
        let output = curl(&[
            "--request",
            "DELETE",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_version} %{http_code}",
        ])
        .args(["--resolve", &format!("{host}:{}:127.0.0.1", secure.api)])
        .arg(format!("https://{host}:{}{path}", secure.api))
        .output()
        .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(kick("evil.example"), "2 403", "a name that could be rebound");
    assert_eq!(kick("localhost"), "2 200");
    secure.server.wait_until_unpublished("s");
}

#[test]
fn live_streams_side_by_side_on_one_connection() {
    let secure = Secure::start();
    let sent = clip_frames(CLIP);
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1.flv"), folder.path().join("2.flv"));
    let url = format!("https://127.0.0.1:{}/live/s.flv", secure.streams);
    let mut command = curl(&["--parallel", "--parallel-max", "2"]);
    command.args([Path::new("--output"), &one]).arg(&url).args([Path::new("--output"), &two]).arg(&url);
    let player = Program::spawn(command);
    secure.server.wait_for_players(2);
    let (status, errors) =
        Publisher::once(CLIP.tool(), &CLIP.file(), &secure.server.rtmp_url("s")).finish(LIMIT);
    assert!(status.success(), "{errors}");
    let whole = |file: &Path| pictures(frames(&std::fs::read(file).unwrap()));
    let wanted = pictures(sent);
    assert_eq!(player.finish().status, Some(0));
    assert_eq!((whole(&one), whole(&two)), (wanted, wanted));
}

/// curl at a crawl closes the window of its stream; its neighbour on another connection and the server do not care.
#[test]
fn a_reader_that_crawls_stalls_nobody() {
    let secure = Secure::start();
    let url = format!("https://127.0.0.1:{}/live/s.flv", secure.streams);
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &secure.server.rtmp_url("s"));
    secure.server.wait_until_published("s");
    let mut slow = curl(&["--limit-rate", "100", "--output", "/dev/null"]);
    slow.arg(&url);
    let mut slow = Program::spawn(slow);
    let mut fast = curl(&[]);
    fast.arg(&url);
    let fast = Program::spawn(fast);
    wait::until("the other player's media", LIMIT, || (fast.out().len() > 300_000).then_some(()));
    assert!(slow.is_running());
}
