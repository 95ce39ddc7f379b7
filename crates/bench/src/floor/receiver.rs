//! The receiving half of the floor for publishers: one thread, epoll, one `recv` for each readiness.

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io::{self, ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

/// Readinesses taken at a time.
const EVENTS: usize = 256;
/// Bytes taken at a time, as servers do.
const READ: usize = 64 << 10;
/// How soon an order to stop is seen when nothing is received, milliseconds.
const STOP_MS: u16 = 100;

/// Receives from `publishers` connections until told to stop or all have left; says how many bytes came.
pub(super) fn receive(listener: &TcpListener, publishers: usize, stop: &AtomicBool) -> io::Result<u64> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let mut streams = accept(listener, publishers, &epoll)?;
    let (mut events, mut buffer) = ([EpollEvent::empty(); EVENTS], vec![0; READ]);
    let (mut bytes, mut open) = (0, streams.len());
    while open > 0 && !stop.load(Ordering::Relaxed) {
        let ready = epoll.wait(&mut events, EpollTimeout::from(STOP_MS))?;
        for event in events.iter().take(ready) {
            let Some(stream) = streams.get_mut(event.data() as usize) else { continue };
            match stream.read(&mut buffer) {
                Ok(n) if n > 0 => bytes += n as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => {
                    epoll.delete(stream)?;
                    open -= 1;
                }
            }
        }
    }
    Ok(bytes)
}

fn accept(listener: &TcpListener, publishers: usize, epoll: &Epoll) -> io::Result<Vec<TcpStream>> {
    let accepted = listener.incoming().take(publishers).enumerate();
    accepted
        .map(|(index, stream)| {
            let stream = stream?;
            stream.set_nonblocking(true)?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
            Ok(stream)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::thread;

    #[test]
    fn everything_is_received_until_the_last_publisher_has_left() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let publishers: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        let receiving = thread::spawn(move || receive(&listener, 3, &AtomicBool::new(false)));
        for mut publisher in publishers {
            publisher.write_all(&[1; 50_000]).unwrap();
        }
        assert_eq!(receiving.join().unwrap().unwrap(), 150_000);
    }
}
