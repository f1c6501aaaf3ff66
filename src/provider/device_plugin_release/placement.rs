//! Which nodes a DaemonSet's pods may run on, as the scheduler and the DaemonSet controller decide it.

use serde_json::{Map, Value as Json};

/// Why a node gets no pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// Its labels are not what the node selector or the affinity asks for.
    Labels,
    /// A taint that the pods do not tolerate, as `key=value:effect`.
    Taint(String),
}

/// Taints that every DaemonSet's pods tolerate.
const TOLERATED: [&str; 6] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/unschedulable",
];

/// Why `node` gets no pod of this pod specification; `None` if it gets one.
pub(super) fn misfit(spec: &Json, node: &Json) -> Option<Misfit> {
    if !has_labels(spec, node) { Some(Misfit::Labels) } else { untolerated(spec, node).map(Misfit::Taint) }
}

/// Labels that a node may have to get a pod, as `key=value`, from the node selector and the terms of the affinity; any
/// one of the affinity's does.
pub(super) fn wanted_labels(spec: &Json) -> Vec<String> {
    let mut wanted: Vec<String> = entries(spec.get("nodeSelector"))
        .map(|selector| {
            selector.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect()
        })
        .unwrap_or_default();
    for term in terms(spec).unwrap_or_default() {
        for expression in items(term.get("matchExpressions")) {
            let key = text(expression, "key");
            match text(expression, "operator") {
                "In" => wanted.extend(
                    items(expression.get("values"))
                        .iter()
                        .filter_map(Json::as_str)
                        .map(|value| format!("{key}={value}")),
                ),
                "Exists" => wanted.push(key.to_owned()),
                _ => {}
            }
        }
    }
    wanted
}

fn entries(value: Option<&Json>) -> Option<&Map<String, Json>> {
    value.and_then(Json::as_object)
}

fn items(value: Option<&Json>) -> &[Json] {
    value.and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Json, key: &str) -> &'a str {
    value.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// The terms of the required node affinity; `None` where there is no such rule.
fn terms(spec: &Json) -> Option<&[Json]> {
    spec.pointer("/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms")
        .and_then(Json::as_array)
        .map(Vec::as_slice)
}

fn has_labels(spec: &Json, node: &Json) -> bool {
    let label = |key: &str| node.get("metadata")?.get("labels")?.get(key)?.as_str();
    let selected = entries(spec.get("nodeSelector"))
        .is_none_or(|selector| selector.iter().all(|(key, value)| label(key) == value.as_str()));
    let name = node.pointer("/metadata/name").and_then(Json::as_str);
    let field = |key: &str| if key == "metadata.name" { name } else { None };
    let term_holds = |term: &Json| {
        let (labels, fields) = (items(term.get("matchExpressions")), items(term.get("matchFields")));
        // A term without a rule matches nothing.
        !(labels.is_empty() && fields.is_empty())
            && labels.iter().all(|rule| holds(rule, label(text(rule, "key"))))
            && fields.iter().all(|rule| holds(rule, field(text(rule, "key"))))
    };
    selected && terms(spec).is_none_or(|terms| terms.iter().any(term_holds))
}

