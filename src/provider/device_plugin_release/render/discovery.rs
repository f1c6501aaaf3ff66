//! The DaemonSet of GPU feature discovery, which labels nodes with what their GPUs are.
//!
//! Up to 0.14.5 it is a chart of its own inside the plugin's: its own image, names and labels, and of the release's
//! values only those of the pod. From 0.15.0 on it is part of the plugin's image and chart.

use serde_json::{Map, Value as Json, json};

use super::{
    Frame, imex,
    names::Names,
    pod::{
        Env, Manager, Pod, available_configs, chosen_config, config_manager, host_path, insert_unless_empty, into_map,
        mount,
    },
    rbac, security,
};
use crate::device_plugin_release::versions::{Trait, Version};

/// Where NFD looks for what others have found.
const FEATURES_DIR: &str = "/etc/kubernetes/node-feature-discovery/features.d";

pub(super) fn daemon_set(frame: &Frame<'_>) -> Json {
    match frame.chart.discovery() {
        Some(version) => of_own_chart(frame, version),
        None => of_plugin_chart(frame),
    }
}

fn of_own_chart(frame: &Frame<'_>, version: Version) -> Json {
    let names = Names::of_discovery(version, frame.release, frame.values);
    let image = format!("nvcr.io/nvidia/gpu-feature-discovery:v{version}");
    let main = main_container(frame, &image, "IfNotPresent", own_env(frame));
    let spec = spec(frame, main, "/usr/bin/gpu-feature-discovery");
    let mut pod = Pod::new(frame, names.fullname.clone(), spec);
    pod.annotations = Map::new();
    pod.pull_secrets = Vec::new();
    pod.security_context = Map::new();
    pod.daemon_set(frame, &names)
}

fn of_plugin_chart(frame: &Frame<'_>) -> Json {
    let mut main = main_container(frame, &frame.image(), &frame.values.image.pull_policy, plugin_env(frame));
    main.insert("command".to_owned(), json!(["gpu-feature-discovery"]));
    insert_unless_empty(&mut main, "resources", &frame.values.resources);
    let spec = spec(frame, main, "gpu-feature-discovery");
    let mut pod = Pod::new(frame, frame.names.part("gpu-feature-discovery"), spec);
    pod.service_account |= rbac::labels_through_api(frame);
    pod.host_network = frame.values.gfd.enable_host_network;
    pod.daemon_set(frame, &frame.names)
}

/// The pod, with its main container and the name by which the sidecar finds its process.
fn spec(frame: &Frame<'_>, main: Map<String, Json>, process: &str) -> Json {
    let mut init = Vec::new();
    let mut containers = Vec::new();
    if frame.chart.has(Trait::ImexInit) {
        init.push(imex::init_container(frame));
    }
    if frame.has_config() {
        init.push(Json::Object(config_manager(frame, "gpu-feature-discovery-init", &Manager::Init)));
        let mut sidecar = config_manager(frame, "gpu-feature-discovery-sidecar", &Manager::Sidecar(process));
        sidecar.insert("securityContext".to_owned(), Json::Object(security::of_discovery(frame)));
        containers.push(Json::Object(sidecar));
    }
    containers.push(Json::Object(main));
    let mut spec = json!({ "containers": containers, "volumes": volumes(frame) });
    if !init.is_empty() {
        spec["initContainers"] = Json::Array(init);
    }
    if frame.has_config() {
        spec["shareProcessNamespace"] = json!(true);
    }
    spec
}

fn main_container(frame: &Frame<'_>, image: &str, pull_policy: &str, env: Json) -> Map<String, Json> {
    into_map(json!({
        "name": "gpu-feature-discovery-ctr",
        "image": image,
        "imagePullPolicy": pull_policy,
        "env": env,
        "securityContext": security::of_discovery(frame),
        "volumeMounts": mounts(frame),
    }))
}

