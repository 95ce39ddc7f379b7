//! The sending half of the floor: one thread, one `send` for each connection and batch.

use std::io::{self, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How soon a full socket is tried again within a batch.
const RETRY: Duration = Duration::from_millis(5);

/// Sends to `players` connections until told to stop.
pub(super) fn send(
    listener: &TcpListener,
    players: usize,
    bitrate: u64,
    interval: Duration,
    stop: &AtomicBool,
) -> io::Result<()> {
    send_all(accept(listener, players)?, bitrate, interval, stop)
}

fn accept(listener: &TcpListener, players: usize) -> io::Result<Vec<Connection>> {
    let accepted = listener.incoming().take(players);
    accepted
        .map(|stream| {
            let stream = stream?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            Ok(Connection { stream, sent: 0 })
        })
        .collect()
}

struct Connection {
    stream: TcpStream,
    /// Bytes sent since the start.
    sent: u64,
}

fn send_all(
    mut connections: Vec<Connection>,
    bitrate: u64,
    interval: Duration,
    stop: &AtomicBool,
) -> io::Result<()> {
    let bytes_for = |time: Duration| (bitrate as f64 / 8.0 * time.as_secs_f64()) as u64;
    // one second is kept for a connection that falls behind; what is older is not made up
    let batch = vec![0u8; bytes_for(Duration::from_secs(1).max(interval)) as usize];
    let start = Instant::now();
    for round in 1u32.. {
        let due = interval * round;
        thread::sleep(due.saturating_sub(start.elapsed()));
        let total = bytes_for(due);
        let mut behind = send_round(&mut connections.iter_mut().collect::<Vec<_>>(), total, &batch)?;
        while behind > 0 && start.elapsed() + RETRY < due + interval {
            thread::sleep(RETRY);
            let mut waiting: Vec<_> = connections.iter_mut().filter(|c| c.sent < total).collect();
            behind = send_round(&mut waiting, total, &batch)?;
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(())
}

/// One `send` for each connection; says how many could not take all.
fn send_round(connections: &mut [&mut Connection], total: u64, batch: &[u8]) -> io::Result<usize> {
    let mut behind = 0;
    for connection in connections {
        connection.sent = connection.sent.max(total.saturating_sub(batch.len() as u64));
        let due = batch.get(..(total - connection.sent) as usize).unwrap_or(batch);
        match connection.stream.write(due) {
            Ok(sent) => connection.sent += sent as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        behind += usize::from(connection.sent < total);
    }
    Ok(behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::sync::Arc;

    #[test]
    fn every_connection_gets_every_byte_in_batches() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut players: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        let connections = accept(&listener, 3).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let sending = {
            let stop = stop.clone();
            thread::spawn(move || send_all(connections, 800_000, Duration::from_millis(10), &stop))
        };
        let mut five_batches = [1; 5000]; // 100,000 bytes a second are 1,000 every 10 ms
        for player in &mut players {
            player.read_exact(&mut five_batches).unwrap();
            assert_eq!(five_batches, [0; 5000]);
        }
        stop.store(true, Ordering::Relaxed);
        sending.join().unwrap().unwrap();
    }
}
