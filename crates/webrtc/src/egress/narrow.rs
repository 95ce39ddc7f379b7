//! A viewer whose path becomes narrow and wide again, in memory: the server's side whole, a path with a queue, and a
//! receiver that reports arrivals, asks for what is lost, and plays.

mod program;
mod viewer;

use super::*;
use crate::agreement::Extensions;
use crate::layers::Layer;
use crate::meter::{Measured, Meter, OVERHEAD};
use crate::srtp::tests::keys;
use dimpl::SrtpProfile;
use headwater_hub::{Hub, Options, SessionId, SessionInfo, StreamName};
use headwater_media::Codec;
use program::{EACH_SECOND, Program, SOME_DISPOSABLE, sound};
use std::collections::VecDeque;
use std::time::Duration;
use viewer::Viewer;

const SECOND: u64 = 1_000_000;

/// SSRCs.
const VIDEO: u32 = 1;
const RTX: u32 = 2;
const SOUND: u32 = 3;

/// Microseconds between pictures and between sounds.
const PICTURE: u64 = 40_000;
const FRAME: u64 = 20_000;

/// How often arrivals are reported, reports are sent, and rates are looked up, in microseconds.
const FEEDBACK: u64 = 100_000;
const REPORT: u64 = 1_000_000;
const RATES: u64 = 500_000;

/// The narrowest link of the way to the viewer, with a queue that drops what does not fit; times in microseconds.
#[derive(Clone, Copy, Debug)]
struct Path {
    bits_per_second: f64,
    queue: f64,
    delay: u64,
    free: f64,
}

impl Path {
    fn carry(&mut self, now: u64, bytes: usize) -> Option<u64> {
        let begin = self.free.max(now as f64);
        if begin - now as f64 > self.queue {
            return None;
        }
        self.free = begin + bytes as f64 * 8e6 / self.bits_per_second;
        Some(self.free as u64 + self.delay)
    }
}

/// All of it. Times in microseconds.
struct World {
    egress: Egress,
    program: Program,
    began: Instant,
    now: u64,
    meter: Meter,
    rates: Rates,
    log: Vec<Arc<Burst>>,
    sequence: u64,
    transport: u16,
    wake: Option<u64>,
    path: Path,
    down: VecDeque<(u64, Option<u16>, Vec<u8>)>,
    up: VecDeque<(u64, Vec<u8>)>,
    viewer: Viewer,
}

impl World {
    fn new(program: Program, path: Path) -> World {
        let name = StreamName::new("v", "live", "s").unwrap();
        let stream = Hub::new(|_| Options::default()).stream(&name);
        let info = SessionInfo {
            id: SessionId::random(),
            kind: "rtc-play",
            publish: false,
            name,
            shown_name: "s".into(),
            ip: [127, 0, 0, 1].into(),
            tc_url: "".into(),
            page_url: "".into(),
            swf_url: "".into(),
            param: "".into(),
        };
        let mut egress = Egress::new(stream, Arc::new(Session::new(info)), None);
        let terms = |ssrc, rtx: Option<u32>, mid: &str| TrackTerms {
            ssrc,
            rtx,
            mid: mid.into(),
            clock_rate: 0,
            extensions: Extensions { transport: Some(3), ..Extensions::default() },
            resend: rtx.is_some(),
        };
        let mut video = Lane::new(terms(VIDEO, Some(RTX), "0"));
        video.accepted.push(Accepted { codec: Codec::H264, payload_type: 96, resend_type: Some(97) });
        let mut audio = Lane::new(terms(SOUND, None, "1"));
        audio.accepted.push(Accepted { codec: Codec::Opus, payload_type: 111, resend_type: None });
        audio.redundant = Some(red::OPUS);
        (egress.video, egress.audio) = (Some(video), Some(audio));
        let began = Instant::now();
        let (ours, theirs) =
            [false, true].map(|active| keys(SrtpProfile::AEAD_AES_128_GCM, 56, active)).into();
        egress.connect(&ours, began).unwrap();
        (egress.next, egress.heard) = (Some(0), 0);
        let viewer = Viewer::new(program, &theirs);
        World {
            egress,
            program,
            began,
            now: 0,
            meter: Meter::default(),
            rates: Rates::default(),
            log: Vec::new(),
            sequence: 0,
            transport: 0,
            wake: None,
            path,
            down: VecDeque::new(),
            up: VecDeque::new(),
            viewer,
        }
    }

