//! The RTMP client of publishers and players: the protocol's session on a socket.

use crate::broadcast::CHUNK_SIZE;
use crate::target::Target;
use headwater_media::Frame;
use headwater_rtmp_proto::{ClientEvent, ClientOptions, ClientOutput, ClientSession, Purpose, SessionError};
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Bytes read at a time until the request is answered.
const READ: usize = 4096;

#[derive(Debug, Error)]
pub(crate) enum RtmpError {
    #[error("connection: {0}")]
    Connection(#[from] io::Error),
    #[error("{0}")]
    Protocol(#[from] SessionError),
    #[error("refused with {code}: {description}")]
    Refused { code: String, description: String },
    #[error("the server closed the connection before it answered")]
    Closed,
    #[error("the server did not answer in time")]
    Late,
}

/// The protocol of one connection whose request was accepted.
pub(crate) struct Session {
    session: ClientSession,
    begun: Instant,
    /// Came together with the answer to the request.
    early: Vec<Frame>,
}

/// A publisher whose request was accepted.
pub(crate) struct Client {
    /// Non-blocking.
    pub(crate) stream: std::net::TcpStream,
    session: Session,
}

/// Asks to play and waits for the answer.
pub(crate) async fn play(target: &Target, stream: &mut TcpStream) -> Result<Session, RtmpError> {
    Session::open(target, Purpose::Play, stream).await
}

impl Client {
    /// Asks to publish and waits for the answer.
    pub(crate) async fn publish(target: &Target, mut stream: TcpStream) -> Result<Client, RtmpError> {
        let session = Session::open(target, Purpose::Publish, &mut stream).await?;
        Ok(Client { stream: stream.into_std()?, session })
    }

    /// Takes what the server sent; gives what must be sent back.
    pub(crate) fn handle(&mut self, bytes: &[u8]) -> Result<Vec<u8>, RtmpError> {
        self.session.handle(bytes, &mut Vec::new())
    }
}

impl Session {
    async fn open(target: &Target, purpose: Purpose, stream: &mut TcpStream) -> Result<Self, RtmpError> {
        let options =
            ClientOptions { chunk_size: CHUNK_SIZE as u32, ..ClientOptions::new(&target.url(), purpose) };
        let session = ClientSession::new(options, rand::random());
        let mut session = Session { session, begun: Instant::now(), early: Vec::new() };
        let mut buffer = [0; READ];
        loop {
            let step = session.drain()?;
            stream.write_all(&step.send).await?;
            session.early.extend(step.frames);
            if step.accepted {
                return Ok(session);
            }
            match stream.read(&mut buffer).await? {
                0 => return Err(RtmpError::Closed),
                n => session.take(buffer.get(..n).unwrap_or_default())?,
            }
        }
    }

    /// Takes what the server sent and appends the frames in it; gives what must be sent back.
    pub(crate) fn handle(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) -> Result<Vec<u8>, RtmpError> {
        frames.append(&mut self.early);
        self.take(bytes)?;
        let step = self.drain()?;
        frames.extend(step.frames);
        Ok(step.send)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), RtmpError> {
        let now: Duration = self.begun.elapsed();
        Ok(self.session.handle(bytes, now)?)
    }

    fn drain(&mut self) -> Result<Step, RtmpError> {
        let mut step = Step::default();
        while let Some(output) = self.session.poll() {
            match output {
                ClientOutput::Send(bytes) => step.send.extend_from_slice(&bytes),
                ClientOutput::Event(ClientEvent::Frame(frame)) => step.frames.push(frame),
                ClientOutput::Event(ClientEvent::Publishing | ClientEvent::Playing) => step.accepted = true,
                ClientOutput::Event(ClientEvent::Status { .. }) => {}
                ClientOutput::Event(ClientEvent::Refused { code, description }) => {
                    return Err(RtmpError::Refused { code, description });
                }
            }
        }
        Ok(step)
    }
}

/// What came of the bytes taken in.
#[derive(Default)]
struct Step {
    send: Vec<u8>,
    frames: Vec<Frame>,
    accepted: bool,
}
