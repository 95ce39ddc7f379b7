//! Bytes of single boxes, round trips of all codecs, hostile input.

use crate::boxes::need;
use crate::{
    Chunk, Demuxer, Finalized, Fragmenter, InitSegment, Layout, Mp4Error, Rebuild, Recorder, TrackSpec,
    read_file, styp,
};
use bytes::{Bytes, BytesMut};
use headwater_media::codec::{aac, opus, vp9};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use proptest::prelude::*;

/// AVCDecoderConfigurationRecord (14496-15 5.3.3.1): Baseline 3.0, one SPS, one PPS.
const AVC: &[u8] = &[
    1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 10, 0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 1, 0,
    4, 0x68, 0xce, 0x3c, 0x80,
];

/// MPEG-1 layer III, 128 kb/s, 44.1 kHz, joint stereo.
const MP3: &[u8] = &[0xff, 0xfb, 0x90, 0x64, 1, 2, 3];

fn frame(codec: Codec, kind: Kind, dts: Time, pts: Time, payload: impl Into<Bytes>) -> Frame {
    let sound = matches!(codec, Codec::Aac | Codec::Opus | Codec::Mp3);
    let track = if sound { Track::Audio } else { Track::Video };
    Frame { track, codec, tag: CodecTag::Legacy, kind, dts, pts, payload: payload.into() }
}

fn config(codec: Codec) -> Frame {
    let (kind, payload) = match codec {
        Codec::H264 => (Kind::Config, Bytes::from_static(AVC)),
        // Only the MP4 side is at work here: records of HEVC and AV1 are carried as they are.
        Codec::Hevc => (Kind::Config, Bytes::from_static(&[1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93])),
        Codec::Av1 => (Kind::Config, Bytes::from_static(&[0x81, 0x04, 0x0c, 0])),
        Codec::Vp9 => {
            let record = vp9::Config { profile: 0, level: 10, format: 0x82, colour: [2, 2, 2] };
            (Kind::Config, record.write())
        }
        Codec::Aac => (Kind::Config, aac::Config::lc(48_000, 2).write()),
        Codec::Opus => (Kind::Config, opus::Config { pre_skip: 312, ..opus::Config::plain(2) }.write()),
        _ => (Kind::Key, Bytes::from_static(MP3)),
    };
    frame(codec, kind, Time::ZERO, Time::ZERO, payload)
}

fn spec(codec: Codec) -> TrackSpec {
    TrackSpec::from_frame(&config(codec)).unwrap()
}

/// Four seconds from `origin` on: 25 pictures a second in the order I P B, and sound every 20 ms a bit later.
fn stream(video: Codec, audio: Codec, origin: Time) -> Vec<Frame> {
    let mut frames = Vec::new();
    for n in 0..100i64 {
        let dts = origin + Time::from_millis(40 * n);
        let kind = if n % 25 == 0 { Kind::Key } else { Kind::Inter };
        let pts = dts + Time::from_millis(if n % 2 == 0 { 80 } else { 40 });
        frames.push(frame(video, kind, dts, pts, vec![n as u8; 10 + n as usize]));
    }
    for n in 0..200i64 {
        let dts = origin + Time::from_millis(10 + 20 * n);
        let payload = if audio == Codec::Mp3 { MP3.to_vec() } else { vec![0x80 | n as u8; 3] };
        frames.push(frame(audio, Kind::Key, dts, dts, payload));
    }
    frames.sort_by_key(|f| f.dts);
    frames
}

/// What must come out: per track, times from `origin` on in ticks, kinds and payloads.
fn outline(frames: &[Frame], track: Track, timescale: u32, origin: Time) -> Vec<(i64, i64, Kind, Bytes)> {
    let mine = frames.iter().filter(|f| f.track == track && f.kind != Kind::Config);
    let ticks = |time: Time| (time - origin).ticks(timescale);
    mine.map(|f| (ticks(f.dts), ticks(f.pts), f.kind, f.payload.clone())).collect()
}

