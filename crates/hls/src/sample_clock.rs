//! Audio times by counting samples (`hls_dts_directly off`): free of the millisecond noise of FLV's timestamps.

use headwater_media::Time;
use headwater_media::codec::aac::FRAME_SAMPLES;

/// How far the count may be off the publisher's clock before it starts anew: lost frames, a leap.
const OFF_MAX: Time = Time::from_millis(100);

/// Counts the samples of one AAC track.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SampleClock {
    rate: u32,
    start: Time,
    samples: i64,
}

impl SampleClock {
    /// A new configuration: sampling rate of the core in Hz.
    pub(crate) fn set_rate(&mut self, rate: u32) {
        *self = SampleClock { rate, ..SampleClock::default() };
    }

    /// The time of the next frame, which the publisher says is at `at`.
    pub(crate) fn place(&mut self, at: Time) -> Time {
        if self.rate == 0 {
            return at;
        }
        let due = self.start + Time::from_ticks(self.samples, self.rate);
        if self.samples == 0 || due - at > OFF_MAX || at - due > OFF_MAX {
            (self.start, self.samples) = (at, 0);
        }
        let due = self.start + Time::from_ticks(self.samples, self.rate);
        self.samples += i64::from(FRAME_SAMPLES);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_smoothed_and_leaps_are_followed() {
        let mut clock = SampleClock::default();
        clock.set_rate(48_000);
        let times: Vec<i64> =
            [0, 21, 43, 64, 85].map(|ms| clock.place(Time::from_millis(ms)).micros()).into();
        assert_eq!(times, [0, 21_333, 42_667, 64_000, 85_333]);
        assert_eq!(clock.place(Time::from_millis(5000)), Time::from_millis(5000));
        assert_eq!(clock.place(Time::from_millis(5021)).micros(), 5_021_333);
    }
}
