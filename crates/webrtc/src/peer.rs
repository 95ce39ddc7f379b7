//! One session: its state machine, what it is for, and where its packets go.

use crate::WebRtc;
use crate::addresses::Address;
use crate::dtls::Dtls;
use crate::egress::Egress;
use crate::ice::Ice;
use crate::ingest::Ingest;
use crate::keys::Keys;
use crate::port::protocol_name;
use crate::registry::Route;
use crate::source::Finder;
use crate::status::{Phase, Status};
use headwater_hub::{Session, StreamName};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A peer with its session.
pub(crate) struct Peer {
    pub(crate) ice: Ice,
    pub(crate) dtls: Dtls,
    pub(crate) session: Arc<Session>,
    pub(crate) status: Arc<Status>,
    pub(crate) role: Role,
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
    pub(crate) ice: Ice,
    pub(crate) dtls: Dtls,
    pub(crate) session: Arc<Session>,
    pub(crate) status: Arc<Status>,
    pub(crate) role: Role,
    pub(crate) token: Box<str>,
    pub(crate) patience: Duration,
}

impl Peer {
    pub(crate) fn new(birth: Birth, now: Instant) -> Peer {
        let Birth { ice, dtls, session, status, role, token, patience } = birth;
        let routes = SmallVec::new();
        Peer {
            ice,
            dtls,
            session,
            status,
            role,
            token,
            patience,
            heard: now,
            scheduled: None,
            wake: None,
            routes,
            chosen: None,
        }
    }

    /// A packet of the peer's came.
    pub(crate) fn hear(&mut self, now: Instant, bytes: &[u8]) {
        self.heard = now;
        self.session.received.add(bytes.len() as u64);
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
    pub(crate) fn due(&self) -> Option<Instant> {
        let feedback = match &self.role {
            Role::Publish(ingest) => ingest.due(),
            Role::Play(_) => None,
        };
        [self.dtls.deadline(), self.wake, feedback].into_iter().flatten().min()
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
    pub(crate) fn connected(&mut self, keys: &Keys) {
        tracing::info!(cid = %self.session.id(), stream = %self.status.stream, kind = self.status.kind, "webrtc connected");
        self.status.update(|facts| {
            facts.phase = Phase::Connected;
            facts.srtp = Some(crate::srtp::name(keys.profile));
        });
    }

    /// A publisher takes possession of its stream. Fails when another was faster.
    pub(crate) fn publish(&mut self, gateway: &WebRtc) -> Result<(), String> {
        let Role::Publish(ingest) = &mut self.role else { return Ok(()) };
        let (registry, token) = (gateway.registry.clone(), self.token.clone());
        let name = self.status.name.split_once(':').map_or("", |(local, _)| local).to_owned();
        let ask = Arc::new(move |layer| {
            let ask = Box::new(move |peer: &mut Peer| peer.ask_key_frame(layer));
            registry.with(&name, &token, ask).ok(); // it may have left meanwhile
        });
        ingest.publish(&self.session, Finder::new(gateway.sources.clone()), ask)
    }

    fn ask_key_frame(&mut self, layer: u8) -> Result<(), String> {
        if let Role::Publish(ingest) = &mut self.role {
            ingest.want_key_frame(layer);
        }
        Ok(())
    }

    /// Brings its status up to date.
    pub(crate) fn tell(&self, now: Instant) {
        self.status.update(|facts| {
            facts.remote =
                self.route().map(|way| format!("{} {}", protocol_name(way.protocol()), way.peer()));
            match &self.role {
                Role::Play(egress) => egress.tell(now, facts),
                Role::Publish(ingest) => ingest.tell(now, facts),
            }
        });
    }
}
