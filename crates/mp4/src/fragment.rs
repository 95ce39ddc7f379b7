//! Frames to CMAF chunks (23000-19 7.3.2.3): `moof` and `mdat`.
//!
//! A chunk is the unit of everything: an LL-HLS part is one or more chunks, a segment is [`styp`] and its chunks. A
//! sample's duration is known when the next frame of its track comes, so each track holds back its newest frame.

use crate::Mp4Error;
use crate::boxes::{full, write};
use crate::track::TrackSpec;
use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::{Frame, Kind, Time, Track};

/// Most payload bytes that wait for a chunk; [`Fragmenter::push`] refuses more.
pub const PENDING_BYTES: usize = 64 << 20;

/// Most samples that wait for a chunk; [`Fragmenter::push`] refuses more.
pub const PENDING_SAMPLES: usize = 8192;

/// sample_flags (14496-12 8.8.3.1): depends on no other sample; depends on others and is no sync sample.
const FLAGS_SYNC: u32 = 0x0200_0000;
const FLAGS_INTER: u32 = 0x0101_0000;

/// SegmentTypeBox, the first bytes of a whole segment.
pub fn styp() -> Bytes {
    let mut out = BytesMut::new();
    write(&mut out, b"styp", |out| out.put_slice(b"cmfs\0\0\0\0cmfscmffcmflmsdh"));
    out.freeze()
}

/// One `moof` and its `mdat`. Payloads are shared with the frames, not copied.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Whether a decoder can start here: it begins with a key frame, or has no pictures.
    pub independent: bool,
    /// Decoding time of the first sample of the leading track (video, or else audio), on the publisher's timeline.
    pub start: Time,
    /// When that sample is shown.
    pub shown: Time,
    /// How long the leading track's samples last.
    pub duration: Time,
    head: Bytes,
    pub(crate) runs: Vec<Run>,
}

/// The samples of one track in a chunk.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Which track, from 0.
    pub(crate) index: usize,
    /// Its id in the initialisation segment.
    pub(crate) id: u32,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Ticks since the fragmenter's origin.
    pub(crate) dts: i64,
    pub(crate) composition: i32,
    pub(crate) duration: u32,
    pub(crate) key: bool,
    pub(crate) payload: Bytes,
}

impl Chunk {
    /// The bytes in order, as pieces for a vectored write.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.head).chain(self.payloads())
    }

    /// The bytes in one piece.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.len());
        self.pieces().for_each(|piece| out.put_slice(piece));
        out.freeze()
    }

    /// Bytes of `moof` and `mdat`.
    #[expect(clippy::len_without_is_empty, reason = "a chunk is never empty")]
    pub fn len(&self) -> usize {
        self.pieces().map(Bytes::len).sum()
    }

    /// Frames in it, of all tracks.
    pub fn samples(&self) -> usize {
        self.runs.iter().map(|run| run.samples.len()).sum()
    }

    /// Where the media begins, in bytes from the chunk's start.
    pub(crate) fn media_at(&self) -> usize {
        self.head.len()
    }

    fn payloads(&self) -> impl Iterator<Item = &Bytes> {
        self.runs.iter().flat_map(|run| run.samples.iter().map(|sample| &sample.payload))
    }
}

/// Makes chunks of frames.
///
/// Holds at most [`PENDING_BYTES`] and [`PENDING_SAMPLES`] between two calls of [`Fragmenter::chunk`].
#[derive(Clone, Debug)]
pub struct Fragmenter {
    lanes: Vec<Lane>,
    origin: Time,
    sequence: u32,
    bytes: usize,
    samples: usize,
}

/// One track's waiting samples.
#[derive(Clone, Debug)]
struct Lane {
    id: u32,
    spec: TrackSpec,
    done: Vec<Sample>,
    /// The newest, whose duration is not known yet.
    open: Option<Sample>,
    last_duration: u32,
}

