//! Who is where: sessions by their ICE user name, so that whichever worker a packet reaches finds its session.
//!
//! A session is made by the control side and waits here. The worker that gets its first valid STUN request takes it,
//! and keeps it for life: the kernel sends the same pair of addresses to the same worker. When the peer's address
//! changes, packets may reach another worker; that one passes them on.

use crate::addresses::Address;
use crate::peer::Peer;
use crate::status::Status;
use headwater_hub::SessionId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::net::Protocol;
use tokio::sync::mpsc;

/// Sessions that may wait for their first STUN request. The next one is refused: each holds some 5 KB.
pub(crate) const WAITING_MAX: usize = 2048;

/// Those of one address: a school whose classes begin at once, behind one router.
pub(crate) const WAITING_PER_ADDRESS: usize = 256;

/// How long a session may wait for its first STUN request.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(30);

/// Orders and foreign packets that may wait for a worker. What comes beyond is dropped, as the network would.
pub(crate) const INBOX_MAX: usize = 1024;

/// What reaches a worker from outside its own socket.
pub(crate) enum Order {
    /// A packet of one of its sessions that reached the worker `by`.
    Packet { key: usize, bytes: Box<[u8]>, route: Route, by: usize },
    /// What comes from an address belongs to that session of that worker.
    Elsewhere { address: Address, worker: usize, key: usize },
    /// Something to do with one of its sessions, if it is still there.
    With { key: usize, id: SessionId, act: Act },
}

/// What an [`Order::With`] does.
pub(crate) type Act = Box<dyn FnOnce(&mut Peer) -> Result<(), String> + Send>;

/// The way a packet came, and its answers go.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// From an address to one of ours, on the shared port.
    Udp { peer: SocketAddr, local: Option<IpAddr> },
    /// Over a connection of its own.
    Tcp { peer: SocketAddr, connection: mpsc::Sender<bytes::Bytes> },
}

impl Route {
    pub(crate) fn peer(&self) -> SocketAddr {
        match self {
            Route::Udp { peer, .. } | Route::Tcp { peer, .. } => *peer,
        }
    }

    pub(crate) fn address(&self) -> Address {
        (self.protocol(), self.peer())
    }

    pub(crate) fn protocol(&self) -> Protocol {
        match self {
            Route::Udp { .. } => Protocol::Udp,
            Route::Tcp { .. } => Protocol::Tcp,
        }
    }
}

/// Where a session is.
enum Place {
    Waiting(Box<Peer>),
    /// Which worker, and its key there.
    Worker(usize, usize),
}

struct Entry {
    place: Place,
    since: Instant,
    from: IpAddr,
    token: Box<str>,
    ice: IceNames,
    status: Arc<Status>,
}

/// The user names of a session's present ICE session; a restart changes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IceNames {
    /// Ours.
    pub(crate) local: Box<str>,
    /// The peer's.
    pub(crate) remote: Box<str>,
}

/// All sessions of a server.
#[derive(Default)]
pub(crate) struct Registry {
    entries: Mutex<Entries>,
    workers: Mutex<Vec<mpsc::Sender<Order>>>,
}

/// Sessions by the ICE user name that they began with, which their URL tells for good.
#[derive(Default)]
struct Entries {
    named: HashMap<Box<str>, Entry>,
    /// The present user name of each session that restarted ICE, and the one that it began with.
    restarted: HashMap<Box<str>, Box<str>>,
}

impl Entries {
    /// The name that a session began with, by any user name that leads to it.
    fn name<'a>(&'a self, ufrag: &'a str) -> &'a str {
        self.restarted.get(ufrag).map_or(ufrag, |name| name)
    }

    fn get_mut(&mut self, ufrag: &str) -> Option<&mut Entry> {
        let name = self.restarted.get(ufrag).map_or(ufrag, |name| name);
        self.named.get_mut(name)
    }

    fn rename(&mut self, old: &str, ice: IceNames) {
        let name: Box<str> = self.name(old).into();
        let Some(entry) = self.named.get_mut(&name) else { return };
        self.restarted.remove(&entry.ice.local);
        if ice.local != name {
            self.restarted.insert(ice.local.clone(), name);
        }
        entry.ice = ice;
    }

