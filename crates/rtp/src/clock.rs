//! RTP timestamps of several sources on one timeline, and back.

use crate::sequence::Ticks;
use headwater_media::Time;

/// A timestamp that moves this much more or less than the arrival clock is a new start, not a wait.
const JUMP: i64 = 10_000_000;

/// A sender report that contradicts the timeline by more is not believed.
const BELIEVED: i64 = 5_000_000;

/// Corrections are at most this part of the time that passes: 5 %, which nobody hears or sees.
const SLEW: i64 = 20;

/// Microseconds since the epoch of NTP (1900) to the 32.32 fixed point of sender reports.
pub fn ntp_from_micros(micros: u64) -> u64 {
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    seconds << 32 | (rest << 32).div_ceil(1_000_000)
}

/// And back: at most 2^32 seconds.
fn micros_from_ntp(ntp: u64) -> i64 {
    let fraction = ((ntp & 0xffff_ffff) * 1_000_000) >> 32;
    ((ntp >> 32) * 1_000_000 + fraction) as i64
}

/// Puts the frames of all sources of one sender on one timeline, in step with each other.
///
/// - Before the first sender report of a source its first packet is at its arrival time; the ticks count from there.
/// - The first report of any source ties the sender's wall clock to the timeline as it is: nothing moves.
/// - Reports of the others say how far they are off. The error is slewed out: time passes up to 5 % faster or slower,
///   never backwards, until it is gone. 100 ms take two seconds. A source that has no frame yet starts exact.
/// - A report that is off by more than 5 seconds is not believed (cameras with one clock a track, clocks set while
///   running). If it is of the source that tied the clocks, they are tied anew as the timeline is.
/// - When timestamps jump by more than 10 seconds against the arrival clock, the source goes on at the arrival clock
///   and waits for its next report.
///
/// Timestamps are unwrapped; each must be within 2^31 ticks of the last (6 hours at 90 kHz).
#[derive(Clone, Debug, Default)]
pub struct Clock {
    tracks: Vec<Track>,
    /// The sender's wall clock minus the timeline, in microseconds, and the source that told.
    tie: Option<(i64, usize)>,
}

/// A source of a [`Clock`]: one SSRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(usize);

/// What a sender report did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// The source has no frame yet, or the clocks are tied only now.
    Noted,
    /// In step, but for this error, which is being slewed out.
    Slewing(Time),
    /// Off by this much: not believed.
    Refused(Time),
}

#[derive(Clone, Debug)]
struct Track {
    rate: u32,
    ticks: Ticks,
    /// These ticks are at this time.
    anchor: Option<(i64, Time)>,
    /// What is still to be added to the time, in microseconds.
    error: i64,
    /// The newest ticks, and when they came.
    newest: (i64, Time),
    /// The last report: wall clock in microseconds, ticks.
    report: Option<(i64, i64)>,
}

impl Track {
    fn time_at(&self, ticks: i64) -> Option<Time> {
        let (base, time) = self.anchor?;
        Some(time + Time::from_ticks(ticks - base, self.rate))
    }

    /// Lets as much of the error in as the time that passed allows.
    fn slew(&mut self, ticks: i64) {
        let passed = Time::from_ticks(ticks - self.newest.0, self.rate).micros().max(0);
        let step = self.error.clamp(-passed / SLEW, passed / SLEW);
        self.error -= step;
        if let Some((_, time)) = &mut self.anchor {
            *time += Time::from_micros(step);
        }
    }

    /// How much further the timestamps moved than the arrival clock, since the newest.
    fn jump(&self, ticks: i64, arrival: Time) -> i64 {
        let moved = Time::from_ticks(ticks - self.newest.0, self.rate);
        (moved - (arrival - self.newest.1)).micros()
    }
}

impl Clock {
    /// Without sources.
    pub fn new() -> Clock {
        Clock::default()
    }

    /// Adds a source whose timestamps count `rate` ticks a second.
    pub fn add(&mut self, rate: u32) -> Source {
        let newest = (0, Time::ZERO);
        self.tracks.push(Track {
            rate,
            ticks: Ticks::default(),
            anchor: None,
            error: 0,
            newest,
            report: None,
        });
        Source(self.tracks.len() - 1)
    }

