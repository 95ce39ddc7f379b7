//! Low-latency HLS and fragmented MP4: what a player sees while it is live, and after its publisher returned.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_playlist::{check, check_update};
use headwater_testkit::http::Request;
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, hls, wait};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

/// How far a client that reads every part may fall behind in three seconds, besides the parts it waits for at either
/// end: a test machine is busy.
const LATE_MAX: Duration = Duration::from_millis(600);

fn low_latency(directives: &str) -> Server {
    let hls = format!("enabled on; hls_fragment 1; hls_ctx off; {directives}");
    Server::start(&Options { hls: Some(hls), ..Options::default() })
}

/// A client that reloads one media playlist as a player does, and checks each version.
struct Client<'a> {
    server: &'a Server,
    path: String,
    /// The latest full playlist.
    text: String,
}

/// Sequence number of the segment that is being made, and how many parts it has.
fn position(text: &str) -> (u64, usize) {
    let first = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).unwrap();
    let segments = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count() as u64;
    let skipped = text.lines().find_map(|line| line.strip_prefix("#EXT-X-SKIP:SKIPPED-SEGMENTS="));
    let skipped: u64 = skipped.map_or(0, |n| n.parse().unwrap());
    let tail = text.rsplit_once("#EXTINF").map_or(text, |(_, tail)| tail);
    let parts = tail.lines().filter(|line| line.starts_with("#EXT-X-PART:")).count();
    (first.parse::<u64>().unwrap() + skipped + segments, parts)
}

fn parts(text: &str) -> Vec<(String, f64)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-PART:DURATION="));
    lines
        .map(|line| {
            let (seconds, rest) = line.split_once(',').unwrap();
            (rest.split('"').nth(1).unwrap().to_owned(), seconds.parse().unwrap())
        })
        .collect()
}

