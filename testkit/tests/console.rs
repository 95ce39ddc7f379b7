//! The console in a real browser, with a real stream. The pictures it takes are in `artifacts/console`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::{Options, Server};
use std::path::Path;
use std::process::Command;

/// `console/e2e` publishes the stream itself, so that it also sees the console before there is one.
#[test]
fn the_console_shows_and_plays_a_stream() {
    let console = Path::new(env!("CARGO_MANIFEST_DIR")).join("../console");
    let server = Server::start(&Options::default());
    let output = Command::new("npm")
        .args(["run", "e2e", "--", "e2e/console.e2e.ts"])
        .current_dir(&console)
        .env("HEADWATER_CONSOLE_URL", server.console_url())
        .env("HEADWATER_RTMP_URL", format!("rtmp://{}", server.rtmp_address()))
        .env("HEADWATER_HTTP_URL", server.http_url(""))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
