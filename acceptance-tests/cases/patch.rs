//! What the cases about `talos_nvidia_node_patch` share: its text, its address, and edits that somebody else makes.

use anyhow::{Context, Result, ensure};
use harness::{Machine, Workspace};

/// The address of the one patch of a case.
pub(crate) const ADDRESS: &str = "talos_nvidia_node_patch.this";
/// What the guide loads.
pub(crate) const MODULES: [&str; 4] = ["nvidia", "nvidia_uvm", "nvidia_drm", "nvidia_modeset"];

/// The resource for the node at `10.0.0.5`, with more arguments.
pub(crate) fn patch(arguments: &str) -> String {
    format!(
        r#"resource "talos_nvidia_node_patch" "this" {{
  provider = nvidia
  node     = "10.0.0.5"
{}}}
"#,
        arguments.lines().map(|line| format!("  {line}\n")).collect::<String>()
    )
}

/// Nothing is left to do, whether the node is asked or not.
pub(crate) fn expect_settled(workspace: &Workspace) -> Result<()> {
    workspace.plan()?.expect_empty().context("with refresh")?;
    workspace.plan_with(&["-refresh=false"])?.expect_empty().context("without refresh")
}

/// The plan wants one update in place, of exactly these attributes besides computed ones that follow from them, and the
/// refresh found what somebody else did.
pub(crate) fn expect_drift(workspace: &Workspace, attribute: &str) -> Result<()> {
    let plan = workspace.plan()?;
    ensure!(plan.actions(ADDRESS) == ["update"], "planned is {:?}", plan.actions(ADDRESS));
    let planned = plan.change(ADDRESS)?.changed_attributes();
    ensure!(planned.iter().any(|name| name == attribute), "the plan changes {planned:?} and not {attribute}");
    let configured = ["kernel_modules", "sysctls", "default_runtime", "module_state"];
    let others = planned
        .iter()
        .find(|name| *name != attribute && *name != "module_state" && configured.contains(&name.as_str()));
    ensure!(others.is_none(), "the plan changes {planned:?}, more than {attribute}");
    let seen = plan.drift(ADDRESS)?.changed_attributes();
    ensure!(seen.iter().any(|name| name == attribute), "the refresh saw {seen:?} and not {attribute}");
    Ok(())
}

/// The drift is seen, mended by one apply, and nothing is left to do.
pub(crate) fn expect_drift_and_mend(workspace: &Workspace, attribute: &str) -> Result<()> {
    expect_drift(workspace, attribute)?;
    workspace.apply()?;
    expect_settled(workspace)
}

/// Every module of the guide runs.
pub(crate) fn expect_modules_live(node: &Machine) -> Result<()> {
    let state = node.state()?;
    let live = |module: &&str| state["modules"][*module].as_str().is_some_and(|is| is.eq_ignore_ascii_case("live"));
    let missing: Vec<&str> = MODULES.iter().filter(|module| !live(module)).copied().collect();
    ensure!(missing.is_empty(), "{missing:?} do not run: {}", state["modules"]);
    Ok(())
}

/// The node's configuration is byte for byte this.
pub(crate) fn expect_bytes(node: &Machine, expected: &[u8]) -> Result<()> {
    let found = node.config()?;
    if found == expected {
        return Ok(());
    }
    let at = found.iter().zip(expected).position(|(found, expected)| found != expected);
    let at = at.unwrap_or_else(|| found.len().min(expected.len()));
    let around =
        |bytes: &[u8]| String::from_utf8_lossy(&bytes[at.saturating_sub(80)..bytes.len().min(at + 120)]).into_owned();
    anyhow::bail!("the bytes differ at {at}.\nfound: {:?}\nexpected: {:?}", around(&found), around(expected))
}

/// Somebody takes a module out of the configuration with an editor: the entry of the list, or the document.
pub(crate) fn take_module_out(node: &Machine, module: &str) -> Result<()> {
    let text = node.config_text()?;
    let document = format!("kind: KernelModuleConfig\nname: {module}\n");
    if text.contains(&document) {
        return cut_document(node, &document);
    }
    let entry = format!("- name: {module}\n");
    let at = text.find(&entry).with_context(|| format!("{module} is not in the configuration:\n{text}"))?;
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    node.set_config(format!("{}{}", &text[..start], &text[at + entry.len()..]).as_bytes())
}

/// Somebody takes the document out that holds this text.
pub(crate) fn cut_document(node: &Machine, holds: &str) -> Result<()> {
    let text = node.config_text()?;
    let at = text.find(holds).with_context(|| format!("no document holds {holds:?}:\n{text}"))?;
    let start = text[..at].rfind("---\n").context("the document has no start")?;
    let end = text[at..].find("\n---\n").map_or(text.len(), |next| at + next + 1);
    node.set_config(format!("{}{}", &text[..start], &text[end..]).as_bytes())
}
