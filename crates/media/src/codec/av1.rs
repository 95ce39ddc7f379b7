//! AV1: configuration record (AV1-ISOBMFF 2.3), OBU framing and the sequence header (AV1 5.3, 5.5).

use super::bits::BitReader;
use super::{Fault, OTHER, ParseError, VideoInfo};
use crate::{Codec, Reader};
use bytes::{BufMut, Bytes, BytesMut};

/// `OBU_SEQUENCE_HEADER`.
pub const SEQUENCE_HEADER: u8 = 1;
/// `OBU_TEMPORAL_DELIMITER`.
pub const TEMPORAL_DELIMITER: u8 = 2;

/// One open bitstream unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// `obu_type`.
    pub obu_type: u8,
    /// The whole unit, header and size included.
    pub whole: &'a [u8],
    /// What follows header and size.
    pub payload: &'a [u8],
}

/// The OBUs of a temporal unit (low-overhead format, AV1 5.2). Stops at the first broken one.
pub fn obus(data: &[u8]) -> Obus<'_> {
    Obus { rest: data }
}

/// See [`obus`].
#[derive(Clone, Debug)]
pub struct Obus<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Obus<'a> {
    type Item = Obu<'a>;

    fn next(&mut self) -> Option<Obu<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let data = std::mem::take(&mut self.rest);
        let mut r = Reader::new(data);
        let head = r.u8().ok()?;
        let extension = head & 0x04 != 0;
        r.skip(extension.into()).ok()?;
        let size = if head & 0x02 != 0 { leb128(&mut r).ok()? } else { r.left() };
        let payload = r.bytes(size).ok()?;
        let (whole, rest) = data.split_at_checked(r.position())?;
        self.rest = rest;
        Some(Obu { obu_type: head >> 3 & 0x0f, whole, payload })
    }
}

/// `leb128()` (AV1 4.10.5), at most 32 bits.
fn leb128(r: &mut Reader<'_>) -> Result<usize, Fault> {
    let mut value = 0u64;
    for i in 0..8 {
        let byte = r.u8()?;
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return u32::try_from(value).map(|v| v as usize).map_err(|_| Fault::value("obu_size", value));
        }
    }
    Err(Fault::value("obu_size", value))
}

/// AV1CodecConfigurationRecord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `seq_profile`, 0 to 7.
    pub profile: u8,
    /// `seq_level_idx_0`, 0 to 31.
    pub level: u8,
    /// High tier.
    pub high_tier: bool,
    /// The third byte as it came: bit depth, chroma format and, in its low bits, sample position.
    pub format: u8,
    /// The fourth byte as it came: initial presentation delay.
    pub delay: u8,
    /// `configOBUs`.
    pub obus: Bytes,
}

impl Config {
    /// From the record's bytes.
    pub fn parse(record: &Bytes) -> Result<Config, ParseError> {
        Config::read(record).map_err(|fault| fault.within("AV1CodecConfigurationRecord"))
    }

    fn read(record: &Bytes) -> Result<Config, Fault> {
        let mut r = Reader::new(record);
        let [version, profile_level, third, delay] = r.array()?;
        if version != 0x81 {
            return Err(Fault::value("marker and version", version));
        }
        Ok(Config {
            profile: profile_level >> 5,
            level: profile_level & 0x1f,
            high_tier: third & 0x80 != 0,
            format: third & 0x7f,
            delay,
            obus: record.slice_ref(r.rest()),
        })
    }

    /// The record's bytes.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(0x81);
        out.put_u8(self.profile << 5 | self.level & 0x1f);
        out.put_u8(u8::from(self.high_tier) << 7 | self.format & 0x7f);
        out.put_u8(self.delay);
        out.put_slice(&self.obus);
        out.freeze()
    }

    /// What the API shows. Width and height are 0 without a readable sequence header.
    pub fn info(&self) -> VideoInfo {
        let header = obus(&self.obus).find(|obu| obu.obu_type == SEQUENCE_HEADER);
        let header = header.and_then(|obu| SequenceHeader::parse(obu.payload).ok());
        let (width, height) = header.map(|h| (h.width, h.height)).unwrap_or_default();
        VideoInfo {
            codec: Codec::Av1,
            profile: profile_name(self.profile),
            level: level_name(self.level),
            width,
            height,
        }
    }

    /// `av01.P.LLT.DD` (AV1-ISOBMFF 5).
    pub fn codec_string(&self) -> String {
        let tier = if self.high_tier { 'H' } else { 'M' };
        let depth = match (self.format & 0x40 != 0, self.format & 0x20 != 0) {
            (false, _) => 8,
            (true, false) => 10,
            (true, true) => 12,
        };
        format!("av01.{}.{:02}{tier}.{depth:02}", self.profile, self.level)
    }
}

