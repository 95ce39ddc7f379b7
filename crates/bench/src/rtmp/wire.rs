//! RTMP chunks, as far as a client needs them (RTMP 5.3).

use bytes::{BufMut, BytesMut};
use headwater_flv::{header, tag_type};
use headwater_media::{Frame, Reader, Short, Track};
use std::collections::HashMap;

/// Longest message accepted.
const MAX_MESSAGE: usize = 16 << 20;
/// Chunk streams a server may use.
const MAX_STREAMS: usize = 64;

pub(crate) struct Message {
    pub(crate) kind: u8,
    pub(crate) timestamp: u32,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct ChunkStream {
    timestamp: u32,
    delta: u32,
    length: usize,
    kind: u8,
    extended: bool,
    body: Vec<u8>,
}

/// Puts messages together from chunks in any split.
pub(crate) struct ChunkReader {
    pub(crate) chunk_size: usize,
    buffer: BytesMut,
    streams: HashMap<u32, ChunkStream>,
}

impl ChunkReader {
    pub(crate) fn new() -> Self {
        ChunkReader { chunk_size: 128, buffer: BytesMut::new(), streams: HashMap::new() }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message; `Err` when the stream is broken.
    pub(crate) fn next_message(&mut self) -> Result<Option<Message>, ()> {
        while let Ok((used, message)) = self.chunk() {
            if used == usize::MAX {
                return Err(());
            }
            let _ = self.buffer.split_to(used);
            if message.is_some() {
                return Ok(message);
            }
        }
        Ok(None)
    }

    fn chunk(&mut self) -> Result<(usize, Option<Message>), Short> {
        let mut r = Reader::new(&self.buffer);
        let first = r.u8()?;
        let id = match first & 0x3F {
            0 => 64 + u32::from(r.u8()?),
            1 => 64 + u32::from(r.u8()?) + 256 * u32::from(r.u8()?),
            id => u32::from(id),
        };
        let fmt = first >> 6;
        if self.streams.len() >= MAX_STREAMS {
            return Ok((usize::MAX, None));
        }
        let stream = self.streams.entry(id).or_default();
        let mut time = if fmt < 3 { Some(r.u24()?) } else { None };
        let mut shape = (stream.length, stream.kind);
        if fmt < 2 {
            shape = (r.u24()? as usize, r.u8()?);
        }
        if fmt == 0 {
            r.skip(4)?;
        }
        let extended = time.map_or(stream.extended, |time| time == 0xFF_FFFF);
        if extended {
            let value = r.u32()?;
            time = time.map(|_| value);
        }
        if shape.0 > MAX_MESSAGE {
            return Ok((usize::MAX, None));
        }
        let begins = stream.body.is_empty();
        let take = self.chunk_size.min(shape.0.saturating_sub(stream.body.len()));
        let data = r.bytes(take)?;
        let used = r.position();
        (stream.length, stream.kind) = shape;
        stream.extended = extended;
        if begins {
            match (fmt, time) {
                (0, Some(time)) => (stream.timestamp, stream.delta) = (time, 0),
                (_, Some(delta)) => stream.delta = delta,
                _ => {}
            }
            stream.timestamp = stream.timestamp.wrapping_add(stream.delta);
        }
        stream.body.extend_from_slice(data);
        let whole = stream.body.len() >= stream.length;
        let message = whole.then(|| Message {
            kind: stream.kind,
            timestamp: stream.timestamp,
            body: std::mem::take(&mut stream.body),
        });
        Ok((used, message))
    }
}

/// Writes one message as a type 0 chunk and type 3 chunks.
pub(crate) fn write_message(
    csid: u8,
    kind: u8,
    stream: u32,
    body: &[u8],
    chunk_size: usize,
    out: &mut BytesMut,
) {
    out.put_u8(csid);
    out.put_slice(&[0; 3]);
    out.put_uint(body.len() as u64, 3);
    out.put_u8(kind);
    out.put_u32_le(stream);
    for (i, chunk) in body.chunks(chunk_size).enumerate() {
        if i > 0 {
            out.put_u8(0xC0 | csid);
        }
        out.put_slice(chunk);
    }
}

/// Writes a frame of stream 1 at time zero.
pub(crate) fn write_frame(frame: &Frame, chunk_size: usize, out: &mut BytesMut) {
    let mut body = header(frame).to_vec();
    body.extend_from_slice(&frame.payload);
    let csid = if frame.track == Track::Video { 6 } else { 7 };
    write_message(csid, tag_type(frame.track), 1, &body, chunk_size, out);
}
