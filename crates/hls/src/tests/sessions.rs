//! Viewers with sessions, and what is encrypted for them.

use super::*;
use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};

const PLAYLIST: &str = "/live/cam 1.m3u8";

/// A stream of eight one-second segments and its publisher.
async fn live(hls: &str) -> (World, Publisher) {
    let world = World::load(&format!("hls_fragment 1; {hls}"));
    let publisher = begin(&world);
    push(&publisher, 0, 9);
    settle().await;
    (world, publisher)
}

impl World {
    async fn ask(&self, path: &str, query: &str) -> (StatusCode, String) {
        let response = self.get_with(path, query, &HeaderMap::new()).await.unwrap();
        (response.status(), String::from_utf8_lossy(&body(response).await).into_owned())
    }

    /// The query that a new viewer's master playlist tells.
    async fn enter(&self, query: &str) -> String {
        let (status, master) = self.ask(PLAYLIST, query).await;
        assert_eq!((status, headwater_playlist::check(&master)), (StatusCode::OK, Ok(())), "{master}");
        let lines: Vec<&str> = master.lines().collect();
        assert_eq!(lines[..2], ["#EXTM3U", "#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=1"]);
        lines[2].strip_prefix("/live/cam%201.m3u8?").unwrap().to_owned()
    }

    fn players(&self) -> usize {
        self.hub.stream(&StreamName::new("__defaultVhost__", "live", "cam 1").unwrap()).players()
    }
}

#[tokio::test(start_paused = true)]
async fn a_viewer_is_a_session() {
    let (world, _publisher) = live("").await;
    let query = world.enter("a=1&b=2").await;
    assert!(query.starts_with("hls_ctx=") && query.ends_with("&a=1&b=2"), "{query}");
    let (status, media) = world.ask(PLAYLIST, &query).await;
    assert_eq!((status, world.players()), (StatusCode::OK, 1));
    assert_eq!(headwater_playlist::check(&media), Ok(()));
    let token = query.split('&').next().unwrap();
    assert!(uris(&media).iter().all(|uri| uri.ends_with(&format!(".ts?{token}"))), "{media}");

    let session = world.sessions.lock().unwrap()[0].clone();
    let info = session.info();
    assert_eq!((info.kind, &*info.shown_name, &*info.param), ("hls-play", "cam 1.m3u8", "?a=1&b=2"));
    assert_eq!(&*info.tc_url, "http://any.host/live");
    assert!(token.contains(info.id.as_str()), "the id leads to the log");
    let (_, segment) = world.ask("/live/cam 1-3.ts", token).await;
    assert!(!segment.is_empty() && session.sent.total() > 0);
    let sent = session.sent.total();
    world.ask("/live/cam 1-3.ts", "").await;
    assert_eq!(session.sent.total(), sent, "who tells no token is not counted");
    assert_eq!(world.hub.stream(&info.name).snapshot().sent, sent);
}

