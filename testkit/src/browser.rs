//! Chromium with the players that pages use: mpegts.js, hls.js and dash.js; Chromium and Firefox as WebRTC peers. What
//! they play and measure is `web/`.

use crate::program::Program;
use crate::wait;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Beginning, ending and everything between that is not playing.
const SLACK: Duration = Duration::from_secs(60);

/// A stream that a page plays.
#[derive(Clone, Debug)]
pub struct Play {
    /// Which of the plays it is.
    pub name: &'static str,
    /// `mpegts`, `hls` or `dash`.
    pub player: &'static str,
    /// What is played.
    pub url: String,
    /// How long it is watched once it plays.
    pub seconds: u64,
    /// After how many of them delays begin to count: a player may begin far behind and catch up.
    pub settle: u64,
    /// Settings of the player's own.
    pub options: Value,
}

/// What a viewer had of a [`Play`].
#[derive(Clone, Debug)]
pub struct Played {
    /// Which of the plays it was.
    pub name: String,
    /// Whether a picture ever moved.
    pub playing: bool,
    /// What the player or the page gave up for.
    pub errors: Vec<String>,
    /// What the player went on after.
    pub warnings: Vec<String>,
    /// Freezes of half a second or more, in milliseconds.
    pub stalls: Vec<u64>,
    /// Pictures decoded.
    pub frames: u64,
    /// Pictures decoded too late to be shown.
    pub dropped: u64,
    /// How late a picture is seen after it was made, told by the clock in it ([`crate::clock`]).
    pub glass: Delay,
    /// The same as the playlist's dates tell it; zero where there are none.
    pub dated: Delay,
}

/// Milliseconds behind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delay {
    /// Of all pictures.
    pub average: u64,
    /// Of the latest picture of all.
    pub most: u64,
    /// Of the picture seen last.
    pub last: u64,
}

/// A browser that plays.
#[derive(Debug)]
pub struct Browser {
    program: Program,
    limit: Duration,
    plays: usize,
}

impl Browser {
    /// Starts all plays at once.
    pub fn play(plays: &[Play]) -> Browser {
        install();
        let plan = plays.iter().map(|play| {
            let Play { name, player, url, seconds, settle, options } = play;
            json!({
                "name": name, "player": player, "url": url,
                "seconds": seconds, "settle": settle, "options": options,
            })
        });
        let mut command = Command::new("node");
        command.arg(folder().join("play.mjs")).arg(Value::from_iter(plan).to_string());
        let longest = plays.iter().map(|play| play.seconds).max().unwrap_or_default();
        let limit = Duration::from_secs(longest) + SLACK;
        Browser { program: Program::spawn(command), limit, plays: plays.len() }
    }

    /// Waits until every play shows moving pictures.
    pub fn wait_until_playing(&mut self) {
        self.wait_for("playing", self.plays);
    }

    /// Waits for the end of all plays.
    pub fn finish(mut self) -> Vec<Played> {
        self.wait_for("played", self.plays).iter().map(played).collect()
    }

    /// So many lines that tell `event`. Panics when the browser ends before, or takes too long.
    fn wait_for(&mut self, event: &str, count: usize) -> Vec<Value> {
        let end = Instant::now() + self.limit;
        wait::until(&format!("{count} players to have {event}"), self.limit + SLACK, || {
            let running = self.program.is_running();
            let lines = self.lines(event);
            let given_up = !running || Instant::now() > end;
            let more = || {
                format!(
                    "{} of {count} have {event}\n{}{}",
                    lines.len(),
                    self.program.out(),
                    self.program.err()
                )
            };
            assert!(lines.len() >= count || !given_up, "{}", more());
            (lines.len() >= count).then_some(lines)
        })
    }

    fn lines(&self, event: &str) -> Vec<Value> {
        let out = self.program.out();
        let lines = out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["event"] == event).collect()
    }
}

