//! The payloads of one frame, as pieces that are put together when they are sent.

use bytes::{BufMut, Bytes};
use std::ops::Range;

/// The payloads a [`crate::Packetizer`] made of one frame: one RTP packet each.
///
/// Mostly pieces of the frame itself, which is shared, not copied. Use one buffer for all frames: it keeps its memory.
#[derive(Clone, Debug, Default)]
pub struct Payloads {
    /// What payloads share: the frame, its parameter sets.
    sources: Vec<Bytes>,
    /// What packetizers write themselves: payload headers and lengths.
    heads: Vec<u8>,
    pieces: Vec<Piece>,
    packets: Vec<End>,
    /// Bytes of the payload that is being put together.
    open: usize,
}

/// A range of one source, or of the heads.
#[derive(Clone, Debug)]
struct Piece {
    /// Index into the sources; `None` for the heads.
    source: Option<usize>,
    range: Range<usize>,
}

/// Where a payload ends.
#[derive(Clone, Copy, Debug)]
struct End {
    pieces: usize,
    len: usize,
    marker: bool,
    ticks: u32,
}

/// Bytes of each fragment of `len` bytes where `most` go into one: as few fragments as can be, of one size but for a
/// last one that is shorter by less than their number. Datagrams of one size leave in one system call.
pub(crate) fn evenly(len: usize, most: usize) -> usize {
    len.div_ceil(len.div_ceil(most.max(1)).max(1)).max(1)
}

impl Payloads {
    /// Payloads of the last frame, in the order in which they are sent.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Payload<'_>> {
        (0..self.packets.len()).map(|at| self.at(at))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether the frame needs no packet, as a configuration.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    fn at(&self, at: usize) -> Payload<'_> {
        let start = at.checked_sub(1).and_then(|before| self.packets.get(before)).map_or(0, |end| end.pieces);
        let end = self.packets.get(at).copied();
        let end = end.unwrap_or(End { pieces: start, len: 0, marker: false, ticks: 0 });
        let pieces = self.pieces.get(start..end.pieces).unwrap_or_default();
        Payload { all: self, pieces, len: end.len, marker: end.marker, ticks: end.ticks }
    }

    pub(crate) fn clear(&mut self) {
        self.sources.clear();
        self.heads.clear();
        self.pieces.clear();
        self.packets.clear();
        self.open = 0;
    }

    /// Shares `bytes`; pieces name it by the number returned.
    pub(crate) fn share(&mut self, bytes: &Bytes) -> usize {
        self.sources.push(bytes.clone());
        self.sources.len() - 1
    }

    /// Appends bytes of a packetizer's own to the payload that is being put together; says where, for
    /// [`Payloads::patch`].
    pub(crate) fn head(&mut self, bytes: &[u8]) -> usize {
        let start = self.heads.len();
        self.heads.extend_from_slice(bytes);
        self.open += bytes.len();
        let end = self.heads.len();
        let first = self.packets.last().map_or(0, |end| end.pieces);
        match self.pieces.get_mut(first..).and_then(<[Piece]>::last_mut) {
            Some(Piece { source: None, range }) if range.end == start => range.end = end,
            _ => self.pieces.push(Piece { source: None, range: start..end }),
        }
        start
    }

    /// Sets a byte that [`Payloads::head`] wrote.
    pub(crate) fn patch(&mut self, at: usize, byte: u8) {
        if let Some(place) = self.heads.get_mut(at) {
            *place = byte;
        }
    }

    /// Appends a range of a shared source.
    pub(crate) fn piece(&mut self, source: usize, range: Range<usize>) {
        self.open += range.len();
        self.pieces.push(Piece { source: Some(source), range });
    }

    /// Ends a payload. `ticks` is its distance from the frame's timestamp.
    pub(crate) fn end(&mut self, marker: bool, ticks: u32) {
        let len = std::mem::take(&mut self.open);
        self.packets.push(End { pieces: self.pieces.len(), len, marker, ticks });
    }

    /// Sets the marker of the last payload.
    pub(crate) fn mark_last(&mut self) {
        if let Some(last) = self.packets.last_mut() {
            last.marker = true;
        }
    }

    /// Bytes of the payload that is being put together.
    pub(crate) fn open_len(&self) -> usize {
        self.open
    }
}

/// One packet's payload.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    all: &'a Payloads,
    pieces: &'a [Piece],
    len: usize,
    /// The header's marker bit.
    pub marker: bool,
    /// Ticks of the payload's clock to add to the frame's timestamp; 0 but for sound that is cut into several packets.
    pub ticks: u32,
}

impl<'a> Payload<'a> {
    /// Bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing; no packetizer makes such a one.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces, in order: what a vectored write takes.
    pub fn slices(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let all = self.all;
        self.pieces.iter().map(move |piece| {
            let bytes = match piece.source {
                Some(source) => all.sources.get(source).map(Bytes::as_ref),
                None => Some(all.heads.as_slice()),
            };
            bytes.and_then(|bytes| bytes.get(piece.range.clone())).unwrap_or_default()
        })
    }

    /// Appends the payload's bytes.
    pub fn put(&self, out: &mut impl BufMut) {
        self.slices().for_each(|slice| out.put_slice(slice));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_are_of_one_size_but_the_last() {
        assert_eq!([evenly(100, 100), evenly(101, 100), evenly(250, 100), evenly(0, 0)], [100, 51, 84, 1]);
        for len in 1..3000 {
            let size = evenly(len, 97);
            let last = len - size * ((len - 1) / size);
            assert!(
                size <= 97 && len.div_ceil(size) == len.div_ceil(97) && size - last < len.div_ceil(97),
                "{len}"
            );
        }
    }

    #[test]
    fn pieces_make_payloads() {
        let mut payloads = Payloads::default();
        for _ in 0..2 {
            payloads.clear();
            let frame = payloads.share(&Bytes::from_static(b"abcdef"));
            payloads.head(&[1]);
            payloads.head(&[2]);
            payloads.piece(frame, 0..3);
            payloads.end(false, 0);
            payloads.head(&[3]);
            payloads.piece(frame, 3..6);
            payloads.end(true, 7);
        }
        let bytes = |payload: Payload<'_>| {
            let mut out = Vec::new();
            payload.put(&mut out);
            assert_eq!(payload.len(), out.len());
            (out, payload.slices().count(), payload.marker, payload.ticks)
        };
        let expected = [(b"\x01\x02abc".to_vec(), 2, false, 0), (b"\x03def".to_vec(), 2, true, 7)];
        assert_eq!(payloads.iter().map(bytes).collect::<Vec<_>>(), expected);
    }
}
