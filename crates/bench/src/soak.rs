//! `headwater bench soak`: many streams with every output on, for a long time.
//!
//! A server of its own is started, hundreds of streams are published, and a few of them are read back whole from every
//! output: a frame that is missing anywhere is counted. Memory is looked at every ten seconds. Recordings are read
//! and deleted as they are finished, so the disk holds a few minutes of them at most.

mod counters;
mod dash;
mod memory;
mod outputs;
mod playlists;
mod recordings;
mod sequence;

use crate::broadcast::Broadcast;
use crate::cost::{Cost, Watch};
use crate::options::{Bitrate, Window};
use crate::process::{ProcessError, usage};
use crate::publish::{PublishError, StreamArgs};
use crate::report::{self, Failures};
use crate::server::{Server, ServerError};
use crate::target::Target;
use crate::{open_files, publish};
use counters::Counters;
use memory::Memory;
use outputs::Output;
use recordings::Recordings;
use sequence::{Counted, Sequence};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

/// How often memory is looked at and finished recordings are collected.
const LOOK: Duration = Duration::from_secs(10);

/// Publish many streams with HLS, LL-HLS, DASH and recording on, and check that no frame is lost and memory is flat.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Streams published at once.
    #[arg(long, default_value_t = 300)]
    pub(crate) streams: usize,
    /// Minutes to go on after the warm-up.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) minutes: f64,
    /// Seconds until windows are full and memory should be flat.
    #[arg(long, default_value_t = 120.0)]
    pub(crate) warm_up: f64,
    /// Bits a second of each stream, like 500k.
    #[arg(long, default_value = "500k")]
    pub(crate) bitrate: Bitrate,
    /// Streams that are read back whole from every output.
    #[arg(long, default_value_t = 3)]
    pub(crate) readers: usize,
    /// Workers of the server.
    #[arg(long, default_value_t = 2)]
    pub(crate) workers: usize,
    /// The `headwater` to measure instead of this program.
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
}

