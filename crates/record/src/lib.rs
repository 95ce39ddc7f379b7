//! Recording (DVR): keeps live streams in FLV and MP4 files.
//!
//! A recording in FLV is an ordinary reader of a stream's frames; one in MP4 reads its CMAF chunks, which are muxed once
//! for all who want them ([`headwater_packager`]), and writes them as they are. [`Recorders`] observes the hub and starts one for each
//! publish of a vhost with `dvr` on. One thread writes all files, another makes them durable and finishes them. Every
//! finished file is told to the hub's observers as `Event::Recorded`, and a recording that its disk refuses as
//! `Event::RecordingStopped`.
//!
//! Invariants: a live stream never waits for a recording; no file is ever overwritten; a file being written has `.tmp`
//! behind its name, and what a kill leaves there plays and is finished at the next start.
//!
//! Nothing is merged, uploaded or deleted here.

mod chunks;
mod container;
mod disk;
mod durable;
mod leftovers;
mod medium;
mod name;
mod owner;
mod plan;
mod recording;
#[cfg(test)]
mod tests;

pub use disk::{PENDING_APPENDS, PENDING_BYTES};

use chunks::ChunkRecording;
use disk::Disk;
use headwater_conf::Conf;
use headwater_hub::{Event, Hub, Observer, Session, SessionId, Stream, StreamName};
use headwater_packager::Packager;
use leftovers::Search;
use name::Layout;
use parking_lot::Mutex;
use plan::Settings;
use recording::Recording;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long [`Recorders::close`] waits for a slow disk.
const CLOSE_MAX: Duration = Duration::from_secs(10);

/// The recordings of a server.
#[derive(Debug)]
pub struct Recorders {
    runtime: Handle,
    packager: Arc<Packager>,
    disk: Disk,
    started: SystemTime,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    conf: Arc<Conf>,
    /// Recordings in progress, at most one a stream.
    live: HashMap<StreamName, Active>,
    /// Those that were told to end, and those whose publisher left while the next came.
    ending: Vec<JoinHandle<()>>,
    closed: bool,
}

/// A recording in progress.
#[derive(Debug)]
struct Active {
    session: SessionId,
    settings: Settings,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Active {
    fn end(self) -> JoinHandle<()> {
        self.stop.send_replace(true);
        self.task
    }
}

impl Recorders {
    /// Recordings of `packager`'s chunks and of frames, made on `runtime`, which is not one of the media workers'. Give it to `Hub::observe`, so that it
    /// learns of publishers.
    pub fn new(conf: Arc<Conf>, packager: Arc<Packager>, runtime: Handle) -> Arc<Recorders> {
        let state = State { conf, live: HashMap::new(), ending: Vec::new(), closed: false };
        let (disk, started) = (Disk::start(medium::files()), SystemTime::now());
        Arc::new(Recorders { runtime, packager, disk, started, state: Mutex::new(state) })
    }

    /// Finishes what an earlier run left unfinished in the folders of the configuration: in the background, one file
    /// after the other, each told as `Event::Recorded`.
    pub fn recover(&self, hub: &Arc<Hub>) {
        let vhosts = self.state.lock().conf.clone();
        let dvrs = vhosts.vhosts().iter().map(|vhost| &vhost.dvr).filter(|dvr| dvr.enabled);
        let searches: Vec<Search> =
            dvrs.map(|dvr| Search::of(&name::template(&dvr.dvr_path, dvr.dvr_format).0)).collect();
        let (hub, until) = (hub.clone(), self.started);
        let thread = std::thread::Builder::new().name("recorder-recover".into());
        if let Err(error) = thread.spawn(move || leftovers::recover(&searches, until, &hub)) {
            tracing::error!(%error, "cannot start the thread that finishes recordings of an earlier run");
        }
    }

    /// Changes to another configuration: recordings of live streams begin and end as it says; those it says the same
    /// about go on undisturbed.
    pub fn apply(&self, conf: Arc<Conf>, hub: &Hub) {
        let mut state = self.state.lock();
        state.conf = conf;
        for stream in hub.streams() {
            if let Some(session) = stream.snapshot().publisher {
                self.direct(&mut state, &stream, &session);
            }
        }
    }

    /// Ends all recordings; completes when their files are finished, or after ten seconds.
    pub async fn close(&self) {
        let tasks: Vec<_> = {
            let mut state = self.state.lock();
            state.closed = true;
            let live: Vec<_> = state.live.drain().map(|(_, active)| active.end()).collect();
            state.ending.drain(..).chain(live).collect()
        };
        let end = async {
            for task in tasks {
                task.await.ok(); // a task that panicked has nothing to finish
            }
            self.disk.drain().await;
        };
        if tokio::time::timeout(CLOSE_MAX, end).await.is_err() {
            tracing::error!("the disk is too slow to finish all recordings; the next start finishes them");
        }
    }

    /// Lets a live stream be recorded as the configuration says.
    fn direct(&self, state: &mut State, stream: &Arc<Stream>, session: &Arc<Session>) {
        state.live.retain(|_, active| !active.task.is_finished());
        state.ending.retain(|task| !task.is_finished());
        let wanted = Settings::of(&state.conf, stream.name()).filter(|_| !state.closed);
        let active = state.live.get(stream.name()).filter(|active| active.session == session.id());
        if active.map(|active| &active.settings) == wanted.as_ref() {
            return;
        }
        if let Some(active) = state.live.remove(stream.name()) {
            // The recording of a publisher who left ends by itself, with its last frame.
            let of_another = active.session != session.id();
            state.ending.push(if of_another { active.task } else { active.end() });
        }
        let Some(settings) = wanted else { return };
        let (stop, stopping) = watch::channel(false);
        let task = self.start(stream, session, &settings, stopping);
        state.live.insert(stream.name().clone(), Active { session: session.id(), settings, stop, task });
    }

    /// The reader is made here and now, so that it misses nothing of the publisher.
    fn start(
        &self,
        stream: &Arc<Stream>,
        session: &Arc<Session>,
        settings: &Settings,
        stopping: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let disk = self.disk.clone();
        match settings.layout {
            Layout::Flv => {
                let recording = Recording::new(stream, session, settings.clone(), disk);
                self.runtime.spawn(recording.run(stream.frames(), stopping))
            }
            Layout::Mp4(layout) => {
                let recording = ChunkRecording::new(stream, session, settings.clone(), layout, disk);
                self.runtime.spawn(recording.run(self.packager.package(stream).subscribe(), stopping))
            }
        }
    }
}

impl Observer for Recorders {
    fn on_event(&self, event: &Event) {
        if let Event::Published { stream, session } = event {
            self.direct(&mut self.state.lock(), stream, session);
        }
    }
}
