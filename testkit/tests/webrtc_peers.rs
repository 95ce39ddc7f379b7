//! WebRTC with peers that are no browsers: the newest ffmpeg by WHIP, aiortc by WHIP and WHEP, and for codecs that
//! neither has a peer that sends what the test says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use headwater_media::codec::{avc, hevc};
use headwater_media::{Frame, Kind, Track};
use headwater_rtp::{Depacketizer, Event, Format, Incoming, Packetizer, Payloads};
use headwater_testkit::aiortc::Aiortc;
use headwater_testkit::browser::Rtc;
use headwater_testkit::packets::{Media, Packet};
use headwater_testkit::rtc::{Peer, Rtp, Wish};
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, Tool, flv, free_port, wait};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use str0m::RtcConfig;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(40);

/// Frames of sound a second.
const AAC: f64 = 48_000.0 / 1024.0;
const OPUS: f64 = 50.0;

fn server(vhost: &str) -> Server {
    server_with("", vhost)
}

fn server_with(rtc_server: &str, vhost: &str) -> Server {
    let port = free_port();
    let rtc_server = format!("rtc_server {{ enabled on; listen {port}; candidate 127.0.0.1; {rtc_server} }}");
    let root = format!("{rtc_server} srs_log_level_v2 debug;");
    let vhost = format!("rtc {{ enabled on; rtmp_to_rtc on; rtc_to_rtmp on; pli_for_rtmp 1; }} {vhost}");
    Server::start(&Options { root, vhost, ..Options::default() })
}

fn whip(stream: &str) -> String {
    format!("/rtc/v1/whip/?app=live&stream={stream}")
}

fn whep(stream: &str) -> String {
    format!("/rtc/v1/whep/?app=live&stream={stream}")
}

fn url(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.api_address())
}

fn times(packets: &[Packet], media: Media) -> Vec<i64> {
    packets.iter().filter(|packet| packet.media == media).map(|packet| packet.dts).collect()
}

