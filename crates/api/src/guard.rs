//! Who may change something.
//!
//! SRS lets anybody kick clients. Here a change needs one of two things: the password of `http_api.auth`, or a
//! request that was made on this machine, under a name that cannot be rebound (DNS rebinding), by no other web site.
//! A request of another web site that a browser might send with a remembered password is refused in any case.

use crate::basic_auth::Authenticated;
use crate::peer::Peer;
use crate::{Settings, reply};
use axum::response::Response;
use headwater_web::{host, without_port};
use http::header::ORIGIN;
use http::request::Parts;
use http::{Method, StatusCode};
use parking_lot::Mutex;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A refusal is logged at most this often.
const LOG_EVERY: Duration = Duration::from_secs(60);

const NOT_LOCAL: &str = "changes from another machine need a password; set http_api { auth { enabled on; \
                         username admin; password <yours>; } } in the configuration and authenticate, or call \
                         127.0.0.1 on the server itself";
const REBOUND: &str = "the name in the Host header could belong to anybody; call by IP address or localhost, or \
                       authenticate with http_api.auth";
const FOREIGN: &str = "changes by another web site are refused; call from the same origin, or send DELETE with an \
                       Authorization header of http_api.auth";

/// When a refusal was logged last.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    logged: Mutex<Option<Instant>>,
}

impl Guard {
    /// Lets a change pass, or says why not.
    pub(crate) fn change(&self, settings: &Settings, request: &Parts) -> Result<(), Box<Response>> {
        let Err((status, why)) = judge(settings, request) else { return Ok(()) };
        if self.is_due(Instant::now()) {
            let peer = request.extensions.get::<Peer>().map(|peer| peer.0.to_string());
            let peer = peer.as_deref().unwrap_or("unknown");
            tracing::warn!(peer, path = request.uri.path(), "API change refused: {why}");
        }
        Err(Box::new(reply::refusal(status, why.to_owned())))
    }

    fn is_due(&self, now: Instant) -> bool {
        let mut logged = self.logged.lock();
        let due = logged.is_none_or(|last| now.saturating_duration_since(last) >= LOG_EVERY);
        if due {
            *logged = Some(now);
        }
        due
    }
}

fn judge(settings: &Settings, request: &Parts) -> Result<(), (StatusCode, &'static str)> {
    let headers = &request.headers;
    let authenticated = request.extensions.get::<Authenticated>().is_some();
    // A browser never sends a remembered password with a cross-origin DELETE: its preflight says no to credentials.
    let deliberate = authenticated && request.method == Method::DELETE;
    if !deliberate && is_foreign(request) {
        return Err((StatusCode::FORBIDDEN, FOREIGN));
    }
    if authenticated {
        return Ok(());
    }
    if !Peer::is_local(request.extensions.get::<Peer>(), headers) {
        return Err((StatusCode::UNAUTHORIZED, NOT_LOCAL));
    }
    if !is_own_host(settings, host(&request.uri, headers).unwrap_or_default()) {
        return Err((StatusCode::FORBIDDEN, REBOUND));
    }
    Ok(())
}

/// Whether a page of another origin makes the request. Requests without the headers are not made by a browser.
fn is_foreign(request: &Parts) -> bool {
    let headers = &request.headers;
    let elsewhere = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    let Some(origin) = headers.get(ORIGIN) else { return elsewhere };
    let origin = origin.to_str().ok().and_then(|text| text.split_once("://"));
    let own = host(&request.uri, headers);
    let same = origin.zip(own).is_some_and(|((_, authority), own)| own.eq_ignore_ascii_case(authority));
    elsewhere || !same
}

