//! A publisher's packets on their way to viewers, as they are.

use crate::source::{Ask, Finder, Source};
use headwater_hub::Stream;
use std::sync::{Arc, Weak};

/// Where packets go as they are, while somebody watches.
#[derive(Default)]
pub(super) struct Relay {
    /// Once the stream is the publisher's.
    pub(super) finder: Option<Finder>,
    pub(super) ask: Option<Ask>,
    pub(super) source: Weak<Source>,
    /// Whether packets of frames are kept, and whether they go to the source: from a key frame on.
    pub(super) watched: bool,
    pub(super) begun: bool,
}

impl Relay {
    /// The source of the stream's viewers; whether it is one that was not there before.
    pub(super) fn find(&mut self, stream: &Stream) -> Option<(Arc<Source>, bool)> {
        let Some(source) = self.finder.as_mut().and_then(|finder| finder.find(stream.name())) else {
            (self.watched, self.begun) = (false, false);
            return None;
        };
        let new = !self.watched || Weak::as_ptr(&self.source) != Arc::as_ptr(&source);
        if new {
            (self.watched, self.begun) = (true, false);
            self.source = Arc::downgrade(&source);
            source.set_ask(self.ask.clone());
        }
        Some((source, new))
    }
}
