use crate::RATE;
use crate::clock::{Clock, Place};
use crate::decode::{Block, Decoder};
use crate::encode::{Encoder, Target};
use crate::error::Error;
use crate::resample::Resampler;
use bytes::Bytes;
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};

/// Sound of one stream into another codec.
///
/// What it holds is bounded: one frame decoded, at most a second of silence to be encoded, less than one frame not yet
/// encoded.
pub struct Converter {
    target: Target,
    config: Bytes,
    decoder: Option<Decoder>,
    resampler: Option<Resampler>,
    encoder: Option<Encoder>,
    clock: Option<Clock>,
    block: Block,
    queue: Queue,
}

/// Samples at 48 kHz that wait for a whole frame.
#[derive(Debug, Default)]
struct Queue {
    planes: [Vec<f32>; 2],
    /// Tick of the first.
    start: i64,
    /// Tick at which the sound began: packets of before hold nothing of it.
    begin: i64,
}

impl std::fmt::Debug for Converter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let from = self.decoder.as_ref().map(Decoder::codec);
        f.debug_struct("Converter").field("target", &self.target).field("from", &from).finish_non_exhaustive()
    }
}

impl Converter {
    /// A converter to `target` of whatever comes.
    pub fn new(target: Target) -> Converter {
        Converter {
            target,
            config: Bytes::new(),
            decoder: None,
            resampler: None,
            encoder: None,
            clock: None,
            block: Block::default(),
            queue: Queue::default(),
        }
    }

    /// Whether sound of `codec` can be converted.
    pub fn decodes(codec: Codec) -> bool {
        matches!(codec, Codec::Aac | Codec::Mp3 | Codec::Opus | Codec::G711A | Codec::G711U)
    }

    /// Takes a frame of sound, appends what is ready to `out`: a [`Kind::Config`] frame before the first packet and
    /// whenever the number of channels changes (none for G.711), then packets with increasing times.
    ///
    /// Times of frames that disagree with the number of samples before them by more than 100 ms are a gap, filled with
    /// silence, or an overlap, left out; by more than a second, the sound starts anew there. What lasts beyond 30 ms
    /// is made good at once, what lasts beyond 2 ms a sample a frame.
    ///
    /// On an error the frame is left out; the next frames are taken as ever.
    pub fn push(&mut self, frame: &Frame, out: &mut Vec<Frame>) -> Result<(), Error> {
        if frame.track != Track::Audio {
            return Ok(());
        }
        if frame.kind == Kind::Config {
            self.config = frame.payload.clone();
            return self.ensure_decoder(frame.codec);
        }
        self.ensure_decoder(frame.codec)?;
        let mut block = std::mem::take(&mut self.block);
        let done = match &mut self.decoder {
            Some(decoder) => decoder.decode(frame, &mut block),
            None => Err(Error::NoConfig { codec: frame.codec }),
        };
        let done = done.and_then(|()| self.take(&mut block, frame.pts.ticks(RATE), out));
        self.block = block;
        done
    }

    /// Ends the sound: appends the packets of what waits, the last one filled up with silence. What comes next starts
    /// anew.
    pub fn flush(&mut self, out: &mut Vec<Frame>) -> Result<(), Error> {
        let Some(encoder) = &self.encoder else { return Ok(()) };
        let (channels, delay, whole) = (encoder.channels(), encoder.delay(), encoder.samples());
        if let Some(resampler) = &mut self.resampler {
            resampler.finish(channels, &mut self.queue.planes);
        }
        let waiting = self.queue.planes[0].len() + delay; // one of two
        for plane in &mut self.queue.planes {
            plane.resize(waiting.next_multiple_of(whole), 0.0);
        }
        let done = self.encode(out);
        self.queue.planes.iter_mut().for_each(Vec::clear);
        (self.encoder, self.clock) = (None, None);
        done
    }

    /// Forgets all but the target, as after a publisher left.
    pub fn reset(&mut self) {
        *self = Converter::new(self.target);
    }

    /// A decoder of `codec` under the configuration in force. One that fits is kept.
    fn ensure_decoder(&mut self, codec: Codec) -> Result<(), Error> {
        let config = match codec {
            Codec::Aac if self.config.is_empty() => return Err(Error::NoConfig { codec }),
            Codec::Aac | Codec::Opus => self.config.clone(),
            _ => Bytes::new(),
        };
        if self.decoder.as_ref().is_some_and(|decoder| decoder.fits(codec, &config)) {
            return Ok(());
        }
        self.decoder = None;
        self.decoder = Some(Decoder::new(codec, &config)?);
        Ok(())
    }

    fn take(&mut self, block: &mut Block, at: i64, out: &mut Vec<Frame>) -> Result<(), Error> {
        self.follow(block, at, out)?;
        let Some(clock) = &mut self.clock else { return Ok(()) };
        let place = clock.place(at);
        match place {
            Place::Anew(at) => {
                self.flush(out)?;
                self.follow(block, at, out)?;
            }
            Place::After(ticks) => self.silence(ticks, block.channels),
            Place::Overlaps(ticks) => block.skip(samples(ticks, block.rate)),
            Place::Here | Place::Longer | Place::Shorter => {}
        }
        self.append(block, place);
        self.encode(out)
    }

