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

    /// A publisher that only sends, for a receiver that does not speak RTMP.
    pub(crate) fn without_handshake(stream: std::net::TcpStream) -> io::Result<Client> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let session = Session::new(ClientOptions::new("", Purpose::Publish));
        Ok(Client { stream, session })
    }

    /// Takes what the server sent; gives what must be sent back.
    pub(crate) fn handle(&mut self, bytes: &[u8]) -> Result<Vec<u8>, RtmpError> {
        self.session.handle(bytes, &mut Vec::new())
    }
}

impl Session {
    fn new(options: ClientOptions) -> Self {
        let session = ClientSession::new(options, rand::random());
        Session { session, begun: Instant::now(), early: Vec::new() }
    }

    async fn open(target: &Target, purpose: Purpose, stream: &mut TcpStream) -> Result<Self, RtmpError> {
        let options =
            ClientOptions { chunk_size: CHUNK_SIZE as u32, ..ClientOptions::new(&target.url(), purpose) };
        let mut session = Session::new(options);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broadcast::Broadcast;
    use crate::mark;
    use crate::play::Player;
    use crate::publish::publish;
    use crate::synthetic::{Piece, Shape, Sound};
    use bytes::BytesMut;
    use headwater_media::{Kind, Track};
    use headwater_rtmp_proto::{Event, Output, ServerOptions, ServerSession, write_frame};
    use std::net::SocketAddr;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    const SHAPE: Shape = Shape { bitrate: 800_000, fps: 25, gop: 50, sound: Sound::Aac };

    /// What a server does with a request.
    #[derive(Clone, Copy)]
    enum Answer {
        Accept,
        Refuse,
    }

    /// Serves one connection; gives the frames published to it.
    async fn serve(listener: TcpListener, answer: Answer, frames: mpsc::UnboundedSender<Frame>) {
        let (mut io, _) = listener.accept().await.unwrap();
        let mut session = ServerSession::new(ServerOptions::default(), 1);
        let mut buffer = vec![0; READ];
        loop {
            while let Some(output) = session.poll() {
                match output {
                    Output::Send(bytes) => io.write_all(&bytes).await.unwrap(),
                    Output::Event(Event::Publish(_) | Event::Play(_)) if matches!(answer, Answer::Refuse) => {
                        session.refuse("not today");
                    }
                    Output::Event(Event::Publish(_)) => session.accept_publish().unwrap(),
                    Output::Event(Event::Play(_)) => {
                        session.accept_play().unwrap();
                        send_gop(&mut session, &mut io).await;
                    }
                    Output::Event(Event::Frame(frame)) => {
                        if frames.send(frame).is_err() {
                            return;
                        }
                    }
                    Output::Event(_) => {}
                }
            }
            match io.read(&mut buffer).await {
                Ok(n) if n > 0 => session.handle(&buffer[..n], Duration::ZERO).unwrap(),
                _ => return,
            }
        }
    }

    async fn send_gop(session: &mut ServerSession, io: &mut TcpStream) {
        while let Some(Output::Send(bytes)) = session.poll() {
            io.write_all(&bytes).await.unwrap();
        }
        let mut chunks = BytesMut::new();
        let [video, audio] = SHAPE.configs();
        for frame in [video, audio, SHAPE.sample(Piece::Sound), SHAPE.sample(Piece::KeyPicture)] {
            write_frame(&frame, 0, session.chunk_size(), &mut chunks);
        }
        io.write_all(&chunks).await.unwrap();
    }

    async fn server(answer: Answer) -> (Target, SocketAddr, mpsc::UnboundedReceiver<Frame>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (frames, received) = mpsc::unbounded_channel();
        tokio::spawn(serve(listener, answer, frames));
        (format!("rtmp://{address}/live/a").parse().unwrap(), address, received)
    }

    #[tokio::test]
    async fn a_published_stream_is_valid_and_marked() {
        let (target, address, mut frames) = server(Answer::Accept).await;
        let broadcast = Broadcast::start(SHAPE);
        broadcast.add(publish(target, address, 0).await.unwrap()).unwrap();
        let mut seen = Vec::new();
        while seen.len() < 12 {
            seen.push(frames.recv().await.unwrap());
        }
        let kinds: Vec<_> = seen.iter().take(4).map(|frame| (frame.track, frame.kind)).collect();
        let (video, audio) = (Track::Video, Track::Audio);
        assert_eq!(kinds[..2], [(video, Kind::Config), (audio, Kind::Config)]);
        assert_eq!(kinds[2..], [(video, Kind::Key), (audio, Kind::Key)]);
        for picture in seen.iter().filter(|frame| frame.track == video && frame.kind != Kind::Config) {
            let sent = mark::decode(&picture.payload).unwrap();
            assert!(Duration::ZERO < sent && sent <= mark::now());
        }
    }

    #[tokio::test]
    async fn a_player_has_started_with_its_first_key_picture() {
        let (target, address, _frames) = server(Answer::Accept).await;
        let (_, start) = Player::start(target, address, 0).await.unwrap();
        assert!(Duration::ZERO < start.first_byte && start.first_byte <= start.start_up);
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_servers_words() {
        let (target, address, _frames) = server(Answer::Refuse).await;
        let error = publish(target, address, 0).await.err().unwrap().to_string();
        assert!(error.contains("not today"), "{error}");
    }
}
