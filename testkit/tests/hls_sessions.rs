//! HLS viewers as sessions, and encrypted segments, with real players.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::http::Request;
use headwater_testkit::packets::{Allow, compare};
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, hls, read_file, wait};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const CLIP: Clip = Clip::H264Aac;

fn start(hls: &str, vhost: &str) -> (Server, Publisher) {
    let hls = format!("enabled on; hls_fragment 1; hls_window 3; {hls}");
    let server = Server::start(&Options { hls: Some(hls), vhost: vhost.to_owned(), ..Options::default() });
    let publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    (server, publisher)
}

fn status(server: &Server, path: &str) -> u16 {
    Request::get(server.http_address(), path).send().unwrap().status
}

/// The session of a new viewer: the media playlist's address, with its token.
fn enter(server: &Server) -> hls::Playlist {
    wait::until("a playlist", LIMIT, || hls::playlist(server.http_address(), "/live/s.m3u8"))
}

fn viewers(server: &Server) -> Vec<serde_json::Value> {
    server.clients().into_iter().filter(|client| client["type"] == "hls-play").collect()
}

#[test]
fn a_player_is_a_client_until_it_leaves() {
    let (server, _publisher) = start("", "");
    enter(&server).fetch(server.http_address());
    let player = Reader::open(CLIP.tool(), &server.http_url("/live/s.m3u8?who=me"));
    player.wait_for(100, LIMIT);
    let clients = viewers(&server);
    let client = clients.iter().find(|client| client["tcUrl"].is_string() && client["name"] == "s.m3u8");
    let client = client.unwrap_or_else(|| panic!("no viewer in {clients:?}"));
    assert_eq!(client["publish"], false);
    let stream = server.stream("s").unwrap();
    assert_eq!(stream["clients"], 1 + clients.len(), "{stream}");
    wait::until("bytes to be counted", LIMIT, || {
        viewers(&server).iter().all(|client| client["send_bytes"].as_u64() > Some(0)).then_some(())
    });
    drop(player);
    server.wait_for_players(0);
}

#[test]
fn a_kicked_viewer_gets_no_more() {
    let (server, _publisher) = start("hls_keys on;", "");
    let playlist = enter(&server);
    server.wait_for_players(1);
    assert!(playlist.path.contains("hls_ctx="), "{}", playlist.path);
    assert_eq!(status(&server, &playlist.path), 200);
    server.kick_players();
    let answer = Request::get(server.http_address(), &playlist.path).send().unwrap();
    assert_eq!(answer.status, 404);
    assert!(answer.text().unwrap().contains("ended by the server"));
    server.wait_for_players(0);
    assert_eq!(status(&server, &playlist.path), 404);
}

#[test]
fn who_is_refused_is_refused_again() {
    let (server, _publisher) =
        start("hls_keys on;", "security { enabled on; allow publish all; deny play all; }");
    server.wait_until_published("s");
    for path in ["/live/s.m3u8", "/live/s.m3u8?hls_ctx=x1y2z3w4", "/live/s.m3u8?hls_ctx=x1y2z3w4&a=b"] {
        assert_eq!([status(&server, path), status(&server, path)], [403, 403], "{path}");
    }
    wait::until("the first key", LIMIT, || (status(&server, "/live/s-0.key") == 403).then_some(()));
    assert_eq!(status(&server, "/live/s-0.key?hls_ctx=x1y2z3w4"), 403);
    assert_eq!(viewers(&server), Vec::<serde_json::Value>::new());
}

#[test]
fn a_forged_session_is_replaced_by_one_of_the_servers() {
    let (server, _publisher) = start("", "");
    enter(&server);
    let answer = Request::get(server.http_address(), "/live/s.m3u8?hls_ctx=x1y2z3w4").send().unwrap();
    let text = answer.text().unwrap();
    assert!(text.contains("#EXT-X-STREAM-INF") && !text.contains("x1y2z3w4"), "{text}");
    let id = viewers(&server)[0]["id"].as_str().unwrap().to_owned();
    let answer = Request::get(server.http_address(), &format!("/live/s.m3u8?hls_ctx={id}")).send().unwrap();
    assert!(answer.text().unwrap().contains("#EXT-X-STREAM-INF"), "the id alone is no token");
}

#[test]
fn without_sessions_playlists_are_plain() {
    let (server, _publisher) = start("hls_ctx off;", "");
    let playlist = enter(&server);
    assert_eq!(playlist.path, "/live/s.m3u8");
    assert!(!playlist.text.contains("hls_ctx"), "{}", playlist.text);
    assert_eq!(viewers(&server), Vec::<serde_json::Value>::new());
}

#[test]
fn an_encrypted_stream_plays_as_it_was_published() {
    let keys = "hls_keys on; hls_fragments_per_key 2; hls_window 30;";
    let hls = format!("enabled on; hls_fragment 1; {keys}");
    let server = Server::start(&Options { hls: Some(hls), ..Options::default() });
    let publisher = Publisher::once(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    let (ended, errors) = publisher.finish(LIMIT);
    assert!(ended.success(), "{errors}");
    server.wait_until_unpublished("s");
    let playlist = enter(&server);
    let tags = playlist.text.matches("#EXT-X-KEY:METHOD=AES-128").count();
    assert_eq!(tags, playlist.segments().len().div_ceil(2), "{}", playlist.text);
    let first = Request::get(server.http_address(), &playlist.segments()[0]).send().unwrap();
    assert_eq!(first.bytes().unwrap().len() % 16, 0, "whole blocks");

    let sent = read_file(CLIP.tool(), &CLIP.file());
    // The playlist has no end: the player waits for more when it has all.
    let player = Reader::open_with(
        CLIP.tool(),
        &["-live_start_index", "0", "-allowed_extensions", "ALL"],
        &server.http_url("/live/s.m3u8"),
    );
    player.wait_until_quiet(Duration::from_millis(1500), LIMIT);
    server.kick_players();
    let (got, errors) = player.finish(LIMIT);
    if let Err(what) = compare(&sent, &got, Allow::HLS) {
        panic!("{what}\n{errors}\n{}", playlist.text);
    }
}
