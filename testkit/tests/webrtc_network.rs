//! WebRTC over bad networks: what is lost, late, doubled or out of order between Chromium and the server, addresses
//! that change, and the dark.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::browser::Rtc;
use headwater_testkit::network::{Network, Way, Weather};
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, Tool, free_port, wait};
use serde_json::Value;
use std::net::Ipv4Addr;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// Pictures a second of the clips.
const RATE: f64 = 25.0;

/// A server whose answers name nothing but what `eip` tells: the network.
struct Setup {
    server: Server,
    network: Network,
}

impl Setup {
    fn new(vhost: &str) -> Setup {
        let port = free_port();
        let root = format!("rtc_server {{ enabled on; listen {port}; use_auto_detect_network_ip off; }}");
        let vhost = format!("rtc {{ enabled on; rtmp_to_rtc on; rtc_to_rtmp on; pli_for_rtmp 2; {vhost} }}");
        let server = Server::start(&Options { root, vhost, ..Options::default() });
        Setup { server, network: Network::to(port, 42) }
    }

    fn url(&self, path: &str, stream: &str) -> String {
        let (api, eip) = (self.server.api_address(), self.network.address());
        format!("http://{api}/rtc/v1/{path}/?app=live&stream={stream}&eip={eip}")
    }

    /// A clip, published by RTMP until the publisher is dropped.
    fn publish(&self, clip: Clip, stream: &str) -> Publisher {
        let publisher = Publisher::looping(clip.tool(), &clip.file(), &self.server.rtmp_url(stream));
        self.server.wait_until_published(stream);
        publisher
    }

    fn play(&self, stream: &str, seconds: u64) -> Rtc {
        Rtc::play(&self.url("whep", stream), seconds, None)
    }

    /// What the API tells of the only session of that kind.
    fn session(&self, kind: &str) -> Value {
        let listed = self.server.api("/api/v1/rtc/sessions/");
        let all = ["sessions", "failed"].into_iter().flat_map(|list| listed[list].as_array().unwrap());
        let mut found = all.filter(|session| session["kind"] == kind);
        found.next().cloned().unwrap_or_else(|| panic!("no {kind} in {listed:#}"))
    }
}

fn number(seen: &Value, path: &str) -> f64 {
    seen.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path} in {seen:#}"))
}

/// The longest time without a new picture, in milliseconds; short ones are not told.
fn longest_gap(seen: &Value) -> f64 {
    let gaps = seen["gaps"].as_array().unwrap().iter();
    gaps.map(|gap| number(gap, "/ms")).fold(0.0, f64::max)
}

/// Share of the sound that was made up, as nothing came in time; silence that is nobody's fault does not count.
fn concealed(seen: &Value) -> f64 {
    let made_up = number(seen, "/audio/concealedSamples") - number(seen, "/audio/silentConcealedSamples");
    made_up / number(seen, "/audio/totalSamplesReceived")
}

/// Waits until so many more pictures were decoded than at the beginning of the wait.
fn wait_for_pictures(player: &mut Rtc, more: f64, limit: Duration) {
    let decoded = |sample: &Value| sample.pointer("/video/framesDecoded").and_then(Value::as_f64);
    let before = decoded(&player.sample()).unwrap_or(0.0);
    player.wait_for("more pictures", limit, |sample| decoded(sample).filter(|now| *now >= before + more));
}

/// Waits until the page's own clock has gone on by so many milliseconds.
fn let_pass(player: &mut Rtc, milliseconds: f64) {
    let before = number(&player.sample(), "/at");
    let at = |sample: &Value| sample["at"].as_f64().filter(|at| *at >= before + milliseconds);
    player.wait_for("time to pass", LIMIT, at);
}

#[test]
fn with_a_tenth_lost_each_way_the_picture_is_watchable() {
    let setup = Setup::new("");
    let _publisher = setup.publish(Clip::H264Aac, "s");
    setup.network.set(Weather { loss: 0.1, ..Weather::default() });
    let seen = setup.play("s", 12).finish();
    assert_eq!(seen["status"], 201, "{seen:#}");
    assert!(setup.network.counts(Way::Down).lost > 50, "{:?}", setup.network.counts(Way::Down));
    assert!(number(&seen, "/video/framesDecoded") >= 0.7 * 12.0 * RATE, "{seen:#}");
    assert!(longest_gap(&seen) < 2000.0, "{seen:#}");
    // Of ten sounds one is lost; with the one before in each packet it should be one of a hundred.
    assert!(number(&seen, "/audio/totalSamplesReceived") > 10.0 * 48_000.0, "{seen:#}");
    assert!(concealed(&seen) < 0.1, "{} of the sound is made up: {seen:#}", concealed(&seen));
}

