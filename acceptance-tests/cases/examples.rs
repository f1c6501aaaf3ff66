//! What is printed for others to copy: every example is formatted, valid and planned, every block of a guide valid, and
//! the module's own tests pass with both command lines.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use harness::{Case, NodeOptions, Workspace, main_tf_over, repository};
use serde_json::{Value, json};

use crate::pages;
use crate::patch::expect_bytes;

/// Where the module's tests and the examples have their nodes.
const NODES: [&str; 2] = ["10.0.0.5", "10.0.0.6"];

fn every_example_is_formatted(case: &Case) -> Result<()> {
    let workspace = case.workspace("")?;
    lay_out(&workspace, &repository()?.join("examples"), "examples")?;
    workspace.run(&["fmt", "-check", "-diff", "-recursive", "examples"])?.succeeded().map(drop)
}
harness::on_one_minor!(every_example_is_formatted);

fn the_examples_of_the_resources_are_one_valid_configuration_and_are_planned(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let _claims = ["runtimeclass/nvidia", "namespace/nvidia-device-plugin"].map(|name| cluster.claim(name));
    let names = ["10.0.0.1", NODES[0], NODES[1], "10.0.0.7"].map(|name| json!({"name": name}));
    let node = case.node_with(&NodeOptions::script(json!({"nodes": names})))?;
    let workspace = case.workspace(&main_tf_over(Some(&node), Some(&cluster.kubeconfig()), ""))?;
    let mut imports = Vec::new();
    for (kind, folder) in example_folders("resources")? {
        workspace.write(&format!("{kind}.tf"), &fs::read_to_string(folder.join("resource.tf"))?)?;
        let import = folder.join("import-by-string-id.tf");
        if import.exists() {
            let name = format!("import_{kind}.tf");
            workspace.write(&name, &fs::read_to_string(import)?)?;
            imports.push(name);
        }
    }
    expect_valid(&workspace)?;
    // There is nothing to import on nodes and in a cluster that nobody has patched.
    for name in &imports {
        workspace.write(name, "")?;
    }
    for (kind, folder) in example_folders("resources")? {
        let command = folder.join("import.sh");
        if command.exists() {
            let refused = workspace.shell(&fs::read_to_string(command)?)?.failed()?;
            ensure!(
                refused.stderr.contains("There is nothing to import"),
                "import.sh of {kind} says {}",
                refused.stderr
            );
        }
    }
    let plan = workspace.plan()?;
    ensure!(plan.changes().iter().all(|change| !change.is_no_op()), "everything is to be made");
    assert_eq!(plan.actions("nvidia_smoke_test.gpu"), ["create"]);
    Ok(())
}
harness::on_one_minor!(the_examples_of_the_resources_are_one_valid_configuration_and_are_planned);

fn the_example_of_the_driver_status_is_planned_on_a_node_with_eight_gpus(case: &Case) -> Result<()> {
    let gpus: Vec<Value> = (1..9)
        .map(
            |bus| json!({"pci_address": format!("0000:0{bus}:00.0"), "product": "GH100 [H100 PCIe]", "minor": bus - 1}),
        )
        .collect();
    let nodes =
        json!([{"name": "10.0.0.1"}, {"name": NODES[0]}, {"name": NODES[1]}, {"name": "10.0.0.7", "gpus": gpus}]);
    let node = case.node_with(&NodeOptions::script(json!({"nodes": nodes})))?;
    let training =
        "resource \"talos_nvidia_node_patch\" \"training\" {\n  provider = nvidia\n  node = \"10.0.0.7\"\n}\n";
    case.workspace_for(&node, training)?.apply()?;

    let example = repository()?.join("examples/data-sources/nvidia_driver_status/data-source.tf");
    let workspace = case.workspace_for(&node, &fs::read_to_string(example)?)?;
    expect_valid(&workspace)?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions("talos_nvidia_node_patch.gpu[\"10.0.0.5\"]"), ["create"]);
    workspace.apply()?;
    let drivers = workspace.state()?.output("drivers").clone();
    assert_eq!(drivers[NODES[0]]["ready"], true, "{drivers}");
    Ok(())
}
harness::on_one_minor!(the_example_of_the_driver_status_is_planned_on_a_node_with_eight_gpus);

