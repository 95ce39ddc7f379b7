//! Low-latency HLS (draft-pantos-hls-rfc8216bis): what is in memory of a stream, and its playlists.
//!
//! One view of the stream's chunks gives two renditions: everything, and the sound alone when there are pictures too.
//! Each playlist is written once for a change, however many viewers wait for it.

use crate::name;
use crate::store::{Playlist, STREAM_BYTES_MAX, etag};
use crate::view::{Cut, Done, Part, Segment, View};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use headwater_conf::Hls as HlsConf;
use headwater_hub::StreamName;
use headwater_media::{Time, Track};
use headwater_packager::{Chunks, Item, Lengths, TrackSet};
use headwater_playlist::{
    self as playlist, LowLatency as Edge, MediaPlaylist, PARTS_LISTED, Report, SKIP_UNTIL, Variant,
    encode_path,
};
use headwater_web::EntityTag;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Segments that are kept after they left the playlist, for clients that are about to ask for them.
const LINGER: usize = 3;

/// Segments that stay listed whatever their size.
const LISTED_MIN: usize = 3;

/// Initialisation segments that are kept.
const INITS_MAX: usize = 16;

/// A single frame that lasts longer does not make all parts longer.
const PART_MAX: Time = Time::from_millis(1_000);

/// What the configuration says about low latency.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// `hls_ll_m3u8_file`.
    file: String,
    /// `hls_ll_fragment` and `hls_part`.
    pub(crate) lengths: Lengths,
    window: Duration,
    /// `hls_variants`.
    pub(crate) variants: Vec<String>,
}

impl Settings {
    pub(crate) fn new(hls: &HlsConf) -> Settings {
        Settings {
            file: hls.hls_ll_m3u8_file.clone(),
            lengths: lengths(hls),
            window: hls.hls_window,
            variants: hls.hls_variants.iter().filter(|suffix| !suffix.is_empty()).cloned().collect(),
        }
    }
}

/// Lengths for the packager: parts of 50 ms to 1 s, segments of half a second to a minute.
pub(crate) fn lengths(hls: &HlsConf) -> Lengths {
    let within = |length: Duration, least: u64, most: u64| {
        Time::from(length.clamp(Duration::from_millis(least), Duration::from_millis(most)))
    };
    Lengths { part: within(hls.hls_part, 50, 1000), segment: within(hls.hls_ll_fragment, 500, 60_000) }
}

/// Which tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rendition {
    /// All.
    Whole,
    /// Sound alone.
    Sound,
}

impl Rendition {
    /// What its names have after the stem.
    fn infix(self) -> &'static str {
        match self {
            Rendition::Whole => "",
            Rendition::Sound => "-audio",
        }
    }

    fn other(self) -> Rendition {
        match self {
            Rendition::Whole => Rendition::Sound,
            Rendition::Sound => Rendition::Whole,
        }
    }
}

/// What a name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asset {
    Multivariant,
    Media(Rendition),
    Init(Rendition, u64),
    Segment(Rendition, u64),
    Part(Rendition, u64, usize),
}

impl Asset {
    /// From what follows the stem.
    pub(crate) fn parse(rest: &str) -> Option<Asset> {
        if rest == ".m3u8" {
            return Some(Asset::Multivariant);
        }
        let (rendition, rest) = match rest.strip_prefix("-audio") {
            Some(rest) => (Rendition::Sound, rest),
            None => (Rendition::Whole, rest),
        };
        let rest = rest.strip_prefix('-')?;
        if rest == "media.m3u8" {
            return Some(Asset::Media(rendition));
        }
        if let Some(init) = rest.strip_prefix("init-") {
            return Some(Asset::Init(rendition, init.strip_suffix(".mp4")?.parse().ok()?));
        }
        let numbers = rest.strip_suffix(".m4s")?;
        Some(match numbers.split_once('.') {
            Some((sequence, part)) => Asset::Part(rendition, sequence.parse().ok()?, part.parse().ok()?),
            None => Asset::Segment(rendition, numbers.parse().ok()?),
        })
    }
}

