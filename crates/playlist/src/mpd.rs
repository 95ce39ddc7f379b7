//! Live manifests of MPEG-DASH (ISO/IEC 23009-1), profile `isoff-live` with `SegmentTimeline`, and a strict check of
//! them.
//!
//! Only what a live server says is written: no `xlink`, no events, no content protection. Which segments are listed
//! and where a period begins is the caller's business.

mod check;
#[cfg(test)]
mod tests;

pub use check::{Violation, check};

use quick_xml::escape::escape;
use std::fmt::{self, Display as _};
use std::time::Duration;

/// The media type of manifests (ISO/IEC 23009-1 Annex C).
pub const CONTENT_TYPE: &str = "application/dash+xml";

/// Profiles (8.4; ISO/IEC 23000-19 Annex; DASH-IF IOP 4.3): segments that may be joined live, of CMAF.
const PROFILES: &str = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019";

/// AudioChannelConfiguration by number of channels (5.8.5.4).
const CHANNELS: &str = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";

/// UTCTiming whose value is the time itself (5.8.4.11).
const CLOCK: &str = "urn:mpeg:dash:utc:direct:2014";

/// A live presentation (5.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mpd {
    /// The wall clock at the presentation's time zero: `xs:dateTime` in UTC, as `2026-01-31T12:00:00.000Z`.
    pub availability_start: String,
    /// When this text was made, in the same form.
    pub publish_time: String,
    /// The server's clock when the text is sent, in the same form; players without a clock of their own go by it.
    pub clock: Option<String>,
    /// How long a player may go on without a new text.
    pub minimum_update_period: Duration,
    /// How far back from now segments are there.
    pub time_shift_buffer_depth: Duration,
    /// How far behind now players are asked to stay.
    pub suggested_presentation_delay: Duration,
    /// How much a player has ready before it begins.
    pub min_buffer_time: Duration,
    /// Longest segment.
    pub max_segment_duration: Duration,
    /// Where segments are, relative to the manifest; a URI reference that ends in `/`.
    pub base_url: String,
    /// Oldest first.
    pub periods: Vec<Period>,
}

/// A stretch of one configuration and one clock (5.3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Unique, and the same in later texts.
    pub id: String,
    /// On the presentation's timeline. A period ends where the next one begins.
    pub start: Duration,
    /// At most one of pictures and one of sound.
    pub representations: Vec<Representation>,
}

/// One track, in an adaptation set of its own (5.3.3, 5.3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Representation {
    /// Unique within the period; stands for `$RepresentationID$`.
    pub id: String,
    /// What it shows or sounds like.
    pub content: Content,
    /// RFC 6381 codec string.
    pub codecs: String,
    /// Bits a second, never 0.
    pub bandwidth: u64,
    /// Where its segments are.
    pub template: SegmentTemplate,
}

/// What is in a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Pictures.
    Video {
        /// In pixels, when known.
        size: Option<(u16, u16)>,
        /// Pictures a second as numerator and denominator, when known.
        frame_rate: Option<(u32, u32)>,
    },
    /// Sound.
    Audio {
        /// Hz.
        sampling_rate: u32,
        /// At least 1.
        channels: u8,
    },
}

/// Names and times of segments (5.3.9.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentTemplate {
    /// Ticks a second.
    pub timescale: u32,
    /// Name of the initialisation segment, a URI reference; may hold `$RepresentationID$`.
    pub initialization: String,
    /// Name of a segment; holds `$Number$`.
    pub media: String,
    /// Number of the first segment of the timeline; they count on from there.
    pub start_number: u64,
    /// The segments' own time at the start of the period, in ticks.
    pub presentation_time_offset: u64,
    /// Oldest first, without overlap.
    pub timeline: Vec<Span>,
}

/// The time a segment takes (`S`, 5.3.9.6), in ticks of its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub start: u64,
    /// How long it is.
    pub duration: u64,
}

impl Span {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.duration)
    }
}

