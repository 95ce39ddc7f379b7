//! How much a path carries, as its sender learns it: from arrivals that a viewer reports (transport-wide feedback),
//! from loss, from what the viewer itself thinks (REMB).
//!
//! After draft-ietf-rmcat-gcc-02, for a server that sends what the stream has and cannot pad: queues that grow
//! ([`delay`]) and loss that grows with what is sent ([`loss`]) lower the estimate; without either it rises, up to one
//! and a half times what gets through, or to what a burst of packets was seen to get through the narrowest link.
//!
//! No clock, no socket: times and bytes come in. Nothing is allocated after the beginning.

mod delay;
mod loss;
mod rate;
#[cfg(test)]
mod simulation;

use delay::{Arrival, Delay, Usage};
use headwater_rtp::rtcp::TransportFeedback;
use loss::{Loss, Severity};
use rate::Rate;
use std::time::{Duration, Instant};

/// Packets whose departure is remembered: half a second of 20 Mb/s. What is told of later says nothing.
const SENT_MAX: usize = 1024;

/// The estimate never says less, in bits a second.
const FLOOR: f64 = 50_000.0;

/// The estimate may be this many times what gets through, since more was not tried.
const UNTRIED: f64 = 1.5;

/// Share of what gets through that is left when queues grow, so that they drain.
const BACK_OFF: f64 = 0.85;

/// Share of the estimate that is left when it was lowered a short while ago and queues still grow.
const STEP_DOWN: f64 = 0.95;

/// When less than this share of what gets through is sent, queues drain.
const DRAINS: f64 = 0.9;

/// When more than this many times the estimate is sent, it is not heeded yet: queues that grow do not refute it.
const UNHEEDED: f64 = 1.4;

/// Growth a second, soon after the path was too narrow and when that is long ago.
const CAREFUL: f64 = 1.08;
const QUICK: f64 = 1.5;

/// How long after the path was too narrow growth is careful.
const CAREFUL_FOR: Duration = Duration::from_secs(4);

/// How long after the path was too narrow its queue is given time to drain.
const DRAIN: Duration = Duration::from_secs(1);

/// How long a decrease is given to show in what arrives, beyond a round trip.
const ANSWER: Duration = Duration::from_millis(200);

/// For peers without arrival times: a round trip this much longer than the shortest is a queue.
const QUEUE_MAX: Duration = Duration::from_millis(300);

/// Marks a packet that was told as lost; sizes are smaller.
const LOST: u16 = 0x8000;

/// What one path carries.
#[derive(Debug)]
pub(crate) struct Estimator {
    began: Instant,
    packets: Box<[Packet; SENT_MAX]>,
    sent: Rate,
    through: Rate,
    delay: Delay,
    loss: Loss,
    rate: Option<f64>,
    /// When the rate was looked at last, and when it was last lowered.
    updated: Instant,
    lowered: Option<Instant>,
    /// Feedback of arrivals came: receiver reports, which tell of losses seconds late after a pause, count no more.
    told: bool,
    shortest: Option<Duration>,
    round_trip: Duration,
    remb: Option<u64>,
}

/// What was learnt of a path lately.
#[derive(Clone, Copy, Debug)]
struct Seen {
    usage: Usage,
    /// The share of what is sent that loss leaves, when less should be sent.
    less: Option<f64>,
    /// Bits a second that arrive.
    through: f64,
    /// Bits a second that arrive while anything does: a path that stands still for a moment is no narrow one.
    carried: f64,
}

/// A packet on its way.
#[derive(Clone, Copy, Debug, Default)]
struct Packet {
    /// Microseconds since the beginning, modulo 2^32.
    left: u32,
    number: u16,
    /// 0 when its arrival was told; with [`LOST`] when its loss was.
    bytes: u16,
}

impl Estimator {
    /// Of a path of which nothing is known.
    pub(crate) fn new(now: Instant) -> Estimator {
        Estimator {
            began: now,
            packets: Box::new([Packet::default(); SENT_MAX]),
            sent: Rate::default(),
            through: Rate::default(),
            delay: Delay::default(),
            loss: Loss::default(),
            rate: None,
            updated: now,
            lowered: None,
            told: false,
            shortest: None,
            round_trip: Duration::ZERO,
            remb: None,
        }
    }

    /// Bits a second that the path is thought to carry; `None` before anything is known.
    pub(crate) fn bits_per_second(&self) -> Option<u64> {
        let known = self.rate.map(|rate| rate as u64);
        let capped = known.into_iter().chain(self.remb).min();
        capped.map(|rate| rate.max(FLOOR as u64))
    }

    /// Whether the path was too narrow a moment ago, and has a queue that is to drain.
    pub(crate) fn drains(&self, now: Instant) -> bool {
        let lowered = self.lowered.is_some_and(|at| now.duration_since(at) < DRAIN);
        lowered && !self.delay.is_free()
    }

    /// Share of packets that is lost on the way, 0 to 1; 0 before anything is known.
    pub(crate) fn loss(&self) -> f32 {
        self.loss.share().unwrap_or(0.0) as f32
    }

    /// A packet of `bytes` bytes leaves, with this transport-wide number if it has one.
    pub(crate) fn sent(&mut self, number: Option<u16>, bytes: usize, now: Instant) {
        let at = self.micros(now);
        let bytes = bytes.clamp(1, usize::from(LOST - 1)) as u16;
        self.sent.add(at, bytes.into());
        if let Some(number) = number
            && let Some(place) = self.packets.get_mut(usize::from(number) % SENT_MAX)
        {
            *place = Packet { left: at as u32, number, bytes };
        }
    }

