//! The real helm beside the resource, 3 and 4: on a release that we made, on one that it made itself from a chart of the
//! same names, whose template is the manifest that our own record holds, and on one that all three had a hand in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use harness::{Case, Helm, HelmMajor};
use serde_json::{Value, json};

use super::{ADDRESS, Ground, expect_only_timeouts, expect_settled};

fn helm_over(case: &Case, ground: &Ground, major: HelmMajor) -> Result<Helm> {
    Helm::new(major, &case.path().join(format!("helm-{}", ground.name)), &ground.cluster.kubeconfig(), &ground.name)
}

/// What our release of this version holds for helm, and its values, once it is gone again.
fn manifest_of(case: &Case, ground: &Ground, helm: &Helm, version: &str) -> Result<(String, PathBuf)> {
    let workspace = ground.workspace(case, version, "")?;
    workspace.apply()?;
    let manifest = helm.run(&["get", "manifest", &ground.name])?;
    let values = helm.home().join("values.yaml");
    fs::write(&values, helm.run(&["get", "values", &ground.name, "--output", "yaml"])?)?;
    workspace.destroy()?;
    Ok((manifest, values))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the path is text")
}

/// Status of each revision that helm knows, oldest first.
fn statuses(helm: &Helm, name: &str) -> Result<Vec<Value>> {
    let history = helm.json(&["history", name])?;
    Ok(history.as_array().into_iter().flatten().map(|one| one["status"].clone()).collect())
}

/// How the field manager `helm` has written the plugin's DaemonSet: what it sent without server-side apply must not
/// outlive our next apply, or a field of it that we leave out would stay.
fn operations_of_helm(ground: &Ground) -> Result<Vec<Value>> {
    let live = ground.live()?;
    let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    Ok(entries.filter(|entry| entry["manager"] == "helm").map(|entry| entry["operation"].clone()).collect())
}

fn image(ground: &Ground) -> Result<Value> {
    Ok(ground.live()?["spec"]["template"]["spec"]["containers"][0]["image"].clone())
}

pub(crate) fn helm_4_works_with_a_release_that_we_made(case: &Case) -> Result<()> {
    works_with_a_release_that_we_made(case, HelmMajor::Four)
}
harness::with!(terraform helm_4_works_with_a_release_that_we_made);

fn helm_3_works_with_a_release_that_we_made(case: &Case) -> Result<()> {
    works_with_a_release_that_we_made(case, HelmMajor::Three)
}
harness::with!(tofu helm_3_works_with_a_release_that_we_made);

fn works_with_a_release_that_we_made(case: &Case, major: HelmMajor) -> Result<()> {
    let ground = Ground::new(case, "ours")?;
    let helm = helm_over(case, &ground, major)?;
    let name = ground.name.as_str();
    let workspace = ground.workspace(case, "0.17.4", "")?;
    workspace.apply()?;
    ground.rewrite(&workspace, "0.18.2", "")?;
    workspace.apply()?;

    let listed = helm.json(&["list"])?;
    assert_eq!(listed[0]["name"], name);
    assert_eq!(listed[0]["status"], "deployed");
    assert_eq!(listed[0]["chart"], "nvidia-device-plugin-0.18.2");
    assert_eq!(helm.json(&["status", name])?["info"]["status"], "deployed");
    assert_eq!(statuses(&helm, name)?, ["superseded", "deployed"]);
    assert_eq!(helm.json(&["get", "values", name])?["runtimeClassName"], json!(ground.class));
    let manifest = helm.run(&["get", "manifest", name])?;
    ensure!(manifest.contains("kind: DaemonSet") && manifest.contains("v0.18.2"), "{manifest}");

    helm.run(&["rollback", name, "1"])?;
    assert_eq!(image(&ground)?, "nvcr.io/nvidia/k8s-device-plugin:v0.17.4");
    let operations: &[&str] = if major == HelmMajor::Three { &["Apply", "Update"] } else { &["Apply"] };
    assert_eq!(operations_of_helm(&ground)?, operations);
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    let change = plan.change(ADDRESS)?;
    assert_eq!(change.before["version"], "0.17.4", "the plan shows the version that helm has put there");
    workspace.apply_plan()?;
    assert_eq!(image(&ground)?, "nvcr.io/nvidia/k8s-device-plugin:v0.18.2");
    assert_eq!(operations_of_helm(&ground)?, ["Apply"]);
    expect_settled(&workspace)?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["revision"], 4);

    // Helm goes on with the values of our record, the user's and the chart's: its own chart has none.
    let chart = helm.chart("0.17.4", &helm.run(&["get", "manifest", name, "--revision", "1"])?)?;
    let values = helm.json(&["get", "values", name])?;
    helm.run(&["upgrade", name, text(&chart)?, "--reuse-values", "--wait"])?;
    assert_eq!(image(&ground)?, "nvcr.io/nvidia/k8s-device-plugin:v0.17.4");
    assert_eq!(helm.json(&["get", "values", name])?, values);
    assert_eq!(helm.json(&["get", "values", name, "--all"])?["priorityClassName"], "system-node-critical");

    helm.run(&["uninstall", name, "--wait"])?;
    assert_eq!(ground.cluster.api().find(&ground.path(&ground.set()))?, None);
    workspace.apply()?;
    expect_settled(&workspace)?;
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}

