//! What a plan that changes nothing costs with 100 runtime classes on a real API server, beside as many `terraform_data`
//! and the same classes of a provider that does nothing; and how many requests it took, as a front before that server counts them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::{Case, Cli, Cluster, Minor, processor_time};

use crate::nothing::Twin;
use crate::plans::quiet_plan;
use crate::{Figure, median, say};

const SIZE: usize = 100;
const PLANS: usize = 5;

pub(crate) fn measure(binary: &Path) -> Result<Vec<Figure>> {
    let case = Case::new(Cli::Terraform, Minor(13), binary)?;
    let cluster = Cluster::start()?;
    let front = cluster.front()?;
    let classes = case.workspace_over(&cluster.kubeconfig(), &classes())?;
    let plain = case.workspace(&format!("resource \"terraform_data\" \"this\" {{\n  count = {SIZE}\n}}\n"))?;
    classes.apply().context("apply")?;
    plain.apply()?;
    let twin = Twin::of(&classes)?;

    let (mut with, mut beside, mut idle, mut worked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PLANS {
        let before = server_time(&cluster)?;
        with.push(quiet_plan(&classes, &[])?);
        worked.push(server_time(&cluster)? - before);
        beside.push(quiet_plan(&plain, &[])?);
        idle.push(quiet_plan(&twin.workspace, &[])?);
    }
    classes.write("main.tf", &harness::main_tf_over(None, Some(front.kubeconfig()), &self::classes()))?;
    quiet_plan(&classes, &[])?;
    let requests = front.requests().len();
    let (with, beside, idle, worked) = (median(with), median(beside), median(idle), median(worked));
    let ratio = with / beside;
    say(&format!(
        "{SIZE} runtime classes: {with:.0} ms, {SIZE} terraform_data: {beside:.0} ms, ratio {ratio:.2}, with nothing done: {idle:.0} ms, {requests} requests, API server's CPU {worked:.0} ms"
    ));
    let figure =
        |what: &str, unit, measured, aim| Figure { what: what.to_owned(), unit, measured, aim, fault: 2.0 * aim };
    let requests = f64::from(u32::try_from(requests).unwrap_or(u32::MAX));
    Ok(vec![
        figure("plan of 100 runtime classes against terraform_data", "times", ratio, 2.6),
        figure("plan of 100 runtime classes against doing nothing", "times", with / idle, 2.0),
        // One for each, and one for the versions of the nodes.
        figure("requests of a plan of 100 runtime classes", "number", requests, 101.0),
    ])
}

/// What the API server and its etcd have worked, on the same cores, in milliseconds.
pub(crate) fn server_time(cluster: &Cluster) -> Result<f64> {
    let parts = cluster.processes().filter(|(name, _)| ["etcd", "kube-apiserver"].contains(name));
    let times = parts.map(|(_, id)| processor_time(id)).collect::<Result<Vec<_>>>()?;
    Ok(times.iter().sum::<Duration>().as_secs_f64() * 1000.0)
}

fn classes() -> String {
    format!(
        "resource \"nvidia_runtime_class\" \"this\" {{\n  count = {SIZE}\n  name  = \"nvidia-${{count.index}}\"\n  labels = {{ team = \"ml\" }}\n}}\n"
    )
}
