//! The box structure alone (14496-12 4.2): headers written and read, nothing of what is inside.

use crate::Mp4Error;
use bytes::{BufMut, BytesMut};
use headwater_media::Reader;

/// Four characters.
pub(crate) type Kind = [u8; 4];

/// Writes a box around `body`. Everything written here is bounded far below 4 GiB.
pub(crate) fn write(out: &mut BytesMut, kind: &Kind, body: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    out.put_u32(0);
    out.put_slice(kind);
    body(out);
    let size = (out.len() - at) as u32;
    if let Some(field) = out.get_mut(at..at + 4) {
        field.copy_from_slice(&size.to_be_bytes());
    }
}

/// Writes a FullBox around `body`; `flags` has 24 bits.
pub(crate) fn full(
    out: &mut BytesMut,
    kind: &Kind,
    version: u8,
    flags: u32,
    body: impl FnOnce(&mut BytesMut),
) {
    write(out, kind, |out| {
        out.put_u32(u32::from(version) << 24 | flags & 0x00ff_ffff);
        body(out);
    });
}

/// A box's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// Bytes of the header: 8 or 16.
    pub(crate) len: usize,
    /// Bytes of the whole box; `None` when it reaches to the end of the file.
    pub(crate) size: Option<u64>,
}

impl Header {
    /// `None` when more bytes are needed.
    pub(crate) fn parse(data: &[u8]) -> Result<Option<Header>, Mp4Error> {
        let mut r = Reader::new(data);
        let (Ok(size), Ok(kind)) = (r.u32(), r.array()) else { return Ok(None) };
        let (len, size) = match size {
            0 => (8, None),
            1 => match r.u64() {
                Ok(size) => (16, Some(size)),
                Err(_) => return Ok(None),
            },
            size => (8, Some(size.into())),
        };
        if size.is_some_and(|size| size < len as u64) {
            return Err(Mp4Error::invalid(&kind, "its size is less than its header"));
        }
        Ok(Some(Header { kind, len, size }))
    }
}

/// The boxes inside a box, in order. A box that does not fit ends the walk with an error.
pub(crate) fn children(mut data: &[u8]) -> impl Iterator<Item = Result<(Kind, &[u8]), Mp4Error>> {
    std::iter::from_fn(move || {
        let header = match Header::parse(data) {
            Ok(header) => header?,
            Err(error) => {
                data = &[];
                return Some(Err(error));
            }
        };
        let size = header.size.map_or(Some(data.len()), |size| usize::try_from(size).ok());
        let split = size.and_then(|size| data.split_at_checked(size));
        let Some((whole, rest)) = split else {
            data = &[];
            return Some(Err(Mp4Error::invalid(&header.kind, "it is larger than the box around it")));
        };
        data = rest;
        Some(Ok((header.kind, whole.get(header.len..).unwrap_or_default())))
    })
}

/// The first box of a kind inside a box.
pub(crate) fn child<'a>(data: &'a [u8], wanted: &Kind) -> Result<Option<&'a [u8]>, Mp4Error> {
    for item in children(data) {
        let (kind, body) = item?;
        if kind == *wanted {
            return Ok(Some(body));
        }
    }
    Ok(None)
}

/// The first box of a kind inside a box; an error when there is none.
pub(crate) fn need<'a>(data: &'a [u8], wanted: &Kind) -> Result<&'a [u8], Mp4Error> {
    child(data, wanted)?.ok_or_else(|| Mp4Error::invalid(wanted, "it is missing"))
}
