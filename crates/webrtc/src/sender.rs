//! One viewer's RTP: numbers, header extensions, keys, what it may ask for again, and the reports both ways.
//!
//! A packet goes from the stream's log straight into the buffer that goes to the network, and is sealed there; nothing
//! is allocated or kept but where it is in the log. Not here: what the viewer is to get ([`crate::egress`]).

use crate::agreement::Extensions;
use crate::bandwidth::Estimator;
use crate::batch::Batch;
use crate::keys::Keys;
use crate::ntp;
use crate::packetlog::Burst;
use crate::pictureids::{Ids, Told};
use crate::resend::Resends;
use crate::srtp::{self, Opener, Sealer};
use headwater_rtp::rtcp::{self, CNAME, Chunk, ReportBlock, Rtcp, SenderInfo};
use headwater_rtp::{Extension, Header};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most bytes by which a frame's last packet is filled up to the size of those before it, so that all of them and a
/// packet of sound behind them leave in one system call. Fragments are of one size but for less than their number.
const FILL_MAX: usize = 64;

/// The header's flag of a packet that ends with padding.
const PADDED: u8 = 0x20;

/// Between two reports of a track.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// What both sides agreed on for a track.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrackTerms {
    pub(crate) ssrc: u32,
    /// SSRC of packets that are sent again (RFC 4588); without it they are sent again as they were.
    pub(crate) rtx: Option<u32>,
    pub(crate) mid: String,
    /// Ticks a second.
    pub(crate) clock_rate: u32,
    pub(crate) extensions: Extensions,
    /// Whether the viewer may ask for packets again.
    pub(crate) resend: bool,
}

/// A packet's place: what is sent, and as what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<'a> {
    pub(crate) burst: &'a Arc<Burst>,
    /// Which of its packets.
    pub(crate) index: usize,
    /// RTP time, as the viewer is told it.
    pub(crate) time: u32,
    pub(crate) payload_type: u8,
    /// That of packets sent again.
    pub(crate) resend_type: Option<u8>,
    /// The viewer's number of it.
    pub(crate) number: u64,
    /// Its picture's ids, as the viewer is told them.
    pub(crate) ids: Ids,
}

/// What is counted of a track.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) packets: u64,
    /// Payload bytes.
    pub(crate) bytes: u64,
    pub(crate) resent: u64,
    pub(crate) nacks: u64,
    pub(crate) plis: u64,
    pub(crate) firs: u64,
    /// Share of packets lost, in 256ths, by the last report.
    pub(crate) lost: Option<u8>,
    /// Packets reported lost altogether.
    pub(crate) missing: u64,
    /// Interarrival jitter in ticks, by the last report.
    pub(crate) jitter: Option<u32>,
}

/// A viewer's sending side, once DTLS is through.
#[derive(Debug)]
pub(crate) struct Sender {
    sealer: Sealer,
    opener: Opener,
    tracks: Vec<Track>,
    cname: Box<str>,
    /// The next transport-wide number.
    transport: u16,
    estimator: Estimator,
    rtt: Option<Duration>,
    /// Where RTCP is opened; its room is used again.
    opened: Vec<u8>,
}

/// One track's numbers.
#[derive(Debug)]
struct Track {
    terms: TrackTerms,
    /// Whether the viewer has told that it knows the SSRC, so that packets need not say the mid any more.
    bound: bool,
    resends: Resends,
    /// The number of the next packet on the RTX stream.
    rtx_number: u64,
    /// RTP time of what was sent last, and when that moment was.
    clock: Option<(u32, Instant)>,
    next_report: Option<Instant>,
    counts: Counts,
}

impl Sender {
    /// A sender under `keys`. `None` for a profile of SRTP that is not ours.
    pub(crate) fn new(keys: &Keys, cname: &str, now: Instant) -> Option<Sender> {
        let (sealer, opener) = srtp::pair(keys)?;
        Some(Sender {
            sealer,
            opener,
            tracks: Vec::new(),
            cname: cname.into(),
            transport: 0,
            estimator: Estimator::new(now),
            rtt: None,
            opened: Vec::new(),
        })
    }

