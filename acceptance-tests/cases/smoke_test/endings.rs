//! However a run ends, its pod goes: timeout, Ctrl-C, a hand that deletes it, a provider that is killed; and the pods of
//! others stay.

use anyhow::{Result, ensure};
use harness::{Case, Running, Workspace};
use serde_json::{Value, json};

use super::{ADDRESS, Ground, Script, TABLE, expect_nothing_stored};

fn endless(case: &Case) -> Result<Ground> {
    Ground::new(case, &Script { log: TABLE, runs_on: true, ..Script::default() })
}

/// An apply whose test runs on, and its pod.
fn under_way(ground: &Ground, workspace: &Workspace) -> Result<(Running, Value)> {
    let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
    let pod = ground.pod_that_is("running")?;
    Ok((running, pod))
}

/// From now on pods of the ground end by themselves.
fn let_new_pods_end(ground: &Ground) -> Result<()> {
    let script = json!({"metadata": {"annotations": {"pod.test/exit-code": "0"}}});
    ground.cluster.api().patch(&format!("/api/v1/namespaces/{}", ground.namespace), &script).map(drop)
}

/// The pod that is there ends by itself.
fn let_it_end(ground: &Ground) -> Result<()> {
    let script = json!({"metadata": {"annotations": {"pod.test/exit-code": "0"}}});
    ground.cluster.api().patch(&format!("{}/nvidia-smoke-test", ground.pods()), &script).map(drop)
}

fn a_test_that_does_not_end_fails_with_its_log_and_its_pod_goes(case: &Case) -> Result<()> {
    let ground = endless(case)?;
    let workspace = ground.workspace(case, "timeouts = { create = \"5s\" }")?;
    let error = workspace.apply_that_fails()?.only_error()?;
    for says in ["did not end in time", "5 s", "container running", "NVIDIA L40S", &ground.node] {
        ensure!(error.says(says), "{says:?} is not in\n{error}");
    }
    expect_nothing_stored(&workspace)?;
    ground.expect_no_pod()
}
harness::on_one_minor!(a_test_that_does_not_end_fails_with_its_log_and_its_pod_goes);

fn ctrl_c_ends_the_test_and_its_pod(case: &Case) -> Result<()> {
    let ground = endless(case)?;
    let workspace = ground.workspace(case, "")?;
    let (running, _) = under_way(&ground, &workspace)?;
    running.interrupt()?;
    workspace.finish(running)?.failed()?.diagnostic("nterrupted")?;
    expect_nothing_stored(&workspace)?;
    ground.cluster.until("the pod is gone", || Ok(ground.pod()?.is_none().then_some(())))
}
harness::on_one_minor!(ctrl_c_ends_the_test_and_its_pod);

fn a_command_line_that_is_killed_leaves_no_pod(case: &Case) -> Result<()> {
    let ground = endless(case)?;
    let workspace = ground.workspace(case, "")?;
    let (running, _) = under_way(&ground, &workspace)?;
    // Nobody is left to take the answer, and the provider finishes what it began.
    running.kill()?;
    ground.cluster.until("the pod is gone", || Ok(ground.pod()?.is_none().then_some(())))
}
harness::on_one_minor!(a_command_line_that_is_killed_leaves_no_pod);

fn what_a_killed_provider_has_left_is_replaced_by_the_next_apply(case: &Case) -> Result<()> {
    let ground = endless(case)?;
    let workspace = ground.workspace(case, "")?;
    let (running, first) = under_way(&ground, &workspace)?;
    running.kill_providers()?;
    workspace.finish(running)?.failed()?;
    expect_nothing_stored(&workspace)?;
    let left = ground.pod()?.map(|pod| pod["metadata"]["uid"].clone());
    assert_eq!(left.as_ref(), Some(&first["metadata"]["uid"]), "the pod is left");

    let_new_pods_end(&ground)?;
    workspace.apply()?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["driver_version"], "610.57.04");
    ground.expect_no_pod()
}
harness::on_one_minor!(what_a_killed_provider_has_left_is_replaced_by_the_next_apply);

