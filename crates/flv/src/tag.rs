use crate::header::header;
use bytes::{BufMut, BytesMut};
use headwater_media::{Frame, Track};

/// Tag type of audio.
pub const TAG_AUDIO: u8 = 0x08;
/// Tag type of video.
pub const TAG_VIDEO: u8 = 0x09;
/// Tag type of script data.
pub const TAG_SCRIPT: u8 = 0x12;
/// Longest tag body, in bytes: the size field has 24 bits.
pub const BODY_MAX: usize = 0xff_ffff;

/// Bytes of a tag around its body: 11 before it, the 4 of PreviousTagSize behind it.
const AROUND: usize = 11 + 4;

/// The file header (FLV 10.1 E.2) with the PreviousTagSize0 that follows it.
pub fn file_header(has_audio: bool, has_video: bool) -> [u8; 13] {
    let flags = u8::from(has_audio) << 2 | u8::from(has_video);
    [b'F', b'L', b'V', 0x01, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// The tag type of frames on `track`.
pub fn tag_type(track: Track) -> u8 {
    match track {
        Track::Audio => TAG_AUDIO,
        Track::Video => TAG_VIDEO,
        Track::Script => TAG_SCRIPT,
    }
}

/// Bytes that [`write_tag`] appends for `frame`: 0 when its body would be over [`BODY_MAX`].
pub fn tag_len(frame: &Frame) -> usize {
    match header(frame).len() + frame.payload.len() {
        body if body > BODY_MAX => 0,
        body => body + AROUND,
    }
}

/// Appends the whole tag of `frame` and the PreviousTagSize behind it (FLV 10.1 E.3, E.4). A frame over
/// [`BODY_MAX`] cannot be written and is left out.
pub fn write_tag(frame: &Frame, timestamp_ms: u32, out: &mut BytesMut) {
    let head = header(frame);
    let body = head.len() + frame.payload.len();
    if body > BODY_MAX {
        return;
    }
    out.reserve(body + AROUND);
    out.put_u8(tag_type(frame.track));
    out.put_uint(body as u64, 3);
    out.put_uint(u64::from(timestamp_ms & 0xff_ffff), 3);
    out.put_u8((timestamp_ms >> 24) as u8);
    out.put_uint(0, 3); // stream id
    out.put_slice(&head);
    out.put_slice(&frame.payload);
    out.put_u32(body as u32 + 11);
}
