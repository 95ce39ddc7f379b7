use std::fmt;
use std::time::Duration;

/// A media playlist (RFC 8216 4.3.2, 4.3.3). [`fmt::Display`] writes it.
#[derive(Clone, Debug, PartialEq)]
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
}

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

impl fmt::Display for MediaPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "#EXTM3U")?;
        writeln!(f, "#EXT-X-VERSION:3")?;
        writeln!(f, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        writeln!(f, "#EXT-X-TARGETDURATION:{}", self.target_duration)?;
        if self.discontinuity_sequence > 0 {
            writeln!(f, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)?;
        }
        let mut key = None;
        for segment in &self.segments {
            segment.write(&mut key, f)?;
        }
        if self.ended {
            writeln!(f, "#EXT-X-ENDLIST")?;
        }
        Ok(())
    }
}

impl Segment {
    /// `key` is the one in force, which holds until the next tag.
    fn write<'a>(&'a self, key: &mut Option<&'a Key>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.discontinuity {
            writeln!(f, "#EXT-X-DISCONTINUITY")?;
        }
        if self.key.as_ref() != *key {
            *key = self.key.as_ref();
            write_key(*key, f)?;
        }
        writeln!(f, "#EXTINF:{:.3}, no desc", self.duration.as_secs_f64())?;
        writeln!(f, "{}", self.uri)
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
            ended: false,
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
            };
            prop_assert_eq!(check(&playlist.to_string()), Ok(()));
        }
    }
}
