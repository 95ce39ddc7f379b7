//! Segments and playlists in memory, found by their paths.

use crate::key::{KeyRing, SegmentKey};
use crate::low_latency::{Asset, LowLatency};
use crate::name;
use crate::segmenter::Settings;
use crate::view::{Cut, View};
use crate::viewers::Viewers;
use bytes::Bytes;
use headwater_hub::{Segmented, StreamName};
use headwater_playlist::{self as playlist, MediaPlaylist};
use headwater_web::EntityTag;
use parking_lot::{Mutex, RwLock};
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Most segment bytes a stream keeps: 256 MiB. The oldest go first, if need be out of the playlist.
pub const STREAM_BYTES_MAX: usize = 256 << 20;

/// Segments that stay listed whatever their size; players need three.
const LISTED_MIN: usize = 3;

/// Separators of a file name after which a low-latency name is looked for.
const SEPARATORS_MAX: usize = 16;

/// A finished segment.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Path below the root, without leading slash.
    pub(crate) path: String,
    pub(crate) sequence: u64,
    pub(crate) duration: Duration,
    pub(crate) discontinuity: bool,
    /// Encrypted, when there is a key.
    pub(crate) bytes: Bytes,
    pub(crate) key: Option<Arc<SegmentKey>>,
    /// Its initialisation segment, for fragmented MP4.
    pub(crate) init: Option<Arc<Init>>,
    /// When it began, as playlists tell it.
    pub(crate) date: Option<String>,
    pub(crate) etag: EntityTag,
}

/// An initialisation segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Init {
    /// Path below the root, without leading slash.
    pub(crate) path: String,
    pub(crate) bytes: Bytes,
    pub(crate) etag: EntityTag,
}

/// What is at a path.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Playlist(Arc<Live>),
    Segment(Arc<Live>, Arc<Segment>),
    Key(Arc<Live>, Arc<SegmentKey>),
    Init(Arc<Live>, Arc<Init>),
}

/// Paths of what has left memory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) segments: Vec<String>,
    pub(crate) keys: Vec<String>,
}

/// All of a server's playlists and segments, by vhost and path.
#[derive(Debug, Default)]
pub(crate) struct Store {
    paths: RwLock<HashMap<Place, Found>>,
    lives: Mutex<HashMap<StreamName, Arc<Live>>>,
    /// What low-latency names begin with.
    stems: RwLock<HashMap<Place, Arc<Live>>>,
    pub(crate) viewers: Viewers,
}

type Place = (Arc<str>, String);

impl Store {
    /// The stream's place, made anew or found again when it is published once more, with the settings of now.
    pub(crate) fn open(&self, name: &StreamName, settings: Settings) -> Arc<Live> {
        let mut lives = self.lives.lock();
        if let Some(live) = lives.get(name).filter(|live| live.settings == settings && settings.recover) {
            live.state.lock().publishes += 1;
            return live.clone();
        }
        if let Some(old) = lives.remove(name) {
            self.forget_paths(&old);
        }
        let live = Arc::new(Live::new(name.clone(), settings));
        lives.insert(name.clone(), live.clone());
        if let Some(low_latency) = &live.low_latency {
            self.stems.write().insert(live.place(low_latency.stem.clone()), live.clone());
        }
        self.paths.write().insert(live.place(live.playlist_path.clone()), Found::Playlist(live.clone()));
        live
    }

    pub(crate) fn find(&self, vhost: &str, path: &str) -> Option<Found> {
        self.paths.read().get(&(vhost.into(), path.to_owned())).cloned()
    }

    /// The stream and the asset that a low-latency name asks for. Names are at most as long as a path may be.
    pub(crate) fn find_low_latency(&self, vhost: &str, path: &str) -> Option<(Arc<Live>, Asset)> {
        let stems = self.stems.read();
        if stems.is_empty() {
            return None;
        }
        let file = path.rfind('/').map_or(0, |slash| slash + 1);
        let ends = path.char_indices().filter(|&(at, c)| at > file && matches!(c, '-' | '.'));
        ends.take(SEPARATORS_MAX).find_map(|(at, _)| {
            let (stem, rest) = path.split_at(at);
            let asset = Asset::parse(rest)?;
            Some((stems.get(&(vhost.into(), stem.to_owned()))?.clone(), asset))
        })
    }

    /// The stream of that name.
    pub(crate) fn live(&self, name: &StreamName) -> Option<Arc<Live>> {
        self.lives.lock().get(name).cloned()
    }

