//! How fast a viewer's packets leave, so that its path is not flooded.

use std::time::{Duration, Instant};

/// Bytes a second while the path is not known to be narrow: 40 Mb/s. It doubles with each second that a viewer is
/// behind, so that no stream is too big for it.
const PACE: u64 = 5_000_000;

/// Most times that it doubles.
const DOUBLED_MAX: u64 = 16;

/// On a narrow path, packets leave at this share of what it is thought to carry, in hundredths: more, since it may
/// carry more than was tried, and little more, since of a key frame what does not fit waits in the path's queue, and
/// is lost where that is full.
const NARROW: u64 = 110;

/// The same while the path has a queue that is to drain, since sound waits in it too.
const DRAINING: u64 = 50;

/// What may leave at once is as much as leaves in this time: 130 KB, so that a newcomer's key frame need not wait.
const AT_ONCE: Duration = Duration::from_millis(26);

/// Bytes that a packet counts for at least while the path is not narrow: the buffers on the way, the viewer's own socket
/// among them, hold so many packets, however small.
const PACKET: usize = 1250;

/// Least and most time between two looks at what waits: the path may have become wider meanwhile.
const REST: Duration = Duration::from_millis(2);
const REST_MAX: Duration = Duration::from_millis(50);

/// What may leave now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// Bytes; below zero after a frame that was bigger.
    allowed: i64,
    /// When these were counted.
    counted: Option<Instant>,
    /// Since when the viewer has not had all there is.
    behind: Option<Instant>,
    /// Bytes a second on a narrow path.
    narrow: Option<u64>,
}

impl Pace {
    /// What the path carries, in bits a second, where that is too little for the stream; and whether it has a queue that
    /// is to drain.
    pub(crate) fn follow(&mut self, narrow: Option<u64>, drains: bool) {
        let share = if drains { DRAINING } else { NARROW };
        self.narrow = narrow.map(|bits| (bits * share / 800).max(1));
    }

    /// Whether the path is narrow.
    pub(crate) fn is_narrow(&self) -> bool {
        self.narrow.is_some()
    }

    /// The viewer had all there is.
    pub(crate) fn caught_up(&mut self) {
        self.behind = None;
    }

    /// A packet of so many bytes leaves.
    pub(crate) fn spend(&mut self, bytes: usize) {
        let bytes = if self.is_narrow() { bytes } else { bytes.max(PACKET) };
        self.allowed -= bytes as i64; // far below the range's end
    }

    /// Whether a picture has to stop in its midst: on a narrow path alone.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_narrow() && self.allowed <= 0
    }

    /// When more may leave, if not now.
    pub(crate) fn too_early(&mut self, now: Instant) -> Option<Instant> {
        let pace = self.narrow.unwrap_or(PACE);
        let late = self.behind.map_or(0, |since| now.saturating_duration_since(since).as_secs());
        let doubled = if self.is_narrow() { 0 } else { late.min(DOUBLED_MAX) };
        let most = earned(pace, AT_ONCE);
        let pace = pace << doubled;
        let since = self.counted.replace(now).map_or(AT_ONCE, |then| now.saturating_duration_since(then));
        self.allowed = (self.allowed + earned(pace, since)).min(most);
        let debt = 1 - self.allowed.min(1);
        if debt <= 0 {
            return None;
        }
        self.behind.get_or_insert(now);
        Some(now + Duration::from_micros(debt as u64 * 1_000_000 / pace).clamp(REST, REST_MAX))
    }
}

/// Bytes of a pace, in bytes a second, in some time: a second at most, so that what is owed stays small.
fn earned(pace: u64, time: Duration) -> i64 {
    (time.as_micros().min(1_000_000) as u64 * pace / 1_000_000) as i64 // far below the range's end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds that 100 packets of 1000 bytes take.
    fn took(mut pace: Pace) -> u128 {
        let begun = Instant::now();
        let mut now = begun;
        for _ in 0..100 {
            while let Some(moment) = pace.too_early(now) {
                now = moment;
            }
            pace.spend(1000);
        }
        now.duration_since(begun).as_millis()
    }

    #[test]
    fn a_narrow_path_is_not_flooded_and_a_wide_one_is_not_held_up() {
        let of = |narrow, drains| {
            let mut pace = Pace::default();
            pace.follow(narrow, drains);
            took(pace)
        };
        assert_eq!(of(None, false), 0);
        let [fast, slow] = [1_000_000, 100_000].map(|bits| of(Some(bits), false));
        assert!((680..720).contains(&fast), "{fast} ms at 1.1 Mb/s");
        assert!((7100..7500).contains(&slow), "{slow} ms at 110 kb/s");
        let drains = of(Some(1_000_000), true);
        assert!((1550..1650).contains(&drains), "{drains} ms at 0.5 Mb/s");
    }

    #[test]
    fn a_path_that_becomes_wider_is_used_at_once() {
        let (now, mut pace) = (Instant::now(), Pace::default());
        pace.follow(Some(100), false);
        pace.too_early(now);
        pace.spend(10_000);
        let look = pace.too_early(now).unwrap();
        assert!(look <= now + REST_MAX);
        pace.follow(None, false);
        assert_eq!(pace.too_early(look), None);
    }

    #[test]
    fn who_is_behind_on_a_wide_path_gets_ever_more() {
        let (begun, mut pace) = (Instant::now(), Pace::default());
        let mut now = begun;
        let mut second = |pace: &mut Pace| {
            let (end, mut bytes) = (now + Duration::from_secs(1), 0);
            while now < end {
                match pace.too_early(now) {
                    Some(moment) => now = moment,
                    None => {
                        pace.spend(50_000);
                        bytes += 50_000;
                    }
                }
            }
            bytes as u64
        };
        let seconds = [(); 3].map(|()| second(&mut pace) / PACE);
        assert_eq!(seconds, [1, 2, 4]);
        pace.caught_up();
        assert_eq!(second(&mut pace) / PACE, 1);
    }
}