/// A position that a playlist request waits for (`_HLS_msn`, `_HLS_part`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) sequence: u64,
    pub(crate) part: Option<usize>,
}

/// A part or segment that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Its bytes.
    Ready(Vec<Bytes>),
    /// It is made next.
    Awaited,
    Unknown,
}

/// A stream's low-latency segments, parts and playlists.
#[derive(Debug)]
pub(crate) struct LowLatency {
    /// Path of the multivariant playlist below the root, without its `.m3u8`.
    pub(crate) stem: String,
    pub(crate) settings: Settings,
    state: Mutex<State>,
    /// Random, for validators.
    salt: u64,
    /// Counts changes.
    changed: watch::Sender<u64>,
    rendered: Mutex<HashMap<(Rendition, bool), (u64, Playlist)>>,
    /// The reader at work holds it, so that there is one at a time.
    turn: tokio::sync::Mutex<View>,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first; the last `listed` of them are in the playlist.
    segments: VecDeque<Arc<Segment>>,
    listed: usize,
    open: Option<Segment>,
    /// Number of the next complete segment.
    next: u64,
    inits: VecDeque<(u64, Arc<TrackSet>)>,
    discontinuities: u64,
    /// Longest segment and part so far; neither target ever shrinks.
    longest: Time,
    longest_part: Time,
}

impl LowLatency {
    pub(crate) fn new(name: &StreamName, settings: Settings, without: Option<Track>) -> LowLatency {
        let path = name::stream_path(&settings.file, name);
        LowLatency {
            stem: path.strip_suffix(".m3u8").unwrap_or(&path).to_owned(),
            settings,
            state: Mutex::default(),
            salt: rand::random(),
            changed: watch::Sender::new(0),
            rendered: Mutex::default(),
            turn: tokio::sync::Mutex::new(View::new(Cut::Marks, without)),
        }
    }

    /// Takes the chunks of one publish, to their end.
    pub(crate) async fn follow(&self, mut chunks: Chunks) {
        let mut view = self.turn.lock().await;
        loop {
            let item = chunks.next().await;
            self.take(&mut view, &item);
            if matches!(item, Item::Ended) {
                return;
            }
        }
    }

    pub(crate) fn take(&self, view: &mut View, item: &Item) {
        let done = view.push(item);
        if done.is_empty() {
            return;
        }
        {
            let mut state = self.state.lock();
            state.open = view.open().cloned();
            state.next = view.sequence();
            let newest = state.open.as_ref().and_then(|open| open.parts.last()).map(|part| part.duration);
            let ended =
                done.iter().filter_map(|done| if let Done::Segment(s) = done { Some(s) } else { None });
            let ended: Vec<_> = ended.cloned().collect();
            let last = ended.last().and_then(|segment| segment.parts.last()).map(|part| part.duration);
            let part = newest.or(last).filter(|&part| part <= PART_MAX).unwrap_or_default();
            state.longest_part = state.longest_part.max(part);
            ended.into_iter().for_each(|segment| state.add(segment, self.settings.window));
            state.keep_init();
        }
        self.changed.send_modify(|version| *version += 1);
    }

    /// Whether a playlist can be written: it needs a segment, whose length is the target.
    fn is_ready(&self) -> bool {
        !self.state.lock().segments.is_empty()
    }

    /// The validator of what is at `path`, which never changes there while this stream is in memory.
    pub(crate) fn tag(&self, path: &str) -> EntityTag {
        let file = path.rsplit('/').next().unwrap_or_default();
        EntityTag::new(format_args!("{:x}-{file}", self.salt))
    }

    /// Waits for the first segment.
    pub(crate) async fn ready(&self, patience: Duration) -> bool {
        self.wait(patience, || self.is_ready()).await
    }

    /// Waits until `condition` holds, asked at each change.
    async fn wait(&self, patience: Duration, condition: impl Fn() -> bool) -> bool {
        let mut changes = self.changed.subscribe();
        let changed = changes.wait_for(|_| condition());
        tokio::time::timeout(patience, changed).await.is_ok_and(|seen| seen.is_ok())
    }

