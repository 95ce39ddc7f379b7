//! Files over one HTTP connection that stays open, one after the other.

use crate::dial;
use crate::discard::Discard;
use crate::http::{self, Head, HttpError};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

/// Longest body that is kept, bytes; longer ones can only be discarded.
pub(crate) const MAX_KEPT: u64 = 64 << 20;

#[derive(Debug, Error)]
pub(crate) enum FetchError {
    #[error("connection: {0}")]
    Connection(#[from] io::Error),
    #[error("{0}")]
    Http(#[from] HttpError),
    #[error("the answer tells no length")]
    NoLength,
    #[error("the answer is longer than {MAX_KEPT} bytes")]
    Long,
}

/// A connection on which one answer at most is on its way.
pub(crate) struct Fetcher {
    stream: TcpStream,
    server: SocketAddr,
    host: String,
    discard: Discard,
}

impl Fetcher {
    /// `host` goes into the Host field; `index` tells connections apart that need several source addresses.
    pub(crate) async fn connect(host: String, server: SocketAddr, index: usize) -> io::Result<Fetcher> {
        Ok(Fetcher { stream: dial::connect(server, index).await?, server, host, discard: Discard::new() })
    }

    /// Begins anew after an answer whose body nobody read.
    pub(crate) async fn reconnect(&mut self) -> io::Result<()> {
        self.stream = dial::connect(self.server, 0).await?;
        Ok(())
    }

    /// The body of `path`, at most 64 MiB.
    pub(crate) async fn keep(&mut self, path: &str) -> Result<Vec<u8>, FetchError> {
        let (mut body, length) = self.get(path).await?;
        if length > MAX_KEPT {
            return Err(FetchError::Long);
        }
        while (body.len() as u64) < length {
            if self.stream.read_buf(&mut body).await? == 0 {
                return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
            }
        }
        Ok(body)
    }

    /// Receives `path` and throws the body away in the kernel; gives its length in bytes.
    pub(crate) async fn drop_body(&mut self, path: &str) -> Result<u64, FetchError> {
        let (begun, length) = self.get(path).await?;
        let mut got = begun.len() as u64;
        while got < length {
            got += self.drop_some().await?;
        }
        Ok(length)
    }

    /// Only one answer is ever on its way, so everything received belongs to it.
    async fn drop_some(&mut self) -> io::Result<u64> {
        let (stream, discard) = (&self.stream, &mut self.discard);
        let dropped = stream.async_io(Interest::READABLE, || discard.receive(stream)).await?;
        if dropped == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(dropped as u64) }
    }

    /// Sends a request; gives the start of the body and the body's length.
    async fn get(&mut self, path: &str) -> Result<(Vec<u8>, u64), FetchError> {
        self.stream.write_all(http::get(&self.host, path).as_bytes()).await?;
        let mut received = Vec::with_capacity(4096);
        loop {
            if self.stream.read_buf(&mut received).await? == 0 {
                return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
            }
            if let Some(head) = Head::parse(&received)? {
                head.expect(200)?;
                let length = head.content_length.ok_or(FetchError::NoLength)?;
                return Ok((received.split_off(head.len), length));
            }
        }
    }
}
