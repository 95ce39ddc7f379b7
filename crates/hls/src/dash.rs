//! MPEG-DASH (ISO/IEC 23009-1): a live manifest, and the stream's CMAF chunks as segments of one track each.
//!
//! Served from memory; written to disk only if `dash_path` is set. A viewer is let in by the hub's admission at each
//! request for the manifest; segments are for whoever knows their names. There are no sessions.
//!
//! Bounds: what the manifest lists and as many segments again, at most [`crate::STREAM_BYTES_MAX`] bytes a stream.

use crate::dash_window::{self, Window, date};
use crate::name;
use crate::serve::{Ask, text};
use crate::shelf::{File, Found, Shelf, admit, method};
use crate::store::etag;
use crate::view::{Cut, Done, Segment, View};
use crate::writer::{Update, Writer};
use axum::response::Response;
use bytes::Bytes;
use headwater_conf::{Conf, Dash as DashConf};
use headwater_hub::{Admission, Stream, StreamName};
use headwater_media::Time;
use headwater_packager::{Chunks, Item, Packager};
use headwater_playlist::{encode_path, mpd, relative};
use headwater_web::{Caching, EntityTag, Pieces, Representation};
use http::StatusCode;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// How long segments of a stream that ended stay in memory when `dash_dispose` is 0, at least. Files then stay forever.
const MEMORY_LINGER: Duration = Duration::from_secs(120);

/// Stands for the server's clock until a manifest is sent.
const CLOCK: &str = "0000-00-00T00:00:00.000Z";

/// Most segments that a manifest lists.
const LISTED_MAX: usize = 3600;

/// DASH of a server.
pub(crate) struct Dash {
    conf: Arc<Conf>,
    admission: Arc<dyn Admission>,
    runtime: Handle,
    packager: Arc<Packager>,
    writer: Writer,
    shelf: Shelf<Live>,
    lives: Mutex<HashMap<StreamName, Arc<Live>>>,
}

/// A stream's manifest and segments.
#[derive(Debug)]
struct Live {
    name: StreamName,
    settings: Settings,
    /// Path of the manifest below the root, without leading slash.
    path: String,
    window: Mutex<Window>,
    manifest: watch::Sender<Option<Manifest>>,
    /// Publishes so far.
    publishes: Mutex<u64>,
    /// Whether it was logged that files are left out.
    told: AtomicBool,
    /// The reader at work holds it, so that there is one at a time.
    turn: tokio::sync::Mutex<View>,
}

/// What the configuration says about one vhost's DASH.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    fragment: Duration,
    update: Duration,
    listed: usize,
    root: Option<PathBuf>,
    manifest: String,
    cleanup: bool,
    dispose: Duration,
}

/// A manifest around the place of the clock.
#[derive(Clone, Debug)]
struct Manifest {
    before: Bytes,
    after: Bytes,
    tag: EntityTag,
}

impl Settings {
    fn new(dash: &DashConf) -> Settings {
        Settings {
            fragment: dash.dash_fragment.clamp(Duration::from_millis(200), Duration::from_secs(60)),
            update: dash.dash_update_period.max(Duration::from_millis(100)),
            listed: (dash.dash_window_size as usize).clamp(1, LISTED_MAX),
            root: dash.dash_path.clone().filter(|path| !path.as_os_str().is_empty()),
            manifest: dash.dash_mpd_file.clone(),
            cleanup: dash.dash_cleanup,
            dispose: dash.dash_dispose,
        }
    }

    /// How long a viewer may wait for the first segment.
    fn patience(&self) -> Duration {
        (self.fragment * 2).min(Duration::from_secs(10))
    }

    /// How long a viewer may wait for the segment that is being made.
    fn longest_wait(&self) -> Duration {
        (self.fragment * 2).clamp(Duration::from_secs(10), Duration::from_secs(60))
    }

    fn linger(&self) -> Duration {
        match self.dispose {
            Duration::ZERO => MEMORY_LINGER.max(self.fragment * self.listed as u32 * 2),
            dispose => dispose,
        }
    }
}

