//! What a server spends while a window of time is measured.

use crate::process::{ProcessError, Usage, usage};
use serde::Serialize;

/// CPU and memory of the process under test, over one window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Cost {
    /// CPU seconds in user mode.
    pub(crate) user_s: f64,
    /// CPU seconds in the kernel.
    pub(crate) sys_s: f64,
    /// CPU seconds for every 10⁹ bytes delivered.
    pub(crate) per_gb_s: f64,
    /// The user part of `per_gb_s`.
    pub(crate) user_per_gb_s: f64,
    /// Resident memory before the connections came, bytes.
    pub(crate) rss_before: u64,
    /// Resident memory at the end of the window, bytes.
    pub(crate) rss_after: u64,
    /// Growth of resident memory for each connection, bytes; negative when it shrank.
    pub(crate) rss_each: i64,
}

/// Watches one process, if there is one to watch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    pid: Option<u32>,
    rss_before: u64,
    start: Option<Usage>,
}

impl Watch {
    /// Takes the memory that process `pid` has before the load comes.
    pub(crate) fn before(pid: Option<u32>) -> Result<Self, ProcessError> {
        let start = pid.map(usage).transpose()?;
        Ok(Watch { pid, rss_before: start.map_or(0, |usage| usage.rss), start })
    }

    /// Begins the measured window.
    pub(crate) fn begin(&mut self) -> Result<(), ProcessError> {
        self.start = self.pid.map(usage).transpose()?;
        Ok(())
    }

    /// Ends the window, in which `connections` got or sent `bytes`.
    pub(crate) fn end(&self, bytes: u64, connections: usize) -> Result<Option<Cost>, ProcessError> {
        let end = self.pid.map(usage).transpose()?;
        Ok(end.zip(self.start).map(|(end, start)| cost(self.rss_before, start, end, bytes, connections)))
    }
}

fn cost(rss_before: u64, start: Usage, end: Usage, bytes: u64, connections: usize) -> Cost {
    let (user_s, sys_s) = (end.user - start.user, end.sys - start.sys);
    let gigabytes = bytes as f64 / 1e9;
    let per_gb = |seconds: f64| if bytes == 0 { 0.0 } else { seconds / gigabytes };
    Cost {
        user_s,
        sys_s,
        per_gb_s: per_gb(user_s + sys_s),
        user_per_gb_s: per_gb(user_s),
        rss_before,
        rss_after: end.rss,
        rss_each: (end.rss as i64 - rss_before as i64) / connections.max(1) as i64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_is_told_for_each_gigabyte_and_each_connection() {
        let start = Usage { user: 1.0, sys: 2.0, rss: 5_000_000 };
        let end = Usage { user: 1.5, sys: 5.5, rss: 9_000_000 };
        let cost = cost(4_000_000, start, end, 8_000_000_000, 1000);
        assert_eq!((cost.per_gb_s, cost.user_per_gb_s), (0.5, 0.0625));
        assert_eq!((cost.rss_each, cost.rss_after), (5000, 9_000_000));
    }

    #[test]
    fn nothing_delivered_costs_nothing_a_gigabyte() {
        let usage = Usage { user: 1.0, sys: 2.0, rss: 1 };
        assert_eq!(cost(2, usage, usage, 0, 0).per_gb_s, 0.0);
    }

    #[test]
    fn without_a_process_there_is_no_cost() {
        let mut watch = Watch::before(None).unwrap();
        watch.begin().unwrap();
        assert_eq!(watch.end(1, 1).unwrap(), None);
    }
}
