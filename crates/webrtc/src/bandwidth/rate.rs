//! Bits a second over the last half second.

/// Length of a slot, in microseconds.
const SLOT: i64 = 64_000;

/// Slots that count; the one that is being filled comes on top.
const SLOTS: usize = 8;

/// Slots that must have passed before anything is said.
const LEAST: i64 = 4;

/// Counts bytes by the moment at which they came or left.
#[derive(Clone, Debug, Default)]
pub(super) struct Rate {
    slots: [u32; SLOTS + 1],
    /// Number of the first slot and of the one that is being filled.
    span: Option<(i64, i64)>,
}

impl Rate {
    /// Counts bytes at a moment in microseconds; what is older than the slots is left out.
    pub(super) fn add(&mut self, at: i64, bytes: u32) {
        let slot = at.div_euclid(SLOT);
        let (first, newest) = self.span.unwrap_or((slot, slot));
        let newest = self.advance(newest, slot);
        self.span = Some((first.min(newest), newest));
        if newest - slot <= SLOTS as i64
            && let Some(counted) = self.slots.get_mut(place(slot))
        {
            *counted = counted.saturating_add(bytes);
        }
    }

    /// Empties the slots up to `slot`; the newest one there is then.
    fn advance(&mut self, newest: i64, slot: i64) -> i64 {
        for passed in (newest + 1..=slot).rev().take(SLOTS + 1) {
            if let Some(counted) = self.slots.get_mut(place(passed)) {
                *counted = 0;
            }
        }
        newest.max(slot)
    }

    /// What was counted, without the slot that is being filled; `None` in the first quarter of a second.
    pub(super) fn bits_per_second(&self) -> Option<f64> {
        let (bytes, slots, _) = self.counted()?;
        Some(bytes * 8e6 / (slots * SLOT) as f64)
    }

    /// The same without slots in which there was nothing: what gets through a path while it passes anything. `None`
    /// also after a pause that was longer than the slots.
    pub(super) fn while_busy(&self) -> Option<f64> {
        let (bytes, _, busy) = self.counted()?;
        (busy > 0).then(|| bytes * 8e6 / (busy * SLOT) as f64)
    }

    /// Bytes, slots, and those of them that are not empty.
    fn counted(&self) -> Option<(f64, i64, i64)> {
        let (first, newest) = self.span?;
        let passed = newest - first;
        if passed < LEAST {
            return None;
        }
        let slots = passed.min(SLOTS as i64);
        let counted = (newest - slots..newest).filter_map(|slot| self.slots.get(place(slot)));
        let add =
            |(bytes, busy), counted: &u32| (bytes + f64::from(*counted), busy + i64::from(*counted > 0));
        let (bytes, busy) = counted.fold((0.0, 0), add);
        Some((bytes, slots, busy))
    }
}

fn place(slot: i64) -> usize {
    slot.rem_euclid(SLOTS as i64 + 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(rate: &Rate, expected: f64) {
        let found = rate.bits_per_second().unwrap();
        assert!((found / expected - 1.0).abs() < 0.15, "{found} is not {expected}");
    }

    #[test]
    fn it_follows_within_half_a_second() {
        let mut rate = Rate::default();
        for ms in 0..200 {
            rate.add(ms * 1000, 125);
        }
        assert_eq!(rate.bits_per_second(), None, "too early");
        for ms in 200..1000 {
            rate.add(ms * 1000, 125);
        }
        near(&rate, 1e6);
        for ms in 1000..1700 {
            rate.add(ms * 1000, 250);
        }
        near(&rate, 2e6);
        rate.add(1_999_000, 1);
        near(&rate, 0.8e6);
        assert!(rate.while_busy().unwrap() > 1.7e6, "300 ms without anything do not count");
        rate.add(100_000_000, 1);
        assert_eq!(rate.bits_per_second(), Some(0.0), "a pause");
        assert_eq!(rate.while_busy(), None, "a pause");
        rate.add(0, 1000);
        assert_eq!(rate.bits_per_second(), Some(0.0), "what comes much too late is left out");
    }
}