impl Live {
    fn new(name: StreamName, settings: Settings) -> Live {
        let path = name::stream_path(&settings.manifest, &name);
        // Beside the manifest, in a folder named after the stream.
        let folder = match path.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{}/", name.stream()),
            None => format!("{}/", name.stream()),
        };
        let target = Time::from(settings.fragment);
        let window = Window::new(dash_window::Settings {
            target: settings.fragment,
            update: settings.update,
            listed: settings.listed,
            base_url: encode_path(&relative(&path, &folder)),
            folder,
        });
        Live {
            name,
            path,
            window: Mutex::new(window),
            manifest: watch::Sender::new(None),
            publishes: Mutex::new(1),
            told: AtomicBool::new(false),
            turn: tokio::sync::Mutex::new(View::new(Cut::Lengths { target, audio_only: target }, None)),
            settings,
        }
    }

    /// Writes the manifest anew; gives it as it is on disk, where no clock is told.
    fn render(&self, now: SystemTime) -> Option<Bytes> {
        let mut mpd = self.window.lock().mpd(now)?;
        let on_disk = mpd.to_string();
        mpd.clock = Some(CLOCK.to_owned());
        let text = mpd.to_string();
        let (before, after) = text.split_once(CLOCK)?;
        let (before, after) =
            (Bytes::copy_from_slice(before.as_bytes()), Bytes::copy_from_slice(after.as_bytes()));
        self.manifest.send_replace(Some(Manifest { before, after, tag: etag(on_disk.len() as u64) }));
        Some(on_disk.into())
    }

    /// All files, the manifest first; none without a path.
    fn files(&self) -> Vec<PathBuf> {
        let Some(root) = &self.settings.root else { return Vec::new() };
        let paths = std::iter::once(self.path.clone()).chain(self.window.lock().paths());
        paths.filter_map(|path| name::file(root, &path)).collect()
    }
}

impl Manifest {
    /// The answer at `now`. The tag lasts as long as the clock in it: a second.
    fn answer(self, ask: &Ask<'_>, now: SystemTime) -> Response {
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let pieces: Pieces = [self.before, date(now).into(), self.after].into_iter().collect();
        let tag = EntityTag::new(format!("{}-{second:x}", self.tag));
        let whole = Representation::new(mpd::CONTENT_TYPE, pieces).tag(tag);
        whole.caching(Caching::For(Duration::from_secs(1))).answer(&method(ask), ask.fields)
    }
}

impl Dash {
    pub(crate) fn new(
        conf: Arc<Conf>,
        admission: Arc<dyn Admission>,
        runtime: Handle,
        packager: Arc<Packager>,
        writer: Writer,
    ) -> Arc<Dash> {
        let (shelf, lives) = (Shelf::default(), Mutex::default());
        Arc::new(Dash { conf, admission, runtime, packager, writer, shelf, lives })
    }

    /// A publisher came.
    pub(crate) fn published(self: &Arc<Self>, stream: &Arc<Stream>) {
        let name = stream.name();
        let Some(vhost) = self.conf.vhost(name.vhost()).filter(|vhost| vhost.dash.enabled) else { return };
        let (live, publish) = self.open(name, Settings::new(&vhost.dash));
        // The subscription is made here and now, so that it misses nothing of the publisher.
        let chunks = self.packager.package(stream).subscribe();
        self.runtime.spawn(self.clone().run(live, chunks, publish));
    }

    /// The answer to a viewer; `None` when the path is nothing of DASH.
    pub(crate) async fn respond(&self, vhost: &str, path: &str, ask: &Ask<'_>) -> Option<Response> {
        match self.shelf.find(vhost, path)? {
            Found::File(file) => Some(file.answer(ask)),
            Found::Manifest(live) => Some(self.manifest(&live, ask).await),
            Found::Awaited(live) => Some(self.awaited(&live, vhost, path, ask).await),
        }
    }

    /// Files to be removed when the server quits, as SRS does it.
    pub(crate) fn disposable_files(&self) -> Vec<PathBuf> {
        let lives = self.lives.lock();
        lives.values().filter(|live| !live.settings.dispose.is_zero()).flat_map(|live| live.files()).collect()
    }

    async fn manifest(&self, live: &Live, ask: &Ask<'_>) -> Response {
        if let Err(refused) = admit(&*self.admission, ask, &live.name, "dash-play").await {
            return refused;
        }
        let mut manifest = live.manifest.subscribe();
        let ready = manifest.wait_for(Option::is_some);
        let ready = tokio::time::timeout(live.settings.patience(), ready).await;
        match ready.ok().and_then(Result::ok).and_then(|manifest| manifest.clone()) {
            Some(manifest) => manifest.answer(ask, SystemTime::now()),
            None => {
                let reason = format!("{} has no complete DASH segment yet; try again in a moment", live.name);
                text(StatusCode::NOT_FOUND, reason)
            }
        }
    }

