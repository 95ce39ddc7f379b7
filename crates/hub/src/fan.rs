use crate::bytelog::{Cursor, Format, FormatKey, View};
use crate::session::Session;
use crate::stream::Stream;
use bytes::Bytes;
use nix::sys::socket::{MsgFlags, send};
use nix::time::{ClockId, clock_gettime};
use slab::Slab;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;

use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::task::{spawn_local, yield_now};

/// Players served in one go before other tasks of the worker get a turn.
const SLICE: usize = 256;

/// A walk is followed by a rest of this many times the processor time it took, so that load makes batches by itself and
/// walking never takes more than a quarter of a worker.
const REST: u32 = 3;

/// Longest rest between walks that load alone can cause.
const REST_MAX: Duration = Duration::from_millis(350);

/// Shorter rests are not worth a timer.
const REST_MIN: Duration = Duration::from_millis(1);

/// A peer that takes no byte for this long is gone.
const STALL_MAX: Duration = Duration::from_secs(30);

/// How a player ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The publisher left and everything was sent, the format's trailer included.
    Finished,
    /// The peer closed or the socket failed.
    Closed(io::ErrorKind),
    /// The peer took nothing for 30 seconds, or let too many replies pile up.
    Stalled,
}

/// Too many pieces wait in front of the player's stream; its peer reads nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the peer does not read: too many replies wait for it")]
pub struct Full;

/// Where batches are counted from, on all workers.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    /// This worker's fans, one for each stream and format that has players here.
    static FANS: RefCell<HashMap<(usize, FormatKey), Rc<Fan>>> = RefCell::default();
}

/// A player on this worker: ready bytes of one stream go straight to its socket. Dropping it ends the playing.
///
/// Belongs to the worker thread that accepted the connection, whose [`tokio::task::LocalSet`] must be running.
pub struct Player {
    format: Arc<dyn Format>,
    place: RefCell<Place>,
}

/// Where a player is kept.
#[derive(Debug)]
struct Place {
    fan: Rc<Fan>,
    key: usize,
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player").field("place", &self.place).finish()
    }
}

impl Player {
    /// Starts playing: `hello` (response head, file header), then headers, then from the last key frame on. The first
    /// write happens at once.
    pub fn start(
        stream: &Arc<Stream>,
        format: &Arc<dyn Format>,
        io: Rc<TcpStream>,
        session: Arc<Session>,
        hello: Bytes,
    ) -> Player {
        let place = Place::take(stream, format, io, session, hello);
        Player { format: format.clone(), place: RefCell::new(place) }
    }

    /// Completes when the playing has ended by itself. One task at a time may wait.
    pub async fn ended(&self) -> End {
        std::future::poll_fn(|cx| self.poll_ended(cx)).await
    }

