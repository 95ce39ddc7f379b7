//! Answers to viewers.

use crate::Hls;
use crate::key::SegmentKey;
use crate::store::{Found, Live, Segment};
use crate::token::{Parameters, Token, without_token};
use crate::viewers::{Full, Standing};
use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use headwater_hub::{Action, Attached, Grant, Request as Play, Session, SessionId, SessionInfo, StreamName};
use headwater_playlist::{CONTENT_TYPE, MasterPlaylist, Variant, encode_path, relative};
use headwater_web::{Caching, EntityTag, Pieces, Representation, percent_decode, virtual_host};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Media type of a transport stream, as SRS's file server tells it.
const SEGMENT_TYPE: &str = "video/MP2T";

/// Media type of fragmented MP4 (RFC 8216 3.3).
pub(crate) const FRAGMENTED_TYPE: &str = "video/mp4";

/// Media type of a key.
const KEY_TYPE: &str = "application/octet-stream";

/// Longest query of a viewer who begins a session, and longest referring page that is kept of it: sessions are many.
pub(crate) const IDENTITY_MAX: usize = 2048;

/// A request for a playlist, a segment or a key, as the HTTP server understood it.
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
    /// The answer to a viewer; `None` when the path is no playlist, segment or key of a stream that is in
    /// memory: then static files are next.
    ///
    /// A playlist that has no segment yet is waited for, twice a segment's length and at most ten seconds; then 404.
    /// A viewer whom admission refuses gets 403, and so does one without a session who asks for a key; a kicked one
    /// gets 404; one too many gets 503.
    pub async fn respond(&self, ask: Ask<'_>) -> Option<Response> {
        let vhost = self.conf.vhost(ask.vhost)?;
        let path = ask.path.strip_prefix('/')?;
        if let Some(response) = self.dash.respond(&vhost.name, path, &ask).await {
            return Some(response);
        }
        if let Some(response) = self.hds.respond(&vhost.name, path, &ask).await {
            return Some(response);
        }
        let Some(found) = self.store.find(&vhost.name, path) else {
            let (live, asset) = self.store.find_low_latency(&vhost.name, path)?;
            return self.low_latency(&ask, &live, asset).await;
        };
        Some(match found {
            Found::Segment(live, segment) => self.segment(&ask, &live, &segment),
            Found::Key(live, key) => self.key(&ask, &live, &key),
            Found::Init(live, init) => {
                content(&ask, FRAGMENTED_TYPE, &init.etag, window_s(&live), init.bytes.clone())
            }
            Found::Playlist(live) if live.settings.sessions => self.session_playlist(&ask, &live).await,
            Found::Playlist(live) => self.plain_playlist(&ask, &live).await,
        })
    }

    async fn plain_playlist(&self, ask: &Ask<'_>, live: &Live) -> Response {
        if let Err(refusal) = self.admission.ask(&play(ask, live)).await {
            return text(StatusCode::FORBIDDEN, refusal.reason);
        }
        media_playlist(ask, live, &Parameters::new(ask.query, None, false)).await
    }

    /// A viewer with a session gets its own media playlist; any other is admitted first.
    async fn session_playlist(&self, ask: &Ask<'_>, live: &Live) -> Response {
        let Some(token) = Token::claimed(ask.query) else { return self.begin(ask, live).await };
        match self.standing(&token, live, 0) {
            Standing::Unknown => self.begin(ask, live).await,
            Standing::Kicked => kicked(),
            Standing::Watching => {
                let segments = live.settings.session_segments;
                media_playlist(ask, live, &Parameters::new(ask.query, Some(token), segments)).await
            }
        }
    }

    /// Admits a viewer, begins its session and answers with the master playlist that tells its token.
    async fn begin(&self, ask: &Ask<'_>, live: &Live) -> Response {
        if ask.query.len() > IDENTITY_MAX {
            return text(StatusCode::URI_TOO_LONG, format!("the query is longer than {IDENTITY_MAX} bytes"));
        }
        let play = play(ask, live);
        let grant = match self.admission.ask(&play).await {
            Ok(grant) => grant,
            Err(refusal) => return text(StatusCode::FORBIDDEN, refusal.reason),
        };
        let token = Token::new(play.session);
        // A head is for looking, not for watching.
        if !ask.head
            && let Err(full) = self.join(&token, play, grant, live)
        {
            return text(StatusCode::SERVICE_UNAVAILABLE, full.to_string());
        }
        if live.playlist(live.settings.patience()).await.is_none() {
            self.store.viewers.leave(&token);
            return text(StatusCode::NOT_FOUND, no_playlist(live));
        }
        let mut master = master_playlist(ask, &token, live.settings.relative_master);
        master.variants.extend(self.plain_variants(ask, live, &token));
        private(ask, CONTENT_TYPE, master.to_string().into())
    }

    /// The plain playlists of `hls_variants` that are there, for the session of `token`.
    fn plain_variants(&self, ask: &Ask<'_>, live: &Live, token: &Token) -> Vec<Variant> {
        let query = without_token(ask.query);
        let others = self.variants_live(live).into_iter().filter(|other| other.current().is_some());
        let variants = others.map(|other| {
            let path = match live.settings.relative_master {
                true => relative(&live.playlist_path, &other.playlist_path),
                false => format!("/{}", other.playlist_path),
            };
            let path = encode_path(&path);
            let uri = token.put_into(&if query.is_empty() { path } else { format!("{path}?{query}") });
            let measured = other.low_latency.as_ref().and_then(|theirs| theirs.variants().into_iter().next());
            let unknown = || Variant { bandwidth: 1, average_bandwidth: Some(1), ..Variant::default() };
            Variant { uri, ..measured.unwrap_or_else(unknown) }
        });
        variants.collect()
    }

    pub(crate) fn join(&self, token: &Token, play: Play, grant: Grant, live: &Live) -> Result<(), Full> {
        let Some(hub) = self.hub.upgrade() else { return Ok(()) }; // the server ends: nobody watches any more
        let (peer, timeout) = (play.peer, live.settings.session_timeout());
        let stream = hub.stream(&grant.name);
        let attach = || -> Attached { stream.attach(&Arc::new(Session::new(session_info(play, grant)))) };
        self.store.viewers.join(token.clone(), (&live.name, peer), timeout, attach)
    }

    /// Segments are for everybody who knows their names; a session's are counted.
    fn segment(&self, ask: &Ask<'_>, live: &Live, segment: &Segment) -> Response {
        let response = segment_response(ask, live, segment);
        let Some(token) = Token::claimed(ask.query).filter(|_| live.settings.sessions) else {
            return response;
        };
        let bytes = response.body().size_hint().exact().unwrap_or_default();
        match self.standing(&token, live, bytes) {
            Standing::Kicked => kicked(),
            Standing::Watching | Standing::Unknown => response,
        }
    }

    fn key(&self, ask: &Ask<'_>, live: &Live, key: &SegmentKey) -> Response {
        let visit = |token: Token| self.standing(&token, live, 0);
        let standing = match live.settings.sessions {
            true => Token::claimed(ask.query).map_or(Standing::Unknown, visit),
            false => Standing::Watching,
        };
        match standing {
            Standing::Watching => private(ask, KEY_TYPE, Bytes::copy_from_slice(&key.bytes)),
            Standing::Kicked => kicked(),
            Standing::Unknown => {
                let reason = "keys are for viewers with a session; open the stream's playlist first";
                text(StatusCode::FORBIDDEN, reason.into())
            }
        }
    }
}