    pub(crate) fn lives(&self) -> Vec<Arc<Live>> {
        self.lives.lock().values().cloned().collect()
    }

    /// Adds a segment, lets the oldest go and makes the playlist.
    pub(crate) fn add(&self, live: &Arc<Live>, segment: Segment) -> Gone {
        let segment = Arc::new(segment);
        // They are there before the playlist says so: whoever waits for it asks for them at once.
        let mut paths = self.paths.write();
        if let Some(init) = &segment.init {
            paths.insert(live.place(init.path.clone()), Found::Init(live.clone(), init.clone()));
        }
        if let Some(key) = &segment.key {
            paths.insert(live.place(key.path.clone()), Found::Key(live.clone(), key.clone()));
        }
        paths.insert(live.place(segment.path.clone()), Found::Segment(live.clone(), segment.clone()));
        drop(paths);
        let gone = live.add(segment.clone());
        let mut paths = self.paths.write();
        for path in gone.segments.iter().chain(&gone.keys).filter(|path| **path != segment.path) {
            paths.remove(&live.place(path.clone()));
        }
        drop(paths);
        // A name without [seq] may be that of an older segment, which is then replaced.
        let segments = gone.segments.into_iter().filter(|path| *path != segment.path).collect();
        Gone { segments, keys: gone.keys }
    }

    /// Forgets the stream and its viewers, unless it was published again after publish number `publish`. True when it is forgotten.
    pub(crate) fn dispose(&self, live: &Arc<Live>, publish: u64) -> bool {
        let mut lives = self.lives.lock();
        if live.publishes() != publish {
            return false;
        }
        if lives.get(&live.name).is_some_and(|known| Arc::ptr_eq(known, live)) {
            lives.remove(&live.name);
        }
        self.forget_paths(live);
        drop(lives);
        self.viewers.end_stream(&live.name);
        true
    }

    fn forget_paths(&self, live: &Arc<Live>) {
        let belongs = |found: &Found| match found {
            Found::Playlist(l) | Found::Segment(l, _) | Found::Key(l, _) | Found::Init(l, _) => {
                Arc::ptr_eq(l, live)
            }
        };
        if let Some(low_latency) = &live.low_latency {
            let mut stems = self.stems.write();
            let place = live.place(low_latency.stem.clone());
            if stems.get(&place).is_some_and(|known| Arc::ptr_eq(known, live)) {
                stems.remove(&place);
            }
        }
        let mut paths = self.paths.write();
        let Gone { segments, keys } = live.state.lock().paths();
        for path in segments.into_iter().chain(keys).chain([live.playlist_path.clone()]) {
            let place = live.place(path);
            if paths.get(&place).is_some_and(belongs) {
                paths.remove(&place);
            }
        }
    }
}

/// One stream's playlist and segments.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) name: StreamName,
    pub(crate) settings: Settings,
    /// Path of the playlist below the root, without leading slash.
    pub(crate) playlist_path: String,
    pub(crate) low_latency: Option<LowLatency>,
    vhost: Arc<str>,
    state: Mutex<State>,
    /// The playlist; `None` before the first segment.
    playlist: watch::Sender<Option<Playlist>>,
    /// The segmenter at work holds it, so that there is one at a time.
    pub(crate) turn: tokio::sync::Mutex<Cutter>,
}

/// A playlist, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Playlist {
    pub(crate) text: Bytes,
    pub(crate) etag: EntityTag,
}

/// What goes on from one publisher to the next.
#[derive(Debug)]
pub(crate) struct Cutter {
    /// Groups the chunks of fragmented MP4.
    pub(crate) view: View,
    /// Its newest initialisation segment, by number.
    pub(crate) init: Option<(u64, Arc<Init>)>,
    pub(crate) muxer: headwater_mpeg::TsMuxer,
    /// Number of the next segment.
    pub(crate) sequence: u64,
    pub(crate) floor: crate::segment::Floor,
    pub(crate) keys: KeyRing,
}

impl Cutter {
    fn new(view: View) -> Cutter {
        Cutter {
            view,
            init: None,
            muxer: Default::default(),
            sequence: 0,
            floor: Default::default(),
            keys: KeyRing::default(),
        }
    }

    /// The key of the next segment, if there is one.
    pub(crate) fn key(&mut self, live: &Live, moment: &name::Moment) -> Option<Arc<SegmentKey>> {
        let keys = live.settings.keys.as_ref()?;
        let path = || name::segment_path(&keys.path, &live.name, moment);
        Some(self.keys.next(self.sequence, keys.per_key, path))
    }
}

