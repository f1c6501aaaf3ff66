//! `nvidia_runtime_class` on a real cluster: made, seen to drift, mended, left alone where it is others', and taken away.

mod answers;
mod endings;
pub(crate) mod imports;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use harness::{Case, Cluster, Fault, Workspace};
use serde_json::{Value, json};

const ADDRESS: &str = "nvidia_runtime_class.this";

/// One that says everything.
const EVERYTHING: &str = r#"labels       = { "example.com/team" = "ml" }
annotations  = { "example.com/note" = "by terraform" }
pod_overhead = { cpu = "0.25", memory = "1024Mi" }
scheduling = {
  node_selector = { "nvidia.com/gpu.present" = "true" }
  tolerations   = [{ key = "nvidia.com/gpu", operator = "Exists", effect = "NoSchedule" }]
}"#;

fn class(name: &str, arguments: &str) -> String {
    let arguments: String = arguments.lines().map(|line| format!("  {line}\n")).collect();
    format!("resource \"nvidia_runtime_class\" \"this\" {{\n  name = \"{name}\"\n{arguments}}}\n")
}

fn path(name: &str) -> String {
    format!("/apis/node.k8s.io/v1/runtimeclasses/{name}")
}

fn live(cluster: &Cluster, name: &str) -> Result<Value> {
    cluster.api().get(&path(name))
}

fn rewrite(workspace: &Workspace, kubeconfig: &Path, rest: &str) -> Result<()> {
    workspace.write("main.tf", &harness::main_tf_over(None, Some(kubeconfig), rest))
}

fn expect_settled(workspace: &Workspace) -> Result<()> {
    workspace.plan()?.expect_empty().context("with refresh")?;
    workspace.plan_with(&["-refresh=false"])?.expect_empty().context("without refresh")
}

/// The plan updates exactly this attribute; one apply mends it.
fn expect_drift_and_mend(workspace: &Workspace, attribute: &str) -> Result<()> {
    let plan = workspace.plan()?;
    ensure!(plan.actions(ADDRESS) == ["update"], "planned is {:?}", plan.actions(ADDRESS));
    assert_eq!(plan.change(ADDRESS)?.changed_attributes(), [attribute]);
    workspace.apply()?;
    expect_settled(workspace)
}

fn it_is_made_as_configured_planned_empty_and_taken_away(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("whole");
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, EVERYTHING))?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    workspace.apply_plan()?;
    let made = live(cluster, &name)?;
    assert_eq!(made["handler"], "nvidia");
    assert_eq!(made["metadata"]["labels"], json!({"example.com/team": "ml"}));
    assert_eq!(made["overhead"]["podFixed"], json!({"cpu": "250m", "memory": "1Gi"}));
    assert_eq!(made["scheduling"]["nodeSelector"], json!({"nvidia.com/gpu.present": "true"}));
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "terraform-provider-nvidia");
    assert_eq!(made["metadata"]["managedFields"][0]["operation"], "Apply");
    let state = workspace.state()?;
    let values = state.values(ADDRESS)?;
    assert_eq!((&values["id"], &values["uid"]), (&json!(name), &made["metadata"]["uid"]));
    assert_eq!(values["pod_overhead"], json!({"cpu": "0.25", "memory": "1024Mi"}), "as it is written");
    expect_settled(&workspace)?;
    workspace.destroy()?;
    assert_eq!(cluster.api().find(&path(&name))?, None);
    Ok(())
}
harness::on_one_minor!(it_is_made_as_configured_planned_empty_and_taken_away);

pub(crate) fn the_defaults_are_the_guides_object(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let _held = cluster.claim("runtimeclass/nvidia");
    let workspace = case.workspace_over(&cluster.kubeconfig(), "resource \"nvidia_runtime_class\" \"this\" {}\n")?;
    workspace.apply()?;
    assert_eq!(live(cluster, "nvidia")?["handler"], "nvidia");
    expect_settled(&workspace)?;
    workspace.destroy()?;
    assert_eq!(cluster.api().find(&path("nvidia"))?, None);
    Ok(())
}
harness::on_one_minor!(the_defaults_are_the_guides_object);

