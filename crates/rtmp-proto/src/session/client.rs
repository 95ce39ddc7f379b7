use super::{Clock, media};
use crate::command::{Acks, Command, Outbox};
use crate::handshake::ClientHandshake;
use crate::wire::{self, STREAM_ID};
use crate::{ChunkReader, Message, SessionError, write_frame};
use bytes::Bytes;
use headwater_flv::Parsed;
use headwater_flv::amf0::{Value, object};
use headwater_media::{Frame, Reader};
use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

const CONNECT: f64 = 1.0;
const RELEASE: f64 = 2.0;
const FC_PUBLISH: f64 = 3.0;
const CREATE: f64 = 4.0;
const START: f64 = 5.0;
const UNPUBLISH: f64 = 6.0;
const WINDOW: u32 = 2_500_000;
const BUFFER_MS: u32 = 3000;

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To send a stream.
    Publish,
    /// To receive one.
    Play,
}

/// Where a client goes and what for.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// URL up to the application, `rtmp://host[:port]/app`.
    pub tc_url: String,
    /// Application, as in the URL.
    pub app: String,
    /// Stream name, with its parameters.
    pub stream: String,
    /// To publish or to play.
    pub purpose: Purpose,
    /// Outgoing chunk size.
    pub chunk_size: u32,
}

impl ClientOptions {
    /// For `rtmp://host[:port]/app/stream[?params]`: the last slash before the parameters ends the application.
    pub fn new(url: &str, purpose: Purpose) -> ClientOptions {
        let place = url.split('?').next().unwrap_or_default();
        let (tc_url, stream) = place.rfind('/').map_or((url, ""), |at| url.split_at(at));
        let authority = tc_url.split_once("://").map_or(tc_url, |(_, rest)| rest);
        let app = authority.split_once('/').map_or("", |(_, app)| app);
        ClientOptions {
            tc_url: tc_url.to_owned(),
            app: app.to_owned(),
            stream: stream.trim_start_matches('/').to_owned(),
            purpose,
            chunk_size: 60_000,
        }
    }
}

/// What comes out of a client session.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientOutput {
    /// Bytes for the server, in order.
    Send(Bytes),
    /// Something happened.
    Event(ClientEvent),
}

/// What happened on a client session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The server takes frames: see [`ClientSession::send_frame`].
    Publishing,
    /// The server will send frames.
    Playing,
    /// A frame of the played stream.
    Frame(Frame),
    /// Another status of the stream, such as `NetStream.Pause.Notify`.
    Status {
        /// Status code.
        code: String,
        /// What the server says about it.
        description: String,
    },
    /// The server refused; close the connection.
    Refused {
        /// Status code.
        code: String,
        /// Why, in the server's words.
        description: String,
    },
}

/// The client's end of one RTMP connection. Holds no socket, clock, task or lock.
///
/// Drain [`ClientSession::poll`] to `None` after making it and after every call.
#[derive(Debug)]
pub struct ClientSession {
    options: ClientOptions,
    handshake: Option<ClientHandshake>,
    reader: ChunkReader,
    acks: Acks,
    out: Outbox,
    events: VecDeque<ClientEvent>,
    clock: Clock,
    started: bool,
}

impl ClientSession {
    /// A connection that was just made. `seed` fills the handshake's random fields.
    pub fn new(options: ClientOptions, seed: u64) -> ClientSession {
        let mut handshake = ClientHandshake::new(seed);
        let mut out = Outbox::default();
        out.bytes.extend_from_slice(&handshake.start(0));
        ClientSession {
            options,
            handshake: Some(handshake),
            reader: ChunkReader::new(),
            acks: Acks::default(),
            out,
            events: VecDeque::new(),
            clock: Clock::default(),
            started: false,
        }
    }

    /// Takes bytes from the server; `now` is the time since the connection began.
    pub fn handle(&mut self, bytes: &[u8], _now: Duration) -> Result<(), SessionError> {
        let mut input = bytes;
        self.acks.count(bytes.len());
        if let Some(handshake) = &mut self.handshake {
            if let Some(reply) = handshake.handle(&mut input)? {
                self.out.bytes.extend_from_slice(&reply);
            }
            if !handshake.is_done() {
                return Ok(());
            }
            self.handshake = None;
            self.connect();
        }
        while let Some(message) = self.reader.read(&mut input)? {
            self.message(&message)?;
        }
        self.acks.settle(&mut self.out);
        Ok(())
    }

    /// The next thing to do: first what is to be sent, then what happened.
    pub fn poll(&mut self) -> Option<ClientOutput> {
        if !self.out.bytes.is_empty() {
            return Some(ClientOutput::Send(mem::take(&mut self.out.bytes).freeze()));
        }
        self.events.pop_front().map(ClientOutput::Event)
    }

    /// Sends a frame, stamped with its decoding time in milliseconds. Only after [`ClientEvent::Publishing`].
    pub fn send_frame(&mut self, frame: &Frame) -> Result<(), SessionError> {
        if !self.started || self.options.purpose != Purpose::Publish {
            return Err(SessionError::Misuse { call: "send_frame", state: "not publishing" });
        }
        write_frame(frame, frame.dts.millis() as u32, self.out.chunk_size(), &mut self.out.bytes);
        Ok(())
    }

