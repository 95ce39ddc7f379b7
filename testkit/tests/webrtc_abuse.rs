//! WebRTC under attack: floods, forgeries and replays fail without harm, while somebody else's session goes on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::http::Request;
use headwater_testkit::network::{Network, Way, Weather};
use headwater_testkit::rtc::{Peer, Rtp, Wish, frames, missed, stun};
use headwater_testkit::{Clip, Options, Publisher, Server, free_port, wait};
use serde_json::Value;
use std::cell::Cell;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};
use str0m::RtcConfig;

const LIMIT: Duration = Duration::from_secs(30);

/// What a server may grow by under any of these attacks, in bytes.
const GROWTH_MAX: u64 = 32 << 20;

/// Longest time without a picture that a bystander may notice. A freeze that a flood makes lasts as long as it; much
/// shorter ones are the test machine's, which is shared.
const FREEZE: Duration = Duration::from_secs(8);

/// Share of its packets that a bystander may miss.
const MISSED: f64 = 0.02;

fn h264(config: RtcConfig) -> RtcConfig {
    config.enable_h264(true).enable_opus(true, false)
}

/// A server, its port, a stream, and somebody who watches it.
struct Setup {
    server: Server,
    port: u16,
    _publisher: Publisher,
    bystander: Peer,
    memory: u64,
}

impl Setup {
    fn new() -> Setup {
        let port = free_port();
        let root = format!("rtc_server {{ enabled on; listen {port}; candidate 127.0.0.1; }}");
        let vhost = "rtc { enabled on; rtmp_to_rtc on; rtc_to_rtmp on; stun_timeout 5; }".to_owned();
        let server = Server::start(&Options { root, vhost, ..Options::default() });
        let clip = Clip::H264Aac;
        let publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
        server.wait_until_published("s");
        let bystander = play(&server).unwrap().connected();
        bystander.wait_for("pictures", LIMIT, |seen| (seen.packets.len() > 100).then_some(()));
        let memory = resident(server.pid());
        Setup { server, port, _publisher: publisher, bystander, memory }
    }

    /// A socket of somebody who has nothing to do with any session.
    fn stranger(&self) -> UdpSocket {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    /// The bystander noticed nothing, and the server is as it was.
    fn assert_unharmed(&self) {
        let pictures = |packets: &[Rtp]| frames(packets).0;
        let before = pictures(&self.bystander.look().packets);
        self.bystander
            .wait_for("more pictures", LIMIT, |seen| (pictures(&seen.packets) > before + 25).then_some(()));
        let (count, gap) = frames(&self.bystander.look().packets);
        assert!(gap < FREEZE, "{gap:?} without a picture, {count} in all");
        let missed = missed(&self.bystander.look().packets);
        assert!(
            missed < MISSED,
            "{missed} of the pictures' packets are missing: {:#?}",
            self.sessions().first()
        );
        let grown = resident(self.server.pid()).saturating_sub(self.memory);
        assert!(grown < GROWTH_MAX, "the server has grown by {grown} bytes");
        assert!(!self.server.log().contains("panicked"));
    }

    /// The sessions that are.
    fn sessions(&self) -> Vec<Value> {
        self.server.api("/api/v1/rtc/sessions/")["sessions"].as_array().unwrap().clone()
    }

    /// Those that failed lately.
    fn failed(&self) -> Vec<Value> {
        self.server.api("/api/v1/rtc/sessions/")["failed"].as_array().unwrap().clone()
    }

    /// The bystander's ICE user names, as everybody on the way of the signalling could know them.
    fn user(&self) -> String {
        let answer = &self.bystander.answer;
        let ours = answer.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap();
        format!("{}:abcd", ours.trim_end())
    }
}

fn play(server: &Server) -> Result<Peer, (u16, String)> {
    Peer::play(&Wish::new(server.api_address(), "/rtc/v1/whep/?app=live&stream=s", h264))
}

/// Bytes of memory a process holds.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Datagrams that a socket was sent by anybody.
fn answers(socket: &UdpSocket) -> usize {
    std::iter::from_fn(|| socket.recv(&mut [0; 2000]).ok()).count()
}

/// Repeatable bytes.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
}

