//! ffmpeg as publisher and as reader, each a child process that dies with its value.

use crate::media::Tool;
use crate::packets::{Packet, Parser};
use crate::wait;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// An ffmpeg that publishes a file as it is, in real time.
#[derive(Debug)]
pub struct Publisher {
    child: Child,
    errors: Option<JoinHandle<String>>,
}

impl Publisher {
    /// Publishes the file once.
    pub fn once(tool: Tool, file: &Path, url: &str) -> Publisher {
        Publisher::start(tool, &["-re", "-copyts"], file, url)
    }

    /// Publishes the file again and again until stopped. Timestamps go on increasing.
    pub fn looping(tool: Tool, file: &Path, url: &str) -> Publisher {
        Publisher::start(tool, &["-re", "-stream_loop", "-1"], file, url)
    }

    /// Publishes the file as fast as the server takes it.
    pub fn at_full_speed(tool: Tool, file: &Path, url: &str) -> Publisher {
        Publisher::start(tool, &["-copyts"], file, url)
    }

    fn start(tool: Tool, input: &[&str], file: &Path, url: &str) -> Publisher {
        let mut command = tool.command();
        command.args(input).arg("-i").arg(file).args(["-c", "copy", "-f", "flv", url]);
        Publisher::spawn(command)
    }

    /// Publishes by a command of the caller's.
    pub(crate) fn spawn(command: Command) -> Publisher {
        let (mut child, _) = spawn(command, Stdio::null());
        let errors = child.stderr.take().map(collect);
        Publisher { child, errors }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it ends by itself: its status and what it complained about.
    pub fn finish(mut self, limit: Duration) -> (ExitStatus, String) {
        let status = wait::until("the publisher to end", limit, || self.child.try_wait().ok().flatten());
        let errors = self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default();
        (status, errors)
    }

    /// Asks it to end as a person would (it says goodbye to the server), and waits until it did.
    pub fn stop(mut self) {
        interrupt(&self.child);
        wait::until("the publisher to stop", Duration::from_secs(5), || self.child.try_wait().ok().flatten());
    }

    /// Makes it fall silent, its connection still open, as a machine that hangs.
    pub fn freeze(&self) {
        signal(&self.child, libc::SIGSTOP);
    }

    /// Ends it at once, as a power cut would: its socket is closed without goodbye.
    pub fn kill(mut self) {
        end(&mut self.child);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// An ffmpeg that reads a stream and tells every packet.
#[derive(Debug)]
pub struct Reader {
    child: Child,
    seen: Arc<Mutex<Seen>>,
    errors: Option<JoinHandle<String>>,
    lines: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    packets: Vec<Packet>,
    codecs: Vec<String>,
}

impl Reader {
    /// Opens `url` and reads until it ends or the reader is dropped.
    pub fn open(tool: Tool, url: &str) -> Reader {
        Reader::open_with(tool, &[], url)
    }

    /// The same, with further input options.
    pub fn open_with(tool: Tool, options: &[&str], url: &str) -> Reader {
        let mut command = tool.command();
        // Live streams may be shorter than the 5 s for which ffmpeg likes to study a stream before it tells anything.
        command.args(["-analyzeduration", "1000000"]).args(options).args([
            "-copyts",
            "-i",
            url,
            "-map",
            "0",
            "-c",
            "copy",
            "-copyinkf",
        ]);
        command.args(["-max_interleave_delta", "1", "-flush_packets", "1", "-f", "framecrc", "-"]);
        let (mut child, _) = spawn(command, Stdio::piped());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let errors = child.stderr.take().map(collect);
        let lines = child.stdout.take().map(|out| {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || parse(BufReader::new(out), &seen))
        });
        Reader { child, seen, errors, lines }
    }

    /// Packets read so far.
    pub fn count(&self) -> usize {
        lock(&self.seen).packets.len()
    }

    /// Waits until at least `n` packets came.
    pub fn wait_for(&self, n: usize, limit: Duration) {
        wait::until(&format!("{n} packets"), limit, || (self.count() >= n).then_some(()));
    }

    /// Waits until no packet came for `quiet`, having seen at least one; for streams that do not end by themselves. Then
    /// [`crate::Server::kick_players`] ends them, so that ffmpeg tells the last packets too.
    pub fn wait_until_quiet(&self, quiet: Duration, limit: Duration) {
        let mut last = (self.count(), Instant::now());
        wait::until("the stream to fall quiet", limit, || {
            let count = self.count();
            if count != last.0 {
                last = (count, Instant::now());
            }
            (count > 0 && last.1.elapsed() >= quiet).then_some(())
        });
    }

    /// Waits for the stream's own end and tells what was read and what ffmpeg complained about.
    pub fn finish(mut self, limit: Duration) -> (Vec<Packet>, String) {
        wait::until("the reader to end", limit, || self.child.try_wait().ok().flatten());
        self.lines.take().map(JoinHandle::join);
        let errors = self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default();
        (std::mem::take(&mut lock(&self.seen).packets), errors)
    }

    /// Whether it still reads.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The codecs of the tracks, as ffmpeg names them.
    pub fn codecs(&self) -> Vec<String> {
        lock(&self.seen).codecs.clone()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// All packets of a file.
pub fn read_file(tool: Tool, file: &Path) -> Vec<Packet> {
    let (packets, errors) = Reader::open(tool, &file.to_string_lossy()).finish(Duration::from_secs(20));
    assert!(!packets.is_empty(), "no packets in {}: {errors}", file.display());
    packets
}

fn spawn(mut command: Command, out: Stdio) -> (Child, String) {
    let shown = format!("{command:?}");
    let child = command.stdout(out).stderr(Stdio::piped()).spawn();
    (child.unwrap_or_else(|err| panic!("{shown} does not start: {err}; run `cargo xtask setup`")), shown)
}

fn parse(out: impl BufRead, seen: &Mutex<Seen>) {
    let mut parser = Parser::default();
    for line in out.lines().map_while(Result::ok) {
        let packet = parser.line(&line);
        let mut seen = lock(seen);
        if let Some(packet) = packet {
            seen.packets.push(packet);
        } else {
            seen.codecs = parser.codecs().into_iter().map(str::to_owned).collect();
        }
    }
}

fn collect(mut pipe: ChildStderr) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = pipe.read_to_end(&mut text); // what was read until the pipe broke is what there is
        String::from_utf8_lossy(&text).into_owned()
    })
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn interrupt(child: &Child) {
    signal(child, libc::SIGINT);
}

fn signal(child: &Child, signal: i32) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // SAFETY: kill takes two integers and touches no memory; the child is not reaped yet, so the pid is its own.
        #[expect(unsafe_code, reason = "the standard library can only kill")]
        unsafe {
            libc::kill(pid, signal);
        }
    }
}

pub(crate) fn end(child: &mut Child) {
    let _ = child.kill(); // it may have ended by itself
    let _ = child.wait();
}
