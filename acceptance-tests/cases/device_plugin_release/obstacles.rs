//! What stands in the way of the pods: said at plan where it shows, and in the error of the apply, with what was made kept.

use anyhow::{Context, Result, ensure};
use harness::{Case, Diagnostic, Workspace};

use super::{ADDRESS, Ground, expect_settled};

const BRIEF: &str = "timeouts = { create = \"10s\" }";

/// What the error says of a wait that something ended long before its deadline.
const NOT_ANY_LONGER: &str = "not waited for any longer, since something has stood in the way";

/// The apply fails with this, and what it made is in the state and in the record.
fn expect_obstacle(ground: &Ground, workspace: &Workspace, says: &[&str]) -> Result<Diagnostic> {
    let run = workspace.apply_that_fails()?;
    let errors = run.errors();
    let error = errors.iter().find(|error| error.says(says[0])).cloned();
    let error = error.with_context(|| format!("{:?} is not in {errors:?}", says[0]))?;
    for part in says {
        ensure!(error.says(part), "{part:?} is not in\n{error}");
    }
    ensure!(workspace.state()?.is_tainted(ADDRESS)?, "what was made is not in the state");
    assert_eq!(ground.revisions()?, ["failed"]);
    Ok(error)
}

fn an_affinity_that_selects_nothing_names_the_labels_at_plan_and_in_the_wait(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "nolabel")?;
    let wants = format!(
        "affinity = {{ node_affinity = {{ required_during_scheduling_ignored_during_execution = {{ node_selector_terms = [{{ match_expressions = [{{ key = \"example.com/{}\", operator = \"In\", values = [\"true\"] }}] }}] }} }} }}\n{BRIEF}",
        ground.name
    );
    let workspace = ground.workspace(case, "0.17.4", &wants)?;
    let label = format!("example.com/{}=true", ground.name);
    let warned = workspace.plan()?.run.diagnostic("No node for the pods")?;
    ensure!(warned.says(&label) && warned.says("kubectl label node") && !warned.is_error(), "{warned}");
    expect_obstacle(&ground, &workspace, &["No node for the pods", &label, "kubectl label node", "Waited for 10 s"])?;
    ground.cluster.kubectl(&["label", "node", &ground.node, &label])?.succeeded()?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::with!(tofu an_affinity_that_selects_nothing_names_the_labels_at_plan_and_in_the_wait);

fn pod_security_is_warned_of_and_ends_the_wait_long_before_its_deadline(case: &Case) -> Result<()> {
    let ground = Ground::bare(case, "security")?;
    ground.make_node()?;
    ground.cluster.namespace(&ground.name).label("pod-security.kubernetes.io/enforce", "baseline").create()?;
    let workspace = ground.workspace(case, "0.13.0", "timeouts = { create = \"5m\" }")?;
    let warned = workspace.plan()?.run.diagnostic("Pod security will refuse")?;
    ensure!(warned.says("baseline") && !warned.is_error(), "{warned}");
    expect_obstacle(
        &ground,
        &workspace,
        &[
            "Pod security refuses",
            "violates PodSecurity",
            "pod-security.kubernetes.io/enforce=privileged",
            "not waited for any longer",
            "terraform untaint",
        ],
    )?;
    let label = ["label", "--overwrite", "namespace", &ground.name, "pod-security.kubernetes.io/enforce=privileged"];
    ground.cluster.kubectl(&label)?.succeeded()?;
    // As the error says: without the taint it is gone on with.
    let set = ground.live()?["metadata"]["uid"].clone();
    workspace.run(&["untaint", ADDRESS])?.succeeded()?;
    workspace.apply()?;
    assert_eq!(ground.live()?["metadata"]["uid"], set);
    expect_settled(&workspace)?;
    workspace.destroy()?;
    // It was not made here, so it stays.
    ground.kubectl(&["get", "namespace", &ground.name])?;
    ground.leave()
}
harness::with!(terraform pod_security_is_warned_of_and_ends_the_wait_long_before_its_deadline);

