//! The server's certificate.

use super::MTU;
use dimpl::DtlsCertificate;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use rtc_crypto::providers::AwsLcRsProvider;
use rtc_crypto::{RTCCryptoProvider, SignatureScheme};
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, HandshakeConfig};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// When a flight without answer is sent again: a round trip of the worst paths. At most 7 times.
const RESEND: Duration = Duration::from_millis(600);

/// One for the process: peers learn its fingerprint from each answer.
#[derive(Clone)]
pub(crate) struct Certificate {
    /// Under RSA, with a key of something else.
    own: DtlsCertificate,
    /// None under RSA.
    pub(super) modern: Option<Arc<dimpl::Config>>,
    pub(super) server: Arc<HandshakeConfig>,
    pub(super) client: Arc<HandshakeConfig>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

impl Certificate {
    /// A new one, signed by itself: of ECDSA P-256, else of RSA with 2,048 bits, which takes a moment to make.
    pub(crate) fn generate(ecdsa: bool) -> Result<Certificate, String> {
        Certificate::make(ecdsa).map_err(|error| format!("making a certificate for DTLS failed: {error}"))
    }

    fn make(ecdsa: bool) -> Result<Certificate, Box<dyn std::error::Error>> {
        let elliptic = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        // Who writes answers takes no key of RSA, but only tells the fingerprint.
        let private_key = elliptic.serialize_der();
        let (key, scheme) = match ecdsa {
            true => (elliptic, SignatureScheme::EcdsaP256Sha256),
            false => {
                let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
                (key, SignatureScheme::RsaPkcs1Sha256)
            }
        };
        let certificate = CertificateParams::new(Vec::new())?.self_signed(&key)?;
        let own = DtlsCertificate { certificate: certificate.der().to_vec(), private_key };
        let provider = Arc::new(AwsLcRsProvider::new());
        let signing = provider.crypto().import_signing_key(scheme, &key.serialize_der())?;
        let classic =
            rtc_dtls::crypto::Certificate::from_signing_key(vec![certificate.der().clone()], signing);
        // ICE has shown that the peer is where it says, which is what cookies are for.
        let modern = dimpl::Config::builder().use_server_cookie(false).mtu(MTU).build()?;
        Ok(Certificate {
            own,
            modern: ecdsa.then(|| Arc::new(modern)),
            server: Arc::new(config(provider.clone(), classic.clone()).build(false, None)?),
            client: Arc::new(config(provider, classic).build(true, None)?),
        })
    }

    /// For whoever writes the answer.
    pub(crate) fn own(&self) -> &DtlsCertificate {
        &self.own
    }
}

/// Certificates are known by their fingerprints, and nobody has signed them.
fn config(provider: Arc<AwsLcRsProvider>, own: rtc_dtls::crypto::Certificate) -> ConfigBuilder {
    ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![own])
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        .with_insecure_skip_verify(true)
        .with_server_name("peer".to_owned())
        .with_srtp_protection_profiles(vec![
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        ])
        .with_flight_interval(RESEND)
        .with_mtu(MTU)
}
