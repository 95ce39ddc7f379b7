//! Frames to items: which tracks there are, and where chunks end. Pure: the wall clock is given.

use crate::item::{Item, TrackChunk, TrackSet};
use headwater_media::codec::opus;
use headwater_media::{Codec, Frame, Kind, Time, Track};
use headwater_mp4::{Chunk, Fragmenter, Mp4Error, TrackSpec};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long after its first frame a stream's second track is waited for.
const SETTLE: Time = Time::from_millis(350);

/// Frames that wait with it; beyond it the package begins with what there is.
const SETTLE_FRAMES: usize = 512;

/// Frames of sound that are kept until the first picture; those within [`SETTLE`] before it are used.
const SOUND_MAX: usize = 64;

/// A timestamp this far from the newest one, either way, is a leap of the publisher's clock: no chunk spans it.
const LEAP: Time = Time::from_millis(10_000);

/// Pictures that stay away so long are given up until a key frame comes; the sound goes on alone.
const VIDEO_PATIENCE: Time = Time::from_millis(5_000);

/// Time going back by less is interleaving of a new start; by more, the timeline is moved on.
const OVERLAP: Time = Time::from_millis(1_000);

/// Put between the end of the timeline and what follows when it is moved on.
const GAP: Time = Time::from_millis(40);

/// How far timestamps in milliseconds may be off.
const ROUNDING: Time = Time::from_millis(1);

/// Sound that waits for the pictures' next cut is cut at this.
const AUDIO_WAIT: Time = Time::from_millis(1_000);

/// How far from its timestamps' distance the wall clock may be before it is read anew.
const DRIFT: Duration = Duration::from_millis(500);

/// A segment that goes on for so long is ended at any frame: a minute.
pub const SEGMENT_MAX: Time = Time::from_millis(60_000);

/// A segment of so many bytes is ended at any frame: 64 MiB.
pub const SEGMENT_BYTES_MAX: usize = 64 << 20;

/// Beyond any time of a stream.
const END: Time = Time::from_micros(i64::MAX);

/// How long parts and low-latency segments are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Longest part; one is at least 85 % of it, so it is longer where single frames are.
    pub part: Time,
    /// A segment ends at the next key frame from here on.
    pub segment: Time,
}

impl Default for Lengths {
    /// Parts of 365 ms, segments of 2 s.
    ///
    /// 365 ms takes 85 to 100 % in whole frames of 12, 15, 20, 24, 25, 30, 50 and 60 pictures a second, and in frames of
    /// AAC and Opus; a third of a second is between them at all of these, so that groups of pictures of whole seconds
    /// come out even.
    fn default() -> Lengths {
        Lengths { part: Time::from_millis(365), segment: Time::from_millis(2000) }
    }
}

/// Makes items of one publish.
#[derive(Debug)]
pub(crate) struct Cutter {
    lengths: Lengths,
    video: Lane,
    audio: Lane,
    /// Frames that came before it was clear which tracks there are; `None` once it is.
    early: Option<Vec<(Frame, SystemTime)>>,
    open: Option<Open>,
    /// Sound that came before the pictures, at most [`SOUND_MAX`] frames.
    sound: VecDeque<Frame>,
    generation: u64,
    /// Added to the stream's times.
    shift: Time,
    /// End of the package's timeline.
    newest: Time,
    /// When pictures were last seen, or first awaited.
    pictures: Option<Time>,
}

/// What is known of a track.
#[derive(Debug, Default)]
struct Lane {
    spec: Option<TrackSpec>,
    /// Why it cannot be carried.
    refused: Option<Mp4Error>,
}

impl Cutter {
    pub(crate) fn new(lengths: Lengths) -> Cutter {
        Cutter {
            lengths,
            video: Lane::default(),
            audio: Lane::default(),
            early: Some(Vec::new()),
            open: None,
            sound: VecDeque::new(),
            generation: 0,
            shift: Time::ZERO,
            newest: Time::ZERO,
            pictures: None,
        }
    }

    /// Takes a frame that came at `now`; adds the items that are complete.
    pub(crate) fn push(&mut self, frame: &Frame, now: SystemTime, out: &mut Vec<Item>) {
        match (frame.track, frame.kind) {
            (Track::Script, _) => {}
            (_, Kind::Config) => self.lane(frame.track).configure(frame),
            _ => match &mut self.early {
                Some(early) => {
                    early.push((frame.clone(), now));
                    self.lane(frame.track).learn(frame);
                    self.settle_if_known(out);
                }
                None => self.media(frame, now, out),
            },
        }
    }

