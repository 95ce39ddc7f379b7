//! Samples to packets.

use crate::RATE;
use crate::error::Error;
use bytes::Bytes;
use headwater_media::Codec;
use headwater_media::codec::opus as opus_head;

/// Samples of an Opus packet per channel: 20 ms.
const OPUS_SAMPLES: usize = 960;

/// Largest Opus packet of one frame (RFC 6716 3.2.1), with its first byte.
const OPUS_PACKET_MAX: usize = 1276;

/// Effort of the Opus encoder, 0 to 10: above 5 the cost grows faster than what is heard.
const OPUS_COMPLEXITY: i32 = 5;

/// Samples of an AAC frame per channel.
const AAC_SAMPLES: usize = 1024;

/// What is made, with its bit rate in bits a second.
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
}

impl Target {
    /// The codec that is made.
    pub fn codec(self) -> Codec {
        match self {
            Target::Opus { .. } => Codec::Opus,
            Target::Aac { .. } => Codec::Aac,
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
}

impl Encoder {
    pub(crate) fn new(target: Target, channels: usize) -> Result<Encoder, Error> {
        let made = match target {
            Target::Opus { bitrate } => opus_encoder(bitrate, channels).map_err(|err| err.to_string()),
            Target::Aac { bitrate } => aac_encoder(bitrate, channels).map_err(|err| err.to_string()),
        };
        made.map_err(|reason| Error::Encode { codec: target.codec(), reason })
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    pub(crate) fn delay(&self) -> usize {
        self.delay
    }

    /// The decoder's configuration.
    pub(crate) fn config(&self) -> &Bytes {
        &self.config
    }

    /// Samples a packet takes per channel.
    pub(crate) fn samples(&self) -> usize {
        match self.kind {
            Kind::Opus { .. } => OPUS_SAMPLES,
            Kind::Aac(_) => AAC_SAMPLES,
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

fn interleave(planes: &[Vec<f32>; 2], channels: usize, out: &mut Vec<f32>) {
    out.clear();
    let [left, right] = planes;
    match channels {
        1 => out.extend(left.iter().take(OPUS_SAMPLES)),
        _ => out.extend(left.iter().zip(right).take(OPUS_SAMPLES).flat_map(|(l, r)| [*l, *r])),
    }
}
