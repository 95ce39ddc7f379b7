//! Sound, pictures and time between WebRTC and every other protocol.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_media::{Codec, Frame, Kind, Time, Track};
use headwater_testkit::packets::{Media, Packet};
use headwater_testkit::rtc::{Peer, Rtp, Wish};
use headwater_testkit::rtmp::RtmpPeer;
use headwater_testkit::viewer::{Kept, Viewer};
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, Tool, flash, free_port, wait};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use str0m::RtcConfig;
use str0m::format::Codec as RtcCodec;

const LIMIT: Duration = Duration::from_secs(30);

/// What a viewer takes for being together.
const TOGETHER: f64 = 0.040;

fn server(more: &str) -> Server {
    server_with(more, None)
}

fn server_with(more: &str, hls: Option<String>) -> Server {
    let port = free_port();
    let root =
        format!("rtc_server {{ enabled on; listen {port}; candidate 127.0.0.1; }} srs_log_level_v2 debug;");
    let vhost = format!("rtc {{ enabled on; rtmp_to_rtc on; rtc_to_rtmp on; pli_for_rtmp 1; }} {more}");
    Server::start(&Options { root, vhost, hls, ..Options::default() })
}

fn viewer(server: &Server, stream: &str) -> Viewer {
    Viewer::start(server.api_address(), &format!("/rtc/v1/whep/?app=live&stream={stream}"))
}

fn whip(server: &Server, stream: &str) -> String {
    format!("http://{}/rtc/v1/whip/?app=live&stream={stream}", server.api_address())
}

/// When the beeps of Opus begin.
fn beeps(sound: &Kept) -> Vec<f64> {
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Stereo).unwrap();
    let mut samples = [0.0_f32; 5760 * 2];
    beeps_by(sound, 48_000, |packet| {
        let n = decoder.decode_float(packet, &mut samples, false).unwrap();
        samples[..2 * n].chunks(2).map(|pair| pair[0].abs() > 0.1).collect()
    })
}

/// When the beeps of G.711 begin. The lowest four bits tell little of how loud a sample is, and mu-law is upside down.
fn phone_beeps(sound: &Kept, mu_law: bool) -> Vec<f64> {
    let loud = |coded: &u8| (if mu_law { !coded } else { coded ^ 0x55 }) & 0x7f > 0x40;
    beeps_by(sound, 8000, |packet| packet.iter().map(loud).collect())
}

/// Moments of the first loud samples; `decode` tells which of a packet's are.
fn beeps_by(sound: &Kept, rate: u32, mut decode: impl FnMut(&[u8]) -> Vec<bool>) -> Vec<f64> {
    let mut quiet = 0; // samples since the last loud one
    let mut begun = Vec::new();
    for packet in &sound.packets {
        for (at, loud) in decode(&packet.payload).into_iter().enumerate() {
            if !loud {
                quiet += 1;
                continue;
            }
            if quiet > rate / 10 {
                begun.extend(sound.moment(packet.time.wrapping_add(at as u32), rate));
            }
            quiet = 0;
        }
    }
    begun
}

/// When the flashes begin: moments of the key frames.
fn flashes(pictures: &Kept) -> Vec<f64> {
    let mut times: Vec<u32> =
        pictures.packets.iter().filter(|packet| packet.begins_key()).map(|packet| packet.time).collect();
    times.dedup();
    times.iter().filter_map(|&time| pictures.moment(time, 90_000)).collect()
}

/// All reports of a track tell the same relation of its times to the clock on the wall, from the first one on.
fn assert_straight(kept: &Kept, rate: u32) {
    for (wall, time) in &kept.reports {
        let by_newest = kept.moment(*time, rate).unwrap();
        let told = wall.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!(
            (by_newest - told).abs() < 0.005,
            "{told} and {by_newest} are the same moment: {:?}",
            kept.reports
        );
    }
}

fn assert_together(offsets: &[f64], of: &str) {
    assert!(offsets.len() >= 2, "{of}: too few flashes with beeps: {offsets:?}");
    assert!(offsets.iter().all(|off| off.abs() < TOGETHER), "{of}: beeps are late by {offsets:?} s");
}

