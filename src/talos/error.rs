//! What can go wrong between this process and a node, as types: which node, through which endpoint, in which call, why,
//! whether trying again can heal it, and what to do.
//!
//! `Display` of [`Error`] says where it happened and its source, an [`ErrorKind`], says why; neither repeats the other.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::config::Endpoint;

mod certificate;
pub(crate) mod classify;
mod date;
mod redact;

pub use certificate::{CertificateProblem, Refusal};
pub(crate) use redact::without_values;

/// A call that failed.
#[derive(Debug)]
pub struct Error(Box<Inner>);

/// Behind one pointer, so that results stay small.
#[derive(Debug)]
struct Inner {
    node: String,
    endpoint: Option<Endpoint>,
    call: &'static str,
    subject: String,
    kind: ErrorKind,
    sent: bool,
    also_tried: Vec<(Endpoint, String)>,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// Nobody answered: no way to the endpoint, the connection broke, or the endpoint has no way to the node.
    #[error(transparent)]
    Unreachable(Unreachable),
    /// The connection was there and the answer did not come in time.
    #[error("no answer within the time that was given")]
    DeadlineExceeded,
    /// Somebody else is applying a configuration at this moment.
    #[error("another configuration is being applied to the node at this moment")]
    Busy,
    /// Somebody else's change came between (Talos before 1.12.9 and 1.13.3, which do not lock).
    #[error("somebody else changed the node's configuration at the same moment")]
    UpdateConflict,
    /// The node took a configuration and is about to reboot.
    #[error("the node is about to reboot and takes no configuration before that")]
    Rebooting,
    /// One side does not accept the other's certificate, so no call was made.
    #[error(transparent)]
    Certificate(CertificateProblem),
    /// The client certificate's role is too small.
    #[error("not authorized: the call needs the role {needed}, and the client certificate has {}", roles(.held))]
    Permission {
        /// The smallest role that may make the call.
        needed: Role,
        /// The roles that the client certificate carries, as they are written there.
        held: Vec<String>,
    },
    /// The node's Talos has no such call or resource type.
    #[error("the node's Talos does not support this: {0}")]
    Unsupported(String),
    /// The endpoint is a worker, which speaks for itself alone.
    #[error("the endpoint does not forward to other nodes, as only control plane nodes do")]
    NoForwarding,
    /// The name of the node is not one that Talos can look for.
    #[error("`{0}` is not the address or name of a node")]
    InvalidTarget(String),
    /// A change that Talos does not apply without a reboot was sent in a mode that does not reboot.
    #[error("the node cannot apply this change without a reboot")]
    NeedsReboot,
    /// The node refused what was sent. Values are cut out of the text, since they may be secret.
    #[error("{0}")]
    Invalid(String),
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// More bytes than Talos takes or than this client reads.
    #[error("{what} is larger than {} MiB", .limit / (1024 * 1024))]
    TooLarge {
        /// What is too large: `the machine configuration`, `the answer`.
        what: &'static str,
        /// The largest number of bytes.
        limit: usize,
    },
    /// What listens there is not the Talos API.
    #[error("the endpoint is not a Talos API: {0}")]
    NotTalos(String),
    /// The answer does not have the shape that this client knows.
    #[error("the answer cannot be understood: {0}")]
    Malformed(String),
    /// Any other answer.
    #[error("{code}: {message}")]
    Other {
        /// The name of the gRPC status code: `Internal`.
        code: &'static str,
        /// The node's own words.
        message: String,
    },
}

/// Why nobody answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The name of the endpoint does not resolve.
    #[error("the name does not resolve: {0}")]
    NotResolved(String),
    /// The endpoint does not take connections.
    #[error("no connection: {0}")]
    NoConnection(String),
    /// The endpoint did not complete a connection within this time.
    #[error("no connection within {} s", .0.as_secs_f32())]
    NoAnswer(Duration),
    /// The connection broke while the call was under way.
    #[error("the connection broke: {0}")]
    Lost(String),
    /// The endpoint answered that the node, or its own API server, is not available.
    #[error("the endpoint answers that the node is unavailable: {0}")]
    Unavailable(String),
}

/// A role of Talos's access control, smallest first; each may do what the smaller ones may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `os:reader`: everything but machine configurations and files.
    Reader,
    /// `os:operator`: as a reader, and reboots.
    Operator,
    /// `os:admin`: everything.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reader => "os:reader",
            Self::Operator => "os:operator",
            Self::Admin => "os:admin",
        })
    }
}

/// `os:reader`, or `os:reader, os:operator`, or `no role`.
fn roles(held: &[String]) -> String {
    if held.is_empty() { "no role".to_owned() } else { held.join(", ") }
}

/// Where a call was when it failed.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) node: String,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) call: &'static str,
    pub(crate) subject: String,
}

impl Error {
    pub(crate) fn new(place: Place, kind: ErrorKind) -> Self {
        let Place { node, endpoint, call, subject } = place;
        Self(Box::new(Inner { node, endpoint, call, subject, kind, sent: false, also_tried: Vec::new() }))
    }

    /// Marks that the request of a write had left this process, so that the node may have carried it out.
    pub(crate) fn after_sending(mut self) -> Self {
        self.0.sent = true;
        self
    }

