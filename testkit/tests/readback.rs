//! What encoders publish, read back through every output: one table of sources and outputs.
//!
//! Every source is published to two servers, which differ in what cannot be had of one stream at once: HLS in MPEG-TS or
//! in MP4, recordings in FLV or in MP4. Everything is read while it is live or right after; every reader must find the
//! same frames in the same order with the same times, and a decoder must not complain. What an output cannot carry
//! stands in [`EXCEPTIONS`], with the reason.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use headwater_media::Frame;
use headwater_testkit::http::Request;
use headwater_testkit::packets::{Allow, Media, Packet, compare, of_frames};
use headwater_testkit::rtmp::RtmpPeer;
use headwater_testkit::{Clip, Options, Reader, Server, Source, Tool, dash, flv, hls, wait, websocket};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);
/// A stream is over for a player that stays when nothing came for so long.
const QUIET: Duration = Duration::from_millis(1500);
/// Bytes of an ADTS header, which ffmpeg counts to the packet.
const ADTS: usize = 7;
/// Most packets of sound (20 ms or more each) that a player of sound may have missed: a GOP and a bit.
const SOUND_MISSED: usize = 60;
/// Microseconds: times in milliseconds are exact in ticks of 90 kHz, but sound shares packets, whose times are counted.
const TICK: i64 = 12;

/// A way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Rtmp,
    HttpFlv,
    WsFlv,
    HttpTs,
    HttpAac,
    HttpMp3,
    HlsTs,
    HlsMp4,
    LowLatencyHls,
    Dash,
    RecordedFlv,
    RecordedMp4,
}

use Output::*;

/// What must come out.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// The frames of the source.
    Same(Allow),
    /// The same frames, in FLV that only this project's own reader knows.
    SameByOwnReader(Allow),
    /// The sound of the source, each packet longer by a header; times are counted from zero.
    Sound { header: usize },
    /// A status of 400 or more, at once.
    Refused,
}

/// Ready when the stream begins: misses nothing but sound before the first picture.
const WAITED: Expect = Expect::Same(Allow::WAITED);
/// Comes within the first GOP.
const JOINED: Allow = Allow { offset: false, ..Allow::HLS };
const SEGMENTED: Allow = Allow { late_join: false, lead_in: 250_000, ..Allow::HLS };
/// The stream's own times, and the coded bytes as they are.
const CMAF: Allow = Allow { rewrapped: false, ..SEGMENTED };
const RECORDED: Expect = Expect::Same(Allow { offset: true, rounding: 1000, ..Allow::NOTHING });

/// What each output gives unless the exceptions say otherwise.
const OUTPUTS: &[(Output, Expect)] = &[
    (Rtmp, WAITED),
    (HttpFlv, WAITED),
    (WsFlv, WAITED),
    (HttpTs, Expect::Same(JOINED)),
    (HttpAac, Expect::Sound { header: ADTS }),
    (HttpMp3, Expect::Refused), // only MP3 is MP3
    (HlsTs, Expect::Same(SEGMENTED)),
    (HlsMp4, Expect::Same(CMAF)),
    (LowLatencyHls, Expect::Same(CMAF)),
    (Dash, Expect::Same(CMAF)),
    (RecordedFlv, RECORDED),
    (RecordedMp4, RECORDED),
];

const AV1: Source = Source::Plain(Clip::Av1Opus);
const MP3: Source = Source::Plain(Clip::H264Mp3);
const PICTURES: Source = Source::Plain(Clip::H264Only);

/// What an output does not carry, and why.
const EXCEPTIONS: &[(Source, Output, Expect, &str)] = &[
    (Source::LegacyHevc, Rtmp, Expect::SameByOwnReader(Allow::WAITED), "ffmpeg does not know codec id 12"),
    (Source::LegacyHevc, HttpFlv, Expect::SameByOwnReader(Allow::WAITED), "ffmpeg does not know codec id 12"),
    (Source::LegacyHevc, WsFlv, Expect::SameByOwnReader(Allow::WAITED), "ffmpeg does not know codec id 12"),
    (AV1, HttpTs, Expect::Refused, "MPEG-TS has no registered way to carry AV1"),
    (AV1, HlsTs, Expect::Refused, "MPEG-TS has no registered way to carry AV1"),
    (AV1, HttpAac, Expect::Refused, "its sound is Opus"),
    (MP3, HttpAac, Expect::Refused, "its sound is MP3"),
    (MP3, HttpMp3, Expect::Sound { header: 0 }, "the one with such sound"),
    (PICTURES, HttpAac, Expect::Refused, "it has no sound"),
];