    /// Ready when the playing has ended by itself.
    pub fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<End> {
        self.follow();
        let Place { fan, key } = &*self.place.borrow();
        let mut inner = fan.inner.borrow_mut();
        let slot = &mut inner.slots[*key]; // the slot lives as long as the player
        if let Some(end) = slot.end {
            return Poll::Ready(end);
        }
        slot.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Sends `bytes` between two frames, as soon as the socket takes them.
    pub fn inject(&self, bytes: Bytes) -> Result<(), Full> {
        self.follow();
        let Place { fan, key } = &*self.place.borrow();
        let mut inner = fan.inner.borrow_mut();
        let Inner { view, slots, trailer, .. } = &mut *inner;
        let slot = &mut slots[*key]; // the slot lives as long as the player
        if !slot.cursor.lead(view, bytes) {
            slot.finish(End::Stalled);
            return Err(Full);
        }
        let sent = slot.serve(view, trailer);
        drop(inner);
        fan.stream.count_sent(sent);
        fan.wake();
        Ok(())
    }

    /// Stops sending media, between two frames, or goes on from the last key frame.
    pub fn pause(&self, paused: bool) {
        self.follow();
        let Place { fan, key } = &*self.place.borrow();
        fan.pause(*key, paused);
    }

    /// Goes on in another stream, if that is where the bytes are made now and it has sent what was here.
    fn follow(&self) {
        let mut place = self.place.borrow_mut();
        let moved = place.fan.inner.borrow_mut().take_moved(place.key);
        let Some((io, session, next)) = moved else { return };
        place.fan.wake();
        *place = Place::take(&next, &self.format, io, session, Bytes::new());
    }
}

impl Place {
    fn take(
        stream: &Arc<Stream>,
        format: &Arc<dyn Format>,
        io: Rc<TcpStream>,
        session: Arc<Session>,
        hello: Bytes,
    ) -> Place {
        let fan = Fan::of(&stream.present(), format);
        let key = fan.join(io, session, hello);
        Place { fan, key }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let Place { fan, key } = self.place.get_mut();
        fan.inner.borrow_mut().slots.try_remove(*key);
        fan.wake();
    }
}

/// What becomes of players when the publisher leaves; decided by the format.
pub(crate) type Trailer = Option<Bytes>;

/// All players of one stream in one format on one worker.
#[derive(Debug)]
struct Fan {
    stream: Arc<Stream>,
    format: FormatKey,
    reader: usize,
    inner: RefCell<Inner>,
}

#[derive(Debug)]
struct Inner {
    view: View,
    slots: Slab<Slot>,
    trailer: Trailer,
    /// Log position up to which the last walk served everybody.
    walked: u64,
    task: Option<Waker>,
}

/// The slices of the player before: most players stand at the same position and share them.
#[derive(Default)]
struct Shared<'a> {
    at: u64,
    slices: SmallVec<[IoSlice<'a>; 8]>,
    len: usize,
}

#[derive(Debug)]
struct Slot {
    io: Rc<TcpStream>,
    session: Arc<Session>,
    cursor: Cursor,
    paused: bool,
    stalled: Option<Instant>,
    /// Where the publisher before this player left; a later end is this player's.
    ended_before: Option<u64>,
    stop_at: Option<u64>,
    /// Where it goes on after that; `None` when that is its end.
    next: Option<Arc<Stream>>,
    closing: bool,
    end: Option<End>,
    waker: Option<Waker>,
}

impl Fan {
    fn of(stream: &Arc<Stream>, format: &Arc<dyn Format>) -> Rc<Fan> {
        let id = (Arc::as_ptr(stream) as usize, format.key().clone());
        FANS.with_borrow_mut(|fans| {
            fans.entry(id)
                .or_insert_with(|| {
                    let fan = Rc::new(Fan::new(stream, format));
                    spawn_local(run(fan.clone()));
                    fan
                })
                .clone()
        })
    }

    fn new(stream: &Arc<Stream>, format: &Arc<dyn Format>) -> Fan {
        let seat = stream.take_seat(format);
        let inner = Inner {
            walked: seat.view.head,
            view: seat.view,
            slots: Slab::new(),
            trailer: format.trailer(),
            task: None,
        };
        Fan {
            stream: stream.clone(),
            format: format.key().clone(),
            reader: seat.reader,
            inner: RefCell::new(inner),
        }
    }

    fn wake(&self) {
        if let Some(task) = self.inner.borrow_mut().task.take() {
            task.wake();
        }
    }

    fn join(&self, io: Rc<TcpStream>, session: Arc<Session>, hello: Bytes) -> usize {
        let mut inner = self.inner.borrow_mut();
        let Inner { view, slots, trailer, .. } = &mut *inner;
        let (at, headers) = self.locate(view, oldest(slots));
        let mut cursor = Cursor::new(at);
        cursor.lead(view, hello);
        cursor.lead(view, headers);
        let mut slot = Slot {
            io,
            session,
            cursor,
            paused: false,
            stalled: None,
            ended_before: view.ended_at,
            stop_at: None,
            next: None,
            closing: false,
            end: None,
            waker: None,
        };
        let sent = slot.serve(view, trailer);
        let key = slots.insert(slot);
        drop(inner);
        self.stream.count_sent(sent);
        self.wake();
        key
    }

