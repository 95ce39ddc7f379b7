//! `headwater bench table`: what this machine needs for each kind of work, beside the floor program and nginx-rtmp.
//!
//! Every server is started for its measurement and ended after it. A measurement that fails becomes a row that says
//! so; the others go on.

mod machine;
mod markdown;
mod row;
mod verdict;
mod webrtc;

use crate::broadcast::Broadcast;
use crate::connect::{self, ConnectError, Connected};
use crate::floor::{self, Floor, FloorError};
use crate::options::{Bitrate, Remote, Window};
use crate::play::{self, Played, RunError};
use crate::process::ProcessError;
use crate::publish::{self, PublishError, Published, StreamArgs};
use crate::report;
use crate::rtmp::RtmpError;
use crate::segments::{self, Fetched, SegmentsError};
use crate::server::{Server, ServerError, Setup};
use crate::target::TargetError;
use crate::webrtc::play::WatchError;
use crate::webrtc::publish::SendError;
use machine::Machine;
use row::Row;
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::time::sleep;
use verdict::Floors;

/// The bit rate of every stream in the table.
const BITRATE: u64 = 2_100_000;
/// Where the table is written.
const DOCUMENT: &str = "docs/performance.md";

/// Measure the whole table of costs on this machine; it takes some minutes and wants the machine for itself.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// A smaller table: 500 players, 10 seconds.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Write docs/performance.md in the current folder.
    #[arg(long)]
    pub(crate) write_docs: bool,
    /// Measure only this work; several may be named.
    #[arg(long, value_enum)]
    pub(crate) only: Vec<Work>,
    /// The `headwater` to measure instead of this program.
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
}

/// The kinds of work that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Work {
    Floor,
    RtmpPlay,
    FlvPlay,
    HttpPlay,
    Segments,
    Publish,
    Latency,
    Start,
    Connects,
    Webrtc,
}

const ALL: [Work; 10] = [
    Work::Floor,
    Work::RtmpPlay,
    Work::FlvPlay,
    Work::HttpPlay,
    Work::Segments,
    Work::Publish,
    Work::Latency,
    Work::Start,
    Work::Connects,
    Work::Webrtc,
];
/// Ways that are compared with the first of them, in the order they are measured: there and back, so that a clock
/// that drifts is the same for all.
const COMPARED: [Way; 6] = [Way::Flv, Way::Ts, Way::WsFlv, Way::WsFlv, Way::Ts, Way::Flv];

#[derive(Debug, Error)]
pub(crate) enum TableError {
    #[error("finding this program: {0}")]
    Program(io::Error),
    #[error("writing {DOCUMENT}: {0}; run it in the root of a clone")]
    Document(io::Error),
}

