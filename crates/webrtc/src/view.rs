//! Which pictures of a stream one viewer gets now.

use crate::gate::{Gate, Picture};
use crate::meter::Rates;
use crate::packetlog::Burst;
use crate::thinning::{Choice, Level, Thinning, Wish};
use std::time::{Duration, Instant};
use str0m::media::Rid;

/// How often it is looked whether something else should be sent: sound must not suffer for long.
const LOOK: Duration = Duration::from_millis(100);

/// Between two requests for a key frame of the layer that is waited for.
const ASK: Duration = Duration::from_millis(500);

/// What is to be done with a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// It follows the one before.
    Yes,
    /// It is sent, and what lies between it and the one before was left out: a key frame.
    Anew,
    /// It is left out on purpose, and is of the layer that is sent.
    LeftOut,
    /// It is of another layer.
    No,
}

/// A viewer's choice of layer and level, and its way there.
#[derive(Debug)]
pub(crate) struct View {
    thinning: Thinning,
    gate: Gate,
    choice: Choice,
    /// What the publisher calls the chosen layer.
    name: Option<Rid>,
    looked: Option<Instant>,
    asked: Option<Instant>,
}

impl View {
    /// Of a viewer that may have named a layer.
    pub(crate) fn new(wish: Option<Wish>) -> View {
        let (thinning, gate, choice) = (Thinning::new(wish), Gate::default(), Choice::default());
        View { thinning, gate, choice, name: None, looked: None, asked: None }
    }

    /// Whether it is time to look again.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK)
    }

    /// Looks what fits the path, now and then. The layer of which a key frame is needed, if one is to be asked for.
    pub(crate) fn look(&mut self, now: Instant, estimate: Option<u64>, rates: &Rates) -> Option<u8> {
        let since =
            |then: Option<Instant>| then.map_or(Duration::MAX, |then| now.saturating_duration_since(then));
        if !self.is_due(now) {
            return None;
        }
        self.looked = Some(now);
        self.choice = self.thinning.decide(now, estimate, rates);
        let chosen = rates.layers.iter().find(|rates| rates.layer.number == self.choice.layer);
        self.name = chosen.map_or(self.name, |rates| rates.layer.rid);
        if !self.gate.waits(self.choice) || since(self.asked) < ASK {
            return None;
        }
        self.asked = Some(now);
        Some(self.choice.layer)
    }

    /// Whether a picture is sent.
    pub(crate) fn pass(&mut self, burst: &Burst) -> Pass {
        let Burst { layer, key, disposable, .. } = *burst;
        let (before, whole) = (self.gate.layer(), self.gate.is_whole());
        if self.gate.passes(self.choice, Picture { layer, key, disposable }) {
            return if before == Some(layer) && whole { Pass::Yes } else { Pass::Anew };
        }
        if before == Some(layer) { Pass::LeftOut } else { Pass::No }
    }

    /// Whether the path is thought not to carry the best there is, or it is being tried.
    pub(crate) fn is_narrow(&self) -> bool {
        self.thinning.is_narrow()
    }

    /// Lets nothing pass until a key frame: pictures were lost on our side.
    pub(crate) fn shut(&mut self) {
        self.gate.shut();
    }

    /// The layer that is wanted.
    pub(crate) fn layer(&self) -> u8 {
        self.choice.layer
    }

    /// What the publisher calls it.
    pub(crate) fn name(&self) -> Option<Rid> {
        self.name
    }

    /// What is sent of its pictures.
    pub(crate) fn level(&self) -> Level {
        self.choice.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Layer;
    use crate::meter::LayerRates;
    use headwater_media::{Codec, Track};

    fn rates(layers: &[(u8, u64)]) -> Rates {
        let rates = |(rank, &(number, full)): (usize, &(u8, u64))| LayerRates {
            layer: Layer { number, ..Layer::default() },
            rank: rank as u8,
            full,
            referenced: full,
            keys: full / 10,
        };
        Rates { audio: 50_000, layers: layers.iter().enumerate().map(rates).collect() }
    }

    fn burst(layer: u8, key: bool) -> Burst {
        let (track, codec) = (Track::Video, Codec::H264);
        let wallclock = Instant::now();
        Burst {
            track,
            codec,
            layer,
            key,
            disposable: false,
            redundant: None,
            instead_of: None,
            time: 0,
            wallclock,
            packets: vec![],
        }
    }

    #[test]
    fn a_viewer_changes_layers_at_key_frames() {
        let (now, mut view) = (Instant::now(), View::new(None));
        let rates = rates(&[(2, 1_000_000), (0, 300_000)]);
        let at = |ms| now + Duration::from_millis(ms);
        assert_eq!(view.look(at(0), None, &rates), Some(2), "the best, of which nothing came yet");
        assert_eq!(view.look(at(50), None, &rates), None);
        assert_eq!(view.look(at(150), None, &rates), None, "it was asked for");
        assert_eq!(view.pass(&burst(0, true)), Pass::No);
        assert_eq!([view.pass(&burst(2, true)), view.pass(&burst(2, false))], [Pass::Anew, Pass::Yes]);
        assert_eq!(view.look(at(500), Some(500_000), &rates), None, "for a moment only?");
        assert_eq!(view.look(at(1000), Some(500_000), &rates), Some(0));
        assert_eq!(view.pass(&burst(2, false)), Pass::Yes, "until the other one begins");
        assert_eq!(view.pass(&burst(0, false)), Pass::No);
        assert_eq!(view.pass(&burst(0, true)), Pass::Anew);
        assert_eq!((view.pass(&burst(2, true)), view.pass(&burst(0, true))), (Pass::No, Pass::Yes));
        assert_eq!(view.look(at(1500), Some(100_000), &rates), None);
        assert_eq!(view.look(at(2000), Some(100_000), &rates), None);
        assert_eq!((view.level(), view.pass(&burst(0, false))), (Level::Keys, Pass::LeftOut));
        assert_eq!(view.pass(&burst(0, true)), Pass::Anew);
        view.shut();
        assert_eq!(view.pass(&burst(0, false)), Pass::LeftOut);
    }
}
