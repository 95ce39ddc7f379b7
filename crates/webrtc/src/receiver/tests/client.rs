//! A receiver and a whole WebRTC client that publishes, in memory, with a network between them that can lose what it
//! likes.

use super::*;
use crate::engine::{Engine, Outbox};
use crate::negotiate::{Agreement, Terms, agree};
use crate::port::own_address;
use headwater_hub::Action;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use str0m::bwe::{Bitrate, BweKind};
use str0m::change::SdpAnswer;
use str0m::format::Codec as RtcCodec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension as Ext, RtpWrite};
use str0m::stats::MediaEgressStats;
use str0m::{Candidate, Event, Input, Output, Rtc};

const TURN: Duration = Duration::from_millis(5);

struct Client {
    now: Instant,
    engine: Engine,
    outbox: Outbox,
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
    key_frames: usize,
    numbers: u64,
}

fn address() -> SocketAddr {
    ([203, 0, 113, 9], 5000).into()
}

impl Client {
    /// After the handshake. A client that `estimates` sends no more than it thinks the way carries.
    fn connected(estimates: bool) -> Client {
        let now = Instant::now();
        let config = Rtc::builder().set_rtp_mode(true).set_stats_interval(Some(Duration::from_millis(500)));
        let config = if estimates { config.enable_bwe(Some(Bitrate::kbps(500))) } else { config };
        let mut rtc = config.build(now);
        rtc.add_local_candidate(Candidate::host(address(), "udp").unwrap());
        let mut changes = rtc.sdp_api();
        let mid = changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        let (offer, pending) = changes.apply().unwrap();
        let settings = crate::offer::tests::settings("");
        let action = Action::Publish;
        let terms = Terms { action, settings: &settings, codec: None, credentials: None, certificate: None };
        let Agreement { engine, outbox, answer } = agree(&offer.to_sdp_string(), &terms, now).unwrap();
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer).unwrap()).unwrap();
        rtc.bwe().set_bitrate(Bitrate::mbps(3), Bitrate::mbps(3));
        let mut client = Client {
            now,
            engine,
            outbox,
            rtc,
            mid,
            receiver: None,
            batch: Batch::default(),
            heard: Vec::new(),
            came: BTreeMap::new(),
            sender_reports: 0,
            estimate: None,
            stats: None,
            key_frames: 0,
            numbers: 65_000,
        };
        for _ in 0..1000 {
            client.turn(|_| true);
            if let Some(keys) = client.engine.take_keys() {
                let section = client.section();
                client.receiver = Receiver::new(&keys, vec![section], "name", client.now);
                return client;
            }
        }
        panic!("no handshake");
    }

    fn section(&mut self) -> Section {
        let map = self.rtc.media(self.mid).unwrap().remote_extmap().clone();
        let params = self.rtc.codec_config().iter();
        let payload_types = params.map(|params| PayloadType {
            number: *params.pt(),
            resend: params.resend().map(|pt| *pt),
            clock_rate: 90_000,
        });
        let payload_types = payload_types.collect();
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mid, None).unwrap();
        stream.set_rtx_cache(1024, Duration::from_secs(2), None);
        Section {
            mid: self.mid.to_string().into(),
            payload_types,
            sources: vec![(*stream.ssrc(), stream.rtx().map(|ssrc| *ssrc))],
            rids: Vec::new(),
            extensions: Extensions {
                mid: map.id_of(Ext::RtpMid),
                transport: map.id_of(Ext::TransportSequenceNumber),
                ..Extensions::default()
            },
            nack: true,
            key_frames: Some(KeyFrames::Pli),
            transport_feedback: true,
        }
    }

    /// Time passes, and what either side has to say reaches the other if `arrives`.
    fn turn(&mut self, mut arrives: impl FnMut(&[u8]) -> bool) {
        self.now += TURN;
        self.engine.tick(self.now, &mut self.outbox).unwrap();
        self.rtc.handle_input(Input::Timeout(self.now)).unwrap();
        self.listen(&mut arrives);
        let playing = self.receiver.is_some();
        let own = self.outbox.datagrams.drain(..).map(|sent| sent.bytes.to_vec());
        let mut sent: Vec<Vec<u8>> = own.filter(|bytes| !playing || bytes[0] < 128).collect();
        if let Some(receiver) = &mut self.receiver {
            receiver.report(self.now, &mut self.batch);
        }
        sent.extend(self.batch.datagrams().map(<[u8]>::to_vec).filter(|bytes| arrives(bytes)));
        self.batch.clear();
        for bytes in sent {
            let received = Receive::new(Protocol::Udp, own_address(address()), address(), &bytes).unwrap();
            self.rtc.handle_input(Input::Receive(self.now, received)).unwrap();
            self.listen(&mut arrives);
        }
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
            let received = Receive::new(Protocol::Udp, address(), own_address(address()), bytes).unwrap();
            self.engine.receive(self.now, received, &mut self.outbox).unwrap();
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
        let mut params = self.rtc.codec_config().iter();
        let pt = params.find(|params| params.spec().codec == RtcCodec::Vp8).unwrap().pt();
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
