//! The thread that makes recordings survive a power cut, and finishes them.
//!
//! Every [`ROUND`] it goes over the files that were written since and syncs one after the other, so that the disk is
//! never asked more than it can do: where a round takes longer than that, the next begins when it ends, and what a
//! power cut may lose grows with it. Writing goes on meanwhile.

use crate::container::Tail;
use crate::disk::Writing;
use crate::leftovers;
use crate::medium::settle;
use crate::name::unfinished;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// From the beginning of a round to that of the next.
pub(crate) const ROUND: Duration = Duration::from_millis(400);

/// A round that is longer gets a line in the log, at most one an hour.
const ROUND_SLOW: Duration = Duration::from_secs(2);
const SLOW_AGAIN: Duration = Duration::from_secs(3600);

/// What the writing thread asks for.
#[derive(Debug)]
pub(crate) enum Order {
    /// Sync it from time to time as long as it is written.
    Keep(Weak<Writing>),
    /// Complete it.
    Finish { writing: Arc<Writing>, tail: Tail, duration: Duration },
    /// The disk refused it: finish what is there, if the disk lets it.
    Salvage(Arc<Writing>),
    /// Say when everything before is done.
    Drained(oneshot::Sender<()>),
}

/// Works until the writing thread ends.
pub(crate) fn run(orders: Receiver<Order>) {
    let mut kept: Vec<Weak<Writing>> = Vec::new();
    let (mut next, mut slow) = (Instant::now() + ROUND, None);
    loop {
        match orders.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Order::Keep(writing)) => kept.push(writing),
            Ok(Order::Finish { writing, tail, duration }) => finish(&writing, &tail, duration),
            Ok(Order::Salvage(writing)) => salvage(&writing),
            Ok(Order::Drained(done)) => {
                done.send(()).ok(); // nobody waits any more
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let begin = Instant::now();
        if begin >= next {
            next = begin + ROUND;
            round(&mut kept);
            complain(begin.elapsed(), &mut slow);
        }
    }
}

fn round(kept: &mut Vec<Weak<Writing>>) {
    kept.retain(|writing| {
        let Some(writing) = writing.upgrade() else { return false };
        if writing.dirty.swap(false, Ordering::Acquire)
            && let Err(error) = writing.medium.sync()
        {
            writing.failed(&error);
            return false;
        }
        true
    });
}

fn complain(took: Duration, slow: &mut Option<Instant>) {
    if took >= ROUND_SLOW && slow.is_none_or(|at| at.elapsed() >= SLOW_AGAIN) {
        *slow = Some(Instant::now());
        let seconds = took.as_secs_f64();
        tracing::warn!(
            seconds,
            "the disk takes long to make recordings durable: a power cut would lose as much"
        );
    }
}

fn finish(writing: &Writing, tail: &Tail, duration: Duration) {
    match complete(writing, tail) {
        Ok((file, bytes)) => {
            let (stream, session) = (&writing.owner.stream, &writing.owner.session);
            tracing::info!(
                stream = %stream.name(), session = %session.id(), file = %file.display(), bytes,
                seconds = duration.as_secs_f64(), "recorded"
            );
            stream.recorded(session, file, duration, bytes);
        }
        Err(error) => writing.failed(&error),
    }
}

/// Writes the patches, each step durable before the next; gives the file's name and length.
fn complete(writing: &Writing, tail: &Tail) -> io::Result<(PathBuf, u64)> {
    writing.medium.sync()?;
    for (at, bytes) in &tail.patches {
        writing.medium.write_at(bytes, *at)?;
    }
    writing.medium.sync()?;
    Ok((settle(&writing.path)?, writing.length.load(Ordering::Relaxed)))
}

/// Without success the file keeps its `.tmp`, and the next start tries again.
fn salvage(writing: &Writing) {
    match leftovers::finish_own(&unfinished(&writing.path)) {
        Ok(Some(found)) => writing.owner.recorded(found),
        Ok(None) => {}
        Err(error) => {
            tracing::info!(file = %writing.path.display(), %error, "the recording that stopped stays unfinished")
        }
    }
}
