//! The hub against a simple model: random publishes, joins, stalls, jumps and leaves.
//!
//! The model is the list of everything ever published. Each player's received bytes must be a walk through it: whole
//! frames, in order, with gaps only where a jump to a key frame (announced by headers) made them.

use crate::bytelog::{Cursor, Format, FormatKey, Mux};
use crate::framelog::{Entry, FrameReader, Read};
use crate::stream::{Headers, Publisher, Seat};
use crate::{Hub, Options, Session, SessionId, SessionInfo, Stream, StreamName};
use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use proptest::prelude::*;
use smallvec::SmallVec;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Frames as length (4 bytes), sequence number (8 bytes), kind (1 byte), filler.
struct Plain(FormatKey, Option<Bytes>);

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

struct PlainMux;

impl Mux for PlainMux {
    fn frame(&mut self, frame: &Frame, out: &mut BytesMut) {
        out.put_u32(frame.payload.len() as u32);
        out.extend_from_slice(&frame.payload);
    }
    fn headers(&mut self, headers: &Headers, _at: Time, out: &mut BytesMut) {
        headers.iter().for_each(|f| self.frame(f, out));
    }
}

const CONFIG: u8 = 0;
const KEY: u8 = 1;
const INTER: u8 = 2;

fn frame(seq: u64, kind: u8, size: usize, ms: i64) -> Frame {
    let mut payload = BytesMut::new();
    payload.put_u64(seq);
    payload.put_u8(kind);
    payload.put_bytes(seq as u8, size);
    let kind = match kind {
        CONFIG => Kind::Config,
        KEY => Kind::Key,
        _ => Kind::Inter,
    };
    let at = Time::from_millis(ms);
    let payload = payload.freeze();
    Frame { track: Track::Video, codec: Codec::H264, tag: CodecTag::Legacy, kind, dts: at, pts: at, payload }
}

fn session(publish: bool) -> Arc<Session> {
    let name = StreamName::new("__defaultVhost__", "live", "a").unwrap();
    Arc::new(Session::new(SessionInfo {
        id: SessionId::random(),
        kind: "test",
        publish,
        name,
        shown_name: "a".into(),
        ip: [127, 0, 0, 1].into(),
        tc_url: "".into(),
        page_url: "".into(),
        swf_url: "".into(),
        param: "".into(),
    }))
}

#[derive(Clone, Debug)]
enum Op {
    Publish,
    Unpublish,
    Frames {
        kind: u8,
        size: usize,
        count: u8,
    },
    Join,
    Leave(usize),
    /// The player's socket takes this many bytes.
    Take(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => Just(Op::Publish),
        1 => Just(Op::Unpublish),
        6 => (prop::sample::select(vec![CONFIG, KEY, INTER, INTER, INTER]), 0usize..3000, 1u8..12)
            .prop_map(|(kind, size, count)| Op::Frames { kind, size, count }),
        2 => Just(Op::Join),
        1 => (0usize..8).prop_map(Op::Leave),
        6 => (0usize..8, 0usize..9000).prop_map(|(who, n)| Op::Take(who, n)),
    ]
}

/// A player with a socket that takes as many bytes as the test says.
struct FakePlayer {
    seat: Seat,
    cursor: Cursor,
    got: Vec<u8>,
    jumps: u64,
}

struct World {
    stream: Arc<Stream>,
    format: Arc<dyn Format>,
    publisher: Option<Publisher>,
    players: Vec<FakePlayer>,
    published: Vec<(u64, u8)>,
    ms: i64,
}

