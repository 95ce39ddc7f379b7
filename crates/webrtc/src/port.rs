//! One worker's sessions: packets to their state machines, what these make to the network, and the time.

mod arrival;
mod tasks;

use crate::WebRtc;
use crate::addresses::Addresses;
use crate::batch::Batch;
use crate::channel::{Channel, rest_of};
use crate::dtls::Progress;
use crate::egress::Rest;
use crate::keys::Keys;
use crate::meter::{LAYERS_MAX, Rates};
use crate::packetlog::Burst;
use crate::peer::{Peer, Role};
use crate::registry::{INBOX_MAX, Order, Route};
use crate::socket::Socket;
use crate::status::Phase;
use headwater_hub::StreamName;
use slab::Slab;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::net::Protocol;
use tokio::sync::{Notify, mpsc};

/// Frames that a viewer that is behind is given at once.
const READ_MAX: usize = 64;

/// Least time between two ticks of a session, so that a state machine that asks for "now" cannot spin.
const TICK_MIN: Duration = Duration::from_millis(1);

/// The sessions of one worker and its socket.
pub(crate) struct Port {
    gateway: Arc<WebRtc>,
    worker: usize,
    pub(crate) socket: Socket,
    pub(crate) peers: Slab<Box<Peer>>,
    /// How many of them publish.
    publishers: usize,
    addresses: Addresses,
    /// Ticks to come; one that a later change made void is found out when it is due.
    ticks: BinaryHeap<Reverse<(Instant, usize)>>,
    alarm: Rc<Notify>,
    pub(crate) channels: HashMap<StreamName, Channel>,
    /// What goes to one peer at present; its room is used again.
    batch: Batch,
    /// What a viewer that is behind gets; its room is used again.
    read: Vec<Arc<Burst>>,
    /// To itself, for the tasks that it starts.
    me: std::rc::Weak<RefCell<Port>>,
}

/// Runs a worker's share of the port for as long as the server lives.
pub(crate) async fn run(gateway: Arc<WebRtc>, socket: std::net::UdpSocket) {
    let socket = match Socket::new(socket) {
        Ok(socket) => socket,
        Err(error) => {
            return tracing::error!(%error, "cannot serve WebRTC: registering the UDP socket failed");
        }
    };
    let (sender, inbox) = mpsc::channel(INBOX_MAX);
    let worker = gateway.registry.add_worker(sender);
    let port = Rc::new_cyclic(|me| {
        RefCell::new(Port {
            gateway,
            worker,
            socket,
            peers: Slab::new(),
            publishers: 0,
            addresses: Addresses::default(),
            ticks: BinaryHeap::new(),
            alarm: Rc::default(),
            channels: HashMap::new(),
            batch: Batch::default(),
            read: Vec::new(),
            me: me.clone(),
        })
    });
    share(&port);
    tokio::join!(
        tasks::receive(port.clone()),
        tasks::obey(port.clone(), inbox),
        tasks::keep_time(port.clone()),
        tasks::look(port)
    );
}

thread_local! {
    /// The port of this worker, for connections that bring packets over TCP.
    static PORT: RefCell<Option<std::rc::Weak<RefCell<Port>>>> = const { RefCell::new(None) };
}

fn share(port: &Rc<RefCell<Port>>) {
    PORT.with(|own| *own.borrow_mut() = Some(Rc::downgrade(port)));
}

/// This worker's port, once it runs.
pub(crate) fn own() -> Option<Rc<RefCell<Port>>> {
    PORT.with(|own| own.borrow().as_ref()?.upgrade())
}

impl Port {
    /// The rest after work for so many of the worker's sessions. The kernel spreads sessions evenly; more workers
    /// don't mean shorter rests, since each would do more for fewer.
    pub(crate) fn rest(&self, sessions: usize, rest: (Duration, Duration)) -> Option<Duration> {
        rest_of(sessions * self.gateway.registry.workers(), rest)
    }

    /// After a step of the handshake: what it says to the network, what it came to, the next tick.
    fn proceed(&mut self, key: usize, now: Instant, progress: Result<Progress, String>) {
        self.send(key); // the handshake's end goes before the first packet, which else is lost
        let outcome = match progress {
            Ok(Progress::None) => Ok(()),
            Ok(Progress::Connected(keys)) => self.connected(key, now, &keys),
            Ok(Progress::Closed) => return self.end(key, None),
            Err(reason) => Err(reason),
        };
        self.follow_up(key, now, outcome);
    }

    /// After a change: the end, or the next tick.
    fn follow_up(&mut self, key: usize, now: Instant, outcome: Result<(), String>) {
        match outcome {
            Err(reason) => self.end(key, Some(&reason)),
            Ok(()) => self.schedule(key, now),
        }
    }

