//! Results as people read them, and as programs do.

use crate::cost::Cost;
use crate::delivery::Delivery;
use crate::summary::Summary;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};

/// A result that can be told to people.
pub(crate) trait Tell: Serialize {
    fn tell(&self, out: &mut Lines);
}

/// Lines of a name and a value, the values in one column.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<(&'static str, String)>);

impl Lines {
    pub(crate) fn line(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.push((name, value.into()));
    }

    fn text(&self) -> String {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        self.0.iter().fold(String::new(), |mut text, (name, value)| {
            // writing to a String cannot fail
            let _ = writeln!(text, "{name:<width$}  {value}");
            text
        })
    }
}

/// Prints `result` on standard output.
pub(crate) fn print(result: &impl Tell, json: bool) -> io::Result<()> {
    if json {
        let text = serde_json::to_string_pretty(result).map_err(io::Error::other)?;
        return writeln!(io::stdout(), "{text}");
    }
    let mut lines = Lines::default();
    result.tell(&mut lines);
    write!(io::stdout(), "{}", lines.text())
}

/// Reasons of failed connections, and how many had each. Bounded: further reasons are counted together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Failures(BTreeMap<String, usize>);

impl Failures {
    /// Most different reasons kept.
    const MAX_REASONS: usize = 16;

    pub(crate) fn add(&mut self, reason: &impl Display) {
        let reason = reason.to_string();
        let known = self.0.contains_key(&reason) || self.0.len() < Self::MAX_REASONS;
        *self.0.entry(if known { reason } else { "other reasons".into() }).or_default() += 1;
    }

    pub(crate) fn count(&self) -> usize {
        self.0.values().sum()
    }
}

pub(crate) fn failures(out: &mut Lines, failures: &Failures) {
    for (reason, count) in &failures.0 {
        out.line("failed", format!("{count} × {reason}"));
    }
}

pub(crate) fn delivery(out: &mut Lines, d: &Delivery) {
    out.line("players fed", format!("{} of {} ({} closed)", d.fed, d.players, d.closed));
    out.line("worst player", format!("{:.1} % of {}", d.worst * 100.0, bytes(d.expected_each)));
    out.line(
        "delivered",
        format!("{} in {:.1} s, {:.3} Gb/s", bytes(d.bytes), d.seconds, d.gigabits_per_second),
    );
    out.line("stalls", d.stalls.to_string());
}

pub(crate) fn cost(out: &mut Lines, cost: Option<&Cost>) {
    let Some(cost) = cost else { return };
    let total = cost.user_s + cost.sys_s;
    out.line("server CPU", format!("{total:.2} s (user {:.2}, sys {:.2})", cost.user_s, cost.sys_s));
    out.line("CPU per GB", format!("{:.3} s (user {:.3})", cost.per_gb_s, cost.user_per_gb_s));
    let (before, after) = (bytes(cost.rss_before), bytes(cost.rss_after));
    out.line("server memory", format!("{before} before, {after} after, {} B each", cost.rss_each));
}

pub(crate) fn summary(out: &mut Lines, name: &'static str, summary: Option<&Summary>) {
    let text = summary.map_or("not measured".into(), |s| {
        format!(
            "p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms ({} samples)",
            s.p50_ms, s.p99_ms, s.max_ms, s.count
        )
    });
    out.line(name, text);
}

/// A number of bytes with a decimal unit.
pub(crate) fn bytes(n: u64) -> String {
    match n {
        1_000_000_000.. => format!("{:.2} GB", n as f64 / 1e9),
        1_000_000.. => format!("{:.1} MB", n as f64 / 1e6),
        1_000.. => format!("{:.1} KB", n as f64 / 1e3),
        _ => format!("{n} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_one_column() {
        let mut lines = Lines::default();
        lines.line("a", "1");
        lines.line("longer", "2");
        assert_eq!(lines.text(), "a       1\nlonger  2\n");
    }

    #[test]
    fn failures_are_counted_by_reason_and_bounded() {
        let mut failures = Failures::default();
        failures.add(&"refused");
        failures.add(&"refused");
        (0..100).for_each(|n| failures.add(&n));
        assert_eq!(failures.count(), 102);
        assert_eq!(failures.0.get("refused"), Some(&2));
        assert_eq!(failures.0.len(), Failures::MAX_REASONS + 1);
    }

    #[test]
    fn bytes_have_the_unit_that_fits() {
        let told: Vec<_> = [999, 1_500, 2_300_000, 10_500_000_000].map(bytes).into();
        assert_eq!(told, ["999 B", "1.5 KB", "2.3 MB", "10.50 GB"]);
    }

    #[test]
    fn a_cost_tells_cpu_for_each_gigabyte_and_memory_for_each_connection() {
        let cost_of = Cost {
            user_s: 0.1,
            sys_s: 1.1,
            per_gb_s: 0.12,
            user_per_gb_s: 0.01,
            rss_before: 10_000_000,
            rss_after: 20_000_000,
            rss_each: 5_000,
        };
        let mut lines = Lines::default();
        cost(&mut lines, Some(&cost_of));
        let text = lines.text();
        assert!(text.contains("0.120 s (user 0.010)"), "{text}");
        assert!(text.contains("10.0 MB before, 20.0 MB after, 5000 B each"), "{text}");
    }
}
