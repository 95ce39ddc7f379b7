//! MP4 to frames: initialisation segments, fragments and finished files, of any muxer.
//!
//! Every size and count is checked against the bytes that are there before anything is allocated for it. Boxes are
//! looked up along one fixed path, never recursively. Encrypted samples and references to other files are not read.

use crate::Mp4Error;
use crate::boxes::{Header, Kind as BoxKind, child, children, need};
use crate::moov::MOVIE_CLOCK;
use crate::track::TrackSpec;
use bytes::{Bytes, BytesMut};
use headwater_media::{Frame, Kind, Reader, Short, Time, Track};

/// Largest top-level box that [`Demuxer`] buffers.
const BOX_MAX: u64 = 128 << 20;

/// Most samples of a movie fragment.
const FRAGMENT_SAMPLES: usize = 1 << 17;

/// Most tracks that are looked at.
const TRACKS_MAX: usize = 16;

/// Reads an initialisation segment and fragments as they come, cut anywhere.
///
/// Buffers one top-level box of at most 128 MiB. A finished file's own samples need [`read_file`].
#[derive(Clone, Debug, Default)]
pub struct Demuxer {
    buffer: BytesMut,
    /// Position of the buffer's start in the stream.
    at: u64,
    movie: Movie,
}

impl Demuxer {
    /// Expects an initialisation segment first.
    pub fn new() -> Demuxer {
        Demuxer::default()
    }

    /// Takes bytes; adds the frames of every box that is whole: configurations, then frames in decoding order.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Frame>) -> Result<(), Mp4Error> {
        self.buffer.extend_from_slice(bytes);
        while let Some(header) = Header::parse(&self.buffer)? {
            let size = header.size.filter(|&size| size <= BOX_MAX);
            let size =
                size.ok_or_else(|| Mp4Error::invalid(&header.kind, "it is larger than 128 MiB"))? as usize;
            if self.buffer.len() < size {
                break;
            }
            let whole = self.buffer.split_to(size).freeze();
            self.movie.top_level(header, &whole, self.at, out)?;
            self.at = self.at.saturating_add(size as u64);
        }
        Ok(())
    }
}

/// Reads a whole file: a finished one, or a fragmented one up to its last whole fragment. Frames are in decoding order.
pub fn read_file(file: &Bytes) -> Result<Vec<Frame>, Mp4Error> {
    let (mut movie, mut out, mut at) = (Movie::default(), Vec::new(), 0usize);
    let mut plain = None;
    while let Some(header) = Header::parse(file.get(at..).unwrap_or_default())? {
        let size = header.size.map_or(Some(file.len() - at), |size| usize::try_from(size).ok());
        let Some(end) = size.and_then(|size| at.checked_add(size)).filter(|&end| end <= file.len()) else {
            break;
        };
        let whole = file.slice(at..end);
        if header.kind == *b"moov" {
            plain = Some(whole.slice(header.len..));
        }
        movie.top_level(header, &whole, at as u64, &mut out)?;
        at = end;
    }
    if let Some(moov) = plain {
        let from = out.len();
        for track in &movie.tracks {
            read_samples(&moov, track, file, &mut out)?;
        }
        sort(&mut out, from);
    }
    Ok(out)
}

/// The tracks, and a fragment whose media is awaited.
#[derive(Clone, Debug, Default)]
pub(crate) struct Movie {
    pub(crate) tracks: Vec<Trak>,
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
pub(crate) struct Trak {
    pub(crate) id: u32,
    pub(crate) spec: TrackSpec,
    /// From media time to the movie's.
    pub(crate) shift: Time,
    /// default_sample_duration, _size and _flags of `trex`.
    defaults: [u32; 3],
    /// Where the next fragment begins if it does not say, in ticks.
    next: u64,
}

/// A sample of a fragment.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    /// Its track, from 0.
    pub(crate) track: usize,
    /// Position of the sample in the stream.
    pub(crate) at: u64,
    pub(crate) size: u32,
    pub(crate) dts: u64,
    pub(crate) duration: u32,
    pub(crate) composition: i32,
    pub(crate) key: bool,
}

