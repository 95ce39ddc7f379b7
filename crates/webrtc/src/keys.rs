//! The keys that DTLS agrees on, for the side of SRTP that is ours.
//!
//! str0m keeps them to itself, but lets its user bring the DTLS implementation: this one is its own, and hands on what
//! passes. A state machine is driven from one thread at a time, so what was heard during a call belongs to it.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};
use std::time::Instant;
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial,
    ProtocolVersion, SrtpProfile,
};
use str0m::crypto::{CryptoError, CryptoProvider};

/// What a finished handshake agreed on.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) profile: SrtpProfile,
    /// Client key, server key, client salt, server salt (RFC 5764 4.2).
    pub(crate) material: KeyingMaterial,
    /// Whether we were the DTLS client.
    pub(crate) active: bool,
}

thread_local! {
    static HEARD: RefCell<Option<Keys>> = const { RefCell::new(None) };
}

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let own = str0m::crypto::from_feature_flags();
    let dtls: &'static Listening = Box::leak(Box::new(Listening(own.dtls_provider))); // one for the process
    Arc::new(CryptoProvider { dtls_provider: dtls, ..own })
});

/// str0m's cryptography, with the handshake's outcome to be [`taken`](take).
pub(crate) fn provider() -> Arc<CryptoProvider> {
    PROVIDER.clone()
}

/// The keys of the state machine that this thread drove last, if its handshake finished meanwhile.
pub(crate) fn take() -> Option<Keys> {
    HEARD.take()
}

#[derive(Debug)]
struct Listening(&'static dyn DtlsProvider);

impl DtlsProvider for Listening {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.0.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let instance = self.0.new_dtls(cert, now, version, mtu)?;
        Ok(Box::new(Overheard(instance)))
    }

    fn is_test(&self) -> bool {
        self.0.is_test()
    }
}

#[derive(Debug)]
struct Overheard(Box<dyn DtlsInstance>);

impl DtlsInstance for Overheard {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let active = self.0.is_active();
        let output = self.0.poll_output(buf);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            let material = KeyingMaterial::new(material);
            HEARD.set(Some(Keys { profile: *profile, material, active }));
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}
