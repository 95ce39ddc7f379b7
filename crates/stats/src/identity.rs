//! The names by which API, callbacks and logs know this server.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Longest server id that is accepted.
const SERVER_ID_MAX: usize = 128;

/// Server id, service id and process id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `vid-` and seven characters; kept over restarts.
    pub server: String,
    /// Eight characters; new with every start.
    pub service: String,
    /// Process id as text.
    pub pid: String,
}

/// The server id could not be kept. The identity is still usable, but changes with the next start.
#[derive(Debug, Error)]
#[error("cannot keep the server id in {path}: {source}; make the directory writable or set server_id")]
pub struct IdentityError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

impl Identity {
    /// An identity that is not kept anywhere.
    pub fn generate() -> Identity {
        Identity::named(vid())
    }

    /// The given server id if it is not empty, else the one kept in the id file, else a new one. What was chosen is
    /// written to the file; when that fails the identity comes with the reason.
    pub fn load(id_file: &Path, given: &str) -> (Identity, Option<IdentityError>) {
        let kept = std::fs::read_to_string(id_file).ok().and_then(|text| parse(&text));
        let chosen = parse(given).or_else(|| kept.clone()).unwrap_or_else(vid);
        let unchanged = kept.as_ref() == Some(&chosen);
        let failed = if unchanged { None } else { write(id_file, &chosen).err() };
        let path = id_file.to_owned();
        (Identity::named(chosen), failed.map(|source| IdentityError { path, source }))
    }

    fn named(server: String) -> Identity {
        Identity { server, service: random(8), pid: std::process::id().to_string() }
    }
}

/// A fresh `vid-xxxxxxx`.
pub(crate) fn vid() -> String {
    format!("vid-{}", random(7))
}

fn random(len: usize) -> String {
    const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    (0..len).map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())])).collect()
}

fn parse(text: &str) -> Option<String> {
    let id = text.trim();
    let fits = !id.is_empty() && id.len() <= SERVER_ID_MAX && id.chars().all(|c| c.is_ascii_graphic());
    fits.then(|| id.to_owned())
}

/// Replaces the file in one step, so that a crash leaves the old id or the new one.
fn write(path: &Path, id: &str) -> std::io::Result<()> {
    let dir = path.parent().ok_or(ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(dir)?;
    let draft = path.with_extension("new");
    let mut file = std::fs::File::create(&draft)?;
    file.write_all(id.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_lengths_that_clients_expect() {
        let identity = Identity::generate();
        assert_eq!(identity.server.len(), 11);
        assert!(identity.server.starts_with("vid-"));
        assert_eq!(identity.service.len(), 8);
        assert!(identity.service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    }

    #[test]
    fn the_server_id_is_kept_and_the_service_id_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (first, failed) = Identity::load(&dir.path().join("data/server.id"), "");
        assert!(failed.is_none());
        let (second, _) = Identity::load(&dir.path().join("data/server.id"), "");
        assert_eq!(first.server, second.server);
        assert_ne!(first.service, second.service);
    }

    #[test]
    fn a_given_server_id_wins_and_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        Identity::load(&dir.path().join("data/server.id"), "");
        assert_eq!(Identity::load(&dir.path().join("data/server.id"), "edge-7").0.server, "edge-7");
        assert_eq!(Identity::load(&dir.path().join("data/server.id"), "").0.server, "edge-7");
    }

    #[test]
    fn a_spoilt_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("server.id");
        for text in ["", " \n", "a b", &"x".repeat(1000)] {
            std::fs::write(&file, text).unwrap();
            assert!(Identity::load(&file, "").0.server.starts_with("vid-"), "after {text:.10}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_told() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let (identity, failed) = Identity::load(&dir.path().join("file/server.id"), "");
        assert!(identity.server.starts_with("vid-"));
        assert!(failed.unwrap().to_string().contains("server_id"));
    }
}
