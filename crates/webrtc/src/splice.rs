//! One line of RTP times and packet numbers through all publishers of a stream.
//!
//! Each publisher counts from a start of its own; viewers stay. To them the next publisher's packets go on where the
//! last one's ended: times by the moments at which frames were made, numbers without a hole, pictures from a key frame.

use crate::packetlog::Burst;
use crate::source::clock_rate;
use headwater_hub::SessionId;
use headwater_media::{Codec, Track};
use std::time::{Duration, Instant};

/// Least time between the last frame of a publisher and the first of the next: decoders take two frames of one time
/// for one.
const STEP: Duration = Duration::from_millis(10);

/// Where a stream's tracks are, and whose frames they are.
#[derive(Debug, Default)]
pub(crate) struct Splice {
    publisher: Option<SessionId>,
    /// Frames of this one may still be on their way, and come too late.
    before: Option<SessionId>,
    video: Line,
    /// Sound in each codec: a publisher's own and what is sent instead of it stand side by side.
    opus: Line,
    g711a: Line,
    g711u: Line,
}

/// One track.
#[derive(Debug, Default)]
struct Line {
    /// RTP time and moment of the latest frame, and the highest packet number, as viewers know them.
    last: Option<(u32, Instant, u64)>,
    /// Added to the publisher's times and numbers, once it has begun.
    shift: Option<(u32, u64)>,
}

impl Splice {
    /// A publisher begins. False when it had to give way to another already.
    fn begin(&mut self, publisher: SessionId) -> bool {
        if self.publisher == Some(publisher) {
            return true;
        }
        if self.before == Some(publisher) {
            return false;
        }
        self.before = self.publisher.replace(publisher);
        for line in [&mut self.video, &mut self.opus, &mut self.g711a, &mut self.g711u] {
            line.shift = None;
        }
        true
    }

    /// Whether the stream's frames are this publisher's.
    pub(crate) fn is_of(&self, publisher: SessionId) -> bool {
        self.publisher == Some(publisher)
    }

    /// Puts a publisher's frame on the stream's line. False for one that viewers do not get: pictures before a key
    /// frame, and what comes after the next publisher has begun.
    pub(crate) fn place(&mut self, publisher: SessionId, burst: &mut Burst) -> bool {
        if !self.begin(publisher) {
            return false;
        }
        let video = burst.track == Track::Video;
        let line = match burst.codec {
            _ if video => &mut self.video,
            Codec::G711A => &mut self.g711a,
            Codec::G711U => &mut self.g711u,
            _ => &mut self.opus,
        };
        if line.shift.is_none() && video && !burst.key {
            return false;
        }
        line.place(burst);
        true
    }
}

impl Line {
    fn place(&mut self, burst: &mut Burst) {
        let (time, number) = *self.shift.get_or_insert_with(|| shift(self.last, burst));
        burst.time = burst.time.wrapping_add(time);
        for packet in &mut burst.packets {
            packet.sequence = packet.sequence.wrapping_add(number);
        }
        let newest = burst.packets.last().map_or(0, |packet| packet.sequence);
        let highest = self.last.map_or(newest, |(_, _, highest)| highest.max(newest));
        self.last = Some((burst.time, burst.wallclock, highest));
    }
}

