//! What a viewer may ask for again: where in the stream's log its newest packets are.

use crate::packetlog::Burst;
use crate::pictureids::Ids;
use crate::sender::Placed;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a packet can be asked for: the time in which it still helps a player.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// Most packets that are kept, whatever their age: a second of 10 Mb/s.
const KEPT_MAX: usize = 1024;

/// Packets that are kept at first.
const KEPT_MIN: usize = 64;

/// Shortest time between two sendings of a packet, where the way is short: requests for it may be on their way.
const AGAIN_MIN: Duration = Duration::from_millis(20);

/// Share of what is sent that may be sent again: one part in this many, and [`BURST`]. More would make a full way
/// fuller.
const SHARE: u32 = 4;

/// Packets that may be sent again beyond the share.
const BURST: u32 = 128;

/// A packet that was sent. Small: each viewer has hundreds.
#[derive(Clone, Debug)]
struct Kept {
    burst: Arc<Burst>,
    /// Low half of the viewer's number.
    number: u32,
    /// RTP time, as the viewer was told it.
    time: u32,
    /// When it was sent, in milliseconds since the beginning.
    sent: u32,
    /// When it was sent again; 0 for never.
    again: u32,
    ids: Ids,
    index: u16,
    payload_type: u8,
    /// 0, which no resent packet has, for none.
    resend_type: u8,
}

/// A packet to be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    pub(crate) burst: Arc<Burst>,
    pub(crate) index: usize,
    /// RTP time, as the viewer was told it.
    pub(crate) time: u32,
    pub(crate) payload_type: u8,
    pub(crate) resend_type: Option<u8>,
    /// The viewer's number of it.
    pub(crate) number: u64,
    pub(crate) ids: Ids,
}

/// The newest packets of a track, by number.
#[derive(Debug)]
pub(crate) struct Resends {
    began: Instant,
    /// Empty where nobody may ask; otherwise its length is a power of two.
    kept: Box<[Option<Kept>]>,
    newest: u64,
    /// Packets that may be sent again, in parts of [`SHARE`].
    allowed: u32,
}

impl Resends {
    /// Keeps packets, or none where nobody may ask.
    pub(crate) fn new(now: Instant, may_ask: bool) -> Resends {
        let kept = vec![None; if may_ask { KEPT_MIN } else { 0 }].into();
        Resends { began: now, kept, newest: 0, allowed: BURST * SHARE }
    }

