//! AAC as `MP4A-LATM` (RFC 6416): audioMuxElements (ISO/IEC 14496-3 1.7.3) whose StreamMuxConfig is in SDP. One program,
//! one layer. Configurations in band (`cpresent=1`) are not read.

use super::bits::Bits;
use crate::depacketize::{Assemble, Damage};
use bytes::{Bytes, BytesMut};
use headwater_media::codec::aac;
use headwater_media::{Kind, Reader};

/// Most bytes of an audioMuxElement: 64 frames of 8 KB.
const ELEMENT_MAX: usize = 512 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct Depacketizer {
    config: Option<Config>,
    told: bool,
    element: BytesMut,
}

/// What a StreamMuxConfig says.
#[derive(Clone, Debug)]
struct Config {
    /// AudioSpecificConfig.
    specific: Bytes,
    /// Frames of an element.
    frames: usize,
    /// Ticks from one frame to the next.
    step: u32,
}

impl Config {
    fn parse(stream_mux_config: &[u8]) -> Option<Config> {
        let mut r = Bits::new(stream_mux_config, "StreamMuxConfig");
        let version = r.bits(1).ok()?;
        let same_framing = r.flag().ok()?;
        let frames = r.bits(6).ok()? as usize + 1; // numSubFrames
        let (programs, layers) = (r.bits(4).ok()?, r.bits(3).ok()?);
        if version != 0 || !same_framing || programs != 0 || layers != 0 {
            return None;
        }
        let mut shifted = Vec::new();
        while r.position() < stream_mux_config.len() * 8 {
            let bits = (stream_mux_config.len() * 8 - r.position()).min(8);
            shifted.push((r.bits(bits).ok()? << (8 - bits)) as u8);
        }
        let specific = aac::Config::parse(&shifted).ok()?;
        let doubled = specific.output_rate() == 2 * specific.sample_rate;
        Some(Config { specific: specific.write(), frames, step: aac::FRAME_SAMPLES << u32::from(doubled) })
    }
}

impl Depacketizer {
    /// `config` is the StreamMuxConfig from SDP.
    pub(crate) fn new(config: Bytes) -> Depacketizer {
        Depacketizer { config: Config::parse(&config), told: false, element: BytesMut::new() }
    }
}

impl Assemble for Depacketizer {
    /// Nothing in a packet tells; the one after a marker does.
    fn begins(&self, _payload: &[u8], sure: bool) -> bool {
        !sure
    }

    fn push(&mut self, payload: &Bytes) -> Result<(), Damage> {
        if self.element.len() + payload.len() > ELEMENT_MAX {
            return Err(Damage::TooLarge);
        }
        self.element.extend_from_slice(payload);
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn FnMut(Kind, Bytes, u32)) -> Result<(), Damage> {
        let config = self.config.as_ref().ok_or(Damage::Unconfigured)?;
        if !std::mem::replace(&mut self.told, true) {
            out(Kind::Config, config.specific.clone(), 0);
        }
        let element = self.element.split().freeze();
        let mut r = Reader::new(&element);
        for at in 0..config.frames {
            let frame = read_frame(&mut r).ok_or(Damage::Malformed("audioMuxElement"))?;
            if !frame.is_empty() {
                out(Kind::Key, element.slice_ref(frame), at as u32 * config.step); // at most 64 frames
            }
        }
        if r.is_empty() { Ok(()) } else { Err(Damage::Malformed("audioMuxElement")) }
    }

    fn discard(&mut self) {
        self.element.clear();
    }
}

/// PayloadLengthInfo: bytes of 255 and a last one, added up; then the payload.
fn read_frame<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut len = 0;
    loop {
        let byte = r.u8().ok()?;
        len += usize::from(byte);
        if byte != 0xff {
            return r.bytes(len).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::hex;
    use crate::{Damage, Depacketizer, Event, Format, Incoming, Unit};
    use headwater_media::Kind;
    use headwater_media::codec::aac;

    /// AAC-LC, 48 kHz, stereo, two frames an element: version 0, same framing, numSubFrames 1, one program, one layer,
    /// then AudioSpecificConfig 1190 from bit 15 on, frameLengthType 0, buffer fullness ff, no more.
    const CONFIG: &str = "41 00 23 20 1f e0";

    fn push(config: &str, payloads: &[(u64, bool, &str)]) -> Vec<Event> {
        let mut depacketizer = Depacketizer::configured(Format::Latm, hex(config));
        let mut out = Vec::new();
        for &(sequence, marker, payload) in payloads {
            depacketizer.push(&Incoming { sequence, timestamp: 0, marker, payload: hex(payload) }, &mut out);
        }
        out
    }

    #[test]
    fn elements_of_two_frames() {
        let long = "bb".repeat(256);
        let element = format!("02 aaaa ff01 {long}");
        let (first, second) = element.split_at(21);
        let unit = |kind, payload, timestamp| Event::Unit(Unit { kind, payload, timestamp });
        let expected = [
            unit(Kind::Config, aac::Config::lc(48_000, 2).write(), 0),
            unit(Kind::Key, hex("aaaa"), 0),
            unit(Kind::Key, hex(&long), 1024),
        ];
        assert_eq!(push(CONFIG, &[(1, false, first), (2, true, second)]), expected);
    }

    #[test]
    fn what_is_broken_is_dropped() {
        let dropped = |why| [Event::Dropped { timestamp: 0, why }];
        let malformed = Damage::Malformed("audioMuxElement");
        assert_eq!(push(CONFIG, &[(1, true, "02 aaaa 05 bb")]), dropped(malformed));
        assert_eq!(push(CONFIG, &[(1, true, "01 aa 01 bb cc")]), dropped(malformed));
        assert_eq!(push("c1", &[(1, true, "01 aa")]), dropped(Damage::Unconfigured));
    }
}
