use plugin::{Diagnostics, Path, Refinement};

use super::{
    import::{attributes_of, block_of_nulls},
    *,
};
use crate::device_plugin_release::{check::is_faithful, schema};

fn chart(version: &str) -> Chart {
    Chart::find(version).unwrap()
}

/// An object of the resource with these attributes, the others null.
fn object(given: Vec<(&str, Value)>) -> Value {
    let mut object = Value::object(schema::schema().attributes.iter().map(|a| (a.name, Value::Null)));
    for (name, value) in given {
        object.set(name, value);
    }
    object
}

fn values(version: &str, given: Vec<(&str, Value)>) -> Json {
    user_values(chart(version), &object(given)).unwrap()
}

fn empty_block(name: &str) -> Value {
    block_of_nulls(attributes().iter().find(|attribute| attribute.name == name).unwrap())
}

#[test]
fn attributes_are_the_charts_values_in_snake_case() {
    for (name, expected) in [
        ("mig_strategy", "migStrategy"),
        ("compat_with_cpu_manager", "compatWithCPUManager"),
        ("device_id_strategy", "deviceIDStrategy"),
        ("enable_host_pid", "enableHostPID"),
        ("gdrcopy_enabled", "gdrcopyEnabled"),
        ("fs_group", "fsGroup"),
        ("image", "image"),
    ] {
        assert_eq!(key(name), expected);
    }
}

#[test]
fn nothing_given_is_nothing_set() {
    assert_eq!(values("0.20.0", vec![]), json!({}));
    assert_eq!(values("0.20.0", vec![("image", empty_block("image")), ("mps", empty_block("mps"))]), json!({}));
}

#[test]
fn an_empty_affinity_takes_the_charts_away_and_so_do_its_parts() {
    assert_eq!(values("0.20.0", vec![("affinity", empty_block("affinity"))]), json!({ "affinity": null }));
    let mut affinity = empty_block("affinity");
    let Kind::Nested(_, parts) = &attributes().iter().find(|a| a.name == "affinity").unwrap().kind else { panic!() };
    affinity.set("node_affinity", block_of_nulls(&parts[0]));
    assert_eq!(values("0.20.0", vec![("affinity", affinity)]), json!({ "affinity": { "nodeAffinity": null } }));
}

#[test]
fn an_empty_list_and_an_empty_text_are_given() {
    assert_eq!(values("0.20.0", vec![("tolerations", Value::List(vec![]))]), json!({ "tolerations": [] }));
    assert_eq!(values("0.20.0", vec![("priority_class_name", Value::from(""))]), json!({ "priorityClassName": "" }));
}

#[test]
fn discoverys_options_go_where_the_version_reads_them() {
    let mut gfd = empty_block("gfd");
    gfd.set("enabled", Value::from(true));
    gfd.set("sleep_interval", Value::from("30s"));
    assert_eq!(
        values("0.14.5", vec![("gfd", gfd.clone())]),
        json!({ "gfd": { "enabled": true, "sleepInterval": "30s" } })
    );
    assert_eq!(values("0.15.0", vec![("gfd", gfd)]), json!({ "gfd": { "enabled": true }, "sleepInterval": "30s" }));
}

#[test]
fn an_empty_context_of_discovery_takes_privileged_away() {
    let mut gfd = empty_block("gfd");
    let Kind::Nested(_, parts) = &attributes().iter().find(|a| a.name == "gfd").unwrap().kind else { panic!() };
    gfd.set("security_context", block_of_nulls(parts.iter().find(|a| a.name == "security_context").unwrap()));
    assert_eq!(values("0.20.0", vec![("gfd", gfd)]), json!({ "gfd": { "securityContext": { "privileged": null } } }));
}

#[test]
fn a_number_of_pods_is_a_number_and_a_share_is_text() {
    let strategy = |text: &str| {
        let rolling = Value::object([("max_unavailable", Value::from(text)), ("max_surge", Value::Null)]);
        Value::object([("type", Value::Null), ("rolling_update", rolling)])
    };
    let value = |text| {
        values("0.20.0", vec![("update_strategy", strategy(text))])["updateStrategy"]["rollingUpdate"]["maxUnavailable"]
            .clone()
    };
    assert_eq!(value("2"), json!(2));
    assert_eq!(value("10%"), json!("10%"));
}

fn resources(replicas: i64) -> Value {
    Value::List(vec![Value::object([("name", Value::from("nvidia.com/gpu")), ("replicas", Value::from(replicas))])])
}

#[test]
fn a_sharing_block_becomes_the_configuration_file() {
    let slicing = Value::object([
        ("rename_by_default", Value::Null),
        ("fail_requests_greater_than_one", Value::from(true)),
        ("resources", resources(4)),
    ]);
    let text = "version: v1\nsharing:\n  timeSlicing:\n    failRequestsGreaterThanOne: true\n    resources:\n    - name: nvidia.com/gpu\n      replicas: 4";
    assert_eq!(values("0.20.0", vec![("time_slicing", slicing)]), json!({ "config": { "map": { "default": text } } }));

    let mut mps = empty_block("mps");
    mps.set("root", Value::from("/var/mps"));
    mps.set("resources", resources(10));
    let text = "version: v1\nsharing:\n  mps:\n    resources:\n    - name: nvidia.com/gpu\n      replicas: 10";
    assert_eq!(
        values("0.20.0", vec![("mps", mps)]),
        json!({ "config": { "map": { "default": text } }, "mps": { "root": "/var/mps" } })
    );
}

