//! A publisher's clock put on the stream's: every frame passes here before it is kept or sent.
//!
//! The stream's times go on when a publisher returns, whatever the rule ([`Times`]) but `Absolute`. With `Corrected`
//! - a clock that wraps (31 or 32 bits of milliseconds, 33 bits of 90 kHz) goes on;
//! - a leap becomes the step that was due. Each track is shifted by an offset of its own; a track that leaps takes the
//!   offset of the other one where that fits, so that sound and picture stay as far apart as the source had them,
//!   whichever of them leaps first;
//! - a small step back is lifted: decoding times of a track never decrease.
//!
//! Gaps up to the limit are real time and stay, so variable frame rates are left alone. Drift is told, not corrected:
//! which of two clocks is wrong cannot be known here.
//!
//! Times in, times out: no clock is read (arrival times come with the frames), nothing is allocated.

#[cfg(test)]
mod tests;

use headwater_media::{Frame, Kind, Time, Track};

/// Distance put between the last frame of one publisher and the first of the next.
const REPUBLISH_GAP: Time = Time::from_millis(40);

/// A step forward that is this much longer than the time that passed meanwhile is a leap. Shorter ones happen: lost
/// connections, still pictures, publishers that buffer.
const LEAP: Time = Time::from_millis(10_000);

/// A step back beyond this is a leap, since lifting would squeeze as much media into no time. Shorter ones come from
/// encoders that send presentation times as decoding times (16 pictures at most: 0.67 s at 24 frames a second).
const BACK: Time = Time::from_millis(1000);

/// A step forward beyond this is looked at twice.
const NEAR: Time = Time::from_millis(1000);

/// How far a lifted frame stands after the one before it: the least that FLV and RTMP can tell.
const LIFT: Time = Time::from_millis(1);

/// The step that is due when none was seen yet.
const STEP: Time = Time::from_millis(33);

/// Where clocks wrap: 31 and 32 bits of milliseconds (RTMP, FLV), 33 bits of 90 kHz (MPEG-TS).
const WRAPS: [Time; 3] =
    [Time::from_millis(1 << 31), Time::from_millis(1 << 32), Time::from_ticks(1 << 33, 90_000)];

/// What is done about a publisher's times (`time_jitter`, `atc`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// Leaps, wraps and steps back are corrected.
    #[default]
    Corrected,
    /// The first publisher's first frame is at zero; nothing else is done.
    FromZero,
    /// They stay, but go on increasing when a publisher returns.
    AsPublished,
    /// They stay, whatever happens.
    Absolute,
}

/// What was done about the times of a stream since it began, and how they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimelineReport {
    /// Leaps that became the step that was due. One that both tracks make counts once.
    pub leaps: u64,
    /// Frames that were lifted, so that decoding times do not decrease.
    pub steps_back: u64,
    /// Times that the publisher's clock wrapped.
    pub wraps: u64,
    /// Frames put before others that had arrived earlier (`mix_correct`).
    pub reordered: u64,
    /// The furthest that one correction moved a frame; wraps do not count.
    pub largest: Time,
    /// The newest audio minus the newest video decoding time; none without both.
    pub av_offset: Option<Time>,
    /// How much further the stream's time went than the clock on the wall, since the publisher's first frame.
    pub drift: Option<Time>,
}

/// The state of a stream's timeline.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    times: Times,
    absolute_now: bool,
    /// Of sound and of pictures; see [`Side`].
    clocks: [Clock; 2],
    /// The shift of the frame placed last; none before a publisher's first.
    offset: Option<Time>,
    newest: Option<Time>,
    /// When the latest frame arrived.
    arrived: Time,
    /// Place and arrival of the publisher's first frame.
    start: Option<(Time, Time)>,
    /// The newest of the publisher's own times since its latest leap.
    source: Option<Time>,
    report: TimelineReport,
}

/// The clock of one track.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// From the publisher's time to the stream's; none before the publisher's first frame on this track.
    offset: Option<Time>,
    /// The offset before the latest leap: a clock that leaps back lands there.
    before: Option<Time>,
    /// Latest decoding time on the stream's timeline. It outlives the publisher.
    last: Option<Time>,
    arrived: Time,
    /// The latest regular step.
    step: Option<Time>,
}

