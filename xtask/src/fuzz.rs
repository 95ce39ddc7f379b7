//! `cargo xtask fuzz`: mutated input for every parser, on the stable toolchain.

use crate::process::Process;
use crate::rust;
use crate::step::{Outcome, Steps};
use crate::tally::Tally;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The target; all of them in turn when left out (`--list` names them)
    target: Option<String>,
    /// How long, for each target
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Name the targets and stop
    #[arg(long)]
    list: bool,
}

const NEXT: &str =
    "the input was saved (its path stands above); `cargo xtask fuzz <target>` replays saved inputs first";

pub(crate) fn run(args: &Args) -> Outcome {
    let mut steps = Steps::default();
    steps.step("fuzz", "no input may panic a parser or make it hang", || {
        let mut driver = Process::cargo().args([
            "run",
            "--quiet",
            "--locked",
            "--profile",
            "fuzz",
            "--package",
            "headwater-fuzz",
            "--",
        ]);
        if args.list {
            driver = driver.args(["--list"]);
        }
        driver.args(["--seconds", &args.seconds.to_string()]).args(&args.target).run(NEXT)
    });
    steps.finish()
}

/// The bounded, seeded run that is part of every test run.
pub(crate) fn smoke(tally: &Tally) -> Outcome {
    tally.run(rust::runner(&["--package", "headwater-fuzz"]), NEXT)
}
