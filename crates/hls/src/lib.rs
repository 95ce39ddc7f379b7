//! HLS: cuts live streams into MPEG-TS segments, keeps them in memory, serves them and their playlists, and writes
//! them to disk when a path is configured.
//!
//! One direction only: the segmenter is an ordinary reader of a stream's frames, a viewer an ordinary HTTP client.
//! [`Hls`] observes the hub and starts a segmenter for each publish of a vhost with HLS on; [`Hls::respond`] answers
//! requests from memory. Disk is a copy for other servers: slow, full or read-only, it disturbs nobody.
//!
//! A viewer is let in by the hub's admission: once for a session (`hls_ctx on`), which its playlists, segments and keys
//! then name by a token, or for each playlist request (`hls_ctx off`). Segments are served to whoever knows their names;
//! keys of encrypted ones (`hls_keys`) to sessions only, where there are sessions. fMP4 is not here.
//!
//! Bounds: a stream keeps in memory what its playlist lists and as much again for slow clients, at most
//! [`STREAM_BYTES_MAX`] bytes; a segment ends at [`SEGMENT_BYTES_MAX`]. Sessions are at most [`STREAM_VIEWERS_MAX`] a
//! stream and [`ADDRESS_VIEWERS_MAX`] an address.

mod key;
mod name;
mod sample_clock;
mod segment;
mod segmenter;
mod serve;
mod store;
#[cfg(test)]
mod tests;
mod token;
mod viewers;
mod writer;

pub use segment::SEGMENT_BYTES_MAX;
pub use serve::{Ask, middleware};
pub use store::STREAM_BYTES_MAX;
pub use viewers::{ADDRESS_VIEWERS_MAX, STREAM_VIEWERS_MAX};

use headwater_conf::Conf;
use headwater_hub::{Admission, Event, Hub, Observer, Session, Stream};
use segmenter::Segmenter;
use std::sync::{Arc, Weak};
use std::time::Duration;
use store::Store;
use tokio::runtime::Handle;
use writer::Writer;

/// How often sessions that have ended are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// The HLS gateway of a server.
pub struct Hls {
    /// Weak, because the hub knows its observers.
    hub: Weak<Hub>,
    conf: Arc<Conf>,
    admission: Arc<dyn Admission>,
    runtime: Handle,
    store: Arc<Store>,
    writer: Writer,
}

impl std::fmt::Debug for Hls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hls").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Hls {
    /// A gateway of `hub` that makes segments on `runtime`, which is not one of the media workers'. Give it to
    /// `Hub::observe`, so that it learns of publishers.
    pub fn new(hub: &Arc<Hub>, conf: Arc<Conf>, admission: Arc<dyn Admission>, runtime: Handle) -> Arc<Hls> {
        let store = Arc::<Store>::default();
        runtime.spawn(sweep(Arc::downgrade(&store)));
        Arc::new(Hls { hub: Arc::downgrade(hub), conf, admission, runtime, store, writer: Writer::start() })
    }

    /// Removes the files of all streams that are to be disposed of (`hls_dispose` above 0), as SRS does when it
    /// quits. Completes when the disk has them removed, or after two seconds.
    pub async fn close(&self) {
        self.store.lives().iter().filter(|live| !live.settings.dispose.is_zero()).for_each(|live| {
            self.writer.remove(live.files());
        });
        self.writer.drain().await;
    }

    /// Completes when everything that was made so far is on disk, or after two seconds.
    pub async fn flush(&self) {
        self.writer.drain().await;
    }

    fn published(&self, stream: &Arc<Stream>, session: &Arc<Session>) {
        let name = stream.name();
        let Some(vhost) = self.conf.vhost(name.vhost()).filter(|v| v.hls.enabled) else { return };
        let settings = segmenter::Settings::new(&vhost.hls, self.conf.log.utc);
        let live = self.store.open(name, settings);
        // The reader is made here and now, so that it misses nothing of the publisher.
        let segmenter = Segmenter::new(stream.frames(), session.clone(), live, &self.store, &self.writer);
        self.runtime.spawn(segmenter.run());
    }
}

/// Ends viewers' sessions in time, for as long as there is a store.
async fn sweep(store: Weak<Store>) {
    let mut tick = tokio::time::interval(SWEEP);
    loop {
        tick.tick().await;
        let Some(store) = store.upgrade() else { return };
        store.viewers.sweep();
    }
}

impl Observer for Hls {
    fn on_event(&self, event: &Event) {
        if let Event::Published { stream, session } = event {
            self.published(stream, session);
        }
    }
}