#[derive(Debug)]
struct State {
    /// Oldest first; the last `listed` of them are in the playlist, the others wait for slow clients.
    segments: VecDeque<Arc<Segment>>,
    listed: usize,
    /// Discontinuities that have left the playlist.
    discontinuities: u64,
    /// Longest segment so far: the target duration must not change, so it never shrinks.
    longest: Duration,
    /// Publishes so far.
    publishes: u64,
    /// Why there is no segment, when a reason is known.
    problem: Option<String>,
}

impl Live {
    fn new(name: StreamName, settings: Settings) -> Live {
        let playlist_path = name::stream_path(&settings.playlist, &name);
        let state = State {
            segments: VecDeque::new(),
            listed: 0,
            discontinuities: 0,
            longest: Duration::ZERO,
            publishes: 1,
            problem: None,
        };
        let low_latency = settings.low_latency.clone();
        let low_latency = low_latency.map(|own| LowLatency::new(&name, own, settings.without));
        let lengths =
            Cut::Lengths { target: settings.lengths.target, audio_only: settings.lengths.audio_only };
        Live {
            vhost: name.vhost().into(),
            turn: tokio::sync::Mutex::new(Cutter::new(View::new(lengths, settings.without))),
            low_latency,
            name,
            settings,
            playlist_path,
            state: Mutex::new(state),
            playlist: watch::Sender::new(None),
        }
    }

    /// How often it was published.
    pub(crate) fn publishes(&self) -> u64 {
        self.state.lock().publishes
    }

    /// The playlist, waited for until `patience` is over.
    pub(crate) async fn playlist(&self, patience: Duration) -> Option<Playlist> {
        let mut watched = self.playlist.subscribe();
        let ready = tokio::time::timeout(patience, watched.wait_for(Option::is_some)).await;
        ready.ok()?.ok()?.clone()
    }

    /// The playlist as it is now.
    pub(crate) fn current(&self) -> Option<Playlist> {
        self.playlist.borrow().clone()
    }

    /// Why there is no playlist, in words for a viewer.
    pub(crate) fn problem(&self) -> Option<String> {
        self.state.lock().problem.clone()
    }

    pub(crate) fn set_problem(&self, problem: String) {
        self.state.lock().problem = Some(problem);
    }

    /// All files of the stream, the playlist first; none without a path.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let Gone { mut segments, keys } = self.state.lock().paths();
        segments.insert(0, self.playlist_path.clone());
        let below = |root: Option<&PathBuf>, paths: Vec<String>| -> Vec<PathBuf> {
            paths.iter().filter_map(|path| name::file(root?, path)).collect()
        };
        let mut files = below(self.settings.root.as_ref(), segments);
        files.extend(below(self.settings.key_root(), keys));
        files
    }

    /// What observers are told of a segment; `file` is where it is on disk.
    pub(crate) fn describe(&self, segment: &Segment, file: Option<PathBuf>) -> Segmented {
        let playlist = self.settings.root.as_ref().and_then(|root| name::file(root, &self.playlist_path));
        Segmented {
            file: file.unwrap_or_else(|| PathBuf::from(&segment.path)),
            url: segment.path.clone(),
            playlist: playlist.unwrap_or_else(|| PathBuf::from(&self.playlist_path)),
            playlist_url: self.playlist_path.clone(),
            sequence: segment.sequence,
            duration: segment.duration,
        }
    }

    fn place(&self, path: String) -> Place {
        (self.vhost.clone(), path)
    }

    fn add(&self, segment: Arc<Segment>) -> Gone {
        let mut state = self.state.lock();
        state.longest = state.longest.max(segment.duration);
        state.segments.push_back(segment);
        state.listed += 1;
        state.slide(self.settings.window);
        let gone = state.evict();
        let gone = state.without_used_keys(&gone);
        let text = self.render(&state).to_string();
        drop(state);
        let etag = etag(text.len() as u64);
        self.playlist.send_replace(Some(Playlist { text: text.into(), etag }));
        gone
    }

    fn render(&self, state: &State) -> MediaPlaylist {
        let listed = state.listed().map(|segment| playlist::Segment {
            uri: self.uri(&segment.path),
            duration: segment.duration,
            discontinuity: segment.discontinuity,
            key: segment.key.as_ref().map(|key| playlist::Key { uri: self.key_uri(key), iv: key.iv }),
            map: segment.init.as_ref().map(|init| self.uri(&init.path)),
            date: segment.date.clone(),
            parts: Vec::new(),
        });
        MediaPlaylist {
            media_sequence: state.listed().next().map_or(0, |s| s.sequence),
            discontinuity_sequence: state.discontinuities,
            target_duration: playlist::target_duration(
                state.longest,
                self.settings.lengths.target.duration(),
            ),
            segments: listed.collect(),
            ..MediaPlaylist::default()
        }
    }

    /// Relative to the playlist, or the key's path right after `hls_key_url`.
    fn key_uri(&self, key: &SegmentKey) -> String {
        match self.settings.keys.as_ref().map_or("", |keys| &keys.url) {
            "" => playlist::encode_path(&playlist::relative(&self.playlist_path, &key.path)),
            prefix => format!("{prefix}{}", playlist::encode_path(&key.path)),
        }
    }

    /// As SRS writes it: relative to the playlist, or after the prefix; the playlist's folder stands between the two
    /// when the prefix does not end in a slash.
    fn uri(&self, path: &str) -> String {
        let relative = playlist::encode_path(&playlist::relative(&self.playlist_path, path));
        match self.settings.prefix.as_str() {
            "" => relative,
            prefix if prefix.ends_with('/') => format!("{prefix}{relative}"),
            prefix => match self.playlist_path.rsplit_once('/') {
                Some((folder, _)) => format!("{prefix}/{}/{relative}", playlist::encode_path(folder)),
                None => format!("{prefix}/{relative}"),
            },
        }
    }
}

