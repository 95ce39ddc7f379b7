use crate::ChunkError;
use crate::wire::{ABORT, CHUNK_SIZE_DEFAULT, EXTENDED, MESSAGE_MAX, SET_CHUNK_SIZE};
use bytes::Bytes;
use headwater_media::{Reader, Short};

/// Most chunk streams of one connection; peers use fewer than ten.
const STREAMS_MAX: usize = 64;
/// Most bytes in unfinished messages of all chunk streams together.
const UNFINISHED_MAX: usize = 20 << 20;
/// Bytes allocated before any of a message has come; further memory follows what arrives.
const FIRST_ALLOCATION: usize = 64 << 10;
/// Longest chunk header: basic 3, message 11, extended timestamp 4 (RTMP 5.3.1).
const HEADER_MAX: usize = 3 + 11 + 4;

/// A whole message of the chunk stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Chunk stream it came on.
    pub csid: u32,
    /// Message type.
    pub type_id: u8,
    /// Message stream.
    pub stream_id: u32,
    /// Milliseconds; wraps at 32 bits.
    pub timestamp: u32,
    /// The payload.
    pub payload: Bytes,
}

/// Puts messages together from chunks (RTMP 5.3), however the bytes arrive.
///
/// Payload is copied once, from the caller's buffer to the message. Set Chunk Size and Abort are obeyed here and not
/// handed out. Bounds: 64 chunk streams, 16 MiB a message, 20 MiB in unfinished messages; memory follows the bytes
/// that arrived, not the lengths that headers claim. After an error the stream cannot go on.
#[derive(Debug)]
pub struct ChunkReader {
    chunk_size: usize,
    streams: Vec<Stream>,
    /// Index of the chunk stream whose chunk is being read, and what that chunk still brings.
    current: Option<(usize, usize)>,
    /// Header bytes that wait for more.
    pending: Pending,
    unfinished: usize,
}

impl Default for ChunkReader {
    fn default() -> Self {
        ChunkReader {
            chunk_size: CHUNK_SIZE_DEFAULT,
            streams: Vec::new(),
            current: None,
            pending: Pending::default(),
            unfinished: 0,
        }
    }
}

impl ChunkReader {
    /// For a chunk stream from its start.
    pub fn new() -> ChunkReader {
        ChunkReader::default()
    }

