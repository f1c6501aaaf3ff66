//! Each call, and what it answers.

use serde_json::json;
use talos::client::{ApplyMode, ConfigId, EffectiveMode};
use talos::resource::{
    BootId, ExtensionStatus, KernelModuleSpec, KernelModuleStatus, KernelParamStatus, LoadedKernelModule, MachineStage,
    MachineStatus, ModuleState, PciDevice, SecurityState, Service, SystemInformation,
};
use talos::version::Support;
use talos::{ConfigBytes, ErrorKind};

use crate::node::TestNode;

/// A line of YAML that changes nothing.
fn with_a_comment(config: &ConfigBytes) -> ConfigBytes {
    [config.expose(), b"\n# a comment\n"].concat().into()
}

#[tokio::test]
async fn a_node_says_what_runs_there() {
    let node = TestNode::start();
    let version = node.node().version().await.unwrap();
    assert_eq!(version.tag, "v1.13.9");
    assert_eq!(version.parsed().unwrap().minor(), (1, 13));
    assert_eq!((version.os.as_str(), version.arch.as_str()), ("linux", "amd64"));
    assert_eq!(version.mode, "metal");
}

#[tokio::test]
async fn a_configuration_is_read_as_it_was_submitted_and_its_version_grows_by_one() {
    let test = TestNode::start();
    let node = test.node();
    let before = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    assert_eq!(before.bytes.expose(), std::fs::read(test.path("config.yaml")).unwrap());
    assert!(node.machine_config(ConfigId::Persistent).await.unwrap().is_none());

    let changed = with_a_comment(&before.bytes);
    let reply = node.apply_configuration(&changed, ApplyMode::NoReboot, false).await.unwrap();
    assert_eq!(reply.mode, EffectiveMode::NoReboot);

    let after = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    assert_eq!(after.bytes, changed);
    assert_eq!(after.version, before.version + 1);
    assert!(after.updated >= before.updated);
    let persistent = node.machine_config(ConfigId::Persistent).await.unwrap().unwrap();
    assert_eq!(persistent.bytes, changed);
}

