//! What a receiver reports of a source (RFC 3550 6.4.1, A.3, A.8).

use crate::rtcp::ReportBlock;
use crate::sequence::Sequence;
use headwater_media::Time;

/// Counts a source's packets for receiver reports.
#[derive(Clone, Debug)]
pub struct Reception {
    rate: u32,
    sequence: Sequence,
    /// Extended numbers of the first and the highest packet.
    first: Option<u64>,
    highest: u64,
    received: u64,
    /// Expected and received at the last report.
    prior: (u64, u64),
    /// Interarrival jitter in ticks, times 16.
    jitter: u64,
    /// Arrival minus timestamp of the last packet, in ticks.
    transit: Option<i32>,
    /// The last sender report: the middle 32 bits of its NTP time, and when it came.
    report: Option<(u32, Time)>,
}

impl Reception {
    /// Of a source whose timestamps count `rate` ticks a second.
    pub fn new(rate: u32) -> Reception {
        Reception {
            rate,
            sequence: Sequence::default(),
            first: None,
            highest: 0,
            received: 0,
            prior: (0, 0),
            jitter: 0,
            transit: None,
            report: None,
        }
    }

    /// A packet came at `now`. Duplicates count, as RFC 3550 wants.
    pub fn packet(&mut self, sequence: u16, timestamp: u32, now: Time) {
        let extended = self.sequence.extend(sequence);
        self.first = Some(self.first.map_or(extended, |first| first.min(extended)));
        self.highest = self.highest.max(extended);
        self.received += 1;
        let transit = (now.ticks(self.rate) as u32).wrapping_sub(timestamp) as i32; // modulo 2^32, as timestamps are
        if let Some(last) = self.transit.replace(transit) {
            let difference = u64::from(transit.wrapping_sub(last).unsigned_abs());
            self.jitter = (self.jitter + difference).saturating_sub((self.jitter + 8) >> 4);
        }
    }

    /// A sender report came at `now`, with this NTP time.
    pub fn sender_report(&mut self, ntp: u64, now: Time) {
        self.report = Some(((ntp >> 16) as u32, now));
    }

    /// Packets that never came, less duplicates; since the first one.
    pub fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }

    /// Interarrival jitter.
    pub fn jitter(&self) -> Time {
        Time::from_ticks((self.jitter >> 4) as i64, self.rate)
    }

    fn expected(&self) -> u64 {
        self.first.map_or(0, |first| self.highest - first + 1)
    }

    /// The report about `ssrc`; the loss fraction counts from the report before.
    pub fn block(&mut self, ssrc: u32, now: Time) -> ReportBlock {
        let (expected, received) = (self.expected(), self.received);
        let (since, came) = (expected - self.prior.0, received - self.prior.1);
        self.prior = (expected, received);
        let missing = since.saturating_sub(came);
        let fraction = (missing << 8).checked_div(since).unwrap_or_default().min(255);
        let (last_report, delay) = self.report.map_or((0, 0), |(middle, came)| {
            (middle, (now - came).ticks(65_536).clamp(0, u32::MAX.into()) as u32)
        });
        ReportBlock {
            ssrc,
            fraction_lost: fraction as u8,
            lost: self.lost().clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: self.highest.wrapping_sub(1 << 16) as u32,
            jitter: (self.jitter >> 4).min(u32::MAX.into()) as u32,
            last_report,
            delay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: i64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn loss_jitter_and_delay() {
        let mut reception = Reception::new(8000);
        for n in [0xfffeu16, 0xffff, 1, 2] {
            let at = i64::from(n.wrapping_add(2)) * 20;
            reception.packet(n, (at * 8) as u32, ms(at));
        }
        reception.sender_report(0x0123_4567_89ab_cdef, ms(100));
        let block = reception.block(7, ms(600));
        let expected = ReportBlock {
            ssrc: 7,
            fraction_lost: 51, // 1 of 5, in 256ths
            lost: 1,
            highest: 0x1_0002,
            jitter: 0,
            last_report: 0x4567_89ab,
            delay: 32_768, // half a second in 65,536ths
        };
        assert_eq!(block, expected);
        reception.packet(3, 800, ms(120));
        let block = reception.block(7, ms(700));
        assert_eq!((block.fraction_lost, block.lost), (0, 1), "the fraction is of the interval");
        assert_eq!(block.jitter, 10, "20 ms late once: 160 ticks / 16");
    }

    #[test]
    fn nothing_came() {
        let block = Reception::new(90_000).block(7, ms(0));
        assert_eq!((block.fraction_lost, block.lost, block.last_report), (0, 0, 0));
    }
}