    fn remove(&mut self, ufrag: &str) {
        let name: Box<str> = self.name(ufrag).into();
        if let Some(entry) = self.named.remove(&name) {
            self.restarted.remove(&entry.ice.local);
        }
    }

    /// Why one more session from there may not wait, if it may not.
    fn full(&self, from: IpAddr) -> Option<&'static str> {
        let waiting = || self.named.values().filter(|entry| matches!(entry.place, Place::Waiting(_)));
        if waiting().count() >= WAITING_MAX {
            return Some("too many sessions wait for their first packet; try again in a moment");
        }
        let same = waiting().filter(|entry| entry.from == from).count();
        (same >= WAITING_PER_ADDRESS)
            .then_some("too many sessions of this address wait for their first packet; is UDP blocked?")
    }
}

/// What a worker is to do with a packet whose sender it does not know.
pub(crate) enum Claim {
    /// The session is yours from now on; say under which key.
    Yours(Box<Peer>),
    /// It is this worker's.
    Other(usize, usize),
    /// No session of ours, or one whose password the sender does not know.
    Nobody,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("sessions", &self.entries.lock().named.len()).finish_non_exhaustive()
    }
}

impl Registry {
    /// Adds a worker's inbox; workers are numbered in the order of these calls.
    pub(crate) fn add_worker(&self, inbox: mpsc::Sender<Order>) -> usize {
        let mut workers = self.workers.lock();
        workers.push(inbox);
        workers.len() - 1
    }

    /// How many workers there are.
    pub(crate) fn workers(&self) -> usize {
        self.workers.lock().len()
    }

    /// How many sessions there are.
    pub(crate) fn count(&self) -> usize {
        self.entries.lock().named.len()
    }

