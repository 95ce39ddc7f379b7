//! Pictures in the order in which browsers take them: shown as they are decoded.
//!
//! Encoders send pictures with B-frames in decoding order, and receivers are to sort them. Browsers do not: a picture
//! that is shown before one that was decoded is an error to their decoders, after which they wait for the next key
//! frame. Such pictures are left out. Where other pictures refer to them (a pyramid of B-frames) these are damaged
//! until the next key frame, which is said once a publisher; what to set in the encoder is in the user's book.

use headwater_hub::StreamName;
use headwater_media::codec::{avc, hevc};
use headwater_media::{Codec, Frame, Kind, Time, Track};

/// Puts one stream's pictures in order.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// `keep_bframe`: all pictures are sent, for receivers that sort them.
    keep: bool,
    /// When the last picture that was sent is shown.
    shown: Option<Time>,
    config: Config,
    said: Said,
}

/// What was said of the present publisher.
#[derive(Debug, Default)]
struct Said {
    references: bool,
    open: bool,
}

/// What tells whether anything refers to a picture.
#[derive(Clone, Copy, Debug)]
struct Config {
    /// Bytes of the lengths of NAL units.
    length_size: u8,
    /// Temporal sub-layers (HEVC).
    layers: u8,
}

impl Default for Config {
    fn default() -> Config {
        Config { length_size: 4, layers: 1 }
    }
}

impl Order {
    pub(crate) fn new(keep: bool) -> Order {
        Order { keep, ..Order::default() }
    }

    /// Another publisher comes.
    pub(crate) fn begin(&mut self) {
        *self = Order::new(self.keep);
    }

    /// Whether the frame is sent.
    pub(crate) fn takes(&mut self, frame: &Frame, stream: &StreamName) -> bool {
        if frame.track != Track::Video {
            return true;
        }
        match frame.kind {
            Kind::Config => self.config = Config::of(frame).unwrap_or(self.config),
            Kind::Key => self.look_at_key(frame, stream),
            _ if !self.keep && self.shown.is_some_and(|shown| frame.pts < shown) => {
                self.look_at_left_out(frame, stream);
                return false;
            }
            _ => {}
        }
        if frame.kind != Kind::Config {
            self.shown = Some(frame.pts);
        }
        true
    }

    fn look_at_left_out(&mut self, frame: &Frame, stream: &StreamName) {
        if !self.said.references && !self.config.is_disposable(frame) {
            self.said.references = true;
            tracing::warn!(
                %stream,
                "B-frames that other pictures refer to are left out for WebRTC players, who may see damaged pictures; \
                 publish without B-frames (x264: bframes=0), or with b-pyramid=none"
            );
        }
    }

    /// Browsers begin at IDR pictures only.
    fn look_at_key(&mut self, frame: &Frame, stream: &StreamName) {
        let open = frame.codec == Codec::H264 && !avc::is_idr(&frame.payload, self.config.length_size);
        if open && !self.said.open {
            self.said.open = true;
            tracing::warn!(
                %stream,
                "a key frame is no IDR picture, and browsers cannot begin there; publish closed groups of pictures \
                 (x264: open-gop=0, no intra-refresh)"
            );
        }
    }
}

impl Config {
    fn of(frame: &Frame) -> Option<Config> {
        match frame.codec {
            Codec::H264 => {
                let config = avc::Config::parse(&frame.payload).ok()?;
                Some(Config { length_size: config.length_size, layers: 1 })
            }
            Codec::Hevc => {
                let config = hevc::Config::parse(&frame.payload).ok()?;
                Some(Config { length_size: config.length_size, layers: config.temporal_layers() })
            }
            _ => None,
        }
    }

    fn is_disposable(self, frame: &Frame) -> bool {
        match frame.codec {
            Codec::H264 => avc::is_disposable(&frame.payload, self.length_size),
            Codec::Hevc => hevc::is_disposable(&frame.payload, self.length_size, self.layers),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_media::CodecTag;

    fn name() -> StreamName {
        StreamName::new("__defaultVhost__", "live", "a").unwrap()
    }

    /// A picture of one slice with `nal_ref_idc` and type.
    fn picture(head: u8, dts: i64, pts: i64) -> Frame {
        let kind = if head & 0x1f == avc::IDR { Kind::Key } else { Kind::Inter };
        let (dts, pts) = (Time::from_millis(dts), Time::from_millis(pts));
        let payload = vec![0, 0, 0, 2, head, 0x80].into();
        Frame { track: Track::Video, codec: Codec::H264, tag: CodecTag::Legacy, kind, dts, pts, payload }
    }

    fn taken(order: &mut Order, frames: &[Frame]) -> Vec<i64> {
        let taken = frames.iter().filter(|frame| order.takes(frame, &name()));
        taken.map(|frame| frame.pts.millis()).collect()
    }

    #[test]
    fn pictures_that_come_back_are_left_out() {
        let frames = [(0x65, 0, 80), (0x41, 40, 240), (0x01, 80, 160), (0x41, 120, 280), (0x65, 160, 320)];
        let frames = frames.map(|(head, dts, pts)| picture(head, dts, pts));
        let mut order = Order::new(false);
        assert_eq!(taken(&mut order, &frames), [80, 240, 280, 320]);
        assert!(!order.said.references, "nothing refers to what was left out");
        assert_eq!(taken(&mut Order::new(true), &frames), [80, 240, 160, 280, 320]);
    }

    #[test]
    fn what_may_do_harm_is_said() {
        let mut order = Order::new(false);
        taken(&mut order, &[picture(0x65, 0, 80), picture(0x41, 40, 240), picture(0x21, 80, 160)]);
        assert!(order.said.references && !order.said.open);
        order.begin();
        taken(&mut order, &[Frame { kind: Kind::Key, ..picture(0x41, 0, 0) }]);
        assert!(order.said.open && !order.said.references);
    }

    /// Clocks that are set back: the next key frame begins anew.
    #[test]
    fn a_key_frame_is_always_sent() {
        let mut order = Order::new(false);
        assert_eq!(
            taken(&mut order, &[picture(0x65, 0, 5000), picture(0x65, 0, 0), picture(0x41, 40, 40)]),
            [5000, 0, 40]
        );
    }
}
