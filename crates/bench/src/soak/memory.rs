//! Whether memory grows.

use crate::report;
use serde::Serialize;

/// Growth that is still flat, as a share of what was there, in ten minutes.
const FLAT: f64 = 0.05;

/// Resident memory at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    /// Bytes.
    pub(crate) rss: u64,
}

/// Resident memory after the warm-up.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Memory {
    /// At the end of the warm-up, bytes.
    pub(crate) warm: u64,
    /// The most seen after it, bytes.
    pub(crate) most: u64,
    /// Bytes a minute, of the straight line nearest to all samples.
    pub(crate) slope: f64,
    pub(crate) samples: Vec<Sample>,
}

impl Memory {
    pub(crate) fn new(warm: Option<Sample>, samples: &[Sample]) -> Memory {
        let warm = warm.or(samples.first().copied()).map_or(0, |sample| sample.rss);
        let most = samples.iter().map(|sample| sample.rss).max().unwrap_or(warm);
        Memory { warm, most, slope: slope(samples) * 60.0, samples: samples.to_vec() }
    }

    pub(crate) fn is_flat(&self) -> bool {
        self.slope * 10.0 <= self.warm as f64 * FLAT
    }

    pub(crate) fn told(&self) -> String {
        format!(
            "{} warm, {} at most, {:+.0} KB a minute",
            report::bytes(self.warm),
            report::bytes(self.most),
            self.slope / 1e3
        )
    }
}

/// Bytes a second, by least squares; 0 for fewer than two samples.
fn slope(samples: &[Sample]) -> f64 {
    let n = samples.len().max(1) as f64;
    let mean_x = samples.iter().map(|sample| sample.seconds).sum::<f64>() / n;
    let mean_y = samples.iter().map(|sample| sample.rss as f64).sum::<f64>() / n;
    let dx = |sample: &Sample| sample.seconds - mean_x;
    let up: f64 = samples.iter().map(|sample| dx(sample) * (sample.rss as f64 - mean_y)).sum();
    let across: f64 = samples.iter().map(|sample| dx(sample).powi(2)).sum();
    if across > 0.0 { up / across } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(rss: impl Fn(u64) -> u64) -> Vec<Sample> {
        (0..60).map(|n| Sample { seconds: n as f64 * 10.0, rss: rss(n) }).collect()
    }

    #[test]
    fn a_leak_is_told_from_a_wave() {
        let memory = |rss: &dyn Fn(u64) -> u64| {
            let samples = samples(rss);
            Memory::new(samples.first().copied(), &samples)
        };
        let leak = memory(&|n| 100_000_000 + n * 1_000_000);
        assert!((leak.slope - 6_000_000.0).abs() < 1.0 && !leak.is_flat(), "{}", leak.slope);
        let wave = memory(&|n| 100_000_000 + (n % 3) * 2_000_000);
        assert!(wave.is_flat(), "{}", wave.slope);
        assert!(Memory::new(None, &[]).is_flat());
    }
}
