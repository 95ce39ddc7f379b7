//! The RTMP client of publishers and players.

mod wire;

pub(crate) use wire::write_frame;

use crate::target::Target;
use bytes::BytesMut;
use headwater_flv::{Parsed, Tag, amf0};
use headwater_media::Frame;
use std::io;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::{ChunkReader, write_message};

#[derive(Debug, Error)]
pub(crate) enum RtmpError {
    #[error("connection: {0}")]
    Connection(#[from] io::Error),
    #[error("RTMP: {0}")]
    Protocol(String),
    #[error("refused: {0}")]
    Refused(String),
    #[error("{0} is not rtmp://host/app/stream")]
    Url(String),
    #[error("not accepted in time")]
    Late,
}

/// The protocol of one connection after its request was accepted.
pub(crate) struct Session {
    reader: ChunkReader,
}

/// A publisher whose request was accepted.
pub(crate) struct Client {
    /// Non-blocking.
    pub(crate) stream: std::net::TcpStream,
    session: Session,
}

/// Asks to play.
pub(crate) async fn play(target: &Target, stream: &mut TcpStream) -> Result<Session, RtmpError> {
    open(target, stream, false).await
}

impl Client {
    /// Asks to publish and waits for the answer.
    pub(crate) async fn publish(target: &Target, mut stream: TcpStream) -> Result<Client, RtmpError> {
        let session = open(target, &mut stream, true).await?;
        Ok(Client { stream: stream.into_std()?, session })
    }

    /// Takes what the server sent; gives what must be sent back.
    pub(crate) fn handle(&mut self, bytes: &[u8]) -> Result<Vec<u8>, RtmpError> {
        self.session.handle(bytes, &mut Vec::new())
    }
}

impl Session {
    /// Takes what the server sent and appends the frames in it; gives what must be sent back.
    pub(crate) fn handle(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) -> Result<Vec<u8>, RtmpError> {
        self.reader.push(bytes);
        while let Some(message) =
            self.reader.next_message().map_err(|()| RtmpError::Protocol("chunks".into()))?
        {
            match message.kind {
                1 => {
                    let size = message.body.first_chunk().map_or(128, |b| u32::from_be_bytes(*b));
                    self.reader.chunk_size = size as usize;
                }
                8 | 9 => {
                    let tag = Tag {
                        tag_type: message.kind,
                        timestamp_ms: message.timestamp,
                        body: message.body.into(),
                    };
                    if let Ok(Parsed::Frame(frame)) = tag.parse() {
                        frames.push(frame);
                    }
                }
                _ => {}
            }
        }
        Ok(Vec::new())
    }
}

async fn open(target: &Target, stream: &mut TcpStream, publish: bool) -> Result<Session, RtmpError> {
    let url = || RtmpError::Url(target.url());
    let (app, name) = target.path.trim_start_matches('/').rsplit_once('/').ok_or_else(url)?;
    let mut c0c1 = vec![0x5A; 1537];
    c0c1[..9].copy_from_slice(&[3, 0, 0, 0, 0, 0, 0, 0, 0]);
    stream.write_all(&c0c1).await?;
    let mut s = vec![0; 1 + 1536 + 1536];
    stream.read_exact(&mut s).await?;
    stream.write_all(&s[1..1537]).await?;
    let mut out = BytesMut::new();
    let tc_url = format!("rtmp://{}:{}/{app}", target.host, target.port);
    let mut body = BytesMut::new();
    write_message(2, 1, 0, &(crate::broadcast::CHUNK_SIZE as u32).to_be_bytes(), 128, &mut out);
    amf0::write_string("connect", &mut body);
    amf0::write_number(1.0, &mut body);
    amf0::object([("app", amf0::Value::String(app.into())), ("tcUrl", amf0::Value::String(tc_url))])
        .encode(&mut body);
    write_message(3, 20, 0, &body, 4096, &mut out);
    stream.write_all(&out).await?;
    let mut reader = ChunkReader::new();
    command(stream, &mut reader, "_result").await?;
    let (mut out, mut body) = (BytesMut::new(), BytesMut::new());
    amf0::write_string("createStream", &mut body);
    amf0::write_number(2.0, &mut body);
    amf0::write_null(&mut body);
    write_message(3, 20, 0, &body, 4096, &mut out);
    stream.write_all(&out).await?;
    command(stream, &mut reader, "_result").await?;
    let (mut out, mut body) = (BytesMut::new(), BytesMut::new());
    amf0::write_string(if publish { "publish" } else { "play" }, &mut body);
    amf0::write_number(3.0, &mut body);
    amf0::write_null(&mut body);
    amf0::write_string(name, &mut body);
    if publish {
        amf0::write_string("live", &mut body);
    }
    write_message(5, 20, 1, &body, 4096, &mut out);
    stream.write_all(&out).await?;
    if publish {
        command(stream, &mut reader, "onStatus").await?;
    }
    Ok(Session { reader })
}

async fn command(stream: &mut TcpStream, reader: &mut ChunkReader, wanted: &str) -> Result<(), RtmpError> {
    loop {
        while let Some(message) = reader.next_message().map_err(|()| RtmpError::Protocol("chunks".into()))? {
            if message.kind == 1 {
                let size = message.body.first_chunk().map_or(128, |b| u32::from_be_bytes(*b));
                reader.chunk_size = size as usize;
            }
            if message.kind != 20 {
                continue;
            }
            let values = amf0::decode_all(&message.body).map_err(|e| RtmpError::Protocol(e.to_string()))?;
            let refused =
                values.iter().any(|v| v.property("level").and_then(|l| l.as_str()) == Some("error"));
            if refused || values.first().and_then(|v| v.as_str()) == Some("_error") {
                return Err(RtmpError::Refused(format!("{:?}", values.last())));
            }
            if values.first().and_then(|v| v.as_str()) == Some(wanted) {
                return Ok(());
            }
        }
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Err(RtmpError::Protocol("closed".into()));
        }
        reader.push(&buffer[..n]);
    }
}
