//! A publisher's RTP: opened, told apart by source, asked for again where it is missing, and reported on.
//!
//! The mirror of [`crate::sender`]. A payload is opened straight from the socket's buffer into the memory in which it
//! stays: chunks from which payloads are cut, so that a packet allocates nothing. Not here: order, and what the
//! payloads are ([`crate::ingest`]).

mod feedback;
mod missing;
mod sections;
mod source;

pub(crate) use sections::Section;
#[cfg(test)]
use sections::{KeyFrames, PayloadType};
pub(crate) use source::{SenderClock, Source};

use crate::agreement::Extensions;
use crate::batch::Batch;
use crate::keys::Keys;
use crate::srtp::{self, Opener, PacketOpener, Sealed, Sealer};
use bytes::{Buf, Bytes, BytesMut};
use feedback::Arrivals;
use headwater_media::Time;
use headwater_rtp::rtcp::{self, CNAME, Chunk, Rtcp};
use headwater_rtp::{Head, Header, is_rtcp};
use sections::{Marks, place};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Between two receiver reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Sources that a publisher may have: packets of more are left.
const SOURCES_MAX: usize = 16;

/// Bytes in which payloads are put one behind the other. A payload that is kept keeps all of them: sound, which is kept
/// as it comes, has chunks of its own, so that it does not keep pictures.
const CHUNK: usize = 32 * 1024;
const CHUNK_OF_SMALL: usize = 8 * 1024;

/// Datagrams up to this size count as sound.
const SMALL_MAX: usize = 400;

/// Bytes of reports that leave in one datagram, before they are sealed; one report has at most 1,100.
const REPORTS_MAX: usize = 1150;

/// What a datagram was.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A packet, without what it had for a number and type when it was sent again.
    Packet {
        /// By which [`Receiver::source`] tells more.
        source: usize,
        payload_type: u8,
        sequence: u16,
        timestamp: u32,
        marker: bool,
        /// Empty where only the number is of use: padding.
        payload: Bytes,
        /// Whether it was sent again.
        #[cfg_attr(not(test), expect(dead_code, reason = "elsewhere a source's counts tell how many were"))]
        again: bool,
    },
    /// A sender report. One that came before the source's first packet is told by [`Source::clock`] alone.
    Report { source: usize, clock: SenderClock },
}

/// A publisher's receiving side, once DTLS is through.
#[derive(Debug)]
pub(crate) struct Receiver {
    packets: PacketOpener,
    opener: Opener,
    sealer: Sealer,
    sections: Vec<Section>,
    extensions: Extensions,
    sources: Vec<Source>,
    /// Whoever reports: we.
    ssrc: u32,
    cname: Box<str>,
    began: Instant,
    /// Where payloads are put, and small ones.
    chunk: BytesMut,
    chunk_of_small: BytesMut,
    /// Where RTCP is opened; its room is used again, as is that of reports.
    opened: Vec<u8>,
    reports: Vec<Rtcp>,
    /// Arrivals, if the other side wants to know of them, and whose packet came last.
    arrivals: Option<Arrivals>,
    media: u32,
    next_report: Option<Instant>,
    /// Sender reports of sources of which no packet came yet, at most [`SOURCES_MAX`]: the oldest goes.
    early: VecDeque<Early>,
    left: u64,
}

/// A sender report that came before its source's first packet, as the very first one often does.
#[derive(Clone, Copy, Debug)]
struct Early {
    ssrc: u32,
    clock: SenderClock,
    since: Time,
}

impl Receiver {
    /// A receiver of what was agreed on, under `keys`; `cname` is ours. `None` for a profile of SRTP that is not ours.
    pub(crate) fn new(keys: &Keys, sections: Vec<Section>, cname: &str, now: Instant) -> Option<Receiver> {
        let (sealer, opener) = srtp::pair(keys)?;
        let told = sections.iter().any(|section| section.transport_feedback);
        Some(Receiver {
            packets: PacketOpener::new(keys)?,
            opener,
            sealer,
            extensions: Extensions::together(&sections),
            sections,
            sources: Vec::new(),
            ssrc: rand::random(),
            cname: cname.into(),
            began: now,
            chunk: BytesMut::new(),
            chunk_of_small: BytesMut::new(),
            opened: Vec::new(),
            reports: Vec::new(),
            arrivals: told.then(|| Arrivals::new(now)),
            media: 0,
            next_report: None,
            early: VecDeque::new(),
            left: 0,
        })
    }