#[test]
fn with_a_tenth_lost_each_way_the_publisher_is_watchable() {
    let setup = Setup::new("");
    setup.network.set(Weather { loss: 0.1, ..Weather::default() });
    let publisher = Rtc::publish(&setup.url("whip", "s"), 16, None);
    setup.server.wait_until_published("s");
    let reader = Reader::open(Tool::Distribution, &setup.server.http_url("/live/s.flv"));
    let sent = publisher.finish();
    assert_eq!(sent["status"], 201, "{sent:#}");
    setup.server.wait_until_unpublished("s");
    let (packets, errors) = reader.finish(LIMIT);
    let times: Vec<i64> = packets
        .iter()
        .filter(|packet| packet.media == headwater_testkit::packets::Media::Video)
        .map(|packet| packet.dts)
        .collect();
    let span = (times.last().unwrap() - times.first().unwrap()) as f64 / 1e6;
    let rate = number(&sent, "/video/framesSent") / 16.0;
    assert!(span > 8.0, "{span} s were read: {errors}");
    assert!(times.len() as f64 >= 0.7 * span * rate, "{} frames in {span} s of {rate} fps", times.len());
    let gap = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(gap < 2_000_000, "nothing for {gap} µs");
    let sounds = packets.len() - times.len();
    assert!(sounds as f64 >= 0.85 * span * 48_000.0 / 1024.0, "{sounds} frames of sound in {span} s");
}

#[test]
fn order_and_doubles_cost_nothing() {
    let setup = Setup::new("");
    let _publisher = setup.publish(Clip::H264Aac, "s");
    setup.network.set(Weather { swapped: 0.05, doubled: 0.05, ..Weather::default() });
    let seen = setup.play("s", 6).finish();
    let counts = setup.network.counts(Way::Down);
    assert!(counts.swapped > 10 && counts.doubled > 10, "{counts:?}");
    assert!(number(&seen, "/video/framesDecoded") >= 0.95 * 6.0 * RATE, "{seen:#}");
    assert!(longest_gap(&seen) < 1000.0, "{seen:#}");
    assert!(concealed(&seen) < 0.05, "{seen:#}");
}

#[test]
fn late_and_uneven_packets_cost_delay_alone() {
    let setup = Setup::new("");
    let _publisher = setup.publish(Clip::H264Aac, "s");
    let (delay, jitter) = (Duration::from_millis(100), Duration::from_millis(30));
    setup.network.set(Weather { delay, jitter, ..Weather::default() });
    let mut player = setup.play("s", 8);
    wait_for_pictures(&mut player, 6.0 * RATE, LIMIT);
    let session = setup.session("rtc-play");
    let seen = player.finish();
    assert!(number(&seen, "/video/framesDecoded") >= 0.9 * 8.0 * RATE, "{seen:#}");
    assert!(longest_gap(&seen) < 1000.0, "{seen:#}");
    assert!(concealed(&seen) < 0.1, "{seen:#}");
    let rtt = number(&session, "/rtt_ms");
    assert!((150.0..400.0).contains(&rtt), "{session:#}");
}

#[test]
fn a_player_whose_address_changes_goes_on() {
    let setup = Setup::new("");
    let _publisher = setup.publish(Clip::H264Aac, "s");
    let mut player = setup.play("s", 14);
    wait_for_pictures(&mut player, 30.0, LIMIT);
    let id = setup.session("rtc-play")["id"].clone();
    setup.network.rebind(Ipv4Addr::new(127, 0, 0, 2));
    wait_for_pictures(&mut player, 3.0 * RATE, LIMIT);
    let session = setup.session("rtc-play");
    assert_eq!((&session["id"], &session["phase"]), (&id, &"connected".into()), "{session:#}");
    assert_eq!(session["tried"].as_array().unwrap().len(), 2, "{session:#}");
    assert!(session["remote"].as_str().unwrap().starts_with("udp 127.0.0.2:"), "{session:#}");
    let seen = player.finish();
    // Chromium's next STUN request comes after 2.5 s at the latest: before it nobody can know the new address.
    assert!(longest_gap(&seen) < 4500.0, "{seen:#}");
}

#[test]
fn a_publisher_whose_address_changes_goes_on() {
    let setup = Setup::new("");
    let mut publisher = Rtc::publish(&setup.url("whip", "s"), 14, None);
    setup.server.wait_until_published("s");
    let reader = Reader::open(Tool::Distribution, &setup.server.http_url("/live/s.flv"));
    reader.wait_for(50, LIMIT);
    setup.network.rebind(Ipv4Addr::new(127, 0, 0, 2));
    let_pass(&mut publisher, 3000.0);
    let before = reader.count();
    reader.wait_for(before + 100, LIMIT);
    assert_eq!(setup.session("rtc-publish")["phase"], "connected");
    let sent = publisher.finish();
    assert!(number(&sent, "/video/framesSent") > 100.0, "{sent:#}");
}

