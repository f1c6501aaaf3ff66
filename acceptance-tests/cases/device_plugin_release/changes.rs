//! Upgrades, values, drift: what a plan shows by object, and what an apply makes of it.

use anyhow::{Context, Result, ensure};
use harness::{Case, Front, Plan, Workspace};
use serde_json::{Value, json};

use super::{ADDRESS, Ground, expect_settled};

/// The fields of the objects that a plan changes: `DaemonSet/a/b.spec.selector`. The JSON of each object is read.
fn changed_fields(plan: &Plan) -> Result<Vec<String>> {
    let mut change = plan.change(ADDRESS)?;
    for side in [&mut change.before, &mut change.after] {
        for (name, object) in side["manifest"].as_object_mut().into_iter().flatten() {
            *object = serde_json::from_str(object.as_str().unwrap_or_default()).with_context(|| name.clone())?;
        }
    }
    let paths = change.changed_paths().into_iter();
    Ok(paths.filter_map(|path| path.strip_prefix("manifest.").map(ToOwned::to_owned)).collect())
}

/// The lines of a plan's text that change something, as they begin: `~ "DaemonSet/a/b"`, `~ image`.
fn changed_lines(workspace: &Workspace) -> Result<Vec<String>> {
    let text = workspace.run(&["plan", "-no-color"])?.succeeded()?.stdout;
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with(['~', '+', '-']) && line.contains(" = "));
    Ok(lines.filter_map(|line| line.split(" = ").next()).map(|line| line.trim_end().to_owned()).collect())
}

fn expect_objects(plan: &Plan, ground: &Ground, objects: &[&str]) -> Result<()> {
    let paths = plan.changed_paths(ADDRESS).into_iter();
    let shown: Vec<String> = paths.filter_map(|path| path.strip_prefix("manifest.").map(ToOwned::to_owned)).collect();
    let expected: Vec<String> = objects.iter().map(|object| object.replace("SET", &ground.set())).collect();
    ensure!(shown == expected, "changed are {shown:?}, not {expected:?}");
    Ok(())
}

fn an_upgrade_shows_which_objects_change_and_how(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "shapes")?;
    let workspace = ground.workspace(case, "0.13.0", "")?;
    workspace.apply()?;
    let namespaced = |kind: &str, suffix: &str| format!("{kind}/{}/SET{suffix}", ground.name);
    let account = namespaced("ServiceAccount", "-service-account");
    let (plugin, mps) = (namespaced("DaemonSet", ""), namespaced("DaemonSet", "-mps-control-daemon"));
    let all = ["ClusterRole/SET-role", "ClusterRoleBinding/SET-role-binding", &plugin, &mps, &account];
    for (version, revision) in [("0.20.0", 2), ("0.17.4", 3)] {
        ground.rewrite(&workspace, version, "")?;
        let lines = changed_lines(&workspace)?;
        let plan = workspace.plan()?;
        assert_eq!(plan.actions(ADDRESS), ["update"]);
        expect_objects(&plan, &ground, &all)?;
        let after = plan.change(ADDRESS)?.after["manifest"].clone();
        let set = plugin.replace("SET", &ground.set());
        let shown: Value = serde_json::from_str(after[&set].as_str().context("the plan shows the object")?)?;
        let image = &shown["spec"]["template"]["spec"]["containers"][0]["image"];
        assert_eq!(image, &json!(format!("nvcr.io/nvidia/k8s-device-plugin:v{version}")));
        // What a reader of the text sees: each object by its name, the new and the gone ones whole, the others by field.
        let sign = if version == "0.20.0" { "+" } else { "-" };
        let named = |sign: &str, object: &str| format!("{sign} \"{}\"", object.replace("SET", &ground.set()));
        for line in [named(sign, all[0]), named(sign, &account), named("~", &plugin), "~ image".to_owned()] {
            ensure!(lines.contains(&line), "{line} is not in {lines:#?}");
        }
        workspace.apply_plan()?;
        expect_settled(&workspace).context(version)?;
        assert_eq!(workspace.state()?.values(ADDRESS)?["revision"], revision);
        let live = ground.live()?;
        assert_eq!(&live["spec"]["template"]["spec"]["containers"][0]["image"], image);
        // The objects that 0.20.0 alone has, and the account that its pods run under.
        let account = &live["spec"]["template"]["spec"]["serviceAccountName"];
        assert_eq!(account.is_null(), version != "0.20.0", "{account}");
        let role = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{}-role", ground.set());
        assert_eq!(ground.cluster.api().find(&role)?.is_some(), version == "0.20.0", "{version}");
    }
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::on_one_minor!(an_upgrade_shows_which_objects_change_and_how);

fn container(change: &Value) -> String {
    let mut container = json!({"name": "nvidia-device-plugin-ctr"});
    for (name, value) in change.as_object().into_iter().flatten() {
        container[name] = value.clone();
    }
    json!({"spec": {"template": {"spec": {"containers": [container]}}}}).to_string()
}

