//! Live streams as CMAF chunks (ISO/IEC 23000-19): each frame is muxed once, whoever needs segments of it.
//!
//! A second log beside the stream's frames: [`Packager::package`] starts one reader of a live stream, which all who want
//! fragmented MP4 share (HLS, DASH, recordings). Every chunk holds samples of one track, so that the same chunks make
//! segments with sound and pictures interleaved, and segments of one track alone. Payloads are shared with the frames.
//!
//! What a chunk tells is enough to group it: where a decoder can start, where a part and where a segment may end.
//! Segments, playlists and manifests are not made here, nothing is encrypted and nothing is written to disk.
//!
//! Times are the stream's own ([`headwater_media::Time`]), never negative and never going back within a package by more
//! than a second; `tfdt` of a chunk is that time in ticks of its track. Bounds: [`ITEMS_MAX`] items wait for a slow
//! subscriber, [`BACKLOG_MAX`] for a new one.

mod cutter;
mod item;
mod package;
#[cfg(test)]
mod tests;

pub use cutter::{Lengths, SEGMENT_BYTES_MAX, SEGMENT_MAX};
pub use item::{AUDIO_ID, Item, TrackChunk, TrackSet, VIDEO_ID};
pub use package::{BACKLOG_MAX, Chunks, ITEMS_MAX, Package, Packager};
