use crate::range::Part;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Byte slices that follow each other, as a body of exactly their length. The bytes are shared, never copied.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    pieces: VecDeque<Bytes>,
    len: u64,
}

impl Pieces {
    /// The length of all, in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of that part, as far as there are any.
    pub fn part(self, part: Part) -> Pieces {
        let mut skip = part.start;
        let mut left = part.len;
        let cut = |piece: Bytes| {
            let len = piece.len() as u64;
            let start = skip.min(len);
            let end = start + left.min(len - start);
            skip -= start;
            left -= end - start;
            piece.slice(start as usize..end as usize) // both are at most its length
        };
        self.pieces.into_iter().map(cut).collect()
    }
}

impl FromIterator<Bytes> for Pieces {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Pieces {
        let pieces: VecDeque<Bytes> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        Pieces { pieces, len }
    }
}

impl From<Vec<Bytes>> for Pieces {
    fn from(pieces: Vec<Bytes>) -> Pieces {
        pieces.into_iter().collect()
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Pieces {
        std::iter::once(bytes).collect()
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(piece) = self.pieces.pop_front() else { return Poll::Ready(None) };
        self.len -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_part_is_that_of_the_whole(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..9),
            start in 0u64..90,
            len in 0u64..90,
        ) {
            let whole = pieces.concat();
            let from = whole.len().min(start as usize);
            let to = whole.len().min((start + len) as usize);
            let part = pieces.into_iter().map(Bytes::from).collect::<Pieces>().part(Part { start, len });
            prop_assert_eq!(part.len(), (to - from) as u64);
            let bytes: Vec<u8> = part.pieces.into_iter().flatten().collect();
            prop_assert_eq!(bytes.as_slice(), &whole[from..to]);
        }
    }
}