#[test]
fn flash_and_beep_of_rtmp_reach_webrtc_together() {
    let server = server("");
    let _publisher = flash::publish(&server.rtmp_url("s"));
    server.wait_until_published("s");
    let mut viewer = viewer(&server, "s");
    viewer.watch("five flashes and reports of both tracks", LIMIT, |seen| {
        let told = |kept: &Kept| kept.reports.len() >= 3;
        flashes(&seen.video).len() >= 5 && told(&seen.video) && told(&seen.audio)
    });
    assert_together(&flash::apart(&flashes(&viewer.video), &beeps(&viewer.audio)), "WHEP");
    assert_straight(&viewer.video, 90_000);
    assert_straight(&viewer.audio, 48_000);
}

/// 20 ms of µ-law: a tone of 1 kHz, or silence.
fn phone_block(loud: bool) -> Vec<u8> {
    (0..160)
        .map(|at| {
            if !loud {
                0xff
            } else if at % 8 < 4 {
                0x90
            } else {
                0x10
            }
        })
        .collect()
}

/// Sound as a phone sends it: each second begins with a beep of a fifth.
fn send_sound(phone: &Peer, seconds: u32) {
    let (kind, begun) = (phone.payload_type("PCMU"), Instant::now());
    for n in 0..50 * seconds {
        let due = begun + Duration::from_millis(20) * n;
        std::thread::sleep(due.saturating_duration_since(Instant::now())); // a microphone's pace
        let (payload, at) = (phone_block(n % 50 < 10), Instant::now());
        let (sequence, timestamp) = (7 + u64::from(n), n * 160);
        phone.send(Rtp { video: false, kind, sequence, timestamp, marker: false, payload, at });
    }
}

/// Sound that is made for some viewers is on the line of the publisher's own.
#[test]
fn g711_made_into_opus_keeps_its_time() {
    let server = server("");
    let path = "/rtc/v1/whip/?app=live&stream=phone";
    let wish = Wish::new(server.api_address(), path, |config| config.enable_pcmu(true, false));
    let publisher = Peer::publish(&Wish { tracks: (true, false), ..wish }).unwrap().connected();
    server.wait_until_published("phone");
    let codecs: [fn(RtcConfig) -> RtcConfig; 2] = [|config| config, |config| phone(config, true)];
    let path = "/rtc/v1/whep/?app=live&stream=phone";
    let watch = |codecs| {
        let mut viewer = Viewer::start_with(server.api_address(), path, codecs);
        viewer.watch("four seconds and reports", LIMIT, |seen| {
            seen.audio.packets.len() > 200 && seen.audio.reports.len() >= 3
        });
        viewer.audio
    };
    let [made, own] = std::thread::scope(|scope| {
        let viewers = codecs.map(|codecs| scope.spawn(move || watch(codecs)));
        scope.spawn(|| send_sound(&publisher, 8));
        viewers.map(|viewer| viewer.join().unwrap())
    });
    let offsets = flash::apart(&phone_beeps(&own, true), &beeps(&made));
    assert!(offsets.len() >= 3, "{offsets:?}");
    assert_together(&offsets, "Opus");
}

/// What a phone offers: one of the laws of G.711.
fn phone(config: RtcConfig, mu_law: bool) -> RtcConfig {
    config.clear_codecs().enable_h264(true).enable_pcmu(mu_law, false).enable_pcma(!mu_law, false)
}

/// What a phone sees and hears is together, and goes on.
fn assert_phone(server: SocketAddr, stream: &str, mu_law: bool) {
    let path = format!("/rtc/v1/whep/?app=live&stream={stream}");
    let codecs: fn(RtcConfig) -> RtcConfig =
        if mu_law { |config| phone(config, true) } else { |config| phone(config, false) };
    let mut phone = Viewer::start_with(server, &path, codecs);
    phone.watch("three flashes with beeps and reports of both tracks", LIMIT, |seen| {
        let told = |kept: &Kept| kept.reports.len() >= 2;
        let together = flash::apart(&flashes(&seen.video), &phone_beeps(&seen.audio, mu_law)).len();
        together >= 3 && told(&seen.video) && told(&seen.audio)
    });
    let heard = phone_beeps(&phone.audio, mu_law);
    assert_together(&flash::apart(&flashes(&phone.video), &heard), stream);
    assert!(phone.audio.packets.iter().all(|packet| packet.payload.len() == 160));
    assert_goes_on(&phone.audio, 8000);
}

