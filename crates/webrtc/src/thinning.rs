//! What a viewer gets of a stream's pictures, by what its path carries: a layer whole, without pictures that nothing
//! refers to, key frames with as much of what follows each as there is room for, nothing. Sound is never left out.
//!
//! [`Thinning`] decides, [`Gate`](crate::gate::Gate) obeys. Down within half a second, since sound suffers from what
//! does not fit; up by one rung a time, after a wait that doubles whenever it was in vain. A path is not known to carry
//! more than what is sent, so that going up is a trial: the estimate must not fall meanwhile, and must reach the new
//! rate within the trial; else it ends where it began.

use crate::meter::{LAYERS_MAX, LayerRates, Rates};
use smallvec::SmallVec;
use std::time::{Duration, Instant};

/// How long a rung is kept before the next one is tried, at first and at most.
const WAIT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// How long the estimate has to reach what is sent on a new rung.
const TRIAL: Duration = Duration::from_secs(5);

/// How long a rung must have held for the wait to be short again.
const HELD: Duration = Duration::from_secs(30);

/// The estimate must be this many times what is sent for more to be tried.
const ROOM: f64 = 1.2;

/// A rung is kept while the estimate is at least this share of what it takes: an estimate is a guess, and backs off by
/// less than that when a queue is seen once.
const ENOUGH: f64 = 0.8;

/// How long the estimate must be below that: a computer that is busy for a moment is no narrow path.
const FOR_LONG: Duration = Duration::from_millis(500);

/// A trial is over when the estimate is below this share of what it was meanwhile.
const ANSWER: f64 = 0.9;

/// Share of the rate of a rung that the rung below may have; otherwise it saves nothing and is none.
const WORTH: f64 = 0.9;

/// What is sent of a layer's pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All.
    #[default]
    Full,
    /// All that others refer to.
    Referenced,
    /// From each key frame on as much as there is room for. Where even key frames are too big, not all of them.
    Keys,
    /// None.
    Paused,
}

/// Which layer is sent, and what of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) layer: u8,
    pub(crate) level: Level,
}

/// The layer that a viewer asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// By its place: 0 is the best.
    Rank(u8),
    /// By the name that the publisher gave it.
    Name(Box<str>),
}

impl Wish {
    /// Reads a place or a name.
    pub(crate) fn parse(text: &str) -> Wish {
        text.parse().map_or_else(|_| Wish::Name(text.into()), Wish::Rank)
    }

    fn means(&self, layer: &LayerRates) -> bool {
        match self {
            Wish::Rank(rank) => *rank == layer.rank,
            Wish::Name(name) => layer.layer.rid.is_some_and(|rid| *rid == **name),
        }
    }
}

/// Decides what a viewer gets.
#[derive(Clone, Debug)]
pub(crate) struct Thinning {
    /// The only layer that may be chosen, as long as it is there.
    wish: Option<Wish>,
    choice: Option<Choice>,
    since: Option<Instant>,
    wait: Duration,
    /// Since when the estimate is too low for the rung.
    short: Option<Instant>,
    /// When the rung was tried, and the highest estimate since.
    trial: Option<(Instant, u64)>,
    /// The rung was tried, whatever came of it.
    tried: bool,
    /// There are rungs above.
    low: bool,
}

/// A choice and what it takes, sound included, in bits a second.
#[derive(Clone, Copy, Debug)]
struct Rung {
    choice: Choice,
    rate: u64,
    /// What it takes at least: of key frames, every second one is better than none.
    least: u64,
}

/// Best first.
type Rungs = SmallVec<[Rung; LAYERS_MAX + 3]>;

impl Thinning {
    /// For a viewer of all layers, or of one that it named.
    pub(crate) fn new(wish: Option<Wish>) -> Thinning {
        Thinning {
            wish,
            choice: None,
            since: None,
            wait: WAIT.0,
            short: None,
            trial: None,
            tried: false,
            low: false,
        }
    }

    /// What the viewer gets from now on. `estimate` in bits a second, `None` while nothing is known.
    pub(crate) fn decide(&mut self, now: Instant, estimate: Option<u64>, rates: &Rates) -> Choice {
        let rungs = self.rungs(rates);
        let Some(at) = self.place(&rungs) else { return self.choice.unwrap_or_default() };
        let since = *self.since.get_or_insert(now);
        let held = now.duration_since(since);
        let next = match estimate {
            None => 0,
            Some(estimate) if self.is_too_much(now, estimate, rungs.get(at)) => {
                self.down(estimate, &rungs, at)
            }
            Some(estimate) => self.up(now, held, estimate, &rungs, at),
        };
        if next > at {
            self.wait = match std::mem::take(&mut self.tried) {
                _ if held >= HELD => WAIT.0,
                true => (2 * self.wait).min(WAIT.1),
                false => self.wait,
            };
            self.trial = None;
        }
        if next != at {
            self.since = Some(now);
            self.short = None;
        }
        self.low = next > 0;
        self.choice = rungs.get(next).map(|rung| rung.choice).or(self.choice);
        self.choice.unwrap_or_default()
    }

