//! MPEG-TS: however the bytes are cut, the same frames come out.

use bytes::{Bytes, BytesMut};
use headwater_media::codec::{describe_audio, describe_video};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use headwater_mpeg::{TsDemuxer, TsMuxer};

pub(super) fn run(data: &[u8]) {
    let whole = frames(&[data]);
    let (first, rest) = data.split_at(data.len() / 2);
    assert_eq!(frames(&[first, rest]), whole, "another cut, other frames");
    let mut muxer = TsMuxer::new();
    let mut out = BytesMut::new();
    muxer.start(&mut out);
    for frame in &whole {
        describe_video(frame);
        describe_audio(frame);
        let _ = muxer.frame(frame, &mut out); // not every frame can be carried
    }
    muxer.flush(&mut out);
    assert!(out.len().is_multiple_of(188), "{} bytes are not whole packets", out.len());
}

fn frames(parts: &[&[u8]]) -> Vec<Frame> {
    let mut demuxer = TsDemuxer::new();
    let mut out = Vec::new();
    parts.iter().for_each(|part| demuxer.push(part, &mut out));
    demuxer.finish(&mut out);
    out
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    // AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1): Baseline 3.0, one SPS, one PPS.
    const AVC: &[u8] = &[
        1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 10, 0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0,
        1, 0, 4, 0x68, 0xce, 0x3c, 0x80,
    ];
    let frame = |track, codec, kind, ms, payload: &'static [u8]| {
        let time = Time::from_millis(ms);
        Frame {
            track,
            codec,
            tag: CodecTag::Legacy,
            kind,
            dts: time,
            pts: time,
            payload: Bytes::from_static(payload),
        }
    };
    let frames = [
        frame(Track::Video, Codec::H264, Kind::Config, 0, AVC),
        frame(Track::Audio, Codec::Aac, Kind::Config, 0, &[0x12, 0x10]),
        frame(Track::Video, Codec::H264, Kind::Key, 40, &[0, 0, 0, 5, 0x65, 0x88, 0x84, 0x00, 0x10]),
        frame(Track::Audio, Codec::Aac, Kind::Key, 50, &[0x21, 0x10, 0x05]),
        frame(Track::Video, Codec::H264, Kind::Inter, 80, &[0, 0, 0, 3, 0x41, 0x9a, 0x00]),
        frame(Track::Audio, Codec::Aac, Kind::Key, 73, &[0x21; 300]),
    ];
    let mut muxer = TsMuxer::new();
    let mut out = BytesMut::new();
    muxer.start(&mut out);
    for frame in &frames {
        let _ = muxer.frame(frame, &mut out); // these can all be carried
    }
    muxer.flush(&mut out);
    vec![out.to_vec(), out.chunks(188).rev().collect::<Vec<_>>().concat()]
}
