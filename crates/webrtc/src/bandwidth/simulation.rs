//! The estimator against a made-up path: a narrowest link with a queue that drops what does not fit, a delay, and loss
//! that has nothing to do with either.

use super::Estimator;
use headwater_rtp::rtcp::TransportFeedback;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const FEEDBACK: u64 = 50_000;
const PACKET: usize = 1200;

/// A path; times in microseconds.
struct Path {
    bits_per_second: f64,
    /// One way, without the queue.
    delay: u64,
    /// Longest time in the queue.
    queue: f64,
    /// Share lost at random.
    loss: f64,
    free: f64,
    /// The receiver looks so seldom.
    busy: u64,
    /// Nothing passes for a while: how often that begins, and how long it lasts at least and at most.
    stalls: Option<(u64, u64, u64)>,
    /// When the stall ends that began last.
    held: u64,
    random: u64,
}

impl Path {
    fn new(bits_per_second: f64, loss: f64) -> Path {
        Path {
            bits_per_second,
            delay: 30_000,
            queue: 300_000.0,
            loss,
            free: 0.0,
            busy: 1,
            stalls: None,
            held: 0,
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    fn chance(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }

    /// When a packet arrives, if it does.
    fn carry(&mut self, now: u64, bytes: usize) -> Option<u64> {
        let begin = self.held_back(self.free.max(now as f64) as u64) as f64;
        if begin - now as f64 > self.queue {
            return None;
        }
        self.free = begin + bytes as f64 * 8e6 / self.bits_per_second;
        let at = (self.free as u64 + self.delay).next_multiple_of(self.busy);
        (self.chance() >= self.loss).then_some(at)
    }
}

impl Path {
    /// When what would come at a moment comes, as the machine stands still now and then.
    fn held_back(&mut self, at: u64) -> u64 {
        let Some((every, least, most)) = self.stalls else { return at };
        let begun = at / every * every;
        if self.held < begun {
            let long = least + ((most - least) as f64 * self.chance()) as u64;
            self.held = begun + long;
        }
        at.max(self.held)
    }
}

/// A sender, its path, and the receiver that reports arrivals.
struct World {
    path: Path,
    estimator: Estimator,
    began: Instant,
    now: u64,
    number: u16,
    reported: u16,
    /// Number and moment of what arrived and was not reported.
    arrivals: VecDeque<(u16, u64)>,
    feedback: VecDeque<(u64, TransportFeedback)>,
    /// Bytes that are due to be sent.
    due: f64,
}

impl World {
    fn new(path: Path) -> World {
        let began = Instant::now();
        World {
            path,
            estimator: Estimator::new(began),
            began,
            now: 0,
            number: 0xff00,
            reported: 0xff00,
            arrivals: VecDeque::new(),
            feedback: VecDeque::new(),
            due: 0.0,
        }
    }

    fn instant(&self) -> Instant {
        self.began + Duration::from_micros(self.now)
    }

    fn estimate(&self) -> f64 {
        self.estimator.bits_per_second().map_or(f64::NAN, |bits| bits as f64)
    }

    /// Lets time pass. `rate` says how much is sent for an estimate; pictures come every 40 ms.
    fn run(&mut self, seconds: u64, rate: impl Fn(Option<u64>) -> f64) -> Vec<f64> {
        let end = self.now + seconds * 1_000_000;
        let mut seen = Vec::new();
        while self.now < end {
            if self.now.is_multiple_of(40_000) {
                self.due += rate(self.estimator.bits_per_second()) / 8.0 * 0.04;
                self.burst();
            }
            if self.now.is_multiple_of(FEEDBACK) {
                self.report();
                seen.push(self.estimate());
            }
            while self.feedback.front().is_some_and(|(at, _)| *at <= self.now) {
                let (_, feedback) = self.feedback.pop_front().unwrap();
                self.estimator.feedback(self.instant(), &feedback);
            }
            self.now += 10_000;
        }
        seen
    }

    fn burst(&mut self) {
        while self.due >= PACKET as f64 {
            self.due -= PACKET as f64;
            self.estimator.sent(Some(self.number), PACKET, self.instant());
            if let Some(at) = self.path.carry(self.now, PACKET) {
                self.arrivals.push_back((self.number, at));
            }
            self.number = self.number.wrapping_add(1);
        }
    }

    fn report(&mut self) {
        let base = self.reported;
        let reference = (self.now / 64_000) as i32 - 100;
        let (mut last, mut steps) = (i64::from(reference) * 64_000, Vec::new());
        while let Some((number, at)) = self.arrivals.front().copied().filter(|(_, at)| *at <= self.now) {
            self.arrivals.pop_front();
            steps.resize(usize::from(number.wrapping_sub(base)), None);
            let step = (at as i64 - last) / 250 * 250;
            last += step;
            steps.push(Some(step as i32));
            self.reported = number.wrapping_add(1);
        }
        if !steps.is_empty() {
            let (sender, media, count) = (1, 2, 0);
            let feedback = TransportFeedback { sender, media, count, reference, base, arrivals: steps };
            self.feedback.push_back((self.now + self.path.delay, feedback));
        }
    }
}

fn average(seen: &[f64]) -> f64 {
    seen.iter().sum::<f64>() / seen.len() as f64
}

fn follow(estimate: Option<u64>) -> f64 {
    estimate.map_or(300_000.0, |bits| bits as f64)
}

#[test]
fn it_finds_what_a_link_carries() {
    for (link, loss) in [(500_000.0, 0.0), (2e6, 0.0), (2e6, 0.02), (500_000.0, 0.05)] {
        let mut world = World::new(Path::new(link, loss));
        world.run(8, follow);
        let share = average(&world.run(10, follow)) / link;
        assert!((0.7..=1.0).contains(&share), "{share} of {link} with {loss} lost");
    }
}

#[test]
fn a_link_that_narrows_and_widens_is_followed() {
    let mut world = World::new(Path::new(2e6, 0.0));
    world.run(10, follow);
    world.path.bits_per_second = 500_000.0;
    world.run(4, follow);
    let narrow = average(&world.run(5, follow));
    assert!((300_000.0..=520_000.0).contains(&narrow), "{narrow}");
    world.path.bits_per_second = 2e6;
    world.run(10, follow);
    let wide = average(&world.run(5, follow));
    assert!((1.3e6..=2.1e6).contains(&wide), "{wide}");
}

/// A server sends what the stream has: the estimate stays above it, and does not go to the sky.
#[test]
fn a_stream_that_fits_is_not_doubted() {
    for loss in [0.0, 0.02, 0.1] {
        let mut world = World::new(Path::new(20e6, loss));
        world.run(5, |_| 1e6);
        let seen = world.run(20, |_| 1e6);
        let least = seen.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(least >= 0.9e6 && average(&seen) < 8e6, "{least} with {loss} lost");
    }
}

/// A computer that gets to its packets every 170 ms only is no narrow path.
#[test]
fn a_busy_receiver_is_not_doubted() {
    let mut world = World::new(Path { busy: 170_000, ..Path::new(20e6, 0.0) });
    let seen = world.run(20, |_| 1e6);
    let least = seen.iter().copied().filter(|estimate| !estimate.is_nan()).fold(f64::INFINITY, f64::min);
    assert!(least >= 0.9e6, "{least}");
}

/// Nor is a path or a computer that stands still for a moment, whatever room there is for what waits then.
#[test]
fn a_stall_is_not_doubted() {
    for (seconds, least, most) in [(2, 100, 400), (3, 100, 400), (5, 400, 400), (1, 100, 300), (5, 600, 1500)]
    {
        for (sent, room) in
            [(0.3e6, 100.0), (1e6, 30.0), (2.1e6, 15.0), (2.1e6, 2.0), (2.1e6, 1.5), (8e6, 4.0)]
        {
            let stalls = Some((seconds * 1_000_000, least * 1000, most * 1000));
            let mut world = World::new(Path { stalls, queue: 2e6, ..Path::new(room * sent, 0.0) });
            let seen = world.run(60, |_| sent);
            let low = seen.iter().filter(|estimate| **estimate < sent).count();
            assert_eq!(low, 0, "{sent} b/s, {room} times that carried, stalls {stalls:?}");
        }
    }
}

/// Less is sent as soon as the estimate says so: the queue that drains meanwhile, and what it lost, count once.
#[test]
fn one_overuse_lowers_the_estimate_once() {
    for queue in [100_000.0, 200_000.0, 300_000.0, 1e6] {
        let mut world = World::new(Path::new(20e6, 0.0));
        world.run(5, |_| 2.1e6);
        world.path = Path { queue, ..Path::new(500_000.0, 0.0) };
        let seen: Vec<f64> = (0..8)
            .flat_map(|_| {
                world.run(1, |estimate| if follow(estimate) < 500_000.0 { 70_000.0 } else { 2.1e6 })
            })
            .collect();
        let least = seen.iter().copied().fold(f64::INFINITY, f64::min);
        let most = seen.last().unwrap();
        assert!(least > 330_000.0, "{least} with a queue of {queue} µs");
        assert!((330_000.0..520_000.0).contains(most), "{most} with a queue of {queue} µs");
    }
}

/// A stream that is much too big and does not get smaller stays too big, for short queues and long ones.
#[test]
fn what_does_not_fit_stays_too_much() {
    for queue in [100_000.0, 200_000.0, 300_000.0, 1e6] {
        let mut world = World::new(Path { queue, ..Path::new(500_000.0, 0.0) });
        world.run(2, |_| 2.1e6);
        let seen = world.run(10, |_| 2.1e6);
        let most = seen.iter().copied().fold(0.0, f64::max);
        assert!(most < 1.6e6, "{most} with a queue of {queue} µs");
    }
}

#[test]
fn loss_without_a_queue_does_not_starve_the_stream() {
    let mut world = World::new(Path::new(10e6, 0.1));
    let rate = |estimate: Option<u64>| follow(estimate).min(2e6);
    world.run(10, rate);
    let seen = average(&world.run(20, rate));
    assert!(seen > 1e6, "{seen}");
    let loss = world.estimator.loss();
    assert!((0.05..0.15).contains(&loss), "{loss}");
}

/// Twice what the link carries: the answer comes within a second and a half.
#[test]
fn too_much_is_answered_fast() {
    let mut world = World::new(Path::new(1e6, 0.0));
    world.run(5, |_| 600_000.0);
    assert!(world.estimate() >= 600_000.0);
    world.run(1, |_| 2e6);
    let seen = world.run(1, |_| 2e6);
    assert!(seen.iter().any(|estimate| *estimate < 1e6), "{seen:?}");
}

#[test]
fn a_peer_without_arrival_times_is_followed_by_its_reports() {
    let began = Instant::now();
    let mut estimator = Estimator::new(began);
    let mut second = |from: u64, lost: u8, round_trip: u64| {
        for ms in 0..1000 {
            let now = began + Duration::from_millis(from * 1000 + ms);
            estimator.sent(None, 125, now);
        }
        let now = began + Duration::from_millis(from * 1000 + 1000);
        estimator.report(now, lost, Some(Duration::from_millis(round_trip)));
        estimator.bits_per_second().unwrap()
    };
    assert!(second(0, 0, 50) > 1_200_000);
    assert!(second(1, 0, 50) > 1_200_000);
    assert!(second(2, 100, 50) < 1_000_000, "39 % are lost");
    for from in 3..20 {
        second(from, 0, 50);
    }
    assert!(second(20, 0, 50) > 1_200_000);
    assert!(second(21, 0, 800) < 1_000_000, "a queue of 750 ms");
    estimator.remb(began, 200_000);
    assert_eq!(estimator.bits_per_second(), Some(200_000));
    estimator.remb(began, 1);
    assert_eq!(estimator.bits_per_second(), Some(50_000));
}

#[test]
fn feedback_of_what_was_never_sent_says_nothing() {
    let began = Instant::now();
    let mut estimator = Estimator::new(began);
    let arrivals = vec![Some(1000), None, Some(-7_000_000)];
    let mut feedback =
        TransportFeedback { sender: 1, media: 1, count: 0, reference: -1, base: 0xffff, arrivals };
    for reference in [-0x80_0000, 0, 0x7f_ffff] {
        feedback.reference = reference;
        estimator.feedback(began, &feedback);
    }
    assert_eq!((estimator.bits_per_second(), estimator.loss()), (None, 0.0));
}
