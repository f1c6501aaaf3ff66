//! The main case: what the guide does by hand, as code, from an untouched node and back to it.

use anyhow::Result;
use harness::Case;
use serde_json::json;

use crate::patch::{
    ADDRESS, expect_bytes, expect_drift_and_mend, expect_modules_live, expect_settled, patch, take_module_out,
};

pub(crate) fn the_guides_patch_is_applied_its_drift_seen_and_mended_and_the_nodes_own_bytes_given_back(
    case: &Case,
) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;

    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    expect_bytes(&node, &untouched)?;
    workspace.apply_plan()?;

    expect_modules_live(&node)?;
    // From Talos 1.13 on the guide asks for no sysctl.
    let hardened = if case.minor.0 <= 12 { json!({"net.core.bpf_jit_harden": "1"}) } else { json!({}) };
    assert_eq!(workspace.state()?.values(ADDRESS)?["sysctls"], hardened);
    expect_settled(&workspace)?;
    let patched = node.config()?;

    take_module_out(&node, "nvidia_uvm")?;
    expect_drift_and_mend(&workspace, "kernel_modules")?;
    expect_modules_live(&node)?;
    assert_eq!(node.config()?.len(), patched.len(), "mending puts back what was taken and nothing else");

    workspace.destroy()?;
    expect_bytes(&node, &untouched)?;
    assert!(workspace.state()?.addresses().is_empty());
    Ok(())
}
harness::on_every_minor!(the_guides_patch_is_applied_its_drift_seen_and_mended_and_the_nodes_own_bytes_given_back);

fn two_patches_of_two_nodes_are_applied_at_once_and_each_node_gets_its_own_bytes_back(case: &Case) -> Result<()> {
    let script = json!({"nodes": [{"name": "10.0.0.1"}, {"name": "10.0.0.5"}, {"name": "10.0.0.6"}]});
    let node = case.node_with(&harness::NodeOptions::script(script))?;
    let both = [node.named("10.0.0.5"), node.named("10.0.0.6")];
    let untouched = [both[0].config()?, both[1].config()?];
    let workspace = case.workspace_for(
        &node,
        r#"resource "talos_nvidia_node_patch" "each" {
  provider = nvidia
  for_each = toset(["10.0.0.5", "10.0.0.6"])
  node     = each.value
}
"#,
    )?;
    workspace.apply()?;
    both.iter().try_for_each(expect_modules_live)?;
    expect_settled(&workspace)?;

    take_module_out(&both[1], "nvidia_drm")?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions("talos_nvidia_node_patch.each[\"10.0.0.5\"]"), ["no-op"]);
    assert_eq!(plan.actions("talos_nvidia_node_patch.each[\"10.0.0.6\"]"), ["update"]);

    workspace.destroy()?;
    expect_bytes(&both[0], &untouched[0])?;
    // What somebody else took away is not put back by a destroy, and the rest is taken out all the same.
    expect_bytes(&both[1], &untouched[1])?;
    Ok(())
}
harness::on_recent_minors!(two_patches_of_two_nodes_are_applied_at_once_and_each_node_gets_its_own_bytes_back);

pub(crate) fn a_node_that_is_patched_already_is_imported_and_its_plan_is_empty(case: &Case) -> Result<()> {
    let node = case.node()?;
    let first = case.workspace_for(&node, &patch(""))?;
    first.apply()?;
    let patched = node.config()?;

    let second = case.workspace_for(&node, &patch(""))?;
    second.import(ADDRESS, "10.0.0.5")?.succeeded()?;
    expect_settled(&second)?;
    second.apply()?;
    expect_bytes(&node, &patched)
}
harness::on_recent_minors!(a_node_that_is_patched_already_is_imported_and_its_plan_is_empty);

fn an_import_block_brings_a_patched_node_in_without_a_change(case: &Case) -> Result<()> {
    let node = case.node()?;
    case.workspace_for(&node, &patch(""))?.apply()?;

    let import = format!("import {{\n  provider = nvidia\n  to = {ADDRESS}\n  id = \"10.0.0.5\"\n}}\n");
    let second = case.workspace_for(&node, &format!("{}{import}", patch("")))?;
    let change = second.plan()?.change(ADDRESS)?;
    assert_eq!((change.importing.as_deref(), change.is_no_op()), (Some("10.0.0.5"), true));
    second.apply()?;
    expect_settled(&second)
}
harness::on_recent_minors!(an_import_block_brings_a_patched_node_in_without_a_change);

fn an_upgrade_of_the_node_plans_nothing_and_destroy_still_gives_its_bytes_back(case: &Case) -> Result<()> {
    let mut node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    for minor in [13, 14] {
        node.restart_as(harness::Minor(minor))?;
        // The version that runs changed: no drift of anything that is configured.
        workspace.plan()?.expect_empty()?;
        workspace.refresh()?;
        expect_settled(&workspace)?;
    }
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on!(an_upgrade_of_the_node_plans_nothing_and_destroy_still_gives_its_bytes_back: 12 from_talos_1_12);
