//! The main case: what the guide does by hand, as code, from an untouched node and back to it.

use anyhow::{Context, Result, ensure};
use harness::Case;
use serde_json::json;

const ADDRESS: &str = "talos_nvidia_node_patch.this";
const PATCH: &str = r#"resource "talos_nvidia_node_patch" "this" {
  provider = nvidia
  node     = "10.0.0.5"
}
"#;
const MODULES: [&str; 4] = ["nvidia", "nvidia_uvm", "nvidia_drm", "nvidia_modeset"];

fn the_guides_patch_is_applied_its_drift_seen_and_mended_and_the_nodes_own_bytes_given_back(case: &Case) -> Result<()> {
    let node = case.node()?;
    let untouched = node.config()?;
    let workspace = case.workspace_for(&node, PATCH)?;

    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    assert_eq!(node.config()?, untouched, "a plan changes nothing");
    workspace.apply_plan()?;

    let state = node.state()?;
    for module in MODULES {
        assert_eq!(state["modules"][module], "Live", "{module}: {}", state["modules"]);
    }
    // Talos 1.13 brought the value that the guide's patch sets on older ones.
    let hardened = if case.minor.0 <= 12 { json!({"net.core.bpf_jit_harden": "1"}) } else { json!({}) };
    assert_eq!(workspace.state()?.values(ADDRESS)?["sysctls"], hardened);
    workspace.plan()?.expect_empty()?;
    workspace.plan_with(&["-refresh=false"])?.expect_empty()?;
    let patched = node.config()?;

    take_out_of_the_configuration(case, &node, "nvidia_uvm")?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    let attributes = plan.change(ADDRESS)?.changed_attributes();
    ensure!(attributes.iter().any(|name| name == "kernel_modules"), "the drift is seen in {attributes:?}");
    let drift = plan.drift(ADDRESS)?.changed_attributes();
    ensure!(drift.iter().any(|name| name == "kernel_modules"), "what changed outside is seen in {drift:?}");
    workspace.apply()?;
    assert_eq!(node.state()?["modules"]["nvidia_uvm"], "Live");
    workspace.plan()?.expect_empty()?;
    workspace.plan_with(&["-refresh=false"])?.expect_empty()?;
    ensure!(patched.len() == node.config()?.len(), "mending puts back what was taken and nothing else");

    workspace.destroy()?;
    assert_eq!(String::from_utf8(node.config()?)?, String::from_utf8(untouched)?);
    assert!(workspace.state()?.addresses().is_empty());
    Ok(())
}
harness::on_every_minor!(the_guides_patch_is_applied_its_drift_seen_and_mended_and_the_nodes_own_bytes_given_back);

/// Somebody takes the module out of the configuration with an editor: its entry up to 1.13, its document from 1.14 on.
fn take_out_of_the_configuration(case: &Case, node: &harness::Machine, module: &str) -> Result<()> {
    let text = node.config_text()?;
    let name = format!("name: {module}\n");
    let at = text.find(&name).with_context(|| format!("{module} is not in the configuration:\n{text}"))?;
    let (start, end) = if case.minor.0 <= 13 {
        (text[..at].rfind('\n').map_or(0, |newline| newline + 1), at + name.len())
    } else {
        let start = text[..at].rfind("---\n").context("the module's document has no start")?;
        (start, text[at..].find("---\n").map_or(text.len(), |next| at + next))
    };
    node.set_config(format!("{}{}", &text[..start], &text[end..]).as_bytes())
}
