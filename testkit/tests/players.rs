//! What pages play: mpegts.js, hls.js and dash.js in Chromium, each with a picture that tells how late it is.
#![expect(clippy::print_stderr, reason = "`--no-capture` shows the delays")]

use headwater_testkit::browser::{Browser, Play, Played};
use headwater_testkit::{Options, Server, clock};
use serde_json::Value;

/// Most of the pictures of 25 a second; a busy machine drops some.
const FRAMES_PER_SECOND: u64 = 20;

fn server() -> Server {
    let hls = "enabled on; hls_fragment 1; hls_window 10;".to_owned();
    Server::start(&Options { hls: Some(hls), ..Options::default() })
}

fn play(name: &'static str, player: &'static str, url: String) -> Play {
    Play { name, player, url, seconds: 8, options: Value::Object(Default::default()) }
}

/// Pictures moved all the time, and nothing was complained about.
fn played_well(played: &Played, seconds: u64) {
    eprintln!("{played:?}");
    let Played { playing, errors, stalls, frames, .. } = played;
    let well = *playing && errors.is_empty() && stalls.is_empty() && *frames >= FRAMES_PER_SECOND * seconds;
    assert!(well, "{played:#?}");
}

/// The live containers are a second or so behind, HLS some segments.
#[test]
fn every_protocol_plays() {
    let server = server();
    let _publisher = clock::publish(&server.rtmp_url("s"));
    server.wait_until_published("s");
    let http = |path| server.http_url(path);
    let plays = [
        play("HTTP-FLV", "mpegts", http("/live/s.flv")),
        play("WebSocket-FLV", "mpegts", http("/live/s.flv").replace("http:", "ws:")),
        play("HTTP-TS", "mpegts", http("/live/s.ts")),
        play("HLS in TS", "hls", http("/live/s.m3u8")),
    ];
    let played = Browser::play(&plays).finish();
    for played in played {
        played_well(&played, 8);
        let most = if played.name.starts_with("HLS") { 8_000 } else { 3_000 };
        assert!(played.glass.most < most, "{played:#?}");
    }
}

/// The page goes on by itself when the publisher comes back.
#[test]
fn hls_goes_on_when_the_publisher_returns() {
    let server = server();
    let first = clock::publish(&server.rtmp_url("s"));
    server.wait_until_published("s");
    let plays = [Play { seconds: 20, ..play("HLS in TS", "hls", server.http_url("/live/s.m3u8")) }];
    let mut browser = Browser::play(&plays);
    browser.wait_until_playing();
    first.kill();
    server.wait_until_unpublished("s");
    let _second = clock::publish(&server.rtmp_url("s"));
    for played in browser.finish() {
        assert!(played.playing && played.errors.is_empty(), "{played:#?}");
        // The clock in the picture says that it is the second publisher's.
        assert!(played.glass.last < 10_000, "{played:#?}");
    }
}
