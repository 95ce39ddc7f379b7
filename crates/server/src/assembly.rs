use crate::admission::Policy;
use crate::log::{Log, LogOptions, Tank};
use crate::ports::PortError;
use crate::reload::{Origin, Reloads};
use crate::tls::{self, TlsError};
use crate::welcome::Welcome;
use crate::{console, http};
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::any_service;
use headwater_api::{Auth, Exporter, Peer, RawApiSettings, Settings, State as ApiState, VhostSettings};
use headwater_conf::{
    Conf, DEFAULT_VHOST, Endpoint, LogTank, Play, StreamsTls, Threshold, TimeJitter, Vhost,
};
use headwater_convert::Conversions;
use headwater_flv::metadata::Metadata;
use headwater_hls::Hls;
use headwater_httplive::{FastCache, FileServer, HttpLive};
use headwater_hub::{Admission, Audible, Hub, Options, Serve, Session, Stream, StreamName, Times, Workers};
use headwater_media::Frame;
use headwater_record::Recorders;
use headwater_rtmp::Rtmp;
use headwater_stats::{Identity, Stats};
#[cfg(feature = "http3")]
use headwater_web::Answering;
use headwater_web::{HEAD_TIMEOUT, Protocol};
use headwater_webrtc::WebRtc;
use std::io::{self, Write};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tracing::Level;

/// Threads of the control runtime: API, console, segment writing. Media has its own.
const CONTROL_THREADS: usize = 2;

/// How often streams are swept and statistics sampled.
const TICK: Duration = Duration::from_secs(1);

/// How to start.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Everything, with the console and a welcome on standard output; otherwise the media server alone.
    pub everything: bool,
    /// What the configuration's loading had to say, for the log.
    pub warnings: Vec<String>,
    /// What a reload loads again; `None` for a configuration that cannot change.
    pub origin: Option<Origin>,
}

/// Why the server did not start or could not go on.
#[derive(Debug, Error)]
pub enum StartError {
    /// The log cannot be opened.
    #[error(
        "cannot open the log {path}: {cause}; set `srs_log_file` to a file that can be written, or `srs_log_tank console`"
    )]
    Log {
        /// The file.
        path: String,
        /// The system's words.
        cause: io::Error,
    },
    /// A directory cannot be used.
    #[error(
        "cannot use the directory {path}: {cause}; give this process permission to write there, or set `{directive}`"
    )]
    Directory {
        /// The directory.
        path: String,
        /// The directive that chooses it.
        directive: &'static str,
        /// The system's words.
        cause: io::Error,
    },
    /// Another instance holds the pid file.
    #[error(
        "the pid file {path} is locked: another server is running with it; stop that one or set `pid` to another file"
    )]
    Running {
        /// The pid file.
        path: String,
    },
    /// A port cannot be listened on.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Threads or signals are not to be had.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    /// The process's exit status: SRS's error number modulo 256 (srs-interfaces 1.8).
    pub fn exit_status(&self) -> u8 {
        match self {
            StartError::Port(_) => 234,                                  // 1002
            StartError::Running { .. } => 11,                            // 1035
            StartError::Log { .. } | StartError::Directory { .. } => 18, // 1042
            StartError::Tls(_) | StartError::System(_) => 255,
        }
    }
}

/// Runs a server until SIGINT or SIGTERM.
pub fn run_server(conf: Conf, start: Start) -> Result<(), StartError> {
    let conf = Arc::new(conf);
    enter_work_dir(&conf)?;
    let log = open_log(&conf)?;
    start.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let _pid = lock_pid(&conf, &start)?;
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()?;
    let server = Server::assemble(&conf, &start, &control)?;
    if start.everything {
        // Nobody reads the welcome on a closed terminal; the server runs all the same.
        write!(io::stdout(), "{}", server.welcome).and_then(|()| io::stdout().flush()).ok();
    }
    control.block_on(server.run(log))
}

