//! Opus (RFC 7587) and G.711 (RFC 3551 4.5.14): the packet is the frame.

use crate::depacketize::{Assemble, Damage};
use crate::packetize::PacketizeError;
use crate::payloads::Payloads;
use bytes::Bytes;
use headwater_media::{Kind, codec::opus};

pub(crate) fn put_opus(payload: &Bytes, mtu: usize, out: &mut Payloads) -> Result<(), PacketizeError> {
    if payload.len() > mtu {
        return Err(PacketizeError::TooLarge { what: "Opus packet", len: payload.len(), max: mtu });
    }
    let source = out.share(payload);
    out.piece(source, 0..payload.len());
    out.end(false, 0);
    Ok(())
}

/// A sample is a byte and a tick, so that sound may be cut anywhere.
pub(crate) fn put_g711(payload: &Bytes, mtu: usize, out: &mut Payloads) {
    let source = out.share(payload);
    for start in (0..payload.len()).step_by(mtu) {
        out.piece(source, start..payload.len().min(start + mtu));
        out.end(false, start as u32);
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Depacketizer {
    /// OpusHead, until it is given; empty for G.711.
    config: Bytes,
    frame: Bytes,
}

impl Depacketizer {
    /// Stereo unless SDP said otherwise: an Opus decoder gives what it is asked for, whatever was encoded (RFC 7587 7).
    pub(crate) fn opus(config: Bytes) -> Depacketizer {
        let config = if config.is_empty() { opus::Config::plain(2).write() } else { config };
        Depacketizer { config, frame: Bytes::new() }
    }

    pub(crate) fn g711() -> Depacketizer {
        Depacketizer { config: Bytes::new(), frame: Bytes::new() }
    }
}

impl Assemble for Depacketizer {
    fn begins(&self, _payload: &[u8], _sure: bool) -> bool {
        true
    }

    fn ends(&self, _payload: &[u8], _marker: bool) -> bool {
        true
    }

    fn push(&mut self, payload: &Bytes) -> Result<(), Damage> {
        self.frame = payload.clone();
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn FnMut(Kind, Bytes, u32)) -> Result<(), Damage> {
        if !self.config.is_empty() {
            out(Kind::Config, std::mem::take(&mut self.config), 0);
        }
        out(Kind::Key, std::mem::take(&mut self.frame), 0);
        Ok(())
    }

    fn discard(&mut self) {
        self.frame = Bytes::new();
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::hex;
    use crate::{Depacketizer, Event, Format, Incoming, Packetizer, Payloads, Unit};
    use headwater_media::codec::opus;
    use headwater_media::{Codec, Kind, Time};

    #[test]
    fn opus_after_a_loss_goes_on_at_once() {
        let mut depacketizer = Depacketizer::new(Format::Opus);
        let mut out = Vec::new();
        for sequence in [1, 3] {
            let timestamp = sequence as u32 * 960;
            depacketizer
                .push(&Incoming { sequence, timestamp, marker: false, payload: hex("fcaa") }, &mut out);
        }
        let unit = |kind, payload, timestamp| Event::Unit(Unit { kind, payload, timestamp });
        let expected = [
            unit(Kind::Config, opus::Config::plain(2).write(), 960),
            unit(Kind::Key, hex("fcaa"), 960),
            Event::Lost { packets: 1 },
            unit(Kind::Key, hex("fcaa"), 2880),
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn an_opus_packet_is_never_cut() {
        let unit = Unit { kind: Kind::Key, payload: vec![0xfc; 65].into(), timestamp: 0 };
        let frame = unit.into_frame(Codec::Opus, Time::ZERO);
        assert!(Packetizer::new(Format::Opus, 64).frame(&frame, &mut Payloads::default()).is_err());
    }
}
