//! `cargo xtask fmt`.

use crate::process::Process;
use crate::step::{Outcome, Steps};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing, fail if something would change
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut steps = Steps::default();
    steps.step("fmt", "one layout for all Rust sources", || if args.check { check() } else { write() });
    steps.finish()
}

/// Fails when a source is not formatted.
pub(crate) fn check() -> Outcome {
    Process::cargo().args(["fmt", "--all", "--check"]).run("run `cargo xtask fmt`")
}

fn write() -> Outcome {
    Process::cargo().args(["fmt", "--all"]).run("mend the syntax error named above")
}
