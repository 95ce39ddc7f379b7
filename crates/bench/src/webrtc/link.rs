//! One peer's state machine and its UDP socket.
//!
//! str0m asks for one change, then a complete drain, then the next change; [`Link`] is the only code that touches it
//! once a session is agreed on.

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;
use str0m::error::RtcError;
use str0m::net::{Protocol, Receive};
use str0m::{Event, Input, Output, Rtc};

/// Kernel buffers: a newcomer gets seconds of the stream at once. The kernel may grant less (net.core.rmem_max).
const KERNEL_BUFFER: usize = 4 << 20;
/// Room for what one call receives: with GRO the kernel joins up to 64 datagrams.
const RECEIVE_ROOM: usize = 64 << 10;
/// Buffers a receive call fills at most.
const RECEIVE_BATCH: usize = if BATCH_SIZE < 8 { BATCH_SIZE } else { 8 };
/// Receive calls in a row before other peers get their turn.
const ROUNDS: usize = 16;

/// Receive buffers, for all peers of a thread.
pub(crate) struct Room {
    room: Vec<Vec<u8>>,
    metas: [RecvMeta; RECEIVE_BATCH],
}

impl Default for Room {
    fn default() -> Room {
        Room { room: vec![vec![0; RECEIVE_ROOM]; RECEIVE_BATCH], metas: [RecvMeta::default(); RECEIVE_BATCH] }
    }
}

impl Room {
    /// Receives what is there; the number of buffers that were filled.
    pub(crate) fn fill(&mut self, state: &UdpSocketState, socket: &UdpSocket) -> io::Result<usize> {
        let mut buffers = self.room.iter_mut().map(|buffer| IoSliceMut::new(buffer));
        let mut slices: [IoSliceMut<'_>; RECEIVE_BATCH] =
            std::array::from_fn(|_| buffers.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        state.recv(UdpSockRef::from(socket), &mut slices, &mut self.metas)
    }

    /// The datagrams of the first `filled` buffers, with their senders.
    pub(crate) fn datagrams(&self, filled: usize) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.room.iter().zip(&self.metas).take(filled).flat_map(|(buffer, meta)| {
            let bytes = buffer.get(..meta.len).unwrap_or_default();
            bytes.chunks(meta.stride.max(1)).map(|datagram| (meta.addr, datagram))
        })
    }
}

/// What went over one peer's socket, RTP with its headers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wire {
    pub(crate) packets_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) packets_out: u64,
    pub(crate) bytes_out: u64,
    /// Datagrams that the kernel had no room for.
    pub(crate) dropped: u64,
}

/// A peer.
pub(crate) struct Link {
    rtc: Rtc,
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    /// When it wants to be told the time again.
    pub(crate) deadline: Instant,
    pub(crate) wire: Wire,
}

impl Link {
    pub(crate) fn new(rtc: Rtc, socket: UdpSocket) -> io::Result<Link> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // the kernel may grant less; then the loss is seen
        state.set_recv_buffer_size(UdpSockRef::from(&socket), KERNEL_BUFFER).ok();
        let local = socket.local_addr()?;
        Ok(Link { rtc, socket, state, local, deadline: Instant::now(), wire: Wire::default() })
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.rtc.is_alive()
    }

    /// Takes what has arrived; what happened is appended to `events`.
    pub(crate) fn receive(&mut self, room: &mut Room, events: &mut Vec<Event>) -> Result<(), RtcError> {
        for _ in 0..ROUNDS {
            let Ok(filled) = room.fill(&self.state, &self.socket) else { break };
            let now = Instant::now();
            for (from, datagram) in room.datagrams(filled) {
                self.datagram(now, from, datagram, events)?;
            }
        }
        Ok(())
    }

    fn datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        events: &mut Vec<Event>,
    ) -> Result<(), RtcError> {
        if is_rtp(bytes) {
            self.wire.packets_in += 1;
            self.wire.bytes_in += bytes.len() as u64;
        }
        let Ok(packet) = Receive::new(Protocol::Udp, from, self.local, bytes) else { return Ok(()) };
        self.rtc.handle_input(Input::Receive(now, packet))?;
        self.drain(events)
    }

    /// Tells the time.
    pub(crate) fn tick(&mut self, now: Instant, events: &mut Vec<Event>) -> Result<(), RtcError> {
        self.rtc.handle_input(Input::Timeout(now))?;
        self.drain(events)
    }

    /// Makes one change.
    pub(crate) fn change(
        &mut self,
        events: &mut Vec<Event>,
        change: impl FnOnce(&mut Rtc),
    ) -> Result<(), RtcError> {
        change(&mut self.rtc);
        self.drain(events)
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self) {
        // one that is broken cannot say it
        self.change(&mut Vec::new(), |rtc| drop(rtc.close())).ok();
    }

    fn drain(&mut self, events: &mut Vec<Event>) -> Result<(), RtcError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return Ok(());
                }
                Output::Transmit(transmit) => self.send(&transmit.contents, transmit.destination),
                Output::Event(event) => events.push(event),
            }
        }
    }

    /// Each datagram by itself, as they come from publishers over a network.
    fn send(&mut self, bytes: &[u8], to: SocketAddr) {
        if self.socket.send_to(bytes, to).is_err() {
            self.wire.dropped += 1;
        } else if is_rtp(bytes) {
            self.wire.packets_out += 1;
            self.wire.bytes_out += bytes.len() as u64;
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether a datagram is RTP and not RTCP, STUN or DTLS (RFC 7983 7, RFC 5761 4).
fn is_rtp(bytes: &[u8]) -> bool {
    matches!(*bytes, [128..=191, kind, ..] if !(192..=223).contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_media_is_counted() {
        assert!(is_rtp(&[0x80, 96, 0, 1]) && is_rtp(&[0x90, 0x80 | 111, 0, 1]));
        for other in [&[0x80u8, 200, 0, 1][..], &[0, 1, 0, 0], &[22, 0xFE, 0xFF], &[0x80], &[]] {
            assert!(!is_rtp(other), "{other:?}");
        }
    }
}
