//! MP4: however the bytes are cut, the same frames come out, and never more bytes than went in twice over.

use bytes::Bytes;
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use headwater_mp4::{Chunk, Demuxer, Fragmenter, InitSegment, Layout, Recorder, TrackSpec, read_file, styp};

pub(super) fn run(data: &[u8]) {
    let whole = frames(&[data]);
    let (first, rest) = data.split_at(data.len() / 2);
    assert_eq!(frames(&[first, rest]), whole, "another cut, other frames");
    let Ok(frames) = read_file(&Bytes::copy_from_slice(data)) else { return };
    let media = frames.iter().filter(|frame| frame.kind != Kind::Config);
    let bytes: usize = media.map(|frame| frame.payload.len()).sum();
    assert!(bytes <= 3 * data.len(), "{bytes} bytes of media out of {}", data.len());
}

/// The frames up to the first box that cannot be read.
fn frames(parts: &[&[u8]]) -> Vec<Frame> {
    let mut demuxer = Demuxer::new();
    let mut out = Vec::new();
    let _ = parts.iter().try_for_each(|part| demuxer.push(part, &mut out));
    out
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    // AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1): Baseline 3.0, one SPS, one PPS.
    const AVC: &[u8] = &[
        1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 10, 0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0,
        1, 0, 4, 0x68, 0xce, 0x3c, 0x80,
    ];
    let frame = |track, codec, kind, ms, payload: &'static [u8]| {
        let (dts, payload) = (Time::from_millis(ms), Bytes::from_static(payload));
        Frame { track, codec, tag: CodecTag::Legacy, kind, dts, pts: dts, payload }
    };
    let configs = [
        frame(Track::Video, Codec::H264, Kind::Config, 0, AVC),
        frame(Track::Audio, Codec::Aac, Kind::Config, 0, &[0x12, 0x10]),
    ];
    let media = [
        frame(Track::Video, Codec::H264, Kind::Key, 40, &[0, 0, 0, 5, 0x65, 0x88, 0x84, 0x00, 0x10]),
        frame(Track::Audio, Codec::Aac, Kind::Key, 50, &[0x21, 0x10, 0x05]),
        frame(Track::Video, Codec::H264, Kind::Inter, 80, &[0, 0, 0, 3, 0x41, 0x9a, 0x00]),
        frame(Track::Audio, Codec::Aac, Kind::Key, 73, &[0x21; 30]),
    ];
    let specs: Vec<TrackSpec> =
        configs.iter().filter_map(|config| TrackSpec::from_frame(config).ok()).collect();
    vec![fragmented(&specs, &media), finished(&specs, &media)]
}

fn fragmented(specs: &[TrackSpec], media: &[Frame]) -> Vec<u8> {
    let mut fragmenter = Fragmenter::new(specs, Time::ZERO);
    media.iter().for_each(|frame| drop(fragmenter.push(frame))); // these can all be carried
    let mut out = [InitSegment::new(specs).bytes, styp()].concat();
    out.extend(fragmenter.finish().iter().flat_map(Chunk::to_bytes));
    out
}

fn finished(specs: &[TrackSpec], media: &[Frame]) -> Vec<u8> {
    let tracks: Vec<(u32, TrackSpec)> = (1..).zip(specs.iter().cloned()).collect();
    let mut recorder = Recorder::new(&tracks, Time::from_millis(40), Layout::Plain, b"");
    let mut out = recorder.header().to_vec();
    let mut fragmenter = Fragmenter::with_ids(&tracks, Time::ZERO);
    media.iter().for_each(|frame| drop(fragmenter.push(frame)));
    if let Some(chunk) = fragmenter.finish() {
        drop(recorder.push(&chunk)); // it has room
        out.extend(chunk.to_bytes());
    }
    let last = recorder.finalize();
    let at = usize::try_from(last.patch_at).unwrap_or_default();
    out.iter_mut().skip(at).zip(last.patch).for_each(|(to, from)| *to = from);
    out.extend(last.tail);
    out
}
