//! Recording: what is in the files, when they are cut, what a kill and a bad disk do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_testkit::packets::{Allow, Media, Packet, compare};
use headwater_testkit::{Clip, Options, Publisher, Server, Tool, read_file, wait};
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// Pictures and sound of the clips: 25 and 44,100 / 1024.
const FRAMES_PER_SECOND: u64 = 25 + 44;

/// MP4 has clocks of its own; files begin at zero.
const RECORDED: Allow = Allow { offset: true, rounding: 1000, ..Allow::NOTHING };

fn recording(directives: &str) -> Server {
    let vhost = format!("dvr {{ enabled on; {directives} }}");
    Server::start(&Options { vhost, ..Options::default() })
}

/// The finished files with this suffix below the server's `rec`, oldest first.
fn files(server: &Server, suffix: &str) -> Vec<PathBuf> {
    files_in(&server.folder().join("rec/live"), suffix)
}

fn files_in(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(suffix));
    files.sort();
    files
}

fn publish(server: &Server, clip: Clip) {
    let publisher = Publisher::once(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    let (status, errors) = publisher.finish(LIMIT);
    assert!(status.success(), "{errors}");
}

fn session_is_what_was_sent(clip: Clip, suffix: &str) {
    let server = recording(&format!("dvr_path ./rec/[app]/[stream].[timestamp]{suffix};"));
    publish(&server, clip);
    let file = wait::until("a finished file", LIMIT, || files(&server, suffix).pop());
    let (sent, got) = (read_file(clip.tool(), &clip.file()), read_file(clip.tool(), &file));
    compare(&sent, &got, RECORDED).unwrap_or_else(|what| panic!("{clip:?} in {suffix}: {what}"));
    assert_eq!(files(&server, ".tmp"), Vec::<PathBuf>::new());
    let told = duration(clip.tool(), &file);
    assert!((told - f64::from(Clip::SECONDS)).abs() < 0.3, "{clip:?} in {suffix}: lasts {told} s");
}

/// The duration in seconds that a file's header tells.
fn duration(tool: Tool, file: &Path) -> f64 {
    let out = tool.command().args(["-loglevel", "info", "-i"]).arg(file).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    let clock = text.split("Duration: ").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
    clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
}

#[test]
fn flv_of_h264_with_b_frames() {
    session_is_what_was_sent(Clip::H264BframesAac, ".flv");
}

#[test]
fn flv_of_hevc() {
    session_is_what_was_sent(Clip::HevcAac, ".flv");
}

#[test]
fn flv_of_sound_alone() {
    session_is_what_was_sent(Clip::AacOnly, ".flv");
}

#[test]
fn mp4_of_h264_with_b_frames() {
    session_is_what_was_sent(Clip::H264BframesAac, ".mp4");
}

#[test]
fn mp4_of_hevc() {
    session_is_what_was_sent(Clip::HevcAac, ".mp4");
}

#[test]
fn mp4_of_pictures_alone() {
    session_is_what_was_sent(Clip::H264Only, ".mp4");
}

#[test]
fn flv_of_av1_and_opus() {
    session_is_what_was_sent(Clip::Av1Opus, ".flv");
}

#[test]
fn mp4_of_av1_and_opus() {
    session_is_what_was_sent(Clip::Av1Opus, ".mp4");
}

#[test]
fn mp4_of_h264_and_mp3() {
    session_is_what_was_sent(Clip::H264Mp3, ".mp4");
}

#[test]
fn fragmented_mp4() {
    let clip = Clip::H264BframesAac;
    let server = recording("dvr_format fmp4; dvr_path ./rec/live;");
    publish(&server, clip);
    let file = wait::until("a finished file", LIMIT, || files(&server, ".mp4").pop());
    let (sent, got) = (read_file(clip.tool(), &clip.file()), read_file(clip.tool(), &file));
    assert_eq!(compare(&sent, &got, RECORDED), Ok(()));
    let bytes = std::fs::read(&file).unwrap();
    let count = |kind: &[u8]| bytes.windows(4).filter(|w| *w == kind).count();
    assert!(count(b"moof") >= 8 && count(b"mfra") == 1, "{} fragments", count(b"moof"));
}

/// The stream's timeline goes on with the next publish, that of a file does not.
fn every_publish_is_recorded_from_zero_on(format: &str) {
    let clip = Clip::H264BframesAac;
    let server = recording(&format!("dvr_format {format}; dvr_path ./rec/live;"));
    for count in [1, 2] {
        publish(&server, clip);
        wait::until("a finished file", LIMIT, || (files(&server, ".mp4").len() == count).then_some(()));
    }
    for file in files(&server, ".mp4") {
        let first = read_file(clip.tool(), &file).iter().map(|packet| packet.pts).min().unwrap();
        assert!(first.abs() <= 1000, "begins at {first} us");
    }
}

#[test]
fn every_publish_is_an_mp4_from_zero_on() {
    every_publish_is_recorded_from_zero_on("mp4");
}

#[test]
fn every_publish_is_a_fragmented_mp4_from_zero_on() {
    every_publish_is_recorded_from_zero_on("fmp4");
}

fn pictures(packets: &[Packet]) -> Vec<&Packet> {
    packets.iter().filter(|packet| packet.media == Media::Video).collect()
}

/// Files of two seconds, each from a key frame at zero on; together what was sent.
fn segments_are_cut(clip: Clip, suffix: &str) {
    let path = format!("./rec/[app]/[stream].[timestamp]{suffix}");
    let server = recording(&format!("dvr_plan segment; dvr_duration 2; dvr_path {path};"));
    publish(&server, clip);
    let count = (Clip::SECONDS / 2) as usize;
    wait::until("both files", LIMIT, || (files(&server, suffix).len() == count).then_some(()));
    let parts: Vec<_> = files(&server, suffix).iter().map(|file| read_file(clip.tool(), file)).collect();
    for part in &parts {
        let pictures = pictures(part);
        assert!(pictures[0].key && pictures[0].dts.abs() <= 100_000, "begins with {:?}", pictures[0]);
        assert_eq!(pictures.len(), 2 * Clip::GOP as usize);
    }
    let got = parts.concat();
    let sent = read_file(clip.tool(), &clip.file());
    for media in [Media::Video, Media::Audio] {
        let sums = |packets: &[Packet]| -> Vec<(usize, u32)> {
            packets.iter().filter(|p| p.media == media).map(|p| (p.size, p.sum)).collect()
        };
        assert!(sums(&sent) == sums(&got), "{media:?} of {clip:?} in {suffix} differs");
    }
}

#[test]
fn flv_segments() {
    segments_are_cut(Clip::H264Aac, ".flv");
}

#[test]
fn mp4_segments() {
    segments_are_cut(Clip::H264BframesAac, ".mp4");
}

#[test]
fn hevc_segments() {
    segments_are_cut(Clip::HevcAac, ".flv");
}

#[test]
fn hevc_segments_of_mp4() {
    segments_are_cut(Clip::HevcAac, ".mp4");
}

/// A kill in the middle loses at most the last second, and the next start finishes the file.
fn a_kill_leaves_a_file_that_plays_and_is_finished(suffix: &str) {
    let clip = Clip::H264Aac;
    let folder = tempfile::tempdir().unwrap();
    let directives = format!("dvr_path {}/[app]/[stream].[timestamp]{suffix};", folder.path().display());
    let server = recording(&directives);
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    let frames = wait::until("four seconds", LIMIT, || {
        server.stream("s")?["frames"].as_u64().filter(|&frames| frames >= 4 * FRAMES_PER_SECOND)
    });
    let pid = nix::unistd::Pid::from_raw(server.pid() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    let live = folder.path().join("live");
    let left = files_in(&live, ".tmp").pop().unwrap();
    let got = read_file(clip.tool(), &left);
    // Beside the last second, each track may lack the frame whose duration was not known yet.
    assert!(got.len() as u64 + FRAMES_PER_SECOND + 2 >= frames, "{} frames of {frames}", got.len());
    drop(server);
    let next = recording(&directives);
    let file = wait::until("the finished file", LIMIT, || files_in(&live, suffix).pop());
    assert_eq!(read_file(clip.tool(), &file).len(), got.len());
    assert_eq!(files_in(&live, ".tmp"), Vec::<PathBuf>::new());
    let told = duration(clip.tool(), &file);
    assert!((3.0..6.0).contains(&told), "lasts {told} s");
    let done = wait::until("the log's word", LIMIT, || {
        next.log().lines().find(|line| line.contains("unfinished recordings are done")).map(str::to_owned)
    });
    assert!(done.contains("finished=1") && done.contains("of=1"), "{done}");
}

#[test]
fn a_kill_leaves_an_flv_that_plays() {
    a_kill_leaves_a_file_that_plays_and_is_finished(".flv");
}

#[test]
fn a_kill_leaves_an_mp4_that_plays() {
    a_kill_leaves_a_file_that_plays_and_is_finished(".mp4");
}

#[test]
fn the_servers_end_finishes_files() {
    let clip = Clip::H264Aac;
    let folder = tempfile::tempdir().unwrap();
    let server = recording(&format!("dvr_path {}/[stream].mp4;", folder.path().display()));
    let _publisher = Publisher::looping(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    wait::until("two seconds", LIMIT, || {
        server.stream("s")?["frames"].as_u64().filter(|&n| n >= 2 * FRAMES_PER_SECOND)
    });
    assert_eq!(server.stop(), Some(0));
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["s.mp4"]);
    assert!(duration(clip.tool(), &folder.path().join("s.mp4")) >= 0.9);
}

#[test]
fn a_file_that_is_there_stays() {
    let server = recording("dvr_path ./rec/[app]/[stream].flv;");
    let mine = server.folder().join("rec/live/s.flv");
    std::fs::create_dir_all(mine.parent().unwrap()).unwrap();
    std::fs::write(&mine, b"mine").unwrap();
    publish(&server, Clip::H264Only);
    wait::until("another name", LIMIT, || files(&server, "s-1.flv").pop());
    assert_eq!(std::fs::read(&mine).unwrap(), b"mine");
    assert!(server.log().contains("3082"), "{}", server.log());
}

/// Somebody watches a stream whose recording cannot be written: nothing is missing, and one line tells it.
fn the_stream_goes_on(server: &Server) {
    let clip = Clip::H264BframesAac;
    let publisher = Publisher::once(clip.tool(), &clip.file(), &server.rtmp_url("s"));
    server.wait_until_published("s");
    let reader = headwater_testkit::Reader::open(clip.tool(), &server.http_url("/live/s.flv"));
    let (status, errors) = publisher.finish(LIMIT);
    assert!(status.success(), "{errors}");
    let sent = read_file(clip.tool(), &clip.file());
    assert_eq!(compare(&sent, &reader.finish(LIMIT).0, Allow::LATE_JOIN), Ok(()));
    let log = server.log();
    assert_eq!(log.matches("the recording stops").count(), 1, "{log}");
}

#[test]
fn a_folder_that_cannot_be_made_disturbs_nobody() {
    the_stream_goes_on(&recording("dvr_path ./headwater.pid/[stream].flv;")); // a file where a folder would be
}

/// A small disk of its own; making one takes root.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(options: &str) -> SmallDisk {
        let folder = tempfile::tempdir().unwrap();
        run("mount", &["-t", "tmpfs", "-o", options, "tmpfs", &folder.path().display().to_string()]);
        SmallDisk(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["-l", &self.path().display().to_string()]);
    }
}

