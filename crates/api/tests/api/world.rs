use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use headwater_api::{Peer, Reload, ReloadStep, Reloaded, Settings, State};
use headwater_hub::{Attached, Hub, Options, Publisher, Session, SessionId, SessionInfo, StreamName};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use headwater_stats::{Identity, Stats};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tower::ServiceExt as _;

pub(crate) const DEFAULT_VHOST: &str = "__defaultVhost__";

/// AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1): High, level 3.1, one SPS of 1280x720, one PPS.
const AVC_CONFIG: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, // version, profile, constraints, level, 4-byte NAL lengths
    0xe1, 0x00, 0x1a, // one SPS of 26 bytes
    0x67, 0x64, 0x00, 0x1f, // NAL header, profile_idc 100, constraints, level_idc 31
    0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, // 4:2:0, 8 bits; 80 x 45 macroblocks, frames only, no cropping
    0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19,
    0x60, // VUI
    0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, // one PPS
    0xfd, 0xf8, 0xf8, 0x00, // 4:2:0, 8 bits, no SPS extension
];

/// AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1): LC, 48 kHz, one channel.
const AAC_CONFIG: &[u8] = &[0x11, 0x88];

pub(crate) struct World {
    pub(crate) stats: Arc<Stats>,
    hub: Arc<Hub>,
    router: Router,
    start: Instant,
}

/// A response, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl World {
    pub(crate) fn new(settings: Settings) -> World {
        let hub = Hub::new(|_| Options::default());
        let stats = Arc::new(Stats::new(Identity::generate(), headwater_stats::Options::default()));
        assert!(hub.observe(vec![stats.clone()]));
        let reload = Arc::new(Reloads::default());
        let state = State::with_reload(hub.clone(), stats.clone(), settings, reload);
        let router = headwater_api::router(state);
        World { stats, hub, router, start: Instant::now() }
    }

    /// Takes the samples that would be taken that much after the start.
    pub(crate) fn tick(&self, after_s: u64) {
        self.stats.tick(self.start + Duration::from_secs(after_s));
    }

    /// A publisher that sends sound and picture.
    pub(crate) fn publish(&self, name: &str) -> Publisher {
        let stream = self.hub.stream(&StreamName::new(DEFAULT_VHOST, "live", name).unwrap());
        let publisher = stream.publish(&session(stream.name(), name, "fmle-publish", true)).unwrap();
        publisher.push(frame(Track::Audio, Kind::Config, AAC_CONFIG));
        publisher.push(frame(Track::Video, Kind::Config, AVC_CONFIG));
        publisher.push(frame(Track::Video, Kind::Key, &[0, 0, 0, 1, 0x65]));
        publisher.push(frame(Track::Audio, Kind::Key, &[0x21, 0x00]));
        publisher.push(frame(Track::Audio, Kind::Key, &[0x21, 0x00]));
        publisher.session().received.add(90_000);
        publisher
    }

    pub(crate) fn play(&self, name: &str) -> Attached {
        let stream = self.hub.stream(&StreamName::new(DEFAULT_VHOST, "live", name).unwrap());
        let player = stream.attach(&session(stream.name(), &format!("{name}.flv"), "flv-play", false));
        player.session().sent.add(4096);
        player
    }

    /// A request from this machine.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, "127.0.0.1:50000", &[]).await
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        peer: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "127.0.0.1:1985");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }
}

/// The first reload works, the second does not.
#[derive(Debug, Default)]
struct Reloads(AtomicUsize);

impl Reload for Reloads {
    fn request(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn last(&self) -> Reloaded {
        let (step, id) = (ReloadStep::Checking, "x1y2z3w".to_owned());
        match self.0.load(Ordering::Relaxed) {
            0 => Reloaded::default(),
            1 => Reloaded { step: ReloadStep::Finished, id, ..Reloaded::default() },
            _ => Reloaded { code: 1023, error: "bad directive".to_owned(), step, id },
        }
    }
}

fn session(name: &StreamName, shown: &str, kind: &'static str, publish: bool) -> Arc<Session> {
    Arc::new(Session::new(SessionInfo {
        id: SessionId::random(),
        kind,
        publish,
        name: name.clone(),
        shown_name: shown.into(),
        ip: [198, 51, 100, 7].into(),
        tc_url: "rtmp://h/live".into(),
        page_url: "http://page/<script>alert(1)</script>".into(),
        swf_url: "".into(),
        param: "".into(),
    }))
}

fn frame(track: Track, kind: Kind, payload: &'static [u8]) -> Frame {
    let codec = if track == Track::Video { Codec::H264 } else { Codec::Aac };
    let payload = Bytes::from_static(payload);
    Frame { track, codec, tag: CodecTag::Legacy, kind, dts: Time::ZERO, pts: Time::ZERO, payload }
}