fn same(got: &[Frame], got_origin: Time, want: &[Frame], want_origin: Time, specs: &[TrackSpec]) {
    for spec in specs {
        let (track, clock) = (spec.track(), spec.timescale);
        assert_eq!(outline(got, track, clock, got_origin), outline(want, track, clock, want_origin));
    }
}

fn fragments(specs: &[TrackSpec], frames: &[Frame], origin: Time) -> Vec<Chunk> {
    let mut fragmenter = Fragmenter::new(specs, origin);
    let mut chunks = Vec::new();
    for frame in frames {
        fragmenter.push(frame).unwrap();
        if frame.is_video_key() {
            chunks.extend(fragmenter.chunk());
        }
    }
    chunks.extend(fragmenter.finish());
    chunks
}

fn joined(init: &InitSegment, chunks: &[Chunk]) -> Vec<u8> {
    let mut out = [init.bytes.clone(), styp()].concat();
    chunks.iter().for_each(|chunk| out.extend(chunk.to_bytes()));
    out
}

fn numbered(specs: &[TrackSpec]) -> Vec<(u32, TrackSpec)> {
    (1..).zip(specs.iter().cloned()).collect()
}

/// Chunks of a single track each, cut every 400 ms and before key frames, with the frames' own times.
fn chunks(specs: &[TrackSpec], frames: &[Frame]) -> Vec<Chunk> {
    let mut fragmenter = Fragmenter::with_ids(&numbered(specs), Time::ZERO);
    let (mut chunks, mut since) = (Vec::new(), frames[0].dts);
    for frame in frames {
        fragmenter.push(frame).unwrap();
        if frame.dts - since >= Time::from_millis(400) || frame.is_video_key() {
            since = frame.dts;
            chunks.extend(fragmenter.track_chunk(Track::Audio, frame.dts));
            chunks.extend(fragmenter.track_chunk(Track::Video, Time::from_micros(i64::MAX)));
        }
    }
    fragmenter.close();
    for track in [Track::Audio, Track::Video] {
        chunks.extend(fragmenter.track_chunk(track, Time::from_micros(i64::MAX)));
    }
    chunks
}

/// The recording before it is finished, and after; where its chunks end.
fn recording(specs: &[TrackSpec], frames: &[Frame], origin: Time) -> (Vec<u8>, Vec<u8>, Vec<usize>) {
    let mut recorder = Recorder::new(&numbered(specs), origin, Layout::Plain, b"");
    let mut file = recorder.header().to_vec();
    let mut ends = vec![file.len()];
    for chunk in chunks(specs, frames) {
        recorder.push(&chunk).unwrap();
        file.extend(chunk.to_bytes());
        ends.push(file.len());
    }
    let last = recorder.finalize();
    assert_eq!(last.tail_at, file.len() as u64);
    let mut done = file.clone();
    done.extend(last.tail);
    let at = last.patch_at as usize;
    done[at..at + 16].copy_from_slice(&last.patch);
    (file, done, ends)
}

const PAIRS: [(Codec, Codec); 4] = [
    (Codec::H264, Codec::Aac),
    (Codec::Hevc, Codec::Opus),
    (Codec::Av1, Codec::Mp3),
    (Codec::Vp9, Codec::Aac),
];

