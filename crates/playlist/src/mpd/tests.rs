use super::*;
use proptest::prelude::*;

fn mpd() -> Mpd {
    let video = Representation {
        id: "video".into(),
        content: Content::Video { size: Some((1280, 720)), frame_rate: Some((30_000, 1001)) },
        codecs: "avc1.64001f".into(),
        bandwidth: 2_000_000,
        template: SegmentTemplate {
            timescale: 90_000,
            initialization: "$RepresentationID$-init.mp4".into(),
            media: "$RepresentationID$-$Number$.m4s".into(),
            start_number: 7,
            presentation_time_offset: 900,
            timeline: vec![
                Span { start: 900, duration: 180_000 },
                Span { start: 180_900, duration: 180_000 },
                Span { start: 360_900, duration: 90_000 },
                Span { start: 460_000, duration: 90_000 },
            ],
        },
    };
    let audio = Representation {
        id: "audio".into(),
        content: Content::Audio { sampling_rate: 48_000, channels: 2 },
        codecs: "mp4a.40.2".into(),
        bandwidth: 96_000,
        template: SegmentTemplate {
            timescale: 48_000,
            timeline: vec![Span { start: 480, duration: 96_000 }],
            presentation_time_offset: 480,
            ..video.template.clone()
        },
    };
    Mpd {
        availability_start: "2026-01-31T12:00:00.000Z".into(),
        publish_time: "2026-01-31T12:01:00.000Z".into(),
        clock: Some("2026-01-31T12:01:00.500Z".into()),
        minimum_update_period: Duration::from_secs(5),
        time_shift_buffer_depth: Duration::from_secs(10),
        suggested_presentation_delay: Duration::from_millis(4500),
        min_buffer_time: Duration::from_secs(2),
        max_segment_duration: Duration::from_secs(2),
        base_url: "a%20b/".into(),
        periods: vec![Period { id: "p0".into(), start: Duration::ZERO, representations: vec![video, audio] }],
    }
}

const TEXT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019" type="dynamic" availabilityStartTime="2026-01-31T12:00:00.000Z" publishTime="2026-01-31T12:01:00.000Z" minimumUpdatePeriod="PT5.000000S" timeShiftBufferDepth="PT10.000000S" suggestedPresentationDelay="PT4.500000S" minBufferTime="PT2.000000S" maxSegmentDuration="PT2.000000S">
  <BaseURL>a%20b/</BaseURL>
  <Period id="p0" start="PT0.000000S">
    <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
      <Representation id="video" codecs="avc1.64001f" bandwidth="2000000" width="1280" height="720" frameRate="30000/1001">
        <SegmentTemplate timescale="90000" initialization="$RepresentationID$-init.mp4" media="$RepresentationID$-$Number$.m4s" startNumber="7" presentationTimeOffset="900">
          <SegmentTimeline>
            <S t="900" d="180000" r="1"/>
            <S t="360900" d="90000"/>
            <S t="460000" d="90000"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1">
      <Representation id="audio" codecs="mp4a.40.2" bandwidth="96000" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <SegmentTemplate timescale="48000" initialization="$RepresentationID$-init.mp4" media="$RepresentationID$-$Number$.m4s" startNumber="7" presentationTimeOffset="480">
          <SegmentTimeline>
            <S t="480" d="96000"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
  </Period>
  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:direct:2014" value="2026-01-31T12:01:00.500Z"/>
</MPD>
"#;

#[test]
fn a_manifest_in_full() {
    assert_eq!(mpd().to_string(), TEXT);
    assert_eq!(check(TEXT), []);
}

#[test]
fn every_broken_rule_is_told() {
    let broken = |from: &str, to: &str| {
        assert!(TEXT.contains(from), "{from}");
        let violations = check(&TEXT.replace(from, to));
        assert!(!violations.is_empty(), "{from} became {to}");
        violations
    };
    assert!(matches!(broken("</MPD>", "")[..], [Violation::Xml(_) | Violation::Element(_)]));
    assert!(matches!(broken("type=\"dynamic\"", "")[..], [Violation::Attribute("MPD", "type", None)]));
    broken("PT4.500000S", "PT11S");
    broken("2026-01-31T12:00:00.000Z", "yesterday");
    broken("$Number$", "$Time$");
    broken("id=\"2\" contentType", "id=\"1\" contentType");
    broken("id=\"audio\"", "id=\"video\"");
    broken("bandwidth=\"96000\"", "bandwidth=\"0\"");
    broken("t=\"360900\"", "t=\"360899\"");
    broken("<S t=\"900\"", "<S t=\"899\"");
    broken("<S t=\"480\" d=\"96000\"/>", "");
    broken("d=\"180000\"", "d=\"190000\"");
    broken("r=\"1\"", "r=\"18446744073709551615\"");
    broken("contentType=\"audio\"", "contentType=\"video\"");
    broken("SegmentTimeline", "SegmentList");
}

#[test]
fn what_a_player_would_take_for_markup_is_escaped() {
    let mut mpd = mpd();
    mpd.base_url = "<&>/".into();
    mpd.periods[0].id = "\"'<".into();
    let text = mpd.to_string();
    assert!(text.contains("<BaseURL>&lt;&amp;&gt;/</BaseURL>"), "{text}");
    assert_eq!(check(&text), []);
}

fn timeline() -> impl Strategy<Value = Vec<Span>> {
    let gaps = prop::collection::vec((0u64..3, 1u64..4), 1..40);
    gaps.prop_map(|spans| {
        let mut at = 0;
        let place = |(gap, duration): (u64, u64)| {
            let start = at + gap * 1000;
            at = start + duration * 30_000;
            Span { start, duration: duration * 30_000 }
        };
        spans.into_iter().map(place).collect()
    })
}

proptest! {
    /// Whatever is written passes the check, and runs say the same as their spans.
    #[test]
    fn runs_say_what_their_spans_say(spans in timeline(), offset in 0u64..1 << 60) {
        let mut mpd = mpd();
        let template = &mut mpd.periods[0].representations[0].template;
        template.presentation_time_offset = offset;
        template.timeline = spans.iter().map(|s| Span { start: s.start + offset, ..*s }).collect();
        let (text, wanted) = (template.to_string(), template.timeline.clone());
        prop_assert_eq!(check(&mpd.to_string()), []);
        let mut read = Vec::new();
        for line in text.lines().filter(|line| line.contains("<S ")) {
            let number = |name: &str| -> Option<u64> {
                line.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?.parse().ok()
            };
            let (mut start, duration) = (number("t").unwrap(), number("d").unwrap());
            for _ in 0..=number("r").unwrap_or(0) {
                read.push(Span { start, duration });
                start += duration;
            }
        }
        prop_assert_eq!(read, wanted);
    }

    #[test]
    fn the_check_never_panics(at in 0usize..TEXT.len(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = TEXT.as_bytes().to_vec();
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn the_check_never_panics_on_text(text in "(<[MPDS]{1,3}( [trd]=\"[0-9-]{1,22}\")*/?>|[<>&\"]){0,12}") {
        check(&text);
    }
}
