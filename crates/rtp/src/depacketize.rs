//! Payloads to frames: one type for all codecs. What a frame is made of is the formats' business; where it begins and
//! ends, and what a missing packet does to it, is decided here.

use crate::codec::{aac, av1, latm, nal, sound, vp8, vp9};
use crate::packetize::Format;
use bytes::Bytes;
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use thiserror::Error;

/// Most bytes of one frame; a larger one is dropped. A key frame of 4K at 100 Mb/s has a tenth of it.
pub const FRAME_MAX: usize = 8 << 20;

/// A packet's part that matters here, in the order of its sequence number (see [`crate::Reorder`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Extended sequence number. A step of more than one is a loss; one that does not go up is ignored.
    pub sequence: u64,
    /// The header's timestamp.
    pub timestamp: u32,
    /// The header's marker bit.
    pub marker: bool,
    /// What follows the header.
    pub payload: Bytes,
}

/// What a [`Depacketizer`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole frame or a new configuration.
    Unit(Unit),
    /// A frame that is not whole. What refers to it will show damage: ask for a key frame.
    Dropped {
        /// Its timestamp.
        timestamp: u32,
        /// What happened to it.
        why: Damage,
    },
    /// So many packets never came. Frames of which nothing came are not reported in any other way.
    Lost {
        /// How many.
        packets: u64,
    },
}

/// A frame without a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Config, Key or Inter.
    pub kind: Kind,
    /// In the form of the media crate.
    pub payload: Bytes,
    /// Of the packet that began it, in ticks of the payload's clock: when it is shown.
    pub timestamp: u32,
}

impl Unit {
    /// As a frame that is shown at `pts`, and decoded then too: RTP does not tell decoding times.
    pub fn into_frame(self, codec: Codec, pts: Time) -> Frame {
        let video = matches!(codec, Codec::H264 | Codec::Hevc | Codec::Av1 | Codec::Vp9 | Codec::Vp8);
        let track = if video { Track::Video } else { Track::Audio };
        // FLV has numbers for these only; the rest has names.
        let numbered = matches!(codec, Codec::H264 | Codec::Aac | Codec::G711A | Codec::G711U | Codec::Mp3);
        let tag = if numbered { CodecTag::Legacy } else { CodecTag::FourCc };
        Frame { track, codec, tag, kind: self.kind, dts: pts, pts, payload: self.payload }
    }
}

/// Why a frame was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    /// A packet of it is missing, or may be: what came after a loss does not say that it begins a frame.
    #[error("a packet of it is missing")]
    Missing,
    /// A payload breaks its specification.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// A packet type that was not negotiated.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// More than [`FRAME_MAX`] bytes.
    #[error("it has more than {FRAME_MAX} bytes")]
    TooLarge,
    /// No decoder could start: no parameter sets or sequence header came before.
    #[error("its decoder configuration never came")]
    Unconfigured,
}

/// What each payload format does.
pub(crate) trait Assemble {
    /// Whether a payload begins a frame. After a loss (`sure`) only certainty counts; at the start of a stream a good
    /// guess does.
    fn begins(&self, payload: &[u8], sure: bool) -> bool;

    /// Whether the frame ends with this payload.
    fn ends(&self, _payload: &[u8], marker: bool) -> bool {
        marker
    }

    /// Takes a payload of the frame.
    fn push(&mut self, payload: &Bytes) -> Result<(), Damage>;

    /// The frame is complete: its units, each with ticks to add to the frame's timestamp.
    fn finish(&mut self, out: &mut dyn FnMut(Kind, Bytes, u32)) -> Result<(), Damage>;

    /// Forgets the frame.
    fn discard(&mut self);
}

/// Makes frames of a track's packets.
///
/// Every frame that comes out is whole: a frame with a missing, broken or doubtful packet is dropped with an
/// [`Event::Dropped`]. Parameter sets are gathered into [`Kind::Config`] units, which come before the frame that
/// brought them and only when they changed; they are taken out of the frame, as are delimiters.
///
/// A frame ends with the marker bit or where the next timestamp begins.
#[derive(Clone, Debug)]
pub struct Depacketizer {
    format: Format,
    state: State,
    last: Option<u64>,
    /// Whether a payload came yet.
    started: bool,
    /// Whether packets are missing just before the next payload, or may be.
    doubt: bool,
    open: Option<Open>,
}

/// The frame that is being put together.
#[derive(Clone, Copy, Debug)]
struct Open {
    timestamp: u32,
    damage: Option<Damage>,
}

