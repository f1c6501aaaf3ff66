//! Certificates and keys as PEM or as base64 of PEM, checked before anything connects.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::InconsistentKeys;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};

use super::{Field, SettingsProblem};

type Problem = (Field, SettingsProblem);

fn unusable(field: Field, why: &str) -> Problem {
    (field, SettingsProblem::Unusable(why.to_owned()))
}

/// PEM from PEM or from base64 of PEM; the base64 may be broken into lines.
pub(super) fn pem(text: &str, field: Field) -> Result<String, Problem> {
    if text.trim().is_empty() {
        return Err((field, SettingsProblem::Missing));
    }
    if text.contains("-----BEGIN ") {
        return Ok(text.to_owned());
    }
    let compact: String = text.split_ascii_whitespace().collect();
    let decoded = STANDARD.decode(compact).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded
        .filter(|text| text.contains("-----BEGIN "))
        .ok_or_else(|| unusable(field, "it is neither PEM nor base64 of PEM"))
}

/// The certificates of a PEM, at least one.
pub(super) fn certificates(pem: &str, field: Field) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match parsed {
        Ok(found) if found.is_empty() => Err(unusable(field, "there is no certificate in its PEM")),
        Ok(found) => Ok(found),
        Err(_) => Err(unusable(field, "its PEM is damaged")),
    }
}

/// Whether certificate and key belong together and can be used.
pub(super) fn check_identity(certificate: &str, key: &SecretString) -> Result<(), Problem> {
    let chain = certificates(certificate, Field::ClientCertificate)?;
    let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => unusable(Field::ClientKey, "there is no private key in its PEM"),
        _ => unusable(Field::ClientKey, "its PEM is damaged"),
    })?;
    match CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(unusable(Field::ClientKey, "it is not the key of the client certificate"))
        }
        Err(rustls::Error::InvalidCertificate(_)) => {
            Err(unusable(Field::ClientCertificate, "its certificate cannot be read"))
        }
        Err(_) => {
            Err(unusable(Field::ClientKey, "its kind is not supported; Ed25519, ECDSA (P-256, P-384) and RSA are"))
        }
    }
}
