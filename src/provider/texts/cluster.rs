//! What is said about any object of a Kubernetes cluster and the way to it, worded once for all resources.

use std::{error::Error as _, time::Duration};

use kubernetes::{
    Error, ErrorKind, ObjectRef, SettingsError,
    error::FieldConflict,
    settings::{Field, SettingsProblem},
};
use plugin::{Diagnostics, Path};

use super::{MISSPELT, list, span, two_addresses};
use crate::clusters::{MANAGER, NoCluster};

/// A call that failed, with its cause and the next step.
pub(crate) fn failed_call(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    let stop = if text.ends_with('.') { "" } else { "." };
    format!("{text}{stop} {}", error.next_step())
}

/// Diagnostics about one object of a cluster.
pub(crate) struct SayOf<'a> {
    pub(crate) object: &'a ObjectRef,
    /// The attribute that names the object.
    pub(crate) at: &'static str,
    pub(crate) diagnostics: &'a mut Diagnostics,
}

impl SayOf<'_> {
    fn named(&self) -> Path {
        Path::attribute(self.at)
    }

    pub(crate) fn error(&mut self, path: Path, summary: &str, detail: String) {
        self.diagnostics.error(path, summary, detail);
    }

    pub(crate) fn warn(&mut self, path: Path, summary: &str, detail: String) {
        self.diagnostics.warn(path, summary, detail);
    }

    // The provider block.

    /// Why the cluster cannot be asked, as an error.
    pub(crate) fn no_cluster(&mut self, why: &NoCluster) {
        let object = self.object;
        match why {
            NoCluster::Absent => self.error(
                Path::root(),
                "The provider has no kubernetes block",
                format!("{object} is reached over the Kubernetes API, and the provider block does not say how. Write `provider \"nvidia\" {{ kubernetes = {{ config_path = \"~/.kube/config\" }} }}`, or give client_configuration or host in it."),
            ),
            NoCluster::Unknown(attribute) => self.error(
                Path::root(),
                "The provider configuration is not known yet",
                format!("`{attribute}` of the provider block is still unknown, so {object} cannot be reached. Apply what it depends on first."),
            ),
            NoCluster::Bad(error) => self.error(
                Path::root(),
                "The Kubernetes client configuration cannot be used",
                format!("{object} cannot be asked for: {}", bad_settings(error)),
            ),
        }
    }

    pub(crate) fn not_refreshed_unknown(&mut self, attribute: &str) {
        let object = self.object;
        self.warn(
            self.named(),
            "The object was not refreshed",
            format!("`{attribute}` of the provider block is known only after apply, so {object} could not be asked for; its state is kept as it was. Drift on it shows once the value is known."),
        );
    }

    pub(crate) fn settings_come_at_apply(&mut self, error: &SettingsError) {
        let object = self.object;
        self.warn(
            self.named(),
            "The cluster could not be asked at plan",
            format!("{object} is planned without looking at the cluster; if its kubeconfig is written in this same apply, that is as it should be. {}", bad_settings(error)),
        );
    }

    // Calls.

    pub(crate) fn failed(&mut self, error: &Error) {
        if error.may_have_been_carried_out() {
            let detail = format!("{} {BY_A_PLAN}", failed_call(error));
            return self.error(self.named(), "It is not known whether the change was made", detail);
        }
        let (path, summary) = (self.path_of(error), summary_of(error));
        self.error(path, summary, failed_call(error));
    }

    /// A failure while a plan looked at the cluster.
    pub(crate) fn checks_come_at_apply(&mut self, error: &Error) {
        let object = self.object;
        self.warn(
            self.named(),
            "The cluster could not be asked at plan",
            format!("{object} is planned without looking at the cluster; if that is made in this same apply, this is as it should be. {}", failed_call(error)),
        );
    }

    pub(crate) fn interrupted(&mut self, error: &Error) {
        let object = self.object;
        let sent = if error.may_have_been_carried_out() {
            " The request had been sent and may have been carried out."
        } else {
            ""
        };
        self.error(
            self.named(),
            "Interrupted",
            format!("The operation was interrupted while the provider was at {object}.{sent} Plan again to see what is left to do."),
        );
    }

    pub(crate) fn too_slow(&mut self, what: &str, limit: Duration, error: &Error) {
        let object = self.object;
        let step = if error.may_have_been_carried_out() { BY_A_PLAN } else { "" };
        self.error(
            Path::attribute("timeouts"),
            "The cluster does not answer in time",
            format!(
                "{what} {object} took more than {}, which `timeouts` can make longer. {} {step}",
                span(limit),
                failed_call(error)
            )
            .trim_end()
            .to_owned(),
        );
    }

    fn path_of(&self, error: &Error) -> Path {
        match error.kind() {
            ErrorKind::Unreachable(_) | ErrorKind::Unauthorized | ErrorKind::Certificate(_) => Path::root(),
            ErrorKind::ExecPlugin { .. } | ErrorKind::TokenFile { .. } | ErrorKind::CaFile { .. } => Path::root(),
            ErrorKind::NotKubernetes(_) | ErrorKind::Forbidden { .. } | ErrorKind::Escalation { .. } => Path::root(),
            _ => self.named(),
        }
    }

    // What stands there.

    /// There is one already. A warning in a plan, an error in an apply.
    pub(crate) fn exists_already(&mut self, is_error: bool, resource: &str, id: &str, managers: &[&str]) {
        let object = self.object;
        let by = if managers.is_empty() { String::new() } else { format!(" (written by {})", list(managers)) };
        let twice = if managers == [MANAGER] {
            " This provider wrote it: where two resources have this name, give one of them another, since they would undo each other's changes; where this is a replacement with create_before_destroy, take that out, since two objects cannot have one name."
        } else {
            ""
        };
        let detail = format!(
            "{object} is there already{by}, and a create never takes over what it did not make. To manage it, import it, with what this resource is called for NAME (in a module: its whole address):\n\n  terraform import {resource}.NAME {id}\n\nor with a block:\n\n  import {{\n    to = {resource}.NAME\n    id = \"{id}\"\n  }}\n\nOr choose another name, or delete it if nothing needs it.{twice}"
        );
        let summary = "The object exists already";
        let path = self.named();
        if is_error { self.error(path, summary, detail) } else { self.warn(path, summary, detail) }
    }

    pub(crate) fn conflicts(&mut self, conflicts: &[FieldConflict], attribute_of: impl Fn(&str) -> Path) {
        let object = self.object;
        for FieldConflict { manager, field } in conflicts {
            self.error(
                attribute_of(field),
                "Another field manager owns the field",
                format!("Field {field} of {object} belongs to the field manager \"{manager}\", which has another value for it, and it was not ours before. Nothing was changed. Take it out of this configuration, or let {manager} give it up (with `kubectl apply --server-side --field-manager={manager}` of an object without it)."),
            );
        }
    }

    pub(crate) fn changed_since_plan(&mut self, error: &Error) {
        let object = self.object;
        self.error(
            self.named(),
            "The object was replaced after the plan",
            format!("{object} is no longer the one that the plan was made for: somebody deleted it or made it anew. Nothing was changed. Plan again. {}", failed_call(error)),
        );
    }

    pub(crate) fn is_going(&mut self) {
        let object = self.object;
        self.warn(
            self.named(),
            "The object is being deleted",
            format!("Somebody has deleted {object}, and its finalizers keep it until what they wait for is done (`kubectl get -o yaml` shows them). It counts as there until then; afterwards it is planned again. Plan again once it is gone."),
        );
    }

    pub(crate) fn another_stands_there(&mut self, ours: &str, theirs: &str) {
        let object = self.object;
        self.warn(
            self.named(),
            "Somebody has made the object anew",
            format!("The object of this resource (uid {ours}) is gone, and another one (uid {theirs}) stands under its name, so {object} is planned again. It is not taken over: import it, or delete it before you apply."),
        );
    }

    pub(crate) fn another_is_left(&mut self, ours: &str) {
        let object = self.object;
        self.warn(
            self.named(),
            "Another object was left alone",
            format!("The object of this resource (uid {ours}) is gone, and somebody has made {object} anew. That one was not deleted; nothing manages it any more."),
        );
    }

    /// The second of two imports of one object.
    pub(crate) fn imported_twice(&mut self) {
        two_addresses::imported(&self.object.to_string(), Path::root(), self.diagnostics);
    }

    /// The second of two addresses that have one object.
    pub(crate) fn managed_twice(&mut self) {
        two_addresses::managed(&self.object.to_string(), self.named(), self.diagnostics);
    }

    pub(crate) fn nothing_to_import(&mut self, server: &str) {
        let object = self.object;
        self.error(
            Path::root(),
            "There is nothing to import",
            format!("There is no {object} at {server}. Create the resource instead of importing it, or check the name and the cluster."),
        );
    }

    pub(crate) fn stays(&mut self, limit: Duration, finalizers: &[&str]) {
        let object = self.object;
        let by = if finalizers.is_empty() {
            String::new()
        } else {
            format!(" Its finalizers keep it: {}.", list(finalizers))
        };
        self.error(
            Path::attribute("timeouts"),
            "The object does not go",
            format!(
                "{object} was deleted and is still there after {}.{by} Look at what they wait for, then destroy again.",
                span(limit)
            ),
        );
    }
}

