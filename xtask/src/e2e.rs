//! `cargo xtask e2e`: the real server with real peers.

use crate::step::{Outcome, Steps};
use crate::tally::Tally;
use crate::{console, rust, setup, workspace};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only tests whose name contains this
    filter: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut steps = Steps::default();
    let filter: Vec<_> = args.filter.iter().map(String::as_str).collect();
    let _ = steps
        .step("setup", "install what the tests need and is missing", || setup::install(setup::FOR_TESTS))
        && steps.step("console build", "the server carries the console inside", console::build)
        && steps.step("server", "build the server as the tests run it", rust::build_server)
        && steps.step("e2e", "the real server with ffmpeg, ffprobe and Chromium at its sides", || {
            all(&filter, &Tally::default())
        });
    steps.finish()
}

/// Runs `testkit/tests`; the server must be built.
pub(crate) fn all(filter: &[&str], tally: &Tally) -> Outcome {
    let mut process =
        rust::runner(&["--package", "headwater-testkit", "--test", "*"]).args(filter.iter().copied());
    if let Some(ffmpeg) = setup::newest_ffmpeg() {
        process = process.env("HEADWATER_FFMPEG9", ffmpeg);
    }
    let process = setup::with_node(process).env("HEADWATER_BIN", workspace::target().join("debug/headwater"));
    tally.run(
        process,
        "the server's log stands under the failed test; run one alone: `cargo xtask e2e <name>`",
    )
}
