//! The client: nodes by name, reached through endpoints, and the calls to them.

mod call;
mod dial;
mod history;
mod machine;
mod pool;
mod state;
mod stream;
mod tls;
mod transport;
mod verifier;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::time::Instant;

use crate::config::{ClientConfig, ConfigError, ConfigProblem, Endpoint};
use crate::error::ErrorKind;
use pool::Pool;

pub use machine::{ApplyMode, ApplyReply, CONFIG_LIMIT, EffectiveMode, FileInfo, Health, ServiceInfo, Version};
pub use state::{ConfigId, MachineConfig};
pub use watch::{Event, Watch};

/// How long a dial may take unless [`Node::with_connect_timeout`] says otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call may take unless [`Node::with_deadline`] says otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// A client of one cluster's Talos API. It connects when the first call needs it, once per endpoint; clones share the
/// connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: ClientConfig,
    cluster: Option<HeaderValue>,
    pool: Pool,
}

impl Client {
    /// Makes the client; nothing is dialled.
    ///
    /// # Errors
    /// When the cluster's name cannot be sent as metadata.
    pub fn new(config: ClientConfig) -> Result<Self, ConfigError> {
        let cluster = config.cluster.as_deref().map(HeaderValue::from_str).transpose();
        let cluster = cluster.map_err(|_| {
            let problem = ConfigProblem::Unusable("the cluster's name holds characters that cannot be sent");
            ConfigError::new(&config.origin, None, problem)
        })?;
        let pool = Pool::new(config.credentials.clone());
        Ok(Self(Arc::new(Inner { config, cluster, pool })))
    }

    /// What the client was made from.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.0.config
    }

    /// A node, by address or host name, without port. Its calls go through `endpoint` where that is given, else through
    /// the configuration's endpoints, else to the node itself. A name that cannot be one is an error of the calls.
    #[must_use]
    pub fn node(&self, node: &str, endpoint: Option<&Endpoint>) -> Node {
        let target = target(node);
        let endpoints = match (endpoint, target.as_ref()) {
            (Some(endpoint), _) => vec![endpoint.clone()],
            (None, _) if !self.0.config.endpoints.is_empty() => self.0.config.endpoints.clone(),
            (None, Ok(target)) => vec![target.itself.clone()],
            (None, Err(_)) => Vec::new(),
        };
        Node {
            client: self.clone(),
            name: node.into(),
            header: target.map(|target| target.header),
            endpoints: endpoints.into(),
            deadline: None,
            connect_timeout: CONNECT_TIMEOUT,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("config", &self.0.config).finish_non_exhaustive()
    }
}

/// A node's name in its two uses.
struct Target {
    header: HeaderValue,
    itself: Endpoint,
}

/// Talos looks for the node by what stands in the header, and refuses a port in it.
fn target(node: &str) -> Result<Target, ErrorKind> {
    let invalid = || ErrorKind::InvalidTarget(node.to_owned());
    let itself = Endpoint::of_node(node).ok_or_else(invalid)?;
    let header = HeaderValue::from_str(itself.host()).map_err(|_| invalid())?;
    Ok(Target { header, itself })
}

/// One node and how to get to it. Cheap to clone; the `with_…` methods give a changed copy.
#[derive(Clone)]
pub struct Node {
    client: Client,
    name: Arc<str>,
    header: Result<HeaderValue, ErrorKind>,
    endpoints: Arc<[Endpoint]>,
    deadline: Option<Instant>,
    connect_timeout: Duration,
}

impl Node {
    /// The node's name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The endpoints that calls to it go through, in the order of preference.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// With a moment at which every call has failed that has no answer by then.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// With another limit on a dial, per endpoint: a few seconds where an absent node is no surprise. Never more than
    /// 20 s, since a dial is shared.
    #[must_use]
    pub fn with_connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = connect_timeout;
        self
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Node");
        shown.field("name", &self.name).field("endpoints", &self.endpoints).field("deadline", &self.deadline);
        shown.finish_non_exhaustive()
    }
}
