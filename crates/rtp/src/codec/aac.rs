//! AAC as `mpeg4-generic` in mode `AAC-hbr` (RFC 3640 3.3.6): sizes of 13 bits, indices of 3, no interleaving.

use crate::depacketize::{Assemble, Damage};
use crate::packetize::PacketizeError;
use crate::payloads::Payloads;
use bytes::{Bytes, BytesMut};
use headwater_media::codec::aac;
use headwater_media::{Kind, Reader, Short};

/// Largest access unit that 13 bits can size.
const UNIT_MAX: usize = (1 << 13) - 1;
/// Bytes before an access unit: the headers' length, one header.
const HEAD: usize = 4;
/// Most access units in one packet: more than fit in practice.
const UNITS_MAX: usize = 64;

/// One access unit: one packet, or fragments if it is too large for one.
pub(crate) fn put(payload: &Bytes, mtu: usize, out: &mut Payloads) -> Result<(), PacketizeError> {
    if payload.len() > UNIT_MAX {
        return Err(PacketizeError::TooLarge { what: "AAC frame", len: payload.len(), max: UNIT_MAX });
    }
    let [high, low] = ((payload.len() as u16) << 3).to_be_bytes(); // AU-size, AU-Index 0
    let source = out.share(payload);
    for start in (0..payload.len()).step_by(mtu - HEAD) {
        let end = payload.len().min(start + mtu - HEAD);
        out.head(&[0, 16, high, low]); // AU-headers-length in bits
        out.piece(source, start..end);
        out.end(end == payload.len(), 0);
    }
    Ok(())
}

/// The sizes that a packet's headers tell, and what follows them.
fn read(payload: &[u8]) -> Result<(impl Iterator<Item = (usize, u8)>, &[u8]), Short> {
    let mut r = Reader::new(payload);
    let bits = usize::from(r.u16()?);
    let headers = r.bytes(bits.div_ceil(8))?.as_chunks::<2>().0;
    let sizes = headers.iter().map(|&header| {
        let header = u16::from_be_bytes(header);
        (usize::from(header >> 3), header as u8 & 0x07)
    });
    Ok((sizes, r.rest()))
}

/// Whether a packet holds whole access units, not a fragment of one.
fn is_whole(payload: &[u8]) -> bool {
    read(payload).is_ok_and(|(mut sizes, data)| sizes.next().is_some_and(|(size, _)| size <= data.len()))
}

#[derive(Clone, Debug)]
pub(crate) struct Depacketizer {
    /// AudioSpecificConfig, until it is given.
    config: Bytes,
    configured: bool,
    /// Ticks from one access unit to the next.
    step: u32,
    units: Vec<Bytes>,
    /// An access unit in fragments: its size and what came of it.
    fragments: Option<(usize, BytesMut)>,
}

impl Depacketizer {
    pub(crate) fn new(config: Bytes) -> Depacketizer {
        // With SBR the clock runs at the output rate, which is twice the core's.
        let doubled = aac::Config::parse(&config).is_ok_and(|c| c.output_rate() == 2 * c.sample_rate);
        let step = aac::FRAME_SAMPLES << u32::from(doubled);
        Depacketizer { configured: !config.is_empty(), config, step, units: Vec::new(), fragments: None }
    }

    fn fragment(&mut self, size: usize, data: &[u8]) -> Result<(), Damage> {
        let (whole, fragments) = self.fragments.get_or_insert_with(|| (size, BytesMut::new()));
        if *whole != size || fragments.len() + data.len() > size || !self.units.is_empty() {
            return Err(Damage::Malformed("AAC fragment"));
        }
        fragments.extend_from_slice(data);
        Ok(())
    }
}

impl Assemble for Depacketizer {
    fn begins(&self, payload: &[u8], sure: bool) -> bool {
        !sure || is_whole(payload)
    }

    fn ends(&self, payload: &[u8], marker: bool) -> bool {
        marker || is_whole(payload)
    }

