//! What a process has used so far, from `/proc`.

use std::fs;
use std::io;
use thiserror::Error;

/// `/proc/PID/stat` counts CPU time in these; the Linux ABI fixes it at 100 (USER_HZ, proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// A reading of one process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Usage {
    /// CPU seconds in user mode, all threads.
    pub(crate) user: f64,
    /// CPU seconds in the kernel, all threads.
    pub(crate) sys: f64,
    /// Resident memory, bytes.
    pub(crate) rss: u64,
}

#[derive(Debug, Error)]
pub(crate) enum ProcessError {
    #[error("reading {path}: {source}; is the process still running, and yours?")]
    Read { path: String, source: io::Error },
    #[error("{path} has no {field}; it is not laid out as proc(5) says")]
    Field { path: String, field: &'static str },
}

/// Reads what process `pid` has used since it started.
pub(crate) fn usage(pid: u32) -> Result<Usage, ProcessError> {
    let (stat_path, stat) = read(pid, "stat")?;
    let (status_path, status) = read(pid, "status")?;
    let (user, sys) = cpu(&stat).ok_or(ProcessError::Field { path: stat_path, field: "utime and stime" })?;
    let rss = rss(&status).ok_or(ProcessError::Field { path: status_path, field: "VmRSS" })?;
    Ok(Usage { user, sys, rss })
}

fn read(pid: u32, name: &str) -> Result<(String, String), ProcessError> {
    let path = format!("/proc/{pid}/{name}");
    match fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(source) => Err(ProcessError::Read { path, source }),
    }
}

/// Fields 14 and 15, counted after the command name, which may itself hold spaces and brackets.
fn cpu(stat: &str) -> Option<(f64, f64)> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11).map(str::parse::<f64>);
    let user = fields.next()?.ok()?;
    let sys = fields.next()?.ok()?;
    Some((user / TICKS_PER_SECOND, sys / TICKS_PER_SECOND))
}

fn rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let stat = "42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 150 250 0 0 20 0 1 0";
        assert_eq!(cpu(stat), Some((1.5, 2.5)));
    }

    #[test]
    fn resident_memory_is_told_in_kilobytes() {
        assert_eq!(rss("VmPeak:\t 10 kB\nVmRSS:\t   2048 kB\n"), Some(2048 * 1024));
        assert_eq!(rss("VmPeak:\t 10 kB\n"), None);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(usage(std::process::id()).unwrap().rss > 100_000);
    }

    #[test]
    fn a_process_that_is_not_there_is_named() {
        let error = usage(u32::MAX).unwrap_err().to_string();
        assert!(error.contains("/proc/4294967295/stat"), "{error}");
    }
}
