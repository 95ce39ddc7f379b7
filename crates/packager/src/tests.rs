use crate::cutter::Cutter;
use crate::{Item, Lengths, Packager, TrackChunk};
use bytes::Bytes;
use headwater_hub::{Hub, Options, Session, SessionId, SessionInfo, StreamName};
use headwater_media::codec::{aac, opus, vp9};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use headwater_mp4::Demuxer;
use proptest::prelude::*;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

/// AVCDecoderConfigurationRecord (14496-15 5.3.3.1): Baseline 3.0, one SPS, one PPS.
const AVC: &[u8] = &[
    1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 10, 0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 1, 0,
    4, 0x68, 0xce, 0x3c, 0x80,
];

/// MPEG-1 layer III, 128 kb/s, 44.1 kHz, joint stereo.
const MP3: &[u8] = &[0xff, 0xfb, 0x90, 0x64, 1, 2, 3];

fn frame(codec: Codec, kind: Kind, dts: Time, payload: impl Into<Bytes>) -> Frame {
    let sound = matches!(codec, Codec::Aac | Codec::Opus | Codec::Mp3 | Codec::G711A);
    let track = if sound { Track::Audio } else { Track::Video };
    Frame { track, codec, tag: CodecTag::Legacy, kind, dts, pts: dts, payload: payload.into() }
}

fn config(codec: Codec) -> Frame {
    let payload = match codec {
        Codec::H264 => Bytes::from_static(AVC),
        Codec::Hevc => Bytes::from_static(&[1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93]),
        Codec::Av1 => Bytes::from_static(&[0x81, 0x04, 0x0c, 0]),
        Codec::Vp9 => vp9::Config { profile: 0, level: 10, format: 0x82, colour: [2, 2, 2] }.write(),
        Codec::Aac => aac::Config::lc(48_000, 2).write(),
        _ => opus::Config::plain(2).write(),
    };
    frame(codec, Kind::Config, Time::ZERO, payload)
}

/// How a made stream is.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Microseconds a picture; no pictures at 0.
    picture: i64,
    /// Pictures a group.
    group: i64,
    /// Microseconds a frame of sound; none at 0.
    sound: i64,
    seconds: i64,
    from: Time,
}

const PLAIN: Shape = Shape { picture: 40_000, group: 25, sound: 21_333, seconds: 6, from: Time::ZERO };

/// Frames with timestamps in whole milliseconds, as RTMP has them; pictures are shown in the order I B P.
fn stream(shape: Shape, video: Codec, audio: Codec) -> Vec<Frame> {
    let place = |n: i64, each: i64| shape.from + Time::from_millis(n * each / 1000);
    let count = |each: i64| if each == 0 { 0 } else { shape.seconds * 1_000_000 / each };
    let mut frames: Vec<Frame> = (0..count(shape.picture))
        .map(|n| {
            let kind = if n % shape.group == 0 { Kind::Key } else { Kind::Inter };
            let made = frame(video, kind, place(n, shape.picture), vec![n as u8; 20]);
            Frame { pts: made.dts + Time::from_millis(if n % 2 == 0 { 80 } else { 40 }), ..made }
        })
        .collect();
    let payload = |n: i64| if audio == Codec::Mp3 { MP3.to_vec() } else { vec![0x84, n as u8, 1] };
    frames
        .extend((0..count(shape.sound)).map(|n| frame(audio, Kind::Key, place(n, shape.sound), payload(n))));
    frames.sort_by_key(|frame| frame.dts);
    let configs = [(video, shape.picture), (audio, shape.sound)]
        .into_iter()
        .filter(|(codec, each)| *each > 0 && (codec.needs_config() || *codec == Codec::Vp9));
    configs.map(|(codec, _)| config(codec)).chain(frames).collect()
}

