//! Adobe HDS: a manifest, a bootstrap, and fragments of FLV tags.
//!
//! Served from memory; written to disk only if `hds_path` is set. A viewer is let in by the hub's admission at each
//! request for the manifest. Nothing is laid out anew for whoever watches: a fragment is muxed once.
//!
//! Bounds: what lasts `hds_window` and as many fragments again, at most [`crate::STREAM_BYTES_MAX`] bytes a stream.

#[cfg(test)]
mod tests;

use crate::name;
use crate::segment::{Lengths, Progress, WORTH_KEEPING};
use crate::serve::Ask;
use crate::shelf::{File, Found, Shelf, admit, method};
use crate::store::STREAM_BYTES_MAX;
use crate::writer::{Update, Writer};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use headwater_conf::{Conf, Hds as HdsConf};
use headwater_flv::write_tag;
use headwater_hub::{Admission, Entry, FrameReader, Read, SessionId, Stream, StreamName};
use headwater_media::{Frame, Kind, Time, Track};
use headwater_playlist::encode_path;
use headwater_playlist::hds::{
    BOOTSTRAP_TYPE, Bootstrap, FRAGMENT_TYPE, MANIFEST_TYPE, Manifest, Span, fragment_head,
};
use headwater_web::{Caching, Representation};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long fragments of a stream that ended stay in memory, at least. Files stay until the server quits.
const MEMORY_LINGER: Duration = Duration::from_secs(120);

/// Fragments that stay listed whatever their size.
const LISTED_MIN: usize = 3;

/// A timestamp this far from the newest one, either way, is a leap: no fragment spans it.
const LEAP: Time = Time::from_millis(10_000);

/// HDS of a server.
pub(crate) struct Hds {
    conf: Arc<Conf>,
    admission: Arc<dyn Admission>,
    runtime: Handle,
    writer: Writer,
    shelf: Shelf<Live>,
    lives: Mutex<HashMap<StreamName, Arc<Live>>>,
}

/// What the configuration says about one vhost's HDS.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    fragment: Time,
    window: Duration,
    root: Option<PathBuf>,
}

/// A stream's fragments.
#[derive(Debug)]
struct Live {
    name: StreamName,
    settings: Settings,
    window: Mutex<Window>,
    /// Publishes so far.
    publishes: Mutex<u64>,
    /// Whether it was logged that files are left out.
    told: AtomicBool,
    /// The reader at work holds it, so that there is one at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Window {
    /// Oldest first; the last `listed` of them are in the bootstrap, the others wait for slow clients.
    fragments: VecDeque<(Span, Arc<File>)>,
    listed: usize,
    /// Number of the newest fragment, from 1.
    number: u32,
    bytes: u64,
}

impl Settings {
    fn new(hds: &HdsConf) -> Settings {
        Settings {
            fragment: Time::from(hds.hds_fragment),
            window: hds.hds_window,
            root: hds.hds_path.clone().filter(|path| !path.as_os_str().is_empty()),
        }
    }
}

impl Hds {
    pub(crate) fn new(
        conf: Arc<Conf>,
        admission: Arc<dyn Admission>,
        runtime: Handle,
        writer: Writer,
    ) -> Arc<Hds> {
        let (shelf, lives) = (Shelf::default(), Mutex::default());
        Arc::new(Hds { conf, admission, runtime, writer, shelf, lives })
    }

    /// A publisher came.
    pub(crate) fn published(self: &Arc<Self>, stream: &Arc<Stream>, session: SessionId) {
        let name = stream.name();
        let Some(vhost) = self.conf.vhost(name.vhost()).filter(|vhost| vhost.hds.enabled) else { return };
        let (live, publish) = self.open(name, Settings::new(&vhost.hds));
        // The reader is made here and now, so that it misses nothing of the publisher.
        self.runtime.spawn(self.clone().run(live, stream.frames(), session, publish));
    }

