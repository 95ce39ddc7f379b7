//! Frames to payloads: one type for all codecs.

use crate::codec::{aac, av1, nal, sound, vp8, vp9};
use crate::payloads::Payloads;
use headwater_media::codec::ParseError;
use headwater_media::{Codec, Frame, Kind};
use thiserror::Error;

/// Smallest payload limit there is; a smaller one is raised to it.
pub const MTU_MIN: usize = 64;

/// Largest payload limit: lengths within payloads have 16 bits.
const MTU_MAX: usize = 65_535;

/// How a codec is put into packets. What SDP negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// H.264 (RFC 6184). `single` is packetization mode 0: one NAL unit a packet, none may exceed the MTU. Otherwise
    /// mode 1: STAP-A and FU-A. Mode 2 (interleaved) is not spoken.
    H264 {
        /// Packetization mode 0.
        single: bool,
    },
    /// HEVC (RFC 7798), one stream, no decoding order numbers.
    Hevc,
    /// AV1 (RTP Payload Format For AV1, version 1.0), without scalability.
    Av1,
    /// VP9 (RFC 9628), one spatial layer out; in, the layers of a picture are merged.
    Vp9 {
        /// Whether packets name the picture they refer to.
        flexible: bool,
    },
    /// VP8 (RFC 7741).
    Vp8,
    /// Opus (RFC 7587): one packet of Opus each.
    Opus,
    /// G.711 A-law (RFC 3551 4.5.14), mono.
    G711A,
    /// G.711 mu-law (RFC 3551 4.5.14), mono.
    G711U,
    /// AAC as `mpeg4-generic`, mode `AAC-hbr` (RFC 3640 3.3.6).
    Aac,
    /// AAC as `MP4A-LATM` (RFC 6416), its configuration in SDP (`cpresent=0`). In only.
    Latm,
}

impl Format {
    /// The codec it carries.
    pub fn codec(self) -> Codec {
        match self {
            Format::H264 { .. } => Codec::H264,
            Format::Hevc => Codec::Hevc,
            Format::Av1 => Codec::Av1,
            Format::Vp9 { .. } => Codec::Vp9,
            Format::Vp8 => Codec::Vp8,
            Format::Opus => Codec::Opus,
            Format::G711A => Codec::G711A,
            Format::G711U => Codec::G711U,
            Format::Aac | Format::Latm => Codec::Aac,
        }
    }
}

/// Makes payloads of a track's frames.
///
/// Give it every frame of the track, configurations too: they are remembered, and parameter sets (H.264, HEVC) or the
/// sequence header (AV1) are sent in band before each key frame that does not bring its own. Access unit delimiters
/// and temporal delimiters are left out: packets delimit.
#[derive(Clone, Debug)]
pub struct Packetizer {
    format: Format,
    mtu: usize,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Nal(nal::Packetizer),
    Av1(av1::Packetizer),
    Vp9(vp9::Packetizer),
    Vp8(vp8::Packetizer),
    Opus,
    G711,
    Aac,
    None,
}

impl Packetizer {
    /// Payloads of at most `mtu` bytes (at least [`MTU_MIN`]): what a datagram holds, less all headers.
    pub fn new(format: Format, mtu: usize) -> Packetizer {
        let state = match format {
            Format::H264 { single } => State::Nal(nal::Packetizer::new(nal::Syntax::H264, single)),
            Format::Hevc => State::Nal(nal::Packetizer::new(nal::Syntax::Hevc, false)),
            Format::Av1 => State::Av1(av1::Packetizer::default()),
            Format::Vp9 { flexible } => State::Vp9(vp9::Packetizer::new(flexible)),
            Format::Vp8 => State::Vp8(vp8::Packetizer::default()),
            Format::Opus => State::Opus,
            Format::G711A | Format::G711U => State::G711,
            Format::Aac => State::Aac,
            Format::Latm => State::None,
        };
        Packetizer { format, mtu: mtu.clamp(MTU_MIN, MTU_MAX), state }
    }

    /// Leaves the supplemental enhancement information of H.264 out.
    #[must_use]
    pub fn without_sei(mut self) -> Packetizer {
        if let State::Nal(nal) = &mut self.state {
            nal.leave_out_sei();
        }
        self
    }

    /// The largest payload, in bytes.
    pub fn mtu(&self) -> usize {
        self.mtu
    }

    /// Replaces what is in `out` by the frame's payloads: none for a configuration or an empty frame.
    ///
    /// After an error `out` is empty and the frame is not sent.
    pub fn frame(&mut self, frame: &Frame, out: &mut Payloads) -> Result<(), PacketizeError> {
        out.clear();
        if frame.codec != self.format.codec() || frame.kind == Kind::Script {
            return Err(PacketizeError::Codec { frame: frame.codec, format: self.format });
        }
        let done = match frame.kind {
            Kind::Config => self.configure(frame),
            _ => self.media(frame, out),
        };
        if done.is_err() {
            out.clear();
        }
        done
    }

    fn configure(&mut self, frame: &Frame) -> Result<(), PacketizeError> {
        match &mut self.state {
            State::Nal(nal) => nal.configure(&frame.payload),
            State::Av1(av1) => av1.configure(&frame.payload),
            _ => Ok(()),
        }
    }

    fn media(&mut self, frame: &Frame, out: &mut Payloads) -> Result<(), PacketizeError> {
        let (key, mtu, payload) = (frame.kind == Kind::Key, self.mtu, &frame.payload);
        if payload.is_empty() {
            return Ok(());
        }
        match &mut self.state {
            State::Nal(nal) => nal.frame(key, payload, mtu, out),
            State::Av1(av1) => {
                av1.frame(key, payload, mtu, out);
                Ok(())
            }
            State::Vp9(vp9) => {
                vp9.frame(payload, mtu, out);
                Ok(())
            }
            State::Vp8(vp8) => {
                vp8.frame(payload, mtu, out);
                Ok(())
            }
            State::Opus => sound::put_opus(payload, mtu, out),
            State::G711 => {
                sound::put_g711(payload, mtu, out);
                Ok(())
            }
            State::Aac => aac::put(payload, mtu, out),
            State::None => Err(PacketizeError::InOnly(self.format)),
        }
    }
}

/// A frame that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PacketizeError {
    /// The track's codec is another than what was negotiated.
    #[error("cannot send {frame:?} as {format:?}: negotiate again or convert")]
    Codec {
        /// The frame's codec.
        frame: Codec,
        /// What was negotiated.
        format: Format,
    },
    /// The configuration is broken; key frames go without it.
    #[error("cannot send parameter sets in band: {0}")]
    Config(#[from] ParseError),
    /// It cannot be divided.
    #[error("cannot send {what} of {len} bytes in a payload of at most {max}")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its bytes.
        len: usize,
        /// What fits.
        max: usize,
    },
    /// This format is only received.
    #[error("cannot send {0:?}: it is only received")]
    InOnly(Format),
}
