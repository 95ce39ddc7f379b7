use crate::websocket::binary_header;
use bytes::{BufMut, Bytes, BytesMut};
use headwater_hub::{Format, FormatKey, Headers, Mux, Tracks};
use headwater_media::{Frame, Time, Track};
use std::sync::Arc;

/// How FLV tags are put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Framing {
    /// Tags alone: HTTP/1.0, and bodies that hyper frames itself.
    Plain,
    /// One HTTP/1.1 chunk a tag (RFC 9112 7.1).
    Chunked,
    /// One binary WebSocket message a tag.
    WebSocket,
}

/// FLV of a choice of tracks in a framing.
#[derive(Debug)]
struct FlvFormat {
    key: FormatKey,
    framing: Framing,
    tracks: Tracks,
}

/// FLV in this framing with these tracks; players with equal arguments share one byte log.
pub(crate) fn flv(framing: Framing, tracks: Tracks) -> Arc<dyn Format> {
    let key = format!("flv/{framing:?}/audio={}/video={}", tracks.audio, tracks.video).into();
    Arc::new(FlvFormat { key, framing, tracks })
}

impl Format for FlvFormat {
    fn key(&self) -> &FormatKey {
        &self.key
    }

    fn mux(&self) -> Box<dyn Mux> {
        Box::new(FlvMux { framing: self.framing, tracks: self.tracks })
    }

    fn trailer(&self) -> Option<Bytes> {
        Some(match self.framing {
            Framing::Plain => Bytes::new(),
            Framing::Chunked => Bytes::from_static(b"0\r\n\r\n"),
            Framing::WebSocket => Bytes::from_static(&[0x88, 0x02, 0x03, 0xe8]), // close, status 1000
        })
    }
}

/// The FLV file header for `tracks`, framed.
pub(crate) fn file_header(framing: Framing, tracks: Tracks) -> Bytes {
    let header = headwater_flv::file_header(tracks.audio, tracks.video);
    let mut out = BytesMut::with_capacity(32);
    begin(framing, header.len(), &mut out);
    out.put_slice(&header);
    finish(framing, &mut out);
    out.freeze()
}

struct FlvMux {
    framing: Framing,
    tracks: Tracks,
}

impl Mux for FlvMux {
    fn frame(&mut self, frame: &Frame, out: &mut BytesMut) {
        self.tag(frame, frame.dts, out);
    }

    fn headers(&mut self, headers: &Headers, at: Time, out: &mut BytesMut) {
        headers.iter().for_each(|frame| self.tag(frame, at, out));
    }
}

impl FlvMux {
    fn tag(&self, frame: &Frame, at: Time, out: &mut BytesMut) {
        let wanted = match frame.track {
            Track::Audio => self.tracks.audio,
            Track::Video => self.tracks.video,
            Track::Script => true,
        };
        let len = headwater_flv::tag_len(frame);
        if !wanted || len == 0 {
            return;
        }
        begin(self.framing, len, out);
        headwater_flv::write_tag(frame, at.millis() as u32, out); // FLV times are 32 bits and wrap
        finish(self.framing, out);
    }
}

fn begin(framing: Framing, len: usize, out: &mut BytesMut) {
    match framing {
        Framing::Plain => {}
        Framing::Chunked => out.put_slice(format!("{len:x}\r\n").as_bytes()),
        Framing::WebSocket => binary_header(len, out),
    }
}

fn finish(framing: Framing, out: &mut BytesMut) {
    if framing == Framing::Chunked {
        out.put_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_header_is_framed() {
        let bytes = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"; // version 1, audio and video, PreviousTagSize0
        assert_eq!(file_header(Framing::Plain, Tracks::ALL), &bytes[..]);
        assert_eq!(file_header(Framing::Chunked, Tracks::ALL), [b"d\r\n", &bytes[..], b"\r\n"].concat());
        assert_eq!(file_header(Framing::WebSocket, Tracks::ALL), [b"\x82\x0d", &bytes[..]].concat());
    }

    #[test]
    fn tracks_choose_the_log() {
        let video = Tracks { audio: false, video: true };
        assert_ne!(flv(Framing::Plain, video).key(), flv(Framing::Plain, Tracks::ALL).key());
    }
}
