use super::Container;
use headwater_hub::Tracks;
use headwater_media::Codec;

/// What is known of a live stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Which tracks it has.
    pub(crate) tracks: Tracks,
    /// Codec of its sound, once seen.
    pub(crate) audio: Option<Codec>,
    /// Codec of its pictures, once seen.
    pub(crate) video: Option<Codec>,
}

/// Why `container` has nothing to give of a stream; none when it has, or when that cannot be said yet.
pub(crate) fn unsuited(container: Container, stream: Known) -> Option<String> {
    let why = match container {
        Container::Flv => None,
        Container::Aac => not_this_sound(stream, Codec::Aac),
        Container::Mp3 => not_this_sound(stream, Codec::Mp3),
        Container::Ts => stream
            .video
            .filter(|codec| !matches!(codec, Codec::H264 | Codec::Hevc))
            .map(|codec| format!("MPEG-TS does not carry {codec:?}")),
    };
    why.map(|why| format!("{why}; its .flv carries everything"))
}

fn not_this_sound(stream: Known, codec: Codec) -> Option<String> {
    match stream.audio {
        Some(found) => (found != codec).then(|| format!("the stream's sound is {found:?}, not {codec:?}")),
        None => (!stream.tracks.audio).then(|| "the stream has no sound".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(audio: Option<Codec>, video: Option<Codec>) -> Known {
        Known { tracks: Tracks { audio: audio.is_some(), video: video.is_some() }, audio, video }
    }

    #[test]
    fn flv_suits_everything() {
        assert_eq!(unsuited(Container::Flv, known(Some(Codec::Opus), Some(Codec::Av1))), None);
    }

    #[test]
    fn sound_must_be_of_the_codec() {
        let sound = |codec| known(Some(codec), Some(Codec::H264));
        assert_eq!(unsuited(Container::Aac, sound(Codec::Aac)), None);
        assert_eq!(unsuited(Container::Mp3, sound(Codec::Mp3)), None);
        assert!(unsuited(Container::Aac, sound(Codec::Mp3)).unwrap().contains("Mp3, not Aac"));
        assert!(unsuited(Container::Mp3, known(None, Some(Codec::H264))).unwrap().contains("no sound"));
    }

    #[test]
    fn a_track_whose_codec_is_not_seen_yet_may_suit() {
        let tracks = Tracks::ALL;
        assert_eq!(unsuited(Container::Mp3, Known { tracks, audio: None, video: None }), None);
    }

    #[test]
    fn ts_carries_two_video_codecs() {
        for (codec, suits) in
            [(Codec::H264, true), (Codec::Hevc, true), (Codec::Av1, false), (Codec::Vp9, false)]
        {
            assert_eq!(unsuited(Container::Ts, known(None, Some(codec))).is_none(), suits, "{codec:?}");
        }
        assert_eq!(unsuited(Container::Ts, known(Some(Codec::Opus), None)), None);
    }
}
