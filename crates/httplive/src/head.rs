//! The request head: bounds, the fields that matter, and what it asks for. Pure: bytes in, values out.

use crate::format::Container;
use headwater_web::{parameter, percent_decode, without_port};
use http::{Method, Uri, Version};
use thiserror::Error;

/// Longest request head, in bytes.
pub(crate) const HEAD_MAX: usize = 16 << 10;

/// Most header fields.
const FIELDS_MAX: usize = 64;

/// A request head, as far as this server decides by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Method.
    pub method: Method,
    /// Whether it is HTTP/1.1 (else 1.0).
    pub http11: bool,
    /// Target, as sent.
    pub target: Uri,
    /// Path, percent-decoded.
    pub path: String,
    /// Query, as sent, without `?`.
    pub query: String,
    /// The host the request is for, without its port.
    pub host: String,
    /// `Referer`.
    pub referer: String,
    /// Whether an `Origin` was sent: the answer then carries CORS fields.
    pub has_origin: bool,
    /// `Sec-WebSocket-Key` of a WebSocket upgrade.
    pub websocket_key: Option<String>,
}

/// Why a request head is refused; the connection is answered and closed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeadError {
    /// Too long, or too many fields.
    #[error("the request head is larger than {HEAD_MAX} bytes or has more than {FIELDS_MAX} fields")]
    TooLarge,
    /// Not HTTP.
    #[error("this is not an HTTP request: {0}")]
    Malformed(&'static str),
}

impl Head {
    /// Parses a head. `Ok(None)` when bytes are missing; the number is the head's length.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, HeadError> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        let len = match request.parse(bytes) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) if bytes.len() >= HEAD_MAX => return Err(HeadError::TooLarge),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooLarge),
            Err(_) => return Err(HeadError::Malformed("the request line or a header field cannot be read")),
        };
        let method = request.method.and_then(|m| Method::from_bytes(m.as_bytes()).ok());
        let method = method.ok_or(HeadError::Malformed("the method cannot be read"))?;
        let uri = request.path.and_then(|p| p.parse::<Uri>().ok());
        let uri = uri.ok_or(HeadError::Malformed("the request target cannot be read"))?;
        let field = |name: &str| text_field(request.headers, name);
        let key = field("sec-websocket-key").filter(|_| is_websocket(field("upgrade")));
        Ok(Some((Head::new(method, request.version == Some(1), &uri, key, field)?, len)))
    }

    /// The same from a request that hyper has parsed.
    pub fn from_request<B>(request: &http::Request<B>) -> Result<Head, HeadError> {
        let field = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
        // Upgrades are HTTP/1.1's alone (RFC 9113 8.6).
        let upgrade = field("upgrade").filter(|_| request.version() < Version::HTTP_2);
        let key = field("sec-websocket-key").filter(|_| is_websocket(upgrade));
        Head::new(request.method().clone(), true, request.uri(), key, field)
    }

    fn new<'a>(
        method: Method,
        http11: bool,
        uri: &Uri,
        websocket_key: Option<&str>,
        field: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Head, HeadError> {
        let path = percent_decode(uri.path())
            .ok_or(HeadError::Malformed("the path has an escape that is none, or is not UTF-8"))?;
        let host = uri.authority().map(|a| a.as_str()).or_else(|| field("host")).unwrap_or_default();
        Ok(Head {
            method,
            http11,
            target: uri.clone(),
            path,
            query: uri.query().unwrap_or_default().to_owned(),
            host: without_port(host).to_owned(),
            referer: field("referer").unwrap_or_default().to_owned(),
            has_origin: field("origin").is_some(),
            websocket_key: websocket_key.map(str::to_owned),
        })
    }

    /// The virtual host asked for: `?vhost=`, `?domain=`, or the Host header.
    pub fn vhost(&self) -> &str {
        self.parameter("vhost").or_else(|| self.parameter("domain")).unwrap_or(&self.host)
    }

    /// A query parameter, as sent.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        parameter(&self.query, name)
    }

    /// The query as URL parameters, `?k=v` or empty.
    pub fn param(&self) -> String {
        if self.query.is_empty() { String::new() } else { format!("?{}", self.query) }
    }
}

fn text_field<'a>(fields: &[httparse::Header<'a>], name: &str) -> Option<&'a str> {
    let field = fields.iter().find(|h| h.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(field.value).ok()
}

fn is_websocket(upgrade: Option<&str>) -> bool {
    upgrade.is_some_and(|u| u.eq_ignore_ascii_case("websocket"))
}

/// An `http_remux.mount` template, `[vhost]/[app]/[stream].flv`. It names the other containers too: `.ts`, `.aac` and
/// `.mp3` in the place of its extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    before: Vec<String>,
    stream_prefix: String,
    stream_suffix: String,
    extension: String,
}

/// The stream that a path names under a [`Mount`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveTarget {
    /// App; may have several segments.
    pub app: String,
    /// Stream, without extension.
    pub stream: String,
    /// What it is to come in.
    pub container: Container,
}

