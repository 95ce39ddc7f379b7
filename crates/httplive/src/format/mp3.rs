use super::Framing;
use bytes::{BufMut, BytesMut};
use headwater_hub::{Headers, Mux};
use headwater_media::{Codec, Frame, Time};

/// An ID3v2.3 tag of ten bytes of padding, which some players want before the first frame; SRS sends the same.
pub(super) const ID3: [u8; 20] =
    [b'I', b'D', b'3', 0x03, 0x00, 0x00, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Frames of MP3 as they are. Other codecs are left out.
pub(super) struct Mp3Mux {
    framing: Framing,
}

impl Mp3Mux {
    pub(super) fn new(framing: Framing) -> Mp3Mux {
        Mp3Mux { framing }
    }
}

impl Mux for Mp3Mux {
    fn frame(&mut self, frame: &Frame, out: &mut BytesMut) {
        if frame.codec == Codec::Mp3 {
            self.framing.put(frame.payload.len(), out, |out| out.put_slice(&frame.payload));
        }
    }

    fn headers(&mut self, _: &Headers, _: Time, _: &mut BytesMut) {}
}

#[cfg(test)]
mod tests {
    use super::super::tests::frame;
    use super::*;
    use headwater_media::{Kind, Track};

    #[test]
    fn only_mp3_goes_out() {
        let mut mux = Mp3Mux::new(Framing::Chunked);
        let mut out = BytesMut::new();
        mux.frame(&frame(Track::Audio, Codec::Aac, Kind::Key, 0, &[1]), &mut out);
        mux.frame(&frame(Track::Video, Codec::H264, Kind::Key, 0, &[1]), &mut out);
        mux.frame(&frame(Track::Audio, Codec::Mp3, Kind::Key, 0, b"frame"), &mut out);
        assert_eq!(out, &b"5\r\nframe\r\n"[..]);
    }
}
