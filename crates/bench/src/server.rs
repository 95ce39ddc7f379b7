//! Servers under test: started on free ports with a configuration of their own, ended when dropped.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use thiserror::Error;

/// A server that does not listen by then has failed.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How often its port is tried.
const POLL: Duration = Duration::from_millis(1);
/// Lines of a failed server's output that are shown.
const SHOWN: usize = 10;
/// Where Debian's libnginx-mod-rtmp puts the module.
const NGINX_RTMP: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
const NGINX: &str = "/usr/sbin/nginx";

#[derive(Debug, Error)]
pub(crate) enum ServerError {
    #[error("preparing {name}: {source}")]
    Prepare { name: &'static str, source: io::Error },
    #[error("starting {program}: {source}")]
    Spawn { program: String, source: io::Error },
    #[error("{name} ended before it listened; it said:\n{said}")]
    Ended { name: &'static str, said: String },
    #[error("{name} does not listen on port {port} after {} s; it said:\n{said}", START_TIMEOUT.as_secs())]
    Silent { name: &'static str, port: u16, said: String },
}

/// How Headwater is set up for a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) workers: usize,
    /// Milliseconds; without it the directive is absent and load makes the batches.
    pub(crate) mw_latency: Option<u64>,
    /// Segments of 2 s, in memory and on disk.
    pub(crate) hls: bool,
}

/// Ports of a server under test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) rtmp: u16,
    pub(crate) http: u16,
    pub(crate) api: u16,
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    name: &'static str,
    pub(crate) rtmp: u16,
    pub(crate) http: u16,
    /// Port of the HTTP API, when it is on.
    pub(crate) api: u16,
    /// From the start of the process until it listened.
    pub(crate) started_in: Duration,
    folder: TempDir,
}

impl Server {
    /// Starts `program -c` with a generated configuration; `program` is a `headwater`.
    pub(crate) fn headwater(program: &Path, setup: Setup) -> Result<Server, ServerError> {
        Server::configured(program, |ports, folder| headwater_conf(setup, ports, folder))
    }

    /// Starts `program -c` with the configuration that `conf` writes for these ports and this folder.
    pub(crate) fn configured(
        program: &Path,
        conf: impl FnOnce(Ports, &Path) -> String,
    ) -> Result<Server, ServerError> {
        let ports = free_ports().map_err(prepare("headwater"))?;
        // it is started in another folder
        let program = std::path::absolute(program).map_err(prepare("headwater"))?;
        Server::start("headwater", ports, |folder| {
            let file = write(folder, &conf(ports, folder))?;
            let mut command = Command::new(program);
            command.arg("-c").arg(file);
            Ok(command)
        })
    }

    /// Starts nginx with its RTMP module, one process. `None` when it is not installed.
    pub(crate) fn nginx() -> Result<Option<Server>, ServerError> {
        if !Path::new(NGINX).exists() || !Path::new(NGINX_RTMP).exists() {
            return Ok(None);
        }
        let ports = free_ports().map_err(prepare("nginx"))?;
        let server = Server::start("nginx", ports, |folder| {
            let file = write(folder, &nginx_conf(ports))?;
            let mut command = Command::new(NGINX);
            command.arg("-p").arg(folder).args(["-e", "stderr", "-c"]).arg(file);
            Ok(command)
        });
        server.map(Some)
    }

    /// Starts nginx, one process, with the files below `root`. `None` when it is not installed.
    pub(crate) fn nginx_files(root: &Path) -> Result<Option<Server>, ServerError> {
        if !Path::new(NGINX).exists() {
            return Ok(None);
        }
        let ports = free_ports().map_err(prepare("nginx"))?;
        let http = ports.http;
        let server = Server::start("nginx", Ports { rtmp: http, ..ports }, |folder| {
            let file = write(folder, &nginx_files_conf(http, root))?;
            let mut command = Command::new(NGINX);
            command.arg("-p").arg(folder).args(["-e", "stderr", "-c"]).arg(file);
            Ok(command)
        });
        server.map(Some)
    }

    /// Where Headwater writes HLS files.
    pub(crate) fn hls_folder(&self) -> PathBuf {
        self.folder.path().join("hls")
    }

    /// The server's own folder; gone with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether the process is there.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn start(
        name: &'static str,
        ports: Ports,
        command: impl FnOnce(&Path) -> io::Result<Command>,
    ) -> Result<Server, ServerError> {
        let folder = tempfile::tempdir().map_err(prepare(name))?;
        let log = fs::File::create(folder.path().join("output")).map_err(prepare(name))?;
        let mut command = command(folder.path()).map_err(prepare(name))?;
        command.current_dir(folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().map_err(prepare(name))?).stderr(log);
        let begun = Instant::now();
        let child = command.spawn().map_err(|source| {
            let program = command.get_program().to_string_lossy().into_owned();
            ServerError::Spawn { program, source }
        })?;
        let Ports { rtmp, http, api } = ports;
        let mut server = Server { child, name, rtmp, http, api, started_in: Duration::ZERO, folder };
        server.wait_for(rtmp)?;
        server.started_in = begun.elapsed();
        Ok(server)
    }

