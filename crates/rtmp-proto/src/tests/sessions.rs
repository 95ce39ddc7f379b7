//! A client session and a server session back to back, over pieces of any size.

use crate::*;
use bytes::{Bytes, BytesMut};
use headwater_media::{Codec, CodecTag, Frame, Kind, Time, Track};
use proptest::prelude::*;
use std::time::Duration;

/// Both ends, and what each has told so far.
pub(super) struct Pair {
    pub(super) client: ClientSession,
    pub(super) server: ServerSession,
    pub(super) of_client: Vec<ClientEvent>,
    pub(super) of_server: Vec<Event>,
    piece: usize,
}

impl Pair {
    pub(super) fn new(url: &str, purpose: Purpose, piece: usize) -> Pair {
        Pair {
            client: ClientSession::new(ClientOptions::new(url, purpose), 1),
            server: ServerSession::new(ServerOptions::default(), 2),
            of_client: Vec::new(),
            of_server: Vec::new(),
            piece,
        }
    }

    /// Carries bytes both ways until neither end has anything to say.
    pub(super) fn settle(&mut self) -> Result<(), SessionError> {
        loop {
            let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
            while let Some(output) = self.client.poll() {
                match output {
                    ClientOutput::Send(bytes) => up.extend_from_slice(&bytes),
                    ClientOutput::Event(event) => self.of_client.push(event),
                }
            }
            for piece in up.chunks(self.piece) {
                self.server.handle(piece, Duration::ZERO)?;
            }
            while let Some(output) = self.server.poll() {
                match output {
                    Output::Send(bytes) => down.extend_from_slice(&bytes),
                    Output::Event(event) => self.of_server.push(event),
                }
            }
            for piece in down.chunks(self.piece) {
                self.client.handle(piece, Duration::ZERO)?;
            }
            if up.is_empty() && down.is_empty() {
                return Ok(());
            }
        }
    }
}

fn frame(track: Track, codec: Codec, tag: CodecTag, kind: Kind, ms: i64, pts: i64, len: usize) -> Frame {
    let payload = Bytes::from((0..len).map(|i| (i as u8) | 0x40).collect::<Vec<_>>());
    Frame { track, codec, tag, kind, dts: Time::from_millis(ms), pts: Time::from_millis(pts), payload }
}

fn frames() -> Vec<Frame> {
    use {Codec::*, CodecTag::*, Kind::*, Track::*};
    vec![
        frame(Video, H264, Legacy, Config, 0, 0, 40),
        frame(Audio, Aac, Legacy, Config, 0, 0, 2),
        frame(Video, H264, Legacy, Key, 0, 80, 70_000),
        frame(Audio, Aac, Legacy, Key, 5, 5, 300),
        frame(Video, Hevc, FourCc, Config, 6, 6, 90),
        frame(Video, Hevc, FourCc, Key, 7, 47, 500),
        frame(Video, Hevc, FourCc, Inter, 8, 8, 500),
        frame(Video, Av1, FourCc, Key, 9, 9, 129),
        frame(Video, Vp9, FourCc, Inter, 10, 10, 128),
        frame(Audio, Opus, FourCc, Key, 11, 11, 127),
        frame(Audio, G711A, Legacy, Key, 12, 12, 160),
        frame(Audio, Mp3, FourCc, Key, 0x0100_0000, 0x0100_0000, 400),
        frame(Video, H264, FourCc, Inter, 0x0100_0001, 0x0100_0003, 70_000),
    ]
}

fn published(events: &[Event]) -> Vec<Frame> {
    events.iter().filter_map(|e| if let Event::Frame(f) = e { Some(f.clone()) } else { None }).collect()
}

fn received(events: &[ClientEvent]) -> Vec<Frame> {
    events.iter().filter_map(|e| if let ClientEvent::Frame(f) = e { Some(f.clone()) } else { None }).collect()
}

fn publish(piece: usize) -> Result<Pair, SessionError> {
    let mut pair = Pair::new("rtmp://h/live/s?k=v", Purpose::Publish, piece);
    pair.settle()?;
    assert!(matches!(
        pair.of_server.last(),
        Some(Event::Publish(r)) if r.flow == Flow::Fmle && r.url.stream == "s" && r.url.param == "?k=v"
    ));
    assert!(pair.of_client.is_empty(), "nothing begins before the embedder accepts");
    pair.server.accept_publish()?;
    pair.settle()?;
    assert_eq!(pair.of_client, [ClientEvent::Publishing]);
    Ok(pair)
}

