use super::page::Id;
use crate::reply::{code, json, method_not_allowed};
use crate::routes::State;
use crate::shapes::{ApiError, Decimal, Vhost, VhostFound, VhostHls, VhostList, VhostReply};
use crate::{Settings, VhostSettings};
use axum::extract::State as Shared;
use axum::response::Response;
use headwater_stats::VhostStat;
use http::Method;
use std::sync::Arc;

/// All virtual hosts
#[utoipa::path(get, path = "/api/v1/vhosts/", operation_id = "listVhosts", tag = "streams", responses(
    (status = 200, body = VhostList),
    (status = 405, description = "Not GET", body = String, content_type = "text/plain"),
))]
pub(crate) async fn list(Shared(state): Shared<Arc<State>>, method: Method) -> Response {
    if method != Method::GET {
        return method_not_allowed("GET");
    }
    let vhosts = state.stats.vhosts().into_iter().map(|stat| vhost(stat, &state.settings)).collect();
    json(&VhostList { envelope: state.envelope(), vhosts })
}

/// One virtual host
#[utoipa::path(get, path = "/api/v1/vhosts/{id}", operation_id = "vhost", tag = "streams",
    params(("id" = String, Path, description = "Id of the virtual host", example = "vid-11aa22b")),
    responses(
        (status = 200, description = "The virtual host, or code 2014: no such one", body = VhostReply),
        (status = 405, description = "Not GET", body = String, content_type = "text/plain"),
    ))]
pub(crate) async fn one(Shared(state): Shared<Arc<State>>, Id(id): Id, method: Method) -> Response {
    if method != Method::GET {
        return method_not_allowed("GET");
    }
    json(&match state.stats.vhost(&id) {
        Some(stat) => {
            let vhost = vhost(stat, &state.settings);
            VhostReply::Found(Box::new(VhostFound { envelope: state.envelope(), vhost }))
        }
        None => VhostReply::Failed(ApiError { code: code::NO_VHOST }),
    })
}

fn vhost(stat: VhostStat, settings: &Settings) -> Vhost {
    let configured = settings.vhosts.iter().find(|vhost| vhost.name == *stat.name);
    Vhost {
        id: stat.id.to_string(),
        name: stat.name.to_string(),
        enabled: configured.is_none_or(|vhost| vhost.enabled),
        clients: stat.clients as u64,
        streams: stat.streams as u64,
        send_bytes: stat.traffic.sent,
        recv_bytes: stat.traffic.received,
        kbps: stat.rate.into(),
        hls: hls(configured),
    }
}

fn hls(vhost: Option<&VhostSettings>) -> VhostHls {
    let fragment = vhost.and_then(|vhost| vhost.hls_fragment_s);
    VhostHls { enabled: fragment.is_some(), fragment: fragment.map(Decimal) }
}
