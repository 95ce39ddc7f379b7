//! Who packages what, and who gets it.

use crate::cutter::{Cutter, Lengths};
use crate::item::{Item, TrackSet};
use headwater_hub::{Entry, FrameReader, Read, SessionId, Stream, StreamName};
use headwater_media::Track;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::SystemTime;
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Items that wait for a slow subscriber, about 40 s of a stream with sound and pictures. Beyond it, it jumps.
pub const ITEMS_MAX: usize = 256;

/// Items since the last key frame that are kept for new subscribers. Beyond it they start at the next key frame.
/// Smaller than [`ITEMS_MAX`], so that who jumps never sees an item twice.
pub const BACKLOG_MAX: usize = 192;

/// Most bytes of the backlog: 64 MiB.
const BACKLOG_BYTES_MAX: usize = 64 << 20;

/// The packages of a server: at most one of each publish and one of what is derived from it.
pub struct Packager {
    lengths: Box<dyn Fn(&StreamName) -> Lengths + Send + Sync>,
    runtime: Handle,
    /// By name, and whether it is of a derived stream: recordings keep what was published while viewers get other sound.
    packages: Mutex<HashMap<(StreamName, bool), Weak<Package>>>,
}

impl fmt::Debug for Packager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packager").field("packages", &self.packages.lock().len()).finish_non_exhaustive()
    }
}

impl Packager {
    /// Packages streams on `runtime`, all with the same `lengths`.
    pub fn new(lengths: Lengths, runtime: Handle) -> Arc<Packager> {
        Packager::with_lengths(move |_| lengths, runtime)
    }

    /// Packages streams on `runtime`; `lengths` is asked once for each package.
    pub fn with_lengths(
        lengths: impl Fn(&StreamName) -> Lengths + Send + Sync + 'static,
        runtime: Handle,
    ) -> Arc<Packager> {
        Arc::new(Packager { lengths: Box::new(lengths), runtime, packages: Mutex::default() })
    }

    /// The package of the stream's present publish. The first caller starts it, from the last key frame on; it ends
    /// with the publish, or when nobody holds it any more; without a publisher it has ended already. Called where [`headwater_hub::Event::Published`] is
    /// observed, it misses nothing.
    pub fn package(&self, stream: &Arc<Stream>) -> Arc<Package> {
        let publisher = stream.origin().snapshot().publisher.map(|session| session.id());
        let mut packages = self.packages.lock();
        packages.retain(|_, package| package.strong_count() > 0);
        let key = (stream.name().clone(), !Arc::ptr_eq(stream, stream.origin()));
        let known = packages.get(&key).and_then(Weak::upgrade);
        if let Some(package) = known.filter(|package| package.publisher == publisher) {
            return package;
        }
        let package = Arc::new(Package::new(publisher));
        packages.insert(key, Arc::downgrade(&package));
        if publisher.is_none() {
            package.publish(vec![Item::Ended]);
            return package;
        }
        let cutter = Cutter::new((self.lengths)(stream.name()));
        self.runtime.spawn(run(stream.frames(), cutter, Arc::downgrade(&package)));
        package
    }
}

/// The chunks of one publish.
pub struct Package {
    publisher: Option<SessionId>,
    state: Mutex<State>,
    items: broadcast::Sender<Item>,
}

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Package").field("publisher", &self.publisher).finish_non_exhaustive()
    }
}

/// What a new subscriber starts with.
#[derive(Debug, Default)]
struct State {
    tracks: Option<Arc<TrackSet>>,
    /// Chunks since the last one of the leading track that a decoder can start at, that one and the sound of its time
    /// included.
    backlog: Option<VecDeque<Item>>,
    /// Whether the next chunk is the first of a time that a decoder can start at.
    turns: bool,
    bytes: usize,
    ended: bool,
}

impl Package {
    fn new(publisher: Option<SessionId>) -> Package {
        Package { publisher, state: Mutex::default(), items: broadcast::Sender::new(ITEMS_MAX) }
    }

    /// Reads the package from its last key frame on.
    pub fn subscribe(self: &Arc<Self>) -> Chunks {
        let state = self.state.lock();
        let items = self.items.subscribe();
        Chunks { package: self.clone(), pending: state.start(), items, waits: state.waits() }
    }

    fn publish(&self, items: Vec<Item>) {
        let mut state = self.state.lock();
        for item in items {
            state.observe(&item);
            self.items.send(item).ok(); // nobody listens: the backlog has it
        }
    }
}

impl State {
    fn start(&self) -> VecDeque<Item> {
        let tracks = self.tracks.iter().cloned().map(Item::Tracks);
        let backlog = self.backlog.iter().flatten().cloned();
        tracks.chain(backlog).chain(self.ended.then_some(Item::Ended)).collect()
    }

