//! Lines of the table.

use super::verdict::{self, Verdict};
use crate::connect::Connected;
use crate::cost::Cost;
use crate::delivery::Delivery;
use crate::floor::{Datagrams, Floor};
use crate::play::Played;
use crate::publish::Published;
use crate::report::{self, bytes};
use crate::segments::Fetched;
use crate::summary::Summary;
use crate::webrtc::cost::PacketCost;
use crate::webrtc::play::Watched;
use crate::webrtc::publish::Sent;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Display;
use std::time::Duration;

/// One server at one kind of work.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) server: String,
    /// The figures in words.
    pub(crate) result: String,
    /// What must be reached, if anything must.
    pub(crate) target: Option<String>,
    /// Whether it was; absent when there is no target or it could not be told.
    pub(crate) met: Option<bool>,
    /// Everything that was measured.
    pub(crate) detail: Value,
}

fn row(
    work: String,
    server: String,
    result: String,
    verdict: Option<Verdict>,
    detail: &impl Serialize,
) -> Row {
    Row {
        work,
        server,
        result,
        met: verdict.as_ref().and_then(|verdict| verdict.met),
        target: verdict.map(|verdict| verdict.target),
        // results are plain structs, which always serialise
        detail: serde_json::to_value(detail).unwrap_or_default(),
    }
}

pub(crate) fn floor(work: String, floor: &Floor) -> Row {
    let result = format!("{}, {}", cpu(floor.cost.as_ref()), fed(&floor.delivery, floor.delivery.players));
    row(work, "floor".into(), result, None, floor)
}

pub(crate) fn play(work: String, server: String, played: &Played, verdict: Option<Verdict>) -> Row {
    let latency =
        played.latency.map_or(String::new(), |latency| format!(", latency p50 {:.0} ms", latency.p50_ms));
    let result = format!("{}, {}{latency}", cpu(played.cost.as_ref()), fed(&played.delivery, played.asked));
    row(work, server, result, verdict, played)
}

/// Several rounds of the same work, told together.
pub(crate) fn turns(work: String, server: String, rounds: &[Played], verdict: Option<Verdict>) -> Row {
    let bytes: u64 = rounds.iter().map(|played| played.delivery.bytes).sum();
    let gigabytes = bytes as f64 / 1e9;
    let costs: Vec<_> = rounds.iter().filter_map(|played| played.cost).collect();
    let per_gb = |seconds: f64| if bytes == 0 { 0.0 } else { seconds / gigabytes };
    let all = per_gb(costs.iter().map(|cost| cost.user_s + cost.sys_s).sum());
    let user = per_gb(costs.iter().map(|cost| cost.user_s).sum());
    let fed = rounds.iter().map(|played| played.delivery.fed).min().unwrap_or(0);
    let asked = rounds.first().map_or(0, |played| played.asked);
    let stalls: u64 = rounds.iter().map(|played| played.delivery.stalls).sum();
    let latency = rounds.iter().filter_map(|played| played.latency).map(|latency| latency.p50_ms);
    let latency = latency.fold(0.0, f64::max);
    let result = format!(
        "{all:.3} s/GB (user {user:.3}) over {} turns, {fed} of {asked} fed, {stalls} stalls, latency p50 {latency:.0} ms",
        rounds.len()
    );
    row(work, server, result, verdict, &rounds)
}

/// How two workers compare with one; both in CPU seconds for each GB.
pub(crate) fn scaling(work: String, one: f64, two: f64) -> Row {
    let result = format!("{:.2} × one worker's CPU", two / one);
    row(work, "Headwater, 2 workers against 1".into(), result, Some(verdict::scaling(one, two)), &[one, two])
}

