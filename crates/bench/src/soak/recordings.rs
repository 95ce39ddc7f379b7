//! Finished recordings: read back when their stream is sampled, and deleted.

use super::outputs::Output;
use super::{Found, sequence::Sequence};
use crate::synthetic::Shape;
use headwater_flv::{Demuxer, FlvError, Parsed};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// The folder that recordings are written to, `APP/STREAM/TIME.flv` below it.
#[derive(Debug)]
pub(crate) struct Recordings {
    folder: PathBuf,
    sampled: Vec<usize>,
    found: Found,
    shape: Shape,
    /// Files finished so far.
    pub(crate) finished: u64,
}

impl Recordings {
    pub(crate) fn new(folder: PathBuf, sampled: Vec<usize>, found: Found, shape: Shape) -> Recordings {
        Recordings { folder, sampled, found, shape, finished: 0 }
    }

    /// Takes the files finished since the last call.
    pub(crate) fn collect(&mut self) {
        let streams: Vec<PathBuf> = entries(&self.folder).iter().flat_map(|app| entries(app)).collect();
        for stream in streams {
            let name =
                stream.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix('s'));
            let number = name.and_then(|number| number.parse().ok());
            let sampled = number.filter(|number| self.sampled.contains(number));
            for file in finished(&stream) {
                self.finished += 1;
                if let Some(number) = sampled {
                    self.read(number, &file);
                }
                // a file that stays is found again and counted twice; the report shows that
                let _ = fs::remove_file(&file);
            }
        }
    }

    fn read(&self, number: usize, file: &Path) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = found.entry((number, Output::Recording)).or_insert_with(|| Sequence::new(self.shape));
        sequence.next_file();
        let outcome = match fs::read(file) {
            Ok(bytes) => demux(&bytes, sequence).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = outcome {
            sequence.failed(&format!("{}: {error}", file.display()));
        }
    }
}

fn demux(bytes: &[u8], sequence: &mut Sequence) -> Result<(), FlvError> {
    let mut demuxer = Demuxer::new();
    demuxer.push(bytes);
    while let Some(tag) = demuxer.next_tag()? {
        if let Parsed::Frame(frame) = tag.parse()? {
            sequence.frame(&frame);
        }
    }
    Ok(())
}

/// Files of one stream that are not being written, oldest first.
fn finished(stream: &Path) -> Vec<PathBuf> {
    let mut files = entries(stream);
    files.retain(|file| file.extension().is_some_and(|extension| extension == "flv"));
    files.sort();
    files
}

/// A folder that is not there yet has nothing in it.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::Sound;

    const SHAPE: Shape = Shape { bitrate: 500_000, fps: 25, gop: 50, sound: Sound::Aac };

    #[test]
    fn finished_files_are_read_and_deleted_and_others_left() {
        let folder = tempfile::tempdir().unwrap();
        let stream = folder.path().join("live/s7");
        fs::create_dir_all(&stream).unwrap();
        fs::write(stream.join("1.flv"), headwater_flv::file_header(true, true)).unwrap();
        fs::write(stream.join("2.flv"), b"no FLV at all").unwrap();
        fs::write(stream.join("3.flv.tmp"), b"").unwrap();
        let mut recordings = Recordings::new(folder.path().into(), vec![7], Found::default(), SHAPE);
        recordings.collect();
        recordings.collect();
        assert_eq!(recordings.finished, 2);
        assert_eq!(entries(&stream).len(), 1);
        let found = recordings.found.lock().unwrap();
        let counted = &found.get(&(7, Output::Recording)).unwrap().counted;
        assert_eq!((counted.failed, counted.pictures), (1, 0));
    }
}
