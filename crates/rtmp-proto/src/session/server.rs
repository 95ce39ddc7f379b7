use super::{
    Clock, ConnectInfo, Event, Flow, Output, PlayRequest, PublishRequest, ServerOptions, media, reply,
};
use crate::command::{Acks, Command, Outbox};
use crate::handshake::ServerHandshake;
use crate::wire::{self, STREAM_ID};
use crate::{ChunkReader, Message, RtmpUrl, SessionError, UrlError};
use headwater_flv::Parsed;
use headwater_flv::amf0::{Value, object};
use headwater_media::Reader;
use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

/// Most bytes kept while a request waits for its answer; a peer should send nothing then.
const HELD_MAX: usize = 1 << 20;

const CODE_PUBLISH_START: &str = "NetStream.Publish.Start";
const CODE_UNPUBLISH: &str = "NetStream.Unpublish.Success";
const TEXT_PUBLISH_START: &str = "Started publishing stream.";
const TEXT_UNPUBLISH: &str = "Stop publishing stream.";

/// The server's end of one RTMP connection. Holds no socket, clock, task or lock.
///
/// Give what arrives to [`ServerSession::handle`], then drain [`ServerSession::poll`] to `None`, also after an error.
/// [`Event::Publish`] and [`Event::Play`] ask for a decision: [`ServerSession::accept_publish`],
/// [`ServerSession::accept_play`] or [`ServerSession::refuse`]; until then what arrives waits (1 MiB at most).
/// Frames to a player do not go through here: the caller writes them with [`crate::write_frame`], cut at
/// [`ServerSession::chunk_size`], between whole `Send`s.
///
/// While it plays, a session holds no more than what `connect` said and a few chunk stream states.
#[derive(Debug)]
pub struct ServerSession {
    state: State,
    handshake: Option<Box<ServerHandshake>>,
    options: Option<Box<ServerOptions>>,
    connect: Option<Box<ConnectInfo>>,
    reader: ChunkReader,
    acks: Acks,
    out: Outbox,
    events: VecDeque<Event>,
    clock: Clock,
    /// How the peer is about to publish, as far as its commands have told.
    flow: Flow,
    created: bool,
    held: Vec<u8>,
    last_ignored: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Idle,
    PublishAsked,
    PlayAsked,
    Publishing,
    Playing,
    Refused,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Connecting => "connecting",
            State::Idle => "idle",
            State::PublishAsked => "asking to publish",
            State::PlayAsked => "asking to play",
            State::Publishing => "publishing",
            State::Playing => "playing",
            State::Refused => "refused",
        }
    }

    fn waits(self) -> bool {
        matches!(self, State::PublishAsked | State::PlayAsked)
    }
}

impl ServerSession {
    /// A connection that was just accepted. `seed` fills the handshake's random fields.
    pub fn new(options: ServerOptions, seed: u64) -> ServerSession {
        ServerSession {
            state: State::Connecting,
            handshake: Some(Box::new(ServerHandshake::new(seed))),
            acks: Acks::new(options.in_ack_size),
            options: Some(Box::new(options)),
            connect: None,
            reader: ChunkReader::new(),
            out: Outbox::default(),
            events: VecDeque::new(),
            clock: Clock::default(),
            flow: Flow::default(),
            created: false,
            held: Vec::new(),
            last_ignored: "",
        }
    }

    /// Takes bytes from the peer; `now` is the time since the connection began.
    pub fn handle(&mut self, bytes: &[u8], now: Duration) -> Result<(), SessionError> {
        let mut input = bytes;
        if self.state == State::Refused {
            return Ok(());
        }
        self.acks.count(bytes.len());
        if let Some(handshake) = &mut self.handshake {
            if let Some(reply) = handshake.handle(&mut input, now.as_millis() as u32)? {
                self.out.bytes.extend_from_slice(&reply);
            }
            if !handshake.is_done() {
                return Ok(());
            }
            self.handshake = None;
        }
        self.read(input)?;
        self.acks.settle(&mut self.out);
        Ok(())
    }

    /// The next thing to do: first what is to be sent, then what happened.
    pub fn poll(&mut self) -> Option<Output> {
        if !self.out.bytes.is_empty() {
            return Some(Output::Send(mem::take(&mut self.out.bytes).freeze()));
        }
        let event = self.events.pop_front().map(Output::Event);
        if event.is_none() && self.state == State::Playing {
            self.events = VecDeque::new();
        }
        event
    }