    /// Takes bytes from the front of `input` until a message is whole or the input is used up (`None`).
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        loop {
            if self.current.is_none() && !self.begin_chunk(input)? {
                return Ok(None);
            }
            self.fill_chunk(input)?;
            match self.current {
                Some((_, 0)) => {}
                _ => return Ok(None),
            }
            if let Some(message) = self.end_chunk()
                && !self.control(&message)?
            {
                return Ok(Some(message));
            }
        }
    }

    /// Bytes it holds on the heap.
    #[cfg(test)]
    pub(crate) fn heap(&self) -> usize {
        let bodies: usize = self.streams.iter().map(|s| s.body.capacity()).sum();
        self.streams.capacity() * size_of::<Stream>() + bodies
    }

    /// Reads a chunk header; false when more bytes are needed.
    fn begin_chunk(&mut self, input: &mut &[u8]) -> Result<bool, ChunkError> {
        if self.pending.is_empty() {
            if let Some(header) = Header::read(input, &self.streams)? {
                *input = input.get(header.len..).unwrap_or_default();
                self.apply(&header)?;
                return Ok(true);
            }
            self.pending.refill(input);
            return Ok(false);
        }
        loop {
            if let Some(header) = Header::read(self.pending.bytes(), &self.streams)? {
                self.pending.consume(header.len);
                self.apply(&header)?;
                return Ok(true);
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(false) };
            *input = rest;
            self.pending.push(byte);
        }
    }

    fn apply(&mut self, header: &Header) -> Result<(), ChunkError> {
        let index = match self.streams.iter().position(|s| s.csid == header.csid) {
            Some(index) => index,
            None if self.streams.len() >= STREAMS_MAX => {
                return Err(ChunkError::Streams { limit: STREAMS_MAX });
            }
            None => {
                self.streams.push(Stream::new(header.csid));
                self.streams.len() - 1
            }
        };
        if let Some(stream) = self.streams.get_mut(index) {
            let brings = stream.apply(header, self.chunk_size)?;
            self.current = Some((index, brings));
        }
        Ok(())
    }

    fn fill_chunk(&mut self, input: &mut &[u8]) -> Result<(), ChunkError> {
        let Some((index, left)) = self.current.as_mut() else { return Ok(()) };
        let Some(stream) = self.streams.get_mut(*index) else { return Ok(()) };
        let from_pending = self.pending.take(*left);
        let wanted = (*left - from_pending.len()).min(input.len());
        let (now, later) = input.split_at(wanted);
        let taken = from_pending.len() + wanted;
        self.unfinished += taken;
        if self.unfinished > UNFINISHED_MAX {
            return Err(ChunkError::Unfinished { limit: UNFINISHED_MAX });
        }
        stream.push(from_pending);
        stream.push(now);
        self.pending.consume(taken - wanted);
        *left -= taken;
        *input = later;
        Ok(())
    }

    fn end_chunk(&mut self) -> Option<Message> {
        let (index, _) = self.current.take()?;
        let message = self.streams.get_mut(index)?.finish()?;
        self.unfinished -= message.payload.len();
        Some(message)
    }

    /// Obeys the messages that are about chunks; false for all others.
    fn control(&mut self, message: &Message) -> Result<bool, ChunkError> {
        let value = Reader::new(&message.payload).u32();
        match (message.type_id, value) {
            (SET_CHUNK_SIZE, Ok(size)) if size & 0x7fff_ffff > 0 => {
                self.chunk_size = (size as usize & 0x7fff_ffff).min(MESSAGE_MAX);
            }
            (SET_CHUNK_SIZE, _) => return Err(ChunkError::ChunkSize),
            (ABORT, Ok(csid)) => {
                if let Some(stream) = self.streams.iter_mut().find(|s| s.csid == csid) {
                    self.unfinished -= stream.body.len();
                    stream.abort();
                }
            }
            (ABORT, Err(_)) => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A chunk header as it stands on the wire.
struct Header {
    csid: u32,
    fmt: u8,
    /// Timestamp or delta, with the extended one in place.
    field: Option<u32>,
    extended: bool,
    length: Option<(u32, u8)>,
    stream_id: Option<u32>,
    /// Its own length in bytes.
    len: usize,
}

impl Header {
    /// `None` when `bytes` ends before the header does.
    fn read(bytes: &[u8], streams: &[Stream]) -> Result<Option<Header>, ChunkError> {
        let mut input = Reader::new(bytes);
        let Ok((fmt, csid)) = basic(&mut input) else { return Ok(None) };
        let stream = streams.iter().find(|s| s.csid == csid);
        match stream {
            None if fmt > 1 => return Err(ChunkError::NoEarlierHeader { csid, fmt }),
            Some(stream) if fmt < 3 && stream.busy => {
                return Err(ChunkError::Interrupted { csid, missing: stream.missing() });
            }
            _ => {}
        }
        let mut header =
            Header { csid, fmt, field: None, extended: false, length: None, stream_id: None, len: 0 };
        Ok(match header.message(&mut input, stream) {
            Ok(()) => Some(Header { len: input.position(), ..header }),
            Err(Short { .. }) => None,
        })
    }

    fn message(&mut self, input: &mut Reader<'_>, stream: Option<&Stream>) -> Result<(), Short> {
        if self.fmt == 3 {
            return match stream {
                Some(stream) if stream.extended => repeated_timestamp(input, stream),
                _ => Ok(()),
            };
        }
        let field = input.u24()?;
        if self.fmt < 2 {
            self.length = Some((input.u24()?, input.u8()?));
        }
        if self.fmt == 0 {
            self.stream_id = Some(input.u32_le()?);
        }
        self.extended = field == EXTENDED;
        self.field = Some(if self.extended { input.u32()? } else { field });
        Ok(())
    }
}

/// 5.3.1.1: two bits of header type; ids 2..63 in the byte, 64..319 in a second one, 64..65599 in two more.
fn basic(input: &mut Reader<'_>) -> Result<(u8, u32), Short> {
    let first = input.u8()?;
    let csid = match first & 0x3f {
        0 => 64 + u32::from(input.u8()?),
        1 => 64 + u32::from(input.u8()?) + (u32::from(input.u8()?) << 8),
        id => u32::from(id),
    };
    Ok((first >> 6, csid))
}

/// The extended timestamp before continuing chunks. Some senders leave it out: four bytes that are neither the
/// timestamp nor the delta are payload, and stay unread.
fn repeated_timestamp(input: &mut Reader<'_>, stream: &Stream) -> Result<(), Short> {
    let repeats = |value: u32| {
        let value = value.to_be_bytes();
        let seen = input.rest();
        value.starts_with(seen.get(..4).unwrap_or(seen))
    };
    if repeats(stream.field) || repeats(stream.timestamp) { input.skip(4) } else { Ok(()) }
}

/// What is known of a chunk stream.
#[derive(Debug)]
struct Stream {
    csid: u32,
    stream_id: u32,
    /// Of the message being put together, or of the last one.
    timestamp: u32,
    /// The last timestamp or delta field.
    field: u32,
    length: u32,
    type_id: u8,
    extended: bool,
    /// A message has begun and not ended.
    busy: bool,
    body: Vec<u8>,
}

impl Stream {
    fn new(csid: u32) -> Stream {
        Stream {
            csid,
            stream_id: 0,
            timestamp: 0,
            field: 0,
            length: 0,
            type_id: 0,
            extended: false,
            busy: false,
            body: Vec::new(),
        }
    }

    fn missing(&self) -> usize {
        (self.length as usize).saturating_sub(self.body.len())
    }

    /// Takes a chunk's header; returns the payload bytes the chunk brings.
    fn apply(&mut self, header: &Header, chunk_size: usize) -> Result<usize, ChunkError> {
        if let Some(field) = header.field {
            self.field = field;
            self.extended = header.extended;
        }
        if let Some((length, type_id)) = header.length {
            (self.length, self.type_id) = (length, type_id);
        }
        if let Some(stream_id) = header.stream_id {
            self.stream_id = stream_id;
        }
        if !self.busy {
            self.busy = true;
            let base = if header.fmt == 0 { 0 } else { self.timestamp };
            self.timestamp = base.wrapping_add(self.field);
        }
        Ok(self.missing().min(chunk_size))
    }

    fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let needed = self.body.len() + bytes.len();
        if needed > self.body.capacity() {
            let capacity = (self.body.capacity() * 2).max(FIRST_ALLOCATION).max(needed);
            self.body.reserve_exact(capacity.min(self.length as usize) - self.body.len());
        }
        self.body.extend_from_slice(bytes);
    }

    /// The message, when it is whole.
    fn finish(&mut self) -> Option<Message> {
        if self.missing() > 0 {
            return None;
        }
        self.busy = false;
        Some(Message {
            csid: self.csid,
            type_id: self.type_id,
            stream_id: self.stream_id,
            timestamp: self.timestamp,
            payload: Bytes::from(std::mem::take(&mut self.body)),
        })
    }

    fn abort(&mut self) {
        self.busy = false;
        self.body = Vec::new();
    }
}

/// A few bytes that came before the rest of their header.
#[derive(Debug, Default)]
struct Pending {
    bytes: [u8; HEADER_MAX],
    len: u8,
}

impl Pending {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(usize::from(self.len)) {
            *slot = byte;
            self.len += 1;
        }
    }

    /// Moves the rest of `input` here; it is shorter than a header.
    fn refill(&mut self, input: &mut &[u8]) {
        input.iter().for_each(|&byte| self.push(byte));
        *input = &[];
    }

    fn take(&self, most: usize) -> &[u8] {
        let bytes = self.bytes();
        bytes.get(..most.min(bytes.len())).unwrap_or_default()
    }

    fn consume(&mut self, n: usize) {
        let n = n.min(self.len.into());
        self.bytes.copy_within(n..usize::from(self.len), 0);
        self.len -= n as u8;
    }
}
