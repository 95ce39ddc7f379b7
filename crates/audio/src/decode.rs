//! Frames to samples.

use crate::error::Error;
use crate::{downmix, g711};
use bytes::Bytes;
use headwater_media::codec::{mp3, opus as opus_head};
use headwater_media::{Codec, Frame};
use symphonia_bundle_mp3::MpaDecoder;
use symphonia_core::codecs::audio::well_known::CODEC_ID_MP3;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

/// Most samples of one Opus packet per channel: 120 ms (RFC 6716 3.2.5).
const OPUS_SAMPLES_MAX: usize = 5760;

/// Most samples one frame may hold per channel; more is refused. A second of the highest rate there is.
const SAMPLES_MAX: usize = 96_000;

/// Samples of one frame: one or two planes of the same length, full scale ±1.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Sampling rate in Hz.
    pub(crate) rate: u32,
    /// 1 or 2; the second plane of one channel is empty.
    pub(crate) channels: usize,
    pub(crate) planes: [Vec<f32>; 2],
}

impl Block {
    pub(crate) fn len(&self) -> usize {
        self.planes[0].len() // one of two
    }

    pub(crate) fn clear(&mut self) {
        self.planes.iter_mut().for_each(Vec::clear);
    }

    /// Leaves out the first `n` samples.
    pub(crate) fn skip(&mut self, n: usize) {
        for plane in &mut self.planes {
            plane.drain(..n.min(plane.len()));
        }
    }
}

/// A decoder and what it was made from.
pub(crate) struct Decoder {
    codec: Codec,
    config: Bytes,
    kind: Kind,
}

enum Kind {
    Aac(Box<syom::Decoder>),
    Mp3(Box<MpaDecoder>),
    Opus { decoder: opus::Decoder, channels: usize, samples: Vec<f32> },
    G711(fn(u8) -> f32),
}

impl Decoder {
    /// A decoder of `codec`; `config` is its configuration, empty where it has none.
    pub(crate) fn new(codec: Codec, config: &Bytes) -> Result<Decoder, Error> {
        let refused = |reason: String| Error::Config { codec, reason };
        let kind = match codec {
            Codec::Aac => Kind::Aac(Box::new(aac(config).map_err(|err| refused(err.to_string()))?)),
            Codec::Mp3 => Kind::Mp3(Box::new(mp3_decoder().map_err(|err| refused(err.to_string()))?)),
            Codec::Opus => opus_decoder(config).map_err(refused)?,
            Codec::G711A => Kind::G711(g711::a_law),
            Codec::G711U => Kind::G711(g711::mu_law),
            _ => return Err(Error::Codec { codec }),
        };
        Ok(Decoder { codec, config: config.clone(), kind })
    }

