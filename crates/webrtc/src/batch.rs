//! Datagrams for one peer, one behind the other: as the kernel takes those of one size in one call.

/// From here on a batch should go to the network: what one call carries.
const LARGE: usize = 60_000;

/// Longest datagram that is sent: a MTU of Ethernet.
const DATAGRAM_MAX: usize = 1500;

/// Datagrams in the order in which they are to be sent.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// Adds what `write` appends from the place it is told. Nothing is added when it fails, or made more than a
    /// datagram holds.
    pub(crate) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>, usize) -> Option<()>) -> bool {
        let start = self.bytes.len();
        let written = write(&mut self.bytes, start);
        let fits = self.bytes.len() - start <= DATAGRAM_MAX;
        if written.is_none() || !fits {
            self.bytes.truncate(start);
            return false;
        }
        self.ends.push(self.bytes.len());
        true
    }

    /// Adds a copy.
    pub(crate) fn push(&mut self, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether it should be sent before more is added.
    pub(crate) fn is_large(&self) -> bool {
        self.bytes.len() >= LARGE
    }

    /// Bytes of all datagrams.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of the datagram that was added last.
    pub(crate) fn last(&self) -> usize {
        let mut ends = self.ends.iter().rev().copied();
        ends.next().unwrap_or_default() - ends.next().unwrap_or_default()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// The datagrams one by one.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| self.bytes.get(start..end).unwrap_or_default())
    }

    /// The datagrams as runs that leave in one call each: at most `most` of one size, and one smaller behind them.
    /// With each run, the size of its datagrams.
    pub(crate) fn runs(&self, most: usize, bytes_max: usize) -> impl Iterator<Item = (&[u8], usize)> {
        let (mut start, mut rest) = (0, self.ends.as_slice());
        std::iter::from_fn(move || {
            let size = rest.first()? - start;
            let (mut end, mut count) = (start, 0);
            for &next in rest {
                let own = next - end;
                if count > 0 && (own > size || count >= most || next - start > bytes_max) {
                    break;
                }
                (end, count) = (next, count + 1);
                if own < size {
                    break;
                }
            }
            let run = self.bytes.get(start..end).unwrap_or_default();
            (start, rest) = (end, rest.get(count..).unwrap_or_default());
            Some((run, size))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch(sizes: &[usize]) -> Batch {
        let mut batch = Batch::default();
        sizes.iter().enumerate().for_each(|(n, &size)| batch.push(&vec![n as u8; size]));
        batch
    }

    fn sizes(batch: &Batch) -> Vec<(usize, usize)> {
        batch.runs(64, 65_000).map(|(run, size)| (run.len(), size)).collect()
    }

    #[test]
    fn datagrams_of_one_size_and_a_smaller_one_leave_together() {
        assert_eq!(sizes(&batch(&[100, 100, 40, 100, 120, 120])), [(240, 100), (100, 100), (240, 120)]);
        assert!(sizes(&batch(&[])).is_empty());
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let mut batch = batch(&[7]);
        assert!(!batch.add(|bytes, _| {
            bytes.push(1);
            None
        }));
        assert!(!batch.add(|bytes, start| {
            bytes.resize(start + 1501, 0);
            Some(())
        }));
        assert_eq!(batch.datagrams().map(<[u8]>::len).collect::<Vec<_>>(), [7]);
    }

    proptest! {
        #[test]
        fn runs_are_the_datagrams(sizes in prop::collection::vec(1usize..1500, 0..200), most in 1usize..70) {
            let batch = batch(&sizes);
            let mut cut = Vec::new();
            for (run, size) in batch.runs(most, 65_000) {
                prop_assert!(run.len() <= 65_000 && run.len().div_ceil(size) <= most);
                cut.extend(run.chunks(size));
            }
            prop_assert_eq!(cut, batch.datagrams().collect::<Vec<_>>());
        }
    }
}
