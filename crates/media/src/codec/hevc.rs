//! HEVC: decoder configuration (ISO/IEC 14496-15 8.3.3.1), sequence parameter sets, NAL unit types.

use super::bits::BitReader;
use super::nal::{length_prefixed, unescape};
use super::{Fault, OTHER, ParseError, VideoInfo};
use crate::{Codec, Reader};
use bytes::{BufMut, Bytes, BytesMut};

/// First and last of the types of leading pictures.
const RADL_N: u8 = 6;
const RASL_R: u8 = 9;
/// Up to here even types are sub-layer non-reference pictures.
const NON_REFERENCE_MAX: u8 = 14;

/// Video parameter set.
pub const VPS: u8 = 32;
/// Sequence parameter set.
pub const SPS: u8 = 33;
/// Picture parameter set.
pub const PPS: u8 = 34;
/// Access unit delimiter.
pub const AUD: u8 = 35;

/// Most arrays of parameter sets we read; real records have up to five.
const ARRAYS_MAX: u8 = 16;

/// Most parameter sets we read; the limits of HEVC add up to 16 + 16 + 64.
const SETS_MAX: usize = 128;

/// `nal_unit_type` of a NAL unit (HEVC table 7-1).
pub fn nal_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |b| b >> 1 & 0x3f)
}

/// Whether a NAL unit type is a slice of an intra random access point picture (BLA, IDR, CRA).
pub fn is_irap(nal_type: u8) -> bool {
    (16..=23).contains(&nal_type)
}

/// Whether a decoder can start at an access unit.
pub fn is_key(payload: &[u8], length_size: u8) -> bool {
    length_prefixed(payload, length_size).any(|unit| is_irap(nal_type(unit)))
}

/// Whether no picture that is shown later refers to an access unit, so that it can be left out: pictures that lead a
/// random access point (RASL, RADL: HEVC 3.1), and sub-layer non-reference pictures (table 7-1) of the highest of
/// `layers` temporal sub-layers. False without slices.
pub fn is_disposable(payload: &[u8], length_size: u8, layers: u8) -> bool {
    let mut slices = length_prefixed(payload, length_size).filter(|unit| nal_type(unit) < VPS);
    let unused = |unit: &[u8]| match nal_type(unit) {
        RADL_N..=RASL_R => true,
        kind => kind <= NON_REFERENCE_MAX && kind % 2 == 0 && unit.get(1).is_some_and(|b| b & 7 >= layers),
    };
    slices.next().is_some_and(unused) && slices.all(unused)
}

/// The NAL units of one type in a [`Config`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// Whether all units of the type are here and none comes in the stream.
    pub complete: bool,
    /// `nal_unit_type`.
    pub nal_type: u8,
    /// The units.
    pub units: Vec<Bytes>,
}

/// HEVCDecoderConfigurationRecord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes 1 to 20 of the record, as they came: profile, tier, level, chroma format and bit depths.
    pub general: [u8; 20],
    /// Constant frame rate, temporal layers and nesting (record byte 21 without its low two bits).
    pub layers: u8,
    /// Bytes of each NAL unit's length: 1, 2 or 4.
    pub length_size: u8,
    /// Parameter sets and SEI by type.
    pub arrays: Vec<Array>,
}

impl Config {
    /// From the record's bytes; parameter sets share them.
    pub fn parse(record: &Bytes) -> Result<Config, ParseError> {
        Config::read(record).map_err(|fault| fault.within("HEVCDecoderConfigurationRecord"))
    }

    fn read(record: &Bytes) -> Result<Config, Fault> {
        let mut r = Reader::new(record);
        let version = r.u8()?;
        if version > 1 {
            return Err(Fault::value("configurationVersion", version)); // some encoders write 0
        }
        let general = r.array()?;
        let layers = r.u8()?;
        let length_size = (layers & 0x03) + 1;
        if length_size == 3 {
            return Err(Fault::value("lengthSizeMinusOne", 2u8));
        }
        let count = r.u8()?;
        if count > ARRAYS_MAX {
            return Err(Fault::value("numOfArrays", count));
        }
        let arrays = (0..count).map(|_| read_array(&mut r, record)).collect::<Result<_, _>>()?;
        Ok(Config { general, layers: layers & 0xfc, length_size, arrays })
    }

