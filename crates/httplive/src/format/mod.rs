//! The containers of a live stream, their framings on the wire, and the muxers behind them.

mod aac;
mod flv;
mod mp3;
mod suits;
mod ts;

pub(crate) use suits::{Known, unsuited};

use crate::websocket::binary_header;
use bytes::{BufMut, Bytes, BytesMut};
use headwater_hub::{Format, FormatKey, Mux, Tracks};
use headwater_media::{Frame, Time, Track};
use std::sync::Arc;

/// What a live stream is wrapped in; chosen by the extension of the request's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// FLV: every codec, script messages, decoder configurations in band.
    Flv,
    /// MPEG-TS: H.264 or HEVC with AAC, MP3 or Opus.
    Ts,
    /// ADTS frames: AAC alone.
    Aac,
    /// MPEG audio frames after an ID3v2 tag: MP3 alone.
    Mp3,
}

impl Container {
    /// Every container.
    pub const ALL: [Container; 4] = [Container::Flv, Container::Ts, Container::Aac, Container::Mp3];

    /// The extension with its dot.
    pub fn extension(self) -> &'static str {
        match self {
            Container::Flv => ".flv",
            Container::Ts => ".ts",
            Container::Aac => ".aac",
            Container::Mp3 => ".mp3",
        }
    }

    /// Media type of the answer, as SRS tells it.
    pub fn content_type(self) -> &'static str {
        match self {
            Container::Flv => "video/x-flv",
            Container::Ts => "video/MP2T",
            Container::Aac => "audio/x-aac",
            Container::Mp3 => "audio/mpeg",
        }
    }
}

/// How a container's pieces are put on the wire; a piece is what one frame becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Framing {
    /// Pieces alone: HTTP/1.0, and bodies that hyper frames itself.
    Plain,
    /// One HTTP/1.1 chunk a piece (RFC 9112 7.1).
    Chunked,
    /// One binary WebSocket message a piece.
    WebSocket,
}

impl Framing {
    /// Puts a piece of `len` bytes, which `write` appends.
    fn put(self, len: usize, out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
        if len == 0 {
            return; // an empty chunk would end the body
        }
        match self {
            Framing::Plain => {}
            Framing::Chunked => out.put_slice(format!("{len:x}\r\n").as_bytes()),
            Framing::WebSocket => binary_header(len, out),
        }
        write(out);
        if self == Framing::Chunked {
            out.put_slice(b"\r\n");
        }
    }

    /// What ends the stream.
    fn trailer(self) -> &'static [u8] {
        match self {
            Framing::Plain => b"",
            Framing::Chunked => b"0\r\n\r\n",
            Framing::WebSocket => &[0x88, 0x02, 0x03, 0xe8], // close, status 1000
        }
    }
}

/// A container of a choice of tracks in a framing.
#[derive(Debug)]
struct LiveFormat {
    key: FormatKey,
    container: Container,
    framing: Framing,
    tracks: Tracks,
    backlog: Time,
}

/// The container in this framing with these tracks; players with equal arguments share one byte log.
/// AAC and MP3 carry sound alone, whatever `tracks` says, and only they begin `backlog` in the past.
pub(crate) fn format(
    container: Container,
    framing: Framing,
    tracks: Tracks,
    backlog: Time,
) -> Arc<dyn Format> {
    let (tracks, backlog) = match container {
        Container::Flv | Container::Ts => (tracks, Time::ZERO),
        Container::Aac | Container::Mp3 => (Tracks { audio: true, video: false }, backlog),
    };
    let Tracks { audio, video } = tracks;
    let key = format!("{container:?}/{framing:?}/audio={audio}/video={video}/{}", backlog.millis()).into();
    Arc::new(LiveFormat { key, container, framing, tracks, backlog })
}

impl Format for LiveFormat {
    fn key(&self) -> &FormatKey {
        &self.key
    }

    fn mux(&self) -> Box<dyn Mux> {
        match self.container {
            Container::Flv => Box::new(flv::FlvMux::new(self.framing, self.tracks)),
            Container::Ts => Box::new(ts::TsMux::new(self.framing, self.tracks)),
            Container::Aac => Box::new(aac::AacMux::new(self.framing)),
            Container::Mp3 => Box::new(mp3::Mp3Mux::new(self.framing)),
        }
    }

    fn trailer(&self) -> Option<Bytes> {
        Some(Bytes::from_static(self.framing.trailer()))
    }

    fn backlog(&self) -> Time {
        self.backlog
    }
}

/// What comes before everything else, framed: the FLV header for `tracks`, an ID3v2 tag, or nothing.
pub(crate) fn file_header(container: Container, framing: Framing, tracks: Tracks) -> Bytes {
    let flv;
    let header: &[u8] = match container {
        Container::Flv => {
            flv = headwater_flv::file_header(tracks.audio, tracks.video);
            &flv
        }
        Container::Mp3 => &mp3::ID3,
        Container::Ts | Container::Aac => &[],
    };
    let mut out = BytesMut::with_capacity(32);
    framing.put(header.len(), &mut out, |out| out.put_slice(header));
    out.freeze()
}

/// Whether a frame is of one of the tracks; script messages always are.
fn carries(tracks: Tracks, frame: &Frame) -> bool {
    match frame.track {
        Track::Audio => tracks.audio,
        Track::Video => tracks.video,
        Track::Script => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_media::{Codec, CodecTag, Kind};

    /// A frame of `payload` at `ms`, without composition offset.
    pub(super) fn frame(track: Track, codec: Codec, kind: Kind, ms: i64, payload: &[u8]) -> Frame {
        let at = Time::from_millis(ms);
        let payload = Bytes::copy_from_slice(payload);
        Frame { track, codec, tag: CodecTag::Legacy, kind, dts: at, pts: at, payload }
    }

    #[test]
    fn the_file_header_is_framed() {
        let header = |framing| file_header(Container::Flv, framing, Tracks::ALL);
        let bytes = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"; // version 1, audio and video, PreviousTagSize0
        assert_eq!(header(Framing::Plain), &bytes[..]);
        assert_eq!(header(Framing::Chunked), [b"d\r\n", &bytes[..], b"\r\n"].concat());
        assert_eq!(header(Framing::WebSocket), [b"\x82\x0d", &bytes[..]].concat());
    }

    #[test]
    fn no_header_is_no_chunk() {
        for container in [Container::Ts, Container::Aac] {
            assert_eq!(file_header(container, Framing::Chunked, Tracks::ALL), &b""[..]);
        }
    }

    #[test]
    fn container_framing_and_tracks_choose_the_log() {
        let video = Tracks { audio: false, video: true };
        let key = |container, framing, tracks| format(container, framing, tracks, Time::ZERO).key().clone();
        let flv = key(Container::Flv, Framing::Plain, Tracks::ALL);
        assert_ne!(flv, key(Container::Flv, Framing::Plain, video));
        assert_ne!(flv, key(Container::Ts, Framing::Plain, Tracks::ALL));
        assert_ne!(flv, key(Container::Flv, Framing::Chunked, Tracks::ALL));
        let aac = key(Container::Aac, Framing::Plain, Tracks::ALL);
        assert_eq!(aac, key(Container::Aac, Framing::Plain, video));
    }
}
