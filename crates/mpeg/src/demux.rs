use crate::{CLOCK, PACKET, SYNC, WRAP, pes, pid, psi};
use bytes::Bytes;
use headwater_media::codec::{aac, avc, hevc, mp3, nal, opus};
use headwater_media::{Codec, CodecTag, Frame, Kind, Reader, Time, Track};

/// Most bytes gathered of one PES packet: a key frame of a very high bit rate.
const PES_MAX: usize = 8 << 20;

/// Most elementary streams followed; a stream has one video and one audio track.
const TRACKS_MAX: usize = 2;

/// Makes frames of a transport stream, however its bytes are cut.
///
/// Follows the first program's first video and first audio stream. Packets lost on the way damage the frame they
/// belong to and nothing else: it is dropped. Parameter sets become configuration frames and are taken out of the
/// pictures; delimiters too.
#[derive(Debug, Default)]
pub struct TsDemuxer {
    /// The start of a packet whose end has not come; shorter than a packet.
    partial: Vec<u8>,
    pat: Section,
    pmt_pid: Option<u16>,
    pmt: Section,
    tracks: Vec<Elementary>,
    clock: Clock,
    lost: u64,
}

impl TsDemuxer {
    /// A demuxer at the start of a stream.
    pub fn new() -> TsDemuxer {
        TsDemuxer::default()
    }

    /// Takes bytes; frames that they complete are appended to `out`.
    pub fn push(&mut self, mut data: &[u8], out: &mut Vec<Frame>) {
        while !data.is_empty() {
            if self.partial.is_empty() && data.first() != Some(&SYNC) {
                let skip = data.iter().position(|&b| b == SYNC).unwrap_or(data.len());
                data = data.get(skip..).unwrap_or_default();
                continue;
            }
            if self.partial.is_empty()
                && let Some((packet, rest)) = data.split_at_checked(PACKET)
            {
                self.packet(packet, out);
                data = rest;
                continue;
            }
            let (part, rest) = data.split_at(data.len().min(PACKET - self.partial.len()));
            self.partial.extend_from_slice(part);
            data = rest;
            if self.partial.len() == PACKET {
                let packet = std::mem::take(&mut self.partial);
                self.packet(&packet, out);
            }
        }
    }

    /// The stream has ended: appends the frames that only waited for what follows them.
    pub fn finish(&mut self, out: &mut Vec<Frame>) {
        let clock = &mut self.clock;
        self.tracks.iter_mut().for_each(|track| track.complete(clock, out));
    }

    /// Frames dropped because packets of them were lost or damaged.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn packet(&mut self, packet: &[u8], out: &mut Vec<Frame>) {
        let Some(packet) = Packet::parse(packet) else { return };
        if packet.pid == pid::PAT {
            if let Some(section) = self.pat.push(&packet) {
                self.pmt_pid = psi::read_pat(&section).or(self.pmt_pid);
            }
        } else if Some(packet.pid) == self.pmt_pid {
            if let Some(streams) = self.pmt.push(&packet).and_then(|s| psi::read_pmt(&s)) {
                self.set_tracks(&streams, out);
            }
        } else if let Some(track) = self.tracks.iter_mut().find(|t| t.pid == packet.pid) {
            self.lost += u64::from(!track.packet(&packet, &mut self.clock, out));
        }
    }

    fn set_tracks(&mut self, streams: &[(u16, Codec)], out: &mut Vec<Frame>) {
        let is_video = |codec: Codec| matches!(codec, Codec::H264 | Codec::Hevc);
        let first = |video: bool| streams.iter().find(|s| is_video(s.1) == video);
        let wanted: Vec<_> = [first(true), first(false)].into_iter().flatten().collect();
        let same =
            wanted.iter().all(|(pid, codec)| self.tracks.iter().any(|t| t.pid == *pid && t.codec == *codec));
        if same && wanted.len() == self.tracks.len() {
            return;
        }
        self.finish(out);
        self.tracks =
            wanted.into_iter().take(TRACKS_MAX).map(|&(pid, codec)| Elementary::new(pid, codec)).collect();
    }
}

/// The parts of a transport packet (ISO/IEC 13818-1 2.4.3.2).
struct Packet<'a> {
    pid: u16,
    start: bool,
    counter: u8,
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// `None` for packets without payload, scrambled ones and those marked as damaged.
    fn parse(packet: &'a [u8]) -> Option<Packet<'a>> {
        let mut r = Reader::new(packet);
        let [_, high, low, control] = r.array().ok()?;
        if high & 0x80 != 0 || control & 0xc0 != 0 || control & 0x10 == 0 {
            return None;
        }
        if control & 0x20 != 0 {
            let len = r.u8().ok()?;
            r.skip(len.into()).ok()?;
        }
        let pid = u16::from_be_bytes([high & 0x1f, low]);
        Some(Packet { pid, start: high & 0x40 != 0, counter: control & 0x0f, payload: r.rest() })
    }
}