fn items(frames: &[Frame]) -> Vec<Item> {
    let (mut cutter, mut out) = (Cutter::new(Lengths::default()), Vec::new());
    frames.iter().for_each(|frame| cutter.push(frame, SystemTime::UNIX_EPOCH, &mut out));
    cutter.finish(&mut out);
    out
}

fn chunks(items: &[Item]) -> Vec<&TrackChunk> {
    items
        .iter()
        .filter_map(|item| if let Item::Chunk(chunk) = item { Some(chunk.as_ref()) } else { None })
        .collect()
}

fn sets(items: &[Item]) -> usize {
    items.iter().filter(|item| matches!(item, Item::Tracks(_))).count()
}

/// The frames that a player of the items gets.
fn demuxed(items: &[Item]) -> Vec<Frame> {
    let (mut demuxer, mut out) = (Demuxer::new(), Vec::new());
    for item in items {
        match item {
            Item::Tracks(set) => demuxer.push(&set.init(), &mut out).unwrap(),
            Item::Chunk(chunk) => demuxer.push(&chunk.chunk.to_bytes(), &mut out).unwrap(),
            Item::Jumped { .. } | Item::Ended => {}
        }
    }
    out.retain(|frame| frame.kind != Kind::Config);
    out
}

fn outline(frames: &[Frame], track: Track) -> Vec<(i64, i64, Kind, Bytes)> {
    // In milliseconds, rounded: the track's clock is finer than RTMP's.
    let ms = |time: Time| (time + Time::from_micros(500)).millis();
    let mine = frames.iter().filter(|f| f.track == track && f.kind != Kind::Config);
    mine.map(|f| (ms(f.dts), ms(f.pts), f.kind, f.payload.clone())).collect()
}

#[test]
fn every_codec_comes_back() {
    for (video, audio) in [
        (Codec::H264, Codec::Aac),
        (Codec::Hevc, Codec::Opus),
        (Codec::Av1, Codec::Mp3),
        (Codec::Vp9, Codec::Aac),
    ] {
        let frames = stream(PLAIN, video, audio);
        let items = items(&frames);
        for track in [Track::Video, Track::Audio] {
            assert_eq!(outline(&demuxed(&items), track), outline(&frames, track), "{video:?} {audio:?}");
        }
        assert!(matches!((&items[0], items.last()), (Item::Tracks(_), Some(Item::Ended))));
    }
}

#[test]
fn parts_fill_segments_that_begin_with_key_frames() {
    let items = items(&stream(PLAIN, Codec::H264, Codec::Aac));
    let video: Vec<_> = chunks(&items).into_iter().filter(|chunk| chunk.track == Track::Video).collect();
    let marks: Vec<_> = video
        .iter()
        .map(|c| (c.start.millis(), c.duration.millis(), c.independent, c.ends_part, c.ends_segment))
        .collect();
    // Groups of a second and segments of two: six even parts, of eight frames or nine.
    let first = [
        (0, 320, true, true, false),
        (320, 360, false, true, false),
        (680, 320, false, true, false),
        (1000, 320, true, true, false),
        (1320, 360, false, true, false),
        (1680, 320, false, true, true),
        (2000, 320, true, true, false),
    ];
    assert_eq!(marks[..first.len()], first);
    assert!(video.iter().all(|chunk| chunk.before_key == (chunk.end().millis() % 1000 == 0)));
}

#[test]
fn sound_comes_before_the_pictures_it_belongs_to() {
    let items = items(&stream(PLAIN, Codec::H264, Codec::Aac));
    let all = chunks(&items);
    let first_key = all.iter().position(|c| c.track == Track::Video && c.start.millis() == 1000).unwrap();
    let before: Vec<_> = all[..first_key].iter().filter(|c| c.track == Track::Audio).collect();
    let sound_until = before.last().unwrap().end();
    assert!((900..=1400).contains(&sound_until.millis()), "{sound_until:?}");
    assert!(all.iter().all(|chunk| chunk.track == Track::Video || !chunk.ends_part));
}

