use crate::StreamName;
use crate::bytelog::{ByteLog, ByteReader, Format, FormatKey, View};
use crate::derived::{Derivations, Origin, emit};
use crate::event::{Event, Segmented};
use crate::framelog::{Entry, FrameLog, FrameReader};
use crate::interleave::Interleaver;
use crate::registry::{AbsoluteTimes, Events, Options};
use crate::session::{Session, SessionId};
use crate::timeline::{Timeline, TimelineReport};
use bytes::Bytes;
use headwater_media::codec::{self, AudioInfo, VideoInfo};
use headwater_media::{Frame, Kind, Time, Track};
use parking_lot::Mutex;
use slab::Slab;
use smallvec::SmallVec;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use thiserror::Error;

/// How long after its first frame a stream waits for a second track before players are told what it has.
const SETTLE: Time = Time::from_millis(350);

/// A stream: a name, at most one publisher, and its logs.
pub struct Stream {
    pub(crate) name: StreamName,
    options: Options,
    events: Arc<Events>,
    pub(crate) state: Mutex<State>,
    players: AtomicUsize,
    sent: AtomicU64,
    jumps: AtomicU64,
    pub(crate) derivations: Derivations,
    pub(crate) derived_from: Option<Origin>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({})", self.name)
    }
}

/// Why a publisher was not accepted: the stream has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("already being published by client {by}; stop that publisher first or use another stream name")]
pub struct Busy {
    /// The publisher in possession.
    pub by: SessionId,
}

/// What a decoder must know before the first frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers {
    /// Latest script message (`onMetaData`).
    pub script: Option<Frame>,
    /// Latest audio configuration.
    pub audio: Option<Frame>,
    /// Latest video configuration.
    pub video: Option<Frame>,
}

impl Headers {
    /// The headers in the order in which players expect them: script, audio, video.
    pub fn iter(&self) -> impl Iterator<Item = &Frame> {
        [&self.script, &self.audio, &self.video].into_iter().flatten()
    }

    pub(crate) fn entries(&self, live: bool) -> Vec<Entry> {
        let begin = live.then_some(Entry::Published);
        begin.into_iter().chain(self.iter().cloned().map(Entry::Frame)).collect()
    }

    fn observe(&mut self, frame: &Frame) {
        match (frame.kind, frame.track) {
            (Kind::Script, _) => self.script = Some(frame.clone()),
            (Kind::Config, Track::Audio) => self.audio = Some(frame.clone()),
            (Kind::Config, Track::Video) => self.video = Some(frame.clone()),
            _ => {}
        }
    }
}

/// Which of sound and picture a stream has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tracks {
    /// It has sound.
    pub audio: bool,
    /// It has pictures.
    pub video: bool,
}

impl Tracks {
    /// Both.
    pub const ALL: Tracks = Tracks { audio: true, video: true };

    fn with(self, track: Track) -> Tracks {
        Tracks { audio: self.audio || track == Track::Audio, video: self.video || track == Track::Video }
    }

    fn any(self) -> bool {
        self.audio || self.video
    }
}

/// What is known of a stream at one moment; for statistics.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Publisher in possession.
    pub publisher: Option<Arc<Session>>,
    /// Context id of the latest publisher; stays after it left.
    pub last_publisher: Option<SessionId>,
    /// How long the present publisher has been live.
    pub live_for: Option<Duration>,
    /// Video, once its configuration was seen.
    pub video: Option<VideoInfo>,
    /// Audio, once its configuration was seen.
    pub audio: Option<AudioInfo>,
    /// Video frames since the stream began, configurations not counted.
    pub video_frames: u64,
    /// Audio frames since the stream began, configurations not counted.
    pub audio_frames: u64,
    /// Media bytes received since the stream began.
    pub received: u64,
    /// Media bytes sent to all players since the stream began.
    pub sent: u64,
    /// Times that a player was moved to the newest key frame because it was too slow.
    pub jumps: u64,
    /// Players attached now.
    pub players: usize,
    /// Payload bytes that the frame log keeps.
    pub log_bytes: usize,
    /// How the publisher's times were corrected.
    pub timeline: TimelineReport,
}

