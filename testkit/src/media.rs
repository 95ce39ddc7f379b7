//! Test media: made once by ffmpeg, kept under `target/testmedia`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::{env, fs};

/// Held while a clip is made, so that the tests of one process make it once.
static MAKING: Mutex<()> = Mutex::new(());

/// Which ffmpeg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The distribution's, which knows classic RTMP only.
    Distribution,
    /// The newest, which speaks Enhanced RTMP. `cargo xtask setup` installs it and names it in `HEADWATER_FFMPEG9`.
    Newest,
}

impl Tool {
    /// The program.
    pub fn path(self) -> PathBuf {
        match self {
            Tool::Distribution => PathBuf::from("ffmpeg"),
            Tool::Newest => newest(),
        }
    }

    /// A command line that says nothing but errors and never asks.
    pub fn command(self) -> Command {
        let mut command = Command::new(self.path());
        command.args(["-hide_banner", "-nostdin", "-y", "-loglevel", "error"]).stdin(Stdio::null());
        command
    }
}

fn newest() -> PathBuf {
    if let Some(path) = env::var_os("HEADWATER_FFMPEG9") {
        return path.into();
    }
    let folder = target().join("tools/imageio-ffmpeg/imageio_ffmpeg/binaries");
    let found =
        fs::read_dir(&folder).ok().into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut ffmpegs = found
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ffmpeg-")));
    let first = ffmpegs.next();
    first.unwrap_or_else(|| {
        panic!("the newest ffmpeg is not in {}; run `cargo xtask setup`", folder.display())
    })
}

/// A few seconds of small moving pictures and tones, in FLV, ready to be published as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clip {
    /// H.264 without B-frames, AAC.
    H264Aac,
    /// H.264 High with B-frames, AAC.
    H264BframesAac,
    /// HEVC with B-frames, AAC; Enhanced FLV.
    HevcAac,
    /// AV1, Opus; Enhanced FLV.
    Av1Opus,
    /// H.264, MP3.
    H264Mp3,
    /// AAC alone.
    AacOnly,
    /// H.264 alone.
    H264Only,
}

impl Clip {
    /// Every clip.
    pub const ALL: &[Clip] = &[
        Clip::H264Aac,
        Clip::H264BframesAac,
        Clip::HevcAac,
        Clip::Av1Opus,
        Clip::H264Mp3,
        Clip::AacOnly,
        Clip::H264Only,
    ];
    /// How long each is, in seconds.
    pub const SECONDS: u32 = 4;
    /// Pictures from one key frame to the next: one second.
    pub const GOP: u32 = 25;

    /// The ffmpeg that can write and read it.
    pub fn tool(self) -> Tool {
        match self {
            Clip::HevcAac | Clip::Av1Opus => Tool::Newest,
            _ => Tool::Distribution,
        }
    }

    /// The file, made now if it is not there yet.
    pub fn file(self) -> PathBuf {
        kept(&format!("{self:?}-2"), |file| self.make(file)) // count up when the recipe changes
    }

    fn make(self, file: &Path) {
        let mut command = self.tool().command();
        let seconds = Clip::SECONDS.to_string();
        if self != Clip::AacOnly {
            command.args(["-f", "lavfi", "-t", &seconds, "-i", "testsrc2=size=320x180:rate=25"]);
        }
        if self != Clip::H264Only {
            command.args(["-f", "lavfi", "-t", &seconds, "-i", "sine=frequency=440:sample_rate=48000"]);
        }
        command.args(self.video()).args(self.audio());
        made(command.args(["-fflags", "+bitexact", "-f", "flv"]).arg(file));
    }

    fn video(self) -> &'static [&'static str] {
        match self {
            Clip::H264Aac | Clip::H264Mp3 | Clip::H264Only => &[
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-profile:v",
                "main",
                "-bf",
                "0",
                "-g",
                "25",
                "-sc_threshold",
                "0",
                "-b:v",
                "200k",
                "-pix_fmt",
                "yuv420p",
            ],
            Clip::H264BframesAac => &[
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-profile:v",
                "high",
                "-bf",
                "3",
                "-g",
                "25",
                "-sc_threshold",
                "0",
                "-b:v",
                "200k",
                "-pix_fmt",
                "yuv420p",
            ],
            Clip::HevcAac => &[
                "-c:v",
                "libx265",
                "-preset",
                "ultrafast",
                "-x265-params",
                "keyint=25:min-keyint=25:scenecut=0:bframes=2:open-gop=0:log-level=error",
                "-b:v",
                "200k",
                "-pix_fmt",
                "yuv420p",
            ],
            Clip::Av1Opus => &[
                "-c:v",
                "libsvtav1",
                "-preset",
                "12",
                "-g",
                "25",
                "-b:v",
                "200k",
                "-pix_fmt",
                "yuv420p",
                "-svtav1-params",
                "scd=0",
                // Temporal delimiters do not belong into FLV (Enhanced RTMP v2), though ffmpeg leaves them there.
                "-bsf:v",
                "av1_metadata=td=remove",
            ],
            Clip::AacOnly => &["-vn"],
        }
    }

    fn audio(self) -> &'static [&'static str] {
        match self {
            Clip::Av1Opus => &["-c:a", "libopus", "-b:a", "48k", "-ar", "48000", "-ac", "2"],
            Clip::H264Mp3 => &["-c:a", "libmp3lame", "-b:a", "64k", "-ar", "44100", "-ac", "2"],
            Clip::H264Only => &["-an"],
            _ => &["-c:a", "aac", "-b:a", "64k", "-ar", "44100", "-ac", "2"],
        }
    }
}

/// An FLV file of 2 Mb/s: noisy pictures in H.264 without B-frames, a key frame a second, and AAC.
pub fn broad() -> PathBuf {
    kept("Broad-1", |file| {
        let mut command = Tool::Distribution.command();
        command.args(["-f", "lavfi", "-t", "4", "-i", BROAD_PICTURES]);
        command.args(["-f", "lavfi", "-t", "4", "-i", "sine=frequency=440:sample_rate=48000"]);
        command.args(["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main", "-bf", "0"]);
        command.args(["-g", "25", "-sc_threshold", "0", "-pix_fmt", "yuv420p"]);
        command.args(["-b:v", "2M", "-maxrate", "2M", "-bufsize", "500k"]);
        command.args(["-c:a", "aac", "-b:a", "64k", "-ar", "44100", "-ac", "2"]);
        made(command.args(["-fflags", "+bitexact", "-f", "flv"]).arg(file));
    })
}

const BROAD_PICTURES: &str = "testsrc2=size=640x360:rate=25,noise=alls=20:allf=t";

/// The FLV file of that name under `target/testmedia`, made now if it is not there yet.
pub(crate) fn kept(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let folder = target().join("testmedia");
    let file = folder.join(format!("{name}.flv"));
    let _one_at_a_time = MAKING.lock();
    if !file.exists() {
        fs::create_dir_all(&folder).unwrap_or_else(|err| panic!("cannot make {}: {err}", folder.display()));
        // Another process may make the same file at the same time: each writes its own, the last rename wins.
        let unfinished = file.with_extension(format!("{}.tmp", std::process::id()));
        make(&unfinished);
        fs::rename(&unfinished, &file).unwrap_or_else(|err| panic!("cannot write {}: {err}", file.display()));
    }
    file
}

/// Runs a command that makes media.
pub(crate) fn made(command: &mut Command) {
    let status = command.status();
    let made = status.is_ok_and(|status| status.success());
    assert!(made, "no media made by {command:?}; run `cargo xtask setup`");
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root.join(folder),
        None => root.join("target"),
    }
}
