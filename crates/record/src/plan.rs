//! What the configuration asks for, when a file ends, and where on its timeline a frame lies.

use crate::name::{self, Layout};
use headwater_conf::{Conf, Dvr, TimeJitter};
use headwater_hub::StreamName;
use headwater_media::{Frame, Time, Track};

/// Longest file: FLV's 32-bit milliseconds wrap after 49 days, and many readers take them for signed.
pub(crate) const FILE_MAX: Time = Time::from_millis(24 * 24 * 3_600_000);

/// A timestamp this far from the newest one, either way, is a leap of the publisher's clock.
const LEAP: Time = Time::from_millis(10_000);

/// The step that takes a leap's place.
const STEP: Time = Time::from_millis(40);

/// Pictures that did not come for this long are not waited for any more.
const PICTURES_GONE: Time = Time::from_millis(10_000);

/// What the configuration says about one vhost's recordings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Template of file names.
    pub(crate) path: String,
    pub(crate) layout: Layout,
    /// Length of a segment; `None` in the session plan.
    pub(crate) segment: Option<Time>,
    pub(crate) wait_keyframe: bool,
    pub(crate) jitter: TimeJitter,
    /// Whether dates are in UTC.
    pub(crate) utc: bool,
}

impl Settings {
    /// What `conf` says about a stream's recording; `None` when it is not recorded.
    pub(crate) fn of(conf: &Conf, name: &StreamName) -> Option<Settings> {
        let vhost = conf.vhost(name.vhost()).filter(|vhost| vhost.dvr.enabled)?;
        applies(&vhost.dvr.dvr_apply, name).then(|| Settings::new(&vhost.dvr, conf.log.utc))
    }

    pub(crate) fn new(dvr: &Dvr, utc: bool) -> Settings {
        let (path, layout) = name::template(&dvr.dvr_path, dvr.dvr_format);
        Settings {
            path,
            layout,
            segment: (dvr.dvr_plan == "segment").then(|| dvr.dvr_duration.into()),
            wait_keyframe: dvr.dvr_wait_keyframe,
            jitter: dvr.time_jitter,
            utc,
        }
    }

    /// Whether `frame`, `age` after the file's beginning, begins another. `pictures` is the age at which the newest
    /// picture came.
    pub(crate) fn cuts(&self, frame: &Frame, age: Time, pictures: Option<Time>) -> bool {
        if age < self.segment.unwrap_or(FILE_MAX).min(FILE_MAX) {
            return false;
        }
        let waited_for = pictures.is_some_and(|newest| age - newest < PICTURES_GONE);
        match frame.track {
            Track::Video => !self.wait_keyframe || frame.is_video_key(),
            Track::Audio => !self.wait_keyframe || !waited_for,
            Track::Script => false,
        }
    }
}

/// Whether `dvr_apply` names the stream: `all`, or its `app/stream`.
fn applies(apply: &[String], name: &StreamName) -> bool {
    let own = format!("{}/{}", name.app(), name.stream());
    apply.iter().any(|entry| entry == "all" || *entry == own)
}

/// Puts frames on a file's timeline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    jitter: TimeJitter,
    origin: Time,
    /// The newest decoding time in the file.
    newest: Option<Time>,
}

impl Timeline {
    /// `origin` becomes zero, unless timestamps are left as they are (`time_jitter off`).
    pub(crate) fn new(jitter: TimeJitter, origin: Time) -> Timeline {
        // Whole milliseconds, so that what was whole milliseconds stays so.
        let origin = if jitter == TimeJitter::Off { Time::ZERO } else { Time::from_millis(origin.millis()) };
        Timeline { jitter, origin, newest: None }
    }

    /// The newest decoding time in the file.
    pub(crate) fn newest(&self) -> Time {
        self.newest.unwrap_or_default()
    }

    /// The frame as it stands in the file. With `full` a leap of the clock becomes a small step.
    pub(crate) fn place(&mut self, frame: &Frame) -> Frame {
        let newest = self.newest.unwrap_or(frame.dts - self.origin);
        let distance = frame.dts - self.origin - newest;
        if self.jitter == TimeJitter::Full && (distance > LEAP || Time::ZERO - distance > LEAP) {
            self.origin = frame.dts - newest - STEP;
        }
        let dts = frame.dts - self.origin;
        self.newest = Some(newest.max(dts));
        Frame { dts, pts: dts + frame.composition(), ..frame.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{audio, video};
    use headwater_media::Kind;

    fn settings(segment: Option<i64>, wait_keyframe: bool) -> Settings {
        Settings {
            path: String::new(),
            layout: Layout::Flv,
            segment: segment.map(Time::from_millis),
            wait_keyframe,
            jitter: TimeJitter::Full,
            utc: true,
        }
    }

    #[test]
    fn segments_end_at_key_frames_or_with_sound_alone_anywhere() {
        let ms = Time::from_millis;
        let segment = settings(Some(1000), true);
        let pictures = Some(ms(980));
        assert!(!segment.cuts(&video(Kind::Key, 0), ms(999), pictures));
        assert!(segment.cuts(&video(Kind::Key, 0), ms(1000), pictures));
        assert!(!segment.cuts(&video(Kind::Inter, 0), ms(5000), pictures));
        assert!(!segment.cuts(&audio(0), ms(1000), pictures), "sound waits for the picture");
        assert!(segment.cuts(&audio(0), ms(1000), None), "sound alone");
        assert!(segment.cuts(&audio(0), ms(10_980), pictures), "the pictures stopped");
        assert!(settings(Some(1000), false).cuts(&video(Kind::Inter, 0), ms(1000), pictures));
    }

    #[test]
    fn a_session_is_one_file_up_to_the_wrap() {
        let session = settings(None, true);
        assert!(!session.cuts(&video(Kind::Key, 0), FILE_MAX - Time::from_millis(1), None));
        assert!(session.cuts(&video(Kind::Key, 0), FILE_MAX, None));
    }

    #[test]
    fn streams_are_named_exactly() {
        let name = StreamName::new("__defaultVhost__", "live", "cam").unwrap();
        let applies = |entries: &[&str]| {
            super::applies(&entries.iter().map(|e| e.to_string()).collect::<Vec<_>>(), &name)
        };
        assert!(applies(&["all"]) && applies(&["live/other", "live/cam"]));
        assert!(!applies(&[]) && !applies(&["live/ca", "cam", "live/cam2"]));
    }

    #[test]
    fn leaps_of_the_clock_are_steps_only_in_full() {
        let placed = |jitter| {
            let mut timeline = Timeline::new(jitter, Time::from_millis(5000));
            [5000, 5040, 95_040, 95_080, 1000].map(|ms| timeline.place(&video(Kind::Key, ms)).dts.millis())
        };
        assert_eq!(placed(TimeJitter::Full), [0, 40, 80, 120, 160]);
        assert_eq!(placed(TimeJitter::Zero), [0, 40, 90_040, 90_080, -4000]);
        assert_eq!(placed(TimeJitter::Off), [5000, 5040, 95_040, 95_080, 1000]);
    }
}
