//! A player that reports what arrives, asks for what is lost, and plays.

use super::program::Program;
use super::{FRAME, RTX, SOUND, VIDEO};
use crate::keys::Keys;
use crate::red;
use crate::srtp::{Opener, PacketOpener, Sealed, Sealer, pair};
use bytes::BytesMut;
use headwater_rtp::rtcp::{ReportBlock, Rtcp, TransportFeedback, parse};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the viewer has.
pub(super) struct Viewer {
    program: Program,
    sealer: Sealer,
    opener: Opener,
    packets: PacketOpener,
    arrivals: Vec<(u16, u64)>,
    reported: u16,
    newest: Option<u16>,
    /// Lost packets of pictures: since when, and when they were asked for last.
    missing: BTreeMap<u16, (u64, u64)>,
    counted: (u32, u32),
    last_report: Option<(u32, u64)>,
    pictures: BTreeMap<u64, BTreeSet<u16>>,
    decoded: BTreeSet<u64>,
    /// When pictures were shown.
    pub(super) shown: Vec<u64>,
    /// When each sound came first.
    heard: BTreeMap<u64, u64>,
}

impl Viewer {
    /// With the keys of its side.
    pub(super) fn new(program: Program, keys: &Keys) -> Viewer {
        let (sealer, opener) = pair(keys).unwrap();
        Viewer {
            program,
            sealer,
            opener,
            packets: PacketOpener::new(keys).unwrap(),
            arrivals: Vec::new(),
            reported: 0,
            newest: None,
            missing: BTreeMap::new(),
            counted: (0, 0),
            last_report: None,
            pictures: BTreeMap::new(),
            decoded: BTreeSet::new(),
            shown: Vec::new(),
            heard: BTreeMap::new(),
        }
    }

    /// Takes what arrives, with its transport-wide number if it is no report.
    pub(super) fn take(&mut self, now: u64, transport: Option<u16>, datagram: &[u8]) {
        let Some(transport) = transport else { return self.reported(now, datagram) };
        self.arrivals.push((transport, now));
        let half = |at: usize| u16::from_be_bytes([datagram[at], datagram[at + 1]]);
        let word = |at: usize| u32::from(half(at)) << 16 | u32::from(half(at + 2));
        let (sequence, time, ssrc) = (half(2), word(4), word(8));
        match ssrc {
            SOUND => {
                let n = u64::from(time / 960);
                self.heard.entry(n).or_insert(now);
                if datagram[1] & 0x7f == red::OPUS && n > 0 {
                    self.heard.entry(n - 1).or_insert(now);
                }
            }
            VIDEO => {
                self.noted(now, sequence);
                self.picture(now, u64::from(time / 3600), sequence);
            }
            RTX => {
                let header = 16 + usize::from(half(14)) * 4;
                let mut payload = BytesMut::new();
                self.packets.open(Sealed { packet: datagram, header, ssrc, sequence }, &mut payload).unwrap();
                let own = u16::from_be_bytes([payload[0], payload[1]]);
                self.missing.remove(&own);
                self.picture(now, u64::from(time / 3600), own);
            }
            _ => panic!("{ssrc}"),
        }
    }

    fn noted(&mut self, now: u64, sequence: u16) {
        let newest = self.newest.unwrap_or(sequence.wrapping_sub(1));
        let step = sequence.wrapping_sub(newest);
        if step > 0x8000 {
            self.missing.remove(&sequence);
            return;
        }
        self.counted.0 += u32::from(step.saturating_sub(1));
        self.counted.1 += 1;
        (1..step).for_each(|n| _ = self.missing.insert(newest.wrapping_add(n), (now, 0)));
        self.newest = Some(sequence);
    }

    fn picture(&mut self, now: u64, n: u64, sequence: u16) {
        self.pictures.entry(n).or_default().insert(sequence);
        let whole = |viewer: &Viewer, n: u64| {
            viewer.pictures.get(&n).is_some_and(|came| came.len() == viewer.program.size(n).div_ceil(1200))
        };
        for n in n.. {
            let known = self.program.before(n).is_none_or(|before| self.decoded.contains(&before));
            let late = self.decoded.last().is_some_and(|&last| last >= n);
            if !known || late || !whole(self, n) {
                // What nothing refers to may be missing.
                if self.program.is_disposable(n) && known && !late {
                    continue;
                }
                return;
            }
            self.decoded.insert(n);
            self.shown.push(now);
        }
    }

