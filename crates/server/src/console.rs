use axum::Router;
use axum::body::Body;
use headwater_httplive::content_type;
use http::{HeaderValue, Response, StatusCode, Uri, header};
use rust_embed::RustEmbed;

/// The console's build. Empty when the server was built without it.
#[derive(RustEmbed)]
#[folder = "../../console/dist"]
#[allow_missing = true]
struct Dist;

/// What the console may load: itself, and media and API answers from any port of any host (the reader chooses it).
const CSP: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob: http: https:; \
                   connect-src 'self' http: https: ws: wss:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; \
                   object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// The console's files; a path without extension is one of its views and gets the page itself.
pub(crate) fn router() -> Router {
    Router::new().fallback(|uri: Uri| async move { serve(uri.path()) })
}

fn serve(path: &str) -> Response<Body> {
    let path = path.trim_start_matches('/');
    let is_view = !path.rsplit('/').next().unwrap_or_default().contains('.');
    let name = if is_view { "index.html" } else { path };
    let mut response = match Dist::get(name) {
        Some(file) => Response::new(Body::from(file.data)),
        None => missing(is_view),
    };
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching(name)));
    fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// Names below assets/ carry a hash of their content, so they never change.
fn caching(name: &str) -> &'static str {
    if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" }
}

fn missing(is_view: bool) -> Response<Body> {
    let text = match is_view {
        true => {
            "<!doctype html><title>Headwater</title><p>This server was built without its console. \
                 Build it with <code>cargo xtask run</code>."
        }
        false => "Not Found\n",
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_build_is_served() {
        assert_eq!(serve("/../Cargo.toml").status(), StatusCode::NOT_FOUND);
        assert_eq!(serve("/assets/none.js").status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn every_answer_carries_the_policy() {
        assert!(serve("/").headers().contains_key(header::CONTENT_SECURITY_POLICY));
    }
}
