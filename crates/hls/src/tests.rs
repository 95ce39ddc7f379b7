//! A hub, a publisher, viewers.

mod low_latency;
mod sessions;

use crate::{Ask, Hls};
use axum::response::Response;
use bytes::Bytes;
use headwater_conf::{Conf, Env, Source};
use headwater_hub::{
    Admission, Answer, Event, Grant, Hub, Observer, Options, Publisher, Refusal, Request, Session, SessionId,
    SessionInfo, StreamName,
};
use headwater_media::codec::{aac, avc, nal};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use headwater_mpeg::TsDemuxer;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// Lets everybody in but whoever's query says `deny`.
#[derive(Debug)]
struct Door;

impl Admission for Door {
    fn ask<'a>(&'a self, request: &'a Request) -> Answer<'a> {
        let refused = Refusal { code: 1053, reason: "denied".into() };
        let name = StreamName::new(&request.vhost, &request.app, &request.stream);
        let answer = name.ok().filter(|_| request.param != "?deny").map(|name| Grant { name }).ok_or(refused);
        Box::pin(std::future::ready(answer))
    }
}

struct World {
    hub: Arc<Hub>,
    hls: Arc<Hls>,
    /// Players that came, gone ones included.
    sessions: Players,
}

type Players = Arc<std::sync::Mutex<Vec<Arc<Session>>>>;

struct PlayersSeen(Players);

impl Observer for PlayersSeen {
    fn on_event(&self, event: &Event) {
        if let Event::PlayStarted { session, .. } = event {
            self.0.lock().unwrap().push(session.clone());
        }
    }
}

impl World {
    /// Without sessions, unless `hls` turns them on.
    fn new(hls: &str) -> World {
        World::load(&format!("hls_ctx off; {hls}"))
    }

    fn load(hls: &str) -> World {
        let text = format!(
            "listen 1935; max_connections 100; vhost __defaultVhost__ {{ hls {{ enabled on; {hls} }} }}"
        );
        let conf = Conf::load(Source::Text { name: "test".into(), text }, &Env::empty()).unwrap().conf;
        let hub = Hub::new(|_| Options::default());
        let hls = Hls::new(&hub, Arc::new(conf), Arc::new(Door), Handle::current());
        let sessions = Players::default();
        assert!(hub.observe(vec![hls.clone(), Arc::new(PlayersSeen(sessions.clone()))]));
        World { hub, hls, sessions }
    }

    fn publish(&self) -> Publisher {
        self.publish_as(&StreamName::new("__defaultVhost__", "live", "cam 1").unwrap())
    }

    fn publish_as(&self, name: &StreamName) -> Publisher {
        let session = Session::new(SessionInfo {
            id: SessionId::random(),
            kind: "fmle-publish",
            publish: true,
            name: name.clone(),
            shown_name: "cam 1".into(),
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            tc_url: "".into(),
            page_url: "".into(),
            swf_url: "".into(),
            param: "".into(),
        });
        self.hub.stream(name).publish(&Arc::new(session)).unwrap()
    }

    async fn get(&self, path: &str) -> Option<Response> {
        self.get_with(path, "", &HeaderMap::new()).await
    }

    async fn get_with(&self, path: &str, query: &str, fields: &HeaderMap) -> Option<Response> {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        self.hls.respond(Ask { vhost: "any.host", path, query, head: false, fields, peer }).await
    }

    async fn playlist(&self) -> String {
        let response = self.get("/live/cam 1.m3u8").await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/vnd.apple.mpegurl");
        let text = String::from_utf8(body(response).await.to_vec()).unwrap();
        assert_eq!(headwater_playlist::check(&text), Ok(()));
        text
    }

    /// The frames of all segments in the playlist.
    async fn frames(&self) -> Vec<Frame> {
        let (mut demuxer, mut frames) = (TsDemuxer::new(), Vec::new());
        for uri in uris(&self.playlist().await) {
            let path = format!("/live/{}", uri.replace("%20", " "));
            let response = self.get(&path).await.unwrap();
            assert_eq!(response.headers()[header::CONTENT_TYPE], "video/MP2T");
            let bytes = body(response).await;
            assert_eq!(bytes.len() % 188, 0);
            demuxer.push(&bytes, &mut frames);
        }
        demuxer.finish(&mut frames);
        assert_eq!(demuxer.lost(), 0, "counters go on across segments");
        frames.retain(|f| f.kind != Kind::Config);
        frames
    }
}

