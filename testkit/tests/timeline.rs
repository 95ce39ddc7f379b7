//! Timestamps that jump, go back or wrap come out in order, sound and picture as far apart as they were, and the API
//! tells what was done.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_flv::amf0::object;
use headwater_flv::metadata::{self, Metadata};
use headwater_media::{Frame, Kind, Time, Track};
use headwater_testkit::flv::{clip_frames, frames, media};
use headwater_testkit::rtmp::RtmpPeer;
use headwater_testkit::{Clip, Options, Server, wait, websocket};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Sound and pictures may be this much further apart or nearer than the source had them, in milliseconds.
const APART_MAX: i64 = 40;
const SECONDS: i64 = 12;
/// Frames sent before the player is there: fewer than a second's.
const FIRST: usize = 30;
/// Frames that `mix_correct` lets wait for the other track.
const WAIT_MAX: u64 = 10;

/// Made-up media: 25 pictures and 50 blocks of sound a second, one key frame a second. Times are true ones.
fn source() -> Vec<Frame> {
    let clip = clip_frames(Clip::H264Aac);
    let first = |track, kind| clip.iter().find(|f| f.track == track && f.kind == kind).unwrap().clone();
    let at =
        |frame: &Frame, ms| Frame { dts: Time::from_millis(ms), pts: Time::from_millis(ms), ..frame.clone() };
    let configs = [Track::Audio, Track::Video].map(|track| first(track, Kind::Config));
    let (key, inter) = (first(Track::Video, Kind::Key), first(Track::Video, Kind::Inter));
    let sound = first(Track::Audio, Kind::Key);
    let picture = |n: i64| at(if n % 25 == 0 { &key } else { &inter }, n * 40);
    let pictures = (0..SECONDS * 25).map(picture);
    let mut media: Vec<Frame> = pictures.chain((0..SECONDS * 50).map(|n| at(&sound, n * 20))).collect();
    media.sort_by_key(|frame| frame.dts);
    configs.iter().map(|config| at(config, 0)).chain(media).collect()
}

/// What came out of a stream whose source stamped its frames with `stamp` of the true time.
struct Seen {
    /// True time and the one that a player saw, of each frame; milliseconds.
    audio: Vec<(i64, i64)>,
    video: Vec<(i64, i64)>,
    /// `headwater.timeline` of the API.
    timeline: serde_json::Value,
}

fn publish(vhost: &str, source: &[Frame], stamp: impl Fn(i64) -> i64) -> Seen {
    let server = Server::start(&Options { vhost: vhost.to_owned(), ..Options::default() });
    let address = server.http_address();
    let (begun, has_begun) = std::sync::mpsc::channel();
    let player = std::thread::spawn(move || {
        let mut stream = websocket::Incoming::open(address, "/live/s.flv").unwrap();
        let first = stream.message().unwrap();
        begun.send(()).unwrap();
        [first, stream.read_to_end()].concat()
    });
    server.wait_for_players(1);
    let stamped = |frame: &Frame| {
        let at = Time::from_millis(stamp(frame.dts.millis()));
        Frame { dts: at, pts: at, ..frame.clone() }
    };
    let mut publisher = RtmpPeer::publish(server.rtmp_address(), "s");
    let all: Vec<Frame> = source.iter().map(stamped).collect();
    publisher.send(&all[..FIRST]); // the player begins here; later it would begin at a later key frame
    has_begun.recv_timeout(LIMIT).unwrap();
    publisher.send(&all[FIRST..]);
    let sent = media(source.to_vec());
    let late = if vhost.contains("mix_correct") { WAIT_MAX } else { 0 };
    let timeline = wait::until("all frames to be counted", LIMIT, || {
        let stream = server.stream("s")?;
        let all = stream["frames"].as_u64()? + late >= sent.len() as u64;
        all.then(|| stream["headwater"]["timeline"].clone())
    });
    publisher.finish();
    let got = media(frames(&player.join().unwrap()));
    let of = |track| {
        let times = |frames: &[Frame]| -> Vec<i64> {
            frames.iter().filter(|f| f.track == track).map(|f| f.dts.millis()).collect()
        };
        let (sent, got) = (times(&sent), times(&got));
        assert_eq!(sent.len(), got.len(), "{track:?}");
        sent.into_iter().zip(got).collect()
    };
    Seen { audio: of(Track::Audio), video: of(Track::Video), timeline }
}

impl Seen {
    fn number(&self, name: &str) -> i64 {
        self.timeline[name].as_i64().unwrap_or_else(|| panic!("{name} in {}", self.timeline))
    }

    fn counts(&self) -> [i64; 3] {
        ["leaps", "steps_back", "wraps"].map(|name| self.number(name))
    }

    fn assert_in_order(&self) {
        for track in [&self.audio, &self.video] {
            track.windows(2).for_each(|w| assert!(w[0].1 <= w[1].1, "{:?} then {:?}", w[0], w[1]));
        }
    }

