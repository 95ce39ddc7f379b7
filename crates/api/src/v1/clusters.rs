use crate::query::Query;
use crate::reply::json;
use crate::routes::State;
use crate::shapes::{ClusterData, ClusterOrigin, ClusterQuery, Clusters};
use axum::extract::{RawQuery, State as Shared};
use axum::response::Response;
use headwater_hub::StreamName;
use headwater_stats::local_ip;
use std::sync::Arc;

/// The virtual host of every name that is not configured.
const DEFAULT_VHOST: &str = "__defaultVhost__";

/// Whether this node publishes a stream
#[utoipa::path(get, path = "/api/v1/clusters", operation_id = "clusters", tag = "control",
    params(
        ("ip" = Option<String>, Query, description = "Address of the client; only echoed"),
        ("vhost" = Option<String>, Query, description = "Virtual host"),
        ("app" = Option<String>, Query, description = "App"),
        ("stream" = Option<String>, Query, description = "Stream name"),
        ("coworker" = Option<String>, Query, description = "`host[:port]` by which this node was asked"),
    ),
    responses((status = 200, body = Clusters)))]
pub(crate) async fn answer(Shared(state): Shared<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(query.as_deref());
    let text = |key| query.text(key).to_owned();
    let asked =
        ClusterQuery { ip: text("ip"), vhost: text("vhost"), app: text("app"), stream: text("stream") };
    let origin = publishes(&state, &asked).map(|vhost| origin(&state, vhost, query.text("coworker")));
    json(&Clusters { code: 0, data: ClusterData { query: asked, origin } })
}

/// The virtual host under which the stream is published here.
fn publishes(state: &State, asked: &ClusterQuery) -> Option<String> {
    let configured = state.settings.vhosts.iter().any(|vhost| vhost.name == asked.vhost);
    let vhost = if configured { &asked.vhost } else { DEFAULT_VHOST };
    let name = StreamName::new(vhost, &asked.app, &asked.stream).ok()?;
    let live = state.hub.find(&name)?.is_live();
    live.then(|| vhost.to_owned())
}

fn origin(state: &State, vhost: String, coworker: &str) -> ClusterOrigin {
    let asked_by = without_port(coworker);
    let ip = match state.settings.rtmp_ip {
        Some(ip) => ip.to_string(),
        None if !asked_by.is_empty() => asked_by.to_owned(),
        None => local_ip().to_string(),
    };
    let listen = state.settings.api_listen();
    let bare = listen.bytes().all(|b| b.is_ascii_digit());
    let api = if bare { format!("{ip}:{listen}") } else { listen };
    let port = state.settings.console.rtmp_port;
    ClusterOrigin { ip, port, vhost, routers: vec![api.clone()], api }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, _)) if !name.is_empty() && !name.ends_with(':') => name,
        _ => host,
    }
}
