//! The console in a real browser, with a real stream. The pictures it takes are in `artifacts/console`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::{Clip, Options, Publisher, Server};
use std::path::Path;
use std::process::Command;

#[test]
fn the_console_shows_and_plays_a_stream() {
    let console = Path::new(env!("CARGO_MANIFEST_DIR")).join("../console");
    if !console.join("package.json").exists() {
        return; // a tree without the console has nothing to test here
    }
    let server = Server::start(&Options::default());
    let clip = Clip::H264BframesAac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("demo"));
    server.wait_until_published("demo");
    let output = Command::new("npm")
        .args(["run", "e2e"])
        .current_dir(&console)
        .env("HEADWATER_CONSOLE_URL", server.console_url())
        .env("HEADWATER_RTMP_URL", server.rtmp_url("demo"))
        .env("HEADWATER_HTTP_URL", server.http_url(""))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