    fn reported(&mut self, now: u64, datagram: &[u8]) {
        let mut opened = Vec::new();
        self.opener.rtcp(datagram, &mut opened).unwrap();
        for packet in parse(&opened).map_while(Result::ok) {
            if let Rtcp::SenderReport { ssrc: VIDEO, info, .. } = packet {
                self.last_report = Some(((info.ntp >> 16) as u32, now));
            }
        }
    }

    fn say(&mut self, packets: &[Rtcp]) -> Vec<u8> {
        let mut out = Vec::new();
        packets.iter().for_each(|packet| packet.put(&mut out));
        self.sealer.rtcp(&mut out, 0).unwrap();
        out
    }

    /// Tells what arrived since the last time.
    pub(super) fn feedback(&mut self, now: u64) -> Option<Vec<u8>> {
        let reference = (now / 64_000) as i32 - 100;
        let base = self.reported;
        let (mut last, mut steps) = (i64::from(reference) * 64_000, Vec::new());
        for (number, at) in std::mem::take(&mut self.arrivals) {
            steps.resize(usize::from(number.wrapping_sub(base)), None);
            let step = (at as i64 - last) / 250 * 250;
            last += step;
            steps.push(Some(step as i32));
            self.reported = number.wrapping_add(1);
        }
        let (sender, media, count) = (9, VIDEO, 0);
        let feedback = TransportFeedback { sender, media, count, reference, base, arrivals: steps };
        (!feedback.arrivals.is_empty()).then(|| self.say(&[Rtcp::TransportFeedback(feedback)]))
    }

    /// A receiver report.
    pub(super) fn report(&mut self, now: u64) -> Option<Vec<u8>> {
        let (lost, came) = std::mem::take(&mut self.counted);
        let (last_report, delay) =
            self.last_report.map_or((0, 0), |(middle, at)| (middle, (((now - at) << 16) / 1_000_000) as u32));
        let fraction_lost = (lost * 255 / (lost + came).max(1)) as u8;
        let block = ReportBlock { ssrc: VIDEO, fraction_lost, last_report, delay, ..ReportBlock::default() };
        Some(self.say(&[Rtcp::ReceiverReport { ssrc: 9, blocks: vec![block] }]))
    }

    /// Asks for what is lost, again after 100 ms, for a second.
    pub(super) fn ask(&mut self, now: u64) -> Option<Vec<u8>> {
        self.missing.retain(|_, (since, _)| now - *since < 1_000_000);
        let due = self.missing.iter_mut().filter(|(_, (_, asked))| now - *asked >= 100_000);
        let mut lost = Vec::new();
        due.for_each(|(number, (_, asked))| {
            *asked = now;
            lost.push(*number);
        });
        (!lost.is_empty()).then(|| self.say(&[Rtcp::Nack { sender: 9, media: VIDEO, lost }]))
    }

    /// Milliseconds of sound made up, of those made within a span: a player that waits for what is late, and slowly
    /// catches up when nothing is.
    pub(super) fn made_up(&self, from: u64, to: u64) -> u64 {
        let (mut behind, mut recent, mut made_up) = (80_000u64, VecDeque::new(), 0);
        for n in from.saturating_sub(2_000_000) / FRAME..to / FRAME {
            let counts = n * FRAME >= from;
            let Some(late) = self.heard.get(&n).map(|at| at - n * FRAME) else {
                made_up += if counts { FRAME } else { 0 };
                continue;
            };
            made_up += if counts { late.saturating_sub(behind) } else { 0 };
            recent.push_back(late);
            if recent.len() > 100 {
                recent.pop_front();
            }
            let wanted = recent.iter().copied().max().unwrap() + 20_000;
            behind = behind.max(late);
            behind -= behind.saturating_sub(wanted).min(1000);
        }
        made_up / 1000
    }
}