    /// The chunk size the peer was told: what is sent to it must be cut so.
    pub fn chunk_size(&self) -> usize {
        self.out.chunk_size()
    }

    /// Cuts what follows at `size` bytes, and tells the peer; for a vhost with a chunk size of its own.
    pub fn set_chunk_size(&mut self, size: u32) {
        if size as usize != self.chunk_size() {
            self.out.set_chunk_size(size);
        }
    }

    /// Lets the publisher begin.
    pub fn accept_publish(&mut self) -> Result<(), SessionError> {
        self.expect(State::PublishAsked, "accept_publish")?;
        self.state = State::Publishing;
        self.clock = Clock::default();
        self.last_ignored = "";
        if self.flow != Flow::Flash {
            self.out.fc_status("onFCPublish", CODE_PUBLISH_START, TEXT_PUBLISH_START);
        }
        self.out.status("status", CODE_PUBLISH_START, TEXT_PUBLISH_START);
        self.release()
    }

    /// Lets the player begin; its frames may follow the next `Send`.
    pub fn accept_play(&mut self) -> Result<(), SessionError> {
        self.expect(State::PlayAsked, "accept_play")?;
        self.state = State::Playing;
        self.out.user_control(wire::EVENT_STREAM_BEGIN, &STREAM_ID.to_be_bytes());
        self.out.status("status", "NetStream.Play.Reset", "Playing and resetting stream.");
        self.out.status("status", "NetStream.Play.Start", "Started playing stream.");
        self.out.sample_access();
        self.release()
    }

    /// Refuses what the peer asked for and tells it why. Drain, send, then close the connection.
    pub fn refuse(&mut self, reason: &str) {
        match self.state {
            State::PublishAsked | State::Publishing => {
                self.out.status("error", "NetStream.Publish.BadName", reason);
            }
            State::PlayAsked | State::Playing => {
                self.out.status("error", "NetStream.Play.StreamNotFound", reason);
            }
            State::Connecting | State::Idle if self.handshake.is_none() => {
                let info = object([
                    ("level", "error".into()),
                    ("code", "NetConnection.Connect.Rejected".into()),
                    ("description", reason.into()),
                ]);
                self.out.command(wire::CSID_COMMAND, 0, "_error", 1.0, &[Value::Null, info]);
            }
            _ => {}
        }
        self.state = State::Refused;
        self.held = Vec::new();
    }

    fn expect(&self, state: State, call: &'static str) -> Result<(), SessionError> {
        if self.state == state {
            Ok(())
        } else {
            Err(SessionError::Misuse { call, state: self.state.name() })
        }
    }

    /// Reads what came while the request was being decided.
    fn release(&mut self) -> Result<(), SessionError> {
        let held = mem::take(&mut self.held);
        self.read(&held)
    }

