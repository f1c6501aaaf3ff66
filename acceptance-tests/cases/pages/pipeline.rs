//! The guide "Drift in CI": its script, run as it is printed, and its workflow.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::{Case, NodeOptions, Workspace, tools};
use serde_json::json;

use super::{PIPELINE, blocks, only_block, page};
use crate::ground::NODES;
use crate::patch::take_module_out;

/// What the guide's reader has beside its blocks.
const PATCHES: &str = r#"resource "talos_nvidia_node_patch" "gpu" {
  provider = nvidia
  for_each = toset(["10.0.0.5", "10.0.0.6"])
  node     = each.key
}
"#;

pub(super) fn its_script_tells_drift_a_sick_node_and_an_unseen_node_apart(case: &Case) -> Result<()> {
    let machines = ["10.0.0.1", NODES[0], NODES[1]].map(|name| json!({"name": name}));
    let node = case.node_with(&NodeOptions::script(json!({"nodes": machines})))?;
    let watched = blocks(&page(PIPELINE)?, "terraform")?.concat();
    let workspace = case.workspace_for(&node, &format!("{PATCHES}\n{watched}"))?;
    workspace.apply()?;
    workspace.write("drift.sh", &only_block(PIPELINE, "#!/bin/sh")?)?;
    expect(&workspace, 0, &[])?;

    let sick = node.named(NODES[0]);
    let crashed = json!({"id": "ext-nvidia-persistenced", "state": "Failed", "message": "exit code 1"});
    sick.become_machine(json!({"services": [crashed]}))?;
    expect(&workspace, 3, &["10.0.0.5: ", "ext-nvidia-persistenced"])?;

    take_module_out(&node.named(NODES[1]), "nvidia_uvm")?;
    expect(&workspace, 2, &["drift: talos_nvidia_node_patch.gpu[\"10.0.0.6\"]", "ext-nvidia-persistenced"])?;

    sick.stop()?;
    expect(&workspace, 1, &[])
}
harness::on_one_minor!(its_script_tells_drift_a_sick_node_and_an_unseen_node_apart);

fn expect(workspace: &Workspace, code: i32, says: &[&str]) -> Result<()> {
    let run = workspace.shell("sh drift.sh")?;
    ensure!(run.code == Some(code), "drift.sh was to end with {code} and {}", run.outcome());
    let missing = says.iter().find(|words| !run.stdout.contains(**words));
    ensure!(missing.is_none(), "drift.sh says nowhere {missing:?}:\n{}", run.stdout);
    Ok(())
}

pub(super) fn its_workflow_is_one_that_github_takes(case: &Case) -> Result<()> {
    let (workflow, settings) = (case.path().join("gpu-drift.yml"), case.path().join("actionlint.yaml"));
    fs::write(&workflow, only_block(PIPELINE, "# .github/workflows/gpu-drift.yml")?)?;
    // The label is the reader's own.
    fs::write(&settings, "self-hosted-runner:\n  labels: [reaches-the-nodes]\n")?;
    let mut command = Command::new(tools("actionlint")?);
    command.args(["-shellcheck=", "-pyflakes=", "-config-file"]).arg(settings).arg(workflow);
    let output = command.output().context("cannot run actionlint")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}
harness::on_one_minor!(its_workflow_is_one_that_github_takes);
