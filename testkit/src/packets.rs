//! What ffmpeg read, packet by packet, and whether it is what was sent.

use headwater_media::{Frame, Kind};
use std::fmt;

/// One coded packet, as ffmpeg's `framecrc` tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// Picture or sound.
    pub media: Media,
    /// Decoding time in microseconds.
    pub dts: i64,
    /// Presentation time in microseconds.
    pub pts: i64,
    /// Whether a decoder can start here.
    pub key: bool,
    /// Coded bytes.
    pub size: usize,
    /// Checksum of the coded bytes.
    pub sum: u32,
}

/// The kinds of track that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key { " key" } else { "" };
        let Packet { media, dts, pts, size, sum, .. } = self;
        write!(f, "{media:?} dts {dts} pts {pts}{key} {size} bytes {sum:08x}")
    }
}

/// Reads `framecrc` output line by line.
#[derive(Debug, Default)]
pub struct Parser {
    tracks: Vec<Track>,
}

#[derive(Clone, Debug, Default)]
struct Track {
    media: Option<Media>,
    codec: String,
    /// Seconds per tick, as a fraction.
    base: (i64, i64),
}

impl Parser {
    /// The packet that a line tells, if it tells one. Lines that start with `#` describe the tracks.
    pub fn line(&mut self, line: &str) -> Option<Packet> {
        match line.strip_prefix('#') {
            Some(description) => {
                self.describe(description);
                None
            }
            None => self.packet(line),
        }
    }

    /// The codecs met so far, by track, as ffmpeg names them.
    pub fn codecs(&self) -> Vec<&str> {
        self.tracks.iter().map(|track| track.codec.as_str()).collect()
    }

    /// `tb 0: 1/1000`, `media_type 0: video`, `codec_id 0: h264`.
    fn describe(&mut self, description: &str) -> Option<()> {
        let (what, value) = description.split_once(": ")?;
        let (field, index) = what.split_once(' ')?;
        let index: usize = index.parse().ok()?;
        if self.tracks.len() <= index {
            self.tracks.resize(index + 1, Track::default());
        }
        let track = self.tracks.get_mut(index)?;
        match field {
            "tb" => {
                let (num, den) = value.split_once('/')?;
                track.base = (num.parse().ok()?, den.parse().ok()?);
            }
            "media_type" if value == "video" => track.media = Some(Media::Video),
            "media_type" if value == "audio" => track.media = Some(Media::Audio),
            "codec_id" => track.codec = value.to_owned(),
            _ => {}
        }
        Some(())
    }

    /// `stream, dts, pts, duration, size, 0xsum[, F=0xflags][, S=…]`. Flags stand there unless they are just "key".
    fn packet(&self, line: &str) -> Option<Packet> {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [stream, dts, pts, _duration, size, sum, rest @ ..] = fields.as_slice() else {
            return None;
        };
        let track = self.tracks.get(stream.parse::<usize>().ok()?)?;
        let micros = |ticks: &str| {
            let (num, den) = track.base;
            let scaled = i128::from(ticks.parse::<i64>().ok()?) * i128::from(num) * 1_000_000;
            i64::try_from(scaled.div_euclid(i128::from(den.max(1)))).ok()
        };
        let flags = rest.iter().find_map(|field| field.strip_prefix("F=0x"));
        let flags = flags.map_or(Some(1), |hex| u32::from_str_radix(hex, 16).ok())?;
        Some(Packet {
            media: track.media?,
            dts: micros(dts)?,
            pts: micros(pts)?,
            key: flags & 1 == 1,
            size: size.parse().ok()?,
            sum: u32::from_str_radix(sum.strip_prefix("0x")?, 16).ok()?,
        })
    }
}

/// Frames as ffmpeg would tell them, for what ffmpeg does not know how to read. Only coded media is told.
pub fn of_frames(frames: &[Frame]) -> Vec<Packet> {
    let packet = |frame: &Frame| {
        let media = match (frame.track, frame.kind) {
            (headwater_media::Track::Video, Kind::Key | Kind::Inter) => Media::Video,
            (headwater_media::Track::Audio, Kind::Key | Kind::Inter) => Media::Audio,
            _ => return None,
        };
        let (dts, pts) = (frame.dts.micros(), frame.pts.micros());
        let (key, size, sum) = (frame.kind == Kind::Key, frame.payload.len(), checksum(&frame.payload));
        Some(Packet { media, dts, pts, key, size, sum })
    };
    frames.iter().filter_map(packet).collect()
}

/// Adler-32 that begins with 0, as `framecrc` computes it.
fn checksum(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let step = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % MODULUS;
        (a, (a + b) % MODULUS)
    };
    let (a, b) = bytes.iter().fold((0, 0), step);
    b << 16 | a
}

