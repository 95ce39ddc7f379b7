//! A changed configuration while the server runs: what takes effect, what is told, what is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::{Clip, Options, Publisher, Server, wait};
use nix::sys::signal::{Signal, kill};
use std::path::PathBuf;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

fn server() -> Server {
    Server::start(&Options {
        vhost: "dvr { enabled on; dvr_apply live/a; dvr_path ./rec/[stream].[timestamp].mp4; }".to_owned(),
        http_api: "raw_api { enabled on; allow_reload on; }".to_owned(),
        ..Options::default()
    })
}

/// Writes the configuration with `from` replaced.
fn edit(server: &Server, from: &str, to: &str) {
    let path = server.folder().join("test.conf");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}

fn hang_up(server: &Server) {
    kill(nix::unistd::Pid::from_raw(server.pid() as i32), Signal::SIGHUP).unwrap();
}

/// The recordings of a stream, with this suffix.
fn files(server: &Server, stream: &str, suffix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(server.folder().join("rec")).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().path());
    let own = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(&format!("{stream}.")) && name.ends_with(suffix)
    };
    names.filter(own).collect()
}

fn wait_for(server: &Server, stream: &str, suffix: &str) {
    wait::until(&format!("{stream}'s {suffix}"), LIMIT, || files(server, stream, suffix).pop());
}

/// Waits for the end of a reload other than `before`.
fn fetched(server: &Server, before: &str) -> serde_json::Value {
    wait::until("another reload", LIMIT, || {
        let data = server.api("/api/v1/raw?rpc=reload-fetch")["data"].clone();
        (data["rid"] != before && (data["state"] == 90 || data["err"] != 0)).then_some(data)
    })
}

#[test]
fn recordings_begin_and_end_as_the_new_configuration_says() {
    let server = server();
    let clip = Clip::H264Aac;
    let _publishers =
        ["a", "b"].map(|name| Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url(name)));
    ["a", "b"].iter().for_each(|name| server.wait_until_published(name));
    wait_for(&server, "a", ".mp4.tmp");
    assert_eq!(files(&server, "b", ""), Vec::<PathBuf>::new());
    assert_eq!(server.api("/api/v1/raw?rpc=reload-fetch")["data"]["state"], 0);

    edit(&server, "dvr_apply live/a", "dvr_apply live/b");
    hang_up(&server);
    wait_for(&server, "a", ".mp4");
    wait_for(&server, "b", ".mp4.tmp");
    let data = fetched(&server, "");
    assert_eq!((&data["err"], &data["msg"]), (&0.into(), &"Success".into()));

    edit(&server, "dvr_apply live/b", "dvr_aply live/a");
    hang_up(&server);
    let data = fetched(&server, data["rid"].as_str().unwrap());
    assert_eq!((&data["err"], &data["state"]), (&1023.into(), &20.into()), "{data}");
    assert!(data["msg"].as_str().unwrap().contains("test.conf:"), "{data}");
    assert!(server.log().contains("the old one stays in effect"), "{}", server.log());
    assert_eq!((files(&server, "a", ".tmp").len(), files(&server, "b", ".tmp").len()), (0, 1), "unchanged");

    edit(&server, "dvr_aply live/a", "dvr_apply live/none");
    edit(&server, "raw_api { enabled on;", "crossdomain off; raw_api { enabled on;");
    assert_eq!(server.api("/api/v1/raw?rpc=reload")["code"], 0);
    let data = fetched(&server, data["rid"].as_str().unwrap());
    assert_eq!(data["err"], 0);
    wait_for(&server, "b", ".mp4");
    assert_eq!((files(&server, "a", "").len(), files(&server, "b", "").len()), (1, 1));
    let log = server.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("needs a restart")).collect();
    assert!(told.len() == 1 && told[0].contains("http_api.crossdomain"), "{told:?}");
    server.wait_until_published("a"); // nothing of it disturbed the publishers
}
