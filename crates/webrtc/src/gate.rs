//! What of a stream's pictures passes to a viewer, by what was decided for it ([`crate::thinning`]).

use crate::thinning::{Choice, Level};

/// Lets pass what was chosen, so that a decoder is never given a picture whose references it lacks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gate {
    /// The layer that passes; `None` before the first key frame.
    layer: Option<u8>,
    /// A picture that others refer to was left out since the last key frame.
    broken: bool,
}

/// What a [`Gate`] needs to know of a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture {
    pub(crate) layer: u8,
    pub(crate) key: bool,
    /// Nothing refers to it.
    pub(crate) disposable: bool,
}

impl Gate {
    /// Whether a picture passes.
    pub(crate) fn passes(&mut self, choice: Choice, picture: Picture) -> bool {
        let own = self.layer == Some(picture.layer);
        if picture.key && picture.layer == choice.layer && choice.level < Level::Paused {
            *self = Gate { layer: Some(picture.layer), broken: false };
            return true;
        }
        if !own {
            return false;
        }
        let left_out = match choice.level {
            Level::Full | Level::Keys => false,
            Level::Referenced => picture.disposable,
            Level::Paused => true,
        };
        self.broken |= left_out && !picture.disposable;
        !left_out && !self.broken
    }

    /// Whether nothing passes that should, until a key frame of the chosen layer comes.
    pub(crate) fn waits(&self, choice: Choice) -> bool {
        let whole = choice.level < Level::Keys;
        (self.layer != Some(choice.layer) && choice.level < Level::Paused) || (whole && self.broken)
    }

    /// The layer that passes.
    pub(crate) fn layer(&self) -> Option<u8> {
        self.layer
    }

    /// Whether every picture that others refer to passed since the last key frame.
    pub(crate) fn is_whole(&self) -> bool {
        !self.broken
    }

    /// Lets nothing pass until a key frame.
    pub(crate) fn shut(&mut self) {
        self.broken = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn choice(layer: u8, level: Level) -> Choice {
        Choice { layer, level }
    }

    #[test]
    fn references_are_whole() {
        let mut gate = Gate::default();
        let full = choice(0, Level::Full);
        let mut passes = |choice, layer, key, disposable| {
            let passed = gate.passes(choice, Picture { layer, key, disposable });
            (passed, gate.waits(choice))
        };
        assert_eq!(passes(full, 0, false, false), (false, true), "no key frame yet");
        assert_eq!(passes(full, 1, true, false), (false, true), "of another layer");
        assert_eq!(passes(full, 0, true, false), (true, false));
        assert_eq!(passes(full, 0, false, true), (true, false));
        let thin = choice(0, Level::Referenced);
        assert_eq!(passes(thin, 0, false, true), (false, false));
        assert_eq!(passes(thin, 0, false, false), (true, false));
        assert_eq!(passes(full, 0, false, false), (true, false), "only what nothing refers to is missing");
        assert_eq!(
            passes(choice(0, Level::Keys), 0, false, false),
            (true, false),
            "as long as there is room"
        );
        assert_eq!(passes(choice(0, Level::Paused), 0, false, false), (false, false));
        assert_eq!(
            passes(choice(0, Level::Keys), 0, false, false),
            (false, false),
            "from the next key frame on"
        );
        assert_eq!(passes(full, 0, false, false), (false, true), "its reference was left out");
        assert_eq!(passes(full, 0, true, false), (true, false));
        assert_eq!(passes(choice(0, Level::Paused), 0, true, false), (false, false));
        assert_eq!(passes(choice(1, Level::Full), 1, false, false), (false, true));
        assert_eq!(passes(choice(1, Level::Full), 1, true, false), (true, false));
    }

    proptest! {
        #[test]
        fn what_passes_can_be_decoded(
            steps in prop::collection::vec((0u8..3, 0u8..4, 0u8..3, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let mut gate = Gate::default();
            // What a decoder has: the layer, and whether everything since its key frame came.
            let mut decoder: Option<u8> = None;
            for (wanted, level, layer, key, disposable) in steps {
                let level = [Level::Full, Level::Referenced, Level::Keys, Level::Paused][usize::from(level)];
                let picture = Picture { layer, key, disposable: disposable && !key };
                let passed = gate.passes(choice(wanted, level), picture);
                if passed {
                    prop_assert!(key || decoder == Some(layer));
                    decoder = Some(layer);
                } else if decoder == Some(layer) && !picture.disposable {
                    decoder = None;
                }
            }
        }
    }
}
