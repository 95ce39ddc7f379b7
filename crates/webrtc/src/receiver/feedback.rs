//! Which packets arrived when: transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01), by which a
//! publisher estimates what the way here carries.

use headwater_rtp::Sequence;
use headwater_rtp::rtcp::TransportFeedback;
use std::time::{Duration, Instant};

/// How long arrivals are gathered: what browsers do themselves.
const INTERVAL: Duration = Duration::from_millis(100);

/// Arrivals that make feedback due at once.
const MANY: usize = 512;

/// Most arrivals that wait to be told; more are not told.
const WAITING_MAX: usize = 4096;

/// Most arrivals in one packet: each takes at most 2 bytes, a chunk of 2 and another for a gap before it, so that all
/// fit in 1,100 bytes.
const TOLD_MAX: usize = 180;

/// Largest gap that is told. Numbers that jump further begin anew.
const GAP_MAX: u64 = 8192;

/// Microseconds of a step, and steps of a unit of the reference time (64 ms).
const STEP: u128 = 250;
const STEPS: i64 = 256;

/// Gathers arrivals until they are told.
#[derive(Debug)]
pub(crate) struct Arrivals {
    began: Instant,
    sequence: Sequence,
    /// The number after the last one told.
    next: Option<u64>,
    /// Numbers with the steps from the beginning to their arrival.
    waiting: Vec<(u64, i64)>,
    due: Option<Instant>,
    count: u8,
}

impl Arrivals {
    pub(crate) fn new(now: Instant) -> Arrivals {
        Arrivals {
            began: now,
            sequence: Sequence::default(),
            next: None,
            waiting: Vec::new(),
            due: None,
            count: 0,
        }
    }

    /// A packet came.
    pub(crate) fn came(&mut self, now: Instant, number: u16) {
        let number = self.sequence.extend(number);
        if self.waiting.len() < WAITING_MAX {
            let since = now.saturating_duration_since(self.began).as_micros();
            self.waiting.push((number, (since / STEP) as i64)); // fits for as long as anybody publishes
        }
        let due = if self.waiting.len() >= MANY { now } else { now + INTERVAL };
        self.due = Some(self.due.map_or(due, |known| known.min(due)));
    }

