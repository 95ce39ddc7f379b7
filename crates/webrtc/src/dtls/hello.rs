//! A peer's first word (RFC 6347 4.2, RFC 5246 7.4.1.2).

use headwater_media::{Reader, Short};

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// From the length of a record to its content: version, epoch, sequence number and length.
const RECORD_REST: usize = 12;

/// The extension that lists versions, and DTLS 1.3 in it (RFC 8446 4.2.1, RFC 9147 5.3).
const SUPPORTED_VERSIONS: u16 = 43;
const DTLS_13: u16 = 0xfefc;

/// Bytes of a hello that are only reached with a key of post-quantum cryptography (ML-KEM-768 has 1,184), which came
/// after DTLS 1.3.
const LONG: u32 = 1000;

/// Whether a client's hello, of which this may be a part, is of one that speaks DTLS 1.3. `None` if the datagram does
/// not begin with a hello.
pub(super) fn is_modern(datagram: &[u8]) -> Option<bool> {
    let mut r = Reader::new(datagram);
    let is_hello = r.u8() == Ok(HANDSHAKE) && r.skip(RECORD_REST).is_ok() && r.u8() == Ok(CLIENT_HELLO);
    is_hello.then(|| is_long(&mut r).unwrap_or(false) || offers_13(&mut r).unwrap_or(false))
}

/// Reads the rest of the message's head: length, number, offset and length of the part.
fn is_long(r: &mut Reader<'_>) -> Result<bool, Short> {
    let length = r.u24()?;
    r.skip(2 + 3 + 3)?;
    Ok(length >= LONG)
}

fn offers_13(r: &mut Reader<'_>) -> Result<bool, Short> {
    r.skip(2 + 32)?; // version and random
    for size in [1, 1, 2, 1] {
        // session, cookie, cipher suites and compression
        let length = if size == 1 { r.u8()?.into() } else { r.u16()? };
        r.skip(length.into())?;
    }
    r.skip(2)?;
    while !r.is_empty() {
        let (kind, length) = (r.u16()?, r.u16()?);
        let content = r.bytes(length.into())?;
        if kind == SUPPORTED_VERSIONS {
            let versions = content.get(1..).unwrap_or_default();
            return Ok(versions.chunks(2).any(|version| version == DTLS_13.to_be_bytes()));
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A hello whose message has `length` bytes, of which those here begin at `offset`.
    fn hello(length: u32, offset: u32, extensions: &[u8]) -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend([7; 32]);
        body.extend([1, 9, 0, 0, 2, 0xc0, 0x2b, 1, 0]); // a session, no cookie, one suite, no compression
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        let part = body.len() as u32;
        let length = if length == 0 { part } else { length };
        let mut datagram = vec![HANDSHAKE, 0xfe, 0xff];
        datagram.extend([0; 10]);
        datagram.push(CLIENT_HELLO);
        datagram.extend(&length.to_be_bytes()[1..]);
        datagram.extend([0, 0]);
        datagram.extend(&offset.to_be_bytes()[1..]);
        datagram.extend(&part.to_be_bytes()[1..]);
        datagram.extend(body);
        datagram
    }

    #[test]
    fn who_offers_1_3_is_modern() {
        let both = [0, 10, 0, 1, 5, 0, 43, 0, 5, 4, 0xfe, 0xfc, 0xfe, 0xfd];
        assert_eq!(is_modern(&hello(0, 0, &both)), Some(true));
        assert_eq!(is_modern(&hello(0, 0, &[0, 43, 0, 3, 2, 0xfe, 0xfd])), Some(false), "1.2 alone");
        assert_eq!(is_modern(&hello(0, 0, &[])), Some(false));
        assert_eq!(is_modern(&hello(1400, 0, &[])), Some(true), "a long one, of which this is the beginning");
        assert_eq!(is_modern(&hello(1400, 1000, &[])), Some(true), "and the end");
        assert_eq!(is_modern(&hello(300, 0, &[])), Some(false), "in parts for no reason, as OpenSSL has it");
    }

    #[test]
    fn what_is_no_hello_is_none() {
        let mut other = hello(0, 0, &[]);
        other[13] = 2;
        assert_eq!(is_modern(&other), None);
        assert_eq!(is_modern(&[22; 13]), None);
        assert_eq!(is_modern(&[]), None);
    }

    proptest! {
        #[test]
        fn hellos_may_end_anywhere(end in 0usize..200, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let hello = hello(0, 0, &bytes);
            let seen = is_modern(hello.get(..end).unwrap_or(&hello));
            prop_assert_eq!(seen.is_some(), end > 13);
        }
    }
}
