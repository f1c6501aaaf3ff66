//! Namespaces whose pods do what a case says.

use anyhow::Result;
use serde_json::{Value, json};

use crate::admission::SCRIPTED;
use crate::cluster::Cluster;
use crate::logs::TEXT;

/// A namespace that is about to be created. `stages/pods.yaml` says what each annotation does.
#[derive(Debug)]
#[must_use = "nothing is there before `create`"]
pub struct Namespace<'a> {
    cluster: &'a Cluster,
    name: String,
    labels: Value,
    annotations: Value,
}

impl<'a> Namespace<'a> {
    pub(crate) fn new(cluster: &'a Cluster, name: &str) -> Self {
        let labels = json!({SCRIPTED: "", "pod-security.kubernetes.io/enforce": "privileged"});
        Self { cluster, name: name.to_owned(), labels, annotations: json!({}) }
    }

    /// A label. Without more it is one that lets every pod in.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels[key] = json!(value);
        self
    }

    /// What the containers of its pods print.
    pub fn log(self, text: &str) -> Self {
        self.script(TEXT, text)
    }

    /// The code that its pods end with. Without it those that are to end do with 0.
    pub fn exit_code(self, code: u8) -> Self {
        self.script("pod.test/exit-code", &code.to_string())
    }

    /// Its pods run on, even those that would end.
    pub fn runs_on(self) -> Self {
        self.script("pod.test/exit-code", "none")
    }

    /// Its pods do not start, for this reason: `CreateContainerError`.
    pub fn waits(self, reason: &str, message: &str) -> Self {
        self.script("pod.test/waiting-reason", reason).script("pod.test/waiting-message", message)
    }

    fn script(mut self, key: &str, value: &str) -> Self {
        self.annotations[key] = json!(value);
        self
    }

    /// Creates it and waits until pods can be created in it.
    ///
    /// # Errors
    /// When there is one of that name already.
    pub fn create(self) -> Result<()> {
        let metadata = json!({"name": self.name, "labels": self.labels, "annotations": self.annotations});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        self.cluster.api().create("/api/v1/namespaces", &object)?;
        let account = format!("/api/v1/namespaces/{}/serviceaccounts/default", self.name);
        self.cluster.until(&format!("namespace {} has its service account", self.name), || {
            Ok(self.cluster.api().find(&account)?.map(drop))
        })
    }
}
