//! A stream's pieces as RTMP chunks, muxed once and patched with times when they are sent.

use crate::mark;
use crate::synthetic::{Piece, Shape};
use bytes::BytesMut;
use headwater_rtmp_proto::write_frame;
use std::time::Duration;

/// Chunk size of the streams sent, the one common publishers use.
pub(crate) const CHUNK_SIZE: usize = 4096;
/// Offset of the timestamp in a type 0 chunk header after a one-byte basic header (RTMP 5.3.1.2.1).
const TIMESTAMP: std::ops::Range<usize> = 1..4;
/// Later than this a chunk needs an extended timestamp (RTMP 5.3.1.3), which the pieces have no room for.
pub(crate) const LONGEST: Duration = Duration::from_millis(0xFF_FFFE);

/// The pieces of all streams of one shape.
#[derive(Debug)]
pub(crate) struct Pieces {
    /// The decoder configurations, sent once.
    pub(crate) configs: Vec<u8>,
    key_picture: Template,
    picture: Template,
    sound: Template,
}

#[derive(Debug)]
struct Template {
    chunks: Vec<u8>,
    mark: Option<usize>,
}

impl Pieces {
    pub(crate) fn new(shape: Shape) -> Self {
        let mut configs = BytesMut::new();
        shape.configs().iter().for_each(|config| write_frame(config, 0, CHUNK_SIZE, &mut configs));
        let template = |piece| Template::new(shape, piece);
        Pieces {
            configs: configs.to_vec(),
            key_picture: template(Piece::KeyPicture),
            picture: template(Piece::Picture),
            sound: template(Piece::Sound),
        }
    }

    /// The chunks of `piece` at `time` of the stream, marked as sent at `now`. Valid until the next call.
    pub(crate) fn at(&mut self, piece: Piece, time: Duration, now: Duration) -> &[u8] {
        let template = match piece {
            Piece::KeyPicture => &mut self.key_picture,
            Piece::Picture => &mut self.picture,
            Piece::Sound => &mut self.sound,
        };
        template.patch(time.min(LONGEST), now);
        &template.chunks
    }
}

impl Template {
    fn new(shape: Shape, piece: Piece) -> Self {
        let mut chunks = BytesMut::new();
        write_frame(&shape.sample(piece), 0, CHUNK_SIZE, &mut chunks);
        Template { mark: mark::position(&chunks), chunks: chunks.to_vec() }
    }

    fn patch(&mut self, time: Duration, now: Duration) {
        let [_, timestamp @ ..] = (time.as_millis() as u32).to_be_bytes();
        if let Some(field) = self.chunks.get_mut(TIMESTAMP) {
            field.copy_from_slice(&timestamp);
        }
        if let Some(field) = self.mark.and_then(|at| self.chunks.get_mut(at..at + mark::LEN)) {
            field.copy_from_slice(&mark::encode(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::Sound;
    use headwater_media::{Frame, Time};
    use headwater_rtmp_proto::ChunkReader;

    const SHAPE: Shape = Shape { bitrate: 2_100_000, fps: 25, gop: 50, sound: Sound::Aac };

    /// The same piece, muxed for its time from the start.
    fn muxed(piece: Piece, time: Duration, now: Duration) -> Vec<u8> {
        let frame = SHAPE.sample(piece);
        let mut payload = frame.payload.to_vec();
        if let Some(at) = mark::position(&payload) {
            payload[at..at + mark::LEN].copy_from_slice(&mark::encode(now));
        }
        let mut out = BytesMut::new();
        let dts = Time::from(time);
        let frame = Frame { payload: payload.into(), dts, pts: dts, ..frame };
        write_frame(&frame, frame.dts.millis() as u32, CHUNK_SIZE, &mut out);
        out.to_vec()
    }

    #[test]
    fn a_patched_piece_is_the_same_as_one_muxed_anew() {
        let mut pieces = Pieces::new(SHAPE);
        for time in [Duration::ZERO, Duration::from_millis(123_456), LONGEST] {
            for piece in [Piece::KeyPicture, Piece::Picture, Piece::Sound] {
                let now = time + Duration::from_nanos(987_654_321);
                assert!(pieces.at(piece, time, now) == muxed(piece, time, now), "{piece:?} at {time:?}");
            }
        }
    }

    #[test]
    fn a_stream_begins_with_both_decoder_configurations() {
        let pieces = Pieces::new(SHAPE);
        let (mut reader, mut input) = (ChunkReader::new(), pieces.configs.as_slice());
        let types: Vec<_> =
            std::iter::from_fn(|| reader.read(&mut input).unwrap()).map(|message| message.type_id).collect();
        assert_eq!(types, [9, 8]);
    }
}
