//! The console and WebRTC in a real browser: publishing from it, watching in it, and what it says when neither works.
//! The pictures it takes are in `artifacts/console`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::{Options, Server, free_port};
use std::path::Path;
use std::process::Command;

/// A server whose answers name `candidate` for media.
fn server(candidate: &str) -> Server {
    let port = free_port();
    let root = format!("rtc_server {{ enabled on; listen {port}; candidate {candidate}; }}");
    let vhost = "rtc { enabled on; rtmp_to_rtc on; rtc_to_rtmp on; }".to_owned();
    Server::start(&Options { root, vhost, ..Options::default() })
}

/// 192.0.2.1 is nobody's address (RFC 5737).
#[test]
fn the_console_publishes_and_plays_by_webrtc() {
    let console = Path::new(env!("CARGO_MANIFEST_DIR")).join("../console");
    let (on, astray, off) = (server("127.0.0.1"), server("192.0.2.1"), Server::start(&Options::default()));
    let output = Command::new("npm")
        .args(["run", "e2e", "--", "e2e/webrtc.e2e.ts"])
        .current_dir(&console)
        .env("HEADWATER_CONSOLE_URL", on.console_url())
        .env("HEADWATER_HTTP_URL", on.http_url(""))
        .env("HEADWATER_ASTRAY_URL", astray.console_url())
        .env("HEADWATER_OFF_URL", off.console_url())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