    fn pause(&self, key: usize, paused: bool) {
        let mut inner = self.inner.borrow_mut();
        let Inner { view, slots, trailer, .. } = &mut *inner;
        if slots[key].paused == paused {
            return;
        }
        let oldest = oldest(slots);
        let slot = &mut slots[key];
        slot.paused = paused;
        let (at, headers) = match paused {
            true => (slot.cursor.at, Bytes::new()),
            false => self.locate(view, oldest),
        };
        if paused {
            slot.cursor.finish_frame(view);
        } else if !slot.cursor.jump(view, at, headers) {
            slot.finish(End::Stalled);
        }
        let sent = slot.serve(view, trailer);
        drop(inner);
        self.stream.count_sent(sent);
        self.wake();
    }

    /// Where a newcomer starts; makes sure that the view reaches back that far.
    fn locate(&self, view: &mut View, oldest: Option<u64>) -> (u64, Bytes) {
        let mut state = self.stream.state.lock();
        let Some((log, headers)) = state.log(&self.format) else { return (view.head, Bytes::new()) };
        let (at, headers) = log.start(headers);
        view.sync(log, self.reader, oldest.unwrap_or(at).min(at), None);
        view.cover(log, at);
        (at, headers)
    }

    /// Ready with true when there is something new to walk for, with false when no player is left.
    fn poll_news(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut inner = self.inner.borrow_mut();
        inner.task = Some(cx.waker().clone());
        if inner.slots.is_empty() {
            return Poll::Ready(false);
        }
        let sent = inner.serve_stalled(cx);
        self.stream.count_sent(sent);
        match self.sync(&mut inner, cx.waker()) {
            true => Poll::Ready(true),
            false => Poll::Pending,
        }
    }

    /// Fetches what is new. Players who fell behind what the log keeps jump; those whose publisher left will end.
    fn sync(&self, inner: &mut Inner, waker: &Waker) -> bool {
        let Inner { view, slots, walked, trailer, .. } = inner;
        let oldest = oldest(slots).unwrap_or(view.head);
        let mut skipped = SmallVec::new();
        let yielded = {
            let mut state = self.stream.state.lock();
            let yielded = state.yielded;
            let Some((log, headers)) = state.log(&self.format) else { return false };
            view.sync(log, self.reader, oldest, Some(waker));
            if oldest < view.first {
                let (at, headers) = log.start(headers);
                skipped = jump_late(slots, view, at, &headers);
            }
            yielded
        };
        skipped.into_iter().for_each(|bytes| self.stream.jumped(bytes));
        view.forget(self::oldest(slots).unwrap_or(view.head));
        let ended = trailer.is_some() && mark_ended(slots, view);
        let moved = yielded && mark_moved(slots, view, &self.stream);
        ended || moved || view.head > *walked
    }

    /// When the next walk may begin at the earliest, where a batch is set. All workers walk a stream at the same
    /// moments, so that they find the same pieces in its log; streams differ, so that they do not all walk at once.
    fn next_batch(&self, now: Instant) -> Instant {
        let Some(batch) = self.stream.options().batch.filter(|b| *b >= REST_MIN) else { return now };
        let phase = (Arc::as_ptr(&self.stream) as usize / align_of::<Stream>()) as u128 * 1_000_003;
        let since = (now - *EPOCH).as_nanos() + phase % batch.as_nanos();
        let wait = batch.as_nanos() - since % batch.as_nanos();
        now + Duration::from_nanos(wait as u64) // less than a batch
    }

    /// Serves every player once.
    async fn walk(&self) {
        let until = {
            let mut inner = self.inner.borrow_mut();
            inner.walked = inner.view.head;
            inner.slots.capacity()
        };
        let mut from = 0;
        while from < until {
            let to = until.min(from + SLICE);
            let sent = self.walk_slice(from, to);
            self.stream.count_sent(sent);
            from = to;
            if from < until {
                yield_now().await;
            }
        }
    }

    fn walk_slice(&self, from: usize, to: usize) -> u64 {
        let mut inner = self.inner.borrow_mut();
        let Inner { view, slots, trailer, .. } = &mut *inner;
        let mut sent = 0;
        let mut shared = Shared::default();
        for key in from..to {
            let Some(slot) = slots.get_mut(key) else { continue };
            if slot.stalled.is_none() && slot.end.is_none() {
                sent += slot.serve_shared(view, trailer, &mut shared);
            }
        }
        sent
    }

