//! Whom to talk to, and as whom: kubeconfig files, attributes given as values, a pod's service account, and the order in
//! which they are looked for.
//!
//! Resolving reads files and checks what can be checked without a call; it connects to nothing and runs no plugin. There
//! is no address of last resort: where nothing is configured, that is an error that names where was looked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

mod environment;
mod error;
mod kubeconfig;
mod pem;
mod proxy;
mod resolve;
mod server;

pub use environment::Environment;
pub use error::{Field, SettingsError, SettingsProblem};
pub(crate) use server::Server;

/// What the operator gave, and the environment that fills the gaps. `Debug` shows no secret.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Paths of kubeconfigs, merged as kubectl merges them; `~` is the home folder. Each must be there.
    pub config_paths: Vec<PathBuf>,
    /// The context in them, in place of the one that they choose.
    pub context: Option<String>,
    /// The cluster and the credentials as values: no kubeconfig is read then.
    pub inline: Option<Inline>,
    /// The name that the server's certificate must be for, in place of the address.
    pub tls_server_name: Option<String>,
    /// A proxy (`http` or `socks5`), in place of the kubeconfig's and the environment's.
    pub proxy_url: Option<String>,
    /// The environment.
    pub environment: Environment,
}

/// A cluster and credentials that are given as values.
#[derive(Clone, Debug, Default)]
pub struct Inline {
    /// `https://10.0.0.1:6443`, or the same without the scheme.
    pub host: String,
    /// The CA of the cluster: PEM, or base64 of PEM. Without it the system's authorities are used.
    pub ca_certificate: Option<String>,
    /// The client certificate: PEM, or base64 of PEM.
    pub client_certificate: Option<String>,
    /// Its key: PEM, or base64 of PEM.
    pub client_key: Option<SecretString>,
    /// A bearer token.
    pub token: Option<SecretString>,
    /// A program that gives credentials.
    pub exec: Option<Exec>,
}

/// A program that gives credentials (`client.authentication.k8s.io`). It never gets our standard input, which is
/// Terraform's.
#[derive(Clone, Default)]
pub struct Exec {
    /// Such as `client.authentication.k8s.io/v1`.
    pub api_version: String,
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables beside those of this process.
    pub env: BTreeMap<String, SecretString>,
}

/// Arguments may hold a secret as well as variables do.
impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exec")
            .field("api_version", &self.api_version)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

/// Whether a certificate and a key, both PEM, can be used and are of one another.
pub(crate) fn is_identity(certificate: &str, key: &SecretString) -> bool {
    pem::check_identity(certificate, key).is_ok()
}

#[cfg(test)]
mod tests;