#[tokio::test(start_paused = true)]
async fn segments_need_not_tell_their_viewer() {
    let (world, _publisher) = live("hls_ts_ctx off; hls_window 10;").await;
    let query = world.enter("").await;
    for _ in 0..30 {
        let (_, media) = world.ask(PLAYLIST, &query).await;
        assert!(media.contains("\ncam%201-7.ts\n"), "{media}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(world.players(), 1, "playlists alone keep a session alive");
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_when_nothing_is_asked_for() {
    let (world, _publisher) = live("hls_window 10;").await;
    let (first, second) = (world.enter("").await, world.enter("").await);
    assert_ne!(first, second);
    tokio::time::sleep(Duration::from_secs(15)).await;
    world.ask("/live/cam 1-3.ts", &second).await;
    tokio::time::sleep(Duration::from_millis(4500)).await;
    assert_eq!(world.players(), 2);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.players(), 1, "twice the window after its last request");
    // Who comes back with a token that is over begins anew, and all that are over go at once.
    let third = world.enter(&first).await;
    assert_ne!(third, first);
    assert_eq!(third.matches("hls_ctx").count(), 1);
    tokio::time::sleep(Duration::from_secs(22)).await;
    assert_eq!(world.players(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_not_given_out_is_worth_nothing() {
    let (world, _publisher) = live("").await;
    for _ in 0..2 {
        let (status, _) = world.ask(PLAYLIST, "hls_ctx=x1y2z3w4&deny").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "refused, and refused again");
        let (status, _) = world.ask(PLAYLIST, "deny").await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    }
    assert_eq!(world.players(), 0);
    let query = world.enter("hls_ctx=x1y2z3w4&a=1").await;
    assert!(!query.contains("x1y2z3w4") && query.ends_with("&a=1"), "{query}");
    // The id that the API shows is not the token.
    let id = world.sessions.lock().unwrap()[0].id();
    assert_ne!(world.enter(&format!("hls_ctx={id}")).await, query);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_one_streams() {
    let (world, _publisher) = live("").await;
    let other = StreamName::new("__defaultVhost__", "live", "other").unwrap();
    let publisher = world.publish_as(&other);
    publisher.push(audio_config());
    publisher.push(video_config(31));
    push(&publisher, 0, 9);
    settle().await;
    let query = world.enter("").await;
    let (_, answer) = world.ask("/live/other.m3u8", &query).await;
    assert!(answer.contains("#EXT-X-STREAM-INF"), "a new session: {answer}");
    let (status, _) = world.ask("/live/other.m3u8", &format!("{query}&deny")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = world.ask(PLAYLIST, &query).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_kicked_viewer_is_told_and_gone() {
    let (world, _publisher) = live("hls_keys on;").await;
    let query = world.enter("").await;
    world.sessions.lock().unwrap()[0].kick();
    for path in [PLAYLIST, "/live/cam 1-3.ts", "/live/cam 1-0.key"] {
        let (status, reason) = world.ask(path, &query).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(reason.contains("ended by the server"), "{reason}");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.players(), 0);
    assert_eq!(world.ask(PLAYLIST, &query).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn sessions_end_with_the_stream() {
    let (world, publisher) = live("hls_dispose 30; hls_window 600;").await;
    world.enter("").await;
    drop(publisher);
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(world.players(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.players(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_playlist_has_no_session() {
    let world = World::load("hls_fragment 2;");
    let _publisher = begin(&world);
    assert_eq!(world.ask(PLAYLIST, "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(world.players(), 0);
    let long = "a".repeat(4000);
    assert_eq!(world.ask(PLAYLIST, &long).await.0, StatusCode::URI_TOO_LONG);
}

#[tokio::test(start_paused = true)]
async fn masters_and_keys_are_not_for_caches() {
    let (world, _publisher) = live("hls_keys on;").await;
    let master = world.get(PLAYLIST).await.unwrap();
    assert_eq!(master.headers()[header::CACHE_CONTROL], "no-store");
    let head = Ask {
        vhost: "any.host",
        path: PLAYLIST,
        query: "",
        head: true,
        fields: &HeaderMap::new(),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let response = world.hls.respond(head).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_LENGTH], master.headers()[header::CONTENT_LENGTH]);
    assert_eq!(world.players(), 1, "looking at the head begins no session");
    let query = world.enter("").await;
    let key = world.get_with("/live/cam 1-0.key", &query, &HeaderMap::new()).await.unwrap();
    assert_eq!(key.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(body(key).await.len(), 16);
}

/// What a player does with `#EXT-X-KEY` tags: each segment of `media`, decrypted.
async fn decrypt(world: &World, media: &str) -> Vec<u8> {
    let (mut key, mut out): (Option<([u8; 16], [u8; 16])>, _) = (None, Vec::new());
    for line in media.lines() {
        if let Some(tag) = line.strip_prefix("#EXT-X-KEY:METHOD=AES-128,URI=\"") {
            let (uri, iv) = tag.split_once("\",IV=0x").unwrap();
            let bytes = fetch(world, uri).await;
            let iv = u128::from_str_radix(iv, 16).unwrap().to_be_bytes();
            key = Some((bytes[..].try_into().unwrap(), iv));
        } else if !line.starts_with('#') {
            let bytes = fetch(world, line).await;
            let (key, iv) = key.unwrap();
            let cipher = cbc::Decryptor::<Aes128>::new(&key.into(), &iv.into());
            let plain = cipher.decrypt_padded_vec::<Pkcs7>(&bytes).unwrap();
            assert!(plain.len() % 188 == 0 && plain.first() == Some(&0x47));
            out.extend(plain);
        }
    }
    out
}

async fn fetch(world: &World, uri: &str) -> Bytes {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let path = format!("/live/{}", path.replace("%20", " "));
    let response = world.get_with(&path, query, &HeaderMap::new()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{uri}");
    body(response).await
}

#[tokio::test(start_paused = true)]
async fn segments_are_encrypted_and_keys_turn_over() {
    let (world, _publisher) = live("hls_keys on; hls_fragments_per_key 3; hls_window 3;").await;
    let query = world.enter("").await;
    let (_, media) = world.ask(PLAYLIST, &query).await;
    let tags: Vec<&str> = media.lines().filter(|line| line.starts_with("#EXT-X-KEY")).collect();
    // Segments 4 to 7 are listed: the first tells its key though it is not the first of its group.
    assert!(media.contains("#EXT-X-MEDIA-SEQUENCE:4\n"), "{media}");
    assert_eq!(tags.len(), 2, "{media}");
    assert!(tags[0].contains("URI=\"cam%201-3.key?hls_ctx=") && tags[1].contains("cam%201-6.key?"));
    let encrypted = decrypt(&world, &media).await;

    let (plain, _publisher) = live("hls_ctx off; hls_window 3;").await;
    let expected = decrypted_of(&plain).await;
    assert_eq!(encrypted, expected, "what is decrypted is what was muxed");

    for forged in ["", "hls_ctx=x1y2z3w4"] {
        assert_eq!(world.ask("/live/cam 1-6.key", forged).await.0, StatusCode::FORBIDDEN);
    }
}

async fn decrypted_of(plain: &World) -> Vec<u8> {
    let (_, media) = plain.ask(PLAYLIST, "").await;
    let mut out = Vec::new();
    for uri in uris(&media) {
        out.extend(fetch(plain, uri).await);
    }
    out
}

#[tokio::test(start_paused = true)]
async fn keys_go_when_no_segment_needs_them() {
    let (dir, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let world = World::load(&format!(
        "hls_ctx off; hls_keys on; hls_fragment 1; hls_window 3; hls_fragments_per_key 2; hls_dispose 30;
         hls_path {}; hls_key_file_path {}; hls_key_url https://keys.example/;",
        dir.path().display(),
        keys.path().display()
    ));
    let publisher = begin(&world);
    for from in (0..24).step_by(6) {
        push(&publisher, from, if from == 18 { 7 } else { 6 });
        settle().await;
        world.hls.flush().await;
    }
    let (_, media) = world.ask(PLAYLIST, "").await;
    assert!(media.contains("URI=\"https://keys.example/live/cam%201-22.key\",IV="), "{media}");
    let on_disk = std::fs::read(keys.path().join("live/cam 1-22.key")).unwrap();
    assert_eq!(on_disk, fetch(&world, "cam%201-22.key").await);
    assert!(world.get("/live/cam 1-0.key").await.is_none() && !keys.path().join("live/cam 1-0.key").exists());
    assert!(keys.path().join("live/cam 1-20.key").exists());
    let segment = std::fs::read(dir.path().join("live/cam 1-23.ts")).unwrap();
    assert_eq!(segment, fetch(&world, "cam%201-23.ts").await);
    drop(publisher);
    tokio::time::sleep(Duration::from_secs(31)).await;
    world.hls.flush().await;
    assert_eq!(std::fs::read_dir(keys.path().join("live")).unwrap().count(), 0);
    assert!(world.get("/live/cam 1-22.key").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn masters_can_be_moved_by_a_proxy() {
    let (world, _publisher) = live("hls_master_m3u8_path_relative on;").await;
    let (_, master) = world.ask(PLAYLIST, "a=1").await;
    assert!(master.contains("\ncam%201.m3u8?hls_ctx="), "{master}");
}

#[tokio::test(start_paused = true)]
async fn one_viewer_too_many_is_turned_away() {
    let (world, _publisher) = live("").await;
    for _ in 0..crate::ADDRESS_VIEWERS_MAX {
        assert_eq!(world.get(PLAYLIST).await.unwrap().status(), StatusCode::OK);
    }
    let (status, reason) = world.ask(PLAYLIST, "").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{reason}");
    assert_eq!(world.players(), crate::ADDRESS_VIEWERS_MAX);
}
