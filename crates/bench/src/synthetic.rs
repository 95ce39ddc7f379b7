//! A made-up stream that servers take for real: H.264 with AAC or Opus, true decoder configurations, and pictures and
//! sound of the right sizes and rates with nothing in them.
//!
//! Nothing here can be decoded into a picture; the sound is silence in large frames. Every picture has room for a [`mark`](crate::mark).

use crate::mark;
use bytes::Bytes;
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use std::iter;
use std::time::Duration;

/// AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1).
const AVC_CONFIG: &[u8] = &[
    0x01, // configurationVersion
    0x42, 0xC0, 0x1E, // Constrained Baseline, level 3.0
    0xFF, // four-byte NAL unit lengths
    0xE1, 0x00, 0x09, // one SPS of nine bytes
    0x67, 0x42, 0xC0, 0x1E, 0xDA, 0x02, 0x80, 0xF6, 0x40, // 640 × 480 (H.264 7.3.2.1.1)
    0x01, 0x00, 0x04, // one PPS of four bytes
    0x68, 0xCE, 0x3C, 0x80, // (H.264 7.3.2.2)
];
/// AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1): AAC-LC, 44,100 Hz, two channels.
const AAC_CONFIG: &[u8] = &[0x12, 0x10];

/// NAL unit of an IDR slice: header (nal_ref_idc 3, type 5), then first_mb_in_slice 0, slice_type 7, parameter set 0.
const IDR: [u8; 3] = [0x65, 0x88, 0x84];
/// NAL unit of another slice: header (nal_ref_idc 2, type 1), then first_mb_in_slice 0, slice_type 5, parameter set 0.
const SLICE: [u8; 3] = [0x41, 0x9A, 0x02];
/// Where the mark stands in a picture: after the NAL unit's length and first bytes.
const MARK_AT: usize = 4 + IDR.len();

/// Sound takes at most this part of the stream's bit rate.
const SOUND_PART: u64 = 5;
/// The first byte of a packet of Opus (RFC 6716 3.1): CELT, full band, 20 ms, stereo, one frame.
const OPUS_TOC: u8 = 0xFC;
/// A key picture is this many times as large as another.
const KEY_WEIGHT: u64 = 5;

/// Sizes and rates of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    /// Bits a second, sound and pictures together.
    pub(crate) bitrate: u64,
    /// Pictures a second.
    pub(crate) fps: u32,
    /// Pictures from one key picture to the next.
    pub(crate) gop: u32,
    pub(crate) sound: Sound,
}

/// How a stream's sound is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sound {
    /// 128 kb/s, frames of 1,024 samples at 44.1 kHz: what RTMP carries.
    Aac,
    /// 48 kb/s, packets of 20 ms: what WebRTC carries.
    Opus,
}

impl Sound {
    /// Bits a second, if the stream has room for them.
    fn bits(self) -> u64 {
        match self {
            Sound::Aac => 128_000,
            Sound::Opus => 48_000,
        }
    }

    /// Samples of a frame.
    fn frame(self) -> u64 {
        match self {
            Sound::Aac => 1024,
            Sound::Opus => 960,
        }
    }

    /// Samples a second.
    fn rate(self) -> u64 {
        match self {
            Sound::Aac => 44_100,
            Sound::Opus => 48_000,
        }
    }
}

/// What is due at a moment of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    KeyPicture,
    Picture,
    Sound,
}

impl Shape {
    /// The same with Opus.
    pub(crate) fn with_opus(self) -> Shape {
        Shape { sound: Sound::Opus, ..self }
    }

    /// The decoder configurations of pictures and of AAC, which come first.
    pub(crate) fn configs(self) -> [Frame; 2] {
        let video = Bytes::from_static(AVC_CONFIG);
        let audio = Bytes::from_static(AAC_CONFIG);
        [
            frame(Track::Video, Codec::H264, Kind::Config, video),
            frame(Track::Audio, Codec::Aac, Kind::Config, audio),
        ]
    }

