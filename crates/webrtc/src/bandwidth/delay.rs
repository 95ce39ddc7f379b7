//! Whether queues on the path grow, told by arrivals that spread further than departures
//! (draft-ietf-rmcat-gcc-02 section 5, with a line fitted through the delays in place of the Kalman filter).

/// Packets that leave within this time are one group, in microseconds: they share their fate.
const BURST: i64 = 5000;

/// Longest group, in microseconds of arrival.
const GROUP_MAX: i64 = 100_000;

/// A step of this length is a pause or a clock that was set: begin anew. In microseconds.
const JUMP: i64 = 3_000_000;

/// Groups that the line is fitted through.
const POINTS: usize = 20;

/// Share of the past in the smoothed delay.
const SMOOTHING: f64 = 0.9;

/// What a slope of one is worth against the threshold.
const GAIN: f64 = 4.0;

/// Groups from which on the slope counts fully.
const GROUPS_MAX: u32 = 60;

/// How fast the threshold follows what is beyond it and what is within, a millisecond.
const FOLLOWS_UP: f64 = 0.0087;
const FOLLOWS_DOWN: f64 = 0.039;

/// Bounds of the threshold, in milliseconds.
const THRESHOLD: (f64, f64) = (6.0, 600.0);

/// How long the path must be overused before it counts, in milliseconds.
const OVERUSE: f64 = 10.0;

/// A queue counts when it stands: when no group of the last while came with less delay than this beyond the least, in
/// milliseconds. A computer that is busy for a moment, or a key frame, makes packets late and then on time again.
const STANDS: f64 = 30.0;

/// A queue that stands this long, in milliseconds, may be a full one, and is one if packets get lost.
const LONG: f64 = 60.0;

/// A queue that stands this long, in milliseconds, is too long even if it does not grow: it is full.
const FULL: f64 = 250.0;

/// A queue drains by itself when it was longer a short while ago by more than this, in milliseconds: what is left of a
/// moment in which nothing passed.
const DRAINED: f64 = 10.0;

/// What the delays say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Usage {
    /// Queues neither grow nor shrink.
    #[default]
    Normal,
    /// Queues grow.
    Over,
    /// Queues drain.
    Under,
}

/// A packet that arrived; times in microseconds, each of its own clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) left: i64,
    pub(super) came: i64,
    pub(super) bytes: u32,
}

/// Follows the delays of one path.
#[derive(Clone, Debug)]
pub(super) struct Delay {
    usage: Usage,
    open: Option<Group>,
    before: Option<Group>,
    line: Line,
    groups: u32,
    /// Sum of the variations, and the same smoothed, in milliseconds.
    sum: f64,
    smooth: f64,
    threshold: f64,
    /// Milliseconds beyond the threshold, in how many groups.
    over: (f64, u32),
    slope: f64,
    /// Bits a second at which the last long group came through.
    train: Option<f64>,
    queue: Queue,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    left: (i64, i64),
    came: (i64, i64),
    packets: u32,
    /// Without those of the first packet, since its time is that of the begin.
    bytes: u32,
}

impl Group {
    fn new(packet: Arrival) -> Group {
        let Arrival { left, came, .. } = packet;
        Group { left: (left, left), came: (came, came), packets: 1, bytes: 0 }
    }

    /// Whether a packet left together with these, or came in one piece with them.
    fn takes(&self, packet: Arrival) -> bool {
        let together = packet.left - self.left.0 <= BURST;
        let gap = packet.came - self.came.1;
        let in_one_piece = gap <= BURST && gap < packet.left - self.left.1;
        together || (in_one_piece && packet.came - self.came.0 < GROUP_MAX)
    }

    fn add(&mut self, packet: Arrival) {
        self.left.1 = self.left.1.max(packet.left);
        self.came.1 = self.came.1.max(packet.came);
        self.packets += 1;
        self.bytes += packet.bytes;
    }

    /// Bits a second of what left at once and came one after the other: what the narrowest link carries.
    fn train(&self) -> Option<f64> {
        const PACKETS_MIN: u32 = 6;
        let long = self.packets >= PACKETS_MIN && self.left.1 - self.left.0 <= BURST;
        let span = (self.came.1 - self.came.0).max(250); // arrivals are told in such steps
        long.then(|| f64::from(self.bytes) * 8e6 / span as f64)
    }
}

impl Default for Delay {
    fn default() -> Delay {
        Delay {
            usage: Usage::Normal,
            open: None,
            before: None,
            line: Line::default(),
            groups: 0,
            sum: 0.0,
            smooth: 0.0,
            threshold: 12.5,
            over: (0.0, 0),
            slope: 0.0,
            train: None,
            queue: Queue::default(),
        }
    }
}

