use super::Framing;
use bytes::{BufMut, BytesMut};
use headwater_hub::{Headers, Mux};
use headwater_media::codec::aac::{ADTS_HEADER, Config};
use headwater_media::{Codec, Frame, Kind, Time};

/// One ADTS frame a frame of AAC. Other codecs, and what ADTS cannot say, are left out.
pub(super) struct AacMux {
    framing: Framing,
    config: Option<Config>,
}

impl AacMux {
    pub(super) fn new(framing: Framing) -> AacMux {
        AacMux { framing, config: None }
    }
}

impl Mux for AacMux {
    fn frame(&mut self, frame: &Frame, out: &mut BytesMut) {
        match (frame.codec, frame.kind) {
            (Codec::Aac, Kind::Config) => self.config = Config::parse(&frame.payload).ok(),
            (Codec::Aac, _) => {
                let adts = self.config.and_then(|config| config.adts_header(frame.payload.len()));
                let Some(adts) = adts else { return };
                self.framing.put(ADTS_HEADER + frame.payload.len(), out, |out| {
                    out.put_slice(&adts);
                    out.put_slice(&frame.payload);
                });
            }
            _ => {}
        }
    }

    fn headers(&mut self, headers: &Headers, _: Time, out: &mut BytesMut) {
        if let Some(config) = &headers.audio {
            self.frame(config, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::frame;
    use super::*;
    use headwater_media::Track;
    use headwater_media::codec::aac::Adts;

    #[test]
    fn frames_get_headers_once_configured() {
        let mut mux = AacMux::new(Framing::Plain);
        let mut out = BytesMut::new();
        let sound = frame(Track::Audio, Codec::Aac, Kind::Key, 0, &[7; 50]);
        mux.frame(&sound, &mut out);
        assert!(out.is_empty(), "no configuration yet");
        // AudioSpecificConfig: LC, 48 kHz, stereo.
        let config = frame(Track::Audio, Codec::Aac, Kind::Config, 0, &[0x11, 0x90]);
        mux.headers(&Headers { audio: Some(config), ..Headers::default() }, Time::ZERO, &mut out);
        assert!(out.is_empty(), "ADTS says it in every frame");
        mux.frame(&sound, &mut out);
        let adts = Adts::parse(&out).unwrap();
        assert_eq!((adts.config, adts.payload, adts.len), (Config::lc(48_000, 2), &[7; 50][..], out.len()));
    }

    #[test]
    fn other_tracks_and_codecs_are_left_out() {
        let mut mux = AacMux::new(Framing::Chunked);
        let mut out = BytesMut::new();
        mux.frame(&frame(Track::Video, Codec::H264, Kind::Key, 0, &[1]), &mut out);
        mux.frame(&frame(Track::Audio, Codec::Mp3, Kind::Key, 0, &[0xff, 0xfb, 0x90, 0]), &mut out);
        assert!(out.is_empty());
    }
}
