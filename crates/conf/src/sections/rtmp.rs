//! RTMP listeners.

use std::path::PathBuf;

use crate::directive::section;
use crate::endpoint::Endpoint;

section! {
    /// RTMP listener, as later releases write it. [`crate::Conf`] has the values in effect at its root.
    pub struct Rtmp {
        /// RTMP endpoints.
        listen: Vec<Endpoint> = Addresses, "", "R", S;
        /// Outgoing chunk size.
        chunk_size: Option<u32> = Int("bytes"), "", "C", S;
    }
}

section! {
    /// RTMP over TLS.
    pub struct Rtmps {
        /// Start the listener.
        enabled: bool = OnlyOn, "off", "R", S;
        /// Endpoints.
        listen: Vec<Endpoint> = Addresses, "1443", "R", S;
        /// PEM private key.
        key: PathBuf = Path, "./conf/server.key", "R", S;
        /// PEM certificate.
        cert: PathBuf = Path, "./conf/server.crt", "R", S;
    }
}
