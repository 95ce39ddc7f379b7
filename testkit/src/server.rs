//! The real server, as a child process on free ports.

use crate::http::Request;
use crate::peer::{end, interrupt};
use crate::{media, wait};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// How long the server may take to listen. Far more than it needs: the machine may be busy with encoders.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Lines of its log shown under a failed test.
const LOG_LINES: usize = 80;

/// What differs from a server with everything on.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// More directives at the root.
    pub root: String,
    /// More directives in the default vhost.
    pub vhost: String,
    /// Directives of the default vhost's `hls`, instead of segments of one second.
    pub hls: Option<String>,
    /// More directives of `http_api`.
    pub http_api: String,
    /// More directives of `http_server`.
    pub http_server: String,
    /// More directives of `console`.
    pub console: String,
    /// Environment variables.
    pub env: Vec<(String, String)>,
}

/// A running server. Killed when dropped; its log is shown if the test failed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    folder: TempDir,
    ports: Ports,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    rtmp: u16,
    api: u16,
    http: u16,
    console: u16,
}

impl Server {
    /// Starts it and waits until it answers.
    pub fn start(options: &Options) -> Server {
        let folder =
            TempDir::with_prefix("headwater-").unwrap_or_else(|err| panic!("no temporary folder: {err}"));
        let ports = Ports::free();
        let config = folder.path().join("test.conf");
        write(&config, &configuration(options, ports, folder.path()));
        let mut command = Command::new(binary());
        command.arg("-c").arg(&config).envs(options.env.iter().cloned());
        let child = spawn(command, folder.path());
        let mut server = Server { child, folder, ports };
        server.wait_until_listening();
        server
    }