#[test]
fn sound_alone_ends_parts_and_segments() {
    let shape = Shape { picture: 0, ..PLAIN };
    let items = items(&stream(shape, Codec::H264, Codec::Aac));
    let all = chunks(&items);
    assert!(all.iter().all(|c| c.independent && c.ends_part && c.before_key));
    let body = &all[..all.len() - 1];
    assert!(body.iter().all(|c| (310..=365).contains(&c.duration.millis())), "{:?}", body[0].duration);
    assert!((2..=3).contains(&body.iter().filter(|c| c.ends_segment).count()));
}

#[test]
fn a_track_that_comes_late_makes_a_new_set_at_a_key_frame() {
    let mut frames = stream(PLAIN, Codec::H264, Codec::Aac);
    frames.retain(|f| f.track == Track::Video || f.dts >= Time::from_millis(1500) || f.kind == Kind::Config);
    let (sound, rest): (Vec<_>, Vec<_>) =
        frames.into_iter().partition(|f| f.track == Track::Audio && f.kind == Kind::Config);
    let at = rest.iter().position(|f| f.track == Track::Audio).unwrap();
    let frames: Vec<_> = rest[..at].iter().chain(&sound).chain(&rest[at..]).cloned().collect();
    let items = items(&frames);
    assert_eq!(sets(&items), 2);
    let sound: Vec<_> = chunks(&items).into_iter().filter(|c| c.track == Track::Audio).collect();
    assert_eq!(sound[0].start.millis() / 10, 200, "at the key frame at 2 s");
    assert!(sound[0].discontinuity && !sound[1].discontinuity);
    assert_eq!(outline(&demuxed(&items), Track::Video).len(), 150, "no picture is lost");
}

#[test]
fn a_changed_configuration_waits_for_its_key_frame() {
    let mut frames = stream(PLAIN, Codec::H264, Codec::Aac);
    let at = frames.iter().position(|f| f.is_video_key() && f.dts.millis() == 3000).unwrap();
    let mut other = AVC.to_vec();
    other[3] = 0x1f; // level 3.1
    frames.insert(at, frame(Codec::H264, Kind::Config, Time::from_millis(3000), other));
    let items = items(&frames);
    assert_eq!(sets(&items), 2);
    let seam = items.iter().skip(1).position(|item| matches!(item, Item::Tracks(_))).unwrap() + 1;
    assert!(chunks(&items[..seam]).last().is_some_and(|chunk| chunk.ends_segment));
    assert!(chunks(&items[seam..])[0].discontinuity);
    assert_eq!(outline(&demuxed(&items[..seam]), Track::Video).len(), 75);
}

#[test]
fn clocks_that_leap_or_are_negative_are_survived() {
    let from = Time::from_millis(-5000);
    let items_of = items(&stream(Shape { from, ..PLAIN }, Codec::H264, Codec::Aac));
    assert_eq!(chunks(&items_of).iter().map(|c| c.start.millis()).min(), Some(0));

    let mut frames = stream(Shape { from: Time::from_millis(90_000), ..PLAIN }, Codec::H264, Codec::Aac);
    frames.extend(stream(PLAIN, Codec::H264, Codec::Aac));
    frames.extend(stream(Shape { from: Time::from_millis(900_000), ..PLAIN }, Codec::H264, Codec::Aac));
    let items = items(&frames);
    assert_eq!(sets(&items), 3);
    let starts: Vec<_> = chunks(&items).iter().filter(|c| c.track == Track::Video).map(|c| c.start).collect();
    assert!(starts.is_sorted());
}

