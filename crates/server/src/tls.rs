use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

/// A certificate or key that cannot be used.
#[derive(Debug, Error)]
#[error("cannot use {path} for TLS: {cause}; set `{block}.{name}` to a PEM file that this process can read")]
pub struct TlsError {
    path: PathBuf,
    /// The block of directives.
    block: &'static str,
    name: &'static str,
    cause: String,
}

/// Loads a certificate chain and its key, both PEM, that the directives `cert` and `key` of `block` name. `alpn` lists
/// the protocols offered, best first.
pub(crate) fn acceptor(
    block: &'static str,
    cert: &Path,
    key: &Path,
    alpn: &[&[u8]],
) -> Result<TlsAcceptor, TlsError> {
    Ok(TlsAcceptor::from(Arc::new(config(block, cert, key, alpn)?)))
}

/// The same for other transports.
pub(crate) fn config(
    block: &'static str,
    cert: &Path,
    key: &Path,
    alpn: &[&[u8]],
) -> Result<ServerConfig, TlsError> {
    let bad_cert = |cause: String| TlsError { path: cert.to_owned(), block, name: "cert", cause };
    let bad_key = |cause: String| TlsError { path: key.to_owned(), block, name: "key", cause };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|e| bad_cert(e.to_string()))?;
    if chain.is_empty() {
        return Err(bad_cert("it holds no certificate".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| bad_key(e.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| bad_cert(e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => {
                bad_key(format!("it is not the key of the certificate {}", cert.display()))
            }
            other => bad_cert(other.to_string()),
        })?;
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_with_its_directive() {
        let error = acceptor("rtmps", Path::new("/nowhere/a.crt"), Path::new("/nowhere/a.key"), &[])
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("/nowhere/a.crt") && error.contains("`rtmps.cert`"), "{error}");
    }
}
