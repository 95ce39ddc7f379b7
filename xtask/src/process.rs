//! Child processes: shown as typed, run in the repository's root, their output left on the terminal.

use crate::step::{Failure, Outcome, say};
use crate::workspace;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};

/// A command about to be run.
pub(crate) struct Process {
    command: Command,
    shown: String,
}

impl Process {
    /// `program`, found on the path.
    pub(crate) fn new(program: &str) -> Process {
        let mut command = Command::new(program);
        command.current_dir(workspace::root()).stdin(Stdio::null());
        Process { command, shown: program.to_owned() }
    }

    /// The cargo that runs this task.
    pub(crate) fn cargo() -> Process {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut process = Process::new(&cargo);
        process.shown = "cargo".to_owned();
        process
    }

    pub(crate) fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, args: I) -> Process {
        for arg in args {
            let arg = arg.into();
            self.shown.push(' ');
            self.shown.push_str(&arg.to_string_lossy());
            self.command.arg(arg);
        }
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl Into<OsString>) -> Process {
        self.command.env(key, value.into());
        self
    }

    /// Runs in `folder` under the root.
    pub(crate) fn inside(mut self, folder: &str) -> Process {
        self.command.current_dir(workspace::root().join(folder));
        self
    }

    /// Runs it to its end. `next` is what to do when it fails.
    pub(crate) fn run(mut self, next: &str) -> Outcome {
        say(&format!("    $ {}", self.shown));
        let status = self.command.status().map_err(|err| self.cannot_start(&err))?;
        self.ended(status, next)
    }

    /// Runs it to its end, showing every line and handing it to `watch` as well.
    pub(crate) fn run_watched(mut self, next: &str, watch: impl Fn(&str) + Sync) -> Outcome {
        say(&format!("    $ {}", self.shown));
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(|err| self.cannot_start(&err))?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            scope.spawn(|| show_lines(out, &watch));
            show_lines(err, &watch);
        });
        let status = child.wait().map_err(|err| self.cannot_start(&err))?;
        self.ended(status, next)
    }

    /// Whether it starts and ends well; nothing is shown.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        self.command.status().is_ok_and(|status| status.success())
    }

    /// What it prints; nothing is shown.
    pub(crate) fn output(mut self) -> Result<String, Failure> {
        let output = self.command.stderr(Stdio::inherit()).output().map_err(|err| self.cannot_start(&err))?;
        if !output.status.success() {
            return Err(Failure::new(
                format!("`{}` ended with {}", self.shown, output.status),
                "read its message above",
            ));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Becomes the program (Unix `exec`), so that signals and the exit code are its own. Returns only on failure.
    pub(crate) fn become_it(mut self) -> Failure {
        use std::os::unix::process::CommandExt;
        say(&format!("    $ {}", self.shown));
        self.command.stdin(Stdio::inherit());
        let err = self.command.exec();
        self.cannot_start(&err)
    }

    fn ended(&self, status: ExitStatus, next: &str) -> Outcome {
        match status.success() {
            true => Ok(()),
            false => Err(Failure::new(format!("`{}` ended with {status}", self.shown), next)),
        }
    }

    fn cannot_start(&self, err: &std::io::Error) -> Failure {
        Failure::new(
            format!("`{}` does not start: {err}", self.shown),
            "run `cargo xtask setup`, then try again",
        )
    }
}

fn show_lines(pipe: Option<impl Read>, watch: &impl Fn(&str)) {
    for line in pipe.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n')).map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        say(&line);
        watch(&line);
    }
}
