use crate::chunks::ChunkRecording;
use crate::disk::Disk;
use crate::leftovers::{self, Search};
use crate::medium::{Medium, Open, files};
use crate::name::Layout;
use crate::plan::Settings;
use crate::recording::Recording;
use crate::{PENDING_BYTES, Recorders};
use bytes::Bytes;
use headwater_conf::{Conf, Env, Source, TimeJitter};
use headwater_flv::{Demuxer, Parsed, Tag, metadata};
use headwater_hub::{Event, Hub, Observer, Options, Session, SessionId, SessionInfo, Stream, StreamName};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use headwater_mp4::read_file;
use headwater_packager::{Item, Lengths, Packager};
use parking_lot::Mutex;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
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

/// AudioSpecificConfig (14496-3 1.6.2.1) for sound: LC, 48 kHz, stereo.
fn config(frame: Frame) -> Frame {
    let aac = Bytes::from_static(&[0x11, 0x90]);
    let payload = if frame.track == Track::Audio { aac } else { frame.payload.clone() };
    Frame { kind: Kind::Config, payload, ..frame }
}

/// Notes finished files, and recordings that stopped.
#[derive(Default)]
struct Seen {
    files: Mutex<Vec<(PathBuf, Duration, u64)>>,
    whose: Mutex<Vec<(String, SessionId)>>,
    stopped: Mutex<Vec<String>>,
}

impl Observer for Seen {
    fn on_event(&self, event: &Event) {
        match event {
            Event::Recorded { stream, session, file, duration, bytes } => {
                self.files.lock().push((file.clone(), *duration, *bytes));
                self.whose.lock().push((stream.name().to_string(), session.id()));
            }
            Event::RecordingStopped { reason, .. } => self.stopped.lock().push(reason.clone()),
            _ => {}
        }
    }
}

/// A hub with one stream, `live/a`, and what happens to it.
fn hub() -> (Arc<Hub>, Arc<Stream>, Arc<Session>, Arc<Seen>) {
    let hub = Hub::new(|_| Options::default());
    let seen = Arc::<Seen>::default();
    hub.observe(vec![seen.clone()]);
    let name = StreamName::new("__defaultVhost__", "live", "a").unwrap();
    let (stream, session) = (hub.stream(&name), session(&name));
    (hub, stream, session, seen)
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
    record_on(files(), settings, frames).await.files.lock().clone()
}

async fn record_on(open: Open, settings: Settings, frames: Vec<Frame>) -> Arc<Seen> {
    let (_hub, stream, session, seen) = hub();
    let publisher = stream.publish(&session).unwrap();
    let disk = Disk::start(open);
    let (_open, stopping) = watch::channel(false);
    let task = match settings.layout {
        Layout::Flv => {
            let recording = Recording::new(&stream, &session, settings, disk.clone());
            tokio::spawn(recording.run(stream.frames(), stopping))
        }
        Layout::Mp4(layout) => {
            let recording = ChunkRecording::new(&stream, &session, settings, layout, disk.clone());
            let package = Packager::new(Lengths::default(), Handle::current()).package(&stream);
            tokio::spawn(recording.run(package.subscribe(), stopping))
        }
    };
    frames.into_iter().for_each(|frame| publisher.push(frame));
    drop(publisher);
    task.await.unwrap();
    disk.drain().await;
    seen
}

/// What a package of these frames has.
async fn items(frames: Vec<Frame>) -> Vec<Item> {
    let (_hub, stream, session, _seen) = hub();
    let publisher = stream.publish(&session).unwrap();
    let mut chunks = Packager::new(Lengths::default(), Handle::current()).package(&stream).subscribe();
    frames.into_iter().for_each(|frame| publisher.push(frame));
    drop(publisher);
    let mut items = Vec::new();
    loop {
        match chunks.next().await {
            Item::Ended => return items,
            item => items.push(item),
        }
    }
}

