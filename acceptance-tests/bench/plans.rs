//! What a plan that changes nothing costs, with 1 to 1,000 nodes behind one endpoint that are really read, beside as
//! many `terraform_data` and as many resources of a provider that does nothing; and how many connections and calls it
//! took, as the node's own log has it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use harness::{Case, Cli, Minor, Node, NodeOptions, Workspace, main_tf};
use serde_json::{Value, json};

use crate::nothing::{self, Twin};
use crate::{Figure, median, say};

const SIZES: [u32; 4] = [1, 100, 500, 1000];
pub(crate) const PLANS: usize = 5;
const MINOR: Minor = Minor(13);

/// One size, measured.
struct Measured {
    patches: f64,
    unrefreshed: f64,
    plain: f64,
    /// The same patches of a provider that does nothing.
    idle: f64,
    /// As many resources of one attribute, of that provider.
    least: f64,
    connections: usize,
    calls: usize,
    /// What the node itself worked during one plan, on the same cores, in milliseconds.
    node: f64,
}

pub(crate) fn measure(binary: &Path) -> Result<Vec<Figure>> {
    say(&format!(
        "terraform {}, Talos {MINOR}; a plan that changes nothing, ms, median of {PLANS}",
        Cli::Terraform.version()?
    ));
    say(&format!(
        "{:>6} {:>9} {:>14} {:>14} {:>7} {:>12} {:>13} {:>11} {:>12} {:>10}",
        "nodes",
        "patches",
        "-refresh=false",
        "terraform_data",
        "ratio",
        "done nothing",
        "one attribute",
        "node's CPU",
        "connections",
        "calls/node"
    ));
    let mut figures = Vec::new();
    for size in SIZES {
        let measured = one_size(binary, size).with_context(|| format!("with {size} nodes"))?;
        let ratio = measured.patches / measured.plain;
        say(&format!(
            "{size:>6} {:>9.0} {:>14.0} {:>14.0} {ratio:>7.2} {:>12.0} {:>13.0} {:>11.0} {:>12} {:>10}",
            measured.patches,
            measured.unrefreshed,
            measured.plain,
            measured.idle,
            measured.least,
            measured.node,
            measured.connections,
            measured.calls
        ));
        figures.extend(judged(size, ratio, &measured));
    }
    Ok(figures)
}

fn judged(size: u32, ratio: f64, measured: &Measured) -> Vec<Figure> {
    let count = |what: &str, measured: usize, most: u32| Figure {
        what: format!("{what} at {size} nodes"),
        unit: "number",
        measured: f64::from(u32::try_from(measured).unwrap_or(u32::MAX)),
        aim: f64::from(most),
        fault: f64::from(most),
    };
    let mut figures = vec![
        count("TLS connections in one plan", measured.connections, 1),
        count("calls to the busiest node in one plan", measured.calls, 4),
    ];
    let mut times = |what: &str, measured, aim| {
        let what = format!("plan of {size} patches against {what}");
        figures.push(Figure { what, unit: "times", measured, aim, fault: 2.0 * aim });
    };
    match size {
        100 => times("terraform_data", ratio, 2.6),
        1000 => {
            times("terraform_data", ratio, 5.2);
            times("a provider that does nothing", measured.patches / measured.idle, 2.0);
        }
        _ => {}
    }
    figures
}

fn one_size(binary: &Path, size: u32) -> Result<Measured> {
    let case = Case::new(Cli::Terraform, MINOR, binary)?;
    let nodes = json!([{"name": "10.0.0.1"}, {"name": "gpu-%d", "hostname": "gpu-%d.test", "count": size}]);
    let node = case.node_with(&NodeOptions::script(json!({"nodes": nodes})))?;
    let patches = case.workspace(&main_tf(&node, &patches(size)))?;
    let plain =
        case.workspace(&format!("resource \"terraform_data\" \"this\" {{\n  count = {size}\n  input = \"gpu\"\n}}\n"))?;
    patches.apply().context("apply")?;
    plain.apply()?;

    let idle = nothing::case()?;
    let nothing = idle.workspace(&main_tf(&node, &least(size)))?;
    nothing.apply().context("apply of nothing")?;
    let twin = Twin::of(&patches)?;

    let before = node.events()?.len();
    quiet_plan(&patches, &[])?;
    let (connections, calls) = traffic(&node, before)?;
    // In turns, so that a machine that is busy for a while is busy for all.
    let (mut with, mut without, mut beside, mut worked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut least, mut still) = (Vec::new(), Vec::new());
    for _ in 0..PLANS {
        let before = node.processor_time()?;
        with.push(quiet_plan(&patches, &[])?);
        worked.push((node.processor_time()? - before).as_secs_f64() * 1000.0);
        without.push(quiet_plan(&patches, &["-refresh=false"])?);
        beside.push(quiet_plan(&plain, &[])?);
        least.push(quiet_plan(&nothing, &[])?);
        still.push(quiet_plan(&twin.workspace, &[])?);
    }
    Ok(Measured {
        patches: median(with),
        unrefreshed: median(without),
        plain: median(beside),
        idle: median(still),
        least: median(least),
        connections,
        calls,
        node: median(worked),
    })
}

/// Milliseconds of a plan; one that finds anything to do is not what is measured here.
pub(crate) fn quiet_plan(workspace: &Workspace, arguments: &[&str]) -> Result<f64> {
    let run = workspace.run(&[&["plan", "-no-color", "-detailed-exitcode"], arguments].concat())?;
    ensure!(run.code == Some(0), "the plan is not empty: {run}");
    Ok(run.elapsed.as_secs_f64() * 1000.0)
}

/// Connections, and the calls to the node that got most of them, in the log from here on.
pub(crate) fn traffic(node: &Node, from: usize) -> Result<(usize, usize)> {
    let events: Vec<Value> = node.events()?.into_iter().skip(from).collect();
    let connections = events.iter().filter(|event| event["event"] == "tls").count();
    let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
    for name in events.iter().filter(|event| event["event"] == "call").filter_map(|event| event["node"].as_str()) {
        *calls.entry(name).or_default() += 1;
    }
    Ok((connections, calls.into_values().max().unwrap_or(0)))
}

pub(crate) fn patches(size: u32) -> String {
    format!(
        r#"resource "talos_nvidia_node_patch" "this" {{
  provider = nvidia
  count    = {size}
  node     = "gpu-${{count.index}}"
}}
"#
    )
}

fn least(size: u32) -> String {
    format!(
        "resource \"{}\" \"this\" {{\n  provider = nvidia\n  count    = {size}\n  input    = \"gpu\"\n}}\n",
        nothing::LEAST
    )
}