fn own_env(frame: &Frame<'_>) -> Json {
    let values = frame.values;
    let mut env = Env::new(frame);
    env.flag("GFD_FAIL_ON_INIT_ERROR", values.fail_on_init_error);
    env.text("GFD_MIG_STRATEGY", values.mig_strategy.as_ref());
    env.flag("GFD_NO_TIMESTAMP", values.gfd.no_timestamp);
    env.text("GFD_SLEEP_INTERVAL", values.gfd.sleep_interval.as_ref());
    if frame.has_config() {
        env.set("GFD_CONFIG_FILE", "/config/config.yaml");
    }
    if security::mig_possible(frame) {
        env.set("NVIDIA_MIG_MONITOR_DEVICES", "all");
    }
    env.into_json()
}

/// This chart reads `noTimestamp` and `sleepInterval` at the top, although its values name them under `gfd`.
fn plugin_env(frame: &Frame<'_>) -> Json {
    let values = frame.values;
    let mut env = Env::new(frame);
    env.field("NODE_NAME", "spec.nodeName");
    env.field("NAMESPACE", "metadata.namespace");
    if frame.chart.has(Trait::NodeFeatureAlways) {
        env.field("POD_NAME", "metadata.name");
    }
    env.text("MIG_STRATEGY", values.mig_strategy.as_ref());
    env.flag("FAIL_ON_INIT_ERROR", values.fail_on_init_error);
    env.flag("GFD_NO_TIMESTAMP", values.no_timestamp);
    if let Some(interval) = &values.sleep_interval {
        env.set("GFD_SLEEP_INTERVAL", interval);
    }
    if frame.chart.has(Trait::NodeFeatureChoice) {
        env.set("GFD_USE_NODE_FEATURE_API", "false");
    }
    if frame.has_config() {
        env.set("CONFIG_FILE", "/config/config.yaml");
    }
    if security::mig_possible(frame) {
        env.set("NVIDIA_MIG_MONITOR_DEVICES", "all");
    }
    if frame.chart.has(Trait::HookPath) {
        env.text("DEVICE_DISCOVERY_STRATEGY", values.device_discovery_strategy.as_ref());
    }
    env.into_json()
}

fn mounts(frame: &Frame<'_>) -> Vec<Json> {
    let mut mounts = vec![mount("output-dir", FEATURES_DIR), mount("host-sys", "/sys")];
    if frame.has_config() {
        mounts.push(mount("available-configs", "/available-configs"));
    }
    if has_config_dir(frame) {
        mounts.push(mount("config", "/config"));
    }
    mounts
}

fn volumes(frame: &Frame<'_>) -> Vec<Json> {
    let typed = |kind| frame.chart.has(Trait::TypedHostPaths).then_some(kind);
    let mut volumes = vec![
        host_path("output-dir", FEATURES_DIR, typed("DirectoryOrCreate")),
        host_path("host-sys", "/sys", typed("Directory")),
    ];
    if frame.chart.has(Trait::DiscoveryDriverRoot) {
        let root = frame.values.nvidia_driver_root.as_deref().unwrap_or_default();
        volumes.push(host_path("driver-root", &clean(root), Some("Directory")));
    }
    if frame.has_config() {
        volumes.push(available_configs(frame));
    }
    if has_config_dir(frame) {
        volumes.push(chosen_config());
    }
    volumes
}

fn has_config_dir(frame: &Frame<'_>) -> bool {
    frame.has_config() || frame.chart.has(Trait::DiscoveryDriverRoot)
}

/// The path from the root of the file system, without empty parts, `.` and `..`, as Go's `path.Clean` writes it.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_root_is_cleaned_as_the_chart_does() {
        for (given, path) in [
            ("", "/"),
            ("/", "/"),
            ("/usr/local", "/usr/local"),
            ("usr//local/", "/usr/local"),
            ("/a/./b/../c", "/a/c"),
            ("../x", "/x"),
        ] {
            assert_eq!(clean(given), path, "{given}");
        }
    }
}
