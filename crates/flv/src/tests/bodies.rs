use crate::{FlvError, Parsed, parse_audio, parse_video};
use bytes::Bytes;
use headwater_media::{Codec, CodecTag, Frame, Kind, Time};
use proptest::prelude::*;

const DTS: Time = Time::from_millis(1000);

fn video(body: &[u8]) -> Frame {
    match parse_video(&Bytes::copy_from_slice(body), DTS) {
        Ok(Parsed::Frame(frame)) => frame,
        other => panic!("{other:?}"),
    }
}

fn audio(body: &[u8]) -> Frame {
    match parse_audio(&Bytes::copy_from_slice(body), DTS) {
        Ok(Parsed::Frame(frame)) => frame,
        other => panic!("{other:?}"),
    }
}

fn ignored(body: &[u8]) -> bool {
    matches!(parse_video(&Bytes::copy_from_slice(body), DTS), Ok(Parsed::Ignored(_)))
}

#[test]
fn legacy_video() {
    // FLV E.4.3: frame type 1 and codec 7, AVC NALU, composition time 80.
    let key = video(b"\x17\x01\x00\x00\x50\x00\x00\x00\x02\x65\x88");
    assert_eq!((key.codec, key.tag, key.kind), (Codec::H264, CodecTag::Legacy, Kind::Key));
    assert_eq!((key.composition().millis(), key.payload.as_ref()), (80, &b"\x00\x00\x00\x02\x65\x88"[..]));
    let config = video(b"\x1c\x00\x00\x00\x00\x01\x02");
    assert_eq!((config.codec, config.kind, config.pts), (Codec::Hevc, Kind::Config, DTS));
    assert_eq!(video(b"\x27\x01\xff\xff\xff\x00\x00\x00\x01\x41").composition().millis(), -1);
    assert!(ignored(b"\x57\x00"), "info frame");
    assert!(ignored(b"\x22\x00"), "H.263");
    assert!(ignored(b"\x17\x02\x00\x00\x00"), "end of sequence");
    assert!(ignored(b""));
}

#[test]
fn enhanced_video() {
    // E-RTMP: 0x80 | frame type << 4 | packet type, then the FourCC.
    let hevc = video(b"\x91hvc1\x00\x00\x28data");
    assert_eq!((hevc.codec, hevc.tag, hevc.kind), (Codec::Hevc, CodecTag::FourCc, Kind::Key));
    assert_eq!((hevc.composition().millis(), hevc.payload.as_ref()), (40, &b"data"[..]));
    assert_eq!(video(b"\xa3hvc1data").composition(), Time::ZERO);
    assert_eq!(video(b"\x90av01\x81").kind, Kind::Config);
    // AV1: two temporal delimiters before a frame OBU.
    assert_eq!(video(b"\xa1av01\x12\x00\x12\x00\x32\x01x").payload.as_ref(), b"\x32\x01x");
    assert_eq!(video(b"\xa1vp09\x12\x00x").payload.as_ref(), b"\x12\x00x");
    for rest in [&b"\x92hvc1"[..], b"\x94hvc1xx", b"\x95av01xx", b"\xd1\x00", b"\x91vvc1xxxx"] {
        assert!(ignored(rest), "{rest:?}");
    }
}

#[test]
fn mod_ex_adds_nanoseconds_to_the_presentation_time() {
    // Packet type 7; size 3 (less one), 500,000 ns; type 0 and packet type 3 (CodedFramesX).
    let frame = video(b"\x97\x02\x07\xa1\x20\x03hvc1x");
    assert_eq!(frame.pts - frame.dts, Time::from_micros(500));
}