fn the_provider_block_and_the_demo_are_valid(case: &Case) -> Result<()> {
    for folder in ["examples/provider", "examples/demo"] {
        let workspace = case.workspace("")?;
        lay_out(&workspace, &repository()?.join(folder), ".")?;
        expect_valid(&workspace).context(folder)?;
    }
    Ok(())
}
harness::on_one_minor!(the_provider_block_and_the_demo_are_valid);

/// The blocks of one page are one configuration. What needs other providers too is only as it would be formatted.
fn the_blocks_of_the_readme_and_of_each_guide_are_formatted_and_one_valid_configuration(case: &Case) -> Result<()> {
    let mut seen = 0;
    for name in pages::names()? {
        let page = pages::page(&name)?;
        let language = pages::configuration(&name);
        let others = if language == "hcl" { Vec::new() } else { pages::blocks(&page, "hcl")? };
        for (index, text) in others.iter().enumerate() {
            formatted(&case.workspace("")?, &format!("other{index}.tf"), text).with_context(|| name.clone())?;
        }
        let text = pages::blocks(&page, language)?.join("\n");
        if text.is_empty() {
            continue;
        }
        seen += 1;
        let head = main_tf_over(None, None, "");
        let head = match (text.contains("required_providers"), text.contains("provider \"nvidia\"")) {
            (true, _) => "",
            (false, true) => head.split("provider \"nvidia\"").next().unwrap_or_default(),
            (false, false) => &head,
        };
        let workspace = case.workspace(head)?;
        formatted(&workspace, "guide.tf", &text).with_context(|| name.clone())?;
        if text.contains("\"./module\"") {
            lay_out(&workspace, &repository()?.join("examples/module"), "module")?;
            workspace.run(&["get"])?.succeeded()?;
        }
        expect_valid(&workspace).with_context(|| name.clone())?;
    }
    ensure!(seen >= 6, "only {seen} pages have blocks");
    Ok(())
}
harness::on_one_minor!(the_blocks_of_the_readme_and_of_each_guide_are_formatted_and_one_valid_configuration);

pub(crate) fn the_modules_own_tests_pass_and_leave_nothing_behind(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let _claims = ["runtimeclass/nvidia", "namespace/nvidia-device-plugin"].map(|name| cluster.claim(name));
    let (namespace, names) = (cluster.unique("module"), ["module-a", "module-b"].map(|name| cluster.unique(name)));
    let label = format!("test/{namespace}");
    cluster.namespace(&namespace).log(crate::smoke_test::TABLE).create()?;
    for name in &names {
        cluster.node(name).label(&label, "true").gpus(1).create()?;
    }
    let machines = ["10.0.0.1", NODES[0], NODES[1]].map(|name| json!({"name": name}));
    let node = case.node_with(&NodeOptions::script(json!({"nodes": machines})))?;
    let untouched = NODES.map(|name| node.named(name).config());

    let mut workspace = case.workspace("")?;
    lay_out(&workspace, &repository()?.join("examples/module"), ".")?;
    // The names that this cluster has for what the tests call gpu-1, gpu-2 and the namespace of the test pods.
    let tests = fs::read_to_string(workspace.path().join("tests/guide.tftest.hcl"))?;
    let [a, b] = &names;
    let tests = tests.replace("gpu-1", a).replace("gpu-2", b).replace("\"default\"", &format!("\"{namespace}\""));
    workspace.write("tests/guide.tftest.hcl", &tests)?;
    // The nodes of other cases have the label too.
    let variables = fs::read_to_string(workspace.path().join("variables.tf"))?;
    workspace.write("variables.tf", &variables.replace("nvidia.com/gpu.present", &label))?;
    workspace.set_env("TALOSCONFIG", node.file("talosconfig"));
    workspace.set_env("KUBECONFIG", cluster.kubeconfig());

    let said = workspace.run(&["test", "-no-color"])?.succeeded()?.stdout;
    ensure!(said.contains("5 passed, 0 failed"), "not all of the module's tests ran:\n{said}");
    for name in &names {
        cluster.api().delete(&format!("/api/v1/nodes/{name}"))?;
    }
    for (name, before) in NODES.iter().zip(untouched) {
        expect_bytes(&node.named(name), &before?)?;
    }
    Ok(())
}
harness::on!(the_modules_own_tests_pass_and_leave_nothing_behind: 12 on_talos_1_12, 14 on_talos_1_14);

