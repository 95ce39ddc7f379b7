use crate::Short;

/// A bounded reader of bits, most significant first, with the Exp-Golomb codes of H.264 and HEVC (H.264 9.1).
#[derive(Clone, Debug)]
pub(super) struct BitReader<'a> {
    data: &'a [u8],
    /// Bits read so far.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        BitReader { data, at: 0 }
    }

    pub(super) fn left(&self) -> usize {
        self.data.len() * 8 - self.at
    }

    pub(super) fn flag(&mut self) -> Result<bool, Short> {
        let byte = self.data.get(self.at / 8).ok_or_else(|| self.short(1))?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Ok(bit == 1)
    }

    /// `n` bits, at most 32, as a number.
    pub(super) fn bits(&mut self, n: usize) -> Result<u32, Short> {
        if n > self.left() {
            return Err(self.short(n));
        }
        let mut value = 0;
        for _ in 0..n.min(32) {
            value = value << 1 | u32::from(self.flag()?);
        }
        Ok(value)
    }

    /// At most 8 bits.
    pub(super) fn byte(&mut self, n: usize) -> Result<u8, Short> {
        Ok(self.bits(n.min(8))? as u8)
    }

    pub(super) fn skip(&mut self, n: usize) -> Result<(), Short> {
        if n > self.left() {
            return Err(self.short(n));
        }
        self.at += n;
        Ok(())
    }

    /// `ue(v)`. Codes longer than 32 bits are cut to 32: no field in use here is as large.
    pub(super) fn ue(&mut self) -> Result<u32, Short> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros == 32 {
                return Ok(u32::MAX);
            }
        }
        Ok(((1u64 << zeros) - 1) as u32 + self.bits(zeros)?)
    }

    fn short(&self, bits: usize) -> Short {
        Short { at: self.at / 8, needed: bits.div_ceil(8), left: self.left() / 8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes() {
        let mut r = BitReader::new(&[0b1010_0110, 0b0100_0000]);
        assert_eq!([r.ue(), r.ue(), r.ue(), r.ue()], [Ok(0), Ok(1), Ok(2), Ok(3)]);
        assert_eq!(BitReader::new(&[0; 8]).ue(), Ok(u32::MAX));
        assert!(BitReader::new(&[0; 2]).ue().is_err());
    }
}
