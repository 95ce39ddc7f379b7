//! HTTP as it is on the wire: one connection, any number of requests, every byte of the answers.

use std::io::{BufRead, BufReader, Read, Write};

/// No line of a head is longer.
const LINE_MAX: u64 = 64 << 10;

/// A connection to an HTTP server.
#[derive(Debug)]
pub struct Wire<S> {
    io: BufReader<S>,
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// `HTTP/1.1 200 OK`.
    pub status_line: String,
    /// Names in lower case, with their values, in order.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// The status code.
    pub fn status(&self) -> u16 {
        let code = self.status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        code.unwrap_or_else(|| panic!("no HTTP status line: {:?}", self.status_line))
    }

    /// The first field of that (lower-case) name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl<S: Read + Write> Wire<S> {
    /// Over a connection that was just made.
    pub fn new(io: S) -> Wire<S> {
        Wire { io: BufReader::new(io) }
    }

    /// Sends these lines and an empty one.
    pub fn request(&mut self, lines: &[&str]) {
        let text = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>() + "\r\n";
        let socket = self.io.get_mut();
        let sent = socket.write_all(text.as_bytes()).and_then(|()| socket.flush());
        sent.unwrap_or_else(|err| panic!("cannot send {text:?}: {err}"));
    }

    /// `GET path`, with a Host and nothing else.
    pub fn get(&mut self, path: &str) {
        self.request(&[&format!("GET {path} HTTP/1.1"), "Host: localhost"]);
    }

    /// Reads an answer's head.
    pub fn head(&mut self) -> Head {
        let status_line = self.line();
        let mut fields = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else {
                assert_eq!(line, "", "no header field");
                return Head { status_line, fields };
            };
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads an answer whose length is told: head and body.
    pub fn answer(&mut self) -> (Head, Vec<u8>) {
        let head = self.head();
        let length = head.field("content-length").and_then(|length| length.parse().ok());
        let length = length.unwrap_or_else(|| panic!("no length: {head:?}"));
        (head, self.bytes(length))
    }

    /// Reads the next chunk of a chunked body (RFC 9112 7.1); empty is the last one, read to its end.
    pub fn chunk(&mut self) -> Vec<u8> {
        let size = self.line();
        let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("no chunk size: {size:?}"));
        let chunk = self.bytes(size);
        assert_eq!(self.line(), "", "no end of a chunk");
        chunk
    }

    /// Reads a chunked body from here to its last chunk, put together.
    pub fn chunks(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| Some(self.chunk()).filter(|chunk| !chunk.is_empty())).flatten().collect()
    }

    /// Reads so many bytes.
    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.io.read_exact(&mut bytes).unwrap_or_else(|err| panic!("{n} bytes did not come: {err}"));
        bytes
    }

    /// Reads until the server closes.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.io.read_to_end(&mut bytes).unwrap_or_else(|err| panic!("the connection was not closed: {err}"));
        bytes
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = (&mut self.io).take(LINE_MAX).read_line(&mut line);
        read.unwrap_or_else(|err| panic!("no line came: {err}"));
        let text = line.strip_suffix("\r\n");
        text.unwrap_or_else(|| panic!("the connection closed in the middle of a line: {line:?}")).to_owned()
    }
}
