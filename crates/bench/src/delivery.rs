//! What an audience received in a window of time, and whether that was enough.

use crate::audience::{Received, Snapshot};
use crate::cost::{Cost, Watch};
use crate::process::ProcessError;
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// A player with at least this share of the stream is fed.
const FED: f64 = 0.98;
/// Stream time that may be on its way at the edges of a live stream's window: servers batch up to 350 ms, a round of
/// the [audience](crate::audience::Audience) takes 100 ms.
pub(crate) const LIVE_EDGE: Duration = Duration::from_millis(500);

/// What an audience is measured against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measure {
    pub(crate) window: Duration,
    /// The stream's bit rate in bit/s; without it the best player is the measure.
    pub(crate) bitrate: Option<u64>,
    /// Stream time that may be on its way at the window's edges.
    pub(crate) edge: Duration,
}

/// What all players of a window got.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Delivery {
    pub(crate) players: usize,
    /// Players that got at least 98 % of the stream.
    pub(crate) fed: usize,
    /// Players whose connection ended.
    pub(crate) closed: usize,
    /// Times that a player got nothing for a second.
    pub(crate) stalls: u64,
    /// Bytes of all players together.
    pub(crate) bytes: u64,
    /// Length of the window.
    pub(crate) seconds: f64,
    pub(crate) gigabits_per_second: f64,
    /// What one player should have got, bytes.
    pub(crate) expected_each: u64,
    /// What the worst player got of that, 1.0 for all.
    pub(crate) worst: f64,
}

/// Watches an audience, of which `snapshot` tells, for a window of time.
pub(crate) async fn measure(
    snapshot: impl Fn() -> Snapshot,
    watch: &mut Watch,
    by: Measure,
) -> Result<(Delivery, Option<Cost>), ProcessError> {
    let before = snapshot();
    watch.begin()?;
    let start = Instant::now();
    tokio::time::sleep(by.window).await;
    let after = snapshot();
    let length = start.elapsed();
    let got = differences(&before, &after);
    let delivery = delivery(&got, Measure { window: length, ..by });
    let cost = watch.end(delivery.bytes, delivery.players)?;
    Ok((delivery, cost))
}

fn differences(before: &Snapshot, after: &Snapshot) -> Vec<Received> {
    let pairs = before.iter().zip(after);
    pairs
        .map(|(before, after)| Received {
            bytes: after.bytes - before.bytes,
            stalls: after.stalls.saturating_sub(before.stalls),
            closed: after.closed,
        })
        .collect()
}

fn delivery(got: &[Received], by: Measure) -> Delivery {
    let seconds = by.window.as_secs_f64();
    let best = got.iter().map(|player| player.bytes).max().unwrap_or(0);
    let expected = by.bitrate.map_or(best as f64, |bitrate| bitrate as f64 / 8.0 * seconds);
    let edge = expected * (by.edge.as_secs_f64() / seconds).min(1.0);
    let enough = (expected - edge) * FED;
    let worst = got.iter().map(|player| player.bytes).min().unwrap_or(0);
    let bytes = got.iter().map(|player| player.bytes).sum::<u64>();
    Delivery {
        players: got.len(),
        fed: got.iter().filter(|player| player.bytes > 0 && player.bytes as f64 >= enough).count(),
        closed: got.iter().filter(|player| player.closed).count(),
        stalls: got.iter().map(|player| player.stalls).sum(),
        bytes,
        seconds,
        gigabits_per_second: bytes as f64 * 8.0 / 1e9 / seconds,
        expected_each: expected as u64,
        worst: if expected > 0.0 { worst as f64 / expected } else { 0.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn got(bytes: impl IntoIterator<Item = u64>) -> Vec<Received> {
        bytes.into_iter().map(|bytes| Received { bytes, stalls: 0, closed: false }).collect()
    }

    fn over(seconds: u64, bitrate: Option<u64>) -> Measure {
        Measure { window: Duration::from_secs(seconds), bitrate, edge: LIVE_EDGE }
    }

    #[test]
    fn a_player_with_less_than_98_percent_is_not_fed() {
        // 8 Mb/s for 20 s: 20 MB, of which half a megabyte may be on its way
        let delivery = delivery(&got([20_000_000, 19_200_000, 19_000_000]), over(20, Some(8_000_000)));
        assert_eq!((delivery.players, delivery.fed), (3, 2));
        assert_eq!(delivery.expected_each, 20_000_000);
        assert_eq!(delivery.worst, 0.95);
        assert_eq!(delivery.bytes, 58_200_000);
    }

    #[test]
    fn the_best_player_is_the_measure_when_the_bitrate_is_not_known() {
        let delivery = delivery(&got([1000, 400]), over(10, None));
        assert_eq!((delivery.fed, delivery.worst), (1, 0.4));
    }

    #[test]
    fn nobody_is_fed_with_nothing() {
        let delivery = delivery(&got([0, 0]), over(10, None));
        assert_eq!((delivery.fed, delivery.worst), (0, 0.0));
    }

    #[test]
    fn only_what_the_window_brought_counts() {
        let before = vec![Received { bytes: 100, stalls: 1, closed: false }];
        let after = vec![Received { bytes: 250, stalls: 3, closed: true }];
        assert_eq!(differences(&before, &after), [Received { bytes: 150, stalls: 2, closed: true }]);
    }
}