pub(crate) fn a_release_that_helm_4_made_is_imported_and_upgraded_without_leftovers(case: &Case) -> Result<()> {
    for apply_method in ["--server-side=true", "--server-side=false"] {
        is_imported_and_upgraded_without_leftovers(case, HelmMajor::Four, &[apply_method], "helm")
            .context(apply_method)?;
    }
    Ok(())
}
harness::with!(tofu a_release_that_helm_4_made_is_imported_and_upgraded_without_leftovers);

fn a_release_that_helm_3_made_is_imported_and_upgraded_without_leftovers(case: &Case) -> Result<()> {
    is_imported_and_upgraded_without_leftovers(case, HelmMajor::Three, &[], "helm")
}
harness::with!(terraform a_release_that_helm_3_made_is_imported_and_upgraded_without_leftovers);

/// Another provider, a controller or an old helm: they differ from Helm 3 in the field manager's name.
fn a_release_that_another_program_with_helm_in_it_made_is_imported_and_upgraded_without_leftovers(
    case: &Case,
) -> Result<()> {
    is_imported_and_upgraded_without_leftovers(case, HelmMajor::Three, &[], "terraform-provider-helm_v2.17.0_x5")
}
harness::with!(tofu a_release_that_another_program_with_helm_in_it_made_is_imported_and_upgraded_without_leftovers);

/// The objects of a release as if this field manager had made them, and not helm.
fn rename_manager(ground: &Ground, manager: &str) -> Result<()> {
    let mut fields = ground.live()?["metadata"]["managedFields"].clone();
    for entry in fields.as_array_mut().into_iter().flatten().filter(|entry| entry["manager"] == "helm") {
        entry["manager"] = json!(manager);
    }
    let patch = json!({ "metadata": { "managedFields": fields } }).to_string();
    ground.kubectl(&["patch", "daemonset", &ground.set(), "--type=merge", "-p", &patch]).map(drop)
}

fn is_imported_and_upgraded_without_leftovers(
    case: &Case,
    major: HelmMajor,
    options: &[&str],
    manager: &str,
) -> Result<()> {
    let ground = Ground::new(case, "theirs")?;
    let helm = helm_over(case, &ground, major)?;
    let name = ground.name.as_str();
    let (manifest, values) = manifest_of(case, &ground, &helm, "0.13.0")?;
    let chart = helm.chart("0.13.0", &manifest)?;
    let install = ["install", name, text(&chart)?, "--values", text(&values)?, "--wait"];
    helm.run(&[&install, options].concat())?;

    let workspace = ground.workspace(case, "0.13.0", "")?;
    workspace.import(ADDRESS, &format!("{name}/{name}"))?.succeeded()?;
    expect_only_timeouts(&workspace)?;
    assert_eq!(ground.revisions()?, ["deployed"]);

    // Helm goes on behind our back.
    let other = helm.chart("0.14.5", &manifest.replace("0.13.0", "0.14.5"))?;
    helm.run(&["upgrade", name, text(&other)?, "--values", text(&values)?, "--wait"])?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    assert_eq!(plan.change(ADDRESS)?.before["version"], "0.14.5");
    rename_manager(&ground, manager)?;

    ground.rewrite(&workspace, "0.17.4", "")?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    let live = ground.live()?;
    let volumes = live["spec"]["template"]["spec"]["volumes"].to_string();
    ensure!(!volumes.contains("\"device-plugin\""), "a volume of the older chart is left: {volumes}");
    assert_eq!(operations_of_helm(&ground)?, ["Apply"]);
    assert_eq!(helm.json(&["list"])?[0]["revision"], "3");
    workspace.destroy()?;
    // Helm made the namespace, or its user did.
    ground.kubectl(&["get", "namespace", name])?;
    ground.leave()
}

