//! The handshake before the chunk stream (RTMP 5.2), with and without digests.
//!
//! The digest form ("complex", as Flash does it) is answered in the schema the client chose. C2 and S2 are read and
//! not verified. The random filler comes from a seed and guards nothing.

use crate::HandshakeError;
use bytes::{BufMut, Bytes, BytesMut};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Length of C1, S1, C2 and S2.
const BLOCK: usize = 1536;
const DIGEST: usize = 32;
const VERSION: u8 = 0x03;
const PROXY: u8 = 0xf3;
const PROXY_HEADER_MAX: u16 = 1024;

const SERVER_VERSION: u32 = 0x0100_0504;
const CLIENT_VERSION: u32 = 0x8000_0702;

/// "Genuine Adobe Flash Media Server 001" and 32 bytes more.
const SERVER_KEY: &[u8; 68] = b"Genuine Adobe Flash Media Server 001\
    \xf0\xee\xc2\x4a\x80\x68\xbe\xe8\x2e\x00\xd0\xd1\x02\x9e\x7e\x57\
    \x6e\xec\x5d\x2d\x29\x80\x6f\xab\x93\xb8\xe6\x36\xcf\xeb\x31\xae";
/// "Genuine Adobe Flash Player 001" and the same 32 bytes.
const CLIENT_KEY: &[u8; 62] = b"Genuine Adobe Flash Player 001\
    \xf0\xee\xc2\x4a\x80\x68\xbe\xe8\x2e\x00\xd0\xd1\x02\x9e\x7e\x57\
    \x6e\xec\x5d\x2d\x29\x80\x6f\xab\x93\xb8\xe6\x36\xcf\xeb\x31\xae";
/// The part of each key that signs C1 or S1.
const SERVER_KEY_S1: usize = 36;
const CLIENT_KEY_C1: usize = 30;

/// Where the digest stands: behind the key block (schema 0) or before it (schema 1).
const SCHEMAS: [usize; 2] = [8 + 764, 8];
const SCHEMA_CLIENT: usize = SCHEMAS[1];

/// The server's side.
#[derive(Debug)]
pub struct ServerHandshake {
    stage: ServerStage,
    buffer: Vec<u8>,
    filler: Filler,
    proxied: Option<[u8; 4]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerStage {
    First,
    ProxyLength,
    ProxyBody(usize),
    C1,
    C2(usize),
    Done,
}

impl ServerHandshake {
    /// `seed` fills the random fields; any value will do, better not the same twice.
    pub fn new(seed: u64) -> ServerHandshake {
        ServerHandshake { stage: ServerStage::First, buffer: Vec::new(), filler: Filler(seed), proxied: None }
    }

    /// Whether the chunk stream follows.
    pub fn is_done(&self) -> bool {
        self.stage == ServerStage::Done
    }

    /// The client's IPv4 address, when a proxy put it before the handshake (0xF3). Not authenticated.
    pub fn proxied(&self) -> Option<[u8; 4]> {
        self.proxied
    }

    /// Takes handshake bytes from the front of `input`; gives S0, S1 and S2, once, as one piece. `time_ms` goes into S1.
    pub fn handle(&mut self, input: &mut &[u8], time_ms: u32) -> Result<Option<Bytes>, HandshakeError> {
        let mut reply = None;
        while !input.is_empty() && !self.is_done() {
            if let Some(bytes) = self.step(input, time_ms)? {
                reply = Some(bytes);
            }
        }
        Ok(reply)
    }

    fn step(&mut self, input: &mut &[u8], time_ms: u32) -> Result<Option<Bytes>, HandshakeError> {
        match self.stage {
            ServerStage::First => {
                let Some((&first, rest)) = input.split_first() else { return Ok(None) };
                *input = rest;
                self.stage = match first {
                    VERSION => ServerStage::C1,
                    PROXY if self.proxied.is_none() => ServerStage::ProxyLength,
                    other => return Err(HandshakeError::Version(other)),
                };
            }
            ServerStage::ProxyLength if fill(&mut self.buffer, input, 2) => {
                let length = self.buffer.drain(..).fold(0, |n, b| n << 8 | u16::from(b));
                if length > PROXY_HEADER_MAX {
                    return Err(HandshakeError::ProxyHeader(length));
                }
                self.stage = ServerStage::ProxyBody(length.into());
                self.end_proxy(input, length.into());
            }
            ServerStage::ProxyBody(length) => self.end_proxy(input, length),
            ServerStage::C1 if fill(&mut self.buffer, input, BLOCK) => {
                let c1 = std::mem::take(&mut self.buffer);
                self.stage = ServerStage::C2(BLOCK);
                return Ok(Some(server_reply(&c1, time_ms, &mut self.filler)));
            }
            ServerStage::C2(left) => {
                let skipped = left.min(input.len());
                *input = input.get(skipped..).unwrap_or_default();
                self.stage =
                    if left == skipped { ServerStage::Done } else { ServerStage::C2(left - skipped) };
            }
            _ => {}
        }
        Ok(None)
    }

    fn end_proxy(&mut self, input: &mut &[u8], length: usize) {
        if fill(&mut self.buffer, input, length) {
            self.proxied = Some(self.buffer.first_chunk().copied().unwrap_or_default());
            self.buffer = Vec::new();
            self.stage = ServerStage::First;
        }
    }
}

/// The client's side: always begins with the digest form.
#[derive(Debug)]
pub struct ClientHandshake {
    buffer: Vec<u8>,
    filler: Filler,
    done: bool,
}

impl ClientHandshake {
    /// `seed` fills the random fields.
    pub fn new(seed: u64) -> ClientHandshake {
        ClientHandshake { buffer: Vec::new(), filler: Filler(seed), done: false }
    }

