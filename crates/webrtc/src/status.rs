//! What the API shows of a session, and what remains of it for a while when it failed.

pub use crate::thinning::Level;
use headwater_hub::SessionId;
use parking_lot::Mutex;
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

/// What others are told of a session.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// Id of the client.
    pub id: SessionId,
    /// `rtc-publish` or `rtc-play`.
    pub kind: &'static str,
    /// The stream's URL path, `app/stream`.
    pub stream: String,
    /// The `session` of its URL.
    pub name: String,
    /// What the answer offered, `udp 192.0.2.7:8000`.
    pub candidates: Vec<String>,
    /// Since it was made.
    pub age: Duration,
    /// What changes.
    pub facts: Facts,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
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

/// What changes while a session lasts. Counts are totals since its beginning.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// How far it has come.
    pub phase: Phase,
    /// Why it ended, when it ended by a fault; why its player sees no pictures, while it lasts.
    pub reason: Option<String>,
    /// `udp 198.51.100.2:5000` of the pair in use.
    pub remote: Option<String>,
    /// Addresses that STUN requests came from; at most 8.
    pub tried: Vec<String>,
    /// Profile of SRTP, by its registered name.
    pub srtp: Option<&'static str>,
    /// Round trip, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Pictures and sound, each layer of a publisher.
    pub tracks: Vec<TrackFacts>,
    /// Bits a second that the path is thought to carry; of players.
    pub estimate_bps: Option<u64>,
    /// What a player gets of the pictures.
    pub level: Option<Level>,
    /// The simulcast layer that a player gets, or that is the publisher's stream.
    pub layer: Option<String>,
}

/// One track of a session, or one layer of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrackFacts {
    /// Media section.
    pub mid: String,
    /// Simulcast layer.
    pub rid: Option<String>,
    /// `audio` or `video`.
    pub kind: &'static str,
    /// As SDP names it.
    pub codec: String,
    /// Ticks a second of its RTP timestamps; 0 while unknown.
    pub clock_rate: u32,
    /// Packets received, or sent to a player.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bits a second lately.
    pub bitrate_bps: u64,
    /// Share of packets lost lately, 0 to 1.
    pub loss: Option<f32>,
    /// Packets that never came, or that a player reports lost.
    pub lost: u64,
    /// Packets that came late (of a publisher), or were sent again (to a player).
    pub repaired: u64,
    /// Requests to send packets again: sent to a publisher, received from a player.
    pub nacks: u64,
    /// Requests for a key frame (PLI), likewise.
    pub plis: u64,
    /// Requests for a key frame (FIR), likewise.
    pub firs: u64,
    /// Interarrival jitter in ticks.
    pub jitter: Option<u32>,
    /// When the bitrate was measured, and the bytes then.
    measured: Option<(Instant, u64)>,
}

impl TrackFacts {
    /// Interarrival jitter in milliseconds.
    pub fn jitter_ms(&self) -> Option<f64> {
        let rate = Some(self.clock_rate).filter(|&rate| rate > 0)?;
        self.jitter.map(|jitter| f64::from(jitter) * 1e3 / f64::from(rate))
    }

    /// Notes how many bytes there were by now; tells the bitrate from that.
    pub(crate) fn counted(&mut self, now: Instant, packets: u64, bytes: u64) {
        const LEAST: Duration = Duration::from_millis(900);
        (self.packets, self.bytes) = (packets, bytes);
        let (then, before) = *self.measured.get_or_insert((now, bytes));
        let passed = now.saturating_duration_since(then);
        if passed >= LEAST {
            self.bitrate_bps = (bytes.saturating_sub(before) as f64 * 8.0 / passed.as_secs_f64()) as u64;
            self.measured = Some((now, bytes));
        }
    }
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

    /// All of it, as others are told.
    pub(crate) fn tell(&self) -> SessionFacts {
        SessionFacts {
            id: self.id,
            kind: self.kind,
            stream: self.stream.clone(),
            name: self.name.clone(),
            candidates: self.candidates.clone(),
            age: self.since.elapsed(),
            facts: self.facts(),
        }
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
