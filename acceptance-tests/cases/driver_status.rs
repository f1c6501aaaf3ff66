//! `nvidia_driver_status`: what the guide reads by eye, as a user asks for it: in an output, a `check` block and a
//! `postcondition`, for one node and for many.

use anyhow::{Context, Result, ensure};
use harness::{Case, Node, NodeOptions, State, Workspace};
use serde_json::{Value, json};

use crate::patch::{ADDRESS, MODULES, patch, take_module_out};

const STATUS: &str = "data.nvidia_driver_status.this";

/// The data source for the node at `10.0.0.5`, with more arguments, and its object as an output.
fn status(arguments: &str) -> String {
    format!(
        r#"data "nvidia_driver_status" "this" {{
  node = "10.0.0.5"
  {arguments}
}}

output "status" {{
  value = data.nvidia_driver_status.this
}}
"#
    )
}

fn after_the_patch() -> String {
    patch("") + &status(&format!("depends_on = [{ADDRESS}]"))
}

/// Machines with one thing each that is not as it should be, in the words of the node's script.
fn machines(minor: u8) -> Vec<(&'static str, Value)> {
    let tag = |minor| match minor {
        8 => "v1.8.0",
        12 => "v1.12.0",
        13 => "v1.13.9",
        _ => "v1.14.1",
    };
    let extensions = |all: &[(&str, &str)]| -> Value {
        all.iter().map(|(name, version)| json!({"name": name, "version": version})).collect()
    };
    let (open, toolkit) = ("nvidia-open-gpu-kernel-modules-lts", "nvidia-container-toolkit-lts");
    let here = format!("580.105.08-{}", tag(minor));
    vec![
        ("healthy", json!({"gpus": [{}, {"product": "AD102GL [L40S]", "product_id": "0x26b9"}]})),
        ("proprietary", json!({"flavour": "proprietary-production"})),
        ("no-uuid", json!({"gpus": [{"uuid": null, "firmware": "N/A"}]})),
        ("bare", json!({"flavour": "none"})),
        (
            "both",
            json!({"extensions": extensions(&[(open, &here), ("nonfree-kmod-nvidia-lts", &here), (toolkit, "580.105.08-v1.18.1")])}),
        ),
        (
            "two-drivers",
            json!({"extensions": extensions(&[(open, &here), ("nvidia-container-toolkit-production", "595.71.05-v1.19.1")])}),
        ),
        (
            "other-talos",
            json!({"extensions": extensions(&[(open, "580.105.08-v1.11.3"), (toolkit, "580.105.08-v1.18.1")])}),
        ),
        ("rejected", json!({"modules": {"nvidia": {"fails": "key was rejected by service"}}})),
        ("loading", json!({"modules": {"nvidia_drm": {"stays": "Loading"}}})),
        ("no-gpu", json!({"gpus": []})),
        ("vfio", json!({"gpus": [{}, {"driver": "vfio-pci"}]})),
        ("old-gpu", json!({"gpus": [{"product": "GP104 [GeForce GTX 1080]", "product_id": "0x1b80"}]})),
        ("board", json!({"gpus": vec![json!({"product": "GH100 [H100 SXM5 80GB]", "product_id": "0x2330"}); 8]})),
        ("no-cdi", json!({"files": {"/run/cdi/nvidia.yaml": null}})),
        ("crash", json!({})),
        ("staged", json!({})),
        ("taken-out", json!({})),
        ("unloaded", json!({})),
        ("hardened", json!({})),
    ]
}