    /// Whether the path is thought not to carry the best there is, or it is being tried.
    pub(crate) fn is_narrow(&self) -> bool {
        self.low || self.short.is_some() || self.trial.is_some()
    }

    /// Best first; the last one is always sound alone.
    fn rungs(&self, rates: &Rates) -> Rungs {
        let meant = |layer: &&LayerRates| self.wish.as_ref().is_some_and(|wish| wish.means(layer));
        let only = rates.layers.iter().find(meant);
        let layers = rates.layers.iter().filter(|layer| only.is_none_or(|only| only == *layer));
        let mut rungs = Rungs::new();
        let mut add = |layer: u8, level: Level, rate: u64| {
            let worth = rungs.last().is_none_or(|above| (rate as f64) < WORTH * above.rate as f64);
            if worth || level == Level::Paused {
                let least = if level == Level::Keys { rate / 2 } else { rate } + rates.audio;
                rungs.push(Rung { choice: Choice { layer, level }, rate: rate + rates.audio, least });
            }
        };
        let mut last = None;
        for layer in layers {
            add(layer.layer.number, Level::Full, layer.full);
            last = Some(layer);
        }
        if let Some(LayerRates { layer, referenced, keys, .. }) = last.copied() {
            add(layer.number, Level::Referenced, referenced);
            add(layer.number, Level::Keys, keys);
            add(layer.number, Level::Paused, 0);
        }
        rungs
    }

    /// Where the present choice is, or what is nearest to it now that layers came or went; at first the best.
    fn place(&self, rungs: &[Rung]) -> Option<usize> {
        let Some(choice) = self.choice else { return (!rungs.is_empty()).then_some(0) };
        let exact = rungs.iter().position(|rung| rung.choice == choice);
        exact.or_else(|| rungs.iter().position(|rung| rung.choice.level >= choice.level))
    }

    fn is_too_much(&mut self, now: Instant, estimate: u64, rung: Option<&Rung>) -> bool {
        let Some(rung) = rung.filter(|rung| rung.choice.level < Level::Paused) else { return false };
        match self.trial {
            Some(_) if rung.least <= estimate => {
                self.trial = None;
                false
            }
            Some((begun, most)) => {
                self.trial = Some((begun, most.max(estimate)));
                now.duration_since(begun) > TRIAL || (estimate as f64) < ANSWER * most as f64
            }
            None if estimate as f64 >= ENOUGH * rung.least as f64 => {
                self.short = None;
                false
            }
            None => now.duration_since(*self.short.get_or_insert(now)) >= FOR_LONG,
        }
    }

    /// The first rung below that fits; after a trial, the rung that it began at, which held.
    fn down(&self, estimate: u64, rungs: &[Rung], at: usize) -> usize {
        if self.trial.is_some() {
            return (at + 1).min(rungs.len().saturating_sub(1));
        }
        let fits = |(_, rung): &(usize, &Rung)| rung.least <= estimate;
        let found = rungs.iter().enumerate().skip(at + 1).find(fits).map(|(place, _)| place);
        found.unwrap_or(rungs.len().saturating_sub(1))
    }

