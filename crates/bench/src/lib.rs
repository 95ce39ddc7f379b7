//! `headwater bench`: publishers and players by the thousand, and what they cost a server.
//!
//! The generator shares the machine with the server under test, so it must be cheap itself: streams are muxed once
//! and sent by one thread, players' bytes are dropped in the kernel ([`discard`]) and only a few probes look into
//! what they get. It measures; it does not judge.
//!
//! Invariant: no load leaves this machine unless `--allow-remote` is given.

mod audience;
mod broadcast;
mod connect;
mod cost;
mod delivery;
mod dial;
mod discard;
mod fetch;
mod floor;
mod http;
mod mark;
mod open_files;
mod options;
mod play;
mod process;
mod publish;
mod report;
mod rtmp;
mod segments;
mod server;
mod soak;
mod summary;
mod synthetic;
mod table;
mod target;
mod webrtc;

use clap::Parser;
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use target::Protocol;

/// Loads a live-video server and reports what it delivered and what that cost.
#[derive(Debug, Parser)]
#[command(name = "headwater bench")]
struct Cli {
    /// Print JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Publish(publish::Args),
    Play(play::Args),
    Segments(segments::Args),
    Connect(connect::Args),
    Soak(soak::Args),
    Floor(floor::Args),
    Table(table::Args),
}

/// Runs the load generator. `args` begin with the word it was called by, `bench`.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // nothing can be said when standard error is closed
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    match runtime().map_err(Into::into).and_then(|runtime| runtime.block_on(dispatch(&cli))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "headwater bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn dispatch(cli: &Cli) -> Result<(), Box<dyn Error>> {
    match &cli.command {
        Command::Publish(args) if args.url.protocol == Protocol::Whip => {
            report::print(&webrtc::publish::run(args).await?, cli.json)?;
        }
        Command::Play(args) if args.url.protocol == Protocol::Whep => {
            report::print(&webrtc::play::run(args).await?, cli.json)?;
        }
        Command::Publish(args) => report::print(&publish::run(args).await?, cli.json)?,
        Command::Play(args) => report::print(&play::run(args).await?, cli.json)?,
        Command::Segments(args) => report::print(&segments::run(args).await?, cli.json)?,
        Command::Connect(args) => report::print(&connect::run(args).await?, cli.json)?,
        Command::Soak(args) => report::print(&soak::run(args).await?, cli.json)?,
        Command::Table(args) => report::print(&table::run(args).await?, cli.json)?,
        Command::Floor(args) if args.serve => floor::serve(args)?,
        Command::Floor(args) if args.receive => {
            let stream = publish::StreamArgs::usual(args.bitrate);
            report::print(&floor::run_receive(args, &stream).await?, cli.json)?;
        }
        Command::Floor(args) if args.datagrams => {
            report::print(&floor::run_datagrams(args).await?, cli.json)?
        }
        Command::Floor(args) => report::print(&floor::run(args).await?, cli.json)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_first_word_is_not_an_argument() {
        let cli = Cli::try_parse_from(["bench", "floor", "--players", "3", "--json"]).unwrap();
        assert!(cli.json && matches!(cli.command, Command::Floor(args) if args.players == 3));
    }
}
