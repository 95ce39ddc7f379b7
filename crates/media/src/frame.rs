use crate::Time;
use bytes::Bytes;

/// One access unit of a track, one decoder configuration, or one script message.
///
/// Cloning is cheap: the payload is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it belongs to.
    pub track: Track,
    /// How the payload is coded; see the crate documentation for its form.
    pub codec: Codec,
    /// How the publisher's FLV named the codec; outputs in FLV and RTMP name it the same way.
    pub tag: CodecTag,
    /// What it means to a decoder.
    pub kind: Kind,
    /// Decoding time.
    pub dts: Time,
    /// Presentation time; equals `dts` for audio and script.
    pub pts: Time,
    /// The coded bytes.
    pub payload: Bytes,
}

impl Frame {
    /// Presentation time minus decoding time.
    pub fn composition(&self) -> Time {
        self.pts - self.dts
    }

    /// Whether a video decoder can start here.
    pub fn is_video_key(&self) -> bool {
        self.track == Track::Video && self.kind == Kind::Key
    }
}

/// The tracks a stream has: at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Track {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Script messages (`onMetaData` and its kin).
    Script,
}

/// How a payload is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the codecs' own")]
pub enum Codec {
    H264,
    Hevc,
    Av1,
    Vp9,
    Vp8,
    Aac,
    Opus,
    Mp3,
    /// G.711 A-law, 8 kHz mono.
    G711A,
    /// G.711 mu-law, 8 kHz mono.
    G711U,
    /// AMF0 values, as in an FLV script tag.
    Script,
}

impl Codec {
    /// Whether frames can only be decoded after a [`Kind::Config`] frame.
    pub fn needs_config(self) -> bool {
        matches!(self, Codec::H264 | Codec::Hevc | Codec::Av1 | Codec::Aac)
    }
}

/// How FLV names a codec: by the classic four-bit id, or by the FourCC of Enhanced RTMP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CodecTag {
    /// Four-bit codec id where FLV has one (H.264 7, HEVC 12, AAC 10, MP3 2), FourCC otherwise.
    #[default]
    Legacy,
    /// FourCC (`avc1`, `hvc1`, `av01`, `vp09`, `mp4a`, `Opus`, `.mp3`).
    FourCc,
}

/// What a frame means to a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Decoder configuration ("sequence header"); no picture and no sound.
    Config,
    /// Decodable by itself. Every audio frame is one.
    Key,
    /// Needs earlier frames.
    Inter,
    /// A script message.
    Script,
}
