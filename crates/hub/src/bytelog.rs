use crate::framelog::{LOG_BYTES_MAX, Limits};
use crate::stream::{Headers, Stream};
use bytes::{Buf, Bytes, BytesMut};
use headwater_media::{Frame, Time};
use slab::Slab;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Bytes muxed into one allocation before the next begins: few enough to free soon, many enough to be cheap.
const BLOCK: usize = 64 << 10;

/// Most buffers handed to one vectored write.
pub(crate) const SLICES_MAX: usize = 64;

/// Most pieces that may wait in front of a cursor's log position (headers, replies); beyond it the peer reads nothing.
const LEAD_MAX: usize = 16;

/// Tells formats apart: players whose formats have equal keys share one byte log.
pub type FormatKey = Arc<str>;

/// A way to put frames on a wire that many players share.
pub trait Format: Send + Sync + 'static {
    /// The identity of the format and all its options.
    fn key(&self) -> &FormatKey;

    /// A fresh muxer for one stream.
    fn mux(&self) -> Box<dyn Mux>;

    /// What ends the bytes when the publisher leaves; `None` when players stay and wait for the next publisher.
    fn trailer(&self) -> Option<Bytes>;

    /// How much of the past newcomers get at least, where the format lets them begin at any frame: none by default,
    /// so that they begin at the last key frame or, without pictures, at the live edge.
    fn backlog(&self) -> Time {
        Time::ZERO
    }
}

/// Turns frames into ready bytes.
pub trait Mux: Send {
    /// Appends one frame, whole, or nothing if the format does not carry it.
    fn frame(&mut self, frame: &Frame, out: &mut BytesMut);

    /// Appends what a newcomer must know before a frame at `at`: metadata and decoder configurations.
    fn headers(&mut self, headers: &Headers, at: Time, out: &mut BytesMut);
}

/// How finely a format with a backlog can be entered.
const BACKLOG_STEP: Time = Time::from_millis(250);

/// A run of whole frames in one piece of memory.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    start: u64,
    bytes: Bytes,
    /// Ends of its frames, as offsets into `bytes`, ascending.
    ends: Arc<[u32]>,
    newest: Time,
}

impl Chunk {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// The rest of the frame that holds `at`; `None` when `at` is between two frames.
    fn rest_of_frame(&self, at: u64) -> Option<Bytes> {
        let at = (at - self.start) as usize;
        let next = self.ends.partition_point(|&end| (end as usize) < at);
        let end = *self.ends.get(next)? as usize;
        (at > 0 && at < end).then(|| self.bytes.slice(at..end))
    }
}

#[derive(Clone, Debug)]
struct Join {
    at: u64,
    headers: Bytes,
}

struct Reader {
    at: u64,
    waker: Option<Waker>,
}

/// One format's ready bytes of one stream; positions are byte offsets since the log began.
pub(crate) struct ByteLog {
    format: Arc<dyn Format>,
    mux: Box<dyn Mux>,
    chunks: VecDeque<Chunk>,
    tail: BytesMut,
    tail_start: u64,
    tail_ends: Vec<u32>,
    newest: Time,
    join: Option<Join>,
    frames_since_join: u64,
    ended_at: Option<u64>,
    readers: Slab<Reader>,
    /// Those who want it kept without reading it.
    pub(crate) keepers: usize,
    limits: Limits,
}

impl fmt::Debug for ByteLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteLog").field("format", &self.format.key()).field("head", &self.head()).finish()
    }
}

impl ByteLog {
    pub(crate) fn new(format: Arc<dyn Format>, limits: Limits) -> ByteLog {
        ByteLog {
            mux: format.mux(),
            format,
            chunks: VecDeque::new(),
            tail: BytesMut::new(),
            tail_start: 0,
            tail_ends: Vec::new(),
            newest: Time::ZERO,
            join: None,
            frames_since_join: 0,
            ended_at: None,
            readers: Slab::new(),
            keepers: 0,
            limits,
        }
    }

    pub(crate) fn key(&self) -> &FormatKey {
        self.format.key()
    }

    pub(crate) fn is_unused(&self) -> bool {
        self.readers.is_empty() && self.keepers == 0
    }

    pub(crate) fn add_reader(&mut self, at: u64) -> usize {
        self.readers.insert(Reader { at, waker: None })
    }

    pub(crate) fn remove_reader(&mut self, key: usize) {
        self.readers.remove(key);
        self.trim();
    }

