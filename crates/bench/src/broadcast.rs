//! Streams sent in real time, all of them by one thread.
//!
//! Chunks are muxed once for all streams; sending one is patching two times into it and one `write`. What the server
//! answers is read now and then, so that its pings get their reply.

mod pieces;

pub(crate) use pieces::{CHUNK_SIZE, LONGEST};

use crate::mark;
use crate::rtmp::Client;
use crate::synthetic::{Shape, Timeline};
use pieces::Pieces;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Shortest sleep between two rounds of sending.
const ROUND: Duration = Duration::from_millis(1);
/// How often each server's answers are read.
const LISTEN: Duration = Duration::from_millis(250);
/// Bytes that may wait for a server that does not read; further pieces are skipped and counted.
const MAX_UNSENT: usize = 4 << 20;
/// A piece sent later than this after it was due is late.
const LATE: Duration = Duration::from_millis(100);

/// A handle to the streams; dropping it ends them all.
pub(crate) struct Broadcast {
    orders: Sender<Order>,
}

enum Order {
    Add(Box<Client>),
    Report(Sender<Sent>),
}

/// What all streams have sent since they began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Sent {
    /// Streams whose connection is up.
    pub(crate) open: usize,
    /// Streams whose connection ended.
    pub(crate) closed: usize,
    pub(crate) bytes: u64,
    /// Pictures and pieces of sound, without those skipped.
    pub(crate) pieces: u64,
    /// Pieces that left more than 100 ms after they were due: the generator or the server was too slow.
    pub(crate) late: u64,
    /// Pieces not sent because the server did not read.
    pub(crate) skipped: u64,
}

impl Broadcast {
    pub(crate) fn start(shape: Shape) -> Self {
        let (orders, inbox) = channel();
        thread::spawn(move || Streams::new(shape, inbox).run());
        Broadcast { orders }
    }

    /// Starts sending on a connection whose publish the server has accepted.
    pub(crate) fn add(&self, client: Client) -> io::Result<()> {
        self.orders.send(Order::Add(Box::new(client))).map_err(|_| ErrorKind::BrokenPipe.into())
    }

    /// What was sent until now; nothing when the thread has ended.
    pub(crate) fn sent(&self) -> Sent {
        let (reply, answer) = channel();
        match self.orders.send(Order::Report(reply)) {
            Ok(()) => answer.recv().unwrap_or_default(),
            Err(_) => Sent::default(),
        }
    }
}

struct Streams {
    shape: Shape,
    inbox: Receiver<Order>,
    pieces: Pieces,
    streams: Vec<Stream>,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    listened: Instant,
}

impl Streams {
    fn new(shape: Shape, inbox: Receiver<Order>) -> Self {
        let pieces = Pieces::new(shape);
        Streams {
            shape,
            inbox,
            pieces,
            streams: Vec::new(),
            due: BinaryHeap::new(),
            listened: Instant::now(),
        }
    }

    fn run(mut self) {
        while self.obey() {
            self.send_due();
            if self.listened.elapsed() > LISTEN {
                self.streams.iter_mut().for_each(Stream::listen);
                self.listened = Instant::now();
            }
            thread::sleep(ROUND);
        }
    }

    /// Carries out what was ordered; false when nobody can order any more.
    fn obey(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(Order::Add(client)) => self.add(*client),
                Ok(Order::Report(reply)) => {
                    // whoever asked may have gone, then nobody needs the answer
                    let _ = reply.send(self.sent());
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn add(&mut self, client: Client) {
        let mut stream = Stream::new(client, self.shape);
        stream.send(&self.pieces.configs);
        self.due.push(Reverse((stream.start, self.streams.len())));
        self.streams.push(stream);
    }

    fn sent(&self) -> Sent {
        let mut all = Sent::default();
        for stream in &self.streams {
            all.open += usize::from(!stream.closed);
            all.closed += usize::from(stream.closed);
            all.bytes += stream.bytes;
            all.pieces += stream.pieces;
            all.late += stream.late;
            all.skipped += stream.skipped;
        }
        all
    }

    fn send_due(&mut self) {
        while let Some(&Reverse((due, index))) = self.due.peek() {
            if due > Instant::now() {
                return;
            }
            self.due.pop();
            let Some(stream) = self.streams.get_mut(index) else { continue };
            stream.send_next(&mut self.pieces);
            if let Some(next) = stream.next_due() {
                self.due.push(Reverse((next, index)));
            }
        }
    }
}

struct Stream {
    client: Client,
    timeline: Timeline,
    start: Instant,
    unsent: Vec<u8>,
    bytes: u64,
    pieces: u64,
    late: u64,
    skipped: u64,
    closed: bool,
}

impl Stream {
    fn new(client: Client, shape: Shape) -> Self {
        Stream {
            client,
            timeline: Timeline::new(shape),
            start: Instant::now(),
            unsent: Vec::new(),
            bytes: 0,
            pieces: 0,
            late: 0,
            skipped: 0,
            closed: false,
        }
    }

    /// `None` when the stream has ended.
    fn next_due(&self) -> Option<Instant> {
        let due = self.timeline.due();
        (!self.closed && due < LONGEST).then(|| self.start + due)
    }

    fn send_next(&mut self, pieces: &mut Pieces) {
        let Some((time, piece)) = self.timeline.next() else { return };
        self.late += u64::from(self.start.elapsed().saturating_sub(time) > LATE);
        if self.unsent.len() > MAX_UNSENT {
            self.skipped += 1;
            self.send(&[]);
        } else {
            self.pieces += 1;
            self.send(pieces.at(piece, time, mark::now()));
        }
    }

    /// Sends what is waiting and then `chunks`; what the socket does not take waits.
    fn send(&mut self, chunks: &[u8]) {
        if self.unsent.is_empty() {
            let taken = self.write(chunks);
            self.unsent.extend_from_slice(chunks.get(taken..).unwrap_or_default());
            return;
        }
        self.unsent.extend_from_slice(chunks);
        let waiting = std::mem::take(&mut self.unsent);
        let taken = self.write(&waiting);
        self.unsent = waiting;
        self.unsent.drain(..taken);
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        if bytes.is_empty() || self.closed {
            return bytes.len();
        }
        match self.client.stream.write(bytes) {
            Ok(taken) => {
                self.bytes += taken as u64;
                taken
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(_) => {
                self.closed = true;
                bytes.len()
            }
        }
    }

    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        match self.client.stream.read(&mut buffer) {
            Ok(0) => self.closed = true,
            Ok(n) => self.answer(buffer.get(..n).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.closed = true,
        }
    }

    fn answer(&mut self, bytes: &[u8]) {
        match self.client.handle(bytes) {
            Ok(reply) => self.send(&reply),
            Err(_) => self.closed = true,
        }
    }
}