impl World {
    fn new(queue_ms: u64, gop_cache: bool) -> World {
        let options = Options {
            gop_cache,
            gop_frames_max: 50,
            queue: Duration::from_millis(queue_ms),
            ..Options::default()
        };
        let hub = Hub::new(move |_| options.clone());
        let stream = hub.stream(&StreamName::new("__defaultVhost__", "live", "a").unwrap());
        let format = Arc::new(Plain("plain".into(), None));
        World { stream, format, publisher: None, players: Vec::new(), published: Vec::new(), ms: 0 }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Publish => {
                let taken = self.stream.publish(&session(true));
                assert_eq!(taken.is_err(), self.publisher.is_some(), "one publisher at a time");
                self.publisher = self.publisher.take().or(taken.ok());
            }
            Op::Unpublish => self.publisher = None,
            Op::Frames { kind, size, count } => (0..count).for_each(|_| self.push(kind, size)),
            Op::Join => self.join(),
            Op::Leave(who) if who < self.players.len() => {
                let player = self.players.swap_remove(who);
                check_bytes(&player, &self.published);
                self.stream.leave_seat(self.format.key(), player.seat.reader);
            }
            Op::Take(who, n) if who < self.players.len() => self.take(who, n),
            Op::Leave(_) | Op::Take(..) => {}
        }
    }

    fn push(&mut self, kind: u8, size: usize) {
        let Some(publisher) = &self.publisher else { return };
        let seq = self.published.len() as u64;
        self.ms += 20;
        publisher.push(frame(seq, kind, size, self.ms));
        self.published.push((seq, kind));
    }

    fn join(&mut self) {
        let mut seat = self.stream.take_seat(&self.format);
        let mut cursor = Cursor::new(seat.at);
        assert!(cursor.lead(&seat.view, std::mem::take(&mut seat.headers)));
        self.players.push(FakePlayer { seat, cursor, got: Vec::new(), jumps: 0 });
    }

    fn take(&mut self, who: usize, mut n: usize) {
        let player = &mut self.players[who];
        {
            let mut state = self.stream.state.lock();
            let (log, headers) = state.log(self.format.key()).unwrap();
            player.seat.view.sync(log, player.seat.reader, player.cursor.at, None);
            if player.cursor.at < player.seat.view.first {
                let (at, headers) = log.start(headers);
                assert!(player.cursor.jump(&player.seat.view, at, headers));
                player.jumps += 1;
            }
        }
        while n > 0 {
            let mut slices = SmallVec::new();
            let len = player.cursor.slices(&player.seat.view, player.seat.view.head, &mut slices);
            let mut taken = 0;
            for piece in &slices {
                let part = &piece[..piece.len().min(n - taken)];
                player.got.extend_from_slice(part);
                taken += part.len();
            }
            drop(slices);
            player.cursor.advance(taken);
            n -= taken;
            if taken == 0 || taken < len {
                break;
            }
        }
        player.seat.view.forget(player.cursor.at);
    }

    fn finish(mut self) {
        for who in 0..self.players.len() {
            self.take(who, usize::MAX);
            let player = &self.players[who];
            assert_eq!(player.cursor.at, player.seat.view.head, "a player that reads on gets everything");
            check_bytes(player, &self.published);
        }
        for player in std::mem::take(&mut self.players) {
            self.stream.leave_seat(self.format.key(), player.seat.reader);
        }
        self.publisher = None;
        assert!(self.stream.idle().is_some(), "a stream that nobody uses is idle");
    }
}