fn a_pod_that_is_deleted_by_hand_while_it_runs_fails_the_test(case: &Case) -> Result<()> {
    let ground = endless(case)?;
    let workspace = ground.workspace(case, "")?;
    let (running, _) = under_way(&ground, &workspace)?;
    ground.cluster.kubectl(&["delete", "pod", "nvidia-smoke-test", "-n", &ground.namespace])?.succeeded()?;
    let error = workspace.finish(running)?.failed()?.only_error()?;
    ensure!(error.says("deleted by somebody else") && error.says(&ground.node), "{error}");
    expect_nothing_stored(&workspace)?;
    ground.expect_no_pod()
}
harness::on_one_minor!(a_pod_that_is_deleted_by_hand_while_it_runs_fails_the_test);

fn a_pod_that_no_test_has_made_is_left_alone(case: &Case) -> Result<()> {
    let ground = endless(case)?;
    let foreign = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "nvidia-smoke-test"},
        "spec": {"containers": [{"name": "theirs", "image": "theirs.test/app:1"}]},
    });
    let made = ground.cluster.api().create(&ground.pods(), &foreign)?;
    let workspace = ground.workspace(case, "")?;
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(error.says("Another pod has this name") && error.says(&ground.namespace), "{error}");
    expect_nothing_stored(&workspace)?;
    let there = ground.pod()?.map(|pod| (pod["metadata"]["uid"].clone(), pod["metadata"]["deletionTimestamp"].clone()));
    assert_eq!(there, Some((made["metadata"]["uid"].clone(), Value::Null)));
    Ok(())
}
harness::on_one_minor!(a_pod_that_no_test_has_made_is_left_alone);

fn a_test_that_is_under_way_elsewhere_is_left_alone(case: &Case) -> Result<()> {
    let ground = endless(case)?;
    let theirs = ground.workspace(case, "")?;
    let (running, pod) = under_way(&ground, &theirs)?;
    // Long enough to take a silent one for dead.
    let ours = ground.workspace(case, "timeouts = { create = \"20s\" }")?;
    let error = ours.apply_that_fails()?.only_error()?;
    ensure!(error.says("Another smoke test of this name is running"), "{error}");
    expect_nothing_stored(&ours)?;
    let there = ground.pod()?.map(|pod| pod["metadata"]["uid"].clone());
    assert_eq!(there.as_ref(), Some(&pod["metadata"]["uid"]));

    let_it_end(&ground)?;
    theirs.finish(running)?.succeeded()?;
    assert_eq!(theirs.state()?.values(ADDRESS)?["driver_version"], "610.57.04");
    ground.expect_no_pod()
}
harness::on_one_minor!(a_test_that_is_under_way_elsewhere_is_left_alone);

fn a_connection_that_breaks_while_it_runs_changes_nothing(case: &Case) -> Result<()> {
    let ground = endless(case)?;
    let proxy = ground.cluster.proxy()?;
    let workspace = case.workspace_over(proxy.kubeconfig(), &ground.resource(""))?;
    let (running, _) = under_way(&ground, &workspace)?;
    proxy.refuse()?;
    let_it_end(&ground)?;
    proxy.heal()?;
    workspace.finish(running)?.succeeded()?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["driver_version"], "610.57.04");
    ground.expect_no_pod()
}
harness::on_one_minor!(a_connection_that_breaks_while_it_runs_changes_nothing);

fn a_user_who_may_not_mark_the_pod_tests_with_a_warning(case: &Case) -> Result<()> {
    let ground = endless(case)?;
    let user = ground.cluster.unique("tester");
    let namespace = &ground.namespace;
    let rules = json!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "list", "watch", "delete"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    ]);
    let metadata = json!({"name": user, "namespace": namespace});
    let role =
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [role, binding]});
    ground.cluster.apply(&list.to_string())?;

    let front = ground.cluster.front_as(&user, &[])?;
    let workspace = case.workspace_over(front.kubeconfig(), &ground.resource(""))?;
    let (running, _) = under_way(&ground, &workspace)?;
    ground.cluster.until("the pod is to be marked", || {
        Ok(front.requests().iter().any(|request| request.starts_with("PATCH")).then_some(()))
    })?;
    let_it_end(&ground)?;
    let run = workspace.finish(running)?.succeeded()?;
    ensure!(run.diagnostic("cannot be marked as in use")?.says("verb=patch"), "the missing right is named");
    assert_eq!(workspace.state()?.values(ADDRESS)?["driver_version"], "610.57.04");
    ground.expect_no_pod()
}
harness::on_one_minor!(a_user_who_may_not_mark_the_pod_tests_with_a_warning);
