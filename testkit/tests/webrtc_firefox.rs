//! WebRTC with Firefox, whose offers, packets and codecs are other than Chromium's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::browser::Maker::Firefox;
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, Tool, free_port, wait};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Firefox takes its time to begin on a busy machine.
const LIMIT: Duration = Duration::from_secs(40);

/// A server that names the machine's addresses.
fn server() -> Server {
    let port = free_port();
    let root = format!("rtc_server {{ enabled on; listen {port}; candidate *; }}");
    let vhost = "rtc { enabled on; rtmp_to_rtc on; rtc_to_rtmp on; }".to_owned();
    Server::start(&Options { root, vhost, ..Options::default() })
}

fn url(server: &Server, what: &str) -> String {
    format!("http://{}/rtc/v1/{what}app=live&stream=s", server.api_address())
}

fn wait_for_pictures(server: &Server) {
    wait::until("pictures", LIMIT, || {
        let listed = server.api("/api/v1/streams/");
        listed.pointer("/streams/0/video/codec").filter(|codec| codec.is_string()).cloned()
    });
}

fn number(seen: &Value, path: &str) -> f64 {
    seen.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path} in {seen:#}"))
}

/// Pictures of a second or more were decoded, none stood for long, and a tone was heard.
fn assert_played(seen: &Value) {
    assert_eq!(seen["status"], 201, "{seen:#}");
    assert!(number(seen, "/video/framesDecoded") >= 30.0, "{seen:#}");
    assert!(number(seen, "/video/totalFreezesDuration") < 1.0, "{seen:#}"); // the machine may be busy
    assert!(number(seen, "/audio/totalAudioEnergy") > 0.001, "{seen:#}");
    assert_eq!(seen["deleted"], 200);
}

#[test]
fn firefox_publishes_and_plays() {
    let server = server();
    let publisher = Firefox.publish(&url(&server, "whip/?codec=vp8&"), 15, Some("video/VP8"));
    wait_for_pictures(&server);
    let sound = Reader::open(Tool::Newest, &server.rtmp_url("s"));
    let seen = Firefox.play(&url(&server, "whep/?"), 4, None).finish();
    assert_played(&seen);
    assert!(seen["codecs"].as_array().unwrap().contains(&"video/VP8".into()), "{seen:#}");
    let sent = publisher.finish();
    assert_eq!(sent["deleted"], 200);
    assert!(number(&sent, "/video/framesSent") > 100.0, "{sent:#}");
    server.wait_until_unpublished("s");
    assert!(sound.codecs().contains(&"aac".to_owned()), "{:?}", sound.codecs());
    server.kick_players();
    let (packets, errors) = sound.finish(LIMIT);
    assert!(packets.len() > 100, "{} packets were read: {errors}", packets.len());
}

#[test]
fn the_layers_of_firefox_are_told_apart() {
    let server = server();
    let layers = [("h", 1, 900_000), ("m", 2, 300_000), ("l", 4, 120_000)];
    let publisher = Firefox.simulcast(&url(&server, "whip/?codec=vp8&"), 60, &layers);
    let seen = wait::until("three layers", LIMIT, || {
        let listed = server.api("/api/v1/rtc/sessions/");
        let tracks = listed.pointer("/sessions/0/tracks")?.as_array()?.clone();
        let rids: BTreeSet<String> =
            tracks.iter().filter_map(|track| Some(track["rid"].as_str()?.to_owned())).collect();
        (rids.len() == layers.len()).then_some(rids)
    });
    assert_eq!(seen, ["h", "l", "m"].map(str::to_owned).into());
    let seen = Firefox.play(&url(&server, "whep/?layer=l&"), 2, None).finish();
    assert!(number(&seen, "/video/framesDecoded") >= 5.0, "{seen:#}");
    assert_eq!(number(&seen, "/video/frameHeight"), 135.0, "{seen:#}");
    drop(publisher);
}

/// It has no H.264 here: its viewer is not left with sound before a black picture.
#[test]
fn firefox_is_told_what_it_cannot_play() {
    let server = server();
    let clip = Clip::H264Aac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    wait_for_pictures(&server);
    let seen = Firefox.play(&url(&server, "whep/?"), 2, None).finish();
    assert_eq!(seen["status"], 400, "{seen:#}");
    assert!(seen["reason"].as_str().unwrap().contains("pictures are H264"), "{seen:#}");
}
