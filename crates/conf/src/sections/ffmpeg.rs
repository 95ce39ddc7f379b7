//! Child processes: FFmpeg and programs run on publish.

use std::path::PathBuf;

use crate::directive::Directive;
use crate::scope::{Scope, Section};
use crate::section::{Place, section};

section! {
    /// Run programs on publish.
    pub struct Exec {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "A", S;
        /// Command; `>` redirects; restarted every 3 s while published.
        publish: Vec<Vec<String>> = Lines("program and arguments"), "", "A", S;
    }
}

section! {
    /// FFmpeg ingest. Ids must be unique within a vhost (empty id counts).
    pub struct Ingest named id {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "A", S;
        /// FFmpeg binary.
        ffmpeg: PathBuf = Path, "", "A", S;
    }
    blocks {
        /// Where the media comes from.
        input: IngestInput = S.open();
        /// FFmpeg runs, one output each.
        engines as "engine": Vec<Engine> = S.repeated().open();
    }
}

section! {
    /// Where the media comes from.
    pub struct IngestInput {
        /// A file or a stream; both are read at their own speed.
        kind as "type": String = Choice(&["file", "stream"]), "file", "A", S;
        /// File name or URL of the input.
        url: String = Text("str"), "", "A", S;
    }
}

section! {
    /// One FFmpeg output.
    pub struct Engine named name {
        /// Enable this engine (ingest: off, or a missing codec, means stream copy).
        enabled: bool = OnlyOn, "off", "A", S;
        /// -f before -i; `off` omits; dropped when the input is not rtmp://.
        iformat: String = Text("str"), "flv", "A", S;
        /// -vcodec; `copy`, `vn`, `png`, or encoder name.
        vcodec: String = Text("str"), "", "A", S;
        /// -b:v; 0 = omit.
        vbitrate: u32 = Int("kbit/s"), "0", "A", S;
        /// -r; 0 = omit.
        vfps: f64 = Float(""), "0", "A", S;
        /// -s/-aspect (made even); 0 = omit.
        vwidth: u32 = Int("px"), "0", "A", S;
        /// Picture height; as vwidth.
        vheight: u32 = Int("px"), "0", "A", S;
        /// -threads.
        vthreads: u32 = Int(""), "1", "A", S;
        /// -profile:v; required unless copy/vn/png.
        vprofile: String = Text("str"), "", "A", S;
        /// -preset; required unless copy/vn/png.
        vpreset: String = Text("str"), "", "A", S;
        /// -acodec; `copy`, `an`, or encoder name.
        acodec: String = Text("str"), "", "A", S;
        /// -b:a; 0 = omit.
        abitrate: u32 = Int("kbit/s"), "0", "A", S;
        /// -ar; 0 = omit.
        asample_rate: u32 = Int("Hz"), "0", "A", S;
        /// -ac; 0 = omit.
        achannels: u32 = Int("0|1|2"), "0", "A", S;
        /// -f before output; `off` omits; ingest in copy mode always uses flv.
        oformat: String = Text("str"), "flv", "A", S;
        /// Where FFmpeg sends to; variables as `[vhost]`, `[app]`, `[stream]`, `[engine]` are replaced.
        output: String = Text("url"), "", "A", S;
    }
    blocks {
        /// Options before -i.
        perfile: FfmpegOptions = S.open();
        /// Options after the input.
        vfilter: FfmpegOptions = S.open();
        /// Extra video options.
        vparams: FfmpegOptions = S.open();
        /// Extra audio options; with acodec copy only `bsf:a aac_adtstoasc` is kept.
        aparams: FfmpegOptions = S.open();
    }
}

section! {
    /// Transcoding by FFmpeg, for the whole vhost, or for `app` or `app/stream` if the block names it.
    pub struct Transcode named scope {
        /// Turn it on.
        enabled: bool = OnlyOn, "off", "A", S;
        /// FFmpeg binary.
        ffmpeg: PathBuf = Path, "", "A", S;
    }
    blocks {
        /// FFmpeg runs, one output each.
        engines as "engine": Vec<Engine> = S.repeated();
    }
}

/// Options of an FFmpeg command line, ready to be passed: `-name value` for each `name value;`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FfmpegOptions(pub Vec<String>);

impl Section for FfmpegOptions {
    fn describe(_: &Place, _: &mut Vec<Directive>) {}

    fn read(scope: &Scope<'_>) -> FfmpegOptions {
        let mut words = Vec::new();
        for option in scope.children() {
            let name = &option.name.text;
            let dash = if name.starts_with('-') { "" } else { "-" };
            words.push(format!("{dash}{name}"));
            words.extend(option.args.first().map(|arg| arg.text.clone()));
        }
        FfmpegOptions(words)
    }
}
