//! `headwater bench connect`: players or publishers that come and go, to see what they leave behind.

use crate::broadcast::Broadcast;
use crate::options::Remote;
use crate::play::{PlayError, Player, Start};
use crate::process::{ProcessError, usage};
use crate::publish::{StreamArgs, publish};
use crate::report::{self, Failures};
use crate::rtmp::{Client, RtmpError};
use crate::summary::{Samples, Summary};
use crate::target::{Target, TargetError};
use crate::{dial, open_files};
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::time::sleep;

/// Publishers that are there at the same time.
const PUBLISHERS_AT_ONCE: usize = 100;
/// How long they stay.
const STAY: Duration = Duration::from_secs(1);
/// This share of the connections comes before the first look at memory, so that what is kept once is there.
const WARM_UP: usize = 10;

/// Connect, play to the first picture (or publish for a second), and leave, over and over.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// What to play or publish; `{}` stands for a connection's number.
    pub(crate) url: Target,
    /// Connections in all.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) connections: usize,
    /// Publish instead of playing.
    #[arg(long)]
    pub(crate) publish: bool,
    #[command(flatten)]
    pub(crate) stream: StreamArgs,
    /// Connections in a second.
    #[arg(long, default_value_t = 500.0)]
    pub(crate) connect_rate: f64,
    /// The server's process id, to tell its memory.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// Seconds to wait before each look at memory.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) settle: f64,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Error)]
pub(crate) enum ConnectError {
    #[error(transparent)]
    OpenFiles(#[from] open_files::OpenFilesError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// What coming and going left behind.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Connected {
    pub(crate) connections: usize,
    pub(crate) failures: Failures,
    /// How long a player's start took.
    pub(crate) start_up: Option<Summary>,
    /// Resident memory after the first tenth had come and gone, bytes.
    pub(crate) rss_before: Option<u64>,
    /// Resident memory after all had, bytes.
    pub(crate) rss_after: Option<u64>,
}

pub(crate) async fn run(args: &Args) -> Result<Connected, ConnectError> {
    open_files::allow(512)?;
    let server = args.url.resolve(args.remote.allow_remote)?;
    let warm_up = args.connections / WARM_UP;
    let mut visit = Visit { args, server, failures: Failures::default(), start_up: Samples::default() };
    visit.all(0, warm_up).await;
    let rss_before = settled_memory(args).await?;
    visit.all(warm_up, args.connections - warm_up).await;
    let rss_after = settled_memory(args).await?;
    let start_up = visit.start_up.summary();
    Ok(Connected { connections: args.connections, failures: visit.failures, start_up, rss_before, rss_after })
}

async fn settled_memory(args: &Args) -> Result<Option<u64>, ProcessError> {
    sleep(Duration::try_from_secs_f64(args.settle).unwrap_or_default()).await;
    Ok(args.pid.map(usage).transpose()?.map(|usage| usage.rss))
}

struct Visit<'a> {
    args: &'a Args,
    server: SocketAddr,
    failures: Failures,
    start_up: Samples,
}

impl Visit<'_> {
    /// `count` connections, numbered from `first`.
    async fn all(&mut self, first: usize, count: usize) {
        if !self.args.publish {
            return self.play(first, count).await;
        }
        for begin in (first..first + count).step_by(PUBLISHERS_AT_ONCE) {
            self.publish(begin, PUBLISHERS_AT_ONCE.min(first + count - begin)).await;
        }
    }

    async fn play(&mut self, first: usize, count: usize) {
        let server = self.server;
        let dial = |index| Player::start(self.args.url.numbered(first + index), server, index);
        let done = |started: Result<(Player, Start), PlayError>| match started {
            Ok((_, start)) => self.start_up.add(start.start_up),
            Err(error) => self.failures.add(&error),
        };
        dial::all(count, self.args.connect_rate, dial, done).await;
    }

    async fn publish(&mut self, first: usize, count: usize) {
        let broadcast = Broadcast::start(self.args.stream.shape());
        let server = self.server;
        let dial = |index| publish(self.args.url.numbered(first + index), server, index);
        let done = |started: Result<Client, RtmpError>| match started {
            Ok(client) => broadcast.add(client).unwrap_or_else(|error| self.failures.add(&error)),
            Err(error) => self.failures.add(&error),
        };
        dial::all(count, self.args.connect_rate, dial, done).await;
        sleep(STAY).await;
    }
}

impl report::Tell for Connected {
    fn tell(&self, out: &mut report::Lines) {
        out.line("connections", format!("{} ({} failed)", self.connections, self.failures.count()));
        report::failures(out, &self.failures);
        report::summary(out, "start-up", self.start_up.as_ref());
        if let Some((before, after)) = self.rss_before.zip(self.rss_after) {
            let (before, after) = (report::bytes(before), report::bytes(after));
            out.line("server memory", format!("{before} after a tenth, {after} after all"));
        }
    }
}
