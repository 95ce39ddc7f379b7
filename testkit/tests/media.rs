//! The test media are what they claim to be; without that, no comparison means anything.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::packets::{Allow, Media, compare};
use headwater_testkit::{Clip, Reader, read_file};
use std::time::Duration;

#[test]
fn every_clip_has_its_codecs_and_a_key_frame_a_second() {
    let codecs: &[(Clip, &[&str])] = &[
        (Clip::H264Aac, &["h264", "aac"]),
        (Clip::H264BframesAac, &["h264", "aac"]),
        (Clip::HevcAac, &["hevc", "aac"]),
        (Clip::Av1Opus, &["av1", "opus"]),
        (Clip::H264Mp3, &["h264", "mp3"]),
        (Clip::AacOnly, &["aac"]),
        (Clip::H264Only, &["h264"]),
    ];
    assert_eq!(codecs.len(), Clip::ALL.len());
    for (clip, codecs) in codecs {
        let reader = Reader::open(clip.tool(), &clip.file().to_string_lossy());
        reader.wait_for(1, Duration::from_secs(10));
        let mut found = reader.codecs();
        found.sort_by_key(|codec| codec.as_str() != codecs[0]);
        assert_eq!(found, *codecs, "{clip:?}");
        let (packets, errors) = reader.finish(Duration::from_secs(20));
        assert_eq!(errors, "", "{clip:?}");
        let pictures: Vec<_> = packets.iter().filter(|packet| packet.media == Media::Video).collect();
        if *clip != Clip::AacOnly {
            assert_eq!(pictures.len() as u32, Clip::SECONDS * Clip::GOP, "{clip:?}");
            let keys: Vec<_> = (0..pictures.len()).filter(|at| pictures[*at].key).collect();
            assert_eq!(keys, [0, 25, 50, 75], "{clip:?}");
        }
        let reordered = pictures.iter().any(|picture| picture.pts != picture.dts);
        assert_eq!(reordered, matches!(clip, Clip::H264BframesAac | Clip::HevcAac), "{clip:?}");
    }
}

#[test]
fn reading_twice_reads_the_same() {
    let clip = Clip::H264BframesAac;
    let (once, again) = (read_file(clip.tool(), &clip.file()), read_file(clip.tool(), &clip.file()));
    assert_eq!(compare(&once, &again, Allow::NOTHING), Ok(()));
}
