//! Which pictures of a stream one viewer gets now.

use crate::gate::{Gate, Picture};
use crate::meter::Rates;
use crate::packetlog::Burst;
use crate::thinning::{Choice, Level, Thinning, Wish};
use headwater_media::Track;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::media::Rid;

/// How often it is looked whether something else should be sent: sound must not suffer for long.
const LOOK: Duration = Duration::from_millis(100);

/// Between two requests for a key frame of the layer that is waited for.
const ASK: Duration = Duration::from_millis(500);

/// Where a path carries key frames and not all that follows them, pictures are left out that have their turn so much
/// later than the newest one came, in ticks of 90 kHz: sound is on time, and pictures are not to be far behind it.
const LATE: i32 = 36_000;

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
    newest: Option<Newest>,
    /// The last key frame was left out because it was late.
    spared: bool,
}

/// The newest picture that is known of.
#[derive(Clone, Copy, Debug)]
struct Newest {
    /// Its position in the log.
    at: u64,
    layer: u8,
    time: u32,
}

impl View {
    /// Of a viewer that may have named a layer.
    pub(crate) fn new(wish: Option<Wish>) -> View {
        let (thinning, gate, choice) = (Thinning::new(wish), Gate::default(), Choice::default());
        let (name, looked, asked, newest, spared) = Default::default();
        View { thinning, gate, choice, name, looked, asked, newest, spared }
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

    /// Notes how far the stream is, by `bursts`, the first of which stands at `from` in the log.
    pub(crate) fn note(&mut self, from: u64, bursts: &[Arc<Burst>]) {
        let layer = self.choice.layer;
        let pictures = |burst: &Arc<Burst>| burst.track == Track::Video && burst.layer == layer;
        let Some(last) = bursts.iter().rposition(pictures) else { return };
        let at = from + last as u64;
        if self.newest.is_none_or(|newest| newest.at < at) {
            self.newest = bursts.get(last).map(|burst| Newest { at, layer, time: burst.time });
        }
    }

    /// Whether a picture is sent.
    pub(crate) fn pass(&mut self, burst: &Burst) -> Pass {
        let Burst { layer, key, disposable, .. } = *burst;
        let (before, whole) = (self.gate.layer(), self.gate.is_whole());
        let passes = self.gate.passes(self.choice, Picture { layer, key, disposable });
        let late = passes && self.is_too_late(burst);
        if late {
            self.gate.shut();
        }
        if passes && !late {
            return if before == Some(layer) && whole { Pass::Yes } else { Pass::Anew };
        }
        if before == Some(layer) { Pass::LeftOut } else { Pass::No }
    }

    /// Of key frames, not two in a row are left out: a viewer who sees nothing at all never sees more.
    fn is_too_late(&mut self, burst: &Burst) -> bool {
        let late = self.is_late(burst) && !(burst.key && self.spared);
        if burst.key {
            self.spared = late;
        }
        late
    }

    fn is_late(&self, burst: &Burst) -> bool {
        let newest = self.newest.filter(|newest| newest.layer == burst.layer);
        let late = |newest: Newest| newest.time.wrapping_sub(burst.time) as i32 > LATE;
        self.choice.level == Level::Keys && newest.is_some_and(late)
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
    use headwater_media::Codec;

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
        view.shut();
        assert_eq!(view.pass(&burst(0, false)), Pass::LeftOut);
    }

    #[test]
    fn from_a_key_frame_on_what_is_not_late_passes() {
        let (now, mut view) = (Instant::now(), View::new(None));
        let rates = rates(&[(0, 1_000_000)]);
        let at = |ms| now + Duration::from_millis(ms);
        let came = |time: i32, key| Burst { time: time as u32, ..burst(0, key) };
        view.look(at(0), None, &rates);
        assert_eq!(view.pass(&came(0, true)), Pass::Anew);
        view.look(at(1000), Some(150_000), &rates);
        view.look(at(1500), Some(150_000), &rates);
        assert_eq!(view.level(), Level::Keys);
        view.note(7, &[Arc::new(came(LATE + 3600, false))]);
        view.note(3, &[Arc::new(came(7200, false))]); // read again: older
        assert_eq!(view.pass(&came(3600, false)), Pass::Yes, "not too late");
        assert_eq!(view.pass(&came(0, false)), Pass::LeftOut, "too late");
        assert_eq!(view.pass(&came(3600, false)), Pass::LeftOut, "the one that it needs was left out");
        assert_eq!(view.pass(&came(0, true)), Pass::LeftOut, "too late, though a key frame");
        assert_eq!(view.pass(&came(1800, true)), Pass::Anew, "but not two in a row");
        assert_eq!(view.pass(&came(3000, true)), Pass::LeftOut);
        assert_eq!(view.pass(&came(LATE, true)), Pass::Anew);
        assert_eq!(view.pass(&came(LATE + 3600, false)), Pass::Yes);
    }
}
