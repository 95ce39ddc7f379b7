//! The process: what each way of starting it does, what it says when it cannot start, and how signals end it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::http::Request;
use headwater_testkit::program::{Ended, Program, binary};
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, Tool, free_port, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(10);

/// A folder with a configuration; paths in the text that begin with `@` are below the folder.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(text: &str) -> Place {
        let folder = TempDir::with_prefix("headwater-").unwrap();
        let text = text.replace('@', &format!("{}/", folder.path().display()));
        fs::write(folder.path().join("test.conf"), text).unwrap();
        Place { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> String {
        self.path("test.conf").to_string_lossy().into_owned()
    }

    /// Runs the binary with the configuration and `flags` before it, until it ends.
    fn run(&self, flags: &[&str]) -> Ended {
        self.start(flags).finish()
    }

    fn start(&self, flags: &[&str]) -> Program {
        let mut command = Command::new(binary());
        command.args(flags).arg(self.config()).current_dir(self.folder.path());
        Program::spawn(command)
    }
}

fn run(args: &[&str]) -> Ended {
    Program::start(args).finish()
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn listens(port: u16) -> bool {
    TcpStream::connect(local(port)).is_ok()
}

fn wait_until_listening(program: &mut Program, port: u16) {
    wait::until(&format!("port {port}"), LIMIT, || {
        assert!(program.is_running(), "it ended: {}{}", program.out(), program.err());
        listens(port).then_some(())
    });
}

fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

/// The least configuration that starts: RTMP alone.
fn minimal(port: u16) -> String {
    format!(
        "listen 127.0.0.1:{port}; daemon off; srs_log_tank console; pid @pid; vhost __defaultVhost__ {{ }}"
    )
}

#[test]
fn a_good_configuration_tests_as_ok() {
    let ended = Place::new(&minimal(1935)).run(&["-t", "-c"]);
    assert_eq!((ended.status, ended.err.as_str()), (Some(0), ""));
    assert!(ended.out.contains("test.conf is ok"), "{}", ended.out);
}

#[test]
fn short_flags_combine() {
    let place = Place::new(&minimal(1935));
    let ended = place.run(&["-tc"]);
    assert_eq!(ended.status, Some(0), "{}", ended.err);
    assert!(ended.out.contains("is ok"), "{}", ended.out);
    assert!(!place.path("pid").exists(), "testing a configuration starts nothing");
}

#[test]
fn a_bad_configuration_is_told_with_its_place_and_nearest_name() {
    let cases = [
        ("listen 1935;\n  max_conections 10;\n", "test.conf:2:3: ", "max_connections"),
        ("listen 1935;\nvhost v {\n  play {\n gop_cach on; }\n}\n", "test.conf:4:2: ", "gop_cache"),
        ("listen 1935;\nvhost v {\n", "test.conf:", "}"),
    ];
    for (text, place, name) in cases {
        let ended = Place::new(text).run(&["-t", "-c"]);
        assert_eq!(ended.status, Some(255), "{text}: {}", ended.err);
        assert!(ended.err.contains(place) && ended.err.contains(name), "{text}: {}", ended.err);
    }
}

#[test]
fn a_missing_include_has_a_status_of_its_own() {
    let ended = Place::new("listen 1935;\ninclude @other.conf;\n").run(&["-t", "-c"]);
    assert_eq!(ended.status, Some(18), "{}", ended.err);
    assert!(ended.err.contains("test.conf:2:9: ") && ended.err.contains("other.conf"), "{}", ended.err);
}

#[test]
fn testing_nothing_or_what_is_not_there_fails() {
    for args in [&["-t"][..], &["-t", "-c", "/nowhere/at-all.conf"], &["-c", "/nowhere/at-all.conf"]] {
        let ended = run(args);
        assert_eq!(ended.status, Some(255), "{args:?}: {}", ended.err);
        assert!(ended.err.contains("-c"), "{args:?}: {}", ended.err);
    }
}

#[test]
fn more_connections_than_open_files_are_told_with_the_way_out() {
    let place = Place::new(&format!("{} max_connections 1000;", minimal(free_port())));
    for flags in ["-tc", "-c"] {
        let line = format!("ulimit -n 1024; exec \"$0\" {flags} \"$1\"");
        let mut command = Command::new("sh");
        command.args(["-c", &line]).arg(binary()).arg(place.config());
        let ended = Program::spawn(command).finish();
        assert_eq!(ended.status, Some(255), "{}", ended.out);
        for part in ["max_connections", "1024", "'max_connections 895;'", "'ulimit -n 1129'"] {
            assert!(ended.err.contains(part), "{part} in: {}", ended.err);
        }
    }
}

#[test]
fn statistics_of_an_address_that_is_not_there_are_refused() {
    let ended = Place::new(&format!("{} stats {{ network 9999; }}", minimal(1935))).run(&["-t", "-c"]);
    assert_eq!(ended.status, Some(255), "{}", ended.out);
    assert!(ended.err.contains("stats.network") && ended.err.contains("9999"), "{}", ended.err);
}

#[test]
fn both_names_tell_their_version() {
    let folder = TempDir::new().unwrap();
    let srs = folder.path().join("srs");
    symlink(binary(), &srs).unwrap();
    for flag in ["-v", "-V", "--version"] {
        let own = run(&[flag]);
        assert_eq!((own.status, own.err.as_str()), (Some(0), ""));
        assert!(own.out.starts_with(concat!("headwater ", env!("CARGO_PKG_VERSION"))), "{}", own.out);

        let mut command = Command::new(&srs);
        command.arg(flag);
        let ended = Program::spawn(command).finish();
        assert_eq!(ended.status, Some(0));
        let numbers: Vec<&str> = ended.out.trim_end().split('.').collect();
        assert!(numbers.len() == 3 && numbers[0] == "7", "scripts read a bare version: {:?}", ended.out);
        assert!(own.out.contains(ended.out.trim_end()), "both tell the same: {}", own.out);
    }
    let signature = run(&["-g"]);
    assert_eq!(signature.status, Some(0));
    assert!(signature.out.contains('/'), "{}", signature.out);
}

#[test]
fn help_and_words_nobody_knows() {
    let help = run(&["-h"]);
    assert_eq!(help.status, Some(0));
    for option in ["-c", "-t", "-e", "-v", "-h"] {
        assert!(help.out.contains(option), "{option} in: {}", help.out);
    }
    for args in [["--help"], ["-?"], ["word"]] {
        let ended = run(&args);
        assert_eq!((ended.status, ended.out), (Some(0), help.out.clone()), "{args:?}");
    }
    for args in [["--nonsense"], ["-x"]] {
        let ended = run(&args);
        assert_eq!(ended.status, Some(255), "{args:?}");
        assert!(ended.err.contains(args[0]), "{}", ended.err);
    }
}

#[test]
fn under_the_name_of_srs_it_wants_a_configuration() {
    let folder = TempDir::new().unwrap();
    let srs = folder.path().join("srs");
    symlink(binary(), &srs).unwrap();
    let mut command = Command::new(&srs);
    command.current_dir(folder.path());
    let ended = Program::spawn(command).finish();
    assert_eq!(ended.status, Some(0));
    assert!(ended.out.contains("-c"), "it helps instead of serving: {}", ended.out);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was written");
}

#[test]
fn variables_alone_configure_it() {
    for by_flag in [true, false] {
        let (rtmp, http, api) = (free_port(), free_port(), free_port());
        let folder = TempDir::new().unwrap();
        let mut command = Command::new(binary());
        command.current_dir(folder.path()).env("SRS_LISTEN", rtmp.to_string());
        command.env("SRS_PID", folder.path().join("pid"));
        command.env("SRS_HTTP_SERVER_ENABLED", "on").env("SRS_HTTP_SERVER_LISTEN", http.to_string());
        command.env("SRS_HTTP_API_ENABLED", "on").env("SRS_HTTP_API_LISTEN", api.to_string());
        command.env("SRS_VHOST_HTTP_REMUX_ENABLED", "on");
        match by_flag {
            true => command.arg("-e"),
            false => command.env("SRS_ENV_ONLY", "on"),
        };
        let mut program = Program::spawn(command);
        [rtmp, http, api].into_iter().for_each(|port| wait_until_listening(&mut program, port));
        let versions = Request::get(local(api), "/api/v1/versions").send().unwrap();
        assert_eq!(versions.status, 200);
        let _publisher = Publisher::looping(
            Tool::Distribution,
            &Clip::H264Aac.file(),
            &format!("rtmp://127.0.0.1:{rtmp}/live/s"),
        );
        let player = Reader::open(Tool::Distribution, &format!("http://127.0.0.1:{http}/live/s.flv"));
        player.wait_for(20, LIMIT);
        assert!(program.err().contains("started"), "the log is on the console: {}", program.err());
    }
}

#[test]
fn without_arguments_it_serves_everything_and_says_where() {
    let (ports, rtc): (Vec<u16>, u16) = ((0..4).map(|_| free_port()).collect(), free_port());
    let folder = TempDir::new().unwrap();
    let names = ["SRS_LISTEN", "SRS_HTTP_SERVER_LISTEN", "SRS_HTTP_API_LISTEN", "SRS_CONSOLE_LISTEN"];
    let mut command = Command::new(binary());
    command.current_dir(folder.path());
    command.envs(names.iter().zip(&ports).map(|(name, port)| (name, port.to_string())));
    command.env("SRS_RTC_SERVER_LISTEN", rtc.to_string());
    let mut program = Program::spawn(command);
    ports.iter().for_each(|port| wait_until_listening(&mut program, *port));
    let out = wait::until("the welcome", LIMIT, || program.out().contains("Ctrl-C").then(|| program.out()));
    for port in [ports[0], ports[1], ports[3]] {
        assert!(out.contains(&format!(":{port}")), "{port} in: {out}");
    }
    let whip = Request::get(local(ports[1]), "/rtc/v1/whip/?app=live&stream=livestream").method("OPTIONS");
    assert_eq!(whip.send().unwrap().header("accept-post"), Some("application/sdp"));
    assert!(out.contains("/rtc/v1/whip/") && out.contains("/rtc/v1/whep/"), "{out}");
    assert!(out.contains("livestream") && out.contains("data"), "{out}");
    assert!(folder.path().join("data").is_dir());
}

#[test]
fn without_arguments_it_fits_into_few_open_files() {
    let (ports, rtc): (Vec<u16>, u16) = ((0..4).map(|_| free_port()).collect(), free_port());
    let folder = TempDir::new().unwrap();
    let names = ["SRS_LISTEN", "SRS_HTTP_SERVER_LISTEN", "SRS_HTTP_API_LISTEN", "SRS_CONSOLE_LISTEN"];
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 1024; exec \"$0\""]).arg(binary()).current_dir(folder.path());
    command.envs(names.iter().zip(&ports).map(|(name, port)| (name, port.to_string())));
    command.env("SRS_RTC_SERVER_LISTEN", rtc.to_string());
    let mut program = Program::spawn(command);
    ports.iter().for_each(|port| wait_until_listening(&mut program, *port));
    assert!(program.err().contains("max_connections is 895"), "{}", program.err());
}

