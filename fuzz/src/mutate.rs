//! Small changes to real inputs. Seeded: the same seed gives the same inputs on every machine.

/// No input grows beyond this.
const BYTES_MAX: usize = 64 * 1024;
/// Values at which lengths, counts and signs turn over.
const EDGES: &[u64] = &[
    0,
    1,
    2,
    0x3f,
    0x40,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0xff_ffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    u64::MAX,
];

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and good enough to choose mutations.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.next() % n as u64) as usize }
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

/// A new input: one of `seeds` with one to eight changes, sometimes spliced with another.
pub(crate) fn input(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = random.pick(seeds).cloned().unwrap_or_default();
    for _ in 0..=random.below(8) {
        change(random, &mut input, seeds);
    }
    input.truncate(BYTES_MAX);
    input
}

fn change(random: &mut Random, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = random.below(input.len());
    let length = 1 + random.below(16);
    match random.below(9) {
        0 => flip_bit(random, input, at),
        1 => set(input, at, &[random.next() as u8]),
        2 => edge(random, input, at),
        3 => drop(input.drain(at..(at + length).min(input.len()))),
        4 => insert(input, at, &random.next().to_be_bytes()[..1 + length % 8]),
        5 => repeat(random, input, at, length),
        6 => input.truncate(at),
        7 => splice(random, input, at, seeds),
        _ => swap(random, input, at),
    }
}

fn flip_bit(random: &mut Random, input: &mut [u8], at: usize) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn set(input: &mut [u8], at: usize, bytes: &[u8]) {
    for (to, from) in input.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

/// Overwrites one to eight bytes with a value at an edge, big- or little-endian.
fn edge(random: &mut Random, input: &mut [u8], at: usize) {
    let value = random.pick(EDGES).copied().unwrap_or_default();
    let width = 1 + random.below(8);
    match random.below(2) {
        0 => set(input, at, &value.to_be_bytes()[8 - width..]),
        _ => set(input, at, &value.to_le_bytes()[..width]),
    }
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}

/// A stretch of the input, again and again: nesting and counts that go too far.
fn repeat(random: &mut Random, input: &mut Vec<u8>, at: usize, length: usize) {
    let stretch: Vec<u8> = input.iter().skip(at).take(length).copied().collect();
    let times = 1 << random.below(9);
    if input.len() + stretch.len() * times <= BYTES_MAX {
        insert(input, at, &stretch.repeat(times));
    }
}

fn splice(random: &mut Random, input: &mut Vec<u8>, at: usize, seeds: &[Vec<u8>]) {
    if let Some(other) = random.pick(seeds) {
        let from = random.below(other.len());
        input.truncate(at);
        input.extend(other.iter().skip(from));
    }
}

fn swap(random: &mut Random, input: &mut [u8], at: usize) {
    let other = random.below(input.len());
    if at < input.len() {
        input.swap(at, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs() {
        let seeds = vec![vec![1, 2, 3], vec![], b"a longer seed".to_vec()];
        let inputs = |seed| {
            let mut random = Random::new(seed);
            (0..500).map(|_| input(&mut random, &seeds)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        assert!(inputs(3).iter().all(|input| input.len() <= BYTES_MAX));
        assert!(inputs(4).iter().any(|input| input.len() > 100), "some grow");
    }

    #[test]
    fn no_seeds_still_give_inputs() {
        let mut random = Random::new(1);
        assert!((0..100).any(|_| !input(&mut random, &[vec![]]).is_empty()));
    }
}