    /// How long a request waits at most: three target durations.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(3 * self.state.lock().target(&self.settings))
    }

    /// For caches: playlists that were waited for are the same for six target durations (bis 6.2.5.2).
    pub(crate) fn blocked_age_s(&self) -> u64 {
        6 * self.state.lock().target(&self.settings)
    }

    /// Whether so far a position is ahead that nobody can know of it (bis 6.2.5.2).
    pub(crate) fn is_too_far(&self, position: Position) -> bool {
        position.sequence > self.state.lock().next.saturating_add(1)
    }

    /// Waits until the playlist has `position`.
    pub(crate) async fn reach(&self, position: Position, patience: Duration) -> bool {
        self.wait(patience, || {
            let state = self.state.lock();
            !state.segments.is_empty() && state.has(position)
        })
        .await
    }

    /// The bytes of a part; waited for when it is the next one.
    pub(crate) async fn part(&self, rendition: Rendition, sequence: u64, part: usize) -> Option<Vec<Bytes>> {
        let content = || self.state.lock().part(rendition, sequence, part);
        if content() == Content::Awaited {
            self.wait(self.patience(), || content() != Content::Awaited).await;
        }
        match content() {
            Content::Ready(pieces) => Some(pieces),
            Content::Awaited | Content::Unknown => None,
        }
    }

    /// The bytes of a segment that is complete.
    pub(crate) fn segment(&self, rendition: Rendition, sequence: u64) -> Option<Vec<Bytes>> {
        let state = self.state.lock();
        let segment = state.segments.iter().find(|segment| segment.sequence == sequence)?.clone();
        drop(state);
        Some(match rendition {
            Rendition::Whole => segment.pieces_interleaved(),
            Rendition::Sound => segment.pieces(Track::Audio),
        })
    }

    /// An initialisation segment.
    pub(crate) fn init(&self, rendition: Rendition, number: u64) -> Option<Bytes> {
        let state = self.state.lock();
        let (_, tracks) = state.inits.iter().find(|(n, _)| *n == number)?;
        match rendition {
            Rendition::Whole => Some(tracks.init()),
            Rendition::Sound => tracks.audio_init(),
        }
    }

    /// A media playlist as it is now, as a delta update if so wished; written at most once for each change.
    pub(crate) fn playlist(&self, rendition: Rendition, skip: bool) -> Option<Playlist> {
        let mut rendered = self.rendered.lock();
        let version = *self.changed.borrow();
        if let Some((known, playlist)) = rendered.get(&(rendition, skip))
            && *known == version
        {
            return Some(playlist.clone());
        }
        let text = self.write(rendition, skip)?.to_string();
        let playlist = Playlist { etag: etag(version), text: text.into() };
        rendered.insert((rendition, skip), (version, playlist.clone()));
        Some(playlist)
    }

    fn write(&self, rendition: Rendition, skip: bool) -> Option<MediaPlaylist> {
        let state = self.state.lock();
        let first = state.listed().next()?;
        let target = state.target(&self.settings);
        let edge = state.end();
        let span = |durations: u32| Time::from(Duration::from_secs(target * u64::from(durations)));
        let with_parts = edge - span(PARTS_LISTED);
        let can_skip = edge - span(SKIP_UNTIL);
        let old = |segment: &&Arc<Segment>| segment.start + segment.duration <= can_skip;
        let skipped = if skip { state.listed().take_while(old).count() } else { 0 };
        let listed = state.listed().map(|segment| {
            let parts = segment.start + segment.duration > with_parts;
            self.write_segment(rendition, segment, parts)
        });
        let open = state.open.as_ref().map(|open| self.write_segment(rendition, open, true));
        let (sequence, part) = (state.next, state.open.as_ref().map_or(0, |open| open.parts.len()));
        Some(MediaPlaylist {
            media_sequence: first.sequence,
            discontinuity_sequence: state.discontinuities,
            target_duration: target,
            segments: listed.collect(),
            ended: false,
            low_latency: Some(Edge {
                part_target: state.part_target(&self.settings).duration(),
                open: open.unwrap_or_default(),
                hint: Some(self.part_uri(rendition, sequence, part)),
                reports: state.report(|| self.media_uri(rendition.other())).into_iter().collect(),
            }),
            skipped,
        })
    }

    fn write_segment(&self, rendition: Rendition, segment: &Segment, parts: bool) -> playlist::Segment {
        let parts = if parts { segment.parts.as_slice() } else { &[] };
        let parts = parts.iter().enumerate().map(|(n, part)| playlist::Part {
            uri: self.part_uri(rendition, segment.sequence, n),
            duration: part.duration.duration(),
            independent: part.independent || rendition == Rendition::Sound,
        });
        playlist::Segment {
            uri: format!("{}{}-{}.m4s", self.file(), rendition.infix(), segment.sequence),
            duration: segment.duration.duration(),
            discontinuity: segment.discontinuity,
            key: None,
            map: Some(format!("{}{}-init-{}.mp4", self.file(), rendition.infix(), segment.init)),
            date: Some(DateTime::<Utc>::from(segment.wall).to_rfc3339_opts(SecondsFormat::Millis, true)),
            parts: parts.collect(),
        }
    }

    /// The variants of the multivariant playlist, with their URIs relative to it.
    pub(crate) fn variants(&self) -> Vec<Variant> {
        let state = self.state.lock();
        let Some(newest) = state.segments.back() else { return Vec::new() };
        let tracks = &newest.tracks;
        let whole = state.variant(Rendition::Whole, self.media_uri(Rendition::Whole), tracks);
        let sound = (tracks.video.is_some() && tracks.audio.is_some())
            .then(|| state.variant(Rendition::Sound, self.media_uri(Rendition::Sound), tracks));
        [Some(whole), sound].into_iter().flatten().collect()
    }

    /// The last part of the stem, encoded: all names are beside each other.
    fn file(&self) -> String {
        encode_path(self.stem.rsplit('/').next().unwrap_or_default())
    }

    fn media_uri(&self, rendition: Rendition) -> String {
        format!("{}{}-media.m3u8", self.file(), rendition.infix())
    }

    fn part_uri(&self, rendition: Rendition, sequence: u64, part: usize) -> String {
        format!("{}{}-{sequence}.{part}.m4s", self.file(), rendition.infix())
    }
}