    pub(crate) fn take_wakers(&mut self, out: &mut impl Extend<Waker>) {
        out.extend(self.readers.iter_mut().filter_map(|(_, r)| r.waker.take()));
    }

    fn head(&self) -> u64 {
        self.tail_start + self.tail.len() as u64
    }

    fn first(&self) -> u64 {
        self.chunks.front().map_or(self.tail_start, |c| c.start)
    }

    /// Appends a frame; `headers` are those in force after it.
    pub(crate) fn push(&mut self, frame: &Frame, headers: &Headers) {
        if frame.is_video_key() && self.limits.gop_cache {
            self.freeze();
            let headers = self.muxed_headers(headers, frame.dts);
            self.join = Some(Join { at: self.head(), headers });
            self.frames_since_join = 0;
        }
        self.reserve(frame.payload.len() + frame.payload.len() / 64 + 64);
        let before = self.tail.len();
        self.mux.frame(frame, &mut self.tail);
        if self.tail.len() > before {
            self.tail_ends.push(self.tail.len() as u32); // the tail is frozen long before 4 GiB
        }
        self.newest = self.newest.max(frame.dts);
        let step = self.newest - self.chunks.back().map_or(Time::ZERO, |chunk| chunk.newest);
        if self.format.backlog() > Time::ZERO && step >= BACKLOG_STEP {
            self.freeze();
        }
        self.frames_since_join += 1;
        if self.limits.gop_frames_max > 0 && self.frames_since_join > self.limits.gop_frames_max {
            self.join = None;
        }
        self.trim();
    }

    /// The publisher left: what follows belongs to the next one.
    pub(crate) fn end(&mut self) {
        self.freeze();
        self.join = None;
        self.ended_at = Some(self.head());
        self.trim();
    }

    fn muxed_headers(&mut self, headers: &Headers, at: Time) -> Bytes {
        let mut out = BytesMut::new();
        self.mux.headers(headers, at, &mut out);
        out.freeze()
    }

    /// Makes room for `n` bytes without ever moving bytes that are already muxed.
    fn reserve(&mut self, n: usize) {
        if self.tail.capacity() - self.tail.len() < n {
            self.freeze();
            self.tail.reserve(n.max(BLOCK));
        }
    }

    /// Turns the tail into a chunk that readers can share.
    fn freeze(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let bytes = self.tail.split().freeze();
        let start = self.tail_start;
        self.tail_start += bytes.len() as u64;
        let ends = Arc::from(self.tail_ends.as_slice());
        self.tail_ends.clear();
        self.chunks.push_back(Chunk { start, bytes, ends, newest: self.newest });
    }

    /// Where the backlog of the format begins.
    fn backlog_start(&self) -> Option<u64> {
        let backlog = self.format.backlog();
        let ended = self.ended_at.unwrap_or(0);
        let within = |chunk: &&Chunk| self.newest - chunk.newest < backlog && chunk.start >= ended;
        self.chunks.iter().find(within).map(|chunk| chunk.start)
    }

    fn trim(&mut self) {
        let live = self.join.as_ref().map_or(self.head(), |j| j.at);
        let live = self.backlog_start().map_or(live, |start| start.min(live));
        let slowest = self.readers.iter().map(|(_, r)| r.at).min().unwrap_or(live);
        while let Some(front) = self.chunks.front() {
            let unwanted = front.end() <= live.min(slowest);
            let too_old = front.end() <= live && self.newest - front.newest > self.limits.queue;
            let too_much = (self.head() - front.start) as usize > LOG_BYTES_MAX;
            if !unwanted && !too_old && !too_much {
                break;
            }
            self.chunks.pop_front();
        }
        if self.join.as_ref().is_some_and(|j| j.at < self.first()) {
            self.join = None;
        }
    }

    /// Where a newcomer starts, and the bytes it needs first.
    pub(crate) fn start(&mut self, headers: &Headers) -> (u64, Bytes) {
        let backlog = self.backlog_start();
        if let Some(join) = self.join.as_ref().filter(|join| backlog.is_none_or(|start| join.at <= start)) {
            return (join.at, join.headers.clone());
        }
        self.freeze();
        if let Some(start) = backlog {
            return (start, self.muxed_headers(headers, self.newest));
        }
        (self.head(), self.muxed_headers(headers, self.newest))
    }
}

/// A reader's own picture of a log: the chunks its cursors may still need. Reading it takes no lock.
#[derive(Debug)]
pub(crate) struct View {
    chunks: VecDeque<Chunk>,
    pub(crate) head: u64,
    /// Oldest position the log still has.
    pub(crate) first: u64,
    pub(crate) ended_at: Option<u64>,
}