    /// Adds a track; its place, by which it is named from then on.
    pub(crate) fn track(&mut self, now: Instant, terms: TrackTerms) -> usize {
        let resends = Resends::new(now, terms.resend);
        self.tracks.push(Track {
            terms,
            bound: false,
            resends,
            rtx_number: u64::from(rand::random::<u16>() / 2),
            clock: None,
            next_report: None,
            counts: Counts::default(),
        });
        self.tracks.len() - 1
    }

    /// Puts a packet of the log into `out`.
    pub(crate) fn send(&mut self, now: Instant, track: usize, packet: Placed<'_>, out: &mut Batch) {
        let Some(at) = packet.burst.packets.get(packet.index) else { return };
        let header = Header { marker: at.marker, ..self.header(track, packet) };
        let payload = Told::new(packet.burst.codec, &at.payload, packet.ids);
        if self.put(now, track, header, packet.number, [&[], &payload.head, payload.rest], out)
            && let Some(track) = self.tracks.get_mut(track)
        {
            track.resends.sent(now, packet);
            track.sent(packet, payload.len());
        }
    }

    /// Puts a payload that cannot be asked for again into `out`.
    pub(crate) fn send_once(
        &mut self,
        now: Instant,
        track: usize,
        packet: Placed<'_>,
        payload: &[u8],
        out: &mut Batch,
    ) {
        let header = self.header(track, packet);
        if self.put(now, track, header, packet.number, [&[], &[], payload], out)
            && let Some(track) = self.tracks.get_mut(track)
        {
            track.sent(packet, payload.len());
        }
    }

    fn header(&self, track: usize, packet: Placed<'_>) -> Header {
        Header {
            marker: false,
            payload_type: packet.payload_type,
            sequence: packet.number as u16, // its low half is what goes on the wire
            timestamp: packet.time,
            ssrc: self.tracks.get(track).map_or(0, |track| track.terms.ssrc),
        }
    }

    /// Writes and seals one packet, its payload in three parts; whether it is in `out`.
    fn put(
        &mut self,
        now: Instant,
        track: usize,
        header: Header,
        number: u64,
        payload: [&[u8]; 3],
        out: &mut Batch,
    ) -> bool {
        let Some(track) = self.tracks.get(track) else { return false };
        let transport = self.transport.to_be_bytes();
        let ids = track.terms.extensions;
        // What is sent again without RTX has to be what it was to the last bit: nothing in it may change.
        let fixed = track.terms.rtx.is_none() && track.terms.resend;
        // Reports never tell whether the viewer knows the SSRC of what is sent again; Firefox drops it without the mid.
        let again = track.terms.rtx == Some(header.ssrc);
        let mid = ids.mid.filter(|_| fixed || again || !track.bound);
        let transport_id = ids.transport.filter(|_| !fixed);
        let time_id = ids.send_time.filter(|_| !fixed && transport_id.is_none());
        let time = time_id.map_or([0; 3], |_| send_time(now));
        let mut extensions = [Extension { id: 0, data: &[] }; 3];
        let mut count = 0;
        let known: [(Option<u8>, &[u8]); 3] =
            [(mid, track.terms.mid.as_bytes()), (transport_id, &transport), (time_id, &time)];
        for (id, data) in known {
            if let Some((id, place)) = id.zip(extensions.get_mut(count)) {
                *place = Extension { id, data };
                count += 1;
            }
        }
        let extensions = extensions.get(..count).unwrap_or_default();
        let before = out.last().checked_sub(self.sealer.tag()).filter(|_| header.marker && !fixed);
        let sealed = out.add(|bytes, start| {
            header.put(&[], extensions, false, bytes).ok()?;
            let head = bytes.len() - start;
            payload.iter().for_each(|part| bytes.extend_from_slice(part));
            if let Some(before) = before {
                fill(bytes, start, before);
            }
            self.sealer.rtp(bytes, start, head, header.ssrc, number).ok()
        });
        if sealed {
            let numbered = transport_id.map(|_| self.transport);
            self.estimator.sent(numbered, out.last(), now);
            self.transport = self.transport.wrapping_add(numbered.is_some().into());
        }
        sealed
    }

