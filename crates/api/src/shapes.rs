//! The JSON bodies, field for field as SRS 7 writes them: names, order and number formats are the contract.
//!
//! Fields that SRS does not have stand at the end of their object and say so. Nothing here decides anything.

use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A number written with exactly two decimals (`12.30`).
#[derive(Clone, Copy, Debug, Default, PartialEq, ToSchema)]
#[schema(value_type = f64, example = 12.34)]
pub struct Decimal(pub f64);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = if self.0.is_finite() { self.0 } else { 0.0 };
        let text = RawValue::from_string(format!("{value:.2}")).map_err(serde::ser::Error::custom)?;
        text.serialize(serializer)
    }
}

/// Who answers. Every success begins with it.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct Envelope {
    /// 0: success.
    #[schema(example = 0)]
    pub code: i32,
    /// Server id; kept over restarts.
    #[schema(example = "vid-0a1b2c3")]
    pub server: String,
    /// Service id; new with every start.
    #[schema(example = "k3j9d0q2")]
    pub service: String,
    /// Process id, as text.
    #[schema(example = "812")]
    pub pid: String,
}

/// An envelope around `data`.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct Data<T: ToSchema> {
    /// 0: success.
    #[schema(example = 0)]
    pub code: i32,
    /// Server id.
    #[schema(example = "vid-0a1b2c3")]
    pub server: String,
    /// Service id.
    #[schema(example = "k3j9d0q2")]
    pub service: String,
    /// Process id, as text.
    #[schema(example = "812")]
    pub pid: String,
    /// The answer.
    pub data: T,
}

/// A failure; it comes with HTTP status 200, as in SRS. 2014: no such vhost; 2048: no such stream; 2049: no such
/// client; 400: the client cannot be ended; 1060: unknown `rpc`; 1061: not allowed or not served; 1090: the exporter
/// is off.
#[derive(Clone, Copy, Debug, serde::Serialize, ToSchema)]
#[schema(example = json!({"code": 2048}))]
pub struct ApiError {
    /// What failed.
    pub code: i32,
}

/// A request that was refused, with HTTP status 401 or 403. Headwater's own: SRS would have obeyed.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct Refused {
    /// The HTTP status again.
    #[schema(example = 401)]
    pub code: i32,
    /// What was refused, why, and what to change.
    pub error: String,
}

/// Where the parts of the API are (`/`).
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct RootIndex {
    /// Who answers.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Paths.
    pub urls: RootUrls,
}

/// Paths below `/`.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct RootUrls {
    /// The HTTP API.
    #[schema(example = "/api/")]
    pub api: &'static str,
    /// WebRTC signalling.
    pub rtc: RtcUrls,
}

/// WebRTC signalling by version.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct RtcUrls {
    /// Version 1.
    pub v1: RtcV1Urls,
}

/// WebRTC signalling, version 1.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct RtcV1Urls {
    /// Play.
    pub play: &'static str,
    /// Publish.
    pub publish: &'static str,
    /// Simulated loss.
    pub nack: &'static str,
}

/// Versions of the API (`/api/`).
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct ApiIndex {
    /// Who answers.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Paths.
    pub urls: ApiUrls,
}

/// Paths below `/api/`.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct ApiUrls {
    /// Version 1.
    #[schema(example = "/api/v1/")]
    pub v1: &'static str,
}

/// What version 1 of the API offers (`/api/v1/`); each value says what the endpoint tells.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct V1Index {
    /// Who answers.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Endpoints.
    pub urls: V1Urls,
    /// Endpoints for testing clients.
    pub tests: V1Tests,
}

/// Endpoints below `/api/v1/`.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[allow(missing_docs, reason = "each field's value is its description")]
pub struct V1Urls {
    pub versions: &'static str,
    pub summaries: &'static str,
    pub rusages: &'static str,
    pub self_proc_stats: &'static str,
    pub system_proc_stats: &'static str,
    pub meminfos: &'static str,
    pub authors: &'static str,
    pub features: &'static str,
    pub requests: &'static str,
    pub vhosts: &'static str,
    pub streams: &'static str,
    pub clients: &'static str,
    pub raw: &'static str,
    pub clusters: &'static str,
    pub perf: &'static str,
    pub tcmalloc: &'static str,
    /// Headwater's own.
    pub console: &'static str,
}