fn holds(rule: &Json, value: Option<&str>) -> bool {
    let values = items(rule.get("values"));
    let is_among = || value.is_some_and(|value| values.iter().any(|one| one.as_str() == Some(value)));
    let number = || -> Option<(i64, i64)> { Some((value?.parse().ok()?, values.first()?.as_str()?.parse().ok()?)) };
    match text(rule, "operator") {
        "In" => is_among(),
        "NotIn" => !is_among(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => number().is_some_and(|(value, bound)| value > bound),
        "Lt" => number().is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

fn untolerated(spec: &Json, node: &Json) -> Option<String> {
    let tolerations = items(spec.get("tolerations"));
    let on_host = spec.get("hostNetwork") == Some(&Json::Bool(true));
    items(node.pointer("/spec/taints")).iter().find_map(|taint| {
        let (key, value, effect) = (text(taint, "key"), text(taint, "value"), text(taint, "effect"));
        let is_always = TOLERATED.contains(&key) || (on_host && key == "node.kubernetes.io/network-unavailable");
        let is_hard = matches!(effect, "NoSchedule" | "NoExecute");
        (is_hard && !is_always && !tolerations.iter().any(|one| tolerates(one, key, value, effect)))
            .then(|| format!("{key}={value}:{effect}"))
    })
}

fn tolerates(toleration: &Json, key: &str, value: &str, effect: &str) -> bool {
    let (its_key, its_effect) = (text(toleration, "key"), text(toleration, "effect"));
    let is_key = match text(toleration, "operator") {
        "Exists" => its_key.is_empty() || its_key == key,
        _ => its_key == key && text(toleration, "value") == value,
    };
    is_key && (its_effect.is_empty() || its_effect == effect)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::device_plugin_release::values::nvidia_nodes;

    fn node(labels: Json, taints: Json) -> Json {
        json!({ "metadata": { "name": "gpu-1", "labels": labels }, "spec": { "taints": taints } })
    }

    #[test]
    fn any_one_of_the_charts_labels_is_enough() {
        let spec = json!({ "affinity": nvidia_nodes() });
        for (labels, fits) in [
            (json!({}), false),
            (json!({ "nvidia.com/gpu.present": "true" }), true),
            (json!({ "nvidia.com/gpu.present": "false" }), false),
            (json!({ "feature.node.kubernetes.io/cpu-model.vendor_id": "NVIDIA" }), true),
        ] {
            assert_eq!(misfit(&spec, &node(labels.clone(), json!([]))).is_none(), fits, "{labels}");
        }
        assert_eq!(
            wanted_labels(&spec),
            [
                "feature.node.kubernetes.io/pci-10de.present=true",
                "feature.node.kubernetes.io/cpu-model.vendor_id=NVIDIA",
                "nvidia.com/gpu.present=true"
            ]
        );
    }

    #[test]
    fn a_selector_and_an_affinity_must_both_hold() {
        let spec = json!({ "nodeSelector": { "a": "1" }, "affinity": nvidia_nodes() });
        let labels = json!({ "nvidia.com/gpu.present": "true" });
        assert_eq!(misfit(&spec, &node(labels, json!([]))), Some(Misfit::Labels));
        assert_eq!(misfit(&json!({}), &node(json!({}), json!([]))), None);
    }

    #[test]
    fn a_term_without_a_rule_fits_no_node() {
        let terms = |terms: Json| json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } } } });
        let node = node(json!({}), json!([]));
        assert_eq!(misfit(&terms(json!([{}])), &node), Some(Misfit::Labels));
        let by_name = json!([{ "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["gpu-1"] }] }]);
        assert_eq!(misfit(&terms(by_name), &node), None);
    }

    #[test]
    fn every_operator_is_known() {
        let rule = |operator: &str, values: Json| {
            let terms = json!([{ "matchExpressions": [{ "key": "n", "operator": operator, "values": values }] }]);
            json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } } } })
        };
        for (operator, values, with_5, without) in [
            ("In", json!(["5"]), true, false),
            ("NotIn", json!(["5"]), false, true),
            ("Exists", json!([]), true, false),
            ("DoesNotExist", json!([]), false, true),
            ("Gt", json!(["4"]), true, false),
            ("Lt", json!(["4"]), false, false),
        ] {
            let spec = rule(operator, values);
            assert_eq!(misfit(&spec, &node(json!({ "n": "5" }), json!([]))).is_none(), with_5, "{operator}");
            assert_eq!(misfit(&spec, &node(json!({}), json!([]))).is_none(), without, "{operator}");
        }
    }

    #[test]
    fn a_hard_taint_keeps_pods_away_unless_it_is_tolerated() {
        let taint = |effect: &str| json!([{ "key": "gpu", "value": "yes", "effect": effect }]);
        let bare = json!({});
        assert_eq!(
            misfit(&bare, &node(json!({}), taint("NoSchedule"))),
            Some(Misfit::Taint("gpu=yes:NoSchedule".into()))
        );
        assert_eq!(misfit(&bare, &node(json!({}), taint("PreferNoSchedule"))), None);
        for (toleration, fits) in [
            (json!({ "key": "gpu", "operator": "Exists" }), true),
            (json!({ "operator": "Exists" }), true),
            (json!({ "key": "gpu", "value": "yes" }), true),
            (json!({ "key": "gpu", "value": "no" }), false),
            (json!({ "key": "gpu", "operator": "Exists", "effect": "NoExecute" }), false),
        ] {
            let spec = json!({ "tolerations": [toleration] });
            assert_eq!(misfit(&spec, &node(json!({}), taint("NoSchedule"))).is_none(), fits, "{spec}");
        }
        let cordoned = json!([{ "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule" }]);
        assert_eq!(misfit(&bare, &node(json!({}), cordoned)), None);
    }
}
