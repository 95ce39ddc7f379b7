//! What the kernel's text files under `/proc` say. Text in, numbers out; unknown or missing lines count as zero.
//!
//! Spec: proc(5). Sizes are KiB, times are clock ticks unless a name says otherwise.

use std::collections::HashMap;

/// Memory of the machine (`/proc/meminfo`), KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// When, milliseconds since 1970; 0 before the first sample.
    pub sampled_ms: i64,
    /// All memory.
    pub total: i64,
    /// Used for nothing.
    pub free: i64,
    /// Block device buffers.
    pub buffers: i64,
    /// Page cache.
    pub cached: i64,
    /// All swap.
    pub swap_total: i64,
    /// Swap not used.
    pub swap_free: i64,
}

impl Memory {
    /// Everything that is not free.
    pub fn active(&self) -> i64 {
        self.total - self.free
    }

    /// What programs hold: neither free nor cache.
    pub fn in_use(&self) -> i64 {
        self.active() - self.buffers - self.cached
    }

    /// `in_use` as a fraction of all memory.
    pub fn in_use_part(&self) -> f64 {
        part(self.in_use(), self.total)
    }

    /// Swap in use as a fraction of all swap.
    pub fn swap_part(&self) -> f64 {
        part(self.swap_total - self.swap_free, self.swap_total)
    }

    pub(crate) fn parse(text: &str) -> Memory {
        let lines: HashMap<&str, i64> = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name, first_number(value)))
            .collect();
        let at = |name| lines.get(name).copied().unwrap_or_default();
        Memory {
            sampled_ms: 0,
            total: at("MemTotal"),
            free: at("MemFree"),
            buffers: at("Buffers"),
            cached: at("Cached"),
            swap_total: at("SwapTotal"),
            swap_free: at("SwapFree"),
        }
    }
}

/// Processor time by kind (first line of `/proc/stat`), ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of proc(5)")]
pub struct CpuTimes {
    pub user: i64,
    pub nice: i64,
    pub system: i64,
    pub idle: i64,
    pub iowait: i64,
    pub irq: i64,
    pub softirq: i64,
    pub steal: i64,
    pub guest: i64,
}

impl CpuTimes {
    pub(crate) fn parse(text: &str) -> CpuTimes {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
        let mut numbers = line.split_ascii_whitespace().map(number);
        let mut next = || numbers.next().unwrap_or_default();
        CpuTimes {
            user: next(),
            nice: next(),
            system: next(),
            idle: next(),
            iowait: next(),
            irq: next(),
            softirq: next(),
            steal: next(),
            guest: next(),
        }
    }

    /// All time. Guest time is part of user time and not counted twice.
    pub(crate) fn total(&self) -> i64 {
        self.user + self.nice + self.system + self.idle + self.iowait + self.irq + self.softirq + self.steal
    }

    /// Fraction of the time since `before` that was not idle, 0 to 1.
    pub(crate) fn busy_since(&self, before: &CpuTimes) -> f64 {
        let total = self.total() - before.total();
        let idle = (self.idle + self.iowait) - (before.idle + before.iowait);
        part(total - idle, total).clamp(0.0, 1.0)
    }
}

/// Processor time of the machine and how busy it was lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cpu {
    /// When, milliseconds since 1970; 0 before the first sample.
    pub sampled_ms: i64,
    /// Busy fraction over the last interval, 0 to 1.
    pub busy: f64,
    /// Times since boot.
    pub times: CpuTimes,
}

/// The process (`/proc/self/stat`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessStat {
    /// Whether it was sampled.
    pub ok: bool,
    /// When, milliseconds since 1970.
    pub sampled_ms: i64,
    /// Processor use over the last interval; 1 is one core.
    pub cpu: f64,
    /// Process id.
    pub pid: i64,
    /// Program name in parentheses.
    pub comm: String,
    /// State letter.
    pub state: char,
    /// The numbers from `ppid` on, in the file's order. What does not fit in 63 bits (an unlimited `rsslim`) is
    /// negative, as in SRS.
    pub numbers: Vec<i64>,
}

/// Places of numbers in [`ProcessStat::numbers`].
const PPID: usize = 0;
const UTIME: usize = 10;
const RSS: usize = 20;

/// Numbers that a line may have; the kernel adds some now and then.
const NUMBERS_MAX: usize = 41;

impl ProcessStat {
    /// Parent process id.
    pub fn ppid(&self) -> i64 {
        self.number(PPID)
    }