    /// Waits until `due`, while sockets that were full go on being served.
    async fn rest(&self, due: Instant) {
        let mut timer = std::pin::pin!(tokio::time::sleep_until(due.into()));
        std::future::poll_fn(|cx| {
            let mut inner = self.inner.borrow_mut();
            let sent = inner.serve_stalled(cx);
            self.stream.count_sent(sent);
            drop(inner);
            timer.as_mut().poll(cx)
        })
        .await;
    }
}

async fn run(fan: Rc<Fan>) {
    while std::future::poll_fn(|cx| fan.poll_news(cx)).await {
        let (started, busy) = (Instant::now(), thread_time());
        fan.walk().await;
        fan.finish_stalled();
        let rest = ((thread_time() - busy) * REST).min(REST_MAX);
        let due = (started + rest).max(fan.next_batch(started));
        if due - started >= REST_MIN {
            fan.rest(due).await;
        }
    }
    FANS.with_borrow_mut(|fans| fans.remove(&(Arc::as_ptr(&fan.stream) as usize, fan.format.clone())));
    fan.stream.leave_seat(&fan.format, fan.reader);
}

fn write(io: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    match slices {
        [] => Ok(0),
        [one] => io.try_write(one),
        many => io.try_write_vectored(many),
    }
}

/// Processor time of this worker: what others do on its core while it walks is no reason to rest.
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// The oldest position that some player still needs.
fn oldest(slots: &Slab<Slot>) -> Option<u64> {
    slots.iter().filter(|(_, s)| !s.paused && s.end.is_none()).map(|(_, s)| s.cursor.at).min()
}

/// Moves players whose position the log no longer has; returns the bytes that each of them never gets.
fn jump_late(slots: &mut Slab<Slot>, view: &View, at: u64, headers: &Bytes) -> SmallVec<[u64; 8]> {
    let mut skipped = SmallVec::new();
    for (_, slot) in slots.iter_mut() {
        if slot.paused || slot.end.is_some() || slot.cursor.at >= view.first {
            continue;
        }
        skipped.push(at - slot.cursor.at);
        if !slot.cursor.jump(view, at, headers.clone()) {
            slot.finish(End::Stalled);
        }
    }
    skipped
}

/// Marks players whose publisher has left; says whether there were any.
fn mark_ended(slots: &mut Slab<Slot>, view: &View) -> bool {
    let mut any = false;
    for (_, slot) in slots.iter_mut().filter(|(_, s)| s.stop_at.is_none() && s.ended_before != view.ended_at)
    {
        slot.stop_at = view.ended_at;
        any = true;
    }
    any
}

/// Marks players whose bytes go on in another stream; says whether there were any.
fn mark_moved(slots: &mut Slab<Slot>, view: &View, stream: &Arc<Stream>) -> bool {
    if slots.iter().all(|(_, slot)| slot.stop_at.is_some()) {
        return false;
    }
    let Some(next) = stream.moved() else { return false };
    for (_, slot) in slots.iter_mut().filter(|(_, slot)| slot.stop_at.is_none()) {
        slot.stop_at = Some(view.head);
        slot.next = Some(next.clone());
    }
    true
}

impl Fan {
    /// Ends players who take nothing.
    fn finish_stalled(&self) {
        let now = Instant::now();
        for (_, slot) in &mut self.inner.borrow_mut().slots {
            if slot.end.is_none() && slot.stalled.is_some_and(|since| now - since > STALL_MAX) {
                slot.finish(End::Stalled);
            }
        }
    }
}

impl Inner {
    /// Takes out a player that has sent what was here and goes on elsewhere.
    fn take_moved(&mut self, key: usize) -> Option<(Rc<TcpStream>, Arc<Session>, Arc<Stream>)> {
        let slot = self.slots.get(key).filter(|slot| slot.end == Some(End::Finished))?;
        let next = slot.next.clone()?;
        let slot = self.slots.remove(key);
        Some((slot.io, slot.session, next))
    }

