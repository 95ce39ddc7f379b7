//! AAC: AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1), with its SBR and PS signalling, and the ADTS header (1.A.2).

use super::bits::BitReader;
use super::{AudioInfo, Fault, OTHER, ParseError};
use crate::{Codec, Reader};
use bytes::Bytes;

/// Bytes of an ADTS header without checksum.
pub const ADTS_HEADER: usize = 7;

/// Samples of one frame (`raw_data_block`) per channel; 960 in the rare short-frame variant.
pub const FRAME_SAMPLES: u32 = 1024;

/// Sampling rates by `samplingFrequencyIndex` (14496-3 table 1.18).
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350];

const LC: u8 = 2;
const SBR: u8 = 5;
const PS: u8 = 29;

/// AudioSpecificConfig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Audio object type of the core (2 is LC), never SBR or PS.
    pub object_type: u8,
    /// Sampling rate of the core in Hz.
    pub sample_rate: u32,
    /// `channelConfiguration`, 0 to 15.
    pub channel_config: u8,
    /// Sampling rate after spectral band replication; `None` without it (or where it is not signalled).
    pub sbr_rate: Option<u32>,
    /// Whether parametric stereo is signalled.
    pub ps: bool,
}

impl Config {
    /// LC with the given core rate in Hz and `channelConfiguration`.
    pub fn lc(sample_rate: u32, channel_config: u8) -> Config {
        Config { object_type: LC, sample_rate, channel_config, sbr_rate: None, ps: false }
    }

    /// From the configuration's bytes.
    pub fn parse(config: &[u8]) -> Result<Config, ParseError> {
        Config::read(&mut BitReader::new(config)).map_err(|fault| fault.within("AudioSpecificConfig"))
    }

    fn read(r: &mut BitReader<'_>) -> Result<Config, Fault> {
        let mut object_type = read_object_type(r)?;
        let sample_rate = read_rate(r)?;
        let channel_config = r.byte(4)?;
        let mut sbr_rate = None;
        let ps = object_type == PS;
        if matches!(object_type, SBR | PS) {
            sbr_rate = Some(read_rate(r)?);
            object_type = read_object_type(r)?;
        }
        let mut config = Config { object_type, sample_rate, channel_config, sbr_rate, ps };
        if sbr_rate.is_none() {
            config.read_extension(r);
        }
        Ok(config)
    }

    /// Backward compatible signalling: GASpecificConfig, then a sync word (14496-3 1.6.5.2). Absent in most streams.
    fn read_extension(&mut self, r: &mut BitReader<'_>) {
        let mut extension = || -> Option<(Option<u32>, bool)> {
            r.skip(1).ok()?; // frameLengthFlag
            if r.flag().ok()? {
                r.skip(14).ok()?; // coreCoderDelay
            }
            if r.flag().ok()? || self.channel_config == 0 {
                return None; // extensionFlag or a program config element: too rare to follow
            }
            if r.bits(11).ok()? != 0x2b7 || read_object_type(r).ok()? != SBR || !r.flag().ok()? {
                return None;
            }
            let rate = read_rate(r).ok()?;
            let ps = r.bits(11) == Ok(0x548) && r.flag() == Ok(true);
            Some((Some(rate), ps))
        };
        if let Some((rate, ps)) = extension() {
            self.sbr_rate = rate;
            self.ps = ps;
        }
    }

    /// The configuration's bytes: SBR and PS, where present, are signalled explicitly and hierarchically.
    pub fn write(&self) -> Bytes {
        let mut w = BitWriter::default();
        match self.sbr_rate {
            Some(rate) => {
                w.put_object_type(if self.ps { PS } else { SBR });
                w.put_rate(self.sample_rate);
                w.put(self.channel_config.into(), 4);
                w.put_rate(rate);
                w.put_object_type(self.object_type);
            }
            None => {
                w.put_object_type(self.object_type);
                w.put_rate(self.sample_rate);
                w.put(self.channel_config.into(), 4);
            }
        }
        w.put(0, 3); // GASpecificConfig: 1024 samples, no core coder, no extension
        w.out.into()
    }

    /// Sampling rate of the decoded sound in Hz.
    pub fn output_rate(&self) -> u32 {
        self.sbr_rate.unwrap_or(self.sample_rate)
    }

