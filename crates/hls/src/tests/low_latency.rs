//! Low-latency HLS and fragmented MP4, from memory.

use super::*;
use crate::low_latency::{LowLatency, Position, Rendition, Settings};
use crate::view::{Cut, View};
use headwater_conf::Hls as HlsConf;
use headwater_media::codec::opus;
use headwater_mp4::Demuxer;
use headwater_packager::{Item, Packager};
use headwater_playlist::{check, check_update};
use proptest::prelude::*;

async fn ok(world: &World, path: &str, query: &str) -> String {
    let response = world.get_with(path, query, &HeaderMap::new()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}?{query}");
    let text = String::from_utf8(body(response).await.to_vec()).unwrap();
    assert_eq!(check(&text), Ok(()), "{text}");
    text
}

async fn media(world: &World, query: &str) -> String {
    ok(world, "/live/cam 1/ll-media.m3u8", query).await
}

async fn status(world: &World, path: &str, query: &str) -> StatusCode {
    world.get_with(path, query, &HeaderMap::new()).await.unwrap().status()
}

async fn bytes(world: &World, path: &str) -> Bytes {
    let response = world.get(path).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let length = response.headers()[header::CONTENT_LENGTH].to_str().unwrap().parse::<usize>().unwrap();
    let bytes = body(response).await;
    assert_eq!(bytes.len(), length);
    bytes
}

/// URIs in quotes of lines that begin with `tag`.
fn quoted<'a>(text: &'a str, tag: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(tag)).filter_map(|line| line.split('"').nth(1)).collect()
}