/// Endpoints below `/api/v1/tests/`.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[allow(missing_docs, reason = "each field's value is its description")]
pub struct V1Tests {
    pub requests: &'static str,
    pub errors: &'static str,
    pub redirects: &'static str,
    #[serde(rename = "[vhost]")]
    pub vhost: &'static str,
}

/// Which release this is.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct Versions {
    /// The release of SRS whose interfaces are served: first number.
    #[schema(example = 7)]
    pub major: u32,
    /// Second number.
    #[schema(example = 0)]
    pub minor: u32,
    /// Third number.
    #[schema(example = 143)]
    pub revision: u32,
    /// The three together.
    #[schema(example = "7.0.143")]
    pub version: &'static str,
    /// Headwater's own version. Not in SRS.
    #[schema(example = "0.1.0")]
    pub headwater: &'static str,
}

/// The process and the machine at a glance.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct Summaries {
    /// Whether the samplers have run; the numbers are zero before.
    pub ok: bool,
    /// Now, in milliseconds since 1970.
    #[schema(example = 1700000000123i64)]
    pub now_ms: i64,
    /// The server process.
    #[serde(rename = "self")]
    pub process: SelfSummary,
    /// The machine.
    pub system: SystemSummary,
}

/// The server process at a glance.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct SelfSummary {
    /// As in `versions`.
    #[schema(example = "7.0.143")]
    pub version: &'static str,
    /// Process id.
    pub pid: u32,
    /// Parent process id.
    pub ppid: i64,
    /// Command line.
    pub argv: String,
    /// Working directory.
    pub cwd: String,
    /// Peak resident memory in KiB.
    pub mem_kbyte: i64,
    /// Resident memory as a fraction of the machine's.
    pub mem_percent: Decimal,
    /// Processor use; 1.00 is one core.
    pub cpu_percent: Decimal,
    /// Seconds since start.
    pub srs_uptime: i64,
}

/// The machine at a glance.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[allow(non_snake_case, reason = "SRS's field names")]
pub struct SystemSummary {
    /// Processor use, 0 to 1.
    pub cpu_percent: Decimal,
    /// Read from disks, KiB/s.
    pub disk_read_KBps: i64,
    /// Written to disks, KiB/s.
    pub disk_write_KBps: i64,
    /// How busy the disks of `stats.disk` are, 0 to 1.
    pub disk_busy_percent: Decimal,
    /// Memory in KiB.
    pub mem_ram_kbyte: i64,
    /// Memory in use, 0 to 1.
    pub mem_ram_percent: Decimal,
    /// Swap in KiB.
    pub mem_swap_kbyte: i64,
    /// Swap in use, 0 to 1.
    pub mem_swap_percent: Decimal,
    /// Processors configured.
    pub cpus: i64,
    /// Processors online.
    pub cpus_online: i64,
    /// Seconds since boot.
    pub uptime: Decimal,
    /// Idle seconds since boot, summed over the processors (SRS's spelling).
    pub ilde_time: Decimal,
    /// Load average over one minute.
    pub load_1m: Decimal,
    /// Over five minutes.
    pub load_5m: Decimal,
    /// Over fifteen minutes.
    pub load_15m: Decimal,
    /// When the network was sampled, milliseconds since 1970.
    pub net_sample_time: i64,
    /// Bytes received on interfaces with a public address.
    pub net_recv_bytes: i64,
    /// Bytes sent on them.
    pub net_send_bytes: i64,
    /// Bytes received on the other interfaces; loopback is left out.
    pub net_recvi_bytes: i64,
    /// Bytes sent on them.
    pub net_sendi_bytes: i64,
    /// When this server's own traffic was sampled, milliseconds since 1970.
    pub srs_sample_time: i64,
    /// Bytes received from clients since start.
    pub srs_recv_bytes: i64,
    /// Bytes sent to clients since start.
    pub srs_send_bytes: i64,
    /// TCP sockets of the machine.
    pub conn_sys: i64,
    /// Of them established.
    pub conn_sys_et: i64,
    /// In TIME_WAIT.
    pub conn_sys_tw: i64,
    /// UDP sockets of the machine.
    pub conn_sys_udp: i64,
    /// Clients of this server.
    pub conn_srs: i64,
}

