//! The service account of the pods and what it may do.

use serde_json::{Map, Value as Json, json};

use super::Frame;
use crate::device_plugin_release::versions::Trait;

const GROUP: &str = "rbac.authorization.k8s.io";

/// All three are there, or none.
#[derive(Default)]
pub(super) struct Account {
    pub(super) service_account: Option<Json>,
    pub(super) cluster_role: Option<Json>,
    pub(super) binding: Option<Json>,
}

/// The account, if a pod needs it in this version.
pub(super) fn objects(frame: &Frame<'_>) -> Account {
    if !is_needed(frame) {
        return Account::default();
    }
    let account = frame.names.service_account();
    let role = format!("{}-role", frame.names.fullname);
    Account {
        service_account: Some(json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": account,
                "namespace": frame.names.namespace,
                "labels": frame.names.labels(),
            },
        })),
        cluster_role: Some(json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": "ClusterRole",
            "metadata": cluster_metadata(frame, &role),
            "rules": rules(frame),
        })),
        binding: Some(json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": "ClusterRoleBinding",
            "metadata": cluster_metadata(frame, &format!("{role}-binding")),
            "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": frame.names.namespace }],
            "roleRef": { "kind": "ClusterRole", "name": role, "apiGroup": GROUP },
        })),
    }
}

fn is_needed(frame: &Frame<'_>) -> bool {
    frame.has_config() || frame.chart.has(Trait::AccountAlways) || labels_through_api(frame)
}

/// Whether GPU feature discovery writes NodeFeature objects. Where that is a choice, it is NFD's value, and NFD is off.
pub(super) fn labels_through_api(frame: &Frame<'_>) -> bool {
    frame.values.gfd.enabled && frame.chart.has(Trait::NodeFeatureAlways)
}

fn rules(frame: &Frame<'_>) -> Vec<Json> {
    let mut rules = vec![json!({ "apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"] })];
    if labels_through_api(frame) {
        rules.push(json!({
            "apiGroups": ["nfd.k8s-sigs.io"],
            "resources": ["nodefeatures"],
            "verbs": ["get", "list", "watch", "create", "update"],
        }));
        rules.push(json!({ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }));
    }
    rules
}

fn cluster_metadata(frame: &Frame<'_>, name: &str) -> Map<String, Json> {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(name));
    if frame.chart.has(Trait::NamespacedClusterRoles) {
        metadata.insert("namespace".to_owned(), json!(frame.names.namespace));
    }
    metadata.insert("labels".to_owned(), Json::Object(frame.names.labels()));
    metadata
}
