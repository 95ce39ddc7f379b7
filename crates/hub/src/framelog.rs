use crate::stream::{Headers, Stream};
use headwater_media::{Frame, Kind, Time};
use slab::Slab;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Most payload bytes a log keeps, whatever its readers wish: 64 MiB.
pub(crate) const LOG_BYTES_MAX: usize = 64 << 20;

/// Most entries a reader gets at once, so that a long backlog does not starve its neighbours.
const BATCH_MAX: usize = 256;

/// One entry of a stream's frame log.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A publisher arrived; its frames follow.
    Published,
    /// A frame, on the stream's timeline.
    Frame(Frame),
    /// The publisher left.
    Unpublished,
}

/// What a [`FrameReader`] got.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// The next entries, at least one.
    Entries(Vec<Entry>),
    /// The reader was too slow: entries were lost. The next read starts with the headers and a key frame, or at the
    /// live edge when no key frame is kept.
    Jumped {
        /// Entries it never saw.
        skipped: u64,
    },
}

/// Where newcomers start, and what they need to know first.
#[derive(Clone, Debug)]
struct Gop {
    at: u64,
    headers: Headers,
}

#[derive(Debug)]
struct Reader {
    at: u64,
    waker: Option<Waker>,
}

/// Frames from the last key frame on, and further back only for readers that are behind.
#[derive(Debug)]
pub(crate) struct FrameLog {
    entries: VecDeque<Entry>,
    first: u64,
    bytes: usize,
    gop: Option<Gop>,
    readers: Slab<Reader>,
    limits: Limits,
}

/// How much a log keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Whether newcomers start at the last key frame; otherwise at the live edge.
    pub(crate) gop_cache: bool,
    /// Frames after which a group of pictures without end is no longer kept for newcomers; 0 is no limit.
    pub(crate) gop_frames_max: u64,
    /// How far behind, in stream time, a reader may fall before it jumps.
    pub(crate) queue: Time,
}

impl FrameLog {
    pub(crate) fn new(limits: Limits) -> FrameLog {
        FrameLog { entries: VecDeque::new(), first: 0, bytes: 0, gop: None, readers: Slab::new(), limits }
    }

    pub(crate) fn head(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(crate) fn has_readers(&self) -> bool {
        !self.readers.is_empty()
    }

    /// Decoding time of the newest frame.
    pub(crate) fn newest(&self) -> Option<Time> {
        time_of(self.entries.iter().rev())
    }

    /// Payload bytes kept.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends an entry; `headers` are those in force after it.
    pub(crate) fn push(&mut self, entry: Entry, headers: &Headers) {
        match &entry {
            Entry::Frame(f) => {
                if f.is_video_key() && self.limits.gop_cache {
                    self.gop = Some(Gop { at: self.head(), headers: headers.clone() });
                }
                self.bytes += f.payload.len();
            }
            Entry::Published | Entry::Unpublished => self.gop = None,
        }
        self.entries.push_back(entry);
        let too_long =
            |g: &Gop| self.limits.gop_frames_max > 0 && self.head() - g.at > self.limits.gop_frames_max;
        if self.gop.as_ref().is_some_and(too_long) {
            self.gop = None;
        }
        self.trim();
    }

    pub(crate) fn take_wakers(&mut self, out: &mut impl Extend<Waker>) {
        out.extend(self.readers.iter_mut().filter_map(|(_, r)| r.waker.take()));
    }

    /// Headers and frames that a newcomer starts with.
    pub(crate) fn backlog(&self) -> Option<(&Headers, impl Iterator<Item = &Frame>)> {
        let gop = self.gop.as_ref()?;
        let frames = self.entries.range((gop.at - self.first) as usize..);
        Some((&gop.headers, frames.filter_map(|e| if let Entry::Frame(f) = e { Some(f) } else { None })))
    }

    /// The last key frame that is kept, and the headers in force there.
    pub(crate) fn key_frame(&self) -> Option<(u64, &Headers)> {
        self.gop.as_ref().map(|g| (g.at, &g.headers))
    }

    fn add_reader(&mut self, at: u64) -> usize {
        self.readers.insert(Reader { at, waker: None })
    }

    fn trim(&mut self) {
        let live = self.gop.as_ref().map_or(self.head(), |g| g.at);
        let slowest = self.readers.iter().map(|(_, r)| r.at).min().unwrap_or(live);
        let newest = time_of(self.entries.iter().rev()).unwrap_or(Time::ZERO);
        while !self.entries.is_empty() {
            let unwanted = self.first < live.min(slowest);
            let oldest = time_of(self.entries.iter()).unwrap_or(newest);
            let too_old = self.first < live && newest - oldest > self.limits.queue;
            if !unwanted && !too_old && self.bytes <= LOG_BYTES_MAX {
                break;
            }
            if let Some(Entry::Frame(f)) = self.entries.pop_front() {
                self.bytes -= f.payload.len();
            }
            self.first += 1;
        }
        if self.gop.as_ref().is_some_and(|g| g.at < self.first) {
            self.gop = None;
        }
    }
}

/// The time of the first frame of media among the next few entries, else of any frame: publishers send metadata and
/// configurations at time zero, whatever the time of the media that follow.
fn time_of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Option<Time> {
    const LOOK_AHEAD: usize = 8;
    let mut any = None;
    for entry in entries.take(LOOK_AHEAD) {
        let Entry::Frame(frame) = entry else { continue };
        if matches!(frame.kind, Kind::Key | Kind::Inter) {
            return Some(frame.dts);
        }
        any = any.or(Some(frame.dts));
    }
    any
}

/// Reads a stream's frames in order, from the last key frame on.
///
/// The first frames are the headers in force (script, audio and video configuration). A reader that falls behind
/// further than the stream's queue length jumps; see [`Read::Jumped`]. Dropping it ends the reading.
#[derive(Debug)]
pub struct FrameReader {
    stream: Arc<Stream>,
    key: usize,
    pending: Vec<Entry>,
}

impl FrameReader {
    pub(crate) fn new(stream: Arc<Stream>) -> FrameReader {
        let (key, pending) = {
            let mut state = stream.state.lock();
            let (at, headers) = state.frame_start();
            (state.frames.add_reader(at), headers.entries(state.is_live()))
        };
        FrameReader { stream, key, pending }
    }

