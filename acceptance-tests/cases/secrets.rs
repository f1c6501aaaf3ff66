//! Keys, certificates and configurations stay out of everything that a run leaves behind, however loud it is.

use std::fs;

use anyhow::{Context, Result};
use harness::{Canaries, Case, Node};

use crate::patch::{ADDRESS, patch, take_module_out};

const IN_THE_CONFIGURATION: &str = "CanaryOfTheMachineConfiguration42";

fn no_trace_state_plan_or_output_holds_a_key_or_a_piece_of_the_machine_configuration(case: &Case) -> Result<()> {
    let node = case.node()?;
    // A value that is nobody's business but the node's, beside what the provider edits.
    node.edit_config("machine:\n", &format!("machine:\n    # {IN_THE_CONFIGURATION}\n"))?;
    let canaries = secrets_of(&node)?.plant("the machine configuration", IN_THE_CONFIGURATION);
    let mut workspace = case.workspace_for(&node, &patch(""))?;
    workspace.trace();

    workspace.apply()?;
    take_module_out(&node, "nvidia_uvm")?;
    workspace.plan()?;
    workspace.apply()?;
    // The failures too: what cannot be written is said without saying what was to be written.
    node.fault(&serde_json::json!({"method": "ApplyConfiguration", "do": "denied", "times": 0}))?;
    workspace.destroy_that_fails()?;

    assert!(workspace.state()?.values(ADDRESS).is_ok());
    assert_eq!(canaries.scan(&workspace.left_behind())?, []);
    Ok(())
}
harness::on_recent_minors!(no_trace_state_plan_or_output_holds_a_key_or_a_piece_of_the_machine_configuration);

/// The client's key and certificates, as its talosconfig holds them.
fn secrets_of(node: &Node) -> Result<Canaries> {
    let talosconfig = fs::read_to_string(node.file("talosconfig"))?;
    ["ca", "crt", "key"].iter().try_fold(Canaries::new(), |canaries, field| {
        let prefix = format!("{field}: ");
        let value = talosconfig.lines().find_map(|line| line.trim().strip_prefix(&prefix));
        canaries.plant_pem(field, value.with_context(|| format!("the talosconfig has no {field}"))?)
    })
}

fn a_fragment_of_containerds_configuration_stays_out_of_trace_state_and_plan_while_it_is_merged(
    case: &Case,
) -> Result<()> {
    let node = case.node()?;
    let part = format!(
        "machine:\n    files:\n        - op: create\n          path: /etc/cri/conf.d/20-customization.part\n          permissions: 0o600\n          content: |\n            [plugins.\"io.containerd.cri.v1.images\".registry.configs.\"r.example\".auth]\n              password = \"{IN_THE_CONFIGURATION}\"\n"
    );
    node.edit_config("machine:\n", &part)?;
    node.reboot()?;
    let untouched = node.config()?;
    let canaries = Canaries::new().plant("the CRI part", IN_THE_CONFIGURATION);
    let mut workspace = case.workspace_for(&node, &patch("default_runtime = true\napply_mode = \"reboot\""))?;
    workspace.trace();
    workspace.apply()?;
    workspace.plan()?;
    workspace.destroy()?;
    assert_eq!(canaries.scan(&workspace.left_behind())?, []);
    node.reboot()?;
    assert_eq!(node.config()?, untouched);
    Ok(())
}
harness::on_recent_minors!(
    a_fragment_of_containerds_configuration_stays_out_of_trace_state_and_plan_while_it_is_merged
);

fn no_trace_state_plan_or_output_holds_the_credentials_of_the_cluster(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let proxy = cluster.proxy()?;
    let config: serde_json::Value = serde_json::from_slice(&fs::read(proxy.kubeconfig())?)?;
    let user = &config["users"][0]["user"];
    let field = |name: &str| user[name].as_str().with_context(|| format!("the kubeconfig has no {name}"));
    let canaries = Canaries::new()
        .plant_pem("the client's key", field("client-key-data")?)?
        .plant_pem("the client's certificate", field("client-certificate-data")?)?;
    let name = cluster.unique("secrets");
    let resource = format!("resource \"nvidia_runtime_class\" \"this\" {{\n  name = \"{name}\"\n}}\n");
    let mut workspace = case.workspace_over(proxy.kubeconfig(), &resource)?;
    workspace.trace();
    workspace.apply()?;
    workspace.plan()?.expect_empty()?;
    // The failures too, and a token that is refused.
    proxy.refuse()?;
    workspace.plan_that_fails()?;
    proxy.heal()?;
    workspace.destroy()?;
    let token = format!(
        "host = \"{}\"\n    token = \"{IN_THE_CONFIGURATION}\"\n    cluster_ca_certificate = <<EOT\n{}EOT",
        cluster.server(),
        cluster.ca()
    );
    let main = harness::main_tf_over(None, Some(proxy.kubeconfig()), &resource);
    let main = main.replace(&format!("config_path = \"{}\"", proxy.kubeconfig().display()), &token);
    let mut other = case.workspace(&main)?;
    other.trace();
    other.apply_that_fails()?.diagnostic("does not accept the credentials")?;
    assert_eq!(canaries.scan(&workspace.left_behind())?, []);
    // The configuration file itself holds the token, and nothing else may.
    let token = Canaries::new().plant("the token", IN_THE_CONFIGURATION);
    let found = token.scan(&other.left_behind())?;
    assert!(found.iter().all(|leak| leak.place.ends_with("main.tf")), "{found:?}");
    Ok(())
}
harness::on_one_minor!(no_trace_state_plan_or_output_holds_the_credentials_of_the_cluster);
