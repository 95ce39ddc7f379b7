//! FLV, the media language of RTMP: tag bodies to [`headwater_media::Frame`]s and back, and AMF values.
//!
//! Both ways of naming codecs are read and written: the four-bit ids of FLV 10.1, and the FourCCs of Enhanced RTMP
//! (v1 and v2, with audio, multitrack and ModEx). Payloads are slices of the tag body, not copies; only H.264 that
//! comes as Annex-B and metadata are rewritten.
//!
//! The crate does no I/O, knows nothing about RTMP chunks, and does not look inside coded pictures. What it does
//! not carry (H.263, Speex, info frames, further tracks) is [`Parsed::Ignored`]; only broken input is an error.

pub mod amf0;
pub mod amf3;
mod annexb;
mod audio;
mod demux;
mod enhanced;
mod error;
mod header;
pub mod metadata;
mod tag;
mod video;

#[cfg(test)]
mod tests;

pub use audio::parse_audio;
pub use demux::{Demuxer, Tag};
pub use error::{AmfError, FlvError};
pub use header::{SmallHeader, audio_header, header, video_header};
pub use metadata::parse_script;
pub use tag::{BODY_MAX, TAG_AUDIO, TAG_SCRIPT, TAG_VIDEO, file_header, tag_len, tag_type, write_tag};
pub use video::parse_video;

use headwater_media::Frame;

/// What a tag body turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// One frame.
    Frame(Frame),
    /// Valid, but nothing that Headwater carries; the text says what it was.
    Ignored(&'static str),
}
