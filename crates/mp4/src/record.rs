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
//!
//! Chunks keep the times of their stream. An edit list in every `moov` says which of them is the file's time zero.

use crate::Mp4Error;
use crate::boxes::{full, write};
use crate::fragment::Chunk;
use crate::index::{Index, Reserved};
use crate::moov::{write_extended, write_ftyp};
use crate::track::TrackSpec;
use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::Time;

/// Bytes of the `free` box, and of the `mdat` header that takes its place.
pub(crate) const RESERVED: usize = 16;

/// Longest note: see [`Recorder::new`].
pub const NOTE_MAX: usize = 4096;

/// What a finished recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A plain MP4, whose `moov` is its index.
    Plain,
    /// A fragmented MP4, which can be read from its beginning at any moment.
    Fragmented,
}

/// Makes a recording of chunks, as they are. The file is: the header, every chunk that was pushed, what finishes it.
#[derive(Clone, Debug)]
pub struct Recorder {
    index: Index,
    header: Bytes,
    reserved: Reserved,
    /// Bytes of the file so far.
    pub(crate) position: u64,
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
    /// For chunks of these tracks, which have rising ids. `origin` of the chunks' timeline is the file's time zero;
    /// nothing shown earlier may come. `note` is found by [`crate::Rebuild`] alone, and cut at [`NOTE_MAX`].
    pub fn new(tracks: &[(u32, TrackSpec)], origin: Time, layout: Layout, note: &[u8]) -> Recorder {
        let (header, reserved) = write_header(tracks, origin, layout, note);
        Recorder { index: Index::new(tracks, origin), reserved, position: header.len() as u64, header }
    }

    /// The file's first bytes.
    pub fn header(&self) -> Bytes {
        self.header.clone()
    }

    /// Notes where the samples of a chunk lie that is appended to the file. After an error it must not be: the file
    /// can be finished without it.
    pub fn push(&mut self, chunk: &Chunk) -> Result<(), Mp4Error> {
        self.position = self.index.chunk(self.position, chunk)?;
        Ok(())
    }

    /// How long the recording plays.
    pub fn duration(&self) -> Time {
        self.index.duration()
    }

    /// How to finish the file, after everything has been written.
    pub fn finalize(self) -> Finalized {
        self.index.finish(self.reserved, self.position)
    }
}

/// Everything before the first fragment, and what of it is written again at the end.
fn write_header(tracks: &[(u32, TrackSpec)], origin: Time, layout: Layout, note: &[u8]) -> (Bytes, Reserved) {
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
    write_extended(&mut out, tracks, origin, |out| {
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