    /// Notes the endpoints that had failed before the one that this error is about.
    pub(crate) fn after_trying(mut self, others: Vec<Self>) -> Self {
        let reason = |other: Self| {
            let Inner { endpoint, kind, .. } = *other.0;
            endpoint.map(|endpoint| (endpoint, kind.to_string()))
        };
        self.0.also_tried = others.into_iter().filter_map(reason).collect();
        self
    }

    /// The node that the call was for, as the caller named it.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// The endpoint that the call went to last; none when it could not even be chosen.
    #[must_use]
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.0.endpoint.as_ref()
    }

    /// The endpoints that had failed before the last one, each with its reason.
    pub fn also_tried(&self) -> impl Iterator<Item = (&Endpoint, &str)> {
        self.0.also_tried.iter().map(|(endpoint, reason)| (endpoint, reason.as_str()))
    }

    /// The call's name in Talos's API: `ApplyConfiguration`, `Get`.
    #[must_use]
    pub fn call(&self) -> &'static str {
        self.0.call
    }

    /// What the call was about: a path, a resource type; empty where its name says it all.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Why it failed.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Whether this was a write whose request had left this process when it failed without an answer of the node, so that
    /// it may have been carried out: look before sending it again. Never of a read.
    #[must_use]
    pub fn may_have_been_carried_out(&self) -> bool {
        self.0.sent && self.is_unreachable()
    }

    /// Whether making the call again, later and unchanged, can succeed: nobody answered, the node is busy or about to
    /// reboot, or an update was lost.
    #[must_use]
    pub fn heals(&self) -> bool {
        self.is_unreachable()
            || matches!(self.0.kind, ErrorKind::Busy | ErrorKind::UpdateConflict | ErrorKind::Rebooting)
    }

    /// Whether the node could not be reached: no dial, `Unavailable`, no answer in time. Never a matter of certificates,
    /// roles or maintenance mode: there somebody answered.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unreachable(_) | ErrorKind::DeadlineExceeded)
    }

    /// One sentence that says what the operator can do.
    #[must_use]
    pub fn next_step(&self) -> String {
        match &self.0.kind {
            ErrorKind::Unreachable(why) => self.way_to_the_node(why),
            ErrorKind::DeadlineExceeded => {
                format!("Try again, and if it stays so look at the node: `talosctl -n {} dmesg`.", self.0.node)
            }
            ErrorKind::Busy | ErrorKind::UpdateConflict => "Try again when the other writer is done.".to_owned(),
            ErrorKind::Rebooting => "Try again after the node's reboot.".to_owned(),
            ErrorKind::Certificate(problem) => problem.next_step(),
            ErrorKind::Permission { needed, .. } => format!(
                "Use a client certificate with the role {needed}: `talosctl config new --roles {needed} FILE`, run as os:admin, makes one."
            ),
            ErrorKind::Unsupported(_) => {
                format!(
                    "Compare the node's Talos with the supported range, {} to {}.",
                    minor(crate::version::OLDEST),
                    minor(crate::version::NEWEST)
                )
            }
            ErrorKind::NoForwarding => "Use a control plane node as endpoint, or the node itself.".to_owned(),
            ErrorKind::InvalidTarget(_) => "Give the node's address or host name, without scheme and port.".to_owned(),
            ErrorKind::NeedsReboot => "Apply the change staged, for the next reboot, or allow a reboot.".to_owned(),
            ErrorKind::Invalid(_) => "Correct what is sent to the node.".to_owned(),
            ErrorKind::NotFound(_) => "Check the name of what is asked for.".to_owned(),
            ErrorKind::TooLarge { .. } => "Make it smaller.".to_owned(),
            ErrorKind::NotTalos(_) => "Check the endpoint's address and port; Talos listens on port 50000.".to_owned(),
            ErrorKind::Malformed(_) | ErrorKind::Other { .. } => {
                "Look at the node's log: `talosctl logs apid` and `talosctl dmesg`.".to_owned()
            }
        }
    }

    fn way_to_the_node(&self, why: &Unreachable) -> String {
        let endpoint = self.0.endpoint.as_ref().map_or_else(|| "the endpoint".to_owned(), ToString::to_string);
        match why {
            Unreachable::NotResolved(_) => format!("Check the name of the endpoint {endpoint} and this machine's DNS."),
            Unreachable::NoConnection(_) | Unreachable::NoAnswer(_) => {
                format!("Check that {endpoint} is up and that this machine has a way to it.")
            }
            Unreachable::Lost(_) if self.0.sent => {
                "Look at the node before trying again: the request may have been carried out.".to_owned()
            }
            Unreachable::Lost(_) => "Try again; the node or a way to it may have gone down.".to_owned(),
            Unreachable::Unavailable(_) => {
                format!("Check that the node {} is up and that {endpoint} has a way to it.", self.0.node)
            }
        }
    }
}

fn minor((major, minor): (u64, u64)) -> String {
    format!("{major}.{minor}")
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.call)?;
        if !self.0.subject.is_empty() {
            write!(f, " {}", self.0.subject)?;
        }
        write!(f, " of node {}", self.0.node)?;
        if let Some(endpoint) = &self.0.endpoint {
            write!(f, " through endpoint {endpoint}")?;
        }
        f.write_str(" failed")?;
        for (index, (endpoint, reason)) in self.0.also_tried.iter().enumerate() {
            write!(f, "{}{endpoint}: {reason}", if index == 0 { " (as did " } else { "; " })?;
        }
        if self.0.also_tried.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0.kind)
    }
}

#[cfg(test)]
mod tests;