/// Which of the clocks a track has.
#[derive(Clone, Copy)]
struct Side {
    own: usize,
    other: usize,
}

impl Side {
    const AUDIO: Side = Side { own: 0, other: 1 };
    const VIDEO: Side = Side { own: 1, other: 0 };
}

impl Timeline {
    pub(crate) fn new(times: Times) -> Timeline {
        Timeline { times, ..Timeline::default() }
    }

    /// A publisher arrives, with a clock of its own.
    pub(crate) fn begin(&mut self) {
        let kept = self.clocks.map(|clock| Clock { last: clock.last, ..Clock::default() });
        *self = Timeline {
            times: self.times,
            clocks: kept,
            newest: self.newest,
            report: self.report,
            ..Timeline::default()
        };
    }

    /// The publisher said that its times are absolute; void once media came (`atc_auto`).
    pub(crate) fn keep_absolute(&mut self) {
        self.absolute_now = self.offset.is_none();
    }

    /// What was done so far, and how the times stand.
    pub(crate) fn report(&self) -> TimelineReport {
        let [audio, video] = &self.clocks;
        let last = |clock: &Clock| clock.offset.and(clock.last);
        let passed = |(at, arrival)| self.newest.map(|newest| newest - at - (self.arrived - arrival));
        TimelineReport {
            av_offset: last(audio).zip(last(video)).map(|(audio, video)| audio - video),
            drift: self.start.and_then(passed),
            ..self.report
        }
    }

    /// Moves a frame to its place on the stream's timeline. `arrival` is when it came, on a clock that never goes back.
    pub(crate) fn place(&mut self, frame: &mut Frame, arrival: Time) {
        let side = match (frame.track, frame.kind) {
            (Track::Script, _) | (_, Kind::Config | Kind::Script) => return self.place_aside(frame),
            (Track::Audio, _) => Side::AUDIO,
            (Track::Video, _) => Side::VIDEO,
        };
        self.count_round(frame.dts);
        let offset = match (self.rule(), self.clocks[side.own].offset) {
            (Times::Corrected, Some(offset)) => self.follow(side, offset, frame.dts, arrival),
            (Times::Corrected, None) => self.enter(side, frame.dts, arrival),
            (Times::Absolute, _) => Time::ZERO,
            _ => self.offset.unwrap_or_else(|| self.first_offset(frame.dts)),
        };
        frame.dts += offset;
        frame.pts += offset;
        self.lift(side, frame);
        self.remember(side, frame.dts, offset, arrival);
    }

    fn rule(&self) -> Times {
        if self.absolute_now { Times::Absolute } else { self.times }
    }

    /// Configurations and scripts: encoders stamp them with anything, often 0. They stand beside the media and move
    /// no clock.
    fn place_aside(&mut self, frame: &mut Frame) {
        if self.rule() == Times::Absolute {
            return;
        }
        let own = match frame.track {
            Track::Audio => self.clocks[Side::AUDIO.own].last,
            Track::Video => self.clocks[Side::VIDEO.own].last,
            Track::Script => None,
        };
        let at = match (self.offset, own.or(self.newest)) {
            (Some(offset), Some(near)) => {
                let at = frame.dts + offset;
                let fits = (Time::ZERO..=LEAP).contains(&(at - near));
                if fits || self.rule() != Times::Corrected { at } else { near }
            }
            (_, None) if self.rule() == Times::FromZero => Time::ZERO,
            (None, Some(_)) => self.newest.unwrap_or_default(),
            (_, None) => return,
        };
        frame.pts = at + frame.composition();
        frame.dts = at;
    }

    /// The shift of a publisher's first frame.
    fn first_offset(&self, source: Time) -> Time {
        match (self.newest, self.rule()) {
            (Some(newest), _) => newest + REPUBLISH_GAP - source,
            (None, Times::FromZero) => Time::ZERO - source,
            (None, _) => Time::ZERO,
        }
    }

    /// The shift of a track's first frame: the other track's, where it is anywhere near.
    fn enter(&mut self, side: Side, source: Time, arrival: Time) -> Time {
        let Some(other) = self.clocks[side.other].offset else { return self.first_offset(source) };
        let newest = self.newest.unwrap_or_default();
        let distance = source + other - newest;
        if distance <= LEAP + (arrival - self.arrived) && distance >= Time::ZERO - LEAP {
            return self.adopt(side, other, source);
        }
        self.report.leaps += 1;
        self.note(distance);
        newest - source
    }

