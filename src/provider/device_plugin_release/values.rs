//! What a release is rendered from: the chart's defaults with the user's values over them, typed.
//!
//! Helm's rules for putting one over the other: maps are merged, lists and scalars replaced, null takes a default away.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::versions::{Chart, Trait};

/// A release's name and namespace, as `helm install NAME --namespace NAMESPACE` takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// DNS-1123, at most 53 characters.
    pub name: String,
    /// Where the objects go, unless `namespaceOverride` says another.
    pub namespace: String,
}

/// The values of a chart that decide what is rendered, defaults filled in. `nfd.*` is not among them: NFD counts as off.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Values {
    #[serde(default)]
    pub(super) config: Config,
    #[serde(default, rename = "compatWithCPUManager", deserialize_with = "if_bool")]
    pub(super) compat_with_cpu_manager: Option<bool>,
    #[serde(default)]
    pub(super) mig_strategy: Option<String>,
    #[serde(default, deserialize_with = "if_bool")]
    pub(super) fail_on_init_error: Option<bool>,
    #[serde(default, deserialize_with = "if_text")]
    pub(super) device_list_strategy: Option<String>,
    #[serde(default, rename = "deviceIDStrategy", deserialize_with = "if_text")]
    pub(super) device_id_strategy: Option<String>,
    #[serde(default, deserialize_with = "if_text")]
    pub(super) nvidia_driver_root: Option<String>,
    #[serde(default, deserialize_with = "if_text")]
    pub(super) nvidia_dev_root: Option<String>,
    #[serde(default, deserialize_with = "if_bool")]
    pub(super) gdrcopy_enabled: Option<bool>,
    #[serde(default, deserialize_with = "if_bool")]
    pub(super) gds_enabled: Option<bool>,
    #[serde(default, deserialize_with = "if_bool")]
    pub(super) mofed_enabled: Option<bool>,
    #[serde(default, deserialize_with = "if_text")]
    pub(super) device_discovery_strategy: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) name_override: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) fullname_override: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) namespace_override: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) selector_labels_override: BTreeMap<String, Json>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) allow_default_namespace: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) image_pull_secrets: Vec<Json>,
    pub(super) image: Image,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) update_strategy: Map<String, Json>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) pod_annotations: Map<String, Json>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) pod_security_context: Map<String, Json>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) security_context: Map<String, Json>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) resources: Map<String, Json>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) node_selector: Map<String, Json>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) affinity: Map<String, Json>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) tolerations: Vec<Json>,
    #[serde(default, deserialize_with = "text")]
    pub(super) priority_class_name: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) runtime_class_name: String,
    #[serde(default, deserialize_with = "if_bool")]
    pub(super) no_timestamp: Option<bool>,
    #[serde(default, deserialize_with = "if_text")]
    pub(super) sleep_interval: Option<String>,
    #[serde(default)]
    pub(super) device_plugin: Part,
    #[serde(default)]
    pub(super) gfd: Discovery,
    #[serde(default)]
    pub(super) mps: Mps,
    #[serde(default)]
    pub(super) cdi: Cdi,
}

/// Where the plugin's configuration files come from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    #[serde(default, deserialize_with = "text")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) map: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) default: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) fallback_strategies: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Image {
    pub(super) repository: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) pull_policy: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) tag: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) enabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) enable_host_network: bool,
}

/// GPU feature discovery.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Discovery {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) enabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) enable_host_network: bool,
    #[serde(default, deserialize_with = "text")]
    pub(super) name_override: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) namespace_override: String,
    #[serde(default, deserialize_with = "if_bool")]
    pub(super) no_timestamp: Option<bool>,
    #[serde(default, deserialize_with = "if_text")]
    pub(super) sleep_interval: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) security_context: Map<String, Json>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mps {
    #[serde(default, deserialize_with = "text")]
    pub(super) root: String,
    #[serde(default, rename = "enableHostPID", deserialize_with = "or_default")]
    pub(super) enable_host_pid: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) enable_host_network: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cdi {
    #[serde(default, deserialize_with = "if_text")]
    pub(super) nvidia_hook_path: Option<String>,
    #[serde(default, deserialize_with = "if_text")]
    pub(super) feature_flags: Option<String>,
}

/// Only text counts: Helm's YAML has no whole numbers, and the chart passes over any other number.
fn if_text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<Json>::deserialize(from)? {
        Some(Json::String(text)) => Some(text),
        _ => None,
    })
}

/// Only true and false count: the chart passes over anything else.
fn if_bool<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    Ok(Option::<Json>::deserialize(from)?.and_then(|value| value.as_bool()))
}

/// Null, which Helm takes for "not there".
fn or_default<'de, T: Default + Deserialize<'de>, D: serde::Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// Text; a number is written out, as a template would.
fn text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match Option::<Json>::deserialize(from)? {
        None | Some(Json::Null) => Ok(String::new()),
        Some(Json::String(text)) => Ok(text),
        Some(Json::Number(number)) => Ok(number.to_string()),
        Some(other) => Err(serde::de::Error::custom(format!("{other} is not text"))),
    }
}