    /// When a packet's frame is shown. `arrival` is the receiver's clock, the one the timeline starts from.
    ///
    /// Goes back where timestamps do (pictures in decoding order), else never. Zero for a source of another clock.
    pub fn time(&mut self, source: Source, timestamp: u32, arrival: Time) -> Time {
        let tie = self.tie;
        let Some(track) = self.tracks.get_mut(source.0) else { return Time::ZERO };
        let ticks = track.ticks.extend(timestamp);
        match track.time_at(track.newest.0) {
            None => {
                let told = track.report.zip(tie).map(|((wall, at), (tie, _))| {
                    Time::from_micros(wall - tie) + Time::from_ticks(ticks - at, track.rate)
                });
                let near = told.filter(|told| (*told - arrival).micros().abs() <= BELIEVED);
                track.anchor = Some((ticks, near.unwrap_or(arrival)));
                track.newest = (ticks, arrival);
            }
            Some(newest) if track.jump(ticks, arrival).abs() > JUMP => {
                let passed = (arrival - track.newest.1).duration().into();
                track.anchor = Some((ticks, newest + passed));
                track.newest = (ticks, arrival);
                track.error = 0;
                track.report = None;
            }
            Some(_) => track.slew(ticks),
        }
        if ticks >= track.newest.0 {
            track.newest = (ticks, arrival);
        }
        let time = track.time_at(ticks).unwrap_or(arrival);
        if self.tie.is_none() {
            self.settle(source.0);
        }
        time
    }

    /// A sender report of a source: its wall clock (NTP, 32.32) and the timestamp of the same moment (RFC 3550 6.4.1).
    ///
    /// An NTP time of zero says that the sender has no wall clock; it is ignored.
    pub fn report(&mut self, source: Source, ntp: u64, timestamp: u32) -> Synced {
        let Some(track) = self.tracks.get_mut(source.0) else { return Synced::Noted };
        if ntp == 0 {
            return Synced::Noted;
        }
        let ticks = match track.anchor {
            Some(_) => track.ticks.peek(timestamp),
            None => track.ticks.extend(timestamp),
        };
        track.report = Some((micros_from_ntp(ntp), ticks));
        self.settle(source.0)
    }

    /// Compares a source's last report with the timeline.
    fn settle(&mut self, source: usize) -> Synced {
        let Some(track) = self.tracks.get_mut(source) else { return Synced::Noted };
        let Some((wall, ticks)) = track.report else { return Synced::Noted };
        let Some(here) = track.time_at(ticks) else { return Synced::Noted };
        let Some((tie, tied_by)) = self.tie else {
            self.tie = Some((wall - here.micros(), source));
            return Synced::Noted;
        };
        let error = wall.saturating_sub(tie).saturating_sub(here.micros());
        if error.abs() <= BELIEVED {
            track.error = error;
            return Synced::Slewing(Time::from_micros(error));
        }
        if tied_by == source {
            self.tie = Some((wall - here.micros(), source));
            track.error = 0;
        }
        Synced::Refused(Time::from_micros(error))
    }
}

/// Times to RTP timestamps, on the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamper {
    /// Ticks a second.
    pub rate: u32,
    /// The timestamp of time zero; chosen at random (RFC 3550 5.1).
    pub offset: u32,
}

