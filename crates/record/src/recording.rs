//! The task that records one publish.

use crate::container::{Container, FlvFile, Opening};
use crate::disk::{Disk, File};
use crate::name::{self, Layout};
use crate::owner::Owner;
use crate::plan::{Settings, Timeline};
use bytes::BytesMut;
use chrono::Utc;
use headwater_flv::metadata::Metadata;
use headwater_hub::{Entry, FrameReader, Read, Session, Stream};
use headwater_media::{Frame, Kind, Time, Track};
use headwater_mp4::TrackSpec;
use std::sync::Arc;
use tokio::sync::watch;

/// How long after its first frame a stream's second track is waited for.
const SETTLE: Time = Time::from_millis(1000);

/// Frames that wait with it; beyond it the file begins with what there is.
const SETTLE_FRAMES: usize = 512;

/// What is gathered before it goes to the disk: this many bytes…
const GATHER_BYTES: usize = 64 << 10;

/// …or this much time: what a kill may lose of an FLV file.
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
    /// Its place in an MP4; `None` also when it has none.
    spec: Option<TrackSpec>,
    seen: bool,
}

/// A file being made.
#[derive(Debug)]
struct Open {
    file: File,
    container: Container,
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
        if let Some(Open { container: Container::Flv(file), timeline, .. }) = &mut self.open {
            let at = timeline.newest();
            file.frame(&Frame { dts: at, pts: at, ..frame.clone() }, &mut self.out);
        }
    }

    /// FLV takes a new configuration in its midst, an MP4 ends with its configuration.
    fn configure(&mut self, frame: Frame) {
        let lane = self.lane(frame.track);
        if lane
            .config
            .as_ref()
            .is_some_and(|known| known.payload == frame.payload && known.codec == frame.codec)
        {
            return;
        }
        lane.config = Some(frame.clone());
        self.describe(&frame);
        match self.settings.layout {
            Layout::Flv => self.aside(&frame),
            Layout::Mp4(_) => self.go_on_in_another(),
        }
    }

    fn describe(&mut self, frame: &Frame) {
        let mp4 = self.settings.layout != Layout::Flv;
        let stream = self.owner.stream.clone();
        let lane = self.lane(frame.track);
        lane.seen = true;
        if !mp4 {
            return;
        }
        lane.spec = match TrackSpec::from_frame(frame) {
            Ok(spec) => Some(spec),
            Err(error) => {
                tracing::warn!(stream = %stream.name(), %error, "the recording is without a track");
                None
            }
        };
    }

    fn coded(&mut self, frame: Frame) {
        self.wait_key &= !frame.is_video_key();
        let lane = self.lane(frame.track);
        let first = !lane.seen;
        if first {
            let late = self.early.is_none() && !frame.codec.needs_config();
            self.describe(&frame);
            if late && self.settings.layout != Layout::Flv {
                self.go_on_in_another(); // which has the new track
            }
        }
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
        if self.open.is_none() && !self.begin(frame) {
            return;
        }
        if !self.write(frame) {
            // The file cannot hold it: another can, from its next key frame on.
            self.go_on_in_another();
        }
    }

    /// Ends the file at hand; the next begins with a key frame.
    fn go_on_in_another(&mut self) {
        if self.open.is_some() {
            self.finish();
            self.wait_key |= self.video.seen;
        }
    }

    /// Begins a file with `frame`. False when there is nothing that it could hold.
    fn begin(&mut self, frame: &Frame) -> bool {
        let tracks: Vec<TrackSpec> =
            [&self.video.spec, &self.audio.spec].into_iter().flatten().cloned().collect();
        if self.settings.layout != Layout::Flv && tracks.is_empty() {
            return false;
        }
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
        let container = match self.settings.layout {
            Layout::Flv => Container::Flv(FlvFile::start(&opening, start, &mut self.out)),
            Layout::Mp4(layout) => Container::mp4(&tracks, layout, &opening.note, &mut self.out),
        };
        let path = name::path(&self.settings.path, self.owner.stream.name(), Utc::now(), self.settings.utc);
        let file = self.disk.open(path, self.owner.clone());
        self.open = Some(Open { file, container, timeline, start, pictures: None, written: start });
        true
    }

    /// Adds `frame` to the file. False when it must go into another.
    fn write(&mut self, frame: &Frame) -> bool {
        let Some(open) = &mut self.open else { return true };
        let placed = open.timeline.place(frame);
        if let Err(error) = open.container.frame(&placed, &mut self.out) {
            tracing::info!(stream = %self.owner.stream.name(), %error, "the recording goes on in another file");
            return false;
        }
        if frame.track == Track::Video {
            open.pictures = Some(placed.dts - open.start);
        }
        let newest = open.timeline.newest();
        if self.out.len() >= GATHER_BYTES || (newest - open.written >= GATHER && !self.out.is_empty()) {
            open.written = newest;
            open.file.append(self.out.split().freeze());
            self.look_after();
        }
        true
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
        let Some(Open { file, container, timeline, start, .. }) = self.open.take() else { return };
        match container.finish(&mut self.out) {
            Ok(tail) => {
                file.append(self.out.split().freeze());
                file.finish(tail, (timeline.newest() - start).duration());
            }
            Err(error) => {
                tracing::error!(stream = %self.owner.stream.name(), %error, "the recording cannot be finished; its .tmp file plays");
            }
        }
        self.out.clear();
    }

    fn lane(&mut self, track: Track) -> &mut Lane {
        if track == Track::Video { &mut self.video } else { &mut self.audio }
    }
}
