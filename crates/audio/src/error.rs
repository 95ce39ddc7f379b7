use headwater_media::Codec;
use thiserror::Error;

/// What stood in the way of a conversion. The converter goes on with the next frame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// There is no decoder for it.
    #[error("converting sound: {codec:?} cannot be decoded; publish AAC, MP3, Opus or G.711")]
    Codec {
        /// The codec of the frame.
        codec: Codec,
    },
    /// A decoder cannot be made from the configuration.
    #[error(
        "converting sound: the {codec:?} configuration cannot be used ({reason}); check the publisher's encoder"
    )]
    Config {
        /// The codec of the frame.
        codec: Codec,
        /// What is wrong with it.
        reason: String,
    },
    /// Frames came before their decoder's configuration.
    #[error(
        "converting sound: {codec:?} came before its configuration; it is left out until the configuration comes"
    )]
    NoConfig {
        /// The codec of the frame.
        codec: Codec,
    },
    /// A frame is broken and was left out.
    #[error("converting sound: a frame of {codec:?} cannot be decoded and is left out ({reason})")]
    Frame {
        /// The codec of the frame.
        codec: Codec,
        /// What is wrong with it.
        reason: String,
    },
    /// The encoder refuses.
    #[error("converting sound: encoding {codec:?} failed ({reason}); check the bit rate that is configured")]
    Encode {
        /// The codec to be made.
        codec: Codec,
        /// What the encoder said.
        reason: String,
    },
}
