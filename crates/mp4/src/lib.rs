//! MP4 (ISO/IEC 14496-12) and CMAF (23000-19): frames to initialisation segments, chunks and recordings, and back.
//!
//! H.264, HEVC, AV1, VP9, AAC, Opus and MP3; at most one video and one audio track. VP8 and G.711 are not carried;
//! [`TrackSpec::from_frame`] says so. No encryption, no `sidx`, no sample groups, no subtitles.
//!
//! Bytes and frames in, bytes and frames out: no file is opened and no clock is read. Decode times are 64-bit ticks
//! (90 kHz for pictures, the sampling rate for sound), rounded once from the frame's own time, so that no error adds
//! up. Presentation times are kept even where decoding times had to be corrected.

mod boxes;
mod demux;
mod error;
mod fragment;
mod index;
mod moov;
mod rebuild;
mod record;
mod tables;
#[cfg(test)]
mod tests;
mod track;

pub use demux::{Demuxer, read_file};
pub use error::Mp4Error;
pub use fragment::{Chunk, Fragmenter, PENDING_BYTES, PENDING_SAMPLES, styp};
pub use moov::InitSegment;
pub use rebuild::{Rebuild, Rebuilt};
pub use record::{Finalized, Layout, NOTE_MAX, Recorder};
pub use tables::SAMPLES_MAX;
pub use track::TrackSpec;
