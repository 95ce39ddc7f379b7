//! Chunks grouped into segments and parts. Pure: items in, segments out.
//!
//! The same type serves playlists with parts, plain playlists and DASH: a segment knows its chunks in order and gives
//! the bytes of one track or of all. Nothing is copied.

use bytes::Bytes;
use headwater_media::{Time, Track};
use headwater_mp4::styp;
use headwater_packager::{Item, SEGMENT_BYTES_MAX, SEGMENT_MAX, TrackChunk, TrackSet};
use std::sync::Arc;
use std::time::SystemTime;

/// Where segments end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cut {
    /// Where the packager says: segments of low-latency HLS.
    Marks,
    /// At the first key frame from `target` on; sound alone at `audio_only`.
    Lengths { target: Time, audio_only: Time },
}

/// Groups the chunks of a stream, over all its publishes.
#[derive(Debug)]
pub(crate) struct View {
    cut: Cut,
    /// The track that is left out (`hls_acodec an`, `hls_vcodec vn`).
    without: Option<Track>,
    /// The track whose chunks end parts and segments, left out or not.
    lead: Track,
    tracks: Option<Arc<TrackSet>>,
    /// Number of the initialisation segment in force; a changed one gets the next.
    init: u64,
    /// Number of the next segment.
    sequence: u64,
    discontinuity: bool,
    open: Option<Segment>,
    part: Part,
}

/// A segment, or what there is of one.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) sequence: u64,
    /// Decoding time of its first frame, and the wall clock then.
    pub(crate) start: Time,
    pub(crate) wall: SystemTime,
    pub(crate) duration: Time,
    /// Whether it does not go on where the segment before ended.
    pub(crate) discontinuity: bool,
    pub(crate) tracks: Arc<TrackSet>,
    /// Number of its initialisation segment.
    pub(crate) init: u64,
    pub(crate) parts: Vec<Part>,
    pub(crate) bytes: usize,
}

/// Some whole chunks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    pub(crate) chunks: Vec<Arc<TrackChunk>>,
    pub(crate) duration: Time,
    /// Whether it has a key frame, or no pictures.
    pub(crate) independent: bool,
}

/// What an item completed.
#[derive(Clone, Debug)]
pub(crate) enum Done {
    /// A part of the segment that is open.
    Part,
    /// The open segment, whose last part was told before.
    Segment(Arc<Segment>),
}

impl View {
    pub(crate) fn new(cut: Cut, without: Option<Track>) -> View {
        View {
            cut,
            without,
            lead: Track::Video,
            tracks: None,
            init: 0,
            sequence: 0,
            discontinuity: false,
            open: None,
            part: Part::default(),
        }
    }

    /// Takes an item; tells what is complete, in order.
    pub(crate) fn push(&mut self, item: &Item) -> Vec<Done> {
        match item {
            Item::Tracks(tracks) => {
                let done = self.end_segment();
                self.use_tracks(tracks);
                done
            }
            Item::Chunk(chunk) => self.chunk(chunk),
            Item::Jumped { .. } | Item::Ended => {
                let done = self.end_segment();
                self.discontinuity = self.sequence > 0;
                done
            }
        }
    }

    /// The segment that is open, with its complete parts.
    pub(crate) fn open(&self) -> Option<&Segment> {
        self.open.as_ref()
    }

