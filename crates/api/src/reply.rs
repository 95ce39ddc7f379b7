//! How answers become HTTP responses.

use crate::shapes::{ApiError, Refused};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

/// Codes of SRS that API clients see (HTTP status 200).
pub(crate) mod code {
    pub(crate) const TEST: i32 = 100;
    pub(crate) const FILE_OPEN: i32 = 1042;
    pub(crate) const RAW_UNKNOWN: i32 = 1060;
    pub(crate) const RAW_DISABLED: i32 = 1061;
    pub(crate) const EXPORTER_DISABLED: i32 = 1090;
    pub(crate) const NO_VHOST: i32 = 2014;
    pub(crate) const NO_STREAM: i32 = 2048;
    pub(crate) const NO_CLIENT: i32 = 2049;
}

/// Compact JSON with its length.
pub(crate) fn json<T: Serialize>(body: &T) -> Response {
    json_with(StatusCode::OK, body)
}

/// `{"code":N}` with status 200.
pub(crate) fn failure(code: i32) -> Response {
    json(&ApiError { code })
}

/// A refusal with its reason.
pub(crate) fn refusal(status: StatusCode, error: String) -> Response {
    json_with(status, &Refused { code: i32::from(status.as_u16()), error })
}

/// 405, as SRS words it.
pub(crate) fn method_not_allowed(allow: &'static str) -> Response {
    let headers = [(ALLOW, allow), (CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::METHOD_NOT_ALLOWED, headers, "Method Not Allowed").into_response()
}

fn json_with<T: Serialize>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "cannot write an API answer as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
