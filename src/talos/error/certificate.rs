//! The ways in which two certificates do not get along.

use std::time::SystemTime;

use super::date::utc;

/// Which side's certificate was not accepted, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// The node has no configuration yet and shows a certificate that it signed itself.
    #[error("the node is in maintenance mode: it has no machine configuration yet")]
    MaintenanceMode,
    /// The endpoint's certificate is signed by another authority than the client's configuration names.
    #[error("the endpoint's certificate is not signed by the CA of the client configuration")]
    WrongAuthority,
    /// The endpoint's certificate is for other names.
    #[error("the endpoint's certificate is not valid for {host}, only for {}", names(.valid_for))]
    NameMismatch {
        /// The address or name that was dialled.
        host: String,
        /// The names that the certificate carries.
        valid_for: Vec<String>,
    },
    /// The endpoint's certificate has expired, as this machine's clock sees it.
    #[error("the endpoint's certificate is not valid at this machine's time, {}", utc(*.now))]
    NotValidNow {
        /// This machine's time.
        now: SystemTime,
    },
    /// The endpoint's certificate is wrong in another way.
    #[error("the endpoint's certificate is not usable: {0}")]
    Unusable(String),
    /// Our own certificate has expired: seen before anything is sent.
    #[error("the client certificate expired on {}", utc(*.since))]
    Expired {
        /// The end of its validity.
        since: SystemTime,
    },
    /// Our own certificate is not valid yet.
    #[error("the client certificate is valid only from {} on", utc(*.from))]
    NotYetValid {
        /// The start of its validity.
        from: SystemTime,
    },
    /// The endpoint does not accept our certificate.
    #[error("the endpoint does not accept the client certificate: {0}")]
    NotAccepted(Refusal),
}

/// The endpoint's reason for not accepting our certificate, from its TLS alert.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// We showed none.
    #[error("it asks for one and none is configured")]
    Missing,
    /// It is signed by another authority than the node's.
    #[error("unknown certificate authority")]
    UnknownAuthority,
    /// It has expired by the node's clock.
    #[error("expired certificate")]
    Expired,
    /// Its form is wrong, such as a key usage that is not for clients alone.
    #[error("bad certificate")]
    Bad,
    /// Another alert, by its name.
    #[error("{0}")]
    Other(String),
}

impl CertificateProblem {
    /// One sentence that says what the operator can do.
    pub(super) fn next_step(&self) -> String {
        match self {
            Self::MaintenanceMode => "Apply the node's first machine configuration, and try again.",
            Self::WrongAuthority => {
                "Check that the client configuration is of this cluster, and the endpoint a node of it."
            }
            Self::NameMismatch { .. } => {
                "Use one of those names as endpoint, or add this one to the node's `machine.certSANs`."
            }
            Self::NotValidNow { .. } => "Compare this machine's clock with the node's.",
            Self::Unusable(_) => "Check that the endpoint is a node of the cluster.",
            Self::Expired { .. } | Self::NotAccepted(Refusal::Expired) => {
                "Get a new client certificate: `talosctl config new`, or `talosctl gen config` with the cluster's secrets."
            }
            Self::NotYetValid { .. } => "Check this machine's clock.",
            Self::NotAccepted(Refusal::Missing) => "Configure a client certificate and its key.",
            Self::NotAccepted(_) => "Check that the client certificate is of this cluster, and made for clients.",
        }
        .to_owned()
    }
}

fn names(valid_for: &[String]) -> String {
    if valid_for.is_empty() { "none".to_owned() } else { valid_for.join(", ") }
}
