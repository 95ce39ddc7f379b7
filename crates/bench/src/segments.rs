//! `headwater bench segments`: HLS segments over connections that stay open, at a steady rate.
//!
//! All connections fetch in turn, so the load is the same whatever the server: what differs is its CPU time. The
//! names come from a live playlist; the segments may come from another server that has the same files.

use crate::cost::{Cost, Watch};
use crate::fetch::{FetchError, Fetcher};
use crate::options::{Remote, Window};
use crate::play::{Playlist, resolve};
use crate::process::ProcessError;
use crate::report::{self, Failures};
use crate::summary::{Samples, Summary};
use crate::target::{Protocol, Target, TargetError};
use crate::{dial, open_files};
use serde::Serialize;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How often the playlist is fetched.
const RELOAD: Duration = Duration::from_secs(1);
/// A playlist that has too few segments by then never will.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);
/// The newest half of the playlist is fetched, without the very newest, which may not be on disk yet; so this many
/// segments must be listed.
const LISTED: usize = 4;

/// Fetch a live stream's segments over many connections that stay open.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The media playlist: http://….m3u8.
    pub(crate) url: Target,
    /// Connections.
    #[arg(long, default_value_t = 5000)]
    pub(crate) connections: usize,
    /// Segments fetched in a second, by all connections together.
    #[arg(long, default_value_t = 500.0)]
    pub(crate) rate: f64,
    /// Fetch the segments from this port of this machine instead: another server with the same files.
    #[arg(long)]
    pub(crate) files_port: Option<u16>,
    /// Connections set up in a second.
    #[arg(long, default_value_t = 1000.0)]
    pub(crate) connect_rate: f64,
    /// The process id of the server that has the segments, to tell its CPU time and memory.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    #[command(flatten)]
    pub(crate) window: Window,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Error)]
