use super::*;
use crate::view::Part;
use bytes::Bytes;
use headwater_media::{Codec, CodecTag, Frame, Kind};
use headwater_mp4::Fragmenter;
use headwater_packager::{AUDIO_ID, TrackChunk, VIDEO_ID};
use headwater_playlist::mpd::check;
use proptest::prelude::*;
use std::collections::HashSet;

const FRAME: Time = Time::from_millis(40);

fn video() -> TrackSpec {
    let config = Bytes::from_static(b"\x01\x64\x00\x1f\xff\xe0\x00");
    TrackSpec { codec: Codec::H264, timescale: 90_000, config, width: 640, height: 360, channels: 0 }
}

fn audio() -> TrackSpec {
    let config = Bytes::from_static(b"\x11\x90"); // AAC LC, 48 kHz, stereo
    TrackSpec { codec: Codec::Aac, timescale: 48_000, config, width: 0, height: 0, channels: 2 }
}

/// A chunk of `count` frames of 40 ms.
fn chunk(spec: &TrackSpec, start: Time, count: i64, wall: SystemTime) -> Arc<TrackChunk> {
    let track = spec.track();
    let id = if track == Track::Video { VIDEO_ID } else { AUDIO_ID };
    let mut fragmenter = Fragmenter::with_ids(&[(id, spec.clone())], Time::ZERO);
    for n in 0..=count {
        let dts = start + Time::from_micros(FRAME.micros() * n);
        let kind = if n == 0 || track == Track::Audio { Kind::Key } else { Kind::Inter };
        let payload = Bytes::from(vec![n as u8; 100]);
        let frame = Frame { track, codec: spec.codec, tag: CodecTag::Legacy, kind, dts, pts: dts, payload };
        fragmenter.push(&frame).unwrap();
    }
    let chunk = fragmenter.chunk().unwrap();
    Arc::new(TrackChunk {
        track,
        independent: true,
        start,
        duration: chunk.duration,
        chunk,
        wall,
        discontinuity: false,
        before_key: true,
        ends_part: true,
        ends_segment: true,
    })
}

/// A segment with pictures, sound or both.
fn segment(tracks: &Arc<TrackSet>, start: Time, frames: i64, at_ms: u64) -> Segment {
    let wall = UNIX_EPOCH + Duration::from_secs(1_800_000_000) + Duration::from_millis(at_ms);
    let specs = [tracks.audio.as_ref(), tracks.video.as_ref()];
    let chunks: Vec<_> = specs.into_iter().flatten().map(|spec| chunk(spec, start, frames, wall)).collect();
    let duration = Time::from_micros(FRAME.micros() * frames);
    Segment {
        sequence: 0,
        start,
        wall,
        duration,
        discontinuity: false,
        tracks: tracks.clone(),
        init: 0,
        parts: vec![Part { chunks, duration, independent: true }],
        bytes: 0,
    }
}

fn both() -> Arc<TrackSet> {
    Arc::new(TrackSet::new(Some(video()), Some(audio()), 0))
}

fn window(listed: usize) -> Window {
    Window::new(Settings {
        target: Duration::from_secs(2),
        update: Duration::from_secs(5),
        listed,
        folder: "live/s/".into(),
        base_url: "s/".into(),
    })
}