/// A recording of these frames that ends as it should, or as a kill ends it.
async fn record_to(
    (stream, session): (&Arc<Stream>, &Arc<Session>),
    settings: Settings,
    frames: Vec<Frame>,
    killed: bool,
) {
    let disk = Disk::start(files());
    match settings.layout {
        Layout::Flv => {
            let mut recording = Recording::new(stream, session, settings, disk.clone());
            frames.into_iter().for_each(|frame| recording.take(frame));
            if !killed {
                recording.end();
            }
        }
        Layout::Mp4(layout) => {
            let mut recording = ChunkRecording::new(stream, session, settings, layout, disk.clone());
            items(frames).await.into_iter().for_each(|item| assert!(recording.take(item)));
            if !killed {
                recording.finish();
            }
        }
    }
    disk.drain().await;
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

const PLAIN: Layout = Layout::Mp4(headwater_mp4::Layout::Plain);
const FRAGMENTED: Layout = Layout::Mp4(headwater_mp4::Layout::Fragmented);

/// Settings for one file, with the suffix of its layout.
fn laid_out(folder: &Path, layout: Layout) -> Settings {
    let suffix = if layout == Layout::Flv { "flv" } else { "mp4" };
    let path = format!("{}/[app]/[stream].{suffix}", folder.display());
    Settings { path, layout, ..settings(folder, None) }
}

/// Coded frames: track, kind, times in milliseconds, payload.
fn media(frames: &[Frame]) -> Vec<(Track, Kind, i64, i64, Bytes)> {
    let coded = frames.iter().filter(|f| matches!(f.kind, Kind::Key | Kind::Inter));
    let mut all: Vec<_> = coded
        .map(|f| {
            // An MP4's clock of 48 kHz or 90 kHz is read back within a microsecond.
            let ms = |t: Time| (t + Time::from_micros(500)).millis();
            (f.track, f.kind, ms(f.dts), ms(f.pts), f.payload.clone())
        })
        .collect();
    all.sort_by_key(|f| (f.0, f.2));
    all
}

fn read(layout: Layout, path: &Path) -> Vec<Frame> {
    let file = std::fs::read(path).unwrap();
    if layout == Layout::Flv { demux(&file) } else { read_file(&file.into()).unwrap() }
}

#[tokio::test]
async fn long_timestamps_b_frames_and_uneven_rates_are_kept_in_every_layout() {
    // 4.66 hours is where FLV's 24 bits end, 13.3 hours where 32 bits of 90 kHz end.
    for hours in [0, 5, 30] {
        for layout in [Layout::Flv, PLAIN, FRAGMENTED] {
            let dir = tempfile::tempdir().unwrap();
            let start = Time::from_millis(hours * 3_600_000);
            let mut frames = vec![config(video(Kind::Config, 0)), config(audio(0))];
            for (n, ms) in [0, 40, 47, 130, 131, 400, 401, 1400, 1440].into_iter().enumerate() {
                let kind = if n % 4 == 0 { Kind::Key } else { Kind::Inter };
                let late = Time::from_millis([80, 0, 40][n % 3]);
                let frame = video(kind, ms);
                frames.push(Frame { pts: frame.pts + late, ..frame });
                frames.push(audio(ms));
            }
            let want = frames.clone();
            let mut settings = laid_out(dir.path(), layout);
            if layout == Layout::Flv {
                settings.jitter = TimeJitter::Off; // the stream's own times; an MP4 begins at zero
            }
            let moved = |f: &Frame| Frame { dts: f.dts + start, pts: f.pts + start, ..f.clone() };
            let (_hub, stream, session, seen) = hub();
            record_to((&stream, &session), settings, want.iter().map(moved).collect(), false).await;
            let file = seen.files.lock()[0].clone();
            // To the last timestamp; an MP4 to the end of the last picture, the first of which is shown 80 ms late.
            let length = if layout == Layout::Flv { 1440 } else { 1440 + 40 + 80 };
            assert_eq!(file.1, Duration::from_millis(length));
            let want = if layout == Layout::Flv { want.iter().map(moved).collect() } else { want };
            assert_eq!(media(&read(layout, &file.0)), media(&want), "{layout:?} after {hours} h");
        }
    }
}

/// How many pictures each file has, and whether it begins with a key frame.
fn groups(files: &[(PathBuf, Duration, u64)]) -> Vec<(usize, bool)> {
    let pictures = |path: &Path| -> Vec<Kind> {
        let frames = read(PLAIN, path);
        frames.iter().filter(|f| f.track == Track::Video && f.kind != Kind::Config).map(|f| f.kind).collect()
    };
    files.iter().map(|(path, ..)| pictures(path)).map(|all| (all.len(), all[0] == Kind::Key)).collect()
}

#[tokio::test]
async fn an_mp4_is_cut_behind_a_chunk_before_a_key_frame_or_behind_any() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment: Some(Time::from_millis(1500)), ..laid_out(dir.path(), PLAIN) };
    let files = record(settings.clone(), clip(5000, 1000, 0)).await;
    assert_eq!(groups(&files), [(50, true), (50, true), (25, true)]);
    let sound = |path: &Path| media(&read(PLAIN, path)).iter().filter(|f| f.0 == Track::Audio).count();
    // Where sound comes behind the picture of its time, the newest's length is not known yet at a cut.
    assert_eq!(files.iter().map(|file| sound(&file.0)).collect::<Vec<_>>(), [49, 50, 26]);
    let any = Settings { wait_keyframe: false, ..settings };
    let files = record(any, clip(6000, 6000, 0)).await;
    let groups = groups(&files);
    assert_eq!(groups.iter().map(|group| group.0).sum::<usize>(), 150);
    // 1.5 s are 37.5 pictures; a chunk has up to 8 of them.
    assert!(groups[..3].iter().all(|group| (38..=46).contains(&group.0)), "{groups:?}");
    assert!(groups[0].1 && !groups[1].1, "{groups:?}");
}

