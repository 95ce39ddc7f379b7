use crate::packet::ticks;
use headwater_media::{Reader, Short, Time};

/// Longest PES packet whose length can be told, after the six bytes that tell it.
pub(crate) const LENGTH_MAX: usize = 0xffff;

/// Bytes of a header with both timestamps.
pub(crate) const HEADER_MAX: usize = 19;

/// `stream_id` (ISO/IEC 13818-1 table 2-22).
pub(crate) mod stream_id {
    pub(crate) const PRIVATE: u8 = 0xbd;
    pub(crate) const AUDIO: u8 = 0xc0;
    pub(crate) const VIDEO: u8 = 0xe0;
}

/// Appends a PES header for `len` payload bytes (ISO/IEC 13818-1 2.4.3.6). The length is left 0, which only video
/// may have, when it does not fit.
pub(crate) fn put_header(stream_id: u8, pts: Time, dts: Time, len: usize, out: &mut Vec<u8>) {
    let times = if pts == dts { 5 } else { 10 };
    let length = Some(len + 3 + times).filter(|&n| n <= LENGTH_MAX).unwrap_or(0) as u16;
    let [high, low] = length.to_be_bytes();
    let flags = if pts == dts { 0x80 } else { 0xc0 };
    // 0x84: marker bits, and the payload begins with an access unit.
    out.extend_from_slice(&[0x00, 0x00, 0x01, stream_id, high, low, 0x84, flags, times as u8]);
    if pts == dts {
        return put_time(0x2, pts, out);
    }
    put_time(0x3, pts, out);
    put_time(0x1, dts, out);
}

fn put_time(prefix: u8, time: Time, out: &mut Vec<u8>) {
    let t = ticks(time);
    let [.., a, b] = ((t >> 15 & 0x7fff) << 1 | 1).to_be_bytes();
    let [.., c, d] = ((t & 0x7fff) << 1 | 1).to_be_bytes();
    out.extend_from_slice(&[prefix << 4 | (t >> 30 << 1) as u8 & 0x0e | 1, a, b, c, d]);
}

/// A PES packet's timestamps (33 bits each) and payload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pes<'a> {
    pub(crate) pts: u64,
    pub(crate) dts: u64,
    pub(crate) payload: &'a [u8],
}

/// Bytes of the whole packet, when it tells its length.
pub(crate) fn whole_len(data: &[u8]) -> Option<usize> {
    let &[_, _, _, _, high, low, ..] = data else { return None };
    let length = u16::from_be_bytes([high, low]);
    (length > 0).then_some(6 + usize::from(length))
}

/// `None` when broken or without timestamps.
pub(crate) fn read(data: &[u8]) -> Option<Pes<'_>> {
    let mut r = Reader::new(data);
    if r.u24().ok()? != 1 {
        return None;
    }
    r.skip(4).ok()?; // stream id, length, marker bits
    let flags = r.u8().ok()?;
    let len = r.u8().ok()?;
    let mut header = Reader::new(r.bytes(len.into()).ok()?);
    let pts = (flags & 0x80 != 0).then(|| read_time(&mut header))?.ok()?;
    let dts = if flags & 0x40 != 0 { read_time(&mut header).ok()? } else { pts };
    let end = whole_len(data).map_or(data.len(), |n| n.min(data.len()));
    Some(Pes { pts, dts, payload: data.get(r.position()..end)? })
}

fn read_time(r: &mut Reader<'_>) -> Result<u64, Short> {
    let top = u64::from(r.u8()?) >> 1 & 0x07;
    let (middle, low) = (u64::from(r.u16()?) >> 1, u64::from(r.u16()?) >> 1);
    Ok(top << 30 | middle << 15 | low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CLOCK;

    #[test]
    fn timestamps_survive() {
        for (pts, dts) in [(0, 0), (3003, 0), ((1 << 33) - 1, (1 << 33) - 3004), (0x1_5555_5555, 0xaaaa_aaaa)]
        {
            let mut out = Vec::new();
            let time = |t| Time::from_ticks(t, CLOCK);
            put_header(stream_id::VIDEO, time(pts), time(dts), 2, &mut out);
            assert!(out.len() <= HEADER_MAX);
            out.extend_from_slice(&[7, 8, 9]);
            let expected = Pes { pts: pts as u64, dts: dts as u64, payload: &[7, 8] };
            assert_eq!(read(&out), Some(expected));
        }
    }
}
