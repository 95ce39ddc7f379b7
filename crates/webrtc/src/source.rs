//! A stream's frames as packets, made once for all workers.

use crate::order::Order;
use crate::packetlog::{Burst, Packet, PacketLog};
use crate::red;
use crate::references::References;
use crate::splice::Splice;
use bytes::Bytes;
use headwater_hub::{Entry, FrameReader, Read, SessionId, Stream, StreamName};
use headwater_media::{Codec, Frame, Time, Track};
use headwater_rtp::{Format, Packetizer, Payloads};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Most bytes of a payload: with RTP header, extensions and SRTP tag a packet stays below 1,280, IPv6's least MTU.
const PAYLOAD_MAX: usize = 1160;

/// Converted sound that is older is left out: where the conversion begins, the log has what was before.
const LATE: Duration = Duration::from_millis(500);

/// Where the packets of a stream are made. It lives as long as a worker has viewers.
pub(crate) struct Source {
    pub(crate) log: Arc<PacketLog>,
    splice: Arc<Mutex<Splice>>,
    closed: Arc<Notify>,
    /// How to ask the present publisher for a key frame.
    ask: Mutex<Option<Ask>>,
    sound: Arc<Sound>,
}

/// The sound of a publisher whose own packets go to viewers.
#[derive(Default)]
struct Sound {
    /// Its codec, and a moment with its place on the stream's timeline.
    heard: Mutex<Option<(Codec, Time, Instant)>>,
    /// Whether a viewer takes Opus alone, and how its wish is told.
    wanted: AtomicBool,
    wish: Notify,
}

/// Asks a publisher for a key frame of a layer.
pub(crate) type Ask = Arc<dyn Fn(u8) + Send + Sync>;

/// What of a stream's pictures is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pictures {
    /// `keep_bframe`: pictures that are shown before one that was sent are sent as well.
    pub(crate) keep_bframe: bool,
    /// `keep_avc_nalu_sei`.
    pub(crate) keep_sei: bool,
}

/// All streams that somebody watches.
#[derive(Default)]
pub(crate) struct Sources {
    open: Mutex<HashMap<StreamName, Weak<Source>>>,
    /// How many were opened ever: while it stays the same, nobody needs to look for one.
    opened: AtomicU64,
}

/// Finds the source of one stream as soon as there is one, cheaply enough to look for each frame.
pub(crate) struct Finder {
    sources: Arc<Sources>,
    opened: u64,
    found: Weak<Source>,
}

impl Finder {
    pub(crate) fn new(sources: Arc<Sources>) -> Finder {
        Finder { sources, opened: 0, found: Weak::new() }
    }

    /// The source of the stream of this name, while somebody watches it.
    pub(crate) fn find(&mut self, stream: &StreamName) -> Option<Arc<Source>> {
        let opened = self.sources.opened.load(Ordering::Acquire);
        if std::mem::replace(&mut self.opened, opened) != opened {
            self.found = self.sources.open.lock().get(stream).cloned().unwrap_or_default();
        }
        self.found.upgrade()
    }
}

impl Sources {
    /// The source of `stream`, which is started when nobody has it yet.
    /// `convert` makes the stream whose sound browsers can play.
    pub(crate) fn open(
        &self,
        stream: &Arc<Stream>,
        runtime: &tokio::runtime::Handle,
        convert: impl Fn(&Arc<Stream>) -> Arc<Stream> + Send + Sync + 'static,
        pictures: Pictures,
    ) -> Arc<Source> {
        let mut open = self.open.lock();
        if let Some(source) = open.get(stream.name()).and_then(Weak::upgrade) {
            return source;
        }
        open.retain(|_, source| source.strong_count() > 0);
        let (log, closed) = (Arc::<PacketLog>::default(), Arc::<Notify>::default());
        let splice = Arc::<Mutex<Splice>>::default();
        let sound = Arc::<Sound>::default();
        let work = Work {
            log: log.clone(),
            splice: splice.clone(),
            sound: sound.clone(),
            publisher: None,
            lanes: Lanes::default(),
            base: None,
            relayed: false,
            made: SessionId::random(),
            pictures,
            order: Order::new(pictures.keep_bframe),
            convert: Box::new(convert),
        };
        runtime.spawn(work.run(stream.frames(), closed.clone()));
        let source = Arc::new(Source { log, splice, closed, ask: Mutex::default(), sound });
        open.insert(stream.name().clone(), Arc::downgrade(&source));
        self.opened.fetch_add(1, Ordering::Release);
        source
    }
}

