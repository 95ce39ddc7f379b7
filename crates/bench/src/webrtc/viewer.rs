//! A viewer: counts what comes, and knows when it could show its first picture.

use super::call::Lane;
use super::crowd::Role;
use super::link::Link;
use crate::mark;
use crate::summary::Samples;
use std::time::{Duration, Instant, SystemTime};
use str0m::Event;
use str0m::error::RtcError;
use str0m::rtp::RtpPacket;

/// NAL unit types (H.264 7.4.1, RFC 6184 5.2).
const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Ticks a second of the clocks of video and of Opus (RFC 6184 8.1, RFC 7587 4.1).
pub(crate) const VIDEO_CLOCK: u32 = 90_000;
pub(crate) const OPUS_CLOCK: u32 = 48_000;

/// A peer that plays.
pub(crate) struct Viewer {
    video: Lane,
    audio: Lane,
    answered: Instant,
    /// Whether it looks at pictures' marks.
    probe: bool,
    view: View,
    /// Number of the packet that must come next to complete the first key picture.
    key_next: Option<u64>,
    /// When the picture that is coming was published.
    sent: Option<Duration>,
    /// A moment of the sender's clock, and when what it belongs to was published.
    anchor: Option<(SystemTime, Duration)>,
}

/// What a viewer has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// From the answer until ICE and DTLS were through.
    pub(crate) connected: Option<Duration>,
    /// From the answer until the first key picture was complete.
    pub(crate) joined: Option<Duration>,
    pub(crate) video: Numbers,
    pub(crate) audio: Numbers,
    /// From publish to the last packet of the picture, if it looks at marks.
    pub(crate) latency: Samples,
    /// From the publish of a packet's first sample to the packet, by what sender reports say of both tracks' clocks.
    pub(crate) sound_latency: Samples,
}

/// Sequence numbers of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    first: Option<u64>,
    highest: u64,
    received: u64,
}

impl Numbers {
    fn add(&mut self, number: u64) {
        self.first.get_or_insert(number);
        self.highest = self.highest.max(number);
        self.received += 1;
    }

    /// Packets that were numbered until now.
    fn expected(&self) -> u64 {
        self.first.map_or(0, |first| (self.highest + 1).saturating_sub(first))
    }

    /// Packets received since `before`.
    pub(crate) fn received_since(&self, before: &Numbers) -> u64 {
        self.received - before.received
    }

    /// Packets that did not come since `before`, less those that came late.
    pub(crate) fn lost_since(&self, before: &Numbers) -> u64 {
        (self.expected() - before.expected()).saturating_sub(self.received_since(before))
    }
}

impl Viewer {
    pub(crate) fn new(video: Lane, audio: Lane, answered: Instant, probe: bool) -> Viewer {
        Viewer {
            video,
            audio,
            answered,
            probe,
            view: View::default(),
            key_next: None,
            sent: None,
            anchor: None,
        }
    }

    fn packet(&mut self, packet: &RtpPacket) {
        let (number, pt) = (*packet.seq_no, packet.header.payload_type);
        if pt == self.audio.pt {
            self.view.audio.add(number);
            if self.probe {
                self.measure_sound(packet);
            }
        } else if pt == self.video.pt {
            self.view.video.add(number);
            if self.view.joined.is_none() {
                self.key(number, packet);
            }
            if self.probe {
                self.measure(packet);
            }
        }
    }

    /// Whether all of a key picture has come, from its parameter sets to its last packet.
    fn key(&mut self, number: u64, packet: &RtpPacket) {
        let starts = begins(&packet.payload, IDR) || begins(&packet.payload, SPS);
        let goes_on = self.key_next == Some(number);
        self.key_next = (starts || goes_on).then_some(number + 1);
        if self.key_next.is_some() && packet.header.marker {
            self.view.joined = Some(self.answered.elapsed());
        }
    }

    fn measure(&mut self, packet: &RtpPacket) {
        if let Some(sent) = mark::decode(&packet.payload) {
            self.sent = Some(sent);
            self.anchor = moment(packet, VIDEO_CLOCK).map(|moment| (moment, sent));
        }
        if let Some(sent) = self.sent.filter(|_| packet.header.marker) {
            self.view.latency.add(mark::now().saturating_sub(sent));
            self.sent = None;
        }
    }

    fn measure_sound(&mut self, packet: &RtpPacket) {
        let Some(((then, published), moment)) = self.anchor.zip(moment(packet, OPUS_CLOCK)) else { return };
        let sent = match moment.duration_since(then) {
            Ok(later) => published + later,
            Err(earlier) => published.saturating_sub(earlier.duration()),
        };
        self.view.sound_latency.add(mark::now().saturating_sub(sent));
    }
}

/// When a packet's content was, by the sender's clock: what its newest sender report says (RFC 3550 6.4.1).
fn moment(packet: &RtpPacket, clock: u32) -> Option<SystemTime> {
    let report = packet.last_sender_info.as_ref()?;
    let ticks = packet.header.timestamp.wrapping_sub(report.rtp_time.numer() as u32) as i32;
    let apart = Duration::from_secs_f64(f64::from(ticks.unsigned_abs()) / f64::from(clock));
    if ticks < 0 { report.ntp_time.checked_sub(apart) } else { report.ntp_time.checked_add(apart) }
}

impl Role for Viewer {
    type Report = View;

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => self.view.connected = Some(self.answered.elapsed()),
            Event::RtpPacket(packet) => self.packet(&packet),
            _ => {}
        }
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn act(&mut self, _link: &mut Link, _events: &mut Vec<Event>) -> Result<(), RtcError> {
        Ok(())
    }

    fn report(&self) -> View {
        self.view.clone()
    }
}

/// Whether a NAL unit of type `wanted` begins in a payload, at its start or as the first of several.
fn begins(payload: &[u8], wanted: u8) -> bool {
    let kind = |byte: &u8| byte & 0x1F;
    match *payload {
        [first, header, ..] if kind(&first) == FU_A => header & 0x80 != 0 && kind(&header) == wanted,
        [first, _, _, inner, ..] if kind(&first) == STAP_A => kind(&inner) == wanted,
        [first, ..] => kind(&first) == wanted,
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(of: &[u64]) -> Numbers {
        let mut numbers = Numbers::default();
        of.iter().for_each(|&number| numbers.add(number));
        numbers
    }

    #[test]
    fn holes_are_lost_until_they_are_filled() {
        let before = numbers(&[10, 11, 12]);
        let mut after = before;
        [13, 16].into_iter().for_each(|number| after.add(number));
        assert_eq!((after.received_since(&before), after.lost_since(&before)), (2, 2));
        [14, 15].into_iter().for_each(|number| after.add(number));
        assert_eq!(after.lost_since(&before), 0);
        assert_eq!(numbers(&[5]).lost_since(&Numbers::default()), 0);
    }

    #[test]
    fn key_pictures_are_told_by_their_first_packet() {
        assert!(begins(&[0x65, 1], IDR) && begins(&[0x7C, 0x85, 1], IDR));
        assert!(begins(&[0x78, 0, 9, 0x67, 1], SPS));
        for other in [&[0x7C, 0x05, 1][..], &[0x41, 1], &[0x7C, 0x81, 1], &[]] {
            assert!(!begins(other, IDR), "{other:?}");
        }
    }
}
