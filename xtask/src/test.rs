//! `cargo xtask test`: everything, in the order in which a mistake shows soonest.

use crate::step::{Outcome, Steps, say};
use crate::tally::Tally;
use crate::{console, e2e, fmt, fuzz, rust, setup, tidy};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out the end-to-end tests
    #[arg(long)]
    no_e2e: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut steps = Steps::default();
    let tally = Tally::default();
    let equipped = steps
        .step("setup", "install what the tests need and is missing", || setup::install(setup::FOR_TESTS));
    if !equipped {
        return steps.finish();
    }
    steps.step("tidy", "rings, names, docs and lock files keep the rules of the house", tidy::check);
    steps.step("fmt", "one layout for all Rust sources", fmt::check);
    steps.step("console build", "the server carries the console inside", console::build);
    steps.step("console lint", "types and style of the console", console::lint);
    steps.step("console test", "components of the console", || console::test(&tally));
    steps.step("clippy", "no warning anywhere in the Rust sources", rust::lint);
    steps.step("rust test", "unit, property and model tests of every crate", || rust::test(&tally));
    steps.step("fuzz", "each parser, briefly, with seeded mutations of real input", || fuzz::smoke(&tally));
    if !args.no_e2e && steps.step("server", "build the server for the end-to-end tests", rust::build_server) {
        steps.step("e2e", "the real server with ffmpeg, ffprobe and Chromium at its sides", || {
            e2e::all(&[], &tally)
        });
    }
    let outcome = steps.finish();
    say(&format!("\n{}", tally.line_for_all()));
    outcome
}
