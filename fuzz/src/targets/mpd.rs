//! The check of DASH manifests: any text is answered.

use headwater_playlist::mpd::{Content, Mpd, Period, Representation, SegmentTemplate, Span, check};
use std::time::Duration;

pub(super) fn run(data: &[u8]) {
    let _ = check(&String::from_utf8_lossy(data)); // a violation is as good an answer
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let template = SegmentTemplate {
        timescale: 48_000,
        initialization: "$RepresentationID$-init.mp4".to_owned(),
        media: "$RepresentationID$-$Number$.m4s".to_owned(),
        start_number: 3,
        presentation_time_offset: 10,
        timeline: vec![Span { start: 10, duration: 96_000 }, Span { start: 96_010, duration: 96_000 }],
    };
    let content = Content::Audio { sampling_rate: 48_000, channels: 2 };
    let audio = Representation {
        id: "audio".to_owned(),
        content,
        codecs: "mp4a.40.2".to_owned(),
        bandwidth: 64_000,
        template,
    };
    let period = |id: &str, start| Period {
        id: id.to_owned(),
        start: Duration::from_secs(start),
        representations: vec![audio.clone()],
    };
    let mpd = Mpd {
        availability_start: "2026-01-31T12:00:00.000Z".to_owned(),
        publish_time: "2026-01-31T12:00:09.000Z".to_owned(),
        clock: Some("2026-01-31T12:00:09.000Z".to_owned()),
        time_shift_buffer_depth: Duration::from_secs(10),
        max_segment_duration: Duration::from_secs(2),
        base_url: "s&amp;/".to_owned(),
        periods: vec![period("p1", 0), period("p2", 7)],
        ..Mpd::default()
    };
    vec![mpd.to_string().into_bytes()]
}