    /// Channels of the decoded sound; 0 when a program config element tells.
    pub fn channels(&self) -> u8 {
        match self.channel_config {
            1 if self.ps => 2,
            7 | 12 | 14 => 8,
            11 => 7,
            13 => 24,
            n => n.min(8),
        }
    }

    /// What the API shows.
    pub fn info(&self) -> AudioInfo {
        let profile = match (self.object_type, self.sbr_rate.is_some(), self.ps) {
            (_, _, true) => "HEv2",
            (_, true, false) => "HE",
            (1, ..) => "Main",
            (LC, ..) => "LC",
            (3, ..) => "SSR",
            _ => OTHER,
        };
        AudioInfo { codec: Codec::Aac, sample_rate: self.output_rate(), channels: self.channels(), profile }
    }

    /// `mp4a.40.N` (RFC 6381 3.3).
    pub fn codec_string(&self) -> String {
        let object_type = match (self.sbr_rate.is_some(), self.ps) {
            (_, true) => PS,
            (true, false) => SBR,
            (false, false) => self.object_type,
        };
        format!("mp4a.40.{object_type}")
    }

    /// ADTS header for a frame of `len` payload bytes. `None` when ADTS cannot say it: an object type above 4, a
    /// sampling rate or channel configuration outside its tables, or a frame above 8184 bytes.
    pub fn adts_header(&self, len: usize) -> Option<[u8; ADTS_HEADER]> {
        let profile = self.object_type.checked_sub(1).filter(|&p| p < 4)?;
        let rate = RATES.iter().position(|&r| r == self.sample_rate)? as u8;
        let channels = Some(self.channel_config).filter(|&c| c < 8)?;
        let len = Some(len + ADTS_HEADER).filter(|&n| n < 1 << 13)? as u16;
        let [high, low] = len.to_be_bytes();
        Some([
            0xff,
            0xf1, // MPEG-4, no checksum
            profile << 6 | rate << 2 | channels >> 2,
            (channels & 3) << 6 | high >> 3,
            high << 5 | low >> 3,
            low << 5 | 0x1f, // buffer fullness: variable rate
            0xfc,
        ])
    }
}

fn read_object_type(r: &mut BitReader<'_>) -> Result<u8, Fault> {
    match r.byte(5)? {
        31 => Ok(32 + r.byte(6)?),
        0 => Err(Fault::value("audioObjectType", 0u8)),
        n => Ok(n),
    }
}

fn read_rate(r: &mut BitReader<'_>) -> Result<u32, Fault> {
    let rate = match r.bits(4)? {
        15 => r.bits(24)?,
        index => *RATES.get(index as usize).ok_or(Fault::value("samplingFrequencyIndex", index))?,
    };
    if rate == 0 { Err(Fault::value("samplingFrequency", rate)) } else { Ok(rate) }
}

#[derive(Default)]
struct BitWriter {
    out: Vec<u8>,
    /// Bits written.
    len: usize,
}

impl BitWriter {
    fn put(&mut self, value: u32, bits: usize) {
        for i in (0..bits).rev() {
            if self.len.is_multiple_of(8) {
                self.out.push(0);
            }
            if let Some(last) = self.out.last_mut() {
                *last |= ((value >> i & 1) as u8) << (7 - self.len % 8);
            }
            self.len += 1;
        }
    }

    fn put_object_type(&mut self, object_type: u8) {
        if object_type < 31 {
            return self.put(object_type.into(), 5);
        }
        self.put(31, 5);
        self.put(u32::from(object_type) - 32, 6);
    }

    fn put_rate(&mut self, rate: u32) {
        match RATES.iter().position(|&r| r == rate) {
            Some(index) => self.put(index as u32, 4),
            None => {
                self.put(15, 4);
                self.put(rate, 24);
            }
        }
    }
}

/// One frame of an ADTS stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adts<'a> {
    /// The configuration its header tells.
    pub config: Config,
    /// The raw_data_block, without header and checksum.
    pub payload: &'a [u8],
    /// Bytes of the whole frame.
    pub len: usize,
}