    /// A frame of this kind at time zero, its mark unset.
    pub(crate) fn sample(self, piece: Piece) -> Frame {
        match piece {
            Piece::KeyPicture => picture(Kind::Key, IDR, self.picture_len() * KEY_WEIGHT),
            Piece::Picture => picture(Kind::Inter, SLICE, self.picture_len()),
            Piece::Sound => self.sound_sample(),
        }
    }

    fn sound_sample(self) -> Frame {
        let len = self.sound_len();
        let (codec, payload) = match self.sound {
            Sound::Aac => (Codec::Aac, silence(len)),
            Sound::Opus => (Codec::Opus, iter::once(OPUS_TOC).chain(filler(len - 1)).collect()),
        };
        frame(Track::Audio, codec, Kind::Key, payload.into())
    }

    /// Bits of sound a second.
    fn sound_bits(self) -> u64 {
        self.sound.bits().min(self.bitrate / SOUND_PART)
    }

    /// Bytes of one piece of sound.
    fn sound_len(self) -> u64 {
        (self.sound_bits() * self.sound.frame() / self.sound.rate() / 8).max(8)
    }

    /// Bytes of a picture that is not a key picture.
    fn picture_len(self) -> u64 {
        let sound = self.sound_bits();
        let gop = u64::from(self.gop.max(1));
        let a_gop = (self.bitrate - sound) / 8 * gop / u64::from(self.fps.max(1));
        a_gop / (gop - 1 + KEY_WEIGHT)
    }

    /// Bytes of all pictures and sound in one second, without any container.
    pub(crate) fn payload_rate(self) -> f64 {
        let gop = f64::from(self.gop.max(1));
        let picture = self.picture_len() as f64 * (gop - 1.0 + KEY_WEIGHT as f64) / gop * f64::from(self.fps);
        picture + self.sound_len() as f64 * self.sound.rate() as f64 / self.sound.frame() as f64
    }
}

/// The order and times of a stream's pieces, without end.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    shape: Shape,
    pictures: u64,
    sounds: u64,
}

impl Timeline {
    pub(crate) fn new(shape: Shape) -> Self {
        Timeline { shape, pictures: 0, sounds: 0 }
    }

    /// When the next piece is due, from the start of the stream.
    pub(crate) fn due(&self) -> Duration {
        self.picture_due().min(self.sound_due())
    }

    fn picture_due(&self) -> Duration {
        Duration::from_micros(self.pictures * 1_000_000 / u64::from(self.shape.fps.max(1)))
    }

    fn sound_due(&self) -> Duration {
        let sound = self.shape.sound;
        Duration::from_micros(self.sounds * sound.frame() * 1_000_000 / sound.rate())
    }
}

impl Iterator for Timeline {
    type Item = (Duration, Piece);

    fn next(&mut self) -> Option<(Duration, Piece)> {
        let due = self.due();
        if self.sound_due() < self.picture_due() {
            self.sounds += 1;
            return Some((due, Piece::Sound));
        }
        let key = self.pictures.is_multiple_of(u64::from(self.shape.gop.max(1)));
        self.pictures += 1;
        Some((due, if key { Piece::KeyPicture } else { Piece::Picture }))
    }
}

fn picture(kind: Kind, start: [u8; 3], len: u64) -> Frame {
    let mut payload = filler(len.max((MARK_AT + mark::LEN) as u64));
    let nal_len = (payload.len() - 4) as u32;
    let head = nal_len.to_be_bytes().into_iter().chain(start).chain(mark::encode(Duration::ZERO));
    payload.iter_mut().zip(head).for_each(|(byte, head)| *byte = head);
    frame(Track::Video, Codec::H264, kind, payload.into())
}