impl Fragmenter {
    /// For the tracks of an initialisation segment, in its order. `origin` becomes time zero.
    pub fn new(tracks: &[TrackSpec], origin: Time) -> Fragmenter {
        let numbered: Vec<(u32, TrackSpec)> = (1..).zip(tracks.iter().cloned()).collect();
        Fragmenter::with_ids(&numbered, origin)
    }

    /// For the tracks of [`InitSegment::with_ids`](crate::InitSegment::with_ids), under the same ids.
    pub fn with_ids(tracks: &[(u32, TrackSpec)], origin: Time) -> Fragmenter {
        let lane = |(id, spec): &(u32, TrackSpec)| Lane {
            id: *id,
            last_duration: if spec.track() == Track::Video { spec.timescale / 25 } else { 1024 },
            spec: spec.clone(),
            done: Vec::new(),
            open: None,
        };
        Fragmenter { lanes: tracks.iter().map(lane).collect(), origin, sequence: 0, bytes: 0, samples: 0 }
    }

    /// Takes a frame. Frames of tracks that are not carried and script messages are left out.
    ///
    /// A decoding time that goes back, or lies before the origin, is moved forward; the presentation time stays.
    pub fn push(&mut self, frame: &Frame) -> Result<(), Mp4Error> {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.spec.track() == frame.track) else {
            return Ok(());
        };
        if lane.spec.codec != frame.codec {
            return Err(Mp4Error::Changed(lane.spec.codec));
        }
        if frame.kind == Kind::Config {
            let same = lane.spec.config == frame.payload;
            return if same { Ok(()) } else { Err(Mp4Error::Changed(lane.spec.codec)) };
        }
        if self.samples >= PENDING_SAMPLES || self.bytes + frame.payload.len() > PENDING_BYTES {
            return Err(Mp4Error::Full("chunk"));
        }
        lane.push(frame, self.origin)?;
        self.samples += 1;
        self.bytes += frame.payload.len();
        Ok(())
    }

    /// All samples whose duration is known, as one chunk. `None` when there are none.
    ///
    /// Called after a key frame was pushed, it ends right before that key frame.
    pub fn chunk(&mut self) -> Option<Chunk> {
        let mut runs = Vec::new();
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let samples = std::mem::take(&mut lane.done);
            if !samples.is_empty() {
                self.samples -= samples.len();
                self.bytes -= samples.iter().map(|s| s.payload.len()).sum::<usize>();
                runs.push(Run { index, id: lane.id, samples });
            }
        }
        self.build(runs)
    }

    /// The samples of one track that are decoded before `until` and whose duration is known, as one chunk: what makes
    /// chunks of a single track each. The others stay for the next.
    pub fn track_chunk(&mut self, track: Track, until: Time) -> Option<Chunk> {
        let origin = self.origin;
        let index = self.lanes.iter().position(|lane| lane.spec.track() == track)?;
        let lane = self.lanes.get_mut(index)?;
        let limit = (until - origin).ticks(lane.spec.timescale);
        let count = lane.done.iter().take_while(|sample| sample.dts < limit).count();
        let samples: Vec<Sample> = lane.done.drain(..count).collect();
        let run = Run { index, id: lane.id, samples };
        self.samples -= run.samples.len();
        self.bytes -= run.samples.iter().map(|s| s.payload.len()).sum::<usize>();
        self.build(if run.samples.is_empty() { Vec::new() } else { vec![run] })
    }

    /// Closes the newest sample of each track, which then lasts as long as the one before it.
    pub fn close(&mut self) {
        for lane in &mut self.lanes {
            if let Some(mut sample) = lane.open.take() {
                sample.duration = lane.last_duration;
                lane.done.push(sample);
            }
        }
    }

    /// The rest at the end of a stream; the newest sample of each track lasts as long as the one before it.
    pub fn finish(&mut self) -> Option<Chunk> {
        self.close();
        self.chunk()
    }

    fn build(&mut self, runs: Vec<Run>) -> Option<Chunk> {
        let leads = |run: &&Run| self.lanes.get(run.index).is_some_and(|l| l.spec.track() == Track::Video);
        let has_video = self.lanes.iter().any(|lane| lane.spec.track() == Track::Video);
        let video = runs.iter().find(leads);
        let lead = video.or(runs.first())?;
        let first = lead.samples.first()?;
        let ticks: u64 = lead.samples.iter().map(|s| u64::from(s.duration)).sum();
        let timescale = self.lanes.get(lead.index)?.spec.timescale;
        let from = Time::from_ticks(first.dts, timescale);
        let shown = Time::from_ticks(first.dts.saturating_add(first.composition.into()), timescale);
        let until = Time::from_ticks(first.dts.saturating_add_unsigned(ticks), timescale);
        let independent = video.map_or(!has_video, |_| first.key);
        self.sequence = self.sequence.wrapping_add(1);
        let head = write_head(self.sequence, &runs);
        let (start, shown) = (self.origin + from, self.origin + shown);
        Some(Chunk { independent, start, shown, duration: until - from, head, runs })
    }
}

