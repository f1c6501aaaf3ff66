//! Which rights the containers get. They follow from the MIG strategy, the way devices are listed and the version.

use serde_json::{Map, Value as Json, json};

use super::{Frame, pod::into_map};
use crate::device_plugin_release::versions::Trait;

/// Whether MIG is on, or may be turned on by a configuration file. `NVIDIA_MIG_MONITOR_DEVICES` follows from it.
pub(super) fn mig_possible(frame: &Frame<'_>) -> bool {
    match frame.values.mig_strategy.as_deref() {
        Some("none") => false,
        None | Some("") => frame.has_config() || !frame.chart.has(Trait::MigOffUnlessNamed),
        Some(_) => true,
    }
}

/// Whether devices are, or may be, listed by mounted volumes.
fn volume_mounts_possible(frame: &Frame<'_>) -> bool {
    match frame.values.device_list_strategy.as_deref() {
        None | Some("") => frame.has_config(),
        Some(strategies) => strategies.contains("volume-mounts"),
    }
}

fn needs_admin(frame: &Frame<'_>) -> bool {
    mig_possible(frame) || (frame.chart.has(Trait::VolumeMountsNeedAdmin) && volume_mounts_possible(frame))
}

/// Of the device plugin.
pub(super) fn of_plugin(frame: &Frame<'_>) -> Map<String, Json> {
    let values = frame.values;
    if !values.security_context.is_empty() {
        values.security_context.clone()
    } else if values.compat_with_cpu_manager == Some(true) {
        into_map(json!({ "privileged": true }))
    } else {
        by_need(frame)
    }
}

/// Of GPU feature discovery.
pub(super) fn of_discovery(frame: &Frame<'_>) -> Map<String, Json> {
    let given = &frame.values.gfd.security_context;
    if given.is_empty() { by_need(frame) } else { given.clone() }
}

fn by_need(frame: &Frame<'_>) -> Map<String, Json> {
    into_map(if needs_admin(frame) {
        json!({ "capabilities": { "add": ["SYS_ADMIN"] } })
    } else {
        json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device_plugin_release::{
        values::{Release, Values},
        versions::Chart,
    };

    /// The plugin's rights in a word, and whether it watches MIG devices.
    fn rights(version: &str, user: &Json) -> (&'static str, bool) {
        let chart = Chart::find(version).unwrap();
        let release = Release { name: "r".into(), namespace: "n".into() };
        let values = Values::over_defaults(chart, user).unwrap();
        let frame = Frame::new(chart, &release, &values);
        let context = Json::Object(of_plugin(&frame));
        let word = match context {
            _ if context == json!({ "privileged": true }) => "privileged",
            _ if context == json!({ "capabilities": { "add": ["SYS_ADMIN"] } }) => "admin",
            _ if context == json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } }) => "none",
            _ => "given",
        };
        (word, mig_possible(&frame))
    }

    #[test]
    fn rights_follow_from_mig_the_device_list_and_the_version() {
        let config = json!({ "name": "files" });
        for (version, user, expected) in [
            ("0.14.5", json!({}), ("admin", true)),
            ("0.15.1", json!({}), ("admin", true)),
            ("0.15.1", json!({ "migStrategy": "none" }), ("none", false)),
            ("0.16.0", json!({}), ("none", false)),
            ("0.16.0", json!({ "deviceListStrategy": "volume-mounts" }), ("none", false)),
            ("0.16.2", json!({ "deviceListStrategy": "envvar,volume-mounts" }), ("admin", false)),
            ("0.16.2", json!({ "deviceListStrategy": "cdi-cri" }), ("none", false)),
            ("0.16.0", json!({ "migStrategy": "single" }), ("admin", true)),
            ("0.16.0", json!({ "config": config }), ("admin", true)),
            ("0.16.0", json!({ "config": config, "migStrategy": "none" }), ("none", false)),
            ("0.16.2", json!({ "config": config, "migStrategy": "none" }), ("admin", false)),
            (
                "0.16.2",
                json!({ "config": config, "migStrategy": "none", "deviceListStrategy": "envvar" }),
                ("none", false),
            ),
            ("0.20.0", json!({ "compatWithCPUManager": true, "migStrategy": "mixed" }), ("privileged", true)),
            ("0.20.0", json!({ "compatWithCPUManager": false }), ("none", false)),
            (
                "0.20.0",
                json!({ "compatWithCPUManager": true, "securityContext": { "runAsUser": 0 } }),
                ("given", false),
            ),
        ] {
            assert_eq!(rights(version, &user), expected, "{version} {user}");
        }
    }

    #[test]
    fn discovery_is_privileged_until_that_is_taken_away() {
        let context = |user: Json| {
            let chart = Chart::newest();
            let release = Release { name: "r".into(), namespace: "n".into() };
            let values = Values::over_defaults(chart, &user).unwrap();
            Json::Object(of_discovery(&Frame::new(chart, &release, &values)))
        };
        let without = json!({ "gfd": { "securityContext": { "privileged": null } } });
        assert_eq!(context(json!({})), json!({ "privileged": true }));
        assert_eq!(context(without), json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } }));
    }
}