#[tokio::test]
async fn another_configuration_is_another_mp4() {
    let dir = tempfile::tempdir().unwrap();
    let mut frames = clip(2000, 1000, 0);
    let other = Bytes::from_static(&[0, 0, 0, 2, 0x65, 2]);
    frames.push(Frame { payload: other, ..config(video(Kind::Config, 2000)) });
    frames.extend(
        clip(2000, 1000, 0).into_iter().filter(|f| matches!(f.kind, Kind::Key | Kind::Inter)).skip(1).map(
            |f| Frame { dts: f.dts + Time::from_millis(2000), pts: f.pts + Time::from_millis(2000), ..f },
        ),
    );
    let files = record(laid_out(dir.path(), FRAGMENTED), frames).await;
    assert_eq!(groups(&files), [(50, true), (50, true)]);
    assert!(read(FRAGMENTED, &files[1].0).iter().all(|f| f.dts < Time::from_millis(2000)), "from zero on");
}

#[tokio::test]
async fn only_with_jitter_off_an_mp4_has_the_streams_own_times() {
    for layout in [PLAIN, FRAGMENTED] {
        for (jitter, first) in [(TimeJitter::Off, 7000), (TimeJitter::Zero, 0), (TimeJitter::Full, 0)] {
            let dir = tempfile::tempdir().unwrap();
            let frames = clip(2000, 1000, 0).into_iter().map(|f| {
                let at = f.dts + Time::from_millis(7000);
                Frame { dts: at, pts: at, ..f }
            });
            let (_hub, stream, session, seen) = hub();
            let settings = Settings { jitter, ..laid_out(dir.path(), layout) };
            record_to((&stream, &session), settings, frames.collect(), false).await;
            let path = seen.files.lock()[0].0.clone();
            assert_eq!(media(&read(layout, &path))[0].2, first, "{layout:?} {jitter:?}");
        }
    }
}

#[tokio::test]
async fn what_a_kill_left_is_finished_and_told() {
    for layout in [Layout::Flv, PLAIN, FRAGMENTED] {
        let dir = tempfile::tempdir().unwrap();
        let (hub, stream, session, seen) = hub();
        let settings = laid_out(dir.path(), layout);
        let template = settings.path.clone();
        let frames = clip(4000, 1000, 0);
        record_to((&stream, &session), settings, frames.clone(), true).await;
        let (file, aside) = (template.replace("[app]/[stream]", "live/a"), dir.path().join("live"));
        let aside = aside.join(Path::new(&file).file_name().unwrap()).display().to_string() + ".tmp";
        let cut = std::fs::metadata(&aside).unwrap().len() - 3;
        std::fs::File::options().write(true).open(&aside).unwrap().set_len(cut).unwrap();
        std::fs::write(&file, b"mine").unwrap();
        let search = [Search::of(&template)];
        leftovers::recover(&search, SystemTime::UNIX_EPOCH, &hub);
        assert_eq!(*seen.files.lock(), [], "written after the server began: another's");
        let held = std::fs::File::open(&aside).unwrap();
        held.lock().unwrap();
        let later = SystemTime::now() + Duration::from_secs(1);
        leftovers::recover(&search, later, &hub);
        assert_eq!(*seen.files.lock(), [], "in use");
        drop(held);
        leftovers::recover(&search, later, &hub);
        let [(path, duration, bytes)] = &seen.files.lock()[..] else { panic!("{layout:?}") };
        assert_eq!(std::fs::read(&file).unwrap(), b"mine");
        assert!(path.display().to_string().contains("/live/a-1."), "{path:?}");
        assert_eq!(std::fs::metadata(path).unwrap().len(), *bytes);
        assert!(*duration > Duration::from_millis(3000), "{duration:?}");
        assert_eq!(*seen.whose.lock(), [(stream.name().to_string(), session.id())]);
        assert!(!Path::new(&aside).exists());
        let (got, want) = (media(&read(layout, path)), media(&frames));
        for track in [Track::Video, Track::Audio] {
            let of = |all: &[(Track, Kind, i64, i64, Bytes)]| -> Vec<_> {
                all.iter().filter(|f| f.0 == track && f.2 >= 0).cloned().collect()
            };
            let (got, mut want) = (of(&got), of(&want));
            want.retain(|f| !(f.1 == Kind::Inter && f.2 == 0)); // before the first key frame
            assert!(
                want.len() - got.len() <= 25,
                "{layout:?} {track:?}: {} of {}: {:?}",
                got.len(),
                want.len(),
                got.iter().map(|f| f.2).collect::<Vec<_>>()
            );
            assert_eq!(got, want[..got.len()]);
        }
        if layout == Layout::Flv {
            let file = std::fs::read(path).unwrap();
            let value = headwater_flv::amf0::decode_all(&tags(&file)[0].body).unwrap().remove(1);
            assert_eq!(value.property("duration").unwrap().as_number(), Some(duration.as_secs_f64()));
            assert_eq!(value.property("filesize").unwrap().as_number(), Some(*bytes as f64));
        }
    }
}

