use crate::identity::Identity;
use crate::machine::{Machine, Sampler, now_ms};
use crate::rate::{SAMPLE_EVERY, Traffic};
use crate::registry::{ClientFilter, ClientStat, Page, Registry, StreamFilter, StreamStat, VhostStat};
use headwater_hub::{Event, Observer, StreamName};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Ticks come about once a second; one that is this much early still takes the sample that is due.
const SLACK: Duration = Duration::from_millis(500);

/// How statistics are gathered (`stats` section of the configuration).
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether process and machine are sampled (`stats.enabled`); streams and clients always are.
    pub machine: bool,
    /// Device names of the disks watched for how busy they are (`stats.disk`).
    pub disks: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options { machine: true, disks: Vec::new() }
    }
}

/// Sums over the whole server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes since start.
    pub traffic: Traffic,
    /// When they were summed, milliseconds since 1970.
    pub at_ms: i64,
    /// Streams now.
    pub streams: usize,
    /// Clients now, publishers included.
    pub clients: usize,
    /// Clients since start.
    pub clients_total: u64,
    /// Clients that ended by an error, since start.
    pub client_errors: u64,
}

/// The server's statistics; one per server.
pub struct Stats {
    identity: Identity,
    started: Instant,
    options: Options,
    registry: Mutex<Registry>,
    sampling: Mutex<Sampling>,
    machine: Mutex<Arc<Machine>>,
    client_errors: AtomicU64,
}

/// What only [`Stats::tick`] uses.
struct Sampling {
    sampler: Sampler,
    last: Option<Instant>,
}

impl fmt::Debug for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stats").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Stats {
    /// Statistics that begin now. They count what the hub tells them: see [`headwater_hub::Hub::observe`].
    pub fn new(identity: Identity, options: Options) -> Stats {
        let sampling = Sampling { sampler: Sampler::new(options.disks.clone()), last: None };
        Stats {
            identity,
            started: Instant::now(),
            options,
            registry: Mutex::new(Registry::new()),
            sampling: Mutex::new(sampling),
            machine: Mutex::default(),
            client_errors: AtomicU64::new(0),
        }
    }

    /// Takes the samples that are due at `now`: the first at once, then one every three seconds. Called about once
    /// a second, on a control thread: it reads files under `/proc`.
    pub fn tick(&self, now: Instant) {
        let mut sampling = self.sampling.lock();
        if sampling.last.is_some_and(|last| now.saturating_duration_since(last) + SLACK < SAMPLE_EVERY) {
            return;
        }
        sampling.last = Some(now);
        self.registry.lock().sample(now);
        if self.options.machine {
            *self.machine.lock() = Arc::new(sampling.sampler.sample(now));
        }
    }

    /// Counts a client that ended by an error.
    pub fn client_failed(&self) {
        self.client_errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Who this server is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Time since start.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The latest sample of process and machine.
    pub fn machine(&self) -> Arc<Machine> {
        self.machine.lock().clone()
    }

    /// Sums over the whole server.
    pub fn totals(&self) -> Totals {
        let registry = self.registry.lock();
        let (clients, clients_total, streams) = registry.counts();
        Totals {
            traffic: registry.traffic(),
            at_ms: now_ms(),
            streams,
            clients,
            clients_total,
            client_errors: self.client_errors.load(Ordering::Relaxed),
        }
    }

    /// All virtual hosts that were used, by id.
    pub fn vhosts(&self) -> Vec<VhostStat> {
        self.registry.lock().vhosts()
    }

    /// The virtual host with that id.
    pub fn vhost(&self, id: &str) -> Option<VhostStat> {
        self.vhosts().into_iter().find(|vhost| &*vhost.id == id)
    }

    /// One page of the streams that match, by id, and how many match.
    pub fn streams(&self, filter: &StreamFilter, page: Page) -> (Vec<StreamStat>, usize) {
        self.registry.lock().streams(filter, page)
    }

    /// The stream with that id.
    pub fn stream(&self, id: &str) -> Option<StreamStat> {
        self.registry.lock().stream(id)
    }

    /// Id of a stream that has a publisher or players; callbacks tell it.
    pub fn stream_id(&self, name: &StreamName) -> Option<Arc<str>> {
        self.registry.lock().stream_id(name)
    }

    /// Clients of a stream now, the publisher included; callbacks tell it.
    pub fn client_count(&self, name: &StreamName) -> usize {
        self.registry.lock().client_count(name)
    }

    /// One page of the clients that match, by id, and how many match.
    pub fn clients(&self, filter: &ClientFilter, page: Page) -> (Vec<ClientStat>, usize) {
        self.registry.lock().clients(filter, page)
    }

    /// The client with that id.
    pub fn client(&self, id: &str) -> Option<ClientStat> {
        self.registry.lock().client(id)
    }
}

impl Observer for Stats {
    fn on_event(&self, event: &Event) {
        match event {
            Event::Published { stream, session } => {
                self.registry.lock().join(stream, session, true, Instant::now());
            }
            Event::PlayStarted { stream, session } => {
                self.registry.lock().join(stream, session, false, Instant::now());
            }
            Event::Unpublished { session, .. } | Event::PlayStopped { session, .. } => {
                self.registry.lock().leave(session);
                if session.has_failed() {
                    self.client_failed();
                }
            }
            _ => {}
        }
    }
}