    /// The answer to a viewer; `None` when the path is nothing of HDS.
    pub(crate) async fn respond(&self, vhost: &str, path: &str, ask: &Ask<'_>) -> Option<Response> {
        match self.shelf.find(vhost, path)? {
            Found::File(file) => Some(file.answer(ask)),
            Found::Manifest(live) => Some(self.manifest(&live, ask).await),
            Found::Awaited(_) => None, // players look for news in the bootstrap
        }
    }

    /// All files; none without a path.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.lives.lock().values().flat_map(|live| live.files()).collect()
    }

    async fn manifest(&self, live: &Live, ask: &Ask<'_>) -> Response {
        if let Err(refused) = admit(&*self.admission, ask, &live.name, "hds-play").await {
            return refused;
        }
        let manifest = Representation::new(MANIFEST_TYPE, Bytes::from(live.manifest()));
        manifest.caching(Caching::For(Duration::from_secs(1))).answer(&method(ask), ask.fields)
    }

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
        let live = Arc::new(Live {
            name: name.clone(),
            settings,
            window: Mutex::default(),
            publishes: Mutex::new(1),
            told: AtomicBool::new(false),
            turn: tokio::sync::Mutex::default(),
        });
        lives.insert(name.clone(), live.clone());
        self.shelf.put_manifest(name.vhost(), &live.path(".f4m"), &live);
        (live, 1)
    }

    async fn run(
        self: Arc<Self>,
        live: Arc<Live>,
        mut frames: FrameReader,
        session: SessionId,
        publish: u64,
    ) {
        {
            let _turn = live.turn.lock().await;
            let mut cutter = Cutter::new(live.settings.fragment);
            cutter.discontinuity = publish > 1;
            self.read(&live, &mut frames, &mut cutter, session).await;
            cutter.finish(None).into_iter().for_each(|fragment| self.add(&live, fragment));
        }
        drop(frames);
        tokio::time::sleep(MEMORY_LINGER.max(live.settings.window * 2)).await;
        self.dispose(&live, publish);
    }

    /// Reads until the publisher leaves.
    async fn read(&self, live: &Live, frames: &mut FrameReader, cutter: &mut Cutter, session: SessionId) {
        loop {
            match frames.next().await {
                Read::Entries(entries) => {
                    for entry in entries {
                        match entry {
                            Entry::Published => {}
                            Entry::Frame(frame) => {
                                cutter.take(&frame).into_iter().for_each(|done| self.add(live, done));
                            }
                            Entry::Unpublished => return,
                        }
                    }
                }
                Read::Jumped { skipped } => {
                    let publisher = frames.stream().snapshot().publisher;
                    if publisher.is_none_or(|publisher| publisher.id() != session) {
                        return; // the rest belongs to another publish
                    }
                    tracing::warn!(stream = %live.name, skipped, "hds fell behind and lost frames; is the machine overloaded?");
                    cutter.finish(None).into_iter().for_each(|fragment| self.add(live, fragment));
                    (cutter.discontinuity, cutter.wait_key) = (true, true);
                }
            }
        }
    }

    fn add(&self, live: &Live, fragment: Fragment) {
        let (file, bootstrap, gone) = live.add(fragment);
        let vhost = live.name.vhost();
        self.shelf.put(vhost, [file.clone(), bootstrap.clone()]);
        self.shelf.remove(vhost, &gone);
        let Some(root) = &live.settings.root else { return };
        let place = |path: &str| name::file(root, path);
        let manifest = place(&live.path(".f4m")).map(|path| (path, Bytes::from(live.manifest())));
        let update = Update {
            init: manifest,
            segment: place(&file.path).map(|path| (path, file.to_bytes())),
            playlist: place(&bootstrap.path).map(|path| (path, bootstrap.to_bytes())),
            remove: gone.iter().filter_map(|path| place(path)).collect(),
            ..Update::default()
        };
        if !self.writer.update(update) && !live.told.swap(true, Ordering::Relaxed) {
            tracing::error!(
                stream = %live.name,
                "the disk of hds_path is too slow: files are left out; streams go on from memory"
            );
        }
    }

    /// Forgets the stream, unless it was published again. Its files stay.
    fn dispose(&self, live: &Arc<Live>, publish: u64) {
        let mut lives = self.lives.lock();
        let known = lives.get(&live.name).is_some_and(|known| Arc::ptr_eq(known, live));
        if known && *live.publishes.lock() == publish {
            lives.remove(&live.name);
            self.forget(live);
        }
    }

    fn forget(&self, live: &Live) {
        self.shelf.remove(live.name.vhost(), &live.paths());
    }
}

