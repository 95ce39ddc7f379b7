//! The way to the disk: one thread writes, another makes durable and finishes. Both may block; nobody waits for them
//! but [`Disk::drain`].
//!
//! Each recording may have [`PENDING_BYTES`] on the way, all together 256 MiB; a recording beyond it ends.

use crate::container::Tail;
use crate::durable::{self, Order};
use crate::medium::{Medium, Open};
use crate::name::unfinished;
use crate::owner::Owner;
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::time::Duration;
use tokio::sync::oneshot;

/// Bytes of one recording that may wait for the disk. A recording beyond it is finished where it is.
pub const PENDING_BYTES: usize = 16 << 20;

/// Appends of one recording that may wait for the disk, likewise.
pub const PENDING_APPENDS: usize = 1024;

/// Bytes of all recordings that may wait for the disk, likewise.
const PENDING_TOTAL: usize = 256 << 20;

/// Orders that may wait for the second thread; beyond it the first one waits.
const PENDING_ORDERS: usize = 1024;

/// The way to the disk. Its queue is as long as the recordings' own bounds let it be.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    commands: Sender<Command>,
    files: Arc<AtomicU64>,
    waiting: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Command {
    Open { id: u64, path: PathBuf, owner: Owner, status: Arc<Status> },
    Append { id: u64, pieces: Vec<Bytes>, status: Arc<Status> },
    Finish { id: u64, tail: Tail, duration: Duration },
    Abandon { id: u64 },
    Drained(oneshot::Sender<()>),
}

/// How a file fares.
#[derive(Debug, Default)]
pub(crate) struct Status {
    failed: AtomicBool,
    appends: AtomicUsize,
    bytes: AtomicUsize,
}

/// A file being written. Dropped without [`File::finish`] it stays unfinished.
#[derive(Debug)]
pub(crate) struct File {
    id: u64,
    path: PathBuf,
    status: Arc<Status>,
    disk: Disk,
}

/// A file on the disk.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) medium: Arc<dyn Medium>,
    /// The name it gets.
    pub(crate) path: PathBuf,
    pub(crate) owner: Owner,
    /// Bytes written.
    pub(crate) length: AtomicU64,
    /// Whether some of them are not durable yet.
    pub(crate) dirty: AtomicBool,
    status: Arc<Status>,
}

impl Disk {
    pub(crate) fn start(open: Open) -> Disk {
        let (commands, inbox) = mpsc::channel();
        let (orders, order_inbox) = mpsc::sync_channel(PENDING_ORDERS);
        let waiting = Arc::<AtomicUsize>::default();
        let writer = Writer { open, waiting: waiting.clone(), files: HashMap::new(), orders };
        let threads = [
            std::thread::Builder::new().name("recorder".into()).spawn(move || writer.run(inbox)),
            std::thread::Builder::new().name("recorder-sync".into()).spawn(move || durable::run(order_inbox)),
        ];
        if let Some(error) = threads.into_iter().find_map(Result::err) {
            tracing::error!(%error, "cannot start the threads that write recordings; nothing is recorded");
        }
        Disk { commands, files: Arc::default(), waiting }
    }

    /// Opens a file of that name, or of one like it where the name is taken. Whether it worked shows later.
    pub(crate) fn open(&self, path: PathBuf, owner: Owner) -> File {
        let id = self.files.fetch_add(1, Ordering::Relaxed);
        let status = Arc::<Status>::default();
        self.send(&status, Command::Open { id, path: path.clone(), owner, status: status.clone() });
        File { id, path, status, disk: self.clone() }
    }

    /// Waits until what was queued is done.
    pub(crate) async fn drain(&self) {
        let (done, drained) = oneshot::channel();
        if self.commands.send(Command::Drained(done)).is_ok() {
            drained.await.ok(); // an error means that the thread has ended: nothing is left to do
        }
    }

    fn send(&self, status: &Status, command: Command) {
        if self.commands.send(command).is_err() {
            status.failed.store(true, Ordering::Relaxed);
        }
    }
}

