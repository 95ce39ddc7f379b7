//! HDS: what the manifest leads to, and that the fragments are what was published.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_flv::file_header;
use headwater_media::Reader;
use headwater_testkit::http::Request;
use headwater_testkit::{Clip, Options, Publisher, Server, flv, read_file, wait};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

fn server(hds: &str, more: &str) -> Server {
    Server::start(&Options { vhost: format!("hds {{ enabled on; {hds} }} {more}"), ..Options::default() })
}

fn get(server: &Server, path: &str) -> Option<Vec<u8>> {
    let answer = Request::get(server.http_address(), path).send().unwrap();
    (answer.status == 200).then(|| answer.bytes().unwrap())
}

/// A run of the fragment run table: number, timestamp and length in milliseconds.
type Run = (u32, u64, u32);

/// The runs of a bootstrap, without those that tell a discontinuity.
fn runs(bootstrap: &[u8]) -> Vec<Run> {
    assert_eq!(bootstrap.get(4..8), Some(&b"abst"[..]));
    let size = u32::from_be_bytes(bootstrap[..4].try_into().unwrap());
    assert_eq!(size as usize, bootstrap.len(), "abst is the whole file");
    let at = bootstrap.windows(4).position(|name| name == b"afrt").unwrap();
    let mut table = Reader::new(&bootstrap[at + 4..]);
    table.skip(4 + 4 + 1).unwrap(); // version and flags, timescale, qualities
    let count = table.u32().unwrap();
    let mut runs = Vec::new();
    for _ in 0..count {
        let run = (table.u32().unwrap(), table.u64().unwrap(), table.u32().unwrap());
        match run.2 {
            0 => _ = table.u8().unwrap(),
            _ => runs.push(run),
        }
    }
    assert!(table.is_empty());
    runs
}

/// The FLV tags of a fragment: what is in its `mdat`.
fn tags(fragment: &[u8]) -> &[u8] {
    let mut rest = fragment;
    loop {
        let size = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        if &rest[4..8] == b"mdat" {
            assert_eq!(size, rest.len(), "mdat is the last");
            return &rest[8..];
        }
        assert_eq!(&rest[4..8], b"moof");
        rest = &rest[size..];
    }
}

/// The runs once there are `count`.
fn wait_for_fragments(server: &Server, count: usize) -> Vec<Run> {
    wait::until(&format!("{count} fragments"), LIMIT, || {
        let runs = runs(&get(server, "/live/s.abst")?);
        (runs.len() >= count).then_some(runs)
    })
}

fn is_the_clip(clip: Clip) {
    let server = server("hds_fragment 1;", "");
    let publisher = Publisher::once(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    let (status, errors) = publisher.finish(LIMIT);
    assert!(status.success(), "{errors}");
    let runs = wait_for_fragments(&server, Clip::SECONDS as usize);
    let manifest = String::from_utf8(get(&server, "/live/s.f4m").unwrap()).unwrap();
    assert!(
        manifest.contains("url=\"s.abst\"") && manifest.contains("<media bitrate=\"0\" url=\"s\""),
        "{manifest}"
    );

    let mut file = file_header(true, true).to_vec();
    for pair in runs.windows(2) {
        assert_eq!((pair[0].0 + 1, pair[0].1 + u64::from(pair[0].2)), (pair[1].0, pair[1].1), "{runs:?}");
    }
    for (number, start_ms, _) in &runs {
        let fragment = get(&server, &format!("/live/sSeg1-Frag{number}")).unwrap();
        let frames = flv::media(flv::frames(&[&file_header(true, true)[..], tags(&fragment)].concat()));
        assert_eq!(frames[0].dts.millis() as u64, *start_ms, "fragment {number}");
        file.extend_from_slice(tags(&fragment));
    }
    let (sent, got) = (flv::media(flv::clip_frames(clip)), flv::media(flv::frames(&file)));
    for track in [headwater_media::Track::Video, headwater_media::Track::Audio] {
        let of = |frames: &[headwater_media::Frame]| -> Vec<_> {
            let frames = frames.iter().filter(|frame| frame.track == track);
            frames.map(|frame| (frame.dts, frame.pts, frame.kind, frame.payload.clone())).collect()
        };
        let (sent, got) = (of(&sent), of(&got));
        // Sound before the first picture may be missing.
        let missing = sent.len() - got.len();
        assert!(missing <= 12, "{track:?}: {missing} of {} are missing", sent.len());
        assert_eq!(got, sent[missing..], "{track:?}");
    }
    // ffmpeg decodes it as FLV.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.flv");
    std::fs::write(&path, &file).unwrap();
    let media = read_file(clip.tool(), &path);
    assert!(media.len() >= got.len() * 9 / 10, "{} of {}", media.len(), got.len());
}

#[test]
fn fragments_are_what_was_published() {
    for clip in [Clip::H264BframesAac, Clip::AacOnly, Clip::H264Only] {
        is_the_clip(clip);
    }
}

#[test]
fn the_window_slides_and_numbers_go_on_when_a_publisher_returns() {
    let server = server("hds_fragment 1; hds_window 2;", "");
    let clip = Clip::H264Aac;
    let publish = || Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    let first = publish();
    wait_for_fragments(&server, 2);
    first.stop();
    let before = wait_for_fragments(&server, 2).last().unwrap().0;
    let _second = publish();
    let runs = wait::until("a window that has moved", LIMIT, || {
        let runs = runs(&get(&server, "/live/s.abst")?);
        (runs[0].0 > before + 3).then_some(runs)
    });
    assert!(runs.len() <= 3, "{runs:?}");
    assert!(get(&server, "/live/sSeg1-Frag1").is_none(), "it is gone");
}

#[test]
fn files_are_on_disk_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&format!("hds_fragment 1; hds_path {};", folder.path().display()), "");
    let clip = Clip::H264Aac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    let live = folder.path().join("live");
    wait::until("files", LIMIT, || {
        ["s.f4m", "s.abst", "sSeg1-Frag2"].iter().all(|name| live.join(name).exists()).then_some(())
    });
    assert!(!runs(&std::fs::read(live.join("s.abst")).unwrap()).is_empty());
    tags(&std::fs::read(live.join("sSeg1-Frag1")).unwrap());
}

#[test]
fn whoever_may_not_play_gets_no_manifest() {
    let server = server("", "security { enabled on; allow publish all; deny play all; }");
    let clip = Clip::H264Aac;
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let answer = Request::get(server.http_address(), "/live/s.f4m").send().unwrap();
    assert_eq!(answer.status, 403);
}
