//! A sender and a whole WebRTC client in memory, with a network between them that can lose what it likes.

use super::*;
use crate::agreement::Agreement;
use crate::agreement::tests::{addresses, answered};
use crate::packetlog::Packet;
use headwater_conf::VhostRtc;
use headwater_hub::Action;
use headwater_media::{Codec, Track as Kind};
use headwater_rtp::Head;
use std::collections::BTreeMap;
use str0m::change::SdpAnswer;
use str0m::format::{Codec as RtcCodec, PayloadParams};
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};

/// What passes between two turns of a [`Pair`].
const TURN: Duration = Duration::from_millis(5);

struct Pair {
    now: Instant,
    agreed: Agreement,
    client: Rtc,
    sender: Option<Sender>,
    batch: Batch,
    /// Datagrams on their way to the client, so many turns from now.
    delayed: Vec<(u32, Vec<u8>)>,
    /// Payloads that came, by SSRC and number.
    came: BTreeMap<(u32, u64), Vec<u8>>,
    asked: bool,
    /// Of the pictures that are sent.
    ids: Ids,
}

/// What the payloads of [`burst`] begin with: X, S; I; 15 bits of PictureID (RFC 7741 4.2).
const DESCRIPTOR: [u8; 4] = [0x90, 0x80, 0x80, 9];

impl Pair {
    /// Both after their handshake, with a track of video and one of sound.
    fn connected(settings: &VhostRtc) -> Pair {
        let now = Instant::now();
        let mut client = Rtc::builder().set_rtp_mode(true).build(now);
        client.add_local_candidate(Candidate::host(addresses().1, "udp").unwrap());
        let mut changes = client.sdp_api();
        changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = changes.apply().unwrap();
        let agreed = answered(&offer.to_sdp_string(), Action::Play, settings, now);
        let accepted = SdpAnswer::from_sdp_string(&agreed.answer).unwrap();
        client.sdp_api().accept_answer(pending, accepted).unwrap();
        let mut pair = Pair {
            now,
            agreed,
            client,
            sender: None,
            batch: Batch::default(),
            delayed: Vec::new(),
            came: BTreeMap::new(),
            asked: false,
            ids: Ids { picture: 9, base: 0 },
        };
        for _ in 0..1000 {
            pair.turn(|_| true);
            if pair.sender.is_some() {
                pair.turn(|_| true); // the handshake's end
                return pair;
            }
        }
        panic!("no handshake");
    }

    fn make_sender(&self, keys: &Keys) -> Sender {
        let mut sender = Sender::new(keys, "name", self.now).unwrap();
        for (section, clock_rate) in self.agreed.sections.iter().zip([48_000, 90_000]) {
            let (ssrc, rtx) = section.own.unwrap();
            let resend = clock_rate == 90_000 && section.accepted.iter().any(PayloadParams::fb_nack);
            let (mid, extensions) = (section.mid.clone(), section.extensions);
            sender.track(self.now, TrackTerms { ssrc, rtx, mid, clock_rate, extensions, resend });
        }
        sender
    }

    /// What the client calls a codec, and its packets that are sent again.
    fn types(&self, codec: RtcCodec) -> (u8, Option<u8>) {
        let mut known = self.agreed.sections.iter().flat_map(|section| &section.accepted);
        let params = known.find(|params| params.spec().codec == codec).unwrap();
        (*params.pt(), params.resend().map(|pt| *pt))
    }

    /// Time passes, and what either side has to say reaches the other if `arrives`.
    fn turn(&mut self, mut arrives: impl FnMut(&[u8]) -> bool) {
        self.now += TURN;
        self.agreed.dtls.tick(self.now, &mut self.batch).unwrap();
        self.client.handle_input(Input::Timeout(self.now)).unwrap();
        self.listen(&mut arrives);
        let sent: Vec<Vec<u8>> = self.batch.datagrams().map(<[u8]>::to_vec).collect();
        self.batch.clear();
        sent.into_iter().filter(|bytes| arrives(bytes)).for_each(|bytes| self.deliver(&bytes));
        self.delayed.iter_mut().for_each(|(turns, _)| *turns -= 1);
        let due: Vec<_> = self.delayed.extract_if(.., |(turns, _)| *turns == 0).collect();
        due.into_iter().for_each(|(_, bytes)| self.deliver(&bytes));
    }

