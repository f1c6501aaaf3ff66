//! What stands there before: taken over by an import and by nothing else, to one address.

use anyhow::{Result, ensure};
use harness::{Case, Workspace};
use serde_json::json;

use super::{ADDRESS, class, create, expect_settled, live, path, rewrite};

fn one_that_exists_is_not_taken_over_and_the_message_says_how_to_import_it(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("exists");
    create(cluster, &name, json!({"labels": {"team": "ml"}}))?;
    let before = live(cluster, &name)?;
    let resource = class(&name, "labels = { team = \"ml\" }");
    let workspace = case.workspace_over(&cluster.kubeconfig(), &resource)?;
    let command = format!("terraform import nvidia_runtime_class.NAME {name}");
    ensure!(workspace.plan()?.run.diagnostic("exists already")?.says(&command), "the plan does not say how");
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(error.says(&command) && error.says(&format!("id = \"{name}\"")), "{error}");
    assert_eq!(live(cluster, &name)?, before, "a create that fails changes nothing");
    assert_eq!(workspace.state()?.addresses(), Vec::<String>::new());

    workspace.import(ADDRESS, &name)?.succeeded()?;
    expect_settled(&workspace)?;
    // The same by a block, in a state of its own.
    let block = format!("{resource}\nimport {{\n  to = {ADDRESS}\n  id = \"{name}\"\n}}\n");
    let other = case.workspace_over(&cluster.kubeconfig(), &block)?;
    other.apply()?;
    expect_settled(&other)?;
    other.destroy()?;
    assert_eq!(cluster.api().find(&path(&name))?, None);
    Ok(())
}
harness::on_one_minor!(one_that_exists_is_not_taken_over_and_the_message_says_how_to_import_it);

fn import_block(address: &str, name: &str) -> String {
    format!("import {{\n  to = {address}\n  id = \"{name}\"\n}}\n")
}

pub(crate) fn the_second_of_two_import_blocks_for_one_object_is_refused(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("blocks");
    create(cluster, &name, json!({}))?;
    let before = live(cluster, &name)?;
    let one = class(&name, "");
    let other = one.replace("\"this\"", "\"other\"");
    let both =
        format!("{one}{other}{}{}", import_block(ADDRESS, &name), import_block("nvidia_runtime_class.other", &name));
    let workspace = case.workspace_over(&cluster.kubeconfig(), &both)?;
    let error = workspace.plan_that_fails()?.only_error()?;
    ensure!(error.says("Two addresses import one object") && error.says(&name), "{error}");
    workspace.apply_that_fails()?;
    assert_eq!(workspace.state()?.addresses(), Vec::<String>::new());
    assert_eq!(live(cluster, &name)?, before);

    // An import to one address while another one has the object: told, and the way out is open.
    rewrite(&workspace, &cluster.kubeconfig(), &format!("{one}{}", import_block(ADDRESS, &name)))?;
    workspace.apply()?;
    let more = format!("{one}{other}{}", import_block("nvidia_runtime_class.other", &name));
    rewrite(&workspace, &cluster.kubeconfig(), &more)?;
    let warnings = workspace.apply()?.warnings();
    let said: Vec<_> = warnings.iter().filter(|said| said.says("Two addresses manage one object")).collect();
    ensure!(said.len() == 1 && said[0].says(&name), "{warnings:?}");
    workspace.plan()?.run.diagnostic("Two addresses manage one object")?;
    workspace.run(&["state", "rm", "nvidia_runtime_class.other"])?.succeeded()?;
    rewrite(&workspace, &cluster.kubeconfig(), &one)?;
    let plan = workspace.plan()?;
    plan.expect_empty()?;
    ensure!(plan.run.warnings().iter().all(|said| !said.says("Two addresses")), "{:?}", plan.run.warnings());
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(the_second_of_two_import_blocks_for_one_object_is_refused);

fn another_way_to_write_an_amount_is_no_change(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("written");
    let object = json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name},
        "handler": "nvidia", "overhead": {"podFixed": {"cpu": "250m", "memory": "1Gi"}}});
    cluster.apply(&object.to_string())?;
    let written = |cpu: &str, label: &str| {
        class(
            &name,
            &format!("labels = {{ a = \"{label}\" }}\npod_overhead = {{ cpu = \"{cpu}\", memory = \"1024Mi\" }}"),
        )
    };
    cluster.kubectl(&["label", "runtimeclass", &name, "a=1"])?.succeeded()?;
    let block = format!("{}{}", written("0.25", "1"), import_block(ADDRESS, &name));
    let workspace = case.workspace_over(&cluster.kubeconfig(), &block)?;
    assert_eq!(workspace.plan()?.changed_paths(ADDRESS), Vec::<String>::new(), "nothing but the import");
    workspace.apply()?;
    expect_settled(&workspace)?;
    let amounts =
        |workspace: &Workspace| Ok::<_, anyhow::Error>(workspace.state()?.values(ADDRESS)?["pod_overhead"].clone());
    assert_eq!(amounts(&workspace)?, json!({"cpu": "250m", "memory": "1Gi"}), "as it was found");

    // Another change leaves them as they are, and so does a third way to write the same.
    rewrite(&workspace, &cluster.kubeconfig(), &written("0.25", "2"))?;
    assert_eq!(workspace.plan()?.change(ADDRESS)?.changed_attributes(), ["labels"]);
    workspace.apply_plan()?;
    rewrite(&workspace, &cluster.kubeconfig(), &written("0.250", "2"))?;
    expect_settled(&workspace)?;
    assert_eq!(live(cluster, &name)?["overhead"]["podFixed"], json!({"cpu": "250m", "memory": "1Gi"}));

    // Another amount is one, in the words of the configuration.
    rewrite(&workspace, &cluster.kubeconfig(), &written("0.5", "2"))?;
    assert_eq!(workspace.plan()?.change(ADDRESS)?.changed_attributes(), ["pod_overhead"]);
    workspace.apply_plan()?;
    assert_eq!(amounts(&workspace)?, json!({"cpu": "0.5", "memory": "1024Mi"}));
    expect_settled(&workspace)?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(another_way_to_write_an_amount_is_no_change);
