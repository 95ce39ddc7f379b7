//! What a track is: its codec, clock and configuration, and the sample entry they make (14496-12 8.5.2).

use crate::Mp4Error;
use crate::boxes::{child, full, need, write};
use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::codec::{aac, codec_string, describe_video, mp3, opus, vp9};
use headwater_media::{Codec, CodecTag, Frame, Kind, Reader, Time, Track};

/// Ticks a second of video.
const VIDEO_CLOCK: u32 = 90_000;

/// objectTypeIndication of MPEG-4 audio, of MPEG-2 layer III and of MPEG-1 layer III (mp4ra.org).
const OTI_AAC: u8 = 0x40;
const OTI_MP3_LSF: u8 = 0x69;
const OTI_MP3: u8 = 0x6b;

/// VP9 level of a stream that does not tell: 4.1, enough for 1080p60.
const VP9_LEVEL: u8 = 41;

/// One track of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackSpec {
    /// Codec.
    pub codec: Codec,
    /// Ticks a second: 90,000 for video, the sampling rate for audio.
    pub timescale: u32,
    /// Payload of the `Config` frame; empty for MP3.
    pub config: Bytes,
    /// Picture width in pixels; 0 when unknown and for audio.
    pub width: u16,
    /// Picture height in pixels; 0 when unknown and for audio.
    pub height: u16,
    /// Channels; 0 for video.
    pub channels: u8,
}

impl TrackSpec {
    /// From a `Config` frame; for MP3 and VP9 also from a key frame.
    pub fn from_frame(frame: &Frame) -> Result<TrackSpec, Mp4Error> {
        let config = frame.payload.clone();
        match (frame.codec, frame.kind) {
            (Codec::H264 | Codec::Hevc | Codec::Av1 | Codec::Vp9, Kind::Config) => {
                Ok(TrackSpec::video(frame.codec, config).sized_by(frame))
            }
            (Codec::Vp9, Kind::Key) => Ok(TrackSpec::video(Codec::Vp9, vp9_config(&config)?).sized_by(frame)),
            (Codec::Aac, Kind::Config) => {
                let parsed = aac::Config::parse(&config)?;
                Ok(TrackSpec::audio(Codec::Aac, config, parsed.sample_rate, parsed.channels()))
            }
            (Codec::Opus, Kind::Config) => {
                let channels = opus::Config::parse(&config)?.channels;
                Ok(TrackSpec::audio(Codec::Opus, config, opus::SAMPLE_RATE, channels))
            }
            (Codec::Mp3, Kind::Key) => {
                let header = mp3::Header::parse(&config)?;
                Ok(TrackSpec::audio(Codec::Mp3, Bytes::new(), header.sample_rate, header.channels))
            }
            (
                Codec::H264 | Codec::Hevc | Codec::Av1 | Codec::Vp9 | Codec::Aac | Codec::Opus | Codec::Mp3,
                _,
            ) => Err(Mp4Error::NoConfig(frame.codec)),
            (codec, _) => Err(Mp4Error::Codec(codec)),
        }
    }

    /// Takes the picture size from a frame that tells it: for VP9, whose configuration does not, from a key frame.
    pub fn sized_by(mut self, frame: &Frame) -> TrackSpec {
        if let Some(info) = describe_video(frame).filter(|info| info.width > 0) {
            self.width = u16::try_from(info.width).unwrap_or(u16::MAX);
            self.height = u16::try_from(info.height).unwrap_or(u16::MAX);
        }
        self
    }

    /// Video or audio.
    pub fn track(&self) -> Track {
        if self.channels == 0 { Track::Video } else { Track::Audio }
    }

    /// RFC 6381 codec string for playlists and manifests.
    pub fn codec_string(&self) -> Option<String> {
        codec_string(&self.frame(Kind::Config, Time::ZERO, Time::ZERO, self.config.clone()))
    }

    /// A frame on this track.
    pub(crate) fn frame(&self, kind: Kind, dts: Time, pts: Time, payload: Bytes) -> Frame {
        Frame { track: self.track(), codec: self.codec, tag: CodecTag::Legacy, kind, dts, pts, payload }
    }

    fn video(codec: Codec, config: Bytes) -> TrackSpec {
        TrackSpec { codec, timescale: VIDEO_CLOCK, config, width: 0, height: 0, channels: 0 }
    }

    fn audio(codec: Codec, config: Bytes, rate: u32, channels: u8) -> TrackSpec {
        TrackSpec { codec, timescale: rate.max(1), config, width: 0, height: 0, channels: channels.max(1) }
    }