/// How a plan shows what became of a change without an answer.
const BY_A_PLAN: &str = "A plan does so: it reads what is there now, and shows what is left to do.";

fn bad_settings(error: &SettingsError) -> String {
    let at = error.field().and_then(attribute).map(|name| format!(" (kubernetes.{name})")).unwrap_or_default();
    let misspelt = if matches!(error.problem(), SettingsProblem::NotConfigured { .. }) { MISSPELT } else { "" };
    format!("{error}{at}. {}{misspelt}", error.next_step())
}

/// The attribute of the provider block that a field is given by; none where only a kubeconfig has it.
const fn attribute(field: Field) -> Option<&'static str> {
    Some(match field {
        Field::ConfigPath => "config_path",
        Field::Context => "config_context",
        Field::Host => "host",
        Field::CaCertificate => "cluster_ca_certificate",
        Field::ClientCertificate => "client_certificate",
        Field::ClientKey => "client_key",
        Field::Token => "token",
        Field::TlsServerName => "tls_server_name",
        Field::Exec => "exec",
        Field::ProxyUrl => "proxy_url",
        Field::Insecure | Field::AuthProvider => return None,
    })
}

/// The one-line summary for a failed call, by its cause.
fn summary_of(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Unreachable(_) | ErrorKind::DeadlineExceeded => "The cluster cannot be reached",
        ErrorKind::Certificate(_) | ErrorKind::CaFile { .. } => "The connection to the cluster is refused",
        ErrorKind::ExecPlugin { .. } | ErrorKind::TokenFile { .. } => "There are no credentials for the cluster",
        ErrorKind::Unauthorized => "The cluster does not accept the credentials",
        ErrorKind::Forbidden { .. } | ErrorKind::Escalation { .. } => "A right is missing",
        ErrorKind::Admission { .. } => "The object is refused by admission",
        ErrorKind::Invalid(_) => "The cluster refuses the object",
        ErrorKind::Busy { .. } | ErrorKind::Server { .. } => "The cluster is not able to answer",
        ErrorKind::NoSuchKind(_) | ErrorKind::NotKubernetes(_) => "This is not the cluster that is expected",
        _ => "The Kubernetes call failed",
    }
}
