use crate::{audio, enhanced, video};
use headwater_media::{Codec, CodecTag, Frame, Kind, Track};
use std::ops::Deref;

const CAPACITY: usize = 8;
/// Sound flags of FLV 10.1 E.4.2.1: 44 kHz, 16 bits, stereo. AAC must say so; for MP3 decoders read the frames.
const FLAGS_44K_STEREO: u8 = 0x0f;
/// 5.5 kHz (there is no 8), 16 bits, mono: what encoders write for G.711.
const FLAGS_G711: u8 = 0x02;

/// The bytes of a tag body that stand before the payload: 0 to 8 of them, held in place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmallHeader {
    bytes: [u8; CAPACITY],
    len: u8,
}

impl SmallHeader {
    fn put(mut self, bytes: &[u8]) -> Self {
        for (to, from) in self.bytes.iter_mut().skip(self.len.into()).zip(bytes) {
            *to = *from;
            self.len += 1;
        }
        self
    }
}

impl Deref for SmallHeader {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }
}

/// What stands before the payload of `frame` in its tag body; nothing for script frames.
pub fn header(frame: &Frame) -> SmallHeader {
    match frame.track {
        Track::Video => video_header(frame),
        Track::Audio => audio_header(frame),
        Track::Script => SmallHeader::default(),
    }
}

/// What stands before the payload of a video frame. The codec is named the way its publisher named it; H.264 and
/// HEVC carry the composition time, in milliseconds limited to 24 bits.
pub fn video_header(frame: &Frame) -> SmallHeader {
    let frame_type = if frame.kind == Kind::Inter { video::FRAME_INTER } else { video::FRAME_KEY } << 4;
    let config = frame.kind == Kind::Config;
    let composition = if config { 0 } else { composition(frame) };
    let [_, cts @ ..] = composition.to_be_bytes();
    if let (CodecTag::Legacy, Some(id)) = (frame.tag, legacy_id(frame.codec)) {
        let packet_type = if config { video::SEQUENCE_START } else { video::CODED };
        return SmallHeader::default().put(&[frame_type | id, packet_type]).put(&cts);
    }
    let packet_type = match config {
        true => video::SEQUENCE_START,
        false if video::composes(frame.codec) && composition == 0 => video::CODED_X,
        false => video::CODED,
    };
    let head = SmallHeader::default()
        .put(&[video::ENHANCED | frame_type | packet_type])
        .put(&enhanced::fourcc(frame.codec).unwrap_or_default());
    if packet_type == video::CODED && video::composes(frame.codec) { head.put(&cts) } else { head }
}

/// What stands before the payload of an audio frame. The codec is named the way its publisher named it, except
/// that Opus has only a FourCC and G.711 has none.
pub fn audio_header(frame: &Frame) -> SmallHeader {
    let packet_type = if frame.kind == Kind::Config { audio::SEQUENCE_START } else { audio::CODED };
    let head = SmallHeader::default();
    match (frame.codec, frame.tag) {
        (Codec::Aac, CodecTag::Legacy) => head.put(&[audio::FORMAT_AAC << 4 | FLAGS_44K_STEREO, packet_type]),
        (Codec::Mp3, CodecTag::Legacy) => head.put(&[audio::FORMAT_MP3 << 4 | FLAGS_44K_STEREO]),
        (Codec::G711A, _) => head.put(&[audio::FORMAT_G711A << 4 | FLAGS_G711]),
        (Codec::G711U, _) => head.put(&[audio::FORMAT_G711U << 4 | FLAGS_G711]),
        (codec, _) => head
            .put(&[audio::FORMAT_ENHANCED << 4 | packet_type])
            .put(&enhanced::fourcc(codec).unwrap_or_default()),
    }
}

fn legacy_id(codec: Codec) -> Option<u8> {
    match codec {
        Codec::H264 => Some(video::ID_AVC),
        Codec::Hevc => Some(video::ID_HEVC),
        _ => None,
    }
}

/// From whole milliseconds to whole milliseconds, so that rounding the decoding time does not move the picture.
fn composition(frame: &Frame) -> i32 {
    (frame.pts.millis() - frame.dts.millis()).clamp(-(1 << 23), (1 << 23) - 1) as i32
}
