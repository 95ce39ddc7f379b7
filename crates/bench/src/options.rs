//! Options that several subcommands share.

use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// Bits a second; written as a number with an optional `k`, `M` or `G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bitrate(pub(crate) u64);

#[derive(Debug, Error)]
#[error("expected a number of bits a second like 2100000, 2100k or 2.1M")]
pub(crate) struct BitrateError;

impl FromStr for Bitrate {
    type Err = BitrateError;

    fn from_str(text: &str) -> Result<Self, BitrateError> {
        let (number, factor) = match text.char_indices().last() {
            Some((at, 'k' | 'K')) => (&text[..at], 1e3),
            Some((at, 'm' | 'M')) => (&text[..at], 1e6),
            Some((at, 'g' | 'G')) => (&text[..at], 1e9),
            _ => (text, 1.0),
        };
        let bits = number.parse::<f64>().map_err(|_| BitrateError)? * factor;
        if (1.0..1e12).contains(&bits) { Ok(Bitrate(bits.round() as u64)) } else { Err(BitrateError) }
    }
}

/// When measuring starts and how long it takes.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Window {
    /// Seconds to measure.
    #[arg(long = "seconds", default_value_t = 20.0)]
    pub(crate) seconds: f64,
    /// Seconds to wait before, with everybody connected.
    #[arg(long = "warm-up", default_value_t = 4.0)]
    pub(crate) warm_up: f64,
}

impl Window {
    pub(crate) fn length(&self) -> Duration {
        duration(self.seconds).max(Duration::from_millis(100))
    }

    pub(crate) fn warm_up(&self) -> Duration {
        duration(self.warm_up)
    }
}

/// Whether load may leave this machine.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Remote {
    /// Allow a server that is not on this machine.
    #[arg(long)]
    pub(crate) allow_remote: bool,
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_rates_are_written_as_people_write_them() {
        for (text, bits) in [("2.1M", 2_100_000), ("800k", 800_000), ("1G", 1_000_000_000), ("64000", 64_000)]
        {
            assert_eq!(text.parse::<Bitrate>().unwrap(), Bitrate(bits), "{text}");
        }
        for text in ["", "M", "fast", "-1M", "0", "1e20", "NaN", "2é"] {
            assert!(text.parse::<Bitrate>().is_err(), "{text}");
        }
    }
}
