//! Recordings that a kill or a power cut left unfinished: found by their `.tmp` and finished up to their last whole
//! fragment or tag.
//!
//! Only files with this server's own note are touched; one that is being written is locked and left alone.

use crate::container::{flv_note, flv_patches};
use crate::medium::settle;
use crate::owner::Owner;
use bytes::Bytes;
use headwater_flv::{TAG_AUDIO, TAG_SCRIPT, TAG_VIDEO};
use headwater_hub::Hub;
use headwater_mp4::{Finalized, Rebuild};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Folders and files looked at in one search.
const ENTRIES_MAX: usize = 200_000;

/// Longest script tag that is read for its note.
const SCRIPT_MAX: u32 = 1 << 20;

/// Room that is made for an index at first; then four times as much, and so on.
const ROOM: u64 = 16 << 10;

/// A recording that was finished after all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) file: PathBuf,
    pub(crate) note: String,
    pub(crate) duration: Duration,
    pub(crate) bytes: u64,
}

/// Where recordings may lie: everything below a folder, with a suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) folder: PathBuf,
    /// How far below.
    pub(crate) depth: usize,
    /// What names end with, without `.tmp`.
    pub(crate) suffix: String,
}

impl Search {
    /// For the files of a template: from its last folder without a variable on.
    pub(crate) fn of(template: &str) -> Search {
        let fixed = template.split_once('[').map_or(template, |(fixed, _)| fixed);
        let (folder, _) = fixed.rsplit_once('/').unwrap_or((".", fixed));
        let folder = if folder.is_empty() && template.starts_with('/') { "/" } else { folder };
        // An app and a stream may have several segments each.
        let variable = template.get(folder.len()..).unwrap_or_default();
        let depth = variable.matches('/').count() + 4 * variable.matches('[').count().min(4);
        let suffix = template.rsplit_once('.').map_or("", |(_, suffix)| suffix);
        Search { folder: folder.into(), depth, suffix: format!(".{suffix}.tmp") }
    }

    /// Unfinished files last written before `until`, at most 200,000 entries having been looked at.
    pub(crate) fn files(&self, until: SystemTime) -> Vec<PathBuf> {
        let (mut files, mut looked_at) = (Vec::new(), 0);
        let mut folders = vec![(self.folder.clone(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                looked_at += 1;
                if looked_at > ENTRIES_MAX {
                    tracing::warn!(folder = %self.folder.display(), "too many files to look for unfinished recordings among them; move old ones away");
                    return files;
                }
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() && depth < self.depth {
                    folders.push((entry.path(), depth + 1));
                }
                let old = || entry.metadata().and_then(|m| m.modified()).is_ok_and(|at| at < until);
                if kind.is_file() && entry.file_name().to_string_lossy().ends_with(&self.suffix) && old() {
                    files.push(entry.path());
                }
            }
        }
        files
    }
}

/// Finishes what the searches find, one file after the other.
pub(crate) fn recover(searches: &[Search], until: SystemTime, hub: &Hub) {
    let mut files: Vec<PathBuf> = searches.iter().flat_map(|search| search.files(until)).collect();
    files.sort();
    files.dedup();
    if files.is_empty() {
        return;
    }
    tracing::info!(files = files.len(), "unfinished recordings of an earlier run are being finished");
    let mut finished = 0;
    for (number, file) in (1..).zip(&files) {
        match finish(file) {
            Ok(Some(found)) => {
                finished += 1;
                tracing::info!(file = %found.file.display(), number, of = files.len(), seconds = found.duration.as_secs_f64(), "recording recovered");
                if let Some(owner) = Owner::from_note(&found.note, hub) {
                    owner.recorded(found);
                }
            }
            Ok(None) => {
                tracing::debug!(file = %file.display(), "not an unfinished recording of this server, or one in use")
            }
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "the recording cannot be recovered; its .tmp stays")
            }
        }
    }
    tracing::info!(finished, of = files.len(), "unfinished recordings are done");
}

/// Finishes a file. `None` when it is not ours or is being written.
pub(crate) fn finish(aside: &Path) -> io::Result<Option<Found>> {
    let file = OpenOptions::new().read(true).write(true).open(aside)?;
    match file.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        _ => complete(&file, file.metadata()?.len(), aside), // not every file system has locks
    }
}

/// Finishes a file whose lock the caller holds and which it writes no more. On a full disk the newest media makes room
/// for the index of an MP4.
pub(crate) fn finish_own(aside: &Path) -> io::Result<Option<Found>> {
    let file = OpenOptions::new().read(true).write(true).open(aside)?;
    let mut room = ROOM;
    loop {
        let length = file.metadata()?.len();
        match complete(&file, length, aside) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull && room < length => {
                file.set_len(length - room)?;
                room *= 4;
            }
            done => return done,
        }
    }
}