impl Delay {
    pub(super) fn usage(&self) -> Usage {
        match self.queue.standing() {
            standing if standing < STANDS && self.usage == Usage::Over => Usage::Normal,
            standing if standing >= STANDS && self.queue.drains() => Usage::Under,
            standing if standing > FULL => Usage::Over,
            _ => self.usage,
        }
    }

    /// Whether no queue stands.
    pub(super) fn is_free(&self) -> bool {
        self.queue.standing() < STANDS
    }

    /// Whether a queue stands that may be full: the shortest ones hold so much.
    pub(super) fn is_long(&self) -> bool {
        self.queue.standing() >= LONG
    }

    /// Bits a second at which the last burst of packets came through.
    pub(super) fn train(&self) -> Option<f64> {
        self.train
    }

    /// Takes an arrival, in the order of departures.
    pub(super) fn packet(&mut self, packet: Arrival) {
        match &mut self.open {
            Some(open) if packet.left < open.left.0 => {} // of a group that is closed
            Some(open) if open.takes(packet) => open.add(packet),
            open => {
                let closed = open.replace(Group::new(packet));
                closed.into_iter().for_each(|group| self.close(group));
            }
        }
    }

    fn close(&mut self, group: Group) {
        self.train = group.train().or(self.train);
        let Some(before) = self.before.replace(group) else { return };
        let left = group.left.1 - before.left.1;
        let came = group.came.1 - before.came.1;
        if !(0..JUMP).contains(&left) || !(-JUMP..JUMP).contains(&came) {
            let (open, before, train, threshold) = (self.open, self.before, self.train, self.threshold);
            *self = Delay { open, before, train, threshold, ..Delay::default() };
            return;
        }
        self.groups = (self.groups + 1).min(GROUPS_MAX);
        self.sum += (came - left) as f64 / 1e3;
        self.queue.add(group.came.1, self.sum);
        self.smooth = SMOOTHING * self.smooth + (1.0 - SMOOTHING) * self.sum;
        self.line.push(group.came.1 as f64 / 1e3, self.smooth);
        self.judge(self.line.slope().unwrap_or(0.0), left as f64 / 1e3, came as f64 / 1e3);
    }

    /// `left` and `came`: milliseconds since the group before.
    fn judge(&mut self, slope: f64, left: f64, came: f64) {
        let trend = f64::from(self.groups) * slope * GAIN;
        if trend > self.threshold {
            let (since, groups) = self.over;
            self.over = (since + if groups == 0 { left / 2.0 } else { left }, groups + 1);
            if self.over.0 > OVERUSE && self.over.1 > 1 && slope >= self.slope {
                self.over = (0.0, 0);
                self.usage = Usage::Over;
            }
        } else {
            self.over = (0.0, 0);
            self.usage = if trend < -self.threshold { Usage::Under } else { Usage::Normal };
        }
        self.slope = slope;
        self.adapt(trend.abs(), came.clamp(0.0, 100.0));
    }

    /// Moves the threshold towards what is usual on this path; single peaks do not count.
    fn adapt(&mut self, trend: f64, passed: f64) {
        let beyond = trend - self.threshold;
        if beyond > 15.0 {
            return;
        }
        let speed = if beyond < 0.0 { FOLLOWS_DOWN } else { FOLLOWS_UP };
        self.threshold = (self.threshold + speed * beyond * passed).clamp(THRESHOLD.0, THRESHOLD.1);
    }
}

/// How late packets are beyond the least delay.
#[derive(Clone, Debug)]
struct Queue {
    /// The least delay, in milliseconds; it creeps upwards, since clocks drift and routes change.
    least: f64,
    /// The least delay of each of the last slots.
    slots: [f64; Queue::SLOTS],
    newest: Option<i64>,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue { least: f64::INFINITY, slots: [f64::INFINITY; Queue::SLOTS], newest: None }
    }
}

impl Queue {
    /// Half a second of them.
    const SLOTS: usize = 5;

    /// Those of them in which something must have come: after a moment in which nothing passed there is one.
    const SLOTS_MIN: usize = 3;

    /// Length of a slot, in microseconds.
    const SLOT: i64 = 100_000;

    /// Milliseconds that the least delay creeps a slot: 300 parts in a million.
    const CREEP: f64 = 0.03;

