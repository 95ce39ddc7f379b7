//! What pages play: mpegts.js, hls.js and dash.js in Chromium, each with a picture that tells how late it is.
#![expect(clippy::print_stderr, reason = "`--no-capture` shows the delays")]

use headwater_testkit::browser::{Browser, Play, Played};
use headwater_testkit::{Options, Server, clock, wait};
use serde_json::{Value, json};
use std::time::Duration;

/// Most of the pictures of 25 a second; a busy machine drops some.
const FRAMES_PER_SECOND: u64 = 20;

/// Two vhosts, whose segments differ.
fn server() -> Server {
    let hls = "enabled on; hls_fragment 1; hls_window 10;";
    let root = format!("vhost mp4.test {{ hls {{ {hls} hls_use_fmp4 on; }} }}");
    let vhost = "dash { enabled on; dash_fragment 1; dash_update_period 1; dash_window_size 10; }".to_owned();
    Server::start(&Options { root, vhost, hls: Some(hls.to_owned()), ..Options::default() })
}

fn play(name: &'static str, player: &'static str, url: String) -> Play {
    Play { name, player, url, seconds: 8, settle: 0, options: Value::Object(Default::default()) }
}

/// hls.js as its makers tell to set it for low latency: it may play faster until it is as close as the playlist says.
fn low_latency() -> Value {
    json!({ "lowLatencyMode": true, "maxLiveSyncPlaybackRate": 1.5 })
}

/// Pictures moved all the time, and nothing was complained about.
fn played_well(played: &Played, seconds: u64) {
    eprintln!("{played:?}");
    let Played { playing, errors, stalls, frames, .. } = played;
    let well = *playing && errors.is_empty() && stalls.is_empty() && *frames >= FRAMES_PER_SECOND * seconds;
    assert!(well, "{played:#?}");
}

/// In a stream's first seconds there is nothing to begin behind the edge with.
fn wait_until_some_seconds_old(server: &Server, name: &str) {
    wait::until("a stream of six seconds", Duration::from_secs(20), || {
        server.stream(name)?["frames"].as_u64().filter(|&frames| frames >= 6 * 69)
    });
}

/// Live containers are a second or so behind.
#[test]
fn live_containers_play() {
    let server = server();
    let _publisher = clock::publish(&server.rtmp_url("s"));
    server.wait_until_published("s");
    let http = |path| server.http_url(path);
    let plays = [
        play("HTTP-FLV", "mpegts", http("/live/s.flv")),
        play("WebSocket-FLV", "mpegts", http("/live/s.flv").replace("http:", "ws:")),
        play("HTTP-TS", "mpegts", http("/live/s.ts")),
    ];
    for played in Browser::play(&plays).finish() {
        played_well(&played, 8);
        assert!(played.glass.most < 3_000, "{played:#?}");
    }
}

/// HLS and DASH are some segments behind.
#[test]
fn segments_play() {
    let server = server();
    let _publishers =
        [clock::publish(&server.rtmp_url("s")), clock::publish(&server.rtmp_url("m?vhost=mp4.test"))];
    wait_until_some_seconds_old(&server, "s");
    wait_until_some_seconds_old(&server, "m");
    let http = |path| server.http_url(path);
    let plays = [
        play("HLS in TS", "hls", http("/live/s.m3u8")),
        play("HLS in MP4", "hls", http("/live/m.m3u8").replace("127.0.0.1", "mp4.test")),
        play("DASH", "dash", http("/live/s.mpd")),
    ];
    for played in Browser::play(&plays).finish() {
        played_well(&played, 8);
        assert!(played.glass.most < 10_000, "{played:#?}");
    }
}

/// Parts of a third of a second: a viewer is less than two seconds behind, and never waits.
/// `HEADWATER_WATCH_SECONDS=300` watches longer than the half minute of every run.
#[test]
fn low_latency_hls_stays_close() {
    let server = server();
    let _publisher = clock::publish(&server.rtmp_url("s"));
    wait_until_some_seconds_old(&server, "s");
    let seconds = std::env::var("HEADWATER_WATCH_SECONDS").map_or(30, |text| text.parse().unwrap());
    let options = low_latency();
    let url = server.http_url("/live/s/ll.m3u8");
    let plays = [Play { seconds, settle: 5, options, ..play("LL-HLS", "hls", url) }];
    for played in Browser::play(&plays).finish() {
        played_well(&played, seconds);
        assert!(played.glass.most < 2_000 && played.dated.most < 2_000, "{played:#?}");
    }
}

/// The page goes on by itself when the publisher comes back.
#[test]
fn hls_goes_on_when_the_publisher_returns() {
    let server = server();
    let first = clock::publish(&server.rtmp_url("s"));
    server.wait_until_published("s");
    let watched = |name, path, low| Play {
        seconds: 20,
        options: if low { low_latency() } else { json!({}) },
        ..play(name, "hls", server.http_url(path))
    };
    let plays = [watched("HLS in TS", "/live/s.m3u8", false), watched("LL-HLS", "/live/s/ll.m3u8", true)];
    let mut browser = Browser::play(&plays);
    browser.wait_until_playing();
    first.kill();
    server.wait_until_unpublished("s");
    let _second = clock::publish(&server.rtmp_url("s"));
    for played in browser.finish() {
        eprintln!("{played:?}");
        assert!(played.playing && played.errors.is_empty(), "{played:#?}");
        // The clock in the picture says that it is the second publisher's.
        assert!(played.glass.last < 10_000, "{played:#?}");
    }
}
