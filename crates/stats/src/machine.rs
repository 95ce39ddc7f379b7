//! Samples of process and machine, read from the running system.

use crate::proc::{self, Cpu, CpuTimes, Memory, ProcessStat, Sockets, Usage};
use crate::rate::Traffic;
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::{SysconfVar, sysconf};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The latest sample. All zero, with `ok` false, until the first one.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Whether the sampler has run.
    pub ok: bool,
    /// When, milliseconds since 1970.
    pub sampled_ms: i64,
    /// Resources used by the process.
    pub usage: Usage,
    /// The process.
    pub process: ProcessStat,
    /// Resident memory of the process, KiB.
    pub resident_kib: i64,
    /// Processors.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// Read from disks, KiB/s.
    pub disk_read_kibps: i64,
    /// Written to disks, KiB/s.
    pub disk_write_kibps: i64,
    /// How busy the watched disks are, 0 to 1.
    pub disk_busy: f64,
    /// Processors configured.
    pub cpus: i64,
    /// Processors online.
    pub cpus_online: i64,
    /// Seconds since boot.
    pub uptime_s: f64,
    /// Idle seconds since boot, summed over processors.
    pub idle_s: f64,
    /// Load averages of 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Bytes on interfaces with a public address.
    pub internet: Traffic,
    /// Bytes on the other interfaces, loopback left out.
    pub intranet: Traffic,
    /// Sockets.
    pub sockets: Sockets,
}

/// Takes samples; rates are taken between one and the next.
#[derive(Debug)]
pub(crate) struct Sampler {
    disks: Vec<String>,
    before: Option<Before>,
}

/// Counters of the sample before.
#[derive(Debug)]
struct Before {
    at: Instant,
    times: CpuTimes,
    ticks: i64,
    paged: [i64; 2],
    disk_busy_ms: i64,
}

impl Sampler {
    /// Watches `disks` (device names such as `sda`) for how busy they are.
    pub(crate) fn new(disks: Vec<String>) -> Sampler {
        Sampler { disks, before: None }
    }

    /// Reads everything. Takes well under a millisecond; no file that is missing is an error.
    pub(crate) fn sample(&mut self, now: Instant) -> Machine {
        let sampled_ms = now_ms();
        let process = process(sampled_ms);
        let next = Before {
            at: now,
            times: CpuTimes::parse(&read("/proc/stat")),
            ticks: process.ticks(),
            paged: proc::paged(&read("/proc/vmstat")),
            disk_busy_ms: proc::disk_busy_ms(&read("/proc/diskstats"), &self.disks),
        };
        let mut machine = Machine { ok: true, sampled_ms, process, ..still(sampled_ms) };
        machine.cpu.times = next.times;
        if let Some(before) = &self.before {
            machine.rates(before, &next);
        }
        self.before = Some(next);
        machine
    }
}

impl Machine {
    fn rates(&mut self, before: &Before, next: &Before) {
        let span = next.at.saturating_duration_since(before.at).as_secs_f64();
        if span <= 0.0 {
            return;
        }
        let per_second = |from: i64, to: i64| (to - from).max(0) as f64 / span;
        self.cpu.busy = next.times.busy_since(&before.times);
        self.process.cpu = per_second(before.ticks, next.ticks) / conf(SysconfVar::CLK_TCK, 100) as f64;
        let [read, write] = before.paged;
        let [read_next, write_next] = next.paged;
        self.disk_read_kibps = per_second(read, read_next) as i64;
        self.disk_write_kibps = per_second(write, write_next) as i64;
        self.disk_busy = (per_second(before.disk_busy_ms, next.disk_busy_ms) / 1000.0).min(1.0);
    }
}

fn process(sampled_ms: i64) -> ProcessStat {
    let process = ProcessStat::parse(&read("/proc/self/stat")).unwrap_or_default();
    ProcessStat { ok: !process.numbers.is_empty(), sampled_ms, ..process }
}

/// What needs no sample before: everything but rates and the process.
fn still(sampled_ms: i64) -> Machine {
    let [uptime_s, idle_s] = proc::uptime(&read("/proc/uptime"));
    let (internet, intranet) = network();
    let statm = read("/proc/self/statm");
    let resident: i64 =
        statm.split_ascii_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_default();
    Machine {
        usage: usage(sampled_ms),
        resident_kib: resident * conf(SysconfVar::PAGE_SIZE, 4096) / 1024,
        cpu: Cpu { sampled_ms, ..Cpu::default() },
        memory: Memory { sampled_ms, ..Memory::parse(&read("/proc/meminfo")) },
        cpus: conf(SysconfVar::_NPROCESSORS_CONF, 1),
        cpus_online: conf(SysconfVar::_NPROCESSORS_ONLN, 1),
        uptime_s,
        idle_s,
        load: proc::load(&read("/proc/loadavg")),
        internet,
        intranet,
        sockets: Sockets::parse(
            &read("/proc/net/sockstat"),
            &read("/proc/net/sockstat6"),
            &read("/proc/net/snmp"),
        ),
        ..Machine::default()
    }
}