/// For each machine, what its only problems say, in their order; nothing for one that is well.
fn expected(minor: u8) -> Vec<(&'static str, Vec<&'static str>)> {
    let waits = "Waiting";
    let mut all = vec![
        ("healthy", vec![]),
        ("proprietary", vec![]),
        ("no-uuid", vec![]),
        ("bare", vec!["No NVIDIA kernel module extension"]),
        ("both", vec!["2 kernel module extensions"]),
        ("two-drivers", vec!["The toolkit is of driver 595.71.05"]),
        ("other-talos", vec!["built for Talos v1.11.3", waits]),
        ("rejected", vec!["key was rejected by service", waits]),
        ("loading", vec!["Module nvidia_drm is still loading"]),
        ("no-gpu", vec!["boot of the node fails after 70 minutes"]),
        ("vfio", vec!["GPU 0000:02:00.0 (GH100 [H100 PCIe]) is bound to the driver vfio-pci"]),
        ("old-gpu", vec!["older than Turing"]),
        ("board", vec!["8 GPUs that are joined by NVSwitches"]),
        ("no-cdi", if minor >= 13 { vec!["No CDI specification"] } else { vec![] }),
        ("crash", vec!["ext-nvidia-persistenced is Failed (exit code 1)"]),
        ("staged", vec!["a machine configuration is staged"]),
        ("taken-out", vec!["Module nvidia_drm is live and no longer in the machine configuration"]),
        ("unloaded", vec!["Module nvidia_uvm is not loaded"]),
        ("hardened", if minor <= 12 { vec!["net.core.bpf_jit_harden is 2"] } else { vec![] }),
    ];
    // Up to 1.9 the persisted configuration is a file, which does not tell a staged one from a tried one.
    if minor <= 9 {
        all.iter_mut()
            .filter(|(name, _)| *name == "staged")
            .for_each(|(_, says)| *says = vec!["on disk is not the active"]);
    }
    all
}

fn every_node_of_a_for_each_says_what_is_wrong_with_it_and_the_well_ones_are_ready(case: &Case) -> Result<()> {
    let minor = case.minor.0;
    let mut nodes = vec![json!({"name": "10.0.0.1"})];
    for (name, machine) in machines(minor) {
        let mut machine = machine;
        (machine["name"], machine["hostname"]) = (json!(name), json!(name));
        nodes.push(machine);
    }
    let node = case.node_with(&NodeOptions::script(json!({"nodes": nodes})))?;
    let names: Vec<&str> = expected(minor).into_iter().map(|(name, _)| name).collect();
    let workspace = case.workspace_for(
        &node,
        &format!(
            r#"resource "talos_nvidia_node_patch" "each" {{
  provider         = nvidia
  for_each         = toset({names:?})
  node             = each.key
  extension_check  = "off"
  wait_for_modules = false
}}

data "nvidia_driver_status" "each" {{
  for_each   = toset({names:?})
  node       = each.key
  depends_on = [talos_nvidia_node_patch.each]
}}
"#
        ),
    )?;
    // Terraform reads what is about to change only after the change.
    let plan = workspace.plan()?;
    assert_eq!(plan.actions("data.nvidia_driver_status.each[\"healthy\"]"), ["read"]);
    workspace.apply_plan()?;

    let staged = format!("{}\n# by somebody else\n", node.named("staged").config_text()?);
    node.named("staged").stage_config(staged.as_bytes())?;
    take_module_out(&node.named("taken-out"), "nvidia_drm")?;
    let unloaded = node.named("unloaded");
    unloaded.set_module("nvidia_uvm", &json!({"fails": "invalid argument"}))?;
    unloaded.unload_module("nvidia_uvm")?;
    node.named("hardened").set_sysctl("net.core.bpf_jit_harden", "2")?;
    // Talos starts it again and again, and it ends again and again.
    let failed = json!({"id": "ext-nvidia-persistenced", "state": "Failed", "message": "exit code 1"});
    node.named("crash").become_machine(json!({"services": [failed]}))?;
    // Only looks: an apply would mend what is not meant to be mended here.
    workspace.refresh()?;

    let state = workspace.state()?;
    for (name, says) in expected(minor) {
        let values = of(&state, name)?;
        let problems: Vec<&str> = texts(&values["problems"]);
        let fits = problems.len() == says.len()
            && problems.iter().zip(&says).all(|(problem, says)| problem.to_lowercase().contains(&says.to_lowercase()));
        ensure!(fits, "{name} on Talos 1.{minor} says {problems:#?}, not {says:?}");
        assert_eq!(values["ready"], says.is_empty(), "{name}");
    }
    what_is_told_of_the_well_ones(&state, minor)
}
harness::on!(every_node_of_a_for_each_says_what_is_wrong_with_it_and_the_well_ones_are_ready:
    8 on_talos_1_8, 12 on_talos_1_12, 13 on_talos_1_13, 14 on_talos_1_14);

