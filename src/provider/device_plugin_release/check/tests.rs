use serde_json::json;

use super::*;
use crate::device_plugin_release::{model::import::attributes_of, schema};

/// A configuration of this version whose attributes are those of these values.
fn config(version: &str, user: &Json) -> Value {
    let mut object = Value::object(schema::schema().attributes.iter().map(|a| (a.name, Value::Null)));
    let (values, _) = attributes_of(Chart::newest(), user);
    let Field::Known(entries) = values.entries() else { panic!("no object") };
    for (name, value) in entries {
        object.set(name, value.clone());
    }
    object.set("version", Value::from(version));
    object.set("name", Value::from("nvdp"));
    object.set("namespace", Value::from("gpu"));
    object
}

fn found(object: &Value) -> Vec<String> {
    let mut diagnostics = Diagnostics::new();
    configuration(object, &mut diagnostics);
    diagnostics.iter().map(|d| format!("{}: {}", d.path, d.summary)).collect()
}

fn of(version: &str, user: Json) -> Vec<String> {
    found(&config(version, &user))
}

#[test]
fn a_good_configuration_has_no_findings() {
    assert_eq!(of("0.13.0", json!({ "runtimeClassName": "nvidia" })), Vec::<String>::new());
    assert_eq!(of("0.20.0", json!({ "config": { "name": "files", "default": "a" } })), Vec::<String>::new());
    assert_eq!(
        of("0.20.0", json!({ "config": { "map": { "a": "version: v1", "b": "version: v1" }, "default": "b" } })),
        Vec::<String>::new()
    );
}

#[test]
fn an_unknown_version_names_the_range_and_the_way_to_a_newer_image() {
    let mut diagnostics = Diagnostics::new();
    configuration(&config("0.21.0", &json!({})), &mut diagnostics);
    let found: Vec<_> = diagnostics.iter().collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path.to_string(), "version");
    for part in ["0.21.0", "0.13.0 to 0.20.0", "version = \"0.20.0\"", "image.tag"] {
        assert!(found[0].detail.contains(part), "{}", found[0].detail);
    }
}

#[test]
fn a_value_that_the_version_has_not_is_refused_on_its_attribute() {
    for (version, user, path) in [
        ("0.14.5", json!({ "mps": { "root": "/x", "enableHostPID": true } }), "mps"),
        ("0.17.4", json!({ "mps": { "root": "/x", "enableHostPID": true } }), "mps.enable_host_pid"),
        ("0.15.1", json!({ "cdi": { "featureFlags": "a" } }), "cdi"),
        ("0.18.0", json!({ "cdi": { "featureFlags": "a" } }), "cdi.feature_flags"),
        ("0.14.5", json!({ "devicePlugin": { "enabled": false } }), "device_plugin"),
        ("0.19.3", json!({ "gfd": { "enableHostNetwork": true } }), "gfd.enable_host_network"),
        ("0.17.4", json!({ "gdrcopyEnabled": true }), "gdrcopy_enabled"),
        ("0.15.0", json!({ "deviceDiscoveryStrategy": "nvml" }), "device_discovery_strategy"),
    ] {
        assert_eq!(of(version, user), [format!("{path}: The chart version has no such value")], "{version}");
    }
    let mut object = config("0.15.0", &json!({ "gfd": { "enabled": true } }));
    let mut gfd = object.get("gfd").clone();
    gfd.set("name_override", Value::from("x"));
    object.set("gfd", gfd);
    assert_eq!(found(&object), ["gfd.name_override: The chart version has no such value"]);
}

#[test]
fn the_namespace_default_is_refused_as_the_chart_does() {
    let with = |version: &str, user: Json| {
        let mut object = config(version, &user);
        object.set("namespace", Value::from("default"));
        found(&object)
    };
    let refused = ["namespace: The chart refuses the namespace default"];
    assert_eq!(with("0.13.0", json!({})), refused);
    assert_eq!(with("0.20.0", json!({})), refused);
    assert_eq!(with("0.20.0", json!({ "namespaceOverride": "gpu" })), refused);
    assert_eq!(with("0.14.5", json!({ "namespaceOverride": "gpu" })), Vec::<String>::new());
    assert_eq!(with("0.20.0", json!({ "allowDefaultNamespace": true })), Vec::<String>::new());
}

#[test]
fn several_files_need_a_default() {
    let files = json!({ "a": "version: v1", "b": "version: v1" });
    let refused = ["config.default: No configuration for nodes without a label"];
    assert_eq!(of("0.20.0", json!({ "config": { "map": files } })), refused);
    assert_eq!(of("0.20.0", json!({ "config": { "map": { "a": "" }, "fallbackStrategies": ["named"] } })), refused);
    assert_eq!(
        of("0.20.0", json!({ "config": { "map": files, "fallbackStrategies": ["empty"] } })),
        Vec::<String>::new()
    );
    assert_eq!(of("0.20.0", json!({ "config": { "map": { "default": "", "b": "" } } })), Vec::<String>::new());
}

