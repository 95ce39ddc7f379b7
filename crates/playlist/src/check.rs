use thiserror::Error;

/// A rule of RFC 8216, or of its second edition (`bis`, draft-pantos-hls-rfc8216bis), that a playlist breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {what} (RFC 8216 {section})")]
pub struct Violation {
    /// Line from 1; 0 is the playlist as a whole.
    pub line: usize,
    /// The section that has the rule.
    pub section: &'static str,
    /// What is wrong.
    pub what: String,
}

/// Checks a media or master playlist against RFC 8216; reports everything that is wrong with it.
pub fn check(playlist: &str) -> Result<(), Vec<Violation>> {
    let mut checker = Checker::default();
    for (i, line) in playlist.lines().enumerate() {
        checker.line = i + 1;
        checker.take(line);
    }
    checker.finish();
    if checker.violations.is_empty() { Ok(()) } else { Err(checker.violations) }
}

/// Tags that only a media playlist has, and those that only a master playlist has.
const MEDIA_TAGS: [&str; 15] = [
    "EXTINF",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-DISCONTINUITY",
    "EXT-X-KEY",
    "EXT-X-MAP",
    "EXT-X-PROGRAM-DATE-TIME",
    "EXT-X-SERVER-CONTROL",
    "EXT-X-PART-INF",
    "EXT-X-PART",
    "EXT-X-PRELOAD-HINT",
    "EXT-X-RENDITION-REPORT",
    "EXT-X-SKIP",
    "EXT-X-ENDLIST",
];
const MASTER_TAGS: [&str; 4] =
    ["EXT-X-STREAM-INF", "EXT-X-MEDIA", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-SESSION-DATA"];

/// Tags that stand at most once.
const SINGLE_TAGS: [&str; 8] = [
    "EXT-X-VERSION",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-SERVER-CONTROL",
    "EXT-X-PART-INF",
    "EXT-X-SKIP",
    "EXT-X-ENDLIST",
];

/// How far the sum of a segment's parts may be from its duration, in seconds: both are rounded.
const SUM_TOLERANCE: f64 = 0.005;

#[derive(Default)]
struct Checker {
    line: usize,
    seen: Vec<String>,
    version: u64,
    target: Option<u64>,
    /// Seconds of the segments, with their lines.
    durations: Vec<(usize, f64)>,
    /// Line of an EXTINF or STREAM-INF whose URI has not come yet.
    open: Option<usize>,
    segments: usize,
    discontinuities: usize,
    low_latency: LowLatencyRules,
    violations: Vec<Violation>,
}

/// What the tags of low latency said.
#[derive(Default)]
struct LowLatencyRules {
    part_target: Option<f64>,
    part_hold_back: Option<f64>,
    hold_back: Option<f64>,
    can_skip_until: Option<f64>,
    /// Lines and seconds of the parts of the segment at hand.
    parts: Vec<(usize, f64)>,
    /// Lines and seconds of all parts.
    all: Vec<(usize, f64)>,
    /// Lines and seconds of parts that another part of their segment follows.
    inner: Vec<(usize, f64)>,
}

impl Checker {
    fn take(&mut self, line: &str) {
        if self.line == 1 && line != "#EXTM3U" {
            self.report("4.3.1.1", "the first line is not #EXTM3U".into());
        }
        if line.chars().any(|c| c.is_control()) {
            self.report("4.1", "control characters".into());
        }
        match line.strip_prefix('#') {
            _ if line.is_empty() => {}
            Some(tag) if tag.starts_with("EXT") => self.tag(tag),
            Some(_) => {}
            None => self.uri(line),
        }
    }

    fn tag(&mut self, tag: &str) {
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        if SINGLE_TAGS.contains(&name) && self.has(name) {
            self.report("4.3", format!("#{name} stands more than once"));
        }
        self.seen.push(name.to_owned());
        match name {
            "EXT-X-VERSION" => self.version = self.number(name, value).unwrap_or_default(),
            "EXT-X-TARGETDURATION" => self.target = self.number(name, value),
            "EXT-X-MEDIA-SEQUENCE" => self.before_segments(name, value),
            "EXT-X-DISCONTINUITY-SEQUENCE" => {
                self.before_segments(name, value);
                if self.discontinuities > 0 {
                    self.report("4.3.3.3", "#EXT-X-DISCONTINUITY-SEQUENCE after #EXT-X-DISCONTINUITY".into());
                }
            }
            "EXT-X-DISCONTINUITY" => self.discontinuities += 1,
            "EXT-X-KEY" => self.key(value),
            "EXT-X-MAP" => self.map(value),
            "EXT-X-PROGRAM-DATE-TIME" => self.date(value),
            "EXT-X-SERVER-CONTROL" => self.server_control(value),
            "EXT-X-PART-INF" => self.part_information(value),
            "EXT-X-PART" => self.part(value),
            "EXT-X-PRELOAD-HINT" => self.hint(value),
            "EXT-X-RENDITION-REPORT" => self.rendition_report(value),
            "EXT-X-SKIP" => self.skip(value),
            "EXTINF" => self.duration(value),
            "EXT-X-STREAM-INF" => self.stream(value),
            _ => {}
        }
    }

    fn uri(&mut self, uri: &str) {
        if self.open.take().is_none() {
            self.report("4.3.2.1", format!("the URI {uri:?} has no #EXTINF or #EXT-X-STREAM-INF"));
        }
        if !uri.bytes().all(|b| {
            b.is_ascii_graphic()
                && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        }) {
            self.report("4.1", format!("{uri:?} is not a URI; percent-encode it"));
        }
        if self.has("EXT-X-ENDLIST") {
            self.report("4.3.3.4", "a segment after #EXT-X-ENDLIST".into());
        }
        self.segments += 1;
    }

    fn duration(&mut self, value: &str) {
        let Some((seconds, _title)) = value.split_once(',') else {
            return self.report("4.3.2.1", "#EXTINF without the comma after its duration".into());
        };
        match seconds.parse::<f64>() {
            Ok(s) if s.is_finite() && s >= 0.0 => {
                self.durations.push((self.line, s));
                self.sum_of_parts(s);
            }
            _ => self.report("4.2", format!("the duration {seconds:?} is not a decimal number")),
        }
        if seconds.contains('.') && self.version < 3 {
            self.report("7", "decimal durations need #EXT-X-VERSION 3".into());
        }
        self.begin();
    }

    /// Parts stand before their segment, all or none of them.
    fn sum_of_parts(&mut self, seconds: f64) {
        let parts = std::mem::take(&mut self.low_latency.parts);
        let sum: f64 = parts.iter().map(|(_, seconds)| seconds).sum();
        if !parts.is_empty() && (sum - seconds).abs() > SUM_TOLERANCE {
            self.report("bis 4.4.4.9", format!("parts of {sum:.3} s in a segment of {seconds} s"));
        }
    }

    fn map(&mut self, value: &str) {
        if !attribute(value, "URI").is_some_and(quoted) {
            self.report("4.3.2.5", "#EXT-X-MAP without a quoted URI".into());
        }
        if self.version < 6 {
            self.report("7", "#EXT-X-MAP needs #EXT-X-VERSION 6".into());
        }
    }

    fn date(&mut self, value: &str) {
        let shape = value.bytes().map(|b| if b.is_ascii_digit() { b'0' } else { b });
        if !shape.collect::<Vec<_>>().starts_with(b"0000-00-00T00:00:00") {
            self.report("4.3.2.6", format!("{value:?} is not a date and time of ISO 8601"));
        }
    }

    fn server_control(&mut self, value: &str) {
        self.low_latency.part_hold_back = self.seconds(value, "PART-HOLD-BACK");
        self.low_latency.hold_back = self.seconds(value, "HOLD-BACK");
        self.low_latency.can_skip_until = self.seconds(value, "CAN-SKIP-UNTIL");
        if attribute(value, "CAN-BLOCK-RELOAD").is_some_and(|can| can != "YES") {
            self.report("bis 4.4.3.8", "CAN-BLOCK-RELOAD is YES or absent".into());
        }
    }

    fn part_information(&mut self, value: &str) {
        self.low_latency.part_target = self.seconds(value, "PART-TARGET").filter(|&target| target > 0.0);
        if self.low_latency.part_target.is_none() {
            self.report("bis 4.4.3.7", "#EXT-X-PART-INF without PART-TARGET".into());
        }
    }

    fn part(&mut self, value: &str) {
        if !attribute(value, "URI").is_some_and(quoted) {
            self.report("bis 4.4.4.9", "#EXT-X-PART without a quoted URI".into());
        }
        if attribute(value, "INDEPENDENT").is_some_and(|independent| independent != "YES") {
            self.report("bis 4.4.4.9", "INDEPENDENT is YES or absent".into());
        }
        let Some(seconds) = self.seconds(value, "DURATION") else {
            return self.report("bis 4.4.4.9", "#EXT-X-PART without DURATION".into());
        };
        let rules = &mut self.low_latency;
        rules.inner.extend(rules.parts.last().copied());
        rules.parts.push((self.line, seconds));
        rules.all.push((self.line, seconds));
    }

    fn hint(&mut self, value: &str) {
        let known = matches!(attribute(value, "TYPE"), Some("PART" | "MAP"));
        if !known || !attribute(value, "URI").is_some_and(quoted) {
            self.report("bis 4.4.5.3", "#EXT-X-PRELOAD-HINT without TYPE and a quoted URI".into());
        }
    }

    fn rendition_report(&mut self, value: &str) {
        let uri = attribute(value, "URI").filter(|uri| quoted(uri));
        if uri.is_none_or(|uri| uri.contains("://")) {
            self.report("bis 4.4.5.4", "#EXT-X-RENDITION-REPORT without a relative URI in quotes".into());
        }
        let sequence = attribute(value, "LAST-MSN").and_then(|n| n.parse::<u64>().ok());
        let part = attribute(value, "LAST-PART").map(|n| n.parse::<u64>().is_ok());
        if sequence.is_none() || part == Some(false) {
            self.report("bis 4.4.5.4", "LAST-MSN and LAST-PART are decimal integers".into());
        }
    }

    fn skip(&mut self, value: &str) {
        let count = attribute(value, "SKIPPED-SEGMENTS").and_then(|n| n.parse::<u64>().ok());
        if count.is_none_or(|count| count == 0) {
            self.report("bis 4.4.5.2", "#EXT-X-SKIP without SKIPPED-SEGMENTS".into());
        }
        if self.version < 9 {
            self.report("bis 8", "#EXT-X-SKIP needs #EXT-X-VERSION 9".into());
        }
        if self.low_latency.can_skip_until.is_none() {
            self.report("bis 4.4.5.2", "#EXT-X-SKIP although CAN-SKIP-UNTIL is not offered".into());
        }
        if self.segments > 0 || self.open.is_some() {
            self.report("bis 4.4.5.2", "#EXT-X-SKIP after the first segment".into());
        }
    }

    /// A number of seconds in an attribute list.
    fn seconds(&mut self, list: &str, name: &str) -> Option<f64> {
        let text = attribute(list, name)?;
        let seconds = text.parse::<f64>().ok().filter(|s| s.is_finite() && *s >= 0.0);
        if seconds.is_none() {
            self.report("4.2", format!("{name}={text} is not a number of seconds"));
        }
        seconds
    }

    fn stream(&mut self, value: &str) {
        match attribute(value, "BANDWIDTH") {
            Some(bandwidth) if bandwidth.parse::<u64>().is_ok() => {}
            _ => self.report("4.3.4.2", "#EXT-X-STREAM-INF without BANDWIDTH".into()),
        }
        self.begin();
    }

    fn begin(&mut self) {
        if let Some(line) = self.open.replace(self.line) {
            self.report("4.3.2.1", format!("no URI follows line {line}"));
        }
    }

    fn key(&mut self, value: &str) {
        match (attribute(value, "METHOD"), attribute(value, "URI")) {
            (Some("NONE"), None) => {}
            (Some("NONE"), Some(_)) => self.report("4.3.2.4", "METHOD=NONE with a URI".into()),
            (Some("AES-128" | "SAMPLE-AES"), Some(uri)) if quoted(uri) => {}
            (Some("AES-128" | "SAMPLE-AES"), _) => {
                self.report("4.3.2.4", "a key without a quoted URI".into())
            }
            _ => self.report("4.3.2.4", "#EXT-X-KEY without a known METHOD".into()),
        }
        if let Some(iv) = attribute(value, "IV") {
            let hex = iv.strip_prefix("0x").or(iv.strip_prefix("0X")).unwrap_or_default();
            if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                self.report("4.3.2.4", "the IV is not a hexadecimal number of 128 bits".into());
            }
            if self.version < 2 {
                self.report("7", "an IV needs #EXT-X-VERSION 2".into());
            }
        }
    }

    fn before_segments(&mut self, name: &str, value: &str) {
        self.number(name, value);
        if self.segments > 0 || self.open.is_some() {
            self.report("4.3.3.2", format!("#{name} after the first segment"));
        }
    }

    fn number(&mut self, name: &str, value: &str) -> Option<u64> {
        let number = value.parse().ok();
        if number.is_none() {
            self.report("4.2", format!("#{name}:{value} is not a decimal integer"));
        }
        number
    }

    fn finish(&mut self) {
        self.line = 0;
        if !self.has("EXTM3U") {
            self.report("4.3.1.1", "no #EXTM3U".into());
        }
        if let Some(line) = self.open {
            self.report("4.3.2.1", format!("no URI follows line {line}"));
        }
        let media = MEDIA_TAGS.iter().any(|tag| self.has(tag));
        let master = MASTER_TAGS.iter().any(|tag| self.has(tag));
        match (media, master, self.target) {
            (true, true, _) => self.report("4.1", "tags of media and of master playlists together".into()),
            (true, false, None) => self.report("4.3.3.1", "no #EXT-X-TARGETDURATION".into()),
            (true, false, Some(target)) => {
                self.check_durations(target);
                self.check_low_latency(target as f64);
            }
            _ => {}
        }
    }

    fn check_low_latency(&mut self, target: f64) {
        self.line = 0;
        let rules = std::mem::take(&mut self.low_latency);
        if rules.can_skip_until.is_some_and(|until| until < 6.0 * target) {
            self.report("bis 4.4.3.8", "CAN-SKIP-UNTIL is less than six target durations".into());
        }
        if rules.hold_back.is_some_and(|hold| hold < 3.0 * target) {
            self.report("bis 4.4.3.8", "HOLD-BACK is less than three target durations".into());
        }
        let Some(part_target) = rules.part_target else {
            if !rules.all.is_empty() {
                self.report("bis 4.4.3.7", "parts without #EXT-X-PART-INF".into());
            }
            return;
        };
        if rules.part_hold_back.is_none_or(|hold| hold < 3.0 * part_target - 0.001) {
            self.report("bis 4.4.3.8", "PART-HOLD-BACK is less than three part targets".into());
        }
        self.check_parts(&rules, part_target);
    }

    fn check_parts(&mut self, rules: &LowLatencyRules, target: f64) {
        for &(line, seconds) in rules.all.iter().filter(|(_, seconds)| *seconds > target + 0.0005) {
            self.line = line;
            self.report(
                "bis 4.4.4.9",
                format!("a part of {seconds} s, longer than the target of {target} s"),
            );
        }
        for &(line, seconds) in rules.inner.iter().filter(|(_, seconds)| *seconds < 0.85 * target - 0.0005) {
            self.line = line;
            let what = format!("a part of {seconds} s inside a segment, less than 85 % of {target} s");
            self.report("bis 4.4.4.9", what);
        }
    }

    fn check_durations(&mut self, target: u64) {
        for (line, seconds) in std::mem::take(&mut self.durations) {
            if seconds.round() > target as f64 {
                self.line = line;
                self.report(
                    "4.3.3.1",
                    format!("a segment of {seconds} s, longer than the target of {target} s"),
                );
            }
        }
    }

    fn has(&self, tag: &str) -> bool {
        self.seen.iter().any(|seen| seen == tag)
    }

    fn report(&mut self, section: &'static str, what: String) {
        self.violations.push(Violation { line: self.line, section, what });
    }
}

