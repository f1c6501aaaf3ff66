//! Namespaces, objects and releases of others, import, and what else runs a device plugin.

use anyhow::{Result, ensure};
use harness::{Case, Diagnostic};
use serde_json::json;

use super::{ADDRESS, Ground, expect_only_timeouts, expect_settled};

fn namespaces_are_made_kept_and_taken_away_as_they_belong(case: &Case) -> Result<()> {
    let ground = Ground::bare(case, "space")?;
    ground.make_node()?;
    let workspace = ground.workspace(case, "0.13.0", "namespace = \"default\"")?;
    let error = workspace.plan_that_fails()?.only_error()?;
    ensure!(error.says("allow_default_namespace"), "{error}");

    ground.rewrite(&workspace, "0.13.0", "create_namespace = false")?;
    ensure!(!workspace.plan()?.run.diagnostic("The namespace does not exist")?.is_error());
    workspace.apply_that_fails()?.diagnostic("The namespace does not exist")?;
    assert_eq!(workspace.state()?.addresses(), Vec::<String>::new());

    ground.rewrite(&workspace, "0.13.0", "")?;
    workspace.apply()?;
    let made = ground.cluster.api().get(&format!("/api/v1/namespaces/{}", ground.name))?;
    assert_eq!(made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "privileged");
    ground.kubectl(&["create", "configmap", "theirs"])?;
    let run = workspace.destroy()?;
    let said = run.diagnostic("The namespace is left")?;
    ensure!(said.says("ConfigMap theirs") && !said.is_error(), "{said}");
    ground.kubectl(&["get", "configmap", "theirs"])?;
    assert_eq!(ground.revisions()?, Vec::<String>::new());
    ground.leave()
}
harness::with!(tofu namespaces_are_made_kept_and_taken_away_as_they_belong);

fn a_release_that_exists_is_not_taken_over_but_imported(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "exists")?;
    let first = ground.workspace(case, "0.20.0", "tolerations = [{ key = \"a\", operator = \"Exists\" }]")?;
    first.apply()?;
    let before = ground.live()?;
    let second = ground.workspace(case, "0.20.0", "tolerations = [{ key = \"a\", operator = \"Exists\" }]")?;
    let command = format!("terraform import nvidia_device_plugin_release.NAME {0}/{0}", ground.name);
    let warned = second.plan()?.run.diagnostic("exists already")?;
    ensure!(warned.says(&command) && !warned.is_error(), "{warned}");
    let error = second.apply_that_fails()?.only_error()?;
    ensure!(error.says(&command), "{error}");
    assert_eq!(second.state()?.addresses(), Vec::<String>::new());
    assert_eq!(ground.live()?, before, "a create that fails changes nothing");
    assert_eq!(ground.revisions()?, ["deployed"]);

    second.import(ADDRESS, &format!("{0}/{0}", ground.name))?.succeeded()?;
    expect_only_timeouts(&second)?;
    second.destroy()?;
    // What the other state has is gone, and it plans it anew.
    assert_eq!(first.plan()?.actions(ADDRESS).last().map(String::as_str), Some("create"));
    first.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::on_one_minor!(a_release_that_exists_is_not_taken_over_but_imported);

fn the_second_of_two_import_blocks_for_one_release_is_refused(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "blocks")?;
    let first = ground.workspace(case, "0.20.0", "")?;
    first.apply()?;
    let before = ground.live()?;
    let one = ground.resource("0.20.0", "");
    let other = one.replace("\"this\"", "\"other\"");
    let block = |to: &str| format!("import {{\n  to = {to}\n  id = \"{0}/{0}\"\n}}\n", ground.name);
    let both = format!("{one}{other}{}{}", block(ADDRESS), block("nvidia_device_plugin_release.other"));
    let workspace = case.workspace_over(&ground.cluster.kubeconfig(), &both)?;
    let error = workspace.plan_that_fails()?.only_error()?;
    ensure!(error.says("Two addresses import one object") && error.says(&ground.name), "{error}");
    assert_eq!(ground.live()?, before);

    // A second address for what the first one has is told, also by a plan that changes nothing.
    first.write("other.tf", &other)?;
    first.import("nvidia_device_plugin_release.other", &format!("{0}/{0}", ground.name))?.succeeded()?;
    let said = first.plan()?.run.diagnostic("Two addresses manage one object")?;
    ensure!(said.says(&ground.name) && !said.is_error(), "{said}");
    first.run(&["state", "rm", "nvidia_device_plugin_release.other"])?.succeeded()?;
    first.write("other.tf", "")?;
    expect_settled(&first)?;
    first.destroy()?;
    ground.expect_nothing_left()?;
    ground.take_node_away()
}
harness::on_one_minor!(the_second_of_two_import_blocks_for_one_release_is_refused);

fn an_object_of_others_is_refused_and_left_as_it_is(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "foreign")?;
    let theirs = json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": ground.set(), "namespace": ground.name},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
            "nodeSelector": {"test/nowhere": "x"},
            "containers": [{"name": "nvidia-device-plugin-ctr", "image": "nvcr.io/nvidia/k8s-device-plugin:v0.13.0"}]}}}});
    ground.cluster.apply(&theirs.to_string())?;
    let before = ground.live()?;
    let workspace = ground.workspace(case, "0.17.4", "")?;
    let said = workspace.plan()?.run.diagnostic("The object exists already")?;
    ensure!(!said.is_error() && said.says(&ground.set()), "{said}");
    let error = workspace.apply_that_fails()?.diagnostic("The object exists already")?;
    ensure!(error.says("terraform import") && error.says("Delete it"), "{error}");
    assert_eq!(ground.live()?["spec"], before["spec"]);
    assert_eq!(ground.revisions()?, Vec::<String>::new());
    assert_eq!(workspace.state()?.addresses(), Vec::<String>::new());
    ground.kubectl(&["delete", "daemonset", &ground.set()])?;
    ground.leave()
}
harness::with!(tofu an_object_of_others_is_refused_and_left_as_it_is);