pub(crate) enum SegmentsError {
    #[error("{0} is not http://….m3u8")]
    NoPlaylist(String),
    #[error("{url} lists fewer than {LISTED} segments after {} s", LIST_TIMEOUT.as_secs())]
    FewSegments { url: String },
    #[error("fetching the playlist: {0}")]
    Playlist(#[from] FetchError),
    #[error(transparent)]
    OpenFiles(#[from] open_files::OpenFilesError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// What was fetched in the window.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fetched {
    pub(crate) connections: usize,
    pub(crate) failures: Failures,
    pub(crate) segments: u64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) gigabits_per_second: f64,
    /// From request to last byte.
    pub(crate) took: Option<Summary>,
    pub(crate) cost: Option<Cost>,
}

pub(crate) async fn run(args: &Args) -> Result<Fetched, SegmentsError> {
    if args.url.protocol != Protocol::Hls {
        return Err(SegmentsError::NoPlaylist(args.url.url()));
    }
    open_files::allow(args.connections as u64)?;
    let server = args.url.resolve(args.remote.allow_remote)?;
    let files = args.files_port.map_or(server, |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let (listed, reloading) = list(&args.url, server).await?;
    let watch = Watch::before(args.pid)?;
    let tally = Arc::new(Mutex::new(Tally::default()));
    let fetching = connect(args, files, &listed, &tally).await;
    let fetched = measure(args, watch, &tally).await;
    drop((fetching, reloading));
    Ok(fetched?)
}

/// What all connections did since the window began.
#[derive(Debug, Default)]
struct Tally {
    failures: Failures,
    segments: u64,
    bytes: u64,
    took: Samples,
}

fn locked(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Follows the playlist: the paths that may be fetched now, and the task that keeps them new.
async fn list(
    url: &Target,
    server: SocketAddr,
) -> Result<(watch::Receiver<Vec<String>>, JoinSet<()>), SegmentsError> {
    let mut fetcher = Fetcher::connect(url.host_field(), server, 0).await.map_err(FetchError::from)?;
    let few = || SegmentsError::FewSegments { url: url.url() };
    let first = timeout(LIST_TIMEOUT, first_list(&mut fetcher, &url.path)).await.map_err(|_| few())?;
    let (tell, listed) = watch::channel(first);
    let path = url.path.clone();
    let mut reloading = JoinSet::new();
    reloading.spawn(async move {
        while let Ok(paths) = look(&mut fetcher, &path).await {
            if paths.len() >= LISTED && tell.send(fetchable(paths)).is_err() {
                return;
            }
            sleep(RELOAD).await;
        }
    });
    Ok((listed, reloading))
}

/// A stream that has only begun has no playlist yet.
async fn first_list(fetcher: &mut Fetcher, path: &str) -> Vec<String> {
    loop {
        match look(fetcher, path).await {
            Ok(paths) if paths.len() >= LISTED => return fetchable(paths),
            _ => sleep(RELOAD).await,
        }
    }
}

async fn look(fetcher: &mut Fetcher, path: &str) -> Result<Vec<String>, FetchError> {
    let body = fetcher.keep(path).await?;
    let text = String::from_utf8_lossy(&body);
    Ok(Playlist::parse(&text).segments.iter().map(|segment| resolve(path, segment)).collect())
}

/// Segments that every server still has, and has already.
fn fetchable(mut paths: Vec<String>) -> Vec<String> {
    paths.pop();
    paths.split_off(paths.len() / 2)
}

async fn connect(
    args: &Args,
    files: SocketAddr,
    listed: &watch::Receiver<Vec<String>>,
    tally: &Arc<Mutex<Tally>>,
) -> JoinSet<()> {
    let mut fetching = JoinSet::new();
    let host = format!("{}:{}", args.url.host, files.port());
    let begun = Instant::now();
    let turn = Duration::from_secs_f64(args.connections as f64 / args.rate.clamp(0.01, 1e6));
    let dial = |index| {
        let host = host.clone();
        async move { (index, Fetcher::connect(host, files, index).await) }
    };
    let done = |(index, connected): (usize, io::Result<Fetcher>)| match connected {
        Ok(fetcher) => {
            let first = begun + turn.mul_f64(index as f64 / args.connections as f64);
            drop(fetching.spawn(follow(fetcher, (first, turn), index, listed.clone(), tally.clone())));
        }
        Err(error) => locked(tally).failures.add(&error),
    };
    dial::all(args.connections, args.connect_rate, dial, done).await;
    fetching
}

/// Fetches a segment every `turn`, from `first` on, until something fails.
async fn follow(
    mut fetcher: Fetcher,
    (first, turn): (Instant, Duration),
    index: usize,
    listed: watch::Receiver<Vec<String>>,
    tally: Arc<Mutex<Tally>>,
) {
    let missed = Instant::now().saturating_duration_since(first).as_secs_f64() / turn.as_secs_f64();
    let mut due = first + turn.mul_f64(missed.ceil());
    for round in 0usize.. {
        sleep_until(due).await;
        due += turn;
        let path = {
            let paths = listed.borrow();
            paths.get(index.wrapping_add(round) % paths.len().max(1)).cloned().unwrap_or_default()
        };
        let asked = Instant::now();
        match fetcher.drop_body(&path).await {
            Ok(bytes) => locked(&tally).fetched(bytes, asked.elapsed()),
            Err(error) => return locked(&tally).failures.add(&error),
        }
    }
}

impl Tally {
    fn fetched(&mut self, bytes: u64, took: Duration) {
        self.segments += 1;
        self.bytes += bytes;
        self.took.add(took);
    }
}

async fn measure(args: &Args, mut watch: Watch, tally: &Mutex<Tally>) -> Result<Fetched, ProcessError> {
    sleep(args.window.warm_up()).await;
    let failures = locked(tally).failures.clone();
    *locked(tally) = Tally { failures, ..Tally::default() };
    watch.begin()?;
    let start = Instant::now();
    sleep(args.window.length()).await;
    let tally = std::mem::take(&mut *locked(tally));
    let seconds = start.elapsed().as_secs_f64();
    Ok(Fetched {
        connections: args.connections,
        failures: tally.failures,
        segments: tally.segments,
        bytes: tally.bytes,
        seconds,
        gigabits_per_second: tally.bytes as f64 * 8.0 / 1e9 / seconds,
        took: tally.took.summary(),
        cost: watch.end(tally.bytes, args.connections)?,
    })
}

impl report::Tell for Fetched {
    fn tell(&self, out: &mut report::Lines) {
        out.line("connections", self.connections.to_string());
        report::failures(out, &self.failures);
        let each = report::bytes(self.bytes / self.segments.max(1));
        let (bytes, rate) = (report::bytes(self.bytes), self.gigabits_per_second);
        out.line("segments", format!("{} of {each} each", self.segments));
        out.line("delivered", format!("{bytes} in {:.1} s, {rate:.3} Gb/s", self.seconds));
        report::summary(out, "took", self.took.as_ref());
        report::cost(out, self.cost.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_half_without_the_very_newest_is_fetched() {
        let paths = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(fetchable(paths(&["1", "2", "3", "4", "5"])), paths(&["3", "4"]));
        assert_eq!(fetchable(paths(&["1", "2", "3", "4"])), paths(&["2", "3"]));
    }
}
