//! What to ask for again: packets of one source that are missing (generic NACK, RFC 4585 6.2.1).

use std::time::{Duration, Instant};

/// How long a gap may be mere reordering.
const SETTLE: Duration = Duration::from_millis(5);

/// How long a packet is of use: as long as whoever puts pictures together waits for it.
const USEFUL: Duration = Duration::from_millis(400);

/// How often a packet is asked for.
const ASKS_MAX: u8 = 8;

/// Most packets that are asked for at once. More are given up: a key frame costs less.
const LOST_MAX: usize = 400;

/// Bounds of the time between two asks, and what it is before a round trip was seen.
const AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(150));
const AGAIN_FIRST: Duration = Duration::from_millis(80);

/// Added to a round trip, for what its end waits.
const SLACK: Duration = Duration::from_millis(10);

/// What a packet's coming tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// As expected, or late by itself.
    Plain,
    /// After it was asked for.
    Asked,
    /// So much is missing before it that nothing of that is asked for.
    Hopeless,
}

/// The packets of a source that are missing.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    /// The newest number, with wraps above it.
    newest: Option<u64>,
    /// In order of their numbers.
    lost: Vec<Lost>,
    due: Option<Instant>,
    rtt: Option<Duration>,
}

#[derive(Debug)]
struct Lost {
    number: u64,
    since: Instant,
    /// When it is to be asked for next.
    next: Instant,
    /// When it was asked for last, and how often.
    asked: Instant,
    asks: u8,
}

impl Missing {
    /// A packet came; `again` when it says of itself that it was sent again.
    pub(crate) fn came(&mut self, now: Instant, sequence: u16, again: bool) -> Came {
        let Some(newest) = self.newest else {
            // One cycle up, so that numbers before it are numbers too.
            self.newest = Some(1 << 16 | u64::from(sequence)).filter(|_| !again);
            return Came::Plain;
        };
        let ahead = i64::from(sequence.wrapping_sub(newest as u16) as i16);
        let number = newest.saturating_add_signed(ahead);
        let Ok(gap) = usize::try_from(ahead - 1) else { return self.late(now, number) };
        if again && gap > LOST_MAX {
            return Came::Plain; // of another time
        }
        self.newest = Some(number);
        if gap + self.lost.len() > LOST_MAX {
            self.lost.clear();
            self.due = None;
            return Came::Hopeless;
        }
        if gap > 0 {
            let next = now + SETTLE;
            let lost = |number| Lost { number, since: now, next, asked: now, asks: 0 };
            self.lost.extend((newest + 1..number).map(lost));
            self.due = Some(self.due.map_or(next, |due| due.min(next)));
        }
        Came::Plain
    }

    fn late(&mut self, now: Instant, number: u64) -> Came {
        let Ok(at) = self.lost.binary_search_by_key(&number, |lost| lost.number) else { return Came::Plain };
        let lost = self.lost.remove(at);
        if self.lost.is_empty() {
            self.due = None;
        }
        if lost.asks == 1 {
            let sample = now.saturating_duration_since(lost.asked);
            self.rtt = Some(self.rtt.map_or(sample, |rtt| (7 * rtt + sample) / 8));
        }
        if lost.asks > 0 { Came::Asked } else { Came::Plain }
    }

    /// When something is to be asked for.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// From asking for a packet to its coming.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// Appends what to ask for now.
    pub(crate) fn ask(&mut self, now: Instant, out: &mut Vec<u16>) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        let again = self.rtt.map_or(AGAIN_FIRST, |rtt| (rtt + SLACK).clamp(AGAIN.0, AGAIN.1));
        self.lost.retain_mut(|lost| {
            if lost.next > now {
                return true;
            }
            if lost.asks >= ASKS_MAX || now.saturating_duration_since(lost.since) >= USEFUL {
                return false;
            }
            out.push(lost.number as u16); // its low half
            (lost.asked, lost.asks, lost.next) = (now, lost.asks + 1, now + again);
            true
        });
        self.due = self.lost.iter().map(|lost| lost.next).min();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Test {
        start: Instant,
        missing: Missing,
    }

