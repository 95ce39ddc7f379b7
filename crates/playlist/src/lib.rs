//! HLS playlists (RFC 8216): media playlists, master playlists, and a strict check of either.
//!
//! Writers only print what they are given: which segments are in the window, how long the target is and which
//! names are asked for is the caller's business. Parsing playlists of other servers is not done here.
//!
//! Times are [`std::time::Duration`]; sizes and rates are in the units of the tags.

mod check;
mod master;
mod media;
mod uri;

pub use check::{Violation, check};
pub use master::{MasterPlaylist, Variant};
pub use media::{
    Key, LowLatency, MediaPlaylist, PARTS_LISTED, Part, Report, SKIP_UNTIL, Segment, target_duration,
};
pub use uri::{encode_path, relative};

/// The media type of playlists (RFC 8216 4).
pub const CONTENT_TYPE: &str = "application/vnd.apple.mpegurl";
