//! What codecs say about themselves: decoder configurations and bitstream headers.
//!
//! One file a codec. Each parses its configuration into a small struct and offers what muxers and statistics
//! need. To add a codec: a file here, a variant in [`crate::Codec`]; the exhaustive `match`es show the rest.
//!
//! Nothing here decodes pictures or sound, and nothing panics: bytes that break their specification give a
//! [`ParseError`] that names the structure and the place.

pub mod aac;
pub mod av1;
pub mod avc;
mod bits;
pub mod hevc;
pub mod mp3;
pub mod nal;
pub mod opus;
pub mod vp8;
pub mod vp9;

use crate::{Codec, Frame, Kind, Short, Track};
use thiserror::Error;

/// The name the API shows for a profile or level that it has no name for.
pub const OTHER: &str = "Other";

/// What a video configuration says, in the field's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoInfo {
    /// Codec.
    pub codec: Codec,
    /// Profile, as SRS's API names it (`High`, `Main10`, …; `Other` when unknown).
    pub profile: &'static str,
    /// Level, as SRS's API names it (`3.1`, …; `Other` when unknown).
    pub level: String,
    /// Picture width in pixels after cropping; 0 when unknown.
    pub width: u32,
    /// Picture height in pixels after cropping; 0 when unknown.
    pub height: u32,
}

/// What an audio configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioInfo {
    /// Codec.
    pub codec: Codec,
    /// Sampling rate in Hz.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u8,
    /// AAC profile as SRS's API names it (`LC`, `HE`, …); `Other` for other codecs.
    pub profile: &'static str,
}

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("cannot parse {what}: {fault}")]
pub struct ParseError {
    /// The structure, by its specification's name.
    pub what: &'static str,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// It ends too early.
    #[error("{0}")]
    Short(#[from] Short),
    /// A field has a value that the specification forbids or that this server does not know.
    #[error("{field} is {value}, which is invalid or not supported")]
    Value {
        /// The field, by its specification's name.
        field: &'static str,
        /// Its value.
        value: u64,
    },
}

impl Fault {
    fn value(field: &'static str, value: impl Into<u64>) -> Fault {
        Fault::Value { field, value: value.into() }
    }