#[test]
fn pictures_that_stay_away_do_not_stop_the_sound() {
    let mut frames = stream(Shape { seconds: 30, ..PLAIN }, Codec::H264, Codec::Aac);
    frames.retain(|f| f.track == Track::Audio || !(3000..20_000).contains(&f.dts.millis()));
    let items = items(&frames);
    let set = |item: &Item| if let Item::Tracks(set) = item { Some(set.video.is_some()) } else { None };
    assert_eq!(items.iter().filter_map(set).collect::<Vec<_>>(), [true, false, true]);
    let sound = outline(&demuxed(&items), Track::Audio).len();
    assert!(sound > 30 * 46 - 300, "{sound}");
}

#[test]
fn what_cannot_be_carried_is_told_once() {
    let mut cutter = Cutter::new(Lengths::default());
    let sound = frame(Codec::G711A, Kind::Key, Time::ZERO, vec![0; 160]);
    cutter.push(&sound, SystemTime::UNIX_EPOCH, &mut Vec::new());
    assert!(cutter.take_refusal().is_some());
    assert!(cutter.take_refusal().is_none());
}

proptest! {
    #[test]
    fn frames_come_back_and_parts_keep_their_length(
        picture in prop::sample::select(vec![0i64, 16_666, 20_000, 33_333, 40_000, 41_708, 66_666, 100_000]),
        sound in prop::sample::select(vec![0i64, 10_000, 20_000, 21_333, 23_219]),
        group in 5i64..130,
    ) {
        prop_assume!(picture > 0 || sound > 0);
        let frames = stream(Shape { picture, group, sound, seconds: 9, ..PLAIN }, Codec::H264, Codec::Aac);
        let items = items(&frames);
        for track in [Track::Video, Track::Audio] {
            prop_assert_eq!(outline(&demuxed(&items), track), outline(&frames, track));
        }
        let lead = if picture > 0 { Track::Video } else { Track::Audio };
        let target = Lengths::default().part;
        // A frame that is longer than what is left below 85 % may make a part longer than the target.
        let longest = if picture * 100 > target.micros() * 15 { target + Time::from_micros(picture) } else { target };
        let least = target.micros() * 85 / 100;
        let mut part = Time::ZERO;
        for chunk in chunks(&items).into_iter().filter(|chunk| chunk.track == lead) {
            prop_assert!(chunk.duration <= longest);
            part += chunk.duration;
            if chunk.ends_part {
                prop_assert!(part <= longest, "{part:?}");
                prop_assert!(chunk.ends_segment || part.micros() >= least, "{part:?}");
                part = Time::ZERO;
            }
        }
    }

    #[test]
    fn any_times_are_answered(steps in prop::collection::vec((-20_000i64..20_000, 0u8..5), 1..200)) {
        let mut dts = Time::ZERO;
        let frames = steps.into_iter().map(|(step, what)| {
            dts += Time::from_millis(if what == 4 { step } else { step / 500 });
            match what {
                0 => frame(Codec::H264, Kind::Key, dts, vec![1; 9]),
                1 => frame(Codec::H264, Kind::Inter, dts, vec![1; 9]),
                2 => frame(Codec::Opus, Kind::Key, dts, vec![4; 9]),
                3 => config(Codec::H264),
                _ => frame(Codec::Aac, Kind::Key, dts, vec![1; 9]),
            }
        });
        let items = items(&frames.collect::<Vec<_>>());
        prop_assert!(chunks(&items).iter().all(|c| c.start >= Time::ZERO && c.duration >= Time::ZERO));
        demuxed(&items);
    }
}

fn session() -> Arc<Session> {
    let name = StreamName::new("v", "live", "a").unwrap();
    Arc::new(Session::new(SessionInfo {
        id: SessionId::random(),
        kind: "test",
        publish: true,
        name,
        shown_name: "a".into(),
        ip: IpAddr::from([127, 0, 0, 1]),
        tc_url: "".into(),
        page_url: "".into(),
        swf_url: "".into(),
        param: "".into(),
    }))
}

