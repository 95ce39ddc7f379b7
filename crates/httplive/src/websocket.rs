//! The little of WebSocket (RFC 6455) that a one-way stream needs: the accept key, message headers, and what a
//! player may say (ping, close). A player's data messages are skipped without being kept.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use sha1::{Digest, Sha1};

/// Largest control frame payload (RFC 6455 5.5).
const CONTROL_MAX: u64 = 125;

/// `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 4.2.2).
pub(crate) fn accept_key(key: &str) -> String {
    let mut sha = Sha1::new();
    sha.update(key.as_bytes());
    sha.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(sha.finalize())
}

/// Header of a whole, unmasked binary message of `len` bytes (RFC 6455 5.2).
pub(crate) fn binary_header(len: usize, out: &mut BytesMut) {
    out.put_u8(0x82); // FIN, opcode 2
    match len {
        0..=125 => out.put_u8(len as u8),
        126..=0xffff => {
            out.put_u8(126);
            out.put_u16(len as u16);
        }
        _ => {
            out.put_u8(127);
            out.put_u64(len as u64);
        }
    }
}

/// What a player said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It wants to end, or broke the protocol.
    Close,
    /// It asks for this pong, ready to be sent.
    Ping(Bytes),
}

/// Reads the player's frames, whatever the reads they come in.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    /// Bytes of a frame header or control frame so far; at most 14 + 125.
    held: Vec<u8>,
    /// Payload bytes of a data frame still to skip.
    skip: u64,
}

impl Listener {
    /// Takes bytes in; calls `said` for each thing the player said.
    pub(crate) fn read(&mut self, mut bytes: &[u8], mut said: impl FnMut(Said)) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let n = bytes.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
                self.skip -= n as u64;
                bytes = &bytes[n..]; // n is at most its length
                continue;
            }
            let (first, rest) = bytes.split_at(1);
            self.held.extend_from_slice(first);
            bytes = rest;
            self.step(&mut said);
        }
    }

    fn step(&mut self, said: &mut impl FnMut(Said)) {
        let &[op, len7, ref rest @ ..] = self.held.as_slice() else { return };
        let (len, rest) = match (len7 & 0x7f, rest) {
            (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest)
            }
            (126 | 127, _) => return,
            (n, rest) => (u64::from(n), rest),
        };
        let masked = len7 & 0x80 != 0;
        let control = op & 0x08 != 0;
        if !masked || (control && len > CONTROL_MAX) {
            said(Said::Close);
            self.held.clear();
            return;
        }
        let (Some(mask), Some(payload)) = (rest.get(..4), rest.get(4..)) else { return };
        if !control {
            self.skip = len;
            self.held.clear();
            return;
        }
        if (payload.len() as u64) < len {
            return;
        }
        match op & 0x0f {
            0x8 => said(Said::Close),
            0x9 => said(Said::Ping(pong(mask, payload))),
            _ => {}
        }
        self.held.clear();
    }
}

fn pong(mask: &[u8], payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(2 + payload.len());
    out.put_u8(0x8a); // FIN, pong
    out.put_u8(payload.len() as u8); // a control payload has at most 125 bytes
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(bytes: &[u8], step: usize) -> Vec<Said> {
        let mut listener = Listener::default();
        let mut heard = Vec::new();
        bytes.chunks(step).for_each(|part| listener.read(part, |s| heard.push(s)));
        assert!(listener.held.len() <= 14 + 125);
        heard
    }

    #[test]
    fn the_accept_key_of_the_rfc() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); // RFC 6455 1.3
    }

    #[test]
    fn pings_are_answered_and_data_is_skipped_in_any_split() {
        let mut bytes = vec![0x82, 0x80 | 126, 0x01, 0x00, 1, 2, 3, 4]; // binary, 256 bytes, masked
        bytes.extend([7; 256]);
        bytes.extend([0x89, 0x82, 0xff, 0x00, 0xff, 0x00, b'h' ^ 0xff, b'i']); // ping "hi"
        bytes.extend([0x88, 0x80, 0, 0, 0, 0]); // close
        for step in [1, 2, 3, 7, 300] {
            let pong = Bytes::from_static(&[0x8a, 2, b'h', b'i']);
            assert_eq!(listen(&bytes, step), [Said::Ping(pong), Said::Close]);
        }
    }

    #[test]
    fn an_unmasked_frame_or_a_long_ping_ends_it() {
        assert_eq!(listen(&[0x89, 0x00], 1), [Said::Close]);
        assert_eq!(listen(&[0x89, 0x80 | 126, 0xff, 0xff], 4), [Said::Close]);
    }

    #[test]
    fn a_huge_data_frame_costs_no_memory() {
        let mut bytes = vec![0x82, 0xff];
        bytes.extend(u64::MAX.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(vec![0; 100_000]);
        assert_eq!(listen(&bytes, 1000), []);
    }

    #[test]
    fn message_headers_by_length() {
        let header = |len| {
            let mut out = BytesMut::new();
            binary_header(len, &mut out);
            out.to_vec()
        };
        assert_eq!(header(125), [0x82, 125]);
        assert_eq!(header(126), [0x82, 126, 0, 126]);
        assert_eq!(header(65_536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