/// Paths of segments and, each once, of their keys.
fn paths_of<'a>(segments: impl Iterator<Item = &'a Arc<Segment>>) -> Gone {
    let mut paths = Gone::default();
    for segment in segments {
        paths.segments.push(segment.path.clone());
        paths.segments.extend(segment.init.as_ref().map(|init| init.path.clone()));
        paths.keys.extend(segment.key.as_ref().map(|key| key.path.clone()));
    }
    paths.keys.dedup();
    paths
}

impl State {
    fn paths(&self) -> Gone {
        paths_of(self.segments.iter())
    }

    /// The paths of `gone`, but not of keys and initialisation segments that segments still here were encrypted with.
    fn without_used_keys(&self, gone: &[Arc<Segment>]) -> Gone {
        let mut paths = paths_of(gone.iter());
        let used = self.paths();
        paths.keys.retain(|key| !used.keys.contains(key));
        // Of segments, those that share an initialisation segment's name or a name without [seq].
        paths.segments.retain(|path| !used.segments.contains(path));
        paths.segments.sort();
        paths.segments.dedup();
        paths
    }

    fn listed(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.iter().skip(self.segments.len() - self.listed)
    }

    /// Keeps the newest segments listed until their sum exceeds the window; the one that crosses it stays.
    fn slide(&mut self, window: Duration) {
        let mut total = Duration::ZERO;
        let mut keep = 0;
        for segment in self.segments.iter().rev().take(self.listed) {
            keep += 1;
            total += segment.duration;
            if total > window {
                break;
            }
        }
        self.unlist(self.listed - keep);
    }

    fn unlist(&mut self, count: usize) {
        let leaving = self.listed().take(count).filter(|s| s.discontinuity).count();
        self.discontinuities += leaving as u64;
        self.listed -= count;
    }

    /// Lets segments go that no client can still want: those that left the playlist longer ago than it lasts.
    fn evict(&mut self) -> Vec<Arc<Segment>> {
        let lasts: Duration = self.listed().map(|s| s.duration).sum();
        let mut waiting: Duration =
            self.segments.iter().take(self.segments.len() - self.listed).map(|s| s.duration).sum();
        let mut bytes: usize = self.segments.iter().map(|s| s.bytes.len()).sum();
        let mut gone = Vec::new();
        while let Some(oldest) = self.segments.front() {
            let listed = self.listed == self.segments.len();
            let unwanted = !listed && waiting.saturating_sub(oldest.duration) >= lasts;
            let too_much = bytes > STREAM_BYTES_MAX && (!listed || self.listed > LISTED_MIN);
            if !unwanted && !too_much {
                break;
            }
            if listed {
                self.unlist(1);
            } else {
                waiting = waiting.saturating_sub(oldest.duration);
            }
            if let Some(oldest) = self.segments.pop_front() {
                bytes -= oldest.bytes.len();
                gone.push(oldest);
            }
        }
        gone
    }
}

/// A validator that no other content of the same path ever has, not even after a restart.
pub(crate) fn etag(salt: u64) -> EntityTag {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EntityTag::new(format_args!("{:x}-{salt:x}", now.as_nanos()))
}
