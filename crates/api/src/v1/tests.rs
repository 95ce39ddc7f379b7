//! Endpoints that exist for testing API clients.

use super::machine::now;
use crate::SRS_VERSION;
use crate::reply::{code, failure, json};
use crate::routes::State;
use crate::shapes::{ApiError, Data, TestHeaders, TestRequest};
use axum::extract::{Request, State as Shared};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HOST, LOCATION};
use std::sync::Arc;

/// What the server saw of the request
#[utoipa::path(get, path = "/api/v1/tests/requests", operation_id = "testRequests", tag = "tests",
    responses((status = 200, body = Data<TestRequest>)))]
pub(crate) async fn requests(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = request.uri().path().to_owned();
    let headers = TestHeaders {
        sigature: "Headwater",
        version: SRS_VERSION,
        link: "",
        time: now().as_micros().try_into().unwrap_or(i64::MAX),
    };
    let uri = format!("http://{host}{path}");
    let data = TestRequest { uri, path, METHOD: request.method().to_string(), headers };
    json(&Data::new(state.stats.identity(), data))
}

/// Always a failure
#[utoipa::path(get, path = "/api/v1/tests/errors", operation_id = "testErrors", tag = "tests",
    responses((status = 200, description = "Code 100", body = ApiError)))]
pub(crate) async fn errors() -> Response {
    failure(code::TEST)
}

/// Always a redirect
#[utoipa::path(get, path = "/api/v1/tests/redirects", operation_id = "testRedirects", tag = "tests",
    responses((status = 301, description = "To `/api/v1/tests/errors`")))]
pub(crate) async fn redirects() -> Response {
    (StatusCode::MOVED_PERMANENTLY, [(LOCATION, "/api/v1/tests/errors")]).into_response()
}
