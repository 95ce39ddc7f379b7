//! Files, written by one thread that may block. Nobody waits for it but [`Disk::drain`].

use crate::container::Tail;
use crate::name::{alternatives, unfinished};
use bytes::Bytes;
use headwater_hub::{Session, Stream};
use std::collections::HashMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;
use tokio::sync::oneshot;

/// Bytes of one recording that may wait for the disk. A recording beyond it is finished where it is.
pub const PENDING_BYTES: usize = 16 << 20;

/// Pieces of one recording that may wait for the disk, likewise.
pub const PENDING_APPENDS: usize = 1024;

/// Bytes of all recordings that may wait for the disk, likewise.
const PENDING_TOTAL: usize = 256 << 20;

/// Whom a file belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) stream: Arc<Stream>,
    pub(crate) session: Arc<Session>,
}

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
    Append { id: u64, bytes: Bytes, status: Arc<Status> },
    Finish { id: u64, tail: Tail, duration: Duration },
    Abandon { id: u64 },
    Drained(oneshot::Sender<()>),
}

/// How a file fares.
#[derive(Debug, Default)]
struct Status {
    failed: AtomicBool,
    appends: AtomicUsize,
    bytes: AtomicUsize,
}

/// A file being written. Dropped without [`File::finish`] it stays unfinished.
#[derive(Debug)]
pub(crate) struct File {
    id: u64,
    status: Arc<Status>,
    disk: Disk,
}

impl Disk {
    pub(crate) fn start() -> Disk {
        let (commands, inbox) = mpsc::channel();
        let waiting = Arc::<AtomicUsize>::default();
        let counter = waiting.clone();
        let thread = std::thread::Builder::new().name("recorder".into());
        if let Err(error) = thread.spawn(move || work(inbox, &counter)) {
            tracing::error!(%error, "cannot start the thread that writes recordings; nothing is recorded");
        }
        Disk { commands, files: Arc::default(), waiting }
    }

