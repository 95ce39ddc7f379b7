//! Which path is answered by what.

use crate::guard::Guard;
use crate::reload::Reload;
use crate::rtc::RtcSessions;
use crate::shapes::Envelope;
use crate::v1::{about, clients, clusters, console, machine, raw, rtc, streams, tests, vhosts};
use crate::{SERVER, Settings, basic_auth, cors, index, metrics};
use axum::Router;
use axum::extract::{OriginalUri, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use headwater_hub::Hub;
use headwater_stats::Stats;
use http::header::{CONTENT_TYPE, LOCATION, SERVER as SERVER_HEADER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use std::sync::{Arc, OnceLock};

/// What the API speaks about.
#[derive(Debug)]
pub struct State {
    /// The streams.
    pub hub: Arc<Hub>,
    /// The numbers.
    pub stats: Arc<Stats>,
    /// The configuration.
    pub settings: Settings,
    reload: Option<Arc<dyn Reload>>,
    rtc: OnceLock<Arc<dyn RtcSessions>>,
    guard: Guard,
}

impl State {
    /// A state for [`router`].
    pub fn new(hub: Arc<Hub>, stats: Arc<Stats>, settings: Settings) -> Arc<State> {
        Arc::new(State { hub, stats, settings, reload: None, rtc: OnceLock::new(), guard: Guard::default() })
    }

    /// The same, with a configuration that can be loaded again.
    pub fn with_reload(
        hub: Arc<Hub>,
        stats: Arc<Stats>,
        settings: Settings,
        reload: Arc<dyn Reload>,
    ) -> Arc<State> {
        Arc::new(State {
            hub,
            stats,
            settings,
            reload: Some(reload),
            rtc: OnceLock::new(),
            guard: Guard::default(),
        })
    }

    /// Who reloads, if `rpc=reload` is allowed to.
    pub(crate) fn reload(&self) -> Option<&Arc<dyn Reload>> {
        let allowed = self.settings.raw_api.enabled && self.settings.raw_api.allow_reload;
        self.reload.as_ref().filter(|_| allowed)
    }

    /// Tells who knows the WebRTC sessions, once.
    pub fn set_rtc(&self, sessions: Arc<dyn RtcSessions>) {
        self.rtc.set(sessions).ok(); // a second one knows no more
    }

    pub(crate) fn rtc(&self) -> Option<&Arc<dyn RtcSessions>> {
        self.rtc.get()
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(crate) fn envelope(&self) -> Envelope {
        self.stats.identity().into()
    }
}

/// The whole API, for a port of its own. It answers every path: what is unknown gets the index it lies below, as in
/// SRS.
///
/// Each request needs a [`Peer`](crate::Peer) among its extensions; without one it counts as made by a stranger.
pub fn router(state: Arc<State>) -> Router {
    let routes = routes().route("/", any(index::root)).fallback(index::root);
    serve(routes, state)
}

/// `/api`, everything below it and `/metrics`, for a port that is shared: merge it into the other's router.
pub fn paths(state: Arc<State>) -> Router {
    serve(routes(), state)
}

fn serve(routes: Router<Arc<State>>, state: Arc<State>) -> Router {
    routes
        .layer(from_fn_with_state(state.clone(), basic_auth::layer))
        .layer(from_fn_with_state(state.clone(), cors::layer))
        .layer(from_fn(sign))
        .with_state(state)
}

fn routes() -> Router<Arc<State>> {
    v1().route("/api", any(add_slash))
        .route("/api/", any(index::api))
        .route("/api/{*rest}", any(index::api))
        .route("/api/v1", any(add_slash))
        .route("/api/v1/", any(index::v1))
        .route("/api/v1/{*rest}", any(index::v1))
        .route("/metrics", any(metrics::show))
}

fn v1() -> Router<Arc<State>> {
    Router::new()
        .route("/api/v1/versions", any(about::versions))
        .route("/api/v1/authors", any(about::authors))
        .route("/api/v1/features", any(about::features))
        .route("/api/v1/summaries", any(machine::summaries))
        .route("/api/v1/rusages", any(machine::rusages))
        .route("/api/v1/self_proc_stats", any(machine::self_proc_stats))
        .route("/api/v1/system_proc_stats", any(machine::system_proc_stats))
        .route("/api/v1/meminfos", any(machine::meminfos))
        .route("/api/v1/vhosts", any(add_slash))
        .route("/api/v1/vhosts/", any(vhosts::list))
        .route("/api/v1/vhosts/{*id}", any(vhosts::one))
        .route("/api/v1/streams", any(add_slash))
        .route("/api/v1/streams/", any(streams::list))
        .route("/api/v1/streams/{*id}", any(streams::one))
        .route("/api/v1/clients", any(add_slash))
        .route("/api/v1/clients/", any(clients::all))
        .route("/api/v1/clients/{*id}", any(clients::each))
        .route("/api/v1/rtc/sessions", any(add_slash))
        .route("/api/v1/rtc/sessions/", any(rtc::sessions))
        .route("/api/v1/raw", any(raw::answer))
        .route("/api/v1/clusters", any(clusters::answer))
        .route("/api/v1/tests/requests", any(tests::requests))
        .route("/api/v1/tests/errors", any(tests::errors))
        .route("/api/v1/tests/redirects", any(tests::redirects))
        .route("/api/v1/console", any(console::answer))
}

/// 302 to the same path with a slash; the query is kept.
async fn add_slash(OriginalUri(uri): OriginalUri) -> Response {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = format!("{}/{query}", uri.path());
    let Ok(value) = HeaderValue::from_str(&location) else { return StatusCode::BAD_REQUEST.into_response() };
    let headers = [(LOCATION, value), (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))];
    (StatusCode::FOUND, headers, format!("Redirect to {location}")).into_response()
}

/// Names the server, and has browsers take every answer for what it says it is.
async fn sign(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(SERVER_HEADER, HeaderValue::from_static(SERVER));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
