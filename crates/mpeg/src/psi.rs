use crate::elementary::Audio;
use crate::pid;
use headwater_media::codec::{mp3, opus};
use headwater_media::{Codec, Reader, Short};

/// Longest section we read (ISO/IEC 13818-1 2.4.4.9: 1021 bytes after the length, private ones 4093).
pub(crate) const SECTION_MAX: usize = 4096;

/// Most elementary streams of a program that we look at.
const STREAMS_MAX: usize = 16;

/// `stream_type` (ISO/IEC 13818-1 table 2-34).
mod stream_type {
    pub(super) const MPEG1_AUDIO: u8 = 0x03;
    pub(super) const MPEG2_AUDIO: u8 = 0x04;
    pub(super) const PRIVATE: u8 = 0x06;
    pub(super) const AAC: u8 = 0x0f;
    pub(super) const H264: u8 = 0x1b;
    pub(super) const HEVC: u8 = 0x24;
}

/// Program association: program 1 is described on the PMT's PID.
pub(crate) fn pat() -> Vec<u8> {
    let [high, low] = pid::PMT.to_be_bytes();
    section(0x00, &[0x00, 0x01, 0xe0 | high, low])
}

/// Program map of the tracks given.
pub(crate) fn pmt(video: Option<Codec>, audio: Option<&Audio>) -> Vec<u8> {
    let clock = match (video, audio) {
        (Some(_), _) => pid::VIDEO,
        (None, Some(audio)) => audio.pid(),
        (None, None) => pid::NONE,
    };
    let [high, low] = clock.to_be_bytes();
    let mut body = vec![0xe0 | high, low, 0xf0, 0x00];
    if let Some(codec) = video {
        let kind = if codec == Codec::Hevc { stream_type::HEVC } else { stream_type::H264 };
        put_stream(&mut body, kind, pid::VIDEO, &[]);
    }
    match audio {
        Some(Audio::Aac(_)) => put_stream(&mut body, stream_type::AAC, pid::AAC, &[]),
        Some(Audio::Mp3(header)) => put_stream(&mut body, mp3_type(header), pid::MP3, &[]),
        Some(Audio::Opus(config)) => {
            put_stream(&mut body, stream_type::PRIVATE, pid::OPUS, &opus_descriptors(config))
        }
        None => {}
    }
    section(0x02, &body)
}

fn mp3_type(header: &mp3::Header) -> u8 {
    if header.mpeg1 { stream_type::MPEG1_AUDIO } else { stream_type::MPEG2_AUDIO }
}

/// Registration descriptor `Opus`, and the extension descriptor with the number of channels.
fn opus_descriptors(config: &opus::Config) -> [u8; 10] {
    [0x05, 4, b'O', b'p', b'u', b's', 0x7f, 2, 0x80, config.channels.min(8)]
}

fn put_stream(body: &mut Vec<u8>, kind: u8, pid: u16, descriptors: &[u8]) {
    let [high, low] = pid.to_be_bytes();
    body.extend_from_slice(&[kind, 0xe0 | high, low, 0xf0, descriptors.len() as u8]); // at most 10
    body.extend_from_slice(descriptors);
}

/// A whole section: table id, length, id 1, version 0, current, section 0 of 0, body, checksum.
fn section(table: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = (body.len() as u16 + 9).to_be_bytes();
    let mut out = vec![table, 0xb0 | high, low, 0x00, 0x01, 0xc1, 0x00, 0x00];
    out.extend_from_slice(body);
    let crc = crc32(&out);
    out.extend_from_slice(&crc.to_be_bytes());
    out
}

/// CRC-32 of MPEG-2 sections: polynomial 0x04c11db7, start all ones, nothing reflected (13818-1 annex A).
fn crc32(data: &[u8]) -> u32 {
    data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            if crc & 0x8000_0000 != 0 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 }
        })
    })
}

/// The PID of the first program's map; `None` for a table without programs or a broken one.
pub(crate) fn read_pat(section: &[u8]) -> Option<u16> {
    let mut r = body(section, 0x00)?;
    while let (Ok(program), Ok(pid)) = (r.u16(), r.u16()) {
        if program != 0 {
            return Some(pid & 0x1fff);
        }
    }
    None
}

/// The elementary streams of a program map that we can carry: PID and codec.
pub(crate) fn read_pmt(section: &[u8]) -> Option<Vec<(u16, Codec)>> {
    let mut r = body(section, 0x02)?;
    r.u16().ok()?; // PCR PID
    let skip = r.u16().ok()? & 0x0fff;
    r.skip(skip.into()).ok()?;
    let mut streams = Vec::new();
    while streams.len() < STREAMS_MAX && !r.is_empty() {
        let (pid, codec) = read_stream(&mut r).ok()?;
        streams.extend(codec.map(|codec| (pid, codec)));
    }
    Some(streams)
}

fn read_stream(r: &mut Reader<'_>) -> Result<(u16, Option<Codec>), Short> {
    let kind = r.u8()?;
    let pid = r.u16()? & 0x1fff;
    let len = r.u16()? & 0x0fff;
    let descriptors = r.bytes(len.into())?;
    let is_opus = descriptors.windows(6).any(|d| d == [0x05, 4, b'O', b'p', b'u', b's']);
    let codec = match kind {
        stream_type::H264 => Some(Codec::H264),
        stream_type::HEVC => Some(Codec::Hevc),
        stream_type::AAC => Some(Codec::Aac),
        stream_type::MPEG1_AUDIO | stream_type::MPEG2_AUDIO => Some(Codec::Mp3),
        stream_type::PRIVATE if is_opus => Some(Codec::Opus),
        _ => None,
    };
    Ok((pid, codec))
}

/// The part of a checked section between its header and its checksum.
fn body(section: &[u8], table: u8) -> Option<Reader<'_>> {
    let section = section.get(..section_len(section)?)?;
    if section.first() != Some(&table) || crc32(section) != 0 {
        return None;
    }
    section.get(8..section.len().checked_sub(4)?).map(Reader::new)
}

/// Bytes of the section that begins here, once its header is there.
pub(crate) fn section_len(section: &[u8]) -> Option<usize> {
    let &[_, high, low, ..] = section else { return None };
    Some(3 + (usize::from(high & 0x0f) << 8 | usize::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_specification_s() {
        // A program association table as FFmpeg writes it.
        let pat =
            [0x00, 0xb0, 0x0d, 0x00, 0x01, 0xc1, 0x00, 0x00, 0x00, 0x01, 0xf0, 0x00, 0x2a, 0xb1, 0x04, 0xb2];
        assert_eq!(crc32(&pat), 0);
        assert_eq!(read_pat(&pat), Some(0x1000));
    }

    #[test]
    fn tables_are_read_back() {
        assert_eq!(read_pat(&pat()), Some(pid::PMT));
        let opus = Audio::Opus(opus::Config::plain(2));
        let streams = vec![(pid::VIDEO, Codec::Hevc), (pid::OPUS, Codec::Opus)];
        assert_eq!(read_pmt(&pmt(Some(Codec::Hevc), Some(&opus))), Some(streams));
        assert_eq!(read_pmt(&pmt(None, None)), Some(vec![]));
        let mut damaged = pmt(Some(Codec::H264), None);
        damaged[12] ^= 1;
        assert_eq!(read_pmt(&damaged), None);
    }
}