    /// The stream it reads.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// The next entries; waits until there are some. Safe to cancel: nothing is lost.
    pub async fn next(&mut self) -> Read {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next entries, or registers the task to be woken.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        if !self.pending.is_empty() {
            return Poll::Ready(Read::Entries(std::mem::take(&mut self.pending)));
        }
        let mut state = self.stream.state.lock();
        let first = state.frames.first;
        let at = state.frames.readers[self.key].at; // a reader's slot lives as long as the reader
        if at < first {
            let (start, headers) = state.frame_start();
            self.pending = headers.entries(state.is_live());
            state.frames.readers[self.key].at = start;
            return Poll::Ready(Read::Jumped { skipped: start - at });
        }
        let log = &mut state.frames;
        if at == log.head() {
            log.readers[self.key].waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let batch: Vec<Entry> = log.entries.range((at - first) as usize..).take(BATCH_MAX).cloned().collect();
        log.readers[self.key].at += batch.len() as u64;
        log.trim();
        Poll::Ready(Read::Entries(batch))
    }
}

impl Drop for FrameReader {
    fn drop(&mut self) {
        let mut state = self.stream.state.lock();
        state.frames.readers.remove(self.key);
        state.frames.trim();
        state.touch();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use headwater_media::{Codec, CodecTag, Track};

    fn video(kind: Kind, dts: Time) -> Entry {
        let (track, codec, tag) = (Track::Video, Codec::H264, CodecTag::Legacy);
        let payload = Bytes::from_static(b"x");
        Entry::Frame(Frame { track, codec, tag, kind, dts, pts: dts, payload })
    }

    fn read_so_far(entries: impl IntoIterator<Item = Entry>) -> FrameLog {
        let queue = Time::from_millis(30_000);
        let mut log = FrameLog::new(Limits { gop_cache: true, gop_frames_max: 0, queue });
        log.add_reader(0);
        entries.into_iter().for_each(|entry| log.push(entry, &Headers::default()));
        log
    }

    #[test]
    fn a_configuration_at_zero_before_media_of_the_next_day_waits_for_its_reader() {
        let day = Time::from_millis(86_400_000);
        let log = read_so_far([video(Kind::Config, Time::ZERO), video(Kind::Key, day)]);
        assert_eq!(log.first, 0);
    }

    #[test]
    fn media_that_is_too_old_does_not_wait() {
        let key = |seconds: i64| video(Kind::Key, Time::from_millis(seconds * 1000));
        assert_eq!(read_so_far([key(0), key(30)]).first, 0);
        assert_eq!(read_so_far([key(0), key(31)]).first, 1);
    }

    #[test]
    fn scripts_alone_grow_old_too() {
        let script = |seconds: i64| video(Kind::Script, Time::from_millis(seconds * 1000));
        assert_eq!(read_so_far((0..100).map(script)).first, 69);
    }
}