fn an_edit_by_hand_shows_on_the_attribute_and_is_mended(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("drift");
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, EVERYTHING))?;
    workspace.apply()?;
    let edit = |patch: Value| {
        let patch = patch.to_string();
        let arguments = ["patch", "runtimeclass", &name, "--type=merge", "--field-manager=kubectl-edit", "-p", &patch];
        cluster.kubectl(&arguments)?.succeeded()
    };
    for (attribute, patch) in [
        ("labels", json!({"metadata": {"labels": {"example.com/team": "web"}}})),
        ("labels", json!({"metadata": {"labels": {"example.com/team": null}}})),
        ("annotations", json!({"metadata": {"annotations": {"example.com/note": "by hand"}}})),
        ("pod_overhead", json!({"overhead": {"podFixed": {"memory": "2Gi"}}})),
        ("pod_overhead", json!({"overhead": null})),
        ("scheduling", json!({"scheduling": {"nodeSelector": {"more": "x"}}})),
        ("scheduling", json!({"scheduling": {"tolerations": []}})),
        ("scheduling", json!({"scheduling": null})),
    ] {
        edit(patch.clone())?;
        expect_drift_and_mend(&workspace, attribute).with_context(|| patch.to_string())?;
    }
    let mended = live(cluster, &name)?;
    assert_eq!(mended["overhead"]["podFixed"], json!({"cpu": "250m", "memory": "1Gi"}));
    assert_eq!(mended["scheduling"]["tolerations"][0]["key"], "nvidia.com/gpu");
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(an_edit_by_hand_shows_on_the_attribute_and_is_mended);

fn a_label_that_went_and_came_back_in_other_hands_is_still_ours(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("back");
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, "labels = { a = \"1\" }"))?;
    workspace.apply()?;
    cluster.kubectl(&["label", "runtimeclass", &name, "a-"])?.succeeded()?;
    workspace.refresh()?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["labels"], json!({}));
    cluster.kubectl(&["label", "runtimeclass", &name, "a=theirs"])?.succeeded()?;
    expect_drift_and_mend(&workspace, "labels")?;
    assert_eq!(live(cluster, &name)?["metadata"]["labels"], json!({"a": "1"}));
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(a_label_that_went_and_came_back_in_other_hands_is_still_ours);

fn what_others_add_is_left_alone(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("foreign");
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, "labels = { a = \"1\" }"))?;
    workspace.apply()?;
    cluster.kubectl(&["label", "runtimeclass", &name, "foreign=x"])?.succeeded()?;
    cluster.kubectl(&["annotate", "runtimeclass", &name, "foreign=y"])?.succeeded()?;
    expect_settled(&workspace)?;
    rewrite(&workspace, &cluster.kubeconfig(), &class(&name, "labels = { a = \"2\" }"))?;
    workspace.apply()?;
    let labels = &live(cluster, &name)?["metadata"]["labels"];
    assert_eq!(labels, &json!({"a": "2", "foreign": "x"}));
    expect_settled(&workspace)?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(what_others_add_is_left_alone);

fn what_is_taken_out_of_the_configuration_goes_even_where_somebody_else_wrote_it(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("less");
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, EVERYTHING))?;
    workspace.apply()?;
    cluster
        .kubectl(&["label", "--overwrite", "runtimeclass", &name, "example.com/team=web", "foreign=x"])?
        .succeeded()?;
    rewrite(&workspace, &cluster.kubeconfig(), &class(&name, ""))?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    workspace.apply_plan()?;
    let left = live(cluster, &name)?;
    assert_eq!(left["metadata"]["labels"], json!({"foreign": "x"}));
    assert_eq!(left["metadata"].get("annotations"), None);
    assert_eq!((left.get("overhead"), left.get("scheduling")), (None, None));
    expect_settled(&workspace)?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(what_is_taken_out_of_the_configuration_goes_even_where_somebody_else_wrote_it);

fn one_that_is_deleted_by_hand_is_planned_again(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("gone");
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, ""))?;
    workspace.apply()?;
    cluster.kubectl(&["delete", "runtimeclass", &name])?.succeeded()?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    cluster.kubectl(&["delete", "runtimeclass", &name])?.succeeded()?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(one_that_is_deleted_by_hand_is_planned_again);

fn one_that_somebody_made_anew_is_neither_changed_nor_deleted(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("anew");
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, ""))?;
    workspace.apply()?;
    let before = workspace.state_file()?;
    cluster.kubectl(&["delete", "runtimeclass", &name])?.succeeded()?;
    create(cluster, &name, json!({}))?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    plan.run.diagnostic("made the object anew")?;
    workspace.apply_that_fails()?.diagnostic("exists already")?;
    // A state that still has the object that is gone: the destroy goes for that one.
    workspace.set_state_file(&before)?;
    let run = workspace.run(&["destroy", "-json", "-auto-approve", "-refresh=false"])?.succeeded()?;
    run.diagnostic("left alone")?;
    assert_eq!(workspace.state()?.addresses(), Vec::<String>::new());
    live(cluster, &name)?;
    Ok(())
}
harness::on_one_minor!(one_that_somebody_made_anew_is_neither_changed_nor_deleted);