#[test]
fn every_codec_comes_back_from_fragments_and_from_a_finished_file() {
    for (video, audio) in PAIRS {
        // 30 hours in: past every 32-bit count of ticks.
        let origin = Time::from_millis(30 * 3_600_000);
        let (specs, frames) = ([spec(video), spec(audio)], stream(video, audio, origin));
        let zero = Time::from_millis(5);
        let file = joined(&InitSegment::new(&specs), &fragments(&specs, &frames, zero));
        let mut got = Vec::new();
        Demuxer::new().push(&file, &mut got).unwrap();
        same(&got, origin - zero, &frames, origin, &specs);
        let configs: Vec<_> =
            got.iter().filter(|f| f.kind == Kind::Config).map(|f| f.payload.clone()).collect();
        let want: Vec<_> = specs.iter().map(|s| s.config.clone()).filter(|c| !c.is_empty()).collect();
        assert_eq!(configs, want);
        let (crashed, done, _) = recording(&specs, &frames, origin);
        same(&read_file(&crashed.clone().into()).unwrap(), Time::ZERO, &frames, origin, &specs);
        same(&read_file(&done.clone().into()).unwrap(), Time::ZERO, &frames, origin, &specs);
        assert_eq!(rebuild(&crashed).unwrap(), done);
    }
}

#[test]
fn a_cut_recording_plays_to_its_last_whole_fragment() {
    let (specs, frames) =
        ([spec(Codec::H264), spec(Codec::Aac)], stream(Codec::H264, Codec::Aac, Time::ZERO));
    let (file, _, ends) = recording(&specs, &frames, Time::ZERO);
    assert!(ends.len() > 20, "{} fragments", ends.len());
    for pair in ends.windows(2) {
        let at = |len: usize| read_file(&Bytes::copy_from_slice(&file[..len])).unwrap();
        assert_eq!(at(pair[1] - 1), at(pair[0]));
        assert!(at(pair[1]).len() > at(pair[0]).len());
    }
}

#[test]
fn chunks_tell_where_they_start_and_whether_a_decoder_can() {
    let (specs, frames) = ([spec(Codec::H264)], stream(Codec::H264, Codec::Aac, Time::from_millis(7000)));
    let chunks = fragments(&specs, &frames, Time::ZERO);
    let starts: Vec<_> =
        chunks.iter().map(|c| (c.start.millis(), c.duration.millis(), c.independent)).collect();
    assert_eq!(starts, [(7000, 1000, true), (8000, 1000, true), (9000, 1000, true), (10_000, 1000, true)]);
    let mut fragmenter = Fragmenter::new(&specs, Time::ZERO);
    frames.iter().take(60).for_each(|f| fragmenter.push(f).unwrap());
    assert!(fragmenter.chunk().unwrap().independent);
    frames.iter().skip(60).take(15).for_each(|f| fragmenter.push(f).unwrap());
    assert!(!fragmenter.chunk().unwrap().independent);
}

#[test]
fn bytes_of_a_chunk() {
    let specs = [spec(Codec::H264)];
    let mut fragmenter = Fragmenter::new(&specs, Time::ZERO);
    let at = Time::from_millis;
    // 26.5 hours: 2^33 ticks have gone by, which takes the 64 bits of tfdt.
    let day = 95_443_718;
    fragmenter.push(&frame(Codec::H264, Kind::Key, at(day), at(day + 40), &b"key"[..])).unwrap();
    fragmenter.push(&frame(Codec::H264, Kind::Inter, at(day + 40), at(day + 20), &b"in"[..])).unwrap();
    fragmenter.push(&frame(Codec::H264, Kind::Key, at(day + 80), at(day + 80), &b"next"[..])).unwrap();
    let mut want = Vec::new();
    want.extend(b"\x00\x00\x00\x78moof"); // 14496-12 8.8.4
    want.extend(b"\x00\x00\x00\x10mfhd\x00\x00\x00\x00\x00\x00\x00\x01"); // 8.8.5: sequence_number 1
    want.extend(b"\x00\x00\x00\x60traf"); // 8.8.6
    want.extend(b"\x00\x00\x00\x10tfhd\x00\x02\x00\x00\x00\x00\x00\x01"); // 8.8.7: default-base-is-moof, track 1
    want.extend(b"\x00\x00\x00\x14tfdt\x01\x00\x00\x00"); // 8.8.12, version 1
    want.extend(8_589_934_620u64.to_be_bytes()); // 95,443,718 ms * 90
    want.extend(b"\x00\x00\x00\x34trun\x01\x00\x0f\x01"); // 8.8.8, version 1
    want.extend(b"\x00\x00\x00\x02\x00\x00\x00\x80"); // sample_count, data_offset
    want.extend(b"\x00\x00\x0e\x10\x00\x00\x00\x03\x02\x00\x00\x00\x00\x00\x0e\x10"); // 3600, 3 bytes, sync, +3600
    want.extend(b"\x00\x00\x0e\x10\x00\x00\x00\x02\x01\x01\x00\x00\xff\xff\xf8\xf8"); // 3600, 2 bytes, -1800
    want.extend(b"\x00\x00\x00\x0dmdatkeyin"); // 8.1.1
    assert_eq!(fragmenter.chunk().unwrap().to_bytes(), want);
}

