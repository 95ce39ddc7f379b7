//! Opus: identification header (RFC 7845 5.1) and packet duration (RFC 6716 3.1).

use super::{AudioInfo, Fault, OTHER, ParseError};
use crate::{Codec, Reader, Time};
use bytes::{BufMut, Bytes, BytesMut};

/// Sampling rate of decoded Opus in Hz, whatever the input had.
pub const SAMPLE_RATE: u32 = 48_000;

/// OpusHead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Channels, at least 1.
    pub channels: u8,
    /// Samples at 48 kHz to drop from the decoder's start.
    pub pre_skip: u16,
    /// Sampling rate of the original sound in Hz; for information only.
    pub input_rate: u32,
    /// Output gain in 1/256 dB.
    pub gain: i16,
    /// Channel mapping family.
    pub mapping_family: u8,
    /// Channel mapping table; empty for family 0.
    pub mapping: Bytes,
}

impl Config {
    /// Mono or stereo, without gain.
    pub fn plain(channels: u8) -> Config {
        let mapping = Bytes::new();
        Config { channels, pre_skip: 0, input_rate: SAMPLE_RATE, gain: 0, mapping_family: 0, mapping }
    }

    /// From the header's bytes.
    pub fn parse(head: &Bytes) -> Result<Config, ParseError> {
        Config::read(head).map_err(|fault| fault.within("OpusHead"))
    }

    fn read(head: &Bytes) -> Result<Config, Fault> {
        let mut r = Reader::new(head);
        let magic = r.u64()?;
        if magic != u64::from_be_bytes(*b"OpusHead") {
            return Err(Fault::value("magic signature", magic));
        }
        let version = r.u8()?;
        if version >> 4 != 0 {
            return Err(Fault::value("version", version));
        }
        let channels = r.u8()?;
        if channels == 0 {
            return Err(Fault::value("channel count", channels));
        }
        let pre_skip = u16::from_le_bytes(r.array()?);
        let input_rate = r.u32_le()?;
        let gain = i16::from_le_bytes(r.array()?);
        let mapping_family = r.u8()?;
        let mapping = if mapping_family == 0 {
            Bytes::new()
        } else {
            head.slice_ref(r.bytes(2 + usize::from(channels))?)
        };
        Ok(Config { channels, pre_skip, input_rate, gain, mapping_family, mapping })
    }

    /// The header's bytes.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(19 + self.mapping.len());
        out.put_slice(b"OpusHead");
        out.put_slice(&[1, self.channels]);
        out.put_u16_le(self.pre_skip);
        out.put_u32_le(self.input_rate);
        out.put_i16_le(self.gain);
        out.put_u8(self.mapping_family);
        out.put_slice(&self.mapping);
        out.freeze()
    }

    /// What the API shows.
    pub fn info(&self) -> AudioInfo {
        AudioInfo { codec: Codec::Opus, sample_rate: SAMPLE_RATE, channels: self.channels, profile: OTHER }
    }
}

/// How long a packet sounds: 2.5 to 120 ms. `None` when it is empty or says more.
pub fn duration(packet: &[u8]) -> Option<Time> {
    let toc = *packet.first()?;
    let frame_us: i64 = match toc >> 3 {
        config @ 0..=11 => [10_000, 20_000, 40_000, 60_000][usize::from(config % 4)], // SILK; four entries
        config @ 12..=15 => [10_000, 20_000][usize::from(config % 2)],                // hybrid; two entries
        config => [2500, 5000, 10_000, 20_000][usize::from(config % 4)],              // CELT; four entries
    };
    let frames: i64 = match toc & 0x03 {
        0 => 1,
        1 | 2 => 2,
        _ => (packet.get(1)? & 0x3f).into(),
    };
    Some(frame_us * frames).filter(|us| (1..=120_000).contains(us)).map(Time::from_micros)
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    #[test]
    fn describes_a_real_header() {
        let head = hex("4f70757348656164 01 02 3801 80bb0000 0000 00");
        let config = Config::parse(&head).unwrap();
        assert_eq!((config.channels, config.pre_skip, config.input_rate), (2, 312, 48_000));
        assert_eq!(config.write(), head);
        (0..head.len()).for_each(|n| assert!(Config::parse(&head.slice(..n)).is_err()));
    }

    #[test]
    fn a_surround_header_keeps_its_mapping() {
        let head = hex("4f70757348656164 01 06 3801 80bb0000 0000 01 0402000401020305");
        assert_eq!(Config::parse(&head).unwrap().write(), head);
    }

    #[test]
    fn packet_durations() {
        let ms = |packet: &[u8]| duration(packet).map(|t| t.micros());
        assert_eq!(ms(&[0xfc]), Some(20_000), "CELT 20 ms, one frame");
        assert_eq!(ms(&[0x09]), Some(40_000), "SILK 20 ms, two frames");
        assert_eq!(ms(&[0xe3, 0x03]), Some(7500), "CELT 2.5 ms, three frames");
        assert_eq!(ms(&[0x1b, 0x3f]), None, "63 frames of 60 ms");
        assert_eq!(ms(&[]), None);
    }
}
