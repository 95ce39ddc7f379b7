//! `fast_cache`: AAC and MP3 players begin with the last seconds, as in SRS, so that they have something in their
//! buffers at once.

use crate::Container;
use crate::format::{Framing, format};
use headwater_conf::Conf;
use headwater_hub::{Event, Kept, Observer, Stream, StreamName, Tracks};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Keeps the sound of live streams of vhosts with `fast_cache`, whether somebody listens or not.
#[derive(Debug)]
pub struct FastCache {
    conf: Arc<Conf>,
    kept: Mutex<HashMap<StreamName, Vec<Kept>>>,
}

impl FastCache {
    /// Give it to `Hub::observe`, so that it learns of publishers.
    pub fn new(conf: Arc<Conf>) -> Arc<FastCache> {
        Arc::new(FastCache { conf, kept: Mutex::default() })
    }

    fn keep(&self, stream: &Arc<Stream>) {
        let name = stream.name();
        let Some(vhost) = self.conf.vhost(name.vhost()) else { return };
        let remux = &vhost.http_remux;
        if !remux.enabled || remux.fast_cache.is_zero() {
            return;
        }
        let framings = [Framing::Plain, Framing::Chunked, Framing::WebSocket];
        let kept = [Container::Aac, Container::Mp3].into_iter().flat_map(|container| {
            framings
                .map(|framing| stream.keep(&format(container, framing, Tracks::ALL, remux.fast_cache.into())))
        });
        let kept = kept.collect();
        self.kept.lock().insert(name.clone(), kept);
    }
}

impl Observer for FastCache {
    fn on_event(&self, event: &Event) {
        match event {
            Event::Published { stream, .. } => self.keep(stream),
            Event::Unpublished { stream, .. } => {
                let kept = self.kept.lock().remove(stream.name());
                drop(kept); // outside the lock: it takes the stream's
            }
            _ => {}
        }
    }
}