#[test]
fn multitrack_gives_the_default_track() {
    // Packet type 6; OneTrack and CodedFrames; FourCC, track id.
    assert_eq!(video(b"\x96\x01av01\x00x").payload.as_ref(), b"x");
    assert!(ignored(b"\x96\x01av01\x01x"));
    // ManyTracks: FourCC once, then id and 24-bit size of each.
    assert_eq!(video(b"\x96\x11av01\x01\x00\x00\x01a\x00\x00\x00\x02bc").payload.as_ref(), b"bc");
    // ManyTracksManyCodecs: FourCC of each.
    let many = video(b"\x96\x21av01\x01\x00\x00\x01avp09\x00\x00\x00\x01b");
    assert_eq!((many.codec, many.payload.as_ref()), (Codec::Vp9, &b"b"[..]));
    let cut = Bytes::from_static(b"\x96\x11av01\x00\x00\x00\x09a");
    assert!(matches!(parse_video(&cut, DTS), Err(FlvError::Truncated { .. })));
}

#[test]
fn audio_of_all_kinds() {
    // FLV E.4.2: format 10, then AACPacketType.
    assert_eq!(audio(b"\xaf\x00\x12\x10").kind, Kind::Config);
    assert_eq!(audio(b"\xaf\x01abc").payload.as_ref(), b"abc");
    assert_eq!(audio(b"\x2fabc").codec, Codec::Mp3);
    assert_eq!((audio(b"\x72a").codec, audio(b"\x82a").codec), (Codec::G711A, Codec::G711U));
    // Enhanced audio: 0x90 | packet type, FourCC.
    let opus = audio(b"\x90OpusOpusHead");
    assert_eq!((opus.codec, opus.kind, opus.tag), (Codec::Opus, Kind::Config, CodecTag::FourCc));
    assert_eq!(audio(b"\x95\x01mp4a\x00x").codec, Codec::Aac);
    for rest in [&b"\xb2x"[..], b"\x94Opusx", b"\x91ac-3x", b"\xaf\x01", b""] {
        assert!(
            matches!(parse_audio(&Bytes::copy_from_slice(rest), DTS), Ok(Parsed::Ignored(_))),
            "{rest:?}"
        );
    }
}

#[test]
fn broken_bodies_are_named() {
    let fault = |body: &'static [u8]| parse_video(&Bytes::from_static(body), DTS);
    assert!(matches!(fault(b"\x17\x01\x00"), Err(FlvError::Truncated { what: "composition time", .. })));
    assert_eq!(
        fault(b"\x17\x09\x00\x00\x00"),
        Err(FlvError::Undefined { what: "AVC packet type", value: 9 })
    );
    assert_eq!(
        fault(b"\x07\x01\x00\x00\x00"),
        Err(FlvError::Undefined { what: "video frame type", value: 0 })
    );
    assert!(matches!(fault(b"\x91hv"), Err(FlvError::Truncated { what: "FourCC", .. })));
}

#[test]
fn annex_b_becomes_length_prefixed() {
    let frame = video(b"\x17\x01\x00\x00\x00\x00\x00\x00\x01\x65\x88\x00\x00\x01\x41\x9a\x00");
    assert_eq!(frame.payload.as_ref(), b"\x00\x00\x00\x02\x65\x88\x00\x00\x00\x02\x41\x9a");
    // `00 00 01 04` is the length of a NAL unit of 260 bytes here, and no start code.
    let nal = [&b"\x17\x01\x00\x00\x00\x00\x00\x01\x04"[..], &[0x65; 260]].concat();
    assert_eq!(video(&nal).payload.as_ref(), &nal[5..]);
    let config = video(b"\x17\x00\x00\x00\x00\x00\x00\x00\x01\x67\x42\xc0\x1f\x00\x00\x01\x68\xce");
    let record = b"\x01\x42\xc0\x1f\xff\xe1\x00\x04\x67\x42\xc0\x1f\x01\x00\x02\x68\xce";
    assert_eq!(config.payload.as_ref(), record);
}

proptest! {
    #[test]
    fn garbage_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), head in 0x80u8..) {
        let body = Bytes::from([vec![head], bytes].concat());
        let _ = parse_video(&body, DTS);
        let _ = parse_audio(&body.slice(1..), DTS);
        let _ = parse_audio(&body, DTS);
        let _ = parse_video(&body.slice(1..), DTS);
    }
}
