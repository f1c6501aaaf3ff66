//! Checks an endpoint's certificate as webpki does, and remembers what was shown when it did not pass: a node without a
//! configuration is told from a wrong CA by that certificate alone.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The common name of the certificate that Talos shows in maintenance mode (`constants.MaintenanceServiceCommonName`).
const MAINTENANCE: &str = "maintenance-service.talos.dev";

/// One per dial.
#[derive(Debug)]
pub(super) struct RememberingVerifier {
    inner: Arc<dyn ServerCertVerifier>,
    refused: Mutex<Option<CertificateDer<'static>>>,
}

impl RememberingVerifier {
    pub(super) fn new(inner: Arc<dyn ServerCertVerifier>) -> Self {
        Self { inner, refused: Mutex::new(None) }
    }

    /// Whether the certificate that did not pass is the one of a node without a configuration.
    pub(super) fn saw_maintenance_mode(&self) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.as_ref().is_some_and(is_of_maintenance_mode)
    }
}

fn is_of_maintenance_mode(certificate: &CertificateDer<'static>) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    parsed.subject().iter_common_name().any(|name| name.as_str() == Ok(MAINTENANCE))
}

impl ServerCertVerifier for RememberingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        if verdict.is_err() {
            let shown = end_entity.clone().into_owned();
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
