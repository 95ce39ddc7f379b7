//! What a DTLS handshake agreed on for SRTP.

use dimpl::{KeyingMaterial, SrtpProfile};

/// The keys of both directions.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) profile: SrtpProfile,
    /// Client key, server key, client salt, server salt (RFC 5764 4.2).
    pub(crate) material: KeyingMaterial,
    /// Whether we were the DTLS client.
    pub(crate) active: bool,
}
