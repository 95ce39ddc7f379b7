//! The root of the typed configuration.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::directive::Directive;
use crate::endpoint::Endpoint;
use crate::scope::{Scope, Section};
use crate::section::{Place, section};
use crate::sections::*;
use crate::tree::print;

section! {
    /// A whole configuration.
    pub struct Conf {
        /// Name of this server in the API and in callbacks. If absent it is taken from the id file beside `pid`,
        /// or made up and written there.
        server_id: Option<String> = Text("name"), "", "R", S.served();
        /// Pid file, locked as long as the process lives.
        pid: PathBuf = Path, "./objs/srs.pid", "R", S.served();
        /// Directory for FFmpeg child logs; `/dev/null` disables them.
        ff_log_dir: PathBuf = Path, "./objs", "C", S;
        /// Passed as FFmpeg `-loglevel` for ingest children.
        ff_log_level: String = Choice(&["info", "warning", "error", "fatal", "panic", "quiet", "trace", "debug", "verbose"]), "info", "C", S;
        /// Most TCP clients at a time (RTMP and HTTP); further ones are closed at once. At least 1, and with 128
        /// more below the limit of open files.
        max_connections: u32 = Int(""), "1000", "L", S.served();
        /// Go to the background. Headwater always stays in the foreground, and says so.
        daemon: bool = UnlessOff, "on", "R", S.served();
        /// Interval of periodic per-category status log lines.
        pithy_print_ms: Duration = Millis, "10000", "A", S;
        /// Directory to change to after the configuration is read.
        work_dir: PathBuf = Path, "./", "R", S.served();
        /// Quit when the parent pid changes; needs daemon off; refuses to start if ppid is 1.
        asprocess: bool = OnlyOn, "off", "R", S;
        /// Silently drop TCP peers whose address cannot be read (load-balancer probes); off logs an error.
        empty_ip_ok: bool = UnlessOff, "on", "L", S;
        /// Force docker mode when `/proc/1/cgroup` has no `/docker`.
        in_docker: bool = OnlyOn, "off", "R", S;
        /// Graceful quit: delay before listeners close.
        grace_start_wait: Duration = Millis, "2300", "L", S;
        /// Graceful quit: delay after sources are disposed.
        grace_final_wait: Duration = Millis, "3200", "L", S;
        /// Treat SIGTERM as SIGQUIT.
        force_grace_quit: bool = OnlyOn, "off", "L", S;
        /// In docker ignore daemon=on.
        disable_daemon_for_docker: bool = UnlessOff, "on", "R", S;
        /// Reload when the config file changes (inotify).
        inotify_auto_reload: bool = OnlyOn, "off", "R", S;
        /// In docker turn inotify_auto_reload on.
        auto_reload_for_docker: bool = UnlessOff, "on", "R", S;
        /// Release rate of the tcmalloc allocator.
        tcmalloc_release_rate: f64 = Float(""), "0.8", "R", S;
        /// Ask the vendor of SRS for its newest release every hour.
        query_latest_version: bool = UnlessOff, "off", "R", S;
        /// Delay before the first version query.
        first_wait_for_qlv: Duration = Seconds, "300", "R", S;
        /// RTMP endpoints `[ip:]port`; ip must be numeric IPv4/IPv6.
        listen: Vec<Endpoint> = Addresses, "", "R", S.served();
        /// Threads that move media; 0 starts one per core.
        workers: u32 = Int(""), "0", "R", S.headwater().served();
        /// Directory of Headwater's own state.
        data_dir: PathBuf = Path, "./data", "R", S.headwater().served();
        /// RTMP chunk size towards peers; a size outside 128 to 65536 is used with a warning.
        chunk_size: u32 = Int("bytes"), "60000", "C", S.env(&["SRS_VHOST_CHUNK_SIZE", "SRS_CHUNK_SIZE"]).served();
    }
    blocks {
        /// The text the configuration was read from.
        written: Written = S.flat();
        /// Where and what to log.
        log: Log = S.flat();
        /// The HTTP API.
        http_api: HttpApi = S.served();
        /// Live streams, segments and static files over HTTP.
        http_server: HttpServer = S.formerly(&["http_stream"]).served();
        /// SRT listener (MPEG-TS payload).
        srt_server: SrtServer = X;
        /// WebRTC server.
        rtc_server: RtcServer = S.served();
        /// Protocol converter. One live listener per caster type: a second enabled block of the same type
        /// replaces the first.
        stream_casters as "stream_caster": Vec<StreamCaster> = X.repeated().no_env();
        /// Threads of the baseline: Headwater has `workers` instead.
        threads: Threads = S.open();
        /// CPU protection (sampled every 1 s on process CPU%).
        circuit_breaker: CircuitBreaker = S.open();
        /// Cloud log shipping; only in APM builds.
        tencentcloud_cls: CloudLog = S.open();
        /// OpenTelemetry-style tracing; only in APM builds.
        tencentcloud_apm: CloudTrace = X.open();
        /// Prometheus.
        exporter: Exporter = X.served();
        /// Periodic POST to a controller.
        heartbeat: Heartbeat = S;
        /// System statistics.
        stats: Stats = S.no_env();
        /// RTMP listener, in the form of later releases: these win over `listen` and `chunk_size` at the root.
        rtmp: Rtmp = S.later().served();
        /// RTSP listener, for players.
        rtsp_server: RtspServer = X.later();
        /// RTMP over TLS.
        rtmps: Tls = S.defaults(&[("listen", "1443")]).later().served();
        /// Headwater's web console.
        console: Console = S.headwater().served();
        /// Virtual host; exact name match, else `__defaultVhost__`.
        vhosts as "vhost": Vec<Arc<Vhost>> = S.repeated();
    }
    accepts {
        /// Marks a list of every directive: `on` makes loading fail, so that nobody runs it.
        "is_full" = OnlyOn, "off", "-", T.no_env();
        /// Inserts the statements of other files here; valid in any block. Paths are relative to the working directory.
        "include" = List("paths"), "", "-", S.no_env();
    }
}

