//! What a receiver bears, and what it takes.

use super::*;
use proptest::prelude::*;

#[test]
fn sources_have_a_bound() {
    let mut pair = Pair::new(sections());
    let sources =
        |pair: &mut Pair| (0..30).filter(|&ssrc| pair.send(0, &Sent { ssrc, ..PLAIN }).is_some()).count();
    assert_eq!(sources(&mut pair), SOURCES_MAX);
    assert_eq!(pair.receiver.left(), 30 - SOURCES_MAX as u64);
}

#[test]
fn other_reports_harm_nothing() {
    let mut pair = Pair::new(sections());
    pair.numbers(0, [1]);
    let info = SenderInfo::default();
    let unknown = Rtcp::SenderReport { ssrc: 99, info, blocks: Vec::new() };
    let name = Rtcp::Description(vec![Chunk { ssrc: 7, items: vec![(CNAME, "x".into())] }]);
    let bye = Rtcp::Bye { ssrcs: vec![7], reason: "gone".into() };
    assert!(pair.send_reports(0, &[unknown, name, bye]).is_none());
    let mut extended = vec![0x80, 207, 0, 1, 0, 0, 0, 7];
    pair.sealer.rtcp(&mut extended, 0).unwrap();
    pair.receiver.receive(pair.start, &extended, &mut pair.heard);
    assert!(pair.heard.is_empty());
    assert!(pair.send(0, &Sent { number: 2, ..PLAIN }).is_some());
}

#[test]
fn a_packet_allocates_nothing_but_its_share_of_a_chunk() {
    let mut pair = Pair::new(sections());
    let body = [7; 1100];
    let sealed: Vec<Vec<u8>> = (0..1000u64)
        .map(|n| {
            let number = (n as u16).to_be_bytes();
            let extensions: &[(u8, &[u8])] = &[(MID, b"v"), (TRANSPORT, &number)];
            pair.sealed(&Sent { number: n, extensions, payload: &body, ..PLAIN })
        })
        .collect();
    let (warm, rest) = sealed.split_at(600);
    let mut heard = Vec::with_capacity(rest.len());
    let (now, receiver) = (pair.start, &mut pair.receiver);
    warm.iter().for_each(|packet| receiver.receive(now, packet, &mut heard));
    receiver.report(now, &mut pair.batch);
    heard.clear();
    let counted = allocation_counter::measure(|| {
        rest.iter().for_each(|packet| receiver.receive(now, packet, &mut heard))
    });
    assert_eq!(heard.len(), 400);
    // All payloads are kept: 29 fill a chunk, which is one allocation for its bytes and one for its count.
    assert!(counted.count_total <= 30, "{counted:?}");
    assert!(counted.bytes_total < 400 * 1200, "{counted:?}");
}

#[test]
fn chunks_are_used_again() {
    let mut pair = Pair::new(sections());
    let body = [7; 1100];
    let sealed: Vec<Vec<u8>> =
        (0..500).map(|number| pair.sealed(&Sent { number, payload: &body, ..PLAIN })).collect();
    let (warm, rest) = sealed.split_at(100);
    let (now, receiver, mut heard) = (pair.start, &mut pair.receiver, Vec::new());
    let mut receive = |packets: &[Vec<u8>]| {
        for packet in packets {
            receiver.receive(now, packet, &mut heard);
            heard.clear();
        }
    };
    receive(warm);
    let counted = allocation_counter::measure(|| receive(rest));
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn arbitrary_bytes_never_panic(
        datagrams in prop::collection::vec((any::<[u8; 2]>(), prop::collection::vec(any::<u8>(), 0..80)), 0..20),
        harm in prop::collection::vec((0usize..60, any::<u8>()), 0..4),
        contents in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..60)), 0..20),
    ) {
        let mut pair = Pair::new(layers());
        for (first, rest) in datagrams {
            pair.receiver.receive(pair.start, &[&first[..], &rest].concat(), &mut pair.heard);
        }
        let mut harmed = pair.sealed(&PLAIN);
        for (at, mask) in harm {
            harmed.get_mut(at).into_iter().for_each(|byte| *byte ^= mask);
        }
        pair.receiver.receive(pair.start, &harmed, &mut pair.heard);
        // What is sealed well and means nothing.
        for (n, (first, body)) in contents.iter().enumerate() {
            let mut packet = [&[0x80 | first & 0x3f, *first][..], body].concat();
            let sequence = body.first_chunk().map_or(0, |&two| u16::from_be_bytes(two));
            let ssrc = body.get(6..10).map_or(0, |four| u32::from_be_bytes(four.try_into().unwrap()));
            let head = Head::parse(&packet).map_or(12, |head| head.bytes);
            let sealed = if n % 3 == 0 && packet.len() >= 8 {
                packet[1] = 200 + packet[1] % 8;
                pair.sealer.rtcp(&mut packet, 0)
            } else {
                pair.sealer.rtp(&mut packet, 0, head, ssrc, sequence.into())
            };
            if sealed.is_ok() {
                pair.receiver.receive(pair.at(n as u64), &packet, &mut pair.heard);
            }
        }
        pair.reports(2000);
        prop_assert!(pair.receiver.sources().len() <= SOURCES_MAX);
    }
}