    /// A segment that is made now: some players ask for it as soon as the one before is read.
    async fn awaited(&self, live: &Live, vhost: &str, path: &str, ask: &Ask<'_>) -> Response {
        let file = || match self.shelf.find(vhost, path) {
            Some(Found::File(file)) => Some(file),
            _ => None,
        };
        let mut changes = live.manifest.subscribe();
        let there = changes.wait_for(|_| file().is_some());
        // Over or not, what counts is whether the file is there.
        tokio::time::timeout(live.settings.longest_wait(), there).await.ok();
        match file() {
            Some(file) => file.answer(ask),
            None => text(
                StatusCode::NOT_FOUND,
                format!("{} did not get there; has its publisher left?", live.name),
            ),
        }
    }

    /// The stream's place, made anew or found again when it is published once more, and the number of this publish.
    fn open(&self, name: &StreamName, settings: Settings) -> (Arc<Live>, u64) {
        let mut lives = self.lives.lock();
        if let Some(live) = lives.get(name).filter(|live| live.settings == settings) {
            let mut publishes = live.publishes.lock();
            *publishes += 1;
            return (live.clone(), *publishes);
        }
        if let Some(old) = lives.remove(name) {
            self.forget(&old);
        }
        let live = Arc::new(Live::new(name.clone(), settings));
        lives.insert(name.clone(), live.clone());
        self.shelf.put_manifest(name.vhost(), &live.path, &live);
        (live, 1)
    }

    async fn run(self: Arc<Self>, live: Arc<Live>, mut chunks: Chunks, publish: u64) {
        {
            let mut view = live.turn.lock().await;
            loop {
                let item = chunks.next().await;
                for done in view.push(&item) {
                    if let Done::Segment(segment) = done {
                        self.add(&live, &segment);
                    }
                }
                if matches!(item, Item::Ended) {
                    break;
                }
            }
        }
        drop(chunks);
        tokio::time::sleep(live.settings.linger()).await;
        self.dispose(&live, publish);
    }

    fn add(&self, live: &Arc<Live>, segment: &Segment) {
        let (change, next) = {
            let mut window = live.window.lock();
            (window.add(segment), window.next_paths())
        };
        let vhost = live.name.vhost();
        self.shelf.put(vhost, change.files.iter().cloned());
        self.shelf.put_awaited(vhost, next, live);
        self.shelf.remove(vhost, &change.gone);
        if let Some(manifest) = live.render(SystemTime::now()) {
            self.write(live, &change.files, manifest, &change.gone);
        }
    }

    /// Copies to disk; the manifest after what it lists.
    fn write(&self, live: &Live, files: &[Arc<File>], manifest: Bytes, gone: &[String]) {
        let Some(root) = &live.settings.root else { return };
        let place = |path: &str| name::file(root, path);
        let remove = gone.iter().filter(|_| live.settings.cleanup).filter_map(|path| place(path));
        let update = Update {
            others: files.iter().filter_map(|file| Some((place(&file.path)?, file.to_bytes()))).collect(),
            playlist: place(&live.path).map(|path| (path, manifest)),
            remove: remove.collect(),
            ..Update::default()
        };
        if !self.writer.update(update) && !live.told.swap(true, Ordering::Relaxed) {
            tracing::error!(
                stream = %live.name,
                "the disk of dash_path is too slow: files are left out; streams go on from memory"
            );
        }
    }

    /// Removes what the stream left behind, unless it was published again.
    fn dispose(&self, live: &Arc<Live>, publish: u64) {
        let mut lives = self.lives.lock();
        if *live.publishes.lock() != publish
            || !lives.get(&live.name).is_some_and(|known| Arc::ptr_eq(known, live))
        {
            return;
        }
        lives.remove(&live.name);
        self.forget(live);
        drop(lives);
        if !live.settings.dispose.is_zero() {
            self.writer.remove(live.files());
        }
    }

    fn forget(&self, live: &Live) {
        let window = live.window.lock();
        let paths: Vec<String> = window.paths().into_iter().chain(window.next_paths()).collect();
        drop(window);
        self.shelf.remove(live.name.vhost(), paths.iter().chain([&live.path]));
    }
}
