//! aiortc, a WebRTC peer in Python that shares no code with browsers. What it does and tells is `python/rtc.py`.

use crate::program::Program;
use crate::{media, wait};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Beginning, connecting and ending.
const SLACK: Duration = Duration::from_secs(40);

/// A peer that publishes moving pictures and a tone, or plays.
#[derive(Debug)]
pub struct Aiortc {
    program: Program,
    limit: Duration,
}

impl Aiortc {
    /// Plays the stream behind a WHEP address for so many seconds. `codec`, as `video/VP8`, is the only one offered.
    pub fn play(url: &str, seconds: u64, codec: Option<&str>) -> Aiortc {
        Aiortc::start(&json!({"mode": "play", "url": url, "seconds": seconds, "codec": codec}))
    }

    /// Publishes to a WHIP address.
    pub fn publish(url: &str, seconds: u64, codec: Option<&str>) -> Aiortc {
        Aiortc::start(&json!({"mode": "publish", "url": url, "seconds": seconds, "codec": codec}))
    }

    /// Plays as [`Aiortc::play`], under a certificate of RSA.
    pub fn play_by_rsa(url: &str, seconds: u64) -> Aiortc {
        Aiortc::start(&json!({"mode": "play", "url": url, "seconds": seconds, "rsa": true}))
    }

    /// Publishes as [`Aiortc::publish`], under a certificate of RSA.
    pub fn publish_by_rsa(url: &str, seconds: u64) -> Aiortc {
        Aiortc::start(&json!({"mode": "publish", "url": url, "seconds": seconds, "rsa": true}))
    }

    /// Plays as [`Aiortc::play`], with sound of one codec, as `audio/PCMU`, and pictures of any.
    pub fn play_sound(url: &str, seconds: u64, sound: &str) -> Aiortc {
        Aiortc::start(&json!({"mode": "play", "url": url, "seconds": seconds, "sound": sound}))
    }

    /// Publishes as [`Aiortc::publish`], with sound of one codec.
    pub fn publish_sound(url: &str, seconds: u64, sound: &str) -> Aiortc {
        Aiortc::start(&json!({"mode": "publish", "url": url, "seconds": seconds, "sound": sound}))
    }

    fn start(wish: &Value) -> Aiortc {
        let packages = media::target().join("tools/aiortc");
        assert!(packages.exists(), "aiortc is not in {}; run `cargo xtask setup`", packages.display());
        let seconds = wish["seconds"].as_u64().unwrap_or_default();
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", packages);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/rtc.py")).arg(wish.to_string());
        Aiortc { program: Program::spawn(command), limit: Duration::from_secs(seconds) + SLACK }
    }

    /// Waits for its end; what it saw, in its own words.
    pub fn finish(mut self) -> Value {
        wait::until("aiortc to end", self.limit, || (!self.program.is_running()).then_some(()));
        let out = self.program.out();
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("no report: {out}{}", self.program.err()))
    }
}
