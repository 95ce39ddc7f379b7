//! A receiver and a publisher that seals what it is told to.

mod bounds;
mod client;

use super::*;
use crate::srtp::tests::{PROFILES, keys};
use headwater_rtp::Extension;
use headwater_rtp::rtcp::{SenderInfo, TransportFeedback};

const MID: u8 = 1;
const RID: u8 = 2;
const REPAIRED: u8 = 3;
const TRANSPORT: u8 = 4;

const VIDEO: u8 = 96;
const RTX: u8 = 97;
const SOUND: u8 = 111;

/// One packet.
#[derive(Clone, Debug)]
struct Sent<'a> {
    ssrc: u32,
    payload_type: u8,
    number: u64,
    timestamp: u32,
    extensions: &'a [(u8, &'a [u8])],
    payload: &'a [u8],
    padding: u8,
}

const PLAIN: Sent<'_> = Sent {
    ssrc: 7,
    payload_type: VIDEO,
    number: 0,
    timestamp: 1000,
    extensions: &[(MID, b"v")],
    payload: b"payload",
    padding: 0,
};

struct Pair {
    start: Instant,
    receiver: Receiver,
    sealer: Sealer,
    opener: Opener,
    heard: Vec<Heard>,
    batch: Batch,
}

fn sections() -> Vec<Section> {
    let extensions = Extensions {
        mid: Some(MID),
        rid: Some(RID),
        repaired: Some(REPAIRED),
        transport: Some(TRANSPORT),
        send_time: None,
    };
    let sound = Section {
        mid: "a".into(),
        payload_types: vec![PayloadType { number: SOUND, resend: None, clock_rate: 48_000 }],
        extensions,
        ..Section::default()
    };
    let video = Section {
        mid: "v".into(),
        payload_types: vec![PayloadType { number: VIDEO, resend: Some(RTX), clock_rate: 90_000 }],
        extensions,
        nack: true,
        key_frames: Some(KeyFrames::Pli),
        transport_feedback: true,
        ..Section::default()
    };
    vec![sound, video]
}

fn layers() -> Vec<Section> {
    let mut sections = sections();
    sections[1].rids = vec!["lo".into(), "hi".into()];
    sections
}

impl Pair {
    fn new(sections: Vec<Section>) -> Pair {
        Pair::under(1, sections)
    }

    fn under(profile: usize, sections: Vec<Section>) -> Pair {
        let (profile, length) = PROFILES[profile];
        let start = Instant::now();
        let (sealer, opener) = srtp::pair(&keys(profile, length, true)).unwrap();
        let receiver = Receiver::new(&keys(profile, length, false), sections, "name", start).unwrap();
        Pair { start, receiver, sealer, opener, heard: Vec::new(), batch: Batch::default() }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn sealed(&self, sent: &Sent<'_>) -> Vec<u8> {
        let extensions: Vec<_> = sent.extensions.iter().map(|&(id, data)| Extension { id, data }).collect();
        let Sent { payload_type, timestamp, ssrc, number, .. } = *sent;
        let header = Header { marker: true, payload_type, sequence: number as u16, timestamp, ssrc };
        let mut packet = Vec::new();
        header.put(&[1, 2], &extensions, sent.padding > 0, &mut packet).unwrap();
        let head = packet.len();
        packet.extend_from_slice(sent.payload);
        Header::put_padding(sent.padding, &mut packet);
        self.sealer.rtp(&mut packet, 0, head, ssrc, number).unwrap();
        packet
    }

    /// Sends a packet; what it was.
    fn send(&mut self, ms: u64, sent: &Sent<'_>) -> Option<Heard> {
        let packet = self.sealed(sent);
        self.receiver.receive(self.at(ms), &packet, &mut self.heard);
        assert!(self.heard.len() < 2);
        self.heard.pop()
    }

    /// Sends packets with these numbers, 33 ms of RTP time each.
    fn numbers(&mut self, ms: u64, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            self.send(ms, &Sent { number, ..PLAIN });
        }
    }