    /// Waits until it listens on `port`.
    pub(crate) fn wait_for(&mut self, port: u16) -> Result<(), ServerError> {
        let begun = Instant::now();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        while TcpStream::connect(address).is_err() {
            if self.child.try_wait().map_err(prepare(self.name))?.is_some() {
                return Err(ServerError::Ended { name: self.name, said: self.said() });
            }
            if begun.elapsed() > START_TIMEOUT {
                return Err(ServerError::Silent { name: self.name, port, said: self.said() });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// The end of what the server wrote.
    pub(crate) fn said(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("output")).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may have ended by itself, then there is nothing to end
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn prepare(name: &'static str) -> impl Fn(io::Error) -> ServerError {
    move |source| ServerError::Prepare { name, source }
}

fn write(folder: &Path, conf: &str) -> io::Result<PathBuf> {
    let file = folder.join("server.conf");
    fs::write(&file, conf)?;
    Ok(file)
}

/// Three ports that nobody listens on just now.
fn free_ports() -> io::Result<Ports> {
    let bind = || TcpListener::bind("127.0.0.1:0");
    let listeners = [bind()?, bind()?, bind()?];
    let [rtmp, http, api] = listeners.map(|listener| listener.local_addr().map(|address| address.port()));
    Ok(Ports { rtmp: rtmp?, http: http?, api: api? })
}

fn headwater_conf(setup: Setup, Ports { rtmp, http, .. }: Ports, folder: &Path) -> String {
    let folder = folder.display();
    let workers = setup.workers;
    let play = setup.mw_latency.map_or(String::new(), |ms| format!("play {{ mw_latency {ms}; }}"));
    let hls = if setup.hls {
        format!("hls {{ enabled on; hls_fragment 2; hls_window 40; hls_ctx off; hls_path {folder}/hls; }}")
    } else {
        String::new()
    };
    format!(
        "listen 127.0.0.1:{rtmp};\nworkers {workers};\nmax_connections 19000;\ndaemon off;\n\
         pid {folder}/headwater.pid;\ndata_dir {folder}/data;\nsrs_log_tank console;\nsrs_log_level warn;\n\
         http_api {{ enabled off; }}\n\
         http_server {{ enabled on; listen 127.0.0.1:{http}; dir {folder}; }}\n\
         vhost __defaultVhost__ {{\n  {play}\n  {hls}\n  \
         http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv; }}\n}}\n"
    )
}

fn nginx_files_conf(http: u16, root: &Path) -> String {
    let root = root.display();
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr error;\n\
         events {{ worker_connections 18000; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; keepalive_timeout 600; \
         types {{ video/mp2t ts; }} server {{ listen 127.0.0.1:{http}; root {root}; }} }}\n"
    )
}

fn nginx_conf(Ports { rtmp, http, .. }: Ports) -> String {
    format!(
        "load_module {NGINX_RTMP};\ndaemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr error;\n\
         events {{ worker_connections 18000; }}\n\
         http {{ access_log off; sendfile on; server {{ listen 127.0.0.1:{http}; root .; }} }}\n\
         rtmp {{ access_log off; server {{ listen 127.0.0.1:{rtmp}; chunk_size 4096; \
         application live {{ live on; }} }} }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports { rtmp: 1, http: 2, api: 3 };

    #[test]
    fn the_configuration_says_what_is_measured() {
        let conf =
            headwater_conf(Setup { workers: 2, mw_latency: Some(350), hls: false }, PORTS, Path::new("/x"));
        assert!(conf.contains("workers 2;") && conf.contains("mw_latency 350;"), "{conf}");
        let conf = headwater_conf(Setup { workers: 1, mw_latency: None, hls: true }, PORTS, Path::new("/x"));
        assert!(!conf.contains("mw_latency") && conf.contains("hls_path /x/hls;"), "{conf}");
    }

    #[test]
    fn free_ports_differ() {
        let Ports { rtmp, http, api } = free_ports().unwrap();
        assert!(rtmp != http && http != api && api != rtmp);
    }

    #[test]
    fn a_server_that_ends_at_once_is_shown_with_its_last_words() {
        let ports = free_ports().unwrap();
        let started = Server::start("failing", ports, |_| {
            let mut command = Command::new("sh");
            command.args(["-c", "echo no such directive; exit 1"]);
            Ok(command)
        });
        let error = started.err().unwrap().to_string();
        assert!(error.contains("failing ended") && error.contains("no such directive"), "{error}");
    }
}