/// A section being gathered.
#[derive(Debug, Default)]
struct Section {
    data: Vec<u8>,
}

impl Section {
    /// The section that a packet completes. Of several sections in one packet only the first is read.
    fn push(&mut self, packet: &Packet<'_>) -> Option<Vec<u8>> {
        if packet.start {
            let skip = 1 + usize::from(*packet.payload.first()?);
            self.data.clear();
            self.data.extend_from_slice(packet.payload.get(skip..)?);
        } else if !self.data.is_empty() && self.data.len() <= psi::SECTION_MAX {
            self.data.extend_from_slice(packet.payload);
        }
        let len = psi::section_len(&self.data)?;
        (self.data.len() >= len).then(|| std::mem::take(&mut self.data))
    }
}

/// Unwraps 33-bit timestamps of all tracks together.
#[derive(Debug, Default)]
struct Clock {
    newest: Option<i64>,
}

impl Clock {
    /// Ticks that do not wrap, by their nearness to the newest one.
    fn unwrap(&mut self, ticks: u64) -> i64 {
        let ticks = ticks as i64; // 33 bits
        let newest = self.newest.unwrap_or(ticks);
        let difference = (ticks - newest + WRAP / 2).rem_euclid(WRAP) - WRAP / 2;
        self.newest = Some(newest + difference);
        newest + difference
    }
}

/// One elementary stream.
#[derive(Debug)]
struct Elementary {
    pid: u16,
    codec: Codec,
    counter: Option<u8>,
    /// The PES packet being gathered; empty while none is.
    pes: Vec<u8>,
    config: Bytes,
    vps: Vec<Bytes>,
    sps: Vec<Bytes>,
    pps: Vec<Bytes>,
}

impl Elementary {
    fn new(pid: u16, codec: Codec) -> Elementary {
        let (vps, sps, pps) = Default::default();
        Elementary { pid, codec, counter: None, pes: Vec::new(), config: Bytes::new(), vps, sps, pps }
    }

    /// False when packets before this one were lost, or the PES packet is too long.
    fn packet(&mut self, packet: &Packet<'_>, clock: &mut Clock, out: &mut Vec<Frame>) -> bool {
        if self.counter == Some(packet.counter) {
            return true; // a packet sent twice, as 2.4.3.3 allows
        }
        let due = self.counter.map_or(packet.counter, |c| (c + 1) & 0x0f);
        self.counter = Some(packet.counter);
        let whole = due == packet.counter && self.pes.len() + packet.payload.len() <= PES_MAX;
        if !whole {
            self.pes.clear();
        }
        if packet.start {
            self.complete(clock, out);
        }
        if packet.start || !self.pes.is_empty() {
            self.pes.extend_from_slice(packet.payload);
        }
        if pes::whole_len(&self.pes).is_some_and(|len| self.pes.len() >= len) {
            self.complete(clock, out);
        }
        whole
    }

    fn complete(&mut self, clock: &mut Clock, out: &mut Vec<Frame>) {
        let data = std::mem::take(&mut self.pes);
        let Some(pes) = pes::read(&data) else { return };
        let dts = clock.unwrap(pes.dts);
        let delay = (pes.pts as i64 - pes.dts as i64).rem_euclid(WRAP);
        let time = |ticks| Time::from_ticks(ticks, CLOCK);
        match self.codec {
            Codec::H264 | Codec::Hevc => self.picture(pes.payload, time(dts), time(dts + delay), out),
            Codec::Aac => self.adts(pes.payload, time(dts), out),
            Codec::Mp3 => self.mp3(pes.payload, time(dts), out),
            Codec::Opus => self.opus(pes.payload, time(dts), out),
            _ => {}
        }
        self.pes = data;
        self.pes.clear();
    }

