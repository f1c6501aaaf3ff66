//! What a user may not do: said with the right that is missing, and with what was made all the same.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use harness::Case;
use serde_json::{Value, json};

use super::{ADDRESS, Ground, expect_settled};

/// A rule of a role.
pub(crate) fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

const RBAC: &str = "rbac.authorization.k8s.io";
const SEE: [&str; 3] = ["get", "list", "watch"];
const MANAGE: [&str; 6] = ["get", "list", "watch", "create", "patch", "delete"];

/// What the resource needs beside the ClusterRole that it makes.
fn but_roles() -> Vec<Value> {
    vec![
        rule("", &["namespaces", "secrets", "serviceaccounts", "configmaps"], &MANAGE),
        rule(RBAC, &["clusterrolebindings"], &MANAGE),
        rule("apps", &["daemonsets"], &MANAGE),
        rule("", &["nodes", "pods", "events"], &SEE),
        // To see whether its namespace is empty.
        rule("*", &["*"], &["list"]),
    ]
}

/// What the resource needs.
pub(crate) fn all() -> Vec<Value> {
    [but_roles(), vec![rule(RBAC, &["clusterroles"], &MANAGE)]].concat()
}

/// Gives a user these rights, in place of those that they had, and waits until a review says so.
pub(crate) fn grant(ground: &Ground, user: &str, rules: &[Value]) -> Result<()> {
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": user}, "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": user},
        "subjects": [{"kind": "User", "apiGroup": RBAC, "name": user}]});
    // The mark is a right as well, so that it is seen when the new rules are in force and the old ones are not.
    let mark = ground.cluster.unique("mark");
    let rules = [rules, &[rule("test", &[&mark], &["get"])]].concat();
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": user},
        "rules": rules});
    ground.cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [role, binding]}).to_string())?;
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {"user": user,
        "resourceAttributes": {"group": "test", "resource": mark, "verb": "get"}}});
    ground.cluster.until("the role is in force", || {
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        Ok((ground.cluster.api().create(path, &review)?["status"]["allowed"] == true).then_some(()))
    })
}

fn user(ground: &Ground, rules: &[Value]) -> Result<(String, PathBuf)> {
    let user = ground.cluster.unique("jane");
    grant(ground, &user, rules)?;
    let kubeconfig = ground.cluster.user(&user, &[])?;
    Ok((user, kubeconfig))
}

fn one_right_that_is_missing_leaves_what_was_made_in_the_state(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "right")?;
    let may_not_make = [but_roles(), vec![rule(RBAC, &["clusterroles"], &["get", "list", "watch", "patch", "delete"])]];
    let (user, kubeconfig) = user(&ground, &may_not_make.concat())?;
    let workspace = case.workspace_over(&kubeconfig, &ground.resource("0.20.0", ""))?;
    let run = workspace.apply_that_fails()?;
    let error = run.only_error()?;
    ensure!(error.says("clusterroles.rbac.authorization.k8s.io") && error.says("create"), "{error}");
    let account = format!("ServiceAccount/{}/{}-service-account", ground.name, ground.set());
    let said = run.diagnostic("The release is applied in part")?;
    ensure!(said.says(&format!("applied is {account}; not yet ClusterRole/{}-role", ground.set())), "{said}");
    ensure!(workspace.state()?.is_tainted(ADDRESS)?, "what was made is not in the state");
    assert_eq!(ground.revisions()?, ["failed"]);

    // Nobody can give what they have not.
    let role = rule(RBAC, &["clusterroles"], &MANAGE);
    let blind = but_roles().into_iter().map(|mut rule| {
        rule["resources"].as_array_mut().into_iter().for_each(|all| all.retain(|one| one != "nodes"));
        rule
    });
    grant(&ground, &user, &blind.chain([role]).collect::<Vec<_>>())?;
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(error.says("A right is missing") && error.says("nodes") && error.says("escalate"), "{error}");

    grant(&ground, &user, &all())?;
    workspace.apply()?;
    expect_settled(&workspace)?;

    // In an update the objects before it have changed, the DaemonSet has not, and the next apply goes on.
    let only_look: Vec<Value> = all()
        .into_iter()
        .map(|rule| if rule["apiGroups"] == json!(["apps"]) { self::rule("apps", &["daemonsets"], &SEE) } else { rule })
        .collect();
    grant(&ground, &user, &only_look)?;
    let rest = ground.resource("0.20.0", "name_override = \"other\"");
    workspace.write("main.tf", &harness::main_tf_over(None, Some(&kubeconfig), &rest))?;
    let run = workspace.apply_that_fails()?;
    let error = run.only_error()?;
    ensure!(error.says("daemonsets.apps") && error.says("patch"), "{error}");
    run.diagnostic("The release is applied in part")?;
    assert_eq!(ground.revisions()?, ["deployed", "failed"]);
    ground.live()?;
    grant(&ground, &user, &all())?;
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["update"]);
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    assert_eq!(ground.cluster.api().find(&ground.path(&ground.set()))?, None, "the DaemonSet of the name before");
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::with!(terraform one_right_that_is_missing_leaves_what_was_made_in_the_state);

fn without_a_right_to_secrets_the_record_can_be_left_out(case: &Case) -> Result<()> {
    let ground = Ground::bare(case, "rights")?;
    ground.make_node()?;
    let (_, kubeconfig) = user(
        &ground,
        &[
            rule("", &["namespaces"], &MANAGE),
            rule("apps", &["daemonsets"], &MANAGE),
            rule("", &["nodes", "pods", "events"], &SEE),
        ],
    )?;
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
    ground.leave()
}
harness::with!(tofu without_a_right_to_secrets_the_record_can_be_left_out);

fn a_right_to_secrets_that_is_taken_away_is_no_dead_end(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "taken")?;
    let (user, kubeconfig) = user(&ground, &all())?;
    let workspace = case.workspace_over(&kubeconfig, &ground.resource("0.17.4", ""))?;
    workspace.apply()?;
    let without = all().into_iter().filter(|rule| rule["apiGroups"] != json!(["*"])).map(|mut rule| {
        rule["resources"].as_array_mut().into_iter().for_each(|all| all.retain(|one| one != "secrets"));
        rule
    });
    grant(&ground, &user, &without.collect::<Vec<_>>())?;
    let plan = workspace.plan()?;
    plan.expect_empty()?;
    let said = plan.run.diagnostic("The release record cannot be seen")?;
    ensure!(said.says("secrets") && !said.is_error(), "{said}");
    let rest = ground.resource("0.17.4", "helm_release_record = false");
    workspace.write("main.tf", &harness::main_tf_over(None, Some(&kubeconfig), &rest))?;
    workspace.apply()?.diagnostic("The release records are left")?;
    expect_settled(&workspace)?;
    assert_eq!(ground.revisions()?, ["deployed"]);
    workspace.destroy()?;
    assert_eq!(ground.cluster.api().find(&ground.path(&ground.set()))?, None);
    ground.leave()
}
harness::with!(terraform a_right_to_secrets_that_is_taken_away_is_no_dead_end);