    /// Whether a new subscriber must wait for a chunk that a decoder can start at.
    fn waits(&self) -> bool {
        self.backlog.is_none()
    }

    fn observe(&mut self, item: &Item) {
        match item {
            Item::Tracks(set) => {
                self.tracks = Some(set.clone());
                self.begin();
            }
            Item::Chunk(chunk) => {
                let lead = self.tracks.as_ref().map_or(Track::Video, |tracks| tracks.lead());
                let mut kept = self.backlog.iter().flatten();
                let begun = self.backlog.is_some() && kept.all(|item| is_of_other(item, lead));
                if self.turns || (starts(self.tracks.as_deref(), item) && !begun) {
                    self.begin();
                }
                self.turns = chunk.track == lead && chunk.before_key;
                self.bytes += chunk.chunk.len();
                if let Some(backlog) = &mut self.backlog {
                    backlog.push_back(item.clone());
                }
                let long = self.backlog.as_ref().is_some_and(|backlog| backlog.len() > BACKLOG_MAX);
                if long || self.bytes > BACKLOG_BYTES_MAX {
                    self.backlog = None;
                }
            }
            Item::Ended => self.ended = true,
            Item::Jumped { .. } => {}
        }
    }

    fn begin(&mut self) {
        self.backlog = Some(VecDeque::new());
        self.bytes = 0;
        self.turns = false;
    }
}

/// Whether `item` is a chunk that a decoder of `tracks` can start at.
fn starts(tracks: Option<&TrackSet>, item: &Item) -> bool {
    let lead = tracks.map_or(Track::Video, TrackSet::lead);
    matches!(item, Item::Chunk(chunk) if chunk.independent && chunk.track == lead)
}

/// Whether `item` is a chunk of another track than the leading one.
fn is_of_other(item: &Item, lead: Track) -> bool {
    matches!(item, Item::Chunk(chunk) if chunk.track != lead)
}

/// A subscription. Dropping it ends it.
#[derive(Debug)]
pub struct Chunks {
    package: Arc<Package>,
    pending: VecDeque<Item>,
    items: broadcast::Receiver<Item>,
    /// Whether chunks are left out until one that a decoder can start at.
    waits: bool,
}

impl Chunks {
    /// The next item; waits until there is one. Safe to cancel: nothing is lost. After [`Item::Ended`] it gives that
    /// for ever.
    pub async fn next(&mut self) -> Item {
        loop {
            if let Some(item) = self.pending.pop_front() {
                return item;
            }
            match self.items.recv().await {
                Ok(item) => {
                    if let Some(item) = self.wanted(item) {
                        return item;
                    }
                }
                Err(RecvError::Lagged(skipped)) => return self.jump(skipped),
                Err(RecvError::Closed) => return Item::Ended,
            }
        }
    }

    fn wanted(&mut self, item: Item) -> Option<Item> {
        if self.waits && matches!(item, Item::Chunk(_)) {
            let tracks = self.package.state.lock().tracks.clone();
            if !starts(tracks.as_deref(), &item) {
                return None;
            }
            self.waits = false;
        }
        self.waits &= !matches!(item, Item::Tracks(_));
        Some(item)
    }

    fn jump(&mut self, skipped: u64) -> Item {
        *self = self.package.subscribe();
        Item::Jumped { skipped }
    }
}

/// Packages until the publisher leaves or nobody holds the package.
async fn run(mut frames: FrameReader, mut cutter: Cutter, package: Weak<Package>) {
    let mut told = false;
    loop {
        let read = frames.next().await;
        let Some(package) = package.upgrade() else { return };
        let (mut out, mut ended) = (Vec::new(), false);
        match read {
            Read::Entries(entries) => {
                let now = SystemTime::now();
                for entry in entries {
                    match entry {
                        Entry::Published => {}
                        Entry::Frame(frame) => cutter.push(&frame, now, &mut out),
                        Entry::Unpublished => {
                            ended = true;
                            break;
                        }
                    }
                }
            }
            Read::Jumped { skipped } => {
                tracing::warn!(stream = %frames.stream().name(), skipped, "packaging fell behind and lost frames; is the machine overloaded?");
                let publisher = frames.stream().origin().snapshot().publisher.map(|session| session.id());
                ended = publisher != package.publisher;
                cutter.lost(&mut out);
            }
        }
        if ended {
            cutter.finish(&mut out);
        }
        if let Some(error) = cutter.take_refusal().filter(|_| !std::mem::replace(&mut told, true)) {
            tracing::warn!(stream = %frames.stream().name(), %error, "a track is left out of fragmented MP4");
        }
        package.publish(out);
        if ended {
            return;
        }
    }
}
