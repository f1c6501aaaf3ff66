//! Several resources on one machine: keys that change hands, two names of one machine, and taints.

use anyhow::{Result, ensure};
use harness::{Case, Diagnostic, Node, NodeOptions, Workspace};
use serde_json::json;

use crate::patch::{ADDRESS, expect_bytes, expect_modules_live, expect_settled, patch};

const SECOND: &str = "talos_nvidia_node_patch.second";
const SYSCTL: &str = "sysctls = { \"vm.max_map_count\" = \"262144\" }";
const NO_SYSCTL: &str = "sysctls = {}";

/// A resource of this name for the node at this address.
fn named(name: &str, node: &str, arguments: &str) -> String {
    patch(arguments).replace("\"this\"", &format!("\"{name}\"")).replace("10.0.0.5", node)
}

fn second(arguments: &str) -> String {
    named("second", "10.0.0.5", arguments)
}

/// Two resources, of which the one is planned and applied after the other.
fn in_order(first: &str, then: &str, address: &str) -> String {
    let ordered = then.replacen("provider = nvidia\n", &format!("provider = nvidia\n  depends_on = [{address}]\n"), 1);
    format!("{first}{ordered}")
}

fn write(workspace: &Workspace, node: &Node, resources: &str) -> Result<()> {
    workspace.write("main.tf", &harness::main_tf(node, resources))
}

fn a_key_that_goes_from_one_resource_to_another_is_refused_whichever_is_planned_first_and_goes_in_two_applies(
    case: &Case,
) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let bare = |sysctls: &str| second(&format!("kernel_modules = []\n{sysctls}"));
    let workspace = case.workspace_for(&node, &format!("{}{}", patch(SYSCTL), bare(NO_SYSCTL)))?;
    workspace.apply()?;
    let patched = node.config()?;

    let (giver, taker) = (patch(NO_SYSCTL), bare(SYSCTL));
    for moved in [in_order(&giver, &taker, ADDRESS), in_order(&taker, &giver, SECOND)] {
        write(&workspace, &node, &moved)?;
        for arguments in [&["plan", "-json"][..], &["plan", "-json", "-refresh=false"]] {
            let error = workspace.run(arguments)?.failed()?.only_error()?;
            for part in ["10.0.0.5", "vm.max_map_count", "take it out of the one resource and apply"] {
                assert!(error.says(part), "{part:?} is not in\n{error}");
            }
        }
    }
    expect_bytes(&node, &patched)?;

    write(&workspace, &node, &format!("{giver}{}", bare(NO_SYSCTL)))?;
    workspace.apply()?;
    write(&workspace, &node, &format!("{giver}{taker}"))?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_one_minor!(
    a_key_that_goes_from_one_resource_to_another_is_refused_whichever_is_planned_first_and_goes_in_two_applies
);

fn a_resource_that_is_renamed_without_a_moved_block_is_refused(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    let patched = node.config()?;
    write(&workspace, &node, &second(""))?;
    for arguments in [&["plan", "-json"][..], &["plan", "-json", "-refresh=false"]] {
        let error = workspace.run(arguments)?.failed()?.only_error()?;
        assert!(error.says("`moved` block"), "{error}");
    }
    expect_bytes(&node, &patched)?;
    let moved = format!("moved {{\n  from = {ADDRESS}\n  to = {SECOND}\n}}\n");
    write(&workspace, &node, &format!("{}{moved}", second("")))?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    expect_bytes(&node, &patched)
}
harness::on_one_minor!(a_resource_that_is_renamed_without_a_moved_block_is_refused);

/// Terraform sends neither `lifecycle` nor what the plan of a replacement knew of the old object to such a create.
fn a_replacement_that_creates_before_it_destroys_leaves_the_patch_and_says_the_way_out(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch("lifecycle {\n  create_before_destroy = true\n}"))?;
    workspace.apply()?;
    let patched = node.config()?;
    let replace = format!("-replace={ADDRESS}");
    let error = workspace.run(&["apply", "-json", "-auto-approve", &replace])?.failed()?.only_error()?;
    assert!(error.says("without `create_before_destroy`"), "{error}");
    expect_bytes(&node, &patched)?;

    // The old object and the new one are planned side by side: the second finds the first, and now and then each the other.
    let stuck = workspace.run(&["plan", "-json"])?.failed()?.errors();
    let says_it =
        |error: &Diagnostic| error.says("remove the resource from the configuration, apply, and add it again");
    assert!(!stuck.is_empty() && stuck.iter().all(says_it), "{stuck:?}");
    write(&workspace, &node, "")?;
    workspace.apply()?;
    expect_bytes(&node, &untouched)?;
    write(&workspace, &node, &patch(""))?;
    workspace.apply()?;
    expect_settled(&workspace)
}
harness::on_one_minor!(a_replacement_that_creates_before_it_destroys_leaves_the_patch_and_says_the_way_out);

fn what_is_kept_on_destroy_may_be_taken_over_at_once(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch("on_destroy = \"keep\""))?;
    workspace.apply()?;
    let patched = node.config()?;
    write(&workspace, &node, &second(""))?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    expect_bytes(&node, &patched)
}
harness::on_one_minor!(what_is_kept_on_destroy_may_be_taken_over_at_once);

/// A machine that is known as 10.0.0.5 and as gpu-1, and another one.
fn two_names(second_uuid: &str) -> NodeOptions {
    let uuid = "5c1f2f0e-8c8f-4a5b-9d0e-2f8f9a1b7c3d";
    NodeOptions::script(json!({"nodes": [
        {"name": "10.0.0.5", "hostname": "gpu-1", "type": "controlplane", "uuid": uuid},
        {"name": "10.0.0.6", "hostname": "gpu-2", "uuid": second_uuid},
    ]}))
}

