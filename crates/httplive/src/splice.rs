//! Writes to plain sockets. Bytes in pages of their own ([`headwater_web::paged`]) are lent to the kernel, not copied.
//!
//! Pages reach a socket through a pipe: vmsplice(2) puts them into it, splice(2) takes them out. Each worker has one
//! pipe, and it is empty between two writes.

use headwater_web::{PAGED_MIN, is_paged};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SpliceFFlags, fcntl, splice, vmsplice};
use nix::sys::socket::{MsgFlags, send};
use std::cell::Cell;
use std::io::{self, IoSlice, PipeReader, PipeWriter};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;

/// Fewer bytes are copied: that costs less than two calls.
const LEND_MIN: usize = PAGED_MIN / 2;

/// What a pipe holds, in bytes; where the system allows less, it is 64 KiB.
const PIPE_SIZE: i32 = 1 << 20;

thread_local! {
    /// This worker's pipe, while nobody writes.
    static PIPE: Cell<Option<Pipe>> = const { Cell::new(None) };
}

struct Pipe {
    out: PipeReader,
    into: PipeWriter,
}

/// Writes what it can of `bufs`, as [`AsyncWrite::poll_write_vectored`] does.
pub(crate) fn poll_write(
    io: &mut TcpStream,
    cx: &mut Context<'_>,
    bufs: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let lent = bufs.iter().position(|buf| buf.len() >= LEND_MIN && is_paged(buf));
    match (lent, bufs.first()) {
        (Some(0), Some(pages)) => poll_try(io, cx, || Pipe::lend(io, pages)),
        (Some(_), Some(before)) => poll_try(io, cx, || send_before(io, before)),
        _ => Pin::new(io).poll_write_vectored(cx, bufs),
    }
}

/// Sends what stands before pages, telling the kernel that more follows, so that both share packets.
fn send_before(io: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let more = MsgFlags::from_bits_retain(nix::libc::MSG_MORE);
    Ok(send(io.as_raw_fd(), bytes, more | MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)?)
}

/// Tries when the socket takes something, until it does or would block.
fn poll_try(
    io: &TcpStream,
    cx: &mut Context<'_>,
    write: impl Fn() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(io.poll_write_ready(cx))?;
        match io.try_io(Interest::WRITABLE, &write) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            result => return Poll::Ready(result),
        }
    }
}

impl Pipe {
    fn new() -> io::Result<Pipe> {
        let (out, into) = io::pipe()?;
        fcntl(&into, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE)).ok(); // a small one only takes more turns
        Ok(Pipe { out, into })
    }

    /// Lends the socket as many of these bytes as it and a pipe take.
    fn lend(io: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let pipe = PIPE.take().map_or_else(Pipe::new, Ok)?;
        let queued = vmsplice(&pipe.into, &[IoSlice::new(bytes)], SpliceFFlags::SPLICE_F_NONBLOCK)?;
        let mut sent = 0;
        while sent < queued {
            let flags = SpliceFFlags::SPLICE_F_NONBLOCK;
            match splice(&pipe.out, None, io, None, queued - sent, flags) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => sent += n,
                Err(Errno::EINTR) => {}
                // What the socket does not take is let go with the pipe.
                Err(error) if sent == 0 => return Err(error.into()),
                Err(_) => return Ok(sent), // the next write meets it again, if it lasts
            }
        }
        PIPE.set(Some(pipe));
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use headwater_web::{PAGED_MIN, paged};
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    fn segment(len: usize) -> Bytes {
        paged(&(0..len).map(|at| (at % 251) as u8).collect::<Vec<_>>())
    }

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (connected, accepted) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (connected.unwrap(), accepted.unwrap().0)
    }

    /// Writes all pieces as hyper does: what is left of them, again and again.
    async fn write(io: &mut TcpStream, mut pieces: Vec<Bytes>) -> io::Result<()> {
        while !pieces.is_empty() {
            let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            let mut written = poll_fn(|cx| poll_write(io, cx, &slices)).await?;
            assert!(written > 0);
            pieces.retain_mut(|piece| {
                let n = written.min(piece.len());
                written -= n;
                *piece = piece.slice(n..);
                !piece.is_empty()
            });
        }
        Ok(())
    }

    #[tokio::test]
    async fn bytes_come_whole_and_in_order_however_slowly_they_are_read() {
        let (mut io, mut peer) = pair().await;
        let (one, two) = (segment(9 << 20), segment(PAGED_MIN));
        let mut pieces = vec![Bytes::from_static(b"head"), Bytes::from_static(b"more"), one.clone()];
        pieces.extend([Bytes::from_static(b"head"), two.slice(1..), one.slice(77..100_077), two.slice(3..4)]);
        let whole = pieces.concat();
        let writing = tokio::spawn(async move { write(&mut io, pieces).await });
        let mut read = vec![0; 4096];
        peer.read_exact(&mut read).await.unwrap();
        while !writing.is_finished() && read.len() < whole.len() {
            peer.read_buf(&mut read).await.unwrap();
            tokio::task::yield_now().await;
        }
        writing.await.unwrap().unwrap();
        peer.read_to_end(&mut read).await.unwrap();
        assert!(read == whole);
    }

    #[tokio::test]
    async fn a_peer_that_leaves_is_an_error() {
        let (mut io, peer) = pair().await;
        let writing = tokio::spawn(async move { write(&mut io, vec![segment(64 << 20)]).await });
        drop(peer);
        assert!(writing.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_waited_for() {
        let (mut io, _peer) = pair().await;
        let one = segment(64 << 20);
        let full = poll_fn(|cx| {
            loop {
                match poll_write(&mut io, cx, &[IoSlice::new(&one)]) {
                    Poll::Ready(written) => assert!(written.unwrap() > 0),
                    Poll::Pending => return Poll::Ready(true),
                }
            }
        });
        assert!(full.await);
    }
}
