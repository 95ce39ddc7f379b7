//! One session: its state machine, what it is for, and where its packets go.

use crate::WebRtc;
use crate::addresses::Address;
use crate::egress::Egress;
use crate::engine::{Engine, Outbox};
use crate::former::Former;
use crate::ingest::Ingest;
use crate::port::protocol_name;
use crate::registry::Route;
use crate::status::{Facts, Phase, Status};
use headwater_hub::{Session, StreamName};
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::net::Protocol;
use str0m::stats::{MediaIngressStats, PeerStats};
use str0m::{Event, IceConnectionState};

/// A peer with its session.
pub(crate) struct Peer {
    pub(crate) engine: Engine,
    /// What its last change made and nobody has sent yet.
    pub(crate) outbox: Outbox,
    pub(crate) session: Arc<Session>,
    pub(crate) status: Arc<Status>,
    pub(crate) role: Role,
    /// Our ICE user name.
    pub(crate) ufrag: Box<str>,
    /// The peer's ICE user name.
    pub(crate) remote: Box<str>,
    /// The ICE session before the last restart.
    pub(crate) former: Option<Former>,
    /// What its maker proves itself with when it ends or changes the session.
    pub(crate) token: Box<str>,
    /// `stun_timeout`: how long it may be silent.
    pub(crate) patience: Duration,
    pub(crate) heard: Instant,
    /// When it is looked at next.
    pub(crate) scheduled: Option<Instant>,
    /// When a viewer's pace allows more.
    pub(crate) wake: Option<Instant>,
    /// The validated ways to the peer, newest last.
    routes: SmallVec<[Route; 2]>,
    /// The way that the peer chose.
    chosen: Option<Route>,
}

/// What a session is for.
pub(crate) enum Role {
    Publish(Box<Ingest>),
    Play(Box<Egress>),
}

/// What signalling makes a peer of.
pub(crate) struct Birth {
    pub(crate) engine: Engine,
    pub(crate) outbox: Outbox,
    pub(crate) session: Arc<Session>,
    pub(crate) status: Arc<Status>,
    pub(crate) role: Role,
    pub(crate) ufrag: Box<str>,
    pub(crate) remote: Box<str>,
    pub(crate) token: Box<str>,
    pub(crate) patience: Duration,
}

impl Peer {
    pub(crate) fn new(birth: Birth, now: Instant) -> Peer {
        let Birth { engine, outbox, session, status, role, ufrag, remote, token, patience } = birth;
        let routes = SmallVec::new();
        Peer {
            engine,
            outbox,
            session,
            status,
            role,
            ufrag,
            remote,
            former: None,
            token,
            patience,
            heard: now,
            scheduled: None,
            wake: None,
            routes,
            chosen: None,
        }
    }

