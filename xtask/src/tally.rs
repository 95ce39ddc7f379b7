//! Counts passed and failed tests from what the runners print, whichever runner it is.

use crate::process::Process;
use crate::step::Outcome;
use std::sync::atomic::{AtomicU64, Ordering};

/// Totals of one task.
#[derive(Default)]
pub(crate) struct Tally {
    passed: AtomicU64,
    failed: AtomicU64,
}

impl Tally {
    /// Runs a test runner, shows its output and counts.
    pub(crate) fn run(&self, runner: Process, next: &str) -> Outcome {
        runner.run_watched(next, |line| self.line(line))
    }

    /// One line for the whole, in the form that cargo's own runner gives.
    pub(crate) fn line_for_all(&self) -> String {
        let (passed, failed) = (self.passed.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        format!("test result: {verdict}. {passed} passed; {failed} failed; 0 ignored")
    }

    fn line(&self, line: &str) {
        if let Some((passed, failed)) = summary(&without_colour(line)) {
            self.passed.fetch_add(passed, Ordering::Relaxed);
            self.failed.fetch_add(failed, Ordering::Relaxed);
        }
    }
}

/// Passed and failed of a runner's summary line:
/// nextest's `Summary [ 0.2s] 3 tests run: 2 passed, 1 failed, 0 skipped`, cargo's `test result: ok. 2 passed; 0
/// failed; …`, vitest's `Tests  1 failed | 2 passed (3)`.
fn summary(line: &str) -> Option<(u64, u64)> {
    // cargo's line is not indented; one that is belongs to a failed test's output, as nextest shows it.
    let trimmed = line.trim();
    let counts = if trimmed.starts_with("Summary [") {
        trimmed.split_once("run:")?.1
    } else if line.starts_with("test result:") || trimmed.starts_with("Tests  ") {
        trimmed
    } else {
        return None;
    };
    let words: Vec<&str> =
        counts.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let before =
        |what: &str| words.windows(2).find(|pair| pair[1] == what).and_then(|pair| pair[0].parse().ok());
    Some((before("passed").unwrap_or(0), before("failed").unwrap_or(0)))
}

/// The line without terminal escape sequences (`ESC [ … letter`).
fn without_colour(line: &str) -> String {
    let mut plain = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => drop(chars.by_ref().find(char::is_ascii_alphabetic)),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runner_is_understood() {
        let cases = [
            ("     Summary [   0.049s] 21 tests run: 21 passed, 0 skipped", Some((21, 0))),
            ("     Summary [   0.1s] 21 tests run: 19 passed (1 slow), 2 failed, 0 skipped", Some((19, 2))),
            ("test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out", Some((3, 1))),
            ("      Tests  1 failed | 12 passed (13)", Some((12, 1))),
            ("\x1b[2m      Tests \x1b[22m \x1b[1m\x1b[32m12 passed\x1b[39m\x1b[22m (12)", Some((12, 0))),
            ("    test result: FAILED. 0 passed; 1 failed; 0 ignored", None),
            ("test tidy::tests::a ... ok", None),
        ];
        for (line, expected) in cases {
            assert_eq!(summary(&without_colour(line)), expected, "{line}");
        }
    }

    #[test]
    fn one_line_for_all() {
        let tally = Tally::default();
        tally.line("test result: ok. 3 passed; 0 failed; 0 ignored");
        assert_eq!(tally.line_for_all(), "test result: ok. 3 passed; 0 failed; 0 ignored");
        tally.line("     Summary [   0.1s] 3 tests run: 2 passed, 1 failed, 0 skipped");
        assert_eq!(tally.line_for_all(), "test result: FAILED. 5 passed; 1 failed; 0 ignored");
    }
}