/// Checks that a client that has `old` can go on with `new`, a later version of the same live media playlist (RFC 8216
/// 6.2.1, 6.2.2). Each by itself is [`check`]'s business.
pub fn check_update(old: &str, new: &str) -> Result<(), Vec<Violation>> {
    let (old, new) = (Outline::parse(old), Outline::parse(new));
    let mut violations = Vec::new();
    let mut rule = |holds: bool, section: &'static str, what: String| {
        if !holds {
            violations.push(Violation { line: 0, section, what });
        }
    };
    rule(new.target == old.target, "4.3.3.1", "the target duration changed".into());
    rule(new.part_target == old.part_target, "bis 4.4.3.7", "the part target changed".into());
    rule(new.first >= old.first, "6.2.2", "the media sequence number went back".into());
    rule(new.end() >= old.end(), "6.2.1", "segments at the end are gone".into());
    for (n, before) in (0u64..).zip(&old.segments) {
        let sequence = old.first.saturating_add(old.skipped).saturating_add(n);
        let Some(after) = new.at(sequence) else { continue };
        if let Some(uri) = &before.uri {
            let same = after.uri.as_ref() == Some(uri) && after.tags == before.tags;
            rule(same, "6.2.1", format!("segment {sequence} changed"));
        }
        let kept = after.parts.is_empty() || after.parts.starts_with(&before.parts);
        rule(kept, "bis 6.2.1", format!("parts of segment {sequence} changed"));
    }
    let gone = old.segments.iter().take(new.first.saturating_sub(old.first) as usize);
    let left = gone.filter(|segment| segment.tags.iter().any(|tag| tag == "#EXT-X-DISCONTINUITY")).count();
    let counted = new.discontinuities >= old.discontinuities.saturating_add(left as u64);
    rule(old.skipped > 0 || counted, "6.2.2", "the discontinuity sequence number is too low".into());
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// What must stay the same from one version of a playlist to the next.
#[derive(Debug, Default)]
struct Outline {
    first: u64,
    discontinuities: u64,
    skipped: u64,
    target: String,
    part_target: Option<String>,
    /// The last may be open: without a URI.
    segments: Vec<SegmentOutline>,
}

