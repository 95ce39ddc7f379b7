use bytes::{Bytes, BytesMut};
use headwater_hub::{Format, FormatKey, Headers, Mux};
use headwater_media::{Frame, Time};
use headwater_rtmp_proto::write_frame;
use std::sync::Arc;

/// RTMP chunks of one size, on message stream 1.
#[derive(Debug)]
struct RtmpFormat {
    key: FormatKey,
    chunk_size: usize,
}

/// RTMP cut at `chunk_size`; players with the same size share one byte log.
pub(crate) fn rtmp(chunk_size: usize) -> Arc<dyn Format> {
    Arc::new(RtmpFormat { key: format!("rtmp/{chunk_size}").into(), chunk_size })
}

impl Format for RtmpFormat {
    fn key(&self) -> &FormatKey {
        &self.key
    }

    fn mux(&self) -> Box<dyn Mux> {
        Box::new(RtmpMux { chunk_size: self.chunk_size })
    }

    /// RTMP players stay and wait for the next publisher.
    fn trailer(&self) -> Option<Bytes> {
        None
    }
}

struct RtmpMux {
    chunk_size: usize,
}

impl Mux for RtmpMux {
    fn frame(&mut self, frame: &Frame, out: &mut BytesMut) {
        write_frame(frame, millis(frame.dts), self.chunk_size, out);
    }

    fn headers(&mut self, headers: &Headers, at: Time, out: &mut BytesMut) {
        headers.iter().for_each(|frame| write_frame(frame, millis(at), self.chunk_size, out));
    }
}

/// RTMP times are 32 bits and wrap.
fn millis(at: Time) -> u32 {
    at.millis() as u32
}