/// Pictures and sound cover the same time, each without holes; how long, in seconds.
fn assert_even(packets: &[Packet], rate: f64, sounds: f64) -> f64 {
    let (video, audio) = (times(packets, Media::Video), times(packets, Media::Audio));
    let [pictures, sound] = [&video, &audio].map(|times| {
        let (first, last) = (*times.first().unwrap(), *times.last().unwrap());
        (first, last, (last - first) as f64 / 1e6)
    });
    assert!((pictures.0 - sound.0).abs() < 300_000, "pictures begin at {}, sound at {}", pictures.0, sound.0);
    assert!((pictures.1 - sound.1).abs() < 300_000, "pictures end at {}, sound at {}", pictures.1, sound.1);
    let expected = pictures.2 * rate + 1.0;
    assert!((video.len() as f64 - expected).abs() <= 3.0, "{} of {expected} pictures", video.len());
    let expected = sound.2 * sounds + 1.0;
    assert!((audio.len() as f64 - expected).abs() <= 4.0, "{} of {expected} frames of sound", audio.len());
    pictures.2
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// A clip by ffmpeg's WHIP muxer for so many seconds; H.264 as it is, sound as Opus.
fn ffmpeg(server: &Server, stream: &str, seconds: u32) -> std::process::Child {
    let mut command = Tool::Newest.command();
    command.args(["-re", "-stream_loop", "-1", "-i"]).arg(Clip::H264Aac.file());
    command.args(["-t", &seconds.to_string(), "-c:v", "copy", "-c:a", "libopus", "-ar", "48000", "-ac", "2"]);
    command.args(["-f", "whip", &url(server, &whip(stream))]);
    command.spawn().unwrap()
}

#[test]
fn what_ffmpeg_publishes_is_read_and_recorded() {
    let server = server("dvr { enabled on; dvr_path ./rec/[stream].flv; }");
    let mut publisher = ffmpeg(&server, "s", 10);
    server.wait_until_published("s");
    let rtmp = Reader::open(Tool::Distribution, &server.rtmp_url("s"));
    wait::until("a segment", LIMIT, || {
        let path = "/live/s.m3u8";
        let list = headwater_testkit::http::Request::get(server.http_address(), path).send().unwrap();
        (list.status == 200).then_some(())
    });
    let hls = Reader::open(Tool::Distribution, &server.http_url("/live/s.m3u8"));
    hls.wait_for(150, LIMIT);
    assert_eq!(sorted(hls.codecs()), ["aac", "h264"]);
    let status = wait::until("ffmpeg to end", LIMIT, || publisher.try_wait().unwrap());
    assert!(status.success(), "{status}");
    server.wait_until_unpublished("s");
    assert_eq!(sorted(rtmp.codecs()), ["aac", "h264"]);
    server.kick_players();
    let (packets, errors) = rtmp.finish(LIMIT);
    let seconds = assert_even(&packets, 25.0, AAC);
    assert!(seconds > 5.0, "{seconds} s were read: {errors}");
    let recording = server.folder().join("rec/s.flv");
    wait::until("the recording", LIMIT, || recording.exists().then_some(()));
    let recorded = Reader::open(Tool::Newest, &recording.to_string_lossy());
    let (packets, errors) = recorded.finish(LIMIT);
    // A recording keeps the sound as it came.
    let seconds = assert_even(&packets, 25.0, OPUS);
    assert!(errors.is_empty(), "{errors}");
    assert!((8.5..10.5).contains(&seconds), "{seconds} s are recorded");
}

#[test]
fn aiortc_publishes_and_plays() {
    let server = server("");
    for (stream, codec) in [("vp8", "video/VP8"), ("h264", "video/H264")] {
        let publisher = Aiortc::publish(&url(&server, &whip(stream)), 10, Some(codec));
        server.wait_until_published(stream);
        let seen = Aiortc::play(&url(&server, &whep(stream)), 4, Some(codec)).finish();
        assert_eq!(seen["status"], 201);
        assert!(seen["video"].as_u64().unwrap() >= 60, "{codec}: {seen:#}");
        assert!(seen["audio"].as_u64().unwrap() >= 120, "{codec}: {seen:#}");
        assert_eq!(seen["size"], serde_json::json!([320, 240]));
        assert!(seen["loudest"].as_u64().unwrap() > 4000, "{seen:#}");
        let sent = publisher.finish();
        assert!(sent["videoPackets"].as_u64().unwrap() > 100, "{sent:#}");
        server.wait_until_unpublished(stream);
    }
}

/// Peers on OpenSSL often have certificates of RSA.
#[test]
fn peers_may_have_certificates_of_rsa() {
    let server = server("");
    let publisher = Aiortc::publish_by_rsa(&url(&server, &whip("s")), 10);
    server.wait_until_published("s");
    let seen = Aiortc::play_by_rsa(&url(&server, &whep("s")), 3).finish();
    assert!(seen["video"].as_u64().unwrap() >= 45, "{seen:#}");
    assert!(publisher.finish()["videoPackets"].as_u64().unwrap() > 100);
    server.wait_until_unpublished("s"); // by DTLS's goodbye
}

#[test]
fn browsers_take_a_certificate_of_rsa() {
    let server = server_with("ecdsa off;", "");
    let _publisher = Rtc::publish(&url(&server, &whip("s")), 10, None);
    server.wait_until_published("s");
    let seen = Rtc::play(&url(&server, &whep("s")), 3, None).finish();
    assert!(seen.pointer("/video/framesDecoded").and_then(Value::as_u64) > Some(30), "{seen:#}");
}

#[test]
fn aiortc_plays_rtmp() {
    let server = server("");
    let clip = Clip::H264Aac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let seen = Aiortc::play(&url(&server, &whep("s")), 4, Some("video/H264")).finish();
    assert!(seen["video"].as_u64().unwrap() >= 60, "{seen:#}");
    assert!(seen["loudest"].as_u64().unwrap() > 2000, "{seen:#}");
}

/// Frames without B-frames that ffmpeg made with these arguments.
fn made(arguments: &[&str]) -> Vec<Frame> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("made.flv");
    let mut command = Tool::Newest.command();
    command.args(["-f", "lavfi", "-t", "4", "-i", "testsrc2=size=320x180:rate=25", "-pix_fmt", "yuv420p"]);
    assert!(command.args(arguments).arg(&file).status().unwrap().success());
    let frames = flv::frames(&std::fs::read(file).unwrap());
    frames.into_iter().filter(|frame| frame.track == Track::Video).collect()
}

fn h264_frames(profile: &str) -> Vec<Frame> {
    made(&["-c:v", "libx264", "-profile:v", profile, "-bf", "0", "-g", "25", "-preset", "veryfast"])
}

fn hevc_frames() -> Vec<Frame> {
    made(&["-c:v", "libx265", "-x265-params", "bframes=0:keyint=25:log-level=error", "-preset", "ultrafast"])
}