fn enter_work_dir(conf: &Conf) -> Result<(), StartError> {
    let dir = &conf.work_dir;
    if dir.as_os_str().is_empty() || dir.as_os_str() == "./" {
        return Ok(());
    }
    let error =
        |cause| StartError::Directory { path: dir.display().to_string(), directive: "work_dir", cause };
    std::env::set_current_dir(dir).map_err(error)
}

fn open_log(conf: &Conf) -> Result<Log, StartError> {
    let tank = match conf.log.tank {
        LogTank::Console => Tank::Console,
        LogTank::File => Tank::File(conf.log.file.clone()),
    };
    let options = LogOptions { tank, level: log_level(conf.log.threshold()), utc: conf.log.utc };
    let error = |cause| StartError::Log { path: conf.log.file.display().to_string(), cause };
    Log::open(&options).map_err(error)
}

fn log_level(threshold: Threshold) -> Option<Level> {
    match threshold {
        Threshold::Off => None,
        Threshold::Error => Some(Level::ERROR),
        Threshold::Warn => Some(Level::WARN),
        Threshold::Info => Some(Level::INFO),
        Threshold::Debug => Some(Level::DEBUG),
        Threshold::Trace => Some(Level::TRACE),
    }
}

/// Writes the pid file and locks it for the life of the process.
fn lock_pid(conf: &Conf, start: &Start) -> Result<Option<std::fs::File>, StartError> {
    let path = if start.everything { conf.data_dir.join("headwater.pid") } else { conf.pid.clone() };
    let dir = parent(&path);
    let directive = if start.everything { "data_dir" } else { "pid" };
    let error = |cause| StartError::Directory { path: dir.display().to_string(), directive, cause };
    std::fs::create_dir_all(&dir).map_err(error)?;
    let open = std::fs::OpenOptions::new().create(true).write(true).truncate(false).open(&path);
    let mut file = open.map_err(error)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            return Err(StartError::Running { path: path.display().to_string() });
        }
        Err(std::fs::TryLockError::Error(cause)) => return Err(error(cause)),
    }
    file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(error)?;
    Ok(Some(file))
}

/// A started server.
struct Server {
    hub: Arc<Hub>,
    stats: Arc<Stats>,
    hls: Arc<Hls>,
    recorders: Arc<Recorders>,
    reloads: Arc<Reloads>,
    welcome: Welcome,
    _workers: Workers,
}

impl Server {
    fn assemble(conf: &Arc<Conf>, start: &Start, control: &Runtime) -> Result<Server, StartError> {
        let hub = Hub::new(stream_options(conf.clone()));
        let admission: Arc<dyn Admission> = Arc::new(Policy::new(conf.clone()));
        let stats = Arc::new(Stats::new(identity(conf, start), stats_options(conf)));
        let hls = Hls::new(&hub, conf.clone(), admission.clone(), control.handle().clone());
        let recorders = Recorders::new(conf.clone(), hls.packager().clone(), control.handle().clone());
        let fast_cache = FastCache::new(conf.clone());
        hub.observe(vec![stats.clone(), hls.clone(), recorders.clone(), fast_cache]);
        recorders.recover(&hub);

        let workers = Workers::start(worker_count(conf), conf.max_connections as usize)?;
        let rtmp = listen_rtmp(conf, &workers, Rtmp::new(hub.clone(), admission.clone(), conf.clone()))?;
        let reloads = Reloads::new(start.origin.clone(), conf.clone(), hub.clone(), recorders.clone());
        let settings = settings(conf, rtmp);
        let api = ApiState::with_reload(hub.clone(), stats.clone(), settings, reloads.clone());
        let rtc = listen_rtc(conf, &workers, &hub, &admission, &stats, control)?;
        let signalling = headwater_webrtc::router(rtc.clone());
        let rest = beside_streams(conf, &api, &hls).merge(signalling.clone());
        api.set_rtc(Arc::new(crate::rtc::Sessions(rtc)));
        let http = listen_http(
            conf,
            &workers,
            HttpLive::new(hub.clone(), admission, conf.clone(), rest, http3_port(conf)),
        )?;
        control.block_on(listen_control(conf, api, signalling))?;
        let console = conf.console.enabled.then(|| conf.console.listen.port);
        let data = std::path::absolute(&conf.data_dir).unwrap_or_else(|_| conf.data_dir.clone());
        let webrtc = conf.rtc_server.enabled;
        let welcome = Welcome { console, rtmp, http, webrtc, data: data.display().to_string() };
        tracing::info!(
            workers = workers.count(),
            rtmp,
            http,
            console,
            "headwater {} started",
            env!("CARGO_PKG_VERSION")
        );
        Ok(Server { hub, stats, hls, recorders, reloads, welcome, _workers: workers })
    }