impl Stamper {
    /// The timestamp of a time; wraps after 2^32 ticks.
    pub fn timestamp(&self, time: Time) -> u32 {
        self.offset.wrapping_add(time.ticks(self.rate) as u32) // modulo 2^32 is what RTP wants
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ms(ms: i64) -> Time {
        Time::from_millis(ms)
    }

    /// The sender's wall clock at a number of milliseconds of its own.
    fn ntp(ms: i64) -> u64 {
        ntp_from_micros((3_900_000_000_000 + ms as u64) * 1000)
    }

    #[test]
    fn ntp_survives_a_round_trip() {
        for micros in [0, 1, 999_999, 1_000_000, 3_900_000_000_123_457] {
            assert_eq!(micros_from_ntp(ntp_from_micros(micros)), micros as i64);
        }
        assert_eq!(ntp_from_micros(1_500_000), 0x1_8000_0000);
    }

    #[test]
    fn before_a_report_arrival_counts() {
        let mut clock = Clock::new();
        let video = clock.add(90_000);
        assert_eq!(clock.time(video, 0xffff_ff00, ms(50)), ms(50));
        let wrapped = 0xffff_ff00u32.wrapping_add(3600);
        assert_eq!(clock.time(video, wrapped, ms(97)), ms(90), "the wrap is crossed, jitter is not followed");
    }

    /// Sound came 100 ms late: the reports say so, and it is put right without a leap.
    #[test]
    fn reports_bring_sources_in_step() {
        let mut clock = Clock::new();
        let (video, audio) = (clock.add(90_000), clock.add(48_000));
        let at = |n: i64| ((n * 1800) as u32, 9_000_000u32.wrapping_add((n * 960) as u32)); // every 20 ms
        let mut last = ms(99);
        for n in 0..200 {
            let (v, a) = at(n);
            assert_eq!(clock.time(video, v, ms(20 * n)), ms(20 * n));
            let heard = clock.time(audio, a, ms(20 * n + 100));
            assert!(heard > last && heard - last <= ms(21), "no leap at {n}: {last:?} {heard:?}");
            last = heard;
            match n {
                10 => assert_eq!(clock.report(video, ntp(20 * n), v), Synced::Noted),
                11 => assert_eq!(clock.report(audio, ntp(20 * n), a), Synced::Slewing(ms(-100))),
                199 => assert_eq!(heard, ms(20 * n)),
                _ => {}
            }
        }
    }

    #[test]
    fn a_report_before_the_first_frame_is_exact() {
        let mut clock = Clock::new();
        let (video, audio) = (clock.add(90_000), clock.add(48_000));
        assert_eq!(clock.report(audio, ntp(0), 48_000), Synced::Noted);
        clock.time(video, 0, ms(1000));
        assert_eq!(clock.report(video, ntp(0), 0), Synced::Noted);
        assert_eq!(clock.time(audio, 48_000 + 480, ms(1300)), ms(1010));
    }

    #[test]
    fn a_report_that_cannot_be_is_refused() {
        let mut clock = Clock::new();
        let (video, audio) = (clock.add(90_000), clock.add(8000));
        clock.time(video, 0, ms(0));
        clock.time(audio, 0, ms(0));
        clock.report(video, ntp(0), 0);
        assert_eq!(clock.report(audio, ntp(60_000), 0), Synced::Refused(ms(60_000)));
        assert_eq!(clock.time(audio, 160, ms(20)), ms(20));
        assert_eq!(clock.report(audio, 0, 0), Synced::Noted, "no wall clock");
        assert_eq!(clock.report(video, ntp(30_000), 0), Synced::Refused(ms(30_000)), "the clock was set");
        assert_eq!(clock.report(video, ntp(30_000), 0), Synced::Slewing(ms(0)), "and tied anew");
    }

    #[test]
    fn a_jump_goes_on_with_arrival() {
        let mut clock = Clock::new();
        let video = clock.add(90_000);
        clock.time(video, 0, ms(0));
        assert_eq!(clock.time(video, 0x4000_0000, ms(40)), ms(40));
        assert_eq!(clock.time(video, 0x4000_0000 + 900, ms(50)), ms(50));
        // A camera that was silent for a minute did not jump.
        assert_eq!(clock.time(video, 0x4000_0000 + 900 + 60 * 90_000, ms(60_050)), ms(60_050));
    }

    #[test]
    fn times_become_timestamps() {
        let stamper = Stamper { rate: 90_000, offset: 0xffff_ffff };
        assert_eq!(stamper.timestamp(ms(0)), 0xffff_ffff);
        assert_eq!(stamper.timestamp(ms(1)), 89);
        assert_eq!(stamper.timestamp(ms(-1)), 0xffff_ffff - 90);
    }

    proptest! {
        #[test]
        fn time_never_goes_back_where_timestamps_do_not(
            steps in prop::collection::vec((0u32..20_000, -200i64..200, prop::option::of((any::<u64>(), any::<u32>()))), 1..100),
        ) {
            let mut clock = Clock::new();
            let (one, other) = (clock.add(90_000), clock.add(48_000));
            let (mut ticks, mut last, mut now) = (0u32, None, 0i64);
            for (step, jitter, report) in steps {
                ticks = ticks.wrapping_add(step);
                now += i64::from(step) / 90;
                let time = clock.time(one, ticks, ms(now + jitter));
                prop_assert!(last <= Some(time));
                last = Some(time);
                clock.time(other, ticks, ms(now));
                if let Some((ntp, timestamp)) = report {
                    clock.report(if ntp % 2 == 0 { one } else { other }, ntp, timestamp);
                }
            }
        }
    }
}
