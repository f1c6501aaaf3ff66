//! Upgrades, values, drift: what a plan shows by object, and what an apply makes of it.

use anyhow::{Context, Result, ensure};
use harness::Case;
use serde_json::{Value, json};

use super::{ADDRESS, Ground, expect_settled};

fn an_upgrade_goes_through_the_charts_shapes_and_back(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "shapes")?;
    let workspace = ground.workspace(case, "0.13.0", "")?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    let set = format!("DaemonSet/{0}/{0}-nvidia-device-plugin", ground.name);
    for (version, revision) in [("0.17.4", 2), ("0.20.0", 3), ("0.17.4", 4)] {
        ground.rewrite(&workspace, version, "")?;
        let plan = workspace.plan()?;
        assert_eq!(plan.actions(ADDRESS), ["update"]);
        let after = plan.change(ADDRESS)?.after["manifest"].clone();
        let shown: Value = serde_json::from_str(after[&set].as_str().context("the plan shows the object")?)?;
        let image = &shown["spec"]["template"]["spec"]["containers"][0]["image"];
        assert_eq!(image, &json!(format!("nvcr.io/nvidia/k8s-device-plugin:v{version}")));
        workspace.apply_plan()?;
        expect_settled(&workspace).context(version)?;
        assert_eq!(workspace.state()?.values(ADDRESS)?["revision"], revision);
        let live = ground.live()?;
        assert_eq!(&live["spec"]["template"]["spec"]["containers"][0]["image"], image);
        // A volume that 0.17.4 has renamed, and the objects that 0.20.0 alone has.
        let volumes = live["spec"]["template"]["spec"]["volumes"].to_string();
        ensure!(!volumes.contains("\"device-plugin\""), "{volumes}");
        let role = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{}-role", ground.set());
        assert_eq!(ground.cluster.api().find(&role)?.is_some(), version == "0.20.0", "{version}");
    }
    assert_eq!(ground.revisions()?, ["superseded", "superseded", "superseded", "deployed"]);
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.take_node_away()
}
harness::on_one_minor!(an_upgrade_goes_through_the_charts_shapes_and_back);

fn an_edit_by_hand_shows_on_its_object_and_is_mended(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "drift")?;
    let workspace = ground.workspace(
        case,
        "0.20.0",
        "time_slicing = { resources = [{ name = \"nvidia.com/gpu\", replicas = 4 }] }",
    )?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    let (set, map) = (ground.set(), format!("{}-configs", ground.set()));
    let container = |change: Value| {
        let mut container = json!({"name": "nvidia-device-plugin-ctr"});
        for (name, value) in change.as_object().into_iter().flatten() {
            container[name] = value.clone();
        }
        json!({"spec": {"template": {"spec": {"containers": [container]}}}}).to_string()
    };
    let edits = [
        (set.as_str(), container(json!({"image": "example.com/other:1"}))),
        (set.as_str(), container(json!({"command": ["sleep", "1"]}))),
        (set.as_str(), container(json!({"env": [{"name": "MPS_ROOT", "value": "/elsewhere"}]}))),
        (set.as_str(), json!({"spec": {"template": {"spec": {"tolerations": [{"operator": "Exists"}]}}}}).to_string()),
    ];
    for (name, patch) in edits {
        ground.kubectl(&["patch", "daemonset", name, "--field-manager=kubectl-edit", "-p", &patch])?;
        let plan = workspace.plan()?;
        assert_eq!(plan.actions(ADDRESS), ["update"], "{patch}");
        let paths = plan.changed_paths(ADDRESS);
        ensure!(paths.iter().all(|path| path.contains(name) || path.starts_with("revision")), "{patch}: {paths:?}");
    }
    ground.kubectl(&["patch", "configmap", &map, "--type=merge", "-p", "{\"data\":{\"default\":\"version: v2\"}}"])?;
    ground.kubectl(&["delete", "daemonset", &format!("{set}-mps-control-daemon")])?;
    // What others add is theirs.
    ground.kubectl(&["label", "daemonset", &set, "theirs=x"])?;
    let more = container(json!({"env": [{"name": "THEIRS", "value": "x"}]}));
    ground.kubectl(&["patch", "daemonset", &set, "-p", &more])?;
    let paths = workspace.plan()?.changed_paths(ADDRESS).join(" ");
    for object in ["ConfigMap", "mps-control-daemon"] {
        ensure!(paths.contains(object), "{object} is not in {paths}");
    }
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    let live = ground.live()?;
    let pod = &live["spec"]["template"]["spec"];
    ensure!(!pod["containers"].to_string().contains("example.com/other"), "{pod}");
    assert_eq!(pod["tolerations"].as_array().map(Vec::len), Some(2));
    assert_eq!(live["metadata"]["labels"]["theirs"], "x");
    ensure!(pod["containers"].to_string().contains("THEIRS"), "what others added is left alone");
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.take_node_away()
}
harness::on_one_minor!(an_edit_by_hand_shows_on_its_object_and_is_mended);

fn a_plan_without_a_change_reads_each_object_once_and_writes_nothing(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "quiet")?;
    let front = ground.cluster.front()?;
    let workspace = case.workspace_over(front.kubeconfig(), &ground.resource("0.20.0", ""))?;
    workspace.apply()?;
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
    workspace.destroy()?;
    ground.take_node_away()
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
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.take_node_away()
}
harness::on_one_minor!(another_selector_makes_the_daemon_set_anew_and_says_so);