    /// The shift of a track's next frame: as before, unless the clock leapt.
    fn follow(&mut self, side: Side, own: Time, source: Time, arrival: Time) -> Time {
        let clock = &self.clocks[side.own];
        let last = clock.last.unwrap_or_default();
        let forward = source + own - last;
        if (Time::ZERO - BACK..=NEAR).contains(&forward) {
            return own;
        }
        let ahead = source + own - self.newest.unwrap_or(last);
        let real = forward > Time::ZERO && (forward <= LEAP + (arrival - clock.arrived) || ahead <= LEAP);
        let due = last + clock.step.unwrap_or(STEP);
        let reach = if real { NEAR } else { LEAP };
        match self.clocks[side.other].offset {
            Some(other) if other != own && size(source + other - due) <= reach => {
                self.clocks[side.own].before = Some(own);
                self.adopt(side, other, source)
            }
            _ if real => own,
            _ => self.leap(side, own, source, forward, due),
        }
    }

    /// Takes the other track's shift. Where that would be a step back, both go on by as much: sound and picture stay
    /// together.
    fn adopt(&mut self, side: Side, other: Time, source: Time) -> Time {
        let Some(last) = self.clocks[side.own].last.filter(|last| source + other < *last) else {
            return other;
        };
        let offset = last + LIFT - source;
        self.note(offset - other);
        self.clocks[side.other].offset = Some(offset);
        offset
    }

    /// The shift after a leap: the clock wrapped, is back where it was before the latest leap, or runs on from `due`.
    fn leap(&mut self, side: Side, own: Time, source: Time, forward: Time, due: Time) -> Time {
        let clock = &mut self.clocks[side.own];
        let before = clock.before.replace(own);
        if let Some(wrap) = WRAPS.into_iter().find(|wrap| size(forward + *wrap) <= LEAP) {
            self.report.wraps += 1;
            return own + wrap;
        }
        let back = before.filter(|before| size(source + *before - due) <= NEAR);
        let offset = back.unwrap_or(due - source);
        self.report.leaps += 1;
        self.note(offset - own);
        offset
    }

    /// Keeps decoding times from decreasing. Presentation times stay where they can: a picture is not shown before it
    /// is decoded.
    fn lift(&mut self, side: Side, frame: &mut Frame) {
        let floor = match (self.rule(), self.clocks[side.own].last) {
            (Times::Corrected, Some(last)) if frame.dts < last => last + LIFT,
            (Times::FromZero, None) if frame.dts < Time::ZERO => Time::ZERO,
            _ => return,
        };
        self.report.steps_back += 1;
        self.note(floor - frame.dts);
        frame.dts = floor;
        frame.pts = frame.pts.max(floor);
    }

    fn remember(&mut self, side: Side, at: Time, offset: Time, arrival: Time) {
        let clock = &mut self.clocks[side.own];
        if clock.offset == Some(offset) {
            let step = clock.last.map(|last| at - last);
            clock.step = step.filter(|step| (LIFT..=NEAR).contains(step)).or(clock.step);
        }
        clock.offset = Some(offset);
        clock.last = Some(at);
        clock.arrived = arrival;
        self.offset = Some(offset);
        self.newest = Some(self.newest.map_or(at, |newest| newest.max(at)));
        self.arrived = arrival;
        self.start.get_or_insert((at, arrival));
    }

    /// Counts wraps of a 32-bit millisecond clock; gateways have undone them already.
    fn count_round(&mut self, source: Time) {
        let round = |time: Time| time.millis() >> 32;
        let newest = self.source.filter(|newest| size(source - *newest) <= LEAP);
        self.report.wraps += u64::from(newest.is_some_and(|newest| round(newest) < round(source)));
        self.source = Some(newest.map_or(source, |newest| newest.max(source)));
    }

    fn note(&mut self, moved: Time) {
        self.report.largest = self.report.largest.max(size(moved));
    }
}

/// A distance without its direction.
fn size(distance: Time) -> Time {
    distance.max(Time::ZERO - distance)
}