impl Lane {
    fn push(&mut self, frame: &Frame, origin: Time) -> Result<(), Mp4Error> {
        let timescale = self.spec.timescale;
        let floor = self.open.as_ref().map_or(0, |open| open.dts);
        let dts = (frame.dts - origin).ticks(timescale).max(floor);
        let pts = (frame.pts - origin).ticks(timescale);
        let composition = i32::try_from(pts - dts).map_err(|_| Mp4Error::Jump)?;
        let elapsed = u32::try_from(dts - floor);
        if let Some(open) = &mut self.open {
            open.duration = elapsed.map_err(|_| Mp4Error::Jump)?;
            self.last_duration = open.duration;
        }
        let key = frame.kind == Kind::Key;
        let next = Sample { dts, composition, duration: 0, key, payload: frame.payload.clone() };
        self.done.extend(self.open.replace(next));
        Ok(())
    }
}

/// MovieFragmentBox (14496-12 8.8.4) and the header of the media data.
fn write_head(sequence: u32, runs: &[Run]) -> Bytes {
    let samples: usize = runs.iter().map(|run| run.samples.len()).sum();
    let mut out = BytesMut::with_capacity(32 + 72 * runs.len() + 16 * samples);
    let mut offsets = Vec::new(); // where each run's data_offset stands, and its bytes
    write(&mut out, b"moof", |out| {
        full(out, b"mfhd", 0, 0, |out| out.put_u32(sequence));
        for run in runs {
            write(out, b"traf", |out| offsets.push(write_run(out, run)));
        }
    });
    let mut at = out.len() + 8; // of the media, from the start of the moof
    for (field, len) in offsets {
        if let Some(field) = out.get_mut(field..field + 4) {
            field.copy_from_slice(&(at as u32).to_be_bytes());
        }
        at += len;
    }
    let media = (at - out.len()) as u32;
    out.put_u32(media);
    out.put_slice(b"mdat");
    out.freeze()
}

/// Track fragment header, decode time and run (8.8.7, 8.8.12, 8.8.8). Gives where `data_offset` is, and the run's bytes.
fn write_run(out: &mut BytesMut, run: &Run) -> (usize, usize) {
    full(out, b"tfhd", 0, 0x02_0000, |out| out.put_u32(run.id)); // default-base-is-moof
    let first = run.samples.first().map_or(0, |sample| sample.dts);
    full(out, b"tfdt", 1, 0, |out| out.put_u64(u64::try_from(first).unwrap_or(0)));
    let mut field = 0;
    // data-offset, then duration, size, flags and composition offset of each sample
    full(out, b"trun", 1, 0x00_0f01, |out| {
        out.put_u32(run.samples.len() as u32);
        field = out.len();
        out.put_u32(0);
        for sample in &run.samples {
            out.put_u32(sample.duration);
            out.put_u32(sample.payload.len() as u32);
            out.put_u32(if sample.key { FLAGS_SYNC } else { FLAGS_INTER });
            out.put_i32(sample.composition);
        }
    });
    (field, run.samples.iter().map(|sample| sample.payload.len()).sum())
}
