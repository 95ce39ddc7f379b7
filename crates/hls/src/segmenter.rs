//! The task that makes segments of one publish.

use crate::key::SegmentKey;
use crate::low_latency;
use crate::name::{self, Moment};
use crate::outlet::Outlet;
use crate::sample_clock::SampleClock;
use crate::segment::{Lengths, Progress, WORTH_KEEPING};
use crate::store::{Cutter, Live, Segment, Store, etag};
use crate::writer::Writer;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use headwater_conf::{Hls as HlsConf, HlsOnError};
use headwater_hub::{Entry, FrameReader, Read, Session};
use headwater_media::codec::aac;
use headwater_media::{Codec, Frame, Kind, Time, Track};
use headwater_mpeg::{Skipped, TsMuxer};
use headwater_web::paged;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long segments of a stream that ended stay in memory when `hls_dispose` is 0, at least. Files then stay forever.
const MEMORY_LINGER: Duration = Duration::from_secs(120);

/// A timestamp this far from the newest one, either way, is a leap of the publisher's clock: no segment spans it.
const LEAP: Time = Time::from_millis(10_000);

/// What the configuration says about one vhost's HLS.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) lengths: Lengths,
    pub(crate) fragment: Time,
    pub(crate) window: Duration,
    pub(crate) dispose: Duration,
    /// `hls_path`.
    pub(crate) root: Option<PathBuf>,
    /// `hls_m3u8_file`.
    pub(crate) playlist: String,
    /// `hls_ts_file`.
    segment: String,
    /// `hls_entry_prefix`.
    pub(crate) prefix: String,
    pub(crate) cleanup: bool,
    pub(crate) floor: bool,
    pub(crate) utc: bool,
    /// `hls_dts_directly`: audio keeps the publisher's timestamps.
    dts_directly: bool,
    on_error: HlsOnError,
    /// `hls_ctx`: viewers have sessions.
    pub(crate) sessions: bool,
    /// `hls_ts_ctx`: segments tell whose they are.
    pub(crate) session_segments: bool,
    /// `hls_master_m3u8_path_relative`: master playlists tell no folder.
    pub(crate) relative_master: bool,
    /// `hls_keys`; `None` leaves segments as they are.
    pub(crate) keys: Option<Keys>,
    /// `hls_acodec an`, `hls_vcodec vn`: the track that is left out.
    pub(crate) without: Option<Track>,
    /// `hls_use_fmp4`: `hls_fmp4_file` and `hls_init_file`.
    pub(crate) fragmented: Option<Fragmented>,
    /// `hls_ll`.
    pub(crate) low_latency: Option<low_latency::Settings>,
    /// `hls_recover`: a publisher who returns goes on with the playlist.
    pub(crate) recover: bool,
}

/// Where segments and initialisation segments of fragmented MP4 are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fragmented {
    pub(crate) segment: String,
    pub(crate) init: String,
}

/// How segments are encrypted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Keys {
    /// `hls_fragments_per_key`.
    pub(crate) per_key: u32,
    /// `hls_key_file`.
    pub(crate) path: String,
    /// `hls_key_file_path`.
    root: Option<PathBuf>,
    /// `hls_key_url`.
    pub(crate) url: String,
}

impl Keys {
    fn new(hls: &HlsConf) -> Keys {
        Keys {
            per_key: hls.hls_fragments_per_key,
            path: hls.hls_key_file.clone(),
            root: hls.hls_key_file_path.clone().filter(|path| !path.as_os_str().is_empty()),
            url: hls.hls_key_url.clone(),
        }
    }
}

