//! WHIP and WHEP: an offer is posted, a session comes into being, its URL changes and ends it.

use super::Query;
use crate::WebRtc;
use crate::negotiate::{Agreed, OFFER_MAX, Refused, Wish, attribute};
use crate::registry::Missing;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use headwater_hub::Action;
use headwater_web::{host, without_port};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

const SDP: &str = "application/sdp";

/// Candidates and credentials that come after the offer (RFC 8840).
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// Methods of the endpoint and of a session's URL, which SRS gave the same path.
const METHODS: &str = "OPTIONS, POST, PATCH, DELETE";

/// Answers every request to `/rtc/v1/whip/` and its kin.
pub(super) async fn answer(State(gateway): State<Arc<WebRtc>>, request: Request) -> Response {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    match *request.method() {
        Method::OPTIONS => options(),
        Method::DELETE => delete(&gateway, &query),
        Method::PATCH => patch(&gateway, &query, request).await,
        Method::POST => post(&gateway, &query, request).await,
        _ => {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "post an SDP offer (WHIP, WHEP)");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(METHODS));
            response
        }
    }
}

fn options() -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    let fields = response.headers_mut();
    fields.insert(ACCEPT_POST, HeaderValue::from_static(SDP));
    fields.insert(ACCEPT_PATCH, HeaderValue::from_static(FRAGMENT));
    fields.insert(header::ALLOW, HeaderValue::from_static(METHODS));
    let open = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match"),
    ];
    open.into_iter().for_each(|(name, value)| drop(fields.insert(name, HeaderValue::from_static(value))));
    response
}

async fn post(gateway: &WebRtc, query: &Query, request: Request) -> Response {
    let path = request.uri().path();
    let by_path = path.contains("/whep") || path.contains("/whip-play");
    let plays = by_path || query.get("action").is_some_and(|action| action != "publish");
    let (parts, body) = request.into_parts();
    if let Some(kind) = content_type(&parts.headers).filter(|kind| *kind != SDP) {
        let reason = format!("an offer is {SDP}, not {kind}");
        return text(StatusCode::UNSUPPORTED_MEDIA_TYPE, &reason);
    }
    let Some(offer) = read(body).await else {
        return text(StatusCode::PAYLOAD_TOO_LARGE, "the offer is longer than 64 KiB or no text");
    };
    let host = host(&parts.uri, &parts.headers).map_or("", without_port).to_owned();
    let own = |name: &str, default: &str| query.get(name).unwrap_or(default).to_owned();
    let app = own("app", "live");
    let credentials = query.get("ice-ufrag").zip(query.get("ice-pwd"));
    if let Some((ufrag, password)) = credentials
        && !(4..=32).contains(&ufrag.len()) | !(22..=32).contains(&password.len())
    {
        return text(StatusCode::BAD_REQUEST, "ice-ufrag has 4 to 32 characters, ice-pwd 22 to 32");
    }
    let wish = Wish {
        action: if plays { Action::Play } else { Action::Publish },
        peer: peer(&parts.extensions),
        vhost: query.get("vhost").or(query.get("domain")).unwrap_or(&host).to_owned(),
        stream: own("stream", "livestream"),
        param: parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default(),
        tc_url: format!("webrtc://{host}/{app}"),
        page_url: field(&parts.headers, header::REFERER).unwrap_or_default().to_owned(),
        external: query.get("eip").or(query.get("candidate")).map(str::to_owned),
        codec: query.get("codec").map(str::to_owned),
        credentials: credentials.map(|(ufrag, password)| (ufrag.to_owned(), password.to_owned())),
        app,
        host,
        offer,
    };
    match gateway.negotiate(wish).await {
        Ok(agreed) => created(agreed),
        Err(refused) => refuse(&refused),
    }
}

fn created(agreed: Agreed) -> Response {
    let Agreed { answer, name, token, app, stream, .. } = agreed;
    // Relative and on the WHIP path even for players, as SRS writes it.
    let location = format!(
        "/rtc/v1/whip/?action=delete&token={token}&app={}&stream={}&session={}",
        escape(&app),
        escape(&stream),
        escape(&name)
    );
    let mut response = Response::new(Body::from(answer));
    *response.status_mut() = StatusCode::CREATED;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(ACCEPT_PATCH, HeaderValue::from_static(FRAGMENT));
    fields.extend(HeaderValue::from_str(&location).ok().map(|value| (header::LOCATION, value)));
    fields.extend(HeaderValue::from_str(&etag(&name)).ok().map(|value| (header::ETAG, value)));
    expose(fields);
    response
}

/// Names the ICE session, which a restart changes (RFC 9725 4.3.1).
fn etag(name: &str) -> String {
    format!("\"{}\"", escape(name))
}