fn an_edit_by_hand_shows_on_its_field_and_is_mended(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "drift")?;
    let shares = "time_slicing = { resources = [{ name = \"nvidia.com/gpu\", replicas = 4 }] }";
    let workspace = ground.workspace(case, "0.20.0", shares)?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    let (name, set) = (ground.name.as_str(), ground.set());
    let edit = |kind: &str, object: &str, patch: &str| {
        ground.kubectl(&["patch", kind, object, "--field-manager=kubectl-edit", "-p", patch])
    };

    // What others add is theirs: a label, a variable, a container, an object with our own labels.
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": name,
        "labels": ground.live()?["metadata"]["labels"], "annotations": ground.live()?["metadata"]["annotations"]}});
    ground.cluster.apply(&theirs.to_string())?;
    ground.kubectl(&["label", "daemonset", &set, "theirs=x"])?;
    edit("daemonset", &set, &container(&json!({"env": [{"name": "THEIRS", "value": "x"}]})))?;
    let more =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "theirs", "image": "example.com/theirs"}]}}}});
    edit("daemonset", &set, &more.to_string())?;
    expect_settled(&workspace).context("what others add is no change")?;

    let edits = [
        json!({"image": "example.com/other:1"}),
        json!({"command": ["sleep", "1"]}),
        json!({"env": [{"name": "MPS_ROOT", "value": "/elsewhere"}]}),
    ];
    edits.iter().try_for_each(|change| edit("daemonset", &set, &container(change)).map(drop))?;
    edit("daemonset", &set, "{\"spec\":{\"template\":{\"spec\":{\"tolerations\":[{\"operator\":\"Exists\"}]}}}}")?;
    edit("configmap", &format!("{set}-configs"), "{\"data\":{\"default\":\"version: v2\"}}")?;
    ground.kubectl(&["label", "daemonset", &set, "--overwrite", "app.kubernetes.io/managed-by=others"])?;
    ground.kubectl(&["delete", "daemonset", &format!("{set}-mps-control-daemon")])?;

    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    let fields = changed_fields(&plan)?;
    let pod = format!("DaemonSet/{name}/{set}.spec.template.spec");
    let mut wanted = vec![
        format!("ConfigMap/{name}/{set}-configs.data.default"),
        format!("DaemonSet/{name}/{set}-mps-control-daemon"),
        format!("{pod}.containers[1].image"),
        format!("{pod}.containers[1].command"),
        format!("{pod}.containers[1].env"),
        format!("{pod}.tolerations"),
        format!("DaemonSet/{name}/{set}.metadata.labels"),
    ];
    ensure!(fields.iter().all(|field| wanted.iter().any(|one| field.starts_with(one))), "{fields:#?}");
    wanted.retain(|one| !fields.iter().any(|field| field.starts_with(one)));
    ensure!(wanted.is_empty(), "{wanted:#?} are not in {fields:#?}");
    let lines = changed_lines(&workspace)?;
    for line in ["~ image".to_owned(), format!("~ \"{pod}\"").replace(".spec.template.spec", "")] {
        ensure!(lines.contains(&line), "{line} is not in {lines:#?}");
    }

    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    let live = ground.live()?;
    let containers = live["spec"]["template"]["spec"]["containers"].to_string();
    ensure!(!containers.contains("example.com/other") && !containers.contains("/elsewhere"), "{containers}");
    assert_eq!(live["spec"]["template"]["spec"]["tolerations"].as_array().map(Vec::len), Some(2));
    assert_eq!(live["metadata"]["labels"]["theirs"], "x");
    assert_eq!(live["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm");
    ensure!(containers.contains("THEIRS") && containers.contains("example.com/theirs"), "{containers}");
    // What is not of the release is not taken away with it, whatever its labels say.
    workspace.destroy()?;
    ground.kubectl(&["get", "configmap", "theirs"])?;
    ground.leave()
}
harness::on_one_minor!(an_edit_by_hand_shows_on_its_field_and_is_mended);

/// The kinds of the release's objects that were written with this method, in the order of the calls, each once.
fn written(front: &Front, method: &str) -> Vec<&'static str> {
    const KINDS: [&str; 4] = ["serviceaccounts", "clusterroles", "clusterrolebindings", "daemonsets"];
    let requests = front.requests();
    let of = |request: &String| KINDS.into_iter().find(|kind| request.contains(&format!("/{kind}/")));
    let mut kinds: Vec<&str> = requests.iter().filter(|request| request.starts_with(method)).filter_map(of).collect();
    kinds.dedup();
    kinds
}

