//! What is published.

use crate::packetlog::{Burst, Packet};
use bytes::Bytes;
use headwater_media::{Codec, Track};
use std::time::Instant;

/// What is published: pictures of about 2 Mb/s, sound of 48 kb/s.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    /// Pictures from one key frame to the next, and the size of that, in bytes.
    group: u64,
    key: usize,
    /// The size of the others.
    other: usize,
    /// Every second picture is one that nothing refers to.
    disposable: bool,
}

pub(super) const EACH_SECOND: Program = Program { group: 25, key: 36_000, other: 8_700, disposable: false };
pub(super) const SOME_DISPOSABLE: Program = Program { group: 50, disposable: true, ..EACH_SECOND };

impl Program {
    pub(super) fn is_key(&self, n: u64) -> bool {
        n.is_multiple_of(self.group)
    }

    pub(super) fn is_disposable(&self, n: u64) -> bool {
        self.disposable && n % self.group % 2 == 1
    }

    pub(super) fn size(&self, n: u64) -> usize {
        if self.is_key(n) {
            return self.key;
        }
        let wave = [0.75, 0.9, 1.1, 1.3, 1.25, 1.1, 0.9, 0.7];
        (self.other as f64 * wave[(n % 8) as usize]) as usize
    }

    /// The picture that another one needs.
    pub(super) fn before(&self, n: u64) -> Option<u64> {
        (!self.is_key(n)).then(|| (0..n).rev().find(|&before| !self.is_disposable(before)).unwrap())
    }

    pub(super) fn picture(&self, n: u64, sequence: &mut u64, now: Instant) -> Burst {
        let mut left = self.size(n);
        let mut packets = Vec::new();
        while left > 0 {
            let size = left.min(1200);
            left -= size;
            *sequence += 1;
            packets.push(Packet {
                payload: Bytes::from(vec![0; size]),
                marker: left == 0,
                sequence: *sequence,
            });
        }
        let (key, disposable) = (self.is_key(n), self.is_disposable(n));
        burst(Track::Video, Codec::H264, (n * 3600) as u32, now, key, disposable, packets)
    }
}

/// The n-th sound, which is 20 ms long, with the one before in its redundant form.
pub(super) fn sound(n: u64, now: Instant) -> Burst {
    let packet = Packet { payload: Bytes::from(vec![0; 120]), marker: false, sequence: n };
    let redundant = Some(Bytes::from(vec![0; 245]));
    Burst { redundant, ..burst(Track::Audio, Codec::Opus, (n * 960) as u32, now, true, false, vec![packet]) }
}

fn burst(
    track: Track,
    codec: Codec,
    time: u32,
    wallclock: Instant,
    key: bool,
    disposable: bool,
    packets: Vec<Packet>,
) -> Burst {
    let (layer, redundant, instead_of) = (0, None, None);
    Burst { track, codec, layer, key, disposable, redundant, instead_of, time, wallclock, packets }
}
