//! Certificates and keys in the forms that Talos writes them: PEM, or base64 of PEM, with a key label of its own.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{ConfigError, ConfigProblem, Field};
use crate::error::CertificateProblem;

/// The label that Talos gives an Ed25519 key, whose body is PKCS#8 all the same (`crypto/x509/constants.go`), and the
/// label by which everybody else finds such a body.
const TALOS_KEY_LABEL: &str = "ED25519 PRIVATE KEY";
const PKCS8_KEY_LABEL: &str = "PRIVATE KEY";

/// Credentials that are given as values: each PEM, or base64 of PEM.
#[derive(Clone, Debug)]
pub struct InlineCredentials {
    /// The CA of the cluster's Talos API.
    pub ca_certificate: String,
    /// The client certificate.
    pub client_certificate: String,
    /// Its key.
    pub client_key: SecretString,
}

/// Credentials that were read and found usable. Cloning is cheap; `Debug` shows roles and dates, never the key.
#[derive(Clone)]
pub struct Credentials(Arc<Inner>);

struct Inner {
    verifier: Arc<WebPkiServerVerifier>,
    identity: Arc<SingleCertAndKey>,
    roles: Vec<String>,
    not_before: SystemTime,
    not_after: SystemTime,
}

impl Credentials {
    /// Reads the three parts.
    ///
    /// # Errors
    /// Says which of the three is missing or cannot be used, or that key and certificate do not belong together; `origin`
    /// is named in it.
    pub fn new(inline: &InlineCredentials, origin: &str) -> Result<Self, ConfigError> {
        let at = |field| move |problem| ConfigError::new(origin, field, problem);
        let ca = certificates(&inline.ca_certificate).map_err(at(Field::CaCertificate))?;
        let verifier = verifier(&ca).map_err(at(Field::CaCertificate))?;
        let chain = certificates(&inline.client_certificate).map_err(at(Field::ClientCertificate))?;
        let subject = Subject::of(chain.first()).map_err(at(Field::ClientCertificate))?;
        let key = private_key(inline.client_key.expose_secret()).map_err(at(Field::ClientKey))?;
        let identity = identity(chain, key).map_err(at(Field::ClientKey))?;
        let Subject { roles, not_before, not_after } = subject;
        Ok(Self(Arc::new(Inner { verifier, identity, roles, not_before, not_after })))
    }

    /// The roles that the client certificate carries, as it has them: `os:admin`.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.0.roles
    }

    /// When the client certificate expires.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        self.0.not_after
    }

    /// Whether the client certificate is valid at that time: better asked before a dial than learnt from an alert.
    pub(crate) fn check(&self, now: SystemTime) -> Result<(), CertificateProblem> {
        let Inner { not_before, not_after, .. } = *self.0;
        if now > not_after {
            Err(CertificateProblem::Expired { since: not_after })
        } else if now < not_before {
            Err(CertificateProblem::NotYetValid { from: not_before })
        } else {
            Ok(())
        }
    }

    pub(crate) fn verifier(&self) -> Arc<dyn ServerCertVerifier> {
        self.0.verifier.clone()
    }

    pub(crate) fn identity(&self) -> Arc<SingleCertAndKey> {
        self.0.identity.clone()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { roles, not_before, not_after, .. } = &*self.0;
        let mut shown = f.debug_struct("Credentials");
        shown
            .field("roles", roles)
            .field("not_before", not_before)
            .field("not_after", not_after)
            .finish_non_exhaustive()
    }
}

/// The cryptography of every connection.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// PEM from PEM or from base64 of PEM; the base64 may be broken into lines.
fn pem(text: &str) -> Result<Cow<'_, str>, ConfigProblem> {
    if text.trim().is_empty() {
        return Err(ConfigProblem::Missing);
    }
    if text.contains("-----BEGIN ") {
        return Ok(Cow::Borrowed(text));
    }
    let compact: String = text.split_ascii_whitespace().collect();
    let decoded = STANDARD.decode(compact).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded {
        Some(text) if text.contains("-----BEGIN ") => Ok(Cow::Owned(text)),
        _ => Err(ConfigProblem::Unusable("it is neither PEM nor base64 of PEM")),
    }
}

fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, ConfigProblem> {
    let pem = pem(text)?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match parsed {
        Ok(found) if found.is_empty() => Err(ConfigProblem::Unusable("there is no certificate in its PEM")),
        Ok(found) => Ok(found),
        Err(_) => Err(ConfigProblem::Unusable("its PEM is damaged")),
    }
}

fn private_key(text: &str) -> Result<PrivateKeyDer<'static>, ConfigProblem> {
    let pem = pem(text)?.replace(TALOS_KEY_LABEL, PKCS8_KEY_LABEL);
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => ConfigProblem::Unusable("there is no private key in its PEM"),
        _ => ConfigProblem::Unusable("its PEM is damaged"),
    })
}

fn verifier(ca: &[CertificateDer<'static>]) -> Result<Arc<WebPkiServerVerifier>, ConfigProblem> {
    const NOT_A_CA: ConfigProblem = ConfigProblem::Unusable("its certificate cannot be used as a CA");
    let mut roots = RootCertStore::empty();
    for certificate in ca {
        roots.add(certificate.clone()).map_err(|_| NOT_A_CA)?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().map_err(|_| NOT_A_CA)
}

fn identity(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<SingleCertAndKey>, ConfigProblem> {
    let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            ConfigProblem::Unusable("it is not the key of the client certificate")
        }
        _ => ConfigProblem::Unusable("its kind is not supported; Ed25519, ECDSA (P-256, P-384) and RSA are"),
    })?;
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}

/// What a certificate says about its owner.
struct Subject {
    roles: Vec<String>,
    not_before: SystemTime,
    not_after: SystemTime,
}

impl Subject {
    fn of(certificate: Option<&CertificateDer<'static>>) -> Result<Self, ConfigProblem> {
        const NOT_X509: ConfigProblem = ConfigProblem::Unusable("its certificate cannot be read");
        let der = certificate.ok_or(NOT_X509)?;
        let (_, parsed) = X509Certificate::from_der(der).map_err(|_| NOT_X509)?;
        let roles = parsed.subject().iter_organization().filter_map(|name| name.as_str().ok());
        Ok(Self {
            roles: roles.map(str::to_owned).collect(),
            not_before: seconds(parsed.validity().not_before.timestamp()),
            not_after: seconds(parsed.validity().not_after.timestamp()),
        })
    }
}

fn seconds(since_1970: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(since_1970).unwrap_or(0))
}