impl<'a> Client<'a> {
    fn open(server: &'a Server, stream: &str) -> Client<'a> {
        let found = wait::until("a low-latency playlist", LIMIT, || {
            hls::playlist(server.http_address(), &format!("/live/{stream}/ll.m3u8"))
        });
        assert_eq!(check(&found.text), Ok(()), "{}", found.text);
        Client { server, path: found.path, text: found.text }
    }

    fn get(&self, query: &str) -> (u16, String) {
        let path = format!("{}?{query}", self.path);
        let answer = Request::get(self.server.http_address(), &path).send().unwrap();
        (answer.status, answer.text().unwrap())
    }

    /// Waits for the next part, by a blocking reload.
    fn reload(&mut self) {
        let (sequence, part) = position(&self.text);
        let (status, text) = self.get(&format!("_HLS_msn={sequence}&_HLS_part={part}"));
        assert_eq!(status, 200, "{text}");
        assert_eq!(check(&text), Ok(()), "{text}");
        assert_eq!(check_update(&self.text, &text), Ok(()), "{}\n{text}", self.text);
        assert!(position(&text) > (sequence, part), "{text}");
        self.text = text;
    }
}

/// Reads `seconds` of parts one by one; tells all their names.
fn follow(client: &mut Client<'_>, seconds: f64) -> BTreeSet<String> {
    let mut seen: BTreeSet<String> = parts(&client.text).into_iter().map(|(uri, _)| uri).collect();
    let mut length = 0.0;
    while length < seconds {
        client.reload();
        for (uri, part) in parts(&client.text) {
            length += if seen.insert(uri) { part } else { 0.0 };
        }
    }
    seen
}

fn plays(clip: Clip) {
    let server = low_latency("");
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    let mut client = Client::open(&server, "s");
    follow(&mut client, 4.0);
    // Parts come as fast as they are made.
    let started = Instant::now();
    let media: f64 = {
        let before = follow(&mut client, 0.1).len();
        let after = follow(&mut client, 3.0);
        assert!(after.len() > before.min(3));
        3.0
    };
    let late = started.elapsed().as_secs_f64() - media - 2.0 * 0.365;
    assert!(late < LATE_MAX.as_secs_f64(), "{late} s behind after {media} s");
    let player = Reader::open(clip.tool(), &server.http_url("/live/s/ll.m3u8"));
    player.wait_for(200, LIMIT);
}

#[test]
fn h264_and_aac() {
    plays(Clip::H264Aac);
}

#[test]
fn hevc_and_aac() {
    plays(Clip::HevcAac);
}

#[test]
fn av1_and_opus() {
    plays(Clip::Av1Opus);
}

#[test]
fn requests_that_cannot_be_are_refused() {
    let server = low_latency("");
    let _publisher = Publisher::looping(Clip::H264Aac.tool(), &Clip::H264Aac.file(), &server.rtmp_url("s"));
    let client = Client::open(&server, "s");
    let (sequence, _) = position(&client.text);
    assert_eq!(client.get(&format!("_HLS_msn={}", sequence + 9)).0, 400);
    assert_eq!(client.get("_HLS_part=1").0, 400);
    assert_eq!(client.get("_HLS_msn=x").0, 400);
    let gone = Request::get(server.http_address(), "/live/s/ll-99999.0.m4s").send().unwrap();
    assert_eq!(gone.status, 404);
}

#[test]
fn updates_leave_out_what_is_known() {
    let server = low_latency("hls_window 30; hls_ll_fragment 1;");
    let _publisher = Publisher::looping(Clip::H264Aac.tool(), &Clip::H264Aac.file(), &server.rtmp_url("s"));
    let client = Client::open(&server, "s");
    let text = wait::until("an update that skips", LIMIT, || {
        let (status, text) = client.get("_HLS_skip=YES");
        assert_eq!((status, check(&text)), (200, Ok(())), "{text}");
        text.contains("#EXT-X-SKIP:").then_some(text)
    });
    let (_, full) = client.get("");
    assert!(text.len() < full.len());
}

#[test]
fn a_publisher_who_returns_goes_on_with_the_playlist() {
    let server = low_latency("");
    let publish = || Publisher::looping(Clip::H264Aac.tool(), &Clip::H264Aac.file(), &server.rtmp_url("s"));
    let first = publish();
    let mut client = Client::open(&server, "s");
    follow(&mut client, 1.0);
    first.stop();
    server.wait_until_unpublished("s");
    let (_, text) = client.get("");
    assert_eq!(check_update(&client.text, &text), Ok(()));
    client.text = text;
    let _second = publish();
    // Blocked across the gap: the answer is the first new part.
    client.reload();
    follow(&mut client, 2.5);
    assert!(client.text.contains("#EXT-X-DISCONTINUITY\n"), "{}", client.text);
}

#[test]
fn sessions_hold_for_parts_too() {
    let hls = "enabled on; hls_fragment 1;".to_owned();
    let server = Server::start(&Options { hls: Some(hls), ..Options::default() });
    let _publisher = Publisher::looping(Clip::H264Aac.tool(), &Clip::H264Aac.file(), &server.rtmp_url("s"));
    let client = Client::open(&server, "s");
    assert!(client.path.contains("hls_ctx="), "{}", client.path);
    assert!(parts(&client.text).iter().all(|(uri, _)| uri.contains("?hls_ctx=")), "{}", client.text);
    let bare = client.path.split('?').next().unwrap();
    assert_eq!(Request::get(server.http_address(), bare).send().unwrap().status, 403);
}

#[test]
fn plain_segments_can_be_fragmented_mp4() {
    for (clip, codecs) in [(Clip::H264Aac, ["h264", "aac"]), (Clip::HevcAac, ["hevc", "aac"])] {
        let folder = tempfile::tempdir().unwrap();
        let server = low_latency(&format!("hls_use_fmp4 on; hls_path {};", folder.path().display()));
        let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
        let found = wait::until("a playlist of three segments", LIMIT, || {
            let found = hls::playlist(server.http_address(), "/live/s.m3u8")?;
            (found.segments().len() >= 3).then_some(found)
        });
        assert_eq!(check(&found.text), Ok(()), "{}", found.text);
        assert!(found.text.contains("#EXT-X-MAP:URI=\"s/init.mp4\""), "{}", found.text);
        let player = Reader::open(clip.tool(), &server.http_url("/live/s.m3u8"));
        player.wait_for(200, LIMIT);
        assert_eq!(player.codecs(), codecs);
        assert!(
            folder.path().join("live/s/init.mp4").exists() && folder.path().join("live/s-0.m4s").exists()
        );
    }
}

#[test]
fn fragmented_segments_can_be_encrypted() {
    let keys = tempfile::tempdir().unwrap();
    let directives = format!("hls_use_fmp4 on; hls_keys on; hls_key_file_path {};", keys.path().display());
    let server = low_latency(&directives);
    let _publisher = Publisher::looping(Clip::H264Aac.tool(), &Clip::H264Aac.file(), &server.rtmp_url("s"));
    wait::until("a playlist", LIMIT, || hls::playlist(server.http_address(), "/live/s.m3u8"));
    let player = Reader::open(Clip::H264Aac.tool(), &server.http_url("/live/s.m3u8"));
    player.wait_for(150, LIMIT);
}
