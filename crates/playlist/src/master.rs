use std::fmt;

/// A master playlist (RFC 8216 4.3.4). [`fmt::Display`] writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MasterPlaylist {
    /// In order of preference.
    pub variants: Vec<Variant>,
}

/// One rendition to choose from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variant {
    /// URI reference of the media playlist, ready to be written.
    pub uri: String,
    /// Peak bits a second.
    pub bandwidth: u64,
    /// Average bits a second.
    pub average_bandwidth: Option<u64>,
    /// RFC 6381 codec strings; none when unknown.
    pub codecs: Vec<String>,
    /// Width and height in pixels.
    pub resolution: Option<(u32, u32)>,
    /// Most pictures a second; 0 when unknown.
    pub frame_rate: f64,
}

impl fmt::Display for MasterPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "#EXTM3U")?;
        self.variants.iter().try_for_each(|variant| variant.fmt(f))
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#EXT-X-STREAM-INF:BANDWIDTH={}", self.bandwidth)?;
        if let Some(average) = self.average_bandwidth {
            write!(f, ",AVERAGE-BANDWIDTH={average}")?;
        }
        if !self.codecs.is_empty() {
            write!(f, ",CODECS=\"{}\"", self.codecs.join(","))?;
        }
        if let Some((width, height)) = self.resolution {
            write!(f, ",RESOLUTION={width}x{height}")?;
        }
        if self.frame_rate > 0.0 {
            write!(f, ",FRAME-RATE={:.3}", self.frame_rate)?;
        }
        writeln!(f, "\n{}", self.uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    #[test]
    fn variants() {
        let plain = Variant {
            uri: "/live/cam1.m3u8?hls_ctx=x1y2z3w4".into(),
            bandwidth: 1,
            average_bandwidth: Some(1),
            ..Variant::default()
        };
        let rich = Variant {
            uri: "hd.m3u8".into(),
            bandwidth: 2_000_000,
            codecs: vec!["avc1.640028".into(), "mp4a.40.2".into()],
            resolution: Some((1920, 1080)),
            ..Variant::default()
        };
        let text = MasterPlaylist { variants: vec![plain, rich] }.to_string();
        assert_eq!(
            text,
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=1\n/live/cam1.m3u8?hls_ctx=x1y2z3w4\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS=\"avc1.640028,mp4a.40.2\",RESOLUTION=1920x1080\nhd.m3u8\n"
        );
        assert_eq!(check(&text), Ok(()));
    }
}
