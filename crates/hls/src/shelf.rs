//! Manifests and files of live streams in memory, found by their paths: what DASH and HDS have in common.

use crate::serve::{Ask, play_as, text};
use crate::store::etag;
use axum::response::Response;
use bytes::Bytes;
use headwater_hub::{Admission, StreamName};
use headwater_web::{Caching, EntityTag, Representation};
use http::{Method, StatusCode};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A file in memory. Its bytes are shared, not copied.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Path below the root, without leading slash.
    pub(crate) path: String,
    content_type: &'static str,
    pieces: Vec<Bytes>,
    len: u64,
    tag: EntityTag,
    age: Duration,
}

impl File {
    /// `age` is how long caches may keep it.
    pub(crate) fn new(path: String, content_type: &'static str, pieces: Vec<Bytes>, age: Duration) -> File {
        let len = pieces.iter().map(Bytes::len).sum::<usize>() as u64;
        File { path, content_type, tag: etag(len), pieces, len, age }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes in one piece, for the disk.
    pub(crate) fn to_bytes(&self) -> Bytes {
        self.pieces.concat().into()
    }

    pub(crate) fn answer(&self, ask: &Ask<'_>) -> Response {
        let caching = Caching::For(self.age);
        let whole = Representation::new(self.content_type, self.pieces.clone()).tag(self.tag.clone());
        whole.caching(caching).answer(&method(ask), ask.fields)
    }
}

/// The method of a request.
pub(crate) fn method(ask: &Ask<'_>) -> Method {
    if ask.head { Method::HEAD } else { Method::GET }
}

/// What is at a path: the manifest of a live stream `L`, or a file of one, which may be still to come.
#[derive(Debug)]
pub(crate) enum Found<L> {
    Manifest(Arc<L>),
    File(Arc<File>),
    Awaited(Arc<L>),
}

impl<L> Clone for Found<L> {
    fn clone(&self) -> Found<L> {
        match self {
            Found::Manifest(live) => Found::Manifest(live.clone()),
            Found::File(file) => Found::File(file.clone()),
            Found::Awaited(live) => Found::Awaited(live.clone()),
        }
    }
}

/// By vhost and path.
#[derive(Debug)]
pub(crate) struct Shelf<L> {
    places: RwLock<HashMap<(String, String), Found<L>>>,
}

impl<L> Default for Shelf<L> {
    fn default() -> Shelf<L> {
        Shelf { places: RwLock::default() }
    }
}

impl<L> Shelf<L> {
    pub(crate) fn find(&self, vhost: &str, path: &str) -> Option<Found<L>> {
        let places = self.places.read();
        if places.is_empty() {
            return None; // the usual case costs nothing
        }
        places.get(&(vhost.to_owned(), path.to_owned())).cloned()
    }

    pub(crate) fn put_manifest(&self, vhost: &str, path: &str, live: &Arc<L>) {
        let place = (vhost.to_owned(), path.to_owned());
        self.places.write().insert(place, Found::Manifest(live.clone()));
    }

    pub(crate) fn put(&self, vhost: &str, files: impl IntoIterator<Item = Arc<File>>) {
        let mut places = self.places.write();
        for file in files {
            places.insert((vhost.to_owned(), file.path.clone()), Found::File(file));
        }
    }

    /// Tells that these files are made next. They are replaced when they are there.
    pub(crate) fn put_awaited(&self, vhost: &str, paths: impl IntoIterator<Item = String>, live: &Arc<L>) {
        let mut places = self.places.write();
        for path in paths {
            places.entry((vhost.to_owned(), path)).or_insert_with(|| Found::Awaited(live.clone()));
        }
    }

    pub(crate) fn remove<'a>(&self, vhost: &str, paths: impl IntoIterator<Item = &'a String>) {
        let mut places = self.places.write();
        for path in paths {
            places.remove(&(vhost.to_owned(), path.clone()));
        }
    }
}

/// Asks whether the viewer may play; the answer to one who may not.
pub(crate) async fn admit(
    admission: &dyn Admission,
    ask: &Ask<'_>,
    name: &StreamName,
    kind: &'static str,
) -> Result<(), Response> {
    match admission.ask(&play_as(ask, name, kind)).await {
        Ok(_) => Ok(()),
        Err(refusal) => Err(text(StatusCode::FORBIDDEN, refusal.reason)),
    }
}