    fn picture(&mut self, payload: &[u8], dts: Time, pts: Time, out: &mut Vec<Frame>) {
        let hevc = self.codec == Codec::Hevc;
        let (mut vps, mut sps, mut pps) = (Vec::new(), Vec::new(), Vec::new());
        let mut units = Vec::new();
        let mut key = false;
        for unit in nal::annexb(payload) {
            let kind = if hevc { hevc::nal_type(unit) } else { avc::nal_type(unit) };
            match (hevc, kind) {
                (false, avc::AUD) | (true, hevc::AUD) => {}
                (true, hevc::VPS) => vps.push(Bytes::copy_from_slice(unit)),
                (false, avc::SPS) | (true, hevc::SPS) => sps.push(Bytes::copy_from_slice(unit)),
                (false, avc::PPS) | (true, hevc::PPS) => pps.push(Bytes::copy_from_slice(unit)),
                _ => {
                    key |= if hevc { hevc::is_irap(kind) } else { kind == avc::IDR };
                    units.push(unit);
                }
            }
        }
        for (old, new) in [(&mut self.vps, vps), (&mut self.sps, sps), (&mut self.pps, pps)] {
            if !new.is_empty() {
                *old = new;
            }
        }
        self.configure_picture(dts, out);
        if !units.is_empty() {
            let kind = if key { Kind::Key } else { Kind::Inter };
            out.push(self.frame(kind, dts, pts, nal::join(units)));
        }
    }

    fn configure_picture(&mut self, dts: Time, out: &mut Vec<Frame>) {
        let (vps, sps, pps) = (self.vps.clone(), self.sps.clone(), self.pps.clone());
        let config = match self.codec {
            Codec::Hevc => hevc::Config::from_parameter_sets(vps, sps, pps).map(|c| c.write()),
            _ => avc::Config::from_parameter_sets(sps, pps).map(|c| c.write()),
        };
        self.configure(config.unwrap_or_default(), dts, out);
    }

    /// A configuration frame, when the configuration is new.
    fn configure(&mut self, config: Bytes, dts: Time, out: &mut Vec<Frame>) {
        if config.is_empty() || config == self.config {
            return;
        }
        self.config = config.clone();
        out.push(self.frame(Kind::Config, dts, dts, config));
    }

    fn adts(&mut self, mut data: &[u8], start: Time, out: &mut Vec<Frame>) {
        let mut samples = 0;
        while let Ok(adts) = aac::Adts::parse(data) {
            let at = start + Time::from_ticks(samples, adts.config.sample_rate);
            self.configure(adts.config.write(), at, out);
            out.push(self.frame(Kind::Key, at, at, Bytes::copy_from_slice(adts.payload)));
            samples += i64::from(aac::FRAME_SAMPLES);
            data = data.get(adts.len..).unwrap_or_default();
        }
    }

    fn mp3(&mut self, mut data: &[u8], start: Time, out: &mut Vec<Frame>) {
        let mut samples = 0;
        while let Ok(header) = mp3::Header::parse(data) {
            let whole = data.split_at_checked(header.len).filter(|(frame, _)| !frame.is_empty());
            let Some((frame, rest)) = whole else { return };
            let at = start + Time::from_ticks(samples, header.sample_rate);
            out.push(self.frame(Kind::Key, at, at, Bytes::copy_from_slice(frame)));
            samples += i64::from(header.samples);
            data = rest;
        }
    }

    fn opus(&mut self, data: &[u8], mut at: Time, out: &mut Vec<Frame>) {
        let mut r = Reader::new(data);
        while let Some(packet) = read_opus(&mut r) {
            if self.config.is_empty() {
                let channels = if packet.first().is_some_and(|toc| toc & 0x04 != 0) { 2 } else { 1 };
                self.configure(opus::Config::plain(channels).write(), at, out);
            }
            out.push(self.frame(Kind::Key, at, at, Bytes::copy_from_slice(packet)));
            at += opus::duration(packet).unwrap_or(Time::ZERO);
        }
    }

    fn frame(&self, kind: Kind, dts: Time, pts: Time, payload: Bytes) -> Frame {
        let track = if matches!(self.codec, Codec::H264 | Codec::Hevc) { Track::Video } else { Track::Audio };
        Frame { track, codec: self.codec, tag: CodecTag::Legacy, kind, dts, pts, payload }
    }
}

/// One Opus access unit: control header (prefix, flags, size, trimming), then the packet.
fn read_opus<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    let head = r.u16().ok()?;
    if head & 0xffe0 != 0x7fe0 {
        return None;
    }
    let mut size = 0usize;
    loop {
        let byte = r.u8().ok()?;
        size += usize::from(byte);
        if byte != 0xff {
            break;
        }
    }
    r.skip(if head & 0x10 != 0 { 2 } else { 0 }).ok()?; // start trim
    r.skip(if head & 0x08 != 0 { 2 } else { 0 }).ok()?; // end trim
    if head & 0x04 != 0 {
        let len = r.u8().ok()?;
        r.skip(len.into()).ok()?;
    }
    r.bytes(size).ok()
}
