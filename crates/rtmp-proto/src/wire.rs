//! Numbers of the RTMP wire: message types, user control events, chunk stream ids.

/// Chunk size until a peer sets another (RTMP 5.4.1).
pub const CHUNK_SIZE_DEFAULT: usize = 128;
/// Largest message and largest chunk: the length field has 24 bits.
pub const MESSAGE_MAX: usize = 0xff_ffff;
/// The one message stream there is; `createStream` always answers this id.
pub const STREAM_ID: u32 = 1;

/// Message type Set Chunk Size.
pub const SET_CHUNK_SIZE: u8 = 0x01;
/// Message type Abort.
pub const ABORT: u8 = 0x02;
/// Message type Acknowledgement.
pub const ACK: u8 = 0x03;
/// Message type User Control.
pub const USER_CONTROL: u8 = 0x04;
/// Message type Window Acknowledgement Size.
pub const WINDOW_ACK_SIZE: u8 = 0x05;
/// Message type Set Peer Bandwidth.
pub const SET_PEER_BANDWIDTH: u8 = 0x06;
/// Message type Audio.
pub const AUDIO: u8 = 0x08;
/// Message type Video.
pub const VIDEO: u8 = 0x09;
/// Message type AMF3 data.
pub const DATA_AMF3: u8 = 0x0f;
/// Message type AMF3 command.
pub const COMMAND_AMF3: u8 = 0x11;
/// Message type AMF0 data.
pub const DATA_AMF0: u8 = 0x12;
/// Message type AMF0 command.
pub const COMMAND_AMF0: u8 = 0x14;
/// Message type Aggregate.
pub const AGGREGATE: u8 = 0x16;

/// User control event Stream Begin.
pub const EVENT_STREAM_BEGIN: u16 = 0x00;
/// User control event Stream EOF.
pub const EVENT_STREAM_EOF: u16 = 0x01;
/// User control event Set Buffer Length.
pub const EVENT_BUFFER_LENGTH: u16 = 0x03;
/// User control event Ping Request.
pub const EVENT_PING_REQUEST: u16 = 0x06;
/// User control event Ping Response.
pub const EVENT_PING_RESPONSE: u16 = 0x07;

/// Chunk stream of protocol control messages.
pub const CSID_CONTROL: u8 = 2;
/// Chunk stream of connection commands.
pub const CSID_COMMAND: u8 = 3;
/// Chunk stream of data messages.
pub const CSID_DATA: u8 = 4;
/// Chunk stream of stream commands.
pub const CSID_STREAM: u8 = 5;
/// Chunk stream of video.
pub const CSID_VIDEO: u8 = 6;
/// Chunk stream of audio.
pub const CSID_AUDIO: u8 = 7;

/// A 24-bit timestamp field with this value means: see the extended timestamp.
pub(crate) const EXTENDED: u32 = 0xff_ffff;