#[derive(Debug, Default)]
struct SegmentOutline {
    uri: Option<String>,
    /// EXTINF and what stands before it; not what holds for later segments too, whose place depends on the list.
    tags: Vec<String>,
    parts: Vec<String>,
}

impl Outline {
    fn parse(playlist: &str) -> Outline {
        let mut out = Outline::default();
        let mut open = SegmentOutline::default();
        for line in playlist.lines().filter(|line| !line.is_empty()) {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-MEDIA-SEQUENCE" => out.first = value.parse().unwrap_or_default(),
                "#EXT-X-DISCONTINUITY-SEQUENCE" => out.discontinuities = value.parse().unwrap_or_default(),
                "#EXT-X-TARGETDURATION" => out.target = value.to_owned(),
                "#EXT-X-PART-INF" => out.part_target = Some(value.to_owned()),
                "#EXT-X-SKIP" => {
                    let count = attribute(value, "SKIPPED-SEGMENTS").and_then(|n| n.parse().ok());
                    out.skipped = count.unwrap_or_default();
                }
                "#EXTINF" | "#EXT-X-DISCONTINUITY" | "#EXT-X-PROGRAM-DATE-TIME" => {
                    open.tags.push(line.to_owned())
                }
                "#EXT-X-PART" => open.parts.push(line.to_owned()),
                _ if line.starts_with('#') => {}
                _ => {
                    open.uri = Some(line.to_owned());
                    out.segments.push(std::mem::take(&mut open));
                }
            }
        }
        if !open.parts.is_empty() {
            out.segments.push(open);
        }
        out
    }

    fn at(&self, sequence: u64) -> Option<&SegmentOutline> {
        let index = sequence.checked_sub(self.first.saturating_add(self.skipped))?;
        self.segments.get(usize::try_from(index).ok()?)
    }

    fn end(&self) -> u64 {
        let complete = self.segments.iter().filter(|segment| segment.uri.is_some()).count();
        self.first.saturating_add(self.skipped).saturating_add(complete as u64)
    }
}

