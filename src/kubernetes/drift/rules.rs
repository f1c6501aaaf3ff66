//! How the API merges and defaults the fields in use: from the OpenAPI of Kubernetes (`x-kubernetes-list-type`,
//! `x-kubernetes-list-map-keys`, `x-kubernetes-map-type`) and the `omitempty` of its types.

use serde_json::{Map, Value};

/// How two lists become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    /// Item by item, by these fields.
    Keys(&'static [&'static str]),
    /// Item by item, by value.
    Set,
    /// Not at all: the list is one value.
    Whole,
}

/// How the list under these fields is merged.
pub(super) fn merge(fields: &[String]) -> Merge {
    let parent = fields.len().checked_sub(2).and_then(|at| fields.get(at)).map_or("", String::as_str);
    match (parent, fields.last().map_or("", String::as_str)) {
        (_, "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" | "resourceClaims" | "claims") => {
            Merge::Keys(&["name"])
        }
        // Of a ServiceAccount; elsewhere it is no list.
        (_, "secrets") => Merge::Keys(&["name"]),
        (_, "volumeMounts") => Merge::Keys(&["mountPath"]),
        (_, "volumeDevices") => Merge::Keys(&["devicePath"]),
        ("containers" | "initContainers", "ports") => Merge::Keys(&["containerPort", "protocol"]),
        ("spec", "ports") => Merge::Keys(&["port", "protocol"]),
        (_, "topologySpreadConstraints") => Merge::Keys(&["topologyKey", "whenUnsatisfiable"]),
        (_, "hostAliases") => Merge::Keys(&["ip"]),
        (_, "conditions") => Merge::Keys(&["type"]),
        ("metadata", "ownerReferences") => Merge::Keys(&["uid"]),
        ("metadata", "finalizers") => Merge::Set,
        _ => Merge::Whole,
    }
}

/// The key of an item, as text. A port that names no protocol is one of TCP.
pub(super) fn key_of(item: &Value, keys: &[&str]) -> Vec<String> {
    let text = |key: &&str| match item.get(*key) {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        None | Some(Value::Null | Value::String(_)) => if *key == "protocol" { "TCP" } else { "" }.to_owned(),
        Some(other) => other.to_string(),
    };
    keys.iter().map(text).collect()
}

/// Whether a map is one value to the API, so that a foreign entry in it is a change of it.
pub(super) fn is_whole_map(fields: &[String]) -> bool {
    matches!(fields.last().map_or("", String::as_str), "nodeSelector" | "matchLabels")
}

/// Whether a field is the server's own: what an applied object says of it is a precondition or nothing.
pub(super) fn is_of_the_server(fields: &[String]) -> bool {
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    matches!(
        fields.as_slice(),
        ["status"]
            | [
                "metadata",
                "uid"
                    | "resourceVersion"
                    | "generation"
                    | "creationTimestamp"
                    | "managedFields"
                    | "selfLink"
                    | "deletionTimestamp"
            ]
    )
}

/// Whether the server leaves a field out when it is false or 0, because those are its default. A pointer is never left
/// out: `automountServiceAccountToken: false` is not the same as none.
pub(super) fn is_left_out(fields: &[String]) -> bool {
    matches!(
        fields.last().map_or("", String::as_str),
        "hostNetwork"
            | "hostPID"
            | "hostIPC"
            | "stdin"
            | "stdinOnce"
            | "tty"
            | "readOnly"
            | "publishNotReadyAddresses"
            | "minReadySeconds"
            | "initialDelaySeconds"
            | "hostPort"
    )
}

/// Whether a field holds an amount. Free text (data, labels, annotations) never does.
pub(super) fn is_quantity(fields: &[String]) -> bool {
    let names: Vec<&str> = fields.iter().map(String::as_str).collect();
    let is_free = |name: &&str| matches!(*name, "data" | "labels" | "annotations" | "nodeSelector" | "matchLabels");
    if names.iter().any(is_free) {
        return false;
    }
    match names.as_slice() {
        [.., "sizeLimit" | "divisor"] => true,
        [.., parent, _] => matches!(
            *parent,
            "limits"
                | "requests"
                | "podFixed"
                | "hard"
                | "capacity"
                | "allocatable"
                | "overhead"
                | "default"
                | "defaultRequest"
                | "max"
                | "min"
        ),
        _ => false,
    }
}

/// Whether a live item of a list that is one value says something that ours does not and that is no default: then it is
/// another item.
pub(super) fn says_more(fields: &[String], ours: &Map<String, Value>, live: &Map<String, Value>) -> bool {
    let list = fields.last().map_or("", String::as_str);
    let extra = |name: &str| live.contains_key(name) && !ours.contains_key(name);
    match list {
        // The API adds nothing to a toleration.
        "tolerations" => live.iter().any(|(name, value)| extra(name) && (name != "operator" || value != "Equal")),
        // Nor to these, which are nothing but what they say.
        "rules" | "subjects" | "matchExpressions" | "matchFields" | "nodeSelectorTerms" => {
            live.keys().any(|name| extra(name) && !(list == "subjects" && name == "apiGroup"))
        }
        _ => false,
    }
}
