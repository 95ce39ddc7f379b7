//! The same streams, encrypted: RTMPS and HTTPS with a certificate from the configuration.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::packets::{Allow, compare};
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, free_port, read_file};
use std::path::Path;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const CLIP: Clip = Clip::H264Aac;

/// Writes a key and a certificate for localhost: the directives that name them.
fn certificate(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (key, cert) = (folder.join("server.key"), folder.join("server.crt"));
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::write(&cert, made.cert.pem()).unwrap();
    format!("key {}; cert {};", key.display(), cert.display())
}

#[test]
fn rtmps_in_and_https_out() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path());
    let (rtmps, https) = (free_port(), free_port());
    let server = Server::start(&Options {
        root: format!("rtmps {{ enabled on; listen 127.0.0.1:{rtmps}; {files} }}"),
        http_server: format!("https {{ enabled on; listen 127.0.0.1:{https}; {files} }}"),
        ..Options::default()
    });
    let sent = read_file(CLIP.tool(), &CLIP.file());
    let url = format!("rtmps://127.0.0.1:{rtmps}/live/s");
    let flv = Reader::open(CLIP.tool(), &format!("https://127.0.0.1:{https}/live/s.flv"));
    let rtmp = Reader::open(CLIP.tool(), &url);
    server.wait_for_players(2);
    let (status, errors) = Publisher::once(CLIP.tool(), &CLIP.file(), &url).finish(LIMIT);
    assert!(status.success(), "{errors}");
    let (got, errors) = flv.finish(LIMIT);
    assert_eq!(compare(&sent, &got, Allow::WAITED), Ok(()), "HTTPS-FLV: {errors}");
    rtmp.wait_until_quiet(Duration::from_millis(1500), LIMIT);
    server.kick_players();
    assert_eq!(compare(&sent, &rtmp.finish(LIMIT).0, Allow::WAITED), Ok(()), "RTMPS");
}

#[test]
fn a_certificate_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.conf");
    let (rtmp, rtmps) = (free_port(), free_port());
    let text = format!(
        "listen 127.0.0.1:{rtmp}; daemon off; srs_log_tank console; pid {folder}/pid;
         rtmps {{ enabled on; listen 127.0.0.1:{rtmps}; key {folder}/none.key; cert {folder}/none.crt; }}
         vhost __defaultVhost__ {{ }}",
        folder = folder.path().display()
    );
    std::fs::write(&file, text).unwrap();
    let (code, said) = Server::run(&["-c", &file.to_string_lossy()]);
    assert_ne!(code, 0);
    assert!(said.contains("none.crt") || said.contains("none.key"), "{said}");
}
