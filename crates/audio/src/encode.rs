//! Samples to packets.

use crate::RATE;
use crate::decode::Block;
use crate::error::Error;
use crate::g711;
use crate::resample::Resampler;
use bytes::Bytes;
use headwater_media::Codec;
use headwater_media::codec::opus as opus_head;

/// Samples of an Opus packet per channel: 20 ms.
const OPUS_SAMPLES: usize = 960;

/// Largest Opus packet of one frame (RFC 6716 3.2.1), with its first byte.
const OPUS_PACKET_MAX: usize = 1276;

/// Effort of the Opus encoder, 0 to 10: above 5 the cost grows faster than what is heard.
const OPUS_COMPLEXITY: i32 = 5;

/// Sampling rate of G.711, in Hz.
const G711_RATE: u32 = 8000;

/// Samples at 48 kHz of a packet of G.711, 20 ms, and bytes that become of them.
const G711_SAMPLES: usize = 960;
const G711_BYTES: usize = 160;

/// Samples at 8 kHz for which the resampler waits: 4 ms.
const G711_DELAY: usize = 32;

/// Samples of an AAC frame per channel.
const AAC_SAMPLES: usize = 1024;

/// What is made, with its bit rate in bits a second where there is a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Opus in packets of 20 ms, mono or stereo as the source. 6 000 to 510 000; others are moved to the nearest.
    Opus {
        /// Bits a second.
        bitrate: u32,
    },
    /// AAC-LC, mono or stereo as the source. 16 000 to 256 000 a channel; others are moved to the nearest.
    Aac {
        /// Bits a second.
        bitrate: u32,
    },
    /// G.711 A-law in packets of 20 ms, 8 kHz, mono.
    G711A,
    /// G.711 mu-law, likewise.
    G711U,
}

impl Target {
    /// The codec that is made.
    pub fn codec(self) -> Codec {
        match self {
            Target::Opus { .. } => Codec::Opus,
            Target::Aac { .. } => Codec::Aac,
            Target::G711A => Codec::G711A,
            Target::G711U => Codec::G711U,
        }
    }
}

/// An encoder of one or two channels.
pub(crate) struct Encoder {
    channels: usize,
    /// Samples that a decoder gives before the first of ours.
    delay: usize,
    config: Bytes,
    kind: Kind,
}

enum Kind {
    Opus { encoder: opus::Encoder, interleaved: Vec<f32>, packet: Vec<u8> },
    Aac(Box<syom::Encoder>),
    G711(Box<G711>),
}

