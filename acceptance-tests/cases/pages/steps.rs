//! The other guides, step by step: the upgrades of Talos, the patch that siderolabs/talos writes, and the ways out that
//! "Troubleshooting by message" names.

use anyhow::{Context, Result, ensure};
use harness::{Case, Minor, Node, NodeOptions, main_tf, tools};
use serde_json::json;

use super::{BESIDE, UPGRADING, blocks, only_block, page};
use crate::ground::NODES;
use crate::patch::{ADDRESS, expect_bytes, expect_modules_live, expect_settled, patch};

fn two_nodes(case: &Case) -> Result<Node> {
    let machines = ["10.0.0.1", NODES[0], NODES[1]].map(|name| json!({"name": name}));
    case.node_with(&NodeOptions::script(json!({"nodes": machines})))
}

pub(super) fn the_upgrades_are_followed_from_1_12_to_1_14(case: &Case) -> Result<()> {
    let page = page(UPGRADING)?;
    let all = blocks(&page, "terraform")?;
    let block = |holds: &str| all.iter().find(|block| block.contains(holds)).with_context(|| format!("no {holds:?}"));
    let (look, without_sysctl) = (block("output \"upgraded\"")?, block("sysctls = {}")?);
    let with_sysctl = without_sysctl.replace("  sysctls = {}\n", "");
    let mut node = two_nodes(case)?;
    let untouched = node.named(NODES[0]).config()?;
    let workspace = case.workspace_for(&node, &format!("{with_sysctl}\n{look}"))?;
    workspace.apply()?;

    node.restart_as(Minor(13))?;
    workspace.refresh()?;
    expect_settled(&workspace)?;
    let upgraded = workspace.state()?.output("upgraded").clone();
    ensure!(upgraded[NODES[0]]["talos"].as_str().is_some_and(|talos| talos.contains("1.13")), "{upgraded}");

    // To take the sysctl out, as the page shows it.
    workspace.write("main.tf", &main_tf(&node, without_sysctl))?;
    let shown = workspace.run(&["plan", "-no-color"])?.succeeded()?.stdout;
    let printed = only_block(UPGRADING, "~ sysctls ")?;
    ensure!(shown.contains(&printed), "the page shows\n{printed}and the plan\n{shown}");
    workspace.apply()?;

    // The old places stay, until the patch is put there anew.
    node.restart_as(Minor(14))?;
    workspace.refresh()?;
    expect_settled(&workspace)?;
    ensure!(!node.named(NODES[0]).config_text()?.contains("KernelModuleConfig"), "an upgrade has moved the modules");
    let command = "terraform apply -replace='talos_nvidia_node_patch.gpu[\"10.0.0.5\"]'";
    ensure!(page.contains(&format!("`{command}`")), "the page no longer says `{command}`");
    workspace.shell(&format!("{command} -auto-approve"))?.succeeded()?;
    ensure!(node.named(NODES[0]).config_text()?.contains("kind: KernelModuleConfig"), "it was not moved");
    ensure!(!node.named(NODES[1]).config_text()?.contains("KernelModuleConfig"), "the other node was moved too");
    expect_modules_live(&node.named(NODES[0]))?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node.named(NODES[0]), &untouched)
}
harness::on!(the_upgrades_are_followed_from_1_12_to_1_14: 12 from_talos_1_12);

pub(super) fn the_text_for_config_patches_is_the_patch_of_a_node_that_has_it(case: &Case) -> Result<()> {
    let text = only_block(BESIDE, "machine:")?;
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.write("patch.yaml", &text)?;
    // As whoever owns the configuration writes it, and not this provider.
    let talosctl = format!("'{}' --talosconfig '{}'", tools("talosctl")?.display(), node.file("talosconfig").display());
    workspace.shell(&format!("{talosctl} --nodes 10.0.0.5 patch mc --patch @patch.yaml"))?.succeeded()?;
    let theirs = node.config()?;

    let plan = workspace.plan()?;
    plan.run.diagnostic("Part of the patch stood on the node already")?;
    workspace.apply_plan()?;
    expect_bytes(&node, &theirs)?;
    let without_remarks: String =
        text.lines().map(|line| format!("{}\n", line.split(" #").next().unwrap_or(line))).collect();
    assert_eq!(workspace.state()?.values(ADDRESS)?["patch"], json!(without_remarks));
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &theirs)
}
harness::on!(the_text_for_config_patches_is_the_patch_of_a_node_that_has_it: 12 on_talos_1_12);

pub(super) fn a_machine_that_was_replaced_is_removed_from_the_state_and_applied_anew(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    node.set_uuid("11111111-2222-3333-4444-555555555555")?;
    workspace.write("main.tf", &main_tf(&node, &patch("sysctls = { \"vm.max_map_count\" = \"262144\" }")))?;
    let refused = workspace.apply_that_fails()?;
    refused.diagnostic("Another machine answers at the node's address")?;
    workspace.shell(&format!("terraform state rm '{ADDRESS}'"))?.succeeded()?;
    workspace.apply()?;
    expect_settled(&workspace)
}
harness::on_one_minor!(a_machine_that_was_replaced_is_removed_from_the_state_and_applied_anew);

pub(super) fn what_the_provider_block_waits_for_is_applied_first(case: &Case) -> Result<()> {
    let node = case.node()?;
    let talosconfig = node.file("talosconfig").display().to_string();
    let rest = format!(
        "resource \"terraform_data\" \"path\" {{\n  input = \"{talosconfig}\"\n}}\n\ndata \"nvidia_driver_status\" \"gpu\" {{\n  node = \"10.0.0.5\"\n}}\n"
    );
    let main = main_tf(&node, &rest).replacen(&format!("\"{talosconfig}\""), "terraform_data.path.output", 1);
    let workspace = case.workspace(&main)?;
    workspace.plan_that_fails()?.diagnostic("The provider configuration is not known yet")?;
    workspace.shell("terraform apply -target=terraform_data.path -auto-approve")?.succeeded()?;
    workspace.apply()?;
    assert_eq!(workspace.state()?.values("data.nvidia_driver_status.gpu")?["node"], "10.0.0.5");
    Ok(())
}
harness::on_one_minor!(what_the_provider_block_waits_for_is_applied_first);
