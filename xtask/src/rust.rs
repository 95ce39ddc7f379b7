//! The Rust checks: lints, unit and property tests, documentation.

use crate::process::Process;
use crate::step::Outcome;
use crate::tally::Tally;

/// What is off by default and still must work.
const HTTP3: &str = "http3";

/// Clippy, with every warning an error.
pub(crate) fn lint() -> Outcome {
    Process::cargo()
        .args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
        .run("mend the warnings above; `cargo clippy --fix` mends the simple ones")?;
    Process::cargo()
        .args(["clippy", "--package", "headwater-server", "--features", HTTP3, "--all-targets", "--locked"])
        .args(["--", "-D", "warnings"])
        .run("mend the warnings above: they come with HTTP/3, which is off by default")
}

/// Tests of every crate but the end-to-end ones and the parsers' brief fuzzing, which are steps of their own.
pub(crate) fn test(tally: &Tally) -> Outcome {
    let next = "run the failing test alone: `cargo test -p <package> <name>`";
    let runners = [
        runner(&["--workspace", "--exclude", "headwater-testkit", "--exclude", "headwater-fuzz"]),
        runner(&["--package", "headwater-testkit", "--lib"]),
        runner(&["--package", "headwater-server", "--features", HTTP3]),
        Process::cargo().args(["test", "--workspace", "--doc", "--locked", "--quiet", "--no-fail-fast"]),
    ];
    runners.into_iter().map(|runner| tally.run(runner, next)).fold(Ok(()), Outcome::and)
}

/// Builds the server as the end-to-end tests run it.
pub(crate) fn build_server() -> Outcome {
    Process::cargo()
        .args(["build", "--locked", "--package", "headwater"])
        .run("read the compiler's first error above")
}

/// The test runner over `selection`: nextest where it is installed, else cargo's own. Both run everything and end
/// with a summary line.
pub(crate) fn runner(selection: &[&str]) -> Process {
    let nextest = Process::cargo().args(["nextest", "--version"]).succeeds();
    let base: &[&str] = match nextest {
        true => &["nextest", "run", "--no-fail-fast", "--no-tests=pass", "--locked"],
        false => &["test", "--no-fail-fast", "--locked", "--bins", "--lib", "--tests"],
    };
    // `--lib` given twice would be refused, and a selection that names it wants nothing else.
    let base = base
        .iter()
        .filter(|arg| !(selection.contains(&"--lib") && ["--bins", "--lib", "--tests"].contains(arg)));
    Process::cargo().args(base).args(selection)
}
