use std::fmt;
use std::time::Duration;

/// A media playlist (RFC 8216 4.3.2, 4.3.3; low latency: draft-pantos-hls-rfc8216bis). [`fmt::Display`] writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MediaPlaylist {
    /// Number of the first segment in the list.
    pub media_sequence: u64,
    /// Discontinuities that have left the list; written when there are any.
    pub discontinuity_sequence: u64,
    /// In whole seconds; see [`target_duration`].
    pub target_duration: u64,
    /// Oldest first.
    pub segments: Vec<Segment>,
    /// Whether no segment will be added any more.
    pub ended: bool,
    /// What low latency adds.
    pub low_latency: Option<LowLatency>,
    /// How many of `segments`, from the first, the client has already: a delta update (bis 4.4.5.2).
    pub skipped: usize,
}

/// What a playlist of low-latency HLS tells besides (bis 4.4.3.7, 4.4.3.8, 4.4.4.9, 4.4.5).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LowLatency {
    /// No part is longer.
    pub part_target: Duration,
    /// The segment being made: its parts, and the tags before them; it has no URI yet.
    pub open: Segment,
    /// URI of the part that is made next.
    pub hint: Option<String>,
    /// The newest part of other renditions.
    pub reports: Vec<Report>,
}

/// A part of a segment (bis 4.4.4.9).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// URI reference, ready to be written.
    pub uri: String,
    /// How long it plays.
    pub duration: Duration,
    /// Whether a decoder can start in it.
    pub independent: bool,
}

/// The newest part of another rendition (bis 4.4.5.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its media playlist, ready to be written.
    pub uri: String,
    /// Sequence number of the segment that has its newest part.
    pub sequence: u64,
    /// Index of that part.
    pub part: u64,
}

/// Parts are listed for so many target durations before the live edge (bis 6.2.2).
pub const PARTS_LISTED: u32 = 3;

/// A player stays so many parts behind the live edge, and as many target durations when it uses no parts.
const HOLD_BACK: u32 = 3;

/// Segments so many target durations before the live edge may be left out of a delta update (bis 4.4.3.8).
pub const SKIP_UNTIL: u32 = 6;

/// One segment of a media playlist.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// URI reference, ready to be written: see [`crate::encode_path`].
    pub uri: String,
    /// How long it plays.
    pub duration: Duration,
    /// Whether timestamps, tracks or codecs change between the segment before and this one.
    pub discontinuity: bool,
    /// How it is encrypted.
    pub key: Option<Key>,
    /// URI of its initialisation segment, for fragmented MP4.
    pub map: Option<String>,
    /// When it began, as ISO 8601 has it.
    pub date: Option<String>,
    /// Its parts, for as long as they are listed.
    pub parts: Vec<Part>,
}

/// Encryption by AES-128 in CBC mode (RFC 8216 4.3.2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where the 16 bytes are, ready to be written.
    pub uri: String,
    /// Initialisation vector.
    pub iv: [u8; 16],
}

/// The target duration in whole seconds: no segment is longer, and at least `least` (fragment × td_ratio).
pub fn target_duration(longest: Duration, least: Duration) -> u64 {
    let target = longest.max(least);
    (target.as_secs() + u64::from(target.subsec_nanos() > 0)).max(1)
}

impl MediaPlaylist {
    /// What the tags in use ask for (RFC 8216 7, bis 8).
    fn version(&self) -> u8 {
        match &self.low_latency {
            Some(_) => 9,
            None if self.segments.iter().any(|segment| segment.map.is_some()) => 7,
            None => 3,
        }
    }
}

impl fmt::Display for MediaPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "#EXTM3U")?;
        writeln!(f, "#EXT-X-VERSION:{}", self.version())?;
        writeln!(f, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        writeln!(f, "#EXT-X-TARGETDURATION:{}", self.target_duration)?;
        if self.discontinuity_sequence > 0 {
            writeln!(f, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)?;
        }
        if let Some(low_latency) = &self.low_latency {
            low_latency.write_control(self.target_duration, f)?;
        }
        let (skipped, listed) = self.segments.split_at(self.skipped.min(self.segments.len()));
        let mut in_force = InForce::default();
        if let Some(last) = skipped.last() {
            writeln!(f, "#EXT-X-SKIP:SKIPPED-SEGMENTS={}", skipped.len())?;
            in_force = InForce { key: last.key.as_ref(), map: last.map.as_ref() };
        }
        for segment in listed {
            segment.write(&mut in_force, f)?;
        }
        if let Some(low_latency) = &self.low_latency {
            low_latency.write_edge(&mut in_force, f)?;
        }
        if self.ended {
            writeln!(f, "#EXT-X-ENDLIST")?;
        }
        Ok(())
    }
}

impl LowLatency {
    fn write_control(&self, target_duration: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.part_target.as_secs_f64();
        let hold = part * f64::from(HOLD_BACK);
        let skip = target_duration * u64::from(SKIP_UNTIL);
        writeln!(
            f,
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={hold:.3},HOLD-BACK={}.0,CAN-SKIP-UNTIL={skip}.0",
            target_duration * u64::from(HOLD_BACK)
        )?;
        writeln!(f, "#EXT-X-PART-INF:PART-TARGET={part:.3}")
    }

