//! What the API shows of a session, and what remains of it for a while when it failed.

use headwater_hub::SessionId;
use parking_lot::Mutex;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Addresses that are remembered of a session's tries.
const TRIED_MAX: usize = 8;

/// One session, as others may look at it while its worker works.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) id: SessionId,
    /// `rtc-publish` or `rtc-play`.
    pub(crate) kind: &'static str,
    /// The stream's URL path, `app/stream`.
    pub(crate) stream: String,
    /// The `session` of its URL: whoever opened it finds itself in the list.
    pub(crate) name: String,
    /// What the answer offered, `udp 192.0.2.7:8000`.
    pub(crate) candidates: Vec<String>,
    since: Instant,
    facts: Mutex<Facts>,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// Nothing came yet.
    #[default]
    Waiting,
    /// STUN requests came; DTLS is not finished.
    Connecting,
    /// Media may flow.
    Connected,
    /// It is over.
    Closed,
}

/// What changes while a session lasts. Rates and counts are totals since its beginning.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Facts {
    pub(crate) phase: Phase,
    /// Why it ended, when it ended by a fault.
    pub(crate) reason: Option<String>,
    /// `udp 198.51.100.2:5000` of the pair in use.
    pub(crate) remote: Option<String>,
    /// Addresses that STUN requests came from.
    pub(crate) tried: Vec<String>,
    /// Round trip, in milliseconds.
    pub(crate) rtt_ms: Option<f64>,
    pub(crate) tracks: Vec<TrackFacts>,
    /// Bits a second that the path is thought to carry; for players.
    pub(crate) estimate_bps: Option<u64>,
}

/// One track of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct TrackFacts {
    pub(crate) mid: String,
    /// Simulcast layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rid: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) codec: String,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Share of packets lost lately, 0 to 1.
    pub(crate) loss: Option<f32>,
    pub(crate) nacks: u64,
    pub(crate) plis: u64,
    pub(crate) firs: u64,
    pub(crate) jitter: Option<u32>,
}

impl Facts {
    /// The track of a section and layer, added when it is new.
    pub(crate) fn track(&mut self, mid: String, rid: Option<String>) -> &mut TrackFacts {
        let known = self.tracks.iter().position(|track| track.mid == mid && track.rid == rid);
        let at = known.unwrap_or_else(|| {
            self.tracks.push(TrackFacts { mid, rid, ..TrackFacts::default() });
            self.tracks.len() - 1
        });
        &mut self.tracks[at] // found or pushed in the lines above
    }
}

impl Status {
    pub(crate) fn new(
        id: SessionId,
        kind: &'static str,
        stream: String,
        name: String,
        candidates: Vec<String>,
    ) -> Status {
        Status { id, kind, stream, name, candidates, since: Instant::now(), facts: Mutex::default() }
    }

    pub(crate) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    pub(crate) fn facts(&self) -> Facts {
        self.facts.lock().clone()
    }

    /// Notes a track that was agreed on.
    pub(crate) fn agreed(&self, mid: String, kind: &'static str, codec: String) {
        self.facts.lock().tracks.push(TrackFacts { mid, kind, codec, ..TrackFacts::default() });
    }

    /// Changes what is known.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock());
    }

    /// Notes that a STUN request came from `peer`.
    pub(crate) fn tried(&self, protocol: &str, peer: SocketAddr) {
        let mut facts = self.facts.lock();
        let place = format!("{protocol} {peer}");
        if facts.phase == Phase::Waiting {
            facts.phase = Phase::Connecting;
        }
        if facts.tried.len() < TRIED_MAX && !facts.tried.contains(&place) {
            facts.tried.push(place);
        }
    }

    /// Notes why it failed, and says so in the log.
    pub(crate) fn fail(&self, reason: &str) {
        tracing::warn!(cid = %self.id, stream = %self.stream, kind = self.kind, reason, "webrtc session failed");
        self.update(|facts| {
            facts.phase = Phase::Closed;
            facts.reason = Some(reason.to_owned());
        });
    }
}