    fn push(&mut self, payload: &Bytes) -> Result<(), Damage> {
        let (sizes, mut data) = read(payload).map_err(|_| Damage::Malformed("AU header section"))?;
        for (at, (size, index)) in sizes.enumerate() {
            if index != 0 || at == UNITS_MAX {
                return Err(Damage::Unsupported("interleaving of AAC"));
            }
            match data.split_at_checked(size) {
                Some((unit, rest)) if self.fragments.is_none() => {
                    self.units.push(payload.slice_ref(unit));
                    data = rest;
                }
                _ => return self.fragment(size, data),
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn FnMut(Kind, Bytes, u32)) -> Result<(), Damage> {
        if !self.configured {
            return Err(Damage::Unconfigured);
        }
        if let Some((size, fragments)) = self.fragments.take() {
            if fragments.len() != size {
                return Err(Damage::Malformed("AAC fragment"));
            }
            self.units.push(fragments.freeze());
        }
        if !self.config.is_empty() {
            out(Kind::Config, std::mem::take(&mut self.config), 0);
        }
        for (at, unit) in self.units.drain(..).enumerate().filter(|(_, unit)| !unit.is_empty()) {
            out(Kind::Key, unit, at as u32 * self.step); // at most UNITS_MAX
        }
        Ok(())
    }

    fn discard(&mut self) {
        self.units.clear();
        self.fragments = None;
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::hex;
    use crate::{Damage, Depacketizer, Event, Format, Incoming, Unit};
    use headwater_media::Kind;
    use headwater_media::codec::aac;

    fn push(payloads: &[(u64, u32, bool, &str)]) -> Vec<Event> {
        let mut depacketizer = Depacketizer::configured(Format::Aac, aac::Config::lc(44_100, 2).write());
        let mut out = Vec::new();
        for &(sequence, timestamp, marker, payload) in payloads {
            depacketizer.push(&Incoming { sequence, timestamp, marker, payload: hex(payload) }, &mut out);
        }
        out
    }

    fn sound(payload: &str, timestamp: u32) -> Event {
        Event::Unit(Unit { kind: Kind::Key, payload: hex(payload), timestamp })
    }

    #[test]
    fn several_access_units_in_a_packet() {
        // AU-headers-length 32 bits; sizes 2 and 1, index and index-delta 0 (RFC 3640 3.2.1, 3.3.6).
        let out = push(&[(1, 500, true, "0020 0010 0008 aabb cc")]);
        assert!(matches!(&out[0], Event::Unit(unit) if unit.kind == Kind::Config));
        assert_eq!(out[1..], [sound("aabb", 500), sound("cc", 1524)]);
    }

    #[test]
    fn a_fragmented_access_unit() {
        let fragments =
            [(1, 0, false, "0010 0018 aa"), (2, 0, false, "0010 0018 bb"), (3, 0, true, "0010 0018 cc")];
        assert_eq!(push(&fragments)[1..], [sound("aabbcc", 0)]);
        let dropped = |why| Event::Dropped { timestamp: 0, why };
        assert_eq!(
            push(&[fragments[0], fragments[2]]),
            [Event::Lost { packets: 1 }, dropped(Damage::Missing)]
        );
        assert_eq!(
            push(&fragments[1..]),
            [dropped(Damage::Malformed("AAC fragment"))],
            "joined in the middle"
        );
        let next = (5, 1024, true, "0010 0008 dd");
        let lost = [(0, 0, true, "0010 0008 dd"), fragments[1], fragments[2], next];
        let out = push(&lost);
        let expected = [Event::Lost { packets: 1 }, dropped(Damage::Missing), Event::Lost { packets: 1 }];
        assert_eq!(out[2..5], expected);
        assert_eq!(out[5..], [sound("dd", 1024)]);
    }

    #[test]
    fn interleaving_is_not_spoken() {
        let out = push(&[(1, 0, true, "0010 0009 aa // AU-Index 1")]);
        let why = Damage::Unsupported("interleaving of AAC");
        assert_eq!(out, [Event::Dropped { timestamp: 0, why }]);
    }
}
