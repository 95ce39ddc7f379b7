//! Aggregate messages (RTMP 7.1.6): several FLV tags in one message.

use crate::wire::AGGREGATE;
use crate::{ChunkError, Message};
use headwater_media::Reader;

/// Most messages of one aggregate; encoders put in a few dozen.
const PARTS_MAX: usize = 4096;

/// The messages in `message`, as slices of it. Their times are moved so that the first has the aggregate's own.
/// Parts beyond the 4096th are dropped.
pub fn split(message: &Message) -> Result<Vec<Message>, ChunkError> {
    let mut input = Reader::new(&message.payload);
    let mut parts = Vec::new();
    let mut first = None;
    while !input.is_empty() && parts.len() < PARTS_MAX {
        let type_id = input.u8()?;
        let length = input.u24()? as usize;
        let low = input.u24()?;
        let timestamp = u32::from(input.u8()?) << 24 | low;
        input.skip(3)?; // stream id: the aggregate's counts
        let start = input.position();
        input.skip(length)?;
        input.skip(4.min(input.left()))?; // back pointer; the last may be missing
        let base = *first.get_or_insert(timestamp);
        if type_id == AGGREGATE {
            continue; // aggregates do not nest
        }
        parts.push(Message {
            type_id,
            timestamp: message.timestamp.wrapping_add(timestamp.wrapping_sub(base)),
            payload: message.payload.slice(start..start + length),
            ..*message
        });
    }
    Ok(parts)
}
