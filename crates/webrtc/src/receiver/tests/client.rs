//! A receiver and a whole WebRTC client that publishes, in memory, with a network between them that can lose what it
//! likes.

use super::*;
use crate::agreement::Agreement;
use crate::agreement::tests::{addresses, answered};
use headwater_hub::Action;
use std::collections::BTreeMap;
use str0m::bwe::{Bitrate, BweKind};
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::stats::MediaEgressStats;
use str0m::{Candidate, Event, Input, Output, Rtc};

const TURN: Duration = Duration::from_millis(5);

struct Client {
    now: Instant,
    agreed: Agreement,
    rtc: Rtc,
    mid: Mid,
    receiver: Option<Receiver>,
    batch: Batch,
    heard: Vec<Heard>,
    /// Payloads that came, by sequence number.
    came: BTreeMap<u16, Vec<u8>>,
    sender_reports: usize,
    estimate: Option<u64>,
    stats: Option<MediaEgressStats>,
    /// On its way to the client, for a turn: a path without any length has no round trip to be measured.
    under_way: Vec<Vec<u8>>,
    key_frames: usize,
    numbers: u64,
}

impl Client {
    /// After the handshake. A client that `estimates` sends no more than it thinks the way carries.
    fn connected(estimates: bool) -> Client {
        let now = Instant::now();
        let config = Rtc::builder().set_rtp_mode(true).set_stats_interval(Some(Duration::from_millis(500)));
        let config = if estimates { config.enable_bwe(Some(Bitrate::kbps(500))) } else { config };
        let mut rtc = config.build(now);
        rtc.add_local_candidate(Candidate::host(addresses().1, "udp").unwrap());
        let mut changes = rtc.sdp_api();
        let mid = changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        let (offer, pending) = changes.apply().unwrap();
        let settings = crate::offer::tests::settings("");
        let agreed = answered(&offer.to_sdp_string(), Action::Publish, &settings, now);
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&agreed.answer).unwrap()).unwrap();
        rtc.direct_api().stream_tx_by_mid(mid, None).unwrap().set_rtx_cache(
            1024,
            Duration::from_secs(2),
            None,
        );
        rtc.bwe().set_bitrate(Bitrate::mbps(3), Bitrate::mbps(3));
        let mut client = Client {
            now,
            agreed,
            rtc,
            mid,
            receiver: None,
            batch: Batch::default(),
            heard: Vec::new(),
            came: BTreeMap::new(),
            sender_reports: 0,
            estimate: None,
            stats: None,
            under_way: Vec::new(),
            key_frames: 0,
            numbers: 65_000,
        };
        for _ in 0..1000 {
            client.turn(|_| true);
            if client.receiver.is_some() {
                return client;
            }
        }
        panic!("no handshake");
    }

    /// Time passes, and what either side has to say reaches the other if `arrives`.
    fn turn(&mut self, mut arrives: impl FnMut(&[u8]) -> bool) {
        self.now += TURN;
        self.agreed.dtls.tick(self.now, &mut self.batch).unwrap();
        self.rtc.handle_input(Input::Timeout(self.now)).unwrap();
        self.listen(&mut arrives);
        for bytes in std::mem::take(&mut self.under_way) {
            let (ours, theirs) = addresses();
            let received = Receive::new(Protocol::Udp, ours, theirs, &bytes).unwrap();
            self.rtc.handle_input(Input::Receive(self.now, received)).unwrap();
            self.listen(&mut arrives);
        }
        if let Some(receiver) = &mut self.receiver {
            receiver.report(self.now, &mut self.batch);
        }
        let sent = self.batch.datagrams().map(<[u8]>::to_vec).filter(|bytes| arrives(bytes));
        self.under_way.extend(sent);
        self.batch.clear();
    }

    fn listen(&mut self, arrives: &mut impl FnMut(&[u8]) -> bool) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(sent) if arrives(&sent.contents) => self.hear(&sent.contents),
                Output::Event(Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. })) => {
                    self.estimate = Some(estimate.as_u64());
                }
                Output::Event(Event::MediaEgressStats(stats)) => self.stats = Some(stats),
                Output::Event(Event::KeyframeRequest(_)) => self.key_frames += 1,
                Output::Transmit(_) | Output::Event(_) => {}
            }
        }
    }

    /// The server's side of the port in small.
    fn hear(&mut self, bytes: &[u8]) {
        let Some(receiver) = self.receiver.as_mut().filter(|_| bytes[0] >= 128) else {
            if let Some(keys) = self.agreed.hear(self.now, bytes, &mut self.batch) {
                let sections = self.agreed.sections.iter().map(Section::of).collect();
                self.receiver = Receiver::new(&keys, sections, "name", self.now);
            }
            return;
        };
        receiver.receive(self.now, bytes, &mut self.heard);
        for heard in self.heard.drain(..) {
            match heard {
                Heard::Packet { sequence, payload, .. } => {
                    self.came.insert(sequence, payload.to_vec());
                }
                Heard::Report { .. } => self.sender_reports += 1,
            }
        }
    }

    /// Sends a frame of so many packets.
    fn send(&mut self, time: u32, count: usize) {
        let now = self.now;
        let pt = self.agreed.sections[0].accepted[0].pt();
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mid, None).unwrap();
        for _ in 0..count {
            let number = self.numbers;
            self.numbers += 1;
            stream.write_rtp(RtpWrite::new(pt, number.into(), time, now, payload_of(number)).nackable(true));
        }
    }
}

