//! What a package is made of.

use bytes::Bytes;
use headwater_media::{Time, Track};
use headwater_mp4::{Chunk, InitSegment, TrackSpec};
use std::sync::Arc;
use std::time::SystemTime;

/// Track id of pictures.
pub const VIDEO_ID: u32 = 1;

/// Track id of sound.
pub const AUDIO_ID: u32 = 2;

/// One entry of a package.
#[derive(Clone, Debug)]
pub enum Item {
    /// What the chunks that follow are decoded with. The first item; another one means that the decoder's
    /// configuration, the tracks or the timeline changed: a discontinuity.
    Tracks(Arc<TrackSet>),
    /// The next chunk.
    Chunk(Arc<TrackChunk>),
    /// The subscriber was too slow. [`Item::Tracks`] and a chunk that a decoder can start at follow.
    Jumped {
        /// Items it never saw.
        skipped: u64,
    },
    /// The publisher left; nothing follows.
    Ended,
}

/// The tracks of a stream and what a decoder must know of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackSet {
    /// Pictures.
    pub video: Option<TrackSpec>,
    /// Sound.
    pub audio: Option<TrackSpec>,
    /// Counts the sets of a package, from 0.
    pub generation: u64,
    both: InitSegment,
    video_init: Option<InitSegment>,
    audio_init: Option<InitSegment>,
}

impl TrackSet {
    /// For these tracks.
    pub fn new(video: Option<TrackSpec>, audio: Option<TrackSpec>, generation: u64) -> TrackSet {
        let numbered = |id: u32, spec: &Option<TrackSpec>| spec.clone().map(|spec| (id, spec));
        let (v, a) = (numbered(VIDEO_ID, &video), numbered(AUDIO_ID, &audio));
        let both: Vec<(u32, TrackSpec)> = v.iter().chain(&a).cloned().collect();
        TrackSet {
            both: InitSegment::with_ids(&both),
            video_init: v.map(|track| InitSegment::with_ids(&[track])),
            audio_init: a.map(|track| InitSegment::with_ids(&[track])),
            video,
            audio,
            generation,
        }
    }

    /// Initialisation segment of all tracks.
    pub fn init(&self) -> Bytes {
        self.both.bytes.clone()
    }

    /// Initialisation segment of the pictures alone.
    pub fn video_init(&self) -> Option<Bytes> {
        self.video_init.as_ref().map(|init| init.bytes.clone())
    }

    /// Initialisation segment of the sound alone.
    pub fn audio_init(&self) -> Option<Bytes> {
        self.audio_init.as_ref().map(|init| init.bytes.clone())
    }

    /// RFC 6381 codec strings of all tracks, comma-separated, the video's first.
    pub fn codecs(&self) -> &str {
        &self.both.codecs
    }

    /// The tracks under their ids.
    pub fn numbered(&self) -> Vec<(u32, TrackSpec)> {
        let tracks = [(VIDEO_ID, &self.video), (AUDIO_ID, &self.audio)];
        tracks.into_iter().filter_map(|(id, spec)| Some((id, spec.clone()?))).collect()
    }

    /// The track of that kind.
    pub fn track(&self, track: Track) -> Option<&TrackSpec> {
        match track {
            Track::Video => self.video.as_ref(),
            Track::Audio => self.audio.as_ref(),
            Track::Script => None,
        }
    }

    /// The track whose chunks say where parts and segments end: the pictures, or else the sound.
    pub fn lead(&self) -> Track {
        if self.video.is_some() { Track::Video } else { Track::Audio }
    }
}

/// A CMAF chunk: one `moof` and its `mdat` with samples of one track.
///
/// At a cut the sound's chunk comes before the pictures', so that the marks of the leading one ([`TrackSet::lead`])
/// speak for both.
#[derive(Clone, Debug)]
pub struct TrackChunk {
    /// Whose samples these are.
    pub track: Track,
    /// The bytes, shared with the frames.
    pub chunk: Chunk,
    /// Whether a decoder can start at its first sample; true for all sound.
    pub independent: bool,
    /// Decoding time of the first sample.
    pub start: Time,
    /// How long the samples last.
    pub duration: Time,
    /// The wall clock at `start`.
    pub wall: SystemTime,
    /// Whether it is the first of its track after another [`TrackSet`] than the package's first.
    pub discontinuity: bool,
    /// Whether the leading track goes on with a frame that a decoder can start at: a segment may end here.
    pub before_key: bool,
    /// Whether a part ends here (`hls_part`).
    pub ends_part: bool,
    /// Whether a segment of low-latency HLS ends here, and a part with it.
    pub ends_segment: bool,
}

impl TrackChunk {
    /// Where its last sample ends.
    pub fn end(&self) -> Time {
        self.start + self.duration
    }
}