    /// Why one more session from there would be refused, if it would: asked before anything is made for it.
    pub(crate) fn full(&self, from: IpAddr) -> Option<&'static str> {
        self.entries.lock().full(from)
    }

    /// Lets a session wait for its peer. Refused, with the reason, when too many wait, or when its user name (clients
    /// may choose it) is another session's.
    pub(crate) fn wait(&self, peer: Box<Peer>, from: IpAddr, now: Instant) -> Result<(), Unplaced> {
        let mut entries = self.entries.lock();
        if let Some(reason) = entries.full(from) {
            return Err(Unplaced::Full(reason));
        }
        let ice = peer.ice.names();
        let name = ice.local.clone();
        if entries.get_mut(&name).is_some() {
            return Err(Unplaced::Taken);
        }
        let (token, status) = (peer.token.clone(), peer.status.clone());
        let entry = Entry { place: Place::Waiting(peer), since: now, from, token, ice, status };
        entries.named.insert(name, entry);
        Ok(())
    }

    /// Whose packet this is, by the user name of a STUN request. A waiting session is given out only when `proven`
    /// says that the sender knows its password.
    pub(crate) fn claim(&self, ufrag: &str, worker: usize, proven: impl FnOnce(&Peer) -> bool) -> Claim {
        let mut entries = self.entries.lock();
        let Some(entry) = entries.get_mut(ufrag) else { return Claim::Nobody };
        match &entry.place {
            Place::Worker(owner, key) => return Claim::Other(*owner, *key),
            Place::Waiting(peer) if !proven(peer) => return Claim::Nobody,
            Place::Waiting(_) => {}
        }
        match std::mem::replace(&mut entry.place, Place::Worker(worker, usize::MAX)) {
            Place::Waiting(peer) => Claim::Yours(peer),
            Place::Worker(owner, key) => Claim::Other(owner, key),
        }
    }

    /// Notes under which key a worker keeps a session that it took.
    pub(crate) fn settle(&self, ufrag: &str, worker: usize, key: usize) {
        if let Some(entry) = self.entries.lock().get_mut(ufrag) {
            entry.place = Place::Worker(worker, key);
        }
    }

    /// A session has other ICE user names from now on (ICE restart); its old one still leads to it.
    pub(crate) fn rename(&self, old: &str, ice: IceNames) {
        self.entries.lock().rename(old, ice);
    }

    pub(crate) fn remove(&self, ufrag: &str) {
        self.entries.lock().remove(ufrag);
    }

    /// Hands a packet or an order to a worker. False when its inbox is full or it is gone.
    pub(crate) fn send(&self, worker: usize, order: Order) -> bool {
        self.workers.lock().get(worker).is_some_and(|inbox| inbox.try_send(order).is_ok())
    }

    /// Does something to the session that began with the ICE user name `name`. The token is the proof that the caller
    /// made it.
    pub(crate) fn with(&self, name: &str, token: &str, act: Act) -> Result<(), Missing> {
        let mut entries = self.entries.lock();
        let entry = proven(&mut entries, name, token)?;
        let id = entry.status.id;
        match &mut entry.place {
            Place::Worker(worker, key) => {
                let (worker, key) = (*worker, *key);
                drop(entries);
                let sent = self.send(worker, Order::With { key, id, act });
                if sent { Ok(()) } else { Err(Missing::Busy) }
            }
            Place::Waiting(peer) => {
                let ended = act(peer);
                let ice = peer.ice.names();
                if let Err(reason) = ended {
                    entry.status.fail(&reason);
                    entries.remove(name);
                } else if ice != entry.ice {
                    entries.rename(name, ice);
                }
                Ok(())
            }
        }
    }

    /// Forgets a session that still waits. False when a worker has it, or it is gone.
    pub(crate) fn forget_waiting(&self, name: &str, token: &str) -> Result<bool, Missing> {
        let mut entries = self.entries.lock();
        let waiting = matches!(proven(&mut entries, name, token)?.place, Place::Waiting(_));
        if waiting {
            entries.remove(name);
        }
        Ok(waiting)
    }

    /// The present ICE session of the session that began as `name`.
    pub(crate) fn ice(&self, name: &str, token: &str) -> Result<IceNames, Missing> {
        Ok(proven(&mut self.entries.lock(), name, token)?.ice.clone())
    }

    /// Ends sessions that nobody came for, with the reason in their status.
    pub(crate) fn sweep(&self, now: Instant) -> Vec<Arc<Status>> {
        let mut entries = self.entries.lock();
        let late = |entry: &Entry| {
            matches!(entry.place, Place::Waiting(_)) && now.duration_since(entry.since) > WAIT_MAX
        };
        let names: Vec<Box<str>> =
            entries.named.iter().filter(|(_, entry)| late(entry)).map(|(name, _)| name.clone()).collect();
        let end = |name: Box<str>| {
            let status = entries.named.get(&name)?.status.clone();
            entries.remove(&name);
            status.fail(&unreached(&status));
            Some(status)
        };
        names.into_iter().filter_map(end).collect()
    }

    /// What is known of every session.
    pub(crate) fn statuses(&self) -> Vec<Arc<Status>> {
        self.entries.lock().named.values().map(|entry| entry.status.clone()).collect()
    }
}

/// The session that began as `name`, for whoever has its token.
fn proven<'a>(entries: &'a mut Entries, name: &str, token: &str) -> Result<&'a mut Entry, Missing> {
    let entry = entries.named.get_mut(name).ok_or(Missing::Session)?;
    match same(entry.token.as_bytes(), token.as_bytes()) {
        true => Ok(entry),
        false => Err(Missing::Token),
    }
}

/// Why [`Registry::wait`] took no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unplaced {
    /// Too many wait.
    Full(&'static str),
    /// Another session has this user name.
    Taken,
}

/// Why nothing came, in words that name the setting to look at.
fn unreached(status: &Status) -> String {
    format!(
        "no STUN request reached this server within {} s; the answer named {}: is one of these addresses reachable by \
         the viewer (rtc_server.candidate, or eip in the URL), and is the port open for UDP (or rtc_server.tcp on)?",
        WAIT_MAX.as_secs(),
        status.candidates.join(", ")
    )
}

/// Why [`Registry::with`] did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// There is no such session (any more).
    Session,
    /// The token is not the session's.
    Token,
    /// The session's worker has no time.
    Busy,
}

/// Compares without telling by its duration where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}
