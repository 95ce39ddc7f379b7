//! Connecting, at a bounded rate.

use crate::target;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// Connections being set up at the same time.
const IN_FLIGHT: usize = 256;

/// Connects to `server`; `index` tells connections apart that need several source addresses.
pub(crate) async fn connect(server: SocketAddr, index: usize) -> io::Result<TcpStream> {
    let socket = if server.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = target::source(server, index) {
        socket.bind(source)?;
    }
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sets up `count` connections by `dial`, `rate` a second, and hands each result to `done`.
pub(crate) async fn all<T, F>(
    count: usize,
    rate: f64,
    mut dial: impl FnMut(usize) -> F,
    mut done: impl FnMut(T),
) where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut clock = interval(Duration::from_secs_f64(1.0 / rate.clamp(0.1, 1e6)));
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut dialling = JoinSet::new();
    for index in 0..count {
        clock.tick().await;
        if dialling.len() >= IN_FLIGHT {
            dialling.join_next().await.into_iter().flatten().for_each(&mut done);
        }
        dialling.spawn(dial(index));
        while let Some(result) = dialling.try_join_next() {
            result.into_iter().for_each(&mut done);
        }
    }
    while let Some(result) = dialling.join_next().await {
        result.into_iter().for_each(&mut done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_result_comes_back() {
        let mut results = Vec::new();
        all(1000, 1e6, |index| async move { index }, |index| results.push(index)).await;
        results.sort_unstable();
        assert!(results.into_iter().eq(0..1000));
    }
}