#[derive(Debug, Error)]
pub(crate) enum SoakError {
    #[error("finding this program: {0}")]
    Program(io::Error),
    #[error(transparent)]
    OpenFiles(#[from] open_files::OpenFilesError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Target(#[from] crate::target::TargetError),
    #[error("reading the server's counters: {0}")]
    Counters(#[from] counters::CountersError),
}

/// How it went.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Soaked {
    pub(crate) streams: usize,
    pub(crate) minutes: f64,
    /// What the server had on.
    pub(crate) outputs: Vec<Output>,
    pub(crate) failures: Failures,
    pub(crate) published: publish::Published,
    pub(crate) counters: Counters,
    /// Frames sent a second before and at the moment of `counters`: the server's count lies between.
    pub(crate) sent_around: [u64; 2],
    /// By output, all readers together.
    pub(crate) read_back: BTreeMap<Output, Counted>,
    pub(crate) recordings_finished: u64,
    pub(crate) memory: Memory,
    pub(crate) cost: Option<Cost>,
    /// Last lines of the server's log, where it only warns.
    pub(crate) log: String,
    /// What was not as it must be; empty when all was.
    pub(crate) problems: Vec<String>,
}

/// What readers found, by stream and output.
type Found = Arc<Mutex<BTreeMap<(usize, Output), Sequence>>>;

pub(crate) async fn run(args: &Args) -> Result<Soaked, SoakError> {
    open_files::allow(args.streams as u64 * 2)?;
    let program = args.server.clone().map_or_else(std::env::current_exe, Ok).map_err(SoakError::Program)?;
    let outputs = outputs::accepted(&program);
    say(&format!("outputs: {outputs:?}"));
    let workers = args.workers;
    let mut server =
        Server::configured(&program, |ports, folder| outputs::conf(&outputs, workers, ports, folder))?;
    let broadcast = Broadcast::start(stream(args).shape());
    let failures = publish::connect(&publish_args(args, &server)?, rtmp(&server), &broadcast).await;
    let found = Found::default();
    let readers = readers(args, &server, &outputs, &found);
    let recordings =
        Recordings::new(server.folder().join("dvr"), sampled(args), found.clone(), stream(args).shape());
    let soaked = watch(args, &mut server, &broadcast, recordings, (outputs, failures, found)).await;
    drop(readers);
    soaked
}

async fn watch(
    args: &Args,
    server: &mut Server,
    broadcast: &Broadcast,
    mut recordings: Recordings,
    (outputs, failures, found): (Vec<Output>, Failures, Found),
) -> Result<Soaked, SoakError> {
    let mut watch = Watch::before(Some(server.pid()))?;
    let warm = look_on(args.warm_up, server, &mut recordings, broadcast).await?;
    watch.begin()?;
    let (before, begun) = (broadcast.sent(), Instant::now());
    let samples = look_on(args.minutes * 60.0, server, &mut recordings, broadcast).await?;
    let (after, seconds) = (broadcast.sent(), begun.elapsed().as_secs_f64());
    let cost = watch.end(after.bytes - before.bytes, args.streams)?;
    sleep(Duration::from_secs(1)).await;
    let api = SocketAddr::from((Ipv4Addr::LOCALHOST, server.api));
    let counters = counters::read(api, args.streams).await?;
    let sent_around = [after.pieces, broadcast.sent().pieces];
    let bytes = after.bytes - before.bytes;
    let published = publish::Published {
        asked: args.streams,
        failures: failures.clone(),
        seconds,
        sent: crate::broadcast::Sent { bytes, ..after },
        gigabits_per_second: bytes as f64 * 8.0 / 1e9 / seconds,
        cost,
    };
    let mut soaked = Soaked {
        streams: args.streams,
        minutes: args.minutes,
        outputs,
        failures,
        published,
        counters,
        sent_around,
        read_back: by_output(&found),
        recordings_finished: recordings.finished,
        memory: Memory::new(warm.last().copied(), &samples),
        cost,
        log: server.said(),
        problems: Vec::new(),
    };
    soaked.problems = soaked.judge();
    Ok(soaked)
}

/// Looks at memory every ten seconds, and collects recordings.
async fn look_on(
    seconds: f64,
    server: &mut Server,
    recordings: &mut Recordings,
    broadcast: &Broadcast,
) -> Result<Vec<memory::Sample>, SoakError> {
    let (begun, mut samples) = (Instant::now(), Vec::new());
    let mut clock = interval(LOOK);
    while begun.elapsed().as_secs_f64() < seconds && server.is_running() {
        clock.tick().await;
        recordings.collect();
        let usage = usage(server.pid())?;
        let sent = broadcast.sent();
        say(&format!(
            "{:.0} s: {} resident, {} streams, {} frames skipped, {} recordings finished",
            begun.elapsed().as_secs_f64(),
            report::bytes(usage.rss),
            sent.open,
            sent.skipped,
            recordings.finished
        ));
        samples.push(memory::Sample { seconds: begun.elapsed().as_secs_f64(), rss: usage.rss });
    }
    Ok(samples)
}

fn readers(args: &Args, server: &Server, outputs: &[Output], found: &Found) -> JoinSet<()> {
    let http = SocketAddr::from((Ipv4Addr::LOCALHOST, server.http));
    let mut readers = JoinSet::new();
    for number in sampled(args) {
        for output in outputs {
            let note = Note { found: found.clone(), key: (number, *output), shape: stream(args).shape() };
            match output {
                Output::Hls => drop(readers.spawn(playlists::follow_ts(http, number, note))),
                Output::LowLatency => drop(readers.spawn(playlists::follow_mp4(http, number, note))),
                Output::Dash => drop(readers.spawn(dash::follow(http, number, note))),
                Output::Recording => {}
            }
        }
    }
    readers
}

/// Where a reader tells what it got.
#[derive(Clone, Debug)]
struct Note {
    found: Found,
    key: (usize, Output),
    shape: crate::synthetic::Shape,
}

impl Note {
    fn frames(&self, frames: &[headwater_media::Frame]) {
        self.with(|sequence| frames.iter().for_each(|frame| sequence.frame(frame)));
    }

    fn failed(&self, error: &dyn std::fmt::Display) {
        let error = error.to_string();
        self.with(|sequence| sequence.failed(&error));
    }

    fn with(&self, f: impl FnOnce(&mut Sequence)) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        f(found.entry(self.key).or_insert_with(|| Sequence::new(self.shape)));
    }
}

