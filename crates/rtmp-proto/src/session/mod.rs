//! The two ends of an RTMP connection, and the words they share.

pub(crate) mod client;
mod reply;
pub(crate) mod server;

use crate::{Message, RtmpUrl, SessionError, aggregate, wire};
use bytes::Bytes;
use headwater_flv::{self as flv, FlvError, Parsed};
use headwater_media::{Frame, Time};

/// What a server session tells about itself and asks for.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Outgoing chunk size, told before the answer to `connect`.
    pub chunk_size: u32,
    /// Window told to the peer, in bytes; 0 tells none.
    pub out_ack_size: u32,
    /// Window assumed when the peer tells none, in bytes; 0 means no acknowledgements until it does.
    pub in_ack_size: u32,
    /// Identity of the connection (`srs_id`).
    pub id: String,
    /// Address the client reached (`srs_server_ip`).
    pub server_ip: String,
    /// Process id (`srs_pid`).
    pub pid: u32,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            chunk_size: 60_000,
            out_ack_size: 2_500_000,
            in_ack_size: 0,
            id: String::new(),
            server_ip: String::new(),
            pid: 0,
        }
    }
}

/// What comes out of a server session.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Bytes for the peer, in order.
    Send(Bytes),
    /// Something happened.
    Event(Event),
}

/// What happened on a server session.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The peer's `connect` was answered.
    Connected(Box<ConnectInfo>),
    /// The peer wants to publish: answer with `accept_publish` or `refuse`.
    Publish(Box<PublishRequest>),
    /// The peer wants to play: answer with `accept_play` or `refuse`.
    Play(Box<PlayRequest>),
    /// A frame of the accepted publisher; times are unwrapped, and begin where the publisher's begin.
    Frame(Frame),
    /// The publisher ended; it may publish again on the same connection.
    Unpublish,
    /// The player paused (true) or went on (false).
    Pause(bool),
    /// The player stopped; it may play or publish again on the same connection.
    CloseStream,
    /// The player's buffer, in milliseconds.
    BufferLength(u32),
    /// Valid input that is not carried, with the reason; the same reason is told once in a row.
    Ignored(&'static str),
}

/// What a client said in `connect`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectInfo {
    /// URL up to the application.
    pub tc_url: String,
    /// Web page of the player; cut to 1 KiB.
    pub page_url: String,
    /// URL of the player; cut to 1 KiB.
    pub swf_url: String,
    /// The encoder or player, such as `FMLE/3.0 (compatible; FMSc/1.0)`; cut to 1 KiB.
    pub flash_ver: String,
    /// Whether it speaks Enhanced RTMP (`fourCcList`, `videoFourCcInfoMap` or `capsEx`).
    pub enhanced: bool,
}

/// A client wants to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRequest {
    /// The stream.
    pub url: RtmpUrl,
    /// What the client said before.
    pub connect: ConnectInfo,
    /// How it asked.
    pub flow: Flow,
}

/// A client wants to play.
#[derive(Clone, Debug, PartialEq)]
pub struct PlayRequest {
    /// The stream.
    pub url: RtmpUrl,
    /// What the client said before.
    pub connect: ConnectInfo,
    /// Start in milliseconds; -2 (live or recorded) when not given.
    pub start: f64,
    /// Duration in milliseconds, when given and above 0.
    pub duration: Option<f64>,
}

/// The order of commands a publisher uses; the end of publishing follows from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// `releaseStream`, `FCPublish`, `createStream`, `publish` (ffmpeg, OBS, most encoders).
    Fmle,
    /// `createStream`, `publish`.
    #[default]
    Flash,
    /// `createStream`, `FCPublish`, `publish`.
    Haivision,
}

/// Turns 32-bit timestamps into times that do not wrap.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: Option<(u32, i64)>,
}

impl Clock {
    /// The time nearest to the one before it.
    pub(crate) fn unwrap(&mut self, timestamp: u32) -> Time {
        let ms = match self.last {
            Some((before, ms)) => ms + i64::from(timestamp.wrapping_sub(before) as i32),
            None => timestamp.into(),
        };
        self.last = Some((timestamp, ms));
        Time::from_millis(ms)
    }
}

/// Reads a media message; an aggregate gives several.
pub(crate) fn media(
    message: &Message,
    clock: &mut Clock,
    mut each: impl FnMut(Parsed),
) -> Result<(), SessionError> {
    if message.type_id != wire::AGGREGATE {
        return media_one(message, clock).map(each);
    }
    for part in aggregate::split(message)? {
        each(media_one(&part, clock)?);
    }
    Ok(())
}

fn media_one(message: &Message, clock: &mut Clock) -> Result<Parsed, SessionError> {
    let payload = &message.payload;
    let fault = |source: FlvError| SessionError::Media { at_ms: message.timestamp, source };
    match message.type_id {
        wire::AUDIO => flv::parse_audio(payload, clock.unwrap(message.timestamp)).map_err(fault),
        wire::VIDEO => flv::parse_video(payload, clock.unwrap(message.timestamp)).map_err(fault),
        wire::DATA_AMF3 => Ok(script(&payload.slice(1.min(payload.len())..), clock, message.timestamp)),
        wire::DATA_AMF0 => Ok(script(payload, clock, message.timestamp)),
        _ => Ok(Parsed::Ignored("message of an unknown type")),
    }
}

/// A stream can be played without its script messages, so a broken one is left out. Encoders stamp them 0 at any
/// time, so they do not move the clock.
fn script(payload: &Bytes, clock: &Clock, timestamp: u32) -> Parsed {
    let mut clock = Clock { last: clock.last };
    let time = match (timestamp, clock.last) {
        (0, Some((_, ms))) => Time::from_millis(ms),
        _ => clock.unwrap(timestamp),
    };
    flv::parse_script(payload, time).unwrap_or(Parsed::Ignored("script message that is not valid AMF"))
}
