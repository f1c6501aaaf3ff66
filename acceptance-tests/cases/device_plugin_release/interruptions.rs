//! What ends in the middle or comes in between: lost answers, Ctrl-C, kill -9, an API server that restarts, another state.

use anyhow::{Result, ensure};
use harness::{Case, Fault};
use serde_json::json;

use super::{ADDRESS, Ground, expect_settled, rights};

/// A release that finds no node, so that its apply waits.
const NO_NODE: &str = "node_selector = { \"test/nowhere\" = \"x\" }";

fn what_heals_is_tried_again_and_a_lost_answer_makes_nothing_twice(case: &Case) -> Result<()> {
    let ground = Ground::bare(case, "lost")?;
    ground.make_node()?;
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
    ground.leave()
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
    ground.leave()
}
harness::on_one_minor!(ctrl_c_in_the_wait_leaves_what_was_made_in_the_state);

/// `record`: an argument of the resource, or nothing.
fn goes_on_after_kill(case: &Case, record: &str) -> Result<()> {
    let ground = Ground::bare(case, "kill")?;
    ground.make_node()?;
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
    if record.is_empty() {
        // Another state does not take the release for a create that was killed: somebody has it.
        let other = ground.workspace(case, "0.20.0", "")?;
        other.apply_that_fails()?.diagnostic("The release exists already")?;
        assert_eq!(ground.revisions()?, ["deployed", "pending-upgrade"]);
    }
    ground.rewrite(&workspace, "0.20.0", record)?;
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["update"]);
    workspace.apply_plan()?;
    expect_settled(&workspace)?;
    if record.is_empty() {
        assert_eq!(ground.revisions()?, ["superseded", "deployed"]);
    }
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}

fn a_run_after_kill_goes_on_from_what_is_there(case: &Case) -> Result<()> {
    goes_on_after_kill(case, "")
}
harness::on_one_minor!(a_run_after_kill_goes_on_from_what_is_there);

fn so_it_does_without_a_record(case: &Case) -> Result<()> {
    goes_on_after_kill(case, "helm_release_record = false\n")
}
harness::with!(tofu so_it_does_without_a_record);

fn of_two_states_that_create_one_release_one_gets_it(case: &Case) -> Result<()> {
    // While the other is at it: its pods have no node yet.
    let ground = Ground::bare(case, "twice")?;
    let (first, second) = (ground.workspace(case, "0.20.0", "")?, ground.workspace(case, "0.20.0", "")?);
    let running = first.start(&["apply", "-json", "-auto-approve"])?;
    ground.cluster.until("the first has begun", || ground.cluster.api().find(&ground.path(&ground.set())))?;
    let error = second.apply_that_fails()?.only_error()?;
    ensure!(error.says("Another apply is at work on the release") && error.says("Nothing was changed"), "{error}");
    assert_eq!(second.state()?.addresses(), Vec::<String>::new());
    ground.make_node()?;
    first.finish(running)?.succeeded()?;
    expect_settled(&first)?;
    assert_eq!(ground.revisions()?, ["deployed"]);
    first.destroy()?;
    ground.expect_nothing_left()?;

    // In the moment in which the other, which has looked too, writes its record.
    let front = ground.cluster.front()?;
    let late = case.workspace_over(front.kubeconfig(), &ground.resource("0.20.0", ""))?;
    let early = ground.workspace(case, "0.20.0", "")?;
    let (told, heard) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let meanwhile = move || {
        let run = early.apply().map(|_| early.path());
        // Nobody listens any more when the case has failed.
        let _ = told.lock().map(|told| told.send(run));
    };
    front.next(1, "POST", "/secrets", Fault::Meanwhile(Box::new(meanwhile)));
    let error = late.apply_that_fails()?.only_error()?;
    ensure!(error.says("The release exists already"), "{error}");
    assert_eq!(late.state()?.addresses(), Vec::<String>::new(), "what the other has is not in this state");
    heard.recv()??;
    assert_eq!(ground.revisions()?, ["deployed"]);
    late.import(ADDRESS, &format!("{0}/{0}", ground.name))?.succeeded()?;
    late.destroy()?;
    ground.leave()
}
harness::with!(terraform of_two_states_that_create_one_release_one_gets_it);

/// Twice in one apply: as soon as something of the release is there, and in the wait. As a user of roles, since a server
/// that has just started does not know them yet.
fn an_api_server_that_restarts_in_an_apply_only_delays_it(case: &Case) -> Result<()> {
    let ground = Ground::without_node(case, "restart")?;
    let user = ground.cluster.unique("ann");
    rights::grant(&ground, &user, &rights::all())?;
    let server = ground.cluster.second_server_as(&user, &[])?;
    let workspace = case.workspace_over(server.kubeconfig(), &ground.resource("0.20.0", ""))?;
    let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
    let record = format!("/api/v1/namespaces/{0}/secrets/sh.helm.release.v1.{0}.v1", ground.name);
    ground.cluster.until("the apply has begun", || ground.cluster.api().find(&record))?;
    server.kill();
    server.again()?;
    let last = ground.path(&format!("{}-mps-control-daemon", ground.set()));
    ground.cluster.until("every object is there", || ground.cluster.api().find(&last))?;
    server.kill();
    server.again()?;
    ground.make_node()?;
    workspace.finish(running)?.succeeded()?;
    assert_eq!(ground.revisions()?, ["deployed"]);
    expect_settled(&workspace)?;
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::with!(tofu an_api_server_that_restarts_in_an_apply_only_delays_it);

/// The finalizers of the plugin's DaemonSet.
fn hold(ground: &Ground, finalizers: &serde_json::Value) -> Result<()> {
    let patch = json!({"metadata": {"finalizers": finalizers}}).to_string();
    ground.kubectl(&["patch", "daemonset", &ground.set(), "--type=merge", "-p", &patch]).map(drop)
}

fn a_destroy_that_something_holds_up_says_what_and_is_no_release_as_before(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "held")?;
    let brief = "timeouts = { delete = \"15s\", update = \"15s\" }";
    let workspace = ground.workspace(case, "0.17.4", brief)?;
    workspace.apply()?;
    hold(&ground, &json!(["example.com/hold"]))?;
    let held = |error: &harness::Diagnostic| error.says("The object does not go") && error.says("example.com/hold");
    let error = workspace.run(&["destroy", "-json", "-auto-approve"])?.failed()?.only_error()?;
    ensure!(held(&error) && error.says(&ground.set()), "{error}");
    assert_eq!(ground.revisions()?, ["uninstalling"]);
    // The objects stand as they did, and yet the release does not.
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    plan.run.diagnostic("The object is being deleted")?;
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(held(&error), "{error}");
    let before = ground.live()?["metadata"]["uid"].clone();
    hold(&ground, &json!(null))?;
    workspace.apply()?;
    assert_ne!(ground.live()?["metadata"]["uid"], before);
    expect_settled(&workspace)?;
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::with!(terraform a_destroy_that_something_holds_up_says_what_and_is_no_release_as_before);