impl State {
    fn listed(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.iter().skip(self.segments.len() - self.listed)
    }

    fn add(&mut self, segment: Arc<Segment>, window: Duration) {
        self.longest = self.longest.max(segment.duration);
        self.segments.push_back(segment);
        self.listed += 1;
        let mut keep = 0;
        let mut total = Duration::ZERO;
        for segment in self.segments.iter().rev().take(self.listed) {
            keep += 1;
            total += segment.duration.duration();
            if total > window && keep >= LISTED_MIN {
                break;
            }
        }
        self.unlist(self.listed - keep);
        self.evict();
    }

    fn unlist(&mut self, count: usize) {
        let leaving = self.listed().take(count).filter(|segment| segment.discontinuity).count();
        self.discontinuities += leaving as u64;
        self.listed -= count;
    }

    fn evict(&mut self) {
        let mut bytes: usize = self.segments.iter().map(|segment| segment.bytes).sum();
        while self.segments.len() > self.listed + LINGER
            || (bytes > STREAM_BYTES_MAX && self.segments.len() > LISTED_MIN)
        {
            if self.listed == self.segments.len() {
                self.unlist(1);
            }
            bytes -= self.segments.pop_front().map_or(0, |oldest| oldest.bytes);
        }
    }

    fn keep_init(&mut self) {
        let newest = self.open.as_ref().or(self.segments.back().map(|segment| &**segment));
        let Some((number, tracks)) = newest.map(|segment| (segment.init, segment.tracks.clone())) else {
            return;
        };
        if self.inits.back().is_none_or(|(known, _)| *known != number) {
            self.inits.push_back((number, tracks));
        }
        if self.inits.len() > INITS_MAX {
            self.inits.pop_front();
        }
    }

    fn target(&self, settings: &Settings) -> u64 {
        // Durations count rounded to the nearest second (RFC 8216 4.3.3.1), and the target must not change: a quarter
        // of a second is left for segments that get a frame or two more.
        let longest = Duration::from_secs((self.longest.seconds() - 0.25).ceil().max(0.0) as u64);
        playlist::target_duration(longest, settings.lengths.segment.duration())
    }

