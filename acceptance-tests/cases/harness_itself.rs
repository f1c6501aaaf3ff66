//! The harness over things that need no provider: a case that passes must be able to fail.

use anyhow::{Context, Result};
use harness::{Canaries, Case, Cluster};
use serde_json::json;

fn a_plan_of_terraform_data_is_made_applied_and_then_empty(case: &Case) -> Result<()> {
    let workspace = case.workspace("resource \"terraform_data\" \"this\" {\n  input = \"one\"\n}\n")?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions("terraform_data.this"), ["create"]);
    assert!(plan.expect_empty().is_err());
    workspace.apply_plan()?;
    workspace.plan()?.expect_empty()?;

    workspace.write("main.tf", "resource \"terraform_data\" \"this\" {\n  input = \"two\"\n}\n")?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions("terraform_data.this"), ["update"]);
    assert_eq!(plan.changed_paths("terraform_data.this"), ["input", "output"]);
    workspace.apply()?;
    assert_eq!(workspace.state()?.values("terraform_data.this")?["output"], "two");

    workspace.destroy()?;
    assert!(workspace.state()?.addresses().is_empty());
    Ok(())
}
harness::on_one_minor!(a_plan_of_terraform_data_is_made_applied_and_then_empty);

fn a_bad_configuration_is_named_with_its_line(case: &Case) -> Result<()> {
    let workspace = case.workspace("resource \"terraform_data\" \"this\" {\n  input = nothing\n}\n")?;
    let error = workspace.validate()?.failed()?.only_error()?;
    assert_eq!((error.line, error.code.as_deref()), (Some(2), Some("input = nothing")));
    let error = workspace.plan_that_fails()?.only_error()?;
    assert_eq!(error.context.as_deref(), Some("resource \"terraform_data\" \"this\""));
    Ok(())
}
harness::on_one_minor!(a_bad_configuration_is_named_with_its_line);

fn ctrl_c_reaches_the_command_line_and_it_ends(case: &Case) -> Result<()> {
    let slow = "resource \"terraform_data\" \"this\" {\n  provisioner \"local-exec\" {\n    command = \"echo here; exec sleep 100\"\n  }\n}\n";
    let workspace = case.workspace(slow)?;
    let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
    while !running.printed()?.contains("here") {
        std::thread::yield_now();
    }
    running.interrupt()?;
    let run = workspace.finish(running)?.failed()?;
    assert!(run.elapsed.as_secs() < 60, "it went on for {:?}", run.elapsed);
    Ok(())
}
harness::on_one_minor!(ctrl_c_reaches_the_command_line_and_it_ends);

fn a_node_shows_its_bytes_takes_an_edit_and_comes_back_as_another_version(case: &Case) -> Result<()> {
    let mut node = case.node()?;
    let before = node.config()?;
    node.edit_config("machine:\n", "machine:\n  # somebody was here\n")?;
    let edited = node.config()?;
    assert!(edited.len() > before.len());
    let boot = node.state()?["boot_id"].clone();
    node.reboot()?;
    assert_ne!(node.state()?["boot_id"], boot);
    let endpoint = node.endpoint()?;
    node.restart_as(harness::Minor(14))?;
    assert_eq!(node.endpoint()?, endpoint);
    assert_eq!(node.config()?, edited);
    assert_eq!(node.connections()?, 0);
    Ok(())
}
harness::on_one_minor!(a_node_shows_its_bytes_takes_an_edit_and_comes_back_as_another_version);

fn a_secret_that_is_let_out_is_found_in_output_state_and_plan(case: &Case) -> Result<()> {
    let mut workspace = case.workspace(
        "variable \"secret\" {}\nresource \"terraform_data\" \"this\" {\n  input = base64encode(\"x${var.secret}y\")\n}\n",
    )?;
    workspace.set_env("TF_VAR_secret", "CanaryInTheCoalMine42");
    workspace.trace();
    workspace.plan()?;
    workspace.apply()?;
    let canaries = Canaries::new().plant("the variable", "CanaryInTheCoalMine42").plant("another", "NobodyWroteThis17");
    let leaks = canaries.scan(&workspace.left_behind())?;
    assert!(leaks.iter().all(|leak| leak.canary == "the variable"), "{leaks:?}");
    for place in ["terraform.tfstate", "plan.bin!", "-show.stdout"] {
        let found = leaks.iter().any(|leak| leak.place.contains(place) && leak.dress == "base64");
        assert!(found, "nothing in {place}: {leaks:?}");
    }
    Ok(())
}
harness::on_one_minor!(a_secret_that_is_let_out_is_found_in_output_state_and_plan);

fn a_cluster_is_reached_with_the_kubeconfig_that_the_case_is_given(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("from-the-case");
    cluster.node(&name).taint("nvidia.com/gpu", "present", "NoSchedule").create()?;
    let main = harness::main_tf_over(None, Some(&cluster.kubeconfig()), "");
    assert!(main.contains(&format!("  kubernetes = {{\n    config_path = \"{}\"", cluster.kubeconfig().display())));
    let proxy = cluster.proxy()?;
    let ask = ["get", "node", &name, "-o", "jsonpath={.status.nodeInfo.osImage}"];
    assert_eq!(cluster.kubectl_as(proxy.kubeconfig(), &ask)?.succeeded()?, "Talos (v1.12.0)");
    assert!(proxy.connections() > 0);
    Ok(())
}
harness::on_one_minor!(a_cluster_is_reached_with_the_kubeconfig_that_the_case_is_given);

#[test]
fn a_failing_case_tells_its_files_commands_and_calls() -> Result<()> {
    let fails = |case: &Case| -> Result<()> {
        let node = case.node()?;
        node.fault(&json!({"method": "Get", "do": "busy"}))?;
        case.cluster()?.node("seen-in-the-report").create()?;
        let workspace = case.workspace("resource \"terraform_data\" \"this\" {\n  input = nothing\n}\n")?;
        workspace.plan().map(drop)
    };
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_terraform-provider-nvidia"));
    let report = harness::run(harness::Cli::Tofu, harness::Minor(13), binary, fails);
    let report = format!("{:?}", report.err().context("the case was to fail")?);
    for part in [
        "was to succeed and ended with exit code 1",
        "input = nothing",
        "plan -json",
        "Error:",
        "calls.jsonl",
        "seen-in-the-report",
    ] {
        assert!(report.contains(part), "{part:?} is not in the report:\n{report}");
    }
    let kept = report.split("kept in ").nth(1).and_then(|rest| rest.lines().next()).context("no folder is named")?;
    let name = std::path::Path::new(kept).file_name().context("the folder has no name")?;
    // Only what this case has left: another may have failed in earnest.
    std::fs::remove_file(Cluster::shared()?.folder().join("keep").join(name))?;
    Ok(std::fs::remove_dir_all(kept)?)
}
