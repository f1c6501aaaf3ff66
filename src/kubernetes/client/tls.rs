//! TLS towards an API server. TLS 1.2 too: what stands before an API server may speak nothing newer.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::AuthInfo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::BuilderVerifierExt as _;
use secrecy::ExposeSecret;

use super::NoClient;

/// Trusts the CA of the configuration, or of its file, or those of the system; shows our certificate where we have one.
pub(super) fn config(config: &kube::Config) -> Result<ClientConfig, NoClient> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    let builder = match authorities(config)? {
        Some(authorities) => builder.with_root_certificates(authorities),
        None => builder.with_platform_verifier()?,
    };
    Ok(match identity(&config.auth_info) {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    })
}

/// `None`: none are named.
fn authorities(config: &kube::Config) -> Result<Option<RootCertStore>, NoClient> {
    let named: Vec<CertificateDer<'_>> = match (&config.root_cert_file, &config.root_cert) {
        (Some(path), _) => {
            let failed = |why: String| NoClient::File { path: path.display().to_string(), why };
            let pem = std::fs::read(path).map_err(|why| failed(why.to_string()))?;
            let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
            parsed
                .ok()
                .filter(|all| !all.is_empty())
                .ok_or_else(|| failed("there is no certificate in it".to_owned()))?
        }
        (None, Some(named)) => named.iter().map(|der| CertificateDer::from(der.as_slice())).collect(),
        (None, None) => return Ok(None),
    };
    let mut authorities = RootCertStore::empty();
    for authority in named {
        authorities.add(authority)?;
    }
    Ok(Some(authorities))
}

/// The client's certificate and key. Both were tried where they came from; they stand there as base64 of PEM.
fn identity(auth: &AuthInfo) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let certificate = STANDARD.decode(auth.client_certificate_data.as_deref()?).ok()?;
    let key = STANDARD.decode(auth.client_key_data.as_ref()?.expose_secret()).ok()?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
    chain.ok().zip(PrivateKeyDer::from_pem_slice(&key).ok())
}