    /// Brings the client a datagram.
    fn deliver(&mut self, bytes: &[u8]) {
        let (ours, theirs) = addresses();
        let received = Receive::new(Protocol::Udp, ours, theirs, bytes).unwrap();
        self.client.handle_input(Input::Receive(self.now, received)).unwrap();
        self.listen(&mut |_| true);
    }

    /// Hears what the client makes of it all.
    fn listen(&mut self, arrives: &mut impl FnMut(&[u8]) -> bool) {
        loop {
            match self.client.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(sent) if arrives(&sent.contents) => self.hear(&sent.contents),
                Output::Transmit(_) => {}
                Output::Event(Event::RtpPacket(packet)) => {
                    self.came.insert((*packet.header.ssrc, *packet.seq_no), packet.payload.to_vec());
                }
                Output::Event(_) => {}
            }
        }
    }

    /// The server's side of the port in small.
    fn hear(&mut self, bytes: &[u8]) {
        match &mut self.sender {
            Some(sender) if bytes[0] >= 128 => self.asked |= sender.receive(self.now, bytes, &mut self.batch),
            None if bytes[0] >= 128 => {}
            _ => {
                let keys = self.agreed.hear(self.now, bytes, &mut self.batch);
                self.sender = keys.map(|keys| self.make_sender(&keys)).or_else(|| self.sender.take());
            }
        }
    }

    /// Sends a burst; the track is 0 for sound, 1 for video.
    fn send(&mut self, track: usize, burst: &Arc<Burst>, first: u64) {
        let codec = if track == 0 { RtcCodec::Opus } else { RtcCodec::Vp8 };
        let (payload_type, resend_type) = self.types(codec);
        let sender = self.sender.as_mut().unwrap();
        for index in 0..burst.packets.len() {
            let number = first + index as u64;
            let (time, ids) = (burst.time, self.ids);
            let placed = Placed { burst, index, time, payload_type, resend_type, number, ids };
            sender.send(self.now, track, placed, &mut self.batch);
        }
    }

    fn ssrc(&self, track: usize) -> u32 {
        self.sender.as_ref().unwrap().tracks[track].terms.ssrc
    }
}

/// A frame of `count` packets that nobody else sends.
fn burst(kind: Kind, time: u32, count: usize, wallclock: Instant) -> Arc<Burst> {
    let packet = |n: usize| Packet {
        payload: DESCRIPTOR
            .into_iter()
            .chain((0..1000).map(|at| (at * 7 + n * 31 + time as usize) as u8))
            .collect(),
        marker: n + 1 == count,
        sequence: n as u64,
    };
    Arc::new(Burst {
        track: kind,
        codec: if kind == Kind::Audio { Codec::Opus } else { Codec::Vp8 },
        layer: 0,
        key: false,
        disposable: false,
        redundant: None,
        instead_of: None,
        time,
        wallclock,
        packets: (0..count).map(packet).collect(),
    })
}

fn settings(nack: bool) -> VhostRtc {
    crate::offer::tests::settings(if nack { "" } else { "nack off;" })
}

#[test]
fn a_client_opens_what_is_sealed() {
    let mut pair = Pair::connected(&settings(true));
    for n in 0..50u32 {
        let (video, sound) =
            (burst(Kind::Video, 3000 * n, 5, pair.now), burst(Kind::Audio, 960 * n, 1, pair.now));
        pair.send(1, &video, 100 + 5 * u64::from(n));
        pair.send(0, &sound, 65_500 + u64::from(n)); // over the wrap
        pair.turn(|_| true);
    }
    let (sound, video) = (pair.ssrc(0), pair.ssrc(1));
    let of = |ssrc| pair.came.range((ssrc, 0)..=(ssrc, u64::MAX)).map(|(_, payload)| payload.clone());
    assert_eq!((of(video).count(), of(sound).count()), (250, 50));
    let sent = (0..50).flat_map(|n| burst(Kind::Video, 3000 * n, 5, pair.now).packets.clone());
    assert!(sent.map(|packet| packet.payload.to_vec()).eq(of(video)));
}

