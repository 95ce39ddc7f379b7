//! One rate to another: a polyphase filter (Kaiser-windowed sinc, 64 taps, about 90 dB) with no delay of its own, since
//! each sample is made from its neighbours on both sides. Samples out are exactly samples in times the ratio.

use crate::RATE;
use crate::decode::Block;
use std::f64::consts::PI;

/// Neighbours of a sample, for rates up to 48 kHz.
const TAPS: usize = 64;

/// Most phases: that of 11 025 Hz and its kin. Rates that would need more are none of any codec's.
const PHASES_MAX: usize = 640;

/// Where the filter cuts, as a part of half the lower rate.
const CUT: f64 = 0.92;

/// Kaiser's shape for 90 dB.
const BETA: f64 = 8.96;

/// A resampler of two channels.
#[derive(Debug)]
pub(crate) struct Resampler {
    rate: u32,
    up: usize,
    down: usize,
    taps: usize,
    /// `up` filters of `taps` each.
    bank: Vec<f32>,
    /// What the next sample is made from, per channel.
    kept: [Vec<f32>; 2],
    /// First neighbour of the next sample in `kept`, and its phase.
    at: usize,
    phase: usize,
}

impl Resampler {
    /// From `rate` Hz to [`RATE`]; none for rates that no codec has.
    pub(crate) fn new(rate: u32) -> Option<Resampler> {
        Resampler::between(rate, RATE)
    }

    /// From `rate` Hz to another; none for rates that no codec has.
    pub(crate) fn between(rate: u32, other: u32) -> Option<Resampler> {
        let divisor = gcd(other, rate.max(1));
        let (up, down) = ((other / divisor) as usize, (rate / divisor) as usize);
        if !(4000..=96_000).contains(&rate) || up > PHASES_MAX {
            return None;
        }
        let taps = TAPS * down.div_ceil(up);
        let bank = if up == down { Vec::new() } else { bank(up, down, taps) };
        let mut new = Resampler { rate, up, down, taps, bank, kept: Default::default(), at: 0, phase: 0 };
        new.reset();
        Some(new)
    }

    pub(crate) fn rate(&self) -> u32 {
        self.rate
    }

    /// Forgets what it kept.
    pub(crate) fn reset(&mut self) {
        (self.at, self.phase) = (0, 0);
        for kept in &mut self.kept {
            kept.clear();
            kept.resize(self.taps / 2 - 1, 0.0);
        }
    }

    /// Appends what `block` gives to `out`.
    pub(crate) fn push(&mut self, block: &Block, out: &mut [Vec<f32>; 2]) {
        if self.up == self.down {
            for (to, from) in out.iter_mut().zip(&block.planes) {
                to.extend_from_slice(from);
            }
            return;
        }
        let (at, phase) = (self.at, self.phase);
        for ((kept, from), to) in self.kept.iter_mut().zip(&block.planes).zip(out).take(block.channels) {
            kept.extend_from_slice(from);
            (self.at, self.phase) = (at, phase);
            while let Some(near) = kept.get(self.at..self.at + self.taps) {
                let filter = self.bank.get(self.phase * self.taps..).unwrap_or_default();
                // A filter rings: loud sound may pass full scale.
                to.push(dot(near, filter).clamp(-1.0, 1.0));
                self.phase += self.down;
                self.at += self.phase / self.up;
                self.phase %= self.up;
            }
            kept.drain(..self.at.min(kept.len()));
        }
        self.at = 0;
    }

    /// Appends what was kept for want of neighbours, as if silence followed, and starts anew.
    pub(crate) fn finish(&mut self, channels: usize, out: &mut [Vec<f32>; 2]) {
        if self.up != self.down {
            let silence = || vec![0.0; self.taps / 2];
            let tail = Block { rate: self.rate, channels, planes: [silence(), silence()] };
            self.push(&tail, out);
        }
        self.reset();
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Filter `p` gives the sample that lies `p / up` after the middle of its neighbours.
fn bank(up: usize, down: usize, taps: usize) -> Vec<f32> {
    let cut = CUT * (up as f64 / down as f64).min(1.0);
    let half = taps as f64 / 2.0;
    // The window's height does not matter: each filter is brought to a sum of one.
    let mut bank = Vec::with_capacity(up * taps);
    for phase in 0..up {
        let distance = |tap: usize| tap as f64 - (half - 1.0) - phase as f64 / up as f64;
        let filter: Vec<f64> = (0..taps).map(distance).map(|d| sinc(cut * d) * kaiser(d / half)).collect();
        let sum: f64 = filter.iter().sum();
        bank.extend(filter.iter().map(|h| (h / sum) as f32));
    }
    bank
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

fn kaiser(x: f64) -> f64 {
    if x.abs() >= 1.0 { 0.0 } else { bessel(BETA * (1.0 - x * x).sqrt()) }
}

/// The modified Bessel function of the first kind, order 0.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
        if term < sum * 1e-12 {
            break;
        }
    }
    sum
}

/// In eight lanes, so that the compiler may use wide registers.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hz: f64, samples: usize) -> Vec<f32> {
        (0..samples).map(|i| (2.0 * PI * hz * i as f64 / f64::from(rate)).sin() as f32).collect()
    }

    /// A tone comes out as the same tone, at its place, from any cut of the input.
    #[test]
    fn a_tone_keeps_its_place() {
        for rate in [8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 64_000, 88_200, 96_000] {
            let hz = 997.0;
            let input = tone(rate, hz, rate as usize);
            let mut resampler = Resampler::new(rate).unwrap();
            let mut out = <[Vec<f32>; 2]>::default();
            for part in input.chunks(331) {
                let block = Block { rate, channels: 1, planes: [part.to_vec(), Vec::new()] };
                resampler.push(&block, &mut out);
            }
            resampler.finish(1, &mut out);
            assert_eq!(out[0].len(), RATE as usize, "{rate}");
            let expected = tone(RATE, hz, RATE as usize);
            let worst = out[0].iter().zip(&expected).skip(500).take(47_000).map(|(a, b)| (a - b).abs());
            assert!(worst.fold(0.0, f32::max) < 1e-3, "{rate}");
        }
    }

    #[test]
    fn rates_of_no_codec_are_refused() {
        assert!([0, 1, 3999, 44_099, 192_000].into_iter().all(|rate| Resampler::new(rate).is_none()));
    }
}
