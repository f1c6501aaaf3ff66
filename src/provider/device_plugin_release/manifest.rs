//! The objects of a release as a plan shows them: by name, as the JSON of what the release sets, and what a change of
//! version or values does to each.

use std::{collections::BTreeMap, fmt};

use plugin::Value;
use serde_json::{Value as Json, json};

use super::{
    values::Release,
    versions::{Chart, Trait},
};

/// Which object it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(super) kind: String,
    /// None for what belongs to the cluster.
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}/{}", self.kind, self.name),
            None => write!(f, "{}/{}", self.kind, self.name),
        }
    }
}

/// Kinds of the cluster, of those that a release of this chart, with or without NFD, has had.
const CLUSTER_KINDS: [&str; 4] = ["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace"];

impl Key {
    /// Of a rendered object.
    pub(super) fn of(object: &Json) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
        let kind = text("/kind");
        let namespace = (!CLUSTER_KINDS.contains(&kind.as_str())).then(|| text("/metadata/namespace"));
        Self { kind, namespace, name: text("/metadata/name") }
    }
}

/// What is applied and owned of a rendered object: without a namespace on an object of the cluster, which 0.15.0 to
/// 0.16.2 render and the API server drops, and without what says nothing.
pub(super) fn owned(object: &Json) -> Json {
    let mut object = without_nothing(object);
    if Key::of(&object).namespace.is_none()
        && let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut)
    {
        metadata.remove("namespace");
    }
    if let Some(template) = object.pointer_mut("/spec/template/metadata").and_then(Json::as_object_mut)
        && template.get("annotations").and_then(Json::as_object).is_some_and(serde_json::Map::is_empty)
    {
        template.remove("annotations");
    }
    object
}

/// What is applied: the owned fields, and the annotations by which Helm knows its own (it adds them at apply, and its
/// manifest does not have them). Without them `helm install` of the same name would refuse to go on with the objects.
pub(super) fn applied(object: &Json, release: &Release) -> Json {
    let mut applied = owned(object);
    applied["metadata"]["annotations"] = json!({
        "meta.helm.sh/release-name": release.name,
        "meta.helm.sh/release-namespace": release.namespace,
    });
    applied
}

fn without_nothing(value: &Json) -> Json {
    match value {
        Json::Object(entries) => entries
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nothing(value)))
            .collect(),
        Json::Array(items) => items.iter().map(without_nothing).collect(),
        other => other.clone(),
    }
}

/// The attribute `manifest`: each object's name and the JSON of what is owned of it, keys in order.
pub(super) fn manifest(objects: &[Json]) -> BTreeMap<String, String> {
    objects.iter().map(|object| (Key::of(object).to_string(), canonical(&owned(object)))).collect()
}

/// The objects that the attribute `manifest` of a state shows.
pub(super) fn shown(state: &Value) -> Vec<Json> {
    let entries = state.get("manifest").entries().known();
    entries.into_iter().flatten().filter_map(|(_, json)| serde_json::from_str(json.string().known()?).ok()).collect()
}