fn a_revision_that_helm_4_is_at_work_on_is_respected_while_it_is_fresh(case: &Case) -> Result<()> {
    is_respected_while_it_is_fresh(case, HelmMajor::Four)
}
harness::with!(terraform a_revision_that_helm_4_is_at_work_on_is_respected_while_it_is_fresh);

fn a_revision_that_helm_3_is_at_work_on_is_respected_while_it_is_fresh(case: &Case) -> Result<()> {
    is_respected_while_it_is_fresh(case, HelmMajor::Three)
}
harness::with!(tofu a_revision_that_helm_3_is_at_work_on_is_respected_while_it_is_fresh);

fn is_respected_while_it_is_fresh(case: &Case, major: HelmMajor) -> Result<()> {
    let ground = Ground::new(case, "busy")?;
    let helm = helm_over(case, &ground, major)?;
    let name = ground.name.as_str();
    let (manifest, values) = manifest_of(case, &ground, &helm, "0.17.4")?;
    let never = manifest.replace("test/release", "test/nowhere").replace("nvcr.io/", "unpullable.test/");
    ensure!(never != manifest, "{manifest}");
    let chart = helm.chart("0.17.4", &manifest.replace("nvcr.io/", "unpullable.test/"))?;
    let arguments = ["install", name, text(&chart)?, "--values", text(&values)?, "--wait"];
    let mut running = helm.command(&arguments)?.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    ground.cluster.until("helm has begun", || ground.cluster.api().find(&ground.path(&ground.set())))?;
    running.kill()?;
    running.wait()?;
    assert_eq!(ground.revisions()?, ["pending-install"]);

    let workspace = ground.workspace(case, "0.17.4", "")?;
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(error.says("pending-install") && error.says("helm") && error.says("at work"), "{error}");
    assert_eq!(workspace.state()?.addresses(), Vec::<String>::new());
    assert_eq!(ground.revisions()?, ["pending-install"]);

    // Nobody has been at it for long.
    let secret = format!("sh.helm.release.v1.{name}.v1");
    ground.kubectl(&["label", "--overwrite", "secret", &secret, "createdAt=1000000000", "modifiedAt=1000000000"])?;
    workspace.apply()?.diagnostic("left unfinished")?;
    expect_settled(&workspace)?;
    assert_eq!(helm.json(&["list"])?[0]["revision"], "2");
    workspace.destroy()?;
    ground.leave()
}

fn ten_revisions_are_kept_whether_we_or_helm_4_made_them(case: &Case) -> Result<()> {
    ten_revisions_are_kept(case, HelmMajor::Four)
}
harness::with!(tofu ten_revisions_are_kept_whether_we_or_helm_4_made_them);

fn ten_revisions_are_kept_whether_we_or_helm_3_made_them(case: &Case) -> Result<()> {
    ten_revisions_are_kept(case, HelmMajor::Three)
}
harness::with!(terraform ten_revisions_are_kept_whether_we_or_helm_3_made_them);

