//! Where samples belong when the times of frames and the number of their samples disagree.
//!
//! Samples are counted; times are only looked at to see whether the count still holds. All in ticks of 48 kHz.

use crate::RATE;

/// Times that are this far from the count are a gap or a step, at once: 100 ms.
const STEP: i64 = 4800;

/// Gaps up to this are filled with silence, overlaps up to this are left out; beyond, the count starts anew: 1 s.
const FILL_MAX: i64 = 48_000;

/// A lasting difference beyond this is made good at once: 30 ms.
const LASTING: i64 = 1440;

/// A lasting difference beyond this is made good a sample a frame (0.1 % at most), which nobody hears: 2 ms.
const SLEW: i64 = 96;

/// Frames over which a difference is averaged, so that times rounded to milliseconds or sent in bunches do no harm.
const AVERAGED: i64 = 16;

/// Parts of a tick in which the average is kept.
const PARTS: i64 = 256;

/// What to do before a frame's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nothing.
    Here,
    /// Begin anew at this tick.
    Anew(i64),
    /// Put so many ticks of silence before it.
    After(i64),
    /// Leave out so many ticks of it (all of it, when it has fewer).
    Overlaps(i64),
    /// Put one sample in, somewhere.
    Longer,
    /// Take one sample out, somewhere.
    Shorter,
}

/// The count.
#[derive(Debug)]
pub(crate) struct Clock {
    start: i64,
    /// Samples since `start`, at `rate`.
    taken: u64,
    rate: u32,
    /// Average difference, times less count, in parts of a tick.
    average: i64,
}

impl Clock {
    /// Counts samples of `rate` Hz from the tick `start`.
    pub(crate) fn new(start: i64, rate: u32) -> Clock {
        Clock { start, taken: 0, rate, average: 0 }
    }

    /// The tick of the next sample.
    pub(crate) fn next(&self) -> i64 {
        let ticks = i128::from(self.taken) * i128::from(RATE) / i128::from(self.rate.max(1));
        self.start.saturating_add(ticks as i64)
    }

    /// Goes on with samples of another rate.
    pub(crate) fn change_rate(&mut self, rate: u32) {
        let average = self.average;
        *self = Clock { average, ..Clock::new(self.next(), rate) };
    }

    /// Counts `samples` as taken.
    pub(crate) fn take(&mut self, samples: usize) {
        self.taken += samples as u64;
    }

    /// What to do before the samples of a frame of tick `at`; done is assumed.
    pub(crate) fn place(&mut self, at: i64) -> Place {
        let off = at.saturating_sub(self.next());
        if !(-FILL_MAX..=FILL_MAX).contains(&off) {
            return Place::Anew(at);
        }
        if off.abs() > STEP {
            self.average = 0;
            return if off > 0 { Place::After(off) } else { Place::Overlaps(-off) };
        }
        self.average += (off * PARTS - self.average) / AVERAGED;
        let lasting = self.average / PARTS;
        if lasting.abs() > LASTING {
            self.average = 0;
            return if lasting > 0 { Place::After(lasting) } else { Place::Overlaps(-lasting) };
        }
        if lasting.abs() <= SLEW {
            return Place::Here;
        }
        self.start += lasting.signum();
        self.average -= lasting.signum() * PARTS;
        if lasting > 0 { Place::Longer } else { Place::Shorter }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of 1024 samples, their times from a clock that runs off by `ppm`, rounded to milliseconds.
    fn run(ppm: i64, frames: i64) -> (i64, u32) {
        let mut clock = Clock::new(0, RATE);
        let (mut worst, mut rough) = (0, 0);
        for i in 0..frames {
            let exact = i * 1024 * (1_000_000 + ppm) / 1_000_000;
            let at = exact / 48 * 48;
            match clock.place(at) {
                Place::Here | Place::Longer | Place::Shorter => {}
                _ => rough += 1,
            }
            worst = worst.max((clock.next() - exact).abs());
            clock.take(1024);
        }
        (worst, rough)
    }

    #[test]
    fn hours_of_a_clock_that_is_off_stay_within_5_ms() {
        for ppm in [-300, -50, 0, 50, 300] {
            let (worst, rough) = run(ppm, 3 * 3600 * 48_000 / 1024);
            assert!(worst < 240 && rough == 0, "{ppm} ppm: {worst} ticks off, {rough} jumps");
        }
    }

    #[test]
    fn gaps_are_filled_and_steps_are_taken() {
        let mut clock = Clock::new(0, 44_100);
        clock.take(441);
        assert_eq!(clock.next(), 480);
        assert_eq!(clock.place(480 + 4801), Place::After(4801));
        assert_eq!(clock.place(480 - 4801), Place::Overlaps(4801));
        assert_eq!(clock.place(480 + 48_001), Place::Anew(48_481));
        assert_eq!(clock.place(i64::MIN), Place::Anew(i64::MIN));
    }
}
