//! The common language of Headwater: what a publisher's bytes become and what every output is made of.
//!
//! A [`Frame`] is one access unit (or one decoder configuration, or one script message) on one [`Track`], with
//! timestamps on one clock ([`Time`], microseconds). Payloads are shared ([`bytes::Bytes`]), never copied.
//!
//! The crate knows codecs, not containers and not protocols. It does no I/O and reads no clock.
//!
//! Payload by codec:
//!
//! | codec | `Config` payload | `Key` / `Inter` payload |
//! | --- | --- | --- |
//! | H.264 | AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1) | NAL units, each after its big-endian length |
//! | HEVC | HEVCDecoderConfigurationRecord (14496-15 8.3.3.1) | NAL units, each after its big-endian length |
//! | AV1 | AV1CodecConfigurationRecord (AV1-ISOBMFF 2.3) | OBUs of one temporal unit, without temporal delimiters |
//! | VP9 | VPCodecConfigurationRecord, after its 4-byte FullBox header (VP9-ISOBMFF 2.2) | one frame |
//! | AAC | AudioSpecificConfig (14496-3 1.6.2.1) | one raw_data_block, without ADTS |
//! | Opus | OpusHead (RFC 7845 5.1) | one packet |
//! | MP3 | none | one or more whole MPEG audio frames |
//! | G.711 | none | samples |
//! | Script | none | AMF0 values as in an FLV script tag (name, then value) |

pub mod codec;
mod frame;
mod read;
mod time;

pub use frame::{Codec, CodecTag, Frame, Kind, Track};
pub use read::{Reader, Short};
pub use time::Time;