    fn part_target(&self, settings: &Settings) -> Time {
        self.longest_part.max(settings.lengths.part)
    }

    /// Where the newest part ends.
    fn end(&self) -> Time {
        let newest = self.open.as_ref().or(self.segments.back().map(|segment| &**segment));
        newest.map_or(Time::ZERO, |segment| {
            segment.start + segment.parts.iter().fold(Time::ZERO, |sum, part| sum + part.duration)
        })
    }

    fn parts_of(&self, sequence: u64) -> Option<&[Part]> {
        let open = self.open.as_ref().filter(|open| open.sequence == sequence);
        let complete = || self.segments.iter().find(|segment| segment.sequence == sequence).map(|s| &**s);
        open.or_else(complete).map(|segment| segment.parts.as_slice())
    }

    /// A part beyond a segment's last is the first of the next segment (bis 6.2.5.2).
    fn has(&self, Position { sequence, part }: Position) -> bool {
        let available = |sequence: u64| self.parts_of(sequence).map_or(0, <[Part]>::len);
        match part {
            None => sequence < self.next,
            Some(part) if sequence < self.next => {
                part < available(sequence) || sequence + 1 < self.next || available(sequence + 1) > 0
            }
            Some(part) => sequence == self.next && part < available(sequence),
        }
    }

    fn part(&self, rendition: Rendition, sequence: u64, part: usize) -> Content {
        let parts = self.parts_of(sequence).unwrap_or_default();
        match parts.get(part) {
            Some(part) => Content::Ready(match rendition {
                Rendition::Whole => part.pieces_interleaved(),
                Rendition::Sound => part.pieces(Track::Audio),
            }),
            None if sequence == self.next && part == parts.len() => Content::Awaited,
            None => Content::Unknown,
        }
    }

    /// The newest part, of whichever rendition: they advance together.
    fn report(&self, uri: impl FnOnce() -> String) -> Option<Report> {
        let newest = self.open.as_ref().filter(|open| !open.parts.is_empty());
        let newest = newest.or(self.segments.back().map(|segment| &**segment))?;
        let both = newest.tracks.video.is_some() && newest.tracks.audio.is_some();
        let part = (newest.parts.len() as u64).saturating_sub(1);
        both.then(|| Report { uri: uri(), sequence: newest.sequence, part })
    }

    /// Peak and average rates are those of the segments in the playlist.
    fn variant(&self, rendition: Rendition, uri: String, tracks: &TrackSet) -> Variant {
        let bits = |segment: &Segment| match rendition {
            Rendition::Whole => segment.bytes as f64 * 8.0,
            Rendition::Sound => segment.chunks(Track::Audio).map(|c| c.chunk.len() as f64 * 8.0).sum(),
        };
        let seconds = |segment: &Segment| segment.duration.seconds().max(0.001);
        let peak = self.listed().map(|s| bits(s) / seconds(s)).fold(1.0, f64::max);
        let total = self.listed().fold((0.0, 0.001), |sum, s| (sum.0 + bits(s), sum.1 + seconds(s)));
        let (codecs, video) = match rendition {
            Rendition::Whole => (tracks.codecs().to_owned(), tracks.video.as_ref()),
            Rendition::Sound => {
                (tracks.audio.as_ref().and_then(|a| a.codec_string()).unwrap_or_default(), None)
            }
        };
        let pictures: usize =
            self.listed().flat_map(|s| s.chunks(Track::Video)).map(|c| c.chunk.samples()).sum();
        Variant {
            uri,
            bandwidth: peak.ceil() as u64,
            average_bandwidth: Some((total.0 / total.1).ceil() as u64),
            codecs: if codecs.is_empty() { Vec::new() } else { vec![codecs] },
            resolution: video.filter(|v| v.width > 0).map(|v| (v.width.into(), v.height.into())),
            frame_rate: video.map_or(0.0, |_| pictures as f64 / total.1),
        }
    }
}
