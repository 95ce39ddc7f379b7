//! The web console's listener.

use std::path::PathBuf;

use crate::directive::section;
use crate::endpoint::Endpoint;

section! {
    /// The web console.
    pub struct Console {
        /// Serve the console.
        enabled: bool = OnlyOn, "off", "R", S;
        /// Endpoint.
        listen: Endpoint = Address, "2022", "R", S;
    }
    blocks {
        /// The console over TLS.
        https: ConsoleHttps = S;
    }
}

section! {
    /// The console over TLS.
    pub struct ConsoleHttps {
        /// Serve it.
        enabled: bool = OnlyOn, "off", "R", S;
        /// Endpoint.
        listen: Endpoint = Address, "2443", "R", S;
        /// PEM private key.
        key: PathBuf = Path, "./conf/server.key", "C", S;
        /// PEM certificate.
        cert: PathBuf = Path, "./conf/server.crt", "C", S;
    }
}