fn ten_revisions_are_kept(case: &Case, major: HelmMajor) -> Result<()> {
    let ground = Ground::new(case, "history")?;
    let helm = helm_over(case, &ground, major)?;
    let workspace = ground.workspace(case, "0.17.4", "")?;
    workspace.apply()?;
    for _ in 2..=10 {
        helm.run(&["rollback", &ground.name, "1"])?;
    }
    ground.rewrite(&workspace, "0.18.2", "")?;
    workspace.apply()?;
    expect_settled(&workspace)?;
    let history = helm.json(&["history", &ground.name, "--max", "20"])?;
    let kept: Vec<u64> = history.as_array().into_iter().flatten().filter_map(|one| one["revision"].as_u64()).collect();
    assert_eq!(kept, (2..=11).collect::<Vec<u64>>());
    assert_eq!(ground.revisions()?, [["superseded"; 9].as_slice(), &["deployed"]].concat());
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}

fn a_history_that_helm_3_and_helm_4_and_we_wrote_is_one_history_to_all(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "mixed")?;
    let (three, four) = (helm_over(case, &ground, HelmMajor::Three)?, helm_over(case, &ground, HelmMajor::Four)?);
    let name = ground.name.as_str();
    let (manifest, values) = manifest_of(case, &ground, &three, "0.13.0")?;
    let values = text(&values)?;
    let chart = three.chart("0.13.0", &manifest)?;
    three.run(&["install", name, text(&chart)?, "--values", values, "--labels", "team=gpu", "--wait"])?;

    let workspace = ground.workspace(case, "0.13.0", "")?;
    workspace.import(ADDRESS, &format!("{name}/{name}"))?.succeeded()?;
    ground.rewrite(&workspace, "0.17.4", "")?;
    workspace.apply()?;
    let chart = four.chart("0.14.5", &manifest.replace("0.13.0", "0.14.5"))?;
    four.run(&["upgrade", name, text(&chart)?, "--values", values, "--wait"])?;
    assert_eq!(workspace.plan()?.change(ADDRESS)?.before["version"], "0.14.5");
    // To the revision that the other helm wrote.
    four.run(&["rollback", name, "1"])?;
    assert_eq!(image(&ground)?, "nvcr.io/nvidia/k8s-device-plugin:v0.13.0");
    workspace.apply()?;
    expect_settled(&workspace)?;
    assert_eq!(operations_of_helm(&ground)?, ["Apply"]);

    for helm in [&three, &four] {
        let listed = helm.json(&["list", "--selector", "team=gpu"])?;
        assert_eq!((&listed[0]["chart"], &listed[0]["revision"]), (&json!("nvidia-device-plugin-0.17.4"), &json!("5")));
        let expected = ["superseded", "superseded", "superseded", "superseded", "deployed"];
        assert_eq!(statuses(helm, name)?, expected, "{:?}", helm.major());
    }
    three.run(&["uninstall", name, "--wait"])?;
    ground.expect_nothing_left()?;
    workspace.destroy()?;
    ground.leave()
}
harness::with!(tofu a_history_that_helm_3_and_helm_4_and_we_wrote_is_one_history_to_all);

fn a_record_that_is_turned_off_and_on_again_ends_and_begins_anew(case: &Case) -> Result<()> {
    let ground = Ground::new(case, "record")?;
    let helm = helm_over(case, &ground, HelmMajor::Four)?;
    let workspace = ground.workspace(case, "0.20.0", "")?;
    workspace.apply()?;
    let before = ground.live()?;
    for (argument, revisions, revision) in
        [("helm_release_record = false", vec![], Value::Null), ("", vec!["deployed"], json!(1))]
    {
        ground.rewrite(&workspace, "0.20.0", argument)?;
        let plan = workspace.plan()?;
        assert_eq!(plan.actions(ADDRESS), ["update"]);
        assert_eq!(plan.changed_paths(ADDRESS), ["helm_release_record", "revision"], "no object changes");
        workspace.apply_plan()?;
        expect_settled(&workspace)?;
        assert_eq!(ground.revisions()?, revisions);
        assert_eq!(workspace.state()?.values(ADDRESS)?["revision"], revision);
        assert_eq!(helm.json(&["list"])?.as_array().map(Vec::len), Some(revisions.len()));
        assert_eq!(ground.live()?["metadata"]["generation"], before["metadata"]["generation"]);
    }
    helm.run(&["uninstall", &ground.name, "--wait"])?;
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::with!(terraform a_record_that_is_turned_off_and_on_again_ends_and_begins_anew);
