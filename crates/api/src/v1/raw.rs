use crate::query::Query;
use crate::reply::{code, json};
use crate::routes::State;
use crate::shapes::{ApiError, RawApi, RawConfig, RawHttpApi, RawReply};
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use std::sync::Arc;

/// The API's own configuration
///
/// `rpc=raw` tells it. `rpc=reload` and `rpc=reload-fetch` answer code 1061: configuration is not reloaded by the
/// API yet.
#[utoipa::path(get, path = "/api/v1/raw", operation_id = "raw", tag = "control",
    params(("rpc" = Option<String>, Query, description = "`raw`, `reload` or `reload-fetch`", example = "raw")),
    responses((status = 200, description = "The configuration; or code 1060: unknown rpc; or code 1061: not \
                                            allowed or not served", body = RawReply)))]
pub(crate) async fn answer(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let query = Query::parse(request.uri.query());
    let rpc = query.text("rpc");
    if rpc == "reload"
        && state.settings.raw_api.enabled
        && let Err(refused) = state.guard().change(&state.settings, &request)
    {
        return *refused;
    }
    json(&match rpc {
        "raw" => RawReply::Config(Box::new(config(&state))),
        "reload" | "reload-fetch" => RawReply::Failed(ApiError { code: code::RAW_DISABLED }),
        _ if state.settings.raw_api.enabled => RawReply::Failed(ApiError { code: code::RAW_UNKNOWN }),
        _ => RawReply::Failed(ApiError { code: code::RAW_DISABLED }),
    })
}

fn config(state: &State) -> RawConfig {
    let settings = &state.settings;
    let raw_api = RawApi {
        enabled: settings.raw_api.enabled,
        allow_reload: settings.raw_api.allow_reload,
        allow_query: false,
        allow_update: false,
    };
    let http_api = RawHttpApi {
        enabled: settings.http_api_enabled,
        listen: settings.api_listen(),
        crossdomain: settings.crossdomain,
        raw_api,
    };
    RawConfig { code: 0, http_api }
}
