//! WebRTC over TCP: packets after their length (RFC 4571), one connection a peer.

use crate::batch::Batch;
use crate::port;
use crate::registry::Route;
use bytes::{BufMut, Bytes, BytesMut};
use headwater_hub::Connection;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

/// Longest packet; SRS's limit as well.
const PACKET_MAX: usize = 1500;

/// Batches that wait for a slow peer. Beyond it batches are dropped, as a network would.
const QUEUE_MAX: usize = 256;

/// From the connection to its first packet.
const FIRST_MAX: Duration = Duration::from_secs(10);

/// How long a peer may take nothing, or bring nothing.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// Sends a session's packets over its connection.
pub(crate) fn send(connection: &mpsc::Sender<Bytes>, batch: &Batch) {
    let room = batch.datagrams().map(|datagram| datagram.len() + 2).sum();
    let mut framed = BytesMut::with_capacity(room);
    for datagram in batch.datagrams() {
        let Ok(length) = u16::try_from(datagram.len()) else { continue };
        framed.put_u16(length);
        framed.put_slice(datagram);
    }
    connection.try_send(framed.freeze()).ok(); // a full queue is a lossy path: the peer asks again for what it needs
}

/// Whether a connection whose first byte this is brings packets rather than HTTP or TLS: it is the high half of the
/// first packet's length.
pub fn is_packet(first: u8) -> bool {
    usize::from(first) << 8 <= PACKET_MAX
}

/// Serves a connection that brings packets after their length (RFC 4571), on the worker that accepted it.
pub async fn serve(connection: Connection) {
    let Connection { io, peer, id, permit, .. } = connection;
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let (reader, writer) = io.into_split();
    let (sender, queue) = mpsc::channel(QUEUE_MAX);
    let route = Route::Tcp { peer, connection: sender };
    let ended = tokio::select! {
        ended = read(reader, route) => ended,
        ended = write(writer, queue) => ended,
    };
    if let Err(reason) = ended {
        tracing::info!(cid = %id, %peer, %reason, "webrtc connection over TCP ended");
    }
    drop(permit);
}

async fn read(mut io: OwnedReadHalf, route: Route) -> std::io::Result<()> {
    let mut room = [0u8; PACKET_MAX];
    let mut patience = FIRST_MAX;
    loop {
        let packet = tokio::time::timeout(patience, read_packet(&mut io, &mut room)).await??;
        patience = IDLE_MAX;
        let Some(port) = port::own() else { return Ok(()) };
        port.borrow_mut().packet(Instant::now(), packet, route.clone());
    }
}

async fn read_packet<'a>(io: &mut OwnedReadHalf, room: &'a mut [u8]) -> std::io::Result<&'a [u8]> {
    let length = usize::from(io.read_u16().await?);
    let packet = room.get_mut(..length).ok_or_else(|| {
        std::io::Error::other(format!("a packet of {length} bytes; at most {PACKET_MAX} are taken"))
    })?;
    io.read_exact(packet).await?;
    Ok(packet)
}

async fn write(mut io: OwnedWriteHalf, mut queue: mpsc::Receiver<Bytes>) -> std::io::Result<()> {
    while let Some(batch) = queue.recv().await {
        tokio::time::timeout(IDLE_MAX, io.write_all(&batch)).await??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_no_text_and_no_tls() {
        let packets = [20u16, 100, 1500].map(|length| length.to_be_bytes()[0]);
        assert!(packets.into_iter().all(is_packet));
        let others = [b'G', b'P', b'D', b'O', b'H', 0x16];
        assert!(!others.into_iter().any(is_packet));
    }
}