fn complete(file: &File, length: u64, aside: &Path) -> io::Result<Option<Found>> {
    let path = aside.with_extension("");
    let end = match path.extension().and_then(|suffix| suffix.to_str()) {
        Some("mp4") => rebuild(file, length)?,
        _ => scan(file, length)?,
    };
    let Some(end) = end else { return Ok(None) };
    let bytes = end.apply(file)?;
    Ok(Some(Found { file: settle(&path)?, note: end.note, duration: end.duration, bytes }))
}

/// How a file ends.
struct End {
    note: String,
    duration: Duration,
    /// What is kept of it; then comes the tail.
    length: u64,
    tail: Bytes,
    patches: Vec<(u64, Bytes)>,
}

impl End {
    fn apply(&self, file: &File) -> io::Result<u64> {
        file.set_len(self.length)?;
        if let Err(error) = file.write_all_at(&self.tail, self.length) {
            file.set_len(self.length)?; // half an index is none
            return Err(error);
        }
        file.sync_all()?;
        for (at, patch) in &self.patches {
            file.write_all_at(patch, *at)?;
        }
        file.sync_all()?;
        Ok(self.length + self.tail.len() as u64)
    }
}

/// An MP4: its index is made again from its fragments.
fn rebuild(file: &File, length: u64) -> io::Result<Option<End>> {
    let mut rebuild = Rebuild::new(length);
    while let Some((at, len)) = rebuild.wants() {
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, at)?;
        rebuild.push(&bytes.into()).map_err(io::Error::other)?;
    }
    let note = rebuild.note().to_vec();
    if !note.starts_with(Owner::MARK.as_bytes()) {
        return Ok(None);
    }
    let rebuilt = rebuild.finish().map_err(io::Error::other)?;
    let whole = Finalized { tail: Bytes::new(), tail_at: length, patch: Bytes::new(), patch_at: 0 };
    let Finalized { tail, tail_at, patch, patch_at } = rebuilt.finish.unwrap_or(whole);
    let note = String::from_utf8_lossy(&note).into_owned();
    let (duration, patches) = (rebuilt.duration.duration(), vec![(patch_at, patch)]);
    Ok(Some(End { note, duration, length: tail_at, tail, patches }))
}

/// An FLV (10.1, E.3): cut behind its last whole tag, its length filled in.
fn scan(file: &File, length: u64) -> io::Result<Option<End>> {
    let (mut at, mut note) = (13, None);
    let (mut first, mut newest, mut audio, mut video) = (None, 0, false, false);
    while let Some(tag) = Tag::read(file, at, length)? {
        match tag.kind {
            TAG_SCRIPT if note.is_none() && tag.body <= SCRIPT_MAX => {
                let mut body = vec![0; tag.body as usize];
                file.read_exact_at(&mut body, at + Tag::HEADER)?;
                note = Some(flv_note(&body).unwrap_or_default());
            }
            TAG_AUDIO => audio = true,
            TAG_VIDEO => video = true,
            _ => {}
        }
        newest = newest.max(tag.ms);
        first.get_or_insert(tag.ms);
        at = tag.end;
    }
    let Some(note) = note.filter(|note| note.starts_with(Owner::MARK)) else { return Ok(None) };
    if !audio && !video {
        return Err(io::Error::other("there is no whole tag of sound or picture"));
    }
    let newest = Duration::from_millis(newest.into());
    let duration = newest.saturating_sub(Duration::from_millis(first.unwrap_or(0).into()));
    let patches = flv_patches(audio, video, newest, at);
    Ok(Some(End { note, duration, length: at, tail: Bytes::new(), patches }))
}

/// The header of an FLV tag.
struct Tag {
    kind: u8,
    body: u32,
    ms: u32,
    end: u64,
}

impl Tag {
    const HEADER: u64 = 11;

    /// `None` when there is no whole tag at `at`.
    fn read(file: &File, at: u64, length: u64) -> io::Result<Option<Tag>> {
        if at + Tag::HEADER > length {
            return Ok(None);
        }
        let mut head = [0; Tag::HEADER as usize];
        file.read_exact_at(&mut head, at)?;
        let [kind, b0, b1, b2, t0, t1, t2, t3, ..] = head;
        let (body, ms) = (u32::from_be_bytes([0, b0, b1, b2]), u32::from_be_bytes([t3, t0, t1, t2]));
        let behind = at + Tag::HEADER + u64::from(body);
        let end = behind + 4; // PreviousTagSize
        if end > length || ![TAG_AUDIO, TAG_VIDEO, TAG_SCRIPT].contains(&kind) {
            return Ok(None);
        }
        let mut size = [0; 4];
        file.read_exact_at(&mut size, behind)?;
        Ok((u64::from(u32::from_be_bytes(size)) == behind - at).then_some(Tag { kind, body, ms, end }))
    }
}
