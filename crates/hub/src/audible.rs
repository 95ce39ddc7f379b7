//! What players are given whose protocol wants the sound of old (AAC or MP3): the stream itself, or one derived from it
//! whose sound is converted. Which of them depends on the publisher, so it is asked again with each: ready bytes are
//! made by the one that is audible, and players of the other go on there when they have sent what they had.

#[cfg(test)]
mod tests;

use crate::stream::Stream;
use crate::{Session, StreamName};
use std::sync::Arc;

/// Decides it; see [`Hub::set_audible`](crate::Hub::set_audible).
pub trait Audible: Send + Sync {
    /// Whether sound of `publisher` must be converted.
    fn converts(&self, stream: &StreamName, publisher: &Session) -> bool;

    /// The stream derived from `stream` whose sound is converted; see [`Stream::derived`].
    fn convert(&self, stream: &Arc<Stream>) -> Arc<Stream>;
}

impl Stream {
    /// Of this stream and the one derived from it, the one whose bytes are ready for players now; who waits for a
    /// publisher waits at the origin.
    pub(crate) fn audible(self: &Arc<Self>) -> Arc<Stream> {
        let origin = self.origin();
        let Some(audible) = origin.events().audible() else { return self.clone() };
        match origin.publishing().0.is_some_and(|session| audible.converts(origin.name(), &session)) {
            true => audible.convert(origin),
            false => origin.clone(),
        }
    }

    /// Whether the bytes of what `publisher` sends are made by the other of the two.
    pub(crate) fn yields(&self, publisher: &Session) -> bool {
        let origin = self.derived_from.as_ref().map_or(self, |origin| origin.stream());
        let converts = origin.events().audible().map(|a| a.converts(&origin.name, publisher));
        converts.is_some_and(|converts| converts != self.derived_from.is_some())
    }

    /// Where players of this stream go on; `None` when it is here.
    pub(crate) fn moved(self: &Arc<Self>) -> Option<Arc<Stream>> {
        let yielded = self.state.lock().yielded;
        yielded.then(|| self.audible()).filter(|stream| !Arc::ptr_eq(stream, self))
    }

    /// The stream to read bytes from instead of this one: itself, most of the time.
    pub(crate) fn present(self: &Arc<Self>) -> Arc<Stream> {
        self.moved().unwrap_or_else(|| self.clone())
    }
}