    /// Puts the reports that are due into `out`.
    pub(crate) fn report(&mut self, now: Instant, out: &mut Batch) {
        for track in &mut self.tracks {
            let Some((time, moment)) = track.clock else { continue };
            if track.next_report.is_some_and(|next| now < next) {
                continue;
            }
            track.next_report = Some(now + REPORT_INTERVAL);
            let ticks = |since: Duration| {
                (since.as_micros() as u64 * u64::from(track.terms.clock_rate) / 1_000_000) as u32
            };
            let timestamp = match now.checked_duration_since(moment) {
                Some(since) => time.wrapping_add(ticks(since)),
                None => time.wrapping_sub(ticks(moment.duration_since(now))),
            };
            let info = SenderInfo {
                ntp: ntp::of(now),
                timestamp,
                packets: track.counts.packets as u32, // modulo 2^32, as the field is
                bytes: track.counts.bytes as u32,
            };
            let ssrc = track.terms.ssrc;
            let report = Rtcp::SenderReport { ssrc, info, blocks: Vec::new() };
            let name = Rtcp::Description(vec![Chunk { ssrc, items: vec![(CNAME, self.cname.to_string())] }]);
            put_reports(&mut self.sealer, &[report, name], out);
        }
    }

    /// Says that the viewer gets nothing more.
    pub(crate) fn bye(&mut self, out: &mut Batch) {
        let ssrcs: Vec<u32> = self.tracks.iter().map(|track| track.terms.ssrc).collect();
        let Some(&ssrc) = ssrcs.first() else { return };
        let report = Rtcp::ReceiverReport { ssrc, blocks: Vec::new() };
        put_reports(&mut self.sealer, &[report, Rtcp::Bye { ssrcs, reason: String::new() }], out);
    }

    /// Takes RTCP from the viewer; what it asked for again goes into `out`. What nobody can have sealed is left.
    ///
    /// Whether it cannot go on without a key frame.
    pub(crate) fn receive(&mut self, now: Instant, datagram: &[u8], out: &mut Batch) -> bool {
        let mut opened = std::mem::take(&mut self.opened);
        let mut key_frame = false;
        if self.opener.rtcp(datagram, &mut opened).is_ok() {
            for packet in rtcp::parse(&opened).map_while(Result::ok) {
                key_frame |= matches!(packet, Rtcp::Pli { .. } | Rtcp::Fir { .. });
                self.take(now, packet, out);
            }
        }
        self.opened = opened;
        key_frame
    }

    fn take(&mut self, now: Instant, packet: Rtcp, out: &mut Batch) {
        match packet {
            Rtcp::SenderReport { blocks, .. } | Rtcp::ReceiverReport { blocks, .. } => {
                blocks.iter().for_each(|block| self.reported(now, block));
            }
            Rtcp::Nack { media, lost, .. } => self.resend(now, media, &lost, out),
            Rtcp::Pli { media, .. } => self.of(media).into_iter().for_each(|track| track.counts.plis += 1),
            Rtcp::Fir { requests, .. } => {
                for (media, _) in requests {
                    self.of(media).into_iter().for_each(|track| track.counts.firs += 1);
                }
            }
            Rtcp::TransportFeedback(feedback) => self.estimator.feedback(now, &feedback),
            Rtcp::Remb { bitrate, .. } => self.estimator.remb(now, bitrate),
            _ => {}
        }
    }

    fn of(&mut self, ssrc: u32) -> Option<&mut Track> {
        self.tracks.iter_mut().find(|track| track.terms.ssrc == ssrc)
    }

    fn reported(&mut self, now: Instant, block: &ReportBlock) {
        if block.last_report != 0 {
            let since = middle(ntp::of(now)).wrapping_sub(block.last_report).wrapping_sub(block.delay);
            if since < 1 << 21 {
                self.rtt = Some(Duration::from_micros((u64::from(since) * 1_000_000) >> 16)); // below 32 s
            }
        }
        let Some(track) = self.of(block.ssrc) else { return };
        track.bound = true;
        track.counts.lost = Some(block.fraction_lost);
        track.counts.missing = u64::try_from(block.lost).unwrap_or(0); // below zero with duplicates
        track.counts.jitter = Some(block.jitter);
        self.estimator.report(now, block.fraction_lost, self.rtt);
    }

