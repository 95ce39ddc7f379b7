//! Which segments a manifest lists, and where its periods begin. Pure: segments in, files and manifests out.
//!
//! A period's start is the wall clock's distance from the first segment ever, and its segments keep the stream's own
//! times (`presentationTimeOffset` takes them to the period): players find the live edge by the clock, whatever the
//! publisher's clock does, and no media is rewritten. A new period begins where the stream does not go on: another
//! publisher, another configuration, a clock that fell behind.
//!
//! Times of segments are decoding times, as in `tfdt`; pictures that are reordered show a frame or two later.

#[cfg(test)]
mod tests;

use crate::shelf::File;
use crate::store::STREAM_BYTES_MAX;
use crate::view::Segment;
use chrono::{DateTime, SecondsFormat, Utc};
use headwater_media::{Time, Track};
use headwater_mp4::TrackSpec;
use headwater_packager::TrackSet;
use headwater_playlist::mpd::{Content, Mpd, Period, Representation, SegmentTemplate, Span};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The tracks, in the order of the manifest.
const TRACKS: [Track; 2] = [Track::Video, Track::Audio];

/// Segments that stay listed whatever their size; players need three.
const LISTED_MIN: usize = 3;

/// A segment that begins within this of the end of the one before begins there: timestamps are in milliseconds.
const SEAM: Time = Time::from_millis(2);

/// Pictures a second that are told exactly when the measured rate is within a half per cent.
const FRAME_RATES: [(u32, u32); 10] = [
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (48, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
    (120, 1),
];

/// What the configuration says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// `dash_fragment`.
    pub(crate) target: Duration,
    /// `dash_update_period`.
    pub(crate) update: Duration,
    /// `dash_window_size`, at least 1.
    pub(crate) listed: usize,
    /// Folder of the segments below the root, with a trailing slash.
    pub(crate) folder: String,
    /// The same, relative to the manifest, as a URI reference.
    pub(crate) base_url: String,
}

/// What a segment changes.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Files that are new. An initialisation segment comes before what needs it.
    pub(crate) files: Vec<Arc<File>>,
    /// Paths that are gone.
    pub(crate) gone: Vec<String>,
}

/// The segments of a stream, over all its publishes.
#[derive(Debug)]
pub(crate) struct Window {
    settings: Settings,
    /// The wall clock at the presentation's time zero, a whole millisecond.
    epoch: Option<SystemTime>,
    /// Oldest first. The last `settings.listed` are in the manifest; as many again wait for slow clients.
    segments: VecDeque<Kept>,
    periods: VecDeque<Run>,
    /// Periods so far.
    period_count: u64,
    /// Numbers of the next segments, by place in [`TRACKS`].
    next: [u64; 2],
    bytes: u64,
}

/// A segment of all tracks.
#[derive(Debug)]
struct Kept {
    period: u64,
    start: Time,
    files: Vec<TrackFile>,
}

#[derive(Debug)]
struct TrackFile {
    track: Track,
    number: u64,
    span: Span,
    file: Arc<File>,
}

/// A period.
#[derive(Debug)]
struct Run {
    id: u64,
    start: Duration,
    /// The stream's time at `start`, and where its newest segment ends.
    origin: Time,
    end: Time,
    tracks: Arc<TrackSet>,
    /// Number of the initialisation segments.
    init: u64,
    frame_rate: Option<(u32, u32)>,
    /// Highest bit rate of a segment so far and where the newest one ends, in ticks, by place in [`TRACKS`].
    bandwidth: [u64; 2],
    ends: [Option<u64>; 2],
}

impl Window {
    pub(crate) fn new(settings: Settings) -> Window {
        Window {
            settings,
            epoch: None,
            segments: VecDeque::new(),
            periods: VecDeque::new(),
            period_count: 0,
            next: [0; 2],
            bytes: 0,
        }
    }