fn played(line: &Value) -> Played {
    let texts = |field: &str| -> Vec<String> {
        let list = line[field].as_array().into_iter().flatten();
        list.map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    };
    let number = |value: &Value| value.as_f64().map_or(0, |number| number.max(0.0) as u64);
    let delay = |field: &str| {
        let delay = &line[field];
        Delay {
            average: number(&delay["average"]),
            most: number(&delay["most"]),
            last: number(&delay["last"]),
        }
    };
    Played {
        name: line["name"].as_str().unwrap_or_default().to_owned(),
        playing: line["playing"].is_number(),
        errors: [texts("errors"), texts("faults")].concat(),
        warnings: texts("warnings"),
        stalls: line["stalls"].as_array().into_iter().flatten().map(number).collect(),
        frames: number(&line["frames"]),
        dropped: number(&line["dropped"]),
        glass: delay("glass"),
        dated: delay("dated"),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("web")
}

/// The players' packages, by the lock file, unless they are there.
fn install() {
    let modified = |name: &str| folder().join(name).metadata().and_then(|file| file.modified()).ok();
    if modified("node_modules/.package-lock.json") >= modified("package-lock.json") {
        return;
    }
    let installed = Command::new("npm").args(["ci", "--silent"]).current_dir(folder()).status();
    assert!(installed.is_ok_and(|status| status.success()), "`npm ci` fails in {}", folder().display());
}

/// A browser with a made-up camera and microphone. Firefox has no way to 127.0.0.1: a server must name an address of
/// the machine to it.
#[derive(Clone, Copy, Debug)]
pub enum Maker {
    /// Chromium.
    Chromium,
    /// Firefox; without H.264.
    Firefox,
}

impl Maker {
    /// Plays the stream behind a WHEP address for so many seconds from its first picture on. `codec`, as
    /// `video/H264`, is put before the others.
    pub fn play(self, url: &str, seconds: u64, codec: Option<&str>) -> Rtc {
        self.start(json!({"mode": "play", "url": url, "seconds": seconds, "codec": codec}))
    }

    /// Publishes to a WHIP address.
    pub fn publish(self, url: &str, seconds: u64, codec: Option<&str>) -> Rtc {
        self.start(json!({"mode": "publish", "url": url, "seconds": seconds, "codec": codec}))
    }

    /// Publishes 960 by 540 pixels to a WHIP address, and smaller layers (simulcast): each with its name, how many
    /// times smaller it is, and its bits a second.
    pub fn simulcast(self, url: &str, seconds: u64, layers: &[(&str, u32, u32)]) -> Rtc {
        let encodings = layers.iter().map(
            |(rid, smaller, rate)| json!({"rid": rid, "scaleResolutionDownBy": smaller, "maxBitrate": rate}),
        );
        let encodings = Value::from_iter(encodings);
        self.start(json!({"mode": "publish", "url": url, "seconds": seconds, "encodings": encodings}))
    }

    fn start(self, mut wish: Value) -> Rtc {
        install();
        wish["browser"] = match self {
            Maker::Chromium => "chromium".into(),
            Maker::Firefox => "firefox".into(),
        };
        let seconds = wish["seconds"].as_u64().unwrap_or_default();
        let mut command = Command::new("node");
        command.arg(folder().join("rtc.mjs")).arg(wish.to_string());
        Rtc { program: Program::spawn(command), limit: Duration::from_secs(seconds) + SLACK }
    }
}

/// A page that publishes or plays by WHIP and WHEP, of Chromium unless a [`Maker`] is named. What it does and tells is
/// `web/rtc.mjs`.
#[derive(Debug)]
pub struct Rtc {
    program: Program,
    limit: Duration,
}

impl Rtc {
    /// As [`Maker::play`].
    pub fn play(url: &str, seconds: u64, codec: Option<&str>) -> Rtc {
        Maker::Chromium.play(url, seconds, codec)
    }

    /// As [`Maker::publish`].
    pub fn publish(url: &str, seconds: u64, codec: Option<&str>) -> Rtc {
        Maker::Chromium.publish(url, seconds, codec)
    }

    /// As [`Maker::simulcast`].
    pub fn simulcast(url: &str, seconds: u64, layers: &[(&str, u32, u32)]) -> Rtc {
        Maker::Chromium.simulcast(url, seconds, layers)
    }

    /// Plays as [`Rtc::play`], and restarts ICE at the first picture.
    pub fn play_restarting(url: &str, seconds: u64) -> Rtc {
        Maker::Chromium.start(json!({"mode": "play", "url": url, "seconds": seconds, "restart": true}))
    }

    /// Waits until one of its samples, which come twice a second, passes `check`.
    pub fn wait_for<T>(&mut self, what: &str, limit: Duration, check: impl Fn(&Value) -> Option<T>) -> T {
        wait::until(what, limit, || {
            let out = self.program.out();
            let lines = out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let found = lines.filter_map(|line| check(line.get("sample")?)).next();
            let ended = found.is_none() && !self.program.is_running();
            assert!(!ended, "no {what}: {}{}", out.lines().last().unwrap_or_default(), self.program.err());
            found
        })
    }

    /// Waits until its newest sample passes `check`.
    pub fn wait_for_newest<T>(
        &mut self,
        what: &str,
        limit: Duration,
        check: impl Fn(&Value) -> Option<T>,
    ) -> T {
        wait::until(what, limit, || check(&self.sample()))
    }

    /// The newest sample.
    pub fn sample(&self) -> Value {
        let out = self.program.out();
        let lines = out.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter_map(|line| line.get("sample").cloned()).next().unwrap_or_default()
    }

    /// Waits for its end; what the page saw, in its own words.
    pub fn finish(mut self) -> Value {
        wait::until("a browser to end", self.limit, || (!self.program.is_running()).then_some(()));
        let out = self.program.out();
        let lines = out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let report = lines.rev().find(|line| line.get("sample").is_none());
        report.unwrap_or_else(|| panic!("no report: {out}{}", self.program.err()))
    }
}
