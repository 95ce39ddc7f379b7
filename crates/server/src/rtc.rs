//! WebRTC sessions in the words of the API.

use headwater_api::RtcSessions;
use headwater_api::shapes::{RtcSession, RtcTrack};
use headwater_webrtc::{Level, Phase, SessionFacts, TrackFacts, WebRtc};
use std::sync::Arc;

/// Tells the API of the gateway's sessions.
#[derive(Debug)]
pub(crate) struct Sessions(pub(crate) Arc<WebRtc>);

impl RtcSessions for Sessions {
    fn live(&self) -> Vec<RtcSession> {
        self.0.sessions().into_iter().map(session).collect()
    }

    fn failed(&self) -> Vec<RtcSession> {
        self.0.failures().into_iter().map(session).collect()
    }
}

fn session(told: SessionFacts) -> RtcSession {
    let SessionFacts { id, kind, stream, name, candidates, age, facts } = told;
    RtcSession {
        id: id.to_string(),
        kind,
        stream,
        session: name,
        age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        phase: phase(facts.phase),
        reason: facts.reason,
        candidates,
        tried: facts.tried,
        remote: facts.remote,
        srtp: facts.srtp.map(str::to_owned),
        rtt_ms: facts.rtt_ms,
        estimate_bps: facts.estimate_bps,
        level: facts.level.map(level),
        layer: facts.layer,
        tracks: facts.tracks.into_iter().map(track).collect(),
    }
}

fn track(told: TrackFacts) -> RtcTrack {
    let jitter_ms = told.jitter_ms();
    RtcTrack {
        mid: told.mid,
        rid: told.rid,
        kind: told.kind,
        codec: told.codec,
        packets: told.packets,
        bytes: told.bytes,
        bitrate_bps: told.bitrate_bps,
        loss: told.loss,
        lost: told.lost,
        repaired: told.repaired,
        nacks: told.nacks,
        plis: told.plis,
        firs: told.firs,
        jitter_ms,
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Connecting => "connecting",
        Phase::Connected => "connected",
        Phase::Closed => "closed",
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Full => "full",
        Level::Referenced => "referenced",
        Level::Keys => "keys",
        Level::Paused => "paused",
    }
}
