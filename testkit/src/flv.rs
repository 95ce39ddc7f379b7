//! Frames out of FLV: of a clip that a test publishes itself, or of what a player got.

use crate::Clip;
use headwater_flv::{Demuxer, Parsed};
use headwater_media::{Frame, Kind, Time};
use std::fs;

/// All frames of a clip, in order, configurations and scripts included.
pub fn clip_frames(clip: Clip) -> Vec<Frame> {
    let file = clip.file();
    let bytes = fs::read(&file).unwrap_or_else(|err| panic!("cannot read {}: {err}", file.display()));
    frames(&bytes)
}

/// All whole frames of an FLV stream from its start, in order.
pub fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut demuxer = Demuxer::new();
    demuxer.push(bytes);
    let tags =
        std::iter::from_fn(|| demuxer.next_tag().unwrap_or_else(|err| panic!("this is no FLV: {err}")));
    let parsed = tags.map(|tag| tag.parse().unwrap_or_else(|err| panic!("a broken tag: {err}: {tag:?}")));
    parsed.filter_map(|parsed| if let Parsed::Frame(frame) = parsed { Some(frame) } else { None }).collect()
}

/// The coded media among the frames.
pub fn media(frames: impl IntoIterator<Item = Frame>) -> Vec<Frame> {
    frames.into_iter().filter(is_media).collect()
}

/// Whether a frame is coded media: neither a configuration nor a script.
pub fn is_media(frame: &Frame) -> bool {
    matches!(frame.kind, Kind::Key | Kind::Inter)
}

/// The same frames so much later.
pub fn later(frames: &[Frame], by: Time) -> Vec<Frame> {
    let moved = |frame: &Frame| Frame { dts: frame.dts + by, pts: frame.pts + by, ..frame.clone() };
    frames.iter().map(moved).collect()
}
