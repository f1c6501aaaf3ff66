//! Ctrl-C and a provider that dies, each at a moment that the node names: nothing is lost and the next run goes on.

use anyhow::Result;
use harness::{Case, NodeOptions};
use serde_json::json;

use crate::patch::{ADDRESS, expect_bytes, expect_modules_live, expect_settled, patch};

fn ctrl_c_during_the_wait_for_a_module_ends_it_soon_and_keeps_what_was_done(case: &Case) -> Result<()> {
    // Not a failure, which would end the wait by itself: it just does not come.
    let machine = json!({"modules": {"nvidia_drm": {"stays": "Loading"}}});
    let node = case.node_with(&NodeOptions::machine(machine))?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
    // The configuration is written and three modules run: what is left is the wait for the fourth.
    node.wait_until("the other modules run", |state| {
        state["modules"]["nvidia_uvm"].as_str().is_some_and(|is| is.eq_ignore_ascii_case("live"))
    })?;
    running.interrupt()?;
    let run = workspace.finish(running)?.failed()?;
    run.diagnostic("nterrupted")?;
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);

    node.set_module("nvidia_drm", &json!({"available": true}))?;
    workspace.apply()?;
    expect_modules_live(&node)?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(ctrl_c_during_the_wait_for_a_module_ends_it_soon_and_keeps_what_was_done);

fn a_provider_that_is_killed_during_the_write_leaves_a_node_that_the_next_apply_completes(case: &Case) -> Result<()> {
    let fault = json!({"method": "ApplyConfiguration", "do": "hold"});
    let node = case.node_with(&NodeOptions::machine(json!({"faults": [fault]})))?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
    node.wait_until_held()?;
    running.kill_providers()?;
    workspace.finish(running)?.failed()?;
    node.release()?;

    workspace.plan()?;
    workspace.apply()?;
    expect_modules_live(&node)?;
    expect_settled(&workspace)
}
harness::on_recent_minors!(a_provider_that_is_killed_during_the_write_leaves_a_node_that_the_next_apply_completes);

fn a_provider_that_is_killed_during_an_update_leaves_a_node_that_the_next_apply_completes(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    let more = patch("sysctls = { \"vm.max_map_count\" = \"262144\" }");
    workspace.write("main.tf", &harness::main_tf(&node, &more))?;
    node.fault(&json!({"method": "ApplyConfiguration", "do": "hold"}))?;
    let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
    node.wait_until_held()?;
    running.kill_providers()?;
    workspace.finish(running)?.failed()?;
    node.release()?;

    workspace.apply()?;
    assert!(node.config_text()?.contains("vm.max_map_count"));
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(a_provider_that_is_killed_during_an_update_leaves_a_node_that_the_next_apply_completes);

fn an_update_that_ended_unseen_and_is_taken_back_in_the_configuration_is_taken_back_on_the_node(
    case: &Case,
) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    let patched = node.config()?;
    let more = patch("sysctls = { \"vm.max_map_count\" = \"262144\" }");
    workspace.write("main.tf", &harness::main_tf(&node, &more))?;
    // The node does what it is told, and what it answers says neither that it did nor that it did not.
    node.fault(
        &json!({"method": "ApplyConfiguration", "when": "after", "do": "error", "code": "Internal", "message": "lost"}),
    )?;
    workspace.apply_that_fails()?;
    assert!(node.config_text()?.contains("vm.max_map_count"));

    workspace.write("main.tf", &harness::main_tf(&node, &patch("")))?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    plan.run.diagnostic("did not get to its end")?;
    assert_eq!(workspace.plan_with(&["-refresh=false"])?.actions(ADDRESS), ["update"]);
    workspace.apply()?;
    expect_bytes(&node, &patched)?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(
    an_update_that_ended_unseen_and_is_taken_back_in_the_configuration_is_taken_back_on_the_node
);

fn an_update_that_ended_unseen_and_was_never_carried_out_leaves_nothing_to_do(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    let more = patch("sysctls = { \"vm.max_map_count\" = \"262144\" }");
    workspace.write("main.tf", &harness::main_tf(&node, &more))?;
    node.fault(&json!({"method": "ApplyConfiguration", "do": "error", "code": "Internal", "message": "lost"}))?;
    workspace.apply_that_fails()?;
    workspace.write("main.tf", &harness::main_tf(&node, &patch("")))?;
    workspace.plan()?.expect_empty()?;
    workspace.refresh()?;
    expect_settled(&workspace)
}
harness::on_recent_minors!(an_update_that_ended_unseen_and_was_never_carried_out_leaves_nothing_to_do);
