//! HTTP Basic authentication (RFC 7617) of every path that contains `/api/`, as SRS has it.

use crate::{Auth, State};
use axum::extract::{Request, State as Shared};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// Set on requests that brought the right user and password.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authenticated;

pub(crate) async fn layer(Shared(state): Shared<Arc<State>>, mut request: Request, next: Next) -> Response {
    let Some(auth) = &state.settings.auth else { return next.run(request).await };
    if is_authentic(auth, request.headers()) {
        request.extensions_mut().insert(Authenticated);
    } else if request.uri().path().contains("/api/") {
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Basic")]).into_response();
    }
    next.run(request).await
}

fn is_authentic(auth: &Auth, headers: &HeaderMap) -> bool {
    let Some(given) = headers.get(AUTHORIZATION).and_then(|value| credentials(value.as_bytes())) else {
        return false;
    };
    let expected = format!("{}:{}", auth.username, auth.password);
    !auth.password.is_empty() && bool::from(given.ct_eq(expected.as_bytes()))
}

/// `user:password` of `Basic <base64>`.
fn credentials(value: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = value.split_at_checked("Basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    BASE64_STANDARD.decode(rest.trim_ascii()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, password: &str) -> bool {
        let auth = Auth { username: "admin".into(), password: password.into() };
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, header.parse().unwrap());
        is_authentic(&auth, &headers)
    }

    #[test]
    fn only_the_right_password_opens() {
        assert!(check("Basic YWRtaW46cHc=", "pw")); // admin:pw
        assert!(check("basic YWRtaW46cHc=", "pw"));
        for header in ["Basic YWRtaW46cA==", "Basic ", "Basic !!", "Bearer YWRtaW46cHc=", "YWRtaW46cHc=", ""]
        {
            assert!(!check(header, "pw"), "{header}");
        }
    }

    #[test]
    fn an_empty_password_opens_nothing() {
        assert!(!check("Basic YWRtaW46", "")); // admin:
    }

    #[test]
    fn without_a_header_there_is_no_access() {
        let auth = Auth { username: String::new(), password: String::new() };
        assert!(!is_authentic(&auth, &HeaderMap::new()));
    }
}
