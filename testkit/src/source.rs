//! What is published: the clips, and what encoders do to time and names on the way.

use crate::flv::clip_frames;
use crate::media::{kept, made};
use crate::packets::Packet;
use crate::rtmp::RtmpPeer;
use crate::{Clip, Publisher, Tool, read_file};
use headwater_media::{CodecTag, Track};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No source takes longer to publish.
const LIMIT: Duration = Duration::from_secs(30);

/// Media with a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A clip as it is.
    Plain(Clip),
    /// A clip whose times begin at 24 hours: past what three bytes of milliseconds and many 32-bit clocks hold.
    DayOld(Clip),
    /// H.264 with B-frames and AAC; between 5 and 30 pictures a second, none of them on a whole millisecond.
    VariableRate,
    /// HEVC and AAC under FLV's classic codec id 12, as encoders sent it before Enhanced RTMP. ffmpeg neither writes
    /// nor reads that, so the publisher is this crate's own.
    LegacyHevc,
}

/// A publish that goes on by itself.
#[derive(Debug)]
pub enum Publishing {
    /// By ffmpeg.
    Encoder(Publisher),
    /// By this crate.
    Peer(JoinHandle<()>),
}

impl Source {
    /// Every source.
    pub const ALL: &[Source] = &[
        Source::Plain(Clip::H264Aac),
        Source::Plain(Clip::H264BframesAac),
        Source::Plain(Clip::HevcAac),
        Source::LegacyHevc,
        Source::Plain(Clip::Av1Opus),
        Source::Plain(Clip::H264Mp3),
        Source::Plain(Clip::AacOnly),
        Source::Plain(Clip::H264Only),
        Source::VariableRate,
        Source::DayOld(Clip::H264BframesAac),
        Source::DayOld(Clip::HevcAac),
    ];

    /// A name that a stream can have, unlike that of every other source.
    pub fn name(self) -> String {
        match self {
            Source::Plain(clip) => format!("{clip:?}"),
            Source::DayOld(clip) => format!("{clip:?}-24h"),
            Source::VariableRate => "VariableRate".to_owned(),
            Source::LegacyHevc => "HevcAac-classic".to_owned(),
        }
    }

    /// The ffmpeg that can read it.
    pub fn tool(self) -> Tool {
        match self {
            Source::Plain(clip) | Source::DayOld(clip) => clip.tool(),
            Source::VariableRate => Tool::Distribution,
            Source::LegacyHevc => Clip::HevcAac.tool(),
        }
    }

    /// Its coded media.
    pub fn packets(self) -> Vec<Packet> {
        read_file(self.tool(), &self.file())
    }

    /// Publishes it once, in real time.
    pub fn publish(self, server: SocketAddr, stream: &str) -> Publishing {
        let url = format!("rtmp://{server}/live/{stream}");
        match self {
            Source::LegacyHevc => {
                let peer = RtmpPeer::publish(server, stream);
                Publishing::Peer(std::thread::spawn(move || publish_classic(peer)))
            }
            _ => Publishing::Encoder(Publisher::once(self.tool(), &self.file(), &url)),
        }
    }

    fn file(self) -> PathBuf {
        match self {
            Source::Plain(clip) => clip.file(),
            Source::LegacyHevc => Clip::HevcAac.file(),
            Source::DayOld(clip) => {
                let original = clip.file();
                kept(&format!("{}-1", self.name()), |file| {
                    let mut command = clip.tool().command();
                    command.arg("-copyts").arg("-i").arg(original);
                    made(command.args(["-c", "copy", "-output_ts_offset", "86400", "-f", "flv"]).arg(file));
                })
            }
            Source::VariableRate => kept("VariableRate-1", |file| {
                let mut command = Tool::Distribution.command();
                command.args(["-f", "lavfi", "-t", "4", "-i", VARIABLE_PICTURES]);
                command.args(["-f", "lavfi", "-t", "4", "-i", "sine=frequency=440:sample_rate=48000"]);
                command.args(["-fps_mode", "vfr", "-c:v", "libx264", "-preset", "veryfast", "-bf", "3"]);
                command.args(["-force_key_frames", "expr:gte(t,n_forced)", "-sc_threshold", "0"]);
                command.args(["-b:v", "200k", "-pix_fmt", "yuv420p"]);
                command.args(["-c:a", "aac", "-b:a", "64k", "-ar", "44100", "-ac", "2"]);
                made(command.args(["-fflags", "+bitexact", "-f", "flv"]).arg(file));
            }),
        }
    }
}

/// Thirty pictures a second, of which every second third of a second keeps one in six.
const VARIABLE_PICTURES: &str =
    "testsrc2=size=320x180:rate=30,select=lt(mod(n\\,20)\\,10)+eq(mod(n\\,6)\\,0)";

fn publish_classic(mut peer: RtmpPeer) {
    let begun = Instant::now();
    for mut frame in clip_frames(Clip::HevcAac) {
        if frame.track == Track::Video {
            frame.tag = CodecTag::Legacy;
        }
        let due = frame.dts.duration();
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        peer.send(&[frame]);
    }
    peer.finish();
}

impl Publishing {
    /// Waits until all has been published. Panics when the server did not take it.
    pub fn finish(self) {
        match self {
            Publishing::Encoder(publisher) => {
                let (status, errors) = publisher.finish(LIMIT);
                assert!(status.success(), "the publisher failed: {errors}");
            }
            Publishing::Peer(peer) => peer.join().unwrap_or_else(|_| panic!("the publisher failed")),
        }
    }
}