fn create(cluster: &Cluster, name: &str, metadata: Value) -> Result<()> {
    let mut object =
        json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "nvidia", "metadata": metadata});
    object["metadata"]["name"] = json!(name);
    cluster.apply(&object.to_string()).map(drop)
}

fn a_field_of_another_manager_is_not_taken_and_both_are_named(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("owned");
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, "labels = { a = \"1\" }"))?;
    workspace.apply()?;
    let theirs = ["label", "runtimeclass", &name, "theirs=x", "--field-manager=team-web"];
    cluster.kubectl(&theirs)?.succeeded()?;
    let more = "labels = {\n  a      = \"2\"\n  theirs = \"ours\"\n}";
    rewrite(&workspace, &cluster.kubeconfig(), &class(&name, more))?;
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(error.says("team-web") && error.says(".metadata.labels.theirs"), "{error}");
    assert_eq!(live(cluster, &name)?["metadata"]["labels"], json!({"a": "1", "theirs": "x"}), "nothing was changed");
    rewrite(&workspace, &cluster.kubeconfig(), &class(&name, "labels = { a = \"2\" }"))?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(a_field_of_another_manager_is_not_taken_and_both_are_named);

fn another_handler_replaces_it(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("handler");
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, ""))?;
    workspace.apply()?;
    let before = live(cluster, &name)?;
    rewrite(&workspace, &cluster.kubeconfig(), &class(&name, "handler = \"nvidia-cdi\""))?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["delete", "create"]);
    let said: Vec<_> = plan.run.warnings().into_iter().filter(|warning| warning.says("exists already")).collect();
    assert!(said.is_empty(), "its own object is no obstacle: {said:?}");
    workspace.apply_plan()?;
    let after = live(cluster, &name)?;
    assert_eq!(after["handler"], "nvidia-cdi");
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    expect_settled(&workspace)?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(another_handler_replaces_it);

/// Argument, the line that the error points at, and what it says.
const BAD: [(&str, &str, &str); 9] = [
    ("name = \"Nvidia\"", "name = \"Nvidia\"", "lower case"),
    ("handler = \"a.b\"", "handler = \"a.b\"", "a.b"),
    ("labels = { \"a b\" = \"1\" }", "labels", "a b"),
    ("labels = { a = \"-\" }", "labels", "-"),
    ("annotations = { \"a b\" = \"1\" }", "annotations", "a b"),
    ("pod_overhead = { memory = \"120 MB\" }", "pod_overhead", "120 MB"),
    ("pod_overhead = { gpu = \"1\" }", "pod_overhead", "gpu"),
    ("scheduling = { tolerations = [{ key = \"a\", operator = \"In\" }] }", "scheduling", "In"),
    ("scheduling = { node_selector = { a = \"b c\" } }", "scheduling", "b c"),
];

fn every_bad_argument_is_named_on_its_own_line(case: &Case) -> Result<()> {
    for (argument, code, says) in BAD {
        let resource = format!("resource \"nvidia_runtime_class\" \"this\" {{\n  {argument}\n}}\n");
        let workspace = case.workspace_over(Path::new("/nowhere"), &resource)?;
        let error = workspace.validate()?.failed()?.only_error().with_context(|| argument.to_owned())?;
        ensure!(error.says(says), "{argument}: {says:?} is not in\n{error}");
        let line = error.code.clone().unwrap_or_default();
        ensure!(line.starts_with(code), "{argument}: it points at {line:?}\n{error}");
    }
    Ok(())
}
harness::on_one_minor!(every_bad_argument_is_named_on_its_own_line);

fn one_that_somebody_makes_between_look_and_apply_is_not_taken_over(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("race");
    let front = cluster.front()?;
    let workspace = case.workspace_over(front.kubeconfig(), &class(&name, "labels = { a = \"1\" }"))?;
    let theirs = name.clone();
    let meanwhile = move || {
        // The case looks at what came of it.
        drop(Cluster::shared().and_then(|cluster| create(cluster, &theirs, json!({"labels": {"b": "2"}}))));
    };
    front.next(1, "PATCH", &format!("runtimeclasses/{name}"), Fault::Meanwhile(Box::new(meanwhile)));
    workspace.apply_that_fails()?.diagnostic("exists already")?;
    assert_eq!(live(cluster, &name)?["metadata"]["labels"], json!({"b": "2"}));
    assert_eq!(workspace.state()?.addresses(), Vec::<String>::new());
    Ok(())
}
harness::on_one_minor!(one_that_somebody_makes_between_look_and_apply_is_not_taken_over);