/// Resources used by the process, as getrusage(2) tells.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names are those of getrusage(2)")]
pub struct Rusages {
    /// Whether it was sampled.
    pub ok: bool,
    /// When, milliseconds since 1970.
    pub sample_time: i64,
    /// Whole seconds.
    pub ru_utime: i64,
    /// Whole seconds.
    pub ru_stime: i64,
    /// Peak resident memory in KiB.
    pub ru_maxrss: i64,
    pub ru_ixrss: i64,
    pub ru_idrss: i64,
    pub ru_isrss: i64,
    pub ru_minflt: i64,
    pub ru_majflt: i64,
    pub ru_nswap: i64,
    pub ru_inblock: i64,
    pub ru_oublock: i64,
    pub ru_msgsnd: i64,
    pub ru_msgrcv: i64,
    pub ru_nsignals: i64,
    pub ru_nvcsw: i64,
    pub ru_nivcsw: i64,
}

/// The numbers of proc_pid_stat(5), in its order, from `ppid` on.
macro_rules! self_proc_stats {
    ($($name:ident),* $(,)?) => {
        /// `/proc/self/stat`, as proc(5) tells.
        #[derive(Clone, Debug, serde::Serialize, ToSchema)]
        #[allow(missing_docs, reason = "the names are those of proc(5)")]
        pub struct SelfProcStats {
            /// Whether it was sampled.
            pub ok: bool,
            /// When, milliseconds since 1970.
            pub sample_time: i64,
            /// Processor use; 1.00 is one core.
            pub percent: Decimal,
            pub pid: i64,
            /// Program name in parentheses.
            #[schema(example = "(headwater)")]
            pub comm: String,
            /// One letter.
            #[schema(example = "S")]
            pub state: String,
            $(pub $name: i64,)*
        }

        impl From<headwater_stats::ProcessStat> for SelfProcStats {
            fn from(stat: headwater_stats::ProcessStat) -> SelfProcStats {
                let mut numbers = stat.numbers.into_iter();
                SelfProcStats {
                    ok: stat.ok,
                    sample_time: stat.sampled_ms,
                    percent: Decimal(stat.cpu),
                    pid: stat.pid,
                    comm: stat.comm,
                    state: stat.state.to_string(),
                    $($name: numbers.next().unwrap_or_default(),)*
                }
            }
        }
    };
}

self_proc_stats! {
    ppid, pgrp, session, tty_nr, tpgid, flags, minflt, cminflt, majflt, cmajflt, utime, stime, cutime, cstime,
    priority, nice, num_threads, itrealvalue, starttime, vsize, rss, rsslim, startcode, endcode, startstack, kstkesp,
    kstkeip, signal, blocked, sigignore, sigcatch, wchan, nswap, cnswap, exit_signal, processor, rt_priority, policy,
    delayacct_blkio_ticks, guest_time, cguest_time,
}

/// Processor time of the machine from `/proc/stat`, in clock ticks.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names are those of proc(5)")]
pub struct SystemProcStats {
    /// Whether it was sampled.
    pub ok: bool,
    /// When, milliseconds since 1970.
    pub sample_time: i64,
    /// Processor use, 0 to 1.
    pub percent: Decimal,
    pub user: i64,
    pub nice: i64,
    pub sys: i64,
    pub idle: i64,
    pub iowait: i64,
    pub irq: i64,
    pub softirq: i64,
    pub steal: i64,
    pub guest: i64,
}

