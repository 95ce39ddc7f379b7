//! A publisher: sends a made-up stream in real time.

use super::call::Lane;
use super::crowd::Role;
use super::link::Link;
use super::packets::Packets;
use super::viewer::{OPUS_CLOCK, VIDEO_CLOCK};
use crate::mark;
use crate::synthetic::{Piece, Shape, Timeline};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::Event;
use str0m::error::RtcError;
use str0m::media::Pt;
use str0m::rtp::RtpWrite;

/// A piece sent later than this after it was due is late.
const LATE: Duration = Duration::from_millis(100);

/// A peer that publishes.
pub(crate) struct Publisher {
    video: Lane,
    audio: Lane,
    packets: Arc<Packets>,
    timeline: Timeline,
    /// The moment of the stream's time zero: when ICE and DTLS were through.
    start: Option<Instant>,
    /// Numbers of the next packets.
    next: [u64; 2],
    /// The server asked for a key picture.
    wanted: bool,
    told: Told,
}

/// What a publisher knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    pub(crate) connected: bool,
    /// Pieces that left more than 100 ms after they were due.
    pub(crate) late: u64,
    /// Key pictures asked for.
    pub(crate) asked: u64,
    /// Requests for lost packets.
    pub(crate) nacks: u64,
}

impl Publisher {
    pub(crate) fn new(video: Lane, audio: Lane, shape: Shape, packets: Arc<Packets>) -> Publisher {
        Publisher {
            video,
            audio,
            packets,
            timeline: Timeline::new(shape),
            start: None,
            next: [1; 2],
            wanted: false,
            told: Told::default(),
        }
    }

    fn send(
        &mut self,
        (time, piece): (Duration, Piece),
        start: Instant,
        link: &mut Link,
        events: &mut Vec<Event>,
    ) -> Result<(), RtcError> {
        self.told.late += u64::from(start.elapsed().saturating_sub(time) > LATE);
        let piece = match piece {
            Piece::Picture if std::mem::take(&mut self.wanted) => Piece::KeyPicture,
            piece => piece,
        };
        let [video_next, audio_next] = &mut self.next;
        let (lane, next, clock) = match piece {
            Piece::Sound => (self.audio, audio_next, OPUS_CLOCK),
            Piece::KeyPicture | Piece::Picture => (self.video, video_next, VIDEO_CLOCK),
        };
        let ticks = (time.as_micros() as u64 * u64::from(clock) / 1_000_000) as u32; // wraps as RTP's do
        let payloads = self.packets.of(piece, mark::now());
        let last = payloads.len().saturating_sub(1);
        for (place, payload) in payloads.enumerate() {
            let video = piece != Piece::Sound;
            let write = write(lane.pt, *next, ticks, start + time, payload)
                .marker(video && place == last)
                .nackable(video);
            *next += 1;
            link.change(events, |rtc| {
                if let Some(stream) = rtc.direct_api().stream_tx_by_mid(lane.mid, None) {
                    stream.write_rtp(write);
                }
            })?;
        }
        Ok(())
    }
}

fn write(pt: Pt, number: u64, ticks: u32, wallclock: Instant, payload: Arc<[u8]>) -> RtpWrite {
    RtpWrite::new(pt, number.into(), ticks, wallclock, payload)
}

impl Role for Publisher {
    type Report = Told;

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.start = Some(Instant::now());
                self.told.connected = true;
            }
            Event::KeyframeRequest(_) => {
                self.told.asked += 1;
                self.wanted = true;
            }
            Event::MediaEgressStats(stats) if stats.mid == self.video.mid => self.told.nacks = stats.nacks,
            _ => {}
        }
    }

    fn due(&self) -> Option<Instant> {
        self.start.map(|start| start + self.timeline.due())
    }

    fn act(&mut self, link: &mut Link, events: &mut Vec<Event>) -> Result<(), RtcError> {
        let Some(start) = self.start else { return Ok(()) };
        while start + self.timeline.due() <= Instant::now() {
            let Some(piece) = self.timeline.next() else { break };
            self.send(piece, start, link, events)?;
        }
        Ok(())
    }

    fn report(&self) -> Told {
        self.told
    }
}
