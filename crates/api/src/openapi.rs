//! The OpenAPI document, generated from handlers and shapes.

use crate::v1::{about, clients, clusters, console, machine, raw, rtc, streams, tests, vhosts};
use crate::{index, metrics, shapes};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Headwater HTTP API",
        description = "The API of SRS 7, field for field, and what Headwater adds. An answer with HTTP status 200 \
                       and a `code` other than 0 is a failure. Reading is open unless `http_api.auth` is enabled; \
                       changing something needs authentication, or a request made on the server itself."
    ),
    tags(
        (name = "index", description = "Where things are"),
        (name = "about", description = "Version, authors, features"),
        (name = "machine", description = "Process and machine"),
        (name = "streams", description = "Virtual hosts, streams, clients"),
        (name = "control", description = "Configuration and clusters"),
        (name = "tests", description = "For testing clients"),
        (name = "console", description = "Headwater's own, for its web console")
    ),
    paths(
        index::root, index::api, index::v1,
        about::versions, about::authors, about::features,
        machine::summaries, machine::rusages, machine::self_proc_stats, machine::system_proc_stats, machine::meminfos,
        vhosts::list, vhosts::one, streams::list, streams::one, clients::list, clients::one, clients::kick,
        raw::answer, clusters::answer, tests::requests, tests::errors, tests::redirects, metrics::show,
        console::answer, rtc::sessions,
    ),
    components(schemas(shapes::ApiError, shapes::Refused)),
    modifiers(&Security)
)]
struct Document;

/// Basic authentication, which is optional: it depends on the configuration.
struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("basic", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
    }
}

/// The OpenAPI document of the API, as pretty JSON with a newline at its end.
pub fn openapi() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default() + "\n"
}
