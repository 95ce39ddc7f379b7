//! `headwater bench play`: players by the thousand.

mod hls;
mod player;
mod probe;

pub(crate) use hls::{Playlist, resolve};
pub(crate) use player::{PlayError, Player, Start};

use crate::audience::{Audience, Snapshot};
use crate::cost::{Cost, Watch};
use crate::delivery::{Delivery, LIVE_EDGE, Measure, measure};
use crate::fetch::FetchError;
use crate::options::{Bitrate, Remote, Window};
use crate::process::ProcessError;
use crate::report::{self, Failures};
use crate::summary::{Samples, Summary};
use crate::target::{Protocol, Target, TargetError};
use crate::{dial, open_files};
use hls::{Counter, HlsPlayer};
use probe::{Open, Seen};
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// An HLS player gets a segment at a time, so up to a whole one may be on its way at the window's edges.
const HLS_EDGE: Duration = Duration::from_secs(10);

/// Play a stream many times over.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// What to play: rtmp://…, http://….flv, http://….ts, ws://….flv, http://….m3u8 or http://…/rtc/v1/whep/?app=…&stream=…;
    /// `{}` stands for a stream's number.
    pub(crate) url: Target,
    /// Players.
    #[arg(long, default_value_t = 100)]
    pub(crate) players: usize,
    /// Streams the players are spread over, when the URL has a `{}`.
    #[arg(long, default_value_t = 1)]
    pub(crate) streams: usize,
    /// Further players that look at every frame and measure latency. Not for HLS.
    #[arg(long, default_value_t = 1)]
    pub(crate) probes: usize,
    /// Players connecting in a second.
    #[arg(long, default_value_t = 500.0)]
    pub(crate) connect_rate: f64,
    /// The stream's bits a second, like 2.1M, to tell who is fed; without it the best player is the measure.
    #[arg(long)]
    pub(crate) bitrate: Option<Bitrate>,
    /// The server's process id, to tell its CPU time and memory.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    #[command(flatten)]
    pub(crate) window: Window,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    OpenFiles(#[from] open_files::OpenFilesError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("probing {url}: {source}")]
    Probe { url: String, source: PlayError },
}

/// What the players saw.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Played {
    pub(crate) protocol: Protocol,
    pub(crate) asked: usize,
    pub(crate) failures: Failures,
    pub(crate) delivery: Delivery,
    pub(crate) cost: Option<Cost>,
    pub(crate) first_byte: Option<Summary>,
    pub(crate) start_up: Option<Summary>,
    /// From publish to play, as the probes saw it.
    pub(crate) latency: Option<Summary>,
    pub(crate) probe_stalls: u64,
    /// Frames, as the probes saw them, whose timestamp went back.
    pub(crate) backwards: u64,
}

pub(crate) async fn run(args: &Args) -> Result<Played, RunError> {
    open_files::allow((args.players + args.probes) as u64)?;
    let server = args.url.resolve(args.remote.allow_remote)?;
    match args.url.protocol {
        Protocol::Hls => run_hls(args, server).await,
        _ => run_live(args, server).await,
    }
}

async fn run_live(args: &Args, server: SocketAddr) -> Result<Played, RunError> {
    let probes = Probes::start(args, server).await?;
    // the stream's own memory is there once somebody has played it for a while
    sleep(args.window.warm_up()).await;
    let mut watch = Watch::before(args.pid)?;
    let audience = Audience::start();
    let (failures, starts) = connect(args, server, &audience).await;
    sleep(args.window.warm_up()).await;
    probes.open.store(true, Ordering::Relaxed);
    let by = args.measure(LIVE_EDGE);
    let (delivery, cost) = measure(|| audience.snapshot(), &mut watch, by).await?;
    let seen = probes.stop().await;
    let (first_byte, start_up) = starts;
    Ok(Played {
        protocol: args.url.protocol,
        asked: args.players,
        failures,
        delivery,
        cost,
        first_byte: first_byte.summary(),
        start_up: start_up.summary(),
        latency: seen.latency.summary(),
        probe_stalls: seen.stalls,
        backwards: seen.backwards,
    })
}

