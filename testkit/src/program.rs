//! The binary as a command line: any arguments, environment, name or folder. [`Server`](crate::Server) is the same
//! with a configuration of its own.

use crate::peer::end;
use crate::{media, wait};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// No command that ends by itself takes longer.
const LIMIT: Duration = Duration::from_secs(10);

/// A started command. Killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    said: TempDir,
}

/// How a command ended and what it said.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Exit status; none after a signal.
    pub status: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Where the binary is: `HEADWATER_BIN`, or cargo's target directory.
pub fn binary() -> PathBuf {
    std::env::var_os("HEADWATER_BIN").map_or_else(|| media::target().join("debug/headwater"), PathBuf::from)
}

impl Program {
    /// Starts the binary with these arguments.
    pub fn start(args: &[&str]) -> Program {
        let mut command = Command::new(binary());
        command.args(args);
        Program::spawn(command)
    }

    /// Starts any command.
    pub fn spawn(mut command: Command) -> Program {
        let said = TempDir::with_prefix("headwater-").unwrap_or_else(|err| panic!("no folder: {err}"));
        let file = |name| fs::File::create(said.path().join(name)).unwrap_or_else(|err| panic!("{err}"));
        let shown = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        let child = command.spawn();
        let child = child.unwrap_or_else(|err| {
            panic!("{shown} does not start: {err}; run `cargo build --package headwater`")
        });
        Program { child, said }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Standard output so far.
    pub fn out(&self) -> String {
        self.text("out")
    }

    /// Standard error so far.
    pub fn err(&self) -> String {
        self.text("err")
    }

    fn text(&self, name: &str) -> String {
        fs::read(self.said.path().join(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Waits until it ends by itself.
    pub fn finish(mut self) -> Ended {
        let status = wait::until("the command to end", LIMIT, || self.child.try_wait().ok().flatten());
        Ended { status: status.code(), out: self.out(), err: self.err() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