    /// The rung above, if it is time and there is room.
    fn up(&mut self, now: Instant, held: Duration, estimate: u64, rungs: &[Rung], at: usize) -> usize {
        let room = rungs.get(at).is_some_and(|rung| estimate as f64 >= ROOM * rung.rate as f64);
        if at == 0 || self.trial.is_some() || held < self.wait || !room {
            return at;
        }
        (self.trial, self.tried) = (Some((now, estimate)), true);
        at - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Layer;

    fn rates() -> Rates {
        let layer = |number: u8, rid: &str, full| {
            let layer = Layer { number, rid: Some(rid.into()), size: (0, 0) };
            LayerRates { layer, rank: number, full, referenced: full * 2 / 3, keys: full / 8 }
        };
        let layers = [layer(0, "h", 2_000_000), layer(1, "l", 600_000)];
        Rates { audio: 50_000, layers: layers.into_iter().collect() }
    }

    fn choice(layer: u8, level: Level) -> Choice {
        Choice { layer, level }
    }

    /// A second a call, with the estimate that `path` gives for what is sent.
    fn follow(thinning: &mut Thinning, from: Instant, seconds: u64, path: u64) -> Vec<Choice> {
        let rates = rates();
        let mut seen = Vec::new();
        for second in 0..seconds {
            let now = from + Duration::from_secs(second);
            let choice = thinning.choice.unwrap_or_default();
            let sent = thinning.rungs(&rates).into_iter().find(|rung| rung.choice == choice).unwrap().rate;
            let estimate = path.min(sent * 3 / 2);
            seen.push(thinning.decide(now, Some(estimate), &rates));
        }
        seen
    }

    #[test]
    fn down_to_what_fits() {
        let now = Instant::now();
        let settled = |wish, estimate| {
            let mut thinning = Thinning::new(wish);
            thinning.decide(now, estimate, &rates());
            thinning.decide(now + FOR_LONG, estimate, &rates())
        };
        let decide = |estimate| settled(None, estimate);
        assert_eq!(decide(None), choice(0, Level::Full));
        assert_eq!(decide(Some(1_700_000)), choice(0, Level::Full));
        assert_eq!(decide(Some(1_600_000)), choice(1, Level::Full));
        assert_eq!(decide(Some(600_000)), choice(1, Level::Referenced));
        assert_eq!(decide(Some(400_000)), choice(1, Level::Keys));
        assert_eq!(decide(Some(100_000)), choice(1, Level::Keys), "every second one");
        assert_eq!(decide(Some(80_000)), choice(1, Level::Paused));
        let asked = |wish| settled(Some(Wish::parse(wish)), Some(1_500_000));
        assert_eq!([asked("0"), asked("h")], [choice(0, Level::Referenced); 2]);
        assert_eq!([asked("1"), asked("l"), asked("none")], [choice(1, Level::Full); 3]);
    }

    #[test]
    fn up_by_one_rung_when_the_path_carries_more() {
        let (now, mut thinning) = (Instant::now(), Thinning::new(None));
        follow(&mut thinning, now, 2, 60_000);
        assert_eq!(thinning.choice, Some(choice(1, Level::Paused)));
        let seen = follow(&mut thinning, now + Duration::from_secs(2), 60, 10_000_000);
        let mut order = seen.clone();
        order.dedup();
        let expected = [
            choice(1, Level::Paused),
            choice(1, Level::Keys),
            choice(1, Level::Referenced),
            choice(1, Level::Full),
            choice(0, Level::Full),
        ];
        assert_eq!(order, expected);
    }

    #[test]
    fn trials_in_vain_become_rare() {
        let (now, mut thinning) = (Instant::now(), Thinning::new(None));
        let seen = follow(&mut thinning, now, 300, 1_000_000);
        let tried: Vec<usize> = (1..seen.len()).filter(|&at| seen[at].layer < seen[at - 1].layer).collect();
        let gaps: Vec<usize> = tried.windows(2).map(|two| two[1] - two[0]).collect();
        assert!((3..8).contains(&tried.len()), "{tried:?}");
        assert!(gaps.windows(2).all(|two| two[0] <= two[1]), "{tried:?}");
        let high = seen.iter().filter(|choice| choice.layer == 0).count();
        assert!(high < 60, "{high} of 300 s too much was sent");
    }

    #[test]
    fn a_trial_in_vain_ends_where_it_began() {
        let (now, mut thinning) = (Instant::now(), Thinning::new(None));
        let mut decide =
            |ms, estimate| thinning.decide(now + Duration::from_millis(ms), Some(estimate), &rates());
        decide(0, 1_000_000);
        assert_eq!(decide(500, 1_000_000), choice(1, Level::Full));
        assert_eq!(decide(5500, 1_000_000), choice(0, Level::Full), "a trial");
        assert_eq!(decide(5600, 500_000), choice(1, Level::Full), "it held before");
        assert_eq!(decide(5700, 500_000), choice(1, Level::Full));
        assert_eq!(decide(6200, 500_000), choice(1, Level::Referenced), "and does no more");
    }

    #[test]
    fn a_trial_ends_when_the_estimate_falls_from_where_it_rose_to() {
        let (now, mut thinning) = (Instant::now(), Thinning::new(None));
        let mut decide =
            |ms, estimate| thinning.decide(now + Duration::from_millis(ms), Some(estimate), &rates());
        decide(0, 1_000_000);
        decide(500, 1_000_000);
        assert_eq!(decide(5500, 1_000_000), choice(0, Level::Full), "a trial");
        assert_eq!(decide(6000, 1_200_000), choice(0, Level::Full));
        assert_eq!(decide(6500, 1_000_000), choice(1, Level::Full), "a queue was seen");
    }

    #[test]
    fn a_layer_that_ends_is_left() {
        let (now, mut thinning) = (Instant::now(), Thinning::new(None));
        let mut rates = rates();
        thinning.decide(now, None, &rates);
        rates.layers.remove(0);
        assert_eq!(thinning.decide(now, None, &rates), choice(1, Level::Full));
        rates.layers.clear();
        assert_eq!(thinning.decide(now, Some(50_000), &rates), choice(1, Level::Full), "no pictures at all");
    }
}
