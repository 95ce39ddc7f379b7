//! Copies on disk: written aside and renamed, by one thread that may block.

use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Updates that may wait for the disk; each holds a segment. Beyond it, updates are dropped: memory serves on.
const QUEUE_MAX: usize = 32;

/// How long [`Writer::drain`] waits for a slow disk.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// What a finished segment means to the disk, in this order.
#[derive(Debug, Default)]
pub(crate) struct Update {
    /// The segment's key.
    pub(crate) key: Option<(PathBuf, Bytes)>,
    /// Its initialisation segment; written once.
    pub(crate) init: Option<(PathBuf, Bytes)>,
    pub(crate) segment: Option<(PathBuf, Bytes)>,
    /// Further files of the same time: DASH has one a track.
    pub(crate) others: Vec<(PathBuf, Bytes)>,
    pub(crate) playlist: Option<(PathBuf, Bytes)>,
    pub(crate) remove: Vec<PathBuf>,
}

enum Job {
    Update(Box<Update>),
    Remove(Vec<PathBuf>),
    Drained(oneshot::Sender<()>),
}

/// The way to the disk; it never waits.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    pub(crate) fn start() -> Writer {
        let (jobs, inbox) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("hls-writer".into()).spawn(move || work(inbox));
        if let Err(error) = thread {
            tracing::error!(%error, "cannot start the thread that writes hls files; streams go on from memory");
        }
        Writer { jobs }
    }

    /// Queues an update. False when the disk is too slow and the update is dropped.
    pub(crate) fn update(&self, update: Update) -> bool {
        self.jobs.try_send(Job::Update(Box::new(update))).is_ok()
    }

    /// Queues a removal; dropped when the disk is too slow.
    pub(crate) fn remove(&self, files: Vec<PathBuf>) {
        if !files.is_empty() {
            self.jobs.try_send(Job::Remove(files)).ok(); // files that stay are harmless
        }
    }

    /// Waits until what was queued is done.
    pub(crate) async fn drain(&self) {
        let (done, drained) = oneshot::channel();
        let jobs = self.jobs.clone();
        let wait = tokio::task::spawn_blocking(move || {
            if jobs.blocking_send(Job::Drained(done)).is_ok() {
                drained.blocking_recv().ok(); // an error means that the thread has ended: nothing is left to do
            }
        });
        tokio::time::timeout(DRAIN_MAX, wait).await.ok();
    }
}

fn work(mut inbox: mpsc::Receiver<Job>) {
    let mut health = Health::default();
    while let Some(job) = inbox.blocking_recv() {
        match job {
            Job::Update(update) => write_update(*update, &mut health),
            Job::Remove(files) => files.iter().for_each(|file| remove(file, &mut health)),
            Job::Drained(done) => {
                done.send(()).ok(); // nobody waits any more
            }
        }
    }
}

fn write_update(update: Update, health: &mut Health) {
    // An initialisation segment stays the same; it is there unless somebody took it away.
    let init = update.init.filter(|(path, bytes)| {
        std::fs::metadata(path).map_or(true, |known| known.len() != bytes.len() as u64)
    });
    let media = [update.key, init, update.segment].into_iter().flatten().chain(update.others);
    for (path, bytes) in media.chain(update.playlist) {
        health.note("write", &path, write(&path, &bytes));
    }
    update.remove.iter().for_each(|file| remove(file, health));
}

/// Readers see the old file or the new one, never half of it.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(".tmp");
    let aside = PathBuf::from(aside);
    let written = std::fs::write(&aside, bytes).and_then(|()| std::fs::rename(&aside, path));
    if written.is_err() {
        std::fs::remove_file(&aside).ok(); // a full disk needs the room
    }
    written
}

fn remove(path: &Path, health: &mut Health) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => health.note("remove", path, result),
    }
}

/// Speaks once when the disk begins to fail, and once when it works again.
#[derive(Debug, Default)]
struct Health {
    failures: u64,
}

impl Health {
    fn note(&mut self, what: &'static str, path: &Path, result: io::Result<()>) {
        match result {
            Ok(()) if self.failures > 0 => {
                tracing::info!(failures = self.failures, "hls files are written again");
                self.failures = 0;
            }
            Ok(()) => {}
            Err(error) => {
                if self.failures == 0 {
                    tracing::error!(
                        path = %path.display(), %error,
                        "cannot {what} an hls file; streams go on from memory; check space and permissions of hls_path"
                    );
                }
                self.failures += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_appear_whole_and_failures_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live/a-0.ts");
        let mut health = Health::default();
        let segment = Some((path.clone(), Bytes::from_static(b"segment")));
        write_update(Update { segment, ..Update::default() }, &mut health);
        assert_eq!(std::fs::read(&path).unwrap(), b"segment");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no .tmp stays");

        std::fs::write(dir.path().join("file"), b"").unwrap();
        let blocked = Some((dir.path().join("file/a.ts"), Bytes::from_static(b"x")));
        let remove = vec![path.clone(), dir.path().join("never-was")];
        write_update(Update { segment: blocked, remove, ..Update::default() }, &mut health);
        assert!(!path.exists());
    }

    #[test]
    fn failures_are_counted_until_the_disk_works_again() {
        let mut health = Health::default();
        let failed = || Err(io::Error::from(io::ErrorKind::StorageFull));
        health.note("write", Path::new("a"), failed());
        health.note("write", Path::new("a"), failed());
        assert_eq!(health.failures, 2);
        health.note("write", Path::new("a"), Ok(()));
        assert_eq!(health.failures, 0);
    }
}
