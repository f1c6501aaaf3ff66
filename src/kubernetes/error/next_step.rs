//! What an operator can do about a failure: one sentence for each kind.

use super::{Error, ErrorKind};

impl Error {
    /// One sentence that says what the operator can do.
    #[must_use]
    pub fn next_step(&self) -> String {
        let server = &self.0.place.server;
        match &self.0.kind {
            _ if self.may_have_been_carried_out() => {
                "Look at the object before trying again: the request was sent, and may have been carried out."
                    .to_owned()
            }
            ErrorKind::Unreachable(_) => match &self.0.place.proxy {
                Some(proxy) => format!(
                    "Check that the proxy {proxy} is up and lets this machine through to {server}, and that the server is up."
                ),
                None => format!("Check that {server} is up and that this machine has a way to it."),
            },
            ErrorKind::DeadlineExceeded => {
                format!("Try again, and if it stays so look at the load of {server} and at the way to it.")
            }
            ErrorKind::Interrupted => "Run it again when you want to go on.".to_owned(),
            ErrorKind::Certificate(problem) => problem.next_step().to_owned(),
            ErrorKind::ExecPlugin { command, .. } => {
                format!(
                    "Run `{command}` by hand with the same arguments and variables to see what it says, and log in again if it asks for it."
                )
            }
            ErrorKind::TokenFile { .. } => {
                "Check that the file is there, that this user may read it, and that it holds a token and nothing else."
                    .to_owned()
            }
            ErrorKind::CaFile { .. } => {
                "Check that the file is there, that this user may read it, and that it holds the cluster's CA as PEM."
                    .to_owned()
            }
            ErrorKind::Unauthorized => {
                "Get new credentials: the token or certificate may have expired, or be of another cluster.".to_owned()
            }
            ErrorKind::Forbidden { verb, resource, namespace, .. } => rbac_step(verb, resource, namespace.as_deref()),
            ErrorKind::Escalation { .. } => "Give it these rights, by a role that is bound to it. Or give it the verbs `escalate` on clusterroles.rbac.authorization.k8s.io and `bind` on the role that is bound.".to_owned(),
            ErrorKind::Admission { .. } => {
                "Change what is refused, or ask whoever runs that policy for an exception.".to_owned()
            }
            ErrorKind::NotFound => "Check its name and namespace.".to_owned(),
            ErrorKind::NoSuchKind(_) => {
                "Check that the server is the right one and at least Kubernetes 1.30, and that its CRDs are installed."
                    .to_owned()
            }
            ErrorKind::AlreadyExists => "Import it, or choose another name.".to_owned(),
            ErrorKind::Conflict(_) => {
                "Agree with the owner of the field, or leave it out of the configuration.".to_owned()
            }
            ErrorKind::Changed(_) => "Plan again.".to_owned(),
            ErrorKind::Invalid(_) => "Correct the configuration.".to_owned(),
            ErrorKind::Busy { .. } | ErrorKind::Server { .. } | ErrorKind::Expired => {
                "Try again; if it stays so, look at the log of the API server.".to_owned()
            }
            ErrorKind::NotKubernetes(_) => {
                format!("Check the address and port of {server}, and the proxy if there is one.")
            }
            ErrorKind::Malformed(_) | ErrorKind::Other { .. } => "Look at the log of the API server.".to_owned(),
        }
    }
}

fn rbac_step(verb: &str, resource: &str, namespace: Option<&str>) -> String {
    let (role, place) = match namespace {
        Some(namespace) => ("role", format!(" -n {namespace}")),
        None => ("clusterrole", String::new()),
    };
    format!(
        "Give it that right: `kubectl create {role} NAME --verb={verb} --resource={resource}{place}`, and bind it to the user."
    )
}
