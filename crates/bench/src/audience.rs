//! Players whose bytes are counted and dropped, on a thread of their own.
//!
//! Sockets are visited in turn on a clock, without readiness notifications: a remote player would not wake anybody
//! on the server's machine either, and a visit takes whatever has come since the last one in one call. Nothing here
//! looks into the bytes; that is what probes are for.

use crate::discard::Discard;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Every player is visited once in this time. At 2.1 Mb/s some 26 KB wait then, well inside a receive window.
const ROUND: Duration = Duration::from_millis(100);
/// A round is walked in steps, so that it does not come as one burst of work.
const STEP: Duration = Duration::from_millis(2);
/// A player that got nothing for this long has stalled: its picture would have stopped.
const STALL: Duration = Duration::from_secs(1);

/// A handle to the players; dropping it closes them all.
pub(crate) struct Audience {
    orders: Sender<Order>,
}

/// What each player has received so far, in the order they were added.
pub(crate) type Snapshot = Vec<Received>;

/// What one player has received since it was added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) bytes: u64,
    pub(crate) stalls: u64,
    pub(crate) closed: bool,
}

enum Order {
    Add(TcpStream),
    Report(Sender<Snapshot>),
}

impl Audience {
    pub(crate) fn start() -> Self {
        let (orders, inbox) = channel();
        thread::spawn(move || Walk::new(inbox).run());
        Audience { orders }
    }

    /// Adds a player that has finished its handshake.
    pub(crate) fn add(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nonblocking(true)?;
        self.orders.send(Order::Add(stream)).map_err(|_| ErrorKind::BrokenPipe.into())
    }

    /// What every player has received until now. Empty when the thread has ended.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let (reply, answer) = channel();
        match self.orders.send(Order::Report(reply)) {
            Ok(()) => answer.recv().unwrap_or_default(),
            Err(_) => Snapshot::new(),
        }
    }
}

struct Walk {
    inbox: Receiver<Order>,
    players: Vec<Player>,
    next: usize,
    discard: Discard,
}

struct Player {
    stream: TcpStream,
    received: Received,
    last: Instant,
}

impl Walk {
    fn new(inbox: Receiver<Order>) -> Self {
        Walk { inbox, players: Vec::new(), next: 0, discard: Discard::new() }
    }

    fn run(mut self) {
        let mut due = Instant::now();
        while self.obey() {
            self.step();
            due = (due + STEP).max(Instant::now());
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    /// Carries out what was ordered; false when nobody can order any more.
    fn obey(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(Order::Add(stream)) => self.players.push(Player::new(stream)),
                Ok(Order::Report(reply)) => self.report(&reply),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn report(&mut self, reply: &Sender<Snapshot>) {
        let now = Instant::now();
        for player in &mut self.players {
            player.visit(&mut self.discard, now);
        }
        // whoever asked may have gone, then nobody needs the answer
        let _ = reply.send(self.players.iter().map(|player| player.received_at(now)).collect());
    }

    fn step(&mut self) {
        let steps = ROUND.as_millis().div_ceil(STEP.as_millis()) as usize;
        let now = Instant::now();
        for _ in 0..self.players.len().div_ceil(steps) {
            if let Some(player) = self.players.get_mut(self.next) {
                player.visit(&mut self.discard, now);
            }
            self.next = (self.next + 1) % self.players.len().max(1);
        }
    }
}

impl Player {
    fn new(stream: TcpStream) -> Self {
        Player { stream, received: Received::default(), last: Instant::now() }
    }

    fn visit(&mut self, discard: &mut Discard, now: Instant) {
        if self.received.closed {
            return;
        }
        match discard.receive(&self.stream) {
            Ok(0) => self.received.closed = true,
            Ok(bytes) => self.took(bytes as u64, now),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.received.closed = true,
        }
    }

    fn took(&mut self, bytes: u64, now: Instant) {
        self.received.bytes += bytes;
        self.received.stalls += u64::from(self.silent(now));
        self.last = now;
    }

    /// A stall that has not ended yet counts too.
    fn received_at(&self, now: Instant) -> Received {
        Received { stalls: self.received.stalls + u64::from(self.silent(now)), ..self.received }
    }

    fn silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) > STALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn each_player_is_counted_by_itself() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let audience = Audience::start();
        let (first, mut to_first) = pair(&listener);
        let (second, to_second) = pair(&listener);
        audience.add(first).unwrap();
        audience.add(second).unwrap();
        to_first.write_all(&[0; 5000]).unwrap();
        drop(to_second);
        let until = Instant::now() + Duration::from_secs(10);
        let mut seen = audience.snapshot();
        while Instant::now() < until && !(seen[0].bytes == 5000 && seen[1].closed) {
            thread::yield_now();
            seen = audience.snapshot();
        }
        assert_eq!(seen[0], Received { bytes: 5000, stalls: 0, closed: false });
        assert_eq!(seen[1], Received { bytes: 0, stalls: 0, closed: true });
    }
}