#[test]
fn a_taken_port_is_told_with_its_owner_and_directive() {
    let taken = TcpListener::bind(local(free_port())).unwrap();
    let port = taken.local_addr().unwrap().port();
    let rest = "daemon off; srs_log_tank console; pid @pid; vhost __defaultVhost__ { }";
    let own = free_port();
    let cases = [
        ("`listen`", format!("listen 127.0.0.1:{port};")),
        ("`http_server.listen`", format!("http_server {{ enabled on; listen 127.0.0.1:{port}; }}")),
        ("`http_api.listen`", format!("http_api {{ enabled on; listen 127.0.0.1:{port}; }}")),
        ("`console.listen`", format!("console {{ enabled on; listen 127.0.0.1:{port}; }}")),
        ("`exporter.listen`", format!("exporter {{ enabled on; listen 127.0.0.1:{port}; }}")),
    ];
    for (directive, text) in cases {
        let listen = if directive == "`listen`" { String::new() } else { format!("listen 127.0.0.1:{own};") };
        let ended = Place::new(&format!("{listen} {text} {rest}")).run(&["-c"]);
        assert_eq!(ended.status, Some(234), "{directive}: {}", ended.err);
        let owner = format!("(pid {})", std::process::id());
        for part in [directive, &format!("127.0.0.1:{port}"), &owner] {
            assert!(ended.err.contains(part), "{part} in: {}", ended.err);
        }
    }
    let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = format!("listen 127.0.0.1:{own}; rtc_server {{ enabled on; listen {port}; }} {rest}");
    let ended = Place::new(&text).run(&["-c"]);
    assert_eq!(ended.status, Some(234), "{}", ended.err);
    for part in ["`rtc_server.listen`", &format!(":{port}"), &format!("(pid {})", std::process::id())] {
        assert!(ended.err.contains(part), "{part} in: {}", ended.err);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told_with_its_directive() {
    // A file where a directory should be stops even root.
    let (rtmp, rest) = (free_port(), "daemon off; vhost __defaultVhost__ { }");
    let cases = [
        ("`pid`", "pid @file/x/pid; srs_log_tank console;"),
        ("`srs_log_file`", "pid @pid; srs_log_tank file; srs_log_file @file/x.log;"),
        ("`work_dir`", "pid @pid; srs_log_tank console; work_dir @file/x;"),
    ];
    for (directive, text) in cases {
        let place = Place::new(&format!("listen 127.0.0.1:{rtmp}; {text} {rest}"));
        fs::write(place.path("file"), "").unwrap();
        let ended = place.run(&["-c"]);
        assert_eq!(ended.status, Some(18), "{directive}: {}", ended.err);
        let path = place.path("file").to_string_lossy().into_owned();
        assert!(ended.err.contains(directive) && ended.err.contains(&path), "{directive}: {}", ended.err);
    }
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("data"), "").unwrap();
    let mut command = Command::new(binary());
    command.current_dir(folder.path()).env("SRS_LISTEN", rtmp.to_string());
    let ended = Program::spawn(command).finish();
    assert_eq!(ended.status, Some(18), "{}", ended.err);
    assert!(ended.err.contains("`data_dir`"), "{}", ended.err);
}

#[test]
fn a_second_instance_with_the_same_pid_file_is_refused() {
    let port = free_port();
    let place = Place::new(&minimal(port));
    let mut first = place.start(&["-c"]);
    wait_until_listening(&mut first, port);
    assert_eq!(fs::read_to_string(place.path("pid")).unwrap(), first.pid().to_string());
    let second = place.run(&["-c"]);
    assert_eq!(second.status, Some(11), "{}", second.err);
    assert!(second.err.contains("pid") && second.err.contains("`pid`"), "{}", second.err);
    assert!(first.is_running());
    assert_eq!(
        fs::read_to_string(place.path("pid")).unwrap(),
        first.pid().to_string(),
        "its file is its own"
    );
    drop(first);
    let mut third = place.start(&["-c"]);
    wait_until_listening(&mut third, port); // a killed instance leaves nothing that is in the way
}

#[test]
fn a_signal_rotates_the_log() {
    let port = free_port();
    let text = format!(
        "listen 127.0.0.1:{port}; daemon off; pid @pid; srs_log_tank file; srs_log_file @srs.log; vhost __defaultVhost__ {{ }}"
    );
    let place = Place::new(&text);
    let mut program = place.start(&["-c"]);
    wait_until_listening(&mut program, port);
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap_or_default();
    wait::until("the first lines", LIMIT, || read("srs.log").contains("started").then_some(()));
    fs::rename(place.path("srs.log"), place.path("old.log")).unwrap();
    send(program.pid(), Signal::SIGUSR1);
    wait::until("the new log", LIMIT, || read("srs.log").contains("reopened").then_some(()));
    let old = read("old.log");
    drop(TcpStream::connect(local(port)).unwrap());
    wait::until("a line of the connection", LIMIT, || (read("srs.log").lines().count() > 1).then_some(()));
    assert_eq!(read("old.log"), old, "the old log is let go");
    assert_eq!(program.err(), "", "a log in a file leaves the terminal alone");
}

#[test]
fn it_ends_within_a_second_with_everybody_connected() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
        let mut server = Server::start(&Options::default());
        let _publisher = Publisher::looping(Tool::Distribution, &Clip::H264Aac.file(), &server.rtmp_url("s"));
        server.wait_until_published("s");
        let players = [
            Reader::open(Tool::Distribution, &server.rtmp_url("s")),
            Reader::open(Tool::Distribution, &server.http_url("/live/s.flv")),
        ];
        players.iter().for_each(|player| player.wait_for(10, LIMIT));
        let _idle = TcpStream::connect(server.rtmp_address()).unwrap();
        let sent = Instant::now();
        send(server.pid(), signal);
        wait::until("its end", LIMIT, || (!server.is_running()).then_some(()));
        assert!(sent.elapsed() < Duration::from_secs(1), "{signal}: it took {:?}", sent.elapsed());
        assert!(server.log().contains("stopped"), "{signal}");
        assert_eq!(server.stop(), Some(0), "{signal}");
    }
}

