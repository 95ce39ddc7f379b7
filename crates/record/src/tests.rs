use crate::disk::Disk;
use crate::name::Layout;
use crate::plan::Settings;
use crate::recording::Recording;
use bytes::Bytes;
use headwater_conf::TimeJitter;
use headwater_flv::{Demuxer, Parsed, Tag, metadata};
use headwater_hub::{Event, Hub, Observer, Options, Session, SessionId, SessionInfo, StreamName};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub(crate) fn video(kind: Kind, ms: i64) -> Frame {
    let at = Time::from_millis(ms);
    let payload = Bytes::from_static(&[0, 0, 0, 2, 0x65, 1]);
    let (track, codec, tag) = (Track::Video, Codec::H264, CodecTag::Legacy);
    Frame { track, codec, tag, kind, dts: at, pts: at, payload }
}

pub(crate) fn audio(ms: i64) -> Frame {
    Frame { track: Track::Audio, codec: Codec::Aac, ..video(Kind::Key, ms) }
}

fn config(frame: Frame) -> Frame {
    Frame { kind: Kind::Config, ..frame }
}

/// Notes finished files.
#[derive(Default)]
struct Seen(Mutex<Vec<(PathBuf, Duration, u64)>>);

impl Observer for Seen {
    fn on_event(&self, event: &Event) {
        if let Event::Recorded { file, duration, bytes, .. } = event {
            self.0.lock().push((file.clone(), *duration, *bytes));
        }
    }
}

fn session(name: &StreamName) -> Arc<Session> {
    Arc::new(Session::new(SessionInfo {
        id: SessionId::random(),
        kind: "test",
        publish: true,
        name: name.clone(),
        shown_name: "a".into(),
        ip: [127, 0, 0, 1].into(),
        tc_url: "".into(),
        page_url: "".into(),
        swf_url: "".into(),
        param: "".into(),
    }))
}

fn settings(folder: &Path, segment: Option<i64>) -> Settings {
    Settings {
        path: format!("{}/[stream].flv", folder.display()),
        layout: Layout::Flv,
        segment: segment.map(Time::from_millis),
        wait_keyframe: true,
        jitter: TimeJitter::Full,
        utc: true,
    }
}

/// The files that a publish of `frames` leaves.
async fn record(settings: Settings, frames: Vec<Frame>) -> Vec<(PathBuf, Duration, u64)> {
    let hub = Hub::new(|_| Options::default());
    let seen = Arc::<Seen>::default();
    hub.observe(vec![seen.clone()]);
    let name = StreamName::new("__defaultVhost__", "live", "a").unwrap();
    let (stream, session) = (hub.stream(&name), session(&name));
    let publisher = stream.publish(&session).unwrap();
    let disk = Disk::start();
    let recording = Recording::new(&stream, &session, settings, disk.clone());
    let (_open, closing) = watch::channel(false);
    let task = tokio::spawn(recording.run(stream.frames(), closing));
    frames.into_iter().for_each(|frame| publisher.push(frame));
    drop(publisher);
    task.await.unwrap();
    disk.drain().await;
    std::mem::take(&mut *seen.0.lock())
}

/// Key frames at `starts` with pictures every 40 ms, sound from `sound` on.
fn clip(length: i64, gop: i64, sound: i64) -> Vec<Frame> {
    let mut frames = vec![config(video(Kind::Config, 0)), video(Kind::Inter, 0)];
    for ms in (0..length).step_by(40) {
        frames.push(video(if ms % gop == 0 { Kind::Key } else { Kind::Inter }, ms));
        if ms == sound {
            frames.push(config(audio(ms)));
        }
        if ms >= sound {
            frames.push(audio(ms));
        }
    }
    frames
}

fn tags(file: &[u8]) -> Vec<Tag> {
    let mut demuxer = Demuxer::new();
    demuxer.push(file);
    std::iter::from_fn(|| demuxer.next_tag().unwrap()).collect()
}

fn demux(file: &[u8]) -> Vec<Frame> {
    let frame = |tag: &Tag| if let Parsed::Frame(frame) = tag.parse().unwrap() { Some(frame) } else { None };
    tags(file).iter().filter_map(frame).collect()
}

#[tokio::test]
async fn a_finished_flv_tells_its_length_and_its_tracks() {
    let dir = tempfile::tempdir().unwrap();
    let files = record(settings(dir.path(), None), clip(4000, 1000, 2000)).await;
    let [(path, duration, bytes)] = files.as_slice() else { panic!("{files:?}") };
    let file = std::fs::read(path).unwrap();
    assert_eq!((file.len() as u64, *duration), (*bytes, Duration::from_millis(3960)));
    assert_eq!(file[4], 0x05, "sound came late, and is told of");
    let value = headwater_flv::amf0::decode_all(&tags(&file)[0].body).unwrap().remove(1);
    assert_eq!(value.property("duration").unwrap().as_number(), Some(3.96));
    assert_eq!(value.property("filesize").unwrap().as_number(), Some(file.len() as f64));
}

#[tokio::test]
async fn segments_begin_with_their_configurations_and_a_key_frame_at_zero() {
    let dir = tempfile::tempdir().unwrap();
    let files = record(settings(dir.path(), Some(1500)), clip(4000, 1000, 0)).await;
    assert_eq!(files.len(), 2);
    let all: Vec<Vec<Frame>> = files.iter().map(|(path, ..)| demux(&std::fs::read(path).unwrap())).collect();
    for frames in &all {
        let kinds: Vec<_> = frames.iter().take(4).map(|frame| (frame.track, frame.kind)).collect();
        let configs = [(Track::Audio, Kind::Config), (Track::Video, Kind::Config)];
        assert_eq!(kinds, [(Track::Script, Kind::Script), configs[0], configs[1], (Track::Video, Kind::Key)]);
        assert_eq!(frames[3].dts, Time::ZERO);
    }
    let media = all.concat().iter().filter(|f| matches!(f.kind, Kind::Key | Kind::Inter)).count();
    assert_eq!(media, 200, "nothing is lost but the picture before the first key frame");
}

#[tokio::test]
async fn nothing_published_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let frames = vec![metadata::frame(Bytes::from_static(b"\x02\0\x01a"), Time::ZERO), config(audio(0))];
    assert_eq!(record(settings(dir.path(), None), frames).await, []);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
