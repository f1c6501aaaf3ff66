//! What the pods of the plugin, of GPU feature discovery and of the MPS control daemon have in common.

use serde_json::{Map, Value as Json, json};

use super::{Frame, config_map};
use crate::device_plugin_release::versions::Trait;

/// A container's environment, in the order in which the chart writes it.
pub(super) struct Env<'a> {
    frame: &'a Frame<'a>,
    entries: Vec<Json>,
}

impl<'a> Env<'a> {
    pub(super) fn new(frame: &'a Frame<'a>) -> Self {
        Self { frame, entries: Vec::new() }
    }

    /// A fixed value.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.entries.push(json!({ "name": name, "value": value }));
    }

    /// A value of the user's. From 0.16.0 on the chart leaves an empty one out, which means the same.
    pub(super) fn given(&mut self, name: &str, value: &str) {
        if value.is_empty() && self.frame.chart.has(Trait::EmptyEnvLeftOut) {
            self.entries.push(json!({ "name": name }));
        } else {
            self.set(name, value);
        }
    }

    /// A value that is there only if it is given.
    pub(super) fn text(&mut self, name: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.given(name, value);
        }
    }

    /// The same for true and false. 0.16.0 to 0.17.0 write them without quotes, which the API refuses; we do not.
    pub(super) fn flag(&mut self, name: &str, value: Option<bool>) {
        if let Some(value) = value {
            self.set(name, if value { "true" } else { "false" });
        }
    }

    /// A field of the pod.
    pub(super) fn field(&mut self, name: &str, path: &str) {
        self.entries.push(json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } }));
    }

    /// An entry as it is.
    pub(super) fn push(&mut self, entry: Json) {
        self.entries.push(entry);
    }

    pub(super) fn into_json(self) -> Json {
        Json::Array(self.entries)
    }
}

/// How the container beside the main one tells it that its configuration has changed.
pub(super) enum Manager<'a> {
    /// It runs once, before the main container.
    Init,
    /// It runs beside it and signals this process.
    Sidecar(&'a str),
}

/// The container `config-manager`, which puts the configuration that the node's label names where the plugin reads it.
pub(super) fn config_manager(frame: &Frame<'_>, name: &str, manager: &Manager<'_>) -> Map<String, Json> {
    let (oneshot, signal, process) = match manager {
        Manager::Init => ("true", "", ""),
        Manager::Sidecar(process) => ("false", "1", *process),
    };
    let mut env = Env::new(frame);
    env.set("ONESHOT", oneshot);
    env.set("KUBECONFIG", "");
    env.field("NODE_NAME", "spec.nodeName");
    env.set("NODE_LABEL", "nvidia.com/device-plugin.config");
    env.set("CONFIG_FILE_SRCDIR", "/available-configs");
    env.set("CONFIG_FILE_DST", "/config/config.yaml");
    env.given("DEFAULT_CONFIG", &frame.values.config.default);
    env.given("FALLBACK_STRATEGIES", &frame.values.config.fallback_strategies.join(","));
    env.set("SEND_SIGNAL", if matches!(manager, Manager::Init) { "false" } else { "true" });
    env.set("SIGNAL", signal);
    env.set("PROCESS_TO_SIGNAL", process);
    let container = json!({
        "name": name,
        "image": frame.image(),
        "command": ["config-manager"],
        "env": env.into_json(),
        "volumeMounts": [mount("available-configs", "/available-configs"), mount("config", "/config")],
    });
    into_map(container)
}

pub(super) fn mount(name: &str, path: &str) -> Json {
    json!({ "name": name, "mountPath": path })
}

/// A directory of the node. `kind` is written where the version writes it.
pub(super) fn host_path(name: &str, path: &str, kind: Option<&str>) -> Json {
    match kind {
        Some(kind) => json!({ "name": name, "hostPath": { "path": path, "type": kind } }),
        None => json!({ "name": name, "hostPath": { "path": path } }),
    }
}

