//! Mutated input for every parser that takes bytes from outside.
//!
//! A [`Target`] is a plain function of bytes with a few real inputs to start from. The in-house driver
//! ([`run`]) mutates those on any toolchain; nothing here needs nightly. A target that panics, or that takes longer
//! than [`HANG`], is a bug of ours, never of the input. The offending input is saved under `fuzz/found/<target>/` and
//! replayed first ever after, so that a found bug stays found.
//!
//! To add a target: a file in `targets/` with a function and its seeds, and a line in [`TARGETS`].

mod driver;
mod mutate;
mod targets;

pub use driver::{Budget, Finding, HANG, run};
pub use targets::TARGETS;

/// A parser under attack.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What to call it on the command line.
    pub name: &'static str,
    /// Feeds the parser; asserts what must hold for any input.
    pub run: fn(&[u8]),
    /// Real inputs to mutate.
    pub seeds: fn() -> Vec<Vec<u8>>,
}
