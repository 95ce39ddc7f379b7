//! Whoever sends nonsense hears so or is cut off; everybody else sees nothing of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::http::Request;
use headwater_testkit::packets::{Allow, compare};
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, read_file, wait};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const CLIP: Clip = Clip::H264BframesAac;
/// C0 and C1 of a simple handshake (RTMP 5.2): version 3, time, zero, filler.
const C0C1: usize = 1 + 1536;

/// Does `mischief` to a server on which a stream is being published and played, again and again until the stream is
/// over; every packet of it must arrive all the same, and the server must live.
fn nobody_else_notices(options: &Options, mut mischief: impl FnMut(&Server)) {
    let mut server = Server::start(options);
    let sent = read_file(CLIP.tool(), &CLIP.file());
    let player = Reader::open(CLIP.tool(), &server.http_url("/live/good.flv"));
    server.wait_for_players(1);
    let mut publisher = Publisher::once(CLIP.tool(), &CLIP.file(), &server.rtmp_url("good"));
    server.wait_until_published("good");
    mischief(&server);
    while publisher.is_running() {
        mischief(&server);
    }
    let (status, errors) = publisher.finish(LIMIT);
    assert!(status.success(), "{errors}");
    let (got, errors) = player.finish(LIMIT);
    if let Err(what) = compare(&sent, &got, Allow::WAITED) {
        panic!("the stream was disturbed: {what}\n{errors}");
    }
    assert!(server.is_running(), "the server is gone");
    assert!(!server.log().contains("panicked"), "something panicked:\n{}", server.log());
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect_timeout(&address, LIMIT).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket.set_write_timeout(Some(LIMIT)).unwrap();
    socket
}

/// Sends `bytes`, says that there is no more, and reads until the server closes. A reset is as good as an end.
fn send_and_read(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut socket = connect(address);
    let mut answer = Vec::new();
    let _ = socket.write_all(bytes).and_then(|()| socket.shutdown(Shutdown::Write));
    let _ = socket.read_to_end(&mut answer);
    answer
}

/// A handshake and whatever chunks follow it.
fn after_handshake(chunks: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; C0C1];
    bytes[0] = 3;
    bytes.extend_from_slice(&[0; 1536]); // C2; not looked at
    bytes.extend_from_slice(chunks);
    bytes
}

#[test]
fn garbage_on_every_port() {
    let mut round = 0u64;
    nobody_else_notices(&Options::default(), |server| {
        round += 1;
        let mut state = round;
        let garbage: Vec<u8> = (0..4096)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        for address in
            [server.rtmp_address(), server.http_address(), server.api_address(), server.console_address()]
        {
            send_and_read(address, &garbage);
        }
        send_and_read(server.rtmp_address(), &after_handshake(&garbage));
    });
}

#[test]
fn a_handshake_cut_at_every_byte() {
    let whole = after_handshake(&[]);
    let mut cuts = (0..=whole.len()).cycle();
    nobody_else_notices(&Options::default(), |server| {
        for cut in cuts.by_ref().take(600) {
            let mut socket = connect(server.rtmp_address());
            let _ = socket.write_all(&whole[..cut]); // the server may have closed already
        }
    });
}

#[test]
fn chunks_that_lie() {
    // RTMP 5.3.1: basic header (fmt, chunk stream id), then timestamp, length, type, stream id.
    let lies: &[&[u8]] = &[
        // Set Chunk Size (type 1) to 0, to 1 and to 0x7fffffff.
        &[0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff],
        // A command (type 20) that announces 16 MB and does not come.
        &[0x03, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0, 0x02],
        // A chunk that continues a message nobody began.
        &[0xc5, 1, 2, 3, 4],
        // AMF0: an object in an object in an object, without end.
        &[
            0x03, 0, 0, 0, 0, 0xff, 0, 20, 0, 0, 0, 0, 0x02, 0, 1, b'c', 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0x03,
            0, 1, b'a', 0x03,
        ],
    ];
    nobody_else_notices(&Options::default(), |server| {
        for lie in lies {
            send_and_read(server.rtmp_address(), &after_handshake(lie));
        }
        // Many messages begun at once, each announcing 16 MB: what is kept must be bounded.
        let begun: Vec<u8> =
            (3..=63u8).flat_map(|id| [id, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0]).collect();
        send_and_read(server.rtmp_address(), &after_handshake(&begun));
    });
}