    fn add(&mut self, came: i64, delay: f64) {
        let slot = came.div_euclid(Queue::SLOT);
        let newest = self.newest.unwrap_or(slot);
        for passed in (newest + 1..=slot).rev().take(Queue::SLOTS) {
            self.place(passed).into_iter().for_each(|least| *least = f64::INFINITY);
        }
        self.least = (self.least + Queue::CREEP * (slot - newest).clamp(0, 100) as f64).min(delay);
        self.newest = Some(slot.max(newest));
        self.place(slot).into_iter().for_each(|least| *least = least.min(delay));
    }

    fn place(&mut self, slot: i64) -> Option<&mut f64> {
        self.slots.get_mut(slot.rem_euclid(Queue::SLOTS as i64) as usize)
    }

    /// How long the queue was at least, in milliseconds, all the last while; 0 when too little came to say so.
    fn standing(&self) -> f64 {
        let known = self.slots.iter().copied().filter(|least| least.is_finite());
        let (count, least) =
            known.fold((0, f64::INFINITY), |(count, least), slot| (count + 1, least.min(slot)));
        if count >= Queue::SLOTS_MIN { least - self.least } else { 0.0 }
    }

    /// Whether it was longer in the last while than it is now.
    fn drains(&self) -> bool {
        let Some(newest) = self.newest else { return false };
        let before = |age: i64| self.slots.get((newest - age).rem_euclid(Queue::SLOTS as i64) as usize);
        let finite = |least: &f64| least.is_finite();
        let (now, known) = (before(0), (0..Queue::SLOTS as i64).filter_map(before).copied().filter(finite));
        now.is_some_and(|now| known.fold(*now, f64::max) - now > DRAINED)
    }
}

/// The last points, for a straight line through them.
#[derive(Clone, Debug, Default)]
struct Line {
    points: [(f64, f64); POINTS],
    count: usize,
}

impl Line {
    fn push(&mut self, x: f64, y: f64) {
        if let Some(point) = self.points.get_mut(self.count % POINTS) {
            *point = (x, y);
        }
        self.count += 1;
    }

    /// Least squares; `None` before there are enough points.
    fn slope(&self) -> Option<f64> {
        if self.count < POINTS {
            return None;
        }
        let count = POINTS as f64;
        let (x, y) = self.points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        let (x, y) = (x / count, y / count);
        let terms = |sum: (f64, f64), point: &(f64, f64)| {
            let dx = point.0 - x;
            (sum.0 + dx * (point.1 - y), sum.1 + dx * dx)
        };
        let (rise, run) = self.points.iter().fold((0.0, 0.0), terms);
        (run > 0.0).then(|| rise / run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets every 20 ms that come `late(n)` microseconds later than they would.
    fn follow(late: impl Fn(i64) -> i64) -> Vec<Usage> {
        let mut delay = Delay::default();
        let usage = |n: i64| {
            let left = n * 20_000;
            delay.packet(Arrival { left, came: 1_000_000 + left + late(n), bytes: 1000 });
            delay.usage()
        };
        (0..200).map(usage).collect()
    }

    #[test]
    fn a_growing_queue_is_seen_and_jitter_is_not() {
        assert!(follow(|_| 0).iter().all(|usage| *usage == Usage::Normal));
        let jitter = follow(|n| (n * 7919 % 11) * 500);
        assert!(jitter.iter().all(|usage| *usage != Usage::Over), "5 ms of jitter are no queue");
        let grows = follow(|n| (n - 100).max(0) * 4000);
        let seen = grows.iter().position(|usage| *usage == Usage::Over).unwrap();
        assert!((101..140).contains(&seen), "{seen}");
        let moment = follow(|n| if n % 50 < 5 { 200_000 - n % 50 * 20_000 } else { 0 });
        assert!(moment.iter().all(|usage| *usage != Usage::Over), "200 ms late now and then is no queue");
        let full = follow(|n| if n < 60 { n * 5000 } else { 300_000 });
        assert!(full[150..].iter().all(|usage| *usage == Usage::Over), "a full queue does not grow");
        let drains = follow(|n| (100 - n).max(0) * 4000);
        assert!(drains[40..100].contains(&Usage::Under));
    }

    #[test]
    fn a_burst_tells_what_the_narrowest_link_carries() {
        let mut delay = Delay::default();
        for n in 0..10 {
            delay.packet(Arrival { left: 0, came: n * 4000, bytes: 1000 });
        }
        delay.packet(Arrival { left: 40_000, came: 90_000, bytes: 1000 });
        assert_eq!(delay.train(), Some(2e6));
    }

    #[test]
    fn a_pause_is_no_queue() {
        let pause = follow(|n| if n < 100 { 0 } else { 10_000_000 });
        assert!(pause.iter().all(|usage| *usage == Usage::Normal));
    }
}
