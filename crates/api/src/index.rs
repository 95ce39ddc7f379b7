//! The indexes `/`, `/api/`, `/api/v1/`; they also answer every path that nothing else does.

use crate::reply::json;
use crate::routes::State;
use crate::shapes::{ApiIndex, ApiUrls, RootIndex, RootUrls, RtcUrls, RtcV1Urls, V1Index, V1Tests, V1Urls};
use axum::extract::State as Shared;
use axum::response::Response;
use std::sync::Arc;

/// Where the parts of the API are
#[utoipa::path(get, path = "/", operation_id = "rootIndex", tag = "index", responses((status = 200, body = RootIndex)))]
pub(crate) async fn root(Shared(state): Shared<Arc<State>>) -> Response {
    let v1 = RtcV1Urls { play: "/rtc/v1/play/", publish: "/rtc/v1/publish/", nack: "/rtc/v1/nack/" };
    let urls = RootUrls { api: "/api/", rtc: RtcUrls { v1 } };
    json(&RootIndex { envelope: state.envelope(), urls })
}

/// Versions of the API
#[utoipa::path(get, path = "/api/", operation_id = "apiIndex", tag = "index", responses((status = 200, body = ApiIndex)))]
pub(crate) async fn api(Shared(state): Shared<Arc<State>>) -> Response {
    json(&ApiIndex { envelope: state.envelope(), urls: ApiUrls { v1: "/api/v1/" } })
}

/// What version 1 offers
#[utoipa::path(get, path = "/api/v1/", operation_id = "v1Index", tag = "index", responses((status = 200, body = V1Index)))]
pub(crate) async fn v1(Shared(state): Shared<Arc<State>>) -> Response {
    json(&V1Index { envelope: state.envelope(), urls: URLS, tests: TESTS })
}

const URLS: V1Urls = V1Urls {
    versions: "the version of the server",
    summaries: "process and machine at a glance",
    rusages: "resources used by the process",
    self_proc_stats: "the process as the kernel sees it",
    system_proc_stats: "processor time of the machine",
    meminfos: "memory of the machine",
    authors: "licence and authors",
    features: "what this build can do",
    requests: "not served; see tests/requests",
    vhosts: "virtual hosts: vhosts/ and vhosts/{id}",
    streams: "streams: streams/?start=0&count=10 and streams/{id}",
    clients: "clients: clients/?start=0&count=10 and clients/{id}; DELETE clients/{id} ends one",
    raw: "the API's configuration: raw?rpc=raw",
    clusters: "whether this node publishes a stream: clusters?vhost=&app=&stream=",
    perf: "not served",
    tcmalloc: "not served",
    console: "what the web console needs",
};

const TESTS: V1Tests = V1Tests {
    requests: "what the server saw of the request",
    errors: "always code 100",
    redirects: "redirects to errors",
    vhost: "http://error.srs.com/api/v1/tests/errors: always code 100",
};
