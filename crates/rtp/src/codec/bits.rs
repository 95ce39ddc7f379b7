use crate::depacketize::Damage;

/// Bits, most significant first; a short read is damage.
#[derive(Clone, Debug)]
pub(crate) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    what: &'static str,
}

impl<'a> Bits<'a> {
    /// `what` is being read, by its specification's name.
    pub(crate) fn new(data: &'a [u8], what: &'static str) -> Bits<'a> {
        Bits { data, at: 0, what }
    }

    /// Bits read so far.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Damage> {
        Ok(self.bits(1)? == 1)
    }

    /// At most 32.
    pub(crate) fn bits(&mut self, count: usize) -> Result<u32, Damage> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.data.get(self.at / 8).ok_or(Damage::Malformed(self.what))?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Result<(), Damage> {
        self.at += count;
        if self.at > self.data.len() * 8 { Err(Damage::Malformed(self.what)) } else { Ok(()) }
    }
}
