use crate::url::UrlError;
use headwater_flv::{AmfError, FlvError};
use headwater_media::Short;
use thiserror::Error;

/// A session cannot go on. Drain its outputs, send them, close the connection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Peer fault: the handshake.
    #[error("RTMP handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// Peer fault: the chunk stream.
    #[error("RTMP chunk stream: {0}")]
    Chunk(#[from] ChunkError),
    /// Peer fault: a control message without its fields.
    #[error("RTMP control message of type {type_id} is cut short ({short})")]
    Control {
        /// Message type.
        type_id: u8,
        /// Where it ended.
        short: Short,
    },
    /// Peer fault: a command that is not valid AMF.
    #[error("RTMP command: {0}")]
    Command(#[from] AmfError),
    /// Peer fault: media that is not valid FLV.
    #[error("RTMP media at {at_ms} ms: {source}")]
    Media {
        /// Timestamp of the message.
        at_ms: u32,
        /// What is wrong.
        source: FlvError,
    },
    /// Peer fault: another command came before `connect`.
    #[error("the first RTMP command is '{0}'; it must be 'connect'")]
    NotConnected(String),
    /// Peer fault: `connect` without a `tcUrl`.
    #[error("RTMP 'connect' has no tcUrl; the URL must be rtmp://host/app/stream")]
    NoTcUrl,
    /// Peer fault: the names in the URL or the command.
    #[error("RTMP URL: {0}")]
    Url(#[from] UrlError),
    /// Limit: the peer went on sending while its request was being decided.
    #[error("the peer sent over {limit} bytes before its request was answered; it should wait for onStatus")]
    Impatient {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Misuse by the caller: this call does not fit the session's state.
    #[error("{call} does not fit an RTMP session that is {state}; it answers the request in the last event")]
    Misuse {
        /// The call.
        call: &'static str,
        /// The state.
        state: &'static str,
    },
}

/// The bytes before the chunk stream are not an RTMP handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The version byte.
    #[error(
        "version {0:#04x} instead of 0x03; the peer speaks another protocol (RTMPE and TLS are not RTMP)"
    )]
    Version(u8),
    /// The header a proxy puts before the handshake.
    #[error("proxy header of {0} bytes, over the limit of 1024")]
    ProxyHeader(u16),
}

/// The chunk stream cannot be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// A new chunk stream begins with a header that refers to an earlier one (RTMP 5.3.1.2).
    #[error("chunk stream {csid} begins with header type {fmt}, which needs an earlier header")]
    NoEarlierHeader {
        /// Chunk stream id.
        csid: u32,
        /// Header type.
        fmt: u8,
    },
    /// A message begins before the one before it on the same chunk stream has ended.
    #[error("chunk stream {csid} begins a message with {missing} bytes of the previous one missing")]
    Interrupted {
        /// Chunk stream id.
        csid: u32,
        /// Bytes missing.
        missing: usize,
    },
    /// Set Chunk Size of 0, or cut short.
    #[error("Set Chunk Size is not a size of 1 or more")]
    ChunkSize,
    /// Too many chunk streams.
    #[error("over {limit} chunk streams on one connection")]
    Streams {
        /// The limit.
        limit: usize,
    },
    /// Too much begun and not ended.
    #[error("over {limit} bytes in unfinished messages")]
    Unfinished {
        /// The limit, in bytes.
        limit: usize,
    },
    /// An aggregate message whose parts do not add up.
    #[error("aggregate message is cut short ({0})")]
    Aggregate(#[from] Short),
}