    fn send_reports(&mut self, ms: u64, reports: &[Rtcp]) -> Option<Heard> {
        let mut packet = Vec::new();
        reports.iter().for_each(|report| report.put(&mut packet));
        self.sealer.rtcp(&mut packet, 0).unwrap();
        self.receiver.receive(self.at(ms), &packet, &mut self.heard);
        self.heard.pop()
    }

    /// What the receiver says.
    fn reports(&mut self, ms: u64) -> Vec<Rtcp> {
        let (now, mut opened, mut all) = (self.at(ms), Vec::new(), Vec::new());
        self.receiver.report(now, &mut self.batch);
        for datagram in self.batch.datagrams() {
            assert!(datagram.len() <= 1200, "{} bytes", datagram.len());
            self.opener.rtcp(datagram, &mut opened).unwrap();
            all.extend(rtcp::parse(&opened).map(Result::unwrap));
        }
        self.batch.clear();
        all
    }

    fn asked(&mut self, ms: u64) -> Vec<u16> {
        let lost = |report| if let Rtcp::Nack { media: 7, lost, .. } = report { lost } else { Vec::new() };
        self.reports(ms).into_iter().flat_map(lost).collect()
    }
}

fn payload(heard: &Heard) -> (usize, u8, u16, &[u8], bool) {
    let Heard::Packet { source, payload_type, sequence, timestamp, marker, payload, again } = heard else {
        panic!("a report")
    };
    assert!(*marker && *timestamp == PLAIN.timestamp);
    (*source, *payload_type, *sequence, payload, *again)
}

#[test]
fn packets_come_through_once_whatever_their_order() {
    for profile in 0..PROFILES.len() {
        let mut pair = Pair::under(profile, sections());
        let mut expected = Vec::new();
        let mut came = Vec::new();
        for number in (65_400..65_700u64).filter(|number| number % 9 != 0).map(|number| number ^ 2) {
            let body = vec![number as u8; (number % 1200) as usize + 1];
            let sent = Sent { number, payload: &body, ..PLAIN };
            expected.push((0, VIDEO, number as u16, body.clone(), false));
            for _ in 0..2 {
                let heard = pair.send(0, &sent);
                came.extend(heard.iter().map(payload).map(|(a, b, c, d, e)| (a, b, c, d.to_vec(), e)));
            }
        }
        assert_eq!(came, expected);
        let source = pair.receiver.source(0).unwrap();
        assert_eq!((source.ssrc, source.counts().packets), (7, expected.len() as u64));
        assert_eq!(pair.receiver.section(source).unwrap().mid, "v".into());
    }
}

#[test]
fn padding_is_taken_off() {
    let mut pair = Pair::new(sections());
    let heard = pair.send(0, &Sent { padding: 9, ..PLAIN }).unwrap();
    assert_eq!(payload(&heard), (0, VIDEO, 0, &b"payload"[..], false));
    let heard = pair.send(0, &Sent { number: 1, payload: b"", padding: 200, ..PLAIN }).unwrap();
    assert_eq!(payload(&heard), (0, VIDEO, 1, &b""[..], false), "its number is taken");
    let other = Sent { ssrc: 8, payload: b"", padding: 200, extensions: &[(TRANSPORT, &[0, 9])], ..PLAIN };
    assert!(pair.send(0, &other).is_none() && pair.receiver.sources().len() == 1);
    let told = pair.reports(100);
    assert!(matches!(&told[..], [Rtcp::TransportFeedback(TransportFeedback { base: 9, media: 8, .. })]));
    assert_eq!(pair.receiver.left(), 0);
}

