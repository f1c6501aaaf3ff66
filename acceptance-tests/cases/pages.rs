//! What the READMEs and the guides print for others to copy: each block and each command is run by a case, or the page says
//! beside it that none runs it.
//!
//! What the cases run they take from the pages, so a page that changes is run as it now is. Blocks that configure this
//! provider need no entry here: `examples` finds and validates them all.

mod blocks;
mod followed;
mod pipeline;
mod steps;

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use harness::{Case, repository};

use crate::{device_plugin_release, examples, registry, runtime_class, sharing, smoke_test, the_guide};

pub(crate) use blocks::{Block, blocks, blocks_in, commands};

/// What a page says of what no test runs: right above a block, or in a sentence that names the command.
const NOT_RUN: &str = "not run by our tests";
const MODULE: &str = "examples/module/README.md";
const GUIDE: &str = "docs/guides/from-the-guide-to-code.md";
const UPGRADING: &str = "docs/guides/upgrading-talos.md";
const BESIDE: &str = "docs/guides/beside-siderolabs-talos.md";
const PIPELINE: &str = "docs/guides/drift-in-ci.md";

/// How it is known that a block or a command does what the page says.
#[expect(dead_code, reason = "that a case is there is said by the compiler, and that it passes by the test runner")]
enum Proof {
    /// This case runs it.
    Run(fn(&Case) -> Result<()>),
    /// It is the guide's hand work, and this case does it with what takes its place.
    Replaced(fn(&Case) -> Result<()>),
    /// A job of the workflow `test` runs it.
    Workflow,
    /// It needs a machine, a GPU or the network.
    NotRun,
}

/// Blocks by their page and first line.
const BLOCKS: [(&str, &str, Proof); 14] = [
    (MODULE, "TALOSCONFIG=", Proof::Run(examples::the_modules_own_tests_pass_and_leave_nothing_behind)),
    ("README.md", "make demo ", Proof::Workflow),
    (
        "README.md",
        "make install ",
        Proof::Run(registry::the_commands_of_the_readme_install_what_was_built_without_a_registry),
    ),
    (BESIDE, "provider \"nvidia\" {", Proof::NotRun),
    (BESIDE, "resource \"talos_machine_configuration_apply\" \"worker\" {", Proof::NotRun),
    (BESIDE, "machine:", Proof::Run(steps::the_text_for_config_patches_is_the_patch_of_a_node_that_has_it)),
    (PIPELINE, "# .github/workflows/gpu-drift.yml", Proof::Run(pipeline::its_workflow_is_one_that_github_takes)),
    (PIPELINE, "#!/bin/sh", Proof::Run(pipeline::its_script_tells_drift_a_sick_node_and_an_unseen_node_apart)),
    (GUIDE, "customization:", Proof::NotRun),
    (GUIDE, "curl --data-binary", Proof::NotRun),
    (GUIDE, "resource \"talos_image_factory_schematic\" \"gpu\" {", Proof::NotRun),
    (UPGRADING, "talosctl upgrade ", Proof::NotRun),
    (UPGRADING, "kubectl create namespace gpu-operator", Proof::NotRun),
    (UPGRADING, "~ sysctls ", Proof::Run(steps::the_upgrades_are_followed_from_1_12_to_1_14)),
];

/// Commands as they stand in sentences, beside those of `followed::LOOKS`.
const COMMANDS: [(&str, Proof); 28] = [
    ("make test", Proof::Workflow),
    ("make proof", Proof::Workflow),
    ("make picture", Proof::Workflow),
    ("talosctl patch mc", PATCHED),
    ("talosctl patch mc --patch @gpu-worker-patch.yaml", PATCHED),
    ("kubectl apply", Proof::Replaced(runtime_class::the_defaults_are_the_guides_object)),
    ("helm install", RELEASED),
    ("helm install nvidia-device-plugin …", RELEASED),
    (
        "helm install nvidia-device-plugin nvdp/nvidia-device-plugin --version=0.13.0 --set=runtimeClassName=nvidia",
        RELEASED,
    ),
    ("kubectl run … nvidia-smi", TESTED),
    ("kubectl run nvidia-test … nvidia-smi", TESTED),
    ("helm list", HELM),
    ("helm history", HELM),
    ("helm uninstall", HELM),
    ("helm upgrade", HELM_MADE),
    ("terraform plan", FOLLOWED),
    ("terraform destroy", FOLLOWED),
    ("terraform plan -refresh-only -detailed-exitcode", FOLLOWED),
    ("terraform plan -detailed-exitcode", SCRIPT),
    ("terraform show -json tfplan | jq '.checks'", SCRIPT),
    ("terraform apply -replace='talos_nvidia_node_patch.gpu[\"10.0.0.5\"]'", UPGRADED),
    ("terraform apply -target=…", Proof::Run(steps::what_the_provider_block_waits_for_is_applied_first)),
    ("terraform state rm", Proof::Run(steps::a_machine_that_was_replaced_is_removed_from_the_state_and_applied_anew)),
    (
        "terraform state rm ADDRESS",
        Proof::Run(runtime_class::imports::the_second_of_two_import_blocks_for_one_object_is_refused),
    ),
    (
        "terraform import ADDRESS NODE",
        Proof::Run(the_guide::a_node_that_is_patched_already_is_imported_and_its_plan_is_empty),
    ),
    (
        "terraform untaint ADDRESS",
        Proof::Run(sharing::a_failed_create_that_is_untainted_shows_what_is_left_to_do_and_then_nothing),
    ),
    ("talosctl upgrade", Proof::NotRun),
    ("talosctl rollback", Proof::NotRun),
];
const PATCHED: Proof = Proof::Replaced(
    the_guide::the_guides_patch_is_applied_its_drift_seen_and_mended_and_the_nodes_own_bytes_given_back,
);
const RELEASED: Proof =
    Proof::Replaced(device_plugin_release::it_is_made_as_the_guide_makes_it_planned_empty_and_taken_away);