    fn within(self, what: &'static str) -> ParseError {
        ParseError { what, fault: self }
    }
}

/// What a video frame says about its track: configurations of H.264, HEVC, AV1 and VP9, key frames of VP9 and VP8.
///
/// `None` for frames that say nothing, and for configurations that cannot be parsed.
pub fn describe_video(frame: &Frame) -> Option<VideoInfo> {
    if frame.track != Track::Video {
        return None;
    }
    let payload = &frame.payload;
    match (frame.codec, frame.kind) {
        (Codec::H264, Kind::Config) => avc::Config::parse(payload).ok().map(|c| c.info()),
        (Codec::Hevc, Kind::Config) => hevc::Config::parse(payload).ok().map(|c| c.info()),
        (Codec::Av1, Kind::Config) => av1::Config::parse(payload).ok().map(|c| c.info()),
        (Codec::Vp9, Kind::Config) => vp9::Config::parse(payload).ok().map(|c| c.info()),
        (Codec::Vp9, Kind::Key) => vp9::Header::parse(payload).ok().and_then(|h| h.info()),
        (Codec::Vp8, Kind::Key) => vp8::info(payload).ok(),
        _ => None,
    }
}

/// What an audio frame says about its track: configurations of AAC and Opus, any frame of MP3 and G.711.
///
/// `None` for frames that say nothing, and for configurations that cannot be parsed.
pub fn describe_audio(frame: &Frame) -> Option<AudioInfo> {
    if frame.track != Track::Audio {
        return None;
    }
    let payload = &frame.payload;
    match (frame.codec, frame.kind) {
        (Codec::Aac, Kind::Config) => aac::Config::parse(payload).ok().map(|c| c.info()),
        (Codec::Opus, Kind::Config) => opus::Config::parse(payload).ok().map(|c| c.info()),
        (Codec::Mp3, Kind::Key) => mp3::Header::parse(payload).ok().map(|h| h.info()),
        (Codec::G711A | Codec::G711U, Kind::Key) => {
            Some(AudioInfo { codec: frame.codec, sample_rate: 8000, channels: 1, profile: OTHER })
        }
        _ => None,
    }
}

/// The RFC 6381 codec string of a track (`avc1.64001f`, `mp4a.40.2`, …), from its configuration or, where the codec
/// has none, from a frame.
pub fn codec_string(frame: &Frame) -> Option<String> {
    let payload = &frame.payload;
    match (frame.codec, frame.kind) {
        (Codec::H264, Kind::Config) => avc::Config::parse(payload).ok().map(|c| c.codec_string()),
        (Codec::Hevc, Kind::Config) => hevc::Config::parse(payload).ok().map(|c| c.codec_string()),
        (Codec::Av1, Kind::Config) => av1::Config::parse(payload).ok().map(|c| c.codec_string()),
        (Codec::Vp9, Kind::Config) => vp9::Config::parse(payload).ok().map(|c| c.codec_string()),
        (Codec::Aac, Kind::Config) => aac::Config::parse(payload).ok().map(|c| c.codec_string()),
        (Codec::Vp8, _) => Some("vp8".into()),
        (Codec::Opus, _) => Some("opus".into()),
        (Codec::Mp3, _) => Some("mp4a.6b".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CodecTag, Time};
    use bytes::Bytes;
    use proptest::prelude::*;

    const ALL: [Codec; 10] = [
        Codec::H264,
        Codec::Hevc,
        Codec::Av1,
        Codec::Vp9,
        Codec::Vp8,
        Codec::Aac,
        Codec::Opus,
        Codec::Mp3,
        Codec::G711A,
        Codec::G711U,
    ];

    /// Bytes from hexadecimal digits; what follows `//` on a line is a comment.
    pub(super) fn hex(text: &str) -> Bytes {
        let code = text.lines().filter_map(|line| line.split("//").next());
        let digits = code.flat_map(str::chars).filter_map(|c| c.to_digit(16));
        let digits: Vec<u8> = digits.map(|d| u8::try_from(d).unwrap()).collect();
        digits.chunks_exact(2).map(|d| d[0] << 4 | d[1]).collect::<Vec<u8>>().into()
    }

    fn frame(track: Track, codec: Codec, kind: Kind, payload: Bytes) -> Frame {
        let tag = CodecTag::default();
        Frame { track, codec, tag, kind, dts: Time::ZERO, pts: Time::ZERO, payload }
    }

    fn describe_everything(payload: &Bytes) {
        for codec in ALL {
            for kind in [Kind::Config, Kind::Key, Kind::Inter] {
                for track in [Track::Video, Track::Audio] {
                    let f = frame(track, codec, kind, payload.clone());
                    let _ = (describe_video(&f), describe_audio(&f), codec_string(&f));
                }
            }
        }
    }

    /// Real configurations, to be damaged.
    fn fixtures() -> Vec<Bytes> {
        vec![hex(avc::tests::HIGH_1080), hex(hevc::tests::MAIN), hex(av1::tests::AV1C), hex(vp9::tests::KEY)]
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(payload in prop::collection::vec(any::<u8>(), 0..300)) {
            describe_everything(&payload.into());
        }

        #[test]
        fn damaged_configurations_never_panic(
            which in 0usize..4,
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut payload = fixtures()[which].to_vec();
            for (at, byte) in damage {
                let at = at.index(payload.len());
                payload[at] = byte;
            }
            describe_everything(&payload.clone().into());
            payload.truncate(cut.index(payload.len()));
            describe_everything(&payload.into());
        }
    }

    #[test]
    fn every_prefix_of_a_configuration_is_answered() {
        for payload in fixtures() {
            (0..payload.len()).for_each(|n| describe_everything(&payload.slice(..n)));
        }
    }

    #[test]
    fn codecs_without_configuration_are_described_by_their_frames() {
        let g711 = frame(Track::Audio, Codec::G711U, Kind::Key, Bytes::from_static(&[0xff]));
        let expected = AudioInfo { codec: Codec::G711U, sample_rate: 8000, channels: 1, profile: "Other" };
        assert_eq!(describe_audio(&g711), Some(expected));
        assert_eq!(describe_video(&g711), None);
    }
}