    /// Makes resampler, clock and encoder follow the sound: they change where its rate or its channels do.
    fn follow(&mut self, block: &Block, at: i64, out: &mut Vec<Frame>) -> Result<(), Error> {
        if self.encoder.as_ref().is_some_and(|encoder| encoder.channels() != block.channels) {
            self.flush(out)?;
        }
        if self.resampler.as_ref().is_none_or(|resampler| resampler.rate() != block.rate) {
            let next = Resampler::new(block.rate).ok_or_else(|| self.refused(block.rate))?;
            if let Some(mut before) = self.resampler.replace(next) {
                before.finish(block.channels, &mut self.queue.planes);
            }
            if let Some(clock) = &mut self.clock {
                clock.change_rate(block.rate);
            }
        }
        if self.clock.is_none() {
            self.clock = Some(Clock::new(at, block.rate));
            (self.queue.start, self.queue.begin) = (at, at);
        }
        if self.encoder.is_none() {
            let encoder = Encoder::new(self.target, block.channels)?;
            if !encoder.config().is_empty() {
                out.push(self.frame(Kind::Config, self.queue.start, encoder.config().clone()));
            }
            self.encoder = Some(encoder);
        }
        Ok(())
    }

    fn refused(&self, rate: u32) -> Error {
        let codec = self.decoder.as_ref().map_or(self.target.codec(), Decoder::codec);
        Error::Config { codec, reason: format!("{rate} Hz is no rate of this codec") }
    }

    fn silence(&mut self, ticks: i64, channels: usize) {
        let Some(rate) = self.resampler.as_ref().map(Resampler::rate) else { return };
        let quiet = || vec![0.0; samples(ticks, rate)];
        let block = Block { rate, channels, planes: [quiet(), quiet()] };
        self.append(&block, Place::Here);
    }

    /// Puts a block's samples, at 48 kHz, into the queue.
    fn append(&mut self, block: &Block, place: Place) {
        let (Some(resampler), Some(clock)) = (&mut self.resampler, &mut self.clock) else { return };
        clock.take(block.len());
        let before = self.queue.planes[0].len(); // one of two
        resampler.push(block, &mut self.queue.planes);
        match place {
            Place::Longer => stretch(&mut self.queue.planes, before, true),
            Place::Shorter => stretch(&mut self.queue.planes, before, false),
            _ => {}
        }
    }

    /// Encodes whole frames of the queue.
    fn encode(&mut self, out: &mut Vec<Frame>) -> Result<(), Error> {
        let Some(mut encoder) = self.encoder.take() else { return Ok(()) };
        let whole = encoder.samples();
        let mut done = Ok(());
        while self.queue.planes[0].len() >= whole && done.is_ok() {
            let packet = encoder.encode(&self.queue.planes);
            let at = self.queue.start - encoder.delay() as i64;
            self.queue.start += whole as i64;
            for plane in &mut self.queue.planes {
                plane.drain(..whole.min(plane.len()));
            }
            match packet {
                Ok(packet) if at >= self.queue.begin => out.push(self.frame(Kind::Key, at, packet)),
                Ok(_) => {}
                Err(reason) => done = Err(Error::Encode { codec: self.target.codec(), reason }),
            }
        }
        // An encoder that failed is made anew for the next frame.
        if done.is_ok() {
            self.encoder = Some(encoder);
        }
        done
    }

    fn frame(&self, kind: Kind, ticks: i64, payload: Bytes) -> Frame {
        let at = Time::from_ticks(ticks, RATE);
        let (codec, tag) = (self.target.codec(), CodecTag::Legacy);
        Frame { track: Track::Audio, codec, tag, kind, dts: at, pts: at, payload }
    }
}

/// Samples of `rate` Hz in `ticks`.
fn samples(ticks: i64, rate: u32) -> usize {
    usize::try_from(ticks.saturating_mul(i64::from(rate)) / i64::from(RATE)).unwrap_or(0)
}

/// Puts one sample in, or takes one out, after `from`, where it is heard least: where the sound changes least.
fn stretch(planes: &mut [Vec<f32>; 2], from: usize, longer: bool) {
    let change = |plane: &Vec<f32>, at: usize| match plane.get(at..at + 2) {
        Some([a, b]) => (a - b).abs(),
        _ => 0.0,
    };
    let end = planes[0].len().saturating_sub(1); // one of two
    let cost = |at: &usize| planes.iter().map(|plane| change(plane, *at)).sum::<f32>();
    let Some(at) = (from..end).min_by(|a, b| cost(a).total_cmp(&cost(b))) else { return };
    for plane in planes.iter_mut().filter(|plane| plane.len() > at) {
        match (longer, plane.get(at).copied()) {
            (true, Some(sample)) => plane.insert(at, sample),
            _ => drop(plane.remove(at)),
        }
    }
}
