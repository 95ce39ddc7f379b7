//! The sample tables of one track of a finished file (14496-12 8.6, 8.7), collected while fragments are written.

use crate::Mp4Error;
use crate::boxes::full;
use crate::fragment::Sample;
use crate::track::TrackSpec;
use bytes::{BufMut, BytesMut};
use headwater_media::Time;

/// Most samples a track of a recording may have: 93 hours at 50 a second, and tables far below 4 GiB.
pub const SAMPLES_MAX: usize = 1 << 24;

/// What the tables keep of a sample. Times are in ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) dts: i64,
    pub(crate) composition: i32,
    pub(crate) duration: u32,
    pub(crate) size: u32,
    pub(crate) key: bool,
}

impl From<&Sample> for Entry {
    fn from(sample: &Sample) -> Entry {
        let Sample { dts, composition, duration, key, ref payload } = *sample;
        Entry { dts, composition, duration, size: payload.len() as u32, key }
    }
}

/// At most [`SAMPLES_MAX`] samples; runs of equal values take no room, so that an hour costs about a megabyte.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    /// Decode time of the first sample, and its composition offset.
    first: Option<(i64, i32)>,
    duration: u64,
    /// (count, sample_delta)
    stts: Vec<(u32, u32)>,
    /// (count, sample_offset)
    ctts: Vec<(u32, i32)>,
    sizes: Vec<u32>,
    /// Numbers of sync samples, from 1.
    sync: Vec<u32>,
    /// (offset in the file, samples)
    chunks: Vec<(u64, u32)>,
}

impl Tables {
    /// Adds a run of samples that lies at `offset` of the file.
    ///
    /// Where it does not begin at the end of the run before it, the last sample of that one is made longer or shorter.
    pub(crate) fn add(
        &mut self,
        offset: u64,
        samples: impl ExactSizeIterator<Item = Entry>,
    ) -> Result<(), Mp4Error> {
        if self.sizes.len() + samples.len() > SAMPLES_MAX {
            return Err(Mp4Error::Full("recording's index"));
        }
        self.chunks.push((offset, samples.len() as u32));
        for (number, sample) in samples.enumerate() {
            if number == 0 {
                self.meet(sample.dts);
            }
            self.first.get_or_insert((sample.dts, sample.composition));
            self.duration = self.duration.saturating_add(sample.duration.into());
            count(&mut self.stts, sample.duration);
            count(&mut self.ctts, sample.composition);
            self.sizes.push(sample.size);
            if sample.key {
                self.sync.push(self.sizes.len() as u32);
            }
        }
        Ok(())
    }

    /// Lets the last sample last until `dts`.
    fn meet(&mut self, dts: i64) {
        let (Some((first, _)), Some((count_of_last, last))) = (self.first, self.stts.last_mut()) else {
            return;
        };
        let end = first.saturating_add_unsigned(self.duration);
        if dts == end {
            return;
        }
        let (old, new) = (*last, i64::from(*last).saturating_add(dts.saturating_sub(end)));
        let new = new.clamp(0, u32::MAX.into()) as u32;
        *count_of_last -= 1;
        if *count_of_last == 0 {
            self.stts.pop();
        }
        count(&mut self.stts, new);
        self.duration = (self.duration - u64::from(old)).saturating_add(new.into());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    pub(crate) fn duration(&self) -> u64 {
        self.duration
    }

    /// Ticks from the first sample's decoding to its presentation.
    pub(crate) fn first_composition(&self) -> i64 {
        self.first.map_or(0, |(_, composition)| composition.into())
    }

    /// Presentation time of the first sample.
    pub(crate) fn start(&self, spec: &TrackSpec) -> Option<Time> {
        self.first.map(|(dts, composition)| {
            Time::from_ticks(dts.saturating_add(composition.into()), spec.timescale)
        })
    }

    /// When the last sample has been shown.
    pub(crate) fn end(&self, spec: &TrackSpec) -> Time {
        let first = self.first.map_or(0, |(dts, composition)| dts.saturating_add(composition.into()));
        Time::from_ticks(first.saturating_add_unsigned(self.duration), spec.timescale)
    }

    pub(crate) fn write(&self, out: &mut BytesMut) {
        write_table(out, b"stts", 0, &self.stts, |out, &(n, delta)| {
            out.put_u32(n);
            out.put_u32(delta);
        });
        if self.ctts.iter().any(|&(_, offset)| offset != 0) {
            write_table(out, b"ctts", 1, &self.ctts, |out, &(n, offset)| {
                out.put_u32(n);
                out.put_i32(offset);
            });
        }
        if self.sync.len() < self.sizes.len() {
            write_table(out, b"stss", 0, &self.sync, |out, &n| out.put_u32(n));
        }
        self.write_stsc(out);
        full(out, b"stsz", 0, 0, |out| {
            out.put_u32(0); // sample_size: each has its own
            out.put_u32(self.sizes.len() as u32);
            self.sizes.iter().for_each(|&size| out.put_u32(size));
        });
        self.write_offsets(out);
    }

    /// SampleToChunkBox (8.7.4): an entry wherever the number of samples changes.
    fn write_stsc(&self, out: &mut BytesMut) {
        let mut entries: Vec<(u32, u32)> = Vec::new();
        for (number, &(_, samples)) in (1..).zip(&self.chunks) {
            if entries.last().is_none_or(|last| last.1 != samples) {
                entries.push((number, samples));
            }
        }
        write_table(out, b"stsc", 0, &entries, |out, &(first, samples)| {
            out.put_u32(first);
            out.put_u32(samples);
            out.put_u32(1); // sample_description_index
        });
    }

    /// ChunkOffsetBox, the large one when a chunk begins past 4 GiB (8.7.5).
    fn write_offsets(&self, out: &mut BytesMut) {
        if self.chunks.iter().any(|&(offset, _)| offset > u32::MAX.into()) {
            write_table(out, b"co64", 0, &self.chunks, |out, &(offset, _)| out.put_u64(offset));
        } else {
            write_table(out, b"stco", 0, &self.chunks, |out, &(offset, _)| out.put_u32(offset as u32));
        }
    }
}

/// One more of `value` at the end of the runs.
fn count<T: PartialEq>(runs: &mut Vec<(u32, T)>, value: T) {
    match runs.last_mut() {
        Some((n, last)) if *last == value => *n += 1,
        _ => runs.push((1, value)),
    }
}

fn write_table<T>(
    out: &mut BytesMut,
    kind: &[u8; 4],
    version: u8,
    rows: &[T],
    row: impl Fn(&mut BytesMut, &T),
) {
    full(out, kind, version, 0, |out| {
        out.put_u32(rows.len() as u32);
        rows.iter().for_each(|item| row(out, item));
    });
}
