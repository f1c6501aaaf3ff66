//! What the status of many nodes costs beside a plan of as many patches that changes nothing: how long a plan takes that
//! reads it, and how many connections and calls a read takes, as the node's own log has it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use harness::{Case, Cli, Minor, NodeOptions, Workspace, main_tf};
use serde_json::json;

use crate::plans::{PLANS, patches, quiet_plan, traffic};
use crate::{Figure, median, say};

const SIZES: [u32; 2] = [1, 200];
const MINOR: Minor = Minor(13);

/// The calls of one read of a healthy node with one GPU: twelve that depend on nothing, and three that do.
const CALLS: u32 = 15;

pub(crate) fn measure(binary: &Path) -> Result<Vec<Figure>> {
    say(&format!(
        "\nterraform {}, Talos {MINOR}; a plan that reads the status of each node, ms, median of {PLANS}",
        Cli::Terraform.version()?
    ));
    say(&format!(
        "{:>6} {:>9} {:>9} {:>14} {:>12} {:>12} {:>11}",
        "nodes", "status", "patches", "terraform_data", "ms per read", "connections", "calls/node"
    ));
    let mut figures = Vec::new();
    for size in sizes() {
        figures.extend(one_size(binary, size).with_context(|| format!("with {size} nodes"))?);
    }
    Ok(figures)
}

/// Another size than the usual ones: `STATUS_NODES=50`.
fn sizes() -> Vec<u32> {
    let asked = std::env::var("STATUS_NODES").ok().and_then(|number| number.parse().ok());
    asked.map_or_else(|| SIZES.to_vec(), |size| vec![size])
}

fn one_size(binary: &Path, size: u32) -> Result<Vec<Figure>> {
    let case = Case::new(Cli::Terraform, MINOR, binary)?;
    let nodes = json!([{"name": "10.0.0.1"}, {"name": "gpu-%d", "hostname": "gpu-%d.test", "count": size}]);
    let node = case.node_with(&NodeOptions::script(json!({"nodes": nodes})))?;
    let changes = case.workspace(&main_tf(&node, &patches(size)))?;
    let reads = case.workspace(&main_tf(&node, &statuses(size)))?;
    let plain =
        case.workspace(&format!("resource \"terraform_data\" \"this\" {{\n  count = {size}\n  input = \"gpu\"\n}}\n"))?;
    for workspace in [&changes, &plain, &reads] {
        workspace.apply().context("apply")?;
    }
    ensure!(every_node_is_ready(&reads, size)?, "a node is not ready, which is not what is measured here");

    let before = node.events()?.len();
    quiet_plan(&reads, &[])?;
    let (connections, calls) = traffic(&node, before)?;
    let (mut status, mut patched, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PLANS {
        status.push(quiet_plan(&reads, &[])?);
        patched.push(quiet_plan(&changes, &[])?);
        beside.push(quiet_plan(&plain, &[])?);
    }
    let (status, patched, beside) = (median(status), median(patched), median(beside));
    let each = (status - beside) / f64::from(size);
    say(&format!("{size:>6} {status:>9.0} {patched:>9.0} {beside:>14.0} {each:>12.2} {connections:>12} {calls:>11}"));
    let count = |what: &str, measured: usize, most: u32| Figure {
        what: format!("{what} at {size} nodes"),
        unit: "number",
        measured: f64::from(u32::try_from(measured).unwrap_or(u32::MAX)),
        aim: f64::from(most),
        fault: f64::from(most),
    };
    Ok(vec![
        count("TLS connections in a plan that reads the status", connections, 1),
        count("calls to the busiest node in a read of its status", calls, CALLS),
    ])
}

fn every_node_is_ready(workspace: &Workspace, size: u32) -> Result<bool> {
    let state = workspace.state()?;
    let ready = state.output("ready").as_array().context("no output")?;
    Ok(ready.len() == usize::try_from(size)? && ready.iter().all(|ready| ready == true))
}

fn statuses(size: u32) -> String {
    format!(
        r#"data "nvidia_driver_status" "this" {{
  count = {size}
  node  = "gpu-${{count.index}}"
}}

output "ready" {{
  value = data.nvidia_driver_status.this[*].ready
}}
"#
    )
}
