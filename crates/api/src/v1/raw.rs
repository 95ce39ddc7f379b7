use crate::query::Query;
use crate::reload::{Reload, Reloaded};
use crate::reply::{code, json};
use crate::routes::State;
use crate::shapes::{ApiError, RawApi, RawBegun, RawConfig, RawHttpApi, RawReload, RawReloadData, RawReply};
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use std::sync::Arc;

/// The API's own configuration; reload
///
/// `rpc=raw` tells it. `rpc=reload` lets the server load its configuration again, soon; `rpc=reload-fetch` tells how the
/// last reload went. Both need `http_api.raw_api` with `enabled` and `allow_reload`.
#[utoipa::path(get, path = "/api/v1/raw", operation_id = "raw", tag = "control",
    params(("rpc" = Option<String>, Query, description = "`raw`, `reload` or `reload-fetch`", example = "raw")),
    responses((status = 200, description = "The configuration or a reload; or code 1060: unknown rpc; or \
                                            code 1061: not allowed", body = RawReply)))]
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
        "reload" => reload(&state, |reload| {
            reload.request();
            RawReply::Begun(RawBegun { code: 0 })
        }),
        "reload-fetch" => reload(&state, |reload| RawReply::Reload(told(reload.last()))),
        _ if state.settings.raw_api.enabled => RawReply::Failed(ApiError { code: code::RAW_UNKNOWN }),
        _ => RawReply::Failed(ApiError { code: code::RAW_DISABLED }),
    })
}

fn reload(state: &State, answer: impl FnOnce(&dyn Reload) -> RawReply) -> RawReply {
    let disabled = || RawReply::Failed(ApiError { code: code::RAW_DISABLED });
    state.reload().map_or_else(disabled, |reload| answer(&**reload))
}

fn told(last: Reloaded) -> RawReload {
    let msg = match last.code {
        0 => "Success".to_owned(),
        code::FILE_OPEN => format!("code={}(FileOpen) : {}", last.code, last.error),
        _ => format!("code={}(ConfigInvalid) : {}", last.code, last.error),
    };
    let data = RawReloadData { err: last.code, msg, state: last.step as i32, rid: last.id };
    RawReload { code: 0, data }
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