    /// Takes the next segment.
    pub(crate) fn add(&mut self, segment: &Segment) -> Change {
        let mut change = Change::default();
        if !self.goes_on(segment) {
            let inits = self.begin_period(segment);
            change.files.extend(inits);
        }
        let files = self.files(segment);
        change.files.extend(files.iter().map(|file| file.file.clone()));
        self.bytes += files.iter().map(|file| file.file.len()).sum::<u64>();
        let period = self.period_count;
        self.segments.push_back(Kept { period, start: segment.start, files });
        self.evict(&mut change.gone);
        change
    }

    /// The manifest, made at `now`. `None` before the first segment.
    pub(crate) fn mpd(&self, now: SystemTime) -> Option<Mpd> {
        let epoch = self.epoch?;
        let periods: Vec<Period> = self.periods.iter().filter_map(|run| self.period(run)).collect();
        let longest = self.longest();
        let depth = self.depth().max(longest * self.settings.listed as u32);
        // What a player needs in hand: the segment that is being made, one until it hears of it, one to play.
        let delay = longest * 2 + self.settings.update;
        Some(Mpd {
            availability_start: date(epoch),
            publish_time: date(now),
            clock: None,
            minimum_update_period: self.settings.update.min(depth / 2),
            time_shift_buffer_depth: depth,
            suggested_presentation_delay: delay.min(depth * 3 / 4),
            min_buffer_time: longest,
            max_segment_duration: longest,
            base_url: self.settings.base_url.clone(),
            periods,
        })
    }

    /// Paths of all that is in memory.
    pub(crate) fn paths(&self) -> Vec<String> {
        let inits = self.periods.iter().flat_map(|run| self.init_paths(run));
        inits.chain(self.segments.iter().flat_map(Kept::paths)).collect()
    }

    /// Paths of the segments that are made next, of either track.
    pub(crate) fn next_paths(&self) -> [String; 2] {
        let [video, audio] = self.next;
        [self.segment_path(Track::Video, video), self.segment_path(Track::Audio, audio)]
    }

    fn segment_path(&self, track: Track, number: u64) -> String {
        format!("{}{}-{number}.m4s", self.settings.folder, label(track))
    }

    fn goes_on(&self, segment: &Segment) -> bool {
        let (Some(run), Some(epoch)) = (self.periods.back(), self.epoch) else { return false };
        let due = epoch + run.at(segment.start);
        let behind = segment.wall.duration_since(due).unwrap_or_default();
        let same = run.init == segment.init && *run.tracks == *segment.tracks;
        same && !segment.discontinuity && behind <= self.settings.target.max(Duration::from_secs(2))
    }

    /// Begins a period with `segment`; gives its initialisation segments.
    fn begin_period(&mut self, segment: &Segment) -> Vec<Arc<File>> {
        let epoch = *self.epoch.get_or_insert_with(|| whole_ms(segment.wall));
        let wall = segment.wall.duration_since(epoch).unwrap_or_default();
        let after = self.periods.back().map(|run| run.at(run.end));
        let first = |track| segment.chunks(track).next().map(|chunk| chunk.start);
        let origin = TRACKS.into_iter().filter_map(first).min().unwrap_or(segment.start);
        self.period_count += 1;
        let run = Run {
            id: self.period_count,
            start: if after.is_none() { Duration::ZERO } else { wall.max(after.unwrap_or_default()) },
            origin,
            end: origin,
            tracks: segment.tracks.clone(),
            init: segment.init,
            frame_rate: frame_rate(segment),
            bandwidth: [0; 2],
            ends: [None; 2],
        };
        let inits = TRACKS.into_iter().filter_map(|track| {
            let bytes = match track {
                Track::Video => run.tracks.video_init(),
                _ => run.tracks.audio_init(),
            };
            let path = format!("{}{}", self.settings.folder, init_name(label(track), run.init));
            Some(Arc::new(File::new(path, content_type(track), vec![bytes?], self.age())))
        });
        let inits = inits.collect();
        self.periods.push_back(run);
        inits
    }

