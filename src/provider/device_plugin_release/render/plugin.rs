//! The DaemonSet of the device plugin itself.

use serde_json::{Value as Json, json};

use super::{
    Frame,
    pod::{
        Env, Manager, Pod, available_configs, chosen_config, config_manager, host_path, insert_unless_empty, into_map,
        mount,
    },
    security,
};
use crate::device_plugin_release::versions::Trait;

/// Where the kubelet looks for device plugins.
const KUBELET_DIR: &str = "/var/lib/kubelet/device-plugins";

pub(super) fn daemon_set(frame: &Frame<'_>) -> Json {
    let mut spec = json!({ "containers": containers(frame), "volumes": volumes(frame) });
    if frame.has_config() {
        spec["shareProcessNamespace"] = json!(true);
        spec["initContainers"] = json!([config_manager(frame, "nvidia-device-plugin-init", &Manager::Init)]);
    }
    let mut pod = Pod::new(frame, frame.names.fullname.clone(), spec);
    pod.host_network = frame.values.device_plugin.enable_host_network;
    pod.daemon_set(frame, &frame.names)
}

fn containers(frame: &Frame<'_>) -> Vec<Json> {
    let security = security::of_plugin(frame);
    let mut containers = Vec::new();
    if frame.has_config() {
        let manager = Manager::Sidecar("nvidia-device-plugin");
        let mut sidecar = config_manager(frame, "nvidia-device-plugin-sidecar", &manager);
        sidecar.insert("securityContext".to_owned(), Json::Object(security.clone()));
        containers.push(Json::Object(sidecar));
    }
    let mut main = into_map(json!({
        "name": "nvidia-device-plugin-ctr",
        "image": frame.image(),
        "imagePullPolicy": frame.values.image.pull_policy,
        "env": env(frame),
        "securityContext": security,
        "volumeMounts": mounts(frame),
    }));
    if frame.chart.has(Trait::ControlDaemon) {
        main.insert("command".to_owned(), json!(["nvidia-device-plugin"]));
    }
    insert_unless_empty(&mut main, "resources", &frame.values.resources);
    containers.push(Json::Object(main));
    containers
}

fn env(frame: &Frame<'_>) -> Json {
    let values = frame.values;
    let mut env = Env::new(frame);
    if frame.chart.has(Trait::ControlDaemon) {
        env.given("MPS_ROOT", &values.mps.root);
    }
    env.text("MIG_STRATEGY", values.mig_strategy.as_ref());
    env.flag("FAIL_ON_INIT_ERROR", values.fail_on_init_error);
    env.flag("PASS_DEVICE_SPECS", values.compat_with_cpu_manager);
    env.text("DEVICE_LIST_STRATEGY", values.device_list_strategy.as_ref());
    env.text("DEVICE_ID_STRATEGY", values.device_id_strategy.as_ref());
    env.text("NVIDIA_DRIVER_ROOT", values.nvidia_driver_root.as_ref());
    if frame.chart.has(Trait::HookPath) {
        env.text("NVIDIA_DEV_ROOT", values.nvidia_dev_root.as_ref());
        env.text("NVIDIA_CDI_HOOK_PATH", values.cdi.nvidia_hook_path.as_ref());
    }
    if frame.chart.has(Trait::CdiFeatureFlags) {
        env.text("CDI_FEATURE_FLAGS", values.cdi.feature_flags.as_ref());
    }
    if frame.chart.has(Trait::HostPid) {
        env.flag("GDRCOPY_ENABLED", values.gdrcopy_enabled);
    }
    env.flag("GDS_ENABLED", values.gds_enabled);
    env.flag("MOFED_ENABLED", values.mofed_enabled);
    if frame.has_config() {
        env.set("CONFIG_FILE", "/config/config.yaml");
    }
    if security::mig_possible(frame) {
        env.set("NVIDIA_MIG_MONITOR_DEVICES", "all");
    }
    if frame.chart.has(Trait::PluginMode) {
        env.set("DEVICE_PLUGIN_MODE", "");
    }
    if frame.chart.has(Trait::HookPath) {
        env.text("DEVICE_DISCOVERY_STRATEGY", values.device_discovery_strategy.as_ref());
    }
    if frame.chart.has(Trait::ControlDaemon) {
        env.set("NVIDIA_VISIBLE_DEVICES", "all");
        env.set("NVIDIA_DRIVER_CAPABILITIES", "compute,utility");
    }
    env.into_json()
}

/// The driver's root is mounted from 0.15.0 on; before, the plugin is only told where it is.
fn driver_root<'a>(frame: &'a Frame<'_>) -> Option<&'a String> {
    frame.values.nvidia_driver_root.as_ref().filter(|_| frame.chart.has(Trait::ControlDaemon))
}

fn kubelet_volume(frame: &Frame<'_>) -> &'static str {
    if frame.chart.has(Trait::TypedHostPaths) { "kubelet-device-plugins-dir" } else { "device-plugin" }
}

fn mounts(frame: &Frame<'_>) -> Vec<Json> {
    let mut mounts = vec![mount(kubelet_volume(frame), KUBELET_DIR)];
    if driver_root(frame).is_some() {
        mounts.push(json!({ "name": "driver-root", "mountPath": "/driver-root", "readOnly": true }));
    }
    if frame.chart.has(Trait::ControlDaemon) {
        mounts.extend([mount("mps-shm", "/dev/shm"), mount("mps-root", "/mps"), mount("cdi-root", "/var/run/cdi")]);
    }
    if frame.has_config() {
        mounts.extend([mount("available-configs", "/available-configs"), mount("config", "/config")]);
    }
    mounts
}

fn volumes(frame: &Frame<'_>) -> Vec<Json> {
    let directory = frame.chart.has(Trait::TypedHostPaths).then_some("Directory");
    let mut volumes = vec![host_path(kubelet_volume(frame), KUBELET_DIR, directory)];
    if frame.chart.has(Trait::ControlDaemon) {
        volumes.extend(super::mps::volumes(frame));
    }
    if let Some(root) = driver_root(frame) {
        volumes.push(host_path("driver-root", root, directory));
    }
    if frame.chart.has(Trait::ControlDaemon) {
        volumes.push(host_path("cdi-root", "/var/run/cdi", Some("DirectoryOrCreate")));
    }
    if frame.has_config() {
        volumes.extend([available_configs(frame), chosen_config()]);
    }
    volumes
}