/// What may differ between what was sent and what was read.
#[derive(Clone, Copy, Debug)]
pub struct Allow {
    /// All timestamps of all tracks may be later or earlier by one and the same amount.
    pub offset: bool,
    /// Rounding of timestamps, in microseconds.
    pub rounding: i64,
    /// The bytes of a packet may be wrapped differently (MPEG-TS has other NAL unit prefixes and ADTS headers).
    pub rewrapped: bool,
    /// Reading may have begun later than sending: at a key frame.
    pub late_join: bool,
    /// Reading may have ended earlier than sending.
    pub early_end: bool,
    /// Sound of the first so many microseconds may be missing.
    pub lead_in: i64,
}

impl Allow {
    /// Not one bit.
    pub const NOTHING: Allow = Allow {
        offset: false,
        rounding: 0,
        rewrapped: false,
        late_join: false,
        early_end: false,
        lead_in: 0,
    };

    /// A player that was there before the publisher: it starts at the first key frame, so it misses sound that came
    /// before; of a stream of sound alone, what came until that was clear.
    pub const WAITED: Allow = Allow { lead_in: 250_000, ..Allow::NOTHING };

    /// Joined in the middle of the stream.
    pub const LATE_JOIN: Allow = Allow { late_join: true, ..Allow::NOTHING };

    /// HLS: MPEG-TS has a 90 kHz clock, other packet wrapping, and an offset for its clock reference.
    pub const HLS: Allow =
        Allow { offset: true, rounding: 1000, rewrapped: true, late_join: true, ..Allow::NOTHING };
}

/// Whether `got` is `sent`, but for what is allowed; the error says where they part.
pub fn compare(sent: &[Packet], got: &[Packet], allow: Allow) -> Result<(), String> {
    let mut offset = None;
    for media in [Media::Video, Media::Audio] {
        let sent: Vec<&Packet> = sent.iter().filter(|packet| packet.media == media).collect();
        let got: Vec<&Packet> = got.iter().filter(|packet| packet.media == media).collect();
        compare_track(&sent, &got, allow, &mut offset).map_err(|what| format!("{media:?}: {what}"))?;
    }
    Ok(())
}

fn compare_track(
    sent: &[&Packet],
    got: &[&Packet],
    allow: Allow,
    offset: &mut Option<i64>,
) -> Result<(), String> {
    let Some(first) = got.first() else {
        return if sent.is_empty() {
            Ok(())
        } else {
            Err(format!("nothing read, {} packets sent", sent.len()))
        };
    };
    if allow.late_join && first.media == Media::Video && !first.key {
        return Err(format!("reading began without a key frame: {first:?}"));
    }
    let shift = match *offset {
        Some(shift) => shift,
        None if allow.offset => first.dts - first_readable(sent, allow)?.dts,
        None => 0,
    };
    offset.get_or_insert(shift);
    let may_lack = first.media == Media::Audio && allow.lead_in > 0;
    let start = match allow.late_join || may_lack {
        true => sent.iter().position(|packet| (packet.dts + shift - first.dts).abs() <= allow.rounding),
        false => Some(0),
    };
    let start = start.ok_or_else(|| {
        format!("the first packet read was not sent at that time: {first:?}, shifted by {shift} µs")
    })?;
    let expected = sent.get(start..).unwrap_or_default();
    let lacking = expected.first().zip(sent.first()).map_or(0, |(joined, first)| joined.dts - first.dts);
    if !allow.late_join && lacking > allow.lead_in {
        return Err(format!("the first {lacking} µs are missing"));
    }
    for (at, (sent, got)) in expected.iter().zip(got).enumerate() {
        same(sent, got, shift, allow)
            .map_err(|what| format!("packet {at}: {what}: {sent:?} became {got:?}"))?;
    }
    if got.len() > expected.len() || (got.len() < expected.len() && !allow.early_end) {
        return Err(format!("{} packets read, {} sent (from the join on)", got.len(), expected.len()));
    }
    Ok(())
}

/// Where a reader with timestamps of its own begins: at the first key frame. Who joins such a stream late passes
/// what was sent from there on.
fn first_readable<'a>(sent: &[&'a Packet], allow: Allow) -> Result<&'a Packet, String> {
    let mut packets = sent.iter().filter(|packet| packet.key || !allow.late_join);
    packets.next().copied().ok_or_else(|| "packets read that nobody sent".to_owned())
}