#[test]
fn bytes_of_sample_entries() {
    let entry = |codec| {
        let mut out = BytesMut::new();
        spec(codec).write_stsd(&mut out);
        out.freeze()
    };
    // esds (14496-14 6.7.2): ES_Descriptor, DecoderConfigDescriptor 0x40 audio, DecoderSpecificInfo, SLConfig 2.
    let aac = b"\x00\x00\x00\x33esds\x00\x00\x00\x00\x03\x80\x80\x80\x22\x00\x00\x00\x04\x80\x80\x80\x14\x40\x15\x00\x00\x00\
        \x00\x00\x00\x00\x00\x00\x00\x00\x05\x80\x80\x80\x02\x11\x90\x06\x80\x80\x80\x01\x02";
    assert!(entry(Codec::Aac).ends_with(aac), "{:02x?}", entry(Codec::Aac));
    // dOps (Opus in ISOBMFF 4.3.2): version 0, 2 channels, pre-skip 312, 48 kHz, no gain, family 0.
    let opus = b"\x00\x00\x00\x13dOps\x00\x02\x01\x38\x00\x00\xbb\x80\x00\x00\x00";
    assert!(entry(Codec::Opus).ends_with(opus), "{:02x?}", entry(Codec::Opus));
    // vpcC (VP9-ISOBMFF 2.2) with its FullBox header: profile 0, level 1.0, 8 bits 4:2:0.
    let vp9 = b"\x00\x00\x00\x14vpcC\x01\x00\x00\x00\x00\x0a\x82\x02\x02\x02\x00\x00";
    assert!(entry(Codec::Vp9).ends_with(vp9), "{:02x?}", entry(Codec::Vp9));
}

#[test]
fn offsets_past_4_gib_are_64_bits_wide() {
    let specs = [spec(Codec::H264)];
    let mut recorder = Recorder::new(&numbered(&specs), Time::ZERO, Layout::Plain, b"");
    recorder.position = 5 << 30;
    let (mut before, mut media) = (0, 0);
    for chunk in chunks(&specs, &stream(Codec::H264, Codec::Aac, Time::ZERO)) {
        (before, media) = (recorder.position, chunk.media_at() as u64);
        recorder.push(&chunk).unwrap();
    }
    let last = recorder.finalize();
    let moov = need(&last.tail, b"moov").unwrap();
    let stbl = ["trak", "mdia", "minf", "stbl"].iter().fold(moov, |at, kind| {
        let kind: [u8; 4] = kind.as_bytes().try_into().unwrap();
        need(at, &kind).unwrap()
    });
    let co64 = need(stbl, b"co64").unwrap();
    assert!(co64.ends_with(&(before + media).to_be_bytes()));
    assert_eq!(last.patch[..8], *b"\x00\x00\x00\x01mdat");
    let span = u64::from_be_bytes(last.patch[8..].try_into().unwrap());
    assert_eq!(last.patch_at + span, last.tail_at);
    assert!(span > 5 << 30);
}

