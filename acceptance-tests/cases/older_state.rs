//! A state that an earlier release of the provider has written is understood, and one of a later release is not guessed at.

use anyhow::{Result, ensure};
use harness::{Case, Node, Workspace};
use serde_json::Value;

use crate::patch::{ADDRESS, expect_bytes, expect_settled, patch};

/// What terraform 1.11 stored after an apply of the first release, on Talos 1.13. It never changes.
const STATE_V0: &str = include_str!("fixtures/state_v0.tfstate");
const MAIN: &str = "sysctls = { \"vm.max_map_count\" = \"262144\" }";

fn state_v0(case: &Case) -> Result<Value> {
    Ok(serde_json::from_str(&STATE_V0.replace("registry.terraform.io", case.cli.registry()))?)
}

/// A node that carries the patch of the stored state, and a workspace with that state.
fn stored(case: &Case, main: &str, state: &Value) -> Result<(Node, Vec<u8>, Workspace)> {
    let node = case.node()?;
    let untouched = node.config()?;
    case.workspace_for(&node, &patch(MAIN))?.apply()?;
    let workspace = case.workspace_for(&node, &patch(main))?;
    workspace.set_state_file(state)?;
    Ok((node, untouched, workspace))
}

fn a_state_of_the_first_release_plans_nothing_and_is_destroyed_to_the_bytes_before_it(case: &Case) -> Result<()> {
    let (node, untouched, workspace) = stored(case, MAIN, &state_v0(case)?)?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_one_minor!(a_state_of_the_first_release_plans_nothing_and_is_destroyed_to_the_bytes_before_it);

fn a_state_of_the_first_release_is_changed_and_goes_on(case: &Case) -> Result<()> {
    let more = "sysctls = { \"vm.max_map_count\" = \"262144\", \"net.core.bpf_jit_harden\" = \"1\" }";
    let (node, untouched, workspace) = stored(case, more, &state_v0(case)?)?;
    let plan = workspace.plan()?;
    ensure!(plan.actions(ADDRESS) == ["update"], "{:?}", plan.changes());
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_one_minor!(a_state_of_the_first_release_is_changed_and_goes_on);

fn what_a_later_release_remembers_is_refused_and_nothing_is_sent(case: &Case) -> Result<()> {
    let mut state = state_v0(case)?;
    // {"version":2}
    state["resources"][0]["instances"][0]["private"] = "eyJ2ZXJzaW9uIjoyfQ==".into();
    let (node, _, workspace) = stored(case, MAIN, &state)?;
    let patched = node.config()?;
    let unrefreshed = ["destroy", "-json", "-auto-approve", "-refresh=false"];
    for run in [workspace.plan_that_fails()?, workspace.destroy_that_fails()?, workspace.run(&unrefreshed)?.failed()?] {
        let error = run.only_error()?;
        assert!(error.says("10.0.0.5") && error.says("newer release"), "{error}");
    }
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);
    expect_bytes(&node, &patched)
}
harness::on_one_minor!(what_a_later_release_remembers_is_refused_and_nothing_is_sent);