fn payload_of(number: u64) -> Vec<u8> {
    (0..1000).map(|at| (at * 7 + number) as u8).collect()
}

#[test]
fn what_a_client_loses_is_repaired() {
    let mut client = Client::connected(false);
    let mut random = 0u32;
    // One in ten is lost, both ways, by a rule of its own; nothing before.
    let mut lossy = move |share: u32| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random >> 16 & 0xff >= share
    };
    for n in 0..400u32 {
        client.send(3000 * n, 4);
        let share = if n < 20 { 0 } else { 26 };
        (0..6).for_each(|_| client.turn(|bytes| bytes[0] < 128 || lossy(share)));
    }
    (0..120).for_each(|_| client.turn(|_| true));
    let receiver = client.receiver.as_ref().unwrap();
    let source = receiver.source(0).unwrap();
    let counts = source.counts();
    let expected = (65_000..client.numbers).map(|number| (number as u16, payload_of(number)));
    let right = expected.filter(|(number, payload)| client.came.get(number) == Some(payload)).count();
    assert!(right >= 1598 && client.came.len() <= 1600, "{right} of 1600; {counts:?}");
    assert!(counts.nacks > 50 && counts.resent > 90 && (100..400).contains(&counts.missing), "{counts:?}");
    assert!(source.rtt().is_some_and(|rtt| rtt < 10 * TURN), "{:?}", source.rtt());
    assert!(client.sender_reports > 5);
    let stats = client.stats.as_ref().unwrap();
    assert!(stats.nacks > 50 && stats.rtt.is_some_and(|rtt| rtt < 10 * TURN), "{stats:?}");
    let remote = stats.remote.as_ref().unwrap();
    assert!((100..400).contains(&remote.packets_lost), "{remote:?}");
}

#[test]
fn a_client_learns_what_the_way_carries() {
    let mut client = Client::connected(true);
    for n in 0..300u32 {
        client.send(3000 * n, 4);
        (0..6).for_each(|_| client.turn(|_| true));
    }
    assert!(client.estimate.is_some_and(|estimate| estimate > 1_000_000), "{:?}", client.estimate);
    assert_eq!(client.came.len(), 1200);
    assert_eq!(client.receiver.as_ref().unwrap().left(), 0);
}

#[test]
fn a_client_is_asked_for_a_key_frame() {
    let mut client = Client::connected(true);
    client.send(0, 1);
    (0..3).for_each(|_| client.turn(|_| true));
    client.receiver.as_mut().unwrap().ask_key_frame(0);
    (0..3).for_each(|_| client.turn(|_| true));
    assert_eq!(client.key_frames, 1);
}
