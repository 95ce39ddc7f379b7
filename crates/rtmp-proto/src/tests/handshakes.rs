use crate::HandshakeError;
use crate::handshake::{ClientHandshake, ServerHandshake};

const NOTHING: Result<Option<bytes::Bytes>, HandshakeError> = Ok(None);

/// C0 and a C1 without digest: time, version 0, filler.
fn simple_c0c1() -> Vec<u8> {
    let mut c = vec![0x03, 0, 0, 0, 7, 0, 0, 0, 0];
    c.extend((0..1528u32).map(|i| i as u8));
    c
}

fn reply(server: &mut ServerHandshake, input: &[u8]) -> Vec<u8> {
    let mut rest = input;
    let out = server.handle(&mut rest, 99).ok().flatten().unwrap_or_default();
    assert!(rest.is_empty());
    out.to_vec()
}

#[test]
fn a_plain_client_gets_its_c1_back() {
    let c = simple_c0c1();
    let mut server = ServerHandshake::new(1);
    let s = reply(&mut server, &c);
    assert_eq!(s.len(), 1 + 2 * 1536);
    assert_eq!(&s[..9], &[0x03, 0, 0, 0, 99, 0, 0, 0, 7]); // S0; S1: time, C1's time
    assert_eq!(&s[1537..], &c[1..]);
    assert_eq!(server.handle(&mut &[0u8; 1535][..], 0), NOTHING);
    assert!(!server.is_done());
    let mut last = &[0u8, 42][..];
    assert_eq!(server.handle(&mut last, 0), NOTHING);
    assert!(server.is_done());
    assert_eq!(last, [42], "the chunk stream's bytes stay");
}

#[test]
fn digests_are_exchanged_cut_at_every_byte() {
    let mut whole = ServerHandshake::new(5);
    let c0c1 = ClientHandshake::new(4).start(1);
    let expected = reply(&mut whole, &c0c1);
    assert_ne!(&expected[1537..], &c0c1[1..], "S2 is signed, not an echo");
    for cut in 1..c0c1.len() {
        let mut server = ServerHandshake::new(5);
        assert_eq!(server.handle(&mut &c0c1[..cut], 99), NOTHING);
        assert_eq!(reply(&mut server, &c0c1[cut..]), expected);
    }
    for cut in (1..expected.len()).step_by(7) {
        let mut client = ClientHandshake::new(4);
        client.start(1);
        assert_eq!(client.handle(&mut &expected[..cut]), NOTHING);
        let c2 = client.handle(&mut &expected[cut..]).ok().flatten().unwrap_or_default();
        assert_eq!(c2.len(), 1536);
        assert_ne!(c2, &expected[1..1537], "C2 is signed, because S1's digest holds");
        assert!(client.is_done());
    }
}

#[test]
fn a_proxy_header_is_read_first() {
    let mut input = vec![0xf3, 0, 6, 192, 0, 2, 1, 9, 9];
    input.extend(simple_c0c1());
    for cut in 1..12 {
        let mut server = ServerHandshake::new(1);
        assert_eq!(server.handle(&mut &input[..cut], 0), NOTHING);
        assert_eq!(reply(&mut server, &input[cut..]).len(), 3073);
        assert_eq!(server.proxied(), Some([192, 0, 2, 1]));
    }
    let long = ServerHandshake::new(1).handle(&mut &[0xf3, 4, 1][..], 0);
    assert_eq!(long, Err(HandshakeError::ProxyHeader(1025)));
}

#[test]
fn other_protocols_are_recognised_at_once() {
    assert_eq!(ServerHandshake::new(1).handle(&mut &b"GET"[..], 0), Err(HandshakeError::Version(b'G')));
    assert_eq!(ClientHandshake::new(1).handle(&mut &b"HTTP"[..]), Err(HandshakeError::Version(b'H')));
}