/// Why one measurement failed.
#[derive(Debug, Error)]
enum StepError {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Floor(#[from] FloorError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("publishing: {0}")]
    Rtmp(#[from] RtmpError),
    #[error(transparent)]
    Play(#[from] RunError),
    #[error(transparent)]
    Segments(#[from] SegmentsError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Watch(#[from] WatchError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("handing over a connection: {0}")]
    HandOver(#[from] io::Error),
}

/// The measured table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Table {
    machine: Machine,
    quick: bool,
    rows: Vec<Row>,
}

/// How much of everything.
#[derive(Clone, Copy, Debug)]
struct Scale {
    players: usize,
    publishers: usize,
    /// Connections that fetch segments.
    connections: usize,
    connects: usize,
    publisher_connects: usize,
    window: Window,
}

const FULL: Scale = Scale {
    players: 2000,
    publishers: 300,
    connections: 5000,
    connects: 10_000,
    publisher_connects: 1000,
    window: Window { seconds: 20.0, warm_up: 4.0 },
};
const QUICK: Scale = Scale {
    players: 500,
    publishers: 75,
    connections: 1000,
    connects: 2000,
    publisher_connects: 200,
    window: Window { seconds: 10.0, warm_up: 3.0 },
};

pub(crate) async fn run(args: &Args) -> Result<Table, TableError> {
    let program = args.server.clone().map_or_else(std::env::current_exe, Ok).map_err(TableError::Program)?;
    let machine = Machine::here();
    let scale = if args.quick { QUICK } else { FULL };
    let mut bench = Bench { program, scale, floors: Floors::default(), rows: Vec::new() };
    for work in ALL {
        if args.only.is_empty() || args.only.contains(&work) {
            bench.measure(work).await;
        }
    }
    let table = Table { machine, quick: args.quick, rows: bench.rows };
    if args.write_docs {
        std::fs::write(Path::new(DOCUMENT), markdown::document(&table)).map_err(TableError::Document)?;
    }
    Ok(table)
}

struct Bench {
    program: PathBuf,
    scale: Scale,
    floors: Floors,
    rows: Vec<Row>,
}

/// Which way a stream is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Rtmp,
    Flv,
    Ts,
    WsFlv,
}

impl Way {
    fn protocol(self) -> &'static str {
        match self {
            Way::Rtmp => "RTMP",
            Way::Flv => "HTTP-FLV",
            Way::Ts => "HTTP-TS",
            Way::WsFlv => "WS-FLV",
        }
    }

    fn url(self, server: &Server) -> String {
        match self {
            Way::Rtmp => rtmp_url(server, "a"),
            Way::Flv => format!("http://127.0.0.1:{}/live/a.flv", server.http),
            Way::Ts => format!("http://127.0.0.1:{}/live/a.ts", server.http),
            Way::WsFlv => format!("ws://127.0.0.1:{}/live/a.flv", server.http),
        }
    }
}

fn rtmp_url(server: &Server, name: &str) -> String {
    format!("rtmp://127.0.0.1:{}/live/{name}", server.rtmp)
}

impl Bench {
    async fn measure(&mut self, work: Work) {
        match work {
            Work::Floor => self.all_floors().await,
            Work::RtmpPlay => self.all_plays(Way::Rtmp).await,
            Work::FlvPlay => self.all_plays(Way::Flv).await,
            Work::HttpPlay => self.compared_plays().await,
            Work::Segments => self.segments().await,
            Work::Publish => self.all_publishes().await,
            Work::Latency => self.latency_and_first_frame().await,
            Work::Start => self.start(),
            Work::Connects => self.connects().await,
            Work::Webrtc => self.webrtc().await,
        }
    }

    async fn all_floors(&mut self) {
        for batch in [350, 40] {
            let work = format!("bare sends to {} players, {batch} ms", self.scale.players);
            say(&work, "floor");
            match self.floor(batch).await {
                Ok(floor) => {
                    self.floors.add(&floor);
                    self.add(row::floor(work, &floor));
                }
                Err(error) => self.fail(work, "floor", &error),
            }
        }
    }

    async fn floor(&self, batch: u64) -> Result<Floor, StepError> {
        let (players, window) = (self.scale.players, self.scale.window);
        let args = floor::Args {
            players,
            bitrate: Bitrate(BITRATE),
            batch,
            window,
            receive: false,
            datagrams: false,
            serve: false,
        };
        Ok(floor::run(&args).await?)
    }

    async fn all_plays(&mut self, way: Way) {
        for batch in [350, 40] {
            let mut one_worker = None;
            for workers in [1, 2] {
                let played = self.play(way, batch, workers).await;
                one_worker = one_worker.or(played);
                if let Some((one, two)) = one_worker.zip(played).filter(|_| workers == 2) {
                    self.add(row::scaling(self.play_name(way, batch), one, two));
                }
            }
        }
        if way == Way::Rtmp {
            self.nginx_play().await;
        }
    }

    fn play_name(&self, way: Way, batch: u64) -> String {
        format!("{} play, {} × 2.1 Mb/s, {batch} ms", way.protocol(), self.scale.players)
    }

    /// CPU seconds for each GB, when it could be measured.
    async fn play(&mut self, way: Way, batch: u64, workers: usize) -> Option<f64> {
        let (work, name) = (self.play_name(way, batch), headwater(workers));
        say(&work, &name);
        let setup = Setup { workers, mw_latency: Some(batch), hls: false };
        match self.play_on(way, setup).await {
            Ok(played) => {
                let target = verdict::play(&played, self.floors.at(batch));
                self.add(row::play(work, name, &played, Some(target)));
                if workers == 1 && batch == 350 {
                    let work = format!("memory for each player, {}", way.protocol());
                    self.add(row::memory(work, played.cost.as_ref(), verdict::PLAYER_MEMORY, &played));
                }
                played.cost.map(|cost| cost.per_gb_s)
            }
            Err(error) => {
                self.fail(work, &name, &error);
                None
            }
        }
    }

    /// HTTP-TS and WS-FLV beside HTTP-FLV, by turns.
    async fn compared_plays(&mut self) {
        for batch in [350, 40] {
            let mut rounds = Vec::new();
            for way in COMPARED {
                let work = self.play_name(way, batch);
                say(&work, &headwater(1));
                let setup = Setup { workers: 1, mw_latency: Some(batch), hls: false };
                match self.play_on(way, setup).await {
                    Ok(played) => rounds.push((way, played)),
                    Err(error) => return self.fail(work, &headwater(1), &error),
                }
            }
            self.add_compared(batch, &rounds);
        }
    }

    fn add_compared(&mut self, batch: u64, rounds: &[(Way, Played)]) {
        let flv = mean(rounds, Way::Flv);
        for way in [Way::Flv, Way::Ts, Way::WsFlv] {
            let work = format!("{}, by turns", self.play_name(way, batch));
            let own: Vec<_> =
                rounds.iter().filter(|(of, _)| *of == way).map(|(_, played)| played.clone()).collect();
            let target = (way != Way::Flv).then(|| verdict::beside(mean(rounds, way), flv, &own));
            self.add(row::turns(work, headwater(1), &own, target));
        }
    }

    async fn play_on(&self, way: Way, setup: Setup) -> Result<Played, StepError> {
        let server = Server::headwater(&self.program, setup)?;
        self.played(way, &server).await
    }

    async fn nginx_play(&mut self) {
        let work = format!("RTMP play, {} × 2.1 Mb/s", self.scale.players);
        say(&work, NGINX);
        let played = match Server::nginx() {
            Ok(Some(server)) => self.played(Way::Rtmp, &server).await,
            Ok(None) => return self.add(row::skipped(work, NGINX)),
            Err(error) => Err(error.into()),
        };
        match played {
            Ok(played) => self.add(row::play(work, NGINX.into(), &played, None)),
            Err(error) => self.fail(work, NGINX, &error),
        }
    }

    /// One stream, played by everybody.
    async fn played(&self, way: Way, server: &Server) -> Result<Played, StepError> {
        let _stream = stream(server).await?;
        let args = self.play_args(way, server, self.scale.players)?;
        Ok(play::run(&args).await?)
    }

    fn play_args(&self, way: Way, server: &Server, players: usize) -> Result<play::Args, StepError> {
        Ok(play::Args {
            url: way.url(server).parse()?,
            players,
            streams: 1,
            probes: 1,
            connect_rate: 300.0,
            bitrate: Some(Bitrate((stream_args(BITRATE).shape().payload_rate() * 8.0) as u64)),
            pid: Some(server.pid()),
            window: self.scale.window,
            remote: Remote::default(),
        })
    }

    /// The same segments from Headwater's memory and from nginx's files, by turns.
    async fn segments(&mut self) {
        let work = format!("HLS segments, {} connections kept", self.scale.connections);
        let (mut own, mut nginx) = (Vec::new(), Vec::new());
        match self.segment_turns(&work, &mut own, &mut nginx).await {
            Ok(()) => {
                let (cost, other) = (segment_cost(&own), segment_cost(&nginx));
                let complete = own.iter().all(|fetched| fetched.failures.count() == 0);
                self.add(row::segments(work.clone(), "nginx".into(), &nginx, None));
                let target = verdict::segments(cost, other, complete);
                self.add(row::segments(work, headwater(1), &own, Some(target)));
            }
            Err(error) => self.fail(work, &headwater(1), &error),
        }
    }

    async fn segment_turns(
        &self,
        work: &str,
        own: &mut Vec<Fetched>,
        nginx: &mut Vec<Fetched>,
    ) -> Result<(), StepError> {
        let setup = Setup { workers: 1, mw_latency: None, hls: true };
        let server = Server::headwater(&self.program, setup)?;
        let _stream = stream(&server).await?;
        let other = Server::nginx_files(&server.hls_folder())?;
        for of_nginx in [false, true, true, false] {
            let files = if of_nginx { other.as_ref() } else { Some(&server) };
            let Some(files) = files else { continue };
            say(work, if of_nginx { "nginx" } else { "Headwater" });
            let fetched = segments::run(&self.segment_args(&server, files)?).await?;
            if of_nginx { &mut *nginx } else { &mut *own }.push(fetched);
        }
        Ok(())
    }

    fn segment_args(&self, server: &Server, files: &Server) -> Result<segments::Args, StepError> {
        Ok(segments::Args {
            url: format!("http://127.0.0.1:{}/live/a.m3u8", server.http).parse()?,
            connections: self.scale.connections,
            rate: self.scale.connections as f64 / 10.0,
            files_port: Some(files.http),
            connect_rate: 1000.0,
            pid: Some(files.pid()),
            window: self.scale.window,
            remote: Remote::default(),
        })
    }

    async fn receive_floor(&mut self) {
        let work = format!("bare receives from {} publishers", self.scale.publishers);
        say(&work, "floor");
        let (players, window, bitrate) = (self.scale.publishers, self.scale.window, Bitrate(BITRATE));
        let args =
            floor::Args { players, bitrate, batch: 0, window, receive: true, datagrams: false, serve: false };
        match floor::run_receive(&args, &stream_args(BITRATE)).await {
            Ok(published) => self.add(row::publish(work, "floor".into(), &published, None)),
            Err(error) => self.fail(work, "floor", &error.into()),
        }
    }

    async fn all_publishes(&mut self) {
        self.receive_floor().await;
        let work = format!("RTMP publish, {} × 2.1 Mb/s", self.scale.publishers);
        let name = headwater(1);
        say(&work, &name);
        let setup = Setup { workers: 1, mw_latency: None, hls: false };
        match self.published(Server::headwater(&self.program, setup)).await {
            Ok(published) => {
                self.add(row::publish(work.clone(), name, &published, Some(verdict::publish(&published))));
                let memory = "memory for each publisher, 2 s GOP".into();
                let limit = verdict::PUBLISHER_MEMORY;
                self.add(row::memory(memory, published.cost.as_ref(), limit, &published));
            }
            Err(error) => self.fail(work.clone(), &name, &error),
        }
        say(&work, NGINX);
        let nginx = match Server::nginx() {
            Ok(None) => return self.add(row::skipped(work, NGINX)),
            Ok(Some(server)) => self.published(Ok(server)).await,
            Err(error) => Err(error.into()),
        };
        match nginx {
            Ok(published) => self.add(row::publish(work, NGINX.into(), &published, None)),
            Err(error) => self.fail(work, NGINX, &error),
        }
    }

    async fn published(&self, server: Result<Server, ServerError>) -> Result<Published, StepError> {
        let server = server?;
        let args = publish::Args {
            url: rtmp_url(&server, "p{}").parse()?,
            publishers: self.scale.publishers,
            stream: stream_args(BITRATE),
            connect_rate: 100.0,
            pid: Some(server.pid()),
            window: self.scale.window,
            remote: Remote::default(),
        };
        Ok(publish::run(&args).await?)
    }

    /// A few players on an idle server: how late frames are, and how soon the first picture comes.
    async fn latency_and_first_frame(&mut self) {
        for way in [Way::Rtmp, Way::Flv] {
            let (work, name) = (format!("added latency, RTMP in, {} out", way.protocol()), headwater(2));
            say(&work, &name);
            match self.idle(way).await {
                Ok(played) => {
                    self.add(row::latency(work, name.clone(), &played));
                    let work = format!("first picture of a new player, {}", way.protocol());
                    self.add(row::first_picture(work, name, &played));
                }
                Err(error) => self.fail(work, &name, &error),
            }
        }
    }

    async fn idle(&self, way: Way) -> Result<Played, StepError> {
        let server = Server::headwater(&self.program, Setup { workers: 2, mw_latency: None, hls: false })?;
        let _stream = stream(&server).await?;
        let args = self.play_args(way, &server, 50)?;
        Ok(play::run(&play::Args { probes: 4, connect_rate: 20.0, ..args }).await?)
    }

    fn start(&mut self) {
        let (work, name) = ("start to listening".to_owned(), headwater(2));
        say(&work, &name);
        match Server::headwater(&self.program, Setup { workers: 2, mw_latency: None, hls: false }) {
            Ok(server) => self.add(row::start(work, name, server.started_in)),
            Err(error) => self.fail(work, &name, &error.into()),
        }
    }

    async fn connects(&mut self) {
        let scale = self.scale;
        for (publish, count) in [(false, scale.connects), (true, scale.publisher_connects)] {
            let who = if publish { "publishers" } else { "players" };
            let (work, name) = (format!("memory after {count} {who} came and went"), headwater(2));
            say(&work, &name);
            match self.came_and_went(publish, count).await {
                Ok(connected) => self.add(row::connects(work, name, &connected)),
                Err(error) => self.fail(work, &name, &error),
            }
        }
    }

    async fn came_and_went(&self, publish: bool, count: usize) -> Result<Connected, StepError> {
        let server = Server::headwater(&self.program, Setup { workers: 2, mw_latency: None, hls: false })?;
        let _stream = stream(&server).await?;
        let args = connect::Args {
            url: rtmp_url(&server, if publish { "p{}" } else { "a" }).parse()?,
            connections: count,
            publish,
            stream: stream_args(500_000),
            connect_rate: 300.0,
            pid: Some(server.pid()),
            settle: 5.0,
            remote: Remote::default(),
        };
        Ok(connect::run(&args).await?)
    }

    /// Says a result at once; the table comes only when all is measured.
    fn add(&mut self, row: Row) {
        let met = row.met.map_or("", |met| if met { " (met)" } else { " (MISSED)" });
        // progress only; nothing is lost when nobody reads it
        let _ = writeln!(io::stderr(), "  {}: {}{met}", row.work, row.result);
        self.rows.push(row);
    }

    fn fail(&mut self, work: String, server: &str, error: &StepError) {
        self.add(row::failed(work, server, error));
    }
}

const NGINX: &str = "nginx-rtmp";

/// CPU seconds for each GB of all rounds of `way` together.
fn mean(rounds: &[(Way, Played)], way: Way) -> Option<f64> {
    let own: Vec<_> = rounds.iter().filter(|(of, _)| *of == way).map(|(_, played)| played).collect();
    let cost: Option<f64> = own.iter().map(|played| played.cost.map(|cost| cost.user_s + cost.sys_s)).sum();
    let bytes: u64 = own.iter().map(|played| played.delivery.bytes).sum();
    cost.filter(|_| bytes > 0).map(|seconds| seconds / (bytes as f64 / 1e9))
}

fn segment_cost(rounds: &[Fetched]) -> Option<f64> {
    let seconds: Option<f64> =
        rounds.iter().map(|fetched| fetched.cost.map(|cost| cost.user_s + cost.sys_s)).sum();
    let bytes: u64 = rounds.iter().map(|fetched| fetched.bytes).sum();
    seconds.filter(|_| bytes > 0).map(|seconds| seconds / (bytes as f64 / 1e9))
}

fn headwater(workers: usize) -> String {
    if workers == 1 { "Headwater, 1 worker".into() } else { format!("Headwater, {workers} workers") }
}

fn stream_args(bitrate: u64) -> StreamArgs {
    StreamArgs::usual(Bitrate(bitrate))
}

/// Publishes one stream until dropped, and waits until a GOP of it is there.
async fn stream(server: &Server) -> Result<Broadcast, StepError> {
    let target: crate::target::Target = rtmp_url(server, "a").parse()?;
    let broadcast = Broadcast::start(stream_args(BITRATE).shape());
    broadcast.add(publish::publish(target.clone(), target.resolve(false)?, 0).await?)?;
    sleep(Duration::from_millis(2500)).await;
    Ok(broadcast)
}

fn say(work: &str, server: &str) {
    // progress only; nothing is lost when nobody reads it
    let _ = writeln!(io::stderr(), "measuring {work}: {server}");
}

impl report::Tell for Table {
    fn tell(&self, out: &mut report::Lines) {
        let m = &self.machine;
        out.line("machine", format!("{}, {} cores, Linux {}, {}", m.cpu, m.cores, m.kernel, m.date));
        for row in &self.rows {
            let target = row.target.as_deref().map_or(String::new(), |target| format!("; target {target}"));
            let met = row.met.map_or("", |met| if met { "  [met]" } else { "  [MISSED]" });
            out.line("", format!("{} | {}: {}{target}{met}", row.work, row.server, row.result));
        }
    }
}
