//! Cross-origin headers as SRS sends them. They open reading to every web site; what changes state is checked
//! again in [`guard`](crate::guard).

use crate::State;
use axum::extract::{Request, State as Shared};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::sync::Arc;

/// Sent when the request has an `Origin`. `Authorization` is named because `*` does not cover it (Fetch standard).
const HEADERS: [(&str, &str); 6] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "*"),
    ("access-control-allow-headers", "*, Authorization"),
    ("access-control-expose-headers", "*"),
    ("access-control-allow-credentials", "false"),
    ("access-control-request-private-network", "true"),
];

pub(crate) async fn layer(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    let allowed = state.settings.crossdomain;
    let origin = request.headers().contains_key(ORIGIN);
    let mut response = match (request.method() == Method::OPTIONS, allowed) {
        (true, true) => StatusCode::OK.into_response(),
        (true, false) => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        (false, _) => next.run(request).await,
    };
    if origin && allowed {
        open(response.headers_mut());
    }
    response
}

fn open(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}
