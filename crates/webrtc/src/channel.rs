//! A stream's packets on their way to one worker's viewers.

use crate::WebRtc;
use crate::meter::Rates;
use crate::packetlog::{Burst, PacketReader};
use crate::port::Port;
use crate::source::Source;
use headwater_hub::Stream;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{JoinHandle, spawn_local};

/// How often a stream's rates are looked up.
const RATES: Duration = Duration::from_millis(500);

/// Rest after frames went to viewers, for each of them and at most: see [`rest_of`].
const FAN_OUT_REST: (Duration, Duration) = (Duration::from_micros(250), Duration::from_millis(20));

/// So many sessions are served without a rest: nothing waits.
const FEW: usize = 20;

/// The rest after work for so many sessions: so long for each beyond a few, at most so long. What comes meanwhile is done
/// together, so that each is looked at once for all of it.
pub(crate) fn rest_of(sessions: usize, (each, most): (Duration, Duration)) -> Option<Duration> {
    let many = u32::try_from(sessions.saturating_sub(FEW)).unwrap_or(u32::MAX);
    let rest = each.saturating_mul(many).min(most);
    (rest >= Duration::from_millis(1)).then_some(rest)
}

/// A stream's packets on their way to one worker's viewers.
pub(crate) struct Channel {
    /// Keys of the viewers' sessions.
    pub(crate) viewers: Vec<usize>,
    source: Arc<Source>,
    reader: Rc<RefCell<PacketReader>>,
    /// What the stream takes, and when that was looked up.
    rates: Rc<Rates>,
    rated: Option<Instant>,
    task: JoinHandle<()>,
}

impl Channel {
    /// Begins to read `stream` for the worker of `port`.
    pub(crate) fn open(gateway: &Arc<WebRtc>, stream: &Arc<Stream>, port: Weak<RefCell<Port>>) -> Channel {
        let source = gateway.source(stream);
        let reader = Rc::new(RefCell::new(source.log.reader()));
        let task = spawn_local(carry(reader.clone(), stream.clone(), port));
        Channel { viewers: Vec::new(), source, reader, rates: Rc::default(), rated: None, task }
    }

    /// Where a newcomer to a layer begins.
    pub(crate) fn begin(&self, layer: u8) -> u64 {
        self.reader.borrow().begin(layer)
    }

    /// Whether a newcomer to a layer gets a picture at once.
    pub(crate) fn has_key(&self, layer: u8) -> bool {
        self.reader.borrow().has_key(layer)
    }

    /// What the stream takes.
    pub(crate) fn rates(&mut self, now: Instant) -> Rc<Rates> {
        if self.rated.is_none_or(|rated| now.saturating_duration_since(rated) >= RATES) {
            self.rates = Rc::new(self.source.log.rates());
            self.rated = Some(now);
        }
        self.rates.clone()
    }

    /// Frames from a position on; see [`PacketReader::read`].
    pub(crate) fn read(&self, from: u64, most: usize, out: &mut Vec<Arc<Burst>>) -> u64 {
        self.reader.borrow().read(from, most, out)
    }

    /// Where its packets are made.
    pub(crate) fn source(&self) -> Arc<Source> {
        self.source.clone()
    }

    /// Asks the publisher for a key frame of a layer, if it is one that can be asked.
    pub(crate) fn want_key_frame(&self, layer: u8) {
        self.source.want_key_frame(layer);
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(reader: Rc<RefCell<PacketReader>>, stream: Arc<Stream>, port: Weak<RefCell<Port>>) {
    let mut bursts = Vec::new();
    loop {
        let from = std::future::poll_fn(|cx| reader.borrow_mut().poll_next(cx, &mut bursts)).await;
        let Some(port) = port.upgrade() else { return };
        let viewers = port.borrow_mut().fan_out(stream.name(), Instant::now(), from, &bursts);
        let rest = port.borrow().rest(viewers, FAN_OUT_REST);
        drop(port);
        bursts.clear();
        if let Some(rest) = rest {
            tokio::time::sleep(rest).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_do_not_wait_and_many_not_for_long() {
        let rest = |sessions| rest_of(sessions, FAN_OUT_REST);
        assert_eq!(
            [rest(0), rest(23), rest(60), rest(1_000_000)].map(|rest| rest.map(|rest| rest.as_millis())),
            [None, None, Some(10), Some(20)]
        );
    }
}
