//! RTMP listeners.

use crate::endpoint::Endpoint;
use crate::section::section;

section! {
    /// RTMP listener, as later releases write it. [`crate::Conf`] has the values in effect at its root.
    pub struct Rtmp {
        /// RTMP endpoints.
        listen: Vec<Endpoint> = Addresses, "", "R", S.env(&["SRS_RTMP_LISTEN", "SRS_LISTEN"]);
        /// Outgoing chunk size.
        chunk_size: Option<u32> = Int("bytes"), "", "C", S.env(&["SRS_VHOST_CHUNK_SIZE", "SRS_RTMP_CHUNK_SIZE", "SRS_CHUNK_SIZE"]);
    }
}
