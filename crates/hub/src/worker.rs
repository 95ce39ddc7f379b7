use crate::SessionId;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use socket2::{Domain, Protocol, Socket, Type};
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

/// Connections the kernel holds for us while a worker is busy.
const BACKLOG: i32 = 1024;

/// Jobs that may wait for a worker; only start-up sends any.
const JOBS_MAX: usize = 64;

/// Pause after a failed accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What serves one connection, on the worker that accepted it.
pub type Serve = Arc<dyn Fn(Connection) -> Pin<Box<dyn Future<Output = ()>>> + Send + Sync>;

/// What a worker is handed to do, on its own thread.
pub type Job = Box<dyn FnOnce() + Send>;

/// An accepted TCP connection. It counts against the connection limit until it is dropped.
#[derive(Debug)]
pub struct Connection {
    /// The socket; TCP_NODELAY is set, because whole batches are written at once.
    pub io: TcpStream,
    /// The peer's address.
    pub peer: SocketAddr,
    /// Our address, as the peer sees it.
    pub local: SocketAddr,
    /// Context id for logs and API.
    pub id: SessionId,
    /// Keeps the connection counted; hold it as long as the socket.
    pub permit: Permit,
}

/// One place under the connection limit.
#[derive(Debug)]
pub struct Permit(Arc<Limit>);

#[derive(Debug)]
struct Limit {
    max: usize,
    used: AtomicUsize,
}

impl Limit {
    fn permit(self: &Arc<Self>) -> Option<Permit> {
        let take = |n: usize| (n < self.max).then_some(n + 1);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok().map(|_| Permit(self.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The media threads: one current-thread runtime each, pinned to a core. A connection is accepted by one of them and
/// stays there for life.
#[derive(Debug)]
pub struct Workers {
    jobs: Vec<mpsc::Sender<Job>>,
    limit: Arc<Limit>,
}

impl Workers {
    /// Starts `count` workers (at least one) that together hold at most `max_connections` TCP connections.
    pub fn start(count: usize, max_connections: usize) -> io::Result<Workers> {
        let cores = usable_cores();
        let limit = Arc::new(Limit { max: max_connections, used: AtomicUsize::new(0) });
        let jobs = (0..count.max(1)).map(|i| start_worker(i, cores.get(i % cores.len().max(1)).copied()));
        Ok(Workers { jobs: jobs.collect::<io::Result<_>>()?, limit })
    }

    /// How many workers there are.
    pub fn count(&self) -> usize {
        self.jobs.len()
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.limit.used.load(Ordering::Relaxed)
    }

    /// Hands a worker something to do; it may spawn local tasks. `worker` counts from 0.
    ///
    /// For start-up: the worker's queue is short, and a full one is an error.
    pub fn run(&self, worker: usize, job: Job) -> io::Result<()> {
        let jobs =
            self.jobs.get(worker).ok_or_else(|| io::Error::other(format!("there is no worker {worker}")))?;
        jobs.try_send(job).map_err(|e| io::Error::other(format!("cannot hand work to worker {worker}: {e}")))
    }

    /// Listens on `addr` with a socket in every worker; returns the address bound (the port, when `addr` has port 0).
    ///
    /// Fails when the port is taken, even by a process that would share it.
    pub fn listen(&self, addr: SocketAddr, serve: Serve) -> io::Result<SocketAddr> {
        drop(bind(addr, false)?);
        let first = bind(addr, true)?;
        let bound = first.local_addr()?.as_socket().unwrap_or(addr);
        let mut sockets = vec![first];
        for _ in 1..self.jobs.len() {
            sockets.push(bind(bound, true)?);
        }
        for (socket, jobs) in sockets.into_iter().zip(&self.jobs) {
            let (serve, limit) = (serve.clone(), self.limit.clone());
            let listener: std::net::TcpListener = socket.into();
            let job: Job = Box::new(move || drop(spawn_local(accept(listener, serve, limit))));
            jobs.try_send(job)
                .map_err(|e| io::Error::other(format!("cannot hand a listener to a worker: {e}")))?;
        }
        Ok(bound)
    }
}

fn bind(addr: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(false).ok();
    }
    socket.set_reuse_port(shared)?;
    socket.bind(&addr.into())?;
    if shared {
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
    }
    Ok(socket)
}

thread_local! {
    /// Steady senders of this worker.
    static FEEDS: Cell<u32> = const { Cell::new(0) };
}

/// Steady senders whose bytes a worker takes without any rest.
const RESTLESS: u32 = 8;

/// A worker's rest for each further one.
const REST_EACH: Duration = Duration::from_micros(700);

/// A worker's longest rest.
const REST_MAX: Duration = Duration::from_millis(100);

/// Counts one steady sender (a publisher) among those of this worker, until it is dropped.
///
/// A wake-up costs more than the frame that causes it. So before a worker with many senders waits for the kernel, it
/// rests, the longer the more they are, and then takes what has gathered; one with few takes whatever comes at once.
#[derive(Debug)]
pub struct Feed(PhantomData<*const ()>);

impl Feed {
    /// Counts one more sender on this thread.
    #[expect(clippy::new_without_default, reason = "counting is an act, not a default")]
    pub fn new() -> Feed {
        FEEDS.set(FEEDS.get() + 1);
        Feed(PhantomData)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        FEEDS.set(FEEDS.get() - 1);
    }
}

/// Called when a worker has nothing more to do and is about to wait.
fn rest() {
    let rest = (REST_EACH * FEEDS.get().saturating_sub(RESTLESS)).min(REST_MAX);
    if !rest.is_zero() {
        std::thread::sleep(rest);
    }
}

fn start_worker(index: usize, core: Option<usize>) -> io::Result<mpsc::Sender<Job>> {
    let (jobs, mut inbox) = mpsc::channel::<Job>(JOBS_MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(rest).build()?;
    std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        if let Some(core) = core {
            pin(core);
        }
        LocalSet::new().block_on(&runtime, async move {
            while let Some(job) = inbox.recv().await {
                job();
            }
        });
    })?;
    Ok(jobs)
}

fn usable_cores() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else { return Vec::new() };
    (0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap_or(false)).collect()
}

fn pin(core: usize) {
    let mut set = CpuSet::new();
    let pinned = set.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
    if let Err(error) = pinned {
        tracing::debug!(core, %error, "worker is not pinned to its core");
    }
}

async fn accept(listener: std::net::TcpListener, serve: Serve, limit: Arc<Limit>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot listen: registering the socket failed"),
    };
    let mut refused = Refusals::default();
    loop {
        let (io, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed; raise the open-files limit if it says too many open files");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(permit) = limit.permit() else {
            refused.log(peer, limit.max);
            continue;
        };
        let Ok(local) = io.local_addr() else { continue };
        io.set_nodelay(true).ok();
        spawn_local(serve(Connection { io, peer, local, id: SessionId::random(), permit }));
    }
}

/// Refused connections, logged at most once a second.
#[derive(Default)]
struct Refusals {
    silent: u64,
    logged: Option<std::time::Instant>,
}

impl Refusals {
    fn log(&mut self, peer: SocketAddr, max: usize) {
        self.silent += 1;
        if self.logged.is_some_and(|t| t.elapsed() < Duration::from_secs(1)) {
            return;
        }
        tracing::warn!(%peer, refused = self.silent, "closed a new connection: max_connections {max} reached");
        self.silent = 0;
        self.logged = Some(std::time::Instant::now());
    }
}
