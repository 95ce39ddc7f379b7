//! Received bytes thrown away in the kernel.
//!
//! With `MSG_TRUNC` a TCP receive frees what is queued without copying it out (tcp(7), since Linux 2.4), so a
//! player costs the generator one system call a visit and no memory traffic.

use socket2::SockRef;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

/// Most bytes one call discards. The kernel never writes them, so this memory is never touched.
const MAX_DISCARD: usize = 256 << 10;

/// Throws away received bytes of any number of non-blocking sockets.
pub(crate) struct Discard {
    untouched: Box<[MaybeUninit<u8>]>,
}

impl Discard {
    pub(crate) fn new() -> Self {
        Discard { untouched: Box::new_uninit_slice(MAX_DISCARD) }
    }

    /// Throws away what `stream` has received and says how much that was; `Ok(0)` when the peer has closed and
    /// `WouldBlock` when there was nothing.
    pub(crate) fn receive(&mut self, stream: &impl AsFd) -> io::Result<usize> {
        SockRef::from(stream).recv_with_flags(&mut self.untouched, libc::MSG_TRUNC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn bytes_are_counted_and_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut receiver, _) = listener.accept().unwrap();
        let mut discard = Discard::new();

        sender.write_all(&[7; 100_000]).unwrap();
        let mut seen = 0;
        while seen < 100_000 {
            seen += discard.receive(&receiver).unwrap();
        }
        assert_eq!(seen, 100_000);

        sender.write_all(b"next").unwrap();
        let mut next = [0; 4];
        receiver.read_exact(&mut next).unwrap();
        assert_eq!(&next, b"next");

        receiver.set_nonblocking(true).unwrap();
        assert_eq!(discard.receive(&receiver).unwrap_err().kind(), ErrorKind::WouldBlock);

        drop(sender);
        receiver.set_nonblocking(false).unwrap();
        assert_eq!(discard.receive(&receiver).unwrap(), 0);
    }
}
