use crate::SRS_VERSION;
use crate::reply::json;
use crate::routes::State;
use crate::shapes::{
    Data, Decimal, Meminfos, Rusages, SelfProcStats, SelfSummary, Summaries, SystemProcStats, SystemSummary,
};
use axum::extract::State as Shared;
use axum::response::Response;
use headwater_stats::{Machine, Stats, Totals};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Process and machine at a glance
#[utoipa::path(get, path = "/api/v1/summaries", operation_id = "summaries", tag = "machine", responses((status = 200, body = Data<Summaries>)))]
pub(crate) async fn summaries(Shared(state): Shared<Arc<State>>) -> Response {
    let machine = state.stats.machine();
    let data = Summaries {
        ok: machine.ok,
        now_ms: now().as_millis().try_into().unwrap_or(i64::MAX),
        process: process(&state.stats, &machine),
        system: system(&machine, &state.stats.totals()),
    };
    json(&Data::new(state.stats.identity(), data))
}

fn process(stats: &Stats, machine: &Machine) -> SelfSummary {
    let argv: Vec<_> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let cwd = std::env::current_dir().map(|dir| dir.display().to_string());
    let total = machine.memory.total;
    SelfSummary {
        version: SRS_VERSION,
        pid: std::process::id(),
        ppid: machine.process.ppid(),
        argv: argv.join(" "),
        cwd: cwd.unwrap_or_default(),
        mem_kbyte: machine.usage.maxrss,
        mem_percent: Decimal(if total > 0 { machine.resident_kib as f64 / total as f64 } else { 0.0 }),
        cpu_percent: Decimal(machine.process.cpu),
        srs_uptime: stats.uptime().as_secs().try_into().unwrap_or(i64::MAX),
    }
}

fn system(machine: &Machine, totals: &Totals) -> SystemSummary {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let [load_1m, load_5m, load_15m] = machine.load.map(Decimal);
    SystemSummary {
        cpu_percent: Decimal(machine.cpu.busy),
        disk_read_KBps: machine.disk_read_kibps,
        disk_write_KBps: machine.disk_write_kibps,
        disk_busy_percent: Decimal(machine.disk_busy),
        mem_ram_kbyte: machine.memory.total,
        mem_ram_percent: Decimal(machine.memory.in_use_part()),
        mem_swap_kbyte: machine.memory.swap_total,
        mem_swap_percent: Decimal(machine.memory.swap_part()),
        cpus: machine.cpus,
        cpus_online: machine.cpus_online,
        uptime: Decimal(machine.uptime_s),
        ilde_time: Decimal(machine.idle_s),
        load_1m,
        load_5m,
        load_15m,
        net_sample_time: machine.sampled_ms,
        net_recv_bytes: signed(machine.internet.received),
        net_send_bytes: signed(machine.internet.sent),
        net_recvi_bytes: signed(machine.intranet.received),
        net_sendi_bytes: signed(machine.intranet.sent),
        srs_sample_time: totals.at_ms,
        srs_recv_bytes: signed(totals.traffic.received),
        srs_send_bytes: signed(totals.traffic.sent),
        conn_sys: machine.sockets.tcp,
        conn_sys_et: machine.sockets.established,
        conn_sys_tw: machine.sockets.time_wait,
        conn_sys_udp: machine.sockets.udp,
        conn_srs: i64::try_from(totals.clients).unwrap_or(i64::MAX),
    }
}

/// Resources used by the process
#[utoipa::path(get, path = "/api/v1/rusages", operation_id = "rusages", tag = "machine", responses((status = 200, body = Data<Rusages>)))]
pub(crate) async fn rusages(Shared(state): Shared<Arc<State>>) -> Response {
    let usage = state.stats.machine().usage;
    let data = Rusages {
        ok: usage.sampled_ms > 0,
        sample_time: usage.sampled_ms,
        ru_utime: usage.utime_s,
        ru_stime: usage.stime_s,
        ru_maxrss: usage.maxrss,
        ru_ixrss: usage.ixrss,
        ru_idrss: usage.idrss,
        ru_isrss: usage.isrss,
        ru_minflt: usage.minflt,
        ru_majflt: usage.majflt,
        ru_nswap: usage.nswap,
        ru_inblock: usage.inblock,
        ru_oublock: usage.oublock,
        ru_msgsnd: usage.msgsnd,
        ru_msgrcv: usage.msgrcv,
        ru_nsignals: usage.nsignals,
        ru_nvcsw: usage.nvcsw,
        ru_nivcsw: usage.nivcsw,
    };
    json(&Data::new(state.stats.identity(), data))
}

/// The process as the kernel sees it
#[utoipa::path(get, path = "/api/v1/self_proc_stats", operation_id = "selfProcStats", tag = "machine",
    responses((status = 200, body = Data<SelfProcStats>)))]
pub(crate) async fn self_proc_stats(Shared(state): Shared<Arc<State>>) -> Response {
    let data = SelfProcStats::from(state.stats.machine().process.clone());
    json(&Data::new(state.stats.identity(), data))
}

/// Processor time of the machine
#[utoipa::path(get, path = "/api/v1/system_proc_stats", operation_id = "systemProcStats", tag = "machine",
    responses((status = 200, body = Data<SystemProcStats>)))]
pub(crate) async fn system_proc_stats(Shared(state): Shared<Arc<State>>) -> Response {
    let cpu = state.stats.machine().cpu;
    let data = SystemProcStats {
        ok: cpu.sampled_ms > 0,
        sample_time: cpu.sampled_ms,
        percent: Decimal(cpu.busy),
        user: cpu.times.user,
        nice: cpu.times.nice,
        sys: cpu.times.system,
        idle: cpu.times.idle,
        iowait: cpu.times.iowait,
        irq: cpu.times.irq,
        softirq: cpu.times.softirq,
        steal: cpu.times.steal,
        guest: cpu.times.guest,
    };
    json(&Data::new(state.stats.identity(), data))
}

/// Memory of the machine
#[utoipa::path(get, path = "/api/v1/meminfos", operation_id = "meminfos", tag = "machine", responses((status = 200, body = Data<Meminfos>)))]
pub(crate) async fn meminfos(Shared(state): Shared<Arc<State>>) -> Response {
    let memory = state.stats.machine().memory;
    let data = Meminfos {
        ok: memory.sampled_ms > 0,
        sample_time: memory.sampled_ms,
        percent_ram: Decimal(memory.in_use_part()),
        percent_swap: Decimal(memory.swap_part()),
        MemActive: memory.active(),
        RealInUse: memory.in_use(),
        NotInUse: memory.total - memory.in_use(),
        MemTotal: memory.total,
        MemFree: memory.free,
        Buffers: memory.buffers,
        Cached: memory.cached,
        SwapTotal: memory.swap_total,
        SwapFree: memory.swap_free,
    };
    json(&Data::new(state.stats.identity(), data))
}

/// Time since 1970.
pub(crate) fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