    /// ICE and DTLS are through: media may flow.
    fn connected(&mut self, key: usize, now: Instant, keys: &Keys) -> Result<(), String> {
        let Some(peer) = self.peers.get_mut(key) else { return Ok(()) };
        peer.connected(keys);
        match &mut peer.role {
            Role::Publish(ingest) => {
                ingest.connect(keys, &peer.session, now)?;
                peer.publish(&self.gateway)
            }
            Role::Play(egress) => {
                egress.connect(keys, now)?;
                self.join(key, now);
                Ok(())
            }
        }
    }

    /// A player is ready: it gets what newcomers get, and then what everybody gets.
    fn join(&mut self, key: usize, now: Instant) {
        let Some(Role::Play(egress)) = self.peers.get_mut(key).map(|peer| &mut peer.role) else { return };
        let stream = egress.attach();
        let name = stream.name().clone();
        if !self.channels.contains_key(&name) {
            let channel = Channel::open(&self.gateway, &stream, self.me.clone());
            self.channels.insert(name.clone(), channel);
        }
        let Some(channel) = self.channels.get_mut(&name) else { return };
        channel.viewers.push(key);
        egress.look(now, &channel.rates(now));
        let layer = egress.layer();
        egress.begin(channel.begin(layer), channel.source());
        if !channel.has_key(layer) {
            channel.want_key_frame(layer);
        }
        self.catch_up(key, now);
    }

    /// New frames of a stream, the first of which stands at `from` in its log, for all its viewers on this worker.
    /// How many they are.
    pub(crate) fn fan_out(
        &mut self,
        name: &StreamName,
        now: Instant,
        from: u64,
        bursts: &[Arc<Burst>],
    ) -> usize {
        let Some(channel) = self.channels.get_mut(name) else { return 0 };
        let viewers: SmallVec<[usize; 64]> = channel.viewers.iter().copied().collect();
        let rates = channel.rates(now);
        let mut wanted = [false; LAYERS_MAX];
        let count = viewers.len();
        for key in viewers {
            let layer = self.look(key, now, &rates);
            if let Some(wanted) = layer.and_then(|layer| wanted.get_mut(usize::from(layer))) {
                *wanted = true;
            }
            if let Rest::Until(moment) = self.write(key, now, from, bursts) {
                self.wake(key, now, moment);
            }
        }
        let Some(channel) = self.channels.get(name) else { return count };
        let layers = (0u8..).zip(wanted).filter(|(_, wanted)| *wanted);
        layers.for_each(|(layer, _)| channel.want_key_frame(layer));
        count
    }

    /// Looks whether a viewer should get something else; the layer of which it needs a key frame.
    fn look(&mut self, key: usize, now: Instant, rates: &Rates) -> Option<u8> {
        match self.peers.get_mut(key).map(|peer| &mut peer.role) {
            Some(Role::Play(egress)) => egress.look(now, rates),
            _ => None,
        }
    }

    /// Sends a viewer frames that it has not had, as its pace allows.
    fn write(&mut self, key: usize, now: Instant, from: u64, bursts: &[Arc<Burst>]) -> Rest {
        loop {
            let Some(Role::Play(egress)) = self.peers.get_mut(key).map(|peer| &mut peer.role) else {
                return Rest::Nothing;
            };
            let rest = egress.fill(now, from, bursts, &mut self.batch);
            self.send(key);
            if rest != Rest::More {
                return rest;
            }
        }
    }

    /// Sends a viewer that is behind what it may have by now.
    fn catch_up(&mut self, key: usize, now: Instant) {
        let mut bursts = std::mem::take(&mut self.read);
        while let Some(from) = self.read_for(key, &mut bursts) {
            match self.write(key, now, from, &bursts) {
                Rest::Until(moment) => {
                    self.wake(key, now, moment);
                    break;
                }
                Rest::Nothing | Rest::More | Rest::Gap => {}
            }
        }
        bursts.clear();
        self.read = bursts;
    }

    /// Frames that a viewer has not had, from the log; `None` when it has all.
    fn read_for(&mut self, key: usize, out: &mut Vec<Arc<Burst>>) -> Option<u64> {
        let Some(Role::Play(egress)) = self.peers.get_mut(key).map(|peer| &mut peer.role) else {
            return None;
        };
        let at = egress.position()?;
        let from = self.channels.get(egress.stream().name())?.read(at, READ_MAX, out);
        if from > at {
            egress.jump(from);
        }
        if out.is_empty() {
            egress.caught_up();
            return None;
        }
        Some(from)
    }