/// Memory of the machine, in KiB.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[allow(non_snake_case, missing_docs, reason = "SRS's field names, which are those of /proc/meminfo")]
pub struct Meminfos {
    /// Whether it was sampled.
    pub ok: bool,
    /// When, milliseconds since 1970.
    pub sample_time: i64,
    /// `RealInUse` of `MemTotal`, 0 to 1.
    pub percent_ram: Decimal,
    /// Swap in use, 0 to 1.
    pub percent_swap: Decimal,
    /// `MemTotal` less `MemFree`.
    pub MemActive: i64,
    /// `MemActive` less `Buffers` and `Cached`.
    pub RealInUse: i64,
    /// `MemTotal` less `RealInUse`.
    pub NotInUse: i64,
    pub MemTotal: i64,
    pub MemFree: i64,
    pub Buffers: i64,
    pub Cached: i64,
    pub SwapTotal: i64,
    pub SwapFree: i64,
}

/// Licence and authors.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct Authors {
    /// SPDX expression.
    #[schema(example = "MIT OR Apache-2.0")]
    pub license: &'static str,
    /// Who wrote it.
    pub contributors: &'static str,
}

/// What this build can do.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct Features {
    /// How it was built.
    pub options: String,
    /// The same.
    pub options2: String,
    /// Date of the binary, `YYYY-MM-DD HH:MM:SS` UTC.
    #[schema(example = "2026-01-31 12:00:00")]
    pub build: String,
    /// The same in Unix seconds, as text.
    #[schema(example = "1769860800")]
    pub build2: String,
    /// What is served.
    pub features: FeatureFlags,
}

/// What is served, by SRS's names.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct FeatureFlags {
    /// TLS: RTMPS and HTTPS.
    pub ssl: bool,
    /// HLS.
    pub hls: bool,
    /// HDS.
    pub hds: bool,
    /// HTTP callbacks.
    pub callback: bool,
    /// This API.
    pub api: bool,
    /// The HTTP server for streams and files.
    pub httpd: bool,
    /// Recording.
    pub dvr: bool,
    /// Transcoding by FFmpeg.
    pub transcode: bool,
    /// Ingest by FFmpeg.
    pub ingest: bool,
    /// Statistics.
    pub stat: bool,
    /// Stream casters.
    pub caster: bool,
    /// Many messages in one system call.
    pub complex_send: bool,
    /// TCP_NODELAY can be set.
    pub tcp_nodelay: bool,
    /// The socket send buffer can be set.
    pub so_sendbuf: bool,
    /// Merged reads can be set.
    pub mr: bool,
}

/// Average rate over the last 30 seconds (less for what is younger), in kbit/s; sampled every 3 seconds.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, ToSchema)]
pub struct Kbps {
    /// Received.
    pub recv_30s: u64,
    /// Sent.
    pub send_30s: u64,
}

/// A virtual host; appears with its first use and stays.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct Vhost {
    /// Its id.
    #[schema(example = "vid-11aa22b")]
    pub id: String,
    /// Its name.
    #[schema(example = "__defaultVhost__")]
    pub name: String,
    /// Whether the configuration enables it.
    pub enabled: bool,
    /// Clients now, publishers included.
    pub clients: u64,
    /// Streams now.
    pub streams: u64,
    /// Bytes sent since start.
    pub send_bytes: u64,
    /// Bytes received since start.
    pub recv_bytes: u64,
    /// Rates.
    pub kbps: Kbps,
    /// HLS.
    pub hls: VhostHls,
}

/// HLS of a virtual host.
#[derive(Clone, Copy, Debug, serde::Serialize, ToSchema)]
pub struct VhostHls {
    /// Whether it is on.
    pub enabled: bool,
    /// Segment length in seconds; only when on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub fragment: Option<Decimal>,
}

/// All virtual hosts.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct VhostList {
    /// Who answers.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// By id.
    pub vhosts: Vec<Vhost>,
}

/// One virtual host.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct VhostFound {
    /// Who answers.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The virtual host.
    pub vhost: Vhost,
}

/// A virtual host, or code 2014.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[serde(untagged)]
#[allow(missing_docs, reason = "told by the types")]
pub enum VhostReply {
    Found(Box<VhostFound>),
    Failed(ApiError),
}