/// Sends frames by the clock, again and again until `done`; the payloads sent.
fn send_pictures(
    peer: &Peer,
    format: Format,
    kind: u8,
    frames: &[Frame],
    done: impl Fn() -> bool,
) -> Vec<Vec<u8>> {
    let mut packetizer = Packetizer::new(format, 1100);
    let (mut payloads, mut sent) = (Payloads::default(), Vec::new());
    let (begun, mut shown, end) = (Instant::now(), 0u32, Instant::now() + LIMIT);
    for frame in frames.iter().cycle() {
        if done() {
            return sent;
        }
        assert!(Instant::now() < end, "nothing came of {} packets sent", sent.len());
        packetizer.frame(frame, &mut payloads).unwrap();
        for payload in payloads.iter() {
            let mut bytes = Vec::new();
            payload.put(&mut bytes);
            sent.push(bytes.clone());
            peer.send(Rtp {
                video: true,
                kind,
                sequence: 100 + sent.len() as u64,
                timestamp: shown * 3600,
                marker: payload.marker,
                payload: bytes,
                at: Instant::now(),
            });
        }
        if frame.kind != Kind::Config {
            shown += 1;
        }
        let due = begun + Duration::from_millis(40) * shown;
        std::thread::sleep(due.saturating_duration_since(Instant::now())); // a camera's pace
    }
    sent
}

/// What a viewer received is, from a key frame soon after the beginning on, a piece of what was sent, byte for byte, each
/// packet once. The first viewer begins with packets made of the frames that were there before it.
fn assert_forwarded(sent: &[Vec<u8>], received: &[Rtp]) {
    let mut packets: Vec<&Rtp> = received.iter().filter(|packet| packet.video).collect();
    packets.sort_by_key(|packet| packet.sequence);
    packets.dedup_by_key(|packet| packet.sequence);
    let last = &packets.last().unwrap().payload;
    let ends = sent.iter().enumerate().filter(|(_, payload)| *payload == last).map(|(at, _)| at + 1);
    let same = |end: usize| {
        packets.iter().rev().zip(sent[..end].iter().rev()).take_while(|(a, b)| a.payload == **b).count()
    };
    let longest = ends.map(same).max().unwrap_or(0);
    let all = packets.len();
    assert!(longest > all / 2, "of {all} packets, only the last {longest} are those that were sent");
}

/// A viewer's pictures as a file that decoders read (Annex B).
fn write_annex_b(format: Format, received: &[Rtp], file: &Path) -> usize {
    let mut packets: Vec<&Rtp> = received.iter().filter(|packet| packet.video).collect();
    packets.sort_by_key(|packet| packet.sequence);
    let (mut depacketizer, mut events) = (Depacketizer::new(format), Vec::new());
    for packet in packets {
        let Rtp { sequence, timestamp, marker, ref payload, .. } = *packet;
        let payload = Bytes::copy_from_slice(payload);
        depacketizer.push(&Incoming { sequence, timestamp, marker, payload }, &mut events);
    }
    let (mut out, mut count) = (Vec::new(), 0);
    let mut put = |unit: &[u8]| out.extend([&[0, 0, 0, 1], unit].concat());
    for event in events {
        let Event::Unit(unit) = event else { continue };
        if unit.kind == Kind::Config {
            parameter_sets(format, &unit.payload).iter().for_each(|set| put(set));
            continue;
        }
        count += 1;
        let mut units = &unit.payload[..];
        while let Some((length, rest)) = units.split_first_chunk::<4>() {
            let (one, after) = rest.split_at(u32::from_be_bytes(*length) as usize);
            put(one);
            units = after;
        }
    }
    std::fs::write(file, out).unwrap();
    count
}

fn parameter_sets(format: Format, config: &Bytes) -> Vec<Bytes> {
    match format {
        Format::Hevc => hevc::Config::parse(config).unwrap().parameter_sets().cloned().collect(),
        _ => {
            let config = avc::Config::parse(config).unwrap();
            [config.sps, config.pps].concat()
        }
    }
}

/// Pictures that ffmpeg decodes of a file; it may not complain.
fn decoded(kind: &str, file: &Path) -> usize {
    let mut command = Command::new(Tool::Newest.path());
    command.args(["-v", "error", "-f", kind, "-i"]).arg(file).args(["-f", "framecrc", "-"]);
    let output = command.output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with('0')).count()
}

