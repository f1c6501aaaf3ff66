//! What is rendered, kept as files so that a change of it is seen: each shape of the chart, with its defaults and with
//! every attribute that it has.
//!
//! The files are made by this code (`UPDATE_SNAPSHOTS=1 cargo test -p provider snapshots`), after
//! `acceptance-tests/compare-renders.sh` has compared it with real Helm.

use std::{collections::BTreeSet, path::PathBuf};

use plugin::{Attribute, Kind, Nesting, Value};
use serde_json::{Value as Json, json};

use super::{
    check,
    model::{self, import::attributes_of},
    render,
    values::{Release, Values},
    versions::{CHARTS, Chart},
    yaml,
};

/// The first version of each shape.
const SHAPES: [&str; 13] = [
    "0.13.0", "0.15.0", "0.15.1", "0.16.0", "0.16.2", "0.17.0", "0.17.1", "0.17.4", "0.18.0", "0.18.1", "0.19.0",
    "0.19.2", "0.20.0",
];

fn release() -> Release {
    Release { name: "gpu".into(), namespace: "gpu-plugin".into() }
}

/// A value for every attribute but those that exclude each other.
fn everything() -> Json {
    let context = json!({
        "privileged": false,
        "allowPrivilegeEscalation": true,
        "readOnlyRootFilesystem": true,
        "procMount": "Default",
        "capabilities": { "add": ["SYS_ADMIN"], "drop": ["ALL"] },
        "runAsUser": 1, "runAsGroup": 2, "runAsNonRoot": false,
        "seccompProfile": { "type": "Localhost", "localhostProfile": "a.json" },
        "appArmorProfile": { "type": "Localhost", "localhostProfile": "a" },
        "seLinuxOptions": { "level": "s0", "role": "r", "type": "t", "user": "u" },
    });
    let expressions = json!([{ "key": "a", "operator": "In", "values": ["yes"] }]);
    let node_term = json!({ "matchExpressions": expressions, "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["n"] }] });
    let selector = json!({ "matchLabels": { "on": "off" }, "matchExpressions": expressions });
    let pod_term = json!({
        "topologyKey": "kubernetes.io/hostname", "labelSelector": selector, "namespaceSelector": selector,
        "namespaces": ["a"], "matchLabelKeys": ["b"], "mismatchLabelKeys": ["c"],
    });
    let pods = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [pod_term],
        "preferredDuringSchedulingIgnoredDuringExecution": [{ "weight": 2, "podAffinityTerm": pod_term }],
    });
    json!({
        "runtimeClassName": "nvidia",
        "image": { "repository": "example.org/plugin", "pullPolicy": "Always", "tag": "1.10" },
        "imagePullSecrets": [{ "name": "pull" }],
        "config": {
            "map": { "default": "version: v1\nflags:\n  migStrategy: none\n", "other": "version: v1" },
            "default": "other",
            "fallbackStrategies": ["named", "empty"],
        },
        "mps": { "root": "/var/mps", "enableHostPID": false, "enableHostNetwork": true },
        "migStrategy": "mixed",
        "deviceListStrategy": "envvar,cdi-cri",
        "deviceIDStrategy": "index",
        "deviceDiscoveryStrategy": "nvml",
        "failOnInitError": false,
        "compatWithCPUManager": true,
        "gdrcopyEnabled": true,
        "gdsEnabled": true,
        "mofedEnabled": false,
        "nvidiaDriverRoot": "/usr/local",
        "nvidiaDevRoot": "/",
        "cdi": { "nvidiaHookPath": "/usr/local/bin/nvidia-cdi-hook", "featureFlags": "a,b" },
        "noTimestamp": true,
        "sleepInterval": "30s",
        "gfd": {
            "enabled": true, "nameOverride": "features", "namespaceOverride": "elsewhere", "noTimestamp": true,
            "sleepInterval": "30s", "enableHostNetwork": true, "securityContext": context,
        },
        "devicePlugin": { "enabled": true, "enableHostNetwork": true },
        "nodeSelector": { "kubernetes.io/arch": "amd64" },
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [node_term] },
                "preferredDuringSchedulingIgnoredDuringExecution": [{ "weight": 1, "preference": node_term }],
            },
            "podAffinity": pods,
            "podAntiAffinity": pods,
        },
        "tolerations": [{ "key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 60 }],
        "priorityClassName": "high",
        "resources": { "limits": { "memory": "1Gi" }, "requests": { "cpu": "1" } },
        "podAnnotations": { "example.org/a": "on" },
        "podSecurityContext": {
            "runAsUser": 1, "runAsGroup": 2, "runAsNonRoot": true, "fsGroup": 3, "fsGroupChangePolicy": "Always",
            "supplementalGroups": [4], "supplementalGroupsPolicy": "Strict", "sysctls": [{ "name": "a.b", "value": "1" }],
            "seccompProfile": context["seccompProfile"], "appArmorProfile": context["appArmorProfile"],
            "seLinuxOptions": context["seLinuxOptions"],
        },
        "securityContext": context,
        "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 0, "maxSurge": "10%" } },
        "nameOverride": "plugin",
        "fullnameOverride": "gpu-plugin-with-a-name-that-is-cut-because-of-its-length",
        "namespaceOverride": "other",
        "selectorLabelsOverride": { "app": "gpu", "true": "yes" },
        "allowDefaultNamespace": true,
        "nfd": { "enabled": false },
    })
}