#[tokio::test]
async fn a_staged_configuration_is_not_the_active_one() {
    let test = TestNode::start();
    let node = test.node();
    let active = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    let staged = with_a_comment(&active.bytes);
    let reply = node.apply_configuration(&staged, ApplyMode::Staged, false).await.unwrap();
    assert_eq!(reply.mode, EffectiveMode::Staged);
    assert_eq!(node.machine_config(ConfigId::Active).await.unwrap().unwrap(), active);
    assert_eq!(node.machine_config(ConfigId::Persistent).await.unwrap().unwrap().bytes, staged);
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_its_diff_is_cut_off() {
    let test = TestNode::start();
    let node = test.node();
    let active = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    let text = String::from_utf8(active.bytes.expose().to_vec()).unwrap();
    let changed = text.replacen("machine:\n", "machine:\n    sysctls:\n        vm.swappiness: \"7\"\n", 1);
    assert_ne!(changed, text);
    let changed = ConfigBytes::from(changed.into_bytes());

    let reply = node.apply_configuration(&changed, ApplyMode::Try, true).await.unwrap();
    assert!(!reply.details.contains("swappiness"), "{}", reply.details);
    assert!(!reply.no_changes);
    assert!(reply.details.contains("skipped in dry-run"), "{}", reply.details);
    assert!(node.apply_configuration(&active.bytes, ApplyMode::Try, true).await.unwrap().no_changes);
    assert_eq!(node.machine_config(ConfigId::Active).await.unwrap().unwrap(), active);
}

#[tokio::test]
async fn resources_are_read_by_id_and_by_kind() {
    let test = TestNode::start();
    let node = test.node();
    let extensions = node.list::<ExtensionStatus>().await.unwrap();
    let names: Vec<_> = extensions.iter().map(|found| found.spec.name.as_str()).collect();
    assert!(names.contains(&"nvidia-open-gpu-kernel-modules-lts"), "{names:?}");
    let kmod = &extensions.iter().find(|found| found.spec.name.contains("kernel-modules")).unwrap().spec;
    assert!(kmod.version.ends_with("-v1.13.9"), "{}", kmod.version);

    let devices = node.list::<PciDevice>().await.unwrap();
    assert!(devices.iter().any(|found| found.id == "0000:01:00.0" && found.spec.vendor_id == "0x10de"));

    let status = node.get::<MachineStatus>("machine").await.unwrap().unwrap();
    // It waits for the module that nobody has configured yet, and is ready all the same.
    assert_eq!((status.spec.stage, status.spec.ready), (MachineStage::Booting, true));
    assert!(status.version >= 1);

    let machine = node.get::<SystemInformation>("systeminformation").await.unwrap().unwrap();
    assert_eq!(machine.spec.uuid, test.get("/nodes/127.0.0.1/state")["uuid"].as_str().unwrap());
    assert!(node.get::<SecurityState>("securitystate").await.unwrap().is_some());
    assert!(node.get::<Service>("cri").await.unwrap().unwrap().spec.running);
    assert!(node.get::<Service>("nobody").await.unwrap().is_none());
}

#[tokio::test]
async fn modules_and_sysctls_are_seen_after_they_are_configured() {
    let test = TestNode::start();
    let node = test.node();
    let active = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    let text = String::from_utf8(active.bytes.expose().to_vec()).unwrap();
    let section = "machine:\n    kernel:\n        modules:\n            - name: nvidia\n    sysctls:\n        net.core.bpf_jit_harden: \"1\"\n";
    let changed = ConfigBytes::from(text.replacen("machine:\n", section, 1).into_bytes());
    node.apply_configuration(&changed, ApplyMode::NoReboot, false).await.unwrap();

    assert_eq!(node.get::<KernelModuleSpec>("nvidia").await.unwrap().unwrap().spec.name, "nvidia");
    let loaded = node.get::<LoadedKernelModule>("nvidia").await.unwrap().unwrap();
    assert_eq!(loaded.spec.state, ModuleState::Live);
    let sysctl = node.get::<KernelParamStatus>("proc.sys.net.core.bpf_jit_harden").await.unwrap().unwrap();
    assert_eq!(sysctl.spec.current, "1");
    let file = node.read_file("/proc/sys/net/core/bpf_jit_harden").await.unwrap().unwrap();
    assert_eq!(file, b"1\n");
}

#[tokio::test]
async fn the_kinds_of_a_minor_are_known_before_they_are_read() {
    let old = TestNode::start();
    assert!(old.node().is_supported::<LoadedKernelModule>().await.unwrap());
    assert!(!old.node().is_supported::<KernelModuleStatus>().await.unwrap());
    let new = TestNode::with("1.14", "127.0.0.1:0", &serde_json::Value::Null);
    assert!(new.node().is_supported::<KernelModuleStatus>().await.unwrap());
    let boot = new.node().get::<BootId>("boot-id").await.unwrap().unwrap();
    assert_eq!(boot.spec.boot_id, new.get("/nodes/127.0.0.1/state")["boot_id"].as_str().unwrap());
}

#[tokio::test]
async fn files_and_folders_are_read_and_missing_ones_are_nothing() {
    let script = json!({"nodes": [{"name": "127.0.0.1", "files": {"/etc/greeting": "hello\n"}}]});
    let test = TestNode::scripted(&script);
    let node = test.node();
    assert_eq!(node.read_file("/etc/greeting").await.unwrap().unwrap(), b"hello\n");
    assert!(node.read_file("/etc/nothing").await.unwrap().is_none());
    let error = node.read_file("/etc").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Other { code: "Unknown", .. }), "{:?}", error.kind());

    let listing = node.list_directory("/etc").await.unwrap().unwrap();
    assert_eq!((listing[0].relative_path.as_str(), listing[0].is_dir), (".", true));
    let file = listing.iter().find(|info| info.relative_path == "greeting").unwrap();
    assert_eq!((file.size, file.is_dir), (6, false));
    assert!(node.list_directory("/etc/nothing").await.unwrap().is_none());
}

