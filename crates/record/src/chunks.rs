//! The task that records one publish in MP4: a reader of the stream's CMAF chunks, which go into the file as they are.
//!
//! A file begins with a chunk and ends behind one. So a kill loses the chunk that was being made, at most as long as a
//! part of low-latency HLS (`hls_part`), and files of the segment plan are cut to a chunk's length where they need not
//! begin with a key frame.

use crate::container::Tail;
use crate::disk::{Disk, File};
use crate::name;
use crate::owner::Owner;
use crate::plan::{FILE_MAX, Settings};
use bytes::Bytes;
use chrono::Utc;
use headwater_conf::TimeJitter;
use headwater_hub::{Session, Stream};
use headwater_media::Time;
use headwater_mp4::{Layout, Mp4Error, Recorder};
use headwater_packager::{Chunks, Item, TrackChunk, TrackSet};
use std::sync::Arc;
use tokio::sync::watch;

/// Chunks of sound that wait for the first pictures; beyond it the file begins without.
const EARLY_MAX: usize = 16;

/// How far the times of chunks may be off, by the rounding of publishers and of clocks.
const ROUNDING: Time = Time::from_millis(1);

/// Records one publish, from its first chunk to its last.
#[derive(Debug)]
pub(crate) struct ChunkRecording {
    owner: Owner,
    settings: Settings,
    layout: Layout,
    disk: Disk,
    tracks: Option<Arc<TrackSet>>,
    /// What the next file begins with.
    early: Vec<Arc<TrackChunk>>,
    open: Option<Open>,
    /// Whether chunks are left out until one that a decoder can start at.
    wait_key: bool,
    /// Whether recording is given up for this publish.
    off: bool,
}

/// A file being made.
#[derive(Debug)]
struct Open {
    file: File,
    recorder: Box<Recorder>,
    /// Where it begins on the stream's timeline.
    start: Time,
}

impl ChunkRecording {
    pub(crate) fn new(
        stream: &Arc<Stream>,
        session: &Arc<Session>,
        settings: Settings,
        layout: Layout,
        disk: Disk,
    ) -> ChunkRecording {
        ChunkRecording {
            owner: Owner::new(stream, session),
            settings,
            layout,
            disk,
            tracks: None,
            early: Vec::new(),
            open: None,
            wait_key: false,
            off: false,
        }
    }

    /// Records until the publisher leaves, or until it is told to stop.
    pub(crate) async fn run(mut self, mut chunks: Chunks, mut stopping: watch::Receiver<bool>) {
        let stopped = async {
            if stopping.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await; // nobody is left who could tell
            }
        };
        let read = async { while self.take(chunks.next().await) {} };
        tokio::select! {
            () = read => {}
            () = stopped => {}
        }
        self.finish();
    }

    /// False when nothing more is to be recorded.
    pub(crate) fn take(&mut self, item: Item) -> bool {
        match item {
            Item::Tracks(tracks) => self.change(tracks),
            Item::Chunk(chunk) => self.chunk(chunk),
            Item::Jumped { skipped } => {
                tracing::warn!(stream = %self.owner.stream.name(), skipped, "the recording fell behind and lost chunks; is the machine overloaded?");
            }
            Item::Ended => return false,
        }
        !self.off
    }

    /// Finishes what there is.
    pub(crate) fn finish(&mut self) {
        if !self.early.is_empty() {
            self.begin();
        }
        let Some(Open { file, recorder, .. }) = self.open.take() else { return };
        let duration = recorder.duration().duration();
        let last = recorder.finalize();
        file.append(vec![last.tail]);
        file.finish(Tail { patches: vec![(last.patch_at, last.patch)] }, duration);
    }

    /// A file holds one configuration of its tracks.
    fn change(&mut self, tracks: Arc<TrackSet>) {
        if self.tracks.as_ref().is_none_or(|known| known.generation != tracks.generation) {
            self.finish();
            self.tracks = Some(tracks);
        }
    }

    fn chunk(&mut self, chunk: Arc<TrackChunk>) {
        let leads = self.tracks.as_ref().is_some_and(|tracks| tracks.lead() == chunk.track);
        self.wait_key &= !(leads && chunk.independent);
        if self.wait_key || self.off {
            return;
        }
        if self.open.is_some() {
            self.write(&chunk);
        } else {
            // Sound comes before the pictures of its time; where the file begins shows when both are there.
            self.early.push(chunk.clone());
            if leads || self.early.len() >= EARLY_MAX {
                self.begin();
            }
        }
        if leads && self.cuts_behind(&chunk) {
            self.finish();
        }
    }

    /// Whether the next file begins behind this chunk of the leading track.
    fn cuts_behind(&self, chunk: &TrackChunk) -> bool {
        let Some(open) = &self.open else { return false };
        let age = chunk.end() - open.start + ROUNDING;
        let allowed = chunk.before_key || !self.settings.wait_keyframe;
        allowed && age >= self.settings.segment.unwrap_or(FILE_MAX).min(FILE_MAX)
    }

    /// Begins a file with the chunks that waited for it.
    fn begin(&mut self) {
        let early = std::mem::take(&mut self.early);
        let first = |time: fn(&TrackChunk) -> Time| early.iter().map(|chunk| time(chunk)).min();
        let Some(((tracks, start), shown)) =
            self.tracks.as_ref().zip(first(|chunk| chunk.start)).zip(first(|chunk| chunk.chunk.shown))
        else {
            return;
        };
        let zero = if self.settings.jitter == TimeJitter::Off { Time::ZERO } else { shown };
        let note = self.owner.note();
        let recorder = Box::new(Recorder::new(&tracks.numbered(), zero, self.layout, note.as_bytes()));
        let path = name::path(&self.settings.path, self.owner.stream.name(), Utc::now(), self.settings.utc);
        let file = self.disk.open(path, self.owner.clone());
        file.append(vec![recorder.header()]);
        self.open = Some(Open { file, recorder, start });
        early.iter().for_each(|chunk| self.write(chunk));
    }

    fn write(&mut self, chunk: &TrackChunk) {
        let Some(open) = &mut self.open else { return };
        match open.recorder.push(&chunk.chunk) {
            Ok(()) => {
                open.file.append(chunk.chunk.pieces().cloned().collect::<Vec<Bytes>>());
                self.look_after();
            }
            Err(error) => self.go_on_in_another(&error),
        }
    }

    /// The file can hold no more: another can, from a key frame on.
    fn go_on_in_another(&mut self, error: &Mp4Error) {
        tracing::info!(stream = %self.owner.stream.name(), %error, "the recording goes on in another file");
        self.finish();
        self.wait_key = true;
    }

    /// Gives up where the disk does not take it.
    fn look_after(&mut self) {
        let Some(open) = &self.open else { return };
        if open.file.has_failed() {
            self.off = true;
            self.open = None;
        } else if open.file.is_behind() {
            self.owner.stopped(open.file.path(), "the disk is too slow");
            self.off = true;
            self.finish();
        }
    }
}
