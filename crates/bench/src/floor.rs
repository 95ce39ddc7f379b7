//! The floor: what the same work costs when a program does nothing but `send`, or nothing but `recv`.
//!
//! The measured half runs in a process of its own, so that its CPU time can be told from the other half's. What the
//! kernel does for the receiver lands partly on the sender; that is so for every server measured here.

mod datagrams;
mod receiver;
mod sender;

use crate::audience::Audience;
use crate::broadcast::Broadcast;
use crate::cost::{Cost, Watch};
use crate::delivery::{Delivery, LIVE_EDGE, Measure, measure};
use crate::options::{Bitrate, Window};
use crate::process::ProcessError;
use crate::publish::{self, Published, StreamArgs};
use crate::report::Failures;
use crate::rtmp::Client;
use crate::synthetic::Shape;
use crate::webrtc::cost::{PacketCost, Spent};
use crate::{open_files, report, target};
use serde::Serialize;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Measure bare `send` or `recv` calls: the least that playing or publishing can cost on this machine.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Connections.
    #[arg(long, default_value_t = 2000)]
    pub(crate) players: usize,
    /// Bits a second for each, like 2.1M.
    #[arg(long, default_value = "2.1M")]
    pub(crate) bitrate: Bitrate,
    /// Milliseconds between sends; 0 sends each frame by itself.
    #[arg(long, default_value_t = 350)]
    pub(crate) batch: u64,
    #[command(flatten)]
    pub(crate) window: Window,
    /// Receive from publishers, by epoll, instead of sending to players.
    #[arg(long)]
    pub(crate) receive: bool,
    /// Send a WebRTC stream's datagrams, joined by GSO, instead of bytes over TCP.
    #[arg(long, conflicts_with = "receive")]
    pub(crate) datagrams: bool,
    /// Be the measured half: print the port, wait for the connections, work until standard input closes.
    #[arg(long, hide = true)]
    pub(crate) serve: bool,
}

#[derive(Debug, Error)]
pub(crate) enum FloorError {
    #[error(transparent)]
    OpenFiles(#[from] open_files::OpenFilesError),
    #[error("starting the measured half: {0}")]
    Spawn(io::Error),
    #[error("the measured half said {line:?} instead of its port")]
    Port { line: String },
    #[error("connecting to the measured half: {0}")]
    Connect(io::Error),
    #[error("sending or receiving: {0}")]
    Work(io::Error),
    #[error(transparent)]
    Datagrams(#[from] datagrams::DatagramError),
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// What the floor cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Floor {
    pub(crate) batch_ms: u64,
    pub(crate) delivery: Delivery,
    pub(crate) cost: Option<Cost>,
}

/// What the floor of datagrams cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Datagrams {
    pub(crate) viewers: usize,
    pub(crate) packets: u64,
    pub(crate) packets_per_second: f64,
    /// What the sending half spent.
    pub(crate) cost: Option<PacketCost>,
    /// What the receiving half spent.
    pub(crate) own: Option<PacketCost>,
}

pub(crate) async fn run(args: &Args) -> Result<Floor, FloorError> {
    open_files::allow(args.players as u64)?;
    let half = Half::start(args)?;
    let mut watch = Watch::before(Some(half.child.id()))?;
    let audience = Audience::start();
    for index in 0..args.players {
        let stream = connect(half.address, index).map_err(FloorError::Connect)?;
        audience.add(stream).map_err(FloorError::Connect)?;
    }
    tokio::time::sleep(args.window.warm_up()).await;
    let by = Measure { window: args.window.length(), bitrate: Some(args.bitrate.0), edge: LIVE_EDGE };
    let (delivery, cost) = measure(|| audience.snapshot(), &mut watch, by).await?;
    Ok(Floor { batch_ms: args.batch, delivery, cost })
}

/// Publishers that skip the handshake, against bare `recv`.
pub(crate) async fn run_receive(args: &Args, stream: &StreamArgs) -> Result<Published, FloorError> {
    open_files::allow(args.players as u64)?;
    let half = Half::start(args)?;
    let watch = Watch::before(Some(half.child.id()))?;
    let broadcast = Broadcast::start(stream.shape());
    for index in 0..args.players {
        let client = connect(half.address, index).and_then(Client::without_handshake);
        broadcast.add(client.map_err(FloorError::Connect)?).map_err(FloorError::Connect)?;
        // spread over a second, as real publishers do not start together
        tokio::time::sleep(Duration::from_secs(1) / args.players.max(1) as u32).await;
    }
    Ok(publish::measure(&broadcast, watch, args.window, (args.players, Failures::default())).await?)
}

/// Datagrams without encryption, to sockets that only count them.
pub(crate) async fn run_datagrams(args: &Args) -> Result<Datagrams, FloorError> {
    open_files::allow(args.players as u64)?;
    let half = Half::start(args)?;
    let counted = datagrams::count(half.address, args.players).map_err(FloorError::Connect)?;
    let mut spent = Spent::before(Some(half.child.id()))?;
    tokio::time::sleep(args.window.warm_up()).await;
    let before = counted.now();
    spent.begin()?;
    let start = Instant::now();
    tokio::time::sleep(args.window.length()).await;
    let (packets, bytes) = counted.since(before);
    let packets_per_second = packets as f64 / start.elapsed().as_secs_f64();
    let (cost, own) = spent.end(packets, bytes, args.players)?;
    Ok(Datagrams { viewers: args.players, packets, packets_per_second, cost, own })
}

fn shape(args: &Args) -> Shape {
    StreamArgs::usual(args.bitrate).shape().with_opus()
}

/// The measured half, in this process.
pub(crate) fn serve(args: &Args) -> Result<(), FloorError> {
    open_files::allow(args.players as u64)?;
    let stop = stop_with_input();
    if args.datagrams {
        return Ok(datagrams::serve(args.players, shape(args), &stop)?);
    }
    let listener = listen().map_err(FloorError::Work)?;
    if args.receive {
        return receiver::receive(&listener, args.players, &stop).map(drop).map_err(FloorError::Work);
    }
    sender::send(&listener, args.players, args.bitrate.0, interval(args.batch), &stop)
        .map_err(FloorError::Work)
}

fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(io::stdout(), "{}", listener.local_addr()?.port())?;
    Ok(listener)
}

