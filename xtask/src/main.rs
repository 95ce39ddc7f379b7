//! Everything a developer does with this repository: `cargo xtask --help`.
//!
//! One file a command. A command is a list of announced, timed steps ([`step::Steps`]); it builds nothing that cargo
//! or npm can build and keeps no state but files under `target/`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program talks on its terminal"
)]

mod bench;
mod console;
mod e2e;
mod fmt;
mod fuzz;
mod process;
mod run;
mod rust;
mod setup;
mod step;
mod tally;
mod test;
mod tidy;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Sets up, runs, tests and measures Headwater")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing, build everything, start the server
    Run(run::Args),
    /// Install what is missing, run every check and every test
    Test(test::Args),
    /// Run only the end-to-end tests
    E2e(e2e::Args),
    /// Measure this machine beside the floor program and nginx-rtmp
    Bench(bench::Args),
    /// Feed mutated input to the parsers
    Fuzz(fuzz::Args),
    /// Check the rules of the house: rings, names, docs, lock files
    Tidy,
    /// Format the sources (--check only looks)
    Fmt(fmt::Args),
    /// Install what running, testing and measuring need, and nothing else
    Setup,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Test(args) => test::run(&args),
        Command::E2e(args) => e2e::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Tidy => tidy::run(),
        Command::Fmt(args) => fmt::run(&args),
        Command::Setup => setup::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}
