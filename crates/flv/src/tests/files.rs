use crate::{BODY_MAX, Demuxer, FlvError, Parsed, file_header, tag_len, write_tag};
use bytes::{Bytes, BytesMut};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use proptest::prelude::*;

/// Frames as a publisher may send them: names that the codec has, times in whole milliseconds.
fn frame() -> impl Strategy<Value = Frame> {
    use Codec::*;
    let codec = prop::sample::select(vec![H264, Hevc, Av1, Vp9, Vp8, Aac, Opus, Mp3, G711A, G711U]);
    let payload = prop::collection::vec(0x40u8.., 1..400);
    (codec, any::<bool>(), 0u8..3, any::<u32>(), -8_000_000i64..8_000_000, payload).prop_map(
        |(codec, fourcc, kind, ms, composition, payload)| {
            let video = matches!(codec, H264 | Hevc | Av1 | Vp9 | Vp8);
            let kind = match (kind, codec) {
                (0, Mp3 | G711A | G711U) => Kind::Key,
                (0, _) => Kind::Config,
                (1, _) if video => Kind::Inter,
                _ => Kind::Key,
            };
            let tag = match codec {
                Av1 | Vp9 | Vp8 | Opus => CodecTag::FourCc,
                G711A | G711U => CodecTag::Legacy,
                _ if fourcc => CodecTag::FourCc,
                _ => CodecTag::Legacy,
            };
            let dts = Time::from_millis(ms.into());
            let composes = matches!(codec, H264 | Hevc) && kind != Kind::Config;
            let pts = if composes { dts + Time::from_millis(composition) } else { dts };
            let track = if video { Track::Video } else { Track::Audio };
            Frame { track, codec, tag, kind, dts, pts, payload: payload.into() }
        },
    )
}

proptest! {
    #[test]
    fn what_is_muxed_is_demuxed_however_it_is_split(
        frames in prop::collection::vec(frame(), 0..12),
        piece in 1usize..500,
    ) {
        let mut out = BytesMut::from(&file_header(true, true)[..]);
        for frame in &frames {
            let before = out.len();
            write_tag(frame, frame.dts.millis() as u32, &mut out);
            prop_assert_eq!(out.len() - before, tag_len(frame));
        }
        let mut demuxer = Demuxer::new();
        let mut read = Vec::new();
        for piece in out.chunks(piece) {
            demuxer.push(piece);
            while let Some(tag) = demuxer.next_tag().map_err(|e| TestCaseError::fail(e.to_string()))? {
                read.push(tag.parse());
            }
        }
        let expected: Vec<_> = frames.into_iter().map(|f| Ok(Parsed::Frame(f))).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn garbage_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut demuxer = Demuxer::new();
        demuxer.push(&file_header(false, true));
        demuxer.push(&bytes);
        while let Ok(Some(tag)) = demuxer.next_tag() {
            let _ = tag.parse();
        }
    }
}

#[test]
fn a_tag_byte_by_byte() {
    // FLV E.4.1: type, 24-bit size, 24-bit time and its high byte, stream id; then PreviousTagSize.
    let frame = Frame {
        track: Track::Audio,
        codec: Codec::Aac,
        tag: CodecTag::Legacy,
        kind: Kind::Key,
        dts: Time::ZERO,
        pts: Time::ZERO,
        payload: Bytes::from_static(b"xyz"),
    };
    let mut out = BytesMut::new();
    write_tag(&frame, 0x0102_0304, &mut out);
    assert_eq!(&out[..], b"\x08\x00\x00\x05\x02\x03\x04\x01\x00\x00\x00\xaf\x01xyz\x00\x00\x00\x10");
    let huge = Frame { payload: Bytes::from(vec![0; BODY_MAX]), ..frame };
    out.clear();
    write_tag(&huge, 0, &mut out);
    assert_eq!((tag_len(&huge), out.len()), (0, 0));
}

#[test]
fn another_file_is_not_flv() {
    let mut demuxer = Demuxer::new();
    demuxer.push(b"RIFF\x00\x00\x00\x00\x00");
    assert_eq!(demuxer.next_tag(), Err(FlvError::NotFlv(*b"RIFF")));
}