impl fmt::Display for Mpd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        write!(f, r#"<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="{PROFILES}" type="dynamic""#)?;
        write!(f, r#" availabilityStartTime="{}""#, escape(self.availability_start.as_str()))?;
        write!(f, r#" publishTime="{}""#, escape(self.publish_time.as_str()))?;
        let durations = [
            ("minimumUpdatePeriod", self.minimum_update_period),
            ("timeShiftBufferDepth", self.time_shift_buffer_depth),
            ("suggestedPresentationDelay", self.suggested_presentation_delay),
            ("minBufferTime", self.min_buffer_time),
            ("maxSegmentDuration", self.max_segment_duration),
        ];
        durations.iter().try_for_each(|(name, length)| write!(f, r#" {name}="{}""#, Seconds(*length)))?;
        writeln!(f, ">")?;
        writeln!(f, "  <BaseURL>{}</BaseURL>", escape(self.base_url.as_str()))?;
        self.periods.iter().try_for_each(|period| period.fmt(f))?;
        if let Some(clock) = &self.clock {
            writeln!(f, r#"  <UTCTiming schemeIdUri="{CLOCK}" value="{}"/>"#, escape(clock.as_str()))?;
        }
        writeln!(f, "</MPD>")
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, r#"  <Period id="{}" start="{}">"#, escape(self.id.as_str()), Seconds(self.start))?;
        (1..).zip(&self.representations).try_for_each(|(id, track)| track.write(f, id))?;
        writeln!(f, "  </Period>")
    }
}

impl Representation {
    fn write(&self, f: &mut fmt::Formatter<'_>, set: u32) -> fmt::Result {
        let kind = self.content.kind();
        write!(f, r#"    <AdaptationSet id="{set}" contentType="{kind}" mimeType="{kind}/mp4""#)?;
        writeln!(f, r#" segmentAlignment="true" startWithSAP="1">"#)?;
        write!(f, r#"      <Representation id="{}""#, escape(self.id.as_str()))?;
        write!(f, r#" codecs="{}" bandwidth="{}""#, escape(self.codecs.as_str()), self.bandwidth)?;
        self.content.write(f)?;
        self.template.fmt(f)?;
        writeln!(f, "      </Representation>")?;
        writeln!(f, "    </AdaptationSet>")
    }
}

impl Content {
    fn kind(self) -> &'static str {
        match self {
            Content::Video { .. } => "video",
            Content::Audio { .. } => "audio",
        }
    }

    /// The rest of the start tag, and what goes before the segments.
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Video { size, frame_rate } => {
                if let Some((width, height)) = size {
                    write!(f, r#" width="{width}" height="{height}""#)?;
                }
                match frame_rate {
                    Some((rate, 1)) => write!(f, r#" frameRate="{rate}""#)?,
                    Some((numerator, denominator)) => write!(f, r#" frameRate="{numerator}/{denominator}""#)?,
                    None => {}
                }
                writeln!(f, ">")
            }
            Content::Audio { sampling_rate, channels } => {
                writeln!(f, r#" audioSamplingRate="{sampling_rate}">"#)?;
                let value = channels.max(1);
                writeln!(
                    f,
                    r#"        <AudioChannelConfiguration schemeIdUri="{CHANNELS}" value="{value}"/>"#
                )
            }
        }
    }
}

impl fmt::Display for SegmentTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"        <SegmentTemplate timescale="{}""#, self.timescale)?;
        write!(f, r#" initialization="{}""#, escape(self.initialization.as_str()))?;
        write!(f, r#" media="{}""#, escape(self.media.as_str()))?;
        let (number, offset) = (self.start_number, self.presentation_time_offset);
        writeln!(f, r#" startNumber="{number}" presentationTimeOffset="{offset}">"#)?;
        writeln!(f, "          <SegmentTimeline>")?;
        let mut rest = self.timeline.as_slice();
        while let Some((first, others)) = rest.split_first() {
            let repeated = repeats(*first, others);
            match repeated {
                0 => writeln!(f, r#"            <S t="{}" d="{}"/>"#, first.start, first.duration)?,
                r => writeln!(f, r#"            <S t="{}" d="{}" r="{r}"/>"#, first.start, first.duration)?,
            }
            rest = others.get(repeated..).unwrap_or_default();
        }
        writeln!(f, "          </SegmentTimeline>")?;
        writeln!(f, "        </SegmentTemplate>")
    }
}

/// How many of `others` go on where the one before ended and are as long as `first`.
fn repeats(first: Span, others: &[Span]) -> usize {
    let mut end = first.end();
    let same = others.iter().take_while(|span| {
        let goes_on = span.start == end && span.duration == first.duration;
        end = span.end();
        goes_on
    });
    same.count()
}

/// `xs:duration` to the microsecond.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PT{}.{:06}S", self.0.as_secs(), self.0.subsec_micros())
    }
}
