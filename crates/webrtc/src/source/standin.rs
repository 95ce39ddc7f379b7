//! Sound for viewers who cannot take the stream's own: converted beside it, one task for each codec that somebody
//! needs, until the publisher leaves.

use super::shifted;
use super::track::Lane;
use crate::packetlog::{Burst, PacketLog};
use crate::splice::Splice;
use headwater_hub::{Entry, FrameReader, Read, SessionId, Stream};
use headwater_media::{Codec, Frame, Kind, Time, Track};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// Makes the stream whose sound is of a codec, as far as it can be converted.
pub(crate) type Convert = Arc<dyn Fn(&Arc<Stream>, Codec) -> Arc<Stream> + Send + Sync>;

/// The stream's own sound: a moment with its place on the stream's timeline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub(crate) codec: Codec,
    pub(crate) pts: Time,
    pub(crate) moment: Instant,
    /// Whose packets it came as.
    pub(crate) publisher: SessionId,
}

/// Where sound comes from and goes to.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) stream: Arc<Stream>,
    pub(super) log: Arc<PacketLog>,
    pub(super) splice: Arc<Mutex<Splice>>,
}

/// All codecs that are made of one stream's sound.
pub(super) struct StandIns {
    place: Place,
    convert: Convert,
    runtime: Handle,
    own: Mutex<Option<Own>>,
    /// Codecs that are being made, a bit each.
    wanted: AtomicU8,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl StandIns {
    /// None yet.
    pub(super) fn new(place: Place, convert: Convert, runtime: Handle) -> StandIns {
        let (own, wanted, tasks) = Default::default();
        StandIns { place, convert, runtime, own, wanted, tasks }
    }

    /// The stream's own sound is here.
    pub(super) fn heard(&self, own: Own) {
        *self.own.lock() = Some(own);
    }

    /// A viewer needs sound of `codec`. Cheap where it is made already.
    pub(super) fn want(self: &Arc<Self>, codec: Codec) {
        let bit = bit(codec);
        if self.wanted.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
            return;
        }
        let frames = (self.convert)(&self.place.stream, codec).frames();
        let task = self.runtime.spawn(make(self.clone(), codec, frames));
        let mut tasks = self.tasks.lock();
        tasks.retain(|task| !task.is_finished());
        tasks.push(task.abort_handle());
    }

    /// Ends all.
    pub(super) fn end(&self) {
        self.tasks.lock().drain(..).for_each(|task| task.abort());
    }

    /// Puts a frame's packets beside the stream's own, unless it is of before `begin`: where the own sound was when
    /// this began. What a conversion begins with is older, and viewers had it or came later.
    fn append(&self, frame: &Frame, lane: &mut Lane, begin: &mut Option<Time>) {
        let Some(own) = self.own.lock().filter(|own| own.codec != frame.codec) else { return };
        let mut splice = self.place.splice.lock();
        if !splice.is_of(own.publisher) || frame.pts < *begin.get_or_insert(own.pts) {
            return;
        }
        if let Some(burst) = lane.burst(frame, shifted(own.moment, frame.pts - own.pts)) {
            let mut burst = Burst { instead_of: Some(own.codec), ..burst };
            if splice.place(own.publisher, &mut burst) {
                self.place.log.push(burst);
            }
        }
    }
}

/// Makes packets of a converted stream's sound until its publisher leaves.
async fn make(stand_ins: Arc<StandIns>, codec: Codec, mut frames: FrameReader) {
    let (mut lane, mut begin) = (Lane::new(codec, 0), None);
    let is_sound = |frame: &Frame| (frame.track, frame.codec) == (Track::Audio, codec);
    'publish: loop {
        let Read::Entries(entries) = frames.next().await else { continue }; // what was skipped is silence
        for entry in entries.iter() {
            match entry {
                Entry::Frame(frame) if is_sound(frame) && frame.kind != Kind::Config => {
                    lane.iter_mut().for_each(|lane| stand_ins.append(frame, lane, &mut begin));
                }
                Entry::Unpublished => break 'publish,
                _ => {}
            }
        }
    }
    stand_ins.wanted.fetch_and(!bit(codec), Ordering::Relaxed); // who still needs it says so
}

fn bit(codec: Codec) -> u8 {
    match codec {
        Codec::G711A => 1,
        Codec::G711U => 2,
        _ => 4,
    }
}
