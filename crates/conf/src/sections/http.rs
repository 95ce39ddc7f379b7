//! HTTP listeners.

use std::path::PathBuf;

use crate::endpoint::Endpoint;
use crate::section::section;

section! {
    /// HTTP management API.
    pub struct HttpApi {
        /// Start the API listener.
        enabled: bool = OnlyOn, "off", "R", S;
        /// API endpoint. If it is that of `http_server`, one port serves both, and both https listen on one port too.
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
        /// Cross-origin requests to the API are governed by `http_server.crossdomain`.
        "crossdomain" = UnlessOff, "on", "-", U;
    }
}

section! {
    /// RAW API switches.
    pub struct RawApi {
        /// Answer `rpc=reload` and `rpc=reload-fetch`.
        enabled: bool = OnlyOn, "off", "R", S;
        /// Permit rpc=reload.
        allow_reload: bool = OnlyOn, "off", "R", S;
    }
    accepts {
        /// Removed from SRS 4.0.
        "allow_query" = OnlyOn, "off", "-", U.no_env();
        /// Removed from SRS 4.0.
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
    /// Streams over TLS.
    pub struct StreamsTls {
        /// Start the TLS listener; requires the plain one.
        enabled: bool = OnlyOn, "off", "R", S;
        /// TLS endpoint.
        listen: Endpoint = Address, "", "R", S;
        /// PEM private key.
        key: PathBuf = Path, "./conf/server.key", "C", S;
        /// PEM certificate.
        cert: PathBuf = Path, "./conf/server.crt", "C", S;
        /// Serve HTTP/3 too, on the UDP port of the same number. Needs a build with the feature `http3`.
        h3: bool = OnlyOn, "off", "R", X.headwater();
    }
}

section! {
    /// Live streams, segments and static files over HTTP.
    pub struct HttpServer {
        /// Start the listener.
        enabled: bool = OnlyOn, "off", "R", S;
        /// HTTP endpoint.
        listen: Endpoint = Address, "8080", "R", S;
        /// Directory of the static files.
        dir: PathBuf = Path, "./objs/nginx/html", "R", S;
        /// Answer cross-origin requests, on every HTTP port.
        crossdomain: bool = UnlessOff, "on", "C", S;
    }
    blocks {
        /// The same over TLS.
        https: StreamsTls = S.open().defaults(&[("listen", "8088")]);
    }
}