fn run(program: &str, args: &[&str]) {
    let status = std::process::Command::new(program).args(args).status().unwrap();
    assert!(status.success(), "{program} {args:?}: {status}; these tests need root");
}

/// What fits is finished, and plays.
fn a_full_disk_disturbs_nobody(suffix: &str) {
    let disk = SmallDisk::mount("size=80k");
    let server = recording(&format!("dvr_path {}/[stream]{suffix};", disk.path().display()));
    the_stream_goes_on(&server);
    assert!(server.log().contains("No space left"), "{}", server.log());
    let file = wait::until("what fits", LIMIT, || files_in(disk.path(), suffix).pop());
    assert!(read_file(Clip::H264BframesAac.tool(), &file).len() > 10);
}

#[test]
fn a_full_disk_disturbs_nobody_in_flv() {
    a_full_disk_disturbs_nobody(".flv");
}

#[test]
fn a_full_disk_disturbs_nobody_in_mp4() {
    a_full_disk_disturbs_nobody(".mp4");
}

#[test]
fn a_read_only_disk_disturbs_nobody() {
    let disk = SmallDisk::mount("size=1m,ro");
    let server = recording(&format!("dvr_path {}/[stream].flv;", disk.path().display()));
    the_stream_goes_on(&server);
    assert!(server.log().contains("Read-only file system"), "{}", server.log());
}

#[test]
fn only_what_is_named_is_recorded() {
    let server = recording("dvr_apply live/other; dvr_path ./rec/[app]/[stream].flv;");
    publish(&server, Clip::H264Only);
    server.wait_until_unpublished("s");
    assert!(!server.folder().join("rec").exists());
}
