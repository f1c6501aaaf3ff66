//! TLS towards a Talos API, and what its failures mean. TLS 1.3 alone: every Talos from 1.8 on speaks it, and those from
//! 1.13 on nothing else.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::{AlertDescription, CertificateError, ClientConfig, PeerIncompatible, version};
use rustls_pki_types::UnixTime;

use super::verifier::RememberingVerifier;
use crate::config::{Credentials, Endpoint, provider};
use crate::error::{CertificateProblem, ErrorKind, Refusal, Unreachable};

/// HTTP/2; a server that does not choose it is no Talos.
pub(super) const ALPN: &[u8] = b"h2";

/// What one handshake needs.
pub(super) fn config(
    credentials: &Credentials,
    verifier: Arc<RememberingVerifier>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&version::TLS13])?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(credentials.identity());
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Talos gives out no session tickets.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// Why a handshake failed.
pub(super) fn failed_handshake(error: &io::Error, endpoint: &Endpoint, verifier: &RememberingVerifier) -> ErrorKind {
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(_)) if verifier.saw_maintenance_mode() => {
            ErrorKind::Certificate(CertificateProblem::MaintenanceMode)
        }
        Some(rustls::Error::InvalidCertificate(reason)) => ErrorKind::Certificate(server_certificate(reason, endpoint)),
        Some(other) => tls_failure(other),
        None => lost(format!("{} during the TLS handshake", in_words(error))),
    }
}

/// Why a connection that had been there broke. In TLS 1.3 a server judges the client's certificate after the client has
/// finished its handshake, so that a refusal comes here.
pub(super) fn broken_stream(error: &io::Error) -> ErrorKind {
    match tls_error(error) {
        Some(error) => tls_failure(error),
        None => lost(in_words(error)),
    }
}

fn lost(how: String) -> ErrorKind {
    ErrorKind::Unreachable(Unreachable::Lost(how))
}

/// The common ends of a connection in the words of an operator; rustls would tell a developer to read its manual.
fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => "closed by the endpoint".to_owned(),
        io::ErrorKind::ConnectionReset => "reset by the endpoint".to_owned(),
        _ => error.to_string(),
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn tls_failure(error: &rustls::Error) -> ErrorKind {
    match error {
        rustls::Error::AlertReceived(alert) => match refusal(*alert) {
            Some(refusal) => ErrorKind::Certificate(CertificateProblem::NotAccepted(refusal)),
            None => ErrorKind::NotTalos(format!("it ends the TLS handshake with the alert {alert:?}")),
        },
        rustls::Error::InvalidMessage(_) => ErrorKind::NotTalos("it does not speak TLS".to_owned()),
        rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            ErrorKind::NotTalos("it does not speak TLS 1.3".to_owned())
        }
        other => ErrorKind::NotTalos(other.to_string()),
    }
}

/// The alerts that are about our certificate (Go's `crypto/tls` sends the first four).
fn refusal(alert: AlertDescription) -> Option<Refusal> {
    Some(match alert {
        AlertDescription::CertificateRequired => Refusal::Missing,
        AlertDescription::UnknownCA => Refusal::UnknownAuthority,
        AlertDescription::CertificateExpired => Refusal::Expired,
        AlertDescription::BadCertificate => Refusal::Bad,
        AlertDescription::UnsupportedCertificate => Refusal::Other("unsupported certificate".to_owned()),
        AlertDescription::CertificateRevoked => Refusal::Other("revoked certificate".to_owned()),
        AlertDescription::CertificateUnknown => Refusal::Other("certificate unknown".to_owned()),
        AlertDescription::AccessDenied => Refusal::Other("access denied".to_owned()),
        AlertDescription::DecryptError => Refusal::Other("its signature is wrong".to_owned()),
        _ => return None,
    })
}

fn server_certificate(reason: &CertificateError, endpoint: &Endpoint) -> CertificateProblem {
    match reason {
        // A foreign CA with our CA's name is found out by its signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => CertificateProblem::WrongAuthority,
        CertificateError::ExpiredContext { time, .. } | CertificateError::NotValidYetContext { time, .. } => {
            CertificateProblem::NotValidNow { now: system_time(*time) }
        }
        CertificateError::Expired | CertificateError::NotValidYet => {
            CertificateProblem::NotValidNow { now: SystemTime::now() }
        }
        CertificateError::NotValidForNameContext { presented, .. } => CertificateProblem::NameMismatch {
            host: endpoint.host().to_owned(),
            valid_for: presented.iter().map(|name| plain_name(name)).collect(),
        },
        CertificateError::NotValidForName => {
            CertificateProblem::NameMismatch { host: endpoint.host().to_owned(), valid_for: Vec::new() }
        }
        other => CertificateProblem::Unusable(other.to_string()),
    }
}

fn system_time(time: UnixTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time.as_secs())
}

/// rustls writes `DnsName("cp.example")` and `IpAddress(10.0.0.2)`.
fn plain_name(presented: &str) -> String {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken_by(alert: AlertDescription) -> ErrorKind {
        broken_stream(&io::Error::other(rustls::Error::AlertReceived(alert)))
    }

    #[test]
    fn alerts_about_the_client_certificate_are_told_apart() {
        for (alert, refusal) in [
            (AlertDescription::CertificateRequired, Refusal::Missing),
            (AlertDescription::UnknownCA, Refusal::UnknownAuthority),
            (AlertDescription::CertificateExpired, Refusal::Expired),
            (AlertDescription::BadCertificate, Refusal::Bad),
            (AlertDescription::AccessDenied, Refusal::Other("access denied".to_owned())),
        ] {
            assert_eq!(broken_by(alert), ErrorKind::Certificate(CertificateProblem::NotAccepted(refusal)));
        }
    }

    #[test]
    fn other_failures_are_not_taken_for_a_refusal() {
        assert!(matches!(broken_by(AlertDescription::ProtocolVersion), ErrorKind::NotTalos(_)));
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(
            broken_stream(&pipe),
            ErrorKind::Unreachable(Unreachable::Lost("closed by the endpoint".to_owned()))
        );
    }

    #[test]
    fn the_names_of_a_certificate_are_shown_plainly() {
        for (written, plain) in [
            ("DnsName(\"cp.example\")", "cp.example"),
            ("IpAddress(10.0.0.2)", "10.0.0.2"),
            ("IpAddress(::1)", "::1"),
            ("something", "something"),
        ] {
            assert_eq!(plain_name(written), plain);
        }
    }
}
