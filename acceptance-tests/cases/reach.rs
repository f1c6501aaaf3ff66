//! A node that does not answer: planned all the same when it is created, an error that names it when it is refreshed, and
//! never an empty plan or a lost object.

use anyhow::{Result, ensure};
use harness::{Case, Node, NodeOptions, Workspace};
use serde_json::json;

use crate::patch::{ADDRESS, expect_bytes, expect_modules_live, expect_settled, patch};

/// The same as `workspace_for`, with `on_unreachable = "warn"`.
fn lenient(case: &Case, node: &Node) -> Result<Workspace> {
    let strict = harness::main_tf(node, &patch(""));
    case.workspace(&strict.replace("config_path", "on_unreachable = \"warn\"\n    config_path"))
}

fn a_create_is_planned_with_a_warning_while_the_node_is_down_and_applied_when_it_is_up(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    node.stop()?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    plan.run.diagnostic("10.0.0.5")?;
    node.start()?;
    workspace.apply_plan()?;
    expect_modules_live(&node)?;
    expect_settled(&workspace)
}
harness::on_recent_minors!(a_create_is_planned_with_a_warning_while_the_node_is_down_and_applied_when_it_is_up);

fn a_create_waits_for_a_node_that_is_still_in_maintenance_mode(case: &Case) -> Result<()> {
    let node = case.node_with(&NodeOptions::machine(json!({"maintenance": {"until_call": 4}})))?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    expect_modules_live(&node)?;
    expect_settled(&workspace)
}
harness::on_recent_minors!(a_create_waits_for_a_node_that_is_still_in_maintenance_mode);

fn a_refresh_of_a_node_that_is_down_is_an_error_and_the_state_stays(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    node.stop()?;
    let failed = workspace.plan_that_fails()?;
    let error = failed.only_error()?;
    ensure!(error.says("10.0.0.5"), "it does not name the node: {error}");
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);
    node.start()?;
    expect_settled(&workspace)
}
harness::on_recent_minors!(a_refresh_of_a_node_that_is_down_is_an_error_and_the_state_stays);

fn a_refresh_of_a_node_that_is_down_is_a_warning_when_that_is_asked_for(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = lenient(case, &node)?;
    workspace.apply()?;
    node.stop()?;
    let plan = workspace.plan()?;
    plan.expect_empty()?;
    plan.run.diagnostic("10.0.0.5")?;
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);
    Ok(())
}
harness::on_recent_minors!(a_refresh_of_a_node_that_is_down_is_a_warning_when_that_is_asked_for);

fn a_destroy_of_a_node_that_is_down_fails_and_forgets_nothing(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    node.stop()?;
    workspace.run(&["destroy", "-json", "-auto-approve", "-refresh=false"])?.failed()?;
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);
    node.start()?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_one_minor!(a_destroy_of_a_node_that_is_down_fails_and_forgets_nothing);

fn a_destroy_of_a_node_that_is_gone_forgets_it_with_a_warning_when_that_is_asked_for(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = lenient(case, &node)?;
    workspace.apply()?;
    node.stop()?;
    let run = workspace.destroy()?;
    run.diagnostic("10.0.0.5")?;
    assert!(workspace.state()?.addresses().is_empty());
    Ok(())
}
harness::on_one_minor!(a_destroy_of_a_node_that_is_gone_forgets_it_with_a_warning_when_that_is_asked_for);

fn an_answer_that_is_lost_after_the_work_was_done_does_not_lose_or_double_the_patch(case: &Case) -> Result<()> {
    let fault = json!({"method": "ApplyConfiguration", "resource": "NO_REBOOT", "when": "after", "do": "unavailable"});
    let node = case.node_with(&NodeOptions::machine(json!({"faults": [fault]})))?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(an_answer_that_is_lost_after_the_work_was_done_does_not_lose_or_double_the_patch);

fn a_node_that_reboots_between_reading_and_writing_is_patched_when_it_is_back(case: &Case) -> Result<()> {
    let fault = json!({"method": "ApplyConfiguration", "do": "reboot", "reboot": {"refuse": 3}});
    let node = case.node_with(&NodeOptions::machine(json!({"faults": [fault]})))?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    expect_modules_live(&node)?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(a_node_that_reboots_between_reading_and_writing_is_patched_when_it_is_back);

fn a_create_that_waits_in_vain_for_a_node_in_maintenance_mode_says_so_and_leaves_no_state(case: &Case) -> Result<()> {
    let node = case.node_with(&NodeOptions::machine(json!({"maintenance": true})))?;
    let workspace = case.workspace_for(&node, &patch("timeouts = { create = \"2s\" }"))?;
    workspace.plan()?.run.diagnostic("maintenance")?;
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(error.says("10.0.0.5") && error.says("maintenance mode"), "{error}");
    assert!(workspace.state()?.addresses().is_empty());
    Ok(())
}
harness::on_recent_minors!(a_create_that_waits_in_vain_for_a_node_in_maintenance_mode_says_so_and_leaves_no_state);

fn a_node_that_is_back_in_maintenance_mode_is_an_error_at_refresh_however_lenient(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = lenient(case, &node)?;
    workspace.apply()?;
    node.set_maintenance(true)?;
    let error = workspace.plan_that_fails()?.only_error()?;
    ensure!(error.says("10.0.0.5") && error.says("maintenance mode"), "{error}");
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);
    Ok(())
}
harness::on_recent_minors!(a_node_that_is_back_in_maintenance_mode_is_an_error_at_refresh_however_lenient);

fn a_node_that_goes_down_between_plan_and_apply_is_an_error_even_when_a_refresh_would_warn(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let strict = harness::main_tf(&node, &patch("timeouts = { create = \"2s\" }"));
    let workspace = case.workspace(&strict.replace("config_path", "on_unreachable = \"warn\"\n    config_path"))?;
    workspace.plan()?;
    node.stop()?;
    let error = workspace.run(&["apply", "-json", "plan.bin"])?.failed()?.only_error()?;
    ensure!(error.says("10.0.0.5"), "{error}");
    assert!(workspace.state()?.addresses().is_empty());
    node.start()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(a_node_that_goes_down_between_plan_and_apply_is_an_error_even_when_a_refresh_would_warn);

fn a_refresh_through_an_endpoint_that_is_gone_says_how_another_one_is_applied(case: &Case) -> Result<()> {
    let node = case.node()?;
    let good = format!("endpoint = \"{}\"", node.endpoint()?);
    let workspace = case.workspace_for(&node, &patch(&good))?;
    workspace.apply()?;
    let gone = workspace.state_file()?.to_string().replace(&node.endpoint()?, "127.0.0.1:1");
    workspace.set_state_file(&serde_json::from_str(&gone)?)?;

    let error = workspace.run(&["plan", "-json"])?.failed()?.only_error()?;
    assert!(error.says("apply once with -refresh=false"), "{error}");
    workspace.run(&["apply", "-json", "-auto-approve", "-refresh=false"])?.succeeded()?;
    expect_settled(&workspace)
}
harness::on_one_minor!(a_refresh_through_an_endpoint_that_is_gone_says_how_another_one_is_applied);
