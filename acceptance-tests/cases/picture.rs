//! The picture in the README is what a reader of the README would see: its example, word by word, on two nodes and a cluster;
//! three edits by hand; one plan.
//!
//! `make picture` draws it anew. Without that the case fails where the picture is not what a plan shows now.

mod svg;

use std::fs;

use anyhow::{Context, Result, ensure};
use harness::{Case, Cli, Workspace, repository};

use crate::ground::{Ground, NODES};
use crate::pages;
use crate::patch::{expect_settled, take_module_out};

/// What the picture lies in, below the repository's root.
const PICTURE: &str = "examples/demo/plan-with-drift.svg";
/// With this variable in the environment the picture is drawn and not compared.
const DRAW: &str = "DRAW_PICTURE";
const TITLE: &str = "terraform plan, after three edits by hand";

/// What is edited by hand: the resource, and the attribute whose difference the plan has to show.
const EDITED: [(&str, &str); 3] = [
    ("nvidia_device_plugin_release.nvidia", "manifest"),
    ("nvidia_runtime_class.nvidia", "labels"),
    ("talos_nvidia_node_patch.gpu[\"10.0.0.5\"]", "kernel_modules"),
];

pub(crate) fn the_readmes_example_is_applied_and_one_plan_shows_three_edits_by_hand_as_its_picture_does(
    case: &Case,
) -> Result<()> {
    let page = pages::page("README.md")?;
    let ground = Ground::new(case)?;
    let mut workspace = case.workspace("")?;
    ground.is_reached_from(&mut workspace)?;
    workspace.write("main.tf", &ground.named(&pages::blocks(&page, "hcl")?.concat()))?;
    workspace.apply()?;
    expect_settled(&workspace)?;

    take_module_out(&ground.node.named(NODES[0]), "nvidia_uvm")?;
    let kubectl = |arguments: &[&str]| ground.cluster.kubectl(arguments)?.succeeded();
    kubectl(&["label", "runtimeclass", "nvidia", "app.kubernetes.io/part-of=graphics", "--overwrite"])?;
    let set = "daemonset/nvidia-device-plugin";
    kubectl(&["--namespace", "nvidia-device-plugin", "set", "env", set, "MIG_STRATEGY=mixed"])?;

    let plan = workspace.plan()?;
    for (address, attribute) in EDITED {
        assert_eq!(plan.actions(address), ["update"], "{address}");
        let changed = plan.change(address)?.changed_attributes();
        ensure!(changed.iter().any(|name| name == attribute), "{address} changes {changed:?} and not {attribute}");
    }
    let planned = plan.changes().iter().filter(|change| change.actions == ["update"]).count();
    assert_eq!(planned, EDITED.len(), "{:?}", plan.changes());
    // OpenTofu shows some unchanged lines that Terraform hides; there is one picture.
    if case.cli == Cli::Terraform {
        is_as_pictured(&mut workspace, &page)?;
    }
    workspace.destroy()?;
    ground.is_as_before()
}
harness::on!(the_readmes_example_is_applied_and_one_plan_shows_three_edits_by_hand_as_its_picture_does: 12 on_talos_1_12);

fn is_as_pictured(workspace: &mut Workspace, page: &str) -> Result<()> {
    workspace.remove_env("NO_COLOR");
    let shown = excerpt(&workspace.run(&["plan"])?.succeeded()?.stdout);
    let text = shown.join("\n");
    let of_this_run = ["127.0.0.1", "/tmp", "test/"].into_iter().find(|word| text.contains(word));
    ensure!(of_this_run.is_none(), "the next picture would be another one: {of_this_run:?} is in\n{text}");
    let picture = svg::svg(TITLE, &alternative(page)?, &text)?;
    let file = repository()?.join(PICTURE);
    if std::env::var_os(DRAW).is_some() {
        return Ok(fs::write(file, picture)?);
    }
    let drawn = fs::read_to_string(&file).unwrap_or_default();
    ensure!(drawn == picture, "{PICTURE} is not what a plan shows now. `make picture` draws it anew; shown is\n{text}");
    Ok(())
}

/// What the README says of the picture to those who do not see it.
fn alternative(page: &str) -> Result<String> {
    let end = format!("]({PICTURE})");
    let before = page.split(&end).next().filter(|before| before.len() < page.len());
    let text = before.and_then(|before| before.rsplit_once("![")).context("README.md does not show the picture")?.1;
    ensure!(
        EDITED.iter().all(|(_, attribute)| text.contains(attribute)),
        "the picture's alternative text tells too little"
    );
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The resources of a plan, and its last line. What goes before and after them is progress, and data sources, whose
/// every attribute is known after the apply.
fn excerpt(plan: &str) -> Vec<String> {
    let mut kept = vec!["\u{1b}[1m$ terraform plan\u{1b}[0m".to_owned(), String::new()];
    let mut inside = false;
    for line in plan.lines() {
        let text = svg::plain(line);
        inside = match text.strip_prefix("  # ") {
            // Below a heading there may be a reason, in parentheses.
            Some(heading) if !heading.starts_with('(') => !heading.starts_with("data."),
            _ => inside || text.starts_with("Plan: "),
        };
        if inside {
            kept.push(line.to_owned());
        }
        if text.starts_with("Plan: ") {
            break;
        }
    }
    kept
}
