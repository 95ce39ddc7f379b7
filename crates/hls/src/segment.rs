//! When a segment ends. Pure: times in, decisions out.

use headwater_media::{Frame, Kind, Time, Track};

/// A segment is not cut below this, whatever the configuration says.
const SHORTEST: Time = Time::from_millis(200);

/// A segment below this is not worth a place in the playlist.
pub(crate) const WORTH_KEEPING: Time = Time::from_millis(100);

/// A group of pictures that goes on for so long is cut in the middle, at any frame: memory is finite.
const LONGEST: Time = Time::from_millis(60_000);

/// Most bytes of one segment: 64 MiB, 10 s of 50 Mb/s. It is cut at the next frame.
pub const SEGMENT_BYTES_MAX: usize = 64 << 20;

/// The lengths that the configuration asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lengths {
    /// `hls_fragment × hls_td_ratio`: cut at the next key frame from here on.
    pub(crate) target: Time,
    /// `hls_fragment × hls_aof_ratio`: length of segments without pictures.
    pub(crate) audio_only: Time,
    /// Whether only key frames begin a segment; otherwise any picture does.
    pub(crate) wait_keyframe: bool,
}

/// A segment being made, as far as cutting is concerned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Progress {
    /// Decoding time of its first frame.
    pub(crate) start: Time,
    /// Whether the stream has pictures, going by this segment and the one before.
    pub(crate) has_video: bool,
    /// Bytes so far.
    pub(crate) bytes: usize,
    /// Whether its decoder configuration no longer holds, so that the next one is waited for.
    pub(crate) stale: bool,
}

impl Lengths {
    /// Whether `frame` begins the next segment. `drift` is added to the target, to keep in step with the clock.
    pub(crate) fn cut_before(&self, frame: &Frame, open: &Progress, drift: Time) -> bool {
        let length = frame.dts - open.start;
        let target = (self.target + drift).max(SHORTEST);
        if open.bytes >= SEGMENT_BYTES_MAX || length >= LONGEST.max(self.audio_only + self.target) {
            return true;
        }
        let opens = match (frame.track, frame.kind) {
            (Track::Video, Kind::Key) => true,
            (Track::Video, Kind::Inter) => !self.wait_keyframe,
            _ => false,
        };
        match frame.track {
            Track::Video => opens && (length >= target || (open.stale && frame.kind == Kind::Key)),
            Track::Audio if open.has_video => false,
            Track::Audio => open.stale || length >= (self.audio_only + drift).max(SHORTEST),
            Track::Script => false,
        }
    }
}

/// The counter behind `[timestamp]` when `hls_ts_floor` is on: the number of fragments since 1970, one more for each
/// segment, brought back to the clock when it is off by more than twenty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Floor {
    counter: Option<i64>,
}

impl Floor {
    /// The counter of a segment that begins `now_ms` milliseconds after 1970, and what to add to its target length.
    pub(crate) fn next(&mut self, now_ms: i64, fragment: Time) -> (i64, Time) {
        const OFF_MAX: i64 = 20;
        let clock = now_ms / fragment.millis().max(1);
        let due = self.counter.map_or(clock, |counter| counter + 1);
        let counter = if (due - clock).abs() > OFF_MAX { clock } else { due };
        self.counter = Some(counter);
        // Three tenths of a fragment for each one that the counter is ahead of the clock.
        let drift = fragment.micros().saturating_mul(counter - clock) / 10 * 3;
        (counter, Time::from_micros(drift))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_media::{Codec, CodecTag};

    const LENGTHS: Lengths = Lengths {
        target: Time::from_millis(10_000),
        audio_only: Time::from_millis(21_000),
        wait_keyframe: true,
    };
    const OPEN: Progress = Progress { start: Time::ZERO, has_video: true, bytes: 0, stale: false };

    fn frame(track: Track, kind: Kind, ms: i64) -> Frame {
        let (dts, payload) = (Time::from_millis(ms), Default::default());
        let codec = if track == Track::Video { Codec::H264 } else { Codec::Aac };
        Frame { track, codec, tag: CodecTag::Legacy, kind, dts, pts: dts, payload }
    }

    fn video_cut(lengths: Lengths, kind: Kind, ms: i64) -> bool {
        lengths.cut_before(&frame(Track::Video, kind, ms), &OPEN, Time::ZERO)
    }

    fn audio_cut(has_video: bool, ms: i64) -> bool {
        let open = Progress { has_video, ..OPEN };
        LENGTHS.cut_before(&frame(Track::Audio, Kind::Key, ms), &open, Time::ZERO)
    }

    #[test]
    fn pictures_cut_at_key_frames() {
        assert!(!video_cut(LENGTHS, Kind::Key, 9999));
        assert!(video_cut(LENGTHS, Kind::Key, 10_000));
        assert!(!video_cut(LENGTHS, Kind::Inter, 10_000));
        let anywhere = Lengths { wait_keyframe: false, ..LENGTHS };
        assert!(video_cut(anywhere, Kind::Inter, 10_000));
    }

    #[test]
    fn sound_never_cuts_a_group_of_pictures() {
        assert!(!audio_cut(true, 50_000));
        assert!(audio_cut(true, 61_000), "but one without end is cut");
        assert!(!audio_cut(false, 20_999));
        assert!(audio_cut(false, 21_000));
    }

    #[test]
    fn tiny_targets_are_raised() {
        let tiny = Lengths { target: Time::ZERO, audio_only: Time::ZERO, wait_keyframe: true };
        assert!(!video_cut(tiny, Kind::Key, 199));
        assert!(video_cut(tiny, Kind::Key, 200));
    }

    #[test]
    fn a_new_configuration_ends_the_segment_at_the_next_key_frame() {
        let open = Progress { stale: true, ..OPEN };
        assert!(LENGTHS.cut_before(&frame(Track::Video, Kind::Key, 1000), &open, Time::ZERO));
        assert!(!LENGTHS.cut_before(&frame(Track::Video, Kind::Inter, 1000), &open, Time::ZERO));
    }

    #[test]
    fn the_floor_counter_follows_the_clock() {
        let fragment = Time::from_millis(10_000);
        let mut floor = Floor::default();
        assert_eq!(floor.next(1_000_000, fragment), (100, Time::ZERO));
        assert_eq!(floor.next(1_005_000, fragment), (101, Time::from_millis(3000)), "ahead: longer segments");
        assert_eq!(
            floor.next(1_030_000, fragment),
            (102, Time::from_millis(-3000)),
            "behind: shorter segments"
        );
        assert_eq!(floor.next(9_000_000, fragment), (900, Time::ZERO), "lost: start anew");
    }
}