    /// Takes a datagram of SRTP or SRTCP and adds what it was to `heard`. What nobody can have sealed is left.
    pub(crate) fn receive(&mut self, now: Instant, datagram: &[u8], heard: &mut Vec<Heard>) {
        if is_rtcp(datagram) {
            self.take_reports(now, datagram, heard);
        } else {
            heard.extend(self.packet(now, datagram));
        }
    }

    fn packet(&mut self, now: Instant, datagram: &[u8]) -> Option<Heard> {
        let head = Head::parse(datagram).ok()?;
        let header = head.header;
        let (chunk, size) = match datagram.len() {
            ..=SMALL_MAX => (&mut self.chunk_of_small, CHUNK_OF_SMALL),
            large => (&mut self.chunk, CHUNK.max(large)),
        };
        if chunk.capacity() < datagram.len() {
            chunk.reserve(size);
        }
        let Header { ssrc, sequence, .. } = header;
        let sealed = Sealed { packet: datagram, header: head.bytes, ssrc, sequence };
        self.packets.open(sealed, chunk).ok()?;
        let mut payload = chunk.split();
        payload.truncate(head.payload(&payload).ok()?);
        let marks = self.extensions.marks(&head, datagram);
        if let Some((arrivals, number)) = self.arrivals.as_mut().zip(marks.transport) {
            arrivals.came(now, number);
            self.media = ssrc;
        }
        let found = self.find(ssrc).or_else(|| self.add(&header, &marks, payload.is_empty()));
        let Some((at, again)) = found else {
            self.left += u64::from(!payload.is_empty());
            return None;
        };
        if again { self.resent(now, at, &header, payload) } else { self.sent(now, at, &header, payload) }
    }

    /// The source of an SSRC, and whether that is the one of packets sent again.
    fn find(&self, ssrc: u32) -> Option<(usize, bool)> {
        let own = |source: &Source| source.ssrc == ssrc || source.rtx == Some(ssrc);
        let at = self.sources.iter().position(own)?;
        Some((at, self.sources.get(at)?.ssrc != ssrc))
    }

    /// Learns a source from its first packet. Padding alone may be anybody's.
    fn add(&mut self, header: &Header, marks: &Marks<'_>, empty: bool) -> Option<(usize, bool)> {
        let place = place(&self.sections, header, marks).filter(|_| !empty)?;
        if place.again {
            let same = |source: &Source| (source.section, source.layer) == (place.section, place.layer);
            let at = self.sources.iter().rposition(same)?;
            self.sources.get_mut(at)?.rtx = Some(header.ssrc);
            return Some((at, true));
        }
        if self.sources.len() >= SOURCES_MAX {
            return None;
        }
        let section = (place.section, self.sections.get(place.section)?);
        let mut source = Source::new(header, section, place.layer, place.rtx);
        let early = self.early.iter().position(|early| early.ssrc == header.ssrc);
        if let Some(early) = early.and_then(|at| self.early.remove(at)) {
            source.reported(early.clock, early.since);
        }
        self.sources.push(source);
        Some((self.sources.len() - 1, false))
    }

    fn sent(&mut self, now: Instant, at: usize, header: &Header, payload: BytesMut) -> Option<Heard> {
        let since = self.since(now);
        let source = self.sources.get_mut(at)?;
        let again = source.came(now, since, header, payload.len());
        self.next_report.get_or_insert(now + REPORT_INTERVAL);
        let known = self.sections.get(source.section)?.payload_type(header.payload_type);
        known.map(|known| heard(at, header, known.number, header.sequence, payload, again))
    }

    /// Makes a packet that was sent again what it was (RFC 4588 4).
    fn resent(&mut self, now: Instant, at: usize, header: &Header, mut payload: BytesMut) -> Option<Heard> {
        let source = self.sources.get_mut(at)?;
        let section = self.sections.get(source.section)?;
        let payload_type = section.resent_type(header.payload_type)?.number;
        let sequence = payload.try_get_u16().ok()?; // without it, padding
        source.came_again(now, sequence, payload.len());
        Some(heard(at, header, payload_type, sequence, payload, true))
    }

    fn take_reports(&mut self, now: Instant, datagram: &[u8], heard: &mut Vec<Heard>) {
        let mut opened = std::mem::take(&mut self.opened);
        if self.opener.rtcp(datagram, &mut opened).is_ok() {
            for packet in rtcp::parse(&opened).map_while(Result::ok) {
                if let Rtcp::SenderReport { ssrc, info, .. } = packet {
                    let clock = SenderClock { ntp: info.ntp, timestamp: info.timestamp };
                    heard.extend(self.reported(now, ssrc, clock));
                }
            }
        }
        self.opened = opened;
    }