    async fn run(self, log: Log) -> Result<(), StartError> {
        let mut tick = tokio::time::interval(TICK);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut quit = signal(SignalKind::quit())?;
        let mut rotate = signal(SignalKind::user_defined1())?;
        let mut reload = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    self.hub.sweep();
                    self.stats.tick(std::time::Instant::now());
                }
                _ = rotate.recv() => match log.reopen() {
                    Ok(()) => tracing::info!("log reopened"),
                    Err(error) => tracing::error!(%error, "the log cannot be reopened; the old file stays in use"),
                },
                _ = reload.recv() => self.reloads.run(),
                () = self.reloads.requested() => self.reloads.run(),
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                _ = quit.recv() => break,
            }
        }
        self.hls.close().await;
        self.recorders.close().await;
        tracing::info!("stopped");
        Ok(())
    }
}

fn worker_count(conf: &Conf) -> usize {
    match conf.workers {
        0 => std::thread::available_parallelism().map_or(1, Into::into),
        n => n as usize,
    }
}

/// Who this server is; the id is kept beside its data, or beside its pid file.
fn identity(conf: &Conf, start: &Start) -> Identity {
    let file =
        if start.everything { conf.data_dir.join("headwater.id") } else { conf.pid.with_extension("id") };
    let (identity, error) = Identity::load(&file, conf.server_id.as_deref().unwrap_or_default());
    if let Some(error) = error {
        tracing::warn!("{error}");
    }
    identity
}

fn stats_options(conf: &Conf) -> headwater_stats::Options {
    headwater_stats::Options { machine: conf.stats.enabled, disks: conf.stats.disk.clone() }
}

