//! H.264: decoder configuration (ISO/IEC 14496-15 5.3.3.1), sequence parameter sets, NAL unit types.

use super::nal::{length_prefixed, unescape};
use super::{Fault, OTHER, ParseError, VideoInfo};
use crate::{Codec, Reader};
use bytes::{BufMut, Bytes, BytesMut};
use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::rbsp::BitReader;

/// Coded slice of an IDR picture.
pub const IDR: u8 = 5;
/// Supplemental enhancement information.
pub const SEI: u8 = 6;
/// Sequence parameter set.
pub const SPS: u8 = 7;
/// Picture parameter set.
pub const PPS: u8 = 8;
/// Access unit delimiter.
pub const AUD: u8 = 9;

/// SEI payload type: recovery point (H.264 D.1).
const SEI_RECOVERY_POINT: u32 = 6;

/// Largest picture side we believe, in pixels; level 6.2 ends far below.
const SIDE_MAX: u32 = 32_768;

/// `nal_unit_type` of a NAL unit (H.264 table 7-1).
pub fn nal_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |b| b & 0x1f)
}

/// Whether an access unit holds an IDR picture.
pub fn is_idr(payload: &[u8], length_size: u8) -> bool {
    length_prefixed(payload, length_size).any(|unit| nal_type(unit) == IDR)
}

/// Whether a decoder can start at an access unit: an IDR picture or a recovery point.
pub fn is_key(payload: &[u8], length_size: u8) -> bool {
    length_prefixed(payload, length_size).any(|unit| match nal_type(unit) {
        IDR => true,
        SEI => has_recovery_point(unit),
        _ => false,
    })
}

/// Whether no picture refers to an access unit, so that it can be left out: `nal_ref_idc` is 0 in all its slices
/// (H.264 7.4.1). False without slices.
pub fn is_disposable(payload: &[u8], length_size: u8) -> bool {
    let mut slices = length_prefixed(payload, length_size).filter(|unit| (1..=5).contains(&nal_type(unit)));
    let unused = |unit: &[u8]| unit.first().is_some_and(|head| head & 0x60 == 0);
    slices.next().is_some_and(unused) && slices.all(unused)
}

fn has_recovery_point(sei: &[u8]) -> bool {
    let rbsp = unescape(sei.get(1..).unwrap_or_default());
    let mut r = Reader::new(&rbsp);
    while r.left() > 1 {
        let (Ok(kind), Ok(size)) = (sei_number(&mut r), sei_number(&mut r)) else { return false };
        if kind == SEI_RECOVERY_POINT {
            return true;
        }
        if r.skip(size as usize).is_err() {
            return false;
        }
    }
    false
}

/// `ff_byte`s and a last byte, added up (H.264 7.3.2.3.1).
fn sei_number(r: &mut Reader<'_>) -> Result<u32, Fault> {
    let mut sum = 0u32;
    loop {
        let byte = r.u8()?;
        sum = sum.saturating_add(byte.into());
        if byte != 0xff {
            return Ok(sum);
        }
    }
}

/// AVCDecoderConfigurationRecord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `AVCProfileIndication`.
    pub profile: u8,
    /// `profile_compatibility`: the constraint flags, first one in the top bit.
    pub constraints: u8,
    /// `AVCLevelIndication`: ten times the level.
    pub level: u8,
    /// Bytes of each NAL unit's length: 1, 2 or 4.
    pub length_size: u8,
    /// Sequence parameter sets, at most 31.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets, at most 255.
    pub pps: Vec<Bytes>,
    /// Chroma format, bit depths and SPS extensions of the High profiles, as they came.
    pub extension: Bytes,
}

impl Config {
    /// From the record's bytes; parameter sets share them.
    pub fn parse(record: &Bytes) -> Result<Config, ParseError> {
        Config::read(record).map_err(|fault| fault.within("AVCDecoderConfigurationRecord"))
    }

    /// From parameter sets as they stand in the stream. `None` without an SPS of at least four bytes or without a PPS.
    pub fn from_parameter_sets(sps: Vec<Bytes>, pps: Vec<Bytes>) -> Option<Config> {
        let &[_, profile, constraints, level, ..] = sps.first()?.as_ref() else { return None };
        let (sps, pps) = (limit(sps, 31), limit(pps, 255));
        pps.first()?;
        let mut config =
            Config { profile, constraints, level, length_size: 4, sps, pps, extension: Bytes::new() };
        if matches!(profile, 100 | 110 | 122 | 144 | 244) {
            config.extension = config.extension_of_sps().unwrap_or_default();
        }
        Some(config)
    }

