use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// The identity of a stream: virtual host, app and stream name, normalised and safe.
///
/// Made only by [`StreamName::new`], so whoever holds one knows: no part is empty, longer than
/// [`StreamName::PART_MAX`] bytes, holds a control character, markup or a backslash, or has a path segment `.` or
/// `..`. An app may have several segments; a stream name too.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName {
    vhost: Arc<str>,
    app: Arc<str>,
    stream: Arc<str>,
}

/// A name that no stream can have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// A part is empty.
    #[error("the {part} name is empty; use a URL of the form /app/stream")]
    Empty {
        /// Which part.
        part: &'static str,
    },
    /// A part is too long.
    #[error("the {part} name has {len} bytes; at most {max} are allowed", max = StreamName::PART_MAX)]
    TooLong {
        /// Which part.
        part: &'static str,
        /// Its length in bytes.
        len: usize,
    },
    /// A part has a character that is not allowed.
    #[error("the {part} name holds {found:?}; letters, digits and - _ . ~ + @ : = , ! are safe to use")]
    BadChar {
        /// Which part.
        part: &'static str,
        /// The offending character.
        found: char,
    },
    /// A part has an empty, `.` or `..` path segment.
    #[error("the {part} name has a path segment that is empty, . or ..")]
    BadSegment {
        /// Which part.
        part: &'static str,
    },
}

/// The virtual host that serves every name without a block of its own.
pub(crate) const DEFAULT_VHOST: &str = "__defaultVhost__";

/// File extensions that name a container, not a stream: `cam.flv` over HTTP is the stream `cam`.
const EXTENSIONS: [&str; 6] = [".flv", ".ts", ".aac", ".mp3", ".m3u8", ".mpd"];

impl StreamName {
    /// Longest part, in bytes.
    pub const PART_MAX: usize = 255;

    /// Checks and normalises: a container extension of the stream name is dropped.
    pub fn new(vhost: &str, app: &str, stream: &str) -> Result<StreamName, NameError> {
        let stream = EXTENSIONS.iter().find_map(|e| stream.strip_suffix(e)).unwrap_or(stream);
        check("vhost", vhost)?;
        check("app", app)?;
        check("stream", stream)?;
        Ok(StreamName { vhost: vhost.into(), app: app.into(), stream: stream.into() })
    }

    /// The virtual host that serves it, `__defaultVhost__` included.
    pub fn vhost(&self) -> &str {
        &self.vhost
    }

    /// The app.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The stream's own name.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// `[vhost]/app/stream`, the vhost left out when it is the default one (SRS's `stream_url`).
    pub fn url(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if &*self.vhost != DEFAULT_VHOST {
            f.write_str(&self.vhost)?;
        }
        write!(f, "/{}/{}", self.app, self.stream)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn check(part: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { part });
    }
    if text.len() > StreamName::PART_MAX {
        return Err(NameError::TooLong { part, len: text.len() });
    }
    let bad =
        |c: &char| c.is_control() || matches!(c, '<' | '>' | '"' | '\'' | '&' | '\\' | '`' | '?' | '#' | '%');
    if let Some(found) = text.chars().find(bad) {
        return Err(NameError::BadChar { part, found });
    }
    if text.split('/').any(|s| matches!(s, "" | "." | "..")) {
        return Err(NameError::BadSegment { part });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(app: &str, stream: &str) -> NameError {
        StreamName::new(DEFAULT_VHOST, app, stream).unwrap_err()
    }

    #[test]
    fn identity_leaves_the_default_vhost_out() {
        assert_eq!(StreamName::new(DEFAULT_VHOST, "live", "a").unwrap().url(), "/live/a");
        assert_eq!(StreamName::new("v.com", "live/sub", "a").unwrap().url(), "v.com/live/sub/a");
    }

    #[test]
    fn only_container_extensions_are_dropped() {
        assert_eq!(StreamName::new("v", "live", "a.flv"), StreamName::new("v", "live", "a"));
        assert_ne!(StreamName::new("v", "live", "cam.1"), StreamName::new("v", "live", "cam.2"));
    }

    #[test]
    fn dangerous_names_are_refused() {
        assert_eq!(reject("live", ".."), NameError::BadSegment { part: "stream" });
        assert_eq!(reject("../etc", "a"), NameError::BadSegment { part: "app" });
        assert_eq!(reject("live", "/a"), NameError::BadSegment { part: "stream" });
        assert_eq!(reject("live", "a//b"), NameError::BadSegment { part: "stream" });
        assert_eq!(reject("live", "a\0"), NameError::BadChar { part: "stream", found: '\0' });
        assert_eq!(reject("live", "<b>"), NameError::BadChar { part: "stream", found: '<' });
        assert_eq!(reject("live", "%2e%2e"), NameError::BadChar { part: "stream", found: '%' });
        assert_eq!(reject("live", ".flv"), NameError::Empty { part: "stream" });
        assert_eq!(reject("", "a"), NameError::Empty { part: "app" });
        assert_eq!(reject("live", &"x".repeat(1 << 20)), NameError::TooLong { part: "stream", len: 1 << 20 });
    }
}