    /// Whether it has been silent for too long.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        now.duration_since(self.heard) > self.patience
    }

    /// What silence means, by how far the session had come.
    pub(crate) fn silence(&self) -> String {
        let seconds = self.patience.as_secs();
        match self.status.facts().phase {
            Phase::Waiting | Phase::Connecting => format!(
                "STUN requests came, but DTLS did not finish within {seconds} s: does a firewall let packets of more \
                 than 1,000 bytes through, and did the answer reach the client whole?"
            ),
            Phase::Connected | Phase::Closed => {
                format!("nothing was heard of the peer for {seconds} s (vhost.rtc.stun_timeout)")
            }
        }
    }

    /// Remembers a validated way to the peer, at most `max` of them; the one that is forgotten for it.
    pub(crate) fn learn(&mut self, route: &Route, max: usize) -> Option<Route> {
        self.routes.retain(|known| known.address() != route.address());
        let oldest = (self.routes.len() >= max).then(|| self.routes.remove(0));
        self.routes.push(route.clone());
        oldest
    }

    /// The peer nominated this way (ICE's USE-CANDIDATE).
    pub(crate) fn choose(&mut self, route: &Route) {
        self.chosen = Some(route.clone());
    }

    /// The way that media take.
    pub(crate) fn route(&self) -> Option<&Route> {
        self.chosen.as_ref().or(self.routes.last())
    }

    /// When it is to be looked at next.
    pub(crate) fn due(&self) -> Instant {
        let deadline = self.engine.deadline();
        self.wake.map_or(deadline, |wake| wake.min(deadline))
    }

    /// The way to an address, if it was validated.
    pub(crate) fn route_to(&self, protocol: Protocol, peer: SocketAddr) -> Option<&Route> {
        self.routes.iter().find(|route| route.peer() == peer && is_same(route.protocol(), protocol))
    }

    /// The addresses that lead here.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Address> {
        self.routes.iter().map(Route::address)
    }

    /// The stream it watches.
    pub(crate) fn stream(&self) -> Option<&StreamName> {
        match &self.role {
            Role::Play(egress) => Some(egress.stream().name()),
            Role::Publish(_) => None,
        }
    }

    /// ICE and DTLS are through.
    pub(crate) fn connected(&mut self) {
        tracing::info!(cid = %self.session.id(), stream = %self.status.stream, kind = self.status.kind, "webrtc connected");
        self.status.update(|facts| facts.phase = Phase::Connected);
    }

    /// A publisher takes possession of its stream. Fails when another was faster.
    pub(crate) fn publish(&mut self, gateway: &WebRtc) -> Result<(), String> {
        let Role::Publish(ingest) = &mut self.role else { return Ok(()) };
        let source = gateway.source(ingest.stream());
        ingest.publish(&self.session, source.clone())?;
        let (registry, name, token) = (gateway.registry.clone(), self.ufrag.clone(), self.token.clone());
        source.set_ask(Some(Box::new(move |layer| {
            let ask = Box::new(move |peer: &mut Peer| peer.ask_key_frame(layer));
            registry.with(&name, &token, ask).ok(); // it may have left meanwhile
        })));
        Ok(())
    }

    fn ask_key_frame(&mut self, layer: u8) -> Result<(), String> {
        if let Role::Publish(ingest) = &mut self.role {
            ingest.want_key_frame(layer);
        }
        Ok(())
    }

    /// Takes an event of the state machine.
    pub(crate) fn take(&mut self, now: Instant, event: Event) -> Result<(), String> {
        match event {
            Event::IceConnectionStateChange(state) => self.ice(state),
            Event::PeerStats(stats) => self.path(&stats),
            Event::MediaIngressStats(stats) => self.received(&stats),
            event => {
                if let Role::Publish(ingest) = &mut self.role {
                    ingest.take(&mut self.engine, &mut self.outbox, now, event)?;
                }
            }
        }
        Ok(())
    }

    fn ice(&mut self, state: IceConnectionState) {
        tracing::debug!(cid = %self.session.id(), ?state, "webrtc ice");
    }

    fn path(&mut self, stats: &PeerStats) {
        let pair = stats.selected_candidate_pair.as_ref();
        let remote = pair.map(|pair| format!("{} {}", protocol_name(pair.protocol), pair.remote.addr));
        self.status.update(|facts| {
            facts.remote = remote.or_else(|| facts.remote.take());
            facts.rtt_ms = stats.rtt.map(|rtt| rtt.as_secs_f64() * 1e3).or(facts.rtt_ms);
        });
    }

    fn received(&mut self, stats: &MediaIngressStats) {
        let Role::Publish(ingest) = &self.role else { return };
        self.status.update(|facts| {
            received(facts, stats);
            ingest.tell(facts);
        });
    }

    /// Brings a viewer's status up to date.
    pub(crate) fn tell(&self, now: Instant) {
        if let Role::Play(egress) = &self.role {
            self.status.update(|facts| {
                facts.remote =
                    self.route().map(|way| format!("{} {}", protocol_name(way.protocol()), way.peer()));
                egress.tell(now, facts);
            });
        }
    }

    /// Says goodbye; what it makes of it is in the outbox.
    pub(crate) fn close(&mut self) {
        self.engine.change(&mut self.outbox, |rtc| rtc.close().ok()).ok(); // a broken one cannot say goodbye
    }
}

fn is_same(one: Protocol, other: Protocol) -> bool {
    protocol_name(one) == protocol_name(other)
}

fn received(facts: &mut Facts, stats: &MediaIngressStats) {
    let track = facts.track(stats.mid.to_string(), stats.rid.map(|rid| rid.to_string()));
    track.counted(stats.timestamp, stats.packets, stats.bytes);
    track.loss = stats.loss;
    track.nacks = stats.nacks;
    track.plis = stats.plis;
    track.firs = stats.firs;
    track.jitter = Some(stats.jitter);
}
