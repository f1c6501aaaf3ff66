//! A state that an earlier release of the provider has written is understood, and one of a later release is not guessed at.

use std::path::Path;

use anyhow::{Result, ensure};
use harness::{Case, Node, Workspace, main_tf_over};
use serde_json::Value;

use crate::patch::{ADDRESS, expect_bytes, expect_settled, patch};

/// What terraform 1.11 stored after an apply of the first release, on Talos 1.13. It never changes.
const STATE_V0: &str = include_str!("fixtures/state_v0.tfstate");
const MAIN: &str = "sysctls = { \"vm.max_map_count\" = \"262144\" }";

fn state_v0(case: &Case) -> Result<Value> {
    Ok(serde_json::from_str(&STATE_V0.replace("registry.terraform.io", case.cli.registry()))?)
}

/// A node that carries the patch of the stored state, and a workspace with that state.
fn stored(case: &Case, main: &str, state: &Value) -> Result<(Node, Vec<u8>, Workspace)> {
    let node = case.node()?;
    let untouched = node.config()?;
    case.workspace_for(&node, &patch(MAIN))?.apply()?;
    let workspace = case.workspace_for(&node, &patch(main))?;
    workspace.set_state_file(state)?;
    Ok((node, untouched, workspace))
}

fn a_state_of_the_first_release_plans_nothing_and_is_destroyed_to_the_bytes_before_it(case: &Case) -> Result<()> {
    let (node, untouched, workspace) = stored(case, MAIN, &state_v0(case)?)?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_one_minor!(a_state_of_the_first_release_plans_nothing_and_is_destroyed_to_the_bytes_before_it);

fn a_state_of_the_first_release_is_changed_and_goes_on(case: &Case) -> Result<()> {
    let more = "sysctls = { \"vm.max_map_count\" = \"262144\", \"net.core.bpf_jit_harden\" = \"1\" }";
    let (node, untouched, workspace) = stored(case, more, &state_v0(case)?)?;
    let plan = workspace.plan()?;
    ensure!(plan.actions(ADDRESS) == ["update"], "{:?}", plan.changes());
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_one_minor!(a_state_of_the_first_release_is_changed_and_goes_on);

fn what_a_later_release_remembers_is_refused_and_nothing_is_sent(case: &Case) -> Result<()> {
    let mut state = state_v0(case)?;
    // {"version":2}
    state["resources"][0]["instances"][0]["private"] = "eyJ2ZXJzaW9uIjoyfQ==".into();
    let (node, _, workspace) = stored(case, MAIN, &state)?;
    let patched = node.config()?;
    let unrefreshed = ["destroy", "-json", "-auto-approve", "-refresh=false"];
    for run in [workspace.plan_that_fails()?, workspace.destroy_that_fails()?, workspace.run(&unrefreshed)?.failed()?] {
        let error = run.only_error()?;
        assert!(error.says("10.0.0.5") && error.says("newer release"), "{error}");
    }
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);
    expect_bytes(&node, &patched)
}
harness::on_one_minor!(what_a_later_release_remembers_is_refused_and_nothing_is_sent);

/// What terraform 1.11 stored after applies of the first release's other resources, on Kubernetes 1.37. The uid of the class
/// is the cluster's; here it is a word.
const CLASS_V0: &str = include_str!("fixtures/runtime_class_v0.tfstate");
const RELEASE_V0: &str = include_str!("fixtures/device_plugin_release_v0.tfstate");
const TEST_V0: &str = include_str!("fixtures/smoke_test_v0.tfstate");

fn stored_v0(case: &Case, text: &str, uid: &str) -> Result<Value> {
    Ok(serde_json::from_str(&text.replace("registry.terraform.io", case.cli.registry()).replace("UID", uid))?)
}

/// The state of the first release plans nothing over what stands there, a change of it is applied, and it is taken away.
fn goes_on(case: &Case, kubeconfig: &Path, state: &Value, texts: [&str; 2], address: &str) -> Result<()> {
    let workspace = case.workspace_over(kubeconfig, texts[0])?;
    workspace.set_state_file(state)?;
    expect_settled(&workspace)?;
    workspace.write("main.tf", &main_tf_over(None, Some(kubeconfig), texts[1]))?;
    let plan = workspace.plan()?;
    ensure!(plan.actions(address) == ["update"], "{:?}", plan.changes());
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    workspace.destroy().map(drop)
}

fn a_runtime_class_of_the_first_release_plans_nothing_is_changed_and_taken_away(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let _claim = cluster.claim("runtimeclass/state-v0");
    let class = r#"resource "nvidia_runtime_class" "this" {
  name         = "state-v0"
  labels       = { team = "gpu" }
  pod_overhead = { cpu = "250m" }
  scheduling = {
    node_selector = { "nvidia.com/gpu.present" = "true" }
    tolerations   = [{ key = "nvidia.com/gpu", operator = "Exists", effect = "NoExecute", toleration_seconds = 60 }]
  }
}
"#;
    case.workspace_over(&cluster.kubeconfig(), class)?.apply()?;
    let path = "/apis/node.k8s.io/v1/runtimeclasses/state-v0";
    let live = cluster.api().get(path)?;
    let state = stored_v0(case, CLASS_V0, live["metadata"]["uid"].as_str().unwrap_or_default())?;
    let changed = class.replace("\"gpu\" }", "\"other\" }");
    goes_on(case, &cluster.kubeconfig(), &state, [class, &changed], "nvidia_runtime_class.this")?;
    assert_eq!(cluster.api().find(path)?, None);
    Ok(())
}
harness::on_one_minor!(a_runtime_class_of_the_first_release_plans_nothing_is_changed_and_taken_away);

