//! `headwater bench publish` by WHIP.

use super::call::{Call, CallError, call};
use super::cost::{PacketCost, Spent};
use super::crowd::{Crowd, Seen};
use super::packets::Packets;
use super::sender::{Publisher, Told};
use crate::process::ProcessError;
use crate::publish::Args;
use crate::report::{self, Failures};
use crate::synthetic::Shape;
use crate::target::{Target, TargetError};
use crate::{dial, open_files};
use headwater_rtp::PacketizeError;
use serde::Serialize;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use str0m::media::Direction;
use thiserror::Error;
use tokio::time::{Instant, sleep};

/// A publisher whose ICE and DTLS are not through by then has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How often it is looked whether all are connected.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Error)]
pub(crate) enum SendError {
    #[error("{0} has no {{}}, so every publisher but the first would be refused")]
    NoNumber(String),
    #[error(transparent)]
    OpenFiles(#[from] open_files::OpenFilesError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("starting the publishers: {0}")]
    Start(#[from] io::Error),
    #[error("making the stream's packets: {0}")]
    Packets(#[from] PacketizeError),
    #[error("publishing {url}: {source}")]
    Call { url: String, source: CallError },
    #[error("publishing {url}: ICE or DTLS did not finish within {} s", CONNECT_TIMEOUT.as_secs())]
    Late { url: String },
}

/// What the publishers did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sent {
    pub(crate) asked: usize,
    pub(crate) failures: Failures,
    /// Publishers whose session is up.
    pub(crate) open: usize,
    /// Publishers whose session ended.
    pub(crate) closed: usize,
    pub(crate) seconds: f64,
    /// RTP packets of the window, resent ones too.
    pub(crate) packets: u64,
    /// Bytes of these, RTP headers and SRTP tags included.
    pub(crate) bytes: u64,
    pub(crate) packets_per_second: f64,
    /// Pieces that left more than 100 ms after they were due: the generator was too slow.
    pub(crate) late: u64,
    /// Requests for lost packets.
    pub(crate) nacks: u64,
    /// Datagrams that the kernel had no room for.
    pub(crate) dropped: u64,
    /// What the server spent.
    pub(crate) cost: Option<PacketCost>,
    /// What this program spent.
    pub(crate) own: Option<PacketCost>,
}

pub(crate) async fn run(args: &Args) -> Result<Sent, SendError> {
    if args.publishers > 1 && args.url.numbered(1) == args.url {
        return Err(SendError::NoNumber(args.url.url()));
    }
    open_files::allow(args.publishers as u64)?;
    let server = args.url.resolve(args.remote.allow_remote)?;
    let mut spent = Spent::before(args.pid)?;
    let crowd = Crowd::start()?;
    let failures = connect(args, server, &crowd).await?;
    sleep(args.window.warm_up()).await;
    let before = crowd.seen();
    spent.begin()?;
    let start = Instant::now();
    sleep(args.window.length()).await;
    let after = crowd.seen();
    let seconds = start.elapsed().as_secs_f64();
    let sum = |of: fn(&Seen<Told>) -> u64| {
        let total = |seen: &[Seen<Told>]| seen.iter().map(of).sum::<u64>();
        total(&after) - total(&before)
    };
    let (packets, bytes) = (sum(|seen| seen.wire.packets_out), sum(|seen| seen.wire.bytes_out));
    let (cost, own) = spent.end(packets, bytes, after.len())?;
    Ok(Sent {
        asked: args.publishers,
        failures,
        open: after.iter().filter(|seen| seen.role.connected && !seen.closed).count(),
        closed: after.iter().filter(|seen| seen.closed).count(),
        seconds,
        packets,
        bytes,
        packets_per_second: packets as f64 / seconds,
        late: sum(|seen| seen.role.late),
        nacks: sum(|seen| seen.role.nacks),
        dropped: sum(|seen| seen.wire.dropped),
        cost,
        own,
    })
}

/// Connects all publishers.
async fn connect(args: &Args, server: SocketAddr, crowd: &Crowd<Publisher>) -> Result<Failures, SendError> {
    let mut failures = Failures::default();
    let shape = args.stream.shape().with_opus();
    let packets = Arc::new(Packets::new(shape)?);
    let dial = |index| call(args.url.numbered(index), server, index, Direction::SendOnly);
    let done = |called: Result<Call, CallError>| match called {
        Ok(call) => add(crowd, call, shape, &packets).unwrap_or_else(|error| failures.add(&error)),
        Err(error) => failures.add(&error),
    };
    dial::all(args.publishers, args.connect_rate, dial, done).await;
    Ok(failures)
}

fn add(crowd: &Crowd<Publisher>, call: Call, shape: Shape, packets: &Arc<Packets>) -> io::Result<()> {
    let publisher = Publisher::new(call.video, call.audio, shape, packets.clone());
    crowd.add(call, publisher)
}

/// Publishes one stream until dropped; its first packets are on their way.
pub(crate) async fn stream(target: &Target, shape: Shape) -> Result<Crowd<Publisher>, SendError> {
    let (crowd, server, url) = (Crowd::start()?, target.resolve(false)?, target.url());
    let shape = shape.with_opus();
    let packets = Arc::new(Packets::new(shape)?);
    match call(target.clone(), server, 0, Direction::SendOnly).await {
        Ok(call) => add(&crowd, call, shape, &packets)?,
        Err(source) => return Err(SendError::Call { url, source }),
    }
    let until = Instant::now() + CONNECT_TIMEOUT;
    while !crowd.seen().iter().all(|seen| seen.role.connected) {
        if Instant::now() > until {
            return Err(SendError::Late { url });
        }
        sleep(LOOK).await;
    }
    Ok(crowd)
}

impl report::Tell for Sent {
    fn tell(&self, out: &mut report::Lines) {
        out.line("publishers", format!("{} of {} ({} closed)", self.open, self.asked, self.closed));
        report::failures(out, &self.failures);
        let (bytes, rate) = (report::bytes(self.bytes), self.packets_per_second);
        out.line(
            "sent",
            format!("{} packets, {bytes} in {:.1} s, {rate:.0} packets/s", self.packets, self.seconds),
        );
        out.line("frames", format!("{} late", self.late));
        out.line("lost", format!("{} asked for again, {} dropped by the kernel", self.nacks, self.dropped));
        self.cost.iter().for_each(|cost| cost.tell_server(out));
        self.own.iter().for_each(|own| own.tell_own(out));
    }
}
