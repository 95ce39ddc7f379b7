//! Whether a live manifest keeps the rules.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::collections::HashSet;
use std::str::FromStr;
use thiserror::Error;

/// Longest timeline that is looked at, in segments; a longer one is refused.
const SPANS_MAX: u64 = 100_000;

/// A rule of ISO/IEC 23009-1 that a manifest breaks.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Violation {
    /// Not well-formed XML.
    #[error("the manifest is not well-formed: {0}")]
    Xml(String),
    /// An element stands where it may not, or twice, or is missing.
    #[error("element {0} is missing, misplaced or there too often")]
    Element(String),
    /// An attribute is missing or not of its type.
    #[error("attribute {1} of {0} is missing or malformed: {2:?}")]
    Attribute(&'static str, &'static str, Option<String>),
    /// An id is there twice (5.3.2.2, 5.3.3.2, 5.3.5.2).
    #[error("id {0:?} is there twice")]
    Twice(String),
    /// A period does not begin after the one before (5.3.2.1).
    #[error("period {0:?} does not begin after the one before")]
    PeriodOrder(String),
    /// Segments overlap, have no length or begin before their period (5.3.9.6).
    #[error("segments of {0:?} overlap, are empty or begin before their period, at tick {1}")]
    Timeline(String, u64),
    /// A segment is longer than `maxSegmentDuration` (5.3.1.2).
    #[error("a segment of {0:?} is longer than maxSegmentDuration, at tick {1}")]
    TooLong(String, u64),
    /// A template without `$Number$`, or an absolute name (5.3.9.4.4).
    #[error("template {0:?} names no segments")]
    Template(String),
    /// The delay asked for is longer than what is kept.
    #[error("suggestedPresentationDelay is longer than timeShiftBufferDepth")]
    Delay,
}

/// Checks a live manifest: every rule that can be told from the text alone.
pub fn check(text: &str) -> Vec<Violation> {
    let mut check = Check::default();
    if let Err(violation) = check.read(text) {
        check.violations.push(violation);
    }
    check.violations
}

#[derive(Debug, Default)]
struct Check {
    violations: Vec<Violation>,
    path: Vec<String>,
    max_segment_s: f64,
    periods: HashSet<String>,
    period_start_s: Option<f64>,
    sets: HashSet<String>,
    representations: HashSet<String>,
    representation: String,
    template: Option<Template>,
    has_mpd: bool,
}

#[derive(Debug, Default)]
struct Template {
    timescale: u64,
    offset: u64,
    /// Where the next span begins when it does not say.
    next: Option<u64>,
    spans: u64,
}

/// Which element may stand in which.
const PARENTS: &[(&str, &str)] = &[
    ("MPD", ""),
    ("BaseURL", "MPD"),
    ("UTCTiming", "MPD"),
    ("Period", "MPD"),
    ("AdaptationSet", "Period"),
    ("Representation", "AdaptationSet"),
    ("AudioChannelConfiguration", "Representation"),
    ("SegmentTemplate", "Representation"),
    ("SegmentTimeline", "SegmentTemplate"),
    ("S", "SegmentTimeline"),
];

