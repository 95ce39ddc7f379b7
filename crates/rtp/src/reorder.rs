//! Packets back in order, within a bound.

use crate::sequence::nearest;
use headwater_media::Time;
use std::collections::VecDeque;

/// Most sequence numbers the buffer ever spans, whatever [`Limits`] ask for: half of what 16 bits can tell apart.
const SPAN_MAX: usize = 1 << 15;

/// How long a gap is waited for. Whichever limit is reached first declares the gap lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sequence numbers from the oldest missing to the newest that came, at most; from 1 to 32,768.
    pub packets: usize,
    /// Time since the first packet after the gap came.
    pub wait: Time,
}

/// What became of a packet that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Kept until its turn.
    Kept,
    /// It was here before; dropped.
    Duplicate,
    /// Its place was already given up, or has passed; dropped.
    Late,
    /// So far from the others that it may be a stray. Dropped; if the next one follows it, the sender has started anew.
    Stray,
}

/// What comes out, in the order of sequence numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordered<T> {
    /// The next packet with its extended sequence number.
    Packet(u64, T),
    /// So many packets, from this extended number on, will not come any more.
    Lost(u64, u64),
}

/// A reorder buffer. `T` is what travels with a sequence number.
///
/// In-order packets pass through at once. A gap holds back what follows it until it is filled or [`Limits`] declare it
/// lost. At most twice [`Limits::packets`] slots are kept. A jump beyond them is either a stray packet or, when two in a
/// row agree, a sender that started anew: what is still held behind a gap is dropped and numbering goes on upwards.
#[derive(Clone, Debug)]
pub struct Reorder<T> {
    limits: Limits,
    /// Extended number of the first slot; `None` before the first packet.
    next: Option<u64>,
    /// From `next` on; the last one is always full, so that the length is the span.
    slots: VecDeque<Option<(Time, T)>>,
    /// A stray's successor.
    suspect: Option<u16>,
}

impl<T> Reorder<T> {
    /// An empty buffer.
    pub fn new(limits: Limits) -> Reorder<T> {
        let packets = limits.packets.clamp(1, SPAN_MAX);
        let limits = Limits { packets, ..limits };
        Reorder { limits, next: None, slots: VecDeque::new(), suspect: None }
    }

    /// Takes a packet that came at `now`. Call [`Reorder::pop`] until it has nothing, after each push.
    pub fn push(&mut self, now: Time, sequence: u16, packet: T) -> Pushed {
        let next = *self.next.get_or_insert(1 << 16 | u64::from(sequence));
        let extended = nearest(next, sequence);
        let reach = 2 * self.limits.packets as u64;
        let behind = next.saturating_sub(extended);
        let ahead = extended.saturating_sub(next);
        if behind > reach.min(SPAN_MAX as u64 / 2) || ahead >= reach.min(SPAN_MAX as u64) {
            return self.stray(now, sequence, packet);
        }
        self.suspect = None;
        if behind > 0 {
            return Pushed::Late;
        }
        self.keep(ahead as usize, now, packet)
    }

