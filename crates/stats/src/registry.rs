//! Virtual hosts, streams and clients with their counters.

use crate::identity::vid;
use crate::rate::{Rate, Traffic, Window};
use headwater_hub::{Session, SessionId, Snapshot, Stream, StreamName};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Instant;

/// Virtual hosts kept. They come from the configuration, so this is far beyond use; past it one without streams
/// goes for each one that comes.
pub const VHOSTS_MAX: usize = 4096;

/// A virtual host that was used.
#[derive(Clone, Debug)]
pub struct VhostStat {
    /// `vid-` and seven characters.
    pub id: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// Clients now.
    pub clients: usize,
    /// Streams now.
    pub streams: usize,
    /// Bytes since its first use.
    pub traffic: Traffic,
    /// Rates.
    pub rate: Rate,
}

/// A stream with a publisher or players.
#[derive(Clone, Debug)]
pub struct StreamStat {
    /// `vid-` and seven characters.
    pub id: Arc<str>,
    /// Identity.
    pub name: StreamName,
    /// Id of its virtual host.
    pub vhost_id: Arc<str>,
    /// Connect URL of the first client.
    pub tc_url: Box<str>,
    /// Clients now, the publisher included.
    pub clients: usize,
    /// Latest publisher; stays after it left.
    pub publisher: Option<SessionId>,
    /// Client type of the latest publisher; empty if there was none.
    pub publisher_kind: &'static str,
    /// Whether it publishes now.
    pub active: bool,
    /// Bytes since the entry appeared.
    pub traffic: Traffic,
    /// Rates.
    pub rate: Rate,
    stream: Weak<Stream>,
}

impl StreamStat {
    /// What the hub knows of it now; `None` if it has just gone.
    ///
    /// Takes the stream's lock, so it is asked for after the registry's lock was given back.
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.stream.upgrade().map(|stream| stream.snapshot())
    }
}

/// A publisher or a player.
#[derive(Clone, Debug)]
pub struct ClientStat {
    /// The session: identity, counters, and the means to end it.
    pub session: Arc<Session>,
    /// Id of its stream.
    pub stream_id: Arc<str>,
    /// Id of its virtual host.
    pub vhost_id: Arc<str>,
    /// Rates.
    pub rate: Rate,
}

/// A part of a list.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Items to skip.
    pub start: usize,
    /// Items to give at most.
    pub count: usize,
}

/// Which streams are wanted; an empty field means any.
#[derive(Clone, Debug, Default)]
pub struct StreamFilter {
    /// Name or id of the virtual host.
    pub vhost: Option<String>,
    /// App.
    pub app: Option<String>,
    /// Stream name.
    pub stream: Option<String>,
}

/// Which clients are wanted; an empty field means any.
#[derive(Clone, Debug, Default)]
pub struct ClientFilter {
    /// Of which streams; a stream may also be given by its id.
    pub stream: StreamFilter,
    /// Client type (`rtmp-play`).
    pub kind: Option<String>,
}

impl StreamFilter {
    fn admits(&self, stream: &StreamEntry) -> bool {
        let is =
            |want: &Option<String>, have: &[&str]| want.as_ref().is_none_or(|w| have.contains(&w.as_str()));
        is(&self.vhost, &[stream.name.vhost(), &stream.vhost_id])
            && is(&self.app, &[stream.name.app()])
            && is(&self.stream, &[stream.name.stream(), &stream.id])
    }
}

#[derive(Debug)]
struct VhostEntry {
    id: Arc<str>,
    streams: usize,
    clients: usize,
    /// Traffic of clients that left.
    gone: Traffic,
    window: Window,
}

#[derive(Debug)]
struct StreamEntry {
    id: Arc<str>,
    name: StreamName,
    vhost_id: Arc<str>,
    tc_url: Box<str>,
    /// Weak, or an idle stream would never be forgotten by the hub.
    stream: Weak<Stream>,
    clients: BTreeSet<SessionId>,
    publisher: Option<SessionId>,
    publisher_kind: &'static str,
    active: bool,
    gone: Traffic,
    window: Window,
}

#[derive(Debug)]
struct ClientEntry {
    session: Arc<Session>,
    window: Window,
}

/// All entries. Held behind one lock, which is taken on media threads only when a client comes or goes.
#[derive(Debug)]
pub(crate) struct Registry {
    vhosts: HashMap<Arc<str>, VhostEntry>,
    streams: HashMap<StreamName, StreamEntry>,
    clients: BTreeMap<SessionId, ClientEntry>,
    gone: Traffic,
    clients_total: u64,
}

