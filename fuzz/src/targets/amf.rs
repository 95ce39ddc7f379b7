//! AMF values: what was decoded can be encoded and decodes to the same again.

use bytes::BytesMut;
use headwater_flv::amf0::{self, Value};
use headwater_flv::amf3;

pub(super) fn run_amf0(data: &[u8]) {
    let Ok(values) = amf0::decode_all(data) else { return };
    let mut encoded = BytesMut::new();
    values.iter().for_each(|value| value.encode(&mut encoded));
    // A short reading may grow when written again (replacement characters), past the limits; that is not a fault.
    if let Ok(again) = amf0::decode_all(&encoded) {
        assert_eq!(shown(&again), shown(&values));
    }
}

pub(super) fn run_amf3(data: &[u8]) {
    let Ok((_, length)) = amf3::decode(data) else { return };
    assert!(length <= data.len(), "read past the end");
}

/// As text, because NaN is not equal to itself.
fn shown(values: &[Value]) -> String {
    format!("{values:?}")
}

fn connect() -> Vec<Value> {
    vec![
        Value::String("connect".to_owned()),
        Value::Number(1.0),
        amf0::object([
            ("app", Value::String("live".to_owned())),
            ("tcUrl", Value::String("rtmp://localhost/live".to_owned())),
            ("fpad", Value::Boolean(false)),
            ("fourCcList", Value::StrictArray(vec![Value::String("av01".to_owned()), Value::Null])),
        ]),
        Value::EcmaArray(vec![("a".to_owned(), Value::Undefined), ("b".to_owned(), Value::Date(1e12))]),
    ]
}

pub(super) fn seeds_amf0() -> Vec<Vec<u8>> {
    let mut all = BytesMut::new();
    connect().iter().for_each(|value| value.encode(&mut all));
    let object = [0x03, 0, 1, b'a']; // AMF0 2.5: object marker, then a name
    vec![all.to_vec(), object.repeat(40), vec![0x11, 0x0a, 0x0b, 0x01, 0x01]]
}

pub(super) fn seeds_amf3() -> Vec<Vec<u8>> {
    let encode = |value: &Value| {
        let mut out = BytesMut::new();
        amf3::encode(value, &mut out);
        out.to_vec()
    };
    let mut seeds: Vec<Vec<u8>> = connect().iter().map(encode).collect();
    seeds.push([0x0a, 0x0b, 0x01, 0x03, b'a'].repeat(40)); // AMF3 3.12: a dynamic object in a dynamic object in …
    seeds
}