    /// Resident memory in pages.
    pub fn rss_pages(&self) -> i64 {
        self.number(RSS)
    }

    /// Processor time used so far, ticks.
    pub(crate) fn ticks(&self) -> i64 {
        self.number(UTIME) + self.number(UTIME + 1)
    }

    fn number(&self, place: usize) -> i64 {
        self.numbers.get(place).copied().unwrap_or_default()
    }

    pub(crate) fn parse(text: &str) -> Option<ProcessStat> {
        // The name may hold spaces and parentheses, so it ends at the last one.
        let (head, tail) = text.rsplit_once(')')?;
        let (pid, name) = head.split_once('(')?;
        let mut words = tail.split_ascii_whitespace();
        let state = words.next()?.chars().next()?;
        Some(ProcessStat {
            pid: number(pid.trim()),
            comm: format!("({name})"),
            state,
            numbers: words.take(NUMBERS_MAX).map(number).collect(),
            ..ProcessStat::default()
        })
    }
}

/// Resources used by the process (getrusage(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of getrusage(2)")]
pub struct Usage {
    /// When, milliseconds since 1970; 0 before the first sample.
    pub sampled_ms: i64,
    /// Whole seconds.
    pub utime_s: i64,
    /// Whole seconds.
    pub stime_s: i64,
    /// Peak resident memory, KiB.
    pub maxrss: i64,
    pub ixrss: i64,
    pub idrss: i64,
    pub isrss: i64,
    pub minflt: i64,
    pub majflt: i64,
    pub nswap: i64,
    pub inblock: i64,
    pub oublock: i64,
    pub msgsnd: i64,
    pub msgrcv: i64,
    pub nsignals: i64,
    pub nvcsw: i64,
    pub nivcsw: i64,
}

/// Sockets of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    /// TCP sockets in any state but TIME_WAIT.
    pub tcp: i64,
    /// Established ones.
    pub established: i64,
    /// In TIME_WAIT.
    pub time_wait: i64,
    /// UDP sockets.
    pub udp: i64,
}

impl Sockets {
    /// From `/proc/net/sockstat`, `/proc/net/sockstat6` and `/proc/net/snmp`.
    pub(crate) fn parse(sockstat: &str, sockstat6: &str, snmp: &str) -> Sockets {
        Sockets {
            tcp: after(sockstat, "TCP:", "alloc"),
            established: established(snmp),
            time_wait: after(sockstat, "TCP:", "tw"),
            udp: after(sockstat, "UDP:", "inuse") + after(sockstat6, "UDP6:", "inuse"),
        }
    }
}

/// `CurrEstab` of `/proc/net/snmp`, where a line of names precedes the line of numbers.
fn established(snmp: &str) -> i64 {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return 0 };
    let mut pairs = names.split_ascii_whitespace().zip(values.split_ascii_whitespace());
    pairs.find(|(name, _)| *name == "CurrEstab").map(|(_, value)| number(value)).unwrap_or_default()
}

/// The number after `key` on the line that begins with `label`.
fn after(text: &str, label: &str, key: &str) -> i64 {
    let line = text.lines().find_map(|line| line.strip_prefix(label)).unwrap_or_default();
    let mut words = line.split_ascii_whitespace();
    words.find(|word| *word == key).and_then(|_| words.next()).map(number).unwrap_or_default()
}

/// Load averages of 1, 5 and 15 minutes (`/proc/loadavg`).
pub(crate) fn load(text: &str) -> [f64; 3] {
    let mut numbers = text.split_ascii_whitespace().map(|word| word.parse().unwrap_or_default());
    std::array::from_fn(|_| numbers.next().unwrap_or_default())
}

/// Seconds since boot, and idle seconds summed over processors (`/proc/uptime`).
pub(crate) fn uptime(text: &str) -> [f64; 2] {
    let [up, idle, _] = load(text);
    [up, idle]
}

/// KiB read from and written to disks since boot (`/proc/vmstat`).
pub(crate) fn paged(text: &str) -> [i64; 2] {
    let at = |name| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.map(number).unwrap_or_default()
    };
    [at("pgpgin"), at("pgpgout")]
}

/// Milliseconds that the named disks spent on I/O since boot, summed (`/proc/diskstats`, field 13).
pub(crate) fn disk_busy_ms(text: &str, disks: &[String]) -> i64 {
    let mut sum = 0;
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if words.get(2).is_some_and(|name| disks.iter().any(|d| d == name)) {
            sum += words.get(12).copied().map(number).unwrap_or_default();
        }
    }
    sum
}

