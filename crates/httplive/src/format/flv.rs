use super::{Framing, carries};
use bytes::BytesMut;
use headwater_hub::{Headers, Mux, Tracks};
use headwater_media::{Frame, Time};

/// One FLV tag a frame.
pub(super) struct FlvMux {
    framing: Framing,
    tracks: Tracks,
}

impl FlvMux {
    pub(super) fn new(framing: Framing, tracks: Tracks) -> FlvMux {
        FlvMux { framing, tracks }
    }

    fn tag(&self, frame: &Frame, at: Time, out: &mut BytesMut) {
        if carries(self.tracks, frame) {
            self.framing.put(headwater_flv::tag_len(frame), out, |out| {
                headwater_flv::write_tag(frame, at.millis() as u32, out); // FLV times are 32 bits and wrap
            });
        }
    }
}

impl Mux for FlvMux {
    fn frame(&mut self, frame: &Frame, out: &mut BytesMut) {
        self.tag(frame, frame.dts, out);
    }

    fn headers(&mut self, headers: &Headers, at: Time, out: &mut BytesMut) {
        headers.iter().for_each(|frame| self.tag(frame, at, out));
    }
}