/// Telephones and cameras know G.711 alone, some of them one of its laws.
#[test]
fn who_knows_g711_alone_hears_every_publisher() {
    let server = server("");
    let _by_rtmp = flash::publish(&server.rtmp_url("rtmp"));
    let _by_whip = flash::publish_whip(&whip(&server, "whip"));
    let address = server.api_address();
    for stream in ["rtmp", "whip"] {
        server.wait_until_published(stream);
        std::thread::scope(|scope| {
            for mu_law in [true, false] {
                scope.spawn(move || assert_phone(address, stream, mu_law));
            }
            let mut browser = viewer(&server, stream);
            browser.watch("Opus", LIMIT, |seen| seen.audio.packets.len() > 150);
            assert!(browser.audio.packets.iter().all(|packet| packet.codec == RtcCodec::Opus));
        });
    }
}

#[test]
fn what_is_published_by_webrtc_is_read_everywhere() {
    let server = server("dvr { enabled on; dvr_plan session; dvr_path ./dvr/[stream].[timestamp].flv; }");
    let publisher = flash::publish_whip(&whip(&server, "s"));
    server.wait_until_published("s");
    let playlist = server.http_url("/live/s.m3u8");
    let urls = [server.rtmp_url("s"), server.http_url("/live/s.flv"), playlist];
    std::thread::scope(|scope| {
        for url in &urls {
            scope.spawn(move || {
                let (offsets, said) = flash::offsets(url, 5);
                assert!(said.contains("Video: h264") && said.contains("Audio: aac"), "{url}: {said}");
                assert_together(&offsets, url);
            });
        }
    });
    publisher.stop();
    server.wait_until_unpublished("s");
    let file = wait::until("a recording", LIMIT, || {
        let mut files = std::fs::read_dir(server.folder().join("dvr")).ok()?.filter_map(Result::ok);
        files.next().map(|file| file.path()).filter(|path| path.extension().is_some_and(|ext| ext == "flv"))
    });
    let (offsets, said) = flash::offsets(&file.to_string_lossy(), 60);
    assert!(said.contains("Audio: opus"), "recordings keep what was published: {said}");
    assert_together(&offsets, "the recording");
}

#[test]
fn what_is_published_by_webrtc_is_even_in_every_container() {
    let dvr = "dvr { enabled on; dvr_plan session; dvr_path ./dvr/[stream].mp4; }";
    let dash = "dash { enabled on; dash_fragment 2; dash_window_size 20; }";
    let hls = "enabled on; hls_fragment 1; hls_window 20; hls_ctx off; hls_use_fmp4 on;";
    let server = server_with(&format!("{dvr} {dash}"), Some(hls.to_owned()));
    let publisher = flash::publish_whip(&whip(&server, "s"));
    server.wait_until_published("s");
    let paths = ["/live/s.flv", "/live/s.ts", "/live/s.m3u8", "/live/s/ll.m3u8", "/live/s.mpd"];
    let urls = paths.map(|path| server.http_url(path)).into_iter().chain([server.rtmp_url("s")]);
    std::thread::scope(|scope| {
        for url in urls {
            scope.spawn(move || {
                let reader = Reader::open_with(Tool::Newest, &["-t", "8"], &url);
                let (offsets, said) = flash::offsets(&url, 5);
                assert!(said.contains("Video: h264") && said.contains("Audio: aac"), "{url}: {said}");
                assert_together(&offsets, &url);
                reader.wait_for(1, LIMIT);
                let mut codecs = reader.codecs();
                codecs.sort();
                let offers = codecs.len() - 1;
                codecs.dedup();
                assert_eq!(codecs, ["aac", "h264"], "{url}");
                let (mut packets, _) = reader.finish(LIMIT);
                if offers > 1 {
                    // Low-latency HLS offers the sound with the pictures and alone; ffmpeg reads both.
                    packets.sort_by_key(|packet| (packet.media == Media::Audio, packet.dts));
                    packets.dedup();
                }
                assert_even(&packets, Media::Video, 40_000, &url);
                assert_even(&packets, Media::Audio, 21_334, &url);
            });
        }
    });
    publisher.stop();
    server.wait_until_unpublished("s");
    let file = server.folder().join("dvr/s.mp4");
    wait::until("the recording", LIMIT, || file.exists().then_some(()));
    let url = file.to_string_lossy();
    let (offsets, said) = flash::offsets(&url, 60);
    assert!(
        said.contains("Video: h264") && said.contains("Audio: opus"),
        "MP4 keeps what was published: {said}"
    );
    assert_together(&offsets, &url);
}

