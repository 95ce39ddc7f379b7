//! What is published comes out by every protocol as it went in: count, order, key frames, timestamps, bytes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::packets::{Allow, Media, Packet, compare};
use headwater_testkit::{Clip, Options, Publisher, Reader, Server, hls, read_file, websocket};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
/// A stream is over for a player that stays when nothing came for so long.
const QUIET: Duration = Duration::from_millis(1500);
/// Most packets of sound that may be missing before the first picture.
const LEAD_IN: usize = 10;

/// Publishes the clip once, with a player of every protocol waiting for it from before the first byte.
fn out_is_in(clip: Clip, as_hls: bool) {
    let server = Server::start(&Options::default());
    let sent = read_file(clip.tool(), &clip.file());
    let rtmp = Reader::open(clip.tool(), &server.rtmp_url("s"));
    let flv = Reader::open(clip.tool(), &server.http_url("/live/s.flv"));
    let (address, folder) = (server.http_address(), server.folder().to_owned());
    let websocket = std::thread::spawn(move || {
        websocket::Incoming::open(address, "/live/s.flv").map(|s| s.read_to_end())
    });
    server.wait_for_players(3);

    let publisher = Publisher::once(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    let (status, errors) = publisher.finish(LIMIT);
    assert!(status.success(), "{clip:?}: {errors}");

    let (got, errors) = flv.finish(LIMIT);
    assert_same(clip, "HTTP-FLV", &sent, &got, Allow::WAITED, &errors);
    let bytes = websocket.join().unwrap().unwrap();
    let file = folder.join("websocket.flv");
    std::fs::write(&file, bytes).unwrap();
    assert_same(clip, "WebSocket-FLV", &sent, &read_file(clip.tool(), &file), Allow::WAITED, "");
    rtmp.wait_until_quiet(QUIET, LIMIT);
    server.kick_players();
    assert_same(clip, "RTMP", &sent, &rtmp.finish(LIMIT).0, Allow::WAITED, "");
    if as_hls {
        let playlist = hls::playlist(server.http_address(), "/live/s.m3u8").unwrap();
        let file = server.folder().join("hls.ts");
        std::fs::write(&file, playlist.fetch(server.http_address())).unwrap();
        assert_same(clip, "HLS", &sent, &read_file(clip.tool(), &file), Allow::HLS, &playlist.text);
    }
}

fn assert_same(clip: Clip, how: &str, sent: &[Packet], got: &[Packet], allow: Allow, errors: &str) {
    if let Err(what) = compare(sent, got, allow) {
        panic!("{clip:?} by {how}: {what}\n{errors}");
    }
}

#[test]
fn h264_and_aac() {
    out_is_in(Clip::H264Aac, true);
}

#[test]
fn h264_with_b_frames_and_aac() {
    out_is_in(Clip::H264BframesAac, true);
}

#[test]
fn hevc_and_aac() {
    out_is_in(Clip::HevcAac, true);
}

#[test]
fn av1_and_opus() {
    out_is_in(Clip::Av1Opus, false);
}

#[test]
fn h264_and_mp3() {
    out_is_in(Clip::H264Mp3, true);
}

#[test]
fn sound_alone() {
    out_is_in(Clip::AacOnly, true);
}

#[test]
fn pictures_alone() {
    out_is_in(Clip::H264Only, true);
}

/// Who comes in the middle begins at a key frame, and from there on misses nothing.
#[test]
fn a_late_player_starts_on_a_key_frame() {
    let clip = Clip::H264BframesAac;
    let server = Server::start(&Options::default());
    let sent = read_file(clip.tool(), &clip.file());
    let early = Reader::open(clip.tool(), &server.rtmp_url("s"));
    server.wait_for_players(1);
    let _publisher = Publisher::once(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    early.wait_for(sent.len() / 2, LIMIT);
    let late = [
        Reader::open(clip.tool(), &server.rtmp_url("s")),
        Reader::open(clip.tool(), &server.http_url("/live/s.flv")),
    ];
    early.wait_until_quiet(QUIET, LIMIT);
    server.kick_players();
    for (how, late) in ["RTMP", "HTTP-FLV"].into_iter().zip(late) {
        let (got, _) = late.finish(LIMIT);
        assert!(got.len() < sent.len(), "{how}: it came late");
        assert_same(clip, how, &sent, &got, Allow::LATE_JOIN, "");
    }
}

/// A player that waits while the publisher changes sees one stream whose time goes on.
#[test]
fn players_stay_when_the_publisher_returns() {
    let clip = Clip::H264Aac;
    let server = Server::start(&Options::default());
    let sent = read_file(clip.tool(), &clip.file());
    let player = Reader::open(clip.tool(), &server.rtmp_url("s"));
    server.wait_for_players(1);
    for round in 1..=2 {
        let (status, errors) =
            Publisher::once(clip.tool(), &clip.file(), &server.rtmp_url("s")).finish(LIMIT);
        assert!(status.success(), "round {round}: {errors}");
        server.wait_until_unpublished("s");
    }
    player.wait_until_quiet(QUIET, LIMIT);
    server.kick_players();
    let (got, _) = player.finish(LIMIT);
    for media in [Media::Video, Media::Audio] {
        let track =
            |packets: &[Packet]| packets.iter().filter(|p| p.media == media).cloned().collect::<Vec<_>>();
        let (sent, got) = (track(&sent), track(&got));
        assert!(got.windows(2).all(|pair| pair[0].dts < pair[1].dts), "{media:?}: time went back");
        let sums = |packets: &[Packet]| packets.iter().map(|packet| packet.sum).collect::<Vec<_>>();
        let (sent, got) = (sums(&sent), sums(&got));
        // What came before the first picture may be missing, once per publish; it is sound, so no picture is.
        let lead_in = if media == Media::Video { 0 } else { LEAD_IN };
        let second = (0..=lead_in).find(|missing| got.ends_with(&sent[*missing..]));
        let second = second.unwrap_or_else(|| panic!("{media:?}: the second publish is not whole"));
        let first = &got[..got.len() - (sent.len() - second)];
        assert!(sent.ends_with(first), "{media:?}: the first publish is not whole");
        assert!(
            first.len() + lead_in >= sent.len(),
            "{media:?}: {} of the first {} came",
            first.len(),
            sent.len()
        );
    }
}

/// The same when the publisher fell silent first, so that every player has had everything when it leaves.
#[test]
fn players_stay_when_a_silent_publisher_returns() {
    let clip = Clip::H264Aac;
    let server = Server::start(&Options::default());
    let player = Reader::open(clip.tool(), &server.rtmp_url("s"));
    server.wait_for_players(1);
    let first = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    player.wait_for(100, LIMIT);
    first.freeze();
    player.wait_until_quiet(QUIET, LIMIT);
    first.kill();
    server.wait_until_unpublished("s");
    let before = player.count();
    let _second = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    player.wait_for(before + 100, LIMIT);
}