    /// Sends again what is still known, on the stream of such packets if there is one.
    fn resend(&mut self, now: Instant, ssrc: u32, lost: &[u16], out: &mut Batch) {
        let rtt = self.rtt.unwrap_or_default();
        let Some(place) = self.tracks.iter().position(|track| track.terms.ssrc == ssrc) else { return };
        if let Some(track) = self.tracks.get_mut(place) {
            track.counts.nacks += 1;
        }
        for &number in lost {
            let Some(track) = self.tracks.get_mut(place) else { return };
            let Some(again) = track.resends.again(now, number, rtt) else { continue };
            let Some(at) = again.burst.packets.get(again.index) else { continue };
            let payload = Told::new(again.burst.codec, &at.payload, again.ids);
            track.counts.resent += 1;
            let mut header = Header {
                marker: at.marker,
                payload_type: again.payload_type,
                sequence: number,
                timestamp: again.time,
                ssrc,
            };
            match track.terms.rtx.zip(again.resend_type) {
                Some((rtx, payload_type)) => {
                    track.rtx_number += 1;
                    let own = track.rtx_number;
                    header.sequence = own as u16; // its low half
                    header.ssrc = rtx;
                    header.payload_type = payload_type;
                    self.put(
                        now,
                        place,
                        header,
                        own,
                        [&number.to_be_bytes(), &payload.head, payload.rest],
                        out,
                    );
                }
                None => {
                    self.put(now, place, header, again.number, [&[], &payload.head, payload.rest], out);
                }
            }
        }
    }

    /// Bits a second that the way to the viewer is thought to carry.
    pub(crate) fn estimate(&self) -> Option<u64> {
        self.estimator.bits_per_second()
    }

    /// Whether the way to the viewer was too narrow a moment ago, and has a queue that is to drain.
    pub(crate) fn drains(&self, now: Instant) -> bool {
        self.estimator.drains(now)
    }

    /// Share of packets lost on the way lately, 0 to 1, of the track that lost most.
    pub(crate) fn loss(&self) -> f32 {
        let reported = self.tracks.iter().filter_map(|track| track.counts.lost).max();
        self.estimator.loss().max(f32::from(reported.unwrap_or_default()) / 256.0)
    }

    /// Round trip, by the last report.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// What was counted of a track.
    pub(crate) fn counts(&self, track: usize) -> Counts {
        self.tracks.get(track).map(|track| track.counts).unwrap_or_default()
    }
}

impl Track {
    fn sent(&mut self, packet: Placed<'_>, bytes: usize) {
        self.clock = Some((packet.time, packet.burst.wallclock));
        self.counts.packets += 1;
        self.counts.bytes += bytes as u64;
    }
}

/// Fills the packet that begins at `start` up to `size` bytes, if that is not far (RFC 3550 5.1: padding).
fn fill(packet: &mut Vec<u8>, start: usize, size: usize) {
    let missing = size.saturating_sub(packet.len() - start);
    if let Some(flags) = packet.get_mut(start).filter(|_| (1..=FILL_MAX).contains(&missing)) {
        *flags |= PADDED;
        Header::put_padding(missing as u8, packet); // at most `FILL_MAX`
    }
}

fn put_reports(sealer: &mut Sealer, reports: &[Rtcp], out: &mut Batch) {
    out.add(|bytes, start| {
        reports.iter().for_each(|report| report.put(bytes));
        sealer.rtcp(bytes, start).ok()
    });
}

/// 6.18 fixed point of seconds, which wraps after 64.
fn send_time(now: Instant) -> [u8; 3] {
    let [_, time @ ..] = ((ntp::of(now) >> 14) as u32).to_be_bytes(); // the low bits of what is left
    time
}

/// What reports repeat of an NTP time.
fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

#[cfg(test)]
mod tests;