#[test]
fn what_cannot_be_carried_is_refused() {
    let vp8 = frame(Codec::Vp8, Kind::Key, Time::ZERO, Time::ZERO, &b"x"[..]);
    assert_eq!(TrackSpec::from_frame(&vp8), Err(Mp4Error::Codec(Codec::Vp8)));
    let inter = frame(Codec::H264, Kind::Inter, Time::ZERO, Time::ZERO, &b"x"[..]);
    assert_eq!(TrackSpec::from_frame(&inter), Err(Mp4Error::NoConfig(Codec::H264)));
    let mut fragmenter = Fragmenter::new(&[spec(Codec::H264)], Time::ZERO);
    assert_eq!(fragmenter.push(&config(Codec::H264)), Ok(()));
    let other = Frame { payload: Bytes::from_static(&[1, 2]), ..config(Codec::H264) };
    assert_eq!(fragmenter.push(&other), Err(Mp4Error::Changed(Codec::H264)));
    let far = Time::from_millis(14 * 3_600_000);
    fragmenter.push(&inter).unwrap();
    let jumped = Frame { dts: far, pts: far, ..inter };
    assert_eq!(fragmenter.push(&jumped), Err(Mp4Error::Jump));
}

#[test]
fn waiting_samples_are_bounded() {
    let mut fragmenter = Fragmenter::new(&[spec(Codec::Aac)], Time::ZERO);
    let sound = frame(Codec::Aac, Kind::Key, Time::ZERO, Time::ZERO, &b"x"[..]);
    let taken = (0..10_000).take_while(|_| fragmenter.push(&sound).is_ok()).count();
    assert_eq!(taken, crate::PENDING_SAMPLES);
    assert!(fragmenter.chunk().is_some());
    assert_eq!(fragmenter.push(&sound), Ok(()));
}