/// The value of an attribute (RFC 8216 4.2), quotes included.
fn attribute<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = list;
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=')?;
        let end = match value.strip_prefix('"') {
            Some(inside) => inside.find('"')? + 2,
            None => value.find(',').unwrap_or(value.len()),
        };
        let (value, tail) = value.split_at_checked(end)?;
        if key.trim() == name {
            return Some(value);
        }
        rest = tail.strip_prefix(',').unwrap_or(tail);
    }
    None
}

fn quoted(value: &str) -> bool {
    value.len() > 2 && value.starts_with('"') && value.ends_with('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sections(playlist: &str) -> Vec<&'static str> {
        check(playlist).err().into_iter().flatten().map(|v| v.section).collect()
    }

    #[test]
    fn each_rule_is_found_broken() {
        let cases = [
            ("", "4.3.1.1"),
            ("#EXT-X-VERSION:3\n", "4.3.1.1"),
            ("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-VERSION:3\n", "4.3"),
            ("#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1.0,\na.ts\n", "4.3.3.1"),
            ("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.5,\na.ts\n", "4.3.3.1"),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\na.ts\n", "7"),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n", "4.3.2.1"),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1\na.ts\n", "4.3.2.1"),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:x,\na.ts\n", "4.2"),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\na b.ts\n", "4.1"),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\na.ts\n", "4.3.2.1"),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\na.ts\n#EXT-X-MEDIA-SEQUENCE:1\n", "4.3.3.2"),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-ENDLIST\n#EXTINF:1,\na.ts\n", "4.3.3.4"),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-128\n", "4.3.2.4"),
            ("#EXTM3U\n#EXT-X-STREAM-INF:CODECS=\"a,b\"\nx.m3u8\n", "4.3.4.2"),
            ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx.m3u8\n#EXT-X-TARGETDURATION:2\n", "4.1"),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"i.mp4\"\n", "7"),
            ("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=i.mp4\n", "4.3.2.5"),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PROGRAM-DATE-TIME:today\n", "4.3.2.6"),
        ];
        for (playlist, section) in cases {
            assert!(sections(playlist).contains(&section), "{playlist:?}: {:?}", check(playlist));
        }
    }

    /// A playlist that keeps every rule of low latency.
    const EDGE: &str = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-MEDIA-SEQUENCE:4\n#EXT-X-TARGETDURATION:1\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,HOLD-BACK=3.0,CAN-SKIP-UNTIL=6.0\n\
        #EXT-X-PART-INF:PART-TARGET=0.5\n#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n#EXT-X-MAP:URI=\"i.mp4\"\n\
        #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n\
        #EXT-X-PART:DURATION=0.5,URI=\"6.0.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.2,URI=\"6.1.m4s\"\n\
        #EXTINF:0.7,\n6.m4s\n#EXT-X-PART:DURATION=0.48,URI=\"7.0.m4s\"\n\
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"7.1.m4s\"\n\
        #EXT-X-RENDITION-REPORT:URI=\"b.m3u8\",LAST-MSN=7,LAST-PART=0\n";

    #[test]
    fn each_rule_of_low_latency_is_found_broken() {
        assert_eq!(check(EDGE), Ok(()));
        let cases = [
            ("DURATION=0.48", "DURATION=0.51", "bis 4.4.4.9"),
            ("DURATION=0.5,URI=\"6.0.m4s\"", "DURATION=0.4,URI=\"6.0.m4s\"", "bis 4.4.4.9"),
            ("#EXTINF:0.7,", "#EXTINF:0.9,", "bis 4.4.4.9"),
            ("INDEPENDENT=YES", "INDEPENDENT=NO", "bis 4.4.4.9"),
            ("URI=\"7.0.m4s\"", "URI=7.0.m4s", "bis 4.4.4.9"),
            ("DURATION=0.48,", "", "bis 4.4.4.9"),
            ("PART-TARGET=0.5", "X=0.5", "bis 4.4.3.7"),
            ("#EXT-X-PART-INF:PART-TARGET=0.5\n", "", "bis 4.4.3.7"),
            ("PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.4", "bis 4.4.3.8"),
            (",HOLD-BACK=3.0", ",HOLD-BACK=2.9", "bis 4.4.3.8"),
            ("CAN-SKIP-UNTIL=6.0", "CAN-SKIP-UNTIL=5.0", "bis 4.4.3.8"),
            (",CAN-SKIP-UNTIL=6.0", "", "bis 4.4.5.2"),
            ("CAN-BLOCK-RELOAD=YES", "CAN-BLOCK-RELOAD=NO", "bis 4.4.3.8"),
            ("SKIPPED-SEGMENTS=2", "SKIPPED-SEGMENTS=0", "bis 4.4.5.2"),
            ("#EXT-X-VERSION:9", "#EXT-X-VERSION:8", "bis 8"),
            ("TYPE=PART", "TYPE=ALL", "bis 4.4.5.3"),
            ("LAST-MSN=7", "LAST-MSN=x", "bis 4.4.5.4"),
            ("URI=\"b.m3u8\"", "URI=\"http://b/b.m3u8\"", "bis 4.4.5.4"),
            ("CAN-SKIP-UNTIL=6.0", "CAN-SKIP-UNTIL=x", "4.2"),
        ];
        for (from, to, section) in cases {
            let broken = EDGE.replace(from, to);
            assert_ne!(broken, EDGE, "{from}");
            assert!(sections(&broken).contains(&section), "{to}: {:?}", check(&broken));
        }
    }

    #[test]
    fn updates_keep_what_a_client_knows() {
        let next = EDGE.replace(
            "#EXT-X-PRELOAD",
            "#EXT-X-PART:DURATION=0.2,URI=\"7.1.m4s\"\n#EXTINF:0.68,\n7.m4s\n#EXT-X-PRELOAD",
        );
        assert_eq!((check(&next), check_update(EDGE, &next)), (Ok(()), Ok(())));
        let broken = |from: &str, to: &str| {
            let violations = check_update(EDGE, &next.replace(from, to)).err().into_iter().flatten();
            violations.map(|v| v.section).collect::<Vec<_>>()
        };
        assert_eq!(broken("TARGETDURATION:1", "TARGETDURATION:2"), ["4.3.3.1"]);
        assert_eq!(broken("PART-TARGET=0.5", "PART-TARGET=0.6"), ["bis 4.4.3.7"]);
        assert!(broken("MEDIA-SEQUENCE:4", "MEDIA-SEQUENCE:3").contains(&"6.2.2"));
        assert_eq!(broken("\n6.m4s", "\nsix.m4s"), ["6.2.1"]);
        assert_eq!(broken("7.0.m4s", "seven.m4s"), ["bis 6.2.1"]);
        assert!(check_update(&next, EDGE).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_answered(text in "\\PC{0,80}", tags in "(#EXT[A-Z-]{0,20}:[^:]{0,20}\n){0,6}") {
            let tags = format!("#EXTM3U\n{tags}");
            let _ = (check(&text), check(&tags), check_update(&text, &tags), check_update(&tags, &text));
        }
    }
}