#[test]
fn what_is_unknown_leaves_all_unknown() {
    let unknown = || Value::Unknown(Refinement::default());
    for given in [
        ("mig_strategy", unknown()),
        ("image", unknown()),
        ("time_slicing", unknown()),
        ("time_slicing", Value::object([("resources", Value::List(vec![Value::object([("name", unknown())])]))])),
        ("mps", Value::object([("root", unknown())])),
        ("node_selector", Value::map([("a", unknown())])),
        ("tolerations", Value::List(vec![unknown()])),
    ] {
        assert_eq!(user_values(chart("0.20.0"), &object(vec![given.clone()])), Err(Unknown), "{given:?}");
    }
    // How it is carried out is no value of the chart's.
    assert!(user_values(chart("0.20.0"), &object(vec![("min_ready_nodes", unknown())])).is_ok());
}

/// What an import makes of Helm's values, with the paths that it leaves.
fn import(version: &str, user: &Json) -> (Json, Vec<String>) {
    let (values, left) = through_attributes(chart(version), user);
    (values, left.into_iter().map(|(path, _)| path).collect())
}

#[test]
fn values_of_a_release_become_attributes_that_give_the_same_values() {
    for (version, user) in [
        ("0.13.0", json!({})),
        (
            "0.13.0",
            json!({ "runtimeClassName": "nvidia", "gfd": { "enabled": true, "sleepInterval": "5s" }, "nfd": { "enabled": false } }),
        ),
        ("0.20.0", json!({ "affinity": null, "tolerations": null, "priorityClassName": null })),
        ("0.20.0", json!({ "affinity": {}, "securityContext": {}, "image": {} })),
        ("0.20.0", json!({ "affinity": { "nodeAffinity": null, "podAntiAffinity": {} } })),
        (
            "0.20.0",
            json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": null } } }),
        ),
        ("0.20.0", json!({ "gfd": { "securityContext": { "privileged": null } } })),
        ("0.20.0", json!({ "gfd": { "securityContext": { "privileged": false } } })),
        ("0.20.0", json!({ "sleepInterval": "5s", "noTimestamp": true })),
        ("0.20.0", json!({ "image": { "tag": 1.5 } })),
        ("0.20.0", json!({ "devicePlugin": { "enabled": null }, "mps": { "enableHostPID": null } })),
        ("0.20.0", json!({ "updateStrategy": { "type": "OnDelete" } })),
        ("0.20.0", json!({ "config": { "map": { "a": "version: v1", "b": "" }, "fallbackStrategies": ["empty"] } })),
    ] {
        let (ours, left) = import(version, &user);
        assert_eq!(left, Vec::<String>::new(), "{version} {user}");
        assert!(is_faithful(chart(version), &user, &ours), "{version} {user} {ours}");
    }
}

#[test]
fn what_no_attribute_gives_is_named_by_its_path() {
    let user = json!({
        "unknownKey": 1,
        "image": { "digest": "sha256:x" },
        "tolerations": [{ "key": "a", "future": true }],
        "nodeSelector": ["not", "a", "map"],
        "gfd": { "enabled": true, "sleepInterval": "5s", "securityContext": { "privileged": null, "runAsUser": 1 } },
        "sleepInterval": 5,
        "devicePlugin": { "containers": {} },
    });
    let (_, mut left) = import("0.19.0", &user);
    left.sort();
    assert_eq!(
        left,
        [
            "devicePlugin.containers",
            "gfd.securityContext.privileged",
            "gfd.sleepInterval",
            "gfd.sleepInterval",
            "image.digest",
            "nfd",
            "nodeSelector",
            "tolerations[0].future",
            "unknownKey"
        ]
    );
}

#[test]
fn a_value_that_the_version_passes_over_is_left() {
    let (object, left) = attributes_of(
        chart("0.14.5"),
        &json!({ "mps": { "root": "/x" }, "noTimestamp": true, "legacyDaemonsetAPI": true }),
    );
    assert!(object.get("mps").is_null());
    assert_eq!(
        left,
        [
            ("mps".to_owned(), Left::NoEffect),
            ("noTimestamp".to_owned(), Left::NoEffect),
            ("legacyDaemonsetAPI".to_owned(), Left::NoAttribute),
        ]
    );
}

#[test]
fn a_release_of_our_own_with_sharing_imports_as_its_block() {
    for strategy in [Strategy::TimeSlicing, Strategy::Mps] {
        let sharing = Sharing {
            strategy,
            rename_by_default: Some(false),
            fail_requests_greater_than_one: None,
            resources: vec![("nvidia.com/gpu".into(), 3)],
        };
        let user = json!({ "config": { "map": { "default": sharing.text() }, "fallbackStrategies": ["named"] } });
        let (object, left) = attributes_of(chart("0.20.0"), &user);
        assert_eq!(left, []);
        assert!(object.get("config").get("map").is_null());
        assert_eq!(super::sharing(&object), Ok(Some(sharing)));
        assert_eq!(user_values(chart("0.20.0"), &object), Ok(user));
    }
}

#[test]
fn no_schema_rule_refuses_what_an_import_reads() {
    let (object, _) = attributes_of(chart("0.20.0"), &json!({ "migStrategy": "single", "mps": { "root": "/x" } }));
    let mut diagnostics = Diagnostics::new();
    for attribute in attributes() {
        let value = object.get(attribute.name);
        for validator in attribute.validators.iter().filter(|_| !value.is_null()) {
            (validator.check)(value, &Path::attribute(attribute.name), &mut diagnostics);
        }
    }
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
}