#[derive(Clone, Debug)]
enum State {
    Nal(nal::Depacketizer),
    Av1(av1::Depacketizer),
    Vp9(vp9::Depacketizer),
    Vp8(vp8::Depacketizer),
    Sound(sound::Depacketizer),
    Aac(aac::Depacketizer),
    Latm(latm::Depacketizer),
}

impl State {
    fn assemble(&mut self) -> &mut dyn Assemble {
        match self {
            State::Nal(state) => state,
            State::Av1(state) => state,
            State::Vp9(state) => state,
            State::Vp8(state) => state,
            State::Sound(state) => state,
            State::Aac(state) => state,
            State::Latm(state) => state,
        }
    }
}

impl Depacketizer {
    /// For a track of which SDP says no configuration, or none that is needed.
    pub fn new(format: Format) -> Depacketizer {
        Depacketizer::configured(format, Bytes::new())
    }

    /// For a track whose configuration SDP told, as the media crate has it: parameter sets of H.264 and HEVC in their
    /// record, the AudioSpecificConfig of AAC (which sends none in band), OpusHead. It comes out as the first unit.
    pub fn configured(format: Format, config: Bytes) -> Depacketizer {
        let state = match format {
            Format::H264 { .. } => State::Nal(nal::Depacketizer::new(nal::Syntax::H264, config)),
            Format::Hevc => State::Nal(nal::Depacketizer::new(nal::Syntax::Hevc, config)),
            Format::Av1 => State::Av1(av1::Depacketizer::new(config)),
            Format::Vp9 { .. } => State::Vp9(vp9::Depacketizer::default()),
            Format::Vp8 => State::Vp8(vp8::Depacketizer::default()),
            Format::Opus => State::Sound(sound::Depacketizer::opus(config)),
            Format::G711A | Format::G711U => State::Sound(sound::Depacketizer::g711()),
            Format::Aac => State::Aac(aac::Depacketizer::new(config)),
            Format::Latm => State::Latm(latm::Depacketizer::new(config)),
        };
        Depacketizer { format, state, last: None, started: false, doubt: true, open: None }
    }

    /// The format it was made for.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Takes a packet; appends what it completes to `out`. A packet without payload only counts.
    pub fn push(&mut self, packet: &Incoming, out: &mut Vec<Event>) {
        let missing = match self.last {
            Some(last) if packet.sequence <= last => return,
            Some(last) => packet.sequence - last - 1,
            None => 0,
        };
        self.last = Some(packet.sequence);
        if missing > 0 {
            out.push(Event::Lost { packets: missing });
            self.damage(Damage::Missing);
            self.doubt = true;
        }
        if packet.payload.is_empty() {
            return;
        }
        if self.open.is_some_and(|open| open.timestamp != packet.timestamp) {
            self.close(out);
        }
        self.open_with(packet);
        self.take(packet, out);
    }

    fn damage(&mut self, why: Damage) {
        if let Some(open) = &mut self.open {
            open.damage.get_or_insert(why);
        }
    }

    /// Begins a frame unless one is open.
    fn open_with(&mut self, packet: &Incoming) {
        let doubt = std::mem::take(&mut self.doubt);
        let sure = std::mem::replace(&mut self.started, true);
        if self.open.is_some() {
            return;
        }
        let headless = doubt && !self.state.assemble().begins(&packet.payload, sure);
        let damage = headless.then_some(Damage::Missing);
        self.open = Some(Open { timestamp: packet.timestamp, damage });
    }

    fn take(&mut self, packet: &Incoming, out: &mut Vec<Event>) {
        let whole = self.open.is_some_and(|open| open.damage.is_none());
        if whole && let Err(why) = self.state.assemble().push(&packet.payload) {
            self.damage(why);
        }
        if self.state.assemble().ends(&packet.payload, packet.marker) {
            self.close(out);
        }
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        let Some(Open { timestamp, damage }) = self.open.take() else { return };
        let start = out.len();
        let mut give = |kind, payload, ticks: u32| {
            out.push(Event::Unit(Unit { kind, payload, timestamp: timestamp.wrapping_add(ticks) }));
        };
        let done = match damage {
            Some(why) => Err(why),
            None => self.state.assemble().finish(&mut give),
        };
        self.state.assemble().discard();
        if let Err(why) = done {
            out.truncate(start);
            out.push(Event::Dropped { timestamp, why });
        }
    }
}