impl Registry {
    pub(crate) fn new() -> Registry {
        Registry {
            vhosts: HashMap::new(),
            streams: HashMap::new(),
            clients: BTreeMap::new(),
            gone: Traffic::default(),
            clients_total: 0,
        }
    }

    /// A publisher or a player came.
    pub(crate) fn join(&mut self, stream: &Arc<Stream>, session: &Arc<Session>, publish: bool, now: Instant) {
        self.remove(session.id());
        let vhost_id = self.ensure_vhost(stream.name().vhost(), now);
        self.ensure_stream(stream, session, vhost_id, now);
        if let Some(entry) = self.streams.get_mut(stream.name()) {
            entry.clients.insert(session.id());
            if publish {
                entry.publisher = Some(session.id());
                entry.publisher_kind = session.info().kind;
                entry.active = true;
            }
        }
        if let Some(vhost) = self.vhosts.get_mut(stream.name().vhost()) {
            vhost.clients += 1;
        }
        let entry = ClientEntry { session: session.clone(), window: Window::new(now) };
        self.clients.insert(session.id(), entry);
        self.clients_total += 1;
    }

    /// It left. Unknown sessions, and those replaced by another of the same id, are no news.
    pub(crate) fn leave(&mut self, session: &Arc<Session>) {
        if self.clients.get(&session.id()).is_some_and(|entry| Arc::ptr_eq(&entry.session, session)) {
            self.remove(session.id());
        }
    }

    /// Takes a sample of every total.
    pub(crate) fn sample(&mut self, now: Instant) {
        let mut vhosts: HashMap<Arc<str>, Traffic> =
            self.vhosts.iter().map(|(name, vhost)| (name.clone(), vhost.gone)).collect();
        for stream in self.streams.values_mut() {
            let mut total = stream.gone;
            let mut live = Traffic::default();
            for id in &stream.clients {
                let Some(client) = self.clients.get_mut(id) else { continue };
                let traffic = traffic(&client.session);
                client.window.add(now, traffic);
                live += traffic;
            }
            total += live;
            stream.window.add(now, total);
            if let Some(vhost) = vhosts.get_mut(stream.name.vhost()) {
                *vhost += live;
            }
        }
        for (name, vhost) in &mut self.vhosts {
            vhost.window.add(now, vhosts.get(name).copied().unwrap_or_default());
        }
    }

