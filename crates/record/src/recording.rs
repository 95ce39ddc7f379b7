//! The task that records one publish in FLV: a reader of the stream's frames.

use crate::container::{FlvFile, Opening};
use crate::disk::{Disk, File};
use crate::name;
use crate::owner::Owner;
use crate::plan::{Settings, Timeline};
use bytes::BytesMut;
use chrono::Utc;
use headwater_flv::metadata::Metadata;
use headwater_hub::{Entry, FrameReader, Read, Session, Stream};
use headwater_media::{Frame, Kind, Time, Track};
use std::sync::Arc;
use tokio::sync::watch;

/// How long after its first frame a stream's second track is waited for.
const SETTLE: Time = Time::from_millis(1000);

/// Frames that wait with it; beyond it the file begins with what there is.
const SETTLE_FRAMES: usize = 512;

/// What is gathered before it goes to the disk: this many bytes…
const GATHER_BYTES: usize = 64 << 10;

/// …or this much time: what a kill may lose.
const GATHER: Time = Time::from_millis(250);

/// Records one publish, from its first frame to its last.
#[derive(Debug)]
pub(crate) struct Recording {
    owner: Owner,
    settings: Settings,
    disk: Disk,
    /// Latest `onMetaData`.
    script: Option<Frame>,
    video: Lane,
    audio: Lane,
    /// Frames that came before it was clear which tracks there are; `None` once it is.
    early: Option<Vec<Frame>>,
    open: Option<Open>,
    /// Whether pictures are left out until a key frame.
    wait_key: bool,
    /// Bytes for the disk.
    out: BytesMut,
    /// Whether recording is given up for this publish.
    off: bool,
}

/// What is known of a track.
#[derive(Debug, Default)]
struct Lane {
    config: Option<Frame>,
    seen: bool,
}

/// A file being made.
#[derive(Debug)]
struct Open {
    file: File,
    flv: FlvFile,
    timeline: Timeline,
    /// The first frame's place on it.
    start: Time,
    /// The newest picture's distance from it.
    pictures: Option<Time>,
    /// What has gone to the disk.
    written: Time,
}

impl Recording {
    pub(crate) fn new(
        stream: &Arc<Stream>,
        session: &Arc<Session>,
        settings: Settings,
        disk: Disk,
    ) -> Recording {
        Recording {
            owner: Owner::new(stream, session),
            wait_key: settings.wait_keyframe,
            settings,
            disk,
            script: None,
            video: Lane::default(),
            audio: Lane::default(),
            early: Some(Vec::new()),
            open: None,
            out: BytesMut::new(),
            off: false,
        }
    }

