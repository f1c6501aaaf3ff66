//! What ends in the middle: lost answers, Ctrl-C, kill -9, a right that is missing.

use anyhow::{Result, ensure};
use harness::{Case, Fault};
use serde_json::json;

use super::{ADDRESS, Ground, expect_settled};

/// A release that finds no node, so that its apply waits.
const NO_NODE: &str = "node_selector = { \"test/nowhere\" = \"x\" }";

fn what_heals_is_tried_again_and_a_lost_answer_makes_nothing_twice(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "lost")?;
    let front = ground.cluster.front()?;
    let workspace = case.workspace_over(front.kubeconfig(), &ground.resource("0.20.0", ""))?;
    front.next(1, "PATCH", "/namespaces/", Fault::LoseAnswer);
    front.next(1, "POST", "/secrets", Fault::LoseAnswer);
    front.next(1, "PATCH", "/clusterroles/", Fault::Answer(500, None));
    front.next(1, "PATCH", "/daemonsets/", Fault::LoseAnswer);
    front.next(1, "PATCH", "/daemonsets/", Fault::Answer(429, Some(1)));
    front.next(1, "PATCH", "/secrets/", Fault::LoseAnswer);
    workspace.apply()?;
    assert_eq!(ground.revisions()?, ["deployed"]);
    expect_settled(&workspace)?;
    front.next(1, "DELETE", "/daemonsets/", Fault::LoseAnswer);
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.take_node_away()
}
harness::on_one_minor!(what_heals_is_tried_again_and_a_lost_answer_makes_nothing_twice);

fn ctrl_c_in_the_wait_leaves_what_was_made_in_the_state(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "stop")?;
    let workspace = ground.workspace(case, "0.17.4", NO_NODE)?;
    let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
    let set = ground.path(&ground.set());
    ground.cluster.until("the plugin's DaemonSet is there", || ground.cluster.api().find(&set))?;
    running.interrupt()?;
    let run = workspace.finish(running)?.failed()?;
    run.diagnostic("nterrupted")?;
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);
    assert_eq!(ground.revisions()?, ["failed"]);
    ground.rewrite(&workspace, "0.17.4", "")?;
    workspace.apply()?;
    expect_settled(&workspace)?;

    // The same in an update, whose next plan goes on.
    ground.rewrite(&workspace, "0.18.2", NO_NODE)?;
    let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
    ground.cluster.until("the DaemonSet has changed", || {
        let selector = &ground.live()?["spec"]["template"]["spec"]["nodeSelector"];
        Ok((selector == &json!({"test/nowhere": "x"})).then_some(()))
    })?;
    running.interrupt()?;
    workspace.finish(running)?.failed()?.diagnostic("nterrupted")?;
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["update"], "there is something left to do");
    ground.rewrite(&workspace, "0.18.2", "")?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.take_node_away()
}
harness::on_one_minor!(ctrl_c_in_the_wait_leaves_what_was_made_in_the_state);

fn a_run_after_kill_goes_on_from_what_is_there(case: &Case) -> Result<()> {
    for record in ["", "helm_release_record = false\n"] {
        let ground = Ground::new(case, "kill")?;
        let workspace = ground.workspace(case, "0.17.4", &format!("{record}{NO_NODE}"))?;
        let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
        let mps = ground.path(&format!("{}-mps-control-daemon", ground.set()));
        ground.cluster.until("the DaemonSets are there", || ground.cluster.api().find(&mps))?;
        running.kill_providers()?;
        workspace.finish(running)?.failed()?;
        assert_eq!(workspace.state()?.addresses(), Vec::<String>::new());
        ground.rewrite(&workspace, "0.17.4", record)?;
        workspace.apply()?;
        expect_settled(&workspace)?;
        if record.is_empty() {
            assert_eq!(ground.revisions()?, ["deployed"]);
        }

        ground.rewrite(&workspace, "0.20.0", &format!("{record}{NO_NODE}"))?;
        let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
        ground.cluster.until("the DaemonSet has changed", || {
            let selector = &ground.live()?["spec"]["template"]["spec"]["nodeSelector"];
            Ok((selector == &json!({"test/nowhere": "x"})).then_some(()))
        })?;
        running.kill_providers()?;
        workspace.finish(running)?.failed()?;
        ground.rewrite(&workspace, "0.20.0", record)?;
        assert_eq!(workspace.plan()?.actions(ADDRESS), ["update"]);
        workspace.apply_plan()?;
        expect_settled(&workspace)?;
        if record.is_empty() {
            assert_eq!(ground.revisions()?, ["superseded", "deployed"]);
        }
        workspace.destroy()?;
        ground.expect_nothing_left()?;
        ground.take_node_away()?;
    }
    Ok(())
}
harness::on_one_minor!(a_run_after_kill_goes_on_from_what_is_there);

fn without_a_right_to_secrets_the_record_can_be_left_out(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "rights")?;
    let user = ground.cluster.unique("jane");
    let kubeconfig = ground.cluster.user(&user, &[])?;
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    let all = ["get", "list", "watch", "create", "patch", "delete"];
    ground.cluster.apply(
        &json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": user}, "rules": [
                rule("", &["namespaces"], &all), rule("apps", &["daemonsets"], &all),
                rule("", &["nodes", "pods", "events"], &["get", "list", "watch"]),
            ]},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": user},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
             "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}]},
        ]})
        .to_string(),
    )?;
    let may = ["auth", "can-i", "delete", "daemonsets.apps", "--all-namespaces"];
    ground.cluster.until("the role is in force", || {
        Ok(ground.cluster.kubectl_as(&kubeconfig, &may)?.succeeded().ok().map(drop))
    })?;
    let workspace = case.workspace_over(&kubeconfig, &ground.resource("0.17.4", ""))?;
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(error.says("secrets") && error.says("helm_release_record = false"), "{error}");
    assert_eq!(workspace.state()?.addresses(), Vec::<String>::new());
    let rest = ground.resource("0.17.4", "helm_release_record = false");
    workspace.write("main.tf", &harness::main_tf_over(None, Some(&kubeconfig), &rest))?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["revision"], json!(null));
    // Whether the namespace is empty cannot be seen, so it is left, and that is no reason to fail.
    workspace.run(&["destroy", "-json", "-auto-approve"])?.succeeded()?.diagnostic("The namespace is left")?;
    ground.kubectl(&["get", "namespace", &ground.name])?;
    ground.take_node_away()
}
harness::on_one_minor!(without_a_right_to_secrets_the_record_can_be_left_out);
