//! The chart's versions and values on a real cluster: what the API server takes, and that nothing of it reads back
//! otherwise. Which objects a version gives is decided without a cluster (`src/provider/device_plugin_release/snapshots`).

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use harness::{Case, Workspace};
use serde_json::{Value, json};

use super::{ADDRESS, Ground, expect_settled};

/// The last patch of each minor.
const MINORS: [&str; 8] = ["0.13.0", "0.14.5", "0.15.1", "0.16.2", "0.17.4", "0.18.2", "0.19.3", "0.20.0"];

/// With the chart's name in the release's, which GPU feature discovery's DaemonSet needs for to keep its name from 0.14.5 to
/// 0.15.1, where its selector changes.
fn each_minor_is_reached_from_the_one_before(case: &Case) -> Result<()> {
    let ground = Ground::without_node(case, "nvidia-device-plugin")?;
    // Where discovery runs, the oldest charts have the newer ones' affinity.
    let node = ground.cluster.node(&ground.node).label("test/release", &ground.name);
    node.label("nvidia.com/gpu.present", "true").gpus(2).create()?;
    let values =
        "gfd = { enabled = true }\ntime_slicing = { resources = [{ name = \"nvidia.com/gpu\", replicas = 4 }] }";
    let workspace = ground.workspace(case, MINORS[0], values)?;
    let discovery = ground.path(&format!("{}-gpu-feature-discovery", ground.name));
    let mut selectors = Vec::new();
    for version in MINORS {
        ground.rewrite(&workspace, version, values)?;
        let run = workspace.apply().context(version)?;
        expect_settled(&workspace).context(version)?;
        let plugin = ground.cluster.api().get(&ground.path(&ground.name))?;
        let image = &plugin["spec"]["template"]["spec"]["containers"][0]["image"];
        assert_eq!(image, &json!(format!("nvcr.io/nvidia/k8s-device-plugin:v{version}")));
        assert_eq!(plugin["status"]["numberReady"], 1, "{version}");
        let volumes = plugin["spec"]["template"]["spec"]["volumes"].to_string();
        assert_eq!(volumes.contains("\"device-plugin\""), version < "0.17.4", "the volume that 0.17.4 has renamed");
        selectors.push(ground.cluster.api().get(&discovery)?["spec"]["selector"]["matchLabels"].clone());
        assert_eq!(run.diagnostic("deleted and made anew").is_ok(), version == "0.15.1", "{version}");
    }
    selectors.dedup();
    assert_eq!(selectors.len(), 2, "{selectors:?}");
    assert_eq!(ground.revisions()?, [["superseded"; 7].as_slice(), &["deployed"]].concat());
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::with!(tofu each_minor_is_reached_from_the_one_before);

const PROFILES: &str = "seccomp_profile = { type = \"Localhost\", localhost_profile = \"a.json\" }, app_armor_profile = { type = \"Localhost\", localhost_profile = \"a\" }, se_linux_options = { level = \"s0\", role = \"r\", type = \"t\", user = \"u\" }";

/// `security_context` of a container, whole.
fn context() -> String {
    format!(
        "security_context = {{ privileged = false, allow_privilege_escalation = true, read_only_root_filesystem = true, proc_mount = \"Default\", capabilities = {{ add = [\"SYS_ADMIN\"], drop = [\"ALL\"] }}, run_as_user = 1, run_as_group = 2, run_as_non_root = true, {PROFILES} }}"
    )
}

/// Everything that 0.20.0 takes, such that a pod of each DaemonSet runs on the node of the case. `newer`: what Kubernetes
/// has from 1.31 on.
fn everything(ground: &Ground, other: &str, newer: bool) -> String {
    let (name, node, context) = (&ground.name, &ground.node, context());
    let (keys, policy) = match newer {
        true => (
            "match_label_keys = [\"app.kubernetes.io/instance\"], mismatch_label_keys = [\"none\"]",
            "supplemental_groups_policy = \"Strict\", ",
        ),
        false => ("match_label_keys = null", ""),
    };
    let wants = |label: &str, value: &str| {
        format!("match_expressions = [{{ key = \"{label}\", operator = \"In\", values = [\"{value}\"] }}]")
    };
    let node_term = format!(
        "{{ {}, match_fields = [{{ key = \"metadata.name\", operator = \"In\", values = [\"{node}\"] }}] }}",
        wants("test/release", name)
    );
    let pods = |label: &str, value: &str| {
        let selector = format!("{{ match_labels = {{ {label} = \"{value}\" }}, {} }}", wants(label, value));
        let spaces = format!("{{ match_labels = {{ a = \"b\" }}, {} }}", wants("a", "b"));
        let term = format!(
            "{{ topology_key = \"kubernetes.io/hostname\", label_selector = {selector}, namespace_selector = {spaces}, namespaces = [\"{other}\"], {keys} }}"
        );
        format!(
            "{{ required_during_scheduling_ignored_during_execution = [{term}], preferred_during_scheduling_ignored_during_execution = [{{ weight = 2, pod_affinity_term = {term} }}] }}"
        )
    };
    let (near, far) = (pods("app", name), pods("app", "nobody"));
    format!(
        r#"image = {{ repository = "example.org/plugin", pull_policy = "Always", tag = "1.10" }}
image_pull_secrets = [{{ name = "pull" }}]
config = {{ map = {{ default = "version: v1", other = "version: v1\nflags:\n  migStrategy: none\n" }}, default = "other", fallback_strategies = ["named", "empty"] }}
mps = {{ root = "/var/mps", enable_host_pid = false, enable_host_network = true }}
mig_strategy = "mixed"
device_list_strategy = "envvar,cdi-cri"
device_id_strategy = "index"
device_discovery_strategy = "nvml"
fail_on_init_error = false
compat_with_cpu_manager = true
gdrcopy_enabled = true
gds_enabled = true
mofed_enabled = false
nvidia_driver_root = "/usr/local"
nvidia_dev_root = "/"
cdi = {{ nvidia_hook_path = "/usr/local/bin/nvidia-cdi-hook", feature_flags = "a,b" }}
gfd = {{ enabled = true, no_timestamp = true, sleep_interval = "30s", enable_host_network = true, {context} }}
device_plugin = {{ enabled = true, enable_host_network = true }}
affinity = {{ node_affinity = {{ required_during_scheduling_ignored_during_execution = {{ node_selector_terms = [{node_term}] }}, preferred_during_scheduling_ignored_during_execution = [{{ weight = 1, preference = {node_term} }}] }}, pod_affinity = {near}, pod_anti_affinity = {far} }}
tolerations = [{{ key = "gpu", operator = "Equal", value = "yes", effect = "NoExecute", toleration_seconds = 60 }}]
priority_class_name = "system-cluster-critical"
resources = {{ limits = {{ memory = "1Gi" }}, requests = {{ cpu = "100m" }} }}
pod_annotations = {{ "example.org/a" = "on" }}
pod_security_context = {{ run_as_user = 1, run_as_group = 2, run_as_non_root = true, fs_group = 3, fs_group_change_policy = "Always", supplemental_groups = [4], {policy}sysctls = [{{ name = "kernel.shm_rmid_forced", value = "1" }}], {PROFILES} }}
{context}
update_strategy = {{ type = "RollingUpdate", rolling_update = {{ max_unavailable = "0", max_surge = "10%" }} }}
name_override = "plugin"
fullname_override = "{name}-with-a-name-of-its-own"
namespace_override = "{other}"
selector_labels_override = {{ app = "{name}" }}
allow_default_namespace = true"#
    )
}

/// Paths of the attributes that can be given: `gfd.security_context.privileged`.
fn given_paths(attributes: &Value, at: &str, into: &mut BTreeSet<String>) {
    for (name, attribute) in attributes.as_object().into_iter().flatten() {
        let is_given = attribute["required"] == true || attribute["optional"] == true;
        if is_given && name != "timeouts" {
            into.insert(format!("{at}{name}"));
            given_paths(&attribute["nested_type"]["attributes"], &format!("{at}{name}."), into);
        }
    }
}

/// Takes the paths out that have a value in a state.
fn take_out(values: &Value, at: &str, from: &mut BTreeSet<String>) {
    for (name, value) in values.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        let path = format!("{at}{name}");
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        items.iter().for_each(|item| take_out(item, &format!("{path}."), from));
        from.remove(&path);
    }
}