fn usage(sampled_ms: i64) -> Usage {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Usage::default() };
    Usage {
        sampled_ms,
        utime_s: usage.user_time().tv_sec(),
        stime_s: usage.system_time().tv_sec(),
        maxrss: usage.max_rss(),
        ixrss: usage.shared_integral(),
        idrss: usage.unshared_data_integral(),
        isrss: usage.unshared_stack_integral(),
        minflt: usage.minor_page_faults(),
        majflt: usage.major_page_faults(),
        nswap: usage.full_swaps(),
        inblock: usage.block_reads(),
        oublock: usage.block_writes(),
        msgsnd: usage.ipc_sends(),
        msgrcv: usage.ipc_receives(),
        nsignals: usage.signals(),
        nvcsw: usage.voluntary_context_switches(),
        nivcsw: usage.involuntary_context_switches(),
    }
}

/// Traffic of interfaces with a public address, and of the others.
fn network() -> (Traffic, Traffic) {
    let addresses = addresses();
    let (mut internet, mut intranet) = (Traffic::default(), Traffic::default());
    for (name, received, sent) in proc::interfaces(&read("/proc/net/dev")) {
        let own: Vec<IpAddr> = addresses.iter().filter(|(n, _)| *n == name).map(|(_, ip)| *ip).collect();
        if name == "lo" || own.is_empty() {
            continue;
        }
        let side = if own.iter().any(is_public) { &mut internet } else { &mut intranet };
        *side += Traffic { received: received.max(0) as u64, sent: sent.max(0) as u64 };
    }
    (internet, intranet)
}

/// The machine's address by which other nodes probably reach it: a public one, else a private one, else loopback.
pub fn local_ip() -> IpAddr {
    let rank = |ip: &IpAddr| match (is_public(ip), ip.is_ipv4(), ip.is_loopback()) {
        (_, _, true) => 0,
        (public, v4, false) => 1 + 2 * u8::from(public) + u8::from(v4),
    };
    let best = addresses().into_iter().map(|(_, ip)| ip).max_by_key(rank);
    best.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// The operating system, as uname(2) tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// `Linux`.
    pub name: String,
    /// Host name.
    pub node: String,
    /// Release of the kernel.
    pub release: String,
    /// Version of the kernel.
    pub version: String,
    /// Hardware.
    pub machine: String,
}

impl System {
    /// Asks the kernel; empty when it does not tell.
    pub fn read() -> System {
        let Ok(name) = nix::sys::utsname::uname() else { return System::default() };
        let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        System {
            name: text(name.sysname()),
            node: text(name.nodename()),
            release: text(name.release()),
            version: text(name.version()),
            machine: text(name.machine()),
        }
    }
}

/// When the running binary was built: the time of its file, seconds since 1970; 0 when that cannot be told.
pub fn built_at() -> u64 {
    let modified = std::env::current_exe().and_then(|path| path.metadata()?.modified()).ok();
    modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(|d| d.as_secs()).unwrap_or_default()
}

fn addresses() -> Vec<(String, IpAddr)> {
    let Ok(all) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        let v6 = || address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip()));
        Some((interface.interface_name, v4.or_else(v6)?))
    };
    all.filter_map(address).collect()
}

fn is_public(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared(*ip)),
        IpAddr::V6(ip) => {
            !(ip.is_loopback()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || *ip == Ipv6Addr::UNSPECIFIED)
        }
    }
}

/// Carrier-grade NAT, 100.64.0.0/10 (RFC 6598).
fn is_shared(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    a == 100 && b & 0xc0 == 64
}

fn conf(name: SysconfVar, otherwise: i64) -> i64 {
    sysconf(name).ok().flatten().unwrap_or(otherwise)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn this_machine_can_be_sampled() {
        let mut sampler = Sampler::new(vec!["sda".into()]);
        let now = Instant::now();
        sampler.sample(now);
        let machine = sampler.sample(now + Duration::from_secs(3));
        assert!(machine.ok && machine.process.ok);
        assert_eq!(machine.process.pid, i64::from(std::process::id()));
        assert_eq!(machine.process.numbers.len(), 41);
        assert!(machine.memory.total > 0 && machine.memory.in_use() > 0);
        assert!(machine.resident_kib > 0 && machine.usage.maxrss > 0);
        assert!(machine.cpus >= machine.cpus_online && machine.cpus_online > 0);
        assert!((0.0..=1.0).contains(&machine.cpu.busy));
        assert!(machine.uptime_s > 0.0);
    }

    #[test]
    fn private_addresses_are_not_the_internet() {
        let public = |ip: &str| is_public(&ip.parse().unwrap());
        assert!(public("198.51.100.7") && public("2001:db8::1"));
        for ip in ["10.0.0.1", "127.0.0.1", "100.64.1.1", "169.254.0.9", "fe80::1", "fd00::1", "::1"] {
            assert!(!public(ip), "{ip}");
        }
    }
}