/// JSON in one line with the keys of every map in order, whatever order the value holds them in.
pub(super) fn canonical(value: &Json) -> String {
    match value {
        Json::Object(entries) => {
            let sorted: BTreeMap<_, _> = entries.iter().collect();
            let inner: Vec<String> = sorted
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Json::from(key.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", inner.join(","))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Removed,
    /// In place.
    Changed,
    /// A field that cannot be changed: it is deleted and made anew.
    Replaced(&'static str),
}

/// Fields that the API server does not let change.
const IMMUTABLE: [(&str, &str, &str); 3] = [
    ("DaemonSet", "/spec/selector", "spec.selector"),
    ("ClusterRoleBinding", "/roleRef", "roleRef"),
    ("RoleBinding", "/roleRef", "roleRef"),
];

/// What becomes of each object that does not stay as it is, from one rendered set to another.
pub(super) fn changes(before: &[Json], after: &[Json]) -> BTreeMap<Key, Change> {
    let by_key = |objects: &[Json]| -> BTreeMap<Key, Json> {
        objects.iter().map(|object| (Key::of(object), owned(object))).collect()
    };
    let (before, after) = (by_key(before), by_key(after));
    let mut changes: BTreeMap<Key, Change> =
        before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Change::Removed)).collect();
    for (key, new) in after {
        match before.get(&key) {
            None => changes.insert(key, Change::Added),
            Some(old) if canonical(old) == canonical(&new) => None,
            Some(old) => {
                let change = change(&key.kind, old, &new);
                changes.insert(key, change)
            }
        };
    }
    changes
}

fn change(kind: &str, old: &Json, new: &Json) -> Change {
    immutable(kind, old, new).map_or(Change::Changed, Change::Replaced)
}

/// A field that differs and cannot be changed in place.
pub(super) fn immutable(kind: &str, old: &Json, new: &Json) -> Option<&'static str> {
    let differs = |pointer: &str| old.pointer(pointer) != new.pointer(pointer);
    IMMUTABLE.iter().find(|(of, pointer, _)| *of == kind && differs(pointer)).map(|(.., field)| *field)
}

/// Helm's order of kinds for an apply; a delete goes the other way. A kind that is not here comes last.
const ORDER: [&str; 16] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "DaemonSet",
    "Deployment",
    "Job",
    "CronJob",
];

/// Place of a kind in an apply.
pub(super) fn apply_place(kind: &str) -> usize {
    ORDER.iter().position(|known| *known == kind).unwrap_or(ORDER.len())
}

/// In the order in which they are deleted.
pub(super) fn in_delete_order(mut keys: Vec<Key>) -> Vec<Key> {
    keys.sort_by_key(|key| std::cmp::Reverse(apply_place(&key.kind)));
    keys
}

