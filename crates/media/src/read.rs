use thiserror::Error;

/// A read went past the end of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("needs {needed} more bytes at offset {at}, {left} left")]
pub struct Short {
    /// Offset of the read, in bytes from the start of the input.
    pub at: usize,
    /// Bytes the read asked for.
    pub needed: usize,
    /// Bytes that were left.
    pub left: usize,
}

/// A bounded reader over a byte slice: every read is checked, none panics, none allocates.
///
/// Integers are big-endian unless the name says otherwise.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads `data` from its start.
    pub fn new(data: &'a [u8]) -> Self {
        Reader { data, at: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes left to read.
    pub fn left(&self) -> usize {
        self.data.len() - self.at
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// The unread rest, without reading it.
    pub fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], Short> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.data.len());
        let Some(end) = end else {
            return Err(Short { at: self.at, needed: n, left: self.left() });
        };
        let out = &self.data[self.at..end]; // `end` was checked just above
        self.at = end;
        Ok(out)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(N)?);
        Ok(out)
    }

    /// Skips `n` bytes.
    pub fn skip(&mut self, n: usize) -> Result<(), Short> {
        self.bytes(n).map(drop)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Short> {
        Ok(self.array::<1>()?[0]) // an array of one has a first
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, Short> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Three bytes.
    pub fn u24(&mut self) -> Result<u32, Short> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// Three bytes, two's complement.
    pub fn i24(&mut self) -> Result<i32, Short> {
        Ok(((self.u24()? << 8) as i32) >> 8)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, Short> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Four bytes, little-endian.
    pub fn u32_le(&mut self) -> Result<u32, Short> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, Short> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Eight bytes, IEEE 754 double.
    pub fn f64(&mut self) -> Result<f64, Short> {
        Ok(f64::from_be_bytes(self.array()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_read_says_where_and_reads_nothing() {
        let mut r = Reader::new(&[1, 2, 3]);
        assert_eq!(r.u8(), Ok(1));
        assert_eq!(r.u32(), Err(Short { at: 1, needed: 4, left: 2 }));
        assert_eq!(r.u16(), Ok(0x0203));
        assert_eq!(r.bytes(usize::MAX), Err(Short { at: 3, needed: usize::MAX, left: 0 }));
    }

    #[test]
    fn signed_24_bits() {
        assert_eq!(Reader::new(&[0xff, 0xff, 0xfe]).i24(), Ok(-2));
        assert_eq!(Reader::new(&[0x00, 0x00, 0x50]).i24(), Ok(80));
    }
}