/// A stream; there is an entry while it has a publisher or a player.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[allow(non_snake_case, reason = "SRS's field names")]
pub struct Stream {
    /// Its id; new when the entry is.
    #[schema(example = "vid-77cc88d")]
    pub id: String,
    /// Stream name.
    #[schema(example = "cam1")]
    pub name: String,
    /// Id of its virtual host.
    #[schema(example = "vid-11aa22b")]
    pub vhost: String,
    /// App.
    #[schema(example = "live")]
    pub app: String,
    /// Connect URL of the first client.
    #[schema(example = "rtmp://h/live")]
    pub tcUrl: String,
    /// Its identity: `[vhost]/app/stream`.
    #[schema(example = "/live/cam1")]
    pub url: String,
    /// The present time in milliseconds since 1970, not a start: SRS's clients expect it. See `headwater.uptime_s`.
    pub live_ms: i64,
    /// Clients now, the publisher included.
    pub clients: u64,
    /// Audio and video frames received since the stream began.
    pub frames: u64,
    /// Audio frames of them.
    pub audio_frames: u64,
    /// Video frames of them.
    pub video_frames: u64,
    /// Bytes sent to clients since the entry appeared.
    pub send_bytes: u64,
    /// Bytes received from clients since the entry appeared.
    pub recv_bytes: u64,
    /// Rates.
    pub kbps: Kbps,
    /// Its publisher.
    pub publish: StreamPublish,
    /// Video, once known.
    #[schema(required)]
    pub video: Option<StreamVideo>,
    /// Audio, once known.
    #[schema(required)]
    pub audio: Option<StreamAudio>,
    /// What SRS does not tell.
    pub headwater: StreamMore,
}

/// The publisher of a stream.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct StreamPublish {
    /// Whether somebody publishes now.
    pub active: bool,
    /// Client id of the latest publisher; stays when it has left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "a1b2c3d4")]
    pub cid: Option<String>,
}

/// Video of a stream.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct StreamVideo {
    /// `H264`, `HEVC`, `AV1`, `VP9`, `VP8` or `Other`.
    #[schema(example = "H264")]
    pub codec: &'static str,
    /// `High`, `Main`, …; `Other` when unknown.
    #[schema(example = "High")]
    pub profile: &'static str,
    /// `3.1`, …; `Other` when unknown.
    #[schema(example = "3.1")]
    pub level: String,
    /// Pixels; 0 when unknown.
    #[schema(example = 1280)]
    pub width: u32,
    /// Pixels; 0 when unknown.
    #[schema(example = 720)]
    pub height: u32,
}

/// Audio of a stream.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct StreamAudio {
    /// `AAC`, `MP3`, `Opus`, `G.711 A-law`, `G.711 mu-law` or `Other`.
    #[schema(example = "AAC")]
    pub codec: &'static str,
    /// Hz, as the codec's own configuration says (SRS rounds to FLV's table).
    #[schema(example = 48000)]
    pub sample_rate: u32,
    /// Channels, as the codec's own configuration says.
    #[schema(example = 2)]
    pub channel: u8,
    /// `LC`, `HE`, …; `Other` when unknown.
    #[schema(example = "LC")]
    pub profile: &'static str,
}

/// What SRS does not tell of a stream.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct StreamMore {
    /// Seconds that the present publisher has been live; 0.00 without one.
    pub uptime_s: Decimal,
    /// Clients that watch.
    pub viewers: u64,
    /// Client type of the publisher (`fmle-publish`, …); empty without one.
    #[schema(example = "fmle-publish")]
    pub publisher_type: &'static str,
    /// Times that a player was too slow and was moved to the newest key frame.
    pub jumps: u64,
    /// Media bytes kept for newcomers.
    pub cached_bytes: u64,
    /// How the publisher's timestamps were corrected.
    pub timeline: StreamTimeline,
}

/// What was done about a stream's timestamps since it began (`time_jitter`, `mix_correct`), and how they stand.
#[derive(Clone, Debug, Default, serde::Serialize, ToSchema)]
pub struct StreamTimeline {
    /// Leaps of the publisher's clock, forward or back, that were closed. One that both tracks make counts once.
    pub leaps: u64,
    /// Frames whose decoding time was before that of the frame they follow, and was lifted.
    pub steps_back: u64,
    /// Times that the publisher's clock wrapped around.
    pub wraps: u64,
    /// Frames put before others that had arrived earlier.
    pub reordered: u64,
    /// Milliseconds: the furthest that one correction moved a frame; wraps do not count.
    pub largest_ms: u64,
    /// Milliseconds: newest audio minus newest video decoding time; null without both.
    #[schema(required = true, example = -12)]
    pub av_offset_ms: Option<i64>,
    /// Milliseconds that the stream's time went further than the clock on the wall since the publisher began; null
    /// before its first frame. One that grows or falls steadily is a clock that drifts.
    #[schema(required = true, example = 3)]
    pub drift_ms: Option<i64>,
}