    /// Number of the next segment to be complete.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    fn use_tracks(&mut self, tracks: &Arc<TrackSet>) {
        self.lead = tracks.lead();
        let tracks = &match self.without {
            None | Some(Track::Script) => tracks.clone(),
            Some(Track::Audio) => Arc::new(TrackSet::new(tracks.video.clone(), None, tracks.generation)),
            Some(Track::Video) => Arc::new(TrackSet::new(None, tracks.audio.clone(), tracks.generation)),
        };
        if let Some(old) = &self.tracks {
            self.init += u64::from(old.init() != tracks.init());
        }
        self.discontinuity |= self.sequence > 0;
        self.tracks = Some(tracks.clone());
    }

    fn chunk(&mut self, chunk: &Arc<TrackChunk>) -> Vec<Done> {
        let Some(tracks) = self.tracks.clone() else { return Vec::new() };
        let (leads, left_out) = (chunk.track == self.lead, self.without == Some(chunk.track));
        if left_out && !leads {
            return Vec::new();
        }
        let discontinuity = &mut self.discontinuity;
        let open = self.open.get_or_insert_with(|| Segment {
            sequence: self.sequence,
            start: chunk.start,
            wall: chunk.wall,
            duration: Time::ZERO,
            discontinuity: std::mem::take(discontinuity),
            tracks,
            init: self.init,
            parts: Vec::new(),
            bytes: 0,
        });
        if !left_out {
            open.bytes += chunk.chunk.len();
            self.part.chunks.push(chunk.clone());
        }
        if !leads {
            return Vec::new();
        }
        if open.duration == Time::ZERO {
            (open.start, open.wall) = (chunk.start, chunk.wall);
        }
        self.part.duration += chunk.duration;
        self.part.independent |= chunk.independent || left_out;
        open.duration += chunk.duration;
        let ends = self.cut.ends(open, chunk);
        match (ends, chunk.ends_part) {
            (true, _) => self.end_segment(),
            (false, true) => self.end_part().into_iter().collect(),
            (false, false) => Vec::new(),
        }
    }

    fn end_part(&mut self) -> Option<Done> {
        let part = std::mem::take(&mut self.part);
        // Sound without the pictures it belongs to is no part.
        let open = self.open.as_mut().filter(|_| part.duration > Time::ZERO)?;
        open.parts.push(part);
        Some(Done::Part)
    }

    fn end_segment(&mut self) -> Vec<Done> {
        let mut done: Vec<Done> = self.end_part().into_iter().collect();
        match self.open.take() {
            Some(segment) if segment.duration > Time::ZERO => {
                self.sequence += 1;
                done.push(Done::Segment(Arc::new(segment)));
                done
            }
            Some(segment) => {
                self.discontinuity |= segment.discontinuity;
                done
            }
            None => done,
        }
    }
}

impl Cut {
    fn ends(self, open: &Segment, chunk: &TrackChunk) -> bool {
        let too_much = open.duration >= SEGMENT_MAX || open.bytes >= SEGMENT_BYTES_MAX;
        match self {
            Cut::Marks => chunk.ends_segment,
            Cut::Lengths { target, audio_only } => {
                let least = if chunk.track == Track::Video { target } else { audio_only };
                too_much || (chunk.before_key && open.duration >= least)
            }
        }
    }
}

impl Segment {
    /// The bytes of one track, to be sent one after the other; empty when it has none of it.
    pub(crate) fn pieces(&self, track: Track) -> Vec<Bytes> {
        with_type(self.parts.iter().flat_map(|part| part.pieces(track)).collect())
    }

    /// The bytes of all tracks, as they came.
    pub(crate) fn pieces_interleaved(&self) -> Vec<Bytes> {
        with_type(self.parts.iter().flat_map(Part::pieces_interleaved).collect())
    }

    /// Chunks of one track.
    pub(crate) fn chunks(&self, track: Track) -> impl Iterator<Item = &Arc<TrackChunk>> {
        self.parts.iter().flat_map(|part| &part.chunks).filter(move |chunk| chunk.track == track)
    }
}

impl Part {
    /// The bytes of one track.
    pub(crate) fn pieces(&self, track: Track) -> Vec<Bytes> {
        self.bytes_of(|chunk| chunk.track == track)
    }

    /// The bytes of all tracks.
    pub(crate) fn pieces_interleaved(&self) -> Vec<Bytes> {
        self.bytes_of(|_| true)
    }

    fn bytes_of(&self, wanted: impl Fn(&TrackChunk) -> bool) -> Vec<Bytes> {
        let chunks = self.chunks.iter().filter(|chunk| wanted(chunk));
        chunks.flat_map(|chunk| chunk.chunk.pieces()).cloned().collect()
    }
}

/// A whole segment begins with its type (14496-12 8.16.2).
fn with_type(mut pieces: Vec<Bytes>) -> Vec<Bytes> {
    if !pieces.is_empty() {
        pieces.insert(0, styp());
    }
    pieces
}
