//! What came from the network: to the session it belongs to, and to the worker where that lives.

use super::{Port, protocol_name};
use crate::ice;
use crate::peer::{Peer, Role};
use crate::registry::{Claim, Order, Route};
use std::time::Instant;

/// Addresses that lead to one session: a phone that changes networks has two or three.
const ADDRESSES_MAX: usize = 8;

impl Port {
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
    pub(super) fn passed_on(&mut self, key: usize, bytes: &[u8], route: &Route, by: usize) {
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
}
