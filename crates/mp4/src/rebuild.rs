//! The index of a recording that was cut short, made again from its fragments.
//!
//! Whoever has the file reads what [`Rebuild::wants`] and gives it to [`Rebuild::push`]; media is stepped over, so that
//! an hour takes a few thousand small reads. Everything behind the last whole fragment is given up.

use crate::Mp4Error;
use crate::boxes::{Header, child};
use crate::demux::{Movie, Pending, read_tracks};
use crate::index::{Index, Reserved};
use crate::record::{Finalized, Layout, NOTE_MAX, RESERVED};
use crate::tables::Entry;
use bytes::Bytes;
use headwater_media::{Time, Track};

/// Longest `moov` or `moof` that is read.
const BODY_MAX: u64 = 16 << 20;

/// Reads a box's header: 8 bytes, or 16.
const HEADER: u64 = 16;

/// Walks over the boxes of an unfinished recording.
#[derive(Clone, Debug)]
pub struct Rebuild {
    length: u64,
    /// What comes next: a box's header, or the body of that box.
    at: u64,
    body: Option<Header>,
    ended: bool,
    movie: Movie,
    index: Option<Index>,
    reserved: Option<u64>,
    duration_at: Option<u64>,
    note: Bytes,
    /// The fragment whose media comes next.
    moof_at: u64,
    pending: Vec<Pending>,
    /// The end of the last whole fragment.
    whole: u64,
    /// Where the media of a finished file ends.
    finished: Option<u64>,
    complete: bool,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// What finishes the file once it is cut at `tail_at`; `None` when it was finished.
    pub finish: Option<Finalized>,
    /// How long it plays; zero when it was finished.
    pub duration: Time,
}

impl Rebuild {
    /// For a file of `length` bytes.
    pub fn new(length: u64) -> Rebuild {
        Rebuild {
            length,
            at: 0,
            body: None,
            ended: false,
            movie: Movie::default(),
            index: None,
            reserved: None,
            duration_at: None,
            note: Bytes::new(),
            moof_at: 0,
            pending: Vec::new(),
            whole: 0,
            finished: None,
            complete: false,
        }
    }

    /// What to read next: where, and how many bytes (at most 16 MiB). `None` when all is known.
    pub fn wants(&self) -> Option<(u64, usize)> {
        let left = self.length.checked_sub(self.at).filter(|&left| left >= 8 && !self.ended)?;
        let len = self.body.and_then(|header| header.size).unwrap_or(HEADER.min(left));
        Some((self.at, usize::try_from(len).ok()?))
    }

    /// Takes the bytes that were wanted.
    pub fn push(&mut self, bytes: &Bytes) -> Result<(), Mp4Error> {
        match self.body.take() {
            Some(header) => self.whole_box(header, bytes)?,
            None => match Header::parse(bytes)? {
                Some(header) => self.begin(header),
                None => self.ended = true,
            },
        }
        Ok(())
    }

    /// The recorder's note; empty when there is none, or when it was not found yet.
    pub fn note(&self) -> &Bytes {
        &self.note
    }

    /// How to finish the file. An error when it holds no whole fragment.
    pub fn finish(self) -> Result<Rebuilt, Mp4Error> {
        if self.complete {
            return Ok(Rebuilt { finish: None, duration: Time::ZERO });
        }
        let index = self.index.filter(|index| !index.is_empty());
        let index = index.ok_or_else(|| Mp4Error::invalid(b"moof", "there is no whole fragment"))?;
        let (layout, at) = match self.reserved {
            Some(at) => (Layout::Plain, Some(at)),
            None => (Layout::Fragmented, self.duration_at),
        };
        let finish = index.finish(Reserved { layout, at }, self.whole);
        Ok(Rebuilt { finish: Some(finish), duration: index.duration() })
    }

