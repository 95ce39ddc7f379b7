use thiserror::Error;

/// A rule of RFC 8216 that a playlist breaks.
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
const MEDIA_TAGS: [&str; 7] = [
    "EXTINF",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-DISCONTINUITY",
    "EXT-X-KEY",
    "EXT-X-ENDLIST",
];
const MASTER_TAGS: [&str; 4] =
    ["EXT-X-STREAM-INF", "EXT-X-MEDIA", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-SESSION-DATA"];

/// Tags that stand at most once.
const SINGLE_TAGS: [&str; 5] = [
    "EXT-X-VERSION",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-ENDLIST",
];

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
    violations: Vec<Violation>,
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
            Ok(s) if s.is_finite() && s >= 0.0 => self.durations.push((self.line, s)),
            _ => self.report("4.2", format!("the duration {seconds:?} is not a decimal number")),
        }
        if seconds.contains('.') && self.version < 3 {
            self.report("7", "decimal durations need #EXT-X-VERSION 3".into());
        }
        self.begin();
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
            (true, false, Some(target)) => self.check_durations(target),
            _ => {}
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
        ];
        for (playlist, section) in cases {
            assert!(sections(playlist).contains(&section), "{playlist:?}: {:?}", check(playlist));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_answered(text in "\\PC{0,80}", tags in "(#EXT[A-Z-]{0,20}:[^:]{0,20}\n){0,6}") {
            let _ = (check(&text), check(&format!("#EXTM3U\n{tags}")));
        }
    }
}
