use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A point (or a distance) on a stream's timeline, in microseconds.
///
/// Signed and 64 bits wide: it does not wrap (292,000 years). Millisecond, 48 kHz and 90 kHz clocks survive a
/// round trip through it, because one microsecond is less than half a tick of each.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The start of the timeline, and the empty distance.
    pub const ZERO: Time = Time(0);

    /// From microseconds.
    pub const fn from_micros(us: i64) -> Time {
        Time(us)
    }

    /// From milliseconds, the clock of RTMP and FLV.
    pub const fn from_millis(ms: i64) -> Time {
        Time(ms.saturating_mul(1000))
    }

    /// From ticks of a clock of `rate` Hz, rounded to the nearest microsecond. `rate` 0 counts as 1.
    pub const fn from_ticks(ticks: i64, rate: u32) -> Time {
        let rate = if rate == 0 { 1 } else { rate as i128 };
        let scaled = ticks as i128 * 1_000_000;
        Time(((scaled + rate / 2 * scaled.signum()) / rate) as i64)
    }

    /// Microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Ticks of a clock of `rate` Hz, rounded to the nearest.
    pub const fn ticks(self, rate: u32) -> i64 {
        let scaled = self.0 as i128 * rate as i128;
        ((scaled + 500_000 * scaled.signum()) / 1_000_000) as i64
    }

    /// Seconds, for display and playlists.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The distance as a [`std::time::Duration`]; a negative one is zero.
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0.max(0) as u64)
    }
}

impl From<std::time::Duration> for Time {
    fn from(d: std::time::Duration) -> Time {
        Time(i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
    }
}

impl Add for Time {
    type Output = Time;
    fn add(self, other: Time) -> Time {
        Time(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Time {
    fn add_assign(&mut self, other: Time) {
        *self = *self + other;
    }
}

impl Sub for Time {
    type Output = Time;
    fn sub(self, other: Time) -> Time {
        Time(self.0.saturating_sub(other.0))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn clocks_survive_a_round_trip(ticks in -(1i64 << 40)..(1i64 << 40), rate in prop::sample::select(vec![1000u32, 48_000, 90_000])) {
            prop_assert_eq!(Time::from_ticks(ticks, rate).ticks(rate), ticks);
        }
    }

    #[test]
    fn millis_round_down() {
        assert_eq!(Time::from_micros(-1).millis(), -1);
        assert_eq!(Time::from_micros(1999).millis(), 1);
    }
}
