//! Frames of one track to packets.

use super::Pictures;
use crate::packetlog::{Burst, Packet};
use crate::red;
use crate::references::References;
use bytes::Bytes;
use headwater_media::{Codec, Frame};
use headwater_rtp::{Format, Packetizer, Payloads};
use std::time::Instant;

/// Most bytes of a payload: with RTP header, extensions and SRTP tag a packet stays below 1,280, IPv6's least MTU.
const PAYLOAD_MAX: usize = 1160;

/// A track of one codec.
pub(super) struct Lane {
    codec: Codec,
    packetizer: Packetizer,
    payloads: Payloads,
    sequence: u64,
    /// The packet before, of sound.
    before: Before,
    references: References,
}

/// The lane of the frame's track, renewed when its codec changes. `None` for a codec that browsers do not know.
pub(super) fn lane<'a>(
    lane: &'a mut Option<Lane>,
    frame: &Frame,
    pictures: Pictures,
) -> Option<&'a mut Lane> {
    if lane.as_ref().is_none_or(|lane| lane.codec != frame.codec) {
        let sequence = lane.as_ref().map_or(0, |lane| lane.sequence);
        let new = Lane::new(frame.codec, sequence)?;
        *lane = Some(if pictures.keep_sei { new } else { new.without_sei() });
    }
    lane.as_mut()
}

impl Lane {
    /// Packets are counted on from `sequence`. `None` for a codec that browsers do not know.
    pub(super) fn new(codec: Codec, sequence: u64) -> Option<Lane> {
        let packetizer = Packetizer::new(format(codec)?, PAYLOAD_MAX);
        let (payloads, before, references) = Default::default();
        Some(Lane { codec, packetizer, payloads, sequence, before, references })
    }

    fn without_sei(mut self) -> Lane {
        self.packetizer = self.packetizer.without_sei();
        self
    }

    /// The packets of a frame that was made at `wallclock`; `None` for one of which nothing is sent.
    pub(super) fn burst(&mut self, frame: &Frame, wallclock: Instant) -> Option<Burst> {
        self.packetizer.frame(frame, &mut self.payloads).ok()?;
        let packets = self.packets();
        let time = frame.pts.ticks(clock_rate(frame.codec)) as u32;
        let (track, codec, key) = (frame.track, frame.codec, frame.is_video_key());
        (!packets.is_empty()).then(|| Burst {
            track,
            codec,
            layer: 0,
            key,
            disposable: self.references.disposable(codec, packets.iter().map(|packet| &*packet.payload)),
            redundant: self.before.redundant(codec, time, &packets),
            instead_of: None,
            time,
            wallclock,
            packets,
        })
    }

    fn packets(&mut self) -> Vec<Packet> {
        let mut room = Vec::with_capacity(PAYLOAD_MAX);
        let packet = |payload: headwater_rtp::Payload<'_>| {
            room.clear();
            payload.put(&mut room);
            self.sequence += 1;
            Packet { payload: Bytes::copy_from_slice(&room), marker: payload.marker, sequence: self.sequence }
        };
        self.payloads.iter().map(packet).collect()
    }
}

/// The newest packet of sound, for the next one to bring along.
#[derive(Default)]
pub(crate) struct Before(Option<(u32, Bytes)>);

impl Before {
    /// The packet at `time` with the one before it, if it is Opus.
    pub(crate) fn redundant(&mut self, codec: Codec, time: u32, packets: &[Packet]) -> Option<Bytes> {
        let own = packets.first().filter(|_| codec == Codec::Opus)?;
        let before = self.0.replace((time, own.payload.clone()));
        before.and_then(|(then, payload)| red::join(&payload, time.wrapping_sub(then), &own.payload))
    }
}

/// How a codec goes to and comes from WebRTC peers; `None` for those that browsers do not know.
pub(crate) fn format(codec: Codec) -> Option<Format> {
    Some(match codec {
        Codec::H264 => Format::H264 { single: false },
        Codec::Hevc => Format::Hevc,
        Codec::Av1 => Format::Av1,
        Codec::Vp9 => Format::Vp9 { flexible: true },
        Codec::Vp8 => Format::Vp8,
        Codec::Opus => Format::Opus,
        Codec::G711A => Format::G711A,
        Codec::G711U => Format::G711U,
        Codec::Aac | Codec::Mp3 | Codec::Script => return None,
    })
}

/// Ticks a second of a codec's RTP timestamps.
pub(crate) fn clock_rate(codec: Codec) -> u32 {
    match codec {
        Codec::Opus => 48_000,
        Codec::G711A | Codec::G711U => 8000,
        _ => 90_000,
    }
}