    fn write_edge<'a>(&'a self, in_force: &mut InForce<'a>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.open.parts.is_empty() {
            self.open.write_tags(in_force, f)?;
            self.open.write_parts(f)?;
        }
        if let Some(hint) = &self.hint {
            writeln!(f, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{hint}\"")?;
        }
        self.reports.iter().try_for_each(|report| {
            let Report { uri, sequence, part } = report;
            writeln!(f, "#EXT-X-RENDITION-REPORT:URI=\"{uri}\",LAST-MSN={sequence},LAST-PART={part}")
        })
    }
}

/// Tags that hold until the next of their kind.
#[derive(Debug, Default)]
struct InForce<'a> {
    key: Option<&'a Key>,
    map: Option<&'a String>,
}

impl Segment {
    fn write<'a>(&'a self, in_force: &mut InForce<'a>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_tags(in_force, f)?;
        self.write_parts(f)?;
        writeln!(f, "#EXTINF:{:.3}, no desc", self.duration.as_secs_f64())?;
        writeln!(f, "{}", self.uri)
    }

    fn write_tags<'a>(&'a self, in_force: &mut InForce<'a>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.discontinuity {
            writeln!(f, "#EXT-X-DISCONTINUITY")?;
        }
        if self.map.as_ref() != in_force.map
            && let Some(map) = &self.map
        {
            // The key of the segments does not hold for the initialisation segment, which is clear.
            if in_force.key.take().is_some() {
                write_key(None, f)?;
            }
            in_force.map = Some(map);
            writeln!(f, "#EXT-X-MAP:URI=\"{map}\"")?;
        }
        if self.key.as_ref() != in_force.key {
            in_force.key = self.key.as_ref();
            write_key(in_force.key, f)?;
        }
        self.date.iter().try_for_each(|date| writeln!(f, "#EXT-X-PROGRAM-DATE-TIME:{date}"))
    }

    fn write_parts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| {
            let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
            let seconds = part.duration.as_secs_f64();
            writeln!(f, "#EXT-X-PART:DURATION={seconds:.5},URI=\"{}\"{independent}", part.uri)
        })
    }
}

fn write_key(key: Option<&Key>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match key {
        None => writeln!(f, "#EXT-X-KEY:METHOD=NONE"),
        Some(key) => {
            let iv = u128::from_be_bytes(key.iv);
            writeln!(f, "#EXT-X-KEY:METHOD=AES-128,URI=\"{}\",IV=0x{iv:032x}", key.uri)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use proptest::prelude::*;

    fn segment(uri: &str, ms: u64) -> Segment {
        Segment { uri: uri.into(), duration: Duration::from_millis(ms), ..Segment::default() }
    }

    #[test]
    fn the_lines_are_those_that_players_know() {
        let playlist = MediaPlaylist {
            media_sequence: 7,
            discontinuity_sequence: 0,
            target_duration: 10,
            segments: vec![
                segment("cam1-7.ts", 10_000),
                Segment { discontinuity: true, ..segment("cam1-8.ts", 9876) },
            ],
            ..MediaPlaylist::default()
        };
        assert_eq!(
            playlist.to_string(),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-TARGETDURATION:10\n\
             #EXTINF:10.000, no desc\ncam1-7.ts\n\
             #EXT-X-DISCONTINUITY\n#EXTINF:9.876, no desc\ncam1-8.ts\n"
        );
    }

    #[test]
    fn the_first_segment_in_the_list_always_tells_its_key() {
        let key = Some(Key { uri: "cam1-5.key".into(), iv: [1; 16] });
        let encrypted = |uri| Segment { key: key.clone(), ..segment(uri, 2000) };
        let playlist = MediaPlaylist {
            media_sequence: 7,
            discontinuity_sequence: 2,
            target_duration: 2,
            segments: vec![encrypted("7.ts"), encrypted("8.ts"), segment("9.ts", 2000)],
            ended: true,
            ..MediaPlaylist::default()
        };
        let text = playlist.to_string();
        let tags: Vec<_> = text.lines().filter(|l| l.starts_with("#EXT-X-KEY")).collect();
        let tag = "#EXT-X-KEY:METHOD=AES-128,URI=\"cam1-5.key\",IV=0x01010101010101010101010101010101";
        assert_eq!(tags, [tag, "#EXT-X-KEY:METHOD=NONE"]);
        assert_eq!(check(&text), Ok(()));
    }

    #[test]
    fn the_target_is_rounded_up() {
        assert_eq!(target_duration(Duration::from_millis(10_001), Duration::from_secs(10)), 11);
        assert_eq!(target_duration(Duration::from_millis(9000), Duration::from_secs(10)), 10);
        assert_eq!(target_duration(Duration::ZERO, Duration::from_millis(200)), 1);
    }

    proptest! {
        #[test]
        fn whatever_is_written_keeps_the_rules(
            media_sequence: u64,
            discontinuity_sequence: u64,
            segments in prop::collection::vec((1u64..30_000, any::<bool>(), "\\PC{1,12}"), 0..12),
            ended: bool,
        ) {
            let longest = segments.iter().map(|s| s.0).max().unwrap_or_default();
            let segments = segments.into_iter().map(|(ms, discontinuity, name)| {
                Segment { discontinuity, ..segment(&crate::encode_path(&name), ms) }
            });
            let playlist = MediaPlaylist {
                media_sequence,
                discontinuity_sequence,
                target_duration: target_duration(Duration::from_millis(longest), Duration::from_secs(2)),
                segments: segments.collect(),
                ended,
                ..MediaPlaylist::default()
            };
            prop_assert_eq!(check(&playlist.to_string()), Ok(()));
        }
    }
}
