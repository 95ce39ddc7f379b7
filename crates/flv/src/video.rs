use crate::enhanced::{self, Part};
use crate::{FlvError, Parsed, annexb};
use bytes::Bytes;
use headwater_media::{Codec, CodecTag, Frame, Kind, Reader, Time, Track};

pub(crate) const ID_AVC: u8 = 7;
pub(crate) const ID_HEVC: u8 = 12;
pub(crate) const ENHANCED: u8 = 0x80;

pub(crate) const FRAME_KEY: u8 = 1;
pub(crate) const FRAME_INTER: u8 = 2;
const FRAME_DISPOSABLE: u8 = 3;
const FRAME_GENERATED_KEY: u8 = 4;
const FRAME_COMMAND: u8 = 5;

// AVCPacketType, and the first packet types of Enhanced RTMP.
pub(crate) const SEQUENCE_START: u8 = 0;
pub(crate) const CODED: u8 = 1;
const SEQUENCE_END: u8 = 2;
pub(crate) const CODED_X: u8 = 3;
const METADATA: u8 = 4;
const MPEG2TS_START: u8 = 5;
const MULTITRACK: u8 = 6;

/// Reads the body of a video tag (FLV 10.1 E.4.3, E-RTMP v2 "Enhanced Video") that was stamped `dts`.
pub fn parse_video(body: &Bytes, dts: Time) -> Result<Parsed, FlvError> {
    let mut input = Reader::new(body);
    let Ok(head) = input.u8() else { return Ok(Parsed::Ignored("empty video tag")) };
    if head & ENHANCED != 0 { enhanced(body, input, head, dts) } else { legacy(body, input, head, dts) }
}

fn legacy(body: &Bytes, mut input: Reader<'_>, head: u8, dts: Time) -> Result<Parsed, FlvError> {
    let codec = match head & 0x0f {
        ID_AVC => Codec::H264,
        ID_HEVC => Codec::Hevc,
        _ => return Ok(Parsed::Ignored("video of a codec that is not carried; publish H.264, HEVC or AV1")),
    };
    let Some(kind) = kind(head >> 4)? else { return Ok(Parsed::Ignored("video info frame")) };
    let packet_type = input.u8().map_err(FlvError::short("AVC packet type"))?;
    let composition = input.i24().map_err(FlvError::short("composition time"))?;
    let payload = body.slice(input.position()..);
    let kind = match packet_type {
        SEQUENCE_START => Kind::Config,
        CODED => kind,
        SEQUENCE_END => return Ok(Parsed::Ignored("end of video sequence")),
        value => return Err(FlvError::Undefined { what: "AVC packet type", value: value.into() }),
    };
    let pts = if kind == Kind::Config { dts } else { dts + Time::from_millis(composition.into()) };
    Ok(frame(codec, CodecTag::Legacy, kind, (dts, pts), payload))
}

fn enhanced(body: &Bytes, mut input: Reader<'_>, head: u8, dts: Time) -> Result<Parsed, FlvError> {
    let (nanos, packet_type) = enhanced::mod_ex(&mut input, head & 0x0f)?;
    let kind = match kind(head >> 4 & 0x07)? {
        Some(kind) => kind,
        None if packet_type == METADATA => return Ok(Parsed::Ignored("video metadata")),
        None => return Ok(Parsed::Ignored("video command")),
    };
    let part = match packet_type {
        MULTITRACK => enhanced::default_track(&mut input)?,
        packet_type => Some(enhanced::single(&mut input, packet_type)?),
    };
    match part {
        Some(part) => coded(body, &part, kind, dts, i64::from(nanos / 1000)),
        None => Ok(Parsed::Ignored("video of a further track")),
    }
}

fn coded(body: &Bytes, part: &Part, kind: Kind, dts: Time, micros: i64) -> Result<Parsed, FlvError> {
    let codec = match enhanced::codec(part.fourcc) {
        Some(codec @ (Codec::H264 | Codec::Hevc | Codec::Av1 | Codec::Vp9 | Codec::Vp8)) => codec,
        _ => return Ok(Parsed::Ignored("video of a FourCC that is not carried")),
    };
    let (start, end) = (part.start, part.end);
    let has_composition = part.packet_type == CODED && composes(codec);
    let (kind, skip, composition) = match part.packet_type {
        SEQUENCE_START => (Kind::Config, 0, 0),
        CODED if has_composition => {
            let bytes = body.get(start..end).unwrap_or_default();
            let ms = Reader::new(bytes).i24().map_err(FlvError::short("composition time"))?;
            (kind, 3, ms)
        }
        CODED | CODED_X => (kind, 0, 0),
        SEQUENCE_END => return Ok(Parsed::Ignored("end of video sequence")),
        METADATA => return Ok(Parsed::Ignored("video metadata")),
        MPEG2TS_START => return Ok(Parsed::Ignored("MPEG-2 TS sequence start")),
        value => return Err(FlvError::Undefined { what: "video packet type", value: value.into() }),
    };
    let offset = Time::from_millis(composition.into()) + Time::from_micros(micros);
    let pts = if kind == Kind::Config { dts } else { dts + offset };
    Ok(frame(codec, CodecTag::FourCc, kind, (dts, pts), body.slice(start + skip..end)))
}

/// Whether the codec reorders, so that its coded frames carry a composition time.
pub(crate) fn composes(codec: Codec) -> bool {
    matches!(codec, Codec::H264 | Codec::Hevc)
}

/// `None` for commands, which are no pictures.
fn kind(frame_type: u8) -> Result<Option<Kind>, FlvError> {
    match frame_type {
        FRAME_KEY | FRAME_GENERATED_KEY => Ok(Some(Kind::Key)),
        FRAME_INTER | FRAME_DISPOSABLE => Ok(Some(Kind::Inter)),
        FRAME_COMMAND => Ok(None),
        value => Err(FlvError::Undefined { what: "video frame type", value: value.into() }),
    }
}

fn frame(codec: Codec, tag: CodecTag, kind: Kind, (dts, pts): (Time, Time), payload: Bytes) -> Parsed {
    let payload = plain(codec, kind, payload);
    if payload.is_empty() {
        return Parsed::Ignored("video tag without data");
    }
    Parsed::Frame(Frame { track: Track::Video, codec, tag, kind, dts, pts, payload })
}

/// The payload in the form that `headwater_media` documents.
fn plain(codec: Codec, kind: Kind, payload: Bytes) -> Bytes {
    match (codec, kind) {
        (Codec::H264, Kind::Config) => annexb::to_config(&payload).unwrap_or(payload),
        (Codec::H264, _) => annexb::to_lengths(&payload).unwrap_or(payload),
        (Codec::Av1, Kind::Key | Kind::Inter) => without_delimiters(payload),
        _ => payload,
    }
}

/// Drops the temporal delimiters (AV1 5.6: OBU type 2, size 0) that open a temporal unit.
fn without_delimiters(mut payload: Bytes) -> Bytes {
    while let [head, 0, ..] = payload.as_ref() {
        if head & 0xfe != 0x12 {
            break;
        }
        payload = payload.slice(2..);
    }
    payload
}
