use crate::reply::{json, method_not_allowed};
use crate::routes::State;
use crate::shapes::RtcSessionList;
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use http::Method;
use std::sync::Arc;

/// WebRTC sessions
///
/// Headwater's own: what each session has come to, in numbers, and why some failed, in words.
#[utoipa::path(get, path = "/api/v1/rtc/sessions/", operation_id = "listRtcSessions", tag = "streams",
    responses(
        (status = 200, body = RtcSessionList),
        (status = 405, description = "Not GET", body = String, content_type = "text/plain"),
    ))]
pub(crate) async fn sessions(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    if request.method() != Method::GET {
        return method_not_allowed("GET");
    }
    let rtc = state.rtc();
    let (sessions, failed) = rtc.map(|rtc| (rtc.live(), rtc.failed())).unwrap_or_default();
    json(&RtcSessionList { envelope: state.envelope(), sessions, failed })
}
