//! Who owns what: one owner for a key of a node, many nodes at once, and a create that did not get to its end.

use anyhow::{Result, ensure};
use harness::{Case, NodeOptions};
use serde_json::json;

use crate::patch::{ADDRESS, MODULES, expect_bytes, expect_modules_live, expect_settled, patch};

/// A second resource for the same node.
fn second(arguments: &str) -> String {
    patch(arguments).replace("\"this\"", "\"second\"")
}

fn two_new_resources_that_own_the_same_key_of_a_node_are_an_error_at_plan(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let both = format!("{}{}", patch(""), second("kernel_modules = [{ name = \"nvidia-uvm\" }]"));
    let error = case.workspace_for(&node, &both)?.plan_that_fails()?.only_error()?;
    assert!(error.says("10.0.0.5") && error.says("nvidia_uvm") && !error.says("nvidia_drm"), "{error}");
    expect_bytes(&node, &untouched)
}
harness::on_one_minor!(two_new_resources_that_own_the_same_key_of_a_node_are_an_error_at_plan);

fn a_new_resource_does_not_take_what_a_stored_one_owns(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    let both = format!("{}{}", patch(""), second(""));
    workspace.write("main.tf", &harness::main_tf(&node, &both))?;
    let run = workspace.plan_that_fails()?;
    let said = run.errors();
    ensure!(said.iter().any(|error| error.says("10.0.0.5") && error.says("nvidia_uvm")), "{said:?}");
    workspace.write("main.tf", &harness::main_tf(&node, &patch("")))?;
    expect_settled(&workspace)
}
harness::on_one_minor!(a_new_resource_does_not_take_what_a_stored_one_owns);

fn two_resources_of_one_node_with_keys_of_their_own_live_side_by_side(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let sysctl = "kernel_modules = []\nsysctls = { \"vm.max_map_count\" = \"262144\" }";
    let workspace = case.workspace_for(&node, &format!("{}{}", patch("sysctls = {}"), second(sysctl)))?;
    workspace.apply()?;
    expect_modules_live(&node)?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(two_resources_of_one_node_with_keys_of_their_own_live_side_by_side);

fn a_resource_that_is_renamed_by_a_moved_block_changes_nothing(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    let moved = format!("moved {{\n  from = {ADDRESS}\n  to = talos_nvidia_node_patch.second\n}}\n");
    workspace.write("main.tf", &harness::main_tf(&node, &format!("{}{moved}", second(""))))?;
    let (patched, writes) = (node.config()?, node.count("ApplyConfiguration")?);
    workspace.apply()?;
    assert_eq!(node.count("ApplyConfiguration")?, writes, "a new name is nothing to the node");
    expect_bytes(&node, &patched)?;
    expect_settled(&workspace)
}
harness::on_one_minor!(a_resource_that_is_renamed_by_a_moved_block_changes_nothing);

fn a_patch_that_moves_to_another_node_leaves_the_first_as_it_was(case: &Case) -> Result<()> {
    let script = json!({"nodes": [{"name": "10.0.0.1"}, {"name": "10.0.0.5"}, {"name": "10.0.0.6"}]});
    let node = case.node_with(&NodeOptions::script(script))?;
    let (first, other) = (node.named("10.0.0.5"), node.named("10.0.0.6"));
    let untouched = [first.config()?, other.config()?];
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    let elsewhere = patch("").replace("10.0.0.5", "10.0.0.6");
    workspace.write("main.tf", &harness::main_tf(&node, &elsewhere))?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["delete", "create"]);
    workspace.apply_plan()?;
    expect_bytes(&first, &untouched[0])?;
    expect_modules_live(&other)?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&other, &untouched[1])
}
harness::on_recent_minors!(a_patch_that_moves_to_another_node_leaves_the_first_as_it_was);

fn forty_nodes_behind_one_endpoint_take_one_connection_and_four_calls_each_to_refresh(case: &Case) -> Result<()> {
    let script = json!({"nodes": [{"name": "10.0.0.1"}, {"name": "10.0.1.%d", "hostname": "gpu-%d", "count": 40}]});
    let node = case.node_with(&NodeOptions::script(script))?;
    let last = node.named("10.0.1.39");
    let untouched = last.config()?;
    let workspace = case.workspace_for(
        &node,
        r#"resource "talos_nvidia_node_patch" "each" {
  provider = nvidia
  for_each = toset([for i in range(40) : "10.0.1.${i}"])
  node     = each.value
}
"#,
    )?;
    workspace.apply()?;
    let (connections, calls) = (node.connections()?, last.calls()?.len());
    workspace.plan()?.expect_empty()?;
    assert_eq!(node.connections()? - connections, 1, "one connection for a plan of forty nodes");
    assert_eq!(last.calls()?.len() - calls, 4, "calls of a refresh");
    workspace.destroy()?;
    expect_bytes(&last, &untouched)
}
harness::on_recent_minors!(forty_nodes_behind_one_endpoint_take_one_connection_and_four_calls_each_to_refresh);