    /// SampleDescriptionBox with one entry.
    pub(crate) fn write_stsd(&self, out: &mut BytesMut) {
        full(out, b"stsd", 0, 0, |out| {
            out.put_u32(1); // entry_count
            match self.codec {
                Codec::H264 => self.write_visual(out, b"avc1", b"avcC"),
                Codec::Hevc => self.write_visual(out, b"hvc1", b"hvcC"),
                Codec::Av1 => self.write_visual(out, b"av01", b"av1C"),
                Codec::Vp9 => self.write_visual(out, b"vp09", b"vpcC"),
                Codec::Opus => self.write_sound(out, b"Opus", |out| write_dops(out, &self.config)),
                _ => self.write_sound(out, b"mp4a", |out| self.write_esds(out)),
            }
        });
    }

    /// VisualSampleEntry (12.1.3) with its configuration box.
    fn write_visual(&self, out: &mut BytesMut, entry: &[u8; 4], config: &[u8; 4]) {
        write(out, entry, |out| {
            out.put_bytes(0, 6);
            out.put_u16(1); // data_reference_index
            out.put_bytes(0, 16);
            out.put_u16(self.width);
            out.put_u16(self.height);
            out.put_u32(0x0048_0000); // horizresolution, 72 dpi
            out.put_u32(0x0048_0000); // vertresolution
            out.put_u32(0);
            out.put_u16(1); // frame_count
            out.put_bytes(0, 32); // compressorname
            out.put_u16(0x0018); // depth
            out.put_i16(-1);
            write(out, config, |out| out.put_slice(&self.config));
        });
    }

    /// AudioSampleEntry (12.2.3). A rate that its 16 bits cannot hold is 0: the decoder's configuration has it.
    fn write_sound(&self, out: &mut BytesMut, entry: &[u8; 4], config: impl FnOnce(&mut BytesMut)) {
        write(out, entry, |out| {
            out.put_bytes(0, 6);
            out.put_u16(1); // data_reference_index
            out.put_bytes(0, 8);
            out.put_u16(self.channels.into());
            out.put_u16(16); // samplesize
            out.put_u32(0);
            out.put_u16(u16::try_from(self.timescale).unwrap_or(0)); // samplerate, 16.16
            out.put_u16(0);
            config(out);
        });
    }

    /// ESDBox (14496-14 6.7.2) with an ES_Descriptor (14496-1 7.2.6.5).
    fn write_esds(&self, out: &mut BytesMut) {
        let oti = match (self.codec, self.timescale) {
            (Codec::Aac, _) => OTI_AAC,
            (_, ..32_000) => OTI_MP3_LSF,
            _ => OTI_MP3,
        };
        let mut config = BytesMut::new();
        config.put_slice(&[oti, 0x15, 0, 0, 0]); // audio stream, bufferSizeDB unknown
        config.put_u64(0); // maxBitrate, avgBitrate: unknown
        if !self.config.is_empty() {
            write_descriptor(&mut config, 0x05, &self.config); // DecoderSpecificInfo
        }
        let mut es = BytesMut::new();
        es.put_slice(&[0, 0, 0]); // ES_ID, no flags
        write_descriptor(&mut es, 0x04, &config); // DecoderConfigDescriptor
        write_descriptor(&mut es, 0x06, &[2]); // SLConfigDescriptor: MP4
        full(out, b"esds", 0, 0, |out| write_descriptor(out, 0x03, &es));
    }

    /// From a SampleDescriptionBox. `None` for codecs that are not carried.
    pub(crate) fn read_stsd(stsd: &[u8]) -> Result<Option<TrackSpec>, Mp4Error> {
        let entries = stsd.get(8..).unwrap_or_default();
        let Some((kind, body)) = crate::boxes::children(entries).next().transpose()? else { return Ok(None) };
        let visual = |codec, config| read_visual(codec, body, config).map(Some);
        match &kind {
            b"avc1" | b"avc3" => visual(Codec::H264, b"avcC"),
            b"hvc1" | b"hev1" => visual(Codec::Hevc, b"hvcC"),
            b"av01" => visual(Codec::Av1, b"av1C"),
            b"vp09" => visual(Codec::Vp9, b"vpcC"),
            b"Opus" => {
                let head = read_dops(need(sound_boxes(body), b"dOps")?).map_err(Mp4Error::short(b"dOps"))?;
                let channels = opus::Config::parse(&head)?.channels;
                Ok(Some(TrackSpec::audio(Codec::Opus, head, opus::SAMPLE_RATE, channels)))
            }
            b"mp4a" => read_mp4a(body),
            _ => Ok(None),
        }
    }
}

/// A record for VP9 that came without one: 8 bits, 4:2:0, colours not told.
fn vp9_config(frame: &[u8]) -> Result<Bytes, Mp4Error> {
    let profile = vp9::Header::parse(frame)?.profile;
    let depth = if profile < 2 { 8 } else { 10 };
    Ok(vp9::Config { profile, level: VP9_LEVEL, format: depth << 4 | 1 << 1, colour: [2, 2, 2] }.write())
}

