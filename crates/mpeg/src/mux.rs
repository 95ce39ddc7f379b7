use crate::elementary::{Audio, Video};
use crate::packet::Pid;
use crate::pes::{HEADER_MAX, LENGTH_MAX, put_header, stream_id};
use crate::{PACKET, pid, psi};
use bytes::BytesMut;
use headwater_media::codec::{ParseError, aac, avc, hevc, mp3, opus};
use headwater_media::{Codec, Frame, Kind, Time, Track};
use thiserror::Error;

/// Bytes of the tables that [`TsMuxer::start`] writes.
pub const TABLES: usize = 2 * PACKET;

/// Age of the newest clock reference at which a frame of the other track brings one: decoders need one every 100 ms
/// (ISO/IEC 13818-1 2.7.2).
const PCR_AGE: Time = Time::from_millis(70);

/// Sound gathered in one PES packet when there are no pictures.
const AUDIO_SPAN: Time = Time::from_millis(720);

/// Bytes of sound gathered in one PES packet at most; its length field ends at 65535.
const AUDIO_BYTES: usize = 48 << 10;

/// A frame that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Skipped {
    /// The codec has no place in these transport streams.
    #[error("MPEG-TS does not carry {0:?} here; publish H.264 or HEVC with AAC, MP3 or Opus")]
    NotCarried(Codec),
    /// A frame came before its decoder configuration.
    #[error("a {0:?} frame came before its decoder configuration")]
    NotConfigured(Codec),
    /// A configuration cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ParseError),
    /// A frame cannot be expressed: too long, or with AAC parameters that ADTS does not know.
    #[error("a {codec:?} frame of {len} bytes cannot be put into MPEG-TS")]
    Inexpressible {
        /// Its codec.
        codec: Codec,
        /// Its bytes.
        len: usize,
    },
}

/// Makes one transport stream of one stream's frames.
///
/// It learns tracks from configurations (MP3 from its frames) and writes the tables anew whenever they change.
/// Continuity counters go on for the muxer's whole life, so its output may be cut into segments anywhere between
/// two calls; each segment begins with [`TsMuxer::start`].
#[derive(Debug)]
pub struct TsMuxer {
    video: Option<Video>,
    audio: Option<Audio>,
    pat: Pid,
    pmt: Pid,
    video_pid: Pid,
    audio_pid: Pid,
    /// Whether the tables written last still hold.
    announced: bool,
    newest_pcr: Option<Time>,
    /// Sound that waits for its PES packet to be filled.
    held: Vec<u8>,
    held_since: Time,
    gather_audio: bool,
    scratch: Vec<u8>,
    pes: Vec<u8>,
}

impl Default for TsMuxer {
    fn default() -> Self {
        TsMuxer::new()
    }
}

impl TsMuxer {
    /// A muxer that knows no tracks yet.
    pub fn new() -> TsMuxer {
        TsMuxer {
            video: None,
            audio: None,
            pat: Pid::new(pid::PAT),
            pmt: Pid::new(pid::PMT),
            video_pid: Pid::new(pid::VIDEO),
            audio_pid: Pid::new(pid::AAC),
            announced: false,
            newest_pcr: None,
            held: Vec::new(),
            held_since: Time::ZERO,
            gather_audio: false,
            scratch: Vec::new(),
            pes: Vec::new(),
        }
    }

    /// Gathers up to 720 ms of sound in one PES packet while there are no pictures: fewer bytes, more latency.
    /// [`TsMuxer::flush`] before a segment ends.
    pub fn gather_audio(mut self) -> TsMuxer {
        self.gather_audio = true;
        self
    }

    /// Forgets the tracks and the sound that was not flushed, for the next publisher; the counters go on.
    pub fn forget_tracks(&mut self) {
        self.video = None;
        self.audio = None;
        self.held.clear();
        self.newest_pcr = None;
        self.announced = false;
    }

    /// Writes program association and program map, [`TABLES`] bytes: the start of a file or segment.
    pub fn start(&mut self, out: &mut BytesMut) {
        self.pat.write_section(&psi::pat(), out);
        self.pmt.write_section(&psi::pmt(self.video_codec(), self.audio.as_ref()), out);
        self.announced = true;
        self.newest_pcr = None;
    }

    /// Renews the tables at the start of a finished segment: a track that appeared while it was made is announced
    /// from its beginning. `segment` begins with what [`TsMuxer::start`] wrote.
    pub fn renew_tables(&self, segment: &mut [u8]) {
        let Some(pmt) = segment.get_mut(PACKET..TABLES) else { return };
        let counter = pmt.get(3).map_or(0, |b| b & 0x0f);
        let mut fresh = BytesMut::with_capacity(PACKET);
        let section = psi::pmt(self.video_codec(), self.audio.as_ref());
        Pid { pid: pid::PMT, counter }.write_section(&section, &mut fresh);
        pmt.copy_from_slice(&fresh);
    }

    /// Takes a frame. Configurations are remembered; script messages do not concern it. Whole packets are written.
    pub fn frame(&mut self, frame: &Frame, out: &mut BytesMut) -> Result<(), Skipped> {
        match (frame.track, frame.kind) {
            (Track::Script, _) => Ok(()),
            (Track::Video, Kind::Config) => self.configure_video(frame),
            (Track::Audio, Kind::Config) => self.configure_audio(frame, out),
            (Track::Video, _) => self.video_frame(frame, out),
            (Track::Audio, _) => self.audio_frame(frame, out),
        }
    }