#[test]
fn a_gap_is_filled_by_what_is_sent_again() {
    let mut pair = Pair::new(sections());
    pair.numbers(0, [65_533, 65_534, 65_537, 65_539]);
    assert_eq!(pair.receiver.due(), Some(pair.at(5)));
    assert!(pair.asked(4).is_empty());
    assert_eq!(pair.asked(5), [65_535, 0, 2]);
    let again = Sent { ssrc: 70, payload_type: RTX, payload: b"\xff\xffmissing", number: 900, ..PLAIN };
    let heard = pair.send(40, &again).unwrap();
    assert_eq!(payload(&heard), (0, VIDEO, 65_535, &b"missing"[..], true));
    let heard = pair.send(40, &Sent { number: 65_536, ..PLAIN }).unwrap();
    assert_eq!(payload(&heard), (0, VIDEO, 0, &b"payload"[..], true), "without a stream of its own");
    assert!(pair.send(40, &Sent { number: 901, payload: b"", padding: 100, ..again }).is_none());
    assert!(pair.send(40, &Sent { number: 902, payload_type: VIDEO, payload: b"x", ..again }).is_none());
    assert_eq!(pair.asked(85), [2]);
    let source = pair.receiver.source(0).unwrap();
    assert_eq!((source.rtx, source.counts().resent, source.counts().nacks), (Some(70), 2, 2));
    assert_eq!(source.rtt(), Some(Duration::from_millis(35)));
}

#[test]
fn sound_is_not_asked_for_where_that_was_not_agreed_on() {
    let mut pair = Pair::new(sections());
    let sound = Sent { payload_type: SOUND, extensions: &[], ..PLAIN };
    pair.send(0, &sound);
    pair.send(0, &Sent { number: 9, ..sound });
    assert!(pair.reports(100).is_empty());
    assert_eq!(pair.receiver.due(), Some(pair.at(1000)));
}

#[test]
fn what_cannot_be_asked_for_needs_a_key_frame() {
    let mut pair = Pair::new(sections());
    pair.numbers(0, [1]);
    pair.numbers(0, [500]);
    assert!(pair.receiver.due().unwrap() <= pair.start);
    let sender = pair.receiver.ssrc;
    assert_eq!(pair.reports(0), [Rtcp::Pli { sender, media: 7 }]);
    pair.numbers(10, (501..901).step_by(2).chain([901, 1000]));
    assert_eq!(pair.asked(15).len(), 200 + 98);
}

#[test]
fn sources_are_told_apart_by_what_the_offer_names() {
    let mut sections = sections();
    sections[1].sources = vec![(7, Some(70))];
    let mut pair = Pair::new(sections);
    let again = Sent { ssrc: 70, payload_type: RTX, payload: b"\0\x05late", extensions: &[], ..PLAIN };
    assert!(pair.send(0, &again).is_none(), "nobody knows of what");
    assert!(pair.send(0, &Sent { extensions: &[], ..PLAIN }).is_some());
    let heard = pair.send(0, &Sent { number: 1, ..again.clone() }).unwrap();
    assert_eq!(payload(&heard), (0, VIDEO, 5, &b"late"[..], true));
    assert_eq!((pair.receiver.sources().len(), pair.receiver.left()), (1, 1));
}

#[test]
fn layers_are_told_apart_by_name() {
    let mut pair = Pair::new(layers());
    let lo: &[(u8, &[u8])] = &[(MID, b"v"), (RID, b"lo")];
    let hi: &[(u8, &[u8])] = &[(RID, b"hi")];
    assert!(pair.send(0, &Sent { extensions: lo, ..PLAIN }).is_some());
    assert!(pair.send(0, &Sent { ssrc: 8, extensions: hi, ..PLAIN }).is_some());
    assert!(pair.send(0, &Sent { ssrc: 9, extensions: &[(RID, b"no")], ..PLAIN }).is_none());
    assert!(pair.send(0, &Sent { ssrc: 9, ..PLAIN }).is_none(), "which layer?");
    let again = Sent { payload_type: RTX, payload: b"\0\x05late", ..PLAIN };
    let repaired_hi: &[(u8, &[u8])] = &[(MID, b"v"), (REPAIRED, b"hi")];
    let repaired_lo: &[(u8, &[u8])] = &[(MID, b"v"), (REPAIRED, b"lo")];
    let heard = pair.send(0, &Sent { ssrc: 80, extensions: repaired_hi, ..again.clone() }).unwrap();
    assert_eq!(payload(&heard).0, 1);
    let heard = pair.send(0, &Sent { ssrc: 70, extensions: repaired_lo, ..again.clone() }).unwrap();
    assert_eq!(payload(&heard).0, 0);
    let heard = pair.send(0, &Sent { ssrc: 80, number: 1, extensions: &[], ..again }).unwrap();
    assert_eq!(payload(&heard).0, 1, "known by now");
    // The browser's track was replaced.
    let heard = pair.send(0, &Sent { ssrc: 10, extensions: lo, ..PLAIN }).unwrap();
    assert_eq!(payload(&heard).0, 2);
    let rids: Vec<_> = pair.receiver.sources().iter().map(|source| pair.receiver.rid(source)).collect();
    assert_eq!(rids, [Some("lo"), Some("hi"), Some("lo")]);
}

