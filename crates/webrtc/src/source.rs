//! A stream's frames as packets, made once for all workers.

mod standin;
mod track;

pub(crate) use standin::{Convert, Own};
pub(crate) use track::{Before, clock_rate, format};

use crate::order::Order;
use crate::packetlog::{Burst, PacketLog};
use crate::splice::Splice;
use headwater_hub::{Entry, FrameReader, Read, SessionId, Stream, StreamName};
use headwater_media::{Codec, Frame, Time, Track};
use parking_lot::Mutex;
use standin::{Place, StandIns};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;
use tokio::sync::Notify;
use track::Lane;

/// Where the packets of a stream are made. It lives as long as a worker has viewers.
pub(crate) struct Source {
    pub(crate) log: Arc<PacketLog>,
    splice: Arc<Mutex<Splice>>,
    closed: Arc<Notify>,
    /// How to ask the present publisher for a key frame.
    ask: Mutex<Option<Ask>>,
    stand_ins: Arc<StandIns>,
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
    pub(crate) fn open(
        &self,
        stream: &Arc<Stream>,
        runtime: &tokio::runtime::Handle,
        convert: Convert,
        pictures: Pictures,
    ) -> Arc<Source> {
        let mut open = self.open.lock();
        if let Some(source) = open.get(stream.name()).and_then(Weak::upgrade) {
            return source;
        }
        open.retain(|_, source| source.strong_count() > 0);
        let (log, closed) = (Arc::<PacketLog>::default(), Arc::<Notify>::default());
        let splice = Arc::<Mutex<Splice>>::default();
        let place = Place { stream: stream.clone(), log: log.clone(), splice: splice.clone() };
        let stand_ins = Arc::new(StandIns::new(place, convert.clone(), runtime.clone()));
        let work = Work {
            log: log.clone(),
            splice: splice.clone(),
            stand_ins: stand_ins.clone(),
            publisher: None,
            video: None,
            audio: None,
            base: None,
            relayed: false,
            made: SessionId::random(),
            pictures,
            order: Order::new(pictures.keep_bframe),
            convert,
        };
        runtime.spawn(work.run(stream.frames(), closed.clone()));
        let source = Arc::new(Source { log, splice, closed, ask: Mutex::default(), stand_ins });
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

    /// The publisher's own sound is here.
    pub(crate) fn heard(&self, own: Own) {
        self.stand_ins.heard(own);
    }

    /// A viewer cannot take the stream's own sound, but this codec: it is made until the publisher leaves.
    pub(crate) fn want_sound(&self, codec: Codec) {
        self.stand_ins.want(codec);
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
        self.stand_ins.end();
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
    stand_ins: Arc<StandIns>,
    publisher: Option<SessionId>,
    video: Option<Lane>,
    audio: Option<Lane>,
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

impl Work {
    async fn run(mut self, mut frames: FrameReader, closed: Arc<Notify>) {
        loop {
            let read = tokio::select! {
                read = frames.next() => read,
                () = closed.notified() => return,
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

    /// Takes entries; or says which stream to read instead, from where it begins: the origin, of which the packets come
    /// from the publisher, or the converted one. So nothing is converted that nobody makes packets of.
    fn entries(&mut self, stream: &Arc<Stream>, entries: &[Entry]) -> Option<Arc<Stream>> {
        for entry in entries {
            self.entry(stream, entry);
            let converted = !Arc::ptr_eq(stream, stream.origin());
            match entry {
                Entry::Published if self.relayed && converted => return Some(stream.origin().clone()),
                Entry::Published if !self.relayed && !converted => {
                    return Some((self.convert)(stream, Codec::Opus));
                }
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
                self.publisher = publisher.map(|session| session.id());
                self.made = SessionId::random();
                self.base = None;
                self.order.begin();
            }
            Entry::Unpublished => self.ended(),
            Entry::Frame(_) if self.is_relayed() => {}
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

    fn frame(&mut self, stream: &Arc<Stream>, frame: &Frame) {
        let wallclock = self.wallclock(stream, frame.pts);
        let publisher = self.publisher.map(|id| if self.relayed { self.made } else { id });
        let lane = if frame.track == Track::Video { &mut self.video } else { &mut self.audio };
        let lane = track::lane(lane, frame, self.pictures);
        let burst = lane.and_then(|lane| lane.burst(frame, wallclock));
        let Some((burst, publisher)) = burst.zip(publisher) else { return };
        let (codec, pts) = (burst.codec, frame.pts);
        append(&self.log, &self.splice, publisher, burst);
        if frame.track == Track::Audio {
            self.stand_ins.heard(Own { codec, pts, moment: wallclock, publisher });
        }
    }

    /// Both tracks on one line, by the stream's own clock: its newest frame was made when the first one is sent.
    fn wallclock(&mut self, stream: &Arc<Stream>, pts: Time) -> Instant {
        let newest = || (Instant::now(), stream.origin().newest().unwrap_or(pts));
        let (base, zero) = *self.base.get_or_insert_with(newest);
        shifted(base, pts - zero)
    }
}

/// The moment so long after `moment`, or before it.
pub(crate) fn shifted(moment: Instant, since: Time) -> Instant {
    match since >= Time::ZERO {
        true => moment + since.duration(),
        false => moment.checked_sub((Time::ZERO - since).duration()).unwrap_or(moment),
    }
}