const TESTED: Proof = Proof::Replaced(smoke_test::a_test_that_passes_tells_what_nvidia_smi_found);
const HELM: Proof = Proof::Run(device_plugin_release::helm::helm_4_works_with_a_release_that_we_made);
const HELM_MADE: Proof =
    Proof::Run(device_plugin_release::helm::a_release_that_helm_4_made_is_imported_and_upgraded_without_leftovers);
const FOLLOWED: Proof = Proof::Run(followed::the_guide_is_followed_from_its_provider_block_to_its_destroy);
const SCRIPT: Proof = Proof::Run(pipeline::its_script_tells_drift_a_sick_node_and_an_unseen_node_apart);
const UPGRADED: Proof = Proof::Run(steps::the_upgrades_are_followed_from_1_12_to_1_14);

/// A page of the repository.
pub(crate) fn page(name: &str) -> Result<String> {
    fs::read_to_string(repository()?.join(name)).with_context(|| format!("cannot read {name}"))
}

/// The README, the module's and the guides.
pub(crate) fn names() -> Result<Vec<String>> {
    let mut found = vec!["README.md".to_owned(), MODULE.to_owned()];
    for entry in fs::read_dir(repository()?.join("docs/guides"))? {
        found.push(format!("docs/guides/{}", entry?.file_name().to_string_lossy()));
    }
    Ok(found)
}

/// The language that a page marks configurations of this provider with: the registry shows `terraform`, GitHub `hcl`. In a
/// guide `hcl` is what needs other providers too.
pub(crate) fn configuration(name: &str) -> &'static str {
    if name.ends_with("README.md") { "hcl" } else { "terraform" }
}

#[test]
fn every_block_of_a_page_is_run_or_says_that_it_is_not() -> Result<()> {
    let mut wrong = Vec::new();
    let mut met = [false; BLOCKS.len()];
    for name in names()? {
        for block in blocks_in(&page(&name)?).with_context(|| name.clone())? {
            if block.language == configuration(&name) {
                continue;
            }
            let at = BLOCKS.iter().position(|(page, begins, _)| *page == name && block.begins(begins));
            match at {
                Some(at) => {
                    met[at] = true;
                    wrong.extend(lacks(&BLOCKS[at].2, &block)?.map(|lacks| format!("{name}:{}: {lacks}", block.line)));
                }
                None => wrong.push(format!("{name}:{}: BLOCKS knows nothing of {:?}", block.line, block.first())),
            }
        }
    }
    let gone = BLOCKS.iter().zip(met).filter(|(_, met)| !met);
    wrong.extend(gone.map(|((page, begins, _), _)| format!("{page} has no block that begins {begins:?}")));
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_command_in_a_sentence_is_run_or_its_page_says_that_it_is_not() -> Result<()> {
    let mut wrong = Vec::new();
    let mut met = Vec::new();
    for name in names()? {
        let page = page(&name)?;
        for command in commands(&page).with_context(|| name.clone())? {
            let looked = followed::LOOKS.iter().any(|look| look.printed == command);
            match COMMANDS.iter().find(|(known, _)| *known == command) {
                Some((_, Proof::NotRun)) if !is_named_as_not_run(&page, &command) => {
                    wrong.push(format!("{name}: no sentence says that `{command}` is {NOT_RUN}"));
                }
                Some((_, Proof::Workflow)) if !in_workflow(&command)? => {
                    wrong.push(format!("{name}: no job of the workflow test runs `{command}`"));
                }
                None if !looked => wrong.push(format!("{name}: COMMANDS knows nothing of `{command}`")),
                _ => {}
            }
            met.push(command);
        }
    }
    let known = COMMANDS.iter().map(|(command, _)| *command).chain(followed::LOOKS.iter().map(|look| look.printed));
    wrong.extend(
        known.filter(|known| !met.iter().any(|met| met == known)).map(|gone| format!("no page names `{gone}`")),
    );
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// What is missing before the proof of a block is one.
fn lacks(proof: &Proof, block: &Block) -> Result<Option<String>> {
    Ok(match proof {
        // That the case is there is the compiler's to say.
        Proof::Run(_) | Proof::Replaced(_) => None,
        Proof::NotRun => (!block.above.contains(NOT_RUN)).then(|| format!("nothing above it says {NOT_RUN:?}")),
        Proof::Workflow => {
            for line in block.text.lines() {
                let command = line.split(" # ").next().unwrap_or_default().trim();
                if !in_workflow(command)? {
                    return Ok(Some(format!("no job of the workflow test runs `{command}`")));
                }
            }
            None
        }
    })
}

fn in_workflow(command: &str) -> Result<bool> {
    Ok(page(".github/workflows/test.yml")?.lines().any(|line| line.trim() == format!("- run: {command}")))
}

/// Whether a paragraph that says so names the program and its verb.
fn is_named_as_not_run(page: &str, command: &str) -> bool {
    let verb = command.split(' ').take(2).collect::<Vec<_>>().join(" ");
    page.split("\n\n").any(|paragraph| paragraph.contains(NOT_RUN) && paragraph.contains(&verb))
}

/// The only block of a page that begins so, for a case that runs it.
pub(crate) fn only_block(name: &str, begins: &str) -> Result<String> {
    let mut found = blocks_in(&page(name)?)?.into_iter().filter(|block| block.begins(begins));
    match (found.next(), found.next()) {
        (Some(block), None) => Ok(block.text),
        (None, _) => bail!("{name} has no block that begins {begins:?}"),
        (Some(_), Some(_)) => bail!("{name} has two blocks that begin {begins:?}"),
    }
}
