use super::*;
use crate::bytelog::{ByteReader, Format, FormatKey, Mux};
use crate::framelog::{Entry, FrameReader, Read};
use crate::stream::{Headers, Publisher};
use crate::{DerivedPublisher, Hub, Options, SessionId, SessionInfo};
use bytes::{Bytes, BytesMut};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use parking_lot::Mutex;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Payloads one after the other.
struct Plain(FormatKey);

impl Format for Plain {
    fn key(&self) -> &FormatKey {
        &self.0
    }
    fn mux(&self) -> Box<dyn Mux> {
        Box::new(PlainMux)
    }
    fn trailer(&self) -> Option<Bytes> {
        None
    }
}

struct PlainMux;

impl Mux for PlainMux {
    fn frame(&mut self, frame: &Frame, out: &mut BytesMut) {
        out.extend_from_slice(&frame.payload);
    }
    fn headers(&mut self, _: &Headers, _: Time, _: &mut BytesMut) {}
}

type Ends = Option<(FrameReader, DerivedPublisher)>;

/// Converts what `new` publishers send; the test does the work.
#[derive(Clone, Default)]
struct ByTest(Arc<Mutex<Ends>>);

impl Audible for ByTest {
    fn converts(&self, _: &StreamName, publisher: &Session) -> bool {
        publisher.info().kind == "new"
    }

    fn convert(&self, stream: &Arc<Stream>) -> Arc<Stream> {
        stream.derived("test", |reader, publisher| *self.0.lock() = Some((reader, publisher)))
    }
}

impl ByTest {
    /// Converts what has come: small letters become large.
    fn work(&self) {
        let mut ends = self.0.lock();
        let (reader, publisher) = ends.as_mut().expect("somebody needs it");
        while let Poll::Ready(Read::Entries(entries)) = reader.poll_next(&mut context()) {
            for entry in entries {
                let entry = match entry {
                    Entry::Frame(frame) => {
                        let payload = frame.payload.to_ascii_uppercase().into();
                        Entry::Frame(Frame { payload, ..frame })
                    }
                    entry => entry,
                };
                publisher.write(entry).unwrap();
            }
        }
    }

    /// Whether somebody needs it; its work ends when nobody does.
    fn is_needed(&self) -> bool {
        let mut ends = self.0.lock();
        let unused = |(_, publisher): &mut (FrameReader, DerivedPublisher)| {
            pin!(publisher.unused()).as_mut().poll(&mut context()).is_ready()
        };
        if ends.as_mut().is_some_and(unused) {
            *ends = None;
        }
        ends.is_some()
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn publish(stream: &Arc<Stream>, kind: &'static str) -> Publisher {
    let session = Session::new(SessionInfo {
        id: SessionId::random(),
        kind,
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

fn say(publisher: &Publisher, payload: &'static str) {
    let (track, codec, tag, kind) = (Track::Video, Codec::Vp8, CodecTag::Legacy, Kind::Key);
    let (at, payload) = (Time::ZERO, Bytes::from_static(payload.as_bytes()));
    publisher.push(Frame { track, codec, tag, kind, dts: at, pts: at, payload });
}

fn heard(reader: &mut ByteReader) -> String {
    let mut all = Vec::new();
    while let Poll::Ready(Some(bytes)) = reader.poll_next(&mut context()) {
        all.extend_from_slice(&bytes);
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn a_reader_that_stays_reads_what_is_audible() {
    let hub = Hub::new(|_| Options::default());
    let conversion = ByTest::default();
    assert!(hub.set_audible(conversion.clone()));
    let stream = hub.stream(&StreamName::new("__defaultVhost__", "live", "a").unwrap());
    let format: Arc<dyn Format> = Arc::new(Plain("plain".into()));

    let publisher = publish(&stream, "old");
    let mut reader = hub.audible(&stream).bytes(&format);
    say(&publisher, "one ");
    drop(publisher);
    assert!(!conversion.is_needed());

    let publisher = publish(&stream, "new");
    say(&publisher, "two ");
    assert_eq!(heard(&mut reader), "one ", "what is left is read first");
    conversion.work();
    assert_eq!(heard(&mut reader), "TWO ");
    drop(publisher);

    let publisher = publish(&stream, "old");
    say(&publisher, "three ");
    conversion.work();
    assert_eq!(heard(&mut reader), "three ");
    assert!(!conversion.is_needed());
}

#[test]
fn who_waits_reads_what_is_audible() {
    let hub = Hub::new(|_| Options::default());
    let conversion = ByTest::default();
    assert!(hub.set_audible(conversion.clone()));
    let stream = hub.stream(&StreamName::new("__defaultVhost__", "live", "a").unwrap());
    let format: Arc<dyn Format> = Arc::new(Plain("plain".into()));

    let mut reader = hub.audible(&stream).bytes(&format);
    assert_eq!(heard(&mut reader), "");
    let publisher = publish(&stream, "new");
    say(&publisher, "one ");
    assert_eq!(heard(&mut reader), "");
    conversion.work();
    let mut late = stream.bytes(&format);
    assert_eq!((heard(&mut reader).as_str(), heard(&mut late).as_str()), ("ONE ", "ONE "));
    let audible = hub.audible(&stream);
    drop(publisher);

    // Of the stream that was audible before: the next publisher's are read where they are now.
    let publisher = publish(&stream, "old");
    conversion.work();
    say(&publisher, "two ");
    let mut third = audible.bytes(&format);
    for reader in [&mut reader, &mut late, &mut third] {
        assert_eq!(heard(reader), "two ");
    }
    assert_eq!(stream.snapshot().jumps, 0);
    drop(audible);
    assert!(!conversion.is_needed());
}