/// Sends so many datagrams from a hundred addresses; those of a full socket are sent again.
fn flood(setup: &Setup, count: u32, datagram: impl Fn(u32) -> Vec<u8>) {
    let strangers: Vec<UdpSocket> = (0..100).map(|_| setup.stranger()).collect();
    for n in 0..count {
        strangers[n as usize % strangers.len()].send(&datagram(n)).ok();
    }
    setup.assert_unharmed();
    let answered: usize = strangers.iter().map(answers).sum();
    assert_eq!(answered, 0, "strangers were answered");
}

#[test]
fn stun_of_strangers_is_not_answered() {
    let setup = Setup::new();
    let user = setup.user();
    let transaction = |n: u32| std::array::from_fn(|at| (n >> (at % 4 * 8)) as u8);
    flood(&setup, 100_000, |n| match n % 5 {
        0 => stun(&format!("{n:08x}:abcd"), transaction(n), None),
        1 => stun(&user, transaction(n), None),
        2 => stun(&user, transaction(n), Some([n as u8; 20])),
        3 => stun(&"x".repeat(500), transaction(n), Some([0; 20])),
        _ => noise(n.into()).take(n as usize % 200).collect(),
    });
    let tried = |session: &Value| session["tried"].as_array().unwrap().len();
    assert_eq!(setup.sessions().iter().map(tried).collect::<Vec<_>>(), [1], "a forged request counted");
}

#[test]
fn dtls_and_media_of_strangers_are_not_answered() {
    let setup = Setup::new();
    // A ClientHello of DTLS 1.2 as far as its header; RTP and RTCP in the clear.
    let mut hello =
        vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 1, 0, 0, 188, 0, 0, 0, 0, 0, 0, 0, 188];
    hello.extend([0xfe, 0xfd]);
    hello.extend(noise(1).take(186));
    let rtp = [&[0x80, 102, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1][..], &[0x65; 900]].concat();
    let rtcp = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
    flood(&setup, 60_000, |n| match n % 3 {
        0 => hello.clone(),
        1 => rtp.clone(),
        _ => rtcp.to_vec(),
    });
}

#[test]
fn datagrams_of_every_size_are_survived() {
    let setup = Setup::new();
    let stranger = setup.stranger();
    let sizes = (0..1600).chain((1600..=65_000).step_by(613)).chain([65_506, 65_507]);
    for size in sizes {
        let bytes: Vec<u8> = noise(size as u64).take(size).collect();
        stranger.send(&bytes).ok();
    }
    // The same from the address of a session, once for each kind of first byte: STUN, DTLS, RTP and RTCP, others.
    let victim = play(&setup.server).unwrap().connected();
    for first in [0u8, 1, 20, 21, 22, 23, 25, 64, 128, 144, 160, 191, 200, 255] {
        for size in (1..1500).step_by(97) {
            let mut bytes: Vec<u8> = noise(size as u64).take(size).collect();
            bytes[0] = first;
            victim.send_raw(&bytes);
        }
    }
    let count = victim.look().packets.len();
    victim.wait_for("media to go on", LIMIT, |seen| (seen.packets.len() > count + 100).then_some(()));
    setup.assert_unharmed();
    assert_eq!(answers(&stranger), 0);
}

/// Handshake records that a peer's address can be made to seem to send after the handshake, and alerts in the clear.
#[test]
fn forged_dtls_does_not_end_a_session() {
    let setup = Setup::new();
    let victim = play(&setup.server).unwrap().connected();
    let record = |kind: u8, epoch: u8, sequence: u8, body: &[u8]| {
        let mut record = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, sequence];
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        record
    };
    for sequence in 0..20 {
        victim.send_raw(&record(21, 0, sequence, &[2, 40])); // fatal: handshake_failure
        victim.send_raw(&record(21, 0, sequence, &[1, 0])); // close_notify
        victim.send_raw(&record(21, 1, 200 + sequence, &[7; 26])); // an alert that nobody encrypted
        victim.send_raw(&record(22, 0, sequence, &[1, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4]));
        victim.send_raw(&record(20, 0, sequence, &[1]));
        victim.send_raw(&record(23, 1, 200 + sequence, &[9; 64]));
        victim.send_raw(&record(99, 0, sequence, &[]));
    }
    let count = victim.look().packets.len();
    victim.wait_for("media to go on", LIMIT, |seen| {
        assert!(!seen.closed, "forged records ended the session");
        (seen.packets.len() > count + 200).then_some(())
    });
    setup.assert_unharmed();
}