    fn reported(&mut self, now: Instant, ssrc: u32, clock: SenderClock) -> Option<Heard> {
        let since = self.since(now);
        match self.find(ssrc) {
            Some((source, false)) => {
                self.sources.get_mut(source)?.reported(clock, since);
                return Some(Heard::Report { source, clock });
            }
            Some((_, true)) => {} // packets sent again are on the clock of the first ones
            None => {
                self.early.retain(|early| early.ssrc != ssrc);
                self.early.truncate(SOURCES_MAX - 1);
                self.early.push_front(Early { ssrc, clock, since });
            }
        }
        None
    }

    /// When [`Receiver::report`] is due; a moment that has passed for at once.
    pub(crate) fn due(&self) -> Option<Instant> {
        let asks = self.sources.iter().filter_map(|source| source.due(self.began)).min();
        let arrivals = self.arrivals.as_ref().and_then(Arrivals::due);
        [asks, arrivals, self.next_report].into_iter().flatten().min()
    }

    /// Puts what is due into `out`: what is asked for again, key frames, arrivals, receiver reports.
    pub(crate) fn report(&mut self, now: Instant, out: &mut Batch) {
        if self.due().is_none_or(|due| now < due) {
            return;
        }
        let mut reports = std::mem::take(&mut self.reports);
        if self.next_report.is_some_and(|next| now >= next) {
            self.receiver_report(now, &mut reports);
        }
        self.sources.iter_mut().for_each(|source| source.ask(now, self.ssrc, &mut reports));
        if let Some(arrivals) = &mut self.arrivals {
            let mut told = |feedback| reports.push(Rtcp::TransportFeedback(feedback));
            arrivals.tell(now, self.ssrc, self.media, &mut told);
        }
        put(&mut self.sealer, &reports, out);
        reports.clear();
        self.reports = reports;
    }

    /// What came of those sources that sent something; while none does, there are no reports.
    fn receiver_report(&mut self, now: Instant, out: &mut Vec<Rtcp>) {
        let (since, ssrc) = (self.since(now), self.ssrc);
        let blocks: Vec<_> = self.sources.iter_mut().filter_map(|source| source.block(since)).collect();
        self.next_report = (!blocks.is_empty()).then_some(now + REPORT_INTERVAL);
        if !blocks.is_empty() {
            out.push(Rtcp::ReceiverReport { ssrc, blocks });
            out.push(Rtcp::Description(vec![Chunk { ssrc, items: vec![(CNAME, self.cname.to_string())] }]));
        }
    }

    /// Asks for a key frame of a source with the next report, if that was agreed on.
    pub(crate) fn ask_key_frame(&mut self, source: usize) {
        self.sources.get_mut(source).into_iter().for_each(Source::want_key_frame);
    }

    /// A source that was heard.
    pub(crate) fn source(&self, source: usize) -> Option<&Source> {
        self.sources.get(source)
    }

    /// All sources that were heard, in the order of their numbers.
    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The section that a source belongs to.
    pub(crate) fn section(&self, source: &Source) -> Option<&Section> {
        self.sections.get(source.section)
    }

    /// The simulcast layer that a source is.
    pub(crate) fn rid(&self, source: &Source) -> Option<&str> {
        self.section(source)?.rids.get(source.layer?).map(|rid| &**rid)
    }

    /// Packets that were left because nobody knows whose they are.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    fn since(&self, now: Instant) -> Time {
        Time::from(now.saturating_duration_since(self.began))
    }
}

fn heard(
    source: usize,
    header: &Header,
    payload_type: u8,
    sequence: u16,
    payload: BytesMut,
    again: bool,
) -> Heard {
    let Header { timestamp, marker, .. } = *header;
    Heard::Packet { source, payload_type, sequence, timestamp, marker, payload: payload.freeze(), again }
}

/// Puts reports into as few datagrams as hold them. What is not led by a receiver report is of reduced size (RFC 5506),
/// which everybody takes (RFC 8834 4.6).
fn put(sealer: &mut Sealer, reports: &[Rtcp], out: &mut Batch) {
    let mut rest = reports;
    while !rest.is_empty() {
        let mut taken = 0;
        out.add(|bytes, start| {
            for report in rest {
                let before = bytes.len();
                report.put(bytes);
                if taken > 0 && bytes.len() - start > REPORTS_MAX {
                    bytes.truncate(before);
                    break;
                }
                taken += 1;
            }
            sealer.rtcp(bytes, start).ok()
        });
        rest = rest.get(taken..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests;
