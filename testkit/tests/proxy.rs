//! The server behind nginx with the configuration of deploy/nginx: what is cached, what passes through.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_media::{Frame, Track};
use headwater_testkit::flv::{clip_frames, frames, media};
use headwater_testkit::http::{Request, Response};
use headwater_testkit::program::Program;
use headwater_testkit::websocket::Incoming;
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, free_port, hls, wait};
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const CLIP: Clip = Clip::H264Aac;
/// Where Debian's nginx is.
const NGINX: &str = "/usr/sbin/nginx";

/// nginx before a server.
struct Proxy {
    http: SocketAddr,
    https: SocketAddr,
    folder: tempfile::TempDir,
    _program: Program,
}

impl Proxy {
    fn before(server: &Server) -> Proxy {
        let folder = tempfile::TempDir::with_prefix("headwater-").unwrap();
        let [http, https] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let shown = folder.path().display().to_string();
        certificate(folder.path());
        let changes = [
            ("server 127.0.0.1:8080;", format!("server {};", server.http_address())),
            ("listen 80;", format!("listen {http};")),
            ("listen 443 ", format!("listen {https} ")),
            ("/var/cache/nginx/", format!("{shown}/cache/")),
            ("/etc/nginx/conf.d/", format!("{shown}/")),
            ("/etc/nginx/", format!("{shown}/")),
        ];
        for name in ["headwater.conf", "headwater-locations.conf", "headwater-tls.conf"] {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nginx").join(name);
            let text = std::fs::read_to_string(file).unwrap();
            let text = changes.iter().fold(text, |text, (theirs, ours)| text.replace(theirs, ours));
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        std::fs::create_dir(folder.path().join("cache")).unwrap();
        std::fs::write(folder.path().join("nginx.conf"), wrapper(&shown)).unwrap();
        let mut command = Command::new(NGINX);
        command.args(["-p", &shown, "-c", &format!("{shown}/nginx.conf")]);
        let mut program = Program::spawn(command);
        wait::until("nginx to listen", LIMIT, || {
            assert!(program.is_running(), "nginx ended: {}", program.err());
            TcpStream::connect(http).ok()
        });
        Proxy { http, https, folder, _program: program }
    }

    fn get(&self, path: &str) -> Response {
        Request::get(self.http, path).header("X-Test", "1").timeout(LIMIT).send().unwrap()
    }

    /// How often an address was fetched from the server, and how often answered from the cache, once `n` requests for
    /// it are done.
    fn fetched(&self, path: &str, n: usize) -> (usize, usize) {
        wait::until(&format!("{n} requests for {path}"), LIMIT, || {
            let log = std::fs::read_to_string(self.folder.path().join("access.log")).ok()?;
            let requests = log.lines().filter_map(|line| line.split_once(' '));
            let found =
                requests.filter(|(_, uri)| *uri == path).map(|(status, _)| status).collect::<Vec<_>>();
            let hits = found.iter().filter(|status| **status == "HIT").count();
            (found.len() == n).then(|| (n - hits, hits))
        })
    }
}

/// What a distribution's nginx.conf does, in one folder and one process.
fn wrapper(folder: &str) -> String {
    format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
         events {{ worker_connections 1024; }}
         http {{
             log_format test '$upstream_cache_status $request_uri';
             access_log {folder}/access.log test;
             client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
             fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
             include {folder}/headwater.conf;
             include {folder}/headwater-tls.conf;
         }}"
    )
}

fn certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("headwater.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("headwater.crt"), made.cert.pem()).unwrap();
}

fn server(hls: &str) -> Server {
    Server::start(&Options {
        hls: Some(format!("enabled on; hls_fragment 1; hls_window 30; {hls}")),
        ..Options::default()
    })
}

/// A playlist with at least `n` segments, through the proxy.
fn playlist(proxy: &Proxy, n: usize) -> hls::Playlist {
    wait::until("a playlist through nginx", LIMIT, || {
        hls::playlist(proxy.http, "/live/s.m3u8").filter(|list| list.segments().len() >= n)
    })
}

/// How many pictures there are. Sound before the first of them is not for a player that waited.
fn pictures(frames: Vec<Frame>) -> usize {
    media(frames).iter().filter(|frame| frame.track == Track::Video).count()
}

