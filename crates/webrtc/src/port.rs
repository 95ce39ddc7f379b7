//! One worker's sessions: packets to their state machines, what these make to the network, and the time.

use crate::WebRtc;
use crate::addresses::Addresses;
use crate::batch::Batch;
use crate::channel::{Channel, rest_of};
use crate::dtls::Progress;
use crate::egress::Rest;
use crate::ice;
use crate::keys::Keys;
use crate::meter::{LAYERS_MAX, Rates};
use crate::packetlog::Burst;
use crate::peer::{Peer, Role};
use crate::registry::{Claim, INBOX_MAX, Order, Route};
use crate::socket::{Inbound, Socket, Watch};
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

/// Receive calls in a row before the worker's other tasks get their turn.
const ROUNDS: usize = 16;

/// Rest after receiving, for each session and at most: see [`rest_of`]. What viewers send may wait longer than what
/// publishers send: the kernel's buffer, even at its usual limit of 416 KiB, holds 35,000 packets a second meanwhile.
const RECEIVE_REST: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(10));
const PUBLISHERS_REST: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(5));

/// Addresses that lead to one session: a phone that changes networks has two or three.
const ADDRESSES_MAX: usize = 8;

/// Frames that a viewer that is behind is given at once.
const READ_MAX: usize = 64;

/// Least time between two ticks of a session, so that a state machine that asks for "now" cannot spin.
const TICK_MIN: Duration = Duration::from_millis(1);

/// How often every session is looked at for silence.
const LOOK: Duration = Duration::from_secs(1);

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
    tokio::join!(receive(port.clone()), obey(port.clone(), inbox), keep_time(port.clone()), look(port));
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

/// Waits for packets with few sessions, and looks for them from time to time with many: a socket that is watched wakes
/// the worker for each packet.
async fn receive(port: Rc<RefCell<Port>>) {
    let mut inbound = Inbound::default();
    let mut watch = None;
    loop {
        let rest = port.borrow().rest_of_receiving();
        if let Some(rest) = rest {
            watch = None;
            tokio::time::sleep(rest).await;
            while !receive_all(&port, &mut inbound) {
                tokio::task::yield_now().await;
            }
        } else if let Err(error) = receive_next(&port, &mut watch, &mut inbound).await {
            tracing::warn!(%error, "waiting for WebRTC's packets failed; trying again");
            watch = None;
            tokio::time::sleep(TICK_MIN).await;
        }
        tokio::task::yield_now().await;
    }
}

/// Takes what is there as soon as something is.
async fn receive_next(
    port: &Rc<RefCell<Port>>,
    watch: &mut Option<Watch>,
    inbound: &mut Inbound,
) -> std::io::Result<()> {
    let watch = match watch {
        Some(watch) => watch,
        none => none.insert(port.borrow().socket.watch()?),
    };
    watch.next(|| receive_all(port, inbound)).await
}

/// Takes what is there, within reason; whether that was all.
fn receive_all(port: &Rc<RefCell<Port>>, inbound: &mut Inbound) -> bool {
    for _ in 0..ROUNDS {
        let received = port.borrow().socket.receive(inbound);
        let Ok(count) = received else { return true };
        let now = Instant::now();
        let mut port = port.borrow_mut();
        for (bytes, route) in inbound.datagrams(count) {
            port.packet(now, bytes, route);
        }
    }
    false
}

async fn obey(port: Rc<RefCell<Port>>, mut inbox: mpsc::Receiver<Order>) {
    while let Some(order) = inbox.recv().await {
        port.borrow_mut().order(order);
    }
}

async fn keep_time(port: Rc<RefCell<Port>>) {
    let alarm = port.borrow().alarm.clone();
    loop {
        let next = port.borrow().ticks.peek().map(|Reverse((at, _))| *at);
        match next {
            Some(at) => {
                tokio::select! {
                    () = tokio::time::sleep_until(at.into()) => port.borrow_mut().tick(Instant::now()),
                    () = alarm.notified() => {}
                }
            }
            None => alarm.notified().await,
        }
    }
}

async fn look(port: Rc<RefCell<Port>>) {
    let mut tick = tokio::time::interval(LOOK);
    loop {
        tick.tick().await;
        port.borrow_mut().sweep(Instant::now());
    }
}

impl Port {
    /// The rest after work for so many of the worker's sessions. The kernel spreads sessions evenly; more workers
    /// don't mean shorter rests, since each would do more for fewer.
    pub(crate) fn rest(&self, sessions: usize, rest: (Duration, Duration)) -> Option<Duration> {
        rest_of(sessions * self.gateway.registry.workers(), rest)
    }

    fn rest_of_receiving(&self) -> Option<Duration> {
        let rest = if self.publishers > 0 { PUBLISHERS_REST } else { RECEIVE_REST };
        self.rest(self.peers.len(), rest)
    }

    /// Takes a packet from the network.
    pub(crate) fn packet(&mut self, now: Instant, bytes: &[u8], route: Route) {
        let address = route.address();
        let known = self.addresses.key(&address);
        match ice::user(bytes) {
            // Nothing but STUN is taken from an address that STUN has not validated.
            None => match known {
                Some(key) => self.deliver(key, now, bytes, &route),
                None => {
                    if let Some((worker, key)) = self.addresses.elsewhere(&address) {
                        self.pass_on(worker, key, bytes, route);
                    }
                }
            },
            Some(ufrag) => {
                let same = |key: &usize| self.peers.get(*key).is_some_and(|peer| peer.ice.ufrag() == ufrag);
                match known.filter(same) {
                    Some(key) => self.deliver(key, now, bytes, &route),
                    None => self.stranger(&ufrag, now, bytes, route),
                }
            }
        }
    }

