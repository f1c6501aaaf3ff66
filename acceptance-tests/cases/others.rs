//! Other people on the same node: somebody writes in between, has staged something, or another machine has the address.

use anyhow::{Result, ensure};
use harness::{Case, NodeOptions};
use serde_json::json;

use crate::patch::{ADDRESS, expect_bytes, expect_settled, patch};

const COMMENT: &str = "\n# somebody else was here\n";

fn what_somebody_writes_between_read_and_write_is_kept(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.plan()?;
    // Right after the apply has read what it is going to edit.
    let config = "MachineConfigs.config.talos.dev/v1alpha1";
    node.fault(
        &json!({"method": "Get", "resource": config, "when": "after", "do": "write", "write": {"append": COMMENT}}),
    )?;
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &[untouched.as_slice(), COMMENT.as_bytes()].concat())
}
harness::on_recent_minors!(what_somebody_writes_between_read_and_write_is_kept);

fn what_somebody_writes_in_the_moment_of_the_write_is_kept(case: &Case) -> Result<()> {
    let fault = json!({"method": "ApplyConfiguration", "do": "write", "write": {"append": COMMENT}});
    let node = case.node_with(&NodeOptions::machine(json!({"faults": [fault]})))?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    // Talos has no call that writes only when nobody else has: theirs is written over, found in the history, and merged.
    workspace.apply()?;
    ensure!(node.config_text()?.contains(COMMENT), "what somebody wrote is lost");
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &[untouched.as_slice(), COMMENT.as_bytes()].concat())
}
harness::on_every_minor!(what_somebody_writes_in_the_moment_of_the_write_is_kept);

fn a_node_that_is_busy_for_a_moment_is_patched_after_it(case: &Case) -> Result<()> {
    let fault = json!({"method": "ApplyConfiguration", "do": "busy", "times": 2});
    let node = case.node_with(&NodeOptions::machine(json!({"faults": [fault]})))?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    expect_settled(&workspace)
}
harness::on_recent_minors!(a_node_that_is_busy_for_a_moment_is_patched_after_it);

fn a_configuration_that_somebody_has_staged_is_not_overwritten(case: &Case) -> Result<()> {
    let node = case.node()?;
    let active = node.config()?;
    let staged = [active.as_slice(), COMMENT.as_bytes()].concat();
    node.stage_config(&staged)?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    let error = workspace.apply_that_fails()?.only_error()?;
    assert!(error.says("10.0.0.5") && error.says("staged"), "{error}");
    expect_bytes(&node, &active)?;
    assert_eq!(node.persistent_config()?, staged);
    Ok(())
}
// Up to 1.9 Talos has no resource that would show it.
harness::on_recent_minors!(a_configuration_that_somebody_has_staged_is_not_overwritten);

fn another_machine_at_the_same_address_is_an_error_and_not_a_patch(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    let patched = node.config()?;
    node.set_uuid("5c1f2f0e-8c8f-4a5b-9d0e-2f8f9a1b7c3d")?;
    workspace.write("main.tf", &harness::main_tf(&node, &patch("sysctls = { \"vm.max_map_count\" = \"262144\" }")))?;
    workspace.apply_that_fails()?;
    expect_bytes(&node, &patched)?;
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);
    Ok(())
}
harness::on_recent_minors!(another_machine_at_the_same_address_is_an_error_and_not_a_patch);

fn a_module_that_was_there_before_is_left_there_and_said(case: &Case) -> Result<()> {
    let node = case.node()?;
    if case.minor.0 <= 13 {
        node.edit_config("machine:\n", "machine:\n    kernel:\n        modules:\n            - name: nvidia\n")?;
    } else {
        let text =
            format!("{}---\napiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia\n", node.config_text()?);
        node.set_config(text.as_bytes())?;
    }
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?.diagnostic("nvidia")?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(a_module_that_was_there_before_is_left_there_and_said);
