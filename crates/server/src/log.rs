use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Longest log line in bytes; the rest is cut (SRS: 8192).
const LINE_MAX: usize = 8192;

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tank {
    /// Standard error, coloured on a terminal.
    Console,
    /// A file, appended to.
    File(PathBuf),
}

/// How to log.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Where lines go.
    pub tank: Tank,
    /// Least severe level that is written; `None` writes nothing.
    pub level: Option<Level>,
    /// UTC instead of local time.
    pub utc: bool,
}

/// The open log; keeps the file so that it can be reopened after rotation (SIGUSR1).
#[derive(Clone, Debug)]
pub struct Log {
    sink: Sink,
}

#[derive(Clone, Debug)]
enum Sink {
    Console,
    File(PathBuf, Arc<Mutex<File>>),
}

impl Log {
    /// Opens the log and makes it the process's own. Called once.
    pub fn open(options: &LogOptions) -> io::Result<Log> {
        let sink = match &options.tank {
            Tank::Console => Sink::Console,
            Tank::File(path) => Sink::File(path.clone(), Arc::new(Mutex::new(append(path)?))),
        };
        let log = Log { sink };
        let colour = matches!(options.tank, Tank::Console) && io::stderr().is_terminal();
        let (writer, line) = (log.clone(), Line { utc: options.utc, colour, pid: std::process::id() });
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(options.level.map_or(tracing::metadata::LevelFilter::OFF, Into::into))
            .with_writer(move || writer.clone())
            .event_format(line)
            .finish();
        tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)?;
        Ok(log)
    }

    /// Closes and opens the file again, so that a rotated file is let go.
    pub fn reopen(&self) -> io::Result<()> {
        if let Sink::File(path, file) = &self.sink {
            *file.lock().unwrap_or_else(PoisonError::into_inner) = append(path)?;
        }
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &self.sink {
            Sink::Console => io::stderr().write(line),
            Sink::File(_, file) => file.lock().unwrap_or_else(PoisonError::into_inner).write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// SRS's line: `[date time][LEVEL][pid][cid] message`, here followed by `key=value` fields.
struct Line {
    utc: bool,
    colour: bool,
    pid: u32,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        let now = chrono::Utc::now();
        let stamp = match self.utc {
            true => now.format(STAMP).to_string(),
            false => now.with_timezone(&chrono::Local).format(STAMP).to_string(),
        };
        let cid = if fields.cid.is_empty() { "-" } else { &fields.cid };
        let mut line =
            format!("[{stamp}][{}][{}][{cid}] {}{}", word(level), self.pid, fields.message, fields.rest);
        cut(&mut line);
        match (self.colour, level) {
            (true, Level::ERROR) => writeln!(out, "\x1b[31m{line}\x1b[0m"),
            (true, Level::WARN) => writeln!(out, "\x1b[33m{line}\x1b[0m"),
            _ => writeln!(out, "{line}"),
        }
    }
}

const STAMP: &str = "%Y-%m-%d %H:%M:%S%.3f";

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

fn cut(line: &mut String) {
    // A peer's text must not forge a second line.
    if line.contains(['\n', '\r']) {
        *line = line.replace(['\n', '\r'], " ");
    }
    if line.len() > LINE_MAX {
        let mut end = LINE_MAX;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    cid: String,
    rest: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "cid" => write!(self.cid, "{value:?}"),
            name => write!(self.rest, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "cid" => self.cid.push_str(value),
            name => {
                let _ = write!(self.rest, " {name}={value:?}"); // writing to a String cannot fail
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_bounded() {
        let mut line = format!("a\nb\r{}", "é".repeat(LINE_MAX));
        cut(&mut line);
        assert!(line.starts_with("a b "));
        assert!(line.len() <= LINE_MAX);
    }

    #[test]
    fn a_rotated_file_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/srs.log");
        let file = Arc::new(Mutex::new(append(&path).unwrap()));
        let mut log = Log { sink: Sink::File(path.clone(), file) };
        log.write_all(b"one\n").unwrap();
        std::fs::rename(&path, dir.path().join("old")).unwrap();
        log.reopen().unwrap();
        log.write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
    }
}
