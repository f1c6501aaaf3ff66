//! The ways in which two certificates do not get along, told by rustls's types.

use rustls::{AlertDescription, CertificateError};

/// Which side's certificate was not accepted, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// The server's certificate is signed by another authority than the configuration names.
    #[error("the server's certificate is not signed by the CA of the configuration")]
    WrongAuthority,
    /// The server's certificate is for other names.
    #[error("the server's certificate is not valid for the address{}", names(.valid_for))]
    NameMismatch {
        /// The names that the certificate carries.
        valid_for: Vec<String>,
    },
    /// The server's certificate is not valid at this machine's time.
    #[error("the server's certificate is expired or not valid yet by this machine's clock")]
    NotValidNow,
    /// The server's certificate is wrong in another way.
    #[error("the server's certificate is not usable: {0}")]
    Unusable(String),
    /// The server does not accept our certificate.
    #[error("the server does not accept the client certificate ({0})")]
    NotAccepted(String),
}

fn names(valid_for: &[String]) -> String {
    if valid_for.is_empty() { String::new() } else { format!(", only for {}", valid_for.join(", ")) }
}

impl CertificateProblem {
    /// One sentence that says what the operator can do.
    pub(super) const fn next_step(&self) -> &'static str {
        match self {
            Self::WrongAuthority => "Check that the CA and the address are of the same cluster.",
            Self::NameMismatch { .. } => {
                "Use one of those names as address, set tls_server_name to one, or add this one to the server's certificate (machine configuration: cluster.apiServer.certSANs)."
            }
            Self::NotValidNow => "Compare this machine's clock with the server's, or renew the server's certificate.",
            Self::Unusable(_) => "Check that the address is the API server of the cluster.",
            Self::NotAccepted(_) => "Get a new client certificate of this cluster, such as with `talosctl kubeconfig`.",
        }
    }

    /// What a failure of TLS says about certificates; none when it is about something else.
    pub(super) fn of(error: &rustls::Error) -> Option<Self> {
        match error {
            rustls::Error::InvalidCertificate(reason) => Some(Self::of_server(reason)),
            rustls::Error::AlertReceived(alert) => refusal(*alert).map(|why| Self::NotAccepted(why.to_owned())),
            _ => None,
        }
    }

    fn of_server(reason: &CertificateError) -> Self {
        match reason {
            // A foreign CA with our CA's name is found out by its signature.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::WrongAuthority,
            CertificateError::Expired
            | CertificateError::NotValidYet
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYetContext { .. } => Self::NotValidNow,
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::NameMismatch { valid_for: presented.iter().map(|name| plain_name(name)).collect() }
            }
            CertificateError::NotValidForName => Self::NameMismatch { valid_for: Vec::new() },
            other => Self::Unusable(other.to_string()),
        }
    }
}

/// The alerts by which a server refuses our certificate.
const fn refusal(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::CertificateRequired => "it asks for one and none is configured",
        AlertDescription::UnknownCA => "unknown certificate authority",
        AlertDescription::CertificateExpired => "expired",
        AlertDescription::BadCertificate => "bad certificate",
        AlertDescription::UnsupportedCertificate => "unsupported certificate",
        AlertDescription::CertificateRevoked => "revoked",
        AlertDescription::CertificateUnknown => "certificate unknown",
        AlertDescription::AccessDenied => "access denied",
        _ => return None,
    })
}

/// rustls writes `DnsName("cp.example")` and `IpAddress(10.0.0.2)`.
fn plain_name(presented: &str) -> String {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_told_apart_from_other_failures_of_tls() {
        let of = |error| CertificateProblem::of(&error);
        assert_eq!(
            of(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)),
            Some(CertificateProblem::WrongAuthority)
        );
        assert_eq!(
            of(rustls::Error::AlertReceived(AlertDescription::CertificateExpired)),
            Some(CertificateProblem::NotAccepted("expired".into()))
        );
        assert_eq!(of(rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)), None);
        assert_eq!(plain_name("DnsName(\"cp.example\")"), "cp.example");
        assert_eq!(plain_name("IpAddress(::1)"), "::1");
    }
}
