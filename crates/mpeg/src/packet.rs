use crate::{CLOCK, PACKET, SYNC, WRAP};
use bytes::{BufMut, BytesMut};
use headwater_media::Time;

/// Bytes of a packet after its header.
const BODY: usize = PACKET - 4;

/// Adaptation field with flags only: its length and the flags.
const FLAGS_ONLY: usize = 2;

/// Adaptation field with a clock reference.
const WITH_PCR: usize = 8;

/// One PID's place in the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pid {
    pub(crate) pid: u16,
    /// Continuity counter of the next packet with payload.
    pub(crate) counter: u8,
}

impl Pid {
    pub(crate) fn new(pid: u16) -> Pid {
        Pid { pid, counter: 0 }
    }

    fn step(&mut self) -> u8 {
        let counter = self.counter;
        self.counter = (counter + 1) & 0x0f;
        counter
    }

    /// Cuts one PES packet into transport packets; the last one is filled up by its adaptation field.
    pub(crate) fn write_pes(
        &mut self,
        pes: &[u8],
        pcr: Option<Time>,
        random_access: bool,
        out: &mut BytesMut,
    ) {
        out.reserve((pes.len() / BODY + 2) * PACKET);
        let mut rest = pes;
        let mut first = true;
        while !rest.is_empty() {
            let pcr = pcr.filter(|_| first);
            let flagged = first && random_access;
            let wanted = match (pcr, flagged) {
                (Some(_), _) => WITH_PCR,
                (None, true) => FLAGS_ONLY,
                (None, false) => 0,
            };
            let (payload, tail) = rest.split_at(rest.len().min(BODY - wanted));
            self.header(first, payload.len() < BODY, out);
            adaptation_field(BODY - payload.len(), pcr, flagged, out);
            out.put_slice(payload);
            rest = tail;
            first = false;
        }
    }

    /// A packet with a clock reference and no payload. It repeats the counter of the last packet with payload.
    pub(crate) fn write_pcr(&mut self, pcr: Time, out: &mut BytesMut) {
        let [high, low] = self.pid.to_be_bytes();
        out.put_slice(&[SYNC, high & 0x1f, low, 0x20 | (self.counter.wrapping_sub(1) & 0x0f)]);
        adaptation_field(BODY, Some(pcr), false, out);
    }

    /// A section that fits one packet (ISO/IEC 13818-1 2.4.4), after a zero pointer field.
    pub(crate) fn write_section(&mut self, section: &[u8], out: &mut BytesMut) {
        let end = out.len() + PACKET;
        self.header(true, false, out);
        out.put_u8(0);
        out.put_slice(section);
        out.resize(end, 0xff);
    }

    fn header(&mut self, start: bool, adaptation: bool, out: &mut BytesMut) {
        let [high, low] = self.pid.to_be_bytes();
        let control = if adaptation { 0x30 } else { 0x10 };
        out.put_slice(&[SYNC, u8::from(start) << 6 | high & 0x1f, low, control | self.step()]);
    }
}

/// An adaptation field of `len` bytes in all (ISO/IEC 13818-1 2.4.3.4); none when `len` is 0.
fn adaptation_field(len: usize, pcr: Option<Time>, random_access: bool, out: &mut BytesMut) {
    let Some(after_length) = len.checked_sub(1) else { return };
    let end = out.len() + len;
    out.put_u8(after_length as u8); // at most 183
    if after_length > 0 {
        out.put_u8(u8::from(random_access) << 6 | u8::from(pcr.is_some()) << 4);
        if let Some(pcr) = pcr {
            put_pcr(pcr, out);
        }
    }
    out.resize(end, 0xff);
}

/// 33 bits of 90 kHz, six reserved bits, nine bits of 27 MHz that we leave 0.
fn put_pcr(pcr: Time, out: &mut BytesMut) {
    let base = ticks(pcr);
    out.put_u32((base >> 1) as u32);
    out.put_slice(&[((base & 1) as u8) << 7 | 0x7e, 0]);
}

/// 90 kHz ticks, wrapped to 33 bits.
pub(crate) fn ticks(time: Time) -> u64 {
    time.ticks(CLOCK).rem_euclid(WRAP) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_filled_exactly() {
        for len in (1..600).chain([65_535]) {
            for (pcr, key) in [(None, false), (None, true), (Some(Time::ZERO), true)] {
                let mut out = BytesMut::new();
                Pid::new(0x100).write_pes(&vec![0xaa; len], pcr, key, &mut out);
                assert_eq!(out.len() % PACKET, 0, "{len}");
                assert!(out.chunks(PACKET).all(|p| p[0] == SYNC));
                let payload: usize = out.chunks(PACKET).map(payload_len).sum();
                assert_eq!(payload, len);
            }
        }
    }

    fn payload_len(packet: &[u8]) -> usize {
        if packet[3] & 0x20 == 0 { BODY } else { BODY - 1 - usize::from(packet[4]) }
    }

    #[test]
    fn the_clock_reference_wraps() {
        let mut out = BytesMut::new();
        put_pcr(Time::from_ticks((1 << 33) + 3, CLOCK), &mut out);
        assert_eq!(&out[..], [0, 0, 0, 1, 0x80 | 0x7e, 0]);
    }
}
