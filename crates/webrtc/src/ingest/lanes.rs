//! The sources of a publisher's packets, each with its order, its clock, and the frame that is being put together.

use super::track_of;
use crate::packetlog::Packet;
use crate::red;
use crate::references::References;
use crate::source::Before;
use bytes::Bytes;
use headwater_media::{Time, Track};
use headwater_rtp::{Depacketizer, Format, Limits, Pushed, Reorder, Source as ClockSource};
use std::time::{Duration, Instant};
use str0m::media::Rid;

/// How long a lost packet is waited for: two round trips of a bad path, in which it is asked for again.
const WAIT: Time = Time::from_millis(400);

/// Packets held back behind a lost one.
const HELD_MAX: usize = 2048;

/// How long a publisher is left alone after it was asked for a key frame: requests of many viewers become one.
const KEY_FRAME_REST: Duration = Duration::from_millis(500);

/// By the receiver's number of the source; `None` for one that is left.
#[derive(Default)]
pub(super) struct Lanes(Vec<Option<Lane>>);

/// One source of packets.
pub(super) struct Lane {
    pub(super) rid: Option<Rid>,
    /// Number of the simulcast layer; 0 where there are none.
    pub(super) layer: u8,
    pub(super) format: Format,
    pub(super) reorder: Reorder<Arrived>,
    pub(super) depacketizer: Depacketizer,
    pub(super) clock: ClockSource,
    /// Packets of the frame that is being put together.
    pub(super) packets: Vec<Packet>,
    pub(super) before: Before,
    pub(super) references: References,
    /// What the stream's decoders need when it changes to this layer.
    pub(super) config: Option<Bytes>,
    /// Added to RTP times, so that all layers have the same.
    pub(super) shift: u32,
    /// A key frame is needed, and when one was asked for.
    pub(super) wanted: bool,
    pub(super) asked: Option<Instant>,
    /// Packets that never came, and those that came after later ones.
    pub(super) lost: u64,
    pub(super) late: u64,
    pub(super) newest: Option<u16>,
}

/// A packet, without what it no longer needs.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: Bytes,
}

impl Lanes {
    pub(super) fn get_mut(&mut self, source: usize) -> Option<&mut Lane> {
        self.0.get_mut(source)?.as_mut()
    }

    /// At most as many as the receiver keeps apart.
    pub(super) fn insert(&mut self, source: usize, lane: Lane) {
        if source >= self.0.len() {
            self.0.resize_with(source + 1, || None);
        }
        if let Some(place) = self.0.get_mut(source) {
            *place = Some(lane);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Lane)> {
        self.0.iter().enumerate().filter_map(|(source, lane)| Some((source, lane.as_ref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Lane)> {
        self.0.iter_mut().enumerate().filter_map(|(source, lane)| Some((source, lane.as_mut()?)))
    }
}

impl Lane {
    /// One of which nothing came yet.
    pub(super) fn new(format: Format, rid: Option<Rid>, layer: u8, clock: ClockSource) -> Lane {
        Lane {
            rid,
            layer,
            format,
            reorder: Reorder::new(Limits { packets: HELD_MAX, wait: WAIT }),
            depacketizer: Depacketizer::new(format),
            clock,
            packets: Vec::new(),
            before: Before::default(),
            references: References::default(),
            config: None,
            shift: 0,
            wanted: true,
            asked: None,
            lost: 0,
            late: 0,
            newest: None,
        }
    }

    pub(super) fn is_video(&self) -> bool {
        track_of(self.format.codec()) == Track::Video
    }

    /// Whether a key frame is to be asked for now.
    pub(super) fn asks(&self, now: Instant, refresh: Option<Duration>) -> bool {
        let since = self.asked.map_or(Duration::MAX, |asked| now.duration_since(asked));
        let due = refresh.is_some_and(|refresh| since >= refresh);
        (self.wanted || due) && since >= KEY_FRAME_REST
    }

    /// Counts a packet that came after a later one. One that was here already is none: to try their path, browsers
    /// send packets again that nobody misses.
    fn count(&mut self, sequence: u16, pushed: Pushed) {
        let newest = self.newest.unwrap_or(sequence);
        if (sequence.wrapping_sub(newest) as i16) >= 0 {
            self.newest = Some(sequence);
        } else if pushed == Pushed::Kept {
            self.late += 1;
        }
    }

    /// Takes a packet; of a redundant one, what it brings along fills gaps.
    pub(super) fn push(&mut self, arrival: Time, sequence: u16, arrived: Arrived, redundant: bool) {
        if !redundant {
            let pushed = self.reorder.push(arrival, sequence, arrived);
            self.count(sequence, pushed);
            return;
        }
        for block in red::split(&arrived.payload).into_iter().flatten() {
            let inner = Arrived {
                timestamp: arrived.timestamp.wrapping_sub(block.offset),
                marker: arrived.marker && block.age == 0,
                payload: block.payload,
            };
            let number = sequence.wrapping_sub(block.age);
            let pushed = self.reorder.push(arrival, number, inner);
            self.count(number, pushed);
        }
    }
}
