//! Whole RTMP sessions: a server facing a mutated client, a client facing a mutated server. However the bytes are
//! cut, the same happens; whatever comes, what is kept is bounded.

use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use headwater_rtmp_proto::{
    ClientEvent, ClientOptions, ClientOutput, ClientSession, Event, Output, Purpose, ServerOptions,
    ServerSession, SessionError,
};
use std::time::Duration;

/// C0, C1 and C2, or S0, S1 and S2 (RTMP 5.2). They have a target of their own, so they are not mutated here.
const HANDSHAKE: usize = 1 + 1536 + 1536;
const NOW: Duration = Duration::ZERO;

pub(super) fn run_server(data: &[u8]) {
    let whole = serve(&[data]);
    let (first, rest) = data.split_at(data.len() / 2);
    let (left, right) = rest.split_at(rest.len().min(5));
    assert_eq!(serve(&[first, left, right]), whole, "another cut, other events");
}

/// What happened, in words: events in their order, then whether the session ended with an error.
fn serve(parts: &[&[u8]]) -> Vec<String> {
    let mut server = ServerSession::new(ServerOptions::default(), 1);
    let mut happened = Vec::new();
    for part in [&simple_handshake()[..]].iter().chain(parts) {
        let mut outcome = server.handle(part, NOW);
        while let Some(output) = server.poll() {
            if let Output::Event(event) = output {
                happened.push(format!("{event:?}"));
                outcome = outcome.and(answer(&mut server, &event)); // what came meanwhile is read only now
            }
        }
        if outcome.is_err() {
            happened.push("error".to_owned());
            break;
        }
    }
    happened
}

fn answer(server: &mut ServerSession, event: &Event) -> Result<(), SessionError> {
    match event {
        Event::Publish(_) => server.accept_publish(),
        Event::Play(_) => server.accept_play(),
        _ => Ok(()),
    }
}

fn simple_handshake() -> Vec<u8> {
    let mut bytes = vec![0; HANDSHAKE];
    bytes[0] = 3;
    bytes
}

pub(super) fn run_client(data: &[u8]) {
    for purpose in [Purpose::Publish, Purpose::Play] {
        let mut client = ClientSession::new(ClientOptions::new("rtmp://h/live/s", purpose), 1);
        let mut outcome = client.handle(&simple_handshake(), NOW);
        if outcome.is_ok() {
            outcome = client.handle(data, NOW);
        }
        while let Some(output) = client.poll() {
            if output == ClientOutput::Event(ClientEvent::Publishing) {
                let _ = client.send_frame(&picture()); // refused unless it publishes
            }
        }
        let _ = outcome; // a broken server is an error, never a panic
    }
}

fn picture() -> Frame {
    let time = Time::from_millis(40);
    let payload = vec![0, 0, 0, 2, 0x65, 0x88].into();
    Frame {
        track: Track::Video,
        codec: Codec::H264,
        tag: CodecTag::Legacy,
        kind: Kind::Key,
        dts: time,
        pts: time,
        payload,
    }
}

/// A real conversation in memory: what the client sent and what the server sent, each without its handshake.
fn converse(purpose: Purpose) -> (Vec<u8>, Vec<u8>) {
    let mut server = ServerSession::new(ServerOptions::default(), 1);
    let mut client =
        ClientSession::new(ClientOptions::new("rtmp://h/live/s?vhost=v.example&k=v", purpose), 2);
    let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
    loop {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        while let Some(output) = client.poll() {
            match output {
                ClientOutput::Send(bytes) => to_server.extend_from_slice(&bytes),
                ClientOutput::Event(ClientEvent::Publishing) => {
                    (0..3).for_each(|_| _ = client.send_frame(&picture()));
                    client.finish();
                }
                ClientOutput::Event(ClientEvent::Playing) => {
                    client.pause(true);
                    client.finish();
                }
                ClientOutput::Event(_) => {}
            }
        }
        let _ = server.handle(&to_server, NOW);
        while let Some(output) = server.poll() {
            match output {
                Output::Send(bytes) => to_client.extend_from_slice(&bytes),
                Output::Event(event) => _ = answer(&mut server, &event),
            }
        }
        let _ = client.handle(&to_client, NOW);
        let silent = to_server.is_empty() && to_client.is_empty();
        from_client.extend(to_server);
        from_server.extend(to_client);
        if silent {
            return (without_handshake(from_client), without_handshake(from_server));
        }
    }
}

fn without_handshake(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.split_off(HANDSHAKE.min(bytes.len()))
}

pub(super) fn seeds_server() -> Vec<Vec<u8>> {
    vec![converse(Purpose::Publish).0, converse(Purpose::Play).0]
}

pub(super) fn seeds_client() -> Vec<Vec<u8>> {
    vec![converse(Purpose::Publish).1, converse(Purpose::Play).1]
}
