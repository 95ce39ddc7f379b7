//! Derived streams: the same stream with something made otherwise (sound in another codec), made once for everybody
//! who needs it and only while somebody does.
//!
//! Conversion is a reader of one log and the writer of another. A derived stream has its origin's name, is known to no
//! registry and has no events of its own: players attached to it, bytes sent, jumps, recordings and segments are its
//! origin's, so a gateway uses it like any stream. It keeps its origin; its origin only knows where it is.

#[cfg(test)]
mod tests;

use crate::event::Event;
use crate::framelog::{Entry, FrameReader};
use crate::registry::{Events, Options};
use crate::stream::Stream;
use crate::{Session, Times};
use parking_lot::Mutex;
use std::convert::Infallible;
use std::sync::{Arc, Weak};
use thiserror::Error;
use tokio::sync::oneshot;

/// Nobody uses the derived stream any more: its writer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("nobody uses the derived stream any more; its writer ends")]
pub struct Unused;

/// Streams made of one stream, by what was made of it. Bounded by the keys, which are constants of the program.
#[derive(Debug, Default)]
pub(crate) struct Derivations(Mutex<Vec<(&'static str, Weak<Stream>)>>);

/// What makes a stream a derived one.
#[derive(Debug)]
pub(crate) struct Origin {
    stream: Arc<Stream>,
    /// Falls with the derived stream; that is how its writer learns that nobody uses it.
    _used: oneshot::Sender<Infallible>,
}

impl Origin {
    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }
}

impl Stream {
    /// The stream derived from this one under `key`; its first user makes it with `start`, which hands the reader of
    /// this stream and the writer of the derived one to a task, and returns at once.
    ///
    /// It lives as long as somebody holds it (a handle, a reader, a player): then [`DerivedPublisher::unused`] is
    /// ready and the task must end. The next user makes a new one.
    pub fn derived(
        self: &Arc<Self>,
        key: &'static str,
        start: impl FnOnce(FrameReader, DerivedPublisher),
    ) -> Arc<Stream> {
        let (made, publisher) = {
            let mut known = self.derivations.0.lock();
            if let Some(stream) = known.iter().find(|(k, _)| *k == key).and_then(|(_, weak)| weak.upgrade()) {
                return stream;
            }
            known.retain(|(_, weak)| weak.strong_count() > 0);
            let (made, publisher) = derive(self);
            known.push((key, Arc::downgrade(&made)));
            (made, publisher)
        };
        start(self.frames(), publisher);
        made
    }

    /// The stream that this one was derived from; itself when it is not a derived one.
    pub fn origin(self: &Arc<Self>) -> &Arc<Stream> {
        self.derived_from.as_ref().map_or(self, Origin::stream)
    }
}

fn derive(origin: &Arc<Stream>) -> (Arc<Stream>, DerivedPublisher) {
    // Times were put right once; whatever makes the derived frames puts them in order.
    let options = Options {
        times: Times::Absolute,
        absolute_times: None,
        interleave: false,
        ..origin.options().clone()
    };
    let (used, unused) = oneshot::channel();
    let mut stream = Stream::new(origin.name().clone(), options, Arc::new(Events::silent()));
    stream.derived_from = Some(Origin { stream: origin.clone(), _used: used });
    let stream = Arc::new(stream);
    let publisher = DerivedPublisher { stream: Arc::downgrade(&stream), unused };
    (stream, publisher)
}

/// The writer of a derived stream. Dropping it ends what it published.
#[derive(Debug)]
pub struct DerivedPublisher {
    stream: Weak<Stream>,
    unused: oneshot::Receiver<Infallible>,
}

impl DerivedPublisher {
    /// Appends an entry: frames with their times as they are; the origin's coming and going
    /// ([`Entry::Published`], [`Entry::Unpublished`]) so that players follow. Saying it twice changes nothing; frames
    /// of nobody are left out.
    pub fn write(&self, entry: Entry) -> Result<(), Unused> {
        let stream = self.stream.upgrade().ok_or(Unused)?;
        match entry {
            Entry::Published => begin(&stream),
            Entry::Frame(frame) if stream.is_live() => {
                stream.push(frame);
            }
            Entry::Frame(_) => {}
            Entry::Unpublished => stream.finish(),
        }
        Ok(())
    }

    /// Completes when nobody uses the stream any more. Safe to cancel.
    pub async fn unused(&mut self) {
        // Nothing is ever sent: the only outcome is that the other end fell.
        let _ = (&mut self.unused).await;
    }
}

impl Drop for DerivedPublisher {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.upgrade() {
            stream.finish();
        }
    }
}

/// The origin's publisher is the derived stream's. One that has left before its frames were read has none to show
/// for: nothing begins, and its frames are left out.
fn begin(stream: &Arc<Stream>) {
    let (session, announced): (Option<Arc<Session>>, _) = stream.origin().publishing();
    if let Some(session) = session {
        stream.begin(&session, announced);
    }
}

/// Says `event` of the origin, when `stream` is a derived one.
pub(crate) fn emit(stream: &Arc<Stream>, event: impl FnOnce(Arc<Stream>) -> Event) {
    let origin = stream.origin();
    origin.events().emit(&event(origin.clone()));
}