#[test]
fn a_hundred_viewers_cost_one_request_a_segment() {
    let server = server("hls_ctx off;");
    let proxy = Proxy::before(&server);
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    let segments = playlist(&proxy, 3).segments();
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                for segment in &segments {
                    let answer = proxy.get(segment);
                    assert_eq!(answer.status, 200);
                    assert_eq!(answer.bytes().unwrap()[0], 0x47);
                }
            });
        }
    });
    for segment in &segments {
        assert_eq!(proxy.fetched(segment, 100), (1, 99), "{segment}");
    }
}

#[test]
fn viewers_with_sessions_share_segments_and_nothing_else() {
    let server = server("");
    let proxy = Proxy::before(&server);
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    let (one, two) = (playlist(&proxy, 2), playlist(&proxy, 2));
    assert_ne!(one.path, two.path, "each has a session of its own");
    let status = |path: &str| proxy.get(path).header("x-cache-status").map(str::to_owned);
    assert_eq!(status(&one.segments()[0]).as_deref(), Some("MISS"));
    assert_eq!(status(&two.segments()[0]).as_deref(), Some("HIT"), "the token does not count");
    assert_eq!(status(&format!("{}&vhost=other.example", one.segments()[0])).as_deref(), Some("MISS"));
    let playlists = proxy.get("/live/s.m3u8");
    assert_eq!(playlists.header("cache-control"), Some("no-store"));
}

#[test]
fn ffmpeg_plays_through_it_and_pages_of_other_origins_may_read() {
    let server = server("hls_ctx off;");
    let proxy = Proxy::before(&server);
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    let list = playlist(&proxy, 2);
    let player = Reader::open(CLIP.tool(), &format!("http://{}/live/s.m3u8", proxy.http));
    player.wait_for(200, LIMIT);
    // Cached for one who named no origin, yet good for a page that names one.
    for path in [list.path.as_str(), list.segments()[0].as_str()] {
        proxy.get(path);
        let answer =
            Request::get(proxy.http, path).header("Origin", "http://elsewhere.example").send().unwrap();
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    }
}

#[test]
fn blocking_playlist_requests_are_one_for_the_server() {
    let server = server("hls_ctx off;");
    let proxy = Proxy::before(&server);
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    let list = wait::until("a low-latency playlist", LIMIT, || hls::playlist(proxy.http, "/live/s/ll.m3u8"));
    let first = list.text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).unwrap();
    let listed = list.text.matches("#EXTINF").count() as u64;
    let next = first.parse::<u64>().unwrap() + listed + 1;
    let path = format!("{}?_HLS_msn={next}&_HLS_part=0", list.path.split('?').next().unwrap());
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let answer = proxy.get(&path);
                assert_eq!(answer.status, 200);
                assert!(answer.text().unwrap().contains(&format!("-{}.", next)), "it waited for the part");
            });
        }
    });
    assert_eq!(proxy.fetched(&path, 20), (1, 19));
}

#[test]
fn live_streams_pass_through_as_they_come() {
    let server = server("");
    let proxy = Proxy::before(&server);
    let sent = clip_frames(CLIP);
    let wanted = pictures(sent);
    std::thread::scope(|scope| {
        let http = scope.spawn(|| {
            let mut bytes = Vec::new();
            proxy.get("/live/s.flv").read_to_end(&mut bytes).map(|_| bytes).unwrap()
        });
        let websocket = scope.spawn(|| Incoming::open(proxy.http, "/live/s.flv").unwrap().read_to_end());
        server.wait_for_players(2);
        let (status, errors) =
            Publisher::once(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s")).finish(LIMIT);
        assert!(status.success(), "{errors}");
        for player in [http, websocket] {
            assert_eq!(pictures(frames(&player.join().unwrap())), wanted);
        }
    });
}

#[test]
fn tls_and_http2_to_the_viewers_and_no_api_for_them() {
    let server = server("hls_ctx off;");
    let proxy = Proxy::before(&server);
    let _publisher = Publisher::looping(CLIP.tool(), &CLIP.file(), &server.rtmp_url("s"));
    let path = playlist(&proxy, 1).path;
    let output = Command::new("curl")
        .args(["--silent", "--insecure", "--http2", "--output", "/dev/null"])
        .args(["--write-out", "%{http_version} %{http_code}", &format!("https://{}{path}", proxy.https)])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "2 200");
    for path in ["/api/v1/summaries", "/api/v1/clients/x", "/metrics"] {
        assert_eq!(proxy.get(path).status, 404, "{path}");
    }
}
