//! `headwater bench publish`: publishers by the hundred.

use crate::broadcast::{Broadcast, LONGEST, Sent};
use crate::cost::{Cost, Watch};
use crate::options::{Bitrate, Remote, Window};
use crate::process::ProcessError;
use crate::report::{self, Failures};
use crate::rtmp::{Client, RtmpError};
use crate::synthetic::{Shape, Sound};
use crate::target::{Protocol, Target, TargetError};
use crate::{dial, open_files};
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

/// A server that has not accepted a publisher by then never will.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Publish made-up streams in real time.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to publish: rtmp://host/app/name or http://host/rtc/v1/whip/?app=…&stream=…; `{}` stands for a stream's
    /// number and is needed for more than one.
    pub(crate) url: Target,
    /// Publishers.
    #[arg(long, default_value_t = 1)]
    pub(crate) publishers: usize,
    #[command(flatten)]
    pub(crate) stream: StreamArgs,
    /// Publishers connecting in a second.
    #[arg(long, default_value_t = 100.0)]
    pub(crate) connect_rate: f64,
    /// The server's process id, to tell its CPU time and memory.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    #[command(flatten)]
    pub(crate) window: Window,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// What each stream is like.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct StreamArgs {
    /// Bits a second, like 2.1M, sound included.
    #[arg(long, default_value = "2.1M")]
    pub(crate) bitrate: Bitrate,
    /// Pictures a second.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=240))]
    pub(crate) fps: u32,
    /// Seconds from one key picture to the next.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) gop: f64,
}

impl StreamArgs {
    /// 25 pictures a second, a key picture every 2 s.
    pub(crate) fn usual(bitrate: Bitrate) -> Self {
        StreamArgs { bitrate, fps: 25, gop: 2.0 }
    }

    pub(crate) fn shape(&self) -> Shape {
        let gop = (self.gop * f64::from(self.fps)).round().clamp(1.0, 100_000.0) as u32;
        Shape { bitrate: self.bitrate.0, fps: self.fps, gop, sound: Sound::Aac }
    }
}

#[derive(Debug, Error)]
pub(crate) enum PublishError {
    #[error("{0} is not rtmp://…; only RTMP can be published to")]
    NotRtmp(String),
    #[error("{0} has no {{}}, so every publisher but the first would be refused")]
    NoNumber(String),
    #[error("{} s is longer than a stream can be ({} s)", .0.as_secs(), LONGEST.as_secs())]
    TooLong(Duration),
    #[error(transparent)]
    OpenFiles(#[from] open_files::OpenFilesError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// What the publishers did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Published {
    pub(crate) asked: usize,
    pub(crate) failures: Failures,
    pub(crate) seconds: f64,
    /// Sent in the window.
    pub(crate) sent: Sent,
    pub(crate) gigabits_per_second: f64,
    pub(crate) cost: Option<Cost>,
}

pub(crate) async fn run(args: &Args) -> Result<Published, PublishError> {
    check(args)?;
    open_files::allow(args.publishers as u64)?;
    let server = args.url.resolve(args.remote.allow_remote)?;
    let watch = Watch::before(args.pid)?;
    let broadcast = Broadcast::start(args.stream.shape());
    let failures = connect(args, server, &broadcast).await;
    Ok(measure(&broadcast, watch, args.window, (args.publishers, failures)).await?)
}

/// Measures what `broadcast` sends in a window; `connected` is how many publishers were asked for and which failed.
pub(crate) async fn measure(
    broadcast: &Broadcast,
    mut watch: Watch,
    window: Window,
    connected: (usize, Failures),
) -> Result<Published, ProcessError> {
    sleep(window.warm_up()).await;
    let before = broadcast.sent();
    watch.begin()?;
    let start = Instant::now();
    sleep(window.length()).await;
    let after = broadcast.sent();
    let seconds = start.elapsed().as_secs_f64();
    let sent = Sent {
        bytes: after.bytes - before.bytes,
        late: after.late - before.late,
        skipped: after.skipped - before.skipped,
        ..after
    };
    let cost = watch.end(sent.bytes, sent.open)?;
    let gigabits_per_second = sent.bytes as f64 * 8.0 / 1e9 / seconds;
    let (asked, failures) = connected;
    Ok(Published { asked, failures, seconds, sent, gigabits_per_second, cost })
}

fn check(args: &Args) -> Result<(), PublishError> {
    if args.url.protocol != Protocol::Rtmp {
        return Err(PublishError::NotRtmp(args.url.url()));
    }
    if args.publishers > 1 && args.url.numbered(1) == args.url {
        return Err(PublishError::NoNumber(args.url.url()));
    }
    let length = args.window.warm_up() + args.window.length();
    if length > LONGEST { Err(PublishError::TooLong(length)) } else { Ok(()) }
}

/// Connects all publishers; those that are accepted join `broadcast`.
pub(crate) async fn connect(args: &Args, server: SocketAddr, broadcast: &Broadcast) -> Failures {
    let mut failures = Failures::default();
    let dial = |index| publish(args.url.numbered(index), server, index);
    let done = |started: Result<Client, RtmpError>| match started {
        Ok(client) => broadcast.add(client).unwrap_or_else(|error| failures.add(&error)),
        Err(error) => failures.add(&error),
    };
    dial::all(args.publishers, args.connect_rate, dial, done).await;
    failures
}

/// Connects a publisher and waits until the server has accepted it.
pub(crate) async fn publish(target: Target, server: SocketAddr, index: usize) -> Result<Client, RtmpError> {
    let start = async {
        let stream = dial::connect(server, index).await?;
        Client::publish(&target, stream).await
    };
    timeout(START_TIMEOUT, start).await.unwrap_or(Err(RtmpError::Late))
}

impl report::Tell for Published {
    fn tell(&self, out: &mut report::Lines) {
        out.line("publishers", format!("{} of {} ({} closed)", self.sent.open, self.asked, self.sent.closed));
        report::failures(out, &self.failures);
        let (bytes, rate) = (report::bytes(self.sent.bytes), self.gigabits_per_second);
        out.line("sent", format!("{bytes} in {:.1} s, {rate:.3} Gb/s", self.seconds));
        out.line("frames", format!("{} late, {} skipped", self.sent.late, self.sent.skipped));
        report::cost(out, self.cost.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn parse(args: &[&str]) -> Args {
        Command::try_parse_from([&["publish"], args].concat()).unwrap().args
    }

    #[test]
    fn the_usual_stream_is_the_default() {
        let args = parse(&["rtmp://127.0.0.1/live/a"]);
        assert_eq!(args.stream.shape(), Shape { bitrate: 2_100_000, fps: 25, gop: 50, sound: Sound::Aac });
        assert!(check(&args).is_ok());
    }

    #[test]
    fn what_cannot_work_is_said_before_anything_is_sent() {
        let several = parse(&["rtmp://127.0.0.1/live/a", "--publishers", "2"]);
        assert!(matches!(check(&several), Err(PublishError::NoNumber(_))));
        let numbered = parse(&["rtmp://127.0.0.1/live/a{}", "--publishers", "2"]);
        assert!(check(&numbered).is_ok());
        let http = parse(&["http://127.0.0.1/live/a.flv"]);
        assert!(matches!(check(&http), Err(PublishError::NotRtmp(_))));
        let forever = parse(&["rtmp://127.0.0.1/live/a", "--seconds", "99999"]);
        assert!(matches!(check(&forever), Err(PublishError::TooLong(_))));
    }
}