/// What brings a publisher's first frame to its place behind the `last` one.
fn shift(last: Option<(u32, Instant, u64)>, first: &Burst) -> (u32, u64) {
    let Some((time, moment, number)) = last else { return (0, 0) };
    let passed = first.wallclock.saturating_duration_since(moment).max(STEP);
    let ticks = passed.as_micros() * u128::from(clock_rate(first.codec)) / 1_000_000;
    let due = time.wrapping_add(ticks as u32); // modulo 2^32, as RTP times are
    let own = first.packets.first().map_or(0, |packet| packet.sequence);
    (due.wrapping_sub(first.time), (number + 1).wrapping_sub(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetlog::Packet;
    use bytes::Bytes;
    use headwater_media::Codec;

    struct Publisher(SessionId);

    impl Publisher {
        /// What viewers get of a frame of two packets: its time and its packets' numbers.
        fn sends(
            &self,
            splice: &mut Splice,
            key: bool,
            time: u32,
            at: Instant,
            n: u64,
        ) -> Option<(u32, Vec<u64>)> {
            let packet = |sequence| Packet { payload: Bytes::from_static(&[0; 4]), marker: true, sequence };
            let mut burst = Burst {
                track: Track::Video,
                codec: Codec::H264,
                layer: 0,
                key,
                disposable: false,
                redundant: None,
                instead_of: None,
                time,
                wallclock: at,
                packets: vec![packet(n), packet(n + 1)],
            };
            let numbers = |burst: &Burst| burst.packets.iter().map(|packet| packet.sequence).collect();
            splice.place(self.0, &mut burst).then(|| (burst.time, numbers(&burst)))
        }
    }

    #[test]
    fn the_next_publisher_goes_on_where_the_last_one_ended() {
        let (mut splice, now) = (Splice::default(), Instant::now());
        let (one, other) = (Publisher(SessionId::random()), Publisher(SessionId::random()));
        let after = |ms| now + Duration::from_millis(ms);
        assert_eq!(one.sends(&mut splice, false, 0, now, 0), None, "no key frame yet");
        assert_eq!(one.sends(&mut splice, true, 900, now, 7), Some((900, vec![7, 8])));
        assert_eq!(
            one.sends(&mut splice, false, 4500, after(40), 10),
            Some((4500, vec![10, 11])),
            "9 is lost"
        );
        assert_eq!(other.sends(&mut splice, false, 5, after(90), 60_000), None);
        let first = other.sends(&mut splice, true, u32::MAX, after(140), 60_002);
        assert_eq!(first, Some((4500 + 9000, vec![12, 13])));
        assert_eq!(other.sends(&mut splice, false, 3599, after(180), 60_004), Some((17_100, vec![14, 15])));
        assert_eq!(one.sends(&mut splice, true, 8100, after(200), 12), None, "it has left");
        assert!(splice.is_of(other.0) && !splice.is_of(one.0));
    }

    /// What viewers get of a frame of sound: its time and its packet's number.
    fn sound(splice: &mut Splice, publisher: SessionId, codec: Codec, time: u32, at: Instant) -> (u32, u64) {
        let packets = vec![Packet { payload: Bytes::from_static(&[0; 4]), marker: false, sequence: 1000 }];
        let mut burst = Burst {
            track: Track::Audio,
            codec,
            layer: 0,
            key: false,
            disposable: false,
            redundant: None,
            instead_of: None,
            time,
            wallclock: at,
            packets,
        };
        assert!(splice.place(publisher, &mut burst));
        (burst.time, burst.packets[0].sequence)
    }

    #[test]
    fn sound_of_several_codecs_goes_on_side_by_side() {
        let (mut splice, now) = (Splice::default(), Instant::now());
        let [one, other] = [(); 2].map(|()| SessionId::random());
        let after = |ms| now + Duration::from_millis(ms);
        assert_eq!(sound(&mut splice, one, Codec::G711A, 160, now), (160, 1000));
        assert_eq!(sound(&mut splice, one, Codec::G711U, 160, now), (160, 1000));
        assert_eq!(sound(&mut splice, one, Codec::Opus, 48_000, now), (48_000, 1000));
        assert_eq!(sound(&mut splice, other, Codec::Opus, 7, after(100)), (52_800, 1001));
        assert_eq!(sound(&mut splice, other, Codec::G711U, 7, after(100)), (960, 1001));
    }

    #[test]
    fn times_never_stand_still_between_publishers() {
        let (mut splice, now) = (Splice::default(), Instant::now());
        let (one, other) = (Publisher(SessionId::random()), Publisher(SessionId::random()));
        one.sends(&mut splice, true, 1000, now, 0);
        assert_eq!(other.sends(&mut splice, true, 0, now, 0), Some((1900, vec![2, 3])));
    }
}
