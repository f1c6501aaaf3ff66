//! What a plan that changes nothing costs with 1 and 50 releases, each in a namespace of its own on a real API server,
//! beside as many `terraform_data` and the same releases of a provider that does nothing; how many requests and connections it took, as a front and a proxy before that server
//! count them; and what the same look costs with `helm get manifest` and `kubectl diff`.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use harness::{Case, Cli, Cluster, Helm, HelmMajor, Minor, Workspace, main_tf_over};

use crate::classes::server_time;
use crate::nothing::Twin;
use crate::plans::quiet_plan;
use crate::{Figure, median, say};

const SIZES: [u32; 2] = [1, 50];
const PLANS: usize = 5;

/// Terraform's own work on values of this schema alone takes 4.7 times the processor time of `terraform_data`.
const AIM: f64 = 6.0;

/// As many answers as the provider waits for at once.
const CONNECTIONS: u32 = 20;

/// One size, measured, in milliseconds.
struct Measured {
    releases: f64,
    plain: f64,
    /// The same releases of a provider that does nothing.
    idle: f64,
    helm: f64,
    /// What the API server itself worked during one plan, on the same cores.
    server: f64,
    objects: u32,
    requests: u32,
    connections: u32,
}

pub(crate) fn measure(binary: &Path) -> Result<Vec<Figure>> {
    say(&format!(
        "\nterraform {}; a plan of releases that changes nothing, ms, median of {PLANS}",
        Cli::Terraform.version()?
    ));
    say(&format!(
        "{:>8} {:>9} {:>14} {:>7} {:>12} {:>12} {:>22} {:>17} {:>12}",
        "releases",
        "plan",
        "terraform_data",
        "ratio",
        "done nothing",
        "server's CPU",
        "helm and kubectl diff",
        "requests/release",
        "connections"
    ));
    let mut figures = Vec::new();
    for size in SIZES {
        let measured = one_size(binary, size).with_context(|| format!("with {size} releases"))?;
        let ratio = measured.releases / measured.plain;
        // One more request for all of them: the versions of the nodes.
        let each = f64::from(measured.requests - 1) / f64::from(size);
        say(&format!(
            "{size:>8} {:>9.0} {:>14.0} {ratio:>7.2} {:>12.0} {:>12.0} {:>22.0} {each:>17.2} {:>12}",
            measured.releases, measured.plain, measured.idle, measured.server, measured.helm, measured.connections
        ));
        figures.extend(judged(size, &measured));
    }
    Ok(figures)
}

fn judged(size: u32, measured: &Measured) -> Vec<Figure> {
    let count = |what: &str, measured: u32, aim: u32, fault: u32| Figure {
        what: format!("{what} of a plan of {size} releases"),
        unit: "number",
        measured: f64::from(measured),
        aim: f64::from(aim),
        fault: f64::from(fault),
    };
    let requests = (1 + measured.objects) * size + 1;
    let times = |what: &str, measured, aim| Figure {
        what: format!("plan of {size} releases against {what}"),
        unit: "times",
        measured,
        aim,
        fault: 2.0 * aim,
    };
    let mut figures = vec![
        // Its records in one request, each of its objects in one, and the versions of the nodes once for all.
        count("requests", measured.requests, requests, requests),
        // A connection is free a moment after its answer is there, so a few more may be made.
        count("connections", measured.connections, CONNECTIONS, 2 * CONNECTIONS),
        times("helm and kubectl diff", measured.releases / measured.helm, 1.0),
    ];
    if size > 1 {
        figures.push(times("terraform_data", measured.releases / measured.plain, AIM));
        figures.push(times("doing nothing", measured.releases / measured.idle, 2.0));
    }
    figures
}

fn one_size(binary: &Path, size: u32) -> Result<Measured> {
    let case = Case::new(Cli::Terraform, Minor(12), binary)?;
    let cluster = Cluster::start()?;
    let releases = case.workspace_over(&cluster.kubeconfig(), &self::releases(size))?;
    let plain = case.workspace(&format!("resource \"terraform_data\" \"this\" {{\n  count = {size}\n}}\n"))?;
    releases.apply().context("apply")?;
    plain.apply()?;
    let objects = objects(&releases)?;
    let twin = Twin::of(&releases)?;
    let diffs = Diffs::new(&case, &cluster, size)?;

    quiet_plan(&releases, &[])?;
    diffs.look(1)?;
    // In turns, so that a machine that is busy for a while is busy for all three.
    let (mut with, mut beside, mut helm, mut server) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut idle = Vec::new();
    for _ in 0..PLANS {
        let before = server_time(&cluster)?;
        with.push(quiet_plan(&releases, &[])?);
        server.push(server_time(&cluster)? - before);
        beside.push(quiet_plan(&plain, &[])?);
        idle.push(quiet_plan(&twin.workspace, &[])?);
        helm.push(diffs.look(size)?);
    }
    let (requests, connections) = traffic(&cluster, &releases, size)?;
    Ok(Measured {
        releases: median(with),
        plain: median(beside),
        idle: median(idle),
        helm: median(helm),
        server: median(server),
        objects,
        requests,
        connections,
    })
}

fn objects(workspace: &Workspace) -> Result<u32> {
    let state = workspace.state()?;
    let manifest = state.values("nvidia_device_plugin_release.this[0]")?["manifest"].as_object();
    Ok(u32::try_from(manifest.context("no manifest in the state")?.len())?)
}

/// Requests and connections of one plan.
fn traffic(cluster: &Cluster, workspace: &Workspace, size: u32) -> Result<(u32, u32)> {
    let (front, proxy) = (cluster.front()?, cluster.proxy()?);
    for kubeconfig in [front.kubeconfig(), proxy.kubeconfig()] {
        workspace.write("main.tf", &main_tf_over(None, Some(kubeconfig), &releases(size)))?;
        quiet_plan(workspace, &[])?;
    }
    Ok((u32::try_from(front.requests().len())?, u32::try_from(proxy.connections())?))
}

/// The look at drift that helm and kubectl give: the manifest of the last revision against what stands there.
struct Diffs<'a> {
    cluster: &'a Cluster,
    helms: Vec<Helm>,
}

impl<'a> Diffs<'a> {
    fn new(case: &Case, cluster: &'a Cluster, size: u32) -> Result<Self> {
        let helm = |index| {
            Helm::new(HelmMajor::Four, &case.path().join("helm"), &cluster.kubeconfig(), &format!("gpu-{index}"))
        };
        Ok(Self { cluster, helms: (0..size).map(helm).collect::<Result<_>>()? })
    }

    /// Milliseconds of a look at the first so many releases, one after the other.
    fn look(&self, size: u32) -> Result<f64> {
        let began = Instant::now();
        for (index, helm) in self.helms.iter().enumerate().take(usize::try_from(size)?) {
            let file = helm.home().join("manifest.yaml");
            fs::write(&file, helm.run(&["get", "manifest", &format!("gpu-{index}")])?)?;
            let file = file.to_str().context("the path is text")?;
            let diff = self.cluster.kubectl(&["diff", "-f", file])?;
            ensure!(diff.code == Some(0), "kubectl sees a difference: {}{}", diff.stdout, diff.stderr);
        }
        Ok(began.elapsed().as_secs_f64() * 1000.0)
    }
}

fn releases(size: u32) -> String {
    format!(
        r#"resource "nvidia_device_plugin_release" "this" {{
  count              = {size}
  name               = "gpu-${{count.index}}"
  namespace          = "gpu-${{count.index}}"
  version            = "0.20.0"
  runtime_class_name = "nvidia"
  wait_for           = "none"
}}
"#
    )
}