    /// Frames were lost: the next chunk is a new start.
    pub(crate) fn lost(&mut self, out: &mut Vec<Item>) {
        self.settle(out);
        self.close(out);
    }

    /// The publisher left.
    pub(crate) fn finish(&mut self, out: &mut Vec<Item>) {
        self.lost(out);
        out.push(Item::Ended);
    }

    /// Why a track is left out, told once.
    pub(crate) fn take_refusal(&mut self) -> Option<Mp4Error> {
        self.video.refused.take().or_else(|| self.audio.refused.take())
    }

    fn lane(&mut self, track: Track) -> &mut Lane {
        if track == Track::Video { &mut self.video } else { &mut self.audio }
    }

    fn settle_if_known(&mut self, out: &mut Vec<Item>) {
        let Some(early) = &self.early else { return };
        let both = self.video.spec.is_some() && self.audio.spec.is_some();
        let times = || early.iter().map(|(frame, _)| frame.dts);
        let waited = times().max().zip(times().min()).map_or(Time::ZERO, |(last, first)| last - first);
        if both || waited >= SETTLE || early.len() >= SETTLE_FRAMES {
            self.settle(out);
        }
    }

    /// It is clear which tracks there are.
    fn settle(&mut self, out: &mut Vec<Item>) {
        for (frame, now) in self.early.take().unwrap_or_default() {
            self.media(&frame, now, out);
        }
    }

    fn media(&mut self, frame: &Frame, now: SystemTime, out: &mut Vec<Item>) {
        self.lane(frame.track).learn(frame);
        if self.lane(frame.track).spec.is_none() {
            return;
        }
        let mut placed = self.placed(frame);
        let video_overdue = self.watch_pictures(&placed);
        if self.leaps(&placed) || (video_overdue && self.has_open_video()) {
            self.close(out);
        }
        let begins = self.opens(&placed, video_overdue);
        if begins {
            self.close(out);
            self.renew(&mut placed, now, out);
        }
        let fits =
            |open: &&mut Open| open.set.track(frame.track) == spec_of(&self.video, &self.audio, frame.track);
        if let Some(open) = self.open.as_mut().filter(fits) {
            self.newest = self.newest.max(placed.dts);
            open.take(&placed, now, self.lengths, out);
        } else if self.open.is_none() && frame.track == Track::Audio {
            self.hear(frame);
        }
        if begins {
            self.catch_up(&placed, now, out);
        }
    }

    /// Keeps sound that comes before the first picture.
    fn hear(&mut self, frame: &Frame) {
        self.sound.push_back(frame.clone());
        if self.sound.len() > SOUND_MAX {
            self.sound.pop_front();
        }
    }

    /// Takes what was heard shortly before `first`, the first frame of a set.
    fn catch_up(&mut self, first: &Frame, now: SystemTime, out: &mut Vec<Item>) {
        for frame in std::mem::take(&mut self.sound) {
            let at = frame.dts + self.shift;
            if at >= Time::ZERO && at < first.dts && first.dts - at <= SETTLE {
                self.media(&frame, now, out);
            }
        }
    }

    fn placed(&self, frame: &Frame) -> Frame {
        Frame { dts: frame.dts + self.shift, pts: frame.pts + self.shift, ..frame.clone() }
    }

    /// Whether pictures have stayed away for too long.
    fn watch_pictures(&mut self, frame: &Frame) -> bool {
        if frame.track == Track::Video {
            self.pictures = Some(frame.dts);
        }
        let since = *self.pictures.get_or_insert(frame.dts);
        frame.dts - since > VIDEO_PATIENCE
    }