/// The vhost that stands for every name without a vhost of its own.
pub const DEFAULT_VHOST: &str = "__defaultVhost__";

impl Conf {
    /// The vhost a request for `name` belongs to: the one of exactly that name, else `__defaultVhost__`.
    /// `None` if there is neither, or if the one that matches is disabled (there is no falling back from it).
    pub fn vhost(&self, name: &str) -> Option<&Arc<Vhost>> {
        self.named(name).or_else(|| self.named(DEFAULT_VHOST)).filter(|vhost| vhost.enabled)
    }

    /// The configuration as text in the forms of today: includes and older forms resolved, variables not applied.
    ///
    /// It contains the passwords of the configuration.
    pub fn to_text(&self) -> &str {
        &self.written.0
    }

    /// Every vhost, in the order of the file, disabled ones too.
    pub fn vhosts(&self) -> &[Arc<Vhost>] {
        &self.vhosts
    }

    /// Of two vhosts with one name the first is meant.
    fn named(&self, name: &str) -> Option<&Arc<Vhost>> {
        self.vhosts.iter().find(|vhost| vhost.name == name)
    }

    /// Whether the API has no listener of its own but is served by the HTTP server's: both listen on the same.
    pub fn api_shares_http_port(&self) -> bool {
        self.http_api.listen == self.http_server.listen
    }

    /// Resolves what depends on more than one directive.
    ///
    /// `given` says whether a path was given a value.
    pub(crate) fn settled(mut self, given: impl Fn(&str) -> bool) -> Conf {
        if !self.rtmp.listen.is_empty() {
            self.listen.clone_from(&self.rtmp.listen);
        }
        if self.api_shares_http_port() && !given("http_api.https.listen") {
            self.http_api.https.listen = self.http_server.https.listen;
        }
        self.heartbeat.interval = Duration::from_secs(self.heartbeat.interval.as_secs());
        self.chunk_size = self.rtmp.chunk_size.unwrap_or(self.chunk_size);
        self
    }
}

/// The text of a configuration; see [`Conf::to_text`]. Its `Debug` keeps the text back, because of passwords.
#[derive(Clone)]
pub struct Written(Arc<str>);

/// How a configuration was written does not make it another one.
impl PartialEq for Written {
    fn eq(&self, _: &Written) -> bool {
        true
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Written({} bytes)", self.0.len())
    }
}

impl Section for Written {
    fn describe(_: &Place, _: &mut Vec<Directive>) {}

    fn read(scope: &Scope<'_>) -> Written {
        Written(print(scope.children()).into())
    }
}