/// Streams, one page of them.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct StreamList {
    /// Who answers.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Streams in all pages.
    pub total: u64,
    /// By id.
    pub streams: Vec<Stream>,
}

/// One stream.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct StreamFound {
    /// Who answers.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The stream.
    pub stream: Stream,
}

/// A stream, or code 2048.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[serde(untagged)]
#[allow(missing_docs, reason = "told by the types")]
pub enum StreamReply {
    Found(Box<StreamFound>),
    Failed(ApiError),
}

/// A client: a publisher or a player.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[allow(non_snake_case, reason = "SRS's field names")]
pub struct Client {
    /// Its id; on every log line and callback of it.
    #[schema(example = "a1b2c3d4")]
    pub id: String,
    /// Id of its virtual host.
    #[schema(example = "vid-11aa22b")]
    pub vhost: String,
    /// Id of its stream.
    #[schema(example = "vid-77cc88d")]
    pub stream: String,
    /// Peer address.
    #[schema(example = "198.51.100.7")]
    pub ip: String,
    /// Page, as sent.
    pub pageUrl: String,
    /// Flash player, as sent.
    pub swfUrl: String,
    /// Connect URL, as sent.
    #[schema(example = "rtmp://h/live")]
    pub tcUrl: String,
    /// Identity of its stream.
    #[schema(example = "/live/cam1")]
    pub url: String,
    /// Stream name as the client wrote it (`cam1.flv`).
    #[schema(example = "cam1")]
    pub name: String,
    /// `rtmp-play`, `fmle-publish`, `flash-publish`, `haivision-publish`, `flv-play`, `hls-play`, …
    #[serde(rename = "type")]
    #[schema(example = "fmle-publish")]
    pub kind: &'static str,
    /// Whether it publishes.
    pub publish: bool,
    /// Seconds since it began.
    pub alive: Decimal,
    /// Bytes sent to it.
    pub send_bytes: u64,
    /// Bytes received from it.
    pub recv_bytes: u64,
    /// Rates.
    pub kbps: Kbps,
}

/// Clients, one page of them.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct ClientList {
    /// Who answers.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Clients in all pages.
    pub total: u64,
    /// By id.
    pub clients: Vec<Client>,
}

/// One client.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct ClientFound {
    /// Who answers.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The client.
    pub client: Client,
}

/// A client, or code 2049.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[serde(untagged)]
#[allow(missing_docs, reason = "told by the types")]
pub enum ClientReply {
    Found(Box<ClientFound>),
    Failed(ApiError),
}

/// The client was asked to leave, or code 2049.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[serde(untagged)]
#[allow(missing_docs, reason = "told by the types")]
pub enum KickReply {
    Kicked(Envelope),
    Failed(ApiError),
}

/// The API's own configuration (`rpc=raw`).
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct RawConfig {
    /// 0: success.
    pub code: i32,
    /// The section `http_api`.
    pub http_api: RawHttpApi,
}

/// The section `http_api`.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct RawHttpApi {
    /// Whether the API has a port of its own.
    pub enabled: bool,
    /// As configured.
    #[schema(example = "1985")]
    pub listen: String,
    /// As configured.
    pub crossdomain: bool,
    /// The section `raw_api`.
    pub raw_api: RawApi,
}

/// The section `raw_api`.
#[derive(Clone, Copy, Debug, serde::Serialize, ToSchema)]
pub struct RawApi {
    /// Whether `rpc=reload` is enabled.
    pub enabled: bool,
    /// Whether it may reload.
    pub allow_reload: bool,
    /// Always off.
    pub allow_query: bool,
    /// Always off.
    pub allow_update: bool,
}

