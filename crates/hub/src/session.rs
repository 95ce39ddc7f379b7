use crate::StreamName;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Instant, SystemTime};

/// A connection's short context id: 8 characters of `[0-9a-z]`, on every log line and in the API.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId([u8; 8]);

impl SessionId {
    /// A fresh random id.
    pub fn random() -> SessionId {
        const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        SessionId(std::array::from_fn(|_| ALPHABET[rand::random_range(0..ALPHABET.len())])) // the range is the array's
    }

    /// The id that is written so; `None` when it is not 8 characters of `[0-9a-z]`.
    pub fn parse(text: &str) -> Option<SessionId> {
        let id: [u8; 8] = text.as_bytes().try_into().ok()?;
        id.iter().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase()).then_some(SessionId(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A byte counter that one thread adds to and others read.
#[derive(Debug, Default)]
pub struct Meter(AtomicU64);

impl Meter {
    /// Adds `n`. Only the owner of the connection calls it, so no read-modify-write cycle is needed on the hot path.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// The total so far.
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Who a session is; everything the API and callbacks show of it.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// Context id.
    pub id: SessionId,
    /// Client kind as the API shows it.
    pub kind: &'static str,
    /// Whether it publishes.
    pub publish: bool,
    /// The stream.
    pub name: StreamName,
    /// The name as the client wrote it (`cam.flv`); shown in the API.
    pub shown_name: Box<str>,
    /// Peer address.
    pub ip: IpAddr,
    /// Connect URL.
    pub tc_url: Box<str>,
    /// Referring page.
    pub page_url: Box<str>,
    /// Flash player URL.
    pub swf_url: Box<str>,
    /// URL parameters, `?k=v` or empty.
    pub param: Box<str>,
}

/// One publish or play in progress: its identity, its counters and the means to end it.
#[derive(Debug)]
pub struct Session {
    info: SessionInfo,
    started: Instant,
    started_at: SystemTime,
    /// Bytes sent to the peer.
    pub sent: Meter,
    /// Bytes received from the peer.
    pub received: Meter,
    failed: AtomicBool,
    kicked: AtomicBool,
    on_kick: parking_lot::Mutex<Option<Waker>>,
}

impl Session {
    /// A session that starts now.
    pub fn new(info: SessionInfo) -> Session {
        Session {
            info,
            started: Instant::now(),
            started_at: SystemTime::now(),
            sent: Meter::default(),
            received: Meter::default(),
            failed: AtomicBool::new(false),
            kicked: AtomicBool::new(false),
            on_kick: parking_lot::Mutex::new(None),
        }
    }

    /// Who it is.
    pub fn info(&self) -> &SessionInfo {
        &self.info
    }

    /// Context id.
    pub fn id(&self) -> SessionId {
        self.info.id
    }

    /// How long it has lasted.
    pub fn age(&self) -> std::time::Duration {
        self.started.elapsed()
    }

    /// When it started, by the wall clock.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// Notes that it ended by a fault: the peer's, the network's or ours; not by either side's wish.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Whether it ended by a fault.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Asks its connection to end. Idempotent; the connection ends soon after, not at once.
    pub fn kick(&self) {
        self.kicked.store(true, Ordering::Release);
        if let Some(waker) = self.on_kick.lock().take() {
            waker.wake();
        }
    }

    /// Ready once [`Session::kick`] was called. One task at a time may wait: the connection's own.
    pub fn poll_kicked(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.kicked.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        *self.on_kick.lock() = Some(cx.waker().clone());
        match self.kicked.load(Ordering::Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Completes once [`Session::kick`] was called.
    pub async fn kicked(&self) {
        std::future::poll_fn(|cx| self.poll_kicked(cx)).await;
    }
}