/// The bytes are whole frames of the model, in order; a gap ends at a key frame or where headers come first.
fn check_bytes(player: &FakePlayer, published: &[(u64, u8)]) {
    let mut rest = player.got.as_slice();
    let mut last: Option<u64> = None;
    let mut headers = true;
    let mut gaps = 0;
    while rest.len() >= 4 {
        let (len, tail) = rest.split_at(4);
        let len = u32::from_be_bytes(len.try_into().unwrap()) as usize;
        if tail.len() < len {
            break; // the socket stopped in the middle of a frame
        }
        let (body, tail) = tail.split_at(len);
        rest = tail;
        let seq = u64::from_be_bytes(body[..8].try_into().unwrap());
        assert_eq!(published.get(seq as usize), Some(&(seq, body[8])), "a frame that was published");
        assert!(body[9..].iter().all(|&b| b == seq as u8), "its payload is whole");
        match last {
            Some(l) if seq == l + 1 => headers = false,
            Some(l) if body[8] == CONFIG && seq <= l => headers = true, // configuration repeated after a jump
            Some(l) => {
                assert!(seq > l, "never backwards: {seq} after {l}");
                gaps += u64::from(!headers || l + 1 < seq);
                headers = body[8] == CONFIG;
            }
            None => headers = body[8] == CONFIG,
        }
        last = Some(last.map_or(seq, |l| l.max(seq)));
    }
    // The first gap may lie between the headers and the first frame of a newcomer.
    assert!(gaps <= 2 * player.jumps + 1, "{gaps} gaps but {} jumps", player.jumps);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn players_get_whole_frames_in_order(
        ops in prop::collection::vec(op(), 1..120),
        queue_ms in prop::sample::select(vec![100u64, 1000, 30_000]),
        gop_cache: bool,
    ) {
        let mut world = World::new(queue_ms, gop_cache);
        ops.into_iter().for_each(|op| world.apply(op));
        world.finish();
    }

    #[test]
    fn frame_readers_miss_nothing_unless_told(
        ops in prop::collection::vec((op(), any::<bool>()), 1..120),
        queue_ms in prop::sample::select(vec![100u64, 30_000]),
    ) {
        let mut world = World::new(queue_ms, true);
        let mut reader = world.stream.frames();
        let mut last = Last::default();
        for (op, read) in ops {
            world.apply(op);
            if read {
                drain(&mut reader, &mut last);
            }
        }
        drain(&mut reader, &mut last);
        let newest = world.published.last().map(|p| p.0);
        prop_assert!(last.jumped || last.seq == newest, "reads up to the newest frame");
    }
}

/// The newest frame a reader got, and whether it was told of a jump since.
#[derive(Default)]
struct Last {
    seq: Option<u64>,
    jumped: bool,
}

fn drain(reader: &mut FrameReader, last: &mut Last) {
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(read) = reader.poll_next(&mut cx) {
        let Read::Entries(entries) = read else {
            last.jumped = true;
            continue;
        };
        assert!(!entries.is_empty());
        for entry in entries {
            let Entry::Frame(f) = entry else { continue };
            let seq = u64::from_be_bytes(f.payload[..8].try_into().unwrap());
            let due = last.seq.map_or(seq, |l| l + 1);
            assert!(last.jumped || seq == due, "frame {seq} where {due} was due");
            last.jumped = last.jumped && f.kind == Kind::Config; // repeated headers come before the jump's key frame
            last.seq = Some(last.seq.map_or(seq, |l| l.max(seq)));
        }
    }
}

#[test]
fn a_newcomer_starts_at_the_last_key_frame() {
    let mut world = World::new(30_000, true);
    world.apply(Op::Publish);
    for kind in [CONFIG, KEY, INTER, KEY, INTER] {
        world.push(kind, 10);
    }
    world.join();
    world.take(0, usize::MAX);
    let seqs: Vec<u8> = world.players[0].got.chunks(4 + 9 + 10).map(|f| f[4 + 7]).collect();
    assert_eq!(seqs, [0, 3, 4], "configuration, then from the second key frame on");
}

#[test]
fn a_group_of_pictures_without_end_is_not_kept() {
    let mut world = World::new(30_000, true);
    world.apply(Op::Publish);
    world.push(KEY, 100);
    (0..200).for_each(|_| world.push(INTER, 100));
    assert_eq!(world.stream.snapshot().log_bytes, 0, "51 frames after the key frame it is given up");
}

#[test]
fn a_second_publisher_is_told_who_is_first() {
    let world = World::new(30_000, true);
    let first = session(true);
    let _publisher = world.stream.publish(&first).unwrap();
    assert_eq!(world.stream.publish(&session(true)).unwrap_err().by, first.id());
}