impl Args {
    fn measure(&self, edge: Duration) -> Measure {
        Measure { window: self.window.length(), bitrate: self.bitrate.map(|bitrate| bitrate.0), edge }
    }

    pub(crate) fn target(&self, index: usize) -> Target {
        self.url.numbered(index % self.streams.max(1))
    }
}

/// Connects all players; those that have their first picture join `audience`.
async fn connect(args: &Args, server: SocketAddr, audience: &Audience) -> (Failures, (Samples, Samples)) {
    let (mut failures, mut first_byte, mut start_up) =
        (Failures::default(), Samples::default(), Samples::default());
    let dial = |index| Player::start(args.target(index), server, index);
    let done = |started: Result<(Player, Start), PlayError>| match started {
        Ok((player, start)) => {
            first_byte.add(start.first_byte);
            start_up.add(start.start_up);
            if let Err(error) = player.into_stream().and_then(|stream| audience.add(stream)) {
                failures.add(&error);
            }
        }
        Err(error) => failures.add(&error),
    };
    dial::all(args.players, args.connect_rate, dial, done).await;
    (failures, (first_byte, start_up))
}

struct Probes {
    open: Open,
    stop: watch::Sender<()>,
    watching: JoinSet<Seen>,
}

impl Probes {
    async fn start(args: &Args, server: SocketAddr) -> Result<Self, RunError> {
        let (stop, stopped) = watch::channel(());
        let mut probes = Probes { open: Open::default(), stop, watching: JoinSet::new() };
        for index in 0..args.probes {
            let target = args.target(index);
            let url = target.url();
            let player = Player::start(target, server, index).await;
            let (player, _) = player.map_err(|source| RunError::Probe { url, source })?;
            probes.watching.spawn(probe::watch(player, probes.open.clone(), stopped.clone()));
        }
        Ok(probes)
    }

    async fn stop(mut self) -> Seen {
        drop(self.stop);
        let mut all = Seen::default();
        while let Some(seen) = self.watching.join_next().await {
            let seen = seen.unwrap_or_default();
            all.latency.merge(seen.latency);
            all.stalls += seen.stalls;
            all.backwards += seen.backwards;
            all.closed |= seen.closed;
        }
        all
    }
}

async fn run_hls(args: &Args, server: SocketAddr) -> Result<Played, RunError> {
    let mut watch = Watch::before(args.pid)?;
    let counters: Vec<_> = (0..args.players).map(|_| Arc::new(Counter::default())).collect();
    let mut failures = Failures::default();
    let mut playing = JoinSet::new();
    let dial = |index| {
        let counter = counters.get(index).cloned().unwrap_or_default();
        let target = args.target(index);
        async move { HlsPlayer::connect(&target, server, index, counter).await }
    };
    let done = |connected: Result<HlsPlayer, FetchError>| match connected {
        Ok(player) => drop(playing.spawn(player.play())),
        Err(error) => failures.add(&error),
    };
    dial::all(args.players, args.connect_rate, dial, done).await;
    sleep(args.window.warm_up()).await;
    let snapshot = || counters.iter().map(|counter| counter.received()).collect::<Snapshot>();
    let (delivery, cost) = measure(snapshot, &mut watch, args.measure(HLS_EDGE)).await?;
    while let Some(ended) = playing.try_join_next() {
        ended.iter().for_each(|error| failures.add(error));
    }
    Ok(Played {
        protocol: Protocol::Hls,
        asked: args.players,
        failures,
        delivery,
        cost,
        first_byte: None,
        start_up: None,
        latency: None,
        probe_stalls: 0,
        backwards: 0,
    })
}

impl report::Tell for Played {
    fn tell(&self, out: &mut report::Lines) {
        out.line("protocol", self.protocol.name());
        report::delivery(out, &self.delivery);
        report::failures(out, &self.failures);
        report::summary(out, "first byte", self.first_byte.as_ref());
        report::summary(out, "start-up", self.start_up.as_ref());
        report::summary(out, "latency", self.latency.as_ref());
        out.line("probes", format!("{} stalls, {} timestamps went back", self.probe_stalls, self.backwards));
        report::cost(out, self.cost.as_ref());
    }
}
