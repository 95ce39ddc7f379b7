//! HLS playlists (RFC 8216, low latency: draft-pantos-hls-rfc8216bis): media playlists, master playlists, and a strict check of either; live manifests of DASH
//! (ISO/IEC 23009-1) in [`mpd`]; manifests and fragments of Adobe HDS in [`hds`].
//!
//! Writers only print what they are given: which segments are in the window, how long the target is and which
//! names are asked for is the caller's business. Parsing playlists of other servers is not done here.
//!
//! Times are [`std::time::Duration`]; sizes and rates are in the units of the tags.

mod check;
pub mod hds;
mod master;
mod media;
pub mod mpd;
mod uri;

pub use check::{Violation, check, check_update};
pub use master::{MasterPlaylist, Variant};
pub use media::{
    Key, LowLatency, MediaPlaylist, PARTS_LISTED, Part, Report, SKIP_UNTIL, Segment, target_duration,
};
pub use uri::{encode_path, relative};

/// The media type of playlists (RFC 8216 4).
pub const CONTENT_TYPE: &str = "application/vnd.apple.mpegurl";
