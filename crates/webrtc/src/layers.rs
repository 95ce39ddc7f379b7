//! The layers of a publisher that sends its pictures several times (simulcast, RFC 8853), and the one of them that is
//! the stream for everybody who takes a single one: the best that comes.
//!
//! A browser stops its upper layers when its path is too narrow, so that what is best changes. Another layer takes over
//! at one of its key frames only.

use crate::meter::LAYERS_MAX;
use headwater_media::Time;
use smallvec::SmallVec;
use str0m::media::Rid;

/// A layer without a picture for so long is not sent any more; screens are shared with a few pictures a second.
const STOPPED: Time = Time::from_millis(1500);

/// One layer, as viewers may name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Its number in bursts.
    pub(crate) number: u8,
    /// What the publisher calls it.
    pub(crate) rid: Option<Rid>,
    /// Width and height of its pictures; zero while unknown.
    pub(crate) size: (u32, u32),
}

/// All layers, best first.
pub(crate) type Order = SmallVec<[Layer; LAYERS_MAX]>;

/// What is to be done with a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// It is the stream's.
    Yes,
    /// It is the stream's from here on: the layer changes.
    Switch,
    /// It is for viewers of its layer only.
    No,
}

/// A publisher's layers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    known: SmallVec<[(Layer, Option<Time>); LAYERS_MAX]>,
    current: Option<u8>,
}

impl Layers {
    /// The number of a layer, by its name; `None` when there are too many.
    pub(crate) fn number(&mut self, rid: Option<Rid>) -> Option<u8> {
        if let Some((layer, _)) = self.known.iter().find(|(layer, _)| layer.rid == rid) {
            return Some(layer.number);
        }
        let number = self.known.len();
        if number >= LAYERS_MAX {
            return None;
        }
        let number = number as u8; // below LAYERS_MAX
        self.known.push((Layer { number, rid, size: (0, 0) }, None));
        Some(number)
    }

    /// Notes how large a layer's pictures are. Whether that is new.
    pub(crate) fn is_of_size(&mut self, number: u8, size: (u32, u32)) -> bool {
        let Some((layer, _)) = self.known.get_mut(usize::from(number)) else { return false };
        let new = layer.size != size;
        layer.size = size;
        new
    }

    /// Whether a picture of a layer is the stream's. `key`: a decoder can start with it.
    pub(crate) fn take(&mut self, number: u8, key: bool, now: Time) -> Take {
        if let Some((_, newest)) = self.known.get_mut(usize::from(number)) {
            *newest = Some(now);
        }
        if self.current == Some(number) {
            return Take::Yes;
        }
        if !(key && self.is_better(number, now)) {
            return Take::No;
        }
        self.current = Some(number);
        Take::Switch
    }

    /// The layer of which a key frame is wanted: it is better than the present one, or that one is not sent any more.
    pub(crate) fn wanted(&self, now: Time) -> Option<u8> {
        let sent = self.order().into_iter().find(|layer| self.is_sent(layer.number, now))?;
        (self.current != Some(sent.number)).then_some(sent.number)
    }

    /// The layer that is the stream now.
    pub(crate) fn current(&self) -> Option<u8> {
        self.current
    }

    /// By the size of their pictures; layers of one size in the order in which they came.
    pub(crate) fn order(&self) -> Order {
        let mut order: Order = self.known.iter().map(|(layer, _)| *layer).collect();
        order.sort_by_key(|layer| std::cmp::Reverse(pixels(layer)));
        order
    }

    fn is_better(&self, number: u8, now: Time) -> bool {
        let Some(current) = self.current.filter(|&current| self.is_sent(current, now)) else { return true };
        self.pixels(number) > self.pixels(current)
    }

    fn is_sent(&self, number: u8, now: Time) -> bool {
        let newest = self.known.get(usize::from(number)).and_then(|(_, newest)| *newest);
        newest.is_some_and(|newest| now - newest < STOPPED)
    }

    fn pixels(&self, number: u8) -> u64 {
        self.known.get(usize::from(number)).map_or(0, |(layer, _)| pixels(layer))
    }
}

fn pixels(layer: &Layer) -> u64 {
    u64::from(layer.size.0) * u64::from(layer.size.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: i64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn the_best_that_comes_is_the_stream() {
        let mut layers = Layers::default();
        let low = layers.number(Some("l".into())).unwrap();
        let high = layers.number(Some("h".into())).unwrap();
        assert_eq!(layers.number(Some("l".into())), Some(low));
        assert!(layers.is_of_size(low, (320, 180)) && !layers.is_of_size(low, (320, 180)));
        assert_eq!(layers.take(low, false, ms(0)), Take::No, "nobody can begin here");
        assert_eq!(layers.take(low, true, ms(10)), Take::Switch);
        assert_eq!(layers.take(high, false, ms(20)), Take::No);
        layers.is_of_size(high, (1280, 720));
        assert_eq!(layers.wanted(ms(30)), Some(high));
        assert_eq!(layers.take(high, true, ms(40)), Take::Switch);
        assert_eq!((layers.take(low, true, ms(50)), layers.wanted(ms(50))), (Take::No, None));
        assert_eq!(layers.order().iter().map(|layer| layer.number).collect::<Vec<_>>(), [high, low]);
        // The upper layer stops.
        assert_eq!((layers.take(low, false, ms(1600)), layers.wanted(ms(1600))), (Take::No, Some(low)));
        assert_eq!(layers.take(low, true, ms(1700)), Take::Switch);
        assert_eq!(layers.take(high, true, ms(1800)), Take::Switch, "it is back");
    }

    #[test]
    fn one_layer_without_a_name_is_the_stream() {
        let mut layers = Layers::default();
        let only = layers.number(None).unwrap();
        assert_eq!(layers.take(only, true, ms(0)), Take::Switch);
        assert_eq!(layers.take(only, false, ms(60_000)), Take::Yes);
        assert_eq!(layers.wanted(ms(60_000)), None);
    }

    #[test]
    fn layers_are_bounded() {
        let mut layers = Layers::default();
        let numbers: Vec<_> = ["a", "b", "c", "d", "e"].map(|rid| layers.number(Some(rid.into()))).into();
        assert_eq!(numbers, [Some(0), Some(1), Some(2), Some(3), None]);
    }
}
