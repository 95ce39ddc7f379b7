//! Where finished segments go: memory, disk, observers.

use crate::name;
use crate::store::{Gone, Live, Segment, Store};
use crate::writer::{Update, Writer};
use bytes::Bytes;
use headwater_hub::{Session, Stream};
use std::sync::Arc;

/// The way out for the segments of one publish.
pub(crate) struct Outlet<'a> {
    pub(crate) stream: &'a Arc<Stream>,
    pub(crate) session: &'a Arc<Session>,
    live: &'a Arc<Live>,
    store: &'a Store,
    writer: &'a Writer,
    /// Whether it was logged that files are left out.
    told: bool,
}

impl<'a> Outlet<'a> {
    pub(crate) fn new(
        stream: &'a Arc<Stream>,
        session: &'a Arc<Session>,
        live: &'a Arc<Live>,
        store: &'a Store,
        writer: &'a Writer,
    ) -> Outlet<'a> {
        Outlet { stream, session, live, store, writer, told: false }
    }

    pub(crate) fn publish(&mut self, segment: Segment) {
        let settings = &self.live.settings;
        let file = |path: &str| name::file(settings.root.as_ref()?, path);
        let key_file = |path: &str| name::file(settings.key_root()?, path);
        let told = self.live.describe(&segment, file(&segment.path));
        let (path, bytes, key) = (segment.path.clone(), segment.bytes.clone(), segment.key.clone());
        let init = segment.init.as_ref().and_then(|init| Some((file(&init.path)?, init.bytes.clone())));
        let gone = self.store.add(self.live, segment);
        if settings.root.is_some() || settings.key_root().is_some() {
            let playlist = self.live.current().map(|p| p.text);
            let Gone { segments, keys } = if settings.cleanup { gone } else { Gone::default() };
            let remove = segments.iter().filter_map(|path| file(path));
            let update = Update {
                key: key.and_then(|key| Some((key_file(&key.path)?, Bytes::copy_from_slice(&key.bytes)))),
                init,
                segment: file(&path).map(|file| (file, bytes)),
                others: Vec::new(),
                playlist: file(&self.live.playlist_path).zip(playlist),
                remove: remove.chain(keys.iter().filter_map(|path| key_file(path))).collect(),
            };
            if !self.writer.update(update) && !std::mem::replace(&mut self.told, true) {
                tracing::error!(
                    stream = %self.live.name,
                    "the disk of hls_path is too slow: files are left out; streams go on from memory"
                );
            }
        }
        self.stream.segmented(self.session, told);
    }
}