    fn has_open_video(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.set.video.is_some())
    }

    fn leaps(&self, frame: &Frame) -> bool {
        let far = frame.dts - self.newest > LEAP || self.newest - frame.dts > LEAP;
        far && self.open.is_some()
    }

    /// Whether `frame` begins another set of tracks.
    fn opens(&self, frame: &Frame, video_overdue: bool) -> bool {
        let (video, audio) = (self.video.spec.as_ref(), self.audio.spec.as_ref());
        match (&self.open, frame.track) {
            (None, Track::Video) => frame.kind == Kind::Key,
            (None, _) => video.is_none() || video_overdue,
            (Some(open), Track::Video) => {
                let changed = open.set.video.as_ref() != video || open.set.audio.as_ref() != audio;
                frame.kind == Kind::Key && changed
            }
            (Some(open), _) => open.set.video.is_none() && open.set.audio.as_ref() != audio,
        }
    }

    /// Begins a set of tracks with `frame`.
    fn renew(&mut self, frame: &mut Frame, now: SystemTime, out: &mut Vec<Item>) {
        let back = self.newest - frame.dts;
        if back > OVERLAP || frame.dts < Time::ZERO {
            let step = if self.generation == 0 { Time::ZERO - frame.dts } else { back + GAP };
            self.shift += step;
            frame.dts += step;
            frame.pts += step;
            self.pictures = Some(frame.dts);
        }
        let video = self.video.spec.clone().filter(|_| frame.track == Track::Video);
        let set = Arc::new(TrackSet::new(video, self.audio.spec.clone(), self.generation));
        self.generation += 1;
        self.newest = frame.dts;
        out.push(Item::Tracks(set.clone()));
        self.open = Some(Open::new(set, frame.dts, now, self.lengths.segment));
    }

    fn close(&mut self, out: &mut Vec<Item>) {
        if let Some(open) = self.open.take() {
            open.finish(out);
        }
    }
}

fn spec_of<'a>(video: &'a Lane, audio: &'a Lane, track: Track) -> Option<&'a TrackSpec> {
    if track == Track::Video { video.spec.as_ref() } else { audio.spec.as_ref() }
}

impl Lane {
    fn configure(&mut self, frame: &Frame) {
        let known = |spec: &TrackSpec| spec.codec == frame.codec && spec.config == frame.payload;
        if !self.spec.as_ref().is_some_and(known) {
            self.set(TrackSpec::from_frame(frame));
        }
    }

    /// Codecs that need no configuration are known by their frames, VP9's size by its key frames.
    fn learn(&mut self, frame: &Frame) {
        match self.spec.take_if(|spec| spec.codec == frame.codec) {
            Some(spec) if frame.codec == Codec::Vp9 && frame.kind == Kind::Key => {
                self.spec = Some(spec.sized_by(frame));
            }
            Some(spec) => self.spec = Some(spec),
            None if frame.codec == Codec::Opus => self.set(TrackSpec::from_frame(&opus_config(frame))),
            None if frame.kind == Kind::Key && !frame.codec.needs_config() => {
                self.set(TrackSpec::from_frame(frame));
            }
            None => self.spec = None,
        }
    }

    fn set(&mut self, spec: Result<TrackSpec, Mp4Error>) {
        match spec {
            Ok(spec) => self.spec = Some(spec),
            Err(error) => {
                self.spec = None;
                self.refused.get_or_insert(error);
            }
        }
    }
}

/// The configuration of Opus that came without one; the first byte of a packet tells the channels (RFC 6716 3.1).
fn opus_config(frame: &Frame) -> Frame {
    let stereo = frame.payload.first().is_none_or(|toc| toc & 0x04 != 0);
    let payload = opus::Config::plain(if stereo { 2 } else { 1 }).write();
    Frame { kind: Kind::Config, payload, ..frame.clone() }
}

/// Chunks of one set of tracks.
#[derive(Debug)]
struct Open {
    set: Arc<TrackSet>,
    fragmenter: Fragmenter,
    lead: Track,
    /// Decoding time of the leading track's newest frame.
    newest: Option<Time>,
    /// Where the part and the segment began.
    part: Time,
    segment: Time,
    segment_bytes: usize,
    /// How long the segment is going to be, going by the one before.
    plan: Time,
    /// Parts of the segment so far.
    parts: i64,
    /// Where sound that waits begins.
    audio: Option<Time>,
    /// A time of the stream and the wall clock then.
    clock: (Time, SystemTime),
    /// Tracks that have a chunk.
    begun: Vec<Track>,
}

fn half(time: Time) -> Time {
    Time::from_micros(time.micros() / 2)
}

/// What ends with a chunk.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    key: bool,
    part: bool,
    segment: bool,
}

impl Open {
    fn new(set: Arc<TrackSet>, at: Time, now: SystemTime, plan: Time) -> Open {
        Open {
            fragmenter: Fragmenter::with_ids(&set.numbered(), Time::ZERO),
            lead: set.lead(),
            set,
            newest: None,
            part: at,
            segment: at,
            segment_bytes: 0,
            plan,
            parts: 0,
            audio: None,
            clock: (at, now),
            begun: Vec::new(),
        }
    }