fn only_hevc(config: RtcConfig) -> RtcConfig {
    config.enable_h265(true)
}

fn only_h264(config: RtcConfig) -> RtcConfig {
    config.enable_h264(true)
}

/// Publishes frames and plays them back: the very packets, which decode, and the codec over FLV.
fn through(
    server: &Server,
    stream: &str,
    frames: &[Frame],
    format: Format,
    codecs: fn(RtcConfig) -> RtcConfig,
) {
    through_to(server, stream, frames, format, codecs, codecs);
}

/// The same with what the publisher knows, and the viewer.
fn through_to(
    server: &Server,
    stream: &str,
    frames: &[Frame],
    format: Format,
    sends: fn(RtcConfig) -> RtcConfig,
    takes: fn(RtcConfig) -> RtcConfig,
) {
    let (whip, whep) = (whip(stream), whep(stream));
    let pictures =
        |path, codecs| Wish { tracks: (false, true), ..Wish::new(server.api_address(), path, codecs) };
    let publisher = Peer::publish(&pictures(&whip, sends)).unwrap().connected();
    server.wait_until_published(stream);
    let viewer = Peer::play(&pictures(&whep, takes)).unwrap().connected();
    let name = if format == Format::Hevc { "H265" } else { "H264" };
    let kind = publisher.payload_type(name);
    let reader = Reader::open(Tool::Newest, &server.http_url(&format!("/live/{stream}.flv")));
    let enough =
        || viewer.look().packets.iter().filter(|packet| packet.marker).count() > 80 && reader.count() > 40;
    let sent = send_pictures(&publisher, format, kind, frames, enough);
    assert_eq!(reader.codecs(), [name.to_lowercase().replace("h265", "hevc")]);
    let received = viewer.look().packets.clone();
    assert_forwarded(&sent, &received);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("received");
    let count = write_annex_b(format, &received, &file);
    let kind = if format == Format::Hevc { "hevc" } else { "h264" };
    assert!(count >= 75 && decoded(kind, &file) == count, "{count} pictures");
}

#[test]
fn hevc_goes_in_and_out() {
    through(&server(""), "hevc", &hevc_frames(), Format::Hevc, only_hevc);
}

#[test]
fn h264_of_every_profile_goes_in_and_out() {
    let server = server("");
    for profile in ["baseline", "main", "high"] {
        through(&server, profile, &h264_frames(profile), Format::H264 { single: false }, only_h264);
    }
}

fn only_h264_single(mut config: RtcConfig) -> RtcConfig {
    config.codec_config().add_h264(96.into(), Some(97.into()), false, 0x42e01f);
    config
}

/// H.264 without fragments (packetization-mode 0) is taken, and goes to all but those who take nothing else: most
/// streams do not fit into it.
#[test]
fn h264_without_fragments_goes_in() {
    let server = server("");
    let frames = made(&[
        "-c:v",
        "libx264",
        "-profile:v",
        "baseline",
        "-g",
        "25",
        "-preset",
        "veryfast",
        "-x264-params",
        "slice-max-size=900",
    ]);
    let format = Format::H264 { single: true };
    through_to(&server, "single", &frames, format, only_h264_single, only_h264);
    let path = whep("single");
    let viewer = Wish { tracks: (false, true), ..Wish::new(server.api_address(), &path, only_h264_single) };
    let (status, reason) = Peer::play(&viewer).unwrap_err();
    assert!(status == 400 && reason.contains("no codec"), "{status} {reason}");
}

fn a_law(config: RtcConfig) -> RtcConfig {
    config.enable_pcma(true, false)
}

fn mu_law(config: RtcConfig) -> RtcConfig {
    config.enable_pcmu(true, false)
}

#[test]
fn g711_of_a_law_goes_in() {
    g711_goes_in("PCMA", a_law);
}

#[test]
fn g711_of_mu_law_goes_in() {
    g711_goes_in("PCMU", mu_law);
}