impl View {
    pub(crate) fn new(at: u64) -> View {
        View { chunks: VecDeque::new(), head: at, first: at, ended_at: None }
    }

    /// Fetches what is new; says whether there was anything. `at` is the oldest position the reader still needs.
    pub(crate) fn sync(&mut self, log: &mut ByteLog, reader: usize, at: u64, waker: Option<&Waker>) -> bool {
        log.freeze();
        let grown = log.head() > self.head;
        let ended = log.ended_at != self.ended_at;
        let fresh = log.chunks.partition_point(|c| c.end() <= self.head);
        self.chunks.extend(log.chunks.range(fresh..).cloned());
        self.head = log.head();
        self.ended_at = log.ended_at;
        let slot = &mut log.readers[reader]; // a reader's slot lives as long as the reader
        slot.at = at;
        // New bytes mean that the reader comes back by itself; an end alone may mean nothing to it.
        if grown {
            slot.waker = None;
        } else if waker.is_some() {
            slot.waker = waker.cloned();
        }
        log.trim();
        self.first = log.first();
        grown || ended
    }

    /// Starts earlier than so far: a newcomer's position. The chunks in between come from the log.
    pub(crate) fn cover(&mut self, log: &mut ByteLog, from: u64) {
        log.freeze();
        let have = self.chunks.front().map_or(self.head, |c| c.start);
        let missing = log.chunks.iter().filter(|c| c.end() > from && c.end() <= have).cloned();
        for (i, chunk) in missing.enumerate() {
            self.chunks.insert(i, chunk);
        }
    }

    /// Drops chunks that lie wholly before `at`.
    pub(crate) fn forget(&mut self, at: u64) {
        while self.chunks.front().is_some_and(|c| c.end() <= at) {
            self.chunks.pop_front();
        }
    }

    /// The bytes from `at` to `until`, until `out` has [`SLICES_MAX`] pieces; returns the length of those added.
    pub(crate) fn slices<'a>(
        &'a self,
        mut at: u64,
        until: u64,
        out: &mut SmallVec<[IoSlice<'a>; 8]>,
    ) -> usize {
        let mut len = 0;
        for chunk in self.chunks.range(self.index(at).min(self.chunks.len())..) {
            if at >= until || out.len() >= SLICES_MAX || at < chunk.start {
                break;
            }
            let to = (until.min(chunk.end()) - chunk.start) as usize;
            let piece = &chunk.bytes[(at - chunk.start) as usize..to]; // at lies in the chunk, `to` at most at its end
            len += piece.len();
            out.push(IoSlice::new(piece));
            at = chunk.end();
        }
        len
    }

    fn index(&self, at: u64) -> usize {
        self.chunks.partition_point(|c| c.end() <= at)
    }

    fn rest_of_frame(&self, at: u64) -> Option<Bytes> {
        self.chunks.get(self.index(at)).filter(|c| c.start <= at)?.rest_of_frame(at)
    }
}

/// A player's place: a position in the log, and pieces that come before it.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    pub(crate) at: u64,
    lead: VecDeque<Bytes>,
}

impl Cursor {
    pub(crate) fn new(at: u64) -> Cursor {
        Cursor { at, lead: VecDeque::new() }
    }

    /// Puts `bytes` before the next whole frame; false when too much waits already.
    pub(crate) fn lead(&mut self, view: &View, bytes: Bytes) -> bool {
        if bytes.is_empty() {
            return true;
        }
        if self.lead.len() >= LEAD_MAX {
            return false;
        }
        self.finish_frame(view);
        self.lead.push_back(bytes);
        true
    }

    /// Moves to `at`, after finishing the frame that was begun; false when too much waits already.
    pub(crate) fn jump(&mut self, view: &View, at: u64, headers: Bytes) -> bool {
        self.finish_frame(view);
        let fits = self.lead(view, headers);
        self.at = at;
        fits
    }

    /// Puts the rest of the frame that was begun in front, so that the position lies between two frames.
    pub(crate) fn finish_frame(&mut self, view: &View) {
        if let Some(rest) = self.lead.is_empty().then(|| view.rest_of_frame(self.at)).flatten() {
            self.at += rest.len() as u64;
            self.lead.push_back(rest);
        }
    }