/// Best of several starts: a busy machine delays any one of them.
#[test]
fn it_listens_within_a_tenth_of_a_second() {
    let best = (0..8).map(|_| start_time()).min().unwrap();
    assert!(best < Duration::from_millis(100), "the quickest start took {best:?}");
}

fn start_time() -> Duration {
    let (rtmp, api, http) = (free_port(), free_port(), free_port());
    let place = Place::new(&format!(
        "{} http_api {{ enabled on; listen 127.0.0.1:{api}; }} http_server {{ enabled on; listen 127.0.0.1:{http}; }}",
        minimal(rtmp)
    ));
    let start = Instant::now();
    let mut program = place.start(&["-c"]);
    while !(listens(rtmp) && listens(http) && listens(api)) {
        assert!(program.is_running() && start.elapsed() < LIMIT, "{}", program.err());
        std::thread::yield_now();
    }
    start.elapsed()
}

/// Configurations written for SRS name places below its own folder; they are made where it is started.
#[test]
fn places_are_relative_to_where_it_is_started() {
    let port = free_port();
    let place = Place::new(&format!(
        "listen 127.0.0.1:{port}; daemon off; pid ./objs/srs.pid; srs_log_file ./objs/srs.log; vhost __defaultVhost__ {{ }}"
    ));
    let mut program = place.start(&["-c"]);
    wait_until_listening(&mut program, port);
    for name in ["objs/srs.pid", "objs/srs.log"] {
        assert!(Path::new(&place.path(name)).is_file(), "{name}");
    }
}