fn objects(chart: Chart, user: &Json) -> Json {
    let (user, _) = model::through_attributes(chart, user);
    let values = Values::over_defaults(chart, &user).unwrap();
    assert_eq!(check::refused(chart, &release(), &values), []);
    Json::Array(render(chart, &release(), &values))
}

#[test]
fn each_shape_renders_as_it_did() {
    for version in SHAPES {
        let chart = Chart::find(version).unwrap();
        let mut full = everything();
        if chart != Chart::newest() {
            // No version changes what is given here, and it is long.
            full["affinity"] = json!(null);
        }
        let rendered =
            yaml::document(&json!({ "default": objects(chart, &json!({})), "everything": objects(chart, &full) }));
        let path: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "device_plugin_release", "snapshots", &format!("{version}.yaml")]
                .iter()
                .collect();
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &rendered).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for (number, (kept, rendered)) in kept.lines().zip(rendered.lines()).enumerate() {
            assert_eq!(kept, rendered, "chart {version}, line {}", number + 1);
        }
        assert_eq!(kept.len(), rendered.len(), "chart {version}");
    }
}

#[test]
fn versions_of_one_shape_differ_in_their_version_alone() {
    let mut shape = "";
    let mut first = String::new();
    for chart in CHARTS {
        let version = chart.version().to_string();
        let user = json!({ "gfd": { "enabled": true }, "nfd": { "enabled": false }, "config": { "name": "files" } });
        let mut text = objects(chart, &user).to_string().replace(&version, "VERSION");
        if let Some(inner) = chart.discovery() {
            text = text.replace(&inner.to_string(), "INNER");
        }
        if SHAPES.contains(&version.as_str()) {
            shape = SHAPES.iter().find(|known| **known == version).unwrap();
            first = text;
        } else {
            assert_eq!(text, first, "{version} and {shape}");
        }
    }
}

fn unset(attributes: &[Attribute], value: &Value, at: &str, into: &mut BTreeSet<String>) {
    for attribute in attributes {
        let path = format!("{at}{}", attribute.name);
        let value = value.get(attribute.name);
        if value.is_null() {
            into.insert(path.clone());
        }
        match &attribute.kind {
            Kind::Nested(Nesting::List, inner) => {
                let first = value.items().known().and_then(<[Value]>::first).unwrap_or(&Value::Null);
                unset(inner, first, &format!("{path}."), into);
            }
            Kind::Nested(_, inner) => unset(inner, value, &format!("{path}."), into),
            Kind::Plain(_) => {}
        }
    }
}

#[test]
fn every_attribute_is_in_some_snapshot() {
    let missing = |version: &str| {
        let mut missing = BTreeSet::new();
        let (object, _) = attributes_of(Chart::find(version).unwrap(), &everything());
        unset(model::attributes(), &object, "", &mut missing);
        missing
    };
    let newest = missing("0.20.0");
    let oldest = missing("0.13.0");
    let nowhere: Vec<&String> = newest.intersection(&oldest).collect();
    // A ConfigMap by name is another way to what `config.map` does, and sharing writes it.
    assert_eq!(
        nowhere,
        ["config.name", "mps.rename_by_default", "mps.resources", "mps.resources.name", "mps.resources.replicas"]
    );
}