/// The chart's template that gives an object, for the record's manifest.
pub(super) fn source(chart: Chart, object: &Json) -> &'static str {
    let key = Key::of(object);
    let is_newer = chart.has(Trait::ControlDaemon);
    let runs = |container: &str| {
        let containers = object.pointer("/spec/template/spec/containers").and_then(Json::as_array);
        containers.is_some_and(|all| all.iter().any(|one| one.get("name") == Some(&Json::from(container))))
    };
    match key.kind.as_str() {
        "ServiceAccount" => "service-account.yml",
        "ConfigMap" => "configmap.yml",
        "ClusterRole" => "role.yml",
        "ClusterRoleBinding" => "role-binding.yml",
        _ if runs("mps-control-daemon-ctr") => "daemonset-mps-control-daemon.yml",
        _ if runs("gpu-feature-discovery-ctr") && is_newer => "daemonset-gfd.yml",
        _ if runs("gpu-feature-discovery-ctr") => "gfd.yml",
        _ if is_newer => "daemonset-device-plugin.yml",
        _ => "daemonset.yml",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device_plugin_release::{render, values::Values};

    fn objects(version: &str, user: Json) -> Vec<Json> {
        let chart = Chart::find(version).unwrap();
        let release = Release { name: "nvdp".into(), namespace: "gpu".into() };
        render(chart, &release, &Values::over_defaults(chart, &user).unwrap())
    }

    fn shown(before: &[Json], after: &[Json]) -> Vec<String> {
        changes(before, after).into_iter().map(|(key, change)| format!("{key} {change:?}")).collect()
    }

    #[test]
    fn an_object_is_named_by_kind_namespace_and_name() {
        let manifest = manifest(&objects("0.15.0", json!({})));
        assert_eq!(
            manifest.keys().collect::<Vec<_>>(),
            [
                "ClusterRole/nvdp-nvidia-device-plugin-role",
                "ClusterRoleBinding/nvdp-nvidia-device-plugin-role-binding",
                "DaemonSet/gpu/nvdp-nvidia-device-plugin",
                "DaemonSet/gpu/nvdp-nvidia-device-plugin-mps-control-daemon",
                "ServiceAccount/gpu/nvdp-nvidia-device-plugin-service-account",
            ]
        );
    }

    #[test]
    fn what_the_server_drops_is_not_owned() {
        for object in objects("0.15.0", json!({})) {
            let owned = owned(&object);
            assert_eq!(owned.pointer("/metadata/namespace").is_none(), Key::of(&object).namespace.is_none(), "{owned}");
            assert_eq!(owned.pointer("/spec/template/metadata/annotations"), None, "{owned}");
        }
    }

    #[test]
    fn what_is_applied_is_owned_and_known_to_helm() {
        let release = Release { name: "nvdp".into(), namespace: "gpu".into() };
        for object in objects("0.20.0", json!({})) {
            let mut applied = applied(&object, &release);
            assert_eq!(applied["metadata"]["annotations"]["meta.helm.sh/release-name"], "nvdp");
            assert_eq!(applied["metadata"]["annotations"]["meta.helm.sh/release-namespace"], "gpu");
            assert_eq!(applied["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm");
            applied["metadata"].as_object_mut().unwrap().remove("annotations");
            assert_eq!(applied, owned(&object));
        }
    }

    #[test]
    fn json_is_in_order_at_every_depth() {
        assert_eq!(
            canonical(&json!({ "b": [{ "d": 1, "c": "x\"" }], "a": {} })),
            r#"{"a":{},"b":[{"c":"x\"","d":1}]}"#
        );
    }

    #[test]
    fn a_changed_value_changes_the_objects_that_have_it() {
        let before = objects("0.20.0", json!({}));
        assert_eq!(shown(&before, &objects("0.20.0", json!({}))), Vec::<String>::new());
        assert_eq!(
            shown(&before, &objects("0.20.0", json!({ "mps": { "enableHostPID": false } }))),
            ["DaemonSet/gpu/nvdp-nvidia-device-plugin-mps-control-daemon Changed"]
        );
        assert_eq!(
            shown(&objects("0.19.1", json!({ "gfd": { "enabled": true } })), &objects("0.19.1", json!({}))),
            [
                "ClusterRole/nvdp-nvidia-device-plugin-role Removed",
                "ClusterRoleBinding/nvdp-nvidia-device-plugin-role-binding Removed",
                "DaemonSet/gpu/nvdp-nvidia-device-plugin-gpu-feature-discovery Removed",
                "ServiceAccount/gpu/nvdp-nvidia-device-plugin-service-account Removed",
            ]
        );
    }

    #[test]
    fn a_changed_selector_is_a_replacement() {
        let before = objects("0.14.5", json!({ "gfd": { "enabled": true } }));
        let after = objects("0.15.0", json!({ "gfd": { "enabled": true } }));
        let changes = shown(&before, &after);
        assert!(changes.contains(&"DaemonSet/gpu/nvdp-gpu-feature-discovery Removed".to_owned()), "{changes:?}");

        let release = |version: &str| {
            let chart = Chart::find(version).unwrap();
            let release = Release { name: "nvidia-device-plugin".into(), namespace: "gpu".into() };
            let user = json!({ "gfd": { "enabled": true } });
            render(chart, &release, &Values::over_defaults(chart, &user).unwrap())
        };
        let changes = shown(&release("0.14.5"), &release("0.15.0"));
        assert!(
            changes.contains(
                &"DaemonSet/gpu/nvidia-device-plugin-gpu-feature-discovery Replaced(\"spec.selector\")".to_owned()
            ),
            "{changes:?}"
        );
        assert!(changes.contains(&"DaemonSet/gpu/nvidia-device-plugin Changed".to_owned()), "{changes:?}");
    }

    #[test]
    fn rendered_objects_come_in_helms_order_and_go_in_the_reverse() {
        let user = json!({ "gfd": { "enabled": true }, "config": { "map": { "default": "version: v1" } } });
        let places: Vec<usize> =
            objects("0.20.0", user.clone()).iter().map(|object| apply_place(&Key::of(object).kind)).collect();
        assert!(places.is_sorted(), "{places:?}");
        let kinds: Vec<String> = in_delete_order(objects("0.20.0", user).iter().map(Key::of).collect())
            .into_iter()
            .map(|key| key.kind)
            .collect();
        assert_eq!(
            kinds,
            ["DaemonSet", "DaemonSet", "DaemonSet", "ClusterRoleBinding", "ClusterRole", "ConfigMap", "ServiceAccount"]
        );
        assert!(apply_place("SomethingElse") > apply_place("CronJob"));
    }
}
