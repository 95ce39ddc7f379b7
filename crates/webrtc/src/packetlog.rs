//! A stream as RTP packets: made once, read by every worker that has viewers of it.

use crate::layers::{Layer, Order};
use crate::meter::{LAYERS_MAX, Measured, Meter, OVERHEAD, Rates};
use bytes::Bytes;
use headwater_media::{Codec, Track};
use parking_lot::Mutex;
use slab::Slab;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// Most payload bytes kept for newcomers and for workers that are behind: 16 MiB, a GOP of eight seconds at 16 Mb/s.
/// Beyond it newcomers wait for the next key frame, and a worker that is further behind loses the oldest frames.
const BYTES_MAX: usize = 16 << 20;

/// Most frames kept, for streams of tiny ones.
const FRAMES_MAX: usize = 4096;

/// Frames before the key frame that are kept for workers on their way to them.
const READ_BEHIND: usize = 256;

/// One packet, the same for all viewers but for the numbers that are each viewer's own.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) payload: Bytes,
    /// Last of its frame (video), first after silence (audio).
    pub(crate) marker: bool,
    /// Place in its track; a gap is a packet that was lost on its way in.
    pub(crate) sequence: u64,
}

/// The packets of one frame.
#[derive(Clone, Debug)]
pub(crate) struct Burst {
    pub(crate) track: Track,
    pub(crate) codec: Codec,
    /// Number of the simulcast layer; 0 where there are none.
    pub(crate) layer: u8,
    /// Whether a decoder can start here.
    pub(crate) key: bool,
    /// Whether no other picture refers to it.
    pub(crate) disposable: bool,
    /// The packet with the one before it (sound), for viewers on a bad path.
    pub(crate) redundant: Option<Bytes>,
    /// Sound that is sent in place of the publisher's own, which is of this codec, to those who cannot take that.
    pub(crate) instead_of: Option<Codec>,
    /// In ticks of the codec's RTP clock.
    pub(crate) time: u32,
    /// When it was made, on one line for both tracks: what sender reports tell.
    pub(crate) wallclock: Instant,
    pub(crate) packets: Vec<Packet>,
}

impl Burst {
    fn bytes(&self) -> usize {
        self.packets.iter().map(|packet| packet.payload.len()).sum()
    }

    fn begins(&self) -> bool {
        self.track == Track::Video && self.key
    }

    fn measured(&self) -> Measured {
        let Burst { track, layer, key, disposable, .. } = *self;
        Measured { track, layer, key, disposable, bytes: self.bytes() + OVERHEAD * self.packets.len() }
    }
}

/// The newest frames of a stream as packets, back to the last key frame.
#[derive(Debug, Default)]
pub(crate) struct PacketLog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bursts: VecDeque<Arc<Burst>>,
    /// Position of the first.
    first: u64,
    bytes: usize,
    /// Position of the newest key frame of each layer.
    keys: [Option<u64>; LAYERS_MAX],
    layers: Order,
    meter: Meter,
    began: Option<Instant>,
    readers: Slab<Option<Waker>>,
}

impl PacketLog {
    /// Appends a frame and wakes the workers.
    pub(crate) fn push(&self, burst: Burst) {
        let mut state = self.state.lock();
        let now = state.micros();
        if burst.instead_of.is_none() {
            let made = state.moment(burst.wallclock);
            state.meter.add(made, now, burst.measured());
        }
        if burst.begins() {
            state.key_frame(burst.layer, now);
        }
        state.bytes += burst.bytes();
        state.bursts.push_back(Arc::new(burst));
        state.trim();
        state.wake();
    }

    /// Forgets what newcomers would begin with: another publisher comes, or none.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock();
        state.keys = Default::default();
        state.layers.clear();
        state.meter = Meter::default();
        state.trim();
    }

    /// Tells which layers there are, best first.
    pub(crate) fn set_layers(&self, layers: Order) {
        self.state.lock().layers = layers;
    }

    /// What the stream takes now.
    pub(crate) fn rates(&self) -> Rates {
        let mut state = self.state.lock();
        let now = state.micros();
        state.meter.rates(now, &state.order())
    }

    /// A reader of what comes from now on.
    pub(crate) fn reader(self: &Arc<Self>) -> PacketReader {
        let mut state = self.state.lock();
        let (at, key) = (state.head(), state.readers.insert(None));
        PacketReader { log: self.clone(), at, key }
    }
}