/// The playlist for this viewer, waited for.
async fn media_playlist(ask: &Ask<'_>, live: &Live, own: &Parameters) -> Response {
    match live.playlist(live.settings.patience()).await {
        Some(playlist) => {
            let etag = playlist.etag.clone();
            // A second is short beside a segment, and lets a cache in between answer most viewers.
            content(ask, CONTENT_TYPE, &etag, 1, own.put_into(&playlist.text))
        }
        None => text(StatusCode::NOT_FOUND, no_playlist(live)),
    }
}

/// As SRS writes it (srs-interfaces 5.5): the address that was asked for, with the token; `relative` to itself for
/// proxies that serve it below another folder.
fn master_playlist(ask: &Ask<'_>, token: &Token, relative: bool) -> MasterPlaylist {
    let file = ask.path.rsplit('/').next().filter(|_| relative);
    let (path, query) = (encode_path(file.unwrap_or(ask.path)), without_token(ask.query));
    let uri = token.put_into(&if query.is_empty() { path } else { format!("{path}?{query}") });
    let variant = Variant { uri, bandwidth: 1, average_bandwidth: Some(1), ..Variant::default() };
    MasterPlaylist { variants: vec![variant] }
}

fn session_info(play: Play, grant: Grant) -> SessionInfo {
    SessionInfo {
        id: play.session,
        kind: play.kind,
        publish: false,
        name: grant.name,
        shown_name: format!("{}.m3u8", play.stream).into(),
        ip: play.peer,
        tc_url: play.tc_url.into(),
        page_url: play.page_url.into(),
        swf_url: play.swf_url.into(),
        param: play.param.into(),
    }
}

