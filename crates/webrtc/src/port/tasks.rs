//! What a worker's share of the port does all the time: receive, obey, keep time, look around.

use super::{Port, TICK_MIN};
use crate::registry::Order;
use crate::socket::{Inbound, Watch};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Receive calls in a row before the worker's other tasks get their turn.
const ROUNDS: usize = 16;

/// Rest after receiving, for each session and at most: see [`crate::channel::rest_of`]. What viewers send may wait
/// longer than what publishers send: the kernel's buffer, even at its usual limit of 416 KiB, holds 35,000 packets a
/// second meanwhile.
const RECEIVE_REST: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(10));
const PUBLISHERS_REST: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(5));

/// How often every session is looked at for silence.
const LOOK: Duration = Duration::from_secs(1);

/// Waits for packets with few sessions, and looks for them from time to time with many: a socket that is watched wakes
/// the worker for each packet.
pub(super) async fn receive(port: Rc<RefCell<Port>>) {
    let mut inbound = Inbound::default();
    let mut watch = None;
    loop {
        let rest = port.borrow().rest_of_receiving();
        if let Some(rest) = rest {
            watch = None;
            tokio::time::sleep(rest).await;
            while !receive_all(&port, &mut inbound) {
                tokio::task::yield_now().await;
            }
        } else if let Err(error) = receive_next(&port, &mut watch, &mut inbound).await {
            tracing::warn!(%error, "waiting for WebRTC's packets failed; trying again");
            watch = None;
            tokio::time::sleep(TICK_MIN).await;
        }
        tokio::task::yield_now().await;
    }
}

/// Takes what is there as soon as something is.
async fn receive_next(
    port: &Rc<RefCell<Port>>,
    watch: &mut Option<Watch>,
    inbound: &mut Inbound,
) -> std::io::Result<()> {
    let watch = match watch {
        Some(watch) => watch,
        none => none.insert(port.borrow().socket.watch()?),
    };
    watch.next(|| receive_all(port, inbound)).await
}

/// Takes what is there, within reason; whether that was all.
fn receive_all(port: &Rc<RefCell<Port>>, inbound: &mut Inbound) -> bool {
    for _ in 0..ROUNDS {
        let received = port.borrow().socket.receive(inbound);
        let Ok(count) = received else { return true };
        let now = Instant::now();
        let mut port = port.borrow_mut();
        for (bytes, route) in inbound.datagrams(count) {
            port.packet(now, bytes, route);
        }
    }
    false
}

pub(super) async fn obey(port: Rc<RefCell<Port>>, mut inbox: mpsc::Receiver<Order>) {
    while let Some(order) = inbox.recv().await {
        port.borrow_mut().order(order);
    }
}

pub(super) async fn keep_time(port: Rc<RefCell<Port>>) {
    let alarm = port.borrow().alarm.clone();
    loop {
        let next = port.borrow().ticks.peek().map(|Reverse((at, _))| *at);
        match next {
            Some(at) => {
                tokio::select! {
                    () = tokio::time::sleep_until(at.into()) => port.borrow_mut().tick(Instant::now()),
                    () = alarm.notified() => {}
                }
            }
            None => alarm.notified().await,
        }
    }
}

pub(super) async fn look(port: Rc<RefCell<Port>>) {
    let mut tick = tokio::time::interval(LOOK);
    loop {
        tick.tick().await;
        port.borrow_mut().sweep(Instant::now());
    }
}

impl Port {
    fn rest_of_receiving(&self) -> Option<Duration> {
        let rest = if self.publishers > 0 { PUBLISHERS_REST } else { RECEIVE_REST };
        self.rest(self.peers.len(), rest)
    }
}