impl Live {
    /// `[app]/[stream]` and `rest`, below the root.
    fn path(&self, rest: &str) -> String {
        format!("{}/{}{rest}", self.name.app(), self.name.stream())
    }

    fn manifest(&self) -> String {
        let media = encode_path(self.name.stream());
        let bootstrap = format!("{media}.abst");
        Manifest { id: self.name.stream().to_owned(), bootstrap, media, bitrate_kbps: 0 }.to_string()
    }

    /// Takes a fragment: its file, the bootstrap that lists it, and the paths that are gone.
    fn add(&self, fragment: Fragment) -> (Arc<File>, Arc<File>, Vec<String>) {
        let mut window = self.window.lock();
        window.number += 1;
        let span = Span { number: window.number, ..fragment.span };
        let head = fragment_head(&span, u32::try_from(fragment.tags.len()).unwrap_or(u32::MAX));
        let age = self.settings.window.max(Duration::from_secs(1));
        let path = self.path(&format!("Seg1-Frag{}", span.number));
        let file = Arc::new(File::new(path, FRAGMENT_TYPE, vec![head, fragment.tags], age));
        let gone = window.add(span, file.clone(), self.settings.window);
        let fragments = window.listed().map(|(span, _)| *span).collect();
        let bootstrap = Bootstrap { version: span.number, fragments }.to_bytes();
        let path = self.path(".abst");
        let bootstrap = File::new(path, BOOTSTRAP_TYPE, vec![bootstrap], Duration::from_secs(1));
        (file, Arc::new(bootstrap), gone)
    }

    fn paths(&self) -> Vec<String> {
        let fragments = self.window.lock();
        let fragments = fragments.fragments.iter().map(|(_, file)| file.path.clone());
        fragments.chain([self.path(".f4m"), self.path(".abst")]).collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        let Some(root) = &self.settings.root else { return Vec::new() };
        self.paths().iter().filter_map(|path| name::file(root, path)).collect()
    }
}

impl Window {
    fn listed(&self) -> impl Iterator<Item = &(Span, Arc<File>)> {
        self.fragments.iter().skip(self.fragments.len() - self.listed)
    }

    /// Adds a fragment and lets go what nobody can still want; the paths of that.
    fn add(&mut self, span: Span, file: Arc<File>, window: Duration) -> Vec<String> {
        self.bytes += file.len();
        self.fragments.push_back((span, file));
        let mut lasts = Duration::ZERO;
        let within = |(span, _): &&(Span, Arc<File>)| {
            let fits = lasts <= window;
            lasts += Duration::from_millis(u64::from(span.duration_ms));
            fits
        };
        self.listed = self.fragments.iter().rev().take_while(within).count();
        let mut gone = Vec::new();
        while self.fragments.len() > self.listed * 2
            || (self.bytes > STREAM_BYTES_MAX as u64 && self.fragments.len() > LISTED_MIN)
        {
            let Some((_, oldest)) = self.fragments.pop_front() else { break };
            self.bytes -= oldest.len();
            self.listed = self.listed.min(self.fragments.len());
            gone.push(oldest.path.clone());
        }
        gone
    }
}

/// A finished fragment; its number is given later.
#[derive(Debug)]
struct Fragment {
    span: Span,
    tags: Bytes,
}

/// Makes fragments of frames.
#[derive(Debug)]
struct Cutter {
    lengths: Lengths,
    open: Option<Open>,
    tags: BytesMut,
    video: Option<Frame>,
    audio: Option<Frame>,
    /// Whether pictures are left out until a key frame.
    wait_key: bool,
    had_video: bool,
    /// Whether the next fragment does not go on where the last one ended.
    discontinuity: bool,
}

