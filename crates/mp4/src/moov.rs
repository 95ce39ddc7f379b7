//! `ftyp` and `moov`: the same boxes for fragments to come and for a finished file.

use crate::boxes::{full, write};
use crate::index::Indexed;
use crate::tables::Tables;
use crate::track::TrackSpec;
use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::{Time, Track};

/// Ticks a second of the movie's own clock: edits and durations.
pub(crate) const MOVIE_CLOCK: u32 = 90_000;

/// Unity matrix (14496-12 8.2.2.2).
const MATRIX: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

/// What a player needs before the first chunk: `ftyp` and `moov` with CMAF's brands.
///
/// With one track it is a CMAF header (DASH, HLS with separate audio); with two, a muxed one for HLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitSegment {
    /// The segment.
    pub bytes: Bytes,
    /// RFC 6381 codec strings of the tracks, as `CODECS` of a playlist wants them.
    pub codecs: String,
}

impl InitSegment {
    /// For the tracks in this order; their ids count from 1.
    pub fn new(tracks: &[TrackSpec]) -> InitSegment {
        let numbered: Vec<(u32, TrackSpec)> = (1..).zip(tracks.iter().cloned()).collect();
        InitSegment::with_ids(&numbered)
    }

    /// For tracks with ids of their own, from 1 and rising: chunks of a track then fit whichever segment it is in.
    pub fn with_ids(tracks: &[(u32, TrackSpec)]) -> InitSegment {
        let mut out = BytesMut::new();
        write_ftyp(&mut out, b"cmfc", &[b"iso6", b"cmfc", b"mp41", b"dash"]);
        write_fragmented(&mut out, tracks);
        let codecs: Vec<String> = tracks.iter().filter_map(|(_, spec)| spec.codec_string()).collect();
        InitSegment { bytes: out.freeze(), codecs: codecs.join(",") }
    }
}

/// FileTypeBox (4.3).
pub(crate) fn write_ftyp(out: &mut BytesMut, major: &[u8; 4], brands: &[&[u8; 4]]) {
    write(out, b"ftyp", |out| {
        out.put_slice(major);
        out.put_u32(0); // minor_version
        brands.iter().for_each(|brand| out.put_slice(*brand));
    });
}

/// MovieBox of a fragmented file: no samples of its own.
pub(crate) fn write_fragmented(out: &mut BytesMut, tracks: &[(u32, TrackSpec)]) {
    write_extended(out, tracks, Time::ZERO, |_| {});
}

/// The same; `origin` of the fragments' timeline is shown first, and `extra` begins its MovieExtendsBox.
pub(crate) fn write_extended(
    out: &mut BytesMut,
    tracks: &[(u32, TrackSpec)],
    origin: Time,
    extra: impl FnOnce(&mut BytesMut),
) {
    write(out, b"moov", |out| {
        write_mvhd(out, 0, tracks.last().map_or(0, |(id, _)| *id));
        for (id, spec) in tracks {
            write_trak(out, *id, spec, &Tables::default(), origin);
        }
        write(out, b"mvex", |out| {
            extra(out);
            tracks.iter().for_each(|(id, _)| write_trex(out, *id));
        });
    });
}

/// MovieBox of a finished file whose time zero is `origin`, or its first picture or sound if that is earlier.
pub(crate) fn write_plain(out: &mut BytesMut, tracks: &[Indexed], origin: Time) {
    let (start, end) = span(tracks);
    let origin = origin.min(start);
    let last = tracks.last().map_or(0, |track| track.id);
    write(out, b"moov", |out| {
        write_mvhd(out, movie_ticks(end - origin), last);
        for track in tracks {
            write_trak(out, track.id, &track.spec, &track.tables, origin);
        }
    });
}

/// When the first sample is shown, and when the last has been.
pub(crate) fn span(tracks: &[Indexed]) -> (Time, Time) {
    let starts = tracks.iter().filter_map(|track| track.tables.start(&track.spec));
    let origin = starts.min().unwrap_or(Time::ZERO);
    let filled = tracks.iter().filter(|track| !track.tables.is_empty());
    (origin, filled.map(|track| track.tables.end(&track.spec)).max().unwrap_or(origin))
}

pub(crate) fn movie_ticks(time: Time) -> u64 {
    u64::try_from(time.ticks(MOVIE_CLOCK)).unwrap_or(0)
}