/// G.711 goes to those who play it as it is, and to others as AAC.
fn g711_goes_in(law: &str, codec: fn(RtcConfig) -> RtcConfig) {
    let server = server("");
    let (whip, whep) = (whip("phone"), whep("phone"));
    let sound = |path| Wish { tracks: (true, false), ..Wish::new(server.api_address(), path, codec) };
    let publisher = Peer::publish(&sound(&whip)).unwrap().connected();
    server.wait_until_published("phone");
    let viewer = Peer::play(&sound(&whep)).unwrap().connected();
    let reader = Reader::open(Tool::Distribution, &server.http_url("/live/phone.flv"));
    let kind = publisher.payload_type(law);
    let (begun, mut n) = (Instant::now(), 0u32);
    let block = |n: u32| -> Vec<u8> { (0..160).map(|at| (n + at) as u8 ^ 0x55).collect() };
    while reader.count() < 50 || viewer.look().packets.len() < 100 {
        assert!(
            begun.elapsed() < LIMIT,
            "{} over FLV, {} by WHEP",
            reader.count(),
            viewer.look().packets.len()
        );
        let (sequence, timestamp, payload) = (u64::from(n) + 7, n * 160, block(n));
        publisher.send(Rtp {
            video: false,
            kind,
            sequence,
            timestamp,
            marker: false,
            payload,
            at: Instant::now(),
        });
        n += 1;
        let due = begun + Duration::from_millis(20) * n;
        std::thread::sleep(due.saturating_duration_since(Instant::now())); // a microphone's pace
    }
    let received = viewer.look().packets.clone();
    let first = (0..n).find(|n| block(*n) == received[0].payload).unwrap();
    let same = received.iter().zip(first..).filter(|(packet, n)| packet.payload == block(*n)).count();
    assert_eq!(same, received.len(), "sound was changed on the way");
    assert_eq!(reader.codecs(), ["aac"]);
    let begun = |codec| {
        let log = server.log();
        log.lines().filter(|l| l.contains("conversion of sound starts") && l.contains(codec)).count()
    };
    assert_eq!((begun("Aac"), begun("Opus")), (1, 0), "what nobody plays is not made");
}

fn any_sound(config: RtcConfig) -> RtcConfig {
    config.enable_opus(true, false).enable_pcma(true, false).enable_pcmu(true, false)
}

fn vp8(config: RtcConfig) -> RtcConfig {
    config.enable_opus(true, false).enable_vp8(true)
}

/// Who comes before the stream cannot be refused by its codec.
#[test]
fn a_player_who_sees_no_pictures_is_told_of() {
    let server = server("");
    let path = whep("s");
    let _player = Peer::play(&Wish::new(server.api_address(), &path, vp8)).unwrap().connected();
    let clip = Clip::H264Aac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    let reason = wait::until("the reason", LIMIT, || {
        server.api("/api/v1/rtc/sessions/").pointer("/sessions/0/reason")?.as_str().map(str::to_owned)
    });
    assert!(reason.contains("does not take H264"), "{reason}");
    let said = server.log().lines().filter(|line| line.contains("sees no pictures")).count();
    assert_eq!(said, 1);
}

/// Who takes Opus alone hears G.711 as Opus, who takes G.711 hears it as it is, and nobody both.
#[test]
fn g711_is_heard_by_those_who_take_opus_alone() {
    let server = server("");
    for law in ["audio/PCMU", "audio/PCMA"] {
        let stream = &law[6..];
        let publisher = Aiortc::publish_sound(&url(&server, &whip(stream)), 14, law);
        server.wait_until_published(stream);
        let path = whep(stream);
        let all = Wish { tracks: (true, false), ..Wish::new(server.api_address(), &path, any_sound) };
        let all = Peer::play(&all).unwrap().connected();
        let viewers = ["audio/opus", law, "audio/opus"];
        let viewers = viewers.map(|sound| (sound, Aiortc::play_sound(&url(&server, &path), 5, sound)));
        for (sound, viewer) in viewers {
            let seen = viewer.finish();
            assert!(seen["audio"].as_u64().unwrap() >= 150, "{law} as {sound}: {seen:#}");
            assert!(seen["loudest"].as_u64().unwrap() > 4000, "{law} as {sound}: {seen:#}");
            assert!(seen["video"].as_u64().unwrap() >= 60, "{law} as {sound}: {seen:#}");
        }
        let (own, seen) = (all.payload_type(stream), all.look().packets.clone());
        assert!(seen.len() > 150 && seen.iter().all(|packet| packet.kind == own), "{law}: {}", seen.len());
        publisher.finish();
        server.wait_until_unpublished(stream);
        let log = server.log();
        let begun = |line: &&str| line.contains("conversion of sound starts") && line.contains("Opus");
        let of_stream = log.lines().filter(begun).filter(|line| line.contains(stream)).count();
        assert_eq!(of_stream, 1, "once for all viewers of {law}");
    }
}
