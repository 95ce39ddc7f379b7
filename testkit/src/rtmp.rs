//! An RTMP peer that does what a test tells it, frame by frame, over any connection.

use headwater_media::Frame;
use headwater_rtmp_proto::{ClientEvent, ClientOptions, ClientOutput, ClientSession, Purpose};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Nothing that is waited for takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that publishes or plays one stream.
#[derive(Debug)]
pub struct RtmpPeer<S = TcpStream> {
    io: S,
    session: ClientSession,
    opened: Instant,
    events: VecDeque<ClientEvent>,
}

/// A TCP connection whose reads and writes give up after a while.
pub fn connect(server: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect_timeout(&server, TIMEOUT);
    let socket = socket.unwrap_or_else(|err| panic!("cannot connect to {server}: {err}"));
    let limited =
        socket.set_read_timeout(Some(TIMEOUT)).and_then(|()| socket.set_write_timeout(Some(TIMEOUT)));
    limited.and_then(|()| socket.set_nodelay(true)).unwrap_or_else(|err| panic!("{server}: {err}"));
    socket
}

impl RtmpPeer<TcpStream> {
    /// Begins to publish `live/<stream>`.
    pub fn publish(server: SocketAddr, stream: &str) -> RtmpPeer {
        RtmpPeer::start(connect(server), stream, Purpose::Publish)
    }

    /// Begins to play `live/<stream>`.
    pub fn play(server: SocketAddr, stream: &str) -> RtmpPeer {
        RtmpPeer::start(connect(server), stream, Purpose::Play)
    }
}

impl<S: Read + Write> RtmpPeer<S> {
    /// Publishes or plays `live/<stream>` over `io`; returns when the server has said yes.
    pub fn start(io: S, stream: &str, purpose: Purpose) -> RtmpPeer<S> {
        let options = ClientOptions::new(&format!("rtmp://localhost/live/{stream}"), purpose);
        let session = ClientSession::new(options, 1);
        let mut peer = RtmpPeer { io, session, opened: Instant::now(), events: VecDeque::new() };
        loop {
            match peer.event() {
                Some(ClientEvent::Publishing | ClientEvent::Playing) => return peer,
                Some(ClientEvent::Status { .. }) => {}
                other => panic!("{purpose:?} of {stream} was answered by {other:?}"),
            }
        }
    }

    /// Sends frames of the published stream.
    pub fn send(&mut self, frames: &[Frame]) {
        frames.iter().for_each(|frame| {
            self.session.send_frame(frame).unwrap_or_else(|err| panic!("{frame:?} cannot be sent: {err}"));
        });
        self.drain().unwrap_or_else(|err| panic!("the server does not take frames: {err}"));
    }

    /// Pauses the played stream, or goes on with it, and waits for the server's word.
    pub fn pause(&mut self, paused: bool) -> Vec<Frame> {
        self.session.pause(paused);
        let code = if paused { "NetStream.Pause.Notify" } else { "NetStream.Unpause.Notify" };
        let mut before = Vec::new();
        loop {
            match self.event() {
                Some(ClientEvent::Status { code: said, .. }) if said == code => return before,
                Some(ClientEvent::Frame(frame)) => before.push(frame),
                Some(_) => {}
                None => panic!("the connection closed before {code}"),
            }
        }
    }

    /// The next thing that happens; none when the server has closed the connection. Panics after 10 s of nothing.
    pub fn event(&mut self) -> Option<ClientEvent> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            if self.drain().is_err() {
                return self.events.pop_front();
            }
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match self.io.read(&mut buffer) {
                Ok(0) => return None,
                Ok(n) => {
                    let handled = self.session.handle(&buffer[..n], self.opened.elapsed());
                    handled.unwrap_or_else(|err| panic!("the server broke the protocol: {err}"));
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) if matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    panic!("nothing came from the server in {TIMEOUT:?}")
                }
                Err(_) => return None,
            }
        }
    }

    /// The next frame; none when the server has closed the connection.
    pub fn frame(&mut self) -> Option<Frame> {
        loop {
            if let ClientEvent::Frame(frame) = self.event()? {
                return Some(frame);
            }
        }
    }

    /// The next `n` frames that are coded media; configurations and scripts are passed over.
    pub fn media(&mut self, n: usize) -> Vec<Frame> {
        let frames = std::iter::from_fn(|| self.frame());
        let media: Vec<Frame> = frames.filter(crate::flv::is_media).take(n).collect();
        assert_eq!(media.len(), n, "the connection closed before {n} frames came");
        media
    }

    /// Says goodbye as encoders do, and closes.
    pub fn finish(mut self) {
        self.session.finish();
        self.drain().unwrap_or_else(|err| panic!("the server does not take a goodbye: {err}"));
    }

    fn drain(&mut self) -> io::Result<()> {
        while let Some(output) = self.session.poll() {
            match output {
                ClientOutput::Send(bytes) => self.io.write_all(&bytes)?,
                ClientOutput::Event(event) => self.events.push_back(event),
            }
        }
        self.io.flush()
    }
}