async fn body(response: Response) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

fn uris(playlist: &str) -> Vec<&str> {
    playlist.lines().filter(|line| !line.starts_with('#')).collect()
}

/// Lets the segmenter read what was pushed.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

fn frame(track: Track, codec: Codec, kind: Kind, ms: i64, payload: Bytes) -> Frame {
    let dts = Time::from_millis(ms);
    Frame { track, codec, tag: CodecTag::Legacy, kind, dts, pts: dts, payload }
}

fn video_config(level: u8) -> Frame {
    let set = |bytes: &[u8]| vec![Bytes::copy_from_slice(bytes)];
    let config =
        avc::Config::from_parameter_sets(set(&[0x67, 66, 0xc0, level, 0xda]), set(&[0x68, 0xce])).unwrap();
    frame(Track::Video, Codec::H264, Kind::Config, 0, config.write())
}

fn audio_config() -> Frame {
    frame(Track::Audio, Codec::Aac, Kind::Config, 0, aac::Config::lc(48_000, 2).write())
}

fn picture(key: bool, ms: i64) -> Frame {
    let header = if key { 0x65 } else { 0x41 };
    let kind = if key { Kind::Key } else { Kind::Inter };
    frame(Track::Video, Codec::H264, kind, ms, nal::join([&[header, 0x88, 0x99][..]]))
}

fn sound(ms: i64) -> Frame {
    frame(Track::Audio, Codec::Aac, Kind::Key, ms, Bytes::from_static(&[0x21, 0x10, 0x05]))
}

/// `seconds` of pictures at 10 Hz with a key frame a second, and sound.
fn push(publisher: &Publisher, from_s: i64, seconds: i64) -> Vec<Frame> {
    let mut frames = Vec::new();
    for i in 0..seconds * 10 {
        let ms = from_s * 1000 + i * 100;
        frames.extend([picture(i % 10 == 0, ms), sound(ms + 10)]);
    }
    frames.iter().for_each(|f| publisher.push(f.clone()));
    frames
}

fn begin(world: &World) -> Publisher {
    let publisher = world.publish();
    publisher.push(audio_config());
    publisher.push(video_config(31));
    publisher
}

#[tokio::test(start_paused = true)]
async fn what_was_published_is_in_the_segments() {
    let world = World::new("hls_fragment 2; hls_window 60;");
    let publisher = begin(&world);
    let sent = push(&publisher, 0, 11);
    settle().await;
    let playlist = world.playlist().await;
    assert!(playlist.starts_with("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.000, no desc\ncam%201-0.ts\n"), "{playlist}");
    assert_eq!(uris(&playlist).len(), 5);
    let got = world.frames().await;
    let until = |track| {
        let all = sent.iter().filter(move |f| f.track == track && f.dts < Time::from_millis(10_000));
        all.cloned().collect::<Vec<_>>()
    };
    for track in [Track::Video, Track::Audio] {
        let got: Vec<_> = got.iter().filter(|f| f.track == track).cloned().collect();
        assert_eq!(got, until(track));
    }
}