/// Several rounds of fetching segments, told together.
pub(crate) fn segments(work: String, server: String, rounds: &[Fetched], verdict: Option<Verdict>) -> Row {
    if rounds.is_empty() {
        return skipped(work, &server);
    }
    let bytes: u64 = rounds.iter().map(|fetched| fetched.bytes).sum();
    let count: u64 = rounds.iter().map(|fetched| fetched.segments).sum();
    let failed: usize = rounds.iter().map(|fetched| fetched.failures.count()).sum();
    let costs: Vec<_> = rounds.iter().filter_map(|fetched| fetched.cost).collect();
    let per_gb = |seconds: f64| if bytes == 0 { 0.0 } else { seconds / (bytes as f64 / 1e9) };
    let all = per_gb(costs.iter().map(|cost| cost.user_s + cost.sys_s).sum());
    let user = per_gb(costs.iter().map(|cost| cost.user_s).sum());
    let slowest =
        rounds.iter().filter_map(|fetched| fetched.took).map(|took| took.p99_ms).fold(0.0, f64::max);
    let each = report::bytes(bytes / count.max(1));
    let result = format!(
        "{all:.3} s/GB (user {user:.3}) over {} turns, {count} segments of {each}, {failed} failed, p99 {slowest:.0} ms",
        rounds.len()
    );
    row(work, server, result, verdict, &rounds)
}

pub(crate) fn publish(work: String, server: String, published: &Published, verdict: Option<Verdict>) -> Row {
    let (sent, asked) = (&published.sent, published.asked);
    let cpu = cpu(published.cost.as_ref());
    let result = format!("{cpu}, {} of {asked} publishing, {} frames skipped", sent.open, sent.skipped);
    row(work, server, result, verdict, published)
}

pub(crate) fn datagrams(work: String, floor: &Datagrams) -> Row {
    let result = format!("{}, {:.0} packets/s", per_packet(floor.cost.as_ref()), floor.packets_per_second);
    row(work, "floor".into(), result, None, floor)
}

/// `limit` in CPU microseconds for each packet.
pub(crate) fn watched(work: String, server: String, watched: &Watched, limit: f64) -> Row {
    let Watched { fed, asked, lost, packets_per_second: rate, .. } = watched;
    let latency = watched.latency.map_or(0.0, |latency| latency.p99_ms);
    let result = format!(
        "{}, {fed} of {asked} fed, {lost} packets lost, {rate:.0} packets/s, latency p99 {latency:.1} ms",
        per_packet(watched.cost.as_ref())
    );
    row(work, server, result, Some(verdict::watched(watched, limit)), watched)
}

/// What two workers carry beside one, from CPU microseconds for each packet.
pub(crate) fn capacity(work: String, one: f64, two: f64) -> Row {
    let result = format!("{:.2} × (2 × {one:.2} ÷ {two:.2} µs a packet)", verdict::carried(one, two));
    row(work, "Headwater, 2 workers against 1".into(), result, Some(verdict::capacity(one, two)), &[one, two])
}

pub(crate) fn whip(work: String, server: String, sent: &Sent) -> Row {
    let Sent { open, asked, nacks, packets_per_second: rate, .. } = sent;
    let cpu = per_packet(sent.cost.as_ref());
    let result = format!("{cpu}, {open} of {asked} publishing, {nacks} asked for again, {rate:.0} packets/s");
    row(work, server, result, Some(verdict::whip(sent)), sent)
}

pub(crate) fn whep_latency(work: String, server: String, watched: &Watched) -> Row {
    let verdict = verdict::whep_latency(watched.latency.map(|latency| latency.p99_ms));
    row(work, server, summary(watched.latency.as_ref()), Some(verdict), watched)
}

pub(crate) fn sound_latency(work: String, server: String, watched: &Watched) -> Row {
    let verdict = verdict::sound_latency(watched.sound_latency.map(|latency| latency.p99_ms));
    row(work, server, summary(watched.sound_latency.as_ref()), Some(verdict), watched)
}

pub(crate) fn join(work: String, server: String, watched: &Watched) -> Row {
    let verdict = verdict::join(watched.join.map(|join| join.p99_ms));
    row(work, server, summary(watched.join.as_ref()), Some(verdict), watched)
}