impl Encoder {
    pub(crate) fn new(target: Target, channels: usize) -> Result<Encoder, Error> {
        let made = match target {
            Target::Opus { bitrate } => opus_encoder(bitrate, channels).map_err(|err| err.to_string()),
            Target::Aac { bitrate } => aac_encoder(bitrate, channels).map_err(|err| err.to_string()),
            Target::G711A => g711_encoder(g711::to_a_law, channels),
            Target::G711U => g711_encoder(g711::to_mu_law, channels),
        };
        made.map_err(|reason| Error::Encode { codec: target.codec(), reason })
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    pub(crate) fn delay(&self) -> usize {
        self.delay
    }

    /// The decoder's configuration; empty for a codec that has none.
    pub(crate) fn config(&self) -> &Bytes {
        &self.config
    }

    /// Samples a packet takes per channel.
    pub(crate) fn samples(&self) -> usize {
        match self.kind {
            Kind::Opus { .. } => OPUS_SAMPLES,
            Kind::Aac(_) => AAC_SAMPLES,
            Kind::G711(_) => G711_SAMPLES,
        }
    }

    /// The packet of the first [`Encoder::samples`] samples of each channel.
    pub(crate) fn encode(&mut self, planes: &[Vec<f32>; 2]) -> Result<Bytes, String> {
        match &mut self.kind {
            Kind::Opus { encoder, interleaved, packet } => {
                interleave(planes, self.channels, interleaved);
                let n = encoder.encode_float(interleaved, packet).map_err(|err| err.to_string())?;
                Ok(Bytes::copy_from_slice(packet.get(..n).unwrap_or_default()))
            }
            Kind::Aac(encoder) => {
                let planes: Vec<&[f32]> =
                    planes.iter().take(self.channels).filter_map(|plane| plane.get(..AAC_SAMPLES)).collect();
                let mut packet = Bytes::new();
                let fed = encoder.feed(&planes, |unit| {
                    packet = Bytes::copy_from_slice(unit.payload);
                    Ok(())
                });
                fed.map(|_| packet).map_err(|err| err.to_string())
            }
            Kind::G711(encoder) => Ok(encoder.encode(planes, self.channels)),
        }
    }
}

fn opus_encoder(bitrate: u32, channels: usize) -> Result<Encoder, opus::Error> {
    let layout = if channels == 1 { opus::Channels::Mono } else { opus::Channels::Stereo };
    let mut encoder = opus::Encoder::new(RATE, layout, opus::Application::Audio)?;
    let bitrate = bitrate.clamp(6000, 510_000) as i32;
    encoder.set_bitrate(opus::Bitrate::Bits(bitrate))?;
    encoder.set_complexity(OPUS_COMPLEXITY)?;
    let delay = usize::try_from(encoder.get_lookahead()?).unwrap_or(0);
    // The times of the packets already tell where their samples belong, so a player skips none.
    let config = opus_head::Config::plain(channels as u8).write();
    let kind = Kind::Opus { encoder, interleaved: Vec::new(), packet: vec![0; OPUS_PACKET_MAX] };
    Ok(Encoder { channels, delay, config, kind })
}

fn aac_encoder(bitrate: u32, channels: usize) -> syom::Result<Encoder> {
    let each = channels as u32;
    let bitrate = bitrate.clamp(16_000 * each, 256_000 * each);
    let options = syom::EncodeOptions::raw().with_bitrate_bps(bitrate);
    let encoder = syom::Encoder::new(RATE, channels, &options)?;
    let config = Bytes::copy_from_slice(encoder.asc());
    // One frame of overlap (ISO/IEC 14496-3 4.6.11: a decoder gives a block once it has the next).
    Ok(Encoder { channels, delay: AAC_SAMPLES, config, kind: Kind::Aac(Box::new(encoder)) })
}

fn g711_encoder(law: fn(f32) -> u8, channels: usize) -> Result<Encoder, String> {
    let resampler = Resampler::between(RATE, G711_RATE).ok_or("there is no resampler to 8 kHz")?;
    let mut slow: [Vec<f32>; 2] = Default::default();
    slow[0].resize(G711_DELAY, 0.0); // one of two
    let g711 = G711 { law, resampler, mono: Block { rate: RATE, channels: 1, ..Block::default() }, slow };
    let delay = G711_DELAY * (RATE / G711_RATE) as usize;
    Ok(Encoder { channels, delay, config: Bytes::new(), kind: Kind::G711(Box::new(g711)) })
}

/// One channel, at a sixth of the rate, by one of the laws.
struct G711 {
    law: fn(f32) -> u8,
    resampler: Resampler,
    mono: Block,
    /// At 8 kHz, the first of two planes.
    slow: [Vec<f32>; 2],
}

impl G711 {
    fn encode(&mut self, planes: &[Vec<f32>; 2], channels: usize) -> Bytes {
        let [left, right] = planes;
        let [mono, _] = &mut self.mono.planes;
        mono.clear();
        match channels {
            1 => mono.extend(left.iter().take(G711_SAMPLES)),
            _ => mono.extend(left.iter().zip(right).take(G711_SAMPLES).map(|(l, r)| (l + r) / 2.0)),
        }
        self.resampler.push(&self.mono, &mut self.slow);
        let [slow, _] = &mut self.slow;
        slow.drain(..G711_BYTES.min(slow.len())).map(self.law).collect()
    }
}

fn interleave(planes: &[Vec<f32>; 2], channels: usize, out: &mut Vec<f32>) {
    out.clear();
    let [left, right] = planes;
    match channels {
        1 => out.extend(left.iter().take(OPUS_SAMPLES)),
        _ => out.extend(left.iter().zip(right).take(OPUS_SAMPLES).flat_map(|(l, r)| [*l, *r])),
    }
}