fn same(sent: &Packet, got: &Packet, shift: i64, allow: Allow) -> Result<(), &'static str> {
    let near = |a: i64, b: i64| (a + shift - b).abs() <= allow.rounding;
    if !near(sent.dts, got.dts) {
        return Err("another decoding time");
    }
    if !near(sent.pts, got.pts) {
        return Err("another presentation time");
    }
    if sent.key != got.key {
        return Err("another key flag");
    }
    if !allow.rewrapped && (sent.size != got.size || sent.sum != got.sum) {
        return Err("other bytes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<Packet> {
        let packet = |n: i64, media| Packet {
            media,
            dts: n * 40_000,
            pts: n * 40_000 + 40_000,
            key: media == Media::Audio || n % 5 == 0,
            size: 100 + n as usize,
            sum: n as u32 * 7,
        };
        (0..20).flat_map(|n| [packet(n, Media::Video), packet(n, Media::Audio)]).collect()
    }

    #[test]
    fn framecrc_lines() {
        let mut parser = Parser::default();
        for line in [
            "#software: x",
            "#tb 0: 1/1000",
            "#media_type 0: video",
            "#codec_id 0: h264",
            "#dimensions 0: 1x1",
        ] {
            assert_eq!(parser.line(line), None);
        }
        let key =
            parser.line("0,         40,         80,       40,     1234, 0x0000abcd, S=1,       44").unwrap();
        assert_eq!((key.dts, key.pts, key.size, key.sum, key.key), (40_000, 80_000, 1234, 0xabcd, true));
        assert!(!parser.line("0, 80, 120, 40, 12, 0x1, F=0x0").unwrap().key);
        assert_eq!(parser.line("1, 80, 120, 40, 12, 0x1"), None, "a track nobody described");
        assert_eq!(parser.codecs(), ["h264"]);
    }

    #[test]
    fn the_same_is_the_same() {
        assert_eq!(compare(&stream(), &stream(), Allow::NOTHING), Ok(()));
        assert_eq!(compare(&stream(), &stream()[10..], Allow::LATE_JOIN), Ok(()));
    }

    #[test]
    fn every_difference_is_told() {
        let differs = |change: &dyn Fn(&mut Vec<Packet>), allow| {
            let mut got = stream();
            change(&mut got);
            compare(&stream(), &got, allow).unwrap_err()
        };
        assert!(differs(&|got| got.truncate(got.len() - 1), Allow::NOTHING).contains("19 packets read"));
        assert!(differs(&|got| _ = got.remove(4), Allow::NOTHING).contains("another decoding time"));
        assert!(differs(&|got| got[6].pts += 1, Allow::NOTHING).contains("another presentation time"));
        assert!(differs(&|got| got[6].sum += 1, Allow::NOTHING).contains("other bytes"));
        assert!(differs(&|got| got[6].key = true, Allow::NOTHING).contains("another key flag"));
        assert!(differs(&|got| got.swap(2, 4), Allow::NOTHING).contains("another decoding time"));
        assert!(differs(&|got| got.clear(), Allow::LATE_JOIN).contains("nothing read"));
        assert!(differs(&|got| _ = got.drain(..2), Allow::LATE_JOIN).contains("without a key frame"));
        assert!(differs(&|got| _ = got.drain(..10), Allow::NOTHING).contains("another decoding time"));
    }

    #[test]
    fn a_waiting_player_may_miss_sound_before_the_first_picture() {
        let mut got = stream();
        got.retain(|packet| packet.media == Media::Video || packet.dts >= 200_000);
        assert_eq!(compare(&stream(), &got, Allow::WAITED), Ok(()));
        got.retain(|packet| packet.media == Media::Video || packet.dts >= 300_000);
        assert!(compare(&stream(), &got, Allow::WAITED).unwrap_err().contains("the first 320000"));
        let late: Vec<_> = stream().into_iter().filter(|packet| packet.dts >= 200_000).collect();
        assert!(compare(&stream(), &late, Allow::WAITED).is_err(), "pictures may not be missing");
    }

    #[test]
    fn one_offset_for_all_tracks() {
        let mut got = stream();
        got.iter_mut()
            .for_each(|packet| (packet.dts, packet.pts) = (packet.dts + 1_400_000, packet.pts + 1_400_000));
        assert_eq!(compare(&stream(), &got, Allow::HLS), Ok(()));
        assert!(compare(&stream(), &got, Allow::NOTHING).unwrap_err().contains("another decoding time"));
        let sound = got.iter_mut().filter(|packet| packet.media == Media::Audio);
        sound.for_each(|packet| packet.dts += 5_000);
        assert!(compare(&stream(), &got, Allow::HLS).is_err(), "sound out of step with the pictures");
    }
}