    fn read(&mut self, mut input: &[u8]) -> Result<(), SessionError> {
        while self.state != State::Refused {
            if self.state.waits() {
                return self.hold(input);
            }
            match self.reader.read(&mut input)? {
                Some(message) => self.message(&message)?,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn hold(&mut self, input: &[u8]) -> Result<(), SessionError> {
        if self.held.len() + input.len() > HELD_MAX {
            return Err(SessionError::Impatient { limit: HELD_MAX });
        }
        self.held.extend_from_slice(input);
        Ok(())
    }

    fn message(&mut self, message: &Message) -> Result<(), SessionError> {
        match message.type_id {
            wire::USER_CONTROL => self.user_control(message),
            wire::WINDOW_ACK_SIZE => {
                self.acks.set_window(control_field(message)?);
                Ok(())
            }
            wire::COMMAND_AMF0 | wire::COMMAND_AMF3 => {
                match Command::decode(message.type_id, &message.payload)? {
                    Some(command) => self.command(&command),
                    None => Ok(()),
                }
            }
            wire::AUDIO | wire::VIDEO | wire::DATA_AMF0 | wire::DATA_AMF3 | wire::AGGREGATE
                if self.state == State::Publishing =>
            {
                self.media(message)
            }
            _ => Ok(()), // acknowledgements, bandwidth, media of nobody who publishes
        }
    }

    fn media(&mut self, message: &Message) -> Result<(), SessionError> {
        let (events, last) = (&mut self.events, &mut self.last_ignored);
        media(message, &mut self.clock, |parsed| match parsed {
            Parsed::Frame(frame) => events.push_back(Event::Frame(frame)),
            Parsed::Ignored(reason) if reason != *last => {
                *last = reason;
                events.push_back(Event::Ignored(reason));
            }
            Parsed::Ignored(_) => {}
        })
    }

    fn user_control(&mut self, message: &Message) -> Result<(), SessionError> {
        let fault = |short| SessionError::Control { type_id: message.type_id, short };
        let mut input = Reader::new(&message.payload);
        match input.u16().map_err(fault)? {
            wire::EVENT_PING_REQUEST => {
                let time = input.array::<4>().map_err(fault)?;
                self.out.user_control(wire::EVENT_PING_RESPONSE, &time);
            }
            wire::EVENT_BUFFER_LENGTH => {
                input.skip(4).map_err(fault)?; // stream id
                let ms = input.u32().map_err(fault)?;
                self.events.push_back(Event::BufferLength(ms));
            }
            _ => {}
        }
        Ok(())
    }

    fn command(&mut self, command: &Command) -> Result<(), SessionError> {
        match self.state {
            State::Connecting => self.connect(command),
            State::Publishing => self.while_publishing(command),
            State::Playing => self.while_playing(command),
            _ => self.while_idle(command),
        }
    }

    fn connect(&mut self, command: &Command) -> Result<(), SessionError> {
        if command.name != "connect" {
            let name = command.name.chars().take(64).collect();
            return Err(SessionError::NotConnected(name));
        }
        let info = ConnectInfo::new(command).ok_or(SessionError::NoTcUrl)?;
        let options = self.options.take().unwrap_or_default();
        reply::connected(&mut self.out, &options, command, info.enhanced);
        // The names cannot be longer than their URL, and a URL that is too long will not be kept.
        if let Err(fault) = RtmpUrl::parse(&info.tc_url, "stream") {
            return self.refuse_url(fault);
        }
        self.state = State::Idle;
        self.events.push_back(Event::Connected(Box::new(info.clone())));
        self.connect = Some(Box::new(info));
        Ok(())
    }

    fn while_idle(&mut self, command: &Command) -> Result<(), SessionError> {
        let transaction = command.transaction;
        match command.name.as_str() {
            "releaseStream" => self.out.result(transaction, Value::Undefined),
            "FCPublish" => {
                self.flow = if self.created { Flow::Haivision } else { Flow::Fmle };
                self.out.result(transaction, Value::Undefined);
            }
            "createStream" => {
                self.created = true;
                self.out.result(transaction, f64::from(STREAM_ID).into());
            }
            "getStreamLength" => self.out.result(transaction, 0.0.into()), // ffmpeg wants a number; live has none
            "publish" => return self.publish(command),
            "play" => return self.play(command),
            _ => self.generic(transaction),
        }
        Ok(())
    }

    fn generic(&mut self, transaction: f64) {
        if transaction > 0.0 {
            self.out.result(transaction, Value::Null);
        }
    }

    fn publish(&mut self, command: &Command) -> Result<(), SessionError> {
        self.state = State::PublishAsked;
        let connect = self.connect.as_deref().cloned().unwrap_or_default();
        match RtmpUrl::parse(&connect.tc_url, command.str_arg(0)) {
            Ok(url) => {
                let request = PublishRequest { url, connect, flow: self.flow };
                self.events.push_back(Event::Publish(Box::new(request)));
                Ok(())
            }
            Err(fault) => self.refuse_url(fault),
        }
    }

    fn play(&mut self, command: &Command) -> Result<(), SessionError> {
        self.state = State::PlayAsked;
        let connect = self.connect.as_deref().cloned().unwrap_or_default();
        let number = |n| command.arg(n).and_then(Value::as_number);
        match RtmpUrl::parse(&connect.tc_url, command.str_arg(0)) {
            Ok(url) => {
                let duration = number(2).filter(|ms| *ms > 0.0);
                let request = PlayRequest { url, connect, start: number(1).unwrap_or(-2.0), duration };
                self.events.push_back(Event::Play(Box::new(request)));
                Ok(())
            }
            Err(fault) => self.refuse_url(fault),
        }
    }

    fn refuse_url(&mut self, fault: UrlError) -> Result<(), SessionError> {
        self.refuse(&fault.to_string());
        Err(fault.into())
    }

    fn while_publishing(&mut self, command: &Command) -> Result<(), SessionError> {
        match (self.flow, command.name.as_str()) {
            (_, "deleteStream" | "closeStream") => self.unpublish(),
            (Flow::Flash, _) => {
                self.unpublish();
                return self.while_idle(command);
            }
            (_, "releaseStream" | "FCPublish" | "FCUnpublish") => {
                self.out.fc_status("onFCUnpublish", CODE_UNPUBLISH, TEXT_UNPUBLISH);
                self.out.result(command.transaction, Value::Undefined);
                self.out.status("status", CODE_UNPUBLISH, "Stream is now unpublished");
                let flow = if command.name == "FCUnpublish" { Flow::Flash } else { Flow::Fmle };
                self.unpublish();
                self.flow = flow;
            }
            _ => {} // other commands do not concern a publisher
        }
        Ok(())
    }

    fn unpublish(&mut self) {
        self.state = State::Idle;
        (self.flow, self.created) = (Flow::Flash, false);
        self.events.push_back(Event::Unpublish);
    }

    fn while_playing(&mut self, command: &Command) -> Result<(), SessionError> {
        match command.name.as_str() {
            "pause" => self.pause(command.arg(0).and_then(Value::as_bool).unwrap_or(true)),
            "closeStream" | "deleteStream" => self.close_stream(),
            "play" | "publish" => {
                self.close_stream();
                return self.while_idle(command);
            }
            "createStream" => return self.while_idle(command),
            _ => self.generic(command.transaction),
        }
        Ok(())
    }

    fn pause(&mut self, paused: bool) {
        if paused {
            self.out.status("status", "NetStream.Pause.Notify", "Paused stream.");
            self.out.user_control(wire::EVENT_STREAM_EOF, &STREAM_ID.to_be_bytes());
        } else {
            self.out.status("status", "NetStream.Unpause.Notify", "Unpaused stream.");
            self.out.user_control(wire::EVENT_STREAM_BEGIN, &STREAM_ID.to_be_bytes());
        }
        self.events.push_back(Event::Pause(paused));
    }

    fn close_stream(&mut self) {
        self.state = State::Idle;
        (self.flow, self.created) = (Flow::Flash, false);
        self.events.push_back(Event::CloseStream);
    }
}

fn control_field(message: &Message) -> Result<u32, SessionError> {
    let fault = |short| SessionError::Control { type_id: message.type_id, short };
    Reader::new(&message.payload).u32().map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientOptions, ClientOutput, ClientSession, Purpose};

    #[test]
    fn a_playing_session_holds_little() -> Result<(), SessionError> {
        let mut client = ClientSession::new(ClientOptions::new("rtmp://h/live/s", Purpose::Play), 1);
        let mut server = ServerSession::new(ServerOptions::default(), 2);
        for _ in 0..8 {
            while let Some(output) = client.poll() {
                if let ClientOutput::Send(bytes) = output {
                    server.handle(&bytes, Duration::ZERO)?;
                }
            }
            if server.state == State::PlayAsked {
                server.accept_play()?;
            }
            while let Some(output) = server.poll() {
                if let Output::Send(bytes) = output {
                    client.handle(&bytes, Duration::ZERO)?;
                }
            }
        }
        assert_eq!(server.state, State::Playing);
        assert!(server.handshake.is_none() && server.options.is_none());
        let buffers = server.held.capacity() + server.events.capacity() + server.out.bytes.capacity();
        assert_eq!(buffers, 0);
        let connect = server.connect.as_ref().map_or(0, |c| {
            size_of::<ConnectInfo>()
                + c.tc_url.capacity()
                + c.page_url.capacity()
                + c.swf_url.capacity()
                + c.flash_ver.capacity()
        });
        assert!(connect + server.reader.heap() < 1024, "{connect} + {}", server.reader.heap());
        Ok(())
    }
}