fn refuse(refused: &Refused) -> Response {
    let status = match refused {
        Refused::Offer(_) => StatusCode::BAD_REQUEST,
        Refused::Denied { .. } => StatusCode::FORBIDDEN,
        Refused::Busy(_) => StatusCode::CONFLICT,
        Refused::Overload(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = text(status, &refused.to_string());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// A session that is gone is as good as ended.
fn delete(gateway: &WebRtc, query: &Query) -> Response {
    let (Some(session), Some(token)) = (session(query), query.get("token")) else {
        return text(StatusCode::BAD_REQUEST, "DELETE goes to the URL that the Location field told");
    };
    match gateway.hang_up(session, token) {
        Ok(()) | Err(Missing::Session) => {
            let mut response = empty(StatusCode::OK);
            expose(response.headers_mut());
            response
        }
        Err(Missing::Token) => text(StatusCode::FORBIDDEN, "this is not the session's token"),
        Err(Missing::Busy) => text(StatusCode::SERVICE_UNAVAILABLE, "try again in a moment"),
    }
}

/// Candidates that come late, which ICE-lite has no use for, or new credentials: an ICE restart (RFC 9725 4.3).
async fn patch(gateway: &WebRtc, query: &Query, request: Request) -> Response {
    let (Some(session), Some(token)) = (query.get("session"), query.get("token")) else {
        return text(StatusCode::BAD_REQUEST, "PATCH goes to the URL that the Location field told");
    };
    let (parts, body) = request.into_parts();
    if content_type(&parts.headers).is_some_and(|kind| kind != FRAGMENT) {
        return text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a PATCH is application/trickle-ice-sdpfrag");
    }
    let Some(fragment) = read(body).await else {
        return text(StatusCode::PAYLOAD_TOO_LARGE, "the fragment is longer than 64 KiB or no text");
    };
    let (local, remote) = session.split_once(':').unwrap_or((session, ""));
    let credentials = attribute(&fragment, "ice-ufrag").zip(attribute(&fragment, "ice-pwd"));
    let Some((ufrag, password)) = credentials.filter(|(ufrag, _)| *ufrag != remote) else {
        return match gateway.exists(local, token) {
            Ok(()) => empty(StatusCode::NO_CONTENT),
            Err(missing) => gone(missing),
        };
    };
    match gateway.restart(local, token, (ufrag.to_owned(), password.to_owned())).await {
        Ok(Some(restarted)) => {
            let name = format!("{}:{ufrag}", restarted.ufrag);
            let fragment = format!(
                "a=ice-lite\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n",
                restarted.ufrag, restarted.password
            );
            let mut response = Response::new(Body::from(fragment));
            let fields = response.headers_mut();
            fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(FRAGMENT));
            fields.extend(HeaderValue::from_str(&etag(&name)).ok().map(|value| (header::ETAG, value)));
            expose(fields);
            response
        }
        Ok(None) => gone(Missing::Session),
        Err(missing) => gone(missing),
    }
}

fn gone(missing: Missing) -> Response {
    match missing {
        Missing::Session => text(StatusCode::NOT_FOUND, "there is no such session (any more)"),
        Missing::Token => text(StatusCode::FORBIDDEN, "this is not the session's token"),
        Missing::Busy => text(StatusCode::SERVICE_UNAVAILABLE, "try again in a moment"),
    }
}

/// Our ICE user name in the `session` parameter.
fn session(query: &Query) -> Option<&str> {
    query.get("session").map(|session| session.split_once(':').map_or(session, |(local, _)| local))
}

pub(super) fn peer(extensions: &http::Extensions) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip().to_canonical())
}

fn field(fields: &HeaderMap, name: HeaderName) -> Option<&str> {
    fields.get(name).and_then(|value| value.to_str().ok())
}

/// The media type without parameters.
fn content_type(fields: &HeaderMap) -> Option<&str> {
    let kind = field(fields, header::CONTENT_TYPE)?;
    Some(kind.split(';').next().unwrap_or(kind).trim())
}

pub(super) async fn read(body: Body) -> Option<String> {
    let bytes = to_bytes(body, OFFER_MAX).await.ok()?;
    String::from_utf8(bytes.to_vec()).ok()
}

/// What a query may carry as it is; the colon of session names stays, as SRS writes it.
fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/+".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Pages of other origins read where their session is.
fn expose(fields: &mut HeaderMap) {
    fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    fields.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Location, ETag, Link, Accept-Patch"),
    );
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn text(status: StatusCode, reason: &str) -> Response {
    let mut response = Response::new(Body::from(format!("{reason}\n")));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
