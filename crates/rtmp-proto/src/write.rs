use crate::wire::{self, EXTENDED};
use bytes::{BufMut, BytesMut};
use headwater_flv as flv;
use headwater_media::{Frame, Track};

const FMT3: u8 = 0xc0;
const HEADER: usize = 12;
const EXTENDED_LEN: usize = 4;

/// Appends one message as a chunk with a full header and continuing chunks (RTMP 5.3.1.2 types 0 and 3).
///
/// `parts` follow each other as the payload. `csid` is 2 to 63. An extended timestamp is repeated in every chunk. A
/// `chunk_size` of 0 counts as 1. A payload over [`wire::MESSAGE_MAX`] cannot be written and is left out.
pub fn write_message(
    csid: u8,
    type_id: u8,
    stream_id: u32,
    timestamp: u32,
    parts: &[&[u8]],
    chunk_size: usize,
    out: &mut BytesMut,
) {
    let chunk_size = chunk_size.max(1);
    let length = parts.iter().map(|p| p.len()).sum();
    if length > wire::MESSAGE_MAX {
        return;
    }
    out.reserve(message_len(length, timestamp, chunk_size));
    let extended = timestamp >= EXTENDED;
    out.put_u8(csid & 0x3f);
    out.put_uint(timestamp.min(EXTENDED).into(), 3);
    out.put_uint(length as u64, 3);
    out.put_u8(type_id);
    out.put_u32_le(stream_id);
    if extended {
        out.put_u32(timestamp);
    }
    let mut room = chunk_size;
    for mut part in parts.iter().copied() {
        while !part.is_empty() {
            if room == 0 {
                out.put_u8(FMT3 | csid & 0x3f);
                if extended {
                    out.put_u32(timestamp);
                }
                room = chunk_size;
            }
            let (now, later) = part.split_at(room.min(part.len()));
            out.put_slice(now);
            room -= now.len();
            part = later;
        }
    }
}

/// Appends `frame` as the message of its track: script on chunk stream 4, video 6, audio 7, message stream 1.
pub fn write_frame(frame: &Frame, timestamp_ms: u32, chunk_size: usize, out: &mut BytesMut) {
    let csid = match frame.track {
        Track::Script => wire::CSID_DATA,
        Track::Video => wire::CSID_VIDEO,
        Track::Audio => wire::CSID_AUDIO,
    };
    let parts: [&[u8]; 2] = [&flv::header(frame), &frame.payload];
    let type_id = flv::tag_type(frame.track);
    write_message(csid, type_id, wire::STREAM_ID, timestamp_ms, &parts, chunk_size, out);
}

/// Bytes that [`write_frame`] appends; 0 when the frame is too large.
pub fn frame_len(frame: &Frame, timestamp_ms: u32, chunk_size: usize) -> usize {
    match flv::header(frame).len() + frame.payload.len() {
        length if length > wire::MESSAGE_MAX => 0,
        length => message_len(length, timestamp_ms, chunk_size.max(1)),
    }
}

fn message_len(length: usize, timestamp: u32, chunk_size: usize) -> usize {
    let extended = if timestamp >= EXTENDED { EXTENDED_LEN } else { 0 };
    let continuing = length.div_ceil(chunk_size).saturating_sub(1);
    HEADER + extended + length + continuing * (1 + extended)
}
