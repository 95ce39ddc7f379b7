//! The command line, and what it says when it cannot do as asked.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::{Options, Server};
use std::net::TcpListener;

fn configuration(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::with_suffix(".conf").unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn check(text: &str) -> (i32, String) {
    let file = configuration(text);
    Server::run(&["-t", "-c", &file.path().to_string_lossy()])
}

#[test]
fn a_good_configuration_passes() {
    let (code, said) = check("listen 1935; daemon off; srs_log_tank console; vhost __defaultVhost__ { }");
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_bad_directive_is_named_with_its_place_and_its_neighbour() {
    let (code, said) =
        check("listen 1935;\nvhost __defaultVhost__ {\n    hls { enabled on; hls_fragmnt 2; }\n}\n");
    assert_ne!(code, 0);
    assert!(said.contains(".conf:3:23"), "{said}");
    assert!(said.contains("hls_fragmnt") && said.contains("hls_fragment"), "{said}");
}

#[test]
fn a_missing_file_is_named() {
    let (code, said) = Server::run(&["-c", "/nowhere/at-all.conf"]);
    assert_ne!(code, 0);
    assert!(said.contains("/nowhere/at-all.conf"), "{said}");
}

#[test]
fn version_and_help() {
    let (code, version) = Server::run(&["-v"]);
    assert_eq!(code, 0);
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    let (code, help) = Server::run(&["-h"]);
    assert_eq!(code, 0);
    for option in ["-c", "-t", "-e", "-v", "bench"] {
        assert!(help.contains(option), "{option} in: {help}");
    }
}

#[test]
fn a_taken_port_is_named_with_what_to_set() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let pid = pid.display();
    let file = configuration(&format!(
        "listen 127.0.0.1:{port}; daemon off; srs_log_tank console; pid {pid}; vhost __defaultVhost__ {{ }}"
    ));
    let (code, said) = Server::run(&["-c", &file.path().to_string_lossy()]);
    assert_ne!(code, 0, "{said}");
    assert!(said.contains(&port.to_string()) && said.contains("listen"), "{said}");
}

#[test]
fn it_listens_within_a_tenth_of_a_second_and_stops_when_asked() {
    // Debug builds on a busy machine are slower than what is promised; what is checked here is that it is quick at
    // all. `cargo xtask bench` measures the promise.
    let start = std::time::Instant::now();
    let server = Server::start(&Options::default());
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!(server.stop(), Some(0), "it ends well when interrupted");
}
