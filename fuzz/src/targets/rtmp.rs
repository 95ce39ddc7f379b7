//! RTMP below its commands: however the bytes are cut, the same comes out.

use bytes::BytesMut;
use headwater_rtmp_proto::handshake::ServerHandshake;
use headwater_rtmp_proto::{ChunkReader, Message, RtmpUrl, aggregate, wire, write_message};

/// C0, C1 and C2 (RTMP 5.2).
const HANDSHAKE: usize = 1 + 1536 + 1536;

pub(super) fn run_chunks(data: &[u8]) {
    let (whole, error) = messages(&[data]);
    let (first, rest) = data.split_at(data.len() / 2);
    let (left, right) = rest.split_at(rest.len().min(3));
    assert_eq!(messages(&[first, left, right]), (whole.clone(), error), "another cut, other messages");
    for message in whole.iter().filter(|message| message.type_id == wire::AGGREGATE) {
        let _ = aggregate::split(message);
    }
    whole.iter().for_each(writes_and_reads);
}

/// Messages up to the end or the first error, and whether there was one.
fn messages(parts: &[&[u8]]) -> (Vec<Message>, bool) {
    let mut reader = ChunkReader::new();
    let mut messages = Vec::new();
    for part in parts {
        let mut input = *part;
        loop {
            match reader.read(&mut input) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_) => return (messages, true),
            }
        }
        assert!(input.is_empty(), "bytes left over that it neither took nor refused");
    }
    (messages, false)
}

fn writes_and_reads(message: &Message) {
    let Message { type_id, stream_id, timestamp, ref payload, .. } = *message;
    let mut out = BytesMut::new();
    write_message(3, type_id, stream_id, timestamp, &[payload], 128, &mut out);
    let (again, _) = messages(&[&out]);
    assert_eq!(again.first().map(|again| (again.timestamp, &again.payload)), Some((timestamp, payload)));
}

pub(super) fn seeds_chunks() -> Vec<Vec<u8>> {
    let message = |csid, type_id, timestamp, payload: &[u8]| {
        let mut out = BytesMut::new();
        write_message(csid, type_id, 1, timestamp, &[payload], 128, &mut out);
        out.to_vec()
    };
    let video = message(6, wire::VIDEO, 40, &[0x27; 300]);
    let late = message(7, wire::AUDIO, 0x0100_0000, &[0xaf; 200]); // an extended timestamp, in both chunks
    let size = message(2, wire::SET_CHUNK_SIZE, 0, &[0, 0, 0x10, 0]);
    let abort = message(2, wire::ABORT, 0, &[0, 0, 0, 6]);
    // One video tag inside an aggregate (RTMP 7.1.6): type, size, timestamp, stream id, body, back pointer.
    let whole = message(4, wire::AGGREGATE, 10, &[9, 0, 0, 2, 0, 0, 5, 0, 0, 0, 0, 0x27, 1, 0, 0, 0, 13]);
    // Types 1, 2 and 3 on one chunk stream (RTMP 5.3.1.2).
    let deltas = [
        &message(5, wire::AUDIO, 7, &[1, 2])[..],
        &[0x45, 0, 0, 23, 0, 0, 1, 8, 9],
        &[0x85, 0, 0, 23, 8],
        &[0xc5, 7],
    ];
    let wide = [
        0x00, 0x05, 0, 0, 1, 0, 0, 1, 8, 1, 0, 0, 0, 9, 0x01, 0x05, 0x01, 0, 0, 2, 0, 0, 1, 8, 1, 0, 0, 0, 9,
    ];
    let all = [&video[..], &size, &late, &video, &abort, &whole].concat();
    vec![video, late, whole, deltas.concat(), wide.to_vec(), all]
}

pub(super) fn run_handshake(data: &[u8]) {
    let whole = handshake(&[data]);
    let (first, rest) = data.split_at(data.len() / 2);
    assert_eq!(handshake(&[first, rest]), whole, "another cut, another handshake");
}

/// The reply, whether it was done, bytes left; none after an error.
fn handshake(parts: &[&[u8]]) -> Option<(Vec<u8>, bool, usize)> {
    let mut handshake = ServerHandshake::new(7);
    let (mut reply, mut left) = (Vec::new(), 0);
    for part in parts {
        let mut input = *part;
        if let Some(bytes) = handshake.handle(&mut input, 1).ok()? {
            reply.extend_from_slice(&bytes);
        }
        left += input.len();
    }
    Some((reply, handshake.is_done(), left))
}

pub(super) fn seeds_handshake() -> Vec<Vec<u8>> {
    let mut simple = vec![0; HANDSHAKE + 4];
    simple[0] = 3;
    let proxied = [&[0xf3, 0, 4, 192, 0, 2, 1][..], &simple].concat();
    vec![simple, proxied]
}

pub(super) fn run_url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (tc_url, stream) = text.split_once('\n').unwrap_or((&text, "s"));
    if let Ok(url) = RtmpUrl::parse(tc_url, stream) {
        assert!(!url.stream.is_empty() && !url.app.is_empty(), "no name in {url:?}");
        url.query("vhost");
    }
}

pub(super) fn seeds_url() -> Vec<Vec<u8>> {
    let urls = [
        "rtmp://h/live\ns",
        "rtmp://h:1936/live/sub\ns?k=v&vhost=v.example",
        "rtmp://[::1]:1935/live?vhost=v.example\ns",
        "rtmp://h/live...vhost...v.example\ns",
        "rtmp://h/live/_definst_\ns.flv",
        "rtmp://h/a?url=http://b/c#d\n",
    ];
    urls.iter().map(|url| url.as_bytes().to_vec()).collect()
}