    /// Opens a file of that name, or of one like it where the name is taken. Whether it worked shows later.
    pub(crate) fn open(&self, path: PathBuf, owner: Owner) -> File {
        let id = self.files.fetch_add(1, Ordering::Relaxed);
        let status = Arc::<Status>::default();
        self.send(&status, Command::Open { id, path, owner, status: status.clone() });
        File { id, status, disk: self.clone() }
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
    pub(crate) fn append(&self, bytes: Bytes) {
        self.status.appends.fetch_add(1, Ordering::Relaxed);
        self.status.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        self.disk.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
        let append = Command::Append { id: self.id, bytes, status: self.status.clone() };
        self.disk.send(&self.status, append);
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

impl Drop for File {
    fn drop(&mut self) {
        self.disk.send(&self.status, Command::Abandon { id: self.id });
    }
}

/// A file on the disk.
#[derive(Debug)]
struct Writing {
    file: std::fs::File,
    /// The name it gets.
    path: PathBuf,
    owner: Owner,
}

fn work(inbox: Receiver<Command>, waiting: &AtomicUsize) {
    let mut files: HashMap<u64, Writing> = HashMap::new();
    for command in inbox {
        match command {
            Command::Open { id, path, owner, status } => match open(&path) {
                Ok((file, path)) => {
                    files.insert(id, Writing { file, path, owner });
                }
                Err(error) => failed(&owner, &path, &error, &status),
            },
            Command::Append { id, bytes, status } => {
                append(&mut files, id, &bytes, &status);
                status.appends.fetch_sub(1, Ordering::Relaxed);
                status.bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
                waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
            }
            Command::Finish { id, tail, duration } => {
                if let Some(writing) = files.remove(&id) {
                    finish(writing, &tail, duration);
                }
            }
            Command::Abandon { id } => {
                files.remove(&id);
            }
            Command::Drained(done) => {
                done.send(()).ok(); // nobody waits any more
            }
        }
    }
}

fn append(files: &mut HashMap<u64, Writing>, id: u64, bytes: &[u8], status: &Status) {
    let Some(writing) = files.get_mut(&id) else { return };
    if let Err(error) = writing.file.write_all(bytes) {
        failed(&writing.owner, &unfinished(&writing.path), &error, status);
        files.remove(&id);
    }
}

/// The one word about a recording that the disk refuses.
fn failed(owner: &Owner, path: &Path, error: &io::Error, status: &Status) {
    status.failed.store(true, Ordering::Relaxed);
    tracing::error!(
        stream = %owner.stream.name(), session = %owner.session.id(), path = %path.display(), %error,
        "the recording stops: its file cannot be written; the stream goes on; check space and permissions of dvr_path"
    );
}

/// Opens `path` with `.tmp` behind it, or a name like it: neither a finished nor an unfinished file is touched.
fn open(path: &Path) -> io::Result<(std::fs::File, PathBuf)> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    for name in alternatives(path) {
        let aside = unfinished(&name);
        let file = match std::fs::OpenOptions::new().write(true).create_new(true).open(&aside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            file => file?,
        };
        if !name.try_exists()? {
            note_other_name(path, &name);
            return Ok((file, name));
        }
        std::fs::remove_file(&aside)?;
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn note_other_name(wanted: &Path, name: &Path) {
    if wanted != name {
        tracing::warn!(
            wanted = %wanted.display(), file = %name.display(),
            "a file of the recording's name exists and is kept (3082): the recording takes another name; put [timestamp] into dvr_path"
        );
    }
}

fn finish(mut writing: Writing, tail: &Tail, duration: Duration) {
    let result = complete(&mut writing.file, tail).and_then(|bytes| Ok((settle(&writing.path)?, bytes)));
    match result {
        Ok((file, bytes)) => {
            let Owner { stream, session } = writing.owner;
            tracing::info!(
                stream = %stream.name(), session = %session.id(), file = %file.display(), bytes,
                seconds = duration.as_secs_f64(), "recorded"
            );
            stream.recorded(&session, file, duration, bytes);
        }
        Err(error) => failed(&writing.owner, &unfinished(&writing.path), &error, &Status::default()),
    }
}

/// Writes the patches; gives the file's length.
fn complete(file: &mut std::fs::File, tail: &Tail) -> io::Result<u64> {
    if tail.durable {
        file.sync_data()?;
    }
    for (at, bytes) in &tail.patches {
        file.seek(SeekFrom::Start(*at))?;
        file.write_all(bytes)?;
    }
    file.seek(SeekFrom::End(0))
}

/// Takes the `.tmp` away, never over another file.
fn settle(path: &Path) -> io::Result<PathBuf> {
    let aside = unfinished(path);
    for name in alternatives(path) {
        match std::fs::hard_link(&aside, &name) {
            Ok(()) => {
                std::fs::remove_file(&aside)?;
                return Ok(name);
            }
            Err(_) if name.try_exists()? => {}
            // A file system without links.
            Err(_) => {
                std::fs::rename(&aside, &name)?;
                return Ok(name);
            }
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live/a.flv");
        let (_first, name) = open(&path).unwrap();
        assert_eq!(name, path);
        let (_second, other) = open(&path).unwrap();
        assert_eq!(other, dir.path().join("live/a-1.flv"), "the first is still being written");
        assert_eq!(settle(&name).unwrap(), path);
        let (_third, other) = open(&path).unwrap();
        assert_eq!(other, dir.path().join("live/a-2.flv"));
        std::fs::write(&other, b"somebody else's").unwrap();
        assert_eq!(settle(&other).unwrap(), dir.path().join("live/a-2-1.flv"));
        assert_eq!(std::fs::read(&other).unwrap(), b"somebody else's");
    }

    #[test]
    fn patches_leave_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, name) = open(&dir.path().join("a.flv")).unwrap();
        file.write_all(b"0123456789").unwrap();
        let patches = vec![(2, Bytes::from_static(b"ab")), (9, Bytes::from_static(b"z"))];
        assert_eq!(complete(&mut file, &Tail { patches, durable: true }).unwrap(), 10);
        assert_eq!(std::fs::read(settle(&name).unwrap()).unwrap(), b"01ab45678z");
        assert!(!unfinished(&name).exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), b"").unwrap();
        assert!(open(&dir.path().join("file/a.flv")).is_err());
    }
}