/// Who knows the password but hears nothing, as somebody whose address was forged, is not sent more than it asked with.
#[test]
fn answers_are_no_longer_than_requests() {
    let setup = Setup::new();
    let network = Network::to(setup.port, 1);
    network.set_way(Way::Down, Weather { dark: true, ..Weather::default() });
    let path = format!("/rtc/v1/whep/?app=live&stream=s&eip={}", network.address());
    // Of the answer's addresses only the one behind the network is left: the other one would get through.
    let wish = Wish { only: Some(network.address()), ..Wish::new(setup.server.api_address(), &path, h264) };
    let peer = Peer::play(&wish).unwrap();
    wait::until("requests", LIMIT, || (network.counts(Way::Up).taken >= 6).then_some(()));
    wait::until("answers", LIMIT, || (network.counts(Way::Down).taken >= 6).then_some(()));
    let (asked, answered) = (network.counts(Way::Up), network.counts(Way::Down));
    assert!(answered.bytes <= asked.bytes, "{asked:?} {answered:?}");
    assert!(!peer.look().connected);
    setup.assert_unharmed();
}

fn publish(setup: &Setup, stream: &str) -> Peer {
    let path = format!("/rtc/v1/whip/?app=live&stream={stream}");
    Peer::publish(&Wish::new(setup.server.api_address(), &path, h264)).unwrap().connected()
}

/// A tone's worth of Opus: 20 ms of silence.
const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

fn sound(kind: u8, n: u64, payload: &[u8]) -> Rtp {
    Rtp {
        video: false,
        kind,
        sequence: 1000 + n,
        timestamp: (960 * n) as u32,
        marker: false,
        payload: payload.to_vec(),
        at: Instant::now(),
    }
}

/// Media in the clear, or encrypted by somebody else, from the right address and with the right numbers.
#[test]
fn media_without_the_keys_are_not_taken() {
    let setup = Setup::new();
    let publisher = publish(&setup, "mine");
    setup.server.wait_until_published("mine");
    let path = "/rtc/v1/whep/?app=live&stream=mine";
    let viewer = Peer::play(&Wish::new(setup.server.api_address(), path, h264)).unwrap().connected();
    let opus = publisher.payload_type("opus");
    let sent = Cell::new(0);
    wait::until("sound", LIMIT, || {
        publisher.send(sound(opus, sent.get(), &SILENCE));
        sent.set(sent.get() + 1);
        (viewer.look().packets.len() > 20).then_some(())
    });
    let forged = |n: u64, tail: usize| {
        let mut packet = vec![0x80, opus];
        packet.extend(((1000 + n) as u16).to_be_bytes());
        packet.extend(((960 * n) as u32).to_be_bytes());
        packet.extend([1, 2, 3, 4]);
        packet.extend([0xee; 40]);
        packet.extend(noise(n).take(tail));
        packet
    };
    let bye = [0x81, 203, 0, 1, 0, 0, 0, 1];
    for n in 0..200 {
        publisher.send_raw(&forged(sent.get() + n, 0));
        publisher.send_raw(&forged(sent.get() + n, 16));
        publisher.send_raw(&bye);
    }
    let before = viewer.look().packets.len();
    wait::until("more sound", LIMIT, || {
        publisher.send(sound(opus, sent.get(), &SILENCE));
        sent.set(sent.get() + 1);
        (viewer.look().packets.len() > before + 20).then_some(())
    });
    let foreign = viewer.look().packets.iter().any(|packet| packet.payload != SILENCE);
    assert!(!foreign, "forged media reached a viewer");
    setup.assert_unharmed();
}