    /// Feedback of arrivals came.
    pub(crate) fn feedback(&mut self, now: Instant, feedback: &TransportFeedback) {
        let at = self.micros(now);
        let mut came = i64::from(feedback.reference) * 64_000;
        let mut number = feedback.base;
        for step in &feedback.arrivals {
            match step {
                Some(step) => {
                    came += i64::from(*step);
                    self.arrived(number, came, at);
                }
                None => self.missing(number),
            }
            number = number.wrapping_add(1);
        }
        self.told = true;
        self.update(now);
    }

    /// A receiver report came, with the share lost in 256ths. Counts for peers that do not tell arrivals.
    pub(crate) fn report(&mut self, now: Instant, fraction_lost: u8, round_trip: Option<Duration>) {
        if let Some(took) = round_trip {
            self.round_trip = took;
            self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
        }
        if self.told {
            return;
        }
        let Some(sent) = self.sent.bits_per_second() else { return };
        let share = f64::from(fraction_lost) / 256.0;
        let less = self.loss.reported(share, sent);
        let queue = self.round_trip.saturating_sub(self.shortest.unwrap_or_default());
        let usage = if queue > QUEUE_MAX { Usage::Over } else { Usage::Normal };
        let through = sent * (1.0 - share);
        self.decide(now, Seen { usage, less, through, carried: through });
    }

    /// The viewer says how much it can take. Counts until it says something else.
    pub(crate) fn remb(&mut self, _now: Instant, bits_per_second: u64) {
        self.remb = Some(bits_per_second);
    }

    fn micros(&self, now: Instant) -> i64 {
        i64::try_from(now.duration_since(self.began).as_micros()).unwrap_or(i64::MAX)
    }

    fn arrived(&mut self, number: u16, came: i64, now: i64) {
        let Some(packet) = self.packets.get_mut(usize::from(number) % SENT_MAX) else { return };
        if packet.number != number || packet.bytes == 0 {
            return; // never sent, told of already, or too long ago
        }
        if packet.bytes & LOST != 0 {
            self.loss.found();
        }
        let bytes = u32::from(packet.bytes & !LOST);
        packet.bytes = 0;
        let left = now - i64::from((now as u32).wrapping_sub(packet.left));
        self.loss.count(0, 1);
        self.through.add(came, bytes);
        self.delay.packet(Arrival { left, came, bytes });
    }

    fn missing(&mut self, number: u16) {
        let Some(packet) = self.packets.get_mut(usize::from(number) % SENT_MAX) else { return };
        if packet.number == number && packet.bytes != 0 && packet.bytes & LOST == 0 {
            packet.bytes |= LOST;
            self.loss.count(1, 0);
        }
    }

    fn update(&mut self, now: Instant) {
        let Some(through) = self.through.bits_per_second() else { return };
        let Some(carried) = self.through.while_busy() else { return }; // the first word after a pause
        let sent = self.sent.while_busy().unwrap_or(through);
        let less = self.loss.less(self.micros(now), sent);
        self.decide(now, Seen { usage: self.delay.usage(), less, through, carried });
    }

    /// Moves the rate.
    fn decide(&mut self, now: Instant, seen: Seen) {
        let Seen { usage, less, through, carried } = seen;
        let passed = now.duration_since(std::mem::replace(&mut self.updated, now));
        let sent = self.sent.while_busy().unwrap_or(through);
        // Nothing speaks against what is sent until queues or loss do.
        let rate = *self.rate.get_or_insert(UNTRIED * through.max(sent));
        let answered = self.lowered.is_none_or(|at| now.duration_since(at) > ANSWER + self.round_trip);
        // A queue that loses a little is full, if it does not grow.
        let usage = if self.loss.is_felt() && self.delay.is_long() { Usage::Over } else { usage };
        let next = match (usage, less) {
            // Less enters queues than leaves them: this is what is left of an overuse that was answered.
            (Usage::Over, _) | (_, Some(_)) if sent < DRAINS * carried => rate,
            (Usage::Over, _) if answered => {
                // Queues that go on growing: what gets through is not what the path has to spare.
                let more = if self.lately(now) && sent <= UNHEEDED * rate { STEP_DOWN * rate } else { rate };
                self.lower(now, more, BACK_OFF * carried)
            }
            (_, Some(share)) => self.lower(now, rate, (share * rate.min(sent)).max(BACK_OFF * carried)),
            (Usage::Normal, _) => self.rise(now, rate, through, passed),
            _ => rate,
        };
        tracing::trace!(?usage, ?less, rate, next, through, sent, "what a viewer's path carries");
        self.rate = Some(next.max(FLOOR));
    }

    fn lower(&mut self, now: Instant, rate: f64, to: f64) -> f64 {
        self.lowered = Some(now);
        self.loss.answered();
        rate.min(to)
    }

    /// Whether the path was too narrow a short while ago.
    fn lately(&self, now: Instant) -> bool {
        self.lowered.is_some_and(|at| now.duration_since(at) < CAREFUL_FOR)
    }

    fn rise(&self, now: Instant, rate: f64, through: f64, passed: Duration) -> f64 {
        let growth = match self.loss.severity() {
            Severity::Little if !self.lately(now) => QUICK,
            Severity::Little | Severity::Some => CAREFUL,
            Severity::TooMuch => return rate,
        };
        let grown = rate * growth.powf(passed.as_secs_f64().min(1.0));
        let seen = self.delay.train().unwrap_or(0.0) * BACK_OFF;
        // What gets through without a queue is carried, whatever was thought before.
        let grown = if self.delay.is_free() { grown.max(STEP_DOWN * through) } else { grown };
        let most = (UNTRIED * through + FLOOR / 5.0).max(seen.min(4.0 * through));
        grown.min(most).max(rate)
    }
}
