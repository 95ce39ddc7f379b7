//! The streams of an HTTP/2 connection, watched so that one that its peer does not read costs nothing for long.
//!
//! The connection's socket may flow while one stream's window is closed: then nobody polls that stream's body, and
//! what it holds (a place in a live stream, a segment) would be held for ever. Each stream's task therefore shares a
//! note with its body: since when the last bytes given out wait for somebody to ask for more.

use crate::stall::STALL_MAX;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::rt::Executor;
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::time::{Instant, sleep_until};

/// Most bytes given out at once: what lies in the connection's buffer is polled for no more.
const PIECE_MAX: usize = 16 << 10;

tokio::task_local! {
    static NOTE: Note;
}

/// Since when a stream's peer takes nothing; `None` while it takes all there is.
#[derive(Clone, Debug, Default)]
struct Note(Arc<Mutex<Option<Instant>>>);

/// Runs the streams of one connection, and counts them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    open: AtomicUsize,
    begun: AtomicU64,
}

impl Streams {
    /// Streams under way.
    pub(crate) fn open(&self) -> usize {
        self.counts.open.load(Ordering::Relaxed)
    }

    /// Streams so far.
    pub(crate) fn begun(&self) -> u64 {
        self.counts.begun.load(Ordering::Relaxed)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.counts.open.fetch_add(1, Ordering::Relaxed);
        self.counts.begun.fetch_add(1, Ordering::Relaxed);
        let open = Open(self.counts.clone());
        let note = Note::default();
        tokio::spawn(async move {
            tokio::select! {
                () = NOTE.scope(note.clone(), stream) => {}
                () = note.stalled() => tracing::debug!("a stream was reset: its peer took nothing for {STALL_MAX:?}"),
            }
            drop(open);
        });
    }
}

/// Counts a stream out however it ends.
struct Open(Arc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Note {
    /// Ends when the peer has taken nothing for too long.
    async fn stalled(&self) {
        let mut timer = Box::pin(sleep_until(Instant::now() + STALL_MAX));
        loop {
            timer.as_mut().await;
            let now = Instant::now();
            let due = self.0.lock().map_or(now, |since| since) + STALL_MAX;
            if due <= now {
                return;
            }
            timer.as_mut().reset(due);
        }
    }
}

/// The body of an answer on a watched stream.
pub(crate) fn watched(body: Body) -> Watched {
    Watched { body, rest: Bytes::new(), note: NOTE.try_with(Note::clone).unwrap_or_default() }
}

/// Gives out a body in small pieces, and notes when each was.
#[derive(Debug)]
pub(crate) struct Watched {
    body: Body,
    /// What the body gave out and was not given out yet.
    rest: Bytes,
    note: Note,
}

impl Watched {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return other,
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE_MAX));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let next = self.poll_next(cx);
        *self.note.0.lock() = next.is_ready().then(Instant::now);
        next
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::time::Duration;

    /// Puts a stream's future under watch and says whether it was ended from outside.
    async fn run(stream: impl Future<Output = ()> + Send + 'static) -> bool {
        let (done, ended) = tokio::sync::oneshot::channel();
        Streams::default().execute(async move {
            stream.await;
            done.send(()).ok();
        });
        ended.await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_nobody_reads_is_ended() {
        let begun = Instant::now();
        let stalled = run(async {
            let mut body = watched(Body::from(vec![0; PIECE_MAX + 1]));
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), PIECE_MAX);
            std::future::pending().await // the window is closed: the body is polled no more
        });
        assert!(stalled.await);
        assert_eq!(begun.elapsed(), STALL_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_for_media_or_reads_slowly_stays() {
        let stalled = run(async {
            let mut waiting = watched(Body::new(Never));
            assert!(tokio::time::timeout(5 * STALL_MAX, waiting.frame()).await.is_err());
            let mut slow = watched(Body::from(vec![0; 4 * PIECE_MAX]));
            while slow.frame().await.is_some() {
                tokio::time::sleep(STALL_MAX - Duration::from_secs(1)).await;
            }
        });
        assert!(!stalled.await);
    }

    #[tokio::test]
    async fn the_bytes_and_the_length_stay_the_same() {
        let bytes: Vec<u8> = (0..3 * PIECE_MAX + 5).map(|at| at as u8).collect();
        let body = watched(Body::from(bytes.clone()));
        assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
        assert_eq!(body.collect().await.unwrap().to_bytes(), bytes);
    }

    /// Media that do not come.
    struct Never;

    impl http_body::Body for Never {
        type Data = Bytes;
        type Error = axum::Error;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            Poll::Pending
        }
    }
}
