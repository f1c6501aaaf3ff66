//! What can go wrong between this process and a cluster, as types: which server, which call on which object, why,
//! whether trying again can heal it, and what to do.
//!
//! `Display` of [`Error`] says where it happened and its source, an [`ErrorKind`], says why; neither repeats the other.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

mod certificate;
mod next_step;
mod status;
mod transport;

pub use certificate::CertificateProblem;
pub(crate) use status::of_answer;
pub(crate) use transport::{of_failure, of_no_client};

/// A call that failed.
#[derive(Debug)]
pub struct Error(Box<Inner>);

/// Behind one pointer, so that results stay small.
#[derive(Debug)]
struct Inner {
    place: Place,
    kind: ErrorKind,
    sent: bool,
}

/// Where a call was when it failed.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// `https://10.0.0.1:6443`.
    pub(crate) server: String,
    pub(crate) call: Call,
    /// `RuntimeClass nvidia`, `pods of namespace gpu`.
    pub(crate) subject: String,
    /// As RBAC names it: `runtimeclasses.node.k8s.io`.
    pub(crate) resource: String,
    pub(crate) namespace: Option<String>,
    /// Whether the server's own words may be shown: they quote what was sent, and a Secret's data is nobody's business.
    pub(crate) quotes: bool,
    /// The proxy on the way, without its user and password: it may be at fault for whatever happens.
    pub(crate) proxy: Option<String>,
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Reading one object.
    Get,
    /// Reading a collection.
    List,
    /// Waiting for a change.
    Watch,
    /// Server-side apply.
    Apply,
    /// A merge patch.
    Patch,
    /// Making an object that must not be there yet.
    Create,
    /// Replacing an object by another version of it.
    Replace,
    /// Deleting an object.
    Delete,
    /// Reading the log of a pod.
    Logs,
    /// Asking the server for its version.
    Version,
}

impl Call {
    /// As a sentence about a failure begins.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "Reading",
            Self::List => "Listing",
            Self::Watch => "Watching",
            Self::Apply => "Applying",
            Self::Patch => "Patching",
            Self::Create => "Creating",
            Self::Replace => "Replacing",
            Self::Delete => "Deleting",
            Self::Logs => "Reading the log of",
            Self::Version => "Asking for the version of",
        }
    }

    /// The verb that RBAC asks for. An apply that makes the object needs `create` beside it.
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Get | Self::Logs | Self::Version => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Apply | Self::Patch => "patch",
            Self::Create => "create",
            Self::Replace => "update",
            Self::Delete => "delete",
        }
    }

    /// Whether it changes anything.
    pub(crate) const fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch | Self::Logs | Self::Version)
    }

    /// Whether doing it twice is the same as doing it once.
    pub(crate) const fn is_repeatable(self) -> bool {
        !matches!(self, Self::Create | Self::Replace)
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// Nobody answered: no way to the server, or the connection broke.
    #[error(transparent)]
    Unreachable(Unreachable),
    /// The server was there and the answer did not come in time.
    #[error("no answer within the time that was given")]
    DeadlineExceeded,
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// One side does not accept the other's certificate.
    #[error(transparent)]
    Certificate(CertificateProblem),
    /// The exec plugin gave no credentials.
    #[error("the exec plugin `{command}` gave no credentials: {why}")]
    ExecPlugin {
        /// The program, without its arguments.
        command: String,
        /// In which way it failed. Nothing of what it wrote.
        why: String,
    },
    /// There is no token in the file that should hold one.
    #[error("the token file {path} cannot be used: {why}")]
    TokenFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no CA in the file that should hold it.
    #[error("the CA file {path} cannot be used: {why}")]
    CaFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server does not know who we are.
    #[error("the server does not accept the credentials")]
    Unauthorized,
    /// We may not do this.
    #[error("forbidden: {} may not {verb} {resource} {}", who(.user.as_deref()), scope(.namespace.as_deref()))]
    Forbidden {
        /// Who we are to the server, where it says so.
        user: Option<String>,
        /// The verb that is missing: `get`, `create`, `patch`.
        verb: String,
        /// The resource, with its group: `runtimeclasses.node.k8s.io`.
        resource: String,
        /// The namespace; none for the whole cluster.
        namespace: Option<String>,
    },
    /// The object grants rights that we do not have ourselves, which RBAC lets nobody do.
    #[error("forbidden: it grants rights that {} does not have: {said}", who(.user.as_deref()))]
    Escalation {
        /// Who we are to the server, where it says so.
        user: Option<String>,
        /// Which rights, in the server's words.
        said: String,
    },
    /// An admission plugin, a policy or a webhook refused what was sent.
    #[error("refused by admission{}: {said}", .by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default())]
    Admission {
        /// The webhook's name, or what is known of who refused.
        by: Option<String>,
        /// The server's words.
        said: String,
    },
    /// The object is not there.
    #[error("it is not there")]
    NotFound,
    /// The server has no such kind of object, or what answers is no Kubernetes API.
    #[error("the server has no resource {0}")]
    NoSuchKind(String),
    /// There is an object of that name already.
    #[error("it exists already")]
    AlreadyExists,
    /// Others own fields that an apply would change.
    #[error("{}", conflicts(.0))]
    Conflict(Vec<FieldConflict>),
    /// Somebody else changed or replaced the object in between: it is not the one that was looked at.
    #[error("it was changed or replaced in between: {0}")]
    Changed(String),
    /// The server does not take what was sent.
    #[error("{}", causes(.0))]
    Invalid(Vec<Cause>),
    /// The server asks to wait.
    #[error("the server is busy{}", .retry_after.map(|wait| format!(" and asks to wait {} s", wait.as_secs())).unwrap_or_default())]
    Busy {
        /// How long.
        retry_after: Option<Duration>,
    },
    /// The server failed by itself: a change of etcd's leader, an overload, a webhook that does not answer.
    #[error("the server failed (HTTP {code}): {said}")]
    Server {
        /// The HTTP status.
        code: u16,
        /// Its words.
        said: String,
    },
    /// The version that a list or a watch was to go on from is no longer kept.
    #[error("the server no longer has the version that was asked for")]
    Expired,
    /// What listens there is not a Kubernetes API server.
    #[error("this is not a Kubernetes API server: {0}")]
    NotKubernetes(String),
    /// The answer does not have the shape that this client knows.
    #[error("the answer cannot be understood: {0}")]
    Malformed(String),
    /// Any other answer.
    #[error("HTTP {code} {reason}: {said}")]
    Other {
        /// The HTTP status.
        code: u16,
        /// The API's reason: `MethodNotAllowed`.
        reason: String,
        /// The server's words.
        said: String,
    },
}