impl Settings {
    pub(crate) fn new(hls: &HlsConf, utc: bool) -> Settings {
        let fragment = Time::from(hls.hls_fragment);
        let times = |ratio: f64| {
            Time::from_micros((hls.hls_fragment.as_secs_f64() * ratio.clamp(0.0, 1e3) * 1e6) as i64)
        };
        Settings {
            lengths: Lengths {
                target: times(hls.hls_td_ratio),
                audio_only: times(hls.hls_aof_ratio),
                wait_keyframe: hls.hls_wait_keyframe,
            },
            fragment,
            window: hls.hls_window,
            dispose: hls.hls_dispose,
            root: hls.hls_path.clone().filter(|path| !path.as_os_str().is_empty()),
            playlist: hls.hls_m3u8_file.clone(),
            segment: hls.hls_ts_file.clone(),
            prefix: hls.hls_entry_prefix.clone(),
            cleanup: hls.hls_cleanup,
            floor: hls.hls_ts_floor,
            utc,
            dts_directly: hls.hls_dts_directly,
            on_error: hls.hls_on_error,
            sessions: hls.hls_ctx,
            session_segments: hls.hls_ts_ctx,
            relative_master: hls.hls_master_m3u8_path_relative,
            keys: hls.hls_keys.then(|| Keys::new(hls)),
            without: match (hls.hls_acodec.as_str(), hls.hls_vcodec.as_str()) {
                (_, "vn") => Some(Track::Video),
                ("an", _) => Some(Track::Audio),
                _ => None,
            },
            fragmented: hls
                .hls_use_fmp4
                .then(|| Fragmented { segment: hls.hls_fmp4_file.clone(), init: hls.hls_init_file.clone() }),
            low_latency: hls.hls_ll.then(|| low_latency::Settings::new(hls)),
            recover: hls.hls_recover,
        }
    }

    /// How long a viewer may ask for nothing before its session ends; players ask once a segment.
    pub(crate) fn session_timeout(&self) -> Duration {
        (self.window * 2).max(self.fragment.duration() * 3)
    }

    /// Where key files are written.
    pub(crate) fn key_root(&self) -> Option<&PathBuf> {
        self.keys.as_ref()?.root.as_ref()
    }

    /// How long a viewer may wait for the first segment.
    pub(crate) fn patience(&self) -> Duration {
        (self.fragment + self.fragment).duration().min(Duration::from_secs(10))
    }
}

/// Makes segments of one publish, from its first frame to its last.
pub(crate) struct Segmenter {
    frames: FrameReader,
    session: Arc<Session>,
    live: Arc<Live>,
    store: Arc<Store>,
    writer: Writer,
    /// Number of this publish of the stream.
    publish: u64,
}

impl Segmenter {
    pub(crate) fn new(
        frames: FrameReader,
        session: Arc<Session>,
        live: Arc<Live>,
        store: &Arc<Store>,
        writer: &Writer,
    ) -> Segmenter {
        let publish = live.publishes();
        Segmenter { frames, session, live, store: store.clone(), writer: writer.clone(), publish }
    }

    pub(crate) async fn run(self) {
        let Segmenter { frames, session, live, store, writer, publish } = self;
        {
            let mut cutter = live.turn.lock().await;
            let stream = frames.stream().clone();
            let outlet = Outlet::new(&stream, &session, &live, &store, &writer);
            let mut work = Work::new(&mut cutter, &session, &live, outlet);
            work.read(frames).await;
            work.end();
        }
        dispose(&live, &store, &writer, publish).await;
    }
}

/// Removes what the stream left behind once nobody has published it for long enough.
pub(crate) async fn dispose(live: &Arc<Live>, store: &Store, writer: &Writer, publish: u64) {
    let wait = live.settings.dispose;
    let keep_files = wait.is_zero();
    tokio::time::sleep(if keep_files { MEMORY_LINGER.max(live.settings.window * 2) } else { wait }).await;
    let files = live.files();
    if store.dispose(live, publish) && !keep_files {
        tracing::info!(stream = %live.name, files = files.len(), "hls of the ended stream is disposed of");
        writer.remove(files);
    }
}

/// A segment being made.
#[derive(Debug)]
struct Open {
    start: Time,
    newest: Time,
    began: DateTime<Utc>,
    timestamp: i64,
    drift: Time,
    discontinuity: bool,
    has_video: bool,
    stale: bool,
}

