//! What must be reached, and whether it was.

use crate::floor::Floor;
use crate::play::Played;
use crate::publish::Published;
use crate::webrtc::play::Watched;
use crate::webrtc::publish::Sent;
use std::time::Duration;

/// CPU of a delivery, as a multiple of the floor's at the same batch.
const TIMES_FLOOR: f64 = 1.3;
/// User CPU seconds for each GB played.
const USER_PER_GB: f64 = 0.03;
/// CPU seconds for each GB published.
const PUBLISH_PER_GB: f64 = 1.0;
/// CPU for each GB with two workers, as a multiple of one worker's.
const TWO_WORKERS: f64 = 1.1;
/// CPU of another way to carry the same stream over HTTP, as a multiple of HTTP-FLV's.
const BESIDE_FLV: f64 = 1.15;
/// CPU for each GB of segments, as a multiple of nginx's for the same files.
const BESIDE_NGINX: f64 = 1.2;
/// Bytes for each player.
pub(crate) const PLAYER_MEMORY: u64 = 8 * 1024;
/// Bytes for each publisher with a GOP of 2 s.
pub(crate) const PUBLISHER_MEMORY: u64 = 1 << 20;
/// CPU microseconds for each packet that a WebRTC publisher sends.
const WHIP_PER_PACKET_US: f64 = 5.0;
/// What two workers carry, as a multiple of one worker's.
const TWO_WORKERS_CARRY: f64 = 1.9;
/// Bytes for each WebRTC viewer.
pub(crate) const VIEWER_MEMORY: u64 = 100_000;
/// Added latency from RTMP to WebRTC on an idle server, p99: pictures, and sound that is converted.
const WHEP_LATENCY_MS: f64 = 10.0;
const SOUND_LATENCY_MS: f64 = 60.0;
/// From the answer to a WebRTC viewer's first picture, when a key picture is cached.
const JOIN_MS: f64 = 150.0;
/// Added latency on an idle server, p99.
const LATENCY_MS: f64 = 5.0;
/// From the start of the process until it listens.
const START: Duration = Duration::from_millis(100);
/// A new player's first picture, when a GOP is cached.
const FIRST_PICTURE_MS: f64 = 50.0;
/// Memory after many have come and gone, as a multiple of that before.
const MEMORY_AFTER: f64 = 1.1;

/// A target in words, and whether it was met; `None` when that could not be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) target: String,
    pub(crate) met: Option<bool>,
}

/// CPU seconds for each GB of the floor, by batch in milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Floors(Vec<(u64, f64)>);

impl Floors {
    pub(crate) fn add(&mut self, floor: &Floor) {
        self.0.extend(floor.cost.map(|cost| (floor.batch_ms, cost.per_gb_s)));
    }

    pub(crate) fn at(&self, batch_ms: u64) -> Option<f64> {
        self.0.iter().find(|(batch, _)| *batch == batch_ms).map(|(_, cost)| *cost)
    }
}

pub(crate) fn play(played: &Played, floor: Option<f64>) -> Verdict {
    let fed = played.delivery.fed == played.asked;
    let cost = played.cost.map(|cost| (cost.per_gb_s, cost.user_per_gb_s));
    cpu(cost, floor, fed)
}

fn cpu(cost: Option<(f64, f64)>, floor: Option<f64>, fed: bool) -> Verdict {
    let limit = floor.map(|floor| floor * TIMES_FLOOR);
    let limit_text = limit.map_or("not measured".into(), |limit| format!("{limit:.3}"));
    let met = cost.zip(limit).map(|((all, user), limit)| fed && all <= limit && user <= USER_PER_GB);
    Verdict {
        target: format!("≤ {limit_text} ({TIMES_FLOOR} × floor), user ≤ {USER_PER_GB}, all fed"), met
    }
}

pub(crate) fn scaling(one: f64, two: f64) -> Verdict {
    Verdict { target: format!("≤ {TWO_WORKERS} × one worker's"), met: Some(two <= one * TWO_WORKERS) }
}

/// `cost` and HTTP-FLV's, in CPU seconds for each GB, of rounds by turns.
pub(crate) fn beside(cost: Option<f64>, flv: Option<f64>, rounds: &[Played]) -> Verdict {
    let fed = rounds.iter().all(|played| played.delivery.fed == played.asked);
    at_most(BESIDE_FLV, cost, flv, fed, "HTTP-FLV", ", all fed")
}

/// `cost` and nginx's, in CPU seconds for each GB; `complete` when every segment asked for came.
pub(crate) fn segments(cost: Option<f64>, nginx: Option<f64>, complete: bool) -> Verdict {
    at_most(BESIDE_NGINX, cost, nginx, complete, "nginx", ", none failed")
}

fn at_most(times: f64, cost: Option<f64>, other: Option<f64>, done: bool, name: &str, also: &str) -> Verdict {
    let limit = other.map(|other| other * times);
    let limit_text = limit.map_or("not measured".into(), |limit| format!("{limit:.3}"));
    Verdict {
        target: format!("≤ {limit_text} ({times} × {name}){also}"),
        met: cost.zip(limit).map(|(cost, limit)| done && cost <= limit),
    }
}