fn of_several_resources_with_one_name_one_has_the_object_and_the_others_are_told(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("twice");
    let all = class(&name, "count  = 6\nlabels = { n = tostring(count.index) }");
    let workspace = case.workspace_over(&cluster.kubeconfig(), &all)?;
    let failed = workspace.apply_that_fails()?;
    failed.diagnostic("exists already")?;
    failed.diagnostic("two resources have this name")?;
    let state = workspace.state()?;
    ensure!(state.addresses().len() == 1, "the object is that of {:?}", state.addresses());
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(of_several_resources_with_one_name_one_has_the_object_and_the_others_are_told);

fn a_right_that_is_missing_is_named_and_four_are_enough(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("rights");
    let user = cluster.unique("jane");
    let kubeconfig = cluster.user(&user, &[])?;
    let workspace = case.workspace_over(&kubeconfig, &class(&name, ""))?;
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(error.says("get") && error.says("runtimeclasses.node.k8s.io") && error.says(&user), "{error}");
    let role = |verbs: &str| -> Result<()> {
        cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": user},
             "rules": [{"apiGroups": ["node.k8s.io"], "resources": ["runtimeclasses"], "verbs": verbs.split(',').collect::<Vec<_>>()}]},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": user},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
             "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}]},
        ]}).to_string())?;
        let may = ["auth", "can-i", verbs.rsplit(',').next().unwrap_or(verbs), "runtimeclasses"];
        cluster.until("the role is in force", || Ok(cluster.kubectl_as(&kubeconfig, &may)?.succeeded().ok().map(drop)))
    };
    role("get")?;
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(error.says("patch") && error.says("runtimeclasses.node.k8s.io"), "{error}");
    // These four are all that it takes.
    role("get,create,patch,delete")?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    assert_eq!(cluster.api().find(&path(&name))?, None);
    Ok(())
}
harness::on_one_minor!(a_right_that_is_missing_is_named_and_four_are_enough);

fn a_cluster_that_appears_in_the_same_apply(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("appears");
    let main = harness::main_tf_over(None, Some(&cluster.kubeconfig()), &class(&name, ""));
    let kubeconfig = cluster.kubeconfig();
    let made = format!("resource \"terraform_data\" \"cluster\" {{\n  input = \"{}\"\n}}\n", kubeconfig.display());
    let main = main.replace(&format!("\"{}\"", kubeconfig.display()), "terraform_data.cluster.output");
    let workspace = case.workspace(&format!("{main}\n{made}"))?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    workspace.apply_plan()?;
    expect_settled(&workspace)?;

    // The cluster is made anew: its address is unknown, and the state is kept.
    workspace.run(&["taint", "terraform_data.cluster"])?.succeeded()?;
    let plan = workspace.plan()?;
    plan.run.diagnostic("kubernetes.config_path")?;
    ensure!(plan.actions(ADDRESS).iter().all(|action| action == "no-op"), "{:?}", plan.actions(ADDRESS));
    workspace.apply()?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(a_cluster_that_appears_in_the_same_apply);

fn nothing_configured_is_said_and_never_a_local_port_is_dialled(case: &Case) -> Result<()> {
    let name = "unreached";
    for (block, says) in [("", "no kubernetes block"), ("  kubernetes = {}\n", "KUBE_CONFIG_PATH")] {
        let main = harness::main_tf_over(None, None, &class(name, ""));
        let main = main.replace("provider \"nvidia\" {\n", &format!("provider \"nvidia\" {{\n{block}"));
        let error = case.workspace(&main)?.plan_that_fails()?.only_error()?;
        ensure!(error.says(says) && !error.says("localhost"), "{error}");
    }
    Ok(())
}
harness::on_one_minor!(nothing_configured_is_said_and_never_a_local_port_is_dialled);

fn nodes_of_talos_1_13_bring_a_warning(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("cdi");
    let node = cluster.unique("gpu-cdi");
    cluster.node(&node).os_image("Talos (v1.13.9)").registered_gpus(1).create()?;
    let workspace = case.workspace_over(&cluster.kubeconfig(), &class(&name, ""))?;
    let said = workspace.plan()?.run.diagnostic("CDI")?;
    ensure!(!said.is_error() && said.says("Talos 1.13"), "{said}");
    workspace.apply()?;
    // A plan that changes nothing says it too: this is what who has upgraded sees.
    workspace.plan()?.run.diagnostic("CDI")?;
    workspace.destroy()?;
    cluster.api().delete(&format!("/api/v1/nodes/{node}"))
}
harness::on_one_minor!(nodes_of_talos_1_13_bring_a_warning);
