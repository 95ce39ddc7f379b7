//! `cargo xtask run`: from a fresh clone to a running server.

use crate::process::Process;
use crate::step::{Outcome, Steps, say};
use crate::{console, setup, workspace};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave the web console as it is (or out, if it was never built)
    #[arg(long)]
    no_console: bool,
    /// Passed to the server, for example `-c srs.conf`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    server: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut steps = Steps::default();
    let needs: &[setup::Need] =
        if args.no_console { &[setup::Need::Cmake] } else { &[setup::Need::Node, setup::Need::Cmake] };
    let ready = steps.step("setup", "install what the build needs and is missing", || setup::install(needs))
        && (args.no_console
            || steps.step("console", "build the web console, which the server carries inside", console::build))
        && steps.step("build", "build the server, optimised (the first time takes a few minutes)", || {
            Process::cargo()
                .args(["build", "--release", "--locked", "--package", "headwater"])
                .run("read the compiler's first error above; `rustc --version` must be at least 1.95 (`rustup update`)")
        });
    if !ready {
        return steps.finish();
    }
    say("\n==> start: the server tells its addresses itself");
    let binary = workspace::target().join("release/headwater");
    Err(Process::new(&binary.to_string_lossy()).args(&args.server).become_it())
}