    fn run(&mut self, microseconds: u64) {
        let end = self.now + microseconds;
        while self.now < end {
            self.step();
            self.now += 1000;
        }
    }

    fn instant(&self) -> Instant {
        self.began + Duration::from_micros(self.now)
    }

    fn step(&mut self) {
        let (now, instant) = (self.now, self.instant());
        let before = self.log.len();
        if now.is_multiple_of(PICTURE) {
            let burst = self.program.picture(now / PICTURE, &mut self.sequence, instant);
            self.publish(burst);
        }
        if now.is_multiple_of(FRAME) {
            self.publish(sound(now / FRAME, instant));
        }
        if now.is_multiple_of(RATES) {
            self.rates = self.meter.rates(now as i64, &[Layer::default()]);
        }
        if self.log.len() > before {
            self.egress.look(instant, &self.rates);
        }
        if self.log.len() > before || self.wake.is_some_and(|wake| wake <= now) {
            self.wake = None;
            self.fill();
        }
        self.listen();
    }

    fn publish(&mut self, burst: Burst) {
        let bytes = burst.packets.iter().map(|packet| packet.payload.len() + OVERHEAD).sum();
        let Burst { track, layer, key, disposable, .. } = burst;
        let now = self.now as i64;
        self.meter.add(now, now, Measured { track, layer, key, disposable, bytes });
        self.log.push(Arc::new(burst));
    }

    fn fill(&mut self) {
        let instant = self.instant();
        let mut out = Batch::default();
        loop {
            let rest = self.egress.fill(instant, 0, &self.log, &mut out);
            self.send(&mut out);
            match rest {
                Rest::More => {}
                Rest::Until(moment) => {
                    self.wake = Some(moment.duration_since(self.began).as_micros() as u64);
                    return;
                }
                Rest::Nothing | Rest::Gap => return self.egress.caught_up(),
            }
        }
    }

    fn send(&mut self, out: &mut Batch) {
        for datagram in out.datagrams() {
            let is_report = (200..208).contains(&datagram[1]);
            let transport = (!is_report).then_some(self.transport);
            self.transport = self.transport.wrapping_add(u16::from(!is_report));
            if let Some(at) = self.path.carry(self.now, datagram.len()) {
                self.down.push_back((at, transport, datagram.to_vec()));
            }
        }
        out.clear();
    }

    fn listen(&mut self) {
        let now = self.now;
        while let Some((_, transport, datagram)) = self.down.pop_front_if(|(at, ..)| *at <= now) {
            self.viewer.take(now, transport, &datagram);
        }
        let viewer = &mut self.viewer;
        let mut said = Vec::new();
        said.extend(now.is_multiple_of(FEEDBACK).then(|| viewer.feedback(now)).flatten());
        said.extend(now.is_multiple_of(REPORT).then(|| viewer.report(now)).flatten());
        said.extend(now.is_multiple_of(20_000).then(|| viewer.ask(now)).flatten());
        self.up.extend(said.into_iter().map(|datagram| (now + self.path.delay, datagram)));
        let mut out = Batch::default();
        while let Some((_, datagram)) = self.up.pop_front_if(|(at, _)| *at <= now) {
            self.egress.receive(self.instant(), &datagram, &mut out);
        }
        self.send(&mut out);
    }
}

/// What a viewer had of a path that became narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Had {
    /// Longest time without a picture in the first 20 s, in milliseconds.
    gap: u64,
    /// Pictures in the first 20 s, and in the next 20 s.
    pictures: (usize, usize),
    /// Milliseconds of sound made up, in the same times.
    made_up: (u64, u64),
    /// Milliseconds until all pictures were shown again once the path was wide; 30 s is for ever.
    whole: u64,
}