/// As Firefox offers them: SSRCs, and names of layers that only the packets bring together.
#[test]
fn layers_whose_sources_the_offer_names_are_told_apart_by_name() {
    let mut sections = layers();
    sections[1].sources = vec![(7, Some(70)), (8, Some(80))];
    let mut pair = Pair::new(sections);
    assert!(pair.send(0, &Sent { ssrc: 8, extensions: &[(MID, b"v")], ..PLAIN }).is_none(), "which layer?");
    assert!(pair.send(0, &Sent { ssrc: 8, number: 6, extensions: &[(RID, b"hi")], ..PLAIN }).is_some());
    assert!(pair.send(0, &Sent { extensions: &[(RID, b"lo")], ..PLAIN }).is_some());
    let again = Sent { ssrc: 80, payload_type: RTX, payload: b"\0\x05late", extensions: &[], ..PLAIN };
    assert_eq!(payload(&pair.send(0, &again).unwrap()).0, 0);
    let rids: Vec<_> = pair.receiver.sources().iter().map(|source| pair.receiver.rid(source)).collect();
    assert_eq!(rids, [Some("hi"), Some("lo")]);
}

#[test]
fn a_type_that_is_not_agreed_on_is_left() {
    let mut pair = Pair::new(sections());
    assert!(pair.send(0, &Sent { payload_type: 100, ..PLAIN }).is_none());
    assert!(pair.send(0, &Sent { extensions: &[(MID, b"x")], number: 1, ..PLAIN }).is_none());
    assert_eq!(pair.receiver.left(), 2);
    pair.numbers(0, [2]);
    assert!(pair.send(0, &Sent { payload_type: 100, number: 3, ..PLAIN }).is_none());
    let mut sections = sections();
    sections[0].payload_types[0].number = VIDEO;
    let mut pair = Pair::new(sections);
    assert!(pair.send(0, &Sent { extensions: &[], ..PLAIN }).is_none(), "two sections have it");
}

#[test]
fn what_came_is_reported_each_second() {
    let mut pair = Pair::new(sections());
    pair.numbers(0, [1, 2, 4, 5]);
    let sound = Sent { ssrc: 9, payload_type: SOUND, extensions: &[(MID, b"a")], ..PLAIN };
    pair.send(0, &sound);
    let told = SenderClock { ntp: 0x0123_4567_89ab_cdef, timestamp: 55 };
    let heard = pair.send_reports(500, &[sender_report(7, told)]).unwrap();
    assert!(matches!(heard, Heard::Report { source: 0, clock } if clock == told));
    pair.reports(5); // asks
    let reports = pair.reports(1000);
    let [Rtcp::ReceiverReport { ssrc, blocks }, Rtcp::Description(chunks)] = &reports[..] else {
        panic!("{reports:?}")
    };
    assert_eq!(chunks[..], [Chunk { ssrc: *ssrc, items: vec![(CNAME, "name".into())] }]);
    let video = blocks[0];
    assert_eq!((video.ssrc, video.fraction_lost, video.lost, video.highest), (7, 51, 1, 5));
    assert_eq!((video.last_report, video.delay), (0x4567_89ab, 32_768));
    assert_eq!((blocks[1].ssrc, blocks[1].lost, blocks.len()), (9, 0, 2));
    let counts = pair.receiver.source(0).unwrap().counts();
    assert_eq!((counts.lost, counts.missing, counts.jitter), (Some(51), 1, Some(0)));
    pair.send(1500, &Sent { number: 1, ..sound });
    let reports = pair.reports(2000);
    assert!(matches!(&reports[..], [Rtcp::ReceiverReport { blocks, .. }, _] if blocks.len() == 1));
    assert!(pair.reports(3000).is_empty() && pair.receiver.due().is_none(), "nobody sends");
    pair.numbers(4000, [6]);
    assert_eq!(pair.receiver.due(), Some(pair.at(5000)));
}

