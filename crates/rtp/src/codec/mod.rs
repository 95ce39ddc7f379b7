//! One file a payload format: both directions.

pub(crate) mod aac;
pub(crate) mod av1;
pub(crate) mod av1c;
pub(crate) mod bits;
pub(crate) mod latm;
pub(crate) mod nal;
pub(crate) mod sound;
pub(crate) mod vp8;
pub(crate) mod vp9;

use bytes::{Bytes, BytesMut};

/// Room for the frame being put together that is kept for the next one; a larger one's is given back.
const ROOM_MAX: usize = 64 * 1024;

/// The frame that was put together, in memory of its own size: frames are kept, and the room they grew in is used again.
pub(crate) fn whole(room: &mut BytesMut) -> Bytes {
    let frame = Bytes::copy_from_slice(room);
    room.clear();
    if room.capacity() > ROOM_MAX {
        *room = BytesMut::new();
    }
    frame
}