    /// The bytes to send next, at most [`SLICES_MAX`] pieces, up to log position `until`; returns their length.
    pub(crate) fn slices<'a>(
        &'a self,
        view: &'a View,
        until: u64,
        out: &mut SmallVec<[IoSlice<'a>; 8]>,
    ) -> usize {
        let mut len = 0;
        for piece in self.lead.iter().take(SLICES_MAX) {
            len += piece.len();
            out.push(IoSlice::new(piece));
        }
        len + view.slices(self.at, until, out)
    }

    pub(crate) fn has_lead(&self) -> bool {
        !self.lead.is_empty()
    }

    /// `n` bytes were taken.
    pub(crate) fn advance(&mut self, mut n: usize) {
        while let Some(piece) = self.lead.front_mut() {
            if n < piece.len() {
                piece.advance(n);
                return;
            }
            n -= piece.len();
            self.lead.pop_front();
        }
        self.at += n as u64;
        if self.lead.capacity() > 0 && self.lead.is_empty() {
            self.lead = VecDeque::new(); // an idle cursor owns no memory
        }
    }

    fn next_piece(&self, view: &View, until: u64) -> Option<Bytes> {
        if let Some(piece) = self.lead.front() {
            return Some(piece.clone());
        }
        let chunk = view.chunks.get(view.index(self.at)).filter(|c| c.start <= self.at && self.at < until)?;
        let to = (until.min(chunk.end()) - chunk.start) as usize;
        Some(chunk.bytes.slice((self.at - chunk.start) as usize..to))
    }
}

/// Reads a stream's ready bytes for one consumer: headers first, then from the last key frame on.
///
/// It ends when the publisher leaves, if the format has a trailer (the trailer comes last); otherwise it waits for the
/// next publisher. Too slow a consumer jumps to the newest key frame, between two frames.
pub struct ByteReader {
    stream: Arc<Stream>,
    format: Arc<dyn Format>,
    trailer: Option<Bytes>,
    reader: usize,
    view: View,
    cursor: Cursor,
    stop_at: Option<u64>,
    /// The bytes go on in another stream.
    yielded: bool,
}

impl fmt::Debug for ByteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteReader")
            .field("stream", &self.stream)
            .field("format", &self.format.key())
            .finish()
    }
}

impl ByteReader {
    pub(crate) fn new(stream: Arc<Stream>, format: &Arc<dyn Format>) -> ByteReader {
        let seat = stream.take_seat(format);
        let mut reader = ByteReader {
            stream,
            format: format.clone(),
            trailer: format.trailer(),
            reader: seat.reader,
            view: seat.view,
            cursor: Cursor::new(seat.at),
            stop_at: None,
            yielded: false,
        };
        reader.cursor.lead(&reader.view, seat.headers);
        reader
    }

    /// The next bytes, never empty; `None` after the end. Safe to cancel: nothing is lost.
    pub async fn next(&mut self) -> Option<Bytes> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next bytes, or registers the task to be woken.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            let until = self.stop_at.unwrap_or(self.view.head);
            if let Some(piece) = self.cursor.next_piece(&self.view, until) {
                self.cursor.advance(piece.len());
                self.view.forget(self.cursor.at);
                return Poll::Ready(Some(piece));
            }
            if self.stop_at.is_some() {
                return Poll::Ready(self.trailer.take().filter(|t| !t.is_empty()));
            }
            if self.sync(cx) {
                continue;
            }
            match self.yielded.then(|| self.stream.moved()).flatten() {
                Some(stream) => *self = ByteReader::new(stream, &self.format),
                None => return Poll::Pending,
            }
        }
    }

    fn sync(&mut self, cx: &mut Context<'_>) -> bool {
        let ended_before = self.view.ended_at;
        let mut state = self.stream.state.lock();
        self.yielded = state.yielded;
        let Some((log, headers)) = state.log(self.format.key()) else { return false };
        let mut news = self.view.sync(log, self.reader, self.cursor.at, Some(cx.waker()));
        if self.cursor.at < self.view.first {
            let (at, headers) = log.start(headers);
            let skipped = at - self.cursor.at;
            self.cursor.jump(&self.view, at, headers);
            drop(state);
            self.stream.jumped(skipped);
            news = true;
        }
        if self.trailer.is_some() && self.view.ended_at != ended_before {
            self.stop_at = self.view.ended_at;
        }
        news
    }
}

impl Drop for ByteReader {
    fn drop(&mut self) {
        self.stream.leave_seat(self.format.key(), self.reader);
    }
}