/// An HTTP answer that is not media.
#[derive(Debug)]
struct Answer {
    status: u16,
    text: String,
}

/// A reader of one output of one source.
enum Reading {
    /// ffmpeg reads by itself.
    Ffmpeg(Reader),
    /// The bytes are collected, and read when they are whole.
    Bytes(JoinHandle<Result<Vec<u8>, Answer>>),
    /// This project's own reader.
    Frames(JoinHandle<Vec<Frame>>),
    /// Nothing to do while the stream is live.
    Later,
}

struct Live<'a> {
    server: &'a Server,
    source: Source,
    readings: Vec<(Output, Expect, Reading)>,
}

fn expected(source: Source, output: Output, usual: Expect) -> Expect {
    let exception = EXCEPTIONS.iter().find(|row| row.0 == source && row.1 == output);
    exception.map_or(usual, |row| row.2)
}

/// Publishes every source to a server with this vhost and reads these outputs.
fn read_back(hls: &str, vhost: &str, outputs: &[Output]) {
    let server = Server::start(&Options {
        hls: Some(format!("enabled on; hls_fragment 1; hls_window 30; {hls}")),
        vhost: vhost.to_owned(),
        ..Options::default()
    });
    let mut lives: Vec<Live> =
        Source::ALL.iter().map(|source| Live::wait(&server, *source, outputs)).collect();
    let waiting =
        lives.iter().flat_map(|live| &live.readings).filter(|(_, _, r)| !matches!(r, Reading::Later));
    server.wait_for_players(waiting.count());
    std::thread::scope(|scope| lives.iter_mut().for_each(|live| _ = scope.spawn(|| live.publish())));
    wait_until_quiet(&lives);
    server.kick_players();
    let cells = std::thread::scope(|scope| {
        let rows: Vec<_> = lives.into_iter().map(|live| scope.spawn(|| live.verdicts())).collect();
        rows.into_iter().flat_map(|row| row.join().unwrap()).collect::<Vec<_>>()
    });
    let mut wrong = String::new();
    for (source, output, what) in &cells {
        if let Err(what) = what {
            writeln!(wrong, "{} by {output:?}: {what}", source.name()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "of {} readings these are wrong:\n{wrong}", cells.len());
}

impl<'a> Live<'a> {
    /// Starts the readers that wait for a publisher.
    fn wait(server: &'a Server, source: Source, outputs: &[Output]) -> Live<'a> {
        let (rows, name) = (OUTPUTS.iter().filter(|row| outputs.contains(&row.0)), source.name());
        let reading = |(output, usual): &(Output, Expect)| {
            let expect = expected(source, *output, *usual);
            let path = format!("/live/{name}.flv");
            let reading = match output {
                Rtmp if matches!(expect, Expect::SameByOwnReader(_)) => {
                    Reading::Frames(collect_frames(server.rtmp_address(), name.clone()))
                }
                Rtmp => Reading::Ffmpeg(Reader::open(source.tool(), &server.rtmp_url(&name))),
                HttpFlv => Reading::Bytes(collect_http(server.http_address(), path)),
                WsFlv => Reading::Bytes(collect_websocket(server.http_address(), path)),
                _ => Reading::Later,
            };
            (*output, expect, reading)
        };
        Live { server, source, readings: rows.map(reading).collect() }
    }

    /// Publishes to the end.
    fn publish(&mut self) {
        let publishing = self.source.publish(self.server.rtmp_address(), &self.source.name());
        self.join();
        publishing.finish();
    }

    /// Starts the readers that need a live stream; within the first GOP, so that they miss no picture.
    fn join(&mut self) {
        if !self.readings.iter().any(|(output, _, _)| matches!(output, HttpTs | HttpAac | HttpMp3)) {
            return;
        }
        let name = self.source.name();
        self.server.wait_until_published(&name);
        for (output, _, reading) in &mut self.readings {
            let extension = match output {
                HttpTs => "ts",
                HttpAac => "aac",
                HttpMp3 => "mp3",
                _ => continue,
            };
            *reading =
                Reading::Bytes(collect_http(self.server.http_address(), format!("/live/{name}.{extension}")));
        }
    }

    /// Packets that came so far over what does not end with the stream.
    fn count(&self) -> usize {
        let count =
            |reading: &Reading| if let Reading::Ffmpeg(reader) = reading { reader.count() } else { 0 };
        self.readings.iter().map(|(_, _, reading)| count(reading)).sum()
    }

    /// What is wrong with each output, if anything.
    fn verdicts(self) -> Vec<(Source, Output, Result<(), String>)> {
        let Live { server, source, readings, .. } = self;
        let sent = source.packets();
        let verdict = |(output, expect, reading): (Output, Expect, Reading)| {
            let verdict = match reading {
                Reading::Ffmpeg(reader) => judge_live(&sent, reader, expect),
                Reading::Frames(frames) => judge(&sent, &of_frames(&frames.join().unwrap()), expect),
                Reading::Bytes(bytes) => {
                    let files = bytes.join().unwrap().map(|bytes| vec![bytes]);
                    judge_files(&sent, files, expect, &kept(server, source, output), source.tool())
                }
                Reading::Later => {
                    let files = left(server, &source.name(), output);
                    judge_files(&sent, files, expect, &kept(server, source, output), source.tool())
                }
            };
            (source, output, verdict)
        };
        readings.into_iter().map(verdict).collect()
    }
}

/// What there is of a stream that has ended: files that hold all tracks, or one each.
fn left(server: &Server, name: &str, output: Output) -> Result<Vec<Vec<u8>>, Answer> {
    match output {
        HlsTs | HlsMp4 => segments(server, &format!("/live/{name}.m3u8")),
        LowLatencyHls => segments(server, &format!("/live/{name}/ll.m3u8")),
        Dash => {
            let manifest = dash::manifest(server.http_address(), &format!("/live/{name}.mpd"));
            let fetched = manifest.map(|manifest| manifest.fetch(server.http_address()));
            fetched.map_err(|(status, text)| Answer { status, text })
        }
        _ => Ok(vec![recording(server, name)]),
    }
}

/// Where a test keeps what it read.
fn kept(server: &Server, source: Source, output: Output) -> PathBuf {
    server.folder().join(format!("{}-{output:?}", source.name()))
}

/// Players over RTMP stay; they have had everything when nothing comes any more.
fn wait_until_quiet(lives: &[Live]) {
    let mut last = (0, Instant::now());
    wait::until("the streams to fall quiet", LIMIT, || {
        let count = lives.iter().map(Live::count).sum::<usize>();
        if count != last.0 {
            last = (count, Instant::now());
        }
        (last.1.elapsed() >= QUIET).then_some(())
    });
}

fn judge_live(sent: &[Packet], reader: Reader, expect: Expect) -> Result<(), String> {
    let (got, errors) = reader.finish(LIMIT);
    judge(sent, &got, expect).map_err(|what| format!("{what} {errors}"))
}

fn judge_files(
    sent: &[Packet],
    files: Result<Vec<Vec<u8>>, Answer>,
    expect: Expect,
    path: &Path,
    tool: Tool,
) -> Result<(), String> {
    let files = match (files, expect) {
        (Err(_), Expect::Refused) => return Ok(()),
        (Err(Answer { status, text }), _) => return Err(format!("answered {status}: {text}")),
        (Ok(files), Expect::Refused) => {
            return Err(format!("{} bytes instead of a refusal", files.concat().len()));
        }
        (Ok(files), Expect::SameByOwnReader(_)) => {
            return judge(sent, &of_frames(&flv::frames(&files.concat())), expect);
        }
        (Ok(files), _) => files,
    };
    let mut read = (Vec::new(), String::new());
    for file in files {
        std::fs::write(path, file).unwrap();
        let (packets, complaints) = Reader::open(tool, &path.to_string_lossy()).finish(LIMIT);
        decodes(tool, path)?;
        read.0.extend(packets);
        read.1.push_str(&complaints);
    }
    judge(sent, &read.0, expect).map_err(|what| format!("{what} {}", read.1))
}

/// Whether `got` is what was expected of what was sent.
fn judge(sent: &[Packet], got: &[Packet], expect: Expect) -> Result<(), String> {
    let sound = of(sent, Media::Audio);
    match expect {
        Expect::Refused => Err(format!("{} packets instead of a refusal", got.len())),
        Expect::Sound { header } => same_sound(&sound, got, header),
        Expect::Same(allow) | Expect::SameByOwnReader(allow) => {
            compare(sent, got, allow)?;
            exact_pictures(sent, got, allow)?;
            enough(sent, got)
        }
    }
}

/// Pictures keep their times to the tick.
fn exact_pictures(sent: &[Packet], got: &[Packet], allow: Allow) -> Result<(), String> {
    compare(
        &of(sent, Media::Video),
        &of(got, Media::Video),
        Allow { rounding: allow.rounding.min(TICK), ..allow },
    )
}

/// Who joined came within the first GOP.
fn enough(sent: &[Packet], got: &[Packet]) -> Result<(), String> {
    let missed = sent.len().saturating_sub(got.len());
    let bound = sent.len() / 3;
    (missed <= bound).then_some(()).ok_or_else(|| format!("{missed} of {} packets are missing", sent.len()))
}

fn of(packets: &[Packet], media: Media) -> Vec<Packet> {
    packets.iter().filter(|packet| packet.media == media).cloned().collect()
}

/// Whether `got` is the end of `sent`: the same sizes but for `header`, at the same distances.
fn same_sound(sent: &[Packet], got: &[Packet], header: usize) -> Result<(), String> {
    let lacking = sent.len().checked_sub(got.len()).ok_or("more packets than were sent")?;
    if lacking > SOUND_MISSED || got.is_empty() {
        return Err(format!("{lacking} of {} packets are missing", sent.len()));
    }
    let sent = &sent[lacking..];
    match sent.iter().zip(got).find(|(sent, got)| sent.size + header != got.size) {
        Some((sent, got)) => Err(format!("{sent:?} became {got:?}")),
        None => compare(sent, got, Allow { late_join: false, ..Allow::HLS }),
    }
}

/// Whether a decoder finds nothing to complain about.
fn decodes(tool: Tool, file: &Path) -> Result<(), String> {
    let output = tool.command().arg("-i").arg(file).args(["-f", "null", "-"]).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    complaints.is_empty().then_some(()).ok_or_else(|| format!("decoding: {complaints}"))
}

fn collect_http(server: SocketAddr, path: String) -> JoinHandle<Result<Vec<u8>, Answer>> {
    std::thread::spawn(move || {
        let failed = |err: std::io::Error| Answer { status: 0, text: err.to_string() };
        let answer = Request::get(server, &path).send().map_err(failed)?;
        match answer.status {
            200 => answer.bytes().map_err(failed),
            status => Err(Answer { status, text: answer.text().unwrap_or_default() }),
        }
    })
}

fn collect_websocket(server: SocketAddr, path: String) -> JoinHandle<Result<Vec<u8>, Answer>> {
    std::thread::spawn(move || {
        let incoming = websocket::Incoming::open(server, &path).map_err(|text| Answer { status: 0, text })?;
        Ok(incoming.read_to_end())
    })
}

fn collect_frames(server: SocketAddr, name: String) -> JoinHandle<Vec<Frame>> {
    std::thread::spawn(move || {
        let mut peer = RtmpPeer::play(server, &name);
        std::iter::from_fn(|| peer.frame()).collect()
    })
}

/// All segments of HLS in one file.
fn segments(server: &Server, path: &str) -> Result<Vec<Vec<u8>>, Answer> {
    let playlist = hls::playlist(server.http_address(), path);
    playlist.map(|playlist| vec![playlist.fetch(server.http_address())]).ok_or_else(|| {
        let answer = Request::get(server.http_address(), path).send().unwrap();
        Answer { status: answer.status, text: answer.text().unwrap_or_default() }
    })
}

/// The finished recording.
fn recording(server: &Server, name: &str) -> Vec<u8> {
    let stem = format!("{name}.");
    let folder = server.folder().join("rec/live");
    let finished = || -> Option<PathBuf> {
        let files = std::fs::read_dir(&folder).ok()?.map(|entry| entry.unwrap().path());
        files.into_iter().find(|file| {
            let name = file.file_name().unwrap().to_string_lossy();
            name.starts_with(&stem) && !name.ends_with(".tmp")
        })
    };
    std::fs::read(wait::until("a finished recording", LIMIT, finished)).unwrap()
}

#[test]
fn live_and_in_mpeg_ts() {
    read_back(
        "",
        "dvr { enabled on; dvr_path ./rec/[app]/[stream].flv; }",
        &[Rtmp, HttpFlv, WsFlv, HttpTs, HttpAac, HttpMp3, HlsTs, RecordedFlv],
    );
}

#[test]
fn in_mp4() {
    read_back(
        "hls_use_fmp4 on;",
        "dvr { enabled on; dvr_path ./rec/[app]/[stream].mp4; }
         dash { enabled on; dash_fragment 1; dash_update_period 1; dash_window_size 30; }",
        &[HlsMp4, LowLatencyHls, Dash, RecordedMp4],
    );
}
