//! Whose recording a file is; a note in the file tells it to whoever finds the file after a kill.

use crate::leftovers::Found;
use headwater_hub::{Hub, Session, SessionId, SessionInfo, Stream, StreamName};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whom a file belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) stream: Arc<Stream>,
    pub(crate) session: Arc<Session>,
    /// Whether it was told that the recording stopped; all files of one recording share it.
    told: Arc<AtomicBool>,
}

impl Owner {
    pub(crate) fn new(stream: &Arc<Stream>, session: &Arc<Session>) -> Owner {
        Owner { stream: stream.clone(), session: session.clone(), told: Arc::default() }
    }

    /// First line of a note.
    pub(crate) const MARK: &str = "headwater";

    /// Stream and session as text. Nothing that a stranger who gets the file should not know: no address, no parameters.
    pub(crate) fn note(&self) -> String {
        let name = self.stream.name();
        [Owner::MARK, name.vhost(), name.app(), name.stream(), self.session.id().as_str()].join("\n")
    }

    /// The owner of a file with this note; `None` when the note is not one of ours. Its session has ended: of it only
    /// the id is known.
    pub(crate) fn from_note(note: &str, hub: &Hub) -> Option<Owner> {
        let lines: Vec<&str> = note.split('\n').collect();
        let [Owner::MARK, vhost, app, stream, session] = lines.as_slice() else { return None };
        let name = StreamName::new(vhost, app, stream).ok()?;
        let session = Session::new(SessionInfo {
            id: SessionId::parse(session)?,
            kind: "recovered",
            publish: true,
            shown_name: name.stream().into(),
            name: name.clone(),
            ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            tc_url: "".into(),
            page_url: "".into(),
            swf_url: "".into(),
            param: "".into(),
        });
        Some(Owner::new(&hub.stream(&name), &Arc::new(session)))
    }

    /// Tells the hub's observers of a finished file.
    pub(crate) fn recorded(&self, found: Found) {
        self.stream.recorded(&self.session, found.file, found.duration, found.bytes);
    }

    /// The one word about a recording that ends before its publish, for the log and for the hub's observers.
    pub(crate) fn stopped(&self, file: &Path, reason: &str) {
        if self.told.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::error!(
            stream = %self.stream.name(), session = %self.session.id(), file = %file.display(), reason,
            "the recording stops; the stream goes on; check space, speed and permissions of dvr_path"
        );
        self.stream.recording_stopped(&self.session, file.to_owned(), reason);
    }
}