fn paths(change: &Change) -> Vec<&str> {
    change.files.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn a_period_goes_on_until_the_stream_does_not() {
    let mut window = window(3);
    let tracks = both();
    let first = window.add(&segment(&tracks, Time::from_millis(5000), 50, 0));
    let names = ["video-init.mp4", "audio-init.mp4", "video-0.m4s", "audio-0.m4s"];
    assert_eq!(paths(&first), names.map(|name| format!("live/s/{name}")));
    let second = window.add(&segment(&tracks, Time::from_millis(7000), 50, 2000));
    assert_eq!(paths(&second), ["live/s/video-1.m4s", "live/s/audio-1.m4s"]);

    // A publisher who comes back ten seconds later, with the stream's time 40 ms later.
    let mut back = segment(&tracks, Time::from_millis(9040), 25, 14_000);
    back.discontinuity = true;
    window.add(&back);
    let mpd = window.mpd(UNIX_EPOCH + Duration::from_secs(1_800_000_016)).unwrap();
    assert_eq!(check(&mpd.to_string()), []);
    assert_eq!(mpd.availability_start, "2027-01-15T08:00:00.000Z");
    let starts: Vec<_> = mpd.periods.iter().map(|period| (period.id.as_str(), period.start)).collect();
    assert_eq!(starts, [("p1", Duration::ZERO), ("p2", Duration::from_secs(14))]);
    let template = |period: usize, track: usize| &mpd.periods[period].representations[track].template;
    assert_eq!(template(0, 0).presentation_time_offset, 450_000);
    assert_eq!(template(0, 1).presentation_time_offset, 240_000);
    let spans = [Span { start: 450_000, duration: 180_000 }, Span { start: 630_000, duration: 180_000 }];
    assert_eq!(template(0, 0).timeline, spans);
    assert_eq!((template(1, 0).start_number, template(1, 1).start_number), (2, 2));
    assert_eq!(template(1, 0).presentation_time_offset, 813_600);
    assert_eq!(mpd.time_shift_buffer_depth, Duration::from_secs(15));
    assert_eq!(mpd.periods[0].representations[0].codecs, "avc1.64001f");
    assert!(mpd.to_string().contains("frameRate=\"25\""));
}

#[test]
fn another_configuration_has_files_of_its_own() {
    let mut window = window(1);
    window.add(&segment(&both(), Time::ZERO, 50, 0));
    let sound = Arc::new(TrackSet::new(None, Some(audio()), 1));
    let mut changed = segment(&sound, Time::from_millis(2000), 50, 2000);
    changed.init = 1;
    let change = window.add(&changed);
    assert_eq!(paths(&change), ["live/s/audio-init-1.mp4", "live/s/audio-1.m4s"]);
    let mut next = segment(&sound, Time::from_millis(4000), 50, 4000);
    next.init = 1;
    let gone = window.add(&next).gone;
    let old = ["video-0.m4s", "audio-0.m4s", "video-init.mp4", "audio-init.mp4"];
    assert_eq!(gone, old.map(|name| format!("live/s/{name}")));
    assert_eq!(check(&window.mpd(UNIX_EPOCH).unwrap().to_string()), []);
}

#[test]
fn a_clock_that_falls_behind_begins_a_period() {
    let mut window = window(3);
    let tracks = both();
    window.add(&segment(&tracks, Time::ZERO, 50, 0));
    window.add(&segment(&tracks, Time::from_millis(2000), 50, 3900));
    assert_eq!(window.mpd(UNIX_EPOCH).unwrap().periods.len(), 1);
    window.add(&segment(&tracks, Time::from_millis(4000), 50, 6100));
    assert_eq!(window.mpd(UNIX_EPOCH).unwrap().periods.len(), 2);
}

#[test]
fn no_segment_no_manifest() {
    assert_eq!(window(3).mpd(UNIX_EPOCH), None);
}

#[test]
fn rates_are_told_as_they_are_meant() {
    let of = |frames: i64, us: i64| {
        let mut segment = segment(&both(), Time::ZERO, frames, 0);
        let chunks = &mut segment.parts[0].chunks;
        let pictures = chunks.iter().find(|chunk| chunk.track == Track::Video).unwrap();
        let pictures = TrackChunk { duration: Time::from_micros(us), ..(**pictures).clone() };
        *chunks = vec![Arc::new(pictures)];
        frame_rate(&segment)
    };
    assert_eq!(of(50, 2_000_000), Some((25, 1)));
    assert_eq!(of(30, 1_001_000), Some((30_000, 1001)));
    assert_eq!(of(30, 1_000_000), Some((30, 1)));
    assert_eq!(of(15, 1_000_000), Some((15, 1)));
    assert_eq!(of(1, 0), None);
}

proptest! {
    /// Whatever comes, the manifest keeps the rules and lists only what is there.
    #[test]
    fn manifests_keep_the_rules(
        steps in prop::collection::vec((1i64..60, 0u8..8, any::<bool>(), 0i64..3), 1..30),
        listed in 1usize..6,
    ) {
        let mut window = window(listed);
        let mut there = HashSet::new();
        let (mut at, mut wall_ms, mut init) = (Time::from_millis(700), 0, 0);
        for (frames, what, discontinuity, gap) in steps {
            at += Time::from_millis(gap);
            let tracks = match what {
                0 => Arc::new(TrackSet::new(Some(video()), None, 0)),
                1 => Arc::new(TrackSet::new(None, Some(audio()), 0)),
                _ => both(),
            };
            init += u64::from(what < 3);
            let mut segment = segment(&tracks, at, frames, wall_ms);
            (segment.discontinuity, segment.init) = (discontinuity && gap == 2, init);
            at += segment.duration;
            wall_ms += segment.duration.millis() as u64 * (1 + u64::from(what == 7)) / 2;
            let change = window.add(&segment);
            there.extend(change.files.iter().map(|file| file.path.clone()));
            for path in &change.gone {
                prop_assert!(there.remove(path), "{path} was not there");
            }
            let mpd = window.mpd(segment.wall).unwrap();
            prop_assert_eq!(check(&mpd.to_string()), []);
            for track in mpd.periods.iter().flat_map(|period| &period.representations) {
                let template = &track.template;
                let last = template.start_number + template.timeline.len() as u64;
                for number in template.start_number..last {
                    let path = format!("live/s/{}-{number}.m4s", track.id);
                    prop_assert!(there.contains(&path), "{path} is listed");
                }
                let init = template.initialization.replace("$RepresentationID$", &track.id);
                let path = format!("live/s/{init}");
                prop_assert!(there.contains(&path), "{path} is named");
            }
            prop_assert_eq!(&window.paths().into_iter().collect::<HashSet<_>>(), &there);
        }
    }
}
