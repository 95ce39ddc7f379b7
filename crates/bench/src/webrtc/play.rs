//! `headwater bench play` by WHEP.

use super::call::{Call, CallError, call};
use super::cost::{PacketCost, Spent};
use super::crowd::{Crowd, Seen};
use super::viewer::{View, Viewer};
use crate::play::Args;
use crate::process::ProcessError;
use crate::report::{self, Failures};
use crate::summary::{Samples, Summary};
use crate::target::TargetError;
use crate::{dial, open_files};
use serde::Serialize;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use str0m::media::Direction;
use thiserror::Error;
use tokio::time::{Instant, sleep};

/// A viewer with at least this share of the packets of the best one is fed.
const FED: f64 = 0.98;
/// A viewer that has no picture by then has failed.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);
/// How often it is looked whether all have joined.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Debug, Error)]
pub(crate) enum WatchError {
    #[error(transparent)]
    OpenFiles(#[from] open_files::OpenFilesError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("starting the viewers: {0}")]
    Start(#[from] io::Error),
    #[error("probing {url}: {source}")]
    Probe { url: String, source: CallError },
}

/// What the viewers saw.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Watched {
    pub(crate) asked: usize,
    pub(crate) failures: Failures,
    /// Viewers with a whole key picture.
    pub(crate) joined: usize,
    /// Viewers that got at least 98 % of the packets of the best one.
    pub(crate) fed: usize,
    /// Viewers whose session ended.
    pub(crate) closed: usize,
    pub(crate) seconds: f64,
    /// RTP packets of the window, resent ones and the probes' too.
    pub(crate) packets: u64,
    /// Bytes of these, RTP headers and SRTP tags included.
    pub(crate) bytes: u64,
    pub(crate) packets_per_second: f64,
    /// Packets missing at the end of the window.
    pub(crate) lost: u64,
    /// From the answer until ICE and DTLS were through.
    pub(crate) connected: Option<Summary>,
    /// From the answer to the last packet of the first key picture.
    pub(crate) join: Option<Summary>,
    /// From publish to the last packet of a picture, as the probes saw it.
    pub(crate) latency: Option<Summary>,
    /// From the publish of a packet's first sample to the packet, as the probes saw it.
    pub(crate) sound_latency: Option<Summary>,
    /// What the server spent.
    pub(crate) cost: Option<PacketCost>,
    /// What this program spent.
    pub(crate) own: Option<PacketCost>,
}

pub(crate) async fn run(args: &Args) -> Result<Watched, WatchError> {
    open_files::allow((args.players + args.probes) as u64)?;
    let server = args.url.resolve(args.remote.allow_remote)?;
    let probes = Crowd::start()?;
    for index in 0..args.probes {
        let target = args.target(index);
        let url = target.url();
        let call = call(target, server, index, Direction::RecvOnly).await;
        add(&probes, call.map_err(|source| WatchError::Probe { url, source })?, true)?;
    }
    // the stream's own memory is there once somebody has played it for a while
    sleep(args.window.warm_up()).await;
    let mut spent = Spent::before(args.pid)?;
    let crowd = Crowd::start()?;
    let mut failures = connect(args, server, &crowd).await;
    all_joined(&crowd, &mut failures).await;
    sleep(args.window.warm_up()).await;
    let before = (crowd.seen(), probes.seen());
    spent.begin()?;
    let start = Instant::now();
    sleep(args.window.length()).await;
    let after = (crowd.seen(), probes.seen());
    let seconds = start.elapsed().as_secs_f64();
    let (viewers, probed) = (differences(&before.0, &after.0), differences(&before.1, &after.1));
    let all = || viewers.iter().chain(&probed);
    let (packets, bytes) = (all().map(|got| got.packets).sum(), all().map(|got| got.bytes).sum());
    let (cost, own) = spent.end(packets, bytes, after.0.len())?;
    let best = viewers.iter().map(|got| got.media).max().unwrap_or(0) as f64;
    Ok(Watched {
        asked: args.players,
        failures,
        joined: after.0.iter().filter(|seen| seen.role.joined.is_some()).count(),
        fed: viewers.iter().filter(|got| got.media > 0 && got.media as f64 >= best * FED).count(),
        closed: after.0.iter().filter(|seen| seen.closed).count(),
        seconds,
        packets,
        bytes,
        packets_per_second: packets as f64 / seconds,
        lost: all().map(|got| got.lost).sum(),
        connected: times(&after.0, |view| view.connected),
        join: times(&after.0, |view| view.joined),
        latency: latency(&before.1, &after.1, |view| &view.latency),
        sound_latency: latency(&before.1, &after.1, |view| &view.sound_latency),
        cost,
        own,
    })
}

/// Connects all viewers.
async fn connect(args: &Args, server: SocketAddr, crowd: &Crowd<Viewer>) -> Failures {
    let mut failures = Failures::default();
    let dial = |index| call(args.target(index), server, index, Direction::RecvOnly);
    let done = |called: Result<Call, CallError>| match called {
        Ok(call) => add(crowd, call, false).unwrap_or_else(|error| failures.add(&error)),
        Err(error) => failures.add(&error),
    };
    dial::all(args.players, args.connect_rate, dial, done).await;
    failures
}

fn add(crowd: &Crowd<Viewer>, call: Call, probe: bool) -> io::Result<()> {
    let viewer = Viewer::new(call.video, call.audio, call.answered, probe);
    crowd.add(call, viewer)
}

/// Waits until every viewer has its first picture; those that get none are told.
async fn all_joined(crowd: &Crowd<Viewer>, failures: &mut Failures) {
    let until = Instant::now() + JOIN_TIMEOUT;
    loop {
        let seen = crowd.seen();
        let waiting = seen.iter().filter(|seen| seen.role.joined.is_none()).collect::<Vec<_>>();
        if waiting.is_empty() {
            return;
        }
        if Instant::now() > until {
            return waiting.iter().for_each(|seen| failures.add(&why(&seen.role)));
        }
        sleep(LOOK).await;
    }
}

fn why(view: &View) -> &'static str {
    match view.connected {
        None => "ICE or DTLS did not finish; does the answer name an address that can be reached from here?",
        Some(_) => "no key picture came",
    }
}