#[test]
fn what_is_lost_is_sent_again() {
    let mut pair = Pair::connected(&settings(true));
    let mut number = 0u32;
    // One in ten is lost, both ways, by a rule of its own.
    let mut lossy = move |bytes: &[u8]| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes[0] < 128 || number >> 16 & 0xff > 25
    };
    for n in 0..200u32 {
        let video = burst(Kind::Video, 3000 * n, 5, pair.now);
        pair.send(1, &video, 100 + 5 * u64::from(n));
        (0..4).for_each(|_| pair.turn(&mut lossy));
    }
    (0..100).for_each(|_| pair.turn(&mut lossy));
    let ssrc = pair.ssrc(1);
    let came = pair.came.range((ssrc, 0)..=(ssrc, u64::MAX)).count();
    let counts = pair.sender.as_ref().unwrap().counts(1);
    assert!(came >= 990, "{came} of 1000 came; {counts:?}");
    assert!(counts.resent > 50 && counts.nacks > 20, "{counts:?}");
    let loss = pair.sender.as_ref().unwrap().loss();
    assert!((0.02..0.3).contains(&loss), "{loss}");
}

#[test]
fn a_picture_keeps_its_ids_when_it_is_sent_again() {
    let mut pair = Pair::connected(&settings(true));
    pair.ids.picture = 0x1234;
    let (mut number, mut lost) = (0, 0);
    for n in 0..40u32 {
        let video = burst(Kind::Video, 3000 * n, 5, pair.now);
        pair.send(1, &video, 100 + 5 * u64::from(n));
        (0..4).for_each(|_| {
            pair.turn(|bytes| {
                number += usize::from(bytes[0] >= 128);
                let passes = bytes[0] < 128 || !number.is_multiple_of(7);
                lost += usize::from(!passes);
                passes
            });
        });
    }
    (0..100).for_each(|_| pair.turn(|_| true));
    let ssrc = pair.ssrc(1);
    let came: Vec<_> = pair.came.range((ssrc, 0)..=(ssrc, u64::MAX)).map(|(_, payload)| payload).collect();
    assert!(lost > 20 && pair.sender.as_ref().unwrap().counts(1).resent > 10);
    assert_eq!(came.len(), 200);
    for payload in came {
        assert_eq!((&payload[..4], payload.len()), (&[0x90, 0x80, 0x92, 0x34][..], 1004));
    }
}

#[test]
fn reports_tell_time_and_the_way_back() {
    let mut pair = Pair::connected(&settings(true));
    for n in 0..600u32 {
        let video = burst(Kind::Video, 450 * n, 2, pair.now);
        pair.send(1, &video, 100 + 2 * u64::from(n));
        let (now, sender) = (pair.now, pair.sender.as_mut().unwrap());
        sender.report(now, &mut pair.batch);
        pair.turn(|_| true);
    }
    let sender = pair.sender.as_ref().unwrap();
    assert!(sender.rtt().is_some_and(|rtt| rtt < 10 * TURN), "{:?}", sender.rtt());
    assert!(sender.estimate().is_some_and(|estimate| estimate > 100_000), "{:?}", sender.estimate());
    assert_eq!(sender.counts(1).lost, Some(0));
    assert!(sender.tracks[1].bound && !sender.tracks[0].bound);
}

#[test]
fn a_key_frame_is_asked_for() {
    let mut pair = Pair::connected(&settings(true));
    let video = burst(Kind::Video, 0, 1, pair.now);
    pair.send(1, &video, 100);
    pair.turn(|_| true);
    let ssrc = pair.ssrc(1).into();
    let mut api = pair.client.direct_api();
    api.stream_rx(&ssrc).unwrap().request_keyframe(str0m::media::KeyframeRequestKind::Pli);
    (0..3).for_each(|_| pair.turn(|_| true));
    assert!(pair.asked && pair.sender.as_ref().unwrap().counts(1).plis == 1);
}

