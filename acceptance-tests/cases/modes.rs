//! `default_runtime` and `apply_mode`: what is live at once, what waits for a boot, and no reboot that nobody asked for.

use anyhow::Result;
use harness::Case;

use crate::patch::{ADDRESS, expect_bytes, expect_settled, patch};

const PART: &str = "/etc/cri/conf.d/20-customization.part";

fn a_change_that_needs_a_reboot_is_refused_at_plan_with_the_modes_that_would_work(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch("default_runtime = true"))?;
    let error = workspace.plan_that_fails()?.only_error()?;
    for part in ["10.0.0.5", "staged", "reboot"] {
        assert!(error.says(part), "{part:?} is not in\n{error}");
    }
    expect_bytes(&node, &untouched)
}
harness::on!(a_change_that_needs_a_reboot_is_refused_at_plan_with_the_modes_that_would_work:
    12 on_talos_1_12, 13 on_talos_1_13);

fn a_staged_runtime_waits_for_the_next_boot_and_is_then_in_force(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch("default_runtime = true\napply_mode = \"staged\""))?;
    let boots = node.state()?["boots"].clone();
    workspace.apply()?;
    assert_eq!(node.state()?["boots"], boots, "nobody asked for a reboot");
    assert_eq!(workspace.state()?.values(ADDRESS)?["pending_reboot"], true);
    expect_settled(&workspace)?;

    node.reboot()?;
    workspace.refresh()?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["pending_reboot"], false);
    expect_settled(&workspace)?;
    assert!(node.config_text()?.contains(PART));

    // Destroy never reboots: the part that needs one is staged, and gone with the next boot.
    let boots = node.state()?["boots"].clone();
    workspace.destroy()?;
    assert_eq!(node.state()?["boots"], boots);
    node.reboot()?;
    expect_bytes(&node, &untouched)
}
harness::on!(a_staged_runtime_waits_for_the_next_boot_and_is_then_in_force: 12 on_talos_1_12, 13 on_talos_1_13);

fn a_patch_that_was_destroyed_is_made_again_before_the_boot_that_its_runtime_waits_for(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch("default_runtime = true\napply_mode = \"reboot\""))?;
    workspace.apply()?;
    let patched = node.config()?;
    workspace.destroy()?;
    assert_eq!(node.persistent_config()?, untouched);

    let boots = node.state()?["boots"].clone();
    workspace.plan()?;
    workspace.apply_plan()?;
    assert_eq!(node.state()?["boots"], boots, "the file is there already");
    expect_bytes(&node, &patched)?;
    assert_eq!(node.persistent_config()?, patched);
    expect_settled(&workspace)?;
    workspace.destroy()?;
    node.reboot()?;
    expect_bytes(&node, &untouched)
}
harness::on!(a_patch_that_was_destroyed_is_made_again_before_the_boot_that_its_runtime_waits_for:
    9 on_talos_1_9, 12 on_talos_1_12, 13 on_talos_1_13);

fn a_reboot_that_is_asked_for_is_done_once_and_waited_for(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch("default_runtime = true\napply_mode = \"reboot\""))?;
    workspace.plan()?.run.diagnostic("reboot")?;
    let boots = node.state()?["boots"].as_u64().unwrap_or_default();
    workspace.apply()?;
    let after = node.state()?;
    assert_eq!(after["boots"], boots + 1);
    assert_eq!(workspace.state()?.values(ADDRESS)?["pending_reboot"], false);
    expect_settled(&workspace)
}
harness::on!(a_reboot_that_is_asked_for_is_done_once_and_waited_for: 12 on_talos_1_12, 13 on_talos_1_13);

fn nothing_reboots_when_the_change_does_not_need_it(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch("apply_mode = \"reboot\""))?;
    let boots = node.state()?["boots"].clone();
    workspace.apply()?;
    assert_eq!(node.state()?["boots"], boots);
    expect_settled(&workspace)
}
harness::on_recent_minors!(nothing_reboots_when_the_change_does_not_need_it);

