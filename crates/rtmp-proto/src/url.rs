use thiserror::Error;

/// Longest application or stream name, in bytes; also of a host or vhost.
pub const NAME_MAX: usize = 1024;
/// Longest URL with its parameters, in bytes.
const URL_MAX: usize = 8192;

const PORT: u16 = 1935;
const DEFAULT_APP: &str = "__defaultApp__";
const DEFAULT_VHOST_PARAM: &str = "?vhost=__defaultVhost__";

/// An RTMP URL taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtmpUrl {
    /// `rtmp`, as written.
    pub schema: String,
    /// Host of the URL.
    pub host: String,
    /// Port of the URL, 1935 when it has none.
    pub port: u16,
    /// The vhost asked for: parameter `vhost`, else `domain`, else the host.
    pub vhost: String,
    /// Application, without slashes at its ends; may have several levels.
    pub app: String,
    /// Stream, with its extension if it has one.
    pub stream: String,
    /// Parameters with their `?`, or empty.
    pub param: String,
}

/// A URL that names no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// A name or the whole URL is too long.
    #[error("{what} of {bytes} bytes is over the limit of {limit}")]
    TooLong {
        /// Which name.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// There is no stream name.
    #[error("no stream name; the URL must be rtmp://host/app/stream")]
    NoStream,
}

impl RtmpUrl {
    /// Takes apart `tc_url` with the stream name of a `publish` or `play` command, which may carry parameters.
    ///
    /// `rtmp://h/app?k=v/s`, `rtmp://h/app...vhost...v/s` and `/_definst_` are understood as old encoders mean them.
    pub fn parse(tc_url: &str, stream: &str) -> Result<RtmpUrl, UrlError> {
        limit("RTMP URL", tc_url.len() + stream.len(), URL_MAX)?;
        let full = standard_form(tc_url, stream);
        let (schema, rest) = full.split_once("://").unwrap_or(("rtmp", &full));
        let (place, param) = rest.find('?').map_or((rest, ""), |at| rest.split_at(at));
        let (authority, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
        let (host, port) = host_and_port(authority);
        let (app, stream) = path.rsplit_once('/').unwrap_or(("", path));
        let mut url = RtmpUrl {
            schema: schema.to_owned(),
            host: clean(host),
            port,
            vhost: String::new(),
            app: clean(app),
            stream: clean(stream),
            param: param.to_owned(),
        };
        url.vhost = url.query("vhost").or_else(|| url.query("domain")).map_or(url.host.clone(), clean);
        url.guess_stream();
        if url.param.len() == 1 || url.param == DEFAULT_VHOST_PARAM {
            url.param.clear();
        }
        if url.app.is_empty() {
            url.app = DEFAULT_APP.to_owned();
        }
        url.checked()
    }

    /// The value of a parameter, as written; `None` when it is missing or empty.
    pub fn query(&self, name: &str) -> Option<&str> {
        let pairs = self.param.trim_start_matches('?').split('&');
        pairs.filter_map(|p| p.split_once('=')).find(|(n, v)| *n == name && !v.is_empty()).map(|(_, v)| v)
    }

    /// Finds a stream name in the application, or behind a slash in the parameters.
    fn guess_stream(&mut self) {
        if !self.stream.is_empty() {
            return;
        }
        if let Some((app, stream)) = self.app.split_once('/') {
            (self.app, self.stream) = (app.to_owned(), clean(stream));
        } else if let Some((param, stream)) = self.param.split_once('/') {
            (self.param, self.stream) = (param.to_owned(), clean(stream));
        }
    }

    fn checked(self) -> Result<RtmpUrl, UrlError> {
        let names = [
            ("application name", &self.app),
            ("stream name", &self.stream),
            ("vhost", &self.vhost),
            ("host", &self.host),
        ];
        for (what, name) in names {
            limit(what, name.len(), NAME_MAX)?;
        }
        if self.stream.is_empty() { Err(UrlError::NoStream) } else { Ok(self) }
    }
}

fn limit(what: &'static str, bytes: usize, limit: usize) -> Result<(), UrlError> {
    if bytes > limit { Err(UrlError::TooLong { what, bytes, limit }) } else { Ok(()) }
}

/// `schema://host/app/stream?params`.
fn standard_form(tc_url: &str, stream: &str) -> String {
    let tc_url = tc_url.replace("...vhost...", "?vhost=");
    let mut full = format!("{tc_url}/{}", stream.strip_prefix('/').unwrap_or(stream));
    if let (Some(query), Some(slash)) = (full.find(['?', '#']), full.rfind('/'))
        && query < slash
    {
        let (place, moved, last) = (full.get(..query), full.get(query..slash), full.get(slash..));
        full = [place, last, moved].into_iter().flatten().collect();
    }
    let full = full.replace("/_definst_", "");
    let Some(query) = full.find(['?', '#']) else { return full };
    let (place, params) = full.split_at(query);
    let params = params.get(1..).unwrap_or_default().replace(['?', '#'], "&");
    format!("{place}?{params}")
}

/// Understands `[v6]:port` too; a port that is no number counts as none.
fn host_and_port(authority: &str) -> (&str, u16) {
    let bracket = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, tail) = match authority.get(bracket..).and_then(|rest| rest.find(':')) {
        Some(at) => authority.split_at(bracket + at),
        None => (authority, ""),
    };
    let port = tail.trim_start_matches(':').parse().unwrap_or(PORT);
    (host, port)
}

/// Without spaces, line ends, and slashes at the ends.
fn clean(name: &str) -> String {
    name.replace([' ', '\t', '\r', '\n'], "").trim_matches('/').to_owned()
}
