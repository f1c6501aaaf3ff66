//! TLS towards an API server. TLS 1.2 too: what stands before an API server may speak nothing newer.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::NoClient;
use super::credentials::Identity;

/// Trusts the CA of the configuration, or of its file, or those of the system; shows our certificate where we have one.
pub(super) fn config(config: &kube::Config, identity: Option<&Identity>) -> Result<ClientConfig, NoClient> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    let builder = match authorities(config)? {
        Some(authorities) => builder.with_root_certificates(authorities),
        None => builder.with_platform_verifier()?,
    };
    let Some(identity) = identity else { return Ok(builder.with_no_client_auth()) };
    let (chain, key) = parsed(identity).ok_or_else(unusable)?;
    builder.with_client_auth_cert(chain, key).map_err(|_| unusable())
}

/// Those of the configuration were tried with the settings.
fn unusable() -> NoClient {
    NoClient::Plugin("the certificate or the key that it gave cannot be used".to_owned())
}

/// `None`: none are named.
fn authorities(config: &kube::Config) -> Result<Option<RootCertStore>, NoClient> {
    let named: Vec<CertificateDer<'_>> = match (&config.root_cert_file, &config.root_cert) {
        (Some(path), _) => {
            let failed = |why: String| NoClient::File { path: path.display().to_string(), why };
            let pem = std::fs::read(path).map_err(|why| failed(format!("the CA cannot be read: {why}")))?;
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

fn parsed(identity: &Identity) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(identity.key.expose().as_bytes());
    chain.ok().zip(key.ok())
}