/// Interfaces with bytes received and sent since boot (`/proc/net/dev`).
pub(crate) fn interfaces(text: &str) -> Vec<(String, i64, i64)> {
    let line = |line: &str| {
        let (name, values) = line.split_once(':')?;
        let values: Vec<i64> = values.split_ascii_whitespace().map(number).collect();
        Some((name.trim().to_owned(), *values.first()?, *values.get(8)?))
    };
    text.lines().filter_map(line).collect()
}

fn first_number(text: &str) -> i64 {
    text.split_ascii_whitespace().next().map(number).unwrap_or_default()
}

#[allow(
    clippy::cast_possible_wrap,
    reason = "an unsigned number beyond 63 bits is shown negative, as in SRS"
)]
fn number(text: &str) -> i64 {
    text.parse().or_else(|_| text.parse::<u64>().map(|n| n as i64)).unwrap_or_default()
}

fn part(of: i64, whole: i64) -> f64 {
    if whole <= 0 { 0.0 } else { of as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory() {
        let text = "MemTotal:  1000 kB\nMemFree:    200 kB\nBuffers: 50 kB\nCached:   150 kB\nSwapTotal: 100 kB\nSwapFree: 75 kB\n";
        let memory = Memory::parse(text);
        assert_eq!((memory.active(), memory.in_use()), (800, 600));
        assert!((memory.in_use_part() - 0.6).abs() < 1e-9);
        assert!((memory.swap_part() - 0.25).abs() < 1e-9);
        assert!(Memory::default().in_use_part() == 0.0, "nothing known is nothing used");
    }

    #[test]
    fn processor_time() {
        let before = CpuTimes::parse("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 2 3\n");
        let now = CpuTimes::parse("cpu  150 0 150 850 50 0 0 0 7 0\n");
        assert_eq!(now.guest, 7);
        assert!((now.busy_since(&before) - 0.5).abs() < 1e-9);
        assert!(now.busy_since(&now) == 0.0);
        assert_eq!(CpuTimes::parse("garbage"), CpuTimes::default());
    }

    #[test]
    fn the_process_may_have_any_name() {
        let line = "812 (a) (b c) S 1 812 812 0 -1 4194560 5 6 7 8 90 10 0 0 20 0 3 0 55 4096 77 18446744073709551615";
        let stat = ProcessStat::parse(line).unwrap();
        assert_eq!((stat.pid, stat.comm.as_str(), stat.state), (812, "(a) (b c)", 'S'));
        assert_eq!((stat.ppid(), stat.ticks(), stat.rss_pages()), (1, 100, 77));
        assert_eq!(stat.numbers.last(), Some(&-1), "unlimited");
        assert_eq!(ProcessStat::parse("812 (a"), None);
        assert_eq!(ProcessStat::parse(""), None);
    }

    #[test]
    fn sockets() {
        let sockstat = "sockets: used 290\nTCP: inuse 5 orphan 1 tw 2 alloc 9 mem 3\nUDP: inuse 4 mem 1\n";
        let snmp = "Ip: Forwarding\nIp: 1\nTcp: RtoMin CurrEstab InSegs\nTcp: 200 3 99\n";
        let sockets = Sockets::parse(sockstat, "TCP6: inuse 1\nUDP6: inuse 2\n", snmp);
        assert_eq!(sockets, Sockets { tcp: 9, established: 3, time_wait: 2, udp: 6 });
        assert_eq!(Sockets::parse("", "TCP:", "Tcp: \n"), Sockets::default());
    }

    #[test]
    fn disks_network_and_load() {
        assert_eq!(load("0.20 0.10 0.05 1/99 812"), [0.2, 0.1, 0.05]);
        assert_eq!(uptime("5000.10 18000.20\n"), [5000.10, 18000.20]);
        assert_eq!(paged("pgpgin 11\npgpgout 22\npgpgoutx 5\n"), [11, 22]);
        let disks = "   8  0 sda 1 2 3 4 5 6 7 8 9 42 11\n   8  1 sda1 1 2 3 4 5 6 7 8 9 7 11\n";
        assert_eq!(disk_busy_ms(disks, &["sda".to_owned()]), 42);
        assert_eq!(disk_busy_ms(disks, &[]), 0);
        let net = "Inter-| Receive\n face |bytes\n  eth0: 100 1 0 0 0 0 0 0 200 2 0 0 0 0 0 0\n";
        assert_eq!(interfaces(net), [("eth0".to_owned(), 100, 200)]);
    }
}