/// MovieHeaderBox (8.2.2), version 1.
/// `last` is the highest track id in use.
fn write_mvhd(out: &mut BytesMut, duration: u64, last: u32) {
    full(out, b"mvhd", 1, 0, |out| {
        out.put_bytes(0, 16); // creation_time, modification_time
        out.put_u32(MOVIE_CLOCK);
        out.put_u64(duration);
        out.put_u32(0x0001_0000); // rate
        out.put_u16(0x0100); // volume
        out.put_bytes(0, 10);
        MATRIX.iter().for_each(|&n| out.put_u32(n));
        out.put_bytes(0, 24);
        out.put_u32(last.saturating_add(1)); // next_track_ID
    });
}

/// TrackExtendsBox (8.8.3): no defaults, runs tell everything.
fn write_trex(out: &mut BytesMut, id: u32) {
    full(out, b"trex", 0, 0, |out| {
        out.put_u32(id);
        out.put_u32(1); // default_sample_description_index
        out.put_bytes(0, 12);
    });
}

fn write_trak(out: &mut BytesMut, id: u32, spec: &TrackSpec, tables: &Tables, origin: Time) {
    let shown = tables.start(spec).map_or(0, |start| movie_ticks(tables.end(spec) - start));
    let wait = tables.start(spec).map_or(0, |start| movie_ticks(start - origin));
    write(out, b"trak", |out| {
        write_tkhd(out, id, spec, wait + shown);
        if !tables.is_empty() {
            write(out, b"edts", |out| write_elst(out, wait, shown, tables.first_composition()));
        } else if origin > Time::ZERO {
            // A duration of 0 reaches to the end of the fragments to come (8.6.6.1).
            write(out, b"edts", |out| write_elst(out, 0, 0, origin.ticks(spec.timescale)));
        }
        write(out, b"mdia", |out| {
            write_mdhd(out, spec.timescale, tables.duration());
            write_hdlr(out, spec.track());
            write(out, b"minf", |out| write_minf(out, spec, tables));
        });
    });
}

/// TrackHeaderBox (8.3.2), version 1.
fn write_tkhd(out: &mut BytesMut, id: u32, spec: &TrackSpec, duration: u64) {
    full(out, b"tkhd", 1, 0x3, |out| {
        out.put_bytes(0, 16); // creation_time, modification_time
        out.put_u32(id);
        out.put_u32(0);
        out.put_u64(duration);
        out.put_bytes(0, 12); // layer, alternate_group
        out.put_u16(if spec.track() == Track::Audio { 0x0100 } else { 0 }); // volume
        out.put_u16(0);
        MATRIX.iter().for_each(|&n| out.put_u32(n));
        out.put_u32(u32::from(spec.width) << 16);
        out.put_u32(u32::from(spec.height) << 16);
    });
}

/// EditListBox (8.6.6), version 1: wait until the track begins, then show it from its first picture on.
fn write_elst(out: &mut BytesMut, wait: u64, shown: u64, media_time: i64) {
    full(out, b"elst", 1, 0, |out| {
        out.put_u32(1 + u32::from(wait > 0));
        if wait > 0 {
            out.put_u64(wait);
            out.put_i64(-1); // an empty edit
            out.put_u32(0x0001_0000); // media_rate
        }
        out.put_u64(shown);
        out.put_i64(media_time);
        out.put_u32(0x0001_0000);
    });
}

/// MediaHeaderBox (8.4.2), version 1, language "und".
fn write_mdhd(out: &mut BytesMut, timescale: u32, duration: u64) {
    full(out, b"mdhd", 1, 0, |out| {
        out.put_bytes(0, 16);
        out.put_u32(timescale);
        out.put_u64(duration);
        out.put_u32(0x55c4_0000);
    });
}

/// HandlerBox (8.4.3).
fn write_hdlr(out: &mut BytesMut, track: Track) {
    full(out, b"hdlr", 0, 0, |out| {
        out.put_u32(0);
        out.put_slice(if track == Track::Video { b"vide" } else { b"soun" });
        out.put_bytes(0, 12);
        out.put_slice(b"Headwater\0");
    });
}

/// Media header, data in this file (8.7.2), sample table.
fn write_minf(out: &mut BytesMut, spec: &TrackSpec, tables: &Tables) {
    match spec.track() {
        Track::Video => full(out, b"vmhd", 0, 1, |out| out.put_u64(0)),
        _ => full(out, b"smhd", 0, 0, |out| out.put_u32(0)),
    }
    write(out, b"dinf", |out| {
        full(out, b"dref", 0, 0, |out| {
            out.put_u32(1);
            full(out, b"url ", 0, 1, |_| {});
        });
    });
    write(out, b"stbl", |out| {
        spec.write_stsd(out);
        tables.write(out);
    });
}
