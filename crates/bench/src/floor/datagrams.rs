//! The floor of WebRTC: a stream's packets as plain datagrams, each picture to each viewer in one call (GSO).
//!
//! No encryption, no numbers, nothing kept: the least that a packet can cost. Receivers take joined datagrams (GRO)
//! as the viewers do that servers are measured with.

use crate::synthetic::{Shape, Timeline};
use crate::webrtc::link::Room;
use crate::webrtc::packets::Packets;
use headwater_rtp::PacketizeError;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Bytes that SRTP packets have beside their payload: header, extensions, tag.
const AROUND: usize = 12 + 8 + 16;
/// What a receiver says so that its address is known.
const HELLO: &[u8] = b"hello";
/// How many of them at once, and the rest after these: they have to fit the server's buffer.
const HELLOS: usize = 32;
const HELLO_REST: Duration = Duration::from_millis(5);
/// How soon an order to stop is seen when nothing is received, milliseconds.
const STOP_MS: u16 = 100;
/// Readinesses taken at a time.
const EVENTS: usize = 256;

#[derive(Debug, Error)]
pub(crate) enum DatagramError {
    #[error("making the stream's packets: {0}")]
    Packets(#[from] PacketizeError),
    #[error("sending datagrams: {0}")]
    Send(#[from] io::Error),
}

/// The measured half: says its port, waits for `viewers` to say hello, sends until told to stop.
pub(super) fn serve(viewers: usize, shape: Shape, stop: &AtomicBool) -> Result<(), DatagramError> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    writeln!(io::stdout(), "{}", socket.local_addr()?.port())?;
    let mut addresses = Vec::with_capacity(viewers);
    while addresses.len() < viewers {
        addresses.push(socket.recv_from(&mut [0; 16])?.1);
    }
    let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
    let (packets, start) = (Packets::new(shape)?, Instant::now());
    for (due, piece) in Timeline::new(shape) {
        thread::sleep(due.saturating_sub(start.elapsed()));
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let runs = runs(packets.of(piece, Duration::ZERO).map(|payload| payload.len() + AROUND));
        for to in &addresses {
            send(&socket, &state, *to, &runs);
        }
    }
    Ok(())
}

/// Datagrams of one size, and a smaller one behind them, that leave in one call.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    bytes: Vec<u8>,
    size: usize,
}

fn runs(sizes: impl Iterator<Item = usize>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for size in sizes {
        match runs.last_mut().filter(|run| run.bytes.len().is_multiple_of(run.size) && size <= run.size) {
            Some(run) => run.bytes.resize(run.bytes.len() + size, 0),
            None => runs.push(Run { bytes: vec![0; size], size }),
        }
    }
    runs
}

/// What the kernel has no room for is dropped, as a server would.
fn send(socket: &UdpSocket, state: &UdpSocketState, destination: SocketAddr, runs: &[Run]) {
    for run in runs {
        let most = run.size * state.max_gso_segments().min(65_000 / run.size).max(1);
        for contents in run.bytes.chunks(most) {
            let segment_size = (contents.len() > run.size).then_some(run.size);
            let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip: None };
            state.try_send(UdpSockRef::from(socket), &transmit).ok();
        }
    }
}

/// Counts what receivers get; dropping it ends them.
pub(super) struct Counted(Arc<Counters>);

#[derive(Default)]
struct Counters {
    packets: AtomicU64,
    bytes: AtomicU64,
    stop: AtomicBool,
}

impl Counted {
    pub(super) fn now(&self) -> (u64, u64) {
        (self.0.packets.load(Ordering::Relaxed), self.0.bytes.load(Ordering::Relaxed))
    }

    pub(super) fn since(&self, (packets, bytes): (u64, u64)) -> (u64, u64) {
        let now = self.now();
        (now.0 - packets, now.1 - bytes)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

/// Sets up `viewers` receivers that say hello to `server`.
pub(super) fn count(server: SocketAddr, viewers: usize) -> io::Result<Counted> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let mut sockets = Vec::with_capacity(viewers);
    for key in 0..viewers {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, key as u64))?;
        socket.send_to(HELLO, server)?;
        sockets.push((socket, state));
        if sockets.len().is_multiple_of(HELLOS) {
            thread::sleep(HELLO_REST);
        }
    }
    let counters = Arc::<Counters>::default();
    let counted = counters.clone();
    thread::spawn(move || receive(&epoll, &sockets, &counters));
    Ok(Counted(counted))
}

fn receive(epoll: &Epoll, sockets: &[(UdpSocket, UdpSocketState)], counters: &Counters) {
    let (mut ready, mut room) = ([EpollEvent::empty(); EVENTS], Room::default());
    while !counters.stop.load(Ordering::Relaxed) {
        let count = epoll.wait(&mut ready, EpollTimeout::from(STOP_MS)).unwrap_or(0);
        for event in ready.iter().take(count) {
            let Some((socket, state)) = sockets.get(event.data() as usize) else { continue };
            let Ok(filled) = room.fill(state, socket) else { continue };
            for (_, datagram) in room.datagrams(filled) {
                counters.packets.fetch_add(1, Ordering::Relaxed);
                counters.bytes.fetch_add(datagram.len() as u64, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_of_one_size_leave_together() {
        let told: Vec<_> = runs([50, 900, 900, 300, 900].into_iter())
            .iter()
            .map(|run| (run.bytes.len(), run.size))
            .collect();
        assert_eq!(told, [(50, 50), (2100, 900), (900, 900)]);
    }

    #[test]
    fn what_is_sent_is_counted() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let counted = count(socket.local_addr().unwrap(), 2).unwrap();
        let state = UdpSocketState::new(UdpSockRef::from(&socket)).unwrap();
        for _ in 0..2 {
            let (_, to) = socket.recv_from(&mut [0; 16]).unwrap();
            send(&socket, &state, to, &runs([1000, 1000, 200].into_iter()));
        }
        let until = Instant::now() + Duration::from_secs(10);
        while counted.now() != (6, 4400) && Instant::now() < until {
            thread::yield_now();
        }
        assert_eq!(counted.now(), (6, 4400));
    }
}
