//! `cargo xtask bench`: this machine's table of costs, beside the floor program and nginx-rtmp.
//!
//! The measuring itself is `headwater bench table`, which writes docs/performance.md; here is only what it needs built and installed.

use crate::process::Process;
use crate::step::{Outcome, Steps};
use crate::{setup, workspace};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed to `headwater bench table`, for example `--json`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    table: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut steps = Steps::default();
    let _ = steps
        .step("setup", "install the peers that are measured alongside", || setup::install(setup::FOR_BENCH))
        && steps.step("build", "build the server, optimised", || {
            Process::cargo()
                .args(["build", "--release", "--locked", "--package", "headwater"])
                .run("read the compiler's first error above")
        })
        && steps.step("bench", "measure; leave the machine alone meanwhile", || {
            let binary = workspace::target().join("release/headwater");
            Process::new(&binary.to_string_lossy())
                .args(["bench", "table", "--write-docs"])
                .args(&args.table)
                .run("read the message above; `ulimit -n` must allow several thousand files")
        });
    steps.finish()
}
