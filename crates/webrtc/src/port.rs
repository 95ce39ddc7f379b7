//! One worker's sessions: packets to their state machines, what these make to the network, and the time.

use crate::WebRtc;
use crate::addresses::Addresses;
use crate::batch::Batch;
use crate::channel::{Channel, rest};
use crate::egress::Rest;
use crate::engine::Datagram;
use crate::meter::{LAYERS_MAX, Rates};
use crate::packetlog::Burst;
use crate::peer::{Peer, Role};
use crate::registry::{Claim, INBOX_MAX, IceNames, Order, Route};
use crate::socket::{Inbound, Socket};
use crate::status::Phase;
use headwater_hub::StreamName;
use slab::Slab;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::Event;
use str0m::error::RtcError;
use str0m::ice::StunMessage;
use str0m::net::{Protocol, Receive};
use tokio::sync::{Notify, mpsc};

/// Receive calls in a row before the worker's other tasks get their turn.
const ROUNDS: usize = 16;

/// Rest after receiving, for each session of the worker and at most: see [`rest`]. The kernel's buffer, even at its
/// usual limit, holds 40,000 packets a second meanwhile.
const RECEIVE_REST: (Duration, Duration) = (Duration::from_micros(20), Duration::from_millis(4));

/// Addresses that lead to one session: a phone that changes networks has two or three.
const ADDRESSES_MAX: usize = 8;

/// Frames that a viewer that is behind is given at once.
const READ_MAX: usize = 64;

/// Least time between two ticks of a session, so that a state machine that asks for "now" cannot spin.
const TICK_MIN: Duration = Duration::from_millis(1);

/// How often every session is looked at for silence.
const LOOK: Duration = Duration::from_secs(1);

