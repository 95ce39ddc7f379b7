use crate::enhanced::{self, Part};
use crate::{FlvError, Parsed};
use bytes::Bytes;
use headwater_media::{Codec, CodecTag, Frame, Kind, Reader, Time, Track};

pub(crate) const FORMAT_MP3: u8 = 2;
pub(crate) const FORMAT_G711A: u8 = 7;
pub(crate) const FORMAT_G711U: u8 = 8;
pub(crate) const FORMAT_ENHANCED: u8 = 9;
pub(crate) const FORMAT_AAC: u8 = 10;

// AACPacketType, and the first packet types of Enhanced RTMP.
pub(crate) const SEQUENCE_START: u8 = 0;
pub(crate) const CODED: u8 = 1;
const SEQUENCE_END: u8 = 2;
const MULTICHANNEL_CONFIG: u8 = 4;
const MULTITRACK: u8 = 5;

/// Reads the body of an audio tag (FLV 10.1 E.4.2, E-RTMP v2 "Enhanced Audio") that was stamped `dts`.
pub fn parse_audio(body: &Bytes, dts: Time) -> Result<Parsed, FlvError> {
    let mut input = Reader::new(body);
    let Ok(head) = input.u8() else { return Ok(Parsed::Ignored("empty audio tag")) };
    let codec = match head >> 4 {
        FORMAT_ENHANCED => return enhanced(body, input, head & 0x0f, dts),
        FORMAT_AAC => return aac(body, input, dts),
        FORMAT_MP3 => Codec::Mp3,
        FORMAT_G711A => Codec::G711A,
        FORMAT_G711U => Codec::G711U,
        _ => {
            return Ok(Parsed::Ignored(
                "audio of a codec that is not carried; publish AAC, MP3, Opus or G.711",
            ));
        }
    };
    Ok(frame(codec, CodecTag::Legacy, Kind::Key, dts, body.slice(1..)))
}

fn aac(body: &Bytes, mut input: Reader<'_>, dts: Time) -> Result<Parsed, FlvError> {
    let kind = match input.u8().map_err(FlvError::short("AAC packet type"))? {
        SEQUENCE_START => Kind::Config,
        CODED => Kind::Key,
        value => return Err(FlvError::Undefined { what: "AAC packet type", value: value.into() }),
    };
    Ok(frame(Codec::Aac, CodecTag::Legacy, kind, dts, body.slice(2..)))
}

fn enhanced(body: &Bytes, mut input: Reader<'_>, packet_type: u8, dts: Time) -> Result<Parsed, FlvError> {
    let (nanos, packet_type) = enhanced::mod_ex(&mut input, packet_type)?;
    let part = match packet_type {
        MULTITRACK => enhanced::default_track(&mut input)?,
        packet_type => Some(enhanced::single(&mut input, packet_type)?),
    };
    match part {
        Some(part) => coded(body, &part, dts + Time::from_micros(i64::from(nanos / 1000))),
        None => Ok(Parsed::Ignored("audio of a further track")),
    }
}

fn coded(body: &Bytes, part: &Part, dts: Time) -> Result<Parsed, FlvError> {
    let codec = match enhanced::codec(part.fourcc) {
        Some(codec @ (Codec::Aac | Codec::Opus | Codec::Mp3)) => codec,
        _ => return Ok(Parsed::Ignored("audio of a FourCC that is not carried")),
    };
    let kind = match part.packet_type {
        SEQUENCE_START => Kind::Config,
        CODED => Kind::Key,
        SEQUENCE_END => return Ok(Parsed::Ignored("end of audio sequence")),
        MULTICHANNEL_CONFIG => return Ok(Parsed::Ignored("multichannel audio configuration")),
        value => return Err(FlvError::Undefined { what: "audio packet type", value: value.into() }),
    };
    Ok(frame(codec, CodecTag::FourCc, kind, dts, body.slice(part.start..part.end)))
}

fn frame(codec: Codec, tag: CodecTag, kind: Kind, dts: Time, payload: Bytes) -> Parsed {
    if payload.is_empty() {
        return Parsed::Ignored("audio tag without data");
    }
    Parsed::Frame(Frame { track: Track::Audio, codec, tag, kind, dts, pts: dts, payload })
}
