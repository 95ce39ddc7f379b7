use super::*;
use crate::framelog::Read;
use crate::{Event, Hub, Observer, SessionId, SessionInfo, StreamName};
use bytes::Bytes;
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

fn name() -> StreamName {
    StreamName::new("__defaultVhost__", "live", "a").unwrap()
}

fn session(publish: bool) -> Arc<Session> {
    Arc::new(Session::new(SessionInfo {
        id: SessionId::random(),
        kind: "test",
        publish,
        name: name(),
        shown_name: "a".into(),
        ip: [127, 0, 0, 1].into(),
        tc_url: "".into(),
        page_url: "".into(),
        swf_url: "".into(),
        param: "".into(),
    }))
}

fn frame(ms: i64) -> Frame {
    let (at, payload) = (Time::from_millis(ms), Bytes::from_static(b"x"));
    let (track, codec, tag, kind) = (Track::Video, Codec::Vp8, CodecTag::Legacy, Kind::Key);
    Frame { track, codec, tag, kind, dts: at, pts: at, payload }
}

/// A derived stream whose writer is the test.
fn derive_here(origin: &Arc<Stream>) -> (Arc<Stream>, FrameReader, DerivedPublisher) {
    let mut ends = None;
    let stream = origin.derived("test", |reader, publisher| ends = Some((reader, publisher)));
    let (reader, publisher) = ends.expect("the first user starts it");
    (stream, reader, publisher)
}

fn now(reader: &mut FrameReader) -> Vec<Entry> {
    match reader.poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Read::Entries(entries)) => entries,
        _ => Vec::new(),
    }
}

fn is_unused(publisher: &mut DerivedPublisher) -> bool {
    pin!(publisher.unused()).as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn made_by_its_first_user_and_gone_with_its_last() {
    let origin = Hub::new(|_| Options::default()).stream(&name());
    let (first, _reader, mut publisher) = derive_here(&origin);
    let second = origin.derived("test", |_, _| panic!("there is one already"));
    assert!(Arc::ptr_eq(&first, &second) && Arc::ptr_eq(first.origin(), &origin));
    assert_eq!(first.name(), origin.name());

    drop(first);
    let frames = second.frames();
    drop(second);
    assert!(!is_unused(&mut publisher), "a reader uses it");
    drop(frames);
    assert!(is_unused(&mut publisher));
    assert_eq!(publisher.write(Entry::Frame(frame(0))), Err(Unused));
    derive_here(&origin);
}

#[test]
fn its_publisher_is_the_origins() {
    let origin = Hub::new(|_| Options::default()).stream(&name());
    let (derived, mut reader, publisher) = derive_here(&origin);
    let mut seen = derived.frames();
    let copy = |reader: &mut FrameReader| {
        now(reader).into_iter().try_for_each(|entry| publisher.write(entry)).unwrap();
    };

    let at_origin = origin.publish(&session(true)).unwrap();
    at_origin.push(frame(5000));
    copy(&mut reader);
    assert!(derived.is_live());
    assert_eq!(now(&mut seen), [Entry::Published, Entry::Frame(frame(5000))]);
    assert_eq!(derived.publish(&session(true)).unwrap_err().by, at_origin.session().id());

    publisher.write(Entry::Published).unwrap();
    assert_eq!(now(&mut seen), [], "said twice");

    drop(at_origin);
    copy(&mut reader);
    assert!(!derived.is_live());
    assert_eq!(now(&mut seen), [Entry::Unpublished]);
}

#[test]
fn a_writer_that_ends_leaves_no_publisher_behind() {
    let origin = Hub::new(|_| Options::default()).stream(&name());
    let (derived, _reader, publisher) = derive_here(&origin);
    let _at_origin = origin.publish(&session(true)).unwrap();
    publisher.write(Entry::Published).unwrap();
    assert!(derived.is_live());
    drop(publisher);
    assert!(!derived.is_live());
}

#[derive(Default)]
struct Plays(AtomicUsize);

impl Observer for Plays {
    fn on_event(&self, event: &Event) {
        if let Event::PlayStarted { stream, .. } = event {
            assert!(Arc::ptr_eq(stream, stream.origin()));
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn players_and_bytes_are_the_origins() {
    let hub = Hub::new(|_| Options::default());
    let plays = Arc::new(Plays::default());
    assert!(hub.observe(vec![plays.clone()]));
    let origin = hub.stream(&name());
    let (derived, _reader, publisher) = derive_here(&origin);

    let attached = derived.attach(&session(false));
    derived.count_sent(7);
    assert_eq!((origin.players(), origin.snapshot().sent), (1, 7));
    assert_eq!(plays.0.load(Ordering::Relaxed), 1);
    assert_eq!(hub.streams().len(), 1);

    drop(attached);
    drop(publisher);
    assert_eq!(origin.players(), 0);
}