    /// Pauses the played stream, or goes on with it.
    pub fn pause(&mut self, paused: bool) {
        let args = [Value::Null, Value::Boolean(paused), 0.0.into()];
        self.out.command(wire::CSID_STREAM, STREAM_ID, "pause", 0.0, &args);
    }

    /// Ends publishing or playing; the connection may then be closed.
    pub fn finish(&mut self) {
        if self.options.purpose == Purpose::Publish {
            self.call("FCUnpublish", UNPUBLISH);
        }
        let args = [Value::Null, f64::from(STREAM_ID).into()];
        self.out.command(wire::CSID_COMMAND, 0, "deleteStream", 0.0, &args);
        self.started = false;
    }

    fn connect(&mut self) {
        self.out.set_chunk_size(self.options.chunk_size);
        let fourccs = ["avc1", "hvc1", "av01", "vp09", "vp08", "mp4a", "Opus", ".mp3"];
        let args = object([
            ("app", self.options.app.as_str().into()),
            ("type", "nonprivate".into()),
            ("flashVer", concat!("FMLE/3.0 (compatible; Headwater/", env!("CARGO_PKG_VERSION"), ")").into()),
            ("tcUrl", self.options.tc_url.as_str().into()),
            ("objectEncoding", 0.0.into()),
            ("fourCcList", Value::StrictArray(fourccs.map(Value::from).into())),
        ]);
        self.out.command(wire::CSID_COMMAND, 0, "connect", CONNECT, &[args]);
    }

    /// A command whose one argument is the stream name.
    fn call(&mut self, name: &str, transaction: f64) {
        let args = [Value::Null, self.options.stream.as_str().into()];
        self.out.command(wire::CSID_COMMAND, 0, name, transaction, &args);
    }

    fn message(&mut self, message: &Message) -> Result<(), SessionError> {
        let fault = |short| SessionError::Control { type_id: message.type_id, short };
        let mut input = Reader::new(&message.payload);
        match message.type_id {
            wire::WINDOW_ACK_SIZE => self.acks.set_window(input.u32().map_err(fault)?),
            wire::USER_CONTROL if input.u16().map_err(fault)? == wire::EVENT_PING_REQUEST => {
                self.out.user_control(wire::EVENT_PING_RESPONSE, input.rest());
            }
            wire::COMMAND_AMF0 | wire::COMMAND_AMF3 => {
                if let Some(command) = Command::decode(message.type_id, &message.payload)? {
                    self.command(&command);
                }
            }
            wire::AUDIO | wire::VIDEO | wire::DATA_AMF0 | wire::DATA_AMF3 | wire::AGGREGATE => {
                return self.media(message);
            }
            _ => {}
        }
        Ok(())
    }

    fn media(&mut self, message: &Message) -> Result<(), SessionError> {
        if message.payload.starts_with(b"\x02\x00\x11|RtmpSampleAccess") {
            return Ok(());
        }
        let events = &mut self.events;
        media(message, &mut self.clock, |parsed| {
            if let Parsed::Frame(frame) = parsed {
                events.push_back(ClientEvent::Frame(frame));
            }
        })
    }

    fn command(&mut self, command: &Command) {
        match command.name.as_str() {
            "_result" if command.transaction == CONNECT => self.connected(),
            "_result" if command.transaction == CREATE => self.start(),
            "_error" if [CONNECT, CREATE].contains(&command.transaction) => self.refused(command),
            "onStatus" => self.status(command),
            _ => {}
        }
    }

    fn connected(&mut self) {
        self.out.control(wire::WINDOW_ACK_SIZE, &WINDOW.to_be_bytes());
        if self.options.purpose == Purpose::Publish {
            self.call("releaseStream", RELEASE);
            self.call("FCPublish", FC_PUBLISH);
        }
        self.out.command(wire::CSID_COMMAND, 0, "createStream", CREATE, &[Value::Null]);
    }

    fn start(&mut self) {
        let stream = Value::from(self.options.stream.as_str());
        if self.options.purpose == Purpose::Publish {
            let args = [Value::Null, stream, "live".into()];
            self.out.command(wire::CSID_STREAM, STREAM_ID, "publish", START, &args);
            return;
        }
        let args = [Value::Null, stream, (-2.0).into()];
        self.out.command(wire::CSID_STREAM, STREAM_ID, "play", START, &args);
        let buffer = [STREAM_ID.to_be_bytes(), BUFFER_MS.to_be_bytes()].concat();
        self.out.user_control(wire::EVENT_BUFFER_LENGTH, &buffer);
    }

    fn status(&mut self, command: &Command) {
        let (level, code, description) = info(command);
        let event = match code.as_str() {
            _ if level == "error" => return self.refused(command),
            "NetStream.Publish.Start" => ClientEvent::Publishing,
            "NetStream.Play.Start" => ClientEvent::Playing,
            _ => ClientEvent::Status { code, description },
        };
        self.started |= matches!(event, ClientEvent::Publishing | ClientEvent::Playing);
        self.events.push_back(event);
    }

    fn refused(&mut self, command: &Command) {
        let (_, code, description) = info(command);
        self.started = false;
        self.events.push_back(ClientEvent::Refused { code, description });
    }
}

/// Level, code and description of the information object.
fn info(command: &Command) -> (String, String, String) {
    let info = command.arg(0);
    let text = |name| info.and_then(|i| i.property(name)?.as_str()).unwrap_or_default().to_owned();
    (text("level"), text("code"), text("description"))
}