    /// A STUN request from an address that is new, or new to the session that it names.
    fn stranger(&mut self, ufrag: &str, now: Instant, bytes: &[u8], route: Route) {
        let registry = self.gateway.registry.clone();
        match registry.claim(ufrag, self.worker, |peer| peer.ice.is_proven(bytes)) {
            Claim::Nobody => {}
            Claim::Other(worker, key) if worker == self.worker => self.deliver(key, now, bytes, &route),
            Claim::Other(worker, key) => self.pass_on(worker, key, bytes, route),
            Claim::Yours(peer) => {
                let key = self.adopt(peer);
                registry.settle(ufrag, self.worker, key);
                self.deliver(key, now, bytes, &route);
            }
        }
    }

    /// Gives a packet to the worker whose session it belongs to.
    fn pass_on(&self, worker: usize, key: usize, bytes: &[u8], route: Route) {
        let order = Order::Packet { key, bytes: bytes.into(), route, by: self.worker };
        self.gateway.registry.send(worker, order);
    }

    /// Takes a packet that reached the worker `by`, which learns where others of that address belong.
    fn passed_on(&mut self, key: usize, bytes: &[u8], route: &Route, by: usize) {
        let address = route.address();
        let valid = |port: &Port| port.addresses.key(&address) == Some(key);
        if ice::is_stun(bytes) || valid(self) {
            self.deliver(key, Instant::now(), bytes, route);
        }
        if ice::is_stun(bytes) && valid(self) {
            self.gateway.registry.send(by, Order::Elsewhere { address, worker: self.worker, key });
        }
    }

    fn adopt(&mut self, peer: Box<Peer>) -> usize {
        let session = peer.session.clone();
        self.publishers += usize::from(matches!(peer.role, Role::Publish(_)));
        let key = self.peers.insert(peer);
        let (me, id) = (self.me.clone(), session.id());
        tokio::task::spawn_local(async move {
            session.kicked().await;
            let Some(port) = me.upgrade() else { return };
            let mut port = port.borrow_mut();
            if port.peers.get(key).is_some_and(|peer| peer.session.id() == id) {
                port.end(key, None);
            }
        });
        key
    }

    /// Gives a packet to the session it belongs to.
    fn deliver(&mut self, key: usize, now: Instant, bytes: &[u8], route: &Route) {
        match bytes.first() {
            Some(128..=191) => self.media(key, now, bytes),
            Some(20..=63) => self.handshake(key, now, bytes),
            Some(0..=1) => self.check(key, now, bytes, route),
            _ => {} // nothing that is spoken here (RFC 7983 7)
        }
    }

    /// Answers a check of ICE, where it came from.
    fn check(&mut self, key: usize, now: Instant, bytes: &[u8], route: &Route) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Some(answer) = peer.ice.answer(now, bytes, route.peer()) else { return };
        peer.hear(now, bytes);
        self.batch.push(&answer.bytes);
        self.send_to(key, route);
        if !answer.present {
            return;
        }
        self.learn(key, route);
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.status.tried(protocol_name(route.protocol()), route.peer());
        if answer.chosen {
            peer.choose(route);
        }
        let progress = peer.dtls.begin(now, &mut self.batch);
        self.proceed(key, now, progress);
    }

    /// Takes a packet of DTLS.
    fn handshake(&mut self, key: usize, now: Instant, bytes: &[u8]) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.hear(now, bytes);
        let progress = peer.dtls.receive(now, bytes, &mut self.batch);
        self.proceed(key, now, progress);
    }

    /// Takes RTP or RTCP.
    fn media(&mut self, key: usize, now: Instant, bytes: &[u8]) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.hear(now, bytes);
        match &mut peer.role {
            Role::Play(egress) => {
                let key_frame = egress.receive(now, bytes, &mut self.batch);
                let layer = egress.layer();
                self.send(key);
                let stream = self.peers.get(key).and_then(|peer| peer.stream());
                if key_frame && let Some(channel) = stream.and_then(|name| self.channels.get(name)) {
                    channel.want_key_frame(layer);
                }
            }
            Role::Publish(ingest) => {
                ingest.receive(now, bytes);
                self.schedule(key, now);
            }
        }
    }

    /// Remembers a validated address of a session.
    fn learn(&mut self, key: usize, route: &Route) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if let Some(oldest) = peer.learn(route, ADDRESSES_MAX) {
            self.addresses.forget(&oldest.address(), key);
        }
        self.addresses.learn(route.address(), key);
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
            match way {
                Route::Tcp { connection, .. } => crate::tcp::send(connection, &self.batch),
                Route::Udp { peer, local } => self.socket.send(&self.batch, *peer, *local),
            }
        }
        self.batch.clear();
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
        match peer.route() {
            Some(Route::Udp { peer, local }) => self.socket.send(&self.batch, *peer, *local),
            Some(Route::Tcp { connection, .. }) => crate::tcp::send(connection, &self.batch),
            None => {}
        }
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
