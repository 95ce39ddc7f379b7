//! The moment of sending, written into a frame so that a player can tell how long it took.
//!
//! A mark is eight bytes of magic and ten of time. Every byte has its top bit set, so that no start code can come
//! about and containers that escape them (Annex B) carry it unchanged.

use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Length of a mark in bytes.
pub(crate) const LEN: usize = 18;

const MAGIC: [u8; 8] = [0xC8, 0xE5, 0xE1, 0xE4, 0xF7, 0xE1, 0xF4, 0xD2];
/// A mark stands near the start of its frame; further in is nobody's.
const SEARCHED: usize = 128;

/// The machine's monotonic clock, which all its processes share.
pub(crate) fn now() -> Duration {
    // the clock always exists on Linux; zero would only make a latency look absurd
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// The mark of a frame that is sent at `at`.
pub(crate) fn encode(at: Duration) -> [u8; LEN] {
    let mut mark = [0; LEN];
    let (magic, time) = mark.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    let nanos = at.as_nanos() as u64; // 584 years since boot fit
    for (i, byte) in time.iter_mut().enumerate() {
        *byte = 0x80 | (nanos >> (7 * i)) as u8;
    }
    mark
}

/// Where in `frame` a mark begins.
pub(crate) fn position(frame: &[u8]) -> Option<usize> {
    let searched = frame.get(..SEARCHED).unwrap_or(frame);
    searched.windows(MAGIC.len()).position(|window| window == MAGIC)
}

/// The sending time that `frame` was marked with.
pub(crate) fn decode(frame: &[u8]) -> Option<Duration> {
    let start = position(frame)? + MAGIC.len();
    let time = frame.get(start..start + LEN - MAGIC.len())?;
    let nanos = time.iter().rev().fold(0u64, |nanos, byte| (nanos << 7) | u64::from(byte & 0x7F));
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_time_survives(nanos: u64, before in 0usize..100) {
            let at = Duration::from_nanos(nanos);
            let mut frame = vec![0u8; before];
            frame.extend(encode(at));
            frame.extend([0; 9]);
            prop_assert_eq!(decode(&frame), Some(at));
            prop_assert!(encode(at).iter().all(|byte| byte & 0x80 != 0));
        }

        #[test]
        fn a_cut_mark_is_none(cut in 0usize..LEN) {
            prop_assert_eq!(decode(&encode(Duration::from_secs(1))[..cut]), None);
        }
    }

    #[test]
    fn the_clock_goes_forward() {
        let first = now();
        assert!(first > Duration::ZERO && now() >= first);
    }
}