/// How the last reload went (`rpc=reload-fetch`).
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct RawReload {
    /// 0: success.
    pub code: i32,
    /// The reload.
    pub data: RawReloadData,
}

/// How a reload went.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct RawReloadData {
    /// Code of its error: 1023 for a bad configuration, 1042 for a file that cannot be read; 0 when there was none.
    pub err: i32,
    /// `Success`, or the error in words.
    #[schema(example = "Success")]
    pub msg: String,
    /// 0: there was no reload yet; 10: while the configuration is read; 20: while it is checked; 30: while it is
    /// applied; 90: done. After an error, where it was.
    #[schema(example = 90)]
    pub state: i32,
    /// Another one for each reload.
    #[schema(example = "x1y2z3w")]
    pub rid: String,
}

/// A reload begins.
#[derive(Clone, Copy, Debug, serde::Serialize, ToSchema)]
pub struct RawBegun {
    /// 0: success.
    pub code: i32,
}

/// The configuration, a reload, or code 1060 or 1061.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[serde(untagged)]
#[allow(missing_docs, reason = "told by the types")]
pub enum RawReply {
    Config(Box<RawConfig>),
    Reload(RawReload),
    Begun(RawBegun),
    Failed(ApiError),
}

/// Whether this node publishes a stream, for the other nodes of an origin cluster.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct Clusters {
    /// 0: success.
    pub code: i32,
    /// The answer.
    pub data: ClusterData,
}

/// The question and its answer.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct ClusterData {
    /// The question.
    pub query: ClusterQuery,
    /// This node, if it publishes the stream.
    #[schema(required)]
    pub origin: Option<ClusterOrigin>,
}

/// The question, as understood.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct ClusterQuery {
    /// Address of the client.
    pub ip: String,
    /// Virtual host.
    pub vhost: String,
    /// App.
    pub app: String,
    /// Stream name.
    pub stream: String,
}

/// A node that publishes the stream.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct ClusterOrigin {
    /// Address for RTMP.
    #[schema(example = "198.51.100.5")]
    pub ip: String,
    /// RTMP port.
    #[schema(example = 1935)]
    pub port: u16,
    /// Name of the publisher's virtual host.
    #[schema(example = "__defaultVhost__")]
    pub vhost: String,
    /// `host:port` of its API.
    #[schema(example = "198.51.100.5:1985")]
    pub api: String,
    /// The same.
    pub routers: Vec<String>,
}

/// What the server saw of a request.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
#[allow(non_snake_case, reason = "SRS's field names")]
pub struct TestRequest {
    /// Scheme, host and path.
    #[schema(example = "http://127.0.0.1/api/v1/tests/requests")]
    pub uri: String,
    /// Path.
    #[schema(example = "/api/v1/tests/requests")]
    pub path: String,
    /// Method.
    #[schema(example = "GET")]
    pub METHOD: String,
    /// Facts on the server; not the request's headers.
    pub headers: TestHeaders,
}

/// Facts on the server.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct TestHeaders {
    /// Name of the server (SRS's spelling of the field).
    pub sigature: &'static str,
    /// As in `versions`.
    pub version: &'static str,
    /// Home page.
    pub link: &'static str,
    /// Microseconds since 1970.
    pub time: i64,
}

/// What the web console needs to know of the server it is served by. Headwater's own; no envelope.
#[derive(Clone, Debug, PartialEq, serde::Serialize, ToSchema)]
pub struct Console {
    /// Headwater's version.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// RTMP port.
    #[schema(example = 1935)]
    pub rtmp_port: u16,
    /// Port of HTTP streams, if there is one.
    #[schema(required, example = 8080)]
    pub http_port: Option<u16>,
    /// Port of HTTPS streams, if there is one.
    #[schema(required, example = 8088)]
    pub https_port: Option<u16>,
    /// Port of the API, if it has one of its own.
    #[schema(required, example = 1985)]
    pub api_port: Option<u16>,
    /// HLS segment length in seconds of the default virtual host.
    #[schema(example = 2.0)]
    pub hls_fragment_s: f64,
}

