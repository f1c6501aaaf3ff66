//! The end of an object: by somebody else, by a replacement, and one that does not come.

use anyhow::{Result, ensure};
use harness::Case;
use serde_json::json;

use super::{ADDRESS, class, expect_settled, live, path, rewrite};

fn another_name_replaces_it(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let (name, other) = (cluster.unique("name"), cluster.unique("name"));
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, ""))?;
    workspace.apply()?;
    rewrite(&workspace, &cluster.kubeconfig(), &class(&other, ""))?;
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["delete", "create"]);
    workspace.apply_plan()?;
    assert_eq!(cluster.api().find(&path(&name))?, None);
    live(cluster, &other)?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(another_name_replaces_it);

fn one_that_is_to_be_made_before_it_is_taken_away_is_told_that_a_name_is_there_once(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("before");
    let first = "lifecycle {\n  create_before_destroy = true\n}";
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, first))?;
    workspace.apply()?;
    let before = live(cluster, &name)?;
    rewrite(&workspace, &cluster.kubeconfig(), &class(&name, &format!("handler = \"nvidia-cdi\"\n{first}")))?;
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(error.says("create_before_destroy"), "{error}");
    assert_eq!(live(cluster, &name)?, before);
    rewrite(&workspace, &cluster.kubeconfig(), &class(&name, "handler = \"nvidia-cdi\""))?;
    workspace.apply()?;
    assert_eq!(live(cluster, &name)?["handler"], "nvidia-cdi");
    expect_settled(&workspace)?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(one_that_is_to_be_made_before_it_is_taken_away_is_told_that_a_name_is_there_once);

fn one_that_is_being_deleted_is_told_and_one_that_does_not_go_names_what_keeps_it(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("kept");
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, "timeouts = { delete = \"1s\" }"))?;
    workspace.apply()?;
    let finalizers =
        |names: &[&str]| cluster.api().patch(&path(&name), &json!({"metadata": {"finalizers": names}})).map(drop);
    finalizers(&["test.example/held"])?;
    let error = workspace.destroy_that_fails()?.only_error()?;
    ensure!(error.summary == "The object does not go" && error.says("test.example/held"), "{error}");
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);
    let plan = workspace.plan()?;
    plan.run.diagnostic("The object is being deleted")?;
    plan.expect_empty()?;
    finalizers(&[])?;
    assert_eq!(cluster.api().find(&path(&name))?, None);
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["create"]);
    Ok(())
}
harness::on_one_minor!(one_that_is_being_deleted_is_told_and_one_that_does_not_go_names_what_keeps_it);
