use crate::audible::Audible;
use crate::event::{Event, Observer};
use crate::framelog::Limits;
use crate::{Stream, StreamName, Times};
use headwater_media::Frame;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long an idle stream is remembered, so that a publisher who reconnects finds its players and its clock.
const LINGER: Duration = Duration::from_secs(3);

/// Whether a script message says that the publisher's times are absolute.
pub type AbsoluteTimes = fn(&Frame) -> bool;

/// How one stream is kept; the server derives it from the stream's virtual host.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether newcomers start at the last key frame (`gop_cache`).
    pub gop_cache: bool,
    /// Frames after which a group of pictures without end is no longer kept; 0 is no limit.
    pub gop_frames_max: u64,
    /// How far behind a reader may fall before it jumps to the newest key frame (`queue_length`).
    pub queue: Duration,
    /// Least time between two walks over the players (`mw_latency`); `None` lets load alone decide.
    pub batch: Option<Duration>,
    /// What is done about the publisher's times (`time_jitter`, `atc`).
    pub times: Times,
    /// Asked of script messages before the first media: yes turns [`Times::Absolute`] on for this publisher
    /// (`atc_auto`).
    pub absolute_times: Option<AbsoluteTimes>,
    /// Whether sound and pictures are put in the order of their decoding times (`mix_correct`). Frames wait for the
    /// other track, ten at most.
    pub interleave: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            gop_cache: true,
            gop_frames_max: 2500,
            queue: Duration::from_secs(30),
            batch: None,
            times: Times::Corrected,
            absolute_times: None,
            interleave: false,
        }
    }
}

impl Options {
    pub(crate) fn limits(&self) -> Limits {
        Limits { gop_cache: self.gop_cache, gop_frames_max: self.gop_frames_max, queue: self.queue.into() }
    }
}

/// All streams of a server.
pub struct Hub {
    streams: Mutex<HashMap<StreamName, Arc<Stream>>>,
    options: Box<dyn Fn(&StreamName) -> Options + Send + Sync>,
    events: Arc<Events>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("streams", &self.streams.lock().len()).finish()
    }
}

impl Hub {
    /// An empty hub; `options` is asked once for each stream that comes into being, `observers` are told of every
    /// event. Observers that need the hub are added once, with [`Hub::observe`].
    pub fn new(options: impl Fn(&StreamName) -> Options + Send + Sync + 'static) -> Arc<Hub> {
        Arc::new(Hub {
            streams: Mutex::default(),
            options: Box::new(options),
            events: Arc::new(Events::silent()),
        })
    }

    /// Sets who decides what [`Hub::audible`] gives. Called once, before the first connection; later calls change
    /// nothing and return false.
    pub fn set_audible(&self, audible: impl Audible + 'static) -> bool {
        self.events.audible.set(Box::new(audible)).is_ok()
    }

    /// The stream for players whose protocol wants the sound of old (AAC or MP3): the stream itself, or one derived
    /// from it whose sound is converted. Readers of frames ask with each publisher. Ready bytes are audible of whichever
    /// of the two they are asked, and players that stay while publishers of either kind come and go change by
    /// themselves.
    pub fn audible(&self, stream: &Arc<Stream>) -> Arc<Stream> {
        stream.audible()
    }

    /// Sets the observers. Called once, before the first connection; later calls change nothing and return false.
    pub fn observe(&self, observers: Vec<Arc<dyn Observer>>) -> bool {
        self.events.observers.set(observers).is_ok()
    }

    /// The stream of that name; made if it is not there, and forgotten again when idle.
    pub fn stream(&self, name: &StreamName) -> Arc<Stream> {
        let mut streams = self.streams.lock();
        if let Some(stream) = streams.get(name) {
            return stream.clone();
        }
        let stream = Arc::new(Stream::new(name.clone(), (self.options)(name), self.events.clone()));
        streams.insert(name.clone(), stream.clone());
        stream
    }

    /// The stream of that name, if it is there.
    pub fn find(&self, name: &StreamName) -> Option<Arc<Stream>> {
        self.streams.lock().get(name).cloned()
    }

    /// All streams, in no particular order.
    pub fn streams(&self) -> Vec<Arc<Stream>> {
        self.streams.lock().values().cloned().collect()
    }

    /// Forgets streams that have been idle for three seconds. Called about once a second.
    pub fn sweep(&self) {
        let mut removed = Vec::new();
        self.streams.lock().retain(|_, stream| {
            // A count of one means that only the map knows it, so nobody can be about to publish.
            let idle = Arc::strong_count(stream) == 1 && stream.idle().is_some_and(|t| t >= LINGER);
            if idle {
                removed.push(stream.clone());
            }
            !idle
        });
        removed.into_iter().for_each(|stream| self.events.emit(&Event::Removed { stream }));
    }
}

/// Whom streams tell and ask: where events go, and who decides what is audible.
pub(crate) struct Events {
    observers: OnceLock<Vec<Arc<dyn Observer>>>,
    audible: OnceLock<Box<dyn Audible>>,
}

impl Events {
    /// Nobody is told or asked, as yet.
    pub(crate) fn silent() -> Events {
        Events { observers: OnceLock::new(), audible: OnceLock::new() }
    }

    pub(crate) fn audible(&self) -> Option<&dyn Audible> {
        self.audible.get().map(|audible| &**audible)
    }

    pub(crate) fn emit(&self, event: &Event) {
        self.observers.get().into_iter().flatten().for_each(|o| o.on_event(event));
    }
}