/// Has a viewer watch for 20 s on a path that becomes narrow at some moment after a key frame, for 20 s more, and then
/// on one that is wide again.
fn narrowed(program: Program, (bits_per_second, queue): (f64, f64), after: u64) -> Had {
    let wide = Path { bits_per_second: 50e6, queue: 300_000.0, delay: 20_000, free: 0.0 };
    let mut world = World::new(program, wide);
    world.run(8 * SECOND + after);
    let times = [0, 20, 40, 70].map(|seconds| world.now + seconds * SECOND);
    world.path = Path { bits_per_second, queue, ..wide };
    world.run(40 * SECOND);
    world.path = wide;
    world.run(30 * SECOND);
    let viewer = &world.viewer;
    let shown = |from, to| viewer.shown.iter().copied().filter(move |at| (from..to).contains(at));
    let [first, second] = [0, 1].map(|n| (times[n], times[n + 1]));
    let begins = [first.0].into_iter().chain(shown(first.0, first.1));
    let ends = shown(first.0, first.1).chain([first.1]);
    let whole = (times[2]..times[3]).step_by(40_000).find(|at| shown(*at, at + 2 * SECOND).count() >= 45);
    Had {
        gap: begins.zip(ends).map(|(begin, end)| end - begin).max().unwrap() / 1000,
        pictures: (shown(first.0, first.1).count(), shown(second.0, second.1).count()),
        made_up: (viewer.made_up(first.0, first.1), viewer.made_up(second.0, second.1)),
        whole: (whole.unwrap_or(times[3]) - times[2]) / 1000,
    }
}

/// Moments after a key frame, in microseconds.
const AFTER: [u64; 3] = [0, 410_000, 830_000];

/// Of a path that carries so many bits a second, with queues of so many microseconds.
fn of_path(program: Program, bits_per_second: f64, queues: &[f64], what: impl Fn(Had) -> bool) {
    for (queue, after) in queues.iter().flat_map(|queue| AFTER.map(|after| (*queue, after))) {
        let had = narrowed(program, (bits_per_second, queue), after);
        assert!(
            what(had),
            "{bits_per_second} b/s, a queue of {queue} µs, {after} µs after a key frame: {had:?}"
        );
    }
}

#[test]
fn a_wide_path_costs_nothing() {
    of_path(EACH_SECOND, 50e6, &[300e3], |had| {
        had.gap < 100 && had.pictures.1 == 500 && had.made_up == (0, 0) && had.whole == 0
    });
}

#[test]
fn sound_goes_on_where_no_picture_fits() {
    of_path(EACH_SECOND, 150e3, &[300e3], |had| had.made_up.0 < 2200 && had.made_up.1 < 1000);
}

/// Of 300 kb/s, key frames alone would take more.
#[test]
fn where_not_all_key_frames_fit_some_are_shown() {
    let fits = |had: Had| had.gap < 5000 && had.pictures.0 >= 7 && had.pictures.1 >= 9 && had.made_up.1 < 400;
    of_path(EACH_SECOND, 300e3, &[300e3, 1e6], fits);
    of_path(SOME_DISPOSABLE, 300e3, &[300e3, 1e6], fits);
}

#[test]
fn where_key_frames_fit_pictures_are_back_in_seconds() {
    let fits =
        |had: Had| had.gap < 3500 && had.pictures.1 >= 8 && had.made_up.0 < 1200 && had.made_up.1 < 1000;
    of_path(EACH_SECOND, 500e3, &[100e3, 300e3, 1e6], fits);
    of_path(SOME_DISPOSABLE, 500e3, &[100e3, 300e3, 1e6], fits);
}

#[test]
fn what_there_is_room_for_follows_key_frames() {
    let half =
        |had: Had| had.gap < 2500 && had.pictures.1 > 60 && had.made_up.0 < 1000 && had.made_up.1 < 600;
    of_path(EACH_SECOND, 1e6, &[100e3, 300e3, 1e6], half);
    let most =
        |had: Had| had.gap < 2500 && had.pictures.1 > 200 && had.made_up.0 < 1000 && had.made_up.1 < 600;
    of_path(EACH_SECOND, 1.5e6, &[100e3, 300e3, 1e6], most);
}

#[test]
fn a_path_that_is_wide_again_gives_all_pictures_soon() {
    for bits_per_second in [300e3, 500e3, 1e6, 1.5e6] {
        of_path(EACH_SECOND, bits_per_second, &[300e3], |had| had.whole < 15_000);
    }
}