impl<'a> Adts<'a> {
    /// The frame at the start of `data`. Frames with several raw data blocks are refused.
    pub fn parse(data: &'a [u8]) -> Result<Adts<'a>, ParseError> {
        Adts::read(data).map_err(|fault| fault.within("ADTS frame"))
    }

    fn read(data: &'a [u8]) -> Result<Adts<'a>, Fault> {
        let mut r = Reader::new(data);
        let head: [u8; ADTS_HEADER] = r.array()?;
        let [a, b, c, d, e, f, g] = head;
        if a != 0xff || b & 0xf6 != 0xf0 {
            return Err(Fault::value("syncword", u16::from_be_bytes([a, b])));
        }
        if g & 0x03 != 0 {
            return Err(Fault::value("number_of_raw_data_blocks_in_frame", g & 0x03));
        }
        let index = c >> 2 & 0x0f;
        let rate = *RATES.get(usize::from(index)).ok_or(Fault::value("sampling_frequency_index", index))?;
        let len = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5);
        let head = if b & 1 == 0 { ADTS_HEADER + 2 } else { ADTS_HEADER };
        r.skip(head - ADTS_HEADER)?;
        let payload = r.bytes(len.checked_sub(head).ok_or(Fault::value("aac_frame_length", len as u64))?)?;
        let config = Config { object_type: (c >> 6) + 1, ..Config::lc(rate, (c & 1) << 2 | d >> 6) };
        Ok(Adts { config, payload, len })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn low_complexity() {
        let config = Config::parse(&hex("1190")).unwrap();
        assert_eq!(config, Config::lc(48_000, 2));
        assert_eq!((config.info().profile, config.codec_string().as_str()), ("LC", "mp4a.40.2"));
        // 56e500: sync word 0x2b7, SBR, not present; ffmpeg adds it.
        assert_eq!(Config::parse(&hex("119056e500")), Ok(config));
    }

    #[test]
    fn high_efficiency_however_it_is_signalled() {
        // Explicit: 00101 (SBR), 24 kHz, 2 channels, 48 kHz, LC.
        let explicit = Config::parse(&hex("2b118800")).unwrap();
        // Backward compatible: LC, 24 kHz, 2 channels, then 0x2b7, SBR, present, 48 kHz.
        let compatible = Config::parse(&hex("131056e598")).unwrap();
        assert_eq!(explicit, Config { sbr_rate: Some(48_000), ..Config::lc(24_000, 2) });
        assert_eq!(compatible, explicit);
        assert_eq!((explicit.info().profile, explicit.info().sample_rate), ("HE", 48_000));
        assert_eq!(explicit.codec_string(), "mp4a.40.5");
    }

    #[test]
    fn parametric_stereo_has_two_channels() {
        // 11101 (PS), 24 kHz, 1 channel, 48 kHz, LC.
        let info = Config::parse(&hex("eb098800")).unwrap().info();
        assert_eq!((info.profile, info.channels), ("HEv2", 2));
    }

    #[test]
    fn what_adts_cannot_say() {
        assert_eq!(Config::lc(44_101, 2).adts_header(100), None);
        assert_eq!(Config::lc(44_100, 2).adts_header(8185), None);
        assert_eq!(Config { object_type: 39, ..Config::lc(44_100, 2) }.adts_header(100), None);
    }

    proptest! {
        #[test]
        fn configurations_survive_a_round_trip(
            object_type in prop_oneof![1u8..=4, 6u8..=28, 32u8..90],
            rate in prop_oneof![prop::sample::select(RATES.to_vec()), 1u32..1 << 24],
            sbr in prop::option::of(1u32..1 << 24),
            channel_config in 1u8..16,
            ps: bool,
        ) {
            let ps = ps && sbr.is_some();
            let config = Config { object_type, sample_rate: rate, channel_config, sbr_rate: sbr, ps };
            prop_assert_eq!(Config::parse(&config.write()), Ok(config));
        }

        #[test]
        fn adts_frames_survive_a_round_trip(
            rate in prop::sample::select(RATES.to_vec()),
            channels in 0u8..8,
            payload in prop::collection::vec(any::<u8>(), 0..500),
        ) {
            let config = Config::lc(rate, channels);
            let mut data = config.adts_header(payload.len()).unwrap().to_vec();
            data.extend_from_slice(&payload);
            let len = data.len();
            data.push(0xff);
            prop_assert_eq!(Adts::parse(&data), Ok(Adts { config, payload: &payload, len }));
            prop_assert!(Adts::parse(&data[..len - 1]).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = (Adts::parse(&data), Config::parse(&data).map(|c| (c.info(), c.codec_string(), c.write())));
        }
    }
}
