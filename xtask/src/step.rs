//! Steps: each is announced before it starts, timed, and on failure says what to do next.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

/// What went wrong, and what the reader can do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) next: String,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>, next: impl Into<String>) -> Failure {
        Failure { what: what.into(), next: next.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n  next: {}", self.what, self.next)
    }
}

pub(crate) type Outcome = Result<(), Failure>;

/// A run of steps. A failed step does not hide the ones after it; [`Steps::finish`] tells them all.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Done>,
}

struct Done {
    name: &'static str,
    took: Duration,
    failure: Option<Failure>,
}

impl Steps {
    /// Announces the step, does it, tells how long it took. Returns whether it succeeded.
    pub(crate) fn step(&mut self, name: &'static str, why: &str, act: impl FnOnce() -> Outcome) -> bool {
        say(&format!("\n==> {name}: {why}"));
        let start = Instant::now();
        let failure = act().err();
        let took = start.elapsed();
        match &failure {
            None => say(&format!("    {name}: ok in {}", seconds(took))),
            Some(failure) => say(&format!("    {name}: FAILED after {}\n{failure}", seconds(took))),
        }
        let ok = failure.is_none();
        self.done.push(Done { name, took, failure });
        ok
    }

    /// The summary; an error when any step failed.
    pub(crate) fn finish(self) -> Outcome {
        say("\n==> summary");
        for done in &self.done {
            let verdict = if done.failure.is_none() { "ok    " } else { "FAILED" };
            say(&format!("    {verdict} {:>8}  {}", seconds(done.took), done.name));
        }
        let failed: Vec<_> = self.done.iter().filter(|done| done.failure.is_some()).collect();
        if failed.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = failed.iter().map(|done| done.name).collect();
        let next: Vec<_> = failed
            .iter()
            .filter_map(|done| {
                done.failure.as_ref().map(|failure| format!("{}: {}", done.name, failure.next))
            })
            .collect();
        Err(Failure::new(format!("{} failed", names.join(", ")), next.join("\n        ")))
    }
}

/// Prints a line at once, so that it stands before what a child process prints.
pub(crate) fn say(text: &str) {
    println!("{text}");
    let _ = std::io::stdout().flush(); // a closed terminal is no reason to stop
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_hides_nothing_after_it() {
        let mut steps = Steps::default();
        let mut later = false;
        assert!(!steps.step("first", "it fails", || Err(Failure::new("broken", "mend it"))));
        assert!(steps.step("second", "it runs all the same", || {
            later = true;
            Ok(())
        }));
        assert!(later);
        let failure = steps.finish().unwrap_err();
        assert_eq!(failure.what, "first failed");
        assert_eq!(failure.next, "first: mend it");
    }
}
