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
//!
//! With [`Layout::Fragmented`] it stays as it is: a table of its key frames (`mfra`) is appended and its duration filled
//! in. What a kill left is finished by [`crate::Rebuild`].

use crate::Mp4Error;
use crate::boxes::{full, write};
use crate::fragment::{Chunk, Fragmenter};
use crate::index::{Index, Reserved};
use crate::moov::{write_extended, write_ftyp};
use crate::track::TrackSpec;
use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::{Frame, Kind, Time};

/// Longest fragment: what a kill may lose, beside the newest frame of each track.
pub const FRAGMENT: Time = Time::from_millis(400);

/// A key frame ends a fragment that is at least this long.
const FRAGMENT_MIN: Time = Time::from_millis(200);

/// Bytes of the `free` box, and of the `mdat` header that takes its place.
pub(crate) const RESERVED: usize = 16;

/// Longest note: see [`Recorder::with`].
pub const NOTE_MAX: usize = 4096;

/// What a finished recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A plain MP4, whose `moov` is its index.
    Plain,
    /// A fragmented MP4, which can be read from its beginning at any moment.
    Fragmented,
}

/// Turns frames into a recording. What it returns is written to the file in that order, beginning with the header.
#[derive(Clone, Debug)]
pub struct Recorder {
    fragmenter: Fragmenter,
    index: Index,
    header: Bytes,
    reserved: Reserved,
    /// Bytes handed out so far.
    pub(crate) position: u64,
    /// When the fragment at hand began.
    since: Option<Time>,
}

/// What finishes a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finalized {
    /// First: append this, and make it durable.
    pub tail: Bytes,
    /// Where it begins: the length of the file before it is appended.
    pub tail_at: u64,
    /// Then: write this…
    pub patch: Bytes,
    /// …here.
    pub patch_at: u64,
}

impl Recorder {
    /// For these tracks, to become a plain MP4. `origin` becomes time zero: the earliest timestamp that will come.
    pub fn new(tracks: &[TrackSpec], origin: Time) -> Recorder {
        Recorder::with(tracks, origin, Layout::Plain, &[])
    }

    /// The same with a layout, and with a note that only [`crate::Rebuild`] finds; cut at [`NOTE_MAX`].
    pub fn with(tracks: &[TrackSpec], origin: Time, layout: Layout, note: &[u8]) -> Recorder {
        let tracks: Vec<(u32, TrackSpec)> = (1..).zip(tracks.iter().cloned()).collect();
        let (header, reserved) = write_header(&tracks, layout, note);
        Recorder {
            fragmenter: Fragmenter::with_ids(&tracks, origin),
            index: Index::new(&tracks),
            reserved,
            position: header.len() as u64,
            header,
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
        self.index.finish(self.reserved, self.position)
    }

    /// Notes where the chunk's samples lie.
    fn enter(&mut self, chunk: Option<Chunk>) -> Result<Option<Chunk>, Mp4Error> {
        if let Some(chunk) = &chunk {
            self.position = self.index.chunk(self.position, chunk)?;
        }
        Ok(chunk)
    }
}

/// Everything before the first fragment, and what of it is written again at the end.
fn write_header(tracks: &[(u32, TrackSpec)], layout: Layout, note: &[u8]) -> (Bytes, Reserved) {
    let mut out = BytesMut::new();
    let mut at = None;
    write_ftyp(&mut out, b"isom", &[b"isom", b"iso6", b"mp41"]);
    if layout == Layout::Plain {
        at = Some(out.len() as u64);
        write(&mut out, b"free", |out| out.put_bytes(0, RESERVED - 8));
    }
    if !note.is_empty() {
        write(&mut out, b"skip", |out| out.put_slice(note.get(..NOTE_MAX).unwrap_or(note)));
    }
    write_extended(&mut out, tracks, |out| {
        if layout == Layout::Fragmented {
            // MovieExtendsHeaderBox (8.8.2): fragment_duration, unknown yet.
            full(out, b"mehd", 1, 0, |out| {
                at = Some(out.len() as u64);
                out.put_u64(0);
            });
        }
    });
    (out.freeze(), Reserved { layout, at })
}