    fn keep(&mut self, at: usize, now: Time, packet: T) -> Pushed {
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || None);
        }
        match self.slots.get_mut(at) {
            Some(slot @ None) => {
                *slot = Some((now, packet));
                Pushed::Kept
            }
            _ => Pushed::Duplicate,
        }
    }

    fn stray(&mut self, now: Time, sequence: u16, packet: T) -> Pushed {
        if self.suspect.replace(sequence.wrapping_add(1)) != Some(sequence) {
            return Pushed::Stray;
        }
        self.suspect = None;
        // Upwards from what is held, to the first number with these low bits.
        let end = self.next.unwrap_or_default() + self.slots.len() as u64;
        self.next = Some(end + u64::from(sequence.wrapping_sub(end as u16)));
        self.slots.clear();
        self.keep(0, now, packet)
    }

    /// The next packet or loss, if its turn has come at `now`.
    pub fn pop(&mut self, now: Time) -> Option<Ordered<T>> {
        let next = self.next?;
        if let Some(Some(_)) = self.slots.front() {
            let (_, packet) = self.slots.pop_front()??;
            self.next = Some(next + 1);
            return Some(Ordered::Packet(next, packet));
        }
        let gap = self.slots.iter().position(Option::is_some)?;
        let waited_out = self.deadline().is_some_and(|deadline| now >= deadline);
        if !waited_out && self.slots.len() <= self.limits.packets {
            return None;
        }
        self.slots.drain(..gap);
        self.next = Some(next + gap as u64);
        Some(Ordered::Lost(next, gap as u64))
    }

    /// When the oldest gap will be declared lost; `None` without a gap. Call [`Reorder::pop`] again then.
    pub fn deadline(&self) -> Option<Time> {
        if matches!(self.slots.front(), None | Some(Some(_))) {
            return None;
        }
        let (came, _) = self.slots.iter().flatten().min_by_key(|(came, _)| *came)?;
        Some(*came + self.limits.wait)
    }

    /// Extended numbers that are missing now, oldest first: what to ask for with a NACK.
    pub fn missing(&self) -> impl Iterator<Item = u64> {
        let next = self.next.unwrap_or_default();
        let numbered = self.slots.iter().zip(next..);
        numbered.filter(|(slot, _)| slot.is_none()).map(|(_, number)| number)
    }

    /// Packets held back.
    pub fn held(&self) -> usize {
        self.slots.iter().flatten().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { packets: 8, wait: Time::from_millis(100) };

    fn drain(reorder: &mut Reorder<u16>, ms: i64) -> Vec<Ordered<u16>> {
        std::iter::from_fn(|| reorder.pop(Time::from_millis(ms))).collect()
    }

    fn packet(n: u16) -> Ordered<u16> {
        Ordered::Packet(1 << 16 | u64::from(n), n)
    }

    #[test]
    fn a_gap_is_waited_for_and_filled() {
        let mut reorder = Reorder::new(LIMITS);
        for n in [10, 12, 13] {
            assert_eq!(reorder.push(Time::ZERO, n, n), Pushed::Kept);
        }
        assert_eq!(drain(&mut reorder, 0), [packet(10)]);
        assert_eq!(reorder.missing().collect::<Vec<_>>(), [0x1_000b]);
        assert_eq!(reorder.push(Time::ZERO, 12, 12), Pushed::Duplicate);
        assert_eq!(reorder.push(Time::ZERO, 10, 10), Pushed::Late);
        reorder.push(Time::from_millis(5), 11, 11);
        assert_eq!(drain(&mut reorder, 5), [packet(11), packet(12), packet(13)]);
    }

    #[test]
    fn time_declares_a_gap_lost() {
        let mut reorder = Reorder::new(LIMITS);
        let pushed = [1, 4].map(|n| reorder.push(Time::from_millis(7), n, n));
        assert_eq!(pushed, [Pushed::Kept; 2]);
        assert_eq!(drain(&mut reorder, 106), [packet(1)]);
        assert_eq!(reorder.deadline(), Some(Time::from_millis(107)));
        assert_eq!(drain(&mut reorder, 107), [Ordered::Lost(0x1_0002, 2), packet(4)]);
        assert_eq!(reorder.push(Time::from_millis(108), 3, 3), Pushed::Late);
    }

    #[test]
    fn packets_declare_a_gap_lost() {
        let mut reorder = Reorder::new(LIMITS);
        reorder.push(Time::ZERO, 0, 0);
        drain(&mut reorder, 0);
        for n in 2..9 {
            reorder.push(Time::ZERO, n, n);
            assert_eq!(drain(&mut reorder, 0), []);
        }
        reorder.push(Time::ZERO, 9, 9);
        assert_eq!(drain(&mut reorder, 0)[..2], [Ordered::Lost(0x1_0001, 1), packet(2)]);
        assert_eq!(reorder.held(), 0);
    }

    #[test]
    fn a_stray_is_dropped_and_a_new_start_followed() {
        let mut reorder = Reorder::new(LIMITS);
        reorder.push(Time::ZERO, 100, 100);
        drain(&mut reorder, 0);
        assert_eq!(reorder.push(Time::ZERO, 5000, 5000), Pushed::Stray);
        assert_eq!(reorder.push(Time::ZERO, 101, 101), Pushed::Kept);
        assert_eq!(drain(&mut reorder, 0), [packet(101)]);
        assert_eq!(reorder.push(Time::ZERO, 50, 50), Pushed::Stray);
        assert_eq!(reorder.push(Time::ZERO, 51, 51), Pushed::Kept);
        assert_eq!(
            drain(&mut reorder, 0),
            [Ordered::Packet(0x2_0033, 51)],
            "upwards, with the same low bits"
        );
    }

    #[test]
    fn the_wrap_is_crossed() {
        let mut reorder = Reorder::new(LIMITS);
        let pushed = [0xffff, 1, 0].map(|n| reorder.push(Time::ZERO, n, n));
        assert_eq!(pushed, [Pushed::Kept; 3]);
        let out = drain(&mut reorder, 0);
        let expected = [(0x1_ffff, 0xffff), (0x2_0000, 0), (0x2_0001, 1)];
        assert_eq!(out, expected.map(|(extended, n)| Ordered::Packet(extended, n)));
    }

    proptest! {
        #[test]
        fn any_input_comes_out_in_order_and_bounded(
            numbers in prop::collection::vec(prop_oneof![0u16..60, 65_500u16..=65_535, any::<u16>()], 0..200),
        ) {
            let mut reorder = Reorder::new(LIMITS);
            let mut last = 0;
            for (at, n) in numbers.into_iter().enumerate() {
                let now = Time::from_millis(at as i64);
                reorder.push(now, n, n);
                while let Some(out) = reorder.pop(now) {
                    let (first, after) = match out {
                        Ordered::Packet(extended, n) => {
                            prop_assert_eq!(extended as u16, n);
                            (extended, extended + 1)
                        }
                        Ordered::Lost(from, count) => (from, from + count),
                    };
                    prop_assert!(first >= last && after > first);
                    last = after;
                }
                prop_assert!(reorder.held() <= LIMITS.packets);
            }
        }

        #[test]
        fn what_is_shuffled_within_the_bound_is_put_right(start: u16, turns in prop::collection::vec(0usize..4, 25)) {
            let numbers: Vec<u16> = (0..101u16).map(|n| start.wrapping_add(n)).collect();
            // A receiver cannot know what came before its first packet; that one stays.
            let mut sent = numbers.clone();
            for (group, turn) in sent[1..].chunks_mut(4).zip(turns) {
                group.rotate_left(turn);
            }
            let mut reorder = Reorder::new(LIMITS);
            let mut out = Vec::new();
            for n in sent {
                reorder.push(Time::ZERO, n, n);
                while let Some(Ordered::Packet(_, n)) = reorder.pop(Time::ZERO) {
                    out.push(n);
                }
            }
            prop_assert_eq!(out, numbers);
        }
    }
}
