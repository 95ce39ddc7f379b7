//! The web console's listener.

use crate::endpoint::Endpoint;
use crate::section::section;
use crate::sections::Tls;

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
        https: Tls = S.defaults(&[("listen", "2443")]);
    }
}
