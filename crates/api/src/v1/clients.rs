use super::page::{Id, page, stream_filter};
use crate::query::Query;
use crate::reply::{code, json, method_not_allowed};
use crate::routes::State;
use crate::shapes::{ApiError, Client, ClientFound, ClientList, ClientReply, Decimal, KickReply, Refused};
use axum::extract::{RawQuery, Request, State as Shared};
use axum::response::Response;
use headwater_stats::{ClientFilter, ClientStat};
use http::Method;
use std::sync::Arc;

/// `/api/v1/clients/` by method.
pub(crate) async fn all(state: Shared<Arc<State>>, query: RawQuery, request: Request) -> Response {
    match *request.method() {
        Method::GET => list(state, query).await,
        Method::DELETE => kick(state, Id(String::new()), request).await,
        _ => method_not_allowed("GET, DELETE"),
    }
}

/// `/api/v1/clients/{id}` by method.
pub(crate) async fn each(state: Shared<Arc<State>>, id: Id, request: Request) -> Response {
    match *request.method() {
        Method::GET => one(state, id).await,
        Method::DELETE => kick(state, id, request).await,
        _ => method_not_allowed("GET, DELETE"),
    }
}

/// Clients
///
/// Publishers and players, sorted by id. The filters are Headwater's own; several of them must all match.
#[utoipa::path(get, path = "/api/v1/clients/", operation_id = "listClients", tag = "streams",
    params(
        ("start" = Option<u64>, Query, description = "Clients to skip; 0 by default"),
        ("count" = Option<u64>, Query, description = "Clients to give at most; 10 by default and at least"),
        ("vhost" = Option<String>, Query, description = "Only of this virtual host, by name or id"),
        ("app" = Option<String>, Query, description = "Only of this app"),
        ("stream" = Option<String>, Query, description = "Only of this stream, by name or id; `name` is the same"),
        ("type" = Option<String>, Query, description = "Only of this client type", example = "flv-play"),
    ),
    responses(
        (status = 200, body = ClientList),
        (status = 405, description = "Neither GET nor DELETE", body = String, content_type = "text/plain"),
    ))]
pub(crate) async fn list(Shared(state): Shared<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(query.as_deref());
    let filter = ClientFilter { stream: stream_filter(&query), kind: query.given("type") };
    let (clients, total) = state.stats.clients(&filter, page(&query));
    let clients = clients.iter().map(client).collect();
    json(&ClientList { envelope: state.envelope(), total: total as u64, clients })
}

/// One client
#[utoipa::path(get, path = "/api/v1/clients/{id}", operation_id = "client", tag = "streams",
    params(("id" = String, Path, description = "Id of the client", example = "a1b2c3d4")),
    responses(
        (status = 200, description = "The client, or code 2049: no such one", body = ClientReply),
        (status = 405, description = "Neither GET nor DELETE", body = String, content_type = "text/plain"),
    ))]
pub(crate) async fn one(Shared(state): Shared<Arc<State>>, Id(id): Id) -> Response {
    json(&match state.stats.client(&id) {
        Some(stat) => {
            let found = ClientFound { envelope: state.envelope(), client: client(&stat) };
            ClientReply::Found(Box::new(found))
        }
        None => ClientReply::Failed(ApiError { code: code::NO_CLIENT }),
    })
}

/// End a client
///
/// Its connection ends soon after. Needs authentication (`http_api.auth`), or a request that is made on the server
/// itself, by IP address or `localhost`, by no other web site.
#[utoipa::path(delete, path = "/api/v1/clients/{id}", operation_id = "endClient", tag = "streams",
    params(("id" = String, Path, description = "Id of the client", example = "a1b2c3d4")),
    responses(
        (status = 200, description = "The client was asked to leave, or code 2049: no such one", body = KickReply),
        (status = 401, description = "From another machine without authentication", body = Refused),
        (status = 403, description = "By another web site, or under a name that anybody may own", body = Refused),
    ),
    security((), ("basic" = [])))]
pub(crate) async fn kick(Shared(state): Shared<Arc<State>>, Id(id): Id, request: Request) -> Response {
    let (request, _) = request.into_parts();
    if let Err(refused) = state.guard().change(&state.settings, &request) {
        return *refused;
    }
    json(&match state.stats.client(&id) {
        Some(stat) => {
            stat.session.kick();
            tracing::info!(client = %stat.session.id(), "client ended by the API");
            KickReply::Kicked(state.envelope())
        }
        None => KickReply::Failed(ApiError { code: code::NO_CLIENT }),
    })
}

fn client(stat: &ClientStat) -> Client {
    let info = stat.session.info();
    Client {
        id: info.id.to_string(),
        vhost: stat.vhost_id.to_string(),
        stream: stat.stream_id.to_string(),
        ip: info.ip.to_string(),
        pageUrl: info.page_url.to_string(),
        swfUrl: info.swf_url.to_string(),
        tcUrl: info.tc_url.to_string(),
        url: info.name.url(),
        name: info.shown_name.to_string(),
        kind: info.kind,
        publish: info.publish,
        alive: Decimal(stat.session.age().as_secs_f64()),
        send_bytes: stat.session.sent.total(),
        recv_bytes: stat.session.received.total(),
        kbps: stat.rate.into(),
    }
}