/// A fragment being made.
#[derive(Debug)]
struct Open {
    start: Time,
    newest: Time,
    discontinuity: bool,
    has_video: bool,
    stale: bool,
}

impl Cutter {
    fn new(fragment: Time) -> Cutter {
        Cutter {
            lengths: Lengths { target: fragment, audio_only: fragment, wait_keyframe: true },
            open: None,
            tags: BytesMut::new(),
            video: None,
            audio: None,
            wait_key: true,
            had_video: false,
            discontinuity: false,
        }
    }

    /// Takes a frame; gives the fragment that ends before it.
    fn take(&mut self, frame: &Frame) -> Option<Fragment> {
        match (frame.track, frame.kind) {
            (Track::Script, _) => None,
            (_, Kind::Config) => {
                self.configure(frame);
                None
            }
            (Track::Video, Kind::Inter) if self.wait_key => None,
            _ => self.media(frame),
        }
    }

    /// A changed configuration ends the fragment as soon as may be.
    fn configure(&mut self, frame: &Frame) {
        let known = if frame.track == Track::Video { &mut self.video } else { &mut self.audio };
        let changed = known.as_ref().is_some_and(|known| known.payload != frame.payload);
        *known = Some(frame.clone());
        self.had_video |= frame.track == Track::Video;
        match &mut self.open {
            Some(open) if changed => open.stale = true,
            // It came after the fragment had begun.
            Some(open) => write_tag(frame, milliseconds(open.newest), &mut self.tags),
            None => {}
        }
    }

    fn media(&mut self, frame: &Frame) -> Option<Fragment> {
        let mut done = None;
        if self.leaps(frame) {
            done = self.finish(None);
            self.discontinuity = true;
        } else if self.cuts(frame) {
            done = self.finish(Some(frame.dts));
        }
        if self.open.is_none() {
            self.begin(frame);
        }
        if let Some(open) = &mut self.open {
            open.newest = open.newest.max(frame.dts);
            open.has_video |= frame.track == Track::Video;
        }
        self.wait_key &= !frame.is_video_key();
        write_tag(frame, milliseconds(frame.dts), &mut self.tags);
        done
    }

    fn leaps(&self, frame: &Frame) -> bool {
        let newest = self.open.as_ref().map_or(frame.dts, |open| open.newest);
        frame.dts - newest > LEAP || newest - frame.dts > LEAP
    }

    fn cuts(&self, frame: &Frame) -> bool {
        let Some(open) = &self.open else { return false };
        let has_video = open.has_video || self.had_video;
        let progress = Progress { start: open.start, has_video, bytes: self.tags.len(), stale: open.stale };
        self.lengths.cut_before(frame, &progress, Time::ZERO)
    }

    /// Every fragment begins with the configurations: a player may start at any.
    fn begin(&mut self, frame: &Frame) {
        self.tags.clear();
        for config in [&self.video, &self.audio].into_iter().flatten() {
            write_tag(config, milliseconds(frame.dts), &mut self.tags);
        }
        self.open = Some(Open {
            start: frame.dts,
            newest: frame.dts,
            discontinuity: std::mem::take(&mut self.discontinuity),
            has_video: false,
            stale: false,
        });
    }

    /// Ends the fragment where the next one begins, or at its newest frame.
    fn finish(&mut self, next: Option<Time>) -> Option<Fragment> {
        let open = self.open.take()?;
        let end = next.unwrap_or(open.newest);
        self.had_video = open.has_video;
        if end - open.start < WORTH_KEEPING {
            self.discontinuity |= open.discontinuity;
            return None;
        }
        let duration_ms = u32::try_from(end.millis() - open.start.millis()).unwrap_or(u32::MAX);
        let start_ms = u64::try_from(open.start.millis()).unwrap_or_default();
        let span = Span { number: 0, start_ms, duration_ms, discontinuity: open.discontinuity };
        // Exactly as long as it is; the buffer is used again.
        Some(Fragment { span, tags: Bytes::copy_from_slice(&self.tags) })
    }
}

/// The clock of FLV, which wraps after 49 days.
fn milliseconds(time: Time) -> u32 {
    time.millis() as u32
}