    /// Whether it decodes `codec` as `config` tells.
    pub(crate) fn fits(&self, codec: Codec, config: &Bytes) -> bool {
        self.codec == codec && self.config == *config
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    /// The samples of `frame`, in place of what `out` held. After an error `out` is void.
    pub(crate) fn decode(&mut self, frame: &Frame, out: &mut Block) -> Result<(), Error> {
        out.clear();
        let decoded = match &mut self.kind {
            Kind::Aac(decoder) => decode_aac(decoder, &self.config, &frame.payload, out),
            Kind::Mp3(decoder) => decode_mp3(decoder, &frame.payload, out),
            Kind::Opus { decoder, channels, samples } => {
                decode_opus(decoder, *channels, samples, &frame.payload, out)
            }
            Kind::G711(law) => decode_g711(*law, &frame.payload, out),
        };
        let decoded = decoded.and_then(|()| match out.len() {
            0 => Err("it holds no samples".to_owned()),
            SAMPLES_MAX.. => Err(format!("it holds {} samples", out.len())),
            _ => Ok(()),
        });
        decoded.map_err(|reason| Error::Frame { codec: self.codec, reason })
    }
}

fn aac(config: &[u8]) -> syom::Result<syom::Decoder> {
    syom::Decoder::from_asc(config, syom::DecodeOptions::unbounded())
}

fn decode_aac(
    decoder: &mut syom::Decoder,
    config: &[u8],
    data: &[u8],
    out: &mut Block,
) -> Result<(), String> {
    let decoded = decoder.decode_au(data, |frame| {
        out.rate = frame.sample_rate;
        downmix::append(frame.planar, out);
        Ok(())
    });
    decoded.map_err(|err| {
        // An error leaves the decoder shut.
        decoder.reset();
        match decoder.set_asc(config) {
            Ok(()) => err.to_string(),
            Err(again) => format!("{err}; {again}"),
        }
    })
}

fn mp3_decoder() -> symphonia_core::errors::Result<MpaDecoder> {
    let mut params = AudioCodecParameters::new();
    params.for_codec(CODEC_ID_MP3);
    let mut options = AudioDecoderOptions::default();
    options.gapless = false;
    MpaDecoder::try_new(&params, &options)
}

fn decode_mp3(decoder: &mut MpaDecoder, mut data: &[u8], out: &mut Block) -> Result<(), String> {
    let mut planes: Vec<Vec<f32>> = Vec::new();
    while !data.is_empty() && out.len() < SAMPLES_MAX {
        let header = mp3::Header::parse(data).map_err(|err| err.to_string())?;
        let Some((frame, rest)) = data.split_at_checked(header.len).filter(|(frame, _)| !frame.is_empty())
        else {
            return Err(format!("a frame of {} bytes does not fit in {}", header.len, data.len()));
        };
        data = rest;
        let packet = PacketRef::new(0, Timestamp::new(0), Duration::ZERO, frame);
        let decoded = decoder.decode_ref(&packet).map_err(|err| err.to_string())?;
        decoded.copy_to_vecs_planar(&mut planes);
        if out.len() > 0 && (out.rate, out.channels) != (header.sample_rate, planes.len()) {
            return Err("the rate or the channels change within it".to_owned());
        }
        out.rate = header.sample_rate;
        let planes: Vec<&[f32]> = planes.iter().take(2).map(Vec::as_slice).collect();
        downmix::append(&planes, out);
    }
    Ok(())
}

/// One or two channels. Streams of more than two are not coded so in any protocol we speak (RFC 7845 5.1.1.2 families).
fn opus_decoder(config: &Bytes) -> Result<Kind, String> {
    let channels = match config.is_empty() {
        true => 2,
        false => opus_head::Config::parse(config).map_err(|err| err.to_string())?.channels,
    };
    let layout = match channels {
        1 => opus::Channels::Mono,
        2 => opus::Channels::Stereo,
        more => return Err(format!("{more} channels; two are the most")),
    };
    let decoder = opus::Decoder::new(crate::RATE, layout).map_err(|err| err.to_string())?;
    let channels = usize::from(channels);
    Ok(Kind::Opus { decoder, channels, samples: vec![0.0; OPUS_SAMPLES_MAX * channels] })
}

fn decode_opus(
    decoder: &mut opus::Decoder,
    channels: usize,
    samples: &mut [f32],
    data: &[u8],
    out: &mut Block,
) -> Result<(), String> {
    if data.is_empty() {
        return Err("it is empty".to_owned()); // libopus would make up sound for it
    }
    let n = decoder.decode_float(data, samples, false).map_err(|err| err.to_string())?;
    out.rate = crate::RATE;
    let decoded = samples.get(..n * channels).unwrap_or_default();
    let of = |at: usize| decoded.iter().skip(at).step_by(channels).copied().collect::<Vec<f32>>();
    let planes = [of(0), of(1)];
    let planes: Vec<&[f32]> = planes.iter().take(channels).map(Vec::as_slice).collect();
    downmix::append(&planes, out);
    Ok(())
}

fn decode_g711(law: fn(u8) -> f32, data: &[u8], out: &mut Block) -> Result<(), String> {
    out.rate = 8000;
    out.channels = 1;
    let [mono, _] = &mut out.planes;
    mono.extend(data.iter().take(SAMPLES_MAX).map(|&coded| law(coded)));
    Ok(())
}
