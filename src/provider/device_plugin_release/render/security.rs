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
