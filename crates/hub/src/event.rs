use crate::{Session, Stream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Something that happened to a stream. Statistics live on these; callbacks and recordings hang on them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A publisher was accepted and its stream is live.
    Published {
        /// The stream.
        stream: Arc<Stream>,
        /// The publisher.
        session: Arc<Session>,
    },
    /// The publisher left or was ended.
    Unpublished {
        /// The stream.
        stream: Arc<Stream>,
        /// The publisher.
        session: Arc<Session>,
    },
    /// A player was accepted.
    PlayStarted {
        /// The stream.
        stream: Arc<Stream>,
        /// The player.
        session: Arc<Session>,
    },
    /// A player left or was ended.
    PlayStopped {
        /// The stream.
        stream: Arc<Stream>,
        /// The player.
        session: Arc<Session>,
    },
    /// A player fell too far behind and was moved to the newest key frame.
    Jumped {
        /// The stream.
        stream: Arc<Stream>,
        /// Bytes it never got.
        skipped: u64,
    },
    /// A file with a recording of a publish is complete.
    Recorded {
        /// The stream.
        stream: Arc<Stream>,
        /// The publisher.
        session: Arc<Session>,
        /// The file, as its path was configured: absolute, or relative to the working directory.
        file: PathBuf,
        /// How long it plays.
        duration: Duration,
        /// Bytes of the file.
        bytes: u64,
    },
    /// A recording ended before its publish, because the disk does not take it. The stream goes on.
    RecordingStopped {
        /// The stream.
        stream: Arc<Stream>,
        /// The publisher.
        session: Arc<Session>,
        /// The file as it was left.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// An HLS segment is complete and in its playlist.
    Segmented {
        /// The stream.
        stream: Arc<Stream>,
        /// The publisher.
        session: Arc<Session>,
        /// The segment.
        segment: Segmented,
    },
    /// An idle stream was forgotten.
    Removed {
        /// The stream.
        stream: Arc<Stream>,
    },
}

/// A segment and its playlist, for [`Event::Segmented`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segmented {
    /// Where it is on disk; its `url` when no files are written.
    pub file: PathBuf,
    /// Its path below the root that HLS is served from, without leading slash.
    pub url: String,
    /// Where the playlist is on disk; its `playlist_url` when no files are written.
    pub playlist: PathBuf,
    /// The playlist's path, as `url`.
    pub playlist_url: String,
    /// Number of the segment.
    pub sequence: u64,
    /// How long it plays.
    pub duration: Duration,
}

/// Told of every event, in the order in which it happened to a stream.
///
/// Called on the thread where the event happened, media threads among them: an observer returns at once and hands
/// slow work to a bounded queue of its own.
pub trait Observer: Send + Sync + 'static {
    /// Takes notice of `event`.
    fn on_event(&self, event: &Event);
}
