//! WHIP and WHEP endpoints: an offer is posted, a session comes into being.

use super::reply::{self, ACCEPT_POST, FRAGMENT, SDP, content, not_allowed, text};
use super::{Query, bearer, read, session, with_token};
use crate::WebRtc;
use crate::ice::Credentials;
use crate::negotiate::{Agreed, Wish};
use crate::offer::{is_password, is_ufrag};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use headwater_hub::Action;
use headwater_web::{EntityTag, host, without_port};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

const METHODS: &str = "OPTIONS, POST";

/// Answers every request to `/rtc/v1/whip/` and its kin. A session's URL has the same path, as in SRS; it is told by
/// its `session` and `token`.
pub(super) async fn answer(State(gateway): State<Arc<WebRtc>>, request: Request) -> Response {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    // An endpoint's address may have parameters of the same names.
    let posted = *request.method() == Method::POST && query.get("action") != Some("delete");
    if let Some(url) = session::Url::parse(&query).filter(|_| !posted) {
        return session::answer(&gateway, url, request).await;
    }
    match *request.method() {
        Method::OPTIONS => reply::options(METHODS, (ACCEPT_POST, SDP)),
        Method::POST => post(&gateway, &query, request).await,
        Method::DELETE | Method::PATCH => not_allowed(
            METHODS,
            "this goes to the session's own URL, which the Location field of the 201 told",
        ),
        _ => not_allowed(METHODS, "post an SDP offer here (WHIP, WHEP)"),
    }
}

async fn post(gateway: &WebRtc, query: &Query, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(kind) = content_type(&parts.headers).filter(|kind| !kind.eq_ignore_ascii_case(SDP)) {
        return text(StatusCode::UNSUPPORTED_MEDIA_TYPE, &format!("an offer is {SDP}, not {kind}"));
    }
    if !accepts_sdp(&parts.headers) {
        return text(StatusCode::NOT_ACCEPTABLE, "the answer is application/sdp, which Accept leaves out");
    }
    let offer = match read(body).await {
        Ok(offer) => offer,
        Err(unread) => return reply::unread(unread),
    };
    let credentials = query.get("ice-ufrag").zip(query.get("ice-pwd"));
    if credentials.is_some_and(|(ufrag, password)| !chosen(ufrag, password)) {
        let reason = "ice-ufrag has 4 to 32 letters and digits, ice-pwd 22 to 32 (RFC 8839 5.4)";
        return text(StatusCode::BAD_REQUEST, reason);
    }
    let credentials =
        credentials.map(|(ufrag, password)| Credentials { ufrag: ufrag.into(), password: password.into() });
    let wish = wish(&parts, query, offer, credentials);
    match gateway.negotiate(wish).await {
        Ok(agreed) => created(agreed),
        Err(refused) => reply::refusal(&refused, bearer(&parts.headers).is_some()),
    }
}

fn chosen(ufrag: &str, password: &str) -> bool {
    is_ufrag(ufrag) && is_password(password) && ufrag.len() <= 32 && password.len() <= 32
}

fn wish(parts: &Parts, query: &Query, offer: String, credentials: Option<Credentials>) -> Wish {
    let path = parts.uri.path();
    let by_path = path.contains("/whep") || path.contains("/whip-play");
    let plays = by_path || query.get("action").is_some_and(|action| action != "publish");
    let host = host(&parts.uri, &parts.headers).map_or("", without_port).to_owned();
    let own = |name: &str, default: &str| query.get(name).unwrap_or(default).to_owned();
    let app = own("app", "live");
    let param = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Wish {
        action: if plays { Action::Play } else { Action::Publish },
        peer: peer(&parts.extensions),
        vhost: query.get("vhost").or(query.get("domain")).unwrap_or(&host).to_owned(),
        stream: own("stream", "livestream"),
        param: with_token(param, query, &parts.headers),
        tc_url: format!("webrtc://{host}/{app}"),
        page_url: field(&parts.headers, header::REFERER).unwrap_or_default().to_owned(),
        external: query.get("eip").or(query.get("candidate")).map(str::to_owned),
        codec: query.get("codec").map(str::to_owned),
        credentials,
        clear: query.get("encrypt") == Some("false"),
        app,
        host,
        offer,
    }
}

/// 201 with the answer (RFC 9725 4.2). There are no `Link` fields: this server has neither STUN nor TURN, and as
/// ICE-lite with its own address in the answer its clients need none.
fn created(agreed: Agreed) -> Response {
    let Agreed { answer, name, token, app, stream } = agreed;
    // Relative and on the WHIP path even for players, as SRS writes it.
    let location = format!(
        "/rtc/v1/whip/?action=delete&token={token}&app={}&stream={}&session={}",
        escape(&app),
        escape(&stream),
        escape(&name)
    );
    let mut response = content(StatusCode::CREATED, SDP, answer);
    reply::set(&mut response, reply::ACCEPT_PATCH, FRAGMENT);
    let fields = response.headers_mut();
    fields.extend(HeaderValue::from_str(&location).ok().map(|value| (header::LOCATION, value)));
    tag(fields, &name);
    response
}

/// Names the ICE session, which a restart changes (RFC 9725 4.3.1).
pub(super) fn tag(fields: &mut HeaderMap, name: &str) {
    let tag = EntityTag::new(name);
    fields.extend(HeaderValue::from_str(tag.as_str()).ok().map(|value| (header::ETAG, value)));
}

/// The peer's address. What it claims of itself (`X-Forwarded-For`, `clientip`) counts for nothing.
pub(super) fn peer(extensions: &http::Extensions) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip().to_canonical())
}

fn field(fields: &HeaderMap, name: HeaderName) -> Option<&str> {
    fields.get(name).and_then(|value| value.to_str().ok())
}

/// The media type without parameters.
pub(super) fn content_type(fields: &HeaderMap) -> Option<&str> {
    let kind = field(fields, header::CONTENT_TYPE)?;
    Some(kind.split(';').next().unwrap_or(kind).trim())
}

/// Whether `Accept` (RFC 9110 12.5.1) leaves room for an answer; qualities do not matter, there is one kind.
fn accepts_sdp(fields: &HeaderMap) -> bool {
    let mut lists = fields.get_all(header::ACCEPT).iter().filter_map(|list| list.to_str().ok()).peekable();
    let kind = |range: &str| range.split(';').next().unwrap_or(range).trim().to_ascii_lowercase();
    let fits = |kind: String| matches!(kind.as_str(), "*/*" | "application/*" | SDP);
    lists.peek().is_none() || lists.any(|list| list.split(',').map(kind).any(fits))
}

/// What a query may carry as it is; the colon of session names stays, as SRS writes it.
fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/+".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
