//! Counters that wrap, made to go on.

/// Extends 16-bit sequence numbers to 64 bits (RFC 3550 A.1): each is taken to be the one nearest to the last.
///
/// Starts one cycle up, so that packets from before the first one have a number too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequence {
    last: Option<u64>,
}

impl Sequence {
    /// The extended number; its low 16 bits are `sequence`.
    pub fn extend(&mut self, sequence: u16) -> u64 {
        let extended = match self.last {
            None => 1 << 16 | u64::from(sequence),
            Some(last) => nearest(last, sequence),
        };
        self.last = Some(self.last.unwrap_or_default().max(extended));
        extended
    }
}

/// The number nearest to `last` whose low 16 bits are `sequence`.
pub(crate) fn nearest(last: u64, sequence: u16) -> u64 {
    let ahead = sequence.wrapping_sub(last as u16) as i16;
    let found = last.wrapping_add_signed(ahead.into());
    if found > u64::MAX / 2 { found.wrapping_add(1 << 16) } else { found }
}

/// Extends 32-bit RTP timestamps in the same way. Signed: they may go back (pictures in decoding order).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ticks {
    last: Option<i64>,
}

impl Ticks {
    pub(crate) fn extend(&mut self, timestamp: u32) -> i64 {
        let extended = self.peek(timestamp);
        self.last = Some(extended);
        extended
    }

    /// Without taking it as the newest.
    pub(crate) fn peek(&self, timestamp: u32) -> i64 {
        let Some(last) = self.last else { return timestamp.into() };
        let ahead = timestamp.wrapping_sub(last as u32) as i32;
        last + i64::from(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wraps_go_on() {
        let mut sequence = Sequence::default();
        let extended = [0xfffe, 0xffff, 0, 0xfffd, 2].map(|n| sequence.extend(n));
        assert_eq!(extended, [0x1_fffe, 0x1_ffff, 0x2_0000, 0x1_fffd, 0x2_0002]);
    }

    #[test]
    fn timestamps_go_back_and_on() {
        let mut ticks = Ticks::default();
        let extended = [0xffff_fff0, 0x10, 0xffff_fff8].map(|n| ticks.extend(n));
        assert_eq!(extended, [0xffff_fff0, 0x1_0000_0010, 0xffff_fff8]);
    }

    proptest! {
        #[test]
        fn low_bits_stay(numbers in prop::collection::vec(any::<u16>(), 1..50)) {
            let mut sequence = Sequence::default();
            for n in numbers {
                prop_assert_eq!(sequence.extend(n) as u16, n);
            }
        }
    }
}
