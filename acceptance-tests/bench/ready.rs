//! From nothing to a plugin that is ready on its node: an apply of one release beside `helm install --wait` of a chart
//! with the same objects, in turns on one cluster of played nodes.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use harness::{Case, Cli, Cluster, Helm, HelmMajor, Minor, Workspace};

use crate::{Figure, median, say};

const RUNS: usize = 7;
const VERSION: &str = "0.20.0";

/// What helm names its own release; the objects are the same, so only one of the two is there at a time.
const NAME: &str = "nvidia-device-plugin";

pub(crate) fn measure(binary: &Path) -> Result<Vec<Figure>> {
    let case = Case::new(Cli::Terraform, Minor(12), binary)?;
    let cluster = Cluster::start()?;
    cluster.node("gpu-0").label("nvidia.com/gpu.present", "true").gpus(2).create()?;
    cluster.apply("{\"apiVersion\": \"node.k8s.io/v1\", \"kind\": \"RuntimeClass\", \"metadata\": {\"name\": \"nvidia\"}, \"handler\": \"nvidia\"}")?;
    let workspace = case.workspace_over(&cluster.kubeconfig(), &release())?;
    let helm = Helm::new(HelmMajor::Four, &case.path().join("helm"), &cluster.kubeconfig(), NAME)?;

    // The first of each is not measured: it gives the manifest, and pulls what is not in memory yet.
    workspace.apply().context("apply")?;
    let chart = helm.chart(VERSION, &helm.run(&["get", "manifest", NAME])?)?;
    workspace.destroy()?;
    let chart = chart.to_str().context("the path is text")?;
    installed(&cluster, &helm, chart)?;

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(applied(&cluster, &workspace)?);
        theirs.push(installed(&cluster, &helm, chart)?);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = ours / theirs;
    say(&format!(
        "\ncreate to ready, ms, median of {RUNS} in turns: apply {ours:.0}, helm install --wait {theirs:.0}, ratio {ratio:.2}"
    ));
    let what = "create to ready against helm install --wait".to_owned();
    Ok(vec![Figure { what, unit: "times", measured: ratio, aim: 1.0, fault: 2.0 }])
}

fn release() -> String {
    format!(
        "resource \"nvidia_device_plugin_release\" \"this\" {{\n  version            = \"{VERSION}\"\n  runtime_class_name = \"nvidia\"\n}}\n"
    )
}

/// Milliseconds of an apply, which is taken back.
fn applied(cluster: &Cluster, workspace: &Workspace) -> Result<f64> {
    let run = workspace.apply()?;
    expect_ready(cluster)?;
    workspace.destroy()?;
    Ok(run.elapsed.as_secs_f64() * 1000.0)
}

/// Milliseconds of an install, which is taken back with its namespace.
fn installed(cluster: &Cluster, helm: &Helm, chart: &str) -> Result<f64> {
    let began = Instant::now();
    helm.run(&["install", NAME, chart, "--create-namespace", "--wait"])?;
    let took = began.elapsed().as_secs_f64() * 1000.0;
    expect_ready(cluster)?;
    helm.run(&["uninstall", NAME, "--wait"])?;
    cluster.kubectl(&["delete", "namespace", NAME, "--wait"])?.succeeded()?;
    Ok(took)
}

fn expect_ready(cluster: &Cluster) -> Result<()> {
    let set = cluster.api().get(&format!("/apis/apps/v1/namespaces/{NAME}/daemonsets/{NAME}"))?;
    ensure!(set["status"]["numberReady"] == 1, "the plugin is not ready: {}", set["status"]);
    Ok(())
}
