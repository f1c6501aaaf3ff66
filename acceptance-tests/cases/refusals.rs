//! What cannot work is said before anything is written, with what is wrong and what to do.

use std::fs;

use anyhow::Result;
use harness::{Case, Diagnostic, NodeOptions};
use serde_json::{Value, json};

use crate::patch::{ADDRESS, expect_bytes, patch};

/// The apply fails with one error that says this, and the node is what it was.
fn expect_refused(case: &Case, machine: Value, says: &[&str]) -> Result<Diagnostic> {
    let node = case.node_with(&NodeOptions::machine(machine))?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    let error = workspace.apply_that_fails()?.only_error()?;
    for part in says {
        assert!(error.says(part), "{part:?} is not in\n{error}");
    }
    expect_bytes(&node, &untouched)?;
    assert!(workspace.state()?.addresses().is_empty());
    Ok(error)
}

fn a_node_without_the_extensions(case: &Case) -> Result<()> {
    expect_refused(case, json!({"flavour": "none"}), &["10.0.0.5", "extension"]).map(drop)
}
harness::on_recent_minors!(a_node_without_the_extensions);

fn a_toolkit_of_another_driver_version_is_named_with_both_versions(case: &Case) -> Result<()> {
    let talos = format!("v1.{}.0", case.minor.0);
    let extensions = json!([
        {"name": "nvidia-open-gpu-kernel-modules-lts", "version": format!("580.105.08-{talos}")},
        {"name": "nvidia-container-toolkit-lts", "version": "535.247.01-v1.18.1"},
    ]);
    let machine = json!({"version": talos, "extensions": extensions});
    expect_refused(case, machine, &["580.105.08", "535.247.01"]).map(drop)
}
harness::on_recent_minors!(a_toolkit_of_another_driver_version_is_named_with_both_versions);

fn an_extension_of_another_talos_version_is_named_with_both_versions(case: &Case) -> Result<()> {
    let talos = format!("v1.{}.0", case.minor.0);
    let extensions = json!([
        {"name": "nvidia-open-gpu-kernel-modules-lts", "version": "580.105.08-v1.11.3"},
        {"name": "nvidia-container-toolkit-lts", "version": "580.105.08-v1.18.1"},
    ]);
    expect_refused(case, json!({"version": talos, "extensions": extensions}), &["v1.11.3", &talos]).map(drop)
}
harness::on_recent_minors!(an_extension_of_another_talos_version_is_named_with_both_versions);

fn two_flavours_of_the_driver_at_once(case: &Case) -> Result<()> {
    let talos = format!("v1.{}.0", case.minor.0);
    let extensions = json!([
        {"name": "nvidia-open-gpu-kernel-modules-lts", "version": format!("580.105.08-{talos}")},
        {"name": "nonfree-kmod-nvidia-lts", "version": format!("580.105.08-{talos}")},
        {"name": "nvidia-container-toolkit-lts", "version": "580.105.08-v1.18.1"},
    ]);
    let says = ["nvidia-open-gpu-kernel-modules-lts", "nonfree-kmod-nvidia-lts"];
    expect_refused(case, json!({"version": talos, "extensions": extensions}), &says).map(drop)
}
harness::on_recent_minors!(two_flavours_of_the_driver_at_once);

fn a_talos_that_is_too_old_is_named_with_the_oldest_supported_one(case: &Case) -> Result<()> {
    expect_refused(case, json!({"version": "v1.7.6"}), &["1.7.6", "1.8"]).map(drop)
}
harness::on!(a_talos_that_is_too_old_is_named_with_the_oldest_supported_one: 8 on_talos_1_8);