fn all_paths(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let run = workspace.run(&["providers", "schema", "-json"])?.succeeded()?;
    let schema: Value = serde_json::from_str(&run.stdout)?;
    let providers = schema["provider_schemas"].as_object().context("no schema")?;
    let of =
        |provider: &Value| provider["resource_schemas"]["nvidia_device_plugin_release"]["block"]["attributes"].clone();
    let mut paths = BTreeSet::new();
    providers.values().for_each(|provider| given_paths(&of(provider), "", &mut paths));
    ensure!(paths.len() > 100, "{paths:?}");
    Ok(paths)
}

fn every_value_is_taken_by_the_cluster_and_reads_back_as_it_was_given(case: &Case) -> Result<()> {
    let ground = Ground::without_node(case, "values")?;
    let node = ground.cluster.node(&ground.node).label("test/release", &ground.name);
    let node = node.label("nvidia.com/gpu.present", "true").label("nvidia.com/mps.capable", "true");
    node.gpus(2).create()?;
    let other = ground.cluster.unique("elsewhere");
    ground.cluster.namespace(&other).create()?;
    let newer = ground.cluster.release().minor()? >= 31;
    // Without configuration files: the chart looks for their service account in the namespace that is named here.
    let oldest = format!(
        "gfd = {{ enabled = true, name_override = \"features\", namespace_override = \"{other}\", no_timestamp = true, sleep_interval = \"30s\", {} }}",
        context()
    );
    let slices = "config = { default = \"default\" }\ntime_slicing = { rename_by_default = true, fail_requests_greater_than_one = true, resources = [{ name = \"nvidia.com/gpu\", replicas = 4 }] }";
    let mps = "mps = { rename_by_default = true, resources = [{ name = \"nvidia.com/gpu\", replicas = 2 }] }";
    let steps = [
        ("0.14.5", oldest),
        ("0.20.0", everything(&ground, &other, newer)),
        ("0.20.0", slices.to_owned()),
        ("0.20.0", "config = { name = \"files\" }".to_owned()),
        ("0.20.0", mps.to_owned()),
    ];
    let workspace = ground.workspace(case, "0.14.5", &steps[0].1)?;
    let mut open = all_paths(&workspace)?;
    for (step, (version, values)) in steps.iter().enumerate() {
        ground.rewrite(&workspace, version, values)?;
        workspace.apply().with_context(|| format!("step {step}"))?;
        expect_settled(&workspace).with_context(|| format!("step {step}"))?;
        take_out(workspace.state()?.values(ADDRESS)?, "", &mut open);
    }
    if !newer {
        open.retain(|path| !path.contains("match_label_keys") && !path.ends_with("supplemental_groups_policy"));
    }
    ensure!(open.is_empty(), "no step has {open:#?}");

    // The last one shares by MPS: the file, and the control daemon on the node that is labelled for it.
    let map = format!("/api/v1/namespaces/{}/configmaps/{}-configs", ground.name, ground.set());
    let file = "version: v1\nsharing:\n  mps:\n    renameByDefault: true\n    resources:\n    - name: nvidia.com/gpu\n      replicas: 2";
    assert_eq!(ground.cluster.api().get(&map)?["data"]["default"], file);
    let daemon = ground.cluster.api().get(&ground.path(&format!("{}-mps-control-daemon", ground.set())))?;
    assert_eq!(daemon["status"]["numberReady"], 1);
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.cluster.api().delete(&format!("/api/v1/namespaces/{other}"))?;
    ground.leave()
}
harness::with!(terraform every_value_is_taken_by_the_cluster_and_reads_back_as_it_was_given);