impl Movie {
    fn top_level(
        &mut self,
        header: Header,
        whole: &Bytes,
        at: u64,
        out: &mut Vec<Frame>,
    ) -> Result<(), Mp4Error> {
        let body = whole.get(header.len..).unwrap_or_default();
        match &header.kind {
            b"moov" if self.tracks.is_empty() => {
                self.tracks = read_tracks(body)?;
                let configs = self.tracks.iter().filter(|track| !track.spec.config.is_empty());
                out.extend(
                    configs
                        .map(|t| t.spec.frame(Kind::Config, Time::ZERO, Time::ZERO, t.spec.config.clone())),
                );
            }
            b"moof" => self.pending = self.read_moof(body, at, at.saturating_add(whole.len() as u64))?,
            b"mdat" => self.media(whole, at, out),
            _ => {}
        }
        Ok(())
    }

    /// Cuts the fragment's samples out of its media; those that lie elsewhere are left out.
    fn media(&mut self, whole: &Bytes, at: u64, out: &mut Vec<Frame>) {
        let from = out.len();
        let mut left = whole.len() as u64; // samples that share bytes cannot multiply them
        for sample in std::mem::take(&mut self.pending) {
            let Some(track) = self.tracks.get(sample.track) else { continue };
            let Some(rest) = left.checked_sub(sample.size.into()) else { break };
            left = rest;
            let start = sample.at.checked_sub(at).and_then(|start| usize::try_from(start).ok());
            let Some(payload) = start.and_then(|start| cut(whole, start, sample.size)) else { continue };
            out.push(track.frame(sample.dts, sample.composition, sample.key, payload));
        }
        sort(out, from);
    }

    /// The samples of the `moof` that lies from `at` to `end`.
    pub(crate) fn read_moof(&mut self, moof: &[u8], at: u64, end: u64) -> Result<Vec<Pending>, Mp4Error> {
        let mut out = Vec::new();
        let mut media_at = end.saturating_add(8); // where a run without data_offset begins
        for item in children(moof) {
            if let (b"traf", body) = item.as_ref().map(|(kind, body)| (kind, *body)).map_err(Clone::clone)? {
                self.read_traf(body, at, &mut media_at, &mut out)?;
            }
        }
        Ok(out)
    }

    fn read_traf(
        &mut self,
        traf: &[u8],
        at: u64,
        media_at: &mut u64,
        out: &mut Vec<Pending>,
    ) -> Result<(), Mp4Error> {
        let tfhd = Tfhd::read(need(traf, b"tfhd")?).map_err(Mp4Error::short(b"tfhd"))?;
        let Some(index) = self.tracks.iter().position(|track| track.id == tfhd.track) else { return Ok(()) };
        let Some(track) = self.tracks.get_mut(index) else { return Ok(()) };
        let own = tfhd.defaults;
        let mut run =
            Run { track: index, base: tfhd.base.unwrap_or(at), defaults: track.defaults, dts: track.next };
        run.defaults.iter_mut().zip(own).for_each(|(to, from)| *to = from.unwrap_or(*to));
        if let Some(tfdt) = child(traf, b"tfdt")? {
            run.dts = read_tfdt(tfdt).map_err(Mp4Error::short(b"tfdt"))?;
        }
        for item in children(traf) {
            let (kind, body) = item?;
            if kind == *b"trun" {
                run.read(body, media_at, out)?;
            }
        }
        track.next = run.dts;
        Ok(())
    }
}

impl Trak {
    fn frame(&self, dts: u64, composition: i32, key: bool, payload: Bytes) -> Frame {
        let ticks = i64::try_from(dts).unwrap_or(i64::MAX);
        let time = |ticks| Time::from_ticks(ticks, self.spec.timescale) + self.shift;
        let kind = if key || self.spec.track() == Track::Audio { Kind::Key } else { Kind::Inter };
        self.spec.frame(kind, time(ticks), time(ticks.saturating_add(composition.into())), payload)
    }
}

