//! Recordings that survive a kill: a fragmented file that becomes a plain one by one append and one small write.
//!
//! While recording:
//!
//! ```text
//! ftyp | free (16 bytes) | moov with mvex | moof mdat | moof mdat | …
//! ```
//!
//! It plays up to its last whole fragment at any moment. To finish, append a `moov` with sample tables and make it
//! durable; then overwrite the `free` box with the header of an `mdat` that spans all that was written before:
//!
//! ```text
//! ftyp | mdat (64-bit size) [ old moov, moof, mdat, moof, mdat … ] | moov
//! ```
//!
//! The tables point at the samples where they lie; no media is moved. A kill between the two writes leaves a fragmented
//! file with a second `moov` at its end, which players leave out.

use crate::Mp4Error;
use crate::boxes::write;
use crate::fragment::{Chunk, Fragmenter};
use crate::moov::{write_fragmented, write_ftyp, write_plain};
use crate::tables::Tables;
use crate::track::TrackSpec;
use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::{Frame, Kind, Time};

/// Longest fragment: what a kill may lose, beside the newest frame of each track.
pub const FRAGMENT: Time = Time::from_millis(1000);

/// A key frame ends a fragment that is at least this long.
const FRAGMENT_MIN: Time = Time::from_millis(500);

/// Bytes of the `free` box, and of the `mdat` header that takes its place.
const RESERVED: usize = 16;

/// Turns frames into a recording. What it returns is written to the file in that order, beginning with the header.
#[derive(Clone, Debug)]
pub struct Recorder {
    fragmenter: Fragmenter,
    tracks: Vec<(TrackSpec, Tables)>,
    header: Bytes,
    /// Where the `free` box is.
    reserved_at: u64,
    /// Bytes handed out so far.
    pub(crate) position: u64,
    /// When the fragment at hand began.
    since: Option<Time>,
}

/// What turns the recording into a plain MP4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finalized {
    /// First: append this, and make it durable.
    pub moov: Bytes,
    /// Where `moov` begins: the length of the file before it is appended.
    pub moov_at: u64,
    /// Then: write this…
    pub patch: [u8; RESERVED],
    /// …here.
    pub patch_at: u64,
}

impl Recorder {
    /// For these tracks. `origin` becomes time zero: the earliest timestamp that will come.
    pub fn new(tracks: &[TrackSpec], origin: Time) -> Recorder {
        let mut out = BytesMut::new();
        write_ftyp(&mut out, b"isom", &[b"isom", b"iso6", b"mp41"]);
        let reserved_at = out.len() as u64;
        write(&mut out, b"free", |out| out.put_bytes(0, RESERVED - 8));
        write_fragmented(&mut out, tracks);
        Recorder {
            fragmenter: Fragmenter::new(tracks, origin),
            tracks: tracks.iter().map(|spec| (spec.clone(), Tables::default())).collect(),
            reserved_at,
            position: out.len() as u64,
            header: out.freeze(),
            since: None,
        }
    }

    /// The file's first bytes.
    pub fn header(&self) -> Bytes {
        self.header.clone()
    }

    /// Takes a frame; gives the fragment that it ends.
    pub fn push(&mut self, frame: &Frame) -> Result<Option<Chunk>, Mp4Error> {
        self.fragmenter.push(frame)?;
        if matches!(frame.kind, Kind::Config | Kind::Script) {
            return Ok(None);
        }
        let since = *self.since.get_or_insert(frame.dts);
        let age = frame.dts - since;
        if age < FRAGMENT && !(frame.is_video_key() && age >= FRAGMENT_MIN) {
            return Ok(None);
        }
        self.since = Some(frame.dts);
        let chunk = self.fragmenter.chunk();
        self.enter(chunk)
    }

    /// The last fragment.
    pub fn finish(&mut self) -> Result<Option<Chunk>, Mp4Error> {
        let chunk = self.fragmenter.finish();
        self.enter(chunk)
    }

    /// How to finish the file, after everything returned before has been written.
    pub fn finalize(self) -> Finalized {
        let mut moov = BytesMut::new();
        write_plain(&mut moov, &self.tracks);
        let span = self.position - self.reserved_at;
        let mut patch = [0; RESERVED];
        let fields = [1u32.to_be_bytes(), *b"mdat"].concat().into_iter().chain(span.to_be_bytes());
        patch.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        Finalized { moov: moov.freeze(), moov_at: self.position, patch, patch_at: self.reserved_at }
    }

    /// Notes where the chunk's samples lie.
    fn enter(&mut self, chunk: Option<Chunk>) -> Result<Option<Chunk>, Mp4Error> {
        let Some(chunk) = chunk else { return Ok(None) };
        let mut at = self.position + chunk.media_at() as u64;
        for run in &chunk.runs {
            if let Some((_, tables)) = self.tracks.get_mut(run.index) {
                tables.add(at, &run.samples)?;
            }
            at += run.samples.iter().map(|sample| sample.payload.len() as u64).sum::<u64>();
        }
        self.position = at;
        Ok(Some(chunk))
    }
}