/// Times that go up by a frame's time, `step` in microseconds, or two at most.
fn assert_even(packets: &[Packet], media: Media, step: i64, of: &str) {
    let times: Vec<i64> =
        packets.iter().filter(|packet| packet.media == media).map(|packet| packet.dts).collect();
    assert!(times.len() as i64 * step > 3_000_000, "{of}: {} frames of {media:?}", times.len());
    for pair in times.windows(2) {
        let passed = pair[1] - pair[0];
        assert!((1..=2 * step + 2_000).contains(&passed), "{of}: {media:?} goes by {passed} us at {pair:?}");
    }
}

fn count(server: &Server, line: &str) -> usize {
    server.log().lines().filter(|l| l.contains(line) && l.contains("Opus")).count()
}

#[test]
fn sound_is_converted_once_and_only_while_somebody_listens() {
    let server = server("");
    let _publisher = Publisher::looping(Clip::H264Mp3.tool(), &Clip::H264Mp3.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    assert_eq!(count(&server, "conversion of sound starts"), 0);
    let mut viewers = [viewer(&server, "s"), viewer(&server, "s")];
    for viewer in &mut viewers {
        viewer.watch("sound", LIMIT, |seen| seen.audio.packets.len() > 20);
    }
    assert_eq!(count(&server, "conversion of sound starts"), 1);
    assert_eq!(count(&server, "conversion of sound ends"), 0);
    viewers.into_iter().for_each(Viewer::leave);
    wait::until("the conversion to end", LIMIT, || {
        (count(&server, "conversion of sound ends") == 1).then_some(())
    });
    assert_eq!(count(&server, "conversion of sound starts"), 1);
}

/// Numbers without a hole, times that go up and do not leap, all in all as much as passed.
fn assert_goes_on(kept: &Kept, rate: u32) {
    let mut sum = 0.0;
    for pair in kept.packets.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        assert_eq!(after.number, before.number + 1, "{before:?} {after:?}");
        let step = f64::from(after.time.wrapping_sub(before.time)) / f64::from(rate);
        assert!(step < 15.0, "{step} s between {before:?} and {after:?}");
        sum += step;
    }
    let ends = kept.packets.first().zip(kept.packets.last()).unwrap();
    let passed = ends.1.at.duration_since(ends.0.at).as_secs_f64();
    assert!((sum - passed).abs() < 4.0, "{sum} s of media in {passed} s");
}

#[test]
fn viewers_stay_while_publishers_come_and_go() {
    let server = server("");
    let clip = Clip::H264Aac;
    let publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let mut viewer = viewer(&server, "s");
    viewer.watch("pictures over RTMP", LIMIT, |seen| seen.video.packets.len() > 50);
    publisher.stop();
    server.wait_until_unpublished("s");
    let publisher = flash::publish_whip(&whip(&server, "s"));
    server.wait_until_published("s");
    let (before, heard) = (viewer.video.packets.len(), viewer.audio.packets.len());
    viewer.watch("pictures and sound by WHIP", LIMIT, |seen| {
        seen.video.packets.len() > before + 100 && seen.audio.packets.len() > heard + 50
    });
    publisher.stop();
    server.wait_until_unpublished("s");
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let (before, heard) = (viewer.video.packets.len(), viewer.audio.packets.len());
    viewer.watch("pictures and sound over RTMP again", LIMIT, |seen| {
        seen.video.packets.len() > before + 50 && seen.audio.packets.len() > heard + 50
    });
    assert_goes_on(&viewer.video, 90_000);
    assert_goes_on(&viewer.audio, 48_000);
}

/// What a player over RTMP gets for as long as it is watched.
struct Stayer {
    seen: Arc<Mutex<Vec<Frame>>>,
    playing: std::thread::JoinHandle<()>,
}

impl Stayer {
    fn start(server: &Server, stream: &str) -> Stayer {
        let (address, stream) = (server.rtmp_address(), stream.to_owned());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let heard = seen.clone();
        let playing = std::thread::spawn(move || {
            let mut peer = RtmpPeer::play(address, &stream);
            while let Some(frame) = peer.frame() {
                heard.lock().unwrap().push(frame);
            }
        });
        Stayer { seen, playing }
    }

