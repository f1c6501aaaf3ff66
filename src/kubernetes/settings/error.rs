//! What can be wrong with the settings of a cluster: where it stands, which field, what to do.

use std::fmt;

/// Settings that cannot be used. `Display` says where and what; no key, token or certificate is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    origin: String,
    field: Option<Field>,
    problem: SettingsProblem,
}

/// The part of the settings that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The path of a kubeconfig.
    ConfigPath,
    /// The name of the context in it.
    Context,
    /// The address: `host` inline, `server` of a kubeconfig.
    Host,
    /// `cluster_ca_certificate`, or `certificate-authority` of a kubeconfig.
    CaCertificate,
    /// `client_certificate`.
    ClientCertificate,
    /// `client_key`.
    ClientKey,
    /// `token`.
    Token,
    /// `tls_server_name`, or `tls-server-name` of a kubeconfig.
    TlsServerName,
    /// `exec`.
    Exec,
    /// `proxy_url`.
    ProxyUrl,
    /// `insecure-skip-tls-verify` of a kubeconfig.
    Insecure,
    /// `auth-provider` of a kubeconfig.
    AuthProvider,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsProblem {
    /// Nothing says how a cluster is reached.
    #[error("nothing says how the cluster is reached; looked at {}", .looked_at.join(", "))]
    NotConfigured {
        /// The places, in the order in which they were looked at.
        looked_at: Vec<String>,
    },
    /// The file is not there, or cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The file is not YAML of the shape of a kubeconfig.
    #[error("it is not a kubeconfig{}", .line.map(|line| format!(": line {line} cannot be understood")).unwrap_or_default())]
    NotAKubeconfig {
        /// The line at which that shows, from 1.
        line: Option<u64>,
    },
    /// There is no cluster in it.
    #[error("it names no cluster")]
    Empty,
    /// It chooses no context and none was asked for.
    #[error("it chooses no context; there {}", known_contexts(.known))]
    NoContext {
        /// The names of its contexts.
        known: Vec<String>,
    },
    /// The context that was asked for, or that the file chooses, is not there.
    #[error("there is no context `{name}`; there {}", known_contexts(.known))]
    UnknownContext {
        /// The name that was looked for.
        name: String,
        /// The names of its contexts.
        known: Vec<String>,
    },
    /// The context names a cluster or a user that is not there.
    #[error("context `{context}` names the {what} `{name}`, which is not there")]
    Dangling {
        /// The context.
        context: String,
        /// `cluster` or `user`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A field that is needed is absent or empty.
    #[error("it is missing")]
    Missing,
    /// A value that cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl SettingsError {
    pub(crate) fn new(origin: impl Into<String>, field: impl Into<Option<Field>>, problem: SettingsProblem) -> Self {
        Self { origin: origin.into(), field: field.into(), problem }
    }

    /// Where the settings come from: `context prod of /root/.kube/config`.
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
    pub const fn problem(&self) -> &SettingsProblem {
        &self.problem
    }

    /// One sentence that says what the operator can do.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match (&self.problem, self.field) {
            (SettingsProblem::NotConfigured { .. }, _) => {
                "Give `config_path`, such as \"~/.kube/config\", or `client_configuration`, or set KUBE_CONFIG_PATH or KUBECONFIG; `talosctl kubeconfig` writes one."
            }
            (SettingsProblem::Unreadable(_), _) => "Check the path, and that this user may read the file.",
            (SettingsProblem::NotAKubeconfig { .. } | SettingsProblem::Empty, _) => {
                "Check that this is the kubeconfig; `talosctl kubeconfig` writes one."
            }
            (SettingsProblem::NoContext { .. } | SettingsProblem::UnknownContext { .. }, _) => {
                "Give `config_context`, or choose one with `kubectl config use-context NAME`."
            }
            (_, Some(Field::Host)) => "Write it as `https://10.0.0.1:6443`.",
            (_, Some(Field::ClientCertificate | Field::ClientKey)) => {
                "Give the certificate and key of one client, each as PEM or as base64 of PEM."
            }
            (_, Some(Field::CaCertificate)) => "Give the cluster's CA as PEM or as base64 of PEM.",
            (_, Some(Field::Insecure)) => "Name the cluster's CA instead; TLS is always verified here.",
            (_, Some(Field::AuthProvider)) => "Use an exec plugin, as kubectl has it since 1.26.",
            (_, Some(Field::TlsServerName)) => {
                "Write the name that the server's certificate is for, such as `cp.example`."
            }
            (_, Some(Field::Token)) => "Give the token alone, as `kubectl create token` prints it.",
            (_, Some(Field::ProxyUrl)) => "Write it as `http://proxy.example:3128` or `socks5://proxy.example:1080`.",
            _ => "Correct the settings of the cluster.",
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, field, problem } = self;
        if !origin.is_empty() {
            write!(f, "{origin}: ")?;
        }
        match field.and_then(Field::name) {
            Some(name) => write!(f, "{name}: {problem}"),
            None => write!(f, "{problem}"),
        }
    }
}

impl std::error::Error for SettingsError {}

impl Field {
    /// How messages call it; none where the problem says it already.
    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::ConfigPath | Self::Context => return None,
            Self::Host => "address of the server",
            Self::CaCertificate => "CA certificate",
            Self::ClientCertificate => "client certificate",
            Self::ClientKey => "client key",
            Self::Token => "token",
            Self::TlsServerName => "TLS server name",
            Self::Exec => "exec",
            Self::ProxyUrl => "proxy URL",
            Self::Insecure => "insecure-skip-tls-verify",
            Self::AuthProvider => "auth-provider",
        })
    }
}

fn known_contexts(known: &[String]) -> String {
    if known.is_empty() { "are none".to_owned() } else { format!("are {}", known.join(", ")) }
}