fn a_device_plugin_release_of_the_first_release_plans_nothing_is_changed_and_taken_away(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let _claim = cluster.claim("namespace/state-v0");
    if cluster.api().find("/api/v1/namespaces/state-v0")?.is_none() {
        cluster.namespace("state-v0").create()?;
    }
    let release = r#"resource "nvidia_device_plugin_release" "this" {
  name             = "state-v0"
  namespace        = "state-v0"
  create_namespace = false
  version          = "0.17.4"
  mig_strategy     = "single"
  affinity         = {}
  node_selector    = { "test/release" = "state-v0" }
  min_ready_nodes  = 0
  time_slicing     = { resources = [{ name = "nvidia.com/gpu", replicas = 4 }] }
}
"#;
    case.workspace_over(&cluster.kubeconfig(), release)?.apply()?;
    let state = stored_v0(case, RELEASE_V0, "")?;
    let changed = release.replace("single", "mixed");
    goes_on(case, &cluster.kubeconfig(), &state, [release, &changed], "nvidia_device_plugin_release.this")?;
    let left = cluster.kubectl(&["--namespace", "state-v0", "get", "daemonsets,secrets", "-o", "name"])?.succeeded()?;
    ensure!(left.trim().is_empty(), "left are {left}");
    Ok(())
}
harness::on_one_minor!(a_device_plugin_release_of_the_first_release_plans_nothing_is_changed_and_taken_away);

fn a_smoke_test_of_the_first_release_is_not_run_again(case: &Case) -> Result<()> {
    let test = r#"resource "nvidia_smoke_test" "this" {
  gpus               = 0
  runtime_class_name = ""
  triggers           = { talos = "v1.12.0" }
}
"#;
    // Nobody is asked, so there is nobody to ask.
    let workspace = case.workspace_over(&case.path().join("no-kubeconfig"), test)?;
    workspace.set_state_file(&stored_v0(case, TEST_V0, "")?)?;
    expect_settled(&workspace)?;
    assert_eq!(workspace.state()?.values("nvidia_smoke_test.this")?["triggers"]["talos"], "v1.12.0");
    workspace.destroy().map(drop)
}
harness::on_one_minor!(a_smoke_test_of_the_first_release_is_not_run_again);
