//! What files are made of: the operating system's, or a test's.

use bytes::Bytes;
use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::name::{alternatives, unfinished};

/// A file that can be written and made durable from several threads.
pub(crate) trait Medium: fmt::Debug + Send + Sync {
    /// Writes all of the pieces behind what was appended before. Called by one thread alone.
    fn append(&self, pieces: &[Bytes]) -> io::Result<()>;

    /// Writes all of `bytes` at `at`, over what was appended or behind it.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Makes what was written survive a power cut.
    fn sync(&self) -> io::Result<()>;
}

impl Medium for File {
    fn append(&self, pieces: &[Bytes]) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let (mut rest, mut file) = (slices.as_mut_slice(), self);
        IoSlice::advance_slices(&mut rest, 0); // leaves out empty ones
        while !rest.is_empty() {
            match file.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Opens an unfinished file for a path, and gives the path it will get: that one, or one like it.
pub(crate) type Open = Arc<dyn Fn(&Path) -> io::Result<(Arc<dyn Medium>, PathBuf)> + Send + Sync>;

/// The operating system's files.
pub(crate) fn files() -> Open {
    Arc::new(|path| open(path).map(|(file, path)| (Arc::new(file) as Arc<dyn Medium>, path)))
}

/// Opens `path` with `.tmp` behind it, or a name like it: neither a finished nor an unfinished file is touched. The
/// file is locked, so that nobody takes it for one that a kill left.
pub(crate) fn open(path: &Path) -> io::Result<(File, PathBuf)> {
    std::fs::create_dir_all(folder(path))?;
    for name in alternatives(path) {
        let aside = unfinished(&name);
        let file = match std::fs::OpenOptions::new().write(true).create_new(true).open(&aside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            file => file?,
        };
        file.try_lock().ok(); // not every file system has locks
        if !name.try_exists()? {
            note_other_name(path, &name);
            return Ok((file, name));
        }
        std::fs::remove_file(&aside)?;
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn note_other_name(wanted: &Path, name: &Path) {
    if wanted != name {
        tracing::warn!(
            wanted = %wanted.display(), file = %name.display(),
            "a file of the recording's name exists and is kept (3082): the recording takes another name; put [timestamp] into dvr_path"
        );
    }
}

/// Takes the `.tmp` away, never over another file, and makes the new name durable.
pub(crate) fn settle(path: &Path) -> io::Result<PathBuf> {
    let name = rename(path)?;
    File::open(folder(&name))?.sync_all()?;
    Ok(name)
}

fn rename(path: &Path) -> io::Result<PathBuf> {
    let aside = unfinished(path);
    for name in alternatives(path) {
        match std::fs::hard_link(&aside, &name) {
            Ok(()) => {
                std::fs::remove_file(&aside)?;
                return Ok(name);
            }
            Err(_) if name.try_exists()? => {}
            // A file system without links.
            Err(_) => {
                std::fs::rename(&aside, &name)?;
                return Ok(name);
            }
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live/a.flv");
        let (_first, name) = open(&path).unwrap();
        assert_eq!(name, path);
        let (_second, other) = open(&path).unwrap();
        assert_eq!(other, dir.path().join("live/a-1.flv"), "the first is still being written");
        assert_eq!(settle(&name).unwrap(), path);
        let (_third, other) = open(&path).unwrap();
        assert_eq!(other, dir.path().join("live/a-2.flv"));
        std::fs::write(&other, b"somebody else's").unwrap();
        assert_eq!(settle(&other).unwrap(), dir.path().join("live/a-2-1.flv"));
        assert_eq!(std::fs::read(&other).unwrap(), b"somebody else's");
        assert!(!unfinished(&other).exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), b"").unwrap();
        assert!(open(&dir.path().join("file/a.flv")).is_err());
    }

    #[test]
    fn a_file_being_written_is_locked() {
        let dir = tempfile::tempdir().unwrap();
        let (_file, name) = open(&dir.path().join("a.flv")).unwrap();
        assert!(File::open(unfinished(&name)).unwrap().try_lock().is_err());
    }
}