impl Source {
    /// Appends a publisher's own packets.
    pub(crate) fn relay(&self, publisher: SessionId, burst: Burst) {
        append(&self.log, &self.splice, publisher, burst);
    }

    /// The publisher's sound of this codec and presentation time was made at that moment.
    pub(crate) fn heard(&self, codec: Codec, pts: Time, moment: Instant) {
        *self.sound.heard.lock() = Some((codec, pts, moment));
    }

    /// A viewer cannot take the publisher's own sound, but Opus: it is made until the publisher leaves.
    pub(crate) fn want_opus(&self) {
        if !self.sound.wanted.swap(true, Ordering::Relaxed) {
            self.sound.wish.notify_one();
        }
    }

    /// Asks the publisher for a key frame of a layer, if it is one that can be asked.
    pub(crate) fn want_key_frame(&self, layer: u8) {
        if let Some(ask) = &*self.ask.lock() {
            ask(layer);
        }
    }

    /// Tells how the present publisher is asked; `None` when it leaves.
    pub(crate) fn set_ask(&self, ask: Option<Ask>) {
        *self.ask.lock() = ask;
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.closed.notify_one();
    }
}

fn append(log: &PacketLog, splice: &Mutex<Splice>, publisher: SessionId, mut burst: Burst) {
    if splice.lock().place(publisher, &mut burst) {
        log.push(burst);
    }
}

struct Work {
    log: Arc<PacketLog>,
    splice: Arc<Mutex<Splice>>,
    sound: Arc<Sound>,
    publisher: Option<SessionId>,
    lanes: Lanes,
    /// The moment at the stream's time zero.
    base: Option<(Instant, Time)>,
    /// Whether the publisher's own packets go to the log, from its first key frame on that somebody watches. Until then
    /// packets are made here, which count as another publisher's.
    relayed: bool,
    made: SessionId,
    pictures: Pictures,
    order: Order,
    convert: Convert,
}

/// Makes the stream whose sound browsers can play.
type Convert = Box<dyn Fn(&Arc<Stream>) -> Arc<Stream> + Send + Sync>;

#[derive(Default)]
struct Lanes {
    video: Option<Lane>,
    audio: Option<Lane>,
}

struct Lane {
    codec: Codec,
    packetizer: Packetizer,
    payloads: Payloads,
    sequence: u64,
    /// The packet before, of sound.
    before: Before,
    references: References,
}

impl Work {
    async fn run(mut self, mut frames: FrameReader, closed: Arc<Notify>) {
        loop {
            let read = tokio::select! {
                read = frames.next() => read,
                () = closed.notified() => return,
                () = self.sound.wish.notified() => {
                    frames = self.wished(frames);
                    continue;
                }
            };
            match read {
                Read::Entries(entries) => {
                    if let Some(other) = self.entries(frames.stream(), &entries) {
                        frames = other.frames();
                    }
                }
                Read::Jumped { skipped } => {
                    tracing::warn!(stream = %frames.stream().name(), skipped, "webrtc fell behind and lost frames");
                    self.log.clear();
                }
            }
        }
    }