fn by_output(found: &Found) -> BTreeMap<Output, Counted> {
    let found = found.lock().unwrap_or_else(PoisonError::into_inner);
    found.iter().fold(BTreeMap::new(), |mut all, ((_, output), sequence)| {
        all.entry(*output).or_insert_with(Counted::default).add(&sequence.counted);
        all
    })
}

impl Soaked {
    fn judge(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut must = |good: bool, problem: String| problems.extend((!good).then_some(problem));
        let sent = &self.published.sent;
        must(sent.open == self.streams, format!("{} of {} streams are up", sent.open, self.streams));
        must(sent.skipped == 0, format!("{} frames could not be sent", sent.skipped));
        must(
            self.counters.active == self.streams,
            format!("the server has {} streams", self.counters.active),
        );
        must(self.counters.jumps == 0, format!("{} jumps", self.counters.jumps));
        let (known, [least, most]) = (self.counters.frames, self.sent_around);
        let configs = 2 * self.streams as u64;
        must((least..=most + configs).contains(&known), format!("{known} frames counted, {least} sent"));
        for output in &self.outputs {
            match self.read_back.get(output) {
                None => must(false, format!("nothing could be read back from {}", output.name())),
                Some(counted) => {
                    must(counted.pictures > 0, format!("{}: no pictures", output.name()));
                    must(counted.is_whole(), format!("{}: {}", output.name(), counted.told()));
                }
            }
        }
        must(self.memory.is_flat(), "memory is not flat".into());
        problems
    }
}

fn sampled(args: &Args) -> Vec<usize> {
    let readers = args.readers.clamp(1, args.streams.max(1));
    (0..readers).map(|reader| reader * args.streams / readers).collect()
}

fn stream(args: &Args) -> StreamArgs {
    StreamArgs::usual(args.bitrate)
}

fn rtmp(server: &Server) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, server.rtmp))
}

fn publish_args(args: &Args, server: &Server) -> Result<publish::Args, SoakError> {
    let url: Target = format!("rtmp://127.0.0.1:{}/live/s{{}}", server.rtmp).parse()?;
    Ok(publish::Args {
        url,
        publishers: args.streams,
        stream: stream(args),
        connect_rate: 50.0,
        pid: None,
        window: Window { seconds: args.minutes * 60.0, warm_up: args.warm_up },
        remote: crate::options::Remote::default(),
    })
}

fn say(text: &str) {
    // progress only; nothing is lost when nobody reads it
    let _ = writeln!(io::stderr(), "{text}");
}

impl report::Tell for Soaked {
    fn tell(&self, out: &mut report::Lines) {
        let outputs: Vec<_> = self.outputs.iter().map(|output| output.name()).collect();
        out.line("outputs", outputs.join(", "));
        out.line(
            "streams",
            format!("{} of {} for {} min", self.published.sent.open, self.streams, self.minutes),
        );
        report::failures(out, &self.failures);
        let sent = &self.published.sent;
        let (bytes, rate) = (report::bytes(sent.bytes), self.published.gigabits_per_second);
        out.line(
            "published",
            format!("{bytes}, {rate:.3} Gb/s, {} frames late, {} skipped", sent.late, sent.skipped),
        );
        let (known, [least, most]) = (self.counters.frames, self.sent_around);
        out.line("frames", format!("{known} counted by the server, {least} to {most} sent"));
        out.line("jumps", self.counters.jumps.to_string());
        for (output, counted) in &self.read_back {
            out.line("read back", format!("{}: {}", output.name(), counted.told()));
        }
        out.line("recordings", format!("{} finished", self.recordings_finished));
        out.line("memory", self.memory.told());
        report::cost(out, self.cost.as_ref());
        if let Some(cost) = self.cost {
            let share = (cost.user_s + cost.sys_s) / self.published.seconds.max(1e-9) * 100.0;
            out.line("CPU share", format!("{share:.0} % of one core"));
        }
        self.log.lines().for_each(|line| out.line("log", line));
        let verdict = if self.problems.is_empty() { "passed".to_owned() } else { self.problems.join("; ") };
        out.line("verdict", verdict);
    }
}