    fn read(record: &Bytes) -> Result<Config, Fault> {
        let mut r = Reader::new(record);
        let version = r.u8()?;
        if version != 1 {
            return Err(Fault::value("configurationVersion", version));
        }
        let [profile, constraints, level] = r.array()?;
        let length_size = (r.u8()? & 0x03) + 1;
        if length_size == 3 {
            return Err(Fault::value("lengthSizeMinusOne", 2u8));
        }
        let count = r.u8()? & 0x1f;
        let sps = sets(&mut r, record, count)?;
        let count = r.u8()?;
        let pps = sets(&mut r, record, count)?;
        let extension = record.slice_ref(r.rest());
        Ok(Config { profile, constraints, level, length_size, sps, pps, extension })
    }

    /// The record's bytes.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::new();
        let sps = self.sps.len().min(31);
        let pps = self.pps.len().min(255);
        out.put_slice(&[1, self.profile, self.constraints, self.level]);
        out.put_slice(&[0xfc | (self.length_size.wrapping_sub(1) & 0x03), 0xe0 | sps as u8]);
        self.sps.iter().take(sps).for_each(|set| put_set(&mut out, set));
        out.put_u8(pps as u8);
        self.pps.iter().take(pps).for_each(|set| put_set(&mut out, set));
        out.put_slice(&self.extension);
        out.freeze()
    }

    /// What the API shows. Width and height are 0 when the SPS cannot be parsed.
    pub fn info(&self) -> VideoInfo {
        let (width, height) = self.size().unwrap_or_default();
        VideoInfo {
            codec: Codec::H264,
            profile: profile_name(self.profile, self.constraints),
            level: level_name(self.level).into(),
            width,
            height,
        }
    }

    /// `avc1.PPCCLL` (RFC 6381 3.3).
    pub fn codec_string(&self) -> String {
        format!("avc1.{:02x}{:02x}{:02x}", self.profile, self.constraints, self.level)
    }

    /// Picture size in pixels after cropping.
    pub fn size(&self) -> Option<(u32, u32)> {
        let sps = self.first_sps()?;
        if sps.pic_width_in_mbs_minus1.max(sps.pic_height_in_map_units_minus1) >= SIDE_MAX / 16 {
            return None;
        }
        sps.pixel_dimensions().ok()
    }

    fn first_sps(&self) -> Option<SeqParameterSet> {
        let rbsp = unescape(self.sps.first()?.get(1..)?);
        SeqParameterSet::from_bits(BitReader::new(rbsp.as_slice())).ok()
    }

    /// `chroma_format`, bit depths and no SPS extension (14496-15 5.3.3.1.2).
    fn extension_of_sps(&self) -> Option<Bytes> {
        let chroma = self.first_sps()?.chroma_info;
        let format = chroma.chroma_format.to_u32() as u8 & 0x03;
        let (luma, chroma) = (chroma.bit_depth_luma_minus8, chroma.bit_depth_chroma_minus8);
        Some(Bytes::copy_from_slice(&[0xfc | format, 0xf8 | (luma & 7), 0xf8 | (chroma & 7), 0]))
    }
}

fn limit(mut sets: Vec<Bytes>, max: usize) -> Vec<Bytes> {
    sets.truncate(max);
    sets
}

fn sets(r: &mut Reader<'_>, record: &Bytes, count: u8) -> Result<Vec<Bytes>, Fault> {
    let mut sets = Vec::new();
    for _ in 0..count {
        let length = r.u16()?;
        sets.push(record.slice_ref(r.bytes(length.into())?));
    }
    Ok(sets)
}

fn put_set(out: &mut BytesMut, set: &[u8]) {
    let set = set.get(..usize::from(u16::MAX)).unwrap_or(set);
    out.put_u16(set.len() as u16);
    out.put_slice(set);
}

