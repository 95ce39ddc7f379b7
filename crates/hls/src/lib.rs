//! HLS: cuts live streams into MPEG-TS segments, keeps them in memory, serves them and their playlists, and writes
//! them to disk when a path is configured.
//!
//! One direction only: the segmenter is an ordinary reader of a stream's frames, a viewer an ordinary HTTP client.
//! [`Hls`] observes the hub and starts a segmenter for each publish of a vhost with HLS on; [`Hls::respond`] answers
//! requests from memory. Disk is a copy for other servers: slow, full or read-only, it disturbs nobody.
//!
//! Viewers' playlist requests are decided by the hub's admission, each of them; segments are not (players and caches
//! fetch them by names that only the playlist tells). Sessions (`hls_ctx`), encryption and fMP4 are not here.
//!
//! Bounds: a stream keeps in memory what its playlist lists and as much again for slow clients, at most
//! [`STREAM_BYTES_MAX`] bytes; a segment ends at [`SEGMENT_BYTES_MAX`].

mod name;
mod sample_clock;
mod segment;
mod segmenter;
mod serve;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use segment::SEGMENT_BYTES_MAX;
pub use serve::{Ask, middleware};
pub use store::STREAM_BYTES_MAX;

use headwater_conf::Conf;
use headwater_hub::{Admission, Event, Observer, Session, Stream};
use segmenter::Segmenter;
use std::sync::Arc;
use store::Store;
use tokio::runtime::Handle;
use writer::Writer;

/// The HLS gateway of a server.
pub struct Hls {
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
    /// A gateway that makes segments on `runtime`, which is not one of the media workers'. Give it to
    /// `Hub::observe`, so that it learns of publishers.
    pub fn new(conf: Arc<Conf>, admission: Arc<dyn Admission>, runtime: Handle) -> Arc<Hls> {
        let writer = Writer::start();
        Arc::new(Hls { conf, admission, runtime, store: Arc::default(), writer })
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

impl Observer for Hls {
    fn on_event(&self, event: &Event) {
        if let Event::Published { stream, session } = event {
            self.published(stream, session);
        }
    }
}