fn a_runtime_is_set_and_taken_back_live_from_1_14_on(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch("default_runtime = true"))?;
    workspace.apply()?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["pending_reboot"], false);
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on!(a_runtime_is_set_and_taken_back_live_from_1_14_on: 14 on_talos_1_14);

fn a_runtime_part_that_was_there_before_keeps_its_other_settings_and_comes_back(case: &Case) -> Result<()> {
    let node = case.node()?;
    let part = format!(
        "machine:\n    files:\n        - op: create\n          path: {PART}\n          permissions: 0o644\n          content: |\n            # of another tool\n            [metrics]\n              address = \"0.0.0.0:11234\"\n"
    );
    node.edit_config("machine:\n", &part)?;
    node.reboot()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch("default_runtime = true\napply_mode = \"reboot\""))?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    let text = node.config_text()?;
    assert!(text.contains("# of another tool") && text.contains("0.0.0.0:11234"), "{text}");
    assert!(text.contains("default_runtime_name"), "{text}");

    workspace.destroy()?;
    node.reboot()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(a_runtime_part_that_was_there_before_keeps_its_other_settings_and_comes_back);

fn a_runtime_that_somebody_takes_out_up_to_1_13_shows_and_is_mended_by_the_mode_that_may_reboot(
    case: &Case,
) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch("default_runtime = true\napply_mode = \"reboot\""))?;
    workspace.apply()?;
    let text = node.config_text()?;
    node.stage_config(text.replace("default_runtime_name = \"nvidia\"", "").as_bytes())?;
    node.reboot()?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    assert!(plan.change(ADDRESS)?.changed_attributes().contains(&"default_runtime".to_owned()));
    workspace.apply()?;
    expect_settled(&workspace)?;
    assert!(node.config_text()?.contains("default_runtime_name = \"nvidia\""));
    workspace.destroy()?;
    node.reboot()?;
    let left = node.config_text()?;
    assert!(!left.contains("default_runtime_name") && left.len() >= untouched.len(), "{left}");
    Ok(())
}
harness::on!(a_runtime_that_somebody_takes_out_up_to_1_13_shows_and_is_mended_by_the_mode_that_may_reboot:
    12 on_talos_1_12, 13 on_talos_1_13);

fn a_comment_that_somebody_puts_into_the_runtime_part_stays_when_it_is_mended_and_taken_back(
    case: &Case,
) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch("default_runtime = true"))?;
    workspace.apply()?;
    let setting = "      default_runtime_name = \"nvidia\"\n";
    node.edit_config(setting, &format!("      # why\n{}", setting.replace("nvidia", "runc")))?;
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["update"]);
    workspace.apply()?;
    expect_settled(&workspace)?;
    node.edit_config(setting, "      # default_runtime_name = \"nvidia\"\n    # off\n")?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    let text = node.config_text()?;
    assert!(
        text.contains("# why") && text.contains("# off") && !text.contains("\n      default_runtime_name"),
        "{text}"
    );
    Ok(())
}
harness::on!(a_comment_that_somebody_puts_into_the_runtime_part_stays_when_it_is_mended_and_taken_back: 14 on_talos_1_14);

fn a_provider_that_is_configured_by_the_same_apply_plans_and_then_works(case: &Case) -> Result<()> {
    let node = case.node()?;
    let later = format!("resource \"terraform_data\" \"cluster\" {{\n  input = \"{}\"\n}}\n", node.endpoint()?);
    let main = harness::main_tf(&node, &format!("{later}{}", patch("")));
    let main = main.replace("config_path", "endpoints = [terraform_data.cluster.output]\n    config_path");
    let workspace = case.workspace(&main)?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    assert_eq!(node.connections()?, 0, "there was nothing to connect to");
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    workspace.destroy().map(drop)
}
harness::on_recent_minors!(a_provider_that_is_configured_by_the_same_apply_plans_and_then_works);

fn a_node_that_is_kept_on_destroy_keeps_its_patch(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch("on_destroy = \"keep\""))?;
    workspace.apply()?;
    let patched = node.config()?;
    workspace.destroy()?;
    expect_bytes(&node, &patched)
}
harness::on_recent_minors!(a_node_that_is_kept_on_destroy_keeps_its_patch);