    /// When they are to be told.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be told now, from `sender` about packets among which are those of `media`.
    pub(crate) fn tell(
        &mut self,
        now: Instant,
        sender: u32,
        media: u32,
        mut each: impl FnMut(TransportFeedback),
    ) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        self.due = None;
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_unstable();
        waiting.dedup_by_key(|(number, _)| *number);
        let mut rest = waiting.as_slice();
        while let Some((base, told)) = self.portion(rest) {
            let (told, left) = rest.split_at(told);
            let feedback = TransportFeedback { sender, media, ..self.feedback(base, told) };
            self.count = self.count.wrapping_add(1);
            each(feedback);
            rest = left;
        }
        waiting.clear();
        self.waiting = waiting; // its room is used again
    }

    /// From which number on, and how many of the arrivals, one packet tells.
    ///
    /// Those that are later than others told before go by themselves, so that nothing is said of the others again.
    fn portion(&mut self, rest: &[(u64, i64)]) -> Option<(u64, usize)> {
        let &(first, mut time) = rest.first()?;
        let next = self.next.filter(|&next| first.saturating_sub(next) <= GAP_MAX).unwrap_or(first);
        let late = first < next;
        let mut told = 0;
        let mut last = first;
        for &(number, came) in rest.iter().take(TOLD_MAX) {
            let fits = i16::try_from(came - time).is_ok();
            let apart = if late { number > last + 1 || number >= next } else { number - last > GAP_MAX };
            if told > 0 && (!fits || apart) {
                break;
            }
            (last, time, told) = (number, came, told + 1);
        }
        if !late {
            self.next = Some(last + 1);
        }
        Some((if late { first } else { next }, told))
    }

    fn feedback(&self, base: u64, told: &[(u64, i64)]) -> TransportFeedback {
        let reference = told.first().map_or(0, |&(_, time)| time / STEPS);
        let mut time = reference * STEPS;
        let mut arrivals = Vec::with_capacity(2 * told.len());
        let mut next = base;
        for &(number, came) in told {
            let gap = number.saturating_sub(next).min(GAP_MAX) as usize;
            arrivals.resize(arrivals.len() + gap, None);
            arrivals.push(Some((came - time) as i32 * STEP as i32)); // at most 16 bits, as `portion` saw to
            (next, time) = (number + 1, came);
        }
        let reference = (reference as i32) << 8 >> 8; // 24 bits, which wrap after days
        TransportFeedback { sender: 0, media: 0, count: self.count, reference, base: base as u16, arrivals }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_rtp::rtcp::{Rtcp, parse};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// What a publisher learns, by number: microseconds since the beginning.
    fn learnt(feedback: &[TransportFeedback]) -> BTreeMap<u16, Option<i64>> {
        let mut known = BTreeMap::new();
        for packet in feedback {
            let mut bytes = Vec::new();
            Rtcp::TransportFeedback(packet.clone()).put(&mut bytes);
            assert!(bytes.len() <= 1100, "{} bytes", bytes.len());
            let read = parse(&bytes).next().unwrap().unwrap();
            assert_eq!(read, Rtcp::TransportFeedback(packet.clone()));
            let mut time = i64::from(packet.reference) * 64_000;
            for (n, arrival) in packet.arrivals.iter().enumerate() {
                let number = packet.base.wrapping_add(n as u16);
                if let Some(step) = arrival {
                    time += i64::from(*step);
                }
                let told = known.insert(number, arrival.map(|_| time));
                assert!(told.flatten().is_none(), "{number} came, and is spoken of again");
            }
        }
        known
    }

    fn told(arrivals: &mut Arrivals, now: Instant) -> Vec<TransportFeedback> {
        let mut all = Vec::new();
        arrivals.tell(now, 1, 2, |feedback| all.push(feedback));
        all
    }

    #[test]
    fn gaps_wraps_and_late_ones() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut arrivals = Arrivals::new(start);
        for (ms, number) in [(10, 65_534u16), (12, 0), (11, 1), (300, 5)] {
            arrivals.came(at(ms), number);
        }
        assert_eq!(arrivals.due(), Some(at(110)));
        assert!(told(&mut arrivals, at(109)).is_empty());
        let mut all = told(&mut arrivals, at(300));
        arrivals.came(at(310), 65_535);
        arrivals.came(at(311), 2);
        arrivals.came(at(312), 8);
        all.extend(told(&mut arrivals, at(420)));
        let expected = [
            (0, Some(12_000)),
            (1, Some(11_000)),
            (2, Some(311_000)),
            (3, None),
            (4, None),
            (5, Some(300_000)),
            (6, None),
            (7, None),
            (8, Some(312_000)),
            (65_534, Some(10_000)),
            (65_535, Some(310_000)),
        ];
        assert_eq!(learnt(&all), BTreeMap::from(expected));
        assert_eq!(all.iter().map(|packet| packet.count).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(arrivals.due().is_none());
    }

    #[test]
    fn many_are_told_at_once_in_several_packets() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        (0..10_000).for_each(|number| arrivals.came(start, number));
        assert_eq!((arrivals.due(), arrivals.waiting.len()), (Some(start), WAITING_MAX));
        assert_eq!(learnt(&told(&mut arrivals, start)).len(), WAITING_MAX);
    }

    #[test]
    fn long_silence_begins_a_packet_of_its_own() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        arrivals.came(start, 1);
        arrivals.came(start + Duration::from_secs(10), 2);
        arrivals.came(start + Duration::from_secs(10), 20_000);
        let all = told(&mut arrivals, start + Duration::from_secs(11));
        let expected = [(1, Some(0)), (2, Some(10_000_000)), (20_000, Some(10_000_000))];
        assert_eq!(learnt(&all), BTreeMap::from(expected));
        assert_eq!(all.len(), 3);
    }

    proptest! {
        #[test]
        fn every_arrival_is_told_once(
            packets in prop::collection::vec((0u64..40_000, 0u16..9, prop::bool::weighted(0.1)), 1..400),
            first: u16,
        ) {
            let start = Instant::now();
            let mut arrivals = Arrivals::new(start);
            let (mut now, mut number) = (start, first);
            let (mut came, mut all) = (BTreeMap::new(), Vec::new());
            for (wait, ahead, late) in packets {
                now += Duration::from_micros(wait);
                number = number.wrapping_add(ahead);
                let own = if late { number.wrapping_sub(3) } else { number };
                let time = (now - start).as_micros() as i64 / 250 * 250;
                if !came.contains_key(&own) && own.wrapping_sub(first) < 0x8000 {
                    came.insert(own, time);
                    arrivals.came(now, own);
                }
                all.extend(told(&mut arrivals, now));
            }
            all.extend(told(&mut arrivals, now + INTERVAL));
            let learnt = learnt(&all).into_iter().filter_map(|(number, time)| Some((number, time?)));
            prop_assert_eq!(learnt.collect::<BTreeMap<_, _>>(), came);
        }
    }
}
