//! Players on real sockets and real workers: what they receive, when they jump, how they end.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use bytes::{BufMut, Bytes, BytesMut};
use headwater_hub::{
    Connection, End, Event, Format, FormatKey, Headers, Hub, Mux, Observer, Options, Player, Publisher,
    Session, SessionId, SessionInfo, Stream, StreamName, Workers,
};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Longest a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Frames as length (4 bytes) and payload.
struct Plain(FormatKey, Option<Bytes>);

struct PlainMux;

impl Format for Plain {
    fn key(&self) -> &FormatKey {
        &self.0
    }
    fn mux(&self) -> Box<dyn Mux> {
        Box::new(PlainMux)
    }
    fn trailer(&self) -> Option<Bytes> {
        self.1.clone()
    }
}

impl Mux for PlainMux {
    fn frame(&mut self, frame: &Frame, out: &mut BytesMut) {
        out.put_u32(frame.payload.len() as u32);
        out.extend_from_slice(&frame.payload);
    }
    fn headers(&mut self, headers: &Headers, _at: Time, out: &mut BytesMut) {
        headers.iter().for_each(|f| self.frame(f, out));
    }
}

#[derive(Default)]
struct Jumps(AtomicU64);

impl Observer for Jumps {
    fn on_event(&self, event: &Event) {
        if let Event::Jumped { .. } = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct World {
    stream: Arc<Stream>,
    addr: std::net::SocketAddr,
    ends: mpsc::Receiver<End>,
    jumps: Arc<Jumps>,
    _workers: Workers,
}

fn name() -> StreamName {
    StreamName::new("__defaultVhost__", "live", "a").unwrap()
}

fn session() -> Arc<Session> {
    Arc::new(Session::new(SessionInfo {
        id: SessionId::random(),
        kind: "test",
        publish: false,
        name: name(),
        shown_name: "a".into(),
        ip: [127, 0, 0, 1].into(),
        tc_url: "".into(),
        page_url: "".into(),
        swf_url: "".into(),
        param: "".into(),
    }))
}

/// A server whose connections are players of one stream.
fn world(workers: usize, options: Options, trailer: Option<&'static [u8]>) -> World {
    let hub = Hub::new(move |_| options.clone());
    let jumps = Arc::new(Jumps::default());
    assert!(hub.observe(vec![jumps.clone()]));
    let stream = hub.stream(&name());
    let workers = Workers::start(workers, 1000).unwrap();
    let format: Arc<dyn Format> = Arc::new(Plain("plain".into(), trailer.map(Bytes::from_static)));
    let (report, ends) = mpsc::channel();
    let played = stream.clone();
    let serve = move |connection: Connection| {
        let (stream, format, report) = (played.clone(), format.clone(), report.clone());
        let serve = async move {
            let session = session();
            let _attached = stream.attach(&session);
            let io = Rc::new(connection.io);
            let player = Player::start(&stream, &format, io, session, Bytes::from_static(b"hello"));
            report.send(player.ended().await).ok();
        };
        Box::pin(serve) as std::pin::Pin<Box<dyn Future<Output = ()>>>
    };
    let addr = workers.listen(([127, 0, 0, 1], 0).into(), Arc::new(serve)).unwrap();
    World { stream, addr, ends, jumps, _workers: workers }
}

fn connect(world: &World) -> TcpStream {
    let mut io = TcpStream::connect(world.addr).unwrap();
    io.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut hello = [0; 5];
    io.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello");
    io
}

fn push(publisher: &Publisher, seq: u64, key: bool, size: usize) {
    let mut payload = BytesMut::with_capacity(size + 8);
    payload.put_u64(seq);
    payload.put_bytes(seq as u8, size);
    let at = Time::from_millis(seq as i64 * 40);
    publisher.push(Frame {
        track: Track::Video,
        codec: Codec::H264,
        tag: CodecTag::Legacy,
        kind: if key { Kind::Key } else { Kind::Inter },
        dts: at,
        pts: at,
        payload: payload.freeze(),
    });
}

fn read_frame(io: &mut TcpStream) -> u64 {
    let mut len = [0; 4];
    io.read_exact(&mut len).unwrap();
    let mut body = vec![0; u32::from_be_bytes(len) as usize];
    io.read_exact(&mut body).unwrap();
    let seq = u64::from_be_bytes(body[..8].try_into().unwrap());
    assert!(body[8..].iter().all(|&b| b == seq as u8), "frame {seq} is whole");
    seq
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::yield_now();
    }
}

#[test]
fn players_on_two_workers_get_every_frame() {
    let world = world(2, Options::default(), None);
    let publisher = world.stream.publish(&session()).unwrap();
    push(&publisher, 0, true, 1000);
    let mut players: Vec<TcpStream> = (0..20).map(|_| connect(&world)).collect();
    (1..100).for_each(|seq| push(&publisher, seq, seq % 25 == 0, 1000));
    for io in &mut players {
        let seqs: Vec<u64> = std::iter::repeat_with(|| read_frame(io)).take_while(|&s| s < 99).collect();
        let from = seqs[0];
        assert_eq!(from % 25, 0, "starts at a key frame");
        assert!(seqs.iter().copied().eq(from..99), "gets the rest in order");
    }
}

#[test]
fn a_player_waits_for_the_publisher_and_stays_for_the_next() {
    let world = world(1, Options::default(), None);
    let mut io = connect(&world);
    // Often enough that the publisher's end also comes while the player has nothing left to send.
    for round in 0..200 {
        let publisher = world.stream.publish(&session()).unwrap();
        push(&publisher, round, true, 10);
        assert_eq!(read_frame(&mut io), round);
        drop(publisher);
        if round % 2 == 0 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_slow_player_jumps_to_a_key_frame_and_harms_nobody() {
    let options = Options { queue: Duration::from_secs(2), ..Options::default() };
    let world = world(1, options, None);
    let publisher = world.stream.publish(&session()).unwrap();
    push(&publisher, 0, true, 10);
    let mut slow = connect(&world);
    let mut quick = connect(&world);
    assert_eq!(read_frame(&mut quick), 0);
    let mut newest = 0;
    until("the slow player's jump", || {
        newest += 1;
        push(&publisher, newest, newest % 10 == 0, 200_000);
        assert_eq!(read_frame(&mut quick), newest, "the quick one misses nothing");
        world.jumps.0.load(Ordering::Relaxed) > 0
    });
    let mut last = read_frame(&mut slow);
    let mut gaps = Vec::new();
    while last < newest {
        let seq = read_frame(&mut slow);
        if seq != last + 1 {
            gaps.push(seq);
        }
        last = seq;
    }
    assert!(!gaps.is_empty(), "it missed something");
    assert!(gaps.iter().all(|seq| seq % 10 == 0), "and went on at key frames: {gaps:?}");
    assert_eq!(world.stream.snapshot().jumps, world.jumps.0.load(Ordering::Relaxed));
}

#[test]
fn the_trailer_comes_last_even_to_a_stalled_player() {
    let world = world(1, Options::default(), Some(b"bye"));
    let publisher = world.stream.publish(&session()).unwrap();
    push(&publisher, 0, true, 10);
    let mut io = connect(&world);
    (1..200).for_each(|seq| push(&publisher, seq, false, 100_000)); // more than the socket holds
    drop(publisher);
    for seq in 0..200 {
        assert_eq!(read_frame(&mut io), seq);
    }
    let mut rest = Vec::new();
    io.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"bye");
    assert_eq!(world.ends.recv_timeout(PATIENCE), Ok(End::Finished));
}

#[test]
fn a_player_that_left_is_forgotten() {
    let world = world(1, Options::default(), None);
    let publisher = world.stream.publish(&session()).unwrap();
    let mut gone = connect(&world);
    gone.write_all(b"x").ok();
    drop(gone);
    let mut seq = 0;
    until("the end of the player", || {
        push(&publisher, seq, true, 100);
        seq += 1;
        matches!(world.ends.try_recv(), Ok(End::Closed(_)))
    });
    until("the stream to be without players", || world.stream.players() == 0);
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let workers = Workers::start(1, 10).unwrap();
    let serve: headwater_hub::Serve = Arc::new(|_| Box::pin(async {}));
    let addr = workers.listen(([127, 0, 0, 1], 0).into(), serve.clone()).unwrap();
    assert_eq!(workers.listen(addr, serve).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn the_connection_limit_closes_the_rest() {
    let workers = Workers::start(1, 2).unwrap();
    let serve: headwater_hub::Serve = Arc::new(|mut c| {
        Box::pin(async move {
            let mut byte = [0];
            tokio::io::AsyncReadExt::read_exact(&mut c.io, &mut byte).await.ok();
            drop(c.permit);
        })
    });
    let addr = workers.listen(([127, 0, 0, 1], 0).into(), serve).unwrap();
    let first: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(addr).unwrap()).collect();
    until("two connections", || workers.connections() == 2);
    let mut third = TcpStream::connect(addr).unwrap();
    third.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(third.read(&mut [0]), Ok(0) | Err(_)), "closed without an answer");
    drop(first);
    until("room again", || workers.connections() == 0);
}
