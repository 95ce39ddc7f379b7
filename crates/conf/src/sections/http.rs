//! HTTP listeners.

use std::path::PathBuf;

use crate::endpoint::Endpoint;
use crate::section::section;

section! {
    /// HTTP management API.
    pub struct HttpApi {
        /// Start the API listener. The mux itself always exists (exporter port uses it).
        enabled: bool = OnlyOn, "off", "R", S;
        /// API endpoint. Same text as http_server.listen (and same https listens) = share the HTTP server
        /// port.
        listen: Endpoint = Address, "1985", "R", S;
    }
    blocks {
        /// RAW API switches.
        raw_api: RawApi = S;
        /// HTTP Basic auth.
        auth: Auth = S;
        /// TLS API listener.
        https: Tls = S.open().defaults(&[("listen", "1990")]);
    }
    accepts {
        /// Only echoed by `rpc=raw`; CORS for the API is really controlled by http_server.crossdomain.
        "crossdomain" = UnlessOff, "on", "-", U;
    }
}

section! {
    /// RAW API switches.
    pub struct RawApi {
        /// Enable rpc=reload / reload-fetch.
        enabled: bool = OnlyOn, "off", "R", S;
        /// Permit rpc=reload.
        allow_reload: bool = OnlyOn, "off", "R", S;
    }
    accepts {
        /// Accepted, ignored (feature removed).
        "allow_query" = OnlyOn, "off", "-", U.no_env();
        /// Accepted, ignored (feature removed).
        "allow_update" = OnlyOn, "off", "-", U.no_env();
    }
}

section! {
    /// HTTP Basic auth.
    pub struct Auth {
        /// Require Basic auth on every path that contains `/api/`, on all HTTP ports.
        enabled: bool = OnlyOn, "off", "C", S;
        /// Expected user.
        username: String = Text("str"), "", "C", S;
        /// Expected password; must not contain `:`.
        password: String = Text("str"), "", "C", S;
    }
}

section! {
    /// A The same over TLS.
    pub struct Tls {
        /// Start the TLS listener; requires the plain one.
        enabled: bool = OnlyOn, "off", "R", S;
        /// TLS endpoint.
        listen: Endpoint = Address, "", "R", S;
        /// PEM private key.
        key: PathBuf = Path, "./conf/server.key", "C", S;
        /// PEM certificate.
        cert: PathBuf = Path, "./conf/server.crt", "C", S;
    }
}

section! {
    /// HTTP streaming + static server.
    pub struct HttpServer {
        /// Start the listener.
        enabled: bool = OnlyOn, "off", "R", S;
        /// HTTP endpoint.
        listen: Endpoint = Address, "8080", "R", S;
        /// Static root; `<dir>/console` is mounted at /console/ on the API mux.
        dir: PathBuf = Path, "./objs/nginx/html", "R", S;
        /// CORS headers and OPTIONS handling for all HTTP connections (stream, API, exporter).
        crossdomain: bool = UnlessOff, "on", "C", S;
    }
    blocks {
        /// The same over TLS.
        https: Tls = S.open().defaults(&[("listen", "8088")]);
    }
}
