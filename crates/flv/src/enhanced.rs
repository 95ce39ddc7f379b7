//! What Enhanced RTMP's video and audio tags share: FourCCs, ModEx, multitrack (E-RTMP v2, "Enhanced Audio",
//! "Enhanced Video").

use crate::FlvError;
use headwater_media::{Codec, Reader};

pub(crate) const MOD_EX: u8 = 7;

const ONE_TRACK: u8 = 0;
const MANY_TRACKS: u8 = 1;
const MANY_TRACKS_MANY_CODECS: u8 = 2;
const DEFAULT_TRACK: u8 = 0;
/// ModEx type 0: nanoseconds to add to the presentation time, 24 bits.
const TIMESTAMP_OFFSET_NANO: u8 = 0;
/// Most ModEx prefixes read; the specification defines one.
const MOD_EX_MAX: usize = 8;

/// FourCCs of the codecs that have one.
const FOURCCS: [(Codec, [u8; 4]); 8] = [
    (Codec::H264, *b"avc1"),
    (Codec::Hevc, *b"hvc1"),
    (Codec::Av1, *b"av01"),
    (Codec::Vp9, *b"vp09"),
    (Codec::Vp8, *b"vp08"),
    (Codec::Aac, *b"mp4a"),
    (Codec::Opus, *b"Opus"),
    (Codec::Mp3, *b".mp3"),
];

pub(crate) fn fourcc(codec: Codec) -> Option<[u8; 4]> {
    FOURCCS.iter().find(|(c, _)| *c == codec).map(|(_, name)| *name)
}

pub(crate) fn codec(name: [u8; 4]) -> Option<Codec> {
    FOURCCS.iter().find(|(_, n)| *n == name).map(|(codec, _)| *codec)
}

/// The nanoseconds of a chain of ModEx prefixes, and the packet type behind them.
pub(crate) fn mod_ex(input: &mut Reader<'_>, mut packet_type: u8) -> Result<(u32, u8), FlvError> {
    let mut nanos = 0;
    for _ in 0..MOD_EX_MAX {
        if packet_type != MOD_EX {
            return Ok((nanos, packet_type));
        }
        let (kind, data);
        (kind, data, packet_type) = mod_ex_one(input).map_err(FlvError::short("ModEx prefix"))?;
        if let (TIMESTAMP_OFFSET_NANO, Ok(n)) = (kind, Reader::new(data).u24()) {
            nanos = n;
        }
    }
    Err(FlvError::Undefined { what: "chain of ModEx prefixes", value: MOD_EX_MAX as u32 })
}

fn mod_ex_one<'a>(input: &mut Reader<'a>) -> Result<(u8, &'a [u8], u8), headwater_media::Short> {
    let mut size = usize::from(input.u8()?) + 1;
    if size == 256 {
        size = usize::from(input.u16()?) + 1;
    }
    let data = input.bytes(size)?;
    let types = input.u8()?;
    Ok((types >> 4, data, types & 0x0f))
}

/// One track's part of a tag body.
pub(crate) struct Part {
    /// Packet type, with those of ModEx and multitrack resolved.
    pub(crate) packet_type: u8,
    pub(crate) fourcc: [u8; 4],
    /// Offsets of the part's bytes in the tag body.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The part of a body with one codec and one track: a FourCC and the rest.
pub(crate) fn single(input: &mut Reader<'_>, packet_type: u8) -> Result<Part, FlvError> {
    let fourcc = input.array().map_err(FlvError::short("FourCC"))?;
    let start = input.position();
    Ok(Part { packet_type, fourcc, start, end: start + input.left() })
}

/// The default track of a multitrack body; `None` when it is not there.
pub(crate) fn default_track(input: &mut Reader<'_>) -> Result<Option<Part>, FlvError> {
    let mut found = None;
    tracks(input, |id, part| {
        if id == DEFAULT_TRACK && found.is_none() {
            found = Some(part);
        }
    })?;
    Ok(found)
}

fn tracks(input: &mut Reader<'_>, mut each: impl FnMut(u8, Part)) -> Result<(), FlvError> {
    let short = || FlvError::short("multitrack body");
    let types = input.u8().map_err(short())?;
    let (kind, packet_type) = (types >> 4, types & 0x0f);
    if !matches!(kind, ONE_TRACK | MANY_TRACKS | MANY_TRACKS_MANY_CODECS) {
        return Err(FlvError::Undefined { what: "multitrack type", value: kind.into() });
    }
    let mut fourcc = [0; 4];
    if kind != MANY_TRACKS_MANY_CODECS {
        fourcc = input.array().map_err(short())?;
    }
    loop {
        if kind == MANY_TRACKS_MANY_CODECS {
            fourcc = input.array().map_err(short())?;
        }
        let id = input.u8().map_err(short())?;
        let size = if kind == ONE_TRACK { input.left() } else { input.u24().map_err(short())? as usize };
        let start = input.position();
        input.skip(size).map_err(short())?;
        each(id, Part { packet_type, fourcc, start, end: start + size });
        if input.is_empty() {
            return Ok(());
        }
    }
}
