use super::*;
use bytes::Bytes;
use headwater_hub::{Hub, Options, Publisher, Session, SessionId, SessionInfo, StreamName};
use headwater_media::{CodecTag, Kind, Time};
use std::time::Duration;

fn hub_stream() -> Arc<Stream> {
    let name = StreamName::new("__defaultVhost__", "live", "a").unwrap();
    Hub::new(|_| Options::default()).stream(&name)
}

fn publish(stream: &Arc<Stream>) -> Publisher {
    let session = Session::new(SessionInfo {
        id: SessionId::random(),
        kind: "test",
        publish: true,
        name: stream.name().clone(),
        shown_name: "a".into(),
        ip: [127, 0, 0, 1].into(),
        tc_url: "".into(),
        page_url: "".into(),
        swf_url: "".into(),
        param: "".into(),
    });
    stream.publish(&Arc::new(session)).unwrap()
}

fn frame(codec: Codec, kind: Kind, at: Time, payload: impl Into<Bytes>) -> Frame {
    let track = if codec == Codec::Vp8 { Track::Video } else { Track::Audio };
    Frame { track, codec, tag: CodecTag::Legacy, kind, dts: at, pts: at, payload: payload.into() }
}

/// A second of pictures and sound in AAC, in the order of their times.
fn second() -> Vec<Frame> {
    let mut sound = Vec::new();
    let mut converter = Converter::new(Target::Aac { bitrate: 96_000 });
    for i in 0..50_u8 {
        let noise: Vec<u8> = (0..160_u8).map(|j| j.wrapping_mul(i)).collect();
        let frame = frame(Codec::G711U, Kind::Key, Time::from_millis(i64::from(i) * 20), noise);
        converter.push(&frame, &mut sound).unwrap();
    }
    let pictures = (0..25).map(|i| {
        let kind = if i == 0 { Kind::Key } else { Kind::Inter };
        frame(Codec::Vp8, kind, Time::from_millis(i * 40), vec![i as u8; 10])
    });
    sound.extend(pictures);
    sound.sort_by_key(|frame| (frame.dts, frame.kind != Kind::Config));
    sound
}

/// Waits until the conversion has seen the publisher.
async fn live(stream: &Arc<Stream>) {
    while !stream.is_live() {
        tokio::task::yield_now().await;
    }
}

/// The frames that come until the publisher leaves.
async fn rest(mut reader: FrameReader) -> Vec<Frame> {
    let mut frames = Vec::new();
    loop {
        let Read::Entries(entries) = reader.next().await else { continue };
        for entry in entries {
            match entry {
                Entry::Frame(frame) => frames.push(frame),
                Entry::Unpublished => return frames,
                Entry::Published => {}
            }
        }
    }
}

fn of(frames: &[Frame], track: Track) -> Vec<Frame> {
    frames.iter().filter(|frame| frame.track == track).cloned().collect()
}

#[tokio::test]
async fn sound_is_converted_and_pictures_pass() {
    let origin = hub_stream();
    let conversions = Conversions::new(Handle::current());
    let stream = conversions.opus(&origin, 96_000);
    let reader = stream.frames();
    let publisher = publish(&origin);
    live(&stream).await;
    let source = second();
    source.iter().cloned().for_each(|frame| publisher.push(frame));
    assert_eq!(Conversions::changes(&origin, Codec::Opus), Some(true));
    assert_eq!(Conversions::changes(&origin, Codec::Aac), Some(false));
    drop(publisher);
    let frames = rest(reader).await;

    assert_eq!(of(&frames, Track::Video), of(&source, Track::Video));
    let sound = of(&frames, Track::Audio);
    assert_eq!((sound[0].codec, sound[0].kind), (Codec::Opus, Kind::Config));
    assert!((48..=51).contains(&sound[1..].len()), "{} packets of 20 ms", sound.len() - 1);
    assert!(sound.is_sorted_by_key(|frame| frame.dts));
    let mut newest = Time::ZERO;
    for frame in frames.iter().filter(|frame| frame.kind != Kind::Config) {
        assert!(newest - frame.dts <= Time::from_millis(60), "{:?} after {newest:?}", frame.dts);
        newest = newest.max(frame.dts);
    }
}

#[tokio::test]
async fn sound_that_fits_passes_untouched() {
    let origin = hub_stream();
    let stream = Conversions::new(Handle::current()).aac(&origin, 96_000);
    let reader = stream.frames();
    let publisher = publish(&origin);
    live(&stream).await;
    let source = second();
    source.iter().cloned().for_each(|frame| publisher.push(frame));
    drop(publisher);
    let frames = rest(reader).await;
    assert_eq!(of(&frames, Track::Audio), of(&source, Track::Audio));
    let first = of(&frames, Track::Audio).remove(1).payload;
    assert_eq!(first.as_ptr(), of(&source, Track::Audio)[1].payload.as_ptr(), "shared, not copied");
}

#[tokio::test]
async fn one_conversion_for_all_and_none_for_nobody() {
    let origin = hub_stream();
    let conversions = Conversions::new(Handle::current());
    let first = conversions.opus(&origin, 96_000);
    let second = conversions.opus(&first, 48_000);
    assert!(Arc::ptr_eq(&first, &second), "of a derived stream, its origin's");
    assert!(!Arc::ptr_eq(&first, &conversions.aac(&origin, 96_000)));
    let _publisher = publish(&origin);
    drop((first, second));
    let ended = async {
        // The origin is held by this test, its publisher and, while it runs, by the task.
        while Arc::strong_count(&origin) > 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the tasks end");
}

#[tokio::test]
async fn a_newcomer_begins_at_the_key_frame_in_the_middle_of_a_publish() {
    let origin = hub_stream();
    let publisher = publish(&origin);
    second().into_iter().for_each(|frame| publisher.push(frame));
    let stream = Conversions::new(Handle::current()).opus(&origin, 96_000);
    let reader = stream.frames();
    live(&stream).await;
    drop(publisher);
    let frames = rest(reader).await;
    assert!(of(&frames, Track::Video)[0].is_video_key());
    assert_eq!(of(&frames, Track::Video).len(), 25);
    assert!(of(&frames, Track::Audio).len() > 45);
}
