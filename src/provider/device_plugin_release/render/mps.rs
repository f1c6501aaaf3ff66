//! The DaemonSet of the MPS control daemon, from 0.15.0 on.
//!
//! Its selector is that of the plugin's DaemonSet, and only nodes labelled `nvidia.com/mps.capable` run it.

use serde_json::{Map, Value as Json, json};

use super::{
    Frame,
    pod::{
        Env, Manager, Pod, available_configs, chosen_config, config_manager, host_path, insert_unless_empty, into_map,
        mount,
    },
    security,
};
use crate::device_plugin_release::versions::Trait;

pub(super) fn daemon_set(frame: &Frame<'_>) -> Json {
    let mut volumes = volumes(frame).to_vec();
    if frame.has_config() {
        volumes.extend([available_configs(frame), chosen_config()]);
    }
    let mut spec = json!({
        "initContainers": init_containers(frame),
        "containers": containers(frame),
        "volumes": volumes,
    });
    let host_pid = frame.chart.has(Trait::HostPid) && frame.values.mps.enable_host_pid;
    if host_pid {
        spec["hostPID"] = json!(true);
    } else if frame.has_config() {
        spec["shareProcessNamespace"] = json!(true);
    }
    let mut pod = Pod::new(frame, frame.names.part("mps-control-daemon"), spec);
    pod.host_network = frame.values.mps.enable_host_network;
    pod.node_selector = node_selector(frame);
    pod.daemon_set(frame, &frame.names)
}

/// MPS's directory and its own `/dev/shm`, which the plugin mounts too.
pub(super) fn volumes(frame: &Frame<'_>) -> [Json; 2] {
    let root = &frame.values.mps.root;
    [host_path("mps-root", root, Some("DirectoryOrCreate")), host_path("mps-shm", &format!("{root}/shm"), None)]
}

fn node_selector(frame: &Frame<'_>) -> Map<String, Json> {
    let mut selector = into_map(json!({ "nvidia.com/mps.capable": "true" }));
    selector.extend(frame.values.node_selector.clone());
    selector
}

fn init_containers(frame: &Frame<'_>) -> Vec<Json> {
    let mut mounts = into_map(json!({
        "name": "mps-control-daemon-mounts",
        "image": frame.image(),
        "command": ["mps-control-daemon", "mount-shm"],
        "securityContext": { "privileged": true },
        "volumeMounts": [{ "name": "mps-root", "mountPath": "/mps", "mountPropagation": "Bidirectional" }],
    }));
    insert_unless_empty(&mut mounts, "resources", &frame.values.resources);
    let mut containers = vec![Json::Object(mounts)];
    if frame.has_config() {
        containers.push(Json::Object(config_manager(frame, "mps-control-daemon-init", &Manager::Init)));
    }
    containers
}

fn containers(frame: &Frame<'_>) -> Vec<Json> {
    let mut containers = Vec::new();
    let mut mounts = vec![mount("mps-shm", "/dev/shm"), mount("mps-root", "/mps")];
    if frame.has_config() {
        let manager = Manager::Sidecar("/usr/bin/mps-control-daemon");
        containers.push(Json::Object(config_manager(frame, "mps-control-daemon-sidecar", &manager)));
        mounts.extend([mount("available-configs", "/available-configs"), mount("config", "/config")]);
    }
    let mut main = into_map(json!({
        "name": "mps-control-daemon-ctr",
        "image": frame.image(),
        "imagePullPolicy": frame.values.image.pull_policy,
        "command": ["mps-control-daemon"],
        "env": env(frame),
        "securityContext": { "privileged": true },
        "volumeMounts": mounts,
    }));
    insert_unless_empty(&mut main, "resources", &frame.values.resources);
    containers.push(Json::Object(main));
    containers
}

fn env(frame: &Frame<'_>) -> Json {
    let mut env = Env::new(frame);
    env.push(json!({
        "name": "NODE_NAME",
        "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": "spec.nodeName" } },
    }));
    env.text("MIG_STRATEGY", frame.values.mig_strategy.as_ref());
    if frame.has_config() {
        env.set("CONFIG_FILE", "/config/config.yaml");
    }
    if security::mig_possible(frame) {
        env.set("NVIDIA_MIG_MONITOR_DEVICES", "all");
    }
    env.set("NVIDIA_VISIBLE_DEVICES", "all");
    env.set("NVIDIA_DRIVER_CAPABILITIES", "compute,utility");
    env.into_json()
}