/// Our address as state machines know it. The true one differs from peer to peer (NAT, several networks) and is
/// nothing to ICE-lite, which answers where requests come from.
pub(crate) fn own_address(like: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match like.ip() {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    SocketAddr::new(ip, 8000)
}

/// The sessions of one worker and its socket.
pub(crate) struct Port {
    gateway: Arc<WebRtc>,
    worker: usize,
    pub(crate) socket: Socket,
    pub(crate) peers: Slab<Box<Peer>>,
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

async fn receive(port: Rc<RefCell<Port>>) {
    let mut inbound = Inbound::default();
    loop {
        readable(&port).await;
        for _ in 0..ROUNDS {
            let received = port.borrow().socket.receive(&mut inbound);
            let Ok(count) = received else { break };
            let now = Instant::now();
            let mut port = port.borrow_mut();
            for (bytes, route) in inbound.datagrams(count) {
                port.packet(now, bytes, route);
            }
        }
        tokio::task::yield_now().await;
        let sessions = port.borrow().peers.len();
        rest(sessions, RECEIVE_REST).await;
    }
}

/// Waits without borrowing the port meanwhile.
async fn readable(port: &Rc<RefCell<Port>>) {
    let ready = std::future::poll_fn(|cx| port.borrow().socket.io().poll_recv_ready(cx)).await;
    if ready.is_err() {
        tokio::time::sleep(TICK_MIN).await;
    }
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
    /// Takes a packet from the network.
    pub(crate) fn packet(&mut self, now: Instant, bytes: &[u8], route: Route) {
        let address = route.address();
        let known = self.addresses.key(&address);
        match stun_user(bytes) {
            // Nothing but STUN is taken from an address that STUN has not validated.
            None => match (known, self.addresses.elsewhere(&address)) {
                (Some(key), _) => self.deliver(key, now, bytes, &route),
                (None, Some((worker, key))) => self.pass_on(worker, key, bytes, route),
                (None, None) => {}
            },
            Some(ufrag) => {
                let same = |key: &usize| self.peers.get(*key).is_some_and(|peer| *peer.ufrag == *ufrag);
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
        let proven =
            |peer: &Peer| parse(bytes, &route).is_some_and(|packet| peer.engine.accepts(now, packet));
        match registry.claim(ufrag, self.worker, proven) {
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
        if is_stun(bytes) || valid(self) {
            self.deliver(key, Instant::now(), bytes, route);
        }
        if is_stun(bytes) && valid(self) {
            self.gateway.registry.send(by, Order::Elsewhere { address, worker: self.worker, key });
        }
    }

    fn adopt(&mut self, peer: Box<Peer>) -> usize {
        let session = peer.session.clone();
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
        let Some(peer) = self.peers.get_mut(key) else { return };
        if is_media(bytes) && matches!(peer.role, Role::Play(_)) {
            return self.report(key, now, bytes);
        }
        let Some(packet) = parse(bytes, route) else { return };
        let stun = is_stun(bytes);
        if stun {
            let again = parse(bytes, route);
            if !again.is_some_and(|packet| peer.engine.accepts(now, packet)) {
                return self.answer_former(key, now, bytes, route);
            }
            peer.status.tried(protocol_name(route.protocol()), route.peer());
            if StunMessage::parse(bytes).is_ok_and(|message| message.use_candidate()) {
                peer.choose(route);
            }
        }
        peer.heard = now;
        peer.session.received.add(bytes.len() as u64);
        let taken = peer.engine.receive(now, packet, &mut peer.outbox);
        if stun {
            self.learn(key, route);
        }
        self.follow_up(key, now, taken.map_err(|error| broken(&error)));
    }

    /// Answers a check of the ICE session before a restart, on a path that it validated.
    fn answer_former(&mut self, key: usize, now: Instant, bytes: &[u8], route: &Route) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let answer = peer.former.as_ref().and_then(|former| former.answer(now, bytes, route.peer()));
        let Some(answer) = answer else { return };
        peer.heard = now;
        let (protocol, to) = (route.protocol(), route.peer());
        peer.outbox.datagrams.push(Datagram { protocol, to, bytes: answer.into() });
        self.flush(key);
    }

    /// Takes RTCP from a viewer.
    fn report(&mut self, key: usize, now: Instant, bytes: &[u8]) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Role::Play(egress) = &mut peer.role else { return };
        peer.heard = now;
        peer.session.received.add(bytes.len() as u64);
        let key_frame = egress.receive(now, bytes, &mut self.batch);
        let layer = egress.layer();
        self.send(key);
        let stream = self.peers.get(key).and_then(|peer| peer.stream());
        if key_frame && let Some(channel) = stream.and_then(|name| self.channels.get(name)) {
            channel.want_key_frame(layer);
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

    /// After a change: events to the session's role, datagrams to the network, the next tick.
    pub(crate) fn follow_up(&mut self, key: usize, now: Instant, outcome: Result<(), String>) {
        let mut outcome = outcome;
        for _ in 0..64 {
            let Some(peer) = self.peers.get_mut(key) else { return };
            let events = std::mem::take(&mut peer.outbox.events);
            if events.is_empty() || outcome.is_err() {
                break;
            }
            for event in events {
                outcome = outcome.and_then(|()| self.happened(key, now, event));
            }
        }
        self.flush(key);
        let Some(peer) = self.peers.get(key) else { return };
        match outcome {
            Err(reason) => self.end(key, Some(&reason)),
            Ok(()) if !peer.engine.is_alive() => self.end(key, None),
            Ok(()) => self.schedule(key, now),
        }
    }

    fn happened(&mut self, key: usize, now: Instant, event: Event) -> Result<(), String> {
        let Some(peer) = self.peers.get_mut(key) else { return Ok(()) };
        match event {
            Event::Connected => {
                peer.connected();
                let keys = peer.engine.take_keys();
                let profile = keys.as_ref().map(|keys| crate::srtp::name(keys.profile));
                peer.status.update(|facts| facts.srtp = profile);
                match &mut peer.role {
                    Role::Publish(_) => peer.publish(&self.gateway)?,
                    Role::Play(egress) => {
                        egress.connect(&keys.ok_or("DTLS ended without keys for SRTP")?, now)?;
                        self.flush(key); // the handshake's end goes before the first packet, which else is lost
                        self.join(key, now);
                    }
                }
            }
            Event::Closed => return Ok(()),
            event => peer.take(now, event)?,
        }
        Ok(())
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
        if let Some(peer) = self.peers.get(key).filter(|_| !self.batch.is_empty()) {
            peer.session.sent.add(self.batch.bytes() as u64);
            match peer.route() {
                Some(Route::Tcp { connection, .. }) => crate::tcp::send(connection, &self.batch),
                Some(Route::Udp { peer, local }) => self.socket.send(&self.batch, *peer, *local),
                None => {}
            }
        }
        self.batch.clear();
    }

    /// Sends what a session's state machine has made, but for a viewer's RTCP, which is not its business.
    fn flush(&mut self, key: usize) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let mut datagrams = std::mem::take(&mut peer.outbox.datagrams);
        if matches!(peer.role, Role::Play(_)) {
            datagrams.retain(|datagram| !is_media(&datagram.bytes));
        }
        let mut rest: &[Datagram] = &datagrams;
        while let Some(first) = rest.first() {
            // STUN is answered where it came from; the rest goes the way that the peer chose last, which the state
            // machine learns later.
            let stun = is_stun(&first.bytes);
            let like =
                |d: &&Datagram| (d.to, d.protocol, is_stun(&d.bytes)) == (first.to, first.protocol, stun);
            let (run, after) = rest.split_at(rest.iter().take_while(like).count());
            run.iter().for_each(|datagram| self.batch.push(&datagram.bytes));
            peer.session.sent.add(self.batch.bytes() as u64);
            match if stun { peer.route_to(first.protocol, first.to) } else { peer.route() } {
                Some(Route::Tcp { connection, .. }) => crate::tcp::send(connection, &self.batch),
                Some(Route::Udp { peer, local }) => self.socket.send(&self.batch, *peer, *local),
                None => {} // an address that is no longer this session's
            }
            self.batch.clear();
            rest = after;
        }
        datagrams.clear();
        peer.outbox.datagrams = datagrams; // its room is used again
    }

    fn schedule(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let due = peer.due().max(now + TICK_MIN);
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
            let outcome = match peer.engine.deadline() <= now {
                true => peer.engine.tick(now, &mut peer.outbox).map_err(|error| error.to_string()),
                false => Ok(()),
            };
            let woken = peer.wake.take_if(|wake| *wake <= now).is_some();
            self.follow_up(key, now, outcome);
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
                let old = peer.ufrag.clone();
                let outcome = act(peer);
                if peer.ufrag != old {
                    let ice = IceNames { local: peer.ufrag.clone(), remote: peer.remote.clone() };
                    self.gateway.registry.rename(&old, ice);
                }
                self.follow_up(key, now, outcome);
            }
        }
    }

    /// Ends a session, by its own wish or ours, or with the reason why it failed.
    pub(crate) fn end(&mut self, key: usize, reason: Option<&str>) {
        let Some(mut peer) = self.peers.try_remove(key) else { return };
        for address in peer.addresses() {
            self.addresses.forget(&address, key);
        }
        if let Role::Play(egress) = &mut peer.role {
            egress.bye(&mut self.batch);
        }
        if let Some(Route::Udp { peer, local }) = peer.route() {
            self.socket.send(&self.batch, *peer, *local);
        }
        self.batch.clear();
        peer.close();
        self.gateway.registry.remove(&peer.ufrag);
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
        let own = matches!(peer.role, Role::Publish(_)); // a viewer's RTCP is not the state machine's
        let goodbyes = peer.outbox.datagrams.iter().filter(|datagram| own || !is_media(&datagram.bytes));
        goodbyes.for_each(|datagram| self.batch.push(&datagram.bytes));
        if let Some(Route::Udp { peer, local }) = peer.route() {
            self.socket.send(&self.batch, *peer, *local);
        }
        self.batch.clear();
        let Some(name) = peer.stream() else { return };
        if let Some(channel) = self.channels.get_mut(name) {
            channel.viewers.retain(|&viewer| viewer != key);
            if channel.viewers.is_empty() {
                self.channels.remove(name);
            }
        }
    }
}

/// What a state machine fell over, in words.
fn broken(error: &RtcError) -> String {
    match error.to_string() {
        text if text.contains("fingerprint") => {
            "the peer's DTLS certificate is not the one whose fingerprint its \
             offer told: the offer was changed on its way, or somebody else answers at the peer's address"
                .to_owned()
        }
        text => text,
    }
}

pub(crate) fn protocol_name(protocol: Protocol) -> &'static str {
    if protocol == Protocol::Udp { "udp" } else { "tcp" }
}

fn is_stun(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|&first| first < 2) && bytes.len() >= 20
}

/// RTP or RTCP, sealed or not (RFC 7983 7).
fn is_media(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| (128..=191).contains(first))
}

/// Our user name in a STUN binding request; `None` for everything else.
pub(crate) fn stun_user(bytes: &[u8]) -> Option<String> {
    if !is_stun(bytes) {
        return None;
    }
    let message = StunMessage::parse(bytes).ok()?;
    message.is_binding_request().then_some(())?;
    message.split_username().map(|(local, _)| local.to_owned())
}

fn parse<'a>(bytes: &'a [u8], route: &Route) -> Option<Receive<'a>> {
    Receive::new(route.protocol(), route.peer(), own_address(route.peer()), bytes).ok()
}