    /// Comes back to a viewer when its pace allows more.
    fn wake(&mut self, key: usize, now: Instant, moment: Instant) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.wake = Some(moment);
            self.schedule(key, now);
        }
    }

    /// Sends the batch to a session, on the way that it chose.
    fn send(&mut self, key: usize) {
        let way = self.peers.get(key).and_then(|peer| peer.route()).filter(|_| !self.batch.is_empty());
        match way.cloned() {
            Some(way) => self.send_to(key, &way),
            None => self.batch.clear(),
        }
    }

    /// Sends the batch to a session, on a way of its peer's.
    fn send_to(&mut self, key: usize, way: &Route) {
        if let Some(peer) = self.peers.get(key) {
            peer.session.sent.add(self.batch.bytes() as u64);
            self.transmit(way);
        }
        self.batch.clear();
    }

    fn transmit(&mut self, way: &Route) {
        match way {
            Route::Tcp { connection, .. } => crate::tcp::send(connection, &self.batch),
            Route::Udp { peer, local } => self.socket.send(&self.batch, *peer, *local),
        }
    }

    fn schedule(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Some(due) = peer.due().map(|due| due.max(now + TICK_MIN)) else { return };
        if peer.scheduled.is_some_and(|at| at <= due) {
            return; // it will be looked at before
        }
        peer.scheduled = Some(due);
        let first = self.ticks.peek().is_none_or(|Reverse((at, _))| due < *at);
        self.ticks.push(Reverse((due, key)));
        if first {
            self.alarm.notify_one();
        }
    }

    fn tick(&mut self, now: Instant) {
        while let Some(Reverse((at, key))) = self.ticks.peek().copied() {
            if at > now {
                return;
            }
            self.ticks.pop();
            let Some(peer) = self.peers.get_mut(key).filter(|peer| peer.scheduled == Some(at)) else {
                continue;
            };
            peer.scheduled = None;
            let woken = peer.wake.take_if(|wake| *wake <= now).is_some();
            if let Role::Publish(ingest) = &mut peer.role {
                ingest.report(now, &mut self.batch);
            }
            let progress = match peer.dtls.deadline().is_some_and(|deadline| deadline <= now) {
                true => peer.dtls.tick(now, &mut self.batch),
                false => Ok(Progress::None),
            };
            self.proceed(key, now, progress);
            if woken {
                self.catch_up(key, now);
            }
        }
    }

    /// Ends sessions that have been silent for too long.
    fn sweep(&mut self, now: Instant) {
        let silent: SmallVec<[usize; 8]> =
            self.peers.iter().filter(|(_, peer)| peer.is_silent(now)).map(|(key, _)| key).collect();
        for key in silent {
            let Some(peer) = self.peers.get(key) else { continue };
            let reason = peer.silence();
            self.end(key, Some(&reason));
        }
        self.peers.iter().for_each(|(_, peer)| peer.tell(now));
        if self.worker == 0 {
            let late = self.gateway.registry.sweep(now);
            late.iter().for_each(|status| self.gateway.remember(status));
        }
    }

    fn order(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Packet { key, bytes, route, by } => self.passed_on(key, &bytes, &route, by),
            Order::Elsewhere { address, worker, key } => self.addresses.learn_elsewhere(address, worker, key),
            Order::With { key, id, act } => {
                let Some(peer) = self.peers.get_mut(key).filter(|peer| peer.session.id() == id) else {
                    return;
                };
                let old = peer.ice.names();
                let outcome = act(peer);
                let new = peer.ice.names();
                if new != old {
                    self.gateway.registry.rename(&old.local, new);
                }
                self.follow_up(key, now, outcome);
            }
        }
    }

    /// Ends a session, by its own wish or ours, or with the reason why it failed.
    pub(crate) fn end(&mut self, key: usize, reason: Option<&str>) {
        let Some(mut peer) = self.peers.try_remove(key) else { return };
        self.publishers -= usize::from(matches!(peer.role, Role::Publish(_)));
        for address in peer.addresses() {
            self.addresses.forget(&address, key);
        }
        if let Role::Play(egress) = &mut peer.role {
            egress.bye(&mut self.batch);
        }
        peer.dtls.close(&mut self.batch);
        peer.route().into_iter().for_each(|way| self.transmit(way));
        self.batch.clear();
        self.gateway.registry.remove(peer.ice.ufrag());
        match reason {
            Some(reason) => {
                peer.session.fail();
                peer.status.fail(reason);
                self.gateway.remember(&peer.status);
            }
            None => {
                tracing::info!(cid = %peer.session.id(), stream = %peer.status.stream, "webrtc session ended");
                peer.status.update(|facts| facts.phase = Phase::Closed);
            }
        }
        let Some(name) = peer.stream() else { return };
        if let Some(channel) = self.channels.get_mut(name) {
            channel.viewers.retain(|&viewer| viewer != key);
            if channel.viewers.is_empty() {
                self.channels.remove(name);
            }
        }
    }
}

pub(crate) fn protocol_name(protocol: Protocol) -> &'static str {
    if protocol == Protocol::Udp { "udp" } else { "tcp" }
}
