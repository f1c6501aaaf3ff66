//! What can be wrong with a client configuration: where it stands, which field, what to do.

use std::fmt;
use std::path::PathBuf;

use super::EndpointError;

/// A client configuration that cannot be used. `Display` says where and what; no key or certificate is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    origin: String,
    field: Option<Field>,
    problem: ConfigProblem,
}

/// The part of a client configuration that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The path of the talosconfig.
    ConfigPath,
    /// The name of the context in it.
    Context,
    /// The endpoints.
    Endpoints,
    /// The CA: `ca` of a talosconfig, `ca_certificate` inline.
    CaCertificate,
    /// The client certificate: `crt` of a talosconfig, `client_certificate` inline.
    ClientCertificate,
    /// The client key: `key` of a talosconfig, `client_key` inline.
    ClientKey,
    /// `auth` of a talosconfig.
    Auth,
    /// `proxy-url` of a talosconfig.
    ProxyUrl,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// No talosconfig was named and none stands in the usual places.
    #[error("no talosconfig was found; looked at {}", paths(.looked_at))]
    NotFound {
        /// The places, in the order in which they were looked at.
        looked_at: Vec<PathBuf>,
    },
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The file is not YAML of the shape of a talosconfig.
    #[error("it is not a talosconfig{}: {reason}", at_line(*.line))]
    NotATalosconfig {
        /// The line at which that shows, from 1.
        line: Option<u64>,
        /// In which way, without the file's text.
        reason: &'static str,
    },
    /// The file holds nothing.
    #[error("it is empty")]
    Empty,
    /// The file has several contexts or none, chooses none, and none was asked for.
    #[error("it chooses no context; there {}", known_contexts(.known))]
    NoContext {
        /// The names of the contexts in the file.
        known: Vec<String>,
    },
    /// The context that was asked for, or that the file chooses, is not there.
    #[error("there is no context `{name}`; there {}", known_contexts(.known))]
    UnknownContext {
        /// The name that was looked for.
        name: String,
        /// The names of the contexts in the file.
        known: Vec<String>,
    },
    /// A field that is needed is absent or empty.
    #[error("it is missing")]
    Missing,
    /// An endpoint that is none.
    #[error(transparent)]
    Endpoint(EndpointError),
    /// A certificate or key that cannot be read.
    #[error("{0}")]
    Unusable(&'static str),
    /// Something that this client does not do.
    #[error("{0}")]
    Unsupported(&'static str),
}

impl ConfigError {
    pub(crate) fn new(origin: impl Into<String>, field: impl Into<Option<Field>>, problem: ConfigProblem) -> Self {
        Self { origin: origin.into(), field: field.into(), problem }
    }

    /// Where the configuration comes from: `context prod of /root/.talos/config`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The field that is wrong, so that a message can point to it.
    #[must_use]
    pub const fn field(&self) -> Option<Field> {
        self.field
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn problem(&self) -> &ConfigProblem {
        &self.problem
    }

    /// One sentence that says what the operator can do.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match (&self.problem, self.field) {
            (ConfigProblem::NotFound { .. }, _) => {
                "Give `config_path` or `client_configuration`, or set TALOSCONFIG; `talosctl gen config` writes a talosconfig."
            }
            (ConfigProblem::Unreadable(_), _) => "Check the path, and that this user may read the file.",
            (ConfigProblem::NotATalosconfig { .. } | ConfigProblem::Empty, _) => {
                "Check that this is the talosconfig; `talosctl gen config` writes one."
            }
            (ConfigProblem::NoContext { .. } | ConfigProblem::UnknownContext { .. }, _) => {
                "Give `config_context`, or choose one with `talosctl config context NAME`."
            }
            (_, Some(Field::Endpoints)) => "Write it as `10.0.0.2`, `cp.example:50000` or `[fd00::1]:50000`.",
            (_, Some(Field::CaCertificate)) => {
                "Give the cluster's CA: the system's authorities are not used for the Talos API."
            }
            (_, Some(Field::ClientCertificate | Field::ClientKey)) => {
                "Give the certificate and key of one client, each as PEM or as base64 of PEM."
            }
            (_, Some(Field::Auth)) => {
                "Use a talosconfig with certificates; Omni gives one with `omnictl talosconfig --break-glass`."
            }
            (_, Some(Field::ProxyUrl)) => {
                "Use a context without `proxy-url`, with endpoints that this machine reaches."
            }
            (_, Some(Field::ConfigPath | Field::Context) | None) => "Correct the client configuration.",
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, field, problem } = self;
        match field.map(Field::names) {
            Some(Some(name)) => write!(f, "{origin}: {name}: {problem}"),
            _ => write!(f, "{origin}: {problem}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Field {
    /// How messages call it; none where the problem says it already.
    const fn names(self) -> Option<&'static str> {
        match self {
            Self::ConfigPath | Self::Context => None,
            Self::Endpoints => Some("endpoints"),
            Self::CaCertificate => Some("CA certificate"),
            Self::ClientCertificate => Some("client certificate"),
            Self::ClientKey => Some("client key"),
            Self::Auth => Some("auth"),
            Self::ProxyUrl => Some("proxy-url"),
        }
    }
}

fn at_line(line: Option<u64>) -> String {
    line.map(|line| format!(", line {line}")).unwrap_or_default()
}

fn known_contexts(known: &[String]) -> String {
    if known.is_empty() { "are none".to_owned() } else { format!("are {}", known.join(", ")) }
}

fn paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