    /// Writes the sound that is being gathered.
    pub fn flush(&mut self, out: &mut BytesMut) {
        let held = std::mem::take(&mut self.held);
        self.audio_pes(&held, self.held_since, out);
        self.held = held;
        self.held.clear();
    }

    fn video_codec(&self) -> Option<Codec> {
        self.video.as_ref().map(Video::codec)
    }

    fn configure_video(&mut self, frame: &Frame) -> Result<(), Skipped> {
        let video = match frame.codec {
            Codec::H264 => Video::H264(avc::Config::parse(&frame.payload)?),
            Codec::Hevc => Video::Hevc(hevc::Config::parse(&frame.payload)?),
            other => return Err(Skipped::NotCarried(other)),
        };
        self.announced &= self.video_codec() == Some(video.codec());
        self.video = Some(video);
        Ok(())
    }

    fn configure_audio(&mut self, frame: &Frame, out: &mut BytesMut) -> Result<(), Skipped> {
        let audio = match frame.codec {
            Codec::Aac => Audio::Aac(aac::Config::parse(&frame.payload)?),
            Codec::Opus => Audio::Opus(opus::Config::parse(&frame.payload)?),
            other => return Err(Skipped::NotCarried(other)),
        };
        self.set_audio(audio, out);
        Ok(())
    }

    fn set_audio(&mut self, audio: Audio, out: &mut BytesMut) {
        if self.audio.as_ref().is_some_and(|old| *old != audio) {
            self.flush(out);
        }
        self.announced &= self.audio.as_ref().is_some_and(|old| old.is_like(&audio));
        self.audio_pid.pid = audio.pid();
        self.audio = Some(audio);
    }

    fn video_frame(&mut self, frame: &Frame, out: &mut BytesMut) -> Result<(), Skipped> {
        if !matches!(frame.codec, Codec::H264 | Codec::Hevc) {
            return Err(Skipped::NotCarried(frame.codec));
        }
        let configured = self.video.take().filter(|v| v.codec() == frame.codec);
        let Some(video) = configured else { return Err(Skipped::NotConfigured(frame.codec)) };
        self.flush(out); // sound gathered before the first picture
        self.scratch.clear();
        video.put(frame.kind, &frame.payload, &mut self.scratch);
        self.video = Some(video);
        self.announce(out);
        self.pes.clear();
        self.pes.reserve(HEADER_MAX + self.scratch.len());
        put_header(stream_id::VIDEO, frame.pts, frame.dts, self.scratch.len(), &mut self.pes);
        self.pes.extend_from_slice(&self.scratch);
        self.newest_pcr = Some(frame.dts);
        self.video_pid.write_pes(&self.pes, Some(frame.dts), frame.kind == Kind::Key, out);
        Ok(())
    }

    fn audio_frame(&mut self, frame: &Frame, out: &mut BytesMut) -> Result<(), Skipped> {
        self.check_audio(frame, out)?;
        let Some(audio) = &self.audio else { return Err(Skipped::NotConfigured(frame.codec)) };
        self.scratch.clear();
        let fits = audio.put(&frame.payload, &mut self.scratch);
        if !fits || self.scratch.len() > LENGTH_MAX - HEADER_MAX {
            return Err(Skipped::Inexpressible { codec: frame.codec, len: frame.payload.len() });
        }
        self.announce(out);
        if self.gather_audio && self.video.is_none() {
            self.hold(frame.dts, out);
        } else {
            let scratch = std::mem::take(&mut self.scratch);
            self.audio_pes(&scratch, frame.dts, out);
            self.scratch = scratch;
        }
        Ok(())
    }

    /// Whether the frame is of the audio track as configured; MP3 configures itself.
    fn check_audio(&mut self, frame: &Frame, out: &mut BytesMut) -> Result<(), Skipped> {
        match (frame.codec, &self.audio) {
            (Codec::Aac, Some(Audio::Aac(_))) | (Codec::Opus, Some(Audio::Opus(_))) => Ok(()),
            (Codec::Mp3, _) => {
                let header = mp3::Header::parse(&frame.payload)?;
                self.set_audio(Audio::Mp3(header), out);
                Ok(())
            }
            (Codec::Aac | Codec::Opus, _) => Err(Skipped::NotConfigured(frame.codec)),
            (other, _) => Err(Skipped::NotCarried(other)),
        }
    }

    fn announce(&mut self, out: &mut BytesMut) {
        if !self.announced {
            self.start(out);
        }
    }

    fn hold(&mut self, dts: Time, out: &mut BytesMut) {
        let full = self.held.len() + self.scratch.len() > AUDIO_BYTES;
        if full || dts - self.held_since >= AUDIO_SPAN || dts < self.held_since {
            self.flush(out);
        }
        if self.held.is_empty() {
            self.held_since = dts;
        }
        self.held.extend_from_slice(&self.scratch);
    }

    fn audio_pes(&mut self, payload: &[u8], at: Time, out: &mut BytesMut) {
        if payload.is_empty() {
            return;
        }
        let clock = self.video.is_none();
        if !clock && self.newest_pcr.is_none_or(|newest| at - newest >= PCR_AGE) {
            self.newest_pcr = Some(at);
            self.video_pid.write_pcr(at, out);
        }
        let is_opus = matches!(self.audio, Some(Audio::Opus(_)));
        let stream_id = if is_opus { stream_id::PRIVATE } else { stream_id::AUDIO };
        self.pes.clear();
        put_header(stream_id, at, at, payload.len(), &mut self.pes);
        self.pes.extend_from_slice(payload);
        self.audio_pid.write_pes(&self.pes, clock.then_some(at), clock, out);
    }
}