    /// From parameter sets as they stand in the stream. `None` when one of the three is missing or the SPS is broken.
    pub fn from_parameter_sets(vps: Vec<Bytes>, sps: Vec<Bytes>, pps: Vec<Bytes>) -> Option<Config> {
        if vps.is_empty() || pps.is_empty() {
            return None;
        }
        let first = Sps::parse(sps.first()?).ok()?;
        let array = |nal_type, mut units: Vec<Bytes>| {
            units.truncate(SETS_MAX / 4);
            Array { complete: true, nal_type, units }
        };
        let arrays = vec![array(VPS, vps), array(SPS, sps), array(PPS, pps)];
        let layers = (first.sub_layers & 7) << 3 | u8::from(first.nesting) << 2;
        Some(Config { general: first.general(), layers, length_size: 4, arrays })
    }

    /// The record's bytes.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(1);
        out.put_slice(&self.general);
        out.put_u8(self.layers & 0xfc | self.length_size.wrapping_sub(1) & 0x03);
        out.put_u8(self.arrays.len().min(usize::from(u8::MAX)) as u8);
        self.arrays.iter().take(usize::from(u8::MAX)).for_each(|array| write_array(&mut out, array));
        out.freeze()
    }

    /// The units of one type (`VPS`, `SPS`, `PPS`).
    pub fn units(&self, nal_type: u8) -> impl Iterator<Item = &Bytes> {
        self.arrays.iter().filter(move |a| a.nal_type == nal_type).flat_map(|a| &a.units)
    }

    /// VPS, SPS and PPS, in the order in which a decoder needs them.
    pub fn parameter_sets(&self) -> impl Iterator<Item = &Bytes> {
        [VPS, SPS, PPS].into_iter().flat_map(|t| self.units(t))
    }

    /// Temporal sub-layers; 0 when it is not known.
    pub fn temporal_layers(&self) -> u8 {
        self.layers >> 3 & 7
    }

    /// What the API shows. Width and height are 0 when the SPS cannot be parsed.
    pub fn info(&self) -> VideoInfo {
        let size = self.units(SPS).next().and_then(|sps| Sps::parse(sps).ok());
        let (width, height) = size.map(|sps| (sps.width, sps.height)).unwrap_or_default();
        let [general, .., level] = self.profile_tier_level();
        VideoInfo {
            codec: Codec::Hevc,
            profile: profile_name(general & 0x1f),
            level: level_name(level),
            width,
            height,
        }
    }

    /// `hvc1.…` (ISO/IEC 14496-15 annex E.3).
    pub fn codec_string(&self) -> String {
        let [general, c0, c1, c2, c3, constraints @ .., level] = self.profile_tier_level();
        let space = ["", "A", "B", "C"][usize::from(general >> 6)]; // two bits, four entries
        let tier = if general & 0x20 == 0 { 'L' } else { 'H' };
        let compatibility = u32::from_be_bytes([c0, c1, c2, c3]).reverse_bits();
        let used = constraints.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
        let constraints: String = constraints.iter().take(used).map(|b| format!(".{b:X}")).collect();
        format!("hvc1.{space}{}.{compatibility:X}.{tier}{level}{constraints}", general & 0x1f)
    }

    /// `profile_tier_level` without sub-layers: 12 bytes (HEVC 7.3.3).
    fn profile_tier_level(&self) -> [u8; 12] {
        let mut out = [0; 12];
        out.copy_from_slice(&self.general[..12]); // 12 of 20
        out
    }
}

fn read_array(r: &mut Reader<'_>, record: &Bytes) -> Result<Array, Fault> {
    let head = r.u8()?;
    let count = r.u16()?;
    if usize::from(count) > SETS_MAX {
        return Err(Fault::value("numNalus", count));
    }
    let mut units = Vec::new();
    for _ in 0..count {
        let length = r.u16()?;
        units.push(record.slice_ref(r.bytes(length.into())?));
    }
    Ok(Array { complete: head & 0x80 != 0, nal_type: head & 0x3f, units })
}

fn write_array(out: &mut BytesMut, array: &Array) {
    out.put_u8(u8::from(array.complete) << 7 | array.nal_type & 0x3f);
    out.put_u16(array.units.len().min(SETS_MAX) as u16);
    for unit in array.units.iter().take(SETS_MAX) {
        let unit = unit.get(..usize::from(u16::MAX)).unwrap_or(unit);
        out.put_u16(unit.len() as u16);
        out.put_slice(unit);
    }
}

