//! The test provider under the real CLIs.

use crate::{
    cli::{Cli, Ran, Workspace},
    gate::Gate,
    process::{Process, is_gone, signal},
};

const THING: &str = r#"
resource "faulty_thing" "a" {
  name  = "one"
  size  = 3
  tags  = { k = "v" }
  parts = [{ label = "x" }]
}
data "faulty_lookup" "l" {
  name = faulty_thing.a.out
}
"#;

#[test]
fn a_thing_is_planned_made_left_alone_changed_and_taken_away() {
    for cli in &Cli::all() {
        let workspace = Workspace::new(cli, THING);
        workspace.run(&["validate"]).succeeds();
        workspace.run(&["plan", "-detailed-exitcode"]).exits(2);
        workspace.run(&["apply", "-auto-approve"]).succeeds();
        workspace.run(&["plan", "-detailed-exitcode"]).succeeds();
        workspace.run(&["plan", "-detailed-exitcode", "-refresh=false"]).succeeds();
        assert_eq!(workspace.resource()["values"]["out"], "made", "{cli:?}");

        workspace.configure(&THING.replace("size  = 3", "size  = 4"));
        workspace.run(&["apply", "-auto-approve"]).succeeds();
        assert_eq!(workspace.resource()["values"]["size"], 4, "{cli:?}");

        workspace.configure(&THING.replace("size  = 3", "zone = \"z\""));
        let plan = workspace.run(&["plan", "-detailed-exitcode"]).exits(2);
        assert!(plan.stdout.contains("must be replaced"), "{}", plan.stdout);
        workspace.run(&["destroy", "-auto-approve"]).succeeds();
        workspace.run(&["plan", "-detailed-exitcode"]).exits(2);
    }
}

#[test]
fn a_write_only_attribute_is_never_stored_and_refused_where_it_would_be() {
    let secret = "resource \"faulty_thing\" \"a\" {\n  name = \"one\"\n  secret = \"s3cret\"\n}\n";
    for cli in &Cli::all() {
        let workspace = Workspace::new(cli, secret);
        if cli.knows_write_only() {
            workspace.run(&["apply", "-auto-approve"]).succeeds();
            assert_eq!(workspace.resource()["values"]["secret"], serde_json::Value::Null, "{cli:?}");
            workspace.run(&["plan", "-detailed-exitcode"]).succeeds();
        } else {
            workspace.run(&["plan"]).exits(1).says("WriteOnly Attribute Not Allowed").says("secret = ");
        }
    }
}

#[test]
fn an_object_is_imported() {
    for cli in &Cli::all() {
        let workspace = Workspace::new(cli, "resource \"faulty_thing\" \"a\" {\n  name = \"found\"\n}\n");
        workspace.run(&["import", "faulty_thing.a", "found"]).succeeds();
        workspace.run(&["plan", "-detailed-exitcode"]).succeeds();
    }
}

#[test]
fn a_broken_rule_is_our_bug_before_it_is_the_cli_s() {
    for cli in &Cli::all() {
        let fault = "resource \"faulty_thing\" \"a\" {\n  name = \"one\"\n  fault = \"plan: other config\"\n}\n";
        let workspace = Workspace::new(cli, fault);
        let ran = workspace.run(&["plan"]).exits(1).says("Bug in terraform-provider-faulty").says("name = \"one\"");
        assert!(!ran.stderr.contains("produced invalid plan"), "{}", ran.stderr);

        workspace.configure(&fault.replace("plan: other config", "create: other value"));
        let ran = workspace.run(&["apply", "-auto-approve"]).exits(1).says("Bug in terraform-provider-faulty");
        assert!(!ran.stderr.contains("inconsistent result"), "{}", ran.stderr);
    }
}

#[test]
fn a_panic_is_a_message_and_not_a_crash() {
    for cli in &Cli::all() {
        let fault = "resource \"faulty_thing\" \"a\" {\n  name = \"one\"\n  fault = \"plan panics\"\n}\n";
        let workspace = Workspace::new(cli, fault);
        let ran = workspace.run(&["plan"]).exits(1).says("Bug in the provider: a call crashed");
        assert!(!ran.stderr.contains("Request cancelled"), "{}", ran.stderr);
    }
}

