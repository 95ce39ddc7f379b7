//! Who may publish and play, and what those hear who may not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::http::Request;
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, Tool, wait};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);
const CLIP: Clip = Clip::H264Aac;

fn publish(url: &str) -> Publisher {
    Publisher::looping(Tool::Distribution, &CLIP.file(), url)
}

fn with_vhost(vhost: &str) -> Server {
    Server::start(&Options { vhost: vhost.to_owned(), ..Options::default() })
}

/// Publishing must fail, and ffmpeg must have been told why.
fn assert_refused(server: &Server, url: &str, reason: &str) {
    let (status, errors) = publish(url).finish(LIMIT);
    assert!(!status.success(), "{url} was accepted");
    let told = errors.to_lowercase();
    assert!(told.contains(reason), "{url}: ffmpeg was told: {errors}\nlog:\n{}", server.log());
}

#[test]
fn a_stream_has_one_publisher() {
    let server = Server::start(&Options::default());
    let mut first = publish(&server.rtmp_url("s"));
    server.wait_until_published("s");
    assert_refused(&server, &server.rtmp_url("s"), "already");
    assert!(first.is_running(), "the one who was first is undisturbed");
    // Its place is free once it has left.
    first.stop();
    server.wait_until_unpublished("s");
    let _second = publish(&server.rtmp_url("s"));
    server.wait_until_published("s");
}

#[test]
fn a_disabled_vhost_serves_nobody() {
    let root = "vhost off.example { enabled off; }".to_owned();
    let server = Server::start(&Options { root, ..Options::default() });
    assert_refused(&server, &format!("{}?vhost=off.example", server.rtmp_url("s")), "vhost");
    let answer = Request::get(server.http_address(), "/live/s.flv?vhost=off.example").send();
    assert!(!answer.is_ok_and(|answer| answer.status == 200), "a player was let in");
}

#[test]
fn security_denies_publishers() {
    let server = with_vhost("security { enabled on; deny publish all; allow play all; }");
    assert_refused(&server, &server.rtmp_url("s"), "denied");
}

#[test]
fn security_denies_players_whatever_the_protocol() {
    let server = with_vhost("security { enabled on; allow publish all; deny play all; }");
    let _publisher = publish(&server.rtmp_url("s"));
    server.wait_until_published("s");
    for path in ["/live/s.flv", "/live/s.m3u8"] {
        let answer = Request::get(server.http_address(), path).send().unwrap();
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
    }
    let (packets, _) = Reader::open(Tool::Distribution, &server.rtmp_url("s")).finish(LIMIT);
    assert_eq!(packets, []);
}

#[test]
fn names_that_no_stream_can_have() {
    let server = Server::start(&Options::default());
    for name in ["..", "../../etc/passwd", "a/../b", "%3Cscript%3E", "<script>", "a\\b"] {
        let (status, errors) = publish(&server.rtmp_url(name)).finish(LIMIT);
        assert!(!status.success(), "{name} was accepted: {errors}");
    }
    assert_eq!(server.api("/api/v1/streams/")["streams"], serde_json::json!([]));
}

#[test]
fn a_kicked_publisher_is_gone() {
    let server = Server::start(&Options::default());
    let mut publisher = publish(&server.rtmp_url("s"));
    server.wait_until_published("s");
    let id = server.clients().iter().find(|client| client["publish"] == true).unwrap()["id"].clone();
    let path = format!("/api/v1/clients/{}", id.as_str().unwrap());
    let answer = Request::get(server.api_address(), &path).method("DELETE").send().unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.text().unwrap().contains("\"code\":0"));
    wait::until("the publisher to end", LIMIT, || (!publisher.is_running()).then_some(()));
    server.wait_until_unpublished("s");
}

#[test]
fn a_kicked_player_is_gone_and_the_others_stay() {
    let server = Server::start(&Options::default());
    let _publisher = publish(&server.rtmp_url("s"));
    server.wait_until_published("s");
    let mut stays = Reader::open(Tool::Distribution, &server.http_url("/live/s.flv"));
    server.wait_for_players(1);
    let mut goes = Reader::open(Tool::Distribution, &server.rtmp_url("s"));
    server.wait_for_players(2);
    let clients = server.clients();
    let id = clients.iter().find(|client| client["type"] == "rtmp-play").unwrap()["id"].as_str().unwrap();
    let path = format!("/api/v1/clients/{id}");
    assert_eq!(Request::get(server.api_address(), &path).method("DELETE").send().unwrap().status, 200);
    wait::until("the kicked player to end", LIMIT, || (!goes.is_running()).then_some(()));
    let before = stays.count();
    stays.wait_for(before + 50, LIMIT);
    assert!(stays.is_running());
}
