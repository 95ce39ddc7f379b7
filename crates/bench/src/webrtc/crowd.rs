//! Many peers in one thread: an epoll set of their sockets, and their times in one heap.

use super::call::Call;
use super::link::{Link, Room, Wire};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};
use str0m::Event;
use str0m::error::RtcError;

/// Readinesses taken at a time.
const EVENTS: usize = 256;
/// Stands for an order among the sockets' numbers.
const ORDERED: u64 = u64::MAX;
/// Least time between two looks at a peer's clock, so that one that asks for "now" cannot spin.
const TICK_MIN: Duration = Duration::from_millis(1);

/// What a peer is there for.
pub(crate) trait Role: Send + 'static {
    type Report: Send + 'static;

    /// Takes what happened.
    fn event(&mut self, event: Event);
    /// When it has something to send.
    fn due(&self) -> Option<Instant>;
    /// Sends what is due.
    fn act(&mut self, link: &mut Link, events: &mut Vec<Event>) -> Result<(), RtcError>;
    /// What it has seen until now.
    fn report(&self) -> Self::Report;
}

/// What is known of one peer.
#[derive(Clone, Debug)]
pub(crate) struct Seen<T> {
    pub(crate) wire: Wire,
    /// The session ended.
    pub(crate) closed: bool,
    pub(crate) role: T,
}

/// A handle to the peers; dropping it ends their sessions.
pub(crate) struct Crowd<R: Role> {
    orders: Sender<Order<R>>,
    ordered: Arc<EventFd>,
}

enum Order<R: Role> {
    Add(Box<Link>, R),
    Report(Sender<Vec<Seen<R::Report>>>),
    End,
}

impl<R: Role> Crowd<R> {
    pub(crate) fn start() -> io::Result<Self> {
        let (orders, inbox) = channel();
        let ordered = Arc::new(EventFd::from_value_and_flags(0, nix::sys::eventfd::EfdFlags::EFD_NONBLOCK)?);
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        epoll.add(&*ordered, EpollEvent::new(EpollFlags::EPOLLIN, ORDERED))?;
        let peers =
            Peers { epoll, inbox, ordered: ordered.clone(), peers: Vec::new(), ticks: BinaryHeap::new() };
        thread::spawn(move || peers.run());
        Ok(Crowd { orders, ordered })
    }

    /// Begins the session of an answered call.
    pub(crate) fn add(&self, call: Call, role: R) -> io::Result<()> {
        let link = Box::new(Link::new(call.rtc, call.socket)?);
        self.order(Order::Add(link, role))
    }

    /// What each peer has seen until now, in the order they were added; nothing when the thread has ended.
    pub(crate) fn seen(&self) -> Vec<Seen<R::Report>> {
        let (reply, answer) = channel();
        match self.order(Order::Report(reply)) {
            Ok(()) => answer.recv().unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }

    fn order(&self, order: Order<R>) -> io::Result<()> {
        self.orders.send(order).map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
        self.ordered.write(1)?;
        Ok(())
    }
}

impl<R: Role> Drop for Crowd<R> {
    fn drop(&mut self) {
        // a thread that has ended needs no order
        self.order(Order::End).ok();
    }
}

struct Peers<R: Role> {
    epoll: Epoll,
    inbox: Receiver<Order<R>>,
    ordered: Arc<EventFd>,
    peers: Vec<Peer<R>>,
    /// Times to come; one that a later change made void is found out when it is due.
    ticks: BinaryHeap<Reverse<(Instant, usize)>>,
}

struct Peer<R> {
    link: Link,
    role: R,
    scheduled: Option<Instant>,
    closed: bool,
}

impl<R: Role> Peers<R> {
    fn run(mut self) {
        let (mut ready, mut room, mut events) = ([EpollEvent::empty(); EVENTS], Room::default(), Vec::new());
        while self.obey() {
            let count = match self.epoll.wait(&mut ready, self.patience()) {
                Ok(count) => count,
                Err(nix::Error::EINTR) => 0,
                Err(_) => break,
            };
            for event in ready.iter().take(count).filter(|event| event.data() != ORDERED) {
                self.with(event.data() as usize, &mut events, |peer, events| {
                    peer.link.receive(&mut room, events)
                });
            }
            self.tick(&mut events);
        }
        self.peers.iter_mut().filter(|peer| !peer.closed).for_each(|peer| peer.link.close());
    }

    /// Carries out what was ordered; false when it is the end.
    fn obey(&mut self) -> bool {
        self.ordered.read().ok(); // fails when nothing was ordered
        loop {
            match self.inbox.try_recv() {
                Ok(Order::Add(link, role)) => self.add(*link, role),
                // whoever asked may have gone, then nobody needs the answer
                Ok(Order::Report(reply)) => drop(reply.send(self.peers.iter().map(Peer::seen).collect())),
                Err(TryRecvError::Empty) => return true,
                Ok(Order::End) | Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn add(&mut self, link: Link, role: R) {
        let key = self.peers.len();
        let closed = self.epoll.add(&link, EpollEvent::new(EpollFlags::EPOLLIN, key as u64)).is_err();
        let now = Instant::now();
        self.peers.push(Peer { link, role, scheduled: Some(now), closed });
        self.ticks.push(Reverse((now, key)));
    }

    /// Until something is to be done, in whole milliseconds, rounded up.
    fn patience(&self) -> EpollTimeout {
        let Some(Reverse((at, _))) = self.ticks.peek() else { return EpollTimeout::NONE };
        let left = at.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
        EpollTimeout::from(u16::try_from(left).unwrap_or(u16::MAX))
    }

    fn tick(&mut self, events: &mut Vec<Event>) {
        while let Some(&Reverse((at, key))) = self.ticks.peek() {
            let now = Instant::now();
            if at > now {
                return;
            }
            self.ticks.pop();
            let Some(peer) = self.peers.get_mut(key).filter(|peer| peer.scheduled == Some(at)) else {
                continue;
            };
            peer.scheduled = None;
            self.with(key, events, |peer, events| {
                if peer.link.deadline <= now {
                    peer.link.tick(now, events)?;
                }
                if peer.role.due().is_some_and(|due| due <= now) {
                    peer.role.act(&mut peer.link, events)?;
                }
                Ok(())
            });
        }
    }

    /// Does something with a peer, tells it what came of it, and notes when it is to be looked at again.
    fn with(
        &mut self,
        key: usize,
        events: &mut Vec<Event>,
        act: impl FnOnce(&mut Peer<R>, &mut Vec<Event>) -> Result<(), RtcError>,
    ) {
        let Some(peer) = self.peers.get_mut(key).filter(|peer| !peer.closed) else { return };
        let done = act(peer, events);
        events.drain(..).for_each(|event| peer.role.event(event));
        if done.is_err() || !peer.link.is_alive() {
            peer.closed = true;
            self.epoll.delete(&peer.link).ok(); // what is closed is not looked at anyhow
            return;
        }
        let due = peer.link.deadline.max(Instant::now() + TICK_MIN);
        let due = peer.role.due().map_or(due, |own| own.min(due));
        if peer.scheduled.is_none_or(|at| at > due) {
            peer.scheduled = Some(due);
            self.ticks.push(Reverse((due, key)));
        }
    }
}

impl<R: Role> Peer<R> {
    fn seen(&self) -> Seen<R::Report> {
        Seen { wire: self.link.wire, closed: self.closed, role: self.role.report() }
    }
}
