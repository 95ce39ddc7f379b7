//! A session's own URL: late candidates and ICE restarts by PATCH (RFC 9725 4.3), the end by DELETE (4.2).

use super::reply::{self, ACCEPT_PATCH, FRAGMENT, content, empty, not_allowed, text};
use super::whip::{content_type, tag};
use super::{Query, read};
use crate::WebRtc;
use crate::answer::fragment;
use crate::negotiate::Restarted;
use crate::offer::{attribute, is_password, is_ufrag};
use crate::registry::{IceNames, Missing};
use axum::extract::Request;
use axum::response::Response;
use headwater_web::EntityTag;
use http::{HeaderMap, Method, StatusCode, header};

const METHODS: &str = "OPTIONS, PATCH, DELETE";

/// What a session's URL tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Url<'a> {
    /// The ICE user name that we began with.
    name: &'a str,
    /// The proof that whoever comes has seen the answer to its offer.
    token: &'a str,
}

impl Url<'_> {
    /// `None` for the URL of an endpoint.
    pub(super) fn parse(query: &Query) -> Option<Url<'_>> {
        let session = query.get("session")?;
        let name = session.split_once(':').map_or(session, |(local, _)| local);
        Some(Url { name, token: query.get("token")? })
    }
}

pub(super) async fn answer(gateway: &WebRtc, url: Url<'_>, request: Request) -> Response {
    match *request.method() {
        Method::OPTIONS => reply::options(METHODS, (ACCEPT_PATCH, FRAGMENT)),
        Method::DELETE => match gateway.hang_up(url.name, url.token) {
            Ok(()) => empty(StatusCode::OK),
            Err(missing) => reply::missing(missing),
        },
        Method::PATCH => patch(gateway, url, request).await,
        _ => not_allowed(METHODS, "a session takes PATCH and DELETE"),
    }
}

async fn patch(gateway: &WebRtc, url: Url<'_>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !content_type(&parts.headers).is_some_and(|kind| kind.eq_ignore_ascii_case(FRAGMENT)) {
        return text(StatusCode::UNSUPPORTED_MEDIA_TYPE, &format!("a PATCH is {FRAGMENT}"));
    }
    let body = match read(body).await {
        Ok(body) => body,
        Err(unread) => return reply::unread(unread),
    };
    let present = match gateway.registry.ice(url.name, url.token) {
        Ok(ice) => ice,
        Err(missing) => return reply::missing(missing),
    };
    match Condition::of(&parts.headers, &present) {
        Condition::None => {
            let reason = "If-Match is missing: the session's ETag for candidates, * to restart ICE";
            return text(StatusCode::PRECONDITION_REQUIRED, reason);
        }
        Condition::Unmet => {
            return text(StatusCode::PRECONDITION_FAILED, "If-Match names an ICE session that is over");
        }
        Condition::Met => {}
    }
    match Wanted::of(&body, &present) {
        // Nothing is done with candidates: this side is ICE-lite and answers where requests come from.
        Some(Wanted::Nothing) => empty(StatusCode::NO_CONTENT),
        Some(Wanted::Restart { ufrag }) => {
            restarted(gateway.restart(url.name, url.token, ufrag.to_owned()).await, ufrag)
        }
        None => {
            text(StatusCode::BAD_REQUEST, "the fragment has neither candidates nor valid ICE credentials")
        }
    }
}

fn restarted(outcome: Result<Option<Restarted>, Missing>, remote: &str) -> Response {
    match outcome {
        Ok(Some(new)) => {
            let name = format!("{}:{remote}", new.ufrag);
            let mut response = content(StatusCode::OK, FRAGMENT, fragment(&new));
            tag(response.headers_mut(), &name);
            response
        }
        Ok(None) => reply::missing(Missing::Session),
        Err(missing) => reply::missing(missing),
    }
}

/// Whether the request is about the present ICE session (`If-Match`, RFC 9110 13.1.1).
#[derive(Debug, PartialEq, Eq)]
enum Condition {
    None,
    Met,
    Unmet,
}

impl Condition {
    fn of(fields: &HeaderMap, present: &IceNames) -> Condition {
        if !fields.contains_key(header::IF_MATCH) {
            return Condition::None;
        }
        let tag = EntityTag::new(format!("{}:{}", present.local, present.remote));
        let lists = fields.get_all(header::IF_MATCH).iter().filter_map(|list| list.to_str().ok());
        let met = |given: &str| given == "*" || given == tag.as_str();
        match lists.flat_map(|list| list.split(',')).map(str::trim).any(met) {
            true => Condition::Met,
            false => Condition::Unmet,
        }
    }
}

/// What a fragment (RFC 8840 9) asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    /// Candidates, or the word that there are no more.
    Nothing,
    /// A new ICE session with this user name of the peer's. Its password is for checks of ours, which are not sent.
    Restart { ufrag: &'a str },
}

impl Wanted<'_> {
    /// `None` for what is no fragment, or one with credentials that ICE does not allow.
    pub(crate) fn of<'a>(fragment: &'a str, present: &IceNames) -> Option<Wanted<'a>> {
        let ufrag = attribute(fragment, "ice-ufrag");
        match ufrag.filter(|ufrag| **ufrag != *present.remote).zip(attribute(fragment, "ice-pwd")) {
            Some((ufrag, password)) => {
                (is_ufrag(ufrag) && is_password(password)).then_some(Wanted::Restart { ufrag })
            }
            None => {
                let late =
                    |line: &str| line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates");
                (ufrag.is_some() || fragment.lines().any(late)).then_some(Wanted::Nothing)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present() -> IceNames {
        IceNames { local: "ours".into(), remote: "them".into() }
    }

    #[test]
    fn conditions_name_the_ice_session() {
        let condition = |lines: &[&'static str]| {
            let mut fields = HeaderMap::new();
            for line in lines {
                fields.append(header::IF_MATCH, line.parse().unwrap());
            }
            Condition::of(&fields, &present())
        };
        assert_eq!(condition(&[]), Condition::None);
        assert_eq!(condition(&["*"]), Condition::Met);
        assert_eq!(condition(&["\"ours:them\""]), Condition::Met);
        assert_eq!(condition(&["\"x\"", "\"y\", \"ours:them\""]), Condition::Met);
        assert_eq!(condition(&["W/\"ours:them\""]), Condition::Unmet);
        assert_eq!(condition(&["ours:them"]), Condition::Unmet);
        assert_eq!(condition(&["\"other:them\""]), Condition::Unmet);
    }

    #[test]
    fn new_credentials_restart_ice() {
        let wanted = |fragment| Wanted::of(fragment, &present());
        let password = "a=ice-pwd:0123456789abcdefghijkl\r\n";
        let same = format!("a=ice-ufrag:them\r\n{password}a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n");
        assert_eq!(wanted(&same), Some(Wanted::Nothing));
        assert_eq!(wanted("a=ice-ufrag:them\r\na=end-of-candidates\r\n"), Some(Wanted::Nothing));
        let new = format!("a=ice-ufrag:other\r\n{password}");
        assert_eq!(wanted(&new), Some(Wanted::Restart { ufrag: "other" }));
        assert_eq!(wanted("a=ice-ufrag:other\r\na=ice-pwd:short\r\n"), None);
        assert_eq!(wanted("hello"), None);
        assert_eq!(wanted(""), None);
    }
}