pub(crate) fn kicked() -> Response {
    text(StatusCode::NOT_FOUND, "this session was ended by the server's operator".into())
}

pub(crate) fn no_playlist(live: &Live) -> String {
    match live.problem() {
        Some(problem) => format!("{} has no HLS: {problem}", live.name),
        None => format!("{} has no complete segment yet; try again in a moment", live.name),
    }
}

/// Segments never change, but a restarted server may use a name again: caches keep them for one window.
fn segment_response(ask: &Ask<'_>, live: &Live, segment: &Segment) -> Response {
    let kind = if segment.init.is_some() { FRAGMENTED_TYPE } else { SEGMENT_TYPE };
    content(ask, kind, &segment.etag, window_s(live), segment.bytes.clone())
}

pub(crate) fn window_s(live: &Live) -> u64 {
    live.settings.window.as_secs().max(1)
}

pub(crate) fn play(ask: &Ask<'_>, live: &Live) -> Play {
    play_as(ask, &live.name, "hls-play")
}

/// The same, of a viewer who says by `kind` which protocol it speaks.
pub(crate) fn play_as(ask: &Ask<'_>, name: &StreamName, kind: &'static str) -> Play {
    let referer = ask.fields.get(header::REFERER).and_then(|v| v.to_str().ok());
    let referer = referer.filter(|page| page.len() <= IDENTITY_MAX);
    let query = without_token(ask.query);
    Play {
        action: Action::Play,
        kind,
        session: SessionId::random(),
        peer: ask.peer,
        vhost: name.vhost().to_owned(),
        app: name.app().to_owned(),
        stream: name.stream().to_owned(),
        param: if query.is_empty() { query } else { format!("?{query}") },
        tc_url: format!("http://{}/{}", ask.vhost, name.app()),
        page_url: referer.unwrap_or_default().to_owned(),
        swf_url: String::new(),
    }
}

/// Content that caches may keep for so many seconds: whole, a part of it, or 304 when the viewer has it already.
pub(crate) fn content(
    ask: &Ask<'_>,
    kind: &'static str,
    etag: &EntityTag,
    max_age_s: u64,
    content: impl Into<Pieces>,
) -> Response {
    let caching = Caching::For(Duration::from_secs(max_age_s));
    Representation::new(kind, content).tag(etag.clone()).caching(caching).answer(method(ask), ask.fields)
}

/// A whole answer that is one viewer's alone.
pub(crate) fn private(ask: &Ask<'_>, kind: &'static str, bytes: Bytes) -> Response {
    Representation::new(kind, bytes).answer(method(ask), &HeaderMap::new())
}

fn method(ask: &Ask<'_>) -> &'static Method {
    if ask.head { &Method::HEAD } else { &Method::GET }
}

pub(crate) fn text(status: StatusCode, reason: String) -> Response {
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
    let vhost = virtual_host(request);
    hls.respond(Ask { vhost, path: &path, query, head, fields: &request.headers, peer }).await
}