fn profile_name(profile: u8) -> &'static str {
    match profile {
        0 => "Main",
        1 => "High",
        2 => "Professional",
        _ => OTHER,
    }
}

/// Level names by `seq_level_idx` (AV1 A.3): four steps a level from 2.0 on.
fn level_name(index: u8) -> String {
    match index {
        0..=23 => format!("{}.{}", 2 + index / 4, index % 4),
        _ => OTHER.into(),
    }
}

/// The start of a sequence header OBU (AV1 5.5.1): as far as the frame size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceHeader {
    /// `seq_profile`.
    pub profile: u8,
    /// `seq_level_idx[0]`.
    pub level: u8,
    /// Largest frame width in pixels.
    pub width: u32,
    /// Largest frame height in pixels.
    pub height: u32,
}

impl SequenceHeader {
    /// From an OBU's payload.
    pub fn parse(payload: &[u8]) -> Result<SequenceHeader, ParseError> {
        let mut r = BitReader::new(payload);
        SequenceHeader::read(&mut r).map_err(|fault| fault.within("AV1 sequence header"))
    }

    fn read(r: &mut BitReader<'_>) -> Result<SequenceHeader, Fault> {
        let profile = r.byte(3)?;
        r.skip(1)?; // still_picture
        let reduced = r.flag()?;
        let level = if reduced { r.byte(5)? } else { read_operating_points(r)? };
        let (width_bits, height_bits) = (r.bits(4)? as usize + 1, r.bits(4)? as usize + 1);
        let (width, height) = (r.bits(width_bits)? + 1, r.bits(height_bits)? + 1);
        Ok(SequenceHeader { profile, level, width, height })
    }
}

/// Timing, decoder model and operating points; gives the first point's level.
fn read_operating_points(r: &mut BitReader<'_>) -> Result<u8, Fault> {
    let mut model_bits = None;
    if r.flag()? {
        r.skip(64)?; // num_units_in_display_tick, time_scale
        if r.flag()? {
            r.ue()?; // num_ticks_per_picture_minus_1: uvlc() is read like ue(v)
        }
        if r.flag()? {
            model_bits = Some(r.bits(5)? as usize + 1); // buffer_delay_length
            r.skip(32 + 5 + 5)?;
        }
    }
    let display_delay = r.flag()?;
    let points = r.bits(5)? + 1;
    let mut first = None;
    for _ in 0..points {
        r.skip(12)?; // operating_point_idc
        let level = r.byte(5)?;
        r.skip(usize::from(level > 7))?; // seq_tier
        if let Some(bits) = model_bits
            && r.flag()?
        {
            r.skip(2 * bits + 1)?;
        }
        if display_delay && r.flag()? {
            r.skip(4)?;
        }
        first.get_or_insert(level);
    }
    Ok(first.unwrap_or_default())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::hex;
    use super::*;

    /// SVT-AV1, Main, level 2.0, 320x180.
    pub(in super::super) const AV1C: &str = "
        81 00 0c 00 // marker and version, profile and level, 8 bits 4:2:0, no delay
        0a 0b 000000043cfecc02f80040 // sequence header OBU";

    #[test]
    fn describes_a_real_configuration() {
        let record = hex(AV1C);
        let config = Config::parse(&record).unwrap();
        let info = config.info();
        assert_eq!((info.profile, info.level.as_str(), info.width, info.height), ("Main", "2.0", 320, 180));
        assert_eq!(config.codec_string(), "av01.0.00M.08");
        assert_eq!(config.write(), record);
    }

    #[test]
    fn obus_of_a_temporal_unit() {
        let data = hex("1200 0a03010203 3202aabb");
        let types: Vec<_> = obus(&data).map(|o| (o.obu_type, o.payload.len())).collect();
        assert_eq!(types, [(TEMPORAL_DELIMITER, 0), (SEQUENCE_HEADER, 3), (6, 2)]);
        assert_eq!(obus(&data).map(|o| o.whole.len()).sum::<usize>(), data.len());
        assert_eq!(obus(&hex("0a05010203")).count(), 0, "longer than the data");
    }
}