#[test]
fn slow_lorises() {
    // Held open, a byte now and then: they cost the server some memory, the others nothing.
    let mut held: Vec<TcpStream> = Vec::new();
    nobody_else_notices(&Options::default(), |server| {
        let ports =
            [server.rtmp_address(), server.http_address(), server.api_address(), server.console_address()];
        if held.len() < 200 {
            held.extend(ports.map(connect));
        }
        for socket in &mut held {
            let _ = socket.write_all(b"\x03");
        }
        wait::throughout("time", Duration::from_millis(50), || true);
    });
}

#[test]
fn absurd_http_requests() {
    let long = "a".repeat(1 << 20);
    let requests: Vec<Vec<u8>> = vec![
        format!("GET /{long}.flv HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes(),
        format!("GET /live/s.flv HTTP/1.1\r\nHost: {long}\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(5000)).into_bytes(),
        b"GET /../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"GET /live/..%2f..%2fserver.log HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"GET /live/\0.flv HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"GET /live/%00.flv HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"GET /live/%3Cscript%3E.flv HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"POST /live/s.flv HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        b"GET /live/s.flv HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".to_vec(),
        b"GET /live/s.flv HTTP/9.9\r\n\r\n".to_vec(),
        b"\r\n\r\n\r\n".to_vec(),
    ];
    nobody_else_notices(&Options::default(), |server| {
        for address in [server.http_address(), server.api_address(), server.console_address()] {
            for request in &requests {
                let answer = send_and_read(address, request);
                let text = String::from_utf8_lossy(&answer);
                assert!(!text.contains("root:"), "a file outside came out");
                assert!(!text.contains("<script>"), "markup came back: {text}");
            }
        }
    });
}

#[test]
fn a_full_disk_under_hls() {
    let disk = Disk::tiny();
    let Some(disk) = disk else { return }; // only root may mount; what a refused write does is tested next
    let hls = format!("enabled on; hls_fragment 1; hls_window 30; hls_path {};", disk.0.path().display());
    std::fs::write(disk.0.path().join("full"), vec![0; 300 * 1024]).unwrap_err(); // until it is full
    nobody_else_notices(&Options { hls: Some(hls), ..Options::default() }, |_| {
        wait::throughout("time", Duration::from_millis(200), || true);
    });
}

#[test]
fn no_permission_under_hls() {
    // Not even root can make a folder below a file.
    let file = tempfile::NamedTempFile::new().unwrap();
    let hls = format!("enabled on; hls_fragment 1; hls_window 30; hls_path {}/x;", file.path().display());
    nobody_else_notices(&Options { hls: Some(hls), ..Options::default() }, |_| {
        wait::throughout("time", Duration::from_millis(200), || true);
    });
}

#[test]
fn hls_is_served_from_memory_whatever_the_disk_does() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let hls = format!("enabled on; hls_fragment 1; hls_window 30; hls_path {}/x;", file.path().display());
    let server = Server::start(&Options { hls: Some(hls), ..Options::default() });
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    wait::until("a segment", LIMIT, || {
        let answer = Request::get(server.http_address(), "/live/s.m3u8").send().ok()?;
        (answer.status == 200).then_some(())
    });
    let path = file.path().display().to_string();
    wait::until("the log to name the folder", LIMIT, || server.log().contains(&path).then_some(()));
}

/// A file system of 256 KiB in memory, unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn tiny() -> Option<Disk> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(folder.path());
        let done = mounted.stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success());
        done.then_some(Disk(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").args(["--lazy"]).arg(self.0.path()).status();
    }
}