#[test]
fn without_nack_nothing_is_kept() {
    let mut pair = Pair::connected(&settings(false));
    let video = burst(Kind::Video, 0, 1, pair.now);
    pair.send(1, &video, 100);
    assert!(pair.sender.as_mut().unwrap().tracks[1].resends.again(pair.now, 100, TURN).is_none());
}

#[test]
fn what_is_sent_again_without_a_stream_of_its_own_is_the_same() {
    let mut pair = Pair::connected(&settings(true));
    let sender = pair.sender.as_mut().unwrap();
    sender.tracks[1].terms.rtx = None;
    let ssrc = sender.tracks[1].terms.ssrc;
    let video = burst(Kind::Video, 0, 3, pair.now);
    pair.send(1, &video, 100);
    let first: Vec<Vec<u8>> = pair.batch.datagrams().map(<[u8]>::to_vec).collect();
    pair.batch.clear();
    let (now, sender) = (pair.now, pair.sender.as_mut().unwrap());
    sender.tracks[1].bound = true; // what was learned meanwhile must change nothing
    sender.resend(now, ssrc, &[101, 100, 99], &mut pair.batch);
    let again: Vec<Vec<u8>> = pair.batch.datagrams().map(<[u8]>::to_vec).collect();
    assert_eq!(again, [first[1].clone(), first[0].clone()]);
}

/// Firefox takes no SSRC that says nothing of itself once it has learned another one of the section.
#[test]
fn what_is_sent_again_says_the_mid_for_good() {
    let mut pair = Pair::connected(&settings(true));
    let video = burst(Kind::Video, 0, 2, pair.now);
    pair.sender.as_mut().unwrap().tracks[1].bound = true;
    pair.send(1, &video, 100);
    let (now, sender) = (pair.now, pair.sender.as_mut().unwrap());
    let terms = sender.tracks[1].terms.clone();
    sender.resend(now, terms.ssrc, &[100], &mut pair.batch);
    let mids: Vec<(bool, bool)> = pair.batch.datagrams().map(|bytes| said(bytes, &terms)).collect();
    assert_eq!(mids, [(false, false), (false, false), (true, true)]);
}

/// Whether a packet is one that was sent again, and whether it says the mid.
fn said(packet: &[u8], terms: &TrackTerms) -> (bool, bool) {
    let head = Head::parse(packet).unwrap();
    let mid = |extension: Extension<'_>| Some(extension.id) == terms.extensions.mid;
    (Some(head.header.ssrc) == terms.rtx, head.extensions(packet).any(mid))
}

#[test]
fn a_packet_allocates_nothing() {
    let mut pair = Pair::connected(&settings(true));
    let bursts: Vec<_> = (0..50).map(|n| burst(Kind::Video, 3000 * n, 8, pair.now)).collect();
    let (payload_type, resend_type) = pair.types(RtcCodec::Vp8);
    let (now, batch) = (pair.now, &mut pair.batch);
    let sender = pair.sender.as_mut().unwrap();
    let mut number = 100;
    let mut send_all = |batch: &mut Batch| {
        for burst in &bursts {
            batch.clear();
            for index in 0..burst.packets.len() {
                number += 1;
                let (time, ids) = (burst.time, Ids { picture: 10, base: 0 }); // written anew
                let placed = Placed { burst, index, time, payload_type, resend_type, number, ids };
                sender.send(now, 1, placed, batch);
            }
        }
    };
    (0..4).for_each(|_| send_all(batch)); // the batch gets its room, and what is kept
    let counted = allocation_counter::measure(|| send_all(batch));
    assert_eq!(counted.count_total, 0, "400 packets: {counted:?}");
    assert_eq!(batch.datagrams().count(), 8);
}
