//! Where the samples of a recording lie, collected while it is written or found again, and the last bytes of its file.

use crate::Mp4Error;
use crate::boxes::{full, write};
use crate::fragment::Chunk;
use crate::moov::{movie_ticks, span, write_plain};
use crate::record::{Finalized, Layout};
use crate::tables::{Entry, Tables};
use crate::track::TrackSpec;
use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::{Time, Track};

/// Most fragments that can be sought to: four days at two a second.
const ACCESS_MAX: usize = 1 << 20;

/// The tracks of a recording with what is known of their samples.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    pub(crate) tracks: Vec<Indexed>,
    /// The file's time zero.
    origin: Time,
    /// Fragments at which a decoder can start: (ticks of the leading track, place of its `moof`, which of its `traf`s).
    access: Vec<(u64, u64, u8)>,
}

/// One track.
#[derive(Clone, Debug)]
pub(crate) struct Indexed {
    pub(crate) id: u32,
    pub(crate) spec: TrackSpec,
    pub(crate) tables: Tables,
}

/// What a file has at its beginning for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reserved {
    pub(crate) layout: Layout,
    /// Where the `free` box of a plain file is, or the duration of a fragmented one.
    pub(crate) at: Option<u64>,
}

impl Index {
    pub(crate) fn new(tracks: &[(u32, TrackSpec)], origin: Time) -> Index {
        let track = |(id, spec): &(u32, TrackSpec)| Indexed {
            id: *id,
            spec: spec.clone(),
            tables: Tables::default(),
        };
        Index { tracks: tracks.iter().map(track).collect(), origin, access: Vec::new() }
    }

    /// Notes a chunk whose `moof` lies at `at`. Gives where the chunk ends.
    pub(crate) fn chunk(&mut self, at: u64, chunk: &Chunk) -> Result<u64, Mp4Error> {
        let mut media_at = at + chunk.media_at() as u64;
        for (number, run) in (1u8..).zip(&chunk.runs) {
            self.run(at, number, run.id, media_at, run.samples.iter().map(Entry::from))?;
            media_at += run.samples.iter().map(|sample| sample.payload.len() as u64).sum::<u64>();
        }
        Ok(media_at)
    }

    /// Notes the samples of one `traf`, which lie together at `media_at`.
    pub(crate) fn run(
        &mut self,
        moof_at: u64,
        traf: u8,
        id: u32,
        media_at: u64,
        samples: impl ExactSizeIterator<Item = Entry> + Clone,
    ) -> Result<(), Mp4Error> {
        let lead = self.lead();
        let Some(track) = self.tracks.iter_mut().find(|track| track.id == id) else { return Ok(()) };
        let first = samples.clone().next().filter(|sample| sample.key && Some(id) == lead);
        if let Some(first) = first.filter(|_| self.access.len() < ACCESS_MAX) {
            self.access.push((u64::try_from(first.dts).unwrap_or(0), moof_at, traf));
        }
        track.tables.add(media_at, samples)
    }

    /// How long the recording is.
    pub(crate) fn duration(&self) -> Time {
        let (start, end) = span(&self.tracks);
        end - start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tracks.iter().all(|track| track.tables.is_empty())
    }

    /// What finishes a file of `length` bytes.
    pub(crate) fn finish(&self, reserved: Reserved, length: u64) -> Finalized {
        let mut tail = BytesMut::new();
        let patch = match reserved.layout {
            Layout::Plain => {
                write_plain(&mut tail, &self.tracks, self.origin);
                let span = length - reserved.at.unwrap_or(0);
                [1u32.to_be_bytes(), *b"mdat"].concat().into_iter().chain(span.to_be_bytes()).collect()
            }
            Layout::Fragmented => {
                self.write_mfra(&mut tail);
                Bytes::copy_from_slice(&movie_ticks(self.duration()).to_be_bytes())
            }
        };
        // Without a place for it nothing is patched.
        let patch = reserved.at.map(|_| patch).unwrap_or_default();
        Finalized { tail: tail.freeze(), tail_at: length, patch, patch_at: reserved.at.unwrap_or(0) }
    }

    /// The track that is sought in: pictures, or else sound.
    fn lead(&self) -> Option<u32> {
        let video = self.tracks.iter().find(|track| track.spec.track() == Track::Video);
        video.or(self.tracks.first()).map(|track| track.id)
    }

    /// MovieFragmentRandomAccessBox (14496-12 8.8.9): where the key frames are.
    fn write_mfra(&self, out: &mut BytesMut) {
        let at = out.len();
        write(out, b"mfra", |out| {
            full(out, b"tfra", 1, 0, |out| {
                out.put_u32(self.lead().unwrap_or(0));
                out.put_u32(0); // numbers of one byte each
                out.put_u32(self.access.len() as u32);
                for &(time, moof_at, traf) in &self.access {
                    out.put_u64(time);
                    out.put_u64(moof_at);
                    out.put_slice(&[traf, 1, 1]); // first trun, first sample
                }
            });
            full(out, b"mfro", 0, 0, |out| out.put_u32((out.len() - at + 4) as u32)); // size of the mfra
        });
    }
}
