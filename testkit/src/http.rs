//! A small HTTP/1.1 client that hides nothing: what a test checks is what came over the socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// No status line or header is longer.
const LINE_MAX: u64 = 64 * 1024;

/// A request about to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    server: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Duration,
}

/// An answer whose body may still be coming; read it with [`Read`], to its end at the body's end.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header names in lower case, with their values, in order.
    pub headers: Vec<(String, String)>,
    body: Body,
}

impl Request {
    /// `GET path` without headers but Host.
    pub fn get(server: SocketAddr, path: &str) -> Request {
        Request {
            server,
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: vec![("Host".to_owned(), server.to_string())],
            body: Vec::new(),
            timeout: TIMEOUT,
        }
    }

    /// Another method.
    pub fn method(mut self, method: &str) -> Request {
        self.method = method.to_owned();
        self
    }

    /// One more header.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A body, with its length.
    pub fn body(mut self, body: &[u8]) -> Request {
        self.body = body.to_vec();
        self.header("Content-Length", &body.len().to_string())
    }

    /// Longest wait for the next byte; 10 s unless set.
    pub fn timeout(mut self, timeout: Duration) -> Request {
        self.timeout = timeout;
        self
    }

    /// Sends it and reads the answer's head.
    pub fn send(&self) -> io::Result<Response> {
        let mut socket = TcpStream::connect_timeout(&self.server, TIMEOUT)?;
        socket.set_read_timeout(Some(self.timeout))?;
        socket.set_write_timeout(Some(self.timeout))?;
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        socket.write_all(head.as_bytes())?;
        socket.write_all(&self.body)?;
        Response::read(BufReader::new(socket), self.method == "HEAD")
    }
}

impl Response {
    fn read(mut socket: BufReader<TcpStream>, no_body: bool) -> io::Result<Response> {
        let status_line = line(&mut socket)?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| malformed(format!("no HTTP status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = line(&mut socket)?;
            if line.is_empty() {
                break;
            }
            let (name, value) =
                line.split_once(':').ok_or_else(|| malformed(format!("no header: {line:?}")))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let header =
            |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let length = header("content-length").and_then(|length| length.parse().ok());
        let framing = match (header("transfer-encoding"), length) {
            _ if no_body || status == 204 || status == 304 => Framing::Length(0),
            (Some("chunked"), _) => Framing::Chunked { left: 0, started: false },
            (_, Some(length)) => Framing::Length(length),
            _ => Framing::UntilClose,
        };
        Ok(Response { status, headers, body: Body { socket, framing } })
    }

    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The whole body.
    pub fn bytes(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The whole body as text.
    pub fn text(self) -> io::Result<String> {
        String::from_utf8(self.bytes()?).map_err(|err| malformed(err.to_string()))
    }
}

impl Read for Response {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.body.read(into)
    }
}

#[derive(Debug)]
struct Body {
    socket: BufReader<TcpStream>,
    framing: Framing,
}

#[derive(Debug)]
enum Framing {
    Length(u64),
    Chunked { left: u64, started: bool },
    UntilClose,
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Framing::Chunked { left: 0, started } = self.framing {
            let next = chunk_size(&mut self.socket, started)?;
            self.framing = match next {
                0 => Framing::Length(0),
                left => Framing::Chunked { left, started: true },
            };
        }
        match &mut self.framing {
            Framing::UntilClose => self.socket.read(into),
            Framing::Length(left) | Framing::Chunked { left, .. } => {
                let read = (&mut self.socket).take(*left).read(into)?;
                if read == 0 && *left > 0 && !into.is_empty() {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the body ended in its middle"));
                }
                *left -= read as u64;
                Ok(read)
            }
        }
    }
}

/// The next chunk's size (RFC 9112 7.1); after the last one also what follows it.
fn chunk_size(socket: &mut BufReader<TcpStream>, started: bool) -> io::Result<u64> {
    if started {
        line(socket)?; // the end of the chunk before
    }
    let text = line(socket)?;
    let digits = text.split(';').next().unwrap_or_default().trim();
    let size = u64::from_str_radix(digits, 16).map_err(|_| malformed(format!("no chunk size: {text:?}")))?;
    while size == 0 && !line(socket)?.is_empty() {} // trailers
    Ok(size)
}

fn line(socket: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = Vec::new();
    socket.take(LINE_MAX).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the head ended in its middle"));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn malformed(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// The answer as read from a server that sends `raw` and closes.
    fn answer(raw: &'static str) -> io::Result<(u16, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = socket.read(&mut [0; 1024]).unwrap();
            socket.write_all(raw.as_bytes()).unwrap();
        });
        let response = Request::get(address, "/").send();
        server.join().unwrap();
        response.and_then(|response| Ok((response.status, response.text()?)))
    }

    #[test]
    fn the_three_framings() {
        assert_eq!(
            answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc").unwrap(),
            (200, "ab".to_owned())
        );
        assert_eq!(answer("HTTP/1.1 404 No\r\n\r\nabc").unwrap(), (404, "abc".to_owned()));
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n";
        assert_eq!(answer(chunked).unwrap(), (200, "abc".to_owned()));
    }

    #[test]
    fn a_cut_body_is_an_error() {
        assert!(answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").is_err());
        assert!(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab").is_err());
        assert!(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n").is_err());
        assert!(answer("nonsense\r\n\r\n").is_err());
    }
}
