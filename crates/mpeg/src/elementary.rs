//! Frames as elementary stream bytes: Annex B access units, ADTS frames, Opus access units.

use crate::pid;
use headwater_media::codec::nal::{START_CODE, length_prefixed};
use headwater_media::codec::{aac, avc, hevc, mp3, opus};
use headwater_media::{Codec, Kind};

/// Access unit delimiters that allow any slice type.
const AVC_AUD: [u8; 2] = [0x09, 0xf0];
const HEVC_AUD: [u8; 3] = [0x46, 0x01, 0x50];

/// A video track's configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Video {
    H264(avc::Config),
    Hevc(hevc::Config),
}

impl Video {
    pub(crate) fn codec(&self) -> Codec {
        match self {
            Video::H264(_) => Codec::H264,
            Video::Hevc(_) => Codec::Hevc,
        }
    }

    /// Appends an access unit: delimiter first, then parameter sets before a key picture that brings none itself.
    pub(crate) fn put(&self, kind: Kind, payload: &[u8], out: &mut Vec<u8>) {
        match self {
            Video::H264(config) => put_avc(config, kind, payload, out),
            Video::Hevc(config) => put_hevc(config, kind, payload, out),
        }
    }
}

fn put_avc(config: &avc::Config, kind: Kind, payload: &[u8], out: &mut Vec<u8>) {
    let units = || length_prefixed(payload, config.length_size);
    put_unit(units().find(|u| avc::nal_type(u) == avc::AUD).unwrap_or(&AVC_AUD), out);
    let (mut sps, mut pps) = (false, false);
    for unit in units() {
        sps |= avc::nal_type(unit) == avc::SPS;
        pps |= avc::nal_type(unit) == avc::PPS;
    }
    if kind == Kind::Key && !(sps && pps) {
        config.sps.iter().chain(&config.pps).for_each(|set| put_unit(set, out));
    }
    units().filter(|u| avc::nal_type(u) != avc::AUD).for_each(|u| put_unit(u, out));
}

fn put_hevc(config: &hevc::Config, kind: Kind, payload: &[u8], out: &mut Vec<u8>) {
    let units = || length_prefixed(payload, config.length_size);
    put_unit(units().find(|u| hevc::nal_type(u) == hevc::AUD).unwrap_or(&HEVC_AUD), out);
    let has = |wanted| units().any(|u| hevc::nal_type(u) == wanted);
    if kind == Kind::Key && !(has(hevc::VPS) && has(hevc::SPS) && has(hevc::PPS)) {
        config.parameter_sets().for_each(|set| put_unit(set, out));
    }
    units().filter(|u| hevc::nal_type(u) != hevc::AUD).for_each(|u| put_unit(u, out));
}

fn put_unit(unit: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&START_CODE);
    out.extend_from_slice(unit);
}

/// An audio track's configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Audio {
    Aac(aac::Config),
    Mp3(mp3::Header),
    Opus(opus::Config),
}

impl Audio {
    pub(crate) fn pid(&self) -> u16 {
        match self {
            Audio::Aac(_) => pid::AAC,
            Audio::Mp3(_) => pid::MP3,
            Audio::Opus(_) => pid::OPUS,
        }
    }

    /// Whether the program map of both is the same.
    pub(crate) fn is_like(&self, other: &Audio) -> bool {
        match (self, other) {
            (Audio::Aac(_), Audio::Aac(_)) => true,
            (Audio::Mp3(a), Audio::Mp3(b)) => a.mpeg1 == b.mpeg1,
            (Audio::Opus(a), Audio::Opus(b)) => a.channels == b.channels,
            _ => false,
        }
    }

    /// Appends a frame; false when its form cannot express it.
    pub(crate) fn put(&self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            Audio::Aac(config) => match config.adts_header(payload.len()) {
                Some(header) => out.extend_from_slice(&header),
                None => return false,
            },
            Audio::Mp3(_) => {}
            Audio::Opus(_) => put_opus_control(payload.len(), out),
        }
        out.extend_from_slice(payload);
        true
    }
}

/// `opus_control_header` without trimming: prefix, then the size in bytes of 255 and a last one.
fn put_opus_control(len: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x7f, 0xe0]);
    out.extend(std::iter::repeat_n(0xff, len / 255));
    out.push((len % 255) as u8);
}
