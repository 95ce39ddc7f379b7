//! A worker's share of the UDP port: batches in, batches out.

use crate::batch::Batch;
use crate::registry::Route;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use tokio::io::Interest;

/// Kernel buffers, each way: half a second of 64 Mb/s. The kernel may grant less (net.core.rmem_max).
const KERNEL_BUFFER: usize = 4 << 20;

/// Room for what one call receives: with GRO the kernel joins up to 64 datagrams of one sender.
const RECEIVE_ROOM: usize = 64 * 1024;

/// Buffers a receive call fills at most.
const RECEIVE_BATCH: usize = if BATCH_SIZE < 8 { BATCH_SIZE } else { 8 };

/// Most bytes of one send call: what an IP packet's length field can tell, less headers.
const SEND_MAX: usize = 65_000;

/// One of several sockets on the same port.
pub(crate) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    v6: bool,
    /// Datagrams that the kernel had no room for.
    pub(crate) dropped: u64,
}

/// See [`Socket::watch`].
pub(crate) struct Watch(tokio::net::UdpSocket);

impl Watch {
    /// Waits until something is there, and has all of it taken; `take` tells whether it did.
    pub(crate) async fn next(&self, take: impl FnOnce() -> bool) -> io::Result<()> {
        self.0.readable().await?;
        let all = || if take() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) };
        self.0.try_io(Interest::READABLE, all).ok(); // no error, but the word that there is no more
        Ok(())
    }
}

/// Receive buffers of a worker.
pub(crate) struct Inbound {
    room: Vec<Vec<u8>>,
    metas: [RecvMeta; RECEIVE_BATCH],
}

impl Default for Inbound {
    fn default() -> Inbound {
        Inbound {
            room: vec![vec![0; RECEIVE_ROOM]; RECEIVE_BATCH],
            metas: [RecvMeta::default(); RECEIVE_BATCH],
        }
    }
}

/// Binds `count` sockets to `port` (any free one when 0), for all addresses of this machine.
///
/// Fails when the port is taken, even by a process that would share it.
pub(crate) fn bind(port: u16, count: usize) -> io::Result<(u16, Vec<UdpSocket>)> {
    let any = |ip: IpAddr, port| SocketAddr::new(ip, port);
    let v6 = any(Ipv6Addr::UNSPECIFIED.into(), port);
    let own = if bind_one(v6, true).is_ok() { v6 } else { any(Ipv4Addr::UNSPECIFIED.into(), port) };
    drop(bind_one(own, false)?);
    let first = bind_one(own, true)?;
    let addr = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..count {
        sockets.push(bind_one(addr, true)?);
    }
    Ok((addr.port(), sockets))
}

fn bind_one(addr: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = RawSocket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_port(shared)?;
    socket.set_recv_buffer_size(KERNEL_BUFFER).ok();
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBufForce, &KERNEL_BUFFER).ok(); // root may
    socket.set_send_buffer_size(KERNEL_BUFFER).ok();
    socket.bind(&addr.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

impl Socket {
    /// Takes a socket that does not block.
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Socket> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let v6 = socket.local_addr()?.is_ipv6();
        Ok(Socket { io: socket, state, v6, dropped: 0 })
    }

    /// Tells when something is there, and wakes the worker for each datagram even while nobody asks.
    pub(crate) fn watch(&self) -> io::Result<Watch> {
        Ok(Watch(tokio::net::UdpSocket::from_std(self.io.try_clone()?)?))
    }

    /// Receives what is there into `inbound`; the number of buffers that were filled.
    pub(crate) fn receive(&self, inbound: &mut Inbound) -> io::Result<usize> {
        let mut room = inbound.room.iter_mut().map(|buffer| IoSliceMut::new(buffer));
        let mut slices: [IoSliceMut<'_>; RECEIVE_BATCH] =
            std::array::from_fn(|_| room.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        self.state.recv(UdpSockRef::from(&self.io), &mut slices, &mut inbound.metas)
    }

    /// Sends a batch to `to`, in order; datagrams of one size in a row leave in one call (GSO).
    ///
    /// What the kernel has no room for is dropped and counted, as the network would.
    pub(crate) fn send(&mut self, batch: &Batch, to: SocketAddr, local: Option<IpAddr>) {
        let destination = SocketAddr::new(self.outward_ip(to.ip()), to.port());
        let src_ip = local.map(|ip| self.outward_ip(ip));
        for (contents, size) in batch.runs(self.state.max_gso_segments().max(1), SEND_MAX) {
            let segment_size = (contents.len() > size).then_some(size);
            let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip };
            if self.state.try_send(UdpSockRef::from(&self.io), &transmit).is_err() {
                self.dropped += contents.len().div_ceil(size.max(1)) as u64;
            }
        }
    }

    /// IPv4 as a socket for both families wants it.
    fn outward_ip(&self, ip: IpAddr) -> IpAddr {
        match ip {
            IpAddr::V4(ip) if self.v6 => ip.to_ipv6_mapped().into(),
            ip => ip,
        }
    }
}

impl Inbound {
    /// The datagrams of the first `count` buffers, with the way they came.
    pub(crate) fn datagrams(&self, count: usize) -> impl Iterator<Item = (&[u8], Route)> {
        self.room.iter().zip(&self.metas).take(count).flat_map(|(room, meta)| {
            let filled = room.get(..meta.len).unwrap_or_default();
            let peer = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
            let route = Route::Udp { peer, local: meta.dst_ip.map(|ip| ip.to_canonical()) };
            filled.chunks(meta.stride.max(1)).map(move |datagram| (datagram, route.clone()))
        })
    }
}