fn cut(data: &Bytes, start: usize, size: u32) -> Option<Bytes> {
    let end = start.checked_add(size as usize).filter(|&end| end <= data.len())?;
    Some(data.slice(start..end))
}

fn sort(frames: &mut [Frame], from: usize) {
    if let Some(new) = frames.get_mut(from..) {
        new.sort_by_key(|frame| frame.dts);
    }
}

/// TrackFragmentHeaderBox (14496-12 8.8.7).
struct Tfhd {
    track: u32,
    base: Option<u64>,
    /// Duration, size, flags.
    defaults: [Option<u32>; 3],
}

impl Tfhd {
    fn read(body: &[u8]) -> Result<Tfhd, Short> {
        let mut r = Reader::new(body);
        let flags = r.u32()?;
        let track = r.u32()?;
        let base = if flags & 0x01 != 0 { Some(r.u64()?) } else { None };
        r.skip(if flags & 0x02 != 0 { 4 } else { 0 })?; // sample_description_index
        let mut defaults = [None; 3];
        for (slot, bit) in defaults.iter_mut().zip([0x08, 0x10, 0x20]) {
            if flags & bit != 0 {
                *slot = Some(r.u32()?);
            }
        }
        Ok(Tfhd { track, base, defaults })
    }
}

fn read_tfdt(body: &[u8]) -> Result<u64, Short> {
    let mut r = Reader::new(body);
    if r.u32()? >> 24 == 1 { r.u64() } else { r.u32().map(u64::from) }
}

/// Where a track fragment is.
struct Run {
    track: usize,
    base: u64,
    defaults: [u32; 3],
    dts: u64,
}

impl Run {
    /// TrackRunBox (8.8.8).
    fn read(&mut self, body: &[u8], media_at: &mut u64, out: &mut Vec<Pending>) -> Result<(), Mp4Error> {
        let short = Mp4Error::short(b"trun");
        let mut r = Reader::new(body);
        let flags = r.u32().map_err(&short)?;
        let count = r.u32().map_err(&short)? as usize;
        if count > FRAGMENT_SAMPLES - out.len().min(FRAGMENT_SAMPLES) {
            return Err(Mp4Error::invalid(b"trun", "its fragment has more than 131072 samples"));
        }
        if flags & 0x01 != 0 {
            let offset = r.u32().map_err(&short)? as i32;
            *media_at = self.base.saturating_add_signed(offset.into());
        }
        let first_flags = if flags & 0x04 != 0 { Some(r.u32().map_err(&short)?) } else { None };
        for number in 0..count {
            let [duration, size, mut sample_flags] = self.fields(&mut r, flags).map_err(&short)?;
            if let (0, Some(first)) = (number, first_flags) {
                sample_flags = first;
            }
            let composition = if flags & 0x800 != 0 { r.u32().map_err(&short)? as i32 } else { 0 };
            let key = sample_flags & 0x0001_0000 == 0;
            let (track, at, dts) = (self.track, *media_at, self.dts);
            out.push(Pending { track, at, size, dts, duration, composition, key });
            *media_at = media_at.saturating_add(size.into());
            self.dts = self.dts.saturating_add(duration.into());
        }
        Ok(())
    }

    /// Duration, size and flags of a sample, or their defaults.
    fn fields(&self, r: &mut Reader<'_>, flags: u32) -> Result<[u32; 3], Short> {
        let mut fields = self.defaults;
        for (field, bit) in fields.iter_mut().zip([0x100, 0x200, 0x400]) {
            if flags & bit != 0 {
                *field = r.u32()?;
            }
        }
        Ok(fields)
    }
}

