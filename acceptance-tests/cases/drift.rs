//! What somebody else changes on the node shows in the plan on the very attribute, and one apply mends it.

use anyhow::Result;
use harness::Case;
use serde_json::json;

use crate::patch::{
    ADDRESS, cut_document, expect_bytes, expect_drift, expect_drift_and_mend, expect_modules_live, expect_settled,
    patch, take_module_out,
};

const EVERYTHING: &str = r#"kernel_modules = [
  { name = "nvidia", parameters = ["NVreg_OpenRmEnableUnsupportedGpus=1"] },
  { name = "nvidia_uvm" },
  { name = "nvidia_drm" },
  { name = "nvidia_modeset" },
]
sysctls = {
  "net.core.bpf_jit_harden" = "1"
  "vm.max_map_count"        = "262144"
}"#;

fn a_module_that_is_taken_out_of_the_configuration(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(EVERYTHING))?;
    workspace.apply()?;
    take_module_out(&node, "nvidia_modeset")?;
    expect_drift_and_mend(&workspace, "kernel_modules")
}
harness::on_recent_minors!(a_module_that_is_taken_out_of_the_configuration);

fn a_module_that_is_missing_shows_alone_and_no_other_one_as_changed(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(EVERYTHING))?;
    workspace.apply()?;
    take_module_out(&node, "nvidia_uvm")?;
    let modules = |paths: Vec<String>| paths.into_iter().filter(|path| path.starts_with("kernel_modules")).collect();
    let planned: Vec<String> = modules(workspace.plan()?.change(ADDRESS)?.changed_paths());
    assert_eq!(planned, ["kernel_modules[1].name"]);
    // The state says what is missing, and expressions over it still work.
    workspace.refresh()?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["kernel_modules"][1], json!({"name": null, "parameters": null}));
    workspace.apply()?;
    expect_settled(&workspace)
}
harness::on_recent_minors!(a_module_that_is_missing_shows_alone_and_no_other_one_as_changed);

fn a_parameter_that_is_changed(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(EVERYTHING))?;
    workspace.apply()?;
    node.edit_config("NVreg_OpenRmEnableUnsupportedGpus=1", "NVreg_OpenRmEnableUnsupportedGpus=0")?;
    expect_drift_and_mend(&workspace, "kernel_modules")
}
harness::on_recent_minors!(a_parameter_that_is_changed);

fn a_sysctl_that_is_changed(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(EVERYTHING))?;
    workspace.apply()?;
    node.edit_config("262144", "65530")?;
    expect_drift_and_mend(&workspace, "sysctls")?;
    assert_eq!(node.state()?["sysctls"]["vm.max_map_count"], "262144");
    Ok(())
}
harness::on_recent_minors!(a_sysctl_that_is_changed);

fn a_runtime_setting_that_is_taken_out(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch("default_runtime = true"))?;
    workspace.apply()?;
    cut_document(&node, "kind: CRICustomizationConfig\n")?;
    expect_drift_and_mend(&workspace, "default_runtime")
}
harness::on!(a_runtime_setting_that_is_taken_out: 14 on_talos_1_14);

fn a_module_that_somebody_unloads_shows_as_not_live_and_the_apply_waits_for_talos_to_load_it(
    case: &Case,
) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    node.set_module("nvidia_uvm", &json!({"fails": "invalid argument"}))?;
    node.unload_module("nvidia_uvm")?;
    expect_drift(&workspace, "module_state")?;

    // Talos succeeds only when the apply has begun to wait.
    node.fault(&json!({"method": "Watch", "do": "hold"}))?;
    let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
    node.wait_until_held()?;
    node.set_module("nvidia_uvm", &json!({"available": true}))?;
    node.release()?;
    workspace.finish(running)?.succeeded()?;
    expect_modules_live(&node)?;
    expect_settled(&workspace)
}
harness::on_recent_minors!(a_module_that_somebody_unloads_shows_as_not_live_and_the_apply_waits_for_talos_to_load_it);

fn another_order_and_what_others_add_are_no_drift(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    if case.minor.0 <= 13 {
        take_module_out(&node, "nvidia")?;
        node.edit_config(
            "- name: nvidia_uvm\n",
            "- name: br_netfilter\n            - name: nvidia\n            - name: nvidia_uvm\n",
        )?;
    } else {
        cut_document(&node, "kind: KernelModuleConfig\nname: nvidia\n")?;
        let kind = "---\napiVersion: v1alpha1\nkind: KernelModuleConfig\n";
        let text = format!("{}{kind}name: br_netfilter\n{kind}name: nvidia\n", node.config_text()?);
        node.set_config(text.as_bytes())?;
    }
    expect_settled(&workspace)
}
harness::on_recent_minors!(another_order_and_what_others_add_are_no_drift);

fn what_is_taken_out_of_the_configuration_file_is_taken_out_of_the_node(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(EVERYTHING))?;
    workspace.apply()?;
    let less = "kernel_modules = [{ name = \"nvidia\", parameters = [] }]\nsysctls = {}";
    workspace.write("main.tf", &harness::main_tf(&node, &patch(less)))?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    workspace.apply()?;
    expect_settled(&workspace)?;
    let text = node.config_text()?;
    for gone in ["vm.max_map_count", "bpf_jit_harden", "NVreg_", "nvidia_uvm", "nvidia_drm", "nvidia_modeset"] {
        assert!(!text.contains(gone), "{gone} is still there:\n{text}");
    }
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_recent_minors!(what_is_taken_out_of_the_configuration_file_is_taken_out_of_the_node);