fn a_create_that_failed_half_way_is_taken_back_and_made_anew(case: &Case) -> Result<()> {
    let machine = json!({"modules": {"nvidia_modeset": {"fails": "key was rejected by service"}}});
    let node = case.node_with(&NodeOptions::machine(machine))?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    let said = workspace.apply_that_fails()?.errors();
    ensure!(said.iter().any(|error| error.says("Module nvidia_modeset") && error.says("key was rejected")), "{said:?}");
    assert!(workspace.state()?.is_tainted(ADDRESS)?);

    node.set_module("nvidia_modeset", &json!({"available": true}))?;
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["delete", "create"]);
    workspace.apply_plan()?;
    expect_modules_live(&node)?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(a_create_that_failed_half_way_is_taken_back_and_made_anew);

fn an_update_of_a_node_that_is_down_says_so_and_changes_nothing(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch("timeouts = { update = \"2s\" }"))?;
    workspace.apply()?;
    let patched = node.config()?;
    let more = "timeouts = { update = \"2s\" }\nsysctls = { \"vm.max_map_count\" = \"262144\" }";
    workspace.write("main.tf", &harness::main_tf(&node, &patch(more)))?;
    workspace.plan()?;
    node.stop()?;
    let error = workspace.run(&["apply", "-json", "plan.bin"])?.failed()?.only_error()?;
    assert!(error.says("10.0.0.5"), "{error}");
    node.start()?;
    expect_bytes(&node, &patched)?;
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["update"]);
    workspace.apply()?;
    expect_settled(&workspace)
}
harness::on_recent_minors!(an_update_of_a_node_that_is_down_says_so_and_changes_nothing);

fn a_configuration_that_somebody_tries_is_not_made_permanent(case: &Case) -> Result<()> {
    let node = case.node()?;
    let before = node.config()?;
    let tried = [before.as_slice(), b"\n# only a try\n"].concat();
    node.try_config(&tried)?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    let error = workspace.apply_that_fails()?.only_error()?;
    assert!(error.says("10.0.0.5") && error.says("tried"), "{error}");
    expect_bytes(&node, &tried)?;
    node.roll_back()?;
    expect_bytes(&node, &before)
}
harness::on_recent_minors!(a_configuration_that_somebody_tries_is_not_made_permanent);

fn a_node_without_a_gpu_is_warned_of_at_plan_and_its_apply_says_that_no_device_was_found(case: &Case) -> Result<()> {
    let node = case.node_with(&NodeOptions::machine(json!({"gpus": []})))?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.plan()?.run.diagnostic("0x10de")?;
    let run = workspace.apply_that_fails()?;
    let said = run.errors();
    ensure!(said.iter().any(|e| MODULES.iter().any(|m| e.says(m)) && e.says("no such device")), "{said:?}");
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(a_node_without_a_gpu_is_warned_of_at_plan_and_its_apply_says_that_no_device_was_found);

fn new_parameters_of_a_loaded_module_wait_for_a_boot_and_are_then_in_force(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    let modules = "kernel_modules = [\n  { name = \"nvidia\", parameters = [\"NVreg_X=1\"] },\n  { name = \"nvidia_uvm\" },\n  { name = \"nvidia_drm\" },\n  { name = \"nvidia_modeset\" },\n]";
    workspace.write("main.tf", &harness::main_tf(&node, &patch(modules)))?;
    workspace.plan()?.run.diagnostic("next boot")?;
    let boots = node.state()?["boots"].clone();
    workspace.apply()?;
    assert_eq!(node.state()?["boots"], boots, "nobody asked for a reboot");
    assert_eq!(workspace.state()?.values(ADDRESS)?["pending_reboot"], true);
    expect_settled(&workspace)?;
    node.reboot()?;
    workspace.refresh()?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["pending_reboot"], false);
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(new_parameters_of_a_loaded_module_wait_for_a_boot_and_are_then_in_force);