#[test]
fn a_state_of_many_megabytes_is_refreshed() {
    for cli in &Cli::all() {
        let big = format!("resource \"faulty_thing\" \"a\" {{\n  name = \"one\"\n  blob_size = {}\n}}\n", 6 << 20);
        let workspace = Workspace::new(cli, &big);
        workspace.run(&["apply", "-auto-approve"]).succeeds();
        workspace.run(&["plan", "-detailed-exitcode"]).succeeds();
    }
}

#[test]
fn a_connection_without_tls_works_when_the_user_wants_it() {
    let workspace = Workspace::new(&Cli::terraform(), THING);
    workspace.run_with(&[("TF_DISABLE_PLUGIN_TLS", "1")], &["plan", "-detailed-exitcode"]).exits(2);
}

#[test]
fn the_log_of_the_provider_is_in_the_log_of_the_cli() {
    for cli in &Cli::all() {
        let workspace = Workspace::new(cli, &THING.replace("\"one\"", "\"canary\""));
        let ran = workspace.run_with(&[("TF_LOG_PROVIDER", "trace")], &["plan"]).succeeds();
        let line =
            ran.stderr.lines().find(|line| line.contains("call served")).unwrap_or_else(|| panic!("{}", ran.stderr));
        assert!(line.contains("[DEBUG] provider.terraform-provider-faulty: call served:"), "{line}");
        assert!(line.contains("tf_rpc="), "{line}");
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    }
}

fn waiting_thing(gate: &Gate) -> String {
    format!("resource \"faulty_thing\" \"a\" {{\n  name = \"one\"\n  gate = \"{}\"\n}}\n", gate.path())
}

#[tokio::test]
async fn an_interrupt_ends_a_wait_and_what_is_known_is_stored() {
    for cli in &Cli::all() {
        let gate = Gate::new();
        let workspace = Workspace::new(cli, &waiting_thing(&gate));
        let arguments = ["apply", "-auto-approve"];
        let running = workspace.start(&arguments);
        let mut waiting = gate.arrival().await;
        // As the terminal does it: to the CLI and to the provider.
        signal(format!("-{}", running.id()), "INT");
        assert_eq!(waiting.says().await.as_deref(), Some("stopped"), "{cli:?}");
        let output = tokio::task::spawn_blocking(|| running.wait_with_output().unwrap()).await.unwrap();
        Ran::of(cli, &arguments, output).exits(1).says("The thing is half made.");
        let stored = workspace.resource();
        assert_eq!((&stored["tainted"], &stored["values"]["out"]), (&true.into(), &"half".into()), "{cli:?}: {stored}");
        assert_eq!(waiting.says().await, None, "the provider ended");
    }
}

#[tokio::test]
async fn a_provider_whose_cli_is_killed_ends_its_work_and_then_itself() {
    for cli in &Cli::all() {
        let gate = Gate::new();
        let workspace = Workspace::new(cli, &waiting_thing(&gate));
        let mut running = workspace.start(&["apply", "-auto-approve"]);
        let mut waiting = gate.arrival().await;
        running.kill().unwrap();
        running.wait().unwrap();
        assert_eq!(waiting.says().await.as_deref(), Some("stopped"), "{cli:?}");
        assert_eq!(waiting.says().await, None, "{cli:?}: the provider ended");
    }
}

#[test]
fn a_cli_attaches_to_a_provider_that_runs_for_debugging() {
    let mut provider = Process::debug();
    let variable = std::iter::repeat_with(|| provider.next_line())
        .find_map(|line| Some(line.trim().strip_prefix("TF_REATTACH_PROVIDERS='")?.strip_suffix('\'')?.to_owned()))
        .unwrap();
    let servers: serde_json::Value = serde_json::from_str(&variable).unwrap();
    let socket = servers["registry.terraform.io/test/faulty"]["Addr"]["String"].as_str().unwrap().to_owned();

    let workspace = Workspace::new(&Cli::terraform(), THING);
    let attached = [("TF_REATTACH_PROVIDERS", variable.as_str())];
    workspace.run_with(&attached, &["apply", "-auto-approve"]).succeeds();
    workspace.run_with(&attached, &["plan", "-detailed-exitcode"]).succeeds();
    workspace.run_with(&attached, &["destroy", "-auto-approve"]).succeeds();

    provider.signal("INT");
    let (status, ..) = provider.ended();
    assert!(status.success(), "{status}");
    assert!(is_gone(socket.as_ref()));
}
