//! A made-up stream as RTP payloads, the same for all publishers but for the pictures' marks.

use crate::mark;
use crate::synthetic::{Piece, Shape};
use headwater_media::Frame;
use headwater_rtp::{Format, PacketizeError, Packetizer, Payloads};
use std::sync::Arc;
use std::time::Duration;

/// Largest payload, bytes: what browsers send.
const PAYLOAD_MAX: usize = 1160;

/// The packets of each kind of piece.
#[derive(Clone, Debug)]
pub(crate) struct Packets {
    key: Vec<Arc<[u8]>>,
    picture: Vec<Arc<[u8]>>,
    sound: Vec<Arc<[u8]>>,
}

impl Packets {
    /// `shape` must have Opus.
    pub(crate) fn new(shape: Shape) -> Result<Packets, PacketizeError> {
        let mut video = Packetizer::new(Format::H264 { single: false }, PAYLOAD_MAX);
        let mut audio = Packetizer::new(Format::Opus, PAYLOAD_MAX);
        let [config, _] = shape.configs();
        cut(&mut video, &config)?;
        Ok(Packets {
            key: cut(&mut video, &shape.sample(Piece::KeyPicture))?,
            picture: cut(&mut video, &shape.sample(Piece::Picture))?,
            sound: cut(&mut audio, &shape.sample(Piece::Sound))?,
        })
    }

    /// The payloads of a piece, in order; a picture's with the mark of a frame sent at `at`.
    pub(crate) fn of(&self, piece: Piece, at: Duration) -> impl ExactSizeIterator<Item = Arc<[u8]>> {
        let payloads = match piece {
            Piece::KeyPicture => &self.key,
            Piece::Picture => &self.picture,
            Piece::Sound => &self.sound,
        };
        payloads
            .iter()
            .map(move |payload| if piece == Piece::Sound { payload.clone() } else { marked(payload, at) })
    }
}

fn cut(packetizer: &mut Packetizer, frame: &Frame) -> Result<Vec<Arc<[u8]>>, PacketizeError> {
    let mut payloads = Payloads::default();
    packetizer.frame(frame, &mut payloads)?;
    let bytes = |payload: headwater_rtp::Payload<'_>| {
        let mut bytes = Vec::with_capacity(payload.len());
        payload.put(&mut bytes);
        bytes.into()
    };
    Ok(payloads.iter().map(bytes).collect())
}

/// The payload itself, or a marked copy of the one that has room for a mark.
fn marked(payload: &Arc<[u8]>, at: Duration) -> Arc<[u8]> {
    let Some(place) = mark::position(payload) else { return payload.clone() };
    let mut copy = payload.to_vec();
    copy.iter_mut().skip(place).zip(mark::encode(at)).for_each(|(byte, mark)| *byte = mark);
    copy.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::Sound;

    #[test]
    fn each_picture_has_one_mark_and_fits_into_datagrams() {
        let packets =
            Packets::new(Shape { bitrate: 2_100_000, fps: 25, gop: 50, sound: Sound::Opus }).unwrap();
        let at = Duration::from_secs(77);
        for piece in [Piece::KeyPicture, Piece::Picture] {
            let payloads: Vec<_> = packets.of(piece, at).collect();
            assert!(payloads.len() > 5 && payloads.iter().all(|payload| payload.len() <= PAYLOAD_MAX));
            let marks: Vec<_> = payloads.iter().filter_map(|payload| mark::decode(payload)).collect();
            assert_eq!(marks, [at], "{piece:?}");
        }
        assert_eq!(packets.of(Piece::Sound, at).map(|payload| payload.len()).collect::<Vec<_>>(), [120]);
    }
}