fn another_plugin_and_nodes_of_talos_1_13_are_warned_of(case: &Case) -> Result<()> {
    let ground = Ground::without_node(case, "warned")?;
    ground
        .cluster
        .node(&ground.node)
        .label("test/release", &ground.name)
        .os_image("Talos (v1.13.9)")
        .registered_gpus(1)
        .create()?;
    let operator = ground.cluster.unique("operator");
    ground.cluster.namespace(&operator).create()?;
    let theirs = json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "nvidia-device-plugin-daemonset", "namespace": operator,
            "ownerReferences": [{"apiVersion": "nvidia.com/v1", "kind": "ClusterPolicy", "name": "p", "uid": "0"}]},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
            "nodeSelector": {"test/nowhere": "x"},
            "containers": [{"name": "nvidia-device-plugin", "image": "nvcr.io/nvidia/k8s-device-plugin:v0.17.4"}]}}}});
    ground.cluster.apply(&theirs.to_string())?;
    let workspace = ground.workspace(case, "0.17.4", "")?;
    let run = workspace.plan()?.run;
    let said = run.diagnostic("Talos 1.13")?;
    ensure!(said.says("GPU operator") && !said.is_error(), "{said}");
    ensure!(run.warnings().iter().any(|warning| warning.says(&operator) && warning.says("GPU operator made it")));
    workspace.apply()?;
    workspace.plan()?.run.diagnostic("Talos 1.13")?;
    workspace.destroy()?;
    ground.cluster.api().delete(&format!("/api/v1/namespaces/{operator}"))?;
    ground.leave()
}
harness::with!(terraform another_plugin_and_nodes_of_talos_1_13_are_warned_of);

fn a_second_release_is_kept_apart_from_the_first(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "first")?;
    let first = ground.workspace(case, "0.20.0", "")?;
    first.apply()?;
    let before = ground.live()?;

    // The same name in another namespace: its roles, which have no namespace, are the first's.
    let other = ground.cluster.unique("second");
    let elsewhere = format!("namespace = \"{other}\"");
    let second = ground.workspace(case, "0.20.0", &elsewhere)?;
    let error = second.apply_that_fails()?.only_error()?;
    ensure!(error.says("The object exists already") && error.says("ClusterRole"), "{error}");
    assert_eq!(second.state()?.addresses(), Vec::<String>::new());
    assert_eq!(ground.cluster.api().find(&format!("/api/v1/namespaces/{other}"))?, None);

    let named = format!("name = \"{other}\"\n{elsewhere}");
    ground.rewrite(&second, "0.20.0", &named)?;
    let warnings = second.plan()?.run.warnings();
    let said = |warning: &Diagnostic| warning.says("Another device plugin is there") && warning.says(&ground.set());
    ensure!(warnings.iter().any(said), "{warnings:?}");
    second.apply_plan()?;
    expect_settled(&second)?;
    expect_settled(&first)?;
    second.destroy()?;
    assert_eq!(ground.cluster.api().find(&format!("/api/v1/namespaces/{other}"))?, None);
    assert_eq!(ground.live()?["spec"], before["spec"]);
    expect_settled(&first)?;
    first.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::with!(tofu a_second_release_is_kept_apart_from_the_first);

fn a_namespace_that_somebody_deleted_is_made_anew_with_all_that_was_in_it(case: &Case) -> Result<()> {
    let ground = Ground::bare(case, "deleted")?;
    ground.make_node()?;
    let workspace = ground.workspace(case, "0.17.4", "")?;
    workspace.apply()?;
    ground.cluster.kubectl(&["delete", "namespace", &ground.name])?.succeeded()?;
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["create"]);

    // The newer chart's roles, which have no namespace, are still there then, and so the release is.
    ground.rewrite(&workspace, "0.20.0", "")?;
    workspace.apply()?;
    ground.cluster.kubectl(&["delete", "namespace", &ground.name])?.succeeded()?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    let paths = plan.changed_paths(ADDRESS);
    ensure!(paths.iter().any(|path| path.contains("DaemonSet/")), "{paths:?}");
    ensure!(!paths.iter().any(|path| path.contains("ClusterRole")), "{paths:?}");
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    assert_eq!(ground.revisions()?, ["deployed"]);
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::with!(terraform a_namespace_that_somebody_deleted_is_made_anew_with_all_that_was_in_it);

fn a_cluster_that_appears_in_the_same_apply(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "appears")?;
    let kubeconfig = ground.cluster.kubeconfig();
    let main = harness::main_tf_over(None, Some(&kubeconfig), &ground.resource("0.17.4", ""));
    let made = format!("resource \"terraform_data\" \"cluster\" {{\n  input = \"{}\"\n}}\n", kubeconfig.display());
    let main = main.replace(&format!("\"{}\"", kubeconfig.display()), "terraform_data.cluster.output");
    let workspace = case.workspace(&format!("{main}\n{made}"))?;
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["create"]);
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    workspace.run(&["taint", "terraform_data.cluster"])?.succeeded()?;
    let plan = workspace.plan()?;
    plan.run.diagnostic("kubernetes.config_path")?;
    ensure!(plan.actions(ADDRESS).iter().all(|action| action == "no-op"), "{:?}", plan.actions(ADDRESS));
    workspace.apply()?;
    workspace.destroy()?;
    ground.leave()
}
harness::on_one_minor!(a_cluster_that_appears_in_the_same_apply);
