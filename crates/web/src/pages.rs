//! Bytes that many connections are sent, in pages of memory that are nothing else's.
//!
//! They are ordinary [`Bytes`] to ciphers, ranges and disks. A plain socket may instead be lent the pages themselves
//! (vmsplice(2)), which copies nothing. The network stack then reads them until the peer has acknowledged them, even
//! after the last `Bytes` is gone: therefore they are never written again, and go back to the system, not to an
//! allocator that would use them anew. [`is_paged`] tells such bytes by their address; the address space is one a
//! process, so the list of what is mapped into it is one too.

use bytes::Bytes;
use memmap2::{Mmap, MmapMut};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::io;

/// Fewer bytes than these are not worth pages of their own: 32 KiB.
pub const PAGED_MIN: usize = 32 << 10;

/// Most mappings at one time; a process may have 65,530 (vm.max_map_count). Bytes beyond it are kept in ordinary memory.
pub const MAPPINGS_MAX: usize = 16_384;

/// Where each mapping begins, and its length in bytes.
static MAPPED: RwLock<BTreeMap<usize, usize>> = RwLock::new(BTreeMap::new());

/// A copy of `bytes`, in pages of its own where they are many enough and a mapping can be had, else in ordinary memory.
pub fn paged(bytes: &[u8]) -> Bytes {
    if bytes.len() < PAGED_MIN || MAPPED.read().len() >= MAPPINGS_MAX {
        return Bytes::copy_from_slice(bytes);
    }
    // No mapping is no reason not to keep them.
    Pages::new(bytes).map_or_else(|_| Bytes::copy_from_slice(bytes), Bytes::from_owner)
}

/// Whether these bytes, or the whole they are a part of, came from [`paged`] and are in pages of their own.
pub fn is_paged(bytes: &[u8]) -> bool {
    let address = bytes.as_ptr() as usize;
    // What begins in a mapping ends in it: no slice reaches over two allocations.
    let before = MAPPED.read().range(..=address).next_back().map(|(&start, &len)| (start, len));
    !bytes.is_empty() && before.is_some_and(|(start, len)| address - start < len)
}

/// A read-only mapping, listed for as long as it lasts.
struct Pages {
    map: Mmap,
}

impl Pages {
    fn new(bytes: &[u8]) -> io::Result<Pages> {
        let mut map = MmapMut::map_anon(bytes.len())?;
        map.copy_from_slice(bytes);
        let map = map.make_read_only()?;
        MAPPED.write().insert(map.as_ptr() as usize, map.len());
        Ok(Pages { map })
    }
}

impl AsRef<[u8]> for Pages {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Pages {
    /// Leaves the list before the address can be another's: the mapping is dropped after this.
    fn drop(&mut self) {
        MAPPED.write().remove(&(self.map.as_ptr() as usize));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn many_bytes_have_pages_of_their_own_and_few_have_not() {
        let many = bytes(PAGED_MIN);
        let kept = paged(&many);
        assert_eq!(kept, many);
        assert!(is_paged(&kept) && !is_paged(&many) && !is_paged(&kept[..0]));
        let few = paged(&many[1..]);
        assert_eq!(few, many[1..]);
        assert!(!is_paged(&few));
    }

    #[test]
    fn every_part_is_known_until_the_last_is_gone() {
        let whole = bytes(3 * PAGED_MIN);
        let kept = paged(&whole);
        let parts = [(0, 1), (5, PAGED_MIN), (whole.len() - 1, whole.len())];
        for (start, end) in parts {
            assert!(is_paged(&kept.slice(start..end)));
            assert_eq!(kept.slice(start..end), whole[start..end]);
        }
        let part = kept.slice(9..);
        let address = kept.as_ptr() as usize;
        drop(kept);
        assert!(is_paged(&part));
        drop(part);
        assert!(MAPPED.read().get(&address).is_none_or(|&len| len != whole.len()));
    }
}