    /// Runs the binary with these arguments until it ends: its exit code, and what it printed.
    pub fn run(args: &[&str]) -> (i32, String) {
        let output = Command::new(binary()).args(args).stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|err| panic!("the server does not start: {err}"));
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
    }

    fn wait_until_listening(&mut self) {
        let end = std::time::Instant::now() + START_LIMIT;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the server ended with {status} before it listened:\n{}", self.log());
            }
            // With credentials configured the answer is 401, which shows as well that it listens.
            let answer = Request::get(self.api_address(), "/api/v1/versions").send();
            if answer.is_ok_and(|answer| [200, 401].contains(&answer.status)) {
                return;
            }
            assert!(std::time::Instant::now() < end, "the server does not listen:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `rtmp://…/live/<stream>`.
    pub fn rtmp_url(&self, stream: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{stream}", self.ports.rtmp)
    }

    /// `http://…<path>` on the port of live streams.
    pub fn http_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http_address())
    }

    /// The console's address.
    pub fn console_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.console)
    }

    /// The RTMP port.
    pub fn rtmp_address(&self) -> SocketAddr {
        local(self.ports.rtmp)
    }

    /// The port of live streams and files.
    pub fn http_address(&self) -> SocketAddr {
        local(self.ports.http)
    }

    /// The API's port.
    pub fn api_address(&self) -> SocketAddr {
        local(self.ports.api)
    }

    /// The console's port.
    pub fn console_address(&self) -> SocketAddr {
        local(self.ports.console)
    }

    /// What the API answers to `GET path`.
    pub fn api(&self, path: &str) -> serde_json::Value {
        let answer = Request::get(self.api_address(), path).send().and_then(|answer| answer.text());
        let text = answer.unwrap_or_else(|err| panic!("GET {path}: {err}\n{}", self.log()));
        serde_json::from_str(&text).unwrap_or_else(|err| panic!("GET {path}: {err}: {text}"))
    }

    /// The API's entry of a stream, if it is listed.
    pub fn stream(&self, name: &str) -> Option<serde_json::Value> {
        let streams = self.api("/api/v1/streams/?count=1000");
        streams["streams"].as_array()?.iter().find(|stream| stream["name"] == name).cloned()
    }

    /// Waits until the stream is being published.
    pub fn wait_until_published(&self, name: &str) {
        wait::until(&format!("{name} to be published"), Duration::from_secs(10), || {
            self.stream(name).filter(|stream| stream["publish"]["active"] == true)
        });
    }

    /// Waits until the stream is not being published.
    pub fn wait_until_unpublished(&self, name: &str) {
        wait::until(&format!("{name} to be unpublished"), Duration::from_secs(10), || {
            let active = self.stream(name).is_some_and(|stream| stream["publish"]["active"] == true);
            (!active).then_some(())
        });
    }

    /// The API's clients, those that publish and those that play.
    pub fn clients(&self) -> Vec<serde_json::Value> {
        self.api("/api/v1/clients/?count=1000")["clients"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until `n` clients play.
    pub fn wait_for_players(&self, n: usize) {
        wait::until(&format!("{n} players"), Duration::from_secs(10), || {
            let players = self.clients().iter().filter(|client| client["publish"] == false).count();
            (players == n).then_some(())
        });
    }

    /// Ends every play: what a player had to wait for has come, and its stream has no end of its own.
    pub fn kick_players(&self) {
        for client in self.clients().iter().filter(|client| client["publish"] == false) {
            let path = format!("/api/v1/clients/{}", client["id"].as_str().unwrap_or_default());
            let answer = Request::get(self.api_address(), &path).method("DELETE").send();
            answer.unwrap_or_else(|err| panic!("DELETE {path}: {err}"));
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its own folder: configuration, log, `data`, `html`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Asks it to end, as `Ctrl-C` does, and waits: its exit code.
    pub fn stop(mut self) -> Option<i32> {
        interrupt(&self.child);
        let status = wait::until("the server to stop", START_LIMIT, || self.child.try_wait().ok().flatten());
        status.code()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the server's log:\n{}", lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"));
        }
    }
}

/// A port that nobody listens on. It lies below the range from which systems choose ports for outgoing connections,
/// and each test process begins at another place.
pub fn free_port() -> u16 {
    let mut tried = std::iter::repeat_with(next_port).take(4000);
    tried.find(|port| TcpListener::bind(local(*port)).is_ok()).unwrap_or_else(|| panic!("no free port"))
}

impl Ports {
    fn free() -> Ports {
        Ports { rtmp: free_port(), api: free_port(), http: free_port(), console: free_port() }
    }
}

const FIRST_PORT: u16 = 12_000;
const PORTS: u16 = 18_000;

fn next_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() as u16).wrapping_mul(61); // spreads neighbouring process ids
    let n = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    FIRST_PORT + n % PORTS
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn configuration(options: &Options, ports: Ports, folder: &Path) -> String {
    let Ports { rtmp, api, http, console } = ports;
    let Options { root, vhost, http_api, http_server, console: console_more, .. } = options;
    let folder = folder.display();
    let hls = options.hls.as_deref().unwrap_or("enabled on; hls_fragment 1; hls_window 30;");
    format!(
        "listen 127.0.0.1:{rtmp};
daemon off;
srs_log_tank console;
pid {folder}/headwater.pid;
data_dir {folder}/data;
max_connections 1000;
{root}
http_api {{ enabled on; listen 127.0.0.1:{api}; {http_api} }}
http_server {{ enabled on; listen 127.0.0.1:{http}; dir {folder}/html; {http_server} }}
console {{ enabled on; listen 127.0.0.1:{console}; {console_more} }}
vhost __defaultVhost__ {{
    http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv; }}
    hls {{ {hls} }}
    {vhost}
}}
"
    )
}

/// The binary: `HEADWATER_BIN`, or the one in cargo's target directory, built now if it is not there.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("HEADWATER_BIN") {
        return path.into();
    }
    let binary = media::target().join("debug/headwater");
    if !binary.exists() {
        let built = Command::new("cargo").args(["build", "--package", "headwater"]).status();
        assert!(built.is_ok_and(|status| status.success()), "cargo build --package headwater failed");
    }
    binary
}

fn spawn(mut command: Command, folder: &Path) -> Child {
    let log = File::create(folder.join("server.log")).unwrap_or_else(|err| panic!("no log file: {err}"));
    let errors = log.try_clone().unwrap_or_else(|err| panic!("no log file: {err}"));
    let shown = format!("{command:?}");
    command.current_dir(folder).stdin(Stdio::null()).stdout(log).stderr(errors);
    command.spawn().unwrap_or_else(|err| panic!("{shown} does not start: {err}"))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|err| panic!("cannot write {}: {err}", path.display()));
}