/// Everything behind the stream's lock. It is held for copying at most, never for I/O.
#[derive(Debug)]
pub(crate) struct State {
    publisher: Option<Arc<Session>>,
    last_publisher: Option<SessionId>,
    published: Option<Instant>,
    timeline: Timeline,
    /// Beginning of the arrival times given to the timeline.
    began: Instant,
    absolute_times: Option<AbsoluteTimes>,
    interleaver: Option<Interleaver>,
    pub(crate) headers: Headers,
    tracks: TrackWatch,
    pub(crate) frames: FrameLog,
    logs: Vec<ByteLog>,
    /// The bytes of what the publisher sends are made by another stream; see [`crate::audible`].
    pub(crate) yielded: bool,
    video: Option<VideoInfo>,
    audio: Option<AudioInfo>,
    video_frames: u64,
    audio_frames: u64,
    received: u64,
    used: Instant,
}

/// Wakers gathered under the lock and woken after it.
type Wakers = SmallVec<[Waker; 8]>;

/// A reader's place in a byte log, as it was taken.
pub(crate) struct Seat {
    pub(crate) reader: usize,
    pub(crate) at: u64,
    pub(crate) headers: Bytes,
    pub(crate) view: View,
}

impl Stream {
    pub(crate) fn new(name: StreamName, options: Options, events: Arc<Events>) -> Stream {
        let state = State {
            publisher: None,
            last_publisher: None,
            published: None,
            timeline: Timeline::new(options.times),
            began: Instant::now(),
            absolute_times: options.absolute_times,
            interleaver: options.interleave.then(Interleaver::default),
            headers: Headers::default(),
            tracks: TrackWatch::default(),
            frames: FrameLog::new(options.limits()),
            logs: Vec::new(),
            yielded: false,
            video: None,
            audio: None,
            video_frames: 0,
            audio_frames: 0,
            received: 0,
            used: Instant::now(),
        };
        Stream {
            name,
            options,
            events,
            state: Mutex::new(state),
            players: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            jumps: AtomicU64::new(0),
            derivations: Derivations::default(),
            derived_from: None,
        }
    }

    /// Its identity.
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// Who publishes, and the tracks announced.
    pub(crate) fn publishing(&self) -> (Option<Arc<Session>>, Tracks) {
        let state = self.state.lock();
        (state.publisher.clone(), state.tracks.announced)
    }