    /// The files of a segment, one a track that has something in it.
    fn files(&mut self, segment: &Segment) -> Vec<TrackFile> {
        let (age, paths) = (self.age(), self.next_paths());
        let Some(run) = self.periods.back_mut() else { return Vec::new() };
        run.end = run.end.max(segment.start + segment.duration);
        let mut files = Vec::new();
        for (at, (track, path)) in TRACKS.into_iter().zip(paths).enumerate() {
            let (Some(spec), Some(end), Some(next)) =
                (run.tracks.track(track), run.ends.get_mut(at), self.next.get_mut(at))
            else {
                continue;
            };
            let Some(span) = span(segment, spec, *end) else { continue };
            *end = Some(span.start + span.duration);
            let file = Arc::new(File::new(path, content_type(track), segment.pieces(track), age));
            if let Some(rate) = run.bandwidth.get_mut(at) {
                *rate = (*rate).max(bit_rate(file.len(), span.duration, spec.timescale));
            }
            files.push(TrackFile { track, number: *next, span, file });
            *next += 1;
        }
        files
    }

    /// Lets what nobody can still want go.
    fn evict(&mut self, gone: &mut Vec<String>) {
        let most = self.settings.listed * 2;
        while self.segments.len() > most
            || (self.bytes > STREAM_BYTES_MAX as u64 && self.segments.len() > LISTED_MIN)
        {
            let Some(oldest) = self.segments.pop_front() else { return };
            self.bytes -= oldest.files.iter().map(|file| file.file.len()).sum::<u64>();
            gone.extend(oldest.paths());
        }
        let first = self.segments.front().map_or(u64::MAX, |segment| segment.period);
        while self.periods.front().is_some_and(|run| run.id < first) {
            let Some(old) = self.periods.pop_front() else { return };
            if self.periods.iter().all(|run| run.init != old.init) {
                gone.extend(self.init_paths(&old));
            }
        }
    }

    fn init_paths(&self, run: &Run) -> Vec<String> {
        let has = |track: &Track| run.tracks.track(*track).is_some();
        let path = |track| format!("{}{}", self.settings.folder, init_name(label(track), run.init));
        TRACKS.into_iter().filter(has).map(path).collect()
    }

    fn listed(&self) -> impl Iterator<Item = &Kept> + Clone {
        self.segments.iter().skip(self.segments.len().saturating_sub(self.settings.listed))
    }

    fn period(&self, run: &Run) -> Option<Period> {
        let tracks = TRACKS.into_iter().enumerate();
        let representations: Vec<_> =
            tracks.filter_map(|(at, track)| self.representation(run, at, track)).collect();
        let id = format!("p{}", run.id);
        (!representations.is_empty()).then_some(Period { id, start: run.start, representations })
    }

    fn representation(&self, run: &Run, at: usize, track: Track) -> Option<Representation> {
        let spec = run.tracks.track(track)?;
        let mine = self.listed().filter(|segment| segment.period == run.id);
        let mut files = mine.flat_map(|segment| &segment.files).filter(|file| file.track == track).peekable();
        let start_number = files.peek()?.number;
        Some(Representation {
            id: label(track).to_owned(),
            content: content(spec, run.frame_rate),
            codecs: spec.codec_string().unwrap_or_else(|| "unknown".to_owned()),
            bandwidth: run.bandwidth.get(at).copied().unwrap_or_default().max(1),
            template: SegmentTemplate {
                timescale: spec.timescale,
                initialization: init_name("$RepresentationID$", run.init),
                media: "$RepresentationID$-$Number$.m4s".to_owned(),
                start_number,
                presentation_time_offset: ticks(run.origin, spec.timescale),
                timeline: files.map(|file| file.span).collect(),
            },
        })
    }

    /// The longest listed segment of any track, rounded up to a millisecond.
    fn longest(&self) -> Duration {
        let listed = self.listed().flat_map(|segment| segment.files.iter().map(move |file| (segment, file)));
        let of = |(segment, file): (&Kept, &TrackFile)| {
            let run = self.periods.iter().find(|run| run.id == segment.period)?;
            let scale = u128::from(run.tracks.track(file.track)?.timescale.max(1));
            let us = (u128::from(file.span.duration) * 1_000_000).div_ceil(scale);
            Some(Duration::from_millis(us.div_ceil(1000) as u64))
        };
        listed.filter_map(of).max().unwrap_or_default().max(Duration::from_millis(1))
    }