#[tokio::test]
async fn files_of_others_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _stream, _session, seen) = hub();
    let names = ["a.flv.tmp", "b.mp4.tmp", "c.flv.tmp"];
    let flv =
        [&headwater_flv::file_header(true, true)[..], b"\x09\0\0\x01\0\0\0\0\0\0\0\x17\0\0\0\x0c"].concat();
    for (name, bytes) in names.iter().zip([&flv[..], b"\0\0\0\x08ftyp", b""]) {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let search = |suffix| Search { folder: dir.path().into(), depth: 2, suffix };
    let later = SystemTime::now() + Duration::from_secs(1);
    leftovers::recover(&[search(".flv.tmp".into()), search(".mp4.tmp".into())], later, &hub);
    assert_eq!(*seen.files.lock(), []);
    names.iter().for_each(|name| assert!(dir.path().join(name).exists()));
}

/// A file past 4 GB, most of it a hole.
#[tokio::test]
async fn a_recording_past_4_gb_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, stream, session, seen) = hub();
    let settings = laid_out(dir.path(), PLAIN);
    let search = Search::of(&settings.path);
    record_to((&stream, &session), settings, clip(2000, 1000, 0), true).await;
    let aside = dir.path().join("live/a.mp4.tmp");
    let file = std::fs::read(&aside).unwrap();
    let at = file.windows(4).position(|w| w == b"moof").unwrap() - 4;
    let (head, fragments) = file.split_at(at);
    let hole = 5u64 << 30;
    let free = [&1u32.to_be_bytes()[..], b"free", &hole.to_be_bytes()].concat();
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::create(&aside).unwrap();
    file.write_all_at(&[head, &free].concat(), 0).unwrap();
    file.write_all_at(fragments, at as u64 + hole).unwrap();
    drop(file);
    leftovers::recover(&[search], SystemTime::now() + Duration::from_secs(1), &hub);
    let [(path, _, bytes)] = &seen.files.lock()[..] else { panic!("not recovered") };
    assert!(*bytes > hole);
    let mut tail = vec![0; (*bytes - hole) as usize];
    std::fs::File::open(path).unwrap().read_exact_at(&mut tail, hole).unwrap();
    let co64 = tail.windows(4).position(|w| w == b"co64").unwrap(); // 14496-12 8.7.5
    let first = u64::from_be_bytes(tail[co64 + 12..co64 + 20].try_into().unwrap());
    // The first fragment is of the sound, the second of the pictures, whose tables come first.
    let mdat = (0..tail.len()).filter(|&at| tail[at..].starts_with(b"mdat")).nth(1).unwrap();
    assert_eq!(first, hole + mdat as u64 + 4, "the first picture is where its fragment is");
}

/// A disk that takes `room` bytes and then fails, or hangs until the test ends.
#[derive(Debug)]
struct Bad {
    room: usize,
    taken: AtomicUsize,
    hangs: Option<Mutex<std::sync::mpsc::Receiver<()>>>,
}

impl Medium for Bad {
    fn append(&self, pieces: &[Bytes]) -> io::Result<()> {
        self.write_at(&pieces.concat(), 0)
    }

    fn write_at(&self, bytes: &[u8], _: u64) -> io::Result<()> {
        if let Some(gate) = &self.hangs {
            gate.lock().recv().ok(); // until the other end is gone
            return Ok(());
        }
        if self.taken.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len() > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if self.room == 0 { Err(io::Error::other("input/output error")) } else { Ok(()) }
    }
}

fn bad(medium: Bad) -> Open {
    let medium = Arc::new(medium);
    Arc::new(move |path| Ok((medium.clone(), path.to_owned())))
}