    /// Reads the converted stream where a viewer cannot take the publisher's own sound.
    fn wished(&self, frames: FrameReader) -> FrameReader {
        let own = Arc::ptr_eq(frames.stream(), frames.stream().origin());
        if self.relayed && own { (self.convert)(frames.stream()).frames() } else { frames }
    }

    /// Takes entries; or says which stream to read instead, from where it begins: the origin, of which the packets come
    /// from the publisher, or the converted one. So nothing is converted that nobody makes packets of.
    fn entries(&mut self, stream: &Arc<Stream>, entries: &[Entry]) -> Option<Arc<Stream>> {
        for entry in entries {
            self.entry(stream, entry);
            let converted = !Arc::ptr_eq(stream, stream.origin());
            match entry {
                Entry::Published
                    if self.relayed && converted && !self.sound.wanted.load(Ordering::Relaxed) =>
                {
                    return Some(stream.origin().clone());
                }
                Entry::Published if !self.relayed && !converted => return Some((self.convert)(stream)),
                _ => {}
            }
        }
        None
    }

    fn entry(&mut self, stream: &Arc<Stream>, entry: &Entry) {
        match entry {
            Entry::Published => {
                let publisher = stream.origin().snapshot().publisher;
                self.relayed = publisher.as_ref().is_some_and(|session| session.info().kind == "rtc-publish");
                let publisher = publisher.map(|session| session.id());
                if std::mem::replace(&mut self.publisher, publisher) != publisher {
                    self.sound.wanted.store(false, Ordering::Relaxed); // who still needs it says so
                }
                self.made = SessionId::random();
                self.base = None;
                self.order.begin();
            }
            Entry::Unpublished => self.ended(),
            Entry::Frame(frame) if self.is_relayed() => self.stand_in(frame),
            Entry::Frame(frame) if frame.track == Track::Script => {}
            Entry::Frame(frame) if self.order.takes(frame, stream.name()) => self.frame(stream, frame),
            Entry::Frame(_) => {}
        }
    }

    /// Whether the publisher's own packets go to the log by now.
    fn is_relayed(&self) -> bool {
        self.relayed && self.publisher.is_some_and(|publisher| self.splice.lock().is_of(publisher))
    }

    /// The publisher left; its packets are nothing to begin with, unless the next one's are there already.
    fn ended(&mut self) {
        let splice = self.splice.lock();
        if self.publisher.take().is_none_or(|publisher| splice.is_of(publisher) || splice.is_of(self.made)) {
            self.log.clear();
        }
    }

    /// Converted sound of a publisher whose own packets are there as well.
    fn stand_in(&mut self, frame: &Frame) {
        let heard = *self.sound.heard.lock();
        let Some((own, pts, moment)) = heard.filter(|(own, ..)| *own != frame.codec) else { return };
        if frame.track != Track::Audio {
            return;
        }
        let wallclock = at(moment, frame.pts - pts);
        if wallclock.elapsed() < LATE {
            self.append(frame, wallclock, Some(own));
        }
    }

    fn frame(&mut self, stream: &Arc<Stream>, frame: &Frame) {
        let wallclock = self.wallclock(stream, frame.pts);
        self.append(frame, wallclock, None);
    }

    fn append(&mut self, frame: &Frame, wallclock: Instant, instead_of: Option<Codec>) {
        let own = instead_of.is_some() || !self.relayed;
        let Some(publisher) = self.publisher.map(|id| if own { id } else { self.made }) else { return };
        let Some(lane) = self.lanes.of(frame, self.pictures) else { return };
        if lane.packetizer.frame(frame, &mut lane.payloads).is_err() || lane.payloads.is_empty() {
            return;
        }
        let packets = lane.packets();
        let time = frame.pts.ticks(clock_rate(frame.codec)) as u32;
        let (track, codec, key) = (frame.track, frame.codec, frame.is_video_key());
        let redundant = lane.redundant(time, &packets);
        let disposable = lane.references.disposable(codec, packets.iter().map(|packet| &*packet.payload));
        let layer = 0;
        let burst =
            Burst { track, codec, layer, key, disposable, redundant, instead_of, time, wallclock, packets };
        append(&self.log, &self.splice, publisher, burst);
    }

