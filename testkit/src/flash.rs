//! A stream in which a flash and a beep begin together each second, and how far apart they are elsewhere.

use crate::{Publisher, Tool};
use std::process::Command;

/// Black, and for a fifth of each second white. Key frames come once a second: they are the flashes' first pictures.
const PICTURES: &str =
    "color=black:size=320x180:rate=25,drawbox=w=iw:h=ih:c=white:t=fill:enable='lt(mod(t,1),0.199)'";

/// Silence, and a tone while it is white.
const SOUND: &str = "aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.2)':s=44100";

/// Publishes over RTMP, H.264 and AAC, until stopped. The encoders hold nothing back.
pub fn publish(url: &str) -> Publisher {
    let mut command = source();
    command.args(["-c:a", "aac", "-b:a", "64k", "-ar", "44100", "-ac", "2", "-f", "flv", url]);
    Publisher::spawn(command)
}

/// Publishes by WHIP, H.264 and Opus, until stopped.
pub fn publish_whip(url: &str) -> Publisher {
    let mut command = source();
    command.args(["-c:a", "libopus", "-b:a", "64k", "-ar", "48000", "-ac", "2", "-f", "whip", url]);
    Publisher::spawn(command)
}

fn source() -> Command {
    let mut command = Tool::Newest.command();
    command.args(["-re", "-f", "lavfi", "-i", PICTURES, "-re", "-f", "lavfi", "-i", SOUND]);
    command.args([
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-profile:v",
        "baseline",
    ]);
    command.args(["-g", "25", "-sc_threshold", "0", "-b:v", "300k", "-pix_fmt", "yuv420p"]);
    command
}

/// How much later than each flash its beep begins, in seconds, as ffmpeg decodes so many seconds of `url`; and what it
/// said.
pub fn offsets(url: &str, seconds: u32) -> (Vec<f64>, String) {
    let mut command = Command::new(Tool::Newest.path());
    command.args(["-hide_banner", "-nostdin", "-copyts", "-i", url, "-t", &seconds.to_string()]);
    command.args(["-vf", "blackdetect=d=0.1:pix_th=0.3", "-af", "silencedetect=n=-30dB:d=0.1"]);
    let output = command.args(["-f", "null", "-"]).output();
    let output = output.unwrap_or_else(|err| panic!("ffmpeg does not start: {err}; run `cargo xtask setup`"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut flashes = times(&said, "black_end:");
    flashes.pop(); // black ends with the stream as well, and sound seldom ends with the last picture
    let beeps = times(&said, "silence_end: ");
    (apart(&flashes, &beeps), said)
}

/// How much later than each flash the nearest beep begins; flashes without a beep within half a second are left out.
pub fn apart(flashes: &[f64], beeps: &[f64]) -> Vec<f64> {
    let nearest = |flash: &f64| {
        let off = beeps.iter().map(|beep| beep - flash);
        off.min_by(|a, b| a.abs().total_cmp(&b.abs())).filter(|off| off.abs() < 0.5)
    };
    flashes.iter().filter_map(nearest).collect()
}

fn times(said: &str, name: &str) -> Vec<f64> {
    let after = said.split(name).skip(1);
    after.filter_map(|text| text.split([' ', '\n', '\r']).next()?.parse().ok()).collect()
}
