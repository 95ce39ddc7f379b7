use crate::query::Query;
use crate::shapes::Kbps;
use axum::extract::{FromRequestParts, Path};
use headwater_stats::{Page, Rate, StreamFilter};
use http::request::Parts;
use std::convert::Infallible;

/// The id at the end of a path. One that is not text is no id of anything, and so is empty here.
pub(crate) struct Id(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Id, Infallible> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        Ok(Id(id.map(|Path(id)| id).unwrap_or_default()))
    }
}

/// Items in a page unless more are asked for; SRS gives no fewer either.
const COUNT_MIN: i64 = 10;

/// Items in a page at most.
const COUNT_MAX: i64 = 10_000;

impl From<Rate> for Kbps {
    fn from(rate: Rate) -> Kbps {
        Kbps { recv_30s: rate.received_kbps, send_30s: rate.sent_kbps }
    }
}

/// `start` and `count` of a query.
pub(crate) fn page(query: &Query) -> Page {
    let start = query.number("start").max(0);
    let count = query.number("count").clamp(COUNT_MIN, COUNT_MAX);
    Page { start: usize::try_from(start).unwrap_or(usize::MAX), count: usize::try_from(count).unwrap_or(0) }
}

/// `vhost`, `app` and `stream` (or `name`) of a query.
pub(crate) fn stream_filter(query: &Query) -> StreamFilter {
    StreamFilter {
        vhost: query.given("vhost"),
        app: query.given("app"),
        stream: query.given("stream").or_else(|| query.given("name")),
    }
}