/// OpusSpecificBox (Opus in ISOBMFF 4.3.2): OpusHead with big-endian fields and version 0.
fn write_dops(out: &mut BytesMut, head: &Bytes) {
    let config = opus::Config::parse(head).unwrap_or_else(|_| opus::Config::plain(2));
    write(out, b"dOps", |out| {
        out.put_slice(&[0, config.channels]);
        out.put_u16(config.pre_skip);
        out.put_u32(config.input_rate);
        out.put_i16(config.gain);
        out.put_u8(config.mapping_family);
        out.put_slice(&config.mapping);
    });
}

fn read_dops(body: &[u8]) -> Result<Bytes, headwater_media::Short> {
    let mut r = Reader::new(body);
    let [_, channels] = r.array()?;
    let (pre_skip, input_rate) = (r.u16()?, r.u32()?);
    let gain = r.u16()? as i16;
    let mapping_family = r.u8()?;
    let mapping = if mapping_family == 0 { Bytes::new() } else { Bytes::copy_from_slice(r.rest()) };
    Ok(opus::Config { channels, pre_skip, input_rate, gain, mapping_family, mapping }.write())
}

/// Tag, length in seven-bit groups, body (14496-1 8.3.3).
fn write_descriptor(out: &mut BytesMut, tag: u8, body: &[u8]) {
    let len = body.len();
    out.put_u8(tag);
    for shift in [21, 14, 7] {
        out.put_u8(0x80 | (len >> shift) as u8 & 0x7f);
    }
    out.put_u8(len as u8 & 0x7f);
    out.put_slice(body);
}

fn read_descriptor<'a>(r: &mut Reader<'a>) -> Result<(u8, &'a [u8]), headwater_media::Short> {
    let tag = r.u8()?;
    let mut len = 0;
    for _ in 0..4 {
        let byte = r.u8()?;
        len = len << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok((tag, r.bytes(len)?))
}

fn read_visual(codec: Codec, body: &[u8], config: &[u8; 4]) -> Result<TrackSpec, Mp4Error> {
    let mut r = Reader::new(body);
    let short = Mp4Error::short(b"stsd");
    r.skip(24).map_err(&short)?;
    let (width, height) = (r.u16().map_err(&short)?, r.u16().map_err(&short)?);
    r.skip(50).map_err(&short)?;
    let config = Bytes::copy_from_slice(need(r.rest(), config)?);
    Ok(TrackSpec { width, height, ..TrackSpec::video(codec, config) })
}

/// The boxes after the fixed fields of an AudioSampleEntry.
fn sound_boxes(body: &[u8]) -> &[u8] {
    body.get(28..).unwrap_or_default()
}

fn read_mp4a(body: &[u8]) -> Result<Option<TrackSpec>, Mp4Error> {
    let mut r = Reader::new(body);
    let short = Mp4Error::short(b"mp4a");
    r.skip(16).map_err(&short)?;
    let channels = r.u16().map_err(&short)?;
    let Some(esds) = child(sound_boxes(body), b"esds")? else { return Ok(None) };
    let (oti, config) = read_esds(esds).map_err(Mp4Error::short(b"esds"))?;
    match oti {
        OTI_AAC => {
            let parsed = aac::Config::parse(config)?;
            let config = Bytes::copy_from_slice(config);
            Ok(Some(TrackSpec::audio(Codec::Aac, config, parsed.sample_rate, parsed.channels())))
        }
        OTI_MP3 | OTI_MP3_LSF => {
            Ok(Some(TrackSpec::audio(Codec::Mp3, Bytes::new(), 1, u8::try_from(channels).unwrap_or(2))))
        }
        _ => Ok(None),
    }
}

/// objectTypeIndication and DecoderSpecificInfo; the latter may be empty.
fn read_esds(body: &[u8]) -> Result<(u8, &[u8]), headwater_media::Short> {
    let mut r = Reader::new(body);
    r.skip(4)?; // version, flags
    let (_, es) = read_descriptor(&mut r)?;
    let mut r = Reader::new(es);
    r.skip(2)?;
    let flags = r.u8()?;
    r.skip(if flags & 0x80 != 0 { 2 } else { 0 })?; // dependsOn_ES_ID
    let (_, config) = read_descriptor(&mut r)?;
    let mut r = Reader::new(config);
    let oti = r.u8()?;
    r.skip(12)?;
    let info = if r.is_empty() { (0, [].as_slice()) } else { read_descriptor(&mut r)? };
    Ok((oti, info.1))
}