    /// Both tracks on one line, by the stream's own clock: its newest frame was made when the first one is sent.
    fn wallclock(&mut self, stream: &Arc<Stream>, pts: Time) -> Instant {
        let newest = || (Instant::now(), stream.origin().newest().unwrap_or(pts));
        let (base, zero) = *self.base.get_or_insert_with(newest);
        at(base, pts - zero)
    }
}

/// The moment so long after `moment`, or before it.
fn at(moment: Instant, since: Time) -> Instant {
    match since >= Time::ZERO {
        true => moment + since.duration(),
        false => moment.checked_sub((Time::ZERO - since).duration()).unwrap_or(moment),
    }
}

impl Lanes {
    /// The lane of the frame's track, renewed when its codec changes.
    fn of(&mut self, frame: &Frame, pictures: Pictures) -> Option<&mut Lane> {
        let lane = if frame.track == Track::Video { &mut self.video } else { &mut self.audio };
        if lane.as_ref().is_none_or(|lane| lane.codec != frame.codec) {
            let sequence = lane.as_ref().map_or(0, |lane| lane.sequence);
            let packetizer = Packetizer::new(format(frame.codec)?, PAYLOAD_MAX);
            let packetizer = if pictures.keep_sei { packetizer } else { packetizer.without_sei() };
            *lane = Some(Lane {
                codec: frame.codec,
                packetizer,
                payloads: Payloads::default(),
                sequence,
                before: Before::default(),
                references: References::default(),
            });
        }
        lane.as_mut()
    }
}

/// The newest packet of sound, for the next one to bring along.
#[derive(Default)]
pub(crate) struct Before(Option<(u32, Bytes)>);

impl Before {
    /// The packet at `time` with the one before it, if it is Opus.
    pub(crate) fn redundant(&mut self, codec: Codec, time: u32, packets: &[Packet]) -> Option<Bytes> {
        let own = packets.first().filter(|_| codec == Codec::Opus)?;
        let before = self.0.replace((time, own.payload.clone()));
        before.and_then(|(then, payload)| red::join(&payload, time.wrapping_sub(then), &own.payload))
    }
}

impl Lane {
    fn redundant(&mut self, time: u32, packets: &[Packet]) -> Option<Bytes> {
        self.before.redundant(self.codec, time, packets)
    }

    fn packets(&mut self) -> Vec<Packet> {
        let mut room = Vec::with_capacity(PAYLOAD_MAX);
        let packet = |payload: headwater_rtp::Payload<'_>| {
            room.clear();
            payload.put(&mut room);
            self.sequence += 1;
            Packet { payload: Bytes::copy_from_slice(&room), marker: payload.marker, sequence: self.sequence }
        };
        self.payloads.iter().map(packet).collect()
    }
}

/// How a codec goes to and comes from WebRTC peers; `None` for those that browsers do not know.
pub(crate) fn format(codec: Codec) -> Option<Format> {
    Some(match codec {
        Codec::H264 => Format::H264 { single: false },
        Codec::Hevc => Format::Hevc,
        Codec::Av1 => Format::Av1,
        Codec::Vp9 => Format::Vp9 { flexible: true },
        Codec::Vp8 => Format::Vp8,
        Codec::Opus => Format::Opus,
        Codec::G711A => Format::G711A,
        Codec::G711U => Format::G711U,
        Codec::Aac | Codec::Mp3 | Codec::Script => return None,
    })
}

/// Ticks a second of a codec's RTP timestamps.
pub(crate) fn clock_rate(codec: Codec) -> u32 {
    match codec {
        Codec::Opus => 48_000,
        Codec::G711A | Codec::G711U => 8000,
        _ => 90_000,
    }
}
