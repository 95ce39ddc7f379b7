use crate::reply::json;
use crate::routes::State;
use crate::shapes::Console;
use axum::extract::State as Shared;
use axum::response::Response;
use std::sync::Arc;

/// What the web console needs
///
/// Ports for the addresses it shows. Without an envelope.
#[utoipa::path(get, path = "/api/v1/console", operation_id = "console", tag = "console", responses((status = 200, body = Console)))]
pub(crate) async fn answer(Shared(state): Shared<Arc<State>>) -> Response {
    json(&state.settings.console)
}
