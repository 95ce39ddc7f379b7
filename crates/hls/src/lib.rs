//! HLS: cuts live streams into segments of MPEG-TS or fragmented MP4, keeps them in memory, serves them and their
//! playlists, and writes them to disk when a path is configured. Low-latency HLS is beside it, from memory alone. DASH
//! and HDS have windows of their own; they share the packager, the writer and the way to answer.
//!
//! One direction only: the segmenter is an ordinary reader of a stream's frames, a viewer an ordinary HTTP client.
//! [`Hls`] observes the hub and starts a segmenter for each publish of a vhost with HLS on; [`Hls::respond`] answers
//! requests from memory. Disk is a copy for other servers: slow, full or read-only, it disturbs nobody.
//!
//! A viewer is let in by the hub's admission: once for a session (`hls_ctx on`), which its playlists, segments and keys
//! then name by a token, or for each playlist request (`hls_ctx off`). Segments are served to whoever knows their names;
//! keys of encrypted ones (`hls_keys`) to sessions only, where there are sessions.
//!
//! Bounds: a stream keeps in memory what its playlist lists and as much again for slow clients, at most
//! [`STREAM_BYTES_MAX`] bytes; a segment ends at [`SEGMENT_BYTES_MAX`]. Sessions are at most [`STREAM_VIEWERS_MAX`] a
//! stream and [`ADDRESS_VIEWERS_MAX`] an address.

mod dash;
mod dash_window;
mod fragmented;
mod hds;
mod key;
mod low_latency;
mod name;
mod outlet;
mod sample_clock;
mod segment;
mod segmenter;
mod serve;
mod serve_low_latency;
mod shelf;
mod store;
#[cfg(test)]
mod tests;
mod token;
mod view;
mod viewers;
mod writer;

pub use segment::SEGMENT_BYTES_MAX;
pub use serve::{Ask, middleware};
pub use store::STREAM_BYTES_MAX;
pub use viewers::{ADDRESS_VIEWERS_MAX, STREAM_VIEWERS_MAX};

use dash::Dash;
use fragmented::FragmentedSegmenter;
use hds::Hds;
use headwater_conf::Conf;
use headwater_hub::{Admission, Event, Hub, Observer, Session, Stream, StreamName};
use headwater_packager::{Lengths, Packager};
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
    packager: Arc<Packager>,
    dash: Arc<Dash>,
    hds: Arc<Hds>,
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
        let lengths = conf.clone();
        let lengths = move |name: &StreamName| {
            lengths
                .vhost(name.vhost())
                .map_or_else(Lengths::default, |vhost| low_latency::lengths(&vhost.hls))
        };
        let packager = Packager::with_lengths(lengths, runtime.clone());
        let (hub, writer) = (Arc::downgrade(hub), Writer::start());
        let dash =
            Dash::new(conf.clone(), admission.clone(), runtime.clone(), packager.clone(), writer.clone());
        let hds = Hds::new(conf.clone(), admission.clone(), runtime.clone(), writer.clone());
        Arc::new(Hls { hub, conf, admission, runtime, store, writer, packager, dash, hds })
    }

    /// What makes CMAF chunks of streams, for others who want them too: each stream is muxed once.
    pub fn packager(&self) -> &Arc<Packager> {
        &self.packager
    }

    /// Removes the files of all streams that are to be disposed of (`hls_dispose` above 0), as SRS does when it
    /// quits. Completes when the disk has them removed, or after two seconds.
    pub async fn close(&self) {
        self.store.lives().iter().filter(|live| !live.settings.dispose.is_zero()).for_each(|live| {
            self.writer.remove(live.files());
        });
        self.writer.remove(self.dash.disposable_files());
        self.writer.remove(self.hds.files());
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
        if live.low_latency.is_some() {
            let (chunks, live) = (self.packager.package(stream).subscribe(), live.clone());
            self.runtime.spawn(async move {
                if let Some(low_latency) = &live.low_latency {
                    low_latency.follow(chunks).await;
                }
            });
        }
        // The readers are made here and now, so that they miss nothing of the publisher.
        match &live.settings.fragmented {
            None => {
                let segmenter =
                    Segmenter::new(stream.frames(), session.clone(), live, &self.store, &self.writer);
                self.runtime.spawn(segmenter.run());
            }
            Some(names) => {
                let segmenter = FragmentedSegmenter {
                    chunks: self.packager.package(stream).subscribe(),
                    names: names.clone(),
                    stream: stream.clone(),
                    session: session.clone(),
                    publish: live.publishes(),
                    live,
                    store: self.store.clone(),
                    writer: self.writer.clone(),
                };
                self.runtime.spawn(segmenter.run());
            }
        }
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
            let stream = &self.hub.upgrade().map_or_else(|| stream.clone(), |hub| hub.audible(stream));
            self.dash.published(stream);
            self.hds.published(stream, session.id());
            self.published(stream, session);
        }
    }
}