pub(crate) fn publish(published: &Published) -> Verdict {
    let all_there = published.sent.open == published.asked && published.sent.skipped == 0;
    let met = published.cost.map(|cost| all_there && cost.per_gb_s <= PUBLISH_PER_GB);
    Verdict { target: format!("≤ {PUBLISH_PER_GB:.1} s/GB"), met }
}

/// `limit` in CPU microseconds for each packet.
pub(crate) fn watched(watched: &Watched, limit: f64) -> Verdict {
    let fed = watched.fed == watched.asked;
    let met = watched.cost.map(|cost| fed && cost.per_packet_us <= limit);
    Verdict { target: format!("≤ {limit} µs a packet, all fed"), met }
}

/// How many times as much `two` workers carry as one; `one` and `two` are CPU for each packet.
pub(crate) fn carried(one: f64, two: f64) -> f64 {
    2.0 * one / two
}

pub(crate) fn capacity(one: f64, two: f64) -> Verdict {
    let met = Some(carried(one, two) >= TWO_WORKERS_CARRY);
    Verdict { target: format!("≥ {TWO_WORKERS_CARRY} ×"), met }
}

pub(crate) fn whip(sent: &Sent) -> Verdict {
    let all_there = sent.open == sent.asked;
    let met = sent.cost.map(|cost| all_there && cost.per_packet_us <= WHIP_PER_PACKET_US);
    Verdict { target: format!("≤ {WHIP_PER_PACKET_US} µs a packet"), met }
}

pub(crate) fn whep_latency(p99_ms: Option<f64>) -> Verdict {
    at_most_ms(WHEP_LATENCY_MS, p99_ms)
}

pub(crate) fn sound_latency(p99_ms: Option<f64>) -> Verdict {
    at_most_ms(SOUND_LATENCY_MS, p99_ms)
}

pub(crate) fn join(p99_ms: Option<f64>) -> Verdict {
    at_most_ms(JOIN_MS, p99_ms)
}

fn at_most_ms(limit: f64, p99_ms: Option<f64>) -> Verdict {
    Verdict { target: format!("p99 ≤ {limit} ms"), met: p99_ms.map(|p99| p99 <= limit) }
}

pub(crate) fn memory(each: Option<i64>, limit: u64) -> Verdict {
    let target = format!("≤ {}", crate::report::bytes(limit));
    Verdict { target, met: each.map(|each| each <= limit as i64) }
}

pub(crate) fn latency(p99_ms: Option<f64>) -> Verdict {
    at_most_ms(LATENCY_MS, p99_ms)
}

pub(crate) fn first_picture(p99_ms: Option<f64>) -> Verdict {
    at_most_ms(FIRST_PICTURE_MS, p99_ms)
}

pub(crate) fn start(took: Duration) -> Verdict {
    Verdict { target: format!("< {} ms", START.as_millis()), met: Some(took < START) }
}

pub(crate) fn memory_after(before: Option<u64>, after: Option<u64>) -> Verdict {
    let met = before.zip(after).map(|(before, after)| after as f64 <= before as f64 * MEMORY_AFTER);
    Verdict { target: "within 10 %".into(), met }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_must_be_near_the_floor_with_everybody_fed() {
        let met = |cost, fed| cpu(Some(cost), Some(0.2), fed).met;
        assert_eq!(met((0.26, 0.03), true), Some(true));
        assert_eq!(met((0.27, 0.01), true), Some(false));
        assert_eq!(met((0.20, 0.04), true), Some(false));
        assert_eq!(met((0.20, 0.01), false), Some(false));
        assert_eq!(cpu(Some((0.1, 0.0)), None, true).met, None);
    }

    #[test]
    fn another_server_is_the_measure_of_segments() {
        assert_eq!(segments(Some(0.11), Some(0.1), true).met, Some(true));
        assert_eq!(segments(Some(0.13), Some(0.1), true).met, Some(false));
        assert_eq!(segments(Some(0.1), Some(0.1), false).met, Some(false));
        assert_eq!(segments(Some(0.1), None, true).met, None);
        assert_eq!(beside(Some(0.22), Some(0.2), &[]).met, Some(true));
    }

    #[test]
    fn limits_are_met_when_reached_exactly() {
        assert_eq!(scaling(1.0, 1.1).met, Some(true));
        assert_eq!(memory(Some(8 * 1024), PLAYER_MEMORY).met, Some(true));
        assert_eq!(memory(Some(8 * 1024 + 1), PLAYER_MEMORY).met, Some(false));
        assert_eq!(memory(Some(-5), PLAYER_MEMORY).met, Some(true));
        assert_eq!(latency(Some(5.0)).met, Some(true));
        assert_eq!(first_picture(Some(50.1)).met, Some(false));
        assert_eq!(capacity(1.9, 2.0).met, Some(true));
        assert_eq!(join(Some(150.0)).met, Some(true));
        assert_eq!(start(START).met, Some(false));
        assert_eq!(memory_after(Some(100), Some(111)).met, Some(false));
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        assert_eq!(latency(None).met, None);
        assert_eq!(memory(None, 1).met, None);
        assert_eq!(memory_after(None, Some(1)).met, None);
    }
}