    /// A derived stream begins as its origin did. The same publisher again changes nothing.
    pub(crate) fn begin(&self, session: &Arc<Session>, announced: Tracks) {
        let mut wakers = Wakers::new();
        let yielded = self.yields(session);
        {
            let mut state = self.state.lock();
            if state.publisher.as_ref().is_some_and(|present| Arc::ptr_eq(present, session)) {
                return;
            }
            if state.is_live() {
                state.finish(&mut wakers);
            }
            state.begin(session, yielded, &mut wakers);
            state.tracks.announced = announced;
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The publisher left, if there was one.
    pub(crate) fn finish(&self) {
        let mut wakers = Wakers::new();
        {
            let mut state = self.state.lock();
            if state.is_live() {
                state.finish(&mut wakers);
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Takes possession of the stream; dropping the [`Publisher`] gives it up.
    pub fn publish(self: &Arc<Self>, session: &Arc<Session>) -> Result<Publisher, Busy> {
        if self.derived_from.is_some() {
            return self.origin().publish(session);
        }
        let mut wakers = Wakers::new();
        let yielded = self.yields(session);
        {
            let mut state = self.state.lock();
            if let Some(other) = &state.publisher {
                return Err(Busy { by: other.id() });
            }
            state.begin(session, yielded, &mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
        self.events.emit(&Event::Published { stream: self.clone(), session: session.clone() });
        Ok(Publisher { stream: self.clone(), session: session.clone() })
    }

    /// Counts `session` among the players until the guard is dropped, and says so to the observers. Players of a
    /// derived stream are its origin's.
    pub fn attach(self: &Arc<Self>, session: &Arc<Session>) -> Attached {
        let origin = self.origin();
        origin.players.fetch_add(1, Ordering::Relaxed);
        origin.events.emit(&Event::PlayStarted { stream: origin.clone(), session: session.clone() });
        Attached { stream: self.clone(), session: session.clone() }
    }

    /// Tells the observers that a file with a recording of `session` is complete: [`Event::Recorded`].
    pub fn recorded(self: &Arc<Self>, session: &Arc<Session>, file: PathBuf, duration: Duration, bytes: u64) {
        let session = session.clone();
        emit(self, |stream| Event::Recorded { stream, session, file, duration, bytes });
    }

    /// Tells the observers that a recording of `session` ended because of its disk: [`Event::RecordingStopped`].
    pub fn recording_stopped(self: &Arc<Self>, session: &Arc<Session>, file: PathBuf, reason: &str) {
        let (session, reason) = (session.clone(), reason.to_owned());
        emit(self, |stream| Event::RecordingStopped { stream, session, file, reason });
    }

    /// Tells the observers that an HLS segment of `session` is complete: [`Event::Segmented`].
    pub fn segmented(self: &Arc<Self>, session: &Arc<Session>, segment: Segmented) {
        let session = session.clone();
        emit(self, |stream| Event::Segmented { stream, session, segment });
    }

    /// Reads frames from the last key frame on.
    pub fn frames(self: &Arc<Self>) -> FrameReader {
        FrameReader::new(self.clone())
    }

    /// Reads ready bytes from the last key frame on, for one consumer that is an ordinary task.
    pub fn bytes(self: &Arc<Self>, format: &Arc<dyn Format>) -> ByteReader {
        ByteReader::new(self.present(), format)
    }

    /// Keeps the byte log of `format` until the guard is dropped, so that it has a past when its first player comes
    /// (see [`Format::backlog`]).
    pub fn keep(self: &Arc<Self>, format: &Arc<dyn Format>) -> Kept {
        self.state.lock().ensure_log(format, &self.options).keepers += 1;
        Kept { stream: self.clone(), key: format.key().clone() }
    }

    /// Which tracks the stream has; waits for a publisher and until that can be told: both were seen, all announced
    /// ones were seen, or a third of a second of media has passed.
    pub fn tracks(&self) -> impl Future<Output = Tracks> + '_ {
        TracksKnown { stream: self, place: None }
    }

    /// Whether somebody publishes now.
    pub fn is_live(&self) -> bool {
        self.state.lock().is_live()
    }

    /// Players attached now.
    pub fn players(&self) -> usize {
        self.players.load(Ordering::Relaxed)
    }

    /// Decoding time of the newest frame that is kept.
    pub fn newest(&self) -> Option<Time> {
        self.state.lock().frames.newest()
    }

    /// What is known of it now.
    pub fn snapshot(&self) -> Snapshot {
        let state = self.state.lock();
        Snapshot {
            publisher: state.publisher.clone(),
            last_publisher: state.last_publisher,
            live_for: state.publisher.as_ref().and(state.published).map(|t| t.elapsed()),
            video: state.video.clone(),
            audio: state.audio.clone(),
            video_frames: state.video_frames,
            audio_frames: state.audio_frames,
            received: state.received,
            sent: self.sent.load(Ordering::Relaxed),
            jumps: self.jumps.load(Ordering::Relaxed),
            players: self.players(),
            log_bytes: state.frames.bytes(),
            timeline: state.timeline_report(),
        }
    }

    /// Adds to the bytes sent to players.
    pub fn count_sent(&self, n: u64) {
        let counted = self.derived_from.as_ref().map_or(self, |origin| origin.stream().as_ref());
        counted.sent.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn jumped(self: &Arc<Self>, skipped: u64) {
        self.origin().jumps.fetch_add(1, Ordering::Relaxed);
        emit(self, |stream| Event::Jumped { stream, skipped });
    }

    /// How long nobody has published, played or read; `None` while somebody does.
    pub(crate) fn idle(&self) -> Option<Duration> {
        let state = self.state.lock();
        let busy =
            state.is_live() || self.players() > 0 || !state.logs.is_empty() || state.frames.has_readers();
        (!busy).then(|| state.used.elapsed())
    }

    /// Takes a reader's place in the byte log of `format`; the format's first reader makes the log.
    pub(crate) fn take_seat(&self, format: &Arc<dyn Format>) -> Seat {
        let mut state = self.state.lock();
        let headers = state.headers.clone();
        let log = state.ensure_log(format, &self.options);
        let (at, headers) = log.start(&headers);
        let reader = log.add_reader(at);
        let mut view = View::new(at);
        view.sync(log, reader, at, None);
        Seat { reader, at, headers, view }
    }

    pub(crate) fn leave_seat(&self, format: &FormatKey, reader: usize) {
        let mut state = self.state.lock();
        if let Some((log, _)) = state.log(format) {
            log.remove_reader(reader);
        }
        state.logs.retain(|log| !log.is_unused());
        state.touch();
    }

    pub(crate) fn push(&self, frame: Frame) -> Time {
        let mut wakers = Wakers::new();
        let pts = self.state.lock().push(frame, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        pts
    }
}

impl State {
    pub(crate) fn is_live(&self) -> bool {
        self.publisher.is_some()
    }

    /// Remembers that the stream was in use just now.
    pub(crate) fn touch(&mut self) {
        self.used = Instant::now();
    }

    /// Where a frame reader starts, and the headers in force there.
    pub(crate) fn frame_start(&self) -> (u64, Headers) {
        match self.frames.key_frame() {
            Some((at, headers)) => (at, headers.clone()),
            None => (self.frames.head(), self.headers.clone()),
        }
    }

    /// The byte log of a format, with the headers in force at its head.
    pub(crate) fn log(&mut self, format: &FormatKey) -> Option<(&mut ByteLog, &Headers)> {
        let State { headers, logs, .. } = self;
        logs.iter_mut().find(|l| l.key() == format).map(|l| (l, &*headers))
    }

    fn ensure_log(&mut self, format: &Arc<dyn Format>, options: &Options) -> &mut ByteLog {
        if let Some(i) = self.logs.iter().position(|l| l.key() == format.key()) {
            return &mut self.logs[i]; // its position was found in the line above
        }
        let mut log = ByteLog::new(format.clone(), options.limits());
        if let Some((headers, frames)) = self.frames.backlog().filter(|_| !self.yielded) {
            let mut headers = headers.clone();
            for frame in frames {
                headers.observe(frame);
                log.push(frame, &headers);
            }
        }
        self.logs.push(log);
        let last = self.logs.len() - 1;
        &mut self.logs[last] // pushed in the line above
    }

    fn begin(&mut self, session: &Arc<Session>, yielded: bool, wakers: &mut Wakers) {
        self.publisher = Some(session.clone());
        self.last_publisher = Some(session.id());
        self.published = Some(Instant::now());
        self.yielded = yielded;
        self.timeline.begin();
        self.headers = Headers::default();
        self.tracks.reset();
        self.video = None;
        self.audio = None;
        self.frames.push(Entry::Published, &self.headers);
        self.take_wakers(wakers);
    }

    fn finish(&mut self, wakers: &mut Wakers) {
        while let Some(frame) = self.interleaver.as_mut().and_then(Interleaver::pop_any) {
            self.append(frame, wakers);
        }
        self.publisher = None;
        self.yielded = false;
        self.touch();
        self.frames.push(Entry::Unpublished, &self.headers);
        self.logs.iter_mut().for_each(ByteLog::end);
        self.tracks.settled = false;
        self.take_wakers(wakers);
    }

    fn push(&mut self, mut frame: Frame, wakers: &mut Wakers) -> Time {
        if frame.kind == Kind::Script && self.absolute_times.is_some_and(|says| says(&frame)) {
            self.timeline.keep_absolute();
        }
        self.timeline.place(&mut frame, self.began.elapsed().into());
        let pts = frame.pts;
        match &mut self.interleaver {
            Some(interleaver) if frame.track != Track::Script => interleaver.push(frame),
            _ => self.append(frame, wakers),
        }
        while let Some(frame) = self.interleaver.as_mut().and_then(Interleaver::pop) {
            self.append(frame, wakers);
        }
        self.take_wakers(wakers);
        pts
    }

    /// Keeps a frame that stands at its place, and muxes it for those who watch.
    fn append(&mut self, frame: Frame, wakers: &mut Wakers) {
        self.headers.observe(&frame);
        self.count(&frame);
        for log in self.logs.iter_mut().filter(|_| !self.yielded) {
            log.push(&frame, &self.headers);
        }
        self.tracks.observe(&frame, wakers);
        self.frames.push(Entry::Frame(frame), &self.headers);
    }

    fn timeline_report(&self) -> TimelineReport {
        let reordered = self.interleaver.as_ref().map_or(0, Interleaver::reordered);
        TimelineReport { reordered, ..self.timeline.report() }
    }

    fn take_wakers(&mut self, wakers: &mut Wakers) {
        self.frames.take_wakers(wakers);
        self.logs.iter_mut().for_each(|log| log.take_wakers(wakers));
    }

    fn count(&mut self, frame: &Frame) {
        self.received += frame.payload.len() as u64;
        let media = matches!(frame.kind, Kind::Key | Kind::Inter);
        match frame.track {
            Track::Video => {
                self.video_frames += u64::from(media);
                if matches!(frame.kind, Kind::Config | Kind::Key) {
                    self.video = codec::describe_video(frame).or_else(|| self.video.take());
                }
            }
            Track::Audio => {
                self.audio_frames += u64::from(media);
                if frame.kind == Kind::Config || self.audio.is_none() {
                    self.audio = codec::describe_audio(frame).or_else(|| self.audio.take());
                }
            }
            Track::Script => {}
        }
    }
}

/// Finds out which tracks a publisher sends.
#[derive(Debug, Default)]
struct TrackWatch {
    announced: Tracks,
    seen: Tracks,
    since: Option<Time>,
    settled: bool,
    /// One waker for each player that waits for the stream to begin; it goes with the player.
    waiting: Slab<Waker>,
    /// Counts how often all that waited were woken; places of earlier rounds are void.
    round: u64,
}

impl TrackWatch {
    fn reset(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        *self = TrackWatch { waiting, round: self.round, ..TrackWatch::default() };
    }

    fn observe(&mut self, frame: &Frame, wakers: &mut Wakers) {
        if self.settled || frame.track == Track::Script {
            return;
        }
        self.seen = self.seen.with(frame.track);
        // Encoders stamp configurations with anything, so they tell no time.
        let media = frame.kind != Kind::Config;
        let passed = if media { frame.dts - *self.since.get_or_insert(frame.dts) } else { Time::ZERO };
        let all = self.seen == Tracks::ALL || self.seen == self.announced;
        if self.seen.any() && (all || passed >= SETTLE) {
            self.settled = true;
            wakers.extend(self.waiting.drain());
            self.round += 1;
        }
    }
}

/// Ready when it is known which tracks a stream has.
struct TracksKnown<'a> {
    stream: &'a Stream,
    /// Round and key of its waker.
    place: Option<(u64, usize)>,
}

impl Future for TracksKnown<'_> {
    type Output = Tracks;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Tracks> {
        let mut state = self.stream.state.lock();
        let watch = &mut state.tracks;
        if watch.settled {
            return Poll::Ready(watch.seen);
        }
        let place = self.place.filter(|(round, _)| *round == watch.round);
        match place.and_then(|(_, key)| watch.waiting.get_mut(key)) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => {
                let place = (watch.round, watch.waiting.insert(cx.waker().clone()));
                drop(state);
                self.place = Some(place);
            }
        }
        Poll::Pending
    }
}

impl Drop for TracksKnown<'_> {
    fn drop(&mut self) {
        let Some((round, key)) = self.place else { return };
        let watch = &mut self.stream.state.lock().tracks;
        if watch.round == round {
            watch.waiting.try_remove(key);
        }
    }
}

/// The right to append to a stream. Dropping it ends the publishing.
#[derive(Debug)]
pub struct Publisher {
    stream: Arc<Stream>,
    session: Arc<Session>,
}

impl Publisher {
    /// The stream.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// The session that publishes.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Tells which tracks the publisher said it would send, so that players need not wait for others.
    pub fn announce(&self, tracks: Tracks) {
        self.stream.state.lock().tracks.announced = tracks;
    }

    /// Appends a frame, on the publisher's own clock, and wakes the readers.
    pub fn push(&self, frame: Frame) {
        self.push_at(frame);
    }

    /// The same; the frame's presentation time on the stream's timeline.
    pub fn push_at(&self, frame: Frame) -> Time {
        self.stream.push(frame)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let mut wakers = Wakers::new();
        self.stream.state.lock().finish(&mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        let (stream, session) = (self.stream.clone(), self.session.clone());
        self.stream.events.emit(&Event::Unpublished { stream, session });
    }
}

/// Keeps a byte log that nobody may be reading; see [`Stream::keep`].
#[derive(Debug)]
pub struct Kept {
    stream: Arc<Stream>,
    key: FormatKey,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut state = self.stream.state.lock();
        if let Some((log, _)) = state.log(&self.key) {
            log.keepers -= 1;
        }
        state.logs.retain(|log| !log.is_unused());
        state.touch();
    }
}

/// A player counted as attached to its stream; dropping it detaches it.
#[derive(Debug)]
pub struct Attached {
    stream: Arc<Stream>,
    session: Arc<Session>,
}

impl Attached {
    /// The stream it was attached to; a derived one is not its origin, where the player counts.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// The player's session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let stream = self.stream.origin();
        stream.players.fetch_sub(1, Ordering::Relaxed);
        stream.state.lock().touch();
        stream.events.emit(&Event::PlayStopped { stream: stream.clone(), session: self.session.clone() });
    }
}