    pub(crate) fn vhosts(&self) -> Vec<VhostStat> {
        let mut live: HashMap<&str, Traffic> = HashMap::new();
        for client in self.clients.values() {
            *live.entry(client.session.info().name.vhost()).or_default() += traffic(&client.session);
        }
        let mut all: Vec<VhostStat> =
            self.vhosts.iter().map(|(name, entry)| vhost_stat(name, entry, live.get(&**name))).collect();
        all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// One page of the streams that match, by id, and how many match.
    pub(crate) fn streams(&self, filter: &StreamFilter, page: Page) -> (Vec<StreamStat>, usize) {
        let mut all: Vec<&StreamEntry> = self.streams.values().filter(|s| filter.admits(s)).collect();
        all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let total = all.len();
        let page = all.into_iter().skip(page.start).take(page.count);
        (page.map(|entry| self.stream_stat(entry)).collect(), total)
    }

    pub(crate) fn stream(&self, id: &str) -> Option<StreamStat> {
        let entry = self.streams.values().find(|entry| &*entry.id == id)?;
        Some(self.stream_stat(entry))
    }

    pub(crate) fn stream_id(&self, name: &StreamName) -> Option<Arc<str>> {
        self.streams.get(name).map(|entry| entry.id.clone())
    }

    pub(crate) fn client_count(&self, name: &StreamName) -> usize {
        self.streams.get(name).map(|entry| entry.clients.len()).unwrap_or_default()
    }

    /// One page of the clients that match, by id, and how many match.
    pub(crate) fn clients(&self, filter: &ClientFilter, page: Page) -> (Vec<ClientStat>, usize) {
        let mut total = 0;
        let mut items = Vec::new();
        for entry in self.clients.values() {
            let Some(stream) = self.streams.get(&entry.session.info().name) else { continue };
            let kind = filter.kind.as_ref().is_none_or(|kind| kind == entry.session.info().kind);
            if !kind || !filter.stream.admits(stream) {
                continue;
            }
            if total >= page.start && items.len() < page.count {
                items.push(client_stat(entry, stream));
            }
            total += 1;
        }
        (items, total)
    }

    pub(crate) fn client(&self, id: &str) -> Option<ClientStat> {
        let (_, entry) = self.clients.iter().find(|(known, _)| known.as_str() == id)?;
        let stream = self.streams.get(&entry.session.info().name)?;
        Some(client_stat(entry, stream))
    }

    /// Clients now, clients ever, streams now.
    pub(crate) fn counts(&self) -> (usize, u64, usize) {
        (self.clients.len(), self.clients_total, self.streams.len())
    }

    /// Bytes of all clients, those who left included.
    pub(crate) fn traffic(&self) -> Traffic {
        let mut sum = self.gone;
        self.clients.values().for_each(|client| sum += traffic(&client.session));
        sum
    }

    fn ensure_vhost(&mut self, name: &str, now: Instant) -> Arc<str> {
        if let Some(entry) = self.vhosts.get(name) {
            return entry.id.clone();
        }
        if self.vhosts.len() >= VHOSTS_MAX {
            self.drop_unused_vhost();
        }
        let id: Arc<str> = vid().into();
        let entry = VhostEntry {
            id: id.clone(),
            streams: 0,
            clients: 0,
            gone: Traffic::default(),
            window: Window::new(now),
        };
        self.vhosts.insert(name.into(), entry);
        id
    }

    fn drop_unused_vhost(&mut self) {
        let unused = self.vhosts.iter().find(|(_, vhost)| vhost.streams == 0).map(|(name, _)| name.clone());
        if let Some(name) = unused {
            self.vhosts.remove(&name);
        }
    }

    fn ensure_stream(&mut self, stream: &Arc<Stream>, session: &Session, vhost_id: Arc<str>, now: Instant) {
        if let Some(entry) = self.streams.get_mut(stream.name()) {
            entry.stream = Arc::downgrade(stream);
            return;
        }
        let entry = StreamEntry {
            id: vid().into(),
            name: stream.name().clone(),
            vhost_id,
            tc_url: session.info().tc_url.clone(),
            stream: Arc::downgrade(stream),
            clients: BTreeSet::new(),
            publisher: None,
            publisher_kind: "",
            active: false,
            gone: Traffic::default(),
            window: Window::new(now),
        };
        self.streams.insert(stream.name().clone(), entry);
        if let Some(vhost) = self.vhosts.get_mut(stream.name().vhost()) {
            vhost.streams += 1;
        }
    }

    fn remove(&mut self, id: SessionId) {
        let Some(client) = self.clients.remove(&id) else { return };
        let traffic = traffic(&client.session);
        self.gone += traffic;
        let name = &client.session.info().name;
        if let Some(vhost) = self.vhosts.get_mut(name.vhost()) {
            vhost.gone += traffic;
            vhost.clients = vhost.clients.saturating_sub(1);
        }
        let Some(stream) = self.streams.get_mut(name) else { return };
        stream.gone += traffic;
        stream.clients.remove(&id);
        if stream.publisher == Some(id) {
            stream.active = false;
        }
        if stream.clients.is_empty() {
            self.forget_stream(name);
        }
    }

    fn forget_stream(&mut self, name: &StreamName) {
        self.streams.remove(name);
        if let Some(vhost) = self.vhosts.get_mut(name.vhost()) {
            vhost.streams = vhost.streams.saturating_sub(1);
        }
    }

    fn stream_stat(&self, entry: &StreamEntry) -> StreamStat {
        let mut sum = entry.gone;
        let clients = entry.clients.iter().filter_map(|id| self.clients.get(id));
        clients.for_each(|client| sum += traffic(&client.session));
        StreamStat {
            id: entry.id.clone(),
            name: entry.name.clone(),
            vhost_id: entry.vhost_id.clone(),
            tc_url: entry.tc_url.clone(),
            clients: entry.clients.len(),
            publisher: entry.publisher,
            publisher_kind: entry.publisher_kind,
            active: entry.active,
            traffic: sum,
            rate: entry.window.rate(),
            stream: entry.stream.clone(),
        }
    }
}

fn vhost_stat(name: &Arc<str>, entry: &VhostEntry, live: Option<&Traffic>) -> VhostStat {
    let mut traffic = entry.gone;
    traffic += live.copied().unwrap_or_default();
    VhostStat {
        id: entry.id.clone(),
        name: name.clone(),
        clients: entry.clients,
        streams: entry.streams,
        traffic,
        rate: entry.window.rate(),
    }
}

fn client_stat(entry: &ClientEntry, stream: &StreamEntry) -> ClientStat {
    ClientStat {
        session: entry.session.clone(),
        stream_id: stream.id.clone(),
        vhost_id: stream.vhost_id.clone(),
        rate: entry.window.rate(),
    }
}

fn traffic(session: &Session) -> Traffic {
    Traffic { received: session.received.total(), sent: session.sent.total() }
}