    impl Test {
        fn new() -> Test {
            Test { start: Instant::now(), missing: Missing::default() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn came(&mut self, ms: u64, numbers: &[u16]) -> Came {
            let now = self.at(ms);
            numbers.iter().map(|&number| self.missing.came(now, number, false)).last().unwrap()
        }

        fn asked(&mut self, ms: u64) -> Vec<u16> {
            let mut out = Vec::new();
            self.missing.ask(self.at(ms), &mut out);
            out
        }
    }

    #[test]
    fn neighbours_that_change_places_are_not_asked_for() {
        let mut test = Test::new();
        test.came(0, &[65_534, 0, 65_535, 2, 1]);
        assert!(test.asked(100).is_empty() && test.missing.due().is_none());
    }

    #[test]
    fn a_gap_is_asked_for_until_it_comes() {
        let mut test = Test::new();
        test.came(0, &[65_534, 1]);
        assert_eq!(test.missing.due(), Some(test.at(5)));
        assert!(test.asked(4).is_empty());
        assert_eq!(test.asked(5), [65_535, 0]);
        assert!(test.asked(84).is_empty());
        assert_eq!(test.came(45, &[65_535]), Came::Asked);
        assert_eq!(test.missing.rtt(), Some(Duration::from_millis(40)));
        assert_eq!(test.asked(85), [0]);
        assert!(test.asked(134).is_empty());
        assert_eq!(test.asked(135), [0], "a round trip and some");
        assert_eq!(test.came(140, &[0]), Came::Asked);
        assert!(test.missing.due().is_none());
    }

    #[test]
    fn nothing_is_asked_for_when_it_is_of_no_use() {
        let mut test = Test::new();
        test.came(0, &[10, 12]);
        let asked: Vec<u64> = (0..2000).filter(|&ms| !test.asked(ms).is_empty()).collect();
        assert_eq!(asked, [5, 85, 165, 245, 325]);
        assert!(test.missing.due().is_none() && test.missing.lost.is_empty());
    }

    #[test]
    fn large_gaps_are_hopeless() {
        let mut test = Test::new();
        test.came(0, &[10]);
        assert_eq!(test.came(0, &[411]), Came::Plain, "400 are missing");
        assert_eq!(test.came(0, &[413]), Came::Hopeless, "401");
        assert!(test.asked(100).is_empty());
        assert_eq!(test.came(0, &[30_000]), Came::Hopeless, "numbers that begin anew");
        assert_eq!(test.came(0, &[30_001]), Came::Plain);
        test.came(100, &[30_003]);
        assert_eq!(test.asked(105), [30_002]);
    }

    #[test]
    fn what_is_sent_again_unasked_harms_nothing() {
        let mut test = Test::new();
        let now = test.start;
        assert_eq!(test.missing.came(now, 50, true), Came::Plain);
        test.came(0, &[10, 11]);
        assert_eq!(test.missing.came(now, 9, true), Came::Plain);
        assert_eq!(test.missing.came(now, 20_000, true), Came::Plain);
        assert_eq!(test.came(0, &[12]), Came::Plain);
        assert_eq!(test.missing.came(now, 13, true), Came::Plain, "the last one was lost");
        test.came(0, &[14]);
        assert!(test.asked(100).is_empty());
    }

    proptest! {
        #[test]
        fn it_stays_bounded(steps in prop::collection::vec((any::<u16>(), 0u64..50, any::<bool>()), 0..300)) {
            let mut test = Test::new();
            let mut now = 0;
            for (sequence, wait, again) in steps {
                now += wait;
                let at = test.at(now);
                test.missing.came(at, if wait % 3 == 0 { sequence } else { sequence % 500 }, again);
                prop_assert!(test.missing.lost.len() <= LOST_MAX);
                prop_assert!(test.missing.lost.is_sorted_by_key(|lost| lost.number));
                prop_assert!(test.missing.due.is_some() || test.missing.lost.is_empty());
                let asked = test.asked(now);
                prop_assert!(asked.len() <= LOST_MAX);
            }
        }
    }
}
