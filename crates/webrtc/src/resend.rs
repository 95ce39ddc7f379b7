//! What a viewer may ask for again: where in the stream's log its newest packets are.

use crate::packetlog::Burst;
use crate::sender::Placed;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shortest time between two sendings of a packet, where the way is short: requests for it may be on their way.
const AGAIN_MIN: Duration = Duration::from_millis(20);

/// Share of what is sent that may be sent again: one part in this many, and [`BURST`]. More would make a full way
/// fuller.
const SHARE: u64 = 4;

/// Packets that may be sent again beyond the share.
const BURST: u64 = 128;

/// A packet that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) burst: Arc<Burst>,
    pub(crate) number: u64,
    pub(crate) index: u16,
    pub(crate) payload_type: u8,
    pub(crate) resend_type: Option<u8>,
    /// When it was sent again last.
    again: Option<Instant>,
}

/// The newest packets of a track, by number.
#[derive(Debug, Default)]
pub(crate) struct Resends {
    kept: Box<[Option<Kept>]>,
    /// Packets that may be sent again, in parts of [`SHARE`].
    allowed: u64,
}

impl Resends {
    /// Room for `count` packets, a power of two or 0.
    pub(crate) fn new(count: usize) -> Resends {
        let count = if count == 0 { 0 } else { count.next_power_of_two() };
        Resends { kept: vec![None; count].into(), allowed: BURST * SHARE }
    }

    /// Notes a packet that was sent; the oldest one is forgotten.
    pub(crate) fn sent(&mut self, packet: Placed<'_>) {
        let Placed { burst, index, payload_type, resend_type, number } = packet;
        self.allowed = (self.allowed + 1).min(BURST * SHARE);
        let Ok(index) = u16::try_from(index) else { return };
        let Some(place) = self.place(number as u16) else { return };
        *place = Some(Kept { burst: burst.clone(), number, index, payload_type, resend_type, again: None });
    }

    /// The packet that the viewer knows as `number`, if it may be sent again now.
    pub(crate) fn again(&mut self, now: Instant, number: u16, rtt: Duration) -> Option<Kept> {
        let allowed = self.allowed.checked_sub(SHARE)?;
        let kept = self.place(number)?.as_mut().filter(|kept| kept.number as u16 == number)?;
        let pause = rtt.max(AGAIN_MIN);
        if kept.again.is_some_and(|last| now.saturating_duration_since(last) < pause) {
            return None;
        }
        kept.again = Some(now);
        let kept = kept.clone();
        self.allowed = allowed;
        Some(kept)
    }

    fn place(&mut self, number: u16) -> Option<&mut Option<Kept>> {
        let mask = self.kept.len().checked_sub(1)?;
        self.kept.get_mut(usize::from(number) & mask)
    }
}