impl State {
    fn head(&self) -> u64 {
        self.first + self.bursts.len() as u64
    }

    /// Microseconds since the first frame.
    fn micros(&mut self) -> i64 {
        self.moment(Instant::now())
    }

    /// Microseconds from the beginning to a moment, which may be before it.
    fn moment(&mut self, moment: Instant) -> i64 {
        let began = *self.began.get_or_insert(moment);
        let micros = |from: Instant, to: Instant| to.saturating_duration_since(from).as_micros() as i64; // 290,000 years
        micros(began, moment) - micros(moment, began)
    }

    /// A key frame of a layer comes. Those of layers that are not sent any more are let go.
    fn key_frame(&mut self, layer: u8, now: i64) {
        let head = self.head();
        for (number, key) in self.keys.iter_mut().enumerate() {
            if number == usize::from(layer) {
                *key = Some(head);
            } else if !self.meter.is_sent(number, now) {
                *key = None;
            }
        }
    }

    /// The newest key frame of the best layer that has one.
    fn begin(&self) -> Option<u64> {
        self.order().iter().find_map(|layer| self.key(layer.number))
    }

    /// The newest key frame of a layer.
    fn key(&self, layer: u8) -> Option<u64> {
        self.keys.get(usize::from(layer)).copied().flatten()
    }

    fn copy(&self, from: u64, most: usize, out: &mut Vec<Arc<Burst>>) {
        out.clear();
        let skip = from.saturating_sub(self.first) as usize;
        out.extend(self.bursts.iter().skip(skip).take(most).cloned());
    }

    /// The layers, best first; of a stream that has none, its pictures.
    fn order(&self) -> Order {
        if self.layers.is_empty() { [Layer::default()].into_iter().collect() } else { self.layers.clone() }
    }

    /// Before the newest key frame nothing is worth keeping: workers read within milliseconds, and one that does not
    /// is better off at the key frame.
    fn trim(&mut self) {
        let live = self.keys.iter().flatten().min().copied().unwrap_or(self.head());
        while let Some(oldest) = self.bursts.front() {
            let old = self.first < live && self.bursts.len() > READ_BEHIND;
            if !old && self.bytes <= BYTES_MAX && self.bursts.len() <= FRAMES_MAX {
                break;
            }
            self.bytes -= oldest.bytes();
            self.bursts.pop_front();
            self.first += 1;
        }
        self.keys.iter_mut().for_each(|key| *key = key.filter(|&key| key >= self.first));
    }

    fn wake(&mut self) {
        self.readers.iter_mut().filter_map(|(_, waker)| waker.take()).for_each(Waker::wake);
    }
}

/// One worker's position in a stream's packets.
#[derive(Debug)]
pub(crate) struct PacketReader {
    log: Arc<PacketLog>,
    at: u64,
    key: usize,
}

impl PacketReader {
    /// The next frames into `out`, which it clears before; the position of the first.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>, out: &mut Vec<Arc<Burst>>) -> Poll<u64> {
        let mut state = self.log.state.lock();
        let head = state.head();
        if self.at < head {
            let from = self.at.max(state.first);
            self.at = head;
            state.copy(from, usize::MAX, out);
            return Poll::Ready(from);
        }
        if let Some(waker) = state.readers.get_mut(self.key) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// At most `most` frames from a position on into `out`, which it clears before; the position of the first, which
    /// is a later one when the log does not go back that far.
    pub(crate) fn read(&self, from: u64, most: usize, out: &mut Vec<Arc<Burst>>) -> u64 {
        let state = self.log.state.lock();
        let from = if from < state.first { state.begin().unwrap_or(state.head()) } else { from };
        state.copy(from, most, out);
        from
    }