fn profile_name(profile: u8) -> &'static str {
    match profile {
        1 => "Main",
        2 => "Main10",
        3 => "Main Still Picture",
        4 => "Rext",
        _ => OTHER,
    }
}

/// `general_level_idc` is thirty times the level.
fn level_name(level: u8) -> String {
    match level {
        30 | 60 | 90 | 120 | 150 | 180 => (level / 30).to_string(),
        63 | 93 | 123 | 153 | 156 | 183 | 186 => format!("{}.{}", level / 30, level % 30 / 3),
        _ => OTHER.into(),
    }
}

/// The start of a sequence parameter set (HEVC 7.3.2.2.1): as far as bit depths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sps {
    /// `profile_tier_level` without sub-layers: 12 bytes.
    pub profile_tier_level: [u8; 12],
    /// Temporal layers, 1 to 7.
    pub sub_layers: u8,
    /// `sps_temporal_id_nesting_flag`.
    pub nesting: bool,
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Width in pixels after cropping.
    pub width: u32,
    /// Height in pixels after cropping.
    pub height: u32,
    /// Bits of a luma sample.
    pub luma_bits: u8,
    /// Bits of a chroma sample.
    pub chroma_bits: u8,
}

impl Sps {
    /// From a NAL unit, its two-byte header included.
    pub fn parse(unit: &[u8]) -> Result<Sps, ParseError> {
        // All fields up to the bit depths fit in far less, however many sub-layers there are.
        let head = unit.get(..256).unwrap_or(unit);
        let rbsp = unescape(head.get(2..).unwrap_or_default());
        Sps::read(&mut BitReader::new(&rbsp)).map_err(|fault| fault.within("HEVC sequence parameter set"))
    }

    fn read(r: &mut BitReader<'_>) -> Result<Sps, Fault> {
        r.skip(4)?; // sps_video_parameter_set_id
        let sub_layers = r.byte(3)? + 1;
        let nesting = r.flag()?;
        let mut profile_tier_level = [0; 12];
        for byte in &mut profile_tier_level {
            *byte = r.byte(8)?;
        }
        skip_sub_layers(r, sub_layers)?;
        r.ue()?; // sps_seq_parameter_set_id
        let chroma_format = r.ue()?;
        if chroma_format > 3 {
            return Err(Fault::value("chroma_format_idc", chroma_format));
        }
        let separate_planes = chroma_format == 3 && r.flag()?;
        let (width, height) = read_size(r, if separate_planes { 0 } else { chroma_format })?;
        let (luma_bits, chroma_bits) = (bit_depth(r)?, bit_depth(r)?);
        let chroma_format = chroma_format as u8; // at most 3
        Ok(Sps {
            profile_tier_level,
            sub_layers,
            nesting,
            chroma_format,
            width,
            height,
            luma_bits,
            chroma_bits,
        })
    }

    /// Bytes 1 to 20 of a decoder configuration record.
    fn general(&self) -> [u8; 20] {
        let mut out = [0; 20];
        out[..12].copy_from_slice(&self.profile_tier_level); // 12 of 20
        let chroma = 0xfc | self.chroma_format;
        let depths = [0xf8 | (self.luma_bits - 8), 0xf8 | (self.chroma_bits - 8)]; // 8 to 15, as `bit_depth` checked
        out[12..18].copy_from_slice(&[0xf0, 0, 0xfc, chroma, depths[0], depths[1]]);
        out
    }
}

fn skip_sub_layers(r: &mut BitReader<'_>, sub_layers: u8) -> Result<(), Fault> {
    let mut present = Vec::new();
    for _ in 1..sub_layers {
        present.push((r.flag()?, r.flag()?));
    }
    if sub_layers > 1 {
        r.skip(2 * (9 - usize::from(sub_layers)))?; // reserved_zero_2bits
    }
    for (profile, level) in present {
        r.skip(if profile { 88 } else { 0 })?;
        r.skip(if level { 8 } else { 0 })?;
    }
    Ok(())
}