/// The directory of a file.
fn parent(path: &Path) -> PathBuf {
    path.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// How each stream is kept, by its vhost.
fn stream_options(conf: Arc<Conf>) -> impl Fn(&StreamName) -> Options {
    move |name| {
        let Some(vhost) = conf.vhost(name.vhost()) else { return Options::default() };
        Options {
            gop_cache: vhost.play.gop_cache,
            gop_frames_max: vhost.play.gop_cache_max_frames.into(),
            queue: vhost.play.queue_length,
            batch: vhost.play.mw_latency.filter(|_| vhost.min_latency != Some(true)),
            times: times(&vhost.play),
            absolute_times: vhost.play.atc_auto.then_some(says_atc),
            interleave: vhost.play.mix_correct,
        }
    }
}

fn times(play: &Play) -> Times {
    match play.time_jitter {
        _ if play.atc => Times::Absolute,
        TimeJitter::Full => Times::Corrected,
        TimeJitter::Zero => Times::FromZero,
        TimeJitter::Off => Times::AsPublished,
    }
}

/// Whether metadata says `bravo_atc="true"`: the encoder's times are absolute.
fn says_atc(script: &Frame) -> bool {
    let metadata = Metadata::decode(&script.payload).ok().flatten();
    metadata.is_some_and(|m| m.property("bravo_atc").and_then(|v| v.as_str()) == Some("true"))
}

/// What the API needs of the configuration.
fn settings(conf: &Conf, rtmp_port: u16) -> Settings {
    let (api, http) = (&conf.http_api, &conf.http_server);
    let hls = conf.vhost(DEFAULT_VHOST).map_or(10.0, |v| v.hls.hls_fragment.as_secs_f64());
    let mut settings = Settings {
        auth: api
            .auth
            .enabled
            .then(|| Auth { username: api.auth.username.clone(), password: api.auth.password.clone() }),
        crossdomain: http.crossdomain,
        hosts: Vec::new(),
        http_api_enabled: api.enabled,
        http_api_listen: api.listen.to_string(),
        raw_api: RawApiSettings { enabled: api.raw_api.enabled, allow_reload: api.raw_api.allow_reload },
        exporter: conf
            .exporter
            .enabled
            .then(|| Exporter { label: conf.exporter.label.clone(), tag: conf.exporter.tag.clone() }),
        vhosts: conf.vhosts().iter().map(|v| vhost_settings(v)).collect(),
        rtmp_ip: conf.listen.first().map(|e| e.ip).filter(|ip| !ip.is_unspecified() && !ip.is_loopback()),
        ..Settings::default()
    };
    let console = &mut settings.console;
    console.version = env!("CARGO_PKG_VERSION").to_owned();
    console.rtmp_port = rtmp_port;
    console.http_port = http.enabled.then_some(http.listen.port);
    console.https_port = http.https.enabled.then_some(http.https.listen.port);
    console.api_port = api.enabled.then_some(api.listen.port);
    console.hls_fragment_s = hls;
    settings
}

fn vhost_settings(vhost: &Vhost) -> VhostSettings {
    VhostSettings {
        name: vhost.name.clone(),
        enabled: vhost.enabled,
        hls_fragment_s: vhost.hls.enabled.then_some(vhost.hls.hls_fragment.as_secs_f64()),
    }
}

fn address(endpoint: &Endpoint) -> SocketAddr {
    SocketAddr::new(endpoint.ip, endpoint.port)
}

/// Binds the RTMP and RTMPS endpoints; returns the first RTMP port.
fn listen_rtmp(conf: &Conf, workers: &Workers, rtmp: Arc<Rtmp>) -> Result<u16, StartError> {
    let mut first = None;
    for endpoint in &conf.listen {
        let rtmp = rtmp.clone();
        let serve: Serve = Arc::new(move |connection| Box::pin(rtmp.clone().serve(connection)));
        let bound = listen(workers, address(endpoint), "RTMP", "listen", serve)?;
        first.get_or_insert(bound.port());
    }
    if conf.rtmps.enabled {
        let tls = tls::acceptor("rtmps", &conf.rtmps.cert, &conf.rtmps.key, &[])?;
        let serve: Serve =
            Arc::new(move |connection| Box::pin(rtmp.clone().serve_tls(connection, tls.clone())));
        listen(workers, address(&conf.rtmps.listen), "RTMPS", "rtmps.listen", serve)?;
    }
    Ok(first.unwrap_or(1935))
}

/// Binds the streams ports; returns the plain one.
fn listen_http(conf: &Conf, workers: &Workers, http: Arc<HttpLive>) -> Result<Option<u16>, StartError> {
    let server = &conf.http_server;
    if !server.enabled {
        return Ok(None);
    }
    if server.https.enabled {
        let streams = http.clone();
        let (http, tls) =
            (http.clone(), https_acceptor("http_server.https", &server.https.cert, &server.https.key)?);
        let serve: Serve =
            Arc::new(move |connection| Box::pin(http.clone().serve_tls(connection, tls.clone())));
        let serve = beside_webrtc(conf, server.https.listen.port, serve);
        listen(workers, address(&server.https.listen), "HTTPS streams", "http_server.https.listen", serve)?;
        if server.https.h3 {
            listen_http3(&server.https, &streams)?;
        }
    }
    let serve: Serve = Arc::new(move |connection| Box::pin(http.clone().serve(connection)));
    let serve = beside_webrtc(conf, server.listen.port, serve);
    let bound = listen(workers, address(&server.listen), "HTTP streams", "http_server.listen", serve)?;
    Ok(Some(bound.port()))
}

/// The UDP port of HTTP/3, if it is to be served.
fn http3_port(conf: &Conf) -> Option<u16> {
    let https = &conf.http_server.https;
    (cfg!(feature = "http3") && https.enabled && https.h3).then_some(https.listen.port)
}

#[cfg(feature = "http3")]
fn listen_http3(https: &StreamsTls, http: &Arc<HttpLive>) -> Result<(), StartError> {
    let tls = tls::config("http_server.https", &https.cert, &https.key, &[b"h3"])?;
    let addr = address(&https.listen);
    let http = http.clone();
    let answer = move |peer, request| -> Answering { Box::pin(http.clone().answer_http3(peer, request)) };
    let bound = crate::http3::serve(addr, tls, answer);
    bound.map(drop).map_err(|e| PortError::new(addr, "HTTP/3 streams", "http_server.https.listen", e).into())
}

#[cfg(not(feature = "http3"))]
fn listen_http3(_: &StreamsTls, _: &Arc<HttpLive>) -> Result<(), StartError> {
    tracing::warn!(
        "http_server.https.h3 is on, but this build has no HTTP/3; build it with `--features http3`"
    );
    Ok(())
}

fn https_acceptor(block: &'static str, cert: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    tls::acceptor(block, cert, key, &Protocol::ALPN)
}

fn listen(
    workers: &Workers,
    addr: SocketAddr,
    service: &'static str,
    directive: &'static str,
    serve: Serve,
) -> Result<SocketAddr, PortError> {
    workers.listen(addr, serve).map_err(|e| PortError::new(addr, service, directive, e))
}

/// WebRTC; it listens only when `rtc_server` is on, and else answers offers with that reason.
fn listen_rtc(
    conf: &Arc<Conf>,
    workers: &Workers,
    hub: &Arc<Hub>,
    admission: &Arc<dyn Admission>,
    stats: &Stats,
    control: &Runtime,
) -> Result<Arc<WebRtc>, StartError> {
    let identity = stats.identity();
    let told = headwater_webrtc::Identity {
        server: identity.server.clone(),
        service: identity.service.clone(),
        pid: identity.pid.clone(),
    };
    let rtc = WebRtc::new(hub.clone(), admission.clone(), conf.clone(), control.handle().clone(), told);
    if !conf.rtc_server.enabled {
        return Ok(rtc);
    }
    hub.set_audible(Bridge { conf: conf.clone(), conversions: Conversions::new(control.handle().clone()) });
    let any = |port| SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
    let server = &conf.rtc_server;
    let udp = rtc
        .listen_udp(workers)
        .map_err(|e| PortError::udp(any(server.listen), "WebRTC", "rtc_server.listen", e))?;
    let tcp = match (server.tcp.enabled, shares_webrtc(conf)) {
        (false, _) => None,
        (true, true) => {
            rtc.share_tcp(server.tcp.listen);
            Some(server.tcp.listen)
        }
        (true, false) => Some(rtc.listen_tcp(workers).map_err(|e| {
            PortError::new(any(server.tcp.listen), "WebRTC over TCP", "rtc_server.tcp.listen", e)
        })?),
    };
    tracing::info!(udp, tcp, "webrtc listens");
    Ok(rtc)
}

/// `rtc_to_rtmp`: what WebRTC publishers send is heard by players of other protocols as AAC.
struct Bridge {
    conf: Arc<Conf>,
    conversions: Conversions,
}

impl Audible for Bridge {
    fn converts(&self, stream: &StreamName, publisher: &Session) -> bool {
        let vhost = self.conf.vhost(stream.vhost());
        let bridged = vhost.is_some_and(|vhost| vhost.rtc.enabled && vhost.rtc.rtc_to_rtmp);
        bridged && publisher.info().kind == "rtc-publish"
    }

    fn convert(&self, stream: &Arc<Stream>) -> Arc<Stream> {
        let vhost = self.conf.vhost(stream.name().vhost());
        vhost.map_or_else(|| stream.clone(), |vhost| self.conversions.aac(stream, vhost.rtc.aac_bitrate))
    }
}

/// Whether a port of the streams is that of WebRTC over TCP as well.
fn shares_webrtc(conf: &Conf) -> bool {
    let (tcp, http) = (&conf.rtc_server.tcp, &conf.http_server);
    let own = |on: bool, endpoint: &Endpoint| on && endpoint.port == tcp.listen;
    conf.rtc_server.enabled
        && tcp.enabled
        && http.enabled
        && (own(true, &http.listen) || own(http.https.enabled, &http.https.listen))
}

/// Gives connections to WebRTC whose first byte tells that they are for it, and the others to `http`.
fn beside_webrtc(conf: &Conf, port: u16, http: Serve) -> Serve {
    if !shares_webrtc(conf) || conf.rtc_server.tcp.listen != port {
        return http;
    }
    Arc::new(move |connection| {
        let http = http.clone();
        Box::pin(async move {
            let mut first = [0];
            let peeked = tokio::time::timeout(HEAD_TIMEOUT, connection.io.peek(&mut first)).await;
            match peeked {
                Ok(Ok(1)) if headwater_webrtc::is_packet(first[0]) => {
                    headwater_webrtc::serve_tcp(connection).await;
                }
                Ok(Ok(1)) => http(connection).await,
                _ => {} // nothing came, or the peer left
            }
        })
    })
}

/// One listener serves both when their endpoints are the same (srs-interfaces 3.4).
fn api_shares_http_port(conf: &Conf) -> bool {
    conf.http_api.enabled && conf.http_server.enabled && conf.api_shares_http_port()
}

/// What the streams port serves besides live streams: playlists and segments, the API where it shares the port, files.
fn beside_streams(conf: &Conf, api: &Arc<ApiState>, hls: &Arc<Hls>) -> Router {
    let paths = match api_shares_http_port(conf) {
        true => headwater_api::paths(api.clone()),
        false => {
            let paths = headwater_api::paths(api.clone());
            let versions = tower::service_fn(move |request: Request| paths.clone().oneshot(request));
            Router::new().route("/api/v1/versions", any_service(versions))
        }
    };
    paths
        .fallback_service(FileServer::new(&conf.http_server.dir))
        .layer(from_fn_with_state(hls.clone(), headwater_hls::middleware))
        .layer(from_fn(name_peer))
}

/// The API knows its peers by an extension of its own.
async fn name_peer(mut request: Request, next: Next) -> Response {
    if let Some(&ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        request.extensions_mut().insert(Peer(peer));
    }
    next.run(request).await
}

/// Binds the API and console ports.
async fn listen_control(conf: &Conf, state: Arc<ApiState>, rtc: Router) -> Result<(), StartError> {
    let api = headwater_api::router(state.clone()).merge(rtc.clone());
    let bind = async |addr, service, directive, tls, router| {
        http::serve(addr, tls, router).await.map_err(|e| PortError::new(addr, service, directive, e))
    };
    let http_api = &conf.http_api;
    if http_api.enabled && !api_shares_http_port(conf) {
        bind(address(&http_api.listen), "the HTTP API", "http_api.listen", None, api.clone()).await?;
        if http_api.https.enabled {
            let tls = Some(https_acceptor("http_api.https", &http_api.https.cert, &http_api.https.key)?);
            bind(address(&http_api.https.listen), "the HTTPS API", "http_api.https.listen", tls, api.clone())
                .await?;
        }
    }
    if conf.exporter.enabled {
        bind(address(&conf.exporter.listen), "the exporter", "exporter.listen", None, api.clone()).await?;
    }
    if conf.console.enabled {
        let router = console::router().merge(headwater_api::paths(state)).merge(rtc);
        bind(address(&conf.console.listen), "the console", "console.listen", None, router.clone()).await?;
        if conf.console.https.enabled {
            let tls =
                Some(https_acceptor("console.https", &conf.console.https.cert, &conf.console.https.key)?);
            bind(address(&conf.console.https.listen), "the console", "console.https.listen", tls, router)
                .await?;
        }
    }
    Ok(())
}