#[tokio::test]
async fn services_say_their_state_health_and_last_event() {
    let script = json!({"nodes": [{"name": "127.0.0.1", "services": [
        {"id": "ext-nvidia-persistenced", "state": "Waiting", "message": "Waiting for file \"/sys/bus/pci/drivers/nvidia\" to exist"},
    ]}]});
    let test = TestNode::scripted(&script);
    let services = test.node().services().await.unwrap();
    let cri = services.iter().find(|service| service.id == "cri").unwrap();
    assert_eq!(cri.state, "Running");
    assert!(cri.health.as_ref().unwrap().healthy);
    let waiting = services.iter().find(|service| service.id == "ext-nvidia-persistenced").unwrap();
    assert_eq!(waiting.state, "Waiting");
    assert!(waiting.last_event.contains("/sys/bus/pci/drivers/nvidia"), "{}", waiting.last_event);
}

#[tokio::test]
async fn the_controllers_log_says_why_a_module_does_not_load() {
    let script =
        json!({"nodes": [{"name": "127.0.0.1", "modules": {"nvidia_peermem": {"fails": "invalid argument"}}}]});
    let test = TestNode::scripted(&script);
    let node = test.node();
    let active = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    let text = String::from_utf8(active.bytes.expose().to_vec()).unwrap();
    let section = "machine:\n    kernel:\n        modules:\n            - name: nvidia_peermem\n";
    let changed = ConfigBytes::from(text.replacen("machine:\n", section, 1).into_bytes());
    node.apply_configuration(&changed, ApplyMode::NoReboot, false).await.unwrap();

    let failures = node.controller_log(200).await.unwrap();
    let of_modules =
        failures.iter().find(|failure| failure.controller == "runtime.KernelModuleSpecController").unwrap();
    assert!(of_modules.error.contains("load nvidia_peermem failed: invalid argument"), "{}", of_modules.error);
    assert!(node.raw_controller_log(200).await.unwrap().contains("controller failed"));
    assert!(!node.dmesg().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reboot_is_asked_for_once() {
    let test = TestNode::start();
    test.node().reboot().await.unwrap();
    assert_eq!(test.count("Reboot"), 1);
    assert_eq!(test.get("/nodes/127.0.0.1/state")["boots"], 2);
}

#[tokio::test]
async fn every_minor_answers_the_calls_that_all_have() {
    for (minor, tag) in [
        ("1.8", "v1.8.0"),
        ("1.9", "v1.9.5"),
        ("1.10", "v1.10.0"),
        ("1.11", "v1.11.6"),
        ("1.12", "v1.12.0"),
        ("1.13", "v1.13.9"),
        ("1.14", "v1.14.1"),
    ] {
        let test = TestNode::with(minor, "127.0.0.1:0", &serde_json::Value::Null);
        let node = test.node();
        let version = node.version().await.unwrap();
        assert_eq!(version.tag, tag);
        assert_eq!(version.parsed().unwrap().support(), Support::Supported);
        let active = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
        assert_eq!(active.bytes.expose(), std::fs::read(test.path("config.yaml")).unwrap());
        node.apply_configuration(&with_a_comment(&active.bytes), ApplyMode::NoReboot, false).await.unwrap();
        let persistent = node.machine_config(ConfigId::Persistent).await.unwrap();
        assert_eq!(persistent.is_some(), version.parsed().unwrap().minor() >= (1, 10), "{minor}");
        let status = node.get::<MachineStatus>("machine").await.unwrap().unwrap();
        assert_eq!(status.spec.stage, MachineStage::Booting, "{minor}");
        let machine = node.get::<SystemInformation>("systeminformation").await.unwrap().unwrap();
        assert!(!machine.spec.uuid.is_empty(), "{minor}");
        assert!(!node.list::<ExtensionStatus>().await.unwrap().is_empty(), "{minor}");
        assert!(!node.services().await.unwrap().is_empty(), "{minor}");
        assert!(!node.list_directory("/proc").await.unwrap().unwrap().is_empty(), "{minor}");
        node.controller_log(10).await.unwrap();
        let modules = node.is_supported::<LoadedKernelModule>().await.unwrap();
        assert_eq!(modules, version.parsed().unwrap().minor() >= (1, 11), "{minor}");
    }
}