/// Whose certificate is not the one the offer told gets no session, and nobody plays what it sends.
#[test]
fn a_certificate_that_was_not_offered_ends_the_session() {
    let setup = Setup::new();
    let forge = |offer: String| {
        let line = offer.lines().find(|line| line.starts_with("a=fingerprint:")).unwrap().to_owned();
        let (name, digits) = line.split_once(' ').unwrap();
        let turned: Vec<&str> = digits.split(':').rev().collect();
        offer.replace(&line, &format!("{name} {}", turned.join(":")))
    };
    let path = "/rtc/v1/whip/?app=live&stream=forged";
    let wish = Wish { offer: &forge, ..Wish::new(setup.server.api_address(), path, h264) };
    let forger = Peer::publish(&wish).unwrap();
    let reason = wait::until("the session to fail", LIMIT, || {
        let failed = setup.failed();
        let session = failed.iter().find(|session| session["kind"] == "rtc-publish")?;
        session["reason"].as_str().map(str::to_owned)
    });
    assert!(reason.contains("fingerprint"), "{reason}");
    assert!(setup.server.stream("forged").is_none_or(|stream| stream["publish"]["active"] != true));
    drop(forger);
    setup.assert_unharmed();
}

#[test]
fn urls_of_sessions_work_once_and_with_their_token() {
    let setup = Setup::new();
    let [one, other] = [(); 2].map(|()| play(&setup.server).unwrap().connected());
    let request = |method: &str, path: &str| {
        let request = Request::get(setup.server.api_address(), path).method(method);
        let request = request.header("Content-Type", "application/trickle-ice-sdpfrag");
        request.body(b"a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n").send().unwrap().status
    };
    let token =
        |location: &str| location.split("token=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let stolen = one.location.replace(&token(&one.location), &token(&other.location));
    let none = one.location.replace(&token(&one.location), "");
    assert_eq!((request("DELETE", &stolen), request("PATCH", &stolen)), (403, 403));
    assert!(request("DELETE", &none) >= 400 && request("PATCH", &none) >= 400);
    assert_eq!(setup.sessions().len(), 3, "somebody else's token ended a session");
    assert_eq!(one.delete(), 200);
    wait::until("the session to end", LIMIT, || (setup.sessions().len() == 2).then_some(()));
    assert_eq!(one.delete(), 404);
    assert_eq!(request("PATCH", &one.location), 404);
    let count = other.look().packets.len();
    other.wait_for("the other session to go on", LIMIT, |seen| {
        (seen.packets.len() > count + 50).then_some(())
    });
    setup.assert_unharmed();
}

/// Offers without anybody who comes: few are kept, the others are told to come back, and all are gone in the end with
/// the reason.
#[test]
fn half_made_sessions_are_bounded() {
    let setup = Setup::new();
    let offer = Cell::new(String::new());
    let keep = |text: String| {
        offer.set(text.clone());
        text
    };
    let wish = Wish {
        offer: &keep,
        ..Wish::new(setup.server.api_address(), "/rtc/v1/whep/?app=live&stream=s", h264)
    };
    drop(Peer::play(&wish).unwrap());
    let offer = offer.take();
    let mut kept = 0;
    let mut refused = 0;
    for _ in 0..500 {
        let path = "/rtc/v1/whep/?app=live&stream=s&eip=203.0.113.9";
        let request = Request::get(setup.server.api_address(), path).method("POST");
        let answer = request.header("Content-Type", "application/sdp").body(offer.as_bytes()).send().unwrap();
        match answer.status {
            201 => kept += 1,
            503 => {
                assert!(answer.header("retry-after").is_some());
                refused += 1;
            }
            other => panic!("{other}: {:?}", answer.text()),
        }
    }
    assert!(kept <= 256 && kept + refused == 500, "{kept} kept, {refused} refused");
    setup.assert_unharmed();
    wait::until("all of them to be gone", Duration::from_secs(45), || {
        let sessions = setup.sessions();
        let waiting = sessions.iter().filter(|session| session["phase"] == "waiting").count();
        (waiting == 0).then_some(())
    });
    let failed = setup.failed();
    let told = failed.iter().filter_map(|session| session["reason"].as_str());
    let named = told.filter(|reason| reason.contains("203.0.113.9")).count();
    assert!(named > 0, "nobody says why: {failed:#?}");
    setup.assert_unharmed();
}
