//! MPEG transport streams (ISO/IEC 13818-1): frames to 188-byte packets and back.
//!
//! One program of at most one video and one audio track: H.264, HEVC, AAC, MP3, and Opus as FFmpeg and GStreamer put
//! it there. AV1, VP9, VP8 and G.711 are not carried; [`TsMuxer::frame`] says so. No encryption, no EIT and no
//! other service information, no multiplex of several programs.
//!
//! Timestamps are 33-bit ticks of 90 kHz and wrap after 26.5 hours; both directions handle it.

mod demux;
mod elementary;
mod mux;
mod packet;
mod pes;
mod psi;
#[cfg(test)]
mod round_trip;

pub use demux::TsDemuxer;
pub use mux::{Skipped, TABLES, TsMuxer};

/// Bytes of a transport packet.
pub const PACKET: usize = 188;

/// First byte of every packet.
pub(crate) const SYNC: u8 = 0x47;

/// Ticks a second of PTS and DTS.
pub(crate) const CLOCK: u32 = 90_000;

/// PTS and DTS count modulo this.
pub(crate) const WRAP: i64 = 1 << 33;

/// PIDs, as SRS assigns them.
pub(crate) mod pid {
    pub(crate) const PAT: u16 = 0x0000;
    pub(crate) const PMT: u16 = 0x1001;
    pub(crate) const VIDEO: u16 = 0x0100;
    pub(crate) const AAC: u16 = 0x0101;
    pub(crate) const MP3: u16 = 0x0102;
    pub(crate) const OPUS: u16 = 0x0103;
    /// No PID: what a program without clock has as its PCR PID.
    pub(crate) const NONE: u16 = 0x1fff;
}