/// The tracks of a MovieBox that can be carried.
pub(crate) fn read_tracks(moov: &[u8]) -> Result<Vec<Trak>, Mp4Error> {
    let movie_clock = match child(moov, b"mvhd")? {
        Some(mvhd) => read_timescale(mvhd).map_err(Mp4Error::short(b"mvhd"))?,
        None => MOVIE_CLOCK,
    };
    let mut tracks: Vec<Trak> = Vec::new();
    for item in
        children(moov).filter(|item| !matches!(item, Ok((kind, _)) if kind != b"trak")).take(TRACKS_MAX)
    {
        if let Some(track) = read_trak(item?.1, movie_clock)?
            && tracks.iter().all(|other| other.spec.track() != track.spec.track())
        {
            tracks.push(track);
        }
    }
    if let Some(mvex) = child(moov, b"mvex")? {
        for item in children(mvex) {
            if let (b"trex", body) = item.as_ref().map(|(kind, body)| (kind, *body)).map_err(Clone::clone)? {
                read_trex(body, &mut tracks).map_err(Mp4Error::short(b"trex"))?;
            }
        }
    }
    Ok(tracks)
}

fn read_trex(body: &[u8], tracks: &mut [Trak]) -> Result<(), Short> {
    let mut r = Reader::new(body);
    r.skip(4)?;
    let id = r.u32()?;
    r.skip(4)?; // default_sample_description_index
    let defaults = [r.u32()?, r.u32()?, r.u32()?];
    tracks.iter_mut().filter(|track| track.id == id).for_each(|track| track.defaults = defaults);
    Ok(())
}

fn read_trak(trak: &[u8], movie_clock: u32) -> Result<Option<Trak>, Mp4Error> {
    let id = read_track_id(need(trak, b"tkhd")?).map_err(Mp4Error::short(b"tkhd"))?;
    let mdia = need(trak, b"mdia")?;
    let timescale = read_timescale(need(mdia, b"mdhd")?).map_err(Mp4Error::short(b"mdhd"))?;
    let stbl = need(need(mdia, b"minf")?, b"stbl")?;
    let Some(mut spec) = TrackSpec::read_stsd(need(stbl, b"stsd")?)? else { return Ok(None) };
    spec.timescale = timescale.max(1);
    let shift = match child(trak, b"edts")?.map(|edts| child(edts, b"elst")).transpose()?.flatten() {
        Some(elst) => read_elst(elst, movie_clock, spec.timescale).map_err(Mp4Error::short(b"elst"))?,
        None => Time::ZERO,
    };
    Ok(Some(Trak { id, spec, shift, defaults: [0; 3], next: 0 }))
}

fn read_track_id(tkhd: &[u8]) -> Result<u32, Short> {
    let mut r = Reader::new(tkhd);
    let version = r.u32()? >> 24;
    r.skip(if version == 1 { 16 } else { 8 })?;
    r.u32()
}

/// timescale of `mvhd` and `mdhd`.
fn read_timescale(body: &[u8]) -> Result<u32, Short> {
    read_track_id(body) // it stands at the same place
}

/// Initial wait and start of the first edit that shows media; later edits are not followed.
fn read_elst(elst: &[u8], movie_clock: u32, timescale: u32) -> Result<Time, Short> {
    let mut r = Reader::new(elst);
    let long = r.u32()? >> 24 == 1;
    let mut wait = Time::ZERO;
    for _ in 0..r.u32()?.min(8) {
        let (duration, media_time) = if long {
            (r.u64()? as i64, r.u64()? as i64)
        } else {
            (r.u32()?.into(), (r.u32()? as i32).into())
        };
        r.skip(4)?; // media_rate
        if media_time >= 0 {
            return Ok(wait - Time::from_ticks(media_time, timescale));
        }
        wait += Time::from_ticks(duration, movie_clock);
    }
    Ok(wait)
}

