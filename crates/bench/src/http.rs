//! As much of HTTP/1.1 and WebSocket as a player needs: a request, the head of the answer, and the body's bytes out
//! of chunks or messages.
//!
//! Every decoder takes the received bytes in any split.

use thiserror::Error;

/// Longest head accepted.
const MAX_HEAD: usize = 16 * 1024;
/// Longest line with a chunk's size accepted (RFC 9112 7.1).
const MAX_CHUNK_LINE: usize = 256;
/// The nonce of the WebSocket opening handshake (RFC 6455 4.1); its value is the client's choice.
const WEBSOCKET_KEY: &str = "aGVhZHdhdGVyIGJlbmNoIQ==";

#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum HttpError {
    #[error("the answer's head is longer than {MAX_HEAD} bytes")]
    LongHead,
    #[error("the answer is not HTTP: it begins {0:?}")]
    NotHttp(String),
    #[error("the server answered {0}")]
    Status(u16),
    #[error("a chunk's size is not a hexadecimal number: {0:?}")]
    ChunkSize(String),
}

/// A request that keeps the connection.
pub(crate) fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: headwater-bench\r\nAccept: */*\r\n\r\n")
}

/// A request that brings `body` along.
pub(crate) fn post(host: &str, path: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: headwater-bench\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// A request that turns the connection into a WebSocket (RFC 6455 4.1).
pub(crate) fn upgrade(host: &str, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {WEBSOCKET_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Length of the head itself, bytes.
    pub(crate) len: usize,
    pub(crate) chunked: bool,
    pub(crate) content_length: Option<u64>,
}

impl Head {
    /// Reads the head at the start of `bytes`; `None` when more bytes are needed.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Head>, HttpError> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return if bytes.len() > MAX_HEAD { Err(HttpError::LongHead) } else { Ok(None) };
        };
        let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
        let mut lines = text.split("\r\n");
        let mut head = Head {
            status: status(lines.next().unwrap_or_default())?,
            len: end + 4,
            chunked: false,
            content_length: None,
        };
        lines
            .filter_map(|line| line.split_once(':'))
            .for_each(|(name, value)| head.field(name, value.trim()));
        Ok(Some(head))
    }

    fn field(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("transfer-encoding") {
            self.chunked = value.eq_ignore_ascii_case("chunked");
        } else if name.eq_ignore_ascii_case("content-length") {
            self.content_length = value.parse().ok();
        }
    }

    /// An error unless the answer has this status.
    pub(crate) fn expect(&self, status: u16) -> Result<(), HttpError> {
        if self.status == status { Ok(()) } else { Err(HttpError::Status(self.status)) }
    }
}

fn status(line: &str) -> Result<u16, HttpError> {
    let code =
        line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok());
    code.ok_or_else(|| HttpError::NotHttp(line.chars().take(40).collect()))
}

/// How a live body's bytes are wrapped.
#[derive(Debug)]
pub(crate) enum Body {
    /// Not at all.
    Plain,
    /// In chunks (RFC 9112 7.1).
    Chunked(Chunks),
    /// In WebSocket messages (RFC 6455 5.2).
    Messages(Messages),
}

impl Body {
    /// Appends the body's bytes in `input` to `out`.
    pub(crate) fn unwrap_into(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), HttpError> {
        match self {
            Body::Plain => out.extend_from_slice(input),
            Body::Chunked(chunks) => chunks.decode(input, out)?,
            Body::Messages(messages) => messages.decode(input, out),
        }
        Ok(())
    }
}

/// Takes bytes out of chunks. A last chunk's trailer is skipped like any other line.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    left: usize,
    line: Vec<u8>,
}

impl Chunks {
    fn decode(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), HttpError> {
        while let Some((&byte, rest)) = input.split_first() {
            if self.left > 0 {
                let (data, rest) = input.split_at(self.left.min(input.len()));
                out.extend_from_slice(data);
                self.left -= data.len();
                input = rest;
                continue;
            }
            input = rest;
            self.line_byte(byte)?;
        }
        Ok(())
    }

    /// An empty line is the end of the chunk before.
    fn line_byte(&mut self, byte: u8) -> Result<(), HttpError> {
        let malformed = |line: &[u8]| HttpError::ChunkSize(String::from_utf8_lossy(line).into_owned());
        match byte {
            b'\r' => {}
            b'\n' if self.line.is_empty() => {}
            b'\n' => {
                let line = std::mem::take(&mut self.line);
                let size = String::from_utf8_lossy(line.split(|&b| b == b';').next().unwrap_or_default());
                self.left = usize::from_str_radix(size.trim(), 16).map_err(|_| malformed(&line))?;
            }
            _ if self.line.len() == MAX_CHUNK_LINE => return Err(malformed(&self.line)),
            _ => self.line.push(byte),
        }
        Ok(())
    }
}

/// Takes bytes out of WebSocket messages; a server never masks (RFC 6455 5.1). Control frames are skipped.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    left: usize,
    skip: bool,
    head: Vec<u8>,
}

impl Messages {
    fn decode(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while let Some((&byte, rest)) = input.split_first() {
            if self.left > 0 {
                let (data, rest) = input.split_at(self.left.min(input.len()));
                if !self.skip {
                    out.extend_from_slice(data);
                }
                self.left -= data.len();
                input = rest;
                continue;
            }
            input = rest;
            self.head.push(byte);
            self.begin();
        }
    }

    fn begin(&mut self) {
        let (opcode, length) = match *self.head.as_slice() {
            [first, second] if second & 0x7F < 126 => (first, usize::from(second & 0x7F)),
            [first, second, a, b] if second & 0x7F == 126 => (first, usize::from(u16::from_be_bytes([a, b]))),
            [first, 0x7F | 0xFF, a, b, c, d, e, f, g, h] => {
                (first, u64::from_be_bytes([a, b, c, d, e, f, g, h]) as usize)
            }
            _ => return,
        };
        self.skip = opcode & 0x08 != 0;
        self.left = length;
        self.head.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(mut body: Body, bytes: &[u8], piece: usize) -> Result<Vec<u8>, HttpError> {
        let mut out = Vec::new();
        for piece in bytes.chunks(piece) {
            body.unwrap_into(piece, &mut out)?;
        }
        Ok(out)
    }

    proptest! {
        #[test]
        fn chunks_come_apart_in_any_split(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..5), piece in 1usize..400) {
            let mut wire = Vec::new();
            for part in &parts {
                wire.extend(format!("{:x};ext=1\r\n", part.len()).bytes());
                wire.extend(part);
                wire.extend(b"\r\n");
            }
            prop_assert_eq!(decode(Body::Chunked(Chunks::default()), &wire, piece), Ok(parts.concat()));
        }

        #[test]
        fn messages_come_apart_in_any_split(lengths in prop::collection::vec(prop::sample::select(vec![0usize, 1, 125, 126, 65_535, 65_536]), 0..4), piece in 1usize..70_000) {
            let mut wire = vec![0x89, 3, 1, 2, 3]; // a ping, which is not part of the body
            let mut body = Vec::new();
            for length in lengths {
                wire.push(0x82); // final, binary
                match length {
                    0..126 => wire.push(length as u8),
                    126..65_536 => { wire.push(126); wire.extend((length as u16).to_be_bytes()); }
                    _ => { wire.push(127); wire.extend((length as u64).to_be_bytes()); }
                }
                wire.extend(vec![length as u8; length]);
                body.extend(vec![length as u8; length]);
            }
            prop_assert_eq!(decode(Body::Messages(Messages::default()), &wire, piece), Ok(body));
        }
    }

    #[test]
    fn a_head_tells_how_the_body_comes() {
        let wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\nbody";
        assert_eq!(Head::parse(&wire[..20]), Ok(None));
        let head = Head::parse(wire).unwrap().unwrap();
        assert_eq!((head.status, head.chunked, &wire[head.len..]), (200, true, &b"body"[..]));
        let head = Head::parse(b"HTTP/1.0 404 Gone\r\ncontent-length: 12\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.expect(200), head.content_length), (Err(HttpError::Status(404)), Some(12)));
    }

    #[test]
    fn what_is_not_http_is_shown() {
        assert_eq!(Head::parse(b"SSH-2.0\r\n\r\n"), Err(HttpError::NotHttp("SSH-2.0".into())));
        assert_eq!(Head::parse(&[b'a'; MAX_HEAD + 1]), Err(HttpError::LongHead));
        let chunks = || Body::Chunked(Chunks::default());
        assert_eq!(decode(chunks(), b"xyz\r\n", 1), Err(HttpError::ChunkSize("xyz".into())));
        assert!(decode(chunks(), &[b'1'; 1000], 7).is_err());
    }
}
