//! The floor: what the same delivery costs when a program does nothing but `send`.
//!
//! The sending half runs in a process of its own, so that its CPU time can be told from the receiving half's. What
//! the kernel does for the receiver lands partly on the sender; that is so for every server measured here.

mod sender;

use crate::audience::Audience;
use crate::cost::{Cost, Watch};
use crate::delivery::{Delivery, LIVE_EDGE, Measure, measure};
use crate::options::{Bitrate, Window};
use crate::process::ProcessError;
use crate::{open_files, report, target};
use serde::Serialize;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use thiserror::Error;

/// Measure bare `send` calls: the least that a delivery can cost on this machine.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Connections to send to.
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
    /// Be the sending half: print the port, wait for the players, send until standard input closes.
    #[arg(long, hide = true)]
    pub(crate) serve: bool,
}

#[derive(Debug, Error)]
pub(crate) enum FloorError {
    #[error(transparent)]
    OpenFiles(#[from] open_files::OpenFilesError),
    #[error("starting the sending half: {0}")]
    Spawn(io::Error),
    #[error("the sending half said {line:?} instead of its port")]
    Port { line: String },
    #[error("connecting to the sending half: {0}")]
    Connect(io::Error),
    #[error("sending: {0}")]
    Send(io::Error),
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

pub(crate) async fn run(args: &Args) -> Result<Floor, FloorError> {
    open_files::allow(args.players as u64)?;
    let sender = Sender::start(args)?;
    let mut watch = Watch::before(Some(sender.child.id()))?;
    let audience = Audience::start();
    for index in 0..args.players {
        let stream = connect(sender.address, index).map_err(FloorError::Connect)?;
        audience.add(stream).map_err(FloorError::Connect)?;
    }
    tokio::time::sleep(args.window.warm_up()).await;
    let by = Measure { window: args.window.length(), bitrate: Some(args.bitrate.0), edge: LIVE_EDGE };
    let (delivery, cost) = measure(|| audience.snapshot(), &mut watch, by).await?;
    Ok(Floor { batch_ms: args.batch, delivery, cost })
}

/// The sending half, in this process.
pub(crate) fn serve(args: &Args) -> Result<(), FloorError> {
    open_files::allow(args.players as u64)?;
    sender::serve(args.players, args.bitrate.0, interval(args.batch)).map_err(FloorError::Send)
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

struct Sender {
    child: Child,
    address: SocketAddr,
}

impl Sender {
    fn start(args: &Args) -> Result<Self, FloorError> {
        let program = std::env::current_exe().map_err(FloorError::Spawn)?;
        let child = Command::new(program)
            .args(["bench", "floor", "--serve", "--batch", &args.batch.to_string()])
            .args(["--players", &args.players.to_string(), "--bitrate", &args.bitrate.0.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(FloorError::Spawn)?;
        let mut sender = Sender { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        let port = sender.port()?;
        sender.address.set_port(port);
        Ok(sender)
    }

    fn port(&mut self) -> Result<u16, FloorError> {
        let mut line = String::new();
        if let Some(output) = self.child.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(FloorError::Spawn)?;
        }
        line.trim().parse().map_err(|_| FloorError::Port { line })
    }
}

impl Drop for Sender {
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
