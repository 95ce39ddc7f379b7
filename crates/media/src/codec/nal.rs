//! NAL units, as H.264 and HEVC share them: framed by their lengths or by start codes (Annex B).

use bytes::{BufMut, Bytes, BytesMut};

/// Four-byte Annex B start code.
pub const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// NAL units of an access unit in which each comes after its big-endian length of `length_size` (1 to 4) bytes.
///
/// Empty units are left out. Stops where a length points past the end: what came before is still good.
pub fn length_prefixed(data: &[u8], length_size: u8) -> LengthPrefixed<'_> {
    LengthPrefixed { rest: data, length_size: usize::from(length_size.clamp(1, 4)) }
}

/// See [`length_prefixed`].
#[derive(Clone, Debug)]
pub struct LengthPrefixed<'a> {
    rest: &'a [u8],
    length_size: usize,
}

impl<'a> Iterator for LengthPrefixed<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (length, rest) = self.rest.split_at_checked(self.length_size)?;
            let length = length.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
            let Some((unit, rest)) = rest.split_at_checked(length) else {
                self.rest = &[];
                return None;
            };
            self.rest = rest;
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    }
}

/// NAL units of a byte stream with start codes of three or four bytes (H.264 annex B).
///
/// Bytes before the first start code are left out, trailing zero bytes too.
pub fn annexb(data: &[u8]) -> AnnexB<'_> {
    let start = find_start_code(data).map_or(data.len(), |at| at + 3);
    AnnexB { rest: data.get(start..).unwrap_or_default() }
}

/// See [`annexb`].
#[derive(Clone, Debug)]
pub struct AnnexB<'a> {
    /// After a start code.
    rest: &'a [u8],
}

impl<'a> Iterator for AnnexB<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = find_start_code(self.rest);
            let (unit, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
            self.rest = rest.get(3..).unwrap_or_default();
            let used = unit.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
            if used > 0 {
                return unit.get(..used);
            }
        }
        None
    }
}

/// Where the first `00 00 01` begins.
fn find_start_code(data: &[u8]) -> Option<usize> {
    let mut at = 2;
    // The third byte tells how far the next start code is at least: 3 when it is above 1.
    while let Some(&third) = data.get(at) {
        match third {
            1 if data.get(at - 2..at) == Some(&[0, 0]) => return Some(at - 2),
            0 => at += 1,
            _ => at += 3,
        }
    }
    None
}

/// Rewrites length-prefixed NAL units with start codes.
pub fn to_annexb(data: &[u8], length_size: u8) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len() + 16);
    for unit in length_prefixed(data, length_size) {
        out.put_slice(&START_CODE);
        out.put_slice(unit);
    }
    out.freeze()
}

/// Rewrites NAL units with start codes as units after four-byte lengths.
pub fn to_length_prefixed(data: &[u8]) -> Bytes {
    join(annexb(data))
}

/// Puts each unit after its four-byte length.
pub fn join<'a>(units: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
    let mut out = BytesMut::new();
    for unit in units {
        out.put_u32(unit.len() as u32);
        out.put_slice(unit);
    }
    out.freeze()
}

/// The raw byte sequence payload of a NAL unit: without emulation prevention bytes (H.264 7.3.1, HEVC 7.3.1.1).
pub fn unescape(unit: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A NAL unit as an encoder writes it: no start code inside, no zero at its end.
    fn unit() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(0u8), Just(1), Just(3), any::<u8>()];
        prop::collection::vec(byte, 1..40).prop_map(|mut unit| {
            for at in 2..unit.len() {
                if unit[at - 2..at] == [0, 0] && unit[at] <= 3 {
                    unit[at] = 0x80;
                }
            }
            unit.push(0x80);
            unit
        })
    }

    proptest! {
        #[test]
        fn both_framings_hold_the_same_units(units in prop::collection::vec(unit(), 0..8)) {
            let lengths = join(units.iter().map(Vec::as_slice));
            let codes = to_annexb(&lengths, 4);
            prop_assert_eq!(annexb(&codes).collect::<Vec<_>>(), units);
            prop_assert_eq!(to_length_prefixed(&codes), lengths);
        }

        #[test]
        fn arbitrary_bytes_end(data in prop::collection::vec(0u8..3, 0..200), size in any::<u8>()) {
            let total: usize = length_prefixed(&data, size).chain(annexb(&data)).map(<[u8]>::len).sum();
            prop_assert!(total <= 2 * data.len());
        }
    }

    #[test]
    fn start_codes_of_three_and_four_bytes() {
        let data = [9, 0, 0, 1, 0x67, 0, 0, 0, 1, 0x68, 0, 0, 1, 0x65, 0, 0];
        assert_eq!(annexb(&data).collect::<Vec<_>>(), [[0x67], [0x68], [0x65]]);
    }

    #[test]
    fn a_length_past_the_end_stops() {
        let data = [0, 0, 0, 1, 0x65, 0, 0, 0, 9, 0x41];
        assert_eq!(length_prefixed(&data, 4).collect::<Vec<_>>(), [[0x65]]);
    }

    #[test]
    fn emulation_prevention_is_undone() {
        assert_eq!(unescape(&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3]), [1, 0, 0, 1, 0, 0, 0, 0]);
    }
}