#[test]
fn files_come_from_one_place() {
    let both = json!({ "config": { "name": "files", "map": { "a": "version: v1" } } });
    assert_eq!(of("0.20.0", both), ["config.name: Two sources of configuration files"]);
    assert_eq!(of("0.20.0", json!({ "config": { "default": "a" } })), ["config.default: No configuration files"]);
    assert_eq!(
        of("0.20.0", json!({ "config": { "default": "c", "map": { "a": "version: v1" } } })),
        ["config.default: No such configuration file"]
    );
}

#[test]
fn a_key_at_the_wrong_level_is_refused_on_its_file() {
    let text = "version: v1\nflags:\n  renameByDefault: true";
    assert_eq!(
        of("0.20.0", json!({ "config": { "map": { "any": text } } })),
        ["config.map[\"any\"]: Key at the wrong level"]
    );
    assert_eq!(
        of("0.20.0", json!({ "config": { "map": { "any": "- x" } } })),
        ["config.map[\"any\"]: Invalid configuration file"]
    );
    assert_eq!(
        of("0.20.0", json!({ "config": { "map": { "any": "a: b: c" } } })),
        ["config.map[\"any\"]: Invalid configuration file"]
    );
}

#[test]
fn a_rolling_update_has_one_pace() {
    let with = |rolling: Json| of("0.20.0", json!({ "updateStrategy": { "rollingUpdate": rolling } }));
    for good in [
        json!({ "maxUnavailable": 2 }),
        json!({ "maxUnavailable": "10%" }),
        json!({ "maxUnavailable": 0, "maxSurge": 1 }),
        json!({ "maxUnavailable": 1, "maxSurge": "0%" }),
    ] {
        assert_eq!(with(good.clone()), Vec::<String>::new(), "{good}");
    }
    let two = ["update_strategy.rolling_update.max_surge: Two paces of a rolling update"];
    assert_eq!(with(json!({ "maxSurge": 1 })), two);
    assert_eq!(with(json!({ "maxSurge": "10%", "maxUnavailable": 1 })), two);
    let none = ["update_strategy.rolling_update.max_unavailable: A rolling update that cannot move"];
    assert_eq!(with(json!({ "maxUnavailable": 0 })), none);
    assert_eq!(with(json!({ "maxUnavailable": "0%", "maxSurge": 0 })), none);
}

fn sharing_block(items: Vec<(&str, i64)>) -> Value {
    let resource = |(name, replicas): (&str, i64)| {
        Value::object([("name", Value::from(name)), ("replicas", Value::from(replicas))])
    };
    Value::object([
        ("rename_by_default", Value::Null),
        ("fail_requests_greater_than_one", Value::Null),
        ("resources", Value::List(items.into_iter().map(resource).collect())),
    ])
}

#[test]
fn there_is_one_way_to_share() {
    let gpu = || sharing_block(vec![("nvidia.com/gpu", 2)]);
    let with = |attributes: Vec<(&str, Value)>, user: Json| {
        let mut object = config("0.20.0", &user);
        for (name, value) in attributes {
            object.set(name, value);
        }
        found(&object)
    };
    assert_eq!(with(vec![("time_slicing", gpu())], json!({})), Vec::<String>::new());
    assert_eq!(with(vec![("time_slicing", gpu()), ("mps", gpu())], json!({})), ["time_slicing: Two ways to share"]);
    assert_eq!(
        with(vec![("time_slicing", gpu())], json!({ "config": { "map": { "a": "version: v1" } } })),
        ["config.map: Two sources of configuration files"]
    );
    assert_eq!(
        with(vec![("mps", gpu())], json!({ "config": { "name": "files" } })),
        ["config.name: Two sources of configuration files"]
    );
    assert_eq!(
        with(vec![("time_slicing", sharing_block(vec![]))], json!({})),
        ["time_slicing.resources: Nothing to share"]
    );
    assert_eq!(
        with(vec![("time_slicing", sharing_block(vec![("a/b", 2), ("a/b", 3)]))], json!({})),
        ["time_slicing.resources[1].name: Resource shared twice"]
    );
    let rename = Value::object([("rename_by_default", Value::from(true)), ("resources", Value::Null)]);
    assert_eq!(with(vec![("mps", rename)], json!({})), ["mps.rename_by_default: Nothing to rename"]);
}

#[test]
fn what_is_unknown_is_not_judged() {
    let mut object = config("0.20.0", &json!({}));
    for name in ["version", "namespace", "config", "time_slicing", "mps"] {
        let mut object = object.clone();
        object.set(name, Value::unknown());
        assert_eq!(found(&object), Vec::<String>::new(), "{name}");
    }
    object.set("config", Value::object([("name", Value::unknown()), ("default", Value::from("a"))]));
    assert_eq!(found(&object), Vec::<String>::new());
}