/// The volume of the configuration files.
pub(super) fn available_configs(frame: &Frame<'_>) -> Json {
    json!({ "name": "available-configs", "configMap": { "name": frame.config_map } })
}

/// The volume where the chosen configuration is put.
pub(super) fn chosen_config() -> Json {
    json!({ "name": "config", "emptyDir": {} })
}

/// What of a pod and its DaemonSet differs between the three.
pub(super) struct Pod {
    /// Name of the DaemonSet.
    pub(super) name: String,
    pub(super) spec: Map<String, Json>,
    /// Whether it runs under the service account.
    pub(super) service_account: bool,
    pub(super) host_network: bool,
    pub(super) annotations: Map<String, Json>,
    pub(super) pull_secrets: Vec<Json>,
    pub(super) security_context: Map<String, Json>,
    pub(super) affinity: Map<String, Json>,
    pub(super) node_selector: Map<String, Json>,
}

impl Pod {
    /// With what the device plugin's own pods have.
    pub(super) fn new(frame: &Frame<'_>, name: String, spec: Json) -> Self {
        let values = frame.values;
        Self {
            name,
            spec: into_map(spec),
            service_account: frame.chart.has(Trait::AccountInEveryPod) || frame.has_config(),
            host_network: false,
            annotations: values.pod_annotations.clone(),
            pull_secrets: values.image_pull_secrets.clone(),
            security_context: values.pod_security_context.clone(),
            affinity: frame.affinity(),
            node_selector: values.node_selector.clone(),
        }
    }

    /// The DaemonSet of these pods, named and labelled by `names`.
    pub(super) fn daemon_set(self, frame: &Frame<'_>, names: &super::names::Names) -> Json {
        let mut spec = Map::new();
        spec.insert("selector".to_owned(), json!({ "matchLabels": names.selector() }));
        insert_unless_empty(&mut spec, "updateStrategy", &frame.values.update_strategy);
        let name = self.name.clone();
        let annotations = config_map::with_checksum(frame, self.annotations.clone());
        spec.insert(
            "template".to_owned(),
            json!({
                "metadata": { "labels": names.pod_labels(), "annotations": annotations },
                "spec": self.pod_spec(frame),
            }),
        );
        json!({
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": { "name": name, "namespace": names.namespace, "labels": names.labels() },
            "spec": spec,
        })
    }

    fn pod_spec(self, frame: &Frame<'_>) -> Map<String, Json> {
        let values = frame.values;
        let mut spec = self.spec;
        for (key, text) in
            [("priorityClassName", &values.priority_class_name), ("runtimeClassName", &values.runtime_class_name)]
        {
            if !text.is_empty() {
                spec.insert(key.to_owned(), json!(text));
            }
        }
        if !self.pull_secrets.is_empty() {
            spec.insert("imagePullSecrets".to_owned(), Json::Array(self.pull_secrets));
        }
        if self.host_network && frame.chart.has(Trait::HostNetwork) {
            spec.insert("hostNetwork".to_owned(), json!(true));
            spec.insert("dnsPolicy".to_owned(), json!("ClusterFirstWithHostNet"));
        }
        spec.insert("securityContext".to_owned(), Json::Object(self.security_context));
        if self.service_account {
            spec.insert("serviceAccountName".to_owned(), json!(frame.names.service_account()));
        }
        insert_unless_empty(&mut spec, "nodeSelector", &self.node_selector);
        insert_unless_empty(&mut spec, "affinity", &self.affinity);
        if !values.tolerations.is_empty() {
            spec.insert("tolerations".to_owned(), Json::Array(values.tolerations.clone()));
        }
        spec
    }
}

/// `entries` under `key`, unless there are none.
pub(super) fn insert_unless_empty(into: &mut Map<String, Json>, key: &str, entries: &Map<String, Json>) {
    if !entries.is_empty() {
        into.insert(key.to_owned(), Json::Object(entries.clone()));
    }
}

/// The entries of an object.
pub(super) fn into_map(value: Json) -> Map<String, Json> {
    match value {
        Json::Object(entries) => entries,
        _ => Map::new(),
    }
}