fn of<'a>(state: &'a State, name: &str) -> Result<&'a Value> {
    state.values(&format!("data.nvidia_driver_status.each[{name:?}]"))
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn what_is_told_of_the_well_ones(state: &State, minor: u8) -> Result<()> {
    let well = of(state, "healthy")?;
    assert_eq!(well["version_match"], true);
    assert_eq!(of(state, "two-drivers")?["version_match"], false);
    assert_eq!(well["driver"]["flavor"], "open");
    assert_eq!(well["driver"]["version"], well["extensions"][0]["driver_version"]);
    assert_eq!(well["extensions"][0]["talos_version"], well["talos_version"]);
    assert_eq!(of(state, "proprietary")?["driver"]["flavor"], "proprietary");

    let modules = well["modules"].as_array().context("no modules")?;
    let names: Vec<&str> = modules.iter().filter_map(|module| module["name"].as_str()).collect();
    assert_eq!(names, MODULES);
    assert!(modules.iter().all(|module| module["loaded"] == true && module["state"] == "live"), "{modules:?}");
    assert_eq!((&modules[0]["size"], &modules[0]["taints"]), (&json!(14_381_056), &json!(["O"])));
    // The kernel of Talos 1.8 cannot unload modules and keeps no counts.
    let used =
        if minor == 8 { json!([null, null]) } else { json!([3, ["nvidia_drm", "nvidia_modeset", "nvidia_uvm"]]) };
    let mut users = modules[0]["dependencies"].clone();
    if let Some(users) = users.as_array_mut() {
        users.sort_by_key(ToString::to_string);
    }
    assert_eq!(json!([modules[0]["reference_count"], users]), used);

    let gpus = well["gpus"].as_array().context("no GPUs")?;
    assert_eq!(gpus.len(), 2);
    assert_eq!(
        json!([gpus[1]["pci_address"], gpus[1]["product"], gpus[1]["driver"], gpus[1]["model"], gpus[1]["minor"]]),
        json!(["0000:02:00.0", "AD102GL [L40S]", "nvidia", "NVIDIA AD102GL [L40S]", 1])
    );
    assert!(gpus[0]["uuid"].as_str().is_some_and(|uuid| uuid.starts_with("GPU-")), "{gpus:?}");
    let fresh = &of(state, "no-uuid")?["gpus"][0];
    assert_eq!((&fresh["uuid"], &fresh["firmware"]), (&Value::Null, &Value::Null));

    let services: Vec<&str> =
        well["services"].as_array().into_iter().flatten().filter_map(|service| service["state"].as_str()).collect();
    let (wanted, files): (&[&str], Value) = if minor >= 13 {
        (&["Finished", "Running"], json!(["/run/cdi/nvidia.yaml"]))
    } else {
        (&["Running"], json!([]))
    };
    assert_eq!(services, wanted);
    assert_eq!(well["cdi"], json!({"expected": minor >= 13, "spec_files": files}));
    assert_eq!(well["sysctls"]["net.core.bpf_jit_harden"], if minor <= 12 { "1" } else { "2" });
    Ok(())
}

/// The output `status` after an apply.
fn read(workspace: &Workspace) -> Result<Value> {
    workspace.apply()?;
    Ok(workspace.state()?.output("status").clone())
}