    /// Goes on with sockets that were full and have room again.
    fn serve_stalled(&mut self, cx: &mut Context<'_>) -> u64 {
        let Inner { view, slots, trailer, .. } = self;
        let mut sent = 0;
        for (_, slot) in slots.iter_mut().filter(|(_, s)| s.stalled.is_some() && s.end.is_none()) {
            while slot.stalled.is_some() && slot.end.is_none() {
                let Poll::Ready(ready) = slot.io.poll_write_ready(cx) else { break };
                match ready {
                    Ok(()) => sent += slot.serve(view, trailer),
                    Err(e) => slot.finish(End::Closed(e.kind())),
                }
            }
        }
        sent
    }
}

impl Slot {
    /// Writes until everything is sent or the socket is full; returns the bytes written. After the publisher's last
    /// byte comes the trailer, and then the end.
    fn serve(&mut self, view: &View, trailer: &Trailer) -> u64 {
        let stalled_before = self.stalled.take();
        let mut sent = 0;
        while self.end.is_none() {
            match self.write(view) {
                Ok(0) if self.closing => self.finish(End::Finished),
                Ok(0) if self.is_drained() => match self.next {
                    Some(_) if self.paused => break,
                    Some(_) => self.finish(End::Finished),
                    None => self.begin_close(view, trailer),
                },
                Ok(0) => break,
                Ok(n) => sent += n as u64,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let since = if sent > 0 { None } else { stalled_before };
                    self.stalled = since.or_else(|| Some(Instant::now()));
                    break;
                }
                Err(e) => self.finish(End::Closed(e.kind())),
            }
        }
        if sent > 0 {
            self.session.sent.add(sent);
        }
        sent
    }

    /// Serves a player of a walk: with the slices of the one before, when it stands where that one stood.
    fn serve_shared<'a>(&mut self, view: &'a View, trailer: &Trailer, shared: &mut Shared<'a>) -> u64 {
        if self.paused || self.stop_at.is_some() || self.cursor.has_lead() {
            return self.serve(view, trailer);
        }
        if shared.at != self.cursor.at || shared.slices.is_empty() {
            shared.slices.clear();
            shared.at = self.cursor.at;
            shared.len = view.slices(self.cursor.at, view.head, &mut shared.slices);
        }
        match self.send(&shared.slices) {
            Ok(n) if n == shared.len => {
                self.cursor.at += n as u64;
                self.session.sent.add(n as u64);
                // More may lie beyond the slices of one write.
                n as u64 + if self.cursor.at < view.head { self.serve(view, trailer) } else { 0 }
            }
            Ok(n) => {
                self.cursor.at += n as u64;
                self.session.sent.add(n as u64);
                n as u64 + self.serve(view, trailer)
            }
            Err(_) => self.serve(view, trailer), // says what to make of the error
        }
    }

    /// Writes what most players of a walk get: one piece, sent without asking first whether the socket has room. A
    /// full socket gives an error here and again in [`Slot::serve`], which is where the runtime learns of it.
    fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [one] => Ok(send(self.io.as_raw_fd(), one, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)?),
            many => write(&self.io, many),
        }
    }

    /// One write; `Ok(0)` when nothing is left to write.
    fn write(&mut self, view: &View) -> io::Result<usize> {
        let until = if self.paused { self.cursor.at } else { self.stop_at.unwrap_or(view.head) };
        let mut slices: SmallVec<[IoSlice<'_>; 8]> = SmallVec::new();
        self.cursor.slices(view, until, &mut slices);
        let written = write(&self.io, &slices)?;
        drop(slices);
        self.cursor.advance(written);
        Ok(written)
    }

    fn is_drained(&self) -> bool {
        self.stop_at.is_some_and(|stop| self.cursor.at >= stop)
    }

    fn begin_close(&mut self, view: &View, trailer: &Trailer) {
        self.closing = true;
        self.cursor.lead(view, trailer.clone().unwrap_or_default());
    }

    fn finish(&mut self, end: End) {
        self.end.get_or_insert(end);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