#[tokio::test]
async fn a_disk_that_is_full_or_breaks_ends_the_recording_with_one_event() {
    for (room, layout) in [(0, Layout::Flv), (10_000, Layout::Flv), (0, PLAIN), (3000, PLAIN)] {
        let dir = tempfile::tempdir().unwrap();
        let disk = bad(Bad { room, taken: AtomicUsize::new(0), hangs: None });
        let settings = Settings { layout, ..settings(dir.path(), Some(1000)) };
        let seen = record_on(disk, settings, clip(20_000, 1000, 0)).await;
        let stopped = seen.stopped.lock().clone();
        assert_eq!(stopped.len(), 1, "{layout:?} with {room} bytes: {stopped:?}");
    }
}

#[tokio::test]
async fn a_disk_that_hangs_ends_the_recording_and_the_stream_goes_on() {
    let (_hub, stream, session, seen) = hub();
    let (gate, hangs) = std::sync::mpsc::channel();
    let disk = Disk::start(bad(Bad { room: 0, taken: AtomicUsize::new(0), hangs: Some(Mutex::new(hangs)) }));
    let dir = tempfile::tempdir().unwrap();
    let mut recording = Recording::new(&stream, &session, settings(dir.path(), None), disk);
    let big = Bytes::from(vec![1; 1 << 20]);
    recording.take(config(video(Kind::Config, 0)));
    recording.take(config(audio(0)));
    // Never waits: this is the stream's own pace.
    for n in 0..40 {
        recording.take(Frame { payload: big.clone(), ..video(Kind::Key, n * 40) });
    }
    assert_eq!(*seen.stopped.lock(), ["the disk is too slow"]);
    const { assert!(40 << 20 > PENDING_BYTES) };
    drop(gate);
}

fn conf(folder: &Path, dvr: &str) -> Arc<Conf> {
    let folder = folder.display();
    let text = format!(
        "listen 1; vhost __defaultVhost__ {{ dvr {{ dvr_path {folder}/[stream].[timestamp].flv; {dvr} }} }}"
    );
    Arc::new(Conf::load(Source::Text { name: "test".into(), text }, &Env::empty()).unwrap().conf)
}

#[tokio::test]
async fn another_configuration_begins_and_ends_recordings_of_live_streams() {
    let dir = tempfile::tempdir().unwrap();
    let off = conf(dir.path(), "enabled off;");
    let packager = Packager::new(Lengths::default(), Handle::current());
    let recorders = Recorders::new(off.clone(), packager, Handle::current());
    let hub = Hub::new(|_| Options::default());
    let seen = Arc::<Seen>::default();
    hub.observe(vec![recorders.clone(), seen.clone()]);
    let publishers = ["a", "b"].map(|name| {
        let name = StreamName::new("__defaultVhost__", "live", name).unwrap();
        hub.stream(&name).publish(&session(&name)).unwrap()
    });
    let second = |n: i64| {
        for frame in clip(1000, 1000, 0) {
            let at = frame.dts + Time::from_millis(n * 1000);
            publishers.iter().for_each(|p| p.push(Frame { dts: at, pts: at, ..frame.clone() }));
        }
    };
    let recorded = || recorders.state.lock().live.len();
    second(0);
    assert_eq!(recorded(), 0);
    let one = conf(dir.path(), "enabled on; dvr_apply live/b;");
    recorders.apply(one.clone(), &hub);
    assert_eq!(recorded(), 1);
    let before = recorders.state.lock().live.values().next().unwrap().task.id();
    recorders.apply(one, &hub);
    assert_eq!(recorders.state.lock().live.values().next().unwrap().task.id(), before, "undisturbed");
    second(1);
    recorders.apply(conf(dir.path(), "enabled on;"), &hub);
    assert_eq!(recorded(), 2);
    tokio::task::yield_now().await; // the recordings read what there is
    recorders.apply(off, &hub);
    assert_eq!(recorded(), 0);
    recorders.close().await;
    assert_eq!(seen.files.lock().len(), 2);
}

#[test]
fn searches_begin_where_names_vary() {
    let of = |template| Search::of(template);
    let search = of("./rec/[app]/[stream].mp4");
    assert_eq!((search.folder, search.suffix), ("./rec".into(), ".mp4.tmp".into()));
    assert_eq!(of("/[app]/a.flv").folder, Path::new("/"));
    assert_eq!(of("[stream].flv").folder, Path::new("."));
    assert_eq!((of("/d/cam.flv").folder, of("/d/cam.flv").depth), ("/d".into(), 1));
}
