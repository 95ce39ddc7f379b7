use crate::{ChunkError, ChunkReader, Message, aggregate, wire, write_message};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

fn read_all(reader: &mut ChunkReader, mut input: &[u8]) -> Result<Vec<Message>, ChunkError> {
    let mut out = Vec::new();
    while let Some(message) = reader.read(&mut input)? {
        out.push(message);
    }
    assert!(input.is_empty());
    Ok(out)
}

/// Chunk stream, time, type, message stream, payload.
type Flat = (u32, u32, u8, u32, Vec<u8>);

/// One byte at a time and all at once give the same.
fn read(bytes: &[u8]) -> Result<Vec<Flat>, ChunkError> {
    let whole = read_all(&mut ChunkReader::new(), bytes);
    let mut reader = ChunkReader::new();
    let single: Result<Vec<_>, _> = bytes.chunks(1).map(|b| read_all(&mut reader, b)).collect();
    assert_eq!(whole, single.map(|v| v.concat()));
    let flat = |m: Message| (m.csid, m.timestamp, m.type_id, m.stream_id, m.payload.to_vec());
    whole.map(|messages| messages.into_iter().map(flat).collect())
}

fn bytes(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Basic header with fmt 0 and csid 6; time 1000, length 3, type 9, stream 1.
const FULL: &[u8] = b"\x06\x00\x03\xe8\x00\x00\x03\x09\x01\x00\x00\x00abc";

#[test]
fn all_four_header_types() {
    // RTMP 5.3.1.2: fmt 1 has delta, length, type; fmt 2 has delta; fmt 3 repeats all of it.
    let input = bytes(&[FULL, b"\x46\x00\x00\x0a\x00\x00\x02\x08de", b"\x86\x00\x00\x05fg", b"\xc6hi"]);
    assert_eq!(
        read(&input),
        Ok(vec![
            (6, 1000, 9, 1, b"abc".to_vec()),
            (6, 1010, 8, 1, b"de".to_vec()),
            (6, 1015, 8, 1, b"fg".to_vec()),
            (6, 1020, 8, 1, b"hi".to_vec()),
        ])
    );
}

#[test]
fn two_and_three_byte_basic_headers() {
    // RTMP 5.3.1.1: id = 64 + second byte, and id = 64 + second byte + 256 * third byte.
    let tail = &FULL[1..];
    assert_eq!(read(&bytes(&[b"\x00\x0a", tail])).map(|m| m[0].0), Ok(74));
    assert_eq!(read(&bytes(&[b"\x01\x0a\x02", tail])).map(|m| m[0].0), Ok(64 + 10 + 512));
}

#[test]
fn a_fresh_stream_may_begin_with_type_1_but_not_2_or_3() {
    assert_eq!(read(b"\x42\x00\x00\x00\x00\x00\x01\x03x").map(|m| m.len()), Ok(1));
    assert_eq!(read(b"\x86\x00\x00\x01"), Err(ChunkError::NoEarlierHeader { csid: 6, fmt: 2 }));
    assert_eq!(read(b"\xc6"), Err(ChunkError::NoEarlierHeader { csid: 6, fmt: 3 }));
}

/// Chunk size 4, then a message of 10 bytes "0123456789" at time 0x01000000, with `repeat` before each continuation.
fn extended(fmt0: bool, repeat: &[u8]) -> Vec<u8> {
    let size = b"\x02\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00\x00\x00\x00\x04";
    let begin: &[u8] = if fmt0 {
        b"\x06\xff\xff\xff\x00\x00\x0a\x09\x01\x00\x00\x00\x01\x00\x00\x00"
    } else {
        b"\x46\xff\xff\xff\x00\x00\x0a\x09\x01\x00\x00\x00"
    };
    bytes(&[size, begin, b"0123\xc6", repeat, b"4567\xc6", repeat, b"89"])
}

#[test]
fn extended_timestamps_repeated_or_left_out() {
    for fmt0 in [true, false] {
        for repeat in [&b"\x01\x00\x00\x00"[..], b""] {
            let messages = read(&extended(fmt0, repeat));
            assert_eq!(messages.map(|m| (m[0].1, m[0].4.clone())), Ok((0x0100_0000, b"0123456789".to_vec())));
        }
    }
}

#[test]
fn an_extended_timestamp_is_a_delta_in_type_1() {
    let later = b"\x46\xff\xff\xff\x00\x00\x01\x09\x01\x00\x00\x00x";
    assert_eq!(read(&bytes(&[FULL, later])).map(|m| m[1].1), Ok(1000 + 0x0100_0000));
}

#[test]
fn chunk_sizes() {
    let set = |size: &[u8]| bytes(&[b"\x02\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00", size]);
    assert_eq!(read(&set(b"\0\0\0\0")), Err(ChunkError::ChunkSize));
    let one = bytes(&[&set(b"\0\0\0\x01"), &FULL[..12], b"a\xc6b\xc6c"]);
    assert_eq!(read(&one).map(|m| m[0].4.clone()), Ok(b"abc".to_vec()));
    let absurd = bytes(&[&set(b"\x7f\xff\xff\xff"), FULL]);
    assert_eq!(read(&absurd).map(|m| m.len()), Ok(1));
}

#[test]
fn interleaved_aborted_and_empty_messages() {
    let size = b"\x02\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00\x00\x00\x00\x02";
    let video = b"\x06\x00\x00\x01\x00\x00\x03\x09\x01\x00\x00\x00ab";
    let audio = b"\x07\x00\x00\x01\x00\x00\x03\x08\x01\x00\x00\x00xy";
    let both = bytes(&[size, video, audio, b"\xc6c", b"\xc7z"]);
    assert_eq!(read(&both), Ok(vec![(6, 1, 9, 1, b"abc".to_vec()), (7, 1, 8, 1, b"xyz".to_vec())]));
    let abort = b"\x02\x00\x00\x00\x00\x00\x04\x02\x00\x00\x00\x00\x00\x00\xc2\x00\x06"; // csid 6, cut at 2 bytes
    let aborted = bytes(&[size, video, abort, video, b"\xc6c"]);
    assert_eq!(read(&aborted), Ok(vec![(6, 1, 9, 1, b"abc".to_vec())]));
    assert_eq!(read(&bytes(&[size, video, video])), Err(ChunkError::Interrupted { csid: 6, missing: 1 }));
    let empty = b"\x06\x00\x00\x01\x00\x00\x00\x09\x01\x00\x00\x00";
    assert_eq!(read(empty).map(|m| m[0].4.len()), Ok(0));
}

#[test]
fn at_most_64_chunk_streams() {
    let mut input = Vec::new();
    for id in 0..65u8 {
        input.extend_from_slice(&bytes(&[&[0x00, id], &FULL[1..]]));
    }
    assert_eq!(read(&input), Err(ChunkError::Streams { limit: 64 }));
}

#[test]
fn unfinished_messages_are_bounded() {
    let mut reader = ChunkReader::new();
    let size = b"\x02\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00\x00\xff\xff\xfe";
    assert_eq!(read_all(&mut reader, size), Ok(vec![]));
    let body = vec![0; 0xff_fffe];
    let begin = |csid: u8| bytes(&[&[csid], &b"\x00\x00\x00\xff\xff\xff\x09\x01\x00\x00\x00"[..], &body]);
    assert_eq!(read_all(&mut reader, &begin(6)), Ok(vec![]));
    let second = begin(7);
    let mut input = second.as_slice();
    assert_eq!(reader.read(&mut input), Err(ChunkError::Unfinished { limit: 20 << 20 }));
}

#[test]
fn an_aggregate_begins_at_its_own_time() {
    // Two FLV tags, stamped 500 and 520, in an aggregate stamped 9000.
    let tags = b"\x08\x00\x00\x01\x00\x01\xf4\x00\x00\x00\x00A\x00\x00\x00\x0c\
                 \x09\x00\x00\x02\x00\x02\x08\x00\x00\x00\x00VV\x00\x00\x00\x0d";
    let whole = Message {
        csid: 6,
        type_id: wire::AGGREGATE,
        stream_id: 1,
        timestamp: 9000,
        payload: Bytes::from_static(tags),
    };
    let parts = aggregate::split(&whole).map(|parts| {
        parts.into_iter().map(|m| (m.type_id, m.timestamp, m.payload.to_vec())).collect::<Vec<_>>()
    });
    assert_eq!(parts, Ok(vec![(8, 9000, b"A".to_vec()), (9, 9020, b"VV".to_vec())]));
    let cut = Message { payload: Bytes::from_static(&tags[..12 + 8]), ..whole };
    assert!(aggregate::split(&cut).is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_however_it_is_split(
        messages in prop::collection::vec((2u8..64, any::<u8>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..600)), 1..8),
        size in 1u32..300,
        split in 1usize..64,
    ) {
        let mut out = BytesMut::new();
        write_message(2, wire::SET_CHUNK_SIZE, 0, 0, &[&size.to_be_bytes()], 128, &mut out);
        let mut expected = Vec::new();
        for (csid, type_id, timestamp, payload) in messages {
            let type_id = type_id.max(wire::ABORT + 1); // the reader keeps the first two to itself
            let (a, b) = payload.split_at(payload.len() / 3);
            write_message(csid, type_id, 1, timestamp, &[a, b], size as usize, &mut out);
            expected.push(Message { csid: csid.into(), type_id, stream_id: 1, timestamp, payload: payload.into() });
        }
        let mut reader = ChunkReader::new();
        let mut read = Vec::new();
        for piece in out.chunks(split) {
            read.extend(read_all(&mut reader, piece).map_err(|e| TestCaseError::fail(e.to_string()))?);
        }
        prop_assert_eq!(read, expected);
    }
}
