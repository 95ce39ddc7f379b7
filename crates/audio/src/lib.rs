//! Sound of one codec into another: AAC (LC, HE, HEv2), MP3, Opus and G.711 in, Opus or AAC-LC at 48 kHz or G.711 out.
//!
//! A [`Converter`] takes a stream's frames and gives frames: decoded, resampled, put on the stream's timeline sample
//! by sample, encoded. It mixes more than two channels down to two, and does nothing else to the sound: no gain, no
//! noise suppression, no concealment of loss but silence.
//!
//! A frame's time is that of the first sample its decoder gives; that holds for what comes in and for what goes out,
//! so the encoder's delay is taken off the times. Times out are counted in samples: they do not drift from the input's
//! (see [`Converter::push`] for what happens when the input's times and samples disagree) and lie within 5 ms of them.
//!
//! No I/O, no clock. Bad input gives an error and is left out; it never panics.

mod clock;
mod convert;
mod decode;
mod downmix;
mod encode;
mod error;
mod g711;
mod resample;

#[cfg(test)]
mod tests;

pub use convert::Converter;
pub use encode::Target;
pub use error::Error;

/// Sampling rate, in Hz, of what is encoded; times out are counted in it.
pub const RATE: u32 = 48_000;
