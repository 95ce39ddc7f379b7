//! MPEG audio: the frame header (ISO/IEC 11172-3 2.4.1.3, 13818-3, and the MPEG-2.5 extension).

use super::{AudioInfo, Fault, OTHER, ParseError};
use crate::{Codec, Reader};

/// Bytes of a frame header.
pub const HEADER: usize = 4;

/// Bit rates in kb/s by index: MPEG-1 layers I, II, III, then MPEG-2 layer I, then its layers II and III.
const BITRATES: [[u16; 15]; 5] = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// An MPEG audio frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether it is MPEG-1 (otherwise MPEG-2 or 2.5).
    pub mpeg1: bool,
    /// Layer, 1 to 3.
    pub layer: u8,
    /// Bit rate in kb/s; 0 is "free format".
    pub kbps: u16,
    /// Sampling rate in Hz.
    pub sample_rate: u32,
    /// Channels, 1 or 2.
    pub channels: u8,
    /// Samples of the frame per channel.
    pub samples: u32,
    /// Bytes of the whole frame, header included; 0 when the format is free.
    pub len: usize,
}

impl Header {
    /// The header at the start of `data`.
    pub fn parse(data: &[u8]) -> Result<Header, ParseError> {
        Header::read(data).map_err(|fault| fault.within("MPEG audio frame header"))
    }

    fn read(data: &[u8]) -> Result<Header, Fault> {
        let [sync, b, c, d] = Reader::new(data).array()?;
        let (version, layer) = (b >> 3 & 3, 4 - (b >> 1 & 3));
        if sync != 0xff || b & 0xe0 != 0xe0 {
            return Err(Fault::value("syncword", u16::from_be_bytes([sync, b])));
        }
        if version == 1 || layer == 4 {
            return Err(Fault::value("version and layer", b >> 1 & 0x0f));
        }
        let mpeg1 = version == 3;
        let kbps = bitrate(mpeg1, layer, c >> 4)?;
        let sample_rate = sample_rate(version, c >> 2 & 3)?;
        let samples = match (layer, mpeg1) {
            (1, _) => 384,
            (3, false) => 576,
            _ => 1152,
        };
        let padding = u32::from(c >> 1 & 1);
        let slots = samples / 8 * u32::from(kbps) * 1000 / sample_rate;
        let len = match (kbps, layer) {
            (0, _) => 0,
            (_, 1) => (slots / 4 + padding) * 4,
            _ => slots + padding,
        };
        let channels = if d >> 6 == 3 { 1 } else { 2 };
        Ok(Header { mpeg1, layer, kbps, sample_rate, channels, samples, len: len as usize })
    }

    /// What the API shows.
    pub fn info(&self) -> AudioInfo {
        AudioInfo {
            codec: Codec::Mp3,
            sample_rate: self.sample_rate,
            channels: self.channels,
            profile: OTHER,
        }
    }
}

fn bitrate(mpeg1: bool, layer: u8, index: u8) -> Result<u16, Fault> {
    let row = match (mpeg1, layer) {
        (true, layer) => usize::from(layer - 1), // 1 to 3
        (false, 1) => 3,
        (false, _) => 4,
    };
    let rate = BITRATES.get(row).and_then(|row| row.get(usize::from(index)));
    rate.copied().ok_or(Fault::value("bitrate_index", index))
}

/// `version`: 3 MPEG-1, 2 MPEG-2, 0 MPEG-2.5; each halves the rate.
fn sample_rate(version: u8, index: u8) -> Result<u32, Fault> {
    let base = [44_100, 48_000, 32_000].get(usize::from(index));
    let base: u32 = *base.ok_or(Fault::value("sampling_frequency", index))?;
    Ok(match version {
        3 => base,
        2 => base / 2,
        _ => base / 4,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_headers() {
        let h = Header::parse(&[0xff, 0xfb, 0x90, 0x00]).unwrap();
        assert_eq!((h.sample_rate, h.channels, h.samples, h.kbps, h.len), (44_100, 2, 1152, 128, 417));
        let h = Header::parse(&[0xff, 0xf3, 0x82, 0xc0]).unwrap();
        assert_eq!((h.sample_rate, h.channels, h.samples, h.kbps, h.len), (22_050, 1, 576, 64, 209));
    }

    #[test]
    fn every_header_is_answered() {
        for word in (0xffe0_0000u32..=0xffff_ffff).step_by(7) {
            if let Ok(h) = Header::parse(&word.to_be_bytes()) {
                assert!(h.sample_rate >= 8000 && h.len < 8192, "{word:08x}: {h:?}");
            }
        }
    }
}
