//! Redundant audio (RFC 2198): a packet of sound that brings the one before it along.

use bytes::{BufMut, Bytes};

/// Payload type of Opus inside the redundant packets made here: the one that every browser offers.
pub(crate) const OPUS: u8 = 111;

/// Longest block that can be carried as redundancy: its length has ten bits.
const BLOCK_MAX: usize = 0x3ff;

/// Largest distance in time that can be told: 14 bits.
const OFFSET_MAX: u32 = 0x3fff;

/// Redundant blocks that are looked at; browsers send one or two.
const BLOCKS_MAX: usize = 4;

/// What a redundant packet carries, oldest first; the last one is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Packets before this one: 0 for its own.
    pub(crate) age: u16,
    /// Ticks before this packet's timestamp.
    pub(crate) offset: u32,
    pub(crate) payload: Bytes,
}

/// Takes a redundant packet apart; `None` when it is malformed.
pub(crate) fn split(payload: &Bytes) -> Option<Vec<Block>> {
    let mut heads = Vec::new();
    let mut at = 0;
    loop {
        let first = *payload.get(at)?;
        if first & 0x80 == 0 {
            at += 1;
            break;
        }
        let head = payload.get(at..at + 4)?;
        let &[_, high, middle, low] = head else { return None };
        let offset = u32::from(high) << 6 | u32::from(middle) >> 2;
        let length = usize::from(middle & 3) << 8 | usize::from(low);
        heads.push((offset, length));
        at += 4;
        if heads.len() > BLOCKS_MAX {
            return None;
        }
    }
    let mut blocks = Vec::with_capacity(heads.len() + 1);
    let count = heads.len();
    for (index, (offset, length)) in heads.into_iter().enumerate() {
        if payload.len() < at + length {
            return None;
        }
        let age = (count - index) as u16; // at most BLOCKS_MAX
        blocks.push(Block { age, offset, payload: payload.slice(at..at + length) });
        at += length;
    }
    blocks.push(Block { age: 0, offset: 0, payload: payload.slice(at..) });
    Some(blocks)
}

/// Puts a packet of Opus and the one `offset` ticks before it together; `None` when that one cannot be carried.
pub(crate) fn join(before: &[u8], offset: u32, own: &[u8]) -> Option<Bytes> {
    if before.is_empty() || before.len() > BLOCK_MAX || offset == 0 || offset > OFFSET_MAX {
        return None;
    }
    let mut out = Vec::with_capacity(before.len() + own.len() + 5);
    let fields = offset << 10 | before.len() as u32; // both were checked above
    out.put_u32(u32::from(0x80 | OPUS) << 24 | fields);
    out.put_u8(OPUS);
    out.extend_from_slice(before);
    out.extend_from_slice(own);
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_fields_are_where_they_should_be() {
        let packet = join(b"old", 960, b"new").unwrap();
        // F=1 PT=111, offset 960 in 14 bits, length 3 in 10 bits; F=0 PT=111; blocks (RFC 2198 3).
        assert_eq!(*packet, *b"\xef\x0f\x00\x03\x6foldnew");
        let blocks = split(&Bytes::copy_from_slice(&packet)).unwrap();
        assert_eq!(blocks.len(), 2);
        assert_eq!((blocks[0].age, blocks[0].offset, &blocks[0].payload[..]), (1, 960, &b"old"[..]));
        assert_eq!((blocks[1].age, &blocks[1].payload[..]), (0, &b"new"[..]));
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        assert_eq!(join(&[0; 1024], 960, b"x"), None);
        assert_eq!(join(b"x", 20_000, b"x"), None);
    }

    proptest! {
        #[test]
        fn anything_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = split(&bytes.into());
        }

        #[test]
        fn what_is_joined_is_split(
            before in prop::collection::vec(any::<u8>(), 1..1000),
            own in prop::collection::vec(any::<u8>(), 0..1000),
            offset in 1u32..=OFFSET_MAX,
        ) {
            let blocks = split(&Bytes::copy_from_slice(&join(&before, offset, &own).unwrap())).unwrap();
            prop_assert_eq!(&blocks[0].payload[..], &before[..]);
            prop_assert_eq!(blocks[0].offset, offset);
            prop_assert_eq!(&blocks[1].payload[..], &own[..]);
        }
    }
}
