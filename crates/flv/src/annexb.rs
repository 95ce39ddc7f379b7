//! H.264 as a byte stream with start codes (ITU-T H.264 Annex B), which some encoders put into FLV by mistake.

use bytes::{BufMut, Bytes, BytesMut};

const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;

/// The payload with a 4-byte length before each NAL unit, when it is a byte stream; `None` when it is not.
///
/// `00 00 01 xx` may be either a start code or the length of a short NAL unit, so a payload whose lengths add up
/// stays as it is.
pub(crate) fn to_lengths(payload: &[u8]) -> Option<Bytes> {
    if !starts_with_code(payload) || lengths_add_up(payload) {
        return None;
    }
    let mut out = BytesMut::with_capacity(payload.len() + 16);
    for nal in nal_units(payload) {
        out.put_u32(nal.len() as u32);
        out.put_slice(nal);
    }
    Some(out.freeze())
}

/// An AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1) made of the parameter sets in a byte stream.
pub(crate) fn to_config(payload: &[u8]) -> Option<Bytes> {
    if !starts_with_code(payload) {
        return None;
    }
    let find = |kind: u8| nal_units(payload).find(|nal| nal.first().is_some_and(|b| b & 0x1f == kind));
    let (sps, pps) = (find(NAL_SPS)?, find(NAL_PPS)?);
    let profile = sps.get(1..4)?;
    let mut out = BytesMut::with_capacity(11 + sps.len() + pps.len());
    out.put_u8(1); // configurationVersion
    out.put_slice(profile);
    out.put_slice(&[0xff, 0xe1]); // 4-byte lengths; one SPS
    out.put_u16(u16::try_from(sps.len()).ok()?);
    out.put_slice(sps);
    out.put_u8(1); // one PPS
    out.put_u16(u16::try_from(pps.len()).ok()?);
    out.put_slice(pps);
    Some(out.freeze())
}

fn starts_with_code(payload: &[u8]) -> bool {
    payload.starts_with(&[0, 0, 1]) || payload.starts_with(&[0, 0, 0, 1])
}

fn lengths_add_up(mut payload: &[u8]) -> bool {
    while let Some((len, rest)) = payload.split_first_chunk::<4>() {
        let Some(next) = rest.get(u32::from_be_bytes(*len) as usize..) else { return false };
        payload = next;
    }
    payload.is_empty()
}

/// NAL units between start codes, without the zero bytes that may trail them.
fn nal_units(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_code(payload);
    std::iter::from_fn(move || {
        let data = rest?;
        let end = find_code(data).unwrap_or(data.len());
        let (nal, next) = data.split_at(end);
        rest = after_code(next);
        let trailing = nal.iter().rev().take_while(|&&b| b == 0).count();
        Some(nal.get(..nal.len() - trailing).unwrap_or_default())
    })
    .filter(|nal| !nal.is_empty())
}

fn find_code(data: &[u8]) -> Option<usize> {
    data.windows(3).position(|w| w == [0, 0, 1])
}

fn after_code(data: &[u8]) -> Option<&[u8]> {
    data.get(find_code(data)? + 3..)
}