    /// Whether packets can be asked for.
    pub(crate) fn may_ask(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Notes a packet that was sent. Forgets the oldest, or makes room when that one is young.
    pub(crate) fn sent(&mut self, now: Instant, packet: Placed<'_>) {
        if !self.may_ask() {
            return;
        }
        let Placed { burst, index, time, payload_type, resend_type, number, ids } = packet;
        let Ok(index) = u16::try_from(index) else { return };
        let sent = self.millis(now);
        let young = |kept: &Kept| u128::from(sent.wrapping_sub(kept.sent)) < KEPT_FOR.as_millis();
        if self.kept.len() < KEPT_MAX
            && self.place(number).is_some_and(|place| place.as_ref().is_some_and(young))
        {
            self.grow();
        }
        self.allowed = (self.allowed + 1).min(BURST * SHARE);
        self.newest = self.newest.max(number);
        let resend_type = resend_type.unwrap_or_default();
        if let Some(place) = self.place(number) {
            let (burst, number) = (burst.clone(), number as u32); // its low half
            *place =
                Some(Kept { burst, number, time, sent, again: 0, ids, index, payload_type, resend_type });
        }
    }

    /// The packet that the viewer knows as `number`, if it may be sent again now.
    pub(crate) fn again(&mut self, now: Instant, number: u16, rtt: Duration) -> Option<Again> {
        let allowed = self.allowed.checked_sub(SHARE)?;
        let (millis, pause) = (self.millis(now), rtt.max(AGAIN_MIN).as_millis());
        let behind = (self.newest as u16).wrapping_sub(number);
        let number = self.newest.checked_sub(behind.into())?;
        let kept = self.place(number)?.as_mut().filter(|kept| kept.number == number as u32)?;
        if kept.again > 0 && u128::from(millis.wrapping_sub(kept.again)) < pause {
            return None;
        }
        kept.again = millis.max(1);
        let resend_type = Some(kept.resend_type).filter(|&own| own > 0);
        let (index, payload_type) = (usize::from(kept.index), kept.payload_type);
        let (burst, time, ids) = (kept.burst.clone(), kept.time, kept.ids);
        let again = Again { burst, index, time, payload_type, resend_type, number, ids };
        self.allowed = allowed;
        Some(again)
    }

    fn place(&mut self, number: u64) -> Option<&mut Option<Kept>> {
        let mask = self.kept.len().checked_sub(1)?;
        self.kept.get_mut(number as usize & mask)
    }

    fn grow(&mut self) {
        let room = vec![None; 2 * self.kept.len()].into();
        for kept in std::mem::replace(&mut self.kept, room).into_iter().flatten() {
            let number = kept.number.into();
            if let Some(place) = self.place(number) {
                *place = Some(kept);
            }
        }
    }

    fn millis(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.began).as_millis() as u32 // wraps after 49 days, as differences do
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_media::{Codec, Track};

    fn burst(now: Instant) -> Arc<Burst> {
        Arc::new(Burst {
            track: Track::Video,
            codec: Codec::H264,
            layer: 0,
            key: false,
            disposable: false,
            redundant: None,
            instead_of: None,
            time: 0,
            wallclock: now,
            packets: Vec::new(),
        })
    }

    fn send(resends: &mut Resends, now: Instant, burst: &Arc<Burst>, number: u64) {
        let (resend_type, ids) = (Some(97), Ids::default());
        resends.sent(now, Placed { burst, index: 0, time: 0, payload_type: 96, resend_type, number, ids });
    }

    #[test]
    fn a_kept_packet_is_small() {
        assert_eq!(size_of::<Option<Kept>>(), 32);
    }

    #[test]
    fn a_second_of_packets_is_kept() {
        let (start, rtt) = (Instant::now(), Duration::ZERO);
        let (mut resends, burst) = (Resends::new(start, true), burst(start));
        let at = |number: u64| start + Duration::from_millis(5 * number);
        for number in 0..2000 {
            send(&mut resends, at(number), &burst, 65_000 + number);
        }
        assert_eq!(resends.kept.len(), 256, "200 packets a second");
        let mut known =
            |number: u64| resends.again(at(2000), (65_000 + number) as u16, rtt).map(|a| a.number);
        assert_eq!((known(1999), known(1800)), (Some(66_999), Some(66_800)), "over the wrap");
        assert_eq!((known(1000), known(2001)), (None, None));
    }

    #[test]
    fn asked_for_twice_in_a_round_trip_it_is_sent_once() {
        let (start, rtt) = (Instant::now(), Duration::from_millis(50));
        let (mut resends, burst) = (Resends::new(start, true), burst(start));
        send(&mut resends, start, &burst, 7);
        let mut sent = |millis| resends.again(start + Duration::from_millis(millis), 7, rtt).is_some();
        assert_eq!([sent(1), sent(40), sent(51), sent(60), sent(102)], [true, false, true, false, true]);
    }

    #[test]
    fn what_is_sent_again_has_a_limit() {
        let start = Instant::now();
        let (mut resends, burst) = (Resends::new(start, true), burst(start));
        (0..KEPT_MAX as u64).for_each(|number| send(&mut resends, start, &burst, number));
        let sent = |number: &u16| resends.again(start, *number, Duration::ZERO).is_some();
        assert_eq!((0..1024u16).filter(sent).count(), BURST as usize);
    }
}