struct Work<'a> {
    cutter: &'a mut Cutter,
    session: &'a Session,
    live: &'a Arc<Live>,
    outlet: Outlet<'a>,
    open: Option<Open>,
    bytes: BytesMut,
    /// Whether the next segment does not go on where the last one ended.
    discontinuity: bool,
    /// Whether the stream has pictures, going by the last segment or, before the first, by its configuration.
    had_video: bool,
    /// Whether pictures are left out until a key frame.
    wait_key: bool,
    video: Bytes,
    audio: Bytes,
    samples: SampleClock,
    /// Whether HLS is given up for this publish.
    off: bool,
    /// Whether it was logged that frames are left out.
    told: bool,
}

impl<'a> Work<'a> {
    fn new(
        cutter: &'a mut Cutter,
        session: &'a Session,
        live: &'a Arc<Live>,
        outlet: Outlet<'a>,
    ) -> Work<'a> {
        if cutter.sequence == 0 {
            cutter.muxer = TsMuxer::new().gather_audio();
        }
        cutter.muxer.forget_tracks();
        Work {
            discontinuity: cutter.sequence > 0,
            cutter,
            session,
            live,
            outlet,
            open: None,
            bytes: BytesMut::new(),
            had_video: false,
            wait_key: true,
            video: Bytes::new(),
            audio: Bytes::new(),
            samples: SampleClock::default(),
            off: false,
            told: false,
        }
    }

    /// Reads until the publisher leaves.
    async fn read(&mut self, mut frames: FrameReader) {
        loop {
            match frames.next().await {
                Read::Entries(entries) => {
                    for entry in entries {
                        match entry {
                            Entry::Published => {}
                            Entry::Frame(frame) => self.take(&frame),
                            Entry::Unpublished => return,
                        }
                    }
                }
                Read::Jumped { skipped } => {
                    let publisher = frames.stream().snapshot().publisher;
                    if publisher.is_none_or(|p| p.id() != self.session.id()) {
                        return; // the rest belongs to another publish
                    }
                    self.jumped(skipped);
                }
            }
        }
    }

    fn jumped(&mut self, skipped: u64) {
        tracing::warn!(stream = %self.live.name, skipped, "hls fell behind and lost frames; is the machine overloaded?");
        self.finish(None);
        self.discontinuity = true;
        self.wait_key = true;
    }

    fn take(&mut self, frame: &Frame) {
        if self.off || frame.track == Track::Script || self.live.settings.without == Some(frame.track) {
            return;
        }
        match frame.kind {
            Kind::Config => self.configure(frame),
            Kind::Inter if frame.track == Track::Video && self.wait_key => {}
            _ if frame.codec == Codec::Aac && !self.live.settings.dts_directly => {
                let at = self.samples.place(frame.dts);
                self.media(&Frame { dts: at, pts: at, ..frame.clone() });
            }
            _ => self.media(frame),
        }
    }

    /// A configuration that changes the one in force ends the segment as soon as may be.
    fn configure(&mut self, frame: &Frame) {
        let known = if frame.track == Track::Video { &mut self.video } else { &mut self.audio };
        let changed = !known.is_empty() && *known != frame.payload;
        *known = frame.payload.clone();
        if changed {
            self.discontinuity = true;
            if let Some(open) = &mut self.open {
                open.stale = true;
            }
        }
        if frame.codec == Codec::Aac
            && let Ok(config) = aac::Config::parse(&frame.payload)
        {
            self.samples.set_rate(config.sample_rate);
        }
        let result = self.cutter.muxer.frame(frame, &mut self.bytes);
        self.had_video |= result.is_ok() && frame.track == Track::Video;
        self.check(result);
    }

    fn media(&mut self, frame: &Frame) {
        let drift = self.open.as_ref().map_or(Time::ZERO, |open| open.drift);
        let cut = self.progress().is_some_and(|p| self.live.settings.lengths.cut_before(frame, &p, drift));
        if self.leaps(frame) {
            self.finish(None);
            self.discontinuity = true;
        } else if cut {
            self.finish(Some(frame.dts));
        }
        if self.open.is_none() {
            self.begin(frame);
        }
        let result = self.cutter.muxer.frame(frame, &mut self.bytes);
        if result.is_ok()
            && let Some(open) = &mut self.open
        {
            open.newest = open.newest.max(frame.dts);
            open.has_video |= frame.track == Track::Video;
        }
        self.wait_key &= !frame.is_video_key();
        self.check(result);
    }

    fn leaps(&self, frame: &Frame) -> bool {
        let newest = self.open.as_ref().map_or(frame.dts, |open| open.newest);
        frame.dts - newest > LEAP || newest - frame.dts > LEAP
    }

    fn progress(&self) -> Option<Progress> {
        let open = self.open.as_ref()?;
        let has_video = open.has_video || self.had_video;
        Some(Progress { start: open.start, has_video, bytes: self.bytes.len(), stale: open.stale })
    }

    fn begin(&mut self, frame: &Frame) {
        let settings = &self.live.settings;
        let began = Utc::now();
        let (timestamp, drift) = match settings.floor {
            true => self.cutter.floor.next(began.timestamp_millis(), settings.fragment),
            false => (began.timestamp_millis(), Time::ZERO),
        };
        self.bytes.clear();
        self.cutter.muxer.start(&mut self.bytes);
        self.open = Some(Open {
            start: frame.dts,
            newest: frame.dts,
            began,
            timestamp,
            drift,
            discontinuity: std::mem::take(&mut self.discontinuity),
            has_video: false,
            stale: false,
        });
    }

    /// Ends the segment where the next one begins, or at its newest frame.
    fn finish(&mut self, next: Option<Time>) {
        let Some(open) = self.open.take() else { return };
        self.cutter.muxer.flush(&mut self.bytes);
        let length = next.unwrap_or(open.newest) - open.start;
        self.had_video = open.has_video;
        if length < WORTH_KEEPING {
            self.discontinuity |= open.discontinuity;
            return;
        }
        self.cutter.muxer.renew_tables(&mut self.bytes);
        let segment = self.segment(&open, length.duration());
        self.cutter.sequence += 1;
        self.outlet.publish(segment);
    }

    fn segment(&mut self, open: &Open, duration: Duration) -> Segment {
        let settings = &self.live.settings;
        let sequence = self.cutter.sequence;
        let moment =
            Moment { at: open.began, utc: settings.utc, timestamp: open.timestamp, sequence, duration };
        let key = self.cutter.key(self.live, &moment);
        // Exactly as long as it is; the buffer is used again.
        let plain = || paged(&self.bytes);
        Segment {
            path: name::segment_path(&settings.segment, &self.live.name, &moment),
            sequence,
            duration,
            discontinuity: open.discontinuity,
            bytes: key.as_ref().map_or_else(plain, |key: &Arc<SegmentKey>| paged(&key.encrypt(&self.bytes))),
            key,
            init: None,
            date: None,
            etag: etag(sequence),
        }
    }

    /// What `hls_on_error` asks for when a frame cannot be muxed. A frame before its configuration is no error.
    fn check(&mut self, result: Result<(), Skipped>) {
        let error = match result {
            Ok(()) | Err(Skipped::NotConfigured(_)) => return,
            Err(error) => error,
        };
        let policy = self.live.settings.on_error;
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(stream = %self.live.name, %error, hls_on_error = ?policy, "hls leaves frames out");
            self.live
                .set_problem(format!("{error}; or set `hls_use_fmp4 on`, or play its low-latency playlist"));
        }
        // Sound without its pictures is no answer; viewers are told the reason instead.
        self.off |= matches!(error, Skipped::NotCarried(codec) if is_video(codec));
        match policy {
            HlsOnError::Continue => {}
            HlsOnError::Ignore => self.off = true,
            HlsOnError::Disconnect => {
                self.off = true;
                self.session.kick();
            }
        }
    }

    fn end(&mut self) {
        self.finish(None);
    }
}

fn is_video(codec: Codec) -> bool {
    matches!(codec, Codec::H264 | Codec::Hevc | Codec::Av1 | Codec::Vp9 | Codec::Vp8)
}