/// A frame of AAC of `len` bytes: two silent channels, and fill elements (ISO/IEC 14496-3 4.4.2.1).
fn silence(len: u64) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(3, 1); // channel pair element
    bits.put(4, 0); // its number
    bits.put(1, 1); // one window for both channels
    bits.put(1 + 2 + 1 + 6 + 1, 0); // one long window, no bands, no prediction
    bits.put(2, 0); // no mid/side stereo
    for _ in 0..2 {
        bits.put(8, 0); // gain
        bits.put(3, 0); // neither pulses nor noise shaping nor gain control
    }
    let room = (len * 8).saturating_sub(3);
    while let Some(left) = room.checked_sub(bits.len() + 7) {
        bits.put(3, 6); // fill element
        // counts from 15 on have eight bits more
        let count = if left >= 8 + 15 * 8 { ((left - 8) / 8).min(15 + 254) } else { (left / 8).min(14) };
        bits.put(4, count.min(15));
        if count >= 15 {
            bits.put(8, count - 14);
        }
        (0..count).for_each(|at| bits.put(8, if at == 0 { 0 } else { 0xA5 }));
    }
    bits.put(3, 7); // end
    bits.bytes(len)
}

/// Bits, first the highest of each byte.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn put(&mut self, count: u32, value: u64) {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    }

    /// All bits, padded with zeros to `len` bytes.
    fn bytes(&self, len: u64) -> Vec<u8> {
        let mut bytes: Vec<u8> = self
            .0
            .chunks(8)
            .map(|bits| (0..8).fold(0, |byte, at| byte << 1 | u8::from(bits.get(at) == Some(&true))))
            .collect();
        bytes.resize(len as usize, 0);
        bytes
    }
}

/// Bytes without zeros, so that no start code can come about.
fn filler(len: u64) -> Vec<u8> {
    (0..len).map(|i| 0x80 | (i.wrapping_mul(31) >> 3) as u8).collect()
}

fn frame(track: Track, codec: Codec, kind: Kind, payload: Bytes) -> Frame {
    Frame { track, codec, tag: CodecTag::Legacy, kind, dts: Time::ZERO, pts: Time::ZERO, payload }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { bitrate: 2_100_000, fps: 25, gop: 50, sound: Sound::Aac };

    #[test]
    fn ten_seconds_hold_the_right_pieces_and_bytes() {
        let pieces: Vec<_> =
            Timeline::new(SHAPE).take_while(|(due, _)| *due < Duration::from_secs(10)).collect();
        let count = |wanted| pieces.iter().filter(|(_, piece)| *piece == wanted).count();
        assert_eq!(count(Piece::KeyPicture), 5);
        assert_eq!(count(Piece::Picture), 245);
        assert_eq!(count(Piece::Sound), 431);
        assert!(pieces.is_sorted_by_key(|(due, _)| *due));
        let bytes: usize = pieces.iter().map(|(_, piece)| SHAPE.sample(*piece).payload.len()).sum();
        let bits_per_second = bytes as f64 * 8.0 / 10.0;
        assert!((2_080_000.0..2_100_000.0).contains(&bits_per_second), "{bits_per_second}");
        assert!((SHAPE.payload_rate() * 8.0 - bits_per_second).abs() < 2_000.0);
    }

    #[test]
    fn a_stream_starts_with_a_key_picture() {
        assert_eq!(Timeline::new(SHAPE).next(), Some((Duration::ZERO, Piece::KeyPicture)));
    }

    #[test]
    fn pictures_have_a_mark_and_no_start_codes() {
        for piece in [Piece::KeyPicture, Piece::Picture] {
            let payload = SHAPE.sample(piece).payload;
            assert_eq!(mark::decode(&payload), Some(Duration::ZERO));
            assert!(payload[4..].windows(2).all(|pair| pair != [0, 0]));
            let length = u32::from_be_bytes([payload[0], payload[1], payload[2], payload[3]]);
            assert_eq!(length as usize, payload.len() - 4);
        }
    }

    #[test]
    fn sound_is_as_long_as_it_is_to_be() {
        for len in 8..700 {
            let frame = silence(len);
            assert_eq!(frame.len() as u64, len);
            assert_eq!(frame[0], 0b0010_0001, "{len}: a channel pair with one window for both");
        }
    }

    #[test]
    fn the_smallest_stream_still_has_whole_pictures() {
        let tiny = Shape { bitrate: 1, fps: 1, gop: 1, sound: Sound::Aac };
        assert!(mark::decode(&tiny.sample(Piece::Picture).payload).is_some());
        assert!(!tiny.sample(Piece::Sound).payload.is_empty());
    }
}