fn the_modules_example_is_planned_and_its_page_names_every_variable_and_output(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let machines = ["10.0.0.1", NODES[0], NODES[1]].map(|name| json!({"name": name}));
    let node = case.node_with(&NodeOptions::script(json!({"nodes": machines})))?;
    let mut workspace = case.workspace("")?;
    let module = repository()?.join("examples/module");
    lay_out(&workspace, &module, "module")?;
    lay_out(&workspace, &module.join("examples/complete"), ".")?;
    let main = fs::read_to_string(workspace.path().join("main.tf"))?;
    workspace.write("main.tf", &main.replace("\"../..\"", "\"./module\""))?;
    workspace.set_env("TF_VAR_talosconfig", node.file("talosconfig"));
    workspace.set_env("TF_VAR_kubeconfig", cluster.kubeconfig());
    workspace.run(&["get"])?.succeeded()?;
    let plan = workspace.run(&["plan", "-no-color"])?.succeeded()?.stdout;
    ensure!(plan.contains("Plan: 6 to add, 0 to change, 0 to destroy."), "the example plans:\n{plan}");

    let page = fs::read_to_string(module.join("README.md"))?;
    for file in ["variables.tf", "outputs.tf"] {
        for name in declared(&fs::read_to_string(module.join(file))?) {
            ensure!(page.contains(&format!("| `{name}` |")), "README.md says nothing of `{name}` in {file}");
        }
    }
    Ok(())
}
harness::on_one_minor!(the_modules_example_is_planned_and_its_page_names_every_variable_and_output);

fn formatted(workspace: &Workspace, name: &str, text: &str) -> Result<()> {
    workspace.write(name, text)?;
    workspace.run(&["fmt", "-check", "-diff", name])?.succeeded().map(drop)
}

fn expect_valid(workspace: &Workspace) -> Result<()> {
    let run = workspace.validate()?;
    ensure!(run.errors().is_empty(), "not valid: {:#?}", run.errors());
    run.succeeded().map(drop)
}

/// The folders of `examples/KIND`, with their names.
fn example_folders(kind: &str) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository()?.join("examples").join(kind))? {
        let entry = entry?;
        found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    ensure!(!found.is_empty(), "examples/{kind} is empty");
    Ok(found)
}

/// Copies a folder into the workspace, without what a command line has left there.
fn lay_out(workspace: &Workspace, from: &Path, to: &str) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let at = format!("{to}/{name}");
        if entry.path().is_dir() {
            if !name.starts_with('.') {
                lay_out(workspace, &entry.path(), &at)?;
            }
        } else if [".tf", ".hcl"].iter().any(|end| name.ends_with(end)) && !name.starts_with('.') {
            workspace.write(&at, &fs::read_to_string(entry.path())?)?;
        }
    }
    Ok(())
}

/// The names that `variable "…"` and `output "…"` blocks declare.
fn declared(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("variable \"").or_else(|| line.strip_prefix("output \"")))
        .filter_map(|rest| rest.split('"').next())
        .collect()
}
