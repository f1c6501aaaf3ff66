//! A cluster that is down, on its way up, slow, or whose answers are lost, and a user who does not want to wait.

use anyhow::{Result, ensure};
use harness::{Case, Direction, Fault};
use serde_json::json;

use super::{ADDRESS, class, expect_drift_and_mend, expect_settled, live, path, rewrite};

fn a_cluster_that_is_down_stops_a_refresh_and_not_the_plan_of_a_create(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("down");
    let proxy = cluster.proxy()?;
    let workspace = case.workspace_over(proxy.kubeconfig(), &class(&name, ""))?;
    proxy.refuse()?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    plan.run.diagnostic(&proxy.server())?;
    proxy.heal()?;
    workspace.apply_plan()?;

    proxy.refuse()?;
    let error = workspace.plan_that_fails()?.only_error()?;
    ensure!(error.says(&proxy.server()) && error.says(&name), "{error}");
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);
    proxy.heal()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(a_cluster_that_is_down_stops_a_refresh_and_not_the_plan_of_a_create);

fn a_create_waits_for_a_cluster_on_its_way_up_and_says_so_when_it_does_not_come(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("late");
    let proxy = cluster.proxy()?;
    let brief = "timeouts = { create = \"1s\" }";
    let workspace = case.workspace_over(proxy.kubeconfig(), &class(&name, brief))?;
    proxy.refuse()?;
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(error.says(&proxy.server()), "{error}");
    assert_eq!(workspace.state()?.addresses(), Vec::<String>::new());
    rewrite(&workspace, proxy.kubeconfig(), &class(&name, ""))?;
    let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
    cluster.until("the apply has begun", || Ok(running.printed()?.contains("apply_start").then_some(())))?;
    proxy.heal()?;
    workspace.finish(running)?.succeeded()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(a_create_waits_for_a_cluster_on_its_way_up_and_says_so_when_it_does_not_come);

fn what_heals_is_tried_again_and_an_answer_that_was_lost_makes_no_second_object(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("heals");
    let front = cluster.front()?;
    let workspace = case.workspace_over(front.kubeconfig(), &class(&name, "labels = { a = \"1\" }"))?;
    let at = format!("runtimeclasses/{name}");
    front.next(1, "PATCH", &at, Fault::Answer(429, Some(1)));
    front.next(1, "PATCH", &at, Fault::Answer(500, None));
    front.next(1, "PATCH", &at, Fault::LoseAnswer);
    workspace.apply()?;
    let patches = front.requests().iter().filter(|request| request.starts_with("PATCH")).count();
    assert_eq!(patches, 4, "{:?}", front.requests());
    front.next(1, "GET", &at, Fault::Answer(503, None));
    front.next(1, "GET", &at, Fault::Drop);
    expect_settled(&workspace)?;
    front.next(1, "DELETE", &at, Fault::LoseAnswer);
    workspace.destroy()?;
    assert_eq!(cluster.api().find(&path(&name))?, None);
    Ok(())
}
harness::on_one_minor!(what_heals_is_tried_again_and_an_answer_that_was_lost_makes_no_second_object);

fn a_change_and_a_destroy_on_a_cluster_that_is_down_keep_the_state(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("down");
    let proxy = cluster.proxy()?;
    let labels = |label: &str| {
        class(&name, &format!("labels = {{ a = \"{label}\" }}\ntimeouts = {{ update = \"1s\", delete = \"1s\" }}"))
    };
    let workspace = case.workspace_over(proxy.kubeconfig(), &labels("1"))?;
    workspace.apply()?;
    rewrite(&workspace, proxy.kubeconfig(), &labels("2"))?;
    workspace.plan()?;
    proxy.refuse()?;
    let change = workspace.run(&["apply", "-json", "plan.bin"])?.failed()?.only_error()?;
    let destroy = workspace.run(&["destroy", "-json", "-auto-approve", "-refresh=false"])?.failed()?.only_error()?;
    for error in [change, destroy] {
        ensure!(error.says("The cluster cannot be reached") && error.says(&proxy.server()), "{error}");
        ensure!(error.says(&name) && !error.says("may have been carried out"), "{error}");
    }
    assert_eq!(workspace.state()?.values(ADDRESS)?["labels"], json!({"a": "1"}));
    proxy.heal()?;
    expect_drift_and_mend(&workspace, "labels")?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(a_change_and_a_destroy_on_a_cluster_that_is_down_keep_the_state);

fn a_change_whose_answer_is_lost_is_looked_for_and_told_where_that_cannot_be(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("unanswered");
    let front = cluster.front()?;
    let labels = |labels: &str| class(&name, &format!("labels = {{ {labels} }}\ntimeouts = {{ update = \"2s\" }}"));
    let workspace = case.workspace_over(front.kubeconfig(), &labels("a = \"1\""))?;
    workspace.apply()?;
    let at = format!("runtimeclasses/{name}");

    // No answer ever comes, and a look shows that it was carried out: that is a success.
    front.next(usize::MAX, "PATCH", &at, Fault::LoseAnswer);
    rewrite(&workspace, front.kubeconfig(), &labels("a = \"2\""))?;
    workspace.apply()?;
    front.forget();
    expect_settled(&workspace)?;

    // Nobody can look either: it is told as what it is, and the next plan shows what stands there.
    front.next(1, "PATCH", &at, Fault::LoseAnswer);
    front.next(usize::MAX, "PATCH", &at, Fault::Drop);
    rewrite(&workspace, front.kubeconfig(), &labels("a = \"2\", b = \"1\""))?;
    workspace.plan()?;
    front.next(usize::MAX, "GET", &at, Fault::Drop);
    let error = workspace.run(&["apply", "-json", "plan.bin"])?.failed()?.only_error()?;
    ensure!(error.summary == "It is not known whether the change was made", "{error}");
    ensure!(error.says(&name) && error.says("may have been carried out") && error.says("plan"), "{error}");
    front.forget();
    assert_eq!(live(cluster, &name)?["metadata"]["labels"], json!({"a": "2", "b": "1"}));
    // Who thinks better of it takes back what was carried out unseen.
    rewrite(&workspace, front.kubeconfig(), &labels("a = \"2\""))?;
    expect_drift_and_mend(&workspace, "labels")?;
    assert_eq!(live(cluster, &name)?["metadata"]["labels"], json!({"a": "2"}));
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(a_change_whose_answer_is_lost_is_looked_for_and_told_where_that_cannot_be);

fn a_create_whose_answer_is_lost_is_no_failure_where_a_look_shows_the_object(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("unanswered");
    let front = cluster.front()?;
    let workspace = case.workspace_over(front.kubeconfig(), &class(&name, "timeouts = { create = \"2s\" }"))?;
    let at = format!("runtimeclasses/{name}");
    front.next(1, "PATCH", &at, Fault::LoseAnswer);
    front.next(usize::MAX, "PATCH", &at, Fault::Drop);
    workspace.apply()?;
    front.forget();
    expect_settled(&workspace)?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(a_create_whose_answer_is_lost_is_no_failure_where_a_look_shows_the_object);

fn ctrl_c_ends_a_create_that_waits_for_the_cluster(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("stop");
    let front = cluster.front()?;
    let workspace = case.workspace_over(front.kubeconfig(), &class(&name, ""))?;
    front.next(usize::MAX, "GET", &name, Fault::Drop);
    let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
    cluster.until("the apply has begun", || Ok(running.printed()?.contains("apply_start").then_some(())))?;
    // The command line says so before it makes the call, and an interrupt in between ends it without the provider.
    let before = front.requests().len();
    cluster.until("the create asks again", || Ok((front.requests().len() > before).then_some(())))?;
    running.interrupt()?;
    workspace.finish(running)?.failed()?.diagnostic("nterrupted")?;
    assert_eq!(workspace.state()?.addresses(), Vec::<String>::new());
    front.forget();
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(ctrl_c_ends_a_create_that_waits_for_the_cluster);

fn an_answer_that_never_comes_ends_with_the_timeout_and_the_object_is_known(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("silent");
    let proxy = cluster.proxy()?;
    let timeouts = "timeouts = { read = \"2s\" }";
    let workspace = case.workspace_over(proxy.kubeconfig(), &class(&name, timeouts))?;
    workspace.apply()?;
    proxy.hold_after(Direction::Answers, 0);
    let error = workspace.plan_that_fails()?.only_error()?;
    ensure!(error.says(&proxy.server()), "{error}");
    proxy.heal()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(an_answer_that_never_comes_ends_with_the_timeout_and_the_object_is_known);