impl File {
    /// Appends the pieces in order; they are not copied on the way.
    pub(crate) fn append(&self, pieces: Vec<Bytes>) {
        let bytes = length(&pieces);
        self.status.appends.fetch_add(1, Ordering::Relaxed);
        self.status.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.disk.waiting.fetch_add(bytes, Ordering::Relaxed);
        let append = Command::Append { id: self.id, pieces, status: self.status.clone() };
        self.disk.send(&self.status, append);
    }

    /// The name that was asked for.
    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Whether the disk refused it; what it holds stays unfinished.
    pub(crate) fn has_failed(&self) -> bool {
        self.status.failed.load(Ordering::Relaxed)
    }

    /// Whether more waits for the disk than may.
    pub(crate) fn is_behind(&self) -> bool {
        self.status.bytes.load(Ordering::Relaxed) > PENDING_BYTES
            || self.status.appends.load(Ordering::Relaxed) > PENDING_APPENDS
            || self.disk.waiting.load(Ordering::Relaxed) > PENDING_TOTAL
    }

    /// Completes the file, gives it its name and tells the hub's observers.
    pub(crate) fn finish(self, tail: Tail, duration: Duration) {
        self.disk.send(&self.status, Command::Finish { id: self.id, tail, duration });
    }
}

fn length(pieces: &[Bytes]) -> usize {
    pieces.iter().map(Bytes::len).sum()
}

impl Drop for File {
    fn drop(&mut self) {
        self.disk.send(&self.status, Command::Abandon { id: self.id });
    }
}

impl Writing {
    /// Says once that the disk refused it; the recording sees it and ends.
    pub(crate) fn failed(&self, error: &io::Error) {
        if !self.status.failed.swap(true, Ordering::Relaxed) {
            self.owner.stopped(&unfinished(&self.path), &error.to_string());
        }
    }

    fn append(&self, pieces: &[Bytes]) -> io::Result<()> {
        self.medium.append(pieces)?;
        self.length.fetch_add(length(pieces) as u64, Ordering::Relaxed);
        self.dirty.store(true, Ordering::Release);
        Ok(())
    }
}

/// The thread that writes.
struct Writer {
    open: Open,
    waiting: Arc<AtomicUsize>,
    files: HashMap<u64, Arc<Writing>>,
    orders: SyncSender<Order>,
}

impl Writer {
    fn run(mut self, inbox: Receiver<Command>) {
        for command in inbox {
            match command {
                Command::Open { id, path, owner, status } => self.open(id, path, owner, status),
                Command::Append { id, pieces, status } => {
                    self.append(id, &pieces);
                    let bytes = length(&pieces);
                    status.appends.fetch_sub(1, Ordering::Relaxed);
                    status.bytes.fetch_sub(bytes, Ordering::Relaxed);
                    self.waiting.fetch_sub(bytes, Ordering::Relaxed);
                }
                Command::Finish { id, tail, duration } => {
                    if let Some(writing) = self.files.remove(&id) {
                        self.order(Order::Finish { writing, tail, duration });
                    }
                }
                Command::Abandon { id } => {
                    self.files.remove(&id);
                }
                Command::Drained(done) => self.order(Order::Drained(done)),
            }
        }
    }

    fn open(&mut self, id: u64, path: PathBuf, owner: Owner, status: Arc<Status>) {
        match (self.open)(&path) {
            Ok((medium, path)) => {
                let (length, dirty) = (AtomicU64::new(0), AtomicBool::new(false));
                let writing = Arc::new(Writing { medium, path, owner, length, dirty, status });
                self.order(Order::Keep(Arc::downgrade(&writing)));
                self.files.insert(id, writing);
            }
            Err(error) => {
                status.failed.store(true, Ordering::Relaxed);
                owner.stopped(&path, &error.to_string());
            }
        }
    }

    fn append(&mut self, id: u64, pieces: &[Bytes]) {
        let Some(writing) = self.files.get(&id) else { return };
        if let Err(error) = writing.append(pieces) {
            writing.failed(&error);
            if let Some(writing) = self.files.remove(&id) {
                self.order(Order::Salvage(writing));
            }
        }
    }

    fn order(&self, order: Order) {
        self.orders.send(order).ok(); // the other thread ends with this one only
    }
}