pub(crate) fn memory(work: String, cost: Option<&Cost>, limit: u64, detail: &impl Serialize) -> Row {
    let each = cost.map(|cost| cost.rss_each);
    let result = each.map_or("not measured".into(), |each| {
        if each < 0 { "no growth".into() } else { bytes(each.unsigned_abs()) }
    });
    row(work, "Headwater, 1 worker".into(), result, Some(verdict::memory(each, limit)), detail)
}

pub(crate) fn latency(work: String, server: String, played: &Played) -> Row {
    let p99 = played.latency.map(|latency| latency.p99_ms);
    row(work, server, summary(played.latency.as_ref()), Some(verdict::latency(p99)), played)
}

pub(crate) fn first_picture(work: String, server: String, played: &Played) -> Row {
    let p99 = played.start_up.map(|start_up| start_up.p99_ms);
    row(work, server, summary(played.start_up.as_ref()), Some(verdict::first_picture(p99)), played)
}

pub(crate) fn start(work: String, server: String, took: Duration) -> Row {
    let milliseconds = took.as_secs_f64() * 1e3;
    row(work, server, format!("{milliseconds:.1} ms"), Some(verdict::start(took)), &milliseconds)
}

pub(crate) fn connects(work: String, server: String, connected: &Connected) -> Row {
    let told = |memory: Option<u64>| memory.map_or("not measured".into(), bytes);
    let (before, after) = (told(connected.rss_before), told(connected.rss_after));
    let failed = connected.failures.count();
    let result = format!("{before} after a tenth, {after} after all; {failed} failed");
    let verdict = verdict::memory_after(connected.rss_before, connected.rss_after);
    row(work, server, result, Some(verdict), connected)
}

pub(crate) fn failed(work: String, server: &str, error: &impl Display) -> Row {
    row(work, server.into(), format!("could not be measured: {error}"), None, &Value::Null)
}

pub(crate) fn skipped(work: String, server: &str) -> Row {
    row(work, server.into(), "not installed, not measured".into(), None, &Value::Null)
}

fn cpu(cost: Option<&Cost>) -> String {
    cost.map_or("CPU not measured".into(), |cost| {
        format!("{:.3} s/GB (user {:.3})", cost.per_gb_s, cost.user_per_gb_s)
    })
}

fn per_packet(cost: Option<&PacketCost>) -> String {
    cost.map_or("CPU not measured".into(), |cost| {
        format!("{:.2} µs a packet (user {:.2})", cost.per_packet_us, cost.user_per_packet_us)
    })
}

fn fed(delivery: &Delivery, asked: usize) -> String {
    let (fed, worst, stalls) = (delivery.fed, delivery.worst * 100.0, delivery.stalls);
    format!(
        "{fed} of {asked} fed, worst {worst:.0} %, {stalls} stalls, {:.2} Gb/s",
        delivery.gigabits_per_second
    )
}

fn summary(summary: Option<&Summary>) -> String {
    summary.map_or("not measured".into(), |s| {
        format!("p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", s.p50_ms, s.p99_ms, s.max_ms)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_target_is_told() {
        let row = start("start".into(), "S".into(), Duration::from_millis(250));
        assert_eq!((row.result.as_str(), row.target.as_deref()), ("250.0 ms", Some("< 100 ms")));
        assert_eq!(row.met, Some(false));
    }

    #[test]
    fn what_failed_has_no_verdict() {
        let row = failed("work".into(), "S", &"port taken");
        assert_eq!(row.met, None);
        assert!(row.result.contains("port taken"));
    }

    #[test]
    fn memory_that_shrank_is_no_growth() {
        let cost = Cost {
            user_s: 0.0,
            sys_s: 0.0,
            per_gb_s: 0.0,
            user_per_gb_s: 0.0,
            rss_before: 10,
            rss_after: 5,
            rss_each: -5,
        };
        let row = memory("memory".into(), Some(&cost), 8192, &());
        assert_eq!((row.result.as_str(), row.met), ("no growth", Some(true)));
    }
}
