use super::{Framing, carries};
use bytes::{BufMut, BytesMut};
use headwater_hub::{Headers, Mux, Tracks};
use headwater_media::{Codec, Frame, Time};
use headwater_mpeg::{TABLES, TsMuxer};

/// First bytes of a program association table's packet: sync byte, start of a section, PID 0.
const PAT_START: [u8; 3] = [0x47, 0x40, 0x00];

/// The transport packets of one frame a piece. Tables come before the first frame, before every key frame, and
/// whenever the tracks change.
pub(super) struct TsMux {
    framing: Framing,
    tracks: Tracks,
    muxer: TsMuxer,
    packets: BytesMut,
    /// The tables that went out last. A newcomer gets them again: their continuity counters lead on to the next ones.
    tables: Vec<u8>,
    /// Whether a frame that TS does not carry was told of.
    complained: bool,
}

impl TsMux {
    pub(super) fn new(framing: Framing, tracks: Tracks) -> TsMux {
        TsMux {
            framing,
            tracks,
            muxer: TsMuxer::new(),
            packets: BytesMut::new(),
            tables: Vec::new(),
            complained: false,
        }
    }

    fn mux(&mut self, frame: &Frame) {
        if let Err(error) = self.muxer.frame(frame, &mut self.packets)
            && !std::mem::replace(&mut self.complained, true)
        {
            tracing::warn!(%error, "HTTP-TS leaves frames out");
        }
    }

    fn keep_tables(&mut self) {
        let tables = self.packets.get(..TABLES).filter(|start| start.starts_with(&PAT_START));
        if let Some(tables) = tables {
            self.tables.clear();
            self.tables.extend_from_slice(tables);
        }
    }
}

impl Mux for TsMux {
    fn frame(&mut self, frame: &Frame, out: &mut BytesMut) {
        if !carries(self.tracks, frame) {
            return;
        }
        self.packets.clear();
        if frame.is_video_key() && matches!(frame.codec, Codec::H264 | Codec::Hevc) {
            self.muxer.start(&mut self.packets);
        }
        self.mux(frame);
        self.keep_tables();
        self.framing.put(self.packets.len(), out, |out| out.put_slice(&self.packets));
    }

    fn headers(&mut self, headers: &Headers, _: Time, out: &mut BytesMut) {
        self.packets.clear();
        let tracks = self.tracks;
        headers.iter().filter(|frame| carries(tracks, frame)).for_each(|config| self.mux(config));
        self.framing.put(self.tables.len(), out, |out| out.put_slice(&self.tables));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::frame;
    use super::*;
    use headwater_media::{Kind, Track};
    use headwater_mpeg::PACKET;

    /// AudioSpecificConfig: LC, 48 kHz, stereo.
    const ASC: [u8; 2] = [0x11, 0x90];
    /// AVCDecoderConfigurationRecord: Baseline 3.0, four-byte lengths, one SPS and one PPS of the shortest kind.
    const AVCC: [u8; 19] = [
        0x01, 0x42, 0x00, 0x1e, 0xff, 0xe1, 0x00, 0x04, 0x67, 0x42, 0x00, 0x1e, 0x01, 0x00, 0x04, 0x68, 0xce,
        0x3c, 0x80,
    ];

    fn configs() -> Headers {
        Headers {
            script: None,
            audio: Some(frame(Track::Audio, Codec::Aac, Kind::Config, 0, &ASC)),
            video: Some(frame(Track::Video, Codec::H264, Kind::Config, 0, &AVCC)),
        }
    }

    fn picture(kind: Kind, ms: i64) -> Frame {
        frame(Track::Video, Codec::H264, kind, ms, &[0, 0, 0, 2, 0x65, 0x88])
    }

    fn sound(ms: i64) -> Frame {
        frame(Track::Audio, Codec::Aac, Kind::Key, ms, &[1; 100])
    }

    fn pids(bytes: &[u8]) -> Vec<u16> {
        let pid = |p: &[u8]| u16::from_be_bytes([p[1] & 0x1f, p[2]]);
        bytes.chunks(PACKET).map(pid).collect()
    }

    /// Continuity counter of the first packet.
    fn counter(bytes: &[u8]) -> u8 {
        bytes[3] & 0x0f
    }

    fn put(mux: &mut TsMux, frame: &Frame) -> BytesMut {
        let mut out = BytesMut::new();
        mux.frame(frame, &mut out);
        out
    }

    fn newcomer(mux: &mut TsMux) -> BytesMut {
        let mut out = BytesMut::new();
        mux.headers(&configs(), Time::ZERO, &mut out);
        out
    }

    #[test]
    fn tables_come_at_the_start_and_at_key_frames() {
        let mut mux = TsMux::new(Framing::Plain, Tracks::ALL);
        assert!(newcomer(&mut mux).is_empty(), "the first frame brings them");
        assert_eq!(pids(&put(&mut mux, &picture(Kind::Key, 0))), [0, 0x1001, 0x100]);
        assert_eq!(pids(&put(&mut mux, &sound(0))), [0x101]);
        assert_eq!(pids(&put(&mut mux, &picture(Kind::Inter, 40))), [0x100]);
        assert_eq!(pids(&put(&mut mux, &picture(Kind::Key, 80))), [0, 0x1001, 0x100]);
    }

    #[test]
    fn a_newcomers_tables_lead_on_to_the_next() {
        let mut mux = TsMux::new(Framing::Plain, Tracks::ALL);
        newcomer(&mut mux);
        put(&mut mux, &picture(Kind::Key, 0));
        let tables = newcomer(&mut mux);
        assert_eq!(pids(&tables), [0, 0x1001]);
        let next = put(&mut mux, &picture(Kind::Key, 40));
        assert_eq!(counter(&next), (counter(&tables) + 1) & 0x0f);
    }

    #[test]
    fn a_track_that_is_off_is_not_announced() {
        let mut mux = TsMux::new(Framing::Plain, Tracks { audio: true, video: false });
        newcomer(&mut mux);
        assert!(put(&mut mux, &picture(Kind::Key, 0)).is_empty());
        let out = put(&mut mux, &sound(0));
        assert_eq!(pids(&out), [0, 0x1001, 0x101]);
        // program_info_length 0, then stream_type 0x0f (ADTS) first (ISO/IEC 13818-1 2.4.4.9).
        assert_eq!(out[PACKET + 15..PACKET + 18], [0xf0, 0x00, 0x0f]);
    }

    #[test]
    fn a_frame_is_one_chunk() {
        let mut mux = TsMux::new(Framing::Chunked, Tracks::ALL);
        newcomer(&mut mux);
        let out = put(&mut mux, &picture(Kind::Key, 0));
        assert!(out.starts_with(b"234\r\nG") && out.ends_with(b"\r\n")); // 0x234 = 3 × 188
    }

    #[test]
    fn what_ts_does_not_carry_leaves_nothing() {
        let mut mux = TsMux::new(Framing::Plain, Tracks::ALL);
        assert!(put(&mut mux, &frame(Track::Video, Codec::Av1, Kind::Key, 0, &[1])).is_empty());
        assert!(put(&mut mux, &frame(Track::Script, Codec::Script, Kind::Script, 0, &[2])).is_empty());
        assert!(put(&mut mux, &sound(0)).is_empty(), "not configured");
    }
}
