//! The server against commands written out one by one.

use crate::command::{Command, Outbox};
use crate::handshake::ClientHandshake;
use crate::*;
use headwater_flv::amf0::{Value, object};
use std::time::Duration;

struct Peer {
    server: ServerSession,
    out: Outbox,
    reader: ChunkReader,
    received: Vec<Message>,
    events: Vec<Event>,
}

impl Peer {
    /// After handshake and `connect`.
    fn connected(options: ServerOptions) -> Result<Peer, SessionError> {
        let mut server = ServerSession::new(options, 1);
        let c0c1 = ClientHandshake::new(3).start(0);
        server.handle(&c0c1, Duration::ZERO)?;
        assert!(matches!(server.poll(), Some(Output::Send(b)) if b.len() == 3073));
        server.handle(&[0; 1536], Duration::ZERO)?;
        let mut peer = Peer {
            server,
            out: Outbox::default(),
            reader: ChunkReader::new(),
            received: vec![],
            events: vec![],
        };
        let args = object([("tcUrl", "rtmp://h/live".into()), ("capsEx", 1.0.into())]);
        peer.out.command(3, 0, "connect", 1.0, &[args]);
        peer.flush()?;
        Ok(peer)
    }

    fn call(&mut self, name: &str, transaction: f64, args: &[Value]) -> Result<(), SessionError> {
        let mut values = vec![Value::Null];
        values.extend_from_slice(args);
        self.received.clear();
        self.events.clear();
        self.out.command(3, 0, name, transaction, &values);
        self.flush()
    }

    fn flush(&mut self) -> Result<(), SessionError> {
        let bytes = std::mem::take(&mut self.out.bytes);
        let result = self.server.handle(&bytes, Duration::ZERO);
        self.drain();
        result
    }

    fn drain(&mut self) {
        while let Some(output) = self.server.poll() {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Send(bytes) => {
                    let mut input = bytes.as_ref();
                    while let Ok(Some(message)) = self.reader.read(&mut input) {
                        self.received.push(message);
                    }
                }
            }
        }
    }

    /// Type and command name (or status code) of what came back.
    fn answers(&self) -> Vec<String> {
        self.received.iter().map(describe).collect()
    }
}

fn describe(message: &Message) -> String {
    match Command::decode(message.type_id, &message.payload) {
        Ok(Some(command)) if message.type_id == wire::COMMAND_AMF0 => {
            let code = command.arg(0).and_then(|i| i.property("code")?.as_str()).unwrap_or_default();
            format!("{} {} {code}", command.name, command.transaction).trim().to_owned()
        }
        _ => message.type_id.to_string(),
    }
}

#[test]
fn connect_is_answered_in_order() -> Result<(), SessionError> {
    let peer = Peer::connected(ServerOptions { id: "abc".into(), ..ServerOptions::default() })?;
    // Set Chunk Size is obeyed by the reader, so it does not show here; `_result` is over 128 bytes and whole.
    assert_eq!(peer.answers(), ["5", "6", "_result 1 NetConnection.Connect.Success", "onBWDone 0"]);
    let result = Command::decode(wire::COMMAND_AMF0, &peer.received[2].payload)?;
    let info = result.as_ref().and_then(|c| c.arg(0)).cloned().unwrap_or(Value::Null);
    let data = info.property("data").cloned().unwrap_or(Value::Null);
    assert_eq!(data.property("srs_id").and_then(Value::as_str), Some("abc"));
    let server = data.property("srs_server").and_then(Value::as_str).unwrap_or_default();
    assert!(server.starts_with("Headwater/"));
    assert!(info.property("fourCcList").is_some());
    Ok(())
}

#[test]
fn fmle_publish_and_again() -> Result<(), SessionError> {
    let mut peer = Peer::connected(ServerOptions::default())?;
    for _ in 0..2 {
        peer.call("releaseStream", 2.0, &["s".into()])?;
        assert_eq!(peer.answers(), ["_result 2"]);
        peer.call("FCPublish", 3.0, &["s".into()])?;
        peer.call("createStream", 4.0, &[])?;
        peer.call("_checkbw", 9.0, &[])?;
        assert_eq!(peer.answers(), ["_result 9"]);
        peer.call("publish", 5.0, &["s".into(), "live".into()])?;
        assert!(peer.answers().is_empty(), "nothing before the embedder accepts");
        assert!(matches!(peer.events.as_slice(), [Event::Publish(r)] if r.flow == Flow::Fmle));
        peer.server.accept_publish()?;
        peer.drain();
        assert_eq!(
            peer.answers(),
            ["onFCPublish 0 NetStream.Publish.Start", "onStatus 0 NetStream.Publish.Start"]
        );
        peer.call("FCUnpublish", 6.0, &["s".into()])?;
        let expected = [
            "onFCUnpublish 0 NetStream.Unpublish.Success",
            "_result 6",
            "onStatus 0 NetStream.Unpublish.Success",
        ];
        assert_eq!(peer.answers(), expected);
        assert_eq!(peer.events, [Event::Unpublish]);
    }
    Ok(())
}

