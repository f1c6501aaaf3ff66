//! The guide "From the guide by hand to code", followed from its first block to its end, and the commands with which the
//! pages have a reader look at a node or a cluster.

use anyhow::{Result, ensure};
use harness::{Case, Cli, Workspace};

use super::{GUIDE, blocks, page};
use crate::ground::{Ground, NODES};
use crate::patch::{expect_modules_live, expect_settled};

/// A command that only looks.
pub(super) struct Look {
    /// As a page prints it.
    pub(super) printed: &'static str,
    /// What a reader adds for a node, a file or a name of theirs.
    added: &'static str,
    /// What it then says.
    says: &'static str,
}

const fn look(printed: &'static str, added: &'static str, says: &'static str) -> Look {
    Look { printed, added, says }
}

pub(super) const LOOKS: [Look; 15] = [
    look("talosctl config info", "", "Current context"),
    look("talosctl gen config", "gpu https://10.0.0.1:6443 --output-dir made", ""),
    look("talosctl -n NODE -e ENDPOINT version", "", "Tag:         v1.12"),
    look("talosctl -n NODE dmesg", "", "Linux version"),
    look("talosctl -n NODE services", "", "cri"),
    look("talosctl dmesg", "--nodes 10.0.0.5", "Linux version"),
    look("talosctl services", "--nodes 10.0.0.5", "cri"),
    look("talosctl get extensions", "--nodes 10.0.0.5", "nvidia-open-gpu-kernel-modules-lts"),
    look("talosctl read /proc/modules", "--nodes 10.0.0.5", "nvidia_uvm "),
    look("talosctl read /proc/driver/nvidia/version", "--nodes 10.0.0.5", "NVRM version"),
    // An editor that leaves it as it is.
    look("talosctl edit machineconfig", "--nodes 10.0.0.5", ""),
    look("kubectl config view --minify", "", "clusters:"),
    look("kubectl --kubeconfig FILE version", "", "Server Version"),
    look("kubectl get nodes", "", "Ready"),
    look("kubectl get daemonset", "--namespace nvidia-device-plugin", "nvidia-device-plugin"),
];

pub(super) fn the_guide_is_followed_from_its_provider_block_to_its_destroy(case: &Case) -> Result<()> {
    let all = blocks(&page(GUIDE)?, "terraform")?;
    let (imports, steps): (Vec<String>, Vec<String>) = all.into_iter().partition(|block| block.contains("import {"));
    let ground = Ground::new(case)?;
    let mut workspace = case.workspace("")?;
    ground.is_reached_from(&mut workspace)?;
    workspace.write("main.tf", &ground.named(&steps.concat()))?;
    workspace.run(&["plan"])?.succeeded()?;
    workspace.apply()?;
    for name in NODES {
        expect_modules_live(&ground.node.named(name))?;
    }
    let gpus = workspace.state()?.output("gpus").clone();
    ensure!(gpus.as_object().is_some_and(|nodes| nodes.len() == 2), "the smoke tests found {gpus}");
    expect_settled(&workspace)?;
    what_is_said_of_refresh_only_is_so(&workspace)?;
    each_look_shows_what_it_is_for(&workspace, &ground)?;

    let mut second = case.workspace("")?;
    ground.is_reached_from(&mut second)?;
    second.write("main.tf", &ground.named(&[steps, imports].concat().concat()))?;
    what_was_done_already_is_imported(&second)?;

    workspace.destroy()?;
    ground.is_as_before()
}
harness::on!(the_guide_is_followed_from_its_provider_block_to_its_destroy: 12 on_talos_1_12);

/// Terraform's exit code depends on how a number is held, which the versions that the page names do so.
fn what_is_said_of_refresh_only_is_so(workspace: &Workspace) -> Result<()> {
    let run = workspace.run(&["plan", "-refresh-only", "-detailed-exitcode"])?.succeeded()?;
    let (cli, version) = (workspace.cli(), workspace.cli().version()?);
    ensure!(run.stdout.contains("No changes."), "nobody has changed anything:\n{}", run.stdout);
    let expected = if cli == Cli::Terraform { 2 } else { 0 };
    ensure!(run.code == Some(expected), "{cli} {version} {}; say so in the guide", run.outcome());
    Ok(())
}

fn each_look_shows_what_it_is_for(workspace: &Workspace, ground: &Ground) -> Result<()> {
    let endpoint = ground.node.endpoint()?;
    for look in &LOOKS {
        let line = format!("EDITOR=true {} {}", look.printed, look.added);
        let line = line.replace("NODE", NODES[0]).replace("ENDPOINT", &endpoint).replace("FILE", "~/.kube/config");
        let said = workspace.shell(&line)?.succeeded()?.stdout;
        ensure!(said.contains(look.says), "`{line}` says nowhere {:?}:\n{said}", look.says);
    }
    Ok(())
}

/// Nothing is made or taken away, and a patch and a class that are as configured are not even changed.
fn what_was_done_already_is_imported(workspace: &Workspace) -> Result<()> {
    let plan = workspace.plan()?;
    for (address, actions) in [
        ("talos_nvidia_node_patch.gpu", "no-op"),
        ("nvidia_runtime_class.nvidia", "no-op"),
        ("nvidia_device_plugin_release.nvidia", "update"),
        ("nvidia_smoke_test.gpu", "create"),
    ] {
        let of_it: Vec<_> = plan.changes().into_iter().filter(|change| change.address.starts_with(address)).collect();
        ensure!(!of_it.is_empty(), "the plan says nothing of {address}");
        for change in of_it {
            assert_eq!(change.actions, [actions], "{}: {:?}", change.address, change.changed_paths());
            assert_eq!(change.importing.is_some(), actions != "create", "{}", change.address);
        }
    }
    let of_release = plan.change("nvidia_device_plugin_release.nvidia")?.changed_attributes();
    assert_eq!(of_release, ["min_ready_nodes", "wait_for"], "the guide names what a record does not know");
    Ok(())
}