impl Mount {
    /// Reads a template for `vhost`; `None` when it names no stream or no extension.
    pub fn new(template: &str, vhost: &str) -> Option<Mount> {
        let host = if vhost == "__defaultVhost__" { "" } else { vhost };
        let path = template.replace("[vhost]", host);
        let mut segments: Vec<String> = path.trim_start_matches('/').split('/').map(str::to_owned).collect();
        let last = segments.pop()?;
        let (stream_prefix, rest) = last.split_once("[stream]")?;
        let (stream_suffix, extension) = rest.split_at(rest.rfind('.')?);
        // The vhost in the template is matched by the Host header, not by the path.
        let before =
            segments.into_iter().filter(|s| s != host || s.is_empty()).filter(|s| !s.is_empty()).collect();
        Some(Mount {
            before,
            stream_prefix: stream_prefix.to_owned(),
            stream_suffix: stream_suffix.to_owned(),
            extension: extension.to_owned(),
        })
    }

    /// The container that the template itself names; `None` when its extension is none of theirs.
    pub fn container(&self) -> Option<Container> {
        Container::ALL.into_iter().find(|container| container.extension() == self.extension)
    }

    /// Matches a request path.
    pub fn find(&self, path: &str) -> Option<LiveTarget> {
        let (dir, file) = path.strip_prefix('/')?.rsplit_once('/')?;
        let (stem, extension) = file.split_at(file.rfind('.')?);
        let container = Container::ALL.into_iter().find(|container| container.extension() == extension)?;
        let stream = stem.strip_suffix(&self.stream_suffix)?.strip_prefix(&self.stream_prefix)?;
        let at = self.before.iter().position(|s| s == "[app]");
        let app = match at {
            Some(at) => {
                let (head, tail) = (self.before[..at].join("/"), self.before[at + 1..].join("/")); // at is a position in it
                let rest = if head.is_empty() { dir } else { dir.strip_prefix(&head)?.strip_prefix('/')? };
                if tail.is_empty() { rest } else { rest.strip_suffix(&tail)?.strip_suffix('/')? }
            }
            None => (dir == self.before.join("/")).then_some(dir)?,
        };
        (!app.is_empty() && !stream.is_empty()).then(|| LiveTarget {
            app: app.to_owned(),
            stream: stream.to_owned(),
            container,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Head {
        Head::parse(text.as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn a_plain_request() {
        let head = parse(
            "GET /live/a%20b.flv?vhost=v.com&k=v HTTP/1.1\r\nHost: h:8080\r\nReferer: http://x/\r\n\r\n",
        );
        assert_eq!((head.path.as_str(), head.host.as_str(), head.vhost()), ("/live/a b.flv", "h", "v.com"));
        assert_eq!((head.referer.as_str(), head.param().as_str()), ("http://x/", "?vhost=v.com&k=v"));
        assert!(head.http11 && !head.has_origin && head.websocket_key.is_none());
    }

    #[test]
    fn a_websocket_upgrade() {
        let head = parse("GET /l/a.flv HTTP/1.1\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: abc\r\n\r\n");
        assert_eq!(head.websocket_key.as_deref(), Some("abc"));
    }

    #[test]
    fn bounds() {
        assert_eq!(Head::parse(b"GET / HTTP/1.1\r\nA: b"), Ok(None));
        assert_eq!(Head::parse(&[b'a'; HEAD_MAX]), Err(HeadError::TooLarge));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(FIELDS_MAX + 1));
        assert_eq!(Head::parse(many.as_bytes()), Err(HeadError::TooLarge));
        assert!(matches!(Head::parse(b"\x03\x00\x00"), Err(HeadError::Malformed(_))));
        assert!(matches!(Head::parse(b"GET /%ff HTTP/1.1\r\n\r\n"), Err(HeadError::Malformed(_))));
    }

    #[test]
    fn a_mount_serves_every_container() {
        let mount = Mount::new("[vhost]/[app]/[stream]-live.ts", "v").unwrap();
        assert_eq!(mount.container(), Some(Container::Ts));
        for container in Container::ALL {
            let found = mount.find(&format!("/live/a.b-live{}", container.extension())).unwrap();
            assert_eq!((found.stream.as_str(), found.container), ("a.b", container));
        }
        assert_eq!(mount.find("/live/a.ts"), None);
        assert_eq!(Mount::new("[vhost]/[app]/[stream].ogg", "v").unwrap().container(), None);
    }

    #[test]
    fn mounts() {
        let target = |template, vhost, path| {
            Mount::new(template, vhost).unwrap().find(path).map(|t| format!("{} {}", t.app, t.stream))
        };
        let default = "[vhost]/[app]/[stream].flv";
        assert_eq!(target(default, "__defaultVhost__", "/live/a.flv").as_deref(), Some("live a"));
        assert_eq!(target(default, "v.com", "/live/sub/a.flv").as_deref(), Some("live/sub a"));
        assert_eq!(target(default, "v.com", "/live/a.m3u8"), None);
        assert_eq!(target(default, "v.com", "/a.flv"), None);
        assert_eq!(target("/x/[app]/y/[stream].flv", "v", "/x/live/y/a.flv").as_deref(), Some("live a"));
        assert_eq!(target("/x/[app]/y/[stream].flv", "v", "/live/y/a.flv"), None);
        assert_eq!(Mount::new("[vhost]/[app]/fixed.flv", "v"), None);
        assert_eq!(Mount::new("[vhost]/[app]/[stream]", "v"), None);
    }
}
