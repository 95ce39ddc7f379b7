use crate::amf0::{self, Value, decode_all};
use crate::metadata::Metadata;
use crate::{AmfError, Parsed, amf3, parse_script};
use bytes::{Bytes, BytesMut};
use headwater_media::Time;
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Value> {
    let name = "[a-z]{1,12}";
    let leaf = prop_oneof![
        (-1e12f64..1e12).prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,20}".prop_map(Value::String),
        Just(Value::Null),
        Just(Value::Undefined),
        (0f64..1e13).prop_map(Value::Date),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec((name, inner.clone()), 0..6).prop_map(Value::Object),
            prop::collection::vec((name, inner.clone()), 1..6).prop_map(Value::EcmaArray),
            prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
        ]
    })
}

proptest! {
    #[test]
    fn amf0_round_trip(values in prop::collection::vec(value(), 0..4)) {
        let mut out = BytesMut::new();
        values.iter().for_each(|v| v.encode(&mut out));
        prop_assert_eq!(decode_all(&out), Ok(values));
    }

    #[test]
    fn amf3_round_trip(value in value()) {
        let mut out = BytesMut::new();
        amf3::encode(&value, &mut out);
        prop_assert_eq!(amf3::decode(&out), Ok((value, out.len())));
    }

    #[test]
    fn garbage_is_an_error_or_values_but_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_all(&bytes);
        let _ = amf3::decode(&bytes);
        let _ = parse_script(&Bytes::from(bytes), Time::ZERO);
    }
}

#[test]
fn long_strings_have_their_own_marker() {
    let value = Value::String("x".repeat(70_000));
    let mut out = BytesMut::new();
    value.encode(&mut out);
    assert_eq!(&out[..5], &[0x0c, 0x00, 0x01, 0x11, 0x70]);
    assert_eq!(decode_all(&out), Ok(vec![value]));
}

#[test]
fn bounds_and_refusals() {
    let deep = |n| [b"\x0a\x00\x00\x00\x01".repeat(n), vec![0x05]].concat();
    assert!(decode_all(&deep(amf0::DEPTH_MAX)).is_ok());
    assert_eq!(decode_all(&deep(amf0::DEPTH_MAX + 1)), Err(AmfError::TooDeep { at: 32 * 5 + 1 }));
    assert!(matches!(decode_all(&[0x05; amf0::VALUES_MAX + 1]), Err(AmfError::TooMany { .. })));
    assert!(matches!(decode_all(&vec![0; amf0::BYTES_MAX + 1]), Err(AmfError::TooLong { .. })));
    assert_eq!(decode_all(&[0x07, 0, 0]), Err(AmfError::Reference { at: 0 }));
    assert_eq!(decode_all(&[0x0f, 0, 0, 0, 0]), Err(AmfError::Marker { marker: 0x0f, at: 0 }));
    assert!(matches!(decode_all(b"\x0a\xff\xff\xff\xff\x05"), Err(AmfError::Truncated(_))));
}

#[test]
fn amf3_integers_and_references() {
    // 1.3.1: 0x3fff is two bytes; 3.6: integers have 29 bits and a sign.
    assert_eq!(amf3::decode(b"\x04\xff\x7f"), Ok((Value::Number(16383.0), 3)));
    assert_eq!(amf3::decode(b"\x04\xff\xff\xff\xff"), Ok((Value::Number(-1.0), 5)));
    // An array of "ab" and a reference to it (string table index 0).
    let two = Value::StrictArray(vec!["ab".into(), "ab".into()]);
    assert_eq!(amf3::decode(b"\x09\x05\x01\x06\x05ab\x06\x00"), Ok((two, 9)));
    assert!(matches!(amf3::decode(b"\x09\x00"), Err(AmfError::Reference { .. })));
    // Behind the avmplus marker in AMF0.
    assert_eq!(decode_all(b"\x11\x06\x05ab"), Ok(vec!["ab".into()]));
}

#[test]
fn metadata_is_put_in_order() {
    let mut body = BytesMut::new();
    amf0::write_string("@setDataFrame", &mut body);
    amf0::write_string("onMetaData", &mut body);
    amf0::object([
        ("duration", 0.0.into()),
        ("width", 1280.0.into()),
        ("height", 720.0.into()),
        ("videocodecid", "avc1".into()),
        ("server", "other".into()),
    ])
    .encode(&mut body);
    let Ok(Parsed::Frame(frame)) = parse_script(&body.freeze(), Time::ZERO) else {
        panic!("metadata is a frame")
    };
    let values = decode_all(&frame.payload).unwrap_or_default();
    assert_eq!(values[0], "onMetaData".into());
    assert_eq!(values[1].property("duration"), None);
    assert!(
        values[1].property("server").and_then(Value::as_str).is_some_and(|s| s.starts_with("Headwater/"))
    );
    let metadata = Metadata::decode(&frame.payload).ok().flatten().unwrap_or_default();
    assert_eq!(metadata.size(), Some((1280, 720)));
    assert!(metadata.has_video() && !metadata.has_audio());
}

#[test]
fn other_messages_pass_as_they_are() {
    let body = Bytes::from_static(b"\x02\x00\x0aonTextData\x05");
    assert!(matches!(parse_script(&body, Time::ZERO), Ok(Parsed::Frame(f)) if f.payload == body));
    let time_code = Bytes::from_static(b"\x00\x00\x00\x01");
    assert!(matches!(parse_script(&time_code, Time::ZERO), Ok(Parsed::Ignored(_))));
}

#[test]
fn a_small_amf3_message_does_not_unfold_to_a_huge_value() {
    // An array of objects: the first defines one member with a long name, the others refer to its traits.
    let count = 4096u32;
    let mut body = vec![0x09, 0x80 | (count >> 6) as u8, (count << 1 & 0x7f) as u8 | 1, 0x01];
    body.extend_from_slice(b"\x0a\x13\x01\xd0\x01"); // inline traits, one member, no class; its name has 0x1400 bytes
    body.extend_from_slice(&[b'n'; 0x1400]);
    body.push(0x01);
    body.extend_from_slice(&b"\x0a\x01\x01".repeat(count as usize - 1));
    assert!(matches!(amf3::decode(&body), Err(AmfError::TooLong { .. })));
}