/// Width and height, with the conformance window cut off.
fn read_size(r: &mut BitReader<'_>, chroma_format: u32) -> Result<(u32, u32), Fault> {
    let (width, height) = (r.ue()?, r.ue()?);
    if !r.flag()? {
        return Ok((width, height));
    }
    let (left, right, top, bottom) = (r.ue()?, r.ue()?, r.ue()?, r.ue()?);
    let unit_x = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
    let unit_y = if chroma_format == 1 { 2 } else { 1 };
    Ok((crop(width, left, right, unit_x)?, crop(height, top, bottom, unit_y)?))
}

fn crop(side: u32, before: u32, after: u32, unit: u32) -> Result<u32, Fault> {
    let cut = before.saturating_add(after).saturating_mul(unit);
    side.checked_sub(cut).ok_or(Fault::value("conformance window", cut))
}

fn bit_depth(r: &mut BitReader<'_>) -> Result<u8, Fault> {
    match r.ue()? {
        minus8 @ 0..=7 => Ok(minus8 as u8 + 8),
        minus8 => Err(Fault::value("bit_depth_minus8", minus8)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::hex;
    use super::*;
    use proptest::prelude::*;

    /// x265, Main, level 2, 322x182 coded as 328x184 and cropped.
    pub(in super::super) const MAIN: &str = "
        01 01 60000000 900000000000 3c // version, profile, compatibility, constraints, level
        f000 fc fd f8 f8 0000 0f 03 // segmentation, parallelism, 4:2:0, depths, rate, lengths of four bytes, 3 arrays
        a0 0001 0018 40010c01ffff01600000030090000003000003003c959809 // VPS
        a1 0001 002a 42010101600000030090000003000003003ca00a480b9c95 // SPS
                     96566924caf0168080000003008000000c84
        a2 0001 0007 4401c172b46240 // PPS";

    #[test]
    fn what_nothing_later_refers_to() {
        let disposable = |unit: &str, layers| is_disposable(&hex(&format!("00000003 {unit}")), 4, layers);
        assert!(disposable("0001af", 1), "TRAIL_N");
        assert!(!disposable("0201af", 1), "TRAIL_R");
        assert!(!disposable("0001af", 2), "TRAIL_N below another sub-layer");
        assert!(disposable("0402af", 2), "TSA_N of the highest");
        assert!(disposable("1001af", 1) && disposable("1201af", 1), "RASL_N, RASL_R");
        assert!(!disposable("2601af", 1) && !disposable("4e01af", 1), "IDR_W_RADL; no slice");
    }

    #[test]
    fn describes_a_real_configuration() {
        let record = hex(MAIN);
        let config = Config::parse(&record).unwrap();
        let info = config.info();
        assert_eq!((info.profile, info.level.as_str(), info.width, info.height), ("Main", "2", 322, 182));
        assert_eq!(config.codec_string(), "hvc1.1.6.L60.90");
        assert_eq!(config.parameter_sets().count(), 3);
        assert_eq!(config.write(), record);
    }

    #[test]
    fn a_record_is_made_of_parameter_sets() {
        let config = Config::parse(&hex(MAIN)).unwrap();
        let units = |t| config.units(t).cloned().collect::<Vec<_>>();
        let made = Config::from_parameter_sets(units(VPS), units(SPS), units(PPS)).unwrap();
        assert_eq!(made.arrays, config.arrays);
        assert_eq!(made.info(), config.info());
        assert_eq!(made.codec_string(), config.codec_string());
    }

    #[test]
    fn random_access_points() {
        let unit = |t: u8| [0, 0, 0, 3, t << 1, 1, 0x80];
        assert!(is_key(&unit(19), 4), "IDR_W_RADL");
        assert!(is_key(&unit(21), 4), "CRA_NUT");
        assert!(!is_key(&unit(1), 4), "TRAIL_R");
    }

    #[test]
    fn levels() {
        assert_eq!([30, 63, 93, 156, 186, 31].map(level_name), ["1", "2.1", "3.1", "5.2", "6.2", "Other"]);
    }

    proptest! {
        #[test]
        fn hostile_parameter_sets_never_panic(sps in prop::collection::vec(any::<u8>(), 0..80)) {
            let set = vec![Bytes::from_static(&[0x40])];
            if let Some(config) = Config::from_parameter_sets(set.clone(), vec![sps.into()], set) {
                config.info();
                prop_assert_eq!(Config::parse(&config.write()), Ok(config));
            }
        }
    }
}
