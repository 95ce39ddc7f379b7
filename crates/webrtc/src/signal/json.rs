//! SRS's JSON calls (srs-interfaces 3.7), and the list of sessions.

use super::whip::peer;
use super::{Query, read, reply, with_token};
use crate::WebRtc;
use crate::negotiate::Wish;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use headwater_hub::Action;
use headwater_web::{host, without_port};
use http::Method;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// SRS's number for a session that is not there.
const NO_SESSION: u32 = 5022;

/// SRS's number for parameters that are no good.
const INVALID_PARAMS: u32 = 5023;

/// What a client posts. Its other fields (`api`, `tid`) are for logs; `clientip` is what it claims, and counts for
/// nothing.
#[derive(Debug, Deserialize)]
pub(super) struct Call {
    sdp: String,
    streamurl: String,
}

impl Call {
    pub(super) fn parse(body: &str) -> Result<Call, String> {
        let wrong = |error| format!("the body is not what it should be: {error}");
        let call: Call = serde_json::from_str(body).map_err(wrong)?;
        StreamUrl::parse(&call.streamurl).is_some().then_some(call).ok_or_else(|| NO_URL.to_owned())
    }
}

const NO_URL: &str = "streamurl is not webrtc://host/app/stream";

pub(super) async fn publish(State(gateway): State<Arc<WebRtc>>, request: Request) -> Response {
    call(&gateway, Action::Publish, request).await
}

pub(super) async fn play(State(gateway): State<Arc<WebRtc>>, request: Request) -> Response {
    call(&gateway, Action::Play, request).await
}

/// Always 200 with a code, as SRS answers; the reason stands beside it.
async fn call(gateway: &WebRtc, action: Action, request: Request) -> Response {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    if *request.method() == Method::OPTIONS {
        return reply::options("OPTIONS, POST", (reply::ACCEPT_POST, "application/json"));
    }
    let (parts, body) = request.into_parts();
    let fail = |reason: &str| said(json!({"code": 400, "reason": reason}));
    let text = match read(body).await {
        Ok(text) => text,
        Err(unread) => return fail(&unread.to_string()),
    };
    let call = match Call::parse(&text) {
        Ok(call) => call,
        Err(reason) => return fail(&reason),
    };
    let Some(url) = StreamUrl::parse(&call.streamurl) else { return fail(NO_URL) };
    let asked = host(&parts.uri, &parts.headers).map_or("", without_port).to_owned();
    let of_url = Query::parse(url.query);
    let param = match (url.query.is_empty(), action) {
        (true, Action::Publish) => "?upstream=rtc".to_owned(),
        (false, Action::Publish) => format!("?{}&upstream=rtc", url.query),
        (true, Action::Play) => String::new(),
        (false, Action::Play) => format!("?{}", url.query),
    };
    let wish = Wish {
        action,
        peer: peer(&parts.extensions),
        vhost: of_url.get("vhost").or(of_url.get("domain")).unwrap_or(url.host).to_owned(),
        app: url.app.to_owned(),
        stream: url.stream.to_owned(),
        param: with_token(param, &of_url, &parts.headers),
        tc_url: format!("webrtc://{}/{}", url.host, url.app),
        page_url: String::new(),
        external: query.get("eip").or(query.get("candidate")).or(of_url.get("eip")).map(str::to_owned),
        host: if url.host.is_empty() { asked } else { url.host.to_owned() },
        codec: query.get("codec").or(of_url.get("codec")).map(str::to_owned),
        credentials: None,
        // Publishers are encrypted whatever they ask for, as in SRS.
        clear: action == Action::Play && query.get("encrypt") == Some("false"),
        offer: call.sdp,
    };
    match gateway.negotiate(wish).await {
        Ok(agreed) => said(json!({
            "code": 0,
            "server": gateway.identity.server,
            "service": gateway.identity.service,
            "pid": gateway.identity.pid,
            "sdp": agreed.answer,
            "sessionid": agreed.name,
        })),
        // `code` is 400 for everything, as in SRS; `cause` is the number that other calls tell.
        Err(refused) => said(json!({"code": 400, "cause": refused.code(), "reason": refused.to_string()})),
    }
}

/// SRS's simulator of lost packets, which is no part of a server in use: it says so instead of pretending.
pub(super) async fn nack(request: Request) -> Response {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let known = query.get("username").is_some();
    let code = if known { INVALID_PARAMS } else { NO_SESSION };
    let help = "packets are not dropped on purpose here; use `tc qdisc … netem loss` to try a lossy network";
    let told = json!({"username": query.get("username"), "drop": query.get("drop"), "help": help});
    said(json!({"code": code, "query": told}))
}

fn said(value: serde_json::Value) -> Response {
    let mut response = Json(value).into_response();
    reply::open(response.headers_mut());
    response
}

/// `webrtc://host[:port]/app/stream[?query]`; the app may have several parts.
#[derive(Debug, PartialEq, Eq)]
struct StreamUrl<'a> {
    host: &'a str,
    app: &'a str,
    stream: &'a str,
    query: &'a str,
}

impl StreamUrl<'_> {
    fn parse(url: &str) -> Option<StreamUrl<'_>> {
        let (_, rest) = url.split_once("://")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = path.split_once('/')?;
        let (app, stream) = path.rsplit_once('/')?;
        let whole = !app.is_empty() && !stream.is_empty();
        whole.then_some(StreamUrl { host: without_port(host), app, stream, query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_urls() {
        let url = StreamUrl::parse("webrtc://h.com:1990/live/sub/cam?vhost=v").unwrap();
        assert_eq!(url, StreamUrl { host: "h.com", app: "live/sub", stream: "cam", query: "vhost=v" });
        for bad in ["", "webrtc://", "webrtc://h", "webrtc://h/live", "webrtc://h/live/", "live/cam"] {
            assert_eq!(StreamUrl::parse(bad), None, "{bad}");
        }
    }
}