#[tokio::test]
async fn subscribers_share_one_package_and_start_at_a_key_frame() {
    let hub = Hub::new(|_| Options::default());
    let stream_of = hub.stream(&StreamName::new("v", "live", "a").unwrap());
    let packager = Packager::new(Lengths::default(), tokio::runtime::Handle::current());
    let publisher = stream_of.publish(&session()).unwrap();
    let package = packager.package(&stream_of);
    assert!(Arc::ptr_eq(&package, &packager.package(&stream_of)));
    let mut early = package.subscribe();
    let frames = stream(PLAIN, Codec::H264, Codec::Aac);
    frames.iter().for_each(|frame| publisher.push(frame.clone()));
    drop(publisher);
    let mut all = Vec::new();
    loop {
        let item = early.next().await;
        all.push(item);
        if matches!(all.last(), Some(Item::Ended)) {
            break;
        }
    }
    assert_eq!(outline(&demuxed(&all), Track::Video), outline(&frames, Track::Video));
    let mut late = package.subscribe();
    assert!(matches!(late.next().await, Item::Tracks(_)));
    // Sound comes before the pictures of its time; the newest before the cut waited for the next.
    let Item::Chunk(sound) = late.next().await else { panic!("no chunk") };
    assert!(
        sound.track == Track::Audio && (4970..=5000).contains(&sound.start.millis()),
        "{:?}",
        sound.start
    );
    let Item::Chunk(first) = late.next().await else { panic!("no chunk") };
    assert!(first.independent && first.track == Track::Video && first.start.millis() == 5000);
    // The next publish has a package of its own.
    let _publisher = stream_of.publish(&session()).unwrap();
    assert!(!Arc::ptr_eq(&package, &packager.package(&stream_of)));
}

#[tokio::test]
async fn a_slow_subscriber_jumps_to_a_key_frame() {
    let hub = Hub::new(|_| Options::default());
    let stream_of = hub.stream(&StreamName::new("v", "live", "a").unwrap());
    let packager = Packager::new(Lengths::default(), tokio::runtime::Handle::current());
    let publisher = stream_of.publish(&session()).unwrap();
    let package = packager.package(&stream_of);
    let (mut slow, mut quick) = (package.subscribe(), package.subscribe());
    for frame in stream(Shape { seconds: 120, ..PLAIN }, Codec::H264, Codec::Aac) {
        publisher.push(frame);
        tokio::task::yield_now().await;
    }
    drop(publisher);
    while !matches!(quick.next().await, Item::Ended) {}
    assert!(matches!(slow.next().await, Item::Jumped { skipped } if skipped > 0));
    assert!(matches!(slow.next().await, Item::Tracks(_)));
    assert!(matches!(slow.next().await, Item::Chunk(chunk) if chunk.track == Track::Audio));
    assert!(
        matches!(slow.next().await, Item::Chunk(chunk) if chunk.independent && chunk.track == Track::Video)
    );
}

#[test]
fn sound_right_before_the_first_picture_is_not_lost() {
    let shape = Shape { sound: 0, ..PLAIN };
    let late = |ms: i64| frame(Codec::Aac, Kind::Key, Time::from_millis(ms), vec![0x84, ms as u8, 1]);
    let pictures = stream(Shape { from: Time::from_millis(500), ..shape }, Codec::H264, Codec::Aac);
    let sound = [config(Codec::H264), config(Codec::Aac), late(100), late(400), late(480)];
    let chunks: Vec<_> = items(&[&sound[..], &pictures].concat())
        .into_iter()
        .filter_map(|item| if let Item::Chunk(chunk) = item { Some(chunk) } else { None })
        .collect();
    let heard: Vec<_> = chunks.iter().filter(|chunk| chunk.track == Track::Audio).collect();
    // The first is more than 350 ms before the picture.
    assert_eq!(heard.iter().map(|chunk| chunk.chunk.samples()).sum::<usize>(), 2);
    assert_eq!((heard[0].start.millis(), chunks[0].track), (400, Track::Audio));
}