    /// Decides what is done with a box.
    fn begin(&mut self, header: Header) {
        let size = header.size.unwrap_or(0); // our files have no box without a size
        let Some(end) = self.at.checked_add(size).filter(|&end| size > 0 && end <= self.length) else {
            self.ended = true;
            return;
        };
        let first_movie = self.index.is_none();
        match &header.kind {
            b"free" if first_movie && size == RESERVED as u64 => self.reserved = Some(self.at),
            b"skip" if first_movie && size <= NOTE_MAX as u64 + 8 => return self.body = Some(header),
            b"moov" if self.finished == Some(self.at) => self.complete = end == self.length,
            b"moov" if first_movie && size <= BODY_MAX => return self.body = Some(header),
            b"moof" if !first_movie && size <= BODY_MAX => return self.body = Some(header),
            b"mdat" if first_movie && self.finished.is_none() => self.finished = Some(end),
            b"mdat" if !first_movie => self.ended = self.media(end).is_err(),
            b"ftyp" | b"free" | b"skip" | b"styp" | b"sidx" | b"prft" | b"emsg" => {}
            _ => self.ended = true,
        }
        self.at = end;
    }

    fn whole_box(&mut self, header: Header, whole: &Bytes) -> Result<(), Mp4Error> {
        let body = whole.slice(header.len.min(whole.len())..);
        let end = self.at.saturating_add(whole.len() as u64);
        match &header.kind {
            b"skip" => self.note = body,
            b"moov" => {
                self.movie.tracks = read_tracks(&body)?;
                let tracks: Vec<_> =
                    self.movie.tracks.iter().map(|track| (track.id, track.spec.clone())).collect();
                let shift = self.movie.tracks.first().map(|track| track.shift).unwrap_or_default();
                self.index = Some(Index::new(&tracks, Time::ZERO - shift));
                self.duration_at = duration_at(whole, &body)?.map(|at| self.at + at);
            }
            _ => {
                self.moof_at = self.at;
                // A fragment that cannot be read is the end, not a reason to lose what is before it.
                match self.movie.read_moof(&body, self.at, end) {
                    Ok(samples) => self.pending = samples,
                    Err(_) => self.ended = true,
                }
            }
        }
        self.at = end;
        Ok(())
    }

    /// The media of the fragment is there, up to `end`.
    fn media(&mut self, end: u64) -> Result<(), Mp4Error> {
        let samples = std::mem::take(&mut self.pending);
        if samples
            .iter()
            .any(|sample| sample.at < self.at || sample.at.saturating_add(sample.size.into()) > end)
        {
            return Err(Mp4Error::invalid(b"trun", "its samples lie outside of the media"));
        }
        let Some(index) = &mut self.index else { return Ok(()) };
        let runs = samples.chunk_by(|a, b| a.track == b.track && a.at.saturating_add(a.size.into()) == b.at);
        for (number, run) in (1u8..).zip(runs) {
            let Some(first) = run.first() else { continue };
            let Some(track) = self.movie.tracks.get(first.track) else { continue };
            let sound = track.spec.track() == Track::Audio;
            let entry = |sample: &Pending| Entry {
                dts: i64::try_from(sample.dts).unwrap_or(i64::MAX),
                composition: sample.composition,
                duration: sample.duration,
                size: sample.size,
                key: sample.key || sound,
            };
            index.run(self.moof_at, number, track.id, first.at, run.iter().map(entry))?;
        }
        self.whole = end;
        Ok(())
    }
}

/// Where the duration of a MovieExtendsHeaderBox (14496-12 8.8.2, version 1) is, from the start of the `moov`.
fn duration_at(moov: &Bytes, body: &Bytes) -> Result<Option<u64>, Mp4Error> {
    let Some(mvex) = child(body, b"mvex")? else { return Ok(None) };
    let mehd = child(mvex, b"mehd")?.filter(|mehd| mehd.len() == 12 && mehd.first() == Some(&1));
    Ok(mehd.map(|mehd| (mehd.as_ptr() as usize - moov.as_ptr() as usize) as u64 + 4))
}