fn two_names_of_one_machine_are_one_machine(case: &Case) -> Result<()> {
    let node = case.node_with(&two_names("5c1f2f0e-8c8f-4a5b-9d0e-2f8f9a1b7c3d"))?;
    let untouched = node.config()?;
    let by_name = |arguments: &str| named("second", "gpu-1", arguments);
    let workspace = case.workspace_for(&node, &format!("{}{}", patch(""), by_name("")))?;
    let error = workspace.plan_that_fails()?.only_error()?;
    for part in ["10.0.0.5", "gpu-1", "nvidia_uvm"] {
        assert!(error.says(part), "{part:?} is not in\n{error}");
    }
    // Also when one of them is there already, whichever comes first.
    write(&workspace, &node, &patch(""))?;
    workspace.apply()?;
    for both in [in_order(&patch(""), &by_name(""), ADDRESS), in_order(&by_name(""), &patch(""), SECOND)] {
        write(&workspace, &node, &both)?;
        workspace.plan_that_fails()?.only_error()?;
    }
    // With keys of their own they live side by side.
    let other = by_name("kernel_modules = []\nsysctls = { \"vm.max_map_count\" = \"262144\" }");
    write(&workspace, &node, &format!("{}{other}", patch("")))?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(two_names_of_one_machine_are_one_machine);

fn clones_that_share_a_uuid_are_two_machines(case: &Case) -> Result<()> {
    for uuid in ["5c1f2f0e-8c8f-4a5b-9d0e-2f8f9a1b7c3d", "00000000-0000-0000-0000-000000000000"] {
        let node = case.node_with(&two_names(uuid))?;
        let untouched = [node.config()?, node.named("10.0.0.6").config()?];
        let workspace = case.workspace_for(&node, &format!("{}{}", patch(""), named("second", "gpu-2", "")))?;
        workspace.apply()?;
        expect_settled(&workspace)?;
        expect_modules_live(&node)?;
        expect_modules_live(&node.named("10.0.0.6"))?;
        workspace.destroy()?;
        expect_bytes(&node, &untouched[0])?;
        expect_bytes(&node.named("10.0.0.6"), &untouched[1])?;
    }
    Ok(())
}
harness::on_recent_minors!(clones_that_share_a_uuid_are_two_machines);

fn two_tainted_resources_of_one_node_are_taken_back_each_by_its_own_memory(case: &Case) -> Result<()> {
    let fails = json!({"fails": "key was rejected by service"});
    let machine = json!({"modules": {"nvidia_modeset": fails, "gdrdrv": fails}});
    let node = case.node_with(&NodeOptions::machine(machine))?;
    let untouched = node.config()?;
    let other = second("kernel_modules = [{ name = \"gdrdrv\" }]\nsysctls = { \"vm.max_map_count\" = \"262144\" }");
    let workspace = case.workspace_for(&node, &format!("{}{other}", patch("")))?;
    workspace.apply_that_fails()?;
    let state = workspace.state()?;
    ensure!(state.is_tainted(ADDRESS)? && state.is_tainted(SECOND)?, "both are to be tainted");

    for name in ["nvidia_modeset", "gdrdrv"] {
        node.set_module(name, &json!({"available": true}))?;
    }
    let plan = workspace.plan()?;
    for address in [ADDRESS, SECOND] {
        assert_eq!(plan.actions(address), ["delete", "create"]);
    }
    workspace.apply_plan()?;
    expect_modules_live(&node)?;
    expect_settled(&workspace)?;
    // What one of them owns goes with it, and nothing of the other's.
    write(&workspace, &node, &patch(""))?;
    workspace.apply()?;
    let text = node.config_text()?;
    ensure!(!text.contains("gdrdrv") && !text.contains("vm.max_map_count"), "{text}");
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(two_tainted_resources_of_one_node_are_taken_back_each_by_its_own_memory);

/// What a plan warns of where somebody else's keys stand on the node.
const FOUND: &str = "Part of the patch stood on the node already";

fn a_resource_that_somebody_taints_is_taken_back_and_made_anew(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    workspace.run(&["taint", ADDRESS])?.succeeded()?;
    // What stands on the node is this resource's own, and goes before the new one comes: nobody's is found there.
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["delete", "create"]);
    ensure!(plan.run.diagnostic(FOUND).is_err(), "{}", plan.run);
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    let replaced = workspace.run(&["apply", "-json", "-auto-approve", &format!("-replace={ADDRESS}")])?.succeeded()?;
    ensure!(replaced.diagnostic(FOUND).is_err(), "{replaced}");
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(a_resource_that_somebody_taints_is_taken_back_and_made_anew);

pub(crate) fn a_failed_create_that_is_untainted_shows_what_is_left_to_do_and_then_nothing(case: &Case) -> Result<()> {
    let machine = json!({"modules": {"nvidia_modeset": {"fails": "key was rejected by service"}}});
    let node = case.node_with(&NodeOptions::machine(machine))?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply_that_fails()?;
    workspace.run(&["untaint", ADDRESS])?.succeeded()?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    ensure!(plan.change(ADDRESS)?.changed_attributes().contains(&"module_state".to_owned()), "{:?}", plan.changes());
    node.set_module("nvidia_modeset", &json!({"available": true}))?;
    expect_modules_live(&node)?;
    workspace.plan()?.expect_empty()?;
    workspace.refresh()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(a_failed_create_that_is_untainted_shows_what_is_left_to_do_and_then_nothing);
