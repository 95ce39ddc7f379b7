//! Bytes over time: totals and the average rate of the last half minute.

use std::time::{Duration, Instant};

/// How often a sample is taken.
pub(crate) const SAMPLE_EVERY: Duration = Duration::from_secs(3);

/// Samples kept: eleven span ten intervals, half a minute.
const SAMPLES: usize = 11;

/// Below this span a rate says more about luck than about the stream.
const SPAN_MIN: Duration = Duration::from_secs(1);

/// Bytes in both directions, seen from the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes received from clients.
    pub received: u64,
    /// Bytes sent to clients.
    pub sent: u64,
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, other: Traffic) {
        self.received = self.received.saturating_add(other.received);
        self.sent = self.sent.saturating_add(other.sent);
    }
}

/// Average rate over the last 30 seconds, or since the beginning if that is less, in kbit/s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Received.
    pub received_kbps: u64,
    /// Sent.
    pub sent_kbps: u64,
}

/// The last samples of a total; a ring.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    samples: [(Instant, Traffic); SAMPLES],
    newest: usize,
    filled: usize,
}

impl Window {
    /// A window that begins at `now` with nothing transferred.
    pub(crate) fn new(now: Instant) -> Window {
        Window { samples: [(now, Traffic::default()); SAMPLES], newest: 0, filled: 1 }
    }

    /// Adds a sample; the oldest one goes when the window is full.
    pub(crate) fn add(&mut self, now: Instant, total: Traffic) {
        self.newest = (self.newest + 1) % SAMPLES;
        self.filled = (self.filled + 1).min(SAMPLES);
        if let Some(slot) = self.samples.get_mut(self.newest) {
            *slot = (now, total);
        }
    }

    /// The rate between the oldest and the newest sample.
    pub(crate) fn rate(&self) -> Rate {
        let oldest = (self.newest + SAMPLES + 1 - self.filled) % SAMPLES;
        let (Some((from, before)), Some((to, after))) =
            (self.samples.get(oldest), self.samples.get(self.newest))
        else {
            return Rate::default();
        };
        let span = to.saturating_duration_since(*from);
        Rate {
            received_kbps: kbps(after.received.saturating_sub(before.received), span),
            sent_kbps: kbps(after.sent.saturating_sub(before.sent), span),
        }
    }
}

fn kbps(bytes: u64, span: Duration) -> u64 {
    if span < SPAN_MIN {
        return 0;
    }
    let kbps = u128::from(bytes) * 8 / span.as_millis();
    u64::try_from(kbps).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` every 3 s for `ticks` samples and tells the rate.
    fn after(ticks: u32, bytes: u64) -> Rate {
        let start = Instant::now();
        let mut window = Window::new(start);
        for tick in 1..=ticks {
            let total = Traffic { received: bytes * u64::from(tick), sent: 0 };
            window.add(start + SAMPLE_EVERY * tick, total);
        }
        window.rate()
    }

    #[test]
    fn a_steady_rate_is_told_from_the_first_sample_on() {
        assert_eq!(after(0, 3000), Rate::default());
        // 3000 bytes in 3 s are 8 kbit/s, after one sample and after a hundred.
        assert_eq!(after(1, 3000).received_kbps, 8);
        assert_eq!(after(10, 3000).received_kbps, 8);
        assert_eq!(after(100, 3000).received_kbps, 8);
    }

    #[test]
    fn what_is_older_than_half_a_minute_is_forgotten() {
        let start = Instant::now();
        let mut window = Window::new(start);
        let burst = Traffic { received: 0, sent: 300_000 };
        for tick in 1..=11 {
            window.add(start + SAMPLE_EVERY * tick, burst);
            let expected = if tick <= 10 { 300_000 * 8 / (3000 * u64::from(tick)) } else { 0 };
            assert_eq!(window.rate().sent_kbps, expected, "after {tick} samples");
        }
    }

    #[test]
    fn a_moment_has_no_rate() {
        let start = Instant::now();
        let mut window = Window::new(start);
        window.add(start + Duration::from_millis(5), Traffic { received: 1_000_000, sent: 1_000_000 });
        assert_eq!(window.rate(), Rate::default());
    }

    #[test]
    fn a_total_that_shrinks_gives_zero() {
        let start = Instant::now();
        let mut window = Window::new(start);
        window.add(start + SAMPLE_EVERY, Traffic { received: 9, sent: 9 });
        (2..20).for_each(|n| window.add(start + SAMPLE_EVERY * n, Traffic::default()));
        assert_eq!(window.rate(), Rate::default());
    }
}
