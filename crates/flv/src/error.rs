use headwater_media::Short;
use thiserror::Error;

/// An FLV file, tag or tag body could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FlvError {
    /// The body ends inside a field.
    #[error("FLV {what} is cut short ({short}); the sender's muxer is broken or bytes were lost")]
    Truncated {
        /// The field or structure being read.
        what: &'static str,
        /// Where it ended.
        short: Short,
    },
    /// A field has a value that its specification does not define.
    #[error("FLV {what} has the undefined value {value:#x}; check the sender's muxer")]
    Undefined {
        /// The field.
        what: &'static str,
        /// Its value.
        value: u32,
    },
    /// A script body is not valid AMF0.
    #[error("reading an FLV script tag: {0}")]
    Amf(#[from] AmfError),
    /// A file does not begin with the FLV header.
    #[error("not an FLV file: it begins with {0:02x?}, not with 'FLV' and version 1")]
    NotFlv([u8; 4]),
}

impl FlvError {
    pub(crate) fn short(what: &'static str) -> impl FnOnce(Short) -> FlvError {
        move |short| FlvError::Truncated { what, short }
    }
}

/// An AMF value could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AmfError {
    /// The input ends inside a value.
    #[error("AMF value is cut short: {0}")]
    Truncated(#[from] Short),
    /// A marker that is undefined, or defined for values that no RTMP peer sends (movie clips, record sets, XML).
    #[error("AMF marker {marker:#04x} at offset {at} is not supported; send plain values")]
    Marker {
        /// The marker byte.
        marker: u8,
        /// Its offset.
        at: usize,
    },
    /// A reference to an earlier object.
    #[error("AMF reference at offset {at} is not supported; send the object itself")]
    Reference {
        /// Offset of the reference.
        at: usize,
    },
    /// Objects or arrays inside each other beyond [`crate::amf0::DEPTH_MAX`].
    #[error("AMF values nest deeper than {} levels at offset {at}", crate::amf0::DEPTH_MAX)]
    TooDeep {
        /// Offset of the value that is too deep.
        at: usize,
    },
    /// More values than [`crate::amf0::VALUES_MAX`].
    #[error("more than {} AMF values in one message at offset {at}", crate::amf0::VALUES_MAX)]
    TooMany {
        /// Offset of the first value too many.
        at: usize,
    },
    /// More input than [`crate::amf0::BYTES_MAX`].
    #[error("AMF message of {bytes} bytes is over the limit of {}", crate::amf0::BYTES_MAX)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The first value of a message is not its name.
    #[error("AMF message does not begin with a string that names it")]
    Unnamed,
}
