use super::*;
use headwater_flv::{Demuxer, Parsed};
use headwater_media::{Codec, CodecTag};
use proptest::prelude::*;

fn frame(track: Track, kind: Kind, dts: Time, seed: u8) -> Frame {
    let codec = if track == Track::Video { Codec::H264 } else { Codec::Aac };
    let config: &[u8] = if track == Track::Video { b"\x01\x64\x00\x1f\xff\xe0\x00" } else { b"\x11\x90" };
    let payload = match kind {
        Kind::Config => Bytes::copy_from_slice(config),
        _ => Bytes::from(vec![0, 0, 0, 2, 0x41, seed]),
    };
    Frame { track, codec, tag: CodecTag::Legacy, kind, dts, pts: dts, payload }
}

fn frames_of(fragment: &Fragment) -> Vec<Frame> {
    let mut demuxer = Demuxer::new();
    demuxer.push(&headwater_flv::file_header(true, true));
    demuxer.push(&fragment.tags);
    let tags = std::iter::from_fn(|| demuxer.next_tag().unwrap());
    tags.filter_map(|tag| match tag.parse().unwrap() {
        Parsed::Frame(frame) => Some(frame),
        Parsed::Ignored(_) => None,
    })
    .collect()
}

proptest! {
    /// Fragments hold every frame from the first key frame on, in order; each begins with the configurations and, where
    /// there are pictures, with a key frame, and they follow each other without gap.
    #[test]
    fn fragments_are_the_stream(gop in 1usize..20, count in 1usize..200, with_video in any::<bool>()) {
        let mut cutter = Cutter::new(Time::from_millis(1000));
        let mut done = Vec::new();
        let mut sent = Vec::new();
        if with_video {
            cutter.take(&frame(Track::Video, Kind::Config, Time::ZERO, 0));
        }
        cutter.take(&frame(Track::Audio, Kind::Config, Time::ZERO, 0));
        for n in 0..count {
            let dts = Time::from_millis(n as i64 * 40);
            if with_video {
                let kind = if n % gop == 0 { Kind::Key } else { Kind::Inter };
                sent.push(frame(Track::Video, kind, dts, n as u8));
            }
            sent.push(frame(Track::Audio, Kind::Key, dts, n as u8));
        }
        for frame in &sent {
            done.extend(cutter.take(frame));
        }
        let left_open = cutter.open.is_some().then(|| cutter.tags.clone().freeze());
        let last = cutter.finish(None);
        let short = last.is_none();
        done.extend(last);
        let mut got = Vec::new();
        for fragment in &done {
            let frames = frames_of(fragment);
            let configs = 1 + usize::from(with_video);
            prop_assert!(frames.iter().take(configs).all(|frame| frame.kind == Kind::Config));
            let first = frames.get(configs).unwrap();
            prop_assert_eq!(first.kind, Kind::Key);
            prop_assert_eq!(first.track == Track::Video, with_video);
            prop_assert_eq!(first.dts.millis() as u64, fragment.span.start_ms);
            got.extend(frames.into_iter().skip(configs));
        }
        for pair in done.windows(2) {
            let end = pair[0].span.start_ms + u64::from(pair[0].span.duration_ms);
            prop_assert_eq!(end, pair[1].span.start_ms);
        }
        prop_assert!(left_open.is_some());
        if short {
            sent.truncate(got.len()); // what is too short to be worth a fragment is left out at the end
        }
        prop_assert_eq!(got, sent);
    }
}

#[test]
fn a_leap_ends_a_fragment_and_is_told() {
    let mut cutter = Cutter::new(Time::from_millis(1000));
    cutter.take(&frame(Track::Video, Kind::Config, Time::ZERO, 0));
    for n in 0..10 {
        let kind = if n == 0 { Kind::Key } else { Kind::Inter };
        assert!(cutter.take(&frame(Track::Video, kind, Time::from_millis(n * 40), 0)).is_none());
    }
    let first = cutter.take(&frame(Track::Video, Kind::Key, Time::from_millis(60_000), 0)).unwrap();
    assert_eq!((first.span.start_ms, first.span.duration_ms, first.span.discontinuity), (0, 360, false));
    let second = cutter.take(&frame(Track::Video, Kind::Key, Time::from_millis(61_000), 0)).unwrap();
    assert_eq!(
        (second.span.start_ms, second.span.duration_ms, second.span.discontinuity),
        (60_000, 1000, true)
    );
}

#[test]
fn the_window_keeps_as_much_again_as_it_lists() {
    let mut window = Window::default();
    let mut gone = Vec::new();
    for number in 1..=10 {
        let span =
            Span { number, start_ms: u64::from(number) * 1000, duration_ms: 1000, discontinuity: false };
        let file = File::new(number.to_string(), FRAGMENT_TYPE, vec![], Duration::from_secs(1));
        gone.extend(window.add(span, Arc::new(file), Duration::from_secs(2)));
    }
    let listed: Vec<_> = window.listed().map(|(span, _)| span.number).collect();
    assert_eq!(listed, [8, 9, 10]);
    assert_eq!(gone, ["1", "2", "3", "4"]);
}