/// Whether the host asked for is `localhost`, an address, or a configured name.
fn is_own_host(settings: &Settings, host: &str) -> bool {
    let name = without_port(host);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok()
        || settings.hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(peer: &str, method: Method, headers: &[(&'static str, &str)], authenticated: bool) -> Parts {
        let mut builder = http::Request::builder().method(method).uri("/api/v1/clients/x");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let (mut parts, ()) = builder.body(()).unwrap().into_parts();
        parts.extensions.insert(Peer(peer.parse().unwrap()));
        if authenticated {
            parts.extensions.insert(Authenticated);
        }
        parts
    }

    const HERE: &str = "127.0.0.1:9";
    const THERE: &str = "198.51.100.7:9";

    fn status(request: &Parts) -> u16 {
        let settings = Settings { hosts: vec!["live.example.com".into()], ..Settings::default() };
        judge(&settings, request).err().map_or(200, |(status, _)| status.as_u16())
    }

    #[test]
    fn a_change_is_made_here_or_with_the_password() {
        let check = |peer, authenticated| {
            status(&request(peer, Method::DELETE, &[("host", "127.0.0.1:1985")], authenticated))
        };
        assert_eq!(check(HERE, false), 200);
        assert_eq!(check(THERE, true), 200);
        assert_eq!(check(THERE, false), 401);
    }

    #[test]
    fn names_that_can_be_rebound_are_refused() {
        let check = |host| status(&request(HERE, Method::DELETE, &[("host", host)], false));
        for host in [
            "localhost",
            "LOCALHOST:1985",
            "127.0.0.1",
            "[::1]:1985",
            "198.51.100.5:1985",
            "live.example.com:1985",
        ] {
            assert_eq!(check(host), 200, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:1985", "", ":1985"] {
            assert_eq!(check(host), 403, "{host}");
        }
        let anyone = request(HERE, Method::DELETE, &[("host", "evil.example")], true);
        assert_eq!(status(&anyone), 200, "the password is enough");
    }

    #[test]
    fn over_http2_the_authority_is_the_host() {
        let asked = |uri: &str, headers: &[(&'static str, &str)]| {
            let mut request = request(HERE, Method::DELETE, headers, false);
            request.uri = uri.parse().unwrap();
            status(&request)
        };
        assert_eq!(asked("https://localhost:1990/api/v1/clients/x", &[]), 200);
        assert_eq!(asked("https://evil.example/api/v1/clients/x", &[]), 403);
        assert_eq!(asked("https://evil.example/api/v1/clients/x", &[("host", "localhost")]), 403);
        let own = ("origin", "https://localhost:1990");
        assert_eq!(asked("https://localhost:1990/api/v1/clients/x", &[own]), 200);
        assert_eq!(
            asked("https://localhost:1990/api/v1/clients/x", &[("origin", "https://evil.example")]),
            403
        );
    }

    #[test]
    fn other_web_sites_are_refused() {
        let host = ("host", "127.0.0.1:1985");
        let check = |method, origin, authenticated| {
            status(&request(HERE, method, &[host, ("origin", origin)], authenticated))
        };
        assert_eq!(check(Method::DELETE, "http://127.0.0.1:1985", false), 200, "our own page");
        for origin in ["http://evil.example", "null", "http://127.0.0.1:8080", "127.0.0.1:1985"] {
            assert_eq!(check(Method::DELETE, origin, false), 403, "{origin}");
            assert_eq!(check(Method::DELETE, origin, true), 200, "{origin} with the password");
            assert_eq!(check(Method::POST, origin, true), 403, "{origin}, perhaps by a form");
        }
    }

    #[test]
    fn an_image_of_another_site_changes_nothing() {
        let check = |site| {
            let headers = [("host", "127.0.0.1:1985"), ("sec-fetch-site", site)];
            status(&request(HERE, Method::GET, &headers, true))
        };
        assert_eq!((check("cross-site"), check("same-site")), (403, 403));
        assert_eq!((check("same-origin"), check("none")), (200, 200));
    }

    #[test]
    fn refusals_are_logged_once_a_minute() {
        let guard = Guard::default();
        let start = Instant::now();
        let due = [0, 1, 59, 60, 61, 200].map(|s| guard.is_due(start + Duration::from_secs(s)));
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}
