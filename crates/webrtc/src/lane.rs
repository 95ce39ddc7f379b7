//! One track on its way to one viewer: its numbers, its times, and what of the agreed codecs it is sent in.

use crate::packetlog::Burst;
use crate::pictureids::Counter;
use crate::sender::TrackTerms;
use headwater_media::Codec;
use str0m::format::{Codec as RtcCodec, PayloadParams};

/// Least step of RTP time from one layer's picture to another's: a millisecond.
const STEP_MIN: u32 = 90;

/// Layers are in step to much less: two seconds. A picture that is older is of another publish.
const STEP_BACK_MAX: i32 = 180_000;

/// Most packets that a hole may have; beyond it nobody asks for them, and it is told as a hole of one.
const HOLE_MAX: u64 = 1000;

/// One track on its way to one viewer.
pub(crate) struct Lane {
    pub(crate) terms: TrackTerms,
    /// Its place in the sender.
    pub(crate) track: usize,
    /// What the viewer takes, best first.
    pub(crate) accepted: Vec<Accepted>,
    /// What it gets.
    pub(crate) codec: Option<Codec>,
    /// The codec of what comes, when the viewer does not take it.
    pub(crate) refused: Option<Codec>,
    /// Payload type of redundant sound, if the viewer takes it.
    pub(crate) redundant: Option<u8>,
    /// Number of the packet before the next.
    sequence: u64,
    /// Place in the stream's track of the packet sent last.
    last: Option<u64>,
    /// RTP time of what was sent last, and what is added to the stream's: layers may have pictures of one time, but the
    /// viewer's go on.
    time: Option<u32>,
    ahead: u32,
    pub(crate) pictures: Counter,
}

#[derive(Clone, Copy)]
pub(crate) struct Accepted {
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    pub(crate) resend_type: Option<u8>,
}

impl Lane {
    pub(crate) fn new(terms: TrackTerms) -> Lane {
        // Half the range: the first wrap is far, and numbers can't go below zero.
        let sequence = u64::from(rand::random::<u16>() / 2);
        Lane {
            terms,
            track: 0,
            accepted: Vec::new(),
            codec: None,
            refused: None,
            redundant: None,
            sequence,
            last: None,
            time: None,
            ahead: 0,
            pictures: Counter::default(),
        }
    }

    /// As what a codec is sent, if it is.
    pub(crate) fn accepts(&self, codec: Codec) -> Option<Accepted> {
        self.accepted.iter().find(|accepted| accepted.codec == codec).copied()
    }

    /// What the viewer is sent where it does not take the stream's own.
    pub(crate) fn wish(&self) -> Option<Codec> {
        self.accepted.first().map(|accepted| accepted.codec)
    }

    /// The viewer's number of the packet at `place`: a hole in the stream is a hole for the viewer.
    pub(crate) fn number(&mut self, place: u64) -> u64 {
        let step = self.last.map_or(1, |last| match place.saturating_sub(last).max(1) {
            gap if gap > HOLE_MAX => 2,
            gap => gap,
        });
        self.last = Some(place);
        self.sequence += step;
        self.sequence
    }

    /// The rest of a frame is not sent: a hole.
    pub(crate) fn break_off(&mut self) {
        self.sequence += 1;
    }

    /// Leaves a frame out on purpose: no hole.
    pub(crate) fn leave_out(&mut self, burst: &Burst) {
        self.pictures.leave_out(burst);
        let newest = burst.packets.last().map(|packet| packet.sequence);
        self.last = self.last.and_then(|last| newest.map(|newest| newest.max(last)));
    }

    /// Goes on at another place without a hole, and at a later time.
    pub(crate) fn skip_to(&mut self, burst: &Burst) {
        self.last = burst.packets.first().map(|packet| packet.sequence.saturating_sub(1)).or(self.last);
        let step = self.time.map_or(1, |time| burst.time.wrapping_sub(time) as i32);
        let late = self.time.filter(|_| step <= 0 && step > -STEP_BACK_MAX);
        self.ahead = late.map_or(0, |time| time.wrapping_add(STEP_MIN).wrapping_sub(burst.time));
    }

    /// The viewer's RTP time of a frame.
    pub(crate) fn time(&mut self, burst: &Burst) -> u32 {
        let time = burst.time.wrapping_add(self.ahead);
        self.time = Some(time);
        time
    }
}

/// Our name of a negotiated codec; `None` for what is not sent.
pub(crate) fn codec(params: &PayloadParams) -> Option<Codec> {
    let spec = params.spec();
    match spec.codec {
        RtcCodec::H264 => Some(Codec::H264),
        RtcCodec::H265 => Some(Codec::Hevc),
        RtcCodec::Av1 => Some(Codec::Av1),
        RtcCodec::Vp9 => Some(Codec::Vp9),
        RtcCodec::Vp8 => Some(Codec::Vp8),
        RtcCodec::Opus => Some(Codec::Opus),
        RtcCodec::PCMA => Some(Codec::G711A),
        RtcCodec::PCMU => Some(Codec::G711U),
        _ => None,
    }
}

/// What SDP calls a codec (RFC 8866 6.6), Opus excepted, whose name everybody writes so.
pub(crate) fn name(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "H264",
        Codec::Hevc => "H265",
        Codec::Av1 => "AV1",
        Codec::Vp9 => "VP9",
        Codec::Vp8 => "VP8",
        Codec::Opus => "Opus",
        Codec::G711A => "PCMA",
        Codec::G711U => "PCMU",
        Codec::Aac => "MP4A-LATM",
        Codec::Mp3 => "MPA",
        Codec::Script => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetlog::Packet;
    use headwater_media::Track;
    use std::time::Instant;

    fn burst(time: u32, places: std::ops::Range<u64>) -> Burst {
        let payload = bytes::Bytes::from_static(&[0]);
        let packet = |sequence| Packet { payload: payload.clone(), marker: false, sequence };
        Burst {
            track: Track::Video,
            codec: Codec::H264,
            layer: 0,
            key: true,
            disposable: false,
            redundant: None,
            instead_of: None,
            time,
            wallclock: Instant::now(),
            packets: places.map(packet).collect(),
        }
    }

    #[test]
    fn numbers_have_the_holes_of_the_stream_and_no_others() {
        let mut lane = Lane::new(TrackTerms::default());
        let first = lane.number(70_000);
        let mut next = |place| lane.number(place) - first;
        assert_eq!([next(70_001), next(70_004)], [1, 4], "two were lost on their way in");
        assert_eq!(next(300_000), 6, "another layer of another publisher");
        lane.leave_out(&burst(0, 300_001..300_010));
        assert_eq!(lane.number(300_010) - first, 7, "left out on purpose");
        lane.skip_to(&burst(0, 5..9));
        assert_eq!(lane.number(5) - first, 8);
    }

    #[test]
    fn times_go_on_where_layers_are_not_in_step() {
        let mut lane = Lane::new(TrackTerms::default());
        let mut send = |anew: bool, time: u32| {
            let burst = burst(time, 1..2);
            if anew {
                lane.skip_to(&burst);
            }
            lane.time(&burst)
        };
        assert_eq!([send(true, u32::MAX - 10), send(false, 2990)], [u32::MAX - 10, 2990]);
        assert_eq!(
            [send(true, 2990), send(false, 5990)],
            [3080, 6080],
            "another layer's picture of the same moment"
        );
        assert_eq!(send(true, 12_000), 12_000, "and in step again");
    }
}
