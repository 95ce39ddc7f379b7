//! Recording (DVR): keeps live streams in FLV and MP4 files.
//!
//! A recording is an ordinary reader of a stream's frames. [`Recorders`] observes the hub and starts one for each
//! publish of a vhost with `dvr` on; one thread writes all files. Every finished file is told to the hub's observers
//! as `Event::Recorded`.
//!
//! Invariants: a live stream never waits for a recording; no file is ever overwritten; a file being written has `.tmp`
//! behind its name, and what a kill leaves there plays.
//!
//! Nothing is merged, indexed, uploaded or deleted here, and files left by a kill keep their `.tmp`.

mod container;
mod disk;
mod name;
mod plan;
mod recording;
#[cfg(test)]
mod tests;

pub use disk::{PENDING_APPENDS, PENDING_BYTES};

use disk::Disk;
use headwater_conf::Conf;
use headwater_hub::{Event, Observer, Session, Stream};
use parking_lot::Mutex;
use plan::Settings;
use recording::Recording;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long [`Recorders::close`] waits for a slow disk.
const CLOSE_MAX: Duration = Duration::from_secs(10);

/// The recordings of a server.
#[derive(Debug)]
pub struct Recorders {
    conf: Arc<Conf>,
    runtime: Handle,
    disk: Disk,
    closing: watch::Sender<bool>,
    /// Recordings in progress, at most one a publisher.
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Recorders {
    /// Recordings made on `runtime`, which is not one of the media workers'. Give it to `Hub::observe`, so that it
    /// learns of publishers.
    pub fn new(conf: Arc<Conf>, runtime: Handle) -> Arc<Recorders> {
        let (closing, _) = watch::channel(false);
        Arc::new(Recorders { conf, runtime, disk: Disk::start(), closing, tasks: Mutex::default() })
    }

    /// Ends all recordings; completes when their files are finished, or after ten seconds.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        let end = async {
            for task in tasks {
                task.await.ok(); // a task that panicked has nothing to finish
            }
            self.disk.drain().await;
        };
        if tokio::time::timeout(CLOSE_MAX, end).await.is_err() {
            tracing::error!("the disk is too slow to finish all recordings; their .tmp files play");
        }
    }

    fn published(&self, stream: &Arc<Stream>, session: &Arc<Session>) {
        if *self.closing.borrow() {
            return;
        }
        let name = stream.name();
        let Some(vhost) = self.conf.vhost(name.vhost()).filter(|v| v.dvr.enabled) else { return };
        if !plan::applies(&vhost.dvr.dvr_apply, name) {
            return;
        }
        let settings = Settings::new(&vhost.dvr, self.conf.log.utc);
        // The reader is made here and now, so that it misses nothing of the publisher.
        let recording = Recording::new(stream, session, settings, self.disk.clone());
        let task = self.runtime.spawn(recording.run(stream.frames(), self.closing.subscribe()));
        let mut tasks = self.tasks.lock();
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }
}

impl Observer for Recorders {
    fn on_event(&self, event: &Event) {
        if let Event::Published { stream, session } = event {
            self.published(stream, session);
        }
    }
}