fn sender_report(ssrc: u32, clock: SenderClock) -> Rtcp {
    let SenderClock { ntp, timestamp } = clock;
    let info = SenderInfo { ntp, timestamp, packets: 4, bytes: 9 };
    Rtcp::SenderReport { ssrc, info, blocks: Vec::new() }
}

#[test]
fn a_report_before_the_first_packet_counts() {
    let mut pair = Pair::new(sections());
    let told = |ntp: u64| SenderClock { ntp: ntp << 32, timestamp: 900 };
    for ntp in [1, 2] {
        assert!(pair.send_reports(0, &[sender_report(7, told(ntp))]).is_none(), "nobody knows whose it is");
    }
    pair.numbers(500, [1]);
    assert_eq!(pair.receiver.source(0).unwrap().clock(), Some(told(2)));
    let reports = pair.reports(1500);
    let [Rtcp::ReceiverReport { blocks, .. }, _] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((blocks[0].last_report, blocks[0].delay), (2 << 16, 65_536 * 3 / 2));
    // Of sources that never come, some are kept.
    let many: Vec<_> = (100..200).map(|ssrc| sender_report(ssrc, told(3))).collect();
    pair.send_reports(1500, &many);
    assert_eq!(pair.receiver.early.len(), SOURCES_MAX);
}

#[test]
fn key_frames_are_asked_for() {
    let mut pair = Pair::new(sections());
    pair.numbers(0, [1]);
    pair.receiver.ask_key_frame(0);
    pair.receiver.ask_key_frame(5);
    let sender = pair.receiver.ssrc;
    assert_eq!(pair.reports(0), [Rtcp::Pli { sender, media: 7 }]);
    pair.receiver.ask_key_frame(0);
    assert_eq!(pair.receiver.due(), Some(pair.at(100)));
    assert!(pair.reports(99).is_empty());
    assert_eq!(pair.reports(100).len(), 1);
    assert_eq!(pair.receiver.source(0).unwrap().counts().plis, 2);

    let mut sections = sections();
    sections[1].key_frames = Some(KeyFrames::Fir);
    let mut pair = Pair::new(sections);
    pair.numbers(0, [1]);
    let sender = pair.receiver.ssrc;
    for n in 1..4 {
        pair.receiver.ask_key_frame(0);
        assert_eq!(pair.reports(100 * u64::from(n)), [Rtcp::Fir { sender, requests: vec![(7, n)] }]);
    }
    let sound = Sent { ssrc: 9, payload_type: SOUND, extensions: &[(MID, b"a")], ..PLAIN };
    pair.send(300, &sound);
    pair.receiver.ask_key_frame(1);
    assert!(pair.reports(400).is_empty(), "not agreed on");
}

#[test]
fn arrivals_are_told() {
    let mut pair = Pair::new(sections());
    for n in 0..1000u64 {
        let number = 65_000u16.wrapping_add(n as u16).to_be_bytes();
        let sent = Sent { number: n, extensions: &[(MID, b"v"), (TRANSPORT, &number)], ..PLAIN };
        pair.send(n / 10, &sent);
    }
    assert!(pair.receiver.due().unwrap() <= pair.at(100));
    let reports = pair.reports(99);
    let arrivals = |report: &Rtcp| match report {
        Rtcp::TransportFeedback(feedback) => feedback.arrivals.iter().flatten().count(),
        report => panic!("{report:?}"),
    };
    assert_eq!(reports.iter().map(arrivals).sum::<usize>(), 1000);
    assert!(reports.len() > 1 && pair.reports(200).is_empty());
}