fn a_plan_without_a_change_reads_each_object_once_and_writes_nothing(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "quiet")?;
    let front = ground.cluster.front()?;
    let workspace = case.workspace_over(front.kubeconfig(), &ground.resource("0.20.0", ""))?;
    workspace.apply()?;
    // Helm's order of kinds, and backwards below.
    assert_eq!(written(&front, "PATCH"), ["serviceaccounts", "clusterroles", "clusterrolebindings", "daemonsets"]);
    front.forget();
    workspace.plan()?.expect_empty()?;
    let asked = front.requests();
    ensure!(asked.iter().all(|request| request.starts_with("GET ")), "{asked:#?}");
    let mut once = asked.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), asked.len(), "{asked:#?}");
    // Five objects, the records, the nodes.
    assert_eq!(asked.len(), 7, "{asked:#?}");
    // Nothing on the cluster is asked for a change of what only the apply looks at.
    let rest = ground.resource("0.20.0", "min_ready_nodes = 0");
    workspace.write("main.tf", &harness::main_tf_over(None, Some(front.kubeconfig()), &rest))?;
    front.forget();
    workspace.apply()?;
    ensure!(front.requests().iter().all(|request| request.starts_with("GET ")), "{:#?}", front.requests());
    assert_eq!(ground.revisions()?, ["deployed"]);
    front.forget();
    workspace.destroy()?;
    assert_eq!(written(&front, "DELETE"), ["daemonsets", "clusterrolebindings", "clusterroles", "serviceaccounts"]);
    ground.leave()
}
harness::on_one_minor!(a_plan_without_a_change_reads_each_object_once_and_writes_nothing);

fn another_selector_makes_the_daemon_set_anew_and_says_so(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "selector")?;
    let workspace = ground.workspace(case, "0.17.4", "")?;
    workspace.apply()?;
    let before = ground.live()?;
    let labels = "selector_labels_override = { \"app\" = \"plugin\" }";
    ground.rewrite(&workspace, "0.17.4", labels)?;
    workspace.plan()?.run.diagnostic("deleted and made anew")?;
    workspace.apply_plan()?;
    let after = ground.live()?;
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["spec"]["selector"]["matchLabels"], json!({"app": "plugin"}));
    expect_settled(&workspace)?;

    // Somebody makes it anew with another selector, as `kubectl replace --force` does.
    let mut theirs = ground.live()?;
    for labels in ["/spec/selector/matchLabels", "/spec/template/metadata/labels"] {
        theirs.pointer_mut(labels).context("no labels")?["theirs"] = json!("x");
    }
    theirs["metadata"]
        .as_object_mut()
        .context("no metadata")?
        .retain(|field, _| ["name", "namespace", "labels", "annotations"].contains(&field.as_str()));
    ground.kubectl(&["delete", "daemonset", &ground.set()])?;
    ground.cluster.apply(&theirs.to_string())?;
    workspace.plan()?.run.diagnostic("deleted and made anew")?;
    workspace.apply_plan()?;
    assert_eq!(ground.live()?["spec"]["selector"]["matchLabels"], json!({"app": "plugin"}));
    expect_settled(&workspace)?;
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::with!(tofu another_selector_makes_the_daemon_set_anew_and_says_so);

fn a_value_that_was_edited_by_hand_goes_when_the_configuration_drops_it(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "dropped")?;
    let workspace = ground.workspace(case, "0.20.0", "pod_annotations = { dropped = \"a\", kept = \"b\" }")?;
    workspace.apply()?;
    let edited = json!({"spec": {"template": {"metadata": {"annotations": {"dropped": "x", "theirs": "x"}}}}});
    let edit = ["patch", "daemonset", &ground.set(), "--field-manager=kubectl-edit", "-p", &edited.to_string()];
    ground.kubectl(&edit)?;
    ground.rewrite(&workspace, "0.20.0", "pod_annotations = { kept = \"b\" }")?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    let annotations = &ground.live()?["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(*annotations, json!({"kept": "b", "theirs": "x"}));
    workspace.destroy()?;
    ground.leave()
}
harness::with!(terraform a_value_that_was_edited_by_hand_goes_when_the_configuration_drops_it);

/// A pod takes the last of two variables of one name.
fn a_variable_that_somebody_has_put_there_twice_is_drift(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "twice")?;
    let workspace = ground.workspace(case, "0.20.0", "device_id_strategy = \"uuid\"")?;
    workspace.apply()?;
    let env = |ground: &Ground| {
        let live = ground.live()?;
        let env =
            live["spec"]["template"]["spec"]["containers"][0]["env"].as_array().cloned().context("no variables")?;
        Ok::<Vec<Value>, anyhow::Error>(env)
    };
    let ours = env(&ground)?;
    let mut doubled = ours.iter().find(|one| one["value"] == "uuid").cloned().context("no such variable")?;
    doubled["value"] = json!("index");
    let edit = json!([{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": doubled}]);
    ground.kubectl(&["patch", "daemonset", &ground.set(), "--type=json", "-p", &edit.to_string()])?;
    assert_eq!(env(&ground)?.len(), ours.len() + 1);
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    assert_eq!(env(&ground)?, ours);
    workspace.destroy()?;
    ground.leave()
}
harness::with!(tofu a_variable_that_somebody_has_put_there_twice_is_drift);