#[test]
fn flash_and_haivision_publish() -> Result<(), SessionError> {
    for (first, flow, answers) in [("none", Flow::Flash, 1), ("FCPublish", Flow::Haivision, 2)] {
        let mut peer = Peer::connected(ServerOptions::default())?;
        peer.call("createStream", 2.0, &[])?;
        if first == "FCPublish" {
            peer.call("FCPublish", 3.0, &["s".into()])?;
        }
        peer.call("publish", 0.0, &["s".into()])?;
        assert!(matches!(peer.events.as_slice(), [Event::Publish(r)] if r.flow == flow));
        peer.server.accept_publish()?;
        peer.drain();
        assert_eq!(peer.answers().len(), answers);
    }
    Ok(())
}

#[test]
fn play_is_answered_in_order() -> Result<(), SessionError> {
    let mut peer = Peer::connected(ServerOptions::default())?;
    peer.call("createStream", 2.0, &[])?;
    peer.call("getStreamLength", 3.0, &["s".into()])?;
    assert_eq!(peer.answers(), ["_result 3"]);
    peer.call("play", 0.0, &["s?k=v".into(), (-1.0).into(), 5000.0.into()])?;
    assert!(matches!(peer.events.as_slice(),
        [Event::Play(r)] if r.start == -1.0 && r.duration == Some(5000.0) && r.url.param == "?k=v"));
    peer.server.accept_play()?;
    peer.drain();
    let expected = ["4", "onStatus 0 NetStream.Play.Reset", "onStatus 0 NetStream.Play.Start", "18"];
    assert_eq!(peer.answers(), expected);
    Ok(())
}

#[test]
fn pings_and_windows_are_answered() -> Result<(), SessionError> {
    let mut peer = Peer::connected(ServerOptions { in_ack_size: 100, ..ServerOptions::default() })?;
    peer.received.clear();
    peer.out.user_control(wire::EVENT_PING_REQUEST, &[1, 2, 3, 4]);
    peer.out.control(0x63, &[0; 60]); // a type nobody knows, to fill the window
    peer.flush()?;
    let answers: Vec<_> = peer.received.iter().map(|m| (m.type_id, m.payload.to_vec())).collect();
    assert_eq!(answers[0], (wire::USER_CONTROL, vec![0, 7, 1, 2, 3, 4]));
    assert_eq!(answers[1].0, wire::ACK);
    Ok(())
}

#[test]
fn frames_sent_before_the_answer_wait_for_it() -> Result<(), SessionError> {
    let mut peer = Peer::connected(ServerOptions::default())?;
    peer.call("publish", 5.0, &["s".into()])?;
    write_message(7, wire::AUDIO, 1, 20, &[&[0xaf, 1, 9, 9]], 128, &mut peer.out.bytes);
    peer.events.clear();
    peer.flush()?;
    assert!(peer.events.is_empty());
    peer.server.accept_publish()?;
    peer.drain();
    assert!(matches!(peer.events.as_slice(), [Event::Frame(f)] if f.dts.millis() == 20));
    Ok(())
}

#[test]
fn a_peer_that_does_not_wait_is_stopped() -> Result<(), SessionError> {
    let mut peer = Peer::connected(ServerOptions::default())?;
    peer.call("publish", 5.0, &["s".into()])?;
    let result = peer.server.handle(&vec![0; (1 << 20) + 1], Duration::ZERO);
    assert_eq!(result, Err(SessionError::Impatient { limit: 1 << 20 }));
    Ok(())
}

#[test]
fn amf3_commands_and_the_first_command() -> Result<(), SessionError> {
    let mut peer = Peer::connected(ServerOptions::default())?;
    peer.received.clear();
    // Selector 0, then AMF0: "createStream", 2, null.
    let payload = b"\x00\x02\x00\x0ccreateStream\x00\x40\x00\x00\x00\x00\x00\x00\x00\x05";
    write_message(3, wire::COMMAND_AMF3, 0, 0, &[payload], 128, &mut peer.out.bytes);
    peer.flush()?;
    assert_eq!(peer.answers(), ["_result 2"]);
    Ok(())
}

#[test]
fn timestamps_wrap() -> Result<(), SessionError> {
    let mut peer = Peer::connected(ServerOptions::default())?;
    peer.call("publish", 5.0, &["s".into()])?;
    peer.server.accept_publish()?;
    for timestamp in [u32::MAX - 9, 10] {
        write_message(7, wire::AUDIO, 1, timestamp, &[&[0xaf, 1, 9, 9]], 128, &mut peer.out.bytes);
    }
    peer.events.clear();
    peer.flush()?;
    let times: Vec<_> = peer
        .events
        .iter()
        .map(|e| match e {
            Event::Frame(f) => f.dts.millis(),
            _ => -1,
        })
        .collect();
    assert_eq!(times, [i64::from(u32::MAX) - 9, i64::from(u32::MAX) + 11]);
    Ok(())
}
