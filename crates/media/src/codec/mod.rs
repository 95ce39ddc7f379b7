//! What codecs say about themselves: decoder configurations and bitstream headers.
//!
//! One file a codec. Each parses its configuration into a small struct and offers what muxers and statistics
//! need. To add a codec: a file here, a variant in [`crate::Codec`]; the exhaustive `match`es show the rest.

/// What a video configuration says, in the field's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoInfo {
    /// Codec.
    pub codec: crate::Codec,
    /// Profile, as SRS's API names it (`High`, `Main10`, …; `Other` when unknown).
    pub profile: &'static str,
    /// Level, as SRS's API names it (`3.1`, …; `Other` when unknown).
    pub level: String,
    /// Picture width in pixels after cropping; 0 when unknown.
    pub width: u32,
    /// Picture height in pixels after cropping; 0 when unknown.
    pub height: u32,
}

/// What an audio configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioInfo {
    /// Codec.
    pub codec: crate::Codec,
    /// Sampling rate in Hz.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u8,
    /// AAC profile as SRS's API names it (`LC`, `HE`, …); `Other` for other codecs.
    pub profile: &'static str,
}
