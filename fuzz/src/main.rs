//! `cargo xtask fuzz` runs this: every target in turn, or the one named, for a while each.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program talks on its terminal"
)]

use headwater_fuzz::{Budget, TARGETS, Target, run};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// What the command line asked for.
struct Asked {
    list: bool,
    seconds: u64,
    target: Option<String>,
}

fn main() -> ExitCode {
    let asked = match parse(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(what) => return fail(&what),
    };
    if asked.list {
        TARGETS.iter().for_each(|target| println!("{}", target.name));
        return ExitCode::SUCCESS;
    }
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| asked.target.as_deref().is_none_or(|name| name == target.name))
        .collect();
    if chosen.is_empty() {
        return fail("no such target; --list names them");
    }
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seed = since_epoch.as_nanos() as u64;
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("found");
    let mut outcome = ExitCode::SUCCESS;
    for target in chosen {
        println!("    {}: {} s, seed {seed}", target.name, asked.seconds);
        match run(target, seed, Budget::Time(Duration::from_secs(asked.seconds)), &found) {
            Ok(inputs) => println!("    {}: {inputs} inputs, nothing found", target.name),
            Err(finding) => {
                eprintln!("{finding}");
                outcome = ExitCode::FAILURE;
            }
        }
    }
    outcome
}

fn parse(args: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked { list: false, seconds: 60, target: None };
    let mut args = args;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--list" => asked.list = true,
            "--seconds" => {
                let value = args.next().unwrap_or_default();
                asked.seconds =
                    value.parse().map_err(|_| format!("--seconds needs a number, not {value:?}"))?;
            }
            name => asked.target = Some(name.to_owned()),
        }
    }
    Ok(asked)
}

fn fail(what: &str) -> ExitCode {
    eprintln!("{what}");
    ExitCode::FAILURE
}