fn a_talos_that_is_newer_than_known_works_with_a_warning(case: &Case) -> Result<()> {
    let talos = "v1.99.0";
    let extensions = json!([
        {"name": "nvidia-open-gpu-kernel-modules-lts", "version": format!("580.105.08-{talos}")},
        {"name": "nvidia-container-toolkit-lts", "version": "580.105.08-v1.18.1"},
    ]);
    let node = case.node_with(&NodeOptions::machine(json!({"version": talos, "extensions": extensions})))?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?.diagnostic("1.99")?;
    workspace.plan()?.expect_empty()?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on!(a_talos_that_is_newer_than_known_works_with_a_warning: 14 on_talos_1_14);

fn a_module_that_never_loads_is_named_with_what_the_kernel_said(case: &Case) -> Result<()> {
    let machine = json!({"modules": {"nvidia_drm": {"fails": "invalid argument"}}});
    let node = case.node_with(&NodeOptions::machine(machine))?;
    let arguments = "timeouts = {\n  create = \"5s\"\n}";
    let workspace = case.workspace_for(&node, &patch(arguments))?;
    let error = workspace.apply_that_fails()?.only_error()?;
    assert!(error.says("nvidia_drm") && error.says("invalid argument") && error.says("10.0.0.5"), "{error}");
    // The patch is on the node, so the state has it, marked as broken: the next apply does it again.
    assert!(workspace.state()?.is_tainted(ADDRESS)?);
    Ok(())
}
harness::on_recent_minors!(a_module_that_never_loads_is_named_with_what_the_kernel_said);

/// The apply with another talosconfig of the node fails with one error that says this.
fn expect_credentials_refused(case: &Case, talosconfig: &str, says: &[&str]) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let main = harness::main_tf(&node, &patch(""))
        .replace(&node.file("talosconfig").display().to_string(), &node.file(talosconfig).display().to_string());
    assert!(fs::exists(node.file(talosconfig))?);
    let workspace = case.workspace(&main)?;
    let error = workspace.apply_that_fails()?.only_error()?;
    for part in says {
        assert!(error.says(part), "{part:?} is not in\n{error}");
    }
    expect_bytes(&node, &untouched)
}

/// Terraform passes on the names that it knows, of an object in the provider block, and says nothing of others.
fn a_misspelt_name_in_the_provider_block_is_thought_of(case: &Case) -> Result<()> {
    let node = case.node()?;
    let misspelt = harness::main_tf(&node, &patch("")).replace("config_path", "talosconfig");
    let error = case.workspace(&misspelt)?.plan_that_fails()?.only_error()?;
    assert_eq!(error.summary, "The Talos client configuration cannot be used");
    for part in ["no talosconfig was found", "config_path", "TALOSCONFIG", "check its spelling"] {
        assert!(error.says(part), "{part:?} is not in\n{error}");
    }
    Ok(())
}
harness::on!(a_misspelt_name_in_the_provider_block_is_thought_of: 13 on_talos_1_13);

fn a_certificate_of_another_authority(case: &Case) -> Result<()> {
    expect_credentials_refused(case, "talosconfig-wrong-ca", &["10.0.0.5", "certificate"])
}
harness::on_recent_minors!(a_certificate_of_another_authority);

fn a_certificate_that_has_expired(case: &Case) -> Result<()> {
    expect_credentials_refused(case, "talosconfig-expired", &["10.0.0.5", "expired"])
}
harness::on_recent_minors!(a_certificate_that_has_expired);

fn a_role_that_may_not_write_is_named_with_the_one_that_may(case: &Case) -> Result<()> {
    expect_credentials_refused(case, "talosconfig-reader", &["10.0.0.5", "os:admin"])
}
harness::on_recent_minors!(a_role_that_may_not_write_is_named_with_the_one_that_may);

/// A refresh with another talosconfig than the apply had is an error that says this, and the state stays.
fn expect_refresh_refused(case: &Case, talosconfig: &str, says: &[&str]) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &patch(""))?;
    workspace.apply()?;
    let main = harness::main_tf(&node, &patch(""))
        .replace(&node.file("talosconfig").display().to_string(), &node.file(talosconfig).display().to_string())
        .replace("config_path", "on_unreachable = \"warn\"\n    config_path");
    workspace.write("main.tf", &main)?;
    let error = workspace.plan_that_fails()?.only_error()?;
    for part in says {
        assert!(error.says(part), "{part:?} is not in\n{error}");
    }
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);
    Ok(())
}

fn a_refresh_with_a_certificate_of_another_authority(case: &Case) -> Result<()> {
    expect_refresh_refused(case, "talosconfig-wrong-ca", &["10.0.0.5", "CA"])
}
harness::on_recent_minors!(a_refresh_with_a_certificate_of_another_authority);

fn a_refresh_with_a_certificate_that_has_expired(case: &Case) -> Result<()> {
    expect_refresh_refused(case, "talosconfig-expired", &["10.0.0.5", "expired"])
}
harness::on_recent_minors!(a_refresh_with_a_certificate_that_has_expired);

fn a_refresh_with_a_role_that_may_not_read_configurations(case: &Case) -> Result<()> {
    expect_refresh_refused(case, "talosconfig-reader", &["10.0.0.5", "os:admin"])
}
harness::on_recent_minors!(a_refresh_with_a_role_that_may_not_read_configurations);