/// Becomes true when standard input closes.
fn stop_with_input() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    thread::spawn(move || {
        // an error is an end too
        let _ = io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::Relaxed);
    });
    stop
}

/// Frames come 68 times a second: 25 pictures and 43 pieces of sound.
fn interval(batch_ms: u64) -> Duration {
    if batch_ms == 0 { Duration::from_secs(1) / 68 } else { Duration::from_millis(batch_ms) }
}

fn connect(server: SocketAddr, index: usize) -> io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    if let Some(source) = target::source(server, index) {
        socket.bind(&source.into())?;
    }
    socket.connect(&server.into())?;
    Ok(socket.into())
}

struct Half {
    child: Child,
    address: SocketAddr,
}

impl Half {
    fn start(args: &Args) -> Result<Self, FloorError> {
        let program = std::env::current_exe().map_err(FloorError::Spawn)?;
        let child = Command::new(program)
            .args(["bench", "floor", "--serve", "--batch", &args.batch.to_string()])
            .args(args.receive.then_some("--receive"))
            .args(args.datagrams.then_some("--datagrams"))
            .args(["--players", &args.players.to_string(), "--bitrate", &args.bitrate.0.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(FloorError::Spawn)?;
        let mut half = Half { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        let port = half.port()?;
        half.address.set_port(port);
        Ok(half)
    }

    fn port(&mut self) -> Result<u16, FloorError> {
        let mut line = String::new();
        if let Some(output) = self.child.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(FloorError::Spawn)?;
        }
        line.trim().parse().map_err(|_| FloorError::Port { line })
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        // it may have ended by itself, then there is nothing to end
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl report::Tell for Floor {
    fn tell(&self, out: &mut report::Lines) {
        out.line("batch", format!("{} ms", self.batch_ms));
        report::delivery(out, &self.delivery);
        report::cost(out, self.cost.as_ref());
    }
}

impl report::Tell for Datagrams {
    fn tell(&self, out: &mut report::Lines) {
        out.line("viewers", self.viewers.to_string());
        out.line("received", format!("{} packets, {:.0} packets/s", self.packets, self.packets_per_second));
        self.cost.iter().for_each(|cost| cost.tell_server(out));
        self.own.iter().for_each(|own| own.tell_own(out));
    }
}
