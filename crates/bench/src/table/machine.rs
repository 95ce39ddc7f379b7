//! What the measurements were made on.

use serde::Serialize;
use std::fs;
use std::process::Command;

/// The machine, the program and the day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// UTC, `2026-01-31`.
    pub(crate) date: String,
    /// Of the source that is measured; `unknown` outside a clone.
    pub(crate) commit: String,
}

const UNKNOWN: &str = "unknown";

impl Machine {
    pub(crate) fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_else(|_| UNKNOWN.into());
        Machine {
            cpu: model(&cpuinfo).unwrap_or(UNKNOWN).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: kernel.trim().to_owned(),
            date: output("date", &["-u", "+%Y-%m-%d"]),
            commit: output("git", &["rev-parse", "--short", "HEAD"]),
        }
    }
}

fn model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| UNKNOWN.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named() {
        assert_eq!(model("processor\t: 0\nmodel name\t: Some CPU 3000\n"), Some("Some CPU 3000"));
        assert_eq!(model("processor\t: 0\n"), None);
    }

    #[test]
    fn what_cannot_be_found_out_is_unknown() {
        assert_eq!(output("false", &[]), UNKNOWN);
        assert!(Machine::here().cores > 0);
    }
}