    /// Where a newcomer to a layer begins: at its newest key frame; without pictures, here.
    pub(crate) fn begin(&self, layer: u8) -> u64 {
        self.log.state.lock().key(layer).unwrap_or(self.at)
    }

    /// Whether a newcomer to a layer gets a picture at once.
    pub(crate) fn has_key(&self, layer: u8) -> bool {
        self.log.state.lock().key(layer).is_some()
    }
}

impl Drop for PacketReader {
    fn drop(&mut self) {
        self.log.state.lock().readers.try_remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burst(track: Track, key: bool, time: u32) -> Burst {
        let packets =
            vec![Packet { payload: Bytes::from_static(&[0; 100]), marker: true, sequence: time.into() }];
        let (codec, wallclock) = (Codec::H264, Instant::now());
        Burst {
            track,
            codec,
            layer: 0,
            key,
            disposable: false,
            redundant: None,
            instead_of: None,
            time,
            wallclock,
            packets,
        }
    }

    fn times(bursts: &[Arc<Burst>]) -> Vec<u32> {
        bursts.iter().map(|burst| burst.time).collect()
    }

    fn read(reader: &mut PacketReader) -> Vec<u32> {
        let mut bursts = Vec::new();
        match reader.poll_next(&mut Context::from_waker(Waker::noop()), &mut bursts) {
            Poll::Ready(_) => times(&bursts),
            Poll::Pending => Vec::new(),
        }
    }

    fn backlog(reader: &PacketReader) -> Vec<u32> {
        let mut bursts = Vec::new();
        reader.read(reader.begin(0), 100, &mut bursts);
        times(&bursts)
    }

    #[test]
    fn newcomers_begin_at_the_key_frame_and_join_where_the_worker_is() {
        let log = Arc::<PacketLog>::default();
        let mut reader = log.reader();
        for (time, key) in [(0, true), (1, false), (2, true), (3, false)] {
            log.push(burst(Track::Video, key, time));
        }
        assert_eq!(backlog(&reader), [2, 3]);
        assert_eq!(read(&mut reader), [0, 1, 2, 3]);
        log.push(burst(Track::Audio, true, 4));
        assert_eq!(backlog(&reader), [2, 3, 4]);
        assert_eq!(read(&mut reader), [4]);
        log.clear();
        assert!(!reader.has_key(0) && backlog(&reader).is_empty() && read(&mut reader).is_empty());
    }

    #[test]
    fn who_is_too_far_behind_goes_on_at_a_key_frame() {
        let log = Arc::<PacketLog>::default();
        let reader = log.reader();
        for time in 0..20_000 {
            log.push(burst(Track::Video, time == 19_990, time));
        }
        let mut bursts = Vec::new();
        assert_eq!(reader.read(5, 3, &mut bursts), 19_990);
        assert_eq!(times(&bursts), [19_990, 19_991, 19_992]);
        assert_eq!(reader.read(19_999, 3, &mut bursts), 19_999);
        assert_eq!(times(&bursts), [19_999]);
    }

    #[test]
    fn newcomers_begin_with_their_layer() {
        let log = Arc::<PacketLog>::default();
        let mut reader = log.reader();
        let named = |number| Layer { number, ..Layer::default() };
        log.set_layers([named(1), named(0)].into_iter().collect());
        for (time, layer, key) in [(0, 1, true), (1, 0, true), (2, 1, false), (3, 0, false)] {
            log.push(Burst { layer, ..burst(Track::Video, key, time) });
        }
        log.push(burst(Track::Audio, true, 4));
        read(&mut reader);
        assert_eq!([reader.begin(1), reader.begin(0), reader.begin(2)], [0, 1, 5]);
        assert_eq!([1, 2].map(|layer| reader.has_key(layer)), [true, false]);
        let rates = log.rates();
        assert_eq!(rates.layers.iter().map(|rates| rates.layer.number).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn the_log_is_bounded() {
        let log = Arc::<PacketLog>::default();
        for time in 0..20_000 {
            log.push(burst(Track::Video, time == 0, time));
        }
        let state = log.state.lock();
        assert!(state.bursts.len() <= FRAMES_MAX && state.keys[0].is_none());
    }
}
