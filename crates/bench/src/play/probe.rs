//! A player that looks at every frame: latency from publish to play, stalls, timestamps.

use super::player::{PlayError, Player};
use crate::mark;
use crate::summary::Samples;
use headwater_media::{Frame, Time, Track};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// No frame for this long is a stall.
const STALL: Duration = Duration::from_secs(1);

/// What one probe saw while the window was open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) latency: Samples,
    pub(crate) stalls: u64,
    /// Frames whose timestamp went back.
    pub(crate) backwards: u64,
    /// The connection ended.
    pub(crate) closed: bool,
}

/// When the window is open. Frames outside it, such as a cached GOP, tell nothing about latency.
pub(crate) type Open = Arc<AtomicBool>;

/// Watches a stream until `stop` changes.
pub(crate) async fn watch(mut player: Player, open: Open, mut stop: watch::Receiver<()>) -> Seen {
    let mut sight = Sight::new();
    let outcome = tokio::select! {
        _ = stop.changed() => None,
        error = sight.follow(&mut player, &open) => Some(error),
    };
    sight.seen.closed = outcome.is_some();
    sight.seen
}

struct Sight {
    seen: Seen,
    last: Instant,
    newest: [Time; 2],
}

impl Sight {
    fn new() -> Self {
        Sight { seen: Seen::default(), last: Instant::now(), newest: [Time::ZERO; 2] }
    }

    async fn follow(&mut self, player: &mut Player, open: &AtomicBool) -> PlayError {
        loop {
            let frames = match player.read().await {
                Ok(frames) => frames,
                Err(error) => return error,
            };
            let now = mark::now();
            let open = open.load(Ordering::Relaxed);
            frames.iter().for_each(|frame| self.frame(frame, now, open));
        }
    }

    fn frame(&mut self, frame: &Frame, now: Duration, open: bool) {
        let [video, audio] = &mut self.newest;
        let newest = match frame.track {
            Track::Video => video,
            Track::Audio => audio,
            Track::Script => return,
        };
        let backwards = frame.dts < *newest;
        *newest = frame.dts;
        let silence = std::mem::replace(&mut self.last, Instant::now()).elapsed();
        if !open {
            return;
        }
        self.seen.backwards += u64::from(backwards);
        self.seen.stalls += u64::from(silence > STALL);
        if let Some(sent) = mark::decode(&frame.payload) {
            self.seen.latency.add(now.saturating_sub(sent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_media::{Codec, CodecTag, Kind};

    fn picture(dts: i64, sent: Duration) -> Frame {
        let dts = Time::from_millis(dts);
        let payload = mark::encode(sent).to_vec().into();
        let (track, codec, tag, kind) = (Track::Video, Codec::H264, CodecTag::Legacy, Kind::Inter);
        Frame { track, codec, tag, kind, dts, pts: dts, payload }
    }

    #[tokio::test]
    async fn only_an_open_window_is_measured() {
        let mut sight = Sight::new();
        let second = Duration::from_secs(1);
        sight.frame(&picture(40, second), second * 9, false);
        assert!(sight.seen.latency.clone().summary().is_none());
        sight.frame(&picture(80, second), second + Duration::from_millis(3), true);
        sight.frame(&picture(79, second), second + Duration::from_millis(5), true);
        let latency = sight.seen.latency.clone().summary().unwrap();
        assert_eq!((latency.count, latency.p50_ms, latency.max_ms), (2, 3.0, 5.0));
        assert_eq!(sight.seen.backwards, 1);
    }
}
