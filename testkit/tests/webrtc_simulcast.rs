//! Simulcast: Chromium publishes its pictures in three sizes, and everybody gets one of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::browser::Rtc;
use headwater_testkit::network::{Network, Way, Weather};
use headwater_testkit::{Options, Server, Tool, free_port, wait};
use serde_json::Value;
use std::time::Duration;

/// A browser begins with the smallest layer and adds the others as its path allows.
const LIMIT: Duration = Duration::from_secs(60);

const LAYERS: [(&str, u32, u32); 3] = [("l", 4, 80_000), ("m", 2, 250_000), ("h", 1, 700_000)];

fn server() -> Server {
    let port = free_port();
    let root = format!("rtc_server {{ enabled on; listen {port}; candidate 127.0.0.1; }}");
    let vhost = "rtc { enabled on; rtmp_to_rtc on; rtc_to_rtmp on; pli_for_rtmp 2; }".to_owned();
    Server::start(&Options { root, vhost, ..Options::default() })
}

fn url(server: &Server, what: &str) -> String {
    format!("http://{}/rtc/v1/{what}&app=live&stream=web", server.api_address())
}

/// The sizes of a stream's pictures over some seconds, each as often as it comes.
fn sizes(url: &str, seconds: u32) -> Vec<String> {
    let mut command = std::process::Command::new(Tool::Newest.path());
    let seconds = seconds.to_string();
    command.args([
        "-hide_banner",
        "-nostdin",
        "-i",
        url,
        "-t",
        &seconds,
        "-an",
        "-vf",
        "showinfo",
        "-f",
        "null",
        "-",
    ]);
    let said = String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned();
    let pictures =
        said.lines().filter(|line| line.contains("Parsed_showinfo") && line.contains(" pts_time:"));
    let size = |line: &str| Some(line.split(" s:").nth(1)?.split(' ').next()?.to_owned());
    pictures.filter_map(size).collect()
}

fn number(seen: &Value, path: &str) -> f64 {
    seen.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path} in {seen:#}"))
}

/// The players' sessions, once each has a layer.
fn playing(server: &Server, count: usize) -> Vec<Value> {
    wait::until("players with layers", LIMIT, || {
        let sessions = server.api("/api/v1/rtc/sessions/")["sessions"].take();
        let mut sessions: Vec<Value> = sessions.as_array().unwrap().clone();
        sessions.retain(|session| session["kind"] == "rtc-play" && session["layer"].is_string());
        (sessions.len() == count).then_some(sessions)
    })
}

#[test]
fn everybody_gets_a_layer() {
    let server = server();
    let publisher = Rtc::simulcast(&url(&server, "whip/?"), 60, &LAYERS);
    server.wait_until_published("web");
    wait::until("the largest layer over RTMP", LIMIT, || {
        sizes(&server.rtmp_url("web"), 1).contains(&"960x540".to_owned()).then_some(())
    });
    let seen = sizes(&server.rtmp_url("web"), 5);
    assert!(seen.len() > 30 && seen.iter().all(|size| size == "960x540"), "{seen:?}");
    let named = Rtc::play(&url(&server, "whep/?layer=l"), 4, None);
    let ranked = Rtc::play(&url(&server, "whep/?layer=1"), 4, None);
    let mut layers: Vec<Value> =
        playing(&server, 2).into_iter().map(|mut session| session["layer"].take()).collect();
    layers.sort_by_key(Value::to_string);
    assert_eq!(layers, ["l", "m"]);
    for (player, width) in [(named, 240.0), (ranked, 480.0)] {
        let seen = player.finish();
        assert_eq!(number(&seen, "/video/frameWidth"), width, "{seen:#}");
        assert!(number(&seen, "/video/framesDecoded") > 20.0, "{seen:#}");
    }
    let best = Rtc::play(&url(&server, "whep/?"), 4, None);
    let session = playing(&server, 1).remove(0);
    assert_eq!((&session["layer"], &session["level"]), (&"h".into(), &"full".into()), "{session:#}");
    let seen = best.finish();
    assert_eq!(number(&seen, "/video/frameWidth"), 960.0, "{seen:#}");
    let sent = publisher.finish();
    let layers = sent["layers"].as_array().unwrap();
    let of = |rid: &str| layers.iter().find(|layer| layer["rid"] == rid).unwrap_or(&Value::Null);
    for (rid, ..) in LAYERS {
        assert!(of(rid)["framesSent"].as_u64() > Some(10), "{rid}: {sent:#}");
    }
}

/// Waits for a second of pictures whose width is as `fits` says; what was seen by then.
fn watch(player: &mut Rtc, what: &str, fits: impl Fn(f64) -> bool) -> Value {
    let decoded = |sample: &Value| sample.pointer("/video/framesDecoded").and_then(Value::as_f64);
    let fits =
        |sample: &Value| sample.pointer("/video/frameWidth").and_then(Value::as_f64).is_some_and(&fits);
    let first = player.wait_for_newest(what, LIMIT, |sample| decoded(sample).filter(|_| fits(sample)));
    player.wait_for_newest(&format!("more {what}"), LIMIT, |sample| {
        (decoded(sample)? >= first + 15.0 && fits(sample)).then(|| sample.clone())
    })
}

/// Layers count their pictures each for itself, and decoders wait for pictures that seem to be missing.
#[test]
fn layers_of_vp8_follow_each_other_without_a_freeze() {
    let port = free_port();
    let root = format!("rtc_server {{ enabled on; listen {port}; use_auto_detect_network_ip off; }}");
    let vhost = "rtc { enabled on; rtc_to_rtmp off; }".to_owned();
    let server = Server::start(&Options { root, vhost, ..Options::default() });
    let network = Network::to(port, 7);
    let _publisher =
        Rtc::simulcast(&url(&server, &format!("whip/?codec=vp8&eip=127.0.0.1:{port}")), 180, &LAYERS);
    server.wait_until_published("web");
    let mut player = Rtc::play(&url(&server, &format!("whep/?eip={}", network.address())), 180, None);
    wait::until("the largest layer", LIMIT, || (playing(&server, 1)[0]["layer"] == "h").then_some(()));
    let first = watch(&mut player, "large pictures", |width| width == 960.0);
    let mut freezes = 0.0;
    for _ in 0..2 {
        network.set_way(Way::Down, Weather { limit: Some((450_000, 20_000)), ..Weather::default() });
        // Until less is sent packets are lost, so that freezes on the way down tell nothing.
        let narrow = watch(&mut player, "smaller pictures", |width| width < 960.0);
        network.set_way(Way::Down, Weather::default());
        let wide = watch(&mut player, "large pictures again", |width| width == 960.0);
        freezes += number(&wide, "/video/freezeCount") - number(&narrow, "/video/freezeCount");
    }
    let last = player.sample();
    let grown = |path: &str| number(&last, path) - number(&first, path);
    assert!(grown("/video/framesDecoded") > 0.8 * 15.0 * grown("/at") / 1000.0, "{first:#} {last:#}");
    assert!(grown("/video/keyFramesDecoded") >= 4.0, "{first:#} {last:#}");
    assert!(freezes <= 1.0 && grown("/video/pliCount") <= 2.0, "{freezes} freezes: {first:#} {last:#}");
}
