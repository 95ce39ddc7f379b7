//! One source of a publisher's packets: what came, what is to be asked for, what is counted.

use super::missing::{Came, Missing};
use super::sections::{KeyFrames, Section};
use crate::sender::Counts;
use headwater_media::Time;
use headwater_rtp::rtcp::{ReportBlock, Rtcp};
use headwater_rtp::{Header, Reception};
use std::time::{Duration, Instant};

/// Shortest time between two requests for key frames.
const KEY_FRAME_REST: Duration = Duration::from_millis(100);

/// Most numbers in one NACK: 4 bytes each at worst.
const NACK_MAX: usize = 250;

/// Ticks a second where nothing was agreed on.
const CLOCK_RATE: u32 = 90_000;

/// What a sender report ties together (RFC 3550 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SenderClock {
    /// The sender's wall clock: 32.32 fixed point, seconds since 1900.
    pub(crate) ntp: u64,
    /// The RTP time of the same moment.
    pub(crate) timestamp: u32,
}

/// Packets under one SSRC.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) ssrc: u32,
    /// SSRC of packets sent again, once it is known.
    pub(crate) rtx: Option<u32>,
    /// Which section it belongs to.
    pub(crate) section: usize,
    /// Which of the section's layers it is.
    pub(crate) layer: Option<usize>,
    nack: bool,
    key_frames: Option<KeyFrames>,
    reception: Reception,
    missing: Missing,
    /// A key frame is to be asked for, and when one was.
    wanted: bool,
    asked: Option<Instant>,
    firs: u8,
    /// Whether something came since the last report.
    fresh: bool,
    clock: Option<SenderClock>,
    counts: Counts,
}

impl Source {
    pub(super) fn new(
        header: &Header,
        section: (usize, &Section),
        layer: Option<usize>,
        rtx: Option<u32>,
    ) -> Source {
        let (at, terms) = section;
        let rate = terms.payload_type(header.payload_type).map_or(CLOCK_RATE, |known| known.clock_rate);
        Source {
            ssrc: header.ssrc,
            rtx,
            section: at,
            layer,
            nack: terms.nack,
            key_frames: terms.key_frames,
            reception: Reception::new(rate),
            missing: Missing::default(),
            wanted: false,
            asked: None,
            firs: 0,
            fresh: false,
            clock: None,
            counts: Counts::default(),
        }
    }

    /// A packet of the source itself came; whether it was asked for.
    pub(super) fn came(&mut self, now: Instant, since: Time, header: &Header, bytes: usize) -> bool {
        self.reception.packet(header.sequence, header.timestamp, since);
        self.fresh = true;
        self.counts.packets += 1;
        self.counts.bytes += bytes as u64;
        self.numbered(now, header.sequence, false)
    }

    /// A packet came that was sent again with a number of its own; `sequence` is what it was first.
    pub(super) fn came_again(&mut self, now: Instant, sequence: u16, bytes: usize) {
        self.counts.bytes += bytes as u64;
        self.numbered(now, sequence, true);
    }

    fn numbered(&mut self, now: Instant, sequence: u16, again: bool) -> bool {
        if !self.nack {
            return false;
        }
        let came = self.missing.came(now, sequence, again);
        self.wanted |= came == Came::Hopeless && self.key_frames.is_some();
        self.counts.resent += u64::from(came == Came::Asked);
        came == Came::Asked
    }

    /// A sender report came.
    pub(super) fn reported(&mut self, clock: SenderClock, since: Time) {
        self.reception.sender_report(clock.ntp, since);
        self.clock = Some(clock);
    }

    /// What the newest sender report said.
    pub(crate) fn clock(&self) -> Option<SenderClock> {
        self.clock
    }

    /// Has a key frame asked for, if that was agreed on.
    pub(super) fn want_key_frame(&mut self) {
        self.wanted |= self.key_frames.is_some();
    }

    /// When something is to be asked for, if `now` is at or after the last time.
    pub(super) fn due(&self, began: Instant) -> Option<Instant> {
        let key_frame = self.wanted.then(|| self.asked.map_or(began, |asked| asked + KEY_FRAME_REST));
        [self.missing.due(), key_frame].into_iter().flatten().min()
    }

    /// What is to be asked for now, by `sender`.
    pub(super) fn ask(&mut self, now: Instant, sender: u32, out: &mut Vec<Rtcp>) {
        let mut lost = Vec::new();
        self.missing.ask(now, &mut lost);
        for lost in lost.chunks(NACK_MAX) {
            out.push(Rtcp::Nack { sender, media: self.ssrc, lost: lost.to_vec() });
            self.counts.nacks += 1;
        }
        let rested = self.asked.is_none_or(|asked| now >= asked + KEY_FRAME_REST);
        if let Some(how) = self.key_frames.filter(|_| self.wanted && rested) {
            (self.wanted, self.asked) = (false, Some(now));
            out.push(self.ask_key_frame(how, sender));
        }
    }

    fn ask_key_frame(&mut self, how: KeyFrames, sender: u32) -> Rtcp {
        match how {
            KeyFrames::Pli => {
                self.counts.plis += 1;
                Rtcp::Pli { sender, media: self.ssrc }
            }
            KeyFrames::Fir => {
                self.counts.firs += 1;
                self.firs = self.firs.wrapping_add(1);
                Rtcp::Fir { sender, requests: vec![(self.ssrc, self.firs)] }
            }
        }
    }

    /// What a receiver report says of it, if anything came since the last one.
    pub(super) fn block(&mut self, since: Time) -> Option<ReportBlock> {
        if !std::mem::take(&mut self.fresh) {
            return None;
        }
        let block = self.reception.block(self.ssrc, since);
        (self.counts.lost, self.counts.jitter) = (Some(block.fraction_lost), Some(block.jitter));
        Some(block)
    }

    /// From asking for a packet to its coming, if that happened.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.missing.rtt()
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> Counts {
        let missing = u64::try_from(self.reception.lost()).unwrap_or(0); // below zero with duplicates
        Counts { missing, ..self.counts }
    }
}