/// A track's samples by the tables of a finished file.
fn read_samples(moov: &[u8], track: &Trak, file: &Bytes, out: &mut Vec<Frame>) -> Result<(), Mp4Error> {
    let Some(trak) = trak_of(moov, track.id)? else { return Ok(()) };
    let stbl = need(need(need(trak, b"mdia")?, b"minf")?, b"stbl")?;
    let sizes = read_sizes(need(stbl, b"stsz")?, file.len()).map_err(Mp4Error::short(b"stsz"))?;
    let mut stts = rows::<2>(need(stbl, b"stts")?, b"stts")?;
    let mut ctts = rows::<2>(child(stbl, b"ctts")?.unwrap_or_default(), b"ctts")?;
    let mut stsc = rows::<3>(need(stbl, b"stsc")?, b"stsc")?.peekable();
    let mut sync =
        child(stbl, b"stss")?.map(|body| rows::<1>(body, b"stss")).transpose()?.map(Iterator::peekable);
    let chunks = read_offsets(stbl)?;
    let (mut delta, mut offset) = ((0, 0), (0, 0));
    let (mut dts, mut number, mut left, mut per_chunk) = (0u64, 0u32, file.len(), 0);
    let mut sizes = sizes.into_iter();
    for (chunk, mut at) in (1u32..).zip(chunks) {
        while let Some([_, samples, _]) = stsc.next_if(|row| row[0] <= chunk) {
            per_chunk = samples;
        }
        for size in sizes.by_ref().take(per_chunk as usize) {
            number = number.saturating_add(1);
            let Some(rest) = left.checked_sub(size as usize) else { return Ok(()) };
            left = rest;
            let composition = next_of(&mut ctts, &mut offset) as i32;
            let key = sync.as_mut().is_none_or(|sync| sync.next_if(|row| row[0] <= number).is_some());
            if let Some(payload) = usize::try_from(at).ok().and_then(|at| cut(file, at, size)) {
                out.push(track.frame(dts, composition, key, payload));
            }
            at = at.saturating_add(size.into());
            dts = dts.saturating_add(next_of(&mut stts, &mut delta).into());
        }
    }
    Ok(())
}

/// The value for the next sample out of runs of (count, value); 0 after the last.
fn next_of(rows: &mut impl Iterator<Item = [u32; 2]>, run: &mut (u32, u32)) -> u32 {
    while run.0 == 0 {
        let Some([count, value]) = rows.next() else { return 0 };
        *run = (count, value);
    }
    run.0 -= 1;
    run.1
}

fn trak_of(moov: &[u8], id: u32) -> Result<Option<&[u8]>, Mp4Error> {
    for item in children(moov) {
        let (kind, body) = item?;
        if kind == *b"trak" && read_track_id(need(body, b"tkhd")?).map_err(Mp4Error::short(b"tkhd"))? == id {
            return Ok(Some(body));
        }
    }
    Ok(None)
}

/// The rows of a table with `N` 32-bit columns; as many as there are bytes for.
fn rows<'a, const N: usize>(
    body: &'a [u8],
    kind: &BoxKind,
) -> Result<impl Iterator<Item = [u32; N]> + use<'a, N>, Mp4Error> {
    let mut r = Reader::new(body);
    let count = if body.is_empty() { 0 } else { r.u64().map_err(Mp4Error::short(kind))? as u32 };
    Ok((0..count).map_while(move |_| {
        let mut row = [0; N];
        for column in &mut row {
            *column = r.u32().ok()?;
        }
        Some(row)
    }))
}

/// SampleSizeBox (8.7.3.2). No more samples than the file has bytes.
fn read_sizes(body: &[u8], file: usize) -> Result<Vec<u32>, Short> {
    let mut r = Reader::new(body);
    r.skip(4)?;
    let (same, count) = (r.u32()?, r.u32()? as usize);
    if same != 0 {
        return Ok(vec![same; count.min(file / same as usize)]);
    }
    (0..count.min(r.left() / 4)).map(|_| r.u32()).collect()
}

fn read_offsets(stbl: &[u8]) -> Result<Vec<u64>, Mp4Error> {
    if let Some(co64) = child(stbl, b"co64")? {
        return Ok(rows::<2>(co64, b"co64")?
            .map(|[high, low]| u64::from(high) << 32 | u64::from(low))
            .collect());
    }
    Ok(rows::<1>(need(stbl, b"stco")?, b"stco")?.map(|[offset]| offset.into()).collect())
}
