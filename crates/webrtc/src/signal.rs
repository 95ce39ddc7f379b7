//! Signalling over HTTP: WHIP (RFC 9725), WHEP (draft-ietf-wish-whep) and SRS's JSON calls (srs-interfaces 3.7).

mod json;
mod whip;

use crate::WebRtc;
use axum::Router;
use axum::routing::any;
use headwater_web::percent_decode;
use std::sync::Arc;

/// `/rtc/v1/`, for the port of the API and for that of the streams.
///
/// Each request needs an `axum::extract::ConnectInfo<SocketAddr>` among its extensions; without one its peer counts as
/// unknown.
pub fn router(gateway: Arc<WebRtc>) -> Router {
    let whip = || any(whip::answer);
    Router::new()
        .route("/rtc/v1/whip", whip())
        .route("/rtc/v1/whip/", whip())
        .route("/rtc/v1/whep", whip())
        .route("/rtc/v1/whep/", whip())
        .route("/rtc/v1/whip-play", whip())
        .route("/rtc/v1/whip-play/", whip())
        .route("/rtc/v1/publish", any(json::publish))
        .route("/rtc/v1/publish/", any(json::publish))
        .route("/rtc/v1/play", any(json::play))
        .route("/rtc/v1/play/", any(json::play))
        .with_state(gateway)
}

/// `/api/v1/rtc/sessions/`: the sessions that are, and those that failed lately with the reason. For the ports of the
/// API, behind whatever guards it.
pub fn sessions(gateway: Arc<WebRtc>) -> Router {
    let list = || any(json::sessions);
    Router::new()
        .route("/api/v1/rtc/sessions", list())
        .route("/api/v1/rtc/sessions/", list())
        .with_state(gateway)
}

/// A query's parameters, decoded; a later one of the same name does not count.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: &str) -> Query {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |text: &str| percent_decode(text).unwrap_or_else(|| text.to_owned());
            (decoded(name), decoded(value))
        });
        Query(decoded.collect())
    }

    /// The value, unless it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("app=live&stream=a%2Fb&empty=&stream=c&flag");
        assert_eq!((query.get("app"), query.get("stream")), (Some("live"), Some("a/b")));
        assert_eq!((query.get("empty"), query.get("flag"), query.get("none")), (None, None, None));
    }
}