impl Check {
    fn read(&mut self, text: &str) -> Result<(), Violation> {
        let mut reader = Reader::from_str(text);
        loop {
            match reader.read_event().map_err(|error| Violation::Xml(error.to_string()))? {
                Event::Start(tag) => {
                    let name = self.open(&tag)?;
                    self.path.push(name);
                }
                Event::Empty(tag) => {
                    let name = self.open(&tag)?;
                    self.close(&name);
                }
                Event::End(_) => {
                    let name = self.path.pop().unwrap_or_default();
                    self.close(&name);
                }
                Event::Eof if self.path.is_empty() && self.has_mpd => return Ok(()),
                Event::Eof => return Err(Violation::Element("MPD".into())),
                _ => {}
            }
        }
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Result<String, Violation> {
        let name = tag.name().as_ref().to_owned();
        let parent = self.path.last().map_or("", String::as_str);
        if !PARENTS.contains(&(&name, parent))
            || (name == "MPD" && std::mem::replace(&mut self.has_mpd, true))
        {
            return Err(Violation::Element(name));
        }
        let attributes = Attributes::read(tag)?;
        match name.as_str() {
            "MPD" => self.mpd(&attributes)?,
            "UTCTiming" => _ = attributes.text("UTCTiming", "schemeIdUri")?,
            "Period" => self.period(&attributes)?,
            "AdaptationSet" => self.adaptation_set(&attributes)?,
            "Representation" => self.representation(&attributes)?,
            "SegmentTemplate" => self.segment_template(&attributes)?,
            "S" => self.span(&attributes)?,
            _ => {}
        }
        Ok(name)
    }

    fn close(&mut self, name: &str) {
        let missing = match name {
            "MPD" if self.periods.is_empty() => "Period",
            "Period" if self.sets.is_empty() => "AdaptationSet",
            "AdaptationSet" if self.representation.is_empty() => "Representation",
            "Representation" if self.template.take().is_none_or(|template| template.spans == 0) => "S",
            _ => return,
        };
        self.violations.push(Violation::Element(missing.into()));
    }

    fn mpd(&mut self, mpd: &Attributes) -> Result<(), Violation> {
        const MPD: &str = "MPD";
        mpd.must(MPD, "xmlns", |value| value == "urn:mpeg:dash:schema:mpd:2011")?;
        mpd.must(MPD, "profiles", |value| value.contains("urn:mpeg:dash:profile:isoff-live:2011"))?;
        mpd.must(MPD, "type", |value| value == "dynamic")?;
        mpd.must(MPD, "availabilityStartTime", is_date)?;
        mpd.must(MPD, "publishTime", is_date)?;
        mpd.seconds(MPD, "minimumUpdatePeriod")?;
        mpd.seconds(MPD, "minBufferTime")?;
        self.max_segment_s = mpd.seconds(MPD, "maxSegmentDuration")?;
        let depth = mpd.seconds(MPD, "timeShiftBufferDepth")?;
        if mpd.seconds(MPD, "suggestedPresentationDelay")? > depth {
            self.violations.push(Violation::Delay);
        }
        Ok(())
    }

    fn period(&mut self, period: &Attributes) -> Result<(), Violation> {
        let (id, start) = (period.text("Period", "id")?, period.seconds("Period", "start")?);
        if self.period_start_s.is_some_and(|before| before >= start) {
            self.violations.push(Violation::PeriodOrder(id.clone()));
        }
        self.period_start_s = Some(start);
        self.sets.clear();
        self.representations.clear();
        self.once(true, id);
        Ok(())
    }

    fn adaptation_set(&mut self, set: &Attributes) -> Result<(), Violation> {
        const SET: &str = "AdaptationSet";
        let kind = set.text(SET, "contentType")?;
        set.must(SET, "mimeType", |mime| mime == format!("{kind}/mp4"))?;
        set.must(SET, "segmentAlignment", |value| value == "true")?;
        let id = set.text(SET, "id")?;
        if !self.sets.insert(id.clone()) {
            self.violations.push(Violation::Twice(id));
        }
        self.representation.clear();
        Ok(())
    }

    fn representation(&mut self, track: &Attributes) -> Result<(), Violation> {
        const REPRESENTATION: &str = "Representation";
        self.representation = track.text(REPRESENTATION, "id")?;
        track.must(REPRESENTATION, "codecs", |codecs| !codecs.is_empty())?;
        track.must(REPRESENTATION, "bandwidth", |rate| rate.parse().is_ok_and(|rate: u64| rate > 0))?;
        self.once(false, self.representation.clone());
        Ok(())
    }

    fn segment_template(&mut self, template: &Attributes) -> Result<(), Violation> {
        const TEMPLATE: &str = "SegmentTemplate";
        let timescale: u64 = template.number(TEMPLATE, "timescale")?;
        let offset = template.number(TEMPLATE, "presentationTimeOffset")?;
        template.number::<u64>(TEMPLATE, "startNumber")?;
        template.must(TEMPLATE, "initialization", |name| !name.is_empty() && !name.contains("$Number"))?;
        let media = template.text(TEMPLATE, "media")?;
        if !media.contains("$Number$") || media.starts_with('/') || timescale == 0 {
            self.violations.push(Violation::Template(media));
        }
        self.template = Some(Template { timescale: timescale.max(1), offset, next: None, spans: 0 });
        Ok(())
    }

    fn span(&mut self, span: &Attributes) -> Result<(), Violation> {
        let duration: u64 = span.number("S", "d")?;
        let repeat: u64 = if span.has("r") { span.number("S", "r")? } else { 0 };
        let (id, max) = (self.representation.clone(), self.max_segment_s);
        let Some(template) = &mut self.template else { return Err(Violation::Element("S".into())) };
        let start = if span.has("t") { span.number("S", "t")? } else { template.next.unwrap_or(0) };
        let early = start < template.next.unwrap_or(template.offset);
        template.spans = template.spans.saturating_add(repeat.saturating_add(1));
        let lasts = duration.checked_mul(repeat.saturating_add(1)).and_then(|lasts| start.checked_add(lasts));
        template.next = lasts;
        if early || duration == 0 || lasts.is_none() || template.spans > SPANS_MAX {
            self.violations.push(Violation::Timeline(id, start));
        } else if duration as f64 / template.timescale as f64 > max + 0.001 {
            self.violations.push(Violation::TooLong(id, start));
        }
        Ok(())
    }

    fn once(&mut self, period: bool, id: String) {
        let known = if period { &mut self.periods } else { &mut self.representations };
        if !known.insert(id.clone()) {
            self.violations.push(Violation::Twice(id));
        }
    }
}

/// The attributes of an element, unescaped.
struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn read(tag: &BytesStart<'_>) -> Result<Attributes, Violation> {
        let xml = |error: String| Violation::Xml(error);
        let pairs = tag.attributes().map(|attribute| {
            let attribute = attribute.map_err(|error| xml(error.to_string()))?;
            let value =
                quick_xml::escape::unescape(&attribute.value).map_err(|error| xml(error.to_string()))?;
            Ok((attribute.key.as_ref().to_owned(), value.into_owned()))
        });
        pairs.collect::<Result<_, _>>().map(Attributes)
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn must(
        &self,
        element: &'static str,
        name: &'static str,
        right: impl Fn(&str) -> bool,
    ) -> Result<(), Violation> {
        match self.find(name) {
            Some(value) if right(value) => Ok(()),
            found => Err(Violation::Attribute(element, name, found.map(str::to_owned))),
        }
    }

    fn text(&self, element: &'static str, name: &'static str) -> Result<String, Violation> {
        let found = self.find(name).filter(|value| !value.is_empty());
        found.map(str::to_owned).ok_or(Violation::Attribute(element, name, None))
    }

    fn number<T: FromStr>(&self, element: &'static str, name: &'static str) -> Result<T, Violation> {
        let text = self.text(element, name)?;
        text.parse().map_err(|_| Violation::Attribute(element, name, Some(text)))
    }

    /// `xs:duration`, of seconds alone.
    fn seconds(&self, element: &'static str, name: &'static str) -> Result<f64, Violation> {
        let text = self.text(element, name)?;
        let digits = text.strip_prefix("PT").and_then(|rest| rest.strip_suffix('S'));
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
        let parsed = digits.and_then(|digits| digits.parse().ok());
        parsed.ok_or(Violation::Attribute(element, name, Some(text)))
    }
}

/// `xs:dateTime` in UTC, as the writer's callers give it.
fn is_date(text: &str) -> bool {
    let pattern = "0000-00-00T00:00:00";
    let same = |(found, wanted): (u8, u8)| match wanted {
        b'0' => found.is_ascii_digit(),
        other => found == other,
    };
    let Some(fraction) = text.get(pattern.len()..).and_then(|rest| rest.strip_suffix('Z')) else {
        return false;
    };
    let digits = fraction
        .strip_prefix('.')
        .map(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    text.bytes().zip(pattern.bytes()).all(same) && (fraction.is_empty() || digits == Some(true))
}