    /// From the start of the oldest listed segment to the end of the newest.
    fn depth(&self) -> Duration {
        let (Some(first), Some(last)) = (self.listed().next(), self.periods.back()) else {
            return Duration::ZERO;
        };
        let run = self.periods.iter().find(|run| run.id == first.period).unwrap_or(last);
        last.at(last.end).saturating_sub(run.at(first.start))
    }

    /// How long caches may keep a file: names may be used again by a server that was started anew.
    fn age(&self) -> Duration {
        (self.settings.target * self.settings.listed as u32).max(Duration::from_secs(1))
    }
}

impl Run {
    /// A time of the stream on the presentation's timeline.
    fn at(&self, time: Time) -> Duration {
        self.start + (time - self.origin).duration()
    }
}

impl Kept {
    fn paths(&self) -> impl Iterator<Item = String> + '_ {
        self.files.iter().map(|file| file.file.path.clone())
    }
}

/// When the track of a segment plays, in its ticks. Goes on from `end` where it does so within [`SEAM`].
fn span(segment: &Segment, spec: &TrackSpec, end: Option<u64>) -> Option<Span> {
    let (scale, track) = (spec.timescale, spec.track());
    let (first, last) = (segment.chunks(track).next()?, segment.chunks(track).last()?);
    let (mut start, stop) = (ticks(first.start, scale), ticks(last.end(), scale));
    if let Some(end) = end
        && (start < end || start - end <= ticks(SEAM, scale))
    {
        start = end;
    }
    Some(Span { start, duration: stop.saturating_sub(start).max(1) })
}

fn content(spec: &TrackSpec, frame_rate: Option<(u32, u32)>) -> Content {
    match spec.track() {
        Track::Video => {
            let size = (spec.width > 0 && spec.height > 0).then_some((spec.width, spec.height));
            Content::Video { size, frame_rate }
        }
        _ => Content::Audio { sampling_rate: spec.timescale, channels: spec.channels },
    }
}

/// Pictures a second, as the segment has them.
fn frame_rate(segment: &Segment) -> Option<(u32, u32)> {
    let (mut samples, mut lasts) = (0, Time::ZERO);
    for chunk in segment.chunks(Track::Video) {
        samples += chunk.chunk.samples();
        lasts += chunk.duration;
    }
    let rate = samples as f64 / lasts.seconds();
    if !(rate.is_finite() && rate >= 0.5) {
        return None;
    }
    let value = |(numerator, denominator): (u32, u32)| f64::from(numerator) / f64::from(denominator);
    let distance = |known: (u32, u32)| (value(known) - rate).abs();
    let nearest = FRAME_RATES.into_iter().min_by(|a, b| distance(*a).total_cmp(&distance(*b)));
    let exact = nearest.filter(|known| distance(*known) <= value(*known) * 0.005);
    Some(exact.unwrap_or(((rate.round() as u32).max(1), 1)))
}

fn bit_rate(bytes: u64, ticks: u64, timescale: u32) -> u64 {
    let rate = u128::from(bytes) * 8 * u128::from(timescale) / u128::from(ticks.max(1));
    u64::try_from(rate).unwrap_or(u64::MAX)
}

fn ticks(time: Time, timescale: u32) -> u64 {
    u64::try_from(time.ticks(timescale)).unwrap_or_default()
}

/// `video-init.mp4`, then `video-init-1.mp4`.
fn init_name(label: &str, number: u64) -> String {
    if number == 0 { format!("{label}-init.mp4") } else { format!("{label}-init-{number}.mp4") }
}

fn label(track: Track) -> &'static str {
    if track == Track::Video { "video" } else { "audio" }
}

fn content_type(track: Track) -> &'static str {
    if track == Track::Video { "video/mp4" } else { "audio/mp4" }
}

/// `xs:dateTime`, to the millisecond.
pub(crate) fn date(at: SystemTime) -> String {
    DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn whole_ms(at: SystemTime) -> SystemTime {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