fn a_reader_is_told_what_its_role_may_see_and_which_role_would_see_the_rest(case: &Case) -> Result<()> {
    let node = case.node()?;
    case.workspace_for(&node, &patch(""))?.apply()?;
    let main = harness::main_tf(&node, &status(""));
    let found = read(&case.workspace(&main.replace("/talosconfig\"", "/talosconfig-reader\""))?)?;
    let problems = texts(&found["problems"]);
    ensure!(problems.len() == 1 && found["ready"] == false, "{problems:#?}");
    for word in ["os:reader", "os:admin", "the version of the running driver", "next boot"] {
        ensure!(problems[0].contains(word), "{} lacks {word}", problems[0]);
    }
    assert_eq!(found["driver"], Value::Null);
    assert_eq!((&found["version_match"], &found["gpus"][0]["driver"]), (&json!(true), &json!("nvidia")));
    assert_eq!(found["gpus"][0]["model"], Value::Null);
    assert_eq!(found["services"][0]["state"], if case.minor.0 >= 13 { "Finished" } else { "Running" });
    if case.minor.0 >= 11 {
        let live = found["modules"].as_array().into_iter().flatten().filter(|module| module["loaded"] == true);
        assert_eq!(live.count(), 4);
    } else {
        // Up to 1.10 only a file tells of the modules.
        assert_eq!(found["modules"], Value::Null);
        assert!(problems[0].contains("the modules in the kernel"), "{problems:?}");
    }
    Ok(())
}
harness::on!(a_reader_is_told_what_its_role_may_see_and_which_role_would_see_the_rest:
    8 on_talos_1_8, 12 on_talos_1_12, 13 on_talos_1_13, 14 on_talos_1_14);

