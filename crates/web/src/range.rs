use thiserror::Error;

/// A part of some content, in bytes; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its first byte.
    pub start: u64,
    /// How many there are.
    pub len: u64,
}

/// A range that begins at or behind the end; the answer is 416.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the range begins behind the end of the content")]
pub struct RangeNotSatisfiable;

/// The part of `len` bytes that a Range field asks for (RFC 9110 14.1.2): `bytes=a-b`, `bytes=a-`, `bytes=-n`.
///
/// `None` means all of it: several ranges, other units and what cannot be read are answered as if nothing had been
/// asked, which RFC 9110 14.2 allows. Several ranges are not served because overlapping ones multiply the content.
pub fn part(field: &str, len: u64) -> Result<Option<Part>, RangeNotSatisfiable> {
    let Some((first, last)) = single(field) else { return Ok(None) };
    let (start, end) = match (first, last) {
        (Some(first), Some(last)) if last < first => return Ok(None), // invalid, so to be ignored
        (Some(first), last) => (first, last.map_or(len, |last| last.saturating_add(1).min(len))),
        (None, Some(suffix)) => (len.saturating_sub(suffix), len),
        (None, None) => return Ok(None),
    };
    match end.checked_sub(start) {
        None | Some(0) => Err(RangeNotSatisfiable),
        Some(len) => Ok(Some(Part { start, len })),
    }
}

/// First and last of the only range; `None` where the field has another form.
fn single(field: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, range) = field.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    unit.trim().eq_ignore_ascii_case("bytes").then_some(())?;
    Some((number(first)?, number(last)?))
}

/// A number, or nothing; more than fits is the greatest one.
fn number(digits: &str) -> Option<Option<u64>> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms() {
        let of = |field| part(field, 10).map(|part| part.map(|p| (p.start, p.len)));
        assert_eq!(of("bytes=2-4"), Ok(Some((2, 3))));
        assert_eq!(of("Bytes= 2-4 "), Ok(Some((2, 3))));
        assert_eq!(of("bytes=7-"), Ok(Some((7, 3))));
        assert_eq!(of("bytes=7-99"), Ok(Some((7, 3))));
        assert_eq!(of("bytes=-3"), Ok(Some((7, 3))));
        assert_eq!(of("bytes=-99"), Ok(Some((0, 10))));
        assert_eq!(of("bytes=0-99999999999999999999999"), Ok(Some((0, 10))));
        for whole in
            ["bytes=4-2", "bytes=0-1,4-5", "bytes=-", "bytes=a-b", "bytes=+1-2", "lines=1-2", "2-4", ""]
        {
            assert_eq!(of(whole), Ok(None), "{whole}");
        }
        for none in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of(none), Err(RangeNotSatisfiable), "{none}");
        }
        assert_eq!(part("bytes=0-", 0), Err(RangeNotSatisfiable));
        assert_eq!(part("bytes=-5", 0), Err(RangeNotSatisfiable));
    }

    proptest! {
        #[test]
        fn a_part_lies_within(field in "bytes=[0-9]{0,3}-[0-9]{0,3}|.{0,20}", len in 0u64..600) {
            if let Ok(Some(part)) = part(&field, len) {
                prop_assert!(part.len > 0 && part.start + part.len <= len);
            }
        }
    }
}
