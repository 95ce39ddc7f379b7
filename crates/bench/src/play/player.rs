//! One player of a live stream, from connecting to frames.

use crate::dial;
use crate::http::{self, Body, Chunks, Head, HttpError, Messages};
use crate::rtmp::{self, RtmpError};
use crate::target::{Protocol, Target};
use headwater_flv::{Demuxer, FlvError, Parsed};
use headwater_media::Frame;
use headwater_mpeg::TsDemuxer;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// A player that has no picture by then has failed.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes read at a time while frames are looked at.
const READ: usize = 64 << 10;

#[derive(Debug, Error)]
pub(crate) enum PlayError {
    #[error("connection: {0}")]
    Connection(#[from] io::Error),
    #[error("{0}")]
    Http(#[from] HttpError),
    #[error("{0}")]
    Flv(#[from] FlvError),
    #[error("{0}")]
    Rtmp(#[from] RtmpError),
    #[error("the server closed the connection")]
    Closed,
    #[error("no key picture within {} s", START_TIMEOUT.as_secs())]
    Late,
}

/// A player that has seen its first key picture.
pub(crate) struct Player {
    stream: TcpStream,
    wire: Wire,
    buffer: Vec<u8>,
    frames: Vec<Frame>,
}

/// How long a start took, from before the TCP connection was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Until the first byte of the media stream.
    pub(crate) first_byte: Duration,
    /// Until the first key picture was complete.
    pub(crate) start_up: Duration,
}

/// What stands between the socket and frames.
enum Wire {
    Rtmp(Box<rtmp::Session>),
    Http(Box<HttpWire>),
}

struct HttpWire {
    /// Received before the head was complete.
    head: Vec<u8>,
    status: u16,
    /// `None` until the head is complete.
    body: Option<Body>,
    media: Media,
}

/// What turns a body's bytes into frames.
enum Media {
    Flv(Demuxer),
    Ts(TsDemuxer),
}

impl Player {
    /// Connects and waits for the first key picture.
    pub(crate) async fn start(
        target: Target,
        server: SocketAddr,
        index: usize,
    ) -> Result<(Player, Start), PlayError> {
        timeout(START_TIMEOUT, Player::begin(&target, server, index)).await.unwrap_or(Err(PlayError::Late))
    }

    async fn begin(target: &Target, server: SocketAddr, index: usize) -> Result<(Player, Start), PlayError> {
        let begun = Instant::now();
        let mut stream = dial::connect(server, index).await?;
        let wire = Wire::open(target, &mut stream).await?;
        let mut player = Player { stream, wire, buffer: vec![0; READ], frames: Vec::new() };
        let mut first_byte = None;
        loop {
            let key = player.read().await?.iter().any(Frame::is_video_key);
            if player.wire.has_media(&player.frames) {
                first_byte.get_or_insert_with(|| begun.elapsed());
            }
            if key {
                let start_up = begun.elapsed();
                return Ok((player, Start { first_byte: first_byte.unwrap_or(start_up), start_up }));
            }
        }
    }

    /// The frames in the next bytes received; perhaps none.
    pub(crate) async fn read(&mut self) -> Result<&[Frame], PlayError> {
        let n = self.stream.read(&mut self.buffer).await?;
        if n == 0 {
            return Err(PlayError::Closed);
        }
        self.frames.clear();
        let reply = self.wire.feed(self.buffer.get(..n).unwrap_or_default(), &mut self.frames)?;
        self.stream.write_all(&reply).await?;
        Ok(&self.frames)
    }

    /// The bare socket, for an audience that only counts.
    pub(crate) fn into_stream(self) -> io::Result<std::net::TcpStream> {
        self.stream.into_std()
    }
}

impl Wire {
    async fn open(target: &Target, stream: &mut TcpStream) -> Result<Wire, PlayError> {
        let host = target.host_field();
        let (request, status) = match target.protocol {
            Protocol::Rtmp => return Ok(Wire::Rtmp(Box::new(rtmp::play(target, stream).await?))),
            Protocol::WsFlv => (http::upgrade(&host, &target.path), 101),
            _ => (http::get(&host, &target.path), 200),
        };
        stream.write_all(request.as_bytes()).await?;
        let media = match target.protocol {
            Protocol::Ts => Media::Ts(TsDemuxer::new()),
            _ => Media::Flv(Demuxer::new()),
        };
        Ok(Wire::Http(Box::new(HttpWire { head: Vec::new(), status, body: None, media })))
    }

    /// Appends the frames in `input`; gives what must be sent back.
    fn feed(&mut self, input: &[u8], frames: &mut Vec<Frame>) -> Result<Vec<u8>, PlayError> {
        match self {
            Wire::Rtmp(session) => Ok(session.handle(input, frames)?),
            Wire::Http(wire) => wire.feed(input, frames).map(|()| Vec::new()),
        }
    }

    /// Whether the media stream has begun.
    fn has_media(&self, frames: &[Frame]) -> bool {
        match self {
            Wire::Rtmp(_) => !frames.is_empty(),
            Wire::Http(wire) => wire.body.is_some(),
        }
    }
}

impl HttpWire {
    fn feed(&mut self, input: &[u8], frames: &mut Vec<Frame>) -> Result<(), PlayError> {
        let mut bytes = Vec::new();
        match &mut self.body {
            Some(body) => body.unwrap_into(input, &mut bytes)?,
            None => self.feed_head(input, &mut bytes)?,
        }
        Ok(self.media.demux(&bytes, frames)?)
    }

    fn feed_head(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), PlayError> {
        self.head.extend_from_slice(input);
        let Some(head) = Head::parse(&self.head)? else { return Ok(()) };
        head.expect(self.status)?;
        let mut body = match head.status {
            101 => Body::Messages(Messages::default()),
            _ if head.chunked => Body::Chunked(Chunks::default()),
            _ => Body::Plain,
        };
        let received = std::mem::take(&mut self.head);
        body.unwrap_into(received.get(head.len..).unwrap_or_default(), out)?;
        self.body = Some(body);
        Ok(())
    }
}

impl Media {
    fn demux(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) -> Result<(), FlvError> {
        match self {
            Media::Ts(demuxer) => demuxer.push(bytes, frames),
            Media::Flv(demuxer) => {
                demuxer.push(bytes);
                while let Some(tag) = demuxer.next_tag()? {
                    if let Parsed::Frame(frame) = tag.parse()? {
                        frames.push(frame);
                    }
                }
            }
        }
        Ok(())
    }
}