#[test]
fn after_three_dark_seconds_pictures_come_back() {
    let setup = Setup::new("");
    let _publisher = setup.publish(Clip::H264Aac, "s");
    let mut player = setup.play("s", 14);
    wait_for_pictures(&mut player, 30.0, LIMIT);
    setup.network.set(Weather { dark: true, ..Weather::default() });
    let_pass(&mut player, 3000.0);
    setup.network.set(Weather::default());
    wait_for_pictures(&mut player, 3.0 * RATE, LIMIT);
    let seen = player.finish();
    assert!((2000.0..6000.0).contains(&longest_gap(&seen)), "{seen:#}");
    assert_eq!(seen["state"], "connected");
}

#[test]
fn a_publisher_is_asked_for_a_key_frame_after_the_dark() {
    let setup = Setup::new("pli_for_rtmp 30;");
    let mut publisher = Rtc::publish(&setup.url("whip", "s"), 16, None);
    setup.server.wait_until_published("s");
    let reader = Reader::open(Tool::Distribution, &setup.server.http_url("/live/s.flv"));
    reader.wait_for(50, LIMIT);
    let asked = |sample: &Value| sample.pointer("/video/pliCount").and_then(Value::as_f64);
    let before = asked(&publisher.sample()).unwrap();
    setup.network.set(Weather { dark: true, ..Weather::default() });
    let_pass(&mut publisher, 3000.0);
    setup.network.set(Weather::default());
    publisher.wait_for("a request", LIMIT, |sample| asked(sample).filter(|now| *now > before));
    let count = reader.count();
    reader.wait_for(count + 100, LIMIT);
    publisher.finish();
}

/// A quarter of the stream fits: the sound goes on, with as many pictures as there is room for.
#[test]
fn on_a_narrow_path_sound_goes_on_and_pictures_come_back() {
    const NARROW: u64 = 500_000;
    let setup = Setup::new("");
    let url = setup.server.rtmp_url("s");
    let _publisher = Publisher::looping(Tool::Distribution, &headwater_testkit::broad(), &url);
    setup.server.wait_until_published("s");
    let mut player = setup.play("s", 120);
    wait_for_pictures(&mut player, 3.0 * RATE, LIMIT);
    assert_eq!(setup.session("rtc-play")["level"], "full");
    let queue = NARROW as usize / 8 / 5; // 200 ms
    setup.network.set_way(Way::Down, Weather { limit: Some((NARROW, queue)), ..Weather::default() });
    wait::until("fewer pictures", LIMIT, || (setup.session("rtc-play")["level"] != "full").then_some(()));
    let_pass(&mut player, 3000.0);
    wait::until("key frames", LIMIT, || (setup.session("rtc-play")["level"] == "keys").then_some(()));
    let (before, sent) = (player.sample(), setup.network.counts(Way::Down).bytes);
    let_pass(&mut player, 12_000.0);
    let (after, sent) = (player.sample(), setup.network.counts(Way::Down).bytes - sent);
    let grown = |path: &str| number(&after, path) - number(&before, path);
    let seconds = grown("/at") / 1000.0;
    let rate = sent as f64 * 8.0 / seconds;
    let heard = grown("/audio/totalSamplesReceived");
    let made_up = grown("/audio/concealedSamples") - grown("/audio/silentConcealedSamples");
    assert!(rate < 1.5 * NARROW as f64, "{rate} b/s are sent");
    // There is a key frame a second, and they fit.
    let shown = grown("/video/framesDecoded");
    assert!((0.5 * seconds..0.25 * seconds * RATE).contains(&shown), "{shown} in {seconds} s: {after:#}");
    assert!(heard > 0.9 * seconds * 48_000.0 && made_up < 0.1 * heard, "{made_up} of {heard}: {after:#}");
    setup.network.set_way(Way::Down, Weather::default());
    let whole = Duration::from_secs(60);
    wait::until("all pictures", whole, || (setup.session("rtc-play")["level"] == "full").then_some(()));
    wait_for_pictures(&mut player, 3.0 * RATE, LIMIT);
}

#[test]
fn who_stays_in_the_dark_is_dropped_with_the_reason() {
    let setup = Setup::new("stun_timeout 3;");
    let _publisher = setup.publish(Clip::H264Aac, "s");
    let mut player = setup.play("s", 12);
    wait_for_pictures(&mut player, 30.0, LIMIT);
    setup.network.set(Weather { dark: true, ..Weather::default() });
    wait::until("the session to end", LIMIT, || {
        let session = setup.session("rtc-play");
        let reason = session["reason"].as_str()?;
        assert!(reason.contains("nothing was heard of the peer for 3 s"), "{session:#}");
        (session["phase"] == "closed").then_some(())
    });
    setup.server.wait_for_players(0);
    player.finish();
}
