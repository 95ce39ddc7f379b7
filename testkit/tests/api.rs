//! The API's numbers are true, and its doors are closed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::http::Request;
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, Tool, wait};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_stream_is_shown_as_it_is() {
    let clip = Clip::H264BframesAac;
    let server = Server::start(&Options::default());
    let publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let players = [
        Reader::open(Tool::Distribution, &server.rtmp_url("s")),
        Reader::open(Tool::Distribution, &server.http_url("/live/s.flv")),
    ];
    server.wait_for_players(2);
    players.iter().for_each(|player| player.wait_for(50, LIMIT));

    let stream = wait::until("codecs to be known", LIMIT, || {
        server.stream("s").filter(|stream| !stream["video"].is_null() && !stream["audio"].is_null())
    });
    assert_eq!(stream["app"], "live");
    assert_eq!(stream["clients"], 3, "two players and the publisher");
    assert_eq!(stream["video"]["codec"], "H264");
    assert_eq!(stream["video"]["profile"], "High");
    assert_eq!((&stream["video"]["width"], &stream["video"]["height"]), (&320.into(), &180.into()));
    assert_eq!(stream["audio"]["codec"], "AAC");
    assert_eq!(stream["audio"]["channel"], 2);
    assert_eq!(stream["publish"]["active"], true);

    let clients = server.clients();
    let mut types: Vec<_> = clients.iter().filter_map(|client| client["type"].as_str()).collect();
    types.sort_unstable();
    assert_eq!(types, ["flv-play", "fmle-publish", "rtmp-play"]);
    assert!(clients.iter().all(|client| client["ip"] == "127.0.0.1"), "{clients:?}");
    let publishing = clients.iter().find(|client| client["publish"] == true).unwrap();
    assert_eq!(stream["publish"]["cid"], publishing["id"]);

    let received = |stream: &serde_json::Value| stream["recv_bytes"].as_u64().unwrap();
    let before = received(&stream);
    assert!(before > 10_000, "{before} bytes received");
    wait::until("the byte count to grow", LIMIT, || {
        (received(&server.stream("s").unwrap()) > before).then_some(())
    });

    drop(players);
    server.wait_for_players(0);
    publisher.stop();
    wait::until("the stream to be forgotten", LIMIT, || server.stream("s").is_none().then_some(()));
    assert_eq!(server.clients(), Vec::<serde_json::Value>::new());
}

#[test]
fn versions_summaries_features() {
    let server = Server::start(&Options::default());
    let versions = server.api("/api/v1/versions");
    assert_eq!(versions["code"], 0);
    assert_eq!(versions["pid"], server.pid().to_string());
    assert_eq!(versions["data"]["major"], 7);
    let summaries = server.api("/api/v1/summaries");
    assert_eq!(summaries["data"]["self"]["pid"], server.pid());
    assert_eq!(server.api("/api/v1/features")["code"], 0);
    assert_eq!(server.api("/api/v1/streams/nonsense")["code"], 2048);
    assert_eq!(server.api("/api/v1/clients/nonsense")["code"], 2049);
}

#[test]
fn credentials_are_asked_for_when_configured() {
    let http_api = "auth { enabled on; username admin; password let-me-in; }".to_owned();
    let server = Server::start(&Options { http_api, ..Options::default() });
    let get = |credentials: Option<&str>| {
        let request = Request::get(server.api_address(), "/api/v1/streams/");
        let request = match credentials {
            Some(credentials) => request.header("Authorization", &format!("Basic {credentials}")),
            None => request,
        };
        request.send().unwrap().status
    };
    assert_eq!(get(None), 401);
    assert_eq!(get(Some("YWRtaW46d3Jvbmc=")), 401, "admin:wrong");
    assert_eq!(get(Some("nonsense")), 401);
    assert_eq!(get(Some("YWRtaW46bGV0LW1lLWlu")), 200, "admin:let-me-in");
}

#[test]
fn markup_in_requests_comes_back_as_text() {
    let server = Server::start(&Options::default());
    for path in ["/api/v1/streams/?callback=<script>alert(1)</script>", "/%3Cscript%3E", "/api/v1/<script>"] {
        let answer = Request::get(server.api_address(), path).send().unwrap();
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        assert!(!kind.contains("html") && !kind.contains("javascript"), "{path}: {kind}");
    }
}
