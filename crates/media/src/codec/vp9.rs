//! VP9: configuration record (VP9-ISOBMFF 2.2) and the start of the frame header (VP9 6.2).

use super::bits::BitReader;
use super::{Fault, ParseError, VideoInfo};
use crate::{Codec, Reader};
use bytes::{BufMut, Bytes, BytesMut};

/// VPCodecConfigurationRecord, after its FullBox header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Profile, 0 to 3.
    pub profile: u8,
    /// Ten times the level.
    pub level: u8,
    /// Bit depth, chroma subsampling and range as they came.
    pub format: u8,
    /// Colour primaries, transfer and matrix (ISO/IEC 23091-2).
    pub colour: [u8; 3],
}

impl Config {
    /// From the record's bytes, its 4-byte FullBox header included.
    pub fn parse(record: &Bytes) -> Result<Config, ParseError> {
        Config::read(record).map_err(|fault| fault.within("VPCodecConfigurationRecord"))
    }

    fn read(record: &Bytes) -> Result<Config, Fault> {
        let mut r = Reader::new(record);
        let [version, ..] = r.array::<4>()?;
        if version != 1 {
            return Err(Fault::value("version", version));
        }
        let [profile, level, format] = r.array()?;
        Ok(Config { profile, level, format, colour: r.array()? })
    }

    /// The record's bytes, FullBox header included.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_slice(&[1, 0, 0, 0, self.profile, self.level, self.format]);
        out.put_slice(&self.colour);
        out.put_u16(0); // codecInitializationDataSize
        out.freeze()
    }

    /// What the API shows. The record has no picture size; [`Header`] has.
    pub fn info(&self) -> VideoInfo {
        let level = format!("{}.{}", self.level / 10, self.level % 10);
        VideoInfo { codec: Codec::Vp9, profile: profile_name(self.profile), level, width: 0, height: 0 }
    }

    /// `vp09.PP.LL.DD` (VP9-ISOBMFF 5).
    pub fn codec_string(&self) -> String {
        format!("vp09.{:02}.{:02}.{:02}", self.profile, self.level, self.format >> 4)
    }
}

fn profile_name(profile: u8) -> &'static str {
    match profile {
        0 => "Profile 0",
        1 => "Profile 1",
        2 => "Profile 2",
        3 => "Profile 3",
        _ => super::OTHER,
    }
}

/// The start of a frame's uncompressed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Profile, 0 to 3.
    pub profile: u8,
    /// Width and height in pixels of a key frame; `None` for other frames.
    pub key: Option<(u32, u32)>,
}

impl Header {
    /// From a frame's bytes.
    pub fn parse(frame: &[u8]) -> Result<Header, ParseError> {
        Header::read(&mut BitReader::new(frame)).map_err(|fault| fault.within("VP9 frame header"))
    }

    fn read(r: &mut BitReader<'_>) -> Result<Header, Fault> {
        let marker = r.bits(2)?;
        if marker != 2 {
            return Err(Fault::value("frame_marker", marker));
        }
        let profile = u8::from(r.flag()?) | u8::from(r.flag()?) << 1;
        if profile == 3 {
            r.skip(1)?;
        }
        let show_existing = r.flag()?;
        if show_existing || r.flag()? {
            return Ok(Header { profile, key: None });
        }
        r.skip(2)?; // show_frame, error_resilient_mode
        let sync = r.bits(24)?;
        if sync != 0x49_8342 {
            return Err(Fault::value("frame_sync_code", sync));
        }
        skip_color_config(r, profile)?;
        let (width, height) = (r.bits(16)? + 1, r.bits(16)? + 1);
        Ok(Header { profile, key: Some((width, height)) })
    }

    /// What the API shows of a key frame; the level is not in it.
    pub fn info(&self) -> Option<VideoInfo> {
        let (width, height) = self.key?;
        let level = super::OTHER.into();
        Some(VideoInfo { codec: Codec::Vp9, profile: profile_name(self.profile), level, width, height })
    }
}

/// `color_config()` (VP9 6.2.2).
fn skip_color_config(r: &mut BitReader<'_>, profile: u8) -> Result<(), Fault> {
    const SRGB: u32 = 7;
    r.skip(usize::from(profile >= 2))?;
    let srgb = r.bits(3)? == SRGB;
    let subsampled = profile % 2 == 1;
    let skip = match (srgb, subsampled) {
        (false, false) => 1,
        (false, true) => 4,
        (true, true) => 1,
        (true, false) => 0,
    };
    Ok(r.skip(skip)?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::hex;
    use super::*;

    /// The start of a key frame by libvpx, 320x180.
    pub(in super::super) const KEY: &str = "824983420013f00b360c38241c184a0005e07fcdfa3c771f";

    #[test]
    fn the_size_is_in_a_key_frame() {
        let header = Header::parse(&hex(KEY)).unwrap();
        assert_eq!(header, Header { profile: 0, key: Some((320, 180)) });
        assert_eq!(Header::parse(&[0x86, 0]), Ok(Header { profile: 0, key: None }));
    }

    #[test]
    fn describes_a_real_configuration() {
        let record = hex("01000000 00 0b 82 020202 0000");
        let config = Config::parse(&record).unwrap();
        assert_eq!(config.codec_string(), "vp09.00.11.08");
        assert_eq!((config.info().profile, config.info().level.as_str()), ("Profile 0", "1.1"));
        assert_eq!(config.write(), record);
    }
}