    /// Waits for sound and pictures that are new.
    fn watch(&self, what: &str) {
        let count = |track| self.seen.lock().unwrap().iter().filter(|frame| frame.track == track).count();
        let before = (count(Track::Video), count(Track::Audio));
        wait::until(what, LIMIT, || {
            let enough = count(Track::Video) > before.0 + 50 && count(Track::Audio) > before.1 + 50;
            enough.then_some(())
        });
    }

    /// All it got, once the server has ended it.
    fn end(self, server: &Server) -> Vec<Frame> {
        server.kick_players();
        self.playing.join().unwrap();
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

#[test]
fn players_that_stay_hear_aac_whoever_publishes() {
    let server = server("");
    let clip = Clip::H264Aac;
    let early = Stayer::start(&server, "s");
    let publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let stayer = Stayer::start(&server, "s");
    stayer.watch("RTMP");
    early.watch("RTMP, by who came before it");
    assert_eq!(count_aac(&server, "starts"), 0);
    publisher.stop();
    server.wait_until_unpublished("s");
    let publisher = flash::publish_whip(&whip(&server, "s"));
    server.wait_until_published("s");
    stayer.watch("WHIP");
    early.watch("WHIP, by who came first");
    assert_eq!(count_aac(&server, "starts"), 1);
    publisher.stop();
    server.wait_until_unpublished("s");
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    stayer.watch("RTMP again");
    early.watch("RTMP again, by who came first");
    wait::until("the conversion to end", LIMIT, || (count_aac(&server, "ends") == 1).then_some(()));
    for frames in [early.end(&server), stayer.end(&server)] {
        for track in [Track::Video, Track::Audio] {
            assert_one_line(&frames, track);
        }
    }
}

/// Frames of one codec, with a configuration for each publisher, whose times go up and do not leap.
fn assert_one_line(frames: &[Frame], track: Track) {
    let codec = if track == Track::Video { Codec::H264 } else { Codec::Aac };
    let frames: Vec<&Frame> = frames.iter().filter(|frame| frame.track == track).collect();
    assert!(frames.iter().all(|frame| frame.codec == codec));
    assert!(frames.iter().filter(|frame| frame.kind == Kind::Config).count() >= 3);
    let media: Vec<_> = frames.iter().filter(|frame| frame.kind != Kind::Config).collect();
    for pair in media.windows(2) {
        let step = pair[1].dts - pair[0].dts;
        assert!(
            step >= Time::ZERO && step < Time::from_millis(15_000),
            "{:?} {:?}",
            pair[0].dts,
            pair[1].dts
        );
    }
}

fn count_aac(server: &Server, what: &str) -> usize {
    let line = format!("conversion of sound {what}");
    server.log().lines().filter(|l| l.contains(&line) && l.contains("Aac")).count()
}

/// Requests for key frames that the publisher was sent.
fn asked(server: &Server) -> u64 {
    let sessions = server.api("/api/v1/rtc/sessions/");
    let list = sessions["sessions"].as_array().unwrap();
    let publishing = list.iter().find(|session| session["kind"] == "rtc-publish").unwrap();
    let tracks = publishing["tracks"].as_array().unwrap();
    tracks.iter().filter_map(|track| track["plis"].as_u64()).sum()
}

#[test]
fn newcomers_begin_at_once_and_the_publisher_is_not_asked_often() {
    let server = server("");
    let _publisher = flash::publish_whip(&whip(&server, "s"));
    server.wait_until_published("s");
    let mut viewers = [viewer(&server, "s"), viewer(&server, "s"), viewer(&server, "s")];
    for viewer in &mut viewers {
        viewer.watch("a picture", LIMIT, |seen| !seen.video.packets.is_empty());
        assert!(viewer.video.packets[0].begins_key(), "{:?}", viewer.video.packets[0]);
    }
    let before = asked(&server);
    let begun = std::time::Instant::now();
    let mut requests = 0;
    while begun.elapsed() < Duration::from_secs(4) {
        for viewer in &mut viewers {
            viewer.ask_for_key_frame();
            viewer.watch_for(Duration::from_millis(30));
            requests += 1;
        }
    }
    // Statistics are a second old at most.
    let most = 2 * (begun.elapsed().as_secs() + 2) + 1;
    let sent = asked(&server) - before;
    assert!(
        requests > 20 && (1..=most).contains(&sent),
        "{requests} requests became {sent}, more than {most}"
    );
}