    /// C0 and C1, to send first.
    pub fn start(&mut self, time_ms: u32) -> Bytes {
        let mut out = BytesMut::with_capacity(1 + BLOCK);
        out.put_u8(VERSION);
        let key = &CLIENT_KEY[..CLIENT_KEY_C1];
        out.put_slice(&signed(time_ms, CLIENT_VERSION, SCHEMA_CLIENT, key, &mut self.filler));
        out.freeze()
    }

    /// Whether the chunk stream follows.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Takes handshake bytes from the front of `input`; gives C2, once.
    pub fn handle(&mut self, input: &mut &[u8]) -> Result<Option<Bytes>, HandshakeError> {
        if self.done || input.is_empty() {
            return Ok(None);
        }
        let whole = fill(&mut self.buffer, input, 1 + 2 * BLOCK);
        let version = self.buffer.first().copied().unwrap_or(VERSION);
        if version != VERSION {
            return Err(HandshakeError::Version(version));
        }
        if !whole {
            return Ok(None);
        }
        self.done = true;
        let replies = std::mem::take(&mut self.buffer);
        let s1 = replies.get(1..1 + BLOCK).unwrap_or_default();
        let digest = SCHEMAS.iter().find_map(|&s| valid_digest(s1, s, &SERVER_KEY[..SERVER_KEY_S1]));
        Ok(Some(match digest {
            Some(digest) => Bytes::from(answer(CLIENT_KEY, &digest, &mut self.filler)),
            None => Bytes::copy_from_slice(s1),
        }))
    }
}

/// Moves bytes to `buffer` until it has `n`; true when it has.
fn fill(buffer: &mut Vec<u8>, input: &mut &[u8], n: usize) -> bool {
    let missing = n.saturating_sub(buffer.len()).min(input.len());
    let (now, later) = input.split_at(missing);
    buffer.extend_from_slice(now);
    *input = later;
    buffer.len() >= n
}

fn server_reply(c1: &[u8], time_ms: u32, filler: &mut Filler) -> Bytes {
    let mut out = BytesMut::with_capacity(1 + 2 * BLOCK);
    out.put_u8(VERSION);
    let found = SCHEMAS.iter().find_map(|&s| Some((s, valid_digest(c1, s, &CLIENT_KEY[..CLIENT_KEY_C1])?)));
    if let Some((schema, digest)) = found {
        out.put_slice(&signed(time_ms, SERVER_VERSION, schema, &SERVER_KEY[..SERVER_KEY_S1], filler));
        out.put_slice(&answer(SERVER_KEY, &digest, filler));
    } else {
        out.put_u32(time_ms);
        out.put_slice(c1.get(..4).unwrap_or_default());
        out.put_slice(&filler.bytes(BLOCK - 8));
        out.put_slice(c1);
    }
    out.freeze()
}

/// C1 or S1 with its digest in place.
fn signed(time_ms: u32, version: u32, schema: usize, key: &[u8], filler: &mut Filler) -> Vec<u8> {
    let mut block = Vec::with_capacity(BLOCK);
    block.extend_from_slice(&time_ms.to_be_bytes());
    block.extend_from_slice(&version.to_be_bytes());
    block.extend_from_slice(&filler.bytes(BLOCK - 8));
    let at = digest_at(&block, schema);
    let digest = block_digest(&block, at, key);
    if let Some(place) = block.get_mut(at..at + DIGEST) {
        place.copy_from_slice(&digest);
    }
    block
}

/// C2 or S2: random bytes, signed with a key made from the peer's digest.
fn answer(key: &[u8], peer_digest: &[u8], filler: &mut Filler) -> Vec<u8> {
    let mut block = filler.bytes(BLOCK - DIGEST);
    let digest = hmac(&hmac(key, &[peer_digest]), &[&block]);
    block.extend_from_slice(&digest);
    block
}

fn valid_digest(block: &[u8], schema: usize, key: &[u8]) -> Option<[u8; DIGEST]> {
    let at = digest_at(block, schema);
    let claimed = block.get(at..at + DIGEST)?;
    let digest = block_digest(block, at, key);
    (digest == claimed).then_some(digest)
}

/// The digest stands behind four offset bytes, at their sum mod 728.
fn digest_at(block: &[u8], schema: usize) -> usize {
    let offset: usize = block.iter().skip(schema).take(4).map(|&b| usize::from(b)).sum();
    schema + 4 + offset % 728
}

/// Over the block without the digest itself.
fn block_digest(block: &[u8], at: usize, key: &[u8]) -> [u8; DIGEST] {
    let before = block.get(..at).unwrap_or_default();
    let behind = block.get(at + DIGEST..).unwrap_or_default();
    hmac(key, &[before, behind])
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; DIGEST] }; // takes any key length
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Filler bytes (splitmix64).
#[derive(Debug)]
struct Filler(u64);

impl Filler {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(n + DIGEST);
        while out.len() < n {
            let word = self.next().to_le_bytes();
            out.extend_from_slice(word.get(..(n - out.len()).min(8)).unwrap_or_default());
        }
        out
    }
}
