//! Whether a stream's frames come one after the other, with none missing.

use crate::mark;
use crate::synthetic::Shape;
use headwater_media::{Frame, Kind, Time, Track};
use serde::Serialize;
use std::time::Duration;

/// One AAC frame at 44,100 Hz, microseconds.
const SOUND: i64 = 1024 * 1_000_000 / 44_100;
/// Between two files, pictures may have been sent this far apart: the generator's clock is not exact under load.
const BETWEEN_FILES: Duration = Duration::from_millis(1000);

/// What one reader got of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counted {
    pub(crate) pictures: u64,
    pub(crate) sounds: u64,
    /// Pictures and sounds that must lie in the gaps between those that came.
    pub(crate) missing: u64,
    /// Frames at or before the one that came before them.
    pub(crate) repeated: u64,
    /// Files that do not begin where the one before ended.
    pub(crate) broken: u64,
    /// Requests and files that failed.
    pub(crate) failed: u64,
    pub(crate) reason: Option<String>,
}

impl Counted {
    pub(crate) fn add(&mut self, other: &Counted) {
        self.pictures += other.pictures;
        self.sounds += other.sounds;
        self.missing += other.missing;
        self.repeated += other.repeated;
        self.broken += other.broken;
        self.failed += other.failed;
        self.reason = self.reason.take().or(other.reason.clone());
    }

    pub(crate) fn is_whole(&self) -> bool {
        (self.missing, self.repeated, self.broken, self.failed) == (0, 0, 0, 0)
    }

    pub(crate) fn told(&self) -> String {
        let reason = self.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
        format!(
            "{} pictures, {} sounds, {} missing, {} repeated, {} breaks between files, {} failed{reason}",
            self.pictures, self.sounds, self.missing, self.repeated, self.broken, self.failed
        )
    }
}

/// Follows the frames of a made-up stream.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) counted: Counted,
    shape: Shape,
    video: Option<Time>,
    audio: Option<Time>,
    /// When the newest picture was sent.
    sent: Option<Duration>,
    file_begins: bool,
}

impl Sequence {
    pub(crate) fn new(shape: Shape) -> Sequence {
        Sequence {
            counted: Counted::default(),
            shape,
            video: None,
            audio: None,
            sent: None,
            file_begins: false,
        }
    }

    /// The next frame in decoding order.
    pub(crate) fn frame(&mut self, frame: &Frame) {
        if frame.kind == Kind::Config {
            return;
        }
        let (newest, step) = match frame.track {
            Track::Video => (&mut self.video, 1_000_000 / i64::from(self.shape.fps.max(1))),
            Track::Audio => (&mut self.audio, SOUND),
            Track::Script => return,
        };
        if let Some(before) = newest.replace(frame.dts) {
            let gap = frame.dts.micros() - before.micros();
            self.counted.repeated += u64::from(gap <= 0);
            self.counted.missing += u64::try_from((gap + step / 2) / step - 1).unwrap_or(0);
        }
        match frame.track {
            Track::Video => self.picture(frame),
            _ => self.counted.sounds += 1,
        }
    }

    fn picture(&mut self, frame: &Frame) {
        self.counted.pictures += 1;
        let sent = mark::decode(&frame.payload);
        if std::mem::take(&mut self.file_begins)
            && let Some((sent, before)) = sent.zip(self.sent)
        {
            self.counted.broken += u64::from(sent.abs_diff(before) > BETWEEN_FILES);
        }
        self.sent = sent.or(self.sent);
    }

    /// A file begins, whose times begin anew.
    pub(crate) fn next_file(&mut self) {
        (self.video, self.audio, self.file_begins) = (None, None, true);
    }

    /// Something could not be read.
    pub(crate) fn failed(&mut self, reason: &str) {
        self.counted.failed += 1;
        self.counted.reason.get_or_insert_with(|| reason.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Piece, Sound, Timeline};

    const SHAPE: Shape = Shape { bitrate: 500_000, fps: 25, gop: 50, sound: Sound::Aac };

    fn frames(seconds: u64) -> Vec<Frame> {
        let frame = |(due, piece): (Duration, Piece)| {
            let at = Time::from_millis(due.as_millis() as i64);
            Frame { dts: at, pts: at, ..SHAPE.sample(piece) }
        };
        Timeline::new(SHAPE).take_while(|(due, _)| due.as_secs() < seconds).map(frame).collect()
    }

    #[test]
    fn a_whole_stream_lacks_nothing() {
        let mut sequence = Sequence::new(SHAPE);
        frames(60).iter().for_each(|frame| sequence.frame(frame));
        assert_eq!(sequence.counted.pictures, 1500);
        assert!(sequence.counted.is_whole(), "{:?}", sequence.counted);
    }

    #[test]
    fn every_frame_left_out_is_missed() {
        let mut sequence = Sequence::new(SHAPE);
        let left_out = |number: usize| [100, 101, 102, 250].contains(&number);
        let frames = frames(10);
        let kept = frames.iter().enumerate().filter(|(number, _)| !left_out(*number));
        kept.for_each(|(_, frame)| sequence.frame(frame));
        assert_eq!((sequence.counted.missing, sequence.counted.repeated), (4, 0));
    }

    #[test]
    fn a_frame_that_comes_twice_is_told() {
        let mut sequence = Sequence::new(SHAPE);
        frames(1).iter().take(5).for_each(|frame| sequence.frame(frame));
        frames(1).iter().take(1).for_each(|frame| sequence.frame(frame));
        assert_eq!(sequence.counted.repeated, 1);
    }
}