fn a_node_that_is_down_is_an_error_or_if_asked_for_not_ready(case: &Case) -> Result<()> {
    let node = case.node()?;
    let strict = harness::main_tf(&node, &status(""));
    node.stop()?;
    let error = case.workspace(&strict)?.plan_that_fails()?.only_error()?;
    ensure!(error.says("on_unreachable"), "it does not say how to go on: {error}");
    ensure!(error.says("10.0.0.5") && error.code.as_deref() == Some("node = \"10.0.0.5\""), "{error}");
    // All calls fail alike, so that none of them is the reason.
    ensure!(error.says("endpoint 127.0.0.1") && !error.says("failed") && !error.says("timeout"), "{error}");

    let lenient = case.workspace(&strict.replace("config_path", "on_unreachable = \"warn\"\n    config_path"))?;
    let found = read(&lenient)?;
    assert_eq!(
        (&found["ready"], &found["modules"], &found["talos_version"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    let problems = texts(&found["problems"]);
    ensure!(problems.len() == 1 && problems[0].contains("Node 10.0.0.5 does not answer"), "{problems:?}");
    ensure!(!problems[0].contains("failed") && !problems[0].contains("timeout"), "{problems:?}");
    lenient.run(&["plan", "-json"])?.succeeded()?.diagnostic("ready = false")?;

    // Whoever answers, and refuses, was reached.
    node.start()?;
    node.set_maintenance(true)?;
    let error = lenient.plan_that_fails()?.only_error()?;
    ensure!(error.says("maintenance mode"), "{error}");
    Ok(())
}
harness::on_one_minor!(a_node_that_is_down_is_an_error_or_if_asked_for_not_ready);

fn a_call_that_goes_wrong_is_named_and_the_rest_is_told(case: &Case) -> Result<()> {
    let node = case.node()?;
    case.workspace_for(&node, &patch(""))?.apply()?;
    let workspace = case.workspace_for(&node, &status(""))?;
    node.fault(&json!({"method": "ServiceList", "do": "error", "code": "Internal", "message": "odd", "times": 0}))?;
    let found = read(&workspace)?;
    let problems = texts(&found["problems"]);
    ensure!(problems.len() == 1 && problems[0].contains("services") && problems[0].contains("odd"), "{problems:#?}");
    assert_eq!(
        (&found["ready"], &found["services"], &found["version_match"]),
        (&json!(false), &Value::Null, &json!(true))
    );
    // A connection that breaks in the middle is made anew.
    node.fault(&json!({"method": "Read", "do": "drop"}))?;
    workspace.plan()?.expect_empty()
}
harness::on_one_minor!(a_call_that_goes_wrong_is_named_and_the_rest_is_told);

const CHECK: &str = r#"
check "gpus" {
  assert {
    condition     = data.nvidia_driver_status.this.ready
    error_message = join("\n", data.nvidia_driver_status.this.problems)
  }
}
"#;

fn a_check_block_warns_of_what_the_apply_has_left_broken_and_a_postcondition_stops(case: &Case) -> Result<()> {
    let broken = json!({"modules": {"nvidia_uvm": {"fails": "invalid argument"}}});
    let node = case.node_with(&NodeOptions::machine(broken))?;
    let patch = patch("wait_for_modules = false");
    let data = status(&format!("depends_on = [{ADDRESS}]"));
    let workspace = case.workspace_for(&node, &format!("{patch}{data}{CHECK}"))?;
    // While planning there is nothing to check: the node is not patched yet.
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(STATUS), ["read"]);
    assert!(plan.run.warnings().iter().all(|warning| !warning.says("nvidia_uvm")), "{:?}", plan.run.warnings());
    let warning = workspace.apply_plan()?.diagnostic("Module nvidia_uvm is not loaded")?;
    ensure!(!warning.is_error() && warning.says("invalid argument"), "{warning}");

    let strict = format!(
        "{patch}{}",
        status(&format!(
            "depends_on = [{ADDRESS}]\n  lifecycle {{\n    postcondition {{\n      condition     = self.ready\n      error_message = join(\" \", self.problems)\n    }}\n  }}"
        ))
    );
    workspace.write("main.tf", &harness::main_tf(&node, &strict))?;
    let error = workspace.plan_that_fails()?.only_error()?;
    ensure!(error.says("Module nvidia_uvm is not loaded"), "{error}");
    node.set_module("nvidia_uvm", &json!({"available": true}))?;
    workspace.apply()?;
    workspace.plan()?.expect_empty()
}
harness::on_one_minor!(a_check_block_warns_of_what_the_apply_has_left_broken_and_a_postcondition_stops);

fn a_provider_that_is_configured_in_the_same_apply_is_read_in_it(case: &Case) -> Result<()> {
    let node = case.node()?;
    case.workspace_for(&node, &patch(""))?.apply()?;
    let path = format!("\"{}\"", node.file("talosconfig").display());
    let made = format!("resource \"terraform_data\" \"cluster\" {{\n  input = {path}\n}}\n");
    let main = |arguments: &str| {
        let late = harness::main_tf(&node, &status(arguments)).replacen(&path, "terraform_data.cluster.output", 1);
        late + &made
    };
    let workspace = case.workspace(&main(""))?;
    let error = workspace.plan_that_fails()?.only_error()?;
    ensure!(error.says("talos.config_path") && error.says("depends_on"), "{error}");

    workspace.write("main.tf", &main("depends_on = [terraform_data.cluster]"))?;
    assert_eq!(read(&workspace)?["ready"], true);
    Ok(())
}
harness::on_one_minor!(a_provider_that_is_configured_in_the_same_apply_is_read_in_it);

fn a_node_whose_address_is_not_known_yet_is_read_when_it_is(case: &Case) -> Result<()> {
    let node = case.node()?;
    let made = "resource \"terraform_data\" \"vm\" {\n  input = \"10.0.0.5\"\n}\n";
    let late = status("").replacen("\"10.0.0.5\"", "terraform_data.vm.output", 1);
    let workspace = case.workspace_for(&node, &format!("{made}{late}"))?;
    assert_eq!(workspace.plan()?.actions(STATUS), ["read"]);
    let found = read(&workspace)?;
    ensure!(texts(&found["problems"]).iter().any(|problem| problem.contains("kernel_modules")), "{found}");
    Ok(())
}
harness::on_one_minor!(a_node_whose_address_is_not_known_yet_is_read_when_it_is);

fn a_read_asks_everything_in_two_round_trips(case: &Case) -> Result<()> {
    let node = case.node()?;
    case.workspace_for(&node, &patch(""))?.apply()?;
    let before = node.calls()?.len();
    // One call of each round is held: only what does not wait for it can finish.
    node.fault(&json!({"method": "Version", "do": "hold"}))?;
    node.fault(&json!({"method": "List", "resource": "/sys/bus/pci/devices/0000:01:00.0/driver", "do": "hold"}))?;
    let workspace = case.workspace_for(&node, &status(""))?;
    let running = workspace.start(&["plan", "-json"])?;
    for finished in [11, 14] {
        node.wait_until_held()?;
        let enough = |_: &Value| node.calls().is_ok_and(|calls| calls.len() >= before + finished);
        node.wait_until(&format!("{finished} calls have finished"), enough)?;
        node.release()?;
    }
    workspace.finish(running)?.succeeded()?;
    assert_eq!(node.calls()?.len() - before, 15, "{:?}", connections_and_calls(&node)?.1);
    Ok(())
}
harness::on_recent_minors!(a_read_asks_everything_in_two_round_trips);

fn a_status_shares_connection_and_answers_with_the_patch_of_its_node(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &after_the_patch())?;
    workspace.apply()?;
    let before = connections_and_calls(&node)?;
    workspace.plan()?.expect_empty()?;
    let after = connections_and_calls(&node)?;
    assert_eq!(after.0 - before.0, 1);
    let asked = &after.1[before.1.len()..];
    let count = |method: &str| asked.iter().filter(|call| call.as_str() == method).count();
    assert_eq!((count("Version"), count("ServiceList")), (1, 1), "{asked:?}");
    ensure!(asked.len() <= 16, "{} calls: {asked:?}", asked.len());
    Ok(())
}
harness::on_recent_minors!(a_status_shares_connection_and_answers_with_the_patch_of_its_node);

fn connections_and_calls(node: &Node) -> Result<(usize, Vec<String>)> {
    let method = |call: &Value| call["method"].as_str().and_then(|full| full.rsplit('/').next()).map(str::to_owned);
    Ok((node.connections()?, node.calls()?.iter().filter_map(method).collect()))
}

fn an_address_with_a_port_is_refused_on_its_line(case: &Case) -> Result<()> {
    let node = case.node()?;
    let workspace = case.workspace_for(&node, &status("").replace("10.0.0.5", "10.0.0.5:50000"))?;
    let error = workspace.validate()?.only_error()?;
    ensure!(error.says("port") && error.code.as_deref() == Some("node = \"10.0.0.5:50000\""), "{error}");
    assert!(node.calls()?.is_empty());
    Ok(())
}
harness::on_one_minor!(an_address_with_a_port_is_refused_on_its_line);

fn the_published_example_tells_ready_nodes_from_those_that_are_not(case: &Case) -> Result<()> {
    let board = json!({"name": "10.0.0.7", "gpus": vec![json!({}); 8]});
    let script = json!({"nodes": [{"name": "10.0.0.1"}, {"name": "10.0.0.5"}, {"name": "10.0.0.6"}, board]});
    let node = case.node_with(&NodeOptions::script(script))?;
    case.workspace_for(&node, &patch("").replace("10.0.0.5", "10.0.0.7"))?.apply()?;
    let file = harness::repository()?.join("examples/data-sources/nvidia_driver_status/data-source.tf");
    let workspace = case.workspace_for(&node, &std::fs::read_to_string(file)?)?;
    workspace.apply()?;
    assert!(workspace.plan()?.run.warnings().is_empty());
    let drivers = workspace.state()?.output("drivers").clone();
    assert_eq!((&drivers["10.0.0.5"]["ready"], &drivers["10.0.0.6"]["ready"]), (&json!(true), &json!(true)));
    assert_eq!(drivers["10.0.0.6"]["gpus"], json!(["NVIDIA GH100 [H100 PCIe]"]));
    assert!(drivers["10.0.0.6"]["driver"].as_str().is_some_and(|driver| driver.ends_with(" (open)")), "{drivers}");

    take_module_out(&node.named("10.0.0.6"), "nvidia_drm")?;
    // The patch would mend it, so the read is left to the apply; who only looks is warned.
    assert_eq!(workspace.plan()?.actions("data.nvidia_driver_status.gpu[\"10.0.0.6\"]"), ["read"]);
    let warning = workspace.run(&["plan", "-json", "-refresh-only"])?.succeeded()?.diagnostic("10.0.0.6: Module")?;
    ensure!(!warning.is_error() && warning.says("no longer in the machine configuration"), "{warning}");
    Ok(())
}
harness::on_one_minor!(the_published_example_tells_ready_nodes_from_those_that_are_not);
