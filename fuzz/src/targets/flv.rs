//! FLV: however the bytes are cut, the same tags come out; a frame that was read can be written and read again.

use bytes::{Bytes, BytesMut};
use headwater_flv::{Demuxer, Parsed, Tag, file_header, write_tag};
use headwater_media::codec::{codec_string, describe_audio, describe_video};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};

pub(super) fn run(data: &[u8]) {
    let whole = tags(&[data]);
    let cut = data.len() / 3;
    let (first, rest) = data.split_at(cut);
    assert_eq!(tags(&[first, rest]), whole, "another cut, other tags");
    for tag in &whole {
        if let Ok(Parsed::Frame(frame)) = tag.parse() {
            describe_video(&frame);
            describe_audio(&frame);
            codec_string(&frame);
            writes_and_reads(&frame, tag.timestamp_ms);
        }
    }
}

/// Tags up to the end or the first error.
fn tags(parts: &[&[u8]]) -> Vec<Tag> {
    let mut demuxer = Demuxer::new();
    let mut tags = Vec::new();
    for part in parts {
        demuxer.push(part);
        while let Ok(Some(tag)) = demuxer.next_tag() {
            tags.push(tag);
        }
    }
    tags
}

fn writes_and_reads(frame: &Frame, timestamp_ms: u32) {
    let mut out = BytesMut::from(&file_header(true, true)[..]);
    let empty = out.len();
    write_tag(frame, timestamp_ms, &mut out);
    if out.len() == empty {
        return; // too large for a tag
    }
    let again = tags(&[&out]);
    assert_eq!(again.len(), 1, "one tag written, {} read", again.len());
    if let Ok(Parsed::Frame(read)) = again[0].parse() {
        assert_eq!((read.track, read.codec, read.kind), (frame.track, frame.codec, frame.kind));
        assert_eq!(read.payload, frame.payload);
    }
}

fn frame(track: Track, codec: Codec, tag: CodecTag, kind: Kind, payload: &'static [u8]) -> Frame {
    let (dts, pts) = (Time::from_millis(40), Time::from_millis(if track == Track::Video { 80 } else { 40 }));
    Frame { track, codec, tag, kind, dts, pts, payload: Bytes::from_static(payload) }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    use Codec::{Aac, Av1, H264, Hevc, Mp3, Opus};
    use CodecTag::{FourCc, Legacy};
    // AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1): Baseline 3.0, one SPS, one PPS.
    const AVC: &[u8] = &[
        1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 10, 0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0,
        1, 0, 4, 0x68, 0xce, 0x3c, 0x80,
    ];
    const UNIT: &[u8] = &[0, 0, 0, 5, 0x65, 0x88, 0x84, 0x00, 0x10];
    const AV1C: &[u8] =
        &[0x81, 0x04, 0x0c, 0x00, 0x0a, 0x0b, 0, 0, 0, 0x24, 0xcf, 0x7f, 0x0d, 0xbf, 0xff, 0x30, 0x08];
    let frames = [
        frame(Track::Video, H264, Legacy, Kind::Config, AVC),
        frame(Track::Video, H264, Legacy, Kind::Key, UNIT),
        frame(Track::Video, H264, FourCc, Kind::Inter, UNIT),
        frame(Track::Video, Hevc, FourCc, Kind::Key, UNIT),
        frame(Track::Video, Av1, FourCc, Kind::Config, AV1C),
        frame(Track::Video, Av1, FourCc, Kind::Key, &[0x32, 0x03, 1, 2, 3]),
        frame(Track::Audio, Aac, Legacy, Kind::Config, &[0x12, 0x10]),
        frame(Track::Audio, Aac, Legacy, Kind::Key, &[0x21, 0x10, 0x05]),
        frame(Track::Audio, Opus, FourCc, Kind::Config, b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0"),
        frame(Track::Audio, Opus, FourCc, Kind::Key, &[0xfc, 0xff, 0xfe]),
        frame(Track::Audio, Mp3, Legacy, Kind::Key, &[0xff, 0xfb, 0x90, 0x64, 0, 0, 0, 0]),
        frame(
            Track::Script,
            Codec::Script,
            Legacy,
            Kind::Script,
            b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09",
        ),
    ];
    let stream = |frames: &[Frame]| {
        let mut out = BytesMut::from(&file_header(true, true)[..]);
        frames.iter().for_each(|frame| write_tag(frame, 40, &mut out));
        out.to_vec()
    };
    let mut seeds: Vec<Vec<u8>> = frames.chunks(1).map(stream).collect();
    seeds.push(stream(&frames));
    // Enhanced RTMP v2: audio and video, ModEx and multitrack headers (a tag of 16 bytes each).
    for (tag_type, body) in [
        (9u8, &b"\x97\x01\x00\x05av01\x00abc"[..]),
        (9, b"\x96\x01hvc1\x00\x00\x00\x00abcd"),
        (8, b"\x95\x11Opus\x00\x00\x00\x03abc"),
    ] {
        let mut tag = file_header(true, true).to_vec();
        tag.extend([tag_type, 0, 0, body.len() as u8, 0, 0, 40, 0, 0, 0, 0]);
        tag.extend_from_slice(body);
        tag.extend([0, 0, 0, body.len() as u8 + 11]);
        seeds.push(tag);
    }
    seeds
}
