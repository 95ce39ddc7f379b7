//! Nothing a peer sends makes a session panic, and what breaks the rules is named.

use crate::handshake::ClientHandshake;
use crate::*;
use bytes::BytesMut;
use headwater_flv::AmfError;
use proptest::prelude::*;
use std::time::Duration;

/// A server that is past the handshake.
fn server() -> ServerSession {
    let mut server = ServerSession::new(ServerOptions::default(), 1);
    for bytes in [&ClientHandshake::new(3).start(0)[..], &[0; 1536]] {
        assert_eq!(server.handle(bytes, Duration::ZERO), Ok(()));
    }
    server
}

fn send(payload: &[u8]) -> Result<(), SessionError> {
    let mut out = BytesMut::new();
    write_message(3, wire::COMMAND_AMF0, 0, 0, &[payload], 128, &mut out);
    server().handle(&out, Duration::ZERO)
}

#[test]
fn nested_commands_and_huge_names_are_faults() {
    let nested = [b"\x02\x00\x07connect".as_slice(), &b"\x0a\x00\x00\x00\x01".repeat(100)].concat();
    assert!(matches!(send(&nested), Err(SessionError::Command(AmfError::TooDeep { .. }))));
    let huge = [b"\x0c\x00\x10\x00\x00".as_slice(), &vec![b'x'; 1 << 20]].concat();
    assert!(matches!(send(&huge), Err(SessionError::Command(AmfError::TooLong { .. }))));
    assert_eq!(send(b"\x02\x00\x04play"), Err(SessionError::NotConnected("play".into())));
    assert_eq!(send(b"\x02\x00\x07connect"), Err(SessionError::NoTcUrl));
    assert_eq!(send(b"\x05"), Err(SessionError::Command(AmfError::Unnamed)));
    assert_eq!(send(b"\x00\x00\x00\x01"), Ok(()), "a time code is no command");
}

proptest! {
    #[test]
    fn garbage_after_the_handshake(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = server().handle(&bytes, Duration::ZERO);
    }

    #[test]
    fn garbage_commands(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = send(&bytes);
    }
}