#[tokio::test(start_paused = true)]
async fn parts_and_segments_hold_what_was_published() {
    let world = World::new("hls_part 0.35;");
    let publisher = begin(&world);
    let sent = push(&publisher, 0, 7);
    settle().await;
    let text = media(&world, "").await;
    assert!(text.contains("#EXT-X-PART-INF:PART-TARGET=0.350\n"), "{text}");
    assert!(text.contains("#EXTINF:2.000, no desc\nll-0.m4s\n"), "{text}");
    assert!(text.contains("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"ll-3.3.m4s\"\n"), "{text}");
    assert!(text.ends_with("URI=\"ll-audio-media.m3u8\",LAST-MSN=3,LAST-PART=2\n"), "{text}");
    let mut frames = Vec::new();
    let mut demuxer = Demuxer::new();
    demuxer.push(&bytes(&world, "/live/cam 1/ll-init-0.mp4").await, &mut frames).unwrap();
    for uri in uris(&text) {
        demuxer.push(&bytes(&world, &format!("/live/cam 1/{uri}")).await, &mut frames).unwrap();
    }
    // The same again from parts, but for the segment's type in front.
    for uri in quoted(&text, "#EXT-X-PART:").into_iter().filter(|uri| uri.starts_with("ll-3")) {
        demuxer.push(&bytes(&world, &format!("/live/cam 1/{uri}")).await, &mut frames).unwrap();
    }
    let pictures = |frames: &[Frame]| -> Vec<(Time, Bytes)> {
        let media = frames.iter().filter(|f| f.track == Track::Video && f.kind != Kind::Config);
        media.map(|f| (f.dts, f.payload.clone())).collect()
    };
    assert_eq!(pictures(&frames), pictures(&sent)[..69], "all but the part that is not complete");
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_answered_when_the_part_is_there() {
    let world = World::new("hls_part 0.35;");
    let publisher = begin(&world);
    push(&publisher, 0, 3);
    settle().await;
    let text = media(&world, "").await;
    assert!(text.contains("URI=\"ll-1.3.m4s\"\n"), "{text}");
    let (waited, part, ()) = tokio::join!(
        media(&world, "_HLS_msn=1&_HLS_part=3"),
        bytes(&world, "/live/cam 1/ll-1.3.m4s"),
        async {
            settle().await;
            push(&publisher, 3, 1);
        }
    );
    assert!(waited.contains("URI=\"ll-1.3.m4s\"") && !part.is_empty(), "{waited}");
    assert_eq!(check_update(&text, &waited), Ok(()));
    // A part beyond the last of a segment is the first of the next one (bis 6.2.5.2).
    media(&world, "_HLS_msn=0&_HLS_part=99").await;
    assert_eq!(status(&world, "/live/cam 1/ll-media.m3u8", "_HLS_msn=4").await, StatusCode::BAD_REQUEST);
    assert_eq!(status(&world, "/live/cam 1/ll-media.m3u8", "_HLS_part=4").await, StatusCode::BAD_REQUEST);
    // Nothing comes: 503 after three target durations, 404 for a part.
    let late = status(&world, "/live/cam 1/ll-media.m3u8", "_HLS_msn=2").await;
    assert_eq!(late, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status(&world, "/live/cam 1/ll-1.6.m4s", "").await, StatusCode::NOT_FOUND);
    assert_eq!(status(&world, "/live/cam 1/ll-77.0.m4s", "").await, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn the_multivariant_playlist_tells_codecs_and_variants() {
    let world = World::new("hls_part 0.35; hls_variants _low;");
    let publisher = begin(&world);
    let low = world.publish_as(&StreamName::new("__defaultVhost__", "live", "cam 1_low").unwrap());
    low.push(video_config(30));
    push(&publisher, 0, 3);
    push(&low, 0, 3);
    settle().await;
    let text = ok(&world, "/live/cam 1/ll.m3u8", "").await;
    assert_eq!(
        uris(&text),
        ["ll-media.m3u8", "ll-audio-media.m3u8", "../cam%201_low/ll-media.m3u8"],
        "{text}"
    );
    assert!(text.contains("FRAME-RATE=") && text.contains("mp4a.40.2"), "{text}");
    let sound = ok(&world, "/live/cam 1/ll-audio-media.m3u8", "").await;
    let mut frames = Vec::new();
    let mut demuxer = Demuxer::new();
    demuxer.push(&bytes(&world, "/live/cam 1/ll-audio-init-0.mp4").await, &mut frames).unwrap();
    demuxer.push(&bytes(&world, &format!("/live/cam 1/{}", uris(&sound)[0])).await, &mut frames).unwrap();
    assert!(frames.len() > 10 && frames.iter().all(|frame| frame.track == Track::Audio));
}

#[tokio::test(start_paused = true)]
async fn a_session_holds_for_variants() {
    let world = World::load("hls_fragment 2; hls_variants _low;");
    let publisher = begin(&world);
    let low = world.publish_as(&StreamName::new("__defaultVhost__", "live", "cam 1_low").unwrap());
    low.push(video_config(30));
    push(&publisher, 0, 5);
    push(&low, 0, 5);
    settle().await;
    let master = ok(&world, "/live/cam 1.m3u8", "").await;
    let low = uris(&master)[1];
    assert!(low.starts_with("/live/cam%201_low.m3u8?hls_ctx="), "{master}");
    let (_, query) = low.split_once('?').unwrap();
    assert!(ok(&world, "/live/cam 1_low.m3u8", query).await.contains("#EXTINF"));
    assert!(ok(&world, "/live/cam 1_low/ll-media.m3u8", query).await.contains("#EXT-X-PART:"));
    assert_eq!(world.sessions.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_who_returns_goes_on() {
    let world = World::new("hls_part 0.35;");
    let publisher = begin(&world);
    push(&publisher, 0, 3);
    settle().await;
    let before = media(&world, "").await;
    drop(publisher);
    settle().await;
    let between = media(&world, "").await;
    assert_eq!(check_update(&before, &between), Ok(()));
    assert!(between.contains("URI=\"ll-2.0.m4s\""), "the open segment is complete: {between}");
    let (after, ()) = tokio::join!(media(&world, "_HLS_msn=2&_HLS_part=0"), async {
        settle().await;
        let publisher = begin(&world);
        push(&publisher, 0, 1);
        settle().await;
    });
    assert_eq!(check_update(&between, &after), Ok(()));
    assert!(after.contains("#EXT-X-DISCONTINUITY\n"), "{after}");
}

#[tokio::test(start_paused = true)]
async fn plain_playlists_of_fragmented_mp4() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(&format!(
        "hls_part 0.35; hls_fragment 2; hls_use_fmp4 on; hls_path {};",
        dir.path().display()
    ));
    let publisher = begin(&world);
    push(&publisher, 0, 5);
    publisher.push(video_config(32));
    push(&publisher, 5, 5);
    settle().await;
    let text = world.playlist().await;
    assert_eq!(quoted(&text, "#EXT-X-MAP"), ["cam%201/init.mp4", "cam%201/init-1.mp4"], "{text}");
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{text}");
    let init = bytes(&world, "/live/cam 1/init.mp4").await;
    let segment = bytes(&world, "/live/cam 1-0.m4s").await;
    world.hls.flush().await;
    assert_eq!(std::fs::read(dir.path().join("live/cam 1/init.mp4")).unwrap(), init);
    assert_eq!(std::fs::read(dir.path().join("live/cam 1-0.m4s")).unwrap(), segment);
}

#[tokio::test(start_paused = true)]
async fn tracks_are_left_out_when_asked() {
    let world = World::new("hls_part 0.35; hls_fragment 2; hls_vcodec vn;");
    let publisher = begin(&world);
    push(&publisher, 0, 6);
    settle().await;
    let text = ok(&world, "/live/cam 1/ll.m3u8", "").await;
    assert!(text.contains("CODECS=\"mp4a.40.2\"") && uris(&text).len() == 1, "{text}");
    let mut frames = Vec::new();
    let mut demuxer = Demuxer::new();
    demuxer.push(&bytes(&world, "/live/cam 1/ll-init-0.mp4").await, &mut frames).unwrap();
    demuxer.push(&bytes(&world, "/live/cam 1/ll-0.m4s").await, &mut frames).unwrap();
    assert!(frames.len() > 10 && frames.iter().all(|frame| frame.track == Track::Audio));
}

fn settings() -> Settings {
    let text =
        "listen 1935; max_connections 9; vhost __defaultVhost__ { hls { enabled on; hls_window 12; } }";
    let source = Source::Text { name: "test".into(), text: text.into() };
    let conf = Conf::load(source, &Env::empty()).unwrap().conf;
    let hls: &HlsConf = &conf.vhost("__defaultVhost__").unwrap().hls;
    Settings::new(hls)
}

/// The items of a publish with these times between pictures, in microseconds.
async fn items(picture: i64, group: i64, seconds: i64, sound: bool) -> Vec<Item> {
    let hub = Hub::new(|_| Options::default());
    let name = StreamName::new("v", "live", "a").unwrap();
    let world_session = Session::new(SessionInfo {
        id: SessionId::random(),
        kind: "test",
        publish: true,
        name: name.clone(),
        shown_name: "a".into(),
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        tc_url: "".into(),
        page_url: "".into(),
        swf_url: "".into(),
        param: "".into(),
    });
    let stream = hub.stream(&name);
    let publisher = stream.publish(&Arc::new(world_session)).unwrap();
    let packager = Packager::new(settings().lengths, Handle::current());
    let mut chunks = packager.package(&stream).subscribe();
    publisher.push(video_config(31));
    let mut heard = 0;
    for n in 0..seconds * 1_000_000 / picture {
        let ms = n * picture / 1000;
        publisher.push(super::picture(n % group == 0, ms));
        while sound && heard <= ms {
            let payload = Bytes::from_static(&[0xfc, 1, 2]);
            publisher.push(frame(Track::Audio, Codec::Opus, Kind::Key, heard, payload));
            heard += 20;
        }
    }
    assert_eq!(opus::SAMPLE_RATE, 48_000);
    drop(publisher);
    let mut items = Vec::new();
    while !matches!(items.last(), Some(Item::Ended)) {
        items.push(chunks.next().await);
    }
    items
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_playlist_keeps_the_rules(
        picture in prop::sample::select(vec![16_666i64, 20_000, 33_333, 40_000, 41_708, 66_666, 100_000, 200_000]),
        seconds_a_group in 0.4f64..4.0,
        sound: bool,
    ) {
        let group = ((seconds_a_group * 1e6) as i64 / picture).max(1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let items = runtime.block_on(items(picture, group, 24, sound));
        let name = StreamName::new("v", "live", "a").unwrap();
        let low_latency = LowLatency::new(&name, settings(), None);
        let mut view = View::new(Cut::Marks, None);
        let mut old: Option<String> = None;
        // Twice: the publisher returns.
        for item in items.iter().chain(&items) {
            low_latency.take(&mut view, item);
            for (rendition, skip) in [(Rendition::Whole, true), (Rendition::Sound, false), (Rendition::Whole, false)] {
                let Some(playlist) = low_latency.playlist(rendition, skip) else { continue };
                let text = String::from_utf8(playlist.text.to_vec()).unwrap();
                prop_assert_eq!(check(&text), Ok(()), "{}", text);
                if rendition == Rendition::Whole {
                    let update = old.as_ref().map_or(Ok(()), |old| check_update(old, &text));
                    prop_assert_eq!(update, Ok(()), "{:?}\n{}", old, text);
                }
                if rendition == Rendition::Whole && !skip {
                    old = Some(text);
                }
            }
        }
        let too_far = |ahead| low_latency.is_too_far(Position { sequence: view.sequence() + ahead, part: None });
        prop_assert!(!too_far(1) && too_far(2));
    }
}
