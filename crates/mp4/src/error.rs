use headwater_media::codec::ParseError;
use headwater_media::{Codec, Short};
use thiserror::Error;

/// What cannot be written to or read from MP4.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Mp4Error {
    /// The codec has no place here.
    #[error("cannot carry {0:?} in MP4; leave the track out")]
    Codec(Codec),
    /// A track cannot be described by this frame.
    #[error("cannot describe a {0:?} track without its decoder configuration; wait for it")]
    NoConfig(Codec),
    /// A decoder configuration cannot be parsed.
    #[error("cannot describe the track: {0}")]
    Config(#[from] ParseError),
    /// A frame's codec or configuration is not the one of the initialisation segment.
    #[error("the decoder configuration of the {0:?} track changed; start a new initialisation segment")]
    Changed(Codec),
    /// Too much waits, or too much was recorded.
    #[error("the {0} is full; take a chunk, or finish the file and start another")]
    Full(&'static str),
    /// A timestamp too far from the one before for the 32-bit fields of a sample.
    #[error("a timestamp jumped too far for one file; start another")]
    Jump,
    /// A box ends too early.
    #[error("cannot read box {kind}: {short}")]
    Short {
        /// The box's four characters.
        kind: String,
        /// What was missing.
        short: Short,
    },
    /// A box says what cannot be, or what exceeds the limits of this server.
    #[error("cannot read box {kind}: {problem}")]
    Box {
        /// The box's four characters.
        kind: String,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Mp4Error {
    pub(crate) fn invalid(kind: &[u8; 4], problem: &'static str) -> Mp4Error {
        Mp4Error::Box { kind: kind.escape_ascii().to_string(), problem }
    }

    pub(crate) fn short(kind: &[u8; 4]) -> impl Fn(Short) -> Mp4Error {
        let kind = kind.escape_ascii().to_string();
        move |short| Mp4Error::Short { kind: kind.clone(), short }
    }
}