#[test]
fn every_cut_and_every_changed_byte_is_survived() {
    let (specs, frames) =
        ([spec(Codec::H264), spec(Codec::Aac)], stream(Codec::H264, Codec::Aac, Time::ZERO));
    let (crashed, done, _) = recording(&specs, &frames[..80], Time::ZERO);
    for file in [crashed, done] {
        for at in 0..file.len() {
            let _ = read_file(&Bytes::copy_from_slice(&file[..at])); // an error is as good as frames
            for value in [0x00, 0x7f, 0xff] {
                let mut broken = file.clone();
                broken[at] = value;
                if let Ok(frames) = read_file(&broken.into()) {
                    let bytes: usize =
                        frames.iter().filter(|f| f.kind != Kind::Config).map(|f| f.payload.len()).sum();
                    assert!(bytes <= 2 * file.len(), "{bytes} bytes out of {}", file.len());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_frames(cuts in prop::collection::vec(1usize..4000, 0..12)) {
        let (specs, frames) = ([spec(Codec::H264), spec(Codec::Aac)], stream(Codec::H264, Codec::Aac, Time::ZERO));
        let file = joined(&InitSegment::new(&specs), &fragments(&specs, &frames, Time::ZERO));
        let (mut demuxer, mut got, mut rest) = (Demuxer::new(), Vec::new(), file.as_slice());
        for cut in cuts {
            let (part, left) = rest.split_at(cut.min(rest.len()));
            demuxer.push(part, &mut got).unwrap();
            rest = left;
        }
        demuxer.push(rest, &mut got).unwrap();
        prop_assert_eq!(got, read_file(&file.into()).unwrap());
    }

    #[test]
    fn presentation_times_are_kept_whatever_decoding_times_do(steps in prop::collection::vec((-50i64..200, -100i64..100), 1..200)) {
        let specs = [spec(Codec::H264)];
        let mut fragmenter = Fragmenter::new(&specs, Time::ZERO);
        let (mut dts, mut want) = (0, Vec::new());
        for (step, composition) in steps {
            dts += step;
            want.push((dts + composition) * 90);
            let (dts, pts) = (Time::from_millis(dts), Time::from_millis(dts + composition));
            fragmenter.push(&frame(Codec::H264, Kind::Inter, dts, pts, &b"x"[..])).unwrap();
        }
        let file = joined(&InitSegment::new(&specs), &[fragmenter.finish().unwrap()]);
        let frames = read_file(&file.into()).unwrap();
        let got: Vec<_> = frames.iter().filter(|f| f.kind != Kind::Config).map(|f| f.pts.ticks(90_000)).collect();
        prop_assert_eq!(got, want);
    }
}

/// Lets a file that was cut be finished.
fn rebuild(file: &[u8]) -> Result<Vec<u8>, Mp4Error> {
    let mut rebuild = Rebuild::new(file.len() as u64);
    while let Some((at, len)) = rebuild.wants() {
        rebuild.push(&Bytes::copy_from_slice(&file[at as usize..at as usize + len]))?;
    }
    let Some(last) = rebuild.finish()?.finish else { return Ok(file.to_vec()) };
    Ok(finished(&file[..last.tail_at as usize], &last))
}

fn finished(file: &[u8], last: &Finalized) -> Vec<u8> {
    let mut done = [file, &last.tail].concat();
    let at = last.patch_at as usize;
    done[at..at + last.patch.len()].copy_from_slice(&last.patch);
    done
}

#[test]
fn a_cut_recording_is_finished_as_if_it_had_ended_there() {
    let (specs, frames) =
        ([spec(Codec::H264), spec(Codec::Aac)], stream(Codec::H264, Codec::Aac, Time::ZERO));
    let (file, done, ends) = recording(&specs, &frames, Time::ZERO);
    assert_eq!(rebuild(&file).unwrap(), done, "at its end");
    assert_eq!(rebuild(&done).unwrap(), done, "finished, but not renamed");
    let moov_without_patch = [&file, &done[file.len()..]].concat();
    assert_eq!(rebuild(&moov_without_patch).unwrap(), done, "the tail came, the patch did not");
    assert_eq!(rebuild(&[&file[..], &[0; 4096]].concat()).unwrap(), done, "a tail of zeros");
    for (whole, next) in ends.iter().zip(&ends[1..]).skip(1) {
        let at_the_fragment = rebuild(&file[..*whole]).unwrap();
        for cut in [whole + 4, whole + 60, next - 1] {
            assert_eq!(rebuild(&file[..cut]).unwrap(), at_the_fragment);
        }
        let kept = read_file(&Bytes::copy_from_slice(&file[..*whole])).unwrap();
        same(&read_file(&at_the_fragment.into()).unwrap(), Time::ZERO, &kept, Time::ZERO, &specs);
    }
    assert!(rebuild(&file[..ends[0]]).is_err(), "nothing but a header");
}

#[test]
fn a_fragmented_recording_stays_one_and_tells_its_length_and_its_key_frames() {
    let specs = [spec(Codec::H264)];
    let frames = stream(Codec::H264, Codec::Aac, Time::ZERO);
    let mut recorder = Recorder::new(&numbered(&specs), Time::ZERO, Layout::Fragmented, b"a note");
    let mut file = recorder.header().to_vec();
    for chunk in chunks(&specs, &frames) {
        recorder.push(&chunk).unwrap();
        file.extend(chunk.to_bytes());
    }
    let last = recorder.finalize();
    let done = finished(&file, &last);
    assert_eq!(last.patch, 360_000u64.to_be_bytes().to_vec(), "four seconds at 90 kHz");
    let mehd = [&b"mehd\x01\0\0\0"[..], &last.patch].concat();
    assert!(done[last.patch_at as usize - 8..].starts_with(&mehd)); // 14496-12 8.8.2
    let tfra = b"\0\0\0\x64tfra\x01\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x04"; // 8.8.10: track 1, four entries
    assert!(last.tail[8..].starts_with(tfra), "{:02x?}", last.tail);
    assert!(last.tail.ends_with(&(last.tail.len() as u32).to_be_bytes())); // 8.8.11
    let (time, at) = (&last.tail[8 + 24 + 19..][..8], &last.tail[8 + 24 + 19 + 8..][..8]);
    assert_eq!(time, 90_000u64.to_be_bytes());
    let at = u64::from_be_bytes(at.try_into().unwrap()) as usize;
    assert_eq!(done[at + 4..at + 8], *b"moof");
    assert_eq!(rebuild(&file).unwrap(), done);
    same(&read_file(&done.into()).unwrap(), Time::ZERO, &frames, Time::ZERO, &specs);
    let mut rebuild = Rebuild::new(file.len() as u64);
    while let Some((at, len)) = rebuild.wants() {
        rebuild.push(&Bytes::copy_from_slice(&file[at as usize..at as usize + len])).unwrap();
    }
    assert_eq!(*rebuild.note(), Bytes::from_static(b"a note"));
    assert_eq!(rebuild.finish().unwrap().duration, Time::from_millis(4000));
}

#[test]
fn a_file_begins_at_its_origin_whatever_its_layout_and_however_it_ended() {
    let specs = [spec(Codec::H264), spec(Codec::Aac)];
    let start = Time::from_millis(5 * 3_600_000);
    let frames = stream(Codec::H264, Codec::Aac, start);
    let origin = start + Time::from_millis(10); // when the first sound is heard
    for layout in [Layout::Plain, Layout::Fragmented] {
        let mut recorder = Recorder::new(&numbered(&specs), origin, layout, b"");
        let mut file = recorder.header().to_vec();
        for chunk in chunks(&specs, &frames) {
            recorder.push(&chunk).unwrap();
            file.extend(chunk.to_bytes());
        }
        // From the first sound to the end of the last picture, which is shown two pictures late.
        assert_eq!(recorder.duration(), Time::from_millis(4070));
        let done = finished(&file, &recorder.finalize());
        for file in [rebuild(&file).unwrap(), done, file] {
            same(&read_file(&file.into()).unwrap(), Time::ZERO, &frames, origin, &specs);
        }
    }
}

#[test]
fn gaps_between_fragments_lengthen_the_sample_before() {
    let specs = [spec(Codec::H264)];
    let frames: Vec<Frame> = [0, 40, 5080, 5120]
        .map(|ms| frame(Codec::H264, Kind::Key, Time::from_millis(ms), Time::from_millis(ms), &b"x"[..]))
        .into();
    let mut file = Recorder::new(&numbered(&specs), Time::ZERO, Layout::Plain, b"").header().to_vec();
    for pair in frames.chunks(2) {
        let mut fragmenter = Fragmenter::new(&specs, Time::ZERO);
        pair.iter().for_each(|frame| fragmenter.push(frame).unwrap());
        // Only the first's duration is its own: the second is told to last as long.
        let mut first = fragmenter.finish().unwrap().to_bytes().to_vec();
        if pair[0].dts > Time::ZERO {
            let at = first.windows(4).position(|w| w == b"tfdt").unwrap() + 8;
            first[at..at + 8].copy_from_slice(&(5080u64 * 90).to_be_bytes());
        }
        file.extend(first);
    }
    let got = read_file(&rebuild(&file).unwrap().into()).unwrap();
    assert_eq!(
        outline(&got, Track::Video, 1000, Time::ZERO),
        outline(&frames, Track::Video, 1000, Time::ZERO)
    );
}

#[test]
fn no_cut_and_no_changed_byte_stops_the_rebuilding() {
    let (specs, frames) = ([spec(Codec::H264)], stream(Codec::H264, Codec::Aac, Time::ZERO));
    let (file, ..) = recording(&specs, &frames[..60], Time::ZERO);
    for at in 0..file.len() {
        let _ = rebuild(&file[..at]); // an error is as good as a file
        for value in [0x00, 0x7f, 0xff] {
            let mut broken = file.clone();
            broken[at] = value;
            let _ = rebuild(&broken);
        }
    }
}