    fn take(&mut self, frame: &Frame, now: SystemTime, lengths: Lengths, out: &mut Vec<Item>) {
        if self.fragmenter.push(frame).is_err() {
            return; // more than a chunk may hold, or times beyond its fields: the frame is lost, the stream goes on
        }
        self.segment_bytes += frame.payload.len();
        if frame.track != self.lead {
            return self.side(frame.dts, out);
        }
        let at = self.newest.map_or(frame.dts, |newest| newest.max(frame.dts));
        let ends = self.newest.map(|newest| self.ends(frame, at, at - newest, lengths));
        self.newest = Some(at);
        if let Some(ends) = ends.filter(|ends| ends.part || (ends.key && self.lead == Track::Video)) {
            self.cut(at, ends, out);
            self.begin_next(at, now, ends, frame.payload.len());
        }
    }

    /// Sound that waits too long for the pictures' next cut is cut by itself.
    fn side(&mut self, at: Time, out: &mut Vec<Item>) {
        let since = *self.audio.get_or_insert(at);
        if at - since >= AUDIO_WAIT {
            self.audio = None;
            let chunk = self.fragmenter.track_chunk(Track::Audio, END);
            self.emit(Track::Audio, chunk, Ends::default(), out);
        }
    }

    /// What ends at `at`, where `frame` begins. `last` is how long the frame before it lasted, and probably this one.
    fn ends(&self, frame: &Frame, at: Time, last: Time, lengths: Lengths) -> Ends {
        let (part, segment) = (at - self.part, at - self.segment);
        let worth = part.micros() >= lengths.part.micros() / 100 * 85;
        let even = self.even(lengths.part, last).is_some_and(|boundary| at + half(last) >= boundary);
        let full = worth && (even || part + last + ROUNDING > lengths.part);
        let key = frame.kind == Kind::Key;
        let due = key && segment >= lengths.segment && (full || self.lead == Track::Video);
        let too_much = segment >= SEGMENT_MAX || self.segment_bytes >= SEGMENT_BYTES_MAX;
        Ends { key, part: full || due || too_much, segment: due || too_much }
    }

    /// Where the part would end if the segment came out as planned and its parts were of one length. A last part that
    /// is much shorter than the others is passed over by players that look for their place by a quarter of a second.
    fn even(&self, longest: Time, last: Time) -> Option<Time> {
        let (plan, longest) = (self.plan.micros(), longest.micros().max(1));
        let mut count = (plan + longest - 1) / longest;
        let spills = plan / count.max(1) + half(last).micros() > longest;
        if spills && plan / (count + 1) * 100 >= longest * 85 {
            count += 1;
        }
        let next = self.parts + 1;
        (next < count).then(|| self.segment + Time::from_micros(plan / count * next))
    }

    fn cut(&mut self, at: Time, ends: Ends, out: &mut Vec<Item>) {
        if self.lead == Track::Video {
            self.audio = None;
            let sound = self.fragmenter.track_chunk(Track::Audio, at);
            self.emit(Track::Audio, sound, Ends::default(), out);
        }
        let leading = self.fragmenter.track_chunk(self.lead, END);
        self.emit(self.lead, leading, ends, out);
    }

    fn begin_next(&mut self, at: Time, now: SystemTime, ends: Ends, bytes: usize) {
        if ends.part {
            self.part = at;
            self.parts += 1;
            let off = self.wall(at);
            let off = now.duration_since(off).or_else(|_| off.duration_since(now)).unwrap_or_default();
            if off > DRIFT {
                self.clock = (at, now);
            }
        }
        if ends.segment {
            self.plan = at - self.segment;
            self.parts = 0;
            self.segment = at;
            self.segment_bytes = bytes;
        }
    }

    fn finish(mut self, out: &mut Vec<Item>) {
        self.fragmenter.close();
        let all = Ends { key: true, part: true, segment: true };
        self.cut(END, all, out);
    }

    fn emit(&mut self, track: Track, chunk: Option<Chunk>, ends: Ends, out: &mut Vec<Item>) {
        let Some(chunk) = chunk else { return };
        let first = !self.begun.contains(&track);
        if first {
            self.begun.push(track);
        }
        out.push(Item::Chunk(Arc::new(TrackChunk {
            track,
            independent: chunk.independent || track == Track::Audio,
            start: chunk.start,
            duration: chunk.duration,
            wall: self.wall(chunk.start),
            discontinuity: first && self.set.generation > 0,
            before_key: ends.key,
            ends_part: ends.part,
            ends_segment: ends.segment,
            chunk,
        })));
    }

    fn wall(&self, at: Time) -> SystemTime {
        let (known, wall) = self.clock;
        let later = wall.checked_add((at - known).duration());
        later.and_then(|wall| wall.checked_sub((known - at).duration())).unwrap_or(wall)
    }
}
