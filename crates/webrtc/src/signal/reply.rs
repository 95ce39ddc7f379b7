//! What signalling answers with: every answer can be read by pages of other origins, and has no place in caches.

use super::Unread;
use crate::negotiate::{Refused, code};
use crate::registry::Missing;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// Offers and answers (RFC 8866).
pub(super) const SDP: &str = "application/sdp";

/// Candidates and credentials that come after the offer (RFC 8840).
pub(super) const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

pub(super) const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
pub(super) const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// Seconds after which one may try again: waiting sessions are forgotten after thirty.
const RETRY_AFTER: &str = "5";

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    dressed(status, Body::empty())
}

/// An answer of that media type.
pub(super) fn content(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = dressed(status, body.into());
    set(&mut response, header::CONTENT_TYPE, kind);
    response
}

/// A reason, for people.
pub(super) fn text(status: StatusCode, reason: &str) -> Response {
    let mut response = content(status, "text/plain; charset=utf-8", format!("{reason}\n"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        set(&mut response, header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

/// A method that the resource does not know.
pub(super) fn not_allowed(methods: &'static str, reason: &str) -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, reason);
    set(&mut response, header::ALLOW, methods);
    response
}

/// What may be sent here (RFC 9110 9.3.7), to a browser that asks on behalf of a page as well.
pub(super) fn options(methods: &'static str, takes: (HeaderName, &'static str)) -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    set(&mut response, header::ALLOW, methods);
    set(&mut response, takes.0, takes.1);
    set(&mut response, header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    set(&mut response, header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match");
    set(&mut response, header::ACCESS_CONTROL_MAX_AGE, "86400");
    response
}

/// Why there is no session. `proven`: the client has sent credentials.
pub(super) fn refusal(refused: &Refused, proven: bool) -> Response {
    let status = match refused {
        Refused::Offer(_) => StatusCode::BAD_REQUEST,
        Refused::Busy(_) => StatusCode::CONFLICT,
        Refused::Overload(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refused::Denied { code, .. } => denied(*code, proven),
    };
    let mut response = text(status, &refused.to_string());
    if status == StatusCode::UNAUTHORIZED {
        set(&mut response, header::WWW_AUTHENTICATE, "Bearer");
    }
    response
}

/// A refusal that depends on who asks is 401 for a client that has not said who it is.
fn denied(code: u32, proven: bool) -> StatusCode {
    match code {
        code::NO_VHOST => StatusCode::NOT_FOUND,
        code::BAD_NAME => StatusCode::BAD_REQUEST,
        code::DISABLED | code::BY_ADDRESS | code::NOT_ALLOWED | code::REFER => StatusCode::FORBIDDEN,
        _ if proven => StatusCode::FORBIDDEN,
        _ => StatusCode::UNAUTHORIZED,
    }
}

/// Why a body was not read.
pub(super) fn unread(unread: Unread) -> Response {
    let status = match unread {
        Unread::Late => StatusCode::REQUEST_TIMEOUT,
        Unread::Long => StatusCode::PAYLOAD_TOO_LARGE,
        Unread::NoText => StatusCode::BAD_REQUEST,
    };
    text(status, &unread.to_string())
}

/// Why nothing was done to a session.
pub(super) fn missing(missing: Missing) -> Response {
    match missing {
        Missing::Session => text(StatusCode::NOT_FOUND, "there is no such session (any more)"),
        Missing::Token => text(StatusCode::FORBIDDEN, "this is not the session's token"),
        Missing::Busy => text(StatusCode::SERVICE_UNAVAILABLE, "the server is busy; try again in a moment"),
    }
}

pub(super) fn set(response: &mut Response, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

fn dressed(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    open(response.headers_mut());
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

/// Pages of other origins may read the answer, and where their session is. No cookie plays a part here.
pub(super) fn open(fields: &mut HeaderMap) {
    fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    fields.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Location, ETag, Link, Accept-Patch, WWW-Authenticate, Retry-After"),
    );
}