#[test]
fn timestamps_go_on_increasing_for_the_next_publisher() {
    let world = World::new(30_000, true);
    let mut reader = world.stream.frames();
    for start in [5000, 0] {
        let publisher = world.stream.publish(&session(true)).unwrap();
        publisher.push(frame(0, KEY, 0, start));
        publisher.push(frame(1, INTER, 0, start + 20));
    }
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Read::Entries(entries)) = reader.poll_next(&mut cx) else { panic!("nothing to read") };
    let dts = |e: &Entry| if let Entry::Frame(f) = e { Some(f.dts.millis()) } else { None };
    assert_eq!(entries.iter().filter_map(dts).collect::<Vec<_>>(), [5000, 5020, 5060, 5080]);
}

/// A camera over WebRTC begins small and grows; codecs without a configuration say it in their key frames.
#[test]
fn the_size_of_pictures_follows_key_frames() {
    let world = World::new(30_000, true);
    let publisher = world.stream.publish(&session(true)).unwrap();
    let sizes = [320u16, 1280].map(|width| {
        let [low, high] = width.to_le_bytes();
        let payload = Bytes::copy_from_slice(&[0x10, 2, 0, 0x9d, 1, 0x2a, low, high, 0xb4, 0]);
        publisher.push(Frame { codec: Codec::Vp8, payload, ..frame(0, KEY, 0, width.into()) });
        world.stream.snapshot().video.map(|video| video.width)
    });
    assert_eq!(sizes, [Some(320), Some(1280)]);
}

#[test]
fn the_trailer_ends_a_byte_reader() {
    let world = World::new(30_000, true);
    let format: Arc<dyn Format> = Arc::new(Plain("ends".into(), Some(Bytes::from_static(b"bye"))));
    let publisher = world.stream.publish(&session(true)).unwrap();
    let mut reader = world.stream.bytes(&format);
    publisher.push(frame(0, KEY, 5, 0));
    drop(publisher);
    let mut cx = Context::from_waker(Waker::noop());
    let mut got = Vec::new();
    while let Poll::Ready(Some(bytes)) = reader.poll_next(&mut cx) {
        got.push(bytes);
    }
    assert_eq!(got.len(), 2);
    assert_eq!(got[1], "bye");
    assert_eq!(reader.poll_next(&mut cx), Poll::Ready(None));
}

#[test]
fn byte_logs_go_with_their_last_player() {
    let mut world = World::new(30_000, true);
    world.apply(Op::Publish);
    world.join();
    world.push(KEY, 10);
    assert!(world.stream.state.lock().log(world.format.key()).is_some());
    world.apply(Op::Leave(0));
    assert!(world.stream.state.lock().log(world.format.key()).is_none());
}

/// Frames as [`Plain`] writes them, with a second of backlog.
struct Recent(FormatKey);

impl Format for Recent {
    fn key(&self) -> &FormatKey {
        &self.0
    }
    fn mux(&self) -> Box<dyn Mux> {
        Box::new(PlainMux)
    }
    fn trailer(&self) -> Option<Bytes> {
        None
    }
    fn backlog(&self) -> Time {
        Time::from_millis(1000)
    }
}

#[test]
fn a_kept_log_gives_newcomers_its_backlog() {
    let world = World::new(30_000, true);
    let format: Arc<dyn Format> = Arc::new(Recent("recent".into()));
    let publisher = world.stream.publish(&session(true)).unwrap();
    let kept = world.stream.keep(&format);
    let sound =
        |seq: u64| Frame { track: Track::Audio, codec: Codec::Aac, ..frame(seq, KEY, 0, seq as i64 * 20) };
    (0..500).for_each(|seq| publisher.push(sound(seq)));
    let mut reader = world.stream.bytes(&format);
    let mut cx = Context::from_waker(Waker::noop());
    let mut bytes = 0;
    while let Poll::Ready(Some(piece)) = reader.poll_next(&mut cx) {
        bytes += piece.len();
    }
    let frames = bytes / 13; // length, sequence number, kind
    assert!((50..=65).contains(&frames), "a second, in steps of a quarter: {frames} frames of 20 ms");
    drop((kept, reader));
    assert!(world.stream.state.lock().log(format.key()).is_none(), "nobody wants it any more");
}