fn an_image_that_cannot_be_pulled_is_named(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "image")?;
    let image = format!("image = {{ repository = \"unpullable.test/plugin\", tag = \"v1\" }}\n{BRIEF}");
    let workspace = ground.workspace(case, "0.17.4", &image)?;
    expect_obstacle(
        &ground,
        &workspace,
        &["The image cannot be pulled", "unpullable.test/plugin:v1", &ground.node, NOT_ANY_LONGER],
    )?;
    ground.rewrite(&workspace, "0.17.4", "")?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::with!(tofu an_image_that_cannot_be_pulled_is_named);

fn a_runtime_class_that_is_missing_is_named(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "noclass")?;
    let workspace = ground.workspace(case, "0.13.0", &format!("runtime_class_name = \"not-there\"\n{BRIEF}"))?;
    expect_obstacle(
        &ground,
        &workspace,
        &["The runtime class does not exist", "not-there", "nvidia_runtime_class", NOT_ANY_LONGER],
    )?;
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::with!(terraform a_runtime_class_that_is_missing_is_named);

fn a_node_without_the_handler_and_a_taint_are_named(case: &Case) -> Result<()> {
    let mut ground = Ground::without_node(case, "handler")?;
    ground.node = format!("noruntime-{}", ground.name);
    ground.cluster.node(&ground.node).label("test/release", &ground.name).create()?;
    let workspace = ground.workspace(case, "0.17.4", BRIEF)?;
    expect_obstacle(&ground, &workspace, &["no such runtime handler", &ground.node, NOT_ANY_LONGER])?;
    workspace.destroy()?;
    let taint = ["taint", "node", &ground.node, "dedicated=ml:NoSchedule"];
    ground.cluster.kubectl(&taint)?.succeeded()?;
    expect_obstacle(&ground, &workspace, &["tainted", "dedicated=ml:NoSchedule", "Waited for 10 s"])?;
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::with!(tofu a_node_without_the_handler_and_a_taint_are_named);

fn gpus_are_waited_for_where_that_is_asked(case: &Case) -> Result<()> {
    let ground = Ground::without_node(case, "gpus")?;
    ground.cluster.node(&ground.node).label("test/release", &ground.name).create()?;
    let workspace = ground.workspace(case, "0.17.4", &format!("wait_for = \"gpus\"\n{BRIEF}"))?;
    expect_obstacle(&ground, &workspace, &["The nodes offer no GPUs", &ground.node])?;
    workspace.destroy()?;
    ground.take_node_away()?;
    ground.make_node()?;
    ground.rewrite(&workspace, "0.17.4", "wait_for = \"gpus\"")?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    ground.leave()
}
harness::with!(terraform gpus_are_waited_for_where_that_is_asked);

fn a_quota_that_lets_no_pod_in_is_named(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "quota")?;
    let quota = |hard: &str| ground.kubectl(&["create", "quota", "small", &format!("--hard={hard}")]);
    quota("pods=0")?;
    let workspace = ground.workspace(case, "0.13.0", BRIEF)?;
    expect_obstacle(
        &ground,
        &workspace,
        &["A quota refuses the pods", "exceeded quota: small", &ground.name, NOT_ANY_LONGER],
    )?;
    // One for what the pods do not ask for at all.
    ground.kubectl(&["delete", "quota", "small"])?;
    quota("requests.cpu=1")?;
    let asks = format!("resources = {{ requests = {{ cpu = \"1m\" }} }}\n{BRIEF}");
    expect_obstacle(&ground, &workspace, &["A quota refuses the pods", "must specify requests.cpu", "resources"])?;
    ground.rewrite(&workspace, "0.13.0", &asks)?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    ground.leave()
}
harness::with!(tofu a_quota_that_lets_no_pod_in_is_named);
