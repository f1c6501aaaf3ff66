//! Whom to talk to, and as whom: talosconfig files, inline credentials, and the order in which they are looked for.

mod credentials;
mod discovery;
mod endpoint;
mod error;
mod talosconfig;

pub(crate) use credentials::provider;
pub use credentials::{Credentials, InlineCredentials};
pub use discovery::{Discovery, Environment};
pub use endpoint::{DEFAULT_PORT, Endpoint, EndpointError};
pub use error::{ConfigError, ConfigProblem, Field};

/// Everything that a client needs. Cloning is cheap; `Debug` shows no key.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The endpoints to go through, in the order of preference; none means that each node is its own.
    pub endpoints: Vec<Endpoint>,
    /// The nodes that the talosconfig's context names by default.
    pub nodes: Vec<String>,
    /// The cluster's name, which is sent as the metadata `context`: an API in front of several clusters reads it.
    pub cluster: Option<String>,
    /// The CA that the endpoints' certificates must be signed by, and the certificate that we show them.
    pub credentials: Credentials,
    /// Where all this comes from, for messages: `context prod of /root/.talos/config`.
    pub origin: String,
}

#[cfg(test)]
mod tests;