/// A WebRTC session. Counts are totals since its beginning.
#[derive(Clone, Debug, Default, serde::Serialize, ToSchema)]
pub struct RtcSession {
    /// Id of the client.
    #[schema(example = "a1b2c3d4")]
    pub id: String,
    /// `rtc-publish` or `rtc-play`.
    #[schema(example = "rtc-play")]
    pub kind: &'static str,
    /// `app/stream`.
    #[schema(example = "live/cam1")]
    pub stream: String,
    /// `session` of its URL: whoever opened it finds itself here.
    #[schema(example = "Jx3k:9fQz")]
    pub session: String,
    /// Milliseconds since it was made.
    pub age_ms: u64,
    /// `waiting` (nothing came yet), `connecting` (STUN requests came), `connected` or `closed`.
    #[schema(example = "connected")]
    pub phase: &'static str,
    /// Why it failed, or why its player sees no pictures, in words; null without either.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// Addresses that the answer named.
    #[schema(example = json!(["udp 192.0.2.7:8000"]))]
    pub candidates: Vec<String>,
    /// Addresses that STUN requests came from; at most 8.
    #[schema(example = json!(["udp 198.51.100.2:5000"]))]
    pub tried: Vec<String>,
    /// The peer's address of the pair in use; null before there is one.
    #[schema(required = true, example = "udp 198.51.100.2:5000")]
    pub remote: Option<String>,
    /// Profile of SRTP; null before the handshake is through.
    #[schema(required = true, example = "AEAD_AES_128_GCM")]
    pub srtp: Option<String>,
    /// Round trip; null before it is known.
    #[schema(required = true, example = 34.5)]
    pub rtt_ms: Option<f64>,
    /// What the path is thought to carry, in bits a second; of players, null before it is known.
    #[schema(required = true, example = 2400000)]
    pub estimate_bps: Option<u64>,
    /// What a player gets of the pictures: `full`, `referenced` (without pictures that nothing refers to), `keys` (from
    /// each key frame on as much as there is room for) or `paused` (sound alone). Null for publishers.
    #[schema(required = true, example = "full")]
    pub level: Option<&'static str>,
    /// The simulcast layer that a player gets, or that is the publisher's stream for players of other protocols; null
    /// where there are none.
    #[schema(required = true, example = "h")]
    pub layer: Option<String>,
    /// Pictures and sound, each layer of a publisher.
    pub tracks: Vec<RtcTrack>,
}

/// One track of a WebRTC session, or one layer of it.
#[derive(Clone, Debug, Default, serde::Serialize, ToSchema)]
pub struct RtcTrack {
    /// Media section.
    #[schema(example = "0")]
    pub mid: String,
    /// Simulcast layer; null where there are none.
    #[schema(required = true, example = "h")]
    pub rid: Option<String>,
    /// `audio` or `video`.
    #[schema(example = "video")]
    pub kind: &'static str,
    /// The codec in use.
    #[schema(example = "H264")]
    pub codec: String,
    /// Packets received, or sent to a player; those sent again included.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bits a second lately.
    #[schema(example = 2100000)]
    pub bitrate_bps: u64,
    /// Share of packets lost lately, 0 to 1; null before it is known.
    #[schema(required = true, example = 0.01)]
    pub loss: Option<f32>,
    /// Packets that never came, of a publisher; packets reported lost, of a player.
    pub lost: u64,
    /// Packets that came late, of a publisher: sent again when asked for, or overtaken on the way. Packets sent again, of
    /// a player.
    pub repaired: u64,
    /// Requests to send packets again (NACK): sent to a publisher, received from a player.
    pub nacks: u64,
    /// Requests for a key frame (PLI), likewise.
    pub plis: u64,
    /// Requests for a key frame (FIR), likewise.
    pub firs: u64,
    /// Interarrival jitter; null before it is known.
    #[schema(required = true, example = 3.2)]
    pub jitter_ms: Option<f64>,
}

/// WebRTC sessions.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub struct RtcSessionList {
    /// Who answers.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Those that are.
    pub sessions: Vec<RtcSession>,
    /// Those that failed lately, oldest first.
    pub failed: Vec<RtcSession>,
}