/// Profile names by `profile_idc` and constraint flags (H.264 A.2).
fn profile_name(profile: u8, constraints: u8) -> &'static str {
    let set1 = constraints & 0x40 != 0;
    let set3 = constraints & 0x10 != 0;
    match (profile, set1, set3) {
        (66, true, _) => "Baseline(Constrained)",
        (66, false, _) => "Baseline",
        (77, ..) => "Main",
        (88, ..) => "Extended",
        (100, ..) => "High",
        (110, _, false) => "High(10)",
        (110, _, true) => "High(10+Intra)",
        (122, _, false) => "High(422)",
        (122, _, true) => "High(422+Intra)",
        (144, ..) => "High(444)",
        (244, _, false) => "High(444+Predictive)",
        (244, _, true) => "High(444+Intra)",
        _ => OTHER,
    }
}

fn level_name(level: u8) -> &'static str {
    match level {
        10 => "1",
        11 => "1.1",
        12 => "1.2",
        13 => "1.3",
        20 => "2",
        21 => "2.1",
        22 => "2.2",
        30 => "3",
        31 => "3.1",
        32 => "3.2",
        40 => "4",
        41 => "4.1",
        50 => "5",
        51 => "5.1",
        _ => OTHER,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::hex;
    use super::*;
    use proptest::prelude::*;

    /// x264, High, level 4.0, 1920x1080 coded as 1920x1088 and cropped.
    pub(in super::super) const HIGH_1080: &str = "
        01 640028 ff e1 // version, profile, constraints, level, lengths of four bytes, one SPS
        001b 67640028acd940780227e5c044000003000400000300c83c60c658
        01 // one PPS
        0006 68ebe3cb22c0
        fd f8 f8 00 // 4:2:0, 8 bits, 8 bits, no SPS extension";

    #[test]
    fn describes_a_real_configuration() {
        let record = hex(HIGH_1080);
        let config = Config::parse(&record).unwrap();
        let info = config.info();
        assert_eq!((info.profile, info.level.as_str(), info.width, info.height), ("High", "4", 1920, 1080));
        assert_eq!(config.codec_string(), "avc1.640028");
        assert_eq!((config.length_size, config.sps.len(), config.pps.len()), (4, 1, 1));
        assert_eq!(config.write(), record);
        assert_eq!(Config::from_parameter_sets(config.sps.clone(), config.pps.clone()), Some(config));
    }

    #[test]
    fn what_nothing_refers_to() {
        assert!(
            is_disposable(&hex("00000002 0605 00000002 0180 00000002 0181"), 4),
            "SEI and two slices, nal_ref_idc 0"
        );
        assert!(is_disposable(&hex("0002 0180"), 2));
        assert!(!is_disposable(&hex("00000002 0180 00000002 2180"), 4));
        assert!(!is_disposable(&hex("00000002 0605"), 4), "no slice");
        assert!(!is_disposable(&hex("00000009 01"), 4), "a broken length");
    }

    #[test]
    fn constrained_baseline_of_an_odd_size() {
        let record =
            hex("0142c00affe1 0018 6742c00ada149e2223011000000300100000030320f1226a 01 0004 68ce0fc8");
        let info = Config::parse(&record).unwrap().info();
        assert_eq!((info.profile, info.level.as_str()), ("Baseline(Constrained)", "1"));
        assert_eq!((info.width, info.height), (66, 50));
    }

    #[test]
    fn finds_key_frames() {
        assert!(is_idr(&hex("00000002 09f0 00000002 6588"), 4));
        assert!(!is_key(&hex("00000002 09f0 00000002 4188"), 4));
        assert!(is_key(&hex("0005 0606018480 0002 4188"), 2), "recovery point SEI");
        assert!(!is_key(&hex("0005 0605018480 0002 4188"), 2), "another SEI");
    }

    proptest! {
        #[test]
        fn hostile_parameter_sets_never_panic(sps in prop::collection::vec(any::<u8>(), 4..80)) {
            let config = Config::from_parameter_sets(vec![sps.into()], vec![Bytes::from_static(&[0x68])]).unwrap();
            config.info();
        }

        #[test]
        fn the_record_survives_a_round_trip(
            fields: (u8, u8, u8),
            size in prop::sample::select(vec![1u8, 2, 4]),
            sps in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from), 0..31),
            pps in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from), 0..31),
            extension in prop::collection::vec(any::<u8>(), 0..8).prop_map(Bytes::from),
        ) {
            let (profile, constraints, level) = fields;
            let config = Config { profile, constraints, level, length_size: size, sps, pps, extension };
            prop_assert_eq!(Config::parse(&config.write()), Ok(config));
        }
    }
}