    /// Records until the publisher leaves, or until it is told to stop.
    pub(crate) async fn run(mut self, frames: FrameReader, mut stopping: watch::Receiver<bool>) {
        let stopped = async {
            if stopping.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await; // nobody is left who could tell
            }
        };
        tokio::select! {
            () = self.read(frames) => {}
            () = stopped => {}
        }
        self.end();
    }

    /// Finishes what there is.
    pub(crate) fn end(mut self) {
        self.settle();
        self.finish();
    }

    async fn read(&mut self, mut frames: FrameReader) {
        while !self.off {
            match frames.next().await {
                Read::Entries(entries) => {
                    for entry in entries {
                        match entry {
                            Entry::Published => {}
                            Entry::Frame(frame) => self.take(frame),
                            Entry::Unpublished => return,
                        }
                    }
                }
                Read::Jumped { skipped } => {
                    let publisher = frames.stream().snapshot().publisher;
                    if publisher.is_none_or(|p| p.id() != self.owner.session.id()) {
                        return; // the rest belongs to another publish
                    }
                    tracing::warn!(stream = %self.owner.stream.name(), skipped, "the recording fell behind and lost frames; is the machine overloaded?");
                    self.wait_key = true;
                }
            }
        }
    }

    pub(crate) fn take(&mut self, frame: Frame) {
        if self.off {
            return;
        }
        match frame.kind {
            Kind::Script => self.script(frame),
            Kind::Config => self.configure(frame),
            Kind::Inter if self.wait_key && frame.track == Track::Video => {}
            _ => self.coded(frame),
        }
    }

    /// A description is kept for the next file; other messages are part of this one.
    fn script(&mut self, frame: Frame) {
        if matches!(Metadata::decode(&frame.payload), Ok(Some(_))) {
            self.script = Some(frame);
        } else {
            self.aside(&frame);
        }
    }

    /// Writes what has no time of its own.
    fn aside(&mut self, frame: &Frame) {
        if let Some(Open { flv, timeline, .. }) = &mut self.open {
            let at = timeline.newest();
            flv.frame(&Frame { dts: at, pts: at, ..frame.clone() }, &mut self.out);
        }
    }

    /// A new configuration is part of the file, and of those after it.
    fn configure(&mut self, frame: Frame) {
        let lane = self.lane(frame.track);
        let same = |known: &Frame| known.payload == frame.payload && known.codec == frame.codec;
        if lane.config.as_ref().is_some_and(same) {
            return;
        }
        lane.seen = true;
        lane.config = Some(frame.clone());
        self.aside(&frame);
    }

    fn coded(&mut self, frame: Frame) {
        self.wait_key &= !frame.is_video_key();
        self.lane(frame.track).seen = true;
        let Some(early) = &mut self.early else { return self.media(&frame) };
        early.push(frame);
        let length = early.last().zip(early.first()).map_or(Time::ZERO, |(last, first)| last.dts - first.dts);
        if (self.video.seen && self.audio.seen) || length >= SETTLE || early.len() >= SETTLE_FRAMES {
            self.settle();
        }
    }

    /// It is clear which tracks there are.
    fn settle(&mut self) {
        let early = self.early.take().unwrap_or_default();
        early.iter().for_each(|frame| self.media(frame));
    }

    fn media(&mut self, frame: &Frame) {
        if let Some(open) = &mut self.open {
            let mut timeline = open.timeline;
            let age = timeline.place(frame).dts - open.start;
            if self.settings.cuts(frame, age, open.pictures) {
                self.finish();
            }
        }
        if self.open.is_none() {
            self.begin(frame);
        }
        self.write(frame);
    }

    /// Begins a file with `frame`.
    fn begin(&mut self, frame: &Frame) {
        let mut timeline = Timeline::new(self.settings.jitter, frame.dts);
        let start = timeline.place(frame).dts;
        let opening = Opening {
            script: self.script.as_ref(),
            configs: [&self.audio.config, &self.video.config].into_iter().flatten().collect(),
            audio: self.audio.seen,
            video: self.video.seen,
            note: self.owner.note(),
        };
        self.out.clear();
        let flv = FlvFile::start(&opening, start, &mut self.out);
        let path = name::path(&self.settings.path, self.owner.stream.name(), Utc::now(), self.settings.utc);
        let file = self.disk.open(path, self.owner.clone());
        self.open = Some(Open { file, flv, timeline, start, pictures: None, written: start });
    }

    fn write(&mut self, frame: &Frame) {
        let Some(open) = &mut self.open else { return };
        let placed = open.timeline.place(frame);
        open.flv.frame(&placed, &mut self.out);
        if frame.track == Track::Video {
            open.pictures = Some(placed.dts - open.start);
        }
        let newest = open.timeline.newest();
        if self.out.len() >= GATHER_BYTES || (newest - open.written >= GATHER && !self.out.is_empty()) {
            open.written = newest;
            open.file.append(vec![self.out.split().freeze()]);
            self.look_after();
        }
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

    fn finish(&mut self) {
        let Some(Open { file, flv, timeline, start, .. }) = self.open.take() else { return };
        file.append(vec![self.out.split().freeze()]);
        file.finish(flv.tail(), (timeline.newest() - start).duration());
    }

    fn lane(&mut self, track: Track) -> &mut Lane {
        if track == Track::Video { &mut self.video } else { &mut self.audio }
    }
}