/// Why nobody answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// There is no connection.
    #[error("no connection: {0}")]
    NoConnection(String),
    /// The server did not complete a connection in time.
    #[error("no connection in time")]
    NoAnswer,
    /// The connection broke while the call was under way.
    #[error("the connection broke: {0}")]
    Lost(String),
}

/// A field that somebody else owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldConflict {
    /// The other's field manager: `kubectl-edit`.
    pub manager: String,
    /// The field, as the API writes it: `.metadata.labels.app`.
    pub field: String,
}

/// One thing that is wrong with what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The field; empty when it is about the whole.
    pub field: String,
    /// The server's words.
    pub message: String,
}

fn who(name: Option<&str>) -> String {
    name.map_or_else(|| "this user".to_owned(), |name| format!("user {name}"))
}

fn scope(namespace: Option<&str>) -> String {
    namespace.map_or_else(|| "in the whole cluster".to_owned(), |namespace| format!("in namespace {namespace}"))
}

fn conflicts(conflicts: &[FieldConflict]) -> String {
    let each: Vec<String> =
        conflicts.iter().map(|conflict| format!("{} is owned by \"{}\"", conflict.field, conflict.manager)).collect();
    format!("others own what would change: {}", each.join(", "))
}

fn causes(causes: &[Cause]) -> String {
    let each = causes.iter().map(|cause| match cause.field.as_str() {
        "" => cause.message.clone(),
        field => format!("{field}: {}", cause.message),
    });
    format!("the server refuses it: {}", each.collect::<Vec<_>>().join("; "))
}

impl Error {
    pub(crate) fn new(place: Place, kind: ErrorKind) -> Self {
        Self(Box::new(Inner { place, kind, sent: false }))
    }

    /// Marks that the request had left this process, so that the server may have carried it out.
    pub(crate) fn after_sending(mut self, sent: bool) -> Self {
        self.0.sent = sent;
        self
    }

    /// The server that the call was for: `https://10.0.0.1:6443`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.0.place.server
    }

    /// What was being done.
    #[must_use]
    pub fn call(&self) -> Call {
        self.0.place.call
    }

    /// What it was done to: `RuntimeClass nvidia`, `pods of namespace gpu`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.place.subject
    }

    /// The namespace that it was in; none for the whole cluster.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.0.place.namespace.as_deref()
    }

    /// Why it failed.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Whether this was a write whose request had left this process when it failed without an answer, so that it may
    /// have been carried out: look before sending it again.
    #[must_use]
    pub fn may_have_been_carried_out(&self) -> bool {
        self.call().writes() && self.0.sent && (self.is_unreachable() || matches!(self.kind(), ErrorKind::Interrupted))
    }

    /// Whether nobody answered: no dial, a broken connection, no answer in time. Never a matter of certificates,
    /// credentials or rights: there somebody answered.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unreachable(_) | ErrorKind::DeadlineExceeded)
    }

    /// Whether making the call again, later and unchanged, can succeed.
    #[must_use]
    pub fn retriable(&self) -> bool {
        self.is_unreachable() || matches!(self.0.kind, ErrorKind::Busy { .. } | ErrorKind::Server { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { server, call, subject, proxy, .. } = &self.0.place;
        write!(f, "{} {subject} at {server}", call.name())?;
        if let Some(proxy) = proxy {
            write!(f, " by way of the proxy {proxy}")?;
        }
        f.write_str(" failed")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0.kind)
    }
}
