//! AV1CodecConfigurationRecord (AV1-ISOBMFF 2.3) from a sequence header OBU (AV1 5.5): RTP carries none.

use super::bits::Bits;
use crate::depacketize::Damage;
use bytes::Bytes;
use headwater_media::codec::av1::Config;

/// The record: `payload` is the sequence header's, `obu` the whole unit with its size.
pub(crate) fn record(payload: &[u8], obu: &[u8]) -> Result<Bytes, Damage> {
    let mut r = Bits::new(payload, "AV1 sequence header");
    let profile = r.bits(3)? as u8;
    r.skip(1)?; // still_picture
    let reduced = r.flag()?;
    let (level, high_tier) = if reduced { (r.bits(5)? as u8, false) } else { operating_points(&mut r)? };
    frame_size(&mut r, reduced)?;
    tools(&mut r, reduced)?;
    let format = color(&mut r, profile)?;
    let obus = Bytes::copy_from_slice(obu);
    Ok(Config { profile, level, high_tier, format, delay: 0, obus }.write())
}

/// Timing, decoder model and operating points; gives the first point's level and whether its tier is high.
fn operating_points(r: &mut Bits<'_>) -> Result<(u8, bool), Damage> {
    let mut model_bits = None;
    if r.flag()? {
        timing(r)?;
        if r.flag()? {
            model_bits = Some(r.bits(5)? as usize + 1); // buffer_delay_length
            r.skip(32 + 5 + 5)?;
        }
    }
    let display_delay = r.flag()?;
    let mut first = None;
    for _ in 0..=r.bits(5)? {
        r.skip(12)?; // operating_point_idc
        let level = r.bits(5)? as u8;
        let high_tier = level > 7 && r.flag()?;
        if let Some(bits) = model_bits
            && r.flag()?
        {
            r.skip(2 * bits + 1)?;
        }
        if display_delay && r.flag()? {
            r.skip(4)?;
        }
        first.get_or_insert((level, high_tier));
    }
    Ok(first.unwrap_or_default())
}

/// `timing_info()`.
fn timing(r: &mut Bits<'_>) -> Result<(), Damage> {
    r.skip(64)?; // num_units_in_display_tick, time_scale
    if !r.flag()? {
        return Ok(());
    }
    let mut zeros = 0; // num_ticks_per_picture_minus_1: uvlc()
    while !r.flag()? {
        zeros += 1;
    }
    if zeros < 32 { r.skip(zeros) } else { Ok(()) }
}

fn frame_size(r: &mut Bits<'_>, reduced: bool) -> Result<(), Damage> {
    let (width_bits, height_bits) = (r.bits(4)? as usize + 1, r.bits(4)? as usize + 1);
    r.skip(width_bits + height_bits)?;
    if !reduced && r.flag()? {
        r.skip(4 + 3)?; // delta_frame_id_length, additional_frame_id_length
    }
    Ok(())
}

/// What stands between the frame size and the colours.
fn tools(r: &mut Bits<'_>, reduced: bool) -> Result<(), Damage> {
    r.skip(3)?; // superblock size, filter intra, intra edge filter
    if !reduced {
        r.skip(4)?; // interintra, masked compound, warped motion, dual filter
        let order_hint = r.flag()?;
        r.skip(if order_hint { 2 } else { 0 })?; // jnt_comp, ref_frame_mvs
        let choose_tools = r.flag()?;
        let force_tools = if choose_tools { 2 } else { r.bits(1)? };
        if force_tools > 0 && !r.flag()? {
            r.skip(1)?; // seq_force_integer_mv
        }
        r.skip(if order_hint { 3 } else { 0 })?; // order_hint_bits_minus_1
    }
    r.skip(3) // superres, cdef, restoration
}

/// `color_config()` (AV1 5.5.2) as the record's third byte has it, without the tier.
fn color(r: &mut Bits<'_>, profile: u8) -> Result<u8, Damage> {
    const SRGB: [u32; 3] = [1, 13, 0];
    let high = r.flag()?;
    let twelve = profile == 2 && high && r.flag()?;
    let mono = profile != 1 && r.flag()?;
    let described = r.flag()?;
    let description = if described { [r.bits(8)?, r.bits(8)?, r.bits(8)?] } else { [2, 2, 2] };
    let depth = u8::from(high) << 6 | u8::from(twelve) << 5 | u8::from(mono) << 4;
    if mono {
        return Ok(depth | 0x0c);
    }
    if description == SRGB {
        return Ok(depth);
    }
    r.skip(1)?; // color_range
    let (x, y) = match profile {
        0 => (true, true),
        1 => (false, false),
        _ if twelve => {
            let x = r.flag()?;
            (x, x && r.flag()?)
        }
        _ => (true, false),
    };
    let position = if x && y { r.bits(2)? as u8 } else { 0 };
    Ok(depth | u8::from(x) << 3 | u8::from(y) << 2 | position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::hex;

    #[test]
    fn the_record_of_a_real_header() {
        // SVT-AV1, Main, level 2.0, 320x180, 8 bits 4:2:0.
        let obu = hex("0a 0b 000000043cfecc02f80040");
        let config = Config::parse(&record(&obu[2..], &obu).unwrap()).unwrap();
        assert_eq!(config.codec_string(), "av01.0.00M.08");
        assert_eq!((config.info().width, config.info().height), (320, 180));
        assert_eq!(config.format & 0x1c, 0x0c, "4:2:0, colour");
    }

    #[test]
    fn every_prefix_is_answered() {
        let obu = hex("0a 0b 000000043cfecc02f80040");
        assert!((0..8).all(|n| record(&obu[2..2 + n], &obu).is_err()));
    }
}
