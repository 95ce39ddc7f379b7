//! Sound and pictures put in the order of their decoding times (`mix_correct`), for publishers that mix them badly.
//!
//! A frame waits until the other track has one too, or until ten wait without; so at most ten wait, and a publisher
//! with one track is ten frames late. Each track stays in its own order.

use headwater_media::{Frame, Track};
use std::collections::VecDeque;

/// Frames of one track that wait for one of the other.
const WAIT_MAX: usize = 10;

/// Frames that wait, by decoding time.
#[derive(Debug, Default)]
pub(crate) struct Interleaver {
    waiting: VecDeque<Frame>,
    audio: usize,
    video: usize,
    reordered: u64,
}

impl Interleaver {
    /// Frames put before others that had arrived earlier, so far.
    pub(crate) fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Takes an audio or video frame. [`pop`](Self::pop) gives those that are due.
    pub(crate) fn push(&mut self, frame: Frame) {
        // A frame of the same track stays in front, whatever its time.
        let goes_before = |other: &Frame| other.dts <= frame.dts || other.track == frame.track;
        let place = self.waiting.iter().rposition(goes_before).map_or(0, |before| before + 1);
        self.reordered += u64::from(place < self.waiting.len());
        *self.count(frame.track) += 1;
        self.waiting.insert(place, frame);
    }

    /// The next frame that need not wait any longer.
    pub(crate) fn pop(&mut self) -> Option<Frame> {
        let both = self.audio > 0 && self.video > 0;
        (both || self.waiting.len() >= WAIT_MAX).then(|| self.pop_any())?
    }

    /// The next frame, even if it should wait: the publisher left.
    pub(crate) fn pop_any(&mut self) -> Option<Frame> {
        let frame = self.waiting.pop_front()?;
        *self.count(frame.track) -= 1;
        Some(frame)
    }

    fn count(&mut self, track: Track) -> &mut usize {
        if track == Track::Audio { &mut self.audio } else { &mut self.video }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use headwater_media::{Codec, CodecTag, Kind, Time};
    use proptest::prelude::*;

    fn frame(track: Track, ms: i64) -> Frame {
        let at = Time::from_millis(ms);
        let (codec, kind) = (Codec::H264, Kind::Inter);
        Frame { track, codec, tag: CodecTag::Legacy, kind, dts: at, pts: at, payload: Bytes::new() }
    }

    fn run(frames: impl IntoIterator<Item = Frame>) -> (Vec<Frame>, u64) {
        let mut mix = Interleaver::default();
        let mut out = Vec::new();
        for frame in frames {
            mix.push(frame);
            out.extend(std::iter::from_fn(|| mix.pop()));
            assert!(mix.waiting.len() < WAIT_MAX);
        }
        out.extend(std::iter::from_fn(|| mix.pop_any()));
        assert_eq!((mix.audio, mix.video), (0, 0));
        (out, mix.reordered())
    }

    fn millis(frames: &[Frame]) -> Vec<i64> {
        frames.iter().map(|f| f.dts.millis()).collect()
    }

    #[test]
    fn late_sound_goes_before_the_pictures_that_wait() {
        let pictures = [0, 40, 80, 120].map(|ms| frame(Track::Video, ms));
        let sound = [0, 21, 43, 64, 85].map(|ms| frame(Track::Audio, ms));
        let (out, reordered) = run(pictures.into_iter().chain(sound));
        assert_eq!(millis(&out), [0, 0, 21, 40, 43, 64, 80, 85, 120]);
        assert_eq!(reordered, 5);
    }

    #[test]
    fn one_track_alone_waits_for_ten() {
        let mut mix = Interleaver::default();
        (0..9).for_each(|n| mix.push(frame(Track::Audio, n * 20)));
        assert_eq!(mix.pop(), None);
        mix.push(frame(Track::Audio, 180));
        assert_eq!(mix.pop(), Some(frame(Track::Audio, 0)));
        assert_eq!(mix.pop(), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_each_track_keeps_its_order(
            input in prop::collection::vec((any::<bool>(), 0i64..500), 0..200),
        ) {
            let side = |video| if video { Track::Video } else { Track::Audio };
            let frames: Vec<Frame> = input.iter().map(|(video, ms)| frame(side(*video), *ms)).collect();
            let (out, _) = run(frames.clone());
            for track in [Track::Audio, Track::Video] {
                let of = |frames: &[Frame]| -> Vec<Frame> {
                    frames.iter().filter(|f| f.track == track).cloned().collect()
                };
                prop_assert_eq!(of(&out), of(&frames));
            }
        }
    }
}