/// What one viewer got in the window.
struct Got {
    packets: u64,
    bytes: u64,
    /// Packets of sound and pictures, each counted once.
    media: u64,
    lost: u64,
}

fn differences(before: &[Seen<View>], after: &[Seen<View>]) -> Vec<Got> {
    let got = |(before, after): (&Seen<View>, &Seen<View>)| {
        let lanes = [(before.role.video, after.role.video), (before.role.audio, after.role.audio)];
        Got {
            packets: after.wire.packets_in - before.wire.packets_in,
            bytes: after.wire.bytes_in - before.wire.bytes_in,
            media: lanes.iter().map(|(before, after)| after.received_since(before)).sum(),
            lost: lanes.iter().map(|(before, after)| after.lost_since(before)).sum(),
        }
    };
    before.iter().zip(after).map(got).collect()
}

fn times(seen: &[Seen<View>], of: impl Fn(&View) -> Option<Duration>) -> Option<Summary> {
    let mut samples = Samples::default();
    seen.iter().filter_map(|seen| of(&seen.role)).for_each(|time| samples.add(time));
    samples.summary()
}

/// Latency of what came in the window: what newcomers get at once was sent before.
fn latency(before: &[Seen<View>], after: &[Seen<View>], of: fn(&View) -> &Samples) -> Option<Summary> {
    let mut samples = Samples::default();
    for (before, after) in before.iter().zip(after) {
        samples.merge(of(&after.role).clone().since(of(&before.role)));
    }
    samples.summary()
}

impl report::Tell for Watched {
    fn tell(&self, out: &mut report::Lines) {
        out.line("protocol", "WHEP");
        out.line("viewers", format!("{} of {} joined ({} closed)", self.joined, self.asked, self.closed));
        report::failures(out, &self.failures);
        out.line("viewers fed", self.fed.to_string());
        let (bytes, rate) = (report::bytes(self.bytes), self.packets_per_second);
        out.line(
            "received",
            format!("{} packets, {bytes} in {:.1} s, {rate:.0} packets/s", self.packets, self.seconds),
        );
        out.line("lost", self.lost.to_string());
        report::summary(out, "connected", self.connected.as_ref());
        report::summary(out, "first picture", self.join.as_ref());
        report::summary(out, "latency", self.latency.as_ref());
        report::summary(out, "latency of sound", self.sound_latency.as_ref());
        self.cost.iter().for_each(|cost| cost.tell_server(out));
        self.own.iter().for_each(|own| own.tell_own(out));
    }
}
