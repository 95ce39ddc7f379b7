use crate::{FlvError, Parsed, TAG_AUDIO, TAG_SCRIPT, TAG_VIDEO, parse_audio, parse_script, parse_video};
use bytes::{Buf, Bytes, BytesMut};
use headwater_media::{Reader, Time};

const HEADER: usize = 9;
const PREVIOUS_TAG_SIZE: usize = 4;
const TAG_HEADER: usize = 11;
/// Longest file header accepted; the field has 32 bits, the format says 9.
const HEADER_MAX: u32 = 1024;

/// One tag of an FLV stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// [`TAG_AUDIO`], [`TAG_VIDEO`], [`TAG_SCRIPT`] or another value, without the filter bit.
    pub tag_type: u8,
    /// Milliseconds; wraps at 32 bits.
    pub timestamp_ms: u32,
    /// The body.
    pub body: Bytes,
}

impl Tag {
    /// The body as a frame, stamped with the tag's own timestamp.
    pub fn parse(&self) -> Result<Parsed, FlvError> {
        let dts = Time::from_millis(self.timestamp_ms.into());
        match self.tag_type {
            TAG_AUDIO => parse_audio(&self.body, dts),
            TAG_VIDEO => parse_video(&self.body, dts),
            TAG_SCRIPT => parse_script(&self.body, dts),
            _ => Ok(Parsed::Ignored("tag of an unknown type")),
        }
    }
}

/// Splits an FLV byte stream into tags, however the bytes arrive.
///
/// Feed with [`Demuxer::push`], then drain with [`Demuxer::next_tag`] until it gives `None`. What is buffered between the
/// two is less than one tag (16 MiB at most) plus what was pushed. After an error the stream cannot go on.
#[derive(Debug, Default)]
pub struct Demuxer {
    buffer: BytesMut,
    begun: bool,
}

impl Demuxer {
    /// For a stream from its start.
    pub fn new() -> Demuxer {
        Demuxer::default()
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole tag; `None` when more bytes are needed.
    pub fn next_tag(&mut self) -> Result<Option<Tag>, FlvError> {
        if !self.begun && !self.begin()? {
            return Ok(None);
        }
        let Some(head) = self.buffer.get(PREVIOUS_TAG_SIZE..PREVIOUS_TAG_SIZE + TAG_HEADER) else {
            return Ok(None);
        };
        let (tag_type, body, timestamp_ms) = tag_header(head).map_err(FlvError::short("tag header"))?;
        if self.buffer.len() < PREVIOUS_TAG_SIZE + TAG_HEADER + body {
            return Ok(None);
        }
        self.buffer.advance(PREVIOUS_TAG_SIZE + TAG_HEADER);
        Ok(Some(Tag { tag_type, timestamp_ms, body: self.buffer.split_to(body).freeze() }))
    }

    /// Reads past the file header; false when it is not here yet.
    fn begin(&mut self) -> Result<bool, FlvError> {
        let Some(head) = self.buffer.first_chunk::<HEADER>() else { return Ok(false) };
        let [a, b, c, version, _flags, offset @ ..] = *head;
        let offset = u32::from_be_bytes(offset);
        if [a, b, c, version] != *b"FLV\x01" {
            return Err(FlvError::NotFlv([a, b, c, version]));
        }
        if !(HEADER as u32..=HEADER_MAX).contains(&offset) {
            return Err(FlvError::Undefined { what: "file header length", value: offset });
        }
        if self.buffer.len() < offset as usize {
            return Ok(false);
        }
        self.buffer.advance(offset as usize);
        self.begun = true;
        Ok(true)
    }
}

/// Type, body length, timestamp.
fn tag_header(head: &[u8]) -> Result<(u8, usize, u32), headwater_media::Short> {
    let mut input = Reader::new(head);
    let tag_type = input.u8()? & 0x1f;
    let body = input.u24()? as usize;
    let low = input.u24()?;
    let high = u32::from(input.u8()?);
    Ok((tag_type, body, high << 24 | low))
}
