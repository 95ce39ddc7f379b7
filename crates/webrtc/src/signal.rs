//! Signalling over HTTP: WHIP (RFC 9725), WHEP (draft-ietf-wish-whep) and SRS's JSON calls (srs-interfaces 3.7).

mod json;
mod reply;
pub(crate) mod session;
mod whip;

use crate::WebRtc;
use crate::offer::OFFER_MAX;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::any;
use headwater_web::percent_decode;
use http::{HeaderMap, header};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

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
        .route("/rtc/v1/nack", any(json::nack))
        .route("/rtc/v1/nack/", any(json::nack))
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

/// Whether `body` is one of SRS's calls.
pub(crate) fn is_call(body: &str) -> bool {
    json::Call::parse(body).is_ok()
}

/// How long a body may take: it is a few packets.
const BODY_MAX: Duration = Duration::from_secs(10);

/// A body of at most 64 KiB of text.
async fn read(body: Body) -> Result<String, Unread> {
    let bytes = tokio::time::timeout(BODY_MAX, to_bytes(body, OFFER_MAX)).await;
    let bytes = bytes.map_err(|_| Unread::Late)?.map_err(|_| Unread::Long)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| Unread::NoText)
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
enum Unread {
    #[error("the body did not come within 10 s")]
    Late,
    #[error("the body is longer than 64 KiB, or broke off")]
    Long,
    #[error("the body is no text (UTF-8)")]
    NoText,
}

/// The token of `Authorization: Bearer …` (RFC 6750 2.1), which OBS and other WHIP clients send.
fn bearer(fields: &HeaderMap) -> Option<&str> {
    let (scheme, token) = fields.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let token = token.trim();
    let good = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.bytes().all(allowed);
    good.then_some(token)
}

/// `param` with the Bearer token as `token`, where admission and callbacks look for secrets. A `token` that stands in
/// the address already is left alone.
fn with_token(param: String, query: &Query, fields: &HeaderMap) -> String {
    let Some(token) = bearer(fields).filter(|_| query.get("token").is_none()) else { return param };
    let token = token.replace('+', "%2B");
    match param.is_empty() {
        true => format!("?token={token}"),
        false => format!("{param}&token={token}"),
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod reading {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("app=live&stream=a%2Fb&empty=&stream=c&flag");
        assert_eq!((query.get("app"), query.get("stream")), (Some("live"), Some("a/b")));
        assert_eq!((query.get("empty"), query.get("flag"), query.get("none")), (None, None, None));
    }

    #[test]
    fn bearer_tokens_reach_admission() {
        let token = |value: &'static str, query: &str| {
            let fields = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            with_token(format!("?{query}"), &Query::parse(query), &fields)
        };
        assert_eq!(token("Bearer a.b-c", "app=live"), "?app=live&token=a.b-c");
        assert_eq!(token("bearer a+b/c==", "app=live"), "?app=live&token=a%2Bb/c==");
        assert_eq!(token("Bearer x", "token=own"), "?token=own");
        assert_eq!(token("Basic eDp5", "app=live"), "?app=live");
        assert_eq!(token("Bearer a&b=c", "app=live"), "?app=live");
        assert_eq!(token("Bearer", "app=live"), "?app=live");
    }
}
