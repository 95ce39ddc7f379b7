//! Which rates a stream has, measured where its packets are made: once for all viewers.

use crate::layers::Layer as Named;
use headwater_media::Track;
use smallvec::SmallVec;

/// Most simulcast layers; what a publisher sends beyond them is left.
pub(crate) const LAYERS_MAX: usize = 4;

/// Length of a slot, in microseconds.
const SLOT: i64 = 1_000_000;

/// Slots that count: long enough for a key frame or two to be among them.
const SLOTS: usize = 8;

/// A layer without a picture for so long is not sent any more, in microseconds.
const STOPPED: i64 = 1_500_000;

/// Bytes of headers and keys' tags that a packet costs beside its payload.
pub(crate) const OVERHEAD: usize = 60;

/// What a stream takes, in bits a second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) audio: u64,
    /// Layers that are being sent, best first.
    pub(crate) layers: SmallVec<[LayerRates; LAYERS_MAX]>,
}

/// What one layer of pictures takes, in bits a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LayerRates {
    pub(crate) layer: Named,
    /// Its place among all layers, those that are not sent included; 0 is the best.
    pub(crate) rank: u8,
    pub(crate) full: u64,
    /// Without pictures that nothing refers to.
    pub(crate) referenced: u64,
    pub(crate) keys: u64,
}

/// What a [`Meter`] needs to know of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) track: Track,
    pub(crate) layer: u8,
    pub(crate) key: bool,
    pub(crate) disposable: bool,
    pub(crate) bytes: usize,
}

/// Counts the bytes of the last seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    audio: Sum,
    layers: [Layer; LAYERS_MAX],
    /// First and newest slot.
    span: Option<(i64, i64)>,
}

type Sum = [u32; SLOTS];

#[derive(Clone, Copy, Debug, Default)]
struct Layer {
    full: Sum,
    referenced: Sum,
    keys: Sum,
    newest: Option<i64>,
}

impl Meter {
    /// Counts a frame that was made at one moment and came at another, in microseconds: what a first viewer is given of
    /// the past comes all at once.
    pub(crate) fn add(&mut self, made: i64, came: i64, frame: Measured) {
        let place = self.advance(made.div_euclid(SLOT));
        let count = |sum: &mut Sum| {
            if let Some(counted) = sum.get_mut(place) {
                *counted = counted.saturating_add(u32::try_from(frame.bytes).unwrap_or(u32::MAX));
            }
        };
        match frame.track {
            Track::Audio => count(&mut self.audio),
            Track::Script => {}
            Track::Video => {
                let Some(layer) = self.layers.get_mut(usize::from(frame.layer)) else { return };
                layer.newest = Some(came);
                count(&mut layer.full);
                if !frame.disposable {
                    count(&mut layer.referenced);
                }
                if frame.key {
                    count(&mut layer.keys);
                }
            }
        }
    }

    /// Empties the slots that time went over; the place of this one.
    fn advance(&mut self, slot: i64) -> usize {
        let began = self.span.filter(|(_, newest)| newest - slot < SLOTS as i64); // else on another line of time
        let (first, newest) = began.unwrap_or((slot, slot));
        if began.is_none() {
            (self.audio, self.layers) = <(Sum, [Layer; LAYERS_MAX])>::default();
        }
        for passed in (newest + 1..=slot).rev().take(SLOTS) {
            let place = place(passed);
            let video = self.layers.iter_mut().flat_map(|l| [&mut l.full, &mut l.referenced, &mut l.keys]);
            let sums = video.chain([&mut self.audio]);
            sums.filter_map(|sum| sum.get_mut(place)).for_each(|counted| *counted = 0);
        }
        self.span = Some((first.min(slot), newest.max(slot)));
        place(slot)
    }

    /// Whether a layer is being sent at a moment in microseconds.
    pub(crate) fn is_sent(&self, number: usize, now: i64) -> bool {
        let newest = self.layers.get(number).and_then(|layer| layer.newest);
        newest.is_some_and(|newest| now - newest < STOPPED)
    }

    /// The rates at a moment in microseconds; `order`: the layers, best first.
    pub(crate) fn rates(&self, now: i64, order: &[Named]) -> Rates {
        let Some((first, newest)) = self.span else { return Rates::default() };
        // The slot that is being filled counts as half a one.
        let slots = ((newest - first) as f64 + 0.5).min(SLOTS as f64 - 0.5);
        let rate = |sum: &Sum| {
            let bytes: f64 = sum.iter().copied().map(f64::from).sum();
            (bytes * 8e6 / (slots * SLOT as f64)) as u64
        };
        let ranked = order.iter().zip(0u8..);
        let found = ranked.filter_map(|(named, rank)| {
            let number = usize::from(named.number);
            let layer = self.layers.get(number).filter(|_| self.is_sent(number, now))?;
            Some(LayerRates {
                layer: *named,
                rank,
                full: rate(&layer.full),
                referenced: rate(&layer.referenced),
                keys: rate(&layer.keys),
            })
        });
        let layers = found.collect();
        Rates { audio: rate(&self.audio), layers }
    }
}

fn place(slot: i64) -> usize {
    slot.rem_euclid(SLOTS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(meter: &mut Meter, second: i64) {
        for frame in 0..25 {
            let at = second * 1_000_000 + frame * 40_000;
            let (key, disposable) = (frame == 0, frame % 2 == 1);
            let video = Measured { track: Track::Video, layer: 1, key, disposable, bytes: 5000 };
            meter.add(at, at, video);
            meter.add(
                at,
                at,
                Measured { track: Track::Audio, layer: 0, key: true, disposable: false, bytes: 250 },
            );
        }
    }

    fn order() -> [Named; 2] {
        [0, 1].map(|number| Named { number, ..Named::default() })
    }

    fn near(found: u64, expected: u64) {
        assert!(found.abs_diff(expected) * 10 <= expected, "{found} is not {expected}");
    }

    #[test]
    fn rates_of_each_kind() {
        let mut meter = Meter::default();
        assert_eq!(meter.rates(0, &order()), Rates::default());
        (0..20).for_each(|at| second(&mut meter, at));
        let rates = meter.rates(20_000_000, &order());
        assert_eq!(rates.layers.len(), 1, "the other one was never sent");
        let layer = rates.layers[0];
        assert_eq!((layer.layer.number, layer.rank), (1, 1));
        near(rates.audio, 50_000);
        near(layer.full, 1_000_000);
        near(layer.referenced, 520_000);
        near(layer.keys, 40_000);
        assert!(meter.rates(22_000_000, &order()).layers.is_empty(), "it is not sent any more");
    }

    /// Six seconds of the past come when somebody begins to watch.
    #[test]
    fn what_comes_at_once_is_no_rate() {
        let mut meter = Meter::default();
        for at in (-6_000_000..0).step_by(40_000) {
            let frame =
                Measured { track: Track::Video, layer: 0, key: false, disposable: false, bytes: 5000 };
            meter.add(at, 0, frame);
        }
        near(meter.rates(0, &order()).layers[0].full, 1_000_000);
        let back = Measured { track: Track::Audio, layer: 0, key: true, disposable: false, bytes: 500 };
        meter.add(-60_000_000, 40_000, back);
        assert_eq!(meter.rates(40_000, &order()).audio, 8000);
    }
}