    fn assert_together(&self) {
        for (at, seen) in &self.video {
            let sound = self.audio.iter().find(|(audio, _)| audio == at).unwrap(); // each picture has a block of sound
            let apart = (sound.1 - seen).abs();
            assert!(apart <= APART_MAX, "sound and picture of {at} ms are {apart} ms apart");
        }
    }

    /// Every frame came out with its true time, moved by `start`.
    fn assert_exact(&self, start: i64) {
        self.audio.iter().chain(&self.video).for_each(|(at, seen)| assert_eq!(*seen, at + start));
    }
}

#[test]
fn a_leap_of_an_hour_and_back_is_closed() {
    let stamp = |at: i64| at + if (4000..8000).contains(&at) { HOUR } else { 0 };
    let seen = publish("", &source(), stamp);
    seen.assert_exact(0);
    assert_eq!(seen.counts(), [2, 0, 0]);
    assert_eq!(seen.number("largest_ms"), HOUR);
    assert!(seen.number("av_offset_ms").abs() <= APART_MAX);
    assert!(seen.number("drift_ms") > 0, "it was sent faster than it is shown");
}

#[test]
fn a_leap_back_by_an_hour_is_closed() {
    let seen = publish("", &source(), |at| at + if at < 5010 { 2 * HOUR } else { HOUR });
    seen.assert_exact(2 * HOUR);
    assert_eq!(seen.counts(), [1, 0, 0]);
}

#[test]
fn small_steps_back_are_lifted() {
    let seen = publish("", &source(), |at| 5000 + at - at / 2000 * 100);
    seen.assert_in_order();
    seen.assert_together();
    let [leaps, steps_back, wraps] = seen.counts();
    assert_eq!((leaps, wraps), (0, 0));
    assert!(steps_back >= 2 * (SECONDS / 2 - 1), "{steps_back}");
    assert!((60..=100).contains(&seen.number("largest_ms")), "{}", seen.timeline);
}

#[test]
fn a_day_and_more_is_a_time_like_others() {
    for start in [DAY, 30 * DAY] {
        let seen = publish("", &source(), |at| start + at);
        seen.assert_exact(start);
        assert_eq!(seen.counts(), [0, 0, 0]);
    }
}

#[test]
fn a_clock_of_31_bits_wraps() {
    let start = (1 << 31) - 5000;
    let seen = publish("", &source(), |at| (start + at) & 0x7fff_ffff);
    seen.assert_exact(start);
    assert_eq!(seen.counts(), [0, 0, 1]);
}

#[test]
fn a_clock_of_32_bits_wraps() {
    let start = (1 << 32) - 5000;
    let mut seen = publish("", &source(), |at| start + at);
    // FLV carries 32 bits, so the wrap is seen there.
    let unwrap = |(_, seen): &mut (i64, i64)| *seen += if *seen < start { 1 << 32 } else { 0 };
    seen.audio.iter_mut().chain(&mut seen.video).for_each(unwrap);
    seen.assert_exact(start);
    assert_eq!(seen.counts(), [0, 0, 1]);
}

#[test]
fn times_that_are_not_to_be_corrected_stay() {
    for play in ["time_jitter off;", "atc on;"] {
        let stamp = |at: i64| at + if at < 5000 { HOUR } else { 0 };
        let seen = publish(&format!("play {{ {play} }}"), &source(), stamp);
        seen.audio.iter().chain(&seen.video).for_each(|(at, seen)| assert_eq!(*seen, stamp(*at), "{play}"));
        assert_eq!(seen.counts(), [0, 0, 0], "{play}");
    }
}

#[test]
fn metadata_can_ask_for_absolute_times() {
    let says_so = Metadata::new(&object([("bravo_atc", "true".into())])).encode();
    let mut source = source();
    source.insert(0, metadata::frame(says_so, Time::ZERO));
    let stamp = |at: i64| at + if at < 5000 { HOUR } else { 0 };
    let kept = publish("play { atc_auto on; }", &source, stamp);
    kept.audio.iter().chain(&kept.video).for_each(|(at, seen)| assert_eq!(*seen, stamp(*at)));
    let corrected = publish("play { atc_auto off; }", &source, stamp);
    corrected.assert_exact(HOUR);
    assert_eq!([kept.number("leaps"), corrected.number("leaps")], [0, 1]);
}

#[test]
fn times_begin_at_zero_when_asked() {
    let seen = publish("play { time_jitter zero; }", &source(), |at| DAY + at);
    seen.assert_exact(0);
    assert_eq!(seen.counts(), [0, 0, 0]);
}

#[test]
fn tracks_that_are_mixed_badly_are_put_in_order() {
    let mut source = source();
    source.sort_by_key(|f| f.dts.millis() + if f.track == Track::Audio { 130 } else { 0 });
    let seen = publish("play { mix_correct on; }", &source, |at| at);
    seen.assert_exact(0);
    assert_eq!(seen.counts(), [0, 0, 0]);
    assert!(seen.number("reordered") > SECONDS * 40, "{}", seen.timeline);
}