#[tokio::test(start_paused = true)]
async fn the_window_slides_and_memory_follows() {
    let world = World::new("hls_fragment 2; hls_window 6;");
    let publisher = begin(&world);
    for from in [0, 20, 40] {
        push(&publisher, from, if from == 40 { 1 } else { 20 });
        settle().await;
    }
    let playlist = world.playlist().await;
    assert_eq!(uris(&playlist), ["cam%201-16.ts", "cam%201-17.ts", "cam%201-18.ts", "cam%201-19.ts"]);
    assert!(playlist.contains("#EXT-X-MEDIA-SEQUENCE:16\n"));
    assert!(world.get("/live/cam 1-13.ts").await.is_some(), "a slow client still gets it");
    assert!(world.get("/live/cam 1-5.ts").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn sound_alone_and_pictures_alone() {
    let world = World::new("hls_fragment 2; hls_aof_ratio 2;");
    let publisher = world.publish();
    publisher.push(audio_config());
    (0..100).for_each(|i| publisher.push(sound(i * 100)));
    settle().await;
    assert!(world.playlist().await.contains("#EXTINF:4.000, no desc"), "fragment times hls_aof_ratio");
    assert_eq!(world.frames().await.len(), 80);
    drop(publisher);

    let world = World::new("hls_fragment 2;");
    let publisher = world.publish();
    publisher.push(video_config(31));
    (0..50).for_each(|i| publisher.push(picture(i % 10 == 0, i * 100)));
    settle().await;
    assert_eq!(world.frames().await.len(), 40);
}

#[tokio::test(start_paused = true)]
async fn the_list_goes_on_when_the_publisher_returns() {
    let world = World::new("hls_fragment 2;");
    for _ in 0..2 {
        let publisher = begin(&world);
        push(&publisher, 0, 5);
        settle().await;
        drop(publisher);
        settle().await;
    }
    let playlist = world.playlist().await;
    assert_eq!(uris(&playlist).len(), 6);
    assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{playlist}");
    assert!(playlist.contains("cam%201-2.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:2.000, no desc\ncam%201-3.ts"));
}

#[tokio::test(start_paused = true)]
async fn a_new_codec_configuration_begins_a_segment() {
    let world = World::new("hls_fragment 4;");
    let publisher = begin(&world);
    push(&publisher, 0, 5);
    publisher.push(video_config(40));
    push(&publisher, 5, 6);
    settle().await;
    let playlist = world.playlist().await;
    let lengths: Vec<_> =
        playlist.lines().filter(|l| l.starts_with("#EXTINF") || l.contains("DISCONT")).collect();
    assert_eq!(
        lengths,
        [
            "#EXTINF:4.000, no desc",
            "#EXTINF:1.000, no desc",
            "#EXT-X-DISCONTINUITY",
            "#EXTINF:4.000, no desc"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_leap_of_the_clock_is_no_concern_of_viewers() {
    let world = World::new("hls_fragment 2;");
    let publisher = begin(&world);
    for (from, seconds) in [(0, 5), (3600, 3), (100, 5)] {
        push(&publisher, from, seconds);
        settle().await;
    }
    let playlist = world.playlist().await;
    // The stream's own timeline goes on without a leap.
    assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 0, "{playlist}");
    assert!(playlist.contains("#EXT-X-TARGETDURATION:2\n"), "{playlist}");
}

#[tokio::test(start_paused = true)]
async fn an_ended_stream_is_disposed_of() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(&format!("hls_fragment 2; hls_dispose 30; hls_path {};", dir.path().display()));
    let publisher = begin(&world);
    push(&publisher, 0, 5);
    settle().await;
    drop(publisher);
    settle().await;
    world.hls.writer.drain().await;
    assert!(dir.path().join("live/cam 1.m3u8").exists() && dir.path().join("live/cam 1-2.ts").exists());
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert!(world.get("/live/cam 1.m3u8").await.is_some());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(world.get("/live/cam 1.m3u8").await.is_none());
    assert!(world.get("/live/cam 1-2.ts").await.is_none());
    world.hls.writer.drain().await;
    assert_eq!(std::fs::read_dir(dir.path().join("live")).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_returning_publisher_stops_the_disposal() {
    let world = World::new("hls_fragment 2; hls_dispose 30;");
    let publisher = begin(&world);
    push(&publisher, 0, 5);
    drop(publisher);
    tokio::time::sleep(Duration::from_secs(29)).await;
    let _publisher = begin(&world);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(world.get("/live/cam 1.m3u8").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_playlist_is_waited_for_but_not_forever() {
    let world = World::new("hls_fragment 2;");
    let publisher = begin(&world);
    let started = tokio::time::Instant::now();
    let response = world.get("/live/cam 1.m3u8").await.unwrap();
    assert_eq!((response.status(), started.elapsed().as_secs()), (StatusCode::NOT_FOUND, 4));
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        push(&publisher, 0, 3);
    };
    let (response, ()) = tokio::join!(world.get("/live/cam 1.m3u8"), late);
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert!(world.get("/live/other.m3u8").await.is_none(), "static files are next");
}

#[tokio::test(start_paused = true)]
async fn answers_can_be_revalidated_and_refused() {
    let world = World::new("hls_fragment 2;");
    let publisher = begin(&world);
    push(&publisher, 0, 3);
    settle().await;
    let path = "/live/cam 1.m3u8";
    let response = world.get(path).await.unwrap();
    assert_eq!(response.headers()[header::CACHE_CONTROL], "max-age=1");
    let mut fields = HeaderMap::new();
    fields.insert(header::IF_NONE_MATCH, response.headers()[header::ETAG].clone());
    let again = world.get_with(path, "", &fields).await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    fields.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"other\""));
    assert_eq!(world.get_with(path, "", &fields).await.unwrap().status(), StatusCode::OK);
    let refused = world.get_with(path, "deny", &HeaderMap::new()).await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(start_paused = true)]
async fn codecs_without_a_place_in_segments_are_named() {
    let cases = [
        ("continue", Codec::Av1, false),
        ("ignore", Codec::Av1, false),
        ("disconnect", Codec::Av1, false),
        ("continue", Codec::G711A, true),
        ("ignore", Codec::G711A, false),
    ];
    for (policy, codec, segments) in cases {
        let world = World::new(&format!("hls_fragment 1; hls_on_error {policy};"));
        let publisher = world.publish();
        let session = publisher.session().clone();
        if codec == Codec::Av1 {
            publisher.push(audio_config());
            let config = Bytes::from_static(&[0x81, 0, 0, 0]);
            publisher.push(frame(Track::Video, codec, Kind::Config, 0, config));
            (0..80).for_each(|i| publisher.push(sound(i * 100)));
        } else {
            publisher.push(frame(Track::Audio, codec, Kind::Key, 0, Bytes::from_static(&[0; 160])));
            publisher.push(video_config(31));
            (0..80).for_each(|i| publisher.push(picture(i % 10 == 0, i * 100)));
        }
        settle().await;
        let response = world.get("/live/cam 1.m3u8").await.unwrap();
        assert_eq!(response.status() == StatusCode::OK, segments, "{policy} {codec:?}");
        if !segments {
            let text = body(response).await;
            assert!(String::from_utf8_lossy(&text).contains(&format!("{codec:?}")), "{text:?}");
        }
        let kicked = tokio::time::timeout(Duration::from_secs(1), session.kicked()).await.is_ok();
        assert_eq!(kicked, policy == "disconnect");
    }
}

#[tokio::test(start_paused = true)]
async fn prefixes_stand_before_the_folder_unless_they_end_in_a_slash() {
    for (prefix, uri) in
        [("http://cdn", "http://cdn/live/cam%201-0.ts"), ("http://cdn/x/", "http://cdn/x/cam%201-0.ts")]
    {
        let world = World::new(&format!("hls_fragment 2; hls_entry_prefix {prefix};"));
        let publisher = begin(&world);
        push(&publisher, 0, 3);
        settle().await;
        assert_eq!(uris(&world.playlist().await), [uri]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unwritable_disk_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"in the way").unwrap();
    let world = World::new(&format!("hls_fragment 2; hls_path {};", file.display()));
    let publisher = begin(&world);
    push(&publisher, 0, 5);
    settle().await;
    world.hls.close().await;
    assert_eq!(uris(&world.playlist().await).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn audio_times_can_be_counted() {
    let world = World::new("hls_fragment 2; hls_aof_ratio 1; hls_dts_directly off;");
    let publisher = world.publish();
    publisher.push(audio_config());
    (0..200).for_each(|i| publisher.push(sound(i * 1024 / 48)));
    settle().await;
    let ticks: Vec<i64> = world.frames().await.iter().map(|f| f.dts.ticks(90_000)).collect();
    assert!(ticks.len() > 90 && ticks.windows(2).all(|w| w[1] - w[0] == 1920), "{ticks:?}");
}
