use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// A peer that takes nothing for so long is gone, as it is for players on plain sockets.
pub(crate) const STALL_MAX: Duration = Duration::from_secs(30);

/// A connection whose writes fail when the peer takes nothing for 30 s: without it, a peer that asks for much
/// and reads nothing holds its place for ever.
#[derive(Debug)]
pub struct Stall<S> {
    io: S,
    /// Runs while a write waits.
    timer: Pin<Box<Sleep>>,
    waiting: bool,
}

impl<S> Stall<S> {
    /// Begins with a connection that nothing waits to be written to.
    pub fn new(io: S) -> Stall<S> {
        Stall { io, timer: Box::pin(sleep(STALL_MAX)), waiting: false }
    }

    /// Passes on what a write came to; one that waits too long is an error.
    fn judge<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = false;
            return written;
        }
        if !self.waiting {
            self.waiting = true;
            self.timer.as_mut().reset(Instant::now() + STALL_MAX);
        }
        self.timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stall<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.judge(written, cx)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.judge(flushed, cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        self.judge(shut, cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.judge(written, cx)
    }
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_nothing_is_given_up() {
        let (io, mut peer) = tokio::io::duplex(16);
        let begun = Instant::now();
        let mut io = Stall::new(io);
        io.write_all(&[0; 16]).await.unwrap();
        tokio::time::sleep(2 * STALL_MAX).await; // idle time counts for nothing
        let error = io.write_all(&[1; 16]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed(), 3 * STALL_MAX);
        peer.read_exact(&mut [0; 16]).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_peer_stays() {
        let (io, mut peer) = tokio::io::duplex(16);
        let reading = tokio::spawn(async move {
            for _ in 0..10 {
                tokio::time::sleep(STALL_MAX / 2).await;
                peer.read_exact(&mut [0; 16]).await.unwrap();
            }
        });
        Stall::new(io).write_all(&[0; 160]).await.unwrap();
        reading.await.unwrap();
    }
}
