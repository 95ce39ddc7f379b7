use super::*;
use proptest::prelude::*;

#[test]
fn a_manifest_in_full() {
    let manifest = Manifest {
        id: "a&b".into(),
        bootstrap: "a%26b.abst".into(),
        media: "a%26b".into(),
        bitrate_kbps: 1200,
    };
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<manifest xmlns="http://ns.adobe.com/f4m/1.0">
  <id>a&amp;b</id>
  <streamType>live</streamType>
  <deliveryType>streaming</deliveryType>
  <bootstrapInfo profile="named" url="a%26b.abst" id="bootstrap0"/>
  <media bitrate="1200" url="a%26b" bootstrapInfoId="bootstrap0"/>
</manifest>
"#;
    assert_eq!(manifest.to_string(), text);
}

#[test]
fn a_bootstrap_byte_by_byte() {
    let fragments = vec![
        Span { number: 5, start_ms: 1000, duration_ms: 2000, discontinuity: true },
        Span { number: 6, start_ms: 9000, duration_ms: 500, discontinuity: true },
    ];
    let expected: Vec<u8> = [
        &b"\x00\x00\x00\x8babst\0\0\0\0"[..], // C.2.7: size, type, version, flags
        b"\x00\x00\x00\x03",                  // BootstrapinfoVersion
        b"\x20",                              // Profile 0 (named), Live 1, Update 0
        b"\x00\x00\x03\xe8",                  // TimeScale
        b"\0\0\0\0\0\0\x25\x1c",              // CurrentMediaTime 9500
        b"\0\0\0\0\0\0\0\0",                  // SmpteTimeCodeOffset
        b"\0\0\0\0\0",                        // MovieIdentifier, servers, qualities, DrmData, MetaData: none
        b"\x01",                              // SegmentRunTableCount
        b"\x00\x00\x00\x19asrt\0\0\0\0\0",    // C.2.9, no quality entries
        b"\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff", // one run: from segment 1, all fragments
        b"\x01",                              // FragmentRunTableCount
        b"\x00\x00\x00\x46afrt\0\0\0\0",      // C.2.10
        b"\x00\x00\x03\xe8\x00",              // TimeScale, no quality entries
        b"\x00\x00\x00\x03",                  // FragmentRunEntryCount
        b"\x00\x00\x00\x05\0\0\0\0\0\0\x03\xe8\x00\x00\x07\xd0", // fragment 5 at 1000, 2000 long
        b"\x00\x00\x00\x06\0\0\0\0\0\0\x23\x28\x00\x00\x00\x00\x02", // a leap of the timestamps
        b"\x00\x00\x00\x06\0\0\0\0\0\0\x23\x28\x00\x00\x01\xf4", // fragment 6 at 9000, 500 long
    ]
    .concat();
    let bytes = Bootstrap { version: 3, fragments }.to_bytes();
    assert_eq!(bytes.len(), 0x8b);
    assert_eq!(bytes, expected);
}

#[test]
fn a_fragment_byte_by_byte() {
    let span = Span { number: 7, start_ms: 0, duration_ms: 400, discontinuity: false };
    let expected: Vec<u8> = [
        &b"\x00\x00\x00\x4cmoof"[..],
        b"\x00\x00\x00\x10mfhd\0\0\0\0\x00\x00\x00\x07", // 14496-12 8.8.5: sequence_number
        b"\x00\x00\x00\x34traf",
        b"\x00\x00\x00\x10tfhd\0\0\0\0\x00\x00\x00\x01", // 8.8.7: track_ID
        b"\x00\x00\x00\x1ctrun\x00\x00\x03\x01",         // 8.8.8
        b"\x00\x00\x00\x01\x00\x00\x00\x54",             // sample_count, data_offset
        b"\x00\x00\x01\x90\x00\x00\x00\x0a",             // sample_duration, sample_size
        b"\x00\x00\x00\x12mdat",
    ]
    .concat();
    let head = fragment_head(&span, 10);
    assert_eq!(head, expected);
    assert_eq!(head.len(), HEAD_BYTES as usize);
}

proptest! {
    /// A fragment run table tells each fragment once, at its time.
    #[test]
    fn every_fragment_is_told(lengths in prop::collection::vec((1u32..100_000, any::<bool>()), 0..30), first in 1u32..1000) {
        let mut start_ms = 0;
        let fragments: Vec<Span> = (first..).zip(&lengths).map(|(number, (duration_ms, discontinuity))| {
            let span = Span { number, start_ms, duration_ms: *duration_ms, discontinuity: *discontinuity };
            start_ms += u64::from(*duration_ms);
            span
        }).collect();
        let bytes = Bootstrap { version: 1, fragments: fragments.clone() }.to_bytes();
        let at = bytes.windows(4).position(|name| name == b"afrt").unwrap();
        let mut runs = headwater_media::Reader::new(&bytes[at + 4 + 4 + 4 + 1..]);
        let mut read = Vec::new();
        for _ in 0..runs.u32().unwrap() {
            let (number, start_ms, duration_ms) = (runs.u32().unwrap(), runs.u64().unwrap(), runs.u32().unwrap());
            if duration_ms == 0 {
                prop_assert_eq!(runs.u8().unwrap(), LEAP);
            } else {
                read.push((number, start_ms, duration_ms));
            }
        }
        let told: Vec<_> = fragments.iter().map(|span| (span.number, span.start_ms, span.duration_ms)).collect();
        prop_assert_eq!(read, told);
        prop_assert!(runs.is_empty());
    }
}