/// The user's values cannot be those of the chart.
#[derive(Debug, thiserror::Error)]
#[error("the values do not fit the chart")]
pub struct NotValues(#[from] serde_json::Error);

impl Values {
    /// The chart's defaults with `user`'s values over them, as Helm does it. Values that the chart does not know are
    /// passed over, as Helm passes over them.
    ///
    /// # Errors
    /// A value has another type than the chart can render.
    pub fn over_defaults(chart: Chart, user: &Json) -> Result<Self, NotValues> {
        let mut values = defaults(chart);
        coalesce(&mut values, user);
        Ok(serde_json::from_value(values)?)
    }
}

/// The defaults of a version's `values.yaml`, as far as they have an effect, and what its templates need to be there.
pub(super) fn defaults(chart: Chart) -> Json {
    let mut values = json!({
        "config": { "name": "", "map": {}, "default": "", "fallbackStrategies": ["named", "single"] },
        "image": { "repository": "nvcr.io/nvidia/k8s-device-plugin", "pullPolicy": "IfNotPresent", "tag": "" },
        "updateStrategy": { "type": "RollingUpdate" },
        "tolerations": [
            { "key": "CriticalAddonsOnly", "operator": "Exists" },
            { "key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule" },
        ],
        "priorityClassName": "system-node-critical",
        "nameOverride": "",
        "fullnameOverride": "",
        "namespaceOverride": "",
        "selectorLabelsOverride": {},
        "allowDefaultNamespace": false,
        "imagePullSecrets": [],
        "podAnnotations": {},
        "podSecurityContext": {},
        "securityContext": {},
        "resources": {},
        "nodeSelector": {},
        "affinity": {},
        "cdi": {},
        "nfd": { "enableNodeFeatureApi": false },
        "gfd": {
            "enabled": false,
            "nameOverride": "gpu-feature-discovery",
            "securityContext": { "privileged": true },
        },
    });
    if chart.has(Trait::ControlDaemon) {
        let newer = json!({
            "affinity": nvidia_nodes(),
            "devicePlugin": { "enabled": true },
            "mps": { "root": "/run/nvidia/mps", "enableHostPID": true },
        });
        coalesce(&mut values, &newer);
    }
    values
}

/// Nodes that NFD or an administrator has labelled as having an NVIDIA GPU: the chart's affinity from 0.15.0 on.
pub(super) fn nvidia_nodes() -> Json {
    let term =
        |key: &str, value: &str| json!({ "matchExpressions": [{ "key": key, "operator": "In", "values": [value] }] });
    json!({
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    term("feature.node.kubernetes.io/pci-10de.present", "true"),
                    term("feature.node.kubernetes.io/cpu-model.vendor_id", "NVIDIA"),
                    term("nvidia.com/gpu.present", "true"),
                ],
            },
        },
    })
}

/// Puts `over` over `base` by Helm's rules.
pub(super) fn coalesce(base: &mut Json, over: &Json) {
    let (Json::Object(under), Json::Object(over)) = (base, over) else { return };
    for (key, value) in over {
        match (under.get_mut(key), value) {
            (_, Json::Null) => {
                under.remove(key);
            }
            (Some(lower @ Json::Object(_)), Json::Object(_)) => coalesce(lower, value),
            _ => {
                under.insert(key.clone(), without_nulls(value));
            }
        }
    }
}

/// Nulls in maps take away what is not there, and so leave nothing.
fn without_nulls(value: &Json) -> Json {
    match value {
        Json::Object(entries) => entries
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(version: &str, user: Json) -> Values {
        Values::over_defaults(Chart::find(version).unwrap(), &user).unwrap()
    }

    #[test]
    fn maps_merge_lists_replace_and_null_takes_away() {
        let merged = values(
            "0.20.0",
            json!({ "image": { "tag": "v1" }, "updateStrategy": { "rollingUpdate": { "maxUnavailable": 2 } } }),
        );
        assert_eq!(merged.image.tag, "v1");
        assert_eq!(merged.image.pull_policy, "IfNotPresent");
        assert_eq!(merged.update_strategy["type"], "RollingUpdate");

        assert_eq!(values("0.20.0", json!({ "tolerations": [] })).tolerations, Vec::<Json>::new());
        assert_eq!(values("0.20.0", json!({ "affinity": {} })).affinity.len(), 1);
        assert_eq!(values("0.20.0", json!({ "affinity": null })).affinity.len(), 0);
        assert_eq!(
            values("0.20.0", json!({ "gfd": { "securityContext": { "privileged": null } } }))
                .gfd
                .security_context
                .len(),
            0
        );
    }

    #[test]
    fn only_newer_charts_choose_nodes_by_default() {
        assert_eq!(values("0.14.5", json!({})).affinity.len(), 0);
        assert_eq!(values("0.15.0", json!({})).affinity.len(), 1);
    }

    #[test]
    fn a_number_where_text_belongs_is_written_out() {
        assert_eq!(values("0.20.0", json!({ "image": { "tag": 1.5 } })).image.tag, "1.5");
    }

    #[test]
    fn another_type_than_the_chart_renders_is_an_error() {
        let chart = Chart::newest();
        assert!(Values::over_defaults(chart, &json!({ "migStrategy": true })).is_err());
        assert!(Values::over_defaults(chart, &json!({ "tolerations": "all" })).is_err());
        assert!(Values::over_defaults(chart, &json!({ "someKeyThatNobodyKnows": true })).is_ok());
    }
}
