//! Answers to viewers.

use crate::Hls;
use crate::store::{Found, Live, Segment};
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use headwater_hub::{Action, Request as Play, SessionId};
use headwater_playlist::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Media type of a transport stream, as SRS's file server tells it.
const SEGMENT_TYPE: &str = "video/MP2T";

/// A request for a playlist or a segment, as the HTTP server understood it.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Virtual host asked for: `vhost` or `domain` of the query, else the Host field without its port.
    pub vhost: &'a str,
    /// Path, percent-decoded, with its leading slash.
    pub path: &'a str,
    /// Query as sent, without `?`.
    pub query: &'a str,
    /// Whether only the head is wanted.
    pub head: bool,
    /// The request's other fields (`If-None-Match`, `Referer`).
    pub fields: &'a HeaderMap,
    /// The viewer's address.
    pub peer: IpAddr,
}

impl Hls {
    /// The answer to a viewer; `None` when the path is neither a playlist nor a segment of a stream that is in
    /// memory: then static files are next.
    ///
    /// A playlist that has no segment yet is waited for, twice a segment's length and at most ten seconds; then 404.
    /// A viewer whom admission refuses gets 403.
    pub async fn respond(&self, ask: Ask<'_>) -> Option<Response> {
        let vhost = self.conf.vhost(ask.vhost)?;
        let found = self.store.find(&vhost.name, ask.path.strip_prefix('/')?)?;
        Some(match found {
            Found::Segment(live, segment) => segment_response(&ask, &live, &segment),
            Found::Playlist(live) => self.playlist(&ask, &live).await,
        })
    }

    async fn playlist(&self, ask: &Ask<'_>, live: &Live) -> Response {
        if let Err(refusal) = self.admission.ask(&play(ask, live)).await {
            return text(StatusCode::FORBIDDEN, refusal.reason);
        }
        match live.playlist(live.settings.patience()).await {
            // A second is short beside a segment, and lets a cache in between answer most viewers.
            Some(playlist) => content(ask, CONTENT_TYPE, &playlist.etag, 1, playlist.text),
            None => text(StatusCode::NOT_FOUND, no_playlist(live)),
        }
    }
}

fn no_playlist(live: &Live) -> String {
    match live.problem() {
        Some(problem) => format!("{} has no HLS: {problem}", live.name),
        None => format!("{} has no complete segment yet; try again in a moment", live.name),
    }
}

/// Segments never change, but a restarted server may use a name again: caches keep them for one window.
fn segment_response(ask: &Ask<'_>, live: &Live, segment: &Segment) -> Response {
    let seconds = live.settings.window.as_secs().max(1);
    content(ask, SEGMENT_TYPE, &segment.etag, seconds, segment.bytes.clone())
}

fn play(ask: &Ask<'_>, live: &Live) -> Play {
    let name = &live.name;
    let referer = ask.fields.get(header::REFERER).and_then(|v| v.to_str().ok());
    Play {
        action: Action::Play,
        kind: "hls-play",
        session: SessionId::random(),
        peer: ask.peer,
        vhost: name.vhost().to_owned(),
        app: name.app().to_owned(),
        stream: name.stream().to_owned(),
        param: if ask.query.is_empty() { String::new() } else { format!("?{}", ask.query) },
        tc_url: format!("http://{}/{}", ask.vhost, name.app()),
        page_url: referer.unwrap_or_default().to_owned(),
        swf_url: String::new(),
    }
}

/// A whole answer, or 304 when the viewer has it already.
fn content(ask: &Ask<'_>, kind: &'static str, etag: &str, max_age_s: u64, bytes: Bytes) -> Response {
    let known = ask.fields.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let fresh = known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == etag || tag.trim() == "*"));
    let length = bytes.len();
    let body = if fresh || ask.head { Body::empty() } else { Body::from(bytes) };
    let mut response = Response::new(body);
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    fields.extend(HeaderValue::from_str(etag).ok().map(|etag| (header::ETAG, etag)));
    let age = HeaderValue::from_str(&format!("max-age={max_age_s}")).ok();
    fields.extend(age.map(|age| (header::CACHE_CONTROL, age)));
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response
}

fn text(status: StatusCode, reason: String) -> Response {
    let mut response = Response::new(Body::from(reason + "\n"));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Answers what is HLS's and passes everything else on, for `axum::middleware::from_fn_with_state`.
pub async fn middleware(State(hls): State<Arc<Hls>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match answer(&hls, &parts).await {
        Some(response) => response,
        None => next.run(Request::from_parts(parts, body)).await,
    }
}

async fn answer(hls: &Hls, request: &Parts) -> Option<Response> {
    let head = request.method == Method::HEAD;
    if !head && request.method != Method::GET {
        return None;
    }
    let path = percent_decode(request.uri.path())?;
    let query = request.uri.query().unwrap_or_default();
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    let vhost = vhost(query, &request.headers, request.uri.host());
    hls.respond(Ask { vhost, path: &path, query, head, fields: &request.headers, peer }).await
}

fn vhost<'a>(query: &'a str, fields: &'a HeaderMap, authority: Option<&'a str>) -> &'a str {
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
    };
    let host = || {
        let field = fields.get(header::HOST).and_then(|v| v.to_str().ok()).or(authority)?;
        let port = field.rfind(':').filter(|&colon| !field.get(colon..).is_some_and(|p| p.contains(']')));
        field.get(..port.unwrap_or(field.len()))
    };
    parameter("vhost").or_else(|| parameter("domain")).or_else(host).unwrap_or_default()
}

/// `None` for bytes that are not UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let pair = tail.get(..2).filter(|_| byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match pair.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).ok()
}
