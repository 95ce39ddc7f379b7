//! Percentiles of measured durations.

use serde::Serialize;
use std::time::Duration;

/// Durations measured one by one; about 16 bytes each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn add(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    /// The samples that were added since `before`, an earlier clone, was made.
    pub(crate) fn since(mut self, before: &Samples) -> Samples {
        self.0.drain(..before.0.len().min(self.0.len()));
        self
    }

    pub(crate) fn merge(&mut self, other: Samples) {
        self.0.extend(other.0);
    }

    /// `None` when nothing was measured.
    pub(crate) fn summary(mut self) -> Option<Summary> {
        self.0.sort_unstable();
        Some(Summary {
            count: self.0.len(),
            p50_ms: millis(nearest_rank(&self.0, 50)?),
            p99_ms: millis(nearest_rank(&self.0, 99)?),
            max_ms: millis(*self.0.last()?),
        })
    }
}

/// What is told of many durations, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) count: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

/// The smallest sample that `percent` of all samples do not exceed. `sorted` is in ascending order.
fn nearest_rank(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

fn millis(d: Duration) -> f64 {
    (d.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary_of(ms: impl IntoIterator<Item = u64>) -> Option<Summary> {
        Samples(ms.into_iter().map(Duration::from_millis).collect()).summary()
    }

    #[test]
    fn nothing_measured_is_nothing_told() {
        assert_eq!(summary_of([]), None);
    }

    #[test]
    fn one_sample_is_every_percentile() {
        assert_eq!(summary_of([7]), Some(Summary { count: 1, p50_ms: 7.0, p99_ms: 7.0, max_ms: 7.0 }));
    }

    #[test]
    fn percentiles_do_not_depend_on_the_order_of_arrival() {
        let expected = Some(Summary { count: 200, p50_ms: 100.0, p99_ms: 198.0, max_ms: 200.0 });
        assert_eq!(summary_of(1..=200), expected);
        assert_eq!(summary_of((1..=200).rev()), expected);
    }
}