fn play(piece: usize) -> Result<Pair, SessionError> {
    let mut pair = Pair::new("rtmp://h/live/s", Purpose::Play, piece);
    pair.settle()?;
    assert!(matches!(pair.of_server.last(), Some(Event::Play(r)) if r.url.app == "live"));
    pair.server.accept_play()?;
    pair.settle()?;
    assert!(pair.of_client.contains(&ClientEvent::Playing));
    assert!(pair.of_server.contains(&Event::BufferLength(3000)));
    Ok(pair)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn frames_go_up_and_down_whatever_the_pieces(piece in 1usize..5000) {
        let mut up = publish(piece).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for frame in frames() {
            up.client.send_frame(&frame).map_err(|e| TestCaseError::fail(e.to_string()))?;
        }
        up.settle().map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(published(&up.of_server), frames());

        let mut down = play(piece).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let mut wire = BytesMut::new();
        for frame in frames() {
            let before = wire.len();
            let ms = frame.dts.millis() as u32;
            write_frame(&frame, ms, down.server.chunk_size(), &mut wire);
            prop_assert_eq!(wire.len() - before, frame_len(&frame, ms, down.server.chunk_size()));
        }
        for piece in wire.chunks(piece) {
            down.client.handle(piece, Duration::ZERO).map_err(|e| TestCaseError::fail(e.to_string()))?;
        }
        down.settle().map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(received(&down.of_client), frames());
    }
}

#[test]
fn a_publisher_may_publish_again_on_its_connection() -> Result<(), SessionError> {
    let mut pair = publish(1000)?;
    pair.client.finish();
    pair.settle()?;
    assert_eq!(pair.of_server.last(), Some(&Event::Unpublish));
    assert_eq!(pair.of_server.iter().filter(|e| **e == Event::Unpublish).count(), 1);
    let unpublished = |e: &ClientEvent| matches!(e, ClientEvent::Status { code, .. } if code == "NetStream.Unpublish.Success");
    assert!(pair.of_client.iter().any(unpublished));
    Ok(())
}

#[test]
fn a_player_pauses_and_goes_on() -> Result<(), SessionError> {
    let mut pair = play(1000)?;
    pair.client.pause(true);
    pair.client.pause(false);
    pair.settle()?;
    assert!(pair.of_server.ends_with(&[Event::Pause(true), Event::Pause(false)]));
    pair.client.finish();
    pair.settle()?;
    assert_eq!(pair.of_server.last(), Some(&Event::CloseStream));
    Ok(())
}

#[test]
fn a_refusal_says_why() -> Result<(), SessionError> {
    for (purpose, expected) in
        [(Purpose::Publish, "NetStream.Publish.BadName"), (Purpose::Play, "NetStream.Play.StreamNotFound")]
    {
        let mut pair = Pair::new("rtmp://h/live/s", purpose, 700);
        pair.settle()?;
        pair.server.refuse("the stream is busy");
        pair.settle()?;
        let refused =
            ClientEvent::Refused { code: expected.to_owned(), description: "the stream is busy".to_owned() };
        assert_eq!(pair.of_client, [refused]);
    }
    Ok(())
}

#[test]
fn a_long_name_is_refused_and_told() {
    let url = format!("rtmp://h/live/{}", "x".repeat(NAME_MAX + 1));
    let mut pair = Pair::new(&url, Purpose::Publish, 4000);
    assert!(matches!(pair.settle(), Err(SessionError::Url(UrlError::TooLong { .. }))));
    let Some(Output::Send(bytes)) = pair.server.poll() else { panic!("the refusal is to be sent") };
    assert!(bytes.windows(7).any(|w| w == b"BadName"));
}

#[test]
fn answers_that_nobody_asked_for_are_misuse() {
    let mut server = ServerSession::new(ServerOptions::default(), 1);
    let fault = SessionError::Misuse { call: "accept_play", state: "connecting" };
    assert_eq!(server.accept_play(), Err(fault));
}
